//! The specification's types: value and reference types, function types and their canonical
//! identity, indices into a module, traps, and the set of proposals a module may use.
//!
//! Lowest floor: knows no bytes, no code, no store. Start at [`ValType`].

#![forbid(unsafe_code)]

mod extern_type;
mod features;
mod func_type;
mod idx;
mod registry;
mod trap;
mod val_type;

pub use extern_type::{GlobalType, MemType, TableType};
pub use features::{FEATURES, Feature, Features};
pub use func_type::FuncType;
pub use idx::{DataIdx, ElemIdx, ExternIdx, FuncIdx, GlobalIdx, MemIdx, TableIdx, TagIdx, TypeIdx};
pub use registry::{MAX_TYPES, RecGroup, Registered, TooManyTypes, TypeRegistry, TypesInUse};
pub use trap::Trap;
pub use val_type::{HeapType, RefType, TypeId, ValType};
