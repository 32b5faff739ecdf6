//! Limits, limiters, and what a store says that it holds.

use crate::{engines, instantiate, panic_of};
use tenure::{
    AsContextMut, Caller, Config, Engine, ExternRef, Func, Global, GlobalType, Instance, LimitError, Limits,
    Linker, Memory, MemoryType, Module, Mutability, Ref, RefType, ResourceLimiter, Result, Store,
    StoreLimits, StoreLimitsBuilder, Strategy, Table, TableType, Trap, Val, ValType, WasmBacktrace, bail,
};

/// Grows its memory and its table by what it is told, and gives what the instructions give.
const GROWS: &str = r#"(module
    (memory (export "m") 1 100) (table (export "t") 1 100 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn grow<T>(store: &mut Store<T>, instance: Instance, what: &str, by: i32) -> Result<i32> {
    instance.get_typed_func::<i32, i32>(&mut *store, what).unwrap().call(store, by)
}

/// The limit that refused.
fn limit_of(error: &tenure::Error) -> &'static str {
    match error.downcast_ref::<LimitError>() {
        Some(error) => error.limit(),
        None => panic!("no limit refused: {error:#}"),
    }
}

fn limited(change: impl FnOnce(&mut Limits)) -> Store<()> {
    let mut store = Store::default();
    let mut limits = *store.limits();
    change(&mut limits);
    store.set_limits(limits);
    store
}

/// Writes down what it is asked, and answers what it is told to.
#[derive(Default)]
struct Recorder {
    asked: Vec<String>,
    answer: Option<fn() -> Result<bool>>,
    failure: Option<fn() -> Result<()>>,
}

impl Recorder {
    fn answer(&mut self, what: &str, current: usize, desired: usize, max: Option<usize>) -> Result<bool> {
        self.asked.push(format!("{what} {current} {desired} {max:?}"));
        self.answer.map_or(Ok(true), |answer| answer())
    }

    fn failed(&mut self, what: &str, error: &tenure::Error) -> Result<()> {
        self.asked.push(format!("{what}: {error:#}"));
        self.failure.map_or(Ok(()), |failure| failure())
    }
}

impl ResourceLimiter for Recorder {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.answer("memory", current, desired, maximum)
    }

    fn memory_grow_failed(&mut self, error: tenure::Error) -> Result<()> {
        self.failed("memory", &error)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.answer("table", current, desired, maximum)
    }

    fn table_grow_failed(&mut self, error: tenure::Error) -> Result<()> {
        self.failed("table", &error)
    }
}

fn recorded(engine: &Engine) -> Store<Recorder> {
    let mut store = Store::new(engine, Recorder::default());
    store.limiter(|recorder| recorder);
    store
}

#[test]
fn a_limiter_is_asked_before_anything_is_made_or_grows() {
    for (name, engine) in engines() {
        let mut store = recorded(&engine);
        let instance = instantiate(&mut store, GROWS);
        assert_eq!(grow(&mut store, instance, "memory", 2).unwrap(), 1, "{name}");
        assert_eq!(grow(&mut store, instance, "memory", 0).unwrap(), 3, "{name}");
        assert_eq!(grow(&mut store, instance, "table", 5).unwrap(), 1, "{name}");
        let memory = instance.get_memory(&mut store, "m").unwrap();
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 3, "{name}");
        let table = instance.get_table(&mut store, "t").unwrap();
        assert_eq!(table.grow(&mut store, 1, Ref::Func(None)).unwrap(), 6, "{name}");
        Memory::new(&mut store, MemoryType::new(2, None)).unwrap();
        Table::new(&mut store, TableType::new(RefType::EXTERNREF, 3, Some(4)), Ref::Extern(None)).unwrap();
        let asked = [
            "memory 0 65536 Some(6553600)",
            "table 0 1 Some(100)",
            "memory 65536 196608 Some(6553600)",
            "table 1 6 Some(100)",
            "memory 196608 262144 Some(6553600)",
            "table 6 7 Some(100)",
            "memory 0 131072 None",
            "table 0 3 Some(4)",
        ];
        assert_eq!(store.data().asked, asked, "{name}");
    }
}

#[test]
fn a_limiter_hears_of_what_failed_although_it_was_permitted() {
    let mut store = recorded(&Engine::default());
    let instance = instantiate(&mut store, GROWS);
    store.data_mut().asked.clear();
    assert_eq!(grow(&mut store, instance, "memory", 100).unwrap(), -1);
    assert_eq!(grow(&mut store, instance, "table", 100).unwrap(), -1);
    let mut limits = Limits::default();
    limits.memory_bytes = 1 << 16;
    store.set_limits(limits);
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), -1);
    let asked = &store.data().asked;
    assert_eq!(asked.len(), 6);
    assert_eq!(asked[0], "memory 65536 6619136 Some(6553600)");
    assert_eq!(asked[1], "memory: the maximum size of the type is exceeded");
    assert_eq!(asked[3], "table: the maximum size of the type is exceeded");
    assert!(
        asked[5].starts_with("memory: 131072 would be above the limit `memory_bytes` of 65536"),
        "{asked:?}"
    );

    store.data_mut().failure = Some(|| bail!("that was all"));
    for what in ["memory", "table"] {
        let error = grow(&mut store, instance, what, 100).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "that was all");
    }
    assert_eq!(grow(&mut store, instance, "memory", 0).unwrap(), 1);
}

#[test]
fn a_limiter_that_refuses_is_a_failed_growth() {
    for (name, engine) in engines() {
        let mut store = recorded(&engine);
        let instance = instantiate(&mut store, GROWS);
        store.data_mut().answer = Some(|| Ok(false));
        assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), -1, "{name}");
        assert_eq!(grow(&mut store, instance, "table", 1).unwrap(), -1, "{name}");
        let memory = instance.get_memory(&mut store, "m").unwrap();
        let error = memory.grow(&mut store, 1).unwrap_err();
        let text = "a memory of 1 pages could not grow by 1: the store's limiter refuses it";
        assert_eq!(format!("{error:#}"), text);
        assert!(Memory::new(&mut store, MemoryType::new(0, None)).is_err());
        let ty = TableType::new(RefType::FUNCREF, 0, None);
        assert!(Table::new(&mut store, ty, Ref::Func(None)).is_err());
        let module = Module::new(&engine, GROWS).unwrap();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(format!("{error:#}"), "a memory could not be made: the store's limiter refuses it");
        let usage = store.memory_usage();
        assert_eq!((usage.instances, usage.memories, usage.tables), (1, 1, 1), "{name}");
    }
}

#[test]
fn an_error_of_the_limiter_ends_the_guest_and_is_its_error() {
    let mut store = recorded(&Engine::default());
    let instance = instantiate(&mut store, GROWS);
    store.data_mut().answer = Some(|| bail!("over budget"));
    for what in ["memory", "table"] {
        let error = grow(&mut store, instance, what, 1).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "over budget");
        let trace = error.downcast_ref::<WasmBacktrace>().expect("it says where the guest was");
        assert_eq!(trace.frames().len(), 1);
    }
    let memory = instance.get_memory(&mut store, "m").unwrap();
    assert_eq!(memory.grow(&mut store, 1).unwrap_err().root_cause().to_string(), "over budget");
    assert_eq!(memory.size(&store), 1);
    store.data_mut().answer = None;
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), 1);
}

#[test]
fn a_limiter_that_panics_leaves_a_store_that_works() {
    for (name, engine) in engines() {
        let mut store = recorded(&engine);
        let instance = instantiate(&mut store, GROWS);
        let module = Module::new(&engine, GROWS).unwrap();
        let before = store.memory_usage();
        store.data_mut().answer = Some(|| panic!("no answer"));
        for what in ["memory", "table"] {
            assert_eq!(panic_of(|| grow(&mut store, instance, what, 1)), "no answer", "{name}");
        }
        let memory = instance.get_memory(&mut store, "m").unwrap();
        assert_eq!(panic_of(|| memory.grow(&mut store, 1)), "no answer", "{name}");
        assert_eq!(panic_of(|| Instance::new(&mut store, &module, &[])), "no answer", "{name}");
        store.limiter(|_| panic!("no limiter"));
        assert_eq!(panic_of(|| grow(&mut store, instance, "memory", 1)), "no limiter", "{name}");
        assert_eq!(panic_of(|| Memory::new(&mut store, MemoryType::new(1, None))), "no limiter", "{name}");
        assert_eq!(store.memory_usage().total_bytes(), before.total_bytes(), "{name}");

        store.limiter(|recorder| recorder);
        store.data_mut().answer = None;
        assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), 1, "{name}");
        Instance::new(&mut store, &module, &[]).unwrap();
    }
}

#[test]
fn the_limits_of_a_builder_are_kept() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new().memory_size(3 << 16).table_elements(4).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let instance = instantiate(&mut store, GROWS);
    assert_eq!(grow(&mut store, instance, "memory", 2).unwrap(), 1);
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), -1);
    assert_eq!(grow(&mut store, instance, "table", 3).unwrap(), 1);
    assert_eq!(grow(&mut store, instance, "table", 1).unwrap(), -1);

    let limits = StoreLimitsBuilder::new().memory_size(3 << 16).trap_on_grow_failure(true).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let instance = instantiate(&mut store, GROWS);
    let error = grow(&mut store, instance, "memory", 3).unwrap_err();
    assert_eq!(error.root_cause().to_string(), "a memory may not grow to 262144: the limit is 196608");
    let error = grow(&mut store, instance, "table", 1000).unwrap_err();
    assert_eq!(error.root_cause().to_string(), "the maximum size of the type is exceeded");
}

#[test]
fn counts_are_of_what_lives() {
    let engine = Engine::default();
    let module = Module::new(&engine, GROWS).unwrap();
    for name in ["instances", "memories", "tables"] {
        let builder = StoreLimitsBuilder::new();
        let builder = match name {
            "instances" => builder.instances(3),
            "memories" => builder.memories(3),
            _ => builder.tables(3),
        };
        let mut store = Store::new(&engine, builder.build());
        store.limiter(|limits| limits);
        let made: Vec<_> = (0..3).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(limit_of(&error), name);
        let text = format!("4 would be above the 3 that `{name}` of the store's limiter allows");
        assert_eq!(error.root_cause().to_string(), text);

        // What was released makes room when room is needed, again and again.
        store.release(made[0]).unwrap();
        for _ in 0..100 {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            store.release(instance).unwrap();
        }
        assert!(store.memory_usage().instances <= 3);
        assert_eq!(grow(&mut store, made[1], "memory", 1).unwrap(), 1);

        // But not by itself where that was turned off.
        store.reclaim();
        store.set_automatic_reclaim(false);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        store.release(instance).unwrap();
        assert_eq!(limit_of(&Instance::new(&mut store, &module, &[]).unwrap_err()), name);
        store.reclaim();
        Instance::new(&mut store, &module, &[]).unwrap();
    }
}

#[test]
fn default_limits_let_a_store_make_more_than_10_000_over_its_life() {
    let engine = Engine::default();
    let module = Module::new(&engine, "(module (memory 0) (table 0 funcref))").unwrap();
    let mut store = Store::new(&engine, StoreLimits::default());
    store.limiter(|limits| limits);
    for _ in 0..25_000 {
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        store.release(instance).unwrap();
    }
}

#[test]
fn making_room_keeps_what_is_being_imported() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("host", "f", || 7).unwrap();
    let wat = r#"(module (import "host" "f" (func $f (result i32)))
        (func (export "g") (result i32) (call $f)))"#;
    let module = Module::new(&engine, wat).unwrap();
    let mut store = Store::new(&engine, ());
    let mut limits = Limits::default();
    limits.instances = 1;
    store.set_limits(limits);
    for _ in 0..10 {
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let g = instance.get_typed_func::<(), i32>(&mut store, "g").unwrap();
        assert_eq!(g.call(&mut store, ()).unwrap(), 7);
        store.release(instance).unwrap();
    }

    // A memory that was released, and lives through an instance that was too: it goes on living as an import.
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.write(&mut store, 0, b"kept").unwrap();
    store.release(memory).unwrap();
    let module = Module::new(&engine, r#"(module (import "" "" (memory 1)))"#).unwrap();
    let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
    store.reclaim();
    assert_eq!(&memory.data(&store)[..4], b"kept");
    store.release(instance).unwrap();
    store.reclaim();
    assert!(memory.read(&store, 0, &mut [0]).is_err());
}

#[test]
fn inside_a_call_a_full_store_refuses_and_works_on() {
    let engine = Engine::default();
    let module = Module::new(&engine, "(module)").unwrap();
    let mut store = Store::new(&engine, ());
    let mut limits = Limits::default();
    limits.instances = 2;
    store.set_limits(limits);
    let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
        match Instance::new(&mut caller, &module, &[]) {
            Ok(instance) => {
                caller.as_context_mut().release(instance).unwrap();
                1
            }
            Err(error) => {
                assert_eq!(limit_of(&error), "instances");
                0
            }
        }
    });
    let wat = r#"(module (import "" "" (func $make (result i32)))
        (func (export "run") (result i32) (i32.add (call $make) (i32.add (call $make) (call $make)))))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[make.into()]).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 1);
    store.reclaim();
    assert_eq!(run.call(&mut store, ()).unwrap(), 1);
}

#[test]
fn every_limit_refuses_and_is_named() {
    let func = |store: &mut Store<()>, min| {
        Table::new(store, TableType::new(RefType::FUNCREF, min, None), Ref::Func(None))
    };
    let mut tried = Vec::new();
    let mut refused = |error: tenure::Error| {
        let name = limit_of(&error);
        let text = error.root_cause().to_string();
        assert!(text.contains(&format!("`{name}`")) && text.contains("Store::set_limits"), "{text}");
        tried.push(name);
    };

    let mut store = limited(|limits| limits.memory_bytes = 1 << 16);
    refused(Memory::new(&mut store, MemoryType::new(2, None)).unwrap_err());
    let mut store = limited(|limits| limits.total_memory_bytes = 3 << 16);
    let memory = Memory::new(&mut store, MemoryType::new(2, None)).unwrap();
    Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    assert_eq!(limit_of(&memory.grow(&mut store, 1).unwrap_err()), "total_memory_bytes");
    refused(Memory::new(&mut store, MemoryType::new(1, None)).unwrap_err());

    let mut store = limited(|limits| limits.table_elements = 10);
    refused(func(&mut store, 11).unwrap_err());
    let mut store = limited(|limits| limits.total_table_elements = 10);
    let table = func(&mut store, 6).unwrap();
    func(&mut store, 4).unwrap();
    assert_eq!(limit_of(&table.grow(&mut store, 1, Ref::Func(None)).unwrap_err()), "total_table_elements");
    refused(func(&mut store, 1).unwrap_err());

    let mut store = limited(|limits| limits.instances = 0);
    let module = Module::new(store.engine(), "(module)").unwrap();
    refused(Instance::new(&mut store, &module, &[]).unwrap_err());
    let mut store = limited(|limits| limits.memories = 0);
    refused(Memory::new(&mut store, MemoryType::new(0, None)).unwrap_err());
    let mut store = limited(|limits| limits.tables = 0);
    refused(func(&mut store, 0).unwrap_err());
    let mut store = limited(|limits| limits.host_references = 1);
    ExternRef::new(&mut store, 1).unwrap();
    refused(ExternRef::new(&mut store, 2).unwrap_err());

    let mut store = Store::new(&Engine::new(Config::new().consume_fuel(true)).unwrap(), ());
    let mut limits = *store.limits();
    limits.fuel = 10;
    store.set_limits(limits);
    store.set_fuel(10).unwrap();
    refused(store.set_fuel(11).unwrap_err());

    // These refuse as traps and where code is made: a test of their own is below.
    tried.extend(["stack_bytes", "code_bytes"]);
    tried.sort_unstable();
    let mut names = Limits::NAMES.to_vec();
    names.sort_unstable();
    assert_eq!(tried, names, "each limit has a case");
}

#[test]
fn released_memories_and_tables_make_room_for_others() {
    let mut store = limited(|limits| {
        limits.total_memory_bytes = 2 << 16;
        limits.total_table_elements = 10;
    });
    let ty = TableType::new(RefType::FUNCREF, 10, None);
    for at in 0..10 {
        let memory = Memory::new(&mut store, MemoryType::new(2, None)).unwrap();
        let func = Func::wrap(&mut store, move || at);
        store.release(memory).unwrap();
        let table = Table::new(&mut store, ty.clone(), func.into()).unwrap();
        store.release(func).unwrap();
        let Some(Ref::Func(Some(held))) = table.get(&mut store, 9) else { panic!("the table holds it") };
        assert_eq!(held.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), at);
        store.release(table).unwrap();
    }

    // A function that was released just before is not what is freed to make room for its table.
    let table = Table::new(&mut store, ty.clone(), Ref::Func(None)).unwrap();
    store.release(table).unwrap();
    let func = Func::wrap(&mut store, || 3);
    store.release(func).unwrap();
    assert!(Table::new(&mut store, ty, func.into()).is_err(), "it went with the table");
}

#[test]
fn an_engine_has_limits_for_its_stores() {
    let mut limits = Limits::default();
    limits.memory_bytes = 2 << 16;
    let engine = Engine::new(Config::new().limits(limits)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instantiate(&mut store, GROWS);
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), 1);
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), -1);
    store.set_limits(Limits::none());
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), 2);
    // What it holds already stays when the limits become smaller.
    store.set_limits(limits);
    assert_eq!(grow(&mut store, instance, "memory", 0).unwrap(), 3);
    assert_eq!(grow(&mut store, instance, "memory", 1).unwrap(), -1);
    assert_eq!(store.limits(), &limits);
}

#[test]
fn default_limits_bound_a_guest_that_takes_what_it_gets() {
    let mut store = Store::<()>::default();
    let wat = r#"(module (memory i64 0) (table i64 0 funcref)
        (func (export "memory") (param i64) (result i64) (memory.grow (local.get 0)))
        (func (export "table") (param i64) (result i64) (table.grow (ref.null func) (local.get 0))))"#;
    let instance = instantiate(&mut store, wat);
    for what in ["memory", "table"] {
        let grow = instance.get_typed_func::<i64, i64>(&mut store, what).unwrap();
        for by in [(16 << 30 >> 16) + 10_000_000, i64::MAX, -1] {
            assert_eq!(grow.call(&mut store, by).unwrap(), -1, "{what} {by}");
        }
        assert_eq!(grow.call(&mut store, 1).unwrap(), 0, "{what}");
    }
}

#[test]
fn usage_follows_creation_growth_and_reclamation_down_to_nothing() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        assert_eq!(store.memory_usage(), Store::new(&engine, ()).memory_usage());
        assert_eq!(store.memory_usage().total_bytes(), 0);

        let instance = instantiate(&mut store, GROWS);
        let made = store.memory_usage();
        assert_eq!((made.instances, made.memories, made.tables, made.modules), (1, 1, 1, 1), "{name}");
        assert_eq!(made.memory_bytes, 1 << 16, "{name}");
        assert!(made.reserved_bytes >= made.memory_bytes && made.instance_bytes > 0);

        assert_eq!(grow(&mut store, instance, "memory", 9).unwrap(), 1, "{name}");
        assert_eq!(grow(&mut store, instance, "table", 99).unwrap(), 1, "{name}");
        let grown = store.memory_usage();
        assert_eq!(grown.memory_bytes, 10 << 16, "{name}");
        assert!(grown.table_bytes >= made.table_bytes + 99 * 8, "{name}");
        assert!(grown.code_bytes > 0, "{name}: it has run");

        let func = Func::wrap(&mut store, || {});
        let memory = Memory::new(&mut store, MemoryType::new(2, None)).unwrap();
        let ty = TableType::new(RefType::FUNCREF, 100, None);
        let table = Table::new(&mut store, ty, func.into()).unwrap();
        let ty = GlobalType::new(ValType::I32, Mutability::Var);
        let global = Global::new(&mut store, ty, Val::I32(1)).unwrap();
        let full = store.memory_usage();
        assert_eq!((full.host_functions, full.memories, full.tables, full.globals), (1, 2, 2, 1), "{name}");
        assert_eq!(full.memory_bytes, 12 << 16, "{name}");
        assert_eq!(full.table_bytes - grown.table_bytes, 101 * 8, "{name}");
        assert!(full.host_function_bytes > 0 && full.list_bytes > 0, "{name}");

        // A second instance of a module brings no more code.
        let module = instance.module(&store).clone();
        let second = Instance::new(&mut store, &module, &[]).unwrap();
        assert_eq!(store.memory_usage().code_bytes, full.code_bytes, "{name}");
        assert_eq!(store.memory_usage().instance_bytes, 2 * full.instance_bytes, "{name}");
        store.release(second).unwrap();
        store.reclaim();
        assert_eq!(store.memory_usage().total_bytes(), full.total_bytes(), "{name}");

        store.release(instance).unwrap();
        store.release(func).unwrap();
        store.release(memory).unwrap();
        store.release(table).unwrap();
        store.release(global).unwrap();
        assert_eq!(store.memory_usage().total_bytes(), full.total_bytes(), "nothing goes before {name}");
        let freed = store.reclaim();
        assert_eq!(freed.bytes, full.total_bytes(), "{name}");
        let empty = store.memory_usage();
        assert_eq!(empty.total_bytes(), 0, "{name}");
        assert_eq!(empty.reserved_bytes + empty.code_bytes, 0, "{name}");
        assert_eq!((empty.instances, empty.host_functions, empty.globals, empty.modules), (0, 0, 0, 0));
    }
}

#[test]
fn usage_counts_host_references_and_failed_instantiations() {
    let mut store = Store::<()>::default();
    let before = store.memory_usage().host_reference_bytes;
    ExternRef::new(&mut store, [0_u8; 1000]).unwrap();
    let usage = store.memory_usage();
    assert_eq!(usage.host_references, 1);
    assert_eq!(usage.host_reference_bytes - before, 1000 + 24);

    let total = usage.total_bytes();
    let wat = r#"(module (memory 1) (func $start unreachable) (start $start))"#;
    let module = Module::new(store.engine(), wat).unwrap();
    for _ in 0..3 {
        assert!(Instance::new(&mut store, &module, &[]).is_err());
    }
    store.reclaim();
    assert_eq!(store.memory_usage().total_bytes(), total);
}

#[test]
fn a_closure_whose_drop_panics_while_room_is_made_leaves_a_store_that_works() {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    let mut store = limited(|limits| limits.memories = 1);
    let bomb = Bomb;
    let func = Func::wrap(&mut store, move || {
        let _held = &bomb;
    });
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    store.release(func).unwrap();
    store.release(memory).unwrap();
    let import =
        Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(1)).unwrap();
    let wat = r#"(module (import "" "" (global i32)) (memory 1))"#;
    let module = Module::new(store.engine(), wat).unwrap();
    store.release(import).unwrap();
    assert_eq!(panic_of(|| Instance::new(&mut store, &module, &[import.into()])), "dropped");

    // What was to be imported stayed for that long, and is held no more.
    let instance = Instance::new(&mut store, &module, &[import.into()]).unwrap();
    store.release(instance).unwrap();
    let freed = store.reclaim();
    assert_eq!((freed.instances, freed.memories, freed.globals), (1, 1, 1));
    assert_eq!(store.memory_usage().total_bytes(), 0);
}

fn set_stack_bytes(store: &mut Store<()>, bytes: u64) {
    let mut limits = *store.limits();
    limits.stack_bytes = bytes;
    store.set_limits(limits);
}

#[test]
fn stack_and_code_have_limits() {
    let wat = r#"(module (func $f (export "f") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 7)))))"#;
    for strategy in [Strategy::Auto, Strategy::Baseline, Strategy::Optimizing] {
        let engine = Engine::new(Config::new().strategy(strategy)).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = instantiate(&mut store, wat);
        let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, 1000).unwrap(), 7);
        for (stack_bytes, depth) in [(4096, 1000), (0, 0)] {
            set_stack_bytes(&mut store, stack_bytes);
            let error = f.call(&mut store, depth).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow), "{strategy:?}");
        }
        // The engine's own limit stays.
        set_stack_bytes(&mut store, u64::MAX);
        assert_eq!(f.call(&mut store, 1000).unwrap(), 7);
        assert!(f.call(&mut store, 10_000_000).is_err());

        for code_bytes in [0, 8] {
            let mut limits = Limits::default();
            limits.code_bytes = code_bytes;
            let engine = Engine::new(Config::new().strategy(strategy).limits(limits)).unwrap();
            let mut store = Store::new(&engine, ());
            let called = Module::new(&engine, wat).and_then(|module| {
                let instance = Instance::new(&mut store, &module, &[])?;
                instance.get_typed_func::<i32, i32>(&mut store, "f")?.call(&mut store, 0)
            });
            let error = format!("{:#}", called.unwrap_err());
            assert!(
                error.contains(&format!("the limit `code_bytes` of {code_bytes}")),
                "{strategy:?}: {error}"
            );
        }
    }
}

#[test]
fn limits_of_zero_are_errors_and_no_panics() {
    let wat = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref)
        (func (export "memory") (result i32) (memory.grow (i32.const 1)))
        (func (export "table") (result i32) (table.grow (ref.null func) (i32.const 1))))"#;
    let engine = Engine::default();
    let module = Module::new(&engine, wat).unwrap();
    for name in Limits::NAMES {
        let mut limits = Limits::default();
        assert!(limits.set(name, 0));
        let mut store = Store::new(&engine, ());
        store.set_limits(limits);
        if let Err(error) = Instance::new(&mut store, &module, &[]) {
            assert_eq!(limit_of(&error), *name);
        }
        // What is there stays, and does not grow.
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        store.set_limits(limits);
        for (what, about) in [("memory", "memory_bytes"), ("table", "table_elements")] {
            let grow = instance.get_typed_func::<(), i32>(&mut store, what).unwrap().call(&mut store, ());
            match grow {
                Ok(old) => assert_eq!(old == -1, name.ends_with(about), "{name} {what}"),
                Err(_) => assert_eq!(*name, "stack_bytes"),
            }
        }
    }
    let mut none = Limits::default();
    Limits::NAMES.iter().for_each(|name| assert!(none.set(name, 0)));
    let engine = Engine::new(Config::new().limits(none)).unwrap();
    let mut store = Store::new(&engine, ());
    assert!(Memory::new(&mut store, MemoryType::new(0, None)).is_err());
    assert!(Instance::new(&mut store, &Module::new(&engine, "(module)").unwrap(), &[]).is_err());
    assert!(ExternRef::new(&mut store, 1).is_err());
}
