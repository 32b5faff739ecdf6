//! Standard streams and signals of a new process.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{IntoRawFd, RawFd};

/// Opens `/dev/null` for standard input, output and error if they are closed.
pub fn open_standard_streams() -> io::Result<()> {
    for stream in 0..3 {
        if !is_open(stream)? {
            // The system gives the lowest number that is free: those below are open by now.
            let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
            // It is never closed.
            let _ = null.into_raw_fd();
        }
    }
    Ok(())
}

fn is_open(descriptor: RawFd) -> io::Result<bool> {
    // SAFETY: only asks, by number.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } != -1 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EBADF) => Ok(false),
        error => Err(error),
    }
}

pub fn ignore_broken_pipes() -> io::Result<()> {
    // SAFETY: a disposition that is no handler runs nothing of ours.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
