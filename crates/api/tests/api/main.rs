//! The embedding API from outside, one file a topic.

mod compat;
mod contract;
mod epoch;
mod fuel;
mod externref;
mod global;
mod handles;
mod host_funcs;
mod inlining;
mod instance;
mod limits;
mod linker;
mod memory;
mod reclaim;
mod snapshot;
mod pool;
mod ready;
mod table;
mod traps;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};
use tenure::{Config, Engine, Instance, Module, Store, Val};

/// An engine for each way to find accesses out of bounds.
fn engines() -> Vec<(&'static str, Engine)> {
    let with = |signals| Engine::new(Config::new().signals_based_traps(signals)).unwrap();
    vec![("guard pages", with(true)), ("explicit checks", with(false))]
}

fn engine() -> Engine {
    Engine::default()
}

fn empty_store() -> Store<()> {
    Store::new(&engine(), ())
}

/// An instance of a module without imports.
fn instantiate<T: 'static>(store: &mut Store<T>, wat: &str) -> Instance {
    let module = Module::new(store.engine(), wat).unwrap();
    Instance::new(store, &module, &[]).unwrap()
}

/// `val` as text, the same for all references to one host value.
fn text(store: &mut Store<()>, val: Val) -> String {
    match val {
        Val::ExternRef(Some(value)) => format!("host value {}", value.to_raw(store).unwrap()),
        val => format!("{val:?}"),
    }
}

/// What `action` panics with.
fn panic_of<R>(action: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(action)) else { panic!("expected a panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast::<&str>().map_or_else(|_| "not text".to_string(), |text| text.to_string())
        }
    }
}
