//! The main thread's stack. A program of its own, since a test harness runs tests elsewhere.

use tenure_sys::{current_sp, thread_stack};

fn main() {
    let bounds = thread_stack();
    assert!(bounds.contains(current_sp()), "{bounds:x?} {:x}", current_sp());
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to a local.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) }, 0);
    let len = (bounds.high - bounds.low) as u64;
    assert!(len <= limit.rlim_cur && len <= 1 << 30, "{len} of {}", limit.rlim_cur);
    assert!(len >= limit.rlim_cur.min(1 << 30) / 2, "{len} of {}", limit.rlim_cur);
    // What is said to be there is there: use it, but for what the reading itself needs.
    let used = deepen(bounds.low + (64 << 10));
    assert!(used > 0);
    assert_eq!(thread_stack(), bounds);
    println!("the main thread's stack has {len} bytes");
}

/// Uses the stack down to `low` and returns how many frames that took.
#[inline(never)]
fn deepen(low: usize) -> usize {
    let frame = std::hint::black_box([1u8; 4096]);
    if current_sp() < low + 8192 {
        return usize::from(frame[0]);
    }
    usize::from(frame[7]) + deepen(low)
}
