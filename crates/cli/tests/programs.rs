//! Real programs, run by the command: one test for each.
//!
//! Those of `tests/programs` are described by `programs.toml` there. Beside the workspace there may be a folder
//! `shared/programs` with larger ones, compiled by others, each with the output that a right run prints; they
//! call two functions around their kernel that the host may leave empty.
//!
//! `cargo test -p tenure-cli --test programs -- files` runs those whose name contains `files`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use toml::{Table, Value};

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut trials = own_programs(&root.join("tests/programs"));
    trials.extend(shared_programs(&root.join("../shared/programs")));
    libtest_mimic::run(&arguments, trials).exit();
}

/// The rows of `programs.toml`.
fn own_programs(folder: &Path) -> Vec<Trial> {
    let path = folder.join("programs.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows = table["program"].as_array().expect("rows of [[program]]");
    let described: Vec<Program> = rows.iter().map(|row| Program::new(folder, row)).collect();
    let mut trials: Vec<Trial> = described
        .iter()
        .cloned()
        .map(|program| {
            Trial::test(format!("own::{}", program.name), move || {
                program.runs().map_err(Failed::from)?;
                program.answers().map_err(Failed::from)
            })
        })
        .collect();
    let names: Vec<String> = described.into_iter().map(|program| program.name).collect();
    let folder = folder.to_owned();
    trials.push(Trial::test("own::each_source_has_a_row", move || {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "c") && !names.iter().any(|n| n == name)
            {
                return Err(format!("programs.toml has no row for {name}").into());
            }
        }
        Ok(())
    }));
    trials
}

/// A row of `programs.toml`; what its keys mean is said there.
#[derive(Clone)]
struct Program {
    folder: PathBuf,
    name: String,
    arguments: Vec<String>,
    environment: Vec<String>,
    stdin: Option<String>,
    directory: bool,
    stdout: Option<String>,
    stderr: Option<String>,
    status: i32,
    backtrace: Vec<String>,
    invoke: Vec<Invoke>,
}

/// A call of an export.
#[derive(Clone)]
struct Invoke {
    export: String,
    arguments: Vec<String>,
    prints: String,
}

impl Program {
    fn new(folder: &Path, row: &Value) -> Self {
        let invoke = row.get("invoke").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Self {
            folder: folder.to_owned(),
            name: text(row, "name").expect("a program has a name"),
            arguments: texts(row, "arguments"),
            environment: texts(row, "environment"),
            stdin: text(row, "stdin"),
            directory: row.get("directory").and_then(Value::as_bool).unwrap_or(false),
            stdout: text(row, "stdout"),
            stderr: text(row, "stderr"),
            status: row.get("status").and_then(Value::as_integer).map_or(0, |status| status as i32),
            backtrace: texts(row, "backtrace"),
            invoke: invoke
                .iter()
                .map(|call| Invoke {
                    export: text(call, "export").expect("a call names an export"),
                    arguments: texts(call, "arguments"),
                    prints: text(call, "prints").expect("a call prints something"),
                })
                .collect(),
        }
    }

    /// Runs it as a command, if it is one, and compares everything that can be seen.
    fn runs(&self) -> Result<(), String> {
        if !self.invoke.is_empty() {
            return Ok(());
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = tenure();
        command.arg("run");
        if self.directory {
            command.arg("--dir").arg(format!("{}::.", directory.path().display()));
        }
        for variable in &self.environment {
            command.arg("--env").arg(variable);
        }
        command.arg("--argv0").arg(format!("{}.wasm", self.name));
        command.arg(self.wasm()).args(&self.arguments);
        let input = self.stdin.as_deref().map_or(Ok(Vec::new()), |name| self.read(name))?;
        let output = run(command, &input)?;
        self.check(&output)
    }

    fn check(&self, output: &Output) -> Result<(), String> {
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(self.status) {
            return Err(format!("ended with {}, not with {}\n{errors}", output.status, self.status));
        }
        same("standard output", &output.stdout, &self.expected(self.stdout.as_deref())?)?;
        if self.backtrace.is_empty() {
            same("standard error", &output.stderr, &self.expected(self.stderr.as_deref())?)?;
        }
        let mut rest = &*errors;
        for part in &self.backtrace {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return Err(format!("{part:?} is not where it should be in\n{errors}")),
            }
        }
        Ok(())
    }

    /// Calls the exports of a library.
    fn answers(&self) -> Result<(), String> {
        for call in &self.invoke {
            let mut command = tenure();
            command.args(["run", "--invoke", &call.export]).arg(self.wasm()).args(&call.arguments);
            let output = run(command, b"")?;
            if !output.status.success() {
                let errors = String::from_utf8_lossy(&output.stderr);
                return Err(format!("{} ended with {}\n{errors}", call.export, output.status));
            }
            same(&call.export, &output.stdout, format!("{}\n", call.prints).as_bytes())?;
        }
        Ok(())
    }

    fn wasm(&self) -> PathBuf {
        self.folder.join(&self.name).with_extension("wasm")
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))
    }

    fn expected(&self, name: Option<&str>) -> Result<Vec<u8>, String> {
        name.map_or(Ok(Vec::new()), |name| self.read(name))
    }
}

fn text(row: &Value, key: &str) -> Option<String> {
    row.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn texts(row: &Value, key: &str) -> Vec<String> {
    let values = row.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    values.iter().map(|value| value.as_str().expect("a list of texts").to_owned()).collect()
}

/// What of the shared programs cannot run yet, and why.
const NOT_YET: &[(&str, &str)] = &[("splay", "it needs the garbage collection proposal")];

/// The programs of `folder`, a folder each with `program.wasm` and `*.expected`; none if there is no such folder.
fn shared_programs(folder: &Path) -> Vec<Trial> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("program.wasm").is_file())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?.to_owned();
            let not_yet = NOT_YET.iter().find(|row| row.0 == name);
            Some(Trial::test(format!("shared::{name}"), move || match (not_yet, run_shared(&folder)) {
                (None, outcome) => outcome.map_err(Failed::from),
                (Some(_), Err(_)) => Ok(()),
                (Some((_, reason)), Ok(())) => {
                    Err(format!("it runs, though {reason}: take it out of the list").into())
                }
            }))
        })
        .collect()
}

fn run_shared(folder: &Path) -> Result<(), String> {
    let mut command = tenure();
    command.current_dir(folder);
    command.args(["run", "--dir", ".", "--unknown-imports", "default", "program.wasm"]);
    let output = run(command, b"")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("ended with {}\n{errors}", output.status));
    }
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let expected = || fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
        if name.ends_with("stdout.expected") {
            same("standard output", &output.stdout, &expected()?)?;
        } else if name.ends_with("stderr.expected") {
            same("standard error", &output.stderr, &expected()?)?;
        }
    }
    Ok(())
}

fn tenure() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tenure"))
}

fn run(mut command: Command, input: &[u8]) -> Result<Output, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    // The inputs are smaller than a pipe holds. A guest that does not read may be gone by now.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().map_err(|error| error.to_string())
}

fn same(what: &str, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let line = found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected).count();
    Err(format!(
        "{what} differs at line {}: found {:?}, expected {:?}",
        line + 1,
        found.lines().nth(line),
        expected.lines().nth(line)
    ))
}
