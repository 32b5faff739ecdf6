//! `tenure validate`: is it a module?

use std::path::PathBuf;

use tenure::{Module, Result};

use super::engine_args::EngineArgs;
use crate::input::Input;
use crate::report;

/// Check that a file is a valid module: exit code 0 if it is, 1 if not
#[derive(clap::Args)]
pub struct Validate {
    #[command(flatten)]
    engine: EngineArgs,

    /// The module, as text or binary; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Validate {
    pub fn execute(self) -> Result<u8> {
        let input = Input::read(&self.file)?;
        let name = input.name.clone();
        Module::validate(&self.engine.engine("auto")?, &input.into_wasm()?)
            .map_err(|error| error.context(format!("{name} is not valid")))?;
        Ok(report::SUCCESS)
    }
}
