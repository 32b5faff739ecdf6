//! Floats: constants, arithmetic, comparisons, conversions.

use crate::func::FuncCompiler;
use crate::isa_x64::float::{ADD, DIV, FloatCompare, MUL, Rounding, SUB};
use tenure_abi::ValClass;
use tenure_code::CompileError;
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    #[inline]
    pub(super) fn float(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use ValClass::{F32, F64, I32, I64};
        match *op {
            Operator::F32Const { value } => self.push_const(F32, u64::from(value.bits())),
            Operator::F64Const { value } => self.push_const(F64, value.bits()),

            Operator::F32Add => self.float_binary(ADD, F32),
            Operator::F64Add => self.float_binary(ADD, F64),
            Operator::F32Sub => self.float_binary(SUB, F32),
            Operator::F64Sub => self.float_binary(SUB, F64),
            Operator::F32Mul => self.float_binary(MUL, F32),
            Operator::F64Mul => self.float_binary(MUL, F64),
            Operator::F32Div => self.float_binary(DIV, F32),
            Operator::F64Div => self.float_binary(DIV, F64),
            Operator::F32Min => self.min_max(F32, true),
            Operator::F64Min => self.min_max(F64, true),
            Operator::F32Max => self.min_max(F32, false),
            Operator::F64Max => self.min_max(F64, false),
            Operator::F32Copysign => self.copysign(F32),
            Operator::F64Copysign => self.copysign(F64),
            Operator::F32Abs => self.float_sign(F32, false),
            Operator::F64Abs => self.float_sign(F64, false),
            Operator::F32Neg => self.float_sign(F32, true),
            Operator::F64Neg => self.float_sign(F64, true),
            Operator::F32Sqrt => self.sqrt(F32),
            Operator::F64Sqrt => self.sqrt(F64),
            Operator::F32Ceil => self.round(Rounding::Ceil, F32)?,
            Operator::F64Ceil => self.round(Rounding::Ceil, F64)?,
            Operator::F32Floor => self.round(Rounding::Floor, F32)?,
            Operator::F64Floor => self.round(Rounding::Floor, F64)?,
            Operator::F32Trunc => self.round(Rounding::Trunc, F32)?,
            Operator::F64Trunc => self.round(Rounding::Trunc, F64)?,
            Operator::F32Nearest => self.round(Rounding::Nearest, F32)?,
            Operator::F64Nearest => self.round(Rounding::Nearest, F64)?,

            Operator::F32Eq => self.compare_floats(FloatCompare::Eq, F32),
            Operator::F64Eq => self.compare_floats(FloatCompare::Eq, F64),
            Operator::F32Ne => self.compare_floats(FloatCompare::Ne, F32),
            Operator::F64Ne => self.compare_floats(FloatCompare::Ne, F64),
            Operator::F32Lt => self.compare_floats(FloatCompare::Lt, F32),
            Operator::F64Lt => self.compare_floats(FloatCompare::Lt, F64),
            Operator::F32Gt => self.compare_floats(FloatCompare::Gt, F32),
            Operator::F64Gt => self.compare_floats(FloatCompare::Gt, F64),
            Operator::F32Le => self.compare_floats(FloatCompare::Le, F32),
            Operator::F64Le => self.compare_floats(FloatCompare::Le, F64),
            Operator::F32Ge => self.compare_floats(FloatCompare::Ge, F32),
            Operator::F64Ge => self.compare_floats(FloatCompare::Ge, F64),

            Operator::F32ConvertI32S => self.convert_to_float(I32, true, F32),
            Operator::F32ConvertI32U => self.convert_to_float(I32, false, F32),
            Operator::F32ConvertI64S => self.convert_to_float(I64, true, F32),
            Operator::F32ConvertI64U => self.convert_to_float(I64, false, F32),
            Operator::F64ConvertI32S => self.convert_to_float(I32, true, F64),
            Operator::F64ConvertI32U => self.convert_to_float(I32, false, F64),
            Operator::F64ConvertI64S => self.convert_to_float(I64, true, F64),
            Operator::F64ConvertI64U => self.convert_to_float(I64, false, F64),
            Operator::F32DemoteF64 => self.change_float_width(F32),
            Operator::F64PromoteF32 => self.change_float_width(F64),
            Operator::I32ReinterpretF32 => self.reinterpret(I32),
            Operator::I64ReinterpretF64 => self.reinterpret(I64),
            Operator::F32ReinterpretI32 => self.reinterpret(F32),
            Operator::F64ReinterpretI64 => self.reinterpret(F64),

            Operator::I32TruncF32S => self.truncate_float(F32, I32, true, false),
            Operator::I32TruncF32U => self.truncate_float(F32, I32, false, false),
            Operator::I32TruncF64S => self.truncate_float(F64, I32, true, false),
            Operator::I32TruncF64U => self.truncate_float(F64, I32, false, false),
            Operator::I64TruncF32S => self.truncate_float(F32, I64, true, false),
            Operator::I64TruncF32U => self.truncate_float(F32, I64, false, false),
            Operator::I64TruncF64S => self.truncate_float(F64, I64, true, false),
            Operator::I64TruncF64U => self.truncate_float(F64, I64, false, false),
            Operator::I32TruncSatF32S => self.truncate_float(F32, I32, true, true),
            Operator::I32TruncSatF32U => self.truncate_float(F32, I32, false, true),
            Operator::I32TruncSatF64S => self.truncate_float(F64, I32, true, true),
            Operator::I32TruncSatF64U => self.truncate_float(F64, I32, false, true),
            Operator::I64TruncSatF32S => self.truncate_float(F32, I64, true, true),
            Operator::I64TruncSatF32U => self.truncate_float(F32, I64, false, true),
            Operator::I64TruncSatF64S => self.truncate_float(F64, I64, true, true),
            Operator::I64TruncSatF64U => self.truncate_float(F64, I64, false, true),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
