//! One operator at a time: its operands at every boundary, from every kind of place, its results used in every way.
//!
//! A seed names the operator (`seed % operators`), so that as many seeds as there are operators see each once; the
//! rest of it chooses where operands come from and where results go.

use super::operators::{self, Operator};
use super::{Effort, Generated, Nans};
use crate::lattice;
use crate::rng::Rng;
use crate::value::{Type, Value};
use std::fmt::Write;

/// Where the memory's constants stand; guests' own accesses are mostly elsewhere.
const CONSTANTS: usize = 0x8000;
const MEMORY: usize = 0x1_0000;

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A parameter of the function.
    Param,
    /// A local that the parameter was copied to.
    Local,
    /// The result of arithmetic on the parameter that changes nothing.
    Computed,
    /// A constant.
    Const,
    /// A constant in memory.
    Load,
    /// A constant in a global.
    Global,
}

const SOURCES: &[Source] =
    &[Source::Param, Source::Local, Source::Computed, Source::Const, Source::Load, Source::Global];

impl Source {
    fn is_constant(self) -> bool {
        matches!(self, Self::Const | Self::Load | Self::Global)
    }
}

/// The module of `seed`.
pub fn generate(seed: u64) -> Option<Generated> {
    let mut rng = Rng::new(seed, "single");
    let operators = operators::all();
    let operator = &operators[(seed % operators.len() as u64) as usize];
    let sources: Vec<Source> = if rng.chance(15) {
        vec![Source::Param; operator.params.len()]
    } else {
        operator.params.iter().map(|_| *rng.pick(SOURCES)).collect()
    };
    let nans = if rng.chance(50) { Nans::Hidden } else { Nans::Seen };
    // A function for each choice of constants; without any, one function says it all.
    let constants = sources.iter().filter(|source| source.is_constant()).count();
    let is_all_constant = constants == sources.len();
    let (functions, calls) = match constants {
        0 => (1, 400),
        _ if is_all_constant => (120, 120),
        _ => (40, 480),
    };
    let mut text = Text::new();
    for at in 0..functions {
        text.function(&mut rng, at, operator, &sources, nans);
    }
    let wasm = wat::parse_str(text.finish(&mut rng)).expect("the table of operators is right");
    Some(Generated { modules: vec![wasm], nans, effort: Effort::Calls { exports: functions, calls } })
}

/// A module being written.
struct Text {
    functions: String,
    globals: String,
    data: String,
    data_len: usize,
    global_count: usize,
}

impl Text {
    fn new() -> Self {
        Self {
            functions: String::new(),
            globals: String::new(),
            data: String::new(),
            data_len: 0,
            global_count: 0,
        }
    }

    /// A function that applies `operator` once.
    fn function(&mut self, rng: &mut Rng, at: usize, operator: &Operator, sources: &[Source], nans: Nans) {
        let (mut params, mut before, mut operands) = (String::new(), String::new(), String::new());
        for (index, (&ty, &source)) in operator.params.iter().zip(sources).enumerate() {
            if !source.is_constant() {
                let _ = write!(params, " (param $p{index} {})", ty.text());
            }
            let operand = match source {
                Source::Param => format!("(local.get $p{index})"),
                Source::Local => {
                    let _ = write!(before, "(local.set $l{index} (local.get $p{index}))");
                    format!("(local.get $l{index})")
                }
                Source::Computed => computed(ty, &format!("(local.get $p{index})")),
                Source::Const => lattice::any(rng, ty).text(),
                Source::Load => self.load(rng, ty),
                Source::Global => self.global(rng, ty),
            };
            let _ = write!(operands, " {operand}");
        }
        let name = fill(rng, &operator.name);
        let locals: String =
            operator.params.iter().enumerate().fold(String::new(), |mut locals, (index, ty)| {
                let _ = write!(locals, "(local $l{index} {})", ty.text());
                locals
            });
        let results: Vec<&str> = operator.results.iter().map(|ty| ty.text()).collect();
        let mut body = format!("({name}{operands})");
        if let [ty] = operator.results[..] {
            if nans == Nans::Hidden {
                body = canonical(&operator.name, ty, body);
            }
            body = used(rng, ty, body);
        }
        if rng.chance(40) {
            body = repeated(&results, &body);
        }
        let _ = writeln!(
            self.functions,
            "(func (export \"f{at}\"){params} (result {}) {locals} (local $again i32) (local $r32 i32) (local $r64 i64) \
             (local $rf32 f32) (local $rf64 f64) (local $rv128 v128) {before} {body})",
            results.join(" ")
        );
    }

    /// A constant that must be read from memory.
    fn load(&mut self, rng: &mut Rng, ty: Type) -> String {
        let bytes: Vec<u8> = match lattice::any(rng, ty) {
            Value::I32(bits) | Value::F32(bits) => bits.to_le_bytes().into(),
            Value::I64(bits) | Value::F64(bits) => bits.to_le_bytes().into(),
            Value::V128(bits) => bits.to_le_bytes().into(),
            value => return value.text(),
        };
        let at = CONSTANTS + self.data_len;
        self.data_len += bytes.len();
        for byte in bytes {
            let _ = write!(self.data, "\\{byte:02x}");
        }
        match rng.below(2) {
            0 => format!("({}.load (i32.const {at}))", ty.text()),
            _ => format!("({}.load offset={at} (i32.const 0))", ty.text()),
        }
    }

    /// A constant that must be read from a global.
    fn global(&mut self, rng: &mut Rng, ty: Type) -> String {
        let at = self.global_count;
        self.global_count += 1;
        let value = match lattice::any(rng, ty) {
            Value::Extern(_) => Value::Extern(None),
            value => value,
        };
        let _ = writeln!(self.globals, "(global $g{at} (mut {}) {})", ty.text(), value.text());
        format!("(global.get $g{at})")
    }

    fn finish(self, rng: &mut Rng) -> String {
        // Something to read everywhere else, up to the last byte.
        let mut low = String::new();
        for byte in rng.bytes(256) {
            let _ = write!(low, "\\{byte:02x}");
        }
        format!(
            "(module (memory (export \"memory\") 1 3) (table (export \"table\") 10 20 funcref)\n\
             (func $dummy) (elem (i32.const 2) $dummy $dummy) (elem $elements func $dummy $dummy $dummy)\n\
             (data (i32.const 0) \"{low}\") (data (i32.const {}) \"{low}\") (data $data \"{low}\")\n\
             (data (i32.const {CONSTANTS}) \"{}\")\n{}{})",
            MEMORY - 256,
            self.data,
            self.globals,
            self.functions
        )
    }
}

/// `operand`, through an operator that gives it back.
fn computed(ty: Type, operand: &str) -> String {
    match ty {
        Type::I32 => format!("(i32.add {operand} (i32.const 0))"),
        Type::I64 => format!("(i64.xor {operand} (i64.const 0))"),
        Type::F32 => format!("(f32.reinterpret_i32 (i32.reinterpret_f32 {operand}))"),
        Type::F64 => format!("(f64.reinterpret_i64 (i64.reinterpret_f64 {operand}))"),
        Type::V128 => format!("(v128.or {operand} (v128.const i64x2 0 0))"),
        Type::Func | Type::Extern => operand.to_string(),
    }
}

/// The name of an operator with its immediates.
fn fill(rng: &mut Rng, name: &str) -> String {
    let mut filled = String::new();
    let mut parts = name.split('#');
    filled.push_str(&parts.next().unwrap_or_default().replace('$', " $"));
    for part in parts {
        let _ = match part.split_at(1) {
            ("O", _) => match rng.below(3) {
                0 => Ok(()),
                1 => write!(filled, " offset={}", rng.pick(&[1, 8, 0x80, 0x7fff, MEMORY - 16, MEMORY - 1])),
                _ => write!(filled, " offset={}", rng.pick(&[MEMORY, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])),
            },
            ("L", lanes) => write!(filled, " {}", rng.below(lanes.parse().unwrap_or(1))),
            ("S", _) => (0..16).try_for_each(|_| write!(filled, " {}", rng.below(32))),
            _ => Ok(()),
        };
    }
    filled
}

/// `body`, with the canonical NaN in place of any that the operator makes. What only moves bits is left alone.
fn canonical(operator: &str, ty: Type, body: String) -> String {
    match ty {
        Type::F32 => {
            format!(
                "(local.set $rf32 {body}) (select (local.get $rf32) (f32.const nan) (f32.eq (local.get $rf32) (local.get $rf32)))"
            )
        }
        Type::F64 => {
            format!(
                "(local.set $rf64 {body}) (select (local.get $rf64) (f64.const nan) (f64.eq (local.get $rf64) (local.get $rf64)))"
            )
        }
        Type::V128 => {
            let lanes = match operator.split_once('.') {
                Some((_, "eq" | "ne" | "lt" | "gt" | "le" | "ge")) => return body,
                Some((lanes @ ("f32x4" | "f64x2"), _)) => lanes,
                _ => return body,
            };
            let nans = if lanes == "f32x4" { "nan nan nan nan" } else { "nan nan" };
            format!(
                "(local.set $rv128 {body}) (v128.bitselect (local.get $rv128) (v128.const {lanes} {nans}) \
                 ({lanes}.eq (local.get $rv128) (local.get $rv128)))"
            )
        }
        _ => body,
    }
}

/// `body` three times, in a loop: a tier may change under it.
fn repeated(results: &[&str], body: &str) -> String {
    format!(
        "(loop $more (result {}) {body} (local.set $again (i32.add (local.get $again) (i32.const 1))) \
         (br_if $more (i32.lt_u (local.get $again) (i32.const 3))))",
        results.join(" ")
    )
}

/// `body`, whose result of type `ty` takes one of several ways out.
fn used(rng: &mut Rng, ty: Type, body: String) -> String {
    let (local, zero) = match ty {
        Type::I32 => ("$r32", "(i32.const 0)"),
        Type::I64 => ("$r64", "(i64.const 0)"),
        Type::F32 => ("$rf32", "(f32.const 0)"),
        Type::F64 => ("$rf64", "(f64.const 0)"),
        Type::V128 => ("$rv128", "(v128.const i64x2 0 0)"),
        Type::Func | Type::Extern => return body,
    };
    let name = ty.text();
    let choices = if ty == Type::I32 { 8 } else { 4 };
    match rng.below(choices) {
        0 => body,
        // Through memory.
        1 => format!(
            "(local.set {local} {body}) ({name}.store (i32.const 512) (local.get {local})) ({name}.load (i32.const 512))"
        ),
        // Thrown away, but not what it does.
        2 => format!("{body} drop {zero}"),
        3 => format!("(block (result {name}) {body} (br 0))"),
        // As a condition.
        4 => format!("{body} (if (result i32) (then (i32.const 11)) (else (i32.const 22)))"),
        5 => format!("(block (br_if 0 (i32.eqz {body})) (return (i32.const 33))) (i32.const 44)"),
        6 => format!("(local.set $r32 {body}) (select (i32.const 55) (i32.const 66) (local.get $r32))"),
        _ => format!(
            "(block (block (block (br_table 0 1 2 {body})) (return (i32.const 1))) (return (i32.const 2))) (i32.const 3)"
        ),
    }
}
