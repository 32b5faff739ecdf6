//! `docs/performance.md`: the tables, written whole at each run.
//!
//! What a person wrote below the heading "Notes" is kept.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::machine;
use crate::measures::{By, Comparison, EngineName, Group};
use crate::plot;
use crate::resident::cycles_of;
use crate::results::{Results, Summary};

const NOTES: &str = "\n## Notes\n";
/// The picture of time to result.
const LENGTHS: &str = "performance-lengths.svg";

/// The picture of a table, where there is one.
fn picture(results: &Results, group: Group) -> Option<String> {
    match group {
        Group::Loop | Group::Lengths => None,
        Group::Cycles => plot::cycles(results),
        _ => plot::ratios(results, group),
    }
}

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
        if let Some(svg) = picture(results, group) {
            let name = format!("performance-{}.svg", group.key());
            std::fs::write(folder.join(&name), svg).with_context(|| format!("cannot write {name}"))?;
        }
    }
    if let Some(svg) = plot::lengths(results) {
        std::fs::write(folder.join(LENGTHS), svg).with_context(|| format!("cannot write {LENGTHS}"))?;
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
         process, if not said otherwise: the median of the samples, with the smallest in brackets. Ratios are of\n\
         medians, with that of the smallest in brackets; those above what is to be reached are bold. A program\n\
         that runs for less than a quarter of a second runs several times in its process, or its process is started\n\
         several times, and the fastest counts. What programs print is compared with what they should print. `tenure` is the default, which tiers; `tenure-baseline`\n\
         and `tenure-optimizing` are its compilers alone, used ahead of time.\n",
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
    let comparisons = group.comparisons();
    let _ = write!(page, "\n## {}\n\n", group.title());
    if !group.remark().is_empty() {
        let _ = writeln!(page, "{}\n", group.remark());
    }
    page.push('|');
    for engine in &engines {
        let _ = write!(page, " | {}", engine.name());
    }
    for comparison in &comparisons {
        let _ = write!(page, " | {}", comparison.title());
    }
    page.push_str(" | to reach |\n|---");
    page.push_str(&"|---:".repeat(engines.len() + comparisons.len() + 1));
    page.push_str("|\n");
    for row in rows {
        let _ = write!(page, "| {row}");
        for &engine in &engines {
            let cell =
                results.get(group, row, engine).map_or("—".into(), |summary| cell(group, row, summary));
            let _ = write!(page, " | {cell}");
        }
        for (nth, comparison) in comparisons.iter().enumerate() {
            let target = if nth == 0 { group.target(row) } else { comparison.each };
            let _ = write!(page, " | {}", ratio(results, group, row, comparison, target));
        }
        let _ = writeln!(page, " | {} |", to_reach(group, row, &comparisons));
    }
    page.push('\n');
    for comparison in comparisons.iter().filter(|_| {
        !matches!(
            group,
            Group::Build | Group::Calls | Group::Instances | Group::Loop | Group::Cycles | Group::Reclaim
        )
    }) {
        let mean = |value| results.mean_ratio(group, comparison, value);
        let Some((median, min)) = mean(Summary::median).zip(mean(Summary::min)) else { continue };
        let target =
            comparison.mean.map_or(String::new(), |target| format!("; to reach: ≤ {}", short(target)));
        let _ = writeln!(
            page,
            "- Geometric mean of {}: **{}** (of minima: {}{target}).",
            comparison.title(),
            short(median),
            short(min)
        );
    }
    if picture(results, group).is_some() || group == Group::Lengths {
        let _ = writeln!(page, "\n![{}](performance-{}.svg)", group.title(), group.key());
    }
}

/// What the row's ratios are to be at most, in the order of their columns.
fn to_reach(group: Group, row: &str, comparisons: &[Comparison]) -> String {
    let first = group.target(row).into_iter();
    let targets: Vec<String> = first
        .chain(comparisons.iter().skip(1).filter_map(|comparison| comparison.each))
        .map(|target| format!("≤ {}", short(target)))
        .collect();
    if targets.is_empty() { "—".into() } else { targets.join(", ") }
}

/// A ratio of medians, and that of minima; bold where both are more than `target`.
fn ratio(results: &Results, group: Group, row: &str, comparison: &Comparison, target: Option<f64>) -> String {
    let of = |value| results.ratio(group, row, comparison, value);
    let Some((median, min)) = of(Summary::median).zip(of(Summary::min)) else { return "—".into() };
    let text = format!("{} ({})", short(median), short(min));
    match target {
        Some(target) if median > target && min > target => format!("**{text}**"),
        _ => text,
    }
}

/// A ratio in three digits or so.
fn short(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.3}") }
}

/// What stands in the table: throughput where compilers are measured by the byte, else a time.
fn cell(group: Group, row: &str, summary: Summary) -> String {
    if group == Group::Baseline {
        // Nanoseconds a byte.
        return format!("{:.1} MB/s ({:.1})", 1e3 / summary.median.cpu, 1e3 / summary.min.cpu);
    }
    if group == Group::Cycles && cycles_of(row).is_some() {
        return format!("{:.1} MiB ({})", summary.median.cpu / 1048576.0, summary.median.wall);
    }
    let by = group.comparisons().first().map_or(By::Cpu, |comparison| comparison.by);
    times(row, by.of(&summary.median), by.of(&summary.min))
}

/// A median and a minimum as a person reads them.
fn times(row: &str, median: f64, min: f64) -> String {
    if row == crate::build_time::DEPENDENCIES {
        return format!("{median}");
    }
    if row.ends_with(", bytes of one") {
        return format!("{median:.0} B");
    }
    format!("{} ({})", time(median), time(min))
}

/// Nanoseconds in the unit that suits them, three digits.
pub fn time(nanoseconds: f64) -> String {
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
        std::fs::write(&path, "outdated\n\n## Notes\n\nkeep me\n").unwrap();
        write(&Results::default(), "here", folder.path()).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.ends_with("\n## Notes\n\nkeep me\n"), "{page}");
        assert!(!page.contains("outdated"));
    }
}
