//! Every form, with every register that changes its encoding, read back by a disassembler.

use iced_x86::{Decoder, DecoderOptions};

use super::*;
use crate::x64::Scale;
use crate::x64::listing::*;

#[test]
fn moves_between_registers() {
    let mut list = Listing::default();
    for (a, b) in pairs() {
        let (a, b) = (gpr(a), gpr(b));
        for (size, _) in SIZES {
            let (dst, src) = (name(size, a), name(size, b));
            list.add(format!("mov {dst}, {src}"), |asm| asm.mov_rr(size, a, b));
            let byte = width_name(Width::W8, b);
            list.add(format!("movsx {dst}, {byte}"), |asm| asm.movsx_rr(size, Width::W8, a, b));
            let word = width_name(Width::W16, b);
            list.add(format!("movsx {dst}, {word}"), |asm| asm.movsx_rr(size, Width::W16, a, b));
            list.add(format!("mov {dst}, {src}"), |asm| asm.movsx_rr(size, Width::W64, a, b));
        }
        let (wide, dst, src) = (a.name(), name(Size::S32, a), name(Size::S32, b));
        list.add(format!("movsxd {wide}, {src}"), |asm| asm.movsx_rr(Size::S64, Width::W32, a, b));
        list.add(format!("mov {dst}, {src}"), |asm| asm.movsx_rr(Size::S32, Width::W32, a, b));
        list.add(format!("mov {dst}, {src}"), |asm| asm.movzx_rr(Width::W32, a, b));
        list.add(format!("mov {a:?}, {b:?}"), |asm| asm.movzx_rr(Width::W64, a, b));
        for width in [Width::W8, Width::W16] {
            list.add(format!("movzx {dst}, {}", width_name(width, b)), |asm| asm.movzx_rr(width, a, b));
        }
    }
    list.check();
}

#[test]
fn loads_and_stores() {
    let mut list = Listing::default();
    for (mem, reg) in mems() {
        let (reg, at) = (gpr(reg), mem_name(mem));
        for width in WIDTHS {
            let (ptr, src) = (pointer(width), width_name(width, reg));
            list.add(format!("mov {ptr} {at}, {src}"), |asm| asm.mov_mr(width, mem, reg));
            let zero = match width {
                Width::W8 | Width::W16 => format!("movzx {}, {ptr} {at}", name(Size::S32, reg)),
                Width::W32 | Width::W64 => format!("mov {src}, {ptr} {at}"),
            };
            list.add(zero, |asm| asm.movzx_rm(width, reg, mem));
        }
        for (size, width) in SIZES {
            let (ptr, dst) = (pointer(width), name(size, reg));
            list.add(format!("mov {dst}, {ptr} {at}"), |asm| asm.mov_rm(size, reg, mem));
            list.add(format!("mov {dst}, {ptr} {at}"), |asm| asm.movsx_rm(size, width, reg, mem));
            for from in [Width::W8, Width::W16] {
                let text = format!("movsx {dst}, {} {at}", pointer(from));
                list.add(text, |asm| asm.movsx_rm(size, from, reg, mem));
            }
            list.add(format!("lea {dst}, {at}"), |asm| asm.lea(size, reg, mem));
        }
        let text = format!("movsxd {reg:?}, dword ptr {at}");
        list.add(text, |asm| asm.movsx_rm(Size::S64, Width::W32, reg, mem));
    }
    list.check();
}

#[test]
fn immediates() {
    let mut list = Listing::default();
    for reg in Gpr::ALL {
        let low = name(Size::S32, reg);
        for value in [0, 1, i64::from(i32::MAX)] {
            list.add(format!("mov {low}, {value}"), |asm| asm.mov_ri(reg, value));
        }
        // Zero-extended, so that the 32 bits read as a negative number.
        list.add(format!("mov {low}, -1"), |asm| asm.mov_ri(reg, i64::from(u32::MAX)));
        for value in [-1, i64::from(i32::MIN), i64::from(i32::MIN) - 1, 1 << 32, i64::MAX, i64::MIN] {
            list.add(format!("mov {reg:?}, {value}"), |asm| asm.mov_ri(reg, value));
        }
    }
    for (number, (mem, _)) in mems().into_iter().enumerate() {
        let (at, value) = (mem_name(mem), IMMS[number % 9]);
        list.add(format!("mov byte ptr {at}, {}", value as i8), |asm| asm.mov_mi(Width::W8, mem, value));
        list.add(format!("mov word ptr {at}, {}", value as i16), |asm| asm.mov_mi(Width::W16, mem, value));
        list.add(format!("mov dword ptr {at}, {value}"), |asm| asm.mov_mi(Width::W32, mem, value));
        list.add(format!("mov qword ptr {at}, {value}"), |asm| asm.mov_mi(Width::W64, mem, value));
    }
    for value in IMMS {
        list.add(format!("push {value}"), |asm| asm.push_i(value));
    }
    list.check();
}

#[test]
fn an_immediate_takes_its_shortest_form() {
    let len = |emit: &dyn Fn(&mut Assembler)| {
        let mut asm = Assembler::new();
        emit(&mut asm);
        asm.offset()
    };
    assert_eq!(len(&|asm| asm.mov_ri(Gpr::RAX, 1)), 5);
    assert_eq!(len(&|asm| asm.mov_ri(Gpr::RAX, -1)), 7);
    assert_eq!(len(&|asm| asm.mov_ri(Gpr::RAX, 1 << 40)), 10);
    assert_eq!(len(&|asm| asm.add_ri(Size::S32, Gpr::RAX, -128)), 3);
    assert_eq!(len(&|asm| asm.add_ri(Size::S32, Gpr::RAX, 128)), 6);
    assert_eq!(len(&|asm| asm.push_i(-128)), 2);
    assert_eq!(len(&|asm| asm.push_i(128)), 5);
    assert_eq!(len(&|asm| asm.mov_rm(Size::S64, Gpr::RAX, Mem::new(Gpr::RCX, 0))), 3);
    assert_eq!(len(&|asm| asm.mov_rm(Size::S64, Gpr::RAX, Mem::new(Gpr::RCX, 8))), 4);
}

#[test]
fn arithmetic() {
    type Rr = fn(&mut Assembler, Size, Gpr, Gpr);
    type Rm = fn(&mut Assembler, Size, Gpr, Mem);
    type Mr = fn(&mut Assembler, Size, Mem, Gpr);
    type Ri = fn(&mut Assembler, Size, Gpr, i32);
    type Mi = fn(&mut Assembler, Size, Mem, i32);
    type Five = (Rr, Rm, Mr, Ri, Mi);
    use Assembler as A;
    let rows: [(&str, Five); 8] = [
        ("add", (A::add_rr, A::add_rm, A::add_mr, A::add_ri, A::add_mi)),
        ("or", (A::or_rr, A::or_rm, A::or_mr, A::or_ri, A::or_mi)),
        ("adc", (A::adc_rr, A::adc_rm, A::adc_mr, A::adc_ri, A::adc_mi)),
        ("sbb", (A::sbb_rr, A::sbb_rm, A::sbb_mr, A::sbb_ri, A::sbb_mi)),
        ("and", (A::and_rr, A::and_rm, A::and_mr, A::and_ri, A::and_mi)),
        ("sub", (A::sub_rr, A::sub_rm, A::sub_mr, A::sub_ri, A::sub_mi)),
        ("xor", (A::xor_rr, A::xor_rm, A::xor_mr, A::xor_ri, A::xor_mi)),
        ("cmp", (A::cmp_rr, A::cmp_rm, A::cmp_mr, A::cmp_ri, A::cmp_mi)),
    ];
    for (what, (rr, rm, mr, ri, mi)) in rows {
        let mut list = Listing::default();
        for (size, width) in SIZES {
            for (a, b) in pairs() {
                let text = format!("{what} {}, {}", name(size, gpr(a)), name(size, gpr(b)));
                list.add(text, |asm| rr(asm, size, gpr(a), gpr(b)));
            }
            for reg in Gpr::ALL {
                for value in IMMS {
                    let text = format!("{what} {}, {value}", name(size, reg));
                    list.add(text, |asm| ri(asm, size, reg, value));
                }
            }
            for (number, (mem, reg)) in mems().into_iter().enumerate() {
                let (reg, value) = (gpr(reg), IMMS[number % 9]);
                let (at, dst) = (format!("{} {}", pointer(width), mem_name(mem)), name(size, reg));
                list.add(format!("{what} {dst}, {at}"), |asm| rm(asm, size, reg, mem));
                list.add(format!("{what} {at}, {dst}"), |asm| mr(asm, size, mem, reg));
                list.add(format!("{what} {at}, {value}"), |asm| mi(asm, size, mem, value));
            }
        }
        list.check();
    }
}

#[test]
fn tests_of_bits() {
    let mut list = Listing::default();
    for (size, width) in SIZES {
        for (a, b) in pairs() {
            let text = format!("test {}, {}", name(size, gpr(a)), name(size, gpr(b)));
            list.add(text, |asm| asm.test_rr(size, gpr(a), gpr(b)));
        }
        for reg in Gpr::ALL {
            list.add(format!("test {}, 7", name(size, reg)), |asm| asm.test_ri(size, reg, 7));
        }
        for (mem, reg) in mems() {
            let (at, reg) = (format!("{} {}", pointer(width), mem_name(mem)), gpr(reg));
            let text = format!("test {at}, {}", name(size, reg));
            list.add(text, |asm| asm.test_rm(size, reg, mem));
            list.add(format!("test {at}, -7"), |asm| asm.test_mi(size, mem, -7));
        }
    }
    list.check();
}

#[test]
fn the_stack() {
    let mut list = Listing::default();
    for reg in Gpr::ALL {
        list.add(format!("push {reg:?}"), |asm| asm.push_r(reg));
        list.add(format!("pop {reg:?}"), |asm| asm.pop_r(reg));
    }
    for (mem, _) in mems() {
        list.add(format!("push qword ptr {}", mem_name(mem)), |asm| asm.push_m(mem));
        list.add(format!("pop qword ptr {}", mem_name(mem)), |asm| asm.pop_m(mem));
    }
    list.check();
}

#[test]
fn control_flow() {
    let mut list = Listing::default();
    for reg in Gpr::ALL {
        list.add(format!("jmp {reg:?}"), |asm| asm.jmp_r(reg));
        list.add(format!("call {reg:?}"), |asm| asm.call_r(reg));
    }
    for (mem, _) in mems() {
        list.add(format!("jmp qword ptr {}", mem_name(mem)), |asm| asm.jmp_m(mem));
        list.add(format!("call qword ptr {}", mem_name(mem)), |asm| asm.call_m(mem));
    }
    list.add("ret", Assembler::ret);
    list.add("ret 32760", |asm| asm.ret_i(0x7ff8));
    list.add("ud2", Assembler::ud2);
    list.add("hlt", Assembler::hlt);
    list.add("int3", Assembler::int3);
    list.check();
}

#[test]
fn jumps_reach_labels_on_both_sides() {
    const NAMES: [&str; 16] =
        ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
    for cond in Cond::ALL {
        let mut asm = Assembler::new();
        let (before, after) = (asm.new_label(), asm.new_label());
        asm.bind(before); // 0
        asm.jcc(cond, after); // 0
        asm.jcc_short(cond, after); // 6
        asm.jmp(after); // 8
        asm.jmp_short(after); // 13
        asm.call(after); // 15
        asm.bind(after); // 20
        asm.jcc(cond, before);
        asm.jcc_short(cond, before);
        asm.jmp(before);
        asm.jmp_short(before);
        asm.call(before);
        let mnemonic = NAMES[cond as usize];
        let mut expected = Vec::new();
        for target in [20, 0] {
            let jumps =
                [format!("j{mnemonic}"), format!("j{mnemonic}"), "jmp".into(), "jmp".into(), "call".into()];
            expected.extend(jumps.map(|jump| format!("{jump} {target}")));
        }
        let code = asm.finish().unwrap();
        assert_eq!(disassemble(&code), expected);
    }
}

#[test]
fn a_negated_condition_is_the_opposite() {
    let opposites = [
        (Cond::Equal, Cond::NotEqual),
        (Cond::Below, Cond::AboveEqual),
        (Cond::Above, Cond::BelowEqual),
        (Cond::Less, Cond::GreaterEqual),
        (Cond::Greater, Cond::LessEqual),
        (Cond::Overflow, Cond::NoOverflow),
        (Cond::Sign, Cond::NoSign),
        (Cond::Parity, Cond::NoParity),
    ];
    for (cond, opposite) in opposites {
        assert_eq!((cond.negate(), opposite.negate()), (opposite, cond));
    }
}

#[test]
fn distances_count_from_the_end_of_the_instruction() {
    let mut asm = Assembler::new();
    let label = asm.new_label();
    let mem = Mem::label(label);
    asm.mov_rm(Size::S64, Gpr::R9, mem);
    asm.mov_mr(Width::W8, mem, Gpr::RSI);
    asm.mov_mi(Width::W8, mem, -1);
    asm.mov_mi(Width::W16, mem, -2);
    asm.mov_mi(Width::W64, mem, -3);
    asm.cmp_mi(Size::S32, mem.offset(8), 4);
    asm.cmp_mi(Size::S32, mem.offset(-8), 400);
    asm.lea(Size::S64, Gpr::RAX, mem);
    asm.call_m(mem.offset(16));
    asm.movups_xm(Xmm::XMM8, mem);
    asm.bind(label);
    let end = asm.offset();
    let code = asm.finish().unwrap();
    let place = |bytes: usize| format!("[rip+{bytes}]");
    // The disassembler prints the distance as encoded: what is left of the code behind each instruction.
    let mut decoder = Decoder::new(64, &code, DecoderOptions::NONE);
    let left: Vec<usize> = decoder.iter().map(|instruction| end - instruction.next_ip() as usize).collect();
    assert_eq!(
        disassemble(&code),
        [
            format!("mov r9, qword ptr {}", place(left[0])),
            format!("mov byte ptr {}, sil", place(left[1])),
            format!("mov byte ptr {}, -1", place(left[2])),
            format!("mov word ptr {}, -2", place(left[3])),
            format!("mov qword ptr {}, -3", place(left[4])),
            format!("cmp dword ptr {}, 4", place(left[5] + 8)),
            format!("cmp dword ptr {}, 400", place(left[6] - 8)),
            format!("lea rax, {}", place(left[7])),
            format!("call qword ptr {}", place(left[8] + 16)),
            "movups xmm8, xmmword ptr [rip]".to_string(),
        ]
    );
}

#[test]
fn padding_is_as_long_as_asked() {
    for bytes in 0..40 {
        let mut asm = Assembler::new();
        asm.nop(bytes);
        assert_eq!(asm.offset(), bytes);
        let code = asm.finish().unwrap();
        let lines = disassemble(&code);
        assert!(lines.iter().all(|line| line.starts_with("nop") || line == "xchg ax, ax"), "{lines:?}");
        assert_eq!(lines.len(), bytes.div_ceil(8));
    }
    let mut asm = Assembler::new();
    asm.align(16);
    assert_eq!(asm.offset(), 0);
    asm.ret();
    asm.align(16);
    assert_eq!(asm.offset(), 16);
}

#[test]
fn sse_moves() {
    type Xm = fn(&mut Assembler, Xmm, Mem);
    type Mx = fn(&mut Assembler, Mem, Xmm);
    type Xx = fn(&mut Assembler, Xmm, Xmm);
    use Assembler as A;
    let rows: [(&str, &str, Xm, Mx, Xx); 5] = [
        ("movss", "dword ptr", A::movss_xm, A::movss_mx, A::movss_xx),
        ("movsd", "qword ptr", A::movsd_xm, A::movsd_mx, A::movsd_xx),
        ("movups", "xmmword ptr", A::movups_xm, A::movups_mx, A::movups_xx),
        ("movaps", "xmmword ptr", A::movaps_xm, A::movaps_mx, A::movaps_xx),
        ("movdqu", "xmmword ptr", A::movdqu_xm, A::movdqu_mx, A::movdqu_xx),
    ];
    for (what, ptr, xm, mx, xx) in rows {
        let mut list = Listing::default();
        for (a, b) in pairs() {
            list.add(format!("{what} xmm{a}, xmm{b}"), |asm| xx(asm, xmm(a), xmm(b)));
        }
        for (mem, reg) in mems() {
            let at = format!("{ptr} {}", mem_name(mem));
            list.add(format!("{what} xmm{reg}, {at}"), |asm| xm(asm, xmm(reg), mem));
            list.add(format!("{what} {at}, xmm{reg}"), |asm| mx(asm, mem, xmm(reg)));
        }
        list.check();
    }
}

#[test]
fn moves_between_register_files() {
    let mut list = Listing::default();
    for (a, b) in pairs() {
        for (size, what) in [(Size::S32, "movd"), (Size::S64, "movq")] {
            let (low, high) = (name(size, gpr(a)), xmm(b));
            list.add(format!("{what} {high:?}, {low}"), |asm| asm.movq_xr(size, high, gpr(a)));
            list.add(format!("{what} {low}, {high:?}"), |asm| asm.movq_rx(size, gpr(a), high));
        }
    }
    list.check();
}

#[test]
#[should_panic(expected = "rsp cannot be an index")]
fn rsp_is_no_index() {
    let _ = Mem::indexed(Gpr::RAX, Gpr::RSP, Scale::X1, 0);
}

#[test]
fn a_place_further_on_is_the_place_made_there() {
    for (at, by) in DISPS.into_iter().flat_map(|at| [0, 1, -1, 128, -300].map(|by| (at, by))) {
        let Some(to) = at.checked_add(by) else { continue };
        for base in Gpr::ALL {
            assert_eq!(Mem::new(base, at).offset(by), Mem::new(base, to));
            for index in Gpr::ALL.into_iter().filter(|&index| index != Gpr::RSP) {
                let mem = |disp| Mem::indexed(base, index, Scale::X4, disp);
                assert_eq!(mem(at).offset(by), mem(to));
            }
        }
    }
}
