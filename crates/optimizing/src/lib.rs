//! The optimizing tier: WebAssembly to machine code through Cranelift. The only crate that names Cranelift.
//!
//! ```text
//! Body ──one decode──▶ validator ─┬─ the operator is right
//!                                 └▶ Translator (ops/…) ──▶ Cranelift IR ──▶ code, tables ──▶ CompiledFunc
//! ```
//! What the parts do, lowest first:
//!
//! ```text
//! tuning     numbers that trade speed of code for time to compile
//! isa        which machine we compile for
//! abi        signatures of guest functions and builtins in Cranelift's words
//! metadata   Cranelift's tables to ours: traps, wasm offsets, call sites, frame, relocations
//! translate  the state of one translation: value stack, labels, locals
//! inline     calls of own functions, translated in place
//! entry      the way in at a loop, for code that takes over from the baseline tier
//! records    loads from the context and the records behind it
//! traps      how code raises a trap: by a fault, or by calling the runtime
//! checks     which accesses need none, and what stays the same in a loop
//! ops        one function an operator, in files by family
//! schedule   the order of instructions in a block
//! offsets    the right operator for what may fault, also where instructions merge
//! fuel       what is left of it, and where the store has to know
//! compile    the driver
//! ```
//! Start at [`OptimizingCompiler`].

#![forbid(unsafe_code)]

mod abi;
mod checks;
mod compile;
mod entry;
mod fuel;
mod inline;
mod isa;
mod metadata;
mod offsets;
mod ops;
mod records;
mod schedule;
mod translate;
mod traps;
mod tuning;

pub use compile::OptimizingCompiler;
pub use isa::{Effort, Settings, UnsupportedMachine};
