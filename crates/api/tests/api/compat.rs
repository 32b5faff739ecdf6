//! A program as embedders write it, with one name changed: what has to compile and mean the same.

use tenure as wasmtime;

use wasmtime::error::Context as _;
use wasmtime::{
    AsContext, AsContextMut, Caller, Config, Engine, EngineWeak, Error, Export, ExportType, Extern,
    ExternRef, ExternType, Finality, FrameInfo, FrameSymbol, Func, FuncType, Global, GlobalType, HeapType,
    ImportType, Instance, InstancePre, IntoFunc, Linker, Memory, MemoryAccessError, MemoryType,
    MemoryTypeBuilder, Module, ModuleExport, Mutability, NoExtern, NoFunc, OptLevel, OwnedRooted, Ref,
    RefType, Result, RootScope, Rooted, Store, StoreContext, StoreContextMut, Strategy, Table, TableType,
    ToWasmtimeResult, Trap, TypedFunc, UnknownImportError, V128, Val, ValRaw, ValType, WasmBacktrace,
    WasmBacktraceDetails, WasmParams, WasmResults, WasmRet, WasmTy, bail, ensure, format_err,
};

/// The host's part of a plugin system.
#[derive(Default)]
struct Host {
    log: Vec<String>,
    limit: u32,
    memory: Option<Memory>,
}

const PLUGIN: &str = r#"
    (module $plugin
        (import "host" "log" (func $log (param i32 i32)))
        (import "host" "limit" (func $limit (result i32)))
        (import "host" "base" (global $base i32))
        (memory (export "memory") 1 4)
        (table $callbacks (export "callbacks") 4 funcref)
        (global (export "version") i32 (i32.const 3))
        (data (i32.const 16) "hello from the plugin")
        (func $start (call $log (i32.const 16) (i32.const 21)))
        (func (export "run") (param $times i32) (result i32) (local $at i32)
            (if (i32.gt_u (local.get $times) (call $limit)) (then unreachable))
            (block $done
                (loop $again
                    (br_if $done (i32.eq (local.get $at) (local.get $times)))
                    (call $log (i32.const 16) (i32.const 5))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br $again)))
            (i32.add (local.get $at) (global.get $base)))
        (func (export "call_back") (param i32 i32) (result i32)
            (call_indirect $callbacks (param i32) (result i32) (local.get 1) (local.get 0)))
        (func (export "two") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
        (start $start))
"#;

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_reference_types(true)
        .wasm_multi_value(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(512 << 10)
        .parallel_compilation(true)
        .strategy(Strategy::Auto);
    config
}

fn text(caller: &mut Caller<'_, Host>, at: u32, len: u32) -> Result<String> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => memory,
            _ => bail!("failed to find the plugin's memory"),
        },
    };
    caller.data_mut().memory = Some(memory);
    let bytes = memory.data(&caller).get(at as usize..).and_then(|bytes| bytes.get(..len as usize));
    let bytes = bytes.ok_or_else(|| format_err!("{len} bytes at {at} are outside"))?;
    Ok(std::str::from_utf8(bytes).context("not UTF-8")?.to_string())
}

fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "log", |mut caller: Caller<'_, Host>, at: u32, len: u32| -> Result<()> {
        let line = text(&mut caller, at, len)?;
        caller.data_mut().log.push(line);
        Ok(())
    })?;
    linker.func_new(
        "host",
        "limit",
        FuncType::new(engine, [], [ValType::I32]),
        |caller: Caller<'_, Host>, _params: &[Val], results: &mut [Val]| {
            results[0] = Val::I32(caller.data().limit as i32);
            Ok(())
        },
    )?;
    Ok(linker)
}

#[test]
fn a_plugin_runs() -> Result<()> {
    let engine = Engine::new(&config())?;
    let module = Module::new(&engine, PLUGIN)?;
    let mut linker = linker(&engine)?;
    let mut store = Store::new(&engine, Host { limit: 5, ..Host::default() });
    let base = Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(1000))?;
    linker.define(&store, "host", "base", base)?;

    let instance_pre: InstancePre<Host> = linker.instantiate_pre(&module)?;
    let instance = instance_pre.instantiate(&mut store)?;
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    assert_eq!(run.call(&mut store, 2)?, 1002);
    assert_eq!(store.data().log, ["hello from the plugin", "hello", "hello"]);

    let error = run.call(&mut store, 6).unwrap_err();
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => {}
        other => panic!("{other:?}"),
    }
    let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
    let frames: &[FrameInfo] = trace.frames();
    assert_eq!((frames[0].func_name(), frames[0].module().name()), (Some("run"), Some("plugin")));
    let _symbols: &[FrameSymbol] = frames[0].symbols();

    let double = Func::wrap(&mut store, |x: i32| x * 2);
    let triple = Func::wrap(&mut store, |_caller: Caller<'_, Host>, x: i32| -> Result<i32> {
        ensure!(x < 100, "{x} is too large");
        Ok(x * 3)
    });
    let callbacks = instance.get_table(&mut store, "callbacks").context("no table")?;
    callbacks.set(&mut store, 0, double.into())?;
    callbacks.set(&mut store, 1, Ref::from(triple))?;
    let call_back = instance.get_func(&mut store, "call_back").unwrap();
    let mut results = vec![Val::I32(0); call_back.ty(&store).results().len()];
    call_back.call(&mut store, &[Val::I32(0), Val::I32(21)], &mut results)?;
    assert_eq!(results[0].unwrap_i32(), 42);
    let call_back: TypedFunc<(i32, i32), i32> = call_back.typed(&store)?;
    assert_eq!(call_back.call(&mut store, (1, 5))?, 15);
    let error: Error = call_back.call(&mut store, (1, 100)).unwrap_err();
    assert!(format!("{error:?}").contains("100 is too large"));
    assert_eq!(call_back.call(&mut store, (2, 1)).unwrap_err().downcast::<Trap>()?, Trap::IndirectCallToNull);

    let two = instance.get_typed_func::<(i64, f64), (f64, i64)>(&mut store, "two")?;
    assert_eq!(two.call(&mut store, (1, 2.0))?, (2.0, 1));
    Ok(())
}

#[test]
fn modules_can_be_looked_at() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN)?;
    assert_eq!(module.name(), Some("plugin"));
    let imports: Vec<String> = module
        .imports()
        .map(|import: ImportType<'_>| {
            let kind = match import.ty() {
                ExternType::Func(ty) => format!("func of {} parameters", ty.params().len()),
                ExternType::Global(ty) => format!("global of {}", ty.content()),
                ExternType::Memory(_) | ExternType::Table(_) | ExternType::Tag(_) => "something".to_string(),
            };
            format!("{}.{}: {kind}", import.module(), import.name())
        })
        .collect();
    assert_eq!(
        imports,
        ["host.log: func of 2 parameters", "host.limit: func of 0 parameters", "host.base: global of i32"]
    );
    assert_eq!(module.exports().len(), 6);
    let export: ExportType<'_> = module.exports().next().unwrap();
    let memory = export.ty().unwrap_memory().clone();
    assert_eq!(
        (memory.minimum(), memory.maximum(), memory.is_64(), memory.is_shared()),
        (1, Some(4), false, false)
    );
    assert!(module.get_export("run").is_some() && module.get_export("walk").is_none());
    let _index: ModuleExport = module.get_export_index("run").unwrap();
    assert!(Module::validate(&engine, b"\0asm\x01\0\0\0").is_ok());
    assert!(Module::from_binary(&engine, b"not wasm").is_err());
    assert!(Engine::same(module.engine(), &engine));
    let weak: EngineWeak = engine.weak();
    assert!(weak.upgrade().is_some());

    let bytes = module.serialize()?;
    // SAFETY: made just now by the same engine.
    let again = unsafe { Module::deserialize(&engine, &bytes)? };
    assert_eq!(again.exports().len(), 6);
    Ok(())
}

#[test]
fn an_unknown_import_is_an_error_of_its_own() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, PLUGIN)?;
    let error = linker(&engine)?.instantiate(Store::new(&engine, Host::default()), &module).unwrap_err();
    let unknown = error.downcast::<UnknownImportError>()?;
    assert_eq!((unknown.module(), unknown.name()), ("host", "base"));
    assert!(matches!(unknown.ty(), ExternType::Global(_)));
    Ok(())
}

#[test]
fn memory_is_read_and_written() -> Result<()> {
    let mut store = Store::<u32>::default();
    let memory = Memory::new(&mut store, MemoryTypeBuilder::new().min(1).max(Some(2)).build()?)?;
    fn round_trip(memory: &Memory, mut store: impl AsContextMut) -> Result<[u8; 4], MemoryAccessError> {
        let mut buffer = [0; 4];
        memory.write(&mut store, 8, b"wasm")?;
        memory.read(&store, 8, &mut buffer)?;
        Ok(buffer)
    }
    assert_eq!(&round_trip(&memory, &mut store)?, b"wasm");
    assert_eq!(&round_trip(&memory, store.as_context_mut())?, b"wasm");
    assert!(memory.write(&mut store, 65534, b"wasm").is_err());
    let (bytes, data) = memory.data_and_store_mut(&mut store);
    *data = bytes[8].into();
    assert_eq!(*store.data(), u32::from(b'w'));
    assert_eq!(memory.grow(&mut store, 1)?, 1);
    assert_eq!((memory.size(&store), memory.page_size(&store)), (2, 65536));
    Ok(())
}

#[test]
fn a_borrowed_store_is_as_good_as_a_store() -> Result<()> {
    fn read<T: 'static>(store: impl AsContext<Data = T>, global: Global) -> ValType {
        global.ty(&store).content().clone()
    }
    fn count<'a>(store: impl Into<StoreContextMut<'a, u32>>) -> &'a mut u32 {
        let mut store: StoreContextMut<'a, u32> = store.into();
        *store.data_mut() += 1;
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        memory.data_and_store_mut(store).1
    }
    let mut store = Store::new(&Engine::default(), 1);
    let global = Global::new(&mut store, GlobalType::new(ValType::F32, Mutability::Var), 1.5_f32.into())?;
    assert!(read(&store, global).is_f32());
    assert!(read(&mut store, global).is_f32());
    assert!(read(store.as_context(), global).is_f32());
    assert!(read(store.as_context_mut(), global).is_f32());
    *count(&mut store) += 1;
    *count(store.as_context_mut()) += 1;
    let context: StoreContext<'_, u32> = store.as_context();
    assert_eq!(*context.data(), 5);
    global.set(&mut store, Val::from(2.5_f32))?;
    assert_eq!(global.get(&mut store).unwrap_f32(), 2.5);
    Ok(())
}

#[test]
fn references_are_values() -> Result<()> {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap(
        "",
        "length",
        |caller: Caller<'_, ()>, value: Option<Rooted<ExternRef>>| -> Result<u32> {
            let value = value.context("null")?;
            let text = value.data(&caller)?.and_then(|data| data.downcast_ref::<String>());
            Ok(text.context("not a string")?.len() as u32)
        },
    )?;
    let wat = r#"(module (import "" "length" (func $length (param externref) (result i32)))
        (func (export "length") (param externref) (result i32) (call $length (local.get 0)))
        (func (export "same") (param funcref) (result funcref) (local.get 0)))"#;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &Module::new(&engine, wat)?)?;
    let length = instance.get_typed_func::<Option<Rooted<ExternRef>>, u32>(&mut store, "length")?;
    let owned: OwnedRooted<ExternRef> = {
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, "four".to_string())?;
        assert_eq!(length.call(&mut scope, Some(value))?, 4);
        value.to_owned_rooted(&mut scope)?
    };
    let value = owned.to_rooted(&mut store);
    assert_eq!(length.call(&mut store, Some(value))?, 4);
    assert!(length.call(&mut store, None).is_err());

    let same = instance.get_typed_func::<Option<Func>, Option<Func>>(&mut store, "same")?;
    let func = Func::wrap(&mut store, || {});
    let back = same.call(&mut store, Some(func))?.unwrap();
    assert_eq!(back.to_raw(&mut store), func.to_raw(&mut store));
    assert!(same.call(&mut store, None)?.is_none());
    let to_null = instance.get_typed_func::<Option<NoFunc>, Option<Func>>(&mut store, "same")?;
    assert!(to_null.call(&mut store, NoFunc::null())?.is_none());
    let _: Option<NoExtern> = NoExtern::null();
    Ok(())
}

/// Every kind of value, as programs that print them have it.
fn show(val: &Val) -> String {
    match val {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(value) => value.as_u128().to_string(),
        Val::FuncRef(None)
        | Val::ExternRef(None)
        | Val::AnyRef(None)
        | Val::ExnRef(None)
        | Val::ContRef(None) => "null".to_string(),
        Val::FuncRef(Some(_)) => "func".to_string(),
        Val::ExternRef(Some(_)) => "extern".to_string(),
        Val::AnyRef(Some(_)) => "any".to_string(),
        Val::ExnRef(Some(_)) => "exn".to_string(),
        Val::ContRef(Some(_)) => "cont".to_string(),
    }
}

#[test]
fn values_can_be_matched() {
    let shown: Vec<_> = [Val::I32(-1), Val::from(1.5_f64), Val::from(V128::from(7)), Val::null_func_ref()]
        .iter()
        .map(show)
        .collect();
    assert_eq!(shown, ["-1", "1.5", "7", "null"]);
    assert_eq!(ValRaw::i64(5).get_i64(), 5);
}

/// Generic code over functions, as bindings have it.
fn wrap_twice<T: 'static, Params, Results>(
    store: &mut Store<T>,
    func: impl IntoFunc<T, Params, Results> + Copy,
) -> [Func; 2] {
    [Func::wrap(&mut *store, func), Func::wrap(store, func)]
}

fn call_it<P: WasmParams, R: WasmResults>(store: &mut Store<()>, func: Func, params: P) -> Result<R> {
    func.typed::<P, R>(&*store)?.call(store, params)
}

fn returns<R: WasmRet>(_: impl Fn() -> R) {}
fn is_a_type<T: WasmTy>() {}

#[test]
fn generic_code_compiles() -> Result<()> {
    let mut store = Store::new(&Engine::default(), ());
    for func in wrap_twice(&mut store, |a: u64, b: u32| a + u64::from(b)) {
        assert_eq!(call_it::<(u64, u32), u64>(&mut store, func, (40, 2))?, 42);
    }
    returns(|| ());
    returns(|| 1_i32);
    returns(|| (1_i32, 2.0_f64));
    returns(|| -> Result<(i32, f32)> { bail!("nothing") });
    is_a_type::<V128>();
    is_a_type::<Option<Func>>();
    Ok(())
}

#[test]
fn types_are_made_and_compared() -> Result<()> {
    let engine = Engine::default();
    let ty = FuncType::new(&engine, [ValType::I32, ValType::FUNCREF], [ValType::EXTERNREF]);
    assert_eq!((ty.params().len(), ty.results().len()), (2, 1));
    assert!(matches!(ty.finality(), Finality::Final));
    let typed = ValType::Ref(RefType::new(true, HeapType::ConcreteFunc(ty)));
    assert!(typed.matches(&ValType::FUNCREF) && !ValType::FUNCREF.matches(&typed));
    let table = TableType::new(RefType::FUNCREF, 1, Some(2));
    assert_eq!((table.minimum(), table.maximum(), table.element().is_nullable()), (1, Some(2), true));
    let port: Result<u16> = "8080".parse::<u16>().to_wasmtime_result();
    assert_eq!(port?, 8080);
    Ok(())
}

#[test]
fn exports_are_taken_apart() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, Host::default());
    let mut linker = linker(&engine)?;
    let module = Module::new(&engine, PLUGIN)?;
    linker.define_unknown_imports_as_default_values(&mut store, &module)?;
    let instance: Instance = linker.instantiate(&mut store, &module)?;
    let mut memories = 0;
    for export in instance.exports(&mut store) {
        let export: Export<'_> = export;
        if let Some(_memory) = export.into_memory() {
            memories += 1;
        }
    }
    assert_eq!(memories, 1);
    let ty = instance.get_export(&mut store, "version").unwrap().ty(&store);
    assert!(ty.unwrap_global().mutability().is_const());
    let table: Table = instance.get_table(&mut store, "callbacks").unwrap();
    assert_eq!(table.size(&store), 4);
    Ok(())
}
