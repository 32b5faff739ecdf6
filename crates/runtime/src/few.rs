//! Lists that mostly have one element or none, and never change their length.

use std::ops::{Deref, DerefMut};

/// A boxed slice that needs no box for a single element: most instances have one memory, one table, one segment, and
/// making and freeing boxes is most of what a small instance costs.
#[derive(Clone, Debug)]
pub(crate) enum Few<T> {
    One(T),
    /// None, or more than one.
    Many(Box<[T]>),
}

impl<T> Few<T> {
    /// Those of `first`, and then the `rest`.
    #[inline]
    pub fn joined(first: Vec<T>, mut rest: impl ExactSizeIterator<Item = T>) -> Self {
        if first.is_empty() {
            match rest.len() {
                0 => return Self::default(),
                1 => return rest.next().map_or_else(Self::default, Self::One),
                _ => {}
            }
        }
        first.into_iter().chain(rest).collect()
    }

    /// Bytes that it takes beside itself.
    pub fn footprint(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(elements) => size_of_val(&**elements),
        }
    }
}

impl<T> Default for Few<T> {
    #[inline]
    fn default() -> Self {
        Self::Many(Box::default())
    }
}

impl<T> From<Vec<T>> for Few<T> {
    #[inline]
    fn from(elements: Vec<T>) -> Self {
        match <[T; 1]>::try_from(elements) {
            Ok([element]) => Self::One(element),
            Err(elements) => Self::Many(elements.into()),
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut elements = elements.into_iter();
        let Some(first) = elements.next() else { return Self::default() };
        match elements.next() {
            None => Self::One(first),
            Some(second) => Self::Many([first, second].into_iter().chain(elements).collect()),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::One(element) => std::slice::from_ref(element),
            Self::Many(elements) => elements,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(element) => std::slice::from_mut(element),
            Self::Many(elements) => elements,
        }
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_list_that_was_given() {
        for len in 0..5 {
            let elements: Vec<u32> = (0..len).collect();
            let mut few: Few<u32> = elements.iter().copied().collect();
            assert_eq!(*few, *elements);
            assert_eq!(*Few::from(elements.clone()), *elements);
            for at in 0..=elements.len() {
                let (first, rest) = elements.split_at(at);
                assert_eq!(*Few::joined(first.to_vec(), rest.iter().copied()), *elements);
            }
            assert_eq!(few.footprint(), if len == 1 { 0 } else { 4 * len as usize });
            few.iter_mut().for_each(|element| *element += 1);
            assert!(few.into_iter().eq(&elements.iter().map(|element| element + 1).collect::<Vec<_>>()));
        }
        assert_eq!(size_of::<Few<u64>>(), size_of::<Box<[u64]>>());
    }
}
