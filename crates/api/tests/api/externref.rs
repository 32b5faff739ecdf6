use crate::{empty_store, instantiate};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use tenure::{
    Caller, Engine, ExternRef, Instance, Linker, Module, NoExtern, OwnedRooted, Result, RootScope, Rooted,
    Store, Val,
};

type MayBeNull = Option<Rooted<ExternRef>>;

#[test]
fn a_value_goes_through_a_guest_and_comes_back() {
    let mut store = empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (func (export "same") (param externref) (result externref) local.get 0)
            (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0)))
            (func (export "never_null") (param (ref extern)) (result (ref extern)) local.get 0))"#,
    );
    let value = ExternRef::new(&mut store, "text".to_string()).unwrap();
    let same = instance.get_typed_func::<MayBeNull, MayBeNull>(&mut store, "same").unwrap();
    let back = same.call(&mut store, Some(value)).unwrap().unwrap();
    assert!(Rooted::ref_eq(&store, &back, &value).unwrap());
    assert!(same.call(&mut store, None).unwrap().is_none());

    let mut results = [Val::I32(0)];
    let untyped = instance.get_func(&mut store, "same").unwrap();
    untyped.call(&mut store, &[value.into()], &mut results).unwrap();
    let back = results[0].unwrap_externref().unwrap();
    assert_eq!(back.data(&store).unwrap().unwrap().downcast_ref::<String>().unwrap(), "text");

    let owned = value.to_owned_rooted(&mut store).unwrap();
    let same = instance
        .get_typed_func::<Option<OwnedRooted<ExternRef>>, Option<OwnedRooted<ExternRef>>>(&mut store, "same");
    let back = same.unwrap().call(&mut store, Some(owned.clone())).unwrap().unwrap();
    assert!(OwnedRooted::ref_eq(&store, &back, &owned).unwrap());
    let back = back.to_rooted(&mut store);
    assert!(Rooted::ref_eq(&store, &back, &value).unwrap());

    let is_null = instance.get_typed_func::<Option<NoExtern>, i32>(&mut store, "is_null").unwrap();
    assert_eq!(is_null.call(&mut store, NoExtern::null()).unwrap(), 1);
    let never =
        instance.get_typed_func::<Rooted<ExternRef>, Rooted<ExternRef>>(&mut store, "never_null").unwrap();
    let again = never.call(&mut store, value).unwrap();
    assert!(Rooted::ref_eq(&store, &again, &value).unwrap());
    assert!(Rooted::rooted_eq(value, value) && !Rooted::rooted_eq(again, value));
    let error = instance.get_typed_func::<MayBeNull, MayBeNull>(&mut store, "never_null").unwrap_err();
    assert!(format!("{error:#}").contains("expected externref, found (ref extern)"), "{error:#}");
}

#[test]
fn references_to_one_value_are_equal_and_hash_so() {
    let mut store = empty_store();
    let a = ExternRef::new(&mut store, 1).unwrap();
    let b = ExternRef::new(&mut store, 1).unwrap();
    let again = ExternRef::from_raw(&mut store, a.to_raw(&mut Store::<()>::default()).unwrap_or(0));
    assert!(again.is_none(), "another store has no such reference");
    let raw = a.to_raw(&mut store).unwrap();
    let again = ExternRef::from_raw(&mut store, raw).unwrap();
    assert!(Rooted::ref_eq(&store, &a, &again).unwrap());
    assert!(!Rooted::ref_eq(&store, &a, &b).unwrap());
    let hash = |value: &Rooted<ExternRef>| {
        let mut hasher = DefaultHasher::new();
        value.ref_hash(&store, &mut hasher).unwrap();
        hasher.finish()
    };
    assert_eq!(hash(&a), hash(&again));
    assert_ne!(hash(&a), hash(&b));
}

#[test]
fn numbers_of_nothing_have_no_value() {
    let mut store = empty_store();
    assert!(ExternRef::from_raw(&mut store, 0).is_none());
    assert!(ExternRef::from_raw(&mut store, 1000).is_none());
}

#[test]
fn guests_keep_references_in_tables_and_globals() {
    let mut store = empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (table $t 3 externref) (global $g (mut externref) (ref.null extern))
            (func (export "put") (param externref)
                (table.set $t (i32.const 1) (local.get 0)) (global.set $g (local.get 0)))
            (func (export "get") (result externref externref)
                (table.get $t (i32.const 1)) (global.get $g)))"#,
    );
    let put = instance.get_typed_func::<MayBeNull, ()>(&mut store, "put").unwrap();
    let get = instance.get_typed_func::<(), (MayBeNull, MayBeNull)>(&mut store, "get").unwrap();
    {
        let mut scope = RootScope::new(&mut store);
        scope.reserve(1);
        let value = ExternRef::new(&mut scope, 42_i32).unwrap();
        put.call(&mut scope, Some(value)).unwrap();
    }
    let (a, b) = get.call(&mut store, ()).unwrap();
    for value in [a, b] {
        assert_eq!(value.unwrap().data(&store).unwrap().unwrap().downcast_ref(), Some(&42_i32));
    }
}

#[test]
fn host_functions_work_on_the_values() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("", "push", |mut caller: Caller<'_, ()>, list: MayBeNull, item: i32| -> Result<()> {
            let list = list.ok_or_else(|| tenure::format_err!("no list"))?;
            let list = list.data_mut(&mut caller)?.and_then(|list| list.downcast_mut::<Vec<i32>>());
            list.ok_or_else(|| tenure::format_err!("not a list"))?.push(item);
            Ok(())
        })
        .unwrap();
    linker.func_wrap("", "new", |caller: Caller<'_, ()>| ExternRef::new(caller, Vec::<i32>::new())).unwrap();
    let wat = r#"(module (import "" "push" (func $push (param externref i32)))
        (import "" "new" (func $new (result (ref extern))))
        (func (export "run") (result externref) (local $list externref)
            (local.set $list (call $new))
            (call $push (local.get $list) (i32.const 1)) (call $push (local.get $list) (i32.const 2))
            (local.get $list))
        (func (export "null") (call $push (ref.null extern) (i32.const 1)))
        (func (export "other") (param externref) (call $push (local.get 0) (i32.const 1))))"#;
    let mut store = Store::new(&engine, ());
    let instance: Instance = linker.instantiate(&mut store, &Module::new(&engine, wat).unwrap()).unwrap();
    let run = instance.get_typed_func::<(), MayBeNull>(&mut store, "run").unwrap();
    let list = run.call(&mut store, ()).unwrap().unwrap();
    assert_eq!(list.data(&store).unwrap().unwrap().downcast_ref::<Vec<i32>>(), Some(&vec![1, 2]));

    let null = instance.get_typed_func::<(), ()>(&mut store, "null").unwrap();
    assert_eq!(null.call(&mut store, ()).unwrap_err().root_cause().to_string(), "no list");
    let value = ExternRef::new(&mut store, 'x').unwrap();
    let other = instance.get_typed_func::<MayBeNull, ()>(&mut store, "other").unwrap();
    assert_eq!(other.call(&mut store, Some(value)).unwrap_err().root_cause().to_string(), "not a list");
}
