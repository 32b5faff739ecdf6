//! The class of values of a type that stands in a body, or the proposal that it takes.

use tenure_abi::ValClass;
use wasmparser::{AbstractHeapType, HeapType, ValType};

/// The class of values of `ty`.
///
/// # Errors
/// The name of the proposal, when it is one that is not there.
pub fn class_of(ty: ValType) -> Result<ValClass, &'static str> {
    Ok(match ty {
        ValType::I32 => ValClass::I32,
        ValType::I64 => ValClass::I64,
        ValType::F32 => ValClass::F32,
        ValType::F64 => ValClass::F64,
        ValType::V128 => ValClass::V128,
        ValType::Ref(ty) => class_of_refs(ty.heap_type())?,
    })
}

/// The class of references to `ty`.
///
/// # Errors
/// As [`class_of`].
pub fn class_of_refs(ty: HeapType) -> Result<ValClass, &'static str> {
    match ty {
        HeapType::Abstract { shared: false, ty } => match ty {
            AbstractHeapType::Func | AbstractHeapType::NoFunc => Ok(ValClass::I64),
            AbstractHeapType::Extern | AbstractHeapType::NoExtern => Ok(ValClass::I32),
            AbstractHeapType::Exn | AbstractHeapType::NoExn => Err("exception-handling"),
            _ => Err("gc"),
        },
        HeapType::Abstract { .. } => Err("shared-everything-threads"),
        // Every type of a module is a function's.
        HeapType::Concrete(_) => Ok(ValClass::I64),
        HeapType::Exact(_) => Err("custom-descriptors"),
    }
}
