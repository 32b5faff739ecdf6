// The measurements, written once against the API that Tenure and `wasmtime` share.
//
// Included into a module for each, where `engine` and `wasi` name the crates.

use std::hint::black_box;
use std::path::Path;

use engine::{Engine, Instance, InstancePre, Linker, Module, Result, Store, Trap, Val, bail};
use wasi::p1::{self, WasiP1Ctx};
use wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use crate::clock::{Cost, Stopwatch, fastest_run, repeat};
use crate::measures::Sample;

/// What a program's store holds: WASI, and the times between its two calls to `bench`.
struct Host {
    wasi: WasiP1Ctx,
    started: Option<Stopwatch>,
    kernel: Option<Cost>,
}

/// Compiles a program, runs it in the current directory, and measures compiling and its kernel: of a short one the
/// fastest of several runs, each in a store of its own.
pub fn program(wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let engine = Engine::default();
    let watch = Stopwatch::start();
    let module = Module::new(&engine, &wasm)?;
    let compile = watch.stop();

    let mut linker: Linker<Host> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |host| &mut host.wasi)?;
    linker.func_wrap("bench", "start", |mut caller: engine::Caller<'_, Host>| {
        caller.data_mut().started = Some(Stopwatch::start());
    })?;
    linker.func_wrap("bench", "end", |mut caller: engine::Caller<'_, Host>| {
        let host = caller.data_mut();
        host.kernel = host.started.map(Stopwatch::stop);
    })?;

    let prepared = linker.instantiate_pre(&module)?;
    let execute = fastest_run(|first| {
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg("program.wasm").preopened_dir(".", ".", FsPerms::ReadWrite)?;
        // Who started this process reads what the program prints, and wants it once.
        if first {
            wasi.inherit_stdio();
        }
        kernel(&prepared, Store::new(&engine, Host { wasi: wasi.build_p1(), started: None, kernel: None }))
    })?;
    Ok(Sample::from([("compile", compile), ("execute", execute)]))
}

/// Runs a program once; what its kernel cost.
fn kernel(program: &InstancePre<Host>, mut store: Store<Host>) -> Result<Cost> {
    let instance = program.instantiate(&mut store)?;
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

/// Compiles a program and measures that alone.
pub fn compile(wasm: &Path) -> Result<Sample> {
    let wasm = std::fs::read(wasm)?;
    let engine = Engine::default();
    let watch = Stopwatch::start();
    let module = Module::new(&engine, &wasm)?;
    let compile = watch.stop();
    drop(module);
    Ok(Sample::from([("compile", compile)]))
}

/// Calls in both directions, traps, and instantiation, with a module that does nothing else.
pub fn calls(wat: &str) -> Result<Sample> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat)?;
    let mut linker: Linker<u64> = Linker::new(&engine);
    linker.func_wrap("host", "zero", || {})?;
    linker.func_wrap("host", "three", |a: i32, b: i64, c: i32| a.wrapping_add(b as i32).wrapping_add(c))?;
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module)?;

    let mut sample = Sample::new();
    sample.insert("typed call", typed_call(&mut store, instance)?);
    sample.insert("typed call, 2 arguments", typed_call_with_arguments(&mut store, instance)?);
    sample.insert("untyped call", untyped_call(&mut store, instance)?);
    let empty = looped(&mut store, instance, "loop_empty")?;
    sample.insert("host call, 0 arguments", looped(&mut store, instance, "loop_zero")?.without(empty));
    sample.insert("host call, 3 arguments", looped(&mut store, instance, "loop_three")?.without(empty));
    sample.insert("trap at depth 1", trap(&mut store, instance, 1)?);
    sample.insert("trap at depth 50", trap(&mut store, instance, 50)?);

    let prepared = linker.instantiate_pre(&module)?;
    let instantiate = repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(&engine, 0);
            black_box(prepared.instantiate(&mut store)?);
        }
        Ok::<_, engine::Error>(())
    })?;
    sample.insert("new store and instance", instantiate);
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
