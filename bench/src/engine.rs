// The measurements, written once against the API that Tenure and `wasmtime` share.
//
// Included into a module for each, where `engine` and `wasi` name the crates.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use engine::{Config, Engine, Instance, Linker, Module, Result, Store, Trap, Val, bail};
use wasi::p1::{self, WasiP1Ctx};
use wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use crate::clock::{Cost, Stopwatch, best, fastest_run, repeat};
use crate::measures::Sample;
use crate::sample::{LOOP_ROUNDS, MOST_RUNS, WARM_UP, length, sample};
use crate::wasm;

/// What a program's store holds: WASI, and the times between its two calls to `bench`.
struct Host {
    wasi: WasiP1Ctx,
    started: Option<Stopwatch>,
    kernel: Option<Cost>,
}

/// A program's module, with everything that it imports.
struct Program {
    engine: Engine,
    linker: Linker<Host>,
    module: Module,
}

impl Program {
    fn new(engine: &Engine, module: Module) -> Result<Self> {
        let mut linker: Linker<Host> = Linker::new(engine);
        p1::add_to_linker_sync(&mut linker, |host| &mut host.wasi)?;
        linker.func_wrap("bench", "start", |mut caller: engine::Caller<'_, Host>| {
            caller.data_mut().started = Some(Stopwatch::start());
        })?;
        linker.func_wrap("bench", "end", |mut caller: engine::Caller<'_, Host>| {
            let host = caller.data_mut();
            host.kernel = host.started.map(Stopwatch::stop);
        })?;
        Ok(Self { engine: engine.clone(), linker, module })
    }

    fn from_file(config: &Config, wasm: &Path) -> Result<Self> {
        let engine = Engine::new(config)?;
        let module = Module::new(&engine, std::fs::read(wasm)?)?;
        Self::new(&engine, module)
    }

    /// Runs it once in the current directory; the cost of its kernel. Who started this process reads what the
    /// program prints, and wants it once: only the `first` run shows it.
    fn run(&self, first: bool) -> Result<Cost> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg("program.wasm").preopened_dir(".", ".", FsPerms::ReadWrite)?;
        if first {
            wasi.inherit_stdio();
        }
        let host = Host { wasi: wasi.build_p1(), started: None, kernel: None };
        let mut store = Store::new(&self.engine, host);
        let instance = self.linker.instantiate(&mut store, &self.module)?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        if let Err(error) = start.call(&mut store, ()) {
            match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(0)) => {}
                _ => return Err(error),
            }
        }
        let Some(kernel) = store.data().kernel else {
            bail!("the program never called bench.start and bench.end")
        };
        Ok(kernel)
    }
}

/// Compiles a program, runs it in the current directory, and measures compiling and its kernel: of a short one the
/// fastest of several runs, each in a store of its own.
pub fn program(config: &Config, wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let engine = Engine::new(config)?;
    let watch = Stopwatch::start();
    let module = Module::new(&engine, &wasm)?;
    let compile = watch.stop();
    let program = Program::new(&engine, module)?;
    let execute = fastest_run(|first| program.run(first))?;
    Ok(sample([("compile", compile), ("execute", execute)]))
}

/// Makes a module of a program and measures that alone.
pub fn compile(config: &Config, wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let engine = Engine::new(config)?;
    let watch = Stopwatch::start();
    let module = Module::new(&engine, &wasm)?;
    let compile = watch.stop();
    drop(module);
    Ok(sample([("compile", compile)]))
}

/// The same, the best of a few, for each byte of the code section.
pub fn throughput(config: &Config, wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let engine = Engine::new(config)?;
    let best = best(3, || {
        let watch = Stopwatch::start();
        let module = Module::new(&engine, &wasm)?;
        let compile = watch.stop();
        drop(module);
        Ok::<_, engine::Error>(compile)
    })?;
    Ok(sample([("compile", best.divided(wasm::code_bytes(&wasm)))]))
}

/// Runs a program until it no longer gets faster, and measures its kernel.
pub fn steady(config: &Config, wasm: &Path) -> Result<Sample> {
    let program = Program::from_file(config, wasm)?;
    let begin = Instant::now();
    while begin.elapsed() < WARM_UP {
        program.run(false)?;
        // Compilers in the background are to be through too, on a busy machine as well.
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(200));
    Ok(sample([("execute", best(5, || program.run(false))?)]))
}

/// What a program's first run, its first two, its first four, … have cost since the process began.
pub fn lengths(config: &Config, wasm: &Path) -> Result<Sample> {
    let program = Program::from_file(config, wasm)?;
    let mut sample = Sample::new();
    for run in 1..=MOST_RUNS {
        program.run(false)?;
        if run.is_power_of_two() {
            sample.insert(length(run), Cost::of_process());
        }
    }
    Ok(sample)
}

/// Makes a module with one loop and calls it once, which takes seconds.
pub fn one_loop(config: &Config, wat: &str) -> Result<Sample> {
    let engine = Engine::new(config)?;
    let watch = Stopwatch::start();
    let module = Module::new(&engine, wat)?;
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<u32, u64>(&mut store, "run")?;
    black_box(run.call(&mut store, LOOP_ROUNDS)?);
    Ok(sample([("execute", watch.stop())]))
}

/// Calls in both directions, traps, and instantiation, with a module that does nothing else.
pub fn calls(config: &Config, wat: &str) -> Result<Sample> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, wat)?;
    let mut linker: Linker<u64> = Linker::new(&engine);
    linker.func_wrap("host", "zero", || {})?;
    linker.func_wrap("host", "three", |a: i32, b: i64, c: i32| a.wrapping_add(b as i32).wrapping_add(c))?;
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module)?;

    let mut sample = Sample::new();
    sample.insert("typed call".into(), typed_call(&mut store, instance)?);
    sample.insert("typed call, 2 arguments".into(), typed_call_with_arguments(&mut store, instance)?);
    sample.insert("untyped call".into(), untyped_call(&mut store, instance)?);
    let empty = looped(&mut store, instance, "loop_empty")?;
    sample.insert("host call, 0 arguments".into(), looped(&mut store, instance, "loop_zero")?.without(empty));
    sample.insert("guest call".into(), looped(&mut store, instance, "loop_guest")?.without(empty));
    sample.insert("host call, 3 arguments".into(), looped(&mut store, instance, "loop_three")?.without(empty));
    sample.insert("trap at depth 1".into(), trap(&mut store, instance, 1)?);
    sample.insert("trap at depth 50".into(), trap(&mut store, instance, 50)?);

    let prepared = linker.instantiate_pre(&module)?;
    let instantiate = repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(&engine, 0);
            black_box(prepared.instantiate(&mut store)?);
        }
        Ok::<_, engine::Error>(())
    })?;
    sample.insert("new store and instance".into(), instantiate);
    Ok(sample)
}

fn typed_call(store: &mut Store<u64>, instance: Instance) -> Result<Cost> {
    let empty = instance.get_typed_func::<(), ()>(&mut *store, "empty")?;
    repeat(|n| {
        for _ in 0..n {
            empty.call(&mut *store, ())?;
        }
        Ok(())
    })
}

fn typed_call_with_arguments(store: &mut Store<u64>, instance: Instance) -> Result<Cost> {
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut *store, "add")?;
    repeat(|n| {
        for at in 0..n {
            black_box(add.call(&mut *store, (at as i32, 1))?);
        }
        Ok(())
    })
}

fn untyped_call(store: &mut Store<u64>, instance: Instance) -> Result<Cost> {
    let Some(add) = instance.get_func(&mut *store, "add") else { bail!("no export add") };
    repeat(|n| {
        for at in 0..n {
            let mut results = [Val::I32(0)];
            add.call(&mut *store, &[Val::I32(at as i32), Val::I32(1)], &mut results)?;
            black_box(results);
        }
        Ok(())
    })
}

/// A call whose guest loops.
fn looped(store: &mut Store<u64>, instance: Instance, export: &str) -> Result<Cost> {
    let function = instance.get_typed_func::<u32, ()>(&mut *store, export)?;
    repeat(|n| function.call(&mut *store, n))
}

fn trap(store: &mut Store<u64>, instance: Instance, depth: i32) -> Result<Cost> {
    let trap = instance.get_typed_func::<i32, ()>(&mut *store, "trap")?;
    repeat(|n| {
        for _ in 0..n {
            match trap.call(&mut *store, depth) {
                Err(error) if error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached) => {}
                Err(error) => return Err(error),
                Ok(()) => bail!("the guest did not trap"),
            }
        }
        Ok(())
    })
}
