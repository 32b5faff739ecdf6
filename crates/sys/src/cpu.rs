//! The processor.

use std::num::NonZero;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
#[path = "cpu/x64.rs"]
mod isa;

pub(crate) use isa::{flush_instructions, stack_pointer};

/// How many threads can run at once here: cores, less what affinity and quotas of the process take away, when it is
/// first asked. The system keeps quotas in files, which take longer to read than a small module to run.
pub fn usable_cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
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
