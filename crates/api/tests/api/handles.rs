//! Every kind of handle, used with a store that is not its own: an error where there can be one, a panic with
//! the same message otherwise, and both stores work on.

use crate::{instantiate, panic_of};
use tenure::{
    Engine, Extern, ExternRef, Func, Global, GlobalType, Instance, Linker, Memory, MemoryType, Module,
    Mutability, OwnedRooted, Ref, RefType, Rooted, Store, Table, TableType, TypedFunc, Val, ValType,
};

/// A handle of each kind.
struct Handles {
    func: Func,
    typed: TypedFunc<i32, i32>,
    guest_func: Func,
    memory: Memory,
    table: Table,
    externs: Table,
    global: Global,
    instance: Instance,
    value: Rooted<ExternRef>,
    owned: OwnedRooted<ExternRef>,
}

impl Handles {
    fn new(store: &mut Store<()>) -> Self {
        let func = Func::wrap(&mut *store, |x: i32| x + 1);
        let instance = instantiate(
            store,
            r#"(module (memory (export "m") 1) (table (export "t") 1 funcref) (table (export "e") 1 externref)
                (global (export "g") (mut funcref) (ref.null func))
                (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"#,
        );
        let value = ExternRef::new(&mut *store, 1).unwrap();
        let guest_func = instance.get_func(&mut *store, "f").unwrap();
        Self {
            func,
            typed: guest_func.typed(&*store).unwrap(),
            guest_func,
            memory: instance.get_memory(&mut *store, "m").unwrap(),
            table: instance.get_table(&mut *store, "t").unwrap(),
            externs: instance.get_table(&mut *store, "e").unwrap(),
            global: instance.get_global(&mut *store, "g").unwrap(),
            instance,
            value,
            owned: value.to_owned_rooted(store).unwrap(),
        }
    }

    /// Everything works.
    fn check(&self, store: &mut Store<()>) {
        assert_eq!(self.typed.call(&mut *store, 1).unwrap(), 2);
        let mut results = [Val::I32(0)];
        self.func.call(&mut *store, &[Val::I32(1)], &mut results).unwrap();
        assert_eq!(results[0].i32(), Some(2));
        assert_eq!(self.memory.data(&*store)[0], 0);
        assert!(self.table.get(&mut *store, 0).unwrap().is_null());
        assert!(self.externs.get(&mut *store, 0).unwrap().is_null());
        assert!(self.global.get(&mut *store).unwrap_funcref().is_none());
        assert_eq!(self.instance.exports(&mut *store).len(), 5);
        assert!(self.value.data(&*store).unwrap().is_some());
    }
}

/// Two stores of one engine, so that nothing but the store tells their handles apart.
fn two_stores() -> (Store<()>, Handles, Store<()>, Handles) {
    let engine = Engine::default();
    let (mut own, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let (own_handles, foreign) = (Handles::new(&mut own), Handles::new(&mut other));
    (own, own_handles, other, foreign)
}

#[test]
fn what_can_fail_fails_with_an_error() {
    let (mut store, own, mut other, foreign) = two_stores();
    let s = &mut store;
    let engine = s.engine().clone();
    let ty = TableType::new(RefType::FUNCREF, 1, None);
    let import = |kind: &str| Module::new(&engine, format!(r#"(module (import "" "" ({kind})))"#)).unwrap();
    let mut linker = Linker::new(&engine);
    let mut results = [Val::I32(0)];

    let errors = [
        ("function", foreign.func.call(&mut *s, &[Val::I32(1)], &mut results)),
        ("function", foreign.guest_func.call(&mut *s, &[Val::I32(1)], &mut results)),
        ("function", foreign.typed.call(&mut *s, 1).map(drop)),
        ("memory", foreign.memory.read(&*s, 0, &mut []).map_err(Into::into)),
        ("memory", foreign.memory.write(&mut *s, 0, &[]).map_err(Into::into)),
        ("memory", foreign.memory.grow(&mut *s, 0).map(drop)),
        ("table", foreign.table.set(&mut *s, 0, Ref::Func(None))),
        ("table", foreign.table.grow(&mut *s, 0, Ref::Func(None)).map(drop)),
        ("table", foreign.table.fill(&mut *s, 0, Ref::Func(None), 0)),
        ("table", Table::copy(&mut *s, &own.table, 0, &foreign.table, 0, 0)),
        ("table", Table::copy(&mut *s, &foreign.table, 0, &own.table, 0, 0)),
        ("global", foreign.global.set(&mut *s, Val::FuncRef(None))),
        ("host reference", foreign.value.data(&*s).map(drop)),
        ("host reference", foreign.value.data_mut(&mut *s).map(drop)),
        ("host reference", foreign.value.to_raw(&mut *s).map(drop)),
        ("host reference", foreign.value.to_owned_rooted(&mut *s).map(drop)),
        ("host reference", foreign.owned.data(&*s).map(drop)),
        ("host reference", Rooted::ref_eq(&*s, &own.value, &foreign.value).map(drop)),
        // As values.
        ("function", own.table.set(&mut *s, 0, foreign.func.into())),
        ("function", own.table.fill(&mut *s, 0, foreign.func.into(), 1)),
        ("function", own.table.grow(&mut *s, 1, foreign.func.into()).map(drop)),
        ("function", own.global.set(&mut *s, foreign.guest_func.into())),
        ("function", Table::new(&mut *s, ty, foreign.func.into()).map(drop)),
        ("function", Val::from(foreign.func).ty(&*s).map(drop)),
        ("function", Val::from(foreign.func).to_raw(&mut *s).map(drop)),
        ("host reference", own.externs.set(&mut *s, 0, foreign.value.into())),
        ("host reference", Val::from(foreign.value).ty(&*s).map(drop)),
        ("host reference", {
            let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Const);
            Global::new(&mut *s, ty, foreign.value.into()).map(drop)
        }),
        ("function", {
            let take = Func::wrap(&mut *s, |_: Option<Func>| {});
            take.call(&mut *s, &[foreign.func.into()], &mut [])
        }),
        ("function", {
            let take = Func::wrap(&mut *s, |_: Option<Func>| {});
            take.typed::<Option<Func>, ()>(&*s).unwrap().call(&mut *s, Some(foreign.func))
        }),
        ("host reference", {
            let take = Func::wrap(&mut *s, |_: Option<Rooted<ExternRef>>| {});
            take.typed::<Option<Rooted<ExternRef>>, ()>(&*s).unwrap().call(&mut *s, Some(foreign.value))
        }),
        ("function", {
            let func = foreign.func;
            let give = Func::wrap(&mut *s, move || Some(func));
            give.typed::<(), Option<Func>>(&*s).unwrap().call(&mut *s, ()).map(drop)
        }),
        ("host reference", {
            let value = foreign.owned.clone();
            let give = Func::wrap(&mut *s, move || value.clone());
            give.call(&mut *s, &[], &mut results)
        }),
        // As imports and definitions.
        ("function", Instance::new(&mut *s, &import("func"), &[foreign.func.into()]).map(drop)),
        ("memory", Instance::new(&mut *s, &import("memory 1"), &[foreign.memory.into()]).map(drop)),
        ("table", Instance::new(&mut *s, &import("table 1 funcref"), &[foreign.table.into()]).map(drop)),
        (
            "global",
            Instance::new(&mut *s, &import("global (mut funcref)"), &[foreign.global.into()]).map(drop),
        ),
        ("memory", linker.define(&*s, "", "", foreign.memory).map(drop)),
        ("instance", linker.instance(&mut *s, "", foreign.instance).map(drop)),
    ];
    for (at, (what, result)) in errors.into_iter().enumerate() {
        let article = if what.starts_with('i') { "an" } else { "a" };
        let error = result.expect_err(&format!("use {at}, of {article} {what}"));
        let message = error.root_cause().to_string();
        assert_eq!(message, format!("handle to {article} {what} of another store"), "use {at}");
    }

    own.check(&mut store);
    foreign.check(&mut other);
}

#[test]
fn linkers_and_ready_instances_with_handles_are_of_one_store() {
    let (mut store, own, mut other, foreign) = two_stores();
    let mut linker = Linker::new(store.engine());
    linker.define(&store, "", "m", own.memory).unwrap();
    let module = Module::new(store.engine(), r#"(module (import "" "m" (memory 1)))"#).unwrap();
    let ready = linker.instantiate_pre(&module).unwrap();
    for result in [linker.instantiate(&mut other, &module), ready.instantiate(&mut other)] {
        let error = format!("{:#}", result.unwrap_err());
        assert_eq!(error, "import `::m`: handle to a memory of another store");
    }
    linker.instantiate(&mut store, &module).unwrap();
    ready.instantiate(&mut store).unwrap();
    own.check(&mut store);
    foreign.check(&mut other);
}

#[test]
fn what_cannot_fail_panics_with_the_same_message() {
    let (mut store, own, mut other, foreign) = two_stores();
    let s = &mut store;
    let foreign_extern = Extern::from(foreign.table);
    let panics = [
        ("function", panic_of(|| foreign.func.ty(&*s))),
        ("function", panic_of(|| foreign.func.typed::<i32, i32>(&*s))),
        ("function", panic_of(|| foreign.func.to_raw(&mut *s))),
        ("memory", panic_of(|| foreign.memory.ty(&*s))),
        ("memory", panic_of(|| foreign.memory.data(&*s).len())),
        ("memory", panic_of(|| foreign.memory.data_mut(&mut *s).len())),
        ("memory", panic_of(|| foreign.memory.data_and_store_mut(&mut *s).0.len())),
        ("memory", panic_of(|| foreign.memory.data_ptr(&*s))),
        ("memory", panic_of(|| foreign.memory.data_size(&*s))),
        ("memory", panic_of(|| foreign.memory.size(&*s))),
        ("memory", panic_of(|| foreign.memory.page_size(&*s))),
        ("memory", panic_of(|| foreign.memory.page_size_log2(&*s))),
        ("table", panic_of(|| foreign.table.ty(&*s))),
        ("table", panic_of(|| foreign.table.get(&mut *s, 0))),
        ("table", panic_of(|| foreign.table.size(&*s))),
        ("table", panic_of(|| foreign_extern.ty(&*s))),
        ("global", panic_of(|| foreign.global.ty(&*s))),
        ("global", panic_of(|| foreign.global.get(&mut *s))),
        ("instance", panic_of(|| foreign.instance.module(&*s).name().is_some())),
        ("instance", panic_of(|| foreign.instance.exports(&mut *s).len())),
        ("instance", panic_of(|| foreign.instance.get_export(&mut *s, "m"))),
        ("instance", panic_of(|| foreign.instance.get_memory(&mut *s, "m"))),
        ("instance", panic_of(|| foreign.instance.get_typed_func::<(), ()>(&mut *s, "f"))),
        ("host reference", panic_of(|| foreign.owned.to_rooted(&mut *s))),
    ];
    for (at, (what, message)) in panics.into_iter().enumerate() {
        let article = if what.starts_with('i') { "an" } else { "a" };
        assert_eq!(message, format!("handle to {article} {what} of another store"), "use {at}");
    }
    own.check(&mut store);
    foreign.check(&mut other);
}

#[test]
fn a_handle_of_a_store_that_is_gone_is_foreign_everywhere() {
    let (mut store, own, other, foreign) = two_stores();
    drop(other);
    let engine = store.engine().clone();
    assert!(foreign.typed.call(&mut store, 1).is_err());
    let mut newer = Store::new(&engine, ());
    let newer_handles = Handles::new(&mut newer);
    assert!(foreign.typed.call(&mut newer, 1).is_err(), "ids of stores are never used again");
    assert!(foreign.memory.grow(&mut newer, 0).is_err());
    newer_handles.check(&mut newer);
    own.check(&mut store);
}

#[test]
fn memories_made_by_the_host_are_told_apart_too() {
    let engine = Engine::default();
    let (mut one, mut two) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let ty = MemoryType::new(1, None);
    let (a, b) = (Memory::new(&mut one, ty.clone()).unwrap(), Memory::new(&mut two, ty).unwrap());
    a.write(&mut one, 0, b"a").unwrap();
    b.write(&mut two, 0, b"b").unwrap();
    assert!(a.write(&mut two, 0, b"x").is_err() && b.write(&mut one, 0, b"x").is_err());
    assert_eq!((a.data(&one)[0], b.data(&two)[0]), (b'a', b'b'));
}

#[test]
fn handles_are_copied_and_sent() {
    fn copied<T: Copy + Send + Sync + 'static>() {}
    copied::<Func>();
    copied::<Memory>();
    copied::<Table>();
    copied::<Global>();
    copied::<Instance>();
    copied::<Rooted<ExternRef>>();
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<Module>();
    shared::<Linker<*const ()>>();
    shared::<tenure::InstancePre<*const ()>>();
    shared::<OwnedRooted<ExternRef>>();
    shared::<Extern>();
    shared::<Val>();
    shared::<TypedFunc<i32, i32>>();
    fn sent<T: Send>() {}
    sent::<Store<std::cell::Cell<u32>>>();
}
