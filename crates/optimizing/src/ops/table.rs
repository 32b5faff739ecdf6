//! Tables.

use crate::abi::clif_type;
use crate::records::Region;
use crate::translate::Translator;
use cranelift_codegen::ir::{InstBuilder, Type, Value, condcodes::IntCC};
use tenure_abi::{Builtin, ValClass};
use tenure_types::{ElemIdx, TableIdx, Trap, ValType};

impl Translator<'_> {
    fn element_type(&self, table: TableIdx) -> Type {
        clif_type(ValClass::of(ValType::Ref(self.unit.module.table_type(table).element)))
    }

    /// The address of an element that is known to be there, once `index` is checked.
    fn element_address(&mut self, index: Value, table: TableIdx) -> Value {
        let index = self.zero_extended(index);
        let len = self.table_len(table);
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.trap_if(outside, Trap::TableOutOfBounds);
        let base = self.table_base(table);
        let shift = self.element_type(table).bytes().trailing_zeros();
        let at = self.builder.ins().ishl_imm_u(index, i64::from(shift));
        self.builder.ins().iadd(base, at)
    }

    /// Element `index` of `table`.
    pub(super) fn table_element(&mut self, index: Value, table: TableIdx) -> Value {
        let address = self.element_address(index, table);
        let flags = self.trusted(Region::Table(table));
        let ty = self.element_type(table);
        self.builder.ins().load(ty, flags, address, 0)
    }

    pub(super) fn table_get(&mut self, table: TableIdx) {
        let index = self.pop();
        let element = self.table_element(index, table);
        self.push(element);
    }

    pub(super) fn table_set(&mut self, table: TableIdx) {
        let (index, value) = self.pop2();
        let address = self.element_address(index, table);
        let flags = self.trusted(Region::Table(table));
        self.builder.ins().store(flags, value, address, 0);
    }

    pub(super) fn table_size(&mut self, table: TableIdx) {
        let len = self.table_len(table);
        let len = self.narrowed(len, self.unit.module.table_type(table).is_64);
        self.push(len);
    }

    pub(super) fn table_grow(&mut self, table: TableIdx) {
        let (init, delta) = self.pop2();
        let (init, delta) = (self.zero_extended(init), self.zero_extended(delta));
        let table_value = self.i32_const(table.0.cast_signed());
        let old = self.builtin(Builtin::TableGrow, &[table_value, delta, init]);
        let old = old.expect("the builtin has a value");
        let old = self.narrowed(old, self.unit.module.table_type(table).is_64);
        self.push(old);
    }

    pub(super) fn table_fill(&mut self, table: TableIdx) {
        let (at, init, len) = self.pop3();
        let (at, init, len) = (self.zero_extended(at), self.zero_extended(init), self.zero_extended(len));
        let table = self.i32_const(table.0.cast_signed());
        self.builtin(Builtin::TableFill, &[table, at, init, len]);
    }

    pub(super) fn table_copy(&mut self, to: TableIdx, from: TableIdx) {
        let [dst, src, len] = self.pop_range();
        let to = self.i32_const(to.0.cast_signed());
        let from = self.i32_const(from.0.cast_signed());
        self.builtin(Builtin::TableCopy, &[to, from, dst, src, len]);
    }

    pub(super) fn table_init(&mut self, table: TableIdx, elem: ElemIdx) {
        let [dst, src, len] = self.pop_range();
        let table = self.i32_const(table.0.cast_signed());
        let elem = self.i32_const(elem.0.cast_signed());
        self.builtin(Builtin::TableInit, &[table, elem, dst, src, len]);
    }

    pub(super) fn elem_drop(&mut self, elem: ElemIdx) {
        let elem = self.i32_const(elem.0.cast_signed());
        self.builtin(Builtin::ElemDrop, &[elem]);
    }

    /// Pops destination, source and length, each as an `i64`.
    pub(super) fn pop_range(&mut self) -> [Value; 3] {
        let (dst, src, len) = self.pop3();
        [self.zero_extended(dst), self.zero_extended(src), self.zero_extended(len)]
    }
}
