//! Stack bounds of threads.

use tenure_sys::{current_sp, thread_stack};

#[test]
fn a_thread_has_about_the_stack_it_was_given() {
    for kib in [64, 256, 4096] {
        let thread = std::thread::Builder::new().stack_size(kib << 10);
        let (bounds, sp) = thread.spawn(|| (thread_stack(), current_sp())).unwrap().join().unwrap();
        assert!(bounds.contains(sp));
        let len = bounds.high - bounds.low;
        assert!((kib << 10..(kib << 10) + (64 << 10)).contains(&len), "{len} bytes for {kib} KiB");
    }
}

#[test]
fn threads_have_stacks_of_their_own() {
    let here = thread_stack();
    let there = std::thread::spawn(thread_stack).join().unwrap();
    assert!(here.contains(current_sp()) && !here.contains(there.low) && !there.contains(here.low));
    assert!(!here.contains(here.high) && here.contains(here.low) && !here.contains(here.low - 1));
}
