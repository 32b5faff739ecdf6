//! The store's contract: who owns what, and for how long.

use crate::{engines, instantiate};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tenure::{
    Caller, Engine, ExternRef, Func, FuncType, Instance, Linker, Module, Ref, RefType, Store, Table,
    TableType, Trap,
};

/// Counts its drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicU32>);

impl Drops {
    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn guard(&self) -> Guard {
        Guard(self.0.clone())
    }
}

/// One drop.
struct Guard(Arc<AtomicU32>);

impl Guard {
    /// For closures to use, so that they own it whole.
    fn touch(&self) {}
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

const CALLS_TABLE: &str = r#"(module (table (export "t") 10 funcref) (type $get (func (result i32)))
    (func (export "call") (param i32) (result i32) (call_indirect (type $get) (local.get 0))))"#;

#[test]
fn a_table_keeps_a_host_closure_when_every_handle_is_gone() {
    for (name, engine) in engines() {
        let drops = Drops::default();
        let mut store = Store::new(&engine, ());
        let call = {
            let instance = instantiate(&mut store, CALLS_TABLE);
            let guard = drops.guard();
            let func = Func::wrap(&mut store, move || {
                guard.touch();
                17
            });
            instance.get_table(&mut store, "t").unwrap().set(&mut store, 3, func.into()).unwrap();
            instance.get_typed_func::<u32, i32>(&mut store, "call").unwrap()
        };
        for at in 0..100 {
            Func::wrap(&mut store, move || at);
        }
        assert_eq!(call.call(&mut store, 3).unwrap(), 17, "{name}");
        assert_eq!(drops.count(), 0, "{name}");
        drop(store);
        assert_eq!(drops.count(), 1, "{name}");
    }
}

#[test]
fn a_table_keeps_a_closure_whose_store_got_it_from_a_linker_that_is_gone() {
    let drops = Drops::default();
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let call = {
        let mut linker = Linker::new(&engine);
        let guard = drops.guard();
        linker
            .func_wrap("", "f", move || {
                guard.touch();
                5
            })
            .unwrap();
        let library = instantiate(&mut store, CALLS_TABLE);
        linker.instance(&mut store, "lib", library).unwrap();
        let wat = r#"(module (import "lib" "t" (table 10 funcref)) (import "" "f" (func $f (result i32)))
            (elem (i32.const 0) $f))"#;
        linker.instantiate(&mut store, &Module::new(&engine, wat).unwrap()).unwrap();
        library.get_typed_func::<u32, i32>(&mut store, "call").unwrap()
    };
    assert_eq!(drops.count(), 0);
    assert_eq!(call.call(&mut store, 0).unwrap(), 5);
    drop(store);
    assert_eq!(drops.count(), 1);
}

#[test]
fn functions_of_a_failed_instantiation_work_where_they_were_written() {
    // Each writes a function into the imported table, and then fails in another way. The function counts in a
    // global of the instance that nobody ever got.
    let failures = [
        ("(memory 1) (data (i32.const 65536) \"x\")", Trap::MemoryOutOfBounds),
        ("(elem (i32.const 10) $count)", Trap::TableOutOfBounds),
        ("(func $start unreachable) (start $start)", Trap::UnreachableCodeReached),
        ("(func $start (call $start)) (start $start)", Trap::StackOverflow),
    ];
    for (name, engine) in engines() {
        for (failure, trap) in failures {
            let mut store = Store::new(&engine, ());
            let library = instantiate(&mut store, CALLS_TABLE);
            let table = library.get_table(&mut store, "t").unwrap();
            let call = library.get_typed_func::<u32, i32>(&mut store, "call").unwrap();
            let wat = format!(
                r#"(module (import "" "t" (table 10 funcref)) (global $count (mut i32) (i32.const 0))
                    (func $count (result i32)
                        (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
                    (elem (i32.const 2) $count) {failure})"#
            );
            let module = Module::new(&engine, wat).unwrap();
            let error = Instance::new(&mut store, &module, &[table.into()]).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}: {failure}");
            drop((module, error));
            for _ in 0..10 {
                instantiate(&mut store, CALLS_TABLE);
            }
            assert_eq!(call.call(&mut store, 2).unwrap(), 1, "{name}: {failure}");
            assert_eq!(call.call(&mut store, 2).unwrap(), 2, "{name}: {failure}");
            let handle = *table.get(&mut store, 2).unwrap().unwrap_func().unwrap();
            let handle = handle.typed::<(), i32>(&store).unwrap();
            assert_eq!(handle.call(&mut store, ()).unwrap(), 3, "{name}: {failure}");
        }
    }
}

#[test]
fn a_failed_check_of_imports_leaves_nothing_behind() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let library = instantiate(&mut store, CALLS_TABLE);
    let table = library.get_table(&mut store, "t").unwrap();
    let wat = r#"(module (import "" "t" (table 10 funcref)) (import "" "f" (func)) (func $f) (elem (i32.const 0) $f))"#;
    let module = Module::new(&engine, wat).unwrap();
    assert!(Instance::new(&mut store, &module, &[table.into(), table.into()]).is_err());
    assert!(table.get(&mut store, 0).unwrap().is_null());
}

#[test]
fn closures_go_with_their_store_and_once() {
    let drops = Drops::default();
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for _ in 0..3 {
        let guard = drops.guard();
        Func::wrap(&mut store, move || guard.touch());
    }
    let guard = drops.guard();
    let ty = FuncType::new(&engine, [], []);
    let called = Func::new(&mut store, ty.clone(), move |_, _, _| {
        guard.touch();
        Ok(())
    });
    let guard = drops.guard();
    // SAFETY: takes and returns nothing.
    let unchecked = unsafe {
        Func::new_unchecked(&mut store, ty, move |_, _| {
            guard.touch();
            Ok(())
        })
    };
    for func in [called, unchecked] {
        func.call(&mut store, &[], &mut []).unwrap();
    }
    assert_eq!(drops.count(), 0);
    drop(store);
    assert_eq!(drops.count(), 5);
}

#[test]
fn closures_of_linkers_go_with_the_last_user() {
    let drops = Drops::default();
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let guard = drops.guard();
    linker.func_wrap("", "f", move || guard.touch()).unwrap();
    let module =
        Module::new(&engine, r#"(module (import "" "f" (func $f)) (func (export "run") (call $f)))"#)
            .unwrap();
    let clone = linker.clone();
    let ready = linker.instantiate_pre(&module).unwrap();
    let mut stores: Vec<_> = (0..3).map(|_| Store::new(&engine, ())).collect();
    for store in &mut stores {
        let instance = ready.instantiate(&mut *store).unwrap();
        ready.instantiate(&mut *store).unwrap();
        instance.get_typed_func::<(), ()>(&mut *store, "run").unwrap().call(store, ()).unwrap();
    }
    drop((linker, clone));
    drop(stores);
    assert_eq!(drops.count(), 0, "the module with its imports still has it");
    drop(ready);
    assert_eq!(drops.count(), 1);

    let mut linker = Linker::<()>::new(&engine);
    let guard = drops.guard();
    linker.allow_shadowing(true).func_wrap("", "f", move || guard.touch()).unwrap();
    linker.func_wrap("", "f", || {}).unwrap();
    assert_eq!(drops.count(), 2, "what is shadowed goes");
}

#[test]
fn host_values_and_data_go_with_the_store_and_once() {
    let (values, data) = (Drops::default(), Drops::default());
    let mut store = Store::new(&Engine::default(), data.guard());
    for _ in 0..10 {
        ExternRef::new(&mut store, values.guard()).unwrap();
    }
    let owned = ExternRef::new(&mut store, values.guard()).unwrap().to_owned_rooted(&mut store).unwrap();
    assert_eq!((values.count(), data.count()), (0, 0));
    let kept = store.into_data();
    assert_eq!((values.count(), data.count()), (11, 0));
    drop((owned, kept));
    assert_eq!((values.count(), data.count()), (11, 1));
}

#[test]
fn the_order_in_which_things_are_let_go_does_not_matter() {
    // Every order of dropping engine, module, linker and store, with a host closure, a guest's table and a
    // host value in between.
    let orders: Vec<Vec<usize>> = permutations(4);
    assert_eq!(orders.len(), 24);
    for order in orders {
        let drops = Drops::default();
        let engine = Engine::default();
        let mut linker = Linker::<Guard>::new(&engine);
        let guard = drops.guard();
        let f = move |caller: Caller<'_, Guard>| {
            guard.touch();
            caller.data().touch();
            1
        };
        linker.func_wrap("", "f", f).unwrap();
        let wat = r#"(module (import "" "f" (func $f (result i32))) (table (export "t") 2 funcref)
            (elem (i32.const 0) $f) (func (export "run") (result i32) (call_indirect (result i32) (i32.const 0))))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, drops.guard());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        ExternRef::new(&mut store, drops.guard()).unwrap();
        let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();

        let mut parts = (Some(engine), Some(module), Some(linker), Some(store));
        for part in order {
            match part {
                0 => drop(parts.0.take()),
                1 => drop(parts.1.take()),
                2 => drop(parts.2.take()),
                _ => drop(parts.3.take()),
            }
            if let Some(store) = &mut parts.3 {
                assert_eq!(run.call(&mut *store, ()).unwrap(), 1);
            }
        }
        assert_eq!(drops.count(), 3);
    }
}

fn permutations(len: usize) -> Vec<Vec<usize>> {
    if len == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(len - 1);
    shorter
        .iter()
        .flat_map(|list| {
            (0..len).map(move |at| {
                let mut list = list.clone();
                list.insert(at, len - 1);
                list
            })
        })
        .collect()
}

#[test]
fn a_closure_may_own_a_store_and_its_engine() {
    let drops = Drops::default();
    let inner_engine = Engine::default();
    let mut inner = Store::new(&inner_engine, drops.guard());
    let answer = instantiate(&mut inner, r#"(module (func (export "f") (result i32) i32.const 42))"#);
    let answer = answer.get_typed_func::<(), i32>(&mut inner, "f").unwrap();
    let inner = Mutex::new(inner);
    drop(inner_engine);

    let mut store = Store::new(&Engine::default(), ());
    let ask = Func::wrap(&mut store, move || answer.call(&mut *inner.lock().unwrap(), ()));
    let wat = r#"(module (import "" "ask" (func $ask (result i32))) (func (export "run") (result i32) (call $ask)))"#;
    let module = Module::new(store.engine(), wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[ask.into()]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 42);
    drop(store);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_failed_call_leaks_nothing() {
    let drops = Drops::default();
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let drops_of_calls = drops.clone();
    let fail = Func::wrap(&mut store, move || -> tenure::Result<()> {
        let _guard = drops_of_calls.guard();
        tenure::bail!("no")
    });
    let wat = r#"(module (import "" "f" (func $f)) (func (export "run") (call $f)))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[fail.into()]).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    for _ in 0..10 {
        run.call(&mut store, ()).unwrap_err();
    }
    assert_eq!(drops.count(), 10);
}

#[test]
fn errors_outlive_their_store() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let instance = instantiate(&mut store, r#"(module $m (func $f (export "f") unreachable))"#);
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    let error = f.call(&mut store, ()).unwrap_err();
    drop((store, engine));
    let trace = error.downcast_ref::<tenure::WasmBacktrace>().unwrap();
    assert_eq!(trace.frames()[0].func_name(), Some("f"));
    assert_eq!(trace.frames()[0].module().name(), Some("m"));
}

#[test]
fn a_store_moves_between_threads() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let ty = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    let count = Func::wrap(&mut store, |mut caller: Caller<'_, i32>| {
        *caller.data_mut() += 1;
        *caller.data()
    });
    table.set(&mut store, 0, count.into()).unwrap();
    let wat = r#"(module (import "" "t" (table 1 funcref))
        (func (export "run") (param i32) (result i32)
            (if (local.get 0) (then unreachable)) (call_indirect (result i32) (i32.const 0))))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[table.into()]).unwrap();
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    for turn in 1..5 {
        let run = run.clone();
        store = std::thread::spawn(move || {
            assert!(run.call(&mut store, 1).unwrap_err().is::<Trap>());
            assert_eq!(run.call(&mut store, 0).unwrap(), turn);
            store
        })
        .join()
        .unwrap();
    }
    assert_eq!(store.into_data(), 4);
}
