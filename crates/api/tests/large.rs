//! Functions that are large or shaped to be hard to compile: every strategy does them, and they return what they should.

use tenure::{Config, Engine, Instance, Module, OnStackReplacement, Store, Strategy, TierUp};

/// `run` of a module with these fields, for each strategy.
fn check(what: &str, fields: &str, arg: i32, expected: i32) {
    let bytes =
        wat::parse_str(format!("(module {fields})")).unwrap_or_else(|error| panic!("{what}: {error}"));
    for strategy in [Strategy::Baseline, Strategy::Optimizing, Strategy::Tiered] {
        let mut config = Config::new();
        config.strategy(strategy).tier_up(TierUp::AtOnce).tier_up_budget(0).tier_up_budget_per_byte(0);
        config.on_stack_replacement(OnStackReplacement::First).max_wasm_stack(4 << 20);
        let engine = Engine::new(&config).unwrap();
        let module =
            Module::new(&engine, &bytes).unwrap_or_else(|error| panic!("{what}, {strategy:?}: {error:?}"));
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        for _ in 0..2 {
            let found =
                run.call(&mut store, arg).unwrap_or_else(|error| panic!("{what}, {strategy:?}: {error:?}"));
            assert_eq!(found, expected, "{what}, {strategy:?}");
        }
    }
}

fn run(locals: &str, body: &str) -> String {
    format!("(func $run (export \"run\") (param i32) (result i32) {locals} {body})")
}

#[test]
fn fifty_thousand_locals() {
    let count = 49_000;
    let adds: String = (1..=count)
        .map(|local| format!("(local.set {local} (i32.add (local.get {local}) (local.get {})))", local - 1))
        .collect();
    let again = "(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))";
    // After one turn each holds 2; in the second each gets what the one before it has by then: 1, 3, 5, 7.
    let body = format!("(loop $l {adds} {again}) (local.get 3)");
    check("locals", &run(&format!("(local {})", "i32 ".repeat(count)), &body), 2, 7);
}

#[test]
fn two_million_nested_blocks() {
    let count = 2_000_000;
    let (opened, closed) = ("block ".repeat(count), "end ".repeat(count));
    check("blocks", &run("", &format!("{opened} {closed} (local.get 0)")), 7, 7);
}

#[test]
fn a_hundred_thousand_nested_loops_with_branches() {
    let count = 100_000;
    let opened = "loop ".repeat(count);
    let closed = "(br_if 0 (i32.lt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const -100000000))) end ";
    check(
        "loops",
        &run("", &format!("{opened} {} (local.get 0)", closed.repeat(count))),
        7,
        7 - count as i32,
    );
}

#[test]
fn a_million_operators_in_a_row() {
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.const 1)))".repeat(170_000);
    let expected = (0..170_000).fold(5i32, |value, _| value.wrapping_mul(3).wrapping_add(1));
    check("operators", &run("", &format!("{body} (local.get 0)")), 5, expected);
}

#[test]
fn a_hundred_thousand_operands() {
    let count = 100_000;
    let pushes = "(i32.mul (local.get 0) (i32.const 3)) ".repeat(count);
    let loops = "(loop (local.set 0 (i32.add (local.get 0) (i32.const 1)))) ".repeat(100);
    let adds = "i32.add ".repeat(count);
    let expected = (15 * count as i32).wrapping_add(105);
    check("operands", &run("", &format!("{pushes} {loops} (local.get 0) {adds}")), 5, expected);
}

#[test]
fn tables_of_65520_targets() {
    let count = 65_520;
    let targets: String = (0..count).map(|at| format!("{} ", at % 1_000)).collect();
    let (opened, table) = ("block ".repeat(1_000), format!("local.get 0 br_table {targets} 999 "));
    let closed = "(local.set 1 (i32.add (local.get 1) (i32.const 1))) end ".repeat(999);
    // Each end that is passed adds one: a branch to block `n` leaves out those up to its own.
    let body = format!("{opened} {table} end {} (local.get 1)", closed);
    check("a table", &run("(local i32)", &body), 5_007, 999 - 7);
}

#[test]
fn loops_around_locals_that_all_meet() {
    let count = 1_000;
    let adds: String = (1..=count)
        .map(|local| format!("(local.set {local} (i32.add (local.get {local}) (i32.const {local})))"))
        .collect();
    let (opened, closed) =
        ("loop ".repeat(count), "(br_if 0 (i32.lt_s (local.get 0) (i32.const 0))) end ".repeat(count));
    let locals = format!("(local {})", "i32 ".repeat(count));
    check("meetings", &run(&locals, &format!("{opened} {adds} {closed} (local.get 77)")), 1, 77);
}
