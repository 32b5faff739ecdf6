use super::*;
use crate::{Config, Engine, Module};

/// Every abstract heap type, by hierarchy: the top, then what stands below it with what is below that.
const HIERARCHIES: &[&[(HeapType, &[HeapType])]] = &[
    &[(HeapType::Func, &[HeapType::NoFunc]), (HeapType::NoFunc, &[])],
    &[(HeapType::Extern, &[HeapType::NoExtern]), (HeapType::NoExtern, &[])],
    &[(HeapType::Exn, &[HeapType::NoExn]), (HeapType::NoExn, &[])],
    &[(HeapType::Cont, &[HeapType::NoCont]), (HeapType::NoCont, &[])],
    &[
        (HeapType::Any, &[HeapType::Eq, HeapType::I31, HeapType::Array, HeapType::Struct, HeapType::None]),
        (HeapType::Eq, &[HeapType::I31, HeapType::Array, HeapType::Struct, HeapType::None]),
        (HeapType::I31, &[HeapType::None]),
        (HeapType::Array, &[HeapType::None]),
        (HeapType::Struct, &[HeapType::None]),
        (HeapType::None, &[]),
    ],
];

#[test]
fn a_heap_type_matches_itself_and_what_stands_above_it() {
    for (home, hierarchy) in HIERARCHIES.iter().enumerate() {
        for (upper, below) in *hierarchy {
            for (other_home, other) in HIERARCHIES.iter().enumerate() {
                for (lower, _) in *other {
                    let is_below = below.iter().any(|ty| HeapType::eq(ty, lower));
                    let expected = home == other_home && (HeapType::eq(upper, lower) || is_below);
                    assert_eq!(lower.matches(upper), expected, "{lower} against {upper}");
                }
            }
            assert!(HeapType::eq(&upper.top(), &hierarchy[0].0), "{upper}");
            assert!(HeapType::eq(&upper.bottom(), &hierarchy[hierarchy.len() - 1].0), "{upper}");
            assert_eq!(upper.is_top(), below.len() + 1 == hierarchy.len(), "{upper}");
            assert_eq!(upper.is_bottom(), below.is_empty(), "{upper}");
        }
    }
}

#[test]
fn a_concrete_function_type_stands_between_func_and_nofunc() {
    let engine = Engine::default();
    let one = HeapType::ConcreteFunc(FuncType::new(&engine, [ValType::I32], []));
    let same = HeapType::ConcreteFunc(FuncType::new(&engine, [ValType::I32], []));
    let other = HeapType::ConcreteFunc(FuncType::new(&engine, [], []));
    assert!(one.matches(&same) && !one.matches(&other));
    assert!(one.matches(&HeapType::Func) && !HeapType::Func.matches(&one));
    assert!(HeapType::NoFunc.matches(&one) && !one.matches(&HeapType::NoFunc));
    assert!(!one.matches(&HeapType::Extern) && !one.matches(&HeapType::Any));
    assert!(one.top().is_func() && one.bottom().is_no_func() && one.is_concrete());
}

#[test]
fn null_must_be_allowed_to_match() {
    let nullable = RefType::FUNCREF;
    let never = RefType::new(false, HeapType::Func);
    assert!(never.matches(&nullable) && !nullable.matches(&never));
    assert!(ValType::I32.matches(&ValType::I32) && !ValType::I32.matches(&ValType::I64));
    assert!(!ValType::I32.matches(&ValType::FUNCREF));
}

#[test]
fn types_print_as_the_text_format_writes_them() {
    let engine = Engine::default();
    let cases = [
        (ValType::V128.to_string(), "v128"),
        (ValType::EXTERNREF.to_string(), "externref"),
        (RefType::new(false, HeapType::Struct).to_string(), "(ref struct)"),
        (RefType::new(true, HeapType::NoFunc).to_string(), "nullfuncref"),
        (FuncType::new(&engine, [], []).to_string(), "(type (func))"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn types_of_another_engine_and_of_missing_proposals_are_refused() {
    let (here, there) = (Engine::default(), Engine::default());
    let foreign = RefType::new(true, FuncType::new(&there, [ValType::I32], []).into());
    let error = FuncType::try_new(&here, [foreign.into()], []).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the function type `(type (func (param i32)))` belongs to another engine than the one it is used with"
    );
    let error = FuncType::try_new(&here, [], [ValType::ANYREF]).unwrap_err();
    assert_eq!(error.to_string(), "references to `any` need the gc proposal, which is not supported yet");
    let error = FuncType::with_finality_and_supertype(&here, Finality::NonFinal, None, [], []).unwrap_err();
    assert!(error.to_string().contains("gc proposal"));
}

#[test]
fn memory_types_that_cannot_be_are_refused() {
    let error = |builder: &mut MemoryTypeBuilder| builder.build().unwrap_err().to_string();
    let mut builder = MemoryType::builder();
    assert_eq!(error(builder.min(3).max(Some(2))), "the minimum of 3 pages is above the maximum of 2");
    assert_eq!(
        error(builder.min(65537).max(None)),
        "a minimum of 65537 pages is more than 32-bit addresses reach"
    );
    assert_eq!(
        error(builder.min(0).page_size_log2(3)),
        "a page of 2^3 bytes is not possible, only of 1 or 65536"
    );
    assert_eq!(error(builder.page_size_log2(16).shared(true)), "a shared memory must have a maximum");
    assert!(MemoryType::builder().min(65536).build().is_ok());
    assert!(MemoryType::builder().min(u64::from(u32::MAX) + 1).page_size_log2(0).build().is_ok());
    assert!(MemoryType::builder().memory64(true).min(1 << 48).build().is_ok());
    assert!(MemoryType::builder().memory64(true).min((1 << 48) + 1).build().is_err());
    assert!(MemoryType::builder().memory64(true).page_size_log2(0).max(Some(u64::MAX)).build().is_ok());
}

#[test]
fn a_module_s_items_have_the_types_it_gives_them() {
    let mut config = Config::new();
    config.wasm_custom_page_sizes(true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(
        &engine,
        r#"(module $named
            (type $inner (func (param i32)))
            (import "a" "f" (func (result (ref null $inner))))
            (import "a" "t" (table i64 1 2 funcref))
            (import "a" "m" (memory i64 1))
            (import "a" "g" (global (mut externref)))
            (memory (export "small") 1 2 (pagesize 1))
            (export "f" (func 0)) (export "t" (table 0)) (export "g" (global 0)))"#,
    )
    .unwrap();
    assert_eq!(module.name(), Some("named"));
    let names: Vec<_> = module.imports().map(|import| (import.module(), import.name())).collect();
    assert_eq!(names, [("a", "f"), ("a", "t"), ("a", "m"), ("a", "g")]);

    let f = module.get_export("f").unwrap();
    let result = f.unwrap_func().result(0).unwrap();
    let inner = FuncType::new(&engine, [ValType::I32], []);
    assert!(FuncType::eq(result.unwrap_ref().heap_type().unwrap_concrete_func(), &inner));
    let t = module.get_export("t").unwrap();
    assert_eq!((t.unwrap_table().is_64(), t.unwrap_table().maximum()), (true, Some(2)));
    let g = module.get_export("g").unwrap();
    assert!(g.unwrap_global().mutability().is_var() && g.unwrap_global().content().is_externref());
    let small = module.get_export("small").unwrap();
    assert_eq!(small.unwrap_memory().page_size(), 1);
    assert!(module.get_export("none").is_none());
    assert_eq!(
        module.exports().map(|export| export.ty().kind()).collect::<Vec<_>>(),
        ["memory", "function", "table", "global"]
    );
}

/// `value` in groups of seven bits.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = vec![(value & 0x7f) as u8];
    while value >= 0x80 {
        value >>= 7;
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push((value & 0x7f) as u8);
    }
    bytes
}

/// A module with `count` function types that no other number's has, and one function, whose body is `body`.
fn many_types(number: usize, count: usize, body: &[u8]) -> Vec<u8> {
    let mut types = leb(count + 1);
    types.extend([0x60, 0, 0]);
    for ty in number * count..(number + 1) * count {
        let params = (0..24).map(|bit| if ty >> bit & 1 == 1 { 0x7e } else { 0x7f });
        types.extend([0x60, 24].into_iter().chain(params).chain([0]));
    }
    let body = [leb(body.len() + 1), vec![0], body.to_vec()].concat();
    let sections = [(1, types), (3, vec![1, 0]), (10, [vec![1], body].concat())];
    let sections = sections.into_iter().flat_map(|(id, bytes)| [vec![id], leb(bytes.len()), bytes].concat());
    b"\0asm\x01\0\0\0".iter().copied().chain(sections).collect()
}

#[test]
fn the_types_of_modules_that_are_gone_or_were_none_leave_no_trace() {
    let engine = Engine::new(Config::new().strategy(crate::Strategy::Baseline)).unwrap();
    let types = engine.inner().types();
    let host = FuncType::new(&engine, [ValType::F32], []);
    assert_eq!(types.in_use(), 1);
    for round in 0..6 {
        let count = 3000;
        // With an operator that lacks its operand, and cut before the body.
        Module::new(&engine, many_types(3 * round, count, &[0x1a, 0x0b])).unwrap_err();
        let cut = many_types(3 * round + 1, count, &[0x0b]);
        Module::new(&engine, &cut[..cut.len() - 3]).unwrap_err();
        assert_eq!(types.in_use(), 1, "round {round}");
        let module = Module::new(&engine, many_types(3 * round + 2, count, &[0x0b])).unwrap();
        let mut store = crate::Store::new(&engine, ());
        crate::Instance::new(&mut store, &module, &[]).unwrap();
        assert_eq!(types.in_use(), count + 2);
        drop(module);
        assert_eq!(types.in_use(), count + 2, "the instance uses them");
        drop(store);
        assert_eq!(types.in_use(), 1, "round {round}");
        FuncType::new(&engine, [ValType::I64, ValType::F64], []);
    }
    assert!(host.matches(&FuncType::new(&engine, [ValType::F32], [])));
}

#[test]
fn what_has_a_type_keeps_it_in_use() {
    let engine = Engine::default();
    let types = engine.inner().types();
    let wat = r#"(module (type $t (func (param f64 f64))) (func $f (export "f") (type $t)) (elem declare func $f)
        (table (export "t") 1 (ref null $t)) (global (export "g") (ref null $t) (ref.null $t))
        (func (export "u") (result (ref null $t)) (ref.null $t)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = crate::Store::new(&engine, ());
    let instance = crate::Instance::new(&mut store, &module, &[]).unwrap();
    let table = instance.get_table(&mut store, "t").unwrap().ty(&store);
    let global = instance.get_global(&mut store, "g").unwrap();
    let user = r#"(module (import "" "g" (global (ref null func))) (export "g" (global 0)))"#;
    let user = Module::new(&engine, user).unwrap();
    let user = crate::Instance::new(&mut store, &user, &[global.into()]).unwrap();
    assert_eq!(types.in_use(), 2);
    drop(module);
    store.release(instance).unwrap();
    store.reclaim();
    assert_eq!(types.in_use(), 1, "the one that the host's type names");
    let text = table.element().to_string();
    let of_the_host = crate::Table::new(&mut store, table, crate::Ref::Func(None)).unwrap();
    assert_eq!(types.in_use(), 1, "the one that both name");
    assert_eq!(global.ty(&store).content().to_string(), text);
    store.release(of_the_host).unwrap();
    store.reclaim();
    assert_eq!(types.in_use(), 1, "the one that the global names, which an instance imports");
    assert_eq!(global.ty(&store).content().to_string(), text);
    let table = crate::TableType::new(global.ty(&store).content().unwrap_ref().clone(), 1, None);
    let of_the_host = crate::Table::new(&mut store, table, crate::Ref::Func(None)).unwrap();
    store.release(user).unwrap();
    store.reclaim();
    assert_eq!(types.in_use(), 1, "the one that the table names");
    assert_eq!(of_the_host.ty(&store).element().to_string(), text);
    store.release(of_the_host).unwrap();
    store.reclaim();
    assert_eq!(types.in_use(), 0);

    // A function of the host, and what a linker has.
    let func = crate::Func::wrap(&mut store, |_: i64, _: f32| {});
    assert_eq!(types.in_use(), 1);
    store.release(func).unwrap();
    store.reclaim();
    assert_eq!(types.in_use(), 0);
    let mut linker = crate::Linker::<()>::new(&engine);
    linker.func_wrap("", "f", |_: f64| {}).unwrap();
    assert_eq!(types.in_use(), 1);
    drop(linker);
    assert_eq!(types.in_use(), 0);

    // Types that name others.
    let inner = FuncType::new(&engine, [ValType::F64], []);
    let named = ValType::Ref(RefType::new(true, HeapType::ConcreteFunc(inner)));
    let outer = FuncType::new(&engine, [named], []);
    assert_eq!(types.in_use(), 2);
    let HeapType::ConcreteFunc(inner) = outer.param(0).unwrap().unwrap_ref().heap_type().clone() else {
        panic!("{outer}")
    };
    assert!(inner.param(0).unwrap().is_f64());
    drop(inner);
    drop(outer);
    assert_eq!(types.in_use(), 0);
}
