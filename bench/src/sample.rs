//! The child process: does one piece of work on one engine, and reports what it cost.
//!
//! A process of its own for every sample keeps engines from each other's threads, heaps and signal handlers.
//! Standard output is the guest's; the report goes to a file, a line for each cost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

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

use crate::peer_wasmi as wasmi_engine;

const CALLS: &str = include_str!("../guests/calls.wat");

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
        if self.work == Work::Compile {
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
        let wasm = Path::new("program.wasm");
        match (self.engine, self.work) {
            (EngineName::Tenure, Work::Program) => tenure_engine::program(wasm).map_err(|e| anyhow!("{e:?}")),
            (EngineName::Tenure, Work::Compile) => tenure_engine::compile(wasm).map_err(|e| anyhow!("{e:?}")),
            (EngineName::Tenure, Work::Calls) => tenure_engine::calls(CALLS).map_err(|e| anyhow!("{e:?}")),
            (EngineName::Wasmtime, Work::Program) => {
                wasmtime_engine::program(wasm).map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmtime, Work::Compile) => {
                wasmtime_engine::compile(wasm).map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmtime, Work::Calls) => {
                wasmtime_engine::calls(CALLS).map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Tenure, Work::Instances) => {
                tenure_instances::instances(&std::fs::read(wasm)?).map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmtime, Work::Instances) => {
                wasmtime_instances::instances(&std::fs::read(wasm)?).map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmi, Work::Instances) => wasmi_engine::instances(),
            (EngineName::Tenure, Work::Many) => tenure_instances::many().map_err(|e| anyhow!("{e:?}")),
            (EngineName::Wasmtime, Work::Many) => wasmtime_instances::many().map_err(|e| anyhow!("{e:?}")),
            (EngineName::Wasmi, Work::Many) => wasmi_engine::many(),
            (EngineName::Tenure, Work::ManyWithData) => {
                tenure_instances::many_with_data().map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmtime, Work::ManyWithData) => {
                wasmtime_instances::many_with_data().map_err(|e| anyhow!("{e:?}"))
            }
            (EngineName::Wasmi, Work::ManyWithData) => wasmi_engine::many_with_data(),
            (EngineName::Wasmi, Work::Program) => wasmi_engine::program(wasm),
            (EngineName::Wasmi, Work::Compile) => wasmi_engine::compile(wasm),
            (EngineName::Wasmi, Work::Calls) => wasmi_engine::calls(CALLS),
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
