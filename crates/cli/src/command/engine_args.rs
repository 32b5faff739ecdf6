//! Flags of commands that make an engine.

use tenure::{Config, Engine, Result, WasmBacktraceDetails};

/// How the engine is to be.
#[derive(clap::Args, Default)]
pub struct EngineArgs {
    /// Set an option of the engine, by its name in `tenure::Config`; can be given several times
    #[arg(short = 'O', long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, String)>,
}

fn option(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl EngineArgs {
    /// The engine; with `strategy` unless an option says otherwise.
    ///
    /// # Errors
    /// When there is no such option or value, or the engine cannot be had.
    pub fn engine(&self, strategy: &str) -> Result<Engine> {
        self.engine_with(strategy, |_| {})
    }

    /// As [`EngineArgs::engine`], with what else `set` sets.
    ///
    /// # Errors
    /// As [`EngineArgs::engine`].
    pub fn engine_with(&self, strategy: &str, set: impl FnOnce(&mut Config)) -> Result<Engine> {
        let mut config = Config::new();
        config.set("strategy", strategy)?;
        // Whoever reads a trap on a terminal wants the source's file and line, if the module tells.
        config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
        set(&mut config);
        for (name, value) in &self.options {
            config.set(name, value)?;
        }
        Engine::new(&config)
    }
}
