//! What the tests of every instruction share: operands of all shapes, and a disassembler to read code back.

use iced_x86::{
    Decoder, DecoderOptions, Encoder, Formatter, Instruction, IntelFormatter, MemorySizeOptions, NumberBase,
};

use super::operand::NO_INDEX;
use super::{Assembler, Gpr, Mem, Scale, Size, Width, Xmm};

/// Instructions, and what each should read as.
#[derive(Default)]
pub struct Listing {
    assembler: Assembler,
    expected: Vec<String>,
}

impl Listing {
    pub fn add(&mut self, expected: impl Into<String>, emit: impl FnOnce(&mut Assembler)) {
        emit(&mut self.assembler);
        self.expected.push(expected.into());
    }

    pub fn check(self) {
        let code = self.assembler.finish().expect("all labels are bound");
        let read = disassemble(&code);
        for (read, expected) in read.iter().zip(&self.expected) {
            assert_eq!(read, expected);
        }
        assert_eq!(read.len(), self.expected.len());
        check_with_second_encoder(&code);
    }
}

/// Has another encoder encode what was read back: its bytes are ours, or, where an instruction can be written in
/// several ways, no fewer and mean the same.
fn check_with_second_encoder(code: &[u8]) {
    let mut encoder = Encoder::new(64);
    for instruction in Decoder::new(64, code, DecoderOptions::NONE).iter() {
        let at = instruction.ip();
        let ours = &code[at as usize..at as usize + instruction.len()];
        let len = encoder.encode(&instruction, at).expect("what can be read can be written");
        let theirs = encoder.take_buffer();
        if theirs != ours {
            assert!(ours.len() <= len, "{instruction}: {ours:02x?} is longer than {theirs:02x?}");
            let again = Decoder::with_ip(64, &theirs, at, DecoderOptions::NONE).decode();
            assert_eq!(again.to_string(), instruction.to_string(), "{ours:02x?} and {theirs:02x?}");
        }
    }
}

/// Decimal numbers, signed immediates, an explicit size for each memory operand.
pub fn disassemble(code: &[u8]) -> Vec<String> {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_number_base(NumberBase::Decimal);
    options.set_signed_immediate_operands(true);
    options.set_space_after_operand_separator(true);
    options.set_memory_size_options(MemorySizeOptions::Always);
    options.set_show_branch_size(false);
    options.set_use_pseudo_ops(false);
    options.set_rip_relative_addresses(true);
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut lines = Vec::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        lines.push(line);
    }
    lines
}

pub fn name(size: Size, reg: Gpr) -> String {
    let width = match size {
        Size::S32 => Width::W32,
        Size::S64 => Width::W64,
    };
    width_name(width, reg)
}

/// The name of the lowest bits of `reg`.
pub fn width_name(width: Width, reg: Gpr) -> String {
    let full = reg.name();
    if reg.number() >= 8 {
        let suffix = match width {
            Width::W8 => "b",
            Width::W16 => "w",
            Width::W32 => "d",
            Width::W64 => "",
        };
        return format!("{full}{suffix}");
    }
    let short = &full[1..];
    match width {
        Width::W8 if short.ends_with('x') => format!("{}l", &short[..1]),
        Width::W8 => format!("{short}l"),
        Width::W16 => short.to_string(),
        Width::W32 => format!("e{short}"),
        Width::W64 => full,
    }
}

pub fn mem_name(mem: Mem) -> String {
    assert_eq!(mem.label, None, "labels are tested by themselves");
    let name = |number| Gpr::from_number(number).expect("numbers come from registers").name();
    let (base, index, scale, disp) = mem.parts();
    let base = name(base);
    let place = match (index, scale) {
        (NO_INDEX, _) => base,
        (index, 0) => format!("{base}+{}", name(index)),
        (index, scale) => format!("{base}+{}*{}", name(index), 1 << scale),
    };
    match disp {
        0 => format!("[{place}]"),
        disp => format!("[{place}{disp:+}]"),
    }
}

pub fn pointer(width: Width) -> &'static str {
    match width {
        Width::W8 => "byte ptr",
        Width::W16 => "word ptr",
        Width::W32 => "dword ptr",
        Width::W64 => "qword ptr",
    }
}

pub const SIZES: [(Size, Width); 2] = [(Size::S32, Width::W32), (Size::S64, Width::W64)];
pub const WIDTHS: [Width; 4] = [Width::W8, Width::W16, Width::W32, Width::W64];
pub const DISPS: [i32; 9] = [0, 1, -1, 127, -128, 128, -129, i32::MAX, i32::MIN];
pub const IMMS: [i32; 9] = [0, 1, -1, 127, -128, 128, -129, i32::MAX, i32::MIN];

/// Every shape of memory operand, with some register beside it; each register occurs beside each shape of
/// base.
pub fn mems() -> Vec<(Mem, u8)> {
    let mut mems = Vec::new();
    for base in Gpr::ALL {
        for number in 0..16 {
            mems.push(Mem::new(base, DISPS[number % 9]));
        }
        for disp in DISPS {
            mems.push(Mem::new(base, disp));
        }
        for (number, index) in Gpr::ALL.into_iter().filter(|&index| index != Gpr::RSP).enumerate() {
            for (at, scale) in [Scale::X1, Scale::X2, Scale::X4, Scale::X8].into_iter().enumerate() {
                mems.push(Mem::indexed(base, index, scale, DISPS[(number + at) % 9]));
            }
        }
    }
    mems.into_iter().zip((0..16).cycle()).collect()
}

pub fn gpr(number: u8) -> Gpr {
    Gpr::from_number(number).expect("below 16")
}

pub fn xmm(number: u8) -> Xmm {
    Xmm::from_number(number).expect("below 16")
}

/// All pairs of numbers below 16.
pub fn pairs() -> impl Iterator<Item = (u8, u8)> {
    (0..16).flat_map(|a| (0..16).map(move |b| (a, b)))
}
