//! The standard streams of a guest, and what can stand behind them.
//!
//! A stream is whatever implements [`StdinStream`] or [`StdoutStream`]: the process's own
//! streams, a file, a [pipe in memory](crate::pipe), nothing at all ([`Empty`]), or the
//! embedder's type. Reads and writes go straight from and to the guest's memory.

use crate::os;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};

pub use crate::os::Handle;

/// Whether a stream is a terminal. Guests ask, to choose colours and buffering.
pub trait IsTerminal {
    /// Whether this stream is a terminal.
    fn is_terminal(&self) -> bool;
}

/// Whether a stream can be read or written without waiting, for `poll_oneoff`.
pub enum Readiness<'a> {
    /// It can.
    Now {
        /// How many bytes; 0 if the stream has ended, 1 if it does not know.
        bytes: u64,
        /// Whether the other side is gone.
        hangup: bool,
    },
    /// The system knows, if it is asked about this handle.
    Ask(Handle<'a>),
}

/// What a guest reads as its standard input.
pub trait StdinStream: IsTerminal + Send {
    /// Reads into `buffers` in their order and returns how many bytes; 0 is the end.
    ///
    /// May wait for the first byte, and need not fill the buffers.
    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// Whether [`read`](Self::read) would not wait. Unless overridden, it never does.
    fn readiness(&self) -> Readiness<'_> {
        Readiness::Now { bytes: 1, hangup: false }
    }
}

/// What a guest writes as its standard output or error.
pub trait StdoutStream: IsTerminal + Send {
    /// Writes from `buffers` in their order and returns how many bytes.
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether [`write`](Self::write) would not wait. Unless overridden, it never does.
    fn readiness(&self) -> Readiness<'_> {
        Readiness::Now { bytes: 1, hangup: false }
    }
}

/// A stream that has ended: reads find nothing, writes go nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

impl IsTerminal for Empty {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Empty {
    fn read(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(0)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Now { bytes: 0, hangup: true }
    }
}

impl StdoutStream for Empty {
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(buffers.iter().map(|buffer| buffer.len()).sum())
    }
}

/// The standard input of this process, read past the buffer of [`std::io::stdin`].
#[derive(Debug)]
pub struct Stdin(io::Stdin);

/// The standard input of this process.
pub fn stdin() -> Stdin {
    Stdin(io::stdin())
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl StdinStream for Stdin {
    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        os::read(&self.0, buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Ask(os::handle(&self.0))
    }
}

/// The standard output of this process. What the host printed before comes out before.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

/// The standard output of this process.
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl StdoutStream for Stdout {
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut lock = self.0.lock();
        lock.flush()?;
        os::write(&lock, buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Ask(os::handle(&self.0))
    }
}

/// The standard error of this process.
#[derive(Debug)]
pub struct Stderr(io::Stderr);

/// The standard error of this process.
pub fn stderr() -> Stderr {
    Stderr(io::stderr())
}

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl StdoutStream for Stderr {
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        os::write(self.0.lock(), buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Ask(os::handle(&self.0))
    }
}

/// A file as standard input.
#[derive(Debug)]
pub struct InputFile(File);

impl InputFile {
    /// Reads `file` from where it stands.
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl IsTerminal for InputFile {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl StdinStream for InputFile {
    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        os::read(&self.0, buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Ask(os::handle(&self.0))
    }
}

/// A file as standard output or error.
#[derive(Debug)]
pub struct OutputFile(File);

impl OutputFile {
    /// Writes to `file` where it stands.
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl IsTerminal for OutputFile {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&self.0)
    }
}

impl StdoutStream for OutputFile {
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        os::write(&self.0, buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Ask(os::handle(&self.0))
    }
}
