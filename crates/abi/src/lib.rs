//! What compiled code and the runtime agree on, byte for byte: written once, here.
//!
//! Every offset, size and register that two sides must know is derived in this crate from real
//! `#[repr(C)]` structs; no other crate writes one down. The parts, lowest first:
//!
//! ```text
//! val_raw    a value at rest: 16 bytes
//! vm         the records compiled code reads: store context, memories, tables, globals, funcrefs
//! ctx        the block behind `vmctx`: a header, then the records of one instance
//! call_conv  which register or stack slot each argument and result travels in
//! frame      what a stack walk relies on
//! stack_map  what of a frame is a reference, at a return address
//! handlers   where an exception goes on, at a return address
//! builtins   the functions of the runtime that compiled code calls
//! ```

#![forbid(unsafe_code)]

pub mod builtins;
pub mod call_conv;
pub mod ctx;
pub mod frame;
pub mod handlers;
pub mod stack_map;
pub mod val_raw;
pub mod vm;

pub use builtins::{Builtin, Leaf};
pub use call_conv::{CallConv, Loc, ValClass};
pub use ctx::{CtxLayout, CtxShape};
pub use val_raw::ValRaw;
