//! Address space. Callers have checked that parts are whole pages, and not empty.

use std::fs::File;
use std::io;
use std::io::Write;
use std::ptr::{NonNull, null_mut};

use rustix::fs::{SealFlags, fcntl_add_seals};
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};

use super::memory_file;

pub const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
pub const READ_EXEC: ProtFlags = ProtFlags::READ.union(ProtFlags::EXEC);

/// Private memory that counts against nothing until it is touched.
const PRIVATE: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);

#[inline]
pub fn page_size() -> usize {
    rustix::param::page_size()
}

/// Finds a free range of `len` bytes and takes it. Any access faults.
pub fn reserve(len: usize) -> io::Result<NonNull<u8>> {
    anonymous(len, ProtFlags::empty())
}

/// New zero memory, wherever there is room.
pub fn anonymous(len: usize, access: ProtFlags) -> io::Result<NonNull<u8>> {
    // SAFETY: without an address the system takes only what is free.
    let base = unsafe { mmap_anonymous(null_mut(), len, access, PRIVATE)? };
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("the system mapped memory at address 0"))
}

/// Gives back addresses and memory.
///
/// # Safety
/// The caller owns the range, and nobody uses it afterwards.
pub unsafe fn release(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let result = unsafe { munmap(at.cast(), len) };
    debug_assert!(result.is_ok(), "unmapping {len:#x} bytes at {at:p}: {result:?}");
}

/// Makes pages accessible, whatever they hold.
///
/// # Safety
/// The caller owns the range.
pub unsafe fn commit(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; more access than before harms nobody.
    unsafe { mprotect(at.cast(), len, MprotectFlags::READ | MprotectFlags::WRITE)? };
    Ok(())
}

/// Gives back memory and leaves addresses that fault.
///
/// # Safety
/// The caller owns the range, and nobody relies on what it holds.
pub unsafe fn decommit(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { replace(at, len, ProtFlags::empty()) }
}

/// Gives back memory, images too, and leaves zero pages.
///
/// # Safety
/// As [`decommit`].
pub unsafe fn zero(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise.
    unsafe { replace(at, len, READ_WRITE) }
}

/// Puts fresh zero memory in place of what is there.
///
/// # Safety
/// As [`decommit`].
pub unsafe fn replace(at: *mut u8, len: usize, access: ProtFlags) -> io::Result<()> {
    // SAFETY: the range is the caller's to map over.
    unsafe { mmap_anonymous(at.cast(), len, access, PRIVATE | MapFlags::FIXED)? };
    Ok(())
}

/// Gives back what was written; zero or the image's content shows again.
///
/// # Safety
/// As [`decommit`].
pub unsafe fn reset(at: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: the caller's promise; the mapping is private, so that no other one changes.
    unsafe { madvise(at.cast(), len, Advice::LinuxDontNeed)? };
    Ok(())
}

/// Maps the start of `file` in place of what is there, shared with its other mappings.
///
/// # Safety
/// As [`decommit`]; and whoever writes through another mapping knows who reads through this one.
pub unsafe fn map_shared(at: *mut u8, len: usize, access: ProtFlags, file: &File) -> io::Result<()> {
    let flags = MapFlags::SHARED | MapFlags::NORESERVE | MapFlags::FIXED;
    // SAFETY: the range is the caller's to map over.
    unsafe { mmap(at.cast(), len, access, flags, file, 0)? };
    Ok(())
}

/// Bytes that can be mapped many times, and never change.
#[derive(Debug)]
pub struct ImageFile(File);

impl ImageFile {
    /// A file of `len` bytes that begins with `content`.
    pub fn new(content: &[u8], len: usize) -> io::Result<ImageFile> {
        let mut file = memory_file::create("tenure-image", len)?;
        file.write_all(content)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(ImageFile(file))
    }

    /// Maps the file's first `len` bytes, copied page by page on write.
    ///
    /// # Safety
    /// As [`decommit`].
    pub unsafe fn map(&self, at: *mut u8, len: usize) -> io::Result<()> {
        // SAFETY: the range is the caller's to map over; the seals keep the file from changing or shrinking.
        unsafe { mmap(at.cast(), len, READ_WRITE, PRIVATE | MapFlags::FIXED, &self.0, 0)? };
        Ok(())
    }
}
