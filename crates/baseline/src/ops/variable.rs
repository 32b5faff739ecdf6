//! Locals and globals.

use crate::func::FuncCompiler;
use crate::stack::Place;
use tenure_abi::ValClass;
use tenure_module::{ConstOp, Item};
use tenure_types::GlobalIdx;

impl FuncCompiler<'_> {
    pub(crate) fn local_set(&mut self, local: u32) {
        let value = self.pop();
        if self.b.reads[local as usize] > 0 {
            self.materialize_reads(local);
        }
        let item = Item::local(local);
        if let Some(reg) = self.b.regs.of(item)
            && self.b.regs.is_pin(reg)
        {
            if value.place() != Place::Reg(reg) && value.place() != Place::Local(local) {
                self.load_value(reg, value);
            }
            return;
        }
        if value.place() == Place::Local(local) {
            return;
        }
        self.b.regs.drop_copy(item);
        let home = crate::isa_x64::asm::frame(self.local_home(local));
        match value.place() {
            Place::Const(bits) => self.store_const(value.class(), home, bits),
            _ => {
                let reg = self.reg_of(value);
                self.store_mem(value.class(), home, reg);
                // What is in the register of another local is a copy of that one.
                if self.b.regs.free.has(reg) {
                    let dirty = self.b.regs.dirty_upper.has(reg);
                    self.b.regs.hold_copy(reg, item);
                    if dirty {
                        self.b.regs.dirty_upper.insert(reg);
                    }
                }
            }
        }
    }

    pub(crate) fn local_tee(&mut self, local: u32) {
        // A constant is better known than read.
        let constant = self.b.values.last().copied().filter(|value| matches!(value.place(), Place::Const(_)));
        self.local_set(local);
        match constant {
            Some(value) => self.push(value.class(), value.place()),
            None => self.push_local(local),
        }
    }

    pub(crate) fn global_get(&mut self, global: GlobalIdx) {
        let decl = &self.unit.module.globals[global.at()];
        let init = decl.init.as_ref().filter(|_| !decl.ty.mutable);
        if let Some([op]) = init.map(|init| init.ops()) {
            match *op {
                ConstOp::I32(value) => {
                    return self.push_const(ValClass::I32, u64::from(value.cast_unsigned()));
                }
                ConstOp::I64(value) => return self.push_const(ValClass::I64, value.cast_unsigned()),
                ConstOp::F32(bits) => return self.push_const(ValClass::F32, u64::from(bits)),
                ConstOp::F64(bits) => return self.push_const(ValClass::F64, bits),
                ConstOp::V128(bits) => return self.push_vector(bits),
                _ => {}
            }
        }
        self.load_global(global, ValClass::of(decl.ty.content));
    }
}
