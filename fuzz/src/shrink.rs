//! Making the module of a find smaller while it stays one.
//!
//! Each candidate runs in a process of its own, because it may crash, or never end now that its fuel may be gone.

use crate::batch::Report;
use crate::case::Verdict;
use crate::worker::{Event, Worker};
use indicatif::ProgressBar;
use std::path::Path;
use std::time::Duration;

/// How long a candidate may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The ways in which a case is bad.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Find,
    Witness,
    Crash,
    Hang,
}

/// Shrinks `wasm`, the module of `seed` of the profile called `profile`, writing each smaller one to `path`; the
/// smallest, or `None` when `wasm` is not bad.
///
/// # Errors
/// When processes or files do not work.
pub fn shrink(
    profile: &str,
    seed: u64,
    wasm: Vec<u8>,
    path: &Path,
    attempts: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let candidate = path.with_extension("candidate");
    let kind_of = |wasm: &[u8]| {
        std::fs::write(&candidate, wasm)?;
        let file = candidate.to_string_lossy().into_owned();
        let seed = seed.to_string();
        kind(&["check", "--profile", profile, "--seed", &seed, &file])
    };
    let Some(expected) = kind_of(&wasm)? else { return Ok(None) };
    let bar = ProgressBar::new_spinner();
    let shown = bar.clone();
    let path = path.to_path_buf();
    let shrink =
        wasm_shrink::WasmShrink::default().attempts(attempts).on_new_smallest(Some(Box::new(move |wasm| {
            shown.set_message(format!("{} bytes", wasm.len()));
            std::fs::write(&path, wasm)?;
            Ok(())
        })));
    let result = shrink.run(wasm, |wasm: &[u8]| {
        bar.tick();
        Ok(kind_of(wasm)? == Some(expected))
    });
    std::fs::remove_file(&candidate)?;
    Ok(Some(result?.output))
}

/// What the rig says with `arguments`.
fn kind(arguments: &[&str]) -> anyhow::Result<Option<Kind>> {
    let mut worker = Worker::start(arguments, PATIENCE)?;
    loop {
        return Ok(match worker.wait()? {
            Event::Report(Report::End(Some(Verdict::Find(_)))) => Some(Kind::Find),
            Event::Report(Report::End(Some(Verdict::Witness(_)))) => Some(Kind::Witness),
            Event::Report(Report::End(_)) => None,
            Event::Report(Report::Begin(_) | Report::Moved(_)) => continue,
            Event::Ended { is_success: false, .. } => Some(Kind::Crash),
            Event::Ended { .. } => None,
            Event::Silent => Some(Kind::Hang),
        });
    }
}
