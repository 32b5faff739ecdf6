//! Many cases: batches in processes, a process that dies or hangs charged to the case it was in.

use crate::batch::Report;
use crate::case::Verdict;
use crate::profile::Profile;
use crate::worker::{Event, Worker};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many cases a process does, unless one of them ends it.
const BATCH: u64 = 200;
/// How long a case may take. Compiling is not optimized in the rig's own build.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a campaign runs.
pub struct Plan {
    /// The profiles, one after the other.
    pub profiles: Vec<&'static Profile>,
    /// The first seed.
    pub start: u64,
    /// How many seeds of each profile.
    pub seeds: u64,
    /// How many processes at a time.
    pub jobs: usize,
}

/// What was counted of one profile.
#[derive(Clone, Default)]
struct Counts {
    same: u64,
    poisoned: u64,
    refused: u64,
    none: u64,
    witness: u64,
    finds: u64,
}

struct Campaign {
    queue: VecDeque<(usize, u64, u64)>,
    counts: Vec<Counts>,
}

/// Runs `plan`, showing progress and finds as they come; the number of finds.
///
/// # Errors
/// When processes cannot be run.
pub fn run(plan: &Plan) -> io::Result<u64> {
    let mut queue = VecDeque::new();
    for profile in 0..plan.profiles.len() {
        let end = plan.start + plan.seeds;
        let batches = (plan.start..end).step_by(BATCH as usize);
        queue.extend(batches.map(|start| (profile, start, BATCH.min(end - start))));
    }
    let campaign = Mutex::new(Campaign { queue, counts: vec![Counts::default(); plan.profiles.len()] });
    let bars = MultiProgress::new();
    let style =
        ProgressStyle::with_template("{prefix:11} {bar:30} {pos:>7}/{len} {per_sec:>10} {eta:>4} {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar_of: Vec<ProgressBar> = (plan.profiles.iter())
        .map(|profile| {
            let bar = bars.add(ProgressBar::new(plan.seeds)).with_style(style.clone());
            bar.with_prefix(profile.name)
        })
        .collect();

    let results: Vec<io::Result<()>> = std::thread::scope(|scope| {
        let work = || {
            loop {
                let next = campaign.lock().unwrap_or_else(PoisonError::into_inner).queue.pop_front();
                let Some((at, start, count)) = next else { return Ok(()) };
                let (profile, bar) = (plan.profiles[at], &bar_of[at]);
                batch(profile, start, count, |seed, tally, text| {
                    let mut campaign = campaign.lock().unwrap_or_else(PoisonError::into_inner);
                    tally(&mut campaign.counts[at]);
                    bar.set_message(campaign.counts[at].summary());
                    bar.inc(1);
                    if let Some(text) = text {
                        let line = format!("rig replay --profile {} --seed {seed}\n    {text}", profile.name);
                        // Hidden bars swallow lines.
                        if bars.is_hidden() { println!("{line}") } else { bars.println(line).unwrap_or(()) }
                    }
                })?;
            }
        };
        let threads: Vec<_> = (0..plan.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect()
    });
    results.into_iter().collect::<io::Result<()>>()?;

    let counts = campaign.into_inner().unwrap_or_else(PoisonError::into_inner).counts;
    for ((profile, counts), bar) in plan.profiles.iter().zip(&counts).zip(&bar_of) {
        bar.finish();
        println!("{:11} {}", profile.name, counts.summary());
    }
    Ok(counts.iter().map(|counts| counts.finds).sum())
}

type Tally = fn(&mut Counts);

/// Runs `count` seeds from `start` on, in as many processes as it takes.
fn batch(
    profile: &Profile,
    start: u64,
    count: u64,
    mut tell: impl FnMut(u64, Tally, Option<String>),
) -> io::Result<()> {
    let end = start + count;
    let mut next = start;
    while next < end {
        let arguments = ["batch", "--profile", profile.name, "--start", &next.to_string(), "--count"];
        let mut arguments: Vec<String> = arguments.map(str::to_string).into();
        arguments.push((end - next).to_string());
        let mut worker = Worker::start(&arguments, PATIENCE)?;
        let mut current = None;
        next = loop {
            match worker.wait()? {
                Event::Report(Report::Begin(seed)) => current = Some(seed),
                Event::Report(Report::End(verdict)) => {
                    let Some(seed) = current.take() else { continue };
                    let (tally, text): (Tally, _) = match verdict {
                        None => (|counts| counts.none += 1, None),
                        Some(Verdict::Same) => (|counts| counts.same += 1, None),
                        Some(Verdict::Poisoned) => (|counts| counts.poisoned += 1, None),
                        Some(Verdict::Refused) => (|counts| counts.refused += 1, None),
                        Some(Verdict::Witness(text)) => {
                            (|counts| counts.witness += 1, Some(format!("witness: {text}")))
                        }
                        Some(Verdict::Find(text)) => (|counts| counts.finds += 1, Some(text)),
                    };
                    tell(seed, tally, text);
                }
                Event::Ended { is_success: true, .. } => break end,
                Event::Ended { text, .. } => {
                    let seed = current.unwrap_or(next);
                    tell(seed, |counts| counts.finds += 1, Some(format!("the process died: {text}")));
                    break seed + 1;
                }
                Event::Silent => {
                    let seed = current.unwrap_or(next);
                    let text = format!("nothing for {} s", PATIENCE.as_secs());
                    tell(seed, |counts| counts.finds += 1, Some(text));
                    break seed + 1;
                }
            }
        };
    }
    Ok(())
}

impl Counts {
    fn summary(&self) -> String {
        let Self { same, poisoned, refused, none, witness, finds } = self;
        format!(
            "same {same}, poisoned {poisoned}, refused {refused}, none {none}, witness {witness}, finds {finds}"
        )
    }
}
