//! One store that lives long, and guests that come and go: what nothing reaches any more is given back.
//!
//! `cargo run -p tenure --example reclaim`

use tenure::*;

/// Puts a function of its own into the table that it imports.
const PLUGIN: &str = r#"(module
    (import "app" "handlers" (table $handlers 4 funcref))
    (import "app" "place" (global $place i32))
    (memory 1)
    (func $handle (param i32) (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get 0)))
        (i32.load (i32.const 0)))
    (elem (table $handlers) (global.get $place) func $handle))"#;

const APP: &str = r#"(module
    (type $handler (func (param i32) (result i32)))
    (table $handlers (export "handlers") 4 funcref)
    (func (export "call") (param $place i32) (param i32) (result i32)
        (call_indirect $handlers (type $handler) (local.get 1) (local.get $place)))
    (func (export "forget") (param $place i32)
        (table.set $handlers (local.get $place) (ref.null func))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let app_module = Module::new(&engine, APP)?;
    let plugin_module = Module::new(&engine, PLUGIN)?;
    let mut store = Store::new(&engine, ());

    let app = Instance::new(&mut store, &app_module, &[])?;
    let handlers = app.get_table(&mut store, "handlers").expect("APP exports a table");
    let call = app.get_typed_func::<(i32, i32), i32>(&mut store, "call")?;
    let forget = app.get_typed_func::<i32, ()>(&mut store, "forget")?;

    for round in 0..1_000 {
        // What is made in a scope is released at its end. The plugin then lives on only because the
        // application's table holds its function.
        store.scope(|scope| -> Result<()> {
            let ty = GlobalType::new(ValType::I32, Mutability::Const);
            let place = Global::new(&mut *scope, ty, Val::I32(round % 4))?;
            Instance::new(&mut *scope, &plugin_module, &[handlers.into(), place.into()])?;
            Ok(())
        })?;
        assert_eq!(call.call(&mut store, (round % 4, 5))?, 5);
        assert_eq!(call.call(&mut store, (round % 4, 5))?, 10);
    }

    // Each new plugin took the place of an older one, which went when the store next looked. The last four
    // are still reached.
    store.reclaim();
    assert_eq!(call.call(&mut store, (2, 1))?, 11);

    forget.call(&mut store, 2)?;
    let freed = store.reclaim();
    println!("freed at the end: {} instance, {} memory", freed.instances, freed.memories);
    assert_eq!((freed.instances, freed.memories), (1, 1));
    Ok(())
}
