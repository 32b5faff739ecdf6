//! Dense programs that rarely trap: values on the stack across blocks, loops, branches of every kind and calls, over
//! locals that change meanwhile. What a compiler with registers to give out and places to merge can get wrong.
//!
//! Every loop takes fuel, and returns when there is none; functions call only ones behind them.
//!
//! Where loops are the matter ([`loops`]), most blocks are loops that go round several times, functions call any other
//! as long as there are calls left, and now and then something traps.

use super::{Effort, Generated, Nans};
use crate::lattice;
use crate::rng::Rng;
use crate::value::Type;
use std::fmt::Write;

const TYPES: [Type; 5] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128];

/// Operators that neither trap nor make NaNs: name, what it takes, what it gives.
const OPERATORS: &[(&str, &[Type], Type)] = {
    use Type::{F32, F64, I32, I64, V128};
    &[
        ("i32.add", &[I32, I32], I32),
        ("i32.sub", &[I32, I32], I32),
        ("i32.mul", &[I32, I32], I32),
        ("i32.and", &[I32, I32], I32),
        ("i32.xor", &[I32, I32], I32),
        ("i32.shl", &[I32, I32], I32),
        ("i32.shr_u", &[I32, I32], I32),
        ("i32.shr_s", &[I32, I32], I32),
        ("i32.rotl", &[I32, I32], I32),
        ("i32.clz", &[I32], I32),
        ("i32.eqz", &[I32], I32),
        ("i32.lt_s", &[I32, I32], I32),
        ("i32.ge_u", &[I32, I32], I32),
        ("i32.extend8_s", &[I32], I32),
        ("i32.wrap_i64", &[I64], I32),
        ("i64.add", &[I64, I64], I64),
        ("i64.sub", &[I64, I64], I64),
        ("i64.mul", &[I64, I64], I64),
        ("i64.or", &[I64, I64], I64),
        ("i64.shl", &[I64, I64], I64),
        ("i64.shr_u", &[I64, I64], I64),
        ("i64.rotr", &[I64, I64], I64),
        ("i64.eqz", &[I64], I32),
        ("i64.gt_u", &[I64, I64], I32),
        ("i64.extend_i32_s", &[I32], I64),
        ("i64.extend_i32_u", &[I32], I64),
        ("i64.extend32_s", &[I64], I64),
        ("f32.neg", &[F32], F32),
        ("f32.copysign", &[F32, F32], F32),
        ("f32.lt", &[F32, F32], I32),
        ("f32.convert_i32_s", &[I32], F32),
        ("f32.convert_i64_u", &[I64], F32),
        ("f32.reinterpret_i32", &[I32], F32),
        ("i32.reinterpret_f32", &[F32], I32),
        ("i32.trunc_sat_f32_u", &[F32], I32),
        ("f64.abs", &[F64], F64),
        ("f64.copysign", &[F64, F64], F64),
        ("f64.ge", &[F64, F64], I32),
        ("f64.convert_i32_u", &[I32], F64),
        ("f64.convert_i64_s", &[I64], F64),
        ("f64.reinterpret_i64", &[I64], F64),
        ("i64.reinterpret_f64", &[F64], I64),
        ("i64.trunc_sat_f64_s", &[F64], I64),
        ("v128.xor", &[V128, V128], V128),
        ("i16x8.add", &[V128, V128], V128),
        ("i32x4.splat", &[I32], V128),
        ("f64x2.replace_lane 1", &[V128, F64], V128),
        ("i64x2.extract_lane 0", &[V128], I64),
        ("f32x4.extract_lane 3", &[V128], F32),
        ("v128.any_true", &[V128], I32),
    ]
};

/// Operators that trap.
const TRAPPING: &[(&str, &[Type], Type)] = {
    use Type::{F32, F64, I32, I64};
    &[
        ("i32.div_s", &[I32, I32], I32),
        ("i32.rem_u", &[I32, I32], I32),
        ("i64.div_u", &[I64, I64], I64),
        ("i64.rem_s", &[I64, I64], I64),
        ("i32.trunc_f64_s", &[F64], I32),
        ("i64.trunc_f32_u", &[F32], I64),
    ]
};

/// Calls that a call from the host may lead to, where functions call each other. Stacks have room for as many.
const CALLS: usize = 60;

struct Signature {
    params: Vec<Type>,
    results: Vec<Type>,
}

/// What every function sees.
struct Shape {
    signatures: Vec<Signature>,
    globals: Vec<Type>,
    /// The types that values have; few of them make registers scarce.
    types: Vec<Type>,
    /// Whether loops are the matter.
    has_loops: bool,
}

/// The module of `seed`.
pub fn generate(seed: u64) -> Option<Generated> {
    module(Rng::new(seed, "control"), false)
}

/// The module of `seed`, with many loops.
pub fn loops(seed: u64) -> Option<Generated> {
    module(Rng::new(seed, "loops"), true)
}

fn module(mut rng: Rng, has_loops: bool) -> Option<Generated> {
    let count = rng.between(1, TYPES.len());
    let types: Vec<Type> = (0..count).map(|_| *rng.pick(&TYPES)).collect();
    let some =
        |rng: &mut Rng, most: usize| (0..rng.below(most + 1)).map(|_| *rng.pick(&types)).collect::<Vec<_>>();
    let signatures = (0..if has_loops { rng.between(2, 7) } else { rng.between(1, 4) })
        .map(|_| Signature { params: some(&mut rng, 8), results: some(&mut rng, 6) })
        .collect();
    let globals = some(&mut rng, 4);
    let shape = Shape { signatures, globals, types, has_loops };
    let text = shape.module(&mut rng);
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Some(Generated {
        modules: vec![wasm],
        nans: Nans::Hidden,
        effort: Effort::Calls { exports: 7, calls: if has_loops { 42 } else { 24 } },
    })
}

fn list(types: &[Type]) -> String {
    types.iter().map(|ty| ty.text()).collect::<Vec<_>>().join(" ")
}

impl Shape {
    fn module(&self, rng: &mut Rng) -> String {
        let mut text = "(module (memory (export \"memory\") 1 1)\n".to_string();
        let fuel = if self.has_loops { rng.between(20, 3_000) } else { rng.between(3, 400) };
        let _ = writeln!(text, "(global $fuel (mut i32) (i32.const {fuel}))");
        if self.has_loops {
            let _ = writeln!(text, "(global $calls (mut i32) (i32.const {CALLS}))");
        }
        for (at, &ty) in self.globals.iter().enumerate() {
            let value = lattice::any(rng, ty).text();
            let _ = writeln!(text, "(global $g{at} (export \"g{at}\") (mut {}) {value})", ty.text());
        }
        for (at, signature) in self.signatures.iter().enumerate() {
            self.function(rng, &mut text, at, signature);
            if self.has_loops {
                self.entry(&mut text, at, signature, fuel);
            }
        }
        text.push(')');
        text
    }

    fn function(&self, rng: &mut Rng, text: &mut String, at: usize, signature: &Signature) {
        let mut locals = signature.params.clone();
        let most = if rng.chance(20) { 40 } else { 8 };
        let extra = rng.below(most);
        locals.extend((0..extra).map(|_| *rng.pick(&self.types)));
        let budget = if self.has_loops { rng.between(30, 150) } else { rng.between(5, 150) };
        let mut body = Body {
            shape: self,
            rng,
            at,
            signature,
            locals,
            counters: 0,
            labels: Vec::new(),
            code: String::new(),
            budget,
        };
        body.labels.push(signature.results.clone());
        if self.has_loops {
            body.take("$calls");
        }
        let stack = body.sequence(Vec::new(), 0);
        body.end(stack, &signature.results);
        let (code, locals) = (body.code, list(&body.locals[signature.params.len()..]));
        let counters = "i32 ".repeat(body.counters);
        let (params, results) = (list(&signature.params), list(&signature.results));
        let export = if self.has_loops { String::new() } else { format!("(export \"f{at}\")") };
        let _ = writeln!(
            text,
            "(func $f{at} {export} (param {params}) (result {results}) (local {locals} {counters})\n{code})"
        );
    }

    /// What the host calls: function `at`, with new fuel.
    fn entry(&self, text: &mut String, at: usize, signature: &Signature, fuel: usize) {
        let (params, results) = (list(&signature.params), list(&signature.results));
        let _ = writeln!(
            text,
            "(func (export \"f{at}\") (param {params}) (result {results}) \
             (global.set $fuel (i32.const {fuel})) (global.set $calls (i32.const {CALLS}))"
        );
        for param in 0..signature.params.len() {
            let _ = write!(text, "local.get {param} ");
        }
        let _ = writeln!(text, "call $f{at})");
    }
}

/// A function being written: operators one after the other, as a stack machine has them.
struct Body<'a> {
    shape: &'a Shape,
    rng: &'a mut Rng,
    at: usize,
    signature: &'a Signature,
    locals: Vec<Type>,
    /// How many locals of type `i32`, behind the others, count how often loops go round.
    counters: usize,
    /// What a branch to each label takes, the outermost first.
    labels: Vec<Vec<Type>>,
    code: String,
    /// How many steps may follow.
    budget: usize,
}

/// The types on the stack of the innermost block; `None` behind a branch that is always taken.
type Stack = Option<Vec<Type>>;

impl Body<'_> {
    fn emit(&mut self, operator: &str) {
        self.code.push(' ');
        self.code.push_str(operator);
    }

    /// Some steps on top of `stack`, inside as many blocks as `depth`.
    fn sequence(&mut self, stack: Vec<Type>, depth: usize) -> Stack {
        let mut stack = stack;
        for _ in 0..self.rng.between(1, 14) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            stack = self.step(stack, depth)?;
        }
        Some(stack)
    }

    fn step(&mut self, mut stack: Vec<Type>, depth: usize) -> Stack {
        match self.rng.below(20) {
            0..=2 => {
                let ty = *self.rng.pick(&self.shape.types);
                self.push(&mut stack, ty);
            }
            3..=6 => {
                let traps = self.shape.has_loops && self.rng.chance(2);
                let (name, params, result) = *self.rng.pick(if traps { TRAPPING } else { OPERATORS });
                self.arrange(&mut stack, params);
                stack.truncate(stack.len() - params.len());
                self.emit(name);
                stack.push(result);
            }
            7 | 8 => self.write(&mut stack),
            9 => {
                self.memory(&mut stack);
            }
            10 => {
                if let Some(&ty) = stack.last() {
                    self.push(&mut stack, ty);
                    self.push(&mut stack, Type::I32);
                    stack.truncate(stack.len() - 2);
                    self.emit("select");
                }
            }
            11..=14 if depth < 6 => self.block(&mut stack, depth),
            15 => self.call(&mut stack),
            16 | 17 => self.branch_if(&mut stack),
            18 if depth > 0 && self.rng.chance(40) => {
                self.leave(&mut stack);
                return None;
            }
            _ => {
                if stack.pop().is_some() {
                    self.emit("drop");
                }
            }
        }
        Some(stack)
    }

    /// Pushes a value of type `ty` from anywhere.
    fn push(&mut self, stack: &mut Vec<Type>, ty: Type) {
        let locals: Vec<_> = (0..self.locals.len()).filter(|&at| self.locals[at] == ty).collect();
        let globals: Vec<_> =
            (0..self.shape.globals.len()).filter(|&at| self.shape.globals[at] == ty).collect();
        if !locals.is_empty() && self.rng.chance(70) {
            let local = *self.rng.pick(&locals);
            self.emit(&format!("local.get {local}"));
        } else if !globals.is_empty() && self.rng.chance(50) {
            let global = *self.rng.pick(&globals);
            self.emit(&format!("global.get $g{global}"));
        } else {
            let value = lattice::any(self.rng, ty).text();
            self.emit(&value);
        }
        stack.push(ty);
    }

    /// Puts values of `types` on top of `stack`, or leaves those that are there.
    fn arrange(&mut self, stack: &mut Vec<Type>, types: &[Type]) {
        if stack.ends_with(types) && self.rng.chance(90) {
            return;
        }
        // As many as are there already.
        let there = (0..types.len()).rev().find(|&count| stack.ends_with(&types[..count])).unwrap_or(0);
        for &ty in &types[there..] {
            self.push(stack, ty);
        }
    }

    /// Makes `stack` exactly `types`.
    fn settle(&mut self, stack: &mut Vec<Type>, types: &[Type]) {
        let same = stack.iter().zip(types).take_while(|(one, other)| one == other).count();
        while stack.len() > same {
            self.discard(stack);
        }
        for &ty in &types[same..] {
            self.push(stack, ty);
        }
    }

    /// Takes the topmost value away, into a local if there is one.
    fn discard(&mut self, stack: &mut Vec<Type>) {
        let Some(ty) = stack.pop() else { return };
        let locals: Vec<_> = (0..self.locals.len()).filter(|&at| self.locals[at] == ty).collect();
        if locals.is_empty() || self.rng.chance(40) {
            return self.emit("drop");
        }
        let local = *self.rng.pick(&locals);
        self.emit(&format!("local.set {local}"));
    }

    /// Writes to a local or a global.
    fn write(&mut self, stack: &mut Vec<Type>) {
        if !self.shape.globals.is_empty() && self.rng.chance(25) {
            let global = self.rng.below(self.shape.globals.len());
            self.arrange(stack, &[self.shape.globals[global]]);
            stack.pop();
            return self.emit(&format!("global.set $g{global}"));
        }
        if self.locals.is_empty() {
            return;
        }
        let local = self.rng.below(self.locals.len());
        self.arrange(stack, &[self.locals[local]]);
        if self.rng.chance(30) {
            return self.emit(&format!("local.tee {local}"));
        }
        stack.pop();
        self.emit(&format!("local.set {local}"));
    }

    /// Reads or writes memory inside of its bounds.
    fn memory(&mut self, stack: &mut Vec<Type>) {
        let ty = *self.rng.pick(&self.shape.types);
        if self.shape.has_loops && self.rng.chance(4) {
            self.arrange(stack, &[Type::I32]);
            self.emit("i32.const 0x1_ffff i32.and");
        } else if self.rng.chance(50) {
            self.arrange(stack, &[Type::I32]);
            self.emit("i32.const 0xfff0 i32.and");
        } else {
            // Bits above the address that must not be seen.
            self.arrange(stack, &[Type::I64]);
            self.emit("i64.const 0xffff_ffff_0000_fff0 i64.and i32.wrap_i64");
            stack.pop();
            stack.push(Type::I32);
        }
        let offset = self.rng.below(16 - if ty == Type::V128 { 15 } else { 8 });
        if self.rng.chance(50) {
            stack.pop();
            self.emit(&format!("{}.load offset={offset}", ty.text()));
            stack.push(ty);
        } else {
            self.push(stack, ty);
            stack.truncate(stack.len() - 2);
            self.emit(&format!("{}.store offset={offset}", ty.text()));
        }
    }

    /// A block, loop or if, that takes some of the stack.
    fn block(&mut self, stack: &mut Vec<Type>, depth: usize) {
        let kind = if self.shape.has_loops { *self.rng.pick(&[0, 1, 1, 1, 2]) } else { self.rng.below(3) };
        let counter = (kind == 1 && self.shape.has_loops && self.rng.chance(80)).then(|| self.counter());
        if kind == 2 {
            self.arrange(stack, &[Type::I32]);
            stack.pop();
        }
        let taken = self.rng.below(stack.len().min(5) + 1);
        let params = stack.split_off(stack.len() - taken);
        let mut results = params.clone();
        match self.rng.below(4) {
            0 => results.clear(),
            1 => results.push(*self.rng.pick(&self.shape.types)),
            2 => {
                results.pop();
            }
            _ => {}
        }
        let ty = format!("(param {}) (result {})", list(&params), list(&results));
        let label = if kind == 1 { &params } else { &results };
        self.labels.push(label.clone());
        match kind {
            0 => self.emit(&format!("block {ty}")),
            1 => {
                self.emit(&format!("loop {ty}"));
                self.take("$fuel");
            }
            _ => self.emit(&format!("if {ty}")),
        }
        let inner = self.sequence(params.clone(), depth + 1);
        if kind == 1
            && let Some(mut inner) = inner
        {
            // Mostly once more.
            if self.rng.chance(80) {
                self.settle(&mut inner, &params);
                match counter {
                    Some(counter) => {
                        self.emit(&format!("local.get {counter} i32.const 1 i32.sub local.tee {counter}"));
                    }
                    None => {
                        self.push(&mut inner, Type::I32);
                        inner.pop();
                    }
                }
                self.emit("br_if 0");
            }
            self.end(Some(inner), &results);
        } else {
            self.end(inner, &results);
        }
        if kind == 2 {
            self.emit("else");
            let inner = self.sequence(params, depth + 1);
            self.end(inner, &results);
        }
        self.emit("end\n");
        self.labels.pop();
        stack.extend(results);
    }

    /// Ends a block that gives `results`.
    fn end(&mut self, stack: Stack, results: &[Type]) {
        match stack {
            Some(mut stack) => self.settle(&mut stack, results),
            // Whatever follows is dead, but has to be right.
            None if self.rng.chance(30) => {
                let dead =
                    *self.rng.pick(&["i32.add drop", "select drop", "unreachable", "i32.load drop", "nop"]);
                self.emit(dead);
            }
            None => {}
        }
    }

    /// A new local that says how often a loop is to go round.
    fn counter(&mut self) -> usize {
        let counter = self.locals.len() + self.counters;
        self.counters += 1;
        let rounds = self.rng.between(2, 20);
        self.emit(&format!("i32.const {rounds} local.set {counter}"));
        counter
    }

    /// Takes one of `global`; returns when it is used up.
    fn take(&mut self, global: &str) {
        self.emit(&format!("global.get {global} i32.eqz if"));
        let mut stack = Vec::new();
        for &ty in &self.signature.results {
            self.push(&mut stack, ty);
        }
        self.emit(&format!("return end global.get {global} i32.const 1 i32.sub global.set {global}"));
    }

    /// A label by its depth, and what it takes.
    fn label(&mut self) -> (usize, Vec<Type>) {
        let depth = self.rng.below(self.labels.len());
        (depth, self.labels[self.labels.len() - 1 - depth].clone())
    }

    fn branch_if(&mut self, stack: &mut Vec<Type>) {
        let (depth, types) = self.label();
        self.arrange(stack, &types);
        self.condition(stack);
        self.emit(&format!("br_if {depth}"));
    }

    /// Something to decide by, that is on the stack for a moment.
    fn condition(&mut self, stack: &mut Vec<Type>) {
        self.push(stack, Type::I32);
        if self.rng.chance(50) {
            self.push(stack, Type::I32);
            stack.pop();
            let compare = *self.rng.pick(&["i32.eq", "i32.ne", "i32.lt_s", "i32.gt_u", "i32.and"]);
            self.emit(compare);
        }
        stack.pop();
    }

    /// A branch that is always taken.
    fn leave(&mut self, stack: &mut Vec<Type>) {
        let (depth, types) = self.label();
        self.arrange(stack, &types);
        if self.rng.chance(50) {
            return self.emit(&format!("br {depth}"));
        }
        // Every label that takes the same.
        let same: Vec<_> = (0..self.labels.len())
            .filter(|&depth| self.labels[self.labels.len() - 1 - depth] == types)
            .collect();
        self.push(stack, Type::I32);
        if self.rng.chance(70) {
            let mask = *self.rng.pick(&[1, 3, 7]);
            self.emit(&format!("i32.const {mask} i32.and"));
        }
        self.emit("br_table");
        for _ in 0..self.rng.below(6) {
            let target = *self.rng.pick(&same);
            self.emit(&target.to_string());
        }
        self.emit(&depth.to_string());
    }

    fn call(&mut self, stack: &mut Vec<Type>) {
        let first = if self.shape.has_loops { 0 } else { self.at + 1 };
        let callees = first..self.shape.signatures.len();
        if callees.is_empty() {
            return;
        }
        let of = self.rng.between(callees.start, callees.end - 1);
        let Signature { params, results } = &self.shape.signatures[of];
        self.arrange(stack, params);
        stack.truncate(stack.len() - params.len());
        self.emit(&format!("call $f{of}"));
        stack.extend(results);
    }
}
