//! Instances put back to their first state, and made from the state of others.

use crate::{engines, instantiate, panic_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::{
    Caller, Engine, Extern, ExternRef, Func, Global, GlobalType, Instance, Limits, Linker, Memory,
    MemoryType, Module, Mutability, Ref, RefType, Result, Snapshot, Store, Table, TableType, Trap, Val,
    ValType,
};
use tenure_code::wire::checksum;

/// Has state of every kind, and functions to change and to look at it.
const STATEFUL: &str = r#"(module
    (import "host" "tick" (func $tick (result i32)))
    (import "host" "base" (global $base i32))
    (type $number (func (result i32)))
    (memory (export "memory") 2 40)
    (data (i32.const 100) "first")
    (data $passive "passive")
    (table (export "table") 4 20 funcref)
    (table $typed 2 2 (ref null $number))
    (table $ready 2 2 (ref $number) (ref.func $one))
    (elem (table 0) (i32.const 0) func $one $two)
    (elem $later func $two)
    (elem declare func $one $tick)
    (global $i32 (mut i32) (i32.const 1)) (global $i64 (mut i64) (i64.const 2))
    (global $f32 (mut f32) (f32.const 3)) (global $f64 (mut f64) (f64.const 4))
    (global $v128 (mut v128) (v128.const i64x2 5 6))
    (global $func (mut funcref) (ref.null func))
    (global $nothing (mut externref) (ref.null extern))
    (global $sum i32 (i32.add (global.get $base) (i32.const 1)))
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func (export "change")
        (drop (memory.grow (i32.const 3)))
        (i32.store (i32.const 0) (i32.const 77))
        (i32.store8 (i32.const 104) (i32.const 0x54))
        (i32.store (i32.const 300000) (i32.const 88))
        (memory.init $passive (i32.const 200) (i32.const 0) (i32.const 7))
        (data.drop $passive) (elem.drop $later)
        (drop (table.grow 0 (ref.func $tick) (i32.const 2)))
        (table.set 0 (i32.const 0) (ref.func $two))
        (table.set 0 (i32.const 1) (ref.null func))
        (table.set $typed (i32.const 1) (ref.func $one))
        (table.set $ready (i32.const 0) (ref.func $two))
        (global.set $i32 (i32.const 11)) (global.set $i64 (i64.const 12))
        (global.set $f32 (f32.const 13)) (global.set $f64 (f64.const 14))
        (global.set $v128 (v128.const i64x2 15 16)) (global.set $func (ref.func $one)))
    (func (export "numbers") (result i32 i64 f32 f64 i64 i32)
        (global.get $i32) (global.get $i64) (global.get $f32) (global.get $f64)
        (i64x2.extract_lane 1 (global.get $v128)) (global.get $sum))
    (func (export "call") (param i32) (result i32) (call_indirect 0 (type $number) (local.get 0)))
    (func (export "call_typed") (param i32) (result i32) (call_ref $number (table.get $typed (local.get 0))))
    (func (export "call_ready") (param i32) (result i32) (call_ref $number (table.get $ready (local.get 0))))
    (func (export "func_is_null") (result i32) (ref.is_null (global.get $func)))
    (func (export "init_memory") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 7)))
    (func (export "init_table") (table.init 0 $later (i32.const 0) (i32.const 0) (i32.const 1))))"#;

/// What [`STATEFUL`] imports: a function that counts from `tick`, and a number.
fn imports(store: &mut Store<()>, tick: i32) -> [Extern; 2] {
    let func = Func::wrap(&mut *store, move || tick);
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    [func.into(), Global::new(store, ty, Val::I32(41)).unwrap().into()]
}

fn call(store: &mut Store<()>, instance: Instance, name: &str, at: i32) -> Result<i32> {
    instance.get_typed_func::<i32, i32>(&mut *store, name)?.call(store, at)
}

fn run(store: &mut Store<()>, instance: Instance, name: &str) -> Result<()> {
    instance.get_typed_func::<(), ()>(&mut *store, name)?.call(store, ())
}

type Numbers = (i32, i64, f32, f64, i64, i32);

fn numbers(store: &mut Store<()>, instance: Instance) -> Numbers {
    instance.get_typed_func::<(), Numbers>(&mut *store, "numbers").unwrap().call(store, ()).unwrap()
}

fn func_is_null(store: &mut Store<()>, instance: Instance) -> bool {
    let func_is_null = instance.get_typed_func::<(), i32>(&mut *store, "func_is_null").unwrap();
    func_is_null.call(store, ()).unwrap() == 1
}

#[track_caller]
fn is_new(store: &mut Store<()>, instance: Instance) {
    let memory = instance.get_memory(&mut *store, "memory").unwrap();
    assert_eq!(memory.size(&*store), 2);
    let data = memory.data(&*store);
    assert_eq!(&data[100..105], b"first");
    let set = data.iter().filter(|&&byte| byte != 0).count();
    assert_eq!(set, 5, "all else is zero");
    let table = instance.get_table(&mut *store, "table").unwrap();
    assert_eq!(table.size(&*store), 4);
    assert_eq!([0, 1].map(|at| call(store, instance, "call", at).unwrap()), [1, 2]);
    assert!([2, 3].map(|at| table.get(&mut *store, at).unwrap().is_null()) == [true; 2]);
    assert!(call(store, instance, "call_typed", 1).is_err());
    assert_eq!([0, 1].map(|at| call(store, instance, "call_ready", at).unwrap()), [1, 1]);
    assert_eq!(numbers(store, instance), (1, 2, 3.0, 4.0, 6, 42));
    assert!(func_is_null(store, instance));
}

/// As it is after "change", with an import that returns `tick`.
#[track_caller]
fn is_changed(store: &mut Store<()>, instance: Instance, tick: i32) {
    let memory = instance.get_memory(&mut *store, "memory").unwrap();
    assert_eq!(memory.size(&*store), 5);
    let data = memory.data(&*store);
    assert_eq!(
        (data[0], &data[100..105], &data[200..207], data[300_000]),
        (77, &b"firsT"[..], &b"passive"[..], 88)
    );
    assert_eq!(data.iter().filter(|&&byte| byte != 0).count(), 14);
    let table = instance.get_table(&mut *store, "table").unwrap();
    assert_eq!(table.size(&*store), 6);
    assert_eq!([0, 4, 5].map(|at| call(store, instance, "call", at).unwrap()), [2, tick, tick]);
    assert!([1, 2, 3].map(|at| table.get(&mut *store, at).unwrap().is_null()) == [true; 3]);
    assert_eq!(call(store, instance, "call_typed", 1).unwrap(), 1);
    assert!(call(store, instance, "call_typed", 0).is_err());
    assert_eq!([0, 1].map(|at| call(store, instance, "call_ready", at).unwrap()), [2, 1]);
    assert_eq!(numbers(store, instance), (11, 12, 13.0, 14.0, 16, 42));
    assert!(!func_is_null(store, instance));
    let error = run(store, instance, "init_memory").unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
    let error = run(store, instance, "init_table").unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::TableOutOfBounds));
}

#[test]
fn a_reset_instance_is_as_new_again_and_again() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, STATEFUL).unwrap();
        let imports = imports(&mut store, 9);
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let usage = store.memory_usage();
        let at_first = (usage.memory_bytes, usage.table_bytes, usage.instance_bytes);
        for _ in 0..20 {
            is_new(&mut store, instance);
            run(&mut store, instance, "change").unwrap();
            is_changed(&mut store, instance, 9);
            memory.write(&mut store, 65_000, b"the host was here").unwrap();
            instance.reset(&mut store).unwrap();
            let usage = store.memory_usage();
            assert_eq!((usage.memory_bytes, usage.table_bytes, usage.instance_bytes), at_first, "{name}");
        }
        is_new(&mut store, instance);
        run(&mut store, instance, "init_memory").unwrap();
        run(&mut store, instance, "init_table").unwrap();
        // Where the memory was before is out of bounds again.
        memory.grow(&mut store, 1).unwrap();
        instance.reset(&mut store).unwrap();
        assert!(memory.read(&store, 2 << 16, &mut [0]).is_err());
        store.release(instance).unwrap();
        assert_eq!(store.reclaim().instances, 1);
    }
}

#[test]
fn a_reset_runs_the_start_function_and_applies_segments_again() {
    let engine = crate::engine();
    let mut store = Store::new(&engine, ());
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    let started = Func::wrap(&mut store, move || -> Result<()> {
        match counter.fetch_add(1, Ordering::Relaxed) {
            2 => Err(tenure::format_err!("not a third time")),
            _ => Ok(()),
        }
    });
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None)).unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "" "f" (func $f)) (import "" "m" (memory 1)) (import "" "t" (table 1 funcref))
            (global (export "g") (mut i32) (i32.const 5))
            (data (i32.const 8) "x") (elem (table 0) (i32.const 1) func $f) (start $f))"#,
    );
    let module = module.unwrap();
    let instance =
        Instance::new(&mut store, &module, &[started.into(), memory.into(), table.into()]).unwrap();
    memory.write(&mut store, 0, b"0123456789").unwrap();
    table.set(&mut store, 0, started.into()).unwrap();
    table.set(&mut store, 1, Ref::Func(None)).unwrap();
    instance.reset(&mut store).unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(&memory.data(&store)[..10], b"01234567x9", "what is imported stays, but for segments");
    assert!([0, 1].iter().all(|&at| table.get(&mut store, at).unwrap().is_non_null()));

    let global = instance.get_global(&mut store, "g").unwrap();
    global.set(&mut store, Val::I32(6)).unwrap();
    assert_eq!(instance.reset(&mut store).unwrap_err().root_cause().to_string(), "not a third time");
    assert_eq!(global.get(&mut store).i32(), Some(5));
    instance.reset(&mut store).unwrap();
}

#[test]
fn who_imports_a_memory_sees_its_reset_unless_it_relies_on_its_growth() {
    for (_, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let owner = instantiate(
            &mut store,
            r#"(module (memory (export "m") 1) (data (i32.const 0) "a") (table (export "t") 1 funcref))"#,
        );
        let memory = owner.get_memory(&mut store, "m").unwrap();
        let table = owner.get_table(&mut store, "t").unwrap();
        let reader = |pages: u32| {
            let wat = format!(
                r#"(module (import "" "" (memory {pages}))
                    (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
            );
            Module::new(&engine, wat).unwrap()
        };
        let small = Instance::new(&mut store, &reader(1), &[memory.into()]).unwrap();
        memory.write(&mut store, 0, b"z").unwrap();
        memory.grow(&mut store, 2).unwrap();
        owner.reset(&mut store).unwrap();
        assert_eq!(call(&mut store, small, "read", 0).unwrap(), i32::from(b'a'));
        let error = call(&mut store, small, "read", 1 << 16).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));

        memory.grow(&mut store, 2).unwrap();
        let large = Instance::new(&mut store, &reader(3), &[memory.into()]).unwrap();
        let error = owner.reset(&mut store).unwrap_err().to_string();
        assert_eq!(error, "another instance imports memory 0 and relies on its size of 3");
        assert_eq!(call(&mut store, large, "read", 2 << 16).unwrap(), 0, "nothing has changed");
        store.release(large).unwrap();
        store.reclaim();
        owner.reset(&mut store).unwrap();

        table.grow(&mut store, 4, Ref::Func(None)).unwrap();
        let module = Module::new(&engine, r#"(module (import "" "" (table 5 funcref)))"#).unwrap();
        let user = Instance::new(&mut store, &module, &[table.into()]).unwrap();
        let error = owner.reset(&mut store).unwrap_err().to_string();
        assert_eq!(error, "another instance imports table 0 and relies on its size of 5");
        store.release(user).unwrap();
        store.reclaim();
        owner.reset(&mut store).unwrap();
        assert_eq!(table.size(&store), 1);
    }
}

/// A call inside which `action` is done with the instance that calls.
fn inside_a_call(action: impl Fn(Caller<'_, Option<Instance>>, Instance) + Send + Sync + 'static) {
    let engine = crate::engine();
    let mut store = Store::new(&engine, None);
    let func = Func::wrap(&mut store, move |caller: Caller<'_, Option<Instance>>| {
        let instance = caller.data().unwrap();
        action(caller, instance);
    });
    let wat = r#"(module (import "" "" (func $f)) (memory (export "m") 1)
        (func (export "run") (i32.store (i32.const 0) (i32.const 5)) (call $f)))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[func.into()]).unwrap();
    *store.data_mut() = Some(instance);
    instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert_eq!(memory.data(&store)[0], 5);
    instance.reset(&mut store).unwrap();
    assert_eq!(memory.data(&store)[0], 0);
}

#[test]
fn inside_a_call_there_is_no_reset_and_no_snapshot() {
    const MESSAGE: &str = "a call is active in the store of the instance";
    inside_a_call(|mut caller, instance| {
        assert_eq!(instance.reset(&mut caller).unwrap_err().to_string(), MESSAGE);
        assert_eq!(instance.snapshot(&mut caller).unwrap_err().to_string(), MESSAGE);
        // An instance may be made from one, as any other.
        let mut other = Store::new(caller.engine(), ());
        let snapshot = instantiate(&mut other, "(module (memory (export \"m\") 1))").snapshot(other).unwrap();
        snapshot.instantiate(&mut caller, &[]).unwrap();
    });
}

/// A snapshot of a changed [`STATEFUL`], and the module.
fn changed(engine: &Engine) -> (Module, Snapshot) {
    let mut store = Store::new(engine, ());
    let module = Module::new(engine, STATEFUL).unwrap();
    let imports = imports(&mut store, 9);
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    run(&mut store, instance, "change").unwrap();
    let snapshot = instance.snapshot(&mut store).unwrap();
    // What becomes of the instance is of no concern to it.
    instance.reset(&mut store).unwrap();
    is_new(&mut store, instance);
    (module, snapshot)
}

#[test]
fn instances_of_a_snapshot_start_as_it_was_and_go_their_own_ways() {
    for (name, engine) in engines() {
        let (module, snapshot) = changed(&engine);
        assert!(Module::same(snapshot.module(), &module));
        assert!(snapshot.memory_bytes() >= 14 && snapshot.memory_bytes() < 5 * 4096);
        let mut store = Store::new(&engine, ());
        let imports = imports(&mut store, -7);
        let first = snapshot.instantiate(&mut store, &imports).unwrap();
        for round in 0..10 {
            let next = snapshot.instantiate(&mut store, &imports).unwrap();
            is_changed(&mut store, next, -7);
            let memory = next.get_memory(&mut store, "memory").unwrap();
            memory.data_mut(&mut store).fill(round);
            let table = next.get_table(&mut store, "table").unwrap();
            table.fill(&mut store, 0, Ref::Func(None), 6).unwrap();
            store.release(next).unwrap();
            if round % 3 == 0 {
                store.reclaim();
            }
        }
        is_changed(&mut store, first, -7);
        let again = first.snapshot(&mut store).unwrap();
        first.reset(&mut store).unwrap();
        is_new(&mut store, first);
        let second = again.instantiate(&mut store, &imports).unwrap();
        is_changed(&mut store, second, -7);
        store.release(first).unwrap();
        store.release(second).unwrap();
        store.reclaim();
        let usage = store.memory_usage();
        assert_eq!((usage.instances, usage.memory_bytes, usage.table_bytes), (0, 0, 0), "{name}");
    }
}

#[test]
fn a_snapshot_outlives_its_store_and_its_module() {
    let engine = crate::engine();
    let (module, snapshot) = changed(&engine);
    drop(module);
    let copy = snapshot.clone();
    drop(snapshot);
    let mut store = Store::new(&engine, ());
    let imports = imports(&mut store, 1);
    let instance = copy.instantiate(&mut store, &imports).unwrap();
    drop(copy);
    is_changed(&mut store, instance, 1);
}

#[test]
fn linkers_and_ready_instances_take_snapshots() {
    let engine = crate::engine();
    let (module, snapshot) = changed(&engine);
    let mut store = Store::new(&engine, ());
    let [_, base] = imports(&mut store, 0);
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "tick", || 123).unwrap();
    let error = linker.instantiate_snapshot(&mut store, &snapshot).unwrap_err().to_string();
    assert_eq!(error, "unknown import: `host::base` has not been defined");
    linker.define(&store, "host", "base", base).unwrap();
    let ready = linker.instantiate_pre(&module).unwrap();
    for instance in [
        linker.instantiate_snapshot(&mut store, &snapshot),
        ready.instantiate_snapshot(&mut store, &snapshot),
    ] {
        is_changed(&mut store, instance.unwrap(), 123);
    }
    let other = Module::new(&engine, STATEFUL).unwrap();
    let other = linker.instantiate_pre(&other).unwrap();
    let error = other.instantiate_snapshot(&mut store, &snapshot).unwrap_err().to_string();
    assert_eq!(error, "the snapshot is of an instance of another module");
}

#[test]
fn what_other_instances_cannot_have_is_named() {
    let engine = crate::engine();
    let mut store = Store::new(&engine, ());
    let error = |store: &mut Store<()>, instance: Instance| instance.snapshot(store).unwrap_err().to_string();

    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None)).unwrap();
    let mutable = GlobalType::new(ValType::I32, Mutability::Var);
    let global = Global::new(&mut store, mutable, Val::I32(0)).unwrap();
    let imports: [(&str, &str, Extern); 3] = [
        ("memory 1", "memory", memory.into()),
        ("table 1 funcref", "table", table.into()),
        ("global (mut i32)", "mutable global", global.into()),
    ];
    for (import, what, item) in imports {
        let module =
            Module::new(&engine, format!(r#"(module (import "from" "outside" ({import})))"#)).unwrap();
        let instance = Instance::new(&mut store, &module, &[item]).unwrap();
        let expected = format!("the instance imports the {what} `from::outside`, whose state is not its own");
        assert_eq!(error(&mut store, instance), expected);
    }

    let wat = r#"(module (table $a 1 funcref) (table $t (export "t") 5 funcref)
        (table (export "e") 2 externref) (global (export "g") (mut funcref) (ref.null func))
        (global (export "h") (mut externref) (ref.null extern)) (func (export "f")))"#;
    let (instance, other) = (instantiate(&mut store, wat), instantiate(&mut store, wat));
    let (own, foreign) =
        (instance.get_func(&mut store, "f").unwrap(), other.get_func(&mut store, "f").unwrap());
    let host = Func::wrap(&mut store, || {});
    let value = ExternRef::new(&mut store, 1).unwrap();
    let table = instance.get_table(&mut store, "t").unwrap();
    table.set(&mut store, 1, own.into()).unwrap();
    instance.snapshot(&mut store).unwrap();
    for func in [foreign, host] {
        table.set(&mut store, 3, func.into()).unwrap();
        let expected = "element 3 of table 1 is a function that the instance neither defines nor imports";
        assert_eq!(error(&mut store, instance), expected);
    }
    table.set(&mut store, 3, Ref::Func(None)).unwrap();
    let externs = instance.get_table(&mut store, "e").unwrap();
    externs.set(&mut store, 1, value.into()).unwrap();
    assert_eq!(error(&mut store, instance), "element 1 of table 2 is a host reference");
    externs.set(&mut store, 1, Ref::Extern(None)).unwrap();
    let global = instance.get_global(&mut store, "g").unwrap();
    global.set(&mut store, foreign.into()).unwrap();
    let expected = "global 0 is a function that the instance neither defines nor imports";
    assert_eq!(error(&mut store, instance), expected);
    global.set(&mut store, own.into()).unwrap();
    let global = instance.get_global(&mut store, "h").unwrap();
    global.set(&mut store, value.into()).unwrap();
    assert_eq!(error(&mut store, instance), "global 1 is a host reference");
    global.set(&mut store, Val::ExternRef(None)).unwrap();
    instance.snapshot(&mut store).unwrap();
}

#[test]
fn what_does_not_fit_makes_no_instance() {
    let engine = crate::engine();
    let (_, snapshot) = changed(&engine);
    let mut foreign = crate::empty_store();
    let error = snapshot.instantiate(&mut foreign, &[]).unwrap_err().to_string();
    assert_eq!(error, "the module and the store are of different engines");

    let mut store = Store::new(&engine, ());
    let [tick, base] = imports(&mut store, 0);
    let text = |result: Result<Instance>| format!("{:#}", result.unwrap_err());
    assert_eq!(text(snapshot.instantiate(&mut store, &[])), "expected 2 imports, found 0");
    let wrong = text(snapshot.instantiate(&mut store, &[base.clone(), tick.clone()]));
    assert!(wrong.starts_with("incompatible import type for `host::tick`"), "{wrong}");
    let mut limits = Limits::default();
    limits.memory_bytes = 4 << 16;
    store.set_limits(limits);
    let refused = text(snapshot.instantiate(&mut store, &[tick.clone(), base.clone()]));
    assert!(refused.contains("memory_bytes"), "{refused}");
    let mut limits = Limits::default();
    limits.total_table_elements = 9;
    store.set_limits(limits);
    let refused = text(snapshot.instantiate(&mut store, &[tick.clone(), base.clone()]));
    assert!(refused.contains("total_table_elements"), "{refused}");
    assert_eq!(store.memory_usage().instances, 0);
    store.set_limits(Limits::default());
    snapshot.instantiate(&mut store, &[tick, base]).unwrap();
}

#[test]
fn bytes_of_a_snapshot_come_back_in_any_engine() {
    let [(_, engine), (_, other)] = &engines()[..] else { panic!("two engines") };
    let (module, snapshot) = changed(engine);
    let bytes = snapshot.serialize();
    assert!(bytes.len() < snapshot.memory_bytes() + 1000);
    assert_eq!(Snapshot::deserialize(&module, &bytes).unwrap().serialize(), bytes);
    // The same module, compiled elsewhere.
    let module = Module::new(other, STATEFUL).unwrap();
    let again = Snapshot::deserialize(&module, &bytes).unwrap();
    let mut store = Store::new(other, ());
    let imports = imports(&mut store, 5);
    let instance = again.instantiate(&mut store, &imports).unwrap();
    is_changed(&mut store, instance, 5);
}

/// A small module, and the bytes of a snapshot of an instance.
fn small() -> (Module, Vec<u8>) {
    let mut store = crate::empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (memory 1 3) (data (i32.const 4000) "abcdefghijklmnopqrstuvwxyz") (data $d "p")
            (type $t (func (param i32))) (func $f (type $t)) (func $g)
            (table 2 8 funcref) (elem (i32.const 0) func $f $g) (table 1 (ref null $t))
            (global (mut i64) (i64.const 7)) (global (ref func) (ref.func $g)))"#,
    );
    let bytes = instance.snapshot(&mut store).unwrap().serialize();
    (instance.module(&store).clone(), bytes)
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let (module, bytes) = small();
    Snapshot::deserialize(&module, &bytes).unwrap();
    for cut in 0..bytes.len() {
        assert!(Snapshot::deserialize(&module, &bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut damaged = bytes.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            damaged[at] ^= 1 << bit;
            assert!(Snapshot::deserialize(&module, &damaged).is_err(), "bit {bit} of byte {at}");
            damaged[at] ^= 1 << bit;
        }
    }
    damaged.push(0);
    assert!(Snapshot::deserialize(&module, &damaged).is_err());

    let error = |bytes: &[u8]| Snapshot::deserialize(&module, bytes).unwrap_err().to_string();
    assert_eq!(error(b"\0asm\x01\0\0\0"), "not a snapshot: the bytes do not start with its magic");
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(error(&newer), "a snapshot of format 2; this version of tenure reads format 1");
    assert_eq!(error(&bytes[..15]), "a snapshot that cannot be read: the header is damaged");
    assert_eq!(error(&bytes[..50]), "a snapshot that cannot be read: the body is damaged");
    let other = Module::new(module.engine(), "(module)").unwrap();
    let error = Snapshot::deserialize(&other, &bytes).unwrap_err().to_string();
    assert_eq!(error, "a snapshot of an instance of another module");
}

/// Bytes with a checksum that is right can say what they like: it is a state that an instance can have, or an error.
#[test]
fn forged_bytes_are_an_error_or_a_state_like_any_other() {
    let (module, bytes) = small();
    let mut store = Store::new(module.engine(), ());
    let (mut made, mut refused) = (0, 0);
    // Of the memory's bytes, which may be anything, a few are enough.
    let in_memory = |at: usize| (60..bytes.len() - 60).contains(&at);
    for at in (20..bytes.len()).filter(|&at| !in_memory(at) || at % 61 == 0) {
        for value in [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff] {
            let mut forged = bytes.clone();
            forged[at] = value;
            let sum = checksum(&forged[20..]).to_le_bytes();
            forged[12..20].copy_from_slice(&sum);
            let Ok(snapshot) = Snapshot::deserialize(&module, &forged) else {
                refused += 1;
                continue;
            };
            made += 1;
            let instance = snapshot.instantiate(&mut store, &[]).unwrap();
            let again = instance.snapshot(&mut store).unwrap().serialize();
            assert!(Snapshot::deserialize(&module, &again).unwrap().serialize() == again);
            store.release(instance).unwrap();
        }
    }
    assert!(made > 300 && refused > 100, "{made} made, {refused} refused");
}

#[test]
fn a_reset_of_a_stale_instance_is_an_error() {
    let mut store = crate::empty_store();
    let instance = instantiate(&mut store, "(module)");
    store.release(instance).unwrap();
    store.reclaim();
    let message = "handle to an instance that was released and reclaimed";
    assert_eq!(instance.reset(&mut store).unwrap_err().to_string(), message);
    assert_eq!(instance.snapshot(&mut store).unwrap_err().to_string(), message);
    assert_eq!(panic_of(|| instance.module(&store).name().is_some()), message);
}
