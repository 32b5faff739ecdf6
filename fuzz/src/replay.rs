//! One case again, looked at closely.

use crate::batch::Report;
use crate::case::{Choice, Engines, Width, judge};
use crate::generate::Generated;
use crate::profile::Profile;
use crate::shrink::shrink;
use anyhow::{Context, Result};
use std::path::Path;

const EVERYTHING: Choice = Choice { width: Width::All, witnesses: true };

/// Runs the case on every configuration and prints its verdict. Before that the module goes to `save`; with `attempts`
/// it is made smaller there instead, and its text is printed.
///
/// # Errors
/// When the seed has no module, or a file cannot be written.
pub fn replay(profile: &Profile, seed: u64, save: Option<&Path>, attempts: Option<u32>) -> Result<()> {
    let generated = module(profile, seed)?;
    if let Some(path) = save {
        std::fs::write(path, last(&generated))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let (Some(path), Some(attempts)) = (save, attempts) {
        match shrink(profile.name, seed, last(&generated).to_vec(), path, attempts)? {
            Some(wasm) => {
                println!("{}", wasmprinter::print_bytes(&wasm).unwrap_or_else(|error| error.to_string()))
            }
            None => println!("nothing to shrink: the engines agree"),
        }
        return Ok(());
    }
    println!("{}", Report::End(Some(judge(&Engines::new(), &generated, seed, EVERYTHING))));
    Ok(())
}

/// Runs the module in `file` as if `seed` had made it, as the last if it makes several.
///
/// # Errors
/// When it cannot be read, or the seed has no module.
pub fn check(profile: &Profile, seed: u64, file: &Path) -> Result<()> {
    let wasm = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    // Binaries pass unchanged.
    let wasm = wat::parse_bytes(&wasm).map(Into::into).unwrap_or(wasm);
    let mut generated = module(profile, seed)?;
    generated.modules.pop();
    generated.modules.push(wasm);
    println!("{}", Report::End(Some(judge(&Engines::new(), &generated, seed, EVERYTHING))));
    Ok(())
}

/// The module that is looked at, if there are several.
fn last(generated: &Generated) -> &[u8] {
    generated.modules.last().map_or(&[], Vec::as_slice)
}

fn module(profile: &Profile, seed: u64) -> Result<Generated> {
    (profile.generate)(seed).with_context(|| format!("seed {seed} of profile {} has no module", profile.name))
}
