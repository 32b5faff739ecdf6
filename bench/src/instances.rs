// Making instances, written once against the API that Tenure and `wasmtime` share.
//
// Included into a module for each, where `engine` names the crate.

use std::hint::black_box;

use engine::{Config, Enabled, Engine, InstancePre, Linker, Module, PoolingAllocationConfig, Result, Store};

use crate::clock::{Cost, Stopwatch, repeat};
use crate::measures::Sample;
use crate::resident;

/// How many instances live at once in the measurement of many.
const MANY: u32 = 10_000;

/// Makes instances of small and large modules; `program` is one, in the current directory.
pub fn instances(program: &[u8]) -> Result<Sample> {
    let engine = Engine::new(&best_config())?;
    let mut sample = Sample::new();
    sample.insert("empty module".into(), made_and_dropped(&prepared(&engine, b"(module)")?)?);

    let one_page = prepared(&engine, include_bytes!("../guests/one_page.wat"))?;
    sample.insert("one page".into(), made_and_dropped(&one_page)?);
    sample.insert("one page, called".into(), repeat(|n| called_and_dropped(&one_page, n))?);

    let large = prepared(&engine, large_module().as_bytes())?;
    sample.insert("64 pages, 1 MiB of data".into(), made_and_dropped(&large)?);
    sample.insert("64 pages, 1 MiB of data, called".into(), repeat(|n| called_and_dropped(&large, n))?);

    sample.insert("sqlite3".into(), made_and_dropped(&prepared(&engine, program)?)?);

    Ok(sample)
}

fn prepared(engine: &Engine, module: &[u8]) -> Result<InstancePre<()>> {
    let module = Module::new(engine, module)?;
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(&module)?;
    linker.instantiate_pre(&module)
}

/// 64 pages of memory, and a mebibyte of data that is not zero.
fn large_module() -> String {
    let data = "\\07".repeat(1 << 20);
    format!(
        r#"(module (memory (export "memory") 64) (data (i32.const 65536) "{data}")
            (func (export "touch")
                (i32.store (i32.const 8) (i32.const 1))
                (i32.store (i32.const 100000) (i32.const 1))
                (i32.store (i32.const 2000000) (i32.const 1))
                (i32.store (i32.const 4000000) (i32.const 1))))"#
    )
}

fn made_and_dropped(prepared: &InstancePre<()>) -> Result<Cost> {
    let engine = prepared.module().engine();
    repeat(|n| {
        for _ in 0..n {
            let mut store = Store::new(engine, ());
            black_box(prepared.instantiate(&mut store)?);
        }
        Ok(())
    })
}

/// As [`made_and_dropped`], with a call in between that writes to the memory.
fn called_and_dropped(prepared: &InstancePre<()>, times: u32) -> Result<()> {
    let engine = prepared.module().engine();
    for _ in 0..times {
        let mut store = Store::new(engine, ());
        let instance = prepared.instantiate(&mut store)?;
        instance.get_typed_func::<(), ()>(&mut store, "touch")?.call(&mut store, ())?;
    }
    Ok(())
}

/// Instances of a module with a bare page.
pub fn many() -> Result<Sample> {
    many_of(
        include_bytes!("../guests/bare_page.wat"),
        ["10,000 live, creating one at first", "10,000 live, creating one again", "10,000 live, bytes of one"],
    )
}

/// Instances of a module with a page and data.
pub fn many_with_data() -> Result<Sample> {
    let mut sample = many_of(
        include_bytes!("../guests/one_page.wat"),
        [
            "10,000 live with data, creating one at first",
            "10,000 live with data, creating one again",
            "10,000 live with data, bytes of one",
        ],
    )?;
    sample.insert("10,000 live with data, creating and calling one at first".to_owned(), many_called()?);
    Ok(sample)
}

/// As the first of [`many_of`], with a call of each that writes to its memory: what may be put off until then is paid.
fn many_called() -> Result<Cost> {
    let engine = Engine::new(&best_config())?;
    let prepared = prepared(&engine, include_bytes!("../guests/one_page.wat"))?;
    called_and_dropped(&prepared, 1)?;
    let mut store = Store::new(&engine, ());
    let watch = Stopwatch::start();
    for _ in 0..MANY {
        let instance = prepared.instantiate(&mut store)?;
        instance.get_typed_func::<(), ()>(&mut store, "touch")?.call(&mut store, ())?;
    }
    Ok(watch.stop().divided(MANY))
}

/// Many instances in one store, twice: what one costs, and what it holds.
fn many_of(module: &[u8], [at_first, again, bytes]: [&'static str; 3]) -> Result<Sample> {
    let engine = Engine::new(&best_config())?;
    let prepared = prepared(&engine, module)?;
    black_box(prepared.instantiate(&mut Store::new(&engine, ()))?);
    let mut sample = Sample::new();
    let before = resident::bytes();
    for row in [at_first, again] {
        let mut store = Store::new(&engine, ());
        let watch = Stopwatch::start();
        for _ in 0..MANY {
            black_box(prepared.instantiate(&mut store)?);
        }
        sample.insert(row.to_owned(), watch.stop().divided(MANY));
        if row == at_first {
            let each = (resident::bytes() - before) / f64::from(MANY);
            sample.insert(bytes.to_owned(), Cost { cpu: each, wall: each });
        }
    }
    Ok(sample)
}

/// A pool with room for all, in which what was used is kept for the next.
fn best_config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(2 * MANY)
        .total_memories(2 * MANY)
        .total_tables(2 * MANY)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(1 << 16)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config.allocation_strategy(pool);
    config
}
