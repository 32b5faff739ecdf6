//! What a guest does wrong: traps, where they happened, and a store that goes on working.
//!
//! `cargo run -p tenure --example traps`

use tenure::*;

const GUEST: &str = r#"(module $calculator
    (func $divide (param i32 i32) (result i32)
        (i32.div_s (local.get 0) (local.get 1)))
    (func $average (export "average") (param $sum i32) (param $count i32) (result i32)
        (call $divide (local.get $sum) (local.get $count)))
    (func $forever (export "forever") (result i32)
        (i32.add (call $forever) (i32.const 1)))
    (func (export "give_up") unreachable))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let average = instance.get_typed_func::<(i32, i32), i32>(&mut store, "average")?;

    let error = average.call(&mut store, (10, 0)).expect_err("there is no average of nothing");
    // For a person: the backtrace with names, then the cause.
    println!("{error:?}\n");

    // For a program: the code, and the frames, innermost first.
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::IntegerDivisionByZero));
    let backtrace = error.downcast_ref::<WasmBacktrace>().expect("a trap comes with a backtrace");
    let names: Vec<_> = backtrace.frames().iter().map(|frame| frame.func_name()).collect();
    assert_eq!(names, [Some("divide"), Some("average")]);
    assert_eq!(backtrace.frames()[0].module().name(), Some("calculator"));

    // Endless recursion is a trap like any other, on any thread.
    let forever = instance.get_typed_func::<(), i32>(&mut store, "forever")?;
    let trap: Trap = forever.call(&mut store, ()).expect_err("no stack is endless").downcast()?;
    assert_eq!(trap, Trap::StackOverflow);

    let give_up = instance.get_typed_func::<(), ()>(&mut store, "give_up")?;
    let trap: Trap = give_up.call(&mut store, ()).expect_err("unreachable was reached").downcast()?;
    println!("{trap}");
    assert_eq!(trap, Trap::UnreachableCodeReached);

    // Nothing is lost: the same instance answers.
    assert_eq!(average.call(&mut store, (10, 4))?, 2);
    Ok(())
}
