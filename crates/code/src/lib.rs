//! Compiled code as data: what a compiler makes, how functions become one image, what is known of
//! each instruction. Nothing here can run.
//!
//! ```text
//! Body ──Compiler──▶ CompiledFunc ──link──▶ CodeImage ──(runtime maps it)──▶ LoadedCode
//! ```
//! Start at [`Compiler`]; the metadata is [`FuncMeta`].

#![forbid(unsafe_code)]

mod classes;
mod compiled;
mod compiler;
mod image;
mod meta;
mod describe;
pub mod wire;
mod serialize;

pub use classes::{class_of, class_of_refs};
pub use compiled::{Cell, CompiledFunc, Reloc};
pub use compiler::{
    CompileError, CompileUnit, Compiler, Inlining, LoopEntry, MemoryPlan, Profile, Tier, Tunables,
};
pub use describe::{FuncCode, Stretch};
pub use image::{CodeImage, FuncRange, ImageTooLarge};
pub use meta::{CallSite, FuncMeta, InlinedCall, InlinedCode, TrapSite, WasmOffset};

use tenure_abi::ctx::{ContextTooLarge, CtxLayout, CtxShape};

/// Where each record of the contexts of `module`'s instances lies.
///
/// # Errors
/// [`ContextTooLarge`] when a context would be larger than 2 GiB.
pub fn layout(module: &tenure_module::Module) -> Result<CtxLayout, ContextTooLarge> {
    let own = |all: usize, imported: u32| all as u32 - imported;
    CtxLayout::new(CtxShape {
        imported_mems: module.imported_mems,
        own_mems: own(module.mems.len(), module.imported_mems),
        imported_tables: module.imported_tables,
        own_tables: own(module.tables.len(), module.imported_tables),
        imported_globals: module.imported_globals,
        own_globals: own(module.globals.len(), module.imported_globals),
        imported_funcs: module.imported_funcs,
        escaping_funcs: module.escaping.len() as u32,
    })
}
