//! Making modules: from text and bytes, from artifacts, and what is said when that does not work.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tenure::{
    Cancel, Config, Engine, Error, Instance, Module, OptLevel, Precompiled, Result, Store, Strategy,
    WasmFeatures,
};

const SOURCE: &str = r#"(module $adds
    (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func $div (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (memory (export "memory") 1)
    (data (i32.const 0) "some data"))"#;

fn error<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "no error".to_string(),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn the_main_types_can_be_shared_by_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Engine>();
    is_shared::<Module>();
    is_shared::<Config>();
    is_shared::<Error>();
    is_shared::<tenure::FuncType>();
    is_shared::<tenure::ExternType>();
    is_shared::<tenure::WasmBacktrace>();
    is_shared::<tenure::UnknownImportError>();
}

#[test]
fn bad_modules_are_refused_with_the_place() {
    let engine = Engine::default();
    assert!(error(Module::new(&engine, b"\0asm\x02\0\0\0")).contains("at offset 0x"));
    assert!(error(Module::new(&engine, "(module (func (result i32)))")).contains("type mismatch"));
    assert!(error(Module::new(&engine, "(module (func")).contains("<anon>:1:"));
    assert!(error(Module::from_binary(&engine, b"(module)")).contains("magic"));
    assert!(error(Module::from_file(&engine, "/no/such/file")).starts_with("cannot read `/no/such/file`"));
    assert!(error(Module::new(&engine, "(module (type (struct)))")).contains("gc"));
    assert_eq!(error(Module::validate(&engine, b"\0asm\x01\0\0\0")), "no error");
    assert!(error(Module::validate(&engine, b"\0asm\x01\0\0\0\x01")).contains("offset"));
}

#[test]
fn the_first_bad_function_is_named_whatever_the_number_of_threads() {
    let mut source = String::from("(module");
    for at in 0..3000 {
        let body = if at == 1234 || at > 2000 { "(i32.add)" } else { "(drop (i32.const 1))" };
        source.push_str(&format!("(func {body} (drop (i64.const 123456789)))"));
    }
    source.push(')');
    let mut alone = Config::new();
    alone.parallel_compilation(false);
    let alone = error(Module::new(&Engine::new(&alone).unwrap(), &source));
    assert!(alone.contains("type mismatch"), "{alone}");
    for _ in 0..3 {
        assert_eq!(error(Module::new(&Engine::default(), &source)), alone);
    }
}

#[test]
fn a_proposal_that_is_off_is_off() {
    let mut config = Config::new();
    config.wasm_simd(false);
    let engine = Engine::new(&config).unwrap();
    assert!(error(Module::new(&engine, "(module (func (param v128)))")).to_lowercase().contains("simd"));
}

#[test]
fn what_an_engine_cannot_be_is_said_when_it_is_made() {
    let refusal = |change: fn(&mut Config) -> &mut Config| {
        let mut config = Config::new();
        change(&mut config);
        error(Engine::new(&config))
    };
    assert_eq!(refusal(|c| c.wasm_threads(true)), "wasm_threads: the threads proposal is not supported yet");
    assert!(refusal(|c| c.wasm_features(WasmFeatures::all(), true)).contains("is not supported yet"));
    assert_eq!(refusal(|c| c.strategy(Strategy::Cranelift).wasm_backtrace(false)), "no error");
}

#[test]
fn progress_is_told_and_can_stop() {
    let engine = Engine::default();
    let (calls, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Module::new_with_progress(&engine, SOURCE, &|progress| {
        calls.fetch_add(1, Ordering::Relaxed);
        last.fetch_max(progress.done, Ordering::Relaxed);
        assert_eq!(progress.total, 2);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((calls.into_inner(), last.into_inner()), (2, 2));
    let stopped = Module::new_with_progress(&engine, SOURCE, &|_| ControlFlow::Break(()));
    assert_eq!(error(stopped), "the compilation was stopped");
}

#[test]
fn a_compilation_ends_when_time_is_up_or_another_thread_says_so() {
    let source = format!("(module {})", "(func)".repeat(1_000));
    for strategy in [Strategy::Baseline, Strategy::Optimizing, Strategy::Tiered] {
        let mut config = Config::new();
        config.strategy(strategy).compile_time_limit(Some(Duration::from_nanos(1)));
        let message = error(Module::new(&Engine::new(&config).unwrap(), &source));
        assert!(message.starts_with("compiling took longer than 1ns, the engine's"), "{message}");

        config.compile_time_limit(Some(Duration::from_secs(3_600)));
        let engine = Engine::new(&config).unwrap();
        let cancel = Cancel::new();
        assert!(Module::new_cancellable(&engine, &source, &cancel).is_ok());
        cancel.clone().cancel();
        assert_eq!(error(Module::new_cancellable(&engine, &source, &cancel)), "the compilation was stopped");
    }
}

#[test]
fn a_function_that_takes_too_much_memory_to_optimize_has_baseline_code() {
    let adds = "(local.set 0 (i32.add (local.get 0) (local.get 0)))".repeat(100);
    let source = format!(
        r#"(module (func (export "small") (result i32) (i32.const 1))
            (func (export "large") (param i32) (result i32) {adds} (local.get 0)))"#
    );
    for (limit, optimized) in [(1, 0), (100_000, 1), (1 << 30, 2)] {
        let mut config = Config::new();
        config.strategy(Strategy::Optimizing).compile_memory_limit(limit);
        let engine = Engine::new(&config).unwrap();
        let module = Module::new(&engine, &source).unwrap();
        let tiers = module.tiers();
        assert_eq!((tiers.optimized, tiers.baseline), (optimized, 2 - optimized), "{limit}");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let large = instance.get_typed_func::<i32, i32>(&mut store, "large").unwrap();
        assert_eq!(large.call(&mut store, 1).unwrap(), 0);
    }
}

#[test]
fn an_invalid_body_is_found_at_its_first_call_where_that_is_wanted() {
    let source =
        r#"(module (func (export "good") (result i32) i32.const 7) (func (export "bad") (result i32)))"#;
    assert!(error(Module::new(&Engine::default(), source)).contains("type mismatch"));
    let engine = Engine::new(Config::new().lazy_validation(true)).unwrap();
    assert!(Module::validate(&engine, &wat::parse_str(source).unwrap()).is_err());
    assert!(
        error(Module::new(&engine, "(module (memory 70000))")).contains("memory"),
        "all but bodies is checked"
    );
    let module = Module::new(&engine, source).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let call = |store: &mut Store<()>, name| {
        instance.get_typed_func::<(), i32>(&mut *store, name).unwrap().call(store, ())
    };
    for _ in 0..2 {
        assert_eq!(call(&mut store, "good").unwrap(), 7);
        let message = error(call(&mut store, "bad"));
        assert!(message.contains("function 1") && message.contains("type mismatch"), "{message}");
    }
}

#[test]
fn every_level_of_effort_makes_code() {
    let texts = [OptLevel::None, OptLevel::Speed, OptLevel::SpeedAndSize].map(|level| {
        let mut config = Config::new();
        config.strategy(Strategy::Optimizing).cranelift_opt_level(level).cranelift_debug_verifier(true);
        Module::new(&Engine::new(&config).unwrap(), SOURCE).unwrap().text().to_vec()
    });
    assert!(texts.iter().all(|text| !text.is_empty()));
}

#[test]
fn an_engine_that_does_not_compile_still_loads() {
    let bytes = Engine::default().precompile_module(SOURCE.as_bytes()).unwrap();
    let mut config = Config::new();
    config.enable_compiler(false);
    let engine = Engine::new(&config).unwrap();
    assert!(error(Module::new(&engine, SOURCE)).contains("does not compile"));
    // SAFETY: made just now.
    let module = unsafe { Module::deserialize(&engine, &bytes) }.unwrap();
    assert_eq!(module.name(), Some("adds"));
}

#[test]
fn artifacts_come_back_whole_or_not_at_all() {
    let engine = Engine::default();
    let module = Module::new(&engine, SOURCE).unwrap();
    let bytes = module.serialize().unwrap();
    assert_eq!(bytes, engine.precompile_module(SOURCE.as_bytes()).unwrap(), "same bytes in, same artifact");
    assert_eq!(Engine::detect_precompiled(&bytes), Some(Precompiled::Module));
    assert_eq!(Engine::detect_precompiled(b"\0asm"), None);
    assert!(error(Module::new(&engine, &bytes)).contains("Module::deserialize"));

    // SAFETY: made just now.
    let load = |bytes: &[u8]| unsafe { Module::deserialize(&engine, bytes) };
    let back = load(&bytes).unwrap();
    let ahead = Engine::new(Config::new().strategy(Strategy::Optimizing)).unwrap();
    assert_eq!(
        back.text(),
        Module::new(&ahead, SOURCE).unwrap().text(),
        "code ahead of time is the best there is"
    );
    assert!(module.text().is_empty(), "other code comes when it is called");
    assert!(!Module::same(&back, &module));
    for at in 0..bytes.len() {
        assert!(load(&bytes[..at]).is_err(), "cut at {at}");
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        assert!(load(&damaged).is_err(), "byte {at}");
    }

    let mut config = Config::new();
    config.signals_based_traps(false);
    let other = Engine::new(&config).unwrap();
    // SAFETY: made just now.
    let refusal = error(unsafe { Module::deserialize(&other, &bytes) });
    assert!(refusal.contains("signals_based_traps was `true` there and is `false` here"), "{refusal}");
}

#[test]
fn code_can_be_looked_at() {
    let ahead = Engine::new(Config::new().strategy(Strategy::Optimizing)).unwrap();
    let module = Module::new(&ahead, SOURCE).unwrap();
    let functions: Vec<_> = module.functions().collect();
    assert_eq!(functions.iter().map(|f| f.name.as_deref()).collect::<Vec<_>>(), [Some("add"), Some("div")]);
    assert!(functions.iter().all(|f| f.len > 0 && f.offset + f.len <= module.text().len()));
    let map: Vec<_> = module.address_map().unwrap().collect();
    assert!(map.is_sorted_by_key(|row| row.0) && map.iter().any(|row| row.1.is_some()));
    let traps: Vec<_> = module.traps().collect();
    assert!(traps.iter().any(|(_, trap)| *trap == tenure::Trap::IntegerDivisionByZero));
    assert_eq!(module.image_range().end as usize - module.image_range().start as usize, module.text().len());

    let mut config = Config::new();
    config.generate_address_map(false);
    assert!(Module::new(&Engine::new(&config).unwrap(), SOURCE).unwrap().address_map().is_none());
}
