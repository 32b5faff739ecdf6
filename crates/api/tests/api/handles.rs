//! Every use of a handle × own, foreign, released, reclaimed, slot used again: what can fail fails with an error,
//! the rest panics with the same message, and the store works on.

use crate::panic_of;
use std::collections::hash_map::DefaultHasher;
use tenure::{
    AsContextMut, Engine, Extern, ExternRef, Func, FuncType, Global, GlobalType, Instance, Linker, Memory,
    MemoryType, Module, ModuleExport, Mutability, OwnedRooted, Ref, RefType, RootScope, Rooted, Store, Table,
    TableType, TypedFunc, Val, ValRaw, ValType,
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
    export: ModuleExport,
    value: Rooted<ExternRef>,
    owned: OwnedRooted<ExternRef>,
}

const GUEST: &str = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref)
    (table (export "e") 1 externref) (global (export "g") (mut funcref) (ref.null func))
    (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))"#;

impl Handles {
    fn new(mut store: impl AsContextMut<Data = ()>) -> Self {
        let func = Func::wrap(&mut store, |x: i32| x + 1);
        let module = Module::new(store.as_context().engine(), GUEST).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let value = ExternRef::new(&mut store, 1).unwrap();
        let guest_func = instance.get_func(&mut store, "f").unwrap();
        Self {
            func,
            typed: guest_func.typed(&store).unwrap(),
            guest_func,
            memory: instance.get_memory(&mut store, "m").unwrap(),
            table: instance.get_table(&mut store, "t").unwrap(),
            externs: instance.get_table(&mut store, "e").unwrap(),
            global: instance.get_global(&mut store, "g").unwrap(),
            export: module.get_export_index("f").unwrap(),
            instance,
            value,
            owned: value.to_owned_rooted(store).unwrap(),
        }
    }

    /// Gives up what the host holds.
    fn release(&self, store: &mut Store<()>) {
        store.release(self.func).unwrap();
        store.release(self.instance).unwrap();
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
        assert!(self.instance.get_module_export(&mut *store, &self.export).is_some());
        assert!(self.owned.data(&*store).unwrap().is_some());
    }
}

/// A store with handles of its own and handles that it must refuse, with the messages for those.
struct Case {
    name: &'static str,
    store: Store<()>,
    own: Handles,
    bad: Handles,
    /// What is wrong with `bad`, behind "handle to a …".
    wrong: &'static str,
    /// The message for its host reference.
    wrong_value: &'static str,
    /// Where `bad` is from, if that is another store.
    other: Option<Store<()>>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // Stores of one engine, so that nothing but the store tells their handles apart.
    let engine = crate::engine();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    cases.push(Case {
        name: "foreign",
        own: Handles::new(&mut store),
        bad: Handles::new(&mut other),
        store,
        wrong: "of another store",
        wrong_value: "handle to a host reference of another store",
        other: Some(other),
    });
    for (name, reuses) in [("reclaimed", 0), ("slot used again", 1), ("slot used again often", 100)] {
        let mut store = Store::new(&engine, ());
        let bad = Handles::new(RootScope::new(&mut store));
        bad.check(&mut store);
        bad.release(&mut store);
        store.reclaim();
        for _ in 0..reuses {
            let next = Handles::new(RootScope::new(&mut store));
            next.release(&mut store);
            store.reclaim();
        }
        let own = Handles::new(&mut store);
        let wrong = "that was released and reclaimed";
        let wrong_value = "host reference whose scope has ended";
        cases.push(Case { name, store, own, bad, wrong, wrong_value, other: None });
    }
    cases
}

impl Case {
    fn expect(&self, what: &str, at: usize, message: &str) {
        let expected = match what {
            "host reference" => self.wrong_value.to_string(),
            "instance" => format!("handle to an instance {}", self.wrong),
            what => format!("handle to a {what} {}", self.wrong),
        };
        assert_eq!(message, expected, "{}, use {at}", self.name);
    }

    /// Nothing has happened to what is good.
    fn check(mut self) {
        self.own.check(&mut self.store);
        if let Some(mut other) = self.other {
            self.bad.check(&mut other);
        }
    }
}

/// Calls a host function that takes a `P` with `value`.
fn give<P: tenure::WasmTy>(store: &mut Store<()>, value: P) -> tenure::Result<()> {
    let take = Func::wrap(&mut *store, |_: P| {});
    take.typed::<P, ()>(&*store).unwrap().call(store, value)
}

#[test]
fn what_can_fail_fails_with_an_error() {
    for mut case in cases() {
        let (s, own, bad) = (&mut case.store, &case.own, &case.bad);
        let engine = s.engine().clone();
        let ty = TableType::new(RefType::FUNCREF, 1, None);
        let import =
            |kind: &str| Module::new(&engine, format!(r#"(module (import "" "" ({kind})))"#)).unwrap();
        let mut linker = Linker::new(&engine);
        let mut results = [Val::I32(0)];
        let mut raw = [ValRaw::i32(0)];
        let null = Ref::Func(None);

        let errors = [
            ("function", bad.func.call(&mut *s, &[Val::I32(1)], &mut results)),
            ("function", bad.guest_func.call(&mut *s, &[Val::I32(1)], &mut results)),
            ("function", bad.typed.call(&mut *s, 1).map(drop)),
            // SAFETY: the function is not entered, so no values are looked at.
            ("function", unsafe { bad.func.call_unchecked(&mut *s, &mut raw[..]) }),
            ("memory", bad.memory.read(&*s, 0, &mut []).map_err(Into::into)),
            ("memory", bad.memory.write(&mut *s, 0, &[]).map_err(Into::into)),
            ("memory", bad.memory.grow(&mut *s, 0).map(drop)),
            ("table", bad.table.set(&mut *s, 0, null.clone())),
            ("table", bad.table.grow(&mut *s, 0, null.clone()).map(drop)),
            ("table", bad.table.fill(&mut *s, 0, null, 0)),
            ("table", Table::copy(&mut *s, &own.table, 0, &bad.table, 0, 0)),
            ("table", Table::copy(&mut *s, &bad.table, 0, &own.table, 0, 0)),
            ("global", bad.global.set(&mut *s, Val::FuncRef(None))),
            ("host reference", bad.value.data(&*s).map(drop)),
            ("host reference", bad.value.data_mut(&mut *s).map(drop)),
            ("host reference", bad.value.to_raw(&mut *s).map(drop)),
            ("host reference", bad.value.to_owned_rooted(&mut *s).map(drop)),
            ("host reference", bad.value.ref_hash(&*s, &mut DefaultHasher::new())),
            ("host reference", Rooted::ref_eq(&*s, &own.value, &bad.value).map(drop)),
            ("host reference", Rooted::ref_eq(&*s, &bad.value, &own.owned).map(drop)),
            ("host reference", OwnedRooted::ref_eq(&*s, &own.owned, &bad.value).map(drop)),
            // As values.
            ("function", own.table.set(&mut *s, 0, bad.func.into())),
            ("function", own.table.fill(&mut *s, 0, bad.func.into(), 1)),
            ("function", own.table.grow(&mut *s, 1, bad.func.into()).map(drop)),
            ("function", own.global.set(&mut *s, bad.guest_func.into())),
            ("function", Table::new(&mut *s, ty, bad.func.into()).map(drop)),
            ("function", {
                let ty = GlobalType::new(ValType::FUNCREF, Mutability::Const);
                Global::new(&mut *s, ty, bad.func.into()).map(drop)
            }),
            ("function", Val::from(bad.func).ty(&*s).map(drop)),
            ("function", Val::from(bad.func).matches_ty(&*s, &ValType::FUNCREF).map(drop)),
            ("function", Val::from(bad.func).to_raw(&mut *s).map(drop)),
            ("function", Ref::from(bad.func).ty(&*s).map(drop)),
            ("function", Ref::from(bad.func).matches_ty(&*s, &RefType::FUNCREF).map(drop)),
            ("host reference", own.externs.set(&mut *s, 0, bad.value.into())),
            ("host reference", own.externs.fill(&mut *s, 0, bad.value.into(), 1)),
            ("host reference", own.externs.grow(&mut *s, 1, bad.value.into()).map(drop)),
            ("host reference", Val::from(bad.value).ty(&*s).map(drop)),
            ("host reference", Val::from(bad.value).to_raw(&mut *s).map(drop)),
            ("host reference", Ref::from(bad.value).ty(&*s).map(drop)),
            ("host reference", {
                let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Const);
                Global::new(&mut *s, ty, bad.value.into()).map(drop)
            }),
            ("function", {
                let take = Func::wrap(&mut *s, |_: Option<Func>| {});
                take.call(&mut *s, &[bad.func.into()], &mut [])
            }),
            ("function", give(s, bad.func)),
            ("function", give(s, Some(bad.func))),
            ("host reference", give(s, bad.value)),
            ("host reference", give(s, Some(bad.value))),
            ("function", {
                let func = bad.func;
                let give = Func::wrap(&mut *s, move || Some(func));
                give.typed::<(), Option<Func>>(&*s).unwrap().call(&mut *s, ()).map(drop)
            }),
            ("host reference", {
                let value = bad.value;
                let give = Func::wrap(&mut *s, move || value);
                give.call(&mut *s, &[], &mut results)
            }),
            // As imports and definitions.
            ("function", Instance::new(&mut *s, &import("func"), &[bad.func.into()]).map(drop)),
            ("memory", Instance::new(&mut *s, &import("memory 1"), &[bad.memory.into()]).map(drop)),
            ("table", Instance::new(&mut *s, &import("table 1 funcref"), &[bad.table.into()]).map(drop)),
            (
                "global",
                Instance::new(&mut *s, &import("global (mut funcref)"), &[bad.global.into()]).map(drop),
            ),
            ("function", linker.define(&*s, "", "", bad.func).map(drop)),
            ("memory", linker.define(&*s, "", "", bad.memory).map(drop)),
            ("table", linker.define(&*s, "", "", bad.table).map(drop)),
            ("global", linker.define(&*s, "", "", bad.global).map(drop)),
            ("instance", linker.instance(&mut *s, "", bad.instance).map(drop)),
            // As what is put back or remembered.
            ("instance", bad.instance.reset(&mut *s)),
            ("instance", bad.instance.snapshot(&mut *s).map(drop)),
            ("function", {
                let user =
                    Instance::new(&mut *s, &import("func (param i32) (result i32)"), &[own.func.into()])
                        .unwrap();
                user.snapshot(&mut *s).unwrap().instantiate(&mut *s, &[bad.func.into()]).map(drop)
            }),
            // As what is given back.
            ("function", s.release(bad.func)),
            ("instance", s.release(bad.instance)),
            ("memory", s.release(bad.memory)),
            ("table", s.release(bad.table)),
            ("global", s.release(bad.global)),
            ("function", s.scope(|scope| scope.keep(bad.func))),
            ("instance", s.scope(|scope| scope.keep(bad.instance))),
            ("memory", s.scope(|scope| scope.keep(bad.memory))),
            ("table", s.scope(|scope| scope.keep(bad.table))),
            ("global", s.scope(|scope| scope.keep(bad.global))),
        ];
        for (at, (what, result)) in errors.into_iter().enumerate() {
            let error = result.expect_err(&format!("{}: use {at}, of {what}", case.name));
            case.expect(what, at, &error.root_cause().to_string());
        }
        case.check();
    }
}

#[test]
fn what_cannot_fail_panics_with_the_same_message() {
    for mut case in cases() {
        let (s, bad) = (&mut case.store, &case.bad);
        let ty = FuncType::new(s.engine(), [], []);
        let externs: [Extern; 4] = [bad.func.into(), bad.memory.into(), bad.table.into(), bad.global.into()];
        let panics = [
            ("function", panic_of(|| bad.func.ty(&*s))),
            ("function", panic_of(|| bad.func.matches_ty(&*s, &ty))),
            ("function", panic_of(|| bad.func.typed::<i32, i32>(&*s))),
            ("function", panic_of(|| bad.func.to_raw(&mut *s))),
            ("memory", panic_of(|| bad.memory.ty(&*s))),
            ("memory", panic_of(|| bad.memory.data(&*s).len())),
            ("memory", panic_of(|| bad.memory.data_mut(&mut *s).len())),
            ("memory", panic_of(|| bad.memory.data_and_store_mut(&mut *s).0.len())),
            ("memory", panic_of(|| bad.memory.data_ptr(&*s))),
            ("memory", panic_of(|| bad.memory.data_size(&*s))),
            ("memory", panic_of(|| bad.memory.size(&*s))),
            ("memory", panic_of(|| bad.memory.page_size(&*s))),
            ("memory", panic_of(|| bad.memory.page_size_log2(&*s))),
            ("table", panic_of(|| bad.table.ty(&*s))),
            ("table", panic_of(|| bad.table.get(&mut *s, 0))),
            ("table", panic_of(|| bad.table.size(&*s))),
            ("global", panic_of(|| bad.global.ty(&*s))),
            ("global", panic_of(|| bad.global.get(&mut *s))),
            ("function", panic_of(|| externs[0].ty(&*s))),
            ("memory", panic_of(|| externs[1].ty(&*s))),
            ("table", panic_of(|| externs[2].ty(&*s))),
            ("global", panic_of(|| externs[3].ty(&*s))),
            ("instance", panic_of(|| bad.instance.module(&*s).name().is_some())),
            ("instance", panic_of(|| bad.instance.exports(&mut *s).len())),
            ("instance", panic_of(|| bad.instance.get_export(&mut *s, "m"))),
            ("instance", panic_of(|| bad.instance.get_module_export(&mut *s, &bad.export))),
            ("instance", panic_of(|| bad.instance.get_func(&mut *s, "f"))),
            ("instance", panic_of(|| bad.instance.get_memory(&mut *s, "m"))),
            ("instance", panic_of(|| bad.instance.get_table(&mut *s, "t"))),
            ("instance", panic_of(|| bad.instance.get_global(&mut *s, "g"))),
            ("instance", panic_of(|| bad.instance.get_typed_func::<(), ()>(&mut *s, "f"))),
        ];
        for (at, (what, message)) in panics.into_iter().enumerate() {
            case.expect(what, at, &message);
        }
        case.check();
    }
}

#[test]
fn a_reference_with_an_owner_is_refused_by_other_stores() {
    let Some(mut case) = cases().into_iter().find(|case| case.other.is_some()) else {
        panic!("no such case")
    };
    let (s, bad) = (&mut case.store, &case.bad);
    let mut results = [Val::I32(0)];
    let value = bad.owned.clone();
    let give_back = Func::wrap(&mut *s, move || value.clone());
    let errors = [
        bad.owned.data(&*s).map(drop),
        bad.owned.data_mut(&mut *s).map(drop),
        OwnedRooted::ref_eq(&*s, &case.own.owned, &bad.owned).map(drop),
        give_back.call(&mut *s, &[], &mut results),
        give(s, bad.owned.clone()),
        give(s, Some(bad.owned.clone())),
    ];
    for error in errors {
        let message = error.unwrap_err().root_cause().to_string();
        assert_eq!(message, case.wrong_value);
    }
    assert_eq!(panic_of(|| bad.owned.to_rooted(&mut *s)), case.wrong_value);
    assert_eq!(panic_of(|| bad.owned.ref_hash(&*s, &mut DefaultHasher::new())), case.wrong_value);
    case.check();
}

#[test]
fn what_was_released_works_until_it_is_reclaimed() {
    let mut store = crate::empty_store();
    let handles = Handles::new(&mut store);
    handles.release(&mut store);
    handles.check(&mut store);
    handles.check(&mut store);
    store.set_automatic_reclaim(false);
    let user = r#"(module (import "" "f" (func (param i32) (result i32))) (import "" "m" (memory 1))
        (export "f" (func 0)))"#;
    let user = Module::new(store.engine(), user).unwrap();
    let user = Instance::new(&mut store, &user, &[handles.guest_func.into(), handles.memory.into()]).unwrap();
    assert_eq!(store.reclaim().functions, 1, "the host's function is no import");
    assert_eq!(handles.typed.call(&mut store, 1).unwrap(), 2);
    let f = user.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, 4).unwrap(), 5);
}

#[test]
fn linkers_and_ready_instances_with_handles_are_of_one_store() {
    let engine = crate::engine();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let own = Handles::new(&mut store);
    let mut linker = Linker::new(&engine);
    linker.define(&store, "", "m", own.memory).unwrap();
    let module = Module::new(&engine, r#"(module (import "" "m" (memory 1)))"#).unwrap();
    let ready = linker.instantiate_pre(&module).unwrap();
    let message = |result: tenure::Result<Instance>| format!("{:#}", result.unwrap_err());
    for result in [linker.instantiate(&mut other, &module), ready.instantiate(&mut other)] {
        assert_eq!(message(result), "import `::m`: handle to a memory of another store");
    }
    let users = [linker.instantiate(&mut store, &module).unwrap(), ready.instantiate(&mut store).unwrap()];
    own.check(&mut store);
    // And as long as what they name is there.
    own.release(&mut store);
    users.into_iter().for_each(|user| store.release(user).unwrap());
    store.reclaim();
    for result in [linker.instantiate(&mut store, &module), ready.instantiate(&mut store)] {
        assert_eq!(message(result), "import `::m`: handle to a memory that was released and reclaimed");
    }
}

#[test]
fn a_handle_of_a_store_that_is_gone_is_foreign_everywhere() {
    let engine = crate::engine();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let (own, foreign) = (Handles::new(&mut store), Handles::new(&mut other));
    drop(other);
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
    let engine = crate::engine();
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
