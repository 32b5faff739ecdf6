//! Integers: constants, arithmetic, comparisons, widths.

use crate::translate::Translator;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Type, Value, condcodes::IntCC, types};
use cranelift_frontend::FuncInstBuilder;
use tenure_types::Trap;
use wasmparser::Operator;

impl<'a> Translator<'a> {
    /// Translates `op` if it is of this family.
    pub(super) fn numeric(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::I32Const { value } => {
                let value = self.i32_const(value);
                self.push(value);
            }
            Operator::I64Const { value } => {
                let value = self.builder.ins().iconst(types::I64, value);
                self.push(value);
            }

            Operator::I32Add | Operator::I64Add => self.binary(|ins, a, b| ins.iadd(a, b)),
            Operator::I32Sub | Operator::I64Sub => self.binary(|ins, a, b| ins.isub(a, b)),
            Operator::I32Mul | Operator::I64Mul => self.binary(|ins, a, b| ins.imul(a, b)),
            Operator::I32And | Operator::I64And => self.and(),
            Operator::I32Or | Operator::I64Or => self.binary(|ins, a, b| ins.bor(a, b)),
            Operator::I32Xor | Operator::I64Xor => self.binary(|ins, a, b| ins.bxor(a, b)),
            Operator::I32Shl | Operator::I64Shl => self.binary(|ins, a, b| ins.ishl(a, b)),
            Operator::I32ShrS | Operator::I64ShrS => self.binary(|ins, a, b| ins.sshr(a, b)),
            Operator::I32ShrU | Operator::I64ShrU => self.binary(|ins, a, b| ins.ushr(a, b)),
            Operator::I32Rotl | Operator::I64Rotl => self.binary(|ins, a, b| ins.rotl(a, b)),
            Operator::I32Rotr | Operator::I64Rotr => self.binary(|ins, a, b| ins.rotr(a, b)),
            Operator::I32DivS | Operator::I64DivS => {
                self.check_divisor();
                self.check_quotient();
                self.binary(|ins, a, b| ins.sdiv(a, b));
            }
            Operator::I32DivU | Operator::I64DivU => {
                self.check_divisor();
                self.binary(|ins, a, b| ins.udiv(a, b));
            }
            Operator::I32RemS | Operator::I64RemS => {
                self.check_divisor();
                self.binary(|ins, a, b| ins.srem(a, b));
            }
            Operator::I32RemU | Operator::I64RemU => {
                self.check_divisor();
                self.binary(|ins, a, b| ins.urem(a, b));
            }

            Operator::I32Clz | Operator::I64Clz => self.unary(|ins, a| ins.clz(a)),
            Operator::I32Ctz | Operator::I64Ctz => self.unary(|ins, a| ins.ctz(a)),
            Operator::I32Popcnt | Operator::I64Popcnt => self.unary(|ins, a| ins.popcnt(a)),
            Operator::I32Extend8S => self.extend_part(types::I8, types::I32),
            Operator::I32Extend16S => self.extend_part(types::I16, types::I32),
            Operator::I64Extend8S => self.extend_part(types::I8, types::I64),
            Operator::I64Extend16S => self.extend_part(types::I16, types::I64),
            Operator::I64Extend32S => self.extend_part(types::I32, types::I64),
            Operator::I32WrapI64 => self.unary(|ins, a| ins.ireduce(types::I32, a)),
            Operator::I64ExtendI32S => self.unary(|ins, a| ins.sextend(types::I64, a)),
            Operator::I64ExtendI32U => self.unary(|ins, a| ins.uextend(types::I64, a)),

            Operator::I32Eqz | Operator::I64Eqz => {
                let value = self.pop();
                let zero = self.builder.ins().icmp_imm_s(IntCC::Equal, value, 0);
                self.push_bool(zero);
            }
            Operator::I32Eq | Operator::I64Eq => self.compare(IntCC::Equal),
            Operator::I32Ne | Operator::I64Ne => self.compare(IntCC::NotEqual),
            Operator::I32LtS | Operator::I64LtS => self.compare(IntCC::SignedLessThan),
            Operator::I32LtU | Operator::I64LtU => self.compare(IntCC::UnsignedLessThan),
            Operator::I32GtS | Operator::I64GtS => self.compare(IntCC::SignedGreaterThan),
            Operator::I32GtU | Operator::I64GtU => self.compare(IntCC::UnsignedGreaterThan),
            Operator::I32LeS | Operator::I64LeS => self.compare(IntCC::SignedLessThanOrEqual),
            Operator::I32LeU | Operator::I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual),
            Operator::I32GeS | Operator::I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual),
            Operator::I32GeU | Operator::I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual),

            Operator::I64Add128 => self.wide_binary(|ins, a, b| ins.iadd(a, b)),
            Operator::I64Sub128 => self.wide_binary(|ins, a, b| ins.isub(a, b)),
            Operator::I64MulWideS => self.wide_multiply(|ins, a| ins.sextend(types::I128, a)),
            Operator::I64MulWideU => self.wide_multiply(|ins, a| ins.uextend(types::I128, a)),
            _ => return false,
        }
        true
    }

    pub(super) fn unary(&mut self, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value) -> Value) {
        let value = self.pop();
        let value = make(self.builder.ins(), value);
        self.push(value);
    }

    pub(super) fn binary(&mut self, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value, Value) -> Value) {
        let (first, second) = self.pop2();
        let value = make(self.builder.ins(), first, second);
        self.push(value);
    }

    /// Pushes a comparison's outcome as an `i32`.
    pub(super) fn push_bool(&mut self, outcome: Value) {
        let value = self.builder.ins().uextend(types::I32, outcome);
        self.push(value);
    }

    fn compare(&mut self, condition: IntCC) {
        let (first, second) = self.pop2();
        let outcome = self.builder.ins().icmp(condition, first, second);
        self.push_bool(outcome);
    }

    /// The number that `value` is, when it is a constant.
    pub(super) fn constant(&self, value: Value) -> Option<i64> {
        let dfg = &self.builder.func.dfg;
        let def = dfg.value_def(value).inst()?;
        match dfg.insts[def] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    /// `and`, with a mask of whole low bytes as an extension: the mask needs no register and no memory then.
    fn and(&mut self) {
        let (first, second) = self.pop2();
        let part = |value| match self.constant(value)? {
            0xff => Some(types::I8),
            0xffff => Some(types::I16),
            0xffff_ffff if self.type_of(value) == types::I64 => Some(types::I32),
            _ => None,
        };
        let masked = match (part(first), part(second)) {
            (_, Some(part)) => Some((first, part)),
            (Some(part), _) => Some((second, part)),
            _ => None,
        };
        let value = match masked {
            Some((value, part)) => {
                let ty = self.type_of(value);
                let value = self.builder.ins().ireduce(part, value);
                self.builder.ins().uextend(ty, value)
            }
            None => self.builder.ins().band(first, second),
        };
        self.push(value);
    }

    /// Sign-extends the low `part` of an integer to `ty`.
    fn extend_part(&mut self, part: Type, ty: Type) {
        let value = self.pop();
        let value = self.builder.ins().ireduce(part, value);
        let value = self.builder.ins().sextend(ty, value);
        self.push(value);
    }

    /// Without signals: the division's operands stay on the stack, and the divisor is not 0 afterwards.
    fn check_divisor(&mut self) {
        if self.unit.tunables.signals {
            return;
        }
        let (dividend, divisor) = self.pop2();
        self.trap_if_zero(divisor, Trap::IntegerDivisionByZero);
        self.push(dividend);
        self.push(divisor);
    }

    /// Without signals: the quotient of the operands on the stack fits afterwards.
    fn check_quotient(&mut self) {
        if self.unit.tunables.signals {
            return;
        }
        let (dividend, divisor) = self.pop2();
        let smallest = if self.type_of(dividend) == types::I32 { i64::from(i32::MIN) } else { i64::MIN };
        let is_smallest = self.builder.ins().icmp_imm_s(IntCC::Equal, dividend, smallest);
        let is_minus_one = self.builder.ins().icmp_imm_s(IntCC::Equal, divisor, -1);
        let both = self.builder.ins().band(is_smallest, is_minus_one);
        self.trap_if(both, Trap::IntegerOverflow);
        self.push(dividend);
        self.push(divisor);
    }

    /// Pops two halves, low first.
    fn pop_wide(&mut self) -> Value {
        let (low, high) = self.pop2();
        self.builder.ins().iconcat(low, high)
    }

    /// Pushes two halves, low first.
    fn push_wide(&mut self, value: Value) {
        let (low, high) = self.builder.ins().isplit(value);
        self.push(low);
        self.push(high);
    }

    fn wide_binary(&mut self, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value, Value) -> Value) {
        let second = self.pop_wide();
        let first = self.pop_wide();
        let value = make(self.builder.ins(), first, second);
        self.push_wide(value);
    }

    fn wide_multiply(&mut self, extend: impl Fn(FuncInstBuilder<'_, 'a>, Value) -> Value) {
        let (first, second) = self.pop2();
        let first = extend(self.builder.ins(), first);
        let second = extend(self.builder.ins(), second);
        let value = self.builder.ins().imul(first, second);
        self.push_wide(value);
    }
}
