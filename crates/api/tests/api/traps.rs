use crate::{engines, instantiate};
use tenure::{
    Caller, Config, Engine, Error, Extern, Func, Instance, Module, Result, Store, Trap, TypedFunc,
    WasmBacktrace,
};

/// Calls the export `f` of a module with these fields.
fn run(engine: &Engine, fields: &str) -> Result<()> {
    let mut store = Store::new(engine, ());
    let instance = instantiate(&mut store, &format!("(module {fields})"));
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let first = f.call(&mut store, ());
    let again = f.call(&mut store, ());
    let trap =
        |result: &Result<()>| result.as_ref().err().and_then(|error| error.downcast_ref::<Trap>().copied());
    assert_eq!(trap(&first), trap(&again), "the store works after a trap");
    first
}

#[test]
fn every_trap_has_its_code() {
    let cases = [
        ("unreachable", Trap::UnreachableCodeReached),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", Trap::IntegerDivisionByZero),
        ("(drop (i64.rem_u (i64.const 1) (i64.const 0)))", Trap::IntegerDivisionByZero),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", Trap::IntegerOverflow),
        ("(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", Trap::IntegerOverflow),
        ("(drop (i32.trunc_f64_s (f64.const nan)))", Trap::BadConversionToInteger),
        ("(drop (i32.trunc_f64_s (f64.const 1e300)))", Trap::IntegerOverflow),
        ("(drop (i64.trunc_f32_u (f32.const -1)))", Trap::IntegerOverflow),
        ("(drop (i32.load (i32.const 65533)))", Trap::MemoryOutOfBounds),
        ("(drop (i32.load offset=0xffffffff (i32.const -1)))", Trap::MemoryOutOfBounds),
        ("(i64.store (i32.const -8) (i64.const 0))", Trap::MemoryOutOfBounds),
        ("(memory.fill (i32.const 65536) (i32.const 0) (i32.const 1))", Trap::MemoryOutOfBounds),
        ("(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))", Trap::MemoryOutOfBounds),
        ("(memory.init $d (i32.const 0) (i32.const 0) (i32.const 9))", Trap::MemoryOutOfBounds),
        ("(drop (table.get $t (i32.const 3)))", Trap::TableOutOfBounds),
        ("(table.set $t (i32.const -1) (ref.null func))", Trap::TableOutOfBounds),
        ("(table.init $t $e (i32.const 0) (i32.const 1) (i32.const 1))", Trap::TableOutOfBounds),
        ("(call_indirect $t (i32.const 3))", Trap::TableOutOfBounds),
        ("(call_indirect $t (i32.const 0))", Trap::IndirectCallToNull),
        ("(call_indirect $t (result i32) (i32.const 1)) drop", Trap::BadSignature),
        ("(call_ref $nothing (ref.null $nothing))", Trap::NullReference),
        ("(drop (ref.as_non_null (ref.null func)))", Trap::NullReference),
        ("(call $forever)", Trap::StackOverflow),
    ];
    for (name, engine) in engines() {
        for (body, trap) in cases {
            let fields = format!(
                "(memory 1) (table $t 3 funcref) (type $nothing (func)) (elem (table $t) (i32.const 1) func $g)
                (elem $e func $g) (data $d \"12345678\") (func $g) (func $forever (call $forever))
                (func (export \"f\") {body})"
            );
            let error = run(&engine, &fields).expect_err(body);
            assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}: {body}");
            assert_eq!(
                error.root_cause().to_string(),
                format!("wasm trap: {}", trap.message()),
                "{name}: {body}"
            );
        }
    }
}

#[test]
fn a_backtrace_names_functions_and_places() {
    let wat = r#"(module $example
        (func $innermost (export "innermost") (param i32)
            (global.set $g (local.get 0)) unreachable)
        (global $g (mut i32) (i32.const 0))
        (func $middle (param i32) nop nop (call $innermost (local.get 0)))
        (func (export "outermost") (call $middle (i32.const 1)))
        (func $tail (export "tail") (return_call $middle (i32.const 1))))"#;
    let wasm = wat::parse_str(wat).unwrap();
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, &wasm).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let error = call(&mut store, instance, "outermost");
        let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
        let frames: Vec<_> =
            trace.frames().iter().map(|frame| (frame.func_index(), frame.func_name())).collect();
        assert_eq!(frames, [(0, Some("innermost")), (1, Some("middle")), (2, Some("outermost"))], "{name}");
        for frame in trace.frames() {
            assert!(Module::same(frame.module(), &module));
            assert_eq!(frame.module().name(), Some("example"));
        }
        let at = trace.frames()[0].module_offset().unwrap();
        assert_eq!(wasm[at], 0x00, "{name}: the offset is that of `unreachable`");
        let at = trace.frames()[1].module_offset().unwrap();
        assert_eq!(wasm[at..at + 2], [0x10, 0x00], "{name}: the offset is that of the call");
        assert!(trace.frames()[1].func_offset().unwrap() >= 2, "{name}");

        let text = format!("{error:?}");
        assert!(text.contains("example!innermost") && text.contains("example!middle"), "{name}: {text}");
        assert!(text.contains("wasm trap: wasm `unreachable` instruction executed"), "{name}: {text}");

        let error = call(&mut store, instance, "tail");
        let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
        let names: Vec<_> = trace.frames().iter().filter_map(|frame| frame.func_name()).collect();
        assert_eq!(names, ["innermost", "middle"], "{name}: a tail call leaves no frame");
    }
}

fn call(store: &mut Store<()>, instance: Instance, name: &str) -> Error {
    let func = instance.get_typed_func::<(), ()>(&mut *store, name).unwrap();
    func.call(store, ()).unwrap_err()
}

#[test]
fn backtraces_go_through_host_functions_and_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let inner = instantiate(&mut store, r#"(module $inner (func $fails (export "fails") unreachable))"#);
    let fails = inner.get_typed_func::<(), ()>(&mut store, "fails").unwrap();
    let relay = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| fails.call(&mut caller, ()));
    let wat = r#"(module $outer (import "" "relay" (func $relay)) (import "" "fails" (func $direct))
        (func $start (export "through_host") (call $relay))
        (func $other (export "direct") (call $direct)))"#;
    let imports = [relay.into(), inner.get_export(&mut store, "fails").unwrap()];
    let outer = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &imports).unwrap();
    for (export, expected) in [("through_host", "start"), ("direct", "other")] {
        let error = call(&mut store, outer, export);
        assert!(error.is::<Trap>());
        let trace = error.downcast_ref::<WasmBacktrace>().unwrap();
        let frames: Vec<_> = trace
            .frames()
            .iter()
            .map(|frame| (frame.module().name().unwrap(), frame.func_name().unwrap()))
            .collect();
        assert_eq!(frames, [("inner", "fails"), ("outer", expected)]);
    }
}

#[test]
fn backtraces_can_be_captured_in_host_functions_and_switched_off() {
    let capture = |engine: &Engine| {
        let mut store = Store::new(engine, 0);
        let look = Func::wrap(&mut store, |mut caller: Caller<'_, usize>| {
            let frames = WasmBacktrace::capture(&caller).frames().len();
            *caller.data_mut() = frames;
        });
        let wat = r#"(module (import "" "look" (func $look))
            (func $a (call $look)) (func (export "run") (call $a)) (func (export "fail") unreachable))"#;
        let instance = Instance::new(&mut store, &Module::new(engine, wat).unwrap(), &[look.into()]).unwrap();
        instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
        let fail = instance.get_typed_func::<(), ()>(&mut store, "fail").unwrap();
        let error = fail.call(&mut store, ()).unwrap_err();
        assert!(error.is::<Trap>());
        (*store.data(), error.is::<WasmBacktrace>())
    };
    assert_eq!(capture(&Engine::default()), (2, true));
    let without = Engine::new(Config::new().wasm_backtrace(false)).unwrap();
    assert_eq!(capture(&without), (0, false));
}

/// Calls itself, and then the host every `every` levels, down to the end of the stack.
fn recursion(store: &mut Store<u32>) -> TypedFunc<u32, u32> {
    let deeper = Func::wrap(&mut *store, |mut caller: Caller<'_, u32>, every: u32| -> Result<u32> {
        *caller.data_mut() += 1;
        let run = caller.get_export("run").and_then(Extern::into_func).unwrap();
        run.typed::<u32, u32>(&caller)?.call(&mut caller, every)
    });
    let wat = r#"(module (import "" "deeper" (func $deeper (param i32) (result i32)))
        (func $down (param $left i32) (param $every i32) (result i32)
            (if (result i32) (local.get $left)
                (then (i32.add (i32.const 1)
                    (call $down (i32.sub (local.get $left) (i32.const 1)) (local.get $every))))
                (else (call $deeper (local.get $every)))))
        (func (export "run") (param $every i32) (result i32)
            (call $down (local.get $every) (local.get $every)))
        (func (export "fine") (param $levels i32) (result i32) (local $n i32)
            (local.get $levels)))"#;
    let module = Module::new(store.engine(), wat).unwrap();
    let instance = Instance::new(&mut *store, &module, &[deeper.into()]).unwrap();
    let fine = instance.get_typed_func::<u32, u32>(&mut *store, "fine").unwrap();
    assert_eq!(fine.call(&mut *store, 3).unwrap(), 3);
    instance.get_typed_func(store, "run").unwrap()
}

fn overflows(engine: &Engine) {
    for every in [5, 100, u32::MAX] {
        let mut store = Store::new(engine, 0);
        let run = recursion(&mut store);
        for _ in 0..2 {
            let error = run.call(&mut store, every).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
            assert_eq!(error.root_cause().to_string(), "wasm trap: call stack exhausted");
        }
        assert_eq!(*store.data() > 0, every < u32::MAX, "through the host");
    }
}

#[test]
fn the_end_of_the_stack_is_a_trap() {
    for (_, engine) in engines() {
        overflows(&engine);
    }
}

#[test]
fn the_end_of_a_small_stack_is_a_trap() {
    for (name, engine) in engines() {
        for size in [128 << 10, 256 << 10, 1 << 20] {
            let engine = engine.clone();
            let thread = std::thread::Builder::new().stack_size(size).name(name.to_string());
            thread.spawn(move || overflows(&engine)).unwrap().join().unwrap();
        }
    }
}

#[test]
fn large_frames_find_the_end_of_a_small_stack() {
    // Frames of 16 KiB and of 60 KiB.
    let sums = |count: usize| {
        let locals = "i64 ".repeat(count);
        let all: String = (1..=count)
            .map(|local| format!("(local.set {local} (i64.add (local.get {}) (local.get 0)))", local - 1))
            .collect();
        let sum: String = (1..=count).map(|local| format!("(i64.xor (local.get {local}))")).collect();
        format!("(param i64) (result i64) (local {locals}) {all} (call $f (local.get 1)) {sum}")
    };
    for (name, engine) in engines() {
        for count in [2_000, 7_500] {
            let text = format!(r#"(module (func $f (export "f") {}))"#, sums(count));
            let module = Module::new(&engine, text).unwrap();
            for size in [64 << 10, 100 << 10, 128 << 10, 192 << 10, 512 << 10] {
                let (engine, module) = (engine.clone(), module.clone());
                let run = move || {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let f = instance.get_typed_func::<i64, i64>(&mut store, "f").unwrap();
                    let error = f.call(&mut store, 1).unwrap_err();
                    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
                };
                let thread = std::thread::Builder::new().stack_size(size).name(format!("{name}, {size}"));
                thread.spawn(run).unwrap().join().unwrap();
            }
        }
    }
}

#[test]
fn a_host_function_may_call_in_again_from_another_thread() {
    let source = r#"(module (import "" "f" (func $host (param i32) (result i32)))
        (func $down (export "down") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 0))))
        (func (export "run") (param i32) (result i32) (i32.add (call $host (local.get 0)) (call $down (i32.const 100)))))"#;
    for (name, engine) in engines() {
        let module = Module::new(&engine, source).unwrap();
        for size in [256 << 10, 4 << 20] {
            let mut store = Store::new(&engine, None::<TypedFunc<i32, i32>>);
            let host = Func::wrap(
                &mut store,
                move |mut caller: Caller<'_, Option<TypedFunc<i32, i32>>>, depth: i32| {
                    let down = caller.data().clone().unwrap();
                    let there = || {
                        // On that thread's stack, to its end and back, more than once.
                        for _ in 0..2 {
                            let error = down.call(&mut caller, i32::MAX).unwrap_err();
                            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
                        }
                        down.call(&mut caller, depth).unwrap()
                    };
                    let there = std::thread::scope(|scope| {
                        let thread = std::thread::Builder::new().stack_size(size);
                        thread.spawn_scoped(scope, there).unwrap().join().unwrap()
                    });
                    // And here again.
                    there + down.call(&mut caller, depth).unwrap()
                },
            );
            let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
            let down = instance.get_typed_func::<i32, i32>(&mut store, "down").unwrap();
            *store.data_mut() = Some(down.clone());
            let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
            assert_eq!(run.call(&mut store, 50).unwrap(), 200, "{name}, {size}");
            let error = down.call(&mut store, i32::MAX).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
        }
    }
}

#[test]
fn the_guests_share_of_the_stack_can_be_chosen() {
    let depth = |bytes: usize| {
        let engine = Engine::new(Config::new().max_wasm_stack(bytes)).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = instantiate(
            &mut store,
            r#"(module (global $n (export "n") (mut i32) (i32.const 0))
                (func $f (export "f") (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $f)))"#,
        );
        assert!(call(&mut store, instance, "f").is::<Trap>());
        let n = instance.get_global(&mut store, "n").unwrap();
        n.get(&mut store).unwrap_i32()
    };
    let (small, large) = (depth(64 << 10), depth(256 << 10));
    assert!(small > 10 && large > 2 * small, "{small} and {large} levels");
}

#[test]
fn traps_on_many_threads_at_once() {
    for (_, engine) in engines() {
        let wat =
            r#"(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0))))"#;
        let module = Module::new(&engine, wat).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let f = instance.get_typed_func::<u32, u32>(&mut store, "f").unwrap();
                    for at in 0..200 {
                        assert_eq!(f.call(&mut store, at).unwrap(), 0);
                        let error = f.call(&mut store, 1 << 20 | at).unwrap_err();
                        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
                    }
                });
            }
        });
    }
}

#[test]
fn a_trap_in_a_store_within_a_host_function_is_that_stores() {
    let engine = Engine::default();
    let mut outer = Store::new(&engine, ());
    let relay = Func::wrap(&mut outer, |caller: Caller<'_, ()>| -> i32 {
        let mut inner = Store::new(caller.engine(), ());
        let instance = instantiate(
            &mut inner,
            r#"(module (memory 1) (func (export "f") (drop (i32.load (i32.const 65536)))))"#,
        );
        let error = call(&mut inner, instance, "f");
        let frames = error.downcast_ref::<WasmBacktrace>().unwrap().frames().len();
        assert_eq!((error.downcast_ref::<Trap>(), frames), (Some(&Trap::MemoryOutOfBounds), 1));
        7
    });
    let wat = r#"(module (import "" "relay" (func $relay (result i32))) (memory 1)
        (func (export "run") (param i32) (result i32)
            (i32.add (call $relay) (i32.load (local.get 0)))))"#;
    let instance = Instance::new(&mut outer, &Module::new(&engine, wat).unwrap(), &[relay.into()]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut outer, "run").unwrap();
    assert_eq!(run.call(&mut outer, 0).unwrap(), 7);
    assert!(run.call(&mut outer, -1).unwrap_err().is::<Trap>());
    assert_eq!(run.call(&mut outer, 0).unwrap(), 7);
}
