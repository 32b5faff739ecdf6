//! What of a frame is a reference, at a return address.

/// Offsets, in bytes up from the stack pointer at the call, of the 32-bit references that live across it.
///
/// Empty at every call until a collector exists; both tiers write this one format.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct StackMap(pub Box<[u32]>);
