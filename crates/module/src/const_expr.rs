//! Constant expressions (specification, "Constant Expressions").

use crate::error::ParseError;
use tenure_types::{FuncIdx, GlobalIdx, HeapType};
use wasmparser::Operator;

/// An operator of a constant expression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ConstOp {
    /// `i32.const`
    I32(i32),
    /// `i64.const`
    I64(i64),
    /// `f32.const`, by its bits.
    F32(u32),
    /// `f64.const`, by its bits.
    F64(u64),
    /// `v128.const`
    V128(u128),
    /// `ref.null`
    RefNull(HeapType),
    /// `ref.func`
    RefFunc(FuncIdx),
    /// `global.get`
    GlobalGet(GlobalIdx),
    /// `i32.add`
    I32Add,
    /// `i32.sub`
    I32Sub,
    /// `i32.mul`
    I32Mul,
    /// `i64.add`
    I64Add,
    /// `i64.sub`
    I64Sub,
    /// `i64.mul`
    I64Mul,
}

/// A validated constant expression: operators in order, without the final `end`.
#[derive(Clone, PartialEq, Debug)]
pub struct ConstExpr(Box<[ConstOp]>);

impl ConstExpr {
    /// The operators, in order; they leave exactly one value.
    pub fn ops(&self) -> &[ConstOp] {
        &self.0
    }

    /// Functions that it makes references to.
    pub fn ref_funcs(&self) -> impl Iterator<Item = FuncIdx> + '_ {
        self.0.iter().filter_map(|op| match op {
            ConstOp::RefFunc(func) => Some(*func),
            _ => None,
        })
    }

    /// Reads an expression that the validator has accepted.
    pub(crate) fn read(
        expr: &wasmparser::ConstExpr<'_>,
        heap_type: impl Fn(wasmparser::HeapType, u64) -> Result<HeapType, ParseError>,
    ) -> Result<Self, ParseError> {
        let mut ops = Vec::new();
        let mut reader = expr.get_operators_reader();
        while !reader.eof() {
            let offset = reader.original_position();
            let op = match reader.read()? {
                Operator::I32Const { value } => ConstOp::I32(value),
                Operator::I64Const { value } => ConstOp::I64(value),
                Operator::F32Const { value } => ConstOp::F32(value.bits()),
                Operator::F64Const { value } => ConstOp::F64(value.bits()),
                Operator::V128Const { value } => ConstOp::V128(u128::from_le_bytes(*value.bytes())),
                Operator::RefNull { hty } => ConstOp::RefNull(heap_type(hty, offset)?),
                Operator::RefFunc { function_index } => ConstOp::RefFunc(FuncIdx(function_index)),
                Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIdx(global_index)),
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                Operator::End => continue,
                _ => return Err(ParseError::Unsupported { proposal: "gc", offset }),
            };
            ops.push(op);
        }
        Ok(Self(ops.into()))
    }
}
