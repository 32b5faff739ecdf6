//! How often Tenure went from one tier to the next, counted from the events that it tells of: a rig whose guests never
//! move shows nothing about moving.

use std::fmt;
use std::ops::{AddAssign, Sub};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The target of events about tiers.
const TARGET: &str = "tenure::tiers";

static FUNCTIONS: AtomicU64 = AtomicU64::new(0);
static LOOPS: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// What was made of code that was running already.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Moves {
    /// Functions that got better code.
    pub functions: u64,
    /// Loops that got code to go on in. But for those made in the background, each was entered at least once.
    pub loops: u64,
    /// Functions and loops of which no better code could be made.
    pub refused: u64,
}

impl Moves {
    /// Those of this process, since [`listen`].
    pub fn so_far() -> Self {
        let [functions, loops, refused] =
            [&FUNCTIONS, &LOOPS, &REFUSED].map(|count| count.load(Ordering::Relaxed));
        Self { functions, loops, refused }
    }
}

impl AddAssign for Moves {
    fn add_assign(&mut self, other: Self) {
        self.functions += other.functions;
        self.loops += other.loops;
        self.refused += other.refused;
    }
}

impl Sub for Moves {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            functions: self.functions - other.functions,
            loops: self.loops - other.loops,
            refused: self.refused - other.refused,
        }
    }
}

/// Three numbers, as [`FromStr`] reads them.
impl fmt::Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { functions, loops, refused } = self;
        write!(f, "{functions} {loops} {refused}")
    }
}

impl FromStr for Moves {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
        let Ok(&[functions, loops, refused]) = numbers.as_deref() else { return Err(()) };
        Ok(Self { functions, loops, refused })
    }
}

/// Counts from here on. A second call changes nothing.
pub fn listen() {
    // Only a listener that is there already makes it fail.
    let _ = tracing::subscriber::set_global_default(Listener);
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        let count = match (said.is_refused, said.reason) {
            (true, Some(Reason::Hot | Reason::Loop)) => &REFUSED,
            (false, Some(Reason::Hot)) => &FUNCTIONS,
            (false, Some(Reason::Loop)) => &LOOPS,
            (_, None) => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What an event says, as far as it counts.
#[derive(Default)]
struct Said {
    is_refused: bool,
    reason: Option<Reason>,
}

enum Reason {
    Hot,
    Loop,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reason" {
            self.reason = match value {
                "hot" => Some(Reason::Hot),
                "loop" => Some(Reason::Loop),
                _ => None,
            };
        }
    }

    fn record_debug(&mut self, field: &Field, _: &dyn fmt::Debug) {
        // Only events of code that could not be made have it.
        self.is_refused |= field.name() == "error";
    }
}

#[cfg(test)]
mod tests {
    use super::Moves;

    #[test]
    fn moves_go_there_and_back() {
        let moves = Moves { functions: 3, loops: 20, refused: 0 };
        assert_eq!(moves.to_string().parse(), Ok(moves));
        assert_eq!("1 2".parse::<Moves>(), Err(()));
    }
}
