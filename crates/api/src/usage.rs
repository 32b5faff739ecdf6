//! What a store holds.

use crate::{AsContext, Caller, Store, StoreContext, StoreContextMut};

pub use tenure_runtime::MemoryUsage;

impl<T: 'static> Store<T> {
    /// What the store holds now, byte for byte and per kind. Asks the system nothing; the numbers follow every
    /// creation, growth and reclamation.
    ///
    /// ```
    /// use tenure::{Memory, MemoryType, Store};
    ///
    /// let mut store = Store::<()>::default();
    /// let memory = Memory::new(&mut store, MemoryType::new(3, None))?;
    /// assert_eq!(store.memory_usage().memory_bytes, 3 << 16);
    ///
    /// store.release(memory)?;
    /// store.reclaim();
    /// assert_eq!(store.memory_usage().total_bytes(), 0);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn memory_usage(&self) -> MemoryUsage {
        self.as_context().memory_usage()
    }
}

impl<T: 'static> StoreContext<'_, T> {
    /// What the store holds now; see [`Store::memory_usage`].
    pub fn memory_usage(&self) -> MemoryUsage {
        self.0.runtime.memory_usage()
    }
}

impl<T: 'static> Caller<'_, T> {
    /// What the store holds now; see [`Store::memory_usage`].
    pub fn memory_usage(&self) -> MemoryUsage {
        self.as_context().memory_usage()
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// What the store holds now; see [`Store::memory_usage`].
    pub fn memory_usage(&self) -> MemoryUsage {
        self.0.runtime.memory_usage()
    }
}
