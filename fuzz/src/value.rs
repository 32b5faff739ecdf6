//! Values as every engine can be asked for them, with floats as bits.

use std::fmt;

/// The type of a [`Value`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// A float of 32 bits.
    F32,
    /// A float of 64 bits.
    F64,
    /// A vector.
    V128,
    /// A reference to a function.
    Func,
    /// A reference to a value of the host.
    Extern,
}

impl Type {
    /// The type as wasmparser has it, if the rig can make and compare values of it.
    pub fn from_parser(ty: wasmparser::ValType) -> Option<Self> {
        Some(match ty {
            wasmparser::ValType::I32 => Self::I32,
            wasmparser::ValType::I64 => Self::I64,
            wasmparser::ValType::F32 => Self::F32,
            wasmparser::ValType::F64 => Self::F64,
            wasmparser::ValType::V128 => Self::V128,
            wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::FUNCREF => Self::Func,
            wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::EXTERNREF => Self::Extern,
            wasmparser::ValType::Ref(_) => return None,
        })
    }

    /// The type's name in the text format.
    pub fn text(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::Func => "funcref",
            Self::Extern => "externref",
        }
    }
}

/// A value that came out of an engine or goes into one. References are compared by shape, not by address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// 32 bits.
    I32(u32),
    /// 64 bits.
    I64(u64),
    /// A float's bits.
    F32(u32),
    /// A float's bits.
    F64(u64),
    /// A vector's bits.
    V128(u128),
    /// A null function.
    NullFunc,
    /// Some function. Never an argument.
    Func,
    /// A host value by its number; `None` is null.
    Extern(Option<u32>),
    /// A reference that the rig cannot look into, and whether it is null. Never an argument.
    Other {
        /// Whether it is null.
        is_null: bool,
    },
}

impl Value {
    /// The constant of the text format.
    pub fn text(self) -> String {
        match self {
            Self::I32(bits) => format!("(i32.const {})", bits as i32),
            Self::I64(bits) => format!("(i64.const {})", bits as i64),
            Self::F32(bits) => {
                format!("(f32.const {})", float(f64::from(f32::from_bits(bits)), bits.into(), 23))
            }
            Self::F64(bits) => format!("(f64.const {})", float(f64::from_bits(bits), bits, 52)),
            Self::V128(bits) => {
                let [low, high] = [bits as u64, (bits >> 64) as u64];
                format!("(v128.const i64x2 {low:#x} {high:#x})")
            }
            Self::NullFunc => "(ref.null func)".to_string(),
            Self::Extern(None) => "(ref.null extern)".to_string(),
            Self::Func | Self::Extern(Some(_)) | Self::Other { .. } => "(unreachable)".to_string(),
        }
    }
}

/// A float as the text format writes it, NaNs with their bits. `fraction` is the number of its fraction's bits.
fn float(value: f64, bits: u64, fraction: u32) -> String {
    if value.is_nan() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        return format!("{sign}nan:{:#x}", bits & ((1 << fraction) - 1));
    }
    // What `{:e}` prints reads back as the same float.
    if value.is_infinite() { format!("{value}") } else { format!("{value:e}") }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::I32(bits) => write!(f, "i32 {bits:#x}"),
            Self::I64(bits) => write!(f, "i64 {bits:#x}"),
            Self::F32(bits) => write!(f, "f32 {} ({bits:#010x})", f32::from_bits(bits)),
            Self::F64(bits) => write!(f, "f64 {} ({bits:#018x})", f64::from_bits(bits)),
            Self::V128(bits) => write!(f, "v128 {bits:#034x}"),
            Self::NullFunc => f.write_str("null func"),
            Self::Func => f.write_str("func"),
            Self::Extern(Some(number)) => write!(f, "extern {number}"),
            Self::Extern(None) => f.write_str("null extern"),
            Self::Other { is_null } => f.write_str(if is_null { "null" } else { "reference" }),
        }
    }
}
