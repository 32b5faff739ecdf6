//! The subcommands, a file each: arguments, and what is done with them.

mod compile;
mod engine_args;
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
use std::sync::Arc;

use tenure::{Engine, Module, Result};

use crate::progress;

/// Compiles `wasm`, which the user knows as `name`.
fn module(engine: &Engine, name: &str, wasm: &Arc<[u8]>) -> Result<Module> {
    progress::during(&format!("compiling {name}"), |meter| {
        Module::from_shared(engine, wasm, &|progress| {
            meter.set(progress.done, progress.total);
            ControlFlow::Continue(())
        })
    })
    .map_err(|error| error.context(format!("cannot compile {name}")))
}
