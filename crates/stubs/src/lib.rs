//! Glue between host and guest that every tier shares, as machine code.
//!
//! ```text
//! host ──entry stub──▶ guest function ──exit stub──▶ host function
//!        │  ▲                  │
//!        │  └──── unwind ◀─────┤ trap, host error, panic: straight back to the entry's caller
//!        └ notes where it is   └──builtin stub──▶ runtime
//! ```
//! All stubs are position-independent but for the builtins' targets, need no relocation, and keep the
//! frame-pointer chain. An entry or exit stub is made for a signature and serves every function of it.
//!
//! Every function here returns the bytes of one stub; they become executable elsewhere.

#![forbid(unsafe_code)]

mod x64;

pub use x64::{
    FIRST_CALL_LEN, TRAP, builtin, builtin_keeping_registers, entry, exit, fault, first_calls, unwind,
};
