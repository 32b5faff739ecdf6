use crate::{empty_store, instantiate};
use tenure::{
    ExternRef, Func, HeapType, Instance, Module, Ref, RefType, Store, Table, TableType, Trap, Val, ValType,
};

fn funcs(store: &mut Store<()>, min: u32, max: Option<u32>) -> Table {
    Table::new(store, TableType::new(RefType::FUNCREF, min, max), Ref::Func(None)).unwrap()
}

fn externs(store: &mut Store<()>, len: u32) -> Table {
    Table::new(store, TableType::new(RefType::EXTERNREF, len, None), Ref::Extern(None)).unwrap()
}

/// What the function in element `at` returns; `None` for null.
fn call(store: &mut Store<()>, table: Table, at: u64) -> Option<i32> {
    let func = *table.get(&mut *store, at).unwrap().unwrap_func()?;
    Some(func.typed::<(), i32>(&*store).unwrap().call(store, ()).unwrap())
}

#[test]
fn elements_are_functions_or_null() {
    let mut store = empty_store();
    let table = funcs(&mut store, 2, None);
    let one = Func::wrap(&mut store, || 1);
    table.set(&mut store, 1, one.into()).unwrap();
    assert_eq!((call(&mut store, table, 0), call(&mut store, table, 1)), (None, Some(1)));
    table.set(&mut store, 1, Ref::Func(None)).unwrap();
    assert_eq!(call(&mut store, table, 1), None);
    assert!(table.get(&mut store, 2).is_none());
    assert!(table.get(&mut store, u64::MAX).is_none());
}

#[test]
fn all_elements_start_as_asked() {
    let mut store = empty_store();
    let one = Func::wrap(&mut store, || 1);
    let ty = TableType::new(RefType::new(false, HeapType::Func), 3, None);
    let table = Table::new(&mut store, ty.clone(), one.into()).unwrap();
    for at in 0..3 {
        assert_eq!(call(&mut store, table, at), Some(1));
    }
    assert!(Table::new(&mut store, ty, Ref::Func(None)).is_err(), "null is no value of the type");
    let concrete = RefType::new(true, HeapType::ConcreteFunc(one.ty(&store)));
    let table = Table::new(&mut store, TableType::new(concrete, 1, None), one.into()).unwrap();
    let other = Func::wrap(&mut store, || {});
    let error = table.set(&mut store, 0, other.into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "type mismatch: expected (ref null (func (result i32))), found (ref (func))"
    );
}

#[test]
fn host_references_are_elements_too() {
    let mut store = empty_store();
    let table = externs(&mut store, 1);
    let value = ExternRef::new(&mut store, 5_u64).unwrap();
    table.set(&mut store, 0, value.into()).unwrap();
    let found = *table.get(&mut store, 0).unwrap().unwrap_extern().unwrap();
    assert_eq!(found.data(&store).unwrap().unwrap().downcast_ref(), Some(&5_u64));
    let func = Func::wrap(&mut store, || {});
    let error = table.set(&mut store, 0, func.into()).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected externref, found (ref (func))");
}

#[test]
fn growing_stops_at_the_maximum() {
    let mut store = empty_store();
    let table = funcs(&mut store, 1, Some(4));
    let one = Func::wrap(&mut store, || 1);
    assert_eq!(table.grow(&mut store, 2, one.into()).unwrap(), 1);
    assert_eq!(table.size(&store), 3);
    assert_eq!(call(&mut store, table, 2), Some(1));
    let error = table.grow(&mut store, 2, Ref::Func(None)).unwrap_err();
    assert_eq!(error.to_string(), "a table of 3 elements could not grow by 2");
    assert!(table.grow(&mut store, 1, Ref::Extern(None)).is_err());
    assert!(table.grow(&mut store, u64::MAX, Ref::Func(None)).is_err());
    assert_eq!((table.size(&store), table.ty(&store).minimum()), (3, 1));
}

#[test]
fn filling_and_copying_is_all_or_nothing() {
    let mut store = empty_store();
    let (a, b) = (funcs(&mut store, 5, None), funcs(&mut store, 5, None));
    let one = Func::wrap(&mut store, || 1);
    let two = Func::wrap(&mut store, || 2);
    a.fill(&mut store, 1, one.into(), 3).unwrap();
    a.set(&mut store, 3, two.into()).unwrap();
    let list = |store: &mut Store<()>, table| (0..5).map(|at| call(store, table, at)).collect::<Vec<_>>();
    assert_eq!(list(&mut store, a), [None, Some(1), Some(1), Some(2), None]);

    Table::copy(&mut store, &b, 0, &a, 2, 3).unwrap();
    assert_eq!(list(&mut store, b), [Some(1), Some(2), None, None, None]);
    Table::copy(&mut store, &b, 1, &b, 0, 4).unwrap();
    assert_eq!(list(&mut store, b), [Some(1), Some(1), Some(2), None, None]);

    let outside = [
        a.fill(&mut store, 3, two.into(), 3).unwrap_err(),
        a.fill(&mut store, u64::MAX, two.into(), 2).unwrap_err(),
        a.set(&mut store, 5, two.into()).unwrap_err(),
        Table::copy(&mut store, &b, 0, &a, 3, 3).unwrap_err(),
        Table::copy(&mut store, &b, u64::MAX, &a, 0, 2).unwrap_err(),
        Table::copy(&mut store, &b, 3, &b, 0, 3).unwrap_err(),
    ];
    for error in outside {
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::TableOutOfBounds), "{error}");
    }
    assert_eq!(list(&mut store, a), [None, Some(1), Some(1), Some(2), None]);
    assert_eq!(list(&mut store, b), [Some(1), Some(1), Some(2), None, None]);

    let c = externs(&mut store, 5);
    assert!(Table::copy(&mut store, &b, 0, &c, 0, 1).is_err());
    assert!(b.fill(&mut store, 0, Ref::Extern(None), 1).is_err());
}

#[test]
fn types_that_make_no_sense_are_refused() {
    let mut store = empty_store();
    let error =
        Table::new(&mut store, TableType::new(RefType::FUNCREF, 3, Some(2)), Ref::Func(None)).unwrap_err();
    assert_eq!(error.to_string(), "the minimum of 3 elements is above the maximum of 2");
    assert!(Table::new(&mut store, TableType::new(RefType::FUNCREF, 1, None), Ref::Extern(None)).is_err());
    assert!(
        Table::new(&mut store, TableType::new64(RefType::FUNCREF, 1 << 60, None), Ref::Func(None)).is_err()
    );
    let error = Table::new(&mut store, TableType::new(RefType::ANYREF, 0, None), Ref::Any(None)).unwrap_err();
    assert!(error.to_string().contains("gc proposal"), "{error}");
}

#[test]
fn guests_call_what_the_host_puts_in() {
    let mut store = empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (table (export "t") 2 funcref) (type $get (func (result i32)))
            (func $own (result i32) i32.const 5) (elem (i32.const 0) $own)
            (func (export "call") (param i32) (result i32) (call_indirect (type $get) (local.get 0)))
            (func (export "grow") (result i32) (table.grow (ref.func $own) (i32.const 1))))"#,
    );
    let table = instance.get_table(&mut store, "t").unwrap();
    let run = instance.get_typed_func::<u32, i32>(&mut store, "call").unwrap();
    let host = Func::wrap(&mut store, || 9);
    assert_eq!(run.call(&mut store, 0).unwrap(), 5);
    table.set(&mut store, 1, host.into()).unwrap();
    assert_eq!(run.call(&mut store, 1).unwrap(), 9);
    let grow = instance.get_typed_func::<(), i32>(&mut store, "grow").unwrap();
    assert_eq!(grow.call(&mut store, ()).unwrap(), 2);
    assert_eq!(call(&mut store, table, 2), Some(5));

    // What a guest of another instance put in can be called by the first.
    let wat = r#"(module (import "" "" (table 2 funcref)) (func $six (result i32) i32.const 6)
        (elem (i32.const 0) $six))"#;
    let module = Module::new(store.engine(), wat).unwrap();
    Instance::new(&mut store, &module, &[table.into()]).unwrap();
    assert_eq!(run.call(&mut store, 0).unwrap(), 6);
}

#[test]
fn functions_of_tables_are_values() {
    let mut store = empty_store();
    let table = funcs(&mut store, 1, None);
    let one = Func::wrap(&mut store, || 1);
    table.set(&mut store, 0, one.into()).unwrap();
    let found = table.get(&mut store, 0).unwrap();
    assert!(found.matches_ty(&store, &RefType::FUNCREF).unwrap());
    assert!(Val::from(found).matches_ty(&store, &ValType::FUNCREF).unwrap());
}
