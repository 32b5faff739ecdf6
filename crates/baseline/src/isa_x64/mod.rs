//! Everything that is x86-64: which register does what, and the instructions of each operator.
//!
//! A second machine is a second folder with the same names.

use crate::regs::{Reg, RegSet};

pub(crate) mod asm;
pub(crate) mod call;
pub(crate) mod control;
pub(crate) mod cpu;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod memory;
pub(crate) mod moves;
pub(crate) mod poison;
pub(crate) mod prologue;
pub(crate) mod vector;

macro_rules! names {
    ($($name:ident = $make:ident $number:literal;)*) => {
        $(#[allow(dead_code, reason = "the list is whole")] pub(crate) const $name: Reg = Reg::$make($number);)*
    };
}

names! {
    RAX = general 0; RCX = general 1; RDX = general 2; RBX = general 3; RSP = general 4; RBP = general 5;
    RSI = general 6; RDI = general 7; R8 = general 8; R9 = general 9; R10 = general 10; R11 = general 11;
    R12 = general 12; R13 = general 13; R14 = general 14; R15 = general 15;
    XMM0 = vector 0; XMM1 = vector 1; XMM2 = vector 2; XMM3 = vector 3; XMM4 = vector 4; XMM5 = vector 5;
    XMM6 = vector 6; XMM7 = vector 7; XMM8 = vector 8; XMM9 = vector 9; XMM10 = vector 10; XMM11 = vector 11;
    XMM12 = vector 12; XMM13 = vector 13; XMM14 = vector 14; XMM15 = vector 15;
}

/// General registers that operands may live in when no pin does. No call keeps them.
pub(crate) const GENERAL: RegSet = RegSet::of(&[RAX, RCX, RDX, RSI, RDI, R8, R9, R10]);
/// The same of vector registers.
pub(crate) const VECTOR: RegSet = RegSet(0x7fff << 16);
/// All registers that are temps when no pin is in them.
pub(crate) const TEMPS: RegSet = GENERAL.or(VECTOR);
/// As many temps as operators take at least. No pin is ever in the general ones.
pub(crate) const FEWEST_TEMPS: RegSet =
    RegSet::of(&[RAX, RCX, RDX, RSI, RDI, XMM0, XMM1, XMM2, XMM3, XMM4, XMM5, XMM6]);
/// Pins that calls keep, in order of preference. The function saves those that it uses.
pub(crate) const KEPT_PINS: [Reg; 5] = [RBX, R14, R15, R12, R13];
/// Pins that calls do not keep, in order of preference.
pub(crate) const LOST_PINS: [Reg; 3] = [R10, R9, R8];
/// Pins for floats and vectors, which no call keeps.
pub(crate) const VECTOR_PINS: [Reg; 7] = [XMM14, XMM13, XMM12, XMM11, XMM10, XMM9, XMM8];
/// Where the only value travels that a branch takes along, by kind.
pub(crate) const RESULT: Reg = RAX;
pub(crate) const VECTOR_RESULT: Reg = XMM0;
/// Free within one operator, and for moves between operators: never given out.
pub(crate) const SCRATCH: Reg = R11;
pub(crate) const VECTOR_SCRATCH: Reg = XMM15;
