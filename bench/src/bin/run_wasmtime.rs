//! Runs a program on `wasmtime` and does nothing else, so that the whole process can be measured:
//! `run_wasmtime (cranelift|winch) (start|whole) FILE`.

use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Linker, Module, Result, Store, Strategy, bail};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("arguments: (cranelift|winch) (start|whole) FILE");
    let mut config = Config::new();
    config.strategy(match argument()?.as_str() {
        "cranelift" => Strategy::Cranelift,
        "winch" => Strategy::Winch,
        other => bail!("no strategy {other}"),
    });
    let ends_at_start = argument()? == "start";
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, std::fs::read(argument()?)?)?;

    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;
    linker.func_wrap("bench", "start", move || {
        if ends_at_start {
            std::process::exit(0);
        }
    })?;
    linker.func_wrap("bench", "end", || {})?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg("program.wasm").preopened_dir(".", ".", FsPerms::ReadWrite)?;
    let mut store = Store::new(&engine, wasi.build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    if let Err(error) = start.call(&mut store, ()) {
        match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => {}
            _ => return Err(error),
        }
    }
    Ok(())
}
