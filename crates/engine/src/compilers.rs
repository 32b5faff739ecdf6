//! Which compilers there are, and which of them a strategy uses ahead of time.

use crate::config::Config;
use crate::options::{BaselineMachine, Strategy};
use std::sync::OnceLock;
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
            BaselineMachine::Whole => BaselineCompiler::new(),
            BaselineMachine::Plain => BaselineCompiler::without_extensions(),
            BaselineMachine::FewRegisters => BaselineCompiler::with_few_registers(),
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
        Ok(Ahead { baseline: self.baseline_first.then_some(&self.baseline), optimizing })
    }
}

/// The optimizing compiler, or the baseline compiler with the other for the functions that it does not do.
pub(crate) struct Ahead<'c> {
    baseline: Option<&'c BaselineCompiler>,
    optimizing: &'c OptimizingCompiler,
}

impl Compiler for Ahead<'_> {
    fn tier(&self) -> Tier {
        if self.baseline.is_some() { Tier::Baseline } else { Tier::Optimizing }
    }

    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        let Some(baseline) = self.baseline else { return self.optimizing.compile(unit, body) };
        if unit.tunables.epochs {
            // It does not look at the epoch yet.
            return self.optimizing.compile(unit, body);
        }
        let again = body.again();
        match baseline.compile(unit, body) {
            Err(CompileError::Unsupported { .. }) => self.optimizing.compile(unit, again),
            done => done,
        }
    }

    fn fingerprint(&self) -> String {
        let optimizing = self.optimizing.fingerprint();
        match self.baseline {
            Some(baseline) => format!("{}, {optimizing}", baseline.fingerprint()),
            None => optimizing,
        }
    }
}
