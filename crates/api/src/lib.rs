//! An embeddable WebAssembly runtime that gives memory back.
//!
//! The words are those of the `wasmtime` crate, so that a program can move over with `use tenure as
//! wasmtime;`:
//!
//! ```text
//! Config ──▶ Engine          what everything shares: options, types, compiled code
//!              │
//!   bytes ──▶ Module         checked and compiled; any number of threads and stores use it
//!              │
//!            Instance        a module with its memories, tables, globals and imports, in a
//!            Store<T>        store, which owns instances and a value of the host's
//! ```
//!
//! A module can be looked at before anything runs:
//!
//! ```
//! use tenure::{Engine, Module};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module (func (export "add") (param i32 i32) (result i32)
//!     (i32.add (local.get 0) (local.get 1))))"#)?;
//! for export in module.exports() {
//!     let ty = export.ty();
//!     println!("{}: {}", export.name(), ty.unwrap_func());
//! }
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! What can go wrong is an [`Error`], which says what, where, and what was expected; why a guest stopped can
//! be asked of it as [`Trap`], and where the guest was as [`WasmBacktrace`].
//!
//! The Cargo feature `wat`, on by default, lets [`Module::new`] take the text format.

#![deny(unsafe_code)]

mod engine;
pub mod error;
mod types;
mod unknown_import;
mod v128;
mod val_raw;
#[expect(unsafe_code, reason = "loading machine code from bytes is a promise of the caller's")]
mod module;
mod backtrace;

pub use backtrace::{FrameInfo, FrameSymbol, WasmBacktrace};
pub use engine::{Engine, EngineWeak, Precompiled};
pub use error::{Error, OutOfMemory, Result, ToWasmtimeResult, bail, ensure, format_err};
pub use module::{Module, ModuleExport, ModuleFunction};
pub use tenure_engine::{
    Config, ConfigError, OnProgress, OptLevel, Progress, RegallocAlgorithm, Strategy, WasmBacktraceDetails,
    WasmFeatures,
};
pub use tenure_types::Trap;
pub use types::{
    ExportType, ExternType, Finality, FuncType, GlobalType, HeapType, ImportType, MemoryType,
    MemoryTypeBuilder, Mutability, RefType, TableType, TagType, ValType,
};
pub use unknown_import::UnknownImportError;
pub use v128::V128;
pub use val_raw::ValRaw;
