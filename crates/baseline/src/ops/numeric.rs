//! Integers: constants, arithmetic, comparisons, widths.

use crate::func::FuncCompiler;
use crate::isa_x64::integer::Division;
use tenure_abi::ValClass;
use tenure_asm::x64::{Alu, Cond, Count, Shift, Unary, Width};
use tenure_code::CompileError;
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    #[inline]
    pub(super) fn numeric(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use ValClass::{I32, I64};
        match *op {
            Operator::I32Const { value } => self.push_const(I32, u64::from(value.cast_unsigned())),
            Operator::I64Const { value } => self.push_const(I64, value.cast_unsigned()),

            Operator::I32Add => self.alu(Alu::Add, I32),
            Operator::I64Add => self.alu(Alu::Add, I64),
            Operator::I32Sub => self.alu(Alu::Sub, I32),
            Operator::I64Sub => self.alu(Alu::Sub, I64),
            Operator::I32And => self.alu(Alu::And, I32),
            Operator::I64And => self.alu(Alu::And, I64),
            Operator::I32Or => self.alu(Alu::Or, I32),
            Operator::I64Or => self.alu(Alu::Or, I64),
            Operator::I32Xor => self.alu(Alu::Xor, I32),
            Operator::I64Xor => self.alu(Alu::Xor, I64),
            Operator::I32Mul => self.multiply(I32),
            Operator::I64Mul => self.multiply(I64),
            Operator::I32Shl => self.shift(Shift::Shl, I32),
            Operator::I64Shl => self.shift(Shift::Shl, I64),
            Operator::I32ShrS => self.shift(Shift::Sar, I32),
            Operator::I64ShrS => self.shift(Shift::Sar, I64),
            Operator::I32ShrU => self.shift(Shift::Shr, I32),
            Operator::I64ShrU => self.shift(Shift::Shr, I64),
            Operator::I32Rotl => self.shift(Shift::Rol, I32),
            Operator::I64Rotl => self.shift(Shift::Rol, I64),
            Operator::I32Rotr => self.shift(Shift::Ror, I32),
            Operator::I64Rotr => self.shift(Shift::Ror, I64),
            Operator::I32DivS => self.divide(Division::DivS, I32),
            Operator::I64DivS => self.divide(Division::DivS, I64),
            Operator::I32DivU => self.divide(Division::DivU, I32),
            Operator::I64DivU => self.divide(Division::DivU, I64),
            Operator::I32RemS => self.divide(Division::RemS, I32),
            Operator::I64RemS => self.divide(Division::RemS, I64),
            Operator::I32RemU => self.divide(Division::RemU, I32),
            Operator::I64RemU => self.divide(Division::RemU, I64),

            Operator::I32Clz => self.count(Count::Lzcnt, I32)?,
            Operator::I64Clz => self.count(Count::Lzcnt, I64)?,
            Operator::I32Ctz => self.count(Count::Tzcnt, I32)?,
            Operator::I64Ctz => self.count(Count::Tzcnt, I64)?,
            Operator::I32Popcnt => self.count(Count::Popcnt, I32)?,
            Operator::I64Popcnt => self.count(Count::Popcnt, I64)?,
            Operator::I32Extend8S => self.sign_extend(Width::W8, I32),
            Operator::I32Extend16S => self.sign_extend(Width::W16, I32),
            Operator::I64Extend8S => self.sign_extend(Width::W8, I64),
            Operator::I64Extend16S => self.sign_extend(Width::W16, I64),
            Operator::I64Extend32S | Operator::I64ExtendI32S => self.sign_extend(Width::W32, I64),
            Operator::I64ExtendI32U => self.extend_unsigned(),
            Operator::I32WrapI64 => self.wrap(),

            Operator::I32Eqz | Operator::I64Eqz => self.eqz(),
            Operator::I32Eq => self.compare(Cond::Equal, I32),
            Operator::I64Eq => self.compare(Cond::Equal, I64),
            Operator::I32Ne => self.compare(Cond::NotEqual, I32),
            Operator::I64Ne => self.compare(Cond::NotEqual, I64),
            Operator::I32LtS => self.compare(Cond::Less, I32),
            Operator::I64LtS => self.compare(Cond::Less, I64),
            Operator::I32LtU => self.compare(Cond::Below, I32),
            Operator::I64LtU => self.compare(Cond::Below, I64),
            Operator::I32GtS => self.compare(Cond::Greater, I32),
            Operator::I64GtS => self.compare(Cond::Greater, I64),
            Operator::I32GtU => self.compare(Cond::Above, I32),
            Operator::I64GtU => self.compare(Cond::Above, I64),
            Operator::I32LeS => self.compare(Cond::LessEqual, I32),
            Operator::I64LeS => self.compare(Cond::LessEqual, I64),
            Operator::I32LeU => self.compare(Cond::BelowEqual, I32),
            Operator::I64LeU => self.compare(Cond::BelowEqual, I64),
            Operator::I32GeS => self.compare(Cond::GreaterEqual, I32),
            Operator::I64GeS => self.compare(Cond::GreaterEqual, I64),
            Operator::I32GeU => self.compare(Cond::AboveEqual, I32),
            Operator::I64GeU => self.compare(Cond::AboveEqual, I64),

            Operator::I64Add128 => self.wide_alu(Alu::Add, Alu::Adc),
            Operator::I64Sub128 => self.wide_alu(Alu::Sub, Alu::Sbb),
            Operator::I64MulWideS => self.wide_multiply(Unary::Imul),
            Operator::I64MulWideU => self.wide_multiply(Unary::Mul),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
