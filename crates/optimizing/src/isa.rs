//! Which machine we compile for: this one, with every instruction set extension it has.

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::Configurable;
use std::fmt;

/// Compiling for this machine is not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedMachine(String);

impl fmt::Display for UnsupportedMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the optimizing compiler does not know this machine: {}", self.0)
    }
}

impl std::error::Error for UnsupportedMachine {}

/// Extensions that decide which operators can be compiled, or how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cpu {
    /// SSE4.1 and below: rounding and most vector operators. Without it Cranelift would call a library.
    pub sse41: bool,
    /// Fused multiply-add.
    pub fma: bool,
}

/// A row an extension: Cranelift's name and whether the machine has it.
fn extensions() -> [(&'static str, bool); 19] {
    macro_rules! rows {
        ($($setting:literal $feature:tt)*) => { [$(($setting, std::is_x86_feature_detected!($feature))),*] };
    }
    rows! {
        "has_sse3" "sse3"
        "has_ssse3" "ssse3"
        "has_cmpxchg16b" "cmpxchg16b"
        "has_sse41" "sse4.1"
        "has_sse42" "sse4.2"
        "has_popcnt" "popcnt"
        "has_avx" "avx"
        "has_avx2" "avx2"
        "has_fma" "fma"
        "has_bmi1" "bmi1"
        "has_bmi2" "bmi2"
        "has_lzcnt" "lzcnt"
        "has_avx_vnni" "avxvnni"
        "has_avx512bitalg" "avx512bitalg"
        "has_avx512dq" "avx512dq"
        "has_avx512f" "avx512f"
        "has_avx512vl" "avx512vl"
        "has_avx512vbmi" "avx512vbmi"
        "has_avx512vnni" "avx512vnni"
    }
}

impl Cpu {
    /// What this machine has.
    pub(crate) fn detect() -> Self {
        let all = |names: &[&str]| {
            names.iter().all(|name| extensions().iter().any(|&(setting, has)| setting == *name && has))
        };
        Self { sse41: all(&["has_sse3", "has_ssse3", "has_sse41"]), fma: all(&["has_fma"]) }
    }
}

/// How much is done for the code; results never differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effort {
    /// What code needs to run.
    Least,
    /// Fast code.
    #[default]
    Speed,
    /// Fast code, and small where that costs little.
    SpeedAndSize,
}

impl Effort {
    /// Cranelift's name of it.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Least => "none",
            Self::Speed => "speed",
            Self::SpeedAndSize => "speed_and_size",
        }
    }
}

/// What an engine can ask of its optimizing compiler.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// How much is done for the code.
    pub effort: Effort,
    /// Whether Cranelift checks its intermediate code: slow. Debug builds always do, but for huge functions.
    pub verify: bool,
    /// Most bytes that better code of one function may take while it is made, if there is a limit.
    pub memory: Option<usize>,
}

/// Cranelift's targets for this machine and one setting of NaNs.
pub(crate) struct Targets {
    /// As good as the settings ask. Time can grow with the square of a function's size.
    pub good: OwnedTargetIsa,
    /// The same for what is optimized already, if anything is.
    pub optimized: Option<OwnedTargetIsa>,
    /// In time that grows with a function's size: nothing is optimized, registers are given out in one pass.
    pub bounded: OwnedTargetIsa,
}

impl Targets {
    /// The targets for this machine.
    pub(crate) fn new(settings: Settings, canonical_nans: bool) -> Result<Self, UnsupportedMachine> {
        let bounded = Settings { effort: Effort::Least, ..settings };
        // The check's own time grows with a square: only who asks for it gets it where that matters.
        let good = Settings { verify: settings.verify || cfg!(debug_assertions), ..settings };
        let again = Settings { effort: Effort::Least, ..good };
        let optimized = (settings.effort != Effort::Least).then(|| for_host(again, false, "backtracking"));
        Ok(Self {
            good: for_host(good, canonical_nans, "backtracking")?,
            optimized: optimized.transpose()?,
            bounded: for_host(bounded, canonical_nans, "single_pass")?,
        })
    }
}

fn for_host(
    settings: Settings,
    canonical_nans: bool,
    registers: &str,
) -> Result<OwnedTargetIsa, UnsupportedMachine> {
    let failed = |error: &dyn fmt::Display| UnsupportedMachine(error.to_string());
    let mut flags = cranelift_codegen::settings::builder();
    let nans = if canonical_nans { "true" } else { "false" };
    let verifier = if settings.verify { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", settings.effort.level()),
        ("regalloc_algorithm", registers),
        // Code slots are reached relative to the program counter.
        ("is_pic", "true"),
        // Stack walks follow frame pointers; nothing reads unwind tables.
        ("preserve_frame_pointers", "true"),
        ("unwind_info", "false"),
        // Frames larger than a page touch each page in order, so that no frame steps over a guard page.
        ("enable_probestack", "true"),
        ("probestack_strategy", "inline"),
        ("enable_nan_canonicalization", nans),
        ("enable_verifier", verifier),
        // Ours to do or leave, and left: a guest that speculates reads only what its own process can read,
        // which is how V8 ships. Isolation from a hostile guest's timing needs a process.
        ("enable_heap_access_spectre_mitigation", "false"),
        ("enable_table_access_spectre_mitigation", "false"),
    ] {
        flags.set(name, value).map_err(|error| failed(&error))?;
    }
    let mut builder = isa::lookup_by_name("x86_64").map_err(|error| failed(&error))?;
    for (setting, has) in extensions() {
        if has {
            builder.enable(setting).map_err(|error| failed(&error))?;
        }
    }
    builder.finish(cranelift_codegen::settings::Flags::new(flags)).map_err(|error| failed(&error))
}

/// Replaces the undefined instructions at `sites` by `hlt`, which user code may not execute either.
///
/// Both end in a signal at the same place. But hypervisors intercept undefined instructions, to emulate what a
/// guest system may expect of another CPU, and `hlt` they do not when user code tries it: there a trap costs
/// a third.
pub(crate) fn cheapen_traps(code: &mut [u8], sites: impl Iterator<Item = usize>) {
    const UD2: [u8; 2] = [0x0f, 0x0b];
    const HLT: [u8; 2] = [0xf4, 0xf4];
    for at in sites {
        if let Some(bytes) = code.get_mut(at..at + 2)
            && *bytes == UD2
        {
            bytes.copy_from_slice(&HLT);
        }
    }
}
