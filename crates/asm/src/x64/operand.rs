//! Memory operands.

use super::Gpr;
use crate::Label;

/// A place in memory: base, index and displacement, or a label of this code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    pub(super) address: Address,
    pub(super) disp: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Base(Gpr),
    Indexed(Gpr, Gpr, Scale),
    Label(Label),
}

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
        Mem { address: Address::Base(base), disp }
    }

    /// `[base + index * scale + disp]`
    ///
    /// # Panics
    /// When `index` is `rsp`, which no encoding can express.
    #[inline]
    pub const fn indexed(base: Gpr, index: Gpr, scale: Scale, disp: i32) -> Mem {
        assert!(index.number() != Gpr::RSP.number(), "rsp cannot be an index");
        Mem { address: Address::Indexed(base, index, scale), disp }
    }

    /// `[rip + label]`: the bytes at `label` in the same code.
    #[inline]
    pub const fn label(label: Label) -> Mem {
        Mem { address: Address::Label(label), disp: 0 }
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
        Mem { address: self.address, disp }
    }
}
