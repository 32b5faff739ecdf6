//! A module: checked, compiled, shared.

use crate::error::Context;
use crate::{Engine, ExportType, ExternType, ImportType, Result, bail};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tenure_engine::OnProgress;
use tenure_module::Module as CoreModule;
use tenure_runtime::LoadedModule;
use tenure_types::{ExternIdx, FuncIdx};

/// A WebAssembly module: checked, compiled, ready to be instantiated any number of times, in any store of its
/// engine.
///
/// Cheap to clone; clones are the same module. Its code goes when the last clone and the last instance have
/// gone.
///
/// ```
/// use tenure::{Engine, Module};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"
///     (module
///         (import "env" "log" (func (param i32)))
///         (func (export "answer") (result i32) i32.const 42))
/// "#)?;
/// let import = module.imports().next().unwrap();
/// assert_eq!((import.module(), import.name()), ("env", "log"));
/// let answer = module.get_export("answer").unwrap();
/// assert_eq!(answer.unwrap_func().to_string(), "(type (func (result i32)))");
///
/// let error = Module::new(&engine, "(module (func i32.add))").unwrap_err();
/// assert!(error.to_string().contains("type mismatch"));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone)]
pub struct Module {
    shared: Arc<Shared>,
}

/// What the clones of a module share.
struct Shared {
    engine: Engine,
    loaded: Arc<LoadedModule>,
    /// What its instances keep: the same module, but not these parts, which would keep themselves then.
    kept: OnceLock<Arc<Module>>,
}

/// Making modules.
impl Module {
    /// Checks `bytes`: the binary format, or with the Cargo feature `wat` the text format. Code is made when
    /// functions are called, or here if the engine's [`Strategy`](crate::Strategy) says so.
    ///
    /// # Errors
    /// When the bytes are malformed, the module is not valid, or it needs a proposal that is off or not
    /// there; the error says where.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::new_with_progress(engine, bytes, &|_| ControlFlow::Continue(()))
    }

    /// As [`Module::new`], telling `on_progress` of each function that is done: for long compilations that a
    /// person waits for. Called on several threads; may end the compilation, which is then an error.
    ///
    /// # Errors
    /// As [`Module::new`]; and when `on_progress` says so.
    pub fn new_with_progress(
        engine: &Engine,
        bytes: impl AsRef<[u8]>,
        on_progress: OnProgress<'_>,
    ) -> Result<Self> {
        let wasm = to_binary(bytes.as_ref(), None)?;
        Self::compile(engine, &wasm, on_progress)
    }

    /// As [`Module::new_with_progress`], for the binary format only. The module keeps `binary` itself, where others make
    /// a copy.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use tenure::{Engine, Module};
    ///
    /// let binary: std::sync::Arc<[u8]> = std::sync::Arc::from(*b"\0asm\x01\0\0\0");
    /// let module = Module::from_shared(&Engine::default(), &binary, &|_| ControlFlow::Continue(()))?;
    /// assert_eq!(module.imports().len(), 0);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Module::new_with_progress`].
    pub fn from_shared(engine: &Engine, binary: &Arc<[u8]>, on_progress: OnProgress<'_>) -> Result<Self> {
        if Engine::detect_precompiled(binary).is_some() {
            bail!("this is a compiled module; it can be loaded with `Module::deserialize`");
        }
        let loaded = engine.inner().compile(binary, on_progress)?;
        Ok(Self::from_loaded(engine, loaded))
    }

    /// As [`Module::new`], until another thread calls [`Cancel::cancel`].
    ///
    /// # Errors
    /// As [`Module::new`]; and when it was cancelled before it was done.
    pub fn new_cancellable(engine: &Engine, bytes: impl AsRef<[u8]>, cancel: &Cancel) -> Result<Self> {
        let go_on = || if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        if go_on().is_break() {
            return Err(tenure_engine::ModuleError::Cancelled.into());
        }
        Self::new_with_progress(engine, bytes, &|_| go_on())
    }

    /// As [`Module::new`], from a file.
    ///
    /// # Errors
    /// As [`Module::new`]; and when the file cannot be read.
    pub fn from_file(engine: &Engine, file: impl AsRef<Path>) -> Result<Self> {
        let bytes = read(file.as_ref())?;
        let wasm = to_binary(&bytes, Some(file.as_ref()))?;
        Self::compile(engine, &wasm, &|_| ControlFlow::Continue(()))
    }

    /// As [`Module::new`], for the binary format only.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary(engine: &Engine, binary: &[u8]) -> Result<Self> {
        Self::compile(engine, binary, &|_| ControlFlow::Continue(()))
    }

    /// From a file that may be a compiled module too, as [`Module::serialize`] makes them.
    ///
    /// # Errors
    /// As [`Module::from_file`] and [`Module::deserialize`].
    ///
    /// # Safety
    /// As [`Module::deserialize`].
    pub unsafe fn from_trusted_file(engine: &Engine, file: impl AsRef<Path>) -> Result<Self> {
        let bytes = read(file.as_ref())?;
        if Engine::detect_precompiled(&bytes).is_some() {
            return Self::load(engine, &bytes);
        }
        let wasm = to_binary(&bytes, Some(file.as_ref()))?;
        Self::compile(engine, &wasm, &|_| ControlFlow::Continue(()))
    }

    fn compile(engine: &Engine, wasm: &[u8], on_progress: OnProgress<'_>) -> Result<Self> {
        Self::from_shared(engine, &wasm.into(), on_progress)
    }

    fn load(engine: &Engine, bytes: &[u8]) -> Result<Self> {
        let loaded = engine.inner().deserialize(bytes)?;
        Ok(Self::from_loaded(engine, loaded))
    }

    /// The module whose code `loaded` is, which belongs to `engine`.
    pub(crate) fn from_loaded(engine: &Engine, loaded: Arc<LoadedModule>) -> Self {
        let shared = Shared { engine: engine.clone(), loaded, kept: OnceLock::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Checks the binary format without compiling it.
    ///
    /// # Errors
    /// What is wrong first, and where.
    pub fn validate(engine: &Engine, binary: &[u8]) -> Result<()> {
        Ok(engine.inner().validate(&binary.into())?)
    }
}

/// Compiled modules as bytes.
impl Module {
    /// The module with its code, for [`Module::deserialize`] by this version of Tenure, on a machine like
    /// this one, in an engine with the same options.
    ///
    /// ```
    /// use tenure::{Engine, Module};
    ///
    /// let engine = Engine::default();
    /// let bytes = Module::new(&engine, r#"(module (func (export "f")))"#)?.serialize()?;
    /// // SAFETY: the bytes were made here and have not been out of our hands.
    /// let module = unsafe { Module::deserialize(&engine, &bytes)? };
    /// assert!(module.get_export("f").is_some());
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ///
    /// # Errors
    /// None today.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        Ok(self.shared.engine.inner().serialize(&self.shared.loaded)?)
    }

    /// Loads what [`Module::serialize`] or [`Engine::precompile_module`] made.
    ///
    /// # Errors
    /// When the bytes are something else, are damaged, or were made for another version, machine or
    /// configuration.
    ///
    /// # Safety
    /// The bytes hold machine code, which will run. That they are what was written is checked, not who wrote
    /// them: they must come from this crate and must not have been where somebody hostile could change them.
    pub unsafe fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::load(engine, bytes.as_ref())
    }

    /// As [`Module::deserialize`], from a file.
    ///
    /// # Errors
    /// As [`Module::deserialize`]; and when the file cannot be read.
    ///
    /// # Safety
    /// As [`Module::deserialize`], for the file.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::load(engine, &read(path)?).with_context(|| format!("cannot load `{}`", path.display()))
    }

    /// As [`Module::deserialize`], from an open file, from where it stands to its end.
    ///
    /// # Errors
    /// As [`Module::deserialize`]; and when the file cannot be read.
    ///
    /// # Safety
    /// As [`Module::deserialize`], for the file.
    pub unsafe fn deserialize_open_file(engine: &Engine, mut file: File) -> Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).context("cannot read the compiled module")?;
        Self::load(engine, &bytes)
    }
}

/// Looking at modules.
impl Module {
    /// The name in the module's name section.
    pub fn name(&self) -> Option<&str> {
        self.core().names.module()
    }

    /// The imports, in the order of the module.
    pub fn imports<'module>(&'module self) -> impl ExactSizeIterator<Item = ImportType<'module>> + 'module {
        self.core().imports.iter().map(|import| ImportType::new(&self.shared.engine, import))
    }

    /// The exports, in the order of the module.
    pub fn exports<'module>(&'module self) -> impl ExactSizeIterator<Item = ExportType<'module>> + 'module {
        self.core().exports.iter().map(|export| ExportType::new(&self.shared.engine, self.core(), export))
    }

    /// The type of the export `name`.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        Some(ExternType::of_item(&self.shared.engine, self.core(), self.export_item(name)?))
    }

    /// The export `name`, to be looked up in instances of this module without its name.
    pub fn get_export_index(&self, name: &str) -> Option<ModuleExport> {
        Some(ModuleExport { module: self.shared.loaded.id(), item: self.export_item(name)? })
    }

    /// What the export `name` names.
    pub(crate) fn export_item(&self, name: &str) -> Option<ExternIdx> {
        let &at = self.core().export_names.get(name)?;
        Some(self.core().exports.get(at)?.item)
    }

    /// The engine that it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Whether `a` and `b` are the same module: clones, not merely made of the same bytes.
    pub fn same(a: &Self, b: &Self) -> bool {
        a.shared.loaded.id() == b.shared.loaded.id()
    }

    /// The name of function `func`: from the name section, or else the first export's that names it.
    pub(crate) fn func_name(&self, func: FuncIdx) -> Option<&str> {
        let module = self.core();
        module.names.func(func).or_else(|| {
            let export = module.exports.iter().find(|export| export.item == ExternIdx::Func(func))?;
            Some(&export.name)
        })
    }

    /// What is known of the module.
    pub(crate) fn core(&self) -> &CoreModule {
        self.shared.loaded.module()
    }

    /// The same module, for an instance to keep: shared by all of them.
    pub(crate) fn kept(&self) -> Arc<Self> {
        let Shared { engine, loaded, kept } = &*self.shared;
        kept.get_or_init(|| Arc::new(Self::from_loaded(engine, loaded.clone()))).clone()
    }

    /// The module with its code.
    pub(crate) fn loaded(&self) -> &Arc<LoadedModule> {
        &self.shared.loaded
    }
}

/// Looking at compiled code.
impl Module {
    /// The code, as compiled: where it refers to other places, those are not filled in. Empty under
    /// [`Strategy::Tiered`](crate::Strategy::Tiered), where code comes as functions are called.
    pub fn text(&self) -> &[u8] {
        &self.shared.loaded.image().text
    }

    /// The functions that the module defines, and where their code lies in [`Module::text`].
    pub fn functions(&self) -> impl ExactSizeIterator<Item = ModuleFunction> + '_ {
        let (module, image) = (self.core(), self.shared.loaded.image());
        (0..module.defined_funcs()).map(move |at| {
            let (index, code) = (module.defined_func(at), image.funcs.get(at));
            ModuleFunction {
                index: index.0,
                name: self.func_name(index).map(str::to_string),
                offset: code.map_or(0, |code| code.start as usize),
                len: code.map_or(0, |code| code.len as usize),
                body: module.bodies.get(at).cloned().unwrap_or_default(),
            }
        })
    }

    /// Which operator code comes from: offsets in [`Module::text`], rising, each with the operator's offset
    /// in the module; `None` for code that comes from no operator. `None` altogether when the engine keeps no
    /// map.
    pub fn address_map(&self) -> Option<impl Iterator<Item = (usize, Option<u32>)> + '_> {
        self.shared.engine.config().options().generate_address_map.then(|| {
            self.shared.loaded.image().describe().flat_map(|code| {
                code.stretches().map(move |stretch| ((code.start() + stretch.at) as usize, stretch.wasm))
            })
        })
    }

    /// Instructions that may trap: offsets in [`Module::text`], rising, and what they mean.
    pub fn traps(&self) -> impl Iterator<Item = (usize, crate::Trap)> + '_ {
        self.shared
            .loaded
            .image()
            .describe()
            .flat_map(|code| code.traps().map(move |(at, trap)| ((code.start() + at) as usize, trap)))
    }

    /// How far the module's functions have come: which have code, of which tier.
    ///
    /// ```
    /// use tenure::{Config, Engine, Instance, Module, Store, Strategy};
    ///
    /// let engine = Engine::new(Config::new().strategy(Strategy::Tiered))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "f") (result i32) i32.const 1)
    ///     (func (export "g") (result i32) i32.const 2))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// assert_eq!(module.tiers().not_called, 2);
    ///
    /// let f = instance.get_typed_func::<(), i32>(&mut store, "f")?;
    /// assert_eq!(f.call(&mut store, ())?, 1);
    /// let tiers = module.tiers();
    /// assert_eq!((tiers.not_called, tiers.baseline), (1, 1));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn tiers(&self) -> TierSummary {
        let summary = self.shared.engine.inner().tier_summary(&self.shared.loaded);
        let handed_over = summary.handed_over.into_iter().map(|(func, why)| HandedOver {
            index: func.0,
            name: self.func_name(func).map(str::to_string),
            why,
        });
        TierSummary {
            not_called: summary.not_called,
            baseline: summary.baseline,
            waiting: summary.waiting,
            refused: summary.refused,
            optimized: summary.optimized,
            loop_entries: summary.loop_entries,
            compilations: summary.compilations,
            handed_over: handed_over.collect(),
        }
    }

    /// Where the code lies in this process.
    pub fn image_range(&self) -> Range<*const u8> {
        let start = std::ptr::without_provenance::<u8>(self.shared.loaded.text_start());
        start..start.wrapping_add(self.text().len())
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Ends compilations from another thread: see [`Module::new_cancellable`]. Clones are the same handle.
///
/// ```
/// use tenure::{Cancel, Engine, Module};
///
/// let cancel = Cancel::new();
/// let other = cancel.clone();
/// std::thread::spawn(move || other.cancel()).join().unwrap();
/// let error = Module::new_cancellable(&Engine::default(), "(module)", &cancel).unwrap_err();
/// assert_eq!(error.to_string(), "the compilation was stopped");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle with which nothing was cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every compilation that was given this handle, now and later, with an error. One that is in the middle
    /// of a function finishes that first.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// An export of one module, found before: see [`Module::get_export_index`].
#[derive(Clone, Copy, Debug)]
pub struct ModuleExport {
    module: u64,
    item: ExternIdx,
}

impl ModuleExport {
    /// What it names in `module`; `None` when it is another module's.
    pub(crate) fn item_of(&self, module: &LoadedModule) -> Option<ExternIdx> {
        (self.module == module.id()).then_some(self.item)
    }
}

/// A function that a module defines: see [`Module::functions`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModuleFunction {
    /// Its index in the module, imported functions counted.
    pub index: u32,
    /// Its name, from the name section or an export.
    pub name: Option<String>,
    /// Where its code starts in [`Module::text`].
    pub offset: usize,
    /// Bytes of code; 0 if there was none from the start.
    pub len: usize,
    /// Where its body lies in the module's binary.
    pub body: std::ops::Range<usize>,
}

/// How far the functions that a module defines have come: see [`Module::tiers`].
///
/// Each counts in one of the first five numbers. Functions go on while one looks.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TierSummary {
    /// Functions without code, because nobody called them yet.
    pub not_called: usize,
    /// Functions in code of the baseline tier.
    pub baseline: usize,
    /// Functions in code of the baseline tier, while the optimizing compiler is to make better code.
    pub waiting: usize,
    /// Functions that stay in code of the baseline tier though they are hot: nobody makes better code.
    pub refused: usize,
    /// Functions in code of the optimizing tier.
    pub optimized: usize,
    /// Loops at which activations in code of the baseline tier move over to the optimizing tier.
    pub loop_entries: usize,
    /// How often code was made: of functions, by either compiler, and for loops.
    pub compilations: usize,
    /// Functions that the baseline compiler does not do, which the optimizing compiler made at once, by index.
    pub handed_over: Vec<HandedOver>,
}

/// A function that the baseline compiler does not do: see [`TierSummary::handed_over`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HandedOver {
    /// Its index in the module, imported functions counted.
    pub index: u32,
    /// Its name, from the name section or an export.
    pub name: Option<String>,
    /// What the baseline compiler does not do, and where.
    pub why: String,
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// The binary format of `bytes`, which come from the file `path`.
#[cfg(feature = "wat")]
pub(crate) fn to_binary<'b>(bytes: &'b [u8], path: Option<&Path>) -> Result<Cow<'b, [u8]>> {
    if Engine::detect_precompiled(bytes).is_some() {
        return Ok(Cow::Borrowed(bytes));
    }
    Ok(wat::parse_bytes(bytes).map_err(|mut error| {
        if let Some(path) = path {
            error.set_path(path);
        }
        error
    })?)
}

/// Without the text format bytes are what they are.
#[cfg(not(feature = "wat"))]
pub(crate) fn to_binary<'b>(bytes: &'b [u8], _path: Option<&Path>) -> Result<Cow<'b, [u8]>> {
    Ok(Cow::Borrowed(bytes))
}
