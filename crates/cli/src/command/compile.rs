//! `tenure compile`: machine code, ahead of time.

use std::path::PathBuf;

use tenure::{Error, Result};

use super::engine_args::EngineArgs;
use crate::input::Input;
use crate::report;

/// Compile a module to a file that starts without compiling
#[derive(clap::Args)]
pub struct Compile {
    /// Where to write; FILE with the extension `cwasm` if not given
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Which compiler makes the code: `optimizing`, or `baseline` in less time; what runs it needs the same
    #[arg(long, value_name = "STRATEGY", default_value = "optimizing")]
    strategy: String,

    #[command(flatten)]
    engine: EngineArgs,

    /// The module, as text or binary; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Compile {
    pub fn execute(self) -> Result<u8> {
        let input = Input::read(&self.file)?;
        let name = input.name.clone();
        let output = match self.output {
            Some(output) => output,
            None if self.file.as_os_str() == "-" => PathBuf::from("stdin.cwasm"),
            None => self.file.with_extension("cwasm"),
        };
        let module = super::module(&self.engine.engine(&self.strategy)?, &name, &input.into_wasm()?)?;
        let compiled =
            module.serialize().map_err(|error| error.context(format!("cannot write down {name}")))?;
        std::fs::write(&output, compiled)
            .map_err(|error| Error::new(error).context(format!("cannot write {}", output.display())))?;
        Ok(report::SUCCESS)
    }
}
