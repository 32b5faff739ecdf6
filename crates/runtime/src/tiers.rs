//! Who makes code while guests run: the seam to the compilers, which this crate does not know.

use crate::LoadedModule;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use tenure_types::FuncIdx;

/// Makes the code of one module while guests run, on whichever thread asks.
pub trait Tiers: Send + Sync {
    /// Makes and publishes the code of `func`, which has none, or waits for another thread that does: where
    /// calls of it go from now on.
    ///
    /// # Errors
    /// When code memory is full, or the function is over a limit of every compiler.
    fn first_call(&self, module: &Arc<LoadedModule>, func: FuncIdx) -> Result<usize, NoCode>;

    /// Told that the budget of `func` is used up, at its entry (`place` is
    /// [`ENTRY`](tenure_abi::builtins::ENTRY)) or at the start of the loop of that number; sets a new one.
    /// Never waits. In a loop: code that takes over there, if there is some by now.
    fn budget_spent(&self, module: &Arc<LoadedModule>, func: FuncIdx, place: u32) -> Option<usize>;

    /// How far the module's functions have come. They go on meanwhile.
    fn summary(&self) -> TierSummary;
}

/// How far the functions that a module defines have come: each counts in one of the first five numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct TierSummary {
    /// Not called yet, so that there is no code.
    pub not_called: usize,
    /// In code of the baseline tier.
    pub baseline: usize,
    /// In code of the baseline tier, while better code is on its way.
    pub waiting: usize,
    /// In code of the baseline tier for good: nobody makes better code.
    pub refused: usize,
    /// In code of the optimizing tier.
    pub optimized: usize,
    /// Loops at which running code moves over to the optimizing tier.
    pub loop_entries: usize,
    /// How often code was made, of functions and for loops.
    pub compilations: usize,
    /// Functions that the baseline compiler left to the other, and why, by index.
    pub handed_over: Vec<(FuncIdx, String)>,
}

/// Why a function could not be called: there is no code for it.
#[derive(Debug)]
pub struct NoCode {
    /// The function, as messages name it.
    pub func: String,
    /// Why.
    pub cause: Box<dyn Error + Send + Sync>,
}

impl NoCode {
    /// No code for `func` of `module`, for this reason.
    pub fn new(module: &LoadedModule, func: FuncIdx, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let name = module.module().names.func(func).map_or_else(String::new, |name| format!(" `{name}`"));
        Self { func: format!("function {}{name}", func.0), cause: cause.into() }
    }
}

impl fmt::Display for NoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no code could be made for {}: {}", self.func, self.cause)
    }
}

impl Error for NoCode {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
