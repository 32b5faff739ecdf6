//! The processes that do the work: this program again for engines that are part of it, and for whole processes the
//! `tenure` command, `node`, and the small programs in `bin/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::machine::NODE;
use crate::measures::{EngineName, Work};
use crate::sample::{LOOP_ROUNDS, MOST_RUNS, PROGRAM};

/// Where the programs are that are not part of this one.
#[derive(Debug)]
pub struct Programs {
    /// This program.
    this: PathBuf,
    /// The `tenure` command, if it was built.
    tenure: Option<PathBuf>,
    /// `node`, if it was installed.
    node: Option<PathBuf>,
    /// A folder for what children need.
    scratch: tempfile::TempDir,
}

const SCRIPT: &str = include_str!("../guests/v8.mjs");
const LOOP: &str = include_str!("../guests/loop.wat");

/// Whether `path` is the version that is compared with.
fn is_node(path: &Path) -> bool {
    let version = Command::new(path).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let is_right = version.as_ref().is_ok_and(|version| version == &format!("v{NODE}"));
    if !is_right {
        eprintln!("{} is not version {NODE} and is left out: {version:?}", path.display());
    }
    is_right
}

impl Programs {
    /// Looks for them, and says which are not there.
    ///
    /// # Errors
    /// When there is no place for temporary files.
    pub fn find(tenure: Option<PathBuf>, root: &Path) -> Result<Self> {
        let this = std::env::current_exe()?;
        let tenure = tenure.unwrap_or_else(|| root.join("target/release/tenure"));
        let node = root.join("bench/node_modules/node/bin/node");
        let scratch = tempfile::tempdir()?;
        std::fs::write(scratch.path().join("v8.mjs"), SCRIPT)?;
        std::fs::write(scratch.path().join("loop.wasm"), wat::parse_str(LOOP)?)?;
        let there = |path: PathBuf, how: &str| {
            let path = std::path::absolute(&path).unwrap_or(path);
            if !path.is_file() {
                eprintln!("{} is not there and is left out; {how}", path.display());
            }
            path.is_file().then_some(path)
        };
        Ok(Self {
            this,
            tenure: there(tenure, "cargo build --release -p tenure-cli"),
            node: there(node, &format!("npm install --prefix bench --no-save node@{NODE}"))
                .filter(|node| is_node(node)),
            scratch,
        })
    }

    /// Whether `engine` is there for `work`.
    pub fn has(&self, engine: EngineName, work: Work) -> bool {
        match engine {
            EngineName::V8 => self.node.is_some(),
            EngineName::Tenure if work.is_process() => self.tenure.is_some(),
            _ => true,
        }
    }

    /// What does `work` on `engine` in the current directory and writes a report, unless it is measured from outside.
    ///
    /// # Errors
    /// When the program is not there.
    pub fn command(&self, engine: EngineName, work: Work, report: &Path) -> Result<Command> {
        if engine == EngineName::V8 {
            return self.on_node(work, report);
        }
        if !work.is_process() {
            let mut command = Command::new(&self.this);
            command.args(["sample", engine.name(), &work.name()]).arg(report);
            return Ok(command);
        }
        let beside = |name: &str, setting: &str| {
            let mut command = Command::new(self.this.with_file_name(name));
            command.args([setting, &work.name(), PROGRAM]);
            command
        };
        Ok(match engine {
            EngineName::Wasmtime => beside("run_wasmtime", "cranelift"),
            EngineName::Winch => beside("run_wasmtime", "winch"),
            EngineName::Wasmi => beside("run_wasmi", "eager"),
            EngineName::WasmiLazy => beside("run_wasmi", "lazy"),
            _ => {
                let mut command = Command::new(self.tenure.as_ref().context("there is no `tenure`")?);
                let unknown = if work == Work::Start { "trap" } else { "default" };
                command.args(["run", "--dir", ".", "--unknown-imports", unknown, PROGRAM]);
                command
            }
        })
    }

    fn on_node(&self, work: Work, report: &Path) -> Result<Command> {
        let mut command = Command::new(self.node.as_ref().context("there is no `node`")?);
        command.arg("--no-warnings");
        if work == Work::Baseline {
            // Eager and on one thread, as the others are measured.
            command.args(["--liftoff-only", "--no-wasm-lazy-compilation", "--single-threaded"]);
        }
        let folder = self.scratch.path();
        let number = if work == Work::Loop { LOOP_ROUNDS } else { MOST_RUNS };
        command.arg(folder.join("v8.mjs")).arg(work.name());
        command.arg(if work.is_process() { Path::new("") } else { report });
        command.arg(number.to_string()).arg(folder.join("loop.wasm"));
        Ok(command)
    }
}
