//! Moves between registers, constants and the frame. None of them touches the flags.

use super::asm::{Source, at, frame, general, size, vector, width};
use super::{SCRATCH, VECTOR_SCRATCH};
use crate::frame::CONTEXT;
use crate::func::FuncCompiler;
use crate::isa_x64::control::Test;
use crate::regs::Reg;
use crate::stack::{Place, Value};
use tenure_abi::ValClass;
use tenure_abi::ctx::Place as RecordPlace;
use tenure_abi::vm::VmMem;
use tenure_asm::x64::{Cond, Mem, Size, Sse, Width};
use tenure_module::Item;
use tenure_types::{MemIdx, Trap};

impl FuncCompiler<'_> {
    /// `dst = src`. An `i32` becomes zero-extended.
    #[inline]
    pub(crate) fn move_reg(&mut self, class: ValClass, dst: Reg, src: Reg) {
        let asm = &mut self.b.asm;
        if class.is_int() {
            asm.mov_rr(size(class), general(dst), general(src));
        } else {
            asm.movaps_xx(vector(dst), vector(src));
        }
    }

    /// Loads a value of `class`.
    #[inline]
    pub(crate) fn load_mem(&mut self, class: ValClass, dst: Reg, mem: Mem) {
        if class.is_int() {
            return self.b.asm.mov_rm(size(class), general(dst), mem);
        }
        self.load_vector(class, dst, mem);
    }

    #[inline(never)]
    fn load_vector(&mut self, class: ValClass, dst: Reg, mem: Mem) {
        let (asm, dst) = (&mut self.b.asm, vector(dst));
        match class {
            ValClass::F32 => asm.movss_xm(dst, mem),
            ValClass::F64 => asm.movsd_xm(dst, mem),
            _ => asm.movups_xm(dst, mem),
        }
    }

    /// Stores a value of `class`.
    #[inline]
    pub(crate) fn store_mem(&mut self, class: ValClass, mem: Mem, src: Reg) {
        if class.is_int() {
            return self.b.asm.mov_mr(width(class), mem, general(src));
        }
        self.store_vector(class, mem, src);
    }

    #[inline(never)]
    fn store_vector(&mut self, class: ValClass, mem: Mem, src: Reg) {
        let (asm, src) = (&mut self.b.asm, vector(src));
        match class {
            ValClass::F32 => asm.movss_mx(mem, src),
            ValClass::F64 => asm.movsd_mx(mem, src),
            _ => asm.movups_mx(mem, src),
        }
    }

    #[inline]
    pub(crate) fn load_frame(&mut self, class: ValClass, dst: Reg, offset: i32) {
        self.load_mem(class, dst, frame(offset));
    }

    #[inline]
    pub(crate) fn store_frame(&mut self, class: ValClass, offset: i32, src: Reg) {
        self.store_mem(class, frame(offset), src);
        self.poison_home(class, offset);
    }

    /// Copies a value between two places of the frame.
    pub(crate) fn copy_frame(&mut self, class: ValClass, to: i32, from: i32) {
        self.copy_mem(class, frame(to), frame(from));
    }

    /// Copies a value between two places that cannot fault.
    pub(crate) fn copy_mem(&mut self, class: ValClass, to: Mem, from: Mem) {
        let (class, scratch) = match class {
            ValClass::I32 | ValClass::F32 => (ValClass::I32, SCRATCH),
            ValClass::I64 | ValClass::F64 => (ValClass::I64, SCRATCH),
            ValClass::V128 => (ValClass::V128, VECTOR_SCRATCH),
        };
        self.load_mem(class, scratch, from);
        self.store_mem(class, to, scratch);
    }

    /// Copies a whole home.
    pub(crate) fn copy_home(&mut self, to: i32, from: i32) {
        let class = if self.frame.slot_bytes() == 16 { ValClass::V128 } else { ValClass::I64 };
        self.copy_frame(class, to, from);
    }

    /// `dst` = the constant `bits`.
    pub(crate) fn load_const(&mut self, class: ValClass, dst: Reg, bits: u64) {
        match class {
            ValClass::I32 | ValClass::I64 => self.b.asm.mov_ri(general(dst), bits.cast_signed()),
            _ if bits == 0 => self.b.asm.sse_xx(Sse::XORPS, vector(dst), vector(dst)),
            _ => {
                let mem = self.word(bits);
                self.load_mem(class, dst, mem);
            }
        }
    }

    /// `dst` = the vector constant of this number.
    pub(crate) fn load_vector_const(&mut self, dst: Reg, number: u32) {
        match self.b.constants.vectors[number as usize].0 {
            0 => self.b.asm.sse_xx(Sse::XORPS, vector(dst), vector(dst)),
            u128::MAX => self.b.asm.sse_xx(Sse::PCMPEQD, vector(dst), vector(dst)),
            _ => {
                let mem = self.vector_mem(number);
                self.b.asm.movaps_xm(vector(dst), mem);
            }
        }
    }

    /// The word `bits` behind the code.
    pub(crate) fn word(&mut self, bits: u64) -> Mem {
        if let Some(label) = self.b.constants.word(bits) {
            return Mem::label(label);
        }
        let label = self.b.asm.new_label();
        self.b.constants.words.push((bits, label));
        Mem::label(label)
    }

    /// The vector constant of this number behind the code, aligned to 16 bytes.
    pub(crate) fn vector_mem(&mut self, number: u32) -> Mem {
        let label = &mut self.b.constants.vectors[number as usize].1;
        Mem::label(*label.get_or_insert_with(|| self.b.asm.new_label()))
    }

    /// The vector `bits` behind the code, aligned to 16 bytes.
    pub(crate) fn vector_of(&mut self, bits: u128) -> Mem {
        let number = self.b.constants.vector(bits);
        self.vector_mem(number)
    }

    /// Stores `value`, which is left as it is, at `mem`, which cannot fault.
    pub(crate) fn store_value(&mut self, mem: Mem, value: Value) {
        let class = value.class();
        match value.place() {
            Place::Const(bits) => self.store_const(class, mem, bits),
            Place::Home(height) => {
                let home = frame(self.frame.operand(height));
                if home != mem {
                    self.copy_mem(class, mem, home);
                }
            }
            Place::Local(local) if self.b.regs.of(Item::local(local)).is_none() => {
                let home = frame(self.read_local_home(local));
                self.copy_mem(class, mem, home);
            }
            _ => match self.in_register(value) {
                Some(reg) => self.store_mem(class, mem, reg),
                None => {
                    let scratch = if class.is_int() { SCRATCH } else { VECTOR_SCRATCH };
                    self.load_value(scratch, value);
                    self.store_mem(class, mem, scratch);
                }
            },
        }
    }

    /// Stores the constant `bits`.
    pub(crate) fn store_const(&mut self, class: ValClass, mem: Mem, bits: u64) {
        let width = match class {
            ValClass::I32 | ValClass::F32 => Width::W32,
            _ => Width::W64,
        };
        let fits = match width {
            Width::W32 => Some(bits as u32 as i32),
            _ => i32::try_from(bits.cast_signed()).ok(),
        };
        match fits {
            Some(bits) => self.b.asm.mov_mi(width, mem, bits),
            None => {
                self.b.asm.mov_ri(general(SCRATCH), bits.cast_signed());
                self.b.asm.mov_mr(width, mem, general(SCRATCH));
            }
        }
    }

    /// `dst = item`, which is no local, from the frame or the context.
    pub(crate) fn load_item(&mut self, item: Item, dst: Reg) {
        if item == Item::CONTEXT {
            self.reads_context = true;
            return self.b.asm.mov_rm(Size::S64, general(dst), frame(CONTEXT));
        }
        let context = match self.b.regs.of(Item::CONTEXT) {
            Some(context) => context,
            None => {
                self.load_item(Item::CONTEXT, SCRATCH);
                SCRATCH
            }
        };
        self.load_memory_base(dst, context, MemIdx(0));
    }

    /// `dst` = the base of `memory`, found by the context in `context`.
    pub(crate) fn load_memory_base(&mut self, dst: Reg, context: Reg, memory: MemIdx) {
        match self.unit.layout.mem(memory) {
            RecordPlace::Own(offset) => {
                self.b.asm.mov_rm(Size::S64, general(dst), at(context, offset + VmMem::BASE));
            }
            RecordPlace::Imported(offset) => {
                self.b.asm.mov_rm(Size::S64, general(dst), at(context, offset));
                self.b.asm.mov_rm(Size::S64, general(dst), at(dst, VmMem::BASE));
            }
        }
    }

    /// `dst` = the base of memory 0, found by nothing but the frame.
    pub(crate) fn load_memory_base_from_frame(&mut self, dst: Reg) {
        self.load_item(Item::CONTEXT, dst);
        self.load_memory_base(dst, dst, MemIdx(0));
    }

    /// `dst` = 1 if `test` holds, else 0.
    pub(crate) fn set_from_flags(&mut self, dst: Reg, test: Test) {
        let dst = general(dst);
        let asm = &mut self.b.asm;
        let (cond, parity) = match test {
            Test::Cond(cond) => (cond, None),
            Test::Equal => (Cond::Equal, Some(Cond::NoParity)),
            Test::NotEqual => (Cond::NotEqual, Some(Cond::Parity)),
        };
        asm.setcc_r(cond, dst);
        asm.movzx_rr(Width::W8, dst, dst);
        if let Some(parity) = parity {
            let scratch = general(SCRATCH);
            asm.setcc_r(parity, scratch);
            asm.movzx_rr(Width::W8, scratch, scratch);
            match test {
                Test::Equal => asm.and_rr(Size::S32, dst, scratch),
                _ => asm.or_rr(Size::S32, dst, scratch),
            }
        }
    }

    /// Notes that the next instruction makes the access.
    #[inline]
    pub(crate) fn note_access(&mut self, access: super::asm::Access) {
        if access.may_fault {
            self.note_trap(Trap::MemoryOutOfBounds, access.offset);
        }
    }

    /// Makes the load that the operand on top stood for.
    pub(crate) fn load_folded(&mut self, class: ValClass, dst: Reg) {
        let access = self.folded.take().expect("set when the operand was pushed");
        self.note_access(access);
        self.load_mem(class, dst, access.mem);
    }

    /// `value`, an integer that was popped, as an operand of an instruction.
    #[inline]
    pub(crate) fn source(&mut self, value: Value) -> Source {
        match value.place() {
            Place::Const(bits) => {
                let imm = if value.class() == ValClass::I32 {
                    Some(bits as u32 as i32)
                } else {
                    i32::try_from(bits.cast_signed()).ok()
                };
                match imm {
                    Some(imm) => Source::Imm(imm),
                    None => Source::Reg(self.reg_of(value)),
                }
            }
            Place::Local(local) => match self.b.regs.of(Item::local(local)) {
                Some(reg) => {
                    self.b.regs.in_use.insert(reg);
                    Source::Reg(reg)
                }
                None => {
                    let home = self.read_local_home(local);
                    Source::Mem(frame(home))
                }
            },
            Place::Home(height) => Source::Mem(frame(self.frame.operand(height))),
            Place::Reg(reg) => Source::Reg(reg),
            Place::Memory => Source::Access(self.folded.take().expect("set when the operand was pushed")),
            Place::Flags(_) | Place::Vector(_) => Source::Reg(self.reg_of(value)),
        }
    }
}
