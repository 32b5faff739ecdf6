use crate::{empty_store, engines, instantiate};
use tenure::{Caller, Engine, ExternType, Func, Instance, Memory, MemoryType, Module, Store, Trap};

const EVERYTHING: &str = r#"(module
    (func (export "f") (result i32) i32.const 1)
    (memory (export "m") 1)
    (table (export "t") 2 funcref)
    (global (export "g") i32 (i32.const 5))
    (export "f again" (func 0)))"#;

#[test]
fn exports_are_found_by_name_in_order_and_by_index() {
    let mut store = empty_store();
    let instance = instantiate(&mut store, EVERYTHING);
    let exports = instance.exports(&mut store);
    assert_eq!(exports.len(), 5);
    let exports: Vec<_> = exports.map(|export| (export.name().to_string(), export.into_extern())).collect();
    let names: Vec<_> = exports.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["f", "m", "t", "g", "f again"]);
    for (name, item) in exports {
        let found = instance.get_export(&mut store, &name).unwrap().ty(&store);
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&item.ty(&store)));
    }

    assert!(instance.get_func(&mut store, "f").is_some());
    assert!(instance.get_func(&mut store, "m").is_none());
    assert!(instance.get_func(&mut store, "nothing").is_none());
    assert!(instance.get_memory(&mut store, "m").is_some());
    assert!(instance.get_table(&mut store, "t").is_some());
    assert!(instance.get_global(&mut store, "g").is_some());

    let index = instance.module(&store).get_export_index("g").unwrap();
    let global = instance.get_module_export(&mut store, &index).unwrap().into_global().unwrap();
    assert_eq!(global.get(&mut store).unwrap_i32(), 5);
    let other = instantiate(&mut store, EVERYTHING);
    assert!(other.get_module_export(&mut store, &index).is_none(), "the index is of another module");
}

#[test]
fn one_function_is_one_handle() {
    let mut store = empty_store();
    let instance = instantiate(&mut store, EVERYTHING);
    let f = instance.get_func(&mut store, "f").unwrap();
    let again = instance.get_func(&mut store, "f again").unwrap();
    assert_eq!(f.to_raw(&mut store), again.to_raw(&mut store));
}

#[test]
fn the_module_is_kept_with_the_instance() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, "(module $named)").unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert!(Module::same(instance.module(&store), &module));
    drop(module);
    assert_eq!(instance.module(&store).name(), Some("named"));
}

#[test]
fn typed_exports_say_what_is_wrong() {
    let mut store = empty_store();
    let instance = instantiate(&mut store, EVERYTHING);
    let text = |error: tenure::Error| format!("{error:#}");
    let error = instance.get_typed_func::<(), ()>(&mut store, "nothing").unwrap_err();
    assert_eq!(text(error), "there is no export `nothing`");
    let error = instance.get_typed_func::<(), ()>(&mut store, "m").unwrap_err();
    assert_eq!(text(error), "the export `m` is not a function");
    let error = text(instance.get_typed_func::<(), i64>(&mut store, "f").unwrap_err());
    assert!(error.contains("`f`") && error.contains("expected i64, found i32"), "{error}");
    let error = text(instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap_err());
    assert!(error.contains("expected 1 parameters, found 0"), "{error}");
}

#[test]
fn imports_are_checked_by_place() {
    let mut store = empty_store();
    let engine = store.engine().clone();
    let module =
        Module::new(&engine, r#"(module (import "a" "m" (memory 1)) (import "a" "f" (func)))"#).unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let func = Func::wrap(&mut store, || {});
    Instance::new(&mut store, &module, &[memory.into(), func.into()]).unwrap();

    let error = Instance::new(&mut store, &module, &[memory.into()]).unwrap_err();
    assert_eq!(error.to_string(), "expected 2 imports, found 1");
    let error = Instance::new(&mut store, &module, &[memory.into(), func.into(), func.into()]).unwrap_err();
    assert_eq!(error.to_string(), "expected 2 imports, found 3");
    let error = Instance::new(&mut store, &module, &[func.into(), memory.into()]).unwrap_err();
    assert!(error.to_string().starts_with("incompatible import type for `a::m`: expected memory"), "{error}");
}

#[test]
fn a_module_of_another_engine_is_refused() {
    let module = Module::new(&Engine::default(), "(module)").unwrap();
    let mut store = empty_store();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.to_string(), "the module and the store are of different engines");
    instantiate(&mut store, "(module)");
}

#[test]
fn start_functions_run_even_when_nobody_else_can_name_them() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let note = Func::wrap(&mut store, |mut caller: Caller<'_, i32>, by: i32| *caller.data_mut() += by);
    let wat = r#"(module (import "" "" (func $note (param i32)))
        (func $start (call $note (i32.const 3))) (start $start))"#;
    Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[note.into()]).unwrap();
    assert_eq!(*store.data(), 3);

    let note = Func::wrap(&mut store, |mut caller: Caller<'_, i32>| *caller.data_mut() += 10);
    let imported = Module::new(&engine, r#"(module (import "" "" (func $note)) (start $note))"#).unwrap();
    Instance::new(&mut store, &imported, &[note.into()]).unwrap();
    assert_eq!(*store.data(), 13);
}

#[test]
fn failures_of_initialization_are_traps() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let cases = [
            ("(memory 1) (data (i32.const 65536) \"x\")", Trap::MemoryOutOfBounds),
            ("(table 1 funcref) (func $f) (elem (i32.const 1) $f)", Trap::TableOutOfBounds),
            ("(func $f unreachable) (start $f)", Trap::UnreachableCodeReached),
        ];
        for (fields, trap) in cases {
            let module = Module::new(&engine, format!("(module {fields})")).unwrap();
            let error = Instance::new(&mut store, &module, &[]).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}: {fields}");
        }
        instantiate(&mut store, EVERYTHING);
    }
}

#[test]
fn a_start_function_may_fail_in_the_host() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let fail = Func::wrap(&mut store, || -> tenure::Result<()> { tenure::bail!("not today") });
    let module = Module::new(&engine, r#"(module (import "" "" (func $fail)) (start $fail))"#).unwrap();
    let error = Instance::new(&mut store, &module, &[fail.into()]).unwrap_err();
    assert_eq!(error.root_cause().to_string(), "not today");
}

#[test]
fn a_host_function_can_instantiate() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let inner = Module::new(&engine, r#"(module (func (export "f") (result i32) i32.const 11))"#).unwrap();
    let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> tenure::Result<i32> {
        let instance = Instance::new(&mut caller, &inner, &[])?;
        let f = instance.get_typed_func::<(), i32>(&mut caller, "f")?;
        f.call(&mut caller, ())
    });
    let wat = r#"(module (import "" "" (func $make (result i32)))
        (func (export "run") (result i32) (i32.add (call $make) (call $make))))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[make.into()]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 22);
}

#[test]
fn types_of_exports_are_as_declared() {
    let mut store = empty_store();
    let instance =
        instantiate(&mut store, r#"(module (memory (export "m") 1 3) (table (export "t") 2 5 externref))"#);
    let memory = instance.get_memory(&mut store, "m").unwrap();
    memory.grow(&mut store, 1).unwrap();
    assert_eq!((memory.ty(&store).minimum(), memory.ty(&store).maximum()), (1, Some(3)));
    let ExternType::Table(ty) = instance.get_export(&mut store, "t").unwrap().ty(&store) else { panic!() };
    assert_eq!((ty.minimum(), ty.maximum(), ty.element().to_string()), (2, Some(5), "externref".to_string()));
}
