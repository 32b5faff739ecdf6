//! Host references: values of the host that guests carry but cannot look into.

use std::any::Any;

/// The host values of one store. A guest holds a value's number; 0 is null.
///
/// Numbers are never used again, so that a number always means the value it was made for: without a
/// collector the store cannot know when the last guest has forgotten one.
#[derive(Default)]
pub(crate) struct Externs {
    values: Vec<Box<dyn Any + Send + Sync>>,
    /// Bytes of the values themselves.
    bytes: usize,
}

impl Externs {
    /// Takes `value` in; its number, or `None` when all 2^32 - 1 are given out.
    pub fn insert(&mut self, value: Box<dyn Any + Send + Sync>) -> Option<u32> {
        let number = u32::try_from(self.values.len() + 1).ok()?;
        self.bytes += size_of_val(&*value);
        self.values.push(value);
        Some(number)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Bytes of the values, and of the list that holds them.
    pub fn footprint(&self) -> usize {
        self.bytes + self.values.len() * size_of::<Box<dyn Any + Send + Sync>>()
    }

    /// Makes room for `additional` more.
    pub fn reserve(&mut self, additional: usize) {
        self.values.reserve(additional);
    }

    /// The value of `number`; `None` for null and for numbers never given out.
    pub fn get(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.values.get((number as usize).checked_sub(1)?).map(|value| &**value)
    }

    /// As [`Externs::get`].
    pub fn get_mut(&mut self, number: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.values.get_mut((number as usize).checked_sub(1)?).map(|value| &mut **value)
    }
}
