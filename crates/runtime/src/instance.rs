//! Instances (specification, "Module Instances").

use crate::addr::{FuncAddr, GlobalAddr, MemAddr, TableAddr};
use crate::few::Few;
use crate::loaded::LoadedModule;
use crate::pooling::Place;
use crate::reclaim::{Holder, Work};
use crate::vm_ctx::VmCtx;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use tenure_abi::vm::VmFuncRef;
use tenure_types::FuncIdx;

/// An instance of a module.
pub struct ModuleInst {
    pub(crate) module: Arc<LoadedModule>,
    pub(crate) ctx: VmCtx,
    /// By function index, imports only.
    pub(crate) imported_funcs: Few<FuncAddr>,
    /// By memory index, imports included.
    pub(crate) mems: Few<MemAddr>,
    /// By table index, imports included.
    pub(crate) tables: Few<TableAddr>,
    /// By global index, imports included.
    pub(crate) globals: Few<GlobalAddr>,
    /// Element segments that were dropped.
    pub(crate) dropped_elems: Few<bool>,
    /// Data segments that were dropped.
    pub(crate) dropped_datas: Few<bool>,
    /// Its place among those that the engine's pool allows.
    pub(crate) _place: Place,
    /// What the embedding API keeps with the instance; the runtime never looks into it.
    pub(crate) note: Option<Arc<dyn Any + Send + Sync>>,
}

impl ModuleInst {
    /// Its module.
    pub fn module(&self) -> &Arc<LoadedModule> {
        &self.module
    }

    /// What the embedding API keeps with the instance.
    pub fn note(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.note.as_deref()
    }

    /// Keeps `note` with the instance, in place of what was kept before.
    pub fn set_note(&mut self, note: Arc<dyn Any + Send + Sync>) {
        self.note = Some(note);
    }

    /// The funcref of function `func`; `None` for a function that the module never lets escape.
    pub(crate) fn funcref(&self, func: FuncIdx) -> Option<NonNull<VmFuncRef>> {
        let (module, layout) = (self.module.module(), self.module.layout());
        if module.is_imported_func(func) {
            return Some(self.ctx.imported_funcref(layout, func));
        }
        module.funcs[func.at()].escape.map(|escape| self.ctx.own_funcref(layout, escape))
    }
}

impl Holder for ModuleInst {
    fn trace(&self, work: &mut Work) {
        let Self {
            module,
            ctx,
            imported_funcs,
            mems,
            tables,
            globals,
            // What is left of the segments refers to functions of the instance alone.
            dropped_elems: _,
            dropped_datas: _,
            _place: _,
            note: _,
        } = self;
        // Its functions' records lie there, and what it imports, which stands in the lists too.
        work.own = ctx.addresses();
        let parsed = module.module();
        let imported = parsed.imported_mems + parsed.imported_tables + parsed.imported_globals;
        work.defined += mems.len() + tables.len() + globals.len() - imported as usize;
        work.funcs.extend(imported_funcs);
        work.mems.extend(mems);
        work.tables.extend(tables);
        work.globals.extend(globals);
    }
}

impl std::fmt::Debug for ModuleInst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModuleInst").field("module", &self.module).finish_non_exhaustive()
    }
}
