//! Evaluates constant expressions (specification, "Constant Expressions").

use crate::loaded::LoadedModule;
use crate::vm_ctx::VmCtx;
use tenure_abi::ValRaw;
use tenure_module::{ConstExpr, ConstOp};
use tenure_types::FuncIdx;

/// The value of `expr` in an instance whose context is `ctx`. Imports, funcrefs, and every global that the
/// expression reads must be filled in.
///
/// # Panics
/// When the expression is not valid, which the validator has ruled out.
pub(crate) fn evaluate(module: &LoadedModule, ctx: &VmCtx, expr: &ConstExpr) -> ValRaw {
    if let [op] = expr.ops() {
        return constant(module, ctx, *op).expect(VALID);
    }
    let mut stack: Vec<ValRaw> = Vec::with_capacity(4);
    for &op in expr.ops() {
        let value = match op {
            ConstOp::I32Add => i32_op(&mut stack, i32::wrapping_add),
            ConstOp::I32Sub => i32_op(&mut stack, i32::wrapping_sub),
            ConstOp::I32Mul => i32_op(&mut stack, i32::wrapping_mul),
            ConstOp::I64Add => i64_op(&mut stack, i64::wrapping_add),
            ConstOp::I64Sub => i64_op(&mut stack, i64::wrapping_sub),
            ConstOp::I64Mul => i64_op(&mut stack, i64::wrapping_mul),
            op => constant(module, ctx, op).expect(VALID),
        };
        stack.push(value);
    }
    pop(&mut stack)
}

const VALID: &str = "a validated constant expression leaves one value";

/// The value of an operator that has no operands.
fn constant(module: &LoadedModule, ctx: &VmCtx, op: ConstOp) -> Option<ValRaw> {
    Some(match op {
        ConstOp::I32(value) => ValRaw::i32(value),
        ConstOp::I64(value) => ValRaw::i64(value),
        ConstOp::F32(bits) => ValRaw::f32(bits),
        ConstOp::F64(bits) => ValRaw::f64(bits),
        ConstOp::V128(value) => ValRaw::v128(value),
        ConstOp::RefNull(_) => ValRaw::default(),
        ConstOp::RefFunc(func) => ValRaw::funcref(funcref(module, ctx, func)),
        ConstOp::GlobalGet(global) => ctx.global_value(module.layout(), global),
        ConstOp::I32Add
        | ConstOp::I32Sub
        | ConstOp::I32Mul
        | ConstOp::I64Add
        | ConstOp::I64Sub
        | ConstOp::I64Mul => return None,
    })
}

/// The address of the record of `func`.
pub(crate) fn funcref(module: &LoadedModule, ctx: &VmCtx, func: FuncIdx) -> usize {
    let layout = module.layout();
    let record = match module.module().funcs[func.at()].escape {
        Some(escape) => ctx.own_funcref(layout, escape),
        None => ctx.imported_funcref(layout, func),
    };
    record.as_ptr().expose_provenance()
}

fn pop(stack: &mut Vec<ValRaw>) -> ValRaw {
    stack.pop().expect(VALID)
}

fn i32_op(stack: &mut Vec<ValRaw>, op: impl Fn(i32, i32) -> i32) -> ValRaw {
    let right = pop(stack).get_i32();
    let left = pop(stack).get_i32();
    ValRaw::i32(op(left, right))
}

fn i64_op(stack: &mut Vec<ValRaw>, op: impl Fn(i64, i64) -> i64) -> ValRaw {
    let right = pop(stack).get_i64();
    let left = pop(stack).get_i64();
    ValRaw::i64(op(left, right))
}
