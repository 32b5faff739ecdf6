//! What a host function sees of its caller.

use crate::{AsContext, AsContextMut, Engine, Extern, ModuleExport, Result, StoreContext, StoreContextMut};
use tenure_runtime::InstAddr;
use tenure_types::ExternIdx;

/// The store that a host function was called in, and the instance that called it.
///
/// ```
/// use tenure::{Caller, Engine, Extern, Instance, Module, Store, Func};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, Vec::new());
/// let log = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u8>>, at: u32| {
///     let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
///     let byte = memory.data(&caller)[at as usize];
///     caller.data_mut().push(byte);
/// });
/// let module = Module::new(&engine, r#"(module
///     (import "" "log" (func $log (param i32)))
///     (memory (export "memory") 1) (data (i32.const 8) "!")
///     (func (export "run") (call $log (i32.const 8))))"#)?;
/// let instance = Instance::new(&mut store, &module, &[log.into()])?;
/// instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
/// assert_eq!(store.data(), b"!");
/// # Ok::<(), tenure::Error>(())
/// ```
pub struct Caller<'a, T: 'static> {
    pub(super) store: StoreContextMut<'a, T>,
    /// `None` when the host itself called.
    pub(super) instance: Option<InstAddr>,
}

impl<T: 'static> Caller<'_, T> {
    /// What the calling instance exports as `name`; `None` too when the host called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        let instance = self.instance?;
        let store = &mut self.store.0.runtime;
        let inst = store.instance(store.handle(instance)).ok()?;
        let module = inst.module().module();
        let item = module.exports[*module.export_names.get(name)?].item;
        self.export(instance, item)
    }

    /// What the calling instance exports as `export`, which is of its module.
    pub fn get_module_export(&mut self, export: &ModuleExport) -> Option<Extern> {
        let instance = self.instance?;
        let store = &mut self.store.0.runtime;
        let inst = store.instance(store.handle(instance)).ok()?;
        let item = export.item_of(inst.module())?;
        self.export(instance, item)
    }

    fn export(&mut self, instance: InstAddr, item: ExternIdx) -> Option<Extern> {
        let found = self.store.0.runtime.export(instance, item).ok()?;
        Some(Extern::from_core(found))
    }

    /// The host's value in the store.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The host's value in the store, to change.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// Fuel that is left.
    ///
    /// # Errors
    /// When the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }

    /// Sets the fuel; see [`Store::set_fuel`](crate::Store::set_fuel).
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}

impl<'a, T: 'static> From<Caller<'a, T>> for StoreContextMut<'a, T> {
    fn from(caller: Caller<'a, T>) -> Self {
        caller.store
    }
}
