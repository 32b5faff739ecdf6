//! Freed memory that is never used again. A process of its own, since the switch is the process's.

use std::alloc::Layout;
use tenure_sys::{Reservation, quarantine};

/// Whether the address can be read, as the system sees it.
fn is_readable(address: usize) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().any(|line| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let bound = |text| usize::from_str_radix(text, 16).unwrap();
        (bound(start)..bound(end)).contains(&address) && rest.starts_with('r')
    })
}

#[test]
fn what_was_freed_is_out_of_reach_for_ever() {
    let layout = Layout::from_size_align(100, 16).unwrap();
    // SAFETY: the layout is not empty; the block is freed once, with its layout.
    let before = unsafe {
        let block = quarantine::alloc_zeroed(layout).unwrap();
        quarantine::turn_on();
        block
    };
    assert!(quarantine::is_on());
    // SAFETY: as above: from before, so the allocator's.
    unsafe { quarantine::dealloc(before, layout) };

    let mut seen = std::collections::HashSet::new();
    for size in [1, 16, 100, 4096, 4097, 100_000] {
        let layout = Layout::from_size_align(size, 16).unwrap();
        for _ in 0..50 {
            // SAFETY: the layout is not empty, the bytes are the block's, and it is freed once.
            unsafe {
                let block = quarantine::alloc_zeroed(layout).unwrap();
                let bytes = std::slice::from_raw_parts_mut(block.as_ptr(), size);
                assert!(bytes.iter().all(|&byte| byte == 0) && block.as_ptr().addr().is_multiple_of(16));
                bytes.fill(0xff);
                let last = block.as_ptr().addr() + size - 1;
                assert!(!is_readable((last + 16).next_multiple_of(4096)), "a guard follows");
                quarantine::dealloc(block, layout);
                assert!(!is_readable(block.as_ptr().addr()) && !is_readable(last));
                assert!(seen.insert(block));
            }
        }
    }

    let boxed = quarantine::boxed([7_u64; 4]);
    // SAFETY: made just before, and freed once.
    assert_eq!(unsafe { quarantine::unboxed(boxed) }, [7; 4]);
    assert!(!is_readable(boxed.as_ptr().addr()));

    let pages = Reservation::new(1 << 16).unwrap();
    pages.commit(0, 1 << 16).unwrap();
    let base = pages.base().addr();
    assert!(is_readable(base));
    quarantine::retire(pages).unwrap();
    assert!(!is_readable(base));
    let others: Vec<_> = (0..100).map(|_| Reservation::new(1 << 16).unwrap()).collect();
    assert!(others.iter().all(|other| other.base().addr() != base));
}
