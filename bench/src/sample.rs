//! The child process: does one piece of work on one engine, and reports what it cost.
//!
//! A process of its own for every sample keeps engines from each other's threads, heaps and signal handlers.
//! Standard output is the guest's; the report goes to a file, a line for each cost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use wasmi::CompilationMode;

use crate::clock::Cost;
use crate::measures::{EngineName, Sample, Work};

mod tenure_engine {
    use tenure as engine;
    use tenure_wasi as wasi;
    include!("engine.rs");
}

mod tenure_instances {
    use tenure as engine;
    include!("instances.rs");
}

mod wasmtime_engine {
    use wasmtime as engine;
    use wasmtime_wasi as wasi;
    include!("engine.rs");
}

mod wasmtime_instances {
    use wasmtime as engine;
    include!("instances.rs");
}

mod tenure_cycles {
    use tenure as engine;
    include!("cycles.rs");

    fn forget(store: &mut Store<StoreLimits>, instance: Instance) -> Result<()> {
        store.release(instance)
    }
}

mod wasmtime_cycles {
    use wasmtime as engine;
    include!("cycles.rs");

    /// There is no way to: an instance lives as long as its store.
    fn forget(_: &mut Store<StoreLimits>, _: Instance) -> Result<()> {
        Ok(())
    }
}

use crate::peer_wasmi as wasmi_engine;

/// The program of a folder, which is the current directory.
pub const PROGRAM: &str = "program.wasm";
const CALLS: &str = include_str!("../guests/calls.wat");
const LOOP: &str = include_str!("../guests/loop.wat");

/// How often the one loop goes round: about two seconds of optimized code.
pub const LOOP_ROUNDS: u32 = 1_200_000_000;
/// How long a program runs before its kernel is measured in steady state.
pub const WARM_UP: Duration = Duration::from_secs(6);
/// How often a program runs whose time to result is drawn.
pub const MOST_RUNS: u32 = 256;

/// The row of a program that ran `runs` times.
pub fn length(runs: u32) -> String {
    format!("{runs:4} runs")
}

/// Costs by name.
pub fn sample<const N: usize>(costs: [(&str, Cost); N]) -> Sample {
    costs.into_iter().map(|(name, cost)| (name.to_owned(), cost)).collect()
}

/// What the parent asks of a child.
#[derive(clap::Args, Debug)]
pub struct Request {
    /// Engine to use
    engine: EngineName,
    /// What to do
    work: Work,
    /// Where the report goes
    report: PathBuf,
}

impl Request {
    /// Does the work in the current directory and writes the report.
    ///
    /// # Errors
    /// Whatever the engine or the guest reported.
    pub fn carry_out(&self) -> Result<()> {
        if matches!(self.work, Work::Compile | Work::Baseline) {
            stay_on_one_core()?;
        }
        let mut report = String::new();
        for (name, cost) in self.measure()? {
            writeln!(report, "{name}\t{}\t{}", cost.cpu, cost.wall)?;
        }
        std::fs::write(&self.report, report)
            .with_context(|| format!("cannot write {}", self.report.display()))
    }

    fn measure(&self) -> Result<Sample> {
        use tenure::Strategy::{Baseline, Optimizing, Tiered};
        use wasmtime::Strategy::{Cranelift, Winch};
        match self.engine {
            EngineName::Tenure => self.on_tenure(Tiered),
            EngineName::TenureBaseline => self.on_tenure(Baseline),
            EngineName::TenureOptimizing => self.on_tenure(Optimizing),
            EngineName::Wasmtime => self.on_wasmtime(Cranelift),
            EngineName::Winch => self.on_wasmtime(Winch),
            EngineName::Wasmi => self.on_wasmi(CompilationMode::Eager),
            EngineName::WasmiLazy => self.on_wasmi(CompilationMode::LazyTranslation),
            EngineName::V8 => bail!("node is not part of this program"),
        }
    }

    fn on_tenure(&self, strategy: tenure::Strategy) -> Result<Sample> {
        let mut config = tenure::Config::new();
        config.strategy(strategy).parallel_compilation(self.work != Work::Baseline);
        if self.work == Work::Calls {
            // Calls are to be measured, so they have to be there.
            config.compiler_inlining(tenure::Inlining::No);
        }
        let wasm = Path::new(PROGRAM);
        let sample = match self.work {
            Work::Program => tenure_engine::program(&config, wasm),
            Work::Compile | Work::Load => tenure_engine::compile(&config, wasm),
            Work::Calls => tenure_engine::calls(&config, CALLS),
            Work::Baseline => tenure_engine::throughput(&config, wasm),
            Work::Steady => tenure_engine::steady(&config, wasm),
            Work::Instances => std::fs::read(wasm)
                .map_err(tenure::Error::from)
                .and_then(|wasm| tenure_instances::instances(&wasm)),
            Work::Cycles => tenure_cycles::cycles().and_then(|mut sample| {
                sample.extend(crate::reclaim::reclaim()?);
                Ok(sample)
            }),
            Work::Many => tenure_instances::many(),
            Work::ManyWithData => tenure_instances::many_with_data(),
            Work::Loop => tenure_engine::one_loop(&config, LOOP),
            Work::Lengths => tenure_engine::lengths(&config, wasm),
            Work::Start | Work::Whole => bail!("that takes a process of its own"),
        };
        sample.map_err(|error| anyhow!("{error:?}"))
    }

    fn on_wasmtime(&self, strategy: wasmtime::Strategy) -> Result<Sample> {
        let mut config = wasmtime::Config::new();
        config.strategy(strategy).parallel_compilation(self.work != Work::Baseline);
        let wasm = Path::new(PROGRAM);
        let sample = match self.work {
            Work::Program => wasmtime_engine::program(&config, wasm),
            Work::Compile | Work::Load => wasmtime_engine::compile(&config, wasm),
            Work::Calls => wasmtime_engine::calls(&config, CALLS),
            Work::Baseline => wasmtime_engine::throughput(&config, wasm),
            Work::Steady => wasmtime_engine::steady(&config, wasm),
            Work::Instances => std::fs::read(wasm)
                .map_err(wasmtime::Error::from)
                .and_then(|wasm| wasmtime_instances::instances(&wasm)),
            Work::Cycles => wasmtime_cycles::cycles(),
            Work::Many => wasmtime_instances::many(),
            Work::ManyWithData => wasmtime_instances::many_with_data(),
            Work::Loop => wasmtime_engine::one_loop(&config, LOOP),
            Work::Lengths => wasmtime_engine::lengths(&config, wasm),
            Work::Start | Work::Whole => bail!("that takes a process of its own"),
        };
        sample.map_err(|error| anyhow!("{error:?}"))
    }

    fn on_wasmi(&self, mode: CompilationMode) -> Result<Sample> {
        let engine = wasmi_engine::engine(mode);
        let wasm = Path::new(PROGRAM);
        match self.work {
            Work::Program => wasmi_engine::program(&engine, wasm),
            Work::Compile | Work::Load => wasmi_engine::compile(&engine, wasm),
            Work::Calls => wasmi_engine::calls(&engine, CALLS),
            Work::Instances => wasmi_engine::instances(),
            Work::Cycles => wasmi_engine::cycles(),
            Work::Many => wasmi_engine::many(),
            Work::ManyWithData => wasmi_engine::many_with_data(),
            Work::Lengths => wasmi_engine::lengths(&engine, wasm),
            _ => bail!("this is not measured of wasmi"),
        }
    }
}

/// Engines ask the system how many cores they may use: leave them the last one.
fn stay_on_one_core() -> Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let last = (0..CpuSet::count()).rev().find(|&core| allowed.is_set(core) == Ok(true));
    let mut one = CpuSet::new();
    one.set(last.context("this process may run on no core")?)?;
    Ok(sched_setaffinity(this, &one)?)
}
