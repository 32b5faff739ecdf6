//! A line for each compilation.

use super::{Compilation, Outcome, thread_title};

/// What the columns are.
pub(super) fn heading() -> String {
    row(["time ms", "tier", "took ms", "wasm", "code", "thread", "function", "why"].map(str::to_owned))
}

/// The line of `compilation`.
pub(super) fn line(compilation: &Compilation) -> String {
    let millis = |time: std::time::Duration| format!("{:.3}", time.as_secs_f64() * 1000.0);
    let (tier, wasm, code) = match &compilation.outcome {
        Outcome::Made { tier, wasm_bytes, code_bytes, .. } => {
            (tier.name(), wasm_bytes.to_string(), code_bytes.to_string())
        }
        Outcome::Refused { .. } => ("refused", String::new(), String::new()),
    };
    row([
        millis(compilation.done),
        tier.to_owned(),
        millis(compilation.took),
        wasm,
        code,
        thread_title(compilation.thread),
        compilation.title(),
        why(compilation),
    ])
}

/// The reason, as far as it goes.
pub(super) fn why(compilation: &Compilation) -> String {
    let Compilation { reason, detail, .. } = compilation;
    let why = match (reason.as_str(), detail.as_str()) {
        (reason, "") => reason.to_owned(),
        // The detail says that it is a loop, and which.
        ("loop", detail) => detail.to_owned(),
        ("hot", detail) => format!("hot, {detail}"),
        (reason, detail) => format!("{reason}: {detail}"),
    };
    match &compilation.outcome {
        Outcome::Refused { error } if error != detail => format!("{why}: {error}"),
        Outcome::Made { inlined: 1, .. } => format!("{why}, 1 call inlined"),
        Outcome::Made { inlined: inlined @ 2.., .. } => format!("{why}, {inlined} calls inlined"),
        _ => why,
    }
}

/// Columns as wide as what usually stands in them.
fn row(cells: [String; 8]) -> String {
    let [time, tier, took, wasm, code, thread, function, why] = cells;
    format!("{time:>9}  {tier:<10}  {took:>8}  {wasm:>6}  {code:>6}  {thread:<8}  {function:<32}  {why}")
}

#[cfg(test)]
mod tests {
    use super::super::{Tier, sample};
    use super::*;

    #[test]
    fn lines_are_aligned_under_the_heading() {
        let mut hot = sample(12.3456, 7, "hot", Tier::Optimizing);
        hot.name = "core::fmt::write".to_owned();
        hot.detail = "asked 2 times".to_owned();
        assert_eq!(
            [heading(), line(&sample(1.25, 3, "first call", Tier::Baseline)), line(&hot)],
            [
                "  time ms  tier         took ms    wasm    code  thread    function                          why",
                "    1.250  baseline       0.500     100     300  guest     function 3                        first call",
                "   12.346  optimizing     0.500     100     300  worker 1  7 core::fmt::write                hot, asked 2 times",
            ]
        );
    }

    #[test]
    fn why_says_each_thing_once() {
        let mut compilation = sample(1.0, 0, "loop", Tier::Optimizing);
        compilation.detail = "loop 3".to_owned();
        assert_eq!(why(&compilation), "loop 3");
        compilation.outcome =
            Outcome::Made { tier: Tier::Optimizing, wasm_bytes: 100, code_bytes: 300, inlined: 2 };
        assert_eq!(why(&compilation), "loop 3, 2 calls inlined");
        compilation.outcome = Outcome::Refused { error: "too many locals".to_owned() };
        assert_eq!(why(&compilation), "loop 3: too many locals");
        compilation.reason = "handed over".to_owned();
        compilation.detail = "too many locals".to_owned();
        assert_eq!(why(&compilation), "handed over: too many locals");
    }
}
