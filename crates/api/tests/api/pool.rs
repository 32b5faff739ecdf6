//! Memories that are used again: none shows what another held.

use tenure::{
    Config, Enabled, Engine, Error, Instance, InstanceAllocationStrategy, LimitError, Linker, Memory,
    MemoryType, Module, PoolConcurrencyLimitError, PoolingAllocationConfig, Store, Strategy,
};

/// Modules whose memories have one shape but not one content: small, large enough to be asked which pages were
/// written, and with data far apart.
fn modules(engine: &Engine, pages: u32) -> Vec<(Module, Vec<u8>)> {
    let size = pages as usize * 65536;
    let datas = [
        vec![],
        vec![(100, vec![1; 5000])],
        vec![(0, vec![2; 1]), (4096, vec![3; 4096]), (size - 7, vec![4; 7])],
        vec![(size / 3, vec![5; 70_000.min(size / 2)])],
    ];
    let make = |datas: Vec<(usize, Vec<u8>)>| {
        let mut initial = vec![0; size];
        let mut segments = String::new();
        for (at, bytes) in datas {
            initial[at..at + bytes.len()].copy_from_slice(&bytes);
            let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            segments += &format!("(data (i32.const {at}) \"{text}\")");
        }
        let wat = format!(
            r#"(module (memory (export "m") {pages} 200) {segments}
                (func (export "fill") (param i32 i32)
                    (memory.fill (local.get 0) (i32.const 0xee) (local.get 1)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#
        );
        (Module::new(engine, wat).unwrap(), initial)
    };
    datas.into_iter().map(make).collect()
}

fn engines() -> Vec<(String, Engine)> {
    let mut pool = PoolingAllocationConfig::new();
    pool.max_unused_warm_slots(1).linear_memory_keep_resident(40_000);
    let mut cold = PoolingAllocationConfig::new();
    cold.linear_memory_keep_resident(0).pagemap_scan(Enabled::No);
    let strategies: [(&str, InstanceAllocationStrategy); 3] = [
        ("on demand", InstanceAllocationStrategy::OnDemand),
        ("one warm slot", pool.into()),
        ("no warm slot", cold.into()),
    ];
    let mut engines = Vec::new();
    for (name, strategy) in strategies {
        for (copy_on_write, reservation, guard) in [(true, 4 << 30, 1 << 20), (false, 1 << 20, 0)] {
            let mut config = Config::new();
            config.allocation_strategy(strategy.clone()).memory_init_cow(copy_on_write);
            config.memory_reservation(reservation).memory_guard_size(guard).strategy(Strategy::Baseline);
            let name = format!("{name}, copy on write {copy_on_write}, reservation {reservation:#x}");
            engines.push((name, Engine::new(&config).unwrap()));
        }
    }
    engines
}

#[test]
fn every_memory_starts_as_its_module_says_whatever_was_there_before() {
    for (name, engine) in engines() {
        for pages in [1, 3, 20] {
            let modules = modules(&engine, pages);
            // A walk in which modules, and what is done to their memories, meet in many orders.
            for step in 0..24_u32 {
                let (module, initial) = &modules[(step * 7 / 3 % 4) as usize];
                let mut store = Store::new(&engine, ());
                let kept: Vec<Instance> =
                    (0..1 + step % 3).map(|_| Instance::new(&mut store, module, &[]).unwrap()).collect();
                for (at, instance) in kept.iter().enumerate() {
                    let memory = instance.get_memory(&mut store, "m").unwrap();
                    assert!(memory.data(&store) == *initial, "{name}: {pages} pages, step {step}");
                    write(&mut store, *instance, memory, step + at as u32, initial.len());
                }
            }
        }
    }
}

/// One of the ways in which bytes come into a memory, or none.
fn write(store: &mut Store<()>, instance: Instance, memory: Memory, way: u32, size: usize) {
    match way % 6 {
        0 => {}
        1 => {
            let fill = instance.get_typed_func::<(u32, u32), ()>(&mut *store, "fill").unwrap();
            fill.call(&mut *store, (5000, size as u32 - 5000)).unwrap();
        }
        2 => {
            let fill = instance.get_typed_func::<(u32, u32), ()>(&mut *store, "fill").unwrap();
            fill.call(&mut *store, (4090, 10)).unwrap();
        }
        3 => memory.data_mut(store)[size - 1] = 0xee,
        4 => {
            // Further than the least reservation of the engines above, so that it moves.
            let grow = instance.get_typed_func::<i32, i32>(&mut *store, "grow").unwrap();
            grow.call(&mut *store, 40).unwrap();
            assert!(memory.data(&store)[size..] == vec![0; 40 * 65536]);
            memory.data_mut(store).fill(0xee);
        }
        _ => {
            memory.grow(&mut *store, 40).unwrap();
            assert!(memory.data(&store)[size..] == vec![0; 40 * 65536]);
        }
    }
}

#[test]
fn a_memory_of_the_hosts_is_zero_whatever_was_there_before() {
    for (name, engine) in engines() {
        for (module, _) in modules(&engine, 3) {
            for way in 0..6 {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let memory = instance.get_memory(&mut store, "m").unwrap();
                write(&mut store, instance, memory, way, 3 * 65536);
                drop(store);
                let mut store = Store::new(&engine, ());
                let memory = Memory::new(&mut store, MemoryType::new(3, Some(200))).unwrap();
                assert!(memory.data(&store) == vec![0; 3 * 65536], "{name}: way {way}");
            }
        }
    }
}

#[test]
fn a_memory_may_outlive_the_module_that_its_content_is_of() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let wat = |byte: u8| format!(r#"(module (memory (export "m") 2) (data (i32.const 9) "\{byte:02x}"))"#);
    let mut memories = Vec::new();
    for byte in 1..=40 {
        let module = Module::new(&engine, wat(byte)).unwrap();
        for _ in 0..4 {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            memories.push((instance.get_memory(&mut store, "m").unwrap(), byte));
            if byte % 2 == 0 {
                store.release(instance).unwrap();
                memories.pop();
            }
        }
        drop(module);
        store.reclaim();
    }
    for (memory, byte) in memories {
        assert_eq!(memory.data(&store)[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, byte]);
    }
}

#[test]
fn segments_one_over_another_are_applied_in_order() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory (export "m") 1)
            (data (i32.const 4) "\01\01\01\01") (data (i32.const 2) "\02\02\02") (data (i32.const 65535) "\03"))"#,
    )
    .unwrap();
    for _ in 0..4 {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "m").unwrap();
        assert_eq!(memory.data(&store)[..9], [0, 0, 2, 2, 2, 1, 1, 1, 0]);
        assert_eq!(memory.data(&store)[65535], 3);
        memory.data_mut(&mut store).fill(9);
    }
}

#[test]
fn tables_start_as_their_module_says() {
    let engine = Engine::default();
    let wat = r#"(module
        (import "" "host" (func $host (result i32)))
        (type $f (func (result i32)))
        (table $t (export "t") 6 funcref)
        (func $one (export "one") (result i32) i32.const 1)
        (func $two (result i32) i32.const 2)
        (elem (i32.const 1) func $one $two)
        (elem (i32.const 2) funcref (ref.func $host) (ref.null func))
        (elem $passive func $two)
        (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
        (func (export "spoil") (table.fill (i32.const 0) (ref.func $two) (i32.const 6)))
        (func (export "init") (table.init $passive (i32.const 5) (i32.const 0) (i32.const 1))))"#;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("", "host", || 7).unwrap();
    let ready = linker.instantiate_pre(&Module::new(&engine, wat).unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    for _ in 0..3 {
        let instance = ready.instantiate(&mut store).unwrap();
        let call = instance.get_typed_func::<i32, i32>(&mut store, "call").unwrap();
        let mut seen: Vec<_> = (0..7).map(|at| call.call(&mut store, at).ok()).collect();
        assert_eq!(seen, [None, Some(1), Some(7), None, None, None, None]);
        instance.get_typed_func::<(), ()>(&mut store, "init").unwrap().call(&mut store, ()).unwrap();
        seen = (0..7).map(|at| call.call(&mut store, at).ok()).collect();
        assert_eq!(seen, [None, Some(1), Some(7), None, None, Some(2), None]);
        instance.get_typed_func::<(), ()>(&mut store, "spoil").unwrap().call(&mut store, ()).unwrap();
        assert_eq!(call.call(&mut store, 0).unwrap(), 2);
        let one = instance.get_func(&mut store, "one").unwrap();
        assert_eq!(one.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 1);
        store.release(instance).unwrap();
        store.reclaim();
    }
}

const ONE_OF_EACH: &str = r#"(module (memory (export "m") 1 4) (table (export "t") 5 100 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn pooled(
    change: impl FnOnce(&mut PoolingAllocationConfig) -> &mut PoolingAllocationConfig,
) -> (Engine, Module) {
    let mut pool = PoolingAllocationConfig::new();
    change(&mut pool);
    let engine = Engine::new(Config::new().allocation_strategy(pool)).unwrap();
    let module = Module::new(&engine, ONE_OF_EACH).unwrap();
    (engine, module)
}

#[test]
fn a_full_pool_says_which_limit_it_is_and_how_to_raise_it() {
    type Change = fn(&mut PoolingAllocationConfig) -> &mut PoolingAllocationConfig;
    let cases: [(&str, Change); 3] = [
        ("total_core_instances", |pool| pool.total_core_instances(3)),
        ("total_memories", |pool| pool.total_memories(3)),
        ("total_tables", |pool| pool.total_tables(3)),
    ];
    for (name, change) in cases {
        let (engine, module) = pooled(change);
        let mut stores: Vec<Store<()>> = (0..2).map(|_| Store::new(&engine, ())).collect();
        for at in [0, 1, 1] {
            Instance::new(&mut stores[at], &module, &[]).unwrap();
        }
        let metrics = engine.pooling_allocator_metrics().unwrap();
        assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (3, 3, 3));
        let error = Instance::new(&mut stores[0], &module, &[]).unwrap_err();
        assert!(error.downcast_ref::<PoolConcurrencyLimitError>().is_some(), "{error:#}");
        let text = format!("{error:#}");
        assert!(text.contains(&format!("the limit `{name}` of 3")), "{text}");
        assert!(text.contains(&format!("PoolingAllocationConfig::{name}")), "{text}");
        // Nothing of the one that was not made is counted.
        assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (3, 3, 3));
        stores.pop();
        assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (1, 1, 1));
        Instance::new(&mut stores[0], &module, &[]).unwrap();
    }
}

#[test]
fn what_was_released_makes_room_in_a_full_pool() {
    let (engine, module) = pooled(|pool| pool.total_core_instances(2));
    let mut store = Store::new(&engine, ());
    for _ in 0..100 {
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        store.release(instance).unwrap();
    }
    // A memory that outlives its instance keeps its place, the instance does not.
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let memory = instance.get_memory(&mut store, "m").unwrap();
    let holder = Module::new(&engine, r#"(module (import "" "m" (memory 1)))"#).unwrap();
    Instance::new(&mut store, &holder, &[memory.into()]).unwrap();
    store.release(instance).unwrap();
    store.reclaim();
    let metrics = engine.pooling_allocator_metrics().unwrap();
    assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (1, 1, 0));
}

#[test]
fn a_pool_limits_what_one_module_may_ask_for() {
    type Change = fn(&mut PoolingAllocationConfig) -> &mut PoolingAllocationConfig;
    let limit_of = |error: Error| match error.downcast_ref::<LimitError>() {
        Some(limit) => limit.limit(),
        None => panic!("no limit refused: {error:#}"),
    };
    let cases: [(&str, Change); 6] = [
        ("max_core_instance_size", |pool| pool.max_core_instance_size(0)),
        ("max_memories_per_module", |pool| pool.max_memories_per_module(0)),
        ("max_tables_per_module", |pool| pool.max_tables_per_module(0)),
        ("max_memory_size", |pool| pool.max_memory_size(65535)),
        ("max_memory_size", |pool| pool.max_memory_size(0)),
        ("table_elements", |pool| pool.table_elements(4)),
    ];
    for (name, change) in cases {
        let (engine, module) = pooled(change);
        let mut store = Store::new(&engine, ());
        assert_eq!(limit_of(Instance::new(&mut store, &module, &[]).unwrap_err()), name);
        let metrics = engine.pooling_allocator_metrics().unwrap();
        assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (0, 0, 0), "{name}");
    }
    let (engine, module) = pooled(|pool| pool.max_memory_size(2 << 16).table_elements(6));
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for (what, old) in [("memory", 1), ("table", 5)] {
        let grow = instance.get_typed_func::<i32, i32>(&mut store, what).unwrap();
        assert_eq!(grow.call(&mut store, 1).unwrap(), old);
        assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
    }
}

#[test]
fn pools_of_nothing_are_errors_and_no_panics() {
    let (engine, module) = pooled(|pool| {
        pool.total_core_instances(0).total_memories(0).total_tables(0).max_unused_warm_slots(0)
    });
    let error = Instance::new(&mut Store::new(&engine, ()), &module, &[]).unwrap_err();
    assert!(error.downcast_ref::<PoolConcurrencyLimitError>().is_some());
    // The host's own memories are not the pool's to count, and wait as long as nothing does.
    for _ in 0..3 {
        Memory::new(&mut Store::new(&engine, ()), MemoryType::new(1, None)).unwrap();
    }
}

#[test]
fn ten_thousand_instances_need_no_tuning() {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::pooling());
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, ONE_OF_EACH).unwrap();
    let mut store = Store::new(&engine, ());
    for _ in 0..10_000 {
        Instance::new(&mut store, &module, &[]).unwrap();
    }
    let metrics = engine.pooling_allocator_metrics().unwrap();
    assert_eq!((metrics.core_instances(), metrics.unused_warm_memories()), (10_000, 0));
    drop(store);
    assert_eq!(metrics.core_instances(), 0);
    assert!(metrics.unused_memory_bytes_resident() <= 100 << 19);
}

#[test]
fn settings_that_this_system_cannot_have_are_refused() {
    let refusal = |pool: &mut PoolingAllocationConfig| {
        Engine::new(Config::new().allocation_strategy(pool.clone())).err().map(|error| error.to_string())
    };
    let error = refusal(PoolingAllocationConfig::new().memory_protection_keys(Enabled::Yes)).unwrap();
    assert!(error.contains("memory_protection_keys"), "{error}");
    let scan = refusal(PoolingAllocationConfig::new().pagemap_scan(Enabled::Yes));
    assert_eq!(scan.is_none(), PoolingAllocationConfig::is_pagemap_scan_available());

    let mut config = Config::new();
    config.set("allocation_strategy", "total_memories=7, pagemap_scan=0").unwrap();
    let pool = Engine::new(&config).unwrap().get_pooling_config().unwrap().clone();
    assert_eq!((pool.get_total_memories(), pool.get_pagemap_scan()), (7, Enabled::No));
    for text in ["", "total_memories", "total_memories=-1", "total_chairs=1", "pagemap_scan=2"] {
        assert!(config.set("allocation_strategy", text).is_err(), "{text}");
    }
    assert!(Engine::default().get_pooling_config().is_none());
    assert!(Engine::default().pooling_allocator_metrics().is_none());
}
