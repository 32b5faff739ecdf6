//! Whether what is given for an import has the type that is asked for (specification, "Import Matching").

use crate::addr::{Handle, HandleError};
use crate::func::FuncInst;
use crate::global::GlobalInst;
use crate::memory::MemInst;
use crate::store::Store;
use crate::table::TableInst;
use std::fmt;
use tenure_module::ImportType;
use tenure_types::{GlobalType, MemType, TableType, TypeRegistry};

/// Something that can be imported or exported.
#[derive(Clone, Copy, Debug)]
pub enum Extern {
    /// A function.
    Func(Handle<FuncInst>),
    /// A table.
    Table(Handle<TableInst>),
    /// A memory.
    Memory(Handle<MemInst>),
    /// A global.
    Global(Handle<GlobalInst>),
}

impl Extern {
    /// What kind of thing it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Func(_) => "function",
            Self::Table(_) => "table",
            Self::Memory(_) => "memory",
            Self::Global(_) => "global",
        }
    }
}

/// What is given for an import does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The handle cannot be used.
    Handle(HandleError),
    /// It is something else, or of another type.
    Type {
        /// What is asked for.
        expected: String,
        /// What was given.
        found: String,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::Type { expected, found } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<HandleError> for ImportError {
    fn from(error: HandleError) -> Self {
        Self::Handle(error)
    }
}

/// Checks `given` against the type `wanted` of an import.
///
/// # Errors
/// [`ImportError`] says what was expected and what was found.
pub fn check_import(store: &Store, wanted: &ImportType, given: &Extern) -> Result<(), ImportError> {
    match_import(store.types(), wanted, &store.type_of(given)?)
}

/// Checks the type `found` of something that is given against the type `wanted` of an import. Both are of the
/// engine whose types `types` are.
///
/// # Errors
/// [`ImportError::Type`] says what was expected and what was found.
pub fn match_import(
    types: &TypeRegistry,
    wanted: &ImportType,
    found: &ImportType,
) -> Result<(), ImportError> {
    let fits = match (wanted, found) {
        (ImportType::Func(wanted), ImportType::Func(found)) => wanted == found,
        (ImportType::Table(wanted), ImportType::Table(found)) => table_matches(found, wanted),
        (ImportType::Mem(wanted), ImportType::Mem(found)) => mem_matches(found, wanted),
        (ImportType::Global(wanted), ImportType::Global(found)) => global_matches(found, wanted),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(ImportError::Type { expected: describe(types, wanted), found: describe(types, found) })
}

impl Store {
    /// The type of `item` as an import would see it: the least size of a table or memory is its size now.
    ///
    /// # Errors
    /// [`HandleError`] when it is not of this store, or was reclaimed.
    pub fn type_of(&self, item: &Extern) -> Result<ImportType, HandleError> {
        Ok(match *item {
            Extern::Func(func) => ImportType::Func(self.func(func)?.type_id()),
            Extern::Table(table) => {
                let table = self.table(table)?;
                ImportType::Table(TableType { min: table.size(), ..*table.ty() })
            }
            Extern::Memory(mem) => {
                let mem = self.memory(mem)?;
                ImportType::Mem(MemType { min: mem.size(), ..*mem.ty() })
            }
            Extern::Global(global) => ImportType::Global(*self.global(global)?.ty()),
        })
    }
}

fn limits_match(min: u64, max: Option<u64>, wanted_min: u64, wanted_max: Option<u64>) -> bool {
    min >= wanted_min && wanted_max.is_none_or(|wanted| max.is_some_and(|max| max <= wanted))
}

fn table_matches(table: &TableType, wanted: &TableType) -> bool {
    table.element == wanted.element
        && table.is_64 == wanted.is_64
        && limits_match(table.min, table.max, wanted.min, wanted.max)
}

fn mem_matches(mem: &MemType, wanted: &MemType) -> bool {
    mem.is_64 == wanted.is_64
        && mem.shared == wanted.shared
        && mem.page_size_log2 == wanted.page_size_log2
        && limits_match(mem.min, mem.max, wanted.min, wanted.max)
}

fn global_matches(global: &GlobalType, wanted: &GlobalType) -> bool {
    global.mutable == wanted.mutable
        && if global.mutable {
            global.content == wanted.content
        } else {
            global.content.matches(wanted.content)
        }
}

fn describe(types: &TypeRegistry, ty: &ImportType) -> String {
    match ty {
        ImportType::Func(id) => match types.get(*id) {
            Some(ty) => format!("function of type {ty}"),
            None => "function of another engine's type".to_string(),
        },
        ImportType::Table(ty) => describe_table(ty),
        ImportType::Mem(ty) => describe_mem(ty),
        ImportType::Global(ty) => describe_global(ty),
    }
}

fn describe_limits(min: u64, max: Option<u64>) -> String {
    match max {
        Some(max) => format!("{min} to {max}"),
        None => format!("at least {min}"),
    }
}

fn describe_table(ty: &TableType) -> String {
    let width = if ty.is_64 { "64-bit " } else { "" };
    format!("{width}table of {} {}", describe_limits(ty.min, ty.max), ty.element)
}

fn describe_mem(ty: &MemType) -> String {
    let width = if ty.is_64 { "64-bit " } else { "" };
    let shared = if ty.shared { "shared " } else { "" };
    format!("{shared}{width}memory of {} pages of {} bytes", describe_limits(ty.min, ty.max), ty.page_size())
}

fn describe_global(ty: &GlobalType) -> String {
    let mutable = if ty.mutable { "mutable" } else { "immutable" };
    format!("{mutable} global of type {}", ty.content)
}
