//! Linear memories: addresses, loads, stores; tables, globals and what else lies in the context.
//!
//! An address is `base + index + offset`. Whether it is inside is known in one of two ways:
//!
//! ```text
//! base        size          reserved      reserved + guard
//! |═ bytes ════|··· faults ····|··· faults ······|
//! 32-bit index ─────────────────▶ + offset ──────▶   nothing to check: what is outside faults
//! else: index > size - (offset + width)              an explicit check raises the trap
//! ```

use super::SCRATCH;
use super::asm::{Access, at, general, size, width};
use crate::func::FuncCompiler;
use crate::regs::{Reg, RegSet};
use crate::stack::{Place, Value};
use tenure_abi::ValClass;
use tenure_abi::ctx::Place as RecordPlace;
use tenure_abi::vm::{VmCtxHeader, VmMem, VmTable};
use tenure_asm::x64::{Alu, Cond, Mem, Scale, Size, Width};
use tenure_code::MemoryPlan;
use tenure_module::Item;
use tenure_types::{GlobalIdx, MemIdx, TableIdx, Trap, TypeIdx};
use wasmparser::{MemArg, MemArgTarget};

impl FuncCompiler<'_> {
    /// How `memory` is reserved.
    pub(crate) fn plan(&self, memory: MemIdx) -> MemoryPlan {
        self.unit.tunables.memory_plan(self.unit.module.mem_type(memory))
    }

    /// Up to which end of an access, counted from the index, nothing has to be checked: from there on, the highest
    /// byte a 32-bit index reaches faults. 0 when everything has to be checked.
    pub(crate) fn faulting_end(&self, memory: MemIdx) -> u64 {
        self.unit.tunables.faulting_end(self.unit.module.mem_type(memory))
    }

    /// Pops an index; the access of `bytes` bytes there, checked as far as faults do not.
    pub(crate) fn pop_access(&mut self, memarg: &MemArg, bytes: u32) -> Access {
        let memory = match memarg.target {
            MemArgTarget::Memory(memory) => MemIdx(memory),
            // No module with arrays becomes one of ours.
            MemArgTarget::Array(_) => MemIdx(0),
        };
        let end = memarg.offset.checked_add(u64::from(bytes));
        let faulting = if memory == MemIdx(0) { self.faulting } else { self.faulting_end(memory) };
        let may_fault = end.is_some_and(|end| end <= faulting);
        let index = self.pop();
        if may_fault
            && let Place::Const(bits) = index.place()
            && let Ok(offset) = i32::try_from(bits + memarg.offset)
        {
            let base = self.memory_base(memory);
            return self.access_at(at(base, offset), &[base], may_fault);
        }
        let index = self.index_of(index);
        if !may_fault {
            self.check_bounds(memory, index, end);
        }
        let base = self.memory_base(memory);
        match i32::try_from(memarg.offset) {
            Ok(offset) => {
                let mem = Mem::indexed(general(base), general(index), Scale::X1, offset);
                self.access_at(mem, &[base, index], may_fault)
            }
            Err(_) => {
                // An offset is an unsigned number here, whatever its highest bit.
                self.b.asm.mov_ri(general(SCRATCH), memarg.offset.cast_signed());
                self.b.asm.add_rr(Size::S64, general(SCRATCH), general(index));
                let mem = Mem::indexed(general(base), general(SCRATCH), Scale::X1, 0);
                self.access_at(mem, &[base, SCRATCH], may_fault)
            }
        }
    }

    fn access_at(&self, mem: Mem, regs: &[Reg], may_fault: bool) -> Access {
        Access { mem, may_fault, offset: self.offset, regs: RegSet::of(regs) }
    }

    /// Traps unless `index + end`, without wrapping, is at most the size of `memory`. `None` is beyond 64 bits.
    fn check_bounds(&mut self, memory: MemIdx, index: Reg, end: Option<u64>) {
        let Some(end) = end else {
            self.b.asm.cmp_rr(Size::S64, general(index), general(index));
            return self.trap_if(Cond::Equal, Trap::MemoryOutOfBounds);
        };
        let ty = *self.unit.module.mem_type(memory);
        let smallest = ty.min.saturating_mul(ty.page_size());
        let scratch = general(SCRATCH);
        if ty.max == Some(ty.min) && i64::try_from(smallest).is_ok() {
            // The size is known, and so is whether anything is inside.
            let Some(last) = smallest.checked_sub(end) else {
                self.b.asm.cmp_rr(Size::S64, general(index), general(index));
                return self.trap_if(Cond::Equal, Trap::MemoryOutOfBounds);
            };
            self.b.asm.mov_ri(scratch, last.cast_signed());
        } else {
            match i32::try_from(end) {
                Ok(end) if !ty.is_64 && matches!(self.unit.layout.mem(memory), RecordPlace::Own(_)) => {
                    // A 32-bit index and this make no more than 64 bits. The record is found without the scratch register.
                    self.b.asm.lea(Size::S64, scratch, at(index, end));
                    let bytes = self.field(self.unit.layout.mem(memory), VmMem::BYTES);
                    self.b.asm.cmp_rm(Size::S64, scratch, bytes);
                    return self.trap_if(Cond::Above, Trap::MemoryOutOfBounds);
                }
                Ok(end) => {
                    self.load_memory_bytes(SCRATCH, memory);
                    self.b.asm.sub_ri(Size::S64, scratch, end);
                }
                Err(_) => {
                    let by = self.alloc(ValClass::I64);
                    self.b.asm.mov_ri(general(by), end.cast_signed());
                    self.load_memory_bytes(SCRATCH, memory);
                    self.b.asm.sub_rr(Size::S64, scratch, general(by));
                }
            }
            if end > smallest {
                // The memory may be smaller than what is accessed.
                self.trap_if(Cond::Below, Trap::MemoryOutOfBounds);
            }
        }
        self.b.asm.cmp_rr(Size::S64, general(index), scratch);
        self.trap_if(Cond::Above, Trap::MemoryOutOfBounds);
    }

    /// A register with the base of `memory`.
    fn memory_base(&mut self, memory: MemIdx) -> Reg {
        if memory == MemIdx(0) {
            return self.item_reg(Item::MEMORY);
        }
        let context = self.item_reg(Item::CONTEXT);
        let base = self.alloc(ValClass::I64);
        self.load_memory_base(base, context, memory);
        base
    }

    /// `dst` = the size of `memory` in bytes.
    fn load_memory_bytes(&mut self, dst: Reg, memory: MemIdx) {
        let record = self.unit.layout.mem(memory);
        self.load_field(dst, record, VmMem::BYTES);
    }

    /// Where `field` of a record lies; found through the scratch register if need be.
    fn field(&mut self, record: RecordPlace, field: i32) -> Mem {
        let context = self.item_reg(Item::CONTEXT);
        match record {
            RecordPlace::Own(offset) => at(context, offset + field),
            RecordPlace::Imported(offset) => {
                self.b.asm.mov_rm(Size::S64, general(SCRATCH), at(context, offset));
                at(SCRATCH, field)
            }
        }
    }

    /// `dst` = the 64 bits at `field` of a record.
    fn load_field(&mut self, dst: Reg, record: RecordPlace, field: i32) {
        let mem = self.field(record, field);
        self.b.asm.mov_rm(Size::S64, general(dst), mem);
    }

    /// Loads a whole value. Arithmetic that comes next takes it from memory itself.
    pub(crate) fn load(&mut self, memarg: &MemArg, class: ValClass) {
        let access = self.pop_access(memarg, class.bytes());
        if self.next_takes_memory(class) && !access.regs.has(SCRATCH) {
            self.folded = Some(access);
            self.hold = access.regs;
            return self.push(class, Place::Memory);
        }
        let dst = self.load_target(class, access);
        self.note_access(access);
        self.load_mem(class, dst, access.mem);
        self.push_reg(class, dst);
    }

    /// Whether the next operator is arithmetic that can take its second operand, of `class`, from memory.
    fn next_takes_memory(&self, class: ValClass) -> bool {
        let next = self.next_opcode();
        match class {
            // Comparisons, add, sub, mul, and, or, xor.
            ValClass::I32 => matches!(next, 0x46..=0x4f | 0x6a..=0x6c | 0x71..=0x73),
            ValClass::I64 => matches!(next, 0x51..=0x5a | 0x7c..=0x7e | 0x83..=0x85),
            // add, sub, mul, div
            ValClass::F32 => matches!(next, 0x92..=0x95),
            ValClass::F64 => matches!(next, 0xa0..=0xa3),
            ValClass::V128 => false,
        }
    }

    /// Where to load a value of `class` to: over the index, if that was an operand.
    fn load_target(&mut self, class: ValClass, access: Access) -> Reg {
        if let Some(dst) = self.destination(class) {
            return dst;
        }
        if class.is_int()
            && let Some(index) = access.regs.and(self.b.regs.free).first()
        {
            return index;
        }
        self.alloc(class)
    }

    /// Loads the low bits of an integer.
    pub(crate) fn load_part(&mut self, memarg: &MemArg, from: Width, signed: bool, class: ValClass) {
        let bytes = match from {
            Width::W8 => 1,
            Width::W16 => 2,
            Width::W32 => 4,
            Width::W64 => 8,
        };
        let access = self.pop_access(memarg, bytes);
        let dst = self.load_target(class, access);
        self.note_access(access);
        let dst_r = general(dst);
        if signed {
            self.b.asm.movsx_rm(size(class), from, dst_r, access.mem);
        } else {
            self.b.asm.movzx_rm(from, dst_r, access.mem);
        }
        self.push_reg(class, dst);
    }

    /// Stores a whole value.
    pub(crate) fn store(&mut self, memarg: &MemArg, class: ValClass) {
        match class {
            ValClass::I32 | ValClass::I64 => self.store_part(memarg, width(class)),
            _ => {
                let value = self.pop();
                let src = self.reg_of(value);
                let access = self.pop_access(memarg, class.bytes());
                self.note_access(access);
                self.store_mem(class, access.mem, src);
            }
        }
    }

    /// Stores the low bits of an integer.
    pub(crate) fn store_part(&mut self, memarg: &MemArg, width: Width) {
        let bytes = match width {
            Width::W8 => 1,
            Width::W16 => 2,
            Width::W32 => 4,
            Width::W64 => 8,
        };
        let value = self.pop();
        if let Place::Const(bits) = value.place()
            && (width != Width::W64 || i32::try_from(bits.cast_signed()).is_ok())
        {
            let access = self.pop_access(memarg, bytes);
            self.note_access(access);
            return self.b.asm.mov_mi(width, access.mem, bits as u32 as i32);
        }
        let src = self.reg_of(value);
        let access = self.pop_access(memarg, bytes);
        self.note_access(access);
        self.b.asm.mov_mr(width, access.mem, general(src));
    }

    pub(crate) fn memory_size(&mut self, memory: MemIdx) {
        let ty = *self.unit.module.mem_type(memory);
        let class = if ty.is_64 { ValClass::I64 } else { ValClass::I32 };
        let dst = self.result_reg(class);
        self.load_memory_bytes(dst, memory);
        self.b.asm.shift_ri(tenure_asm::x64::Shift::Shr, Size::S64, general(dst), ty.page_size_log2);
        self.push_reg(class, dst);
    }

    /// Where a global's value lies.
    fn global_mem(&mut self, global: GlobalIdx) -> Mem {
        self.field(self.unit.layout.global(global), 0)
    }

    pub(crate) fn load_global(&mut self, global: GlobalIdx, class: ValClass) {
        let mem = self.global_mem(global);
        let dst = self.result_reg(class);
        self.load_mem(class, dst, mem);
        self.push_reg(class, dst);
    }

    pub(crate) fn store_global(&mut self, global: GlobalIdx) {
        let value = self.pop();
        // The address may be in the scratch register, which a constant may need too.
        if let (Place::Const(bits), Some(_)) = (value.place(), self.small_const(value)) {
            let mem = self.global_mem(global);
            return self.store_const(value.class(), mem, bits);
        }
        let src = self.reg_of(value);
        let mem = self.global_mem(global);
        self.store_mem(value.class(), mem, src);
    }

    /// The constant that `value` is, if an instruction can store it.
    fn small_const(&self, value: Value) -> Option<i32> {
        let Place::Const(bits) = value.place() else { return None };
        match value.class() {
            ValClass::I32 | ValClass::F32 => Some(bits as u32 as i32),
            _ => i32::try_from(bits.cast_signed()).ok(),
        }
    }

    /// Pops an index; where that element of `table` lies, once it is known to be there.
    pub(crate) fn pop_element(&mut self, table: TableIdx, class: ValClass) -> Mem {
        let ty = *self.unit.module.table_type(table);
        let record = self.unit.layout.table(table);
        let index = self.pop();
        let index = self.index_of(index);
        let fixed = (ty.max == Some(ty.min)).then(|| i32::try_from(ty.min).ok()).flatten();
        match fixed {
            Some(len) => self.b.asm.cmp_ri(Size::S64, general(index), len),
            None => {
                let len = self.field(record, VmTable::LEN);
                self.b.asm.cmp_rm(Size::S64, general(index), len);
            }
        }
        self.trap_if(Cond::AboveEqual, Trap::TableOutOfBounds);
        self.load_field(SCRATCH, record, VmTable::BASE);
        let scale = if class == ValClass::I64 { Scale::X8 } else { Scale::X4 };
        Mem::indexed(general(SCRATCH), general(index), scale, 0)
    }

    /// Pushes how many elements `table` has.
    pub(crate) fn table_size(&mut self, table: TableIdx) {
        let is_64 = self.unit.module.table_type(table).is_64;
        let record = self.unit.layout.table(table);
        let class = if is_64 { ValClass::I64 } else { ValClass::I32 };
        let dst = self.result_reg(class);
        self.load_field(dst, record, VmTable::LEN);
        self.push_reg(class, dst);
    }

    /// Traps unless the function whose record the record register points at is of type `ty`. A null raises
    /// `null`, if it may be one.
    pub(crate) fn check_signature(&mut self, ty: TypeIdx, null: Option<Trap>) {
        self.check_null(null);
        let context = self.item_reg(Item::CONTEXT);
        let ids = at(context, VmCtxHeader::TYPE_IDS);
        self.b.asm.mov_rm(Size::S64, general(SCRATCH), ids);
        // Type indices are below 1,000,000, so that offsets fit.
        let id = at(SCRATCH, (ty.0 * size_of::<u32>() as u32) as i32);
        self.b.asm.mov_rm(Size::S32, general(SCRATCH), id);
        if let Some(trap) = null
            && self.unit.tunables.signals
        {
            // The first page of the address space is never mapped.
            self.note_trap(trap, self.offset);
        }
        let found = self.in_record(tenure_abi::vm::VmFuncRef::TYPE_ID);
        self.b.asm.alu_rm(Alu::Cmp, Size::S32, general(SCRATCH), found);
        self.trap_if(Cond::NotEqual, Trap::BadSignature);
    }

    /// Raises `null` if the record register holds no record, where the first read does not.
    pub(crate) fn check_null(&mut self, null: Option<Trap>) {
        if let Some(trap) = null
            && !self.unit.tunables.signals
        {
            let record = general(super::call::RECORD);
            self.b.asm.test_rr(Size::S64, record, record);
            self.trap_if(Cond::Equal, trap);
        }
    }
}
