//! Which parts of a range are free.

use std::collections::BTreeMap;

/// Hands out parts of `0..len`, first fit, and takes them back.
pub(crate) struct Ranges {
    /// Free parts: start to length, no two touching.
    free: BTreeMap<usize, usize>,
}

impl Ranges {
    pub fn new(len: usize) -> Self {
        Self { free: BTreeMap::from([(0, len)]) }
    }

    /// A free part of `len` units, `align`-aligned (a power of two); lowest first.
    pub fn take(&mut self, len: usize, align: usize) -> Option<usize> {
        let (start, size, at) = self.free.iter().find_map(|(&start, &size)| {
            let at = start.checked_next_multiple_of(align)?;
            (at.checked_add(len)? <= start + size).then_some((start, size, at))
        })?;
        self.free.remove(&start);
        if at > start {
            self.free.insert(start, at - start);
        }
        if at + len < start + size {
            self.free.insert(at + len, start + size - at - len);
        }
        Some(at)
    }

    /// Takes back what [`Ranges::take`] gave.
    pub fn give(&mut self, at: usize, len: usize) {
        let (mut start, mut end) = (at, at + len);
        if let Some((&before, &size)) = self.free.range(..at).next_back() {
            debug_assert!(before + size <= at, "given back twice");
            if before + size == at {
                start = before;
            }
        }
        if let Some(size) = self.free.remove(&end) {
            end += size;
        }
        self.free.insert(start, end - start);
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_never_overlap_and_all_comes_back(ops in prop::collection::vec((1usize..40, 0u32..4, any::<bool>()), 1..80)) {
            let mut ranges = Ranges::new(1000);
            let mut taken: Vec<(usize, usize)> = Vec::new();
            for (len, log2, give) in ops {
                if give && !taken.is_empty() {
                    let (at, len) = taken.swap_remove(len % taken.len());
                    ranges.give(at, len);
                } else if let Some(at) = ranges.take(len, 1 << log2) {
                    prop_assert_eq!(at % (1 << log2), 0);
                    prop_assert!(at + len <= 1000);
                    prop_assert!(taken.iter().all(|&(a, l)| at + len <= a || a + l <= at));
                    taken.push((at, len));
                }
            }
            for (at, len) in taken {
                ranges.give(at, len);
            }
            prop_assert_eq!(ranges.take(1000, 1), Some(0));
        }
    }
}
