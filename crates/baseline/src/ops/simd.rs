//! Vectors: lanes, arithmetic, comparisons, conversions; the relaxed operators too.

use crate::func::FuncCompiler;
use crate::isa_x64::float::Rounding;
use crate::isa_x64::vector::{Half, Lanes, VectorShift};
use tenure_abi::ValClass;
use tenure_asm::x64::Sse;
use tenure_code::CompileError;
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    pub(super) fn simd(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        Ok(self.simd_lanes(op)?
            || self.simd_integers(op)?
            || self.simd_widths(op)?
            || self.simd_floats(op)?
            || self.relaxed(op)?)
    }

    /// Constants, single lanes, bits, comparisons.
    fn simd_lanes(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use Lanes::{I8, I16, I32, I64};
        use ValClass::{F32, F64};
        match *op {
            Operator::V128Const { value } => self.push_vector(u128::from_le_bytes(*value.bytes())),
            Operator::I8x16Shuffle { lanes } => self.shuffle(lanes),
            Operator::I8x16Swizzle => self.swizzle(false),
            Operator::I8x16Splat => self.splat(I8),
            Operator::I16x8Splat => self.splat(I16),
            Operator::I32x4Splat => self.splat(I32),
            Operator::I64x2Splat => self.splat(I64),
            Operator::F32x4Splat => self.splat_float(F32),
            Operator::F64x2Splat => self.splat_float(F64),

            Operator::I8x16ExtractLaneS { lane } => self.extract_lane(I8, lane, true),
            Operator::I8x16ExtractLaneU { lane } => self.extract_lane(I8, lane, false),
            Operator::I16x8ExtractLaneS { lane } => self.extract_lane(I16, lane, true),
            Operator::I16x8ExtractLaneU { lane } => self.extract_lane(I16, lane, false),
            Operator::I32x4ExtractLane { lane } => self.extract_lane(I32, lane, false),
            Operator::I64x2ExtractLane { lane } => self.extract_lane(I64, lane, false),
            Operator::F32x4ExtractLane { lane } => self.extract_float(F32, lane),
            Operator::F64x2ExtractLane { lane } => self.extract_float(F64, lane),
            Operator::I8x16ReplaceLane { lane } => self.replace_lane(I8, lane),
            Operator::I16x8ReplaceLane { lane } => self.replace_lane(I16, lane),
            Operator::I32x4ReplaceLane { lane } => self.replace_lane(I32, lane),
            Operator::I64x2ReplaceLane { lane } => self.replace_lane(I64, lane),
            Operator::F32x4ReplaceLane { lane } => self.replace_float(F32, lane),
            Operator::F64x2ReplaceLane { lane } => self.replace_float(F64, lane),

            Operator::V128Not => self.vector_not(),
            Operator::V128And => self.vector_binary(Sse::PAND),
            // The instruction turns its first operand over.
            Operator::V128AndNot => self.vector_swapped(Sse::PANDN),
            Operator::V128Or => self.vector_binary(Sse::POR),
            Operator::V128Xor => self.vector_binary(Sse::PXOR),
            Operator::V128Bitselect => self.bitselect(),
            Operator::V128AnyTrue => self.any_true(),
            Operator::I8x16AllTrue => self.all_true(I8),
            Operator::I16x8AllTrue => self.all_true(I16),
            Operator::I32x4AllTrue => self.all_true(I32),
            Operator::I64x2AllTrue => self.all_true(I64),
            Operator::I8x16Bitmask => self.bitmask(I8),
            Operator::I16x8Bitmask => self.bitmask(I16),
            Operator::I32x4Bitmask => self.bitmask(I32),
            Operator::I64x2Bitmask => self.bitmask(I64),

            Operator::I8x16Eq => self.lanes_equal(I8, false),
            Operator::I8x16Ne => self.lanes_equal(I8, true),
            Operator::I8x16LtS => self.lanes_greater(I8, true, false)?,
            Operator::I8x16LtU => self.lanes_bounded(I8, false, true),
            Operator::I8x16GtS => self.lanes_greater(I8, false, false)?,
            Operator::I8x16GtU => self.lanes_bounded(I8, true, true),
            Operator::I8x16LeS => self.lanes_greater(I8, false, true)?,
            Operator::I8x16LeU => self.lanes_bounded(I8, true, false),
            Operator::I8x16GeS => self.lanes_greater(I8, true, true)?,
            Operator::I8x16GeU => self.lanes_bounded(I8, false, false),
            Operator::I16x8Eq => self.lanes_equal(I16, false),
            Operator::I16x8Ne => self.lanes_equal(I16, true),
            Operator::I16x8LtS => self.lanes_greater(I16, true, false)?,
            Operator::I16x8LtU => self.lanes_bounded(I16, false, true),
            Operator::I16x8GtS => self.lanes_greater(I16, false, false)?,
            Operator::I16x8GtU => self.lanes_bounded(I16, true, true),
            Operator::I16x8LeS => self.lanes_greater(I16, false, true)?,
            Operator::I16x8LeU => self.lanes_bounded(I16, true, false),
            Operator::I16x8GeS => self.lanes_greater(I16, true, true)?,
            Operator::I16x8GeU => self.lanes_bounded(I16, false, false),
            Operator::I32x4Eq => self.lanes_equal(I32, false),
            Operator::I32x4Ne => self.lanes_equal(I32, true),
            Operator::I32x4LtS => self.lanes_greater(I32, true, false)?,
            Operator::I32x4LtU => self.lanes_bounded(I32, false, true),
            Operator::I32x4GtS => self.lanes_greater(I32, false, false)?,
            Operator::I32x4GtU => self.lanes_bounded(I32, true, true),
            Operator::I32x4LeS => self.lanes_greater(I32, false, true)?,
            Operator::I32x4LeU => self.lanes_bounded(I32, true, false),
            Operator::I32x4GeS => self.lanes_greater(I32, true, true)?,
            Operator::I32x4GeU => self.lanes_bounded(I32, false, false),
            Operator::I64x2Eq => self.lanes_equal(I64, false),
            Operator::I64x2Ne => self.lanes_equal(I64, true),
            Operator::I64x2LtS => self.lanes_greater(I64, true, false)?,
            Operator::I64x2GtS => self.lanes_greater(I64, false, false)?,
            Operator::I64x2LeS => self.lanes_greater(I64, false, true)?,
            Operator::I64x2GeS => self.lanes_greater(I64, true, true)?,
            Operator::F32x4Eq => self.compare_float_lanes(Sse::CMPPS, 0, false),
            Operator::F32x4Ne => self.compare_float_lanes(Sse::CMPPS, 4, false),
            Operator::F32x4Lt => self.compare_float_lanes(Sse::CMPPS, 1, false),
            Operator::F32x4Gt => self.compare_float_lanes(Sse::CMPPS, 1, true),
            Operator::F32x4Le => self.compare_float_lanes(Sse::CMPPS, 2, false),
            Operator::F32x4Ge => self.compare_float_lanes(Sse::CMPPS, 2, true),
            Operator::F64x2Eq => self.compare_float_lanes(Sse::CMPPD, 0, false),
            Operator::F64x2Ne => self.compare_float_lanes(Sse::CMPPD, 4, false),
            Operator::F64x2Lt => self.compare_float_lanes(Sse::CMPPD, 1, false),
            Operator::F64x2Gt => self.compare_float_lanes(Sse::CMPPD, 1, true),
            Operator::F64x2Le => self.compare_float_lanes(Sse::CMPPD, 2, false),
            Operator::F64x2Ge => self.compare_float_lanes(Sse::CMPPD, 2, true),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }

    /// Arithmetic on integers of one width.
    fn simd_integers(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use Lanes::{I8, I16, I32, I64};
        use VectorShift::{Shl, ShrS, ShrU};
        match *op {
            Operator::I8x16Abs => self.lanes_abs(I8),
            Operator::I16x8Abs => self.lanes_abs(I16),
            Operator::I32x4Abs => self.lanes_abs(I32),
            Operator::I64x2Abs => self.lanes_abs(I64),
            Operator::I8x16Neg => self.lanes_neg(I8),
            Operator::I16x8Neg => self.lanes_neg(I16),
            Operator::I32x4Neg => self.lanes_neg(I32),
            Operator::I64x2Neg => self.lanes_neg(I64),
            Operator::I8x16Popcnt => self.lanes_popcnt(),

            Operator::I8x16Shl => self.shift_lanes(I8, Shl),
            Operator::I16x8Shl => self.shift_lanes(I16, Shl),
            Operator::I32x4Shl => self.shift_lanes(I32, Shl),
            Operator::I64x2Shl => self.shift_lanes(I64, Shl),
            Operator::I8x16ShrS => self.shift_lanes(I8, ShrS),
            Operator::I16x8ShrS => self.shift_lanes(I16, ShrS),
            Operator::I32x4ShrS => self.shift_lanes(I32, ShrS),
            Operator::I64x2ShrS => self.shift_lanes(I64, ShrS),
            Operator::I8x16ShrU => self.shift_lanes(I8, ShrU),
            Operator::I16x8ShrU => self.shift_lanes(I16, ShrU),
            Operator::I32x4ShrU => self.shift_lanes(I32, ShrU),
            Operator::I64x2ShrU => self.shift_lanes(I64, ShrU),

            Operator::I8x16Add => self.vector_binary(Sse::PADDB),
            Operator::I16x8Add => self.vector_binary(Sse::PADDW),
            Operator::I32x4Add => self.vector_binary(Sse::PADDD),
            Operator::I64x2Add => self.vector_binary(Sse::PADDQ),
            Operator::I8x16Sub => self.vector_binary(Sse::PSUBB),
            Operator::I16x8Sub => self.vector_binary(Sse::PSUBW),
            Operator::I32x4Sub => self.vector_binary(Sse::PSUBD),
            Operator::I64x2Sub => self.vector_binary(Sse::PSUBQ),
            Operator::I16x8Mul => self.vector_binary(Sse::PMULLW),
            Operator::I32x4Mul => self.vector_binary(Sse::PMULLD),
            Operator::I64x2Mul => self.multiply_i64(),
            Operator::I8x16AddSatS => self.vector_binary(Sse::PADDSB),
            Operator::I16x8AddSatS => self.vector_binary(Sse::PADDSW),
            Operator::I8x16AddSatU => self.vector_binary(Sse::PADDUSB),
            Operator::I16x8AddSatU => self.vector_binary(Sse::PADDUSW),
            Operator::I8x16SubSatS => self.vector_binary(Sse::PSUBSB),
            Operator::I16x8SubSatS => self.vector_binary(Sse::PSUBSW),
            Operator::I8x16SubSatU => self.vector_binary(Sse::PSUBUSB),
            Operator::I16x8SubSatU => self.vector_binary(Sse::PSUBUSW),
            Operator::I8x16MinS => self.vector_binary(Sse::PMINSB),
            Operator::I16x8MinS => self.vector_binary(Sse::PMINSW),
            Operator::I32x4MinS => self.vector_binary(Sse::PMINSD),
            Operator::I8x16MinU => self.vector_binary(Sse::PMINUB),
            Operator::I16x8MinU => self.vector_binary(Sse::PMINUW),
            Operator::I32x4MinU => self.vector_binary(Sse::PMINUD),
            Operator::I8x16MaxS => self.vector_binary(Sse::PMAXSB),
            Operator::I16x8MaxS => self.vector_binary(Sse::PMAXSW),
            Operator::I32x4MaxS => self.vector_binary(Sse::PMAXSD),
            Operator::I8x16MaxU => self.vector_binary(Sse::PMAXUB),
            Operator::I16x8MaxU => self.vector_binary(Sse::PMAXUW),
            Operator::I32x4MaxU => self.vector_binary(Sse::PMAXUD),
            Operator::I8x16AvgrU => self.vector_binary(Sse::PAVGB),
            Operator::I16x8AvgrU => self.vector_binary(Sse::PAVGW),
            Operator::I16x8Q15MulrSatS => self.q15_multiply(),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }

    /// Integers that become wider or narrower.
    fn simd_widths(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use Half::{High, Low};
        use Lanes::{I8, I16, I32};
        match *op {
            Operator::I8x16NarrowI16x8S => self.vector_binary(Sse::PACKSSWB),
            Operator::I8x16NarrowI16x8U => self.vector_binary(Sse::PACKUSWB),
            Operator::I16x8NarrowI32x4S => self.vector_binary(Sse::PACKSSDW),
            Operator::I16x8NarrowI32x4U => self.vector_binary(Sse::PACKUSDW),
            Operator::I16x8ExtendLowI8x16S => self.extend_lanes(I8, true, Low),
            Operator::I16x8ExtendHighI8x16S => self.extend_lanes(I8, true, High),
            Operator::I16x8ExtendLowI8x16U => self.extend_lanes(I8, false, Low),
            Operator::I16x8ExtendHighI8x16U => self.extend_lanes(I8, false, High),
            Operator::I32x4ExtendLowI16x8S => self.extend_lanes(I16, true, Low),
            Operator::I32x4ExtendHighI16x8S => self.extend_lanes(I16, true, High),
            Operator::I32x4ExtendLowI16x8U => self.extend_lanes(I16, false, Low),
            Operator::I32x4ExtendHighI16x8U => self.extend_lanes(I16, false, High),
            Operator::I64x2ExtendLowI32x4S => self.extend_lanes(I32, true, Low),
            Operator::I64x2ExtendHighI32x4S => self.extend_lanes(I32, true, High),
            Operator::I64x2ExtendLowI32x4U => self.extend_lanes(I32, false, Low),
            Operator::I64x2ExtendHighI32x4U => self.extend_lanes(I32, false, High),
            Operator::I16x8ExtMulLowI8x16S => self.extended_multiply(I8, true, Low),
            Operator::I16x8ExtMulHighI8x16S => self.extended_multiply(I8, true, High),
            Operator::I16x8ExtMulLowI8x16U => self.extended_multiply(I8, false, Low),
            Operator::I16x8ExtMulHighI8x16U => self.extended_multiply(I8, false, High),
            Operator::I32x4ExtMulLowI16x8S => self.extended_multiply(I16, true, Low),
            Operator::I32x4ExtMulHighI16x8S => self.extended_multiply(I16, true, High),
            Operator::I32x4ExtMulLowI16x8U => self.extended_multiply(I16, false, Low),
            Operator::I32x4ExtMulHighI16x8U => self.extended_multiply(I16, false, High),
            Operator::I64x2ExtMulLowI32x4S => self.extended_multiply(I32, true, Low),
            Operator::I64x2ExtMulHighI32x4S => self.extended_multiply(I32, true, High),
            Operator::I64x2ExtMulLowI32x4U => self.extended_multiply(I32, false, Low),
            Operator::I64x2ExtMulHighI32x4U => self.extended_multiply(I32, false, High),
            Operator::I16x8ExtAddPairwiseI8x16S => self.add_neighbours(I8, true),
            Operator::I16x8ExtAddPairwiseI8x16U => self.add_neighbours(I8, false),
            Operator::I32x4ExtAddPairwiseI16x8S => self.add_neighbours(I16, true),
            Operator::I32x4ExtAddPairwiseI16x8U => self.add_neighbours(I16, false),
            Operator::I32x4DotI16x8S => self.vector_binary(Sse::PMADDWD),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }

    /// Arithmetic on floats, and conversions from and to them.
    fn simd_floats(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use ValClass::{F32, F64};
        match *op {
            Operator::F32x4Ceil => self.round_lanes(F32, Rounding::Ceil),
            Operator::F64x2Ceil => self.round_lanes(F64, Rounding::Ceil),
            Operator::F32x4Floor => self.round_lanes(F32, Rounding::Floor),
            Operator::F64x2Floor => self.round_lanes(F64, Rounding::Floor),
            Operator::F32x4Trunc => self.round_lanes(F32, Rounding::Trunc),
            Operator::F64x2Trunc => self.round_lanes(F64, Rounding::Trunc),
            Operator::F32x4Nearest => self.round_lanes(F32, Rounding::Nearest),
            Operator::F64x2Nearest => self.round_lanes(F64, Rounding::Nearest),
            Operator::F32x4Abs => self.float_lanes_sign(F32, false),
            Operator::F64x2Abs => self.float_lanes_sign(F64, false),
            Operator::F32x4Neg => self.float_lanes_sign(F32, true),
            Operator::F64x2Neg => self.float_lanes_sign(F64, true),
            Operator::F32x4Sqrt => self.float_lanes_unary(F32, Sse::SQRTPS),
            Operator::F64x2Sqrt => self.float_lanes_unary(F64, Sse::SQRTPD),
            Operator::F32x4Add => self.float_lanes_binary(F32, Sse::ADDPS),
            Operator::F64x2Add => self.float_lanes_binary(F64, Sse::ADDPD),
            Operator::F32x4Sub => self.float_lanes_binary(F32, Sse::SUBPS),
            Operator::F64x2Sub => self.float_lanes_binary(F64, Sse::SUBPD),
            Operator::F32x4Mul => self.float_lanes_binary(F32, Sse::MULPS),
            Operator::F64x2Mul => self.float_lanes_binary(F64, Sse::MULPD),
            Operator::F32x4Div => self.float_lanes_binary(F32, Sse::DIVPS),
            Operator::F64x2Div => self.float_lanes_binary(F64, Sse::DIVPD),
            Operator::F32x4Min => self.float_lanes_min_max(F32, true),
            Operator::F64x2Min => self.float_lanes_min_max(F64, true),
            Operator::F32x4Max => self.float_lanes_min_max(F32, false),
            Operator::F64x2Max => self.float_lanes_min_max(F64, false),
            // The instruction gives its second operand unless the first is less (or greater).
            Operator::F32x4PMin => self.vector_swapped(Sse::MINPS),
            Operator::F64x2PMin => self.vector_swapped(Sse::MINPD),
            Operator::F32x4PMax => self.vector_swapped(Sse::MAXPS),
            Operator::F64x2PMax => self.vector_swapped(Sse::MAXPD),

            Operator::I32x4TruncSatF32x4S => self.truncate_f32_lanes(true),
            Operator::I32x4TruncSatF32x4U => self.truncate_f32_lanes(false),
            Operator::I32x4TruncSatF64x2SZero => self.truncate_f64_lanes(true),
            Operator::I32x4TruncSatF64x2UZero => self.truncate_f64_lanes(false),
            Operator::F32x4ConvertI32x4S => self.vector_unary(Sse::CVTDQ2PS),
            Operator::F32x4ConvertI32x4U => self.convert_unsigned_lanes(),
            Operator::F64x2ConvertLowI32x4S => self.vector_unary(Sse::CVTDQ2PD),
            Operator::F64x2ConvertLowI32x4U => self.convert_low_unsigned(),
            Operator::F32x4DemoteF64x2Zero => self.float_lanes_unary(F32, Sse::CVTPD2PS),
            Operator::F64x2PromoteLowF32x4 => self.float_lanes_unary(F64, Sse::CVTPS2PD),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }

    /// Operators whose edge cases differ by machine. With the settings that make them the same everywhere they do
    /// what stands first in the specification's list, which is what the strict operator does; else what this machine
    /// has an instruction for. The other tier chooses the same.
    fn relaxed(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use Lanes::{I8, I32, I64};
        use ValClass::{F32, F64};
        let strict = self.unit.tunables.deterministic_relaxed_simd;
        match *op {
            Operator::I8x16RelaxedSwizzle => self.swizzle(!strict),
            Operator::I32x4RelaxedTruncF32x4S if !strict => self.vector_unary(Sse::CVTTPS2DQ),
            Operator::I32x4RelaxedTruncF64x2SZero if !strict => self.vector_unary(Sse::CVTTPD2DQ),
            Operator::I32x4RelaxedTruncF32x4S => self.truncate_f32_lanes(true),
            Operator::I32x4RelaxedTruncF32x4U => self.truncate_f32_lanes(false),
            Operator::I32x4RelaxedTruncF64x2SZero => self.truncate_f64_lanes(true),
            Operator::I32x4RelaxedTruncF64x2UZero => self.truncate_f64_lanes(false),
            Operator::F32x4RelaxedMadd => self.multiply_add(F32, false),
            Operator::F32x4RelaxedNmadd => self.multiply_add(F32, true),
            Operator::F64x2RelaxedMadd => self.multiply_add(F64, false),
            Operator::F64x2RelaxedNmadd => self.multiply_add(F64, true),
            Operator::I8x16RelaxedLaneselect if !strict => self.select_lanes(I8)?,
            Operator::I32x4RelaxedLaneselect if !strict => self.select_lanes(I32)?,
            Operator::I64x2RelaxedLaneselect if !strict => self.select_lanes(I64)?,
            Operator::I8x16RelaxedLaneselect
            | Operator::I16x8RelaxedLaneselect
            | Operator::I32x4RelaxedLaneselect
            | Operator::I64x2RelaxedLaneselect => self.bitselect(),
            Operator::F32x4RelaxedMin if strict => self.float_lanes_min_max(F32, true),
            Operator::F64x2RelaxedMin if strict => self.float_lanes_min_max(F64, true),
            Operator::F32x4RelaxedMax if strict => self.float_lanes_min_max(F32, false),
            Operator::F64x2RelaxedMax if strict => self.float_lanes_min_max(F64, false),
            Operator::F32x4RelaxedMin => self.vector_swapped(Sse::MINPS),
            Operator::F64x2RelaxedMin => self.vector_swapped(Sse::MINPD),
            Operator::F32x4RelaxedMax => self.vector_swapped(Sse::MAXPS),
            Operator::F64x2RelaxedMax => self.vector_swapped(Sse::MAXPD),
            Operator::I16x8RelaxedQ15mulrS if strict => self.q15_multiply(),
            Operator::I16x8RelaxedQ15mulrS => self.vector_binary(Sse::PMULHRSW),
            Operator::I16x8RelaxedDotI8x16I7x16S => self.dot_bytes(),
            Operator::I32x4RelaxedDotI8x16I7x16AddS => self.dot_bytes_add(),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }
}
