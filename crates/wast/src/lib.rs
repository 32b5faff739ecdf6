//! Runs WebAssembly script files (`.wast`): the form that the specification's own tests are written in.
//!
//! A script is a list of directives: modules to instantiate, calls to make, and assertions about what comes of
//! them. A [`Context`] holds what a script builds up, and each directive either does what it says or gives a
//! [`Failure`] that names its place and tells what was expected and what was found.
//!
//! ```
//! use tenure::{Engine, Store};
//! use tenure_wast::Context;
//!
//! let engine = Engine::default();
//! let mut context = Context::new(Store::new(&engine, ()))?;
//! let script = r#"
//!     (module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))
//!     (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
//!     (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))
//! "#;
//! let failure = context.run("sum.wast", script).unwrap_err();
//! assert_eq!((failure.line, failure.column), (5, 6));
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! What is compared, and how strictly:
//! - results bit for bit, but for the patterns that stand for several values (`nan:canonical`, `ref.func`, `either`);
//! - traps by their kind: each has the specification's words for it, see [`traps`];
//! - of a module that must be malformed or invalid, only that it is refused: the wording is the validator's;
//! - of a module that must not link, that it fails without a trap and for the reason expected.
//!
//! Not done: `thread` and `wait`, `ref.host`, components. Such a directive fails and says so; none is passed over.
//!
//! Start at [`Context::run`].
#![forbid(unsafe_code)]

mod context;
mod failure;
mod spectest;
pub mod traps;
mod values;

pub use context::{Context, Outcome};
pub use failure::Failure;
