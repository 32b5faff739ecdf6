//! One compiled function.

use crate::{FuncMeta, Tier};
use tenure_abi::frame::Homes;
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
    /// Where its frame keeps locals and operands, when another tier's code may go on with it at a loop.
    pub homes: Option<Homes>,
}

/// Four bytes of code that are to hold the distance to a cell of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Where the four bytes lie, from the function's start.
    pub at: u32,
    /// Which of the function's cells.
    pub cell: Cell,
    /// Whose cell; always a function that the module defines.
    pub func: FuncIdx,
    /// The value is `address of the cell + addend - address of the four bytes`.
    pub addend: i32,
}

/// What a module keeps in memory for each function that it defines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cell {
    /// Its [`CodeSlot`](tenure_abi::vm::CodeSlot).
    Slot = 0,
    /// Its [`Budget`](tenure_abi::vm::Budget).
    Budget = 1,
}
