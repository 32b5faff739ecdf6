//! Tables.

use crate::calls::Argument::{Number, Operand};
use crate::func::FuncCompiler;
use tenure_abi::{Builtin, ValClass};
use tenure_types::{ElemIdx, TableIdx, ValType};

impl FuncCompiler<'_> {
    fn element_class(&self, table: TableIdx) -> ValClass {
        ValClass::of(ValType::Ref(self.unit.module.table_type(table).element))
    }

    pub(super) fn table_get(&mut self, table: TableIdx) {
        let class = self.element_class(table);
        let element = self.pop_element(table, class);
        let dst = self.result_reg(class);
        self.load_mem(class, dst, element);
        self.push_reg(class, dst);
    }

    pub(super) fn table_set(&mut self, table: TableIdx) {
        let class = self.element_class(table);
        let value = self.pop();
        let src = self.reg_of(value);
        let element = self.pop_element(table, class);
        self.store_mem(class, element, src);
    }

    pub(super) fn table_grow(&mut self, table: TableIdx) {
        let is_64 = self.unit.module.table_type(table).is_64;
        let class = if is_64 { ValClass::I64 } else { ValClass::I32 };
        let arguments = [Number(table.0), Operand(0), Operand(1)];
        self.builtin_with_value(Builtin::TableGrow, &arguments, 2, class);
    }

    pub(super) fn table_fill(&mut self, table: TableIdx) {
        let arguments = [Number(table.0), Operand(2), Operand(1), Operand(0)];
        self.builtin(Builtin::TableFill, &arguments, 3);
    }

    pub(super) fn table_copy(&mut self, to: TableIdx, from: TableIdx) {
        let arguments = [Number(to.0), Number(from.0), Operand(2), Operand(1), Operand(0)];
        self.builtin(Builtin::TableCopy, &arguments, 3);
    }

    pub(super) fn table_init(&mut self, table: TableIdx, elem: ElemIdx) {
        let arguments = [Number(table.0), Number(elem.0), Operand(2), Operand(1), Operand(0)];
        self.builtin(Builtin::TableInit, &arguments, 3);
    }

    pub(super) fn elem_drop(&mut self, elem: ElemIdx) {
        self.builtin(Builtin::ElemDrop, &[Number(elem.0)], 0);
    }
}
