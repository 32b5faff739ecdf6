//! Functions with several results, in both directions, typed and untyped.
//!
//! `cargo run -p tenure --example multi_value`

use tenure::*;

const GUEST: &str = r#"(module
    (import "host" "divide" (func $divide (param i64 i64) (result i64 i64)))
    ;; Quotient and remainder in the other order.
    (func (export "remainder_first") (param i64 i64) (result i64 i64)
        (local $quotient i64)
        (call $divide (local.get 0) (local.get 1))
        (local.set 0)
        (local.set $quotient)
        (local.get 0) (local.get $quotient))
    (func (export "spread") (param f64) (result i32 i64 f32 f64)
        (i32.trunc_f64_s (local.get 0))
        (i64.trunc_f64_s (local.get 0))
        (f32.demote_f64 (local.get 0))
        (local.get 0)))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut store = Store::new(&engine, ());

    // Several results are a tuple.
    let divide = Func::wrap(&mut store, |dividend: i64, divisor: i64| -> Result<(i64, i64)> {
        ensure!(divisor != 0, "division by zero");
        Ok((dividend / divisor, dividend % divisor))
    });
    let instance = Instance::new(&mut store, &module, &[divide.into()])?;

    let remainder_first = instance.get_typed_func::<(i64, i64), (i64, i64)>(&mut store, "remainder_first")?;
    assert_eq!(remainder_first.call(&mut store, (47, 10))?, (7, 4));
    assert!(remainder_first.call(&mut store, (47, 0)).is_err());

    // When the type is known only at run time: values in, values out, checked at the call.
    let spread = instance.get_func(&mut store, "spread").expect("the guest exports spread");
    let ty = spread.ty(&store);
    println!("spread has {} parameter and {} results", ty.params().len(), ty.results().len());
    let mut results = vec![Val::I32(0); ty.results().len()];
    spread.call(&mut store, &[Val::from(2.75f64)], &mut results)?;
    println!("{results:?}");
    assert_eq!(results[0].unwrap_i32(), 2);
    assert_eq!(results[1].unwrap_i64(), 2);
    assert_eq!(results[2].unwrap_f32(), 2.75);
    assert_eq!(results[3].unwrap_f64(), 2.75);

    let error = spread.call(&mut store, &[Val::I32(1)], &mut results).expect_err("it takes an f64");
    println!("{error:#}");
    Ok(())
}
