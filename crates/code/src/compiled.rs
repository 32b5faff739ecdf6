//! One compiled function.

use crate::{FuncMeta, Tier};
use tenure_types::FuncIdx;

/// Machine code of one function, position-independent but for its relocations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompiledFunc {
    /// Which function it is.
    pub func: FuncIdx,
    /// Which tier made it.
    pub tier: Tier,
    /// The code; constants it refers to follow in the same bytes.
    pub code: Vec<u8>,
    /// What the code's start must be aligned to, in bytes; a power of two.
    pub align: u32,
    /// Where the code needs to know a code slot.
    pub relocs: Vec<Reloc>,
    /// What is known of its instructions.
    pub meta: FuncMeta,
}

/// Four bytes of code that are to hold the distance to a function's code slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Where the four bytes lie, from the function's start.
    pub at: u32,
    /// Whose slot; always a function that the module defines.
    pub slot: FuncIdx,
    /// The value is `address of the slot + addend - address of the four bytes`.
    pub addend: i32,
}
