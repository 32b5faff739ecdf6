//! Every numeric and vector operator on values at which operators change their minds, with each operand from
//! everywhere an operand may be, and the result to everywhere a result may go: the other tier has the answers.

mod support;

use support::generate::{encode_type, push_const};
use support::operators::{Numeric, lattice, numeric, vectors};
use support::{Instance, Outcome, Random, instantiate_with};
use tenure_baseline::BaselineCompiler;
use tenure_code::{Tier, Tunables};
use tenure_types::{Trap, ValType};
use wasm_encoder as we;
use we::{Encode, Instruction as I};

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
enum From {
    /// The argument as it came.
    Param,
    /// The argument, used so often that it is worth a register.
    HotParam,
    /// A constant.
    Const(u128),
    /// Memory.
    Load,
    /// The result of a block: in a register or at home.
    Block,
    /// A local that was written just before.
    Local,
}

/// Where the result goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum To {
    Return,
    /// A local that is used often, which may be an operand; then back.
    HotLocal(u32),
    /// A condition.
    If,
    Select,
}

#[derive(Clone, Debug)]
struct Variant {
    from: Vec<From>,
    to: To,
}

/// How many calls of each variant.
const CALLS: usize = 24;
const VARIANTS: usize = 16;

fn variant(op: &Numeric, random: &mut Random) -> Variant {
    let from = op.params.iter().map(|&ty| match random.below(7) {
        0 => From::Param,
        1 | 2 => From::HotParam,
        3 => From::Const(*random.pick(&lattice(ty))),
        4 => From::Load,
        5 => From::Block,
        _ => From::Local,
    });
    let from = from.collect();
    let to = match (random.below(5), op.results) {
        (0 | 1, [_]) => To::HotLocal(random.below(op.params.len() + 1) as u32),
        (2, [ValType::I32]) => To::If,
        (3, [ValType::I32]) => To::Select,
        _ => To::Return,
    };
    Variant { from, to }
}

/// The body of a function that takes the operator's operands and gives its results.
fn body(op: &Numeric, variant: &Variant) -> we::Function {
    // One local of each parameter's type, one of the result's, then the function's own.
    let count = op.params.len() as u32;
    let mut own: Vec<we::ValType> = op.params.iter().map(|&ty| encode_type(ty)).collect();
    own.push(encode_type(op.results[0]));
    let mut code = Vec::new();
    let heat = |code: &mut Vec<u8>, local: u32| {
        for _ in 0..5 {
            I::LocalGet(local).encode(code);
            I::Drop.encode(code);
        }
    };
    // A hot result goes to the local of the first operand of its type, or to one of its own.
    let target = match variant.to {
        To::HotLocal(at) if (at as usize) < op.params.len() && op.params[at as usize] == op.results[0] => at,
        _ => 2 * count,
    };
    for (at, &from) in variant.from.iter().enumerate() {
        let at = at as u32;
        match from {
            From::HotParam => heat(&mut code, at),
            From::Load => {
                I::I32Const(at as i32 * 16).encode(&mut code);
                I::LocalGet(at).encode(&mut code);
                let memarg =
                    we::MemArg { offset: 3, align: 0, target: we::MemArgTarget::Memory(0), ordering: None };
                match op.params[at as usize] {
                    ValType::I32 => I::I32Store(memarg),
                    ValType::I64 => I::I64Store(memarg),
                    ValType::F32 => I::F32Store(memarg),
                    ValType::F64 => I::F64Store(memarg),
                    _ => I::V128Store(memarg),
                }
                .encode(&mut code);
            }
            From::Local => {
                I::LocalGet(at).encode(&mut code);
                I::LocalSet(count + at).encode(&mut code);
            }
            _ => {}
        }
    }
    if matches!(variant.to, To::HotLocal(_)) {
        heat(&mut code, target);
    }
    if variant.to == To::Select {
        I::I32Const(1).encode(&mut code);
        I::I32Const(0).encode(&mut code);
    }
    for (at, &from) in variant.from.iter().enumerate() {
        let (ty, at) = (op.params[at], at as u32);
        match from {
            From::Param | From::HotParam => I::LocalGet(at).encode(&mut code),
            From::Const(bits) => push_const(&mut code, ty, bits),
            From::Load => {
                let memarg =
                    we::MemArg { offset: 0, align: 0, target: we::MemArgTarget::Memory(0), ordering: None };
                I::I32Const(at as i32 * 16 + 3).encode(&mut code);
                match ty {
                    ValType::I32 => I::I32Load(memarg),
                    ValType::I64 => I::I64Load(memarg),
                    ValType::F32 => I::F32Load(memarg),
                    ValType::F64 => I::F64Load(memarg),
                    _ => I::V128Load(memarg),
                }
                .encode(&mut code);
            }
            From::Block => {
                I::Block(we::BlockType::Result(encode_type(ty))).encode(&mut code);
                I::LocalGet(at).encode(&mut code);
                I::LocalGet(at).encode(&mut code);
                I::I32Const(at as i32).encode(&mut code);
                I::BrIf(0).encode(&mut code);
                I::Drop.encode(&mut code);
                I::End.encode(&mut code);
            }
            From::Local => I::LocalGet(count + at).encode(&mut code),
        }
    }
    code.extend(&op.code);
    match variant.to {
        To::Return => {}
        To::HotLocal(_) => {
            I::LocalSet(target).encode(&mut code);
            I::LocalGet(target).encode(&mut code);
        }
        To::If => {
            I::If(we::BlockType::Result(we::ValType::I32)).encode(&mut code);
            I::I32Const(1).encode(&mut code);
            I::Else.encode(&mut code);
            I::I32Const(0).encode(&mut code);
            I::End.encode(&mut code);
        }
        To::Select => I::Select.encode(&mut code),
    }
    let mut function = we::Function::new_with_locals_types(own);
    function.raw(code);
    function.instruction(&I::End);
    function
}

fn module(functions: &[(&Numeric, Variant)]) -> Vec<u8> {
    let mut module = we::Module::new();
    let (mut types, mut funcs) = (we::TypeSection::new(), we::FunctionSection::new());
    let (mut exports, mut bodies) = (we::ExportSection::new(), we::CodeSection::new());
    for (at, (op, variant)) in functions.iter().enumerate() {
        types.ty().function(
            op.params.iter().map(|&ty| encode_type(ty)),
            op.results.iter().map(|&ty| encode_type(ty)),
        );
        funcs.function(at as u32);
        exports.export(&format!("f{at}"), we::ExportKind::Func, at as u32);
        bodies.function(&body(op, variant));
    }
    let mut mems = we::MemorySection::new();
    let memory =
        we::MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    mems.memory(memory);
    module.section(&types).section(&funcs).section(&mems).section(&exports).section(&bodies);
    module.finish()
}

/// What a call comes to, without where a trap was.
fn call(instance: &mut Instance, at: usize, args: &[u128]) -> Result<Vec<u128>, Trap> {
    match instance.call(&format!("f{at}"), args) {
        Outcome::Values(values) => Ok(values),
        Outcome::Trap(trap, ..) => Err(trap),
    }
}

/// Whether two results are the same but for what NaNs carry.
fn same(ty: ValType, a: u128, b: u128) -> bool {
    let f32s = |bits: u128| (0..4).map(move |lane| f32::from_bits((bits >> (32 * lane)) as u32));
    let f64s = |bits: u128| (0..2).map(move |lane| f64::from_bits((bits >> (64 * lane)) as u64));
    let words = |bits: u128| (0..4).map(move |lane| (bits >> (32 * lane)) as u32);
    let longs = |bits: u128| (0..2).map(move |lane| (bits >> (64 * lane)) as u64);
    let by_f32 = || {
        let floats = f32s(a).zip(f32s(b)).map(|(a, b)| a.is_nan() && b.is_nan());
        floats.zip(words(a).zip(words(b))).all(|(nans, (a, b))| nans || a == b)
    };
    let by_f64 = || {
        let floats = f64s(a).zip(f64s(b)).map(|(a, b)| a.is_nan() && b.is_nan());
        floats.zip(longs(a).zip(longs(b))).all(|(nans, (a, b))| nans || a == b)
    };
    a == b
        || match ty {
            ValType::F32 => by_f32(),
            ValType::F64 => by_f64(),
            ValType::V128 => by_f32() || by_f64(),
            _ => false,
        }
}

fn check(ops: &[Numeric], compiler: &BaselineCompiler, tunables: &Tunables, may_refuse: bool) {
    let mut random = Random(42);
    let mut functions: Vec<(&Numeric, Variant)> = Vec::new();
    let mut plain = Vec::new();
    for op in ops {
        let as_they_came = Variant { from: vec![From::Param; op.params.len()], to: To::Return };
        plain.push((op, as_they_came.clone()));
        functions.push((op, as_they_came));
        for _ in 0..VARIANTS {
            functions.push((op, variant(op, &mut random)));
        }
    }
    let oracle = instantiate_with(compiler, &module(&plain), &|_| Tier::Optimizing, tunables);
    let mut oracle = oracle.expect("nothing traps");
    let subject = instantiate_with(compiler, &module(&functions), &|_| Tier::Baseline, tunables);
    let mut subject = subject.expect("nothing traps");
    if !may_refuse {
        assert_eq!(subject.refused, Vec::<String>::new());
    }
    for (number, op) in ops.iter().enumerate() {
        for nth in 0..=VARIANTS {
            let at = number * (VARIANTS + 1) + nth;
            let variant = &functions[at].1;
            let calls = if nth == 0 { CALLS * 8 } else { CALLS };
            for _ in 0..calls {
                let args: Vec<u128> = op
                    .params
                    .iter()
                    .zip(&variant.from)
                    .map(|(&ty, from)| match *from {
                        From::Const(bits) => bits,
                        _ if random.below(8) == 0 => random.wide() >> random.below(100),
                        _ => *random.pick(&lattice(ty)),
                    })
                    .collect();
                let mut expected = call(&mut oracle, number, &args);
                if let (To::If | To::Select, Ok(values)) = (variant.to, &mut expected) {
                    values[0] = u128::from(values[0] != 0);
                }
                let found = call(&mut subject, at, &args);
                let equal = match (&found, &expected) {
                    (Ok(found), Ok(expected)) if !tunables.canonical_nans => {
                        found.iter().zip(expected).zip(op.results).all(|((&a, &b), &ty)| same(ty, a, b))
                    }
                    (found, expected) => found == expected,
                };
                assert!(
                    equal,
                    "{:x?} of {args:x?} as {variant:?} is {found:x?} and not {expected:x?}",
                    op.code
                );
            }
        }
    }
}

fn canonical() -> Tunables {
    Tunables { canonical_nans: true, ..Tunables::default() }
}

#[test]
fn numbers() {
    check(&numeric(), &BaselineCompiler::new(), &canonical(), false);
}

#[test]
fn numbers_without_signals() {
    check(&numeric(), &BaselineCompiler::new(), &Tunables { signals: false, ..canonical() }, false);
}

#[test]
fn numbers_with_any_nan() {
    check(&numeric(), &BaselineCompiler::new(), &Tunables::default(), false);
}

#[test]
fn numbers_on_a_plain_machine() {
    check(&numeric(), &BaselineCompiler::without_extensions(), &canonical(), true);
}

#[test]
fn vectors_with_canonical_nans() {
    check(&vectors(), &BaselineCompiler::new(), &canonical(), false);
}

#[test]
fn vectors_with_any_nan() {
    check(&vectors(), &BaselineCompiler::new(), &Tunables::default(), false);
}

#[test]
fn vectors_that_are_the_same_everywhere() {
    let tunables = Tunables { deterministic_relaxed_simd: true, ..canonical() };
    check(&vectors(), &BaselineCompiler::new(), &tunables, false);
}

#[test]
fn everything_with_garbage() {
    let all = [numeric(), vectors()].concat();
    check(&all, &BaselineCompiler::with_garbage(), &canonical(), false);
}

#[test]
fn everything_with_few_registers() {
    let all = [numeric(), vectors()].concat();
    check(&all, &BaselineCompiler::with_few_registers(), &canonical(), false);
    let tunables = Tunables { signals: false, deterministic_relaxed_simd: true, ..canonical() };
    check(&all, &BaselineCompiler::with_few_registers(), &tunables, false);
}
