//! Asking for written pages, as Linux has it since 6.7.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// The request `PAGEMAP_SCAN`: both ways, 'f', 16, and the size of its argument.
const PAGEMAP_SCAN: libc::Ioctl = (3 << 30 | (size_of::<Scan>() << 16) | (0x66 << 8) | 16) as libc::Ioctl;

/// What a page can be, as bits.
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;
const ZERO: u64 = 1 << 5;

/// The argument of the request.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_len: u64,
    max_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

/// Neighbouring pages that are alike.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    is: u64,
}

#[derive(Debug)]
pub struct PageScan(File);

impl PageScan {
    pub fn new() -> io::Result<Self> {
        Ok(Self(File::open("/proc/self/pagemap")?))
    }

    /// Gives `each` the written parts of `pages`, addresses, until it says no; whether it never did.
    pub fn written(
        &self,
        pages: Range<usize>,
        mut each: impl FnMut(Range<usize>) -> bool,
    ) -> io::Result<bool> {
        let mut regions = [Region::default(); 64];
        let mut at = pages.start as u64;
        while at < pages.end as u64 {
            // Pages with memory of their own: there, or swapped out, and neither a file's nor the one zero page.
            let mut scan = Scan {
                size: size_of::<Scan>() as u64,
                start: at,
                end: pages.end as u64,
                regions: regions.as_mut_ptr().expose_provenance() as u64,
                regions_len: regions.len() as u64,
                inverted: FILE | ZERO,
                all_of: FILE | ZERO,
                any_of: PRESENT | SWAPPED,
                returned: PRESENT,
                ..Scan::default()
            };
            // SAFETY: the argument is what the request takes; the system writes to it, and at most as many regions
            // as there is room for.
            let count = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut scan) };
            let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
            for region in &regions[..count.min(regions.len())] {
                let (start, end) = (region.start.max(at), region.end.min(pages.end as u64));
                if start < end && !each(start as usize..end as usize) {
                    return Ok(false);
                }
            }
            if scan.walk_end <= at {
                return Err(io::Error::other("the system does not say how far it looked"));
            }
            at = scan.walk_end;
        }
        Ok(true)
    }
}
