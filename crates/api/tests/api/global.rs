use crate::{empty_store, instantiate, text};
use tenure::{
    Engine, ExternRef, Func, FuncType, Global, GlobalType, HeapType, Instance, Linker, Module, Mutability,
    RefType, Store, V128, Val, ValType,
};

fn var(content: ValType) -> GlobalType {
    GlobalType::new(content, Mutability::Var)
}

#[test]
fn a_global_holds_a_value_of_any_type() {
    let mut store = empty_store();
    let func = Func::wrap(&mut store, || {});
    let value = ExternRef::new(&mut store, 1).unwrap();
    let cases = [
        (ValType::I32, Val::I32(-1), Val::I32(i32::MIN)),
        (ValType::I64, Val::I64(-1), Val::I64(i64::MAX)),
        (ValType::F32, Val::F32(0x7fa0_0001), Val::from(1.5_f32)),
        (ValType::F64, Val::F64(0x7ff4_0000_0000_0001), Val::from(-0.0_f64)),
        (ValType::V128, Val::V128(V128::from(u128::MAX)), Val::V128(V128::from(1 << 100))),
        (ValType::FUNCREF, Val::FuncRef(None), Val::FuncRef(Some(func))),
        (ValType::EXTERNREF, Val::ExternRef(None), Val::ExternRef(Some(value))),
    ];
    for (ty, first, second) in cases {
        let global = Global::new(&mut store, var(ty.clone()), first).unwrap();
        let held = global.get(&mut store);
        assert_eq!(text(&mut store, held), text(&mut store, first), "{ty}");
        global.set(&mut store, second).unwrap();
        let held = global.get(&mut store);
        assert_eq!(text(&mut store, held), text(&mut store, second), "{ty}");
        assert!(ValType::eq(global.ty(&store).content(), &ty));
    }
}

#[test]
fn values_of_another_type_are_refused() {
    let mut store = empty_store();
    let error = Global::new(&mut store, var(ValType::I32), Val::I64(0)).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected i32, found i64");
    let global = Global::new(&mut store, var(ValType::FUNCREF), Val::FuncRef(None)).unwrap();
    let error = global.set(&mut store, Val::ExternRef(None)).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected funcref, found nullexternref");
    let never_null = RefType::new(false, HeapType::Extern);
    let error = Global::new(&mut store, var(never_null.into()), Val::ExternRef(None)).unwrap_err();
    assert_eq!(error.to_string(), "type mismatch: expected (ref extern), found nullexternref");
    let constant = GlobalType::new(ValType::I32, Mutability::Const);
    let global = Global::new(&mut store, constant, Val::I32(1)).unwrap();
    assert_eq!(
        global.set(&mut store, Val::I32(2)).unwrap_err().to_string(),
        "an immutable global cannot be set"
    );
    assert_eq!(global.get(&mut store).unwrap_i32(), 1);
    let foreign = FuncType::new(&Engine::default(), [], []);
    let ty = var(RefType::new(true, HeapType::ConcreteFunc(foreign)).into());
    assert!(Global::new(&mut store, ty, Val::FuncRef(None)).is_err());
}

#[test]
fn guest_and_host_see_one_global() {
    let mut store = empty_store();
    let instance = instantiate(
        &mut store,
        r#"(module (global $g (export "g") (mut i64) (i64.const 1))
            (func (export "double") (global.set $g (i64.mul (global.get $g) (i64.const 2)))))"#,
    );
    let global = instance.get_global(&mut store, "g").unwrap();
    let double = instance.get_typed_func::<(), ()>(&mut store, "double").unwrap();
    global.set(&mut store, Val::I64(21)).unwrap();
    double.call(&mut store, ()).unwrap();
    assert_eq!(global.get(&mut store).unwrap_i64(), 42);
}

#[test]
fn imported_globals_initialize_others() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let one = Func::wrap(&mut store, || 1_i32);
    let base =
        Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(5)).unwrap();
    let ty = GlobalType::new(ValType::FUNCREF, Mutability::Const);
    let func = Global::new(&mut store, ty, Val::FuncRef(Some(one))).unwrap();
    linker.define(&store, "", "base", base).unwrap().define(&store, "", "func", func).unwrap();
    let wat = r#"(module (import "" "base" (global $base i32)) (import "" "func" (global $func funcref))
        (global (export "sum") i32 (i32.add (global.get $base) (i32.const 2)))
        (global (export "f") funcref (global.get $func))
        (table (export "t") 1 funcref (global.get $func)))"#;
    let instance: Instance = linker.instantiate(&mut store, &Module::new(&engine, wat).unwrap()).unwrap();
    let sum = instance.get_global(&mut store, "sum").unwrap();
    assert_eq!(sum.get(&mut store).unwrap_i32(), 7);
    let f = instance.get_global(&mut store, "f").unwrap().get(&mut store);
    assert_eq!(f.unwrap_funcref(), Some(&one));
    let t = instance.get_table(&mut store, "t").unwrap().get(&mut store, 0).unwrap();
    assert_eq!(t.unwrap_func(), Some(&one));
}
