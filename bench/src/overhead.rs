//! What counting fuel, watching epochs and checking every access cost a guest: the same program, with and without, in
//! turns.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use tenure::{Caller, Config, Engine, Linker, Module, Store, Strategy};
use tenure_wasi::p1::{self, WasiP1Ctx};
use tenure_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use crate::clock::{Cost, Stopwatch};

/// What is switched on, and the ratio to none of it that is to be reached in the optimizing tier.
const SETTINGS: [(&str, f64, fn(&mut Config)); 4] = [
    ("nothing", 1.0, |_| {}),
    ("fuel", 1.25, |config| {
        config.consume_fuel(true);
    }),
    ("epochs", 1.05, |config| {
        config.epoch_interruption(true);
    }),
    // As where address space is short.
    ("checks", 1.15, |config| {
        config.memory_reservation(256 << 10).memory_guard_size(0);
    }),
];

/// What a program's store holds: WASI, and the times between its two calls to `bench`.
struct Host {
    wasi: WasiP1Ctx,
    started: Option<Stopwatch>,
    kernel: Option<Cost>,
}

/// One way to compile a program.
struct Way {
    engine: Engine,
    module: Module,
    /// Smallest CPU time of the part worth timing.
    smallest: f64,
}

/// Runs each of the programs, which lie in folders of their own, `rounds` times in each way and prints a table.
///
/// # Errors
/// Those of the programs.
pub fn measure(programs: &[PathBuf], rounds: usize) -> Result<String> {
    let mut page = String::new();
    // Smallest CPU times; on a busy machine the ratios are what counts.
    for (tier, strategy) in [("optimizing", Strategy::Optimizing), ("baseline", Strategy::Baseline)] {
        let _ = write!(page, "| {tier} | nothing |");
        for (what, ..) in &SETTINGS[1..] {
            let _ = write!(page, " {what} | ratio |");
        }
        let _ = writeln!(page, "\n|---|---:|{}", "---:|---:|".repeat(SETTINGS.len() - 1));
        let mut sums = [0.0; SETTINGS.len()];
        let mut count = 0.0;
        for folder in programs {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let Ok(times) = times(folder, strategy, rounds) else {
                let _ = writeln!(page, "| {name} | — |{}", " — | — |".repeat(SETTINGS.len() - 1));
                continue;
            };
            let nothing = times[0];
            let _ = write!(page, "| {name} | {:.3} ms |", nothing / 1e6);
            for time in &times[1..] {
                let _ = write!(page, " {:.3} ms | {:.3} |", time / 1e6, time / nothing);
            }
            page.push('\n');
            // A program that does nothing has no ratio.
            if nothing > 1e5 {
                count += 1.0;
                for (sum, time) in sums.iter_mut().zip(times) {
                    *sum += (time / nothing).ln();
                }
            }
        }
        for ((what, goal, _), sum) in SETTINGS.iter().zip(sums).skip(1) {
            let mean = (sum / count).exp();
            let _ = writeln!(
                page,
                "\nGeometric mean, {what}, {tier}: **{mean:.3}** (to reach, optimizing: ≤ {goal})."
            );
        }
        page.push('\n');
    }
    Ok(page)
}

fn times(folder: &Path, strategy: Strategy, rounds: usize) -> Result<[f64; SETTINGS.len()]> {
    let wasm = std::fs::read(folder.join("program.wasm")).context("no program")?;
    let mut ways = Vec::new();
    for (_, _, set) in SETTINGS {
        let mut config = Config::new();
        config.strategy(strategy);
        set(&mut config);
        let engine = Engine::new(&config).map_err(|error| anyhow!("{error:?}"))?;
        let module = Module::new(&engine, &wasm).map_err(|error| anyhow!("{error:?}"))?;
        ways.push(Way { engine, module, smallest: f64::INFINITY });
    }
    for _ in 0..rounds {
        for way in &mut ways {
            let cost = run(way, folder).map_err(|error| anyhow!("{error:?}"))?;
            way.smallest = way.smallest.min(cost.cpu);
        }
    }
    Ok(std::array::from_fn(|at| ways[at].smallest))
}

/// The part of a program that is worth timing.
fn run(way: &Way, folder: &Path) -> tenure::Result<Cost> {
    let mut linker: Linker<Host> = Linker::new(&way.engine);
    p1::add_to_linker_sync(&mut linker, |host| &mut host.wasi)?;
    linker.func_wrap("bench", "start", |mut caller: Caller<'_, Host>| {
        caller.data_mut().started = Some(Stopwatch::start());
    })?;
    linker.func_wrap("bench", "end", |mut caller: Caller<'_, Host>| {
        let host = caller.data_mut();
        host.kernel = host.started.map(Stopwatch::stop);
    })?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.arg("program.wasm").preopened_dir(folder, ".", FsPerms::ReadWrite)?;
    let mut store = Store::new(&way.engine, Host { wasi: wasi.build_p1(), started: None, kernel: None });
    if way.engine.get_consume_fuel() {
        store.set_fuel(u64::MAX)?;
    }
    // A deadline that never comes.
    store.set_epoch_deadline(u64::MAX);
    let instance = linker.instantiate(&mut store, &way.module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    if let Err(error) = start.call(&mut store, ()) {
        match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => {}
            _ => return Err(error),
        }
    }
    store
        .data()
        .kernel
        .ok_or_else(|| tenure::format_err!("the program never called bench.start and bench.end"))
}
