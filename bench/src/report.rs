//! `docs/performance.md`: the tables, written whole at each run.
//!
//! What a person wrote below the heading "Notes" is kept.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::machine;
use crate::measures::{EngineName, Group};
use crate::plot;
use crate::results::{Results, Summary};

const NOTES: &str = "\n## Notes\n";

/// Writes the page and its plots into `folder`.
///
/// # Errors
/// Those of writing files.
pub fn write(results: &Results, setting: &str, folder: &Path) -> Result<()> {
    let path = folder.join("performance.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let notes = old.split_once(NOTES).map_or("\nNone yet.\n", |(_, notes)| notes);
    let mut page = page(results, setting);
    for group in Group::ALL {
        if let Some(svg) = plot::ratios(results, group) {
            let name = format!("performance-{}.svg", group.key());
            std::fs::write(folder.join(&name), svg).with_context(|| format!("cannot write {name}"))?;
        }
    }
    page.push_str(NOTES);
    page.push_str(notes);
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

/// The page without its notes.
pub fn page(results: &Results, setting: &str) -> String {
    let mut page = String::from(
        "# Performance\n\nWritten by the program in `bench/`; only the notes at the end are by hand.\n\n",
    );
    let revision = machine::revision().map_or(String::new(), |revision| format!(" Commit `{revision}`."));
    let _ = writeln!(page, "Measured on: {setting}.{revision}\n");
    page.push_str(
        "Repeat it with `cargo run --release --manifest-path bench/Cargo.toml` (`-- --quick` for a first look,\n\
         `-- --only NAME` for a part, `-- --build` for the build).\n\n\
         Each sample is a process of its own; the engines take turns. Times are CPU times of all threads of that\n\
         process: the median of the samples, with the smallest in brackets. A ratio is `tenure` to `wasmtime`; below 1\n\
         Tenure is faster. A program that runs for less than a quarter of a second runs several times in its process,\n\
         and the fastest run counts. What programs print is compared with what they should print.\n",
    );
    for group in Group::ALL {
        table(&mut page, results, group);
    }
    if !results.failures.is_empty() {
        page.push_str("\n## What an engine could not do\n\n");
        for (key, reason) in &results.failures {
            let _ =
                writeln!(page, "- {} at `{}` ({}): {reason}", key.engine.name(), key.row, key.group.key());
        }
    }
    page
}

fn table(page: &mut String, results: &Results, group: Group) {
    let rows = results.rows(group);
    if rows.is_empty() {
        return;
    }
    let engines: Vec<EngineName> = EngineName::ALL
        .into_iter()
        .filter(|&engine| rows.iter().any(|row| results.get(group, row, engine).is_some()))
        .collect();
    let _ = write!(page, "\n## {}\n\n|", group.title());
    for engine in &engines {
        let _ = write!(page, " | {}", engine.name());
    }
    page.push_str(" | ratio | of minima | of wall time | to reach |\n|---");
    page.push_str(&"|---:".repeat(engines.len() + 4));
    page.push_str("|\n");
    for row in rows {
        let _ = write!(page, "| {row}");
        for &engine in &engines {
            let cell = results.get(group, row, engine).map_or("—".into(), |summary| times(row, summary));
            let _ = write!(page, " | {cell}");
        }
        for value in [|s: &Summary| s.median.cpu, |s: &Summary| s.min.cpu, |s: &Summary| s.median.wall] {
            let ratio = results.ratio(group, row, value);
            let _ = write!(page, " | {}", ratio.map_or("—".into(), |ratio| format!("{ratio:.3}")));
        }
        let target = group.target(row).map_or("—".into(), |target| format!("≤ {target}"));
        let _ = writeln!(page, " | {target} |");
    }
    if let Some(mean) = results
        .mean_ratio(group)
        .filter(|_| matches!(group, Group::Execution | Group::CompileAllCores | Group::CompileOneCore))
    {
        let target = group.mean_target().map_or(String::new(), |target| format!(" (to reach: ≤ {target})"));
        let _ = writeln!(page, "\nGeometric mean of the ratios: **{mean:.3}**{target}.");
    }
    if plot::ratios(results, group).is_some() {
        let _ = writeln!(page, "\n![{}](performance-{}.svg)", group.title(), group.key());
    }
}

/// A summary as a person reads it.
fn times(row: &str, summary: Summary) -> String {
    if row == crate::build_time::DEPENDENCIES {
        return format!("{}", summary.median.cpu);
    }
    if row.ends_with(", bytes of one") {
        return format!("{:.0} B", summary.median.cpu);
    }
    format!("{} ({})", time(summary.median.cpu), time(summary.min.cpu))
}

/// Nanoseconds in the unit that suits them, three digits.
fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds.abs() {
        n if n < 1e3 => (nanoseconds, "ns"),
        n if n < 1e6 => (nanoseconds / 1e3, "µs"),
        n if n < 1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    let digits = match value.abs() {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        assert_eq!(time(4.7), "4.70 ns");
        assert_eq!(time(14_230.0), "14.2 µs");
        assert_eq!(time(3.456e9), "3.46 s");
    }

    #[test]
    fn notes_by_hand_survive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("performance.md");
        std::fs::write(&path, "old\n\n## Notes\n\nkeep me\n").unwrap();
        write(&Results::default(), "here", folder.path()).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.ends_with("\n## Notes\n\nkeep me\n"), "{page}");
        assert!(!page.contains("old"));
    }
}
