//! Modules in, compiled functions out, and instances of them that run.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod operators;
pub mod generate;
pub mod handover;

use std::sync::Arc;
use tenure_abi::{CtxLayout, ValRaw};
use tenure_baseline::BaselineCompiler;
use tenure_code::{CodeImage, CompileError, CompileUnit, CompiledFunc, Compiler, Tier, Tunables};
use tenure_module::Module;
use tenure_optimizing::OptimizingCompiler;
use tenure_runtime::{
    Abandon, CodeSpace, Extern, HostFunc, InstAddr, InstantiateError, LoadedModule, Store, StoreConfig, call,
};
use tenure_types::{ExternIdx, Feature, Features, FuncType, Trap, TypeRegistry, ValType};

/// The baseline compiler of the tests.
pub fn baseline() -> BaselineCompiler {
    BaselineCompiler::new()
}

pub fn features() -> Features {
    let mut features = Features::default();
    features.set(Feature::WideArithmetic, true);
    features.set(Feature::CustomPageSizes, true);
    features
}

/// Compiles every function of `bytes`.
pub fn compile_bytes(
    compiler: &dyn Compiler,
    bytes: &[u8],
    tunables: &Tunables,
) -> (Module, Vec<Result<CompiledFunc, CompileError>>) {
    let bytes: Arc<[u8]> = bytes.into();
    let registry = TypeRegistry::default();
    let parsed = tenure_module::parse(&bytes, features(), &registry);
    let parsed = parsed.expect("the module is right but for its bodies");
    let module = parsed.module;
    let layout = tenure_code::layout(&module).expect("the context is small");
    let unit = CompileUnit { module: &module, layout: &layout, tunables, profile: None };
    let funcs = parsed.bodies.into_iter().map(|body| compiler.compile(unit, body)).collect();
    (module, funcs)
}

/// Compiles every function of a module in text, all of which are right.
pub fn compile_wat(text: &str, tunables: &Tunables) -> Vec<CompiledFunc> {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let (_, funcs) = compile_bytes(&baseline(), &bytes, tunables);
    let right = |(at, func): (usize, Result<_, _>)| func.unwrap_or_else(|error| panic!("body {at}: {error}"));
    funcs.into_iter().enumerate().map(right).collect()
}

/// The instructions of `func`, one a line, without addresses.
pub fn disassemble(func: &CompiledFunc) -> String {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_space_after_operand_separator(true);
    formatter.options_mut().set_rip_relative_addresses(true);
    let mut text = String::new();
    for instruction in &mut Decoder::with_ip(64, &func.code, 0, DecoderOptions::NONE) {
        formatter.format(&instruction, &mut text);
        text.push('\n');
    }
    text
}

/// What a call came to. Values are bits.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Values(Vec<u128>),
    /// The trap, and the operator of the innermost frame and its function.
    Trap(Trap, Option<u32>, Option<u32>),
}

/// An instance of a module.
pub struct Instance {
    pub store: Store,
    pub loaded: Arc<LoadedModule>,
    pub inst: InstAddr,
    /// Functions that the baseline tier refused, and why.
    pub refused: Vec<String>,
}

/// Which tier compiles the function whose body is number `n`.
pub type Pick<'a> = &'a dyn Fn(usize) -> Tier;

/// An instance of `bytes` whose functions are compiled by the tiers that `pick` says. What the baseline tier
/// does not do, the optimizing tier does. Imports of functions are served by [`record`].
pub fn instantiate(bytes: &[u8], pick: Pick<'_>, tunables: &Tunables) -> Result<Instance, Trap> {
    instantiate_with(&baseline(), bytes, pick, tunables)
}

pub fn instantiate_with(
    baseline: &BaselineCompiler,
    bytes: &[u8],
    pick: Pick<'_>,
    tunables: &Tunables,
) -> Result<Instance, Trap> {
    let bytes: Arc<[u8]> = bytes.into();
    let types = Arc::new(TypeRegistry::default());
    let parsed = tenure_module::parse(&bytes, features(), &types).expect("the module is right");
    let again = tenure_module::parse(&bytes, features(), &types).expect("the module is right");
    let layout = tenure_code::layout(&parsed.module).expect("the context is small");
    let unit = CompileUnit { module: &parsed.module, layout: &layout, tunables, profile: None };
    let optimizing = OptimizingCompiler::new().expect("this machine is known");
    let mut refused = Vec::new();
    let mut funcs = Vec::new();
    for (number, (body, other)) in parsed.bodies.into_iter().zip(again.bodies).enumerate() {
        let func = match pick(number) {
            Tier::Baseline => match baseline.compile(unit, body) {
                Err(error) if baseline_refused(&error) => {
                    refused.push(format!("body {number}: {error}"));
                    optimizing.compile(unit, other)
                }
                func => func,
            },
            Tier::Optimizing => optimizing.compile(unit, body),
        };
        funcs.push(func.unwrap_or_else(|error| panic!("body {number}: {error}")));
    }
    let image = CodeImage::link(funcs).expect("the code is small");
    let loaded = load(parsed.module, layout, image, tunables);
    instantiate_loaded(&loaded, &types, refused)
}

/// Whether the other tier should compile it.
pub fn baseline_refused(error: &CompileError) -> bool {
    matches!(error, CompileError::Unsupported { .. } | CompileError::TooLarge { .. })
}

/// A module with its code in memory.
pub fn load(module: Module, layout: CtxLayout, image: CodeImage, tunables: &Tunables) -> Arc<LoadedModule> {
    let space = CodeSpace::new().expect("the system has memory");
    let loaded = LoadedModule::load(&space, module, layout, image, tunables.clone());
    loaded.expect("the system has memory")
}

/// An instance in a store of its own.
pub fn instantiate_loaded(
    loaded: &Arc<LoadedModule>,
    types: &Arc<TypeRegistry>,
    refused: Vec<String>,
) -> Result<Instance, Trap> {
    let (loaded, space, tunables) = (loaded.clone(), loaded.space(), loaded.tunables());
    call::install_fault_handler().expect("the system lets us");
    let config = StoreConfig {
        space: space.clone(),
        types: types.clone(),
        max_wasm_stack: 256 << 10,
        backtraces: true,
        epochs: Arc::default(),
        tunables: tunables.clone(),
        spare: Default::default(),
    };
    let mut store = Store::new(Arc::new(config));
    // Every deadline has come, and every guest may go on.
    store.set_epoch_handler(Some(Box::new(|_| Ok(0))));
    let mut imports = Vec::new();
    for import in &loaded.module().imports {
        imports.push(match &import.ty {
            tenure_module::ImportType::Func(id) => {
                let ty = types.get(*id).expect("registered by the module");
                let host = HostFunc {
                    type_id: *id,
                    stubs: space.sig_stubs(&ty).expect("the system has memory"),
                    shim: record,
                    closure: Arc::new((*ty).clone()),
                    ty,
                };
                Extern::Func(store.new_host_func(&host))
            }
            tenure_module::ImportType::Table(ty) => {
                Extern::Table(store.new_table(*ty, 0).expect("the table is small"))
            }
            tenure_module::ImportType::Mem(ty) => {
                Extern::Memory(store.new_memory(*ty).expect("the system has memory"))
            }
            tenure_module::ImportType::Global(ty) => {
                Extern::Global(store.new_global(*ty, ValRaw::v128(0x0123_4567_89ab_cdef_0011_2233_4455_6677)))
            }
        });
    }
    let inst = store.create_instance(&loaded, &imports).expect("the imports match");
    let mut this = Instance { store, loaded, inst, refused };
    match this.store.apply_segments(inst) {
        Ok(()) => {}
        Err(InstantiateError::Segment(trap)) => return Err(trap),
        Err(error) => panic!("{error:?}"),
    }
    if let Some(start) = this.loaded.module().start {
        let item = ExternIdx::Func(start);
        if let Outcome::Trap(trap, ..) = this.call_item(item, &[]) {
            return Err(trap);
        }
    }
    Ok(this)
}

/// What host functions do: each result is a mix of the arguments.
unsafe extern "C" fn record(
    ctx: *mut tenure_abi::vm::VmHostCtx,
    caller: *mut tenure_abi::vm::VmCtxHeader,
    values: *mut ValRaw,
) {
    assert!(!caller.is_null(), "the caller is noted");
    // SAFETY: the closure of the functions made above is their type.
    let ty = unsafe { &*(*ctx).env.cast::<FuncType>() };
    let mut mix = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128;
    for (at, &param) in ty.params().iter().enumerate() {
        // SAFETY: the array has room for all arguments.
        let value = unsafe { *values.add(at) };
        mix = (mix ^ bits_of(param, &value)).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15);
        mix ^= mix >> 61;
    }
    for (at, &result) in ty.results().iter().enumerate() {
        let value = raw_of(result, mix.rotate_left(at as u32 * 7));
        // SAFETY: the array has room for all results.
        unsafe { *values.add(at) = value };
    }
}

/// The bits of a value of type `ty`.
pub fn bits_of(ty: ValType, value: &ValRaw) -> u128 {
    match ty {
        ValType::I32 => u128::from(value.get_u32()),
        ValType::I64 => u128::from(value.get_u64()),
        ValType::F32 => u128::from(value.get_f32()),
        ValType::F64 => u128::from(value.get_f64()),
        ValType::V128 => value.get_v128(),
        ValType::Ref(ty) if ty.heap.is_func() => u128::from(value.get_funcref() != 0),
        ValType::Ref(_) => u128::from(value.get_externref()),
    }
}

/// A value of type `ty` with these bits; references are null. The unused bits of an integer are noise.
pub fn raw_of(ty: ValType, bits: u128) -> ValRaw {
    match ty {
        ValType::I32 => ValRaw::u64(bits as u64 & 0xffff_ffff | 0xabcd_ef01 << 32),
        ValType::I64 => ValRaw::u64(bits as u64),
        ValType::F32 => ValRaw::f32(bits as u32),
        ValType::F64 => ValRaw::f64(bits as u64),
        ValType::V128 => ValRaw::v128(bits),
        ValType::Ref(ty) if ty.heap.is_func() => ValRaw::funcref(0),
        ValType::Ref(_) => ValRaw::externref(0),
    }
}

impl Instance {
    /// Calls the export `name`.
    pub fn call(&mut self, name: &str, args: &[u128]) -> Outcome {
        let module = self.loaded.module();
        let at = *module.export_names.get(name).unwrap_or_else(|| panic!("no export {name}"));
        let item = module.exports[at].item;
        self.call_item(item, args)
    }

    pub fn call_item(&mut self, item: ExternIdx, args: &[u128]) -> Outcome {
        let export = self.store.export(self.inst, item).expect("the export exists");
        let Extern::Func(func) = export else { panic!("{item:?} is no function") };
        let func = self.store.func(func).expect("the function lives");
        let (funcref, entry, ty) = (func.funcref(), func.stubs().entry, func.ty().clone());
        let mut values = vec![ValRaw::default(); ty.params().len().max(ty.results().len()).max(1)];
        for ((value, &ty), &bits) in values.iter_mut().zip(ty.params()).zip(args) {
            *value = raw_of(ty, bits);
        }
        // SAFETY: the function is of this store, its entry stub of its type, and the array is long enough.
        let result = unsafe { call::call(&mut self.store, funcref, entry, values.as_mut_ptr()) };
        match result {
            Ok(()) => Outcome::Values(
                ty.results().iter().zip(&values).map(|(&ty, value)| bits_of(ty, value)).collect(),
            ),
            Err(Abandon::Trap(info)) => {
                let trace = info.backtrace.expect("backtraces are on");
                let frame = trace.frames().next();
                let (func, offset) =
                    frame.map_or((None, None), |frame| (Some(frame.func.0), frame.wasm_offset));
                // Which frame is one too many depends on how large frames are.
                match info.trap {
                    Trap::StackOverflow => Outcome::Trap(info.trap, None, None),
                    trap => Outcome::Trap(trap, offset, func),
                }
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The bytes of memory 0, if there is one.
    pub fn memory(&mut self) -> Vec<u8> {
        if self.loaded.module().mems.is_empty() {
            return Vec::new();
        }
        let item = ExternIdx::Mem(tenure_types::MemIdx(0));
        match self.store.export(self.inst, item).expect("it exists") {
            Extern::Memory(memory) => self.store.memory(memory).expect("it lives").data().to_vec(),
            _ => unreachable!(),
        }
    }

    /// The bits of every global.
    pub fn globals(&mut self) -> Vec<u128> {
        let count = self.loaded.module().globals.len() as u32;
        let mut all = Vec::new();
        for at in 0..count {
            let ty = self.loaded.module().globals[at as usize].ty.content;
            let item = ExternIdx::Global(tenure_types::GlobalIdx(at));
            if let Extern::Global(global) = self.store.export(self.inst, item).expect("it exists") {
                let raw = self.store.global_raw(global.addr).expect("it lives");
                all.push(bits_of(ty, &raw));
            }
        }
        all
    }
}

/// Numbers that look random and are the same every time.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
