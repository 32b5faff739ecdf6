//! Code memory: written through one mapping, executed through another.
//!
//! ```text
//! exec view    [ code: read, execute          | data: read, write ]   one range of at most 2 GiB
//! write view   [ code: read, write            ]                       somewhere else
//!                └ the same pages as above ┘
//! ```
//!
//! No page is writable and executable in one view, and publishing code needs no system call. The data part
//! stands within reach of 32-bit distances from all of the code: there lie the pointers that code calls
//! through.
//!
//! Where the system gives no such pages, there is one view only, and code is put in place by exchanging whole
//! pages: slower, but with the same guarantees to threads that execute the code around it.

use std::io;

use crate::mapping::{invalid, page_size, round_up_to_pages};
use crate::{cpu, os};

/// The farthest that two places in one block of code and data may lie apart.
const REACH: usize = i32::MAX as usize;

/// A block of code memory and the data beside it.
///
/// Memory is spent as code is written, not at once; code that was never written, or was discarded, reads as
/// zero. Data is private, zero at first, and always readable and writable.
///
/// # Fork
/// A child process shares the pages of its parent. It may execute what is there, but not write or discard:
/// these calls fail in it, since they would change the parent's code.
#[derive(Debug)]
pub struct CodePages {
    view: View,
    code_len: usize,
    data_len: usize,
    /// The process whose pages these are.
    process: u32,
}

#[derive(Debug)]
enum View {
    Dual(os::dual_view::DualView),
    Single(os::single_view::SingleView),
}

impl CodePages {
    /// A block with room for `code_bytes` of code, then `data_bytes` of data, each rounded up to whole pages.
    ///
    /// # Errors
    /// When both together exceed 2 GiB, or the system refuses memory that can be executed, or has no more.
    pub fn new(code_bytes: usize, data_bytes: usize) -> io::Result<CodePages> {
        let (code_len, data_len) = lengths(code_bytes, data_bytes)?;
        match os::dual_view::DualView::new(code_len, data_len) {
            Ok(view) => Ok(CodePages::over(View::Dual(view), code_len, data_len)),
            Err(_) => CodePages::new_single_view(code_bytes, data_bytes),
        }
    }

    /// A block as [`CodePages::new`] makes it where the system does not map pages twice.
    ///
    /// # Errors
    /// As [`CodePages::new`].
    pub fn new_single_view(code_bytes: usize, data_bytes: usize) -> io::Result<CodePages> {
        let (code_len, data_len) = lengths(code_bytes, data_bytes)?;
        let view = os::single_view::SingleView::new(code_len, data_len)?;
        Ok(CodePages::over(View::Single(view), code_len, data_len))
    }

    fn over(view: View, code_len: usize, data_len: usize) -> CodePages {
        CodePages { view, code_len, data_len, process: std::process::id() }
    }

    /// Where the code is executed. Page-aligned.
    #[inline]
    pub fn exec_base(&self) -> *const u8 {
        self.base()
    }

    /// Bytes of code, whole pages.
    #[inline]
    pub fn code_len(&self) -> usize {
        self.code_len
    }

    /// Where the data is: directly behind the code, at `exec_base() + code_len()`.
    #[inline]
    pub fn data_base(&self) -> *mut u8 {
        self.base().wrapping_add(self.code_len)
    }

    /// Bytes of data, whole pages.
    #[inline]
    pub fn data_len(&self) -> usize {
        self.data_len
    }

    /// Whether code is written through a mapping of its own.
    pub fn is_dual_view(&self) -> bool {
        matches!(self.view, View::Dual(_))
    }

    fn base(&self) -> *mut u8 {
        match &self.view {
            View::Dual(view) => view.exec_base(),
            View::Single(view) => view.exec_base(),
        }
    }

    /// Writes code at `offset`. A thread that learns of it afterwards (by an acquire load of what this thread
    /// stored with release) may execute it.
    ///
    /// # Errors
    /// When the code does not fit there, this is another process than the one that made the block, or the
    /// system has no more memory. Nothing is written then.
    ///
    /// # Safety
    /// No thread executes or reads these bytes, or writes or discards any of them, during the call. Any other
    /// part of the block may be in use.
    pub unsafe fn write(&self, offset: usize, code: &[u8]) -> io::Result<()> {
        if offset.checked_add(code.len()).is_none_or(|end| end > self.code_len) {
            return Err(invalid(format!(
                "{:#x} bytes of code do not fit at {offset:#x} of {:#x}",
                code.len(),
                self.code_len
            )));
        }
        self.check_process()?;
        match &self.view {
            // SAFETY: the bytes lie inside the code, and by the caller's promise nobody uses them.
            View::Dual(view) => unsafe { view.write(offset, code) },
            // SAFETY: as above.
            View::Single(view) => unsafe { view.write(offset, code)? },
        }
        cpu::flush_instructions(self.exec_base().wrapping_add(offset), code.len());
        Ok(())
    }

    /// Gives back pages of code; they read as zero.
    ///
    /// # Errors
    /// When `offset` or `len` is no whole number of pages, the pages are not all code, this is another process
    /// than the one that made the block, or the system refuses.
    ///
    /// # Safety
    /// No thread executes, reads, writes or discards any of these pages during the call, nor executes what
    /// was there afterwards.
    pub unsafe fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        check_pages(offset, len, self.code_len)?;
        self.check_process()?;
        if len == 0 {
            return Ok(());
        }
        match &self.view {
            // SAFETY: whole pages of the code, which by the caller's promise nobody uses.
            View::Dual(view) => unsafe { view.discard(offset, len) },
            // SAFETY: as above.
            View::Single(view) => unsafe { view.discard(offset, len) },
        }
    }

    /// Gives back pages of data, by their offset from [`CodePages::data_base`]; they read as zero and stay
    /// writable.
    ///
    /// # Errors
    /// When `offset` or `len` is no whole number of pages, the pages are not all data, or the system refuses.
    ///
    /// # Safety
    /// No thread uses any of these pages during the call, nor relies on what was there afterwards.
    pub unsafe fn discard_data(&self, offset: usize, len: usize) -> io::Result<()> {
        check_pages(offset, len, self.data_len)?;
        if len == 0 {
            return Ok(());
        }
        // SAFETY: whole pages of the data, which is private memory of this block's own.
        unsafe { os::mapping::reset(self.data_base().wrapping_add(offset), len) }
    }

    fn check_process(&self) -> io::Result<()> {
        let process = std::process::id();
        if process == self.process {
            return Ok(());
        }
        let message =
            format!("code pages of process {} cannot be changed by process {process}", self.process);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

/// Both lengths in whole pages, together within reach.
fn lengths(code_bytes: usize, data_bytes: usize) -> io::Result<(usize, usize)> {
    let code_len = round_up_to_pages(code_bytes.max(1)).unwrap_or(usize::MAX);
    let data_len = round_up_to_pages(data_bytes).unwrap_or(usize::MAX);
    if code_len.saturating_add(data_len) > REACH {
        return Err(invalid(format!("{code_bytes} bytes of code and {data_bytes} of data exceed 2 GiB")));
    }
    Ok((code_len, data_len))
}

fn check_pages(offset: usize, len: usize, of: usize) -> io::Result<()> {
    let page = page_size();
    let inside = offset.checked_add(len).is_some_and(|end| end <= of);
    if inside && offset.is_multiple_of(page) && len.is_multiple_of(page) {
        return Ok(());
    }
    Err(invalid(format!("{len:#x} bytes at {offset:#x} are not whole pages of {of:#x} bytes")))
}
