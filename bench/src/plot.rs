//! Bars of ratios as SVG.

use std::fmt::Write as _;

use crate::measures::Group;
use crate::results::Results;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 460.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 56.0;
const STEP: f64 = 24.0;
const BAR: f64 = 16.0;

/// A bar for each row's ratio in CPU time, a line at 1, and a mark at what is to be reached. None without ratios.
pub fn ratios(results: &Results, group: Group) -> Option<String> {
    let bars: Vec<(&str, f64)> = results
        .rows(group)
        .into_iter()
        .filter_map(|row| Some((row, results.ratio(group, row, |summary| summary.median.cpu)?)))
        .filter(|(_, ratio)| ratio.is_finite())
        .collect();
    let largest = bars.iter().map(|bar| bar.1).reduce(f64::max)?;
    let scale = WIDTH / (largest.max(1.0) * 1.05);
    let bottom = TOP + STEP * bars.len() as f64;
    let (width, height) = (LEFT + WIDTH + RIGHT, bottom + 16.0);

    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="12" y="22" font-size="16" fill="#222">{}</text>
<text x="12" y="40" fill="#666">CPU time of tenure relative to wasmtime; shorter is faster, the mark is what to reach</text>"##,
        escape(group.title()),
    );
    for (at, (row, ratio)) in bars.iter().enumerate() {
        let y = TOP + STEP * at as f64;
        let middle = y + BAR / 2.0 + 4.5;
        let target = group.target(row);
        let colour = match target {
            Some(target) if *ratio > target => "#c8553d",
            _ => "#3d7ea6",
        };
        let length = (ratio * scale).max(0.0);
        let _ = writeln!(
            svg,
            r##"<text x="{:.1}" y="{middle:.1}" text-anchor="end" fill="#222">{}</text>
<rect x="{LEFT}" y="{y:.1}" width="{length:.1}" height="{BAR}" fill="{colour}"/>
<text x="{:.1}" y="{middle:.1}" fill="#222">{ratio:.2}</text>"##,
            LEFT - 8.0,
            escape(row),
            LEFT + length + 6.0,
        );
        if let Some(target) = target {
            let x = LEFT + target * scale;
            let _ = writeln!(
                svg,
                r##"<line x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}" stroke="#222" stroke-width="2"/>"##,
                y - 2.0,
                y + BAR + 2.0,
            );
        }
    }
    let one = LEFT + scale;
    let _ = writeln!(
        svg,
        r##"<line x1="{one:.1}" x2="{one:.1}" y1="{:.1}" y2="{bottom:.1}" stroke="#888" stroke-dasharray="3 3"/>
</svg>"##,
        TOP - 6.0,
    );
    Some(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Cost;
    use crate::measures::EngineName;
    use crate::results::Key;

    #[test]
    fn a_bar_for_each_ratio_and_nothing_without() {
        let mut results = Results::default();
        assert_eq!(ratios(&results, Group::Calls), None);
        for (engine, cpu) in [(EngineName::Tenure, 1.0), (EngineName::Wasmtime, 4.0)] {
            let key = Key { group: Group::Calls, row: "a < b".into(), engine };
            results.add(key, &[Cost { cpu, wall: cpu }]);
        }
        let svg = ratios(&results, Group::Calls).unwrap();
        assert!(svg.contains("a &lt; b") && svg.contains(">0.25<"), "{svg}");
    }
}
