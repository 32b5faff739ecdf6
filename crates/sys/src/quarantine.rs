//! Memory that is never used again once it was freed: for tests, which then fail at the first use of something that
//! went, by whoever it is, instead of when its place has become something else.
//!
//! ```text
//! a chunk of address space   [block 1 ][guard][   block 2][guard][ none ...................]
//! after block 1 was freed    [ none                      ][guard]...
//! ```
//! A switch for the whole process, which can be turned on and never off: compiled code is given addresses, not
//! engines. Off, everything here is the allocator's.

use crate::mapping::{Reservation, page_size};
use std::alloc::Layout;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Address space that is reserved at once for blocks.
const CHUNK: usize = 1 << 30;
/// Address space of memories that is kept from being used again; beyond, the oldest goes.
const MOST_RETIRED: usize = 8 << 40;

static QUARANTINE: OnceLock<Mutex<Quarantine>> = OnceLock::new();

#[derive(Default)]
struct Quarantine {
    chunks: Vec<Reservation>,
    /// Bytes of the last chunk that were given out.
    used: usize,
    retired: VecDeque<Reservation>,
    retired_bytes: usize,
}

/// From now on nothing that is freed is used again.
pub fn turn_on() {
    QUARANTINE.get_or_init(Mutex::default);
}

/// Whether it was turned on.
#[inline]
pub fn is_on() -> bool {
    QUARANTINE.get().is_some()
}

fn quarantine() -> Option<MutexGuard<'static, Quarantine>> {
    Some(QUARANTINE.get()?.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A block of zeros; `None` when there is no memory.
///
/// # Safety
/// As [`std::alloc::alloc_zeroed`]: `layout` is not empty.
pub unsafe fn alloc_zeroed(layout: Layout) -> Option<NonNull<u8>> {
    if let Some(block) = quarantine().and_then(|mut quarantine| quarantine.alloc(layout)) {
        return Some(block);
    }
    // SAFETY: passed on from the caller.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// As [`alloc_zeroed`], but the bytes may be anything.
///
/// # Safety
/// As [`std::alloc::alloc`]: `layout` is not empty.
pub unsafe fn alloc(layout: Layout) -> Option<NonNull<u8>> {
    if is_on() {
        // SAFETY: passed on from the caller.
        return unsafe { alloc_zeroed(layout) };
    }
    // SAFETY: passed on from the caller.
    NonNull::new(unsafe { std::alloc::alloc(layout) })
}

/// Frees a block.
///
/// # Safety
/// `block` came from [`alloc`] or [`alloc_zeroed`] with this `layout`, and is not used again.
pub unsafe fn dealloc(block: NonNull<u8>, layout: Layout) {
    if let Some(quarantine) = quarantine()
        && quarantine.protect(block, layout)
    {
        return;
    }
    // SAFETY: passed on from the caller; it is no block of the quarantine's, so the allocator's.
    unsafe { std::alloc::dealloc(block.as_ptr(), layout) };
}

/// Makes `pages` inaccessible and keeps their addresses from being used again.
///
/// # Errors
/// `pages`, when this is not turned on or the system refuses.
pub fn retire(pages: Reservation) -> Result<(), Reservation> {
    let Some(mut quarantine) = quarantine() else { return Err(pages) };
    if pages.decommit(0, pages.len()).is_err() {
        return Err(pages);
    }
    quarantine.retired_bytes += pages.len();
    quarantine.retired.push_back(pages);
    while quarantine.retired_bytes > MOST_RETIRED {
        let oldest = quarantine.retired.pop_front();
        quarantine.retired_bytes -= oldest.map_or(0, |pages| pages.len());
    }
    Ok(())
}

impl Quarantine {
    /// Pages of its own for a block, which ends where they end, with one behind that faults. `None` when it is too
    /// large for a chunk, or the system has no more mappings.
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let page = page_size();
        let pages = layout.size().checked_next_multiple_of(page)?;
        if layout.align() > page || pages >= CHUNK / 2 {
            return None;
        }
        if self.chunks.is_empty() || CHUNK - self.used < pages + page {
            self.chunks.push(Reservation::new(CHUNK).ok()?);
            self.used = 0;
        }
        let chunk = self.chunks.last()?;
        chunk.commit(self.used, pages).ok()?;
        let slack = (pages - layout.size()) & !(layout.align() - 1);
        let block = chunk.base().wrapping_add(self.used + slack);
        self.used += pages + page;
        NonNull::new(block)
    }

    /// Makes a block inaccessible; false when it is none of these.
    fn protect(&self, block: NonNull<u8>, layout: Layout) -> bool {
        let at = block.as_ptr() as usize;
        let Some(chunk) = self.chunks.iter().rev().find(|chunk| chunk.contains(at)) else { return false };
        let offset = (at - chunk.base() as usize) / page_size() * page_size();
        let end = (at - chunk.base() as usize + layout.size()).next_multiple_of(page_size());
        // Where the system has no more mappings the block merely stays as it is.
        let _ = chunk.decommit(offset, end - offset);
        true
    }
}

/// A block that holds `value`.
pub fn boxed<T>(value: T) -> NonNull<T> {
    let layout = Layout::new::<T>();
    assert!(layout.size() > 0, "a block is not empty");
    // SAFETY: just checked not to be empty.
    let Some(block) = (unsafe { alloc(layout) }) else { std::alloc::handle_alloc_error(layout) };
    let block = block.cast::<T>();
    // SAFETY: a new block of the type's layout.
    unsafe { block.write(value) };
    block
}

/// Frees a block; the value in it.
///
/// # Safety
/// `block` came from [`boxed`], holds a value, and is not used again.
pub unsafe fn unboxed<T>(block: NonNull<T>) -> T {
    // SAFETY: the caller vouches for the value, and for the block.
    unsafe {
        let value = block.read();
        dealloc(block.cast(), Layout::new::<T>());
        value
    }
}
