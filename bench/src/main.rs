//! Measures Tenure beside `wasmtime`, `wasmi` and V8, and writes `docs/performance.md` with its plots.
//!
//! ```text
//! main ─ cases ─▶ compare ── a process a sample, in turn ──▶ sample ─▶ engine.rs (tenure, wasmtime), peer_wasmi
//!                    │          └─ process: `tenure`, `node`, bin/…: measured from outside, or by guests/v8.mjs
//!                    └─ costs ─▶ results (kept in results.tsv) ─▶ report, plot
//! ```
//! `node` is installed by `npm install --prefix bench --no-save node@26.10.0`, the `tenure` command is built by
//! `cargo build --release -p tenure-cli`; without them their columns are left out.

mod build_time;
mod clock;
mod compare;
mod machine;
mod measures;
mod overhead;
mod peer_wasmi;
mod plot;
mod process;
mod reclaim;
mod report;
mod resident;
mod results;
mod sample;
mod wasm;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser;

use crate::measures::{EngineName, Work};
use crate::process::Programs;
use crate::results::Results;

/// Compare Tenure with its peers
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Programs to run: a folder each, with program.wasm [default: shared/programs beside the repository]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// The `tenure` command [default: target/release/tenure of the repository]
    #[arg(long, value_name = "FILE")]
    tenure: Option<PathBuf>,

    /// Only what has this name: a program's folder, `calls`, `instances`, `loop`, or `cycles`
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Only this kind of work
    #[arg(long, value_name = "WORK", value_delimiter = ',')]
    work: Vec<Work>,

    /// Only these engines
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    engines: Vec<EngineName>,

    /// How many samples of each
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// A first look: two samples each, printed and not kept
    #[arg(long)]
    quick: bool,

    /// Measure building the library instead
    #[arg(long)]
    build: bool,

    /// Measure what counting fuel, watching epochs and checking accesses cost instead, and print it
    #[arg(long)]
    overhead: bool,

    #[command(subcommand)]
    hidden: Option<Hidden>,
}

#[derive(clap::Subcommand)]
enum Hidden {
    /// Take one sample: what the comparison runs in processes of their own
    #[command(hide = true)]
    Sample(sample::Request),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Hidden::Sample(request)) = &arguments.hidden {
        return request.carry_out();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rounds = if arguments.quick { 2 } else { arguments.rounds };
    if arguments.overhead {
        print!("{}", overhead::measure(&folders(&arguments, &root)?, rounds)?);
        return Ok(());
    }
    let measured =
        if arguments.build { build_time::measure(rounds)? } else { compare(&arguments, &root, rounds)? };

    let setting = machine::setting();
    if arguments.quick {
        print!("{}", report::page(&measured, &setting));
        return Ok(());
    }
    let kept = root.join("bench/results.tsv");
    let mut results = Results::load(&kept, &setting)?;
    results.merge(measured);
    results.save(&kept, &setting)?;
    report::write(&results, &setting, &root.join("docs"))?;
    print!("{}", report::page(&results, &setting));
    Ok(())
}

/// Where the programs are.
fn programs(arguments: &Arguments, root: &Path) -> Result<PathBuf> {
    let folder = arguments.programs.clone().unwrap_or_else(|| root.join("../shared/programs"));
    Ok(std::path::absolute(folder)?)
}

/// The folders of the programs that were asked for.
fn folders(arguments: &Arguments, root: &Path) -> Result<Vec<PathBuf>> {
    let mut cases = measures::cases(&programs(arguments, root)?, 1)?;
    cases.retain(|case| case.work == Work::Program);
    cases.retain(|case| arguments.only.is_empty() || arguments.only.contains(&case.name));
    Ok(cases.into_iter().filter_map(|case| case.folder).collect())
}

fn compare(arguments: &Arguments, root: &Path, rounds: usize) -> Result<Results> {
    let mut cases = measures::cases(&programs(arguments, root)?, rounds)?;
    if !arguments.only.is_empty() {
        cases.retain(|case| arguments.only.contains(&case.name));
    }
    if !arguments.work.is_empty() {
        cases.retain(|case| arguments.work.contains(&case.work));
    }
    if cases.is_empty() {
        bail!("nothing is called {} or has work {:?}", arguments.only.join(" or "), arguments.work);
    }
    let engines = if arguments.engines.is_empty() { &EngineName::ALL[..] } else { &arguments.engines };
    compare::compare(&Programs::find(arguments.tenure.clone(), root)?, &cases, engines)
}
