//! CPU time of the whole process beside wall time, and how both are taken of short pieces of work.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// What something cost, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// CPU time of all threads of the process.
    pub cpu: f64,
    /// Time on the wall.
    pub wall: f64,
}

impl Cost {
    /// What is left when `other` is taken away: of a loop, the work in it.
    pub fn without(self, other: Cost) -> Cost {
        Cost { cpu: self.cpu - other.cpu, wall: self.wall - other.wall }
    }

    /// The cost of one of `by` equal parts.
    pub fn divided(self, by: u32) -> Cost {
        Cost { cpu: self.cpu / f64::from(by), wall: self.wall / f64::from(by) }
    }

    /// What this process has cost since it began. Wall time is not known and counts as CPU time.
    pub fn of_process() -> Cost {
        let cpu = process_cpu_time().as_nanos() as f64;
        Cost { cpu, wall: cpu }
    }
}

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    cpu: Duration,
    wall: Instant,
}

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: process_cpu_time() }
    }

    /// What was used up since the start.
    pub fn stop(self) -> Cost {
        let cpu = process_cpu_time() - self.cpu;
        Cost { cpu: cpu.as_nanos() as f64, wall: self.wall.elapsed().as_nanos() as f64 }
    }
}

fn process_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every Linux has this clock");
    Duration::from(time)
}

/// The least CPU time that `work` reports when it is done `times` times.
///
/// # Errors
/// The first error of `work`.
pub fn best<E>(times: usize, mut work: impl FnMut() -> Result<Cost, E>) -> Result<Cost, E> {
    let mut best = work()?;
    for _ in 1..times {
        let cost = work()?;
        best = Cost { cpu: best.cpu.min(cost.cpu), wall: best.wall.min(cost.wall) };
    }
    Ok(best)
}

/// CPU time of one batch below.
const BATCH: f64 = 20e6;
/// Batches of which the middle one counts.
const BATCHES: usize = 7;

/// The cost of one of the repetitions that `work(n)` makes `n` of.
///
/// Doubles `n` until a batch is long enough for the clocks, which warms up at the same time, then takes the median of
/// a few batches.
///
/// # Errors
/// The first error of `work`.
pub fn repeat<E>(mut work: impl FnMut(u32) -> Result<(), E>) -> Result<Cost, E> {
    let mut once = |repetitions| {
        let watch = Stopwatch::start();
        work(repetitions)?;
        Ok(watch.stop())
    };
    let mut repetitions = 1;
    while once(repetitions)?.cpu < BATCH {
        repetitions *= 2;
    }
    let mut costs = (0..BATCHES).map(|_| once(repetitions)).collect::<Result<Vec<_>, E>>()?;
    costs.sort_by(|left, right| left.cpu.total_cmp(&right.cpu));
    Ok(costs[BATCHES / 2].divided(repetitions))
}

/// CPU time that the runs of [`fastest_run`] take together, if they are not too many.
const RUNS: f64 = 250e6;
/// The most runs.
const MOST_RUNS: usize = 25;

/// What the fastest of a few runs costs, of which `run` makes one and says it; of a long one, the only. Tells `run`
/// whether it is the first.
///
/// A single run of a few milliseconds says more about caches and the neighbours of this machine than about what ran: it
/// takes half as long again when others are busy. What is added is never the program's, so the fastest run is its own.
///
/// # Errors
/// The first error of `run`.
pub fn fastest_run<E>(mut run: impl FnMut(bool) -> Result<Cost, E>) -> Result<Cost, E> {
    let mut costs = vec![run(true)?];
    while costs.len() < MOST_RUNS && costs.iter().map(|cost| cost.cpu).sum::<f64>() < RUNS {
        costs.push(run(false)?);
    }
    let first = costs[0];
    Ok(costs.into_iter().fold(first, |least, cost| if cost.cpu < least.cpu { cost } else { least }))
}
