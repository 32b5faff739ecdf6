//! The error that ends a guest which called `proc_exit`.

use std::fmt;

/// The guest called `proc_exit` with this status.
///
/// It comes out of the call into the guest as an error, because that call does not return;
/// an embedder finds it with `error.downcast_ref::<I32Exit>()`. Status 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct I32Exit(pub i32);

impl fmt::Display for I32Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exited with status {}", self.0)
    }
}

impl std::error::Error for I32Exit {}
