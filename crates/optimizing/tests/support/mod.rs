//! Modules in, compiled functions out.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;
use tenure_abi::frame::Homes;
use tenure_code::{CompileError, CompileUnit, CompiledFunc, Compiler, LoopEntry, Tunables};
use tenure_module::{Module, parse};
use tenure_optimizing::{OptimizingCompiler, Settings};
use tenure_types::{Feature, Features, TypeRegistry};

/// Compiles every function of `bytes`.
pub fn compile_bytes(bytes: &[u8], tunables: &Tunables) -> (Module, Vec<Result<CompiledFunc, CompileError>>) {
    let compiler = OptimizingCompiler::new().expect("this machine is known");
    let bytes: Arc<[u8]> = bytes.into();
    let registry = TypeRegistry::default();
    let mut features = Features::default();
    features.set(Feature::WideArithmetic, true);
    features.set(Feature::CustomPageSizes, true);
    let parsed = parse(&bytes, features, &registry).expect("the module is right but for its bodies");
    let module = parsed.module;
    let layout = tenure_code::layout(&module).expect("the context is small");
    let unit = CompileUnit { module: &module, layout: &layout, tunables, profile: None };
    let funcs = parsed.bodies.into_iter().map(|body| compiler.compile(unit, body)).collect();
    (module, funcs)
}

/// Compiles the last function of `bytes`, if that is worth it.
pub fn compile_bytes_well(bytes: &[u8]) -> Result<CompiledFunc, CompileError> {
    compile_bytes_well_with(Settings::default(), bytes)
}

/// As [`compile_bytes_well`], with settings.
pub fn compile_bytes_well_with(settings: Settings, bytes: &[u8]) -> Result<CompiledFunc, CompileError> {
    let compiler = OptimizingCompiler::with(settings).expect("this machine is known");
    let bytes: Arc<[u8]> = bytes.into();
    let mut parsed =
        parse(&bytes, Features::default(), &TypeRegistry::default()).expect("the module is right");
    let body = parsed.bodies.pop().expect("there is a function");
    let layout = tenure_code::layout(&parsed.module).expect("the context is small");
    let tunables = Tunables::default();
    compiler.compile_well(
        CompileUnit { module: &parsed.module, layout: &layout, tunables: &tunables, profile: None },
        body,
    )
}

/// Compiles the code that takes over at loop `number` of the last function of a module in text, from frames with
/// `homes`.
pub fn compile_entry(text: &str, number: u32, homes: Homes) -> Result<CompiledFunc, CompileError> {
    let compiler = OptimizingCompiler::new().expect("this machine is known");
    let bytes: Arc<[u8]> = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}")).into();
    let mut parsed =
        parse(&bytes, Features::default(), &TypeRegistry::default()).expect("the module is right");
    let body = parsed.bodies.pop().expect("there is a function");
    let layout = tenure_code::layout(&parsed.module).expect("the context is small");
    let tunables = Tunables::default();
    let unit = CompileUnit { module: &parsed.module, layout: &layout, tunables: &tunables, profile: None };
    compiler.compile_loop_entry(unit, body, LoopEntry { number, homes })
}

/// Compiles every function of a module in text, all of which are right.
pub fn compile_wat(text: &str, tunables: &Tunables) -> Vec<CompiledFunc> {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let (_, funcs) = compile_bytes(&bytes, tunables);
    let right = |(at, func): (usize, Result<_, _>)| func.unwrap_or_else(|error| panic!("body {at}: {error}"));
    funcs.into_iter().enumerate().map(right).collect()
}

/// The instructions of `func`, one a line.
pub fn disassemble(func: &CompiledFunc) -> String {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
    let mut formatter = IntelFormatter::new();
    let mut text = String::new();
    for instruction in &mut Decoder::with_ip(64, &func.code, 0, DecoderOptions::NONE) {
        text += &format!("{:4x}: ", instruction.ip());
        formatter.format(&instruction, &mut text);
        text.push('\n');
    }
    text
}
