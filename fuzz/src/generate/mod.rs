//! Where modules come from.

pub mod control;
pub mod hostile;
pub mod invalid;
mod operators;
pub mod linked;
pub mod references;
pub mod signatures;
pub mod single;
pub mod smith;

/// Modules, and what may be done with them.
pub struct Generated {
    /// The modules. What the last one imports from [`FIRST`] is exported by the first; everything else comes from the
    /// host. Mostly there is one.
    pub modules: Vec<Vec<u8>>,
    /// Whether the bits of its NaNs are seen.
    pub nans: Nans,
    /// How much of it is run.
    pub effort: Effort,
}

/// The name under which the first module's exports are imported.
pub const FIRST: &str = "first";

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
