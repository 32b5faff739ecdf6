//! The guest's memory during one host call: every access is checked here.
//!
//! A pointer from a guest is any `u32`. What does not lie in the memory is [`Errno::Fault`].
//! Alignment is not asked for: every access goes byte by byte.

use crate::types::{Errno, iovec};
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;

/// Longer paths are refused before anything is done with them; Linux's `PATH_MAX`.
const MAX_PATH: u32 = 4096;

/// One call looks at no more buffers than this, and does less than it was asked if there are
/// more, as the interface allows. POSIX's `IOV_MAX` on Linux.
const MAX_BUFFERS: u32 = 1024;

/// One call moves no more bytes than this, and does less than it was asked if there are more: nothing interrupts it.
const MAX_TRANSFER: usize = 64 << 20;

/// The guest's memory.
pub(crate) struct GuestMem<'a> {
    bytes: &'a mut [u8],
}

impl<'a> GuestMem<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// The `len` bytes at `at`.
    pub(crate) fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Errno> {
        self.bytes.get(span(at, 0, to_usize(len)?)?).ok_or(Errno::Fault)
    }

    /// The `len` bytes at `at`, to be written.
    pub(crate) fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Errno> {
        self.bytes.get_mut(span(at, 0, to_usize(len)?)?).ok_or(Errno::Fault)
    }

    /// Checks that `len` bytes can be written at `at`: a call that leaves something behind asks
    /// before it begins.
    pub(crate) fn check(&self, at: u32, len: usize) -> Result<(), Errno> {
        self.bytes.get(span(at, 0, len)?).map(|_| ()).ok_or(Errno::Fault)
    }

    /// The path of `len` bytes at `at`.
    ///
    /// # Errors
    /// [`Errno::Nametoolong`], [`Errno::Ilseq`] if it is not UTF-8, [`Errno::Inval`] if a NUL is in it.
    pub(crate) fn path(&self, at: u32, len: u32) -> Result<&str, Errno> {
        let bytes = self.bytes(at, len)?;
        if len > MAX_PATH {
            return Err(Errno::Nametoolong);
        }
        let path = std::str::from_utf8(bytes).map_err(|_| Errno::Ilseq)?;
        if path.contains('\0') { Err(Errno::Inval) } else { Ok(path) }
    }

    /// Where element `index` of an array at `at` is, whose elements take `stride` bytes.
    pub(crate) fn element(at: u32, index: u32, stride: u32) -> Result<u32, Errno> {
        index.checked_mul(stride).and_then(|offset| at.checked_add(offset)).ok_or(Errno::Fault)
    }

    /// Checks that an array of `count` elements of `stride` bytes lies at `at`.
    pub(crate) fn check_array(&self, at: u32, count: u32, stride: u32) -> Result<(), Errno> {
        let len = count.checked_mul(stride).ok_or(Errno::Fault)?;
        self.check(at, to_usize(len)?)
    }

    pub(crate) fn u8(&self, at: u32, offset: usize) -> Result<u8, Errno> {
        self.read(at, offset).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&self, at: u32, offset: usize) -> Result<u16, Errno> {
        self.read(at, offset).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&self, at: u32, offset: usize) -> Result<u32, Errno> {
        self.read(at, offset).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&self, at: u32, offset: usize) -> Result<u64, Errno> {
        self.read(at, offset).map(u64::from_le_bytes)
    }

    pub(crate) fn set_u8(&mut self, at: u32, offset: usize, value: u8) -> Result<(), Errno> {
        self.write(at, offset, value.to_le_bytes())
    }

    pub(crate) fn set_u16(&mut self, at: u32, offset: usize, value: u16) -> Result<(), Errno> {
        self.write(at, offset, value.to_le_bytes())
    }

    pub(crate) fn set_u32(&mut self, at: u32, offset: usize, value: u32) -> Result<(), Errno> {
        self.write(at, offset, value.to_le_bytes())
    }

    pub(crate) fn set_u64(&mut self, at: u32, offset: usize, value: u64) -> Result<(), Errno> {
        self.write(at, offset, value.to_le_bytes())
    }

    /// Writes `value` at `at` as a `size`.
    ///
    /// # Errors
    /// [`Errno::Overflow`] if it has more than 32 bits.
    pub(crate) fn set_size(&mut self, at: u32, value: usize) -> Result<(), Errno> {
        self.set_u32(at, 0, u32::try_from(value).map_err(|_| Errno::Overflow)?)
    }

    /// Fills `len` bytes at `at` with zeros.
    pub(crate) fn clear(&mut self, at: u32, len: usize) -> Result<(), Errno> {
        self.bytes.get_mut(span(at, 0, len)?).ok_or(Errno::Fault)?.fill(0);
        Ok(())
    }

    /// The buffers of a `ciovec_array`, to be read straight from the memory.
    pub(crate) fn sources(&self, iovs: u32, count: u32) -> Result<Vec<IoSlice<'_>>, Errno> {
        let mut sources = Vec::new();
        self.each_buffer(iovs, count, |range| sources.extend(self.bytes.get(range).map(IoSlice::new)))?;
        Ok(sources)
    }

    /// The buffers of an `iovec_array`, to be written straight into the memory.
    ///
    /// If two of them overlap only the first is given: the call then does less than asked.
    pub(crate) fn targets(&mut self, iovs: u32, count: u32) -> Result<Vec<IoSliceMut<'_>>, Errno> {
        let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
        self.each_buffer(iovs, count, |range| ranges.push((ranges.len(), range)))?;
        ranges.sort_by_key(|(_, range)| range.start);
        let overlap = ranges.iter().zip(ranges.iter().skip(1)).any(|((_, a), (_, b))| a.end > b.start);
        if overlap {
            ranges.retain(|(index, _)| *index == 0);
        }

        // Cut the memory at the buffers' borders from its start to its end, then put the pieces
        // back into the guest's order.
        let mut pieces = Vec::with_capacity(ranges.len());
        let mut rest = &mut *self.bytes;
        let mut cut = 0;
        for (index, range) in ranges {
            let (_, tail) = rest.split_at_mut_checked(range.start - cut).ok_or(Errno::Fault)?;
            let (piece, tail) = tail.split_at_mut_checked(range.len()).ok_or(Errno::Fault)?;
            pieces.push((index, IoSliceMut::new(piece)));
            rest = tail;
            cut = range.end;
        }
        pieces.sort_by_key(|(index, _)| *index);
        Ok(pieces.into_iter().map(|(_, piece)| piece).collect())
    }

    /// Visits the places of an iovec array's buffers: each is in the memory and not empty.
    fn each_buffer(&self, iovs: u32, count: u32, mut visit: impl FnMut(Range<usize>)) -> Result<(), Errno> {
        self.check_array(iovs, count, iovec::BYTES)?;
        let mut room = MAX_TRANSFER;
        for index in 0..count.min(MAX_BUFFERS) {
            let at = Self::element(iovs, index, iovec::BYTES)?;
            let len = to_usize(self.u32(at, iovec::BUF_LEN)?)?;
            if len == 0 {
                continue;
            }
            let range = span(self.u32(at, iovec::BUF)?, 0, len)?;
            if range.end > self.bytes.len() {
                return Err(Errno::Fault);
            }
            let len = len.min(room);
            room -= len;
            if len > 0 {
                visit(range.start..range.start + len);
            }
        }
        Ok(())
    }

    fn read<const N: usize>(&self, at: u32, offset: usize) -> Result<[u8; N], Errno> {
        let bytes = self.bytes.get(span(at, offset, N)?).ok_or(Errno::Fault)?;
        bytes.try_into().map_err(|_| Errno::Fault)
    }

    fn write<const N: usize>(&mut self, at: u32, offset: usize, value: [u8; N]) -> Result<(), Errno> {
        let bytes = self.bytes.get_mut(span(at, offset, N)?).ok_or(Errno::Fault)?;
        bytes.copy_from_slice(&value);
        Ok(())
    }
}

/// The places `at + offset .. at + offset + len`, which may lie outside of the memory.
fn span(at: u32, offset: usize, len: usize) -> Result<Range<usize>, Errno> {
    let start = to_usize(at)?.checked_add(offset).ok_or(Errno::Fault)?;
    let end = start.checked_add(len).ok_or(Errno::Fault)?;
    Ok(start..end)
}

fn to_usize(value: u32) -> Result<usize, Errno> {
    usize::try_from(value).map_err(|_| Errno::Fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory of 64 bytes whose first bytes are these iovecs.
    fn memory(iovecs: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            iovecs.iter().flat_map(|(at, len)| [at.to_le_bytes(), len.to_le_bytes()].concat()).collect();
        bytes.resize(64, 0);
        bytes
    }

    /// Fills each target with its index and returns the memory from byte 32 on.
    fn fill(iovecs: &[(u32, u32)]) -> Result<Vec<u8>, Errno> {
        let mut bytes = memory(iovecs);
        let mut mem = GuestMem::new(&mut bytes);
        let count = u32::try_from(iovecs.len()).unwrap();
        for (index, target) in mem.targets(0, count)?.iter_mut().enumerate() {
            target.fill(u8::try_from(index).unwrap() + 1);
        }
        Ok(bytes.split_off(32))
    }

    #[test]
    fn targets_keep_the_guests_order() {
        let bytes = fill(&[(40, 2), (32, 3), (35, 1)]).unwrap();
        assert_eq!(&bytes[..12], [2, 2, 2, 3, 0, 0, 0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn of_overlapping_targets_only_the_first_is_given() {
        let bytes = fill(&[(36, 2), (32, 6), (48, 1)]).unwrap();
        assert_eq!(&bytes[..8], [0, 0, 0, 0, 1, 1, 0, 0]);
        assert!(bytes[8..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn empty_buffers_need_no_valid_pointer() {
        assert!(fill(&[(u32::MAX, 0), (32, 1)]).is_ok());
    }

    #[test]
    fn a_buffer_outside_is_a_fault() {
        for (at, len) in [(63, 2), (64, 1), (u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
            assert_eq!(fill(&[(at, len)]), Err(Errno::Fault), "{at} {len}");
        }
    }

    #[test]
    fn an_array_outside_is_a_fault() {
        let mut bytes = memory(&[]);
        let mut mem = GuestMem::new(&mut bytes);
        for (at, count) in [(0, 9), (60, 1), (0, 0x2000_0000), (0, u32::MAX), (u32::MAX, 1)] {
            assert_eq!(mem.sources(at, count).map(|_| ()), Err(Errno::Fault), "{at} {count}");
            assert_eq!(mem.targets(at, count).map(|_| ()), Err(Errno::Fault), "{at} {count}");
        }
    }

    #[test]
    fn one_call_moves_no_more_than_takes_a_moment() {
        let mut bytes = vec![0; MAX_TRANSFER + (2 << 16)];
        let (first, second) = (MAX_TRANSFER as u32 - 8, 1_u32 << 16);
        bytes[..16].copy_from_slice(&[0, first, 64, second].map(u32::to_le_bytes).concat());
        let mut mem = GuestMem::new(&mut bytes);
        let len = |buffers: Vec<usize>| (buffers.len(), buffers.iter().sum());
        assert_eq!(len(mem.sources(0, 2).unwrap().iter().map(|at| at.len()).collect()), (2, MAX_TRANSFER));
        // The two overlap.
        assert_eq!(
            len(mem.targets(0, 2).unwrap().iter().map(|at| at.len()).collect()),
            (1, MAX_TRANSFER - 8)
        );
        bytes[4..8].copy_from_slice(&(MAX_TRANSFER as u32 + 1).to_le_bytes());
        let mem = GuestMem::new(&mut bytes);
        assert_eq!(len(mem.sources(0, 2).unwrap().iter().map(|at| at.len()).collect()), (1, MAX_TRANSFER));
    }

    #[test]
    fn one_call_looks_at_no_more_buffers_than_linux_would() {
        let mut bytes = vec![0; 1 << 16];
        for index in 0..2048 {
            bytes[index * 8..][..8].copy_from_slice(&0x1_0000_0000_0000_u64.to_le_bytes()); // 0, 65536
        }
        let mem = GuestMem::new(&mut bytes);
        assert_eq!(mem.sources(0, 2048).unwrap().len(), 1024);
    }

    #[test]
    fn a_path_is_short_utf8_without_nul() {
        let mut bytes = vec![b'a'; 8192];
        bytes[100] = 0;
        bytes[200] = 0xff;
        let mem = GuestMem::new(&mut bytes);
        assert_eq!(mem.path(0, 3), Ok("aaa"));
        assert_eq!(mem.path(300, 4096).map(str::len), Ok(4096));
        assert_eq!(mem.path(300, 4097), Err(Errno::Nametoolong));
        assert_eq!(mem.path(99, 3), Err(Errno::Inval));
        assert_eq!(mem.path(199, 3), Err(Errno::Ilseq));
        assert_eq!(mem.path(8190, 3), Err(Errno::Fault));
    }
}
