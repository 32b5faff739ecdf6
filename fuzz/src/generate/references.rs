//! Modules about typed function references, which wasm-smith only makes together with structs and arrays.
//!
//! Types refer to earlier ones: `$t0` takes and gives numbers, later ones functions of the types before them.

use super::{Effort, Generated, Nans};
use crate::lattice;
use crate::rng::Rng;
use crate::value::Type;
use std::fmt::Write;

/// A type of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ty {
    I32,
    I64,
    /// Any function, or null.
    Funcref,
    /// A function of a type of the module, by index.
    Ref {
        to: usize,
        is_nullable: bool,
    },
}

impl Ty {
    fn text(self) -> String {
        match self {
            Self::I32 => "i32".to_string(),
            Self::I64 => "i64".to_string(),
            Self::Funcref => "funcref".to_string(),
            Self::Ref { to, is_nullable } => {
                format!("(ref {}$t{to})", if is_nullable { "null " } else { "" })
            }
        }
    }
}

struct FuncTy {
    params: Vec<Ty>,
    result: Ty,
}

/// What the bodies can refer to.
struct Shape {
    types: Vec<FuncTy>,
    /// The type of each function.
    funcs: Vec<usize>,
    globals: Vec<Ty>,
}

const TABLE: usize = 6;

/// The module of `seed`.
pub fn generate(seed: u64) -> Option<Generated> {
    let mut rng = Rng::new(seed, "references");
    let shape = shape(&mut rng);
    let text = shape.module(&mut rng);
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Some(Generated {
        modules: vec![wasm],
        nans: Nans::Hidden,
        effort: Effort::Calls { exports: 12, calls: 36 },
    })
}

fn shape(rng: &mut Rng) -> Shape {
    let types: Vec<_> = (0..rng.between(1, 5))
        .map(|below| FuncTy {
            params: (0..rng.below(4)).map(|_| ty(rng, below)).collect(),
            result: ty(rng, below),
        })
        .collect();
    // A function of each type, so that there is a reference of each.
    let mut funcs: Vec<_> = (0..types.len()).collect();
    funcs.extend((0..rng.below(6)).map(|_| rng.below(types.len())));
    let globals = (0..rng.between(1, 5)).map(|_| nullable(ty(rng, types.len()))).collect();
    Shape { types, funcs, globals }
}

/// A type that refers to types below `below`.
fn ty(rng: &mut Rng, below: usize) -> Ty {
    match rng.below(if below == 0 { 5 } else { 10 }) {
        0..=2 => Ty::I32,
        3 => Ty::I64,
        4 => Ty::Funcref,
        _ => Ty::Ref { to: rng.below(below), is_nullable: rng.chance(60) },
    }
}

fn nullable(ty: Ty) -> Ty {
    match ty {
        Ty::Ref { to, .. } => Ty::Ref { to, is_nullable: true },
        ty => ty,
    }
}

impl Shape {
    fn module(&self, rng: &mut Rng) -> String {
        let mut text = "(module\n".to_string();
        for (at, FuncTy { params, result }) in self.types.iter().enumerate() {
            let params: Vec<_> = params.iter().map(|ty| ty.text()).collect();
            let (params, result) = (params.join(" "), result.text());
            let _ = writeln!(text, "(type $t{at} (func (param {params}) (result {result})))");
        }
        let _ = writeln!(text, "(global $fuel (mut i32) (i32.const {}))", rng.between(5, 300));
        for (at, &ty) in self.globals.iter().enumerate() {
            let (name, value) = (ty.text(), self.constant(rng, ty));
            let _ = writeln!(text, "(global $g{at} (export \"g{at}\") (mut {name}) {value})");
        }
        // A table for each type that holds its functions, with nulls behind them, and one of all functions.
        let mut all = String::new();
        for (at, of) in self.funcs.iter().enumerate() {
            let _ = write!(all, " $f{at}");
            let _ = writeln!(text, "(elem declare func $f{at}) (export \"f{at}\" (func $f{at})) ;; $t{of}");
        }
        for to in 0..self.types.len() {
            let ty = Ty::Ref { to, is_nullable: true }.text();
            let _ = writeln!(text, "(table $of{to} {TABLE} {ty})");
            let _ = writeln!(text, "(elem (table $of{to}) (i32.const 1) {ty} {})", self.of_type(rng, to));
        }
        let _ = writeln!(
            text,
            "(table $all (export \"all\") {} funcref) (elem (table $all) (i32.const 2) func{all})",
            self.funcs.len() + 4
        );
        for (at, &of) in self.funcs.iter().enumerate() {
            self.function(rng, &mut text, at, of);
        }
        text.push(')');
        text
    }

    /// A reference to one of the functions of type `to`.
    fn of_type(&self, rng: &mut Rng, to: usize) -> String {
        let funcs: Vec<_> =
            self.funcs.iter().enumerate().filter(|&(_, &of)| of == to).map(|(at, _)| at).collect();
        format!("(ref.func $f{})", rng.pick(&funcs))
    }

    /// A constant expression of type `ty`.
    fn constant(&self, rng: &mut Rng, ty: Ty) -> String {
        match ty {
            Ty::I32 => lattice::any(rng, Type::I32).text(),
            Ty::I64 => lattice::any(rng, Type::I64).text(),
            Ty::Funcref if rng.chance(50) => "(ref.null func)".to_string(),
            Ty::Funcref => format!("(ref.func $f{})", rng.below(self.funcs.len())),
            Ty::Ref { to, is_nullable: true } if rng.chance(50) => format!("(ref.null $t{to})"),
            Ty::Ref { to, .. } => self.of_type(rng, to),
        }
    }

    fn function(&self, rng: &mut Rng, text: &mut String, at: usize, of: usize) {
        let FuncTy { params, result } = &self.types[of];
        let mut body = Body { shape: self, rng, params, locals: Vec::new(), labels: 0 };
        for _ in 0..body.rng.between(1, 4) {
            let local = ty(body.rng, self.types.len());
            body.locals.push(local);
        }
        let mut code = String::new();
        // Non-nullable locals have to be set before they are read.
        for at in 0..body.locals.len() {
            let value = body.shape.constant(body.rng, body.locals[at]);
            let _ = write!(code, "(local.set $l{at} {value}) ");
        }
        for _ in 0..body.rng.below(5) {
            let statement = body.statement();
            let _ = write!(code, "\n  {statement}");
        }
        let last = if body.rng.chance(30) { body.tail_call(*result) } else { None };
        let last = last.unwrap_or_else(|| body.value(*result, 5));
        let locals: String = (body.locals.iter().enumerate())
            .map(|(at, ty)| format!("(local $l{at} {})", ty.text()))
            .collect();
        let names: String =
            params.iter().enumerate().map(|(at, ty)| format!(" (param $p{at} {})", ty.text())).collect();
        let _ = writeln!(
            text,
            "(func $f{at} (type $t{of}){names} (result {}) {locals}\n  \
             (if (i32.eqz (global.get $fuel)) (then unreachable))\n  \
             (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))\n  {code}\n  {last})",
            result.text()
        );
    }
}

/// A function being written.
struct Body<'a> {
    shape: &'a Shape,
    rng: &'a mut Rng,
    params: &'a [Ty],
    locals: Vec<Ty>,
    labels: usize,
}

impl Body<'_> {
    /// An expression of type `ty`, at most `depth` deep.
    fn value(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match (self.rng.below(12), ty) {
            (0..=2, _) => self.leaf(ty),
            (3, _) => {
                let (condition, yes, no) =
                    (self.value(Ty::I32, depth), self.value(ty, depth), self.value(ty, depth));
                format!("(if (result {}) {condition} (then {yes}) (else {no}))", ty.text())
            }
            (4, _) => {
                let (condition, yes, no) =
                    (self.value(Ty::I32, depth), self.value(ty, depth), self.value(ty, depth));
                format!("(select (result {}) {yes} {no} {condition})", ty.text())
            }
            (5..=7, _) => self.call(ty, depth),
            (8, Ty::I32) => {
                let reference = self.any_ref();
                format!("(ref.is_null {})", self.value(reference, depth))
            }
            (8, Ty::Ref { to, is_nullable: false }) => {
                let value = self.value(Ty::Ref { to, is_nullable: true }, depth);
                format!("(ref.as_non_null {value})")
            }
            // A block that is left when a reference is null, and another when it is not.
            (9, _) => {
                let (label, to) = (self.label(), self.rng.below(self.shape.types.len()));
                let (value, reference) =
                    (self.value(ty, depth), self.value(Ty::Ref { to, is_nullable: true }, depth));
                let result = ty.text();
                format!("(block {label} (result {result}) {value} (br_on_null {label} {reference}) drop)")
            }
            (10, Ty::Ref { to, is_nullable: false }) => {
                let label = self.label();
                let reference = self.value(Ty::Ref { to, is_nullable: true }, depth);
                let other = self.value(ty, depth);
                format!("(block {label} (result {}) (br_on_non_null {label} {reference}) {other})", ty.text())
            }
            (10 | 11, Ty::I32 | Ty::I64) => {
                let name = ty.text();
                let operator = *self.rng.pick(&["add", "sub", "mul", "xor", "shl", "rotr", "div_u"]);
                format!("({name}.{operator} {} {})", self.value(ty, depth), self.value(ty, depth))
            }
            (_, Ty::Ref { to, is_nullable: true }) => {
                format!("(table.get $of{to} {})", self.index())
            }
            (_, Ty::Funcref) => {
                let to = self.rng.below(self.shape.types.len());
                let is_nullable = self.rng.chance(50);
                self.value(Ty::Ref { to, is_nullable }, depth)
            }
            _ => self.leaf(ty),
        }
    }

    fn leaf(&mut self, ty: Ty) -> String {
        let mut places: Vec<String> = Vec::new();
        let mut add = |kind: &str, types: &[Ty]| {
            let fitting = types.iter().enumerate().filter(|&(_, &other)| other == ty);
            places.extend(fitting.map(|(at, _)| match kind {
                "g" => format!("(global.get $g{at})"),
                kind => format!("(local.get ${kind}{at})"),
            }));
        };
        add("p", self.params);
        add("l", &self.locals);
        add("g", &self.shape.globals);
        if places.is_empty() || self.rng.chance(30) {
            return self.shape.constant(self.rng, ty);
        }
        self.rng.pick(&places).clone()
    }

    /// An index into a table, mostly inside.
    fn index(&mut self) -> String {
        if self.rng.chance(20) {
            return self.value(Ty::I32, 1);
        }
        format!("(i32.const {})", self.rng.below(TABLE + 1))
    }

    fn any_ref(&mut self) -> Ty {
        match self.rng.below(3) {
            0 => Ty::Funcref,
            _ => Ty::Ref { to: self.rng.below(self.shape.types.len()), is_nullable: true },
        }
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("$b{}", self.labels)
    }

    /// A function type that gives `ty`.
    fn giving(&mut self, ty: Ty) -> Option<usize> {
        let types: Vec<_> =
            (0..self.shape.types.len()).filter(|&at| self.shape.types[at].result == ty).collect();
        (!types.is_empty()).then(|| *self.rng.pick(&types))
    }

    fn arguments(&mut self, of: usize, depth: usize) -> String {
        let params = &self.shape.types[of].params;
        params.iter().fold(String::new(), |text, &ty| format!("{text} {}", self.value(ty, depth)))
    }

    /// A call that gives `ty`, of one of the kinds.
    fn call(&mut self, ty: Ty, depth: usize) -> String {
        match self.giving(ty) {
            Some(of) => self.call_of("", of, depth.min(2)),
            None => self.leaf(ty),
        }
    }

    fn tail_call(&mut self, ty: Ty) -> Option<String> {
        let of = self.giving(ty)?;
        Some(self.call_of("return_", of, 3))
    }

    fn call_of(&mut self, prefix: &str, of: usize, depth: usize) -> String {
        let arguments = self.arguments(of, depth);
        match self.rng.below(6) {
            0 => {
                let funcs: Vec<_> =
                    (0..self.shape.funcs.len()).filter(|&at| self.shape.funcs[at] == of).collect();
                format!("({prefix}call $f{}{arguments})", self.rng.pick(&funcs))
            }
            1 => format!("({prefix}call_indirect $all (type $t{of}){arguments} {})", self.index()),
            2 => format!("({prefix}call_indirect $of{of} (type $t{of}){arguments} {})", self.index()),
            kind => {
                let callee = self.value(Ty::Ref { to: of, is_nullable: kind > 4 }, depth);
                format!("({prefix}call_ref $t{of}{arguments} {callee})")
            }
        }
    }

    fn statement(&mut self) -> String {
        match self.rng.below(5) {
            0 => {
                let at = self.rng.below(self.shape.globals.len());
                format!("(global.set $g{at} {})", self.value(self.shape.globals[at], 4))
            }
            1 => {
                let at = self.rng.below(self.locals.len());
                format!("(local.set $l{at} {})", self.value(self.locals[at], 4))
            }
            2 => {
                let to = self.rng.below(self.shape.types.len());
                let value = self.value(Ty::Ref { to, is_nullable: true }, 4);
                format!("(table.set $of{to} {} {value})", self.index())
            }
            3 => format!("(table.set $all {} {})", self.index(), self.value(Ty::Funcref, 3)),
            _ => {
                let ty = ty(self.rng, self.shape.types.len());
                format!("(drop {})", self.value(ty, 4))
            }
        }
    }
}
