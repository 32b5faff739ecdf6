//! Script values: arguments made, and results compared with what a script expects.

use std::fmt::Write as _;
use std::mem::discriminant;

use tenure::{ExternRef, HeapType, Store, V128, Val, ValType};
use wast::core::{AbstractHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// Makes the value that a script writes as an argument.
///
/// # Errors
/// What the argument asks for and this runner does not do.
pub(crate) fn make<T: 'static>(store: &mut Store<T>, arg: &WastArg<'_>) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else {
        return Err("an argument of a component: components are not supported".into());
    };
    Ok(match arg {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(V128::from(u128::from_le_bytes(value.to_le_bytes()))),
        WastArgCore::RefNull(wast::core::HeapType::Abstract { shared: false, ty }) => {
            Val::null_ref(&heap_type(*ty))
        }
        WastArgCore::RefNull(other) => {
            return Err(format!("a null of type {other:?} as an argument is not supported"));
        }
        WastArgCore::RefExtern(number) => {
            let host = ExternRef::new(store, *number).map_err(|error| format!("ref.extern: {error:#}"))?;
            Val::ExternRef(Some(host))
        }
        WastArgCore::RefHost(_) => return Err("ref.host as an argument is not supported".into()),
    })
}

/// Whether `found` is what `expected` describes.
///
/// # Errors
/// What `expected` asks for and this runner cannot tell.
pub(crate) fn is_expected<T: 'static>(
    store: &Store<T>,
    found: &Val,
    expected: &WastRet<'_>,
) -> Result<bool, String> {
    match expected {
        WastRet::Core(expected) => is_expected_core(store, found, expected),
        _ => Err("a result of a component: components are not supported".into()),
    }
}

fn is_expected_core<T: 'static>(
    store: &Store<T>,
    found: &Val,
    expected: &WastRetCore<'_>,
) -> Result<bool, String> {
    Ok(match (expected, found) {
        (WastRetCore::Either(cases), _) => {
            for case in cases {
                if is_expected_core(store, found, case)? {
                    return Ok(true);
                }
            }
            false
        }
        (WastRetCore::I32(expected), Val::I32(found)) => found == expected,
        (WastRetCore::I64(expected), Val::I64(found)) => found == expected,
        (WastRetCore::F32(expected), Val::F32(found)) => is_f32(*found, expected),
        (WastRetCore::F64(expected), Val::F64(found)) => is_f64(*found, expected),
        (WastRetCore::V128(expected), Val::V128(found)) => is_v128(found.as_u128().to_le_bytes(), expected),

        (WastRetCore::RefNull(None), _) => is_null(found),
        // A value knows which hierarchy of types it belongs to, and a null no more than that.
        (WastRetCore::RefNull(Some(wast::core::HeapType::Abstract { shared: false, ty })), _) => {
            is_null(found) && discriminant(found) == discriminant(&Val::null_ref(&heap_type(*ty)))
        }
        // A defined type belongs to one of the three hierarchies; which one, only the module knows.
        (WastRetCore::RefNull(Some(wast::core::HeapType::Concrete(_))), _) => is_null(found),

        (WastRetCore::RefExtern(None), Val::ExternRef(found)) => found.is_some(),
        (WastRetCore::RefExtern(Some(number)), Val::ExternRef(Some(found))) => {
            let data = found.data(store).map_err(|error| format!("an external reference: {error:#}"))?;
            data.and_then(|data| data.downcast_ref::<u32>()) == Some(number)
        }
        // Which function it is cannot be asked: functions have no names in a script.
        (WastRetCore::RefFunc(_), Val::FuncRef(found)) => found.is_some(),
        (WastRetCore::RefAny, _) => is_object(store, found, &HeapType::Any)?,
        (WastRetCore::RefEq, _) => is_object(store, found, &HeapType::Eq)?,
        (WastRetCore::RefArray, _) => is_object(store, found, &HeapType::Array)?,
        (WastRetCore::RefStruct, _) => is_object(store, found, &HeapType::Struct)?,
        (WastRetCore::RefI31, _) => is_object(store, found, &HeapType::I31)?,

        (WastRetCore::RefHost(_) | WastRetCore::RefI31Shared | WastRetCore::RefNull(Some(_)), _) => {
            return Err(format!("an expected result {expected:?} is not supported"));
        }
        // Of different types.
        _ => false,
    })
}

/// Whether `found` is a reference to an object of type `ty`.
fn is_object<T: 'static>(store: &Store<T>, found: &Val, ty: &HeapType) -> Result<bool, String> {
    if is_null(found) {
        return Ok(false);
    }
    let found = found.ty(store).map_err(|error| format!("the type of a result: {error:#}"))?;
    Ok(matches!(&found, ValType::Ref(found) if found.heap_type().matches(ty)))
}

fn is_null(found: &Val) -> bool {
    found.ref_().is_some_and(|found| found.is_null())
}

fn is_f32(found: u32, expected: &NanPattern<F32>) -> bool {
    match expected {
        // The quiet bit alone, of either sign.
        NanPattern::CanonicalNan => found & 0x7fff_ffff == 0x7fc0_0000,
        // The quiet bit and whatever else.
        NanPattern::ArithmeticNan => found & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(expected) => found == expected.bits,
    }
}

fn is_f64(found: u64, expected: &NanPattern<F64>) -> bool {
    match expected {
        NanPattern::CanonicalNan => found & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => found & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(expected) => found == expected.bits,
    }
}

fn is_v128(found: [u8; 16], expected: &V128Pattern) -> bool {
    match expected {
        V128Pattern::I8x16(expected) => lanes(found).map(i8::from_le_bytes) == *expected,
        V128Pattern::I16x8(expected) => lanes(found).map(i16::from_le_bytes) == *expected,
        V128Pattern::I32x4(expected) => lanes(found).map(i32::from_le_bytes) == *expected,
        V128Pattern::I64x2(expected) => lanes(found).map(i64::from_le_bytes) == *expected,
        V128Pattern::F32x4(expected) => lanes::<4, 4>(found)
            .map(u32::from_le_bytes)
            .iter()
            .zip(expected)
            .all(|(&found, expected)| is_f32(found, expected)),
        V128Pattern::F64x2(expected) => lanes::<8, 2>(found)
            .map(u64::from_le_bytes)
            .iter()
            .zip(expected)
            .all(|(&found, expected)| is_f64(found, expected)),
    }
}

/// Cuts a vector into lanes of `SIZE` bytes.
fn lanes<const SIZE: usize, const LANES: usize>(bytes: [u8; 16]) -> [[u8; SIZE]; LANES] {
    const { assert!(SIZE * LANES == 16, "the lanes are the whole vector") };
    std::array::from_fn(|lane| std::array::from_fn(|byte| bytes[lane * SIZE + byte]))
}

fn heap_type(ty: AbstractHeapType) -> HeapType {
    match ty {
        AbstractHeapType::Func => HeapType::Func,
        AbstractHeapType::Extern => HeapType::Extern,
        AbstractHeapType::Exn => HeapType::Exn,
        AbstractHeapType::Cont => HeapType::Cont,
        AbstractHeapType::Any => HeapType::Any,
        AbstractHeapType::Eq => HeapType::Eq,
        AbstractHeapType::Struct => HeapType::Struct,
        AbstractHeapType::Array => HeapType::Array,
        AbstractHeapType::I31 => HeapType::I31,
        AbstractHeapType::NoFunc => HeapType::NoFunc,
        AbstractHeapType::NoExtern => HeapType::NoExtern,
        AbstractHeapType::None => HeapType::None,
        AbstractHeapType::NoExn => HeapType::NoExn,
        AbstractHeapType::NoCont => HeapType::NoCont,
    }
}

/// Values as a script would write them, for messages.
pub(crate) fn show_values(values: &[Val]) -> String {
    list(values.iter().map(show))
}

/// Expected results as a script writes them, for messages.
pub(crate) fn show_expected(expected: &[WastRet<'_>]) -> String {
    list(expected.iter().map(|expected| match expected {
        WastRet::Core(expected) => show_pattern(expected),
        other => format!("{other:?}"),
    }))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "nothing".into() } else { items.join(" ") }
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(value) => format!("(i32.const {value})"),
        Val::I64(value) => format!("(i64.const {value})"),
        Val::F32(bits) => show_f32(*bits),
        Val::F64(bits) => show_f64(*bits),
        Val::V128(value) => {
            show_lanes("i32x4", lanes::<4, 4>(value.as_u128().to_le_bytes()).map(u32::from_le_bytes))
        }
        other if is_null(other) => "(ref.null)".into(),
        Val::FuncRef(_) => "(ref.func)".into(),
        Val::ExternRef(_) => "(ref.extern)".into(),
        other => format!("{other:?}"),
    }
}

fn show_pattern(expected: &WastRetCore<'_>) -> String {
    match expected {
        WastRetCore::I32(value) => format!("(i32.const {value})"),
        WastRetCore::I64(value) => format!("(i64.const {value})"),
        WastRetCore::F32(NanPattern::Value(value)) => show_f32(value.bits),
        WastRetCore::F32(pattern) => format!("(f32.const {})", show_nan(pattern)),
        WastRetCore::F64(NanPattern::Value(value)) => show_f64(value.bits),
        WastRetCore::F64(pattern) => format!("(f64.const {})", show_nan(pattern)),
        WastRetCore::V128(V128Pattern::I8x16(lanes)) => show_lanes("i8x16", *lanes),
        WastRetCore::V128(V128Pattern::I16x8(lanes)) => show_lanes("i16x8", *lanes),
        WastRetCore::V128(V128Pattern::I32x4(lanes)) => show_lanes("i32x4", *lanes),
        WastRetCore::V128(V128Pattern::I64x2(lanes)) => show_lanes("i64x2", *lanes),
        WastRetCore::V128(other) => format!("(v128.const {other:?})"),
        WastRetCore::RefNull(None) => "(ref.null)".into(),
        WastRetCore::RefNull(Some(wast::core::HeapType::Abstract { shared: false, ty })) => {
            format!("(ref.null {})", heap_type(*ty))
        }
        WastRetCore::RefExtern(None) => "(ref.extern)".into(),
        WastRetCore::RefExtern(Some(number)) => format!("(ref.extern {number})"),
        WastRetCore::RefFunc(_) => "(ref.func)".into(),
        WastRetCore::RefAny => "(ref.any)".into(),
        WastRetCore::RefEq => "(ref.eq)".into(),
        WastRetCore::RefArray => "(ref.array)".into(),
        WastRetCore::RefStruct => "(ref.struct)".into(),
        WastRetCore::RefI31 => "(ref.i31)".into(),
        WastRetCore::Either(cases) => format!("(either {})", list(cases.iter().map(show_pattern))),
        other => format!("{other:?}"),
    }
}

fn show_nan<T>(pattern: &NanPattern<T>) -> &'static str {
    match pattern {
        NanPattern::CanonicalNan => "nan:canonical",
        NanPattern::ArithmeticNan => "nan:arithmetic",
        NanPattern::Value(_) => "a number",
    }
}

fn show_f32(bits: u32) -> String {
    format!("(f32.const {}) {bits:#010x}", f32::from_bits(bits))
}

fn show_f64(bits: u64) -> String {
    format!("(f64.const {}) {bits:#018x}", f64::from_bits(bits))
}

/// Lanes in hexadecimal: what differs is mostly a bit pattern.
fn show_lanes<T: std::fmt::LowerHex, const LANES: usize>(shape: &str, lanes: [T; LANES]) -> String {
    let mut text = format!("(v128.const {shape}");
    for lane in lanes {
        let _ = write!(text, " {lane:#x}");
    }
    text + ")"
}
