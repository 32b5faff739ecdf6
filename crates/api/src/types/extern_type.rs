//! Types of what modules import and export, memories' and functions' excepted.

use super::{FuncType, MemoryType, RefType, ValType};
use crate::{Engine, Result};
use tenure_module::{ImportType as CoreImport, Module as CoreModule};
use tenure_types as core;
use tenure_types::ExternIdx;

/// Whether a global can be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mutability {
    /// It always holds what it started with.
    Const,
    /// It can be written.
    Var,
}

impl Mutability {
    /// Whether this is [`Mutability::Const`].
    pub fn is_const(&self) -> bool {
        *self == Self::Const
    }

    /// Whether this is [`Mutability::Var`].
    pub fn is_var(&self) -> bool {
        *self == Self::Var
    }
}

/// The type of a global.
#[derive(Clone, Hash, Debug)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

impl GlobalType {
    /// A global that holds a `content`.
    pub fn new(content: ValType, mutability: Mutability) -> Self {
        Self { content, mutability }
    }

    /// What it holds.
    pub fn content(&self) -> &ValType {
        &self.content
    }

    /// Whether it can be written.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// The core form, for use with `engine`; see [`HeapType::to_core`](super::HeapType::to_core).
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<core::GlobalType> {
        Ok(core::GlobalType { content: self.content.to_core(engine)?, mutable: self.mutability.is_var() })
    }

    /// The type of the core form `ty`, which belongs to `engine`.
    pub(crate) fn from_core(engine: &Engine, ty: core::GlobalType) -> Self {
        let mutability = if ty.mutable { Mutability::Var } else { Mutability::Const };
        Self { content: ValType::from_core(engine, ty.content), mutability }
    }
}

/// The type of a table. Sizes are in elements.
#[derive(Clone, Hash, Debug)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
    is_64: bool,
}

impl TableType {
    /// A table with 32-bit indices, of `min` and at most `max` elements.
    pub fn new(element: RefType, min: u32, max: Option<u32>) -> Self {
        Self { element, minimum: min.into(), maximum: max.map(Into::into), is_64: false }
    }

    /// A table with 64-bit indices, of `min` and at most `max` elements.
    pub fn new64(element: RefType, min: u64, max: Option<u64>) -> Self {
        Self { element, minimum: min, maximum: max, is_64: true }
    }

    /// Whether indices are 64 bits wide.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    /// What an element is.
    pub fn element(&self) -> &RefType {
        &self.element
    }

    /// Elements at the start.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Most elements that it may grow to.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// The core form, for use with `engine`; see [`HeapType::to_core`](super::HeapType::to_core).
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<core::TableType> {
        let element = self.element.to_core(engine)?;
        Ok(core::TableType { element, min: self.minimum, max: self.maximum, is_64: self.is_64 })
    }

    /// The type of the core form `ty`, which belongs to `engine`.
    pub(crate) fn from_core(engine: &Engine, ty: core::TableType) -> Self {
        let element = RefType::from_core(engine, ty.element);
        Self { element, minimum: ty.min, maximum: ty.max, is_64: ty.is_64 }
    }
}

/// The type of a tag: what an exception with this tag carries, as the parameters of a function type.
#[derive(Clone, Hash, Debug)]
pub struct TagType {
    ty: FuncType,
}

impl TagType {
    /// A tag whose exceptions carry the parameters of `ty`.
    pub fn new(ty: FuncType) -> Self {
        Self { ty }
    }

    /// What its exceptions carry.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }
}

/// The type of something that a module imports or exports.
#[derive(Clone, Debug)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A linear memory.
    Memory(MemoryType),
    /// A tag.
    Tag(TagType),
}

macro_rules! kinds {
    ($($kind:ident $ty:ident $get:ident $unwrap:ident $what:literal;)*) => {
        impl ExternType {
            $(
                #[doc = concat!("The type of the ", $what, ", if it is one.")]
                pub fn $get(&self) -> Option<&$ty> {
                    match self {
                        Self::$kind(ty) => Some(ty),
                        _ => None,
                    }
                }

                #[doc = concat!("The type of the ", $what, ".\n\n# Panics\nWhen it is something else.")]
                pub fn $unwrap(&self) -> &$ty {
                    self.$get().unwrap_or_else(|| panic!("expected a {}, found a {}", $what, self.kind()))
                }
            )*

            /// What it is, in one word.
            pub(crate) fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => $what,)* }
            }
        }

        $(impl From<$ty> for ExternType {
            fn from(ty: $ty) -> Self {
                Self::$kind(ty)
            }
        })*
    };
}

kinds! {
    Func FuncType func unwrap_func "function";
    Global GlobalType global unwrap_global "global";
    Table TableType table unwrap_table "table";
    Memory MemoryType memory unwrap_memory "memory";
    Tag TagType tag unwrap_tag "tag";
}

impl ExternType {
    /// What an import of a module of `engine` asks for.
    pub(crate) fn of_import(engine: &Engine, ty: CoreImport) -> Self {
        match ty {
            CoreImport::Func(id) => Self::Func(FuncType::from_core(engine, id)),
            CoreImport::Table(ty) => Self::Table(TableType::from_core(engine, ty)),
            CoreImport::Mem(ty) => Self::Memory(MemoryType::from_core(ty)),
            CoreImport::Global(ty) => Self::Global(GlobalType::from_core(engine, ty)),
        }
    }

    /// The type of `item` of `module`, which belongs to `engine`.
    pub(crate) fn of_item(engine: &Engine, module: &CoreModule, item: ExternIdx) -> Self {
        match item {
            ExternIdx::Func(func) => Self::Func(FuncType::from_core(engine, module.funcs[func.at()].id)),
            ExternIdx::Table(table) => Self::Table(TableType::from_core(engine, *module.table_type(table))),
            ExternIdx::Mem(mem) => Self::Memory(MemoryType::from_core(*module.mem_type(mem))),
            ExternIdx::Global(global) => {
                Self::Global(GlobalType::from_core(engine, *module.global_type(global)))
            }
        }
    }
}
