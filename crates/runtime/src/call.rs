//! Calls into guests, and what comes back.
//!
//! ```text
//! host frames    Activation: what the store knew of the call outside this one
//! entry stub     notes where walks end and where unwinding arrives
//! guest frames   …
//! exit stub      notes where the guest left
//! host frames    may call in again: the next Activation
//! ```

use crate::backtrace::Backtrace;
use crate::store::Store;
use crate::tiers::NoCode;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;
use tenure_abi::ValRaw;
use tenure_abi::vm::{VmCtxHeader, VmFuncRef, VmStore};
use tenure_sys::{StackBounds, current_sp, thread_stack};
use tenure_types::Trap;

pub use crate::fault::install as install_fault_handler;

/// What an entry stub is to the host.
pub type EntryStub = unsafe extern "C" fn(
    store: *mut VmStore,
    vmctx: *mut VmCtxHeader,
    code: *const u8,
    values: *mut ValRaw,
) -> u32;

/// Stack that stays free for host functions and builtins below the guest's limit, in bytes; less on
/// threads whose whole stack is small.
const HOST_RESERVE: usize = 128 << 10;
/// Less of it there never is: compiled code makes frames of up to 64 KiB before it checks, and stubs take up to 16 KiB. A
/// thread with no more stack than this enters no guest.
const LEAST_RESERVE: usize = 96 << 10;
/// More stack than this between two calls on one stack no host function takes: beyond, it is taken for another stack.
const HOST_SHARE: usize = 1 << 20;

/// Why a guest was abandoned.
pub enum Abandon {
    /// It trapped.
    Trap(TrapInfo),
    /// A host function failed: its error, for the embedding API to name.
    Host(Box<dyn Any + Send>),
    /// It was not entered: the system refused the pages of a memory.
    Memory(io::Error),
    /// It called a function for which no code could be made.
    NoCode(NoCode),
    /// A host function panicked: the payload.
    Panic(Box<dyn Any + Send>),
}

impl fmt::Debug for Abandon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap(info) => f.debug_tuple("Trap").field(info).finish(),
            Self::Memory(error) => f.debug_tuple("Memory").field(error).finish(),
            Self::NoCode(why) => f.debug_tuple("NoCode").field(why).finish(),
            Self::Host(_) => f.write_str("Host"),
            Self::Panic(_) => f.write_str("Panic"),
        }
    }
}

/// A trap and where it happened.
#[derive(Clone, Debug)]
pub struct TrapInfo {
    /// What happened.
    pub trap: Trap,
    /// Where; `None` when backtraces are off.
    pub backtrace: Option<Backtrace>,
}

impl TrapInfo {
    /// `trap`, with the backtrace from `at` (see [`Backtrace::capture`]) when backtraces are on.
    pub(crate) fn capture(store: &mut Store, trap: Trap, at: Option<(usize, usize)>) -> Self {
        if trap == Trap::OutOfFuel {
            store.use_up_fuel();
        }
        let backtrace = store.config().backtraces.then(|| Backtrace::capture(store, at));
        Self { trap, backtrace }
    }
}

/// What a store knew of the call that is active when another one goes in.
pub(crate) struct Activation {
    pub outer: *const Activation,
    pub exit_fp: usize,
    pub exit_sp: usize,
    pub entry_fp: usize,
    entry_sp: usize,
    caller: *mut VmCtxHeader,
}

/// What calls need of the thread that makes them.
struct Thread {
    /// The store whose guest runs, or null: for the fault handler.
    current: Cell<*mut VmStore>,
    /// The thread's own stack; nothing until it was found out.
    stack: Cell<StackBounds>,
    /// Lowest address that a guest's stack pointer may have there.
    lowest: Cell<usize>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            current: Cell::new(ptr::null_mut()),
            stack: Cell::new(StackBounds { low: 0, high: 0 }),
            lowest: Cell::new(0),
        }
    };
}

/// The store whose guest runs on this thread, or null.
#[inline]
pub(crate) fn current() -> *mut VmStore {
    THREAD.with(|thread| thread.current.get())
}

/// Calls the function of `funcref` through `entry`, its signature's entry stub. Arguments are read from
/// `values`, results written over them.
///
/// # Errors
/// Why the guest was abandoned; `values` then holds nothing of worth. The store can be used again.
///
/// # Safety
/// - `store` is the store's address, with the right to use all that the embedding API keeps behind it
///   (host functions get it back), and nothing else uses it during the call.
/// - `funcref` is a live record of this store, `entry` the entry stub of its type in this engine.
/// - `values` has room for the longer of arguments and results, and holds arguments of the function's
///   type whose references are of this store.
#[inline(always)] // A call from the host costs six nanoseconds; passing on its arguments would be a fifth of that.
pub unsafe fn call(
    store: *mut Store,
    funcref: NonNull<VmFuncRef>,
    entry: usize,
    values: *mut ValRaw,
) -> Result<(), Abandon> {
    // SAFETY: the caller vouches for the store; its context is alive as long as it.
    let (vm, active) = unsafe { ((*store).vm(), (*store).is_active()) };
    let status = if active {
        // SAFETY: passed on from the caller.
        unsafe { call_nested(store, funcref, entry, values) }
    } else {
        // SAFETY: no guest of the store runs while this writes its context; the rest is passed on.
        unsafe {
            let lowest = outermost_limit(&*store);
            (*vm).lowest = lowest;
            (*store).limit_stack(vm, lowest);
            let status = run(store, vm, lowest, funcref, entry, values);
            (*vm).entry_fp = 0;
            status
        }
    };
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the caller vouches for the store.
    Err(reason(unsafe { &mut *store }, status))
}

/// A call from a host function that a guest of the same store has called.
///
/// # Safety
/// As [`call`].
#[inline(never)]
unsafe fn call_nested(
    store: *mut Store,
    funcref: NonNull<VmFuncRef>,
    entry: usize,
    values: *mut ValRaw,
) -> u32 {
    // SAFETY: the store is the caller's; its guest waits for the host function that makes this call.
    unsafe {
        let vm = (*store).vm();
        let saved = Activation {
            outer: (*store).outer,
            exit_fp: (*vm).last_exit_fp,
            exit_sp: (*vm).last_exit_sp,
            entry_fp: (*vm).entry_fp,
            entry_sp: (*vm).entry_sp,
            caller: (*vm).caller,
        };
        (*store).outer = &raw const saved;
        let status = if is_stack_of(&*store, saved.entry_sp) {
            run(store, vm, (*vm).lowest, funcref, entry, values)
        } else {
            let here = outermost_limit(&*store);
            let lowest = std::mem::replace(&mut (*vm).lowest, here);
            (*store).limit_stack(vm, here);
            let status = run(store, vm, here, funcref, entry, values);
            (*vm).lowest = lowest;
            (*store).limit_stack(vm, lowest);
            status
        };
        (*store).outer = saved.outer;
        (*vm).last_exit_fp = saved.exit_fp;
        (*vm).last_exit_sp = saved.exit_sp;
        (*vm).entry_fp = saved.entry_fp;
        (*vm).entry_sp = saved.entry_sp;
        (*vm).caller = saved.caller;
        status
    }
}

/// Enters the guest, with this thread's current store set meanwhile.
///
/// # Safety
/// As [`call`]; `vm` is the store's context and `lowest` its, which limits the stack. They are given, because to read again
/// what was written just before takes as long as the rest.
#[inline]
unsafe fn run(
    store: *mut Store,
    vm: *mut VmStore,
    lowest: usize,
    funcref: NonNull<VmFuncRef>,
    entry: usize,
    values: *mut ValRaw,
) -> u32 {
    // SAFETY: the record is alive, so its slot and context are; `entry` is the address of a stub of this
    // signature, made for this type of function.
    unsafe {
        if current_sp() <= lowest {
            return STATUS_STACK;
        }
        if (*store).unready.is_some() && !(*store).make_all_ready() {
            return STATUS_NOTED;
        }
        (*store).entries += 1;
        (*vm).host = store.cast();
        (*vm).caller = ptr::null_mut();
        let before = THREAD.with(|thread| thread.current.replace(vm));
        let code = (*(*funcref.as_ptr()).slot).load(Ordering::Acquire);
        let entry: EntryStub = std::mem::transmute::<usize, EntryStub>(entry);
        let status = entry(vm, (*funcref.as_ptr()).vmctx, code, values);
        THREAD.with(|thread| thread.current.set(before));
        status
    }
}

/// What stubs return when it was noted why the guest was abandoned; 0 when it was not.
const STATUS_NOTED: u32 = 1;

/// What [`call`] notes when there is no stack to enter with.
const STATUS_STACK: u32 = 2;

#[cold]
fn reason(store: &mut Store, status: u32) -> Abandon {
    if status == STATUS_STACK {
        return Abandon::Trap(TrapInfo::capture(store, Trap::StackOverflow, None));
    }
    store.abandoned.take().expect("whoever abandons a guest notes why")
}

/// How far down the guest may go when it is entered with no call of its store active on this stack.
#[inline]
fn outermost_limit(store: &Store) -> usize {
    let (stack, lowest) = this_thread();
    let sp = current_sp();
    let wanted = sp.saturating_sub(store.stack_bytes);
    // On a stack that is not the thread's own its bounds say nothing.
    if stack.contains(sp) { wanted.max(lowest) } else { wanted }
}

/// Whether the code that runs is on the stack that has `entry_sp`, where a call of the store came in: a host function may
/// go on in another thread, or on a stack of its own making, while it has the store.
fn is_stack_of(store: &Store, entry_sp: usize) -> bool {
    let (stack, _) = this_thread();
    let sp = current_sp();
    match (stack.contains(entry_sp), stack.contains(sp)) {
        // Neither is the thread's own. Below the limit there is nothing to enter with, whichever stack it is.
        (false, false) => sp <= entry_sp && entry_sp - sp <= store.stack_bytes.saturating_add(HOST_SHARE),
        (there, here) => there && here,
    }
}

/// The stack of this thread, and how far down guests may go on it. Gets the thread ready for faults.
#[inline]
fn this_thread() -> (StackBounds, usize) {
    if THREAD.with(|thread| thread.lowest.get()) == 0 {
        prepare_thread();
    }
    THREAD.with(|thread| (thread.stack.get(), thread.lowest.get()))
}

#[cold]
#[inline(never)]
fn prepare_thread() {
    // Where the system refuses a signal stack, a fault ends the process as it would without us.
    let _ = tenure_sys::signals::ensure_alt_stack();
    let stack = thread_stack();
    let reserve = HOST_RESERVE.min((stack.high - stack.low) / 3).max(LEAST_RESERVE);
    let lowest = stack.low + reserve;
    THREAD.with(|thread| {
        thread.stack.set(stack);
        thread.lowest.set(lowest);
    });
}

/// Abandons the guest that has called a host function: goes on in the host that called the guest, which finds
/// what [`Store::abandon`] noted.
///
/// # Safety
/// `vm` is the context of a store whose guest waits for the shim that calls this. No frame from the shim's down to
/// here has anything left to drop: they are never returned to.
pub unsafe fn unwind(vm: *mut VmStore) -> ! {
    // SAFETY: the context names the stub that leaves for the entry's caller, which takes the context in its first
    // argument and any stack. By the caller's promise nothing that lies between is owed a visit.
    unsafe {
        let stub = std::mem::transmute::<usize, unsafe extern "C" fn(*mut VmStore) -> !>((*vm).unwind);
        stub(vm)
    }
}

impl Store {
    /// Notes why the guest that is calling is to be abandoned: for the shim of a host function, which then
    /// calls [`unwind`].
    pub fn abandon(&mut self, why: Abandon) {
        self.abandoned = Some(why);
    }

    /// Whether a call is active in the store.
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: the store's own context.
        unsafe { (*self.vm()).entry_fp != 0 }
    }

    /// What a memory that is made now notes of [`Store::entries`]. One that is made during a call may be written to by guests
    /// that were entered before: it notes a number that never comes.
    pub(crate) fn entries_at_birth(&self) -> u64 {
        if self.is_active() { u64::MAX } else { self.entries }
    }

    /// The guest frames of the active calls, innermost first: for a host function.
    pub fn backtrace(&self) -> Backtrace {
        Backtrace::capture(self, None)
    }
}
