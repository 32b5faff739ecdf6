//! Memory operands.

use super::Gpr;
use crate::Label;

/// A place in memory: base, index and displacement, or a label of this code. Held as it is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    /// ModRM with nothing in its middle, SIB if there is one, and the displacement, whatever its mode has of it.
    pub(super) bytes: u64,
    /// How many `bytes` there are, at most six.
    pub(super) count: u8,
    /// What REX has of it: the fourth bits of index and base.
    pub(super) rex: u8,
    pub(super) label: Option<Label>,
}

/// SIB.index when there is none: it is the number of `rsp`.
pub(super) const NO_INDEX: u8 = 0b100;
/// ModRM.rm when a SIB byte follows. `rsp` and `r12` as base announce one too, so these two need it.
const SIB: u8 = 0b100;
/// ModRM.rm, with mode 0, of a distance from the end of the instruction. So `rbp` and `r13` as base have no mode 0.
const RIP: u8 = 0b101;

/// What an index is multiplied by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Scale {
    /// By 1.
    X1,
    /// By 2.
    X2,
    /// By 4.
    X4,
    /// By 8.
    X8,
}

impl Mem {
    /// `[base + disp]`
    #[inline]
    pub const fn new(base: Gpr, disp: i32) -> Mem {
        Mem::of(base.number(), NO_INDEX, 0, disp)
    }

    /// `[base + index * scale + disp]`
    ///
    /// # Panics
    /// When `index` is `rsp`, which no encoding can express.
    #[inline]
    pub const fn indexed(base: Gpr, index: Gpr, scale: Scale, disp: i32) -> Mem {
        assert!(index.number() != Gpr::RSP.number(), "rsp cannot be an index");
        Mem::of(base.number(), index.number(), scale as u8, disp)
    }

    /// `[rip + label]`: the bytes at `label` in the same code.
    #[inline]
    pub const fn label(label: Label) -> Mem {
        Mem { bytes: RIP as u64, count: 5, rex: 0, label: Some(label) }
    }

    /// The place `bytes` further on.
    ///
    /// # Panics
    /// When the displacement leaves 32 bits.
    #[inline]
    pub const fn offset(self, bytes: i32) -> Mem {
        let (base, index, scale, disp) = self.parts();
        let Some(disp) = disp.checked_add(bytes) else {
            panic!("a displacement has 32 bits");
        };
        match self.label {
            None => Mem::of(base, index, scale, disp),
            Some(_) => Mem { bytes: RIP as u64 | (disp as u32 as u64) << 8, ..self },
        }
    }

    #[inline(always)]
    const fn of(base: u8, index: u8, scale: u8, disp: i32) -> Mem {
        // Mode 0 has no displacement, mode 1 one byte, mode 2 four.
        let mode = (disp != 0 || base & 7 == RIP) as u64 + (disp != disp as i8 as i32) as u64;
        let (disp, disp_count) = (disp as u32 as u64, (mode * mode) as u8);
        let (base_low, index_low) = (base as u64 & 7, index as u64 & 7);
        let (bytes, count) = if index == NO_INDEX && base & 7 != SIB {
            (mode << 6 | base_low | disp << 8, 1 + disp_count)
        } else {
            let sib = (scale as u64) << 6 | index_low << 3 | base_low;
            (mode << 6 | SIB as u64 | sib << 8 | disp << 16, 2 + disp_count)
        };
        Mem { bytes, count, rex: index >> 3 << 1 | base >> 3, label: None }
    }

    /// Base, index or [`NO_INDEX`], scale as a [`Scale`], and displacement. Of a label only the last means something.
    pub(super) const fn parts(self) -> (u8, u8, u8, i32) {
        let [modrm, sib, ..] = self.bytes.to_le_bytes();
        let (low, index, scale, rest) = if modrm & 7 == SIB {
            (sib & 7, sib >> 3 & 7 | (self.rex & 2) << 2, sib >> 6, self.bytes >> 16)
        } else {
            (modrm & 7, NO_INDEX, 0, self.bytes >> 8)
        };
        let disp = if modrm >> 6 == 1 { rest as i8 as i32 } else { rest as i32 };
        (low | (self.rex & 1) << 3, index, scale, disp)
    }
}
