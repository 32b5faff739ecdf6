//! x86-64.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

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

/// What has to be switched on by the system, beside what the processor has.
#[derive(Clone, Copy)]
enum State {
    Nothing,
    /// Registers of 256 bits.
    Ymm,
    /// Registers of 512 bits, and masks.
    Zmm,
}

impl State {
    /// The bits of the register that says what is switched on.
    const fn bits(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Ymm => 0b110,
            Self::Zmm => 0b1110_0110,
        }
    }
}

/// Names, in a fixed order; in which of [`Answers`] which bit says that it is there; what else it needs.
const FEATURES: [(&str, usize, u32, State); 17] = [
    ("sse3", ANSWER_1_ECX, 0, State::Nothing),
    ("ssse3", ANSWER_1_ECX, 9, State::Nothing),
    ("sse4.1", ANSWER_1_ECX, 19, State::Nothing),
    ("sse4.2", ANSWER_1_ECX, 20, State::Nothing),
    ("popcnt", ANSWER_1_ECX, 23, State::Nothing),
    ("cmpxchg16b", ANSWER_1_ECX, 13, State::Nothing),
    ("lzcnt", ANSWER_EXTENDED_ECX, 5, State::Nothing),
    ("bmi1", ANSWER_7_EBX, 3, State::Nothing),
    ("bmi2", ANSWER_7_EBX, 8, State::Nothing),
    ("avx", ANSWER_1_ECX, 28, State::Ymm),
    ("avx2", ANSWER_7_EBX, 5, State::Ymm),
    ("fma", ANSWER_1_ECX, 12, State::Ymm),
    ("avx512f", ANSWER_7_EBX, 16, State::Zmm),
    ("avx512dq", ANSWER_7_EBX, 17, State::Zmm),
    ("avx512vl", ANSWER_7_EBX, 31, State::Zmm),
    ("avx512bitalg", ANSWER_7_ECX, 12, State::Zmm),
    ("avx512vbmi", ANSWER_7_ECX, 1, State::Zmm),
];

/// What the processor answers: leaf 1, leaf 7, and leaf 1 of the extended ones.
type Answers = [u32; 4];
const ANSWER_1_ECX: usize = 0;
const ANSWER_7_EBX: usize = 1;
const ANSWER_7_ECX: usize = 2;
const ANSWER_EXTENDED_ECX: usize = 3;

/// Says in `ecx` of leaf 1 that the system switches register states, and that they can be asked for.
const OSXSAVE: u32 = 1 << 27;

pub fn features() -> Vec<&'static str> {
    // The standard library asks three times as many questions, and a virtual machine leaves the guest for each.
    let basic = __cpuid(1);
    let seven = if __cpuid(0).eax >= 7 { Some(__cpuid_count(7, 0)) } else { None };
    let (seven_ebx, seven_ecx) = seven.map_or((0, 0), |leaf| (leaf.ebx, leaf.ecx));
    let answers: Answers = [basic.ecx, seven_ebx, seven_ecx, __cpuid(0x8000_0001).ecx];
    // SAFETY: the instruction is there, since the system switches register states.
    let on = if basic.ecx & OSXSAVE != 0 { unsafe { _xgetbv(0) } } else { 0 };
    let is_there = |&(_, answer, bit, state): &(&str, usize, u32, State)| {
        answers[answer] >> bit & 1 == 1 && on & state.bits() == state.bits()
    };
    FEATURES.into_iter().filter(is_there).map(|(name, ..)| name).collect()
}

#[cfg(test)]
mod tests {
    /// Tests each feature of a list; the macro behind it wants literals.
    macro_rules! detected {
        ($($name:tt)*) => {
            [$(($name, std::arch::is_x86_feature_detected!($name))),*]
        };
    }

    #[test]
    fn the_standard_library_detects_the_same() {
        let all = detected!(
            "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b" "lzcnt" "bmi1" "bmi2" "avx" "avx2" "fma"
            "avx512f" "avx512dq" "avx512vl" "avx512bitalg" "avx512vbmi"
        );
        let there: Vec<_> = all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        assert_eq!(super::features(), there);
    }
}
