//! Huge functions compile in time and memory in proportion to their size, or are refused; none is a panic.

mod support;

use std::time::{Duration, Instant};
use support::{baseline, compile_bytes};
use tenure_code::{CompileError, CompiledFunc, Tunables};
use wasm_encoder as we;
use we::{Encode, Instruction as I};

/// The function with these locals and operators.
fn function(locals: Vec<(u32, we::ValType)>, code: Vec<u8>) -> Vec<u8> {
    let mut module = we::Module::new();
    let mut types = we::TypeSection::new();
    types.ty().function([we::ValType::I32], []);
    let mut funcs = we::FunctionSection::new();
    funcs.function(0);
    let mut mems = we::MemorySection::new();
    mems.memory(we::MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut bodies = we::CodeSection::new();
    let mut body = we::Function::new(locals);
    body.raw(code);
    body.instruction(&I::End);
    bodies.function(&body);
    module.section(&types).section(&funcs).section(&mems).section(&bodies);
    module.finish()
}

/// Compiles, which must take a time that debug builds need for code of this size and no more.
fn compile(locals: Vec<(u32, we::ValType)>, code: Vec<u8>) -> Result<CompiledFunc, CompileError> {
    let bytes = function(locals, code);
    let start = Instant::now();
    let (_, mut funcs) = compile_bytes(&baseline(), &bytes, &Tunables::default());
    let took = start.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?} for {} bytes", bytes.len());
    funcs.remove(0)
}

fn repeat(count: usize, ops: &[I<'_>]) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..count {
        for op in ops {
            op.encode(&mut code);
        }
    }
    code
}

#[test]
fn fifty_thousand_locals() {
    let locals = vec![(12_000, we::ValType::I32), (12_000, we::ValType::I64), (25_990, we::ValType::F64)];
    let mut code = Vec::new();
    for local in (0..49_000).step_by(7) {
        I::LocalGet(local).encode(&mut code);
        I::Drop.encode(&mut code);
    }
    for local in (1..12_000).step_by(5) {
        I::LocalGet(local + 1).encode(&mut code);
        I::LocalSet(local).encode(&mut code);
    }
    compile(locals, code).unwrap();
}

#[test]
fn a_million_operators_in_a_row() {
    let ops = [I::LocalGet(0), I::LocalGet(0), I::I32Mul, I::LocalGet(0), I::I32Add, I::LocalSet(0)];
    compile(vec![], repeat(170_000, &ops)).unwrap();
}

#[test]
fn nested_blocks() {
    let mut code = repeat(300_000, &[I::Block(we::BlockType::Empty)]);
    code.extend(repeat(300_000, &[I::End]));
    compile(vec![], code).unwrap();
}

#[test]
fn nested_loops_with_branches_out_of_all_of_them() {
    const DEPTH: usize = 3000;
    let mut code = Vec::new();
    for depth in 0..DEPTH as u32 {
        I::Loop(we::BlockType::Empty).encode(&mut code);
        // Something of its own in each, so that each has pins of its own.
        for local in [depth % 50, (depth * 7 + 3) % 50] {
            I::LocalGet(local).encode(&mut code);
            I::I32Const(1).encode(&mut code);
            I::I32Add.encode(&mut code);
            I::LocalSet(local).encode(&mut code);
        }
    }
    for depth in 0..DEPTH as u32 {
        I::LocalGet(0).encode(&mut code);
        I::BrIf(DEPTH as u32 - 1 - depth).encode(&mut code);
        if depth % 3 == 0 {
            I::LocalGet(1).encode(&mut code);
            I::BrIf(0).encode(&mut code);
        }
    }
    code.extend(repeat(DEPTH, &[I::End]));
    compile(vec![(50, we::ValType::I32)], code).unwrap();
}

#[test]
fn a_hundred_thousand_operands() {
    let mut code = repeat(100_000, &[I::LocalGet(0), I::LocalGet(0), I::I32Add]);
    code.extend(repeat(100_000, &[I::Drop]));
    compile(vec![], code).unwrap();
}

#[test]
fn a_hundred_thousand_operands_that_are_locals() {
    // Each write finds one that waits at the bottom of the stack.
    let mut code = Vec::new();
    for local in 0..500 {
        I::LocalGet(local).encode(&mut code);
    }
    code.extend(repeat(100_000, &[I::LocalGet(600)]));
    for local in 0..500 {
        I::I32Const(7).encode(&mut code);
        I::LocalSet(local).encode(&mut code);
    }
    code.extend(repeat(100_500, &[I::Drop]));
    compile(vec![(700, we::ValType::I32)], code).unwrap();
}

#[test]
fn tables_of_all_targets() {
    const BLOCKS: u32 = 1000;
    let mut code = repeat(BLOCKS as usize, &[I::Block(we::BlockType::Empty)]);
    let targets: Vec<u32> = (0..65_520).map(|at| at % BLOCKS).collect();
    for _ in 0..4 {
        I::Block(we::BlockType::Empty).encode(&mut code);
        I::LocalGet(0).encode(&mut code);
        I::BrTable((&targets).into(), 0).encode(&mut code);
        I::End.encode(&mut code);
    }
    code.extend(repeat(BLOCKS as usize, &[I::End]));
    compile(vec![], code).unwrap();
}

#[test]
fn branches_with_values_across_many_blocks() {
    const DEPTH: usize = 20_000;
    let mut code = repeat(DEPTH, &[I::Block(we::BlockType::Result(we::ValType::I32))]);
    for depth in 0..DEPTH as u32 {
        I::LocalGet(0).encode(&mut code);
        I::LocalGet(0).encode(&mut code);
        I::BrIf(depth).encode(&mut code);
        I::Drop.encode(&mut code);
    }
    I::LocalGet(0).encode(&mut code);
    code.extend(repeat(DEPTH, &[I::End]));
    I::Drop.encode(&mut code);
    compile(vec![], code).unwrap();
}

#[test]
fn a_frame_larger_than_any_stack() {
    // A call of it is a stack overflow; to compile it is no problem.
    let mut code = repeat(1, &[I::V128Const(1), I::Drop]);
    code.extend(repeat(500_000, &[I::LocalGet(0)]));
    I::Block(we::BlockType::Empty).encode(&mut code);
    I::End.encode(&mut code);
    code.extend(repeat(500_000, &[I::Drop]));
    compile(vec![], code).unwrap();
}
