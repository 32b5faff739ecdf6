//! A WASI program with its output in a buffer, a directory of its own, and an exit status.
//!
//! `cargo run -p tenure-wasi --example wasi`

use tenure::*;
use tenure_wasi::p1::{self, WasiP1Ctx};
use tenure_wasi::pipe::MemoryOutputPipe;
use tenure_wasi::{I32Exit, WasiCtxBuilder};

/// Built from C; its source is beside it.
const ARGUMENTS: &[u8] = include_bytes!("../tests/programs/arguments.wasm");
const EXIT_CODE: &[u8] = include_bytes!("../tests/programs/exit_code.wasm");

/// Runs a WASI command and returns what it printed and its exit status.
fn run(linker: &Linker<WasiP1Ctx>, wasm: &[u8], wasi: &mut WasiCtxBuilder) -> Result<(String, i32)> {
    let output = MemoryOutputPipe::new(64 * 1024);
    wasi.stdout(output.clone());

    let module = Module::new(linker.engine(), wasm)?;
    let mut store = Store::new(linker.engine(), wasi.build_p1());
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;

    // A guest that calls `exit` ends with an error that carries the status.
    let status = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => error.downcast::<I32Exit>()?.0,
    };
    Ok((String::from_utf8(output.contents().to_vec())?, status))
}

fn main() -> Result<()> {
    let engine = Engine::default();
    let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
    p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;

    // A guest has only what it is given: these arguments, this variable, no directory.
    let mut wasi = WasiCtxBuilder::new();
    wasi.args(&["arguments", "--verbose"]).env("USER", "guest");
    let (output, status) = run(&linker, ARGUMENTS, &mut wasi)?;
    print!("{output}");
    assert_eq!(output, "argument 0: [arguments]\nargument 1: [--verbose]\nvariable: [USER=guest]\n");
    assert_eq!(status, 0);

    let (output, status) = run(&linker, EXIT_CODE, &mut WasiCtxBuilder::new())?;
    print!("{output}");
    println!("status {status}");
    assert_eq!(status, 7);
    Ok(())
}
