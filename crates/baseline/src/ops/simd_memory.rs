//! Loads and stores of vectors and of their lanes.

use crate::func::FuncCompiler;
use crate::isa_x64::vector::Lanes;
use tenure_abi::ValClass;
use tenure_code::CompileError;
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    pub(super) fn simd_memory(&mut self, op: &Operator<'_>) -> Result<bool, CompileError> {
        use Lanes::{I8, I16, I32, I64};
        match *op {
            Operator::V128Load { ref memarg } => self.load(memarg, ValClass::V128),
            Operator::V128Store { ref memarg } => self.store(memarg, ValClass::V128),
            Operator::V128Load8x8S { ref memarg } => self.load_wider(memarg, I8, true),
            Operator::V128Load8x8U { ref memarg } => self.load_wider(memarg, I8, false),
            Operator::V128Load16x4S { ref memarg } => self.load_wider(memarg, I16, true),
            Operator::V128Load16x4U { ref memarg } => self.load_wider(memarg, I16, false),
            Operator::V128Load32x2S { ref memarg } => self.load_wider(memarg, I32, true),
            Operator::V128Load32x2U { ref memarg } => self.load_wider(memarg, I32, false),
            Operator::V128Load8Splat { ref memarg } => self.load_splat(memarg, I8),
            Operator::V128Load16Splat { ref memarg } => self.load_splat(memarg, I16),
            Operator::V128Load32Splat { ref memarg } => self.load_splat(memarg, I32),
            Operator::V128Load64Splat { ref memarg } => self.load_splat(memarg, I64),
            Operator::V128Load32Zero { ref memarg } => self.load_lowest(memarg, I32),
            Operator::V128Load64Zero { ref memarg } => self.load_lowest(memarg, I64),
            Operator::V128Load8Lane { ref memarg, lane } => self.load_lane(memarg, I8, lane),
            Operator::V128Load16Lane { ref memarg, lane } => self.load_lane(memarg, I16, lane),
            Operator::V128Load32Lane { ref memarg, lane } => self.load_lane(memarg, I32, lane),
            Operator::V128Load64Lane { ref memarg, lane } => self.load_lane(memarg, I64, lane),
            Operator::V128Store8Lane { ref memarg, lane } => self.store_lane(memarg, I8, lane),
            Operator::V128Store16Lane { ref memarg, lane } => self.store_lane(memarg, I16, lane),
            Operator::V128Store32Lane { ref memarg, lane } => self.store_lane(memarg, I32, lane),
            Operator::V128Store64Lane { ref memarg, lane } => self.store_lane(memarg, I64, lane),
            _ => return Ok(false),
        }
        self.need_vectors()?;
        Ok(true)
    }
}
