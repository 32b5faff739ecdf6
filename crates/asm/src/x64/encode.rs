//! How instructions become bytes.
//!
//! An instruction is at most two words: the *head* (prefix, REX or VEX, opcode, ModRM, SIB; at most seven bytes) and
//! the *tail* (displacement and immediate; at most eight). Both are put together in registers and stored whole,
//! so an instruction costs two stores and two checks of room, and no memory of its own.

use super::inst::{Assembler, Size};
use super::operand::{Mem, NO_INDEX};
use super::reg::Gpr;

/// The table that an opcode is looked up in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Map {
    /// No escape.
    One,
    /// 0x0f goes before the opcode.
    Two,
    /// 0x0f 0x38.
    Three38,
    /// 0x0f 0x3a.
    Three3a,
}

/// An opcode with what goes before it. Small enough for one register, and put together without a branch.
#[derive(Clone, Copy)]
pub(super) struct Op {
    code: u8,
    /// 0x66, 0xf2, 0xf3, or 0 for none.
    prefix: u8,
    map: Map,
    /// REX.W as it stands in the prefix: 8 or 0.
    wide: u8,
    /// 0x40 if REX is needed whatever the registers: `spl`, `bpl`, `sil` and `dil` are told by it.
    rex: u8,
    /// How many bytes of `escape` there are.
    escapes: u8,
    escape: u16,
}

#[inline]
pub(super) const fn op(code: u8) -> Op {
    Op { code, prefix: 0, map: Map::One, wide: 0, rex: 0, escapes: 0, escape: 0 }
}

impl Op {
    #[inline]
    pub(super) const fn prefix(self, prefix: u8) -> Op {
        Op { prefix, ..self }
    }

    #[inline]
    pub(super) const fn escape(self) -> Op {
        self.map(Map::Two)
    }

    #[inline]
    pub(super) const fn map(self, map: Map) -> Op {
        let (escape, escapes) = match map {
            Map::One => (0, 0),
            Map::Two => (0x0f, 1),
            Map::Three38 => (0x380f, 2),
            Map::Three3a => (0x3a0f, 2),
        };
        Op { map, escape, escapes, ..self }
    }

    #[inline]
    pub(super) const fn wide(self) -> Op {
        Op { wide: 8, ..self }
    }

    #[inline]
    pub(super) const fn size(self, size: Size) -> Op {
        match size {
            Size::S32 => self,
            Size::S64 => self.wide(),
        }
    }

    /// For an operation that takes `reg` as one byte.
    #[inline]
    pub(super) const fn byte_reg(self, reg: Gpr) -> Op {
        Op { rex: if matches!(reg.number(), 4..=7) { 0x40 } else { 0 }, ..self }
    }

    /// Prefix, REX and opcode as a word, and their number. The three numbers are those that ModRM.reg, SIB.index
    /// and ModRM.rm (or SIB.base) will hold: their fourth bits go to REX.
    #[inline]
    pub(super) const fn head(self, reg: u8, index: u8, rm: u8) -> (u64, usize) {
        let mut word = self.prefix as u64;
        let mut count = (self.prefix != 0) as usize;
        let rex = self.rex | self.wide | (reg >> 3) << 2 | (index >> 3) << 1 | rm >> 3;
        let has_rex = rex != 0;
        word |= ((0x40 | rex as u64) * has_rex as u64) << (8 * count);
        count += has_rex as usize;
        word |= (self.escape as u64 | (self.code as u64) << (8 * self.escapes)) << (8 * count);
        (word, count + self.escapes as usize + 1)
    }

    /// The same for the AVX form: prefix and opcode. `first` is the operand that the older form lacks, or 0.
    #[inline]
    pub(super) const fn vex_head(self, reg: u8, first: u8, index: u8, rm: u8) -> (u64, usize) {
        let prefix = match self.prefix {
            0x66 => 1,
            0xf3 => 2,
            0xf2 => 3,
            _ => 0,
        };
        let last = (!first & 15) << 3 | prefix;
        if matches!(self.map, Map::Two) && self.wide == 0 && index < 8 && rm < 8 {
            let second = (!reg >> 3 & 1) << 7 | last;
            return (0xc5 | (second as u64) << 8 | (self.code as u64) << 16, 3);
        }
        let map = match self.map {
            Map::One => 0,
            Map::Two => 1,
            Map::Three38 => 2,
            Map::Three3a => 3,
        };
        let second = (!reg >> 3 & 1) << 7 | (!index >> 3 & 1) << 6 | (!rm >> 3 & 1) << 5 | map;
        let third = (self.wide >> 3) << 7 | last;
        (0xc4 | (second as u64) << 8 | (third as u64) << 16 | (self.code as u64) << 24, 4)
    }
}

/// An immediate behind a memory operand: the lowest `count` bytes of `value`.
#[derive(Clone, Copy)]
pub(super) struct Imm {
    pub value: i32,
    pub count: u8,
}

pub(super) const NONE: Imm = Imm { value: 0, count: 0 };

impl Imm {
    /// One byte.
    #[inline]
    pub(super) const fn byte(value: u8) -> Imm {
        Imm { value: value as i32, count: 1 }
    }

    /// Puts the immediate behind a displacement of `disp_count` bytes.
    #[inline]
    fn behind(self, disp: i32, disp_count: usize) -> (u64, usize) {
        let disp = u64::from(disp as u32) & ((1 << (8 * disp_count)) - 1);
        (disp | u64::from(self.value as u32) << (8 * disp_count), disp_count + usize::from(self.count))
    }
}

#[inline]
const fn modrm(mode: u8, reg: u8, rm: u8) -> u8 {
    mode << 6 | (reg & 7) << 3 | (rm & 7)
}

/// ModRM.rm when a SIB byte follows.
const SIB: u8 = 0b100;
/// ModRM.rm, with mode 0, of a distance from the end of the instruction.
const RIP: u8 = 0b101;

/// How much is written of a memory operand that is no label.
struct Shape {
    /// ModRM.mod
    mode: u8,
    disp_count: usize,
    sib_count: usize,
}

impl Shape {
    #[inline(always)]
    fn of(mem: Mem) -> Self {
        let Mem { base, index, disp, .. } = mem;
        // Mode 0 with rbp or r13 means something else, so these two take a displacement of zero.
        let (is_zero, is_byte) = (disp == 0 && base & 7 != RIP, disp == i32::from(disp as i8));
        let (mode, disp_count) = if is_byte { (1, 1) } else { (2, 4) };
        let (mode, disp_count) = if is_zero { (0, 0) } else { (mode, disp_count) };
        // rsp and r12 in ModRM.rm announce a SIB byte, so these two need one.
        let sib_count = usize::from(index != NO_INDEX || base & 7 == SIB);
        Self { mode, disp_count, sib_count }
    }
}

/// The shapes of instruction.
impl Assembler {
    /// An instruction whose second operand is a register.
    #[inline]
    pub(super) fn reg_rm(&mut self, op: Op, reg: u8, rm: u8) {
        let (head, count) = op.head(reg, 0, rm);
        self.buffer.put(head | u64::from(modrm(0b11, reg, rm)) << (8 * count), count + 1);
    }

    /// An instruction whose second operand is memory.
    #[inline]
    pub(super) fn mem_rm(&mut self, op: Op, reg: u8, mem: Mem, imm: Imm) {
        if op.prefix == 0 && op.escapes == 0 && op.rex == 0 && imm.count == 0 {
            return self.mem_short(op.code, op.wide, reg, mem);
        }
        self.mem_tail(op.head(reg, mem.index, mem.base), reg, mem, imm);
    }

    /// An AVX instruction whose last operand is a register. `first` is the operand that older forms lack.
    #[inline]
    pub(super) fn vex_reg(&mut self, op: Op, reg: u8, first: u8, rm: u8) {
        let (head, count) = op.vex_head(reg, first, 0, rm);
        self.buffer.put(head | u64::from(modrm(0b11, reg, rm)) << (8 * count), count + 1);
    }

    /// An AVX instruction whose last operand is memory.
    #[inline]
    pub(super) fn vex_mem(&mut self, op: Op, reg: u8, first: u8, mem: Mem, imm: Imm) {
        self.mem_tail(op.vex_head(reg, first, mem.index, mem.base), reg, mem, imm);
    }

    /// The most frequent shape: an opcode of one byte without prefix, a memory operand, no immediate. That is one word.
    #[inline(never)]
    fn mem_short(&mut self, code: u8, wide: u8, reg: u8, mem: Mem) {
        if mem.label.is_some() {
            return self.mem_label(code, wide, reg, mem);
        }
        // Whole words, so that nothing has to be cut to bytes in between.
        let [code, wide, reg, base, index] = [code, wide, reg, mem.base, mem.index].map(u64::from);
        let [rip, sib] = [RIP, SIB].map(u64::from);
        let disp = u64::from(mem.disp as u32);
        let (mode, disp_count) = match mem.disp {
            0 if base & 7 != rip => (0x00, 0),
            -128..=127 => (0x40, 1),
            _ => (0x80, 4),
        };
        let modrm = mode | (reg & 7) << 3;
        let (mut word, mut count) = if index == u64::from(NO_INDEX) && base & 7 != sib {
            (code | (modrm | base & 7) << 8 | disp << 16, disp_count + 2)
        } else {
            let sib_byte = u64::from(mem.scale) << 6 | (index & 7) << 3 | base & 7;
            (code | (modrm | sib) << 8 | sib_byte << 16 | disp << 24, disp_count + 3)
        };
        let rex = wide | reg >> 3 << 2 | index >> 3 << 1 | base >> 3;
        if rex != 0 {
            word = word << 8 | 0x40 | rex;
            count += 1;
        }
        self.buffer.put(word, count);
    }

    #[cold]
    fn mem_label(&mut self, code: u8, wide: u8, reg: u8, mem: Mem) {
        let op = Op { wide, ..op(code) };
        self.mem_tail(op.head(reg, 0, 0), reg, mem, NONE);
    }

    /// What follows the opcode of an instruction with a memory operand.
    #[inline(never)]
    fn mem_tail(&mut self, (mut head, mut count): (u64, usize), reg: u8, mem: Mem, imm: Imm) {
        let Mem { base, index, scale, disp, label } = mem;
        if let Some(label) = label {
            head |= u64::from(modrm(0, reg, RIP)) << (8 * count);
            let (tail, tail_count) = imm.behind(disp, 4);
            self.buffer.put2(head, count + 1, tail, tail_count);
            self.buffer.use_rel32(label, imm.count);
            return;
        }
        let Shape { mode, disp_count, sib_count } = Shape::of(mem);
        let rm = if sib_count == 1 { SIB } else { base };
        // A SIB byte that there is not is written over by what follows.
        let both = u64::from(modrm(mode, reg, rm)) | u64::from(modrm(scale, index, base)) << 8;
        head |= both << (8 * count);
        count += 1 + sib_count;
        let (tail, tail_count) = imm.behind(disp, disp_count);
        self.buffer.put2(head, count, tail, tail_count);
    }
}
