//! The processor.

use std::num::NonZero;

#[cfg(target_arch = "x86_64")]
#[path = "cpu/x64.rs"]
mod isa;

pub(crate) use isa::{flush_instructions, stack_pointer};

/// How many threads can run at once here: cores, less what affinity and quotas of the process take away.
pub fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The instruction set extensions of this processor that the system supports too, by the names that the
/// standard library gives them (`"avx2"`), in a fixed order.
pub fn features() -> Vec<&'static str> {
    isa::features()
}

#[cfg(test)]
mod tests {
    #[test]
    fn something_can_run_here() {
        assert!(super::usable_cores() >= 1);
    }
}
