//! Code pages as one file in memory, mapped twice.

use std::fs::File;
use std::io;

use rustix::fs::{FallocateFlags, fallocate};

use super::mapping::{READ_EXEC, READ_WRITE, map_shared};
use super::memory_file;
use crate::Reservation;

/// From how many bytes on a call of the system costs less than the faults of new pages.
const MUCH: usize = 32 << 10;

#[derive(Debug)]
pub struct DualView {
    /// The code, read and execute; then the data, which is no part of the file.
    exec: Reservation,
    /// The code, read and write.
    write: Reservation,
    file: File,
}

impl DualView {
    /// Both views of `code_len` bytes of code, and `data_len` bytes of data.
    pub fn new(code_len: usize, data_len: usize) -> io::Result<DualView> {
        let file = memory_file::create("tenure-code", code_len)?;
        let exec = Reservation::new(code_len + data_len)?;
        // SAFETY: `exec` is new and starts with `code_len` bytes for the code.
        unsafe { map_shared(exec.base(), code_len, READ_EXEC, &file)? };
        exec.commit(code_len, data_len)?;
        let write = Reservation::new(code_len)?;
        // SAFETY: `write` is new and has `code_len` bytes; `write` below says who may read meanwhile.
        unsafe { map_shared(write.base(), code_len, READ_WRITE, &file)? };
        Ok(DualView { exec, write, file })
    }

    pub fn exec_base(&self) -> *mut u8 {
        self.exec.base()
    }

    /// # Safety
    /// The bytes lie inside the code, and nobody reads or writes them during the call.
    pub unsafe fn write(&self, mut offset: usize, mut code: &[u8]) {
        // Much at once goes to the file: page by page, the system would have to be asked for each page that is new.
        while code.len() >= MUCH {
            let Ok(count @ 1..) = rustix::io::pwrite(&self.file, code, offset as u64) else { break };
            offset += count;
            code = &code[count..];
        }
        let target = self.write.base().wrapping_add(offset);
        // SAFETY: the target lies in the write view and is nobody else's during the call; `code` cannot overlap
        // it, since no reference is ever made to a view.
        unsafe { target.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    }

    /// # Safety
    /// These are whole pages of the code, and nobody uses what is there during the call or afterwards.
    pub unsafe fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&self.file, flags, offset as u64, len as u64)?;
        Ok(())
    }
}
