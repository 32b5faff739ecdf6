//! Numbers that trade speed of code, size of code and time to compile. They cannot change results.

/// Most blocks of a function that is worth good code: 16,384 take half a second, twice as many two.
pub(crate) const MOST_BLOCKS: usize = 16_384;

/// Most locals and operands of a function that is worth good code: 4,096 that all live at once take half a
/// second, twice as many two.
pub(crate) const MOST_VALUES: usize = 4_096;

/// Most operands that wait below constructs on the way to a loop that is entered from a running frame, counted once for
/// each construct. Compilers leave next to none there.
pub(crate) const MOST_KEPT_OPERANDS: usize = 1 << 16;

/// Most stretches of a `br_table` that are told apart by comparing: at most two comparisons, where a jump
/// through a table takes one, and a prediction that is harder.
pub(crate) const MOST_STRETCHES: usize = 4;

/// Most bytes that `memory.copy` and `memory.fill` of a known length handle in place: as many as half the
/// vector registers hold.
pub(crate) const MOST_BYTES_IN_PLACE: u32 = 128;
