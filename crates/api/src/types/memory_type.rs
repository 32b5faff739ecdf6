//! The type of a linear memory.

use crate::{Result, ensure};
use tenure_types::MemType;

/// The type of a linear memory: how large it is at the start and can become, in pages, and how wide addresses
/// are.
///
/// ```
/// use tenure::MemoryType;
///
/// let ty = MemoryType::new(1, Some(16));
/// assert_eq!((ty.minimum(), ty.maximum(), ty.page_size()), (1, Some(16), 65536));
///
/// let error = MemoryType::builder().min(2).max(Some(1)).build().unwrap_err();
/// assert_eq!(error.to_string(), "the minimum of 2 pages is above the maximum of 1");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MemoryType(MemType);

impl MemoryType {
    /// A memory with 32-bit addresses, of `minimum` and at most `maximum` pages of 64 KiB.
    ///
    /// # Panics
    /// When [`MemoryTypeBuilder::build`] gives an error.
    pub fn new(minimum: u32, maximum: Option<u32>) -> Self {
        Self::expect(Self::builder().min(minimum.into()).max(maximum.map(Into::into)))
    }

    /// A memory with 64-bit addresses, of `minimum` and at most `maximum` pages of 64 KiB.
    ///
    /// # Panics
    /// When [`MemoryTypeBuilder::build`] gives an error.
    pub fn new64(minimum: u64, maximum: Option<u64>) -> Self {
        Self::expect(Self::builder().memory64(true).min(minimum).max(maximum))
    }

    /// A memory that threads share, with 32-bit addresses, of `minimum` and at most `maximum` pages of 64
    /// KiB.
    ///
    /// # Panics
    /// When [`MemoryTypeBuilder::build`] gives an error.
    pub fn shared(minimum: u32, maximum: u32) -> Self {
        Self::expect(Self::builder().shared(true).min(minimum.into()).max(Some(maximum.into())))
    }

    fn expect(builder: &MemoryTypeBuilder) -> Self {
        builder.build().unwrap_or_else(|error| panic!("no such memory type: {error}"))
    }

    /// Starts the type of a memory of any kind.
    pub fn builder() -> MemoryTypeBuilder {
        MemoryTypeBuilder::default()
    }

    /// Whether addresses are 64 bits wide.
    pub fn is_64(&self) -> bool {
        self.0.is_64
    }

    /// Whether threads may share it.
    pub fn is_shared(&self) -> bool {
        self.0.shared
    }

    /// Pages at the start.
    pub fn minimum(&self) -> u64 {
        self.0.min
    }

    /// Most pages that it may grow to.
    pub fn maximum(&self) -> Option<u64> {
        self.0.max
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        self.0.page_size()
    }

    /// Base-2 logarithm of the bytes of a page.
    pub fn page_size_log2(&self) -> u8 {
        self.0.page_size_log2
    }

    /// The core form.
    pub(crate) fn as_core(&self) -> &MemType {
        &self.0
    }

    /// The type of the core form `ty`.
    pub(crate) fn from_core(ty: MemType) -> Self {
        Self(ty)
    }
}

/// Makes a [`MemoryType`].
///
/// Without further ado: no pages, no maximum, pages of 64 KiB, 32-bit addresses, not shared.
#[derive(Clone, Debug)]
pub struct MemoryTypeBuilder(MemType);

impl Default for MemoryTypeBuilder {
    fn default() -> Self {
        Self(MemType { min: 0, max: None, is_64: false, shared: false, page_size_log2: 16 })
    }
}

impl MemoryTypeBuilder {
    /// Starts a type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pages at the start.
    pub fn min(&mut self, minimum: u64) -> &mut Self {
        self.0.min = minimum;
        self
    }

    /// Most pages that it may grow to.
    pub fn max(&mut self, maximum: Option<u64>) -> &mut Self {
        self.0.max = maximum;
        self
    }

    /// Whether addresses are 64 bits wide.
    pub fn memory64(&mut self, memory64: bool) -> &mut Self {
        self.0.is_64 = memory64;
        self
    }

    /// Whether threads may share it. Such a memory must have a maximum.
    pub fn shared(&mut self, shared: bool) -> &mut Self {
        self.0.shared = shared;
        self
    }

    /// Base-2 logarithm of the bytes of a page: 16, or 0 with the custom-page-sizes proposal.
    pub fn page_size_log2(&mut self, page_size_log2: u8) -> &mut Self {
        self.0.page_size_log2 = page_size_log2;
        self
    }

    /// The finished type.
    ///
    /// # Errors
    /// When the minimum is above the maximum, addresses of this width do not reach all pages, the page size
    /// is neither 1 nor 64 KiB, or a shared memory has no maximum.
    pub fn build(&self) -> Result<MemoryType> {
        let ty = self.0;
        let log2 = ty.page_size_log2;
        ensure!(log2 == 0 || log2 == 16, "a page of 2^{log2} bytes is not possible, only of 1 or 65536");
        ensure!(!ty.shared || ty.max.is_some(), "a shared memory must have a maximum");
        // 2^64 pages of a byte do not fit the type of `max` and are no limit.
        let width = if ty.is_64 { 64 } else { 32 };
        let most = 1_u64.checked_shl(width - u32::from(log2)).unwrap_or(u64::MAX);
        for (what, pages) in [("minimum", Some(ty.min)), ("maximum", ty.max)] {
            if let Some(pages) = pages {
                ensure!(pages <= most, "a {what} of {pages} pages is more than {width}-bit addresses reach");
            }
        }
        if let Some(max) = ty.max {
            ensure!(ty.min <= max, "the minimum of {} pages is above the maximum of {max}", ty.min);
        }
        Ok(MemoryType(ty))
    }
}
