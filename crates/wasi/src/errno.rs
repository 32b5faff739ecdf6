//! From the host's errors to the guest's.

use crate::os;
use crate::types::Errno;
use std::io;

/// Why a host function did not do what it was asked.
pub(crate) enum Failure {
    /// The guest is told, and goes on.
    Errno(Errno),
    /// The guest ends here; the embedder gets the error.
    Trap(tenure::Error),
}

/// What a host function returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Errno(error.into())
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        if let Some(code) = error.raw_os_error() {
            return os::errno(code);
        }
        match error.kind() {
            // From `cap-std`: the path would have led out of its directory.
            ErrorKind::PermissionDenied => Self::Perm,
            ErrorKind::NotFound => Self::Noent,
            ErrorKind::AlreadyExists => Self::Exist,
            ErrorKind::InvalidInput | ErrorKind::InvalidFilename => Self::Inval,
            ErrorKind::WouldBlock => Self::Again,
            ErrorKind::Interrupted => Self::Intr,
            ErrorKind::BrokenPipe => Self::Pipe,
            ErrorKind::StorageFull => Self::Nospc,
            ErrorKind::OutOfMemory => Self::Nomem,
            ErrorKind::Unsupported => Self::Notsup,
            ErrorKind::NotADirectory => Self::Notdir,
            ErrorKind::IsADirectory => Self::Isdir,
            ErrorKind::NotSeekable => Self::Spipe,
            ErrorKind::TimedOut => Self::Timedout,
            _ => Self::Io,
        }
    }
}
