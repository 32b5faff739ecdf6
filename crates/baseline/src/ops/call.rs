//! Calls of functions.

use crate::calls::Callee;
use crate::func::FuncCompiler;
use crate::isa_x64::call::RECORD;
use std::sync::Arc;
use tenure_abi::ValClass;
use tenure_code::CompileError;
use tenure_types::{FuncIdx, FuncType, HeapType, TableIdx, Trap, TypeIdx};

impl<'a> FuncCompiler<'a> {
    fn type_at(&self, ty: TypeIdx) -> &'a Arc<FuncType> {
        &self.unit.module.func_types[ty.at()]
    }

    fn callee(&self, func: FuncIdx) -> Callee {
        if self.unit.module.is_imported_func(func) { Callee::Import(func) } else { Callee::Own(func) }
    }

    pub(crate) fn call(&mut self, func: FuncIdx) {
        self.make_call(self.unit.module.func_type(func), self.callee(func));
    }

    pub(super) fn return_call(&mut self, func: FuncIdx) -> Result<(), CompileError> {
        self.make_return_call(self.unit.module.func_type(func), self.callee(func))
    }

    pub(super) fn call_indirect(&mut self, ty: TypeIdx, table: TableIdx) {
        let callee = self.pop_callee_in_table(ty, table);
        self.make_call(self.type_at(ty), callee);
    }

    pub(super) fn return_call_indirect(&mut self, ty: TypeIdx, table: TableIdx) -> Result<(), CompileError> {
        let callee = self.pop_callee_in_table(ty, table);
        self.make_return_call(self.type_at(ty), callee)
    }

    pub(super) fn call_ref(&mut self, ty: TypeIdx) {
        let callee = self.pop_callee();
        self.make_call(self.type_at(ty), callee);
    }

    pub(super) fn return_call_ref(&mut self, ty: TypeIdx) -> Result<(), CompileError> {
        let callee = self.pop_callee();
        self.make_return_call(self.type_at(ty), callee)
    }

    /// Pops an index; the record register points at that element of `table`, which is of type `ty`.
    fn pop_callee_in_table(&mut self, ty: TypeIdx, table: TableIdx) -> Callee {
        let element = self.pop_element(table, ValClass::I64);
        self.claim(RECORD);
        self.load_mem(ValClass::I64, RECORD, element);
        let reference = self.unit.module.table_type(table).element;
        let null = reference.nullable.then_some(Trap::IndirectCallToNull);
        if reference.heap == HeapType::Concrete(self.unit.module.types[ty.at()]) {
            self.check_null(null);
            Callee::Record { null: null.filter(|_| self.unit.tunables.signals) }
        } else {
            self.check_signature(ty, null);
            Callee::Record { null: None }
        }
    }

    /// Pops a reference; the record register points at what it refers to.
    fn pop_callee(&mut self) -> Callee {
        let reference = self.pop();
        self.load_record(reference);
        let null = Some(Trap::NullReference);
        self.check_null(null);
        Callee::Record { null: null.filter(|_| self.unit.tunables.signals) }
    }
}
