//! Rust types that are WebAssembly types.

use crate::{Func, Result, V128, ValType};
use std::mem::MaybeUninit;
use tenure_abi::ValRaw;
use tenure_runtime as runtime;
use tenure_types::{HeapType, RefType, ValType as CoreType};

/// A Rust type whose values are WebAssembly values.
///
/// # Safety
/// `lower` gives a value of type `TYPE`, with references of the store it is given.
pub unsafe trait WasmTy: Send + Sync + Sized + 'static {
    /// The WebAssembly type.
    #[doc(hidden)]
    const TYPE: CoreType;

    /// The value for a guest of `store`.
    #[doc(hidden)]
    fn lower(self, store: &mut runtime::Store) -> Result<ValRaw>;

    /// The value that a guest of `store` gave, which has type `TYPE`.
    #[doc(hidden)]
    fn lift(store: &mut runtime::Store, raw: ValRaw) -> Result<Self>;
}

macro_rules! numbers {
    ($($ty:ty: $core:ident, |$value:ident| $lower:expr, |$raw:ident| $lift:expr;)*) => {$(
        // SAFETY: the value is written by the constructor of the type's raw form.
        unsafe impl WasmTy for $ty {
            const TYPE: CoreType = CoreType::$core;

            #[inline]
            fn lower(self, _: &mut runtime::Store) -> Result<ValRaw> {
                let $value = self;
                Ok($lower)
            }

            #[inline]
            fn lift(_: &mut runtime::Store, $raw: ValRaw) -> Result<Self> {
                Ok($lift)
            }
        }
    )*};
}

numbers! {
    i32: I32, |value| ValRaw::i32(value), |raw| raw.get_i32();
    u32: I32, |value| ValRaw::u32(value), |raw| raw.get_u32();
    i64: I64, |value| ValRaw::i64(value), |raw| raw.get_i64();
    u64: I64, |value| ValRaw::u64(value), |raw| raw.get_u64();
    f32: F32, |value| ValRaw::f32(value.to_bits()), |raw| f32::from_bits(raw.get_f32());
    f64: F64, |value| ValRaw::f64(value.to_bits()), |raw| f64::from_bits(raw.get_f64());
    V128: V128, |value| ValRaw::v128(value.as_u128()), |raw| V128::from(raw.get_v128());
}

// SAFETY: the funcref is that of a function which `Store::func` has found in this store.
unsafe impl WasmTy for Option<Func> {
    const TYPE: CoreType = CoreType::FUNCREF;

    fn lower(self, store: &mut runtime::Store) -> Result<ValRaw> {
        let Some(func) = self else { return Ok(ValRaw::default()) };
        let funcref = store.func(func.0)?.funcref();
        Ok(ValRaw::funcref(funcref.as_ptr().expose_provenance()))
    }

    fn lift(store: &mut runtime::Store, raw: ValRaw) -> Result<Self> {
        // SAFETY: by the trait's contract a guest of this store gave it as a funcref.
        Ok(unsafe { store.func_of_raw(raw.get_funcref())? }.map(Func))
    }
}

// SAFETY: as for `Option<Func>`, and never null.
unsafe impl WasmTy for Func {
    const TYPE: CoreType = CoreType::Ref(RefType { nullable: false, heap: HeapType::Func });

    fn lower(self, store: &mut runtime::Store) -> Result<ValRaw> {
        Some(self).lower(store)
    }

    fn lift(store: &mut runtime::Store, raw: ValRaw) -> Result<Self> {
        let func = Option::<Func>::lift(store, raw)?;
        func.ok_or_else(|| crate::format_err!("a null function reference where none can be"))
    }
}

/// Several [`WasmTy`], in order: one, or a tuple.
///
/// # Safety
/// `lower` writes `TYPES.len()` values of those types from the start on, with references of the store it is
/// given.
pub unsafe trait WasmTyList: Sized + 'static {
    /// The WebAssembly types.
    #[doc(hidden)]
    const TYPES: &'static [CoreType];

    /// Writes the values for a guest of `store`.
    #[doc(hidden)]
    fn lower(self, store: &mut runtime::Store, to: &mut [MaybeUninit<ValRaw>]) -> Result<()>;

    /// Reads the values that a guest of `store` gave.
    ///
    /// # Safety
    /// `from` starts with values of `TYPES`, from a guest of `store`.
    #[doc(hidden)]
    unsafe fn lift(store: &mut runtime::Store, from: &[MaybeUninit<ValRaw>]) -> Result<Self>;

    /// The types, as embedders see them.
    fn valtypes() -> impl Iterator<Item = ValType> {
        Self::TYPES.iter().map(|&ty| valtype(ty))
    }
}

/// A type that no engine defines, as embedders see it.
fn valtype(ty: CoreType) -> ValType {
    match ty {
        CoreType::I32 => ValType::I32,
        CoreType::I64 => ValType::I64,
        CoreType::F32 => ValType::F32,
        CoreType::F64 => ValType::F64,
        CoreType::V128 => ValType::V128,
        CoreType::Ref(ty) => {
            let heap = match ty.heap {
                HeapType::Func => crate::HeapType::Func,
                HeapType::NoFunc => crate::HeapType::NoFunc,
                HeapType::Extern => crate::HeapType::Extern,
                HeapType::NoExtern => crate::HeapType::NoExtern,
                HeapType::Concrete(id) => unreachable!("no Rust type stands for the defined type {id:?}"),
            };
            ValType::Ref(crate::RefType::new(ty.nullable, heap))
        }
    }
}

/// What a [`TypedFunc`](crate::TypedFunc) can take: one [`WasmTy`], or a tuple of up to 17.
///
/// # Safety
/// As [`WasmTyList`].
pub unsafe trait WasmParams: Send + Sync + 'static {
    /// The parameters as a list.
    #[doc(hidden)]
    type List: WasmTyList;

    /// The parameters as a list.
    #[doc(hidden)]
    fn into_list(self) -> Self::List;
}

/// What a [`TypedFunc`](crate::TypedFunc) can return: one [`WasmTy`], or a tuple of up to 17.
///
/// # Safety
/// As [`WasmTyList`].
pub unsafe trait WasmResults: WasmParams {
    /// The results from a list.
    #[doc(hidden)]
    fn from_list(list: Self::List) -> Self;
}

/// What a host function can return: nothing, one [`WasmTy`], a tuple of up to 17, or a [`Result`] of these.
///
/// # Safety
/// As [`WasmTyList`].
pub unsafe trait WasmRet: 'static {
    /// The results as a list.
    #[doc(hidden)]
    type List: WasmTyList;

    /// The results as a list, or the error that ends the guest.
    #[doc(hidden)]
    fn into_list(self) -> Result<Self::List>;
}

// SAFETY: one value, the list of it.
unsafe impl<A: WasmTy> WasmParams for A {
    type List = (A,);

    #[inline]
    fn into_list(self) -> (A,) {
        (self,)
    }
}

// SAFETY: as above.
unsafe impl<A: WasmTy> WasmResults for A {
    #[inline]
    fn from_list((one,): (A,)) -> Self {
        one
    }
}

// SAFETY: as above.
unsafe impl<A: WasmTy> WasmRet for A {
    type List = (A,);

    #[inline]
    fn into_list(self) -> Result<(A,)> {
        Ok((self,))
    }
}

// SAFETY: the list is that of the value.
unsafe impl<R: WasmRet> WasmRet for Result<R> {
    type List = R::List;

    #[inline]
    fn into_list(self) -> Result<R::List> {
        self?.into_list()
    }
}

/// Lists are tuples; each is its own list of parameters, results and returns.
macro_rules! lists {
    ($(($($name:ident),*);)*) => {$(
        // SAFETY: each value goes to the cell of its place, by its own `lower`.
        #[allow(unused_variables, unused_mut, non_snake_case, clippy::unused_unit, reason = "the empty tuple uses none of it")]
        unsafe impl<$($name: WasmTy),*> WasmTyList for ($($name,)*) {
            const TYPES: &'static [CoreType] = &[$($name::TYPE),*];

            #[inline]
            fn lower(self, store: &mut runtime::Store, to: &mut [MaybeUninit<ValRaw>]) -> Result<()> {
                let ($($name,)*) = self;
                let mut cells = to.iter_mut();
                $(cells.next().expect("room for every value").write($name.lower(store)?);)*
                Ok(())
            }

            #[inline]
            unsafe fn lift(store: &mut runtime::Store, from: &[MaybeUninit<ValRaw>]) -> Result<Self> {
                let mut cells = from.iter();
                $(
                    let cell = cells.next().expect("a cell for every value");
                    // SAFETY: by the caller's promise the cell holds a value.
                    let $name = $name::lift(store, unsafe { cell.assume_init() })?;
                )*
                Ok(($($name,)*))
            }
        }

        // SAFETY: a list is its own.
        unsafe impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
            type List = Self;

            #[inline]
            fn into_list(self) -> Self {
                self
            }
        }

        // SAFETY: a list is its own.
        unsafe impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            #[inline]
            fn from_list(list: Self) -> Self {
                list
            }
        }

        // SAFETY: a list is its own.
        unsafe impl<$($name: WasmTy),*> WasmRet for ($($name,)*) {
            type List = Self;

            #[inline]
            fn into_list(self) -> Result<Self> {
                Ok(self)
            }
        }
    )*};
}

super::for_each_list!(lists);
