//! References to the host's values and, one day, to guests' own data, as the host holds them.
//!
//! ```text
//! ExternRef  what is referred to, with the operations on it
//! Rooted     holds one as long as the scope it was made in; copies freely
//! OwnedRooted holds one as long as it lives itself
//! ```
//! Both name a root of the store's, and each use checks that it is of this store and still there. What no root,
//! table or global holds goes at the next reclamation.

use crate::{AsContext, AsContextMut, Result, StoreContext, StoreContextMut};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use tenure_runtime::{HandleError, Root, Store};

mod sealed {
    use tenure_runtime::Root;

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
pub struct OwnedRooted<T: GcRef> {
    reference: T,
    /// As long as a copy of it is there the store keeps the root.
    _token: Arc<()>,
}

impl<T: GcRef> Rooted<T> {
    /// A reference to the value of `number` in `store`, for its innermost scope; `None` for null.
    #[inline]
    pub(crate) fn of_number(store: &mut Store, number: u32) -> Option<Self> {
        store.root(number).map(Self::of_root)
    }

    /// What `root` holds.
    pub(crate) fn of_root(root: Root) -> Self {
        Self(T::from_root(root))
    }

    /// Whether `a` and `b` refer to the same object.
    ///
    /// # Errors
    /// When one is of another store.
    pub fn ref_eq(store: impl AsContext, a: &impl RootedGcRef<T>, b: &impl RootedGcRef<T>) -> Result<bool> {
        let store = &store.as_context().0.runtime;
        Ok(store.number_of(a.root())? == store.number_of(b.root())?)
    }

    /// Feeds to `state` what tells the object apart from others of the store.
    ///
    /// # Errors
    /// When the reference is of another store.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) -> Result<()> {
        store.as_context().0.runtime.number_of(self.root())?.hash(state);
        Ok(())
    }

    /// Whether `a` and `b` are copies of one reference. Two references to one object are not; see
    /// [`Rooted::ref_eq`].
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
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>> {
        Ok(OwnedRooted::of_rooted(&mut store.as_context_mut().0.runtime, *self)?)
    }
}

impl<T: GcRef> OwnedRooted<T> {
    /// What `rooted` holds.
    ///
    /// # Errors
    /// When it is of another store, or its scope has ended.
    pub(crate) fn of_rooted(store: &mut Store, rooted: Rooted<T>) -> Result<Self, HandleError> {
        let (root, token) = store.own_root(rooted.root())?;
        Ok(Self { reference: T::from_root(root), _token: token })
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
        crate::handle::expect(store.as_context().0.runtime.number_of(self.root())).hash(state);
    }

    /// Feeds the reference itself to `state`.
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.root().hash(state);
    }

    /// The same reference, for the scope of `store`.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Rooted<T> {
        let store = &mut store.as_context_mut().0.runtime;
        let number = crate::handle::expect(store.number_of(self.root()));
        Rooted::of_number(store, number).expect("what a root holds is there")
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
        Self { reference: self.reference, _token: self._token.clone() }
    }
}

macro_rules! holders {
    ($($holder:ident $field:tt;)*) => {$(
        impl<T: GcRef> sealed::RootedGcRefImpl<T> for $holder<T> {}

        impl<T: GcRef> Deref for $holder<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.$field
            }
        }

        impl<T: GcRef> fmt::Debug for $holder<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($holder), "<{}>({:?})"), T::NAME, self.root())
            }
        }
    )*};
}

holders! {
    Rooted 0;
    OwnedRooted reference;
}

/// A part of the program's run in which references are made that nobody needs afterwards: they end with it.
///
/// Stands for the store meanwhile.
///
/// ```
/// use tenure::{ExternRef, RootScope, Store};
///
/// let mut store = Store::<()>::default();
/// let value = {
///     let mut scope = RootScope::new(&mut store);
///     let value = ExternRef::new(&mut scope, "short-lived")?;
///     assert!(value.data(&scope)?.is_some());
///     value
/// };
/// assert_eq!(value.data(&store).unwrap_err().to_string(), "host reference whose scope has ended");
/// assert_eq!(store.reclaim().host_references, 1);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Debug)]
pub struct RootScope<C: AsContextMut> {
    store: C,
    /// What [`Store::close_roots`] is to be given.
    roots: usize,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope in `store`.
    pub fn new(store: C) -> Self {
        let roots = store.as_context().0.runtime.open_roots();
        Self { store, roots }
    }

    /// Makes room for `additional` references.
    pub fn reserve(&mut self, additional: usize) {
        self.store.as_context_mut().0.runtime.reserve_externs(additional);
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        self.store.as_context_mut().0.runtime.close_roots(self.roots);
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
