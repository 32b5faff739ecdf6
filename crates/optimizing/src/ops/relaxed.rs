//! Vector operators whose edge cases differ by machine.
//!
//! The specification lists for each what it may do. With [`deterministic_relaxed_simd`] it does what stands
//! first in the list, which is what the strict operator does; else what this machine has an instruction for.
//!
//! [`deterministic_relaxed_simd`]: tenure_code::Tunables::deterministic_relaxed_simd

use crate::translate::Translator;
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type};
use wasmparser::Operator;

impl Translator<'_> {
    /// Translates `op` if it is of this family.
    pub(super) fn relaxed(&mut self, op: &Operator<'_>) -> bool {
        let strict = self.unit.tunables.deterministic_relaxed_simd;
        match *op {
            Operator::I8x16RelaxedSwizzle if strict => {
                self.vector_binary(I8X16, |ins, a, b| ins.swizzle(a, b))
            }
            // Picks by the low four bits of an index unless its highest is set.
            Operator::I8x16RelaxedSwizzle => self.vector_binary(I8X16, |ins, a, b| ins.x86_pshufb(a, b)),

            // Out of range is the smallest integer.
            Operator::I32x4RelaxedTruncF32x4S if !strict => {
                self.vector_unary(F32X4, |ins, a| ins.x86_cvtt2dq(I32X4, a));
            }
            Operator::I32x4RelaxedTruncF64x2SZero if !strict => {
                let zeros = self.zeros(I64X2);
                self.vector_unary(F64X2, |ins, a| ins.x86_cvtt2dq(I64X2, a));
                self.vector_unary(I64X2, |ins, a| ins.snarrow(a, zeros));
            }
            Operator::I32x4RelaxedTruncF32x4S => return self.simd(&Operator::I32x4TruncSatF32x4S),
            Operator::I32x4RelaxedTruncF32x4U => return self.simd(&Operator::I32x4TruncSatF32x4U),
            Operator::I32x4RelaxedTruncF64x2SZero => return self.simd(&Operator::I32x4TruncSatF64x2SZero),
            Operator::I32x4RelaxedTruncF64x2UZero => return self.simd(&Operator::I32x4TruncSatF64x2UZero),

            Operator::F32x4RelaxedMadd => self.multiply_add(F32X4, false),
            Operator::F32x4RelaxedNmadd => self.multiply_add(F32X4, true),
            Operator::F64x2RelaxedMadd => self.multiply_add(F64X2, false),
            Operator::F64x2RelaxedNmadd => self.multiply_add(F64X2, true),

            Operator::I8x16RelaxedLaneselect => self.select_lanes(I8X16),
            // There is no instruction that picks lanes of this width by their highest bit.
            Operator::I16x8RelaxedLaneselect => self.bitselect(I16X8),
            Operator::I32x4RelaxedLaneselect => self.select_lanes(I32X4),
            Operator::I64x2RelaxedLaneselect => self.select_lanes(I64X2),

            Operator::F32x4RelaxedMin if strict => self.vector_binary(F32X4, |ins, a, b| ins.fmin(a, b)),
            Operator::F64x2RelaxedMin if strict => self.vector_binary(F64X2, |ins, a, b| ins.fmin(a, b)),
            Operator::F32x4RelaxedMax if strict => self.vector_binary(F32X4, |ins, a, b| ins.fmax(a, b)),
            Operator::F64x2RelaxedMax if strict => self.vector_binary(F64X2, |ins, a, b| ins.fmax(a, b)),
            Operator::F32x4RelaxedMin => self.pseudo_min(F32X4),
            Operator::F64x2RelaxedMin => self.pseudo_min(F64X2),
            Operator::F32x4RelaxedMax => self.pseudo_max(F32X4),
            Operator::F64x2RelaxedMax => self.pseudo_max(F64X2),

            Operator::I16x8RelaxedQ15mulrS if strict => {
                self.vector_binary(I16X8, |ins, a, b| ins.sqmul_round_sat(a, b));
            }
            Operator::I16x8RelaxedQ15mulrS => {
                self.vector_binary(I16X8, |ins, a, b| ins.x86_pmulhrsw(a, b));
            }
            Operator::I16x8RelaxedDotI8x16I7x16S => self.dot_bytes(),
            Operator::I32x4RelaxedDotI8x16I7x16AddS => {
                let sum = self.pop_vector(I32X4);
                self.dot_bytes();
                self.add_neighbours(I16X8, true);
                self.vector_unary(I32X4, |ins, a| ins.iadd(a, sum));
            }
            _ => return false,
        }
        true
    }

    /// `a * b + c`, or `-(a * b) + c`: rounded once where the machine can and the settings let it.
    fn multiply_add(&mut self, ty: Type, negate: bool) {
        let addend = self.pop_vector(ty);
        let (first, second) = self.pop_vectors(ty);
        let first = if negate { self.builder.ins().fneg(first) } else { first };
        let value = if self.cpu.fma && !self.unit.tunables.deterministic_relaxed_simd {
            self.builder.ins().fma(first, second, addend)
        } else {
            let product = self.builder.ins().fmul(first, second);
            self.builder.ins().fadd(product, addend)
        };
        self.push(value);
    }

    /// Picks lanes by the mask's bits, or by each lane's highest bit.
    fn select_lanes(&mut self, ty: Type) {
        if self.unit.tunables.deterministic_relaxed_simd {
            return self.bitselect(ty);
        }
        let mask = self.pop_vector(ty);
        self.vector_binary(ty, |ins, a, b| ins.blendv(mask, a, b));
    }

    /// Products of signed bytes with bytes of seven bits, each pair of neighbours added.
    fn dot_bytes(&mut self) {
        if self.unit.tunables.deterministic_relaxed_simd {
            return self.dot(I8X16);
        }
        self.vector_binary(I8X16, |ins, a, b| ins.x86_pmaddubsw(a, b));
    }
}
