//! Alternate signal stacks, one a thread.
//!
//! A thread of the standard library has one already, too small for more than reporting an overflow; a thread
//! of C has none. Ours goes away with the thread, after other owners of a signal stack may have taken theirs
//! down: so it is taken down only where it still stands.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use super::machine;
use crate::Reservation;
use crate::mapping::page_size;

/// What a handler may use, besides the registers that the system saves there. Looking up a fault takes a few
/// hundred bytes in a release build; the rest is for debug builds and for the handlers we pass faults on to.
const HANDLER: usize = 64 << 10;

/// A stack with room for this much beside the registers is left alone.
const ENOUGH: usize = 32 << 10;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
    static OWNED: RefCell<Option<AltStack>> = const { RefCell::new(None) };
}

#[inline]
pub fn ensure() -> io::Result<()> {
    if READY.get() { Ok(()) } else { install() }
}

#[cold]
fn install() -> io::Result<()> {
    let old = present()?;
    if old.ss_flags & libc::SS_DISABLE != 0 || old.ss_size < machine::signal_frame_bytes() + ENOUGH {
        OWNED
            .try_with(|owned| {
                *owned.borrow_mut() = Some(AltStack::new(old)?);
                io::Result::Ok(())
            })
            .map_err(|_| io::Error::other("a thread that is ending gets no signal stack"))??;
    }
    READY.set(true);
    Ok(())
}

/// The calling thread's signal stack.
fn present() -> io::Result<libc::stack_t> {
    let mut present = MaybeUninit::uninit();
    // SAFETY: asks only, and writes to a local.
    if unsafe { libc::sigaltstack(null(), present.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and wrote it.
    Ok(unsafe { present.assume_init() })
}

/// A signal stack in use by the thread that made it.
struct AltStack {
    /// One guard page, then the stack.
    memory: Reservation,
    /// What the thread had before.
    old: libc::stack_t,
}

impl AltStack {
    fn new(old: libc::stack_t) -> io::Result<AltStack> {
        let guard = page_size();
        let memory = Reservation::new(guard + machine::signal_frame_bytes() + HANDLER)?;
        let len = memory.len() - guard;
        memory.commit(guard, len)?;
        let stack = AltStack { memory, old };
        let new = libc::stack_t { ss_sp: stack.base().cast(), ss_flags: 0, ss_size: len };
        // SAFETY: the memory is the stack's own for as long as it is installed; see `drop`.
        if unsafe { libc::sigaltstack(&new, null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    fn base(&self) -> *mut u8 {
        self.memory.base().wrapping_add(page_size())
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        READY.set(false);
        let ours = present().is_ok_and(|present| {
            present.ss_flags & libc::SS_DISABLE == 0 && present.ss_sp.cast() == self.base()
        });
        // Another owner may have taken the stack down in between, and then the old one is perhaps gone, too.
        if ours {
            // SAFETY: puts back what was there when ours was installed; its owner has not taken it down, or
            // ours would be gone.
            unsafe { libc::sigaltstack(&self.old, null_mut()) };
        }
    }
}
