//! Giving things back while the store lives on.

use crate::store::StoreInner;
use crate::{
    AsContext, AsContextMut, Caller, Func, Global, Instance, Memory, Result, Store, StoreContext,
    StoreContextMut, Table, Tag,
};
use tenure_runtime as runtime;

pub use tenure_runtime::Reclaimed;

/// What can be released: a handle of something that the host made.
pub trait Release: sealed::Sealed {
    /// Gives up the host's claim.
    #[doc(hidden)]
    fn release(self, store: &mut runtime::Store) -> Result<()>;

    /// Lets it outlive the innermost scope.
    #[doc(hidden)]
    fn keep(self, store: &mut runtime::Store) -> Result<()>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! releases {
    ($($ty:ident),*) => {$(
        impl sealed::Sealed for $ty {}

        impl Release for $ty {
            fn release(self, store: &mut runtime::Store) -> Result<()> {
                Ok(store.release(self.0)?)
            }

            fn keep(self, store: &mut runtime::Store) -> Result<()> {
                Ok(store.keep(self.0)?)
            }
        }
    )*};
}

releases!(Instance, Func, Memory, Table, Global);

impl sealed::Sealed for Tag {}

/// None exists yet.
impl Release for Tag {
    fn release(self, _: &mut runtime::Store) -> Result<()> {
        match self.0 {}
    }

    fn keep(self, _: &mut runtime::Store) -> Result<()> {
        match self.0 {}
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// Gives up the host's claim on something that it made: an instance, or a host function, memory, table or
    /// global of its own.
    ///
    /// By default these live as long as the store. What is released goes when nothing reaches it any more: no
    /// instance that the host still holds, through imports, tables, globals and the functions in them. Until
    /// then it works as before, and so do handles to it; afterwards using a handle is an error. Nothing is
    /// freed during a call.
    ///
    /// # Errors
    /// When the handle is of another store or stale, or the host does not hold it: it is an instance's own,
    /// or was released before.
    pub fn release(&mut self, item: impl Release) -> Result<()> {
        item.release(&mut self.0.runtime)
    }

    /// Frees everything that nothing reaches any more, and says what that was. During a call nothing is freed.
    ///
    /// # Panics
    /// When the `Drop` of a host function or host value that goes panics: with its payload, after everything else
    /// has gone too. The store can be used again.
    pub fn reclaim(&mut self) -> Reclaimed {
        self.0.runtime.reclaim()
    }

    /// Whether the store reclaims by itself; see [`Store::set_automatic_reclaim`].
    pub fn set_automatic_reclaim(&mut self, on: bool) {
        self.0.runtime.set_automatic_reclaim(on);
    }

    /// Runs `body`; what the host makes in it is released at its end, unless it was kept. See [`Store::scope`].
    pub fn scope<R>(&mut self, body: impl FnOnce(&mut Scope<'_, T>) -> R) -> R {
        let mut scope = Scope::open(self.0);
        body(&mut scope)
    }
}

/// From inside a call: what is released, by hand or at the end of a scope, goes at a reclamation after the outermost
/// call has returned.
impl<T: 'static> Caller<'_, T> {
    /// Gives up the host's claim on something that it made; see [`StoreContextMut::release`].
    ///
    /// # Errors
    /// As [`StoreContextMut::release`].
    pub fn release(&mut self, item: impl Release) -> Result<()> {
        self.as_context_mut().release(item)
    }

    /// As [`Store::reclaim`]: frees nothing, since a call is active.
    pub fn reclaim(&mut self) -> Reclaimed {
        self.as_context_mut().reclaim()
    }

    /// Whether the store reclaims by itself; see [`Store::set_automatic_reclaim`].
    pub fn set_automatic_reclaim(&mut self, on: bool) {
        self.as_context_mut().set_automatic_reclaim(on);
    }

    /// Runs `body`; what the host makes in it is released at its end, unless it was kept. See [`Store::scope`].
    pub fn scope<R>(&mut self, body: impl FnOnce(&mut Scope<'_, T>) -> R) -> R {
        self.as_context_mut().scope(body)
    }
}

impl<T: 'static> Store<T> {
    /// Gives up the host's claim on something that it made; see [`StoreContextMut::release`].
    ///
    /// ```
    /// use tenure::{Engine, Instance, Module, Store};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (memory (export "memory") 1))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let memory = instance.get_memory(&mut store, "memory").unwrap();
    ///
    /// store.release(instance)?;
    /// let freed = store.reclaim();
    /// assert_eq!((freed.instances, freed.memories), (1, 1));
    /// let error = memory.read(&store, 0, &mut [0]).map_err(tenure::Error::from);
    /// # let _ = error;
    /// assert!(store.release(instance).unwrap_err().to_string().contains("released and reclaimed"));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`StoreContextMut::release`].
    pub fn release(&mut self, item: impl Release) -> Result<()> {
        self.as_context_mut().release(item)
    }

    /// Frees everything that nothing reaches any more, and says what that was.
    ///
    /// A store also does this by itself, when something is made in it and enough was released since the last time.
    ///
    /// # Panics
    /// As [`StoreContextMut::reclaim`].
    pub fn reclaim(&mut self) -> Reclaimed {
        self.as_context_mut().reclaim()
    }

    /// Whether the store reclaims by itself, when something is made in it. It does unless told otherwise.
    pub fn set_automatic_reclaim(&mut self, on: bool) {
        self.as_context_mut().0.runtime.set_automatic_reclaim(on);
    }

    /// Runs `body`; what the host makes in it is released at its end, unless it was kept. References that it makes
    /// ([`Rooted`](crate::Rooted)) end there too.
    ///
    /// ```
    /// use tenure::{Engine, Instance, Module, Store};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (func (export "answer") (result i32) (i32.const 42)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let answer = store.scope(|scope| {
    ///     let instance = Instance::new(&mut *scope, &module, &[])?;
    ///     instance.get_typed_func::<(), i32>(&mut *scope, "answer")?.call(scope, ())
    /// })?;
    /// assert_eq!(answer, 42);
    /// assert_eq!(store.reclaim().instances, 1);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn scope<R>(&mut self, body: impl FnOnce(&mut Scope<'_, T>) -> R) -> R {
        self.as_context_mut().scope(body)
    }
}

/// A store inside [`Store::scope`]. Use it like the store.
pub struct Scope<'a, T: 'static> {
    store: &'a mut StoreInner<T>,
}

impl<'a, T: 'static> Scope<'a, T> {
    fn open(store: &'a mut StoreInner<T>) -> Self {
        store.runtime.open_scope();
        Self { store }
    }

    /// Lets `item` outlive the scope. With a scope around this one, it is that one's from now on.
    ///
    /// # Errors
    /// When the handle is of another store, or stale.
    pub fn keep(&mut self, item: impl Release) -> Result<()> {
        item.keep(&mut self.store.runtime)
    }

    /// Runs `body` in a scope inside this one.
    pub fn scope<R>(&mut self, body: impl FnOnce(&mut Scope<'_, T>) -> R) -> R {
        let mut scope = Scope::open(self.store);
        body(&mut scope)
    }
}

impl<T: 'static> Drop for Scope<'_, T> {
    fn drop(&mut self) {
        self.store.runtime.close_scope();
    }
}

impl<T: 'static> Scope<'_, T> {
    /// Gives up the host's claim on something that it made; see [`StoreContextMut::release`].
    ///
    /// # Errors
    /// As [`StoreContextMut::release`].
    pub fn release(&mut self, item: impl Release) -> Result<()> {
        self.as_context_mut().release(item)
    }

    /// Frees everything that nothing reaches any more; see [`Store::reclaim`].
    pub fn reclaim(&mut self) -> Reclaimed {
        self.as_context_mut().reclaim()
    }

    /// The host's value.
    pub fn data(&self) -> &T {
        &self.store.data
    }

    /// The host's value, to change.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data
    }
}

impl<T: 'static> AsContext for Scope<'_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.store)
    }
}

impl<T: 'static> AsContextMut for Scope<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.store)
    }
}
