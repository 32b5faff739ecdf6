//! What the generators make: sizes and operators, to see what they leave out.

use crate::profile::Profile;
use crate::scan;
use indicatif::ProgressBar;
use std::collections::BTreeMap;

/// Prints what `seeds` seeds of `profile` hold.
pub fn print(profile: &Profile, seeds: u64) {
    let bar = ProgressBar::new(seeds);
    let (mut modules, mut bytes) = (0_u64, 0);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for generated in bar.wrap_iter(0..seeds).filter_map(profile.generate) {
        modules += 1;
        bytes += generated.modules.iter().map(Vec::len).sum::<usize>();
        let all = generated.modules.iter();
        all.for_each(|wasm| {
            scan::operators(wasm, |operator| {
                let text = format!("{operator:?}");
                let name = text.split([' ', '{', '(']).next().unwrap_or_default();
                *counts.entry(name.to_string()).or_default() += 1;
            })
        });
    }
    let mean = bytes / modules.max(1) as usize;
    println!(
        "{}: {modules} modules of {seeds} seeds, {mean} bytes each, {} operators",
        profile.name,
        counts.len()
    );
    for (operator, count) in counts {
        println!("{count:>9} {operator}");
    }
}
