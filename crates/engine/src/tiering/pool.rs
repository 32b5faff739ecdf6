//! The threads that make better code in the background.

use super::ModuleTiers;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tenure_runtime::LoadedModule;
use tenure_types::FuncIdx;

/// What is to be made of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Its best code.
    Best,
    /// Code that takes over at the loop of this number.
    LoopEntry(u32),
}

/// Work for a thread. Of no worth when the module is gone.
pub(crate) struct Job {
    pub(crate) module: Weak<LoadedModule>,
    pub(crate) tiers: Weak<ModuleTiers>,
    pub(crate) func: FuncIdx,
    pub(crate) task: Task,
}

impl Job {
    fn heat(&self) -> u32 {
        let Some((module, tiers)) = self.module.upgrade().zip(self.tiers.upgrade()) else { return 0 };
        // An activation waits for a loop entry.
        let more = if self.task == Task::Best { 0 } else { 1 << 16 };
        tiers.heat(&module, self.func).saturating_add(more)
    }
}

/// An engine's threads for better code. They start when there is work, and end with the engine and its modules.
pub(crate) struct Pool {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
    /// How many threads were started.
    started: AtomicUsize,
}

/// What the threads have in common.
struct Shared {
    /// How many threads there may be. If it depends on the machine, nobody knows before the first one looks: that takes
    /// a while, which is not to be a guest's.
    most: OnceLock<usize>,
    inbox: Mutex<Inbox>,
}

/// What waits for a thread.
struct Inbox {
    arriving: Receiver<Job>,
    waiting: Vec<Job>,
}

impl Pool {
    /// A pool of at most `threads`; without a number, of as many as leave a core to a guest, and at least one.
    pub(crate) fn new(threads: Option<usize>) -> Self {
        let (jobs, arriving) = channel();
        let inbox = Mutex::new(Inbox { arriving, waiting: Vec::new() });
        let most = threads.map_or_else(OnceLock::new, OnceLock::from);
        Self { jobs, shared: Arc::new(Shared { most, inbox }), started: AtomicUsize::new(0) }
    }

    /// Has a thread do `job`. Takes no lock.
    pub(crate) fn send(&self, job: Job) {
        // The receiver lives as long as the pool.
        let _ = self.jobs.send(job);
        let most = self.shared.most.get().copied().unwrap_or(1);
        let one_more = |started: usize| (started < most).then_some(started + 1);
        if self.started.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new().name("tenure-tier-up".to_string());
            // Without threads guests go on as they are.
            let _ = thread.stack_size(super::COMPILER_STACK).spawn(move || work(&shared));
        }
    }
}

/// Does the hottest job there is, again and again.
fn work(shared: &Shared) {
    shared.most.get_or_init(|| (tenure_sys::cpu::usable_cores() - 1).max(1));
    while let Some(job) = shared.inbox.lock().unwrap_or_else(PoisonError::into_inner).next() {
        if let Some((module, tiers)) = job.module.upgrade().zip(job.tiers.upgrade()) {
            // A bug in a compiler, which has been told of on stderr: the function goes on as it is, and so do others.
            let _ = catch_unwind(AssertUnwindSafe(|| tiers.work(&module, job.func, job.task)));
        }
    }
}

impl Inbox {
    /// The hottest job; waits until there is one, or nobody can send any more.
    fn next(&mut self) -> Option<Job> {
        if self.waiting.is_empty() {
            self.waiting.push(self.arriving.recv().ok()?);
        }
        while let Ok(job) = self.arriving.try_recv() {
            self.waiting.push(job);
        }
        let hottest = (0..self.waiting.len()).max_by_key(|&at| self.waiting[at].heat())?;
        Some(self.waiting.swap_remove(hottest))
    }
}
