//! Linear memories (specification, "Memory Instances").

use crate::addr::InstAddr;
use crate::record::Record;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use tenure_abi::vm::VmMem;
use tenure_code::MemoryPlan;
use tenure_sys::{Reservation, page_size};
use tenure_types::MemType;

/// A memory.
///
/// ```text
/// base      base+bytes            base+reserved          + guard
/// [ read-write ][ inaccessible ...............][ inaccessible ]
/// ```
pub struct MemInst {
    ty: MemType,
    plan: MemoryPlan,
    pages: Reservation,
    record: Record<VmMem>,
    /// The instance in whose context the record lies.
    pub(crate) home: Option<InstAddr>,
}

/// Why a memory did not grow, or was not made.
#[derive(Debug)]
pub enum GrowError {
    /// Its type's maximum, or the width of its addresses.
    Limit,
    /// The system has no more.
    Os(io::Error),
}

impl fmt::Display for GrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit => f.write_str("the maximum size of the type is exceeded"),
            Self::Os(error) => write!(f, "the system has no more memory: {error}"),
        }
    }
}

impl std::error::Error for GrowError {}

impl MemInst {
    /// A memory of `ty.min` pages, all zero. Its record goes to `at`, or to an allocation of its own.
    ///
    /// # Safety
    /// `at`, when given, is aligned, writable, and outlives the result.
    pub(crate) unsafe fn new(
        ty: MemType,
        plan: MemoryPlan,
        at: Option<NonNull<VmMem>>,
    ) -> Result<Self, GrowError> {
        let bytes = ty.min.checked_mul(ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|&bytes| bytes as u64 <= ty.max_bytes()).ok_or(GrowError::Limit)?;
        let pages = reserve(&plan, bytes)?;
        let vm = VmMem { base: pages.base(), bytes };
        let record = match at {
            // SAFETY: the caller vouches for `at`.
            Some(at) => unsafe { Record::in_context(at, vm) },
            None => Record::boxed(vm),
        };
        Ok(Self { ty, plan, pages, record, home: None })
    }

    /// Its type, with the size it was made with.
    pub fn ty(&self) -> &MemType {
        &self.ty
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

    /// First byte; valid until the memory grows or goes.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.record.get().base
    }

    /// The contents. Shared with no guest while the store is borrowed.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let vm = self.record.get();
        // SAFETY: the first `bytes` from `base` are committed, and writing them takes the store mutably,
        // which the borrow of `self` rules out.
        unsafe { std::slice::from_raw_parts(vm.base, vm.bytes) }
    }

    /// The contents, to write.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let vm = self.record.get();
        // SAFETY: as in `data`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(vm.base, vm.bytes) }
    }

    /// Moves the record out of its instance's context, which is about to go.
    pub(crate) fn leave_home(&mut self) {
        self.record.move_out();
        self.home = None;
    }

    pub(crate) fn record(&self) -> *mut VmMem {
        self.record.as_ptr()
    }

    /// Whether `address` is one that accesses through this memory may reach.
    pub(crate) fn reaches(&self, address: usize) -> bool {
        self.pages.contains(address)
    }

    /// Bytes of address space, and of those the bytes that are the guest's now.
    pub fn footprint(&self) -> (usize, usize) {
        (self.pages.len(), self.bytes())
    }

    /// Grows by `delta` pages and returns the old size in pages.
    ///
    /// New bytes read as zero. When the plan says so the bytes may move; [`VmMem`] then has the new base.
    ///
    /// # Errors
    /// [`GrowError::Limit`] when the type's maximum refuses: the guest then sees -1. [`GrowError::Os`] when
    /// the system has no more. Nothing has changed then.
    pub fn grow(&mut self, delta: u64) -> Result<u64, GrowError> {
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
        let usable = self.pages.len() as u64 - self.plan.guard.min(self.pages.len() as u64);
        if bytes as u64 <= usable {
            let from = old_bytes.next_multiple_of(page_size());
            let to = bytes.next_multiple_of(page_size());
            self.pages.commit(from, to - from).map_err(GrowError::Os)?;
        } else if self.plan.may_move {
            let moved = reserve_moving(&self.plan, bytes)?;
            // SAFETY: both are committed for `old_bytes` and apart from each other.
            unsafe { std::ptr::copy_nonoverlapping(self.base(), moved.base(), old_bytes) };
            self.pages = moved;
        } else {
            return Err(GrowError::Limit);
        }
        self.record.set(VmMem { base: self.pages.base(), bytes });
        Ok(old)
    }
}

/// Address space for a memory of `bytes` now, as `plan` says, with those bytes committed.
fn reserve(plan: &MemoryPlan, bytes: usize) -> Result<Reservation, GrowError> {
    if bytes as u64 > plan.reserved {
        return reserve_moving(plan, bytes);
    }
    commit(plan.reserved, plan.guard, bytes)
}

/// Address space for `bytes` beyond the plan's reservation, with room to grow by half.
fn reserve_moving(plan: &MemoryPlan, bytes: usize) -> Result<Reservation, GrowError> {
    commit((bytes as u64).saturating_add(bytes as u64 / 2), plan.guard, bytes)
}

fn commit(reserved: u64, guard: u64, bytes: usize) -> Result<Reservation, GrowError> {
    let page = page_size() as u64;
    let total = reserved.checked_next_multiple_of(page).and_then(|reserved| reserved.checked_add(guard));
    let total = total.and_then(|total| usize::try_from(total).ok()).ok_or(GrowError::Limit)?;
    let pages = Reservation::new(total).map_err(GrowError::Os)?;
    pages.commit(0, bytes.next_multiple_of(page_size())).map_err(GrowError::Os)?;
    Ok(pages)
}

impl fmt::Debug for MemInst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemInst").field("ty", &self.ty).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
