//! Where the process begins, instead of the standard library's own start.
//!
//! That reads the list of all mappings, to name an overflow of the main thread's stack: it takes a twentieth of the time of a
//! process that runs a small guest. What else it does is done here.

use std::ffi::{c_char, c_int};
use std::panic::catch_unwind;

/// What the standard library has a process exit with whose main thread panicked.
const PANICKED: u8 = 101;

/// Called by the C library, which has told the standard library of the arguments before.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    let code = catch_unwind(|| match tenure_sys::process::begin() {
        Ok(()) => crate::run(),
        Err(error) => {
            crate::report::note(&format!("error: the process cannot begin: {error}"));
            crate::report::FAILURE
        }
    });
    // Flushes what waits to be written, which a return to the C library would not.
    std::process::exit(code.unwrap_or(PANICKED).into())
}
