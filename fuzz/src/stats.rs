//! What the generators make: sizes and operators, and how often tiers change in it, to see what they leave out.

use crate::case::{Engines, run_tiered};
use crate::moves::{self, Moves};
use crate::profile::Profile;
use crate::scan;
use indicatif::ProgressBar;
use std::collections::BTreeMap;

/// Prints what `seeds` seeds of `profile` hold, and what a tiered configuration makes of each.
pub fn print(profile: &Profile, seeds: u64) {
    moves::listen();
    let (engines, before) = (Engines::new(), Moves::so_far());
    let bar = ProgressBar::new(seeds);
    let (mut modules, mut bytes) = (0_u64, 0);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let of_seed = |seed| (profile.generate)(seed).map(|generated| (seed, generated));
    for (seed, generated) in bar.wrap_iter(0..seeds).filter_map(of_seed) {
        run_tiered(&engines, &generated, seed);
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
    let Moves { functions, loops, refused } = Moves::so_far() - before;
    println!(
        "tiered, better code was made of {functions} functions and {loops} running loops, and refused of {refused}"
    );
    for (operator, count) in counts {
        println!("{count:>9} {operator}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    #[test]
    fn running_loops_get_better_code() {
        moves::listen();
        let (engines, before) = (Engines::new(), Moves::so_far());
        let profile = profile::find("loops").expect("there is such a profile");
        for seed in 0..20 {
            run_tiered(&engines, &(profile.generate)(seed).expect("each seed has a module"), seed);
        }
        let Moves { functions, loops, refused } = Moves::so_far() - before;
        assert!(functions > 20 && loops > 5, "{functions} functions, {loops} loops");
        assert_eq!(refused, 0);
    }
}
