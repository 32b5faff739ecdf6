//! Numbers that cannot change results.

/// How work on function bodies is cut in pieces, in bytes of bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grain {
    /// What is done as one piece: a millisecond or so.
    pub(crate) piece: usize,
    /// From how many on other cores help: below, starting a thread takes longer than it saves.
    pub(crate) parallel: usize,
}

/// Compiling, at half a megabyte a second for the optimizing tier.
pub(crate) const COMPILING: Grain = Grain { piece: 4 << 10, parallel: 8 << 10 };

/// Only checking, at a hundred megabytes a second.
pub(crate) const CHECKING: Grain = Grain { piece: 64 << 10, parallel: 192 << 10 };
