//! The `tenure` command: runs, checks, compiles and shows WebAssembly modules.
//!
//! ```text
//! main ──▶ command/… ──▶ input     a file or standard input, text or binary, as bytes
//!                   ├──▶ values    guest values from and to text
//!                   ├──▶ sections  what a binary is made of
//!                   ├──▶ tiers     what is compiled when: lines, a picture
//!                   └──▶ progress  a line, when somebody waits
//! start: where the process begins
//! report: what an error looks like, and the code the process exits with
//! ```
//! Every command returns an error instead of printing it; [`report`] is the one place that does.
#![deny(unsafe_code)]
#![cfg_attr(all(target_os = "linux", target_env = "gnu", not(test)), no_main)]

use std::ffi::OsString;

use clap::{Args, FromArgMatches as _, Parser, Subcommand};

mod report;

#[cfg(all(target_os = "linux", target_env = "gnu", not(test)))]
#[expect(unsafe_code, reason = "the C library calls a function by its name")]
mod start;

mod disassembler;
mod input;
mod progress;
mod sections;
mod tiers;
mod types;
mod values;

mod command;

/// Runs WebAssembly: `tenure FILE` is short for `tenure run FILE`
#[derive(Parser)]
#[command(name = "tenure", version, about, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(command::Run),
    Wast(command::Wast),
    Compile(command::Compile),
    Inspect(command::Inspect),
    Validate(command::Validate),
}

// The unwinder becomes a part of the program: to find and map one more shared library takes as long as a small guest.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "names a library to link with, and declares nothing of it")]
#[link(name = "gcc_eh", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}

#[cfg(not(all(target_os = "linux", target_env = "gnu", not(test))))]
fn main() -> std::process::ExitCode {
    run().into()
}

/// Does what the command line asks for; the code to exit with.
fn run() -> u8 {
    let outcome = match parse(with_default_command(std::env::args_os().collect())) {
        Command::Run(command) => command.execute(),
        Command::Wast(command) => command.execute(),
        Command::Compile(command) => command.execute(),
        Command::Inspect(command) => command.execute(),
        Command::Validate(command) => command.execute(),
    };
    outcome.unwrap_or_else(|error| report::error(&error))
}

/// What `args` ask for; ends the process when that is help, or nothing that there is.
fn parse(args: Vec<OsString>) -> Command {
    // To describe the other commands too would take longer than a small guest runs.
    if args.get(1).is_some_and(|arg| arg == "run") {
        let described = command::Run::augment_args(clap::Command::new("run").bin_name("tenure run"));
        let mut matches = described.get_matches_from(&args[1..]);
        Command::Run(command::Run::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit()))
    } else {
        Cli::parse_from(args).command
    }
}

/// Puts `run` before arguments that name no command.
fn with_default_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let names_command = |arg: &OsString| {
        let Some(arg) = arg.to_str() else { return false };
        ["help", "-h", "--help", "-V", "--version"].contains(&arg) || Command::has_subcommand(arg)
    };
    if args.get(1).is_some_and(|arg| !names_command(arg)) {
        args.insert(1, "run".into());
    }
    args
}
