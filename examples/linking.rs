//! Two modules, one of which imports what the other exports: functions and a memory that both use.
//!
//! `cargo run -p tenure --example linking`

use tenure::*;

const TEXT: &str = r#"(module
    (memory (export "memory") 1)
    (global $end (mut i32) (i32.const 0))
    ;; Adds a byte to the text and returns its new length.
    (func (export "push") (param i32) (result i32)
        (i32.store8 (global.get $end) (local.get 0))
        (global.set $end (i32.add (global.get $end) (i32.const 1)))
        (global.get $end)))"#;

const WRITER: &str = r#"(module
    (import "text" "push" (func $push (param i32) (result i32)))
    (import "text" "memory" (memory 1))
    ;; Writes the digits of a number, last digit first, then turns them round in place.
    (func (export "write") (param $number i32) (result i32)
        (local $low i32) (local $high i32) (local $byte i32)
        (loop $digit
            (local.set $high
                (call $push (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))
            (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
            (br_if $digit (local.get $number)))
        (local.get $high)
        (loop $turn
            (local.set $high (i32.sub (local.get $high) (i32.const 1)))
            (if (i32.lt_u (local.get $low) (local.get $high))
                (then
                    (local.set $byte (i32.load8_u (local.get $low)))
                    (i32.store8 (local.get $low) (i32.load8_u (local.get $high)))
                    (i32.store8 (local.get $high) (local.get $byte))
                    (local.set $low (i32.add (local.get $low) (i32.const 1)))
                    (br $turn))))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let text_module = Module::new(&engine, TEXT)?;
    let writer_module = Module::new(&engine, WRITER)?;

    // Without the first module the second one cannot be linked, and the error says what is missing.
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let error = linker.instantiate(&mut store, &writer_module).expect_err("nothing is defined yet");
    println!("{error}");
    assert!(error.to_string().contains("text"));

    // All exports of an instance under one name.
    let text = linker.instantiate(&mut store, &text_module)?;
    linker.instance(&mut store, "text", text)?;
    let writer = linker.instantiate(&mut store, &writer_module)?;

    let write = writer.get_typed_func::<u32, u32>(&mut store, "write")?;
    let length = write.call(&mut store, 90210)? as usize;
    let memory = text.get_memory(&mut store, "memory").expect("TEXT exports a memory");
    let written = &memory.data(&store)[..length];
    println!("written: {}", String::from_utf8_lossy(written));
    assert_eq!(written, b"90210");
    Ok(())
}
