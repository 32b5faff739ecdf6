//! Instances: modules with imports, memories, tables and globals of their own.
//!
//! Instantiation is three steps, each of which can fail: making the instance, which nobody can observe;
//! applying its segments; running its start function. Once it is made the store has it, whatever happens
//! next, because from then on others may hold its functions.

use crate::error::Context;
use crate::limits::{PoolConcurrencyLimitError, grow_error};
use crate::val::expect_loaded;
use crate::{
    AsContextMut, Engine, Error, Export, Extern, Func, Global, Memory, Module, ModuleExport, Result,
    StoreContext, StoreContextMut, Table, TypedFunc, WasmParams, WasmResults, format_err, func, handle,
};
use std::sync::Arc;
use tenure_runtime::{
    self as runtime, Handle, ImportError, InstAddr, InstantiateError, Limiter, LoadedModule, ModuleInst,
};
use tenure_types::ExternIdx;

/// An instance of a module. A handle: cheap to copy, checked at each use.
///
/// ```
/// use tenure::{Engine, Instance, Module, Store};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"
///     (module
///         (memory (export "memory") 1)
///         (func (export "add") (param i32 i32) (result i32)
///             local.get 0 local.get 1 i32.add))
/// "#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
/// assert_eq!(add.call(&mut store, (2, 3))?, 5);
///
/// let names: Vec<_> = instance.exports(&mut store).map(|export| export.name().to_string()).collect();
/// assert_eq!(names, ["memory", "add"]);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instance(pub(crate) Handle<ModuleInst>);

impl Instance {
    /// Makes an instance of `module`, with `imports` for its imports, in order, and runs its start function.
    /// [`Linker`](crate::Linker) finds imports by name.
    ///
    /// # Errors
    /// When module or store are of different engines, imports are missing, are too many, are of the wrong
    /// type or of another store; when the store may not hold it ([`Store::limits`](crate::Store::limits),
    /// [`Store::limiter`](crate::Store::limiter)) or memories or tables cannot be made; when a segment does not fit or the
    /// start function traps ([`Trap`](crate::Trap)), or a host function that it calls fails.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Self> {
        let imports: Vec<_> = imports.iter().map(Extern::to_core).collect();
        instantiate(store.as_context_mut(), module, &imports)
    }

    /// Its module.
    ///
    /// # Panics
    /// When the instance is of another store.
    pub fn module<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a Module {
        let store: &'a runtime::Store = &store.into().0.runtime;
        module_of(handle::expect(store.instance(self.0)))
    }

    /// What it exports, in the order of its module.
    ///
    /// # Panics
    /// When the instance is of another store, or the engine has no room for what calls of its functions need.
    pub fn exports<'a, T: 'static>(
        &'a self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> impl ExactSizeIterator<Item = Export<'a>> + 'a {
        let store: &'a mut runtime::Store = &mut store.into().0.runtime;
        let module = handle::expect(store.instance(self.0)).module().clone();
        let exports = module.module().exports.iter();
        let items: Vec<_> = exports.map(|export| self.export(store, export.item)).collect();
        let store: &'a runtime::Store = store;
        let exports = &handle::expect(store.instance(self.0)).module().module().exports;
        exports.iter().zip(items).map(|(export, item)| Export::new(&export.name, item))
    }

    /// The export `name`.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let store = &mut store.as_context_mut().0.runtime;
        let module = handle::expect(store.instance(self.0)).module().module();
        let &at = module.export_names.get(name)?;
        let item = module.exports.get(at)?.item;
        Some(self.export(store, item))
    }

    /// The export that [`Module::get_export_index`] found; `None` when that was another module's.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_module_export(&self, mut store: impl AsContextMut, export: &ModuleExport) -> Option<Extern> {
        let store = &mut store.as_context_mut().0.runtime;
        let item = export.item_of(handle::expect(store.instance(self.0)).module())?;
        Some(self.export(store, item))
    }

    fn export(&self, store: &mut runtime::Store, item: ExternIdx) -> Extern {
        Extern::from_core(expect_loaded(store.export(self.0.addr, item)))
    }

    /// The exported function `name`.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported function `name`, with its type checked.
    ///
    /// # Errors
    /// When there is no such function, or its type is another: the error says which.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_typed_func<Params: WasmParams, Results: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<Params, Results>> {
        let export = self.get_export(store.as_context_mut(), name);
        let func = export.with_context(|| format!("there is no export `{name}`"))?.into_func();
        let func = func.with_context(|| format!("the export `{name}` is not a function"))?;
        func.typed(store.as_context()).with_context(|| format!("the export `{name}` has another type"))
    }

    /// The exported table `name`.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported memory `name`.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported global `name`.
    ///
    /// # Panics
    /// As [`Instance::exports`].
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }
}

/// Makes an instance of `module` and initializes it.
pub(crate) fn instantiate<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    module: &Module,
    imports: &[runtime::Extern],
) -> Result<Instance> {
    let instance = make(&mut store, module, module.loaded(), |store, loaded, limiter| {
        store.create_instance_under(loaded, imports, limiter)
    })?;
    match initialize(&mut store, module, instance) {
        Ok(()) => {
            store.0.runtime.instantiated(instance.addr);
            Ok(Instance(instance))
        }
        Err(error) => {
            store.0.runtime.not_instantiated();
            Err(error)
        }
    }
}

/// Makes an instance of `module`, which keeps the module from now on, by `create`: of the module as it was `loaded`, or, where
/// there is no address space for its memories, of the same for small ones.
pub(crate) fn make<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    module: &Module,
    loaded: &Arc<LoadedModule>,
    create: impl Fn(
        &mut runtime::Store,
        &Arc<LoadedModule>,
        &mut dyn Limiter,
    ) -> Result<InstAddr, InstantiateError>,
) -> Result<Handle<ModuleInst>> {
    let mut made = store.0.limited(|store, limiter| create(store, loaded, limiter));
    // Where that does not work either, the first error says what is missing.
    if let Err(error) = &made
        && error.wants_small_memories()
        && let Ok(Some(small)) = module.engine().inner().for_small_memories(module.loaded())
    {
        made = store.0.limited(|store, limiter| create(store, small, limiter));
    }
    take_in(&mut store.0.runtime, module, made)
}

/// The handle of an instance of `module` that was `made`.
fn take_in(
    store: &mut runtime::Store,
    module: &Module,
    made: Result<InstAddr, InstantiateError>,
) -> Result<Handle<ModuleInst>> {
    match made {
        Ok(addr) => {
            let instance = store.handle(addr);
            store.instance_mut(instance)?.set_note(module.kept());
            Ok(instance)
        }
        Err(error) => {
            store.not_instantiated();
            Err(explain(module, error))
        }
    }
}

/// Applies segments and runs the start function.
fn initialize<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    module: &Module,
    instance: Handle<ModuleInst>,
) -> Result<()> {
    let runtime = &mut store.0.runtime;
    runtime.apply_segments(instance.addr).map_err(|error| explain(module, error))?;
    run_start(store, module, instance)
}

/// Runs the start function, if there is one.
pub(crate) fn run_start<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    module: &Module,
    instance: Handle<ModuleInst>,
) -> Result<()> {
    if let Some(start) = module.core().start {
        let start = Instance(instance).export(&mut store.0.runtime, ExternIdx::Func(start));
        let start = start.into_func().expect("the start function is a function");
        // SAFETY: a start function takes and returns nothing.
        unsafe { func::enter(store, start.0, std::ptr::null_mut())? };
    }
    Ok(())
}

fn module_of(instance: &ModuleInst) -> &Module {
    let note = instance.note().and_then(|note| note.downcast_ref());
    note.expect("an instance's module is kept with it when it is made")
}

/// The error that an embedder sees.
fn explain(module: &Module, error: InstantiateError) -> Error {
    match error {
        InstantiateError::Segment(trap) => trap.into(),
        InstantiateError::Memory(error) => grow_error(error).context("a memory could not be made"),
        InstantiateError::Table(error) => grow_error(error).context("a table could not be made"),
        InstantiateError::Limit(error) => {
            let who = if error.is_pools() { "the engine's pool" } else { "the store" };
            PoolConcurrencyLimitError::of(error).context(format!("{who} has no room for the instance"))
        }
        InstantiateError::Import { index, error } => match module.core().imports.get(index) {
            Some(import) => import_error(&import.module, &import.name, error),
            None => error.into(),
        },
        error => error.into(),
    }
}

/// What is given for the import `module::name` does not fit.
pub(crate) fn import_error(module: &str, name: &str, error: ImportError) -> Error {
    match error {
        ImportError::Handle(error) => Error::from(error).context(format!("import `{module}::{name}`")),
        ImportError::Type { .. } => format_err!("incompatible import type for `{module}::{name}`: {error}"),
    }
}

/// What a module of one engine meets in a store of another.
pub(crate) fn check_engine(module: &Module, engine: &Engine) -> Result<()> {
    if Engine::same(module.engine(), engine) {
        return Ok(());
    }
    Err(InstantiateError::WrongEngine.into())
}
