//! What was measured on, and with: one line that makes two runs comparable or not.

use std::process::Command;

/// Exact versions of the peers, as in `Cargo.toml` and below.
pub const PEERS: &str = "wasmtime 48.0.8, wasmi 2.0.0, node 26.10.0";
/// The version of `node` among them.
pub const NODE: &str = "26.10.0";

/// Processor, cores, system, compiler and peers.
pub fn setting() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor =
        first_line_with("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".into());
    let system = output("uname", &["-sr"]).unwrap_or_else(|| "an unknown system".into());
    let compiler = output("rustc", &["--version"]).unwrap_or_else(|| "an unknown compiler".into());
    let compiler = compiler.split(" (").next().unwrap_or_default();
    format!("{processor}, {cores} cores, {system}; {compiler}; {PEERS}")
}

/// The commit that was measured, if this is a repository.
pub fn revision() -> Option<String> {
    output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"])
}

fn first_line_with(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
