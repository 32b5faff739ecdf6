//! Numbers that change how fast code is and nothing else. Weights are those of [`Use`](tenure_module::Use).

/// From which weight on an item of the whole body is worth a register that the function has to save.
pub(crate) const KEPT_PIN: u32 = 4;
/// From which weight on an item of the whole body is worth a register that it need not save.
pub(crate) const LOST_PIN: u32 = 2;
/// What a call costs an item in a register that calls do not keep: going home and back.
pub(crate) const LOST_CALL: u32 = 2;
/// From which weight on an item is worth a register in a loop.
pub(crate) const LOOP_PIN: u32 = 2;
/// How much heavier an item must be in a loop than the one whose register it takes there.
pub(crate) const LOOP_TAKES: u32 = 2;
/// Up to how many targets a `br_table` is a chain of comparisons.
pub(crate) const CHAIN_TARGETS: usize = 4;
