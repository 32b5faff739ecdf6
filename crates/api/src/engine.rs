//! What modules and stores share: configuration, compilers, types, the memory that code lies in.

use crate::Result;
use crate::error::Context;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Weak};
use tenure_engine::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, PoolingAllocatorMetrics};

/// What modules and stores share: configuration, compilers, types, the memory that code lies in.
///
/// Cheap to clone; clones are the same engine. Modules, stores and types of one engine can be used together,
/// those of different engines cannot.
///
/// ```
/// use tenure::{Config, Engine};
///
/// let mut config = Config::new();
/// config.wasm_simd(false);
/// let engine = Engine::new(&config)?;
/// assert!(Engine::same(&engine, &engine.clone()));
/// assert!(!Engine::same(&engine, &Engine::default()));
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine(Arc<tenure_engine::Engine>);

impl Engine {
    /// An engine that is as `config` asks.
    ///
    /// # Errors
    /// When that cannot be had: the error names the option and why; or when the system refuses memory for
    /// code.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self(Arc::new(tenure_engine::Engine::new(config)?)))
    }

    /// What was asked for.
    pub fn config(&self) -> &Config {
        self.0.config()
    }

    /// The settings of the engine's pool, if it has one: see
    /// [`Config::allocation_strategy`](crate::Config::allocation_strategy).
    pub fn get_pooling_config(&self) -> Option<&PoolingAllocationConfig> {
        match &self.config().options().allocation_strategy {
            InstanceAllocationStrategy::Pooling(pool) => Some(pool),
            _ => None,
        }
    }

    /// Numbers of the engine's pool, if it has one; they follow what happens.
    pub fn pooling_allocator_metrics(&self) -> Option<PoolingAllocatorMetrics> {
        self.0.pooling_metrics()
    }

    /// Advances the engine's epoch by one. Cheap, and takes no lock: from any thread, also while guests run, also in a
    /// signal handler.
    ///
    /// Guests of engines with [`Config::epoch_interruption`] look at it; see
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline).
    pub fn increment_epoch(&self) {
        self.0.increment_epoch();
    }

    /// Whether guests are charged for what they execute: [`Config::consume_fuel`].
    pub fn get_consume_fuel(&self) -> bool {
        self.config().options().consume_fuel
    }

    /// A handle that does not keep the engine.
    pub fn weak(&self) -> EngineWeak {
        EngineWeak(Arc::downgrade(&self.0))
    }

    /// Whether `a` and `b` are the same engine.
    pub fn same(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Compiles `bytes` (see [`Module::new`](crate::Module::new)) to what
    /// [`Module::deserialize`](crate::Module::deserialize) takes, without loading it.
    ///
    /// # Errors
    /// As [`Module::new`](crate::Module::new).
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let wasm = crate::module::to_binary(bytes, None)?;
        Ok(self.0.precompile(&(*wasm).into(), &|_| ControlFlow::Continue(()))?)
    }

    /// What compiled modules depend on besides their source: equal hashes, interchangeable results of
    /// [`Engine::precompile_module`].
    pub fn precompile_compatibility_hash(&self) -> impl std::hash::Hash + '_ {
        self.0.artifact_key().ok()
    }

    /// Whether `bytes` begin like something compiled, and what it is.
    pub fn detect_precompiled(bytes: &[u8]) -> Option<Precompiled> {
        tenure_engine::Engine::is_artifact(bytes).then_some(Precompiled::Module)
    }

    /// Whether a file begins like something compiled, and what it is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn detect_precompiled_file(path: impl AsRef<Path>) -> Result<Option<Precompiled>> {
        let path = path.as_ref();
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
        read.with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self::detect_precompiled(&start))
    }

    /// The engine behind the API.
    pub(crate) fn inner(&self) -> &tenure_engine::Engine {
        &self.0
    }
}

impl Default for Engine {
    /// An engine with every option at its default.
    ///
    /// # Panics
    /// When the system refuses memory for code.
    fn default() -> Self {
        Self::new(&Config::default())
            .unwrap_or_else(|error| panic!("no engine with default options: {error:#}"))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&Arc::as_ptr(&self.0)).finish()
    }
}

/// A handle to an engine that does not keep it.
#[derive(Clone, Default)]
pub struct EngineWeak(Weak<tenure_engine::Engine>);

impl EngineWeak {
    /// The engine, if something still keeps it.
    pub fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(Engine)
    }
}

impl fmt::Debug for EngineWeak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EngineWeak").field(&self.0.as_ptr()).finish()
    }
}

/// Something compiled, as bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Precompiled {
    /// A module, for [`Module::deserialize`](crate::Module::deserialize).
    Module,
}
