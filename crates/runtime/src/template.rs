//! What instances of a module start from: made once, copied for each.

use crate::few::Few;
use crate::image::constant;
use crate::limits::GrowError;
use crate::loaded::LoadedModule;
use crate::table::TableInst;
use crate::vm_ctx::{Spares, VmCtx};
use std::ptr::NonNull;
use std::sync::Arc;
use tenure_abi::vm::{VmCtxHeader, VmFuncRef};
use tenure_module::{ConstOp, DataMode, ElemItems, ElemMode, Module};
use tenure_types::{FuncIdx, TableIdx, TableType};

/// A context with funcrefs, the elements of tables, and which segments are used up.
pub(crate) struct Template {
    ctx: VmCtx,
    spares: Option<Arc<Spares>>,
    tables: Option<Box<[Elements]>>,
    /// For each own table that its elements lie in the context, the first of their words.
    rooms: Few<Option<usize>>,
    dropped_elems: Few<bool>,
    dropped_datas: Few<bool>,
}

// SAFETY: the context is the template's own, of no store; nobody writes to it once it is made.
unsafe impl Send for Template {}
// SAFETY: as above: it is only read.
unsafe impl Sync for Template {}

/// An element of a table before there is an instance: 0 for null, the offset of a funcref in the context, or, with
/// [`IMPORTED`] set, the index of an imported function.
type Element = u32;

/// The first elements of a table; those after them are null.
struct Elements {
    list: Box<[Element]>,
    has_imports: bool,
}

/// Contexts are smaller than 2 GiB, and functions fewer.
const IMPORTED: Element = 1 << 31;

impl Template {
    pub fn new(module: &LoadedModule) -> Self {
        let (parsed, layout) = (module.module(), module.layout());
        let header = VmCtxHeader {
            store: std::ptr::null_mut(),
            builtins: std::ptr::null(),
            type_ids: std::ptr::null(),
            instance: 0,
        };
        let (rooms, words) = rooms(parsed);
        let mut ctx = VmCtx::new(layout, header, words);
        for (escape, &func) in parsed.escaping.iter().enumerate() {
            let funcref = VmFuncRef {
                slot: module.slot(func),
                vmctx: std::ptr::null_mut(),
                type_id: parsed.funcs[func.at()].id.0,
                handle: VmFuncRef::NO_HANDLE,
            };
            ctx.set_funcref(layout, escape as u32, funcref);
        }
        // Memories that have their data when they are made, and tables that have their elements, leave nothing
        // to apply.
        let tables = module.images().and_then(|_| tables(module));
        let is_applied = tables.is_some();
        let dropped_elems = parsed.elems.iter().map(|elem| is_applied && elem.mode != ElemMode::Passive);
        let dropped_datas =
            parsed.datas.iter().map(|data| is_applied && matches!(data.mode, DataMode::Active { .. }));
        let spares = Spares::of(&ctx);
        Self {
            ctx,
            spares,
            dropped_elems: dropped_elems.collect(),
            dropped_datas: dropped_datas.collect(),
            tables,
            rooms,
        }
    }

    /// Whether an instance that is made has its active segments applied.
    pub fn is_applied(&self) -> bool {
        self.tables.is_some()
    }

    /// A context for an instance of `module`, whose template this is.
    pub fn new_ctx(&self, module: &LoadedModule, header: VmCtxHeader) -> VmCtx {
        // SAFETY: nobody writes to the template's context, which has this layout; the spares are its own.
        unsafe { self.ctx.copy(module.layout(), header, self.spares.as_ref()) }
    }

    /// Room in `ctx` for the elements of own table number `at`, which is of type `ty`; `None` when they are to be elsewhere.
    pub fn room(
        &self,
        at: usize,
        ty: &TableType,
        module: &LoadedModule,
        ctx: &VmCtx,
    ) -> Option<NonNull<u64>> {
        let parsed = module.module();
        // A snapshot's may have grown.
        let is_first = ty.min == parsed.tables.get(parsed.imported_tables as usize + at)?.ty.min;
        let word = self.rooms.get(at).copied().flatten().filter(|_| is_first)?;
        Some(ctx.word(module.layout(), word))
    }

    /// What own table number `at` of the instance with context `ctx` is to become to start anew, once it is filled with nulls:
    /// its elements may lie where those of the table do now.
    pub fn fresh_table(&self, at: usize, module: &LoadedModule, ctx: &VmCtx) -> Result<TableInst, GrowError> {
        let parsed = module.module();
        let ty = parsed.tables[parsed.imported_tables as usize + at].ty;
        let room = self.room(at, &ty, module, ctx);
        // SAFETY: the room has a word for each element, and is the table's that this is to become.
        unsafe { TableInst::new(ty, (None, room)) }
    }

    /// Writes the first elements of `table`, own table number `at`, in the instance with context `ctx`; none when
    /// segments are to be applied. Imports are filled in.
    pub fn init_table(&self, table: &mut TableInst, at: usize, module: &LoadedModule, ctx: &VmCtx) {
        let Some(elements) = self.tables.as_ref().and_then(|tables| tables.get(at)) else { return };
        let start = ctx.as_ptr().expose_provenance() as u64;
        let own = |offset: Element| if offset == 0 { 0 } else { start + u64::from(offset) };
        if !elements.has_imports {
            return table.init(elements.list.iter().map(|&element| own(element)));
        }
        table.init(elements.list.iter().map(|&element| match element.checked_sub(IMPORTED) {
            None => own(element),
            Some(func) => {
                let funcref = ctx.imported_funcref(module.layout(), FuncIdx(func));
                funcref.as_ptr().expose_provenance() as u64
            }
        }));
    }

    /// Element segments that are dropped when the instance is made.
    pub fn dropped_elems(&self) -> Few<bool> {
        self.dropped_elems.clone()
    }

    /// Data segments that are dropped when the instance is made.
    pub fn dropped_datas(&self) -> Few<bool> {
        self.dropped_datas.clone()
    }
}

/// Tables of so many elements at most have them in the context, so that there is no block for each of them; and so many in all
/// tables of a module.
const MOST_LENT: (u64, usize) = (16, 64);

/// For each own table, where its elements lie in the context, if they do; and how many words they take.
fn rooms(module: &Module) -> (Few<Option<usize>>, usize) {
    let mut words = 0;
    let own = &module.tables[module.imported_tables as usize..];
    let rooms = own.iter().map(|table| {
        let len = table.ty.min.max(1);
        let is_lent = len <= MOST_LENT.0 && words + len as usize <= MOST_LENT.1;
        let first = words;
        words += if is_lent { len as usize } else { 0 };
        is_lent.then_some(first)
    });
    (rooms.collect(), words)
}

/// The first elements of each own table, when all are known; [`LoadedModule::images`] has checked where segments go.
fn tables(module: &LoadedModule) -> Option<Box<[Elements]>> {
    let parsed = module.module();
    let own = parsed.imported_tables as usize..parsed.tables.len();
    if parsed.tables[own.clone()].iter().any(|table| table.init.is_some()) {
        return None;
    }
    let mut tables: Vec<Vec<Element>> = own.map(|_| Vec::new()).collect();
    for elem in &parsed.elems {
        let ElemMode::Active { table, offset } = &elem.mode else { continue };
        let start = constant(offset, parsed.table_type(*table).is_64)?;
        let elements = elements(module, &elem.items)?;
        let table = tables.get_mut(own_table(parsed, *table)?)?;
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(start).ok()? + elements.len());
        if table.len() < end {
            table.resize(end, 0);
        }
        table[start..end].copy_from_slice(&elements);
    }
    let done = tables.into_iter().map(|list| {
        let has_imports = list.iter().any(|&element| element >= IMPORTED);
        Elements { list: list.into(), has_imports }
    });
    Some(done.collect())
}

fn own_table(module: &Module, table: TableIdx) -> Option<usize> {
    Some(table.0.checked_sub(module.imported_tables)? as usize)
}

fn elements(module: &LoadedModule, items: &ElemItems) -> Option<Vec<Element>> {
    match items {
        ElemItems::Funcs(funcs) => Some(funcs.iter().map(|&func| element(module, func)).collect()),
        ElemItems::Exprs(exprs) => {
            let known = exprs.iter().map(|expr| match expr.ops() {
                [ConstOp::RefNull(_)] => Some(0),
                [ConstOp::RefFunc(func)] => Some(element(module, *func)),
                _ => None,
            });
            known.collect()
        }
    }
}

fn element(module: &LoadedModule, func: FuncIdx) -> Element {
    match module.module().funcs[func.at()].escape {
        Some(escape) => module.layout().funcref(escape) as u32,
        None => IMPORTED | func.0,
    }
}
