//! References to the host's values and, one day, to guests' own data, as the host holds them.
//!
//! ```text
//! ExternRef  what is referred to, with the operations on it
//! Rooted     holds one as long as the scope it was made in; copies freely
//! OwnedRooted holds one as long as it lives itself
//! ```
//! Without a collector a store keeps all host values until it goes, so that both kinds stay good that long.
//! Which store a reference is of is checked at each use.

use crate::{AsContext, AsContextMut, Result, StoreContext, StoreContextMut};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::ops::Deref;
use tenure_runtime::{HandleError, Store, StoreId};

/// Which object of which store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Root {
    store: StoreId,
    number: NonZeroU32,
}

impl Root {
    /// The object of `number` in `store`; `None` for 0, which is null.
    pub(crate) fn new(store: &Store, number: u32) -> Option<Self> {
        Some(Self { store: store.id(), number: NonZeroU32::new(number)? })
    }

    /// Its number in `store`.
    #[inline]
    pub(crate) fn number_in(self, store: &Store) -> Result<u32, HandleError> {
        if self.store != store.id() {
            return Err(HandleError::WrongStore { what: "host reference" });
        }
        Ok(self.number.get())
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.store, self.number)
    }
}

mod sealed {
    use super::Root;

    pub trait GcRefImpl: Copy + Send + Sync + 'static {
        /// For messages.
        const NAME: &'static str;
        fn from_root(root: Root) -> Self;
        fn root(&self) -> Root;
    }

    pub trait RootedGcRefImpl<T> {}
}

pub(crate) use sealed::GcRefImpl;

/// What a [`Rooted`] can hold.
pub trait GcRef: GcRefImpl {}

impl<T: GcRefImpl> GcRef for T {}

/// What holds a `T`: a [`Rooted`] or an [`OwnedRooted`].
pub trait RootedGcRef<T: GcRef>: sealed::RootedGcRefImpl<T> + Deref<Target = T> {}

impl<T: GcRef, U: sealed::RootedGcRefImpl<T> + Deref<Target = T>> RootedGcRef<T> for U {}

/// A reference that lives as long as the scope that it was made in: a [`RootScope`], a call of a host
/// function, or the store.
///
/// ```
/// use tenure::{ExternRef, Rooted, Store};
///
/// let mut store = Store::<()>::default();
/// let a = ExternRef::new(&mut store, "a".to_string())?;
/// let also_a = a;
/// let b = ExternRef::new(&mut store, "b".to_string())?;
/// assert!(Rooted::ref_eq(&store, &a, &also_a)?);
/// assert!(!Rooted::ref_eq(&store, &a, &b)?);
/// # Ok::<(), tenure::Error>(())
/// ```
pub struct Rooted<T: GcRef>(T);

/// A reference that lives as long as this value.
///
/// ```
/// use tenure::{ExternRef, OwnedRooted, RootScope, Store};
///
/// let mut store = Store::<()>::default();
/// let kept: OwnedRooted<ExternRef> = {
///     let mut scope = RootScope::new(&mut store);
///     let value = ExternRef::new(&mut scope, 7_u8)?;
///     value.to_owned_rooted(&mut scope)?
/// };
/// assert_eq!(kept.data(&store)?.unwrap().downcast_ref::<u8>(), Some(&7));
/// # Ok::<(), tenure::Error>(())
/// ```
pub struct OwnedRooted<T: GcRef>(T);

impl<T: GcRef> Rooted<T> {
    /// The reference with `number` in `store`; `None` for null.
    pub(crate) fn of_number(store: &Store, number: u32) -> Option<Self> {
        Root::new(store, number).map(|root| Self(T::from_root(root)))
    }

    /// Whether `a` and `b` refer to the same object.
    ///
    /// # Errors
    /// When one is of another store.
    pub fn ref_eq(store: impl AsContext, a: &impl RootedGcRef<T>, b: &impl RootedGcRef<T>) -> Result<bool> {
        let store = &store.as_context().0.runtime;
        Ok(a.root().number_in(store)? == b.root().number_in(store)?)
    }

    /// Feeds to `state` what tells the object apart from others of the store.
    ///
    /// # Errors
    /// When the reference is of another store.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) -> Result<()> {
        self.root().number_in(&store.as_context().0.runtime)?.hash(state);
        Ok(())
    }

    /// Whether `a` and `b` are the same reference.
    pub fn rooted_eq(a: Self, b: Self) -> bool {
        a.root() == b.root()
    }

    /// Feeds the reference itself to `state`.
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.root().hash(state);
    }

    /// The same reference, to be kept for longer.
    ///
    /// # Errors
    /// When it is of another store.
    pub fn to_owned_rooted(&self, store: impl AsContextMut) -> Result<OwnedRooted<T>> {
        self.root().number_in(&store.as_context().0.runtime)?;
        Ok(OwnedRooted(self.0))
    }
}

impl<T: GcRef> OwnedRooted<T> {
    /// What `rooted` holds.
    pub(crate) fn of_rooted(rooted: Rooted<T>) -> Self {
        Self(rooted.0)
    }

    /// What this holds.
    pub(crate) fn into_rooted(self) -> Rooted<T> {
        Rooted(self.0)
    }

    /// Whether `a` and `b` refer to the same object.
    ///
    /// # Errors
    /// When one is of another store.
    pub fn ref_eq(store: impl AsContext, a: &impl RootedGcRef<T>, b: &impl RootedGcRef<T>) -> Result<bool> {
        Rooted::ref_eq(store, a, b)
    }

    /// Feeds to `state` what tells the object apart from others of the store.
    ///
    /// # Panics
    /// When the reference is of another store.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) {
        crate::handle::expect(Rooted(self.0).root().number_in(&store.as_context().0.runtime)).hash(state);
    }

    /// Feeds the reference itself to `state`.
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.root().hash(state);
    }

    /// The same reference, for the scope of `store`.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn to_rooted(&self, store: impl AsContextMut) -> Rooted<T> {
        crate::handle::expect(self.root().number_in(&store.as_context().0.runtime));
        Rooted(self.0)
    }
}

impl<T: GcRef> Clone for Rooted<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: GcRef> Copy for Rooted<T> {}

impl<T: GcRef> Clone for OwnedRooted<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

macro_rules! holders {
    ($($holder:ident)*) => {$(
        impl<T: GcRef> sealed::RootedGcRefImpl<T> for $holder<T> {}

        impl<T: GcRef> Deref for $holder<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T: GcRef> fmt::Debug for $holder<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($holder), "<{}>({:?})"), T::NAME, self.root())
            }
        }
    )*};
}

holders!(Rooted OwnedRooted);

/// A part of the program's run in which references are made that nobody needs afterwards.
///
/// Stands for the store meanwhile.
///
/// ```
/// use tenure::{ExternRef, RootScope, Store};
///
/// let mut store = Store::<()>::default();
/// let mut scope = RootScope::new(&mut store);
/// let value = ExternRef::new(&mut scope, "short-lived")?;
/// assert!(value.data(&scope)?.is_some());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug)]
pub struct RootScope<C: AsContextMut> {
    store: C,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope in `store`.
    pub fn new(store: C) -> Self {
        Self { store }
    }

    /// Makes room for `additional` references.
    pub fn reserve(&mut self, additional: usize) {
        self.store.as_context_mut().0.runtime.reserve_externs(additional);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}
