//! Guest values on the command line: arguments read by type, results written.

use tenure::{Result, V128, Val, ValType, bail};

/// Reads `text` as a value of type `ty`.
///
/// Integers are decimal or, after `0x`, hexadecimal, and may be signed or unsigned; floats are what Rust reads,
/// `inf` and `nan` among them; a vector is an integer of 128 bits; the one reference there is a text for is `null`.
///
/// # Errors
/// When `text` is no such value.
pub fn parse(text: &str, ty: &ValType) -> Result<Val> {
    let value = match ty {
        ValType::I32 => integer(text, 32).map(|bits| Val::I32(bits as u32 as i32)),
        ValType::I64 => integer(text, 64).map(|bits| Val::I64(bits as u64 as i64)),
        ValType::V128 => integer(text, 128).map(|bits| Val::V128(V128::from(bits))),
        ValType::F32 => text.parse::<f32>().ok().map(|value| Val::F32(value.to_bits())),
        ValType::F64 => text.parse::<f64>().ok().map(|value| Val::F64(value.to_bits())),
        ValType::Ref(ty) if text == "null" && ty.is_nullable() => Some(Val::null_ref(ty.heap_type())),
        ValType::Ref(_) => bail!("a reference of type {ty} cannot be written on the command line"),
    };
    match value {
        Some(value) => Ok(value),
        None => bail!("{text:?} is no {ty}"),
    }
}

/// The low `bits` bits of an integer that fits into them, signed or unsigned.
fn integer(text: &str, bits: u32) -> Option<u128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    // Rust would allow one more sign here.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => u128::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits.parse::<u128>().ok()?,
    };
    let mask = u128::MAX >> (128 - bits);
    match negative {
        false => (magnitude <= mask).then_some(magnitude),
        true => (magnitude <= 1 << (bits - 1)).then_some(magnitude.wrapping_neg() & mask),
    }
}

/// The value as a person would write it.
pub fn show(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(value) => format!("{:#034x}", value.as_u128()),
        other => match other.ref_() {
            Some(reference) if reference.is_null() => "null".into(),
            Some(reference) if reference.is_func() => "<function>".into(),
            _ => "<reference>".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, ty: ValType, expected: &str) {
        let found = match parse(text, &ty) {
            Ok(value) => show(&value),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn integers_are_signed_or_unsigned_decimal_or_hexadecimal() {
        check("-1", ValType::I32, "-1");
        check("4294967295", ValType::I32, "-1");
        check("0xffffffff", ValType::I32, "-1");
        check("-0x80000000", ValType::I32, "-2147483648");
        check("18446744073709551615", ValType::I64, "-1");
        check("-9223372036854775808", ValType::I64, "-9223372036854775808");
        check("0x10", ValType::V128, "0x00000000000000000000000000000010");
        check("-1", ValType::V128, "0xffffffffffffffffffffffffffffffff");
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for text in ["", "-", "0x", "1.5", "ten", "--1", "-+1", "+-1", "0x-1", "4294967296", "-2147483649"] {
            check(text, ValType::I32, &format!("{text:?} is no i32"));
        }
        check("18446744073709551616", ValType::I64, "\"18446744073709551616\" is no i64");
        check(
            "0x100000000000000000000000000000000",
            ValType::V128,
            "\"0x100000000000000000000000000000000\" is no v128",
        );
    }

    #[test]
    fn floats_are_as_rust_writes_them() {
        check("0.1", ValType::F32, "0.1");
        check("-1e300", ValType::F64, &(-1e300_f64).to_string());
        check("inf", ValType::F64, "inf");
        check("NaN", ValType::F32, "NaN");
        check("half", ValType::F32, "\"half\" is no f32");
    }

    #[test]
    fn the_one_reference_is_null() {
        check("null", ValType::EXTERNREF, "null");
        check("null", ValType::FUNCREF, "null");
        let error = parse("7", &ValType::EXTERNREF).unwrap_err().to_string();
        assert!(error.ends_with("cannot be written on the command line"), "{error}");
    }
}
