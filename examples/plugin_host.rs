//! A host that loads, runs, cross-links and forgets plugins in one store, for as long as it likes.
//!
//! ```sh
//! cargo run --release -p tenure --example plugin_host -- 1000000         # code is made when called, and better when hot
//! cargo run --release -p tenure --example plugin_host -- 1000000 ahead   # all code is made first
//! ```
//! Each cycle loads two plugins. The second imports the first's table, hashes a text with the function that stands
//! there, and puts a function of its own beside it; so each holds the other. Then both are released. Counting
//! references would never free such a pair; the store does, and its memory stays flat.

use std::fs;
use tenure::{
    Caller, Config, Engine, Instance, Linker, Module, Ref, RefType, Result, Store, Strategy, Table,
    TableType, TypedFunc, bail,
};

const PLUGIN: &str = r#"(module
    (import "host" "log" (func $log (param i64)))
    (import "host" "friend" (table $friend 2 funcref))
    (type $step (func (param i64 i32) (result i64)))
    (memory (export "memory") 1)
    (data (i32.const 16) "It was the best of times, it was the worst of times, it was the age of wisdom,")
    (table (export "own") 2 funcref)
    (elem declare func $step)
    ;; A step of a hash (FNV-1a): what has come so far, and the next byte.
    (func $step (type $step) (param $hash i64) (param $byte i32) (result i64)
        (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_u (local.get $byte))) (i64.const 0x100000001b3)))
    (func (export "run") (param $hash i64) (result i64)
        (local $at i32)
        ;; The friend's table has our function from now on ...
        (table.set $friend (i32.const 1) (ref.func $step))
        ;; ... and our text is hashed with the one that it offers.
        (loop $next
            (local.set $hash (call_indirect $friend (type $step)
                (local.get $hash) (i32.load8_u offset=16 (local.get $at)) (i32.const 0)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 78))))
        (i64.store (i32.const 0) (local.get $hash))
        (call $log (local.get $hash))
        (local.get $hash))
    (export "step" (func $step)))"#;

/// The plugins' text.
const TEXT: &[u8] = b"It was the best of times, it was the worst of times, it was the age of wisdom,";

/// What plugins make of it.
fn hash_of_text(seed: i64) -> i64 {
    TEXT.iter().fold(seed, |hash, &byte| (hash ^ i64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// A loaded plugin.
struct Plugin {
    instance: Instance,
    own: Table,
    run: TypedFunc<i64, i64>,
}

impl Plugin {
    /// Loads a plugin that finds `friend` under its import of that name.
    fn load(store: &mut Store<u64>, linker: &Linker<u64>, module: &Module, friend: Table) -> Result<Self> {
        let mut linker = linker.clone();
        linker.define(&mut *store, "host", "friend", friend)?;
        let instance = linker.instantiate(&mut *store, module)?;
        let own = instance.get_table(&mut *store, "own").expect("plugins export their table");
        let step = instance.get_func(&mut *store, "step").expect("plugins export their step");
        own.set(&mut *store, 0, Ref::Func(Some(step)))?;
        let run = instance.get_typed_func(&mut *store, "run")?;
        Ok(Self { instance, own, run })
    }
}

fn main() -> Result<()> {
    let cycles: u64 = std::env::args().nth(1).map_or(Ok(20_000), |text| text.parse())?;
    let strategy = match std::env::args().nth(2).as_deref() {
        None | Some("tiered") => Strategy::Tiered,
        Some("ahead") => Strategy::Optimizing,
        Some(other) => bail!("code is made `tiered` or `ahead`, not `{other}`"),
    };
    let engine = Engine::new(Config::new().strategy(strategy))?;
    let module = Module::new(&engine, PLUGIN)?;
    let mut store = Store::new(&engine, 0);
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "log", |mut caller: Caller<'_, u64>, _: i64| *caller.data_mut() += 1)?;
    let lobby = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None))?;

    let mut settled = Footprint::now();
    for cycle in 1..=cycles {
        let first = Plugin::load(&mut store, &linker, &module, lobby)?;
        let second = Plugin::load(&mut store, &linker, &module, first.own)?;
        let seed = cycle as i64;
        assert_eq!(second.run.call(&mut store, seed)?, hash_of_text(seed));
        store.release(first.instance)?;
        store.release(second.instance)?;
        if cycle == 1_000 {
            settled = Footprint::now();
            settled.report(cycle);
        } else if cycle > 1_000 && (cycle.is_power_of_two() || cycle == cycles) {
            Footprint::now().report(cycle);
        }
    }

    println!("the last reclamation freed {:?}", store.reclaim());
    let now = Footprint::now();
    println!(
        "from cycle 1000 on: {:+} KiB resident, {:+} KiB of program files, {:+} mappings",
        now.own - settled.own,
        now.files - settled.files,
        now.mappings - settled.mappings
    );
    Ok(())
}

/// What this process holds; zeros where the system does not tell.
struct Footprint {
    /// Resident memory of its own, in KiB.
    own: i64,
    /// Resident pages of files in KiB: the program and its libraries, as far as they were executed. They come with the
    /// first use of a part of the program, such as the compiler that runs once a plugin is hot, and the system can take
    /// them back at any time.
    files: i64,
    mappings: i64,
}

impl Footprint {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
        };
        let maps = fs::read_to_string("/proc/self/maps").map_or(0, |text| text.lines().count());
        let files = kibibytes("RssFile:");
        Self { own: kibibytes("VmRSS:") - files, files, mappings: maps as i64 }
    }

    fn report(&self, cycle: u64) {
        let Self { own, files, mappings } = self;
        println!(
            "{cycle:>9} cycles: {own:>6} KiB resident, {files:>6} KiB of program files, {mappings} mappings"
        );
    }
}
