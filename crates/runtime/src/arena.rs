//! Lists whose places are used again, with a generation that tells the tenants apart.

use crate::addr::Addr;

/// A list of `T`s. An address that was removed stays invalid for ever.
///
/// Each value is *claimed* or not, by the host, and can be *marked* by a trace. Marks lie apart from the values, close
/// together: most of what a trace asks is whether it was somewhere before.
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    live: usize,
    /// How many values are claimed.
    claimed: usize,
    /// A bit a slot: those that the last trace has reached. Slots beyond were made since.
    marks: Vec<u64>,
    /// How many values it has marked.
    marked: usize,
}

struct Slot<T> {
    generation: u32,
    claimed: bool,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), live: 0, claimed: 0, marks: Vec::new(), marked: 0 }
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
        self.slots.push(Slot { generation: 0, claimed: false, value: Some(value) });
        Addr::new(at, 0)
    }

    /// Makes room for so many values.
    pub fn reserve(&mut self, additional: usize) {
        self.slots.reserve(additional.saturating_sub(self.free.len()));
    }

    /// The slot lost its value: it gets a new generation, and is retired after the last one.
    fn emptied(&mut self, at: u32) {
        self.live -= 1;
        let slot = &mut self.slots[at as usize];
        self.claimed -= usize::from(std::mem::take(&mut slot.claimed));
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
    pub fn take_all(&mut self) -> Vec<T> {
        std::mem::take(self).slots.into_iter().filter_map(|slot| slot.value).collect()
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
            + self.marks.capacity() * size_of::<u64>()
    }
}

/// Claims: which values the host holds.
impl<T> Arena<T> {
    /// The host holds the value from now on.
    pub fn claim(&mut self, addr: Addr<T>) {
        if let Some(slot) = self.slot_mut(addr) {
            let is_new = !std::mem::replace(&mut slot.claimed, true);
            self.claimed += usize::from(is_new);
        }
    }

    /// Whether the host holds the value.
    pub fn is_claimed(&self, addr: Addr<T>) -> bool {
        self.slot(addr).is_some_and(|slot| slot.claimed)
    }

    /// The host no longer holds the value; false when it did not.
    pub fn unclaim(&mut self, addr: Addr<T>) -> bool {
        let was_claimed = self.slot_mut(addr).is_some_and(|slot| std::mem::take(&mut slot.claimed));
        self.claimed -= usize::from(was_claimed);
        was_claimed
    }
}

/// Marks: which values a trace has reached.
impl<T> Arena<T> {
    /// Starts a trace: nothing is marked.
    pub fn unmark_all(&mut self) {
        self.marks.clear();
        self.marks.resize(self.slots.len().div_ceil(64), 0);
        self.marked = 0;
    }

    /// Marks the value, which is there; true when it was not marked before.
    #[inline]
    pub fn mark(&mut self, addr: Addr<T>) -> bool {
        debug_assert!(self.get(addr).is_some(), "what is reached is there");
        self.mark_slot(addr.slot)
    }

    #[inline]
    fn mark_slot(&mut self, at: u32) -> bool {
        let Some(word) = self.marks.get_mut(at as usize / 64) else { return false };
        let bit = 1 << (at % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.marked += usize::from(is_new);
        is_new
    }

    /// The first value that the host holds, in slot `from` or one after it.
    pub fn next_claimed(&self, from: u32) -> Option<Addr<T>> {
        if self.claimed == 0 {
            return None;
        }
        let slots = self.slots.get(from as usize..)?;
        let at = from + slots.iter().position(|slot| slot.claimed)? as u32;
        self.addr_of_slot(at)
    }

    /// Whether all values are marked: after a trace, and before anything is taken in or out.
    pub fn all_marked(&self) -> bool {
        self.marked == self.live
    }

    /// Whether the value, which is there, is marked.
    #[inline]
    pub fn is_marked(&self, addr: Addr<T>) -> bool {
        self.is_slot_marked(addr.slot)
    }

    /// Whether the value that now has slot `at` is marked.
    #[inline]
    pub fn is_slot_marked(&self, at: u32) -> bool {
        self.marks.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Addresses of the values that are marked.
    pub fn marked(&self) -> impl Iterator<Item = Addr<T>> {
        self.addrs().filter(|&addr| self.is_marked(addr))
    }

    /// Takes out the values that are neither marked nor otherwise to be kept.
    pub fn take_unmarked(&mut self, is_kept: impl Fn(&T) -> bool, mut take: impl FnMut(T)) {
        for at in 0..self.slots.len() as u32 {
            if self.is_slot_marked(at) {
                continue;
            }
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
        for at in 0..self.slots.len() as u32 {
            if self.is_slot_marked(at) {
                continue;
            }
            let value = &mut self.slots[at as usize].value;
            if let Some(last) = value {
                look(last);
                *value = None;
                self.emptied(at);
            }
        }
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
        assert!(arena.mark(addrs[0]) && arena.all_marked());
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
        assert_eq!(seen, (0..129).filter(|value| ![1, 7].contains(value)).collect::<Vec<_>>());
        assert_eq!((arena.len(), arena.claimed), (2, 2));
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
}
