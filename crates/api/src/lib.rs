//! An embeddable WebAssembly runtime that gives memory back.

#![deny(unsafe_code)]

mod engine;
pub mod error;
mod types;
mod unknown_import;
mod v128;
mod val_raw;
#[expect(unsafe_code, reason = "loading machine code from bytes is a promise of the caller's")]
mod module;
mod backtrace;

pub use backtrace::{FrameInfo, FrameSymbol, WasmBacktrace};
pub use engine::{Engine, EngineWeak, Precompiled};
pub use error::{Error, OutOfMemory, Result, ToWasmtimeResult, bail, ensure, format_err};
pub use module::{Module, ModuleExport, ModuleFunction};
pub use tenure_engine::{
    Config, ConfigError, OnProgress, OptLevel, Progress, RegallocAlgorithm, Strategy, WasmBacktraceDetails,
    WasmFeatures,
};
pub use tenure_types::Trap;
pub use types::{
    ExportType, ExternType, Finality, FuncType, GlobalType, HeapType, ImportType, MemoryType,
    MemoryTypeBuilder, Mutability, RefType, TableType, TagType, ValType,
};
pub use unknown_import::UnknownImportError;
pub use v128::V128;
pub use val_raw::ValRaw;
