//! The engines, one row each. A new tier of ours is a new row.

mod wasmi;

/// Tenure.
mod ours {
    use tenure as api;
    include!("like_wasmtime.rs");
}

/// The peer whose words Tenure speaks: the same text, compiled against it.
mod peer {
    use wasmtime as api;
    include!("like_wasmtime.rs");
}

use crate::outcome::{Item, Outcome, Places};
use crate::value::Value;
use tenure::OnStackReplacement as Loops;

/// Something that runs modules.
pub trait Engine {
    /// Makes `modules` ready to run in one store.
    ///
    /// # Errors
    /// Why it refuses one.
    fn load(&self, modules: &[Vec<u8>]) -> Result<Box<dyn Program>, String>;
}

/// Modules in an engine, with a store of their own.
pub trait Program {
    /// Makes an instance of each, the ones that all else is about from here on.
    fn instantiate(&mut self) -> Outcome;

    /// Calls the function `name` that module `of` exports.
    fn call(&mut self, of: usize, name: &str, arguments: &[Value]) -> Outcome;

    /// Grows the memory or table `name` that module `of` exports, or writes to it or to a global, as `number` says.
    fn change(&mut self, of: usize, name: &str, number: u64) -> Outcome;

    /// Every exported global, memory and table, in any order.
    fn items(&mut self) -> Vec<(String, Item)>;

    /// The calls of host functions since this was asked last.
    fn take_trace(&mut self) -> Vec<String>;
}

/// One engine in one configuration.
pub struct Row {
    /// What finds call it.
    pub name: &'static str,
    /// Whose it is.
    pub side: Side,
    /// Whether every NaN that arithmetic makes is the canonical one.
    pub canonical_nans: bool,
    /// How closely it knows where a trap was.
    pub places: Places,
    /// Makes it.
    pub make: fn() -> Box<dyn Engine>,
}

/// On which side of the comparison an engine stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What everybody is compared with.
    Reference,
    /// A peer whose differences are noted, but are no finds of ours.
    Witness,
    /// Tenure.
    Ours(Tier),
    /// Tenure, counting fuel: what is left is in the trace, so that these are compared with each other.
    Counting(Tier),
}

/// Which of our compilers make the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// The single-pass one, and the optimizing one for what it does not do.
    Baseline,
    /// The optimizing one.
    Optimizing,
    /// The first, and then the second, between calls and in the middle of loops.
    Tiered,
}

/// Every tier.
pub const TIERS: &[Tier] = &[Tier::Baseline, Tier::Optimizing, Tier::Tiered];

macro_rules! engines {
    ($($name:literal ($side:expr) $nans:ident $places:ident $make:expr;)*) => {
        /// Every engine.
        pub const ENGINES: &[Row] = &[$(Row {
            name: $name,
            side: { use Side::*; $side },
            canonical_nans: engines!(@ $nans),
            places: Places::$places,
            make: || Box::new($make),
        },)*];
    };
    (@ MachineNans) => { false };
    (@ CanonicalNans) => { true };
}

// name, side, NaNs, places of traps, how it is made.
engines! {
    "wasmtime" (Reference) MachineNans Exact peer::Api::new(|config| {
        config.signals_based_traps(false);
    });
    "wasmtime, canonical NaNs" (Reference) CanonicalNans Exact peer::Api::new(|config| {
        config.signals_based_traps(false).cranelift_nan_canonicalization(true);
    });
    "wasmi" (Witness) CanonicalNans Near wasmi::Wasmi::new();
    "optimizing" (Ours(Tier::Optimizing)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Optimizing);
    });
    "optimizing, explicit checks" (Ours(Tier::Optimizing)) MachineNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing).signals_based_traps(false);
    });
    "optimizing, memories that move" (Ours(Tier::Optimizing)) MachineNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing).memory_reservation(0).memory_guard_size(0);
    });
    "optimizing, least effort" (Ours(Tier::Optimizing)) MachineNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing);
        config.cranelift_opt_level(tenure::OptLevel::None).cranelift_debug_verifier(true);
    });
    "optimizing, canonical NaNs" (Ours(Tier::Optimizing)) CanonicalNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::No);
            config.strategy(tenure::Strategy::Optimizing).cranelift_nan_canonicalization(true);
    });
    "optimizing, canonical NaNs, explicit checks" (Ours(Tier::Optimizing)) CanonicalNans Exact
        ours::Api::new(|config| {
            config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing).signals_based_traps(false);
            config.cranelift_nan_canonicalization(true);
        });
    "baseline" (Ours(Tier::Baseline)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline);
    });
    "baseline, explicit checks" (Ours(Tier::Baseline)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).signals_based_traps(false);
    });
    "baseline, memories that move" (Ours(Tier::Baseline)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).memory_reservation(0).memory_guard_size(0);
    });
    "baseline, few registers" (Ours(Tier::Baseline)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).baseline_machine(tenure::BaselineMachine::FewRegisters);
    });
    "baseline, plain machine" (Ours(Tier::Baseline)) MachineNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).baseline_machine(tenure::BaselineMachine::Plain);
    });
    "baseline, canonical NaNs" (Ours(Tier::Baseline)) CanonicalNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).cranelift_nan_canonicalization(true);
    });
    "baseline, canonical NaNs, explicit checks, plain machine" (Ours(Tier::Baseline)) CanonicalNans Exact
        ours::Api::new(|config| {
            config.strategy(tenure::Strategy::Baseline).baseline_machine(tenure::BaselineMachine::Plain);
            config.cranelift_nan_canonicalization(true).signals_based_traps(false);
        });
    "optimizing, fuel" (Counting(Tier::Optimizing)) CanonicalNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Optimizing);
        config.consume_fuel(true).cranelift_nan_canonicalization(true);
    });
    "optimizing, fuel, explicit checks" (Counting(Tier::Optimizing)) CanonicalNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing).signals_based_traps(false);
        config.consume_fuel(true).cranelift_nan_canonicalization(true).cranelift_debug_verifier(true);
    });
    "baseline, fuel" (Counting(Tier::Baseline)) CanonicalNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline);
        config.consume_fuel(true).cranelift_nan_canonicalization(true);
    });
    "baseline, fuel, explicit checks, few registers" (Counting(Tier::Baseline)) CanonicalNans Exact
        ours::Api::new(|config| {
            config.strategy(tenure::Strategy::Baseline).signals_based_traps(false);
            config.baseline_machine(tenure::BaselineMachine::FewRegisters);
            config.consume_fuel(true).cranelift_nan_canonicalization(true);
        });
    "optimizing, epochs" (Ours(Tier::Optimizing)) CanonicalNans Exact ours::Api::new(|config| {
        config.compiler_inlining(tenure::Inlining::Always);
            config.strategy(tenure::Strategy::Optimizing);
        config.epoch_interruption(true).cranelift_nan_canonicalization(true);
    });
    "baseline, epochs, few registers" (Ours(Tier::Baseline)) CanonicalNans Exact ours::Api::new(|config| {
        config.strategy(tenure::Strategy::Baseline).baseline_machine(tenure::BaselineMachine::FewRegisters);
        config.epoch_interruption(true).cranelift_nan_canonicalization(true);
    });
    "tiered, epochs, loops at random" (Ours(Tier::Tiered)) CanonicalNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::Sometimes);
        config.epoch_interruption(true).cranelift_nan_canonicalization(true);
    });
    "tiered, at once" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::WhenHot);
    });
    "tiered, at once, explicit checks" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::WhenHot);
        config.signals_based_traps(false);
    });
    "tiered, no loops" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::Never);
    });
    "tiered, every loop, few registers" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::First);
        config.tier_up_budget_per_byte(2).baseline_machine(tenure::BaselineMachine::FewRegisters);
    });
    "tiered, loops at random" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::Sometimes);
    });
    "tiered, loops at random, explicit checks" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::Sometimes);
        config.tier_up_budget_per_byte(1).signals_based_traps(false);
    });
    "tiered, second loops, late" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::At { number: 1, arrival: 6 });
    });
    "tiered, in the background" (Ours(Tier::Tiered)) MachineNans Exact ours::Api::new(|config| {
        tiered_in_background(config, 100);
    });
    "tiered, canonical NaNs, every loop, explicit checks" (Ours(Tier::Tiered)) CanonicalNans Exact
        ours::Api::new(|config| {
            tiered_at_once(config, Loops::First);
            config.tier_up_budget_per_byte(1);
            config.cranelift_nan_canonicalization(true).signals_based_traps(false);
        });
    "tiered, canonical NaNs, loops at random, plain machine" (Ours(Tier::Tiered)) CanonicalNans Exact
        ours::Api::new(|config| {
            tiered_at_once(config, Loops::Sometimes);
            config.cranelift_nan_canonicalization(true);
            config.baseline_machine(tenure::BaselineMachine::Plain);
        });
    "tiered, canonical NaNs, in the background, memories that move" (Ours(Tier::Tiered)) CanonicalNans Exact
        ours::Api::new(|config| {
            tiered_in_background(config, 0);
            config.cranelift_nan_canonicalization(true).memory_reservation(0).memory_guard_size(0);
        });
    "tiered, fuel, loops at random" (Counting(Tier::Tiered)) CanonicalNans Exact ours::Api::new(|config| {
        tiered_at_once(config, Loops::Sometimes);
        config.consume_fuel(true).cranelift_nan_canonicalization(true);
    });
    "tiered, fuel, every loop, explicit checks" (Counting(Tier::Tiered)) CanonicalNans Exact
        ours::Api::new(|config| {
            tiered_at_once(config, Loops::First);
            config.tier_up_budget_per_byte(1).signals_based_traps(false);
            config.consume_fuel(true).cranelift_nan_canonicalization(true);
        });
    "tiered, fuel, in the background" (Counting(Tier::Tiered)) CanonicalNans Exact ours::Api::new(|config| {
        tiered_in_background(config, 20);
        config.consume_fuel(true).cranelift_nan_canonicalization(true);
    });
}

/// Better code of each function once it was called, made while the guest waits, so that the same happens each time.
/// Where a function may execute something for each of its bytes, several of its activations come to their loops.
/// Whatever can be inlined is: of what runs so briefly nothing would be known.
fn tiered_at_once(config: &mut tenure::Config, loops: Loops) {
    config.compiler_inlining(tenure::Inlining::Always);
    config.strategy(tenure::Strategy::Tiered).tier_up(tenure::TierUp::AtOnce);
    config.tier_up_budget(0).tier_up_budget_per_byte(0).on_stack_replacement(loops);
}

/// Better code in the background of whatever executed `budget` bytes: when it is there is left to chance.
fn tiered_in_background(config: &mut tenure::Config, budget: u64) {
    config.strategy(tenure::Strategy::Tiered).tier_up_threads(2);
    config.tier_up_budget(budget).tier_up_budget_per_byte(0);
}

/// The proposals that modules may use, for wasmparser: those of the engines, which all have the same.
pub fn features() -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as Is;
    Is::WASM2
        | Is::RELAXED_SIMD
        | Is::TAIL_CALL
        | Is::MULTI_MEMORY
        | Is::MEMORY64
        | Is::EXTENDED_CONST
        | Is::FUNCTION_REFERENCES
        | Is::CUSTOM_PAGE_SIZES
        | Is::WIDE_ARITHMETIC
}
