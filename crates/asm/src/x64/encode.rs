//! How instructions become bytes.
//!
//! An instruction has a *head* (prefix, REX or VEX, opcode), an *operand* (ModRM, SIB, displacement) and an immediate.
//! Each is put together in a register and stored as a whole word, several in one where they fit; so an instruction
//! costs few stores and checks of room, and no memory of its own. What of an operand does not depend on the
//! instruction was put together when the [`Mem`] was made.

use super::inst::{Assembler, Size};
use super::operand::Mem;
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

    /// Prefix, REX and opcode as a word, and their number. The fourth bit of `reg`, which ModRM.reg will hold, goes to REX,
    /// and so does `rex`, which the other operand has of it.
    #[inline]
    pub(super) const fn head(self, reg: u8, rex: u8) -> (u64, usize) {
        let mut word = self.prefix as u64;
        let mut count = (self.prefix != 0) as usize;
        let rex = self.rex | self.wide | (reg >> 3) << 2 | rex;
        let has_rex = rex != 0;
        word |= ((0x40 | rex as u64) * has_rex as u64) << (8 * count);
        count += has_rex as usize;
        word |= (self.escape as u64 | (self.code as u64) << (8 * self.escapes)) << (8 * count);
        (word, count + self.escapes as usize + 1)
    }

    /// The same for the AVX form: prefix and opcode. `first` is the operand that the older form lacks, or 0.
    #[inline]
    pub(super) const fn vex_head(self, reg: u8, first: u8, rex: u8) -> (u64, usize) {
        let prefix = match self.prefix {
            0x66 => 1,
            0xf3 => 2,
            0xf2 => 3,
            _ => 0,
        };
        let last = (!first & 15) << 3 | prefix;
        if matches!(self.map, Map::Two) && self.wide == 0 && rex == 0 {
            let second = (!reg >> 3 & 1) << 7 | last;
            return (0xc5 | (second as u64) << 8 | (self.code as u64) << 16, 3);
        }
        let map = match self.map {
            Map::One => 0,
            Map::Two => 1,
            Map::Three38 => 2,
            Map::Three3a => 3,
        };
        let second = (!reg >> 3 & 1) << 7 | (!rex & 3) << 5 | map;
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
}

#[inline]
const fn modrm(mode: u8, reg: u8, rm: u8) -> u8 {
    mode << 6 | (reg & 7) << 3 | (rm & 7)
}

/// The shapes of instruction.
impl Assembler {
    /// An instruction whose second operand is a register.
    #[inline]
    pub(super) fn reg_rm(&mut self, op: Op, reg: u8, rm: u8) {
        let (head, count) = op.head(reg, rm >> 3);
        self.buffer.put(head | u64::from(modrm(0b11, reg, rm)) << (8 * count), count + 1);
    }

    /// An instruction whose second operand is memory.
    #[inline(always)]
    pub(super) fn mem_rm(&mut self, op: Op, reg: u8, mem: Mem, imm: Imm) {
        if op.prefix == 0 && op.escapes == 0 && op.rex == 0 && imm.count == 0 {
            return self.mem_short(op.code, op.wide, reg, mem);
        }
        self.mem_long(op.head(reg, mem.rex), reg, mem, imm);
    }

    /// An AVX instruction whose last operand is a register. `first` is the operand that older forms lack.
    #[inline]
    pub(super) fn vex_reg(&mut self, op: Op, reg: u8, first: u8, rm: u8) {
        let (head, count) = op.vex_head(reg, first, rm >> 3);
        self.buffer.put(head | u64::from(modrm(0b11, reg, rm)) << (8 * count), count + 1);
    }

    /// An AVX instruction whose last operand is memory.
    #[inline]
    pub(super) fn vex_mem(&mut self, op: Op, reg: u8, first: u8, mem: Mem, imm: Imm) {
        self.mem_long(op.vex_head(reg, first, mem.rex), reg, mem, imm);
    }

    /// The most frequent shape: an opcode of one byte without prefix, a memory operand, no immediate. That is one word.
    #[inline(always)]
    fn mem_short(&mut self, code: u8, wide: u8, reg: u8, mem: Mem) {
        // Whole words, so that nothing has to be cut to bytes in between.
        let [code, wide, reg, rex, count] = [code, wide, reg, mem.rex, mem.count].map(u64::from);
        let rex = wide | reg >> 3 << 2 | rex;
        let word = code | (mem.bytes | (reg & 7) << 3) << 8;
        let (word, count) = if rex == 0 { (word, count + 1) } else { (word << 8 | 0x40 | rex, count + 2) };
        self.buffer.put(word, count as usize);
        if let Some(label) = mem.label {
            self.buffer.use_rel32(label, 0);
        }
    }

    /// Any other instruction with a memory operand, from what goes before ModRM.
    #[inline(never)]
    fn mem_long(&mut self, (head, count): (u64, usize), reg: u8, mem: Mem, imm: Imm) {
        self.buffer.put2(head, count, mem.bytes | u64::from(reg & 7) << 3, mem.count.into());
        if imm.count > 0 {
            self.buffer.put(u64::from(imm.value as u32), imm.count.into());
        }
        if let Some(label) = mem.label {
            self.buffer.use_rel32(label, imm.count);
        }
    }
}
