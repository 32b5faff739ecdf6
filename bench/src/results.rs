//! Summaries of samples, and the file that keeps them from one run to the next.
//!
//! `bench/results.tsv` starts with the machine and the versions that were measured. A run on the same adds to it or
//! replaces rows; a run on others starts it afresh, so that no table ever mixes two machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::clock::Cost;
use crate::measures::{Comparison, EngineName, Group};
use crate::resident::cycles_of;

/// Kernels below this many nanoseconds are not compared: one page fault more or less would decide.
const SHORTEST_KERNEL: f64 = 100e3;

/// What a summary is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// Table.
    pub group: Group,
    /// Row of the table.
    pub row: String,
    /// Engine.
    pub engine: EngineName,
}

/// Median and minimum of the samples, each of CPU and wall time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Summary {
    /// Middle values.
    pub median: Cost,
    /// Smallest values.
    pub min: Cost,
    /// How many samples there were.
    pub samples: usize,
}

/// All that was found out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Results {
    /// By table, row and engine.
    pub summaries: BTreeMap<Key, Summary>,
    /// Why an engine has no summary.
    pub failures: BTreeMap<Key, String>,
}

impl Summary {
    /// Middle values.
    pub fn median(&self) -> &Cost {
        &self.median
    }

    /// Smallest values.
    pub fn min(&self) -> &Cost {
        &self.min
    }
}

impl Results {
    /// Adds the summary of `costs`, of which there is at least one.
    pub fn add(&mut self, key: Key, costs: &[Cost]) {
        let of = |value: fn(&Cost) -> f64| -> (f64, f64) {
            let mut values: Vec<f64> = costs.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            (median(&values), values.first().copied().unwrap_or(f64::NAN))
        };
        let (cpu, cpu_min) = of(|cost| cost.cpu);
        let (wall, wall_min) = of(|cost| cost.wall);
        let summary = Summary {
            median: Cost { cpu, wall },
            min: Cost { cpu: cpu_min, wall: wall_min },
            samples: costs.len(),
        };
        self.failures.remove(&key);
        self.summaries.insert(key, summary);
    }

    /// Notes that an engine could not do it.
    pub fn fail(&mut self, key: Key, reason: &str) {
        self.failures.insert(key, reason.replace(['\t', '\n'], " "));
    }

    /// Takes over what `newer` has.
    pub fn merge(&mut self, newer: Results) {
        for key in newer.summaries.keys() {
            self.failures.remove(key);
        }
        for key in newer.failures.keys() {
            self.summaries.remove(key);
        }
        self.summaries.extend(newer.summaries);
        self.failures.extend(newer.failures);
    }

    /// The rows of a table: names, in order.
    pub fn rows(&self, group: Group) -> Vec<&str> {
        let mut rows: Vec<&str> =
            self.summaries.keys().filter(|key| key.group == group).map(|key| key.row.as_str()).collect();
        rows.dedup();
        rows.sort_by_key(|row| cycles_of(row));
        rows
    }

    /// A summary, if there is one.
    pub fn get(&self, group: Group, row: &str, engine: EngineName) -> Option<Summary> {
        self.summaries.get(&Key { group, row: row.to_owned(), engine }).copied()
    }

    /// How two engines compare in a row, by medians or minima. None for what is over before a clock could tell.
    pub fn ratio(
        &self,
        group: Group,
        row: &str,
        comparison: &Comparison,
        value: fn(&Summary) -> &Cost,
    ) -> Option<f64> {
        let of = |engine: EngineName| {
            let summary = self.get(group, row, engine)?;
            let is_kernel = matches!(group, Group::Execution | Group::Steady);
            let is_long = !is_kernel || summary.median.cpu >= SHORTEST_KERNEL;
            is_long.then(|| comparison.by.of(value(&summary)))
        };
        let theirs = comparison.theirs.iter().filter_map(|&engine| of(engine)).reduce(f64::min)?;
        Some(of(comparison.ours)? / theirs)
    }

    /// The geometric mean of a table's ratios; none for an empty one.
    pub fn mean_ratio(
        &self,
        group: Group,
        comparison: &Comparison,
        value: fn(&Summary) -> &Cost,
    ) -> Option<f64> {
        let rows = self.rows(group);
        let ratios = rows.iter().filter_map(|row| self.ratio(group, row, comparison, value));
        let logarithms: Vec<f64> = ratios.map(f64::ln).collect();
        (!logarithms.is_empty()).then(|| (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
    }

    /// Reads what an earlier run on the same machine and versions left; nothing, if there is none.
    ///
    /// # Errors
    /// When the file is there but not as [`Results::save`] writes it.
    pub fn load(path: &Path, setting: &str) -> Result<Self> {
        let mut results = Self::default();
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(results) };
        let mut lines = text.lines();
        if lines.next() != Some(&format!("# {setting}")) {
            return Ok(results);
        }
        for line in lines {
            results.read_line(line).with_context(|| format!("{}: a wrong line: {line}", path.display()))?;
        }
        Ok(results)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let parts: Vec<&str> = line.split('\t').collect();
        let key = |group: &str, row: &str, engine: &str| {
            let (group, engine) = (Group::from_key(group)?, EngineName::from_name(engine)?);
            Some(Key { group, row: row.to_owned(), engine })
        };
        match parts[..] {
            [group, row, engine, "failed", reason] => {
                self.failures.insert(key(group, row, engine)?, reason.to_owned());
            }
            [group, row, engine, cpu, cpu_min, wall, wall_min, samples] => {
                let median = Cost { cpu: cpu.parse().ok()?, wall: wall.parse().ok()? };
                let min = Cost { cpu: cpu_min.parse().ok()?, wall: wall_min.parse().ok()? };
                let summary = Summary { median, min, samples: samples.parse().ok()? };
                self.summaries.insert(key(group, row, engine)?, summary);
            }
            _ => return None,
        }
        Some(())
    }

    /// Writes them for later runs: nanoseconds, a row a line.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn save(&self, path: &Path, setting: &str) -> Result<()> {
        let mut text = format!("# {setting}\n");
        for (key, summary) in &self.summaries {
            let Key { group, row, engine } = key;
            let Summary { median, min, samples } = summary;
            writeln!(
                text,
                "{}\t{row}\t{}\t{}\t{}\t{}\t{}\t{samples}",
                group.key(),
                engine.name(),
                median.cpu,
                min.cpu,
                median.wall,
                min.wall
            )?;
        }
        for (key, reason) in &self.failures {
            writeln!(text, "{}\t{}\t{}\tfailed\t{reason}", key.group.key(), key.row, key.engine.name())?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The middle of sorted values; between two, half way.
fn median(sorted: &[f64]) -> f64 {
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (count, half) if count % 2 == 1 => sorted[half],
        (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(row: &str, engine: EngineName) -> Key {
        Key { group: Group::Execution, row: row.into(), engine }
    }

    fn costs(values: &[f64]) -> Vec<Cost> {
        values.iter().map(|&value| Cost { cpu: value * 1e6, wall: 2e6 * value }).collect()
    }

    #[test]
    fn median_and_minimum_ratio_and_mean() {
        let mut results = Results::default();
        let ours = EngineName::TenureOptimizing;
        results.add(key("a", ours), &costs(&[3.0, 1.0, 8.0]));
        results.add(key("a", EngineName::Wasmtime), &costs(&[12.0, 12.0]));
        results.add(key("b", ours), &costs(&[4.0]));
        results.add(key("b", EngineName::Wasmtime), &costs(&[1.0]));
        let a = results.get(Group::Execution, "a", ours).unwrap();
        assert_eq!((a.median.cpu, a.min.cpu, a.median.wall, a.samples), (3e6, 1e6, 6e6, 3));
        let comparison = Group::Execution.comparisons()[0];
        assert_eq!(results.ratio(Group::Execution, "a", &comparison, Summary::median), Some(0.25));
        let mean = results.mean_ratio(Group::Execution, &comparison, Summary::median);
        assert!((mean.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn of_several_peers_the_lowest_counts() {
        let mut results = Results::default();
        for (engine, cost) in [(EngineName::Tenure, 2.0), (EngineName::V8, 8.0), (EngineName::WasmiLazy, 4.0)]
        {
            let key = Key { group: Group::Start, row: "a".into(), engine };
            results.add(key, &costs(&[cost]));
        }
        let comparison = Group::Start.comparisons()[0];
        assert_eq!(results.ratio(Group::Start, "a", &comparison, Summary::min), Some(0.5));
    }

    #[test]
    fn what_is_saved_is_loaded_on_the_same_setting_only() {
        let mut results = Results::default();
        results.add(key("a", EngineName::Tenure), &costs(&[1.5, 2.25]));
        results.fail(key("a", EngineName::Wasmi), "cannot\tdo it");
        let file = tempfile::NamedTempFile::new().unwrap();
        results.save(file.path(), "here").unwrap();
        assert_eq!(Results::load(file.path(), "here").unwrap(), results);
        assert_eq!(Results::load(file.path(), "elsewhere").unwrap(), Results::default());
    }

    #[test]
    fn a_newer_success_takes_an_older_failure_away() {
        let mut results = Results::default();
        results.fail(key("a", EngineName::Tenure), "cannot");
        let mut newer = Results::default();
        newer.add(key("a", EngineName::Tenure), &costs(&[1.0]));
        results.merge(newer.clone());
        assert_eq!(results, newer);
    }
}
