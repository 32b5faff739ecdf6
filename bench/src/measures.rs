//! What is measured, on which engines, and what should come out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::clock::Cost;

/// What one child process measured: costs by name.
pub type Sample = BTreeMap<&'static str, Cost>;

/// An engine of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum EngineName {
    /// This project.
    Tenure,
    /// The peer whose API is the same; compiles with Cranelift.
    Wasmtime,
    /// An interpreter.
    Wasmi,
}

impl EngineName {
    /// All of them, in the order in which they take turns.
    pub const ALL: [Self; 3] = [Self::Tenure, Self::Wasmtime, Self::Wasmi];

    /// As in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenure => "tenure",
            Self::Wasmtime => "wasmtime",
            Self::Wasmi => "wasmi",
        }
    }
}

/// What a child process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Work {
    /// Compiles a program on all cores and runs it.
    Program,
    /// Compiles a program on one core.
    Compile,
    /// Calls, traps, instantiation.
    Calls,
    /// Instances of small and large modules, one at a time.
    Instances,
    /// Ten thousand instances with a page each.
    Many,
    /// The same, with data in the page.
    ManyWithData,
}

/// A piece of work to be repeated, engines taking turns.
#[derive(Clone, Debug)]
pub struct Case {
    /// What `--only` names: a program's folder, `calls`, or `instances`.
    pub name: String,
    /// What to do.
    pub work: Work,
    /// A program's folder.
    pub folder: Option<PathBuf>,
    /// How often each engine does it.
    pub rounds: usize,
}

/// All cases: the programs in `folder`, then calls and instances.
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
        for work in [Work::Program, Work::Compile] {
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
    Ok(cases)
}

/// A table of the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// Kernels of programs.
    Execution,
    /// `Module::new` on all cores.
    CompileAllCores,
    /// `Module::new` on one core.
    CompileOneCore,
    /// Calls, traps, instantiation.
    Calls,
    /// Making instances.
    Instances,
    /// Building the library itself.
    Build,
}

impl Group {
    /// In the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Execution,
        Self::CompileAllCores,
        Self::CompileOneCore,
        Self::Calls,
        Self::Instances,
        Self::Build,
    ];

    /// As in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::CompileAllCores => "compile-all-cores",
            Self::CompileOneCore => "compile-one-core",
            Self::Calls => "calls",
            Self::Instances => "instances",
            Self::Build => "build",
        }
    }

    /// The heading of its table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Execution => "Execution of programs",
            Self::CompileAllCores => "Compiling a program, all cores",
            Self::CompileOneCore => "Compiling a program, one core",
            Self::Calls => "Calls, traps, instances",
            Self::Instances => "Instances",
            Self::Build => "Building the library",
        }
    }

    /// The group with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.key() == key)
    }

    /// Where a cost that a child reported under `metric` belongs, and as which row.
    pub fn of(case: &Case, metric: &str) -> (Self, String) {
        match (case.work, metric) {
            (Work::Program, "execute") => (Self::Execution, case.name.clone()),
            (Work::Program, _) => (Self::CompileAllCores, case.name.clone()),
            (Work::Compile, _) => (Self::CompileOneCore, case.name.clone()),
            (Work::Calls, metric) => (Self::Calls, metric.to_owned()),
            (Work::Instances | Work::Many | Work::ManyWithData, metric) => {
                (Self::Instances, metric.to_owned())
            }
        }
    }

    /// The ratio to `wasmtime` that is to be reached, in CPU time, for a row of the group.
    pub fn target(self, row: &str) -> Option<f64> {
        match (self, row) {
            (Self::Execution, _) => Some(1.10),
            (Self::CompileAllCores | Self::CompileOneCore, _) => Some(1.0),
            (Self::Calls, "typed call") => Some(0.6),
            (Self::Calls, "untyped call") => Some(0.25),
            (Self::Calls, "host call, 0 arguments" | "host call, 3 arguments") => Some(0.9),
            (Self::Calls, "trap at depth 1" | "trap at depth 50") => Some(0.15),
            (Self::Instances, row) if row.starts_with("64 pages") || row == "sqlite3" => Some(0.6),
            (Self::Instances, row) if row.ends_with(", bytes of one") => Some(1.0),
            (Self::Instances, row) if row.starts_with("10,000") => Some(0.5),
            (Self::Build, "clean release build") => Some(0.5),
            _ => None,
        }
    }

    /// The geometric mean of the ratios that is to be reached.
    pub fn mean_target(self) -> Option<f64> {
        (self == Self::Execution).then_some(1.03)
    }
}
