//! What operators take and give, by opcode.

use super::facts::{F32, F64, I32, I64, V128};

/// One or two operands of one type to one result.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    pub(super) takes: u8,
    pub(super) is_binary: bool,
    pub(super) gives: u8,
}

const fn one(takes: u8, gives: u8) -> Plain {
    Plain { takes, is_binary: false, gives }
}

const fn two(takes: u8, gives: u8) -> Plain {
    Plain { takes, is_binary: true, gives }
}

/// Puts `row` at places `from` to `to` of `rows`, both included.
macro_rules! fill {
    ($rows:ident: $($from:literal $(..= $to:literal)? => $row:expr,)*) => {
        $({
            #[allow(unused_mut, unused_assignments, reason = "rows for one opcode have no end")]
            let (mut at, mut to) = ($from, $from);
            $(to = $to;)?
            while at <= to {
                $rows[at] = $row;
                at += 1;
            }
        })*
    };
}

/// Loads and stores from 0x28 on: the largest alignment, as a power of two, and the type.
pub(super) const MEMORY: [(u8, u8); 23] = [
    (2, I32), // loads
    (3, I64),
    (2, F32),
    (3, F64),
    (0, I32),
    (0, I32),
    (1, I32),
    (1, I32),
    (0, I64),
    (0, I64),
    (1, I64),
    (1, I64),
    (2, I64),
    (2, I64),
    (2, I32), // stores
    (3, I64),
    (2, F32),
    (3, F64),
    (0, I32),
    (1, I32),
    (0, I64),
    (1, I64),
    (2, I64),
];

/// Operators without immediates from 0x45 on.
pub(super) const PLAIN: [Plain; 128] = {
    let mut all = [one(I32, I32); 0xc5];
    fill! { all:
        0x45 => one(I32, I32),         // i32.eqz
        0x46..=0x4f => two(I32, I32),  // i32.eq, ...
        0x50 => one(I64, I32),         // i64.eqz
        0x51..=0x5a => two(I64, I32),  // i64.eq, ...
        0x5b..=0x60 => two(F32, I32),  // f32.eq, ...
        0x61..=0x66 => two(F64, I32),  // f64.eq, ...
        0x67..=0x69 => one(I32, I32),  // i32.clz, ctz, popcnt
        0x6a..=0x78 => two(I32, I32),  // i32.add, ...
        0x79..=0x7b => one(I64, I64),  // i64.clz, ctz, popcnt
        0x7c..=0x8a => two(I64, I64),  // i64.add, ...
        0x8b..=0x91 => one(F32, F32),  // f32.abs, ...
        0x92..=0x98 => two(F32, F32),  // f32.add, ...
        0x99..=0x9f => one(F64, F64),  // f64.abs, ...
        0xa0..=0xa6 => two(F64, F64),  // f64.add, ...
        0xa7 => one(I64, I32),         // i32.wrap_i64
        0xa8..=0xa9 => one(F32, I32),  // i32.trunc_f32
        0xaa..=0xab => one(F64, I32),  // i32.trunc_f64
        0xac..=0xad => one(I32, I64),  // i64.extend_i32
        0xae..=0xaf => one(F32, I64),  // i64.trunc_f32
        0xb0..=0xb1 => one(F64, I64),  // i64.trunc_f64
        0xb2..=0xb3 => one(I32, F32),  // f32.convert_i32
        0xb4..=0xb5 => one(I64, F32),  // f32.convert_i64
        0xb6 => one(F64, F32),         // f32.demote_f64
        0xb7..=0xb8 => one(I32, F64),  // f64.convert_i32
        0xb9..=0xba => one(I64, F64),  // f64.convert_i64
        0xbb => one(F32, F64),         // f64.promote_f32
        0xbc => one(F32, I32),         // i32.reinterpret_f32
        0xbd => one(F64, I64),         // i64.reinterpret_f64
        0xbe => one(I32, F32),         // f32.reinterpret_i32
        0xbf => one(I64, F64),         // f64.reinterpret_i64
        0xc0..=0xc1 => one(I32, I32),  // i32.extend8_s, 16
        0xc2..=0xc4 => one(I64, I64),  // i64.extend8_s, 16, 32
    }
    let mut rows = [one(I32, I32); 128];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = all[0x45 + at];
        at += 1;
    }
    rows
};

/// The first operators behind the prefix 0xfc: truncations that saturate.
pub(super) const TRUNCATIONS: [Plain; 8] = [
    one(F32, I32),
    one(F32, I32),
    one(F64, I32),
    one(F64, I32),
    one(F32, I64),
    one(F32, I64),
    one(F64, I64),
    one(F64, I64),
];

/// An operator on vectors.
#[derive(Clone, Copy)]
pub(super) enum Vector {
    /// There is none.
    None,
    Plain(Plain),
    /// Alignment at most so, as a power of two.
    Load(u8),
    Store(u8),
    LoadLane(u8),
    StoreLane(u8),
    Const,
    Shuffle,
    /// How many lanes, and of what type.
    Extract(u8, u8),
    Replace(u8, u8),
    Shift,
    Select,
}

/// Operators behind the prefix 0xfd; those of the relaxed proposal are behind these.
pub(super) const VECTOR: [Vector; 256] = {
    use Vector::{Const, Extract, Load, LoadLane, None, Replace, Select, Shift, Shuffle, Store, StoreLane};
    const UNARY: Vector = Vector::Plain(one(V128, V128));
    const BINARY: Vector = Vector::Plain(two(V128, V128));
    const TEST: Vector = Vector::Plain(one(V128, I32));
    const fn splat(ty: u8) -> Vector {
        Vector::Plain(one(ty, V128))
    }
    let mut rows = [None; 256];
    fill! { rows:
        0 => Load(4),                // v128.load
        1..=6 => Load(3),            // load8x8_s, ...
        7 => Load(0),                // load8_splat
        8 => Load(1),
        9 => Load(2),
        10 => Load(3),
        11 => Store(4),
        12 => Const,
        13 => Shuffle,
        14 => BINARY,                // i8x16.swizzle
        15..=17 => splat(I32),       // i8x16, i16x8, i32x4
        18 => splat(I64),
        19 => splat(F32),
        20 => splat(F64),
        21..=22 => Extract(16, I32),
        23 => Replace(16, I32),
        24..=25 => Extract(8, I32),
        26 => Replace(8, I32),
        27 => Extract(4, I32),
        28 => Replace(4, I32),
        29 => Extract(2, I64),
        30 => Replace(2, I64),
        31 => Extract(4, F32),
        32 => Replace(4, F32),
        33 => Extract(2, F64),
        34 => Replace(2, F64),
        35..=76 => BINARY,           // comparisons
        77 => UNARY,                 // v128.not
        78..=81 => BINARY,           // and, andnot, or, xor
        82 => Select,                // bitselect
        83 => TEST,                  // any_true
        84 => LoadLane(0),
        85 => LoadLane(1),
        86 => LoadLane(2),
        87 => LoadLane(3),
        88 => StoreLane(0),
        89 => StoreLane(1),
        90 => StoreLane(2),
        91 => StoreLane(3),
        92 => Load(2),               // load32_zero
        93 => Load(3),               // load64_zero
        94..=95 => UNARY,            // demote, promote
        96..=98 => UNARY,            // i8x16.abs, neg, popcnt
        99..=100 => TEST,            // all_true, bitmask
        101..=102 => BINARY,         // narrow
        103..=106 => UNARY,          // f32x4.ceil, floor, trunc, nearest
        107..=109 => Shift,
        110..=115 => BINARY,         // i8x16.add, ..., sub_sat_u
        116..=117 => UNARY,          // f64x2.ceil, floor
        118..=121 => BINARY,         // i8x16.min_s, ..., max_u
        122 => UNARY,                // f64x2.trunc
        123 => BINARY,               // i8x16.avgr_u
        124..=127 => UNARY,          // extadd_pairwise
        128..=129 => UNARY,          // i16x8.abs, neg
        130 => BINARY,               // q15mulr_sat_s
        131..=132 => TEST,
        133..=134 => BINARY,         // narrow
        135..=138 => UNARY,          // extend
        139..=141 => Shift,
        142..=147 => BINARY,         // i16x8.add, ..., sub_sat_u
        148 => UNARY,                // f64x2.nearest
        149..=153 => BINARY,         // i16x8.mul, min_s, ..., max_u
        155..=159 => BINARY,         // avgr_u, extmul
        160..=161 => UNARY,          // i32x4.abs, neg
        163..=164 => TEST,
        167..=170 => UNARY,          // extend
        171..=173 => Shift,
        174 => BINARY,               // i32x4.add
        177 => BINARY,               // i32x4.sub
        181..=186 => BINARY,         // mul, min_s, ..., max_u, dot
        188..=191 => BINARY,         // extmul
        192..=193 => UNARY,          // i64x2.abs, neg
        195..=196 => TEST,
        199..=202 => UNARY,          // extend
        203..=205 => Shift,
        206 => BINARY,               // i64x2.add
        209 => BINARY,               // i64x2.sub
        213..=223 => BINARY,         // mul, comparisons, extmul
        224..=225 => UNARY,          // f32x4.abs, neg
        227 => UNARY,                // f32x4.sqrt
        228..=235 => BINARY,         // f32x4.add, ..., pmax
        236..=237 => UNARY,          // f64x2.abs, neg
        239 => UNARY,                // f64x2.sqrt
        240..=247 => BINARY,         // f64x2.add, ..., pmax
        248..=255 => UNARY,          // trunc_sat, convert
    }
    rows
};
