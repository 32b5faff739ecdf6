//! Operators on numbers behind the prefix 0xfc.

use crate::func::FuncCompiler;
use tenure_abi::ValClass::{F32, F64, I32, I64};
use tenure_asm::x64::{Alu, Unary};
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    pub(super) fn misc(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::I32TruncSatF32S => self.truncate_float(F32, I32, true, true),
            Operator::I32TruncSatF32U => self.truncate_float(F32, I32, false, true),
            Operator::I32TruncSatF64S => self.truncate_float(F64, I32, true, true),
            Operator::I32TruncSatF64U => self.truncate_float(F64, I32, false, true),
            Operator::I64TruncSatF32S => self.truncate_float(F32, I64, true, true),
            Operator::I64TruncSatF32U => self.truncate_float(F32, I64, false, true),
            Operator::I64TruncSatF64S => self.truncate_float(F64, I64, true, true),
            Operator::I64TruncSatF64U => self.truncate_float(F64, I64, false, true),
            Operator::I64Add128 => self.wide_alu(Alu::Add, Alu::Adc),
            Operator::I64Sub128 => self.wide_alu(Alu::Sub, Alu::Sbb),
            Operator::I64MulWideS => self.wide_multiply(Unary::Imul),
            Operator::I64MulWideU => self.wide_multiply(Unary::Mul),
            _ => return false,
        }
        true
    }
}
