//! What the runner says of scripts that are right and of scripts that are wrong: a runner that finds nothing
//! wrong would pass every suite.

use std::sync::{Arc, Mutex};

use tenure::{Engine, Store};
use tenure_wast::Context;

/// Functions that the scripts below assert things about.
const MODULE: &str = r#"
(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "nothing"))
  (func (export "nan") (result f32) (f32.const nan))
  (func (export "-nan:0x600000") (result f32) (f32.const -nan:0x600000))
  (func (export "nan64:0x1") (result f64) (f64.const nan:0x1))
  (func (export "half") (result f64) (f64.const 0.5))
  (func (export "lanes") (result v128) (v128.const f32x4 1 nan:0x600000 -nan 4))
  (func (export "unreachable") unreachable)
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $forever (export "forever") (call $forever))
  (func (export "same extern") (param externref) (result externref) (local.get 0))
  (func (export "null func") (result funcref) (ref.null func))
  (func $f (export "func") (result funcref) (ref.func $f))
  (global (export "seven") i32 (i32.const 7))
  (elem declare func $f))
"#;

fn context() -> Context<()> {
    Context::new(Store::new(&Engine::default(), ())).expect("spectest fits into an empty store")
}

/// The message of each directive of `script` that failed, with its line.
fn failures(script: &str) -> Vec<(usize, String)> {
    let outcome = context().run_all("test.wast", script);
    outcome.failures.into_iter().map(|failure| (failure.line, failure.message)).collect()
}

#[track_caller]
fn passes(directives: &str) {
    assert_eq!(failures(&format!("{MODULE}{directives}")), []);
}

/// Each directive, on a line of its own, fails with a message that contains what stands beside it.
#[track_caller]
fn fail(cases: &[(&str, &str)]) {
    for (directive, expected) in cases {
        let failures = failures(&format!("{MODULE}{directive}"));
        assert_eq!(failures.len(), 1, "{directive}: {failures:?}");
        let (line, message) = &failures[0];
        assert_eq!(*line, MODULE.lines().count() + 1, "{directive}");
        assert!(message.contains(expected), "{directive}: {message}");
    }
}

#[test]
fn results_are_compared_by_value() {
    passes(
        r#"
        (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
        (assert_return (invoke "two") (i32.const 1) (i64.const 2))
        (assert_return (invoke "nothing"))
        (assert_return (invoke "half") (f64.const 0.5))
        (assert_return (get "seven") (i32.const 7))
        (assert_return (invoke "add" (i32.const 1) (i32.const 2)) (either (i32.const 2) (i32.const 3)))
        "#,
    );
    fail(&[
        (
            r#"(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))"#,
            "expected (i32.const 4), found (i32.const 3)",
        ),
        (
            r#"(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i64.const 3))"#,
            "expected (i64.const 3), found (i32.const 3)",
        ),
        (
            r#"(assert_return (invoke "two") (i32.const 1))"#,
            "expected (i32.const 1), found (i32.const 1) (i64.const 2)",
        ),
        (
            r#"(assert_return (invoke "two") (i32.const 1) (i64.const 3))"#,
            "found (i32.const 1) (i64.const 2)",
        ),
        (r#"(assert_return (invoke "nothing") (i32.const 1))"#, "expected (i32.const 1), found nothing"),
        (r#"(assert_return (get "seven") (i32.const 8))"#, "expected (i32.const 8), found (i32.const 7)"),
        (r#"(assert_return (invoke "half") (f64.const 0.25))"#, "expected (f64.const 0.25)"),
        (
            r#"(assert_return (get "seven") (either (i32.const 8) (i32.const 9)))"#,
            "expected (either (i32.const 8) (i32.const 9)), found (i32.const 7)",
        ),
        (r#"(assert_return (invoke "unreachable"))"#, "expected nothing, found an error: "),
    ]);
}

#[test]
fn nans_are_compared_by_pattern() {
    passes(
        r#"
        (assert_return (invoke "nan") (f32.const nan:canonical))
        (assert_return (invoke "nan") (f32.const nan:arithmetic))
        (assert_return (invoke "nan") (f32.const nan))
        (assert_return (invoke "-nan:0x600000") (f32.const nan:arithmetic))
        (assert_return (invoke "-nan:0x600000") (f32.const -nan:0x600000))
        (assert_return (invoke "lanes") (v128.const f32x4 1 nan:arithmetic nan:canonical 4))
        "#,
    );
    fail(&[
        (
            r#"(assert_return (invoke "-nan:0x600000") (f32.const nan:canonical))"#,
            "expected (f32.const nan:canonical)",
        ),
        (
            r#"(assert_return (invoke "nan64:0x1") (f64.const nan:arithmetic))"#,
            "expected (f64.const nan:arithmetic)",
        ),
        (r#"(assert_return (invoke "half") (f64.const nan:canonical))"#, "found (f64.const 0.5)"),
        (r#"(assert_return (invoke "nan") (f32.const -nan))"#, "0xffc00000"),
        (
            r#"(assert_return (invoke "lanes") (v128.const f32x4 1 nan:canonical nan:canonical 4))"#,
            "v128.const",
        ),
        (
            r#"(assert_return (invoke "lanes") (v128.const i32x4 1 2 3 4))"#,
            "(v128.const i32x4 0x1 0x2 0x3 0x4)",
        ),
    ]);
}

#[test]
fn references_are_compared_by_what_can_be_seen_of_them() {
    passes(
        r#"
        (assert_return (invoke "same extern" (ref.extern 5)) (ref.extern 5))
        (assert_return (invoke "same extern" (ref.extern 5)) (ref.extern))
        (assert_return (invoke "same extern" (ref.null extern)) (ref.null extern))
        (assert_return (invoke "null func") (ref.null))
        (assert_return (invoke "null func") (ref.null func))
        (assert_return (invoke "func") (ref.func))
        "#,
    );
    fail(&[
        (
            r#"(assert_return (invoke "same extern" (ref.extern 5)) (ref.extern 6))"#,
            "expected (ref.extern 6)",
        ),
        (r#"(assert_return (invoke "same extern" (ref.extern 5)) (ref.null extern))"#, "found (ref.extern)"),
        (r#"(assert_return (invoke "same extern" (ref.null extern)) (ref.extern))"#, "found (ref.null)"),
        (r#"(assert_return (invoke "null func") (ref.null extern))"#, "expected (ref.null extern)"),
        (r#"(assert_return (invoke "null func") (ref.func))"#, "expected (ref.func), found (ref.null)"),
        (r#"(assert_return (invoke "func") (ref.null func))"#, "found (ref.func)"),
    ]);
}

#[test]
fn traps_are_compared_by_kind() {
    passes(
        r#"
        (assert_trap (invoke "unreachable") "unreachable")
        (assert_trap (invoke "divide" (i32.const 0)) "integer divide by zero")
        (assert_exhaustion (invoke "forever") "call stack exhausted")
        (assert_trap (module (func $f unreachable) (start $f)) "unreachable")
        (assert_trap (module (memory 1) (data (i32.const 65536) "x")) "out of bounds memory access")
        "#,
    );
    fail(&[
        (
            r#"(assert_trap (invoke "unreachable") "integer overflow")"#,
            "expected the trap \"integer overflow\", found another",
        ),
        (r#"(assert_trap (invoke "divide" (i32.const 1)) "integer divide by zero")"#, "found (i32.const 1)"),
        (r#"(assert_exhaustion (invoke "unreachable") "call stack exhausted")"#, "found another"),
        (r#"(assert_trap (module (import "no" "such" (func))) "unreachable")"#, "found an error: "),
        (
            r#"(assert_trap (invoke "no such function") "unreachable")"#,
            "there is no exported function \"no such function\"",
        ),
        (r#"(assert_exception (invoke "nothing"))"#, "expected an exception, found nothing"),
        (r#"(assert_exception (invoke "unreachable"))"#, "expected an exception, found an error: "),
    ]);
}

#[test]
fn modules_are_held_to_be_refused() {
    passes(
        r#"
        (assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
        (assert_malformed (module quote "(func (i32.const))") "unexpected token")
        (assert_malformed (module binary "\00asm") "unexpected end")
        (assert_unlinkable (module (import "no" "such" (func))) "unknown import")
        (assert_unlinkable (module (import "spectest" "memory" (func))) "incompatible import type")
        "#,
    );
    fail(&[
        (r#"(assert_invalid (module (func)) "type mismatch")"#, "invalid (type mismatch), but it is valid"),
        (
            r#"(assert_malformed (module quote "(func)") "unexpected token")"#,
            "malformed (unexpected token), but",
        ),
        (r#"(assert_malformed (module binary "\00asm\01\00\00\00") "x")"#, "malformed (x), but"),
        (
            r#"(assert_unlinkable (module (import "spectest" "print" (func))) "unknown import")"#,
            "instantiated",
        ),
        (
            r#"(assert_unlinkable (module (import "no" "such" (func))) "incompatible import type")"#,
            "found \"unknown import",
        ),
        (r#"(assert_unlinkable (module (func $f unreachable) (start $f)) "unknown import")"#, "found a trap"),
    ]);
}

#[test]
fn what_a_script_gets_wrong_itself_is_no_result() {
    fail(&[
        (r#"(invoke "add" (i32.const 1))"#, "1 arguments for a function of 2 parameters"),
        (r#"(invoke "add" (i32.const 1) (f32.const 1))"#, "for a parameter of type i32"),
        (r#"(assert_trap (invoke "add") "unreachable")"#, "0 arguments"),
        (
            r#"(assert_return (get "no such global") (i32.const 1))"#,
            "there is no exported global \"no such global\"",
        ),
        (r#"(register "name" $no)"#, "there is no instance $no"),
        (r#"(assert_return (invoke $no "add"))"#, "there is no instance $no"),
        (r#"(module instance $i $no)"#, "there is no module definition $no"),
        (r#"(thread $t)"#, "not supported"),
        (r#"(wait $t)"#, "not supported"),
    ]);
}

#[test]
fn modules_are_named_registered_and_instantiated_twice() {
    let script = r#"
        (module definition $counter
          (global $n (mut i32) (i32.const 0))
          (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (global.get $n)))
        (module instance $a $counter)
        (module instance $b $counter)
        (assert_return (invoke $a "next") (i32.const 1))
        (assert_return (invoke $a "next") (i32.const 2))
        (assert_return (invoke $b "next") (i32.const 1))
        (register "counter" $a)
        (module $user
          (import "counter" "next" (func $next (result i32)))
          (func (export "twice") (result i32) (drop (call $next)) (call $next)))
        (assert_return (invoke "twice") (i32.const 4))
        (register "counter" $b)
        (module (import "counter" "next" (func $next (result i32))) (export "next" (func $next)))
        (assert_return (invoke "next") (i32.const 2))
        (assert_return (invoke $user "twice") (i32.const 6))
    "#;
    assert_eq!(failures(script), []);
}

#[test]
fn a_failed_module_leaves_no_current_instance() {
    let script = r#"(module (func (export "f")))
        (module $m (func (export "f")))
        (invoke $m "f")
        (module $m (import "no" "such" (func)))
        (invoke "f")
        (invoke $m "f")
        (register "m")
        (module (func (export "f")))
        (invoke "f")
        "#;
    let lines: Vec<usize> = failures(script).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 5, 6, 7]);
}

#[test]
fn run_stops_at_the_first_failure_and_says_where() {
    let script = "(module)\n(module)\n  (invoke \"f\")\n(invoke \"g\")";
    let failure = context().run("dir/x.wast", script).unwrap_err();
    assert_eq!(failure.to_string(), "dir/x.wast:3:4: invoke: there is no exported function \"f\"");
    assert_eq!(context().run("x.wast", "(module) (module)"), Ok(2));
}

#[test]
fn a_text_that_is_no_script_fails_at_its_place() {
    for (text, place) in
        [("(module)\n  (assert_foo)", (2, 4)), ("(module)\n \"", (2, 3)), ("(module", (1, 8))]
    {
        let failure = context().run("x.wast", text).unwrap_err();
        assert_eq!((failure.line, failure.column), place, "{text}: {failure}");
        assert_eq!(failure.directive, "script");
    }
}

#[test]
fn spectest_prints_a_line_a_call() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let to = lines.clone();
    let store = Store::new(&Engine::default(), ());
    let mut context = Context::printing(store, move |line| to.lock().unwrap().push(line.to_owned())).unwrap();
    let script = r#"
        (module
          (import "spectest" "print_i32_f32" (func $print (param i32 f32)))
          (import "spectest" "global_i64" (global i64))
          (func (export "run") (call $print (i32.const -1) (f32.const 0.5))))
        (invoke "run")
    "#;
    assert_eq!(context.run("x.wast", script), Ok(2));
    assert_eq!(*lines.lock().unwrap(), ["-1 : i32 0.5 : f32"]);
}
