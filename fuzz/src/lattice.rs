//! Where arithmetic goes wrong: the boundary values of each type.

use crate::rng::Rng;
use crate::value::{Type, Value};

#[rustfmt::skip]
const I32: &[u32] = &[
    0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000,
    0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_0000, 0xffff_7fff, 0xffff_8000, 0xffff_ff7f,
    0xffff_ff80, 0xffff_ffe0, 0xffff_fffe, 0xffff_ffff, 0x5555_5555, 0xdead_beef,
];

#[rustfmt::skip]
const I64: &[u64] = &[
    0, 1, 2, 3, 8, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000,
    0x8000_0001, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x7fff_ffff_ffff_fffe, 0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000, 0x8000_0000_0000_0001, 0xffff_ffff_0000_0000, 0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000, 0xffff_ffff_ffff_ff80, 0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff,
    0x0123_4567_89ab_cdef,
];

/// Besides zeros, ones, extremes, infinities and NaNs of each kind: halves, for rounding, and the neighbours of the
/// integers' limits, for conversions.
#[rustfmt::skip]
const F32: &[u32] = &[
    0x0000_0000, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x3f00_0000, 0xbf00_0000, 0x3effffff, 0x3fc0_0000,
    0xbfc0_0000, 0x4020_0000, 0xc020_0000, 0x0000_0001, 0x8000_0001, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff,
    0xff7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xffbf_ffff, 0x7fff_ffff,
    0x4eff_ffff, 0x4f00_0000, 0xcf00_0000, 0xcf00_0001, 0x4f7f_ffff, 0x4f80_0000, 0x5eff_ffff, 0x5f00_0000,
    0xdf00_0000, 0xdf00_0001, 0x5f7f_ffff, 0x5f80_0000, 0x4b00_0000, 0x4aff_ffff, 0xbf7f_ffff, 0x4049_0fdb,
];

#[rustfmt::skip]
const F64: &[u64] = &[
    0x0000_0000_0000_0000, 0x8000_0000_0000_0000, 0x3ff0_0000_0000_0000, 0xbff0_0000_0000_0000,
    0x3fe0_0000_0000_0000, 0xbfe0_0000_0000_0000, 0x3fdf_ffff_ffff_ffff, 0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000, 0xc004_0000_0000_0000, 0x0000_0000_0000_0001, 0x8000_0000_0000_0001,
    0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff, 0xffef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000, 0xfff0_0000_0000_0000, 0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001, 0xfff7_ffff_ffff_ffff, 0x7fff_ffff_ffff_ffff, 0x41df_ffff_ffc0_0000,
    0x41df_ffff_ffff_ffff, 0x41e0_0000_0000_0000, 0xc1e0_0000_0000_0000, 0xc1e0_0000_001f_ffff,
    0xc1e0_0000_0020_0000, 0x41ef_ffff_ffe0_0000, 0x41ef_ffff_ffff_ffff, 0x41f0_0000_0000_0000,
    0x43df_ffff_ffff_ffff, 0x43e0_0000_0000_0000, 0xc3e0_0000_0000_0000, 0xc3e0_0000_0000_0001,
    0x43ef_ffff_ffff_ffff, 0x43f0_0000_0000_0000, 0x4330_0000_0000_0000, 0x47ef_ffff_f000_0000,
    0x36a0_0000_0000_0000, 0xbfef_ffff_ffff_ffff, 0x4009_21fb_5444_2d18,
];

/// Every boundary value of `ty`. Of vectors there are too many: these are one pattern a lane's width, and
/// [`any`] mixes more.
pub fn all(ty: Type) -> Vec<Value> {
    match ty {
        Type::I32 => I32.iter().map(|&bits| Value::I32(bits)).collect(),
        Type::I64 => I64.iter().map(|&bits| Value::I64(bits)).collect(),
        Type::F32 => F32.iter().map(|&bits| Value::F32(bits)).collect(),
        Type::F64 => F64.iter().map(|&bits| Value::F64(bits)).collect(),
        Type::V128 => {
            let mut rng = Rng::new(0, "vectors");
            let edges = [0, u128::MAX, 1, 1 << 127, 0x8080_8080_8080_8080_8080_8080_8080_8080];
            edges.into_iter().chain((0..24).map(|_| vector(&mut rng))).map(Value::V128).collect()
        }
        Type::Func => vec![Value::NullFunc],
        Type::Extern => vec![Value::Extern(None), Value::Extern(Some(7))],
    }
}

/// Some value of `ty`: mostly a boundary, at times any bits.
pub fn any(rng: &mut Rng, ty: Type) -> Value {
    if rng.chance(20) {
        match ty {
            Type::I32 => return Value::I32(rng.next() as u32),
            Type::I64 => return Value::I64(rng.next()),
            Type::F32 => return Value::F32(rng.next() as u32),
            Type::F64 => return Value::F64(rng.next()),
            Type::Extern => return Value::Extern(Some(rng.below(4) as u32)),
            Type::V128 | Type::Func => {}
        }
    }
    if ty == Type::V128 {
        return Value::V128(vector(rng));
    }
    *rng.pick(&all(ty))
}

/// A vector whose lanes, of some width, are boundaries of that width.
fn vector(rng: &mut Rng) -> u128 {
    const I8: &[u8] = &[0, 1, 2, 7, 8, 15, 16, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff];
    const I16: &[u16] =
        &[0, 1, 15, 16, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xff80, 0xfffe, 0xffff];
    let mut lanes = [0; 16];
    match rng.below(6) {
        0 => lanes.fill_with(|| *rng.pick(I8)),
        1 => lanes.chunks_exact_mut(2).for_each(|lane| lane.copy_from_slice(&rng.pick(I16).to_le_bytes())),
        2 => lanes.chunks_exact_mut(4).for_each(|lane| lane.copy_from_slice(&rng.pick(I32).to_le_bytes())),
        3 => lanes.chunks_exact_mut(4).for_each(|lane| lane.copy_from_slice(&rng.pick(F32).to_le_bytes())),
        4 => lanes.chunks_exact_mut(8).for_each(|lane| lane.copy_from_slice(&rng.pick(I64).to_le_bytes())),
        _ => lanes.chunks_exact_mut(8).for_each(|lane| lane.copy_from_slice(&rng.pick(F64).to_le_bytes())),
    }
    u128::from_le_bytes(lanes)
}
