//! Floats: arithmetic, comparisons, conversions.

use super::asm::{Access, frame, general, size, vector};
use super::control::Test;
use super::{SCRATCH, VECTOR_SCRATCH};
use crate::func::FuncCompiler;
use crate::regs::Reg;
use crate::stack::{Place, Value};
use crate::traps::Late;
use tenure_abi::ValClass;
use tenure_asm::Label;
use tenure_asm::x64::{Cond, Mem, Shift, Size, Sse};
use tenure_code::CompileError;
use tenure_module::Item;
use tenure_types::Trap;

/// A row for each width of an operation on scalars.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub f32: Sse,
    pub f64: Sse,
}

impl Pair {
    fn of(self, class: ValClass) -> Sse {
        if class == ValClass::F32 { self.f32 } else { self.f64 }
    }
}

pub(crate) const ADD: Pair = Pair { f32: Sse::ADDSS, f64: Sse::ADDSD };
pub(crate) const SUB: Pair = Pair { f32: Sse::SUBSS, f64: Sse::SUBSD };
pub(crate) const MUL: Pair = Pair { f32: Sse::MULSS, f64: Sse::MULSD };
pub(crate) const DIV: Pair = Pair { f32: Sse::DIVSS, f64: Sse::DIVSD };
const MIN: Pair = Pair { f32: Sse::MINSS, f64: Sse::MINSD };
const MAX: Pair = Pair { f32: Sse::MAXSS, f64: Sse::MAXSD };
const SQRT: Pair = Pair { f32: Sse::SQRTSS, f64: Sse::SQRTSD };
const ROUND: Pair = Pair { f32: Sse::ROUNDSS, f64: Sse::ROUNDSD };
const UCOMIS: Pair = Pair { f32: Sse::UCOMISS, f64: Sse::UCOMISD };

/// How to round, as the instruction wants it; the highest bit keeps inexact results quiet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Rounding {
    Nearest = 8,
    Floor = 9,
    Ceil = 10,
    Trunc = 11,
}

/// A comparison of two floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FloatCompare {
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
}

/// A float operand of an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatSource {
    Reg(Reg),
    /// In the frame or behind the code.
    Mem(Mem),
    /// In a memory.
    Access(Access),
}

/// What is left of a conversion to an integer when the instruction said that it could not.
pub(crate) struct Conversion {
    pub label: Label,
    /// Where code goes on with a result in `dst`.
    pub back: Label,
    pub src: Reg,
    pub dst: Reg,
    pub from: ValClass,
    pub to: ValClass,
    pub signed: bool,
    /// Whether what does not fit becomes what is nearest, instead of a trap.
    pub saturates: bool,
    pub offset: u32,
}

const fn twice(word: u64) -> u128 {
    word as u128 | (word as u128) << 64
}

/// All bits but the sign, in every lane of `class`.
fn magnitude(class: ValClass) -> u128 {
    twice(if class == ValClass::F32 { 0x7fff_ffff_7fff_ffff } else { 0x7fff_ffff_ffff_ffff })
}

/// The sign, in every lane of `class`.
fn sign(class: ValClass) -> u128 {
    !magnitude(class)
}

/// The bits of `value` as a float of `class`; it has to be exact.
fn bits(class: ValClass, value: f64) -> u64 {
    if class == ValClass::F32 { u64::from((value as f32).to_bits()) } else { value.to_bits() }
}

const TWO_31: f64 = 2_147_483_648.0;
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

impl FuncCompiler<'_> {
    /// `value`, a float or vector that was popped, as an operand of an instruction.
    pub(crate) fn float_source(&mut self, value: Value) -> FloatSource {
        match value.place() {
            Place::Reg(reg) => FloatSource::Reg(reg),
            Place::Const(bits) => FloatSource::Mem(self.word(bits)),
            Place::Vector(number) => FloatSource::Mem(self.vector_mem(number)),
            Place::Local(local) => match self.b.regs.of(Item::local(local)) {
                Some(reg) => {
                    self.b.regs.in_use.insert(reg);
                    FloatSource::Reg(reg)
                }
                None => FloatSource::Mem(frame(self.read_local_home(local))),
            },
            Place::Home(height) => FloatSource::Mem(frame(self.frame.operand(height))),
            Place::Memory => {
                FloatSource::Access(self.folded.take().expect("set when the operand was pushed"))
            }
            Place::Flags(_) => unreachable!("the flags hold no float"),
        }
    }

    /// `dst op= source`, or `dst = op source`.
    pub(crate) fn emit_sse(&mut self, sse: Sse, dst: Reg, source: FloatSource) {
        match source {
            FloatSource::Reg(reg) => self.b.asm.sse_xx(sse, vector(dst), vector(reg)),
            FloatSource::Mem(mem) => self.b.asm.sse_xm(sse, vector(dst), mem),
            FloatSource::Access(access) => {
                self.note_access(access);
                self.b.asm.sse_xm(sse, vector(dst), access.mem);
            }
        }
    }

    /// `dst = first op source`
    pub(crate) fn emit_avx(&mut self, sse: Sse, dst: Reg, first: Reg, source: FloatSource) {
        match source {
            FloatSource::Reg(reg) => self.b.asm.avx_xxx(sse, vector(dst), vector(first), vector(reg)),
            FloatSource::Mem(mem) => self.b.asm.avx_xxm(sse, vector(dst), vector(first), mem),
            FloatSource::Access(access) => {
                self.note_access(access);
                self.b.asm.avx_xxm(sse, vector(dst), vector(first), access.mem);
            }
        }
    }

    /// Computes `first op second`, both popped, into the best register. In the older form memory has to be
    /// aligned if the row asks for it.
    pub(crate) fn combine(&mut self, sse: Sse, class: ValClass, first: Value, second: Value) -> Reg {
        let source = self.float_source(second);
        let destination = self.destination(class);
        if self.cpu.avx {
            let first_reg = self.reg_of(first);
            let dst = match (destination, first.place(), second.place()) {
                (Some(dst), ..) => dst,
                (None, Place::Reg(reg), _) | (None, _, Place::Reg(reg)) => reg,
                _ => self.alloc(class),
            };
            self.emit_avx(sse, dst, first_reg, source);
            return dst;
        }
        let is_source = |reg: Reg| matches!(source, FloatSource::Reg(other) if other == reg);
        let dst = match (destination, first.place()) {
            (Some(dst), _) if self.in_register(first) == Some(dst) || !is_source(dst) => dst,
            (_, Place::Reg(reg)) => reg,
            _ => self.alloc(class),
        };
        if self.in_register(first) != Some(dst) {
            self.load_value(dst, first);
        }
        self.emit_sse(sse, dst, source);
        dst
    }

    pub(crate) fn float_binary(&mut self, pair: Pair, class: ValClass) {
        let second = self.pop();
        let first = self.pop();
        let dst = self.combine(pair.of(class), class, first, second);
        self.canonicalize(class, dst);
        self.push_reg(class, dst);
    }

    /// Makes a NaN in `reg` the canonical one, if the settings ask for it.
    pub(crate) fn canonicalize(&mut self, class: ValClass, reg: Reg) {
        if !self.unit.tunables.canonical_nans {
            return;
        }
        let over = self.b.asm.new_label();
        self.b.asm.sse_xx(UCOMIS.of(class), vector(reg), vector(reg));
        self.b.asm.jcc_short(Cond::NoParity, over);
        self.load_const(class, reg, bits(class, f64::NAN) & !sign_bit(class));
        self.b.asm.bind(over);
    }

    /// The operand on top in a register to read from, and where to compute a float from it.
    fn float_unary_regs(&mut self, class: ValClass) -> (FloatSource, Reg) {
        let value = self.pop();
        let source = self.float_source(value);
        let dst = match (self.destination(class), value.place()) {
            (Some(dst), _) => dst,
            (None, Place::Reg(reg)) => reg,
            (None, _) => self.alloc(class),
        };
        (source, dst)
    }

    pub(crate) fn sqrt(&mut self, class: ValClass) {
        let (source, dst) = self.float_unary_regs(class);
        self.break_dependency(dst, source);
        self.emit_sse(SQRT.of(class), dst, source);
        self.canonicalize(class, dst);
        self.push_reg(class, dst);
    }

    /// Operations that write part of `dst` would wait for what it held before.
    fn break_dependency(&mut self, dst: Reg, source: FloatSource) {
        if !matches!(source, FloatSource::Reg(reg) if reg == dst) {
            self.b.asm.sse_xx(Sse::XORPS, vector(dst), vector(dst));
        }
    }

    pub(crate) fn round(&mut self, rounding: Rounding, class: ValClass) -> Result<(), CompileError> {
        if !self.cpu.sse41 {
            return Err(self.unsupported("rounding on a machine without SSE4.1"));
        }
        let (source, dst) = self.float_unary_regs(class);
        self.break_dependency(dst, source);
        let sse = ROUND.of(class);
        match source {
            FloatSource::Reg(reg) => self.b.asm.sse_xxi(sse, vector(dst), vector(reg), rounding as u8),
            FloatSource::Mem(mem) => self.b.asm.sse_xmi(sse, vector(dst), mem, rounding as u8),
            FloatSource::Access(_) => unreachable!("only arithmetic takes loads"),
        }
        self.canonicalize(class, dst);
        self.push_reg(class, dst);
        Ok(())
    }

    /// `abs` and `neg`: one bit of every lane.
    pub(crate) fn float_sign(&mut self, class: ValClass, negate: bool) {
        let value = self.pop();
        let (sse, mask) = if negate { (Sse::XORPS, sign(class)) } else { (Sse::ANDPS, magnitude(class)) };
        let mask = FloatSource::Mem(self.vector_of(mask));
        let dst = self.float_over(class, value);
        self.emit_sse(sse, dst, mask);
        self.push_reg(class, dst);
    }

    /// The best register for a result of `class`, with `value`, which was popped, in it.
    fn float_over(&mut self, class: ValClass, value: Value) -> Reg {
        match self.destination(class) {
            Some(dst) => {
                if self.in_register(value) != Some(dst) {
                    self.load_value(dst, value);
                }
                dst
            }
            None => self.temp_of(value),
        }
    }

    pub(crate) fn copysign(&mut self, class: ValClass) {
        let sign_of = self.pop();
        let value = self.pop();
        let (magnitude, sign) = (self.vector_of(magnitude(class)), self.vector_of(sign(class)));
        self.load_value(VECTOR_SCRATCH, sign_of);
        self.b.asm.sse_xm(Sse::ANDPS, vector(VECTOR_SCRATCH), sign);
        let dst = self.float_over(class, value);
        self.b.asm.sse_xm(Sse::ANDPS, vector(dst), magnitude);
        self.b.asm.sse_xx(Sse::ORPS, vector(dst), vector(VECTOR_SCRATCH));
        self.push_reg(class, dst);
    }

    /// `min` and `max`, which differ from the instructions for NaNs and zeros of both signs.
    pub(crate) fn min_max(&mut self, class: ValClass, is_min: bool) {
        let second = self.pop();
        let first = self.pop();
        let other = self.reg_of(second);
        let dst = self.temp_of(first);
        let (dst_x, other_x) = (vector(dst), vector(other));
        let (differ, ordered, done) =
            (self.b.asm.new_label(), self.b.asm.new_label(), self.b.asm.new_label());
        let asm = &mut self.b.asm;
        asm.sse_xx(UCOMIS.of(class), dst_x, other_x);
        asm.jcc_short(Cond::NotEqual, differ);
        asm.jcc_short(Cond::NoParity, ordered);
        // A NaN: the sum is one.
        asm.sse_xx(ADD.of(class), dst_x, other_x);
        asm.jmp_short(done);
        // Equal: only the signs of zeros may differ.
        asm.bind(ordered);
        asm.sse_xx(if is_min { Sse::ORPS } else { Sse::ANDPS }, dst_x, other_x);
        asm.jmp_short(done);
        asm.bind(differ);
        asm.sse_xx(if is_min { MIN } else { MAX }.of(class), dst_x, other_x);
        asm.bind(done);
        self.canonicalize(class, dst);
        self.push_reg(class, dst);
    }

    pub(crate) fn compare_floats(&mut self, compare: FloatCompare, class: ValClass) {
        let second = self.pop();
        let first = self.pop();
        // "Below" holds for what is unordered too: so always ask for "above".
        let (left, right, test) = match compare {
            FloatCompare::Eq => (first, second, Test::Equal),
            FloatCompare::Ne => (first, second, Test::NotEqual),
            FloatCompare::Gt => (first, second, Test::Cond(Cond::Above)),
            FloatCompare::Ge => (first, second, Test::Cond(Cond::AboveEqual)),
            FloatCompare::Lt => (second, first, Test::Cond(Cond::Above)),
            FloatCompare::Le => (second, first, Test::Cond(Cond::AboveEqual)),
        };
        let left = self.reg_of(left);
        let right = self.float_source(right);
        self.emit_sse(UCOMIS.of(class), left, right);
        self.push_test(test);
    }

    /// An integer of class `from` to a float of class `to`.
    pub(crate) fn convert_to_float(&mut self, from: ValClass, signed: bool, to: ValClass) {
        let value = self.pop();
        let mut src = if signed { self.reg_of(value) } else { self.index_of(value) };
        let dst = self.result_reg(to);
        let wide = if signed { size(from) } else { Size::S64 };
        let dst_x = vector(dst);
        self.b.asm.sse_xx(Sse::XORPS, dst_x, dst_x);
        if signed || from == ValClass::I32 {
            self.emit_convert(to, wide, dst, src);
            return self.push_reg(to, dst);
        }
        // Numbers that are negative as signed ones: half of it, rounded to odd, twice.
        let (big, done) = (self.b.asm.new_label(), self.b.asm.new_label());
        self.b.asm.test_rr(Size::S64, general(src), general(src));
        self.b.asm.jcc_short(Cond::Sign, big);
        self.emit_convert(to, wide, dst, src);
        self.b.asm.jmp_short(done);
        self.b.asm.bind(big);
        let half = match value.place() {
            Place::Reg(reg) => reg,
            _ => {
                // Written on one way only: it must not be what the other way goes on with.
                let half = SCRATCH;
                self.b.asm.mov_rr(Size::S64, general(half), general(src));
                half
            }
        };
        src = half;
        let odd = self.b.asm.new_label();
        self.b.asm.shift_ri(Shift::Shr, Size::S64, general(src), 1);
        self.b.asm.jcc_short(Cond::AboveEqual, odd);
        self.b.asm.or_ri(Size::S64, general(src), 1);
        self.b.asm.bind(odd);
        self.emit_convert(to, wide, dst, src);
        let add = ADD.of(to);
        self.b.asm.sse_xx(add, dst_x, dst_x);
        self.b.asm.bind(done);
        self.push_reg(to, dst);
    }

    fn emit_convert(&mut self, to: ValClass, size: Size, dst: Reg, src: Reg) {
        match to {
            ValClass::F32 => self.b.asm.cvtsi2ss_xr(size, vector(dst), general(src)),
            _ => self.b.asm.cvtsi2sd_xr(size, vector(dst), general(src)),
        }
    }

    fn emit_truncate(&mut self, from: ValClass, size: Size, dst: Reg, src: Reg) {
        match from {
            ValClass::F32 => self.b.asm.cvttss2si_rx(size, general(dst), vector(src)),
            _ => self.b.asm.cvttsd2si_rx(size, general(dst), vector(src)),
        }
    }

    pub(crate) fn change_float_width(&mut self, to: ValClass) {
        let value = self.pop();
        let source = self.float_source(value);
        let dst = match (self.destination(to), value.place()) {
            (Some(dst), _) => dst,
            (None, Place::Reg(reg)) => reg,
            (None, _) => self.alloc(to),
        };
        self.break_dependency(dst, source);
        let sse = if to == ValClass::F32 { Sse::CVTSD2SS } else { Sse::CVTSS2SD };
        self.emit_sse(sse, dst, source);
        self.canonicalize(to, dst);
        self.push_reg(to, dst);
    }

    /// The same bits as another class of the same width.
    pub(crate) fn reinterpret(&mut self, to: ValClass) {
        let value = self.pop();
        let from = if let Some(reg) = self.in_register(value) {
            Some(reg)
        } else if let Place::Const(bits) = value.place() {
            return self.push_const(to, bits);
        } else {
            None
        };
        let dst = self.result_reg(to);
        match from {
            Some(reg) if to.is_int() => self.b.asm.movq_rx(size(to), general(dst), vector(reg)),
            Some(reg) => self.b.asm.movq_xr(size(value.class()), vector(dst), general(reg)),
            // Memory knows no classes.
            None => self.load_value(dst, Value::new(to, value.place())),
        }
        self.push_reg(to, dst);
    }

    /// A float of class `from` to an integer of class `to`, rounded to zero.
    pub(crate) fn truncate_float(&mut self, from: ValClass, to: ValClass, signed: bool, saturates: bool) {
        let value = self.pop();
        let src = self.reg_of(value);
        let dst = self.result_reg(to);
        let (label, back) = (self.b.asm.new_label(), self.b.asm.new_label());
        let dst_r = general(dst);
        let scratch = general(SCRATCH);
        match (signed, to) {
            (true, _) => {
                // The smallest integer may mean that there is none: only it overflows here.
                self.emit_truncate(from, size(to), dst, src);
                self.b.asm.cmp_ri(size(to), dst_r, 1);
                self.b.asm.jcc(Cond::Overflow, label);
            }
            (false, ValClass::I32) => {
                self.emit_truncate(from, Size::S64, dst, src);
                self.b.asm.mov_rr(Size::S32, scratch, dst_r);
                self.b.asm.cmp_rr(Size::S64, scratch, dst_r);
                self.b.asm.jcc(Cond::NotEqual, label);
            }
            (false, _) => {
                let big = self.b.asm.new_label();
                let limit = self.word(bits(from, TWO_63));
                self.b.asm.sse_xm(UCOMIS.of(from), vector(src), limit);
                self.b.asm.jcc_short(Cond::AboveEqual, big);
                self.emit_truncate(from, Size::S64, dst, src);
                self.b.asm.test_rr(Size::S64, dst_r, dst_r);
                self.b.asm.jcc(Cond::Sign, label);
                self.b.asm.jmp(back);
                self.b.asm.bind(big);
                self.move_reg(from, VECTOR_SCRATCH, src);
                self.b.asm.sse_xm(SUB.of(from), vector(VECTOR_SCRATCH), limit);
                self.emit_truncate(from, Size::S64, dst, VECTOR_SCRATCH);
                self.b.asm.test_rr(Size::S64, dst_r, dst_r);
                self.b.asm.jcc(Cond::Sign, label);
                self.b.asm.mov_ri(scratch, i64::MIN);
                self.b.asm.add_rr(Size::S64, dst_r, scratch);
            }
        }
        self.b.asm.bind(back);
        if !self.unit.tunables.signals {
            self.leaf = false;
        }
        self.b.late.push(Late::Conversion(Conversion {
            label,
            back,
            src,
            dst,
            from,
            to,
            signed,
            saturates,
            offset: self.offset,
        }));
        self.push_reg(to, dst);
    }

    /// The rest of a conversion: decides between the traps, or takes what is nearest.
    pub(crate) fn write_conversion(&mut self, conversion: Conversion) {
        let Conversion { label, back, src, dst, from, to, signed, saturates, offset } = conversion;
        self.b.asm.bind(label);
        self.offset = offset;
        let (src_x, ucomis) = (vector(src), UCOMIS.of(from));
        let zero = self.word(0);
        if saturates {
            let (smallest, largest) = match (signed, to) {
                (true, ValClass::I32) => (i64::from(i32::MIN), i64::from(i32::MAX)),
                (true, _) => (i64::MIN, i64::MAX),
                (false, ValClass::I32) => (0, i64::from(u32::MAX)),
                (false, _) => (0, -1),
            };
            // NaN is 0.
            let ordered = self.b.asm.new_label();
            self.b.asm.sse_xx(ucomis, src_x, src_x);
            self.b.asm.jcc_short(Cond::NoParity, ordered);
            self.b.asm.mov_ri(general(dst), 0);
            self.b.asm.jmp(back);
            self.b.asm.bind(ordered);
            self.b.asm.mov_ri(
                general(dst),
                if to == ValClass::I32 { i64::from(smallest as u32) } else { smallest },
            );
            self.b.asm.sse_xm(ucomis, src_x, zero);
            self.b.asm.jcc(Cond::Below, back);
            self.b.asm.mov_ri(general(dst), largest);
            self.b.asm.jmp(back);
            return;
        }
        let ordered = self.b.asm.new_label();
        self.b.asm.sse_xx(ucomis, src_x, src_x);
        self.b.asm.jcc(Cond::NoParity, ordered);
        self.trap(Trap::BadConversionToInteger);
        self.b.asm.bind(ordered);
        if signed {
            // The smallest integer itself is right. Below it is what is at most one less, or, where floats have
            // no such number, what is less than it.
            let (low, low_fits, high) = match (to, from) {
                (ValClass::I32, ValClass::F64) => (-TWO_31 - 1.0, false, TWO_31),
                (ValClass::I32, _) => (-TWO_31, true, TWO_31),
                (_, _) => (-TWO_63, true, TWO_63),
            };
            let overflow = self.b.asm.new_label();
            let (low, high) = (self.word(bits(from, low)), self.word(bits(from, high)));
            self.b.asm.sse_xm(ucomis, src_x, high);
            self.b.asm.jcc(Cond::AboveEqual, overflow);
            self.b.asm.sse_xm(ucomis, src_x, low);
            self.b.asm.jcc(if low_fits { Cond::AboveEqual } else { Cond::Above }, back);
            self.b.asm.bind(overflow);
        }
        self.trap(Trap::IntegerOverflow);
    }
}

/// The sign bit of a float of `class`.
fn sign_bit(class: ValClass) -> u64 {
    if class == ValClass::F32 { 1 << 31 } else { 1 << 63 }
}
