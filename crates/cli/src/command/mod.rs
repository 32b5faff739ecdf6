//! The subcommands, a file each: arguments, and what is done with them.

mod compile;
mod inspect;
mod precompiled;
mod run;
mod validate;
mod wast;

pub use compile::Compile;
pub use inspect::Inspect;
pub use run::Run;
pub use validate::Validate;
pub use wast::Wast;

use std::ops::ControlFlow;

use tenure::{Config, Engine, Module, Result, WasmBacktraceDetails};

use crate::progress;

/// The engine that every command uses.
fn engine() -> Result<Engine> {
    engine_with("optimizing", |_| {})
}

/// The engine, with a strategy that the user chose and what else `set` sets.
fn engine_with(strategy: &str, set: impl FnOnce(&mut Config)) -> Result<Engine> {
    let mut config = Config::new();
    config.set("strategy", strategy)?;
    // Whoever reads a trap on a terminal wants the source's file and line, if the module tells.
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    set(&mut config);
    Engine::new(&config)
}

/// Compiles `wasm`, which the user knows as `name`.
fn module(engine: &Engine, name: &str, wasm: &[u8]) -> Result<Module> {
    progress::during(&format!("compiling {name}"), |meter| {
        Module::new_with_progress(engine, wasm, &|progress| {
            meter.set(progress.done, progress.total);
            ControlFlow::Continue(())
        })
    })
    .map_err(|error| error.context(format!("cannot compile {name}")))
}
