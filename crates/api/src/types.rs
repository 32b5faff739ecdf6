//! Types as embedders see them: bound to an engine where they name a defined type, and read back from
//! modules.
//!
//! ```text
//! heap_type ─ ref_type ─ val_type ─ func_type ─ extern_type ─ import_export
//! ```
//! Each type has a *core* form in `tenure_types` that the runtime works with, in which defined types are
//! canonical ids of one engine: `to_core` checks the engine, `from_core` names it.

mod extern_type;
mod func_type;
mod heap_type;
mod import_export;
mod memory_type;
mod ref_type;
mod val_type;

pub use extern_type::{ExternType, GlobalType, Mutability, TableType, TagType};
pub use func_type::{Finality, FuncType};
pub use heap_type::HeapType;
pub use import_export::{ExportType, ImportType};
pub use memory_type::{MemoryType, MemoryTypeBuilder};
pub use ref_type::RefType;
pub use val_type::ValType;

#[cfg(test)]
mod tests;
