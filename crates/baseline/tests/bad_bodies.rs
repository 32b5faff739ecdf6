//! Wrong bodies give the error that the validator gives, never a panic.

mod support;

use std::sync::{Arc, OnceLock};
use support::{Random, baseline, compile_bytes, features};
use tenure_code::{CompileError, Tunables};
use tenure_module::{BodyAllocations, parse};
use tenure_types::TypeRegistry;

/// A module whose bodies have something of everything.
const TEXT: &str = r#"(module
    (import "" "f" (func $import (param i32) (result i64)))
    (memory 1) (table 4 funcref) (type $t (func (param i32 i64) (result f64)))
    (global $g (mut i32) (i32.const 0)) (global $v (mut v128) (v128.const i64x2 0 0))
    (func $a (export "a") (param i32 i64) (result f64) (local f32 v128 funcref i32)
        (block $out (block $in (loop $again
            (local.set 5 (i32.load offset=4 (local.get 0)))
            (br_if $out (i64.eqz (local.get 1)))
            (if (i32.lt_s (local.get 5) (i32.const 100000)) (then (br $again)) (else (global.set $g (local.get 5))))
            (br_table $in $out $again (local.get 5)))))
        (i64.store8 (local.get 0) (call $import (local.get 5)))
        (memory.fill (local.get 0) (i32.const 1) (i32.const 2))
        (f64.add (f64.const 1.5) (call_indirect (type $t) (local.get 0) (local.get 1) (i32.const 2))))
    (func $b (param i32) (result i32 i64 f32)
        (global.set $v (i32x4.add (v128.load (local.get 0)) (i32x4.splat (local.get 0))))
        (i32.div_s (local.get 0) (global.get $g)) (i64.trunc_f64_s (call $a (local.get 0) (i64.const 3)))
        (f32.demote_f64 (f64.sqrt (f64.const 2))))
    (func $c (param i64) (result f64)
        (return_call $a (i32.wrap_i64 (local.get 0)) (i64.and (local.get 0) (i64.const 0xffffffff))))
    (func $d (param $x i32) (result i32) (local $s i32)
        (loop $l (result i32)
            (local.set $s (i32.add (local.get $s) (i32.mul (local.get $x) (i32.const 3))))
            (br_if $l (local.tee $x (i32.sub (local.get $x) (i32.const 1))))
            (select (local.get $s) (local.get $x) (i32.eqz (local.get $x))))))"#;

fn module() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| wat::parse_str(TEXT).unwrap())
}

/// Where the bodies lie in the module.
fn bodies() -> Vec<std::ops::Range<usize>> {
    let bytes: Arc<[u8]> = module().into();
    parse(&bytes, features(), &TypeRegistry::default()).unwrap().module.bodies
}

/// The compiler finds what the validator finds, where it finds it.
fn check(bytes: &[u8]) {
    let shared: Arc<[u8]> = bytes.into();
    let Ok(parsed) = parse(&shared, features(), &TypeRegistry::default()) else { return };
    let valid: Vec<_> =
        parsed.bodies.into_iter().map(|body| body.validate(BodyAllocations::default())).collect();
    let compiled = compile_bytes(&baseline(), bytes, &Tunables::default()).1;
    for (valid, compiled) in valid.iter().zip(compiled) {
        match (valid, compiled) {
            (Err(expected), Err(CompileError::Invalid(found))) => {
                assert_eq!(expected.offset, found.offset, "{expected} and {found}");
                // What stands outside what is not known when one operator is read by itself.
                let outside = expected.message.contains("found outside");
                assert!(outside || expected.message == found.message, "{expected} and {found}");
            }
            (Ok(_), Ok(_) | Err(CompileError::Unsupported { .. })) => {}
            // Found before it got to what is wrong.
            (Err(_), Err(CompileError::Unsupported { .. })) => {}
            (valid, compiled) => panic!("{:?} and {compiled:?}", valid.as_ref().map(|_| ())),
        }
    }
}

#[test]
fn the_module_itself_compiles() {
    let compiled = compile_bytes(&baseline(), module(), &Tunables::default()).1;
    for func in compiled {
        assert!(func.is_ok(), "{func:?}");
    }
}

#[test]
fn any_byte_may_be_any_other() {
    let mut random = Random(7);
    for body in bodies() {
        for at in body.clone() {
            for _ in 0..12 {
                let mut bytes = module().to_vec();
                bytes[at] = random.next() as u8;
                check(&bytes);
            }
        }
    }
}

#[test]
fn several_bytes_may_be_any_others() {
    let mut random = Random(8);
    let bodies = bodies();
    for _ in 0..3000 {
        let mut bytes = module().to_vec();
        for _ in 0..1 + random.below(6) {
            let body = random.pick(&bodies).clone();
            bytes[body.start + random.below(body.len())] = random.next() as u8;
        }
        check(&bytes);
    }
}

#[test]
fn a_body_may_end_anywhere() {
    // The rest of the body becomes `nop`s, or `end`s, which it must not have.
    for body in bodies() {
        for at in body.clone() {
            for fill in [0x01, 0x0b, 0x00, 0x05, 0x20, 0x0e] {
                let mut bytes = module().to_vec();
                bytes[at..body.end].fill(fill);
                check(&bytes);
            }
        }
    }
}
