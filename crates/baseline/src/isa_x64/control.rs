//! Tests and jumps.

use super::SCRATCH;
use super::asm::{Source, general, size};
use crate::func::FuncCompiler;
use crate::regs::Reg;
use crate::stack::{Place, Value};
use crate::tuning::CHAIN_TARGETS;
use tenure_abi::ValClass;
use tenure_asm::Label;
use tenure_asm::x64::{Alu, Cond, Mem, Scale, Size};

/// What the flags say after a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Test {
    Cond(Cond),
    /// Two floats are equal, and ordered.
    Equal,
    /// Two floats are not equal, or not ordered.
    NotEqual,
}

impl Test {
    /// The test that holds exactly when this one does not.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Cond(cond) => Self::Cond(cond.negate()),
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
        }
    }

    /// The test as a number, for [`Test::of_number`].
    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Cond(cond) => cond as u8,
            Self::Equal => 16,
            Self::NotEqual => 17,
        }
    }

    #[inline(always)]
    pub(crate) const fn of_number(number: u8) -> Self {
        match number {
            16 => Self::Equal,
            17 => Self::NotEqual,
            _ => Self::Cond(Cond::ALL[(number & 15) as usize]),
        }
    }

    /// After a comparison with 0: it is not.
    pub(crate) const NOT_ZERO: Self = Self::Cond(Cond::NotEqual);
}

impl FuncCompiler<'_> {
    /// Sets the flags by whether `value`, which was popped, is zero; the test that holds when it is not.
    pub(crate) fn test_value(&mut self, value: Value) -> Test {
        if let Place::Flags(test) = value.place() {
            return test;
        }
        let size = size(value.class());
        match self.source(value) {
            Source::Mem(mem) => self.b.asm.cmp_mi(size, mem, 0),
            Source::Access(access) => {
                self.note_access(access);
                self.b.asm.cmp_mi(size, access.mem, 0);
            }
            // The instruction before may have made the register, and the flags with it.
            Source::Reg(reg) if self.tested == Some((reg, size, self.here())) => {}
            Source::Reg(reg) => self.b.asm.test_rr(size, general(reg), general(reg)),
            Source::Imm(imm) => {
                self.b.asm.mov_ri(general(SCRATCH), i64::from(imm));
                self.b.asm.test_rr(size, general(SCRATCH), general(SCRATCH));
            }
        }
        Test::NOT_ZERO
    }

    /// Jumps to `label` if `test` holds.
    pub(crate) fn jump_if(&mut self, test: Test, label: Label) {
        let asm = &mut self.b.asm;
        match test {
            Test::Cond(cond) => asm.jcc(cond, label),
            Test::NotEqual => {
                asm.jcc(Cond::Parity, label);
                asm.jcc(Cond::NotEqual, label);
            }
            Test::Equal => {
                let over = asm.new_label();
                asm.jcc_short(Cond::Parity, over);
                asm.jcc(Cond::Equal, label);
                asm.bind(over);
            }
        }
    }

    /// Jumps to `label` unless `test` holds.
    pub(crate) fn jump_unless(&mut self, test: Test, label: Label) {
        self.jump_if(test.negate(), label);
    }

    /// Jumps to the target of the number in `index`, or to `default` when there is none.
    pub(crate) fn dispatch(&mut self, index: Reg, targets: &[Label], default: Label) {
        let index = general(index);
        if targets.len() <= CHAIN_TARGETS {
            for (at, &target) in targets.iter().enumerate() {
                match at {
                    0 => self.b.asm.test_rr(Size::S32, index, index),
                    _ => self.b.asm.alu_ri(Alu::Cmp, Size::S32, index, at as i32),
                }
                self.b.asm.jcc(Cond::Equal, target);
            }
            self.b.asm.jmp(default);
            return;
        }
        let count = targets.len() as i32;
        let table = self.b.asm.new_label();
        let constants = &mut self.b.constants;
        let from = constants.targets.len() as u32;
        constants.targets.extend_from_slice(targets);
        constants.tables.push((table, from, from + targets.len() as u32));
        // The upper half has to be zero for the address.
        let asm = &mut self.b.asm;
        asm.mov_rr(Size::S32, index, index);
        asm.alu_ri(Alu::Cmp, Size::S32, index, count);
        asm.jcc(Cond::AboveEqual, default);
        let scratch = general(SCRATCH);
        asm.lea(Size::S64, scratch, Mem::label(table));
        let entry = Mem::indexed(scratch, index, Scale::X4, 0);
        asm.movsx_rm(Size::S64, tenure_asm::x64::Width::W32, index, entry);
        asm.alu_rr(Alu::Add, Size::S64, scratch, index);
        asm.jmp_r(scratch);
    }

    /// `dst = condition ? dst : other`, by flags that stay as they are.
    pub(crate) fn keep_if(&mut self, class: ValClass, test: Test, dst: Reg, other: Value) {
        if !class.is_int() {
            let over = self.b.asm.new_label();
            match test {
                Test::Cond(cond) => self.b.asm.jcc(cond, over),
                other => self.jump_if(other, over),
            }
            self.load_value(dst, other);
            self.b.asm.bind(over);
            return;
        }
        let other = match self.source(other) {
            Source::Imm(imm) => {
                self.load_const(class, SCRATCH, i64::from(imm).cast_unsigned());
                Source::Reg(SCRATCH)
            }
            other => other,
        };
        let conds: [Option<Cond>; 2] = match test {
            Test::Cond(cond) => [Some(cond.negate()), None],
            Test::Equal => [Some(Cond::NotEqual), Some(Cond::Parity)],
            // Equal and ordered has no condition of its own: a jump instead.
            Test::NotEqual => {
                let over = self.b.asm.new_label();
                self.jump_if(test, over);
                match other {
                    Source::Reg(reg) => self.move_reg(class, dst, reg),
                    Source::Mem(mem) => self.load_mem(class, dst, mem),
                    _ => unreachable!("`select` takes no fleeting operands"),
                }
                self.b.asm.bind(over);
                return;
            }
        };
        for cond in conds.into_iter().flatten() {
            match other {
                Source::Reg(reg) => self.b.asm.cmov_rr(size(class), cond, general(dst), general(reg)),
                Source::Mem(mem) => self.b.asm.cmov_rm(size(class), cond, general(dst), mem),
                _ => unreachable!("`select` takes no fleeting operands"),
            }
        }
    }
}
