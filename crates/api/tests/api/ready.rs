//! Memories of instances are made accessible before somebody looks, and not sooner: nobody can tell.

use tenure::{
    Caller, Config, Engine, Extern, Func, Instance, Linker, Memory, MemoryType, Module, Ref, RefType, Store,
    Strategy, Table, TableType,
};

/// With data and without: 7 or 0 at 8.
const DATA: &str = r#"(data (i32.const 8) "\07")"#;

fn module(engine: &Engine, data: &str) -> Module {
    let wat = format!(
        r#"(module (memory (export "m") 1 40) {data}
            (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"#
    );
    Module::new(engine, wat).unwrap()
}

/// What runs `check` with an engine of each kind, and a module for each way to begin.
fn everywhere(check: impl Fn(&Engine, &Module, i32)) {
    for strategy in [Strategy::Auto, Strategy::Baseline, Strategy::Optimizing] {
        for copy_on_write in [true, false] {
            let mut config = Config::new();
            let engine = Engine::new(config.strategy(strategy).memory_init_cow(copy_on_write)).unwrap();
            for (data, at_8) in [("", 0), (DATA, 7)] {
                let module = module(&engine, data);
                // The first few memories get copies of the data, the others a mapping.
                (0..4).for_each(|_| check(&engine, &module, at_8));
            }
        }
    }
}

fn get(store: &mut Store<()>, instance: Instance, at: i32) -> i32 {
    instance.get_typed_func::<i32, i32>(&mut *store, "get").unwrap().call(store, at).unwrap()
}

#[test]
fn before_the_first_call() {
    everywhere(|engine, module, at_8| {
        let mut store = Store::new(engine, ());
        let instances: Vec<_> = (0..40).map(|_| Instance::new(&mut store, module, &[]).unwrap()).collect();
        for &instance in &instances {
            assert_eq!((get(&mut store, instance, 8), get(&mut store, instance, 65532)), (at_8, 0));
            let set = instance.get_typed_func::<(i32, i32), ()>(&mut store, "set").unwrap();
            set.call(&mut store, (65532, 5)).unwrap();
        }
        let late = Instance::new(&mut store, module, &[]).unwrap();
        assert_eq!((get(&mut store, late, 8), get(&mut store, late, 65532)), (at_8, 0));
        assert!(instances.iter().all(|&instance| get(&mut store, instance, 65532) == 5));
    });
}

#[test]
fn before_the_host_looks() {
    everywhere(|engine, module, at_8| {
        let mut store = Store::new(engine, ());
        let [read, written, grown] = [0; 3].map(|_| {
            let instance = Instance::new(&mut store, module, &[]).unwrap();
            instance.get_memory(&mut store, "m").unwrap()
        });
        assert_eq!(i32::from(read.data(&store)[8]), at_8);
        written.write(&mut store, 65535, &[1]).unwrap();
        assert_eq!((written.data(&store)[65535], read.data(&store)[65535]), (1, 0));
        assert_eq!((grown.grow(&mut store, 3).unwrap(), grown.data_size(&store)), (1, 4 * 65536));
        assert_eq!((i32::from(grown.data(&store)[8]), grown.data(&store)[4 * 65536 - 1]), (at_8, 0));
    });
}

#[test]
fn before_somebody_else_uses_it() {
    everywhere(|engine, module, at_8| {
        let user = r#"(module (import "" "m" (memory 1)) (func (export "get") (param i32) (result i32)
            (i32.load (local.get 0))) (data (i32.const 100) "\09"))"#;
        let user = Module::new(engine, user).unwrap();
        let mut store = Store::new(engine, ());
        let owner = Instance::new(&mut store, module, &[]).unwrap();
        let memory = owner.get_memory(&mut store, "m").unwrap();
        let instance = Instance::new(&mut store, &user, &[memory.into()]).unwrap();
        assert_eq!((get(&mut store, instance, 8), get(&mut store, instance, 100)), (at_8, 9));
        assert_eq!(get(&mut store, owner, 100), 9);
    });
}

/// An instance that a host function makes, and a running guest calls without the host between.
#[test]
fn while_a_guest_runs() {
    everywhere(|engine, module, at_8| {
        let caller = r#"(module (import "" "make" (func $make)) (import "" "t" (table 1 funcref))
            (type $get (func (param i32) (result i32)))
            (func (export "get") (param i32) (result i32)
                (call $make) (call_indirect (type $get) (local.get 0) (i32.const 0))))"#;
        let mut store = Store::new(engine, ());
        let table = TableType::new(RefType::FUNCREF, 1, None);
        let table = Table::new(&mut store, table, Ref::Func(None)).unwrap();
        let module = module.clone();
        let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
            let made = Instance::new(&mut caller, &module, &[]).unwrap();
            let func = made.get_func(&mut caller, "get");
            table.set(&mut caller, 0, Ref::Func(func)).unwrap();
        });
        let imports: [Extern; 2] = [make.into(), table.into()];
        let instance = Instance::new(&mut store, &Module::new(engine, caller).unwrap(), &imports).unwrap();
        assert_eq!(get(&mut store, instance, 8), at_8);
    });
}

#[test]
fn and_never_for_one_that_nobody_looks_at() {
    everywhere(|engine, module, at_8| {
        let mut store = Store::new(engine, ());
        let mut kept = Vec::new();
        for at in 0..200 {
            let instance = Instance::new(&mut store, module, &[]).unwrap();
            match at % 5 {
                0 => kept.push(instance),
                _ => store.release(instance).unwrap(),
            }
        }
        store.reclaim();
        store.release(kept.swap_remove(7)).unwrap();
        store.reclaim();
        // What takes their place finds what it should.
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(40))).unwrap();
        assert!(memory.data(&store).iter().all(|&byte| byte == 0));
        assert_eq!((get(&mut store, instance, 8), get(&mut store, instance, 9)), (at_8, 0));
        assert!(kept.into_iter().all(|instance| get(&mut store, instance, 8) == at_8));
    });
}

#[test]
fn snapshots_and_resets_come_first() {
    everywhere(|engine, module, at_8| {
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let snapshot = instance.snapshot(&mut store).unwrap();
        let bytes = snapshot.serialize();
        let copy = snapshot.instantiate(&mut store, &[]).unwrap();
        assert_eq!(
            snapshot.instantiate(&mut store, &[]).unwrap().snapshot(&mut store).unwrap().serialize(),
            bytes
        );
        instance.reset(&mut store).unwrap();
        assert_eq!([copy, instance].map(|instance| get(&mut store, instance, 8)), [at_8; 2]);
        assert_eq!(instance.snapshot(&mut store).unwrap().serialize(), bytes);
    });
}

#[test]
fn a_start_function_finds_its_memory() {
    for (_, engine) in crate::engines() {
        let wat = r#"(module (memory (export "m") 1) (data (i32.const 8) "\07") (start $start)
            (func $start (i32.store8 (i32.const 9) (i32.load8_u (i32.const 8)))))"#;
        let linker = Linker::new(&engine);
        let ready = linker.instantiate_pre(&Module::new(&engine, wat).unwrap()).unwrap();
        for _ in 0..4 {
            let mut store = Store::new(&engine, ());
            let instance = ready.instantiate(&mut store).unwrap();
            let memory = instance.get_memory(&mut store, "m").unwrap();
            assert_eq!(memory.data(&store)[7..11], [0, 7, 7, 0]);
        }
    }
}
