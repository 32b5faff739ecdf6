//! The block behind `vmctx`, as the runtime sees it.

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use tenure_abi::ValRaw;
use tenure_abi::ctx::{CtxLayout, Place};
use tenure_abi::vm::{VmCtxHeader, VmFuncRef, VmGlobal, VmImport, VmMem, VmTable};
use tenure_sys::quarantine;
use tenure_types::{FuncIdx, GlobalIdx, MemIdx, TableIdx};

/// One instance's context: allocated here, freed when this goes. Compiled code and the runtime use it
/// through raw pointers only; no Rust reference covers it.
///
/// Behind what [`CtxLayout`] lays out there may be elements of small tables, which compiled code finds through their records.
pub(crate) struct VmCtx {
    block: NonNull<u8>,
    layout: Layout,
    /// Where the block waits when this goes.
    spares: Option<Arc<Spares>>,
}

/// Blocks of contexts that went, for others of the module. In each the funcrefs stand as a new context needs them: they
/// never change while an instance lives, but for the handles, and those go before it
/// ([`FuncInst`](crate::FuncInst)). In a module with hundreds of functions that escape they are most of the block.
pub(crate) struct Spares {
    layout: Layout,
    blocks: Mutex<Vec<NonNull<u8>>>,
}

// SAFETY: the blocks are nobody else's, and bound to no thread.
unsafe impl Send for Spares {}
// SAFETY: as above; the list has a lock.
unsafe impl Sync for Spares {}

impl Spares {
    /// Smaller blocks are as quickly made anew.
    const LEAST_SIZE: usize = 4 << 10;
    /// Bytes of blocks that wait.
    const MOST_BYTES: usize = 256 << 10;

    /// For contexts like `model`; none for small ones.
    pub fn of(model: &VmCtx) -> Option<Arc<Self>> {
        let is_large = model.layout.size() >= Self::LEAST_SIZE;
        is_large.then(|| Arc::new(Self { layout: model.layout, blocks: Mutex::default() }))
    }

    /// A block, unless there is none or another thread takes one now.
    fn take(&self) -> Option<NonNull<u8>> {
        self.blocks.try_lock().ok()?.pop()
    }

    /// Keeps `block`; false when it is to be freed.
    fn keep(&self, block: NonNull<u8>) -> bool {
        if quarantine::is_on() {
            return false;
        }
        let Ok(mut blocks) = self.blocks.try_lock() else { return false };
        let has_room = (blocks.len() + 1) * self.layout.size() <= Self::MOST_BYTES;
        if has_room {
            blocks.push(block);
        }
        has_room
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        for &block in self.blocks.get_mut().unwrap_or_else(PoisonError::into_inner).iter() {
            // SAFETY: a context's block, which had this layout, and which is used no more.
            unsafe { quarantine::dealloc(block, self.layout) };
        }
    }
}

impl VmCtx {
    /// A zeroed block laid out by `layout`, starting with `header`, and with room for `words` behind.
    pub fn new(layout: &CtxLayout, header: VmCtxHeader, words: usize) -> Self {
        let size = layout.size().max(size_of::<VmCtxHeader>()) + words * size_of::<u64>();
        let size = Layout::from_size_align(size, CtxLayout::ALIGN);
        let size = size.expect("a context has less than 2 GiB");
        // SAFETY: the size is at least the header's.
        let Some(block) = (unsafe { quarantine::alloc_zeroed(size) }) else {
            std::alloc::handle_alloc_error(size)
        };
        // SAFETY: the block is large enough and 16-aligned.
        unsafe { block.cast::<VmCtxHeader>().write(header) };
        Self { block, layout: size, spares: None }
    }

    /// A copy, starting with `header`, whose own funcrefs name the copy as their context. Its block is one of `spares`,
    /// if there is one, and waits there again when the copy goes.
    ///
    /// # Safety
    /// No other thread writes to `self`, which was laid out by `layout`; `spares` are of copies of it alone.
    pub unsafe fn copy(&self, layout: &CtxLayout, header: VmCtxHeader, spares: Option<&Arc<Spares>>) -> Self {
        if let Some(block) = spares.and_then(|spares| spares.take()) {
            let copy = Self { block, layout: self.layout, spares: spares.cloned() };
            let funcrefs = copy.funcrefs(layout);
            for part in [0..funcrefs.start, funcrefs.end..self.layout.size()] {
                // SAFETY: the part is inside both blocks, which have one layout and are apart; nobody writes to `self`.
                unsafe {
                    block.add(part.start).copy_from_nonoverlapping(self.block.add(part.start), part.len())
                };
            }
            // SAFETY: the block is large enough and 16-aligned.
            unsafe { block.cast::<VmCtxHeader>().write(header) };
            debug_assert!(copy.has_fresh_funcrefs(self, layout));
            return copy;
        }
        // SAFETY: the size is at least the header's.
        let Some(block) = (unsafe { quarantine::alloc(self.layout) }) else {
            std::alloc::handle_alloc_error(self.layout)
        };
        // SAFETY: both blocks have this layout, and the new one is apart from every other; nobody writes to `self`.
        unsafe { block.copy_from_nonoverlapping(self.block, self.layout.size()) };
        // SAFETY: the block is large enough and 16-aligned.
        unsafe { block.cast::<VmCtxHeader>().write(header) };
        let copy = Self { block, layout: self.layout, spares: spares.cloned() };
        let count = layout.shape().escaping_funcs;
        if count > 0 {
            // The first and the last are inside the block; so are those between.
            let first = copy.own_funcref(layout, 0);
            copy.own_funcref(layout, count - 1);
            for at in 0..count as usize {
                // SAFETY: a funcref inside the block, which is the copy's own.
                unsafe { (*first.as_ptr().add(at)).vmctx = copy.as_ptr() };
            }
        }
        copy
    }

    /// Where its own funcrefs lie.
    fn funcrefs(&self, layout: &CtxLayout) -> Range<usize> {
        match layout.shape().escaping_funcs {
            0 => self.layout.size()..self.layout.size(),
            count => {
                let at = |escape| layout.funcref(escape) as usize;
                at(0)..at(count - 1) + size_of::<VmFuncRef>()
            }
        }
    }

    /// Whether each own funcref is that of `model`, with this as its context.
    fn has_fresh_funcrefs(&self, model: &Self, layout: &CtxLayout) -> bool {
        (0..layout.shape().escaping_funcs).all(|escape| {
            // SAFETY: both are records inside their blocks, initialized, and not written now.
            let [own, first] = [self, model].map(|ctx| unsafe { ctx.own_funcref(layout, escape).read() });
            let VmFuncRef { slot, vmctx, type_id, handle } = own;
            slot == first.slot
                && vmctx == self.as_ptr()
                && type_id == first.type_id
                && handle == VmFuncRef::NO_HANDLE
        })
    }

    /// Bytes of the block.
    pub fn size(&self) -> usize {
        self.layout.size()
    }

    /// Addresses of its bytes.
    pub fn addresses(&self) -> Range<usize> {
        let start = self.block.as_ptr().addr();
        start..start + self.layout.size()
    }

    pub fn as_ptr(&self) -> *mut VmCtxHeader {
        self.block.as_ptr().cast()
    }

    fn at<T>(&self, offset: i32) -> NonNull<T> {
        let offset = offset as usize;
        assert!(offset + size_of::<T>() <= self.layout.size(), "offset {offset} is inside the context");
        // SAFETY: just checked to be inside the block.
        unsafe { self.block.add(offset).cast() }
    }

    fn record<T>(&self, place: Place) -> NonNull<T> {
        match place {
            Place::Own(offset) => self.at(offset),
            // SAFETY: inside the block, aligned by the layout, and filled in when the instance was made,
            // before anything asks for the record.
            Place::Imported(offset) => unsafe { self.at::<NonNull<T>>(offset).read() },
        }
    }

    /// The record of memory `mem`; for an import, the definer's.
    pub fn mem(&self, layout: &CtxLayout, mem: MemIdx) -> NonNull<VmMem> {
        self.record(layout.mem(mem))
    }

    /// The record of table `table`; for an import, the definer's.
    pub fn table(&self, layout: &CtxLayout, table: TableIdx) -> NonNull<VmTable> {
        self.record(layout.table(table))
    }

    /// The record of global `global`; for an import, the definer's.
    pub fn global(&self, layout: &CtxLayout, global: GlobalIdx) -> NonNull<VmGlobal> {
        self.record(layout.global(global))
    }

    /// What global `global` holds.
    pub fn global_value(&self, layout: &CtxLayout, global: GlobalIdx) -> ValRaw {
        // SAFETY: the record is live as long as the instance, and written before it is read.
        unsafe { self.global(layout, global).read().value }
    }

    /// Notes where an imported item's record is.
    pub fn set_imported<T>(&mut self, place: Place, record: *mut T) {
        let Place::Imported(offset) = place else { panic!("{place:?} is no import's") };
        // SAFETY: inside the block and aligned by the layout; the context belongs to `self`.
        unsafe { self.at::<*mut T>(offset).write(record) };
    }

    /// Notes an imported function.
    pub fn set_import(&mut self, layout: &CtxLayout, func: FuncIdx, import: VmImport) {
        // SAFETY: inside the block and aligned by the layout; the context belongs to `self`.
        unsafe { self.at::<VmImport>(layout.import(func)).write(import) };
    }

    /// The funcref of imported function `func`.
    pub fn imported_funcref(&self, layout: &CtxLayout, func: FuncIdx) -> NonNull<VmFuncRef> {
        // SAFETY: inside the block, and filled in when the instance was made.
        let import = unsafe { self.at::<VmImport>(layout.import(func)).read() };
        NonNull::new(import.funcref).expect("imports are filled in when the instance is made")
    }

    /// Word number `at` of the room behind what `layout` lays out.
    pub fn word(&self, layout: &CtxLayout, at: usize) -> NonNull<u64> {
        let offset = layout.size().max(size_of::<VmCtxHeader>()) + at * size_of::<u64>();
        self.at(i32::try_from(offset).expect("a context has less than 2 GiB"))
    }

    /// Where the funcref of escaping function number `escape` lies.
    pub fn own_funcref(&self, layout: &CtxLayout, escape: u32) -> NonNull<VmFuncRef> {
        self.at(layout.funcref(escape))
    }

    /// Writes the funcref of escaping function number `escape`.
    pub fn set_funcref(&mut self, layout: &CtxLayout, escape: u32, funcref: VmFuncRef) {
        // SAFETY: inside the block and aligned by the layout; the context belongs to `self`.
        unsafe { self.own_funcref(layout, escape).write(funcref) };
    }
}

impl Drop for VmCtx {
    fn drop(&mut self) {
        if self.spares.as_ref().is_some_and(|spares| spares.keep(self.block)) {
            return;
        }
        // SAFETY: allocated with this layout in `new`.
        unsafe { quarantine::dealloc(self.block, self.layout) };
    }
}
