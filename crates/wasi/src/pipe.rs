//! Standard streams in memory.
//!
//! A clone is the same pipe: the guest gets one, the embedder keeps the other.

use crate::cli::{IsTerminal, Readiness, StdinStream, StdoutStream};
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes for a guest to read; then the end.
#[derive(Clone, Debug)]
pub struct MemoryInputPipe {
    content: Arc<Mutex<io::Cursor<Vec<u8>>>>,
}

impl MemoryInputPipe {
    /// A pipe that holds `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { content: Arc::new(Mutex::new(io::Cursor::new(bytes.into()))) }
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    fn remaining(&self) -> u64 {
        let cursor = lock(&self.content);
        let len = u64::try_from(cursor.get_ref().len()).unwrap_or(u64::MAX);
        len.saturating_sub(cursor.position())
    }
}

impl IsTerminal for MemoryInputPipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for MemoryInputPipe {
    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        lock(&self.content).read_vectored(buffers)
    }

    fn readiness(&self) -> Readiness<'_> {
        let bytes = self.remaining();
        Readiness::Now { bytes, hangup: bytes == 0 }
    }
}

/// Keeps what a guest writes.
#[derive(Clone, Debug)]
pub struct MemoryOutputPipe {
    content: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl MemoryOutputPipe {
    /// A pipe that takes `capacity` bytes. A guest that writes more gets `errno::nospc`.
    pub fn new(capacity: usize) -> Self {
        Self { content: Arc::default(), capacity }
    }

    /// A copy of what has been written.
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.content).clone()
    }

    /// What has been written, if this is the last of the clones.
    pub fn try_into_inner(self) -> Option<Vec<u8>> {
        let content = Arc::into_inner(self.content)?;
        Some(content.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IsTerminal for MemoryOutputPipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for MemoryOutputPipe {
    fn write(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut content = lock(&self.content);
        let before = content.len();
        for buffer in buffers {
            let room = self.capacity.saturating_sub(content.len());
            let (taken, _) = buffer.split_at(room.min(buffer.len()));
            content.extend_from_slice(taken);
        }
        let written = content.len() - before;
        if written == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(written)
    }

    fn readiness(&self) -> Readiness<'_> {
        let room = self.capacity.saturating_sub(lock(&self.content).len());
        Readiness::Now { bytes: u64::try_from(room).unwrap_or(u64::MAX), hangup: false }
    }
}

/// A panic while the lock was held leaves the bytes as they are: there is nothing to repair.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_takes_a_part_and_then_nothing() {
        let pipe = MemoryOutputPipe::new(5);
        let mut end = pipe.clone();
        assert_eq!(end.write(&[IoSlice::new(b"abc"), IoSlice::new(b"def")]).unwrap(), 5);
        assert_eq!(end.write(&[IoSlice::new(b"")]).unwrap(), 0);
        assert_eq!(end.write(&[IoSlice::new(b"g")]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        drop(end);
        assert_eq!(pipe.try_into_inner().unwrap(), b"abcde");
    }

    #[test]
    fn a_clone_reads_on_where_the_other_stopped() {
        let pipe = MemoryInputPipe::new("abc");
        let mut first = [0; 2];
        assert_eq!(pipe.clone().read(&mut [IoSliceMut::new(&mut first)]).unwrap(), 2);
        let mut second = [0; 2];
        assert_eq!(pipe.clone().read(&mut [IoSliceMut::new(&mut second)]).unwrap(), 1);
        assert_eq!((&first, &second), (b"ab", b"c\0"));
        assert!(pipe.is_empty());
    }
}
