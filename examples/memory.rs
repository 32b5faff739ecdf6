//! Linear memory from both sides: reading, writing, growing, and what happens at its end.
//!
//! `cargo run -p tenure --example memory`

use tenure::*;

const GUEST: &str = r#"(module
    (memory (export "memory") 1 3)
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "sum") (param $at i32) (param $bytes i32) (result i64)
        (local $end i32) (local $sum i64)
        (local.set $end (i32.add (local.get $at) (local.get $bytes)))
        (block $done
            (loop $next
                (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
                (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next)))
        (local.get $sum)))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let memory = instance.get_memory(&mut store, "memory").expect("the guest exports a memory");
    let load = instance.get_typed_func::<u32, u32>(&mut store, "load")?;
    let sum = instance.get_typed_func::<(u32, u32), u64>(&mut store, "sum")?;

    // Copies in and out are checked.
    memory.write(&mut store, 100, &[1, 2, 3, 4, 5])?;
    assert_eq!(sum.call(&mut store, (100, 5))?, 15);
    let mut bytes = [0; 2];
    memory.read(&store, 103, &mut bytes)?;
    assert_eq!(bytes, [4, 5]);
    assert!(memory.write(&mut store, 65_535, &[0, 0]).is_err());

    // Or the bytes themselves, for as long as the store is borrowed.
    memory.data_mut(&mut store)[100] = 200;
    assert_eq!(load.call(&mut store, 100)?, 200);

    // Sizes are in pages of 64 KiB. The host grows as the guest could, up to the type's maximum.
    assert_eq!(memory.size(&store), 1);
    assert_eq!(memory.data_size(&store), 65_536);
    let trap: Trap = load.call(&mut store, 65_536).expect_err("one past the end").downcast()?;
    assert_eq!(trap, Trap::MemoryOutOfBounds);

    assert_eq!(memory.grow(&mut store, 2)?, 1);
    assert_eq!(memory.size(&store), 3);
    assert_eq!(load.call(&mut store, 65_536)?, 0);
    let error = memory.grow(&mut store, 1).expect_err("the maximum is 3 pages");
    println!("{error}");
    Ok(())
}
