//! Every form, with every register that changes its encoding, read back by a disassembler.

use super::*;
use crate::x64::listing::*;

const SHIFTS: [(Shift, &str); 5] =
    [(Shift::Rol, "rol"), (Shift::Ror, "ror"), (Shift::Shl, "shl"), (Shift::Shr, "shr"), (Shift::Sar, "sar")];

#[test]
fn the_arithmetic_group_by_operation_is_the_one_by_name() {
    type Rr = fn(&mut Assembler, Size, Gpr, Gpr);
    let rows: [(Alu, Rr); 8] = [
        (Alu::Add, Assembler::add_rr),
        (Alu::Or, Assembler::or_rr),
        (Alu::Adc, Assembler::adc_rr),
        (Alu::Sbb, Assembler::sbb_rr),
        (Alu::And, Assembler::and_rr),
        (Alu::Sub, Assembler::sub_rr),
        (Alu::Xor, Assembler::xor_rr),
        (Alu::Cmp, Assembler::cmp_rr),
    ];
    for (alu, rr) in rows {
        let (mut a, mut b) = (Assembler::new(), Assembler::new());
        a.alu_rr(alu, Size::S64, Gpr::R9, Gpr::RDX);
        rr(&mut b, Size::S64, Gpr::R9, Gpr::RDX);
        assert_eq!(a.buffer.bytes(), b.buffer.bytes(), "{alu:?}");
    }
    let mem = Mem::new(Gpr::R9, 4);
    let mut list = Listing::default();
    list.add("and edx, dword ptr [r9+4]", |asm| asm.alu_rm(Alu::And, Size::S32, Gpr::RDX, mem));
    list.add("and dword ptr [r9+4], edx", |asm| asm.alu_mr(Alu::And, Size::S32, mem, Gpr::RDX));
    list.add("and rdx, -1", |asm| asm.alu_ri(Alu::And, Size::S64, Gpr::RDX, -1));
    list.add("and dword ptr [r9+4], 1000", |asm| asm.alu_mi(Alu::And, Size::S32, mem, 1000));
    list.check();
}

#[test]
fn shifts() {
    let mut list = Listing::default();
    for (size, _) in SIZES {
        for reg in Gpr::ALL {
            let dst = name(size, reg);
            for (shift, what) in SHIFTS {
                for count in [1, 2, 31] {
                    list.add(format!("{what} {dst}, {count}"), |asm| asm.shift_ri(shift, size, reg, count));
                }
                list.add(format!("{what} {dst}, cl"), |asm| asm.shift_rc(shift, size, reg));
            }
        }
        for (a, b) in pairs() {
            let (dst, src, third) = (gpr(a), gpr(b), gpr((a + b) % 16));
            let text = format!("{}, {}", name(size, dst), name(size, src));
            for (shift, what) in &SHIFTS[2..] {
                let text = format!("{what}x {text}, {}", name(size, third));
                list.add(text, |asm| asm.shiftx_rrr(*shift, size, dst, src, third));
            }
            list.add(format!("rorx {text}, 13"), |asm| asm.rorx_rri(size, dst, src, 13));
        }
    }
    list.check();
}

#[test]
#[should_panic(expected = "rotations")]
fn a_rotation_by_a_register_takes_cl() {
    Assembler::new().shiftx_rrr(Shift::Rol, Size::S32, Gpr::RAX, Gpr::RAX, Gpr::RAX);
}

#[test]
fn multiplication() {
    let mut list = Listing::default();
    for (size, width) in SIZES {
        for (a, b) in pairs() {
            let text = format!("{}, {}", name(size, gpr(a)), name(size, gpr(b)));
            list.add(format!("imul {text}"), |asm| asm.imul_rr(size, gpr(a), gpr(b)));
            for value in IMMS {
                let text = format!("imul {text}, {value}");
                list.add(text, |asm| asm.imul_rri(size, gpr(a), gpr(b), value));
            }
        }
        for (number, (mem, reg)) in mems().into_iter().enumerate() {
            let (reg, value) = (gpr(reg), IMMS[number % 9]);
            let text = format!("imul {}, {} {}", name(size, reg), pointer(width), mem_name(mem));
            list.add(text.clone(), |asm| asm.imul_rm(size, reg, mem));
            list.add(format!("{text}, {value}"), |asm| asm.imul_rmi(size, reg, mem, value));
        }
    }
    list.check();
}

#[test]
fn one_operand() {
    let rows = [
        (Unary::Not, "not"),
        (Unary::Neg, "neg"),
        (Unary::Mul, "mul"),
        (Unary::Imul, "imul"),
        (Unary::Div, "div"),
        (Unary::Idiv, "idiv"),
    ];
    let mut list = Listing::default();
    for (unary, what) in rows {
        for (size, width) in SIZES {
            for reg in Gpr::ALL {
                list.add(format!("{what} {}", name(size, reg)), |asm| asm.unary_r(unary, size, reg));
            }
            for (mem, _) in mems() {
                let text = format!("{what} {} {}", pointer(width), mem_name(mem));
                list.add(text, |asm| asm.unary_m(unary, size, mem));
            }
        }
    }
    list.add("cdq", |asm| asm.sign_to_rdx(Size::S32));
    list.add("cqo", |asm| asm.sign_to_rdx(Size::S64));
    list.check();
}

#[test]
fn counts() {
    let rows = [
        (Count::Popcnt, "popcnt"),
        (Count::Lzcnt, "lzcnt"),
        (Count::Tzcnt, "tzcnt"),
        (Count::Bsr, "bsr"),
        (Count::Bsf, "bsf"),
    ];
    let mut list = Listing::default();
    for (count, what) in rows {
        for (size, width) in SIZES {
            for (a, b) in pairs() {
                let text = format!("{what} {}, {}", name(size, gpr(a)), name(size, gpr(b)));
                list.add(text, |asm| asm.count_rr(count, size, gpr(a), gpr(b)));
            }
            for (mem, reg) in mems() {
                let dst = name(size, gpr(reg));
                let text = format!("{what} {dst}, {} {}", pointer(width), mem_name(mem));
                list.add(text, |asm| asm.count_rm(count, size, gpr(reg), mem));
            }
        }
    }
    list.check();
}

#[test]
fn what_depends_on_flags() {
    const NAMES: [&str; 16] =
        ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
    let mut list = Listing::default();
    for cond in Cond::ALL {
        let what = NAMES[cond as usize];
        for reg in Gpr::ALL {
            list.add(format!("set{what} {}", width_name(Width::W8, reg)), |asm| asm.setcc_r(cond, reg));
        }
        for (size, width) in SIZES {
            for (a, b) in pairs() {
                let text = format!("cmov{what} {}, {}", name(size, gpr(a)), name(size, gpr(b)));
                list.add(text, |asm| asm.cmov_rr(size, cond, gpr(a), gpr(b)));
            }
            let mem = Mem::new(Gpr::R12, 8);
            let text = format!("cmov{what} {}, {} [r12+8]", name(size, Gpr::R9), pointer(width));
            list.add(text, |asm| asm.cmov_rm(size, cond, Gpr::R9, mem));
        }
    }
    list.check();
}

#[test]
fn narrow_comparisons_and_single_bits() {
    let mut list = Listing::default();
    for (number, (mem, _)) in mems().into_iter().enumerate() {
        let (at, value) = (mem_name(mem), IMMS[number % 9]);
        let text = format!("cmp byte ptr {at}, {}", value as i8);
        list.add(text, |asm| asm.cmp_narrow_mi(Width::W8, mem, value));
        let text = format!("cmp word ptr {at}, {}", value as i16);
        list.add(text, |asm| asm.cmp_narrow_mi(Width::W16, mem, value));
    }
    for reg in Gpr::ALL {
        let text = format!("test {}, 1", width_name(Width::W8, reg));
        list.add(text, |asm| asm.test_byte_ri(reg, 1));
    }
    for (size, _) in SIZES {
        for (a, b) in pairs() {
            let (a, b) = (gpr(a), gpr(b));
            list.add(format!("bt {}, {}", name(size, a), name(size, b)), |asm| asm.bt_rr(size, a, b));
            list.add(format!("xchg {}, {}", name(size, a), name(size, b)), |asm| asm.xchg_rr(size, a, b));
            list.add(format!("bt {}, 5", name(size, a)), |asm| asm.bt_ri(size, a, 5));
        }
    }
    list.check();
}

#[test]
fn instructions_on_a_place_that_is_filled_in_later() {
    let mut asm = Assembler::new();
    assert_eq!(asm.call_rip(), 2);
    assert_eq!(asm.jmp_rip(), 8);
    assert_eq!(asm.sub_rip_i(), 14);
    assert_eq!(asm.jmp_rel(), 23);
    let expected = ["call qword ptr [rip]", "jmp qword ptr [rip]", "sub dword ptr [rip], 0", "jmp 27"];
    assert_eq!(disassemble(asm.buffer.bytes()), expected);
}
