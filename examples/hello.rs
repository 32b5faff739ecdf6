//! The shortest way from WebAssembly text to a call: compile, give it what it imports, call what it exports.
//!
//! `cargo run -p tenure --example hello`

use tenure::*;

fn main() -> Result<()> {
    // An engine holds the configuration and the compiled code; a program usually has one.
    let engine = Engine::default();

    // A module is compiled once and can be instantiated any number of times, on any thread.
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "print" (func $print (param i32)))
            (func (export "run") (param i32) (result i32)
                (call $print (local.get 0))
                (i32.mul (local.get 0) (i32.const 2))))"#,
    )?;

    // A store owns what guests make, and a value of the host's own: here, nothing.
    let mut store = Store::new(&engine, ());
    let print = Func::wrap(&mut store, |number: i32| println!("the guest says {number}"));

    let instance = Instance::new(&mut store, &module, &[print.into()])?;
    // The type is checked here, once, so that calls need not check it.
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    let answer = run.call(&mut store, 21)?;

    println!("and returns {answer}");
    assert_eq!(answer, 42);
    Ok(())
}
