//! Linear memories.

use crate::error::Context;
use crate::limits::grow_error;
use crate::{AsContext, AsContextMut, MemoryType, Result, StoreContext, StoreContextMut, ensure, handle};
use std::fmt;
use tenure_runtime::{Handle, HandleError, MemInst};

/// A linear memory of a store. A handle: cheap to copy, checked at each use.
///
/// Bytes can be copied out and in ([`Memory::read`], [`Memory::write`]), or borrowed with the store
/// ([`Memory::data`], [`Memory::data_mut`]).
///
/// ```
/// use tenure::{Memory, MemoryType, Store};
///
/// let mut store = Store::<()>::default();
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(2)))?;
/// memory.write(&mut store, 10, b"tenure")?;
/// assert_eq!(&memory.data(&store)[10..16], b"tenure");
/// assert!(memory.write(&mut store, 65535, b"ab").is_err());
///
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// assert_eq!(memory.size(&store), 2);
/// assert!(memory.grow(&mut store, 1).is_err());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Memory(pub(crate) Handle<MemInst>);

impl Memory {
    /// A memory of zeros.
    ///
    /// # Errors
    /// When a limit of the store or its limiter refuses, the system has no room for it, or `ty` is shared: that needs the threads proposal, which is not
    /// supported yet.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self> {
        ensure!(!ty.is_shared(), "shared memories need the threads proposal, which is not supported yet");
        let store = store.as_context_mut().0;
        let memory = store.limited(|store, limiter| store.new_memory_under(*ty.as_core(), limiter));
        let memory = memory.map_err(grow_error);
        Ok(Self(memory.with_context(|| format!("a memory of {} pages could not be made", ty.minimum()))?))
    }

    /// Its type, with the size that it was made with.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        MemoryType::from_core(*handle::expect(store.as_context().0.runtime.memory(self.0)).ty())
    }

    /// Copies bytes from `offset` on into all of `buffer`.
    ///
    /// # Errors
    /// When they are not all inside, or the memory is of another store; `buffer` is as before.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let data = store.as_context().0.runtime.memory(self.0)?.data();
        let range = inside(offset, buffer.len(), data.len())?;
        buffer.copy_from_slice(&data[range]);
        Ok(())
    }

    /// Copies all of `buffer` to the bytes from `offset` on.
    ///
    /// # Errors
    /// When they are not all inside, or the memory is of another store; the memory is as before.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        let data = store.as_context_mut().0.runtime.memory_mut(self.0)?.data_mut();
        let range = inside(offset, buffer.len(), data.len())?;
        data[range].copy_from_slice(buffer);
        Ok(())
    }

    /// The bytes, borrowed with the store.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        handle::expect(store.into().0.runtime.memory(self.0)).data()
    }

    /// The bytes, to change, borrowed with the store.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn data_mut<'a, T: 'static>(&self, store: impl Into<StoreContextMut<'a, T>>) -> &'a mut [u8] {
        handle::expect(store.into().0.runtime.memory_mut(self.0)).data_mut()
    }

    /// The bytes and the host's value, both to change.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let store = store.into().0;
        (handle::expect(store.runtime.memory_mut(self.0)).data_mut(), &mut store.data)
    }

    /// The address of the first byte. It changes when the memory grows, by guests too.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn data_ptr(&self, store: impl AsContext) -> *mut u8 {
        handle::expect(store.as_context().0.runtime.memory(self.0)).lend()
    }

    /// The size in bytes.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        handle::expect(store.as_context().0.runtime.memory(self.0)).bytes()
    }

    /// The size in pages.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        handle::expect(store.as_context().0.runtime.memory(self.0)).size()
    }

    /// Bytes of a page.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        handle::expect(store.as_context().0.runtime.memory(self.0)).ty().page_size()
    }

    /// Base-2 logarithm of the bytes of a page.
    ///
    /// # Panics
    /// When the memory is of another store.
    pub fn page_size_log2(&self, store: impl AsContext) -> u8 {
        handle::expect(store.as_context().0.runtime.memory(self.0)).ty().page_size_log2
    }

    /// Adds `delta` pages of zeros; the size before, in pages.
    ///
    /// # Errors
    /// When the type's maximum, a limit of the store or its limiter refuses, the system has no more, or the memory
    /// is of another store. The memory is as before.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let store = store.as_context_mut().0;
        let size = store.runtime.memory(self.0)?.size();
        let grown = store.limited(|store, limiter| store.grow_memory(self.0.addr, delta, limiter));
        grown
            .map_err(grow_error)
            .with_context(|| format!("a memory of {size} pages could not grow by {delta}"))
    }
}

/// The bytes of an access.
fn inside(offset: usize, len: usize, size: usize) -> Result<std::ops::Range<usize>, MemoryAccessError> {
    match offset.checked_add(len).filter(|&end| end <= size) {
        Some(end) => Ok(offset..end),
        None => Err(MemoryAccessError { why: Why::Outside { offset, len, size } }),
    }
}

/// Bytes of a memory could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemoryAccessError {
    why: Why,
}

#[derive(Debug)]
enum Why {
    Outside { offset: usize, len: usize, size: usize },
    Handle(HandleError),
}

impl From<HandleError> for MemoryAccessError {
    fn from(error: HandleError) -> Self {
        Self { why: Why::Handle(error) }
    }
}

impl fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Outside { offset, len, size } => {
                write!(f, "out of bounds memory access: {len} bytes at {offset} of {size}")
            }
            Why::Handle(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MemoryAccessError {}
