//! Room of long lists that stores leave for others of their engine.
//!
//! A list with ten thousand places takes megabytes. The allocator gives so much back to the system when a store
//! goes, which finds and clears every page again for the next one: that is as long as all the rest of making what the list
//! holds.

use crate::arena::Slot;
use crate::func::FuncInst;
use crate::global::GlobalInst;
use crate::instance::ModuleInst;
use crate::memory::MemInst;
use crate::table::TableInst;
use std::sync::Mutex;

/// Shorter lists are as quickly made anew.
pub(crate) const LEAST_PLACES: usize = 512;
/// Bytes that wait for lists of one kind.
const MOST_BYTES: usize = 4 << 20;

/// Room for one long list of each kind.
#[derive(Default)]
pub struct SpareLists {
    pub(crate) instances: Spare<ModuleInst>,
    pub(crate) funcs: Spare<FuncInst>,
    pub(crate) tables: Spare<TableInst>,
    pub(crate) mems: Spare<MemInst>,
    pub(crate) globals: Spare<GlobalInst>,
}

/// Room for a long list, if there is any.
pub(crate) struct Spare<T>(Mutex<Vec<Slot<T>>>);

// SAFETY: no value is in the room, so none is sent or shared.
unsafe impl<T> Send for Spare<T> {}
// SAFETY: as above; the room has a lock.
unsafe impl<T> Sync for Spare<T> {}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Spare<T> {
    /// Room for more than `len` values, which is empty; `None` when there is no such, or another thread looks now.
    pub fn take(&self, len: usize) -> Option<Vec<Slot<T>>> {
        let mut room = self.0.try_lock().ok().filter(|room| room.capacity() > len)?;
        Some(std::mem::take(&mut *room))
    }

    /// Keeps the room of a list that has gone, if it is longer than what is there.
    pub fn keep(&self, mut room: Vec<Slot<T>>) {
        room.clear();
        let is_wanted =
            room.capacity() >= LEAST_PLACES && room.capacity() * size_of::<Slot<T>>() <= MOST_BYTES;
        if is_wanted
            && let Ok(mut kept) = self.0.try_lock()
            && kept.capacity() < room.capacity()
        {
            *kept = room;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    #[test]
    fn a_list_that_becomes_long_takes_the_room_of_one_that_went() {
        let spare = Spare::default();
        let long = |spare: &Spare<Box<usize>>| {
            let mut list = Arena::default();
            let addrs: Vec<_> = (0..2000)
                .map(|value| {
                    list.make_room(spare);
                    list.insert(Box::new(value))
                })
                .collect();
            assert!(addrs.iter().enumerate().all(|(value, &addr)| list.get(addr) == Some(&Box::new(value))));
            list
        };
        let mut first = long(&spare);
        let room = first.footprint();
        first.clear(&spare);
        assert_eq!(first.len(), 0);
        assert!(spare.take(1 << 20).is_none());
        let second = long(&spare);
        assert_eq!(second.footprint(), room);
        assert!(spare.take(LEAST_PLACES).is_none(), "the second list has it");

        spare.keep(Vec::with_capacity(4 * MOST_BYTES));
        assert!(spare.take(LEAST_PLACES).is_none(), "what is very long goes");
    }
}
