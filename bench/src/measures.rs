//! What is measured, on which engines, and what should come out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::clock::Cost;

/// What one child process measured: costs by name.
pub type Sample = BTreeMap<String, Cost>;

/// An engine of the comparison, in one of its settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum EngineName {
    /// This project as it comes: code at the first call, better code once it is hot.
    Tenure,
    /// Only its single-pass compiler.
    TenureBaseline,
    /// Only its optimizing compiler, ahead of time.
    TenureOptimizing,
    /// The peer whose API is the same; compiles with Cranelift.
    Wasmtime,
    /// The same peer with its single-pass compiler.
    Winch,
    /// An interpreter, whose code is made with the module.
    Wasmi,
    /// The same as it comes: its code is made at the first call.
    WasmiLazy,
    /// The engine of `node`.
    V8,
}

impl EngineName {
    /// All of them, in the order in which they take turns.
    pub const ALL: [Self; 8] = [
        Self::Tenure,
        Self::TenureBaseline,
        Self::TenureOptimizing,
        Self::Wasmtime,
        Self::Winch,
        Self::Wasmi,
        Self::WasmiLazy,
        Self::V8,
    ];

    /// The engines of others.
    pub const PEERS: [Self; 5] = [Self::Wasmtime, Self::Winch, Self::Wasmi, Self::WasmiLazy, Self::V8];

    /// As in tables, files and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenure => "tenure",
            Self::TenureBaseline => "tenure-baseline",
            Self::TenureOptimizing => "tenure-optimizing",
            Self::Wasmtime => "wasmtime",
            Self::Winch => "winch",
            Self::Wasmi => "wasmi",
            Self::WasmiLazy => "wasmi-lazy",
            Self::V8 => "v8",
        }
    }

    /// The engine with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }
}

/// What a child process does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum Work {
    /// Compiles a program with the optimizing compiler on all cores and runs it.
    Program,
    /// Compiles a program with the optimizing compiler on one core.
    Compile,
    /// Calls, traps, instantiation.
    Calls,
    /// Instances of small and large modules, one at a time.
    Instances,
    /// Ten thousand instances with a page each.
    Many,
    /// The same, with data in the page.
    ManyWithData,
    /// Compiles a program with the single-pass compiler on one core.
    Baseline,
    /// Makes a module of a program, as the engine does it unless told otherwise.
    Load,
    /// Runs a program again and again in one process.
    Steady,
    /// Makes one call that stays in one loop.
    Loop,
    /// Runs a program once, twice, four times, … in one process.
    Lengths,
    /// Is a process of its own that ends when the program calls `bench.start`.
    Start,
    /// Is a process of its own that runs the program.
    Whole,
    /// Making and forgetting instances in one store; on Tenure alone, reclamation and snapshots.
    Cycles,
}

impl Work {
    /// The engines that can do it.
    pub fn engines(self) -> &'static [EngineName] {
        use EngineName::*;
        match self {
            Self::Program | Self::Compile | Self::Calls => &[TenureOptimizing, Wasmtime, Wasmi],
            Self::Baseline => &[TenureBaseline, V8, Winch],
            Self::Instances | Self::Many | Self::ManyWithData | Self::Cycles => &[Tenure, Wasmtime, Wasmi],
            Self::Load => &[Tenure, Wasmtime, WasmiLazy],
            Self::Steady => &[Tenure, TenureBaseline, TenureOptimizing],
            Self::Loop => &[Tenure, TenureBaseline, TenureOptimizing, Wasmtime, V8],
            Self::Lengths => &[Tenure, TenureBaseline, TenureOptimizing, Wasmtime, Winch, WasmiLazy, V8],
            Self::Start | Self::Whole => &[Tenure, Wasmtime, Winch, Wasmi, WasmiLazy, V8],
        }
    }

    /// Whether the process as a whole is measured, and not by itself.
    pub fn is_process(self) -> bool {
        matches!(self, Self::Start | Self::Whole)
    }

    /// Whether the guest's output is that of one run.
    pub fn prints_once(self) -> bool {
        matches!(self, Self::Program | Self::Whole)
    }

    /// As in arguments.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// A piece of work to be repeated, engines taking turns.
#[derive(Clone, Debug)]
pub struct Case {
    /// What `--only` names: a program's folder, `calls`, `instances`, `loop`, or `cycles`.
    pub name: String,
    /// What to do.
    pub work: Work,
    /// A program's folder.
    pub folder: Option<PathBuf>,
    /// How often each engine does it.
    pub rounds: usize,
}

/// The program whose time to result is drawn against how long it runs: a kernel of milliseconds in a module of
/// typical size.
const LENGTHS_OF: &str = "bz2";

/// All cases: the programs in `folder`, then calls, instances, the one loop, and cycles.
///
/// # Errors
/// When `folder` cannot be read.
pub fn cases(folder: &Path, rounds: usize) -> Result<Vec<Case>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.join("program.wasm").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    let mut cases = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut works = vec![
            Work::Program,
            Work::Compile,
            Work::Baseline,
            Work::Load,
            Work::Steady,
            Work::Start,
            Work::Whole,
        ];
        works.extend((name == LENGTHS_OF).then_some(Work::Lengths));
        for work in works {
            cases.push(Case { name: name.clone(), work, folder: Some(folder.clone()), rounds });
        }
    }
    cases.push(Case { name: "calls".into(), work: Work::Calls, folder: None, rounds: 2 * rounds + 1 });
    cases.push(Case {
        name: "instances".into(),
        work: Work::Instances,
        folder: Some(folder.join("sqlite3")),
        rounds: 2 * rounds + 1,
    });
    for work in [Work::Many, Work::ManyWithData] {
        cases.push(Case { name: "instances".into(), work, folder: None, rounds: 2 * rounds + 1 });
    }
    cases.push(Case { name: "loop".into(), work: Work::Loop, folder: None, rounds });
    cases.push(Case { name: "cycles".into(), work: Work::Cycles, folder: None, rounds });
    Ok(cases)
}

/// A table of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// Whole processes.
    Whole,
    /// Processes until the guest begins.
    Start,
    /// `Module::new` as it comes.
    Load,
    /// The single-pass compilers.
    Baseline,
    /// Kernels in processes that have run for long.
    Steady,
    /// One call with one loop.
    Loop,
    /// Programs that run once, twice, four times, ….
    Lengths,
    /// Kernels of programs.
    Execution,
    /// Optimizing on all cores.
    CompileAllCores,
    /// Optimizing on one core.
    CompileOneCore,
    /// Calls, traps, instantiation.
    Calls,
    /// Making instances.
    Instances,
    /// What a process holds that makes and forgets instances in one store.
    Cycles,
    /// Reclamation, snapshots, resets.
    Reclaim,
    /// Building the library itself.
    Build,
}

/// Which cost of two engines is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// CPU time of all threads.
    Cpu,
    /// Time on the wall.
    Wall,
}

impl By {
    /// The cost that is meant.
    pub fn of(self, cost: &Cost) -> f64 {
        match self {
            Self::Cpu => cost.cpu,
            Self::Wall => cost.wall,
        }
    }
}

/// A column of ratios.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Whose cost is divided.
    pub ours: EngineName,
    /// By whose: the lowest of them.
    pub theirs: &'static [EngineName],
    /// Of which cost.
    pub by: By,
    /// What each row is to reach at most.
    pub each: Option<f64>,
    /// What the geometric mean is to reach at most.
    pub mean: Option<f64>,
}

impl Comparison {
    /// The heading of its column.
    pub fn title(&self) -> String {
        let theirs = match self.theirs {
            [one] => one.name(),
            _ => "lowest peer",
        };
        let by = if self.by == By::Wall { ", wall time" } else { "" };
        format!("{} / {theirs}{by}", self.ours.name())
    }
}

impl Group {
    /// In the order of the report.
    pub const ALL: [Self; 15] = [
        Self::Whole,
        Self::Start,
        Self::Load,
        Self::Baseline,
        Self::Steady,
        Self::Loop,
        Self::Lengths,
        Self::Execution,
        Self::CompileAllCores,
        Self::CompileOneCore,
        Self::Calls,
        Self::Instances,
        Self::Cycles,
        Self::Reclaim,
        Self::Build,
    ];

    /// As in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Start => "start",
            Self::Load => "load",
            Self::Baseline => "baseline",
            Self::Steady => "steady",
            Self::Loop => "loop",
            Self::Lengths => "lengths",
            Self::Execution => "execution",
            Self::CompileAllCores => "compile-all-cores",
            Self::CompileOneCore => "compile-one-core",
            Self::Calls => "calls",
            Self::Instances => "instances",
            Self::Cycles => "cycles",
            Self::Reclaim => "reclaim",
            Self::Build => "build",
        }
    }

    /// The heading of its table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Whole => "Whole processes",
            Self::Start => "From the start of the process to the guest's `bench.start`",
            Self::Load => "Making a module",
            Self::Baseline => "Compiling a program in one pass, one core, a byte of code section",
            Self::Steady => "Execution of programs after warm-up",
            Self::Loop => "One call with one hot loop, from `Module::new` to its end",
            Self::Lengths => "Time to result, by how often bz2 runs in one process",
            Self::Execution => "Execution of programs, optimized ahead of time",
            Self::CompileAllCores => "Optimizing a program, all cores",
            Self::CompileOneCore => "Optimizing a program, one core",
            Self::Calls => "Calls, traps, instances",
            Self::Instances => "Instances",
            Self::Cycles => "Creating and forgetting in one store",
            Self::Reclaim => "Reclaiming, snapshots, resets",
            Self::Build => "Building the library",
        }
    }

    /// What a reader has to know of the table.
    pub fn remark(self) -> &'static str {
        match self {
            Self::Whole => {
                "`tenure run` beside programs that do the same with the peers' libraries, and `node`. Measured from \
                 outside: process start, reading, compiling, running, exit."
            }
            Self::Start => {
                "The process ends at the guest's `bench.start`: under `tenure run` by a trap, whose report counts, \
                 elsewhere by leaving the process."
            }
            Self::Load => {
                "All threads. wasmi-lazy is what wasmi does unless told otherwise: it checks everything at once and \
                 translates later, as Tenure does."
            }
            Self::Baseline => {
                "Validation included; the best of three in a process. V8 is Liftoff alone on its main thread. \
                 The throughput is that of the medians."
            }
            Self::Steady => "The best run in a process after some seconds of runs.",
            Self::Lengths => "CPU time since the process started.",
            Self::Cycles => {
                "Resident memory, with the number of mappings in brackets, of a process that loads two plugins a \
                 cycle which hold each other's functions, calls one, and has no use for them afterwards. A dash: the \
                 engine can do no more, or holds more than 2 GB."
            }
            Self::Reclaim
            | Self::Loop
            | Self::Execution
            | Self::CompileAllCores
            | Self::CompileOneCore
            | Self::Calls
            | Self::Instances
            | Self::Build => "",
        }
    }

    /// The group with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.key() == key)
    }

    /// Where a cost that a child reported under `metric` belongs, and as which row.
    pub fn of(case: &Case, metric: &str) -> (Self, String) {
        let group = match (case.work, metric) {
            (Work::Program, "execute") => Self::Execution,
            (Work::Program, _) => Self::CompileAllCores,
            (Work::Compile, _) => Self::CompileOneCore,
            (Work::Calls, metric) => return (Self::Calls, metric.to_owned()),
            (Work::Instances | Work::Many | Work::ManyWithData, metric) => {
                return (Self::Instances, metric.to_owned());
            }
            (Work::Cycles, metric) if crate::resident::cycles_of(metric).is_some() => {
                return (Self::Cycles, metric.to_owned());
            }
            (Work::Cycles, metric) => return (Self::Reclaim, metric.to_owned()),
            (Work::Lengths, metric) => return (Self::Lengths, metric.to_owned()),
            (Work::Baseline, _) => Self::Baseline,
            (Work::Load, _) => Self::Load,
            (Work::Steady, _) => Self::Steady,
            (Work::Loop, _) => Self::Loop,
            (Work::Start, _) => Self::Start,
            (Work::Whole, _) => Self::Whole,
        };
        (group, case.name.clone())
    }

    /// The columns of ratios.
    pub fn comparisons(self) -> Vec<Comparison> {
        use EngineName::*;
        let one = |ours, theirs, each| Comparison { ours, theirs, by: By::Cpu, each, mean: None };
        let wall = |comparison| Comparison { by: By::Wall, ..comparison };
        match self {
            Self::Whole => vec![
                wall(one(Tenure, &EngineName::PEERS, Some(1.0))),
                Comparison { mean: Some(0.3), ..wall(one(Tenure, &[Wasmtime], None)) },
                one(Tenure, &EngineName::PEERS, None),
            ],
            Self::Start => {
                vec![wall(one(Tenure, &EngineName::PEERS, Some(1.0))), one(Tenure, &EngineName::PEERS, None)]
            }
            Self::Load => {
                vec![one(Tenure, &[WasmiLazy], Some(1.0)), one(Tenure, &[Wasmtime], Some(1.0 / 40.0))]
            }
            Self::Baseline => vec![
                Comparison { mean: Some(0.5), ..one(TenureBaseline, &[V8], None) },
                Comparison { mean: Some(0.125), ..one(TenureBaseline, &[Winch], None) },
            ],
            Self::Steady => vec![
                one(Tenure, &[TenureOptimizing], Some(1.03)),
                Comparison { mean: Some(1.35), ..one(TenureBaseline, &[TenureOptimizing], Some(2.0)) },
            ],
            Self::Loop => vec![
                one(Tenure, &[TenureOptimizing], Some(1.10)),
                wall(one(Tenure, &[TenureOptimizing], Some(1.10))),
            ],
            Self::Lengths => vec![one(Tenure, &[Wasmtime, Winch, WasmiLazy, V8], None)],
            Self::Execution => {
                let all = one(TenureOptimizing, &[Wasmtime], Some(1.10));
                vec![Comparison { mean: Some(1.03), ..all }, wall(Comparison { each: None, ..all })]
            }
            Self::CompileAllCores | Self::CompileOneCore => {
                let all = one(TenureOptimizing, &[Wasmtime], Some(1.0));
                vec![all, wall(Comparison { each: None, ..all })]
            }
            Self::Calls => vec![one(TenureOptimizing, &[Wasmtime], None)],
            Self::Instances | Self::Cycles | Self::Reclaim | Self::Build => {
                vec![one(Tenure, &[Wasmtime], None)]
            }
        }
    }

    /// The ratio to be reached in one row of a table whose rows differ in that.
    pub fn target(self, row: &str) -> Option<f64> {
        match (self, row) {
            (Self::Calls, "typed call") => Some(0.6),
            (Self::Calls, "untyped call") => Some(0.25),
            (Self::Calls, "host call, 0 arguments" | "host call, 3 arguments") => Some(0.9),
            (Self::Calls, "guest call") => Some(1.0),
            (Self::Calls, "trap at depth 1" | "trap at depth 50") => Some(0.15),
            (Self::Instances, row) if row.starts_with("64 pages") || row == "sqlite3" => Some(0.6),
            (Self::Instances, row) if row.ends_with(", bytes of one") => Some(1.0),
            (Self::Instances, row) if row.starts_with("10,000") => Some(0.5),
            (Self::Build, "clean release build") => Some(0.5),
            _ => self.comparisons().first().and_then(|comparison| comparison.each),
        }
    }
}
