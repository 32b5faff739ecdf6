//! The measurements on `wasmi`, whose API is close to the others' but not the same.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use wasmi::{
    Caller, CompilationMode, Config, Engine, Instance, Linker, Module, Nullable, Ref, RefType, Store, Table,
    TableType, TrapCode, Val,
};
use wasmi_wasi::{WasiCtx, WasiCtxBuilder, ambient_authority};

use crate::clock::{Cost, Stopwatch, repeat};
use crate::measures::Sample;
use crate::resident::{self, MOST_RESIDENT, POINTS};
use crate::sample::{MOST_RUNS, length, sample};

struct Host {
    wasi: WasiCtx,
    started: Option<Stopwatch>,
    kernel: Option<Cost>,
}

/// The interpreter, which makes its code with the module or at the first call.
pub fn engine(mode: CompilationMode) -> Engine {
    let mut config = Config::default();
    config.compilation_mode(mode);
    Engine::new(&config)
}

/// Compiles a program to the interpreter's code, runs it in the current directory, and measures both.
pub fn program(engine: &Engine, wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let watch = Stopwatch::start();
    let module = Module::new(engine, &wasm)?;
    let compile = watch.stop();
    let kernel = run(engine, &module)?;
    Ok(sample([("compile", compile), ("execute", kernel)]))
}

/// What a program's first run, its first two, its first four, … have cost since the process began.
pub fn lengths(engine: &Engine, wasm: &Path) -> Result<Sample> {
    let module = Module::new(engine, &std::fs::read(wasm)?)?;
    let mut sample = Sample::new();
    for round in 1..=MOST_RUNS {
        run(engine, &module)?;
        if round.is_power_of_two() {
            sample.insert(length(round), Cost::of_process());
        }
    }
    Ok(sample)
}

/// Runs a program once in the current directory; the cost of its kernel.
fn run(engine: &Engine, module: &Module) -> Result<Cost> {
    let mut linker: Linker<Host> = Linker::new(engine);
    wasmi_wasi::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi)?;
    linker.func_wrap("bench", "start", |mut caller: Caller<'_, Host>| {
        caller.data_mut().started = Some(Stopwatch::start());
    })?;
    linker.func_wrap("bench", "end", |mut caller: Caller<'_, Host>| {
        let host = caller.data_mut();
        host.kernel = host.started.map(Stopwatch::stop);
    })?;

    let directory = wasmi_wasi::Dir::open_ambient_dir(".", ambient_authority())?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg("program.wasm")?.preopened_dir(directory, ".")?;
    let mut store = Store::new(engine, Host { wasi: wasi.build(), started: None, kernel: None });
    let instance = linker.instantiate_and_start(&mut store, module)?;
    let start = instance.get_typed_func::<(), ()>(&store, "_start")?;
    if let Err(error) = start.call(&mut store, ())
        && error.i32_exit_status() != Some(0)
    {
        return Err(error.into());
    }
    store.data().kernel.context("the program never called bench.start and bench.end")
}

/// Compiles a program and measures that alone.
pub fn compile(engine: &Engine, wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let watch = Stopwatch::start();
    let module = Module::new(engine, &wasm)?;
    let compile = watch.stop();
    drop(module);
    Ok(sample([("compile", compile)]))
}

/// Calls in both directions, traps, and instantiation.
pub fn calls(engine: &Engine, wat: &str) -> Result<Sample> {
    let module = Module::new(engine, wat)?;
    let mut linker: Linker<u64> = Linker::new(engine);
    linker.func_wrap("host", "zero", || {})?;
    linker.func_wrap("host", "three", |a: i32, b: i64, c: i32| a.wrapping_add(b as i32).wrapping_add(c))?;
    let mut store = Store::new(engine, 0);
    let instance = linker.instantiate_and_start(&mut store, &module)?;

    let mut sample = Sample::new();
    let empty = instance.get_typed_func::<(), ()>(&store, "empty")?;
    sample.insert(
        "typed call".into(),
        repeat(|n| {
            for _ in 0..n {
                empty.call(&mut store, ())?;
            }
            Ok::<_, wasmi::Error>(())
        })?,
    );
    let add = instance.get_typed_func::<(i32, i32), i32>(&store, "add")?;
    sample.insert(
        "typed call, 2 arguments".into(),
        repeat(|n| {
            for at in 0..n {
                black_box(add.call(&mut store, (at as i32, 1))?);
            }
            Ok::<_, wasmi::Error>(())
        })?,
    );
    let add = instance.get_func(&store, "add").context("no export add")?;
    sample.insert(
        "untyped call".into(),
        repeat(|n| {
            for at in 0..n {
                let mut results = [Val::I32(0)];
                add.call(&mut store, &[Val::I32(at as i32), Val::I32(1)], &mut results)?;
                black_box(results);
            }
            Ok::<_, wasmi::Error>(())
        })?,
    );
    let empty = looped(&mut store, instance, "loop_empty")?;
    sample.insert("host call, 0 arguments".into(), looped(&mut store, instance, "loop_zero")?.without(empty));
    sample.insert("guest call".into(), looped(&mut store, instance, "loop_guest")?.without(empty));
    sample
        .insert("host call, 3 arguments".into(), looped(&mut store, instance, "loop_three")?.without(empty));
    sample.insert("trap at depth 1".into(), trap(&mut store, instance, 1)?);
    sample.insert("trap at depth 50".into(), trap(&mut store, instance, 50)?);
    let instantiate = repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(engine, 0);
            black_box(linker.instantiate_and_start(&mut store, &module)?);
        }
        Ok::<_, wasmi::Error>(())
    })?;
    sample.insert("new store and instance".into(), instantiate);
    Ok(sample)
}

/// Loads pairs of plugins that hold each other's functions; notes what the process holds.
pub fn cycles() -> Result<Sample> {
    let engine = Engine::default();
    let module = Module::new(&engine, include_str!("../guests/plugin.wat"))?;
    let mut store = Store::new(&engine, ());
    let ty = TableType::new(RefType::Func, 2, None);
    let lobby = Table::new(&mut store, ty, Ref::Func(Nullable::Null))?;
    let mut load = |friend: Table| -> Result<(Instance, Table)> {
        let mut linker: Linker<()> = Linker::new(&engine);
        linker.define("host", "friend", friend)?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let own = instance.get_table(&store, "own").context("no export own")?;
        let run = instance.get_typed_func::<i64, i64>(&store, "run");
        if friend.get(&store, 0).is_some_and(|element| !element.is_null()) {
            run?.call(&mut store, 7)?;
        }
        Ok((instance, own))
    };
    let mut sample = Sample::new();
    let watch = Stopwatch::start();
    let mut done = 0_u32;
    for &(count, row) in POINTS {
        while done < count {
            let (_, own) = load(lobby)?;
            load(own)?;
            done += 1;
            if done.is_multiple_of(256) && resident::bytes() > MOST_RESIDENT {
                return Ok(sample);
            }
        }
        sample.insert(row.to_owned(), Cost { cpu: resident::bytes(), wall: resident::mappings() });
        if count == 1_000 {
            sample.insert("one of 1,000 cycles".to_owned(), watch.stop().divided(count));
        }
    }
    Ok(sample)
}

/// Makes instances of small modules.
pub fn instances() -> Result<Sample> {
    let engine = Engine::default();
    let linker: Linker<()> = Linker::new(&engine);
    let made_and_dropped = |wat: &str| -> Result<Cost> {
        let module = Module::new(&engine, wat)?;
        repeat(|n| {
            for _ in 0..n {
                let mut store = Store::new(&engine, ());
                black_box(linker.instantiate_and_start(&mut store, &module)?);
            }
            Ok(())
        })
    };
    Ok(sample([
        ("empty module", made_and_dropped("(module)")?),
        ("one page", made_and_dropped(include_str!("../guests/one_page.wat"))?),
    ]))
}

/// Instances of a module with a bare page.
pub fn many() -> Result<Sample> {
    many_of(
        include_str!("../guests/bare_page.wat"),
        "10,000 live, creating one at first",
        "10,000 live, bytes of one",
    )
}

/// Instances of a module with a page and data.
pub fn many_with_data() -> Result<Sample> {
    many_of(
        include_str!("../guests/one_page.wat"),
        "10,000 live with data, creating one at first",
        "10,000 live with data, bytes of one",
    )
}

fn many_of(wat: &str, at_first: &'static str, bytes: &'static str) -> Result<Sample> {
    let engine = Engine::default();
    let linker: Linker<()> = Linker::new(&engine);
    let module = Module::new(&engine, wat)?;
    let before = resident::bytes();
    let mut store = Store::new(&engine, ());
    let watch = Stopwatch::start();
    for _ in 0..10_000 {
        black_box(linker.instantiate_and_start(&mut store, &module)?);
    }
    let cost = watch.stop().divided(10_000);
    let each = (resident::bytes() - before) / 1e4;
    Ok(sample([(at_first, cost), (bytes, Cost { cpu: each, wall: each })]))
}

fn looped(store: &mut Store<u64>, instance: Instance, export: &str) -> Result<Cost> {
    let function = instance.get_typed_func::<u32, ()>(&*store, export)?;
    Ok(repeat(|n| function.call(&mut *store, n))?)
}

fn trap(store: &mut Store<u64>, instance: Instance, depth: i32) -> Result<Cost> {
    let trap = instance.get_typed_func::<i32, ()>(&*store, "trap")?;
    repeat(|n| {
        for _ in 0..n {
            match trap.call(&mut *store, depth) {
                Err(error) if error.as_trap_code() == Some(TrapCode::UnreachableCodeReached) => {}
                Err(error) => return Err(anyhow!(error)),
                Ok(()) => bail!("the guest did not trap"),
            }
        }
        Ok(())
    })
}
