//! Integers: arithmetic, comparisons, shifts, division, counts, widths.

use super::asm::{Source, general, size};
use super::control::Test;
use super::{GENERAL, RAX, RCX, RDX, SCRATCH};
use crate::func::FuncCompiler;
use crate::regs::Reg;
use crate::stack::{Place, Value};
use tenure_abi::ValClass;
use tenure_asm::x64::{Alu, Cond, Count, Mem, Scale, Shift, Size, Unary, Width};
use tenure_code::CompileError;
use tenure_module::Item;
use tenure_types::Trap;

/// A comparison of two integers.
pub(crate) type Compare = Cond;

/// What a division gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Division {
    DivS,
    DivU,
    RemS,
    RemU,
}

impl Division {
    fn is_signed(self) -> bool {
        matches!(self, Self::DivS | Self::RemS)
    }

    fn is_rem(self) -> bool {
        matches!(self, Self::RemS | Self::RemU)
    }
}

impl Source {
    /// Whether the operand is read through `reg`.
    fn uses(self, reg: Reg) -> bool {
        match self {
            Self::Reg(other) => other == reg,
            Self::Imm(_) | Self::Mem(_) => false,
            Self::Access(access) => access.regs.has(reg),
        }
    }
}

impl FuncCompiler<'_> {
    /// `dst op= source`
    fn emit_alu(&mut self, alu: Alu, size: Size, dst: Reg, source: Source) {
        let dst_r = general(dst);
        match source {
            Source::Reg(reg) => self.b.asm.alu_rr(alu, size, dst_r, general(reg)),
            Source::Imm(imm) => self.b.asm.alu_ri(alu, size, dst_r, imm),
            Source::Mem(mem) => self.b.asm.alu_rm(alu, size, dst_r, mem),
            Source::Access(access) => {
                self.note_access(access);
                self.b.asm.alu_rm(alu, size, dst_r, access.mem);
            }
        }
        if alu != Alu::Cmp {
            self.tested = Some((dst, size, self.here()));
        }
    }

    /// The constant that `value` is.
    fn constant(value: Value) -> Option<u64> {
        match value.place() {
            Place::Const(bits) => Some(bits),
            _ => None,
        }
    }

    /// Addition, subtraction, bitwise operations.
    pub(crate) fn alu(&mut self, alu: Alu, class: ValClass) {
        let (second, first) = (self.pop(), self.pop());
        let commutes = alu != Alu::Sub;
        let swaps = commutes && matches!(first.place(), Place::Const(_));
        let (first, second) = if swaps { (second, first) } else { (first, second) };
        if alu == Alu::And && self.and_without_mask(class, first, second) {
            return;
        }
        let size = size(class);
        let source = self.source(second);
        if let Some(dst) = self.destination(class) {
            if self.in_register(first) == Some(dst) {
                self.emit_alu(alu, size, dst, source);
                return self.push_reg(class, dst);
            }
            if !source.uses(dst) {
                if !self.add_as_address(alu, size, dst, first, source) {
                    self.load_value(dst, first);
                    self.emit_alu(alu, size, dst, source);
                }
                return self.push_reg(class, dst);
            }
            if commutes && matches!(source, Source::Reg(_)) {
                let source = self.source(first);
                self.emit_alu(alu, size, dst, source);
                return self.push_reg(class, dst);
            }
        }
        let dst = match (first.place(), second.place()) {
            (Place::Reg(reg), _) => {
                self.emit_alu(alu, size, reg, source);
                reg
            }
            (_, Place::Reg(reg)) if commutes => {
                let source = self.source(first);
                self.emit_alu(alu, size, reg, source);
                reg
            }
            _ => {
                let dst = self.alloc(class);
                if !self.add_as_address(alu, size, dst, first, source) {
                    self.load_value(dst, first);
                    self.emit_alu(alu, size, dst, source);
                }
                dst
            }
        };
        self.push_reg(class, dst);
    }

    /// `dst = first + source`, or `-`, in one instruction, when both are at hand.
    fn add_as_address(&mut self, alu: Alu, size: Size, dst: Reg, first: Value, source: Source) -> bool {
        let Some(first) = self.in_register(first) else { return false };
        let mem = match (alu, source) {
            (Alu::Add, Source::Reg(reg)) => Mem::indexed(general(first), general(reg), Scale::X1, 0),
            (Alu::Add, Source::Imm(imm)) => Mem::new(general(first), imm),
            (Alu::Sub, Source::Imm(imm)) if imm != i32::MIN => Mem::new(general(first), -imm),
            _ => return false,
        };
        self.b.asm.lea(size, general(dst), mem);
        true
    }

    /// The masks that are written in a shorter way; whether this is one.
    #[inline(never)]
    fn and_without_mask(&mut self, class: ValClass, first: Value, second: Value) -> bool {
        self.and_as_test(class, first, second)
            || Self::constant(second).is_some_and(|mask| self.and_as_extension(class, first, mask))
    }

    /// A mask whose outcome is only asked for zero needs no register.
    fn and_as_test(&mut self, class: ValClass, first: Value, second: Value) -> bool {
        // i64.eqz, or what takes an i32 as a condition
        let asks = match class {
            ValClass::I64 => self.next_opcode() == 0x50,
            _ => self.next_takes_flags(),
        };
        if !asks {
            return false;
        }
        let reg = self.reg_of(first);
        let size = size(class);
        match self.source(second) {
            Source::Reg(other) => self.b.asm.test_rr(size, general(reg), general(other)),
            Source::Imm(imm) => self.b.asm.test_ri(size, general(reg), imm),
            Source::Mem(mem) => self.b.asm.test_rm(size, general(reg), mem),
            Source::Access(access) => {
                self.note_access(access);
                self.b.asm.test_rm(size, general(reg), access.mem);
            }
        }
        self.push(class, Place::Flags(Test::NOT_ZERO));
        true
    }

    /// A mask of whole low bytes is an extension.
    fn and_as_extension(&mut self, class: ValClass, first: Value, mask: u64) -> bool {
        let width = match mask {
            0xff => Width::W8,
            0xffff => Width::W16,
            0xffff_ffff if class == ValClass::I64 => Width::W32,
            _ => return false,
        };
        self.extend(class, first, |this, dst, src| match src {
            Source::Reg(reg) => this.b.asm.movzx_rr(width, general(dst), general(reg)),
            Source::Mem(mem) => this.b.asm.movzx_rm(width, general(dst), mem),
            _ => {}
        });
        true
    }

    /// `source`, an integer of `class`, in a register.
    fn source_reg(&mut self, class: ValClass, source: Source) -> Reg {
        match source {
            Source::Reg(reg) => return reg,
            Source::Imm(imm) => self.b.asm.mov_ri(general(SCRATCH), i64::from(imm)),
            Source::Mem(mem) => self.load_mem(class, SCRATCH, mem),
            Source::Access(access) => {
                self.note_access(access);
                self.load_mem(class, SCRATCH, access.mem);
            }
        }
        SCRATCH
    }

    /// Computes a result of `class` from `value`, which was popped, into the best register, and pushes it. The
    /// source is a register or in the frame.
    fn extend(&mut self, class: ValClass, value: Value, emit: impl FnOnce(&mut Self, Reg, Source)) {
        let source = match self.source(value) {
            Source::Mem(mem) => Source::Mem(mem),
            source => Source::Reg(self.source_reg(value.class(), source)),
        };
        let dst = self.best_reg(class, value);
        emit(self, dst, source);
        self.push_reg(class, dst);
    }

    /// Where to compute a result of `class` from `value`, which was popped: over it if it is in a temp.
    fn best_reg(&mut self, class: ValClass, value: Value) -> Reg {
        match (self.destination(class), value.place()) {
            (Some(dst), _) => dst,
            (None, Place::Reg(reg)) if reg.is_vector() != class.is_int() => reg,
            (None, _) => self.alloc(class),
        }
    }

    /// Sign-extends the low `from` bits.
    pub(crate) fn sign_extend(&mut self, from: Width, class: ValClass) {
        let value = self.pop();
        let size = size(class);
        self.extend(class, value, |this, dst, src| match src {
            Source::Reg(reg) => this.b.asm.movsx_rr(size, from, general(dst), general(reg)),
            Source::Mem(mem) => this.b.asm.movsx_rm(size, from, general(dst), mem),
            _ => {}
        });
    }

    pub(crate) fn wrap(&mut self) {
        let value = self.pop();
        match value.place() {
            Place::Const(bits) => self.push_const(ValClass::I32, u64::from(bits as u32)),
            // The upper half may stay what it is.
            Place::Reg(reg) if self.destination(ValClass::I32).is_none() => self.push_dirty(reg),
            _ => {
                self.extend(ValClass::I32, value, |this, dst, src| {
                    this.emit_move_low(dst, src);
                });
            }
        }
    }

    /// `dst` = the low 32 bits of `source`.
    fn emit_move_low(&mut self, dst: Reg, source: Source) {
        match source {
            Source::Reg(reg) => self.b.asm.mov_rr(Size::S32, general(dst), general(reg)),
            Source::Mem(mem) => self.b.asm.mov_rm(Size::S32, general(dst), mem),
            _ => {}
        }
    }

    pub(crate) fn extend_unsigned(&mut self) {
        let value = self.pop();
        match value.place() {
            Place::Const(bits) => self.push_const(ValClass::I64, u64::from(bits as u32)),
            Place::Reg(reg)
                if !self.b.regs.dirty_upper.has(reg) && self.destination(ValClass::I64).is_none() =>
            {
                self.push_reg(ValClass::I64, reg);
            }
            _ => self.extend(ValClass::I64, value, |this, dst, src| this.emit_move_low(dst, src)),
        }
    }

    /// Whether the next operator takes a condition from the flags.
    #[inline]
    pub(crate) fn next_takes_flags(&self) -> bool {
        // if, br_if, select, select with a type, i32.eqz
        matches!(self.next_opcode(), 0x04 | 0x0d | 0x1b | 0x1c | 0x45)
    }

    /// Pushes 1 if `test` holds, else 0.
    pub(crate) fn push_test(&mut self, test: Test) {
        if self.next_takes_flags() {
            return self.push(ValClass::I32, Place::Flags(test));
        }
        let dst = self.result_reg(ValClass::I32);
        self.set_from_flags(dst, test);
        self.push_reg(ValClass::I32, dst);
    }

    pub(crate) fn compare(&mut self, cond: Compare, class: ValClass) {
        let mut second = self.pop();
        let mut first = self.pop();
        let mut cond = cond;
        if matches!(first.place(), Place::Const(_)) && !matches!(second.place(), Place::Const(_)) {
            std::mem::swap(&mut first, &mut second);
            cond = swapped(cond);
        }
        let size = size(class);
        let source = self.source(second);
        match (first.place(), source) {
            // A comparison of memory with a constant needs no register.
            (Place::Home(_), Source::Imm(imm)) => {
                if let Source::Mem(mem) = self.source(first) {
                    self.b.asm.cmp_mi(size, mem, imm);
                }
            }
            (Place::Local(local), Source::Imm(imm)) if self.b.regs.of(Item::local(local)).is_none() => {
                if let Source::Mem(mem) = self.source(first) {
                    self.b.asm.cmp_mi(size, mem, imm);
                }
            }
            (_, Source::Imm(0)) => {
                let reg = general(self.reg_of(first));
                self.b.asm.test_rr(size, reg, reg);
            }
            _ => {
                let reg = self.reg_of(first);
                self.emit_alu(Alu::Cmp, size, reg, source);
            }
        }
        self.push_test(Test::Cond(cond));
    }

    pub(crate) fn eqz(&mut self) {
        let value = self.pop();
        let test = self.test_value(value);
        self.push_test(test.negate());
    }

    pub(crate) fn multiply(&mut self, class: ValClass) {
        let mut second = self.pop();
        let mut first = self.pop();
        if matches!(first.place(), Place::Const(_)) {
            std::mem::swap(&mut first, &mut second);
        }
        if let Some(bits) = Self::constant(second)
            && bits.is_power_of_two()
        {
            return self.shift_const(Shift::Shl, class, first, bits.trailing_zeros() as u8);
        }
        let size = size(class);
        match self.source(second) {
            Source::Imm(imm) => self.extend(class, first, |this, dst, src| match src {
                Source::Reg(reg) => this.b.asm.imul_rri(size, general(dst), general(reg), imm),
                Source::Mem(mem) => this.b.asm.imul_rmi(size, general(dst), mem, imm),
                _ => {}
            }),
            source => {
                // Like `alu`: the result goes where it is wanted, if the second operand is not there.
                let dst = match (self.destination(class), first.place(), second.place()) {
                    (Some(dst), ..) if self.in_register(first) == Some(dst) || !source.uses(dst) => dst,
                    (_, Place::Reg(reg), _) => reg,
                    _ => self.alloc(class),
                };
                if self.in_register(first) != Some(dst) {
                    self.load_value(dst, first);
                }
                match source {
                    Source::Reg(reg) => self.b.asm.imul_rr(size, general(dst), general(reg)),
                    Source::Mem(mem) => self.b.asm.imul_rm(size, general(dst), mem),
                    Source::Access(access) => {
                        self.note_access(access);
                        self.b.asm.imul_rm(size, general(dst), access.mem);
                    }
                    Source::Imm(_) => unreachable!("handled above"),
                }
                self.push_reg(class, dst);
            }
        }
    }

    fn shift_const(&mut self, shift: Shift, class: ValClass, value: Value, count: u8) {
        let size = size(class);
        let bits = if size == Size::S32 { 31 } else { 63 };
        let count = count & bits;
        // The counter of the other direction is the same rotation.
        let rotates = match shift {
            Shift::Rol => Some((bits + 1 - count) & bits),
            Shift::Ror => Some(count),
            _ => None,
        };
        if let (Some(right), true, Some(src)) = (rotates, self.cpu.bmi2, self.in_register(value)) {
            let dst = self.best_reg(class, value);
            self.b.asm.rorx_rri(size, general(dst), general(src), right);
            return self.push_reg(class, dst);
        }
        let dst = self.best_reg(class, value);
        if self.in_register(value) != Some(dst) {
            self.load_value(dst, value);
        }
        if count != 0 {
            self.b.asm.shift_ri(shift, size, general(dst), count);
        } else if class == ValClass::I32 && self.b.regs.dirty_upper.has(dst) {
            self.move_reg(class, dst, dst);
        }
        self.push_reg(class, dst);
    }

    pub(crate) fn shift(&mut self, shift: Shift, class: ValClass) {
        let by = self.pop();
        let value = self.pop();
        if let Some(count) = Self::constant(by) {
            return self.shift_const(shift, class, value, count as u8);
        }
        let size = size(class);
        if self.cpu.bmi2 && !matches!(shift, Shift::Rol | Shift::Ror) {
            let by = self.reg_of(by);
            let src = self.reg_of(value);
            let dst = self.best_reg(class, value);
            self.b.asm.shiftx_rrr(shift, size, general(dst), general(src), general(by));
            return self.push_reg(class, dst);
        }
        // The count has to be in rcx, and what is shifted elsewhere.
        let mut others = GENERAL;
        others.remove(RCX);
        self.b.regs.in_use.insert(RCX);
        let dst = if let Place::Reg(reg) = value.place()
            && reg != RCX
        {
            reg
        } else {
            let dst = self.alloc_in(others);
            self.load_value(dst, value);
            dst
        };
        if by.place() != Place::Reg(RCX) {
            if let Some(src) = self.in_register(by)
                && src == RCX
            {
                // A copy of a local is in rcx already, and may stay.
            } else {
                self.claim(RCX);
                self.load_value(RCX, by);
            }
        }
        self.b.asm.shift_rc(shift, size, general(dst));
        self.push_reg(class, dst);
    }

    pub(crate) fn divide(&mut self, division: Division, class: ValClass) {
        let divisor = self.pop();
        let dividend = self.pop();
        if let Some(bits) = Self::constant(divisor)
            && self.divide_by_const(division, class, dividend, bits)
        {
            return;
        }
        let size = size(class);
        // The dividend goes to rax, with its sign or zero in rdx; the divisor is anywhere else.
        self.b.regs.in_use.insert(RAX);
        self.b.regs.in_use.insert(RDX);
        let mut others = GENERAL;
        others.remove(RAX);
        others.remove(RDX);
        let by = match self.in_register(divisor) {
            Some(reg) if reg != RAX && reg != RDX => {
                self.b.regs.in_use.insert(reg);
                reg
            }
            _ => {
                let by = self.alloc_in(others);
                self.load_value(by, divisor);
                by
            }
        };
        let constant = Self::constant(divisor);
        // Whatever else is in the two goes; the dividend may be in one of them.
        match self.in_register(dividend) {
            Some(reg) if reg == RAX => self.claim_keeping_contents(RAX),
            _ => {
                self.claim(RAX);
                self.load_value(RAX, dividend);
            }
        }
        self.claim(RDX);
        let done = self.b.asm.new_label();
        let by_reg = general(by);
        let signals = self.unit.tunables.signals;
        if constant.is_none_or(|bits| bits == 0) && (division.is_signed() || !signals) {
            self.b.asm.test_rr(size, by_reg, by_reg);
            self.trap_if(Cond::Equal, Trap::IntegerDivisionByZero);
        }
        let minus_one = match size {
            Size::S32 => u64::from(u32::MAX),
            Size::S64 => u64::MAX,
        };
        let may_be_minus_one = constant.is_none_or(|bits| bits == minus_one);
        match division {
            Division::RemS if may_be_minus_one => {
                // The rest of a division by -1 is 0, also where the quotient does not fit.
                let divides = self.b.asm.new_label();
                self.b.asm.cmp_ri(size, by_reg, -1);
                self.b.asm.jcc_short(Cond::NotEqual, divides);
                self.b.asm.mov_ri(general(RDX), 0);
                self.b.asm.jmp_short(done);
                self.b.asm.bind(divides);
            }
            Division::DivS if may_be_minus_one && !signals => {
                let divides = self.b.asm.new_label();
                self.b.asm.cmp_ri(size, by_reg, -1);
                self.b.asm.jcc_short(Cond::NotEqual, divides);
                // Only the smallest number is its own negative and not 0.
                self.b.asm.mov_rr(size, general(SCRATCH), general(RAX));
                self.b.asm.unary_r(Unary::Neg, size, general(SCRATCH));
                self.trap_if(Cond::Overflow, Trap::IntegerOverflow);
                self.b.asm.bind(divides);
            }
            _ => {}
        }
        if division.is_signed() {
            self.b.asm.sign_to_rdx(size);
        } else {
            self.b.asm.mov_ri(general(RDX), 0);
        }
        if signals {
            // What the fault of the division itself means.
            let trap = match division {
                Division::DivS => Trap::IntegerOverflow,
                _ => Trap::IntegerDivisionByZero,
            };
            self.note_trap(trap, self.offset);
        }
        let unary = if division.is_signed() { Unary::Idiv } else { Unary::Div };
        self.b.asm.unary_r(unary, size, by_reg);
        self.b.asm.bind(done);
        self.push_reg(class, if division.is_rem() { RDX } else { RAX });
    }

    /// Marks `reg` as used and makes sure that it may be overwritten: a copy in it is given up.
    fn claim_keeping_contents(&mut self, reg: Reg) {
        if self.b.regs.copies.has(reg) {
            self.evict(reg);
        }
        self.b.regs.in_use.insert(reg);
        self.b.regs.dirty_upper.remove(reg);
    }

    /// Divisions by constants that need no division.
    fn divide_by_const(&mut self, division: Division, class: ValClass, dividend: Value, bits: u64) -> bool {
        if !bits.is_power_of_two() {
            return self.divide_by_multiplication(division, class, dividend, bits);
        }
        let log2 = bits.trailing_zeros() as u8;
        let size = size(class);
        let sign_bit = if size == Size::S32 { 31 } else { 63 };
        match division {
            Division::DivU => self.shift_const(Shift::Shr, class, dividend, log2),
            Division::RemU => {
                let reg = self.temp_of(dividend);
                match i32::try_from(bits - 1) {
                    Ok(mask) => self.b.asm.and_ri(size, general(reg), mask),
                    Err(_) => {
                        self.b.asm.mov_ri(general(SCRATCH), (bits - 1).cast_signed());
                        self.b.asm.and_rr(size, general(reg), general(SCRATCH));
                    }
                }
                self.push_reg(class, reg);
            }
            // By the smallest number, and by 1, which the way below does not do.
            Division::DivS | Division::RemS if log2 == 0 || log2 == sign_bit => return false,
            Division::DivS => {
                // Rounding to zero: the negative ones get divisor - 1 added first.
                let reg = general(self.temp_of(dividend));
                let scratch = general(SCRATCH);
                self.b.asm.mov_rr(size, scratch, reg);
                self.b.asm.shift_ri(Shift::Sar, size, scratch, sign_bit);
                self.b.asm.shift_ri(Shift::Shr, size, scratch, sign_bit + 1 - log2);
                self.b.asm.add_rr(size, reg, scratch);
                self.b.asm.shift_ri(Shift::Sar, size, reg, log2);
                self.push_reg(class, Reg::general(reg.number()));
            }
            Division::RemS => {
                let reg = general(self.temp_of(dividend));
                let scratch = general(SCRATCH);
                self.b.asm.mov_rr(size, scratch, reg);
                self.b.asm.shift_ri(Shift::Sar, size, scratch, sign_bit);
                self.b.asm.shift_ri(Shift::Shr, size, scratch, sign_bit + 1 - log2);
                self.b.asm.add_rr(size, reg, scratch);
                match i32::try_from(bits - 1) {
                    Ok(mask) => self.b.asm.and_ri(size, reg, mask),
                    Err(_) => {
                        let other = general(self.alloc(class));
                        self.b.asm.mov_ri(other, (bits - 1).cast_signed());
                        self.b.asm.and_rr(size, reg, other);
                    }
                }
                self.b.asm.sub_rr(size, reg, scratch);
                self.push_reg(class, Reg::general(reg.number()));
            }
        }
        true
    }

    /// Unsigned 32-bit divisions by other constants, as a multiplication by the inverse.
    fn divide_by_multiplication(
        &mut self,
        division: Division,
        class: ValClass,
        dividend: Value,
        bits: u64,
    ) -> bool {
        if class != ValClass::I32 || division.is_signed() || bits == 0 {
            return false;
        }
        // With p = 32 + ceil(log2 d) and m = ceil(2^p / d), n / d = n * m >> p for every n of 32 bits. m has
        // up to 33 bits: only those that fit 32 are done.
        let divisor = bits as u32;
        let log2 = 32 - (divisor - 1).leading_zeros();
        let mut shift = 32 + log2;
        let mut factor = (1u128 << shift).div_ceil(u128::from(divisor));
        while factor.is_multiple_of(2) && shift > 32 {
            factor /= 2;
            shift -= 1;
        }
        let Ok(factor) = u32::try_from(factor) else { return false };
        let src = self.reg_of(dividend);
        let quotient = self.alloc(class);
        let (src, dst, scratch) = (general(src), general(quotient), general(SCRATCH));
        // Both factors have 32 bits: the product has 64.
        self.b.asm.mov_rr(Size::S32, dst, src);
        self.b.asm.mov_ri(scratch, i64::from(factor));
        self.b.asm.imul_rr(Size::S64, dst, scratch);
        self.b.asm.shift_ri(Shift::Shr, Size::S64, dst, shift as u8);
        if division.is_rem() {
            self.b.asm.imul_rri(Size::S32, scratch, dst, divisor.cast_signed());
            self.b.asm.mov_rr(Size::S32, dst, src);
            self.b.asm.sub_rr(Size::S32, dst, scratch);
        }
        self.push_reg(class, quotient);
        true
    }

    pub(crate) fn count(&mut self, count: Count, class: ValClass) -> Result<(), CompileError> {
        let size = size(class);
        let bits = if size == Size::S32 { 32 } else { 64 };
        let has = match count {
            Count::Popcnt => self.cpu.popcnt,
            Count::Lzcnt => self.cpu.lzcnt,
            _ => self.cpu.bmi1,
        };
        if !has && count == Count::Popcnt {
            return Err(self.unsupported("popcnt on a machine without it"));
        }
        let value = self.pop();
        let source = self.source(value);
        if has {
            let dst = self.result_reg(class);
            match source {
                Source::Mem(mem) => self.b.asm.count_rm(count, size, general(dst), mem),
                source => {
                    let reg = self.source_reg(class, source);
                    self.b.asm.count_rr(count, size, general(dst), general(reg));
                }
            }
            self.push_reg(class, dst);
            return Ok(());
        }
        let (dst, other) = (self.alloc(class), self.alloc(class));
        let src = self.source_reg(class, source);
        let (dst, other, src) = (general(dst), general(other), general(src));
        let (scan, none) = match count {
            // One less than twice the width, turned over below, is the width.
            Count::Lzcnt => (Count::Bsr, 2 * bits - 1),
            _ => (Count::Bsf, bits),
        };
        self.b.asm.mov_ri(other, none);
        self.b.asm.count_rr(scan, size, dst, src);
        self.b.asm.cmov_rr(size, Cond::Equal, dst, other);
        if scan == Count::Bsr {
            self.b.asm.xor_ri(size, dst, (bits - 1) as i32);
        }
        self.push_reg(class, Reg::general(dst.number()));
        Ok(())
    }

    /// `first + second` or `first - second` on pairs of `i64`, low half first.
    pub(crate) fn wide_alu(&mut self, low: Alu, high: Alu) {
        let second_high = self.pop();
        let second_low = self.pop();
        let first_high = self.pop();
        let first_low = self.pop();
        let low_reg = self.temp_of(first_low);
        let high_reg = self.temp_of(first_high);
        // Nothing between the two may touch the carry: both operands are at hand before.
        let second_low = self.source(second_low);
        let second_high = self.source(second_high);
        self.emit_alu(low, Size::S64, low_reg, second_low);
        self.emit_alu(high, Size::S64, high_reg, second_high);
        self.push_reg(ValClass::I64, low_reg);
        self.push_reg(ValClass::I64, high_reg);
    }

    /// The product of two `i64` as a pair, low half first.
    pub(crate) fn wide_multiply(&mut self, unary: Unary) {
        let second = self.pop();
        let first = self.pop();
        self.b.regs.in_use.insert(RAX);
        self.b.regs.in_use.insert(RDX);
        let mut others = GENERAL;
        others.remove(RAX);
        others.remove(RDX);
        let by = match self.in_register(second) {
            Some(reg) if reg != RAX && reg != RDX => {
                self.b.regs.in_use.insert(reg);
                reg
            }
            _ => {
                let by = self.alloc_in(others);
                self.load_value(by, second);
                by
            }
        };
        match self.in_register(first) {
            Some(reg) if reg == RAX => self.claim_keeping_contents(RAX),
            _ => {
                self.claim(RAX);
                self.load_value(RAX, first);
            }
        }
        self.claim(RDX);
        self.b.asm.unary_r(unary, Size::S64, general(by));
        self.push_reg(ValClass::I64, RAX);
        self.push_reg(ValClass::I64, RDX);
    }

    /// A register with the index `value`, which was popped, zero-extended to 64 bits.
    #[inline]
    pub(crate) fn index_of(&mut self, value: Value) -> Reg {
        let reg = self.reg_of(value);
        if value.class() == ValClass::I32 && self.b.regs.dirty_upper.has(reg) {
            self.move_reg(ValClass::I32, reg, reg);
            self.b.regs.dirty_upper.remove(reg);
        }
        reg
    }

    pub(crate) fn select(&mut self) {
        let condition = self.pop();
        let other = self.pop();
        let value = self.pop();
        let class = value.class();
        let test = self.test_value(condition);
        let dst = match self.destination(class) {
            // Not where the other operand is read from after the first was loaded.
            Some(dst) if self.in_register(other) != Some(dst) => {
                if self.in_register(value) != Some(dst) {
                    self.load_value(dst, value);
                }
                dst
            }
            _ => self.temp_of(value),
        };
        self.keep_if(class, test, dst, other);
        let dirty = class == ValClass::I32 && !self.b.regs.is_pin(dst) && self.b.regs.dirty_upper.has(dst);
        self.push_reg(class, dst);
        if dirty {
            self.b.regs.dirty_upper.insert(dst);
        }
    }
}

/// The comparison with its operands swapped.
fn swapped(cond: Cond) -> Cond {
    match cond {
        Cond::Less => Cond::Greater,
        Cond::Greater => Cond::Less,
        Cond::LessEqual => Cond::GreaterEqual,
        Cond::GreaterEqual => Cond::LessEqual,
        Cond::Below => Cond::Above,
        Cond::Above => Cond::Below,
        Cond::BelowEqual => Cond::AboveEqual,
        Cond::AboveEqual => Cond::BelowEqual,
        other => other,
    }
}
