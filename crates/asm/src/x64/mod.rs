//! x86-64: registers, operands, and the [`Assembler`].
//!
//! Method names are the mnemonic and the kinds of the operands, destination first: `r` a general register,
//! `x` an SSE register, `m` memory, `i` an immediate. `mov_rm` loads, `mov_mr` stores. A leading [`Size`] or
//! [`Width`] says how many bits take part; writing 32 bits of a general register clears the upper 32.

mod reg;
mod operand;
mod inst;
mod encode;
mod integer;
mod vector;
#[cfg(test)]
mod listing;

pub use inst::{Assembler, Cond, Size, Width};
pub use integer::{Alu, Count, Shift, Unary};
pub use operand::{Mem, Scale};
pub use reg::{Gpr, Xmm};
pub use vector::{LaneShift, Sse};
