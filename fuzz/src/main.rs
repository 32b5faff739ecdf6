//! The differential rig: generated modules on Tenure and on its peers, compared step by step.
//!
//! ```text
//! (profile, seed) ──generate──▶ module ──script──▶ calls ──engines──▶ steps ──difference──▶ verdict
//! ```
//! A case is a profile and a seed, and nothing else decides what happens in it. `rig run` has cases done by processes
//! of their own ([`batch`], [`worker`]), so that one that crashes is known by its seed.

mod batch;
mod bodies;
mod campaign;
mod case;
mod engine;
mod generate;
mod lattice;
mod moves;
mod outcome;
mod profile;
mod replay;
mod rng;
mod scan;
mod script;
mod shrink;
mod stats;
mod value;
mod worker;

use case::{Choice, Width};
use clap::{Args, Parser, Subcommand};
use profile::{PROFILES, Profile};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs generated modules on Tenure and its peers, and compares.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Many cases.
#[derive(Args)]
struct Cases {
    /// The profile; `all` for each of them.
    #[arg(long, default_value = "all", value_parser = profiles)]
    profile: Profiles,
    /// How many seeds of each profile.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    start: u64,
}

/// One case.
#[derive(Args)]
struct OneCase {
    /// The profile.
    #[arg(long, value_parser = profile)]
    profile: &'static Profile,
    /// The seed.
    #[arg(long)]
    seed: u64,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds.
    Run {
        #[command(flatten)]
        cases: Cases,
        /// How many processes at a time.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// Run one configuration of Tenure a case, not one of each tier: more modules in the same time.
        #[arg(long)]
        narrow: bool,
        /// Tell of every case in which only a witness differs.
        #[arg(long)]
        witnesses: bool,
    },
    /// Run one seed on every configuration, and say what happened.
    Replay {
        #[command(flatten)]
        case: OneCase,
        /// Write the module to this file.
        #[arg(long)]
        save: Option<PathBuf>,
        /// Make the module smaller, if it is a find, and write it to the file of `--save`.
        #[arg(long, requires = "save")]
        shrink: bool,
        /// How many attempts in vain end the shrinking.
        #[arg(long, default_value_t = 400)]
        attempts: u32,
    },
    /// Say what the generators make.
    Stats {
        /// The profile; every one by default.
        #[arg(long, value_parser = profile)]
        profile: Option<&'static Profile>,
        /// How many seeds to look at.
        #[arg(long, default_value_t = 300)]
        seeds: u64,
    },
    /// Change function bodies, and check them quickly and by wasmparser.
    Bodies {
        #[command(flatten)]
        cases: Cases,
        /// How often each module's bodies are changed.
        #[arg(long, default_value_t = 20)]
        changes: u64,
    },
    /// List the profiles.
    Profiles,
    /// Run a module as if it were that of a seed.
    Check {
        #[command(flatten)]
        case: OneCase,
        /// The module.
        file: PathBuf,
    },
    /// Run some seeds in this process: what `run` starts.
    #[command(hide = true)]
    Batch {
        #[arg(long, value_parser = profile)]
        profile: &'static Profile,
        #[arg(long)]
        start: u64,
        #[arg(long)]
        count: u64,
        #[arg(long)]
        narrow: bool,
        #[arg(long)]
        no_witnesses: bool,
    },
}

/// Some of the profiles.
type Profiles = &'static [Profile];

fn profile(name: &str) -> Result<&'static Profile, String> {
    profile::find(name).ok_or_else(|| format!("there is no profile `{name}`; `rig profiles` lists them"))
}

/// The profile called `name`, or every one for `all`.
fn profiles(name: &str) -> Result<Profiles, String> {
    match name {
        "all" => Ok(PROFILES),
        name => profile(name).map(std::slice::from_ref),
    }
}

fn width(is_narrow: bool) -> Width {
    if is_narrow { Width::One } else { Width::OneATier }
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run { cases: Cases { profile: profiles, seeds, start }, jobs, narrow, witnesses } => {
            let width = width(narrow);
            let finds = campaign::run(&campaign::Plan { profiles, start, seeds, jobs, width, witnesses })?;
            return Ok(if finds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Bodies { cases: Cases { profile: profiles, seeds, start }, changes } => {
            let finds = bodies::run(profiles, start, seeds, changes);
            return Ok(if finds == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Replay { case: OneCase { profile, seed }, save, shrink, attempts } => {
            replay::replay(profile, seed, save.as_deref(), shrink.then_some(attempts))?;
        }
        Command::Stats { profile: Some(profile), seeds } => stats::print(profile, seeds),
        Command::Stats { profile: None, seeds } => {
            PROFILES.iter().for_each(|profile| stats::print(profile, seeds));
        }
        Command::Profiles => {
            PROFILES.iter().for_each(|profile| println!("{:11} {}", profile.name, profile.about));
        }
        Command::Check { case: OneCase { profile, seed }, file } => replay::check(profile, seed, &file)?,
        Command::Batch { profile, start, count, narrow, no_witnesses } => {
            batch::run(profile, start, count, Choice { width: width(narrow), witnesses: !no_witnesses })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
