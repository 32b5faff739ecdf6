//! How much address space an engine takes: much, or little where there is little.

use tenure_sys::address_space_left;

/// From so much address space on that is left, memories reserve theirs with guards: room for 250 of them.
const ENOUGH: u64 = 1 << 40;

/// What the process may still map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Footprint {
    /// As much as there are addresses.
    Unlimited,
    /// So many bytes.
    Limited(u64),
}

impl Footprint {
    /// As it is now: limits such as `ulimit -v` are looked at once, when an engine is made.
    pub fn of_this_process() -> Self {
        address_space_left().map_or(Self::Unlimited, Self::Limited)
    }

    /// Whether memories reserve little, and code checks every access.
    pub fn is_small(self) -> bool {
        matches!(self, Self::Limited(left) if left < ENOUGH)
    }

    /// The other way to have memories.
    pub fn other(self) -> Self {
        if self.is_small() { Self::Unlimited } else { Self::Limited(0) }
    }

    /// Bytes to reserve for code, which is mapped twice: with that an eighth of what is left.
    pub fn code_bytes(self) -> usize {
        match self {
            Self::Unlimited => usize::MAX,
            Self::Limited(left) => usize::try_from(left / 16).unwrap_or(usize::MAX),
        }
    }
}
