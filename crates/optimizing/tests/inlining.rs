//! Which calls are translated in place, and what is known of the code then.

mod support;

use support::{compile_bytes, compile_wat};
use tenure_code::{CompiledFunc, InlinedCode, Inlining, Tunables};
use tenure_types::{FuncIdx, Trap};

/// The last function of a module with these functions.
fn last(inlining: Inlining, funcs: &str) -> CompiledFunc {
    let tunables = Tunables { inlining, ..Tunables::default() };
    compile_wat(&format!("(module {funcs})"), &tunables).pop().unwrap()
}

/// The functions whose calls were translated in place in the last of `funcs`, and where each is.
fn inlined(inlining: Inlining, funcs: &str) -> Vec<(u32, Option<u32>)> {
    let calls = last(inlining, funcs).meta.inlined;
    calls
        .iter()
        .map(|call| (call.func.0, (call.inside != InlinedCode::NONE).then_some(call.inside)))
        .collect()
}

const SMALL: &str = "(func $small (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))";

fn large(operators: usize) -> String {
    let more = "(i32.mul (i32.const 3)) ".repeat(operators);
    format!("(func $large (param i32) (result i32) (local.get 0) {more})")
}

#[test]
fn small_functions_are_inlined_and_large_ones_are_not() {
    let caller = "(func (param i32) (result i32) (call $large (call $small (local.get 0))))";
    let funcs = format!("{SMALL} {} {caller}", large(100));
    assert_eq!(inlined(Inlining::WhereItPays, &funcs), [(0, None)]);
    assert_eq!(inlined(Inlining::Never, &funcs), []);
    assert_eq!(inlined(Inlining::Always, &funcs), [(0, None), (1, None)]);
}

#[test]
fn what_cannot_be_in_place_is_called() {
    let tail = "(func $tail (param i32) (result i32) (return_call $small (local.get 0)))";
    let caller = "(func (param i32) (result i32) (call $tail (local.get 0)))";
    assert_eq!(inlined(Inlining::Always, &format!("{SMALL} {tail} {caller}")), []);
    let imported = r#"(import "" "" (func $f)) (func (call $f))"#;
    assert_eq!(inlined(Inlining::Always, imported), []);
}

#[test]
fn a_function_is_inlined_in_itself_for_some_levels() {
    let once = "(func $f (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
            (else (i32.const 0))))";
    assert_eq!(inlined(Inlining::WhereItPays, once), [(0, None), (0, Some(0)), (0, Some(1))]);
    let twice = "(func $f (param i32) (result i32)
        (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (i32.const 1))))
        (i32.add (call $f (i32.sub (local.get 0) (i32.const 1)))
                 (call $f (i32.sub (local.get 0) (i32.const 2)))))";
    let calls = inlined(Inlining::WhereItPays, twice);
    assert_eq!(calls, [(0, None), (0, Some(0)), (0, Some(0)), (0, None), (0, Some(3)), (0, Some(3))]);
    // Elsewhere it is called, and then has levels of its own.
    assert_eq!(inlined(Inlining::WhereItPays, &format!("{twice} (func (drop (call $f (i32.const 3))))")), []);
}

#[test]
fn growth_is_bounded_however_calls_nest_and_however_many_there_are() {
    // Each calls the one before twice: all of it would be 2^20 bodies.
    let nest = |inner: usize| {
        let call = format!("(call $f{inner} (call $f{inner} (local.get 0)))");
        format!("(func $f{} (param i32) (result i32) {call})", inner + 1)
    };
    let nested: String = (0..20).map(nest).collect();
    let funcs = format!("{} {nested}", SMALL.replace("$small", "$f0"));
    for inlining in [Inlining::WhereItPays, Inlining::Always] {
        let func = last(inlining, &funcs);
        assert!(!func.meta.inlined.is_empty());
        assert!(func.code.len() < 100_000, "{inlining:?}: {}", func.code.len());
    }
    let calls = |count: usize| {
        let calls = "(local.set 0 (call $small (local.get 0)))".repeat(count);
        last(Inlining::WhereItPays, &format!("{SMALL} (func (param i32) {calls})"))
    };
    let few = calls(100).meta.inlined.len();
    let many = calls(10_000).meta.inlined.len();
    assert!(few > 10 && many > few && many < 10_000, "{few} and {many}");
}

#[test]
fn each_instruction_knows_its_frames() {
    let text = r#"(module (memory 1)
        (func $inner (param i32) (result i32) (i32.div_u (i32.const 7) (local.get 0)))
        (func $outer (param i32) (result i32)
            (i32.add (call $inner (local.get 0)) (i32.load (local.get 0))))
        (func (param i32) (result i32)
            (i32.add (call $outer (local.get 0)) (call $inner (i32.load8_u (local.get 0))))))"#;
    let tunables = Tunables { inlining: Inlining::Always, ..Tunables::default() };
    let (module, mut funcs) = compile_bytes(&wat::parse_str(text).unwrap(), &tunables);
    let func = funcs.pop().unwrap().unwrap();
    let mut seen = Vec::new();
    for site in &func.meta.traps {
        let frames: Vec<_> = func.meta.frames_at(func.func, site.code).collect();
        for &(func, offset) in &frames {
            let body = &module.bodies[func.0 as usize];
            assert!(body.contains(&(offset.unwrap() as usize)), "{func:?}, {offset:?}");
        }
        seen.push((site.trap, frames.iter().map(|(FuncIdx(func), _)| *func).collect::<Vec<_>>()));
    }
    // With all calls in place it is a leaf, which needs no check of the stack.
    seen.sort_by_key(|(trap, frames)| (*trap as u8, frames.clone()));
    seen.dedup();
    let mut expected = vec![
        (Trap::MemoryOutOfBounds, vec![1, 2]),
        (Trap::MemoryOutOfBounds, vec![2]),
        (Trap::IntegerDivisionByZero, vec![0, 1, 2]),
        (Trap::IntegerDivisionByZero, vec![0, 2]),
    ];
    expected.sort_by_key(|(trap, frames)| (*trap as u8, frames.clone()));
    assert_eq!(seen, expected);
}
