//! Every numeric operator with its type, and values at which operators change their minds.

use tenure_types::ValType::{self, F32, F64, I32, I64};

/// An operator on numbers.
#[derive(Clone, Debug)]
pub struct Numeric {
    pub code: Vec<u8>,
    pub params: &'static [ValType],
    pub results: &'static [ValType],
}

type Row = (u8, u8, &'static [ValType], &'static [ValType]);

/// First and last opcode, type.
const ROWS: &[Row] = &[
    (0x45, 0x45, &[I32], &[I32]),
    (0x46, 0x4f, &[I32, I32], &[I32]),
    (0x50, 0x50, &[I64], &[I32]),
    (0x51, 0x5a, &[I64, I64], &[I32]),
    (0x5b, 0x60, &[F32, F32], &[I32]),
    (0x61, 0x66, &[F64, F64], &[I32]),
    (0x67, 0x69, &[I32], &[I32]),
    (0x6a, 0x78, &[I32, I32], &[I32]),
    (0x79, 0x7b, &[I64], &[I64]),
    (0x7c, 0x8a, &[I64, I64], &[I64]),
    (0x8b, 0x91, &[F32], &[F32]),
    (0x92, 0x98, &[F32, F32], &[F32]),
    (0x99, 0x9f, &[F64], &[F64]),
    (0xa0, 0xa6, &[F64, F64], &[F64]),
    (0xa7, 0xa7, &[I64], &[I32]),
    (0xa8, 0xa9, &[F32], &[I32]),
    (0xaa, 0xab, &[F64], &[I32]),
    (0xac, 0xad, &[I32], &[I64]),
    (0xae, 0xaf, &[F32], &[I64]),
    (0xb0, 0xb1, &[F64], &[I64]),
    (0xb2, 0xb3, &[I32], &[F32]),
    (0xb4, 0xb5, &[I64], &[F32]),
    (0xb6, 0xb6, &[F64], &[F32]),
    (0xb7, 0xb8, &[I32], &[F64]),
    (0xb9, 0xba, &[I64], &[F64]),
    (0xbb, 0xbb, &[F32], &[F64]),
    (0xbc, 0xbc, &[F32], &[I32]),
    (0xbd, 0xbd, &[F64], &[I64]),
    (0xbe, 0xbe, &[I32], &[F32]),
    (0xbf, 0xbf, &[I64], &[F64]),
    (0xc0, 0xc1, &[I32], &[I32]),
    (0xc2, 0xc4, &[I64], &[I64]),
];

/// The same behind the prefix 0xfc.
const MISC: &[Row] = &[
    (0, 1, &[F32], &[I32]),
    (2, 3, &[F64], &[I32]),
    (4, 5, &[F32], &[I64]),
    (6, 7, &[F64], &[I64]),
    (19, 20, &[I64, I64, I64, I64], &[I64, I64]),
    (21, 22, &[I64, I64], &[I64, I64]),
];

/// All of them.
pub fn numeric() -> Vec<Numeric> {
    let mut all = Vec::new();
    for &(first, last, params, results) in ROWS {
        all.extend((first..=last).map(|code| Numeric { code: vec![code], params, results }));
    }
    for &(first, last, params, results) in MISC {
        all.extend((first..=last).map(|code| Numeric { code: vec![0xfc, code], params, results }));
    }
    all
}

/// Values of type `ty`, as bits.
pub fn lattice(ty: ValType) -> Vec<u128> {
    let ints32 = [
        0,
        1,
        2,
        3,
        7,
        8,
        31,
        32,
        33,
        100,
        0xff,
        0x80,
        0xffff,
        0x8000,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
    ];
    match ty {
        I32 => {
            let mut all: Vec<u128> = ints32.to_vec();
            all.extend([0xffff_ffff, 0xffff_fffe, 0xffff_ff80, 0x1234_5678]);
            all
        }
        I64 => {
            let mut all: Vec<u128> = ints32.to_vec();
            all.extend([63, 64, 65, 0xffff_ffff, 1 << 32, 1 << 33, i64::MAX as u128, 1 << 63, (1 << 63) + 1]);
            all.extend([u128::from(u64::MAX), u128::from(u64::MAX - 1), 0x1234_5678_9abc_def0]);
            all.push(0xffff_ffff_8000_0000);
            all
        }
        F32 => {
            floats().into_iter().map(|value| u128::from((value as f32).to_bits())).chain(F32_BITS).collect()
        }
        F64 => floats().into_iter().map(|value| u128::from(value.to_bits())).chain(F64_BITS).collect(),
        ValType::V128 => VECTORS.to_vec(),
        ValType::Ref(_) => vec![0],
    }
}

fn floats() -> Vec<f64> {
    let mut all =
        vec![0.0, 0.5, 0.9, 1.0, 1.5, 2.0, 2.5, 3.7, 100.25, 1e10, 1e20, 1e38, f64::INFINITY, f64::NAN];
    for exponent in [31, 32, 63, 64] {
        let power = 2f64.powi(exponent);
        all.extend([power, power - 1.0, power + 1.0, power.next_down(), power.next_up()]);
        let power = 2f32.powi(exponent);
        all.extend([f64::from(power.next_down()), f64::from(power.next_up())]);
    }
    let negative: Vec<_> = all.iter().map(|value| -value).collect();
    all.extend(negative);
    all
}

/// Signalling and odd NaNs, the smallest numbers.
const F32_BITS: [u128; 6] = [0x7fa0_0000, 0xffc0_0001, 0x7f80_0001, 1, 0x8000_0001, 0x0080_0000];
const F64_BITS: [u128; 5] =
    [0x7ff4_0000_0000_0000, 0xfff8_0000_0000_0001, 0x7ff0_0000_0000_0001, 1, 1 << 63 | 1];

const VECTORS: [u128; 12] = [
    0,
    u128::MAX,
    0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100,
    0x8080_8080_8080_8080_7f7f_7f7f_7f7f_7f7f,
    0x8000_8000_8000_8000_7fff_7fff_7fff_7fff,
    0x8000_0000_7fff_ffff_ffff_ffff_0000_0001,
    0x8000_0000_0000_0000_7fff_ffff_ffff_ffff,
    0x7fc0_0000_ff80_0000_3f80_0000_8000_0000,
    0x4f00_0000_cf00_0000_4f80_0000_bf80_0000,
    0x7ff8_0000_0000_0000_c1e0_0000_0000_0000,
    0x43f0_0000_0000_0000_41ef_ffff_ffe0_0000,
    0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00,
];

/// Whether the bits are a NaN of type `ty`.
pub fn is_nan(ty: ValType, bits: u128) -> bool {
    match ty {
        F32 => f32::from_bits(bits as u32).is_nan(),
        F64 => f64::from_bits(bits as u64).is_nan(),
        _ => false,
    }
}
