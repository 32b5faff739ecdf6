//! Runs the programs in `examples/` at the root: they assert what they show.
//!
//! `cargo test --workspace` builds them before any test runs; where only this test was asked for, they are built here.

use std::fs;
use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

/// The examples that a crate's manifest lists: names and paths.
fn listed(root: &Path, name: &str) -> Vec<(String, String)> {
    let path = root.join(format!("crates/{name}/Cargo.toml"));
    let manifest: Table = fs::read_to_string(path).expect("a manifest").parse().expect("a manifest is TOML");
    let rows = manifest.get("example").and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |row: &Value, key: &str| row.get(key).and_then(Value::as_str).expect("a name and a path").to_owned();
    rows.iter().map(|row| (text(row, "name"), text(row, "path"))).collect()
}

/// What runs an example: the program itself, or Cargo if that was not built.
fn command(root: &Path, package: &str, example: &str) -> Command {
    let test = std::env::current_exe().expect("a test is a program");
    let built = test.ancestors().nth(2).map(|profile| profile.join("examples").join(example));
    match built.filter(|path| path.is_file()) {
        Some(path) => Command::new(path),
        None => {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["run", "--quiet", "-p", package, "--example", example]).current_dir(root);
            cargo
        }
    }
}

#[test]
fn every_example_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found: Vec<String> = fs::read_dir(root.join("examples"))
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    found.sort();

    let mut run = Vec::new();
    for (name, package) in [("api", "tenure"), ("wasi", "tenure-wasi")] {
        for (example, path) in listed(&root, name) {
            let output = command(&root, package, &example).output().expect("a program starts");
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            run.push(path.trim_start_matches("../../examples/").to_owned());
        }
    }
    run.sort();
    assert_eq!(run, found, "each file in examples/ is listed in the manifest of the crate it shows");
}
