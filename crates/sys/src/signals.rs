//! Faults: memory that is not there, instructions that are not valid, divisions that have no result.
//!
//! One handler serves the whole process. A fault comes first to the [`FaultHandler`]; if that says it was not
//! a guest's, the fault goes to whoever handled it before, as if Tenure were not there:
//!
//! ```text
//! fault ──▶ FaultHandler ── Some(Resume) ──▶ the thread goes on there, registers as said
//!                └──────── None ──▶ the previous handler, or the system's default action
//! ```
//!
//! A signal that was sent (`kill`) is no fault and goes to the previous handler at once. The handler runs on
//! the alternate signal stack, which every thread that runs guest code needs: see [`ensure_alt_stack`].

use std::io;

use crate::os;

/// What happened, and the registers at that point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The instruction that faulted.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
    /// The address that could not be accessed. `None` where the system does not know it, as for an address
    /// that is not canonical, and for [`FaultKind::Ill`] and [`FaultKind::Fpe`].
    pub addr: Option<usize>,
    /// Which fault.
    pub kind: FaultKind,
}

/// The faults that are handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// An access to memory that is not mapped, or not so.
    Segv,
    /// An access to mapped memory that failed.
    Bus,
    /// An instruction that does not exist.
    Ill,
    /// An integer division that has no result.
    Fpe,
}

/// Where and how execution continues. All other registers are undefined there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resume {
    /// The next instruction.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The first integer argument register of the C calling convention (`rdi`).
    pub arg0: usize,
    /// The frame pointer.
    pub fp: usize,
}

/// Decides about a fault: `Some` if it was a guest's.
///
/// It runs in a signal handler: no allocation, no locks, no output; only what is async-signal-safe. A fault
/// inside it ends the process. It is unsafe to call since it trusts [`Fault`].
pub type FaultHandler = unsafe fn(&Fault) -> Option<Resume>;

/// Makes `handler` decide about the faults of this process. Doing it again with the same handler does nothing.
///
/// Handlers that stand at this moment are kept and called for faults that `handler` turns down. Other parts
/// of the process may install handlers later; those should pass on what is not theirs.
///
/// # Errors
/// When another handler was installed here before, or the system refuses.
///
/// # Safety
/// `handler` is async-signal-safe, and where it returns a [`Resume`], execution may go on there: the place
/// expects these registers, and abandoning everything between the fault and `sp` is right.
pub unsafe fn install(handler: FaultHandler) -> io::Result<()> {
    // SAFETY: the caller promises what this asks for.
    unsafe { os::signals::install(handler) }
}

/// Gives the calling thread a signal stack of sufficient size, if it has none.
///
/// Costs next to nothing when done before. The stack has a guard page and is freed as the thread ends; what
/// stood there before is then put back.
///
/// # Errors
/// When the system has no memory for it, the thread is just handling a signal, or is ending.
#[inline]
pub fn ensure_alt_stack() -> io::Result<()> {
    os::alt_stack::ensure()
}
