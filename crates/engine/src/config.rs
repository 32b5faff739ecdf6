//! What an embedder asks for, and whether it can be had.

use crate::footprint::Footprint;
use crate::options::{Inlining, OptLevel, Options, RegallocAlgorithm};
use crate::pooling::{Enabled, PoolingAllocationConfig};
use crate::wasm_features::{Is, PROPOSALS, WasmFeatures};
use std::fmt;
use std::sync::Arc;
use tenure_code::Tunables;
use tenure_optimizing::{Effort, Settings};
use tenure_runtime::{MemoryPoolConfig, SpaceConfig};

/// How an engine is to be: options and proposals, each with a setter.
///
/// Nothing is checked before `Engine::new`, which says what cannot be had. Setters can be chained.
///
/// ```
/// use tenure_engine::{Config, Engine};
///
/// let mut config = Config::new();
/// config.wasm_simd(false).max_wasm_stack(1 << 20);
/// assert!(Engine::new(&config).is_ok());
///
/// config.wasm_gc(true);
/// let error = Engine::new(&config).err().unwrap();
/// assert!(error.to_string().starts_with("wasm_gc: the gc proposal is not supported yet"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) options: Options,
    /// Proposals that were turned on, and those that were turned off: the rest is as by default.
    on: WasmFeatures,
    off: WasmFeatures,
}

impl Config {
    /// Every option at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The options' values.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Turns every proposal of `flag` on or off.
    ///
    /// `Engine::new` fails when one that Tenure does not have is turned on, or one is turned on while another
    /// that it needs is off.
    pub fn wasm_features(&mut self, flag: WasmFeatures, enable: bool) -> &mut Self {
        self.on.set(flag, enable);
        self.off.set(flag, !enable);
        self
    }

    /// Names the platform that code is for: only this one, by its target triple, is there.
    pub fn target(&mut self, target: &str) -> Result<&mut Self, ConfigError> {
        let host = [std::env::consts::ARCH, std::env::consts::OS];
        let mut parts = target.split('-');
        if parts.next() != Some(host[0]) || !parts.any(|part| part == host[1]) {
            return Err(ConfigError::Target { target: target.to_string() });
        }
        Ok(self)
    }

    /// Sets the option or proposal `name`, spelled like its setter, to what `text` says: for command lines.
    ///
    /// # Errors
    /// When there is no such option, or `text` is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<&mut Self, ConfigError> {
        match PROPOSALS.iter().find_map(|row| row.option.filter(|&option| option == name).zip(Some(row))) {
            Some((option, row)) => {
                let Some(enable) = crate::options::OptionValue::parse(text) else {
                    let expected = <bool as crate::options::OptionValue>::EXPECTED;
                    return Err(ConfigError::Value { option, value: text.to_string(), expected });
                };
                self.wasm_features(row.flag, enable);
            }
            None => self.set_option(name, text)?,
        }
        Ok(self)
    }

    /// The proposals that modules may use.
    ///
    /// # Errors
    /// When one that is not there was turned on, or one is on without another that it needs.
    pub fn effective_features(&self) -> Result<WasmFeatures, ConfigError> {
        let mut set = WasmFeatures::defaults() | self.on;
        set.remove(self.off);
        // ORDER: a proposal's needs stand above it in the table, so they are settled when it is looked at.
        for row in PROPOSALS {
            let asked = self.on.contains(row.flag);
            match row.is {
                Is::Missing if asked => {
                    let option = row.option.unwrap_or("wasm_features");
                    return Err(ConfigError::MissingProposal { option, proposal: row.title });
                }
                Is::AlwaysOn if self.off.contains(row.flag) => {
                    return Err(ConfigError::AlwaysOn { proposal: row.title });
                }
                _ => {}
            }
            if set.contains(row.flag) && !set.contains(row.needs) {
                let missing = (row.needs - set).proposals().next().map_or("another", |needs| needs.title);
                if asked {
                    return Err(ConfigError::Needs { proposal: row.title, needs: missing });
                }
                set.remove(row.flag);
            }
        }
        Ok(set)
    }

    /// Refuses options that are not there yet.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let options = &self.options;
        let missing = [
            (
                "cranelift_regalloc_algorithm",
                options.cranelift_regalloc_algorithm == RegallocAlgorithm::SinglePass,
                "single-pass register allocation",
            ),
            ("memory_may_move", !options.memory_may_move, "a memory that may not move"),
            ("shared_memory", options.shared_memory, "shared memory"),
            ("debug_info", options.debug_info, "debug information for native debuggers"),
            ("guest_debug", options.guest_debug, "debugging of guests"),
            ("native_unwind_info", options.native_unwind_info, "native unwind information"),
            ("coredump_on_trap", options.coredump_on_trap, "core dumps of guests"),
            ("wmemcheck", options.wmemcheck, "checking of a guest's allocations"),
            ("gc_support", options.gc_support, "garbage collection"),
            ("concurrency_support", options.concurrency_support, "concurrency in one store"),
        ];
        for (option, is_asked, what) in missing {
            if is_asked {
                return Err(ConfigError::Missing { option, what });
            }
        }
        if let Some(pool) = options.allocation_strategy.pool() {
            if pool.get_memory_protection_keys() == Enabled::Yes {
                return Err(ConfigError::Missing {
                    option: "memory_protection_keys",
                    what: "telling memories apart by protection keys",
                });
            }
            if pool.get_pagemap_scan() == Enabled::Yes
                && !PoolingAllocationConfig::is_pagemap_scan_available()
            {
                return Err(ConfigError::Missing {
                    option: "pagemap_scan",
                    what: "asking this system which pages were written",
                });
            }
        }
        if options.max_wasm_stack == 0 {
            let value = options.max_wasm_stack.to_string();
            return Err(ConfigError::Value { option: "max_wasm_stack", value, expected: "at least 1 byte" });
        }
        // A reservation and its guard together stay far inside a 47-bit address space.
        let limit = 1 << 46;
        for (option, bytes) in [
            ("memory_reservation", options.memory_reservation),
            ("memory_guard_size", options.memory_guard_size),
        ] {
            if bytes > limit {
                let value = bytes.to_string();
                return Err(ConfigError::Value { option, value, expected: "at most 64 TiB" });
            }
        }
        Ok(())
    }

    /// What the optimizing compiler is asked to do.
    pub(crate) fn to_compiler_settings(&self) -> Settings {
        let effort = match self.options.cranelift_opt_level {
            OptLevel::None => Effort::Least,
            OptLevel::Speed => Effort::Speed,
            OptLevel::SpeedAndSize => Effort::SpeedAndSize,
        };
        let memory = Some(usize::try_from(self.options.compile_memory_limit).unwrap_or(usize::MAX));
        Settings { effort, verify: self.options.cranelift_debug_verifier, memory }
    }

    /// How memories are kept and counted.
    pub(crate) fn to_space_config(&self, footprint: Footprint) -> SpaceConfig {
        let pool = self.options.allocation_strategy.pool();
        let memories = pool.map_or_else(MemoryPoolConfig::default, PoolingAllocationConfig::to_memory_pool);
        SpaceConfig {
            code_bytes: footprint.code_bytes(),
            module_code_bytes: self.options.limits.code_bytes,
            memories: MemoryPoolConfig { copy_on_write: self.options.memory_init_cow, ..memories },
            pooling: pool.map(PoolingAllocationConfig::to_limits),
        }
    }

    /// What compiled code relies on, under these options.
    pub(crate) fn to_tunables(&self, footprint: Footprint) -> Tunables {
        let options = &self.options;
        let tunables = Tunables {
            signals: options.signals_based_traps,
            memory_reservation: options.memory_reservation,
            memory64_reservation: options.memory_reservation,
            memory_guard: options.memory_guard_size,
            epochs: options.epoch_interruption,
            fuel: options.consume_fuel.then(|| Arc::new(options.operator_cost.clone())),
            canonical_nans: options.cranelift_nan_canonicalization,
            deterministic_relaxed_simd: options.relaxed_simd_deterministic,
            inlining: match options.compiler_inlining {
                Inlining::Yes => tenure_code::Inlining::WhereItPays,
                Inlining::Always => tenure_code::Inlining::Always,
                _ => tenure_code::Inlining::Never,
            },
            ..Tunables::default()
        };
        if footprint.is_small() { tunables.with_small_memories() } else { tunables }
    }
}

/// Why an engine cannot be as it was asked to be.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A proposal was turned on that is not there yet.
    MissingProposal {
        /// The setter.
        option: &'static str,
        /// The proposal.
        proposal: &'static str,
    },
    /// A proposal was turned off that every module has.
    AlwaysOn {
        /// The proposal.
        proposal: &'static str,
    },
    /// A proposal was turned on without one that it builds on.
    Needs {
        /// The proposal.
        proposal: &'static str,
        /// What it builds on.
        needs: &'static str,
    },
    /// An option asks for what is not there yet.
    Missing {
        /// The setter.
        option: &'static str,
        /// What is not there.
        what: &'static str,
    },
    /// A value that the option cannot have.
    Value {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// What it can have.
        expected: &'static str,
    },
    /// There is no option of this name.
    Unknown {
        /// The name.
        option: String,
    },
    /// A platform that code cannot be made for.
    Target {
        /// Its triple.
        target: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingProposal { option, proposal } => {
                write!(f, "{option}: the {proposal} proposal is not supported yet")
            }
            Self::AlwaysOn { proposal } => write!(f, "wasm_features: {proposal} cannot be turned off"),
            Self::Needs { proposal, needs } => {
                write!(f, "the {proposal} proposal is on, but it needs the {needs} proposal, which is off")
            }
            Self::Missing { option, what } => write!(f, "{option}: {what} is not supported yet"),
            Self::Value { option, value, expected } => {
                write!(f, "{option}: `{value}` is no value of this option; expected {expected}")
            }
            Self::Unknown { option } => write!(f, "there is no option `{option}`"),
            Self::Target { target } => {
                let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
                write!(f, "code for `{target}` cannot be made here, only for {arch} {os}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Strategy;

    fn refusal(change: impl FnOnce(&mut Config) -> &mut Config) -> String {
        let mut config = Config::new();
        change(&mut config);
        match config.check().and_then(|()| config.effective_features()) {
            Ok(_) => "none".to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        type Change = fn(&mut Config) -> &mut Config;
        let cases: &[(Change, &str)] = &[
            (|c| c.wasm_gc(true), "wasm_gc: the gc proposal is not supported yet"),
            (|c| c.wasm_threads(true), "wasm_threads: the threads proposal is not supported yet"),
            (|c| c.strategy(Strategy::Winch), "none"),
            (|c| c.strategy(Strategy::Cranelift), "none"),
            (|c| c.wasm_gc(false).wasm_exceptions(false).consume_fuel(true), "none"),
        ];
        for (change, expected) in cases {
            assert_eq!(refusal(change), *expected);
        }
    }

    #[test]
    fn a_proposal_goes_with_what_it_needs_unless_it_was_asked_for() {
        let mut config = Config::new();
        config.wasm_simd(false);
        let set = config.effective_features().unwrap();
        assert!(!set.contains(WasmFeatures::RELAXED_SIMD));
        config.wasm_relaxed_simd(true);
        assert_eq!(
            config.effective_features().unwrap_err().to_string(),
            "the relaxed-simd proposal is on, but it needs the simd proposal, which is off"
        );
        // Needs of needs.
        let mut config = Config::new();
        config.wasm_bulk_memory(false);
        assert!(!config.effective_features().unwrap().contains(WasmFeatures::FUNCTION_REFERENCES));
    }

    #[test]
    fn options_can_be_set_by_name() {
        let mut config = Config::new();
        config.set("max_wasm_stack", "0x10000").unwrap().set("wasm_simd", "n").unwrap();
        config.set("cranelift_opt_level", "0").unwrap();
        config.set("limits", "memory_bytes=0x10000, tables=3").unwrap();
        let limits = config.options().limits;
        assert_eq!((limits.memory_bytes, limits.tables), (0x10000, 3));
        assert!(config.set("limits", "memory_bytes=1,chairs=3").is_err());
        assert_eq!(config.options().max_wasm_stack, 0x10000);
        assert_eq!(config.options().cranelift_opt_level, OptLevel::None);
        assert!(!config.effective_features().unwrap().contains(WasmFeatures::SIMD));
        let error =
            |config: &mut Config, name, text| config.set(name, text).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error(&mut config, "stack", "1"), "there is no option `stack`");
        assert_eq!(
            error(&mut config, "signals_based_traps", "maybe"),
            "signals_based_traps: `maybe` is no value of this option; expected `y` or `n`"
        );
        for option in Config::OPTIONS {
            assert!(Config::new().set(option, "?").is_err(), "{option}");
        }
    }

    #[test]
    fn only_this_platform_can_be_the_target() {
        let host = format!("{}-unknown-{}-gnu", std::env::consts::ARCH, std::env::consts::OS);
        assert!(Config::new().target(&host).is_ok());
        assert!(Config::new().target("riscv64gc-unknown-none-elf").is_err());
    }
}
