//! The type of a reference.

use super::HeapType;
use crate::{Engine, Result};
use std::fmt;
use tenure_types as core;

/// The type of a reference: what it refers to, and whether it may be null.
#[derive(Clone, Hash)]
pub struct RefType {
    is_nullable: bool,
    heap_type: HeapType,
}

/// The nullable types that have short names, one row each.
macro_rules! named_refs {
    ($($(#[$doc:meta])* $name:ident = $heap:ident, $text:literal;)*) => {
        impl RefType {
            $($(#[$doc])* pub const $name: Self = Self { is_nullable: true, heap_type: HeapType::$heap };)*

            /// The short name, if there is one.
            fn short_name(&self) -> Option<&'static str> {
                match (self.is_nullable, &self.heap_type) {
                    $((true, HeapType::$heap) => Some($text),)*
                    _ => None,
                }
            }
        }

        impl super::ValType {
            $($(#[$doc])* pub const $name: Self = Self::Ref(RefType::$name);)*
        }
    };
}

named_refs! {
    /// `externref`: any host reference, or null.
    EXTERNREF = Extern, "externref";
    /// `nullexternref`: a host reference that is null.
    NULLEXTERNREF = NoExtern, "nullexternref";
    /// `funcref`: any function, or null.
    FUNCREF = Func, "funcref";
    /// `nullfuncref`: a function reference that is null.
    NULLFUNCREF = NoFunc, "nullfuncref";
    /// `anyref`: anything of the guest's own data, or null.
    ANYREF = Any, "anyref";
    /// `eqref`: anything that can be compared, or null.
    EQREF = Eq, "eqref";
    /// `i31ref`: a 31-bit integer, or null.
    I31REF = I31, "i31ref";
    /// `arrayref`: any array, or null.
    ARRAYREF = Array, "arrayref";
    /// `structref`: any struct, or null.
    STRUCTREF = Struct, "structref";
    /// `nullref`: a reference to the guest's own data that is null.
    NULLREF = None, "nullref";
    /// `exnref`: any exception, or null.
    EXNREF = Exn, "exnref";
    /// `nullexnref`: an exception reference that is null.
    NULLEXNREF = NoExn, "nullexnref";
    /// `contref`: any continuation, or null.
    CONTREF = Cont, "contref";
    /// `nullcontref`: a continuation reference that is null.
    NULLCONTREF = NoCont, "nullcontref";
}

impl RefType {
    /// A reference to `heap_type`, which may be null when `is_nullable`.
    pub fn new(is_nullable: bool, heap_type: HeapType) -> Self {
        Self { is_nullable, heap_type }
    }

    /// Whether null is a value of this type.
    pub fn is_nullable(&self) -> bool {
        self.is_nullable
    }

    /// What is referred to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// Whether every value of this type is one of `other`.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    pub fn matches(&self, other: &Self) -> bool {
        (other.is_nullable || !self.is_nullable) && self.heap_type.matches(&other.heap_type)
    }

    /// Whether `a` and `b` are the same type.
    ///
    /// # Panics
    /// When both name defined types, of different engines.
    #[expect(clippy::should_implement_trait, reason = "`==` could not refuse another engine's")]
    pub fn eq(a: &Self, b: &Self) -> bool {
        a.is_nullable == b.is_nullable && HeapType::eq(&a.heap_type, &b.heap_type)
    }

    /// The core form, for use with `engine`; see [`HeapType::to_core`].
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<core::RefType> {
        Ok(core::RefType { nullable: self.is_nullable, heap: self.heap_type.to_core(engine)? })
    }

    /// The type of the core form `ty`, which belongs to `engine`.
    pub(crate) fn from_core(engine: &Engine, ty: core::RefType) -> Self {
        Self::new(ty.nullable, HeapType::from_core(engine, ty.heap))
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.short_name() {
            Some(name) => f.write_str(name),
            None if self.is_nullable => write!(f, "(ref null {})", self.heap_type),
            None => write!(f, "(ref {})", self.heap_type),
        }
    }
}

impl fmt::Debug for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
