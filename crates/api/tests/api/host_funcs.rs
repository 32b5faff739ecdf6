use crate::{empty_store, engines, panic_of};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tenure::{
    Caller, Engine, Error, Extern, Func, FuncType, Instance, Linker, Module, Result, Store, TypedFunc, V128,
    Val, ValType, WasmBacktrace,
};

/// An instance with `func` as its import `f`, of type `ty`, and an export `run` of the same type that calls
/// it.
fn around<T: 'static>(store: &mut Store<T>, func: Func, ty: &str, args: &str) -> Instance {
    let wat = format!(
        r#"(module (type $ty (func {ty})) (import "" "f" (func $f (type $ty)))
            (func $run (export "run") (type $ty) {args} (call $f)))"#
    );
    let module = Module::new(store.engine(), wat).unwrap();
    Instance::new(store, &module, &[func.into()]).unwrap()
}

#[derive(Debug, PartialEq)]
struct OurError(u32);

impl fmt::Display for OurError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "our error {}", self.0)
    }
}

impl std::error::Error for OurError {}

#[test]
fn every_type_goes_both_ways() {
    let mut store = empty_store();
    type All = (i32, u32, i64, u64, f32, f64, V128, Option<Func>);
    let func = Func::wrap(
        &mut store,
        |a: i32, b: u32, c: i64, d: u64, e: f32, f: f64, g: V128, h: Option<Func>| -> All {
            (a.wrapping_neg(), b / 2, c.wrapping_neg(), d / 2, -e, -f, V128::from(!g.as_u128()), h)
        },
    );
    let ty = "(param i32 i32 i64 i64 f32 f64 v128 funcref) (result i32 i32 i64 i64 f32 f64 v128 funcref)";
    let args: String = (0..8).map(|at| format!("(local.get {at})")).collect();
    let instance = around(&mut store, func, ty, &args);
    let run = instance.get_typed_func::<All, All>(&mut store, "run").unwrap();
    for run in [run, func.typed(&store).unwrap()] {
        let results = run.call(
            &mut store,
            (1, u32::MAX, i64::MAX, u64::MAX, 1.5, f64::INFINITY, V128::from(1), Some(func)),
        );
        let expected =
            (-1, u32::MAX / 2, -i64::MAX, u64::MAX / 2, -1.5, f64::NEG_INFINITY, V128::from(!1), Some(func));
        assert_eq!(results.unwrap(), expected);
    }
}

#[test]
fn seventeen_parameters() {
    let mut store = empty_store();
    #[rustfmt::skip]
    #[allow(clippy::too_many_arguments, reason = "as many as there can be")]
    fn digits(
        a: u32, b: u64, c: u32, d: u64, e: u32, f: u64, g: u32, h: u64, i: u32,
        j: u64, k: u32, l: u64, m: u32, n: f32, o: f64, p: u32, q: u64,
    ) -> String {
        format!("{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m}{n}{o}{p}{q}")
    }
    let func = Func::wrap(&mut store, |a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q| {
        digits(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q).len() as u32
    });
    let ty = "(param i32 i64 i32 i64 i32 i64 i32 i64 i32 i64 i32 i64 i32 f32 f64 i32 i64) (result i32)";
    let args: String = (0..17).map(|at| format!("(local.get {at})")).collect();
    let instance = around(&mut store, func, ty, &args);
    #[rustfmt::skip]
    type Params = (
        u32, u64, u32, u64, u32, u64, u32, u64, u32, u64, u32, u64, u32, f32, f64, u32, u64,
    );
    let run = instance.get_typed_func::<Params, u32>(&mut store, "run").unwrap();
    let len = run.call(&mut store, (1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4.0, 5.0, 6, 7));
    assert_eq!(len.unwrap(), 17);
    assert_eq!(digits(1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4.0, 5.0, 6, 7), "12345678901234567");
}

#[test]
fn seventeen_results_of_a_guest() {
    let mut store = empty_store();
    let consts: String = (0..17).map(|at| format!("(i64.const {at})")).collect();
    let wat = format!("(module (func (export \"f\") (result{}) {consts}))", " i64".repeat(17));
    let module = Module::new(store.engine(), wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut results = vec![Val::I32(0); 17];
    instance.get_func(&mut store, "f").unwrap().call(&mut store, &[], &mut results).unwrap();
    for (at, result) in results.iter().enumerate() {
        assert_eq!(result.i64(), Some(at as i64));
    }
}

#[test]
fn untyped_functions_get_values_and_room() {
    let mut store = Store::new(&Engine::default(), Vec::new());
    let ty = FuncType::new(store.engine(), [ValType::I32, ValType::F64], [ValType::F64, ValType::I32]);
    let swap = Func::new(&mut store, ty, |mut caller: Caller<'_, Vec<String>>, params, results| {
        caller.data_mut().push(format!("{params:?} {results:?}"));
        results[0] = params[1];
        results[1] = params[0];
        Ok(())
    });
    let instance =
        around(&mut store, swap, "(param i32 f64) (result f64 i32)", "(local.get 0) (local.get 1)");
    let run = instance.get_typed_func::<(i32, f64), (f64, i32)>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, (3, 0.5)).unwrap(), (0.5, 3));
    assert_eq!(store.data().len(), 1);
}

#[test]
fn results_of_the_wrong_type_are_an_error() {
    let mut store = empty_store();
    let ty = FuncType::new(store.engine(), [], [ValType::I32]);
    let wrong = Func::new(&mut store, ty, |_, _, results| {
        results[0] = Val::I64(1);
        Ok(())
    });
    let instance = around(&mut store, wrong, "(result i32)", "");
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    for _ in 0..2 {
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "type mismatch: expected i32, found i64");
    }
}

#[test]
fn arguments_of_the_wrong_number_or_type_are_an_error() {
    let mut store = empty_store();
    let func = Func::wrap(&mut store, |x: i32| x);
    let mut results = [Val::I32(0)];
    let mut text = |params: &[Val], results: &mut [Val]| {
        format!("{}", func.call(&mut store, params, results).unwrap_err())
    };
    assert_eq!(text(&[], &mut results), "expected 1 arguments, got 0");
    assert_eq!(text(&[Val::I32(1), Val::I32(1)], &mut results), "expected 1 arguments, got 2");
    assert_eq!(text(&[Val::I32(1)], &mut []), "expected 1 results, got 0");
    assert_eq!(text(&[Val::F32(1)], &mut results), "argument 0: type mismatch: expected i32, found f32");
    func.call(&mut store, &[Val::I32(8)], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(8));
}

#[test]
fn an_error_arrives_as_it_left() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, 0);
        let fail = Func::wrap(&mut store, |mut caller: Caller<'_, u32>, value: u32| -> Result<u32> {
            *caller.data_mut() += 1;
            if value > 5 { Err(Error::new(OurError(value))) } else { Ok(value) }
        });
        let instance = around(&mut store, fail, "(param i32) (result i32)", "(local.get 0)");
        let run = instance.get_typed_func::<u32, u32>(&mut store, "run").unwrap();
        let error = run.call(&mut store, 7).unwrap_err();
        assert_eq!(error.downcast_ref::<OurError>(), Some(&OurError(7)), "{name}");
        let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
        assert_eq!(trace.frames().len(), 1, "{name}");
        assert_eq!(trace.frames()[0].func_name(), Some("run"), "{name}");
        assert_eq!(run.call(&mut store, 5).unwrap(), 5, "{name}");
        assert_eq!(*store.data(), 2, "{name}");

        // Called by the host, there are no guest frames.
        let error = fail.typed::<u32, u32>(&store).unwrap().call(&mut store, 9).unwrap_err();
        assert_eq!(error.downcast_ref::<OurError>(), Some(&OurError(9)), "{name}");
    }
}

#[test]
fn a_panic_resumes_at_the_caller_and_the_store_works_afterwards() {
    for (_, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let dropped = Arc::new(AtomicU32::new(0));
        let counter = dropped.clone();
        let panics = Func::wrap(&mut store, move |value: u32| -> u32 {
            let _counts = CountsDrops(counter.clone());
            assert!(value < 5, "{value} is too much");
            value
        });
        let instance = around(&mut store, panics, "(param i32) (result i32)", "(local.get 0)");
        let run = instance.get_typed_func::<u32, u32>(&mut store, "run").unwrap();
        for at in 1..4 {
            assert_eq!(panic_of(|| run.call(&mut store, 10 + at)), format!("{} is too much", 10 + at));
            assert_eq!(run.call(&mut store, at).unwrap(), at);
            assert_eq!(dropped.load(Relaxed), 2 * at, "the host's own frames are unwound");
        }
        assert_eq!(panic_of(|| panics.call(&mut store, &[Val::I32(6)], &mut [Val::I32(0)])), "6 is too much");
    }
}

#[test]
fn functions_of_every_shape_can_fail() {
    use ValType::{F64, I32, I64};
    let many = || [I32, I64, F64].into_iter().cycle().take(30);
    for (name, engine) in engines() {
        for (params, results) in [(0, 0), (1, 0), (0, 1), (3, 2), (30, 0), (0, 30), (30, 30)] {
            let ty = FuncType::new(&engine, many().take(params), many().take(results));
            let dropped = Arc::new(AtomicU32::new(0));
            let counter = dropped.clone();
            let mut store = Store::new(&engine, 0);
            let fails = Func::new(&mut store, ty.clone(), move |caller: Caller<'_, u32>, _, _| {
                let _counts = CountsDrops(counter.clone());
                match *caller.data() {
                    0 => Ok(()),
                    1 => Err(Error::new(OurError(1))),
                    _ => panic!("we give up"),
                }
            });
            let list = |word, types: &mut dyn Iterator<Item = ValType>| {
                types.fold(String::new(), |list, ty| format!("{list} ({word} {ty})"))
            };
            let wat_type = list("param", &mut ty.params()) + &list("result", &mut ty.results());
            let args = (0..params).map(|at| format!("(local.get {at})")).collect::<String>();
            let instance = around(&mut store, fails, &wat_type, &args);
            let run = instance.get_func(&mut store, "run").unwrap();
            let args: Vec<_> = ty.params().map(|ty| Val::default_for_ty(&ty).unwrap()).collect();
            let mut values: Vec<_> = ty.results().map(|ty| Val::default_for_ty(&ty).unwrap()).collect();
            for round in 0..3 {
                *store.data_mut() = 1;
                let error = run.call(&mut store, &args, &mut values).unwrap_err();
                assert_eq!(error.downcast_ref::<OurError>(), Some(&OurError(1)), "{name}: {wat_type}");
                let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
                let frames: Vec<_> = trace.frames().iter().map(|frame| frame.func_name().unwrap()).collect();
                assert_eq!(frames, ["run"], "{name}: {wat_type}");
                *store.data_mut() = 2;
                let text = panic_of(|| run.call(&mut store, &args, &mut values));
                assert_eq!(text, "we give up", "{name}: {wat_type}");
                *store.data_mut() = 0;
                run.call(&mut store, &args, &mut values).unwrap();
                assert_eq!(dropped.load(Relaxed), 3 * (round + 1), "{name}: {wat_type}");
            }
        }
    }
}

/// Counts how often its like was dropped.
struct CountsDrops(Arc<AtomicU32>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A guest and a host function that call each other until a count is 0; the host then does `at_the_end`.
fn ping_pong(store: &mut Store<()>, at_the_end: fn() -> Result<u32>) -> TypedFunc<u32, u32> {
    let ping = Func::wrap(&mut *store, move |mut caller: Caller<'_, ()>, left: u32| -> Result<u32> {
        if left == 0 {
            return at_the_end();
        }
        let run = caller.get_export("run").and_then(Extern::into_func).unwrap();
        Ok(run.typed::<u32, u32>(&caller)?.call(&mut caller, left - 1)? + 1)
    });
    let instance = around(store, ping, "(param i32) (result i32)", "(local.get 0)");
    instance.get_typed_func(store, "run").unwrap()
}

#[test]
fn guests_and_host_call_each_other() {
    let mut store = empty_store();
    let run = ping_pong(&mut store, || Ok(100));
    assert_eq!(run.call(&mut store, 50).unwrap(), 150);

    let run = ping_pong(&mut store, || Err(Error::new(OurError(1))));
    let error = run.call(&mut store, 10).unwrap_err();
    assert_eq!(error.downcast_ref::<OurError>(), Some(&OurError(1)));
    let frames = error.downcast_ref::<WasmBacktrace>().unwrap().frames().len();
    assert_eq!(frames, 11, "the guest's frames of every call");

    let run = ping_pong(&mut store, || panic!("far down"));
    assert_eq!(panic_of(|| run.call(&mut store, 10)), "far down");
    let run = ping_pong(&mut store, || Ok(0));
    assert_eq!(run.call(&mut store, 3).unwrap(), 3);
}

#[test]
fn an_inner_failure_can_be_handled_by_the_host_function() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let attempt = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> i32 {
        let fails = caller.get_export("fails").and_then(Extern::into_func).unwrap();
        match fails.call(&mut caller, &[], &mut []) {
            Ok(()) => 0,
            Err(error) => i32::from(error.is::<tenure::Trap>()),
        }
    });
    let wat = r#"(module (import "" "attempt" (func $attempt (result i32)))
        (func (export "fails") unreachable)
        (func (export "run") (result i32) (i32.add (call $attempt) (call $attempt))))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[attempt.into()]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 2);
}

#[test]
fn the_caller_is_the_instance_that_calls() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("", "who", |mut caller: Caller<'_, ()>| -> i32 {
            let Some(Extern::Global(who)) = caller.get_export("who") else { return -1 };
            who.get(&mut caller).unwrap_i32()
        })
        .unwrap();
    let module = |who: i32| {
        let wat = format!(
            r#"(module (import "" "who" (func $who (result i32))) (global (export "who") i32 (i32.const {who}))
                (func (export "ask") (result i32) (call $who)))"#
        );
        Module::new(&engine, wat).unwrap()
    };
    let mut store = Store::new(&engine, ());
    let one = linker.instantiate(&mut store, &module(1)).unwrap();
    linker.instance(&mut store, "one", one).unwrap();
    linker.instance(&mut store, "direct", one).unwrap();
    let wat = r#"(module (import "one" "ask" (func $ask (result i32))) (import "" "who" (func $who (result i32)))
        (global (export "who") i32 (i32.const 2))
        (func (export "through") (result i32 i32) (call $ask) (call $who)))"#;
    let two = linker.instantiate(&mut store, &Module::new(&engine, wat).unwrap()).unwrap();
    let through = two.get_typed_func::<(), (i32, i32)>(&mut store, "through").unwrap();
    assert_eq!(through.call(&mut store, ()).unwrap(), (1, 2));

    let who = linker.get(&mut store, "", "who").unwrap().into_func().unwrap();
    let who = who.typed::<(), i32>(&store).unwrap();
    assert_eq!(who.call(&mut store, ()).unwrap(), -1, "the host is no instance");
}

#[test]
fn callers_find_exports_by_index() {
    let engine = Engine::default();
    let wat = r#"(module (import "" "f" (func $f (result i32))) (global (export "g") i32 (i32.const 8))
        (func (export "run") (result i32) (call $f)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let index = module.get_export_index("g").unwrap();
    let mut store = Store::new(&engine, ());
    let f = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
        let global = caller.get_module_export(&index).and_then(Extern::into_global).unwrap();
        global.get(&mut caller).unwrap_i32()
    });
    let instance = Instance::new(&mut store, &module, &[f.into()]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 8);
}

#[test]
fn unchecked_functions_see_raw_values() {
    use tenure::ValRaw;
    let mut store = empty_store();
    let ty = FuncType::new(store.engine(), [ValType::I32, ValType::I32], [ValType::I64]);
    // SAFETY: takes two `i32` and returns an `i64`.
    let add = unsafe {
        Func::new_unchecked(&mut store, ty, |_, values| {
            // SAFETY: the arguments are there.
            let (a, b) = (values[0].assume_init().get_i32(), values[1].assume_init().get_i32());
            values[0].write(ValRaw::i64(i64::from(a) + i64::from(b)));
            Ok(())
        })
    };
    let add_typed = add.typed::<(i32, i32), i64>(&store).unwrap();
    assert_eq!(add_typed.call(&mut store, (i32::MAX, 1)).unwrap(), 1 << 31);
    let mut values = [ValRaw::i32(2), ValRaw::i32(3)];
    // SAFETY: as many values as parameters, of their types.
    unsafe { add.call_unchecked(&mut store, &mut values) }.unwrap();
    assert_eq!(values[0].get_i64(), 5);
}

#[test]
fn lists_of_rust_types_tell_their_types() {
    use tenure::{ExternRef, Func, Rooted, WasmTyList};
    let types = <(i32, u64, Option<Func>, Rooted<ExternRef>) as WasmTyList>::valtypes();
    let types: Vec<_> = types.map(|ty| ty.to_string()).collect();
    assert_eq!(types, ["i32", "i64", "funcref", "(ref extern)"]);
}
