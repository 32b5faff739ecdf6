//! The frame: where everything has its home.
//!
//! ```text
//! [fp + 16 ..]   arguments that came on the stack: these are the homes of their locals
//! [fp + 8]       return address
//! [fp]           the caller's fp
//! [fp - 8]       vmctx
//! [fp - 16 ..]   saved registers; the results pointer, when results go through memory
//!                homes of locals 0, 1, …, then of operands at heights 0, 1, …: one slot each
//! [sp ..]        arguments on the stack for calls
//! ```
//! A home depends on nothing but the function's type, its locals and its pins: so any code can find it.

use tenure_abi::call_conv::CallConv;
use tenure_abi::frame::Homes;

/// Where the frame keeps `vmctx`, from the frame pointer.
pub(crate) const CONTEXT: i32 = -8;

/// The frame of one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameLayout {
    /// Where homes lie.
    pub homes: Homes,
    /// How many registers are saved.
    saved: i32,
    /// One more than the greatest height whose home is used.
    heights: u32,
    /// Bytes for arguments of calls.
    outgoing: u32,
}

impl FrameLayout {
    /// The frame of a function with `locals` locals that saves `saved` registers. Homes have 16 bytes if
    /// there may be `vectors`.
    pub(crate) fn new(locals: usize, saved: usize, has_results_pointer: bool, vectors: bool) -> Self {
        let slot = if vectors { 16 } else { 8 };
        let fixed = 8 + 8 * saved as i32 + 8 * i32::from(has_results_pointer);
        let fixed = (fixed + slot - 1) / slot * slot;
        let homes = Homes { slot, fixed, locals: locals as u32 };
        Self { homes, saved: saved as i32, heights: 0, outgoing: 0 }
    }

    /// Bytes of a home.
    pub(crate) fn slot_bytes(&self) -> i32 {
        self.homes.slot
    }

    /// Where the saved register that is number `at` lies, from the frame pointer.
    pub(crate) fn saved_reg(&self, at: usize) -> i32 {
        CONTEXT - 8 - 8 * at as i32
    }

    /// Where the results pointer lies, from the frame pointer.
    pub(crate) fn results_pointer(&self) -> i32 {
        CONTEXT - 8 - 8 * self.saved
    }

    /// The home of a local, from the frame pointer.
    #[inline]
    pub(crate) fn local(&self, local: u32, conv: &CallConv) -> i32 {
        self.homes.local(local, conv)
    }

    /// The home that a local would have if it were no argument on the stack.
    #[inline]
    pub(crate) fn own_local(&self, local: u32) -> i32 {
        self.homes.own_local(local)
    }

    /// The home of the operand at `height`, from the frame pointer. The frame grows to hold it.
    #[inline]
    pub(crate) fn operand(&mut self, height: u32) -> i32 {
        self.heights = self.heights.max(height + 1);
        self.homes.operand(height)
    }

    /// The frame grows to hold `bytes` of arguments for a call.
    pub(crate) fn reserve_outgoing(&mut self, bytes: u32) {
        self.outgoing = self.outgoing.max(bytes);
    }

    /// Bytes below the frame pointer, a multiple of 16; `None` when there are too many.
    pub(crate) fn size(&self) -> Option<u32> {
        let Homes { slot, fixed, locals } = self.homes;
        let homes = (u64::from(locals) + u64::from(self.heights)) * slot as u64;
        let size = fixed as u64 + homes + u64::from(self.outgoing);
        u32::try_from(size.next_multiple_of(16)).ok().filter(|&size| size < 1 << 30)
    }
}
