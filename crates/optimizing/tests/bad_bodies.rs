//! Wrong bodies give an error with an offset, never a panic.

mod support;

use proptest::prelude::*;
use std::sync::{Arc, OnceLock};
use support::compile_bytes;
use tenure_code::{CompileError, Tunables};
use tenure_module::parse;
use tenure_types::{Features, TypeRegistry};

/// A module whose bodies have something of everything.
const TEXT: &str = r#"(module
    (import "" "f" (func $import (param i32) (result i64)))
    (memory 1) (table 4 funcref) (type $t (func (param i32 i64) (result f64)))
    (global $g (mut i32) (i32.const 0)) (global $v (mut v128) (v128.const i64x2 0 0))
    (func $a (export "a") (param i32 i64) (result f64) (local f32 v128 funcref i32)
        (block $out (block $in (loop $again
            (local.set 5 (i32.load offset=4 (local.get 0)))
            (br_if $out (i64.eqz (local.get 1)))
            (if (i32.lt_s (local.get 5) (i32.const 10)) (then (br $again)) (else (global.set $g (local.get 5))))
            (br_table $in $out $again (local.get 5)))))
        (i64.store8 (local.get 0) (call $import (local.get 5)))
        (f64.add (f64.const 1.5) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 2))))
    (func $b (param i32) (result i32 i64 f32)
        (global.set $v (i32x4.add (v128.load (local.get 0)) (i32x4.splat (local.get 0))))
        (i32.div_s (local.get 0) (global.get $g)) (i64.trunc_f64_s (call $a (local.get 0) (i64.const 3)))
        (f32.demote_f64 (f64.sqrt (f64.const 2))))
    (func $c (param i64) (result f64)
        (return_call $a (i32.wrap_i64 (local.get 0)) (i64.and (local.get 0) (i64.const 0xffffffff)))))"#;

fn module() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| wat::parse_str(TEXT).unwrap())
}

/// Where the bodies lie in the module.
fn bodies() -> Vec<std::ops::Range<usize>> {
    let bytes: Arc<[u8]> = module().into();
    parse(&bytes, Features::default(), &TypeRegistry::default()).unwrap().module.bodies
}

fn check(bytes: &[u8], tunables: &Tunables) {
    for func in compile_bytes(bytes, tunables).1 {
        match func {
            Ok(_) | Err(CompileError::Unsupported { .. } | CompileError::TooLarge { .. }) => {}
            Err(CompileError::Invalid(error)) => assert!(error.offset as usize <= bytes.len(), "{error}"),
            Err(CompileError::Bug(what)) => panic!("{what}"),
        }
    }
}

#[test]
fn the_module_itself_compiles() {
    assert!(compile_bytes(module(), &Tunables::default()).1.iter().all(Result::is_ok));
}

#[test]
fn an_invalid_operator_is_named_by_its_offset() {
    let bytes = wat::parse_str("(module (func nop nop i32.add drop))").unwrap();
    let [Err(CompileError::Invalid(error))] = &compile_bytes(&bytes, &Tunables::default()).1[..] else {
        panic!("the body is invalid");
    };
    let add = bytes.iter().position(|&byte| byte == 0x6a).unwrap();
    assert_eq!(error.offset, add as u64);
}

#[test]
fn every_byte_of_every_body_may_be_anything() {
    for body in bodies() {
        for at in body {
            for byte in [0x00, 0x0b, 0x40, 0x7f, 0x80, 0xfc, 0xfd, 0xff] {
                let mut bytes = module().to_vec();
                bytes[at] = byte;
                check(&bytes, &Tunables::default());
            }
        }
    }
}

#[test]
fn a_body_may_end_anywhere() {
    for body in bodies() {
        for at in body.clone() {
            // The rest of the body are `end`s: there are too many, or too few.
            let mut bytes = module().to_vec();
            bytes[at..body.end].fill(0x0b);
            check(&bytes, &Tunables::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn garbled_bodies_do_not_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        signals in any::<bool>(),
    ) {
        let places: Vec<usize> = bodies().into_iter().flatten().collect();
        let mut bytes = module().to_vec();
        for (place, byte) in changes {
            bytes[places[place.index(places.len())]] = byte;
        }
        check(&bytes, &Tunables { signals, ..Tunables::default() });
    }
}
