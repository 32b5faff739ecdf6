//! Activations that move to better code in the middle of loops do what others do: results, state, traps and backtraces,
//! by way of the API.

#[path = "../../../tests/loops/programs.rs"]
mod programs;

use programs::{Program, programs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tenure::{
    BaselineMachine, Caller, Config, Engine, ExternRef, Func, Global, Instance, Memory, Module,
    OnStackReplacement, Result, Store, Strategy, TierUp, Trap, WasmBacktrace,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What came of a run.
#[derive(PartialEq, Debug)]
enum Outcome {
    Value(i64),
    /// The trap, and function and module offset of each frame.
    Trap(Trap, Vec<(u32, Option<usize>)>),
}

/// All that can be seen of a run: what came of it, memory, the global, and what the host was told.
type Seen = (Outcome, Vec<u8>, i64, Vec<i64>);

fn see(engine: &Engine, module: &Module, arg: i64) -> Result<Seen> {
    let mut store = Store::new(engine, Vec::new());
    let host = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<i64>>, value: i64| {
        caller.data_mut().push(value);
        value.rotate_left(9) ^ 0x1234_5678
    });
    let instance = Instance::new(&mut store, module, &[host.into()])?;
    let object = ExternRef::new(&mut store, "an object")?;
    let set = instance.get_typed_func::<Option<tenure::Rooted<ExternRef>>, ()>(&mut store, "extern")?;
    set.call(&mut store, Some(object))?;
    let run = instance.get_typed_func::<i64, i64>(&mut store, "run")?;
    let outcome = match run.call(&mut store, arg) {
        Ok(value) => Outcome::Value(value),
        Err(error) => {
            let trap =
                *error.downcast_ref::<Trap>().ok_or_else(|| tenure::Error::msg(format!("{error:?}")))?;
            let trace = error.downcast_ref::<WasmBacktrace>().expect("backtraces are on");
            let frame = |frame: &tenure::FrameInfo| (frame.func_index(), frame.module_offset());
            Outcome::Trap(trap, trace.frames().iter().map(frame).collect())
        }
    };
    let memory: Memory = instance.get_memory(&mut store, "memory").expect("it is exported");
    let global: Global = instance.get_global(&mut store, "g").expect("it is exported");
    let global = global.get(&mut store).unwrap_i64();
    let bytes = memory.data(&store).to_vec();
    Ok((outcome, bytes, global, store.into_data()))
}

fn config() -> Config {
    let mut config = Config::new();
    config.parallel_compilation(false);
    config
}

/// What each run of each program is to look like.
fn expected(all: &[Program]) -> Vec<Vec<Seen>> {
    let mut config = config();
    config.strategy(Strategy::Optimizing);
    let engine = Engine::new(&config).unwrap();
    let seen = |program: &Program| {
        let module = Module::new(&engine, &program.text);
        let module = module.unwrap_or_else(|error| panic!("{}: {error:?}", program.name));
        program.args.iter().map(|&arg| see(&engine, &module, arg).unwrap()).collect()
    };
    all.iter().map(seen).collect()
}

/// Counts the loop entries that engines tell of having made.
struct Entries;

static ENTRIES: AtomicU64 = AtomicU64::new(0);

impl Subscriber for Entries {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tenure::tiers"
    }

    fn event(&self, event: &Event<'_>) {
        struct Reason(bool);
        impl Visit for Reason {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 |= field.name() == "reason" && format!("{value:?}") == "\"loop\"";
                assert_ne!(field.name(), "error", "{value:?}");
            }
        }
        let mut reason = Reason(false);
        event.record(&mut reason);
        ENTRIES.fetch_add(u64::from(reason.0), Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// How many loop entries `work` has engines make.
fn entries_made_in(work: impl FnOnce()) -> u64 {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // The first test sets it, the others find it there.
    let _ = tracing::subscriber::set_global_default(Entries);
    let before = ENTRIES.load(Ordering::Relaxed);
    work();
    ENTRIES.load(Ordering::Relaxed) - before
}

/// Runs every program where activations move as `replacement` says.
fn sweep(replacement: OnStackReplacement, machine: BaselineMachine, only: impl Fn(usize) -> bool) {
    let all = programs();
    let all: Vec<Program> =
        all.into_iter().enumerate().filter(|&(at, _)| only(at)).map(|(_, program)| program).collect();
    for (program, expected) in all.iter().zip(expected(&all)) {
        run_as(program, &expected, replacement, machine);
    }
}

fn run_as(program: &Program, expected: &[Seen], replacement: OnStackReplacement, machine: BaselineMachine) {
    let mut config = config();
    config.strategy(Strategy::Tiered).on_stack_replacement(replacement).baseline_machine(machine);
    config.tier_up(TierUp::AtOnce).tier_up_budget(0).tier_up_budget_per_byte(0);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, &program.text).unwrap();
    for (&arg, expected) in program.args.iter().zip(expected) {
        let found = see(&engine, &module, arg).unwrap();
        let Program { name, text, .. } = program;
        assert!(
            found == *expected,
            "{name}, {arg}, {replacement:?}: {:x?} and not {:x?}\n{text}",
            found.0,
            expected.0
        );
    }
}

#[test]
fn at_every_first_arrival() {
    let made = entries_made_in(|| sweep(OnStackReplacement::First, BaselineMachine::Whole, |_| true));
    assert!(made > 150, "{made}");
}

#[test]
fn nowhere_and_here_and_there() {
    let made =
        entries_made_in(|| sweep(OnStackReplacement::Never, BaselineMachine::FewRegisters, |at| at % 3 == 0));
    assert_eq!(made, 0);
    let made = entries_made_in(|| {
        sweep(OnStackReplacement::Sometimes, BaselineMachine::Whole, |at| at % 2 == 0);
        sweep(OnStackReplacement::Sometimes, BaselineMachine::FewRegisters, |at| at % 2 == 1);
    });
    assert!(made > 50, "{made}");
}

#[test]
fn at_one_loop_from_one_arrival_on() {
    let all = programs();
    let expected = expected(&all);
    let made = entries_made_in(|| {
        for (at, (program, expected)) in all.iter().zip(&expected).enumerate() {
            for number in 0..3 {
                // Another few of the arrivals for each program.
                for arrival in [0, 1 + at as u32 % 6, 7 + at as u32 % 57] {
                    let replacement = OnStackReplacement::At { number, arrival };
                    run_as(program, expected, replacement, BaselineMachine::Whole);
                }
            }
        }
    });
    assert!(made > 500, "{made}");
}
