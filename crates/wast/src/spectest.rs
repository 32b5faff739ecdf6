//! The host module `spectest`, which every script may import from.

use std::sync::Arc;

use tenure::{
    Engine, Func, FuncType, Global, GlobalType, Linker, Memory, MemoryType, Mutability, Ref, RefType, Result,
    Store, Table, TableType, Val, ValType,
};

/// Takes a line that a script prints.
pub(crate) type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// The printing functions: each takes these values and returns nothing.
const PRINTS: &[(&str, &[ValType])] = &[
    ("print", &[]),
    ("print_i32", &[ValType::I32]),
    ("print_i64", &[ValType::I64]),
    ("print_f32", &[ValType::F32]),
    ("print_f64", &[ValType::F64]),
    ("print_i32_f32", &[ValType::I32, ValType::F32]),
    ("print_f64_f64", &[ValType::F64, ValType::F64]),
];

/// Defines `spectest` in `linker`; what its functions print goes to `print`, a line a call.
pub(crate) fn define<T: 'static>(linker: &mut Linker<T>, store: &mut Store<T>, print: Print) -> Result<()> {
    let engine: Engine = store.engine().clone();
    for &(name, params) in PRINTS {
        let print = print.clone();
        let ty = FuncType::new(&engine, params.iter().cloned(), []);
        let func = Func::new(&mut *store, ty, move |_, args, _| {
            print(&args.iter().map(line).collect::<Vec<_>>().join(" "));
            Ok(())
        });
        linker.define(&*store, "spectest", name, func)?;
    }

    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&*store, "spectest", name, global)?;
    }

    let tables = [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ];
    for (name, ty) in tables {
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&*store, "spectest", name, table)?;
    }

    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&*store, "spectest", "memory", memory)?;
    Ok(())
}

/// A printed value, as the specification's interpreter writes it.
fn line(value: &Val) -> String {
    match value {
        Val::I32(value) => format!("{value} : i32"),
        Val::I64(value) => format!("{value} : i64"),
        Val::F32(bits) => format!("{} : f32", f32::from_bits(*bits)),
        Val::F64(bits) => format!("{} : f64", f64::from_bits(*bits)),
        other => format!("{other:?}"),
    }
}
