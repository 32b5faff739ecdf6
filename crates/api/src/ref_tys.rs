//! References as Rust types of parameters and results.

use crate::rooted::GcRefImpl;
use crate::{ExternRef, NoExtern, NoFunc, OwnedRooted, Result, Rooted, WasmTy, format_err};
use tenure_abi::ValRaw;
use tenure_runtime::Store;
use tenure_types::{HeapType, RefType, ValType};

const fn reference(nullable: bool, heap: HeapType) -> ValType {
    ValType::Ref(RefType { nullable, heap })
}

#[cold]
fn unexpected_null(heap: HeapType) -> crate::Error {
    format_err!("found null where a value of type {} was expected", reference(false, heap))
}

// SAFETY: a number that `number_of` has found to be of this store, or null.
unsafe impl WasmTy for Option<Rooted<ExternRef>> {
    const TYPE: ValType = reference(true, HeapType::Extern);

    #[inline]
    fn lower(self, store: &mut Store) -> Result<ValRaw> {
        let number = self.map_or(Ok(0), |value| store.number_of(value.root()))?;
        Ok(ValRaw::externref(number))
    }

    #[inline]
    fn lift(store: &mut Store, raw: ValRaw) -> Result<Self> {
        Ok(Rooted::of_number(store, raw.get_externref()))
    }
}

// SAFETY: as for the `Option`, and never null.
unsafe impl WasmTy for Rooted<ExternRef> {
    const TYPE: ValType = reference(false, HeapType::Extern);

    #[inline]
    fn lower(self, store: &mut Store) -> Result<ValRaw> {
        Some(self).lower(store)
    }

    #[inline]
    fn lift(store: &mut Store, raw: ValRaw) -> Result<Self> {
        Option::<Self>::lift(store, raw)?.ok_or_else(|| unexpected_null(HeapType::Extern))
    }
}

// SAFETY: as for the `Option` of `Rooted`.
unsafe impl WasmTy for Option<OwnedRooted<ExternRef>> {
    const TYPE: ValType = reference(true, HeapType::Extern);

    #[inline]
    fn lower(self, store: &mut Store) -> Result<ValRaw> {
        // The guest is entered before anything could be reclaimed, so the number needs no root from here on.
        let number = self.map_or(Ok(0), |value| store.number_of(value.root()))?;
        Ok(ValRaw::externref(number))
    }

    #[inline]
    fn lift(store: &mut Store, raw: ValRaw) -> Result<Self> {
        let height = store.open_roots();
        let rooted = Rooted::of_number(store, raw.get_externref());
        let owned = rooted.map(|rooted| OwnedRooted::of_rooted(store, rooted)).transpose()?;
        store.close_roots(height);
        Ok(owned)
    }
}

// SAFETY: as for `Rooted`.
unsafe impl WasmTy for OwnedRooted<ExternRef> {
    const TYPE: ValType = reference(false, HeapType::Extern);

    #[inline]
    fn lower(self, store: &mut Store) -> Result<ValRaw> {
        Some(self).lower(store)
    }

    #[inline]
    fn lift(store: &mut Store, raw: ValRaw) -> Result<Self> {
        Option::<Self>::lift(store, raw)?.ok_or_else(|| unexpected_null(HeapType::Extern))
    }
}

/// The types that have no values: never there, or null.
macro_rules! bottoms {
    ($($ty:ident)*) => {$(
        // SAFETY: there is no such value.
        unsafe impl WasmTy for $ty {
            const TYPE: ValType = reference(false, HeapType::$ty);

            #[inline]
            fn lower(self, _: &mut Store) -> Result<ValRaw> {
                match self.0 {}
            }

            #[inline]
            fn lift(_: &mut Store, _: ValRaw) -> Result<Self> {
                Err(unexpected_null(HeapType::$ty))
            }
        }

        // SAFETY: always null.
        unsafe impl WasmTy for Option<$ty> {
            const TYPE: ValType = reference(true, HeapType::$ty);

            #[inline]
            fn lower(self, _: &mut Store) -> Result<ValRaw> {
                Ok(ValRaw::default())
            }

            #[inline]
            fn lift(_: &mut Store, _: ValRaw) -> Result<Self> {
                Ok(None)
            }
        }
    )*};
}

bottoms!(NoFunc NoExtern);
