//! Every form, with every register that changes its encoding, read back by a disassembler.

use super::*;
use crate::x64::listing::*;

/// What `line` says without the size of its memory operand, which differs by row.
fn without_size(line: &str) -> String {
    ["xmmword ptr ", "qword ptr ", "dword ptr ", "word ptr ", "byte ptr "]
        .iter()
        .fold(line.to_string(), |line, size| line.replace(size, ""))
}

fn x(number: u8) -> String {
    xmm(number).name()
}

/// Checks what `emit` writes against lines without sizes.
fn check(emit: impl FnOnce(&mut Assembler, &mut Vec<String>)) {
    let (mut asm, mut expected) = (Assembler::new(), Vec::new());
    emit(&mut asm, &mut expected);
    let code = asm.finish().unwrap();
    let read = disassemble(&code);
    for (read, expected) in read.iter().zip(&expected) {
        assert_eq!(&without_size(read), expected);
    }
    assert_eq!(read.len(), expected.len());
}

#[test]
fn the_older_form_of_every_row() {
    for sse in Sse::ALL {
        check(|asm, expected| {
            let how = matches!(sse.shape, Shape::TwoI | Shape::OneI);
            if matches!(sse.shape, Shape::Avx | Shape::AvxOne) {
                return;
            }
            for (a, b) in pairs() {
                if how {
                    asm.sse_xxi(*sse, xmm(a), xmm(b), 9);
                    expected.push(format!("{} {}, {}, 9", sse.name, x(a), x(b)));
                } else {
                    asm.sse_xx(*sse, xmm(a), xmm(b));
                    expected.push(format!("{} {}, {}", sse.name, x(a), x(b)));
                }
            }
            for (mem, reg) in mems() {
                if how {
                    asm.sse_xmi(*sse, xmm(reg), mem, 9);
                    expected.push(format!("{} {}, {}, 9", sse.name, x(reg), mem_name(mem)));
                } else {
                    asm.sse_xm(*sse, xmm(reg), mem);
                    expected.push(format!("{} {}, {}", sse.name, x(reg), mem_name(mem)));
                }
            }
        });
    }
}

#[test]
fn the_avx_form_of_every_row() {
    for sse in Sse::ALL {
        check(|asm, expected| {
            let name = match sse.shape {
                Shape::Avx | Shape::AvxOne => sse.name.to_string(),
                _ => format!("v{}", sse.name),
            };
            for (a, b) in pairs() {
                let c = (a + 5) % 16;
                match sse.shape {
                    Shape::Two | Shape::Avx => {
                        asm.avx_xxx(*sse, xmm(a), xmm(c), xmm(b));
                        expected.push(format!("{name} {}, {}, {}", x(a), x(c), x(b)));
                    }
                    Shape::TwoI => {
                        asm.avx_xxxi(*sse, xmm(a), xmm(c), xmm(b), 9);
                        expected.push(format!("{name} {}, {}, {}, 9", x(a), x(c), x(b)));
                    }
                    Shape::One | Shape::AvxOne => {
                        asm.avx_xx(*sse, xmm(a), xmm(b));
                        expected.push(format!("{name} {}, {}", x(a), x(b)));
                    }
                    Shape::OneI => {}
                }
            }
            for (mem, reg) in mems() {
                let c = (reg + 5) % 16;
                match sse.shape {
                    Shape::Two | Shape::Avx => {
                        asm.avx_xxm(*sse, xmm(reg), xmm(c), mem);
                        expected.push(format!("{name} {}, {}, {}", x(reg), x(c), mem_name(mem)));
                    }
                    Shape::One | Shape::AvxOne => {
                        asm.avx_xm(*sse, xmm(reg), mem);
                        expected.push(format!("{name} {}, {}", x(reg), mem_name(mem)));
                    }
                    Shape::TwoI | Shape::OneI => {}
                }
            }
        });
    }
}

#[test]
fn fused_multiply_add_of_the_wider_lanes() {
    check(|asm, expected| {
        asm.avx_xxx(Sse::VFMADD231PD, xmm(1), xmm(9), xmm(3));
        asm.avx_xxx(Sse::VFNMADD231PD, xmm(1), xmm(9), xmm(3));
        expected.push("vfmadd231pd xmm1, xmm9, xmm3".into());
        expected.push("vfnmadd231pd xmm1, xmm9, xmm3".into());
    });
}

#[test]
fn shifts_of_lanes() {
    let rows = [
        (LaneShift::PSRLW, "psrlw"),
        (LaneShift::PSRAW, "psraw"),
        (LaneShift::PSLLW, "psllw"),
        (LaneShift::PSRLD, "psrld"),
        (LaneShift::PSRAD, "psrad"),
        (LaneShift::PSLLD, "pslld"),
        (LaneShift::PSRLQ, "psrlq"),
        (LaneShift::PSLLQ, "psllq"),
        (LaneShift::PSRLDQ, "psrldq"),
        (LaneShift::PSLLDQ, "pslldq"),
    ];
    check(|asm, expected| {
        for (shift, what) in rows {
            for reg in 0..16 {
                asm.lane_shift_xi(shift, xmm(reg), 5);
                expected.push(format!("{what} {}, 5", x(reg)));
            }
        }
    });
}

#[test]
fn between_the_two_kinds_of_registers() {
    check(|asm, expected| {
        for (a, b) in pairs() {
            let (reg, vector) = (gpr(a), xmm(b));
            for (size, _) in SIZES {
                let r = name(size, reg);
                asm.cvtsi2ss_xr(size, vector, reg);
                expected.push(format!("cvtsi2ss {}, {r}", x(b)));
                asm.cvtsi2sd_xr(size, vector, reg);
                expected.push(format!("cvtsi2sd {}, {r}", x(b)));
                asm.cvttss2si_rx(size, reg, vector);
                expected.push(format!("cvttss2si {r}, {}", x(b)));
                asm.cvttsd2si_rx(size, reg, vector);
                expected.push(format!("cvttsd2si {r}, {}", x(b)));
                let suffix = if size == Size::S32 { "d" } else { "q" };
                asm.pinsr_xri(size, vector, reg, 1);
                expected.push(format!("pinsr{suffix} {}, {r}, 1", x(b)));
                asm.pextr_rxi(size, reg, vector, 1);
                expected.push(format!("pextr{suffix} {r}, {}, 1", x(b)));
            }
            let r = name(Size::S32, reg);
            asm.pmovmskb_rx(reg, vector);
            expected.push(format!("pmovmskb {r}, {}", x(b)));
            asm.movmskps_rx(reg, vector);
            expected.push(format!("movmskps {r}, {}", x(b)));
            asm.movmskpd_rx(reg, vector);
            expected.push(format!("movmskpd {r}, {}", x(b)));
            asm.pinsrw_xri(vector, reg, 1);
            expected.push(format!("pinsrw {}, {r}, 1", x(b)));
            asm.pextrw_rxi(reg, vector, 1);
            expected.push(format!("pextrw {r}, {}, 1", x(b)));
            asm.pinsrb_xri(vector, reg, 1);
            expected.push(format!("pinsrb {}, {r}, 1", x(b)));
            asm.pextrb_rxi(reg, vector, 1);
            expected.push(format!("pextrb {r}, {}, 1", x(b)));
        }
    });
}

#[test]
fn halves_and_lanes_in_memory() {
    check(|asm, expected| {
        for (a, b) in pairs() {
            asm.movlhps_xx(xmm(a), xmm(b));
            expected.push(format!("movlhps {}, {}", x(a), x(b)));
            asm.movhlps_xx(xmm(a), xmm(b));
            expected.push(format!("movhlps {}, {}", x(a), x(b)));
            let c = (a + 3) % 16;
            let four = format!("{}, {}, {}, {}", x(a), x(c), x(b), x((b + 7) % 16));
            let (dst, first, second, mask) = (xmm(a), xmm(c), xmm(b), xmm((b + 7) % 16));
            asm.vpblendvb_xxxx(dst, first, second, mask);
            expected.push(format!("vpblendvb {four}"));
            asm.vblendvps_xxxx(dst, first, second, mask);
            expected.push(format!("vblendvps {four}"));
            asm.vblendvpd_xxxx(dst, first, second, mask);
            expected.push(format!("vblendvpd {four}"));
        }
        for (mem, reg) in mems() {
            let (at, vector, r) = (mem_name(mem), xmm(reg), x(reg));
            asm.movhps_xm(vector, mem);
            expected.push(format!("movhps {r}, {at}"));
            asm.movlps_xm(vector, mem);
            expected.push(format!("movlps {r}, {at}"));
            asm.movhps_mx(mem, vector);
            expected.push(format!("movhps {at}, {r}"));
            asm.pinsrw_xmi(vector, mem, 2);
            expected.push(format!("pinsrw {r}, {at}, 2"));
            asm.pinsrb_xmi(vector, mem, 2);
            expected.push(format!("pinsrb {r}, {at}, 2"));
            asm.pextrw_mxi(mem, vector, 2);
            expected.push(format!("pextrw {at}, {r}, 2"));
            asm.pextrb_mxi(mem, vector, 2);
            expected.push(format!("pextrb {at}, {r}, 2"));
            for (size, suffix) in [(Size::S32, "d"), (Size::S64, "q")] {
                asm.pinsr_xmi(size, vector, mem, 1);
                expected.push(format!("pinsr{suffix} {r}, {at}, 1"));
                asm.pextr_mxi(size, mem, vector, 1);
                expected.push(format!("pextr{suffix} {at}, {r}, 1"));
            }
        }
    });
}
