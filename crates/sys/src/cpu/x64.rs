//! x86-64.

use std::arch::asm;

/// Makes what was written to `len` bytes at `_at` visible to instruction fetch. This processor does so by itself.
#[inline]
pub fn flush_instructions(_at: *const u8, _len: usize) {}

/// The stack pointer, about here.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let sp: usize;
    // SAFETY: copies one register to another and touches nothing else.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    sp
}

/// Tests each feature of a list; the macro behind it wants literals.
macro_rules! detected {
    ($($name:tt)*) => {
        [$(($name, std::arch::is_x86_feature_detected!($name))),*]
    };
}

pub fn features() -> Vec<&'static str> {
    let all = detected!(
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b" "lzcnt" "bmi1" "bmi2" "avx" "avx2" "fma"
        "avx512f" "avx512dq" "avx512vl" "avx512bitalg" "avx512vbmi"
    );
    all.into_iter().filter_map(|(name, here)| here.then_some(name)).collect()
}
