//! SSE and AVX operations, by row of a table.
//!
//! The older forms overwrite their first operand: `dst op= src`. The AVX forms of the same rows take three:
//! `dst = first op src`; they want no alignment of memory, which most older forms do.

use super::encode::{Imm, Map, NONE, Op, op};
use super::{Assembler, Gpr, Mem, Size, Xmm};

/// An operation on SSE registers; one row of the table.
#[derive(Clone, Copy)]
pub struct Sse {
    op: Op,
    #[cfg(test)]
    name: &'static str,
    #[cfg(test)]
    shape: Shape,
}

/// What operands a row takes, for the tests.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// `dst op= src`; with AVX `dst = first op src`.
    Two,
    /// `dst = op src`, in both forms.
    One,
    /// As `Two`, with a byte.
    TwoI,
    /// As `One`, with a byte.
    OneI,
    /// AVX only, three operands.
    Avx,
    /// AVX only, two operands.
    AvxOne,
}

macro_rules! rows {
    ($($constant:ident $name:literal $prefix:literal $map:ident $code:literal $shape:ident;)*) => {
        impl Sse {
            $(
                #[doc = concat!("`", $name, "`")]
                pub const $constant: Sse = Sse {
                    op: op($code).map(Map::$map).prefix($prefix),
                    #[cfg(test)]
                    name: $name,
                    #[cfg(test)]
                    shape: Shape::$shape,
                };
            )*

            #[cfg(test)]
            const ALL: &[Sse] = &[$(Sse::$constant,)*];
        }
    };
}

rows! {
    ADDSS "addss" 0xf3 Two 0x58 Two;
    ADDSD "addsd" 0xf2 Two 0x58 Two;
    ADDPS "addps" 0x00 Two 0x58 Two;
    ADDPD "addpd" 0x66 Two 0x58 Two;
    MULSS "mulss" 0xf3 Two 0x59 Two;
    MULSD "mulsd" 0xf2 Two 0x59 Two;
    MULPS "mulps" 0x00 Two 0x59 Two;
    MULPD "mulpd" 0x66 Two 0x59 Two;
    SUBSS "subss" 0xf3 Two 0x5c Two;
    SUBSD "subsd" 0xf2 Two 0x5c Two;
    SUBPS "subps" 0x00 Two 0x5c Two;
    SUBPD "subpd" 0x66 Two 0x5c Two;
    MINSS "minss" 0xf3 Two 0x5d Two;
    MINSD "minsd" 0xf2 Two 0x5d Two;
    MINPS "minps" 0x00 Two 0x5d Two;
    MINPD "minpd" 0x66 Two 0x5d Two;
    DIVSS "divss" 0xf3 Two 0x5e Two;
    DIVSD "divsd" 0xf2 Two 0x5e Two;
    DIVPS "divps" 0x00 Two 0x5e Two;
    DIVPD "divpd" 0x66 Two 0x5e Two;
    MAXSS "maxss" 0xf3 Two 0x5f Two;
    MAXSD "maxsd" 0xf2 Two 0x5f Two;
    MAXPS "maxps" 0x00 Two 0x5f Two;
    MAXPD "maxpd" 0x66 Two 0x5f Two;
    SQRTSS "sqrtss" 0xf3 Two 0x51 Two;
    SQRTSD "sqrtsd" 0xf2 Two 0x51 Two;
    SQRTPS "sqrtps" 0x00 Two 0x51 One;
    SQRTPD "sqrtpd" 0x66 Two 0x51 One;
    UCOMISS "ucomiss" 0x00 Two 0x2e One;
    UCOMISD "ucomisd" 0x66 Two 0x2e One;
    ROUNDSS "roundss" 0x66 Three3a 0x0a TwoI;
    ROUNDSD "roundsd" 0x66 Three3a 0x0b TwoI;
    ROUNDPS "roundps" 0x66 Three3a 0x08 OneI;
    ROUNDPD "roundpd" 0x66 Three3a 0x09 OneI;
    CMPPS "cmpps" 0x00 Two 0xc2 TwoI;
    CMPPD "cmppd" 0x66 Two 0xc2 TwoI;
    CMPSS "cmpss" 0xf3 Two 0xc2 TwoI;
    CMPSD "cmpsd" 0xf2 Two 0xc2 TwoI;

    CVTSS2SD "cvtss2sd" 0xf3 Two 0x5a Two;
    CVTSD2SS "cvtsd2ss" 0xf2 Two 0x5a Two;
    CVTPS2PD "cvtps2pd" 0x00 Two 0x5a One;
    CVTPD2PS "cvtpd2ps" 0x66 Two 0x5a One;
    CVTDQ2PS "cvtdq2ps" 0x00 Two 0x5b One;
    CVTTPS2DQ "cvttps2dq" 0xf3 Two 0x5b One;
    CVTDQ2PD "cvtdq2pd" 0xf3 Two 0xe6 One;
    CVTTPD2DQ "cvttpd2dq" 0x66 Two 0xe6 One;

    ANDPS "andps" 0x00 Two 0x54 Two;
    ANDPD "andpd" 0x66 Two 0x54 Two;
    ANDNPS "andnps" 0x00 Two 0x55 Two;
    ANDNPD "andnpd" 0x66 Two 0x55 Two;
    ORPS "orps" 0x00 Two 0x56 Two;
    ORPD "orpd" 0x66 Two 0x56 Two;
    XORPS "xorps" 0x00 Two 0x57 Two;
    XORPD "xorpd" 0x66 Two 0x57 Two;
    UNPCKLPS "unpcklps" 0x00 Two 0x14 Two;
    UNPCKLPD "unpcklpd" 0x66 Two 0x14 Two;
    SHUFPS "shufps" 0x00 Two 0xc6 TwoI;
    SHUFPD "shufpd" 0x66 Two 0xc6 TwoI;
    INSERTPS "insertps" 0x66 Three3a 0x21 TwoI;
    MOVDDUP "movddup" 0xf2 Two 0x12 One;

    PADDB "paddb" 0x66 Two 0xfc Two;
    PADDW "paddw" 0x66 Two 0xfd Two;
    PADDD "paddd" 0x66 Two 0xfe Two;
    PADDQ "paddq" 0x66 Two 0xd4 Two;
    PSUBB "psubb" 0x66 Two 0xf8 Two;
    PSUBW "psubw" 0x66 Two 0xf9 Two;
    PSUBD "psubd" 0x66 Two 0xfa Two;
    PSUBQ "psubq" 0x66 Two 0xfb Two;
    PADDSB "paddsb" 0x66 Two 0xec Two;
    PADDSW "paddsw" 0x66 Two 0xed Two;
    PADDUSB "paddusb" 0x66 Two 0xdc Two;
    PADDUSW "paddusw" 0x66 Two 0xdd Two;
    PSUBSB "psubsb" 0x66 Two 0xe8 Two;
    PSUBSW "psubsw" 0x66 Two 0xe9 Two;
    PSUBUSB "psubusb" 0x66 Two 0xd8 Two;
    PSUBUSW "psubusw" 0x66 Two 0xd9 Two;
    PMULLW "pmullw" 0x66 Two 0xd5 Two;
    PMULLD "pmulld" 0x66 Three38 0x40 Two;
    PMULHW "pmulhw" 0x66 Two 0xe5 Two;
    PMULHUW "pmulhuw" 0x66 Two 0xe4 Two;
    PMULUDQ "pmuludq" 0x66 Two 0xf4 Two;
    PMULDQ "pmuldq" 0x66 Three38 0x28 Two;
    PHADDW "phaddw" 0x66 Three38 0x01 Two;
    PMADDWD "pmaddwd" 0x66 Two 0xf5 Two;
    PMADDUBSW "pmaddubsw" 0x66 Three38 0x04 Two;
    PMULHRSW "pmulhrsw" 0x66 Three38 0x0b Two;
    PMINSB "pminsb" 0x66 Three38 0x38 Two;
    PMINSW "pminsw" 0x66 Two 0xea Two;
    PMINSD "pminsd" 0x66 Three38 0x39 Two;
    PMINUB "pminub" 0x66 Two 0xda Two;
    PMINUW "pminuw" 0x66 Three38 0x3a Two;
    PMINUD "pminud" 0x66 Three38 0x3b Two;
    PMAXSB "pmaxsb" 0x66 Three38 0x3c Two;
    PMAXSW "pmaxsw" 0x66 Two 0xee Two;
    PMAXSD "pmaxsd" 0x66 Three38 0x3d Two;
    PMAXUB "pmaxub" 0x66 Two 0xde Two;
    PMAXUW "pmaxuw" 0x66 Three38 0x3e Two;
    PMAXUD "pmaxud" 0x66 Three38 0x3f Two;
    PAVGB "pavgb" 0x66 Two 0xe0 Two;
    PAVGW "pavgw" 0x66 Two 0xe3 Two;
    PABSB "pabsb" 0x66 Three38 0x1c One;
    PABSW "pabsw" 0x66 Three38 0x1d One;
    PABSD "pabsd" 0x66 Three38 0x1e One;
    PCMPEQB "pcmpeqb" 0x66 Two 0x74 Two;
    PCMPEQW "pcmpeqw" 0x66 Two 0x75 Two;
    PCMPEQD "pcmpeqd" 0x66 Two 0x76 Two;
    PCMPEQQ "pcmpeqq" 0x66 Three38 0x29 Two;
    PCMPGTB "pcmpgtb" 0x66 Two 0x64 Two;
    PCMPGTW "pcmpgtw" 0x66 Two 0x65 Two;
    PCMPGTD "pcmpgtd" 0x66 Two 0x66 Two;
    PCMPGTQ "pcmpgtq" 0x66 Three38 0x37 Two;
    PAND "pand" 0x66 Two 0xdb Two;
    PANDN "pandn" 0x66 Two 0xdf Two;
    POR "por" 0x66 Two 0xeb Two;
    PXOR "pxor" 0x66 Two 0xef Two;
    PACKSSWB "packsswb" 0x66 Two 0x63 Two;
    PACKSSDW "packssdw" 0x66 Two 0x6b Two;
    PACKUSWB "packuswb" 0x66 Two 0x67 Two;
    PACKUSDW "packusdw" 0x66 Three38 0x2b Two;
    PUNPCKLBW "punpcklbw" 0x66 Two 0x60 Two;
    PUNPCKLWD "punpcklwd" 0x66 Two 0x61 Two;
    PUNPCKLDQ "punpckldq" 0x66 Two 0x62 Two;
    PUNPCKLQDQ "punpcklqdq" 0x66 Two 0x6c Two;
    PUNPCKHBW "punpckhbw" 0x66 Two 0x68 Two;
    PUNPCKHWD "punpckhwd" 0x66 Two 0x69 Two;
    PUNPCKHDQ "punpckhdq" 0x66 Two 0x6a Two;
    PUNPCKHQDQ "punpckhqdq" 0x66 Two 0x6d Two;
    PSHUFB "pshufb" 0x66 Three38 0x00 Two;
    PSHUFD "pshufd" 0x66 Two 0x70 OneI;
    PSHUFLW "pshuflw" 0xf2 Two 0x70 OneI;
    PSHUFHW "pshufhw" 0xf3 Two 0x70 OneI;
    PALIGNR "palignr" 0x66 Three3a 0x0f TwoI;
    PBLENDW "pblendw" 0x66 Three3a 0x0e TwoI;
    PMOVSXBW "pmovsxbw" 0x66 Three38 0x20 One;
    PMOVSXWD "pmovsxwd" 0x66 Three38 0x23 One;
    PMOVSXDQ "pmovsxdq" 0x66 Three38 0x25 One;
    PMOVZXBW "pmovzxbw" 0x66 Three38 0x30 One;
    PMOVZXWD "pmovzxwd" 0x66 Three38 0x33 One;
    PMOVZXDQ "pmovzxdq" 0x66 Three38 0x35 One;
    PTEST "ptest" 0x66 Three38 0x17 One;
    PSLLW "psllw" 0x66 Two 0xf1 Two;
    PSLLD "pslld" 0x66 Two 0xf2 Two;
    PSLLQ "psllq" 0x66 Two 0xf3 Two;
    PSRLW "psrlw" 0x66 Two 0xd1 Two;
    PSRLD "psrld" 0x66 Two 0xd2 Two;
    PSRLQ "psrlq" 0x66 Two 0xd3 Two;
    PSRAW "psraw" 0x66 Two 0xe1 Two;
    PSRAD "psrad" 0x66 Two 0xe2 Two;

    VPBROADCASTB "vpbroadcastb" 0x66 Three38 0x78 AvxOne;
    VPBROADCASTW "vpbroadcastw" 0x66 Three38 0x79 AvxOne;
    VPBROADCASTD "vpbroadcastd" 0x66 Three38 0x58 AvxOne;
    VPBROADCASTQ "vpbroadcastq" 0x66 Three38 0x59 AvxOne;
    VFMADD231PS "vfmadd231ps" 0x66 Three38 0xb8 Avx;
    VFNMADD231PS "vfnmadd231ps" 0x66 Three38 0xbc Avx;
}

/// The rows that AVX tells from another row by one bit more.
impl Sse {
    /// `vfmadd231pd`
    pub const VFMADD231PD: Sse = Sse::VFMADD231PS.wide();
    /// `vfnmadd231pd`
    pub const VFNMADD231PD: Sse = Sse::VFNMADD231PS.wide();

    const fn wide(mut self) -> Sse {
        self.op = self.op.wide();
        self
    }
}

/// Operations by row. Which operands a row takes is the machine's to say; see its manual.
impl Assembler {
    /// `dst op= src`, or `dst = op src`.
    #[inline]
    pub fn sse_xx(&mut self, sse: Sse, dst: Xmm, src: Xmm) {
        self.reg_rm(sse.op, dst.number(), src.number());
    }

    /// `dst op= [src]`, or `dst = op [src]`.
    #[inline]
    pub fn sse_xm(&mut self, sse: Sse, dst: Xmm, src: Mem) {
        self.mem_rm(sse.op, dst.number(), src, NONE);
    }

    /// `dst op= src`, or `dst = op src`, with a byte that says how.
    #[inline]
    pub fn sse_xxi(&mut self, sse: Sse, dst: Xmm, src: Xmm, how: u8) {
        self.reg_rm(sse.op, dst.number(), src.number());
        self.buffer.put(u64::from(how), 1);
    }

    /// `dst op= [src]`, or `dst = op [src]`, with a byte that says how.
    #[inline]
    pub fn sse_xmi(&mut self, sse: Sse, dst: Xmm, src: Mem, how: u8) {
        self.mem_rm(sse.op, dst.number(), src, Imm::byte(how));
    }

    /// `dst = first op src`. Needs `avx`, and the integer rows no more than that at this width.
    #[inline]
    pub fn avx_xxx(&mut self, sse: Sse, dst: Xmm, first: Xmm, src: Xmm) {
        self.vex_reg(sse.op, dst.number(), first.number(), src.number());
    }

    /// `dst = first op [src]`. Needs `avx`.
    #[inline]
    pub fn avx_xxm(&mut self, sse: Sse, dst: Xmm, first: Xmm, src: Mem) {
        self.vex_mem(sse.op, dst.number(), first.number(), src, NONE);
    }

    /// `dst = first op src`, with a byte that says how. Needs `avx`.
    #[inline]
    pub fn avx_xxxi(&mut self, sse: Sse, dst: Xmm, first: Xmm, src: Xmm, how: u8) {
        self.vex_reg(sse.op, dst.number(), first.number(), src.number());
        self.buffer.put(u64::from(how), 1);
    }

    /// `dst = op src`, for rows of two operands. Needs `avx`, the broadcasts `avx2`.
    #[inline]
    pub fn avx_xx(&mut self, sse: Sse, dst: Xmm, src: Xmm) {
        self.vex_reg(sse.op, dst.number(), 0, src.number());
    }

    /// `dst = op [src]`, for rows of two operands. Needs `avx`, the broadcasts `avx2`.
    #[inline]
    pub fn avx_xm(&mut self, sse: Sse, dst: Xmm, src: Mem) {
        self.vex_mem(sse.op, dst.number(), 0, src, NONE);
    }
}

/// A shift of every lane by a fixed count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneShift {
    code: u8,
    extension: u8,
}

impl LaneShift {
    /// 16-bit lanes to lower bits; zeros come in.
    pub const PSRLW: LaneShift = LaneShift { code: 0x71, extension: 2 };
    /// 16-bit lanes to lower bits; the sign comes in.
    pub const PSRAW: LaneShift = LaneShift { code: 0x71, extension: 4 };
    /// 16-bit lanes to higher bits.
    pub const PSLLW: LaneShift = LaneShift { code: 0x71, extension: 6 };
    /// 32-bit lanes to lower bits; zeros come in.
    pub const PSRLD: LaneShift = LaneShift { code: 0x72, extension: 2 };
    /// 32-bit lanes to lower bits; the sign comes in.
    pub const PSRAD: LaneShift = LaneShift { code: 0x72, extension: 4 };
    /// 32-bit lanes to higher bits.
    pub const PSLLD: LaneShift = LaneShift { code: 0x72, extension: 6 };
    /// 64-bit lanes to lower bits; zeros come in.
    pub const PSRLQ: LaneShift = LaneShift { code: 0x73, extension: 2 };
    /// 64-bit lanes to higher bits.
    pub const PSLLQ: LaneShift = LaneShift { code: 0x73, extension: 6 };
    /// The whole register to lower bytes; counts bytes.
    pub const PSRLDQ: LaneShift = LaneShift { code: 0x73, extension: 3 };
    /// The whole register to higher bytes; counts bytes.
    pub const PSLLDQ: LaneShift = LaneShift { code: 0x73, extension: 7 };
}

/// Shifts by a fixed count, single lanes, and what goes between the two kinds of registers.
impl Assembler {
    /// Shifts `dst` by a fixed count.
    #[inline]
    pub fn lane_shift_xi(&mut self, shift: LaneShift, dst: Xmm, count: u8) {
        self.reg_rm(op(shift.code).escape().prefix(0x66), shift.extension, dst.number());
        self.buffer.put(u64::from(count), 1);
    }

    /// `dst` = the lowest of `src`, an integer of `size`, as a 32-bit float; the rest of `dst` stays.
    #[inline]
    pub fn cvtsi2ss_xr(&mut self, size: Size, dst: Xmm, src: Gpr) {
        self.reg_rm(op(0x2a).escape().prefix(0xf3).size(size), dst.number(), src.number());
    }

    /// `dst` = `src`, an integer of `size`, as a 64-bit float; the rest of `dst` stays.
    #[inline]
    pub fn cvtsi2sd_xr(&mut self, size: Size, dst: Xmm, src: Gpr) {
        self.reg_rm(op(0x2a).escape().prefix(0xf2).size(size), dst.number(), src.number());
    }

    /// `dst` = the 32-bit float `src` as an integer of `size`, rounded to zero; the smallest if it does not fit.
    #[inline]
    pub fn cvttss2si_rx(&mut self, size: Size, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0x2c).escape().prefix(0xf3).size(size), dst.number(), src.number());
    }

    /// `dst` = the 64-bit float `src` as an integer of `size`, rounded to zero; the smallest if it does not fit.
    #[inline]
    pub fn cvttsd2si_rx(&mut self, size: Size, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0x2c).escape().prefix(0xf2).size(size), dst.number(), src.number());
    }

    /// `dst` = the highest bit of each byte.
    #[inline]
    pub fn pmovmskb_rx(&mut self, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0xd7).escape().prefix(0x66), dst.number(), src.number());
    }

    /// `dst` = the highest bit of each 32-bit lane.
    #[inline]
    pub fn movmskps_rx(&mut self, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0x50).escape(), dst.number(), src.number());
    }

    /// `dst` = the highest bit of each 64-bit lane.
    #[inline]
    pub fn movmskpd_rx(&mut self, dst: Gpr, src: Xmm) {
        self.reg_rm(op(0x50).escape().prefix(0x66), dst.number(), src.number());
    }

    /// `dst` = its low half, then the low half of `src`.
    #[inline]
    pub fn movlhps_xx(&mut self, dst: Xmm, src: Xmm) {
        self.reg_rm(op(0x16).escape(), dst.number(), src.number());
    }

    /// The low half of `dst` = the high half of `src`.
    #[inline]
    pub fn movhlps_xx(&mut self, dst: Xmm, src: Xmm) {
        self.reg_rm(op(0x12).escape(), dst.number(), src.number());
    }

    /// The high half of `dst` = `[src]`.
    #[inline]
    pub fn movhps_xm(&mut self, dst: Xmm, src: Mem) {
        self.mem_rm(op(0x16).escape(), dst.number(), src, NONE);
    }

    /// The low half of `dst` = `[src]`.
    #[inline]
    pub fn movlps_xm(&mut self, dst: Xmm, src: Mem) {
        self.mem_rm(op(0x12).escape(), dst.number(), src, NONE);
    }

    /// Stores the high half of `src`.
    #[inline]
    pub fn movhps_mx(&mut self, dst: Mem, src: Xmm) {
        self.mem_rm(op(0x17).escape(), src.number(), dst, NONE);
    }

    /// One 16-bit lane of `dst` = the lowest bits of `src`.
    #[inline]
    pub fn pinsrw_xri(&mut self, dst: Xmm, src: Gpr, lane: u8) {
        self.reg_rm(op(0xc4).escape().prefix(0x66), dst.number(), src.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// One 16-bit lane of `dst` = `[src]`.
    #[inline]
    pub fn pinsrw_xmi(&mut self, dst: Xmm, src: Mem, lane: u8) {
        self.mem_rm(op(0xc4).escape().prefix(0x66), dst.number(), src, Imm::byte(lane));
    }

    /// `dst` = one 16-bit lane, zero-extended.
    #[inline]
    pub fn pextrw_rxi(&mut self, dst: Gpr, src: Xmm, lane: u8) {
        self.reg_rm(op(0xc5).escape().prefix(0x66), dst.number(), src.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// Stores one 16-bit lane. Needs `sse4.1`.
    #[inline]
    pub fn pextrw_mxi(&mut self, dst: Mem, src: Xmm, lane: u8) {
        self.mem_rm(op(0x15).map(Map::Three3a).prefix(0x66), src.number(), dst, Imm::byte(lane));
    }

    /// One byte of `dst` = the lowest byte of `src`. Needs `sse4.1`.
    #[inline]
    pub fn pinsrb_xri(&mut self, dst: Xmm, src: Gpr, lane: u8) {
        self.reg_rm(op(0x20).map(Map::Three3a).prefix(0x66), dst.number(), src.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// One byte of `dst` = `[src]`. Needs `sse4.1`.
    #[inline]
    pub fn pinsrb_xmi(&mut self, dst: Xmm, src: Mem, lane: u8) {
        self.mem_rm(op(0x20).map(Map::Three3a).prefix(0x66), dst.number(), src, Imm::byte(lane));
    }

    /// `dst` = one byte, zero-extended. Needs `sse4.1`.
    #[inline]
    pub fn pextrb_rxi(&mut self, dst: Gpr, src: Xmm, lane: u8) {
        self.reg_rm(op(0x14).map(Map::Three3a).prefix(0x66), src.number(), dst.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// Stores one byte. Needs `sse4.1`.
    #[inline]
    pub fn pextrb_mxi(&mut self, dst: Mem, src: Xmm, lane: u8) {
        self.mem_rm(op(0x14).map(Map::Three3a).prefix(0x66), src.number(), dst, Imm::byte(lane));
    }

    /// One lane of `size` of `dst` = `src`. Needs `sse4.1`.
    #[inline]
    pub fn pinsr_xri(&mut self, size: Size, dst: Xmm, src: Gpr, lane: u8) {
        self.reg_rm(op(0x22).map(Map::Three3a).prefix(0x66).size(size), dst.number(), src.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// One lane of `size` of `dst` = `[src]`. Needs `sse4.1`.
    #[inline]
    pub fn pinsr_xmi(&mut self, size: Size, dst: Xmm, src: Mem, lane: u8) {
        self.mem_rm(op(0x22).map(Map::Three3a).prefix(0x66).size(size), dst.number(), src, Imm::byte(lane));
    }

    /// `dst` = one lane of `size`, zero-extended. Needs `sse4.1`.
    #[inline]
    pub fn pextr_rxi(&mut self, size: Size, dst: Gpr, src: Xmm, lane: u8) {
        self.reg_rm(op(0x16).map(Map::Three3a).prefix(0x66).size(size), src.number(), dst.number());
        self.buffer.put(u64::from(lane), 1);
    }

    /// Stores one lane of `size`. Needs `sse4.1`.
    #[inline]
    pub fn pextr_mxi(&mut self, size: Size, dst: Mem, src: Xmm, lane: u8) {
        self.mem_rm(op(0x16).map(Map::Three3a).prefix(0x66).size(size), src.number(), dst, Imm::byte(lane));
    }

    /// `dst` = bytes of `second` where the byte of `mask` has its highest bit set, else of `first`. Needs `avx`.
    #[inline]
    pub fn vpblendvb_xxxx(&mut self, dst: Xmm, first: Xmm, second: Xmm, mask: Xmm) {
        self.blendv(0x4c, dst, first, second, mask);
    }

    /// The same by 32-bit lanes. Needs `avx`.
    #[inline]
    pub fn vblendvps_xxxx(&mut self, dst: Xmm, first: Xmm, second: Xmm, mask: Xmm) {
        self.blendv(0x4a, dst, first, second, mask);
    }

    /// The same by 64-bit lanes. Needs `avx`.
    #[inline]
    pub fn vblendvpd_xxxx(&mut self, dst: Xmm, first: Xmm, second: Xmm, mask: Xmm) {
        self.blendv(0x4b, dst, first, second, mask);
    }

    #[inline]
    fn blendv(&mut self, code: u8, dst: Xmm, first: Xmm, second: Xmm, mask: Xmm) {
        let op = op(code).map(Map::Three3a).prefix(0x66);
        self.vex_reg(op, dst.number(), first.number(), second.number());
        self.buffer.put(u64::from(mask.number()) << 4, 1);
    }
}

#[cfg(test)]
mod tests;
