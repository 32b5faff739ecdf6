//! The instructions that everything needs: moves, the first arithmetic group, control flow.

use super::encode::{Imm, NONE, op};
use super::{Gpr, Mem, Xmm};
use crate::{AsmError, CodeBuffer, Label};

/// How many bits of a general register an operation works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// 32 bits; the upper half of a destination becomes zero.
    S32,
    /// 64 bits.
    S64,
}

/// How many bits a memory access moves, or of how many bits the source of an extension is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// One byte.
    W8,
    /// Two bytes.
    W16,
    /// Four bytes.
    W32,
    /// Eight bytes.
    W64,
}

/// A condition on the flags. Discriminants are the encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cond {
    /// Signed overflow.
    Overflow = 0,
    /// No signed overflow.
    NoOverflow = 1,
    /// Unsigned `<`, or carry.
    Below = 2,
    /// Unsigned `>=`, or no carry.
    AboveEqual = 3,
    /// `==`, or zero.
    Equal = 4,
    /// `!=`, or not zero.
    NotEqual = 5,
    /// Unsigned `<=`.
    BelowEqual = 6,
    /// Unsigned `>`.
    Above = 7,
    /// The sign bit is set.
    Sign = 8,
    /// The sign bit is clear.
    NoSign = 9,
    /// Parity even: an unordered comparison of floats.
    Parity = 10,
    /// Parity odd: an ordered comparison of floats.
    NoParity = 11,
    /// Signed `<`.
    Less = 12,
    /// Signed `>=`.
    GreaterEqual = 13,
    /// Signed `<=`.
    LessEqual = 14,
    /// Signed `>`.
    Greater = 15,
}

impl Cond {
    /// All sixteen, by encoding.
    pub const ALL: [Cond; 16] = [
        Cond::Overflow,
        Cond::NoOverflow,
        Cond::Below,
        Cond::AboveEqual,
        Cond::Equal,
        Cond::NotEqual,
        Cond::BelowEqual,
        Cond::Above,
        Cond::Sign,
        Cond::NoSign,
        Cond::Parity,
        Cond::NoParity,
        Cond::Less,
        Cond::GreaterEqual,
        Cond::LessEqual,
        Cond::Greater,
    ];

    /// The condition that holds exactly when this one does not.
    #[inline]
    pub const fn negate(self) -> Cond {
        Cond::ALL[self as usize ^ 1]
    }
}

/// Writes x86-64 instructions into a [`CodeBuffer`].
///
/// ```
/// use tenure_asm::x64::{Assembler, Cond, Gpr, Mem, Size};
///
/// // The number of 8-byte words at rdi before the first zero.
/// let mut asm = Assembler::new();
/// let (next, done) = (asm.new_label(), asm.new_label());
/// asm.mov_ri(Gpr::RAX, 0);
/// asm.bind(next);
/// asm.cmp_mi(Size::S64, Mem::new(Gpr::RDI, 0), 0);
/// asm.jcc_short(Cond::Equal, done);
/// asm.add_ri(Size::S64, Gpr::RDI, 8);
/// asm.add_ri(Size::S64, Gpr::RAX, 1);
/// asm.jmp(next);
/// asm.bind(done);
/// asm.ret();
/// let code = asm.finish()?;
/// assert_eq!(code.len(), 25);
/// # Ok::<(), tenure_asm::AsmError>(())
/// ```
#[derive(Default, Debug)]
pub struct Assembler {
    /// The code so far; labels are made and bound here too.
    pub buffer: CodeBuffer,
}

impl Assembler {
    /// An assembler with an empty buffer.
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// An assembler that goes on where `buffer` ends.
    pub fn over(buffer: CodeBuffer) -> Assembler {
        Assembler { buffer }
    }

    /// A new label, not yet bound.
    pub fn new_label(&mut self) -> Label {
        self.buffer.new_label()
    }

    /// Binds `label` here.
    ///
    /// # Panics
    /// When `label` was bound before.
    #[inline]
    pub fn bind(&mut self, label: Label) {
        self.buffer.bind(label);
    }

    /// Offset of the next instruction.
    #[inline]
    pub fn offset(&self) -> usize {
        self.buffer.len()
    }

    /// The finished code; see [`CodeBuffer::finish`].
    ///
    /// # Errors
    /// See [`AsmError`].
    pub fn finish(self) -> Result<Vec<u8>, AsmError> {
        self.buffer.finish()
    }
}

/// Moves between general registers, memory and immediates.
impl Assembler {
    /// `dst = src`. With 32 bits the upper half of `dst` becomes zero, also when both are the same register.
    #[inline]
    pub fn mov_rr(&mut self, size: Size, dst: Gpr, src: Gpr) {
        self.reg_rm(op(0x8b).size(size), dst.number(), src.number());
    }

    /// Loads `dst` from `src`. Narrower loads are [`movzx_rm`](Assembler::movzx_rm) and
    /// [`movsx_rm`](Assembler::movsx_rm).
    #[inline]
    pub fn mov_rm(&mut self, size: Size, dst: Gpr, src: Mem) {
        self.mem_rm(op(0x8b).size(size), dst.number(), src, NONE);
    }

    /// Stores the lowest bits of `src`.
    #[inline]
    pub fn mov_mr(&mut self, width: Width, dst: Mem, src: Gpr) {
        let op = match width {
            Width::W8 => op(0x88).byte_reg(src),
            Width::W16 => op(0x89).prefix(0x66),
            Width::W32 => op(0x89),
            Width::W64 => op(0x89).wide(),
        };
        self.mem_rm(op, src.number(), dst, NONE);
    }

    /// Stores an immediate; its lowest bits, or with 64 bits its sign extension.
    #[inline]
    pub fn mov_mi(&mut self, width: Width, dst: Mem, value: i32) {
        let (op, count) = match width {
            Width::W8 => (op(0xc6), 1),
            Width::W16 => (op(0xc7).prefix(0x66), 2),
            Width::W32 => (op(0xc7), 4),
            Width::W64 => (op(0xc7).wide(), 4),
        };
        self.mem_rm(op, 0, dst, Imm { value, count });
    }

    /// `dst = value`, in the shortest way that leaves the flags alone (5, 7 or 10 bytes).
    #[inline]
    pub fn mov_ri(&mut self, dst: Gpr, value: i64) {
        let low = dst.number() & 7;
        if let Ok(value) = u32::try_from(value) {
            let (head, count) = op(0xb8 | low).head(0, dst.number() >> 3);
            self.buffer.put(head, count);
            self.buffer.put(u64::from(value), 4);
        } else if let Ok(value) = i32::try_from(value) {
            self.reg_rm(op(0xc7).wide(), 0, dst.number());
            self.buffer.put(u64::from(value as u32), 4);
        } else {
            let (head, count) = op(0xb8 | low).wide().head(0, dst.number() >> 3);
            self.buffer.put(head, count);
            self.buffer.put(value as u64, 8);
        }
    }

    /// `dst` = the lowest bits of `src`, zero-extended to 64 bits.
    #[inline]
    pub fn movzx_rr(&mut self, from: Width, dst: Gpr, src: Gpr) {
        match from {
            Width::W8 => self.reg_rm(op(0xb6).escape().byte_reg(src), dst.number(), src.number()),
            Width::W16 => self.reg_rm(op(0xb7).escape(), dst.number(), src.number()),
            Width::W32 => self.mov_rr(Size::S32, dst, src),
            Width::W64 => self.mov_rr(Size::S64, dst, src),
        }
    }

    /// Loads `from` bits and zero-extends them to 64.
    #[inline]
    pub fn movzx_rm(&mut self, from: Width, dst: Gpr, src: Mem) {
        match from {
            Width::W8 => self.mem_rm(op(0xb6).escape(), dst.number(), src, NONE),
            Width::W16 => self.mem_rm(op(0xb7).escape(), dst.number(), src, NONE),
            Width::W32 => self.mov_rm(Size::S32, dst, src),
            Width::W64 => self.mov_rm(Size::S64, dst, src),
        }
    }

    /// `dst` = the lowest `from` bits of `src`, sign-extended to `size`.
    #[inline]
    pub fn movsx_rr(&mut self, size: Size, from: Width, dst: Gpr, src: Gpr) {
        match (from, size) {
            (Width::W8, _) => {
                self.reg_rm(op(0xbe).escape().size(size).byte_reg(src), dst.number(), src.number());
            }
            (Width::W16, _) => self.reg_rm(op(0xbf).escape().size(size), dst.number(), src.number()),
            (Width::W32, Size::S64) => self.reg_rm(op(0x63).wide(), dst.number(), src.number()),
            (Width::W32 | Width::W64, _) => self.mov_rr(size, dst, src),
        }
    }

    /// Loads `from` bits and sign-extends them to `size`.
    #[inline]
    pub fn movsx_rm(&mut self, size: Size, from: Width, dst: Gpr, src: Mem) {
        match (from, size) {
            (Width::W8, _) => self.mem_rm(op(0xbe).escape().size(size), dst.number(), src, NONE),
            (Width::W16, _) => self.mem_rm(op(0xbf).escape().size(size), dst.number(), src, NONE),
            (Width::W32, Size::S64) => self.mem_rm(op(0x63).wide(), dst.number(), src, NONE),
            (Width::W32 | Width::W64, _) => self.mov_rm(size, dst, src),
        }
    }

    /// `dst` = the address that `src` names; nothing is read.
    #[inline]
    pub fn lea(&mut self, size: Size, dst: Gpr, src: Mem) {
        self.mem_rm(op(0x8d).size(size), dst.number(), src, NONE);
    }

    /// Pushes 64 bits.
    #[inline]
    pub fn push_r(&mut self, src: Gpr) {
        let (head, count) = op(0x50 | (src.number() & 7)).head(0, src.number() >> 3);
        self.buffer.put(head, count);
    }

    /// Pushes 64 bits of memory.
    #[inline]
    pub fn push_m(&mut self, src: Mem) {
        self.mem_rm(op(0xff), 6, src, NONE);
    }

    /// Pushes `value`, sign-extended to 64 bits.
    #[inline]
    pub fn push_i(&mut self, value: i32) {
        match i8::try_from(value) {
            Ok(value) => self.buffer.put(0x6a | u64::from(value as u8) << 8, 2),
            Err(_) => self.buffer.put(0x68 | u64::from(value as u32) << 8, 5),
        }
    }

    /// Pops 64 bits.
    #[inline]
    pub fn pop_r(&mut self, dst: Gpr) {
        let (head, count) = op(0x58 | (dst.number() & 7)).head(0, dst.number() >> 3);
        self.buffer.put(head, count);
    }

    /// Pops 64 bits into memory. An address based on `rsp` is taken after the pop.
    #[inline]
    pub fn pop_m(&mut self, dst: Mem) {
        self.mem_rm(op(0x8f), 0, dst, NONE);
    }
}

/// The eight operations of the first opcode group, all alike.
macro_rules! arithmetic {
    ($($number:literal $symbol:literal $rr:ident $rm:ident $mr:ident $ri:ident $mi:ident;)*) => {
        impl Assembler {$(
            #[doc = concat!("`dst ", $symbol, " src`")]
            #[inline]
            pub fn $rr(&mut self, size: Size, dst: Gpr, src: Gpr) {
                self.reg_rm(op($number * 8 + 3).size(size), dst.number(), src.number());
            }

            #[doc = concat!("`dst ", $symbol, " [src]`")]
            #[inline]
            pub fn $rm(&mut self, size: Size, dst: Gpr, src: Mem) {
                self.mem_rm(op($number * 8 + 3).size(size), dst.number(), src, NONE);
            }

            #[doc = concat!("`[dst] ", $symbol, " src`")]
            #[inline]
            pub fn $mr(&mut self, size: Size, dst: Mem, src: Gpr) {
                self.mem_rm(op($number * 8 + 1).size(size), src.number(), dst, NONE);
            }

            #[doc = concat!("`dst ", $symbol, " value`; with 64 bits `value` is sign-extended.")]
            #[inline]
            pub fn $ri(&mut self, size: Size, dst: Gpr, value: i32) {
                self.group1_ri($number, size, dst, value);
            }

            #[doc = concat!("`[dst] ", $symbol, " value`; with 64 bits `value` is sign-extended.")]
            #[inline]
            pub fn $mi(&mut self, size: Size, dst: Mem, value: i32) {
                self.group1_mi($number, size, dst, value);
            }
        )*}
    };
}

arithmetic! {
    0 "+="  add_rr add_rm add_mr add_ri add_mi;
    1 "|="  or_rr  or_rm  or_mr  or_ri  or_mi;
    2 "+= carry +"  adc_rr adc_rm adc_mr adc_ri adc_mi;
    3 "-= carry +"  sbb_rr sbb_rm sbb_mr sbb_ri sbb_mi;
    4 "&="  and_rr and_rm and_mr and_ri and_mi;
    5 "-="  sub_rr sub_rm sub_mr sub_ri sub_mi;
    6 "^="  xor_rr xor_rm xor_mr xor_ri xor_mi;
    7 "<=> (flags only)" cmp_rr cmp_rm cmp_mr cmp_ri cmp_mi;
}

impl Assembler {
    #[inline]
    pub(super) fn group1_ri(&mut self, number: u8, size: Size, dst: Gpr, value: i32) {
        match i8::try_from(value) {
            Ok(value) => {
                self.reg_rm(op(0x83).size(size), number, dst.number());
                self.buffer.put(u64::from(value as u8), 1);
            }
            Err(_) => {
                self.reg_rm(op(0x81).size(size), number, dst.number());
                self.buffer.put(u64::from(value as u32), 4);
            }
        }
    }

    #[inline]
    pub(super) fn group1_mi(&mut self, number: u8, size: Size, dst: Mem, value: i32) {
        match i8::try_from(value) {
            Ok(_) => self.mem_rm(op(0x83).size(size), number, dst, Imm { value, count: 1 }),
            Err(_) => self.mem_rm(op(0x81).size(size), number, dst, Imm { value, count: 4 }),
        }
    }

    /// Flags of `a & b`.
    #[inline]
    pub fn test_rr(&mut self, size: Size, a: Gpr, b: Gpr) {
        self.reg_rm(op(0x85).size(size), b.number(), a.number());
    }

    /// Flags of `a & [b]`.
    #[inline]
    pub fn test_rm(&mut self, size: Size, a: Gpr, b: Mem) {
        self.mem_rm(op(0x85).size(size), a.number(), b, NONE);
    }

    /// Flags of `a & value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn test_ri(&mut self, size: Size, a: Gpr, value: i32) {
        self.reg_rm(op(0xf7).size(size), 0, a.number());
        self.buffer.put(u64::from(value as u32), 4);
    }

    /// Flags of `[a] & value`; with 64 bits `value` is sign-extended.
    #[inline]
    pub fn test_mi(&mut self, size: Size, a: Mem, value: i32) {
        self.mem_rm(op(0xf7).size(size), 0, a, Imm { value, count: 4 });
    }
}

/// Control flow.
impl Assembler {
    /// Jumps to `label`, however far (5 bytes).
    #[inline]
    pub fn jmp(&mut self, label: Label) {
        self.buffer.put(0xe9, 5);
        self.buffer.use_rel32(label, 0);
    }

    /// Jumps to `label`, which must end up within 127 bytes (2 bytes).
    #[inline]
    pub fn jmp_short(&mut self, label: Label) {
        self.buffer.put(0xeb, 2);
        self.buffer.use_rel8(label);
    }

    /// Jumps to the address in `target`.
    #[inline]
    pub fn jmp_r(&mut self, target: Gpr) {
        self.reg_rm(op(0xff), 4, target.number());
    }

    /// Jumps to the address in memory.
    #[inline]
    pub fn jmp_m(&mut self, target: Mem) {
        self.mem_rm(op(0xff), 4, target, NONE);
    }

    /// Jumps to `label` if `cond` holds, however far (6 bytes).
    #[inline]
    pub fn jcc(&mut self, cond: Cond, label: Label) {
        self.buffer.put(0x0f | (0x80 | cond as u64) << 8, 6);
        self.buffer.use_rel32(label, 0);
    }

    /// Jumps to `label` if `cond` holds; it must end up within 127 bytes (2 bytes).
    #[inline]
    pub fn jcc_short(&mut self, cond: Cond, label: Label) {
        self.buffer.put(0x70 | cond as u64, 2);
        self.buffer.use_rel8(label);
    }

    /// Calls `label`.
    #[inline]
    pub fn call(&mut self, label: Label) {
        self.buffer.put(0xe8, 5);
        self.buffer.use_rel32(label, 0);
    }

    /// Calls the address in `target`.
    #[inline]
    pub fn call_r(&mut self, target: Gpr) {
        self.reg_rm(op(0xff), 2, target.number());
    }

    /// Calls the address in memory.
    #[inline]
    pub fn call_m(&mut self, target: Mem) {
        self.mem_rm(op(0xff), 2, target, NONE);
    }

    /// Returns.
    #[inline]
    pub fn ret(&mut self) {
        self.buffer.put(0xc3, 1);
    }

    /// Returns and drops `bytes` of stack arguments.
    #[inline]
    pub fn ret_i(&mut self, bytes: u16) {
        self.buffer.put(0xc2 | u64::from(bytes) << 8, 3);
    }

    /// The instruction that is never valid: a trap.
    #[inline]
    pub fn ud2(&mut self) {
        self.buffer.put(0x0b0f, 2);
    }

    /// What only an operating system may execute: a trap that hypervisors let through, one byte.
    #[inline]
    pub fn hlt(&mut self) {
        self.buffer.put(0xf4, 1);
    }

    /// The breakpoint, one byte: fills gaps that must never run.
    #[inline]
    pub fn int3(&mut self) {
        self.buffer.put(0xcc, 1);
    }

    /// `bytes` of padding in as few instructions as possible.
    pub fn nop(&mut self, bytes: usize) {
        // The forms that the vendors recommend, of one to eight bytes.
        const NOPS: [u64; 8] = [
            0x90,
            0x9066,
            0x00_1f0f,
            0x0040_1f0f,
            0x00_0044_1f0f,
            0x0000_441f_0f66,
            0x00_0000_0080_1f0f,
            0x0000_0000_0084_1f0f,
        ];
        let mut rest = bytes;
        while rest > 0 {
            let count = rest.min(8);
            self.buffer.put(NOPS[count - 1], count);
            rest -= count;
        }
    }

    /// Pads with [`nop`](Assembler::nop) until the offset is a multiple of `bytes`, a power of two.
    pub fn align(&mut self, bytes: usize) {
        debug_assert!(bytes.is_power_of_two(), "{bytes} is not a power of two");
        self.nop(self.offset().wrapping_neg() & (bytes - 1));
    }
}

/// Moves of SSE registers, all alike: load, store, and register to register.
macro_rules! sse_moves {
    ($($name:literal, $what:literal, $op:expr, $store:expr, $xm:ident $mx:ident $xx:ident;)*) => {
        impl Assembler {$(
            #[doc = concat!("`", $name, "`: loads ", $what)]
            #[inline]
            pub fn $xm(&mut self, dst: Xmm, src: Mem) {
                self.mem_rm($op, dst.number(), src, NONE);
            }

            #[doc = concat!("`", $name, "`: stores ", $what)]
            #[inline]
            pub fn $mx(&mut self, dst: Mem, src: Xmm) {
                self.mem_rm($store, src.number(), dst, NONE);
            }

            #[doc = concat!("`", $name, "`: copies ", $what)]
            #[inline]
            pub fn $xx(&mut self, dst: Xmm, src: Xmm) {
                self.reg_rm($op, dst.number(), src.number());
            }
        )*}
    };
}

sse_moves! {
    "movss", "the lowest 32 bits. A load clears the rest; a copy keeps it and so depends on it.",
        op(0x10).escape().prefix(0xf3), op(0x11).escape().prefix(0xf3), movss_xm movss_mx movss_xx;
    "movsd", "the lowest 64 bits. A load clears the rest; a copy keeps it and so depends on it.",
        op(0x10).escape().prefix(0xf2), op(0x11).escape().prefix(0xf2), movsd_xm movsd_mx movsd_xx;
    "movups", "all 128 bits, of any alignment.",
        op(0x10).escape(), op(0x11).escape(), movups_xm movups_mx movups_xx;
    "movaps", "all 128 bits. Memory must be aligned to 16 bytes, or the access faults.",
        op(0x28).escape(), op(0x29).escape(), movaps_xm movaps_mx movaps_xx;
    "movdqu", "all 128 bits, of any alignment, as integers.",
        op(0x6f).escape().prefix(0xf3), op(0x7f).escape().prefix(0xf3), movdqu_xm movdqu_mx movdqu_xx;
}

/// Moves between general and SSE registers.
impl Assembler {
    /// The lowest 32 or 64 bits of `dst` become `src`, the rest zero (`movd`, `movq`).
    #[inline]
    pub fn movq_xr(&mut self, size: Size, dst: Xmm, src: Gpr) {
        self.reg_rm(op(0x6e).escape().prefix(0x66).size(size), dst.number(), src.number());
    }

    /// `dst` = the lowest 32 or 64 bits of `src`, zero-extended (`movd`, `movq`).
    #[inline]
    pub fn movq_rx(&mut self, size: Size, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0x7e).escape().prefix(0x66).size(size), src.number(), dst.number());
    }
}

#[cfg(test)]
mod tests;
