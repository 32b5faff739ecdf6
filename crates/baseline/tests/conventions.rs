//! Calls between the tiers, in both directions, of functions of random types: every argument arrives and every
//! result comes back.

mod support;

use support::generate::{encode_type, push_const};
use support::{Outcome, Random, instantiate};
use tenure_code::{Tier, Tunables};
use tenure_types::ValType::{self, F32, F64, I32, I64, V128};
use wasm_encoder as we;
use we::{Encode, Instruction as I};

const TYPES: [ValType; 7] = [I32, I64, F32, F64, V128, ValType::FUNCREF, ValType::EXTERNREF];

fn memarg() -> we::MemArg {
    we::MemArg { offset: 0, align: 0, target: we::MemArgTarget::Memory(0), ordering: None }
}

/// Stores what is on top, of type `ty`, at `at`; a reference by whether it is null. `local` is of its type.
fn store(code: &mut Vec<u8>, ty: ValType, local: u32, at: i32) {
    I::LocalSet(local).encode(code);
    I::I32Const(at).encode(code);
    I::LocalGet(local).encode(code);
    match ty {
        I32 => I::I32Store(memarg()).encode(code),
        I64 => I::I64Store(memarg()).encode(code),
        F32 => I::F32Store(memarg()).encode(code),
        F64 => I::F64Store(memarg()).encode(code),
        V128 => I::V128Store(memarg()).encode(code),
        ValType::Ref(_) => {
            I::RefIsNull.encode(code);
            I::I32Store(memarg()).encode(code);
        }
    }
}

/// A callee that writes its arguments to memory and returns constants, and a caller that calls it in three ways with
/// constants and writes the results to memory.
struct Pair {
    params: Vec<ValType>,
    results: Vec<ValType>,
}

fn module(random: &mut Random) -> Vec<u8> {
    let mut list = |most: usize| -> Vec<ValType> {
        let count = random.below(most + 1);
        (0..count).map(|_| *random.pick(&TYPES)).collect()
    };
    let pairs: Vec<Pair> = (0..6).map(|_| Pair { params: list(22), results: list(14) }).collect();
    let mut types = we::TypeSection::new();
    types.ty().function([], []);
    for pair in &pairs {
        types.ty().function(
            pair.params.iter().map(|&ty| encode_type(ty)),
            pair.results.iter().map(|&ty| encode_type(ty)),
        );
    }
    let (mut funcs, mut exports, mut bodies) =
        (we::FunctionSection::new(), we::ExportSection::new(), we::CodeSection::new());
    let mut elems = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let at = at as u32;
        // The callee.
        let mut code = Vec::new();
        for (number, &ty) in pair.params.iter().enumerate() {
            I::LocalGet(number as u32).encode(&mut code);
            store(&mut code, ty, number as u32, number as i32 * 16);
        }
        let constant = |code: &mut Vec<u8>, random: &mut Random, ty: ValType| match ty {
            ValType::FUNCREF if random.below(2) == 0 => I::RefFunc(2 * at).encode(code),
            ty => push_const(code, ty, random.wide()),
        };
        for &ty in &pair.results {
            constant(&mut code, random, ty);
        }
        let mut body = we::Function::new([]);
        body.raw(code);
        body.instruction(&I::End);
        bodies.function(&body);
        funcs.function(at + 1);
        elems.push(2 * at);
        // The caller. Values of its own wait in locals and on the stack meanwhile.
        let mut code = Vec::new();
        let locals = pair.results.len() as u32;
        let mut base = 0x1000 * (at as i32 + 1);
        let way = random.below(3);
        for _ in 0..2 {
            I::LocalGet(locals).encode(&mut code);
            for &ty in &pair.params {
                constant(&mut code, random, ty);
            }
            if way == 0 {
                I::I32Const(at as i32).encode(&mut code);
                I::CallIndirect { type_index: at + 1, table_index: 0 }.encode(&mut code);
            } else {
                I::Call(2 * at).encode(&mut code);
            }
            for (number, &ty) in pair.results.iter().enumerate().rev() {
                store(&mut code, ty, number as u32, base + number as i32 * 16);
            }
            base += 0x800;
            I::I64Const(0x77).encode(&mut code);
            I::I64Add.encode(&mut code);
            I::LocalSet(locals).encode(&mut code);
        }
        I::I32Const(base - 8).encode(&mut code);
        I::LocalGet(locals).encode(&mut code);
        I::I64Store(memarg()).encode(&mut code);
        let mut own: Vec<we::ValType> = pair.results.iter().map(|&ty| encode_type(ty)).collect();
        own.push(we::ValType::I64);
        let mut body = we::Function::new_with_locals_types(own);
        body.raw(code);
        body.instruction(&I::End);
        bodies.function(&body);
        funcs.function(0);
        exports.export(&format!("f{at}"), we::ExportKind::Func, 2 * at + 1);
    }
    let mut module = we::Module::new();
    let mut tables = we::TableSection::new();
    tables.table(we::TableType {
        element_type: we::RefType::FUNCREF,
        table64: false,
        minimum: elems.len() as u64,
        maximum: None,
        shared: false,
    });
    let mut mems = we::MemorySection::new();
    mems.memory(we::MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut segments = we::ElementSection::new();
    segments.active(Some(0), &we::ConstExpr::i32_const(0), we::Elements::Functions((&elems).into()));
    module.section(&types).section(&funcs).section(&tables).section(&mems).section(&exports);
    module.section(&segments).section(&bodies);
    module.finish()
}

#[test]
fn every_argument_arrives_and_every_result_comes_back() {
    for seed in 0..60 {
        let bytes = module(&mut Random(seed));
        let callers = |at: usize| if at % 2 == 1 { Tier::Baseline } else { Tier::Optimizing };
        let callees = |at: usize| if at.is_multiple_of(2) { Tier::Baseline } else { Tier::Optimizing };
        let tiers: [&dyn Fn(usize) -> Tier; 4] =
            [&|_| Tier::Optimizing, &|_| Tier::Baseline, &callers, &callees];
        let mut expected = Vec::new();
        for (number, pick) in tiers.iter().enumerate() {
            let mut instance = instantiate(&bytes, pick, &Tunables::default()).expect("nothing traps");
            assert_eq!(instance.refused, Vec::<String>::new());
            let mut found = Vec::new();
            for at in 0..6 {
                assert_eq!(instance.call(&format!("f{at}"), &[]), Outcome::Values(Vec::new()));
                found.push(instance.memory());
            }
            if number == 0 {
                expected = found;
            } else {
                assert!(found == expected, "seed {seed}, tiers {number}");
            }
        }
    }
}
