//! Nothing but time tells whether a call was translated in place: results, traps, frames of backtraces with their offsets,
//! and fuel, wherever a host function or a trap shows them.

use tenure::{
    Caller, Config, Engine, Inlining, Instance, Linker, Module, OnStackReplacement, Store, Strategy, TierUp,
    Trap, WasmBacktrace,
};

/// Modules that export `run: [i32] -> [i32]`, and may import `look: [i32] -> [i32]` of the host.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "traps at several levels",
        r#"(memory 1)
        (func $div (param i32) (result i32) (i32.div_u (i32.const 12) (local.get 0)))
        (func $load (param i32) (result i32)
            (i32.add (i32.load (i32.mul (local.get 0) (i32.const 21845))) (call $div (local.get 0))))
        (func $check (param i32) (result i32)
            (if (i32.eq (local.get 0) (i32.const 2)) (then unreachable))
            (call $load (local.get 0)))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $check (local.get 0)) (call $div (i32.sub (local.get 0) (i32.const 1)))))"#,
    ),
    (
        "a loop in the callee",
        r#"(func $sum (param i32) (result i32) (local i32)
            (loop $l
                (local.set 1 (i32.add (local.get 1) (i32.div_u (i32.const 60) (local.get 0))))
                (local.set 0 (i32.sub (local.get 0) (i32.const 2)))
                (br_if $l (i32.gt_s (local.get 0) (i32.const 0))))
            (local.get 1))
        (func (export "run") (param i32) (result i32)
            (i32.sub (call $sum (i32.const 2)) (call $sum (local.get 0))))"#,
    ),
    (
        "ways out of nested blocks",
        r#"(func $out (param i32) (result i32)
            (block (block (block
                (br_if 0 (i32.eq (local.get 0) (i32.const 1)))
                (drop (br_if 3 (i32.const 100) (i32.eq (local.get 0) (i32.const 2))))
                (if (i32.eq (local.get 0) (i32.const 3)) (then (return (i32.const 200))))
                (drop (br_if 3 (i32.const 300) (i32.eq (local.get 0) (i32.const 4))))
                (i32.const 400)
                (br_table 3 3 3 3 3 3 3 (local.get 0)))
                (br 2 (i32.const 500)))
                (br 0))
            unreachable)
        (func (export "run") (param i32) (result i32)
            (i32.const 1) (i32.const 20)
            (call $out (local.get 0)) i32.add (call $out (i32.const 1)) i32.add i32.add)"#,
    ),
    (
        "callees that do not return",
        r#"(func $never (param i32) (result i32) (drop (call $look (local.get 0))) unreachable)
        (func $sometimes (param i32) (result i32)
            (if (result i32) (i32.gt_u (local.get 0) (i32.const 3))
                (then (call $never (local.get 0)))
                (else (block (br 1 (i32.const 7))) unreachable)))
        (func (export "run") (param i32) (result i32)
            (local.get 0) (call $sometimes (local.get 0)) i32.add (call $never (i32.const 1)) i32.mul)"#,
    ),
    (
        "locals begin with zero each time",
        r#"(func $next (param i32) (result i32) (local i32 i64 f32 f64)
            (local.set 1 (i32.add (local.get 1) (local.get 0)))
            (local.set 2 (i64.add (local.get 2) (i64.extend_i32_u (local.get 1))))
            (local.set 4 (f64.add (local.get 4) (f64.convert_i64_s (local.get 2))))
            (i32.add (local.get 1) (i32.trunc_f64_s (local.get 4))))
        (func (export "run") (param i32) (result i32) (local i32)
            (loop $l
                (local.set 1 (i32.add (local.get 1) (call $next (local.get 0))))
                (br_if $l (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
            (i32.add (call $next (local.get 1)) (local.get 1)))"#,
    ),
    (
        "many results and vectors",
        r#"(type $many (func (param i32)
            (result i32 i64 i32 i64 i32 i64 i32 i64 i32 i64 i32)))
        (func $many (type $many)
            (i32.const 1) (i64.const 2) (i32.const 3) (i64.const 4) (i32.const 5) (i64.const 6) (i32.const 7)
            (i64.const 8) (i32.const 9) (i64.const 10)
            (block (result i32)
                (br_if 0 (local.get 0) (i32.eqz (local.get 0)))
                (i32.div_u (i32.const 40) (i32.sub (i32.const 3) (local.get 0))) i32.add))
        (func $both (param i32 v128) (result v128 i32)
            (i32x4.add (i32x4.splat (local.get 0)) (local.get 1))
            (i32.add (i32x4.extract_lane 1 (local.get 1)) (local.get 0)))
        (func $lanes (param i32) (result i32) (local v128 i32)
            (call $both (local.get 0) (v128.const f32x4 1 2 3 4)) (local.set 2) (local.set 1)
            (call $both (local.get 2) (local.get 1)) (local.set 2) (i32x4.extract_lane 1) (local.get 2) i32.xor)
        (func (export "run") (param i32) (result i32)
            (call $many (local.get 0)) (i32.wrap_i64 (i64.extend_i32_u)) (local.set 0)
            drop drop drop drop drop drop drop i64.extend_i32_u i64.add i32.wrap_i64 i32.add
            (call $lanes (local.get 0)) i32.add)"#,
    ),
    (
        "recursion",
        r#"(func $fib (param i32) (result i32)
            (if (i32.lt_s (local.get 0) (i32.const 2)) (then (return (call $look (local.get 0)))))
            (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))
        (func $down (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.div_u (i32.const 1) (local.get 0)))))
        (func (export "run") (param i32) (result i32)
            (call $fib (local.get 0)) (call $down (i32.mul (local.get 0) (i32.const 3))) i32.add)"#,
    ),
    (
        "functions that call each other",
        r#"(func $even (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (call $look (i32.const 1)))))
        (func $odd (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else unreachable)))
        (func (export "run") (param i32) (result i32) (call $even (local.get 0)))"#,
    ),
    (
        "tail calls",
        r#"(func $last (param i32) (result i32) (return_call $look (local.get 0)))
        (func $count (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return_call $last (i32.const 9))))
            (return_call $count (call $less (local.get 0))))
        (func $less (param i32) (result i32)
            (i32.sub (local.get 0) (i32.div_u (i32.const 4) (i32.sub (i32.const 5) (local.get 0)))))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $last (local.get 0)) (call $count (local.get 0))))"#,
    ),
    (
        "what belongs to the instance",
        r#"(memory 1 4) (global $g (mut i32) (i32.const 0)) (table 2 funcref) (elem (i32.const 0) $bump)
        (type $t (func (param i32) (result i32)))
        (func $bump (type $t) (global.set $g (i32.add (global.get $g) (local.get 0))) (global.get $g))
        (func $grow (param i32) (result i32)
            (drop (memory.grow (local.get 0)))
            (memory.fill (i32.const 131072) (i32.const 1) (i32.const 4))
            (i32.load (i32.const 131072)))
        (func $through (param i32) (result i32)
            (call_indirect (type $t) (call $bump (local.get 0)) (i32.sub (local.get 0) (i32.const 2))))
        (func (export "run") (param i32) (result i32)
            (i32.add (call $grow (local.get 0)) (call $through (local.get 0))))"#,
    ),
    (
        "loops around calls",
        r#"(func $step (param i32 i32) (result i32)
            (block $b (loop $l (br_if $b (i32.lt_u (local.get 0) (local.get 1)))
                (local.set 0 (i32.sub (local.get 0) (local.get 1))) (br $l)))
            (local.get 0))
        (func (export "run") (param i32) (result i32) (local $i i32) (local $sum i32)
            (local.set $i (i32.const 30))
            (local.get 0)
            (loop $outer
                (local.set $sum (i32.add (local.get $sum) (call $step (local.get $i) (i32.const 7))))
                (loop $inner
                    (local.set $sum (i32.xor (local.get $sum) (call $step (local.get $sum) (i32.const 5))))
                    (br_if $inner (i32.eqz (local.tee $i (i32.sub (local.get $i) (i32.const 1))))))
                (br_if $outer (i32.gt_s (local.get $i) (local.get 0))))
            (i32.div_s (i32.add (local.get $sum) (i32.const 1000)) (i32.sub (i32.const 4) (local.get 0)))
            i32.add)"#,
    ),
];

/// What a program showed: what the host saw when it was called, and how the call ended.
type Shown = Vec<String>;

/// Where the guest is: function and offset of each frame.
fn places(trace: &WasmBacktrace) -> String {
    let frames = trace.frames().iter();
    frames.map(|frame| format!(" {}@{:?}", frame.func_index(), frame.module_offset())).collect()
}

fn module(engine: &Engine, program: &str) -> Module {
    let text = format!(r#"(module (import "" "look" (func $look (param i32) (result i32))) {program})"#);
    Module::new(engine, text).unwrap()
}

fn run(module: &Module, argument: i32, fuel: Option<u64>) -> Shown {
    let engine = module.engine();
    let mut linker = Linker::new(engine);
    let look = |mut caller: Caller<'_, Shown>, value: i32| {
        let at = places(&WasmBacktrace::capture(&caller));
        let fuel = caller.get_fuel().ok();
        caller.data_mut().push(format!("look {value}, fuel {fuel:?},{at}"));
        value
    };
    linker.func_wrap("", "look", look).unwrap();
    let mut store = Store::new(engine, Shown::new());
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).unwrap();
    }
    let instance = linker.instantiate(&mut store, module).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    // The second call finds better code, where that comes while guests run.
    for _ in 0..2 {
        let end = match run.call(&mut store, argument) {
            Ok(value) => format!("{value}"),
            Err(error) => {
                let trap = error.downcast_ref::<Trap>().unwrap();
                format!("{trap:?},{}", places(error.downcast_ref().unwrap()))
            }
        };
        let left = store.get_fuel().ok();
        store.data_mut().push(format!("{end}, fuel {left:?}"));
    }
    store.into_data()
}

/// The engines to compare, the first of which makes a frame of every call.
fn engines(fuel: bool) -> Vec<(String, Engine)> {
    let mut all = Vec::new();
    for signals in [true, false] {
        let mut add = |name: &str, set: &dyn Fn(&mut Config)| {
            let mut config = Config::new();
            config.signals_based_traps(signals).consume_fuel(fuel);
            config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(100));
            set(&mut config);
            all.push((format!("{name}, signals: {signals}"), Engine::new(&config).unwrap()));
        };
        add("baseline", &|config| _ = config.strategy(Strategy::Baseline));
        for inlining in [Inlining::No, Inlining::Yes, Inlining::Always] {
            add(&format!("optimizing, inlining: {inlining:?}"), &|config| {
                config.strategy(Strategy::Optimizing).compiler_inlining(inlining);
            });
        }
        for loops in [OnStackReplacement::Never, OnStackReplacement::First] {
            add(&format!("tiered, loops: {loops:?}"), &|config| {
                config.strategy(Strategy::Tiered).tier_up(TierUp::AtOnce).compiler_inlining(Inlining::Always);
                config.tier_up_budget(0).tier_up_budget_per_byte(0).on_stack_replacement(loops);
            });
        }
    }
    all
}

/// Compares what `modules` do, which are all `program`.
fn compare(modules: &[(&str, Module)], program: &str, argument: i32, fuel: Option<u64>) {
    let (_, first) = &modules[0];
    let expected = run(first, argument, fuel);
    for (engine, module) in &modules[1..] {
        let shown = run(module, argument, fuel);
        assert_eq!(shown, expected, "{program} with {argument} and fuel {fuel:?}: {engine}");
    }
}

#[test]
fn results_traps_and_frames_are_those_of_calls() {
    let engines = engines(false);
    for (name, program) in PROGRAMS {
        for argument in 0..6 {
            // Anew, because where code comes while guests run it comes once.
            let modules: Vec<_> =
                engines.iter().map(|(name, engine)| (name.as_str(), module(engine, program))).collect();
            compare(&modules, name, argument, None);
        }
    }
}

#[test]
fn fuel_is_that_of_calls_at_every_point() {
    let engines = engines(true);
    for (name, program) in PROGRAMS {
        let modules: Vec<_> =
            engines.iter().map(|(name, engine)| (name.as_str(), module(engine, program))).collect();
        for argument in [0, 1, 3, 5] {
            for fuel in (0..40).chain([60, 77, 100, 151, 10_000]) {
                compare(&modules, name, argument, Some(fuel));
            }
        }
    }
}

#[test]
fn what_never_ends_is_stopped() {
    let text = r#"(module
        (func $deep (export "deep") (param i32) (result i32)
            (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
        (func $ping (param i32) (result i32) (i32.add (call $pong (local.get 0)) (i32.const 1)))
        (func $pong (export "pong") (param i32) (result i32) (i32.add (call $ping (local.get 0)) (i32.const 1)))
        (func $spin (param i32) (result i32) (loop $l (br $l)) unreachable)
        (func (export "spin") (param i32) (result i32) (call $spin (local.get 0))))"#;
    for signals in [true, false] {
        for inlining in [Inlining::No, Inlining::Yes, Inlining::Always] {
            let mut config = Config::new();
            config.strategy(Strategy::Optimizing).compiler_inlining(inlining).epoch_interruption(true);
            let engine = Engine::new(config.signals_based_traps(signals)).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &Module::new(&engine, text).unwrap(), &[]).unwrap();
            for name in ["deep", "pong", "spin"] {
                let func = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
                store.set_epoch_deadline(if name == "spin" { 1 } else { 1_000 });
                let trap = std::thread::scope(|scope| {
                    let late = scope.spawn(|| {
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        engine.increment_epoch();
                    });
                    let error = func.call(&mut store, 0).unwrap_err();
                    late.join().unwrap();
                    *error.downcast_ref::<Trap>().unwrap()
                });
                let expected = if name == "spin" { Trap::Interrupt } else { Trap::StackOverflow };
                assert_eq!(trap, expected, "{name}, inlining: {inlining:?}, signals: {signals}");
            }
        }
    }
}

#[test]
fn frames_are_known_where_offsets_are_not() {
    let text = r#"(module
        (func $inner (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (func $middle (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1)))
        (func (export "run") (param i32) (result i32) (i32.add (call $middle (local.get 0)) (i32.const 1))))"#;
    let mut config = Config::new();
    config.strategy(Strategy::Optimizing).compiler_inlining(Inlining::Always).generate_address_map(false);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, text).unwrap();
    // What was compiled before says the same.
    // SAFETY: the bytes are what `serialize` has just made.
    let again = unsafe { Module::deserialize(&engine, module.serialize().unwrap()).unwrap() };
    for module in [module, again] {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, 1).unwrap(), 3);
        let error = run.call(&mut store, 0).unwrap_err();
        assert_eq!(places(error.downcast_ref().unwrap()), " 0@None 1@None 2@None");
    }
}

#[test]
fn an_invalid_callee_is_not_found_out_before_it_is_called() {
    let text = r#"(module
        (func $bad (param i32) (result i32) (i64.const 1))
        (func (export "run") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (call $bad (local.get 0))) (else (i32.const 5)))))"#;
    let mut config = Config::new();
    config.lazy_validation(true).tier_up(TierUp::AtOnce).tier_up_budget(0).tier_up_budget_per_byte(0);
    let engine = Engine::new(config.compiler_inlining(Inlining::Always)).unwrap();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for _ in 0..3 {
        assert_eq!(run.call(&mut store, 0).unwrap(), 5);
    }
    assert_eq!(module.tiers().optimized, 1);
    assert!(format!("{:?}", run.call(&mut store, 1).unwrap_err()).contains("type mismatch"));
}
