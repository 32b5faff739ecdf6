//! The type of a value.

use super::RefType;
use crate::{Engine, Result};
use std::fmt;
use tenure_types as core;

/// The type of a value.
///
/// ```
/// use tenure::{HeapType, RefType, ValType};
///
/// assert!(ValType::I32.is_num());
/// let never_null = ValType::Ref(RefType::new(false, HeapType::Func));
/// assert!(never_null.matches(&ValType::FUNCREF));
/// assert!(!ValType::FUNCREF.matches(&never_null));
/// assert_eq!(never_null.to_string(), "(ref func)");
/// ```
#[derive(Clone, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

impl ValType {
    /// Whether this is `i32`, `i64`, `f32` or `f64`.
    pub fn is_num(&self) -> bool {
        matches!(self, Self::I32 | Self::I64 | Self::F32 | Self::F64)
    }

    /// Whether this is `i32`.
    pub fn is_i32(&self) -> bool {
        matches!(self, Self::I32)
    }

    /// Whether this is `i64`.
    pub fn is_i64(&self) -> bool {
        matches!(self, Self::I64)
    }

    /// Whether this is `f32`.
    pub fn is_f32(&self) -> bool {
        matches!(self, Self::F32)
    }

    /// Whether this is `f64`.
    pub fn is_f64(&self) -> bool {
        matches!(self, Self::F64)
    }

    /// Whether this is `v128`.
    pub fn is_v128(&self) -> bool {
        matches!(self, Self::V128)
    }

    /// Whether this is a reference type.
    pub fn is_ref(&self) -> bool {
        matches!(self, Self::Ref(_))
    }

    /// Whether this is exactly `funcref`.
    pub fn is_funcref(&self) -> bool {
        self.is(&RefType::FUNCREF)
    }

    /// Whether this is exactly `externref`.
    pub fn is_externref(&self) -> bool {
        self.is(&RefType::EXTERNREF)
    }

    /// Whether this is exactly `anyref`.
    pub fn is_anyref(&self) -> bool {
        self.is(&RefType::ANYREF)
    }

    /// Whether this is exactly `contref`.
    pub fn is_contref(&self) -> bool {
        self.is(&RefType::CONTREF)
    }

    fn is(&self, ty: &RefType) -> bool {
        self.as_ref().is_some_and(|own| RefType::eq(own, ty))
    }

    /// The type of the reference, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        match self {
            Self::Ref(ty) => Some(ty),
            _ => None,
        }
    }

    /// The type of the reference.
    ///
    /// # Panics
    /// When this is no reference type.
    pub fn unwrap_ref(&self) -> &RefType {
        self.as_ref().unwrap_or_else(|| panic!("`{self}` is no reference type"))
    }

    /// Whether every value of this type is one of `other`.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ref(a), Self::Ref(b)) => a.matches(b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Whether `a` and `b` are the same type.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    #[expect(clippy::should_implement_trait, reason = "`==` could not refuse another engine's")]
    pub fn eq(a: &Self, b: &Self) -> bool {
        match (a, b) {
            (Self::Ref(a), Self::Ref(b)) => RefType::eq(a, b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// The core form, for use with `engine`; see [`HeapType::to_core`](super::HeapType::to_core).
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<core::ValType> {
        Ok(match self {
            Self::I32 => core::ValType::I32,
            Self::I64 => core::ValType::I64,
            Self::F32 => core::ValType::F32,
            Self::F64 => core::ValType::F64,
            Self::V128 => core::ValType::V128,
            Self::Ref(ty) => core::ValType::Ref(ty.to_core(engine)?),
        })
    }

    /// The type of the core form `ty`, which belongs to `engine`.
    pub(crate) fn from_core(engine: &Engine, ty: core::ValType) -> Self {
        match ty {
            core::ValType::I32 => Self::I32,
            core::ValType::I64 => Self::I64,
            core::ValType::F32 => Self::F32,
            core::ValType::F64 => Self::F64,
            core::ValType::V128 => Self::V128,
            core::ValType::Ref(ty) => Self::Ref(RefType::from_core(engine, ty)),
        }
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> Self {
        Self::Ref(ty)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::Ref(ty) => return fmt::Display::fmt(ty, f),
        })
    }
}

impl fmt::Debug for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
