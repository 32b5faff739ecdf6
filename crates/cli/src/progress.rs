//! One line about work that takes a while, when a person is there to see it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Work that is done sooner than this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time between two looks at how far the work is.
const TICK: Duration = Duration::from_millis(100);
/// Most characters of what the work is called: a line that is broken in two could not be taken back.
const MOST_WHAT: usize = 40;

/// To the start of the line, and nothing after it.
const CLEAR: &str = "\r\x1b[K";

/// Shows how far the work is. Told by whoever does it, on any thread.
pub struct Meter {
    what: String,
    /// When the line is due; `None` when nobody would see it.
    due: Option<Mutex<Instant>>,
}

impl Meter {
    /// `done` functions of `total` are done.
    pub fn set(&self, done: usize, total: usize) {
        // Whoever finds it locked leaves the line to the one who shows it now.
        let Some(mut due) = self.due.as_ref().and_then(|due| due.try_lock().ok()) else { return };
        let now = Instant::now();
        if now >= *due {
            *due = now + TICK;
            show(&format!("{CLEAR}{}: {done} of {total} functions", self.what));
        }
    }
}

/// Does `work`; if standard error is a terminal and it takes long, that is where `what` and its progress are shown.
pub fn during<R>(what: &str, work: impl FnOnce(&Meter) -> R) -> R {
    if !io::stderr().is_terminal() {
        return work(&Meter { what: String::new(), due: None });
    }
    let started = Instant::now();
    let due = Some(Mutex::new(started + PATIENCE));
    let result = work(&Meter { what: what.chars().take(MOST_WHAT).collect(), due });
    if started.elapsed() >= PATIENCE {
        show(CLEAR);
    }
    result
}

/// Puts `text` on the terminal. One that does not take it is not worth an error.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
