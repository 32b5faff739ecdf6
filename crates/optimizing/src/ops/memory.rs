//! Linear memories: loads, stores, size, bulk operators.
//!
//! An address is `base + index + offset`. Whether it is inside is known in one of two ways:
//!
//! ```text
//! base        size          reserved      reserved + guard
//! |═ bytes ════|··· faults ····|··· faults ······|
//! 32-bit index ─────────────────▶ + offset ──────▶   nothing to check: what is outside faults
//! else: index > size - (offset + width)              an explicit check raises the trap
//! ```

use crate::checks::{Extent, Room, most};
use crate::records::Region;
use crate::translate::Translator;
use crate::traps::trap_code;
use crate::tuning;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value, condcodes::IntCC, types,
};
use tenure_abi::Builtin;
use tenure_types::{DataIdx, MemIdx, Trap};
use wasmparser::{MemArg, MemArgTarget, Operator};

/// Where an access goes, in Cranelift's words.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub address: Value,
    pub offset: i32,
    pub flags: MemFlagsData,
}

impl Translator<'_> {
    /// Translates `op` if it is of this family.
    pub(super) fn memory(&mut self, op: &Operator<'_>) -> bool {
        use types::{F32, F64, I8, I16, I32, I64};
        match *op {
            Operator::I32Load { ref memarg } => self.load(memarg, I32),
            Operator::I64Load { ref memarg } => self.load(memarg, I64),
            Operator::F32Load { ref memarg } => self.load(memarg, F32),
            Operator::F64Load { ref memarg } => self.load(memarg, F64),
            Operator::I32Load8S { ref memarg } => self.load_signed(memarg, I8, I32),
            Operator::I32Load8U { ref memarg } => self.load_unsigned(memarg, I8, I32),
            Operator::I32Load16S { ref memarg } => self.load_signed(memarg, I16, I32),
            Operator::I32Load16U { ref memarg } => self.load_unsigned(memarg, I16, I32),
            Operator::I64Load8S { ref memarg } => self.load_signed(memarg, I8, I64),
            Operator::I64Load8U { ref memarg } => self.load_unsigned(memarg, I8, I64),
            Operator::I64Load16S { ref memarg } => self.load_signed(memarg, I16, I64),
            Operator::I64Load16U { ref memarg } => self.load_unsigned(memarg, I16, I64),
            Operator::I64Load32S { ref memarg } => self.load_signed(memarg, I32, I64),
            Operator::I64Load32U { ref memarg } => self.load_unsigned(memarg, I32, I64),
            Operator::I32Store { ref memarg } => self.store(memarg, I32),
            Operator::I64Store { ref memarg } => self.store(memarg, I64),
            Operator::F32Store { ref memarg } => self.store(memarg, F32),
            Operator::F64Store { ref memarg } => self.store(memarg, F64),
            Operator::I32Store8 { ref memarg } | Operator::I64Store8 { ref memarg } => {
                self.store_part(memarg, I8);
            }
            Operator::I32Store16 { ref memarg } | Operator::I64Store16 { ref memarg } => {
                self.store_part(memarg, I16);
            }
            Operator::I64Store32 { ref memarg } => self.store_part(memarg, I32),
            Operator::MemoryCopy { dst_mem, src_mem } => self.memory_copy(MemIdx(dst_mem), MemIdx(src_mem)),
            Operator::MemoryFill { mem } => self.memory_fill(MemIdx(mem)),
            Operator::MemoryInit { data_index, mem } => self.memory_init(MemIdx(mem), DataIdx(data_index)),
            Operator::DataDrop { data_index } => self.data_drop(DataIdx(data_index)),
            _ => return false,
        }
        true
    }

    /// The access of `bytes` bytes at `index`, which is checked as far as faults do not.
    pub(super) fn access(&mut self, memarg: &MemArg, index: Value, bytes: u32) -> Access {
        let mem = match memarg.target {
            MemArgTarget::Memory(mem) => MemIdx(mem),
            // No module with arrays becomes one of ours.
            MemArgTarget::Array(_) => MemIdx(0),
        };
        self.access_at(mem, memarg.offset, index, bytes)
    }

    /// The access of `bytes` bytes at `index + offset` of `mem`.
    pub(super) fn access_at(&mut self, mem: MemIdx, offset: u64, index: Value, bytes: u32) -> Access {
        let ty = self.unit.module.mem_type(mem);
        let end = offset.checked_add(u64::from(bytes));
        let faults = end.is_some_and(|end| end <= self.unit.tunables.faulting_end(ty));
        let narrow = index;
        let index = self.zero_extended(index);
        if !faults {
            self.check_bounds(mem, narrow, index, end);
        }
        let flags = self.guest_access(Region::Mem(mem));
        let flags = flags.with_trap_code(faults.then_some(trap_code(Trap::MemoryOutOfBounds)));
        let base = self.mem_base(mem);
        let address = self.builder.ins().iadd(base, index);
        match i32::try_from(offset) {
            Ok(offset) => Access { address, offset, flags },
            Err(_) => {
                let offset = self.builder.ins().iconst(types::I64, offset.cast_signed());
                let address = self.builder.ins().iadd(address, offset);
                Access { address, offset: 0, flags }
            }
        }
    }

    /// Traps unless `index + end`, without wrapping, is at most the size of `mem`. `None` is beyond 64 bits. `narrow` is
    /// the index before it was extended.
    fn check_bounds(&mut self, mem: MemIdx, narrow: Value, index: Value, end: Option<u64>) {
        let Some(end) = end else {
            let always = self.builder.ins().iconst(types::I8, 1);
            return self.trap_if(always, Trap::MemoryOutOfBounds);
        };
        let ty = self.unit.module.mem_type(mem);
        let smallest = ty.min.saturating_mul(ty.page_size());
        let most = most(&self.builder.func.dfg, narrow, tuning::DEPTH_OF_RANGES);
        let is_inside = most.checked_add(end).is_some_and(|most| most <= smallest);
        if is_inside || self.extents.cover(mem, narrow, end) || self.check_by_room(mem, narrow, end) {
            return;
        }
        let bytes = self.mem_bytes(mem);
        let stays = ty.max == Some(ty.min) || self.calm.is_some() && mem == MemIdx(0);
        // In a calm loop the difference is made once, in front of it. Elsewhere a sum takes one instruction less.
        let by_difference = ty.is_64 || stays && end <= smallest || end > u64::from(u32::MAX);
        let mut outside = if end == 1 {
            self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, bytes)
        } else if by_difference {
            let end = self.builder.ins().iconst(types::I64, end.cast_signed());
            let last = self.builder.ins().isub(bytes, end);
            self.builder.ins().icmp(IntCC::UnsignedGreaterThan, index, last)
        } else {
            let end = self.builder.ins().iadd_imm_s(index, end.cast_signed());
            self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, bytes)
        };
        let first = self.builder.func.dfg.value_def(outside).unwrap_inst();
        if by_difference && end > smallest && end > 1 {
            // The difference wraps when the memory is smaller than `end`.
            let wraps = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, bytes, end.cast_signed());
            outside = self.builder.ins().bor(outside, wraps);
        }
        let changes = self.extents.changes();
        let room = (!ty.is_64).then_some(Room { first, end, index, bytes, left: None, changes });
        self.extents.note(mem, narrow, Extent { end, room });
        self.trap_if(outside, Trap::MemoryOutOfBounds);
    }

    /// Checks an index further than it was before, if the size is still the same. From now on all its checks compare
    /// how many bytes there are behind it: one register, and an instruction each.
    fn check_by_room(&mut self, mem: MemIdx, narrow: Value, end: u64) -> bool {
        let Some(mut room) = self.extents.room(mem, narrow) else { return false };
        let left = room.left.unwrap_or_else(|| {
            let mut cursor = FuncCursor::new(self.builder.func).at_inst(room.first);
            // Neither sizes nor indices have more than 33 bits, so that this is negative where the index is outside.
            let left = cursor.ins().isub(room.bytes, room.index);
            let end = cursor.ins().iconst(types::I64, room.end.cast_signed());
            let (opcode, cond) = (Opcode::Icmp, IntCC::SignedLessThan);
            cursor.func.dfg.insts[room.first] =
                InstructionData::IntCompare { opcode, args: [left, end], cond };
            left
        });
        room.left = Some(left);
        self.extents.note(mem, narrow, Extent { end, room: Some(room) });
        let outside = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, left, end.cast_signed());
        self.trap_if(outside, Trap::MemoryOutOfBounds);
        true
    }

    /// Pops an index; the access it makes.
    pub(super) fn pop_access(&mut self, memarg: &MemArg, bytes: u32) -> Access {
        let index = self.pop();
        self.access(memarg, index, bytes)
    }

    /// Pops an index and pushes the value of type `ty` there.
    pub(super) fn load(&mut self, memarg: &MemArg, ty: Type) {
        let at = self.pop_access(memarg, ty.bytes());
        let value = self.builder.ins().load(ty, at.flags, at.address, at.offset);
        self.push(value);
    }

    fn load_signed(&mut self, memarg: &MemArg, part: Type, to: Type) {
        let at = self.pop_access(memarg, part.bytes());
        let ins = self.builder.ins();
        let value = match part {
            types::I8 => ins.sload8(to, at.flags, at.address, at.offset),
            types::I16 => ins.sload16(to, at.flags, at.address, at.offset),
            _ => ins.sload32(at.flags, at.address, at.offset),
        };
        self.push(value);
    }

    fn load_unsigned(&mut self, memarg: &MemArg, part: Type, to: Type) {
        let at = self.pop_access(memarg, part.bytes());
        let ins = self.builder.ins();
        let value = match part {
            types::I8 => ins.uload8(to, at.flags, at.address, at.offset),
            types::I16 => ins.uload16(to, at.flags, at.address, at.offset),
            _ => ins.uload32(at.flags, at.address, at.offset),
        };
        self.push(value);
    }

    /// Pops an index and a value, and stores the value of type `ty`.
    pub(super) fn store(&mut self, memarg: &MemArg, ty: Type) {
        let value = self.pop();
        let at = self.pop_access(memarg, ty.bytes());
        self.builder.ins().store(at.flags, value, at.address, at.offset);
    }

    fn store_part(&mut self, memarg: &MemArg, part: Type) {
        let value = self.pop();
        let at = self.pop_access(memarg, part.bytes());
        let ins = self.builder.ins();
        match part {
            types::I8 => ins.istore8(at.flags, value, at.address, at.offset),
            types::I16 => ins.istore16(at.flags, value, at.address, at.offset),
            _ => ins.istore32(at.flags, value, at.address, at.offset),
        };
    }

    pub(super) fn memory_size(&mut self, mem: MemIdx) {
        let ty = *self.unit.module.mem_type(mem);
        let bytes = self.mem_bytes(mem);
        let pages = self.builder.ins().ushr_imm_u(bytes, i64::from(ty.page_size_log2));
        let pages = self.narrowed(pages, ty.is_64);
        self.push(pages);
    }

    pub(super) fn memory_grow(&mut self, mem: MemIdx) {
        let delta = self.pop();
        let delta = self.zero_extended(delta);
        let mem_value = self.i32_const(mem.0.cast_signed());
        let old = self.builtin(Builtin::MemoryGrow, &[mem_value, delta]);
        let old = old.expect("the builtin has a value");
        let old = self.narrowed(old, self.unit.module.mem_type(mem).is_64);
        self.push(old);
    }
}
