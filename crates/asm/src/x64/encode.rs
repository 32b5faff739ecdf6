//! How instructions become bytes.
//!
//! An instruction is at most two words: the *head* (prefix, REX or VEX, opcode, ModRM, SIB; at most seven bytes) and
//! the *tail* (displacement and immediate; at most eight). Both are put together in registers and stored whole,
//! so an instruction costs two stores and two checks of room, and no memory of its own.

use super::inst::{Assembler, Size};
use super::operand::{Address, Mem};
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

/// An opcode with what goes before it.
#[derive(Clone, Copy)]
pub(super) struct Op {
    code: u8,
    /// 0x66, 0xf2, 0xf3, or 0 for none.
    prefix: u8,
    map: Map,
    /// REX.W as it stands in the prefix: 8 or 0.
    wide: u8,
    /// Whether REX is needed whatever the registers: `spl`, `bpl`, `sil` and `dil` are told by it.
    force_rex: bool,
}

#[inline]
pub(super) const fn op(code: u8) -> Op {
    Op { code, prefix: 0, map: Map::One, wide: 0, force_rex: false }
}

impl Op {
    #[inline]
    pub(super) const fn prefix(self, prefix: u8) -> Op {
        Op { prefix, ..self }
    }

    #[inline]
    pub(super) const fn escape(self) -> Op {
        Op { map: Map::Two, ..self }
    }

    #[inline]
    pub(super) const fn map(self, map: Map) -> Op {
        Op { map, ..self }
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
        Op { force_rex: matches!(reg.number(), 4..=7), ..self }
    }

    /// Prefix, REX and opcode as a word, and their number. The three numbers are those that ModRM.reg, SIB.index
    /// and ModRM.rm (or SIB.base) will hold: their fourth bits go to REX.
    #[inline]
    pub(super) const fn head(self, reg: u8, index: u8, rm: u8) -> (u64, usize) {
        let mut word = self.prefix as u64;
        let mut count = (self.prefix != 0) as usize;
        let rex = self.wide | (reg >> 3) << 2 | (index >> 3) << 1 | rm >> 3;
        if rex != 0 || self.force_rex {
            word |= (0x40 | rex as u64) << (8 * count);
            count += 1;
        }
        let (escape, escapes) = match self.map {
            Map::One => (0, 0),
            Map::Two => (0x0f, 1),
            Map::Three38 => (0x380f, 2),
            Map::Three3a => (0x3a0f, 2),
        };
        word |= escape << (8 * count);
        count += escapes;
        word |= (self.code as u64) << (8 * count);
        (word, count + 1)
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

/// The two shapes of instruction.
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
        let (index, base) = mem.high_numbers();
        self.mem_tail(op.head(reg, index, base), reg, mem, imm);
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
        let (index, base) = mem.high_numbers();
        self.mem_tail(op.vex_head(reg, first, index, base), reg, mem, imm);
    }

    /// What follows the opcode of an instruction with a memory operand.
    #[inline]
    fn mem_tail(&mut self, (mut head, mut count): (u64, usize), reg: u8, mem: Mem, imm: Imm) {
        /// ModRM.rm when a SIB byte follows; SIB.index when there is no index.
        const SIB: u8 = 0b100;
        /// ModRM.rm, with mode 0, of a distance from the end of the instruction.
        const RIP: u8 = 0b101;

        let (base, index) = match mem.address {
            Address::Base(base) => (base.number(), None),
            Address::Indexed(base, index, scale) => (base.number(), Some((index.number(), scale as u8))),
            Address::Label(label) => {
                head |= u64::from(modrm(0, reg, RIP)) << (8 * count);
                let (tail, tail_count) = imm.behind(mem.disp, 4);
                self.buffer.put2(head, count + 1, tail, tail_count);
                self.buffer.use_rel32(label, imm.count);
                return;
            }
        };
        // Mode 0 with rbp or r13 means something else, so these two take a displacement of zero.
        let (mode, disp_count) = match mem.disp {
            0 if base & 7 != 5 => (0, 0),
            -128..=127 => (1, 1),
            _ => (2, 4),
        };
        // rsp and r12 in ModRM.rm announce a SIB byte, so these two need one.
        let sib = match index {
            Some((index, scale)) => Some(modrm(scale, index, base)),
            None if base & 7 == SIB => Some(modrm(0, SIB, base)),
            None => None,
        };
        match sib {
            Some(sib) => {
                let both = u64::from(modrm(mode, reg, SIB)) | u64::from(sib) << 8;
                head |= both << (8 * count);
                count += 2;
            }
            None => {
                head |= u64::from(modrm(mode, reg, base)) << (8 * count);
                count += 1;
            }
        }
        let (tail, tail_count) = imm.behind(mem.disp, disp_count);
        self.buffer.put2(head, count, tail, tail_count);
    }
}

impl Mem {
    /// The numbers of index and base, whose fourth bits go to the prefix.
    #[inline]
    fn high_numbers(self) -> (u8, u8) {
        match self.address {
            Address::Base(base) => (0, base.number()),
            Address::Indexed(base, index, _) => (index.number(), base.number()),
            Address::Label(_) => (0, 0),
        }
    }
}
