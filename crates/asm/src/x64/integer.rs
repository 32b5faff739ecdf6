//! Integer operations named by a value: what a compiler picks from a table.

use super::encode::{Imm, Map, NONE, op};
use super::{Assembler, Cond, Gpr, Mem, Size, Width};

/// An operation of the first arithmetic group. Discriminants are the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Alu {
    /// `+=`
    Add = 0,
    /// `|=`
    Or = 1,
    /// `+=`, and the carry.
    Adc = 2,
    /// `-=`, and the carry.
    Sbb = 3,
    /// `&=`
    And = 4,
    /// `-=`
    Sub = 5,
    /// `^=`
    Xor = 6,
    /// Flags of the difference; nothing is written.
    Cmp = 7,
}

/// A shift or rotation. Discriminants are the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Shift {
    /// Rotation to higher bits.
    Rol = 0,
    /// Rotation to lower bits.
    Ror = 1,
    /// To higher bits.
    Shl = 4,
    /// To lower bits; zeros come in.
    Shr = 5,
    /// To lower bits; the sign comes in.
    Sar = 7,
}

/// An operation on one operand. Discriminants are the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Unary {
    /// All bits turned over. Leaves the flags alone.
    Not = 2,
    /// Two's complement.
    Neg = 3,
    /// `rdx:rax = rax * operand`, unsigned.
    Mul = 4,
    /// `rdx:rax = rax * operand`, signed.
    Imul = 5,
    /// `rax = rdx:rax / operand`, `rdx` the rest, unsigned. Faults when the quotient does not fit.
    Div = 6,
    /// `rax = rdx:rax / operand`, `rdx` the rest, signed. Faults when the quotient does not fit.
    Idiv = 7,
}

/// Counts of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// Set bits. Needs `popcnt`.
    Popcnt,
    /// Zeros above the highest set bit; the width for zero. Needs `lzcnt`.
    Lzcnt,
    /// Zeros below the lowest set bit; the width for zero. Needs `bmi1`.
    Tzcnt,
    /// Number of the highest set bit. For zero the result is undefined and the zero flag set.
    Bsr,
    /// Number of the lowest set bit. For zero the result is undefined and the zero flag set.
    Bsf,
}

/// The first arithmetic group, by operation.
impl Assembler {
    /// `dst op= src`
    #[inline]
    pub fn alu_rr(&mut self, alu: Alu, size: Size, dst: Gpr, src: Gpr) {
        self.reg_rm(op(alu as u8 * 8 + 3).size(size), dst.number(), src.number());
    }

    /// `dst op= [src]`
    #[inline]
    pub fn alu_rm(&mut self, alu: Alu, size: Size, dst: Gpr, src: Mem) {
        self.mem_rm(op(alu as u8 * 8 + 3).size(size), dst.number(), src, NONE);
    }

    /// `[dst] op= src`
    #[inline]
    pub fn alu_mr(&mut self, alu: Alu, size: Size, dst: Mem, src: Gpr) {
        self.mem_rm(op(alu as u8 * 8 + 1).size(size), src.number(), dst, NONE);
    }

    /// `dst op= value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn alu_ri(&mut self, alu: Alu, size: Size, dst: Gpr, value: i32) {
        self.group1_ri(alu as u8, size, dst, value);
    }

    /// `[dst] op= value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn alu_mi(&mut self, alu: Alu, size: Size, dst: Mem, value: i32) {
        self.group1_mi(alu as u8, size, dst, value);
    }
}

/// Shifts and rotations. The count is taken modulo the width.
impl Assembler {
    /// `dst` by a fixed count.
    #[inline]
    pub fn shift_ri(&mut self, shift: Shift, size: Size, dst: Gpr, count: u8) {
        if count == 1 {
            return self.reg_rm(op(0xd1).size(size), shift as u8, dst.number());
        }
        self.reg_rm(op(0xc1).size(size), shift as u8, dst.number());
        self.buffer.put(u64::from(count), 1);
    }

    /// `dst` by what `cl` holds.
    #[inline]
    pub fn shift_rc(&mut self, shift: Shift, size: Size, dst: Gpr) {
        self.reg_rm(op(0xd3).size(size), shift as u8, dst.number());
    }

    /// `dst = src` shifted by what `count` holds; leaves the flags alone. Needs `bmi2`.
    ///
    /// # Panics
    /// When `shift` is a rotation, which there is no such form of.
    #[inline]
    pub fn shiftx_rrr(&mut self, shift: Shift, size: Size, dst: Gpr, src: Gpr, count: Gpr) {
        let prefix = match shift {
            Shift::Shl => 0x66,
            Shift::Shr => 0xf2,
            Shift::Sar => 0xf3,
            Shift::Rol | Shift::Ror => panic!("rotations by a register take it in cl"),
        };
        let op = op(0xf7).map(Map::Three38).prefix(prefix).size(size);
        self.vex_reg(op, dst.number(), count.number(), src.number());
    }

    /// `dst = src` rotated to lower bits by a fixed count; leaves the flags alone. Needs `bmi2`.
    #[inline]
    pub fn rorx_rri(&mut self, size: Size, dst: Gpr, src: Gpr, count: u8) {
        let op = op(0xf0).map(Map::Three3a).prefix(0xf2).size(size);
        self.vex_reg(op, dst.number(), 0, src.number());
        self.buffer.put(u64::from(count), 1);
    }
}

/// Multiplication, division, one operand.
impl Assembler {
    /// `dst *= src`
    #[inline]
    pub fn imul_rr(&mut self, size: Size, dst: Gpr, src: Gpr) {
        self.reg_rm(op(0xaf).escape().size(size), dst.number(), src.number());
    }

    /// `dst *= [src]`
    #[inline]
    pub fn imul_rm(&mut self, size: Size, dst: Gpr, src: Mem) {
        self.mem_rm(op(0xaf).escape().size(size), dst.number(), src, NONE);
    }

    /// `dst = src * value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn imul_rri(&mut self, size: Size, dst: Gpr, src: Gpr, value: i32) {
        match i8::try_from(value) {
            Ok(value) => {
                self.reg_rm(op(0x6b).size(size), dst.number(), src.number());
                self.buffer.put(u64::from(value as u8), 1);
            }
            Err(_) => {
                self.reg_rm(op(0x69).size(size), dst.number(), src.number());
                self.buffer.put(u64::from(value as u32), 4);
            }
        }
    }

    /// `dst = [src] * value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn imul_rmi(&mut self, size: Size, dst: Gpr, src: Mem, value: i32) {
        match i8::try_from(value) {
            Ok(_) => self.mem_rm(op(0x6b).size(size), dst.number(), src, Imm { value, count: 1 }),
            Err(_) => self.mem_rm(op(0x69).size(size), dst.number(), src, Imm { value, count: 4 }),
        }
    }

    /// The operation on `dst`; see [`Unary`] for those that work on `rax` and `rdx` instead.
    #[inline]
    pub fn unary_r(&mut self, unary: Unary, size: Size, dst: Gpr) {
        self.reg_rm(op(0xf7).size(size), unary as u8, dst.number());
    }

    /// The operation on memory.
    #[inline]
    pub fn unary_m(&mut self, unary: Unary, size: Size, dst: Mem) {
        self.mem_rm(op(0xf7).size(size), unary as u8, dst, NONE);
    }

    /// `rdx` (or `edx`) = the sign of `rax` (or `eax`) in every bit: before a signed division.
    #[inline]
    pub fn sign_to_rdx(&mut self, size: Size) {
        let (head, count) = op(0x99).size(size).head(0, 0);
        self.buffer.put(head, count);
    }

    /// `dst` = the count of `src`.
    #[inline]
    pub fn count_rr(&mut self, count: Count, size: Size, dst: Gpr, src: Gpr) {
        self.reg_rm(count.op().size(size), dst.number(), src.number());
    }

    /// `dst` = the count of `[src]`.
    #[inline]
    pub fn count_rm(&mut self, count: Count, size: Size, dst: Gpr, src: Mem) {
        self.mem_rm(count.op().size(size), dst.number(), src, NONE);
    }

    /// Swaps two registers.
    #[inline]
    pub fn xchg_rr(&mut self, size: Size, a: Gpr, b: Gpr) {
        self.reg_rm(op(0x87).size(size), b.number(), a.number());
    }
}

impl Count {
    #[inline]
    const fn op(self) -> super::encode::Op {
        match self {
            Count::Popcnt => op(0xb8).escape().prefix(0xf3),
            Count::Lzcnt => op(0xbd).escape().prefix(0xf3),
            Count::Tzcnt => op(0xbc).escape().prefix(0xf3),
            Count::Bsr => op(0xbd).escape(),
            Count::Bsf => op(0xbc).escape(),
        }
    }
}

/// What depends on the flags, and comparisons of narrow values.
impl Assembler {
    /// The lowest byte of `dst` becomes 1 if `cond` holds, else 0; the other bytes stay.
    #[inline]
    pub fn setcc_r(&mut self, cond: Cond, dst: Gpr) {
        self.reg_rm(op(0x90 | cond as u8).escape().byte_reg(dst), 0, dst.number());
    }

    /// `dst = src` if `cond` holds. With 32 bits the upper half of `dst` becomes zero in any case.
    #[inline]
    pub fn cmov_rr(&mut self, size: Size, cond: Cond, dst: Gpr, src: Gpr) {
        self.reg_rm(op(0x40 | cond as u8).escape().size(size), dst.number(), src.number());
    }

    /// `dst = [src]` if `cond` holds; the memory is read in any case.
    #[inline]
    pub fn cmov_rm(&mut self, size: Size, cond: Cond, dst: Gpr, src: Mem) {
        self.mem_rm(op(0x40 | cond as u8).escape().size(size), dst.number(), src, NONE);
    }

    /// Flags of `[a] - value` on one or two bytes.
    ///
    /// # Panics
    /// When `width` is wider; [`cmp_mi`](Assembler::cmp_mi) compares those.
    #[inline]
    pub fn cmp_narrow_mi(&mut self, width: Width, a: Mem, value: i32) {
        match width {
            Width::W8 => self.mem_rm(op(0x80), 7, a, Imm { value, count: 1 }),
            Width::W16 => self.mem_rm(op(0x81).prefix(0x66), 7, a, Imm { value, count: 2 }),
            Width::W32 | Width::W64 => panic!("{width:?} is not narrow"),
        }
    }

    /// Flags of the lowest byte of `a & value`.
    #[inline]
    pub fn test_byte_ri(&mut self, a: Gpr, value: u8) {
        self.reg_rm(op(0xf6).byte_reg(a), 0, a.number());
        self.buffer.put(u64::from(value), 1);
    }

    /// The carry becomes bit `bit` of `a`.
    #[inline]
    pub fn bt_ri(&mut self, size: Size, a: Gpr, bit: u8) {
        self.reg_rm(op(0xba).escape().size(size), 4, a.number());
        self.buffer.put(u64::from(bit), 1);
    }

    /// The carry becomes the bit of `a` that `bit` names, modulo the width.
    #[inline]
    pub fn bt_rr(&mut self, size: Size, a: Gpr, bit: Gpr) {
        self.reg_rm(op(0xa3).escape().size(size), bit.number(), a.number());
    }
}

/// Instructions on a place that is not known yet.
impl Assembler {
    /// `call [rip + 0]`. Returns the offset of the four bytes of the distance, which somebody else fills in.
    #[inline]
    pub fn call_rip(&mut self) -> usize {
        self.buffer.put(0x15ff, 6);
        self.offset() - 4
    }

    /// `jmp [rip + 0]`. Returns the offset of the four bytes of the distance, which somebody else fills in.
    #[inline]
    pub fn jmp_rip(&mut self) -> usize {
        self.buffer.put(0x25ff, 6);
        self.offset() - 4
    }

    /// Jumps by a distance, which is to be filled in. Returns the offset of its four bytes; it counts from their end.
    #[inline]
    pub fn jmp_rel(&mut self) -> usize {
        self.buffer.put(0xe9, 5);
        self.offset() - 4
    }

    /// `sub dword [rip + 0], 0`. Returns the offset of the four bytes of the distance; four bytes of the
    /// number follow. Somebody else fills both in.
    #[inline]
    pub fn sub_rip_i(&mut self) -> usize {
        self.buffer.put(0x2d81, 2);
        self.buffer.put(0, 8);
        self.offset() - 8
    }
}

#[cfg(test)]
mod tests;
