//! Release and reclaim: who keeps what alive, from where it can be asked for, and what goes wrong in between.

use crate::{empty_store, instantiate, panic_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::{
    AsContext, AsContextMut, Caller, Extern, ExternRef, Func, Global, GlobalType, Instance, Linker, Memory,
    MemoryType, Module, Mutability, OwnedRooted, Ref, RefType, RootScope, Rooted, Store, Table, TableType,
    Val, ValType,
};

/// Counts how often it was dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A token, and how often it was dropped so far.
fn token() -> (Token, impl Fn() -> usize) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Token(drops.clone()), move || drops.load(Ordering::Relaxed))
}

/// A host function that holds `token`.
fn holding(store: &mut Store<()>, token: Token) -> Func {
    Func::wrap(store, move || {
        let _ = &token;
    })
}

fn funcs(store: &mut Store<()>) -> Table {
    Table::new(store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None)).unwrap()
}

fn cell(store: &mut Store<()>, ty: ValType, val: Val) -> Global {
    Global::new(store, GlobalType::new(ty, Mutability::Var), val).unwrap()
}

fn module(store: &Store<()>, wat: &str) -> Module {
    Module::new(store.engine(), wat).unwrap()
}

/// What holds a host function or host value that has the token, and how it is let go. The host itself has
/// released it.
type Holder = fn(&mut Store<()>, Token) -> Box<dyn FnOnce(&mut Store<()>)>;

/// Every way to be held. A kind of reference that is new to the runtime belongs here too.
const HOLDERS: &[(&str, Holder)] = &[
    ("the host", |store, token| {
        let func = holding(store, token);
        Box::new(move |store| store.release(func).unwrap())
    }),
    ("a table of the host's", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        table.set(&mut *store, 1, func.into()).unwrap();
        store.release(func).unwrap();
        Box::new(move |store| table.set(store, 1, Ref::Func(None)).unwrap())
    }),
    ("a table that goes", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        table.set(&mut *store, 0, func.into()).unwrap();
        store.release(func).unwrap();
        Box::new(move |store| store.release(table).unwrap())
    }),
    ("a table that grew", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        table.grow(&mut *store, 100, func.into()).unwrap();
        store.release(func).unwrap();
        Box::new(move |store| table.fill(store, 2, Ref::Func(None), 100).unwrap())
    }),
    ("a global", |store, token| {
        let func = holding(store, token);
        let global = cell(store, ValType::FUNCREF, func.into());
        store.release(func).unwrap();
        Box::new(move |store| global.set(store, Val::FuncRef(None)).unwrap())
    }),
    ("an import", |store, token| {
        let func = holding(store, token);
        let user = module(store, r#"(module (import "" "" (func)))"#);
        let user = Instance::new(&mut *store, &user, &[func.into()]).unwrap();
        store.release(func).unwrap();
        Box::new(move |store| store.release(user).unwrap())
    }),
    ("an imported table", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        table.set(&mut *store, 0, func.into()).unwrap();
        let user = module(store, r#"(module (import "" "" (table 1 funcref)))"#);
        let user = Instance::new(&mut *store, &user, &[table.into()]).unwrap();
        store.release(func).unwrap();
        store.release(table).unwrap();
        Box::new(move |store| store.release(user).unwrap())
    }),
    ("an imported immutable global", |store, token| {
        let func = holding(store, token);
        let ty = GlobalType::new(ValType::FUNCREF, Mutability::Const);
        let global = Global::new(&mut *store, ty, func.into()).unwrap();
        let user = module(store, r#"(module (import "" "" (global funcref)))"#);
        let user = Instance::new(&mut *store, &user, &[global.into()]).unwrap();
        store.release(func).unwrap();
        store.release(global).unwrap();
        Box::new(move |store| store.release(user).unwrap())
    }),
    ("an instance behind a funcref", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        let user = module(store, r#"(module (import "" "" (func)) (func (export "f")))"#);
        let user = Instance::new(&mut *store, &user, &[func.into()]).unwrap();
        let published = user.get_func(&mut *store, "f").unwrap();
        table.set(&mut *store, 0, published.into()).unwrap();
        store.release(func).unwrap();
        store.release(user).unwrap();
        Box::new(move |store| table.set(store, 0, Ref::Func(None)).unwrap())
    }),
    ("an instance behind a funcref that nobody asked for", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        let user = module(
            store,
            r#"(module (import "" "f" (func)) (import "" "t" (table $t 1 funcref))
                (func $own) (elem (table $t) (i32.const 0) func $own))"#,
        );
        let user = Instance::new(&mut *store, &user, &[func.into(), table.into()]).unwrap();
        store.release(func).unwrap();
        store.release(user).unwrap();
        Box::new(move |store| table.set(store, 0, Ref::Func(None)).unwrap())
    }),
    ("a live element segment", |store, token| {
        let func = holding(store, token);
        let user = module(
            store,
            r#"(module (import "" "" (func $f)) (elem $e func $f) (table 1 funcref)
                (func (export "init") (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)) ))"#,
        );
        let user = Instance::new(&mut *store, &user, &[func.into()]).unwrap();
        store.release(func).unwrap();
        store.reclaim();
        user.get_typed_func::<(), ()>(&mut *store, "init").unwrap().call(&mut *store, ()).unwrap();
        Box::new(move |store| store.release(user).unwrap())
    }),
    ("an instance that could not be initialized", |store, token| {
        let (func, table) = (holding(store, token), funcs(store));
        let user = module(
            store,
            r#"(module (import "" "f" (func)) (import "" "t" (table $t 1 funcref))
                (func $own) (elem (table $t) (i32.const 0) func $own)
                (func $start unreachable) (start $start))"#,
        );
        Instance::new(&mut *store, &user, &[func.into(), table.into()]).unwrap_err();
        store.release(func).unwrap();
        Box::new(move |store| table.set(store, 0, Ref::Func(None)).unwrap())
    }),
    ("an instance made from a linker", |store, token| {
        let mut linker = Linker::new(store.engine());
        linker
            .func_wrap("", "", move || {
                let _ = &token;
            })
            .unwrap();
        let user = module(store, r#"(module (import "" "" (func)))"#);
        let user = linker.instantiate(&mut *store, &user).unwrap();
        Box::new(move |store| store.release(user).unwrap())
    }),
    ("a cycle of instances", |store, token| {
        let func = holding(store, token);
        let wat = r#"(module (import "" "" (func)) (table (export "t") 1 funcref) (func (export "f")))"#;
        let user = module(store, wat);
        let [a, b] = [(); 2].map(|()| Instance::new(&mut *store, &user, &[func.into()]).unwrap());
        for (holder, held) in [(a, b), (b, a)] {
            let held = held.get_func(&mut *store, "f").unwrap();
            holder.get_table(&mut *store, "t").unwrap().set(&mut *store, 0, held.into()).unwrap();
        }
        store.release(func).unwrap();
        store.release(a).unwrap();
        Box::new(move |store| store.release(b).unwrap())
    }),
    ("a scope around the one it was made in", |store, token| {
        let mut kept = None;
        store.scope(|scope| {
            let func = Func::wrap(&mut *scope, move || {
                let _ = &token;
            });
            scope.keep(func).unwrap();
            kept = Some(func);
        });
        Box::new(move |store| store.release(kept.unwrap()).unwrap())
    }),
    ("a reference with an owner", |store, token| {
        let mut scope = RootScope::new(&mut *store);
        let value = ExternRef::new(&mut scope, token).unwrap();
        let owned = value.to_owned_rooted(&mut scope).unwrap();
        let copy = owned.clone();
        drop(owned);
        Box::new(move |_| drop(copy))
    }),
    ("a table of host references", |store, token| {
        let mut scope = RootScope::new(&mut *store);
        let value = ExternRef::new(&mut scope, token).unwrap();
        let ty = TableType::new(RefType::EXTERNREF, 3, None);
        let table = Table::new(&mut scope, ty, Ref::Extern(None)).unwrap();
        table.set(&mut scope, 2, value.into()).unwrap();
        Box::new(move |store| table.set(store, 2, Ref::Extern(None)).unwrap())
    }),
    ("a global host reference of a guest's", |store, token| {
        let instance = instantiate(
            store,
            r#"(module (global $g (mut externref) (ref.null extern))
                (func (export "put") (param externref) (global.set $g (local.get 0))))"#,
        );
        let put = instance.get_typed_func::<Option<Rooted<ExternRef>>, ()>(&mut *store, "put").unwrap();
        let mut scope = RootScope::new(&mut *store);
        let value = ExternRef::new(&mut scope, token).unwrap();
        put.call(&mut scope, Some(value)).unwrap();
        drop(scope);
        Box::new(move |store| put.call(store, None).unwrap())
    }),
];

#[test]
fn what_is_held_stays_and_goes_with_its_holder() {
    for (name, hold) in HOLDERS {
        let mut store = empty_store();
        let (token, drops) = token();
        let let_go = hold(&mut store, token);
        store.reclaim();
        store.reclaim();
        assert_eq!(drops(), 0, "{name} holds it");
        let_go(&mut store);
        assert_eq!(drops(), 0, "{name}: nothing goes before a reclamation");
        store.reclaim();
        assert_eq!(drops(), 1, "{name} held it alone");
        assert_eq!(store.reclaim(), Default::default(), "{name}: one reclamation is enough");
        drop(store);
        assert_eq!(drops(), 1, "{name}: once");
    }
}

/// Makes a `T`, releases it, and makes others until its slot was used again `reuses` times.
fn stale<T: tenure::Release + Copy>(store: &mut Store<()>, make: impl Fn(&mut Store<()>) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for _ in 0..3000 {
        let one = make(store);
        all.push(one);
        store.release(one).unwrap();
        store.reclaim();
    }
    make(store);
    all
}

#[test]
fn a_stale_handle_says_so_also_after_thousands_of_reuses_of_its_slot() {
    let mut store = empty_store();
    let empty = module(&store, "(module)");
    let instances = stale(&mut store, |store| Instance::new(store, &empty, &[]).unwrap());
    let funcs_made = stale(&mut store, |store| Func::wrap(store, || {}));
    let memories = stale(&mut store, |store| Memory::new(store, MemoryType::new(0, None)).unwrap());
    let tables = stale(&mut store, funcs);
    let globals = stale(&mut store, |store| cell(store, ValType::I32, Val::I32(0)));
    for instance in instances {
        let error = store.release(instance).unwrap_err().to_string();
        assert_eq!(error, "handle to an instance that was released and reclaimed");
    }
    for func in funcs_made {
        let error = func.call(&mut store, &[], &mut []).unwrap_err().to_string();
        assert_eq!(error, "handle to a function that was released and reclaimed");
    }
    for memory in memories {
        let error = memory.grow(&mut store, 0).unwrap_err().to_string();
        assert_eq!(error, "handle to a memory that was released and reclaimed");
    }
    for table in tables {
        let error = table.grow(&mut store, 0, Ref::Func(None)).unwrap_err().to_string();
        assert_eq!(error, "handle to a table that was released and reclaimed");
    }
    for global in globals {
        let error = global.set(&mut store, Val::I32(0)).unwrap_err().to_string();
        assert_eq!(error, "handle to a global that was released and reclaimed");
    }
}

#[test]
fn inside_a_call_releases_are_recorded_and_nothing_goes() {
    let mut store = empty_store();
    let empty = module(&store, "(module)");
    let (token_of_host, host_drops) = token();
    let (token_of_value, value_drops) = token();
    let tokens = std::sync::Mutex::new(Some((token_of_host, token_of_value)));
    let outer = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> tenure::Result<()> {
        let (token_of_host, token_of_value) = tokens.lock().unwrap().take().unwrap();
        ExternRef::new(&mut caller, token_of_value)?;
        let by_hand = Instance::new(&mut caller, &empty, &[])?;
        caller.release(by_hand)?;
        assert!(caller.release(by_hand).unwrap_err().to_string().contains("does not hold this instance"));
        let from_scope = caller.scope(|scope| {
            Func::wrap(&mut *scope, move || {
                let _ = &token_of_host;
            });
            let kept = Instance::new(&mut *scope, &empty, &[])?;
            scope.keep(kept)?;
            assert_eq!(scope.reclaim(), Default::default());
            Ok::<_, tenure::Error>(kept)
        })?;
        assert_eq!(caller.reclaim(), Default::default());
        assert_eq!(caller.as_context_mut().reclaim(), Default::default());
        caller.set_automatic_reclaim(true);
        for _ in 0..1000 {
            let one = Instance::new(&mut caller, &empty, &[])?;
            caller.as_context_mut().release(one)?;
        }
        assert_eq!(caller.memory_usage().instances, 1003);
        assert_eq!(by_hand.exports(&mut caller).len(), 0, "it works as before");
        caller.as_context_mut().scope(|scope| scope.release(from_scope))
    });
    let calling = module(&store, r#"(module (import "" "" (func $f)) (func (export "run") (call $f)))"#);
    let calling = Instance::new(&mut store, &calling, &[outer.into()]).unwrap();
    let run = calling.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    run.call(&mut store, ()).unwrap();
    assert_eq!((host_drops(), value_drops()), (0, 0));
    let freed = store.reclaim();
    assert_eq!((freed.instances, freed.functions, freed.host_references), (1002, 1, 1));
    assert_eq!((host_drops(), value_drops()), (1, 1));
    assert_eq!(store.memory_usage().instances, 1);
}

#[test]
fn an_instance_may_be_released_while_it_runs() {
    let engine = crate::engine();
    let mut store = Store::new(&engine, None::<Instance>);
    let wat = r#"(module (import "" "" (func $f)) (memory 1)
        (func (export "run") (result i32)
            (i32.store (i32.const 0) (i32.const 41)) (call $f)
            (i32.add (i32.load (i32.const 0)) (i32.const 1))))"#;
    let release = Func::wrap(&mut store, |mut caller: Caller<'_, Option<Instance>>| {
        let running = caller.data_mut().take().unwrap();
        caller.release(running).unwrap();
        caller.reclaim();
    });
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[release.into()]).unwrap();
    *store.data_mut() = Some(instance);
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 42);
    assert_eq!(store.reclaim().instances, 1);
    let error = run.call(&mut store, ()).unwrap_err().to_string();
    assert_eq!(error, "handle to a function that was released and reclaimed");
}

/// Runs `make` a few thousand times; what it makes must not pile up.
fn stays_small(what: &str, make: impl Fn(&mut Store<()>)) {
    let mut store = empty_store();
    let most = (0..5000).map(|_| {
        make(&mut store);
        let usage = store.memory_usage();
        usage.instances
            + usage.host_functions
            + usage.memories
            + usage.tables
            + usage.globals
            + usage.host_references
    });
    let most = most.max().unwrap();
    assert!(most < 300, "{what}: {most}");
    let mut store = empty_store();
    store.set_automatic_reclaim(false);
    (0..1000).for_each(|_| make(&mut store));
    let freed = store.reclaim();
    let count = freed.instances
        + freed.functions
        + freed.memories
        + freed.tables
        + freed.globals
        + freed.host_references;
    assert!(count >= 1000, "{what}: switched off, all wait: {count}");
}

#[test]
fn every_kind_of_thing_is_reclaimed_without_being_asked_for() {
    stays_small("instances", |store| {
        let empty = module(store, "(module)");
        let one = Instance::new(&mut *store, &empty, &[]).unwrap();
        store.release(one).unwrap();
    });
    stays_small("functions", |store| {
        let one = Func::wrap(&mut *store, || {});
        store.release(one).unwrap();
    });
    stays_small("memories", |store| {
        let one = Memory::new(&mut *store, MemoryType::new(0, None)).unwrap();
        store.release(one).unwrap();
    });
    stays_small("tables", |store| {
        let one = funcs(store);
        store.release(one).unwrap();
    });
    stays_small("globals", |store| {
        let one = cell(store, ValType::I32, Val::I32(0));
        store.release(one).unwrap();
    });
    stays_small("scopes", |store| {
        store.scope(|scope| {
            Func::wrap(&mut *scope, || {});
        });
    });
    stays_small("host values", |store| {
        ExternRef::new(RootScope::new(store), 1).unwrap();
    });
    stays_small("host values with owners", |store| {
        let mut scope = RootScope::new(store);
        let value = ExternRef::new(&mut scope, 1).unwrap();
        value.to_owned_rooted(&mut scope).unwrap();
    });
    stays_small("functions of linkers whose modules do not fit", |store| {
        let mut linker = Linker::new(store.engine());
        linker.func_wrap("", "f", || {}).unwrap();
        let ty = GlobalType::new(ValType::I32, Mutability::Const);
        store.scope(|scope| {
            let global = Global::new(&mut *scope, ty, Val::I32(0)).unwrap();
            linker.define(&mut *scope, "", "g", global).unwrap();
        });
        let wrong = module(store, r#"(module (import "" "f" (func)) (import "" "g" (global i64)))"#);
        linker.instantiate(&mut *store, &wrong).unwrap_err();
    });
}

#[test]
fn a_reference_ends_with_its_scope() {
    let mut store = empty_store();
    let mut ended = Vec::new();
    for _ in 0..100 {
        let mut scope = RootScope::new(&mut store);
        let outer = ExternRef::new(&mut scope, "outer").unwrap();
        let inner = ExternRef::new(RootScope::new(&mut scope), "inner").unwrap();
        assert!(outer.data(&scope).is_ok() && inner.data(&scope).is_err());
        ended.extend([outer, inner]);
    }
    store.scope(|scope| ended.push(ExternRef::new(scope, "in a scope of the store").unwrap()));
    let from_call = Arc::new(std::sync::Mutex::new(None));
    let kept = from_call.clone();
    let func = Func::wrap(&mut store, move |value: Rooted<ExternRef>| *kept.lock().unwrap() = Some(value));
    let value = ExternRef::new(&mut store, 1).unwrap();
    func.call(&mut store, &[value.into()], &mut []).unwrap();
    ended.push(from_call.lock().unwrap().take().unwrap());
    for reference in ended {
        let error = reference.data(&store).unwrap_err().to_string();
        assert_eq!(error, "host reference whose scope has ended");
        assert!(reference.data_mut(&mut store).is_err() && reference.to_raw(&mut store).is_err());
        assert!(reference.to_owned_rooted(&mut store).is_err());
        assert!(Rooted::ref_eq(&store, &reference, &value).is_err());
        assert!(func.call(&mut store, &[reference.into()], &mut []).is_err());
    }
    assert!(value.data(&store).is_ok());
    store.reclaim();
    assert_eq!(store.memory_usage().host_references, 1);
}

#[test]
fn a_reference_with_an_owner_goes_on_with_any_copy() {
    let mut store = empty_store();
    let owned = {
        let mut scope = RootScope::new(&mut store);
        ExternRef::new(&mut scope, 7_u8).unwrap().to_owned_rooted(&mut scope).unwrap()
    };
    let copy = owned.clone();
    let bare: ExternRef = *owned;
    drop(owned);
    store.reclaim();
    assert_eq!(copy.data(&store).unwrap().unwrap().downcast_ref::<u8>(), Some(&7));
    assert!(bare.data(&store).is_ok());
    let again = copy.to_rooted(&mut store);
    drop(copy);
    store.reclaim();
    assert!(again.data(&store).is_ok() && bare.data(&store).is_err());
    let give = Func::wrap(&mut store, move |caller: Caller<'_, ()>| again.to_owned_rooted(caller).map(Some));
    let give = give.typed::<(), Option<OwnedRooted<ExternRef>>>(&store).unwrap();
    let given = give.call(&mut store, ()).unwrap().unwrap();
    assert!(OwnedRooted::ref_eq(&store, &given, &again).unwrap());
}

/// Panics when it goes.
struct Bomb(Option<Token>);

impl Drop for Bomb {
    fn drop(&mut self) {
        drop(self.0.take());
        panic!("dropped");
    }
}

#[test]
fn closures_and_values_whose_drop_panics_all_go_and_the_store_works_on() {
    for ends_with_store in [false, true] {
        let mut store = empty_store();
        let drops: Vec<_> = (0..10)
            .map(|at| {
                let (token, drops) = token();
                let bomb = Bomb(Some(token));
                if at % 2 == 0 {
                    ExternRef::new(RootScope::new(&mut store), bomb).unwrap();
                } else {
                    let func = Func::wrap(&mut store, move || {
                        let _ = &bomb;
                    });
                    store.release(func).unwrap();
                }
                drops
            })
            .collect();
        if ends_with_store {
            assert_eq!(panic_of(|| drop(store)), "dropped");
        } else {
            assert_eq!(panic_of(|| store.reclaim()), "dropped");
            assert_eq!(store.reclaim(), Default::default());
            let func = Func::wrap(&mut store, || 1);
            assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 1);
            assert_eq!(store.memory_usage().host_functions, 1);
        }
        assert!(drops.iter().all(|drops| drops() == 1));
    }
}

#[test]
fn what_goes_may_use_and_drop_other_stores() {
    struct UsesAnother(Option<(Store<()>, Func)>);

    impl Drop for UsesAnother {
        fn drop(&mut self) {
            let (mut store, func) = self.0.take().unwrap();
            let instance =
                instantiate(&mut store, r#"(module (func (export "f") (result i32) (i32.const 5)))"#);
            let five = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
            assert_eq!(five.call(&mut store, ()).unwrap(), 5);
            store.release(func).unwrap();
            store.release(instance).unwrap();
            let freed = store.reclaim();
            assert_eq!((freed.instances, freed.functions), (1, 1));
        }
    }

    // Stores inside closures inside stores.
    let mut inner = empty_store();
    for _ in 0..10 {
        let func = Func::wrap(&mut inner, || {});
        let captured = UsesAnother(Some((inner, func)));
        let mut outer = empty_store();
        Func::wrap(&mut outer, move || {
            let _ = &captured;
        });
        inner = outer;
    }
    inner.scope(|scope| {
        let mut third = Store::new(scope.as_context().engine(), ());
        let func = Func::wrap(&mut third, || {});
        let captured = UsesAnother(Some((third, func)));
        Func::wrap(&mut *scope, move || {
            let _ = &captured;
        });
    });
    assert_eq!(inner.reclaim().functions, 1);
}

#[test]
fn what_is_not_the_hosts_cannot_be_released() {
    let mut store = empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (func (export "f")) (memory (export "m") 0) (table (export "t") 0 funcref)
            (global (export "g") i32 (i32.const 0)))"#,
    );
    let message =
        |what| format!("the host does not hold this {what}: an instance does, or it was released before");
    for name in ["f", "m", "t", "g"] {
        let (what, error) = match instance.get_export(&mut store, name).unwrap() {
            Extern::Func(func) => ("function", store.release(func)),
            Extern::Memory(memory) => ("memory", store.release(memory)),
            Extern::Table(table) => ("table", store.release(table)),
            Extern::Global(global) => ("global", store.release(global)),
            other => panic!("{other:?}"),
        };
        assert_eq!(error.unwrap_err().to_string(), message(what));
    }
    store.release(instance).unwrap();
    assert_eq!(store.release(instance).unwrap_err().to_string(), message("instance"));
    store.reclaim();
    let error = store.release(instance).unwrap_err().to_string();
    assert_eq!(error, "handle to an instance that was released and reclaimed");
    let mut other = empty_store();
    let foreign = Memory::new(&mut other, MemoryType::new(0, None)).unwrap();
    assert_eq!(store.release(foreign).unwrap_err().to_string(), "handle to a memory of another store");
    let kept = store.scope(|scope| scope.keep(foreign)).unwrap_err().to_string();
    assert_eq!(kept, "handle to a memory of another store");
    assert!(store.scope(|scope| scope.keep(instance)).is_err());
    other.release(foreign).unwrap();
}

#[test]
fn scopes_nest_and_hand_on_what_they_keep() {
    let mut store = empty_store();
    let empty = module(&store, "(module)");
    let mut made = Vec::new();
    store.scope(|outer| {
        let kept = outer.scope(|inner| {
            made.push(Instance::new(&mut *inner, &empty, &[]).unwrap());
            let kept = Instance::new(&mut *inner, &empty, &[]).unwrap();
            inner.keep(kept).unwrap();
            // Twice is once.
            inner.keep(kept).unwrap();
            kept
        });
        assert_eq!(outer.reclaim().instances, 1, "scopes release at their end");
        made.push(kept);
        let by_hand = Instance::new(&mut *outer, &empty, &[]).unwrap();
        outer.release(by_hand).unwrap();
    });
    assert_eq!(store.reclaim().instances, 2);
    assert!(made.iter().all(|&instance| store.release(instance).is_err()));
    // A panic ends it as well.
    let made = panic_of(|| {
        store.scope(|scope| -> () {
            Instance::new(&mut *scope, &empty, &[]).unwrap();
            panic!("in a scope")
        })
    });
    assert_eq!((made.as_str(), store.reclaim().instances), ("in a scope", 1));
}

#[test]
fn code_goes_with_the_last_instance_of_its_module() {
    let mut store = empty_store();
    let wat = r#"(module (func (export "f") (result i32) (i32.const 1)))"#;
    for _ in 0..3 {
        let user = module(&store, wat);
        let instance = Instance::new(&mut store, &user, &[]).unwrap();
        drop(user);
        assert_eq!(store.memory_usage().modules, 1);
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 1);
        store.release(instance).unwrap();
        store.reclaim();
        let usage = store.memory_usage();
        assert_eq!((usage.modules, usage.code_bytes), (0, 0));
    }
}

/// The records of a module with so many functions lie in a place that the next instance takes as it is.
#[test]
fn an_instance_in_the_place_of_another_has_functions_of_its_own() {
    let funcs: String = (0..300)
        .map(|at| {
            format!(
                r#"(func $f{at} (export "f{at}") (result i32) (global.get $g))
                (elem (i32.const {at}) $f{at})"#
            )
        })
        .collect();
    let wat = format!(
        r#"(module (table (export "t") 300 funcref) (global $g (export "g") (mut i32) (i32.const 0)) {funcs}
            (type $get (func (result i32)))
            (func (export "call") (param i32) (result i32) (call_indirect (type $get) (local.get 0))))"#
    );
    for (_, engine) in crate::engines() {
        let module = Module::new(&engine, &wat).unwrap();
        let (mut store, mut stale) = (Store::new(&engine, ()), Vec::<Func>::new());
        for round in 0..40 {
            let instances: Vec<Instance> = (0..1 + round % 3)
                .map(|at| {
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let global = instance.get_global(&mut store, "g").unwrap();
                    global.set(&mut store, Val::I32(10 * round + at)).unwrap();
                    instance
                })
                .collect();
            for (&instance, at) in instances.iter().zip(0..) {
                // A few get a handle, which their records remember, through an export or through the table.
                let name = format!("f{}", round % 7 * 40);
                let by_name = instance.get_func(&mut store, &name).unwrap();
                let table = instance.get_table(&mut store, "t").unwrap();
                let Some(Ref::Func(Some(by_table))) = table.get(&mut store, 299) else {
                    panic!("no function")
                };
                for func in [by_name, by_table] {
                    assert_eq!(
                        func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(),
                        10 * round + at
                    );
                    stale.push(func);
                }
                let call = instance.get_typed_func::<i32, i32>(&mut store, "call").unwrap();
                for element in [0, 150, 299] {
                    assert_eq!(call.call(&mut store, element).unwrap(), 10 * round + at);
                }
            }
            instances.into_iter().for_each(|instance| store.release(instance).unwrap());
            store.reclaim();
            for func in &stale {
                let error = func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err().to_string();
                assert_eq!(error, "handle to a function that was released and reclaimed");
            }
            if round % 10 == 9 {
                // What one store has left behind serves another.
                (store, stale) = (Store::new(&engine, ()), Vec::new());
            }
        }
    }
}

#[test]
fn a_table_that_outlives_its_instance_keeps_its_elements() {
    for (size, most) in [(3, 1000), (3, 3), (0, 50), (200, 1000)] {
        let mut store = empty_store();
        let home =
            instantiate(&mut store, &format!(r#"(module (table (export "t") {size} {most} funcref))"#));
        let table = home.get_table(&mut store, "t").unwrap();
        let seven = Func::wrap(&mut store, || 7);
        let module = module(
            &store,
            &format!(
                r#"(module (type $f (func (result i32))) (import "" "t" (table $t {size} {most} funcref))
                (func (export "call") (param i32) (result i32) (call_indirect $t (type $f) (local.get 0)))
                (func (export "grow") (param i32) (result i32)
                    (table.grow $t (ref.null func) (local.get 0))))"#
            ),
        );
        let user = Instance::new(&mut store, &module, &[table.into()]).unwrap();
        let call = user.get_typed_func::<i32, i32>(&mut store, "call").unwrap();
        if size > 0 {
            table.set(&mut store, size - 1, Ref::Func(Some(seven))).unwrap();
        }
        store.release(home).unwrap();
        for reclaimed in [1, 0, 0] {
            let before = store.memory_usage().total_bytes();
            let freed = store.reclaim();
            assert_eq!((freed.instances, freed.tables), (reclaimed, 0));
            assert_eq!(before - store.memory_usage().total_bytes(), freed.bytes);
            assert_eq!(table.size(&store), size);
            for at in 0..size {
                assert_eq!(table.get(&mut store, at).unwrap().is_null(), at != size - 1);
            }
            if size > 0 {
                assert_eq!(call.call(&mut store, size as i32 - 1).unwrap(), 7);
            }
        }
        let grow = user.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
        let grown = grow.call(&mut store, 30).unwrap();
        assert_eq!(grown, if most >= size + 30 { size as i32 } else { -1 });
        if grown >= 0 {
            table.set(&mut store, size + 29, Ref::Func(Some(seven))).unwrap();
            assert_eq!(call.call(&mut store, size as i32 + 29).unwrap(), 7);
        }
        store.release(user).unwrap();
        store.reclaim();
        assert_eq!((store.memory_usage().tables, store.memory_usage().instances), (0, 0));
    }
}
