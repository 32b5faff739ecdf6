//! A spinner for work that takes a while, when a person is there to see it.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

/// Work that is done sooner than this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);

/// Does `work`; if standard error is a terminal and it takes long, a spinner there says `what`.
pub fn during<R>(what: String, work: impl FnOnce() -> R) -> R {
    if !io::stderr().is_terminal() {
        return work();
    }
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let spinner = ProgressBar::new_spinner().with_message(what);
                spinner.enable_steady_tick(Duration::from_millis(100));
                let _ = is_done.recv();
                spinner.finish_and_clear();
            }
        });
        let result = work();
        // Ends the wait; the scope then waits until the spinner is gone from the terminal.
        drop(done);
        result
    })
}
