//! What modules and stores share.

use crate::artifact;
use crate::compilers::Compilers;
use crate::config::Config;
use crate::error::{EngineError, ModuleError};
use crate::footprint::Footprint;
use crate::options::{Strategy, TierUp};
use crate::pipeline::{OnProgress, Pipeline};
use crate::pooling::PoolingAllocatorMetrics;
use crate::tiering::{ModuleTiers, Plan, Pool};
use crate::wasm_features::WasmFeatures;
use crate::workers::Workers;
use std::ops::ControlFlow;
use std::sync::Arc;
use tenure_abi::CtxLayout;
use tenure_code::{CodeImage, CompileUnit, Compiler, Tier, Tunables};
use tenure_module::{Body, Module, parse};
use tenure_runtime::{CodeSpace, LoadedModule, StoreConfig, TierSummary};
use tenure_types::{Features, TypeRegistry};

/// Configuration, compilers, types and code memory of one engine.
pub struct Engine {
    config: Config,
    wasm_features: WasmFeatures,
    features: Features,
    footprint: Footprint,
    tunables: Tunables,
    compilers: Arc<Compilers>,
    tier_up: Option<Arc<Pool>>,
    workers: Workers,
    stores: Arc<StoreConfig>,
}

impl Engine {
    /// An engine that is as `config` asks.
    ///
    /// # Errors
    /// [`EngineError::Config`] names what cannot be had; the others say that this machine does not do.
    pub fn new(config: &Config) -> Result<Self, EngineError> {
        config.check()?;
        let wasm_features = config.effective_features()?;
        let footprint = Footprint::of_this_process();
        let tunables = config.to_tunables(footprint);
        if config.options().quarantine {
            tenure_sys::quarantine::turn_on();
        }
        if tunables.signals {
            tenure_runtime::call::install_fault_handler().map_err(EngineError::Signals)?;
        }
        let compilers = Arc::new(Compilers::new(config));
        if !config.options().is_tiered() {
            compilers.optimizing()?;
        }
        let threads = config.options().tier_up_threads;
        let stores = StoreConfig {
            space: CodeSpace::with(config.to_space_config(footprint))?,
            types: Arc::default(),
            max_wasm_stack: config.options().max_wasm_stack,
            backtraces: config.options().wasm_backtrace_max_frames.is_some(),
            epochs: Arc::default(),
            tunables: tunables.clone(),
            spare: Default::default(),
        };
        Ok(Self {
            wasm_features,
            features: wasm_features.to_features(),
            compilers,
            tier_up: (threads != Some(0)).then(|| Arc::new(Pool::new(threads))),
            workers: Workers::new(),
            stores: Arc::new(stores),
            footprint,
            tunables,
            config: config.clone(),
        })
    }

    /// Advances the epoch by one, from any thread, also while guests run, also in a signal handler.
    pub fn increment_epoch(&self) {
        self.stores.epochs.advance();
    }

    /// What was asked for.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The proposals that modules may use.
    pub fn wasm_features(&self) -> WasmFeatures {
        self.wasm_features
    }

    /// What compiled code relies on.
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// The canonical types.
    pub fn types(&self) -> &Arc<TypeRegistry> {
        &self.stores.types
    }

    /// Numbers of the pool, if there is one.
    pub fn pooling_metrics(&self) -> Option<PoolingAllocatorMetrics> {
        PoolingAllocatorMetrics::new(&self.stores.space)
    }

    /// The memory that code lies in.
    pub fn code_space(&self) -> &Arc<CodeSpace> {
        &self.stores.space
    }

    /// What the stores of this engine have in common.
    pub fn store_config(&self) -> &Arc<StoreConfig> {
        &self.stores
    }

    /// Checks `wasm` without making anything of it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self, wasm: &Arc<[u8]>) -> Result<(), ModuleError> {
        self.pipeline(&self.tunables).check(wasm, &|_| ControlFlow::Continue(()))?;
        Ok(())
    }

    /// Checks and compiles `wasm` and puts its code in memory; under [`Strategy::Tiered`](crate::Strategy::Tiered)
    /// only checks it, and code comes when it is called.
    ///
    /// # Errors
    /// The first thing that is wrong; [`ModuleError::Cancelled`] when `on_progress` says so.
    pub fn compile(
        &self,
        wasm: &Arc<[u8]>,
        on_progress: OnProgress<'_>,
    ) -> Result<Arc<LoadedModule>, ModuleError> {
        self.compile_for(wasm, &self.tunables, on_progress)
    }

    /// The module `module` again, for memories that reserve little address space; `None` when its own do already.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn for_small_memories<'m>(
        &self,
        module: &'m LoadedModule,
    ) -> Result<Option<&'m Arc<LoadedModule>>, ModuleError> {
        if self.footprint.is_small() {
            return Ok(None);
        }
        let compile = || {
            let tunables = self.tunables.clone().with_small_memories();
            self.compile_for(&module.module().bytes, &tunables, &|_| ControlFlow::Continue(()))
        };
        module.small(compile).map(Some)
    }

    fn compile_for(
        &self,
        wasm: &Arc<[u8]>,
        tunables: &Tunables,
        on_progress: OnProgress<'_>,
    ) -> Result<Arc<LoadedModule>, ModuleError> {
        if self.config.options().is_tiered() {
            return self.compile_later(wasm, tunables, on_progress);
        }
        let (module, layout, image) =
            self.compile_module(wasm, tunables, on_progress, self.stores.space.take_text())?;
        Ok(LoadedModule::load(&self.stores.space, module, layout, image, tunables.clone())?)
    }

    /// Checks `wasm`; code comes when it is called.
    fn compile_later(
        &self,
        wasm: &Arc<[u8]>,
        tunables: &Tunables,
        on_progress: OnProgress<'_>,
    ) -> Result<Arc<LoadedModule>, ModuleError> {
        let options = self.config.options();
        if !options.enable_compiler {
            return Err(ModuleError::CompilerOff);
        }
        let pipeline = Pipeline { lazy_validation: options.lazy_validation, ..self.pipeline(tunables) };
        let (module, bodies) = pipeline.check(wasm, on_progress)?;
        let layout = tenure_code::layout(&module)?;
        let tiers = ModuleTiers::new(
            self.compilers.clone(),
            Plan::new(options),
            self.tier_up.clone(),
            options.generate_address_map,
            bodies,
            module.defined_funcs(),
        );
        // Nobody counts where nobody makes better code.
        let tiering = self.tier_up.is_some() || options.tier_up == TierUp::AtOnce;
        let tunables = Tunables { tiering, ..tunables.clone() };
        Ok(LoadedModule::lazy(&self.stores.space, module, layout, tunables, tiers)?)
    }

    /// How far the functions of `module`, which is of this engine, have come. For code that was complete from the
    /// start under [`Strategy::Baseline`](crate::Strategy::Baseline), the baseline compiler is asked again about
    /// the functions that it handed over.
    pub fn tier_summary(&self, module: &LoadedModule) -> TierSummary {
        let mut summary = module.tier_summary();
        let others: Vec<_> =
            module.image().funcs.iter().filter(|range| range.tier == Tier::Optimizing).collect();
        if self.config.options().strategy == Strategy::Baseline
            && !others.is_empty()
            && let Ok(ahead) = self.compilers.ahead()
            // It was parsed before, in this engine or one of the same options.
            && let Ok(parsed) = parse(&module.module().bytes, self.features, &self.stores.types)
            && let Some(bodies) = parsed.bodies.first().map(Body::bodies)
        {
            let unit = CompileUnit {
                module: &parsed.module,
                layout: module.layout(),
                tunables: &self.tunables,
                profile: None,
            };
            for range in others {
                let body = bodies.body(&parsed.module, range.func);
                if let Some(why) = body.and_then(|body| ahead.why_handed_over(unit, body)) {
                    summary.handed_over.push((range.func, why));
                }
            }
        }
        summary
    }

    /// Checks and compiles `wasm`; the artifact that [`Engine::deserialize`] takes.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn precompile(&self, wasm: &Arc<[u8]>, on_progress: OnProgress<'_>) -> Result<Vec<u8>, ModuleError> {
        let (_, _, image) = self.compile_module(wasm, &self.tunables, on_progress, Vec::new())?;
        Ok(artifact::write(&self.conditions(&self.tunables)?, wasm, &image))
    }

    /// The artifact of a module of this engine. That of a module whose code comes as it runs is compiled ahead
    /// of time for this.
    ///
    /// # Errors
    /// As [`Engine::precompile`].
    pub fn serialize(&self, module: &LoadedModule) -> Result<Vec<u8>, ModuleError> {
        let wasm = &module.module().bytes;
        if module.tiers().is_some() {
            return self.precompile(wasm, &|_| ControlFlow::Continue(()));
        }
        Ok(artifact::write(&self.conditions(&self.tunables)?, wasm, module.image()))
    }

    /// Whether `bytes` begin like an artifact.
    pub fn is_artifact(bytes: &[u8]) -> bool {
        artifact::is_artifact(bytes)
    }

    /// Puts the code of an artifact in memory.
    ///
    /// Running the result is as safe as its origin: bytes are checked for damage, not for malice.
    ///
    /// # Errors
    /// [`ModuleError::Artifact`] when the bytes are no artifact, are damaged, or were made for another
    /// engine.
    pub fn deserialize(&self, bytes: &[u8]) -> Result<Arc<LoadedModule>, ModuleError> {
        let (wasm, image) = match artifact::read(&self.conditions(&self.tunables)?, bytes) {
            Ok(parts) => parts,
            Err(error) => return self.compile_again(bytes).unwrap_or(Err(error.into())),
        };
        let module = parse(&wasm.into(), self.features, &self.stores.types)?.module;
        let layout = tenure_code::layout(&module)?;
        Ok(LoadedModule::load(&self.stores.space, module, layout, image, self.tunables.clone())?)
    }

    /// The module of an artifact that differs from what this engine makes by address space alone, compiled again.
    fn compile_again(&self, bytes: &[u8]) -> Option<Result<Arc<LoadedModule>, ModuleError>> {
        let other = self.conditions(&self.config.to_tunables(self.footprint.other())).ok()?;
        let (wasm, _) = artifact::read(&other, bytes).ok()?;
        let can = self.config.options().enable_compiler;
        can.then(|| self.compile(&wasm.into(), &|_| ControlFlow::Continue(())))
    }

    /// What artifacts of this engine rely on, for keys: equal keys, interchangeable artifacts.
    ///
    /// # Errors
    /// When this machine is none that code can be made for.
    pub fn artifact_key(&self) -> Result<String, ModuleError> {
        let rows =
            self.conditions(&self.tunables)?.into_iter().map(|(name, value)| format!("{name}={value}"));
        Ok(rows.collect::<Vec<_>>().join("\n"))
    }

    fn compile_module(
        &self,
        wasm: &Arc<[u8]>,
        tunables: &Tunables,
        on_progress: OnProgress<'_>,
        text: Vec<u8>,
    ) -> Result<(Module, CtxLayout, CodeImage), ModuleError> {
        if !self.config.options().enable_compiler {
            return Err(ModuleError::CompilerOff);
        }
        self.pipeline(tunables).compile(wasm, &self.compilers.ahead()?, on_progress, text)
    }

    fn pipeline<'e>(&'e self, tunables: &'e Tunables) -> Pipeline<'e> {
        let options = self.config.options();
        Pipeline {
            features: self.features,
            types: &self.stores.types,
            tunables,
            workers: options.parallel_compilation.then_some(&self.workers),
            address_map: options.generate_address_map,
            time_limit: options.compile_time_limit,
            lazy_validation: false,
        }
    }

    fn conditions(&self, tunables: &Tunables) -> Result<artifact::Conditions, ModuleError> {
        Ok(artifact::conditions(&self.compilers.ahead()?.fingerprint(), tunables, self.features))
    }
}
