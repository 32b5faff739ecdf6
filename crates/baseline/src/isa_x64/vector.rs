//! Vectors.
//!
//! All of it takes SSE4.1, which [`FuncCompiler::need_vectors`] asks for. With AVX results go where they are wanted
//! at once; without, first operands are copied there.

use super::asm::{general, vector};
use super::float::{FloatSource, Rounding};
use super::{SCRATCH, VECTOR, VECTOR_SCRATCH};
use crate::func::FuncCompiler;
use crate::isa_x64::control::Test;
use crate::regs::Reg;
use crate::stack::{Place, Value};
use tenure_abi::ValClass;
use tenure_asm::x64::{Cond, LaneShift, Mem, Size, Sse, Width};
use tenure_code::CompileError;

const V128: ValClass = ValClass::V128;

/// How the lanes of a vector are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    I8,
    I16,
    I32,
    I64,
}

/// Which lanes of a vector become wider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Half {
    Low,
    High,
}

/// A shift of every lane by a scalar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VectorShift {
    Shl,
    ShrS,
    ShrU,
}

/// The byte in every lane of 8 bits.
const fn bytes(byte: u8) -> u128 {
    u128::from_le_bytes([byte; 16])
}

/// The word in every lane of 32 bits.
const fn words(word: u32) -> u128 {
    word as u128 * 0x1_0000_0001_0000_0001_0000_0001
}

/// The float in every lane of 64 bits.
const fn doubles(value: f64) -> u128 {
    let bits = value.to_bits() as u128;
    bits | bits << 64
}

impl Lanes {
    fn bits(self) -> u8 {
        match self {
            Self::I8 => 8,
            Self::I16 => 16,
            Self::I32 => 32,
            Self::I64 => 64,
        }
    }

    fn equal(self) -> Sse {
        match self {
            Self::I8 => Sse::PCMPEQB,
            Self::I16 => Sse::PCMPEQW,
            Self::I32 => Sse::PCMPEQD,
            Self::I64 => Sse::PCMPEQQ,
        }
    }

    fn greater(self) -> Sse {
        match self {
            Self::I8 => Sse::PCMPGTB,
            Self::I16 => Sse::PCMPGTW,
            Self::I32 => Sse::PCMPGTD,
            Self::I64 => Sse::PCMPGTQ,
        }
    }

    fn subtract(self) -> Sse {
        match self {
            Self::I8 => Sse::PSUBB,
            Self::I16 => Sse::PSUBW,
            Self::I32 => Sse::PSUBD,
            Self::I64 => Sse::PSUBQ,
        }
    }

    /// The unsigned minimum and maximum.
    fn unsigned_bounds(self) -> (Sse, Sse) {
        match self {
            Self::I8 => (Sse::PMINUB, Sse::PMAXUB),
            Self::I16 => (Sse::PMINUW, Sse::PMAXUW),
            Self::I32 | Self::I64 => (Sse::PMINUD, Sse::PMAXUD),
        }
    }
}

/// Operands and results.
impl FuncCompiler<'_> {
    /// Refuses vectors on machines that lack most of what they take.
    pub(crate) fn need_vectors(&self) -> Result<(), CompileError> {
        if self.cpu.sse41 {
            return Ok(());
        }
        Err(self.unsupported("simd on a machine without SSE4.1"))
    }

    /// Pushes the vector constant `bits`.
    pub(crate) fn push_vector(&mut self, bits: u128) {
        let number = self.b.constants.vector(bits);
        self.push(V128, Place::Vector(number));
    }

    fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    fn push_v128(&mut self, reg: Reg) {
        self.push_reg(V128, reg);
    }

    /// A temp with the vector on top.
    fn pop_vector_temp(&mut self) -> Reg {
        let value = self.pop();
        self.temp_of(value)
    }

    /// `dst op= src`, between registers.
    fn vx(&mut self, sse: Sse, dst: Reg, src: Reg) {
        self.b.asm.sse_xx(sse, vector(dst), vector(src));
    }

    /// `dst op= [mem]`; aligned.
    fn vm(&mut self, sse: Sse, dst: Reg, mem: Mem) {
        self.b.asm.sse_xm(sse, vector(dst), mem);
    }

    /// `dst op= constant`
    fn vc(&mut self, sse: Sse, dst: Reg, bits: u128) {
        let mem = self.vector_of(bits);
        self.vm(sse, dst, mem);
    }

    fn vshift(&mut self, shift: LaneShift, dst: Reg, count: u8) {
        self.b.asm.lane_shift_xi(shift, vector(dst), count);
    }

    fn vmove(&mut self, dst: Reg, src: Reg) {
        self.move_reg(V128, dst, src);
    }

    fn zero(&mut self, dst: Reg) {
        self.vx(Sse::PXOR, dst, dst);
    }

    fn ones(&mut self, dst: Reg) {
        self.vx(Sse::PCMPEQD, dst, dst);
    }

    /// `first op second`
    pub(crate) fn vector_binary(&mut self, sse: Sse) {
        let (first, second) = self.pop2();
        let dst = self.combine(sse, V128, first, second);
        self.push_v128(dst);
    }

    /// `second op first`
    pub(crate) fn vector_swapped(&mut self, sse: Sse) {
        let (first, second) = self.pop2();
        let dst = self.combine(sse, V128, second, first);
        self.push_v128(dst);
    }

    /// `first op second`, and NaNs canonical if the settings ask for it.
    pub(crate) fn float_lanes_binary(&mut self, class: ValClass, sse: Sse) {
        let (first, second) = self.pop2();
        let dst = self.combine(sse, V128, first, second);
        self.canonicalize_lanes(class, dst);
        self.push_v128(dst);
    }

    /// `op value`, for operations that take one operand.
    pub(crate) fn vector_unary(&mut self, sse: Sse) {
        let (source, dst) = self.vector_unary_regs();
        self.emit_sse(sse, dst, source);
        self.push_v128(dst);
    }

    /// The same, and NaNs canonical if the settings ask for it.
    pub(crate) fn float_lanes_unary(&mut self, class: ValClass, sse: Sse) {
        let (source, dst) = self.vector_unary_regs();
        self.emit_sse(sse, dst, source);
        self.canonicalize_lanes(class, dst);
        self.push_v128(dst);
    }

    /// The vector on top as an operand, and where to compute a vector from it.
    fn vector_unary_regs(&mut self) -> (FloatSource, Reg) {
        let value = self.pop();
        let source = self.float_source(value);
        let dst = match (self.destination(V128), value.place()) {
            (Some(dst), _) => dst,
            (None, Place::Reg(reg)) => reg,
            (None, _) => self.alloc(V128),
        };
        (source, dst)
    }

    /// `dst = op source`, with a byte that says how.
    fn emit_sse_how(&mut self, sse: Sse, dst: Reg, source: FloatSource, how: u8) {
        match source {
            FloatSource::Reg(reg) => self.b.asm.sse_xxi(sse, vector(dst), vector(reg), how),
            FloatSource::Mem(mem) => self.b.asm.sse_xmi(sse, vector(dst), mem, how),
            FloatSource::Access(_) => unreachable!("no vector is loaded by another operator"),
        }
    }

    /// Lanes of `class` in `reg` that are NaN become the canonical one, if the settings ask for it.
    pub(crate) fn canonicalize_lanes(&mut self, class: ValClass, reg: Reg) {
        if !self.unit.tunables.canonical_nans {
            return;
        }
        let (compare, nan) = match class {
            ValClass::F32 => (Sse::CMPPS, words(0x7fc0_0000)),
            _ => (Sse::CMPPD, 0x7ff8_0000_0000_0000 << 64 | 0x7ff8_0000_0000_0000),
        };
        let canonical = self.alloc_in(VECTOR);
        self.vmove(VECTOR_SCRATCH, reg);
        // Unordered.
        self.b.asm.sse_xxi(compare, vector(VECTOR_SCRATCH), vector(reg), 3);
        self.vmove(canonical, VECTOR_SCRATCH);
        self.vc(Sse::ANDPS, canonical, nan);
        self.vx(Sse::ANDNPS, VECTOR_SCRATCH, reg);
        self.vx(Sse::ORPS, VECTOR_SCRATCH, canonical);
        self.vmove(reg, VECTOR_SCRATCH);
    }
}

/// Bits and comparisons.
impl FuncCompiler<'_> {
    /// Turns every bit of `reg` over.
    fn turn_over(&mut self, reg: Reg) {
        self.ones(VECTOR_SCRATCH);
        self.vx(Sse::PXOR, reg, VECTOR_SCRATCH);
    }

    pub(crate) fn vector_not(&mut self) {
        let reg = self.pop_vector_temp();
        self.turn_over(reg);
        self.push_v128(reg);
    }

    /// Bits of the first operand where the third has ones, else of the second.
    pub(crate) fn bitselect(&mut self) {
        let mask = self.pop();
        let (first, second) = self.pop2();
        let second = self.reg_of(second);
        let reg = self.temp_of(first);
        let mask = self.float_source(mask);
        self.vx(Sse::PXOR, reg, second);
        self.emit_sse(Sse::PAND, reg, mask);
        self.vx(Sse::PXOR, reg, second);
        self.push_v128(reg);
    }

    /// Lanes of the first operand where the third has its highest bit set, else of the second.
    pub(crate) fn select_lanes(&mut self, lanes: Lanes) -> Result<(), CompileError> {
        if !self.cpu.avx {
            return Err(self.unsupported("relaxed lane selection on a machine without AVX"));
        }
        let mask = self.pop();
        let (first, second) = self.pop2();
        let mask = self.reg_of(mask);
        let first = self.reg_of(first);
        let second = self.reg_of(second);
        let dst = self.result_reg(V128);
        let (dst_x, first, second, mask) = (vector(dst), vector(first), vector(second), vector(mask));
        match lanes {
            Lanes::I8 | Lanes::I16 => self.b.asm.vpblendvb_xxxx(dst_x, second, first, mask),
            Lanes::I32 => self.b.asm.vblendvps_xxxx(dst_x, second, first, mask),
            Lanes::I64 => self.b.asm.vblendvpd_xxxx(dst_x, second, first, mask),
        }
        self.push_v128(dst);
        Ok(())
    }

    pub(crate) fn any_true(&mut self) {
        let value = self.pop();
        let reg = self.reg_of(value);
        self.vx(Sse::PTEST, reg, reg);
        self.push_test(Test::Cond(Cond::NotEqual));
    }

    pub(crate) fn all_true(&mut self, lanes: Lanes) {
        let value = self.pop();
        let source = self.float_source(value);
        self.zero(VECTOR_SCRATCH);
        self.emit_sse(lanes.equal(), VECTOR_SCRATCH, source);
        self.vx(Sse::PTEST, VECTOR_SCRATCH, VECTOR_SCRATCH);
        self.push_test(Test::Cond(Cond::Equal));
    }

    /// The highest bit of each lane.
    pub(crate) fn bitmask(&mut self, lanes: Lanes) {
        let value = self.pop();
        let reg = self.reg_of(value);
        let dst = self.result_reg(ValClass::I32);
        let dst_r = general(dst);
        match lanes {
            Lanes::I8 => self.b.asm.pmovmskb_rx(dst_r, vector(reg)),
            Lanes::I16 => {
                self.vmove(VECTOR_SCRATCH, reg);
                self.vx(Sse::PACKSSWB, VECTOR_SCRATCH, VECTOR_SCRATCH);
                self.b.asm.pmovmskb_rx(dst_r, vector(VECTOR_SCRATCH));
                self.b.asm.movzx_rr(Width::W8, dst_r, dst_r);
            }
            Lanes::I32 => self.b.asm.movmskps_rx(dst_r, vector(reg)),
            Lanes::I64 => self.b.asm.movmskpd_rx(dst_r, vector(reg)),
        }
        self.push_reg(ValClass::I32, dst);
    }

    pub(crate) fn lanes_equal(&mut self, lanes: Lanes, negate: bool) {
        let (first, second) = self.pop2();
        let dst = self.combine(lanes.equal(), V128, first, second);
        if negate {
            self.turn_over(dst);
        }
        self.push_v128(dst);
    }

    /// `first > second`, signed; with `swap` the other way round.
    pub(crate) fn lanes_greater(
        &mut self,
        lanes: Lanes,
        swap: bool,
        negate: bool,
    ) -> Result<(), CompileError> {
        if lanes == Lanes::I64 && !self.cpu.sse42 {
            return Err(self.unsupported("comparisons of 64-bit lanes on a machine without SSE4.2"));
        }
        let (mut first, mut second) = self.pop2();
        if swap {
            std::mem::swap(&mut first, &mut second);
        }
        let dst = self.combine(lanes.greater(), V128, first, second);
        if negate {
            self.turn_over(dst);
        }
        self.push_v128(dst);
        Ok(())
    }

    /// `first >= second`, unsigned; with `less` `first <= second`.
    pub(crate) fn lanes_bounded(&mut self, lanes: Lanes, less: bool, negate: bool) {
        // It is if the first is the greater (or lesser) of the two.
        let (first, second) = self.pop2();
        let second = self.float_source(second);
        let first_reg = self.reg_of(first);
        let (least, greatest) = lanes.unsigned_bounds();
        let bound = if less { least } else { greatest };
        self.vmove(VECTOR_SCRATCH, first_reg);
        self.emit_sse(bound, VECTOR_SCRATCH, second);
        let dst = self.temp_of(first);
        self.vx(lanes.equal(), dst, VECTOR_SCRATCH);
        if negate {
            self.turn_over(dst);
        }
        self.push_v128(dst);
    }

    /// A comparison of floats: `how` is the instruction's number for it.
    pub(crate) fn compare_float_lanes(&mut self, sse: Sse, how: u8, swap: bool) {
        let (mut first, mut second) = self.pop2();
        if swap {
            std::mem::swap(&mut first, &mut second);
        }
        let source = self.float_source(second);
        let dst = self.temp_of(first);
        self.emit_sse_how(sse, dst, source, how);
        self.push_v128(dst);
    }
}

/// Lanes.
impl FuncCompiler<'_> {
    pub(crate) fn splat(&mut self, lanes: Lanes) {
        let value = self.pop();
        let src = self.reg_of(value);
        let dst = self.result_reg(V128);
        let size = if lanes == Lanes::I64 { Size::S64 } else { Size::S32 };
        self.b.asm.movq_xr(size, vector(dst), general(src));
        self.splat_lowest(lanes, dst);
        self.push_v128(dst);
    }

    /// The lowest lane of `reg` in all lanes.
    fn splat_lowest(&mut self, lanes: Lanes, reg: Reg) {
        let x = vector(reg);
        match lanes {
            Lanes::I8 if self.cpu.avx2 => self.b.asm.avx_xx(Sse::VPBROADCASTB, x, x),
            Lanes::I8 => {
                self.zero(VECTOR_SCRATCH);
                self.vx(Sse::PSHUFB, reg, VECTOR_SCRATCH);
            }
            Lanes::I16 if self.cpu.avx2 => self.b.asm.avx_xx(Sse::VPBROADCASTW, x, x),
            Lanes::I16 => {
                self.b.asm.sse_xxi(Sse::PSHUFLW, x, x, 0);
                self.b.asm.sse_xxi(Sse::PSHUFD, x, x, 0);
            }
            Lanes::I32 => self.b.asm.sse_xxi(Sse::PSHUFD, x, x, 0),
            Lanes::I64 => self.vx(Sse::PUNPCKLQDQ, reg, reg),
        }
    }

    pub(crate) fn splat_float(&mut self, class: ValClass) {
        let value = self.pop();
        let src = self.reg_of(value);
        let dst = self.result_reg(V128);
        match class {
            ValClass::F32 => self.b.asm.sse_xxi(Sse::PSHUFD, vector(dst), vector(src), 0),
            _ => self.vx(Sse::MOVDDUP, dst, src),
        }
        self.push_v128(dst);
    }

    pub(crate) fn extract_lane(&mut self, lanes: Lanes, lane: u8, signed: bool) {
        let value = self.pop();
        let src = self.reg_of(value);
        let class = if lanes == Lanes::I64 { ValClass::I64 } else { ValClass::I32 };
        let dst = self.result_reg(class);
        let (dst_r, src_x) = (general(dst), vector(src));
        match lanes {
            Lanes::I8 => {
                self.b.asm.pextrb_rxi(dst_r, src_x, lane);
                if signed {
                    self.b.asm.movsx_rr(Size::S32, Width::W8, dst_r, dst_r);
                }
            }
            Lanes::I16 => {
                self.b.asm.pextrw_rxi(dst_r, src_x, lane);
                if signed {
                    self.b.asm.movsx_rr(Size::S32, Width::W16, dst_r, dst_r);
                }
            }
            Lanes::I32 if lane == 0 => self.b.asm.movq_rx(Size::S32, dst_r, src_x),
            Lanes::I64 if lane == 0 => self.b.asm.movq_rx(Size::S64, dst_r, src_x),
            Lanes::I32 => self.b.asm.pextr_rxi(Size::S32, dst_r, src_x, lane),
            Lanes::I64 => self.b.asm.pextr_rxi(Size::S64, dst_r, src_x, lane),
        }
        self.push_reg(class, dst);
    }

    pub(crate) fn extract_float(&mut self, class: ValClass, lane: u8) {
        let value = self.pop();
        let src = self.reg_of(value);
        let dst = self.result_reg(class);
        match (class, lane) {
            (_, 0) => self.vmove(dst, src),
            (ValClass::F32, _) => self.b.asm.sse_xxi(Sse::PSHUFD, vector(dst), vector(src), lane),
            // The high half in both.
            _ => self.b.asm.sse_xxi(Sse::PSHUFD, vector(dst), vector(src), 0xee),
        }
        self.push_reg(class, dst);
    }

    pub(crate) fn replace_lane(&mut self, lanes: Lanes, lane: u8) {
        let value = self.pop();
        let src = general(self.reg_of(value));
        let reg = self.pop_vector_temp();
        let dst = vector(reg);
        match lanes {
            Lanes::I8 => self.b.asm.pinsrb_xri(dst, src, lane),
            Lanes::I16 => self.b.asm.pinsrw_xri(dst, src, lane),
            Lanes::I32 => self.b.asm.pinsr_xri(Size::S32, dst, src, lane),
            Lanes::I64 => self.b.asm.pinsr_xri(Size::S64, dst, src, lane),
        }
        self.push_v128(reg);
    }

    pub(crate) fn replace_float(&mut self, class: ValClass, lane: u8) {
        let value = self.pop();
        let src = self.reg_of(value);
        let reg = self.pop_vector_temp();
        let (dst, src) = (vector(reg), vector(src));
        match (class, lane) {
            (ValClass::F32, _) => self.b.asm.sse_xxi(Sse::INSERTPS, dst, src, lane << 4),
            (_, 0) => self.b.asm.movsd_xx(dst, src),
            _ => self.b.asm.movlhps_xx(dst, src),
        }
        self.push_v128(reg);
    }

    pub(crate) fn swizzle(&mut self, relaxed: bool) {
        let (first, second) = self.pop2();
        let source = if relaxed {
            self.float_source(second)
        } else {
            // Numbers beyond 15 get the highest bit, which means zero.
            self.load_value(VECTOR_SCRATCH, second);
            self.vc(Sse::PADDUSB, VECTOR_SCRATCH, bytes(0x70));
            FloatSource::Reg(VECTOR_SCRATCH)
        };
        let reg = self.temp_of(first);
        self.emit_sse(Sse::PSHUFB, reg, source);
        self.push_v128(reg);
    }

    pub(crate) fn shuffle(&mut self, lanes: [u8; 16]) {
        let (first, second) = self.pop2();
        let from_one = if lanes.iter().all(|&lane| lane < 16) {
            Some(first)
        } else if lanes.iter().all(|&lane| lane >= 16) {
            Some(second)
        } else {
            None
        };
        if let Some(value) = from_one {
            return self.shuffle_one(value, lanes.map(|lane| lane & 15));
        }
        if let Some((sse, swap)) = unpacking(lanes) {
            let (first, second) = if swap { (second, first) } else { (first, second) };
            let dst = self.combine(sse, V128, first, second);
            return self.push_v128(dst);
        }
        // Sixteen bytes in a row of both, from some byte on.
        let start = lanes[0];
        if (0..16).all(|at| lanes[at as usize] == (start + at) & 31) {
            let (low, high, start) =
                if start < 16 { (first, second, start) } else { (second, first, start - 16) };
            let low = self.float_source(low);
            let reg = self.temp_of(high);
            self.emit_sse_how(Sse::PALIGNR, reg, low, start);
            return self.push_v128(reg);
        }
        // Each half by itself; a byte of the other is zero.
        let pick = |from: u8| {
            u128::from_le_bytes(lanes.map(|lane| if lane & 16 == from { lane & 15 } else { 0x80 }))
        };
        self.load_value(VECTOR_SCRATCH, second);
        self.vc(Sse::PSHUFB, VECTOR_SCRATCH, pick(16));
        let reg = self.temp_of(first);
        self.vc(Sse::PSHUFB, reg, pick(0));
        self.vx(Sse::POR, reg, VECTOR_SCRATCH);
        self.push_v128(reg);
    }

    fn shuffle_one(&mut self, value: Value, lanes: [u8; 16]) {
        // Whole 32-bit lanes take no mask.
        let mut how = 0;
        let mut whole = true;
        for (at, lane) in lanes.chunks(4).enumerate() {
            whole &= lane[0] % 4 == 0 && (1..4).all(|next| lane[next] == lane[0] + next as u8);
            how |= (lane[0] / 4) << (2 * at);
        }
        if whole {
            let source = self.float_source(value);
            let dst = match (self.destination(V128), value.place()) {
                (Some(dst), _) => dst,
                (None, Place::Reg(reg)) => reg,
                (None, _) => self.alloc(V128),
            };
            self.emit_sse_how(Sse::PSHUFD, dst, source, how);
            return self.push_v128(dst);
        }
        let reg = self.temp_of(value);
        self.vc(Sse::PSHUFB, reg, u128::from_le_bytes(lanes));
        self.push_v128(reg);
    }
}

/// The instruction that interleaves halves of two vectors as `lanes` says, and whether the other way round.
fn unpacking(lanes: [u8; 16]) -> Option<(Sse, bool)> {
    let rows = [
        (1, Sse::PUNPCKLBW, Sse::PUNPCKHBW),
        (2, Sse::PUNPCKLWD, Sse::PUNPCKHWD),
        (4, Sse::PUNPCKLDQ, Sse::PUNPCKHDQ),
        (8, Sse::PUNPCKLQDQ, Sse::PUNPCKHQDQ),
    ];
    for (width, low, high) in rows {
        for (from, sse) in [(0, low), (8, high)] {
            let lane = |at: u8, swap: u8| {
                let (pair, within) = (at / (2 * width), at % (2 * width));
                let side = (within / width) ^ swap;
                from + pair * width + within % width + 16 * side
            };
            for swap in [0, 1] {
                if (0..16).all(|at| lanes[at as usize] == lane(at, swap)) {
                    return Some((sse, swap == 1));
                }
            }
        }
    }
    None
}

/// Integer arithmetic.
impl FuncCompiler<'_> {
    pub(crate) fn lanes_abs(&mut self, lanes: Lanes) {
        match lanes {
            Lanes::I8 => self.vector_unary(Sse::PABSB),
            Lanes::I16 => self.vector_unary(Sse::PABSW),
            Lanes::I32 => self.vector_unary(Sse::PABSD),
            Lanes::I64 => {
                let reg = self.pop_vector_temp();
                let sign = VECTOR_SCRATCH;
                self.vmove(sign, reg);
                self.vshift(LaneShift::PSRAD, sign, 31);
                self.b.asm.sse_xxi(Sse::PSHUFD, vector(sign), vector(sign), 0xf5);
                self.vx(Sse::PXOR, reg, sign);
                self.vx(Sse::PSUBQ, reg, sign);
                self.push_v128(reg);
            }
        }
    }

    pub(crate) fn lanes_neg(&mut self, lanes: Lanes) {
        let value = self.pop();
        let source = self.float_source(value);
        let dst = self.alloc(V128);
        self.zero(dst);
        self.emit_sse(lanes.subtract(), dst, source);
        self.push_v128(dst);
    }

    pub(crate) fn lanes_popcnt(&mut self) {
        // How many bits each number of four bits has.
        const COUNTS: u128 = 0x0403_0302_0302_0201_0302_0201_0201_0100;
        let low = self.pop_vector_temp();
        let counts = self.alloc(V128);
        let high = VECTOR_SCRATCH;
        self.vmove(high, low);
        self.vshift(LaneShift::PSRLW, high, 4);
        self.vc(Sse::PAND, high, bytes(0x0f));
        self.vc(Sse::PAND, low, bytes(0x0f));
        let number = self.b.constants.vector(COUNTS);
        self.load_vector_const(counts, number);
        let other = self.alloc(V128);
        self.vmove(other, counts);
        self.vx(Sse::PSHUFB, counts, low);
        self.vx(Sse::PSHUFB, other, high);
        self.vx(Sse::PADDB, counts, other);
        self.push_v128(counts);
    }

    pub(crate) fn multiply_i64(&mut self) {
        let (first, second) = self.pop2();
        let second = self.reg_of(second);
        let first = self.reg_of(first);
        let (product, cross) = (self.alloc(V128), self.alloc(V128));
        self.vmove(cross, first);
        self.vshift(LaneShift::PSRLQ, cross, 32);
        self.vx(Sse::PMULUDQ, cross, second);
        self.vmove(VECTOR_SCRATCH, second);
        self.vshift(LaneShift::PSRLQ, VECTOR_SCRATCH, 32);
        self.vx(Sse::PMULUDQ, VECTOR_SCRATCH, first);
        self.vx(Sse::PADDQ, cross, VECTOR_SCRATCH);
        self.vshift(LaneShift::PSLLQ, cross, 32);
        self.vmove(product, first);
        self.vx(Sse::PMULUDQ, product, second);
        self.vx(Sse::PADDQ, product, cross);
        self.push_v128(product);
    }

    /// `q15mulr`: the only product that does not fit is that of two smallest ones.
    pub(crate) fn q15_multiply(&mut self) {
        let (first, second) = self.pop2();
        let dst = self.combine(Sse::PMULHRSW, V128, first, second);
        self.vmove(VECTOR_SCRATCH, dst);
        self.vc(Sse::PCMPEQW, VECTOR_SCRATCH, words(0x8000_8000));
        self.vx(Sse::PXOR, dst, VECTOR_SCRATCH);
        self.push_v128(dst);
    }

    /// Shifts every lane by a scalar, modulo the lane's width.
    pub(crate) fn shift_lanes(&mut self, lanes: Lanes, shift: VectorShift) {
        let by = self.pop();
        let reg = self.pop_vector_temp();
        let count = Count::of(by, lanes);
        if let Count::Scalar(by) = count {
            // Modulo the width, in the low half of a register.
            self.load_value(SCRATCH, by);
            self.b.asm.and_ri(Size::S32, general(SCRATCH), i32::from(lanes.bits() - 1));
        }
        match (lanes, shift) {
            (Lanes::I8, VectorShift::ShrS) => {
                // Bytes as the high halves of words, back with the sign.
                let high = self.alloc(V128);
                self.vmove(high, reg);
                self.vx(Sse::PUNPCKHBW, high, reg);
                self.vx(Sse::PUNPCKLBW, reg, reg);
                let count = match count {
                    Count::Const(count) => Count::Const(count + 8),
                    Count::Scalar(by) => {
                        self.b.asm.add_ri(Size::S32, general(SCRATCH), 8);
                        Count::Scalar(by)
                    }
                };
                self.emit_shift(Lanes::I16, shift, high, count);
                self.emit_shift(Lanes::I16, shift, reg, count);
                self.vx(Sse::PACKSSWB, reg, high);
            }
            (Lanes::I8, _) => {
                // As words, without the bits that came over from the neighbour.
                let mask = self.alloc(V128);
                self.ones(mask);
                self.vshift(LaneShift::PSRLW, mask, 8);
                self.emit_shift(Lanes::I16, shift, mask, count);
                self.vshift(LaneShift::PSLLW, mask, 8);
                self.vshift(LaneShift::PSRLW, mask, 8);
                self.vx(Sse::PACKUSWB, mask, mask);
                self.emit_shift(Lanes::I16, shift, reg, count);
                self.vx(Sse::PAND, reg, mask);
            }
            (Lanes::I64, VectorShift::ShrS) => {
                // The sign comes back by turning over and subtracting where it went to.
                let sign = self.alloc(V128);
                self.ones(sign);
                self.vshift(LaneShift::PSLLQ, sign, 63);
                self.emit_shift(Lanes::I64, VectorShift::ShrU, sign, count);
                self.emit_shift(Lanes::I64, VectorShift::ShrU, reg, count);
                self.vx(Sse::PXOR, reg, sign);
                self.vx(Sse::PSUBQ, reg, sign);
            }
            _ => self.emit_shift(lanes, shift, reg, count),
        }
        self.push_v128(reg);
    }

    /// Shifts lanes of `reg` by `count`; a scalar is in the scratch register.
    fn emit_shift(&mut self, lanes: Lanes, shift: VectorShift, reg: Reg, count: Count) {
        use VectorShift::{Shl, ShrS, ShrU};
        let (fixed, scalar) = match (lanes, shift) {
            (Lanes::I8 | Lanes::I16, Shl) => (LaneShift::PSLLW, Sse::PSLLW),
            (Lanes::I8 | Lanes::I16, ShrU) => (LaneShift::PSRLW, Sse::PSRLW),
            (Lanes::I8 | Lanes::I16, ShrS) => (LaneShift::PSRAW, Sse::PSRAW),
            (Lanes::I32, Shl) => (LaneShift::PSLLD, Sse::PSLLD),
            (Lanes::I32, ShrU) => (LaneShift::PSRLD, Sse::PSRLD),
            (Lanes::I32, ShrS) => (LaneShift::PSRAD, Sse::PSRAD),
            (Lanes::I64, Shl) => (LaneShift::PSLLQ, Sse::PSLLQ),
            (Lanes::I64, _) => (LaneShift::PSRLQ, Sse::PSRLQ),
        };
        match count {
            Count::Const(count) => self.vshift(fixed, reg, count),
            Count::Scalar(_) => {
                self.b.asm.movq_xr(Size::S64, vector(VECTOR_SCRATCH), general(SCRATCH));
                self.vx(scalar, reg, VECTOR_SCRATCH);
            }
        }
    }
}

/// A count of a shift of lanes.
#[derive(Clone, Copy)]
enum Count {
    Const(u8),
    Scalar(Value),
}

impl Count {
    fn of(value: Value, lanes: Lanes) -> Self {
        match value.place() {
            Place::Const(bits) => Self::Const(bits as u8 & (lanes.bits() - 1)),
            _ => Self::Scalar(value),
        }
    }
}

/// Widths.
impl FuncCompiler<'_> {
    /// The instruction that widens lanes of `from`.
    fn widening(from: Lanes, signed: bool) -> Sse {
        match (from, signed) {
            (Lanes::I8, true) => Sse::PMOVSXBW,
            (Lanes::I8, false) => Sse::PMOVZXBW,
            (Lanes::I16, true) => Sse::PMOVSXWD,
            (Lanes::I16, false) => Sse::PMOVZXWD,
            (_, true) => Sse::PMOVSXDQ,
            (_, false) => Sse::PMOVZXDQ,
        }
    }

    pub(crate) fn extend_lanes(&mut self, from: Lanes, signed: bool, half: Half) {
        let (source, dst) = self.vector_unary_regs();
        let sse = Self::widening(from, signed);
        match half {
            Half::Low => self.emit_sse(sse, dst, source),
            Half::High => {
                // The high half in both.
                self.emit_sse_how(Sse::PSHUFD, dst, source, 0xee);
                self.vx(sse, dst, dst);
            }
        }
        self.push_v128(dst);
    }

    /// Products of lanes of `from`, twice as wide.
    pub(crate) fn extended_multiply(&mut self, from: Lanes, signed: bool, half: Half) {
        let (first, second) = self.pop2();
        match from {
            Lanes::I8 => {
                let sse = Self::widening(from, signed);
                let first = self.temp_with_half(first, half);
                self.vx(sse, first, first);
                self.load_value(VECTOR_SCRATCH, second);
                if half == Half::High {
                    let x = vector(VECTOR_SCRATCH);
                    self.b.asm.sse_xxi(Sse::PSHUFD, x, x, 0xee);
                }
                self.vx(sse, VECTOR_SCRATCH, VECTOR_SCRATCH);
                self.vx(Sse::PMULLW, first, VECTOR_SCRATCH);
                self.push_v128(first);
            }
            Lanes::I16 => {
                // Low and high halves of the products, interleaved.
                let second = self.reg_of(second);
                let low = self.temp_of(first);
                self.vmove(VECTOR_SCRATCH, low);
                self.vx(if signed { Sse::PMULHW } else { Sse::PMULHUW }, VECTOR_SCRATCH, second);
                self.vx(Sse::PMULLW, low, second);
                let unpack = if half == Half::Low { Sse::PUNPCKLWD } else { Sse::PUNPCKHWD };
                self.vx(unpack, low, VECTOR_SCRATCH);
                self.push_v128(low);
            }
            _ => {
                // Lanes 0 and 1, or 2 and 3, at even places.
                let how = if half == Half::Low { 0x50 } else { 0xfa };
                let second = self.float_source(second);
                self.emit_sse_how(Sse::PSHUFD, VECTOR_SCRATCH, second, how);
                let first = self.float_source_in_temp(first, how);
                self.vx(if signed { Sse::PMULDQ } else { Sse::PMULUDQ }, first, VECTOR_SCRATCH);
                self.push_v128(first);
            }
        }
    }

    /// A temp with a shuffle of 32-bit lanes of `value`.
    fn float_source_in_temp(&mut self, value: Value, how: u8) -> Reg {
        let source = self.float_source(value);
        let dst = match value.place() {
            Place::Reg(reg) => reg,
            _ => self.alloc(V128),
        };
        self.emit_sse_how(Sse::PSHUFD, dst, source, how);
        dst
    }

    /// A temp whose low half is that half of `value`.
    fn temp_with_half(&mut self, value: Value, half: Half) -> Reg {
        match half {
            Half::Low => self.temp_of(value),
            Half::High => self.float_source_in_temp(value, 0xee),
        }
    }

    /// Sums of neighbours, twice as wide as lanes of `from`.
    pub(crate) fn add_neighbours(&mut self, from: Lanes, signed: bool) {
        let value = self.pop();
        match (from, signed) {
            (Lanes::I8, true) => {
                // Products with ones, which come first because they are unsigned.
                let source = self.float_source(value);
                let dst = self.alloc(V128);
                let number = self.b.constants.vector(bytes(1));
                self.load_vector_const(dst, number);
                self.emit_sse(Sse::PMADDUBSW, dst, source);
                self.push_v128(dst);
            }
            (Lanes::I8, false) => {
                let dst = self.temp_of(value);
                self.vc(Sse::PMADDUBSW, dst, bytes(1));
                self.push_v128(dst);
            }
            (_, true) => {
                let dst = self.temp_of(value);
                self.add_word_neighbours(dst);
                self.push_v128(dst);
            }
            (_, false) => {
                // As signed numbers that are less by 32,768 each.
                let dst = self.temp_of(value);
                self.vc(Sse::PXOR, dst, words(0x8000_8000));
                self.add_word_neighbours(dst);
                self.vc(Sse::PADDD, dst, words(0x1_0000));
                self.push_v128(dst);
            }
        }
    }

    fn add_word_neighbours(&mut self, reg: Reg) {
        self.vc(Sse::PMADDWD, reg, words(0x1_0001));
    }

    /// Products of signed bytes with bytes of seven bits, each pair of neighbours added.
    pub(crate) fn dot_bytes(&mut self) {
        let (first, second) = self.pop2();
        let reg = self.dot_of_bytes(first, second);
        self.push_v128(reg);
    }

    fn dot_of_bytes(&mut self, first: Value, second: Value) -> Reg {
        if !self.unit.tunables.deterministic_relaxed_simd {
            // The unsigned ones come first.
            let source = self.float_source(first);
            let reg = self.temp_of(second);
            self.emit_sse(Sse::PMADDUBSW, reg, source);
            return reg;
        }
        let second = self.reg_of(second);
        let first = self.reg_of(first);
        let (low, high) = (self.alloc(V128), self.alloc(V128));
        for (half, dst) in [(Half::Low, low), (Half::High, high)] {
            self.widen_half(half, dst, first);
            self.widen_half(half, VECTOR_SCRATCH, second);
            self.vx(Sse::PMULLW, dst, VECTOR_SCRATCH);
        }
        self.vx(Sse::PHADDW, low, high);
        low
    }

    fn widen_half(&mut self, half: Half, dst: Reg, src: Reg) {
        match half {
            Half::Low => self.vx(Sse::PMOVSXBW, dst, src),
            Half::High => {
                self.b.asm.sse_xxi(Sse::PSHUFD, vector(dst), vector(src), 0xee);
                self.vx(Sse::PMOVSXBW, dst, dst);
            }
        }
    }

    /// The same, neighbours added once more, and a third operand to it.
    pub(crate) fn dot_bytes_add(&mut self) {
        let sum = self.pop();
        let (first, second) = self.pop2();
        let reg = self.dot_of_bytes(first, second);
        self.add_word_neighbours(reg);
        let source = self.float_source(sum);
        self.emit_sse(Sse::PADDD, reg, source);
        self.push_v128(reg);
    }
}

/// Floats.
impl FuncCompiler<'_> {
    /// `abs` and `neg` of lanes of `class`.
    pub(crate) fn float_lanes_sign(&mut self, class: ValClass, negate: bool) {
        let sign = if class == ValClass::F32 { words(1 << 31) } else { 1 << 127 | 1 << 63 };
        let value = self.pop();
        let (sse, mask) = if negate { (Sse::XORPS, sign) } else { (Sse::ANDPS, !sign) };
        let number = self.b.constants.vector(mask);
        let mask = Value::new(V128, Place::Vector(number));
        let dst = self.combine(sse, V128, value, mask);
        self.push_v128(dst);
    }

    pub(crate) fn round_lanes(&mut self, class: ValClass, rounding: Rounding) {
        let (source, dst) = self.vector_unary_regs();
        let sse = if class == ValClass::F32 { Sse::ROUNDPS } else { Sse::ROUNDPD };
        self.emit_sse_how(sse, dst, source, rounding as u8);
        self.canonicalize_lanes(class, dst);
        self.push_v128(dst);
    }

    /// `min` and `max` of lanes, which differ from the instructions for NaNs and zeros of both signs.
    pub(crate) fn float_lanes_min_max(&mut self, class: ValClass, is_min: bool) {
        let (first, second) = self.pop2();
        let second = self.reg_of(second);
        let first = self.reg_of(first);
        let is_f32 = class == ValClass::F32;
        let extreme = match (is_min, is_f32) {
            (true, true) => Sse::MINPS,
            (true, false) => Sse::MINPD,
            (false, true) => Sse::MAXPS,
            (false, false) => Sse::MAXPD,
        };
        let (shift, payload) = if is_f32 { (LaneShift::PSRLD, 10) } else { (LaneShift::PSRLQ, 13) };
        let compare = if is_f32 { Sse::CMPPS } else { Sse::CMPPD };
        let (one, other) = (self.alloc(V128), self.alloc(V128));
        // Both ways round: they differ where there is a NaN or zeros of both signs.
        self.vmove(one, first);
        self.vx(extreme, one, second);
        self.vmove(other, second);
        self.vx(extreme, other, first);
        if is_min {
            self.vx(Sse::ORPS, other, one);
            self.vmove(one, other);
        } else {
            self.vx(Sse::XORPS, one, other);
            self.vx(Sse::ORPS, other, one);
            // Takes the sign off a zero, and makes a NaN quiet.
            self.vx(if is_f32 { Sse::SUBPS } else { Sse::SUBPD }, other, one);
            self.vmove(one, other);
        }
        // A NaN loses what it carries.
        self.b.asm.sse_xxi(compare, vector(one), vector(other), 3);
        if is_min {
            self.vx(Sse::ORPS, other, one);
        }
        self.vshift(shift, one, payload);
        self.vx(Sse::ANDNPS, one, other);
        self.canonicalize_lanes(class, one);
        self.push_v128(one);
    }

    /// `a * b + c`, or `-(a * b) + c`: rounded once where the machine can and the settings let it.
    pub(crate) fn multiply_add(&mut self, class: ValClass, negate: bool) {
        let addend = self.pop();
        let (first, second) = self.pop2();
        let is_f32 = class == ValClass::F32;
        if self.cpu.fma && !self.unit.tunables.deterministic_relaxed_simd {
            let second = self.float_source(second);
            let first = self.reg_of(first);
            let reg = self.temp_of(addend);
            let sse = match (is_f32, negate) {
                (true, false) => Sse::VFMADD231PS,
                (true, true) => Sse::VFNMADD231PS,
                (false, false) => Sse::VFMADD231PD,
                (false, true) => Sse::VFNMADD231PD,
            };
            self.emit_avx(sse, reg, first, second);
            self.canonicalize_lanes(class, reg);
            return self.push_v128(reg);
        }
        let second = self.float_source(second);
        let addend = self.float_source(addend);
        let reg = self.alloc(V128);
        self.load_value(reg, first);
        if negate {
            self.vc(Sse::XORPS, reg, if is_f32 { words(1 << 31) } else { 1 << 127 | 1 << 63 });
        }
        self.emit_sse(if is_f32 { Sse::MULPS } else { Sse::MULPD }, reg, second);
        self.canonicalize_lanes(class, reg);
        self.emit_sse(if is_f32 { Sse::ADDPS } else { Sse::ADDPD }, reg, addend);
        self.canonicalize_lanes(class, reg);
        self.push_v128(reg);
    }

    pub(crate) fn truncate_f32_lanes(&mut self, signed: bool) {
        let reg = self.pop_vector_temp();
        let aside = VECTOR_SCRATCH;
        if signed {
            // NaN becomes 0; then what overflows upwards is known by a sign that it did not have.
            self.vmove(aside, reg);
            self.b.asm.sse_xxi(Sse::CMPPS, vector(aside), vector(aside), 0);
            self.vx(Sse::PAND, reg, aside);
            self.vx(Sse::PXOR, aside, reg);
            self.vx(Sse::CVTTPS2DQ, reg, reg);
            self.vx(Sse::PAND, aside, reg);
            self.vshift(LaneShift::PSRAD, aside, 31);
            self.vx(Sse::PXOR, reg, aside);
            return self.push_v128(reg);
        }
        // The part below 2^31, and what is above it.
        let above = self.alloc(V128);
        self.zero(aside);
        self.vx(Sse::MAXPS, reg, aside);
        self.ones(aside);
        self.vshift(LaneShift::PSRLD, aside, 1);
        self.vx(Sse::CVTDQ2PS, aside, aside);
        self.vmove(above, reg);
        self.vx(Sse::SUBPS, above, aside);
        self.b.asm.sse_xxi(Sse::CMPPS, vector(aside), vector(above), 2);
        self.vx(Sse::CVTTPS2DQ, above, above);
        self.vx(Sse::PXOR, above, aside);
        self.zero(aside);
        self.vx(Sse::PMAXSD, above, aside);
        self.vx(Sse::CVTTPS2DQ, reg, reg);
        self.vx(Sse::PADDD, reg, above);
        self.push_v128(reg);
    }

    /// Two floats to the two low integers; the high ones are 0.
    pub(crate) fn truncate_f64_lanes(&mut self, signed: bool) {
        let reg = self.pop_vector_temp();
        let aside = VECTOR_SCRATCH;
        if signed {
            // The least of the number and the largest integer; NaN becomes 0.
            self.vmove(aside, reg);
            self.b.asm.sse_xxi(Sse::CMPPD, vector(aside), vector(aside), 0);
            self.vc(Sse::ANDPS, aside, doubles(2_147_483_647.0));
            self.vx(Sse::MINPD, reg, aside);
            self.vx(Sse::CVTTPD2DQ, reg, reg);
            return self.push_v128(reg);
        }
        self.zero(aside);
        self.vx(Sse::MAXPD, reg, aside);
        self.vc(Sse::MINPD, reg, doubles(4_294_967_295.0));
        self.b.asm.sse_xxi(Sse::ROUNDPD, vector(reg), vector(reg), Rounding::Trunc as u8);
        // The integer is in the low bits of the sum with 2^52.
        self.vc(Sse::ADDPD, reg, doubles(4_503_599_627_370_496.0));
        self.b.asm.sse_xxi(Sse::SHUFPS, vector(reg), vector(aside), 0x88);
        self.push_v128(reg);
    }

    pub(crate) fn convert_unsigned_lanes(&mut self) {
        let reg = self.pop_vector_temp();
        let low = VECTOR_SCRATCH;
        // Low and high 16 bits apart: both convert exactly, and their sum is rounded once.
        self.zero(low);
        self.b.asm.sse_xxi(Sse::PBLENDW, vector(low), vector(reg), 0x55);
        self.vx(Sse::PSUBD, reg, low);
        self.vx(Sse::CVTDQ2PS, low, low);
        self.vshift(LaneShift::PSRLD, reg, 1);
        self.vx(Sse::CVTDQ2PS, reg, reg);
        self.vx(Sse::ADDPS, reg, reg);
        self.vx(Sse::ADDPS, reg, low);
        self.push_v128(reg);
    }

    pub(crate) fn convert_low_unsigned(&mut self) {
        let reg = self.pop_vector_temp();
        // As the low bits of a float of 2^52 and more, less 2^52.
        self.vc(Sse::PUNPCKLDQ, reg, words(0x4330_0000));
        self.vc(Sse::SUBPD, reg, doubles(4_503_599_627_370_496.0));
        self.push_v128(reg);
    }
}

/// Loads and stores.
impl FuncCompiler<'_> {
    /// Loads eight bytes of lanes of `from`, each of which becomes twice as wide.
    pub(crate) fn load_wider(&mut self, memarg: &wasmparser::MemArg, from: Lanes, signed: bool) {
        let access = self.pop_access(memarg, 8);
        let dst = self.result_reg(V128);
        self.note_access(access);
        self.b.asm.sse_xm(Self::widening(from, signed), vector(dst), access.mem);
        self.push_v128(dst);
    }

    /// Loads one lane into all.
    pub(crate) fn load_splat(&mut self, memarg: &wasmparser::MemArg, lanes: Lanes) {
        let access = self.pop_access(memarg, u32::from(lanes.bits() / 8));
        let dst = self.result_reg(V128);
        let dst_x = vector(dst);
        self.note_access(access);
        match lanes {
            Lanes::I8 if self.cpu.avx2 => self.b.asm.avx_xm(Sse::VPBROADCASTB, dst_x, access.mem),
            Lanes::I16 if self.cpu.avx2 => self.b.asm.avx_xm(Sse::VPBROADCASTW, dst_x, access.mem),
            Lanes::I32 if self.cpu.avx2 => self.b.asm.avx_xm(Sse::VPBROADCASTD, dst_x, access.mem),
            Lanes::I8 | Lanes::I16 => {
                let width = if lanes == Lanes::I8 { Width::W8 } else { Width::W16 };
                self.b.asm.movzx_rm(width, general(SCRATCH), access.mem);
                self.b.asm.movq_xr(Size::S32, dst_x, general(SCRATCH));
                self.splat_lowest(lanes, dst);
            }
            Lanes::I32 => {
                self.b.asm.movss_xm(dst_x, access.mem);
                self.splat_lowest(lanes, dst);
            }
            Lanes::I64 => self.b.asm.sse_xm(Sse::MOVDDUP, dst_x, access.mem),
        }
        self.push_v128(dst);
    }

    /// Loads the lowest lane; the others are 0.
    pub(crate) fn load_lowest(&mut self, memarg: &wasmparser::MemArg, lanes: Lanes) {
        let access = self.pop_access(memarg, u32::from(lanes.bits() / 8));
        let dst = self.result_reg(V128);
        self.note_access(access);
        match lanes {
            Lanes::I64 => self.b.asm.movsd_xm(vector(dst), access.mem),
            _ => self.b.asm.movss_xm(vector(dst), access.mem),
        }
        self.push_v128(dst);
    }

    /// Loads one lane of the vector on the stack.
    pub(crate) fn load_lane(&mut self, memarg: &wasmparser::MemArg, lanes: Lanes, lane: u8) {
        let reg = self.pop_vector_temp();
        let access = self.pop_access(memarg, u32::from(lanes.bits() / 8));
        self.note_access(access);
        let (dst, mem) = (vector(reg), access.mem);
        match lanes {
            Lanes::I8 => self.b.asm.pinsrb_xmi(dst, mem, lane),
            Lanes::I16 => self.b.asm.pinsrw_xmi(dst, mem, lane),
            Lanes::I32 => self.b.asm.pinsr_xmi(Size::S32, dst, mem, lane),
            Lanes::I64 => self.b.asm.pinsr_xmi(Size::S64, dst, mem, lane),
        }
        self.push_v128(reg);
    }

    /// Stores one lane.
    pub(crate) fn store_lane(&mut self, memarg: &wasmparser::MemArg, lanes: Lanes, lane: u8) {
        let value = self.pop();
        let src = vector(self.reg_of(value));
        let access = self.pop_access(memarg, u32::from(lanes.bits() / 8));
        self.note_access(access);
        let mem = access.mem;
        match (lanes, lane) {
            (Lanes::I8, _) => self.b.asm.pextrb_mxi(mem, src, lane),
            (Lanes::I16, _) => self.b.asm.pextrw_mxi(mem, src, lane),
            (Lanes::I32, 0) => self.b.asm.movss_mx(mem, src),
            (Lanes::I32, _) => self.b.asm.pextr_mxi(Size::S32, mem, src, lane),
            (Lanes::I64, 0) => self.b.asm.movsd_mx(mem, src),
            (Lanes::I64, _) => self.b.asm.movhps_mx(mem, src),
        }
    }
}
