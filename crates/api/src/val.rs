//! Values of any type, and references of any type.

use crate::rooted::GcRefImpl;
use crate::{
    AnyRef, AsContext, AsContextMut, ContRef, Error, ExnRef, ExternRef, Func, FuncType, HeapType, RefType,
    Result, Rooted, V128, ValRaw, ValType, format_err,
};
use tenure_abi::ValRaw as CoreRaw;
use tenure_runtime::{HandleError, LoadError, Store};
use tenure_types as core;

/// A value, with its type.
///
/// ```
/// use tenure::{Store, Val, ValType};
///
/// let store = Store::<()>::default();
/// let value = Val::from(1.5_f64);
/// assert_eq!(value.f64(), Some(1.5));
/// assert!(value.matches_ty(&store, &ValType::F64)?);
/// assert_eq!(Val::default_for_ty(&ValType::I64).unwrap().unwrap_i64(), 0);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float, by its bits: conversions may change those of a NaN.
    F32(u32),
    /// A 64-bit float, by its bits.
    F64(u64),
    /// A 128-bit vector.
    V128(V128),
    /// A function, or null.
    FuncRef(Option<Func>),
    /// A host reference, or null.
    ExternRef(Option<Rooted<ExternRef>>),
    /// Guests' own data, or null.
    AnyRef(Option<Rooted<AnyRef>>),
    /// An exception, or null.
    ExnRef(Option<Rooted<ExnRef>>),
    /// A continuation, or null.
    ContRef(Option<ContRef>),
}

/// A reference, with its type.
///
/// ```
/// use tenure::{Func, Ref, Store};
///
/// let mut store = Store::<()>::default();
/// let func = Ref::from(Func::wrap(&mut store, || 1_i32));
/// assert!(func.is_func() && !func.is_null());
/// assert_eq!(func.ty(&store)?.to_string(), func.as_func().unwrap().map(|func| {
///     tenure::RefType::new(false, func.ty(&store).into()).to_string()
/// }).unwrap());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Ref {
    /// A function, or null.
    Func(Option<Func>),
    /// A host reference, or null.
    Extern(Option<Rooted<ExternRef>>),
    /// Guests' own data, or null.
    Any(Option<Rooted<AnyRef>>),
    /// An exception, or null.
    Exn(Option<Rooted<ExnRef>>),
}

/// Making values.
impl Val {
    /// Null of `heap_type`'s hierarchy.
    pub fn null_ref(heap_type: &HeapType) -> Self {
        match heap_type.top() {
            HeapType::Func => Self::FuncRef(None),
            HeapType::Extern => Self::ExternRef(None),
            HeapType::Exn => Self::ExnRef(None),
            HeapType::Cont => Self::ContRef(None),
            _ => Self::AnyRef(None),
        }
    }

    /// The null function.
    pub const fn null_func_ref() -> Self {
        Self::FuncRef(None)
    }

    /// The null host reference.
    pub const fn null_extern_ref() -> Self {
        Self::ExternRef(None)
    }

    /// The null of guests' own data.
    pub const fn null_any_ref() -> Self {
        Self::AnyRef(None)
    }

    /// Zero or null; `None` for references that cannot be null.
    pub fn default_for_ty(ty: &ValType) -> Option<Self> {
        Some(match ty {
            ValType::I32 => Self::I32(0),
            ValType::I64 => Self::I64(0),
            ValType::F32 => Self::F32(0),
            ValType::F64 => Self::F64(0),
            ValType::V128 => Self::V128(V128::from(0)),
            ValType::Ref(ty) if ty.is_nullable() => Self::null_ref(ty.heap_type()),
            ValType::Ref(_) => return None,
        })
    }

    /// The value of type `ty` that `raw` is.
    ///
    /// # Panics
    /// When `ty` belongs to another engine, or the engine has no room for what calls of a function need.
    ///
    /// # Safety
    /// `raw` was made as a value of type `ty`, by this store, in whatever way.
    pub unsafe fn from_raw(mut store: impl AsContextMut, raw: ValRaw, ty: ValType) -> Self {
        let store = store.as_context_mut().0;
        let ValType::Ref(reference) = &ty else {
            let ty = ty.to_core(&store.engine).expect("numbers and vectors are of every engine");
            // SAFETY: it is no reference.
            return expect_loaded(unsafe { Self::lift(&mut store.runtime, ty, raw.into()) });
        };
        match reference.heap_type().to_core(&store.engine) {
            Ok(heap) => {
                let ty = core::ValType::Ref(core::RefType { nullable: true, heap });
                // SAFETY: the caller vouches for `raw`.
                expect_loaded(unsafe { Self::lift(&mut store.runtime, ty, raw.into()) })
            }
            Err(error) if reference.heap_type().is_concrete() => panic!("{error}"),
            // Of what is not there yet there are only nulls.
            Err(_) => Self::null_ref(reference.heap_type()),
        }
    }
}

/// Types and raw values.
impl Val {
    /// The most precise type.
    ///
    /// # Errors
    /// When it is a reference of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        let store = store.as_context().0;
        let (engine, store) = (&store.engine, &store.runtime);
        let never_null = |heap_type| ValType::Ref(RefType::new(false, heap_type));
        Ok(match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::FuncRef(None) => ValType::NULLFUNCREF,
            Self::FuncRef(Some(func)) => {
                let ty = FuncType::from_core(engine, store.func(func.0)?.type_id());
                never_null(HeapType::ConcreteFunc(ty))
            }
            Self::ExternRef(None) => ValType::NULLEXTERNREF,
            Self::ExternRef(Some(value)) => {
                store.number_of(value.root())?;
                never_null(HeapType::Extern)
            }
            Self::AnyRef(None) => ValType::NULLREF,
            Self::AnyRef(Some(_)) => never_null(HeapType::Any),
            Self::ExnRef(None) => ValType::NULLEXNREF,
            Self::ExnRef(Some(_)) => never_null(HeapType::Exn),
            Self::ContRef(None) => ValType::NULLCONTREF,
            Self::ContRef(Some(_)) => never_null(HeapType::Cont),
        })
    }

    /// Whether this is a value of type `ty`.
    ///
    /// # Errors
    /// When it is a reference of another store.
    ///
    /// # Panics
    /// When `ty` belongs to another engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ValType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// The value without its type.
    ///
    /// # Errors
    /// When it is a reference of another store.
    pub fn to_raw(&self, store: impl AsContextMut) -> Result<ValRaw> {
        Ok(self.to_core(&store.as_context().0.runtime)?.into())
    }

    /// The value as guests of `store` know it.
    #[inline]
    pub(crate) fn to_core(self, store: &Store) -> Result<CoreRaw, HandleError> {
        Ok(match self {
            Self::I32(value) => CoreRaw::i32(value),
            Self::I64(value) => CoreRaw::i64(value),
            Self::F32(bits) => CoreRaw::f32(bits),
            Self::F64(bits) => CoreRaw::f64(bits),
            Self::V128(value) => CoreRaw::v128(value.as_u128()),
            Self::FuncRef(Some(func)) => {
                CoreRaw::funcref(store.func(func.0)?.funcref().as_ptr().expose_provenance())
            }
            Self::ExternRef(Some(value)) => CoreRaw::externref(store.number_of(value.root())?),
            Self::FuncRef(None)
            | Self::ExternRef(None)
            | Self::AnyRef(_)
            | Self::ExnRef(_)
            | Self::ContRef(_) => CoreRaw::default(),
        })
    }

    /// The value as guests of `store` know it, when it is one of `ty`.
    ///
    /// # Errors
    /// When it is of another type, or a reference of another store.
    #[inline]
    pub(crate) fn lower(&self, store: &Store, ty: core::ValType) -> Result<CoreRaw> {
        if !self.matches_core(store, ty)? {
            return Err(self.mismatch(store, ty));
        }
        Ok(self.to_core(store)?)
    }

    /// Zero or null, for room that is written later: references that cannot be null are null too.
    #[inline]
    pub(crate) fn zero(ty: core::ValType) -> Self {
        match ty {
            core::ValType::I32 => Self::I32(0),
            core::ValType::I64 => Self::I64(0),
            core::ValType::F32 => Self::F32(0),
            core::ValType::F64 => Self::F64(0),
            core::ValType::V128 => Self::V128(V128::from(0)),
            core::ValType::Ref(ty) if ty.heap.is_func() => Self::FuncRef(None),
            core::ValType::Ref(_) => Self::ExternRef(None),
        }
    }

    #[inline]
    fn matches_core(&self, store: &Store, ty: core::ValType) -> Result<bool, HandleError> {
        Ok(match (self, ty) {
            (Self::I32(_), core::ValType::I32)
            | (Self::I64(_), core::ValType::I64)
            | (Self::F32(_), core::ValType::F32)
            | (Self::F64(_), core::ValType::F64)
            | (Self::V128(_), core::ValType::V128) => true,
            (Self::FuncRef(None), core::ValType::Ref(ty)) => ty.nullable && ty.heap.is_func(),
            (Self::FuncRef(Some(func)), core::ValType::Ref(ty)) => {
                let id = store.func(func.0)?.type_id();
                core::HeapType::Concrete(id).matches(ty.heap)
            }
            (Self::ExternRef(None), core::ValType::Ref(ty)) => ty.nullable && !ty.heap.is_func(),
            (Self::ExternRef(Some(value)), core::ValType::Ref(ty)) => {
                store.number_of(value.root())?;
                ty.heap == core::HeapType::Extern
            }
            _ => false,
        })
    }

    #[cold]
    fn mismatch(&self, store: &Store, expected: core::ValType) -> Error {
        let found = match self {
            Self::I32(_) => "i32",
            Self::I64(_) => "i64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::V128(_) => "v128",
            Self::FuncRef(None) => "nullfuncref",
            Self::FuncRef(Some(func)) => match store.func(func.0) {
                Ok(func) => return mismatch(store, expected, &format!("(ref {})", func.ty())),
                Err(error) => return error.into(),
            },
            Self::ExternRef(None) => "nullexternref",
            Self::ExternRef(Some(_)) => "(ref extern)",
            Self::AnyRef(_) => "anyref",
            Self::ExnRef(_) => "exnref",
            Self::ContRef(_) => "contref",
        };
        mismatch(store, expected, found)
    }

    /// The value of type `ty` that guests of `store` know as `raw`.
    ///
    /// # Errors
    /// [`LoadError`] when the stubs of a function's signature cannot be made.
    ///
    /// # Safety
    /// `raw` came from `store` as a value of type `ty`.
    #[inline]
    pub(crate) unsafe fn lift(store: &mut Store, ty: core::ValType, raw: CoreRaw) -> Result<Self, LoadError> {
        // SAFETY: passed on from the caller.
        unsafe { Self::lift_from(store, ty, &raw) }
    }

    /// As [`Val::lift`], from where guests have written it: reads no more bytes than the type has, since a
    /// wider read would have to wait for theirs.
    ///
    /// # Errors
    /// As [`Val::lift`].
    ///
    /// # Safety
    /// As [`Val::lift`].
    #[inline]
    pub(crate) unsafe fn lift_from(
        store: &mut Store,
        ty: core::ValType,
        raw: &CoreRaw,
    ) -> Result<Self, LoadError> {
        Ok(match ty {
            core::ValType::I32 => Self::I32(raw.get_i32()),
            core::ValType::I64 => Self::I64(raw.get_i64()),
            core::ValType::F32 => Self::F32(raw.get_f32()),
            core::ValType::F64 => Self::F64(raw.get_f64()),
            core::ValType::V128 => Self::V128(raw.get_v128().into()),
            core::ValType::Ref(ty) if ty.heap.is_func() => {
                // SAFETY: the caller vouches for a function reference of this store: null, or a live record.
                let func = unsafe { store.func_of_raw(raw.get_funcref())? };
                Self::FuncRef(func.map(Func))
            }
            core::ValType::Ref(_) => Self::ExternRef(Rooted::of_number(store, raw.get_externref())),
        })
    }
}

/// Taking values apart: `$get` gives an option, `$unwrap` panics.
macro_rules! parts {
    ($of:ident: $($kind:ident($value:ident) $get:ident $unwrap:ident -> $ty:ty: $part:expr;)*) => {
        impl $of {$(
            #[doc = concat!("The content of [`", stringify!($of), "::", stringify!($kind), "`], if it is one.")]
            #[inline]
            pub fn $get(&self) -> Option<$ty> {
                match self {
                    Self::$kind($value) => Some($part),
                    _ => None,
                }
            }

            #[doc = concat!("The content of [`", stringify!($of), "::", stringify!($kind), "`].\n\n# Panics\nWhen it is something else.")]
            #[inline]
            #[track_caller]
            pub fn $unwrap(&self) -> $ty {
                match self.$get() {
                    Some(part) => part,
                    None => panic!(concat!("expected ", stringify!($kind), ", found {:?}"), self),
                }
            }
        )*}
    };
}

parts! { Val:
    I32(value) i32 unwrap_i32 -> i32: *value;
    I64(value) i64 unwrap_i64 -> i64: *value;
    F32(bits) f32 unwrap_f32 -> f32: f32::from_bits(*bits);
    F64(bits) f64 unwrap_f64 -> f64: f64::from_bits(*bits);
    V128(value) v128 unwrap_v128 -> V128: *value;
    FuncRef(func) func_ref unwrap_func_ref -> Option<&Func>: func.as_ref();
    FuncRef(func) funcref unwrap_funcref -> Option<&Func>: func.as_ref();
    ExternRef(value) extern_ref unwrap_extern_ref -> Option<&Rooted<ExternRef>>: value.as_ref();
    ExternRef(value) externref unwrap_externref -> Option<&Rooted<ExternRef>>: value.as_ref();
    AnyRef(value) any_ref unwrap_any_ref -> Option<&Rooted<AnyRef>>: value.as_ref();
    AnyRef(value) anyref unwrap_anyref -> Option<&Rooted<AnyRef>>: value.as_ref();
    ExnRef(value) exnref unwrap_exnref -> Option<&Rooted<ExnRef>>: value.as_ref();
}

parts! { Ref:
    Func(func) as_func unwrap_func -> Option<&Func>: func.as_ref();
    Extern(value) as_extern unwrap_extern -> Option<&Rooted<ExternRef>>: value.as_ref();
    Any(value) as_any unwrap_any -> Option<&Rooted<AnyRef>>: value.as_ref();
    Exn(value) as_exn unwrap_exn -> Option<&Rooted<ExnRef>>: value.as_ref();
}

impl Val {
    /// The reference, if it is one.
    pub fn ref_(self) -> Option<Ref> {
        match self {
            Self::FuncRef(func) => Some(Ref::Func(func)),
            Self::ExternRef(value) => Some(Ref::Extern(value)),
            Self::AnyRef(value) => Some(Ref::Any(value)),
            Self::ExnRef(value) => Some(Ref::Exn(value)),
            _ => None,
        }
    }
}

impl Ref {
    /// Null of `heap_type`'s hierarchy.
    ///
    /// # Panics
    /// For continuations, which are no [`Ref`].
    pub fn null(heap_type: &HeapType) -> Self {
        match Val::null_ref(heap_type).ref_() {
            Some(null) => null,
            None => panic!("there is no `Ref` of type `{heap_type}`"),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Func(None) | Self::Extern(None) | Self::Any(None) | Self::Exn(None))
    }

    /// Whether it is not null.
    pub fn is_non_null(&self) -> bool {
        !self.is_null()
    }

    /// Whether it is a function, or the null of functions.
    pub fn is_func(&self) -> bool {
        matches!(self, Self::Func(_))
    }

    /// Whether it is a host reference, or the null of those.
    pub fn is_extern(&self) -> bool {
        matches!(self, Self::Extern(_))
    }

    /// Whether it is guests' own data, or the null of those.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any(_))
    }

    /// Whether it is an exception, or the null of those.
    pub fn is_exn(&self) -> bool {
        matches!(self, Self::Exn(_))
    }

    /// The most precise type.
    ///
    /// # Errors
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<RefType> {
        Ok(Val::from(self.clone()).ty(store)?.unwrap_ref().clone())
    }

    /// Whether this is a value of type `ty`.
    ///
    /// # Errors
    /// When it is of another store.
    ///
    /// # Panics
    /// When `ty` belongs to another engine.
    pub fn matches_ty(&self, store: impl AsContext, ty: &RefType) -> Result<bool> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// As [`Val::lower`], for an element of a table.
    pub(crate) fn lower(&self, store: &Store, ty: core::RefType) -> Result<u64> {
        let raw = Val::from(self.clone()).lower(store, core::ValType::Ref(ty))?;
        Ok(if ty.heap.is_func() { raw.get_u64() } else { raw.get_externref().into() })
    }

    /// As [`Val::lift`], for an element of a table.
    ///
    /// # Errors
    /// [`LoadError`] when the stubs of a function's signature cannot be made.
    ///
    /// # Safety
    /// `raw` is an element of a table of `store` whose elements have type `ty`.
    pub(crate) unsafe fn lift(store: &mut Store, ty: core::RefType, raw: u64) -> Result<Self, LoadError> {
        // SAFETY: an element is the raw value of a reference, in its lower bytes.
        let value = unsafe { Val::lift(store, core::ValType::Ref(ty), CoreRaw::u64(raw))? };
        Ok(value.ref_().expect("a value of a reference type is a reference"))
    }
}

#[cold]
fn mismatch(store: &Store, expected: core::ValType, found: &str) -> Error {
    let concrete = match expected {
        core::ValType::Ref(core::RefType { nullable, heap: core::HeapType::Concrete(id) }) => {
            let null = if nullable { "null " } else { "" };
            store.types().get(id).map(|ty| format!("(ref {null}{ty})"))
        }
        _ => None,
    };
    let expected = concrete.unwrap_or_else(|| expected.to_string());
    format_err!("type mismatch: expected {expected}, found {found}")
}

/// What `loaded` has.
///
/// # Panics
/// When the engine had no room for a function's stubs, or the system none for a memory's pages.
pub(crate) fn expect_loaded<T>(loaded: Result<T, LoadError>) -> T {
    loaded.unwrap_or_else(|error| panic!("the host cannot use it: {error}"))
}

macro_rules! conversions {
    ($($from:ty => $to:ident: $value:ident $made:expr;)*) => {$(
        impl From<$from> for $to {
            #[inline]
            fn from($value: $from) -> Self {
                $made
            }
        }
    )*};
}

conversions! {
    i32 => Val: value Self::I32(value);
    i64 => Val: value Self::I64(value);
    f32 => Val: value Self::F32(value.to_bits());
    f64 => Val: value Self::F64(value.to_bits());
    u128 => Val: value Self::V128(value.into());
    V128 => Val: value Self::V128(value);
    Func => Val: func Self::FuncRef(Some(func));
    Option<Func> => Val: func Self::FuncRef(func);
    Rooted<ExternRef> => Val: value Self::ExternRef(Some(value));
    Option<Rooted<ExternRef>> => Val: value Self::ExternRef(value);
    Rooted<AnyRef> => Val: value Self::AnyRef(Some(value));
    Option<Rooted<AnyRef>> => Val: value Self::AnyRef(value);
    Rooted<ExnRef> => Val: value Self::ExnRef(Some(value));
    Option<Rooted<ExnRef>> => Val: value Self::ExnRef(value);
    Func => Ref: func Self::Func(Some(func));
    Option<Func> => Ref: func Self::Func(func);
    Rooted<ExternRef> => Ref: value Self::Extern(Some(value));
    Option<Rooted<ExternRef>> => Ref: value Self::Extern(value);
    Rooted<AnyRef> => Ref: value Self::Any(Some(value));
    Option<Rooted<AnyRef>> => Ref: value Self::Any(value);
    Rooted<ExnRef> => Ref: value Self::Exn(Some(value));
    Option<Rooted<ExnRef>> => Ref: value Self::Exn(value);
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Self {
        match reference {
            Ref::Func(func) => Self::FuncRef(func),
            Ref::Extern(value) => Self::ExternRef(value),
            Ref::Any(value) => Self::AnyRef(value),
            Ref::Exn(value) => Self::ExnRef(value),
        }
    }
}
