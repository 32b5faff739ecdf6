//! Bytes from people who mean harm: an error or a module, in bounded time, and never a panic.

use std::time::{Duration, Instant};
use tenure::{Engine, Module};

const SOURCE: &str = r#"(module $m
    (type $t (func (param i32 i64 f32 f64 v128) (result i32)))
    (import "a" "f" (func $f (type $t)))
    (import "a" "g" (global $g i32))
    (memory (export "memory") 1 2)
    (table $table 3 3 funcref)
    (global (mut i64) (i64.const 7))
    (elem (table $table) (global.get $g) func $f $h)
    (elem func $h)
    (data (i32.const 8) "data")
    (data "passive")
    (func $h (export "h") (type $t)
        (local i32 i32 f64)
        (block (loop (br_table 0 1 0 (local.get 0)) (br_if 0 (i32.eqz (local.get 0)))))
        (call_indirect (type $t) (i32.load offset=4 (local.get 0)) (i64.const -1) (local.get 2)
            (f64.sqrt (local.get 3)) (local.get 4) (i32.div_s (local.get 0) (local.get 5)))
        (table.set (i32.const 0) (ref.null func))
        (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))))"#;

#[test]
fn cut_and_flipped_modules() {
    let engine = Engine::default();
    let whole = wat::parse_str(SOURCE).unwrap();
    Module::from_binary(&engine, &whole).unwrap();
    // A cut between two sections and some changes may leave a whole module; whatever does not tells where it is bad.
    let check = |bytes: &[u8]| {
        if let Err(error) = Module::from_binary(&engine, bytes) {
            let text = format!("{error:#}");
            assert!(text.contains("at offset 0x"), "{text}");
        }
    };
    for at in 0..whole.len() {
        check(&whole[..at]);
        for value in [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1] {
            let mut changed = whole.clone();
            changed[at] = value;
            check(&changed);
        }
    }
}

#[test]
fn huge_counts_reserve_nothing() {
    let engine = Engine::default();
    // A section of five bytes that claims four billion items, for each section that has items.
    for section in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11] {
        let bytes = [b"\0asm\x01\0\0\0".as_slice(), &[section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert!(Module::from_binary(&engine, &bytes).is_err(), "section {section}");
    }
}

/// The result of compiling `source`, which must be there in time.
fn compiled(source: &str) -> Result<Module, String> {
    let start = Instant::now();
    let module = Module::new(&Engine::default(), source).map_err(|error| format!("{error:#}"));
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
    module
}

#[test]
fn many_locals() {
    let with = |count| compiled(&format!("(module (func (local{})))", " i64".repeat(count)));
    assert!(with(50_000).is_ok());
    assert!(with(50_001).unwrap_err().contains("locals"));
}

#[test]
fn deep_nesting() {
    let nested = |depth| format!("(module (func {}{}))", "block ".repeat(depth), "end ".repeat(depth));
    assert!(compiled(&nested(20_000)).is_ok());
}

#[test]
fn wide_branch_tables() {
    let with = |targets: usize| {
        let labels = " 0".repeat(targets + 1);
        compiled(&format!("(module (func (param i32) (block (br_table{labels} (local.get 0)))))"))
    };
    assert!(with(65_520).is_ok());
    assert!(with(65_521).unwrap_err().contains("br_table"));
    assert!(with(1_000_000).unwrap_err().contains("br_table"));
}

#[test]
fn many_small_functions() {
    let module = compiled("(module (func (export \"\") ))").unwrap();
    assert_eq!(module.functions().len(), 1);
    let module = compiled(&format!("(module {})", "(func)".repeat(10_000))).unwrap();
    assert_eq!(module.functions().len(), 10_000);
}
