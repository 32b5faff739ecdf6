//! Address space that Tenure owns.
//!
//! ```text
//! Reservation   [ none | read-write ..........| none ............................ ]
//!                       ^ commit(offset, len)   ^ faults on any access: a guard
//! ```
//!
//! A [`Reservation`] starts as nothing but addresses: an access faults, and no memory stands behind it. Parts
//! are committed and decommitted by whole pages. An [`Image`] is a fixed content that is mapped into many
//! reservations, and copied page by page as it is written to.

use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::os;

/// Bytes in a page of this system.
#[inline]
pub fn page_size() -> usize {
    os::mapping::page_size()
}

/// `bytes` rounded up to whole pages, or `None` when that overflows.
pub fn round_up_to_pages(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(page_size())
}

/// Bytes of address space that this process may still map, where a limit such as `ulimit -v` says so.
pub fn address_space_left() -> Option<u64> {
    os::address_space::limit_and_use().map(|(limit, mapped)| limit.saturating_sub(mapped))
}

/// A range of address space. Dropping it gives back the addresses and all memory behind them.
#[derive(Debug)]
pub struct Reservation {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the range belongs to this value alone, is bound to no thread, and every method is one system call,
// or a few whose order among threads is the callers' affair.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `bytes`, rounded up to whole pages and at least one. Nothing in it can be accessed yet.
    ///
    /// # Errors
    /// When the system has no such range, or `ulimit -v` forbids it.
    pub fn new(bytes: usize) -> io::Result<Reservation> {
        let len = round_up_to_pages(bytes.max(1))
            .ok_or_else(|| invalid(format!("cannot reserve {bytes} bytes of address space")))?;
        Ok(Reservation { base: os::mapping::reserve(len)?, len })
    }

    /// Cuts it in two, which go each on its own: the first `at` bytes and the rest.
    ///
    /// # Errors
    /// When one of them would have no pages, or `at` is no whole number of pages; the whole is gone then.
    pub fn split(self, at: usize) -> io::Result<(Reservation, Reservation)> {
        let base = self.part(at, self.len.saturating_sub(at))?;
        let (Some(second), true) = (NonNull::new(base), at > 0 && at < self.len) else {
            return Err(invalid(format!("{:#x} bytes cannot be cut at {at:#x}", self.len)));
        };
        let whole = ManuallyDrop::new(self);
        Ok((Reservation { base: whole.base, len: at }, Reservation { base: second, len: whole.len - at }))
    }

    /// The first byte. Page-aligned, never null.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes reserved, whole pages.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a reservation is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether `address` lies in the range.
    #[inline]
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.as_ptr() as usize) < self.len
    }

    /// Makes pages readable and writable. Those that were not so before read as zero; the others keep what
    /// they hold.
    ///
    /// # Errors
    /// When `offset` or `len` is no whole number of pages, the part lies outside, or the system refuses.
    pub fn commit(&self, offset: usize, len: usize) -> io::Result<()> {
        self.each_page(offset, len, os::mapping::commit)
    }

    /// Gives pages back and makes any access to them fault.
    ///
    /// # Errors
    /// As [`Reservation::commit`].
    pub fn decommit(&self, offset: usize, len: usize) -> io::Result<()> {
        self.each_page(offset, len, os::mapping::decommit)
    }

    /// Makes pages readable and writable, and zero: what they held is given back, an [`Image`] too.
    ///
    /// # Errors
    /// As [`Reservation::commit`].
    pub fn zero(&self, offset: usize, len: usize) -> io::Result<()> {
        self.each_page(offset, len, os::mapping::zero)
    }

    /// Gives back what was written to pages. They read as zero again, or as the [`Image`] that is mapped
    /// there. Access stays as it is. This is the cheapest way to use a range anew.
    ///
    /// # Errors
    /// As [`Reservation::commit`].
    pub fn reset(&self, offset: usize, len: usize) -> io::Result<()> {
        self.each_page(offset, len, os::mapping::reset)
    }

    /// Checks a part and applies `change` to it.
    fn each_page(
        &self,
        offset: usize,
        len: usize,
        change: unsafe fn(*mut u8, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        let at = self.part(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        // SAFETY: `part` found these whole pages inside the range, which is this value's own.
        unsafe { change(at, len) }
    }

    /// The address of `offset`, if `len` bytes from there are whole pages of the range.
    pub(crate) fn part(&self, offset: usize, len: usize) -> io::Result<*mut u8> {
        let page = page_size();
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        if !inside || !offset.is_multiple_of(page) || !len.is_multiple_of(page) {
            return Err(invalid(format!(
                "{len:#x} bytes at {offset:#x} are not whole pages of a range of {:#x} bytes",
                self.len
            )));
        }
        Ok(self.base.as_ptr().wrapping_add(offset))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the range came from `reserve` with this length, and the value that owned it is gone.
        unsafe { os::mapping::release(self.base.as_ptr(), self.len) };
    }
}

/// The initial content of memory, kept once and shared until it is written to.
#[derive(Debug)]
pub struct Image {
    file: os::mapping::ImageFile,
    /// Bytes mapped: whole pages, those after the content's end zero.
    len: usize,
}

impl Image {
    /// An image of `content`. It needs a file descriptor for as long as it lives; its bytes cannot be changed
    /// by anyone afterwards.
    ///
    /// # Errors
    /// When the system has no anonymous files, or no more of them: the caller then copies the content.
    pub fn new(content: &[u8]) -> io::Result<Image> {
        let len =
            round_up_to_pages(content.len()).ok_or_else(|| invalid("an image is too long".to_string()))?;
        Ok(Image { file: os::mapping::ImageFile::new(content, len)?, len })
    }

    /// Bytes that [`Image::map_at`] covers: the content's, rounded up to whole pages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to map.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Maps the image into `reservation`, readable and writable, in place of what was there. What is written
    /// to it afterwards is private.
    ///
    /// # Errors
    /// When `offset` is no whole number of pages, the image does not fit, or the system refuses.
    pub fn map_at(&self, reservation: &Reservation, offset: usize) -> io::Result<()> {
        let at = reservation.part(offset, self.len)?;
        if self.len == 0 {
            return Ok(());
        }
        // SAFETY: `part` found these whole pages inside the range, which is the reservation's own.
        unsafe { self.file.map(at, self.len) }
    }
}

/// An argument that cannot be right.
pub(crate) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
