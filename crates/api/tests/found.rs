//! What generated modules have shown to be wrong, each as small as it gets, on every compiler.

use tenure::{Config, Engine, Instance, Module, Store, Strategy, V128, Val};

/// An engine for each compiler, with and without guard pages.
fn engines() -> Vec<(String, Engine)> {
    let mut engines = Vec::new();
    for strategy in [Strategy::Optimizing, Strategy::Baseline] {
        for signals in [true, false] {
            let mut config = Config::new();
            config.strategy(strategy).signals_based_traps(signals);
            engines.push((format!("{strategy:?}, signals {signals}"), Engine::new(&config).unwrap()));
        }
    }
    engines
}

/// Checks what the function `f` of `wat` gives for `arguments`.
fn check(wat: &str, arguments: &[Val], expected: &[Val]) {
    for (name, engine) in engines() {
        let module = Module::new(&engine, wat).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let mut store = Store::new(&engine, ());
        let func = Instance::new(&mut store, &module, &[]).unwrap().get_func(&mut store, "f").unwrap();
        let mut results = vec![Val::I32(0); expected.len()];
        func.call(&mut store, arguments, &mut results).unwrap();
        assert_eq!(format!("{results:?}"), format!("{expected:?}"), "{name}");
    }
}

#[test]
fn a_br_table_takes_a_vector_of_any_lanes_to_several_labels() {
    let wat = r#"(module (func (export "f") (param i32 v128) (result v128)
        (block (result v128)
            (block (result v128)
                (br_table 0 1 0 (i16x8.add (local.get 1) (local.get 1)) (local.get 0)))
            (return (v128.not)))))"#;
    let vector = |bits: u128| Val::V128(V128::from(bits));
    check(wat, &[Val::I32(0), vector(1)], &[vector(!2)]);
    check(wat, &[Val::I32(1), vector(1)], &[vector(2)]);
    check(wat, &[Val::I32(9), vector(1)], &[vector(!2)]);
}
