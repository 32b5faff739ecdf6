//! One case: a module, on several engines, compared.

use crate::engine::{ENGINES, Engine, Row, Side, TIERS, Tier, features};
use crate::generate::{Effort, Generated, Nans};
use crate::outcome::{Outcome, Places, Step, difference};
use crate::rng::Rng;
use crate::scan;
use crate::script::{self, Action};
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a case ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All engines did the same.
    Same,
    /// So far as they went: one of them met a limit of its own.
    Poisoned,
    /// All engines refuse the module.
    Refused,
    /// A witness differs from all others.
    Witness(String),
    /// Tenure differs.
    Find(String),
}

/// The engines of this process, made when they are first used.
pub struct Engines(Vec<(&'static Row, OnceCell<Box<dyn Engine>>)>);

impl Engines {
    /// None made yet.
    pub fn new() -> Self {
        Self(ENGINES.iter().map(|row| (row, OnceCell::new())).collect())
    }

    /// The engine of the row called `name`.
    fn get(&self, row: &Row) -> &dyn Engine {
        let (row, engine) =
            self.0.iter().find(|(each, _)| each.name == row.name).expect("all rows are there");
        engine.get_or_init(row.make).as_ref()
    }
}

/// Which engines run a case, besides the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Which of our configurations.
    pub width: Width,
    /// Whether the witnesses run too. One that crashes would take the case with it.
    pub witnesses: bool,
}

/// Which of our configurations run a case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Width {
    /// One of one tier, which the seed chooses: mostly a tiered one, which runs the code of all.
    One,
    /// One of each tier, which the seed chooses.
    OneATier,
    /// All that can.
    All,
}

/// Runs the module of `seed` and compares.
pub fn judge(engines: &Engines, generated: &Generated, seed: u64, choice: Choice) -> Verdict {
    match generated.effort {
        Effort::Verdict | Effort::Instance => judge_validity(engines, generated, seed, choice),
        Effort::Calls { .. } => judge_runs(engines, generated, seed, choice),
    }
}

/// Our configurations that can run a case.
fn ours(seed: u64, nans: Nans, width: Width) -> Vec<&'static Row> {
    choose(seed, width, |row, tier| {
        row.side == Side::Ours(tier) && (nans == Nans::Hidden || row.canonical_nans)
    })
}

/// Our configurations that count fuel: not in every case, for they are as many as those that do not.
fn counting(seed: u64, width: Width) -> Vec<&'static Row> {
    let chance = match width {
        Width::One => 10,
        Width::OneATier => 33,
        Width::All => 100,
    };
    if !Rng::new(seed, "counting").chance(chance) {
        return Vec::new();
    }
    // There is nothing to compare one with.
    choose(seed, width.max(Width::OneATier), |row, tier| row.side == Side::Counting(tier))
}

fn choose(seed: u64, width: Width, is_fit: impl Fn(&Row, Tier) -> bool) -> Vec<&'static Row> {
    let mut rng = Rng::new(seed, "engines");
    let mut chosen = Vec::new();
    let tiers = match width {
        Width::One if rng.chance(70) => &[Tier::Tiered],
        Width::One => std::slice::from_ref(rng.pick(TIERS)),
        Width::OneATier | Width::All => TIERS,
    };
    for &tier in tiers {
        let is_fit = |row: &&Row| is_fit(row, tier);
        let rows: Vec<_> = ENGINES.iter().filter(is_fit).collect();
        match width {
            Width::One | Width::OneATier => chosen.push(*rng.pick(&rows)),
            Width::All => chosen.extend(rows),
        }
    }
    chosen
}

fn judge_runs(engines: &Engines, generated: &Generated, seed: u64, choice: Choice) -> Verdict {
    let Generated { modules, nans, effort } = generated;
    let actions = script::actions(modules, seed, *effort);
    let reference = reference(modules, *nans);
    let expected = run(engines, reference, modules, &actions);
    for row in ours(seed, *nans, choice.width) {
        let difference = match (&expected, run(engines, row, modules, &actions)) {
            (Err(_), Err(error)) if error.starts_with(PANIC) => Some(error),
            (Err(_), Err(_)) => None,
            (Ok(_), Err(error)) => Some(format!("refused: {error}")),
            (Err(error), Ok(_)) => Some(format!("accepted, but the reference says: {error}")),
            (Ok(expected), Ok(steps)) => difference(expected, &steps, row.places.min(reference.places)),
        };
        if let Some(difference) = difference {
            return Verdict::Find(format!("{}, then {}: {difference}", reference.name, row.name));
        }
    }
    if let Some(difference) = fuel_difference(engines, modules, &actions, &counting(seed, choice.width)) {
        return Verdict::Find(difference);
    }
    let Ok(expected) = expected else { return Verdict::Refused };
    let is_poisoned = expected.iter().any(|step| matches!(step.outcome, Outcome::Poison(_)));
    if reference.side != Side::Reference {
        return if is_poisoned { Verdict::Poisoned } else { Verdict::Same };
    }
    for witness in ENGINES.iter().filter(|row| choice.witnesses && row.side == Side::Witness) {
        // It may lack a proposal.
        let Ok(steps) = run(engines, witness, modules, &actions) else { continue };
        if let Some(difference) = difference(&expected, &steps, Places::Near) {
            return Verdict::Witness(format!("{}, then {}: {difference}", reference.name, witness.name));
        }
    }
    if is_poisoned { Verdict::Poisoned } else { Verdict::Same }
}

/// The first thing in which engines that count fuel differ, or `None`.
fn fuel_difference(
    engines: &Engines,
    modules: &[Vec<u8>],
    actions: &[Action],
    rows: &[&'static Row],
) -> Option<String> {
    let (first, others) = rows.split_first()?;
    let expected = run(engines, first, modules, actions);
    for row in others {
        let difference = match (&expected, run(engines, row, modules, actions)) {
            (Err(error), _) if error.starts_with(PANIC) => Some(error.clone()),
            (Err(_), Err(error)) if error.starts_with(PANIC) => Some(error),
            (Err(_), Err(_)) => None,
            (Ok(expected), Ok(steps)) => difference(expected, &steps, row.places.min(first.places)),
            (Ok(_), Err(error)) => Some(format!("only the second refuses: {error}")),
            (Err(error), Ok(_)) => Some(format!("only the first refuses: {error}")),
        };
        if let Some(difference) = difference {
            return Some(format!("{}, then {}: {difference}", first.name, row.name));
        }
    }
    None
}

/// Runs the module of `seed` on one tiered configuration, for what happens inside of it.
pub fn run_tiered(engines: &Engines, generated: &Generated, seed: u64) {
    let Generated { modules, nans, effort } = generated;
    let actions = script::actions(modules, seed, *effort);
    for row in ours(seed, *nans, Width::OneATier).iter().filter(|row| row.side == Side::Ours(Tier::Tiered)) {
        // Whether it does what it should is for [`judge`] to say.
        let _ = run(engines, row, modules, &actions);
    }
}

/// The engine that the others are compared with.
fn reference(modules: &[Vec<u8>], nans: Nans) -> &'static Row {
    // The specification's deterministic profile rounds twice, and so does Tenure; the peer rounds once.
    let is_meant = match modules.iter().any(|wasm| scan::has(wasm, scan::may_fuse)) {
        true => |row: &Row| row.side == Side::Ours(Tier::Optimizing) && row.places == Places::Exact,
        false => |row: &Row| row.side == Side::Reference,
    };
    let is_fit = |row: &&Row| is_meant(row) && row.canonical_nans == (nans == Nans::Seen);
    ENGINES.iter().find(is_fit).expect("there is a reference of each kind")
}

const PANIC: &str = "panic: ";

/// Everything that `row` does with `modules`.
///
/// # Errors
/// Why it refuses a module, or what it panicked with.
fn run(engines: &Engines, row: &Row, modules: &[Vec<u8>], actions: &[Action]) -> Result<Vec<Step>, String> {
    let engine = engines.get(row);
    catch_unwind(AssertUnwindSafe(|| {
        let mut program = engine.load(modules)?;
        let mut steps = Vec::new();
        let mut step = |what: String, outcome: Outcome, program: &mut dyn crate::engine::Program| {
            let (mut items, trace) = (program.items(), program.take_trace());
            items.sort_by(|(one, _), (other, _)| one.cmp(other));
            steps.push(Step { what, outcome: outcome.clone(), items, trace });
            outcome
        };
        let outcome = program.instantiate();
        let outcome = step("instantiation".to_string(), outcome, &mut *program);
        if !matches!(outcome, Outcome::Values(_)) {
            return Ok(steps);
        }
        for action in actions {
            let outcome = match action {
                Action::Call { of, name, arguments } => program.call(*of, name, arguments),
                Action::Change { of, name, number } => program.change(*of, name, *number),
            };
            let outcome = step(format!("{action:?}"), outcome, &mut *program);
            if matches!(outcome, Outcome::Poison(_)) {
                break;
            }
            // Its fuel may be used up: go on with a new one.
            if outcome.is_unreachable() {
                let outcome = program.instantiate();
                step("instantiation once more".to_string(), outcome, &mut *program);
            }
        }
        Ok(steps)
    }))
    .unwrap_or_else(|payload| Err(format!("{PANIC}{}", panic_text(&payload))))
}

fn panic_text(payload: &Box<dyn std::any::Any + Send>) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("of an odd kind")
}

/// Limits of ours below those of the specification's: a module that one of these texts refuses may be valid.
const LIMITS: &[&str] = &[
    // Not compiled in linear time by the optimizing tier.
    "too many targets of one br_table: at most 65520",
];

fn judge_validity(engines: &Engines, generated: &Generated, seed: u64, choice: Choice) -> Verdict {
    let Generated { modules, effort, .. } = generated;
    let validate = |wasm: &Vec<u8>| wasmparser::Validator::new_with_features(features()).validate_all(wasm);
    let expected: Result<Vec<_>, _> = modules.iter().map(validate).collect();
    for row in ours(seed, Nans::Hidden, choice.width) {
        let engine = engines.get(row);
        let loaded = catch_unwind(AssertUnwindSafe(|| {
            let mut program = engine.load(modules)?;
            if *effort == Effort::Instance {
                program.instantiate();
            }
            Ok::<(), String>(())
        }));
        let difference = match (&expected, loaded) {
            (_, Err(payload)) => format!("{PANIC}{}", panic_text(&payload)),
            (Ok(_), Ok(Ok(()))) | (Err(_), Ok(Err(_))) => continue,
            (Ok(_), Ok(Err(error))) if LIMITS.iter().any(|limit| error.contains(limit)) => continue,
            (Ok(_), Ok(Err(error))) => format!("a valid module was refused: {error}"),
            (Err(error), Ok(Ok(()))) => format!("an invalid module was accepted: {error}"),
        };
        return Verdict::Find(format!("{}: {difference}", row.name));
    }
    if expected.is_ok() { Verdict::Same } else { Verdict::Refused }
}
