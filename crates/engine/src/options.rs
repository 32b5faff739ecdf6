//! The table of options: one row each. Fields, defaults, setters, and setting by name are derived from it.

use crate::config::{Config, ConfigError};
use crate::pooling::{InstanceAllocationStrategy, PoolingAllocationConfig};
use std::num::NonZeroUsize;
use std::time::Duration;
use tenure_module::OperatorCost;
use tenure_runtime::Limits;

/// What a setter takes: the option's type, or what becomes it.
macro_rules! argument {
    ($ty:ty) => { $ty };
    ($ty:ty, into) => { impl Into<$ty> };
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $ty:ty $(, $into:ident)? = $default:expr;)*) => {
        /// The value of every option.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Options { $($(#[$doc])* pub $name: $ty,)* }

        impl Default for Options {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Config {
            $($(#[$doc])*
            pub fn $name(&mut self, value: argument!($ty $(, $into)?)) -> &mut Self {
                self.options.$name = value.into();
                self
            })*

            /// The names of all options, in the order of the table; proposals are listed in
            /// [`PROPOSALS`](crate::PROPOSALS).
            pub const OPTIONS: &[&str] = &[$(stringify!($name),)*];

            pub(crate) fn set_option(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
                match name {
                    $(stringify!($name) => {
                        self.options.$name = OptionValue::parse(text).ok_or_else(|| ConfigError::Value {
                            option: stringify!($name),
                            value: text.to_string(),
                            expected: <$ty as OptionValue>::EXPECTED,
                        })?;
                        Ok(())
                    })*
                    _ => Err(ConfigError::Unknown { option: name.to_string() }),
                }
            }
        }
    };
}

// name: type[, into] = default
options! {
    /// Which compilers make code, and when. The default is [`Strategy::Auto`].
    strategy: Strategy = Strategy::Auto;
    /// Whether function bodies are checked at their first call instead of when a module is made, under
    /// [`Strategy::Tiered`]: a call of an invalid function is then an error. Off by default: a module that was made
    /// is valid.
    lazy_validation: bool = false;
    /// Longest time that compiling a module before anything runs may take; more is an error. A function that is
    /// being compiled when time is up is finished first. No limit by default.
    compile_time_limit: Option<Duration> = None;
    /// Most memory that the optimizing compiler may take for one function, in bytes, by an estimate that errs on the side
    /// of too much; a function that would need more has the baseline compiler's code. The default is 1 GiB, which
    /// functions of 350,000 instructions reach. As many functions are optimized at once as there are threads for it.
    compile_memory_limit: u64 = 1 << 30;
    /// How many threads of the engine make better code in the background, under [`Strategy::Tiered`]; they start when
    /// there is something to do. With 0, functions stay in the baseline tier. The default, `None`, is one less than
    /// there are cores, and at least 1.
    tier_up_threads: Option<usize>, into = None;
    /// What every function may execute in the baseline tier before it is hot, so that better code is made of it, in
    /// bytes of WebAssembly that it runs through; [`Config::tier_up_budget_per_byte`] comes on top. The default is
    /// 30,000. Less makes better code of more functions, sooner, for more time on the engine's threads.
    tier_up_budget: u64 = 30_000;
    /// What a function may execute in the baseline tier before it is hot, for each byte of its body, beside
    /// [`Config::tier_up_budget`]: optimizing takes time by size. The default is 1,200, as if the body had run through
    /// so often from one end to the other.
    tier_up_budget_per_byte: u64 = 1_200;
    /// Who makes better code; all but the default, [`TierUp::Background`], is for tests.
    tier_up: TierUp = TierUp::Background;
    /// How long better code waits before it is used, in milliseconds, for tests. The default is 0.
    tier_up_delay: u64 = 0;
    /// Where activations move from the baseline tier to better code in the middle of a loop; all but the default,
    /// [`OnStackReplacement::WhenHot`], is for tests.
    on_stack_replacement: OnStackReplacement = OnStackReplacement::WhenHot;
    /// What of the machine the baseline compiler uses; less than all is for tests. The default is
    /// [`BaselineMachine::Whole`].
    baseline_machine: BaselineMachine = BaselineMachine::Whole;
    /// Whether this engine compiles at all; an engine that does not still loads artifacts. On by default.
    enable_compiler: bool = true;
    /// Whether large modules are compiled on all cores. On by default.
    parallel_compilation: bool = true;
    /// Which calls the optimizing compiler translates in place of the call. The default is [`Inlining::Yes`]. Backtraces
    /// show the same frames either way.
    compiler_inlining: Inlining = Inlining::Yes;
    /// How much the optimizing compiler does. The default is [`OptLevel::Speed`].
    cranelift_opt_level: OptLevel = OptLevel::Speed;
    /// How the optimizing compiler gives out registers. The default is [`RegallocAlgorithm::Backtracking`].
    cranelift_regalloc_algorithm: RegallocAlgorithm = RegallocAlgorithm::Backtracking;
    /// Whether the optimizing compiler checks its own intermediate code: slow, for hunting its bugs. Off by
    /// default.
    cranelift_debug_verifier: bool = false;
    /// Whether every NaN that arithmetic makes has the one canonical bit pattern, so that results do not
    /// depend on the machine. Off by default.
    cranelift_nan_canonicalization: bool = false;
    /// Whether relaxed SIMD operators give the same results on every machine. Off by default.
    relaxed_simd_deterministic: bool = false;
    /// Whether faults of the processor stand for traps. When off no signal handler is installed and compiled
    /// code checks everything itself, which takes time. On by default.
    signals_based_traps: bool = true;
    /// Address space that is reserved for each linear memory, in bytes; a memory that outgrows it is moved.
    /// The default is 4 GiB: memories with 32-bit addresses never move and need few bounds checks.
    memory_reservation: u64 = 4 << 30;
    /// Whether a memory may move in the host's address space when it grows. Only `true` is there yet.
    memory_may_move: bool = true;
    /// Bytes behind a memory's reservation that fault on access. The default is 32 MiB.
    memory_guard_size: u64 = 32 << 20;
    /// Whether memories start as copy-on-write mappings of their data segments where the system can do that.
    /// On by default.
    memory_init_cow: bool = true;
    /// How the memory of instances is kept for the next, and whether all stores together have limits. The default is
    /// [`InstanceAllocationStrategy::OnDemand`].
    allocation_strategy: InstanceAllocationStrategy, into = InstanceAllocationStrategy::OnDemand;
    /// Whether memory that was freed is protected instead of used again, so that whoever still uses it faults: in the
    /// whole process, from the first engine on that asks for it. For tests. Off by default; in builds with debug
    /// assertions the environment variable `TENURE_QUARANTINE` turns it on.
    #[doc(hidden)]
    quarantine: bool = cfg!(debug_assertions) && std::env::var_os("TENURE_QUARANTINE").is_some();
    /// Stack that guest code may use in one call from the host, in bytes; what host functions in between use
    /// counts too. More is a trap. The default is 512 KiB.
    max_wasm_stack: usize = 512 << 10;
    /// What each store may hold at most, unless the store is told otherwise. The defaults are those of [`Limits`].
    limits: Limits = Limits::default();
    /// Most frames that the backtrace of an error lists; `None` leaves backtraces out. The default is 20.
    wasm_backtrace_max_frames: Option<NonZeroUsize> = Some(DEFAULT_MAX_FRAMES);
    /// Whether backtraces look for file names and lines in a module's debug information. The default is
    /// [`WasmBacktraceDetails::Environment`].
    wasm_backtrace_details: WasmBacktraceDetails = WasmBacktraceDetails::Environment;
    /// Whether compiled modules know which operator each instruction comes from; without that, backtraces
    /// have no offsets. On by default.
    generate_address_map: bool = true;
    /// Whether guests are charged fuel for what they execute, and trap with
    /// [`Trap::OutOfFuel`](tenure_types::Trap::OutOfFuel) when none is left. A store has none until it is given
    /// some. Off by default.
    ///
    /// The same module and inputs use the same fuel whichever tier made the code, at every point where anyone can
    /// look: in host functions, after a call, after a trap. An operator costs 1, but `nop`, `drop`, `block`, `loop`,
    /// `unreachable`, `return`, `else` and `end` cost nothing; so does a function's call to the caller, and 1 to the
    /// function. [`Config::operator_cost`] sets others. Operators that are always executed one after the other are
    /// paid for together, before the first; where a function or a loop begins, and before bulk operators do
    /// anything, a guest with less than nothing left traps.
    consume_fuel: bool = false;
    /// What operators cost in fuel, with [`Config::consume_fuel`].
    operator_cost: OperatorCost = OperatorCost::new();
    /// Whether guests are interrupted at deadlines: functions and loops then look at the engine's epoch. Off by
    /// default.
    epoch_interruption: bool = false;
    /// Whether memories that threads share can be made. Not there yet.
    shared_memory: bool = false;
    /// Whether native debuggers get debug information for compiled code. Not there yet.
    debug_info: bool = false;
    /// Whether guests can be stopped and looked at. Not there yet.
    guest_debug: bool = false;
    /// Whether the system's unwinder gets tables for compiled code. Not there yet.
    native_unwind_info: bool = false;
    /// Whether a trap carries a core dump of the guest. Not there yet.
    coredump_on_trap: bool = false;
    /// Whether the guest's own allocations are watched. Not there yet.
    wmemcheck: bool = false;
    /// Whether guests have a collector for their own data. Not there yet.
    gc_support: bool = false;
    /// Whether guests run concurrently in one store. Not there yet.
    concurrency_support: bool = false;
}

/// What Tenure decides itself, though other runtimes let it be set; no result depends on any of it.
macro_rules! hints {
    ($($name:ident: $ty:ty, $what:literal;)*) => {
        impl Config {$(
            #[doc = concat!("Accepted for programs that set it, and without effect: Tenure decides itself ", $what, ".")]
            pub fn $name(&mut self, _: $ty) -> &mut Self {
                self
            }
        )*}
    };
}

hints! {
    memory_reservation_for_growth: u64, "how much room a memory gets when it has to move";
    guard_before_linear_memory: bool, "what lies before a memory";
    memory_guaranteed_dense_image_size: u64, "which data segments become an image";
    force_memory_init_memfd: bool, "what images are made of";
    table_lazy_init: bool, "when the elements of a table are written";
    debug_symbols: bool, "which names artifacts keep";
    macos_use_mach_ports: bool, "how faults are caught";
}

const DEFAULT_MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(20).expect("20 is not 0");

impl Options {
    /// Whether code is made while guests run.
    pub fn is_tiered(&self) -> bool {
        matches!(self.strategy, Strategy::Auto | Strategy::Tiered)
    }
}

impl Config {
    /// Whether errors that leave a guest carry a backtrace: `false` is
    /// [`wasm_backtrace_max_frames(None)`](Config::wasm_backtrace_max_frames), `true` brings the default back
    /// when there was none.
    pub fn wasm_backtrace(&mut self, enable: bool) -> &mut Self {
        let frames = self.options.wasm_backtrace_max_frames;
        self.wasm_backtrace_max_frames(enable.then(|| frames.unwrap_or(DEFAULT_MAX_FRAMES)))
    }
}

/// What the text of an option's value means: for command lines and other languages.
pub(crate) trait OptionValue: Sized {
    /// What may be written, for error messages.
    const EXPECTED: &str;

    fn parse(text: &str) -> Option<Self>;
}

impl OptionValue for bool {
    const EXPECTED: &str = "`y` or `n`";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "y" | "yes" | "true" => Some(true),
            "n" | "no" | "false" => Some(false),
            _ => None,
        }
    }
}

impl OptionValue for u64 {
    const EXPECTED: &str = "a number, decimal or hexadecimal with 0x";

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }
}

impl OptionValue for usize {
    const EXPECTED: &str = u64::EXPECTED;

    fn parse(text: &str) -> Option<Self> {
        u64::parse(text)?.try_into().ok()
    }
}

impl OptionValue for Option<usize> {
    const EXPECTED: &str = u64::EXPECTED;

    fn parse(text: &str) -> Option<Self> {
        usize::parse(text).map(Some)
    }
}

impl OptionValue for InstanceAllocationStrategy {
    const EXPECTED: &str = "`on-demand`, `pooling`, or settings of a pool as `name=number`, with commas between, such as \
         `total_memories=100,pagemap_scan=0`";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "on-demand" => Some(Self::OnDemand),
            "pooling" => Some(Self::pooling()),
            _ => {
                let mut pool = PoolingAllocationConfig::new();
                for setting in text.split(',') {
                    let (name, value) = setting.split_once('=')?;
                    pool.set(name.trim(), u64::parse(value.trim())?)?;
                }
                Some(pool.into())
            }
        }
    }
}

impl OptionValue for Option<NonZeroUsize> {
    const EXPECTED: &str = "a number; 0 for none";

    fn parse(text: &str) -> Option<Self> {
        usize::parse(text).map(NonZeroUsize::new)
    }
}

impl OptionValue for Option<Duration> {
    const EXPECTED: &str = "a number of milliseconds; 0 for none";

    fn parse(text: &str) -> Option<Self> {
        u64::parse(text).map(|millis| (millis > 0).then(|| Duration::from_millis(millis)))
    }
}

impl OptionValue for OperatorCost {
    const EXPECTED: &str =
        "costs up to 255 as `name=number`, with commas between, such as `I64DivS=20,Nop=1`";

    fn parse(text: &str) -> Option<Self> {
        let mut costs = Self::default();
        for cost in text.split(',') {
            let (name, value) = cost.split_once('=')?;
            if !costs.set(name.trim(), u64::parse(value.trim())?.try_into().ok()?) {
                return None;
            }
        }
        Some(costs)
    }
}

impl OptionValue for Limits {
    const EXPECTED: &str =
        "limits as `name=number`, with commas between, such as `memory_bytes=0x100000,tables=10`";

    fn parse(text: &str) -> Option<Self> {
        let mut limits = Self::default();
        for limit in text.split(',') {
            let (name, value) = limit.split_once('=')?;
            if !limits.set(name.trim(), u64::parse(value.trim())?) {
                return None;
            }
        }
        Some(limits)
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$choice_doc:meta])* $choice:ident = $text:literal,)* } $expected:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$choice_doc])* $choice,)* }

        impl OptionValue for $name {
            const EXPECTED: &str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$choice),)* _ => None }
            }
        }
    )*};
}

choices! {
    /// Which compilers make code, and when.
    #[non_exhaustive]
    Strategy {
        /// What is best of what there is: [`Strategy::Tiered`].
        Auto = "auto",
        /// A compiler that goes over each function once makes all code when the module is made: fast to
        /// compile, slower to run. The functions that it does not do are left to the optimizing compiler.
        Baseline = "baseline",
        /// The optimizing compiler makes all code when the module is made: slow to compile, fast to run.
        Optimizing = "optimizing",
        /// Making a module only checks it. The baseline compiler makes the code of a function when it is first
        /// called, in microseconds; once it is hot, the optimizing compiler makes better code in the
        /// background, and a loop that is running moves over. Artifacts ([`Strategy::Optimizing`] is what makes
        /// them then) are complete when they are loaded.
        Tiered = "tiered",
    } "`auto`, `baseline`, `optimizing` or `tiered`"

    /// Who makes better code of hot functions.
    #[non_exhaustive]
    TierUp {
        /// Threads of the engine, while the guest goes on.
        Background = "background",
        /// The thread that finds the function hot, at once.
        AtOnce = "at-once",
    } "`background` or `at-once`"

    /// What of the machine the baseline compiler uses.
    #[non_exhaustive]
    BaselineMachine {
        /// Every register and every instruction.
        Whole = "whole",
        /// The instructions that every machine of the architecture has.
        Plain = "plain",
        /// As few registers as it can do with.
        FewRegisters = "few-registers",
        /// Every register and every instruction, with garbage wherever the calling convention allows it.
        Garbage = "garbage",
    } "`whole`, `plain`, `few-registers` or `garbage`"

    /// Which calls the optimizing compiler translates in place of the call. Those of functions of other modules it never
    /// does.
    #[non_exhaustive]
    Inlining {
        /// Calls of the module's own functions, where code gets faster for its size: of small functions, and of a
        /// function in itself.
        Yes = "yes",
        /// As [`Inlining::InterModule`], until modules have garbage-collected types.
        InterModuleAndIntraGc = "inter-module-and-intra-gc",
        /// Only calls of functions of other modules: none.
        InterModule = "inter-module",
        /// Only calls of what the runtime offers: none.
        Intrinsics = "intrinsics",
        /// None.
        No = "no",
        /// Calls of the module's own functions wherever that is possible; for tests.
        Always = "always",
    } "`yes` or `no`; for tests, `always`; and `inter-module-and-intra-gc`, `inter-module` and `intrinsics`, which mean `no`"

    /// How much the optimizing compiler does.
    OptLevel {
        /// Only what code needs to run.
        None = "0",
        /// Fast code.
        Speed = "2",
        /// Fast code, and small where that costs little.
        SpeedAndSize = "s",
    } "`0`, `2` or `s`"

    /// How the optimizing compiler gives out registers.
    #[non_exhaustive]
    RegallocAlgorithm {
        /// Takes its time and makes better code.
        Backtracking = "backtracking",
        /// Takes little time and makes worse code. Not there yet.
        SinglePass = "single-pass",
    } "`backtracking` or `single-pass`"

    /// Whether backtraces look for file names and lines in a module's debug information.
    WasmBacktraceDetails {
        /// They do.
        Enable = "enable",
        /// They do not.
        Disable = "disable",
        /// They do, unless the environment variable `TENURE_BACKTRACE_DETAILS` is `0`. Debug information is
        /// only read when a backtrace is shown, so this costs nothing until then.
        Environment = "environment",
    } "`enable`, `disable` or `environment`"
}

/// Where activations move from the baseline tier to better code in the middle of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OnStackReplacement {
    /// In loops that run for long.
    WhenHot,
    /// Nowhere.
    Never,
    /// At every loop that is reached.
    First,
    /// Here and there, as chance would, but the same each time.
    Sometimes,
    /// At one loop of each function, once loops of the module were reached so often.
    At {
        /// The loop: its place among the loops of the function, from 0.
        number: u32,
        /// How often loops were reached before.
        arrival: u32,
    },
}

impl OptionValue for OnStackReplacement {
    const EXPECTED: &str = "`when-hot`, `never`, `first`, `sometimes` or `LOOP@ARRIVAL`";

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "when-hot" => Self::WhenHot,
            "never" => Self::Never,
            "first" => Self::First,
            "sometimes" => Self::Sometimes,
            _ => {
                let (number, arrival) = text.split_once('@')?;
                Self::At { number: number.parse().ok()?, arrival: arrival.parse().ok()? }
            }
        })
    }
}

#[expect(non_upper_case_globals, reason = "other names of variants, used like them")]
impl Strategy {
    /// Another name of [`Strategy::Optimizing`].
    pub const Cranelift: Self = Self::Optimizing;
    /// Another name of [`Strategy::Baseline`].
    pub const Winch: Self = Self::Baseline;
}

impl WasmBacktraceDetails {
    /// Whether debug information is to be read.
    pub fn is_on(self) -> bool {
        match self {
            Self::Enable => true,
            Self::Disable => false,
            Self::Environment => {
                std::env::var_os("TENURE_BACKTRACE_DETAILS").is_none_or(|value| value != "0")
            }
        }
    }
}
