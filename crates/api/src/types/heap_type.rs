//! What a reference refers to.

use super::FuncType;
use crate::{ArrayType, ContType, Engine, ExnType, Result, StructType, bail};
use std::fmt;
use tenure_types as core;

/// What a reference refers to.
///
/// There are hierarchies without anything in common; in each, a type is a subtype of those above it, and the
/// bottom type has no values but null:
///
/// ```text
/// func              extern       any                exn       cont
///  │                  │           │                  │         │
/// (concrete func)     │          eq ─┬─ i31          │         │
///  │                  │              ├─ struct       │         │
///  │                  │              └─ array        │         │
/// nofunc           noextern      none              noexn     nocont
/// ```
///
/// Functions of this engine can only have `func` and `extern` types yet; the others can be named and matched.
#[derive(Clone, Hash, Debug)]
pub enum HeapType {
    /// Any host reference.
    Extern,
    /// Bottom of the host references.
    NoExtern,
    /// Any function.
    Func,
    /// A function of one type.
    ConcreteFunc(FuncType),
    /// Bottom of the functions.
    NoFunc,
    /// Any reference to a guest's own data.
    Any,
    /// A reference that can be compared.
    Eq,
    /// A 31-bit integer in a reference.
    I31,
    /// Any array.
    Array,
    /// An array of one type; none exists yet.
    ConcreteArray(ArrayType),
    /// Any struct.
    Struct,
    /// A struct of one type; none exists yet.
    ConcreteStruct(StructType),
    /// Bottom of the guest's own data.
    None,
    /// Any exception.
    Exn,
    /// An exception of one type; none exists yet.
    ConcreteExn(ExnType),
    /// Bottom of the exceptions.
    NoExn,
    /// Any continuation.
    Cont,
    /// A continuation of one type; none exists yet.
    ConcreteCont(ContType),
    /// Bottom of the continuations.
    NoCont,
}

impl HeapType {
    /// Whether this is [`HeapType::Extern`].
    pub fn is_extern(&self) -> bool {
        matches!(self, Self::Extern)
    }

    /// Whether this is [`HeapType::Func`].
    pub fn is_func(&self) -> bool {
        matches!(self, Self::Func)
    }

    /// Whether this is [`HeapType::NoFunc`].
    pub fn is_no_func(&self) -> bool {
        matches!(self, Self::NoFunc)
    }

    /// Whether this is [`HeapType::Any`].
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether this is [`HeapType::I31`].
    pub fn is_i31(&self) -> bool {
        matches!(self, Self::I31)
    }

    /// Whether this is [`HeapType::None`].
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether this is [`HeapType::Exn`].
    pub fn is_exn(&self) -> bool {
        matches!(self, Self::Exn)
    }

    /// Whether this is [`HeapType::NoExn`].
    pub fn is_no_exn(&self) -> bool {
        matches!(self, Self::NoExn)
    }

    /// Whether this is [`HeapType::Cont`].
    pub fn is_cont(&self) -> bool {
        matches!(self, Self::Cont)
    }

    /// Whether this names no defined type.
    pub fn is_abstract(&self) -> bool {
        !self.is_concrete()
    }

    /// Whether this names a defined type.
    pub fn is_concrete(&self) -> bool {
        self.is_concrete_func()
    }

    /// Whether this is [`HeapType::ConcreteFunc`].
    pub fn is_concrete_func(&self) -> bool {
        matches!(self, Self::ConcreteFunc(_))
    }

    /// The function type of a [`HeapType::ConcreteFunc`].
    pub fn as_concrete_func(&self) -> Option<&FuncType> {
        match self {
            Self::ConcreteFunc(ty) => Some(ty),
            _ => None,
        }
    }

    /// The function type of a [`HeapType::ConcreteFunc`].
    ///
    /// # Panics
    /// When this is another heap type.
    pub fn unwrap_concrete_func(&self) -> &FuncType {
        self.as_concrete_func().unwrap_or_else(|| panic!("`{self}` is no concrete function type"))
    }

    /// The top of this type's hierarchy.
    #[must_use]
    pub fn top(&self) -> Self {
        match self {
            Self::Func | Self::ConcreteFunc(_) | Self::NoFunc => Self::Func,
            Self::Extern | Self::NoExtern => Self::Extern,
            Self::Any | Self::Eq | Self::I31 | Self::Array | Self::Struct | Self::None => Self::Any,
            Self::Exn | Self::NoExn => Self::Exn,
            Self::Cont | Self::NoCont => Self::Cont,
            Self::ConcreteArray(ArrayType(none))
            | Self::ConcreteStruct(StructType(none))
            | Self::ConcreteExn(ExnType(none))
            | Self::ConcreteCont(ContType(none)) => match *none {},
        }
    }

    /// Whether this is the top of its hierarchy.
    pub fn is_top(&self) -> bool {
        matches!(self, Self::Func | Self::Extern | Self::Any | Self::Exn | Self::Cont)
    }

    /// The bottom of this type's hierarchy.
    #[must_use]
    pub fn bottom(&self) -> Self {
        match self.top() {
            Self::Func => Self::NoFunc,
            Self::Extern => Self::NoExtern,
            Self::Exn => Self::NoExn,
            Self::Cont => Self::NoCont,
            _ => Self::None,
        }
    }

    /// Whether this is the bottom of its hierarchy.
    pub fn is_bottom(&self) -> bool {
        matches!(self, Self::NoFunc | Self::NoExtern | Self::None | Self::NoExn | Self::NoCont)
    }

    /// Whether every value of this type is one of `other`: whether it is `other` or a subtype of it.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ConcreteFunc(a), Self::ConcreteFunc(b)) => a.matches(b),
            (Self::I31 | Self::Array | Self::Struct, Self::Eq) => true,
            (Self::None, Self::Eq | Self::I31 | Self::Array | Self::Struct) => true,
            (Self::NoFunc, Self::ConcreteFunc(_)) => true,
            // What is left is a type against itself, or against the top of its hierarchy.
            (a, b) => Self::eq(a, b) || b.is_top() && Self::eq(&a.top(), b),
        }
    }

    /// Whether `a` and `b` are the same type.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    #[expect(clippy::should_implement_trait, reason = "`==` could not refuse another engine's")]
    pub fn eq(a: &Self, b: &Self) -> bool {
        match (a, b) {
            (Self::ConcreteFunc(a), Self::ConcreteFunc(b)) => FuncType::eq(a, b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// The core form, for use with `engine`.
    ///
    /// # Errors
    /// When it names a type of another engine, or a proposal is needed that is not there yet.
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<core::HeapType> {
        Ok(match self {
            Self::Func => core::HeapType::Func,
            Self::NoFunc => core::HeapType::NoFunc,
            Self::Extern => core::HeapType::Extern,
            Self::NoExtern => core::HeapType::NoExtern,
            Self::ConcreteFunc(ty) => core::HeapType::Concrete(ty.to_core(engine)?),
            Self::Any | Self::Eq | Self::I31 | Self::Array | Self::Struct | Self::None => {
                bail!("references to `{self}` need the gc proposal, which is not supported yet")
            }
            Self::Exn | Self::NoExn => {
                bail!(
                    "references to `{self}` need the exception-handling proposal, which is not supported yet"
                )
            }
            Self::Cont | Self::NoCont => {
                bail!("references to `{self}` need the stack-switching proposal, which is not supported yet")
            }
            Self::ConcreteArray(ArrayType(none))
            | Self::ConcreteStruct(StructType(none))
            | Self::ConcreteExn(ExnType(none))
            | Self::ConcreteCont(ContType(none)) => match *none {},
        })
    }

    /// The type of the core form `ty`, which belongs to `engine`.
    pub(crate) fn from_core(engine: &Engine, ty: core::HeapType) -> Self {
        match ty {
            core::HeapType::Func => Self::Func,
            core::HeapType::NoFunc => Self::NoFunc,
            core::HeapType::Extern => Self::Extern,
            core::HeapType::NoExtern => Self::NoExtern,
            core::HeapType::Concrete(id) => Self::ConcreteFunc(FuncType::from_core(engine, id)),
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Extern => "extern",
            Self::NoExtern => "noextern",
            Self::Func => "func",
            Self::ConcreteFunc(ty) => return write!(f, "{}", ty.core_heap_type()),
            Self::NoFunc => "nofunc",
            Self::Any => "any",
            Self::Eq => "eq",
            Self::I31 => "i31",
            Self::Array => "array",
            Self::Struct => "struct",
            Self::None => "none",
            Self::Exn => "exn",
            Self::NoExn => "noexn",
            Self::Cont => "cont",
            Self::NoCont => "nocont",
            Self::ConcreteArray(ArrayType(none))
            | Self::ConcreteStruct(StructType(none))
            | Self::ConcreteExn(ExnType(none))
            | Self::ConcreteCont(ContType(none)) => match *none {},
        })
    }
}

impl From<FuncType> for HeapType {
    fn from(ty: FuncType) -> Self {
        Self::ConcreteFunc(ty)
    }
}
