//! Fuel: the same in every tier, wherever it can be seen.

use tenure::{
    BaselineMachine, Caller, Config, Engine, Func, Instance, Module, OnStackReplacement, OperatorCost, Store,
    Strategy, TierUp, Trap, UpdateDeadline, Val, VariableOperatorCost,
};

/// A program, its argument, and what it uses from its call to its end.
struct Program {
    name: &'static str,
    wat: &'static str,
    argument: i32,
    uses: u64,
}

const fn program(name: &'static str, wat: &'static str, argument: i32, uses: u64) -> Program {
    Program { name, wat, argument, uses }
}

/// All export `run`, and may import `look`, which notes what is left, `give`, which adds 5, and `fail`.
const PROGRAMS: &[Program] = &[
    program("nothing", r#"(func (export "run") (param i32))"#, 0, 1),
    program("what costs nothing", r#"(func (export "run") (param i32) nop (block (loop nop)) return)"#, 0, 1),
    program(
        "operators in a row",
        r#"(func (export "run") (param i32) (result i32)
        (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))"#,
        5,
        6,
    ),
    program(
        "either arm",
        r#"(func (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (i32.const 2)))
            (else (i32.const 3))))"#,
        0,
        4,
    ),
    program(
        "one arm, not taken",
        r#"(func (export "run") (param i32) (result i32)
        (if (local.get 0) (then (local.set 0 (i32.add (local.get 0) (i32.const 1)))))
        (local.get 0))"#,
        0,
        4,
    ),
    program(
        "one arm, taken",
        r#"(func (export "run") (param i32) (result i32)
        (if (local.get 0) (then (local.set 0 (i32.add (local.get 0) (i32.const 1)))))
        (local.get 0))"#,
        1,
        8,
    ),
    program(
        "a loop",
        r#"(func (export "run") (param i32) (result i32) (local i32)
        (loop
            (local.set 1 (i32.add (local.get 1) (local.get 0)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if 0 (local.get 0)))
        (local.get 1))"#,
        7,
        72,
    ),
    program(
        "a loop with parameters",
        r#"(func (export "run") (param i32) (result i32) (local i32)
        (i32.const 1)
        (loop (param i32) (result i32)
            (i32.mul (local.get 0))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if 0 (local.get 0))))"#,
        6,
        50,
    ),
    program(
        "loops in loops",
        r#"(func (export "run") (param i32) (result i32) (local i32 i32)
        (loop $outer
            (local.set 1 (i32.const 3))
            (loop $inner
                (local.set 2 (i32.add (local.get 2) (i32.const 1)))
                (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
                (br_if $inner (local.get 1)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $outer (local.get 0)))
        (local.get 2))"#,
        4,
        154,
    ),
    program(
        "loops left in the middle",
        r#"(func (export "run") (param i32) (result i32) (local i32)
        (block $out
            (loop $outer
                (loop $inner
                    (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                    (br_if $out (i32.gt_u (local.get 1) (local.get 0)))
                    (br_if $outer (i32.and (local.get 1) (i32.const 1)))
                    (br $inner))))
        (local.get 1))"#,
        9,
        122,
    ),
    program(
        "a table of branches",
        r#"(func (export "run") (param i32) (result i32) (local i32)
        (loop $again
            (block $c (block $b (block $a
                (br_table $a $b $c $b (local.get 0)))
                (local.set 1 (i32.add (local.get 1) (i32.const 1))))
                (local.set 1 (i32.mul (local.get 1) (i32.const 3))))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $again (i32.ge_s (local.get 0) (i32.const 0))))
        (local.get 1))"#,
        6,
        100,
    ),
    program(
        "code behind branches",
        r#"(func (export "run") (param i32) (result i32)
        (block $a (block $b (br_if $b (local.get 0)) (br $a) (local.set 0 (i32.const 9)) (br $b))
            (return (i32.const 1)) (loop (br 0)))
        (i32.const 2))"#,
        0,
        5,
    ),
    program(
        "recursion",
        r#"(func $fib (export "run") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add
                (call $fib (i32.sub (local.get 0) (i32.const 1)))
                (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"#,
        5,
        146,
    ),
    program(
        "calls that go on as others",
        r#"
        (func $even (export "run") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
            (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
        (func $odd (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
            (return_call $even (i32.sub (local.get 0) (i32.const 1))))"#,
        6,
        53,
    ),
    program(
        "calls through a table",
        r#"
        (type $f (func (param i32) (result i32)))
        (table funcref (elem $one $two))
        (func $one (type $f) (i32.add (local.get 0) (i32.const 1)))
        (func $two (type $f) (i32.mul (local.get 0) (i32.const 2)))
        (func (export "run") (param i32) (result i32)
            (call_indirect (type $f)
                (call_indirect (type $f) (local.get 0) (i32.const 0))
                (i32.and (local.get 0) (i32.const 1))))"#,
        3,
        16,
    ),
    program(
        "the host looks",
        r#"
        (import "" "look" (func $look)) (import "" "give" (func $give))
        (func (export "run") (param i32) (result i32)
            (call $look)
            (drop (i32.const 1))
            (call $look)
            (loop
                (call $look)
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (call $give)
                (if (local.get 0) (then (call $look) (br 1))))
            (call $look)
            (local.get 0))"#,
        4,
        44,
    ),
    program(
        "the host fails",
        r#"
        (import "" "look" (func $look)) (import "" "fail" (func $fail))
        (func (export "run") (param i32) (i32.const 1) drop (call $fail) (call $look))"#,
        0,
        3,
    ),
    program(
        "globals",
        r#"
        (global $g (mut i64) (i64.const 5))
        (func (export "run") (param i32) (result i64)
            (loop
                (global.set $g (i64.mul (global.get $g) (i64.const 3)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if 0 (local.get 0)))
            (global.get $g))"#,
        3,
        32,
    ),
    program(
        "more results than registers",
        r#"
        (func $many (param i64) (result i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
            (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)
            (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0))
        (func (export "run") (param i32) (result i64)
            (call $many (i64.extend_i32_u (local.get 0)))
            i64.add i64.add i64.add i64.add i64.add i64.add i64.add i64.add i64.add)"#,
        2,
        24,
    ),
    program(
        "floats and vectors",
        r#"(func (export "run") (param i32) (result f64) (local f64 v128)
        (loop
            (local.set 1 (f64.add (local.get 1) (f64.convert_i32_s (local.get 0))))
            (local.set 2 (i32x4.add (local.get 2) (i32x4.splat (local.get 0))))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if 0 (local.get 0)))
        (f64.add (local.get 1) (f64.convert_i32_s (i32x4.extract_lane 1 (local.get 2)))))"#,
        3,
        54,
    ),
    // Every trap: what follows in the segment is paid, what follows behind it is not.
    program(
        "unreachable",
        r#"(func (export "run") (param i32) (drop (i32.const 1)) unreachable (i32.const 1) drop)"#,
        0,
        2,
    ),
    program(
        "unreachable in an arm",
        r#"(func (export "run") (param i32)
        (if (local.get 0) (then (drop (i32.const 1)) unreachable)) (drop (i32.const 1)))"#,
        1,
        4,
    ),
    program(
        "division by zero",
        r#"(func (export "run") (param i32) (result i32)
        (i32.add (i32.div_u (i32.const 1) (local.get 0)) (i32.const 2)))"#,
        0,
        6,
    ),
    program(
        "overflow",
        r#"(func (export "run") (param i32) (result i32)
        (i32.div_s (i32.const 0x80000000) (local.get 0)) (drop (i32.const 1)))"#,
        -1,
        5,
    ),
    program(
        "no integer",
        r#"(func (export "run") (param i32) (result i32)
        (i32.trunc_f32_s (f32.div (f32.const 0) (f32.convert_i32_s (local.get 0)))) (drop (i32.const 1)))"#,
        0,
        7,
    ),
    program(
        "memory",
        r#"(memory 1) (func (export "run") (param i32) (result i32)
        (loop (result i32)
            (i32.store (local.get 0) (i32.const 1))
            (drop (i32.load (i32.sub (local.get 0) (i32.const 4))))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 4))))
            (i32.load8_u (i32.const 70000))))"#,
        12,
        39,
    ),
    program(
        "out of a memory in a loop",
        r#"(memory 1) (func (export "run") (param i32) (result i32)
        (loop (result i32)
            (local.set 0 (i32.add (local.get 0) (i32.const 16000)))
            (i32.store (local.get 0) (i32.const 1))
            (br 0)))"#,
        0,
        41,
    ),
    program(
        "out of a table",
        r#"(table 3 funcref) (func (export "run") (param i32)
        (drop (ref.is_null (table.get (local.get 0))))
        (drop (ref.is_null (table.get (i32.const 3)))) (drop (i32.const 1)))"#,
        0,
        8,
    ),
    program(
        "a call of null",
        r#"(type $f (func)) (table 3 funcref) (func (export "run") (param i32)
        (call_indirect (type $f) (local.get 0)) (drop (i32.const 1)))"#,
        0,
        3,
    ),
    program(
        "a call beyond a table",
        r#"(type $f (func)) (table 3 funcref) (func (export "run") (param i32)
        (call_indirect (type $f) (local.get 0)) (drop (i32.const 1)))"#,
        3,
        3,
    ),
    program(
        "a call of another type",
        r#"(type $f (func)) (table funcref (elem $run))
        (func $run (export "run") (param i32)
        (call_indirect (type $f) (local.get 0)) (drop (i32.const 1)))"#,
        0,
        3,
    ),
    program(
        "a null reference",
        r#"(type $f (func)) (func (export "run") (param i32)
        (drop (i32.const 1)) (call_ref $f (ref.null $f)) (drop (i32.const 1)))"#,
        0,
        4,
    ),
    // Bulk operators pay for what they are asked to do.
    program(
        "filling",
        r#"(memory 1) (func (export "run") (param i32) (result i32)
        (memory.fill (i32.const 10) (i32.const 7) (local.get 0))
        (i32.load (i32.const 10)))"#,
        40,
        47,
    ),
    program(
        "filling a known length",
        r#"(memory 1) (func (export "run") (param i32) (result i32)
        (memory.fill (local.get 0) (i32.const 7) (i32.const 24))
        (i32.load (local.get 0)))"#,
        4,
        31,
    ),
    program(
        "filling nothing",
        r#"(memory 1) (func (export "run") (param i32)
        (memory.fill (local.get 0) (i32.const 7) (i32.const 0)))"#,
        4,
        5,
    ),
    program(
        "filling outside",
        r#"(memory 1) (func (export "run") (param i32)
        (memory.fill (local.get 0) (i32.const 7) (i32.const 24)))"#,
        65530,
        29,
    ),
    program(
        "copying",
        r#"(memory 1) (data (i32.const 0) "0123456789")
        (func (export "run") (param i32) (result i64)
        (memory.copy (i32.const 3) (i32.const 0) (local.get 0))
        (memory.copy (i32.const 20) (i32.const 0) (i32.const 16))
        (i64.load (i32.const 24)))"#,
        9,
        36,
    ),
    program(
        "copying outside",
        r#"(memory 1) (func (export "run") (param i32)
        (memory.copy (i32.const 3) (i32.const 65530) (local.get 0)))"#,
        9,
        14,
    ),
    program(
        "copying from memory to memory",
        r#"(memory $a 1) (memory $b i64 1)
        (func (export "run") (param i32)
        (memory.fill $b (i64.const 0) (i32.const 1) (i64.const 8))
        (memory.copy $a $b (i32.const 0) (i64.const 0) (local.get 0))
        (memory.copy $b $b (i64.const 8) (i64.const 0) (i64.const 5)))"#,
        11,
        37,
    ),
    program(
        "initializing",
        r#"(memory 1) (data $d "0123456789") (func (export "run") (param i32) (result i32)
        (memory.init $d (i32.const 3) (i32.const 0) (local.get 0))
        (data.drop $d)
        (i32.load (i32.const 3)))"#,
        9,
        17,
    ),
    program(
        "initializing from what was dropped",
        r#"(memory 1) (data $d "0123456789")
        (func (export "run") (param i32)
        (data.drop $d)
        (memory.init $d (i32.const 3) (i32.const 0) (local.get 0)))"#,
        9,
        15,
    ),
    program(
        "growing",
        r#"(memory 1 10) (func (export "run") (param i32) (result i32)
        (drop (memory.grow (local.get 0)))
        (memory.grow (i32.const 100)))"#,
        4,
        9,
    ),
    program(
        "growing a table",
        r#"(table $t 1 10 funcref) (func (export "run") (param i32) (result i32)
        (drop (table.grow $t (ref.null func) (local.get 0)))
        (table.grow $t (ref.null func) (i32.const 100)))"#,
        4,
        11,
    ),
    program(
        "work on tables",
        r#"(table $t 20 funcref) (elem $e func $run $run $run)
        (func $run (export "run") (param i32)
        (table.fill $t (i32.const 2) (ref.null func) (local.get 0))
        (table.copy $t $t (i32.const 0) (i32.const 9) (local.get 0))
        (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 3))
        (elem.drop $e)
        (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 3)))"#,
        8,
        40,
    ),
    program(
        "bulk work in a loop",
        r#"(import "" "look" (func $look)) (memory 1)
        (func (export "run") (param i32)
        (loop
            (memory.fill (i32.const 0) (local.get 0) (i32.mul (local.get 0) (i32.const 5)))
            (call $look)
            (memory.copy (i32.const 8) (i32.const 0) (local.get 0))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"#,
        4,
        125,
    ),
];

/// Everything that can be seen of one run.
#[derive(PartialEq, Debug)]
struct Seen {
    /// What was left whenever the host looked.
    looks: Vec<u64>,
    outcome: Result<String, String>,
    left: u64,
}

/// Functions change tiers as soon as they can.
fn at_once(config: &mut Config) -> &mut Config {
    config.strategy(Strategy::Tiered).tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce)
}

fn engines() -> Vec<(&'static str, Engine)> {
    let engine = |change: fn(&mut Config) -> &mut Config| {
        let mut config = Config::new();
        config.consume_fuel(true).memory_reservation(1 << 20).memory_guard_size(1 << 16);
        Engine::new(change(&mut config)).unwrap()
    };
    vec![
        ("optimizing", engine(|config| config.strategy(Strategy::Optimizing).memory_reservation(1 << 32))),
        ("baseline", engine(|config| config.strategy(Strategy::Baseline).memory_reservation(1 << 32))),
        (
            "optimizing, checked",
            engine(|config| config.strategy(Strategy::Optimizing).signals_based_traps(false)),
        ),
        (
            "baseline, checked",
            engine(|config| config.strategy(Strategy::Baseline).signals_based_traps(false)),
        ),
        (
            "baseline, few registers",
            engine(|config| {
                config.strategy(Strategy::Baseline).baseline_machine(BaselineMachine::FewRegisters)
            }),
        ),
        (
            "optimizing with epochs",
            engine(|config| config.strategy(Strategy::Optimizing).epoch_interruption(true)),
        ),
        (
            "baseline with epochs",
            engine(|config| config.strategy(Strategy::Baseline).epoch_interruption(true)),
        ),
        ("tiered", engine(|config| at_once(config).on_stack_replacement(OnStackReplacement::Never))),
        (
            "tiered, from loops",
            engine(|config| at_once(config).on_stack_replacement(OnStackReplacement::First)),
        ),
        (
            "tiered, here and there, with epochs",
            engine(|config| {
                at_once(config).on_stack_replacement(OnStackReplacement::Sometimes).epoch_interruption(true)
            }),
        ),
    ]
}

fn run(engine: &Engine, module: &Module, program: &Program, fuel: u64) -> Seen {
    let mut store = Store::new(engine, Vec::new());
    // With epochs each function and loop asks.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
    let look = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u64>>| {
        let left = caller.get_fuel().unwrap();
        caller.data_mut().push(left);
    });
    let give = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u64>>| {
        let left = caller.get_fuel().unwrap();
        caller.set_fuel(left + 5).unwrap();
    });
    let fail =
        Func::wrap(&mut store, || -> tenure::Result<()> { Err(tenure::format_err!("the host fails")) });
    let imports: Vec<_> = module
        .imports()
        .map(|import| match import.name() {
            "look" => look.into(),
            "give" => give.into(),
            _ => fail.into(),
        })
        .collect();
    let instance = Instance::new(&mut store, module, &imports).unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    let mut results = vec![Val::I32(0); run.ty(&store).results().len()];
    store.set_fuel(fuel).unwrap();
    let outcome = run.call(&mut store, &[Val::I32(program.argument)], &mut results);
    let outcome = match outcome {
        Ok(()) => Ok(format!("{results:?}")),
        Err(error) => Err(match error.downcast_ref::<Trap>() {
            Some(trap) => format!("{trap:?}"),
            None => error.root_cause().to_string(),
        }),
    };
    let left = store.get_fuel().unwrap();
    Seen { looks: store.into_data(), outcome, left }
}

/// Every program, with every amount of fuel that it does not finish with and a little more.
#[test]
fn every_tier_uses_the_same_fuel() {
    let engines = engines();
    for program in PROGRAMS {
        let name = program.name;
        let modules: Vec<_> = engines
            .iter()
            .map(|(tier, engine)| {
                (tier, engine, Module::new(engine, format!("(module {})", program.wat)).unwrap())
            })
            .collect();
        let ample = 1_000_000;
        let whole = run(modules[0].1, &modules[0].2, program, ample);
        let given = if name == "the host looks" { 20 } else { 0 };
        assert_eq!(ample + given - whole.left, program.uses, "{name} uses");
        for fuel in (0..=program.uses + 2).chain([ample, u64::MAX - 100]) {
            let expected = run(modules[0].1, &modules[0].2, program, fuel);
            if fuel >= program.uses {
                assert_eq!(expected.outcome, whole.outcome, "{name} with {fuel}");
                assert_eq!(expected.left, fuel + given - program.uses, "{name} with {fuel}");
            } else if given == 0 {
                // Nobody need have looked since the last of it was used, but nothing is left.
                assert_eq!(expected.left, 0, "{name} with {fuel}: {expected:?}");
            }
            for (tier, engine, module) in &modules[1..] {
                assert_eq!(run(engine, module, program, fuel), expected, "{name} with {fuel}, {tier}");
            }
        }
    }
}

#[test]
fn costs_are_the_engines() {
    let mut costs = OperatorCost { I32Add: 100, LocalGet: 0, Nop: 7, ..OperatorCost::new() };
    costs.variable =
        VariableOperatorCost { memory_fill_per_byte: 0, memory_copy_per_byte: 3, ..costs.variable };
    let wat = r#"(module (memory 1) (func (export "run") (param i32)
        nop
        (drop (i32.add (local.get 0) (i32.const 1)))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 50))
        (memory.copy (i32.const 0) (i32.const 1) (local.get 0))))"#;
    for strategy in [Strategy::Optimizing, Strategy::Baseline] {
        let mut config = Config::new();
        config.consume_fuel(true).strategy(strategy).operator_cost(costs.clone());
        let engine = Engine::new(&config).unwrap();
        assert!(engine.get_consume_fuel());
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        let run = Instance::new(&mut store, &module, &[]).unwrap();
        let run = run.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
        store.set_fuel(1000).unwrap();
        run.call(&mut store, 30).unwrap();
        assert_eq!(1000 - store.get_fuel().unwrap(), 1 + 7 + 101 + 4 + 3 + 90, "{strategy:?}");

        // An artifact is for engines with the same costs.
        let artifact = module.serialize().unwrap();
        config.operator_cost(OperatorCost::new());
        // SAFETY: the bytes are what was just serialized.
        let loaded = unsafe { Module::deserialize(&Engine::new(&config).unwrap(), &artifact) };
        let error = format!("{:#}", loaded.err().unwrap());
        assert!(error.contains("consume_fuel was `on, Nop: 7, LocalGet: 0, I32Add: 100, "), "{error}");
        assert!(error.contains("memory_fill_per_byte: 0` there and is `on` here"), "{error}");
    }
}

#[test]
fn a_store_without_fuel_says_so() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(!store.engine().get_consume_fuel());
    for error in [store.get_fuel().unwrap_err(), store.set_fuel(1).unwrap_err()] {
        assert!(error.to_string().contains("fuel is not configured in this store"), "{error}");
    }
}

#[test]
fn a_store_starts_with_none_and_keeps_what_it_is_given() {
    for (tier, engine) in engines() {
        let module = Module::new(&engine, r#"(module (func (export "run")))"#).unwrap();
        let mut store = Store::new(&engine, ());
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
        assert_eq!(store.get_fuel().unwrap(), 0);
        let run = Instance::new(&mut store, &module, &[]).unwrap();
        let run = run.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel), "{tier}");
        for fuel in [1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            store.set_fuel(fuel).unwrap();
            assert_eq!(store.get_fuel().unwrap(), fuel);
            run.call(&mut store, ()).unwrap();
            assert_eq!(store.get_fuel().unwrap(), fuel - 1);
        }
    }
}

#[test]
fn a_start_function_and_a_callback_use_the_stores_fuel() {
    for (tier, engine) in engines() {
        let module = Module::new(&engine, "(module (func $f (drop (i32.const 1))) (start $f))").unwrap();
        let mut store = Store::new(&engine, ());
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel), "{tier}");
        store.set_fuel(10).unwrap();
        Instance::new(&mut store, &module, &[]).unwrap();
        assert_eq!(store.get_fuel().unwrap(), 8, "{tier}");

        // Guest, host, guest: what the inner one uses is gone for the outer one.
        let wat = r#"(module (import "" "back" (func $back))
            (func (export "inner") (drop (i32.const 1)) (drop (i32.const 1)))
            (func (export "outer") (call $back) (call $back)))"#;
        let back = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| {
            let inner = caller.get_export("inner").unwrap().into_func().unwrap();
            inner.call(&mut caller, &[], &mut []).unwrap();
        });
        let module = Module::new(&engine, wat).unwrap();
        let instance = Instance::new(&mut store, &module, &[back.into()]).unwrap();
        let outer = instance.get_typed_func::<(), ()>(&mut store, "outer").unwrap();
        store.set_fuel(100).unwrap();
        outer.call(&mut store, ()).unwrap();
        assert_eq!(store.get_fuel().unwrap(), 100 - 3 - 2 * 3, "{tier}");
    }
}

#[test]
fn whoever_decides_about_deadlines_sees_and_sets_fuel() {
    for strategy in [Strategy::Optimizing, Strategy::Baseline] {
        let mut config = Config::new();
        config.consume_fuel(true).epoch_interruption(true).strategy(strategy);
        let engine = Engine::new(&config).unwrap();
        let wat = r#"(module (func (export "run") (loop (drop (i32.const 1)) (br 0))))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        store.epoch_deadline_callback(|mut store| {
            let left = store.get_fuel()?;
            store.data_mut().push(left);
            if store.data().len() == 4 {
                store.set_fuel(3)?;
            }
            Ok(UpdateDeadline::Continue(0))
        });
        let run = Instance::new(&mut store, &module, &[]).unwrap();
        let run = run.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        store.set_fuel(20).unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
        assert_eq!(store.data(), &[20, 19, 17, 15, 1], "{strategy:?}");
    }
}

#[test]
fn out_of_fuel_tells_where() {
    for (tier, engine) in engines() {
        let wat = r#"(module (func $spin (export "run") (drop (i32.const 1)) (loop $l (br $l))))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
        let run = Instance::new(&mut store, &module, &[]).unwrap();
        let run = run.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        store.set_fuel(50).unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        let trace = error.downcast_ref::<tenure::WasmBacktrace>().unwrap();
        assert_eq!(trace.frames()[0].func_name(), Some("spin"), "{tier}");
        // The loop.
        assert_eq!(trace.frames()[0].func_offset(), Some(4), "{tier}");
    }
}
