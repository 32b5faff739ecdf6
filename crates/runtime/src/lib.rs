//! The store and everything it owns: instances, functions, memories, tables, globals, calls and traps.
//!
//! ```text
//! CodeSpace ── holds the code of ──▶ LoadedModule ── is instantiated in a ──▶ Store ── runs ──▶ call
//! (one an engine)                   (shared)                                 (owns all)
//! ```
//! Knows no compiler and no configuration: it is given linked code and numbers.
//!
//! The modules below stand in reading order, lowest first. Start at [`Store`]; how a call goes in and out
//! is in [`call`].

#![deny(unsafe_code)]

mod addr;
mod arena;
#[expect(unsafe_code, reason = "keeps the contexts of stores that other threads stop")]
mod epochs;
mod limits;
mod pooling;
#[expect(unsafe_code, reason = "follows the funcrefs that guests hold")]
mod reclaim;
mod scope;
mod usage;
mod fuel;
#[expect(unsafe_code, reason = "lends the store on to whoever has the limiter")]
mod room;
#[expect(unsafe_code, reason = "walks guest frames")]
mod backtrace;
#[expect(unsafe_code, reason = "called by compiled code with raw contexts")]
mod builtins;
#[expect(unsafe_code, reason = "enters compiled code")]
pub mod call;
mod image;
#[expect(unsafe_code, reason = "clears what a guest may have written")]
mod memory_pool;
#[expect(unsafe_code, reason = "writes and frees executable memory")]
mod code_space;
mod const_eval;
mod externs;
mod few;
mod roots;
#[expect(unsafe_code, reason = "decides about faults in guest code")]
mod fault;
#[expect(unsafe_code, reason = "host functions are called through a raw context")]
mod func;
#[expect(unsafe_code, reason = "reads and writes the values that guests see")]
mod global;
mod imports;
mod instance;
#[expect(unsafe_code, reason = "follows the funcrefs that guests hold")]
mod instantiate;
mod reset;
mod snapshot;
mod tiers;
#[expect(unsafe_code, reason = "fills code slots in the engine's data memory")]
mod loaded;
#[expect(unsafe_code, reason = "reads and writes the bytes that guests see")]
mod memory;
mod ranges;
#[expect(unsafe_code, reason = "records that compiled code reads live at raw addresses")]
mod record;
#[expect(unsafe_code, reason = "shares room that is empty between threads")]
mod spare;
#[expect(unsafe_code, reason = "owns the store's raw context")]
mod store;
#[expect(unsafe_code, reason = "reads and writes the elements that guests see")]
mod table;
#[expect(unsafe_code, reason = "shares what instances start from")]
mod template;
#[expect(unsafe_code, reason = "the one place that turns a context offset into a record")]
mod vm_ctx;

pub use addr::{Addr, FuncAddr, GlobalAddr, Handle, HandleError, InstAddr, MemAddr, StoreId, TableAddr};
pub use backtrace::{Backtrace, Frame};
pub use call::{Abandon, EntryStub, TrapInfo, unwind};
pub use code_space::{CodeSpace, LoadError, SigStubs, SpaceConfig};
pub use epochs::Epochs;
pub use func::{FuncInst, HostFunc};
pub use global::GlobalInst;
pub use imports::{Extern, ImportError, check_import, match_import};
pub use instance::ModuleInst;
pub use instantiate::InstantiateError;
pub use limits::{GrowError, LimitError, Limiter, LimiterError, Limits, NoLimiter};
pub use loaded::{CodeAt, LoadedModule};
pub use memory::MemInst;
pub use memory_pool::{MemoryPoolConfig, MemoryPoolUse};
pub use pooling::{Pooling, PoolingLimits};
pub use reclaim::{Owned, Reclaimed, ReleaseError};
pub use reset::ResetError;
pub use room::LimiterSource;
pub use roots::Root;
pub use scope::Claimed;
pub use snapshot::{ReadSnapshotError, Snapshot, SnapshotError};
pub use spare::SpareLists;
pub use store::{EpochHandler, Store, StoreConfig};
pub use table::TableInst;
pub use tiers::{NoCode, TierSummary, Tiers};
pub use usage::MemoryUsage;
