//! Guests that pay for what they execute, and a host that sells them more.
//!
//! `cargo run -p tenure --example fuel`

use tenure::*;

/// Counts primes, and asks the host for fuel now and then.
const GUEST: &str = r#"(module
    (import "host" "more" (func $more))
    (func $is_prime (param $n i32) (result i32) (local $by i32)
        (local.set $by (i32.const 2))
        (loop $next
            (if (i32.gt_u (i32.mul (local.get $by) (local.get $by)) (local.get $n)) (then (return (i32.const 1))))
            (if (i32.eqz (i32.rem_u (local.get $n) (local.get $by))) (then (return (i32.const 0))))
            (local.set $by (i32.add (local.get $by) (i32.const 1)))
            (br $next))
        unreachable)
    (func (export "primes") (param $below i32) (result i32) (local $n i32) (local $count i32)
        (local.set $n (i32.const 2))
        (loop $next
            (call $more)
            (local.set $count (i32.add (local.get $count) (call $is_prime (local.get $n))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $n) (local.get $below))))
        (local.get $count)))"#;

/// What the guest may still buy, and what it bought.
struct Account {
    money: u64,
    bought: u64,
}

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(&engine, GUEST)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "more", |mut caller: Caller<'_, Account>| -> Result<()> {
        let left = caller.get_fuel()?;
        let account = caller.data_mut();
        if left < 1_000 && account.money > 0 {
            account.money -= 1;
            account.bought += 1;
            caller.set_fuel(left + 10_000)?;
        }
        Ok(())
    })?;

    let mut store = Store::new(&engine, Account { money: 5, bought: 0 });
    let instance = linker.instantiate(&mut store, &module)?;
    let primes = instance.get_typed_func::<i32, i32>(&mut store, "primes")?;

    store.set_fuel(10_000)?;
    let count = primes.call(&mut store, 100)?;
    println!("{count} primes below 100, for {} units of fuel", 10_000 - store.get_fuel()?);
    assert_eq!(count, 25);

    let count = primes.call(&mut store, 500)?;
    println!("{count} primes below 500, with {} purchases", store.data().bought);
    assert_eq!(count, 95);
    assert!(store.data().bought > 0);

    // At some point the money is spent.
    let error = primes.call(&mut store, 1_000_000).expect_err("that takes more than there is");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::OutOfFuel));
    assert_eq!((store.data().money, store.get_fuel()?), (0, 0));

    // The same work, the same fuel: whoever compiled it.
    let mut uses = Vec::new();
    for strategy in [Strategy::Baseline, Strategy::Optimizing] {
        let engine = Engine::new(Config::new().consume_fuel(true).strategy(strategy))?;
        let module = Module::new(&engine, GUEST)?;
        let mut store = Store::new(&engine, ());
        let more = Func::wrap(&mut store, || {});
        let instance = Instance::new(&mut store, &module, &[more.into()])?;
        store.set_fuel(u64::MAX)?;
        instance.get_typed_func::<i32, i32>(&mut store, "primes")?.call(&mut store, 200)?;
        uses.push(u64::MAX - store.get_fuel()?);
    }
    assert_eq!(uses[0], uses[1]);
    Ok(())
}
