//! References: null, functions, tests.

use crate::abi::clif_type;
use crate::translate::Translator;
use cranelift_codegen::ir::{InstBuilder, condcodes::IntCC, types};
use tenure_abi::vm::VmImport;
use tenure_code::CompileError;
use tenure_types::{FuncIdx, Trap};

impl Translator<'_> {
    pub(super) fn ref_null(&mut self, ty: wasmparser::HeapType) -> Result<(), CompileError> {
        let ty = clif_type(self.heap_class(ty)?);
        let null = self.builder.ins().iconst(ty, 0);
        self.push(null);
        Ok(())
    }

    pub(super) fn ref_is_null(&mut self) {
        let reference = self.pop();
        let is_null = self.builder.ins().icmp_imm_s(IntCC::Equal, reference, 0);
        let is_null = self.builder.ins().uextend(types::I32, is_null);
        self.push(is_null);
    }

    pub(super) fn ref_func(&mut self, func: FuncIdx) -> Result<(), CompileError> {
        let funcref = if self.unit.module.is_imported_func(func) {
            self.fixed_ptr(self.vmctx, self.unit.layout.import(func) + VmImport::FUNCREF)
        } else {
            let escape = self.unit.module.funcs[func.at()].escape.ok_or_else(|| {
                CompileError::Bug(format!("function {} becomes a funcref but has no record", func.0))
            })?;
            let at = self.unit.layout.funcref(escape);
            self.builder.ins().iadd_imm_s(self.vmctx, i64::from(at))
        };
        self.push(funcref);
        Ok(())
    }

    pub(super) fn ref_as_non_null(&mut self) {
        let reference = self.pop();
        self.trap_if_zero(reference, Trap::NullReference);
        self.push(reference);
    }

    /// Branches without the reference when it is null; else it stays on the stack.
    pub(super) fn br_on_null(&mut self, depth: u32) {
        let reference = self.pop();
        let is_null = self.builder.ins().icmp_imm_s(IntCC::Equal, reference, 0);
        self.push(is_null);
        self.br_if(depth);
        self.push(reference);
    }

    /// Branches with the reference when it is not null; else it goes.
    pub(super) fn br_on_non_null(&mut self, depth: u32) {
        let reference = self.pop();
        let is_some = self.builder.ins().icmp_imm_s(IntCC::NotEqual, reference, 0);
        self.push(reference);
        self.push(is_some);
        self.br_if(depth);
        self.pop();
    }
}
