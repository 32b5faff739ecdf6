use crate::{empty_store, panic_of, text};
use tenure::{ExternRef, Func, HeapType, NoExtern, NoFunc, Ref, RefType, V128, Val, ValRaw, ValType};

#[test]
fn values_come_apart_as_they_were_made() {
    let store = empty_store();
    assert_eq!(Val::from(-3_i32).i32(), Some(-3));
    assert_eq!(Val::from(i64::MIN).unwrap_i64(), i64::MIN);
    assert_eq!(Val::from(1.5_f32).f32(), Some(1.5));
    assert_eq!(Val::from(-2.5_f64).unwrap_f64(), -2.5);
    assert_eq!(Val::from(7_u128).unwrap_v128(), V128::from(7));
    assert_eq!(Val::I32(1).i64(), None);
    assert_eq!(panic_of(|| Val::I32(1).unwrap_i64()), "expected I64, found I32(1)");
    assert!(Val::null_func_ref().unwrap_funcref().is_none());
    assert!(Val::null_extern_ref().unwrap_externref().is_none());
    assert!(Val::null_any_ref().unwrap_anyref().is_none());
    assert!(NoFunc::null_val().unwrap_func_ref().is_none());
    assert!(NoExtern::null_ref().unwrap_extern().is_none());
    assert!(Val::I32(1).ref_().is_none());
    assert!(Val::FuncRef(None).ref_().unwrap().is_null());
    assert!(Val::I32(1).ty(&store).unwrap().is_i32());
}

#[test]
fn types_of_references_are_as_precise_as_can_be() {
    let mut store = empty_store();
    let func = Func::wrap(&mut store, |x: i32| x);
    let value = ExternRef::new(&mut store, 1).unwrap();
    let cases = [
        (Val::FuncRef(None), "nullfuncref", ValType::FUNCREF, true),
        (Val::FuncRef(Some(func)), "", ValType::FUNCREF, true),
        (Val::FuncRef(Some(func)), "", ValType::EXTERNREF, false),
        (Val::ExternRef(None), "nullexternref", ValType::EXTERNREF, true),
        (Val::ExternRef(Some(value)), "(ref extern)", ValType::EXTERNREF, true),
        (Val::ExternRef(None), "nullexternref", RefType::new(false, HeapType::Extern).into(), false),
        (Val::AnyRef(None), "nullref", ValType::ANYREF, true),
        (Val::ExnRef(None), "nullexnref", ValType::EXNREF, true),
        (Val::ContRef(None), "nullcontref", ValType::CONTREF, true),
    ];
    for (val, text, ty, matches) in cases {
        let found = val.ty(&store).unwrap();
        assert!(text.is_empty() || found.to_string() == text, "{val:?}: {found}");
        assert_eq!(val.matches_ty(&store, &ty).unwrap(), matches, "{val:?}, {ty}");
    }
    let concrete = HeapType::ConcreteFunc(func.ty(&store));
    assert!(Ref::from(func).matches_ty(&store, &RefType::new(false, concrete)).unwrap());
    let other = HeapType::ConcreteFunc(tenure::FuncType::new(store.engine(), [], []));
    assert!(!Ref::from(func).matches_ty(&store, &RefType::new(true, other)).unwrap());
}

#[test]
fn defaults_are_zero_or_null() {
    for (ty, text) in [
        (ValType::I32, "I32(0)"),
        (ValType::F64, "F64(0)"),
        (ValType::FUNCREF, "FuncRef(None)"),
        (ValType::EXTERNREF, "ExternRef(None)"),
        (ValType::ANYREF, "AnyRef(None)"),
        (ValType::NULLEXNREF, "ExnRef(None)"),
    ] {
        assert_eq!(format!("{:?}", ty.default_value().unwrap()), text);
    }
    assert!(Val::default_for_ty(&RefType::new(false, HeapType::Func).into()).is_none());
    assert!(Ref::null(&HeapType::NoFunc).is_func());
    assert!(Ref::null(&HeapType::Eq).is_any());
}

#[test]
fn raw_values_go_there_and_back() {
    let mut store = empty_store();
    let func = Func::wrap(&mut store, || {});
    let value = ExternRef::new(&mut store, 1).unwrap();
    let cases = [
        (Val::I32(-5), ValType::I32),
        (Val::I64(-5), ValType::I64),
        (Val::F32(5), ValType::F32),
        (Val::F64(5), ValType::F64),
        (Val::V128(V128::from(5)), ValType::V128),
        (Val::FuncRef(Some(func)), ValType::FUNCREF),
        (Val::FuncRef(Some(func)), RefType::new(false, HeapType::ConcreteFunc(func.ty(&store))).into()),
        (Val::FuncRef(None), ValType::FUNCREF),
        (Val::ExternRef(Some(value)), ValType::EXTERNREF),
        (Val::ExternRef(None), ValType::EXTERNREF),
        (Val::AnyRef(None), ValType::ANYREF),
    ];
    for (val, ty) in cases {
        let raw = val.to_raw(&mut store).unwrap();
        // SAFETY: just made, from a value of this type.
        let back = unsafe { Val::from_raw(&mut store, raw, ty) };
        assert_eq!(text(&mut store, back), text(&mut store, val));
    }
    assert_eq!(Val::I32(-1).to_raw(&mut store).unwrap().get_i32(), ValRaw::i32(-1).get_i32());
    let raw = func.to_raw(&mut store);
    // SAFETY: of this store.
    assert_eq!(unsafe { Func::from_raw(&mut store, raw) }, Some(func));
}
