//! x86-64, in Intel's syntax.

use iced_x86::{Decoder, DecoderOptions, Formatter as _, IntelFormatter};

use super::Instruction;

/// The instructions of `code`, which lies at `address`: targets of branches are given by address.
pub fn disassemble(code: &[u8], address: u64) -> Vec<Instruction> {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(true);
    options.set_space_after_operand_separator(true);
    options.set_branch_leading_zeros(false);
    options.set_rip_relative_addresses(true);

    Decoder::with_ip(64, code, address, DecoderOptions::NONE)
        .into_iter()
        .map(|instruction| {
            let mut text = String::new();
            formatter.format(&instruction, &mut text);
            let offset = (instruction.ip() - address) as usize;
            Instruction { offset, len: instruction.len(), text }
        })
        .collect()
}
