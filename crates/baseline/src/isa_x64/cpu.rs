//! Which instruction set extensions there are.

/// Extensions that decide how operators are compiled, or whether.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Cpu {
    /// SSE4.1 and below: rounding, lanes, wide multiplication.
    pub sse41: bool,
    /// SSE4.2: comparisons of 64-bit lanes.
    pub sse42: bool,
    pub popcnt: bool,
    pub lzcnt: bool,
    /// `tzcnt`.
    pub bmi1: bool,
    /// Shifts of three operands.
    pub bmi2: bool,
    pub avx: bool,
    /// Broadcasts.
    pub avx2: bool,
    pub fma: bool,
}

impl Cpu {
    /// No more than every x86-64 machine has.
    pub(crate) const PLAIN: Self = Self {
        sse41: false,
        sse42: false,
        popcnt: false,
        lzcnt: false,
        bmi1: false,
        bmi2: false,
        avx: false,
        avx2: false,
        fma: false,
    };

    /// What this machine has.
    pub(crate) fn detect() -> Self {
        Self::with(|name| match name {
            "sse3" => std::is_x86_feature_detected!("sse3"),
            "ssse3" => std::is_x86_feature_detected!("ssse3"),
            "sse4.1" => std::is_x86_feature_detected!("sse4.1"),
            "sse4.2" => std::is_x86_feature_detected!("sse4.2"),
            "popcnt" => std::is_x86_feature_detected!("popcnt"),
            "lzcnt" => std::is_x86_feature_detected!("lzcnt"),
            "bmi1" => std::is_x86_feature_detected!("bmi1"),
            "bmi2" => std::is_x86_feature_detected!("bmi2"),
            "avx" => std::is_x86_feature_detected!("avx"),
            "avx2" => std::is_x86_feature_detected!("avx2"),
            "fma" => std::is_x86_feature_detected!("fma"),
            _ => false,
        })
    }

    /// A machine that has the features for whose names, as the standard library gives them, `has` is true.
    pub(crate) fn with(has: impl Fn(&str) -> bool) -> Self {
        let sse41 = has("sse3") && has("ssse3") && has("sse4.1");
        Self {
            sse41,
            sse42: sse41 && has("sse4.2"),
            popcnt: has("popcnt"),
            lzcnt: has("lzcnt"),
            bmi1: has("bmi1"),
            bmi2: has("bmi2"),
            avx: sse41 && has("avx"),
            avx2: sse41 && has("avx2"),
            fma: has("avx") && has("fma"),
        }
    }
}
