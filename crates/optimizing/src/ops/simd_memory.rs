//! Loads and stores of vectors and of their lanes.

use super::memory::Access;
use crate::abi::VECTOR;
use crate::translate::Translator;
use cranelift_codegen::ir::types::{I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FuncInstBuilder;
use wasmparser::{MemArg, Operator};

impl<'a> Translator<'a> {
    /// Translates `op` if it is of this family.
    pub(super) fn simd_memory(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::V128Load { ref memarg } => self.load(memarg, VECTOR),
            Operator::V128Store { ref memarg } => {
                // Operands of any lane type are stored as they are.
                let value = self.pop();
                let at = self.pop_access(memarg, VECTOR.bytes());
                self.builder.ins().store(at.flags, value, at.address, at.offset);
            }
            Operator::V128Load8x8S { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.sload8x8(at.flags, at.address, at.offset));
            }
            Operator::V128Load8x8U { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.uload8x8(at.flags, at.address, at.offset));
            }
            Operator::V128Load16x4S { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.sload16x4(at.flags, at.address, at.offset));
            }
            Operator::V128Load16x4U { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.uload16x4(at.flags, at.address, at.offset));
            }
            Operator::V128Load32x2S { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.sload32x2(at.flags, at.address, at.offset));
            }
            Operator::V128Load32x2U { ref memarg } => {
                self.load_wider(memarg, |ins, at| ins.uload32x2(at.flags, at.address, at.offset));
            }
            Operator::V128Load8Splat { ref memarg } => self.load_splat(memarg, I8X16),
            Operator::V128Load16Splat { ref memarg } => self.load_splat(memarg, I16X8),
            Operator::V128Load32Splat { ref memarg } => self.load_splat(memarg, I32X4),
            Operator::V128Load64Splat { ref memarg } => self.load_splat(memarg, I64X2),
            Operator::V128Load32Zero { ref memarg } => self.load_low(memarg, I32X4),
            Operator::V128Load64Zero { ref memarg } => self.load_low(memarg, I64X2),
            Operator::V128Load8Lane { ref memarg, lane } => self.load_lane(memarg, I8X16, lane),
            Operator::V128Load16Lane { ref memarg, lane } => self.load_lane(memarg, I16X8, lane),
            Operator::V128Load32Lane { ref memarg, lane } => self.load_lane(memarg, I32X4, lane),
            Operator::V128Load64Lane { ref memarg, lane } => self.load_lane(memarg, I64X2, lane),
            Operator::V128Store8Lane { ref memarg, lane } => self.store_lane(memarg, I8X16, lane),
            Operator::V128Store16Lane { ref memarg, lane } => self.store_lane(memarg, I16X8, lane),
            Operator::V128Store32Lane { ref memarg, lane } => self.store_lane(memarg, I32X4, lane),
            Operator::V128Store64Lane { ref memarg, lane } => self.store_lane(memarg, I64X2, lane),
            _ => return false,
        }
        true
    }

    /// Loads eight bytes of lanes, each of which becomes twice as wide.
    fn load_wider(&mut self, memarg: &MemArg, make: impl FnOnce(FuncInstBuilder<'_, 'a>, Access) -> Value) {
        let at = self.pop_access(memarg, 8);
        let value = make(self.builder.ins(), at);
        self.push(value);
    }

    /// Loads one lane into all.
    fn load_splat(&mut self, memarg: &MemArg, ty: Type) {
        self.load(memarg, ty.lane_type());
        self.unary(|ins, lane| ins.splat(ty, lane));
    }

    /// Loads the lowest lane; the others are 0.
    fn load_low(&mut self, memarg: &MemArg, ty: Type) {
        self.load(memarg, ty.lane_type());
        self.unary(|ins, lane| ins.scalar_to_vector(ty, lane));
    }

    /// Loads one lane of the vector on the stack.
    fn load_lane(&mut self, memarg: &MemArg, ty: Type, lane: u8) {
        let vector = self.pop_vector(ty);
        self.load(memarg, ty.lane_type());
        self.unary(|ins, value| ins.insertlane(vector, value, lane));
    }

    /// Stores one lane.
    fn store_lane(&mut self, memarg: &MemArg, ty: Type, lane: u8) {
        self.vector_unary(ty, |ins, a| ins.extractlane(a, lane));
        self.store(memarg, ty.lane_type());
    }
}
