//! Tables (specification, "Table Instances").

use crate::limits::GrowError;
use crate::pooling::Place;
use crate::reclaim::{Holder, Work};
use crate::record::Record;
use std::alloc::Layout;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use tenure_abi::vm::VmTable;
use tenure_sys::quarantine;
use tenure_types::{FuncType, TableType, TypeRegistry, ValType};

/// A table. Elements are raw references: for functions the address of a
/// [`VmFuncRef`](tenure_abi::vm::VmFuncRef), for host references their number; 0 is null.
pub struct TableInst {
    ty: TableType,
    elements: Elements,
    record: Record<VmTable>,
    /// Its place among those that the engine's pool allows.
    pub(crate) place: Place,
    /// Keeps the type of its elements in use where no instance's module does.
    pub(crate) type_in_use: Option<Arc<FuncType>>,
}

impl TableInst {
    /// A table of `ty.min` elements. Its record goes to the first of `places`; its elements are what is in the second.
    /// Without those they have allocations of their own, and the elements are null.
    ///
    /// # Safety
    /// Both, when given, are aligned and writable, nobody else's, and outlive the result or its
    /// [`TableInst::leave_home`]. The second has a word for each element.
    pub(crate) unsafe fn new(
        ty: TableType,
        places: (Option<NonNull<VmTable>>, Option<NonNull<u64>>),
    ) -> Result<Self, GrowError> {
        let (at, room) = places;
        let len = usize::try_from(ty.min).map_err(|_| GrowError::Limit)?;
        let size = element_size(&ty);
        let elements = match room {
            Some(room) => Elements { base: room.cast(), capacity: len, size, is_lent: true },
            None => Elements::new(len, size).ok_or_else(no_memory)?,
        };
        let vm = VmTable { base: elements.base.as_ptr(), len };
        let record = match at {
            // SAFETY: the caller vouches for `at`.
            Some(at) => unsafe { Record::in_context(at, vm) },
            None => Record::boxed(vm),
        };
        Ok(Self { ty, elements, record, place: Place::default(), type_in_use: None })
    }

    /// Writes elements from the first on; the table has room for all.
    pub(crate) fn init(&mut self, elements: impl ExactSizeIterator<Item = u64>) {
        assert!(elements.len() <= self.len());
        if self.elements.size == 8 {
            let words = self.elements.base.cast::<u64>();
            // SAFETY: inside the room, since there are no more than the table has.
            elements.enumerate().for_each(|(at, raw)| unsafe { words.add(at).write(raw) });
        } else {
            elements.enumerate().for_each(|(at, raw)| self.elements.set(at, raw));
        }
    }

    /// Becomes `fresh`, with its record where it was.
    pub(crate) fn start_anew(&mut self, mut fresh: Self) {
        let vm = fresh.record.get();
        std::mem::swap(&mut self.record, &mut fresh.record);
        std::mem::swap(&mut self.place, &mut fresh.place);
        std::mem::swap(&mut self.type_in_use, &mut fresh.type_in_use);
        std::mem::swap(self, &mut fresh);
        self.record.set(vm);
    }

    /// Its type, with the size it was made with.
    pub fn ty(&self) -> &TableType {
        &self.ty
    }

    /// Elements now.
    pub fn size(&self) -> u64 {
        self.len() as u64
    }

    fn len(&self) -> usize {
        self.record.get().len
    }

    /// Moves record and elements out of its instance's context, which is about to go; its type stays in use.
    pub(crate) fn leave_home(&mut self, types: &TypeRegistry) {
        if self.elements.is_lent {
            self.elements = self.elements.moved_out();
            self.record.set(VmTable { base: self.elements.base.as_ptr(), len: self.len() });
        }
        self.type_in_use = types.named_by(ValType::Ref(self.ty.element));
        self.record.move_out();
    }

    pub(crate) fn record(&self) -> *mut VmTable {
        self.record.as_ptr()
    }

    /// Element `at`, raw; `None` outside the table.
    pub(crate) fn get(&self, at: u64) -> Option<u64> {
        let at = usize::try_from(at).ok().filter(|&at| at < self.len())?;
        Some(self.elements.get(at))
    }

    /// Writes element `at`; false outside the table.
    pub(crate) fn set(&mut self, at: u64, raw: u64) -> bool {
        match usize::try_from(at).ok().filter(|&at| at < self.len()) {
            Some(at) => {
                self.elements.set(at, raw);
                true
            }
            None => false,
        }
    }

    /// Writes `len` elements from `at` on; false, and nothing written, when they are not all there.
    pub(crate) fn fill(&mut self, at: u64, raw: u64, len: u64) -> bool {
        if at.checked_add(len).is_none_or(|end| end > self.size()) {
            return false;
        }
        for at in at..at + len {
            self.elements.set(at as usize, raw);
        }
        true
    }

    /// Moves `len` elements within the table; false, and nothing moved, when they are not all there.
    pub(crate) fn copy_within(&mut self, dst: u64, src: u64, len: u64) -> bool {
        let inside = |at: u64| at.checked_add(len).is_some_and(|end| end <= self.size());
        if !inside(dst) || !inside(src) {
            return false;
        }
        self.elements.copy_within(dst as usize, src as usize, len as usize);
        true
    }

    /// Grows by `delta` elements that start as `init`, and returns the old size. Limits of the store were asked
    /// before.
    ///
    /// # Errors
    /// [`GrowError::Limit`] when the type's maximum refuses, [`GrowError::Os`] when there is no memory. Nothing has
    /// changed then.
    pub(crate) fn grow(&mut self, delta: u64, init: u64) -> Result<u64, GrowError> {
        let old = self.size();
        let limit = self.ty.max.unwrap_or(u64::MAX).min(usize::MAX as u64);
        let len = old.checked_add(delta).filter(|&len| len <= limit).ok_or(GrowError::Limit)?;
        if delta == 0 {
            return Ok(old);
        }
        if len as usize > self.elements.capacity {
            let capacity = (len as usize).max(self.elements.capacity * 2).min(limit as usize);
            let size = self.elements.size;
            let grown = Elements::new(capacity, size).or_else(|| Elements::new(len as usize, size));
            let grown = grown.ok_or_else(no_memory)?;
            // SAFETY: both hold at least `old` elements of the same size and are apart from each other.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    self.elements.base.as_ptr(),
                    grown.base.as_ptr(),
                    old as usize * self.elements.size,
                );
            }
            self.elements = grown;
        }
        for at in old..len {
            self.elements.set(at as usize, init);
        }
        self.record.set(VmTable { base: self.elements.base.as_ptr(), len: len as usize });
        Ok(old)
    }

    /// Bytes of its elements and of the room to grow that it keeps, outside of its instance's context.
    pub fn footprint(&self) -> usize {
        if self.elements.is_lent { 0 } else { (self.elements.capacity + 1) * self.elements.size }
    }
}

impl Holder for TableInst {
    fn trace(&self, work: &mut Work) {
        let Self { ty, elements, record, place: _, type_in_use: _ } = self;
        work.homeless += usize::from(record.is_boxed());
        for at in 0..self.len() {
            work.reference(ty.element.heap, elements.get(at));
        }
    }
}

/// The allocator refuses.
fn no_memory() -> GrowError {
    GrowError::Os(io::ErrorKind::OutOfMemory.into())
}

fn element_size(ty: &TableType) -> usize {
    if ty.element.heap.is_func() { 8 } else { 4 }
}

impl fmt::Debug for TableInst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableInst").field("ty", &self.ty).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Zeroed room for `capacity` elements of `size` bytes (4 or 8), read and written through raw pointers,
/// because compiled code does so too.
struct Elements {
    base: NonNull<u8>,
    capacity: usize,
    size: usize,
    /// Whether the room is in the context of the table's instance.
    is_lent: bool,
}

impl Elements {
    fn new(capacity: usize, size: usize) -> Option<Self> {
        // One element more than asked for, so that the room is never empty.
        let layout = Self::layout(capacity.checked_add(1)?, size)?;
        // SAFETY: the layout is not empty.
        let base = unsafe { quarantine::alloc_zeroed(layout)? };
        Some(Self { base, capacity, size, is_lent: false })
    }

    /// The same elements in an allocation of their own.
    fn moved_out(&self) -> Self {
        let Some(own) = Self::new(self.capacity, self.size) else {
            std::alloc::handle_alloc_error(Layout::new::<u64>())
        };
        // SAFETY: both hold so many elements of this size and are apart from each other.
        unsafe { own.base.copy_from_nonoverlapping(self.base, self.capacity * self.size) };
        own
    }

    fn layout(count: usize, size: usize) -> Option<Layout> {
        Layout::from_size_align(count.checked_mul(size)?, 8).ok()
    }

    fn get(&self, at: usize) -> u64 {
        assert!(at < self.capacity);
        // SAFETY: inside the room, which is initialized; elements are aligned to their size.
        unsafe {
            if self.size == 8 {
                self.base.cast::<u64>().add(at).read()
            } else {
                self.base.cast::<u32>().add(at).read().into()
            }
        }
    }

    fn set(&mut self, at: usize, raw: u64) {
        assert!(at < self.capacity);
        // SAFETY: inside the room; elements are aligned to their size.
        unsafe {
            if self.size == 8 {
                self.base.cast::<u64>().add(at).write(raw);
            } else {
                self.base.cast::<u32>().add(at).write(raw as u32);
            }
        }
    }

    fn copy_within(&mut self, dst: usize, src: usize, len: usize) {
        assert!(dst + len <= self.capacity && src + len <= self.capacity);
        // SAFETY: both parts are inside the room; they may overlap.
        unsafe {
            let base = self.base.as_ptr();
            std::ptr::copy(base.add(src * self.size), base.add(dst * self.size), len * self.size);
        }
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        if self.is_lent {
            return;
        }
        let layout = Self::layout(self.capacity + 1, self.size).expect("the layout was made before");
        // SAFETY: allocated with this layout in `new`.
        unsafe { quarantine::dealloc(self.base, layout) };
    }
}
