//! Faults in guest code: which are traps, and which are our bugs.
//!
//! ```text
//! fault ─signal─▶ handler: a guest's? ─yes─▶ note it, go on at the fault stub
//!                          └─no─▶ the handler that was there before
//! fault stub ─▶ landing: which trap? walk the frames ─▶ unwind stub ─▶ the entry's caller
//! ```
//! The handler only compares numbers. Everything that takes a lock or memory is done in [`landing`], an
//! ordinary function that runs below the guest's frames once the signal is over.

use crate::call::{self, Abandon, TrapInfo};
use crate::memory::MemInst;
use crate::store::Store;
use std::io;
use tenure_abi::vm::{VmFault, VmStore};
use tenure_sys::signals::{self, Fault, Resume};
use tenure_types::Trap;

/// Makes faults in guest code traps, process-wide. Safe to call often.
///
/// # Errors
/// When the system refuses the handler.
pub fn install() -> io::Result<()> {
    // SAFETY: `handler` is async-signal-safe: it reads a thread-local that needs no initialization and the
    // plain fields of the store's context, and takes no lock or memory.
    unsafe { signals::install(handler) }
}

/// More bytes than the fault stub has. What lies behind it are other stubs, in which nothing faults that is a trap.
const FAULT_STUB: usize = 64;

/// Decides about a fault.
unsafe fn handler(fault: &Fault) -> Option<Resume> {
    let vm = call::current();
    if vm.is_null() {
        return None;
    }
    // SAFETY: a thread's current store context is alive as long as it is the current one, and the thread's; others
    // use only its stack limit.
    let after_fault = unsafe {
        if (*vm).entry_fp == 0 || !((*vm).code_start..(*vm).code_end).contains(&fault.pc) {
            return None;
        }
        // The fault stub itself: there is no stack to go on with, and to begin again would go on for ever.
        if ((*vm).after_fault..(*vm).after_fault + FAULT_STUB).contains(&fault.pc) {
            return None;
        }
        (*vm).fault = VmFault { pc: fault.pc, fp: fault.fp, addr: fault.addr.unwrap_or(0) };
        (*vm).after_fault
    };
    Some(Resume { pc: after_fault, sp: fault.sp & !15, arg0: vm.expose_provenance(), fp: fault.fp })
}

/// Called by the fault stub: finds out which trap the noted fault is, and notes it with a backtrace.
///
/// A fault that no metadata names is a bug in a compiler or here. Going on could do harm, so the process
/// ends with a report.
pub(crate) unsafe extern "C" fn landing(vm: *mut VmStore) {
    // SAFETY: the fault stub passes the context of the store whose guest faulted; the call that entered the
    // guest set `host` to that store, and waits for this to return.
    let (store, fault) = unsafe { (&mut *(*vm).host.cast::<Store>(), (*vm).fault) };
    let Some(trap) = trap_at(store, &fault) else {
        eprintln!("tenure: a bug: unexpected fault in compiled code: {fault:x?}");
        std::process::abort();
    };
    let backtrace = store.config().backtraces;
    let info = TrapInfo::capture(store, trap, backtrace.then_some((fault.pc, fault.fp)));
    store.abandoned = Some(Abandon::Trap(info));
}

fn trap_at(store: &Store, fault: &VmFault) -> Option<Trap> {
    let module = store.space().find(fault.pc)?;
    let trap = module.look_at(fault.pc, |code| code.meta.trap_at(code.at))??;
    let explained = trap != Trap::MemoryOutOfBounds
        || fault.addr == 0
        || store.mems.iter().any(|mem: &MemInst| mem.reaches(fault.addr));
    explained.then_some(trap)
}
