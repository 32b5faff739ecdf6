//! Limits: numbers that are on by default, and a limiter of the host's that is asked as well.

use crate::backtrace::WasmBacktrace;
use crate::store::StoreInner;
use crate::{AsContext, AsContextMut, Error, Result, Store, StoreContext, StoreContextMut, format_err};
use std::fmt;
use std::io;
use tenure_runtime::{self as runtime, GrowError, Limiter, LimiterError, NoLimiter};

pub use tenure_runtime::{LimitError, Limits};

/// What [`ResourceLimiter::instances`] is unless written otherwise.
pub const DEFAULT_INSTANCE_LIMIT: usize = 10_000;
/// What [`ResourceLimiter::tables`] is unless written otherwise.
pub const DEFAULT_TABLE_LIMIT: usize = 10_000;
/// What [`ResourceLimiter::memories`] is unless written otherwise.
pub const DEFAULT_MEMORY_LIMIT: usize = 10_000;

/// The engine's pool has no place for another instance, or its memories or tables: those of other stores have them all.
/// The message says which limit it is, and how to raise it.
///
/// ```
/// use tenure::{Config, Engine, Instance, Module, PoolConcurrencyLimitError, PoolingAllocationConfig, Store};
///
/// let mut pool = PoolingAllocationConfig::new();
/// pool.total_core_instances(1);
/// let engine = Engine::new(Config::new().allocation_strategy(pool))?;
/// let module = Module::new(&engine, "(module)")?;
///
/// let mut store = Store::new(&engine, ());
/// Instance::new(&mut store, &module, &[])?;
/// let error = Instance::new(&mut Store::new(&engine, ()), &module, &[]).unwrap_err();
/// assert!(error.downcast_ref::<PoolConcurrencyLimitError>().is_some());
///
/// drop(store);
/// assert!(Instance::new(&mut Store::new(&engine, ()), &module, &[]).is_ok());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolConcurrencyLimitError(LimitError);

impl PoolConcurrencyLimitError {
    /// `error`, as what it is of a pool's.
    pub(crate) fn of(error: LimitError) -> Error {
        if error.is_pools() && error.limit().starts_with("total_") {
            Self(error).into()
        } else {
            error.into()
        }
    }
}

impl fmt::Display for PoolConcurrencyLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PoolConcurrencyLimitError {}

/// Decides about what a store may hold, beside its [`Limits`]: asked before a memory or table is made or grows,
/// and how many things may live at once.
///
/// It lies in the host's value; [`Store::limiter`] says where. It is asked before anything changes, so one that
/// fails or panics leaves the store as it was.
pub trait ResourceLimiter: Send {
    /// A memory is to go from `current` bytes to `desired`; 0 is what a new one starts from. `maximum` is what
    /// its type allows, in bytes. Also called when `desired` is above that, but not when no address has as many.
    ///
    /// `Ok(true)` permits it; it may still fail. After `Ok(false)` the guest sees -1, and the host an error.
    ///
    /// # Errors
    /// Its own, as which the guest's call ends then; so does a host's call that grows or makes a memory.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool>;

    /// What [`ResourceLimiter::memory_growing`] permitted failed all the same: `error` says why.
    ///
    /// # Errors
    /// Its own, with the same effect as there.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        drop(error);
        Ok(())
    }

    /// A table is to go from `current` elements to `desired`, of which its type allows `maximum`. Otherwise as
    /// [`ResourceLimiter::memory_growing`].
    ///
    /// # Errors
    /// As there.
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool>;

    /// What [`ResourceLimiter::table_growing`] permitted failed all the same: `error` says why.
    ///
    /// # Errors
    /// As there.
    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        drop(error);
        Ok(())
    }

    /// How many instances may live at once; what was reclaimed does not count. 10,000 unless written otherwise.
    fn instances(&self) -> usize {
        DEFAULT_INSTANCE_LIMIT
    }

    /// How many tables may live at once. 10,000 unless written otherwise.
    fn tables(&self) -> usize {
        DEFAULT_TABLE_LIMIT
    }

    /// How many memories may live at once. 10,000 unless written otherwise.
    fn memories(&self) -> usize {
        DEFAULT_MEMORY_LIMIT
    }
}

/// Makes [`StoreLimits`].
#[derive(Clone, Debug)]
pub struct StoreLimitsBuilder(StoreLimits);

/// A [`ResourceLimiter`] of fixed numbers.
///
/// ```
/// use tenure::{Memory, MemoryType, Store, StoreLimits, StoreLimitsBuilder, Engine};
///
/// let limits = StoreLimitsBuilder::new().memory_size(1 << 20).instances(2).build();
/// let mut store = Store::new(&Engine::default(), limits);
/// store.limiter(|limits| limits);
///
/// let memory = Memory::new(&mut store, MemoryType::new(16, None))?;
/// assert!(memory.grow(&mut store, 1).is_err());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: Option<usize>,
    table_elements: Option<usize>,
    instances: usize,
    tables: usize,
    memories: usize,
    trap_on_grow_failure: bool,
}

impl Default for StoreLimits {
    /// No limits on sizes; 10,000 each of instances, tables and memories.
    fn default() -> Self {
        Self {
            memory_size: None,
            table_elements: None,
            instances: DEFAULT_INSTANCE_LIMIT,
            tables: DEFAULT_TABLE_LIMIT,
            memories: DEFAULT_MEMORY_LIMIT,
            trap_on_grow_failure: false,
        }
    }
}

impl Default for StoreLimitsBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl StoreLimitsBuilder {
    /// Starts from [`StoreLimits::default`].
    pub fn new() -> Self {
        Self(StoreLimits::default())
    }

    /// Bytes that each memory may have; unlimited unless set.
    pub fn memory_size(mut self, limit: usize) -> Self {
        self.0.memory_size = Some(limit);
        self
    }

    /// Elements that each table may have; unlimited unless set.
    pub fn table_elements(mut self, limit: usize) -> Self {
        self.0.table_elements = Some(limit);
        self
    }

    /// Instances that may live at once; 10,000 unless set.
    pub fn instances(mut self, limit: usize) -> Self {
        self.0.instances = limit;
        self
    }

    /// Tables that may live at once; 10,000 unless set.
    pub fn tables(mut self, limit: usize) -> Self {
        self.0.tables = limit;
        self
    }

    /// Memories that may live at once; 10,000 unless set.
    pub fn memories(mut self, limit: usize) -> Self {
        self.0.memories = limit;
        self
    }

    /// Whether a growth that fails, for whatever reason, ends the guest with an error instead of giving it -1.
    /// Off unless set: WebAssembly says -1.
    pub fn trap_on_grow_failure(mut self, trap: bool) -> Self {
        self.0.trap_on_grow_failure = trap;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}

impl StoreLimits {
    /// Whether `desired` is within `limit`.
    fn answer(&self, what: &str, desired: usize, limit: Option<usize>) -> Result<bool> {
        match limit {
            Some(limit) if desired > limit => {
                if self.trap_on_grow_failure {
                    return Err(format_err!("a {what} may not grow to {desired}: the limit is {limit}"));
                }
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn failed(&self, what: &str, error: Error) -> Result<()> {
        if self.trap_on_grow_failure {
            return Err(error.context(format!("a {what} could not grow")));
        }
        Ok(())
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        self.answer("memory", desired, self.memory_size)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed("memory", error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        self.answer("table", desired, self.table_elements)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed("table", error)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

impl<T: 'static> Store<T> {
    /// From now on the limiter that `limiter` finds in the host's value decides about what the store may hold,
    /// beside its [`Limits`]. What it holds already stays.
    ///
    /// ```
    /// use tenure::{Engine, Result, ResourceLimiter, Store};
    ///
    /// struct Budget(usize);
    ///
    /// impl ResourceLimiter for Budget {
    ///     fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
    ///         let more = desired - current;
    ///         let allowed = more <= self.0;
    ///         self.0 -= if allowed { more } else { 0 };
    ///         Ok(allowed)
    ///     }
    ///
    ///     fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
    ///         Ok(desired <= 1000)
    ///     }
    /// }
    ///
    /// let mut store = Store::new(&Engine::default(), Budget(1 << 20));
    /// store.limiter(|budget| budget);
    /// ```
    pub fn limiter(
        &mut self,
        limiter: impl (FnMut(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync + 'static,
    ) {
        let store = self.as_context_mut().0;
        store.limiter = Some(Box::new(limiter));
        store.runtime.set_limiter_source(Some(lend_limiter::<T>));
    }

    /// What the store may hold: at first what [`Config::limits`](crate::Config::limits) says.
    pub fn limits(&self) -> &Limits {
        self.as_context().0.runtime.limits()
    }

    /// Sets what the store may hold. What it holds already stays, also when that is more.
    ///
    /// ```
    /// use tenure::{Limits, Memory, MemoryType, Store};
    ///
    /// let mut store = Store::<()>::default();
    /// let mut limits = Limits::default();
    /// limits.memory_bytes = 2 << 16;
    /// store.set_limits(limits);
    ///
    /// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
    /// assert_eq!(memory.grow(&mut store, 1)?, 1);
    /// let error = memory.grow(&mut store, 1).unwrap_err();
    /// assert!(error.root_cause().to_string().contains("`memory_bytes`"));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.as_context_mut().set_limits(limits);
    }
}

impl<T: 'static> StoreContext<'_, T> {
    /// What the store may hold; see [`Store::limits`].
    pub fn limits(&self) -> &Limits {
        self.0.runtime.limits()
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// What the store may hold; see [`Store::limits`].
    pub fn limits(&self) -> &Limits {
        self.0.runtime.limits()
    }

    /// Sets what the store may hold; see [`Store::set_limits`].
    pub fn set_limits(&mut self, limits: Limits) {
        self.0.runtime.set_limits(limits);
    }
}

/// Finds the limiter in the host's value.
pub(crate) type LimiterFn<T> = Box<dyn (FnMut(&mut T) -> &mut dyn ResourceLimiter) + Send + Sync>;

impl<T> StoreInner<T> {
    /// Runs `body` with the runtime's store and the limiter beside it.
    pub(crate) fn limited<R>(&mut self, body: impl FnOnce(&mut runtime::Store, &mut dyn Limiter) -> R) -> R {
        match &mut self.limiter {
            Some(limiter) => body(&mut self.runtime, &mut Asked(limiter(&mut self.data))),
            None => body(&mut self.runtime, &mut NoLimiter),
        }
    }
}

/// A [`runtime::LimiterSource`]: for growth that a guest asks for.
///
/// # Safety
/// `store` is the first field of a `StoreInner<T>`, given with the right to use the whole, which is lent until
/// this returns.
unsafe fn lend_limiter<T: 'static>(
    store: *mut runtime::Store,
    body: &mut dyn FnMut(&mut runtime::Store, &mut dyn Limiter) -> Result<u64, LimiterError>,
) -> Result<u64, LimiterError> {
    // SAFETY: the caller lends the whole store, which is a `StoreInner<T>`: only `Store<T>::limiter` sets this
    // source.
    let store = unsafe { &mut *store.cast::<StoreInner<T>>() };
    let done = store.limited(|store, limiter| body(store, limiter));
    done.map_err(|error| {
        let trace = store.runtime.config().backtraces.then(|| store.runtime.backtrace());
        let error: LimiterError = Box::new(WasmBacktrace::attach(&store.engine, own_error(error), trace));
        error
    })
}

/// The host's limiter, as the runtime asks it.
struct Asked<'a>(&'a mut dyn ResourceLimiter);

impl Limiter for Asked<'_> {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        self.0.memory_growing(current, desired, maximum).map_err(boxed)
    }

    fn memory_grow_failed(&mut self, why: &GrowError) -> Result<(), LimiterError> {
        self.0.memory_grow_failed(copy_of(why)).map_err(boxed)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        self.0.table_growing(current, desired, maximum).map_err(boxed)
    }

    fn table_grow_failed(&mut self, why: &GrowError) -> Result<(), LimiterError> {
        self.0.table_grow_failed(copy_of(why)).map_err(boxed)
    }

    fn instances(&self) -> usize {
        self.0.instances()
    }

    fn memories(&self) -> usize {
        self.0.memories()
    }

    fn tables(&self) -> usize {
        self.0.tables()
    }
}

fn boxed(error: Error) -> LimiterError {
    Box::new(error)
}

/// The error that a limiter gave.
fn own_error(error: LimiterError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(_) => unreachable!("`Asked` gives errors as `Error`"),
    }
}

/// A second error like `why`, for the limiter to keep.
fn copy_of(why: &GrowError) -> Error {
    match why {
        GrowError::Os(error) => {
            let copy = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            Error::from(copy).context("the system has no more memory")
        }
        GrowError::Store(error) => Error::from(*error),
        why => format_err!("{why}"),
    }
}

/// The error that an embedder sees when something did not grow or was not made.
pub(crate) fn grow_error(error: GrowError) -> Error {
    match error {
        GrowError::Limiter(error) => own_error(error),
        GrowError::Os(error) => Error::from(error).context("the system has no more memory"),
        GrowError::Store(error) => error.into(),
        error => error.into(),
    }
}
