//! Our registers and operands in the assembler's words.

use super::{RBP, RSP};
use crate::regs::{Reg, RegSet};
use tenure_abi::ValClass;
use tenure_asm::x64::{Gpr, Mem, Size, Width, Xmm};

/// The register as a general one.
#[inline]
pub(crate) fn general(reg: Reg) -> Gpr {
    debug_assert!(!reg.is_vector());
    Gpr::of_low_bits(reg.0)
}

/// The register as a vector one.
#[inline]
pub(crate) fn vector(reg: Reg) -> Xmm {
    debug_assert!(reg.is_vector());
    Xmm::of_low_bits(reg.0)
}

/// `[fp + offset]`
#[inline]
pub(crate) fn frame(offset: i32) -> Mem {
    Mem::new(general(RBP), offset)
}

/// `[sp + offset]`
pub(crate) fn outgoing(offset: u32) -> Mem {
    Mem::new(general(RSP), offset as i32)
}

/// `[base + offset]`
#[inline]
pub(crate) fn at(base: Reg, offset: i32) -> Mem {
    Mem::new(general(base), offset)
}

/// How many bits an integer of `class` has.
#[inline]
pub(crate) fn size(class: ValClass) -> Size {
    if class == ValClass::I32 { Size::S32 } else { Size::S64 }
}

/// The same as the width of an access.
#[inline]
pub(crate) fn width(class: ValClass) -> Width {
    if class == ValClass::I32 { Width::W32 } else { Width::W64 }
}

/// An access to a memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub mem: Mem,
    /// Whether it faults when it is outside.
    pub may_fault: bool,
    /// The operator, in bytes from the start of the module.
    pub offset: u32,
    /// What the address is made of.
    pub regs: RegSet,
}

/// An integer operand of an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Reg(Reg),
    Imm(i32),
    /// In the frame or behind the code.
    Mem(Mem),
    /// In a memory.
    Access(Access),
}
