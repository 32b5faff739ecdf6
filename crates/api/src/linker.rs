//! Finding imports by name.

use crate::error::Context;
use crate::instance::{check_engine, import_error, instantiate};
use crate::store::StoreInner;
use crate::{
    AsContext, AsContextMut, Caller, Engine, Extern, ExternType, Func, FuncType, ImportType, Instance,
    IntoFunc, Module, Result, Snapshot, StoreContextMut, UnknownImportError, Val, ValRaw, bail, ensure, func,
};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::Arc;
use tenure_module::ImportType as CoreImport;
use tenure_runtime::{self as runtime, HostFunc, match_import};

/// Finds the imports of modules by name: a map from two names, module and item, to definitions.
///
/// Host functions that are defined here ([`Linker::func_wrap`], [`Linker::func_new`]) are of no store, so
/// that a linker that has nothing else serves all stores of its engine. Handles ([`Linker::define`],
/// [`Linker::instance`]) are of their store; linking them into another is an error.
///
/// ```
/// use tenure::{Caller, Engine, Linker, Module, Store};
///
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "count", |mut caller: Caller<'_, u32>, by: u32| *caller.data_mut() += by)?;
///
/// let module = Module::new(&engine, r#"
///     (module
///         (import "host" "count" (func $count (param i32)))
///         (func (export "run") (call $count (i32.const 2))))
/// "#)?;
/// for _ in 0..2 {
///     let mut store = Store::new(&engine, 40);
///     let instance = linker.instantiate(&mut store, &module)?;
///     instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
///     assert_eq!(*store.data(), 42);
/// }
///
/// let module = Module::new(&engine, r#"(module (import "env" "foo" (func)))"#)?;
/// let error = linker.instantiate(&mut Store::new(&engine, 0), &module).unwrap_err();
/// assert_eq!(error.to_string(), "unknown import: `env::foo` has not been defined");
/// # Ok::<(), tenure::Error>(())
/// ```
///
/// # Commands and reactors
///
/// A *command* exports `_start`, runs once, and is then used up; a *reactor* may export `_initialize`, which
/// is called first, and then lives. [`Linker::module`] treats each as what it is.
pub struct Linker<T> {
    engine: Engine,
    /// Every name that was used, and its number.
    names: HashMap<Arc<str>, usize>,
    /// The names by number.
    strings: Vec<Arc<str>>,
    items: HashMap<Key, Item>,
    allow_shadowing: bool,
    allow_unknown_exports: bool,
    of: PhantomData<fn(T)>,
}

/// The names of a definition, by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    module: usize,
    name: usize,
}

/// A definition.
#[derive(Clone)]
enum Item {
    /// A host function, for any store.
    Host(HostFunc),
    /// Something of one store, and its type when it was defined: tables and memories may have grown since.
    Stored(Extern, CoreImport),
}

/// Making linkers.
impl<T> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            names: HashMap::new(),
            strings: Vec::new(),
            items: HashMap::new(),
            allow_shadowing: false,
            allow_unknown_exports: false,
            of: PhantomData,
        }
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name that is defined again gets its new meaning; otherwise that is an error.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// Whether [`Linker::module`] takes commands that export other things than functions, and leaves those
    /// out; otherwise that is an error.
    pub fn allow_unknown_exports(&mut self, allow: bool) -> &mut Self {
        self.allow_unknown_exports = allow;
        self
    }
}

/// Defining one thing.
impl<T> Linker<T> {
    /// Defines `module::name` as `item`.
    ///
    /// # Errors
    /// When the name is defined already, `item` is of another store, or `store` of another engine.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        let store = store.as_context().0;
        self.check_store(&store.engine)?;
        let item = item.into();
        let ty = store.runtime.type_of(&item.to_core())?;
        self.insert(module, name, Item::Stored(item, ty))
    }

    /// Defines `module::name` as a host function of type `ty`; see [`Func::new`].
    ///
    /// # Errors
    /// When the name is defined already, `ty` is of another engine, or code memory is full.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        let host = func::host_new(&self.engine, ty, func)?;
        self.insert(module, name, Item::Host(host))
    }

    /// Defines `module::name` as a host function that reads and writes raw values; see
    /// [`Func::new_unchecked`].
    ///
    /// # Errors
    /// As [`Linker::func_new`].
    ///
    /// # Safety
    /// As [`Func::new_unchecked`].
    pub unsafe fn func_new_unchecked(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [MaybeUninit<ValRaw>]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        // SAFETY: passed on from the caller.
        let host = unsafe { func::host_new_unchecked(&self.engine, ty, func)? };
        self.insert(module, name, Item::Host(host))
    }

    /// Defines `module::name` as a host function of a closure's type; see [`Func::wrap`].
    ///
    /// # Errors
    /// When the name is defined already, or code memory is full.
    pub fn func_wrap<Params, Args>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Args>,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        let host = func::host_wrap(&self.engine, func)?;
        self.insert(module, name, Item::Host(host))
    }

    /// Defines `as_module::as_name` as what `module::name` is.
    ///
    /// # Errors
    /// When there is no such thing, or the new name is defined already.
    pub fn alias(&mut self, module: &str, name: &str, as_module: &str, as_name: &str) -> Result<&mut Self> {
        let item = self.item(module, name).cloned();
        let item = item.with_context(|| format!("`{module}::{name}` has not been defined"))?;
        self.insert(as_module, as_name, item)
    }
}

/// Defining many things.
impl<T> Linker<T> {
    /// Defines under `as_module` all that is defined under `module`.
    ///
    /// # Errors
    /// When a new name is defined already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<()> {
        let Some(&from) = self.names.get(module) else { return Ok(()) };
        let items = self.items.iter().filter(|(key, _)| key.module == from);
        let items: Vec<_> = items.map(|(key, item)| (self.strings[key.name].clone(), item.clone())).collect();
        for (name, item) in items {
            self.insert(as_module, &name, item)?;
        }
        Ok(())
    }

    /// Defines under `module_name` everything that `instance` exports.
    ///
    /// # Errors
    /// When a name is defined already, `instance` is of another store, or `store` of another engine.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        instance: Instance,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        let mut store = store.as_context_mut();
        store.0.runtime.instance(instance.0)?;
        let exports = instance.exports(store.as_context_mut());
        let exports: Vec<_> =
            exports.map(|export| (export.name().to_string(), export.into_extern())).collect();
        for (name, item) in exports {
            self.define(store.as_context(), module_name, &name, item)?;
        }
        Ok(self)
    }

    /// Instantiates `module` and defines its exports under `module_name`.
    ///
    /// A command, which exports `_start`, is instantiated anew at each call of one of its functions, with the
    /// definitions of now. Anything else is instantiated once, its `_initialize` called if it exports that.
    ///
    /// # Errors
    /// When a name is defined already, `module` cannot be instantiated, `_initialize` fails, a command
    /// exports something that is not a function (but for the memory and table that compilers export; see
    /// [`Linker::allow_unknown_exports`]), or both `_start` and `_initialize` are there.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self>
    where
        T: 'static,
    {
        let exports_func = |name| matches!(module.get_export(name), Some(ExternType::Func(_)));
        match (exports_func("_start"), exports_func("_initialize")) {
            (true, true) => {
                bail!("the module is both a command and a reactor: it exports `_start` and `_initialize`")
            }
            (true, false) => self.command(module_name, module),
            (false, has_initialize) => {
                let instance = self.instantiate(store.as_context_mut(), module)?;
                if has_initialize {
                    let initialize =
                        instance.get_typed_func::<(), ()>(store.as_context_mut(), "_initialize")?;
                    initialize
                        .call(store.as_context_mut(), ())
                        .context("the reactor's `_initialize` failed")?;
                }
                self.instance(store, module_name, instance)
            }
        }
    }

    fn command(&mut self, module_name: &str, module: &Module) -> Result<&mut Self>
    where
        T: 'static,
    {
        let pre = self.instantiate_pre(module)?;
        for export in module.exports() {
            let name = export.name();
            match export.ty() {
                ExternType::Func(ty) => {
                    let (pre, name) = (pre.clone(), name.to_string());
                    let call_anew = move |mut caller: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                        call_once(&mut caller, &pre, &name, params, results)
                    };
                    self.func_new(module_name, export.name(), ty, call_anew)?;
                }
                ExternType::Memory(_) if name == "memory" => {}
                ExternType::Table(_) if name == "__indirect_function_table" => {}
                _ if self.allow_unknown_exports => {}
                other => bail!("the command exports `{name}`, a {}: expected only functions", other.kind()),
            }
        }
        Ok(self)
    }

    /// Defines each function that `module` imports and that has no definition yet as one that fails when it
    /// is called, with an [`UnknownImportError`].
    ///
    /// # Errors
    /// When `module` is of another engine, or code memory is full.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()>
    where
        T: 'static,
    {
        check_engine(module, &self.engine)?;
        for import in module.imports() {
            if self.item(import.module(), import.name()).is_some() {
                continue;
            }
            if let ExternType::Func(ty) = import.ty() {
                let unknown = UnknownImportError::new(&import);
                self.func_new(import.module(), import.name(), ty, move |_, _, _| {
                    Err(unknown.clone().into())
                })?;
            }
        }
        Ok(())
    }

    /// Defines everything that `module` imports and that has no definition yet: functions return zeros and
    /// nulls, the rest is made in `store` as it is without contents.
    ///
    /// # Errors
    /// When there is no such value, as for references that cannot be null; when `module` or `store` is of
    /// another engine, or has no room.
    pub fn define_unknown_imports_as_default_values(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<()>
    where
        T: 'static,
    {
        check_engine(module, &self.engine)?;
        self.check_store(store.as_context().engine())?;
        for import in module.imports() {
            let (module, name) = (import.module(), import.name());
            if self.item(module, name).is_some() {
                continue;
            }
            let ty = import.ty();
            let no_default = || format!("no default value for the import `{module}::{name}`");
            if let ExternType::Func(ty) = &ty {
                let defaults = ty.default_results().with_context(no_default)?;
                self.func_new(module, name, ty.clone(), move |_, _, results| {
                    results.copy_from_slice(&defaults);
                    Ok(())
                })?;
            } else {
                let item = ty.default_value(store.as_context_mut()).with_context(no_default)?;
                self.define(store.as_context(), module, name, item)?;
            }
        }
        Ok(())
    }
}

/// Instantiating.
impl<T: 'static> Linker<T> {
    /// Makes an instance of `module` with the definitions of its imports, and runs its start function.
    ///
    /// # Errors
    /// [`UnknownImportError`] when an import has no definition; otherwise as [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>, module: &Module) -> Result<Instance> {
        let items = self.resolve(module)?;
        link(store.as_context_mut(), module, items.into_iter())
    }

    /// Makes an instance in the state of `snapshot`, with the definitions of its module's imports.
    ///
    /// # Errors
    /// [`UnknownImportError`] when an import has no definition; otherwise as [`Snapshot::instantiate`].
    pub fn instantiate_snapshot(
        &self,
        mut store: impl AsContextMut<Data = T>,
        snapshot: &Snapshot,
    ) -> Result<Instance> {
        let items = self.resolve(snapshot.module())?;
        link_snapshot(store.as_context_mut(), snapshot, items.into_iter())
    }

    /// Finds the definitions of the imports of `module` and checks their types, to make instances later.
    ///
    /// # Errors
    /// [`UnknownImportError`] when an import has no definition; when one has the wrong type, or `module` is
    /// of another engine.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        let items = self.resolve(module)?;
        let types = self.engine.inner().types();
        for (import, item) in module.core().imports.iter().zip(&items) {
            let fits = match (&import.ty, item.ty()) {
                // How large they are by then will be known by then.
                (CoreImport::Table(wanted), CoreImport::Table(mut found)) => {
                    found.min = found.min.max(wanted.min);
                    match_import(types, &import.ty, &CoreImport::Table(found))
                }
                (CoreImport::Mem(wanted), CoreImport::Mem(mut found)) => {
                    found.min = found.min.max(wanted.min);
                    match_import(types, &import.ty, &CoreImport::Mem(found))
                }
                (wanted, found) => match_import(types, wanted, &found),
            };
            fits.map_err(|error| import_error(&import.module, &import.name, error))?;
        }
        let items = items.into_iter().cloned().collect();
        Ok(InstancePre { module: module.clone(), items, of: PhantomData })
    }

    /// The definitions of the imports of `module`, in order.
    fn resolve(&self, module: &Module) -> Result<Vec<&Item>> {
        check_engine(module, &self.engine)?;
        let items = module.imports().map(|import| {
            let item = self.item(import.module(), import.name());
            item.ok_or_else(|| UnknownImportError::new(&import).into())
        });
        items.collect()
    }
}

/// Looking things up.
impl<T> Linker<T> {
    /// Everything that is defined, in no particular order: module name, name, and what it is in `store`.
    ///
    /// # Panics
    /// When `store` is of another engine.
    pub fn iter<'a: 'p, 'p>(
        &'a self,
        mut store: impl AsContextMut<Data = T> + 'p,
    ) -> impl Iterator<Item = (&'a str, &'a str, Extern)> + 'p
    where
        T: 'static,
    {
        self.expect_store(store.as_context().engine());
        self.items.iter().map(move |(key, item)| {
            let item = item.in_store(&mut store.as_context_mut().0.runtime);
            (&*self.strings[key.module], &*self.strings[key.name], item)
        })
    }

    /// What `module::name` is in `store`.
    ///
    /// # Errors
    /// When it has no definition, or `store` is of another engine.
    pub fn get(&self, mut store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Result<Extern>
    where
        T: 'static,
    {
        let store = store.as_context_mut().0;
        self.check_store(&store.engine)?;
        let item =
            self.item(module, name).with_context(|| format!("`{module}::{name}` has not been defined"))?;
        Ok(item.in_store(&mut store.runtime))
    }

    /// What `import`'s names are in `store`, if they have a definition. Its type is not looked at.
    ///
    /// # Panics
    /// When `store` is of another engine.
    pub fn get_by_import(
        &self,
        mut store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Option<Extern>
    where
        T: 'static,
    {
        let store = store.as_context_mut().0;
        self.expect_store(&store.engine);
        Some(self.item(import.module(), import.name())?.in_store(&mut store.runtime))
    }

    /// As [`Linker::get_by_import`].
    ///
    /// # Errors
    /// When `store` is of another engine.
    pub fn try_get_by_import(
        &self,
        mut store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Result<Option<Extern>>
    where
        T: 'static,
    {
        self.check_store(store.as_context().engine())?;
        Ok(self.get_by_import(store.as_context_mut(), import))
    }

    /// The function to run when `module` is to be run: its item without a name, or `_start`, or a function
    /// that does nothing.
    ///
    /// # Errors
    /// When the item is not a function, or `store` is of another engine.
    pub fn get_default(&self, mut store: impl AsContextMut<Data = T>, module: &str) -> Result<Func>
    where
        T: 'static,
    {
        for name in ["", "_start"] {
            if self.item(module, name).is_some() {
                let item = self.get(store.as_context_mut(), module, name)?;
                return item.into_func().with_context(|| format!("`{module}::{name}` is not a function"));
            }
        }
        self.check_store(store.as_context().engine())?;
        Func::try_wrap(store, || {})
    }
}

/// What the rest is made of.
impl<T> Linker<T> {
    fn item(&self, module: &str, name: &str) -> Option<&Item> {
        let key = Key { module: *self.names.get(module)?, name: *self.names.get(name)? };
        self.items.get(&key)
    }

    fn insert(&mut self, module: &str, name: &str, item: Item) -> Result<&mut Self> {
        ensure!(
            self.allow_shadowing || self.item(module, name).is_none(),
            "`{module}::{name}` is defined already, and this linker does not allow shadowing"
        );
        let key = Key { module: self.number(module), name: self.number(name) };
        self.items.insert(key, item);
        Ok(self)
    }

    fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let (name, number) = (Arc::<str>::from(name), self.strings.len());
        self.strings.push(name.clone());
        self.names.insert(name, number);
        number
    }

    fn check_store(&self, engine: &Engine) -> Result<()> {
        ensure!(Engine::same(&self.engine, engine), "{OTHER_ENGINE}");
        Ok(())
    }

    fn expect_store(&self, engine: &Engine) {
        assert!(Engine::same(&self.engine, engine), "{OTHER_ENGINE}");
    }
}

const OTHER_ENGINE: &str = "the linker and the store are of different engines";

impl Item {
    fn ty(&self) -> CoreImport {
        match self {
            Self::Host(host) => CoreImport::Func(host.type_id),
            Self::Stored(_, ty) => *ty,
        }
    }

    /// The item as one of `store`, which is of the same engine; held by the host, which gets it.
    fn in_store(&self, store: &mut runtime::Store) -> Extern {
        match self {
            Self::Host(host) => Extern::Func(Func(store.hold_host_func(host))),
            Self::Stored(item, _) => item.clone(),
        }
    }

    /// The item as one of `store`, which is of the same engine; held by the instance that imports it.
    fn to_import(&self, store: &mut runtime::Store) -> runtime::Extern {
        match self {
            Self::Host(host) => runtime::Extern::Func(store.link_host_func(host)),
            Self::Stored(item, _) => item.to_core(),
        }
    }
}

/// Makes an instance of `module` in `store` with `items` for its imports, which are of the module's engine.
fn link<'i, T: 'static>(
    store: StoreContextMut<'_, T>,
    module: &Module,
    items: impl Iterator<Item = &'i Item>,
) -> Result<Instance> {
    let imports = imports(store.0, module, items)?;
    instantiate(store, module, &imports)
}

/// As [`link`], in the state of `snapshot`.
fn link_snapshot<'i, T: 'static>(
    store: StoreContextMut<'_, T>,
    snapshot: &Snapshot,
    items: impl Iterator<Item = &'i Item>,
) -> Result<Instance> {
    let imports = imports(store.0, snapshot.module(), items)?;
    snapshot.instantiate_core(store, &imports)
}

/// `items` as imports of `module` in `store`.
fn imports<'i, T: 'static>(
    store: &mut StoreInner<T>,
    module: &Module,
    items: impl Iterator<Item = &'i Item>,
) -> Result<Vec<runtime::Extern>> {
    check_engine(module, &store.engine)?;
    let runtime = &mut store.runtime;
    let mut imports = Vec::with_capacity(module.core().imports.len());
    for (item, import) in items.zip(&module.core().imports) {
        if matches!(item, Item::Host(_)) {
            // One of the wrong type is not taken into the store, where it would stay.
            let fits = match_import(runtime.types(), &import.ty, &item.ty());
            if let Err(error) = fits {
                runtime.not_instantiated();
                return Err(import_error(&import.module, &import.name, error));
            }
        }
        imports.push(item.to_import(runtime));
    }
    Ok(imports)
}

/// Calls the function `name` of an instance that lives for this call only; or longer when the call returns
/// functions, which may be its own.
fn call_once<T: 'static>(
    caller: &mut Caller<'_, T>,
    pre: &InstancePre<T>,
    name: &str,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let instance = pre.instantiate(&mut *caller)?;
    let func = instance.get_func(&mut *caller, name).expect("the module exports this function");
    let outcome = func.call(&mut *caller, params, results);
    if !results.iter().any(|result| matches!(result, Val::FuncRef(Some(_)))) {
        caller.as_context_mut().release(instance)?;
    }
    outcome
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            names: self.names.clone(),
            strings: self.strings.clone(),
            items: self.items.clone(),
            allow_shadowing: self.allow_shadowing,
            allow_unknown_exports: self.allow_unknown_exports,
            of: PhantomData,
        }
    }
}

impl<T: 'static> Default for Linker<T> {
    /// A linker of an engine of its own.
    fn default() -> Self {
        Self::new(&Engine::default())
    }
}

impl<T> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linker")
            .field("engine", &self.engine)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

/// A module whose imports have been found and checked: see [`Linker::instantiate_pre`].
///
/// ```
/// use tenure::{Engine, Linker, Module, Store};
///
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("", "one", || 1_i32)?;
/// let module = Module::new(&engine, r#"(module (import "" "one" (func (result i32))) (export "one" (func 0)))"#)?;
/// let ready = linker.instantiate_pre(&module)?;
/// std::thread::spawn(move || {
///     let mut store = Store::new(&engine, ());
///     let instance = ready.instantiate(&mut store)?;
///     let one = instance.get_typed_func::<(), i32>(&mut store, "one")?;
///     assert_eq!(one.call(&mut store, ())?, 1);
///     Ok::<(), tenure::Error>(())
/// }).join().unwrap()?;
/// # Ok::<(), tenure::Error>(())
/// ```
pub struct InstancePre<T> {
    module: Module,
    items: Arc<[Item]>,
    of: PhantomData<fn(T)>,
}

impl<T: 'static> InstancePre<T> {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance and runs its start function.
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let store = store.as_context_mut();
        check_engine(&self.module, &store.0.engine)?;
        let runtime = &mut store.0.runtime;
        runtime.reserve_links(self.items.len());
        // Types of host functions were checked when this was made; the rest is checked with what it is by now.
        let imports: Vec<_> = self.items.iter().map(|item| item.to_import(runtime)).collect();
        instantiate(store, &self.module, &imports)
    }

    /// Makes an instance in the state of `snapshot`, which is one of an instance of this module.
    ///
    /// # Errors
    /// When it is of another module; otherwise as [`Snapshot::instantiate`].
    pub fn instantiate_snapshot(
        &self,
        mut store: impl AsContextMut<Data = T>,
        snapshot: &Snapshot,
    ) -> Result<Instance> {
        ensure!(
            Module::same(&self.module, snapshot.module()),
            "the snapshot is of an instance of another module"
        );
        link_snapshot(store.as_context_mut(), snapshot, self.items.iter())
    }
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        Self { module: self.module.clone(), items: self.items.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstancePre").field("module", &self.module).finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    /// Neither is tied to a thread, whatever the host's data is.
    struct OneThread(PhantomData<*const ()>);
    shared::<Linker<OneThread>>();
    shared::<InstancePre<OneThread>>();
};
