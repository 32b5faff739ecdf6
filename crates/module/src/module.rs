//! What is known of a module once its sections were read.

use crate::quick::Facts;
use crate::summary::Summaries;
use crate::{ConstExpr, Names};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tenure_types::{
    ExternIdx, FuncIdx, FuncType, GlobalIdx, GlobalType, MemIdx, MemType, RefType, TableIdx, TableType,
    TypeId, TypeIdx, TypesInUse,
};

/// A module: everything but code. Immutable.
///
/// Index spaces list imports first. Types are canonical in the engine whose registry [`parse`](crate::parse) was given.
pub struct Module {
    /// The module's bytes, for segments, names and debug sections.
    pub bytes: Arc<[u8]>,
    /// Canonical ids of the type section's types.
    pub types: Vec<TypeId>,
    /// The function types behind `types`.
    pub func_types: Vec<Arc<FuncType>>,
    /// Imports, in order.
    pub imports: Vec<Import>,
    /// Exports, in order.
    pub exports: Vec<Export>,
    /// Exports by name: a place in `exports`.
    pub export_names: HashMap<Arc<str>, usize>,
    /// Functions.
    pub funcs: Vec<FuncDecl>,
    /// Tables.
    pub tables: Vec<TableDecl>,
    /// Memories.
    pub mems: Vec<MemType>,
    /// Globals.
    pub globals: Vec<GlobalDecl>,
    /// Element segments.
    pub elems: Vec<ElemSegment>,
    /// Data segments.
    pub datas: Vec<DataSegment>,
    /// The start function.
    pub start: Option<FuncIdx>,
    /// Functions that are imported.
    pub imported_funcs: u32,
    /// Tables that are imported.
    pub imported_tables: u32,
    /// Memories that are imported.
    pub imported_mems: u32,
    /// Globals that are imported.
    pub imported_globals: u32,
    /// Defined functions that may become a funcref, by their number among those.
    pub escaping: Vec<FuncIdx>,
    /// Where each defined function's body lies in `bytes`, by place among the defined functions.
    pub bodies: Vec<Range<usize>>,
    /// Start of the code section's contents in `bytes`: DWARF counts from here.
    pub code_start: usize,
    /// Name section.
    pub names: Names,
    /// Custom sections whose name starts with `.debug_`: name and place in `bytes`.
    pub debug_sections: Vec<(String, Range<usize>)>,
    /// Has the types go with the module. Stands after them.
    pub(crate) _types_in_use: TypesInUse,
    /// The summaries of bodies that were checked and are compiled later; else none.
    pub summaries: Summaries,
    /// What checking bodies quickly takes; `None` where it is not done.
    pub(crate) facts: Option<Facts>,
}

/// An import.
#[derive(Clone, Debug)]
pub struct Import {
    /// Module name.
    pub module: Arc<str>,
    /// Item name.
    pub name: Arc<str>,
    /// What is asked for.
    pub ty: ImportType,
}

/// What an import asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImportType {
    /// A function of this type.
    Func(TypeId),
    /// A table.
    Table(TableType),
    /// A memory.
    Mem(MemType),
    /// A global.
    Global(GlobalType),
}

/// An export.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name.
    pub name: Arc<str>,
    /// What it names.
    pub item: ExternIdx,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuncDecl {
    /// Its type, by place in the type section.
    pub ty: TypeIdx,
    /// Its type's canonical id.
    pub id: TypeId,
    /// For a defined function that may become a funcref (exported, in a segment, `ref.func`, start): its number
    /// among those.
    pub escape: Option<u32>,
}

/// A table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableDecl {
    /// Its type.
    pub ty: TableType,
    /// What each element starts as, when not null.
    pub init: Option<ConstExpr>,
}

/// A global.
#[derive(Clone, PartialEq, Debug)]
pub struct GlobalDecl {
    /// Its type.
    pub ty: GlobalType,
    /// Its value at the start; `None` for an import.
    pub init: Option<ConstExpr>,
}

/// An element segment.
#[derive(Clone, Debug)]
pub struct ElemSegment {
    /// Type of the elements.
    pub ty: RefType,
    /// When it is applied.
    pub mode: ElemMode,
    /// The elements.
    pub items: ElemItems,
}

/// When an element segment is applied.
#[derive(Clone, PartialEq, Debug)]
pub enum ElemMode {
    /// At instantiation.
    Active {
        /// Into which table.
        table: TableIdx,
        /// From which element on.
        offset: ConstExpr,
    },
    /// By `table.init`.
    Passive,
    /// Never: it only declares which functions may become funcrefs.
    Declared,
}

/// The elements of a segment.
#[derive(Clone, Debug)]
pub enum ElemItems {
    /// Functions.
    Funcs(Box<[FuncIdx]>),
    /// Any reference.
    Exprs(Box<[ConstExpr]>),
}

impl ElemItems {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Funcs(items) => items.len(),
            Self::Exprs(items) => items.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data segment.
#[derive(Clone, PartialEq, Debug)]
pub struct DataSegment {
    /// When it is applied.
    pub mode: DataMode,
    /// Where its bytes lie in [`Module::bytes`].
    pub range: Range<usize>,
}

/// When a data segment is applied.
#[derive(Clone, PartialEq, Debug)]
pub enum DataMode {
    /// At instantiation.
    Active {
        /// Into which memory.
        mem: MemIdx,
        /// From which byte on.
        offset: ConstExpr,
    },
    /// By `memory.init`.
    Passive,
}

impl Module {
    /// Whether `func` is imported.
    pub fn is_imported_func(&self, func: FuncIdx) -> bool {
        func.0 < self.imported_funcs
    }

    /// The type of function `func`.
    ///
    /// # Panics
    /// When the module has no such function.
    pub fn func_type(&self, func: FuncIdx) -> &Arc<FuncType> {
        &self.func_types[self.funcs[func.at()].ty.at()]
    }

    /// How many functions the module defines.
    pub fn defined_funcs(&self) -> usize {
        self.funcs.len() - self.imported_funcs as usize
    }

    /// The function whose body is number `at` of the code section.
    ///
    /// # Panics
    /// When the module defines no such function.
    pub fn defined_func(&self, at: usize) -> FuncIdx {
        assert!(at < self.defined_funcs(), "no body number {at}");
        FuncIdx(self.imported_funcs + at as u32)
    }

    /// The place of `func` among the defined functions; `None` when it is imported.
    pub fn body_index(&self, func: FuncIdx) -> Option<usize> {
        func.0.checked_sub(self.imported_funcs).map(|at| at as usize)
    }

    /// Type of table `table`.
    pub fn table_type(&self, table: TableIdx) -> &TableType {
        &self.tables[table.at()].ty
    }

    /// Type of memory `mem`.
    pub fn mem_type(&self, mem: MemIdx) -> &MemType {
        &self.mems[mem.at()]
    }

    /// Type of global `global`.
    pub fn global_type(&self, global: GlobalIdx) -> &GlobalType {
        &self.globals[global.at()].ty
    }

    /// The bytes of data segment `data`.
    pub fn data(&self, data: &DataSegment) -> &[u8] {
        &self.bytes[data.range.clone()]
    }
}
