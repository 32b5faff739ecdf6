//! Deadlines: a clock interrupts guests that run for too long, and a callback that lets one go on.
//!
//! `cargo run -p tenure --example epochs`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tenure::*;

const GUEST: &str = r#"(module
    (func (export "spin") (loop (br 0)))
    (func (export "answer") (result i32) (i32.const 42)))"#;

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().epoch_interruption(true))?;
    let module = Module::new(&engine, GUEST)?;

    // One clock for every store of the engine.
    let done = Arc::new(AtomicBool::new(false));
    let clock = std::thread::spawn({
        let (engine, done) = (engine.clone(), done.clone());
        move || {
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
                engine.increment_epoch();
            }
        }
    });

    let mut store = Store::new(&engine, 0);
    let instance = Instance::new(&mut store, &module, &[])?;
    let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    store.set_epoch_deadline(5);
    let error = spin.call(&mut store, ()).expect_err("it never returns");
    println!("{error:?}");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));

    // The store goes on working, with a new deadline.
    let answer = instance.get_typed_func::<(), i32>(&mut store, "answer")?;
    store.set_epoch_deadline(1_000_000);
    assert_eq!(answer.call(&mut store, ())?, 42);

    // A callback decides each time: here the guest may go on three times.
    store.epoch_deadline_callback(|mut store| {
        *store.data_mut() += 1;
        Ok(if *store.data() <= 3 { UpdateDeadline::Continue(2) } else { UpdateDeadline::Interrupt })
    });
    store.set_epoch_deadline(1);
    spin.call(&mut store, ()).expect_err("it is interrupted in the end");
    assert_eq!(*store.data(), 4);

    done.store(true, Ordering::Relaxed);
    clock.join().expect("the clock does not panic");
    Ok(())
}
