//! Many cases: batches in processes, a process that dies or hangs charged to the case it was in.

use crate::batch::Report;
use crate::case::{Choice, Verdict, Width};
use crate::moves::Moves;
use crate::profile::Profile;
use crate::worker::{Event, Worker};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many cases a process does, unless one of them ends it.
const BATCH: u64 = 200;
/// How long a case may take. Compiling is not optimized in the rig's own build.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a campaign runs.
pub struct Plan {
    /// The profiles, one after the other.
    pub profiles: &'static [Profile],
    /// The first seed.
    pub start: u64,
    /// How many seeds of each profile.
    pub seeds: u64,
    /// How many processes at a time.
    pub jobs: usize,
    /// Which of our configurations run each case.
    pub width: Width,
    /// Whether to tell of cases in which only a witness differs.
    pub witnesses: bool,
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
    moves: Moves,
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
                let (profile, bar) = (&plan.profiles[at], &bar_of[at]);
                batch(profile, start, count, plan.width, &mut |seed, told| {
                    let mut campaign = campaign.lock().unwrap_or_else(PoisonError::into_inner);
                    let verdict = match told {
                        Told::Ended(verdict) => verdict,
                        Told::Moved(moves) => {
                            campaign.counts[at].moves += moves;
                            return;
                        }
                    };
                    campaign.counts[at].add(&verdict);
                    bar.set_message(campaign.counts[at].summary());
                    bar.inc(1);
                    let text = match &verdict {
                        Some(Verdict::Find(text)) => Some(text),
                        Some(Verdict::Witness(text)) if plan.witnesses => Some(text),
                        _ => None,
                    };
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

/// What is told of a case.
enum Told {
    /// How it ended; `None` for a seed without a module.
    Ended(Option<Verdict>),
    /// How often Tenure went from one tier to the next in it.
    Moved(Moves),
}

/// Who is told, with the seed.
type Tell<'a> = &'a mut dyn FnMut(u64, Told);

/// Runs `count` seeds from `start` on, in as many processes as it takes.
fn batch(profile: &Profile, start: u64, count: u64, width: Width, tell: Tell<'_>) -> io::Result<()> {
    let end = start + count;
    let mut next = start;
    while next < end {
        let Some((seed, text)) = process(profile, next..end, Choice { width, witnesses: true }, tell)? else {
            return Ok(());
        };
        // Who was it?
        let mut verdict = None;
        let alone = Choice { width, witnesses: false };
        let again = process(profile, seed..seed + 1, alone, &mut |_, told| {
            if let Told::Ended(of) = told {
                verdict = of;
            }
        })?;
        verdict = match (again, verdict) {
            (Some((_, text)), _) => Some(Verdict::Find(text)),
            (None, find @ Some(Verdict::Find(_))) => find,
            (None, _) => Some(Verdict::Witness(format!("not without the witnesses: {text}"))),
        };
        tell(seed, Told::Ended(verdict));
        next = seed + 1;
    }
    Ok(())
}

/// Runs `seeds` in one process; where and how it ended, unless it did them all.
fn process(
    profile: &Profile,
    seeds: Range<u64>,
    choice: Choice,
    tell: Tell<'_>,
) -> io::Result<Option<(u64, String)>> {
    let (start, count) = (seeds.start.to_string(), (seeds.end - seeds.start).to_string());
    let mut arguments = vec!["batch", "--profile", profile.name, "--start", &start, "--count", &count];
    if choice.width == Width::One {
        arguments.push("--narrow");
    }
    if !choice.witnesses {
        arguments.push("--no-witnesses");
    }
    let mut worker = Worker::start(&arguments, PATIENCE)?;
    let mut current = seeds.start;
    loop {
        match worker.wait()? {
            Event::Report(Report::Begin(seed)) => current = seed,
            Event::Report(Report::End(verdict)) => tell(current, Told::Ended(verdict)),
            Event::Report(Report::Moved(moves)) => tell(current, Told::Moved(moves)),
            Event::Ended { is_success: true, .. } => return Ok(None),
            Event::Ended { text, .. } => return Ok(Some((current, format!("the process died: {text}")))),
            Event::Silent => return Ok(Some((current, format!("nothing for {} s", PATIENCE.as_secs())))),
        }
    }
}

impl Counts {
    fn add(&mut self, verdict: &Option<Verdict>) {
        *match verdict {
            None => &mut self.none,
            Some(Verdict::Same) => &mut self.same,
            Some(Verdict::Poisoned) => &mut self.poisoned,
            Some(Verdict::Refused) => &mut self.refused,
            Some(Verdict::Witness(_)) => &mut self.witness,
            Some(Verdict::Find(_)) => &mut self.finds,
        } += 1;
    }

    fn summary(&self) -> String {
        let Self { same, poisoned, refused, none, witness, finds, moves } = self;
        let Moves { functions, loops, .. } = moves;
        format!(
            "same {same}, poisoned {poisoned}, refused {refused}, none {none}, witness {witness}, finds {finds}; \
             better code of {functions} functions, {loops} running loops"
        )
    }
}
