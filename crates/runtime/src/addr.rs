//! Names of what a store owns.
//!
//! An *address* (the specification's word) is a place in one of the store's lists and a generation; a
//! *handle* adds the store's id, so that it can be given to anyone and checked at each use.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which store: never given out twice in a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StoreId(NonZeroU64);

impl StoreId {
    /// An id that no other store has.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        Self(NonZeroU64::new(id).expect("2^64 stores take longer than any process lives"))
    }
}

/// A place in one of a store's lists, and which of its successive tenants is meant.
pub struct Addr<T> {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) of: PhantomData<fn() -> T>,
}

/// Address of an instance.
pub type InstAddr = Addr<crate::ModuleInst>;
/// Address of a function.
pub type FuncAddr = Addr<crate::FuncInst>;
/// Address of a memory.
pub type MemAddr = Addr<crate::MemInst>;
/// Address of a table.
pub type TableAddr = Addr<crate::TableInst>;
/// Address of a global.
pub type GlobalAddr = Addr<crate::GlobalInst>;

impl<T> Addr<T> {
    pub(crate) fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation, of: PhantomData }
    }

    /// The address as one number, for records that compiled code carries around.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self::new(bits as u32, (bits >> 32) as u32)
    }

    /// The address that a context carries ([`VmCtxHeader::instance`](tenure_abi::vm::VmCtxHeader::instance)).
    pub fn of_context(bits: u64) -> Self {
        Self::from_bits(bits)
    }

    /// The slot in the store's list, for display only.
    pub fn slot(self) -> u32 {
        self.slot
    }
}

impl<T> Clone for Addr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Addr<T> {}

impl<T> PartialEq for Addr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.generation == other.generation
    }
}

impl<T> Eq for Addr<T> {}

impl<T> std::hash::Hash for Addr<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_bits().hash(state);
    }
}

impl<T> fmt::Debug for Addr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// An address and whose it is: what an embedder holds.
pub struct Handle<T> {
    /// The store.
    pub store: StoreId,
    /// The place in it.
    pub addr: Addr<T>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.store == other.store && self.addr == other.addr
    }
}

impl<T> Eq for Handle<T> {}

impl<T> std::hash::Hash for Handle<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.store.hash(state);
        self.addr.hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.store.0, self.addr)
    }
}

/// A handle cannot be used with this store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandleError {
    /// It is of another store.
    WrongStore {
        /// What it names.
        what: &'static str,
    },
    /// What it named was released and reclaimed.
    Reclaimed {
        /// What it named.
        what: &'static str,
    },
    /// The scope that it was made in has ended.
    Unrooted {
        /// What it names.
        what: &'static str,
    },
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, problem) = match self {
            Self::WrongStore { what } => (what, "of another store"),
            Self::Reclaimed { what } => (what, "that was released and reclaimed"),
            Self::Unrooted { what } => return write!(f, "{what} whose scope has ended"),
        };
        let article = if what.starts_with('i') { "an" } else { "a" };
        write!(f, "handle to {article} {what} {problem}")
    }
}

impl std::error::Error for HandleError {}
