//! Deadlines in epochs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use tenure::{
    AsContextMut, Caller, Config, Engine, Extern, Func, Instance, Memory, Module, OnStackReplacement, Store,
    Strategy, TierUp, Trap, TypedFunc, UpdateDeadline, bail,
};

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
    // It is still the one that decides.
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spin.call(&mut store, ())));
    assert_eq!(again.unwrap_err().downcast_ref(), Some(&"no time"));
    store.epoch_deadline_trap();
    assert_eq!(spin.call(&mut store, ()).unwrap_err().downcast_ref(), Some(&Trap::Interrupt));
}

#[test]
fn a_memory_may_move_whenever_the_deadline_comes() {
    // Without calls, with more that is worth a register than there are registers which calls leave alone.
    let source = r#"(module (memory (export "m") 1)
        (func (export "run") (param $a i64) (param $b i64) (param $c i64)
            (loop $l
                (local.set $a (i64.add (local.get $a) (local.get $b)))
                (local.set $b (i64.add (local.get $b) (local.get $c)))
                (local.set $c (i64.sub (local.get $c) (i64.const 1)))
                (i64.store (i32.const 0) (local.get $a))
                (br_if $l (i64.ne (local.get $c) (i64.const 0))))))"#;
    for strategy in [Strategy::Baseline, Strategy::Optimizing, Strategy::Tiered] {
        for signals in [true, false] {
            let mut config = Config::new();
            config.epoch_interruption(true).strategy(strategy).signals_based_traps(signals);
            config.memory_reservation(1 << 16).memory_guard_size(1 << 16);
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, source).unwrap();
            let mut store = Store::new(&engine, None::<Memory>);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = instance.get_memory(&mut store, "m").unwrap();
            *store.data_mut() = Some(memory);
            store.set_epoch_deadline(0);
            let before = memory.data_ptr(&store);
            store.epoch_deadline_callback(|mut store| {
                let memory = store.data().unwrap();
                memory.grow(&mut store, 4)?;
                Ok(UpdateDeadline::Continue(if memory.size(&store) > 40 { u64::MAX } else { 0 }))
            });
            let run = instance.get_typed_func::<(i64, i64, i64), ()>(&mut store, "run").unwrap();
            run.call(&mut store, (1, 2, 100)).unwrap();
            assert_ne!(memory.data_ptr(&store), before, "the memory has not moved");
            let (mut a, mut b) = (1_i64, 2_i64);
            for c in (1..=100).rev() {
                (a, b) = (a + b, b + c);
            }
            assert_eq!(memory.data(&store)[..8], a.to_le_bytes(), "{strategy:?}, signals {signals}");
        }
    }
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

type Change = fn(&mut Config);

/// An engine that watches epochs for each way to make code and to find traps.
fn watching() -> Vec<(String, Engine)> {
    let mut engines = Vec::new();
    for signals in [true, false] {
        let tiers: [(&str, Change); 3] = [
            ("optimizing", |config| {
                config.strategy(Strategy::Optimizing);
            }),
            ("baseline", |config| {
                config.strategy(Strategy::Baseline);
            }),
            ("tiered, from loops", |config| {
                config
                    .strategy(Strategy::Tiered)
                    .tier_up_budget(0)
                    .tier_up_budget_per_byte(0)
                    .tier_up(TierUp::AtOnce)
                    .on_stack_replacement(OnStackReplacement::First);
            }),
        ];
        for (name, set) in tiers {
            let mut config = Config::new();
            config.epoch_interruption(true).signals_based_traps(signals);
            set(&mut config);
            engines.push((format!("{name}, signals {signals}"), Engine::new(&config).unwrap()));
        }
    }
    engines
}

/// Advances an engine's epoch until it is dropped.
struct Clock {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    fn start(engine: &Engine) -> Self {
        let (engine, stop) = (engine.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                engine.increment_epoch();
                std::thread::yield_now();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Code that goes on for ever, with and without loops.
const ENDLESS: &str = r#"(module
    (func (export "loop") (loop (br 0)))
    (func (export "loops") (local i32)
        (loop (local.set 0 (i32.const 3)) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br 0)))
    (func $tree (export "tree") (call $deep (i32.const 60)))
    (func $deep (param i32)
        (if (local.get 0) (then
            (call $deep (i32.sub (local.get 0) (i32.const 1)))
            (call $deep (i32.sub (local.get 0) (i32.const 1))))))
    (func $tail (export "tail") (return_call $tail))
    (type $void (func))
    (table 1 funcref)
    (elem (i32.const 0) $leaf)
    (func $leaf (export "leaf"))
    (func (export "calls") (loop (call_indirect (type $void) (i32.const 0)) (br 0))))"#;

#[test]
fn whatever_goes_on_for_ever_is_interrupted_from_another_thread() {
    for (way, engine) in watching() {
        let module = Module::new(&engine, ENDLESS).unwrap();
        for name in ["loop", "loops", "tree", "tail", "calls"] {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(2);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let endless = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
            let clock = engine.clone();
            let clock = std::thread::spawn(move || (0..2).for_each(|_| clock.increment_epoch()));
            let error = endless.call(&mut store, ()).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{way}: {name}");
            clock.join().unwrap();
        }
    }
}

#[test]
fn what_the_host_calls_is_interrupted_where_it_begins() {
    for (way, engine) in watching() {
        let module = Module::new(&engine, ENDLESS).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let leaf = instance.get_typed_func::<(), ()>(&mut store, "leaf").unwrap();
        let error = leaf.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{way}");
        store.set_epoch_deadline(1);
        leaf.call(&mut store, ()).unwrap();
    }
}

/// A function that calls itself for ever or a number of times, with so many values alive that its frame is large.
fn deep(values: usize) -> String {
    let (mut locals, mut set, mut sum) = (String::new(), String::new(), String::new());
    for at in 0..values {
        locals += &format!("(local $v{at} i64)");
        // A load stays where it is: its value is there during the call.
        set += &format!("(local.set $v{at} (i64.load offset={} (local.get $n)))", 8 * at);
        sum += &format!(
            "(local.set $sum (i64.xor (i64.rotl (local.get $sum) (i64.const 1)) (local.get $v{at})))"
        );
    }
    format!(
        r#"(module (memory 1) (data (i32.const 0) "{}")
            (func $deep (export "deep") (param $n i32) (result i64) (local $sum i64) {locals} {set}
            (if (local.get $n) (then
                (local.set $sum (call $deep (i32.sub (local.get $n) (i32.const 1))))))
            {sum} (local.get $sum)))"#,
        "tenure".repeat(5000)
    )
}

#[test]
fn a_stack_that_is_used_up_is_that_whatever_the_epoch() {
    for (way, engine) in watching() {
        for values in [0, 40, 2200] {
            let module = Module::new(&engine, deep(values)).unwrap();
            let mut store = Store::new(&engine, 0_u32);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let deep = instance.get_typed_func::<i32, i64>(&mut store, "deep").unwrap();
            store.set_epoch_deadline(u64::MAX);
            let expected = deep.call(&mut store, 12).unwrap();
            // Levels without values take little, and are inlined; the others read memory at their number.
            let many = if values == 0 { 400_000 } else { 40_000 };

            // It comes at every look, and while the stack is used up.
            store.epoch_deadline_callback(|mut store| {
                *store.data_mut() += 1;
                Ok(UpdateDeadline::Continue(0))
            });
            store.set_epoch_deadline(0);
            assert_eq!(deep.call(&mut store, 12).unwrap(), expected, "{way}, {values} values");
            // Of four levels, of which three are inlined, one looks.
            assert!(*store.data() >= 13 / 4, "{way}, {values} values: {}", store.data());
            let error = deep.call(&mut store, many).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow), "{way}, {values} values");

            // It comes again and again from outside.
            let _clock = Clock::start(&engine);
            store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
            for _ in 0..20 {
                assert_eq!(deep.call(&mut store, 12).unwrap(), expected, "{way}, {values} values");
            }
            let error = deep.call(&mut store, many).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow), "{way}, {values} values");
        }
    }
}

#[test]
fn each_store_has_its_own_deadline() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let module = Module::new(&engine, deep(0)).unwrap();
    let mut stores: Vec<_> = (1..=100)
        .map(|deadline| {
            let mut store = Store::new(&engine, deadline);
            store.set_epoch_deadline(deadline);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let deep = instance.get_typed_func::<i32, i64>(&mut store, "deep").unwrap();
            (store, deep)
        })
        .collect();
    for now in 1..=100 {
        engine.increment_epoch();
        for (store, deep) in &mut stores {
            let outcome = deep.call(&mut *store, 3);
            assert_eq!(outcome.is_err(), *store.data() <= now, "at {now}: the deadline is {}", store.data());
        }
        // Others take the places of those that go.
        if now % 10 == 0 {
            stores.retain(|(store, _)| *store.data() > now);
        }
    }
    assert!(stores.is_empty());
}

#[test]
fn a_host_function_moves_the_deadline_of_the_calls_around_it() {
    for (way, engine) in watching() {
        let module = Module::new(
            &engine,
            r#"(module
                (import "" "host" (func $host (param i32) (result i32)))
                (func (export "inner") (loop (br 0)))
                (func (export "outer") (param $n i32) (result i32)
                    (local $sum i32)
                    (local.set $sum (call $host (local.get $n)))
                    (loop $l
                        (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
                        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                    (local.get $sum)))"#,
        )
        .unwrap();
        for extends in [true, false] {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(1);
            let host =
                Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| -> tenure::Result<i32> {
                    let inner = caller.get_export("inner").and_then(Extern::into_func).unwrap();
                    let inner = inner.typed::<(), ()>(&caller)?;
                    caller.engine().increment_epoch();
                    let error = inner.call(&mut caller, ()).unwrap_err();
                    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
                    if extends {
                        caller.as_context_mut().set_epoch_deadline(1);
                    }
                    Ok(n)
                });
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
            let outcome = outer.call(&mut store, 5);
            match extends {
                true => assert_eq!(outcome.unwrap(), 10, "{way}"),
                false => {
                    let error = outcome.unwrap_err();
                    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt), "{way}");
                }
            }
        }
    }
}

#[test]
fn stores_come_and_go_while_the_epoch_advances() {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let module = Module::new(&engine, deep(3)).unwrap();
    let expected = {
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        instance.get_typed_func::<i32, i64>(&mut store, "deep").unwrap().call(&mut store, 40).unwrap()
    };
    let _clocks = [Clock::start(&engine), Clock::start(&engine)];
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (engine, module) = (&engine, &module);
            scope.spawn(move || {
                for turn in 0..300 {
                    let mut store = Store::new(engine, 0_u32);
                    store.epoch_deadline_callback(move |mut store| {
                        *store.data_mut() += 1;
                        Ok(UpdateDeadline::Continue((thread + turn) % 3))
                    });
                    let instance = Instance::new(&mut store, module, &[]).unwrap();
                    let deep = instance.get_typed_func::<i32, i64>(&mut store, "deep").unwrap();
                    assert_eq!(deep.call(&mut store, 40).unwrap(), expected);
                    assert!(*store.data() > 0, "the first deadline is epoch 0");
                }
            });
        }
    });
}

#[test]
fn an_engine_that_does_not_watch_takes_deadlines_and_forgets_them() {
    let engine = Engine::default();
    let module = Module::new(&engine, deep(3)).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(0);
    engine.increment_epoch();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let deep = instance.get_typed_func::<i32, i64>(&mut store, "deep").unwrap();
    deep.call(&mut store, 5).unwrap();
}
