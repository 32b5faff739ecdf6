//! Host functions that share state with the host: a linker, a value in the store, a callback into the guest.
//!
//! `cargo run -p tenure --example host_state`

use tenure::*;

/// What belongs to one guest. It is given to host functions through their [`Caller`].
#[derive(Default)]
struct Host {
    log: Vec<String>,
    budget: u32,
}

const GUEST: &str = r#"(module
    (import "host" "log" (func $log (param i32 i32)))
    (import "host" "spend" (func $spend (param i32) (result i32)))
    (import "host" "twice" (func $twice))
    (memory (export "memory") 1)
    (data (i32.const 16) "spending")
    (func (export "step")
        (call $log (i32.const 16) (i32.const 8))
        (drop (call $spend (i32.const 30))))
    (func (export "run") (call $twice)))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;

    // A linker finds imports by name. It is made once and serves any number of stores.
    let mut linker: Linker<Host> = Linker::new(&engine);

    // Reads the guest's memory; what the guest passes is checked, and a wrong range is an error here.
    linker.func_wrap("host", "log", |mut caller: Caller<'_, Host>, at: u32, length: u32| -> Result<()> {
        let memory = match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => memory,
            _ => bail!("the guest exports no memory"),
        };
        let (bytes, host) = memory.data_and_store_mut(&mut caller);
        let text = bytes
            .get(at as usize..)
            .and_then(|rest| rest.get(..length as usize))
            .ok_or_else(|| format_err!("{length} bytes at {at} are outside the memory"))?;
        host.log.push(std::str::from_utf8(text)?.to_owned());
        Ok(())
    })?;

    // An error from a host function stops the guest and becomes the error of the host's call.
    linker.func_wrap("host", "spend", |mut caller: Caller<'_, Host>, amount: u32| -> Result<u32> {
        let host = caller.data_mut();
        match host.budget.checked_sub(amount) {
            Some(left) => host.budget = left,
            None => bail!("cannot spend {amount} of {}", host.budget),
        }
        Ok(host.budget)
    })?;

    // Calls back into the guest that called.
    linker.func_wrap("host", "twice", |mut caller: Caller<'_, Host>| -> Result<()> {
        let step = match caller.get_export("step") {
            Some(Extern::Func(step)) => step.typed::<(), ()>(&caller)?,
            _ => bail!("the guest exports no function step"),
        };
        step.call(&mut caller, ())?;
        step.call(&mut caller, ())
    })?;

    let mut store = Store::new(&engine, Host { budget: 100, ..Host::default() });
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;

    run.call(&mut store, ())?;
    assert_eq!(store.data().budget, 40);

    let error = run.call(&mut store, ()).expect_err("30 and 30 are more than 40");
    println!("{error:?}");
    assert!(format!("{error:?}").contains("cannot spend 30 of 10"));

    // The store goes on working after an error, and the log tells how far the guest came.
    assert_eq!(store.data().log, ["spending"; 4]);
    Ok(())
}
