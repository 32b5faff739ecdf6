//! Lists whose places are used again, with a generation that tells the tenants apart.

use crate::addr::Addr;
use crate::spare::{LEAST_PLACES, Spare};

/// A list of `T`s. An address that was removed stays invalid for ever.
///
/// Each value is *claimed* or not, by the host, and can be *marked* by a trace. Claims and marks lie apart from the values,
/// close together: most of what a trace asks is whether it was somewhere before.
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    live: usize,
    claims: Bits,
    /// Those that the last trace has reached.
    marks: Bits,
}

/// A place of a list.
pub(crate) struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), live: 0, claims: Bits::default(), marks: Bits::default() }
    }
}

impl<T> Arena<T> {
    /// Takes `value` in, unclaimed.
    ///
    /// # Panics
    /// With 2^32 values in the list, which no memory holds.
    pub fn insert(&mut self, value: T) -> Addr<T> {
        self.live += 1;
        if let Some(at) = self.free.pop() {
            let slot = &mut self.slots[at as usize];
            slot.value = Some(value);
            return Addr::new(at, slot.generation);
        }
        let at = u32::try_from(self.slots.len()).expect("fewer than 2^32 values");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Addr::new(at, 0)
    }

    /// Makes room for one more value: in `spare`, if the list is long and has none.
    #[inline]
    pub fn make_room(&mut self, spare: &Spare<T>) {
        let len = self.slots.len();
        if len >= LEAST_PLACES && len == self.slots.capacity() && self.free.is_empty() {
            self.move_into(spare);
        }
    }

    #[cold]
    fn move_into(&mut self, spare: &Spare<T>) {
        if let Some(mut room) = spare.take(self.slots.len()) {
            room.append(&mut self.slots);
            self.slots = room;
        }
    }

    /// Drops all values, for the end; leaves the room to `spare`.
    #[inline]
    pub fn clear(&mut self, spare: &Spare<T>) {
        if self.slots.capacity() > 0 {
            spare.keep(std::mem::take(self).slots);
        }
    }

    /// Makes room for so many values.
    pub fn reserve(&mut self, additional: usize) {
        self.slots.reserve(additional.saturating_sub(self.free.len()));
    }

    /// The slot lost its value: it gets a new generation, and is retired after the last one.
    fn emptied(&mut self, at: u32) {
        self.live -= 1;
        self.claims.clear(at);
        let slot = &mut self.slots[at as usize];
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(at);
        }
    }

    #[inline]
    fn slot(&self, addr: Addr<T>) -> Option<&Slot<T>> {
        self.slots.get(addr.slot as usize).filter(|slot| slot.generation == addr.generation)
    }

    #[inline]
    fn slot_mut(&mut self, addr: Addr<T>) -> Option<&mut Slot<T>> {
        self.slots.get_mut(addr.slot as usize).filter(|slot| slot.generation == addr.generation)
    }

    #[inline]
    pub fn get(&self, addr: Addr<T>) -> Option<&T> {
        self.slot(addr)?.value.as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, addr: Addr<T>) -> Option<&mut T> {
        self.slot_mut(addr)?.value.as_mut()
    }

    /// The address of the value that now has slot `at`.
    pub fn addr_of_slot(&self, at: u32) -> Option<Addr<T>> {
        let slot = self.slots.get(at as usize)?;
        slot.value.as_ref()?;
        Some(Addr::new(at, slot.generation))
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_ref())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// Takes all values out, for the end.
    pub fn take_all(&mut self) -> impl Iterator<Item = T> {
        self.slots.drain(..).filter_map(|slot| slot.value)
    }

    /// Addresses of all values.
    pub fn addrs(&self) -> impl Iterator<Item = Addr<T>> {
        let full = self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some());
        full.map(|(at, slot)| Addr::new(at as u32, slot.generation))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Bytes of the list itself, with the places that are free.
    pub fn footprint(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<T>>()
            + self.free.capacity() * size_of::<u32>()
            + self.claims.footprint()
            + self.marks.footprint()
    }
}

/// Claims: which values the host holds.
impl<T> Arena<T> {
    /// The host holds the value from now on.
    pub fn claim(&mut self, addr: Addr<T>) {
        if self.get(addr).is_some() {
            self.claims.cover(self.slots.len());
            self.claims.set(addr.slot);
        }
    }

    /// Whether the host holds the value.
    pub fn is_claimed(&self, addr: Addr<T>) -> bool {
        self.get(addr).is_some() && self.claims.has(addr.slot)
    }

    /// The host no longer holds the value; false when it did not.
    pub fn unclaim(&mut self, addr: Addr<T>) -> bool {
        self.get(addr).is_some() && self.claims.clear(addr.slot)
    }
}

/// Marks: which values a trace has reached.
impl<T> Arena<T> {
    /// Starts a trace: nothing is marked.
    pub fn unmark_all(&mut self) {
        self.marks.clear_all(self.slots.len());
    }

    /// Marks the value, which is there; true when it was not marked before.
    #[inline]
    pub fn mark(&mut self, addr: Addr<T>) -> bool {
        debug_assert!(self.get(addr).is_some(), "what is reached is there");
        self.marks.set(addr.slot)
    }

    /// The first value that the host holds, in slot `from` or one after it.
    pub fn next_claimed(&self, from: u32) -> Option<Addr<T>> {
        self.addr_of_slot(self.claims.next(from)?)
    }

    /// Whether all values are marked: after a trace, and before anything is taken in or out.
    pub fn all_marked(&self) -> bool {
        self.marked_count() == self.live
    }

    /// How many values are marked.
    pub fn marked_count(&self) -> usize {
        self.marks.count
    }

    /// Whether the value, which is there, is marked.
    #[inline]
    pub fn is_marked(&self, addr: Addr<T>) -> bool {
        self.is_slot_marked(addr.slot)
    }

    /// Whether the value that now has slot `at` is marked.
    #[inline]
    pub fn is_slot_marked(&self, at: u32) -> bool {
        self.marks.has(at)
    }

    /// Addresses of the values that are marked.
    pub fn marked(&self) -> impl Iterator<Item = Addr<T>> {
        self.addrs().filter(|&addr| self.is_marked(addr))
    }

    /// The values that are not marked.
    pub fn unmarked(&self) -> impl Iterator<Item = &T> {
        let slots = (0..self.slots.len() as u32).filter(|&at| !self.is_slot_marked(at));
        slots.filter_map(|at| self.slots[at as usize].value.as_ref())
    }

    /// Takes out the values that are neither marked nor otherwise to be kept.
    pub fn take_unmarked(&mut self, is_kept: impl Fn(&T) -> bool, mut take: impl FnMut(T)) {
        let mut end = self.slots.len() as u32;
        while let Some(at) = self.marks.last_clear(end) {
            end = at;
            if let Some(dead) = self.slots[at as usize].value.take_if(|value| !is_kept(value)) {
                take(dead);
                self.emptied(at);
            }
        }
    }

    /// Drops the values that are not marked where they are, after a last look at each.
    pub fn sweep(&mut self, mut look: impl FnMut(&mut T)) {
        if self.all_marked() {
            return;
        }
        let mut end = self.slots.len() as u32;
        while let Some(at) = self.marks.last_clear(end) {
            end = at;
            let value = &mut self.slots[at as usize].value;
            if let Some(last) = value {
                look(last);
                *value = None;
                self.emptied(at);
            }
        }
    }
}

/// A bit a slot, not set at first.
#[derive(Default)]
struct Bits {
    /// Those of the first 64 slots, so that short lists need no allocation for them.
    first: u64,
    others: Vec<u64>,
    /// How many are set.
    count: usize,
}

impl Bits {
    /// Makes room for the bits of so many slots.
    #[inline]
    fn cover(&mut self, slots: usize) {
        if slots > 64 * (self.others.len() + 1) {
            self.others.resize(slots.div_ceil(64) - 1, 0);
        }
    }

    /// No bit is set, and there is room for the bits of so many slots.
    fn clear_all(&mut self, slots: usize) {
        (self.first, self.count) = (0, 0);
        self.others.clear();
        self.cover(slots);
    }

    /// The word with the bit of a slot; `None` where there is no room for it.
    #[inline]
    fn word(&self, at: u32) -> Option<u64> {
        match (at as usize / 64).checked_sub(1) {
            None => Some(self.first),
            Some(other) => self.others.get(other).copied(),
        }
    }

    #[inline]
    fn word_mut(&mut self, at: u32) -> Option<&mut u64> {
        match (at as usize / 64).checked_sub(1) {
            None => Some(&mut self.first),
            Some(other) => self.others.get_mut(other),
        }
    }

    /// Sets a bit that there is room for; true when it was not set before.
    #[inline]
    fn set(&mut self, at: u32) -> bool {
        let Some(word) = self.word_mut(at) else { return false };
        let bit = 1 << (at % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.count += usize::from(is_new);
        is_new
    }

    /// Clears a bit; whether it was set.
    #[inline]
    fn clear(&mut self, at: u32) -> bool {
        let Some(word) = self.word_mut(at) else { return false };
        let bit = 1 << (at % 64);
        let was_set = *word & bit != 0;
        *word &= !bit;
        self.count -= usize::from(was_set);
        was_set
    }

    #[inline]
    fn has(&self, at: u32) -> bool {
        self.word(at).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// The first bit that is set, from `from` on.
    #[inline]
    fn next(&self, from: u32) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let (mut start, mut above) = (from / 64 * 64, u64::MAX << (from % 64));
        loop {
            let set = self.word(start)? & above;
            if set != 0 {
                return Some(start + set.trailing_zeros());
            }
            (start, above) = (start.checked_add(64)?, u64::MAX);
        }
    }

    /// The last bit before `end` that is not set.
    #[inline]
    fn last_clear(&self, end: u32) -> Option<u32> {
        let mut last = end.checked_sub(1)?;
        loop {
            let clear = !self.word(last).unwrap_or_default() & (u64::MAX >> (63 - last % 64));
            if clear != 0 {
                return Some(last / 64 * 64 + clear.ilog2());
            }
            last = (last / 64 * 64).checked_sub(1)?;
        }
    }

    fn footprint(&self) -> usize {
        self.others.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<T> Arena<T> {
        fn remove(&mut self, addr: Addr<T>) -> Option<T> {
            let value = self.slot_mut(addr)?.value.take()?;
            self.emptied(addr.slot);
            Some(value)
        }
    }

    #[test]
    fn a_removed_address_stays_invalid_when_its_slot_is_used_again() {
        let mut arena = Arena::default();
        let first = arena.insert('a');
        let mut addrs = vec![first];
        for _ in 0..1000 {
            let last = addrs[addrs.len() - 1];
            assert_eq!(arena.remove(last), Some('a'));
            addrs.push(arena.insert('a'));
        }
        let last = addrs.pop().unwrap();
        assert_eq!(last.slot, first.slot);
        assert!(addrs.iter().all(|&addr| arena.get(addr).is_none() && arena.remove(addr).is_none()));
        assert_eq!(arena.get(last), Some(&'a'));
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut arena = Arena::default();
        let first = arena.insert(1);
        arena.slots[0].generation = u32::MAX;
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(Addr::new(0, u32::MAX)), Some(1));
        assert_eq!(arena.insert(2).slot, 1);
        assert_eq!(arena.remove(Addr::new(0, u32::MAX)), None);
    }

    #[test]
    fn marks_of_an_earlier_trace_mean_nothing() {
        let mut arena = Arena::default();
        let addrs: Vec<_> = (0..130).map(|value| arena.insert(value)).collect();
        arena.unmark_all();
        assert!(addrs.iter().all(|&addr| arena.mark(addr) && !arena.mark(addr)));
        assert!(arena.all_marked());
        arena.unmark_all();
        assert!(addrs[1..].iter().all(|&addr| arena.mark(addr)) && !arena.all_marked());
        let mut taken = Vec::new();
        arena.take_unmarked(|&value| value == 0, |value| taken.push(value));
        assert_eq!((taken.len(), arena.len(), arena.marked().count()), (0, 130, 129));
        assert!(arena.unmarked().eq(&[0]) && arena.mark(addrs[0]) && arena.all_marked());
        arena.unmark_all();
        assert!(addrs[2..].iter().all(|&addr| arena.mark(addr)));
        arena.take_unmarked(|&value| value == 0, |value| taken.push(value));
        assert_eq!((taken, arena.len(), arena.get(addrs[0])), (vec![1], 129, Some(&0)));
    }

    #[test]
    fn what_is_not_marked_is_swept_after_a_last_look() {
        let mut arena = Arena::default();
        let addrs: Vec<_> = (0..130).map(|value| arena.insert(value)).collect();
        addrs.iter().for_each(|&addr| arena.claim(addr));
        arena.remove(addrs[7]);
        arena.unmark_all();
        arena.mark(addrs[1]);
        arena.mark(addrs[129]);
        let mut seen = Vec::new();
        arena.sweep(|&mut value| seen.push(value));
        assert_eq!(seen, (0..129).rev().filter(|value| ![1, 7].contains(value)).collect::<Vec<_>>());
        assert_eq!((arena.len(), arena.claims.count), (2, 2));
        assert_eq!((arena.get(addrs[1]), arena.get(addrs[0])), (Some(&1), None));
        arena.sweep(|_| panic!("all that is left is marked"));
        let next = arena.insert(0);
        assert!(next.generation == 1 && arena.len() == 3);
    }

    #[test]
    fn what_came_after_a_trace_was_not_reached_by_it() {
        let mut arena = Arena::default();
        arena.unmark_all();
        let late = arena.insert('a');
        assert!(!arena.is_marked(late) && !arena.all_marked());
    }

    #[test]
    fn a_claim_goes_with_its_value() {
        let claimed = |arena: &mut Arena<char>| {
            let addrs =
                std::iter::successors(arena.next_claimed(0), |addr| arena.next_claimed(addr.slot + 1));
            addrs.map(|addr| *arena.get(addr).unwrap()).collect::<Vec<_>>()
        };
        let mut arena = Arena::default();
        let a = arena.insert('a');
        arena.claim(a);
        arena.claim(a);
        assert_eq!(claimed(&mut arena), ['a']);
        arena.remove(a);
        let b = arena.insert('b');
        assert_eq!((claimed(&mut arena).len(), arena.unclaim(b), arena.unclaim(a)), (0, false, false));
        arena.claim(b);
        assert_eq!((claimed(&mut arena).len(), arena.unclaim(b), claimed(&mut arena).len()), (1, true, 0));
    }

    #[test]
    fn bits_are_found_in_both_directions() {
        let set = [0, 1, 63, 64, 127, 190];
        let mut bits = Bits::default();
        bits.cover(191);
        assert!(set.iter().all(|&at| bits.set(at) && !bits.set(at)) && !bits.set(192));
        for from in 0..200 {
            assert_eq!(bits.next(from), set.into_iter().find(|&at| at >= from));
            let clear = (0..from).rev().find(|at| !set.contains(at));
            assert_eq!(bits.last_clear(from), clear, "before {from}");
        }
        assert!(bits.clear(63) && !bits.clear(63) && !bits.clear(1000));
        assert_eq!((bits.count, bits.next(2), bits.last_clear(65)), (5, Some(64), Some(63)));
    }
}
