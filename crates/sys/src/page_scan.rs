//! Which pages of private memory were written.
//!
//! A page of an anonymous or copy-on-write mapping is as it was first unless something wrote to it: then it has
//! memory of its own. The system can list those pages, so that putting memory back to its first state costs what
//! was written, not what there is.

use std::io;
use std::ops::Range;

use crate::Reservation;
use crate::os;

/// Asks the system which pages were written. It needs a file descriptor for as long as it lives.
///
/// # Fork
/// A child process gets errors: what it would be told are its parent's pages.
#[derive(Debug)]
pub struct PageScan {
    scan: os::page_scan::PageScan,
    /// The process whose pages it knows.
    process: u32,
}

impl PageScan {
    /// Opens it.
    ///
    /// # Errors
    /// When this system cannot tell, or does not let this process ask.
    pub fn new() -> io::Result<Self> {
        let scan = Self { scan: os::page_scan::PageScan::new()?, process: std::process::id() };
        let probe = Reservation::new(1)?;
        scan.written(&probe, 0..probe.len(), usize::MAX, &mut Vec::new())?;
        Ok(scan)
    }

    /// Lists in `found` the parts of `part`, offsets in `reservation`, that were written since they were mapped or
    /// [reset](Reservation::reset): whole pages, rising. False, with an incomplete list, when that is more than
    /// `most` bytes.
    ///
    /// Nothing that was written is left out; pages that were not may be listed.
    ///
    /// # Errors
    /// When `part` is not whole pages of the range, this is another process than the one that opened it, or the
    /// system refuses.
    pub fn written(
        &self,
        reservation: &Reservation,
        part: Range<usize>,
        most: usize,
        found: &mut Vec<Range<usize>>,
    ) -> io::Result<bool> {
        found.clear();
        let start = reservation.part(part.start, part.len())? as usize;
        let process = std::process::id();
        if process != self.process {
            let message = format!("process {process} cannot ask for pages of process {}", self.process);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let base = reservation.base() as usize;
        let mut left = most;
        self.scan.written(start..start + part.len(), |pages| {
            let fits = pages.len() <= left;
            left = left.saturating_sub(pages.len());
            found.push(pages.start - base..pages.end - base);
            fits
        })
    }
}
