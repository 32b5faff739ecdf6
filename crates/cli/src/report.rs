//! What a user sees of an error, and the code the process exits with.
//!
//! | what happened | exit code |
//! |---|---|
//! | the guest called `proc_exit` | the guest's |
//! | a trap | 134, as of a process that aborted |
//! | any other error | 1 |
//! | arguments that make no sense | 2 (from `clap`) |

use std::fmt::Write as _;
use std::io::{self, Write as _};

use tenure::{Error, FrameInfo, Result, Trap, WasmBacktrace};
use tenure_wasi::I32Exit;

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// Something did not.
pub const FAILURE: u8 = 1;
/// What a shell says of a process that was ended by `SIGABRT`.
const TRAPPED: u8 = 134;

/// Writes `text` to standard output. A reader that went away is no error: it has seen what it wanted.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error; if that fails there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells the user of `error`, if there is something to tell, and gives the code to exit with.
pub fn error(error: &Error) -> u8 {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return exit_code(*code);
    }
    note(&text(error));
    if error.downcast_ref::<Trap>().is_some() { TRAPPED } else { FAILURE }
}

/// The guest's exit code. A process has eight bits for it; what is no success stays none.
fn exit_code(code: i32) -> u8 {
    match code as u8 {
        0 if code != 0 => FAILURE,
        low => low,
    }
}

/// The error, what caused it, and where the guest was.
fn text(error: &Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    // The backtrace is one of the causes; it has a place of its own below.
    let shown = backtrace.map(|backtrace| backtrace.to_string());
    let causes = error.chain().map(|cause| cause.to_string()).filter(|cause| Some(cause) != shown.as_ref());

    let mut text = String::new();
    for (at, cause) in causes.enumerate() {
        let lead = if at == 0 { "error: " } else { "\n  because: " };
        let _ = write!(text, "{lead}{}", cause.trim_end());
    }
    if let Some(backtrace) = backtrace
        && !backtrace.frames().is_empty()
    {
        text.push_str("\nwasm backtrace:");
        for (at, frame) in backtrace.frames().iter().enumerate() {
            let _ = write!(text, "\n{at:>5}: {}", place(frame));
        }
    }
    text
}

/// Where a frame is: offset in the module, module and function; and with DWARF, the source.
fn place(frame: &FrameInfo) -> String {
    let mut text = match frame.module_offset() {
        Some(offset) => format!("{offset:#08x} "),
        None => String::new(),
    };
    let module = frame.module().name().unwrap_or("<unnamed>");
    let function = match frame.func_name() {
        Some(name) => demangled(name),
        None => format!("<function {}>", frame.func_index()),
    };
    let _ = write!(text, "{module}!{function}");
    for symbol in frame.symbols() {
        let name = symbol.name().map_or(function.clone(), demangled);
        if name != function {
            let _ = write!(text, "\n         inlined: {name}");
        }
        if let Some(file) = symbol.file() {
            let _ = write!(text, "\n         at {file}");
            if let Some(line) = symbol.line() {
                let _ = write!(text, ":{line}");
            }
            if let Some(column) = symbol.column() {
                let _ = write!(text, ":{column}");
            }
        }
    }
    text
}

/// A Rust symbol as its author wrote it, without the hash; any other name as it is.
pub fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
