use crate::{empty_store, engines, instantiate};
use tenure::{
    Caller, Config, Engine, Extern, Func, Instance, Memory, MemoryType, MemoryTypeBuilder, Module,
    OnStackReplacement, Store, Strategy, TierUp, Trap, UpdateDeadline, WasmBacktrace,
};

#[test]
fn bytes_are_copied_in_and_out_or_not_at_all() {
    let mut store = empty_store();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.write(&mut store, 65530, b"123456").unwrap();
    let mut buffer = [0; 6];
    memory.read(&store, 65530, &mut buffer).unwrap();
    assert_eq!(&buffer, b"123456");

    let error = memory.write(&mut store, 65531, b"abcdef").unwrap_err();
    assert_eq!(error.to_string(), "out of bounds memory access: 6 bytes at 65531 of 65536");
    assert!(memory.write(&mut store, usize::MAX, b"ab").is_err());
    assert!(memory.read(&store, 65531, &mut buffer).is_err());
    assert_eq!(&buffer, b"123456");
    assert_eq!(&memory.data(&store)[65530..], b"123456");

    memory.read(&store, 65536, &mut []).unwrap();
    memory.write(&mut store, 65536, &[]).unwrap();
    assert!(memory.read(&store, 65537, &mut []).is_err());
}

#[test]
fn data_is_borrowed_with_the_store() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0_usize);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.data_mut(&mut store)[7] = 9;
    let (bytes, count) = memory.data_and_store_mut(&mut store);
    *count += bytes.len() + usize::from(bytes[7]);
    assert_eq!(*store.data(), 65545);
    assert_eq!(memory.data(&store)[7], 9);
    assert_eq!(memory.data_ptr(&store).cast_const(), memory.data(&store).as_ptr());
    assert_eq!(memory.data_size(&store), 65536);
}

#[test]
fn growing_keeps_the_bytes_and_stops_at_the_maximum() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(3))).unwrap();
        memory.write(&mut store, 0, b"kept").unwrap();
        assert_eq!(memory.grow(&mut store, 2).unwrap(), 1, "{name}");
        assert_eq!((memory.size(&store), memory.data_size(&store)), (3, 3 * 65536), "{name}");
        assert_eq!(&memory.data(&store)[..4], b"kept", "{name}");
        assert!(memory.data(&store)[65536..].iter().all(|&byte| byte == 0), "{name}");
        assert_eq!(memory.grow(&mut store, 0).unwrap(), 3, "{name}");

        let error = memory.grow(&mut store, 1).unwrap_err();
        assert_eq!(error.to_string(), "a memory of 3 pages could not grow by 1", "{name}");
        assert!(memory.grow(&mut store, u64::MAX).is_err(), "{name}");
        assert_eq!(memory.size(&store), 3, "{name}");
    }
}

#[test]
fn many_memories_of_sizes_that_are_no_whole_pages_have_what_the_options_say() {
    let page = 4096;
    for (reservation, guard) in [0, 1, page - 1, page, page + 1, (1 << 20) + 1]
        .into_iter()
        .flat_map(|odd| [(1 << 20, odd), (odd, 1 << 16), (odd, odd)])
    {
        let mut config = Config::new();
        config.memory_reservation(reservation).memory_guard_size(guard);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, ());
        // Address space is taken for several at once when there are many.
        for count in 0..40 {
            let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap_or_else(|error| {
                panic!("memory {count} of {reservation} and {guard} bytes: {error:?}")
            });
            memory.write(&mut store, 65528, b"the  end").unwrap();
            assert_eq!(memory.grow(&mut store, 40).unwrap(), 1, "{reservation} and {guard} bytes");
            assert_eq!(&memory.data(&store)[65528..65537], b"the  end\0");
        }
    }
}

#[test]
fn guest_and_host_see_one_memory() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instantiate(
            &mut store,
            r#"(module (memory (export "m") 1 10)
                (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
        );
        let memory = instance.get_memory(&mut store, "m").unwrap();
        let load = instance.get_typed_func::<u32, u32>(&mut store, "load").unwrap();
        let grow = instance.get_typed_func::<u32, i32>(&mut store, "grow").unwrap();
        memory.write(&mut store, 100, &[200]).unwrap();
        assert_eq!(load.call(&mut store, 100).unwrap(), 200, "{name}");

        assert!(load.call(&mut store, 65536).is_err(), "{name}");
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 1, "{name}");
        assert_eq!(load.call(&mut store, 65536).unwrap(), 0, "{name}");
        assert_eq!(grow.call(&mut store, 3).unwrap(), 2, "{name}");
        assert_eq!(memory.size(&store), 5, "{name}");
        assert_eq!(grow.call(&mut store, 6).unwrap(), -1, "{name}");
        memory.write(&mut store, 5 * 65536 - 1, &[7]).unwrap();
        assert_eq!(load.call(&mut store, 5 * 65536 - 1).unwrap(), 7, "{name}");
    }
}

#[test]
fn the_host_can_grow_a_memory_during_a_call() {
    for (name, engine) in engines() {
        let mut store = Store::new(&engine, ());
        let grow = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> tenure::Result<()> {
            let memory = caller.get_export("m").and_then(Extern::into_memory).unwrap();
            memory.grow(&mut caller, 100)?;
            memory.data_mut(&mut caller)[0] = 77;
            Ok(())
        });
        let wat = r#"(module (import "" "" (func $grow)) (memory (export "m") 1)
            (func (export "run") (result i32)
                (i32.store8 (i32.const 1) (i32.const 1))
                (call $grow)
                (i32.store8 (i32.const 6000000) (i32.const 11))
                (i32.add (i32.load8_u (i32.const 6000000))
                    (i32.add (i32.load8_u (i32.const 0)) (i32.load8_u (i32.const 1))))))"#;
        let instance =
            Instance::new(&mut store, &Module::new(&engine, wat).unwrap(), &[grow.into()]).unwrap();
        let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 89, "{name}");
    }
}

#[test]
fn memories_of_64_bits_and_of_single_bytes() {
    let mut store = empty_store();
    let memory = Memory::new(&mut store, MemoryType::new64(2, None)).unwrap();
    assert!(memory.ty(&store).is_64());
    memory.write(&mut store, 131_071, &[1]).unwrap();

    let ty = MemoryTypeBuilder::new().page_size_log2(0).min(10).max(Some(20)).build().unwrap();
    let memory = Memory::new(&mut store, ty).unwrap();
    assert_eq!((memory.page_size(&store), memory.page_size_log2(&store)), (1, 0));
    assert_eq!((memory.size(&store), memory.data_size(&store)), (10, 10));
    assert_eq!(memory.grow(&mut store, 5).unwrap(), 10);
    assert_eq!(memory.data(&store), [0; 15]);
    assert!(memory.grow(&mut store, 6).is_err());
}

#[test]
fn what_cannot_be_had_is_an_error() {
    let mut store = empty_store();
    let error = Memory::new(&mut store, MemoryType::new64(1 << 47, None)).unwrap_err();
    assert_eq!(error.to_string(), format!("a memory of {} pages could not be made", 1_u64 << 47));
    let error = Memory::new(&mut store, MemoryType::shared(1, 2)).unwrap_err();
    assert!(error.to_string().contains("threads proposal"), "{error}");
    Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
}

#[test]
fn what_the_host_writes_by_address_is_not_seen_by_the_next_memory() {
    let engine = tenure::Engine::default();
    let module = tenure::Module::new(&engine, r#"(module (memory (export "m") 1))"#).unwrap();
    for _ in 0..3 {
        let mut store = tenure::Store::new(&engine, ());
        let instance = tenure::Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "m").unwrap();
        let first = memory.data_ptr(&store);
        assert_eq!(memory.data(&store)[0], 0);
        // SAFETY: the memory has a page, and nothing else uses the store.
        unsafe { first.write(7) };
    }
}

#[test]
fn what_a_guest_writes_to_a_memory_made_during_its_call_is_not_seen_by_the_next() {
    for (name, engine) in engines() {
        let inner = Module::new(
            &engine,
            r#"(module (import "" "t" (table 1 funcref)) (memory 1)
                (func $write (i32.store (i32.const 0) (i32.const 0x41414141)))
                (elem (i32.const 0) $write))"#,
        )
        .unwrap();
        let outer = Module::new(
            &engine,
            r#"(module (import "" "make" (func $make)) (table (export "t") 1 funcref)
                (func (export "run") (call $make) (call_indirect (i32.const 0))))"#,
        )
        .unwrap();
        let plain = Module::new(&engine, r#"(module (memory (export "m") 1))"#).unwrap();
        for _ in 0..3 {
            let mut store = Store::new(&engine, ());
            let inner = inner.clone();
            let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
                let table = caller.get_export("t").unwrap();
                Instance::new(&mut caller, &inner, &[table]).unwrap();
            });
            let instance = Instance::new(&mut store, &outer, &[make.into()]).unwrap();
            instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
            drop(store);
            let mut store = Store::new(&engine, ());
            let memories = [(); 3].map(|()| {
                let instance = Instance::new(&mut store, &plain, &[]).unwrap();
                instance.get_memory(&mut store, "m").unwrap()
            });
            assert!(memories.iter().all(|memory| memory.data(&store)[..4] == [0; 4]), "{name}");
        }
    }
}

/// Programs whose accesses code may know to be inside, or not: each has a memory of one page, which may grow to eight.
const CHECKED: &[(&str, &str)] = &[
    (
        "checked in one arm only",
        "(if (i32.and (local.get $n) (i32.const 1)) (then (local.set $r (i64.load (local.get $n)))))
         (i64.add (local.get $r) (i64.load offset=1 (local.get $n)))",
    ),
    (
        "checked in both arms, up to different ends",
        "(if (i32.and (local.get $n) (i32.const 1))
            (then (local.set $r (i64.load offset=8 (local.get $n))))
            (else (local.set $r (i64.load8_u (local.get $n)))))
         (i64.add (local.get $r) (i64.load offset=4 (local.get $n)))",
    ),
    (
        "a branch goes around a check",
        "(block (br_if 0 (i32.and (local.get $n) (i32.const 2)))
            (local.set $r (i64.load offset=16 (local.get $n))))
         (i64.store offset=8 (local.get $n) (i64.const 7))
         (i64.add (local.get $r) (i64.load offset=8 (local.get $n)))",
    ),
    (
        "a branch from inside goes around a check",
        "(block
            (if (i32.and (local.get $n) (i32.const 2)) (then (i64.store (local.get $n) (i64.const 5)) (br 1)))
            (local.set $r (i64.load offset=16 (local.get $n))))
         (i64.add (local.get $r) (i64.load offset=16 (local.get $n)))",
    ),
    (
        "from large to small and from small to large",
        "(i64.store32 (local.get $n) (i64.const 1)) (i64.store16 offset=12 (local.get $n) (i64.const 2))
         (i64.store8 offset=3 (local.get $n) (i64.const 3)) (i64.store offset=20 (local.get $n) (i64.const 4))
         (i64.load offset=2 (local.get $n))",
    ),
    (
        "from small to large, fields of a structure",
        "(i64.store8 (local.get $n) (i64.const 1)) (i64.store8 offset=1 (local.get $n) (i64.const 2))
         (i64.store16 offset=6 (local.get $n) (i64.const 3)) (i64.store32 offset=20 (local.get $n) (i64.const 4))
         (i64.store offset=24 (local.get $n) (i64.const 5)) (i64.store8 offset=35 (local.get $n) (i64.const 6))
         (i64.load offset=70000 (local.get $n))",
    ),
    (
        "fields of a structure that stays the same in a loop",
        "(loop $l
            (local.set $r (i64.add (local.get $r) (i64.load8_u (local.get $n))))
            (i64.store offset=8 (local.get $n) (local.get $r))
            (local.set $r (i64.add (local.get $r) (i64.load offset=4 (local.get $n))))
            (if (i32.and (local.get $i) (i32.const 1)) (then (i64.store offset=16 (local.get $n) (local.get $r))))
            (local.set $r (i64.add (local.get $r) (i64.load offset=17 (local.get $n))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
         (local.get $r)",
    ),
    (
        "a field that is there only once the memory has grown",
        "(local.set $r (i64.load (local.get $n)))
         (local.set $r (i64.add (local.get $r) (i64.load offset=8 (local.get $n))))
         (if (i32.and (local.get $n) (i32.const 1)) (then (drop (memory.grow (i32.const 1)))))
         (local.set $r (i64.add (local.get $r) (i64.load offset=30 (local.get $n))))
         (loop $l
            (local.set $r (i64.add (local.get $r) (i64.load offset=65500 (local.get $n))))
            (drop (call $grow (i32.const 1)))
            (local.set $r (i64.add (local.get $r) (i64.load offset=131000 (local.get $n))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
         (local.get $r)",
    ),
    (
        "a table behind a mask",
        "(i64.add
            (i64.load offset=1024 (i32.shl (i32.and (local.get $n) (i32.const 255)) (i32.const 3)))
            (i64.load (i32.sub (i32.and (local.get $n) (i32.const 255)) (i32.const 1))))",
    ),
    (
        "a table at the memory's end",
        "(i64.load offset=63496 (i32.shl (i32.and (local.get $n) (i32.const 255)) (i32.const 3)))",
    ),
    (
        "an index of bytes",
        "(i64.load offset=65272 (i32.load8_u (i32.and (local.get $n) (i32.const 0xfff))))",
    ),
    (
        "a loop that goes outside",
        "(loop $l
            (i32.store offset=4 (local.get $n) (local.get $n))
            (local.set $r (i64.add (local.get $r) (i64.load (local.get $n))))
            (local.set $n (i32.add (local.get $n) (i32.const 509)))
            (br_if $l (i32.lt_u (local.get $n) (i32.const 70000))))
         (local.get $r)",
    ),
    (
        "loops in loops, of which the inner ones call nothing",
        "(loop $outer
            (drop (call $grow (i32.const 1)))
            (local.set $i (i32.const 0))
            (loop $middle
                (local.set $j (i32.const 0))
                (loop $inner
                    (i32.store (i32.add (local.get $n) (i32.mul (local.get $j) (i32.const 8000))) (local.get $i))
                    (local.set $r (i64.add (local.get $r) (i64.load (i32.mul (local.get $j) (i32.const 8000)))))
                    (br_if $inner (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 9))))
                (br_if $middle (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
            (local.set $n (i32.add (local.get $n) (i32.const 65536)))
            (br_if $outer (i32.lt_u (local.get $n) (i32.const 700000))))
         (local.get $r)",
    ),
    (
        "a memory that grows in a loop",
        "(loop $l
            (local.set $r (i64.add (local.get $r) (i64.load (local.get $n))))
            (i64.store (local.get $n) (local.get $r))
            (drop (memory.grow (i32.const 1)))
            (local.set $n (i32.add (local.get $n) (i32.const 32768)))
            (br_if $l (i32.lt_u (local.get $n) (i32.const 600000))))
         (local.get $r)",
    ),
];

type Change = fn(&mut Config);

#[test]
fn what_is_not_checked_is_inside() {
    let tiers: [(&str, Change); 3] = [
        ("optimizing", |config| {
            config.strategy(Strategy::Optimizing);
        }),
        ("baseline", |config| {
            config.strategy(Strategy::Baseline);
        }),
        ("tiered, from loops", |config| {
            config.tier_up_budget(0).tier_up_budget_per_byte(0).tier_up(TierUp::AtOnce);
            config.on_stack_replacement(OnStackReplacement::First);
        }),
    ];
    let modes: [(&str, Change); 4] = [
        ("guard pages", |_| {}),
        ("small memories", |config| {
            config.memory_reservation(64 << 10).memory_guard_size(0);
        }),
        ("without signals", |config| {
            config.signals_based_traps(false);
        }),
        ("small memories, epochs", |config| {
            config.memory_reservation(64 << 10).memory_guard_size(0).epoch_interruption(true);
        }),
    ];
    let engines: Vec<_> = tiers
        .iter()
        .flat_map(|tier| modes.iter().map(move |mode| (tier, mode)))
        .map(|((tier, set_tier), (mode, set_mode))| {
            let mut config = Config::new();
            set_tier(&mut config);
            set_mode(&mut config);
            (format!("{tier}, {mode}"), Engine::new(&config).unwrap())
        })
        .collect();
    for (name, body) in CHECKED {
        let wat = format!(
            r#"(module (memory (export "memory") 1 8) (data (i32.const 100) "{}")
                (func $grow (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "run") (param $n i32) (result i64) (local $r i64) (local $i i32) (local $j i32)
                    {body}))"#,
            "tenure".repeat(300)
        );
        let arguments = [
            0, 1, 2, 3, 7, 255, 256, 65_501, 65_508, 65_510, 65_511, 65_512, 65_520, 65_528, 65_529, 65_535,
            -1,
        ];
        let run_all = |engine| {
            let module = Module::new(engine, &wat).unwrap();
            arguments.map(|n| {
                let mut store = Store::new(engine, ());
                store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(0)));
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let run = instance.get_typed_func::<i32, i64>(&mut store, "run").unwrap();
                let outcome = run.call(&mut store, n).map_err(|error| {
                    let trace = error.downcast_ref::<WasmBacktrace>();
                    let at = trace.and_then(|trace| trace.frames()[0].module_offset());
                    (error.downcast_ref::<Trap>().copied(), at)
                });
                let memory = instance.get_memory(&mut store, "memory").unwrap();
                (outcome, memory.data(&store).to_vec())
            })
        };
        let expected = run_all(&engines[0].1);
        for (way, engine) in &engines[1..] {
            for (n, (seen, expected)) in arguments.into_iter().zip(run_all(engine).into_iter().zip(&expected))
            {
                assert_eq!(seen.0, expected.0, "{name}, {n}: {way}");
                assert!(seen.1 == expected.1, "{name}, {n}: the bytes differ, {way}");
            }
        }
    }
}
