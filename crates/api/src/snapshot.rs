//! Instances as they were: put back to their first state, or remembered to make others from.

use crate::instance::{check_engine, make, run_start};
use crate::limits::grow_error;
use crate::{AsContextMut, Error, Extern, Instance, Module, Result, StoreContextMut};
use std::fmt;
use tenure_runtime::{self as runtime, Limiter, ResetError};

impl Instance {
    /// Puts the instance back to its state after instantiation, in place: its memories, tables and globals become
    /// what they were made as, dropped segments are there again, active ones are applied, and the start function
    /// is run. Handles to it and to its exports stay good. What it imports stays as it is, but for what segments
    /// and start function write there.
    ///
    /// For a guest that is used again and again this is cheaper than a new instance, and nothing of one use is
    /// seen by the next.
    ///
    /// ```
    /// use tenure::{Engine, Instance, Module, Store};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module
    ///     (memory (export "memory") 1) (data (i32.const 0) "a")
    ///     (global $count (mut i32) (i32.const 0))
    ///     (func (export "count") (result i32)
    ///         (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let count = instance.get_typed_func::<(), i32>(&mut store, "count")?;
    /// let memory = instance.get_memory(&mut store, "memory").unwrap();
    /// memory.write(&mut store, 0, b"xyz")?;
    /// assert_eq!((count.call(&mut store, ())?, count.call(&mut store, ())?), (1, 2));
    ///
    /// instance.reset(&mut store)?;
    /// assert_eq!(count.call(&mut store, ())?, 1);
    /// assert_eq!(memory.data(&store)[..3], *b"a\0\0");
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the instance is of another store, or stale; a call is active in the store; another instance imports a
    /// memory or table that has grown, and relies on that; or the system has no room for new memories. Nothing has
    /// changed then. As [`Instance::new`] when a segment no longer fits an imported table or memory, or the start
    /// function fails.
    pub fn reset(&self, mut store: impl AsContextMut) -> Result<()> {
        let mut store = store.as_context_mut();
        let reset = store.0.runtime.reset_instance(self.0);
        reset.map_err(|error| match error {
            ResetError::Memory(error) => grow_error(error).context("a memory could not be made"),
            ResetError::Table(error) => grow_error(error).context("a table could not be made"),
            error => error.into(),
        })?;
        let module = self.module(&store).clone();
        run_start(&mut store, &module, self.0)
    }

    /// Remembers the state of the instance: its memories, tables and globals, and which segments were dropped.
    ///
    /// # Errors
    /// When the instance is of another store, or stale; when a call is active in the store; when the instance
    /// imports a memory, a table or a mutable global, whose state is not its own; when a table or global of it
    /// holds a host reference, or a function that it neither defines nor imports. The error names what it is.
    pub fn snapshot(&self, store: impl AsContextMut) -> Result<Snapshot> {
        let store = store.as_context();
        let inner = store.0.runtime.snapshot(self.0)?;
        Ok(Snapshot { module: self.module(store).clone(), inner })
    }
}

/// The state of an instance, from which others are made: in any store of the engine, by mapping its memories, which
/// are copied page by page as they are written to. A guest that has warmed up is forked in microseconds.
///
/// Cheap to clone; clones share everything.
///
/// ```
/// use tenure::{Engine, Instance, Module, Snapshot, Store};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (memory 16)
///     (func (export "warm_up") (i32.store (i32.const 70000) (i32.const 42)))
///     (func (export "answer") (result i32) (i32.load (i32.const 70000))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let first = Instance::new(&mut store, &module, &[])?;
/// first.get_typed_func::<(), ()>(&mut store, "warm_up")?.call(&mut store, ())?;
///
/// let snapshot = first.snapshot(&mut store)?;
/// let mut other = Store::new(&engine, "of other data");
/// let second = snapshot.instantiate(&mut other, &[])?;
/// assert_eq!(second.get_typed_func::<(), i32>(&mut other, "answer")?.call(&mut other, ())?, 42);
///
/// let bytes = snapshot.serialize();
/// let third = Snapshot::deserialize(&module, &bytes)?.instantiate(&mut store, &[])?;
/// assert_eq!(third.get_typed_func::<(), i32>(&mut store, "answer")?.call(&mut store, ())?, 42);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    module: Module,
    inner: runtime::Snapshot,
}

impl Snapshot {
    /// The module of the instance.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance in the state of this snapshot, with `imports` for the module's imports, in order. No
    /// segment is applied and no start function is run: that has happened.
    ///
    /// # Errors
    /// When store and snapshot are of different engines, imports are missing, are too many, are of the wrong type
    /// or of another store; when the store may not hold the instance, or memories or tables cannot be made.
    pub fn instantiate(&self, mut store: impl AsContextMut, imports: &[Extern]) -> Result<Instance> {
        let imports: Vec<_> = imports.iter().map(Extern::to_core).collect();
        self.instantiate_core(store.as_context_mut(), &imports)
    }

    pub(crate) fn instantiate_core<T: 'static>(
        &self,
        mut store: StoreContextMut<'_, T>,
        imports: &[runtime::Extern],
    ) -> Result<Instance> {
        check_engine(&self.module, &store.0.engine)?;
        let create = |store: &mut runtime::Store, loaded: &_, limiter: &mut dyn Limiter| {
            store.create_from_snapshot(&self.inner, loaded, imports, limiter)
        };
        let instance = make(&mut store, &self.module, self.inner.module(), create)?;
        store.0.runtime.instantiated(instance.addr);
        Ok(Instance(instance))
    }

    /// It as bytes, for [`Snapshot::deserialize`]. They have what is not zero in memories, so their number follows
    /// what was used; the module is not among them.
    pub fn serialize(&self) -> Vec<u8> {
        self.inner.serialize()
    }

    /// The snapshot of an instance of `module`, in whatever engine that is, that was [serialized](Self::serialize).
    ///
    /// Bytes are checked, and then that what they say could be the state of an instance: bytes that someone else
    /// made up cannot harm the host, only be a state that the guest has never been in.
    ///
    /// # Errors
    /// When the bytes are no snapshot, are damaged, were written by a version of Tenure with another format, or
    /// are of an instance of another module.
    pub fn deserialize(module: &Module, bytes: &[u8]) -> Result<Self> {
        let inner = runtime::Snapshot::deserialize(module.loaded(), bytes).map_err(Error::from)?;
        Ok(Self { module: module.clone(), inner })
    }

    /// Bytes of memories that it keeps, as long as a clone of it is there.
    pub fn memory_bytes(&self) -> usize {
        self.inner.memory_bytes()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("module", &self.module).finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Snapshot>();
};
