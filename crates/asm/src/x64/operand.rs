//! Memory operands.

use super::Gpr;
use crate::Label;

/// A place in memory: base, index and displacement, or a label of this code. Held as the encodings want it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    /// The base's number; 0 with a label.
    pub(super) base: u8,
    /// The index's number, or [`NO_INDEX`].
    pub(super) index: u8,
    /// As a [`Scale`].
    pub(super) scale: u8,
    pub(super) disp: i32,
    pub(super) label: Option<Label>,
}

/// SIB.index when there is none: it is the number of `rsp`.
pub(super) const NO_INDEX: u8 = 0b100;

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
        Mem { base: base.number(), index: NO_INDEX, scale: 0, disp, label: None }
    }

    /// `[base + index * scale + disp]`
    ///
    /// # Panics
    /// When `index` is `rsp`, which no encoding can express.
    #[inline]
    pub const fn indexed(base: Gpr, index: Gpr, scale: Scale, disp: i32) -> Mem {
        assert!(index.number() != Gpr::RSP.number(), "rsp cannot be an index");
        Mem { base: base.number(), index: index.number(), scale: scale as u8, disp, label: None }
    }

    /// `[rip + label]`: the bytes at `label` in the same code.
    #[inline]
    pub const fn label(label: Label) -> Mem {
        Mem { base: 0, index: NO_INDEX, scale: 0, disp: 0, label: Some(label) }
    }

    /// The place `bytes` further on.
    ///
    /// # Panics
    /// When the displacement leaves 32 bits.
    #[inline]
    pub const fn offset(self, bytes: i32) -> Mem {
        let Some(disp) = self.disp.checked_add(bytes) else {
            panic!("a displacement has 32 bits");
        };
        Mem { disp, ..self }
    }
}
