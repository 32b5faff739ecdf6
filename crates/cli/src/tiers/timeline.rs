//! What was compiled when, as a picture.
//!
//! ```text
//! title, legend
//! threads     a lane each: what it compiled, from when to when
//! functions   a row each for those that got hot first: no code, baseline, optimized
//! the others  how many of them are in which tier
//! axis        milliseconds since the start
//! ```
//! Everything is drawn in columns of a pixel: what is tiny runs together instead of growing the document.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use super::{Compilation, Tier, log, thread_title};

const LEFT: f64 = 290.0;
const WIDTH: f64 = 720.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 84.0;
const LANE: f64 = 22.0;
const ROW: f64 = 20.0;
const BAR: f64 = 14.0;
/// Between two sections.
const GAP: f64 = 22.0;
/// Height of the area for functions without a row.
const AREA: f64 = 90.0;
/// Functions with a row of their own.
const ROWS: usize = 24;
/// Letters of a name beside a row.
const LETTERS: usize = 38;

const BASELINE: &str = "#e0b04c";
const OPTIMIZED: &str = "#3d7ea6";
const REFUSED: &str = "#c8553d";
const NO_CODE: &str = "#eee";
const INK: &str = "#222";
const PALE: &str = "#666";

fn colour(tier: Option<Tier>) -> &'static str {
    match tier {
        Some(Tier::Baseline) => BASELINE,
        Some(Tier::Optimizing) => OPTIMIZED,
        None => REFUSED,
    }
}

/// The picture of `compilations`, in a run that has lasted until `end`.
pub(super) fn draw(title: &str, compilations: &[Compilation], end: Duration) -> String {
    let scale = Scale::new(compilations, end);
    let functions = functions(compilations);
    let (rows, others) = functions.split_at(functions.len().min(ROWS));

    let mut body = String::new();
    let mut y = TOP;
    y = threads(&mut body, y, compilations, &scale);
    y = functions_with_rows(&mut body, y, rows, &scale);
    if !others.is_empty() {
        y = area(&mut body, y, others, &scale);
    }
    let bottom = y;
    let (width, height) = (LEFT + WIDTH + RIGHT, bottom + 44.0);

    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0}" font-family="sans-serif" font-size="13">
<rect width="{width}" height="{height:.0}" fill="#fff"/>
<text x="12" y="24" font-size="16" fill="{INK}">{}</text>
<text x="12" y="43" fill="{PALE}">{}</text>"##,
        escape(title),
        escape(&summary(&functions, end)),
    );
    legend(&mut svg);
    axis(&mut svg, bottom, &scale);
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    svg
}

/// From time to place.
struct Scale {
    /// Milliseconds at the right edge.
    end: f64,
    /// Whether the run went on beyond that.
    goes_on: bool,
}

impl Scale {
    /// Until the end of the run; or somewhat beyond the last compilation, if not much happened afterwards.
    fn new(compilations: &[Compilation], end: Duration) -> Self {
        let end = millis(end);
        let last = compilations.iter().map(|compilation| millis(compilation.done)).fold(0.0, f64::max);
        let goes_on = last > 0.0 && last * 3.0 < end;
        Self { end: if goes_on { last * 1.3 } else { end.max(last).max(0.001) }, goes_on }
    }

    fn x(&self, millis: f64) -> f64 {
        LEFT + WIDTH * (millis / self.end).clamp(0.0, 1.0)
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A function and its compilations, in time.
struct Function<'c> {
    title: String,
    compilations: Vec<&'c Compilation>,
}

impl Function<'_> {
    /// When it first got better code because it was hot.
    fn hot(&self) -> Option<Duration> {
        let hot = |compilation: &&&Compilation| ["hot", "loop"].contains(&compilation.reason.as_str());
        self.compilations.iter().find(hot).map(|compilation| compilation.done)
    }

    fn took(&self) -> Duration {
        self.compilations.iter().map(|compilation| compilation.took).sum()
    }

    /// When calls began to go to code of which tier.
    fn stages(&self) -> impl Iterator<Item = (f64, Tier)> {
        let made = self.compilations.iter().filter(|compilation| !compilation.is_for_loop());
        made.filter_map(|compilation| Some((millis(compilation.done), compilation.tier()?)))
    }
}

/// All functions: first those that got hot, in that order, then those that took longest to compile.
fn functions(compilations: &[Compilation]) -> Vec<Function<'_>> {
    let mut by_index = BTreeMap::<u32, Function<'_>>::new();
    for compilation in compilations {
        by_index
            .entry(compilation.func)
            .or_insert_with(|| Function { title: compilation.title(), compilations: Vec::new() })
            .compilations
            .push(compilation);
    }
    let mut functions: Vec<_> = by_index.into_values().collect();
    functions.sort_by_key(|function| {
        (function.hot().unwrap_or(Duration::MAX), std::cmp::Reverse(function.took()))
    });
    functions
}

fn summary(functions: &[Function<'_>], end: Duration) -> String {
    let count = |tier| {
        functions
            .iter()
            .filter(|function| function.stages().last().map(|(_, last)| last) == Some(tier))
            .count()
    };
    let entries = functions.iter().flat_map(|function| &function.compilations);
    let entries = entries.filter(|entry| entry.is_for_loop() && entry.tier().is_some()).count();
    format!(
        "{} functions in code of the baseline tier and {} of the optimizing tier, {} loop entries, after {:.1} ms",
        count(Tier::Baseline),
        count(Tier::Optimizing),
        entries,
        millis(end)
    )
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for (colour, text) in
        [(NO_CODE, "no code"), (BASELINE, "baseline"), (OPTIMIZED, "optimizing"), (REFUSED, "refused")]
    {
        let _ = writeln!(
            svg,
            r##"<rect x="{x}" y="56" width="12" height="12" fill="{colour}"/><text x="{}" y="66.5" fill="{INK}">{text}</text>"##,
            x + 17.0
        );
        x += 42.0 + 7.0 * text.len() as f64;
    }
    diamond(svg, x + 6.0, 62.0);
    let _ = writeln!(
        svg,
        r##"<text x="{}" y="66.5" fill="{INK}">running code moves over at a loop</text>"##,
        x + 17.0
    );
}

fn diamond(svg: &mut String, x: f64, y: f64) {
    let _ = writeln!(
        svg,
        r##"<path d="M{:.1} {y:.1}l5 -5l5 5l-5 5z" fill="{INK}" stroke="#fff" stroke-width="1.5"/>"##,
        x - 5.0
    );
}

/// Lines at round times, and their numbers below `bottom`.
fn axis(svg: &mut String, bottom: f64, scale: &Scale) {
    let rough = scale.end / 8.0;
    // 1, 2 and 5 times each power of ten, and how many decimals they have.
    let mut steps = (-6..=12_i32).flat_map(|power| {
        let digits = usize::try_from(-power).unwrap_or(0);
        [1.0, 2.0, 5.0].map(|times| (times * 10f64.powi(power), digits))
    });
    let (step, digits) = steps.find(|(step, _)| *step >= rough).unwrap_or((rough, 0));
    for at in 0..=(scale.end / step) as u32 {
        let time = f64::from(at) * step;
        let x = scale.x(time);
        let _ = writeln!(
            svg,
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{bottom:.1}" stroke="#ddd"/><text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="{PALE}">{time:.digits$}</text>"##,
            TOP - 6.0,
            bottom + 16.0
        );
    }
    let more = if scale.goes_on { "; the run went on" } else { "" };
    let _ = writeln!(
        svg,
        r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="{PALE}">milliseconds since the start{more}</text>"##,
        LEFT + WIDTH,
        bottom + 34.0
    );
}

fn label(svg: &mut String, y: f64, text: &str, tip: &str) {
    let _ = writeln!(
        svg,
        r##"<text x="{}" y="{:.1}" text-anchor="end" fill="{INK}"><title>{}</title>{}</text>"##,
        LEFT - 10.0,
        y + BAR / 2.0 + 4.5,
        escape(tip),
        escape(text)
    );
}

/// The title of what follows; where that begins.
fn section(svg: &mut String, y: f64, text: &str) -> f64 {
    let _ =
        writeln!(svg, r##"<text x="12" y="{:.1}" font-weight="bold" fill="{PALE}">{text}</text>"##, y + 11.5);
    y + ROW
}

/// Lanes of the threads; where they end.
fn threads(svg: &mut String, mut y: f64, compilations: &[Compilation], scale: &Scale) -> f64 {
    y = section(svg, y, "threads, and what they compile");
    let last = compilations.iter().map(|compilation| compilation.thread).max().unwrap_or(0);
    for thread in 0..=last {
        let own: Vec<_> = compilations.iter().filter(|compilation| compilation.thread == thread).collect();
        label(svg, y, &thread_title(thread), &format!("{} compilations", own.len()));
        let _ = writeln!(
            svg,
            r##"<rect x="{LEFT}" y="{y:.1}" width="{WIDTH}" height="{BAR}" fill="{NO_CODE}" opacity="0.6"/>"##
        );
        for piece in pieces(&own, scale) {
            let _ = writeln!(
                svg,
                r##"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" fill="{}"><title>{}</title></rect>"##,
                piece.from,
                (piece.to - piece.from).max(1.0),
                colour(piece.tier),
                escape(&piece.tip())
            );
        }
        y += LANE;
    }
    y + GAP
}

/// Compilations of one thread and tier that run together in the picture.
struct Piece<'c> {
    from: f64,
    to: f64,
    tier: Option<Tier>,
    first: &'c Compilation,
    count: usize,
}

impl Piece<'_> {
    fn tip(&self) -> String {
        if self.count > 1 {
            return format!("{} functions", self.count);
        }
        format!("{}: {}, {:.2} ms", self.first.title(), log::why(self.first), millis(self.first.took))
    }
}

fn pieces<'c>(compilations: &[&'c Compilation], scale: &Scale) -> Vec<Piece<'c>> {
    let mut sorted = compilations.to_vec();
    sorted.sort_by_key(|compilation| compilation.started());
    let mut pieces: Vec<Piece<'c>> = Vec::new();
    for compilation in sorted {
        let (from, to) = (scale.x(millis(compilation.started())), scale.x(millis(compilation.done)));
        let tier = compilation.tier();
        // Two that are large enough to be seen apart stay apart.
        let touches = |piece: &Piece<'_>| from - piece.to < if to - from < 3.0 { 1.0 } else { -1.0 };
        match pieces.iter_mut().rev().find(|piece| piece.tier == tier) {
            Some(last) if touches(last) => {
                last.to = last.to.max(to);
                last.count += 1;
            }
            _ => pieces.push(Piece { from, to, tier, first: compilation, count: 1 }),
        }
    }
    pieces
}

/// Rows of functions; where they end.
fn functions_with_rows(svg: &mut String, mut y: f64, rows: &[Function<'_>], scale: &Scale) -> f64 {
    y = section(svg, y, "functions, the hottest first, and the code that calls of them run");
    for function in rows {
        label(svg, y, &short(&function.title), &function.title);
        let _ = writeln!(
            svg,
            r##"<rect x="{LEFT}" y="{y:.1}" width="{WIDTH}" height="{BAR}" fill="{NO_CODE}"/>"##
        );
        for (from, tier) in function.stages() {
            let x = scale.x(from);
            let _ = writeln!(
                svg,
                r##"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{BAR}" fill="{}"><title>{} from {from:.2} ms on</title></rect>"##,
                (LEFT + WIDTH - x).max(1.0),
                colour(Some(tier)),
                tier.name()
            );
        }
        let mut last_diamond = f64::MIN;
        for compilation in &function.compilations {
            let (from, to) = (scale.x(millis(compilation.started())), scale.x(millis(compilation.done)));
            let refused = compilation.tier().is_none();
            if to - from >= 1.0 || refused {
                // Below the band: how long the compiler worked.
                let _ = writeln!(
                    svg,
                    r##"<rect x="{from:.1}" y="{:.1}" width="{:.1}" height="3" fill="{}"><title>{}</title></rect>"##,
                    y + BAR,
                    (to - from).max(2.0),
                    colour(compilation.tier()),
                    escape(&format!("{}, {:.2} ms", log::why(compilation), millis(compilation.took)))
                );
            }
            if compilation.is_for_loop() && !refused && to - last_diamond > 4.0 {
                last_diamond = to;
                diamond(svg, to, y + BAR / 2.0);
            }
        }
        y += ROW;
    }
    y + GAP
}

/// How many of `functions` are in which tier, over time; where the area ends.
fn area(svg: &mut String, y: f64, functions: &[Function<'_>], scale: &Scale) -> f64 {
    let y = section(svg, y, "all other functions");
    let total = functions.len() as f64;
    // Per column: how many more are in baseline code, and in optimized code.
    let mut changes = BTreeMap::<u32, (i64, i64)>::new();
    for function in functions {
        let mut is_in: Option<Tier> = None;
        for (from, tier) in function.stages() {
            let change = changes.entry((scale.x(from) - LEFT) as u32).or_default();
            match is_in.replace(tier) {
                Some(Tier::Baseline) => change.0 -= 1,
                Some(Tier::Optimizing) => change.1 -= 1,
                None => {}
            }
            match tier {
                Tier::Baseline => change.0 += 1,
                Tier::Optimizing => change.1 += 1,
            }
        }
    }
    let bottom = y + AREA;
    let (mut baseline, mut optimized) = (0i64, 0i64);
    let mut steps: HashMap<&str, String> = HashMap::new();
    for (&column, change) in &changes {
        (baseline, optimized) = (baseline + change.0, optimized + change.1);
        let x = LEFT + f64::from(column);
        for (colour, count) in [(BASELINE, baseline + optimized), (OPTIMIZED, optimized)] {
            let height = AREA * count as f64 / total;
            let _ = write!(steps.entry(colour).or_default(), "H{x:.0}V{:.1}", bottom - height);
        }
    }
    label(svg, y - 1.0, &format!("{} functions", functions.len()), "one place each");
    label(svg, bottom - BAR, "0", "none");
    let _ =
        writeln!(svg, r##"<rect x="{LEFT}" y="{y:.1}" width="{WIDTH}" height="{AREA}" fill="{NO_CODE}"/>"##);
    // Optimized functions stand in front, at the bottom.
    for colour in [BASELINE, OPTIMIZED] {
        let steps = steps.get(colour).map_or("", String::as_str);
        let _ = writeln!(
            svg,
            r##"<path d="M{LEFT} {bottom:.1}{steps}H{}V{bottom:.1}z" fill="{colour}"/>"##,
            LEFT + WIDTH
        );
    }
    bottom + 8.0
}

/// The index and the end of a long name: what is between them is the path.
fn short(title: &str) -> String {
    let letters = title.chars().count();
    if letters <= LETTERS {
        return title.to_owned();
    }
    let (index, name) = title.split_once(' ').unwrap_or(("", title));
    let room = LETTERS.saturating_sub(index.len() + 2);
    let end: String = name.chars().skip(name.chars().count().saturating_sub(room)).collect();
    format!("{index} …{end}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn functions_that_got_hot_come_first() {
        let compilations = [
            sample(1.0, 0, "first call", Tier::Baseline),
            sample(2.0, 1, "first call", Tier::Baseline),
            sample(3.0, 2, "first call", Tier::Baseline),
            sample(9.0, 2, "hot", Tier::Optimizing),
            sample(11.0, 1, "loop", Tier::Optimizing),
        ];
        let titles: Vec<_> = functions(&compilations).into_iter().map(|function| function.title).collect();
        assert_eq!(titles, ["function 2", "function 1", "function 0"]);
        let svg = draw("a < b", &compilations, Duration::from_millis(20));
        for part in [
            "a &lt; b",
            "2 functions in code of the baseline tier and 1 of the optimizing tier, 1 loop entries, after 20.0 ms",
            ">guest</text>",
            ">worker 1</text>",
            "optimizing from 9.00 ms on",
        ] {
            assert!(svg.contains(part), "{part:?} is not in: {svg}");
        }
    }

    #[test]
    fn many_functions_stay_a_small_picture() {
        let compilations: Vec<_> = (0..20_000)
            .map(|at| sample(1.0 + f64::from(at) / 200.0, at, "first call", Tier::Baseline))
            .collect();
        let svg = draw("many", &compilations, Duration::from_millis(120));
        assert!(svg.len() < 64 << 10, "{}", svg.len());
        assert!(svg.contains(">19976 functions</text>"), "{svg}");
    }

    #[test]
    fn the_axis_ends_soon_after_the_last_compilation() {
        let compilations = [sample(10.0, 0, "first call", Tier::Baseline)];
        let svg = draw("long", &compilations, Duration::from_secs(60));
        assert!(svg.contains("the run went on"), "{svg}");
        let svg = draw("short", &compilations, Duration::from_millis(15));
        assert!(!svg.contains("the run went on"), "{svg}");
        // Nothing compiled, nothing to divide by.
        assert!(draw("none", &[], Duration::ZERO).ends_with("</svg>\n"));
    }

    #[test]
    fn long_names_keep_their_end() {
        let name = format!("12 {}::tail", "path".repeat(20));
        let short = short(&name);
        assert!(short.starts_with("12 …") && short.ends_with("::tail"), "{short}");
        assert_eq!(short.chars().count(), LETTERS);
    }
}
