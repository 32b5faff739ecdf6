//! Deadlines in epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tenure::{Config, Engine, Instance, Module, Store, Strategy, Trap, TypedFunc, UpdateDeadline, bail};

fn spinner() -> (Engine, Store<u32>, TypedFunc<(), ()>) {
    spinner_of(Strategy::Auto)
}

fn spinner_of(strategy: Strategy) -> (Engine, Store<u32>, TypedFunc<(), ()>) {
    let engine = Engine::new(Config::new().epoch_interruption(true).strategy(strategy)).unwrap();
    let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#).unwrap();
    let mut store = Store::new(&engine, 0);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let spin = instance.get_typed_func(&mut store, "spin").unwrap();
    (engine, store, spin)
}

#[test]
fn a_store_without_a_deadline_is_interrupted_at_once() {
    let (_, mut store, spin) = spinner();
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
}

#[test]
fn a_loop_that_writes_nothing_is_interrupted_from_another_thread() {
    for strategy in [Strategy::Optimizing, Strategy::Baseline] {
        let (engine, mut store, spin) = spinner_of(strategy);
        store.set_epoch_deadline(3);
        let clock = std::thread::spawn(move || (0..3).for_each(|_| engine.increment_epoch()));
        let error = spin.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{strategy:?}");
        clock.join().unwrap();
    }
}

#[test]
fn the_callback_decides_and_sees_the_store() {
    let (engine, mut store, spin) = spinner();
    store.set_epoch_deadline(1);
    let seen = Arc::new(AtomicU32::new(0));
    let counted = seen.clone();
    store.epoch_deadline_callback(move |mut store| {
        *store.data_mut() += 1;
        counted.fetch_add(1, Ordering::Relaxed);
        match *store.data() {
            1..=4 => Ok(UpdateDeadline::Continue(0)),
            _ => bail!("enough"),
        }
    });
    engine.increment_epoch();
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.root_cause().to_string(), "enough");
    assert_eq!((*store.data(), seen.load(Ordering::Relaxed)), (5, 5));

    // And interrupts, when it says so; and without it the deadline is a trap again.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Interrupt));
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    store.epoch_deadline_trap();
    let error = spin.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
}

#[test]
fn a_callback_that_panics_leaves_a_store_that_works() {
    let (engine, mut store, spin) = spinner();
    store.epoch_deadline_callback(|_| panic!("no time"));
    engine.increment_epoch();
    let payload =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spin.call(&mut store, ()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"no time"));
    store.epoch_deadline_trap();
    assert_eq!(spin.call(&mut store, ()).unwrap_err().downcast_ref(), Some(&Trap::Interrupt));
}

#[test]
fn a_deadline_beyond_the_last_epoch_saturates() {
    let (engine, mut store, _) = spinner();
    engine.increment_epoch();
    store.set_epoch_deadline(u64::MAX);
    let module = Module::new(&engine, r#"(module (func (export "f") (result i32) (i32.const 1)))"#).unwrap();
    let f =
        Instance::new(&mut store, &module, &[]).unwrap().get_typed_func::<(), i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 1);
}

/// A function that keeps more values of every class alive around its loop than there are registers.
fn crowded() -> String {
    let classes = ["i32", "i64", "f32", "f64"];
    let mut locals = String::new();
    let (mut first, mut step, mut sum) = (String::new(), String::new(), String::new());
    for class in classes {
        for at in 0..20 {
            let name = format!("${class}_{at}");
            locals += &format!("(local {name} {class})");
            first += &format!("(local.set {name} ({class}.const {at}))");
            step += &format!(
                "(local.set {name} ({class}.add (local.get {name}) ({class}.const {})))",
                at % 3 + 1
            );
            let value = match class {
                "i32" => format!("(i64.extend_i32_u (local.get {name}))"),
                "i64" => format!("(local.get {name})"),
                float => format!("(i64.trunc_{float}_s (local.get {name}))"),
            };
            sum += &format!("(local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 3)) {value}))");
        }
    }
    format!(
        r#"(module (func (export "run") (param $n i32) (result i64) (local $sum i64) {locals} {first}
            (loop $l {step} (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            {sum} (local.get $sum)))"#
    )
}

#[test]
fn an_epoch_that_comes_at_every_turn_changes_no_value() {
    let run = |strategy, epochs: bool| {
        let engine = Engine::new(Config::new().epoch_interruption(epochs).strategy(strategy)).unwrap();
        let module = Module::new(&engine, crowded()).unwrap();
        let mut store = Store::new(&engine, 0_u32);
        if epochs {
            store.epoch_deadline_callback(|mut store| {
                *store.data_mut() += 1;
                Ok(UpdateDeadline::Continue(0))
            });
        }
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
        (run.call(&mut store, 25).unwrap(), *store.data())
    };
    for strategy in [Strategy::Optimizing, Strategy::Baseline] {
        let (expected, _) = run(strategy, false);
        let (found, calls) = run(strategy, true);
        assert_eq!((found, calls), (expected, 26), "{strategy:?}");
    }
}
