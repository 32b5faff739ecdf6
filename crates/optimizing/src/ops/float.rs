//! Floats: constants, arithmetic, comparisons, conversions.

use crate::translate::Translator;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, condcodes::FloatCC, types};
use cranelift_frontend::FuncInstBuilder;
use tenure_code::CompileError;
use tenure_types::Trap;
use wasmparser::Operator;

impl<'a> Translator<'a> {
    /// Translates `op` if it is of this family.
    pub(super) fn float(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use types::{F32, F64, I32, I64};
        match *op {
            Operator::F32Const { value } => {
                let value = self.f32_const(value.bits());
                self.push(value);
            }
            Operator::F64Const { value } => {
                let value = self.f64_const(value.bits());
                self.push(value);
            }

            Operator::F32Add | Operator::F64Add => self.binary(|ins, a, b| ins.fadd(a, b)),
            Operator::F32Sub | Operator::F64Sub => self.binary(|ins, a, b| ins.fsub(a, b)),
            Operator::F32Mul | Operator::F64Mul => self.binary(|ins, a, b| ins.fmul(a, b)),
            Operator::F32Div | Operator::F64Div => self.binary(|ins, a, b| ins.fdiv(a, b)),
            Operator::F32Min | Operator::F64Min => self.binary(|ins, a, b| ins.fmin(a, b)),
            Operator::F32Max | Operator::F64Max => self.binary(|ins, a, b| ins.fmax(a, b)),
            Operator::F32Copysign | Operator::F64Copysign => self.binary(|ins, a, b| ins.fcopysign(a, b)),
            Operator::F32Abs | Operator::F64Abs => self.unary(|ins, a| ins.fabs(a)),
            Operator::F32Neg | Operator::F64Neg => self.unary(|ins, a| ins.fneg(a)),
            Operator::F32Sqrt | Operator::F64Sqrt => self.unary(|ins, a| ins.sqrt(a)),
            Operator::F32Ceil | Operator::F64Ceil => self.round(|ins, a| ins.ceil(a))?,
            Operator::F32Floor | Operator::F64Floor => self.round(|ins, a| ins.floor(a))?,
            Operator::F32Trunc | Operator::F64Trunc => self.round(|ins, a| ins.trunc(a))?,
            Operator::F32Nearest | Operator::F64Nearest => self.round(|ins, a| ins.nearest(a))?,

            Operator::F32Eq | Operator::F64Eq => self.compare_floats(FloatCC::Equal),
            Operator::F32Ne | Operator::F64Ne => self.compare_floats(FloatCC::NotEqual),
            Operator::F32Lt | Operator::F64Lt => self.compare_floats(FloatCC::LessThan),
            Operator::F32Gt | Operator::F64Gt => self.compare_floats(FloatCC::GreaterThan),
            Operator::F32Le | Operator::F64Le => self.compare_floats(FloatCC::LessThanOrEqual),
            Operator::F32Ge | Operator::F64Ge => self.compare_floats(FloatCC::GreaterThanOrEqual),

            Operator::F32ConvertI32S | Operator::F32ConvertI64S => {
                self.unary(|ins, a| ins.fcvt_from_sint(F32, a));
            }
            Operator::F64ConvertI32S | Operator::F64ConvertI64S => {
                self.unary(|ins, a| ins.fcvt_from_sint(F64, a));
            }
            Operator::F32ConvertI32U | Operator::F32ConvertI64U => {
                self.unary(|ins, a| ins.fcvt_from_uint(F32, a));
            }
            Operator::F64ConvertI32U | Operator::F64ConvertI64U => {
                self.unary(|ins, a| ins.fcvt_from_uint(F64, a));
            }
            Operator::F32DemoteF64 => self.unary(|ins, a| ins.fdemote(F32, a)),
            Operator::F64PromoteF32 => self.unary(|ins, a| ins.fpromote(F64, a)),
            Operator::I32ReinterpretF32 => self.reinterpret(I32),
            Operator::I64ReinterpretF64 => self.reinterpret(I64),
            Operator::F32ReinterpretI32 => self.reinterpret(F32),
            Operator::F64ReinterpretI64 => self.reinterpret(F64),

            Operator::I32TruncSatF32S | Operator::I32TruncSatF64S => {
                self.unary(|ins, a| ins.fcvt_to_sint_sat(I32, a));
            }
            Operator::I32TruncSatF32U | Operator::I32TruncSatF64U => {
                self.unary(|ins, a| ins.fcvt_to_uint_sat(I32, a));
            }
            Operator::I64TruncSatF32S | Operator::I64TruncSatF64S => {
                self.unary(|ins, a| ins.fcvt_to_sint_sat(I64, a));
            }
            Operator::I64TruncSatF32U | Operator::I64TruncSatF64U => {
                self.unary(|ins, a| ins.fcvt_to_uint_sat(I64, a));
            }
            Operator::I32TruncF32S | Operator::I32TruncF64S => self.truncate(I32, true),
            Operator::I32TruncF32U | Operator::I32TruncF64U => self.truncate(I32, false),
            Operator::I64TruncF32S | Operator::I64TruncF64S => self.truncate(I64, true),
            Operator::I64TruncF32U | Operator::I64TruncF64U => self.truncate(I64, false),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Rounding is an instruction from SSE4.1 on; older machines would need a library.
    fn round(
        &mut self,
        make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value) -> Value,
    ) -> Result<(), CompileError> {
        self.need_sse41("rounding")?;
        self.unary(make);
        Ok(())
    }

    /// Refuses operators for which Cranelift would call a library on this machine.
    pub(super) fn need_sse41(&self, what: &str) -> Result<(), CompileError> {
        if self.cpu.sse41 {
            return Ok(());
        }
        let what = format!("{what} on a machine without SSE4.1");
        Err(CompileError::Unsupported { what, offset: self.offset })
    }

    fn compare_floats(&mut self, condition: FloatCC) {
        let (first, second) = self.pop2();
        let outcome = self.builder.ins().fcmp(condition, first, second);
        self.push_bool(outcome);
    }

    fn reinterpret(&mut self, ty: Type) {
        self.unary(|ins, a| ins.bitcast(ty, MemFlagsData::new(), a));
    }

    /// Float to integer, with a trap when it does not fit.
    fn truncate(&mut self, to: Type, signed: bool) {
        let value = self.pop();
        let signals = self.unit.tunables.signals;
        if !signals {
            self.check_truncation(value, to, signed);
        }
        let ins = self.builder.ins();
        let value = match (signals, signed) {
            (true, true) => ins.fcvt_to_sint(to, value),
            (true, false) => ins.fcvt_to_uint(to, value),
            (false, true) => ins.fcvt_to_sint_sat(to, value),
            (false, false) => ins.fcvt_to_uint_sat(to, value),
        };
        self.push(value);
    }

    /// Traps unless `value`, rounded towards zero, is an integer of type `to`.
    fn check_truncation(&mut self, value: Value, to: Type, signed: bool) {
        let nan = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
        self.trap_if(nan, Trap::BadConversionToInteger);
        let is_f32 = self.type_of(value) == types::F32;
        // Below the range is what is at most -1 under it, or, where floats have no such value, what is
        // less than it. All of these are exact in both float types, but for -2^31 - 1 in the narrower.
        let (low, low_is_inside) = match (signed, to == types::I32, is_f32) {
            (false, _, _) => (-1.0, false),
            (true, true, false) => (f64::from(i32::MIN) - 1.0, false),
            (true, true, true) => (f64::from(i32::MIN), true),
            (true, false, _) => (-9_223_372_036_854_775_808.0, true),
        };
        let high = match (signed, to == types::I32) {
            (true, true) => 2_147_483_648.0,
            (false, true) => 4_294_967_296.0,
            (true, false) => 9_223_372_036_854_775_808.0,
            (false, false) => 18_446_744_073_709_551_616.0,
        };
        let mut limit = |at: f64| {
            if is_f32 { self.f32_const((at as f32).to_bits()) } else { self.f64_const(at.to_bits()) }
        };
        let (low, high) = (limit(low), limit(high));
        let below = if low_is_inside { FloatCC::LessThan } else { FloatCC::LessThanOrEqual };
        let below = self.builder.ins().fcmp(below, value, low);
        let above = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, value, high);
        let outside = self.builder.ins().bor(below, above);
        self.trap_if(outside, Trap::IntegerOverflow);
    }
}
