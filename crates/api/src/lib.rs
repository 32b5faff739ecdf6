//! An embeddable WebAssembly runtime that gives memory back.
//!
//! The words are those of the `wasmtime` crate, so that a program can move over with `use tenure as
//! wasmtime;`:
//!
//! ```text
//! Config ──▶ Engine          what everything shares: options, types, compiled code
//!              │
//!   bytes ──▶ Module         checked and compiled; any number of threads and stores use it
//!              │
//!            Instance        a module with its memories, tables, globals and imports, in a
//!            Store<T>        store, which owns instances and a value of the host's
//! ```
//!
//! A module can be looked at before anything runs:
//!
//! ```
//! use tenure::{Engine, Module};
//!
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module (func (export "add") (param i32 i32) (result i32)
//!     (i32.add (local.get 0) (local.get 1))))"#)?;
//! for export in module.exports() {
//!     let ty = export.ty();
//!     println!("{}: {}", export.name(), ty.unwrap_func());
//! }
//! # Ok::<(), tenure::Error>(())
//! ```
//!
//! What can go wrong is an [`Error`], which says what, where, and what was expected; why a guest stopped can
//! be asked of it as [`Trap`], and where the guest was as [`WasmBacktrace`].
//!
//! The Cargo feature `wat`, on by default, lets [`Module::new`] take the text format.

#![deny(unsafe_code)]

mod engine;
pub mod error;
mod types;
mod unknown_import;
mod v128;
mod val_raw;
#[expect(unsafe_code, reason = "loading machine code from bytes is a promise of the caller's")]
mod module;
mod debug_bounds;
mod backtrace;
mod store;
#[expect(unsafe_code, reason = "host functions get raw arguments, calls pass them")]
mod func;
#[expect(unsafe_code, reason = "raw values are references only to those who made them")]
mod val;
mod handle;
#[expect(unsafe_code, reason = "guests' growth gets the whole store back")]
mod limits;
mod rooted;
mod extern_ref;
mod gc_refs;
#[expect(unsafe_code, reason = "promises what references are to guests")]
mod ref_tys;
mod absent;
mod externals;
mod memory;
#[expect(unsafe_code, reason = "turns elements into references")]
mod table;
#[expect(unsafe_code, reason = "turns contents into values")]
mod global;
#[expect(unsafe_code, reason = "runs start functions")]
mod instance;
mod snapshot;
mod default_value;
#[expect(unsafe_code, reason = "passes on what the caller promises of unchecked functions")]
mod linker;
mod reclaim;
mod usage;
#[expect(unsafe_code, reason = "an epoch handler gets the whole store back")]
mod epoch;
#[cfg(doctest)]
mod guide;

pub use absent::{ArrayType, ContType, ExnType, SharedMemory, StructType, Tag};
pub use backtrace::{FrameInfo, FrameSymbol, WasmBacktrace};
pub use engine::{Engine, EngineWeak, Precompiled};
pub use epoch::UpdateDeadline;
pub use error::{Error, OutOfMemory, Result, ToWasmtimeResult, bail, ensure, format_err};
pub use externals::{Export, Extern};
pub use func::{Caller, Func, IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy, WasmTyList};
pub use gc_refs::{AnyRef, ContRef, ExnRef, ExternRef, NoExtern, NoFunc};
pub use global::Global;
pub use instance::Instance;
pub use limits::{
    DEFAULT_INSTANCE_LIMIT, DEFAULT_MEMORY_LIMIT, DEFAULT_TABLE_LIMIT, LimitError, Limits,
    PoolConcurrencyLimitError, ResourceLimiter, StoreLimits, StoreLimitsBuilder,
};
pub use linker::{InstancePre, Linker};
pub use memory::{Memory, MemoryAccessError};
pub use module::{Cancel, HandedOver, Module, ModuleExport, ModuleFunction, TierSummary};
pub use reclaim::{Reclaimed, Release, Scope};
pub use rooted::{GcRef, OwnedRooted, RootScope, Rooted, RootedGcRef};
pub use snapshot::Snapshot;
pub use store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
pub use table::Table;
pub use tenure_engine::{
    BaselineMachine, Config, ConfigError, Enabled, Inlining, InstanceAllocationStrategy, OnProgress,
    OnStackReplacement, OperatorCost, OptLevel, PoolingAllocationConfig, PoolingAllocatorMetrics, Progress,
    RegallocAlgorithm, Strategy, TierUp, VariableOperatorCost, WasmBacktraceDetails, WasmFeatures,
};
pub use tenure_types::Trap;
pub use types::{
    ExportType, ExternType, Finality, FuncType, GlobalType, HeapType, ImportType, MemoryType,
    MemoryTypeBuilder, Mutability, RefType, TableType, TagType, ValType,
};
pub use unknown_import::UnknownImportError;
pub use usage::MemoryUsage;
pub use v128::V128;
pub use val::{Ref, Val};
pub use val_raw::ValRaw;
