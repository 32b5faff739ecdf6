//! A body that was checked before, and whose summary was kept, compiles to what it compiles to when it is checked on the way.

mod support;

use std::sync::Arc;
use support::generate::{Options, generate};
use support::{Random, baseline, baseline_refused, features};
use tenure_code::{CompileUnit, Compiler, Tunables};
use tenure_module::{Body, BodyChecker, Summaries};
use tenure_types::TypeRegistry;

/// Compiles every body of `bytes` both ways; how many there are.
fn compare(bytes: &[u8], tunables: &Tunables) -> usize {
    let bytes: Arc<[u8]> = bytes.into();
    let registry = TypeRegistry::default();
    let mut parsed = tenure_module::parse(&bytes, features(), &registry).expect("the module is right");
    let layout = tenure_code::layout(&parsed.module).expect("the context is small");
    let Some(bodies) = parsed.bodies.first().map(Body::bodies) else { return 0 };
    // Kept in two parts, as when two threads check.
    let half = parsed.bodies.len() / 2;
    let parts = [&parsed.bodies[..half], &parsed.bodies[half..]].map(|part| {
        let mut checker = BodyChecker::default();
        for body in part {
            checker.check(&parsed.module, body.again()).expect("the body is right");
        }
        checker.into_summaries()
    });
    let plain = std::mem::take(&mut parsed.bodies);
    parsed.module.summaries = Summaries::join(parts);

    let unit = CompileUnit { module: &parsed.module, layout: &layout, tunables, profile: None };
    let compiler = baseline();
    let count = plain.len();
    for body in plain {
        let func = body.func;
        let checked = bodies.body(&parsed.module, func).expect("the function has a body");
        assert!(checked.is_checked() && checked.summary().is_some() && !body.is_checked());
        match (compiler.compile(unit, checked), compiler.compile(unit, body)) {
            (Ok(checked), Ok(plain)) => assert!(checked == plain, "function {} differs", func.0),
            (Err(checked), Err(plain)) => {
                assert_eq!(checked, plain);
                assert!(baseline_refused(&plain), "function {}: {plain}", func.0);
            }
            (checked, plain) => panic!("function {}: {:?}, {:?}", func.0, checked.err(), plain.err()),
        }
    }
    count
}

#[test]
fn programs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs");
    let mut bodies = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            bodies += compare(&std::fs::read(&path).unwrap(), &Tunables::default());
        }
    }
    assert!(bodies > 100, "only {bodies} bodies");
}

#[test]
fn random_modules() {
    for seed in 0..60 {
        let options = Options { vectors: seed % 2 == 0, memory_64: seed % 3 == 0, tail_calls: seed % 5 == 0 };
        let module = generate(&mut Random(seed), options);
        for tiering in [false, true] {
            assert!(compare(&module.bytes, &Tunables { tiering, ..Tunables::default() }) > 0);
        }
    }
}
