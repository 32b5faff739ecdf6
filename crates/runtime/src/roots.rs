//! Roots: which host values the host itself holds, and for how long.
//!
//! ```text
//! scoped  a stack: a scope remembers its height and cuts it back    [1 7 7 3|2 2|9]
//! owned   a list with free places: each lives as long as a token that its owner has
//! ```
//! Both are named by place and generation, so that a root whose time is over is never taken for another.

use crate::addr::{HandleError, StoreId};
use std::fmt;
use std::sync::Arc;

/// A host value as the host holds it: which root of which store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Root {
    store: StoreId,
    place: Place,
    generation: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Place {
    Scoped(u32),
    Owned(u32),
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{:?}.{}", self.store, self.place, self.generation)
    }
}

/// What host references are called in messages.
const WHAT: &str = "host reference";

/// The roots of one store.
#[derive(Default)]
pub(crate) struct Roots {
    scoped: Vec<Scoped>,
    /// Of the next scoped root; goes up whenever some end.
    generation: u32,
    /// Places of scoped roots below this are not used again: their generations are used up.
    retired: usize,
    owned: Vec<Owned>,
    free: Vec<u32>,
    /// How many owned roots lived when those whose owner went were last looked for.
    trimmed: usize,
}

struct Scoped {
    generation: u32,
    number: u32,
}

#[derive(Default)]
struct Owned {
    generation: u32,
    /// The number, and a copy of the owner's token, as long as the root lives.
    held: Option<(u32, Arc<()>)>,
}

impl Roots {
    /// Holds the value of `number` until the innermost scope ends.
    #[inline]
    pub fn hold(&mut self, store: StoreId, number: u32) -> Root {
        let place = u32::try_from(self.scoped.len()).expect("fewer than 2^32 roots");
        self.scoped.push(Scoped { generation: self.generation, number });
        Root { store, place: Place::Scoped(place), generation: self.generation }
    }

    /// Holds the value of `number` as long as the token, or a copy of it, is there.
    pub fn own(&mut self, store: StoreId, number: u32) -> (Root, Arc<()>) {
        if self.owned.len() - self.free.len() > 2 * self.trimmed.max(32) {
            self.trim();
        }
        let token = Arc::new(());
        let place = self.free.pop().unwrap_or_else(|| {
            self.owned.push(Owned::default());
            u32::try_from(self.owned.len() - 1).expect("fewer than 2^32 roots")
        });
        let owned = &mut self.owned[place as usize];
        owned.held = Some((number, token.clone()));
        (Root { store, place: Place::Owned(place), generation: owned.generation }, token)
    }

    /// The number of the value that `root` holds, which is of this store.
    #[inline]
    fn number(&self, root: Root) -> Option<u32> {
        match root.place {
            Place::Scoped(at) => {
                let scoped = self.scoped.get(at as usize)?;
                (scoped.generation == root.generation).then_some(scoped.number)
            }
            Place::Owned(at) => {
                let owned =
                    self.owned.get(at as usize).filter(|owned| owned.generation == root.generation)?;
                owned.held.as_ref().map(|held| held.0)
            }
        }
    }

    /// The number of the value that `root` holds in the store of id `store`.
    ///
    /// # Errors
    /// [`HandleError`] when it is another store's, or its scope has ended.
    #[inline]
    pub fn find(&self, store: StoreId, root: Root) -> Result<u32, HandleError> {
        if root.store != store {
            return Err(HandleError::WrongStore { what: WHAT });
        }
        self.number(root).ok_or(HandleError::Unrooted { what: WHAT })
    }

    /// The height of the stack of scoped roots.
    #[inline]
    pub fn height(&self) -> usize {
        self.scoped.len()
    }

    /// Ends the scoped roots above `height`; how many there were.
    #[inline]
    pub fn cut(&mut self, height: usize) -> usize {
        match self.scoped.len() > height {
            true => self.cut_some(height.max(self.retired)),
            false => 0,
        }
    }

    fn cut_some(&mut self, height: usize) -> usize {
        let ended = self.scoped.len().saturating_sub(height);
        if self.generation < LAST_GENERATION {
            self.generation += 1;
            self.scoped.truncate(height);
        } else {
            for scoped in self.scoped.iter_mut().skip(height) {
                *scoped = Scoped { generation: LAST_GENERATION + 1, number: 0 };
            }
            self.retired = self.scoped.len();
            self.generation = 0;
        }
        ended
    }

    /// Ends the owned roots whose owner went.
    pub fn trim(&mut self) {
        for (owned, at) in self.owned.iter_mut().zip(0..) {
            if owned.held.as_ref().is_some_and(|(_, token)| Arc::strong_count(token) == 1) {
                owned.held = None;
                // A place whose generations are used up is not used again.
                if let Some(next) = owned.generation.checked_add(1) {
                    owned.generation = next;
                    self.free.push(at);
                }
            }
        }
        self.trimmed = self.owned.len() - self.free.len();
    }

    /// The numbers of all values that are held.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let owned = self.owned.iter().filter_map(|owned| owned.held.as_ref().map(|held| held.0));
        self.scoped.iter().map(|scoped| scoped.number).chain(owned)
    }

    /// Bytes of the lists.
    pub fn footprint(&self) -> usize {
        self.scoped.capacity() * size_of::<Scoped>()
            + self.owned.capacity() * size_of::<Owned>()
            + self.free.capacity() * size_of::<u32>()
    }
}

/// The last generation that a scoped root gets; one more marks the dead.
const LAST_GENERATION: u32 = u32::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scoped_root_ends_with_its_scope_for_ever() {
        let (store, mut roots) = (StoreId::next(), Roots::default());
        let outer = roots.hold(store, 1);
        let height = roots.height();
        let inner = roots.hold(store, 2);
        assert_eq!((roots.find(store, outer), roots.find(store, inner)), (Ok(1), Ok(2)));
        assert_eq!(roots.cut(height), 1);
        for number in 3..1000 {
            let newer = roots.hold(store, number);
            assert_eq!(roots.find(store, inner), Err(HandleError::Unrooted { what: WHAT }));
            assert_eq!(roots.find(store, newer), Ok(number));
            assert_eq!(roots.cut(height), 1);
            assert_eq!(roots.cut(height), 0);
        }
        assert_eq!(roots.find(store, outer), Ok(1));
        let error = roots.find(StoreId::next(), outer).unwrap_err();
        assert_eq!(error, HandleError::WrongStore { what: WHAT });
    }

    #[test]
    fn places_whose_generations_are_used_up_are_retired() {
        let (store, mut roots) = (StoreId::next(), Roots::default());
        let outer = roots.hold(store, 1);
        let old = roots.hold(store, 2);
        roots.generation = LAST_GENERATION;
        let last = roots.hold(store, 3);
        assert_eq!(roots.cut(1), 2);
        for number in 4..8 {
            let newer = roots.hold(store, number);
            assert_eq!(roots.find(store, newer), Ok(number));
            assert!(roots.find(store, old).is_err() && roots.find(store, last).is_err());
            assert_eq!(roots.find(store, outer), Ok(1));
            roots.cut(1);
        }
        assert_eq!(roots.numbers().filter(|&number| number != 0).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn an_owned_root_lives_as_long_as_its_token() {
        let (store, mut roots) = (StoreId::next(), Roots::default());
        let (first, token) = roots.own(store, 1);
        let copy = token.clone();
        drop(token);
        roots.trim();
        assert_eq!(roots.find(store, first), Ok(1));
        drop(copy);
        roots.trim();
        assert!(roots.find(store, first).is_err());
        let (second, _token) = roots.own(store, 2);
        assert_eq!((roots.find(store, second), roots.find(store, first).is_err()), (Ok(2), true));
        for number in 0..1000 {
            roots.own(store, number);
        }
        assert!(roots.owned.len() < 100, "those without owner are looked for now and then");
        assert_eq!(roots.find(store, second), Ok(2));
    }
}
