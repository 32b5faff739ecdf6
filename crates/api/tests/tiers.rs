//! Code that comes while guests run: what threads, engines, stores and traps make of it.
//!
//! Waiting is for what [`Module::tiers`] counts, with a bound that only something broken reaches.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tenure::{
    Caller, Config, Engine, Func, Instance, Linker, Module, OnStackReplacement, Result, Store, Strategy,
    TierUp, Trap, WasmBacktrace,
};

/// Nothing here takes longer than a moment, but machines can be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// An engine in which functions are hot at once, changed by `change`.
fn eager(change: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    config.strategy(Strategy::Tiered).tier_up_budget(100).tier_up_budget_per_byte(0).tier_up_threads(2);
    change(&mut config);
    Engine::new(&config).unwrap()
}

/// Does `step` until `is_done`.
#[track_caller]
fn until(what: &str, is_done: impl Fn() -> bool, mut step: impl FnMut()) {
    let start = Instant::now();
    while !is_done() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        step();
    }
}

/// A function that takes a while, and its result.
const SUM: &str = r#"(module (func (export "sum") (param i32) (result i64) (local i64)
    (loop
        (local.set 1 (i64.add (local.get 1) (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const 3))))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))"#;

fn sum_of(n: i64) -> i64 {
    3 * n * (n + 1) / 2
}

#[test]
fn a_single_call_with_one_hot_loop_moves_over() {
    let engine = eager(|_| {});
    // The host ends the loop; what it computes lies in locals of three types, and below the loop on the stack.
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "goes_on" (func $goes_on (result i32)))
            (func (export "run") (result i64 i32 i64 f64) (local $n i32) (local $sum i64) (local $half f64)
                i64.const 77
                (loop
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
                    (local.set $half (f64.add (local.get $half) (f64.const 0.5)))
                    (br_if 0 (call $goes_on)))
                (local.get $n) (local.get $sum) (local.get $half)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, (0u64, None));
    let (watched, start) = (module.clone(), Instant::now());
    let goes_on = Func::wrap(&mut store, move |mut caller: Caller<'_, (u64, Option<u64>)>| {
        let (calls, end) = caller.data_mut();
        *calls += 1;
        // Then it is there at the next arrival: what follows runs in it.
        if end.is_none() && *calls % 256 == 0 && watched.tiers().loop_entries == 1 {
            *end = Some(*calls + 10_000);
        }
        assert!(end.is_some() || start.elapsed() < PATIENCE, "the loop stays where it is");
        i32::from(*end != Some(*calls))
    });
    let instance = Instance::new(&mut store, &module, &[goes_on.into()]).unwrap();
    let run = instance.get_typed_func::<(), (i64, i32, i64, f64)>(&mut store, "run").unwrap();
    let (below, n, sum, half) = run.call(&mut store, ()).unwrap();
    let calls = store.data().0 as i64;
    assert_eq!((below, i64::from(n), sum, half), (77, calls, calls * (calls + 1) / 2, calls as f64 / 2.0));
    let tiers = module.tiers();
    assert_eq!((tiers.optimized, tiers.loop_entries, tiers.compilations), (1, 1, 3));
}

#[test]
fn a_function_is_optimized_while_threads_run_it() {
    let engine = eager(|config| {
        config.tier_up_delay(5);
    });
    let module = Module::new(&engine, SUM).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").unwrap();
                let mut n = 0;
                until(
                    "better code",
                    || module.tiers().optimized == 1,
                    || {
                        n = n % 1000 + 1;
                        assert_eq!(sum.call(&mut store, n).unwrap(), sum_of(n.into()));
                    },
                );
                assert_eq!(sum.call(&mut store, 100_000).unwrap(), sum_of(100_000));
            });
        }
    });
    let tiers = module.tiers();
    assert_eq!((tiers.not_called, tiers.baseline, tiers.waiting, tiers.refused), (0, 0, 0, 0));
    // First code, best code, and at most an entry for the one loop.
    assert!((2..=3).contains(&tiers.compilations), "{tiers:?}");
}

#[test]
fn threads_that_meet_at_a_first_call_compile_once() {
    const THREADS: usize = 4;
    let engine = eager(|config| {
        config.tier_up_threads(0);
    });
    for _ in 0..20 {
        let module = Module::new(&engine, SUM).unwrap();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").unwrap();
                    barrier.wait();
                    assert_eq!(sum.call(&mut store, 9).unwrap(), sum_of(9));
                });
            }
        });
        assert_eq!(module.tiers().compilations, 1);
    }
}

#[test]
fn without_threads_functions_stay_in_the_baseline_tier() {
    let engine = eager(|config| {
        config.tier_up_threads(0).tier_up_budget(0);
    });
    let module = Module::new(&engine, SUM).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").unwrap();
    for n in 1..1000 {
        assert_eq!(sum.call(&mut store, n).unwrap(), sum_of(n.into()));
    }
    let tiers = module.tiers();
    assert_eq!(
        (tiers.baseline + tiers.refused, tiers.loop_entries, tiers.compilations),
        (1, 0, 1),
        "{tiers:?}"
    );
}

/// A module of `count` functions; each sums up numbers.
fn many(engine: &Engine, count: usize) -> Module {
    let body = SUM.trim_start_matches("(module (func (export \"sum\")").trim_end_matches("))");
    let funcs: String = (0..count).map(|at| format!("(func (export \"{at}\") {body})")).collect();
    Module::new(engine, format!("(module {funcs})")).unwrap()
}

/// Makes every function of a new instance hot.
fn heat(module: &Module, count: usize) {
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    for at in 0..count {
        let sum = instance.get_typed_func::<i32, i64>(&mut store, &at.to_string()).unwrap();
        for _ in 0..3 {
            assert_eq!(sum.call(&mut store, 200).unwrap(), sum_of(200));
        }
    }
}

#[test]
fn an_engine_goes_while_its_workers_are_busy() {
    for _ in 0..10 {
        let engine = eager(|config| {
            config.tier_up_delay(10);
        });
        let weak = engine.weak();
        let module = many(&engine, 8);
        heat(&module, 8);
        let tiers = module.tiers();
        assert!(tiers.waiting + tiers.optimized > 0, "{tiers:?}");
        drop((module, engine));
        assert!(weak.upgrade().is_none(), "a worker holds the engine");
    }
}

#[test]
fn a_module_goes_while_its_functions_wait() {
    let engine = eager(|config| {
        config.tier_up_threads(1).tier_up_delay(20);
    });
    for _ in 0..5 {
        let module = many(&engine, 10);
        heat(&module, 10);
    }
    // What they left undone stands in nobody's way.
    let module = many(&engine, 1);
    until("better code", || module.tiers().optimized == 1, || heat(&module, 1));
}

/// The functions, innermost first, and the offsets of their operators.
fn frames(error: &tenure::Error) -> Vec<(u32, Option<usize>)> {
    let backtrace = error.downcast_ref::<WasmBacktrace>().unwrap();
    backtrace.frames().iter().map(|frame| (frame.func_index(), frame.module_offset())).collect()
}

#[test]
fn an_activation_that_moved_over_is_one_frame() {
    const DEPTH: i32 = 5;
    // Each activation calls the next from inside a loop that it has entered anew; the last one traps there.
    let wat = r#"(module
        (func $down (export "down") (param i32) (result i32) (local i32)
            (local.set 1 (i32.const 3))
            (loop
                (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))
                (if (i32.eqz (local.get 0)) (then unreachable))
                (drop (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#;
    let trap_in = |engine: &Engine| {
        let module = Module::new(engine, wat).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let down = instance.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
        let error = down.call(&mut store, DEPTH).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
        (frames(&error), module.tiers())
    };
    let (expected, _) = trap_in(&Engine::new(Config::new().strategy(Strategy::Optimizing)).unwrap());
    assert_eq!(expected.len(), DEPTH as usize + 1);
    let (moved, tiers) = trap_in(&eager(|config| {
        config.tier_up(TierUp::AtOnce).on_stack_replacement(OnStackReplacement::First);
        config.tier_up_budget(0);
    }));
    assert_eq!(tiers.loop_entries, 1, "{tiers:?}");
    assert_eq!(moved, expected);
}

#[test]
fn the_stack_ends_cleanly_in_functions_without_code() {
    const FUNCS: usize = 1500;
    // Each call is a first call, deeper than the one before; the functions differ in the size of their frames.
    let funcs: String = (0..FUNCS)
        .map(|at| {
            let locals = "i64 ".repeat(at % 7 * 8);
            format!(
                "(func $f{at} (export \"{at}\") (param i32) (result i32) (local {locals})
                (i32.add (call $f{} (local.get 0)) (i32.const 1)))",
                (at + 1) % FUNCS
            )
        })
        .collect();
    let wat = format!("(module {funcs})");
    let overflow = move || {
        let engine = eager(|config| {
            config.max_wasm_stack(64 << 10);
        });
        let module = Module::new(&engine, &wat).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let mut last = FUNCS;
        // Then from the functions that have no code yet, and again where all have.
        for first in [0, FUNCS / 3, FUNCS - 1, 0] {
            let func = instance.get_typed_func::<i32, i32>(&mut store, &first.to_string()).unwrap();
            let error = func.call(&mut store, 1).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::StackOverflow));
            let left = module.tiers().not_called;
            assert!(left <= last);
            last = left;
        }
        assert!(last < FUNCS);
    };
    // Beside what the guest may use, a thread needs room for the host's own functions.
    for stack in [512 << 10, 2 << 20] {
        let thread = thread::Builder::new().stack_size(stack).spawn(overflow.clone()).unwrap();
        thread.join().unwrap();
    }
}

#[test]
fn a_host_function_sees_who_calls_from_either_tier() {
    let engine = eager(|_| {});
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "who" (func $who (param i32) (result i32)))
            (global (export "me") (mut i32) (i32.const 0))
            (func (export "hot") (param i32) (result i32) (call $who (local.get 0)))
            (func (export "cold") (param i32) (result i32) (call $who (local.get 0))))"#,
    )
    .unwrap();
    let mut linker: Linker<Vec<Instance>> = Linker::new(&engine);
    let who = |mut caller: Caller<'_, Vec<Instance>>, inner: i32| -> Result<i32> {
        let me = caller.get_export("me").unwrap().into_global().unwrap();
        let mine = me.get(&mut caller).unwrap_i32();
        if inner > 0 {
            // The other instance, through a function that stays in the baseline tier.
            let other = caller.data()[(mine as usize + 1) % 2];
            let cold = other.get_typed_func::<i32, i32>(&mut caller, "cold")?;
            assert_eq!(cold.call(&mut caller, 0)?, (mine + 1) % 2);
        }
        Ok(me.get(&mut caller).unwrap_i32())
    };
    linker.func_wrap("host", "who", who).unwrap();
    let mut store = Store::new(&engine, Vec::new());
    for number in 0..2 {
        let instance = linker.instantiate(&mut store, &module).unwrap();
        instance.get_global(&mut store, "me").unwrap().set(&mut store, number.into()).unwrap();
        store.data_mut().push(instance);
    }
    let instances = store.data().clone();
    let hot: Vec<_> =
        instances.iter().map(|it| it.get_typed_func::<i32, i32>(&mut store, "hot").unwrap()).collect();
    let check = |store: &mut Store<_>, inner| {
        for (number, hot) in hot.iter().enumerate() {
            assert_eq!(hot.call(&mut *store, inner).unwrap(), number as i32);
        }
    };
    // Through both frames of the baseline tier, and through an optimized frame below one of the baseline tier.
    check(&mut store, 1);
    assert_eq!(module.tiers().baseline, 2);
    until("better code", || module.tiers().optimized == 1, || check(&mut store, 0));
    check(&mut store, 1);
}

#[test]
fn instances_come_and_go_while_their_module_tiers_up() {
    let engine = eager(|config| {
        config.tier_up_delay(2);
    });
    let module = many(&engine, 3);
    let mut store = Store::new(&engine, ());
    let mut instances = 0;
    until(
        "better code",
        || module.tiers().optimized == 3,
        || {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            for at in 0..3 {
                let sum = instance.get_typed_func::<i32, i64>(&mut store, &at.to_string()).unwrap();
                assert_eq!(sum.call(&mut store, 50).unwrap(), sum_of(50));
            }
            store.release(instance).unwrap();
            assert_eq!(store.reclaim().instances, 1);
            instances += 1;
        },
    );
    assert!(instances > 0);
    // The last of them has gone, and its code with the module.
    assert_eq!(store.reclaim().instances, 0);
}

#[test]
fn workers_and_guests_end_in_any_order() {
    let engine = eager(|config| {
        config.tier_up_delay(1);
    });
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    heat(&many(&engine, 4), 4);
                }
            });
        }
        let _over = SetAtTheEnd(&over);
        let module = many(&engine, 4);
        until("better code", || module.tiers().optimized == 4, || heat(&module, 4));
    });
}

/// Ends what others do, whatever happens.
struct SetAtTheEnd<'a>(&'a AtomicBool);

impl Drop for SetAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn code_made_ahead_is_counted_too() {
    let wat = r#"(module
        (type $wide (func (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)))
        (func $wide (type $wide) (local.get 11))
        (func (export "tail") (param i64) (result i64)
            (return_call $wide (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)
                (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)))
        (func (export "plain") (result i32) (i32.const 1)))"#;
    let made_by = |strategy| {
        let engine = Engine::new(Config::new().strategy(strategy)).unwrap();
        Module::new(&engine, wat).unwrap().tiers()
    };
    let tiers = made_by(Strategy::Optimizing);
    assert_eq!((tiers.optimized, tiers.compilations, tiers.handed_over.len()), (3, 3, 0));

    let tiers = made_by(Strategy::Baseline);
    assert_eq!((tiers.baseline, tiers.optimized), (2, 1));
    let [tail] = tiers.handed_over.as_slice() else { panic!("{tiers:?}") };
    assert_eq!((tail.index, tail.name.as_deref()), (1, Some("tail")));
    assert!(tail.why.contains("a tail call with more arguments"), "{}", tail.why);

    // The same function under the other strategy, when it is called.
    let engine = eager(|_| {});
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(module.tiers().not_called, 3);
    let func = instance.get_typed_func::<i64, i64>(&mut store, "tail").unwrap();
    assert_eq!(func.call(&mut store, 5).unwrap(), 5);
    let called = module.tiers();
    assert_eq!((called.not_called, called.baseline, called.optimized), (1, 1, 1));
    assert_eq!(called.handed_over, tiers.handed_over);
}
