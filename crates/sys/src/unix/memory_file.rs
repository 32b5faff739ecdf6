//! Files without a name that live in memory.

use std::fs::File;
use std::io;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::process::{Resource, getrlimit};

/// A file of `len` zero bytes that takes no memory yet. Not inherited by programs that are executed.
pub fn create(name: &str, len: usize) -> io::Result<File> {
    let len = len as u64;
    // Growing a file over the limit does not only fail: it sends a signal that ends the process.
    if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < len) {
        let message = format!("a file of {len} bytes is over the limit on file sizes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, len)?;
    Ok(File::from(file))
}
