//! Whether what is given for an import has the type that is asked for (specification, "Import Matching").

use crate::addr::{Handle, HandleError};
use crate::func::FuncInst;
use crate::global::GlobalInst;
use crate::memory::MemInst;
use crate::store::Store;
use crate::table::TableInst;
use std::fmt;
use tenure_module::ImportType;
use tenure_types::{GlobalType, MemType, TableType};

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
    let (fits, found) = match (wanted, given) {
        (ImportType::Func(wanted), Extern::Func(func)) => {
            let func = store.func(*func)?;
            (*wanted == func.type_id(), format!("function of type {}", func.ty()))
        }
        (ImportType::Table(wanted), Extern::Table(table)) => {
            let table = store.table(*table)?;
            let now = TableType { min: table.size(), ..*table.ty() };
            (table_matches(&now, wanted), describe_table(&now))
        }
        (ImportType::Mem(wanted), Extern::Memory(mem)) => {
            let mem = store.memory(*mem)?;
            let now = MemType { min: mem.size(), ..*mem.ty() };
            (mem_matches(&now, wanted), describe_mem(&now))
        }
        (ImportType::Global(wanted), Extern::Global(global)) => {
            let ty = store.global(*global)?.ty();
            (global_matches(ty, wanted), describe_global(ty))
        }
        (_, given) => (false, given.kind().to_string()),
    };
    if fits { Ok(()) } else { Err(ImportError::Type { expected: describe(store, wanted), found }) }
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

fn describe(store: &Store, wanted: &ImportType) -> String {
    match wanted {
        ImportType::Func(id) => match store.types().get(*id) {
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
