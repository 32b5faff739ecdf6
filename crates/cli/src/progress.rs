//! A bar for work that takes a while, when a person is there to see it.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Work that is done sooner than this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);
/// Time between two looks at how far the work is.
const TICK: Duration = Duration::from_millis(100);

/// How far the work is; written by whoever does it, on any thread.
#[derive(Default)]
pub struct Meter {
    done: AtomicU64,
    /// 0 as long as nobody knows.
    total: AtomicU64,
}

impl Meter {
    /// `done` parts of `total` are done.
    pub fn set(&self, done: usize, total: usize) {
        self.done.store(done as u64, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
    }
}

/// Does `work`; if standard error is a terminal and it takes long, that is where `what` and its progress are shown.
pub fn during<R>(what: &str, work: impl FnOnce(&Meter) -> R) -> R {
    let meter = Meter::default();
    if !io::stderr().is_terminal() {
        return work(&meter);
    }
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(|| {
            let is_done = is_done;
            if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar = ProgressBar::new_spinner().with_message(what.to_owned());
                loop {
                    show(&bar, &meter);
                    if is_done.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                bar.finish_and_clear();
            }
        });
        let result = work(&meter);
        // Ends the wait; the scope then waits until the bar is gone from the terminal.
        drop(done);
        result
    })
}

/// A spinner that becomes a bar once the amount of work is known.
fn show(bar: &ProgressBar, meter: &Meter) {
    let total = meter.total.load(Ordering::Relaxed);
    if total > 0 && bar.length() != Some(total) {
        bar.set_length(total);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {wide_bar} {pos}/{len} functions") {
            bar.set_style(style);
        }
    }
    bar.set_position(meter.done.load(Ordering::Relaxed));
    bar.tick();
}
