//! The operators that take and give values, by signature: one row a family.

use crate::value::Type;

/// Families: signature, prefix, names. What must be filled in is marked: `#L8` one of 8 lanes, `#S` the lanes of a
/// shuffle, `#O` the offset of an access to memory, `$` the start of the name of a segment.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        "i32 i32 -> i32",
        "i32.",
        "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr eq ne lt_s lt_u gt_s gt_u le_s le_u \
         ge_s ge_u",
    ),
    ("i64 i64 -> i64", "i64.", "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"),
    ("i64 i64 -> i32", "i64.", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"),
    ("i32 -> i32", "i32.", "clz ctz popcnt eqz extend8_s extend16_s"),
    ("i64 -> i64", "i64.", "clz ctz popcnt extend8_s extend16_s extend32_s"),
    ("i64 -> i32", "", "i64.eqz i32.wrap_i64"),
    ("i32 -> i64", "i64.", "extend_i32_s extend_i32_u"),
    ("i64 i64 i64 i64 -> i64 i64", "i64.", "add128 sub128"),
    ("i64 i64 -> i64 i64", "i64.", "mul_wide_s mul_wide_u"),
    ("f32 f32 -> f32", "f32.", "add sub mul div min max copysign"),
    ("f64 f64 -> f64", "f64.", "add sub mul div min max copysign"),
    ("f32 f32 -> i32", "f32.", "eq ne lt gt le ge"),
    ("f64 f64 -> i32", "f64.", "eq ne lt gt le ge"),
    ("f32 -> f32", "f32.", "abs neg ceil floor trunc nearest sqrt"),
    ("f64 -> f64", "f64.", "abs neg ceil floor trunc nearest sqrt"),
    ("f32 -> i32", "i32.", "trunc_f32_s trunc_f32_u trunc_sat_f32_s trunc_sat_f32_u reinterpret_f32"),
    ("f64 -> i32", "i32.", "trunc_f64_s trunc_f64_u trunc_sat_f64_s trunc_sat_f64_u"),
    ("f32 -> i64", "i64.", "trunc_f32_s trunc_f32_u trunc_sat_f32_s trunc_sat_f32_u"),
    ("f64 -> i64", "i64.", "trunc_f64_s trunc_f64_u trunc_sat_f64_s trunc_sat_f64_u reinterpret_f64"),
    ("i32 -> f32", "f32.", "convert_i32_s convert_i32_u reinterpret_i32"),
    ("i64 -> f32", "f32.", "convert_i64_s convert_i64_u"),
    ("i32 -> f64", "f64.", "convert_i32_s convert_i32_u"),
    ("i64 -> f64", "f64.", "convert_i64_s convert_i64_u reinterpret_i64"),
    ("f64 -> f32", "f32.", "demote_f64"),
    ("f32 -> f64", "f64.", "promote_f32"),
    ("i32 i32 i32 -> i32", "", "select"),
    ("i64 i64 i32 -> i64", "", "select"),
    ("f32 f32 i32 -> f32", "", "select"),
    ("f64 f64 i32 -> f64", "", "select"),
    ("v128 v128 i32 -> v128", "", "select"),
    // Memory.
    ("i32 -> i32", "i32.", "load#O load8_s#O load8_u#O load16_s#O load16_u#O"),
    ("i32 -> i64", "i64.", "load#O load8_s#O load8_u#O load16_s#O load16_u#O load32_s#O load32_u#O"),
    ("i32 -> f32", "f32.", "load#O"),
    ("i32 -> f64", "f64.", "load#O"),
    ("i32 i32 ->", "i32.", "store#O store8#O store16#O"),
    ("i32 i64 ->", "i64.", "store#O store8#O store16#O store32#O"),
    ("i32 f32 ->", "f32.", "store#O"),
    ("i32 f64 ->", "f64.", "store#O"),
    ("i32 -> i32", "memory.", "grow"),
    ("i32 i32 i32 ->", "memory.", "copy fill init$data"),
    ("i32 i32 i32 ->", "table.", "copy init$elements"),
    ("i32 -> funcref", "table.", "get"),
    ("i32 funcref ->", "table.", "set"),
    ("funcref i32 -> i32", "table.", "grow"),
    ("i32 funcref i32 ->", "table.", "fill"),
    ("funcref -> i32", "ref.", "is_null"),
    ("-> funcref", "", "ref.func$dummy"),
    ("-> i32", "", "memory.size table.size"),
    ("->", "", "data.drop$data elem.drop$elements"),
    // Vectors.
    (
        "i32 -> v128",
        "v128.",
        "load#O load8x8_s#O load8x8_u#O load16x4_s#O load16x4_u#O load32x2_s#O load32x2_u#O load8_splat#O \
         load16_splat#O load32_splat#O load64_splat#O load32_zero#O load64_zero#O",
    ),
    (
        "i32 v128 ->",
        "v128.",
        "store#O store8_lane#O#L16 store16_lane#O#L8 store32_lane#O#L4 store64_lane#O#L2",
    ),
    ("i32 v128 -> v128", "v128.", "load8_lane#O#L16 load16_lane#O#L8 load32_lane#O#L4 load64_lane#O#L2"),
    ("v128 v128 -> v128", "", "i8x16.shuffle#S i8x16.swizzle v128.and v128.andnot v128.or v128.xor"),
    ("v128 -> v128", "v128.", "not"),
    ("v128 v128 v128 -> v128", "v128.", "bitselect"),
    ("v128 -> i32", "", "v128.any_true i8x16.all_true i16x8.all_true i32x4.all_true i64x2.all_true"),
    ("v128 -> i32", "", "i8x16.bitmask i16x8.bitmask i32x4.bitmask i64x2.bitmask"),
    ("i32 -> v128", "", "i8x16.splat i16x8.splat i32x4.splat"),
    ("i64 -> v128", "i64x2.", "splat"),
    ("f32 -> v128", "f32x4.", "splat"),
    ("f64 -> v128", "f64x2.", "splat"),
    (
        "v128 -> i32",
        "",
        "i8x16.extract_lane_s#L16 i8x16.extract_lane_u#L16 i16x8.extract_lane_s#L8 i16x8.extract_lane_u#L8 \
         i32x4.extract_lane#L4",
    ),
    ("v128 -> i64", "i64x2.", "extract_lane#L2"),
    ("v128 -> f32", "f32x4.", "extract_lane#L4"),
    ("v128 -> f64", "f64x2.", "extract_lane#L2"),
    ("v128 i32 -> v128", "", "i8x16.replace_lane#L16 i16x8.replace_lane#L8 i32x4.replace_lane#L4"),
    ("v128 i64 -> v128", "i64x2.", "replace_lane#L2"),
    ("v128 f32 -> v128", "f32x4.", "replace_lane#L4"),
    ("v128 f64 -> v128", "f64x2.", "replace_lane#L2"),
    (
        "v128 v128 -> v128",
        "i8x16.",
        "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u narrow_i16x8_s narrow_i16x8_u add add_sat_s add_sat_u sub \
         sub_sat_s sub_sat_u min_s min_u max_s max_u avgr_u relaxed_swizzle",
    ),
    (
        "v128 v128 -> v128",
        "i16x8.",
        "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u narrow_i32x4_s narrow_i32x4_u add add_sat_s add_sat_u sub \
         sub_sat_s sub_sat_u mul min_s min_u max_s max_u avgr_u q15mulr_sat_s extmul_low_i8x16_s extmul_high_i8x16_s \
         extmul_low_i8x16_u extmul_high_i8x16_u relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s",
    ),
    (
        "v128 v128 -> v128",
        "i32x4.",
        "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u add sub mul min_s min_u max_s max_u dot_i16x8_s \
         extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u",
    ),
    (
        "v128 v128 -> v128",
        "i64x2.",
        "eq ne lt_s gt_s le_s ge_s add sub mul extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u \
         extmul_high_i32x4_u",
    ),
    (
        "v128 v128 -> v128",
        "f32x4.",
        "eq ne lt gt le ge add sub mul div min max pmin pmax relaxed_min relaxed_max",
    ),
    (
        "v128 v128 -> v128",
        "f64x2.",
        "eq ne lt gt le ge add sub mul div min max pmin pmax relaxed_min relaxed_max",
    ),
    (
        "v128 v128 v128 -> v128",
        "",
        "f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd i8x16.relaxed_laneselect \
         i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect \
         i32x4.relaxed_dot_i8x16_i7x16_add_s",
    ),
    ("v128 -> v128", "i8x16.", "abs neg popcnt"),
    (
        "v128 -> v128",
        "i16x8.",
        "abs neg extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u \
         extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u",
    ),
    (
        "v128 -> v128",
        "i32x4.",
        "abs neg extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u \
         extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u trunc_sat_f32x4_s trunc_sat_f32x4_u trunc_sat_f64x2_s_zero \
         trunc_sat_f64x2_u_zero relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero \
         relaxed_trunc_f64x2_u_zero",
    ),
    (
        "v128 -> v128",
        "i64x2.",
        "abs neg extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u",
    ),
    (
        "v128 -> v128",
        "f32x4.",
        "abs neg sqrt ceil floor trunc nearest convert_i32x4_s convert_i32x4_u demote_f64x2_zero",
    ),
    (
        "v128 -> v128",
        "f64x2.",
        "abs neg sqrt ceil floor trunc nearest convert_low_i32x4_s convert_low_i32x4_u promote_low_f32x4",
    ),
    ("v128 i32 -> v128", "", "i8x16.shl i8x16.shr_s i8x16.shr_u i16x8.shl i16x8.shr_s i16x8.shr_u"),
    ("v128 i32 -> v128", "", "i32x4.shl i32x4.shr_s i32x4.shr_u i64x2.shl i64x2.shr_s i64x2.shr_u"),
];

/// One operator with its signature.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Its name in the text format, with marks for what must be filled in.
    pub name: String,
    /// What it takes.
    pub params: Vec<Type>,
    /// What it gives.
    pub results: Vec<Type>,
}

/// Every operator of the table.
pub fn all() -> Vec<Operator> {
    let mut all = Vec::new();
    for (signature, prefix, names) in FAMILIES {
        let (params, results) = signature.split_once("->").expect("a signature has an arrow");
        for name in names.split_whitespace() {
            let name = format!("{prefix}{name}");
            all.push(Operator { name, params: types(params), results: types(results) });
        }
    }
    all
}

fn types(names: &str) -> Vec<Type> {
    const ALL: [Type; 7] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Func, Type::Extern];
    let ty = |name| *ALL.iter().find(|ty| ty.text() == name).expect("the table names types");
    names.split_whitespace().map(ty).collect()
}
