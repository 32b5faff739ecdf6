//! Machine code: a buffer with labels, and one folder per instruction set.
//!
//! ```text
//! Assembler::mov_rm(..)  ──bytes──▶ ┌────────────┐
//! Assembler::jcc(.., label) ─fix-up▶│ CodeBuffer │──finish()──▶ Vec<u8>, position independent
//! CodeBuffer::bind(label) ─offset─▶ └────────────┘
//! ```
//!
//! This crate knows no WebAssembly: it writes the instructions it is asked for and nothing else. What
//! comes out refers only to places inside itself, so it may be copied to any address.
//!
//! A wrong use of the emitter (a label bound twice, `rsp` as an index) is a bug of the compiler above and
//! panics; what only shows at the end (a label never bound, a short jump that turned out long) is an
//! [`AsmError`] of [`CodeBuffer::finish`].
//!
//! Start at [`x64::Assembler`].

#![forbid(unsafe_code)]

mod buffer;
pub mod x64;

pub use buffer::{AsmError, CodeBuffer, Label};
