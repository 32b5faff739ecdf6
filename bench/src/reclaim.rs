//! What only Tenure does: giving instances back, and making them from snapshots.

use std::hint::black_box;

use tenure::{Engine, Instance, Module, Result, Store};

use crate::clock::{Cost, Stopwatch, repeat};
use crate::measures::Sample;

const SMALL: &str = r#"(module (table 4 funcref) (elem (i32.const 0) func $f $f)
    (func $f (export "f") (result i32) (i32.const 1)))"#;

/// 64 MiB of memory, every page of which is written to.
const WARM: &str = r#"(module (memory (export "memory") 1024)
    (func (export "warm_up") (local $at i32)
        (loop $next
            (i32.store (local.get $at) (i32.add (local.get $at) (i32.const 1)))
            (local.set $at (i32.add (local.get $at) (i32.const 4096)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 0x4000000)))))
    (func (export "read") (result i32) (i32.load (i32.const 0x2000000))))"#;

/// Measures reclamation, snapshots and resets.
///
/// # Errors
/// Those of the engine.
pub fn reclaim() -> Result<Sample> {
    let engine = Engine::default();
    let mut sample = Sample::new();
    created_and_released(&engine, &mut sample)?;
    never_released(&engine, &mut sample)?;
    // Not before the others: what was 100,000 instances would lie in the allocator's lists, in no order.
    nothing_released(&engine, &mut sample)?;
    warm(&engine, &mut sample)?;
    Ok(sample)
}

fn nothing_released(engine: &Engine, sample: &mut Sample) -> Result<()> {
    let module = Module::new(engine, SMALL)?;
    let mut store = Store::new(engine, ());
    let mut limits = store.limits().clone();
    (limits.instances, limits.tables) = (1 << 20, 1 << 20);
    store.set_limits(limits);
    for _ in 0..100_000 {
        let instance = Instance::new(&mut store, &module, &[])?;
        black_box(instance.get_func(&mut store, "f"));
    }
    let cost = repeat(|n| {
        (0..n).for_each(|_| assert_eq!(black_box(store.reclaim()).instances, 0));
        Ok::<_, tenure::Error>(())
    })?;
    sample.insert("reclaim, 100,000 live, nothing released".to_owned(), cost);
    Ok(())
}

/// So many instances come and go, or stay.
const LIVE: u32 = 10_000;

fn create_and_call(store: &mut Store<()>, module: &Module) -> Result<Instance> {
    let instance = Instance::new(&mut *store, module, &[])?;
    let f = instance.get_typed_func::<(), i32>(&mut *store, "f")?;
    black_box(f.call(store, ())?);
    Ok(instance)
}

/// Instances that come and go while 10,000 others live, reclaimed as often as a store does by itself. Reclaiming finds
/// what nothing reaches, and frees it; what freeing takes is measured beside it, by dropping a store with as many. The
/// rest of reclaiming is what a store that only grows does not do.
fn created_and_released(engine: &Engine, sample: &mut Sample) -> Result<()> {
    let module = Module::new(engine, SMALL)?;
    let mut store = Store::new(engine, ());
    store.set_automatic_reclaim(false);
    for _ in 0..LIVE {
        Instance::new(&mut store, &module, &[])?;
    }
    let (mut all, mut reclaiming, mut freeing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..15 {
        let watch = Stopwatch::start();
        for _ in 0..LIVE {
            let instance = create_and_call(&mut store, &module)?;
            store.release(instance)?;
        }
        let watch_reclaim = Stopwatch::start();
        black_box(store.reclaim());
        reclaiming.push(watch_reclaim.stop().divided(LIVE));
        all.push(watch.stop().divided(LIVE));

        let mut other = Store::new(engine, ());
        (0..LIVE).try_for_each(|_| create_and_call(&mut other, &module).map(drop))?;
        let watch = Stopwatch::start();
        drop(other);
        freeing.push(watch.stop().divided(LIVE));
    }
    sample.insert("create, call, release; 10,000 others live".to_owned(), middle(all));
    sample.insert("of that, reclaiming".to_owned(), middle(reclaiming));
    sample.insert("of that, freeing".to_owned(), middle(freeing));
    Ok(())
}

/// What a store that never releases anything pays for being one that could.
fn never_released(engine: &Engine, sample: &mut Sample) -> Result<()> {
    let module = Module::new(engine, SMALL)?;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for round in 0..30 {
        let mut store = Store::new(engine, ());
        store.set_automatic_reclaim(round % 2 == 0);
        let watch = Stopwatch::start();
        (0..LIVE).try_for_each(|_| create_and_call(&mut store, &module).map(drop))?;
        let cost = watch.stop().divided(LIVE);
        if round % 2 == 0 { on.push(cost) } else { off.push(cost) }
    }
    sample.insert("create and call, nothing released".to_owned(), middle(on));
    sample.insert("the same without automatic reclamation".to_owned(), middle(off));
    Ok(())
}

fn middle(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|left, right| left.cpu.total_cmp(&right.cpu));
    costs[costs.len() / 2]
}

fn warm(engine: &Engine, sample: &mut Sample) -> Result<()> {
    let module = Module::new(engine, WARM)?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    instance.get_typed_func::<(), ()>(&mut store, "warm_up")?.call(&mut store, ())?;
    let snapshot = instance.snapshot(&mut store)?;
    let made = repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(engine, ());
            black_box(snapshot.instantiate(&mut store, &[])?);
        }
        Ok::<_, tenure::Error>(())
    })?;
    sample.insert("snapshot of 64 MiB to instance".to_owned(), made);
    let called = repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(engine, ());
            let instance = snapshot.instantiate(&mut store, &[])?;
            let read = instance.get_typed_func::<(), i32>(&mut store, "read")?;
            assert_eq!(read.call(&mut store, ())?, 0x200_0001);
        }
        Ok::<_, tenure::Error>(())
    })?;
    sample.insert("snapshot of 64 MiB to instance, called".to_owned(), called);
    let taken = repeat(|n| {
        (0..n).try_for_each(|_| instance.snapshot(&mut store).map(|snapshot| drop(black_box(snapshot))))
    })?;
    sample.insert("snapshot of 64 MiB, taken".to_owned(), taken);
    let small =
        Instance::new(&mut store, &Module::new(engine, include_bytes!("../guests/one_page.wat"))?, &[])?;
    let touch = small.get_typed_func::<(), ()>(&mut store, "touch")?;
    let reset = repeat(|n| {
        for _ in 0..n {
            touch.call(&mut store, ())?;
            small.reset(&mut store)?;
        }
        Ok::<_, tenure::Error>(())
    })?;
    sample.insert("call and reset, one page".to_owned(), reset);
    Ok(())
}
