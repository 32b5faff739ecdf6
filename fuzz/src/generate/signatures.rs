//! Calls with odd signatures: dozens of parameters and results of every type, through each kind of call, to guests and
//! to the host, with values that must survive the call.
//!
//! Functions call only ones behind them, so that everything ends.

use super::{Effort, Generated, Nans};
use crate::lattice;
use crate::rng::Rng;
use crate::value::Type;
use std::fmt::Write;

const TYPES: [Type; 7] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128, Type::Func, Type::Extern];

/// A function's parameters and results.
struct Signature {
    params: Vec<Type>,
    results: Vec<Type>,
}

/// What the bodies can call: first the imports, then the module's own functions.
struct Shape {
    signatures: Vec<Signature>,
    imports: usize,
}

/// The module of `seed`.
pub fn generate(seed: u64) -> Option<Generated> {
    let mut rng = Rng::new(seed, "signatures");
    let imports = rng.below(4);
    let count = imports + rng.between(2, 9);
    let mut signatures: Vec<Signature> = Vec::new();
    for _ in 0..count {
        // Equal results make tail calls possible.
        let results = match signatures.last() {
            Some(last) if rng.chance(40) => last.results.clone(),
            _ => types(&mut rng),
        };
        signatures.push(Signature { params: types(&mut rng), results });
    }
    let text = Shape { signatures, imports }.module(&mut rng);
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Some(Generated {
        modules: vec![wasm],
        nans: Nans::Hidden,
        effort: Effort::Calls { exports: 9, calls: 36 },
    })
}

/// Mostly a few types, at times dozens; of one kind or mixed.
fn types(rng: &mut Rng) -> Vec<Type> {
    let count = match rng.below(10) {
        0 => 0,
        1..=4 => rng.below(5),
        5..=7 => rng.below(14),
        _ => rng.below(50),
    };
    let favourite = *rng.pick(&TYPES);
    let purity = *rng.pick(&[0, 50, 100]);
    (0..count).map(|_| if rng.chance(purity) { favourite } else { *rng.pick(&TYPES) }).collect()
}

fn list(types: &[Type]) -> String {
    types.iter().map(|ty| ty.text()).collect::<Vec<_>>().join(" ")
}

impl Shape {
    fn module(&self, rng: &mut Rng) -> String {
        let mut text = "(module\n".to_string();
        for (at, Signature { params, results }) in self.signatures.iter().enumerate() {
            let _ =
                writeln!(text, "(type $t{at} (func (param {}) (result {})))", list(params), list(results));
        }
        for at in 0..self.imports {
            let _ = writeln!(text, "(import \"host\" \"f{at}\" (func $f{at} (type $t{at})))");
        }
        let count = self.signatures.len();
        let names: String = (0..count).map(|at| format!(" $f{at}")).collect();
        let _ = writeln!(text, "(memory (export \"memory\") 1 1) (table $all {count} funcref)");
        let _ = writeln!(text, "(elem (table $all) (i32.const 0) func{names})");
        for at in self.imports..count {
            self.function(rng, &mut text, at);
        }
        text.push(')');
        text
    }

    fn function(&self, rng: &mut Rng, text: &mut String, at: usize) {
        let Signature { params, results } = &self.signatures[at];
        let mut pool: Vec<(Type, String)> = Vec::new();
        let mut names = String::new();
        for (index, &ty) in params.iter().enumerate() {
            let _ = write!(names, " (param $p{index} {})", ty.text());
            pool.push((ty, format!("(local.get $p{index})")));
        }
        let mut body = Body { shape: self, rng, pool, locals: String::new(), local_count: 0 };
        let mut code = String::new();
        for _ in 0..body.rng.below(4) {
            code.push_str("\n  ");
            code.push_str(&body.call(at));
            if body.rng.chance(50) {
                code.push_str(&body.store());
            }
        }
        let last = match body.tail_call(at) {
            Some(call) => call,
            None => results.iter().fold(String::new(), |text, &ty| format!("{text} {}", body.value(ty))),
        };
        let _ = writeln!(
            text,
            "(func $f{at} (export \"f{at}\") (type $t{at}){names} (result {}) {}{code}\n  {last})",
            list(results),
            body.locals
        );
    }
}

/// A function being written.
struct Body<'a> {
    shape: &'a Shape,
    rng: &'a mut Rng,
    /// What there is to take values from.
    pool: Vec<(Type, String)>,
    locals: String,
    local_count: usize,
}

impl Body<'_> {
    /// A value of type `ty`: one of the pool, of two mixed, or a constant.
    fn value(&mut self, ty: Type) -> String {
        let one = self.pooled(ty);
        if self.rng.chance(75) {
            return one;
        }
        // The upper half of a register that holds an `i32` may have been left as it was, but must not be seen.
        if self.rng.chance(40) {
            match ty {
                Type::I32 => return format!("(i32.wrap_i64 {})", self.pooled(Type::I64)),
                Type::I64 => return format!("(i64.extend_i32_u {})", self.pooled(Type::I32)),
                _ => {}
            }
        }
        let other = self.pooled(ty);
        match ty {
            Type::I32 => format!("(i32.sub {one} {other})"),
            Type::I64 => format!("(i64.sub {one} {other})"),
            Type::V128 => format!("(i8x16.sub {one} {other})"),
            // Nothing that would make a NaN.
            Type::F32 => format!("(f32.copysign {one} {other})"),
            Type::F64 => format!("(f64.copysign {one} {other})"),
            Type::Func | Type::Extern => {
                let condition = self.pooled(Type::I32);
                format!("(select (result {}) {one} {other} {condition})", ty.text())
            }
        }
    }

    fn pooled(&mut self, ty: Type) -> String {
        let fitting: Vec<_> = self.pool.iter().filter(|&&(of, _)| of == ty).collect();
        if !fitting.is_empty() && self.rng.chance(85) {
            return self.rng.pick(&fitting).1.clone();
        }
        match ty {
            Type::Func if self.rng.chance(70) => {
                format!("(ref.func $f{})", self.rng.below(self.shape.signatures.len()))
            }
            Type::Extern => "(ref.null extern)".to_string(),
            ty => lattice::any(self.rng, ty).text(),
        }
    }

    fn arguments(&mut self, of: usize) -> String {
        let params = &self.shape.signatures[of].params;
        params.iter().fold(String::new(), |text, &ty| format!("{text} {}", self.value(ty)))
    }

    /// Something that function `from` may call.
    fn callee(&mut self, from: usize, is_fit: impl Fn(&Signature) -> bool) -> Option<usize> {
        let signatures = &self.shape.signatures;
        let fitting: Vec<_> = (0..signatures.len())
            .filter(|&at| (at < self.shape.imports || at > from) && is_fit(&signatures[at]))
            .collect();
        (!fitting.is_empty()).then(|| *self.rng.pick(&fitting))
    }

    /// A call whose results join the pool.
    fn call(&mut self, from: usize) -> String {
        let Some(of) = self.callee(from, |_| true) else { return String::new() };
        let call = self.call_of("", of);
        let results = &self.shape.signatures[of].results;
        let mut text = match self.rng.below(3) {
            0 => format!("(block (result {}) {call})", list(results)),
            _ => call,
        };
        let first = self.local_count;
        for &ty in results {
            let _ = write!(self.locals, "(local $l{} {})", self.local_count, ty.text());
            self.pool.push((ty, format!("(local.get $l{})", self.local_count)));
            self.local_count += 1;
        }
        for local in (first..self.local_count).rev() {
            let _ = write!(text, " (local.set $l{local})");
        }
        text
    }

    fn tail_call(&mut self, from: usize) -> Option<String> {
        if self.rng.chance(50) {
            return None;
        }
        let of = self.callee(from, |signature| signature.results == self.shape.signatures[from].results)?;
        Some(self.call_of("return_", of))
    }

    fn call_of(&mut self, prefix: &str, of: usize) -> String {
        let arguments = self.arguments(of);
        match self.rng.below(3) {
            0 => format!("({prefix}call $f{of}{arguments})"),
            1 => format!("({prefix}call_indirect $all (type $t{of}){arguments} (i32.const {of}))"),
            _ => format!("({prefix}call_ref $t{of}{arguments} (ref.func $f{of}))"),
        }
    }

    /// A store of something, for the memory to tell of.
    fn store(&mut self) -> String {
        let ty = *self.rng.pick(&TYPES[..5]);
        let address = 16 * self.rng.below(64);
        format!(" ({}.store (i32.const {address}) {})", ty.text(), self.value(ty))
    }
}
