//! The calling thread's stack.

use std::cell::Cell;

use crate::{cpu, os};

/// The addresses that a thread's stack may grow through, `low..high`. It grows down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackBounds {
    /// The lowest address that can be used.
    pub low: usize,
    /// The address behind the highest byte.
    pub high: usize,
}

impl StackBounds {
    /// Whether `address` is on this stack.
    #[inline]
    pub fn contains(self, address: usize) -> bool {
        self.low <= address && address < self.high
    }
}

/// Where the stack of the calling thread lies. The system is asked once a thread.
///
/// On the main thread the limit (`ulimit -s`) at the first call counts. Where the system does not tell, the
/// answer is a cautious guess around the stack pointer. A thread that runs on a stack of its own making
/// (a coroutine) gets the bounds of the thread's stack: compare with [`current_sp`].
#[inline]
pub fn thread_stack() -> StackBounds {
    thread_local! {
        static BOUNDS: Cell<Option<StackBounds>> = const { Cell::new(None) };
    }
    BOUNDS.get().unwrap_or_else(|| {
        let bounds = os::stack::bounds();
        BOUNDS.set(Some(bounds));
        bounds
    })
}

/// The stack pointer of the caller.
#[inline(always)]
pub fn current_sp() -> usize {
    cpu::stack_pointer()
}
