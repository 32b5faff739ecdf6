// Making and forgetting instances in one store, written once against the API that Tenure and `wasmtime` share.
//
// Included into a module for each, where `engine` names the crate and `forget` is what it has to give instances back.

use engine::{Engine, Extern, Instance, Module, Ref, RefType, Result, Store, StoreLimits, StoreLimitsBuilder, Table, TableType};

use crate::clock::{Cost, Stopwatch};
use crate::measures::Sample;
use crate::resident::{self, MOST_RESIDENT, POINTS};

/// Loads two plugins a cycle that hold each other's functions, calls one, and forgets both; notes what the process
/// holds after each of [`POINTS`]. Ends early, without an error, where the engine can do no more.
pub fn cycles() -> Result<Sample> {
    let engine = Engine::default();
    let module = Module::new(&engine, include_bytes!("../guests/plugin.wat"))?;
    let limits =
        StoreLimitsBuilder::new().instances(usize::MAX).memories(usize::MAX).tables(usize::MAX).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let ty = TableType::new(RefType::FUNCREF, 2, None);
    let lobby = Table::new(&mut store, ty, Ref::Func(None))?;

    let mut sample = Sample::new();
    let watch = Stopwatch::start();
    let mut done = 0_u32;
    for &(count, row) in POINTS {
        while done < count {
            if let Err(error) = cycle(&mut store, &module, lobby) {
                eprintln!("after {done} cycles: {error:#}");
                return Ok(sample);
            }
            done += 1;
            if done.is_multiple_of(256) && resident::bytes() > MOST_RESIDENT {
                return Ok(sample);
            }
        }
        let (bytes, mappings) = (resident::bytes(), resident::mappings());
        sample.insert(row.to_owned(), Cost { cpu: bytes, wall: mappings });
        if count == 1_000 {
            sample.insert("one of 1,000 cycles".to_owned(), watch.stop().divided(count));
        }
    }
    Ok(sample)
}

fn cycle(store: &mut Store<StoreLimits>, module: &Module, lobby: Table) -> Result<()> {
    let first = Instance::new(&mut *store, module, &[Extern::Table(lobby)])?;
    let Some(own) = first.get_table(&mut *store, "own") else { engine::bail!("no export own") };
    let second = Instance::new(&mut *store, module, &[Extern::Table(own)])?;
    let run = second.get_typed_func::<i64, i64>(&mut *store, "run")?;
    let sum = run.call(&mut *store, 7)?;
    engine::ensure!(sum == 5_600, "the plugin says {sum}");
    forget(store, first)?;
    forget(store, second)
}
