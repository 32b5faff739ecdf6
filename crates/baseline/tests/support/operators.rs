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

const V: ValType = ValType::V128;

/// Vector operators without loads and stores: first and last opcode, type. Those with a lane, and `shuffle`, are
/// made in [`vectors`].
const VECTOR_ROWS: &[(u32, u32, &[ValType], &[ValType])] = &[
    (0x0e, 0x0e, &[V, V], &[V]),
    (0x0f, 0x11, &[I32], &[V]),
    (0x12, 0x12, &[I64], &[V]),
    (0x13, 0x13, &[F32], &[V]),
    (0x14, 0x14, &[F64], &[V]),
    (0x23, 0x4c, &[V, V], &[V]),
    (0x4d, 0x4d, &[V], &[V]),
    (0x4e, 0x51, &[V, V], &[V]),
    (0x52, 0x52, &[V, V, V], &[V]),
    (0x53, 0x53, &[V], &[I32]),
    (0x5e, 0x5f, &[V], &[V]),
    (0x60, 0x62, &[V], &[V]),
    (0x63, 0x64, &[V], &[I32]),
    (0x65, 0x66, &[V, V], &[V]),
    (0x67, 0x6a, &[V], &[V]),
    (0x6b, 0x6d, &[V, I32], &[V]),
    (0x6e, 0x73, &[V, V], &[V]),
    (0x74, 0x75, &[V], &[V]),
    (0x76, 0x79, &[V, V], &[V]),
    (0x7a, 0x7a, &[V], &[V]),
    (0x7b, 0x7b, &[V, V], &[V]),
    (0x7c, 0x7f, &[V], &[V]),
    (0x80, 0x81, &[V], &[V]),
    (0x82, 0x82, &[V, V], &[V]),
    (0x83, 0x84, &[V], &[I32]),
    (0x85, 0x86, &[V, V], &[V]),
    (0x87, 0x8a, &[V], &[V]),
    (0x8b, 0x8d, &[V, I32], &[V]),
    (0x8e, 0x93, &[V, V], &[V]),
    (0x94, 0x94, &[V], &[V]),
    (0x95, 0x99, &[V, V], &[V]),
    (0x9b, 0x9f, &[V, V], &[V]),
    (0xa0, 0xa1, &[V], &[V]),
    (0xa3, 0xa4, &[V], &[I32]),
    (0xa7, 0xaa, &[V], &[V]),
    (0xab, 0xad, &[V, I32], &[V]),
    (0xae, 0xae, &[V, V], &[V]),
    (0xb1, 0xb1, &[V, V], &[V]),
    (0xb5, 0xba, &[V, V], &[V]),
    (0xbc, 0xbf, &[V, V], &[V]),
    (0xc0, 0xc1, &[V], &[V]),
    (0xc3, 0xc4, &[V], &[I32]),
    (0xc7, 0xca, &[V], &[V]),
    (0xcb, 0xcd, &[V, I32], &[V]),
    (0xce, 0xce, &[V, V], &[V]),
    (0xd1, 0xd1, &[V, V], &[V]),
    (0xd5, 0xdf, &[V, V], &[V]),
    (0xe0, 0xe1, &[V], &[V]),
    (0xe3, 0xe3, &[V], &[V]),
    (0xe4, 0xeb, &[V, V], &[V]),
    (0xec, 0xed, &[V], &[V]),
    (0xef, 0xef, &[V], &[V]),
    (0xf0, 0xf7, &[V, V], &[V]),
    (0xf8, 0xff, &[V], &[V]),
    (0x100, 0x100, &[V, V], &[V]),
    (0x101, 0x104, &[V], &[V]),
    (0x105, 0x10c, &[V, V, V], &[V]),
    (0x10d, 0x112, &[V, V], &[V]),
    (0x113, 0x113, &[V, V, V], &[V]),
];

/// First and last opcode, lanes, parameters, results.
type LaneRow = (u32, u32, u8, &'static [ValType], &'static [ValType]);

const LANE_ROWS: &[LaneRow] = &[
    (0x15, 0x16, 16, &[V], &[I32]),
    (0x17, 0x17, 16, &[V, I32], &[V]),
    (0x18, 0x19, 8, &[V], &[I32]),
    (0x1a, 0x1a, 8, &[V, I32], &[V]),
    (0x1b, 0x1b, 4, &[V], &[I32]),
    (0x1c, 0x1c, 4, &[V, I32], &[V]),
    (0x1d, 0x1d, 2, &[V], &[I64]),
    (0x1e, 0x1e, 2, &[V, I64], &[V]),
    (0x1f, 0x1f, 4, &[V], &[F32]),
    (0x20, 0x20, 4, &[V, F32], &[V]),
    (0x21, 0x21, 2, &[V], &[F64]),
    (0x22, 0x22, 2, &[V, F64], &[V]),
];

fn prefixed(opcode: u32) -> Vec<u8> {
    let mut code = vec![0xfd];
    wasm_encoder::Encode::encode(&opcode, &mut code);
    code
}

/// All vector operators but loads and stores.
pub fn vectors() -> Vec<Numeric> {
    let mut all = Vec::new();
    for &(first, last, params, results) in VECTOR_ROWS {
        all.extend((first..=last).map(|opcode| Numeric { code: prefixed(opcode), params, results }));
    }
    for &(first, last, lanes, params, results) in LANE_ROWS {
        for opcode in first..=last {
            for lane in [0, 1, lanes - 1] {
                let mut code = prefixed(opcode);
                code.push(lane);
                all.push(Numeric { code, params, results });
            }
        }
    }
    let mut shuffle = |lanes: [u8; 16]| {
        let mut code = prefixed(0x0d);
        code.extend(lanes);
        all.push(Numeric { code, params: &[V, V], results: &[V] });
    };
    let each = |lane: &dyn Fn(u8) -> u8| -> [u8; 16] { std::array::from_fn(|at| lane(at as u8) & 31) };
    for start in 0..32 {
        shuffle(each(&|at| at + start));
    }
    for width in [1, 2, 4, 8] {
        for from in [0, 8] {
            for swap in [0, 16] {
                shuffle(each(&|at| {
                    (from + at / (2 * width) * width + at % width + 16 * (at / width % 2)) ^ swap
                }));
            }
        }
    }
    for factor in [3, 5, 7, 11] {
        shuffle(each(&|at| at.wrapping_mul(factor) + 1));
        shuffle(each(&|at| at.wrapping_mul(factor) & 15));
        shuffle(each(&|at| at.wrapping_mul(factor) | 16));
        shuffle(each(&|at| (at / 4).wrapping_mul(factor) % 4 * 4 + at % 4));
    }
    all
}
