//! Loops that hand over to the optimizing tier do the same as those that do not.

mod support;
#[path = "../../../tests/loops/programs.rs"]
mod programs;

use std::sync::Arc;
use support::generate::{Options, generate};
use support::handover::{Code, When};
use support::operators::lattice;
use support::{Instance, Outcome, Random, instantiate};
use tenure_baseline::BaselineCompiler;
use tenure_code::{Tier, Tunables};
use tenure_module::OperatorCost;

fn canonical() -> Tunables {
    Tunables { canonical_nans: true, ..Tunables::default() }
}

/// All that can be seen of an instance.
fn state(instance: &mut Instance) -> (Vec<u8>, Vec<u128>, Option<u64>) {
    (instance.memory(), instance.globals(), instance.store.fuel())
}

/// With fuel counted.
fn counting() -> Tunables {
    Tunables { fuel: Some(Arc::new(OperatorCost::new())), ..canonical() }
}

fn give_fuel(instance: &mut Instance, fuel: u64) {
    instance.store.set_fuel(fuel).expect("there is no limit");
}

/// Calls `run` of the module in text with each of `args`: at every loop, hands over at the first, second, … arrival,
/// up to the last or `most`; each time in an instance of its own. How often anything was handed over.
fn sweep(name: &str, text: &str, args: &[i64], most: u64) -> u64 {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut total = 0;
    let checked = Tunables { epochs: true, signals: false, ..canonical() };
    // With fuel for all of it and for a part.
    let ways: [(fn() -> BaselineCompiler, _, _); 5] = [
        (BaselineCompiler::new, canonical(), 0),
        (BaselineCompiler::with_garbage, canonical(), 0),
        (BaselineCompiler::with_few_registers, checked, 0),
        (BaselineCompiler::with_few_registers, counting(), u64::MAX),
        (BaselineCompiler::new, counting(), 30),
    ];
    for (compiler, tunables, fuel) in ways {
        let compiler = compiler();
        let code = Code::new(&compiler, &bytes, &tunables);
        for &arg in args {
            let args = [u128::from(arg.cast_unsigned())];
            let mut expected = instantiate(&bytes, &|_| Tier::Optimizing, &tunables).expect("nothing traps");
            give_fuel(&mut expected, fuel);
            let outcome = expected.call("run", &args);
            let expected = (outcome, state(&mut expected));
            let mut check = |when: When, what: &str| {
                let mut tiered = code.instantiate().expect("nothing traps");
                give_fuel(&mut tiered.instance, fuel);
                let (outcome, handovers) = tiered.call("run", &args, when);
                let found = (outcome, state(&mut tiered.instance));
                let (values, wanted) = (&found.0, &expected.0);
                assert!(found == expected, "{name}, {arg}, {what}: {values:x?} and not {wanted:x?}\n{text}");
                total += handovers;
                handovers
            };
            check(Box::new(|_, _| false), "never");
            check(Box::new(|_, _| true), "always");
            check(Box::new(|_, before| before % 2 == 1), "every second time");
            for at in code.loops() {
                for arrival in 0..most {
                    let when = move |found, before| found == at && before == arrival;
                    if check(Box::new(when), &format!("loop {at:?} at arrival {arrival}")) == 0 {
                        break;
                    }
                }
            }
        }
    }
    total
}

#[test]
fn a_loop() {
    let handovers = sweep(
        "a loop",
        r#"(module (func (export "run") (param i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (local.get 0)))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get $sum)))"#,
        &[5],
        64,
    );
    assert!(handovers > 20, "{handovers}");
}

#[test]
fn a_nest_of_loops_with_operands_below_each() {
    sweep(
        "operands below",
        r#"(module (func (export "run") (param $n i32) (result i64)
              (local $i i32) (local $j i32) (local $k i32) (local $sum i64) (local $f f64)
            (i64.const 1000000)
            (local.set $f (f64.const 0.5))
            (loop $outer (result i64)
                (local.set $j (i32.const 0))
                (i64.extend_i32_u (local.get $i))
                (f64.const 2.5)
                (loop $middle (result i32)
                    (local.get $j)
                    (local.get $f)
                    (local.set $k (i32.const 0))
                    (loop $inner
                        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (i32.add (local.get $k) (local.get $j)))))
                        (br_if $inner (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 3))))
                    (local.set $f (f64.add (f64.const 1.25)))
                    (drop)
                    (br_if $middle (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 2)))
                    (local.get $j))
                (drop)
                (local.set $f (f64.mul (local.get $f)))
                (local.set $sum (i64.add (local.get $sum)))
                (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))
                (i64.trunc_f64_s (local.get $f)))
            (i64.add)
            (i64.add (local.get $sum))))"#,
        &[4],
        64,
    );
}

#[test]
fn loops_in_both_arms_and_values_across_labels() {
    sweep(
        "both arms",
        r#"(module (type $two (func (param i32 i64) (result i64 i32)))
          (func (export "run") (param $n i32) (result i64) (local $i i32) (local $t i64)
            (loop $again
                (i64.const 77) (local.get $i) (local.get $t)
                (if (type $two) (i32.and (local.get $i) (i32.const 1))
                    (then
                        (loop $l (type $two)
                            (local.set $t (i64.add (i64.const 3)))
                            (i32.add (i32.const 5))
                            (local.get $t)
                            (br_if $l (i32.and (i32.wrap_i64 (local.get $t)) (i32.const 4)))
                            (local.set $t)
                            (local.set $i)
                            (local.get $t) (local.get $i)))
                    (else
                        (drop)
                        (local.set $t (i64.const 9))
                        (loop $m (param i32) (result i32)
                            (i32.add (i32.const 1))
                            (br_if $m (i32.eqz (i64.eqz (local.tee $t (i64.sub (local.get $t) (i64.const 3)))))))
                        (local.set $i)
                        (local.get $t) (local.get $i)))
                (local.set $i)
                (i64.add)
                (local.set $t (i64.add (local.get $t)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
            (local.get $t)))"#,
        &[60],
        64,
    );
}

#[test]
fn every_arrival_at_every_loop() {
    let all = programs::programs();
    assert!(all.len() >= 200, "{}", all.len());
    let mut handovers = 0;
    for program in all {
        handovers += sweep(&program.name, &program.text, program.args, 64);
    }
    assert!(handovers > 10_000, "{handovers}");
}

#[test]
fn random_modules() {
    let plain = Options { vectors: false, memory_64: false, tail_calls: false };
    run(0, 60, plain, &canonical());
    run(100, 30, Options { vectors: true, ..plain }, &canonical());
    run(
        200,
        30,
        Options { tail_calls: true, ..plain },
        &Tunables { signals: false, epochs: true, ..canonical() },
    );
}

#[test]
fn random_modules_with_fuel() {
    run(4000, 30, Options { vectors: true, memory_64: false, tail_calls: false }, &counting());
    let tunables = Tunables { signals: false, epochs: true, ..counting() };
    run(4100, 20, Options { vectors: false, memory_64: true, tail_calls: true }, &tunables);
}

fn run(first: u64, count: u64, options: Options, tunables: &Tunables) {
    let first = std::env::var("SEED").map_or(first, |seed| seed.parse().unwrap());
    let count = std::env::var("COUNT").map_or(count, |count| count.parse().unwrap());
    let compilers =
        [BaselineCompiler::new(), BaselineCompiler::with_few_registers(), BaselineCompiler::with_garbage()];
    let mut total = 0;
    for seed in first..first + count {
        let module = generate(&mut Random(seed), options);
        let mut reference =
            instantiate(&module.bytes, &|_| Tier::Optimizing, tunables).expect("nothing traps");
        let compiler = &compilers[seed as usize % 2];
        let mut tiered = Code::new(compiler, &module.bytes, tunables).instantiate().expect("nothing traps");
        let mut random = Random(seed ^ 0x1234);
        for (at, (params, _)) in module.types.iter().enumerate() {
            for often in [1, 2, 7] {
                let args: Vec<u128> = params.iter().map(|&ty| *random.pick(&lattice(ty))).collect();
                let name = format!("f{at}");
                let fuel = if random.below(2) == 0 { u64::MAX } else { random.below(300) as u64 };
                give_fuel(&mut reference, fuel);
                give_fuel(&mut tiered.instance, fuel);
                let expected = (reference.call(&name, &args), state(&mut reference));
                let mut dice = Random(seed ^ often);
                let (outcome, handovers) =
                    tiered.call(&name, &args, Box::new(move |_, _| dice.below(often as usize) == 0));
                total += handovers;
                let is_overflow = |outcome: &Outcome| {
                    matches!(outcome, Outcome::Trap(tenure_types::Trap::StackOverflow, ..))
                };
                if is_overflow(&outcome) || is_overflow(&expected.0) {
                    break;
                }
                let found = (place_aside(outcome), state(&mut tiered.instance));
                let expected = (place_aside(expected.0), expected.1);
                if found != expected {
                    let path = std::env::temp_dir().join(format!("tenure-handover-{seed}.wasm"));
                    std::fs::write(&path, &module.bytes).unwrap();
                    panic!(
                        "seed {seed}, {name}({args:x?}), 1 in {often}: {:x?} and not {:x?}; globals {:x?} and not \
                         {:x?}; the module is {}",
                        found.0,
                        expected.0,
                        found.1.1,
                        expected.1.1,
                        path.display()
                    );
                }
            }
        }
    }
    assert!(total > 0, "nothing was handed over");
}

/// The outcome without the place of a trap, of which one tier knows more than the other.
fn place_aside(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Trap(trap, _, func) => Outcome::Trap(trap, None, func),
        outcome => outcome,
    }
}
