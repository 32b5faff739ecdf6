//! Large functions compile, or are refused, in time that grows with their size.

mod support;

use std::time::{Duration, Instant};
use support::{compile_bytes, compile_bytes_well};
use tenure_code::{CompileError, Tunables};

/// Far more than any of these takes on a slow machine, far less than what grows with a square would.
const LONG: Duration = Duration::from_secs(30);

/// Compiles the one function of a module.
fn compile(text: &str) -> Result<usize, CompileError> {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let start = Instant::now();
    let func = compile_bytes(&bytes, &Tunables::default()).1.remove(0);
    let took = start.elapsed();
    assert!(took < LONG, "{took:?}");
    func.map(|func| func.code.len())
}

#[test]
fn fifty_thousand_locals_that_all_live() {
    let locals = 49_999;
    let add = |local| format!("(local.set {local} (i32.add (local.get {local}) (i32.const 1)))");
    let adds: String = (1..=locals).map(add).collect();
    let declared = "i32 ".repeat(locals);
    compile(&format!(
        "(module (func (param i32) (result i32) (local {declared}) (loop $l {adds} (br_if $l (local.get 0))) (local.get 5)))"
    ))
    .unwrap();
}

#[test]
fn sixty_thousand_blocks() {
    let block = "(block (br_if 0 (local.get 0)) (local.set 0 (i32.add (local.get 0) (i32.const 1))))";
    let blocks = block.repeat(60_000);
    compile(&format!("(module (func (param i32) (result i32) {blocks} (local.get 0)))")).unwrap();
}

#[test]
fn twenty_thousand_operands() {
    let count = 20_000;
    let (pushes, adds) = ("local.get 0 call 0 ".repeat(count), "i32.add ".repeat(count - 1));
    compile(&format!("(module (func (param i32) (result i32) {pushes} {adds}))")).unwrap();
}

#[test]
fn deep_nesting() {
    for construct in ["block", "loop", "local.get 0 if"] {
        let opened = format!("{construct} ").repeat(10_000);
        let closed = "end ".repeat(10_000);
        compile(&format!("(module (func (param i32) {opened} local.get 0 br_if 0 {closed}))")).unwrap();
    }
}

#[test]
fn tables_of_branches_up_to_the_limit() {
    let table = |targets: usize| {
        let targets: String = (0..targets).map(|at| format!("{} ", at % 50)).collect();
        let (opened, closed) = ("block ".repeat(50), "end ".repeat(50));
        compile(&format!("(module (func (param i32) {opened} local.get 0 br_table {targets} 0 {closed}))"))
    };
    assert!(table(65_520).is_ok());
    assert!(matches!(table(65_521), Err(CompileError::TooLarge { limit: 65_520, .. })));
}

#[test]
fn many_globals_do_not_use_up_tables() {
    let count = 70_000;
    let globals = "(global (mut i32) (i32.const 0))".repeat(count);
    let sets: String = (0..count).map(|at| format!("(global.set {at} (i32.const {at}))")).collect();
    compile(&format!("(module {globals} (func {sets}))")).unwrap();
}

#[test]
fn a_thousand_parameters_and_results() {
    for ty in ["i32", "i64", "f32", "v128"] {
        let types = format!("{ty} ").repeat(1_000);
        let gets: String = (0..1_000).map(|at| format!("local.get {at} ")).collect();
        for call in [
            "call $f",
            "return_call $f",
            "i32.const 0 call_indirect (type $t)",
            "i32.const 0 return_call_indirect (type $t)",
        ] {
            compile(&format!(
                "(module (type $t (func (param {types}) (result {types}))) (table 1 funcref)
                    (func $f (type $t) {gets} {call}))"
            ))
            .unwrap();
        }
    }
}

/// What `compile_well` says to the one function of a module.
fn refused(text: &str) -> Option<&'static str> {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let start = Instant::now();
    let func = compile_bytes_well(&bytes);
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    match func {
        Ok(_) => None,
        Err(CompileError::TooLarge { what, .. }) => Some(what),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn functions_that_would_take_too_long_are_not_compiled_well() {
    let func = |body: &str| format!("(module (func $f (param i32) (result i32) {body}))");
    let blocks = "(block (br_if 0 (local.get 0)))".repeat(10_000);
    assert_eq!(refused(&func(&format!("{blocks} (local.get 0)"))), Some("blocks in one function"));

    let (pushes, adds) = ("(local.get 0) ".repeat(5_000), "i32.add ".repeat(4_999));
    let waiting = Some("locals and operands in one function");
    assert_eq!(refused(&func(&format!("{pushes} {adds}"))), waiting);
    assert_eq!(refused(&func(&format!("(local {}) (local.get 0)", "i32 ".repeat(5_000)))), waiting);

    let calls = "(drop (call $f (local.get 0)))".repeat(450_000);
    assert_eq!(refused(&func(&format!("{calls} (local.get 0)"))), Some("instructions in one function"));
}

#[test]
fn locals_that_many_paths_meet_with_are_bounded_by_the_size_of_the_body() {
    // Each of the loops has each of the locals for a parameter.
    let nest = |count: usize| {
        let adds: String = (1..=count)
            .map(|local| format!("(local.set {local} (i32.add (local.get {local}) (i32.const 1)))"))
            .collect();
        let (opened, closed) = ("loop ".repeat(count), "(br_if 0 (local.get 0)) end ".repeat(count));
        let locals = "i32 ".repeat(count);
        format!("(module (func (param i32) (local {locals}) {opened} {adds} {closed}))")
    };
    let merged = Some("values where paths meet in one function");
    assert_eq!(refused(&nest(40)), None);
    assert_eq!(refused(&nest(300)), merged);
    assert_eq!(refused(&nest(3_000)), merged);
    assert!(matches!(compile(&nest(3_000)), Err(CompileError::TooLarge { .. })));
}

#[test]
fn the_largest_nests_are_refused() {
    let nested = |open: &str, close: &str, count: usize| {
        format!(
            "(module (func (param i32) {} {}))",
            format!("{open} ").repeat(count),
            format!("{close} ").repeat(count)
        )
    };
    for (open, close) in [("block", "end"), ("loop", "local.get 0 br_if 0 end"), ("local.get 0 if", "end")] {
        let text = nested(open, close, 300_000);
        assert!(matches!(compile(&text), Err(CompileError::TooLarge { .. })), "{open}");
        assert!(refused(&text).is_some(), "{open}");
    }
}
