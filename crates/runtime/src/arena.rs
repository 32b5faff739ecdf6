//! Lists whose places are used again, with a generation that tells the tenants apart.

use crate::addr::Addr;

/// A list of `T`s. An address that was removed stays invalid for ever.
///
/// Each value is *claimed* or not, by the host, and can be *marked* by a trace.
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    live: usize,
    /// Marks of this number are of the trace that runs now; older ones mean nothing.
    trace: u32,
    /// How many values it has marked.
    marked: usize,
}

struct Slot<T> {
    generation: u32,
    marked: u32,
    claimed: bool,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), live: 0, trace: 0, marked: 0 }
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
        self.slots.push(Slot { generation: 0, marked: 0, claimed: false, value: Some(value) });
        Addr::new(at, 0)
    }

    /// Makes room for so many values.
    pub fn reserve(&mut self, additional: usize) {
        self.slots.reserve(additional.saturating_sub(self.free.len()));
    }

    /// Takes the value at `addr` out. Its slot gets a new generation, and is retired after the last one.
    pub fn remove(&mut self, addr: Addr<T>) -> Option<T> {
        let slot = self.slot_mut(addr)?;
        let value = slot.value.take()?;
        self.live -= 1;
        let slot = self.slots.get_mut(addr.slot as usize)?;
        slot.claimed = false;
        slot.marked = 0;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(addr.slot);
        }
        Some(value)
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
        self.slots.capacity() * size_of::<Slot<T>>() + self.free.capacity() * size_of::<u32>()
    }
}

/// Claims: which values the host holds.
impl<T> Arena<T> {
    /// The host holds the value from now on.
    pub fn claim(&mut self, addr: Addr<T>) {
        if let Some(slot) = self.slot_mut(addr) {
            slot.claimed = true;
        }
    }

    /// Whether the host holds the value.
    pub fn is_claimed(&self, addr: Addr<T>) -> bool {
        self.slot(addr).is_some_and(|slot| slot.claimed)
    }

    /// The host no longer holds the value; false when it did not.
    pub fn unclaim(&mut self, addr: Addr<T>) -> bool {
        self.slot_mut(addr).is_some_and(|slot| std::mem::take(&mut slot.claimed))
    }

    /// Addresses of the values that the host holds.
    pub fn claimed(&self) -> impl Iterator<Item = Addr<T>> {
        let held = self.slots.iter().enumerate().filter(|(_, slot)| slot.claimed);
        held.map(|(at, slot)| Addr::new(at as u32, slot.generation))
    }
}

/// Marks: which values a trace has reached.
impl<T> Arena<T> {
    /// Starts a trace: nothing is marked.
    pub fn unmark_all(&mut self) {
        if self.trace == u32::MAX {
            self.slots.iter_mut().for_each(|slot| slot.marked = 0);
            self.trace = 0;
        }
        self.trace += 1;
        self.marked = 0;
    }

    /// Marks the value; true when it was not marked before.
    pub fn mark(&mut self, addr: Addr<T>) -> bool {
        let trace = self.trace;
        let is_new = self
            .slot_mut(addr)
            .is_some_and(|slot| slot.value.is_some() && std::mem::replace(&mut slot.marked, trace) != trace);
        self.marked += usize::from(is_new);
        is_new
    }

    /// Whether all values are marked: after a trace, and before anything is taken in or out.
    pub fn all_marked(&self) -> bool {
        self.marked == self.live
    }

    /// Whether the value is marked.
    pub fn is_marked(&self, addr: Addr<T>) -> bool {
        self.slot(addr).is_some_and(|slot| slot.marked == self.trace && slot.value.is_some())
    }

    /// Addresses of the values that are not marked.
    pub fn unmarked(&self) -> Vec<Addr<T>> {
        self.addrs().filter(|&addr| !self.is_marked(addr)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (a, b) = (arena.insert('a'), arena.insert('b'));
        arena.unmark_all();
        assert!(arena.mark(a) && !arena.mark(a) && arena.mark(b));
        arena.trace = u32::MAX;
        arena.unmark_all();
        assert!(arena.mark(b) && !arena.all_marked());
        assert_eq!(arena.unmarked(), [a]);
        assert!(arena.mark(a) && arena.all_marked());
    }

    #[test]
    fn a_claim_goes_with_its_value() {
        let mut arena = Arena::default();
        let a = arena.insert('a');
        arena.claim(a);
        assert_eq!(arena.claimed().collect::<Vec<_>>(), [a]);
        arena.remove(a);
        let b = arena.insert('b');
        assert_eq!((arena.claimed().count(), arena.unclaim(b), arena.unclaim(a)), (0, false, false));
    }
}
