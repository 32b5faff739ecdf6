//! What a stack walk relies on: frame pointers are always kept.
//!
//! ```text
//! [fp + 8]   return address
//! [fp + 0]   the caller's frame pointer
//! [fp - 8]   vmctx, in frames of the baseline tier; elsewhere metadata says
//! ```
//! A walk starts at the last exit (or the fault) and ends at the entry stub's frame, both of which the
//! store's context records.

/// Offset from the frame pointer at which the return address lies.
pub const RETURN_ADDRESS: usize = 8;
/// Offset from the frame pointer at which the caller's frame pointer lies.
pub const CALLER_FP: usize = 0;

/// What is known of every frame of one compiled function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameShape {
    /// Where the frame keeps `vmctx`, in bytes from the frame pointer (negative), when it does for as
    /// long as the frame lives.
    pub vmctx: Option<i32>,
}
