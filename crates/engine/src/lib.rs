//! Configuration, and the pipeline from bytes to loaded code.
//!
//! ```text
//! Config ──check──▶ Engine ──▶ bytes ──pipeline──▶ CodeImage ──load──▶ LoadedModule
//!                                 artifact ◀─write── │ ▲ ──read── artifact
//! ```
//! Options and proposals are tables ([`options`](Options), [`PROPOSALS`]); setters, defaults and names are
//! derived from them. This is the only crate that knows which compilers there are. Start at [`Engine`].

#![forbid(unsafe_code)]

mod wasm_features;
mod footprint;
mod pooling;
mod options;
mod config;
mod tuning;
mod workers;
mod artifact;
mod error;
mod pipeline;
mod events;
mod compilers;
mod tiering;
mod engine;

pub use artifact::ArtifactError;
pub use config::{Config, ConfigError};
pub use engine::Engine;
pub use error::{EngineError, ModuleError};
pub use options::{
    BaselineMachine, Inlining, OnStackReplacement, OptLevel, Options, RegallocAlgorithm, Strategy, TierUp,
    WasmBacktraceDetails,
};
pub use pipeline::{OnProgress, Progress};
pub use pooling::{Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, PoolingAllocatorMetrics};
pub use tenure_module::{OperatorCost, VariableOperatorCost};
pub use tenure_runtime::{Limits, TierSummary};
pub use wasm_features::{Is, PROPOSALS, Proposal, WasmFeatures};
