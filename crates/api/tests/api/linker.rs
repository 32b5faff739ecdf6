use crate::{empty_store, instantiate};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use tenure::{
    Caller, Engine, Extern, ExternRef, ExternType, Func, FuncType, Global, GlobalType, Instance, Linker,
    Memory, MemoryType, Module, Mutability, Ref, RefType, Result, Rooted, Store, Table, TableType,
    UnknownImportError, Val, ValType,
};

/// Calls the export `name`, which takes nothing.
fn call(store: &mut Store<()>, instance: Instance, name: &str) -> i32 {
    instance.get_typed_func::<(), i32>(&mut *store, name).unwrap().call(store, ()).unwrap()
}

/// A function of the linker, called.
fn call_linked(store: &mut Store<()>, linker: &Linker<()>, module: &str, name: &str) -> Result<i32> {
    let func = linker.get(&mut *store, module, name)?.into_func().unwrap();
    func.typed::<(), i32>(&*store)?.call(store, ())
}

#[test]
fn an_unknown_import_is_named_and_typed() {
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (import "env" "foo" (func (param i32))))"#).unwrap();
    let linker = Linker::<()>::new(&engine);
    for error in [
        linker.instantiate(Store::new(&engine, ()), &module).unwrap_err(),
        linker.instantiate_pre(&module).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "unknown import: `env::foo` has not been defined");
        let unknown = error.downcast_ref::<UnknownImportError>().unwrap();
        assert_eq!((unknown.module(), unknown.name()), ("env", "foo"));
        assert_eq!(unknown.ty().unwrap_func().params().len(), 1);
    }
}

#[test]
fn an_import_of_the_wrong_type_says_what_was_expected_and_found() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "func", |_: i32| {}).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    linker.define(&store, "env", "memory", memory).unwrap();
    let ty = TableType::new(RefType::FUNCREF, 3, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    linker.define(&store, "env", "table", table).unwrap();
    let global =
        Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(1)).unwrap();
    linker.define(&store, "env", "global", global).unwrap();

    let cases = [
        (
            r#"(import "env" "func" (func (param i64)))"#,
            "incompatible import type for `env::func`: \
             expected function of type (func (param i64)), found function of type (func (param i32))",
        ),
        (
            r#"(import "env" "func" (memory 1))"#,
            "incompatible import type for `env::func`: \
             expected memory of at least 1 pages of 65536 bytes, found function of type (func (param i32))",
        ),
        (
            r#"(import "env" "memory" (memory 1 1))"#,
            "incompatible import type for `env::memory`: \
             expected memory of 1 to 1 pages of 65536 bytes, found memory of 1 to 2 pages of 65536 bytes",
        ),
        (
            r#"(import "env" "table" (table 0 3 funcref))"#,
            "incompatible import type for `env::table`: \
             expected table of 0 to 3 funcref, found table of at least 3 funcref",
        ),
        (
            r#"(import "env" "table" (table 0 externref))"#,
            "incompatible import type for `env::table`: \
             expected table of at least 0 externref, found table of at least 3 funcref",
        ),
        (
            r#"(import "env" "global" (global (mut i32)))"#,
            "incompatible import type for `env::global`: \
             expected mutable global of type i32, found immutable global of type i32",
        ),
    ];
    for (import, message) in cases {
        let module = Module::new(&engine, format!("(module {import})")).unwrap();
        assert_eq!(linker.instantiate(&mut store, &module).unwrap_err().to_string(), message, "{import}");
        assert_eq!(linker.instantiate_pre(&module).unwrap_err().to_string(), message, "{import}, ahead");
    }
}

#[test]
fn what_has_grown_since_fits_also_ahead_of_time() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    linker.define(&store, "", "memory", memory).unwrap();
    let module = Module::new(&engine, r#"(module (import "" "memory" (memory 2)))"#).unwrap();
    let ahead = linker.instantiate_pre(&module).unwrap();

    let error = ahead.instantiate(&mut store).unwrap_err();
    assert!(error.to_string().contains("found memory of at least 1 pages"), "{error}");
    memory.grow(&mut store, 1).unwrap();
    ahead.instantiate(&mut store).unwrap();
    linker.instantiate(&mut store, &module).unwrap();
}

#[test]
fn names_are_defined_once_unless_shadowing_is_allowed() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    linker.func_wrap("a", "b", || 1_i32).unwrap();
    let error = linker.func_wrap("a", "b", || 2_i32).unwrap_err();
    assert_eq!(error.to_string(), "`a::b` is defined already, and this linker does not allow shadowing");
    assert_eq!(call_linked(&mut store, &linker, "a", "b").unwrap(), 1);
    linker.allow_shadowing(true).func_wrap("a", "b", || 2_i32).unwrap();
    assert_eq!(call_linked(&mut store, &linker, "a", "b").unwrap(), 2);
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    linker.func_wrap("a", "b", || 1_i32).unwrap();
    let mut clone = linker.clone();
    clone.func_wrap("a", "c", || 2_i32).unwrap();
    assert_eq!(call_linked(&mut store, &clone, "a", "b").unwrap(), 1);
    assert_eq!(call_linked(&mut store, &clone, "a", "c").unwrap(), 2);
    assert!(linker.get(&mut store, "a", "c").is_err());
}

#[test]
fn aliases_are_the_same_thing_under_another_name() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    linker.func_wrap("a", "one", || 1_i32).unwrap().func_wrap("a", "two", || 2_i32).unwrap();
    linker.func_wrap("other", "three", || 3_i32).unwrap();
    linker.alias("a", "one", "x", "uno").unwrap();
    linker.alias_module("a", "b").unwrap();
    linker.alias_module("nobody", "c").unwrap();
    assert_eq!(call_linked(&mut store, &linker, "x", "uno").unwrap(), 1);
    assert_eq!(call_linked(&mut store, &linker, "b", "two").unwrap(), 2);
    assert!(linker.get(&mut store, "b", "three").is_err());

    let error = linker.alias("a", "nothing", "x", "y").unwrap_err();
    assert_eq!(error.to_string(), "`a::nothing` has not been defined");
    assert!(linker.alias("a", "one", "b", "two").is_err());
    assert!(linker.alias_module("a", "b").is_err());
}

#[test]
fn iter_gives_everything_once() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    linker.func_wrap("a", "one", || {}).unwrap().func_wrap("b", "one", || {}).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    linker.define(&store, "a", "memory", memory).unwrap();
    let mut all: Vec<_> = linker
        .iter(&mut store)
        .map(|(module, name, item)| (module, name, matches!(item, Extern::Func(_))))
        .collect();
    all.sort_unstable();
    assert_eq!(all, [("a", "memory", false), ("a", "one", true), ("b", "one", true)]);
}

#[test]
fn one_linker_serves_many_stores_and_threads() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let next = |mut caller: Caller<'_, u32>| {
        *caller.data_mut() += 1;
        *caller.data()
    };
    linker.func_wrap("", "next", next).unwrap();
    let wat = r#"(module (import "" "next" (func $next (result i32)))
        (func (export "run") (result i32) (drop (call $next)) (call $next)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let ahead = linker.instantiate_pre(&module).unwrap();
    assert!(Module::same(ahead.module(), &module));
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (engine, ahead, linker, module) = (&engine, &ahead, &linker, &module);
            scope.spawn(move || {
                let mut store = Store::new(engine, start);
                for (at, instance) in [ahead.instantiate(&mut store), linker.instantiate(&mut store, module)]
                    .into_iter()
                    .enumerate()
                {
                    let run = instance.unwrap().get_typed_func::<(), u32>(&mut store, "run").unwrap();
                    assert_eq!(run.call(&mut store, ()).unwrap(), start + 2 + 2 * at as u32);
                }
            });
        }
    });
}

#[test]
fn a_linked_host_function_is_one_function_in_a_store() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    linker.func_wrap("", "f", || {}).unwrap().func_wrap("", "g", || {}).unwrap();
    let get = |store: &mut Store<()>, name| linker.get(&mut *store, "", name).unwrap().into_func().unwrap();
    let f = get(&mut store, "f").to_raw(&mut store);
    assert_eq!(get(&mut store, "f").to_raw(&mut store), f);
    assert_ne!(get(&mut store, "g").to_raw(&mut store), f);
    let other = &mut Store::new(linker.engine(), ());
    assert_ne!(get(other, "f").to_raw(&mut *other), f);
}

#[test]
fn what_a_linker_gives_to_the_host_stays() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("", "f", || 1_i32).unwrap();
    let module =
        Module::new(&engine, r#"(module (import "" "f" (func (result i32))) (export "f" (func 0)))"#);
    let module = module.unwrap();

    // Nobody but instances has it: it goes with the last.
    let (one, two) = (linker.instantiate(&mut store, &module), linker.instantiate(&mut store, &module));
    let two = two.unwrap();
    store.release(one.unwrap()).unwrap();
    assert_eq!(store.reclaim().functions, 0);
    assert_eq!(call(&mut store, two, "f"), 1);
    store.release(two).unwrap();
    assert_eq!(store.reclaim().functions, 1);

    let f = linker.get(&mut store, "", "f").unwrap().into_func().unwrap();
    let three = linker.instantiate(&mut store, &module).unwrap();
    store.release(three).unwrap();
    let freed = store.reclaim();
    assert_eq!((freed.instances, freed.functions), (1, 0));
    assert_eq!(f.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 1);
    store.release(f).unwrap();
    assert_eq!(store.reclaim().functions, 1);
    assert!(f.call(&mut store, &[], &mut [Val::I32(0)]).is_err());
}

#[test]
fn instances_are_defined_by_their_exports() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    let library = instantiate(
        &mut store,
        r#"(module (memory (export "memory") 1) (func (export "seven") (result i32) i32.const 7)
            (global (export "g") i32 (i32.const 9)) (table (export "t") 1 funcref))"#,
    );
    linker.instance(&mut store, "lib", library).unwrap();
    assert!(linker.instance(&mut store, "lib", library).is_err());
    let program = r#"(module (import "lib" "memory" (memory 1)) (import "lib" "g" (global i32))
        (import "lib" "t" (table 1 funcref)) (import "lib" "seven" (func $seven (result i32)))
        (func (export "run") (result i32) (i32.add (call $seven) (global.get 0))))"#;
    let program = linker.instantiate(&mut store, &Module::new(&engine, program).unwrap()).unwrap();
    assert_eq!(call(&mut store, program, "run"), 16);
}

#[test]
fn an_ordinary_module_is_instantiated_once() {
    let mut store = empty_store();
    let mut linker = Linker::new(store.engine());
    let wat = r#"(module (global $count (mut i32) (i32.const 0))
        (func (export "count") (result i32)
            (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))"#;
    linker.module(&mut store, "m", &Module::new(linker.engine(), wat).unwrap()).unwrap();
    assert_eq!(call_linked(&mut store, &linker, "m", "count").unwrap(), 1);
    assert_eq!(call_linked(&mut store, &linker, "m", "count").unwrap(), 2);
}

#[test]
fn a_reactor_is_initialized_first() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    let wat = r#"(module (global $ready (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $ready (i32.const 1)))
        (func (export "ready") (result i32) (global.get $ready)))"#;
    linker.module(&mut store, "m", &Module::new(&engine, wat).unwrap()).unwrap();
    assert_eq!(call_linked(&mut store, &linker, "m", "ready").unwrap(), 1);

    let fails = Module::new(&engine, r#"(module (func (export "_initialize") unreachable))"#).unwrap();
    let error = linker.module(&mut store, "fails", &fails).unwrap_err();
    assert_eq!(error.downcast_ref::<tenure::Trap>(), Some(&tenure::Trap::UnreachableCodeReached));
    let odd = Module::new(&engine, r#"(module (func (export "_initialize") (param i32)))"#).unwrap();
    assert!(linker.module(&mut store, "odd", &odd).is_err());
}

#[test]
fn a_command_is_new_at_each_call() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    linker.func_wrap("host", "note", move || count.fetch_add(1, Relaxed)).unwrap();
    let wat = r#"(module
        (import "host" "note" (func $note (result i32)))
        (memory (export "memory") 1) (table (export "__indirect_function_table") 1 funcref)
        (global $count (mut i32) (i32.const 0))
        (func (export "_start") (drop (call $note)) (global.set $count (i32.const 1)))
        (func (export "count") (result i32) (global.get $count)))"#;
    linker.module(&mut store, "m", &Module::new(&engine, wat).unwrap()).unwrap();

    let start = linker.get_default(&mut store, "m").unwrap().typed::<(), ()>(&store).unwrap();
    start.call(&mut store, ()).unwrap();
    start.call(&mut store, ()).unwrap();
    assert_eq!(calls.load(Relaxed), 2);
    assert_eq!(call_linked(&mut store, &linker, "m", "count").unwrap(), 0);
    assert_eq!(store.reclaim().instances, 3, "an instance for each call, and no longer");
    start.call(&mut store, ()).unwrap();
    assert!(linker.get(&mut store, "m", "memory").is_err());
}

#[test]
fn commands_export_functions() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    let wat = r#"(module (func (export "_start")) (global (export "g") i32 (i32.const 0)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let error = linker.module(&mut store, "m", &module).unwrap_err();
    assert_eq!(error.to_string(), "the command exports `g`, a global: expected only functions");
    let mut linker = Linker::new(&engine);
    linker.allow_unknown_exports(true).module(&mut store, "m", &module).unwrap();

    let both = r#"(module (func (export "_start")) (func (export "_initialize")))"#;
    let error = linker.module(&mut store, "both", &Module::new(&engine, both).unwrap()).unwrap_err();
    assert!(error.to_string().contains("both a command and a reactor"), "{error}");
}

#[test]
fn the_default_is_the_nameless_item_or_start_or_nothing() {
    let mut store = empty_store();
    let mut linker = Linker::<()>::new(store.engine());
    let nothing = linker.get_default(&mut store, "m").unwrap();
    nothing.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap();

    linker.func_wrap("m", "_start", || 1_i32).unwrap();
    let run = |store: &mut Store<()>, linker: &Linker<()>| {
        let func = linker.get_default(&mut *store, "m").unwrap();
        func.typed::<(), i32>(&*store).unwrap().call(store, ()).unwrap()
    };
    assert_eq!(run(&mut store, &linker), 1);
    linker.func_wrap("m", "", || 2_i32).unwrap();
    assert_eq!(run(&mut store, &linker), 2);

    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    linker.define(&store, "n", "", memory).unwrap();
    assert_eq!(linker.get_default(&mut store, "n").unwrap_err().to_string(), "`n::` is not a function");
}

const UNKNOWN: &str = r#"(module
    (import "env" "known" (func $known (result i32)))
    (import "env" "unknown" (func $unknown (param i32) (result i32 externref)))
    (func (export "known") (result i32) (call $known))
    (func (export "unknown") (result i32) (call $unknown (i32.const 1)) drop))"#;

#[test]
fn unknown_functions_can_be_traps() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "known", || 5_i32).unwrap();
    let module = Module::new(&engine, UNKNOWN).unwrap();
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(call(&mut store, instance, "known"), 5);
    let unknown = instance.get_typed_func::<(), i32>(&mut store, "unknown").unwrap();
    let error = unknown.call(&mut store, ()).unwrap_err();
    assert_eq!(error.downcast_ref::<UnknownImportError>().unwrap().name(), "unknown");
    assert_eq!(call(&mut store, instance, "known"), 5);

    // Only functions can fail when they are used.
    let module = Module::new(&engine, r#"(module (import "env" "memory" (memory 1)))"#).unwrap();
    linker.define_unknown_imports_as_traps(&module).unwrap();
    assert!(linker.instantiate(&mut store, &module).is_err());
}

#[test]
fn unknown_imports_can_be_default_values() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "known", || 5_i32).unwrap();
    let module = Module::new(&engine, UNKNOWN).unwrap();
    linker.define_unknown_imports_as_default_values(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!((call(&mut store, instance, "known"), call(&mut store, instance, "unknown")), (5, 0));

    let wat = r#"(module (import "" "m" (memory 2 3)) (import "" "t" (table 4 externref))
        (import "" "g" (global (mut f64))))"#;
    let module = Module::new(&engine, wat).unwrap();
    linker.define_unknown_imports_as_default_values(&mut store, &module).unwrap();
    linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(linker.get(&mut store, "", "m").unwrap().into_memory().unwrap().size(&store), 2);
    assert_eq!(linker.get(&mut store, "", "t").unwrap().into_table().unwrap().size(&store), 4);
    assert_eq!(
        linker.get(&mut store, "", "g").unwrap().into_global().unwrap().get(&mut store).unwrap_f64(),
        0.0
    );

    let module = Module::new(&engine, r#"(module (import "" "f" (func (result (ref func)))))"#).unwrap();
    let error = linker.define_unknown_imports_as_default_values(&mut store, &module).unwrap_err();
    assert_eq!(error.to_string(), "no default value for the import `::f`");
}

#[test]
fn imports_are_found_by_their_type_too() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("a", "f", || {}).unwrap();
    let module = Module::new(&engine, r#"(module (import "a" "f" (func)) (import "a" "g" (func)))"#).unwrap();
    let found: Vec<_> =
        module.imports().map(|import| linker.get_by_import(&mut store, &import).is_some()).collect();
    assert_eq!(found, [true, false]);
    let import = module.imports().next().unwrap();
    assert!(linker.try_get_by_import(&mut store, &import).unwrap().is_some());
    assert!(linker.try_get_by_import(&mut Store::default(), &import).is_err());
}

#[test]
fn engines_do_not_mix() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("", "f", || {}).unwrap();
    let wat = r#"(module (import "" "f" (func)))"#;
    let (own, other) = (Module::new(&engine, wat).unwrap(), Module::new(&Engine::default(), wat).unwrap());
    let mut own_store = Store::new(&engine, ());
    let mut other_store = Store::<()>::default();

    assert!(linker.instantiate(&mut own_store, &own).is_ok());
    let errors = [
        linker.instantiate(&mut own_store, &other).unwrap_err(),
        linker.instantiate(&mut other_store, &own).unwrap_err(),
        linker.instantiate_pre(&other).unwrap_err(),
        linker.instantiate_pre(&own).unwrap().instantiate(&mut other_store).unwrap_err(),
        linker.get(&mut other_store, "", "f").unwrap_err(),
        linker.get_default(&mut other_store, "").unwrap_err(),
        linker.define_unknown_imports_as_traps(&other).unwrap_err(),
        {
            let memory = Memory::new(&mut other_store, MemoryType::new(1, None)).unwrap();
            linker.define(&other_store, "", "m", memory).unwrap_err()
        },
        {
            let ty = FuncType::new(&Engine::default(), [], []);
            linker.func_new("", "g", ty, |_, _, _| Ok(())).unwrap_err()
        },
    ];
    for error in errors {
        assert!(error.to_string().contains("engine"), "{error}");
    }
}

#[test]
fn untyped_and_unchecked_functions_link_as_well() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let mut linker = Linker::<()>::new(&engine);
    let ty = FuncType::new(&engine, [ValType::I32, ValType::EXTERNREF], [ValType::EXTERNREF, ValType::I64]);
    linker
        .func_new("", "swap", ty, |_, params, results| {
            results[0] = params[1];
            results[1] = Val::I64(params[0].unwrap_i32().into());
            Ok(())
        })
        .unwrap();
    let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
    // SAFETY: takes one `i32` and returns one.
    unsafe {
        linker.func_new_unchecked("", "negate", ty, |_, values| {
            // SAFETY: the argument is there.
            let value = values[0].assume_init().get_i32();
            values[0].write(tenure::ValRaw::i32(-value));
            Ok(())
        })
    }
    .unwrap();
    let wat = r#"(module (import "" "swap" (func $swap (param i32 externref) (result externref i64)))
        (import "" "negate" (func $negate (param i32) (result i32)))
        (func (export "run") (param externref) (result externref i64)
            (call $swap (call $negate (i32.const 3)) (local.get 0))))"#;
    let instance = linker.instantiate(&mut store, &Module::new(&engine, wat).unwrap()).unwrap();
    type MayBeNull = Option<Rooted<ExternRef>>;
    let run = instance.get_typed_func::<MayBeNull, (MayBeNull, i64)>(&mut store, "run").unwrap();
    let value = ExternRef::new(&mut store, "x").unwrap();
    let (back, number) = run.call(&mut store, Some(value)).unwrap();
    assert!(Rooted::ref_eq(&store, &back.unwrap(), &value).unwrap());
    assert_eq!(number, -3);
}

#[test]
fn types_have_default_values() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let wat = r#"(module (import "" "f" (func (param i32) (result i64 funcref)))
        (import "" "m" (memory 1)) (import "" "t" (table 1 funcref)) (import "" "g" (global i32)))"#;
    let module = Module::new(&engine, wat).unwrap();
    for import in module.imports() {
        let item = import.ty().default_value(&mut store).unwrap();
        let (found, expected) = (item.ty(&store), import.ty());
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&expected));
        if let ExternType::Func(_) = found {
            let mut results = [Val::I32(1), Val::I32(1)];
            item.into_func().unwrap().call(&mut store, &[Val::I32(1)], &mut results).unwrap();
            assert_eq!(results[0].i64(), Some(0));
            assert!(results[1].unwrap_funcref().is_none());
        }
    }
    let never_null = RefType::new(false, tenure::HeapType::Func);
    assert!(FuncType::new(&engine, [], [never_null.clone().into()]).default_value(&mut store).is_err());
    assert!(TableType::new(never_null.clone(), 0, None).default_value(&mut store).is_err());
    assert!(GlobalType::new(never_null.into(), Mutability::Const).default_value(&mut store).is_err());
    assert!(Func::wrap(&mut store, || {}).ty(&store).default_value(&mut store).is_ok());
}
