//! The `tenure` command: runs, checks, compiles and shows WebAssembly modules.
//!
//! ```text
//! main ──▶ command/… ──▶ input     a file or standard input, text or binary, as bytes
//!                   ├──▶ values    guest values from and to text
//!                   ├──▶ sections  what a binary is made of
//!                   ├──▶ tiers     what is compiled when: lines, a picture
//!                   └──▶ progress  a spinner, when somebody waits
//! report: what an error looks like, and the code the process exits with
//! ```
//! Every command returns an error instead of printing it; [`report`] is the one place that does.
#![deny(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod report;

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

fn main() -> ExitCode {
    let cli = Cli::parse_from(with_default_command(std::env::args_os().collect()));
    let outcome = match cli.command {
        Command::Run(command) => command.execute(),
        Command::Wast(command) => command.execute(),
        Command::Compile(command) => command.execute(),
        Command::Inspect(command) => command.execute(),
        Command::Validate(command) => command.execute(),
    };
    outcome.unwrap_or_else(|error| report::error(&error))
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
