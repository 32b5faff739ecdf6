//! Host references: values of the host that guests carry but cannot look into.

use std::any::Any;

/// A value of the host's.
pub(crate) type HostValue = Box<dyn Any + Send + Sync>;

/// The host values of one store. A guest holds a value's number; 0 is null.
///
/// A number is used again when its value went, which is when nothing holds it: no table, no global, no root, and
/// no call is active whose frames could.
#[derive(Default)]
pub(crate) struct Externs {
    places: Vec<Place>,
    free: Vec<u32>,
    /// Bytes of the values themselves.
    bytes: usize,
    /// How many were taken in since the last sweep.
    fresh: usize,
}

struct Place {
    value: Option<HostValue>,
    marked: bool,
}

impl Externs {
    /// Takes `value` in; its number, or `None` when all 2^32 - 1 are given out.
    pub fn insert(&mut self, value: HostValue) -> Option<u32> {
        let size = size_of_val(&*value);
        let place = Place { value: Some(value), marked: false };
        let number = match self.free.pop() {
            Some(number) => {
                self.places[number as usize - 1] = place;
                number
            }
            None => {
                let number = u32::try_from(self.places.len() + 1).ok()?;
                self.places.push(place);
                number
            }
        };
        self.bytes += size;
        self.fresh += 1;
        Some(number)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// How many values were taken in since the last sweep: any of them may be forgotten by now.
    pub fn fresh(&self) -> usize {
        self.fresh
    }

    /// Bytes of the values, and of their places in the list.
    pub fn footprint(&self) -> usize {
        self.bytes + self.len() * size_of::<Place>()
    }

    /// Bytes of places that are free.
    pub fn spare(&self) -> usize {
        (self.places.capacity() - self.len()) * size_of::<Place>() + self.free.capacity() * size_of::<u32>()
    }

    /// Makes room for `additional` more.
    pub fn reserve(&mut self, additional: usize) {
        self.places.reserve(additional.saturating_sub(self.free.len()));
    }

    /// The value of `number`; `None` for null and for numbers of nothing.
    pub fn get(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.places.get((number as usize).checked_sub(1)?)?.value.as_deref()
    }

    /// As [`Externs::get`].
    pub fn get_mut(&mut self, number: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.places.get_mut((number as usize).checked_sub(1)?)?.value.as_deref_mut()
    }

    /// Starts a trace: nothing is marked.
    pub fn unmark_all(&mut self) {
        self.places.iter_mut().for_each(|place| place.marked = false);
    }

    /// Marks the value of `number`, if there is one.
    pub fn mark(&mut self, number: u32) {
        let place = (number as usize).checked_sub(1).and_then(|at| self.places.get_mut(at));
        if let Some(place) = place {
            place.marked = true;
        }
    }

    /// Takes out what is not marked.
    pub fn sweep(&mut self) -> Vec<HostValue> {
        self.fresh = 0;
        let mut dead = Vec::new();
        for (place, number) in self.places.iter_mut().zip(1..) {
            if !place.marked
                && let Some(value) = place.value.take()
            {
                self.bytes -= size_of_val(&*value);
                self.free.push(number);
                dead.push(value);
            }
        }
        dead
    }

    /// Takes everything out, for the end.
    pub fn take_all(&mut self) -> Vec<HostValue> {
        std::mem::take(self).places.into_iter().filter_map(|place| place.value).collect()
    }

    /// Bytes that `value` and its place are worth.
    pub fn weight(value: &HostValue) -> usize {
        size_of_val(&**value) + size_of::<Place>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_marked_goes_and_its_number_is_used_again() {
        let mut externs = Externs::default();
        let (a, b) = (externs.insert(Box::new('a')).unwrap(), externs.insert(Box::new(2_u64)).unwrap());
        assert_eq!((externs.len(), externs.fresh()), (2, 2));
        externs.unmark_all();
        externs.mark(b);
        externs.mark(0);
        externs.mark(77);
        assert_eq!(externs.sweep().len(), 1);
        assert!(externs.get(a).is_none() && externs.get_mut(a).is_none());
        assert_eq!(externs.get(b).and_then(<dyn Any + Send + Sync>::downcast_ref), Some(&2_u64));
        assert_eq!((externs.len(), externs.fresh(), externs.insert(Box::new(()))), (1, 0, Some(a)));
        assert_eq!(externs.footprint(), 8 + 2 * size_of::<Place>());
        assert_eq!(externs.take_all().len(), 2);
        assert_eq!(externs.len(), 0);
    }
}
