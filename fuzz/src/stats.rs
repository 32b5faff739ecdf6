//! What the generators make: sizes and operators, to see what they leave out.

use crate::profile::Profile;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use wasmparser::{Parser, Payload};

/// Prints what `seeds` seeds of `profile` hold.
pub fn print(profile: &Profile, seeds: u64) {
    let bar = ProgressBar::new(seeds);
    let (mut modules, mut bytes) = (0_u64, 0);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for generated in bar.wrap_iter(0..seeds).filter_map(profile.generate) {
        modules += 1;
        bytes += generated.wasm.len();
        count(&generated.wasm, &mut counts);
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

/// Adds the operators of every body of `wasm`.
fn count(wasm: &[u8], counts: &mut BTreeMap<String, u64>) {
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        let Payload::CodeSectionEntry(body) = payload else { continue };
        let Ok(operators) = body.get_operators_reader() else { continue };
        for operator in operators.into_iter().map_while(Result::ok) {
            let text = format!("{operator:?}");
            let name = text.split([' ', '{', '(']).next().unwrap_or_default();
            *counts.entry(name.to_string()).or_default() += 1;
        }
    }
}
