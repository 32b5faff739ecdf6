//! Operators, by family. The validator has seen each before it comes here.
//!
//! [`operator`] takes what works on control, calls and the instance; the rest goes by the family that knows
//! it: [`numeric`], [`float`], [`memory`], [`simd`].

mod br_table;
mod bulk;
mod call;
mod control;
mod float;
mod memory;
mod numeric;
mod reference;
mod relaxed;
mod simd;
mod simd_memory;
mod table;
mod variable;

use crate::translate::Translator;
use tenure_code::CompileError;
use tenure_types::{ElemIdx, FuncIdx, GlobalIdx, MemIdx, TableIdx, Trap, TypeIdx};
use wasmparser::Operator;

impl Translator<'_> {
    /// Translates one operator, which lies at `offset` of the module.
    pub(crate) fn operator(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), CompileError> {
        if !self.reachable {
            self.skip(op);
            return Ok(());
        }
        self.offset = offset;
        self.highest = self.highest.max(self.stack.len());
        let location = self.start.location_of(offset);
        self.builder.set_srcloc(cranelift_codegen::ir::SourceLoc::new(location));
        match *op {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.trap(Trap::UnreachableCodeReached);
                self.reachable = false;
            }
            Operator::Block { blockty } => self.block(blockty)?,
            Operator::Loop { blockty } => self.loop_(blockty)?,
            Operator::If { blockty } => self.if_(blockty)?,
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => self.br(relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(relative_depth),
            Operator::BrTable { ref targets } => self.br_table(targets)?,
            Operator::Return => self.return_(),
            Operator::Drop => drop(self.pop()),
            Operator::Select | Operator::TypedSelect { .. } => self.select(),

            Operator::Call { function_index } => self.call(FuncIdx(function_index))?,
            Operator::CallIndirect { type_index, table_index } => {
                self.call_indirect(TypeIdx(type_index), TableIdx(table_index));
            }
            Operator::CallRef { type_index } => self.call_ref(TypeIdx(type_index)),
            Operator::ReturnCall { function_index } => self.return_call(FuncIdx(function_index)),
            Operator::ReturnCallIndirect { type_index, table_index } => {
                self.return_call_indirect(TypeIdx(type_index), TableIdx(table_index));
            }
            Operator::ReturnCallRef { type_index } => self.return_call_ref(TypeIdx(type_index)),

            Operator::LocalGet { local_index } => self.local_get(local_index),
            Operator::LocalSet { local_index } => self.local_set(local_index),
            Operator::LocalTee { local_index } => self.local_tee(local_index),
            Operator::GlobalGet { global_index } => self.global_get(GlobalIdx(global_index)),
            Operator::GlobalSet { global_index } => self.global_set(GlobalIdx(global_index)),

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
            Operator::RefIsNull => self.ref_is_null(),
            Operator::RefFunc { function_index } => self.ref_func(FuncIdx(function_index))?,
            Operator::RefAsNonNull => self.ref_as_non_null(),
            Operator::BrOnNull { relative_depth } => self.br_on_null(relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(relative_depth),

            Operator::MemorySize { mem } => self.memory_size(MemIdx(mem)),
            Operator::MemoryGrow { mem } => self.memory_grow(MemIdx(mem)),
            ref other if self.numeric(other) || self.memory(other) || self.float(other)? => {}
            // Cranelift has instructions for vectors from SSE4.1 on.
            ref other if self.simd_memory(other) || self.simd(other) || self.relaxed(other) => {
                self.need_sse41("simd")?;
            }
            ref other => return Err(self.unknown(other)),
        }
        Ok(())
    }

    /// Keeps track of constructs in code that control cannot come to.
    fn skip(&mut self, op: &Operator<'_>) {
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
    fn unknown(&self, op: &Operator<'_>) -> CompileError {
        let name = format!("{op:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default();
        let proposal = if name.contains("Atomic") {
            "threads"
        } else if name.contains("Throw") || name.contains("Try") || name.contains("Catch") {
            "exception-handling"
        } else if ["Struct", "Array", "I31", "Ref", "BrOnCast", "Any", "Extern"]
            .iter()
            .any(|word| name.contains(word))
        {
            "gc"
        } else {
            return CompileError::Unsupported { what: format!("the operator {name}"), offset: self.offset };
        };
        self.unsupported(proposal)
    }
}
