//! Random modules do the same on this tier, on the other, and when their functions take turns.

mod support;

use support::generate::{Generated, Options, generate};
use support::operators::lattice;
use support::{Instance, Outcome, Random, instantiate_with};
use tenure_baseline::BaselineCompiler;
use tenure_code::{Tier, Tunables};
use tenure_types::ValType;

/// All that can be seen of an instance after a call.
fn observe(
    instance: &mut Instance,
    name: &str,
    args: &[u128],
    fuel: u64,
) -> (Outcome, Vec<u8>, Vec<u128>, Option<u64>) {
    instance.store.set_fuel(fuel).expect("there is no limit");
    let outcome = instance.call(name, args);
    (outcome, instance.memory(), instance.globals(), instance.store.fuel())
}

fn compare(compiler: &BaselineCompiler, module: &Generated, seed: u64, tunables: &Tunables) {
    let pick_mixed =
        move |at: usize| if (seed >> (at % 64)) & 1 == 0 { Tier::Baseline } else { Tier::Optimizing };
    let tiers: [&dyn Fn(usize) -> Tier; 3] = [&|_| Tier::Optimizing, &|_| Tier::Baseline, &pick_mixed];
    let mut instances: Vec<_> = tiers
        .iter()
        .map(|pick| instantiate_with(compiler, &module.bytes, pick, tunables).expect("nothing traps"))
        .collect();
    let mut random = Random(seed ^ 0x5555);
    for (at, (params, _)) in module.types.iter().enumerate() {
        for _ in 0..3 {
            let args: Vec<u128> =
                params
                    .iter()
                    .map(|&ty| {
                        if random.below(2) == 0 {
                            *random.pick(&lattice(ty))
                        } else {
                            random.wide() & mask(ty)
                        }
                    })
                    .collect();
            let name = format!("f{at}");
            // Enough for most, or not.
            let fuel = if random.below(2) == 0 { u64::MAX } else { random.below(300) as u64 };
            let expected = observe(&mut instances[0], &name, &args, fuel);
            if matches!(expected.0, Outcome::Trap(tenure_types::Trap::StackOverflow, ..)) {
                return;
            }
            for (number, instance) in instances.iter_mut().enumerate().skip(1) {
                let found = observe(instance, &name, &args, fuel);
                if matches!(found.0, Outcome::Trap(tenure_types::Trap::StackOverflow, ..)) {
                    return;
                }
                if found != expected {
                    let path = std::env::temp_dir().join(format!("tenure-baseline-{seed}.wasm"));
                    std::fs::write(&path, &module.bytes).unwrap();
                    let first = found.1.iter().zip(&expected.1).position(|(a, b)| a != b);
                    panic!(
                        "seed {seed}, instance {number}, {name}({args:x?}): {:x?} and not {:x?}; memory differs at \
                         {first:?}; globals {:x?} and not {:x?}; {:?} of {fuel} left and not {:?}; the module is {}",
                        found.0,
                        expected.0,
                        found.2,
                        expected.2,
                        found.3,
                        expected.3,
                        path.display()
                    );
                }
            }
        }
    }
}

fn mask(ty: ValType) -> u128 {
    match ty {
        ValType::I32 | ValType::F32 => 0xffff_ffff,
        ValType::I64 | ValType::F64 => u128::from(u64::MAX),
        _ => u128::MAX,
    }
}

fn run(first: u64, count: u64, options: Options, tunables: &Tunables) {
    run_with(&BaselineCompiler::new(), first, count, options, tunables);
}

fn run_with(compiler: &BaselineCompiler, first: u64, count: u64, options: Options, tunables: &Tunables) {
    let first = std::env::var("SEED").map_or(first, |seed| seed.parse().unwrap());
    let count = std::env::var("COUNT").map_or(count, |count| count.parse().unwrap());
    for seed in first..first + count {
        let mut random = Random(seed);
        let module = generate(&mut random, options);
        compare(compiler, &module, seed, tunables);
    }
}

const PLAIN: Options = Options { vectors: false, memory_64: false, tail_calls: false };

fn canonical() -> Tunables {
    Tunables { canonical_nans: true, ..Tunables::default() }
}

#[test]
fn with_signals() {
    run(0, 60, PLAIN, &canonical());
}

#[test]
fn without_signals() {
    run(1000, 40, PLAIN, &Tunables { signals: false, ..canonical() });
}

#[test]
fn with_tail_calls() {
    run(2000, 40, Options { tail_calls: true, ..PLAIN }, &canonical());
}

#[test]
fn with_64_bit_memories() {
    run(3000, 40, Options { memory_64: true, ..PLAIN }, &canonical());
}

#[test]
fn with_memories_that_move() {
    let tunables = Tunables { memory_reservation: 1 << 16, memory_guard: 1 << 16, ..canonical() };
    run(4000, 40, PLAIN, &tunables);
}

#[test]
fn with_a_question_at_every_loop() {
    run(5000, 30, PLAIN, &Tunables { epochs: true, ..canonical() });
}

#[test]
fn with_fuel() {
    let fuel = Some(std::sync::Arc::new(tenure_module::OperatorCost::new()));
    let options = Options { vectors: true, tail_calls: true, ..PLAIN };
    run(8000, 60, options, &Tunables { fuel: fuel.clone(), ..canonical() });
    run(8100, 30, options, &Tunables { fuel: fuel.clone(), epochs: true, signals: false, ..canonical() });
    run(8200, 30, Options { memory_64: true, ..PLAIN }, &Tunables { fuel, ..canonical() });
}

#[test]
fn with_vectors() {
    run(6000, 40, Options { vectors: true, ..PLAIN }, &canonical());
}

#[test]
fn with_garbage() {
    let compiler = BaselineCompiler::with_garbage();
    run_with(&compiler, 8000, 30, Options { vectors: true, tail_calls: true, ..PLAIN }, &canonical());
}

#[test]
fn with_few_registers() {
    let compiler = BaselineCompiler::with_few_registers();
    run_with(&compiler, 7000, 30, Options { vectors: true, tail_calls: true, ..PLAIN }, &canonical());
    let tunables = Tunables { signals: false, ..canonical() };
    run_with(&compiler, 7100, 30, Options { vectors: true, memory_64: true, ..PLAIN }, &tunables);
}

#[test]
fn on_a_plain_machine() {
    run_with(&BaselineCompiler::without_extensions(), 8000, 30, PLAIN, &canonical());
}
