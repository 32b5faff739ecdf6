//! Epochs: a count that anybody advances, and the stores whose guests are stopped when it reaches their deadline.
//!
//! ```text
//! an engine's          chunk 0            chunk 1 …         (never freed, never moved, while the engine lives)
//! epoch ──advance──▶   deadlines │ 7 │ ∞ │ 9 │ 3 │ …
//!                      contexts  │   │   │   │ ■ │ …        ■ its stack limit becomes impossible
//! ```
//! Compiled code looks at one word, the stack limit in its store's context. Whoever advances the epoch makes the
//! limits of those stores impossible whose deadline has come; the guest's next look fails, and it asks
//! [`Store::deadline_has_come`](crate::Store), which goes by epoch and deadline alone. So a limit may be made
//! impossible once too often, for a store that got another deadline just now, or for the next store in the same place:
//! that guest asks, and goes on. It must never happen too seldom.
//!
//! The owner of a place writes its deadline or its limit, and *then* reads the epoch; whoever advances writes the epoch,
//! and *then* reads deadlines. All of it is sequentially consistent, so one of the two sees what the other wrote.
//! Advancing takes no lock and no memory: a signal handler may do it.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};
use tenure_abi::vm::VmStore;

/// The deadline of a place without a store: it never comes.
const NEVER: u64 = u64::MAX;
/// Places of the first chunk. Each further one has twice as many as the one before.
const FIRST: usize = 16;
/// As many chunks as 2^32 stores need.
const CHUNKS: usize = 29;

/// The epoch of an engine, and its stores that watch it.
#[derive(Debug)]
pub struct Epochs {
    now: AtomicU64,
    /// Those that were made stand at the start.
    chunks: [OnceLock<Chunk>; CHUNKS],
    idle: Mutex<Idle>,
}

/// Places that no store is in.
#[derive(Debug, Default)]
struct Idle {
    given_back: Vec<Place>,
    /// How many were ever taken; those behind never were.
    taken: usize,
}

/// Where a store that watches is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    chunk: usize,
    at: usize,
}

#[derive(Debug)]
struct Chunk {
    /// Side by side, because whoever advances the epoch reads them all.
    deadlines: Box<[AtomicU64]>,
    contexts: Box<[Context]>,
}

/// The context of the store in a place. Its stack limit is everybody's, the rest is the store's.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Context(UnsafeCell<VmStore>);

// SAFETY: whoever is not the store's owner uses nothing but the stack limit, by `Context::limit`, which is atomic.
unsafe impl Sync for Context {}
// SAFETY: pointers in the context are followed by the store that owns the place, whose `Send` argues for itself.
unsafe impl Send for Context {}

impl Context {
    fn limit(&self) -> &AtomicUsize {
        // SAFETY: the place lives as long as `self`; only this field of it is borrowed, and it is only used as an
        // atomic.
        unsafe { &(*self.0.get()).stack_limit }
    }
}

impl Chunk {
    fn new(len: usize) -> Self {
        Self {
            deadlines: (0..len).map(|_| AtomicU64::new(NEVER)).collect(),
            contexts: (0..len).map(|_| Context::default()).collect(),
        }
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self {
            now: AtomicU64::new(0),
            chunks: std::array::from_fn(|_| OnceLock::new()),
            idle: Mutex::default(),
        }
    }
}

impl Epochs {
    /// Advances the epoch by one, from any thread, also while guests run, also in a signal handler.
    pub fn advance(&self) {
        let now = self.now.fetch_add(1, SeqCst).wrapping_add(1);
        for chunk in self.chunks.iter().map_while(OnceLock::get) {
            for (deadline, context) in chunk.deadlines.iter().zip(&chunk.contexts) {
                if deadline.load(SeqCst) <= now {
                    context.limit().store(VmStore::STOP, SeqCst);
                }
            }
        }
    }

    /// The epoch.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    /// A place for a store, whose deadline has come. The context in it may be any store's of before.
    pub(crate) fn take(&self) -> (Place, NonNull<VmStore>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.given_back.pop().unwrap_or_else(|| {
            let number = idle.taken + FIRST;
            idle.taken += 1;
            let chunk = (number / FIRST).ilog2() as usize;
            Place { chunk, at: number - (FIRST << chunk) }
        });
        // Under the lock: a chunk is made after those before it.
        let chunk = self.chunks[place.chunk].get_or_init(|| Chunk::new(FIRST << place.chunk));
        chunk.deadlines[place.at].store(0, SeqCst);
        let context = NonNull::new(chunk.contexts[place.at].0.get());
        (place, context.expect("it is in the chunk"))
    }

    /// Takes a place back that came from [`Epochs::take`].
    pub(crate) fn give_back(&self, place: Place) {
        self.deadline(place).store(NEVER, SeqCst);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).given_back.push(place);
    }

    /// The deadline of the store in `place`.
    pub(crate) fn deadline(&self, place: Place) -> &AtomicU64 {
        let chunk = self.chunks[place.chunk].get();
        &chunk.expect("a place that was taken is in a chunk that was made").deadlines[place.at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_stopped_whose_deadline_has_come() {
        let epochs = Epochs::default();
        // Places of four chunks.
        let places: Vec<_> = (0..200).map(|_| epochs.take().0).collect();
        for (place, deadline) in places.iter().zip(1..) {
            epochs.deadline(*place).store(deadline, SeqCst);
        }
        let stopped = || {
            let limit = |place: &Place| epochs.chunks[place.chunk].get().unwrap().contexts[place.at].limit();
            places.iter().filter(|place| limit(place).load(SeqCst) == VmStore::STOP).count()
        };
        assert_eq!(stopped(), 0);
        for now in 1..=150 {
            epochs.advance();
            assert_eq!((epochs.now(), stopped()), (now as u64, now));
        }
        // Who goes is not stopped any more, and somebody else may have the place.
        epochs.give_back(places[199]);
        (0..60).for_each(|_| epochs.advance());
        assert_eq!(stopped(), 199);
        let (again, _) = epochs.take();
        assert_eq!((again.chunk, again.at), (places[199].chunk, places[199].at));
    }
}
