//! References: null, functions, tests.

use crate::func::FuncCompiler;
use crate::isa_x64::RESULT;
use crate::isa_x64::asm::at;
use crate::stack::{Place, Value, bank};
use tenure_abi::ValClass;
use tenure_abi::vm::VmImport;
use tenure_code::CompileError;
use tenure_module::Item;
use tenure_types::{FuncIdx, Trap};

impl FuncCompiler<'_> {
    pub(super) fn ref_null(&mut self, ty: wasmparser::HeapType) -> Result<(), CompileError> {
        let class = self.heap_class(ty)?;
        self.push_const(class, 0);
        Ok(())
    }

    pub(super) fn ref_func(&mut self, func: FuncIdx) -> Result<(), CompileError> {
        let context = self.item_reg(Item::CONTEXT);
        let dst = self.result_reg(ValClass::I64);
        if self.unit.module.is_imported_func(func) {
            let record = at(context, self.unit.layout.import(func) + VmImport::FUNCREF);
            self.load_mem(ValClass::I64, dst, record);
        } else {
            let escape = self.unit.module.funcs[func.at()].escape.ok_or_else(|| {
                CompileError::Bug(format!("function {} becomes a funcref but has no record", func.0))
            })?;
            self.load_address(dst, at(context, self.unit.layout.funcref(escape)));
        }
        self.push_reg(ValClass::I64, dst);
        Ok(())
    }

    pub(super) fn ref_as_non_null(&mut self) {
        let value = self.pop();
        let test = self.test_value(value);
        self.trap_if_test(test.negate(), Trap::NullReference);
        self.push_again(value);
    }

    /// Branches without the reference when it is null; else it stays on the stack.
    pub(super) fn br_on_null(&mut self, depth: u32) {
        let value = self.pop();
        // Not where a value travels that the branch takes along.
        let mut temps = bank(value.class());
        temps.remove(RESULT);
        let reg = match value.place() {
            Place::Reg(reg) if reg != RESULT => reg,
            _ => {
                let reg = self.alloc_in(temps);
                self.load_value(reg, value);
                reg
            }
        };
        let value = Value::new(value.class(), Place::Reg(reg));
        let test = self.test_value(value);
        self.branch_if(test.negate(), depth);
        self.push_again(value);
    }

    /// Branches with the reference when it is not null; else it goes.
    pub(super) fn br_on_non_null(&mut self, depth: u32) {
        let value = self.pop();
        let test = self.test_value(value);
        self.push_again(value);
        self.branch_if(test, depth);
        self.pop();
    }

    /// Pushes `value` where it was popped from.
    fn push_again(&mut self, value: Value) {
        match value.place() {
            Place::Reg(reg) => {
                let dirty = self.b.regs.dirty_upper.has(reg);
                self.push_reg(value.class(), reg);
                if dirty {
                    self.b.regs.dirty_upper.insert(reg);
                }
            }
            Place::Local(local) => self.push_local(local),
            place => self.push(value.class(), place),
        }
    }
}
