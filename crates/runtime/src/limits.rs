//! Limits: what a store may hold at most, and who else is asked before it holds more.
//!
//! ```text
//! growth ──▶ Limiter, the host's ──▶ Limits, numbers ──▶ the type's maximum ──▶ the system
//! ```
//! All count what lives: what was reclaimed has given its place back. A refusal is the guest's failure value
//! (-1) or an error that names the limit; only an error of the limiter's own ends the guest.

use std::any::Any;
use std::fmt;
use std::io;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {
        /// What a store may hold at most. Counts are of what lives, not of what was ever made.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[non_exhaustive]
        pub struct Limits { $($(#[$doc])* pub $name: u64,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The names of all limits.
            pub const NAMES: &[&str] = &[$(stringify!($name),)*];

            /// No limits: types and the system still bound everything.
            pub fn none() -> Self {
                Self { $($name: u64::MAX,)* }
            }

            /// Sets the limit `name`; false when there is none of this name.
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

// name = default
limits! {
    /// Bytes of one memory. The default is 16 GiB.
    memory_bytes = 16 << 30;
    /// Bytes of all memories of a store together. The default is 256 GiB.
    total_memory_bytes = 256 << 30;
    /// Elements of one table. The default is 10,000,000, as in browsers.
    table_elements = 10_000_000;
    /// Elements of all tables of a store together. The default is 100,000,000.
    total_table_elements = 100_000_000;
    /// Instances. The default is 1,000,000.
    instances = 1_000_000;
    /// Memories. The default is 1,000,000.
    memories = 1_000_000;
    /// Tables. The default is 1,000,000.
    tables = 1_000_000;
    /// Values of the host's that guests hold references to. The default is 2^26.
    host_references = 1 << 26;
    /// Bytes of stack that guests may use in one call from the host. The less of this and of what the engine's
    /// configuration says counts; the default, 1 GiB, leaves it to that.
    stack_bytes = 1 << 30;
    /// Bytes of machine code of one module. Code is an engine's, so that a store cannot set this: only what the
    /// engine's configuration says counts. The default is 1 GiB.
    code_bytes = 1 << 30;
    /// Fuel that a store can be given at once. There is no such limit by default.
    fuel = u64::MAX;
}

impl Limits {
    /// Bytes of stack that guests may use where `most` are there for them.
    pub(crate) fn stack_within(&self, most: usize) -> usize {
        usize::try_from(self.stack_bytes).unwrap_or(usize::MAX).min(most)
    }
}

/// A store would hold more than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitError {
    limit: &'static str,
    bound: u64,
    wanted: u64,
    of: LimitOf,
}

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LimitOf {
    /// [`Limits`].
    Store,
    /// The host's limiter.
    Limiter,
    /// The engine's pool.
    Pool,
}

impl LimitError {
    /// The name of the limit: a field of [`Limits`], a method of the limiter, or a setting of the pool.
    pub fn limit(&self) -> &'static str {
        self.limit
    }

    /// Whether it is one of the engine's pool, for all its stores.
    pub fn is_pools(&self) -> bool {
        self.of == LimitOf::Pool
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, bound, wanted, of } = self;
        match of {
            LimitOf::Store => write!(
                f,
                "{wanted} would be above the limit `{limit}` of {bound}; raise it for an engine with \
                 `Config::limits`, for a store with `Store::set_limits`"
            ),
            LimitOf::Limiter => {
                write!(f, "{wanted} would be above the {bound} that `{limit}` of the store's limiter allows")
            }
            LimitOf::Pool => write!(
                f,
                "{wanted} would be above the limit `{limit}` of {bound} of the engine's pool; raise it with \
                 `PoolingAllocationConfig::{limit}`"
            ),
        }
    }
}

impl std::error::Error for LimitError {}

/// `wanted` against a limit of [`Limits`].
pub(crate) fn within(limit: &'static str, bound: u64, wanted: u64) -> Result<(), LimitError> {
    check(limit, bound, wanted, LimitOf::Store)
}

/// `wanted` against a count of the limiter's.
pub(crate) fn within_limiter(limit: &'static str, bound: usize, wanted: u64) -> Result<(), LimitError> {
    check(limit, bound as u64, wanted, LimitOf::Limiter)
}

/// `wanted` against a limit of the engine's pool.
pub(crate) fn within_pool(limit: &'static str, bound: u64, wanted: u64) -> Result<(), LimitError> {
    check(limit, bound, wanted, LimitOf::Pool)
}

fn check(limit: &'static str, bound: u64, wanted: u64, of: LimitOf) -> Result<(), LimitError> {
    if wanted <= bound { Ok(()) } else { Err(LimitError { limit, bound, wanted, of }) }
}

/// An error of a limiter's own, for the embedding API to name.
pub type LimiterError = Box<dyn Any + Send + Sync>;

/// Who is asked before a store holds more: the embedding API, for its user. Nothing it says or does can harm
/// the store: it is asked before anything changes, and numbers are checked after.
pub trait Limiter {
    /// Whether a memory may go from `current` bytes to `desired`; its type allows `maximum`.
    ///
    /// # Errors
    /// The limiter's own, which ends the guest.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError>;

    /// A memory did not grow for another reason.
    ///
    /// # Errors
    /// The limiter's own, which ends the guest.
    fn memory_grow_failed(&mut self, why: &GrowError) -> Result<(), LimiterError>;

    /// Whether a table may go from `current` elements to `desired`; its type allows `maximum`.
    ///
    /// # Errors
    /// The limiter's own, which ends the guest.
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError>;

    /// A table did not grow for another reason.
    ///
    /// # Errors
    /// The limiter's own, which ends the guest.
    fn table_grow_failed(&mut self, why: &GrowError) -> Result<(), LimiterError>;

    /// How many instances may live.
    fn instances(&self) -> usize;

    /// How many memories may live.
    fn memories(&self) -> usize;

    /// How many tables may live.
    fn tables(&self) -> usize;
}

/// A limiter that allows everything.
#[derive(Clone, Copy, Debug)]
pub struct NoLimiter;

impl Limiter for NoLimiter {
    fn memory_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: &GrowError) -> Result<(), LimiterError> {
        Ok(())
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool, LimiterError> {
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: &GrowError) -> Result<(), LimiterError> {
        Ok(())
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }
}

/// Why a memory or table did not grow, or was not made.
#[derive(Debug)]
pub enum GrowError {
    /// Its type's maximum, or the width of its addresses.
    Limit,
    /// The system has no more.
    Os(io::Error),
    /// The store may not hold so much.
    Store(LimitError),
    /// The limiter said no.
    Refused,
    /// The limiter failed: its error, which ends the guest.
    Limiter(LimiterError),
}

impl fmt::Display for GrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => f.write_str("the maximum size of the type is exceeded"),
            Self::Os(error) => write!(f, "the system has no more memory: {error}"),
            Self::Store(error) => error.fmt(f),
            Self::Refused => f.write_str("the store's limiter refuses it"),
            Self::Limiter(_) => f.write_str("the store's limiter failed"),
        }
    }
}

impl std::error::Error for GrowError {}

impl From<LimitError> for GrowError {
    fn from(error: LimitError) -> Self {
        Self::Store(error)
    }
}

/// What a limiter's answer means.
pub(crate) fn permitted(answer: Result<bool, LimiterError>) -> Result<(), GrowError> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(GrowError::Refused),
        Err(error) => Err(GrowError::Limiter(error)),
    }
}
