//! Runs part of a test in a process of its own, which may die of it.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// The exit code of a child that did all it should. Not 0, which is that of a child that found nothing to do.
pub const WELL: i32 = 42;

/// How a child process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The body returned, or exited with [`WELL`].
    Well,
    /// A signal killed it.
    Signal(i32),
}

/// Runs `body` in a child process and compares how it ended. `test` is the full name of the test that calls:
/// the child is this program, told to run that test alone, and runs `body` when it arrives here again.
pub fn child(test: &str, expected: Ended, body: impl FnOnce()) {
    const MARK: &str = "TENURE_SYS_CHILD";
    if std::env::var_os(MARK).is_some_and(|name| name == test) {
        body();
        std::process::exit(WELL);
    }
    let program = std::env::current_exe().expect("the test program has a path");
    let output = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .output()
        .expect("the test program runs");
    let ended = match (output.status.code(), output.status.signal()) {
        (Some(WELL), _) => Ok(Ended::Well),
        (_, Some(signal)) => Ok(Ended::Signal(signal)),
        (code, None) => Err(code),
    };
    assert_eq!(ended, Ok(expected), "{}", String::from_utf8_lossy(&output.stderr));
}
