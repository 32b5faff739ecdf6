//! Every operator compiles under every setting, and keeps to what the setting promises.

mod support;

use std::fmt::Write;
use support::compile_wat;
use tenure_code::Tunables;

/// Operators without immediates: operands, results, names.
const PLAIN: &[(&str, &str, &str)] = &[
    ("i32", "i32", "i32.clz i32.ctz i32.popcnt i32.eqz i32.extend8_s i32.extend16_s memory.grow"),
    ("i64", "i64", "i64.clz i64.ctz i64.popcnt i64.extend8_s i64.extend16_s i64.extend32_s"),
    ("i64", "i32", "i64.eqz i32.wrap_i64"),
    ("i32", "i64", "i64.extend_i32_s i64.extend_i32_u"),
    (
        "i32 i32",
        "i32",
        "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl \
         i32.shr_s i32.shr_u i32.rotl i32.rotr",
    ),
    (
        "i32 i32",
        "i32",
        "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u",
    ),
    (
        "i64 i64",
        "i64",
        "i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl \
         i64.shr_s i64.shr_u i64.rotl i64.rotr",
    ),
    (
        "i64 i64",
        "i32",
        "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u",
    ),
    ("i64 i64 i64 i64", "i64 i64", "i64.add128 i64.sub128"),
    ("i64 i64", "i64 i64", "i64.mul_wide_s i64.mul_wide_u"),
    ("f32 f32", "f32", "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign"),
    ("f32", "f32", "f32.abs f32.neg f32.sqrt f32.ceil f32.floor f32.trunc f32.nearest"),
    ("f32 f32", "i32", "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge"),
    ("f32", "i32", "i32.trunc_f32_s i32.trunc_f32_u i32.trunc_sat_f32_s i32.trunc_sat_f32_u"),
    ("i32", "f32", "f32.convert_i32_s f32.convert_i32_u"),
    ("f32", "i64", "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
    ("i64", "f32", "f32.convert_i64_s f32.convert_i64_u"),
    ("f64 f64", "f64", "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign"),
    ("f64", "f64", "f64.abs f64.neg f64.sqrt f64.ceil f64.floor f64.trunc f64.nearest"),
    ("f64 f64", "i32", "f64.eq f64.ne f64.lt f64.gt f64.le f64.ge"),
    ("f64", "i32", "i32.trunc_f64_s i32.trunc_f64_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
    ("i32", "f64", "f64.convert_i32_s f64.convert_i32_u"),
    ("f64", "i64", "i64.trunc_f64_s i64.trunc_f64_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u"),
    ("i64", "f64", "f64.convert_i64_s f64.convert_i64_u"),
    ("f32", "f64", "f64.promote_f32"),
    ("f64", "f32", "f32.demote_f64"),
    ("i32", "f32", "f32.reinterpret_i32"),
    ("f32", "i32", "i32.reinterpret_f32"),
    ("i64", "f64", "f64.reinterpret_i64"),
    ("f64", "i64", "i64.reinterpret_f64"),
    (
        "v128",
        "v128",
        "v128.not i8x16.abs i8x16.neg i16x8.abs i16x8.neg i32x4.abs i32x4.neg i64x2.abs i64x2.neg \
         i8x16.popcnt i16x8.extend_low_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_s \
         i16x8.extend_high_i8x16_u i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u \
         i32x4.extend_low_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_s \
         i32x4.extend_high_i16x8_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u \
         i64x2.extend_low_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_s \
         i64x2.extend_high_i32x4_u f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest f32x4.abs f32x4.neg \
         f32x4.sqrt f64x2.ceil f64x2.floor f64x2.trunc f64x2.nearest f64x2.abs f64x2.neg f64x2.sqrt \
         i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u i32x4.trunc_sat_f64x2_s_zero \
         i32x4.trunc_sat_f64x2_u_zero f32x4.convert_i32x4_s f32x4.convert_i32x4_u f64x2.convert_low_i32x4_s \
         f64x2.convert_low_i32x4_u f32x4.demote_f64x2_zero f64x2.promote_low_f32x4 \
         i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u i32x4.relaxed_trunc_f64x2_s_zero \
         i32x4.relaxed_trunc_f64x2_u_zero",
    ),
    (
        "v128 v128",
        "v128",
        "v128.and v128.andnot v128.or v128.xor i8x16.swizzle i8x16.add i8x16.sub i8x16.eq i8x16.ne i8x16.lt_s \
         i8x16.gt_s i8x16.le_s i8x16.ge_s i8x16.lt_u i8x16.gt_u i8x16.le_u i8x16.ge_u i8x16.min_s i8x16.min_u \
         i8x16.max_s i8x16.max_u i16x8.add i16x8.sub i16x8.eq i16x8.ne i16x8.lt_s i16x8.gt_s i16x8.le_s \
         i16x8.ge_s i16x8.lt_u i16x8.gt_u i16x8.le_u i16x8.ge_u i16x8.min_s i16x8.min_u i16x8.max_s \
         i16x8.max_u i16x8.mul i32x4.add i32x4.sub i32x4.eq i32x4.ne i32x4.lt_s i32x4.gt_s i32x4.le_s \
         i32x4.ge_s i32x4.lt_u i32x4.gt_u i32x4.le_u i32x4.ge_u i32x4.min_s i32x4.min_u i32x4.max_s \
         i32x4.max_u i32x4.mul i64x2.add i64x2.sub i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s \
         i64x2.ge_s i64x2.mul i8x16.add_sat_s i8x16.add_sat_u i8x16.sub_sat_s i8x16.sub_sat_u i8x16.avgr_u \
         i16x8.add_sat_s i16x8.add_sat_u i16x8.sub_sat_s i16x8.sub_sat_u i16x8.avgr_u i16x8.q15mulr_sat_s \
         i32x4.dot_i16x8_s i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s i8x16.relaxed_swizzle \
         i16x8.extmul_low_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_s \
         i16x8.extmul_high_i8x16_u i32x4.extmul_low_i16x8_s i32x4.extmul_low_i16x8_u \
         i32x4.extmul_high_i16x8_s i32x4.extmul_high_i16x8_u i64x2.extmul_low_i32x4_s \
         i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_s i64x2.extmul_high_i32x4_u i8x16.narrow_i16x8_s \
         i8x16.narrow_i16x8_u i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u f32x4.add f32x4.sub f32x4.mul \
         f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le \
         f32x4.ge f32x4.relaxed_min f32x4.relaxed_max f64x2.add f64x2.sub f64x2.mul f64x2.div f64x2.min \
         f64x2.max f64x2.pmin f64x2.pmax f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge \
         f64x2.relaxed_min f64x2.relaxed_max",
    ),
    (
        "v128",
        "i32",
        "v128.any_true i8x16.all_true i8x16.bitmask i16x8.all_true i16x8.bitmask i32x4.all_true i32x4.bitmask \
         i64x2.all_true i64x2.bitmask",
    ),
    (
        "v128 i32",
        "v128",
        "i8x16.shl i8x16.shr_s i8x16.shr_u i16x8.shl i16x8.shr_s i16x8.shr_u i32x4.shl i32x4.shr_s \
         i32x4.shr_u i64x2.shl i64x2.shr_s i64x2.shr_u",
    ),
    (
        "v128 v128 v128",
        "v128",
        "v128.bitselect f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd \
         i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect \
         i32x4.relaxed_dot_i8x16_i7x16_add_s",
    ),
    ("i32", "v128", "i8x16.splat"),
    ("i32", "v128", "i16x8.splat"),
    ("i32", "v128", "i32x4.splat"),
    ("i64", "v128", "i64x2.splat"),
    ("f32", "v128", "f32x4.splat"),
    ("f64", "v128", "f64x2.splat"),
];

/// Operators with immediates, divided by `|`.
const WITH_IMMEDIATES: &[(&str, &str, &str)] = &[
    ("v128", "i32", "i8x16.extract_lane_s 3|i8x16.extract_lane_u 3"),
    ("v128 i32", "v128", "i8x16.replace_lane 1"),
    ("v128", "i32", "i16x8.extract_lane_s 3|i16x8.extract_lane_u 3"),
    ("v128 i32", "v128", "i16x8.replace_lane 1"),
    ("v128", "i32", "i32x4.extract_lane 1"),
    ("v128 i32", "v128", "i32x4.replace_lane 1"),
    ("v128", "i64", "i64x2.extract_lane 1"),
    ("v128 i64", "v128", "i64x2.replace_lane 1"),
    ("v128", "f32", "f32x4.extract_lane 1"),
    ("v128 f32", "v128", "f32x4.replace_lane 1"),
    ("v128", "f64", "f64x2.extract_lane 1"),
    ("v128 f64", "v128", "f64x2.replace_lane 1"),
    ("v128 v128", "v128", "i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31"),
];

/// Loads, by the type they give.
const LOADS: &[(&str, &str)] = &[
    ("i32", "i32.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u"),
    ("i64", "i64.load i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u"),
    ("f32", "f32.load"),
    ("f64", "f64.load"),
    (
        "v128",
        "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s \
         v128.load32x2_u v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat \
         v128.load32_zero v128.load64_zero",
    ),
];

/// Stores, by the type they take.
const STORES: &[(&str, &str)] = &[
    ("i32", "i32.store i32.store8 i32.store16"),
    ("i64", "i64.store i64.store8 i64.store16 i64.store32"),
    ("f32", "f32.store"),
    ("f64", "f64.store"),
    ("v128", "v128.store"),
];

/// Loads and stores of one lane.
const LANES: &str = "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane";

/// Offsets inside the guard, outside it, and beyond 31 bits.
const OFFSETS: &[u64] = &[0, 4096, 40 << 20, 0xffff_fff0];

fn func(text: &mut String, params: &str, results: &str, body: &str) {
    let gets: String = (0..params.split_whitespace().count()).map(|at| format!("local.get {at} ")).collect();
    writeln!(text, "(func (param {params}) (result {results}) {gets}{body})").unwrap();
}

/// Every operator of the tables in a function of its own.
fn all_operators() -> String {
    let mut text = String::from(
        r#"(module
            (import "" "f" (func $import (param i32) (result i32)))
            (import "" "g" (global $imported (mut i64)))
            (import "" "m" (memory $imported 1))
            (memory $m 1) (memory $fixed 2 2) (memory $wide i64 1) (memory $tiny 3 (pagesize 1))
            (table $t 2 funcref) (table $e 2 4 externref) (table $w i64 1 funcref) (table $f 3 3 (ref null $i))
            (type $i (func (param i32) (result i32)))
            (type $many (func (param i32) (result i32 i32 i32 i32 i32 i32 i32 i32 i64 f32 v128)))
            (global $g (mut i32) (i32.const 1)) (global $c i32 (i32.const 7)) (global $v (mut v128) (v128.const i64x2 1 2))
            (data $d "abc") (elem $s func $own) (elem declare func $import)
            (func $own (type $i) local.get 0)
            (func $many (type $many)
                local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0 local.get 0
                i64.const 9 f32.const 1.5 global.get $v)
            (func (type $many) local.get 0 call $many)
            (func (type $many) local.get 0 return_call $many)
            (func (type $i) local.get 0 call $own call $import local.get 0 call_indirect $t (type $i)
                local.get 0 call_indirect $f (type $i) local.get 0 i64.extend_i32_u call_indirect $w (type $i))
            (func (type $i) local.get 0 return_call $own)
            (func (type $i) local.get 0 return_call $import)
            (func (type $i) local.get 0 local.get 0 return_call_indirect $t (type $i))
            (func (type $i) local.get 0 local.get 0 table.get $f call_ref $i)
            (func (type $i) local.get 0 ref.func $own return_call_ref $i)
            (func (type $i) ref.func $import ref.is_null ref.null extern ref.is_null i32.add)
            (func (param (ref null $i)) (result (ref $i)) local.get 0 ref.as_non_null)
            (func (param (ref null $i)) (result i32) block local.get 0 br_on_null 0 drop i32.const 1 return end i32.const 0)
            (func (param (ref null $i)) (result (ref $i)) local.get 0 br_on_non_null 0 unreachable)
            (func (param i32 externref) local.get 0 local.get 1 table.set $e local.get 0 local.get 1 local.get 0 table.fill $e)
            (func (param i32 externref) (result i32) local.get 1 local.get 0 table.grow $e table.size $e i32.add)
            (func (param i64 funcref) (result i64) local.get 1 local.get 0 table.grow $w table.size $w i64.add)
            (func (param i32) local.get 0 local.get 0 local.get 0 table.init $t $s elem.drop $s
                local.get 0 local.get 0 local.get 0 table.copy $t $t local.get 0 i64.extend_i32_u local.get 0 local.get 0 table.copy $w $t)
            (func (param i32) local.get 0 local.get 0 local.get 0 memory.init $m $d data.drop $d
                local.get 0 local.get 0 local.get 0 memory.copy $m $imported local.get 0 local.get 0 local.get 0 memory.fill $fixed)
            (func (param i64) (result i64) local.get 0 memory.grow $wide memory.size $wide i64.add
                local.get 0 local.get 0 local.get 0 memory.copy $wide $wide)
            (func (param i32) (result i32) local.get 0 memory.grow $tiny memory.size $tiny i32.add memory.size $fixed i32.add)
            (func (param i32 i64) (result i32 i64) local.get 0 global.set $g local.get 1 global.set $imported
                global.get $g global.get $c i32.add global.get $imported)
            (func (param i32 i32 i64) (result i64) (local v128)
                local.get 3 v128.const i64x2 0 0 local.get 0 select local.set 3
                local.get 2 local.get 3 i64x2.extract_lane 0 local.get 0 select (result i64))
            (func (param i32) (result i32)
                (block $a (block $b (block $c (br_table $a $b $c $a $a $b (local.get 0))) (return (i32.const 1))) (return (i32.const 2)))
                (loop $l (result i32) (br_if $l (local.get 0)) (if (result i32) (local.get 0) (then (i32.const 1)) (else (br $l)))))
            (func (param i32) (result i32) (br_table 0 0 (i32.const 4) (local.get 0)))
            (func (param i32) (result i32) i32.const 3 local.get 0 (if (param i32) (result i32) (then i32.const 1 i32.add)))
            (func (result i32) (block (result i32) unreachable (loop (if (i32.const 1) (then) (else (br_table 0 1 (i32.const 0))))) i32.const 1))
        "#,
    );
    for len in [0, 1, 2, 3, 5, 7, 8, 12, 15, 16, 17, 31, 33, 64, 127, 128, 129, 100_000] {
        func(&mut text, "i32 i32", "", &format!("i32.const {len} memory.copy $m $imported"));
        func(&mut text, "i32 i32", "", &format!("i32.const {len} memory.fill $m"));
        func(&mut text, "i64 i32", "", &format!("i64.const {len} memory.fill $wide"));
    }
    for &(params, results, ops) in PLAIN {
        ops.split_whitespace().for_each(|op| func(&mut text, params, results, op));
    }
    for &(params, results, ops) in WITH_IMMEDIATES {
        ops.split('|').for_each(|op| func(&mut text, params, results, op));
    }
    for (mem, index) in
        [("$m", "i32"), ("$imported", "i32"), ("$fixed", "i32"), ("$tiny", "i32"), ("$wide", "i64")]
    {
        for at in OFFSETS.iter().chain((index == "i64").then_some(&(u64::MAX - 3))) {
            for &(result, ops) in LOADS {
                for op in ops.split_whitespace() {
                    func(&mut text, index, result, &format!("{op} {mem} offset={at}"));
                }
            }
            for &(value, ops) in STORES {
                for op in ops.split_whitespace() {
                    func(&mut text, &format!("{index} {value}"), "", &format!("{op} {mem} offset={at}"));
                }
            }
            for op in LANES.split_whitespace() {
                func(&mut text, &format!("{index} v128"), "v128", &format!("{op} {mem} offset={at} 1"));
                let op = op.replace("load", "store");
                func(&mut text, &format!("{index} v128"), "", &format!("{op} {mem} offset={at} 1"));
            }
        }
    }
    text + ")"
}

#[test]
fn all_compile_with_signals() {
    for func in compile_wat(&all_operators(), &Tunables::default()) {
        assert!(!func.code.is_empty());
    }
}

#[test]
fn all_compile_with_every_frame_keeping_its_context() {
    let tunables = Tunables { keep_vmctx: true, ..Tunables::default() };
    for func in compile_wat(&all_operators(), &tunables) {
        let at = func.meta.frame.vmctx.expect("the frame keeps its context");
        assert!(at < 0 && at % 8 == 0, "{at}");
    }
}

#[test]
fn all_compile_with_canonical_nans_and_strict_vectors() {
    let tunables = Tunables { canonical_nans: true, deterministic_relaxed_simd: true, ..Tunables::default() };
    compile_wat(&all_operators(), &tunables);
}

#[test]
fn without_signals_no_instruction_traps() {
    let tunables = Tunables { signals: false, ..Tunables::default() };
    for func in compile_wat(&all_operators(), &tunables) {
        assert_eq!(func.meta.traps, []);
        // What would trap stands only behind a call that never returns.
        let code = support::disassemble(&func);
        let lines: Vec<_> = code.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].ends_with("ud2")) {
            assert!(
                pair[0].contains("call") || pair[0].ends_with("ud2"),
                "function {}:\n{code}",
                func.func.0
            );
        }
    }
}

#[test]
fn small_reservations_check_every_access() {
    let tunables = Tunables { memory_reservation: 1 << 20, memory_guard: 0, ..Tunables::default() };
    compile_wat(&all_operators(), &tunables);
}
