//! Numbers that cannot change results.

/// Bytes of function bodies that are compiled as one piece: a millisecond or so.
pub(crate) const CHUNK_BYTES: usize = 4 << 10;

/// Bytes of function bodies from which on other cores help: below, starting a thread takes longer than it
/// saves.
pub(crate) const PARALLEL_BYTES: usize = 8 << 10;
