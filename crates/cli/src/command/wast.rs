//! `tenure wast`: runs script files.

use std::path::PathBuf;

use tenure::{Error, Result, Store};
use tenure_wast::Context;

use super::engine_args::EngineArgs;
use crate::report;

/// Run script files (.wast), each in a store of its own
#[derive(clap::Args)]
pub struct Wast {
    /// When code is made, and by which compiler: `tiered`, `optimizing` or `baseline`
    #[arg(long, value_name = "STRATEGY", default_value = "optimizing")]
    strategy: String,

    #[command(flatten)]
    engine: EngineArgs,

    /// The scripts
    #[arg(value_name = "FILES", required = true)]
    files: Vec<PathBuf>,
}

impl Wast {
    pub fn execute(self) -> Result<u8> {
        let mut failed = 0;
        for file in &self.files {
            let name = file.display().to_string();
            let script = std::fs::read_to_string(file)
                .map_err(|error| Error::new(error).context(format!("cannot read {name}")))?;
            let store = Store::new(&self.engine.engine(&self.strategy)?, ());
            let mut context = Context::printing(store, |line| {
                // What a script prints is worth no more than a try.
                let _ = report::print(&format!("{line}\n"));
            })?;
            let outcome = context.run_all(&name, &script);
            for failure in &outcome.failures {
                report::note(&failure.to_string());
            }
            match outcome.failures.len() {
                0 => report::print(&format!("{name}: {0} of {0} directives passed\n", outcome.directives))?,
                count => {
                    failed += 1;
                    report::note(&format!("{name}: {count} of {} directives failed", outcome.directives));
                }
            }
        }
        Ok(if failed == 0 { report::SUCCESS } else { report::FAILURE })
    }
}
