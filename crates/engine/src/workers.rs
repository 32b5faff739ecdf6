//! Threads that help with work that can be cut in pieces.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many threads of an engine may help at once, over all that it is asked to do.
///
/// Helpers live for one piece of work: nothing is left running between two, so that a process may fork, and
/// one that may not have threads merely works alone.
#[derive(Debug)]
pub(crate) struct Workers {
    /// How many there are. Asked when there is work to share: that takes longer than a small module to run.
    most: fn() -> usize,
    taken: AtomicUsize,
}

/// Tells a worker whether what it does still matters.
pub(crate) struct Watch<'w> {
    /// The first item that failed; those after it do not matter any more.
    failed: &'w AtomicUsize,
    at: usize,
}

impl Watch<'_> {
    /// Whether an earlier item has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.failed.load(Ordering::Relaxed) < self.at
    }
}

/// No helpers: the caller works alone.
pub(crate) static ALONE: Workers = Workers { most: || 0, taken: AtomicUsize::new(0) };

impl Workers {
    /// One helper less than cores, for the caller works too.
    pub(crate) fn new() -> Self {
        Self { most: || tenure_sys::cpu::usable_cores() - 1, taken: AtomicUsize::new(0) }
    }

    /// Does `work` with every item and returns what came of each, in order.
    ///
    /// Items are begun in the order of `weight`, heaviest first.
    ///
    /// # Errors
    /// That of the first item, in order, that fails; whether later ones were begun is not defined.
    pub(crate) fn each<I: Send, R: Send, E: Send>(
        &self,
        items: Vec<I>,
        weight: impl Fn(&I) -> usize,
        work: impl Fn(I, &Watch<'_>) -> Result<R, E> + Sync,
    ) -> Result<Vec<R>, E> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(weight(&items[at])));
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let places: Vec<_> = items.into_iter().map(|item| Mutex::new(Place::Waiting(item))).collect();

        let run = || {
            while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                let watch = Watch { failed: &failed, at };
                if watch.is_over() {
                    continue;
                }
                let Place::Waiting(item) = put(&places[at], Place::Begun) else { continue };
                let result = work(item, &watch);
                if result.is_err() {
                    failed.fetch_min(at, Ordering::Relaxed);
                }
                put(&places[at], Place::Done(result));
            }
        };
        let helpers = self.take(order.len().saturating_sub(1));
        std::thread::scope(|scope| {
            for _ in 0..helpers.count {
                let thread = std::thread::Builder::new().name("tenure-compile".to_string());
                if thread.spawn_scoped(scope, run).is_err() {
                    break;
                }
            }
            run();
        });

        let mut results = Vec::with_capacity(places.len());
        for place in places {
            // Items are left out only after one before them failed, and then this loop ended there.
            if let Place::Done(result) = place.into_inner().unwrap_or_else(PoisonError::into_inner) {
                results.push(result?);
            }
        }
        Ok(results)
    }

    /// At most `wanted` of the helpers that are free now.
    fn take(&self, wanted: usize) -> Helpers<'_> {
        let mut count = 0;
        if wanted > 0 {
            let most = (self.most)();
            let _ = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                count = most.saturating_sub(taken).min(wanted);
                Some(taken + count)
            });
        }
        Helpers { workers: self, count }
    }
}

/// Helpers that are taken, until dropped.
struct Helpers<'w> {
    workers: &'w Workers,
    count: usize,
}

impl Drop for Helpers<'_> {
    fn drop(&mut self) {
        self.workers.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// An item, and what came of it.
enum Place<I, R, E> {
    Waiting(I),
    Begun,
    Done(Result<R, E>),
}

/// Puts `value` in `place` and returns what was there. A poisoned lock does not matter: the panic goes on in
/// the scope.
fn put<T>(place: &Mutex<T>, value: T) -> T {
    std::mem::replace(&mut *place.lock().unwrap_or_else(PoisonError::into_inner), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Workers {
        Workers { most: || 3, taken: AtomicUsize::new(0) }
    }

    #[test]
    fn results_come_in_order_whatever_the_weights() {
        let workers = three();
        let squares = workers.each((0..100_usize).collect(), |&n| n % 7, |n, _| Ok::<_, ()>(n * n)).unwrap();
        assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<_>>());
        assert_eq!(workers.taken.into_inner(), 0);
    }

    #[test]
    fn the_first_error_in_order_wins() {
        for workers in [&ALONE, &three()] {
            for _ in 0..50 {
                let result =
                    workers.each((0..64).collect(), |&n| n, |n, _| if n % 10 == 9 { Err(n) } else { Ok(()) });
                assert_eq!(result, Err(9));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_helpers_are_given_back() {
        let workers = three();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            workers.each(vec![1, 2, 3], |_| 0, |n, _| if n == 2 { panic!("two") } else { Ok::<_, ()>(n) })
        }));
        assert!(caught.is_err());
        assert_eq!(workers.taken.into_inner(), 0);
    }
}
