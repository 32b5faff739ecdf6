//! Linear memories: loads, stores, size, bulk operators.

use crate::calls::Argument::{Number, Operand};
use crate::func::FuncCompiler;
use tenure_abi::{Builtin, ValClass};
use tenure_types::{DataIdx, MemIdx};
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op`, whose first byte is `opcode`, if it is of this family.
    pub(super) fn memory(&mut self, opcode: u8, op: &Operator<'_>) -> bool {
        match *op {
            Operator::I32Load { ref memarg }
            | Operator::I64Load { ref memarg }
            | Operator::F32Load { ref memarg }
            | Operator::F64Load { ref memarg }
            | Operator::I32Load8S { ref memarg }
            | Operator::I32Load8U { ref memarg }
            | Operator::I32Load16S { ref memarg }
            | Operator::I32Load16U { ref memarg }
            | Operator::I64Load8S { ref memarg }
            | Operator::I64Load8U { ref memarg }
            | Operator::I64Load16S { ref memarg }
            | Operator::I64Load16U { ref memarg }
            | Operator::I64Load32S { ref memarg }
            | Operator::I64Load32U { ref memarg }
            | Operator::I32Store { ref memarg }
            | Operator::I64Store { ref memarg }
            | Operator::F32Store { ref memarg }
            | Operator::F64Store { ref memarg }
            | Operator::I32Store8 { ref memarg }
            | Operator::I64Store8 { ref memarg }
            | Operator::I32Store16 { ref memarg }
            | Operator::I64Store16 { ref memarg }
            | Operator::I64Store32 { ref memarg } => return self.checked_access(opcode, memarg),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let arguments = [Number(dst_mem), Number(src_mem), Operand(2), Operand(1), Operand(0)];
                self.builtin(Builtin::MemoryCopy, &arguments, 3);
            }
            Operator::MemoryFill { mem } => {
                let arguments = [Number(mem), Operand(2), Operand(1), Operand(0)];
                self.builtin(Builtin::MemoryFill, &arguments, 3);
            }
            Operator::MemoryInit { data_index, mem } => self.memory_init(MemIdx(mem), DataIdx(data_index)),
            Operator::DataDrop { data_index } => {
                self.builtin(Builtin::DataDrop, &[Number(data_index)], 0);
            }
            _ => return false,
        }
        true
    }

    fn memory_init(&mut self, memory: MemIdx, data: DataIdx) {
        let arguments = [Number(memory.0), Number(data.0), Operand(2), Operand(1), Operand(0)];
        self.builtin(Builtin::MemoryInit, &arguments, 3);
    }

    pub(super) fn memory_grow(&mut self, memory: MemIdx) {
        let is_64 = self.unit.module.mem_type(memory).is_64;
        let class = if is_64 { ValClass::I64 } else { ValClass::I32 };
        self.builtin_with_value(Builtin::MemoryGrow, &[Number(memory.0), Operand(0)], 1, class);
    }
}
