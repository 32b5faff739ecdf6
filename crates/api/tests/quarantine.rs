//! What frees memory, once more in a process in which freed memory is protected instead of used again: whoever still
//! uses something that went ends this process.
//!
//! With `TENURE_QUARANTINE=1` in the environment any other test runs so too.

#[path = "api/handles.rs"]
mod handles;
#[path = "api/reclaim.rs"]
mod reclaim;
#[path = "api/snapshot.rs"]
mod snapshot;

use std::panic::{AssertUnwindSafe, catch_unwind};
use tenure::{Config, Engine, Instance, Module, Store};

fn with(config: &mut Config) -> Engine {
    Engine::new(config.quarantine(true)).unwrap()
}

fn engine() -> Engine {
    with(&mut Config::new())
}

/// An engine for each way to find accesses out of bounds.
fn engines() -> Vec<(&'static str, Engine)> {
    let with = |signals| with(Config::new().signals_based_traps(signals));
    vec![("guard pages", with(true)), ("explicit checks", with(false))]
}

fn empty_store() -> Store<()> {
    Store::new(&engine(), ())
}

/// An instance of a module without imports.
fn instantiate<T: 'static>(store: &mut Store<T>, wat: &str) -> Instance {
    let module = Module::new(store.engine(), wat).unwrap();
    Instance::new(store, &module, &[]).unwrap()
}

/// What `action` panics with.
fn panic_of<R>(action: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(action)) else { panic!("expected a panic") };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().map_or("not text".to_string(), ToString::to_string),
    }
}
