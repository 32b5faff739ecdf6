//! Where modules come from.

pub mod control;
pub mod hostile;
pub mod invalid;
mod operators;
pub mod references;
pub mod signatures;
pub mod single;
pub mod smith;

/// A module, and what may be done with it.
pub struct Generated {
    /// The module.
    pub wasm: Vec<u8>,
    /// Whether the bits of its NaNs are seen.
    pub nans: Nans,
    /// How much of it is run.
    pub effort: Effort,
}

/// What a module lets be seen of the bits of NaNs, which the specification leaves open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nans {
    /// Nothing: it makes them canonical itself, or has none.
    Hidden,
    /// Everything: only engines that make them canonical agree.
    Seen,
}

/// How much of a module is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// Nothing: whether it is a module is all that is compared.
    Verdict,
    /// As for a verdict, and ours also make an instance, whatever comes of it.
    Instance,
    /// At most `calls` calls, the same number for each of at most `exports` exported functions.
    Calls {
        /// Functions.
        exports: usize,
        /// Calls.
        calls: usize,
    },
}
