//! Operators, by family. The validator has seen each before it comes here.
//!
//! [`plain`] has the operators of one byte, and [`FuncCompiler::operator`] those of more.

mod call;
mod memory;
mod misc;
mod plain;
mod reference;
mod simd;
mod simd_memory;
mod table;
mod variable;

use crate::func::FuncCompiler;
use tenure_abi::ValClass;
use tenure_code::CompileError;
use tenure_types::{ElemIdx, FuncIdx, GlobalIdx, MemIdx, TableIdx, Trap, TypeIdx};
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles one operator whose first byte is `opcode`.
    pub(crate) fn operator(&mut self, opcode: u8, op: &Operator<'_>) -> Result<(), CompileError> {
        match *op {
            Operator::Block { blockty } => self.block(blockty)?,
            Operator::Loop { blockty } => self.loop_(blockty)?,
            Operator::If { blockty } => self.if_(blockty)?,
            Operator::Br { relative_depth } => self.br(relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(relative_depth),
            Operator::BrTable { ref targets } => self.br_table(targets)?,
            Operator::TypedSelect { .. } => self.select(),

            Operator::Call { function_index } => self.call(FuncIdx(function_index)),
            Operator::CallIndirect { type_index, table_index } => {
                self.call_indirect(TypeIdx(type_index), TableIdx(table_index));
            }
            Operator::CallRef { type_index } => self.call_ref(TypeIdx(type_index)),
            Operator::ReturnCall { function_index } => self.return_call(FuncIdx(function_index))?,
            Operator::ReturnCallIndirect { type_index, table_index } => {
                self.return_call_indirect(TypeIdx(type_index), TableIdx(table_index))?;
            }
            Operator::ReturnCallRef { type_index } => self.return_call_ref(TypeIdx(type_index))?,

            Operator::LocalGet { local_index } => self.push_local(local_index),
            Operator::LocalSet { local_index } => self.local_set(local_index),
            Operator::LocalTee { local_index } => self.local_tee(local_index),
            Operator::GlobalGet { global_index } => self.global_get(GlobalIdx(global_index)),
            Operator::GlobalSet { global_index } => self.store_global(GlobalIdx(global_index)),

            Operator::I32Const { value } => self.integer_const(true, i64::from(value)),
            Operator::I64Const { value } => self.integer_const(false, value),
            Operator::F32Const { value } => self.push_const(ValClass::F32, u64::from(value.bits())),
            Operator::F64Const { value } => self.push_const(ValClass::F64, value.bits()),

            Operator::TableGet { table } => self.table_get(TableIdx(table)),
            Operator::TableSet { table } => self.table_set(TableIdx(table)),
            Operator::TableSize { table } => self.table_size(TableIdx(table)),
            Operator::TableGrow { table } => self.table_grow(TableIdx(table)),
            Operator::TableFill { table } => self.table_fill(TableIdx(table)),
            Operator::TableCopy { dst_table, src_table } => {
                self.table_copy(TableIdx(dst_table), TableIdx(src_table));
            }
            Operator::TableInit { elem_index, table } => {
                self.table_init(TableIdx(table), ElemIdx(elem_index));
            }
            Operator::ElemDrop { elem_index } => self.elem_drop(ElemIdx(elem_index)),

            Operator::RefNull { hty } => self.ref_null(hty)?,
            Operator::RefFunc { function_index } => self.ref_func(FuncIdx(function_index))?,
            Operator::BrOnNull { relative_depth } => self.br_on_null(relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(relative_depth),

            Operator::MemorySize { mem } => self.memory_size(MemIdx(mem)),
            Operator::MemoryGrow { mem } => self.memory_grow(MemIdx(mem)),
            ref other
                if self.memory(opcode, other)
                    || self.misc(other)
                    || self.simd_memory(other)?
                    || self.simd(other)? => {}
            ref other => return Err(self.unknown(other)),
        }
        Ok(())
    }

    pub(crate) fn unreachable(&mut self) {
        self.unreachable_trap(Trap::UnreachableCodeReached);
    }

    pub(crate) fn integer_const(&mut self, is_i32: bool, value: i64) {
        if is_i32 {
            self.push_const(ValClass::I32, u64::from(value as u32));
        } else {
            self.push_const(ValClass::I64, value.cast_unsigned());
        }
    }

    /// Keeps track of constructs in code that control cannot come to.
    pub(crate) fn skip(&mut self, op: &Operator<'_>) {
        match op {
            Operator::Block { .. } | Operator::If { .. } => self.skipped += 1,
            Operator::Loop { .. } => {
                self.skipped += 1;
                self.loops += 1;
            }
            Operator::End if self.skipped > 0 => self.skipped -= 1,
            Operator::End => self.end(),
            Operator::Else if self.skipped == 0 => self.else_(),
            _ => {}
        }
    }

    /// The error for an operator of no family here; the validator knows more proposals than we do.
    #[cold]
    fn unknown(&self, op: &Operator<'_>) -> CompileError {
        let name = format!("{op:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default();
        self.unsupported(&format!("the operator {name}"))
    }
}
