//! The clocks a guest can read; an embedder can put its own in their place.

use crate::os;
use crate::types::{ClockId, Errno};
use std::time::{Duration, Instant, SystemTime};

/// The time of day.
pub trait HostWallClock: Send {
    /// The smallest step of the clock; more than zero.
    fn resolution(&self) -> Duration;
    /// The time since 1970-01-01T00:00:00Z.
    fn now(&self) -> Duration;
}

/// Time that never goes back; its zero means nothing.
pub trait HostMonotonicClock: Send {
    /// The smallest step of the clock in nanoseconds; more than zero.
    fn resolution(&self) -> u64;
    /// The time in nanoseconds.
    fn now(&self) -> u64;
}

/// The host's time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        // A host before 1970 shows 1970: the interface knows no earlier time.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The host's monotonic time, counted from when this value was made.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    start: Instant,
}

impl MonotonicClock {
    /// A clock that shows 0 now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }
}

/// The clocks of one guest.
pub(crate) struct Clocks {
    pub(crate) wall: Box<dyn HostWallClock>,
    /// `None` is the host's. An embedder that replaces it means to decide what time passes, so
    /// the clocks of processor time, which only the host has, are gone then.
    pub(crate) monotonic: Option<Box<dyn HostMonotonicClock>>,
    pub(crate) host: MonotonicClock,
}

impl Clocks {
    pub(crate) fn new() -> Self {
        Self { wall: Box::new(WallClock), monotonic: None, host: MonotonicClock::new() }
    }

    fn monotonic(&self) -> &dyn HostMonotonicClock {
        self.monotonic.as_deref().unwrap_or(&self.host)
    }

    /// The smallest step of clock `id` in nanoseconds.
    ///
    /// # Errors
    /// [`Errno::Inval`] if there is no such clock.
    pub(crate) fn resolution(&self, id: ClockId) -> Result<u64, Errno> {
        match id {
            ClockId::Realtime => Ok(nanoseconds(self.wall.resolution())),
            ClockId::Monotonic => Ok(self.monotonic().resolution()),
            ClockId::ProcessCputime | ClockId::ThreadCputime if self.monotonic.is_none() => Ok(1),
            ClockId::ProcessCputime | ClockId::ThreadCputime => Err(Errno::Inval),
        }
    }

    /// What clock `id` shows, in nanoseconds.
    ///
    /// # Errors
    /// [`Errno::Inval`] if there is no such clock.
    pub(crate) fn now(&self, id: ClockId) -> Result<u64, Errno> {
        match id {
            ClockId::Realtime => Ok(nanoseconds(self.wall.now())),
            ClockId::Monotonic => Ok(self.monotonic().now()),
            ClockId::ProcessCputime if self.monotonic.is_none() => Ok(nanoseconds(os::process_cpu_time())),
            ClockId::ThreadCputime if self.monotonic.is_none() => Ok(nanoseconds(os::thread_cpu_time())),
            ClockId::ProcessCputime | ClockId::ThreadCputime => Err(Errno::Inval),
        }
    }
}

/// `duration` as a `timestamp`, which reaches to the year 2554.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
