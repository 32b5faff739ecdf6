//! Where address space is short: each test runs its body in a process with a limit.

use std::process::Command;
use tenure::{
    Config, Engine, Instance, InstanceAllocationStrategy, Memory, MemoryType, Module, Store, Strategy, Trap,
};

/// Runs `body` in a process that may map `kib` KiB.
fn under(kib: u64, test: &str, body: impl FnOnce()) {
    limited('v', kib, test, body);
}

/// Runs `body` in a process with a limit that `ulimit` knows. `test` is the name of the test that calls: the child is
/// this program, told to run that test alone, and runs `body` when it arrives here again.
fn limited(limit: char, kib: u64, test: &str, body: impl FnOnce()) {
    const MARK: &str = "TENURE_UNDER_LIMIT";
    if std::env::var_os(MARK).is_some_and(|name| name == test) {
        body();
        std::process::exit(42);
    }
    let program = std::env::current_exe().expect("the test program has a path");
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -{limit} {kib}; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .output()
        .expect("the test program runs");
    assert_eq!(output.status.code(), Some(42), "{}", String::from_utf8_lossy(&output.stderr));
}

const ONE_PAGE: &str = r#"(module (memory (export "m") 1) (data (i32.const 8) "\07")
    (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

fn get(store: &mut Store<()>, instance: Instance, at: i32) -> Result<i32, Option<Trap>> {
    let get = instance.get_typed_func::<i32, i32>(&mut *store, "get").unwrap();
    get.call(store, at).map_err(|error| error.downcast_ref::<Trap>().copied())
}

fn set(store: &mut Store<()>, instance: Instance, at: i32, value: i32) {
    let set = instance.get_typed_func::<(i32, i32), ()>(&mut *store, "set").unwrap();
    set.call(store, (at, value)).unwrap();
}

fn grow(store: &mut Store<()>, instance: Instance, by: i32) -> i32 {
    instance.get_typed_func::<i32, i32>(&mut *store, "grow").unwrap().call(store, by).unwrap()
}

const OUTSIDE: Result<i32, Option<Trap>> = Err(Some(Trap::MemoryOutOfBounds));

/// A memory of one page works to its end, and grows.
fn works(store: &mut Store<()>, instance: Instance) {
    assert_eq!(get(store, instance, 8), Ok(7));
    set(store, instance, 65532, 5);
    assert_eq!(get(store, instance, 65532), Ok(5));
    for at in [65533, 65536, 1 << 20, i32::MAX, -1, -4] {
        assert_eq!(get(store, instance, at), OUTSIDE, "{at}");
    }
    assert_eq!((grow(store, instance, 2), grow(store, instance, 30)), (1, 3));
    assert_eq!((get(store, instance, 65532), get(store, instance, 8)), (Ok(5), Ok(7)));
    assert_eq!(
        (get(store, instance, 33 * 65536 - 4), get(store, instance, 33 * 65536 - 3)),
        (Ok(0), OUTSIDE)
    );
}

#[test]
fn a_page_works_in_300_megabytes() {
    under(300_000, "a_page_works_in_300_megabytes", || {
        for strategy in [Strategy::Auto, Strategy::Baseline, Strategy::Optimizing] {
            let engine = Engine::new(Config::new().strategy(strategy)).unwrap();
            let module = Module::new(&engine, ONE_PAGE).unwrap();
            for _ in 0..3 {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                works(&mut store, instance);
            }
        }
    });
}

#[test]
fn ten_thousand_memories_live_in_32_gibibytes() {
    under(32 << 20, "ten_thousand_memories_live_in_32_gibibytes", || {
        for strategy in [InstanceAllocationStrategy::OnDemand, InstanceAllocationStrategy::pooling()] {
            let mut config = Config::new();
            config.allocation_strategy(strategy);
            let engine = Engine::new(&config).unwrap();
            let module = Module::new(&engine, ONE_PAGE).unwrap();
            let mut store = Store::new(&engine, ());
            let instances: Vec<Instance> =
                (0..10_000).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
            for (at, &instance) in instances.iter().enumerate() {
                set(&mut store, instance, 100, at as i32);
            }
            for (at, &instance) in instances.iter().enumerate() {
                assert_eq!(
                    (get(&mut store, instance, 100), get(&mut store, instance, 8)),
                    (Ok(at as i32), Ok(7))
                );
            }
            works(&mut store, instances[5_000]);
        }
    });
}

#[test]
fn memories_are_small_when_large_ones_have_taken_the_room() {
    // Enough for a start with guards, and for about 500 such memories.
    under(2 << 30, "memories_are_small_when_large_ones_have_taken_the_room", || {
        let engine = Engine::default();
        let module = Module::new(&engine, ONE_PAGE).unwrap();
        let export = module.get_export_index("m").unwrap();
        let user = Module::new(
            &engine,
            r#"(module (import "" "m" (memory 1))
                (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
                (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let instances: Vec<Instance> =
            (0..2_000).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
        for at in [0, 1_000, 1_999] {
            let memory = instances[at].get_module_export(&mut store, &export).unwrap().into_memory().unwrap();
            let users = [0; 2].map(|_| Instance::new(&mut store, &user, &[memory.into()]).unwrap());
            works(&mut store, users[0]);
            assert_eq!(get(&mut store, users[1], 65532), Ok(5));
            assert_eq!(get(&mut store, users[1], 33 * 65536), OUTSIDE);
            assert_eq!(memory.size(&store), 33);
            assert!(Module::same(users[0].module(&store), &user));
        }
        // One of the host's own, which nobody made before.
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        memory.write(&mut store, 8, &[7]).unwrap();
        let instance = Instance::new(&mut store, &user, &[memory.into()]).unwrap();
        works(&mut store, instance);
        // Released ones make room for large ones again, and all is well with both.
        for instance in instances {
            store.release(instance).unwrap();
        }
        store.reclaim();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        works(&mut store, instance);
    });
}

#[test]
fn instances_of_a_snapshot_have_small_memories_too() {
    under(2 << 30, "instances_of_a_snapshot_have_small_memories_too", || {
        let engine = Engine::default();
        let module = Module::new(&engine, ONE_PAGE).unwrap();
        let mut store = Store::new(&engine, ());
        let first = Instance::new(&mut store, &module, &[]).unwrap();
        set(&mut store, first, 100, 9);
        let large = first.snapshot(&mut store).unwrap();
        let mut instances: Vec<Instance> =
            (0..1_000).map(|_| large.instantiate(&mut store, &[]).unwrap()).collect();
        // Of one whose memory is small.
        let small = instances[999].snapshot(&mut store).unwrap();
        instances.extend((0..1_000).map(|_| small.instantiate(&mut store, &[]).unwrap()));
        for at in [0, 998, 1_000, 1_999] {
            assert_eq!(get(&mut store, instances[at], 100), Ok(9));
            works(&mut store, instances[at]);
        }
        assert_eq!(get(&mut store, first, 65532), Ok(0));
    });
}

#[test]
fn where_the_system_refuses_pages_a_call_is_an_error_and_the_store_works_on() {
    limited('d', 400_000, "where_the_system_refuses_pages_a_call_is_an_error_and_the_store_works_on", || {
        let engine = Engine::default();
        let module = Module::new(&engine, ONE_PAGE).unwrap();
        let mut store = Store::new(&engine, ());
        let instances: Vec<Instance> =
            (0..10_000).map(|_| Instance::new(&mut store, &module, &[]).unwrap()).collect();
        let get_of_first = instances[0].get_typed_func::<i32, i32>(&mut store, "get").unwrap();
        let error = get_of_first.call(&mut store, 8).unwrap_err();
        assert!(format!("{error:#}").contains("a memory could not be made accessible"), "{error:#}");
        assert_eq!(get_of_first.call(&mut store, 8).unwrap_err().to_string(), error.to_string());
        // Of a memory as large as that it is known when it is made.
        let large = Module::new(&engine, "(module (memory 10000))").unwrap();
        let error = Instance::new(&mut store, &large, &[]).unwrap_err();
        assert!(format!("{error:#}").contains("the system has no more memory"), "{error:#}");
        for &instance in &instances[1..] {
            store.release(instance).unwrap();
        }
        store.reclaim();
        works(&mut store, instances[0]);
    });
}

#[test]
fn an_artifact_of_a_process_without_limits_runs_under_one() {
    let name = "an_artifact_of_a_process_without_limits_runs_under_one";
    let file =
        std::env::temp_dir().join(format!("tenure-address-space-{}", std::os::unix::process::parent_id()));
    if std::env::var_os("TENURE_UNDER_LIMIT").is_none() {
        let here = std::env::temp_dir().join(format!("tenure-address-space-{}", std::process::id()));
        let artifact = Engine::default().precompile_module(ONE_PAGE.as_bytes()).unwrap();
        std::fs::write(&here, artifact).unwrap();
        under(300_000, name, || {});
        std::fs::remove_file(here).unwrap();
        return;
    }
    under(300_000, name, || {
        let engine = Engine::default();
        // SAFETY: this test wrote the file just before.
        let module = unsafe { Module::deserialize_file(&engine, &file).unwrap() };
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        works(&mut store, instance);
        // Without a compiler there is only the error, which says what differs.
        let engine = Engine::new(Config::new().enable_compiler(false)).unwrap();
        // SAFETY: as above.
        let error = unsafe { Module::deserialize_file(&engine, &file).unwrap_err() };
        assert!(format!("{error:#}").contains("memory_reservation was `4294967296` there"), "{error:#}");
    });
}
