//! What code that takes over at a loop looks like. That it does the right thing is tested with the tier that it takes
//! over from.

mod support;

use support::{compile_entry, disassemble};
use tenure_abi::frame::Homes;
use tenure_code::{Cell, CompileError};
use tenure_types::FuncIdx;

const HOMES: Homes = Homes { slot: 8, fixed: 8, locals: 2 };

#[test]
fn locals_and_operands_come_from_their_homes() {
    let text = "(module (func (param i32) (result i64) (local i64)
        (i64.const 5)
        (loop $l
            (local.set 1 (i64.mul (local.get 1) (i64.extend_i32_u (local.get 0))))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (i64.add (local.get 1))))";
    let code = disassemble(&compile_entry(text, 0, HOMES).unwrap());
    for home in [HOMES.own_local(0), HOMES.own_local(1), HOMES.operand(0)] {
        assert!(code.contains(&format!("[rsi-{:x}h]", -home)), "{home}: {code}");
    }
}

#[test]
fn a_function_that_is_entered_at_a_loop_calls_itself_through_its_slot() {
    let text = "(module (func $f (param i32) (local i32)
        (loop $l (call $f (local.get 1)) (br_if $l (local.get 0)))))";
    let func = compile_entry(text, 0, HOMES).unwrap();
    assert_eq!(
        func.relocs.iter().map(|reloc| (reloc.cell, reloc.func)).collect::<Vec<_>>(),
        [(Cell::Slot, FuncIdx(0))]
    );
    assert!(!disassemble(&func).contains("call 0\n"));
}

#[test]
fn code_before_the_loop_that_nothing_comes_to_again_is_dropped() {
    let before = "(local.set 1 (i32.div_u (local.get 1) (local.get 0)))";
    let text = |around: &str, end: &str| {
        format!(
            "(module (func (param i32) (local i32) {around} {before} (loop $l (br_if $l (local.get 0))) {end}))"
        )
    };
    let has_division = |text: String| disassemble(&compile_entry(&text, 0, HOMES).unwrap()).contains("div");
    assert!(!has_division(text("", "")));
    let text = text("(loop $around", "(br_if $around (local.get 1)))");
    let has_division = disassemble(&compile_entry(&text, 1, HOMES).unwrap()).contains("div");
    assert!(has_division);
}

#[test]
fn loops_are_counted_where_control_cannot_come_too() {
    let text = "(module (func (param i32) (local i32)
        (block (br 0) (loop (loop)))
        (loop $l (local.set 1 (i32.const 12345)) (br_if $l (local.get 0)))))";
    assert!(disassemble(&compile_entry(text, 2, HOMES).unwrap()).contains("mov"));
    for number in [0, 1, 3, u32::MAX] {
        let error = compile_entry(text, number, HOMES).unwrap_err();
        assert!(matches!(error, CompileError::Bug(_)), "{number}: {error}");
    }
}

#[test]
fn operands_around_a_loop_are_bounded() {
    let many = 2000;
    let (pushes, drops) = ("(i32.const 1)".repeat(many), "drop ".repeat(many));
    let (opened, closed) = ("block ".repeat(many), "end ".repeat(many));
    let text = format!("(module (func (param i32) (local i32) {pushes} {opened} loop end {closed} {drops}))");
    let error = compile_entry(&text, 0, HOMES).unwrap_err();
    assert!(matches!(error, CompileError::TooLarge { .. }), "{error}");
}
