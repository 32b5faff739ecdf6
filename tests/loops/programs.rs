//! Small programs with loops of every kind, for whoever enters loops in the middle.
//!
//! Each exports `run`, which takes one `i64` and folds all it sees into what it returns, and imports `"" "host"` of type
//! `(i64) -> i64`. Loops run a few times, so that every arrival at every loop can be tried.

use std::fmt::Write;

/// A program: what it is about, its text, and the arguments to run it with.
pub struct Program {
    pub name: String,
    pub text: String,
    pub args: &'static [i64],
}

/// All of them.
pub fn programs() -> Vec<Program> {
    let mut all = Vec::new();
    classes(&mut all);
    nests(&mut all);
    tables_of_branches(&mut all);
    many_values(&mut all);
    calls(&mut all);
    state(&mut all);
    traps(&mut all);
    shapes(&mut all);
    all
}

/// The types of values.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Class {
    I32,
    I64,
    F32,
    F64,
    V128,
    Func,
    Extern,
}

const CLASSES: [Class; 7] =
    [Class::I32, Class::I64, Class::F32, Class::F64, Class::V128, Class::Func, Class::Extern];

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::Func => "funcref",
            Self::Extern => "externref",
        }
    }

    /// The value of this class made of the `i64` that `bits` gives.
    fn from(self, bits: &str) -> String {
        match self {
            Self::I32 => format!("(i32.wrap_i64 {bits})"),
            Self::I64 => bits.to_string(),
            Self::F32 => format!("(f32.reinterpret_i32 (i32.wrap_i64 {bits}))"),
            Self::F64 => format!("(f64.reinterpret_i64 {bits})"),
            Self::V128 => {
                format!(
                    "(v128.xor (i64x2.splat {bits}) (v128.const i64x2 0x0123456789abcdef 0x0f1e2d3c4b5a6978))"
                )
            }
            Self::Func => format!(
                "(select (result funcref) (ref.func $one) (ref.func $two) (i32.wrap_i64 (i64.and {bits} (i64.const 1))))"
            ),
            Self::Extern => format!(
                "(select (result externref) (table.get $externs (i32.const 0)) (ref.null extern)
                    (i32.wrap_i64 (i64.and {bits} (i64.const 1))))"
            ),
        }
    }

    /// The `i64` that tells what the value that `value` gives is.
    fn to(self, value: &str) -> String {
        match self {
            Self::I32 => format!("(i64.extend_i32_u {value})"),
            Self::I64 => value.to_string(),
            Self::F32 => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
            Self::F64 => format!("(i64.reinterpret_f64 {value})"),
            Self::V128 => format!("(i64.add (i64x2.extract_lane 0 {value}) (i64x2.extract_lane 1 {value}))"),
            Self::Func => format!("(call $number {value})"),
            Self::Extern => format!("(i64.extend_i32_u (ref.is_null {value}))"),
        }
    }
}

/// `$h` becomes a mix of what it was and of the `i64` that `value` gives.
fn mix(value: &str) -> String {
    format!(
        "(local.set $h (i64.add (i64.rotl (i64.mul (local.get $h) (i64.const 0x9e3779b97f4a7c15)) (i64.const 23)) {value}))\n"
    )
}

/// Adds one to the `i32` in `local`, and gives whether it is below `limit` then.
fn next_below(local: &str, limit: u32) -> String {
    format!("(i32.lt_u (local.tee {local} (i32.add (local.get {local}) (i32.const 1))) (i32.const {limit}))")
}

fn add(all: &mut Vec<Program>, name: impl Into<String>, args: &'static [i64], funcs: &str) {
    let text = format!(
        r#"(module
  (import "" "host" (func $host (param i64) (result i64)))
  (type $number (func (result i64)))
  (memory (export "memory") 1 4)
  (table $funcs 4 8 funcref)
  (table $externs 2 externref)
  (global $g (export "g") (mut i64) (i64.const 3))
  (data (i32.const 0) "some bytes to begin with")
  (elem declare func $one $two)
  (func (export "extern") (param externref) (table.set $externs (i32.const 0) (local.get 0)))
  (func $one (type $number) (i64.const 1))
  (func $two (type $number) (i64.const 2))
  (func $number (param funcref) (result i64)
    (table.set $funcs (i32.const 0) (local.get 0))
    (call_indirect $funcs (type $number) (i32.const 0)))
{funcs})"#
    );
    all.push(Program { name: name.into(), text, args });
}

/// A function `run` with these locals beside `$n`, `$h` and `$k`, whose result is `$h` after `body`.
fn run(locals: &str, body: &str) -> String {
    format!(
        r#"  (func (export "run") (param $n i64) (result i64) (local $h i64) (local $k i32) {locals}
    (local.set $h (local.get $n))
{body}
    (local.get $h))
"#
    )
}

/// Values of each class in each place that a loop finds them in.
fn classes(all: &mut Vec<Program>) {
    for class in CLASSES {
        let (ty, value) = (class.name(), class.to("(local.get $v)"));
        let from_h = class.from("(local.get $h)");
        let again = next_below("$k", 5);
        let local = format!("(local $v {ty})");
        let body = format!(
            "(local.set $v {from_h})
             (loop $l {} (local.set $v {from_h}) (br_if $l {again}))
             {}",
            mix(&value),
            mix(&value)
        );
        add(all, format!("a local of type {ty}"), &[7, -1], &run(&local, &body));

        let body = format!(
            "{from_h} (i64.const 5)
             (loop $l {} (br_if $l {again}))
             (local.set $h (i64.add (local.get $h)))
             (local.set $v) {}",
            mix("(i64.const 9)"),
            mix(&value)
        );
        add(all, format!("an operand of type {ty} below a loop"), &[7, -2], &run(&local, &body));

        let body = format!(
            "{from_h}
             (loop $l (param {ty}) (result {ty})
               (local.set $v) {} {from_h} (br_if $l {again}))
             (local.set $v) {}",
            mix(&value),
            mix(&value)
        );
        add(all, format!("a loop's parameter of type {ty}"), &[7, 8], &run(&local, &body));

        let body = format!(
            "{from_h}
             (block $out
               {from_h}
               (loop $l
                 {}
                 (br_if $out (i64.eqz (i64.and (local.get $h) (i64.const 3))))
                 (br_if $l {again}))
               (local.set $v) {})
             (local.set $v) {}",
            mix("(i64.const 1)"),
            mix(&value),
            mix(&value)
        );
        add(all, format!("operands of type {ty} below a block"), &[7, 8, 9, 10], &run(&local, &body));

        // Zero until it is written in the loop, and read only behind it.
        let body = format!(
            "(loop $l
               {}
               (if (i32.eq (local.get $k) (i32.const 3)) (then (local.set $v {from_h})))
               (br_if $l {again}))
             {}",
            mix("(i64.const 1)"),
            mix(&value)
        );
        add(all, format!("a local of type {ty} that starts as zero"), &[7, 1], &run(&local, &body));
    }
}

/// What may be around a loop.
#[derive(Clone, Copy, Debug)]
enum Around {
    Block,
    Then,
    Else,
    Loop,
    BlockWithResult,
    IfWithParameter,
    LoopWithParameter,
}

const AROUND: [Around; 7] = [
    Around::Block,
    Around::Then,
    Around::Else,
    Around::Loop,
    Around::BlockWithResult,
    Around::IfWithParameter,
    Around::LoopWithParameter,
];

/// Loops in everything, two and three deep, with operands of changing types below each construct.
fn nests(all: &mut Vec<Program>) {
    let mut paths: Vec<Vec<Around>> = AROUND.iter().map(|&around| vec![around]).collect();
    for outer in AROUND {
        for inner in AROUND {
            paths.push(vec![outer, inner]);
        }
    }
    for number in 0..60 {
        let at = |place: usize| AROUND[(number * 5 + number / 7 * (place + 1) + place * 3) % AROUND.len()];
        paths.push(vec![at(0), at(1), at(2)]);
    }
    for (number, path) in paths.iter().enumerate() {
        let mut locals = String::new();
        for class in CLASSES {
            write!(locals, "(local ${0} {0})", class.name()).expect("strings take all");
        }
        for depth in 0..path.len() {
            write!(locals, "(local $c{depth} i32)").expect("strings take all");
        }
        locals += "(local $again i32)";
        let mut body = nest(path, 0, number);
        // To half of them control comes again, to half it does not.
        if number % 2 == 0 {
            body = format!("(loop $again {body} (br_if $again {}))", next_below("$again", 3));
        }
        add(all, format!("a loop in {path:?}"), &[1, 6], &run(&locals, &body));
    }
}

/// The constructs of `path` from `depth` on, around a loop.
fn nest(path: &[Around], depth: usize, number: usize) -> String {
    let Some(&around) = path.get(depth) else {
        return format!(
            "(local.set $k (i32.const 0))
             (loop $target {} (br_if $target {}))",
            mix("(i64.extend_i32_u (local.get $k))"),
            next_below("$k", 3)
        );
    };
    let inner = nest(path, depth + 1, number);
    let class = |at: usize| CLASSES[(number + depth * 3 + at) % CLASSES.len()];
    let (below, carried) = (class(0), class(2));
    let push = |class: Class| class.from("(local.get $h)");
    let take = |class: Class| {
        let name = class.name();
        format!("(local.set ${name}) {}", mix(&class.to(&format!("(local.get ${name})"))))
    };
    let is_odd = format!("(i32.wrap_i64 (i64.and (local.get $h) (i64.const {})))", 1 << depth);
    let (ty, other) = (carried.name(), mix("(i64.const 77)"));
    let counter = format!("$c{depth}");
    let construct = match around {
        Around::Block => format!("(block $b{depth} {inner} (br_if $b{depth} {is_odd}) {other})"),
        Around::Then => format!("(if {is_odd} (then {inner}) (else {other}))"),
        Around::Else => format!("(if {is_odd} (then {other}) (else {inner}))"),
        Around::Loop => format!(
            "(local.set {counter} (i32.const 0)) (loop $o{depth} {inner} (br_if $o{depth} {}))",
            next_below(&counter, 2)
        ),
        Around::BlockWithResult => format!(
            "(block $b{depth} (result {ty}) {} (br_if $b{depth} {is_odd}) {} {inner} {}) {}",
            push(carried),
            take(carried),
            push(carried),
            take(carried)
        ),
        Around::IfWithParameter => format!(
            "{} {is_odd} (if (param {ty}) (result {ty}) (then {} {inner} {}) (else {} {other} {})) {}",
            push(carried),
            take(carried),
            push(carried),
            take(carried),
            push(carried),
            take(carried)
        ),
        Around::LoopWithParameter => format!(
            "(local.set {counter} (i32.const 0)) {}
             (loop $o{depth} (param {ty}) (result {ty}) {} {inner} {} (br_if $o{depth} {})) {}",
            push(carried),
            take(carried),
            push(carried),
            next_below(&counter, 2),
            take(carried)
        ),
    };
    format!("{} (i32.const {depth}) {construct} (local.set $i32) {}", push(below), take(below))
}

fn tables_of_branches(all: &mut Vec<Program>) {
    let step = next_below("$k", 9);
    let body = format!(
        "(block $exit
           (loop $l
             (br_if $exit (i32.eqz {step}))
             (block $a (block $b (block $c
               (br_table $a $b $l $c $exit (i32.rem_u (local.get $k) (i32.const 5))))
               {}
               (br $l))
             {}
             (br $l))
           {}
           (br $l)))",
        mix("(i64.const 1)"),
        mix("(i64.const 2)"),
        mix("(i64.const 3)")
    );
    add(all, "a br_table to a loop and out of it", &[3], &run("", &body));

    let body = format!(
        "(block $exit (result i64)
           (i64.const 1)
           (loop $l (param i64) (result i64)
             (local.set $h (i64.add (local.get $h) (i64.mul (i64.const 31))))
             (br_if $exit (local.get $h) (i32.eqz {step}))
             (drop)
             (block $a (result i64)
               (br_table $l $a $l $exit (local.get $h) (i32.rem_u (local.get $k) (i32.const 4))))
             (i64.rotl (i64.const 7))
             (br $l)))
         (local.set $h (i64.xor (local.get $h)))"
    );
    add(all, "a br_table that brings a value to a loop", &[3, 4], &run("", &body));

    let cases = (0..8).rev().map(|at| format!("(block $c{at} ")).collect::<String>();
    let ends: String = (0..8).map(|at| format!(") {} (br $l)", mix(&format!("(i64.const {at})")))).collect();
    let body = format!(
        "(block $exit (loop $l
           (br_if $exit (i32.eqz {}))
           {cases}
           (br_table $c3 $c1 $c4 $c1 $c5 $exit $c2 $c6 $c0 $c7 (i32.wrap_i64 (i64.and (local.get $h) (i64.const 15))))
           {ends}))",
        next_below("$k", 20)
    );
    add(all, "an interpreter", &[3, 4, 12345], &run("", &body));
}

/// Functions with many parameters and results.
fn many_values(all: &mut Vec<Program>) {
    for (name, class, count) in [
        ("i64", Class::I64, 9),
        ("i32", Class::I32, 12),
        ("f64", Class::F64, 9),
        ("v128", Class::V128, 20),
        ("few", Class::F32, 3),
    ] {
        let ty = class.name();
        let results = format!("{ty} ").repeat(count);
        let values: String =
            (0..count).map(|at| class.from(&format!("(i64.rotl (local.get $h) (i64.const {at}))"))).collect();
        let takes = format!("(local.set $v) {}", mix(&class.to("(local.get $v)"))).repeat(count);
        let funcs = format!(
            "(func $many (param $h i64) (result {results}) (local $k i32)
               (i64.const 11)
               (loop $l {} (br_if $l {}))
               (local.set $h (i64.add (local.get $h)))
               (if (i64.eqz (i64.and (local.get $h) (i64.const 1))) (then (return (call $many (i64.or (local.get $h) (i64.const 1))))))
               {values})
             {}",
            mix("(i64.const 4)"),
            next_below("$k", 4),
            run(&format!("(local $v {ty})"), &format!("(loop $l (call $many (local.get $h)) {takes} (br_if $l {}))", next_below("$k", 2)))
        );
        add(all, format!("{count} results of type {name}"), &[1, 2], &funcs);

        let params: String = (0..count).map(|at| format!("(param $p{at} {ty})")).collect();
        let sum: String = (0..count).map(|at| mix(&class.to(&format!("(local.get $p{at})")))).collect();
        let last = count - 1;
        let funcs = format!(
            "(func $many {params} (result i64) (local $h i64) (local $k i32)
               (loop $l
                 {sum}
                 (local.set $p{last} {})
                 (local.set $p0 (local.get $p{last}))
                 (br_if $l {}))
               {sum}
               (local.get $h))
             {}",
            class.from("(local.get $h)"),
            next_below("$k", 3),
            run("", &format!("(local.set $h (call $many {values}))"))
        );
        add(all, format!("{count} parameters of type {name}"), &[1, 2], &funcs);
    }
    let body = format!(
        "(i32.const 3) (i64.const 4) (f32.const 5) (f64.const 6)
         (loop $l (type $four)
           (local.set $f64) (local.set $f32) (local.set $i64) (local.set $i32)
           {}{}{}{}
           {} {} {} {}
           (br_if $l {}))
         (local.set $f64) (local.set $f32) (local.set $i64) (local.set $i32)
         {}{}",
        mix(&Class::I32.to("(local.get $i32)")),
        mix(&Class::I64.to("(local.get $i64)")),
        mix(&Class::F32.to("(local.get $f32)")),
        mix(&Class::F64.to("(local.get $f64)")),
        Class::I32.from("(local.get $h)"),
        Class::I64.from("(local.get $h)"),
        Class::F32.from("(local.get $h)"),
        Class::F64.from("(local.get $h)"),
        next_below("$k", 4),
        mix(&Class::I32.to("(local.get $i32)")),
        mix(&Class::F64.to("(local.get $f64)")),
    );
    let funcs = format!(
        "(type $four (func (param i32 i64 f32 f64) (result i32 i64 f32 f64))) {}",
        run("(local $i32 i32) (local $i64 i64) (local $f32 f32) (local $f64 f64)", &body)
    );
    add(all, "a loop with four parameters", &[1, 2], &funcs);
}

fn calls(all: &mut Vec<Program>) {
    let deep = |call: &str| {
        format!(
            "(type $f (func (param i64) (result i64)))
             (func $f (export \"run\") (type $f) (param $n i64) (result i64) (local $h i64) (local $k i32)
               (local.get $n)
               (loop $l
                 {}
                 (if (i64.gt_s (local.get $n) (i64.const 0))
                   (then (local.set $h (i64.add (local.get $h) {call}))))
                 (br_if $l {}))
               (i64.add (local.get $h)))",
            mix("(local.get $n)"),
            next_below("$k", 2)
        )
    };
    add(all, "recursion in a loop", &[0, 4], &deep("(call $f (i64.sub (local.get $n) (i64.const 1)))"));
    add(
        all,
        "recursion through a table",
        &[0, 4],
        &format!(
            "(elem (table $funcs) (i32.const 2) func $f) {}",
            deep("(call_indirect $funcs (type $f) (i64.sub (local.get $n) (i64.const 1)) (i32.const 2))")
        ),
    );
    add(
        all,
        "recursion through a reference",
        &[0, 4],
        &format!(
            "(elem declare func $f) {}",
            deep("(call_ref $f (i64.sub (local.get $n) (i64.const 1)) (ref.func $f))")
        ),
    );
    add(
        all,
        "two functions that call each other in loops",
        &[0, 5],
        &format!(
            "{}
             (func $g (param $n i64) (result i64) (local $h i64) (local $k i32) (local $f f64)
               (local.set $f (f64.const 1.5))
               (loop $l
                 (local.set $f (f64.mul (local.get $f) (f64.const 1.25)))
                 (local.set $h (i64.xor (local.get $h) (call $f (i64.sub (local.get $n) (i64.const 1)))))
                 (br_if $l {}))
               (i64.add (local.get $h) (i64.reinterpret_f64 (local.get $f))))",
            deep("(call $g (i64.sub (local.get $n) (i64.const 1)))"),
            next_below("$k", 2)
        ),
    );
    let body = format!(
        "(f64.const 2.5)
         (loop $l
           (local.set $h (call $host (local.get $h)))
           (local.set $v (v128.xor (local.get $v) (i64x2.splat (local.get $h))))
           (br_if $l {}))
         (i64.reinterpret_f64) (local.set $h (i64.add (local.get $h)))
         {}",
        next_below("$k", 5),
        mix(&Class::V128.to("(local.get $v)"))
    );
    add(all, "a loop that calls the host", &[5], &run("(local $v v128)", &body));
    let body = format!(
        "(loop $outer
           (local.set $k (i32.const 0))
           (loop $l
             (local.set $h (i64.add (call $leaf (local.get $h) (local.get $k)) (i64.extend_i32_u (local.get $j))))
             (br_if $l {}))
           (br_if $outer {}))",
        next_below("$k", 3),
        next_below("$j", 3)
    );
    let funcs = format!(
        "(func $leaf (param $h i64) (param $k i32) (result i64) (local $i i32)
           (loop $l {} (br_if $l {}))
           (local.get $h))
         {}",
        mix("(i64.extend_i32_u (local.get $k))"),
        next_below("$i", 2),
        run("(local $j i32)", &body)
    );
    add(all, "loops in a caller and in a leaf", &[5], &funcs);
    let funcs = format!(
        "(func $count (param $n i64) (param $h i64) (result i64)
           (if (i64.eqz (local.get $n)) (then (return (local.get $h))))
           (return_call $count (i64.sub (local.get $n) (i64.const 1)) (call $work (local.get $h))))
         (func $work (param $h i64) (result i64) (local $k i32)
           (loop $l {} (br_if $l {}))
           (local.get $h))
         {}",
        mix("(i64.const 2)"),
        next_below("$k", 2),
        run(
            "",
            &format!(
                "(loop $l (local.set $h (call $count (i64.const 5) (local.get $h))) (br_if $l {}))",
                next_below("$k", 2)
            )
        )
    );
    add(all, "tail calls in loops' callees", &[5], &funcs);
}

fn state(all: &mut Vec<Program>) {
    let again = next_below("$k", 6);
    let bodies = [
        (
            "a loop that stores and loads",
            format!(
                "(loop $l
                   (i64.store offset=8 (i32.shl (local.get $k) (i32.const 3)) (local.get $h))
                   {}
                   (br_if $l {again}))",
                mix("(i64.load offset=3 (i32.shl (local.get $k) (i32.const 2)))")
            ),
        ),
        (
            "a loop in which memory grows",
            format!(
                "(loop $l
                   {}
                   (i64.store8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)) (local.get $h))
                   {}
                   (br_if $l {again}))",
                mix("(i64.extend_i32_s (memory.grow (i32.and (local.get $k) (i32.const 1))))"),
                mix("(i64.load8_u (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)))")
            ),
        ),
        (
            "a loop that fills and copies",
            format!(
                "(loop $l
                   (memory.fill (i32.const 100) (local.get $k) (i32.add (local.get $k) (i32.const 150)))
                   (memory.copy (i32.const 0) (i32.const 99) (i32.const 300))
                   {}
                   (br_if $l {again}))",
                mix("(i64.load (i32.mul (local.get $k) (i32.const 31)))")
            ),
        ),
        (
            "a loop on a global",
            format!(
                "(loop $l
                   (global.set $g (i64.mul (i64.add (global.get $g) (local.get $h)) (i64.const 3)))
                   {}
                   (br_if $l {again}))",
                mix("(global.get $g)")
            ),
        ),
        (
            "a loop on a table",
            format!(
                "(loop $l
                   (table.set $funcs (i32.and (local.get $k) (i32.const 3)) {})
                   {}
                   {}
                   (br_if $l {again}))",
                Class::Func.from("(local.get $h)"),
                mix(
                    "(i64.extend_i32_u (table.grow $funcs (ref.null func) (i32.and (local.get $k) (i32.const 1))))"
                ),
                mix("(call $number (table.get $funcs (i32.and (local.get $k) (i32.const 3))))")
            ),
        ),
    ];
    for (name, body) in bodies {
        add(all, name, &[3, 77], &run("", &body));
    }
}

fn traps(all: &mut Vec<Program>) {
    let around = |trap: &str| {
        let body = format!(
            "(f32.const 1)
             (loop $outer
               (local.set $k (i32.const 0))
               (i64.const 1)
               (loop $l
                 (i64.store (i32.const 64) (local.get $h))
                 {trap}
                 {}
                 (br_if $l {}))
               (local.set $h (i64.add (local.get $h)))
               (br_if $outer {}))
             (drop)",
            mix("(i64.const 1)"),
            next_below("$k", 3),
            next_below("$j", 3)
        );
        run("(local $j i32)", &body)
    };
    // Where the outer loop is at its second turn and the inner one too.
    let now = "(i32.and (i32.eq (local.get $j) (i32.const 1)) (i32.eq (local.get $k) (i32.const 1)))";
    for (name, trap) in [
        ("a division by zero", format!("(drop (i32.div_u (i32.const 5) (i32.eqz {now})))")),
        ("an access out of bounds", format!("(drop (i32.load (i32.mul {now} (i32.const 0x7fffffff))))")),
        (
            "a store out of bounds",
            format!("(i64.store (i32.mul {now} (i32.const 0x7fffffff)) (local.get $h))"),
        ),
        ("unreachable", format!("(if {now} (then unreachable))")),
        (
            "a conversion",
            format!("(drop (i32.trunc_f64_s (f64.mul (f64.convert_i32_s {now}) (f64.const 1e30))))"),
        ),
        (
            "a call of nothing",
            format!("(if {now} (then (drop (call_indirect $funcs (type $number) (i32.const 3)))))"),
        ),
        (
            "a call outside of a table",
            format!("(if {now} (then (drop (call_indirect $funcs (type $number) (i32.const 300)))))"),
        ),
        (
            "a fill out of bounds",
            format!("(memory.fill (i32.mul {now} (i32.const 0x7fffffff)) (i32.const 1) (i32.const 1))"),
        ),
    ] {
        add(all, format!("{name} in a loop"), &[5], &around(&trap));
    }
    let callee = format!(
        "(func $callee (param $now i32) (local $h i64) (local $k i32)
           (loop $l
             {}
             (drop (i32.rem_s (i32.const 7) (i32.or (i32.eqz (local.get $now)) (i32.sub (i32.const 2) (local.get $k)))))
             (br_if $l {})))",
        mix("(i64.const 1)"),
        next_below("$k", 4)
    );
    let funcs = format!("{callee} {}", around(&format!("(call $callee {now})")));
    add(all, "a trap in a callee's loop", &[5], &funcs);
    let funcs = format!(
        "(func $deep (param $n i64) (local $k i32)
           (loop $l
             (if (i64.eqz (local.get $n)) (then unreachable))
             (call $deep (i64.sub (local.get $n) (i64.const 1)))
             (br_if $l {})))
         {}",
        next_below("$k", 2),
        run("", "(call $deep (local.get $n))")
    );
    add(all, "a trap deep in recursion", &[0, 6], &funcs);
    let body = format!(
        "(loop $l {} (br_if $l {})) (local.set $h (i64.div_s (local.get $h) (i64.sub (local.get $n) (i64.const 5))))",
        mix("(i64.const 1)"),
        next_below("$k", 3)
    );
    add(all, "a trap behind a loop", &[5, 6], &run("", &body));
}

/// Shapes of code that are a test of their own.
fn shapes(all: &mut Vec<Program>) {
    for (class, count) in [(Class::I64, 24), (Class::F64, 14), (Class::V128, 10), (Class::I32, 70)] {
        for calls in [false, true] {
            let locals: String = (0..count).map(|at| format!("(local $v{at} {})", class.name())).collect();
            let mut body = String::new();
            for at in 0..count {
                write!(
                    body,
                    "(local.set $v{at} {})",
                    class.from(&format!("(i64.add (local.get $n) (i64.const {at}))"))
                )
                .expect("strings take all");
            }
            let turn = |from: usize| -> String {
                (from..count)
                    .step_by(3)
                    .map(|at| {
                        let other = (at * 5 + 1) % count;
                        let value = class.to(&format!("(local.get $v{at})"));
                        format!("{} (local.set $v{other} {})", mix(&value), class.from("(local.get $h)"))
                    })
                    .collect()
            };
            let call = if calls { "(local.set $h (call $host (local.get $h)))" } else { "" };
            write!(
                body,
                "(loop $a
                   {}
                   (local.set $j (i32.const 0))
                   (loop $b
                     {}
                     (local.set $k (i32.const 0))
                     (loop $c {} {call} (br_if $c {}))
                     (br_if $b {}))
                   (br_if $a {}))
                 {}{}{}",
                turn(0),
                turn(1),
                turn(2),
                next_below("$k", 2),
                next_below("$j", 2),
                next_below("$i", 2),
                turn(0),
                turn(1),
                turn(2)
            )
            .expect("strings take all");
            let name =
                format!("{count} locals of type {}{}", class.name(), if calls { " and calls" } else { "" });
            add(all, name, &[9], &run(&format!("(local $i i32) (local $j i32) {locals}"), &body));
        }
    }
    let again = next_below("$k", 4);
    let step = mix("(i64.const 3)");
    let bodies = [
        ("loops that nothing comes to", format!("(block (br 0) (loop (loop) (br 0))) (loop $l {step} (br_if $l {again})) (block (br 0) (loop))")),
        ("a loop that is left by return", format!("(i64.const 8) (loop $l {step} (if (i32.eqz {again}) (then (return (i64.add (local.get $h) (i64.const 1))))) (br $l)) unreachable")),
        ("loops one behind the other", format!("(loop $l {step} (br_if $l {again})) (local.set $k (i32.const 1)) (i32.const 7) (loop $l {step} (br_if $l {again})) (local.set $k) (loop $l {step} (br_if $l (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 9))))")),
        ("a loop whose end nothing comes to", format!("(block $out (loop $l {step} (br_if $out (i32.eqz {again})) (br $l)))")),
        ("a while loop", format!("(block $out (loop $l (br_if $out (i32.ge_u (local.get $k) (i32.const 4))) (local.set $k (i32.add (local.get $k) (i32.const 1))) {step} (br $l)))")),
        ("a loop that runs once", format!("(i64.const 3) (loop {step}) (local.set $h (i64.add (local.get $h)))")),
        ("a branch from an inner to an outer loop", format!(
            "(loop $outer (i64.const 1) (loop $inner {step} (br_if $outer (i32.eq (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 2))) (br_if $inner {again})) (local.set $h (i64.sub (local.get $h))))"
        )),
        ("loops in both arms", format!(
            "(loop $again
               (i64.const 5) (local.get $h)
               (if (i32.and (local.get $k) (i32.const 1))
                 (then (i64.const 8) (loop $l {step} (br_if $l (i64.eqz (i64.and (local.get $h) (i64.const 3))))) (local.set $t))
                 (else (local.get $h) (loop $l {step} (br_if $l (i64.eqz (i64.and (local.get $h) (i64.const 1))))) (local.set $t)))
               (local.set $h (i64.xor (i64.add) (local.get $t)))
               (br_if $again {again}))"
        )),
        ("an arm that never gets to its end", format!(
            "(loop $again
               (i64.const 5) (local.get $h)
               (if (i32.and (local.get $k) (i32.const 1))
                 (then
                   (loop $l {step} (br_if $l (i64.eqz (i64.and (local.get $h) (i64.const 3)))))
                   (local.set $k (i32.add (local.get $k) (i32.const 1)))
                   (br $again))
                 (else {step}))
               (i64.add)
               (local.set $h (i64.xor (local.get $h)))
               (br_if $again {again}))"
        )),
        ("constants below", format!(
            "(i32.const -5) (i64.const 0x123456789abcdef) (f32.const -0.0) (f64.const nan:0x8000000000001) (v128.const i64x2 5 -6) (v128.const i64x2 0 0) (v128.const i64x2 -1 -1)
             (block $b (loop $l {step} (br_if $b (i64.eqz (i64.and (local.get $h) (i64.const 7)))) (br_if $l {again})))
             (v128.xor) (v128.xor) (local.set $v) {} (i64.reinterpret_f64) (local.set $t) {} (i32.reinterpret_f32) (i64.extend_i32_u) (i64.add) (local.set $t) (i64.extend_i32_u) (i64.add (local.get $t)) (local.set $t) {}",
            mix("(i64x2.extract_lane 0 (local.get $v))"),
            mix("(local.get $t)"),
            mix("(local.get $t)"),
        )),
    ];
    for (name, body) in bodies {
        add(all, name, &[3, 4], &run("(local $v v128) (local $t i64)", &body));
    }
}
