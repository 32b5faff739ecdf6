//! Which compilers there are, and which of them a strategy uses ahead of time.

use crate::config::Config;
use crate::events::{self, Event, Reason};
use crate::options::{BaselineMachine, Strategy};
use std::sync::OnceLock;
use std::time::Instant;
use tenure_baseline::BaselineCompiler;
use tenure_code::{CompileError, CompileUnit, CompiledFunc, Compiler, Tier};
use tenure_module::Body;
use tenure_optimizing::{OptimizingCompiler, Settings, UnsupportedMachine};

/// The compilers of one engine.
pub(crate) struct Compilers {
    pub(crate) baseline: BaselineCompiler,
    settings: Settings,
    /// Made when it is first needed: that takes longer than to run a small module.
    optimizing: OnceLock<Result<OptimizingCompiler, UnsupportedMachine>>,
    baseline_first: bool,
}

impl Compilers {
    /// The compilers that `config` asks for.
    pub(crate) fn new(config: &Config) -> Self {
        let options = config.options();
        let baseline = match options.baseline_machine {
            BaselineMachine::Whole => BaselineCompiler::with_features(&tenure_sys::cpu::features()),
            BaselineMachine::Plain => BaselineCompiler::without_extensions(),
            BaselineMachine::FewRegisters => BaselineCompiler::with_few_registers(),
            BaselineMachine::Garbage => BaselineCompiler::with_garbage(),
        };
        Self {
            baseline,
            settings: config.to_compiler_settings(),
            optimizing: OnceLock::new(),
            baseline_first: options.strategy == Strategy::Baseline,
        }
    }

    /// The optimizing compiler.
    ///
    /// # Errors
    /// When this machine is none that it makes code for.
    pub(crate) fn optimizing(&self) -> Result<&OptimizingCompiler, UnsupportedMachine> {
        let optimizing = self.optimizing.get_or_init(|| OptimizingCompiler::with(self.settings));
        optimizing.as_ref().map_err(Clone::clone)
    }

    /// The compiler of whole modules ahead of time.
    ///
    /// # Errors
    /// As [`Compilers::optimizing`].
    pub(crate) fn ahead(&self) -> Result<Ahead<'_>, UnsupportedMachine> {
        let optimizing = self.optimizing()?;
        Ok(Ahead { baseline: &self.baseline, optimizing, baseline_first: self.baseline_first })
    }
}

/// The compiler that a strategy asks for, with the other for the functions that it does not do: what the baseline
/// compiler does not know, and what the optimizing compiler would take too long for.
pub(crate) struct Ahead<'c> {
    baseline: &'c BaselineCompiler,
    optimizing: &'c OptimizingCompiler,
    baseline_first: bool,
}

impl Ahead<'_> {
    /// Why the baseline compiler makes no code of `body`, if it makes none.
    pub(crate) fn why_handed_over(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Option<String> {
        Some(self.baseline.compile(unit, body).err()?.to_string())
    }

    /// The code of `body`, and why the baseline compiler handed it over, if it did.
    fn make(
        &self,
        unit: CompileUnit<'_>,
        body: Body<'_>,
    ) -> (Result<CompiledFunc, CompileError>, Option<String>) {
        let again = body.again();
        if !self.baseline_first {
            match self.optimizing.compile_well(unit, body.again()) {
                Err(CompileError::TooLarge { .. }) => {}
                done => return (done, None),
            }
        }
        match self.baseline.compile(unit, body) {
            Err(error @ CompileError::Unsupported { .. }) => {
                (self.optimizing.compile(unit, again), Some(error.to_string()))
            }
            done => (done, None),
        }
    }
}

impl Compiler for Ahead<'_> {
    fn tier(&self) -> Tier {
        if self.baseline_first { Tier::Baseline } else { Tier::Optimizing }
    }

    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        let started = Instant::now();
        let (func, wasm_bytes) = (body.func, body.len());
        let (made, why) = self.make(unit, body);
        let reason = why.as_deref().map_or(Reason::Ahead, Reason::HandedOver);
        match &made {
            Ok(code) => {
                let (tier, code_bytes, inlined) = (code.tier, code.code.len(), code.meta.inlined.len());
                let event = Event { func, reason, tier, wasm_bytes, code_bytes, inlined, started };
                events::made(unit.module, None, &event);
            }
            Err(error) => events::refused(unit.module, None, func, reason, error),
        }
        made
    }

    fn fingerprint(&self) -> String {
        format!("{}, {}", self.baseline.fingerprint(), self.optimizing.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn whoever_looks_this_machine_is_the_same() {
        let known = BaselineCompiler::with_features(&tenure_sys::cpu::features());
        assert_eq!(known.fingerprint(), BaselineCompiler::new().fingerprint());
    }

    #[test]
    fn each_strategy_uses_its_compiler_whatever_is_counted() {
        // (module (func (loop (br 0))))
        let wasm =
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x09\x01\x07\0\x03\x40\x0c\0\x0b\x0b";
        for (strategy, tier) in
            [(Strategy::Baseline, Tier::Baseline), (Strategy::Optimizing, Tier::Optimizing)]
        {
            for (epochs, fuel) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut config = Config::new();
                config.strategy(strategy).epoch_interruption(epochs).consume_fuel(fuel);
                let engine = Engine::new(&config).unwrap();
                let module =
                    engine.compile(&wasm[..].into(), &|_| std::ops::ControlFlow::Continue(())).unwrap();
                let tiers: Vec<_> = module.image().funcs.iter().map(|func| func.tier).collect();
                assert_eq!(tiers, [tier], "epochs {epochs}, fuel {fuel}");
            }
        }
    }
}
