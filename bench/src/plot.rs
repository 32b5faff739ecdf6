//! Bars of ratios, and the curves of time to result, as SVG.

use std::fmt::Write as _;

use crate::measures::{EngineName, Group};
use crate::resident::POINTS;
use crate::results::{Results, Summary};

const LEFT: f64 = 190.0;
const WIDTH: f64 = 460.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 56.0;
const STEP: f64 = 24.0;
const BAR: f64 = 16.0;

/// A bar for each row's ratio in CPU time, a line at 1, and a mark at what is to be reached. None without ratios.
pub fn ratios(results: &Results, group: Group) -> Option<String> {
    let comparison = group.comparisons().into_iter().next()?;
    let bars: Vec<(&str, f64)> = results
        .rows(group)
        .into_iter()
        .filter_map(|row| Some((row, results.ratio(group, row, &comparison, Summary::median)?)))
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
<text x="12" y="40" fill="#666">{}; shorter is faster, the mark is what to reach</text>"##,
        escape(group.title()),
        escape(&comparison.title()),
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

/// A colour for each engine.
fn colour(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Tenure => "#c8553d",
        EngineName::TenureBaseline => "#e3a08f",
        EngineName::TenureOptimizing => "#8c3b2a",
        EngineName::Wasmtime => "#3d7ea6",
        EngineName::Winch => "#8fbcd4",
        EngineName::Wasmi => "#9a9a9a",
        EngineName::WasmiLazy => "#6b6b6b",
        EngineName::V8 => "#4f9d5d",
    }
}

/// Time to result against how often a program runs, both logarithmic: a curve for each engine. None without costs.
pub fn lengths(results: &Results) -> Option<String> {
    let rows = results.rows(Group::Lengths);
    let runs = |row: &str| row.trim().split(' ').next().and_then(|runs| runs.parse::<f64>().ok());
    let mut curves = Vec::new();
    for engine in EngineName::ALL {
        let points: Vec<(f64, f64)> = rows
            .iter()
            .filter_map(|row| Some((runs(row)?, results.get(Group::Lengths, row, engine)?.median.cpu)))
            .collect();
        if !points.is_empty() {
            curves.push((engine, points));
        }
    }
    let all = || curves.iter().flat_map(|(_, points)| points);
    let most_runs = all().map(|point| point.0).reduce(f64::max)?.max(2.0);
    let (least, most) = (all().map(|point| point.1).reduce(f64::min)?, all().map(|p| p.1).reduce(f64::max)?);
    // Whole powers of ten around all costs.
    let (low, high) = (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0));
    const PLOT: (f64, f64, f64, f64) = (80.0, 60.0, 470.0, 330.0);
    let (left, top, width, height) = PLOT;
    let x = |runs: f64| left + width * runs.log2() / most_runs.log2();
    let y = |cost: f64| top + height * (high - cost.log10()) / (high - low);

    let (page, bottom) = (left + width + 150.0, top + height);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {page} {}" font-family="sans-serif" font-size="13">
<rect width="{page}" height="{0}" fill="#fff"/>
<text x="12" y="22" font-size="16" fill="#222">{1}</text>
<text x="12" y="40" fill="#666">CPU time of all threads since the process started; lower is sooner</text>"##,
        bottom + 46.0,
        escape(Group::Lengths.title()),
    );
    let mut decade = low;
    while decade <= high {
        let at = y(10f64.powf(decade));
        let _ = writeln!(
            svg,
            r##"<line x1="{left}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}" stroke="#ddd"/>
<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#222">{}</text>"##,
            left + width,
            left - 8.0,
            at + 4.5,
            escape(&crate::report::time(10f64.powf(decade))),
        );
        decade += 1.0;
    }
    for row in &rows {
        let Some(runs) = runs(row) else { continue };
        let _ = writeln!(
            svg,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#222">{runs}</text>"##,
            x(runs),
            bottom + 18.0,
        );
    }
    let _ = writeln!(
        svg,
        r##"<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#666">runs</text>"##,
        left + width / 2.0,
        bottom + 38.0,
    );
    for (at, (engine, points)) in curves.iter().enumerate() {
        let path: Vec<String> =
            points.iter().map(|&(runs, cost)| format!("{:.1},{:.1}", x(runs), y(cost))).collect();
        let (colour, legend) = (colour(*engine), top + 20.0 * at as f64);
        let thick = if *engine == EngineName::Tenure { 3.0 } else { 1.5 };
        let _ = writeln!(
            svg,
            r##"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{thick}"/>
<rect x="{:.1}" y="{:.1}" width="14" height="4" fill="{colour}"/>
<text x="{:.1}" y="{:.1}" fill="#222">{}</text>"##,
            path.join(" "),
            left + width + 12.0,
            legend,
            left + width + 32.0,
            legend + 6.0,
            escape(engine.name()),
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// What a process holds over cycles of creating and forgetting, a line for each engine, both axes by powers of ten.
/// None without any.
pub fn cycles(results: &Results) -> Option<String> {
    const HEIGHT: f64 = 300.0;
    /// Bytes at the bottom and at the top: 1 MiB and 10 GiB.
    const LEAST: f64 = 1048576.0;
    const DECADES: f64 = 4.0;
    let most = *POINTS.last()?;
    let x = |cycles: u32| LEFT / 2.0 + f64::from(cycles).log10() / f64::from(most.0).log10() * WIDTH;
    let y = |bytes: f64| TOP + HEIGHT - (bytes / LEAST).log10().clamp(0.0, DECADES) / DECADES * HEIGHT;
    let (width, height) = (LEFT / 2.0 + WIDTH + 110.0, TOP + HEIGHT + 44.0);

    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="12" y="22" font-size="16" fill="#222">Resident memory of one store that makes and forgets instances</text>
<text x="12" y="40" fill="#666">over cycles of two instances that hold each other's functions</text>"##,
    );
    for (power, name) in ["1 MiB", "10 MiB", "100 MiB", "1 GiB", "10 GiB"].iter().enumerate() {
        let y = TOP + HEIGHT * (1.0 - power as f64 / DECADES);
        let _ = writeln!(
            svg,
            r##"<line x1="{:.1}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}" stroke="#ddd"/>
<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#222">{name}</text>"##,
            LEFT / 2.0,
            LEFT / 2.0 + WIDTH,
            LEFT / 2.0 - 8.0,
            y + 4.5,
        );
    }
    let mut cycles = 1;
    while cycles <= most.0 {
        let _ = writeln!(
            svg,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#222">{cycles}</text>"##,
            x(cycles),
            TOP + HEIGHT + 20.0,
        );
        cycles *= 10;
    }
    let mut any = false;
    for engine in EngineName::ALL {
        let colour = colour(engine);
        let held = |row| results.get(Group::Cycles, row, engine).map(|summary| summary.median.cpu);
        let points: Vec<(f64, f64)> =
            POINTS.iter().filter_map(|&(count, row)| Some((x(count), y(held(row)?)))).collect();
        let Some(&(end_x, end_y)) = points.last() else { continue };
        any = true;
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            r##"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2.5"/>
<circle cx="{end_x:.1}" cy="{end_y:.1}" r="4" fill="{colour}"/>
<text x="{:.1}" y="{:.1}" fill="{colour}">{}</text>"##,
            line.join(" "),
            end_x + 8.0,
            end_y + 4.5,
            engine.name(),
        );
    }
    svg.push_str("</svg>\n");
    any.then_some(svg)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Cost;
    use crate::results::Key;

    #[test]
    fn a_line_for_each_engine_that_has_points() {
        let mut results = Results::default();
        assert_eq!(cycles(&results), None);
        for (row, cpu) in [("after 1 cycle", 2e6), ("after 1,000,000 cycles", 4e9)] {
            let key = Key { group: Group::Cycles, row: row.into(), engine: EngineName::Tenure };
            results.add(key, &[Cost { cpu, wall: 50.0 }]);
        }
        let svg = cycles(&results).unwrap();
        assert!(svg.matches("<polyline").count() == 1 && svg.contains(">tenure<"), "{svg}");
    }

    #[test]
    fn a_bar_for_each_ratio_and_nothing_without() {
        let mut results = Results::default();
        assert_eq!(ratios(&results, Group::Calls), None);
        for (engine, cpu) in [(EngineName::TenureOptimizing, 1.0), (EngineName::Wasmtime, 4.0)] {
            let key = Key { group: Group::Calls, row: "a < b".into(), engine };
            results.add(key, &[Cost { cpu, wall: cpu }]);
        }
        let svg = ratios(&results, Group::Calls).unwrap();
        assert!(svg.contains("a &lt; b") && svg.contains(">0.25<"), "{svg}");
    }

    #[test]
    fn a_curve_for_each_engine_that_was_measured() {
        let mut results = Results::default();
        assert_eq!(lengths(&results), None);
        for (row, cpu) in [("   1 runs", 1e6), ("   2 runs", 2e6)] {
            for engine in [EngineName::Tenure, EngineName::V8] {
                let key = Key { group: Group::Lengths, row: row.into(), engine };
                results.add(key, &[Cost { cpu, wall: cpu }]);
            }
        }
        let svg = lengths(&results).unwrap();
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        assert!(svg.contains(">v8<") && svg.contains(">1.00 ms<"), "{svg}");
    }
}
