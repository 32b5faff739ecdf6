//! What it costs to build the library from nothing, and how many crates that takes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::clock::Cost;
use crate::measures::{EngineName, Group};
use crate::results::{Key, Results};

/// The row of the build's CPU time.
pub const BUILD: &str = "clean release build";
/// The row of the number of crates.
pub const DEPENDENCIES: &str = "crates in the tree";

/// The dependency line of a program that embeds the library with what both have: a compiler, text, backtraces.
fn dependency(engine: EngineName) -> Option<String> {
    let tenure = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/api");
    match engine {
        EngineName::Tenure => Some(format!("tenure = {{ path = {:?} }}", tenure)),
        EngineName::Wasmtime => Some(
            r#"wasmtime = { version = "=48.0.8", default-features = false, features = ["runtime", "cranelift", "std", "wat", "parallel-compilation", "addr2line"] }"#
                .into(),
        ),
        _ => None,
    }
}

/// Builds each engine's library in release mode, from an empty target directory, `rounds` times in alternation.
///
/// # Errors
/// When a build fails.
pub fn measure(rounds: usize) -> Result<Results> {
    let engines = [EngineName::Tenure, EngineName::Wasmtime];
    let bar = ProgressBar::new((rounds * engines.len()) as u64);
    let mut costs = vec![Vec::new(); engines.len()];
    let mut results = Results::default();
    for round in 0..rounds {
        for (engine, costs) in engines.into_iter().zip(&mut costs) {
            bar.println(format!("building {}, {} of {rounds}", engine.name(), round + 1));
            let project = Project::new(engine)?;
            if round == 0 {
                let crates = project.count_crates()? as f64;
                let key = Key { group: Group::Build, row: DEPENDENCIES.into(), engine };
                results.add(key, &[Cost { cpu: crates, wall: crates }]);
            }
            costs.push(project.build()?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for (engine, costs) in engines.into_iter().zip(costs) {
        results.add(Key { group: Group::Build, row: BUILD.into(), engine }, &costs);
    }
    Ok(results)
}

/// A package in a temporary directory, with the library as its only dependency.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(engine: EngineName) -> Result<Self> {
        let dependency = dependency(engine).with_context(|| format!("no build for {}", engine.name()))?;
        let folder = tempfile::tempdir()?;
        let mut manifest = String::new();
        writeln!(
            manifest,
            "[workspace]\n[package]\nname = \"embedder\"\nversion = \"0.0.0\"\nedition = \"2024\""
        )?;
        writeln!(manifest, "[dependencies]\n{dependency}")?;
        std::fs::create_dir(folder.path().join("src"))?;
        std::fs::write(folder.path().join("src/lib.rs"), "")?;
        std::fs::write(folder.path().join("Cargo.toml"), manifest)?;
        // The same versions as here, and nothing to look up.
        std::fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"),
            folder.path().join("Cargo.lock"),
        )?;
        Ok(Self { folder })
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(self.folder.path());
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target")).env_remove("RUSTFLAGS");
        command
    }

    fn count_crates(&self) -> Result<usize> {
        let output = self.cargo(&["tree", "-e", "normal,build", "--prefix", "none"]).output()?;
        if !output.status.success() {
            bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let crates: std::collections::BTreeSet<&str> =
            text.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
        // The package itself is in its tree.
        Ok(crates.len() - 1)
    }

    fn build(&self) -> Result<Cost> {
        let (before, watch) = (children_cpu_time()?, std::time::Instant::now());
        let status = self.cargo(&["build", "--release", "--quiet"]).stdout(Stdio::null()).status()?;
        if !status.success() {
            bail!("the build ended with {status}");
        }
        let cost = Cost { cpu: children_cpu_time()? - before, wall: watch.elapsed().as_nanos() as f64 };
        Ok(cost)
    }
}

/// CPU time of all children that have ended, and theirs, in nanoseconds.
pub fn children_cpu_time() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 * 1e3)
}
