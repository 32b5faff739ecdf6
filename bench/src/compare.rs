//! The parent: runs children in alternation and collects their samples.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::build_time::children_cpu_time;
use crate::clock::Cost;
use crate::measures::{Case, EngineName, Group, Work};
use crate::process::Programs;
use crate::results::{Key, Results};

/// Runs every case on every engine, one sample each in turn (A B C A B C …), and summarizes.
///
/// An engine that fails at a case takes no further turns in it; why is part of the results.
///
/// # Errors
/// When a child cannot be started at all.
pub fn compare(programs: &Programs, cases: &[Case], engines: &[EngineName]) -> Result<Results> {
    let can = |case: &Case| -> Vec<EngineName> {
        let able = case.work.engines().iter().copied();
        able.filter(|&engine| engines.contains(&engine) && programs.has(engine, case.work)).collect()
    };
    let turns: usize = cases.iter().map(|case| case.rounds * can(case).len()).sum();
    let bar = ProgressBar::new(turns as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left").expect("a valid template"),
    );
    let mut results = Results::default();
    for case in cases {
        let engines = can(case);
        let mut running = engines.clone();
        let mut costs: BTreeMap<Key, Vec<Cost>> = BTreeMap::new();
        for _ in 0..case.rounds {
            for &engine in &engines {
                bar.inc(1);
                if !running.contains(&engine) {
                    continue;
                }
                bar.set_message(format!("{} ({:?}) on {}", case.name, case.work, engine.name()));
                match sample(programs, case, engine) {
                    Ok(sample) => {
                        for (metric, cost) in sample {
                            let (group, row) = Group::of(case, &metric);
                            costs.entry(Key { group, row, engine }).or_default().push(cost);
                        }
                    }
                    Err(error) => {
                        running.retain(|&other| other != engine);
                        costs.retain(|key, _| key.engine != engine);
                        bar.println(format!(
                            "{} ({:?}) on {}: {error:#}",
                            case.name,
                            case.work,
                            engine.name()
                        ));
                        let (group, _) = Group::of(case, "execute");
                        results.fail(Key { group, row: case.name.clone(), engine }, &format!("{error:#}"));
                    }
                }
            }
        }
        for (key, costs) in costs {
            results.add(key, &costs);
        }
    }
    bar.finish_and_clear();
    Ok(results)
}

/// One sample, from a child process.
fn sample(programs: &Programs, case: &Case, engine: EngineName) -> Result<Vec<(String, Cost)>> {
    let scratch = tempfile::tempdir()?;
    let report = scratch.path().join("report");
    let printed = scratch.path().join("stdout");
    let mut command = programs.command(engine, case.work, &report)?;
    command
        .current_dir(case.folder.as_deref().unwrap_or(scratch.path()))
        // With these set, each error of a library takes a backtrace of the host.
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(File::create(&printed)?)
        .stderr(Stdio::piped());
    let (output, mut whole) = run(&mut command)?;
    if case.work.is_process() {
        // It matters to a short process whose turn was before: the first of several finds another engine's data in the caches.
        for _ in 1..STARTS {
            if whole.wall < SHORT {
                command.stdout(File::create(&printed)?);
                let (_, again) = run(&mut command)?;
                whole = if again.wall < whole.wall { again } else { whole };
            }
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_stopped = case.work == Work::Start && engine == EngineName::Tenure;
    if is_stopped && !errors.contains(STOPPED) {
        bail!("{}: {}", output.status, reason(&errors));
    }
    if !is_stopped && !output.status.success() {
        bail!("{}: {}", output.status, reason(&errors));
    }
    if case.work.prints_once() {
        check_output(case.folder.as_deref(), &printed)?;
    }
    if case.work.is_process() {
        return Ok(vec![("process".to_owned(), whole)]);
    }
    let report = std::fs::read_to_string(&report).context("the child wrote no report")?;
    report
        .lines()
        .map(|line| parse(line).with_context(|| format!("a wrong line in a report: {line}")))
        .collect()
}

/// What a process of `command` prints and costs.
fn run(command: &mut Command) -> Result<(Output, Cost)> {
    let (before, watch) = (children_cpu_time()?, Instant::now());
    let output = command.output().context("cannot start a child process")?;
    let wall = watch.elapsed().as_nanos() as f64;
    Ok((output, Cost { cpu: children_cpu_time()? - before, wall }))
}

/// How often a process is started that takes less than [`SHORT`] nanoseconds; the fastest counts.
const STARTS: usize = 5;
const SHORT: f64 = 250e6;

/// What `tenure run` says when the import that the guest called was made to trap.
const STOPPED: &str = "bench";

/// Why a child failed, in one line. Guests write to standard error too, before it does.
fn reason(errors: &str) -> &str {
    let said = |line: &&str| ["Error: ", "fatal runtime error: "].iter().any(|start| line.starts_with(start));
    let line = errors.lines().find(said).or(errors.lines().last()).unwrap_or("it said nothing");
    line.trim_start_matches("Error: ").trim()
}

fn parse(line: &str) -> Option<(String, Cost)> {
    let mut parts = line.split('\t');
    let name = parts.next()?.to_owned();
    let cpu = parts.next()?.parse().ok()?;
    let wall = parts.next()?.parse().ok()?;
    Some((name, Cost { cpu, wall }))
}

/// A fast wrong answer is no answer: compares with what the program should print, if that is known.
fn check_output(folder: Option<&Path>, printed: &Path) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("stdout.expected")
            && std::fs::read(&path)? != std::fs::read(printed)?
        {
            bail!("it printed something else than {} says", path.display());
        }
    }
    Ok(())
}
