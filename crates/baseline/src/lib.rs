//! The baseline tier: WebAssembly to machine code in one pass over the operators.
//!
//! ```text
//! Body ──check──▶ summary ──▶ regions: which locals live in which registers, where
//!   └──one decode──▶ validator ─┬─ the operator is right, unless the body was found to be
//!                               └▶ FuncCompiler (ops/…, isa_x64/…) ──▶ code, tables ──▶ CompiledFunc
//! ```
//! What the parts do, lowest first:
//!
//! ```text
//! stop         why a compilation ends early
//! regs         which registers are free, and what the others hold
//! regions      which items are pinned to which registers in which loop
//! frame        where everything has its home
//! conventions  where arguments travel, kept for each type
//! constants    what lies behind the code
//! func         the state of one compilation
//! stack        the value stack: where each operand lives now
//! moves        several moves at once
//! traps        how code raises a trap; code that is written last because it rarely runs
//! tiering      counting towards better code, and handing over to it
//! control      labels: what a branch finds at its target
//! calls        arguments, what survives a call, results
//! isa_x64      the machine: instructions behind names that another machine would have too
//! fuel         where it is counted down
//! ops          one row an operator, in files by family
//! checks       what stands before compiling an operator: the validator, or nothing
//! decode       the loop over the operators
//! compile      the driver
//! ```
//! Start at [`BaselineCompiler`].

#![forbid(unsafe_code)]

mod stop;
mod regs;
mod tuning;
mod isa_x64;
mod regions;
mod frame;
mod conventions;
mod constants;
mod func;
mod stack;
mod moves;
mod traps;
mod tiering;
mod control;
mod calls;
mod fuel;
mod ops;
mod checks;
mod decode;
mod compile;

pub use compile::BaselineCompiler;
