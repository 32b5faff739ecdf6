//! The process-wide handler and its predecessors.

use std::io;
use std::mem::{MaybeUninit, transmute};
use std::ptr::{fn_addr_eq, null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{c_int, c_void, sigaction, siginfo_t, ucontext_t};

use super::machine;
use crate::signals::{Fault, FaultHandler, FaultKind};

/// One signal that we handle, and who handled it before.
struct Signal {
    number: c_int,
    kind: FaultKind,
    previous: OnceLock<sigaction>,
    /// Whether `previous` wanted to be called once (`SA_RESETHAND`), and was.
    spent: AtomicBool,
}

static SIGNALS: [Signal; 4] = [
    Signal::new(libc::SIGSEGV, FaultKind::Segv),
    Signal::new(libc::SIGBUS, FaultKind::Bus),
    Signal::new(libc::SIGILL, FaultKind::Ill),
    Signal::new(libc::SIGFPE, FaultKind::Fpe),
];

/// Set before the first signal is ours.
static HANDLER: OnceLock<FaultHandler> = OnceLock::new();

/// # Safety
/// As [`crate::signals::install`].
pub unsafe fn install(handler: FaultHandler) -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if !fn_addr_eq(*HANDLER.get_or_init(|| handler), handler) {
        let message = "this process has another fault handler already";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    SIGNALS.iter().try_for_each(Signal::install)
}

impl Signal {
    const fn new(number: c_int, kind: FaultKind) -> Signal {
        Signal { number, kind, previous: OnceLock::new(), spent: AtomicBool::new(false) }
    }

    /// Records the predecessor and takes its place. Does nothing the second time.
    fn install(&self) -> io::Result<()> {
        if self.previous.get().is_some() {
            return Ok(());
        }
        let previous = action(self.number, None)?;
        // Recorded first: our handler may be needed the moment it is set.
        let previous = self.previous.get_or_init(|| previous);
        // SAFETY: all zero is a valid value of this plain C structure.
        let mut ours: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        ours.sa_sigaction = on_signal as *const () as usize;
        // Whether a system call that a sent signal interrupts is taken up again is the predecessor's choice.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | previous.sa_flags & libc::SA_RESTART;
        action(self.number, Some(&ours))?;
        Ok(())
    }
}

/// Sets the action of a signal if there is a new one, and returns the old one.
fn action(number: c_int, new: Option<&sigaction>) -> io::Result<sigaction> {
    let mut old = MaybeUninit::uninit();
    let new = new.map_or(null(), |new| new);
    // SAFETY: both structures are valid for the call; a handler that is set here is `on_signal` or was set
    // by somebody before.
    if unsafe { libc::sigaction(number, new, old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and wrote it.
    Ok(unsafe { old.assume_init() })
}

/// What the system calls.
///
/// # Safety
/// Called by the system, as a handler with `SA_SIGINFO`.
unsafe extern "C" fn on_signal(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes the registers of the interrupted thread, ours to change until we return.
    let registers = unsafe { &mut *context.cast::<ucontext_t>() };
    // SAFETY: the system passes a valid structure.
    let info_ref = unsafe { &*info };
    let Some(signal) = SIGNALS.iter().find(|signal| signal.number == number) else {
        return;
    };
    let is_fault = info_ref.si_code > 0;
    if is_fault && let Some(handler) = HANDLER.get() {
        let (pc, sp, fp) = machine::registers(registers);
        let fault = Fault { pc, sp, fp, addr: fault_address(signal, info_ref), kind: signal.kind };
        // SAFETY: the fault is the system's account; whoever installed the handler promised the rest.
        if let Some(resume) = unsafe { handler(&fault) } {
            machine::resume(registers, &resume);
            return;
        }
    }
    // SAFETY: all as the system passed it; `registers` is not used any more.
    unsafe { signal.pass_on(info, context, is_fault) };
}

/// The address whose access failed, if the system tells.
fn fault_address(signal: &Signal, info: &siginfo_t) -> Option<usize> {
    /// "By the kernel": an exception without details.
    const SI_KERNEL: c_int = 0x80;
    let is_access = matches!(signal.kind, FaultKind::Segv | FaultKind::Bus);
    if !is_access || info.si_code == SI_KERNEL {
        return None;
    }
    // SAFETY: faults of these two kinds carry an address.
    Some(unsafe { info.si_addr() } as usize)
}

impl Signal {
    /// Does what would have happened without us.
    ///
    /// # Safety
    /// The arguments are those of the handler that is running.
    unsafe fn pass_on(&self, info: *mut siginfo_t, context: *mut c_void, is_fault: bool) {
        let Some(previous) = self.previous.get() else {
            return;
        };
        let once = previous.sa_flags & libc::SA_RESETHAND != 0;
        let spent = once && self.spent.swap(true, Ordering::Relaxed);
        match previous.sa_sigaction {
            libc::SIG_IGN if !is_fault => {}
            // A fault is never ignored by the system.
            libc::SIG_DFL | libc::SIG_IGN => self.default_action(is_fault),
            _ if spent => self.default_action(is_fault),
            handler => {
                // SAFETY: the mask was valid when it was set. It ends with the handler, as it began.
                unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &previous.sa_mask, null_mut()) };
                if previous.sa_flags & libc::SA_NODEFER != 0 {
                    self.unblock();
                }
                if previous.sa_flags & libc::SA_SIGINFO != 0 {
                    // SAFETY: the flag says that this is the handler's type.
                    let handler: unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                        unsafe { transmute(handler) };
                    // SAFETY: called as the system would have called it.
                    unsafe { handler(self.number, info, context) };
                } else {
                    // SAFETY: without the flag, this is the handler's type.
                    let handler: unsafe extern "C" fn(c_int) = unsafe { transmute(handler) };
                    // SAFETY: called as the system would have called it.
                    unsafe { handler(self.number) };
                }
            }
        }
    }

    /// Makes the system's default action happen when the handler returns: the instruction faults again, or the
    /// signal is sent again.
    fn default_action(&self, is_fault: bool) {
        // SAFETY: all zero is a valid value, and means the default action.
        let default: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        let restored = action(self.number, Some(&default));
        if restored.is_err() {
            std::process::abort();
        }
        if !is_fault {
            // SAFETY: allowed in a signal handler. The signal stays blocked until the handler returns.
            unsafe { libc::raise(self.number) };
        }
    }

    fn unblock(&self) {
        let mut set = MaybeUninit::uninit();
        // SAFETY: writes an empty set to a local.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: the set was just made, and the number is a signal's.
        unsafe { libc::sigaddset(set.as_mut_ptr(), self.number) };
        // SAFETY: the set was just made.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), null_mut()) };
    }
}
