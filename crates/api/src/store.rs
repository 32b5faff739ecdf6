//! The store, and the ways to borrow it.

use crate::limits::LimiterFn;
use crate::{Engine, Error, Result, Val};
use std::fmt;
use std::ops::{Deref, DerefMut};
use tenure_runtime as runtime;

/// Owns instances, functions, memories, tables and globals, and a value `T` of the host's that host
/// functions can reach.
///
/// Handles ([`Func`](crate::Func), [`Memory`](crate::Memory), …) are indices into a store; each use checks
/// them. Dropping the store frees everything in it. That cannot happen while a call is active in it: host functions have a
/// borrow of the store, and whoever calls holds it.
///
/// ```
/// # use tenure::{Caller, Engine, Func, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// Func::wrap(&mut store, |caller: Caller<'_, ()>| drop(caller));
/// ```
///
/// ```compile_fail,E0505
/// # use tenure::{Caller, Engine, Func, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// Func::wrap(&mut store, move |caller: Caller<'_, ()>| drop(store));
/// ```
///
/// ```
/// use tenure::{Engine, Store};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, 41);
/// *store.data_mut() += 1;
/// assert_eq!(store.into_data(), 42);
/// ```
pub struct Store<T: 'static> {
    inner: Box<StoreInner<T>>,
}

/// What a store is. The runtime's part comes first: its address is the whole's, which is how a host
/// function, given the one, finds the other.
#[repr(C)]
pub(crate) struct StoreInner<T> {
    pub(crate) runtime: runtime::Store,
    pub(crate) engine: Engine,
    /// Room for the values of untyped host functions, used again by each call.
    pub(crate) values: Vec<Val>,
    /// Finds the limiter in the host's value.
    pub(crate) limiter: Option<LimiterFn<T>>,
    pub(crate) data: T,
}

/// A store, borrowed to read.
pub struct StoreContext<'a, T: 'static>(pub(crate) &'a StoreInner<T>);

/// A store, borrowed to change.
pub struct StoreContextMut<'a, T: 'static>(pub(crate) &'a mut StoreInner<T>);

/// What a store can be read through: a [`Store`], a [`Caller`](crate::Caller), a borrow of either.
pub trait AsContext {
    /// The host's value in the store.
    type Data: 'static;

    /// The store, to read.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// What a store can be changed through.
pub trait AsContextMut: AsContext {
    /// The store, to change.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T: 'static> Store<T> {
    /// An empty store with `data`.
    ///
    /// # Panics
    /// When [`Store::try_new`] gives an error.
    pub fn new(engine: &Engine, data: T) -> Self {
        Self::try_new(engine, data).unwrap_or_else(|error| panic!("no store: {error:#}"))
    }

    /// An empty store with `data`.
    ///
    /// # Errors
    /// When the system refuses what a store needs.
    pub fn try_new(engine: &Engine, data: T) -> Result<Self> {
        let inner = engine.inner();
        let mut runtime = runtime::Store::new(inner.store_config().clone());
        runtime.set_limits(engine.config().options().limits);
        let engine = engine.clone();
        // Made where it stays: it is large.
        let inner = StoreInner { runtime, engine, values: Vec::new(), limiter: None, data };
        Ok(Self { inner: Box::write(Box::new_uninit(), inner) })
    }

    /// The host's value.
    pub fn data(&self) -> &T {
        &self.inner.data
    }

    /// The host's value, to change.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.inner.data
    }

    /// Frees everything in the store but the host's value.
    pub fn into_data(self) -> T {
        let StoreInner { data, .. } = *self.inner;
        data
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Fuel that is left for guests; 0 also when one has used more, which ends it where it would be found.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }

    /// Gives guests `fuel` to use, in place of what was left. A store starts with none.
    ///
    /// What costs how much, and where it is paid, is said at
    /// [`Config::consume_fuel`](crate::Config::consume_fuel).
    ///
    /// # Errors
    /// When the engine does not count fuel, or the store's [`Limits`](crate::Limits) do not allow so much.
    ///
    /// ```
    /// use tenure::{Config, Engine, Instance, Module, Store, Trap};
    ///
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// store.set_fuel(1_000)?;
    /// let spin = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), ()>(&mut store, "spin")?;
    ///
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
    /// assert_eq!(store.get_fuel()?, 0);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.as_context_mut().set_fuel(fuel)
    }
}

impl<'a, T: 'static> StoreContext<'a, T> {
    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The host's value.
    pub fn data(&self) -> &'a T {
        &self.0.data
    }

    /// Fuel that is left.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.0.runtime.fuel().ok_or_else(not_counted)
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The host's value.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The host's value, to change.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// Fuel that is left.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }

    /// Sets the fuel; see [`Store::set_fuel`].
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        if self.0.runtime.set_fuel(fuel)? { Ok(()) } else { Err(not_counted()) }
    }
}

fn not_counted() -> Error {
    crate::format_err!(
        "fuel is not configured in this store; its engine counts it with `Config::consume_fuel`"
    )
}

impl<T: 'static> AsContext for Store<T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.inner)
    }
}

impl<T: 'static> AsContextMut for Store<T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(&mut self.inner)
    }
}

impl<T: 'static> AsContext for StoreContext<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T: 'static> AsContext for StoreContextMut<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T: 'static> AsContextMut for StoreContextMut<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0)
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

impl<'a, C: AsContext> From<&'a C> for StoreContext<'a, C::Data> {
    fn from(context: &'a C) -> Self {
        context.as_context()
    }
}

impl<'a, C: AsContext> From<&'a mut C> for StoreContext<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        C::as_context(context)
    }
}

impl<'a, C: AsContextMut> From<&'a mut C> for StoreContextMut<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        context.as_context_mut()
    }
}

impl<'a, T: 'static> From<StoreContextMut<'a, T>> for StoreContext<'a, T> {
    fn from(context: StoreContextMut<'a, T>) -> Self {
        Self(context.0)
    }
}

impl<T: Default + 'static> Default for Store<T> {
    /// A store of an engine of its own.
    fn default() -> Self {
        Self::new(&Engine::default(), T::default())
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("runtime", &self.inner.runtime).field("data", &self.inner.data).finish()
    }
}

impl<T> Deref for StoreInner<T> {
    type Target = runtime::Store;

    fn deref(&self) -> &runtime::Store {
        &self.runtime
    }
}

impl<T> DerefMut for StoreInner<T> {
    fn deref_mut(&mut self) -> &mut runtime::Store {
        &mut self.runtime
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    const fn is_sync<T: Sync>() {}
    is_send::<Store<()>>();
    is_sync::<Store<()>>();
};
