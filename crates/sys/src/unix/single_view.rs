//! Code pages where the system does not map pages twice.
//!
//! Changing the access of a page that other threads execute would make them fault. So code is put together
//! on new pages elsewhere, which become executable once they are complete and are then moved over the old
//! ones. The system does that in one step: a thread that executes there sees the old page or the new one,
//! and both hold the same code but for the bytes that nobody uses yet.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;

use rustix::mm::{MprotectFlags, MremapFlags, mprotect, mremap_fixed};

use super::mapping::{READ_EXEC, READ_WRITE, anonymous, page_size, release, replace};
use crate::Reservation;

#[derive(Debug)]
pub struct SingleView {
    /// The code, read and execute; then the data.
    exec: Reservation,
    /// Held while pages are exchanged: two writers may meet in one page.
    exchange: Mutex<()>,
}

impl SingleView {
    /// `code_len` bytes of code, then `data_len` bytes of data.
    pub fn new(code_len: usize, data_len: usize) -> io::Result<SingleView> {
        let exec = Reservation::new(code_len + data_len)?;
        // SAFETY: `exec` is new and starts with `code_len` bytes for the code.
        unsafe { replace(exec.base(), code_len, READ_EXEC)? };
        exec.commit(code_len, data_len)?;
        Ok(SingleView { exec, exchange: Mutex::new(()) })
    }

    pub fn exec_base(&self) -> *mut u8 {
        self.exec.base()
    }

    /// # Safety
    /// The bytes lie inside the code, and nobody reads or writes them during the call.
    pub unsafe fn write(&self, offset: usize, code: &[u8]) -> io::Result<()> {
        if code.is_empty() {
            return Ok(());
        }
        let page = page_size();
        let start = offset - offset % page;
        let len = (offset + code.len()).next_multiple_of(page) - start;
        let old = self.exec.base().wrapping_add(start);

        let _exchanging = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let new = anonymous(len, READ_WRITE)?.as_ptr();
        // SAFETY: `new` has `len` bytes and is known to nobody; `old` are pages of the code, always readable,
        // and written by nobody but under the lock.
        unsafe { new.copy_from_nonoverlapping(old, len) };
        // SAFETY: the pages of `new` were chosen to hold these bytes.
        unsafe { new.wrapping_add(offset - start).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
        // SAFETY: both ranges are whole pages of this block's own.
        let exchanged = unsafe { exchange(new, old, len) };
        if exchanged.is_err() {
            // SAFETY: `new` was not moved and is known to nobody else.
            unsafe { release(new, len) };
        }
        exchanged
    }

    /// # Safety
    /// These are whole pages of the code, and nobody uses what is there during the call or afterwards.
    pub unsafe fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let _exchanging = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: by the caller's promise the pages are free to be mapped over.
        unsafe { replace(self.exec.base().wrapping_add(offset), len, READ_EXEC) }
    }
}

/// Makes the pages at `new` executable and moves them to `old`.
///
/// # Safety
/// Both are ranges of whole pages that the caller owns, and `new` holds what `old` holds in all bytes that
/// anyone uses.
unsafe fn exchange(new: *mut u8, old: *mut u8, len: usize) -> io::Result<()> {
    // SAFETY: nobody else knows the pages, so nobody is writing to them.
    unsafe { mprotect(new.cast(), len, MprotectFlags::READ | MprotectFlags::EXEC)? };
    // SAFETY: the caller's promise.
    unsafe { mremap_fixed(new.cast(), len, len, MremapFlags::MAYMOVE, old.cast())? };
    Ok(())
}
