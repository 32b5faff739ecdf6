//! A batch as its parent sees it: a process that reports, falls silent, or dies.

use crate::batch::Report;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A running process of the rig's own program.
pub struct Worker {
    child: Child,
    reports: Receiver<Report>,
    errors: std::fs::File,
    patience: Duration,
}

/// What came of waiting for a worker.
#[derive(Debug)]
pub enum Event {
    /// It said something.
    Report(Report),
    /// It ended, well or not.
    Ended {
        /// Whether it did all it had to.
        is_success: bool,
        /// How it ended and what it had to say last.
        text: String,
    },
    /// It said nothing for too long, and was ended.
    Silent,
}

impl Worker {
    /// Starts the program with `arguments`. A worker that says nothing for longer than `patience` is ended.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub fn start(arguments: &[&str], patience: Duration) -> io::Result<Self> {
        let errors = tempfile::tempfile()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            // Guests trap all the time; who wants to know where from in the host runs the case by itself.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone()?)
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("the worker has no output"))?;
        let (sender, reports) = channel();
        std::thread::spawn(move || {
            for report in
                BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| line.parse().ok())
            {
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, reports, errors, patience })
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// When the system does not tell how the process ended.
    pub fn wait(&mut self) -> io::Result<Event> {
        match self.reports.recv_timeout(self.patience) {
            Ok(report) => Ok(Event::Report(report)),
            Err(RecvTimeoutError::Timeout) => {
                self.child.kill()?;
                self.child.wait()?;
                Ok(Event::Silent)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait()?;
                let mut text = Vec::new();
                self.errors.rewind()?;
                self.errors.read_to_end(&mut text)?;
                let text = String::from_utf8_lossy(&text);
                let last = text.lines().rev().take(8).collect::<Vec<_>>();
                let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
                Ok(Event::Ended { is_success: status.success(), text: format!("{status}: {last}") })
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Already gone, mostly; then both fail, and nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
