//! Runs a program on `wasmi` and does nothing else, so that the whole process can be measured:
//! `run_wasmi (eager|lazy) (start|whole) FILE`.

use anyhow::{Context as _, Result, bail};
use wasmi::{CompilationMode, Config, Engine, Linker, Module, Store};
use wasmi_wasi::{WasiCtx, WasiCtxBuilder, ambient_authority};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().context("arguments: (eager|lazy) (start|whole) FILE");
    let mut config = Config::default();
    config.compilation_mode(match argument()?.as_str() {
        "eager" => CompilationMode::Eager,
        "lazy" => CompilationMode::LazyTranslation,
        other => bail!("no mode {other}"),
    });
    let ends_at_start = argument()? == "start";
    let engine = Engine::new(&config);
    let module = Module::new(&engine, std::fs::read(argument()?)?)?;

    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    wasmi_wasi::add_to_linker(&mut linker, |wasi: &mut WasiCtx| wasi)?;
    linker.func_wrap("bench", "start", move || {
        if ends_at_start {
            std::process::exit(0);
        }
    })?;
    linker.func_wrap("bench", "end", || {})?;
    let directory = wasmi_wasi::Dir::open_ambient_dir(".", ambient_authority())?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().arg("program.wasm")?.preopened_dir(directory, ".")?;
    let mut store = Store::new(&engine, wasi.build());
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&store, "_start")?;
    if let Err(error) = start.call(&mut store, ())
        && error.i32_exit_status() != Some(0)
    {
        return Err(error.into());
    }
    Ok(())
}
