//! Lists whose places are used again, with a generation that tells the tenants apart.

use crate::addr::Addr;

/// A list of `T`s. An address that was removed stays invalid for ever.
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    /// Takes `value` in.
    ///
    /// # Panics
    /// With 2^32 values in the list, which no memory holds.
    pub fn insert(&mut self, value: T) -> Addr<T> {
        if let Some(at) = self.free.pop() {
            let slot = &mut self.slots[at as usize];
            slot.value = Some(value);
            return Addr::new(at, slot.generation);
        }
        let at = u32::try_from(self.slots.len()).expect("fewer than 2^32 values");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Addr::new(at, 0)
    }

    #[cfg(test)]
    /// Takes the value at `addr` out. Its slot gets a new generation, and is retired after the last one.
    pub fn remove(&mut self, addr: Addr<T>) -> Option<T> {
        let slot =
            self.slots.get_mut(addr.slot as usize).filter(|slot| slot.generation == addr.generation)?;
        let value = slot.value.take()?;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(addr.slot);
        }
        Some(value)
    }

    #[inline]
    pub fn get(&self, addr: Addr<T>) -> Option<&T> {
        let slot = self.slots.get(addr.slot as usize)?;
        if slot.generation != addr.generation {
            return None;
        }
        slot.value.as_ref()
    }

    #[inline]
    pub fn get_mut(&mut self, addr: Addr<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(addr.slot as usize)?;
        if slot.generation != addr.generation {
            return None;
        }
        slot.value.as_mut()
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
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut arena = Arena::default();
        let first = arena.insert(1);
        arena.slots[0].generation = u32::MAX;
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(Addr::new(0, u32::MAX)), Some(1));
        assert_eq!(arena.insert(2).slot, 1);
    }
}
