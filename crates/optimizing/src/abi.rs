//! Signatures in Cranelift's words. Which register each value travels in is `tenure_abi::call_conv`'s to
//! say; Cranelift's `Tail` convention agrees with it as long as signatures are made here.

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use tenure_abi::builtins::{Builtin, BuiltinTy, Leaf};
use tenure_abi::call_conv::{ValClass, results_in_memory};
use tenure_types::FuncType;

/// A pointer's type.
pub(crate) const PTR: Type = types::I64;

/// The type in which a vector crosses calls, labels and locals.
pub(crate) const VECTOR: Type = types::I8X16;

/// Cranelift's type for values of `class`.
pub(crate) fn clif_type(class: ValClass) -> Type {
    match class {
        ValClass::I32 => types::I32,
        ValClass::I64 => types::I64,
        ValClass::F32 => types::F32,
        ValClass::F64 => types::F64,
        ValClass::V128 => VECTOR,
    }
}

/// The signature of guest functions of type `ty`: context, results pointer if results go through memory, arguments.
pub(crate) fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(PTR, ArgumentPurpose::VMContext));
    let in_memory = results_in_memory(ty);
    if in_memory {
        signature.params.push(AbiParam::new(PTR));
    }
    let param = |&ty| AbiParam::new(clif_type(ValClass::of(ty)));
    signature.params.extend(ty.params().iter().map(param));
    if !in_memory {
        signature.returns.extend(ty.results().iter().map(param));
    }
    signature
}

/// The signature of a leaf.
pub(crate) fn leaf_signature(leaf: Leaf) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend(leaf.params().iter().map(builtin_param));
    signature
}

fn builtin_param(ty: &BuiltinTy) -> AbiParam {
    AbiParam::new(match ty {
        BuiltinTy::I32 => types::I32,
        BuiltinTy::I64 => types::I64,
    })
}

/// The signature of a builtin's stub.
pub(crate) fn builtin_signature(builtin: Builtin) -> Signature {
    // All that is left of that convention at a call is that no register changes.
    let conv = if builtin.keeps_registers() { CallConv::PreserveAll } else { CallConv::SystemV };
    let mut signature = Signature::new(conv);
    signature.params.push(AbiParam::new(PTR));
    signature.params.extend(builtin.params().iter().map(builtin_param));
    signature.returns.extend(builtin.result().iter().map(builtin_param));
    signature
}
