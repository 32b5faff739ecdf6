//! Errors: `anyhow`'s, under the names embedders use.
//!
//! What Tenure puts into an [`Error`] can be asked for again with `downcast_ref`: a [`Trap`](crate::Trap), a
//! [`WasmBacktrace`](crate::WasmBacktrace), an [`UnknownImportError`](crate::UnknownImportError), whatever
//! error a host function returned.

use std::fmt;

pub use anyhow::{Chain, Context, Error, Ok, anyhow as format_err, bail, ensure};

/// What may fail, with [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns results of other libraries into ours.
///
/// ```
/// use tenure::{Result, ToWasmtimeResult};
///
/// fn port() -> Result<u16> {
///     "8080".parse::<u16>().to_wasmtime_result()
/// }
/// assert_eq!(port().unwrap(), 8080);
/// ```
pub trait ToWasmtimeResult<T> {
    /// The same result, with [`Error`] as its error.
    ///
    /// # Errors
    /// When this is one.
    fn to_wasmtime_result(self) -> Result<T>;
}

impl<T, E: Into<Error>> ToWasmtimeResult<T> for std::result::Result<T, E> {
    fn to_wasmtime_result(self) -> Result<T> {
        self.map_err(Into::into)
    }
}

/// Memory that the host could not give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory {
    bytes: usize,
}

impl OutOfMemory {
    /// A request of `requested_allocation_size` bytes was refused.
    pub const fn new(requested_allocation_size: usize) -> Self {
        Self { bytes: requested_allocation_size }
    }

    /// How many bytes were asked for.
    pub fn requested_allocation_size(&self) -> usize {
        self.bytes
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory: {} bytes could not be allocated", self.bytes)
    }
}

impl std::error::Error for OutOfMemory {}
