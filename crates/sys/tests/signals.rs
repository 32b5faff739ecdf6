//! Faults: taken, turned down, passed on. Each in a child process, since handlers belong to the process.
#![cfg(target_arch = "x86_64")]

mod child;

use std::mem::{MaybeUninit, transmute};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use child::{Ended, child};
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use tenure_sys::signals::{Fault, FaultKind, Resume, ensure_alt_stack, install};
use tenure_sys::{CodePages, page_size};

/// A function that faults, and a second way out of it that returns its argument.
struct Guest {
    pages: CodePages,
}

/// The offset of the second way out in the code of each guest.
const LANDING: usize = 16;

static GUEST: AtomicUsize = AtomicUsize::new(0);
static LAST: std::sync::Mutex<Option<Fault>> = std::sync::Mutex::new(None);

impl Guest {
    /// `push rbp; mov rbp, rsp; <body>; pop rbp; ret`, and at the landing `mov rax, rdi; pop rbp; ret`.
    fn new(body: &[u8]) -> Guest {
        let pages = CodePages::new(page_size(), 0).unwrap();
        let mut code = vec![0x55, 0x48, 0x89, 0xe5];
        code.extend_from_slice(body);
        code.extend_from_slice(&[0x5d, 0xc3]);
        assert!(code.len() <= LANDING);
        code.resize(LANDING, 0xcc);
        code.extend_from_slice(&[0x48, 0x89, 0xf8, 0x5d, 0xc3]);
        // SAFETY: the pages are new.
        unsafe { pages.write(0, &code) }.unwrap();
        GUEST.store(pages.exec_base() as usize, Ordering::SeqCst);
        Guest { pages }
    }

    fn call(&self, argument: usize) -> usize {
        // SAFETY: this is the type of the function in `new`.
        let function: extern "C" fn(usize) -> usize = unsafe { transmute(self.pages.exec_base()) };
        function(argument)
    }
}

/// Takes what happens in the guest's code and sends it to the landing.
unsafe fn take(fault: &Fault) -> Option<Resume> {
    let guest = GUEST.load(Ordering::SeqCst);
    if !(guest..guest + LANDING).contains(&fault.pc) {
        return None;
    }
    // A lock in a signal handler: the tests hold it nowhere that faults.
    *LAST.lock().unwrap() = Some(*fault);
    // The code is in the frame that `rbp` tells, and nothing was pushed since.
    assert_eq!(fault.sp, fault.fp);
    Some(Resume { pc: guest + LANDING, sp: fault.sp, fp: fault.fp, arg0: 77 })
}

/// Takes nothing.
unsafe fn decline(_: &Fault) -> Option<Resume> {
    None
}

fn set_up(handler: tenure_sys::signals::FaultHandler) {
    // SAFETY: the handlers here are good enough for what the tests do.
    unsafe { install(handler) }.unwrap();
    ensure_alt_stack().unwrap();
}

fn last() -> Fault {
    LAST.lock().unwrap().take().expect("a fault was taken")
}

fn fault() {
    // SAFETY: faults, which is what the tests are for.
    unsafe { (8 as *const u8).read_volatile() };
}

#[test]
fn a_guests_fault_resumes_where_the_handler_says() {
    child("a_guests_fault_resumes_where_the_handler_says", Ended::Well, || {
        set_up(take);
        // mov rax, [rdi]
        let guest = Guest::new(&[0x48, 0x8b, 0x07]);
        let word = 5usize;
        assert_eq!(guest.call(&raw const word as usize), 5);
        for _ in 0..1000 {
            assert_eq!(guest.call(0x1238), 77);
        }
        let fault = last();
        assert_eq!((fault.kind, fault.addr), (FaultKind::Segv, Some(0x1238)));
        assert_eq!(fault.pc, guest.pages.exec_base() as usize + 4);
        assert_eq!(guest.call(1 << 63), 77);
        assert_eq!(last().addr, None, "not canonical");

        let guest = Guest::new(&[0x0f, 0x0b]); // ud2
        assert_eq!(guest.call(0), 77);
        let fault = last();
        assert_eq!((fault.kind, fault.addr), (FaultKind::Ill, None));

        let guest = Guest::new(&[0x31, 0xc9, 0xf7, 0xf1]); // xor ecx, ecx; div ecx
        assert_eq!(guest.call(0), 77);
        assert_eq!(last().kind, FaultKind::Fpe);

        // std; mov rax, [rdi]: the direction flag is off again afterwards.
        let guest = Guest::new(&[0xfd, 0x48, 0x8b, 0x07]);
        assert_eq!(guest.call(0), 77);
        let flags: usize;
        // SAFETY: reads the flags.
        unsafe { std::arch::asm!("pushfq", "pop {}", out(reg) flags) };
        assert_eq!(flags & 1 << 10, 0);
    });
}

#[test]
fn a_bus_error_is_told_apart() {
    child("a_bus_error_is_told_apart", Ended::Well, || {
        set_up(take);
        let guest = Guest::new(&[0x48, 0x8b, 0x07]);
        // A page of a file that is not so long.
        let file = tempfile();
        // SAFETY: maps new memory.
        let page = unsafe { libc::mmap(null_mut(), page_size(), libc::PROT_READ, libc::MAP_SHARED, file, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        assert_eq!(guest.call(page as usize + 8), 77);
        let fault = last();
        assert_eq!((fault.kind, fault.addr), (FaultKind::Bus, Some(page as usize + 8)));
    });
}

/// An empty file.
fn tempfile() -> c_int {
    // SAFETY: the name is a string.
    let file = unsafe { libc::memfd_create(c"empty".as_ptr(), 0) };
    assert!(file >= 0);
    file
}

#[test]
fn a_foreign_fault_kills_as_it_would_have() {
    child("a_foreign_fault_kills_as_it_would_have", Ended::Signal(libc::SIGSEGV), || {
        set_up(take);
        fault();
    });
}

#[test]
fn the_default_action_kills() {
    child("the_default_action_kills", Ended::Signal(libc::SIGILL), || {
        set_up(decline);
        Guest::new(&[0x0f, 0x0b]).call(0);
    });
}

#[test]
fn an_ignored_fault_kills() {
    child("an_ignored_fault_kills", Ended::Signal(libc::SIGSEGV), || {
        // SAFETY: a valid action.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_IGN) };
        set_up(decline);
        fault();
    });
}

#[test]
fn a_signal_that_is_sent_is_no_fault() {
    child("a_signal_that_is_sent_is_no_fault", Ended::Signal(libc::SIGFPE), || {
        // SAFETY: a valid action.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
        set_up(|_| panic!("a signal that was sent came as a fault"));
        // SAFETY: a valid signal. Ignored, as it was before.
        unsafe { libc::raise(libc::SIGBUS) };
        // SAFETY: a valid signal. The default action, as it was before.
        unsafe { libc::raise(libc::SIGFPE) };
    });
}

static SEEN: AtomicI32 = AtomicI32::new(0);
static SEEN_ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// Sets a handler by hand, as another library would.
fn previous(number: c_int, handler: usize, flags: c_int, block: Option<c_int>) {
    // SAFETY: all zero is a valid value.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    if let Some(block) = block {
        // SAFETY: the set is valid, and the number a signal's.
        unsafe { libc::sigaddset(&mut action.sa_mask, block) };
    }
    // SAFETY: the action is valid.
    assert_eq!(unsafe { libc::sigaction(number, &action, null_mut()) }, 0);
}

fn is_blocked(number: c_int) -> bool {
    let mut mask = MaybeUninit::uninit();
    // SAFETY: asks only, and writes to a local.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), mask.as_mut_ptr()) };
    // SAFETY: the call above wrote it.
    unsafe { libc::sigismember(mask.as_ptr(), number) == 1 }
}

/// Steps over the instruction `mov rax, [rdi]`, which is three bytes long.
unsafe extern "C" fn step_over(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    SEEN.store(number, Ordering::SeqCst);
    // SAFETY: the system passes these.
    SEEN_ADDRESS.store(unsafe { (*info).si_addr() } as usize, Ordering::SeqCst);
    assert!(is_blocked(libc::SIGUSR1) && is_blocked(libc::SIGSEGV));
    // SAFETY: the system passes the registers, ours to change.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    registers[libc::REG_RIP as usize] += 3;
    registers[libc::REG_RAX as usize] = 99;
}

#[test]
fn a_previous_handler_sees_foreign_faults_and_may_mend_them() {
    child("a_previous_handler_sees_foreign_faults_and_may_mend_them", Ended::Well, || {
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        previous(libc::SIGSEGV, step_over as *const () as usize, flags, Some(libc::SIGUSR1));
        set_up(decline);
        let guest = Guest::new(&[0x48, 0x8b, 0x07]);
        for _ in 0..3 {
            SEEN.store(0, Ordering::SeqCst);
            assert_eq!(guest.call(0x1238), 99);
            assert_eq!(SEEN.load(Ordering::SeqCst), libc::SIGSEGV);
            assert_eq!(SEEN_ADDRESS.load(Ordering::SeqCst), 0x1238);
        }
        assert!(!is_blocked(libc::SIGUSR1) && !is_blocked(libc::SIGSEGV));
    });
}

/// A handler of the old type, that ends the process well.
unsafe extern "C" fn finish(number: c_int) {
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(if number == libc::SIGSEGV { child::WELL } else { 1 }) };
}

#[test]
fn a_plain_previous_handler_is_called() {
    child("a_plain_previous_handler_is_called", Ended::Well, || {
        previous(libc::SIGSEGV, finish as *const () as usize, 0, None);
        set_up(decline);
        fault();
        panic!("went on after a fault");
    });
}

/// Counts, and lets the instruction fault again.
unsafe extern "C" fn count(_: c_int) {
    if SEEN.fetch_add(1, Ordering::SeqCst) > 0 || is_blocked(libc::SIGSEGV) {
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(1) };
    }
}

#[test]
fn a_handler_for_once_is_called_once() {
    child("a_handler_for_once_is_called_once", Ended::Signal(libc::SIGSEGV), || {
        previous(libc::SIGSEGV, count as *const () as usize, libc::SA_RESETHAND | libc::SA_NODEFER, None);
        set_up(decline);
        fault();
    });
}

#[test]
fn installing_twice_is_the_same_and_another_is_refused() {
    child("installing_twice_is_the_same_and_another_is_refused", Ended::Well, || {
        set_up(take);
        set_up(take);
        let guest = Guest::new(&[0x48, 0x8b, 0x07]);
        assert_eq!(guest.call(0), 77);
        // SAFETY: refused.
        let error = unsafe { install(decline) }.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(guest.call(0), 77);
    });
}

fn alt_stack() -> libc::stack_t {
    let mut stack = MaybeUninit::uninit();
    // SAFETY: asks only, and writes to a local.
    assert_eq!(unsafe { libc::sigaltstack(null(), stack.as_mut_ptr()) }, 0);
    // SAFETY: the call above wrote it.
    unsafe { stack.assume_init() }
}

/// Runs `body` on a thread that the standard library knows nothing of.
fn on_foreign_thread(body: fn()) {
    extern "C" fn start(body: *mut c_void) -> *mut c_void {
        // SAFETY: the pointer is the function that was passed below.
        let body: fn() = unsafe { transmute(body) };
        body();
        null_mut()
    }
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the function has the type that is asked for, and joining below waits for it.
    let status = unsafe { libc::pthread_create(thread.as_mut_ptr(), null(), start, body as *mut c_void) };
    assert_eq!(status, 0);
    // SAFETY: the thread was created, and is joined once.
    assert_eq!(unsafe { libc::pthread_join(thread.assume_init(), null_mut()) }, 0);
}

#[test]
fn every_thread_gets_a_signal_stack_of_its_own() {
    child("every_thread_gets_a_signal_stack_of_its_own", Ended::Well, || {
        on_foreign_thread(|| {
            assert_ne!(alt_stack().ss_flags & libc::SS_DISABLE, 0);
            ensure_alt_stack().unwrap();
            let stack = alt_stack();
            assert_eq!(stack.ss_flags & libc::SS_DISABLE, 0);
            assert!(stack.ss_size >= 64 << 10);
            // All of it can be used.
            // SAFETY: nothing runs on the stack now.
            unsafe { stack.ss_sp.cast::<u8>().write_bytes(0xaa, stack.ss_size) };
            ensure_alt_stack().unwrap();
            assert_eq!(alt_stack().ss_sp, stack.ss_sp);
        });
    });
}

#[test]
fn a_fault_without_a_stack_is_handled() {
    /// Takes the fault of the guest that lost its stack pointer, and finds it in the frame pointer.
    unsafe fn find_stack(fault: &Fault) -> Option<Resume> {
        let guest = GUEST.load(Ordering::SeqCst);
        assert_eq!(fault.sp, 0);
        Some(Resume { pc: guest + LANDING, sp: fault.fp, fp: fault.fp, arg0: 78 })
    }
    child("a_fault_without_a_stack_is_handled", Ended::Well, || {
        // SAFETY: good for this one fault.
        unsafe { install(find_stack) }.unwrap();
        static ONE: std::sync::OnceLock<Guest> = std::sync::OnceLock::new();
        ONE.get_or_init(|| Guest::new(&[0x31, 0xe4, 0x48, 0x8b, 0x07])); // xor esp, esp; mov rax, [rdi]
        let body = || {
            ensure_alt_stack().unwrap();
            assert_eq!(ONE.get().unwrap().call(0), 78);
        };
        body();
        on_foreign_thread(body);
        std::thread::spawn(body).join().unwrap();
    });
}

#[test]
fn a_signal_stack_goes_with_its_thread() {
    child("a_signal_stack_goes_with_its_thread", Ended::Well, || {
        let mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let cycle = || {
            on_foreign_thread(|| ensure_alt_stack().unwrap());
            std::thread::spawn(|| ensure_alt_stack().unwrap()).join().unwrap();
        };
        cycle();
        let before = mapped();
        for _ in 0..100 {
            cycle();
        }
        assert!(mapped() < before + 20, "{before} maps, then {}", mapped());
    });
}

#[test]
fn a_larger_signal_stack_is_kept_and_a_smaller_one_put_back() {
    child("a_larger_signal_stack_is_kept_and_a_smaller_one_put_back", Ended::Well, || {
        /// Puts in place a stack of so many bytes, which is never freed.
        fn put(bytes: usize) -> *mut c_void {
            let memory = Vec::leak(vec![0u8; bytes]).as_mut_ptr().cast();
            let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: bytes };
            // SAFETY: the memory stays.
            assert_eq!(unsafe { libc::sigaltstack(&stack, null_mut()) }, 0);
            memory
        }
        on_foreign_thread(|| {
            let large = put(256 << 10);
            ensure_alt_stack().unwrap();
            assert_eq!(alt_stack().ss_sp, large);
        });
        on_foreign_thread(|| {
            /// Looks at the end of the thread, after what was made later is gone.
            struct AtEnd(std::cell::Cell<*mut c_void>);
            impl Drop for AtEnd {
                fn drop(&mut self) {
                    SEEN.store(i32::from(alt_stack().ss_sp == self.0.get()), Ordering::SeqCst);
                }
            }
            thread_local!(static AT_END: AtEnd = const { AtEnd(std::cell::Cell::new(null_mut())) });
            let small = put(16 << 10);
            AT_END.with(|at_end| at_end.0.set(small));
            ensure_alt_stack().unwrap();
            assert_ne!(alt_stack().ss_sp, small);
        });
        assert_eq!(SEEN.load(Ordering::SeqCst), 1);
    });
}
