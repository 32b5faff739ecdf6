//! Vectors: lanes, arithmetic, comparisons, conversions.
//!
//! A vector has no lane type in WebAssembly and one in Cranelift's IR: operands are read as what the
//! operator takes ([`Translator::pop_vector`]), which costs no instruction.

use crate::abi::VECTOR;
use crate::translate::Translator;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::Operator;

impl<'a> Translator<'a> {
    /// Translates `op` if it is of this family.
    pub(super) fn simd(&mut self, op: &Operator<'_>) -> bool {
        self.simd_lanes(op) || self.simd_integers(op) || self.simd_widths(op) || self.simd_floats(op)
    }

    /// Constants, single lanes, bits, comparisons.
    fn simd_lanes(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::V128Const { value } => {
                let value = self.v128_const(u128::from_le_bytes(*value.bytes()));
                self.push(value);
            }
            Operator::I8x16Shuffle { lanes } => {
                let mask = self.builder.func.dfg.immediates.push(lanes.as_slice().into());
                self.vector_binary(I8X16, |ins, a, b| ins.shuffle(a, b, mask));
            }
            Operator::I8x16Swizzle => self.vector_binary(I8X16, |ins, a, b| ins.swizzle(a, b)),
            Operator::I8x16Splat => self.splat(I8X16),
            Operator::I16x8Splat => self.splat(I16X8),
            Operator::I32x4Splat => self.splat(I32X4),
            Operator::I64x2Splat => self.splat(I64X2),
            Operator::F32x4Splat => self.splat(F32X4),
            Operator::F64x2Splat => self.splat(F64X2),

            Operator::I8x16ExtractLaneS { lane } => {
                self.extract(I8X16, lane);
                self.unary(|ins, a| ins.sextend(I32, a));
            }
            Operator::I8x16ExtractLaneU { lane } => {
                self.extract(I8X16, lane);
                self.unary(|ins, a| ins.uextend(I32, a));
            }
            Operator::I16x8ExtractLaneS { lane } => {
                self.extract(I16X8, lane);
                self.unary(|ins, a| ins.sextend(I32, a));
            }
            Operator::I16x8ExtractLaneU { lane } => {
                self.extract(I16X8, lane);
                self.unary(|ins, a| ins.uextend(I32, a));
            }
            Operator::I32x4ExtractLane { lane } => self.extract(I32X4, lane),
            Operator::I64x2ExtractLane { lane } => self.extract(I64X2, lane),
            Operator::F32x4ExtractLane { lane } => self.extract(F32X4, lane),
            Operator::F64x2ExtractLane { lane } => self.extract(F64X2, lane),
            Operator::I8x16ReplaceLane { lane } => self.replace(I8X16, lane),
            Operator::I16x8ReplaceLane { lane } => self.replace(I16X8, lane),
            Operator::I32x4ReplaceLane { lane } => self.replace(I32X4, lane),
            Operator::I64x2ReplaceLane { lane } => self.replace(I64X2, lane),
            Operator::F32x4ReplaceLane { lane } => self.replace(F32X4, lane),
            Operator::F64x2ReplaceLane { lane } => self.replace(F64X2, lane),

            Operator::V128Not => self.vector_unary(VECTOR, |ins, a| ins.bnot(a)),
            Operator::V128And => self.vector_binary(VECTOR, |ins, a, b| ins.band(a, b)),
            Operator::V128AndNot => self.vector_binary(VECTOR, |ins, a, b| ins.band_not(a, b)),
            Operator::V128Or => self.vector_binary(VECTOR, |ins, a, b| ins.bor(a, b)),
            Operator::V128Xor => self.vector_binary(VECTOR, |ins, a, b| ins.bxor(a, b)),
            Operator::V128Bitselect => self.bitselect(VECTOR),
            Operator::V128AnyTrue => self.test(VECTOR, |ins, a| ins.vany_true(a)),
            Operator::I8x16AllTrue => self.test(I8X16, |ins, a| ins.vall_true(a)),
            Operator::I16x8AllTrue => self.test(I16X8, |ins, a| ins.vall_true(a)),
            Operator::I32x4AllTrue => self.test(I32X4, |ins, a| ins.vall_true(a)),
            Operator::I64x2AllTrue => self.test(I64X2, |ins, a| ins.vall_true(a)),
            Operator::I8x16Bitmask => self.vector_unary(I8X16, |ins, a| ins.vhigh_bits(I32, a)),
            Operator::I16x8Bitmask => self.vector_unary(I16X8, |ins, a| ins.vhigh_bits(I32, a)),
            Operator::I32x4Bitmask => self.vector_unary(I32X4, |ins, a| ins.vhigh_bits(I32, a)),
            Operator::I64x2Bitmask => self.vector_unary(I64X2, |ins, a| ins.vhigh_bits(I32, a)),

            Operator::I8x16Eq => self.compare_lanes(I8X16, IntCC::Equal),
            Operator::I8x16Ne => self.compare_lanes(I8X16, IntCC::NotEqual),
            Operator::I8x16LtS => self.compare_lanes(I8X16, IntCC::SignedLessThan),
            Operator::I8x16LtU => self.compare_lanes(I8X16, IntCC::UnsignedLessThan),
            Operator::I8x16GtS => self.compare_lanes(I8X16, IntCC::SignedGreaterThan),
            Operator::I8x16GtU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThan),
            Operator::I8x16LeS => self.compare_lanes(I8X16, IntCC::SignedLessThanOrEqual),
            Operator::I8x16LeU => self.compare_lanes(I8X16, IntCC::UnsignedLessThanOrEqual),
            Operator::I8x16GeS => self.compare_lanes(I8X16, IntCC::SignedGreaterThanOrEqual),
            Operator::I8x16GeU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThanOrEqual),
            Operator::I16x8Eq => self.compare_lanes(I16X8, IntCC::Equal),
            Operator::I16x8Ne => self.compare_lanes(I16X8, IntCC::NotEqual),
            Operator::I16x8LtS => self.compare_lanes(I16X8, IntCC::SignedLessThan),
            Operator::I16x8LtU => self.compare_lanes(I16X8, IntCC::UnsignedLessThan),
            Operator::I16x8GtS => self.compare_lanes(I16X8, IntCC::SignedGreaterThan),
            Operator::I16x8GtU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThan),
            Operator::I16x8LeS => self.compare_lanes(I16X8, IntCC::SignedLessThanOrEqual),
            Operator::I16x8LeU => self.compare_lanes(I16X8, IntCC::UnsignedLessThanOrEqual),
            Operator::I16x8GeS => self.compare_lanes(I16X8, IntCC::SignedGreaterThanOrEqual),
            Operator::I16x8GeU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThanOrEqual),
            Operator::I32x4Eq => self.compare_lanes(I32X4, IntCC::Equal),
            Operator::I32x4Ne => self.compare_lanes(I32X4, IntCC::NotEqual),
            Operator::I32x4LtS => self.compare_lanes(I32X4, IntCC::SignedLessThan),
            Operator::I32x4LtU => self.compare_lanes(I32X4, IntCC::UnsignedLessThan),
            Operator::I32x4GtS => self.compare_lanes(I32X4, IntCC::SignedGreaterThan),
            Operator::I32x4GtU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThan),
            Operator::I32x4LeS => self.compare_lanes(I32X4, IntCC::SignedLessThanOrEqual),
            Operator::I32x4LeU => self.compare_lanes(I32X4, IntCC::UnsignedLessThanOrEqual),
            Operator::I32x4GeS => self.compare_lanes(I32X4, IntCC::SignedGreaterThanOrEqual),
            Operator::I32x4GeU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThanOrEqual),
            Operator::I64x2Eq => self.compare_lanes(I64X2, IntCC::Equal),
            Operator::I64x2Ne => self.compare_lanes(I64X2, IntCC::NotEqual),
            Operator::I64x2LtS => self.compare_lanes(I64X2, IntCC::SignedLessThan),
            Operator::I64x2GtS => self.compare_lanes(I64X2, IntCC::SignedGreaterThan),
            Operator::I64x2LeS => self.compare_lanes(I64X2, IntCC::SignedLessThanOrEqual),
            Operator::I64x2GeS => self.compare_lanes(I64X2, IntCC::SignedGreaterThanOrEqual),
            Operator::F32x4Eq => self.compare_float_lanes(F32X4, FloatCC::Equal),
            Operator::F32x4Ne => self.compare_float_lanes(F32X4, FloatCC::NotEqual),
            Operator::F32x4Lt => self.compare_float_lanes(F32X4, FloatCC::LessThan),
            Operator::F32x4Gt => self.compare_float_lanes(F32X4, FloatCC::GreaterThan),
            Operator::F32x4Le => self.compare_float_lanes(F32X4, FloatCC::LessThanOrEqual),
            Operator::F32x4Ge => self.compare_float_lanes(F32X4, FloatCC::GreaterThanOrEqual),
            Operator::F64x2Eq => self.compare_float_lanes(F64X2, FloatCC::Equal),
            Operator::F64x2Ne => self.compare_float_lanes(F64X2, FloatCC::NotEqual),
            Operator::F64x2Lt => self.compare_float_lanes(F64X2, FloatCC::LessThan),
            Operator::F64x2Gt => self.compare_float_lanes(F64X2, FloatCC::GreaterThan),
            Operator::F64x2Le => self.compare_float_lanes(F64X2, FloatCC::LessThanOrEqual),
            Operator::F64x2Ge => self.compare_float_lanes(F64X2, FloatCC::GreaterThanOrEqual),
            _ => return false,
        }
        true
    }

    /// Arithmetic on integers of one width.
    fn simd_integers(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::I8x16Abs => self.vector_unary(I8X16, |ins, a| ins.iabs(a)),
            Operator::I16x8Abs => self.vector_unary(I16X8, |ins, a| ins.iabs(a)),
            Operator::I32x4Abs => self.vector_unary(I32X4, |ins, a| ins.iabs(a)),
            Operator::I64x2Abs => self.vector_unary(I64X2, |ins, a| ins.iabs(a)),
            Operator::I8x16Neg => self.vector_unary(I8X16, |ins, a| ins.ineg(a)),
            Operator::I16x8Neg => self.vector_unary(I16X8, |ins, a| ins.ineg(a)),
            Operator::I32x4Neg => self.vector_unary(I32X4, |ins, a| ins.ineg(a)),
            Operator::I64x2Neg => self.vector_unary(I64X2, |ins, a| ins.ineg(a)),
            Operator::I8x16Popcnt => self.vector_unary(I8X16, |ins, a| ins.popcnt(a)),

            Operator::I8x16Shl => self.shift(I8X16, |ins, a, by| ins.ishl(a, by)),
            Operator::I16x8Shl => self.shift(I16X8, |ins, a, by| ins.ishl(a, by)),
            Operator::I32x4Shl => self.shift(I32X4, |ins, a, by| ins.ishl(a, by)),
            Operator::I64x2Shl => self.shift(I64X2, |ins, a, by| ins.ishl(a, by)),
            Operator::I8x16ShrS => self.shift(I8X16, |ins, a, by| ins.sshr(a, by)),
            Operator::I16x8ShrS => self.shift(I16X8, |ins, a, by| ins.sshr(a, by)),
            Operator::I32x4ShrS => self.shift(I32X4, |ins, a, by| ins.sshr(a, by)),
            Operator::I64x2ShrS => self.shift(I64X2, |ins, a, by| ins.sshr(a, by)),
            Operator::I8x16ShrU => self.shift(I8X16, |ins, a, by| ins.ushr(a, by)),
            Operator::I16x8ShrU => self.shift(I16X8, |ins, a, by| ins.ushr(a, by)),
            Operator::I32x4ShrU => self.shift(I32X4, |ins, a, by| ins.ushr(a, by)),
            Operator::I64x2ShrU => self.shift(I64X2, |ins, a, by| ins.ushr(a, by)),

            Operator::I8x16Add => self.vector_binary(I8X16, |ins, a, b| ins.iadd(a, b)),
            Operator::I16x8Add => self.vector_binary(I16X8, |ins, a, b| ins.iadd(a, b)),
            Operator::I32x4Add => self.vector_binary(I32X4, |ins, a, b| ins.iadd(a, b)),
            Operator::I64x2Add => self.vector_binary(I64X2, |ins, a, b| ins.iadd(a, b)),
            Operator::I8x16Sub => self.vector_binary(I8X16, |ins, a, b| ins.isub(a, b)),
            Operator::I16x8Sub => self.vector_binary(I16X8, |ins, a, b| ins.isub(a, b)),
            Operator::I32x4Sub => self.vector_binary(I32X4, |ins, a, b| ins.isub(a, b)),
            Operator::I64x2Sub => self.vector_binary(I64X2, |ins, a, b| ins.isub(a, b)),
            Operator::I16x8Mul => self.vector_binary(I16X8, |ins, a, b| ins.imul(a, b)),
            Operator::I32x4Mul => self.vector_binary(I32X4, |ins, a, b| ins.imul(a, b)),
            Operator::I64x2Mul => self.vector_binary(I64X2, |ins, a, b| ins.imul(a, b)),
            Operator::I8x16AddSatS => self.vector_binary(I8X16, |ins, a, b| ins.sadd_sat(a, b)),
            Operator::I16x8AddSatS => self.vector_binary(I16X8, |ins, a, b| ins.sadd_sat(a, b)),
            Operator::I8x16AddSatU => self.vector_binary(I8X16, |ins, a, b| ins.uadd_sat(a, b)),
            Operator::I16x8AddSatU => self.vector_binary(I16X8, |ins, a, b| ins.uadd_sat(a, b)),
            Operator::I8x16SubSatS => self.vector_binary(I8X16, |ins, a, b| ins.ssub_sat(a, b)),
            Operator::I16x8SubSatS => self.vector_binary(I16X8, |ins, a, b| ins.ssub_sat(a, b)),
            Operator::I8x16SubSatU => self.vector_binary(I8X16, |ins, a, b| ins.usub_sat(a, b)),
            Operator::I16x8SubSatU => self.vector_binary(I16X8, |ins, a, b| ins.usub_sat(a, b)),
            Operator::I8x16MinS => self.vector_binary(I8X16, |ins, a, b| ins.smin(a, b)),
            Operator::I16x8MinS => self.vector_binary(I16X8, |ins, a, b| ins.smin(a, b)),
            Operator::I32x4MinS => self.vector_binary(I32X4, |ins, a, b| ins.smin(a, b)),
            Operator::I8x16MinU => self.vector_binary(I8X16, |ins, a, b| ins.umin(a, b)),
            Operator::I16x8MinU => self.vector_binary(I16X8, |ins, a, b| ins.umin(a, b)),
            Operator::I32x4MinU => self.vector_binary(I32X4, |ins, a, b| ins.umin(a, b)),
            Operator::I8x16MaxS => self.vector_binary(I8X16, |ins, a, b| ins.smax(a, b)),
            Operator::I16x8MaxS => self.vector_binary(I16X8, |ins, a, b| ins.smax(a, b)),
            Operator::I32x4MaxS => self.vector_binary(I32X4, |ins, a, b| ins.smax(a, b)),
            Operator::I8x16MaxU => self.vector_binary(I8X16, |ins, a, b| ins.umax(a, b)),
            Operator::I16x8MaxU => self.vector_binary(I16X8, |ins, a, b| ins.umax(a, b)),
            Operator::I32x4MaxU => self.vector_binary(I32X4, |ins, a, b| ins.umax(a, b)),
            Operator::I8x16AvgrU => self.vector_binary(I8X16, |ins, a, b| ins.avg_round(a, b)),
            Operator::I16x8AvgrU => self.vector_binary(I16X8, |ins, a, b| ins.avg_round(a, b)),
            Operator::I16x8Q15MulrSatS => self.vector_binary(I16X8, |ins, a, b| ins.sqmul_round_sat(a, b)),
            _ => return false,
        }
        true
    }

    /// Integers that become wider or narrower.
    fn simd_widths(&mut self, op: &Operator<'_>) -> bool {
        use Half::{High, Low};
        match *op {
            Operator::I8x16NarrowI16x8S => self.vector_binary(I16X8, |ins, a, b| ins.snarrow(a, b)),
            Operator::I8x16NarrowI16x8U => self.vector_binary(I16X8, |ins, a, b| ins.unarrow(a, b)),
            Operator::I16x8NarrowI32x4S => self.vector_binary(I32X4, |ins, a, b| ins.snarrow(a, b)),
            Operator::I16x8NarrowI32x4U => self.vector_binary(I32X4, |ins, a, b| ins.unarrow(a, b)),
            Operator::I16x8ExtendLowI8x16S => self.extend(I8X16, true, Low),
            Operator::I16x8ExtendHighI8x16S => self.extend(I8X16, true, High),
            Operator::I16x8ExtendLowI8x16U => self.extend(I8X16, false, Low),
            Operator::I16x8ExtendHighI8x16U => self.extend(I8X16, false, High),
            Operator::I32x4ExtendLowI16x8S => self.extend(I16X8, true, Low),
            Operator::I32x4ExtendHighI16x8S => self.extend(I16X8, true, High),
            Operator::I32x4ExtendLowI16x8U => self.extend(I16X8, false, Low),
            Operator::I32x4ExtendHighI16x8U => self.extend(I16X8, false, High),
            Operator::I64x2ExtendLowI32x4S => self.extend(I32X4, true, Low),
            Operator::I64x2ExtendHighI32x4S => self.extend(I32X4, true, High),
            Operator::I64x2ExtendLowI32x4U => self.extend(I32X4, false, Low),
            Operator::I64x2ExtendHighI32x4U => self.extend(I32X4, false, High),
            Operator::I16x8ExtMulLowI8x16S => self.extended_multiply(I8X16, true, Low),
            Operator::I16x8ExtMulHighI8x16S => self.extended_multiply(I8X16, true, High),
            Operator::I16x8ExtMulLowI8x16U => self.extended_multiply(I8X16, false, Low),
            Operator::I16x8ExtMulHighI8x16U => self.extended_multiply(I8X16, false, High),
            Operator::I32x4ExtMulLowI16x8S => self.extended_multiply(I16X8, true, Low),
            Operator::I32x4ExtMulHighI16x8S => self.extended_multiply(I16X8, true, High),
            Operator::I32x4ExtMulLowI16x8U => self.extended_multiply(I16X8, false, Low),
            Operator::I32x4ExtMulHighI16x8U => self.extended_multiply(I16X8, false, High),
            Operator::I64x2ExtMulLowI32x4S => self.extended_multiply(I32X4, true, Low),
            Operator::I64x2ExtMulHighI32x4S => self.extended_multiply(I32X4, true, High),
            Operator::I64x2ExtMulLowI32x4U => self.extended_multiply(I32X4, false, Low),
            Operator::I64x2ExtMulHighI32x4U => self.extended_multiply(I32X4, false, High),
            Operator::I16x8ExtAddPairwiseI8x16S => self.add_neighbours(I8X16, true),
            Operator::I16x8ExtAddPairwiseI8x16U => self.add_neighbours(I8X16, false),
            Operator::I32x4ExtAddPairwiseI16x8S => self.add_neighbours(I16X8, true),
            Operator::I32x4ExtAddPairwiseI16x8U => self.add_neighbours(I16X8, false),
            Operator::I32x4DotI16x8S => self.dot(I16X8),
            _ => return false,
        }
        true
    }

    /// Arithmetic on floats, and conversions from and to them.
    fn simd_floats(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::F32x4Ceil => self.vector_unary(F32X4, |ins, a| ins.ceil(a)),
            Operator::F64x2Ceil => self.vector_unary(F64X2, |ins, a| ins.ceil(a)),
            Operator::F32x4Floor => self.vector_unary(F32X4, |ins, a| ins.floor(a)),
            Operator::F64x2Floor => self.vector_unary(F64X2, |ins, a| ins.floor(a)),
            Operator::F32x4Trunc => self.vector_unary(F32X4, |ins, a| ins.trunc(a)),
            Operator::F64x2Trunc => self.vector_unary(F64X2, |ins, a| ins.trunc(a)),
            Operator::F32x4Nearest => self.vector_unary(F32X4, |ins, a| ins.nearest(a)),
            Operator::F64x2Nearest => self.vector_unary(F64X2, |ins, a| ins.nearest(a)),
            Operator::F32x4Abs => self.vector_unary(F32X4, |ins, a| ins.fabs(a)),
            Operator::F64x2Abs => self.vector_unary(F64X2, |ins, a| ins.fabs(a)),
            Operator::F32x4Neg => self.vector_unary(F32X4, |ins, a| ins.fneg(a)),
            Operator::F64x2Neg => self.vector_unary(F64X2, |ins, a| ins.fneg(a)),
            Operator::F32x4Sqrt => self.vector_unary(F32X4, |ins, a| ins.sqrt(a)),
            Operator::F64x2Sqrt => self.vector_unary(F64X2, |ins, a| ins.sqrt(a)),
            Operator::F32x4Add => self.vector_binary(F32X4, |ins, a, b| ins.fadd(a, b)),
            Operator::F64x2Add => self.vector_binary(F64X2, |ins, a, b| ins.fadd(a, b)),
            Operator::F32x4Sub => self.vector_binary(F32X4, |ins, a, b| ins.fsub(a, b)),
            Operator::F64x2Sub => self.vector_binary(F64X2, |ins, a, b| ins.fsub(a, b)),
            Operator::F32x4Mul => self.vector_binary(F32X4, |ins, a, b| ins.fmul(a, b)),
            Operator::F64x2Mul => self.vector_binary(F64X2, |ins, a, b| ins.fmul(a, b)),
            Operator::F32x4Div => self.vector_binary(F32X4, |ins, a, b| ins.fdiv(a, b)),
            Operator::F64x2Div => self.vector_binary(F64X2, |ins, a, b| ins.fdiv(a, b)),
            Operator::F32x4Min => self.vector_binary(F32X4, |ins, a, b| ins.fmin(a, b)),
            Operator::F64x2Min => self.vector_binary(F64X2, |ins, a, b| ins.fmin(a, b)),
            Operator::F32x4Max => self.vector_binary(F32X4, |ins, a, b| ins.fmax(a, b)),
            Operator::F64x2Max => self.vector_binary(F64X2, |ins, a, b| ins.fmax(a, b)),
            Operator::F32x4PMin => self.pseudo_min(F32X4),
            Operator::F64x2PMin => self.pseudo_min(F64X2),
            Operator::F32x4PMax => self.pseudo_max(F32X4),
            Operator::F64x2PMax => self.pseudo_max(F64X2),

            Operator::I32x4TruncSatF32x4S => {
                self.vector_unary(F32X4, |ins, a| ins.fcvt_to_sint_sat(I32X4, a));
            }
            Operator::I32x4TruncSatF32x4U => {
                self.vector_unary(F32X4, |ins, a| ins.fcvt_to_uint_sat(I32X4, a));
            }
            Operator::I32x4TruncSatF64x2SZero => self.truncate_low(true),
            Operator::I32x4TruncSatF64x2UZero => self.truncate_low(false),
            Operator::F32x4ConvertI32x4S => self.vector_unary(I32X4, |ins, a| ins.fcvt_from_sint(F32X4, a)),
            Operator::F32x4ConvertI32x4U => self.vector_unary(I32X4, |ins, a| ins.fcvt_from_uint(F32X4, a)),
            Operator::F64x2ConvertLowI32x4S => {
                self.vector_unary(I32X4, |ins, a| ins.swiden_low(a));
                self.vector_unary(I64X2, |ins, a| ins.fcvt_from_sint(F64X2, a));
            }
            Operator::F64x2ConvertLowI32x4U => {
                self.vector_unary(I32X4, |ins, a| ins.uwiden_low(a));
                self.vector_unary(I64X2, |ins, a| ins.fcvt_from_uint(F64X2, a));
            }
            Operator::F32x4DemoteF64x2Zero => self.vector_unary(F64X2, |ins, a| ins.fvdemote(a)),
            Operator::F64x2PromoteLowF32x4 => self.vector_unary(F32X4, |ins, a| ins.fvpromote_low(a)),
            _ => return false,
        }
        true
    }

    pub(super) fn vector_unary(
        &mut self,
        ty: Type,
        make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value) -> Value,
    ) {
        let value = self.pop_vector(ty);
        let value = make(self.builder.ins(), value);
        self.push(value);
    }

    pub(super) fn pop_vectors(&mut self, ty: Type) -> (Value, Value) {
        let second = self.pop_vector(ty);
        (self.pop_vector(ty), second)
    }

    pub(super) fn vector_binary(
        &mut self,
        ty: Type,
        make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value, Value) -> Value,
    ) {
        let (first, second) = self.pop_vectors(ty);
        let value = make(self.builder.ins(), first, second);
        self.push(value);
    }

    /// A vector of zeros.
    pub(super) fn zeros(&mut self, ty: Type) -> Value {
        let zeros = self.builder.func.dfg.constants.insert([0; 16].as_slice().into());
        self.builder.ins().vconst(ty, zeros)
    }

    /// A scalar of the stack as a lane: narrow lanes come as `i32`.
    fn pop_lane(&mut self, ty: Type) -> Value {
        let value = self.pop();
        let lane = ty.lane_type();
        if lane == I8 || lane == I16 { self.builder.ins().ireduce(lane, value) } else { value }
    }

    pub(super) fn splat(&mut self, ty: Type) {
        let lane = self.pop_lane(ty);
        let value = self.builder.ins().splat(ty, lane);
        self.push(value);
    }

    fn extract(&mut self, ty: Type, lane: u8) {
        self.vector_unary(ty, |ins, a| ins.extractlane(a, lane));
    }

    fn replace(&mut self, ty: Type, lane: u8) {
        let value = self.pop_lane(ty);
        self.vector_unary(ty, |ins, a| ins.insertlane(a, value, lane));
    }

    pub(super) fn bitselect(&mut self, ty: Type) {
        let mask = self.pop_vector(ty);
        self.vector_binary(ty, |ins, a, b| ins.bitselect(mask, a, b));
    }

    fn test(&mut self, ty: Type, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value) -> Value) {
        let value = self.pop_vector(ty);
        let outcome = make(self.builder.ins(), value);
        self.push_bool(outcome);
    }

    fn compare_lanes(&mut self, ty: Type, condition: IntCC) {
        self.vector_binary(ty, |ins, a, b| ins.icmp(condition, a, b));
    }

    fn compare_float_lanes(&mut self, ty: Type, condition: FloatCC) {
        self.vector_binary(ty, |ins, a, b| ins.fcmp(condition, a, b));
    }

    /// Shifts every lane by a scalar, modulo the lane's width.
    fn shift(&mut self, ty: Type, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Value, Value) -> Value) {
        let by = self.pop();
        self.vector_unary(ty, |ins, a| make(ins, a, by));
    }

    fn widen(&mut self, value: Value, signed: bool, half: Half) -> Value {
        let ins = self.builder.ins();
        match (signed, half) {
            (true, Half::Low) => ins.swiden_low(value),
            (true, Half::High) => ins.swiden_high(value),
            (false, Half::Low) => ins.uwiden_low(value),
            (false, Half::High) => ins.uwiden_high(value),
        }
    }

    fn extend(&mut self, from: Type, signed: bool, half: Half) {
        let value = self.pop_vector(from);
        let value = self.widen(value, signed, half);
        self.push(value);
    }

    fn extended_multiply(&mut self, from: Type, signed: bool, half: Half) {
        let (first, second) = self.pop_vectors(from);
        let first = self.widen(first, signed, half);
        let second = self.widen(second, signed, half);
        let value = self.builder.ins().imul(first, second);
        self.push(value);
    }

    pub(super) fn add_neighbours(&mut self, from: Type, signed: bool) {
        let value = self.pop_vector(from);
        let low = self.widen(value, signed, Half::Low);
        let high = self.widen(value, signed, Half::High);
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push(value);
    }

    /// Products of lanes, each pair of neighbours added.
    pub(super) fn dot(&mut self, from: Type) {
        let (first, second) = self.pop_vectors(from);
        let mut half = |half| {
            let first = self.widen(first, true, half);
            let second = self.widen(second, true, half);
            self.builder.ins().imul(first, second)
        };
        let (low, high) = (half(Half::Low), half(Half::High));
        let value = self.builder.ins().iadd_pairwise(low, high);
        self.push(value);
    }

    /// The second where it is less, else the first: one instruction, unlike `min`.
    pub(super) fn pseudo_min(&mut self, ty: Type) {
        let (first, second) = self.pop_vectors(ty);
        let less = self.builder.ins().fcmp(FloatCC::LessThan, second, first);
        let less = self.lanes(less, ty);
        let value = self.builder.ins().bitselect(less, second, first);
        self.push(value);
    }

    /// The second where the first is less, else the first.
    pub(super) fn pseudo_max(&mut self, ty: Type) {
        let (first, second) = self.pop_vectors(ty);
        let less = self.builder.ins().fcmp(FloatCC::LessThan, first, second);
        let less = self.lanes(less, ty);
        let value = self.builder.ins().bitselect(less, second, first);
        self.push(value);
    }

    /// Two floats to the two low integers; the high ones are 0.
    fn truncate_low(&mut self, signed: bool) {
        let value = self.pop_vector(F64X2);
        let zeros = self.zeros(I64X2);
        let value = if signed {
            let wide = self.builder.ins().fcvt_to_sint_sat(I64X2, value);
            self.builder.ins().snarrow(wide, zeros)
        } else {
            let wide = self.builder.ins().fcvt_to_uint_sat(I64X2, value);
            self.builder.ins().uunarrow(wide, zeros)
        };
        self.push(value);
    }
}

/// Which lanes of a vector become wider.
#[derive(Clone, Copy)]
enum Half {
    Low,
    High,
}
