//! Types of memories, tables and globals.

use crate::{RefType, ValType};

/// The type of a linear memory. Sizes are in pages of `1 << page_size_log2` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemType {
    /// Pages at the start.
    pub min: u64,
    /// Most pages it may grow to.
    pub max: Option<u64>,
    /// Whether addresses are 64 bits wide.
    pub is_64: bool,
    /// Whether threads may share it.
    pub shared: bool,
    /// Base-2 logarithm of the page size in bytes: 16, or 0 with custom page sizes.
    pub page_size_log2: u8,
}

impl MemType {
    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// Most bytes the type and the width of addresses allow; saturates at `u64::MAX`.
    pub fn max_bytes(&self) -> u64 {
        let by_width = if self.is_64 { u64::MAX } else { 1 << 32 };
        let by_type = self.max.map_or(u64::MAX, |pages| pages.saturating_mul(self.page_size()));
        by_width.min(by_type)
    }
}

/// The type of a table. Sizes are in elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableType {
    /// What an element is.
    pub element: RefType,
    /// Elements at the start.
    pub min: u64,
    /// Most elements it may grow to.
    pub max: Option<u64>,
    /// Whether indices are 64 bits wide.
    pub is_64: bool,
}

/// The type of a global.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GlobalType {
    /// What it holds.
    pub content: ValType,
    /// Whether `global.set` may write it.
    pub mutable: bool,
}
