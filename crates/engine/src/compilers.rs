//! Which compilers a strategy uses.

use crate::config::Config;
use crate::options::{BaselineMachine, Strategy};
use tenure_baseline::BaselineCompiler;
use tenure_code::{CompileError, CompileUnit, CompiledFunc, Compiler, Tier};
use tenure_module::Body;
use tenure_optimizing::{OptimizingCompiler, UnsupportedMachine};

/// The compiler that `config` asks for.
///
/// # Errors
/// When this machine is none that code can be made for.
pub(crate) fn compiler(config: &Config) -> Result<Box<dyn Compiler>, UnsupportedMachine> {
    let optimizing = OptimizingCompiler::with(config.to_compiler_settings())?;
    Ok(match config.options().strategy {
        Strategy::Baseline => Box::new(BaselineFirst { baseline: baseline(config), optimizing }),
        _ => Box::new(optimizing),
    })
}

fn baseline(config: &Config) -> BaselineCompiler {
    match config.options().baseline_machine {
        BaselineMachine::Whole => BaselineCompiler::new(),
        BaselineMachine::Plain => BaselineCompiler::without_extensions(),
        BaselineMachine::FewRegisters => BaselineCompiler::with_few_registers(),
    }
}

/// The baseline compiler, and the other one for the functions that it does not do.
struct BaselineFirst {
    baseline: BaselineCompiler,
    optimizing: OptimizingCompiler,
}

impl Compiler for BaselineFirst {
    fn tier(&self) -> Tier {
        Tier::Baseline
    }

    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        if unit.tunables.epochs {
            // It does not look at the epoch yet.
            return self.optimizing.compile(unit, body);
        }
        let again = body.again();
        match self.baseline.compile(unit, body) {
            Err(CompileError::Unsupported { .. }) => self.optimizing.compile(unit, again),
            done => done,
        }
    }

    fn fingerprint(&self) -> String {
        format!("{}, {}", self.baseline.fingerprint(), self.optimizing.fingerprint())
    }
}
