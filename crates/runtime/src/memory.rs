//! Linear memories (specification, "Memory Instances").

use crate::addr::MemAddr;
use crate::image::MemImage;
use crate::limits::GrowError;
use crate::memory_pool::{MemoryPool, Shape, Slot};
use crate::pooling::Place;
use crate::record::Record;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tenure_abi::vm::VmMem;
use tenure_code::MemoryPlan;
use tenure_sys::page_size;
use tenure_types::MemType;

/// A memory without a guard is made accessible whole up to this size.
const COMMITTED_WHOLE: usize = 64 << 20;
/// A memory up to this size may be made ready later. Whether the system has the pages of a larger one is to be known
/// when it is made.
const PROMISED: usize = 1 << 20;

/// Memories that move reserve four times what they have up to this size, and half as much again beyond.
const ROOMY: usize = 16 << 20;

/// A memory.
///
/// ```text
/// base      base+bytes            base+reserved          + guard
/// [ read-write ][ inaccessible ...............][ inaccessible ]
/// ```
/// Of an instance that is made while no guest runs, the first part may be inaccessible as well, until the memory is
/// *ready*: before a guest is entered in its store, or the host gets a handle to it.
pub struct MemInst {
    ty: MemType,
    plan: MemoryPlan,
    slot: ManuallyDrop<Slot>,
    /// What it started as, if not as zeros.
    image: Option<Arc<MemImage>>,
    /// What was committed when it was made.
    first_committed: usize,
    pool: Arc<MemoryPool>,
    record: Record<VmMem>,
    /// Its place among those that the engine's pool allows.
    pub(crate) place: Place,
    /// The next in the store's list of those that are to be made ready.
    pub(crate) next_unready: Option<MemAddr>,
    /// How often the store had entered a guest when it was made.
    made_at: u64,
    /// Whether the host may have written to it.
    written: AtomicBool,
    /// Whether it is known that its content is still the first one.
    untouched: bool,
}

/// What a new memory is to be.
pub(crate) struct NewMemory<'a> {
    pub ty: MemType,
    pub plan: MemoryPlan,
    pub pool: &'a Arc<MemoryPool>,
    /// Its initial content, if that is not zeros.
    pub image: Option<&'a Arc<MemImage>>,
    /// How often the store has entered a guest: [`Store::entries_at_birth`](crate::Store).
    pub entries: u64,
    /// Whether it may be made ready later.
    pub later: bool,
}

impl MemInst {
    /// A memory of `ty.min` pages, all zero but for its image. Its record goes to `at`, or to an allocation of
    /// its own.
    ///
    /// # Safety
    /// `at`, when given, is aligned, writable, and outlives the result.
    pub(crate) unsafe fn new(new: NewMemory<'_>, at: Option<NonNull<VmMem>>) -> Result<Self, GrowError> {
        let NewMemory { ty, plan, pool, image, entries, later } = new;
        let bytes = ty.min.checked_mul(ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|&bytes| bytes as u64 <= ty.max_bytes()).ok_or(GrowError::Limit)?;
        let later = later && bytes <= PROMISED;
        let slot = take(pool, &plan, bytes, image.map(|image| &**image), later)?;
        let vm = VmMem { base: slot.pages.base(), bytes };
        let record = match at {
            // SAFETY: the caller vouches for `at`.
            Some(at) => unsafe { Record::in_context(at, vm) },
            None => Record::boxed(vm),
        };
        Ok(Self {
            ty,
            plan,
            first_committed: slot.shape.committed,
            slot: ManuallyDrop::new(slot),
            image: image.cloned(),
            pool: pool.clone(),
            record,
            place: Place::default(),
            next_unready: None,
            made_at: entries,
            written: AtomicBool::new(false),
            untouched: false,
        })
    }

    /// A memory whose record is in an allocation of its own.
    pub(crate) fn of_its_own(new: NewMemory<'_>) -> Result<Self, GrowError> {
        // SAFETY: no place is given.
        unsafe { Self::new(new, None) }
    }

    /// Becomes `fresh`, with its record where it was.
    pub(crate) fn start_anew(&mut self, mut fresh: Self) {
        let vm = fresh.record.get();
        std::mem::swap(&mut self.record, &mut fresh.record);
        fresh.next_unready = self.next_unready;
        std::mem::swap(&mut self.place, &mut fresh.place);
        std::mem::swap(self, &mut fresh);
        self.record.set(vm);
    }

    /// Whether its bytes can be accessed.
    pub(crate) fn is_ready(&self) -> bool {
        self.slot.is_ready()
    }

    /// Makes its bytes accessible.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn make_ready(&mut self) -> io::Result<()> {
        self.pool.make_ready(&mut self.slot, self.image.as_deref())
    }

    /// What it started as, if not as zeros.
    pub(crate) fn image(&self) -> Option<&Arc<MemImage>> {
        self.image.as_ref()
    }

    /// Its type, with the size it was made with.
    pub fn ty(&self) -> &MemType {
        &self.ty
    }

    /// Whether code that was made for memories like `plan` may use this one: nothing such code leaves out is needed.
    pub(crate) fn fits(&self, plan: &MemoryPlan) -> bool {
        self.plan.reserved >= plan.reserved && self.plan.guard >= plan.guard
    }

    /// Pages now.
    pub fn size(&self) -> u64 {
        self.bytes() as u64 >> self.ty.page_size_log2
    }

    /// Bytes now.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.record.get().bytes
    }

    /// First byte, for the host to read and write behind the store's back; valid until the memory grows or goes.
    pub fn lend(&self) -> *mut u8 {
        debug_assert!(self.is_ready(), "{READY}");
        self.written.store(true, Ordering::Relaxed);
        self.base()
    }

    /// First byte; valid until the memory grows or goes.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.record.get().base
    }

    /// The contents. Shared with no guest while the store is borrowed.
    #[inline]
    pub fn data(&self) -> &[u8] {
        debug_assert!(self.is_ready(), "{READY}");
        let vm = self.record.get();
        // SAFETY: the first `bytes` from `base` are committed: handles are given out of memories that are ready, and
        // who has none makes it ready first. Writing them takes the store mutably,
        // which the borrow of `self` rules out.
        unsafe { std::slice::from_raw_parts(vm.base, vm.bytes) }
    }

    /// The contents, to write.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        debug_assert!(self.is_ready(), "{READY}");
        *self.written.get_mut() = true;
        let vm = self.record.get();
        // SAFETY: as in `data`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(vm.base, vm.bytes) }
    }

    /// Moves the record out of its instance's context, which is about to go.
    pub(crate) fn leave_home(&mut self) {
        self.record.move_out();
    }

    /// Whether no instance defines it, or not any more.
    pub(crate) fn is_homeless(&self) -> bool {
        self.record.is_boxed()
    }

    pub(crate) fn record(&self) -> *mut VmMem {
        self.record.as_ptr()
    }

    /// Whether `address` is one that accesses through this memory may reach.
    pub(crate) fn reaches(&self, address: usize) -> bool {
        self.slot.pages.contains(address)
    }

    /// Bytes of address space, and of those the bytes that are the guest's now.
    pub fn footprint(&self) -> (usize, usize) {
        (self.slot.pages.len(), self.bytes())
    }

    /// Tells it, before it goes, how often its store has entered a guest by now: if never since it was made,
    /// and the host wrote nothing either, its content is still the first one.
    pub(crate) fn settle(&mut self, entries: u64) {
        self.untouched = !*self.written.get_mut() && self.made_at == entries;
    }

    /// The most bytes its type allows, if that says.
    pub(crate) fn maximum(ty: &MemType) -> Option<usize> {
        let bytes = ty.max?.saturating_mul(ty.page_size());
        Some(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Bytes after growing by `delta` pages; `None` when no address has that many.
    pub(crate) fn bytes_after(&self, delta: u64) -> Option<usize> {
        let bytes = self.size().checked_add(delta)?.checked_mul(self.ty.page_size())?;
        usize::try_from(bytes).ok()
    }

    /// Grows by `delta` pages and returns the old size in pages. Limits of the store were asked before.
    ///
    /// New bytes read as zero. When the plan says so the bytes may move; [`VmMem`] then has the new base.
    ///
    /// # Errors
    /// [`GrowError::Limit`] when the type's maximum refuses: the guest then sees -1. [`GrowError::Os`] when
    /// the system has no more. Nothing has changed then.
    pub(crate) fn grow(&mut self, delta: u64) -> Result<u64, GrowError> {
        let old = self.size();
        let old_bytes = self.bytes();
        let pages = old.checked_add(delta).ok_or(GrowError::Limit)?;
        let bytes = pages.checked_mul(self.ty.page_size()).filter(|&bytes| bytes <= self.ty.max_bytes());
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or(GrowError::Limit)?;
        let page_limit = if self.ty.is_64 { 1 << 48 } else { 1 << 16 };
        if self.ty.page_size_log2 == 16 && pages > page_limit {
            return Err(GrowError::Limit);
        }
        if delta == 0 {
            return Ok(old);
        }
        self.make_ready().map_err(GrowError::Os)?;
        let guard = whole_pages(self.plan.guard).unwrap_or(u64::MAX);
        let usable = (self.slot.pages.len() as u64).saturating_sub(guard);
        let to = bytes.next_multiple_of(page_size());
        if bytes as u64 <= usable {
            let from = self.slot.shape.committed;
            if to > from {
                self.slot.pages.commit(from, to - from).map_err(GrowError::Os)?;
                self.slot.shape.committed = to;
            }
        } else if self.plan.may_move {
            let moved = take(&self.pool, &self.plan, bytes, None, false)?;
            // SAFETY: both are committed for `old_bytes` and apart from each other.
            unsafe { std::ptr::copy_nonoverlapping(self.base(), moved.pages.base(), old_bytes) };
            // What was copied does not make the new slot one that nothing was written to.
            *self.written.get_mut() = true;
            let committed = std::mem::replace(&mut self.first_committed, moved.shape.committed);
            let left = std::mem::replace(&mut *self.slot, moved);
            self.pool.give(left, committed, self.image.take().as_deref(), false);
        } else {
            return Err(GrowError::Limit);
        }
        self.record.set(VmMem { base: self.slot.pages.base(), bytes });
        Ok(old)
    }
}

const READY: &str = "whoever looks at a memory has it made ready";

/// A place for a memory of `bytes` now that holds `image`, or zeros, or will when it is made ready `later`; as
/// `plan` says, and with room to grow beyond.
fn take(
    pool: &MemoryPool,
    plan: &MemoryPlan,
    bytes: usize,
    image: Option<&MemImage>,
    later: bool,
) -> Result<Slot, GrowError> {
    let take = |reserved| pool.take(shape(plan, reserved, bytes)?, image, later).map_err(GrowError::Os);
    let now = bytes as u64;
    if now <= plan.reserved {
        return take(plan.reserved);
    }
    let half_more = now.saturating_add(now / 2);
    // Moving costs far more than addresses do, while there are any.
    if bytes <= ROOMY
        && let Ok(slot) = take(4 * now)
    {
        return Ok(slot);
    }
    take(half_more)
}

fn shape(plan: &MemoryPlan, reserved: u64, bytes: usize) -> Result<Shape, GrowError> {
    // Whole pages of each: several are cut from one reservation.
    let total = whole_pages(reserved).and_then(|reserved| reserved.checked_add(whole_pages(plan.guard)?));
    let total = total.and_then(|total| usize::try_from(total).ok()).ok_or(GrowError::Limit)?;
    // Where code checks every access itself nothing needs to fault, and growing needs no system call.
    let is_checked = plan.guard == 0 && plan.reserved <= u64::from(u32::MAX);
    if is_checked && total <= COMMITTED_WHOLE {
        return Ok(Shape { reserved: total, committed: total });
    }
    Ok(Shape { reserved: total, committed: bytes.next_multiple_of(page_size()) })
}

/// So many bytes, rounded up to whole pages of the system.
fn whole_pages(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(page_size() as u64)
}

impl Drop for MemInst {
    fn drop(&mut self) {
        // SAFETY: taken once, here; nothing uses the slot afterwards.
        let slot = unsafe { ManuallyDrop::take(&mut self.slot) };
        self.pool.give(slot, self.first_committed, self.image.as_deref(), self.untouched);
    }
}

impl fmt::Debug for MemInst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemInst").field("ty", &self.ty).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
