//! Every trap names the operator that raised it, in both tiers, also where machine instructions do the work of several.

mod support;

use support::{Outcome, instantiate};
use tenure_code::{Tier, Tunables};
use tenure_types::Trap;
use wasmparser::{Parser, Payload};

/// A function's body, what it is called with, its trap, and the operator that raises it: the last of this name.
type Case<'a> = (&'a str, [u128; 2], Trap, &'a str);

const OUTSIDE: u128 = 0xffff_0000;

/// The module around a body: parameters `$i` (an index) and `$x`.
fn module(body: &str) -> String {
    format!(
        r#"(module
          (type $nothing (func)) (type $one (func (result i32))) (type $pair (func (param i32) (result i32 i32)))
          (import "" "host" (func $host (param i32)))
          (memory 1) (memory $large i64 1)
          (table $t 4 funcref) (table $typed 4 (ref null $one)) (table $e 4 externref)
          (global $g (mut i32) (i32.const 0))
          (elem (table $t) (i32.const 1) func $f)
          (elem $passive func $f)
          (data $data "12345678")
          (func $f)
          (func $callee (param i32) (result i32) local.get 0)
          (func (export "f") (param $i i32) (param $x i32) (local $l i64) (local $d f64) {body}))"#
    )
}

/// Where the last operator whose name starts with `name` stands in the last function.
fn place(bytes: &[u8], name: &str) -> u32 {
    let mut found = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(Payload::CodeSectionEntry(body)) = payload else { continue };
        found = None;
        for operator in body.get_operators_reader().unwrap().into_iter_with_offsets() {
            let (operator, offset) = operator.unwrap();
            if format!("{operator:?} ").starts_with(&format!("{name} ")) {
                found = Some(offset as u32);
            }
        }
    }
    found.unwrap_or_else(|| panic!("no operator {name}"))
}

fn check(cases: &[Case<'_>]) {
    for &(body, args, trap, operator) in cases {
        let bytes = wat::parse_str(module(body)).unwrap_or_else(|error| panic!("{error}"));
        let expected = Outcome::Trap(trap, Some(place(&bytes, operator)), Some(3));
        for tier in [Tier::Baseline, Tier::Optimizing] {
            for signals in [true, false] {
                let tunables = Tunables { signals, ..Tunables::default() };
                let mut instance = instantiate(&bytes, &|_| tier, &tunables).unwrap();
                assert_eq!(instance.refused, Vec::<String>::new());
                let outcome = instance.call("f", &args);
                assert_eq!(outcome, expected, "{tier:?}, signals {signals}: {operator} in {body}");
            }
        }
    }
}

/// Cases of loads that trap.
fn check_loads(cases: &[(&str, &str)]) {
    let cases: Vec<Case<'_>> =
        cases.iter().map(|&(body, load)| (body, [OUTSIDE, 7], Trap::MemoryOutOfBounds, load)).collect();
    check(&cases);
}

#[test]
fn loads_that_merge_with_arithmetic() {
    check_loads(&[
        ("(global.set $g (i32.add (local.get $x) (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.add (i32.load (local.get $i)) (local.get $x)))", "I32Load"),
        ("(global.set $g (i32.sub (local.get $x) (i32.load offset=64 (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.mul (i32.load (local.get $i)) (i32.const 3)))", "I32Load"),
        ("(global.set $g (i32.and (local.get $x) (i32.load8_u (local.get $i))))", "I32Load8U"),
        ("(global.set $g (i32.shl (local.get $x) (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.popcnt (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.clz (i32.load (local.get $i))))", "I32Load"),
        (
            "(local.set $l (i64.extend_i32_u (i32.load (local.get $i)))) (global.set $g (i32.wrap_i64 (local.get $l)))",
            "I32Load",
        ),
        (
            "(local.set $l (i64.extend_i32_s (i32.load (local.get $i)))) (i64.store (i32.const 0) (local.get $l))",
            "I32Load",
        ),
        ("(global.set $g (i32.extend8_s (i32.load (local.get $i))))", "I32Load"),
        ("(f64.store (i32.const 0) (f64.add (local.get $d) (f64.load (local.get $i))))", "F64Load"),
        ("(f64.store (i32.const 0) (f64.promote_f32 (f32.load (local.get $i))))", "F32Load"),
        ("(f64.store (i32.const 0) (f64.convert_i32_s (i32.load (local.get $i))))", "I32Load"),
        ("(f64.store (i32.const 0) (f64.sqrt (f64.load (local.get $i))))", "F64Load"),
        ("(i32.store (i32.const 0) (i32.reinterpret_f32 (f32.load (local.get $i))))", "F32Load"),
        // A sum of products: the first load, then the second.
        (
            "(global.set $g (i32.add (i32.mul (i32.load (local.get $i)) (local.get $x))
            (i32.mul (i32.load16_u (local.get $x)) (local.get $x))))",
            "I32Load",
        ),
        (
            "(global.set $g (i32.add (i32.mul (i32.load (local.get $x)) (local.get $x))
            (i32.mul (i32.load16_u (local.get $i)) (local.get $x))))",
            "I32Load16U",
        ),
        ("(global.set $g (i32.xor (i32.load16_s (local.get $x)) (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.xor (i32.load16_s (local.get $i)) (i32.load (local.get $x))))", "I32Load16S"),
    ]);
}

#[test]
fn loads_that_merge_with_branches() {
    check_loads(&[
        ("(if (i32.eq (local.get $x) (i32.load (local.get $i))) (then (global.set $g (i32.const 1))))", "I32Load"),
        ("(if (i32.load (local.get $i)) (then (global.set $g (i32.const 1))))", "I32Load"),
        ("(if (i32.eqz (i32.load8_u (local.get $i))) (then (global.set $g (i32.const 1))))", "I32Load8U"),
        ("(if (i32.and (i32.load (local.get $i)) (i32.const 8)) (then (global.set $g (i32.const 1))))", "I32Load"),
        ("(block (br_if 0 (i64.lt_u (i64.load (local.get $i)) (i64.const 9))) (global.set $g (i32.const 1)))", "I64Load"),
        ("(if (f64.lt (f64.load (local.get $i)) (local.get $d)) (then (global.set $g (i32.const 1))))", "F64Load"),
        ("(if (i32.and (i32.eq (i32.load (local.get $x)) (i32.const 1)) (i32.eq (i32.load16_u (local.get $i)) (i32.const 1)))
            (then (global.set $g (i32.const 1))))", "I32Load16U"),
        ("(if (i32.and (i32.eq (i32.load (local.get $i)) (i32.const 1)) (i32.eq (i32.load16_u (local.get $x)) (i32.const 1)))
            (then (global.set $g (i32.const 1))))", "I32Load"),
        ("(global.set $g (select (local.get $x) (i32.load (local.get $i)) (i32.load16_u (local.get $x))))", "I32Load"),
        ("(global.set $g (select (local.get $x) (i32.load (local.get $x)) (i32.load16_u (local.get $i))))", "I32Load16U"),
        ("(global.set $g (select (i32.load (local.get $i)) (local.get $x) (i32.load16_u (local.get $x))))", "I32Load"),
        ("(global.set $g (select (i32.load (local.get $x)) (local.get $x) (i32.lt_s (i32.load16_u (local.get $i)) (i32.const 3))))", "I32Load16U"),
        ("(global.set $g (select (i32.load (local.get $i)) (local.get $x) (i32.lt_s (i32.load16_u (local.get $x)) (i32.const 3))))", "I32Load"),
        ("(block (block (block (br_table 0 1 2 (i32.load (local.get $i)))) (global.set $g (i32.const 1))))", "I32Load"),
        ("(loop (br_if 0 (i32.load (local.get $i))))", "I32Load"),
    ]);
}

#[test]
fn loads_that_merge_with_what_traps_too() {
    check_loads(&[
        ("(global.set $g (i32.div_u (local.get $x) (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.div_s (i32.load (local.get $i)) (local.get $x)))", "I32Load"),
        ("(global.set $g (i32.rem_s (local.get $x) (i32.load (local.get $i))))", "I32Load"),
        ("(global.set $g (i32.trunc_f64_s (f64.load (local.get $i))))", "F64Load"),
        ("(global.set $g (i32.load (i32.load16_u (local.get $i))))", "I32Load16U"),
        ("(call_indirect $t (type $nothing) (i32.load (local.get $i)))", "I32Load"),
        ("(drop (table.get $e (i32.load (local.get $i))))", "I32Load"),
        ("(if (i32.load (local.get $i)) (then unreachable))", "I32Load"),
        ("(if (i32.eqz (i32.load (local.get $i))) (then unreachable))", "I32Load"),
        ("(memory.fill (i32.load (local.get $i)) (i32.const 0) (local.get $x))", "I32Load"),
        ("(call $host (i32.load (local.get $i)))", "I32Load"),
        ("(drop (i32.load (local.get $i)))", "I32Load"),
        ("(drop (i32.add (i32.const 1) (i32.load (local.get $i))))", "I32Load"),
    ]);
    check(&[
        (
            "(global.set $g (i32.div_u (local.get $i) (i32.load (local.get $x))))",
            [5, 8],
            Trap::IntegerDivisionByZero,
            "I32DivU",
        ),
        (
            "(global.set $g (i32.rem_s (local.get $i) (i32.load (local.get $x))))",
            [5, 8],
            Trap::IntegerDivisionByZero,
            "I32RemS",
        ),
        (
            "(global.set $g (i32.trunc_f64_s (f64.load (local.get $x))))
          (global.set $g (i32.trunc_f64_s (f64.div (f64.load (local.get $x)) (local.get $d))))",
            [5, 8],
            Trap::BadConversionToInteger,
            "I32TruncF64S",
        ),
        (
            "(global.set $g (i32.load (i32.load16_s (local.get $i))))
          (global.set $g (i32.load (i32.sub (i32.load16_u (i32.const 0)) (i32.const 1))))",
            [0, 0],
            Trap::MemoryOutOfBounds,
            "I32Load",
        ),
        (
            "(call_indirect $t (type $nothing) (i32.add (i32.load (local.get $x)) (local.get $i)))",
            [7, 0],
            Trap::TableOutOfBounds,
            "CallIndirect",
        ),
    ]);
}

#[test]
fn vectors() {
    check_loads(&[
        (
            "(v128.store (i32.const 0) (i32x4.add (v128.load (i32.const 0)) (v128.load offset=32 (local.get $i))))",
            "V128Load",
        ),
        (
            "(v128.store (i32.const 0) (f32x4.mul (v128.const i64x2 0 0) (v128.load (local.get $i))))",
            "V128Load",
        ),
        ("(v128.store (i32.const 0) (i32x4.splat (i32.load (local.get $i))))", "I32Load"),
        ("(v128.store (i32.const 0) (v128.load32_splat (local.get $i)))", "V128Load32Splat"),
        (
            "(v128.store (i32.const 0) (v128.load8_lane 3 (local.get $i) (v128.const i64x2 0 0)))",
            "V128Load8Lane",
        ),
        ("(v128.store (i32.const 0) (v128.load8x8_s (local.get $i)))", "V128Load8x8S"),
        ("(v128.store (i32.const 0) (i32x4.extend_low_i16x8_s (v128.load (local.get $i))))", "V128Load"),
        (
            "(v128.store (i32.const 0) (i8x16.swizzle (v128.const i64x2 1 2) (v128.load (local.get $i))))",
            "V128Load",
        ),
        (
            "(v128.store (i32.const 0) (v128.bitselect (v128.load (i32.const 0)) (v128.load (i32.const 32)) (i16x8.splat (i32.load (local.get $i)))))",
            "I32Load",
        ),
        ("(if (v128.any_true (v128.load (local.get $i))) (then (global.set $g (i32.const 1))))", "V128Load"),
    ]);
    check(&[(
        "(v128.store8_lane 3 (local.get $i) (v128.load (local.get $x)))",
        [OUTSIDE, 0],
        Trap::MemoryOutOfBounds,
        "V128Store8Lane",
    )]);
}

#[test]
fn stores() {
    let outside = |body, store| (body, [OUTSIDE, 7], Trap::MemoryOutOfBounds, store);
    check(&[
        outside("(i32.store (local.get $i) (local.get $x))", "I32Store"),
        outside("(i32.store8 offset=9 (local.get $i) (i32.const 3))", "I32Store8"),
        outside("(f64.store (local.get $i) (local.get $d))", "F64Store"),
        outside("(i32.store (local.get $i) (i32.add (i32.load (local.get $x)) (i32.const 1)))", "I32Store"),
        // What reads, changes and writes one place fails when it reads.
        outside("(i32.store (local.get $i) (i32.add (i32.load (local.get $i)) (local.get $x)))", "I32Load"),
        outside(
            "(i64.store offset=8 (local.get $i) (i64.or (i64.load offset=8 (local.get $i)) (i64.const 1)))",
            "I64Load",
        ),
        outside(
            "(i32.store8 (local.get $i) (i32.add (i32.load8_u (local.get $i)) (local.get $x)))",
            "I32Load8U",
        ),
        // The next byte is outside, the first is not.
        (
            "(i32.store16 (local.get $i) (i32.add (i32.load8_u (local.get $i)) (local.get $x)))",
            [65535, 1],
            Trap::MemoryOutOfBounds,
            "I32Store16",
        ),
        (
            "(i64.store (local.get $i) (i64.extend_i32_u (i32.load (local.get $i))))",
            [65532, 1],
            Trap::MemoryOutOfBounds,
            "I64Store",
        ),
        (
            "(i32.store (local.get $i) (local.get $x)) (i32.store16 offset=4 (local.get $i) (local.get $x))",
            [65532, 1],
            Trap::MemoryOutOfBounds,
            "I32Store16",
        ),
    ]);
}

#[test]
fn what_is_checked() {
    let x0 = |body, trap, operator| (body, [9, 0], trap, operator);
    check(&[
        x0(
            "(global.set $g (i32.div_s (local.get $i) (local.get $x)))",
            Trap::IntegerDivisionByZero,
            "I32DivS",
        ),
        x0(
            "(local.set $l (i64.rem_u (local.get $l) (i64.extend_i32_u (local.get $x))))",
            Trap::IntegerDivisionByZero,
            "I64RemU",
        ),
        x0("(drop (i32.div_s (local.get $x) (i32.const 0)))", Trap::IntegerDivisionByZero, "I32DivS"),
        (
            "(global.set $g (i32.div_s (local.get $i) (local.get $x)))",
            [0x8000_0000, 0xffff_ffff],
            Trap::IntegerOverflow,
            "I32DivS",
        ),
        x0(
            "(drop (i32.trunc_f64_s (f64.div (local.get $d) (local.get $d))))",
            Trap::BadConversionToInteger,
            "I32TruncF64S",
        ),
        x0("(drop (i32.trunc_f64_u (f64.const 1e300)))", Trap::IntegerOverflow, "I32TruncF64U"),
        x0("unreachable", Trap::UnreachableCodeReached, "Unreachable"),
        x0("(if (local.get $i) (then unreachable))", Trap::UnreachableCodeReached, "Unreachable"),
        x0("(if (local.get $x) (then) (else unreachable))", Trap::UnreachableCodeReached, "Unreachable"),
        x0(
            "(block (br_if 0 (i32.lt_u (local.get $i) (local.get $x))) unreachable)",
            Trap::UnreachableCodeReached,
            "Unreachable",
        ),
        x0(
            "(if (i32.gt_u (local.get $i) (local.get $x)) (then (global.set $g (i32.const 1)) unreachable))",
            Trap::UnreachableCodeReached,
            "Unreachable",
        ),
        x0(
            "(if (local.get $i) (then unreachable)) (if (local.get $x) (then (global.set $g (i32.const 2))))",
            Trap::UnreachableCodeReached,
            "Unreachable",
        ),
        x0("(call_indirect $t (type $nothing) (local.get $i))", Trap::TableOutOfBounds, "CallIndirect"),
        x0("(call_indirect $t (type $nothing) (local.get $x))", Trap::IndirectCallToNull, "CallIndirect"),
        x0("(drop (call_indirect $t (type $one) (i32.const 1)))", Trap::BadSignature, "CallIndirect"),
        x0(
            "(global.set $g (call_indirect $typed (type $one) (local.get $x)))",
            Trap::IndirectCallToNull,
            "CallIndirect",
        ),
        x0(
            "(return_call_indirect $t (type $nothing) (local.get $x))",
            Trap::IndirectCallToNull,
            "ReturnCallIndirect",
        ),
        x0(
            "(global.set $g (call_ref $one (table.get $typed (local.get $x))))",
            Trap::NullReference,
            "CallRef",
        ),
        x0(
            "(global.set $g (call_ref $one (table.get $typed (local.get $i))))",
            Trap::TableOutOfBounds,
            "TableGet",
        ),
        x0("(drop (ref.as_non_null (table.get $t (local.get $x))))", Trap::NullReference, "RefAsNonNull"),
        x0("(drop (table.get $e (local.get $i)))", Trap::TableOutOfBounds, "TableGet"),
        x0("(table.set $e (local.get $i) (ref.null extern))", Trap::TableOutOfBounds, "TableSet"),
        x0(
            "(table.fill $t (local.get $i) (ref.null func) (i32.const 1))",
            Trap::TableOutOfBounds,
            "TableFill",
        ),
        x0(
            "(table.copy $t $t (local.get $i) (i32.const 0) (i32.const 1))",
            Trap::TableOutOfBounds,
            "TableCopy",
        ),
        x0(
            "(table.init $t $passive (i32.const 0) (local.get $i) (i32.const 1))",
            Trap::TableOutOfBounds,
            "TableInit",
        ),
        x0(
            "(memory.init $data (i32.const 0) (local.get $i) (i32.const 1))",
            Trap::MemoryOutOfBounds,
            "MemoryInit",
        ),
        x0(
            "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))",
            Trap::MemoryOutOfBounds,
            "MemoryCopy",
        ),
        x0(
            "(memory.fill (i32.const 0) (i32.const 1) (i32.const 65537))",
            Trap::MemoryOutOfBounds,
            "MemoryFill",
        ),
        x0(
            "(global.set $g (i32.add (local.get $x) (i32.load $large (i64.const -1))))",
            Trap::MemoryOutOfBounds,
            "I32Load",
        ),
        x0(
            "(i32.store $large (i64.const 65533) (i32.load $large (i64.const 65532)))",
            Trap::MemoryOutOfBounds,
            "I32Store",
        ),
    ]);
}
