//! Code that is written and executed, in both kinds of block.
#![cfg(target_arch = "x86_64")]

mod child;

use std::mem::transmute;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use child::{Ended, child};
use tenure_sys::{CodePages, page_size};

/// `mov eax, value; ret`
fn returns(value: u32) -> [u8; 6] {
    let [a, b, c, d] = value.to_le_bytes();
    [0xb8, a, b, c, d, 0xc3]
}

fn call(pages: &CodePages, offset: usize) -> u32 {
    assert!(offset < pages.code_len());
    // SAFETY: the tests wrote a function of this type there.
    let function: extern "C" fn() -> u32 = unsafe { transmute(pages.exec_base().add(offset)) };
    function()
}

fn write(pages: &CodePages, offset: usize, code: &[u8]) {
    // SAFETY: each test writes only where nothing is executing.
    unsafe { pages.write(offset, code) }.unwrap();
}

/// Runs `test` on a block of each kind.
fn both(code_bytes: usize, data_bytes: usize, test: impl Fn(CodePages)) {
    let dual = CodePages::new(code_bytes, data_bytes).unwrap();
    assert!(dual.is_dual_view());
    test(dual);
    let single = CodePages::new_single_view(code_bytes, data_bytes).unwrap();
    assert!(!single.is_dual_view());
    test(single);
}

#[test]
fn what_was_written_runs() {
    both(1 << 20, 1 << 16, |pages| {
        let page = page_size();
        assert_eq!((pages.code_len(), pages.data_len()), (1 << 20, 1 << 16));
        for offset in [0, 16, page - 16, page, 5 * page + 64, pages.code_len() - 6] {
            write(&pages, offset, &returns(offset as u32));
        }
        for offset in [0, 16, page - 16, page, 5 * page + 64, pages.code_len() - 6] {
            assert_eq!(call(&pages, offset), offset as u32);
        }
        // Across a page boundary, and over what was there.
        write(&pages, page - 3, &returns(7));
        write(&pages, 16, &returns(8));
        assert_eq!((call(&pages, page - 3), call(&pages, 16)), (7, 8));
        assert_eq!(call(&pages, 0), 0);
        write(&pages, pages.code_len(), &[]);
    });
}

#[test]
fn code_reaches_data() {
    both(1, 1, |pages| {
        assert_eq!((pages.code_len(), pages.data_len()), (page_size(), page_size()));
        assert_eq!(pages.data_base().cast_const(), pages.exec_base().wrapping_add(pages.code_len()));
        // mov eax, [rip + distance]; ret
        let distance = (pages.code_len() + 8 - 6) as u32;
        let [a, b, c, d] = distance.to_le_bytes();
        write(&pages, 0, &[0x8b, 0x05, a, b, c, d, 0xc3]);
        assert_eq!(call(&pages, 0), 0);
        // SAFETY: the data is a page, aligned, and used by this test only.
        unsafe { pages.data_base().add(8).cast::<u32>().write(42) };
        assert_eq!(call(&pages, 0), 42);
        // SAFETY: nobody uses the data now.
        unsafe { pages.discard_data(0, page_size()) }.unwrap();
        assert_eq!(call(&pages, 0), 0);
    });
}

#[test]
fn discarded_code_reads_as_zero_and_can_be_written_again() {
    both(4 * page_size(), 0, |pages| {
        let page = page_size();
        for at in 0..4 {
            write(&pages, at * page, &returns(at as u32 + 1));
        }
        // SAFETY: nothing executes there.
        unsafe { pages.discard(page, 2 * page) }.unwrap();
        // SAFETY: code is always readable.
        let byte = |offset: usize| unsafe { pages.exec_base().add(offset).read_volatile() };
        assert_eq!((byte(0), byte(page), byte(2 * page), byte(3 * page)), (0xb8, 0, 0, 0xb8));
        write(&pages, page, &returns(9));
        assert_eq!((call(&pages, 0), call(&pages, page), call(&pages, 3 * page)), (1, 9, 4));
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    both(2 * page_size(), page_size(), |pages| {
        let page = page_size();
        for (offset, len) in [(2 * page, 1), (2 * page - 1, 2), (usize::MAX, 1), (usize::MAX, 0)] {
            // SAFETY: nothing executes.
            let error = unsafe { pages.write(offset, &vec![0; len]) }.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
        for (offset, len) in [(1, page), (0, 1), (page, 2 * page), (usize::MAX - page + 1, page)] {
            // SAFETY: nothing executes.
            assert!(unsafe { pages.discard(offset, len) }.is_err());
            // SAFETY: nothing uses the data.
            assert!(unsafe { pages.discard_data(offset, len) }.is_err());
        }
    });
    for (code, data) in [(usize::MAX, 0), (0, usize::MAX), (1 << 31, 0), (1 << 30, 1 << 30)] {
        assert!(CodePages::new(code, data).is_err());
        assert!(CodePages::new_single_view(code, data).is_err());
    }
}

/// The access to the page of `address`, as the system tells it: `r-xp` and the like.
fn access(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        let (low, rest) = line.split_once('-').unwrap();
        let high = rest.split(' ').next().unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        (number(low)..number(high)).contains(&address)
    });
    line.expect("the address is mapped").split(' ').nth(1).unwrap().to_string()
}

#[test]
fn no_page_is_writable_and_executable() {
    both(8 * page_size(), page_size(), |pages| {
        write(&pages, page_size() + 5, &returns(1));
        for at in 0..8 {
            assert_eq!(access(pages.exec_base() as usize + at * page_size())[..3], *"r-x");
        }
        assert_eq!(access(pages.data_base() as usize)[..3], *"rw-");
    });
}

#[test]
fn the_exec_view_of_two_is_not_writable() {
    child("the_exec_view_of_two_is_not_writable", Ended::Signal(libc::SIGSEGV), || {
        let pages = CodePages::new(page_size(), 0).unwrap();
        // SAFETY: faults, which is what the test is for.
        unsafe { pages.exec_base().cast_mut().write_volatile(0xc3) };
    });
}

#[test]
fn the_only_view_is_not_writable() {
    child("the_only_view_is_not_writable", Ended::Signal(libc::SIGSEGV), || {
        let pages = CodePages::new_single_view(page_size(), 0).unwrap();
        write(&pages, 0, &returns(1));
        // SAFETY: faults, which is what the test is for.
        unsafe { pages.exec_base().cast_mut().write_volatile(0xc3) };
    });
}

#[test]
fn data_is_not_executable() {
    child("data_is_not_executable", Ended::Signal(libc::SIGSEGV), || {
        let pages = CodePages::new(page_size(), page_size()).unwrap();
        // SAFETY: inside the data.
        unsafe { pages.data_base().copy_from(returns(1).as_ptr(), 6) };
        // SAFETY: faults, which is what the test is for.
        let function: extern "C" fn() -> u32 = unsafe { transmute(pages.data_base()) };
        function();
    });
}

#[test]
fn code_runs_while_its_page_is_written() {
    both(page_size(), 0, |pages| {
        write(&pages, 0, &returns(1));
        let (done, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    assert_eq!(call(&pages, 0), 1);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
            // From two threads, each in its half.
            let half = |from: usize| {
                for (number, offset) in (from..from + page_size() / 2 - 32).step_by(16).enumerate() {
                    write(&pages, offset, &returns(number as u32));
                    assert_eq!(call(&pages, offset), number as u32);
                }
            };
            let other = scope.spawn(move || half(page_size() / 2));
            half(16);
            other.join().unwrap();
            while calls.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            done.store(true, Ordering::Release);
        });
        assert_eq!(call(&pages, page_size() / 2 + 16), 1);
    });
}

#[test]
fn a_forked_child_can_execute_but_not_change() {
    child("a_forked_child_can_execute_but_not_change", Ended::Well, || {
        both(page_size(), 0, |pages| {
            write(&pages, 0, &returns(5));
            // SAFETY: the child makes no use of other threads' locks before it exits.
            let forked = unsafe { libc::fork() };
            assert!(forked >= 0);
            if forked == 0 {
                let runs = call(&pages, 0) == 5;
                // SAFETY: nothing executes there.
                let refused = unsafe { pages.write(0, &returns(6)) }.is_err();
                // SAFETY: nothing executes there.
                let kept = unsafe { pages.discard(0, page_size()) }.is_err();
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(i32::from(!(runs && refused && kept))) };
            }
            let mut status = 0;
            // SAFETY: the child is ours, the status a local.
            assert_eq!(unsafe { libc::waitpid(forked, &mut status, 0) }, forked);
            assert_eq!(status, 0);
            assert_eq!(call(&pages, 0), 5);
        });
    });
}
