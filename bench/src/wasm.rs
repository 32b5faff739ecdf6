//! As much of the binary format as measuring takes.

/// Bytes in the code section of `wasm`, at least 1.
pub fn code_bytes(wasm: &[u8]) -> u32 {
    let mut rest = wasm.get(8..).unwrap_or_default();
    while let Some((&id, after)) = rest.split_first() {
        let Some((size, after)) = number(after) else { break };
        if id == CODE {
            return size.max(1);
        }
        rest = after.get(size as usize..).unwrap_or_default();
    }
    1
}

/// The id of the code section.
const CODE: u8 = 10;

/// A number in LEB128, and what is behind it.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_section_is_found_behind_others() {
        let wasm = b"\0asm\x01\0\0\0\x00\x03\x01a!\x0a\x81\x01rest";
        assert_eq!(code_bytes(wasm), 129);
        assert_eq!(code_bytes(b"\0asm\x01\0\0\0"), 1);
        assert_eq!(code_bytes(b""), 1);
    }
}
