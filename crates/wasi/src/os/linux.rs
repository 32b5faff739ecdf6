//! What neither the standard library nor `cap-std` offers, from Linux.
//!
//! Another system is another file with these names.

use crate::types::{Advice, Errno, FdFlags, FileStat, Filetype, NewTime, OFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, FallocateFlags, RawDir, SeekFrom, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno as Os;
use rustix::rand::GetRandomFlags;
use rustix::time::ClockId;
use std::ffi::CStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Something that the system can wait for.
pub type Handle<'a> = BorrowedFd<'a>;

/// The handle of an open file or stream.
pub(crate) fn handle(file: &impl AsFd) -> Handle<'_> {
    file.as_fd()
}

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The flags for opening a file that `cap-std` does not have under a name of its own, or ties
/// to write access, as preview 1 does not.
pub(crate) fn open_flags(oflags: OFlags, fdflags: FdFlags) -> i32 {
    use rustix::fs::OFlags as O;
    // A guest's terminal is the host's: none becomes one by being opened.
    let mut flags = O::NOCTTY;
    flags.set(O::CREATE, oflags.contains(OFlags::CREAT));
    flags.set(O::EXCL, oflags.contains(OFlags::EXCL));
    flags.set(O::TRUNC, oflags.contains(OFlags::TRUNC));
    flags.set(O::DIRECTORY, oflags.contains(OFlags::DIRECTORY));
    flags.set(O::APPEND, fdflags.contains(FdFlags::APPEND));
    flags.set(O::NONBLOCK, fdflags.contains(FdFlags::NONBLOCK));
    if fdflags.contains(FdFlags::DSYNC) {
        flags |= O::DSYNC;
    }
    if fdflags.contains(FdFlags::SYNC) || fdflags.contains(FdFlags::RSYNC) {
        flags |= O::SYNC; // contains DSYNC; RSYNC is the same bit
    }
    custom(flags)
}

/// The flags for a handle that only names a file: it can be looked at, not read.
pub(crate) fn locate_flags() -> i32 {
    custom(rustix::fs::OFlags::PATH)
}

fn custom(flags: rustix::fs::OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// The attributes of an open file.
pub(crate) fn stat(file: impl AsFd) -> io::Result<FileStat> {
    let stat = rustix::fs::fstat(file)?;
    Ok(FileStat {
        dev: stat.st_dev,
        ino: stat.st_ino,
        filetype: filetype(rustix::fs::FileType::from_raw_mode(stat.st_mode)),
        nlink: stat.st_nlink,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        atim: timestamp(stat.st_atime, stat.st_atime_nsec),
        mtim: timestamp(stat.st_mtime, stat.st_mtime_nsec),
        ctim: timestamp(stat.st_ctime, stat.st_ctime_nsec),
    })
}

/// A time before 1970 reads as 1970, one after 2554 as 2554.
fn timestamp(seconds: i64, nanoseconds: u64) -> u64 {
    u64::try_from(seconds)
        .map_or(0, |seconds| seconds.saturating_mul(NANOS_PER_SEC).saturating_add(nanoseconds))
}

fn filetype(ty: rustix::fs::FileType) -> Filetype {
    use rustix::fs::FileType;
    match ty {
        FileType::RegularFile => Filetype::RegularFile,
        FileType::Directory => Filetype::Directory,
        FileType::Symlink => Filetype::SymbolicLink,
        FileType::CharacterDevice => Filetype::CharacterDevice,
        FileType::BlockDevice => Filetype::BlockDevice,
        FileType::Socket => Filetype::SocketStream,
        FileType::Fifo | FileType::Unknown => Filetype::Unknown,
    }
}

/// Sets the time stamps of an open file, which may be a mere name (see [`locate_flags`]).
pub(crate) fn set_times(file: impl AsFd, atim: NewTime, mtim: NewTime) -> io::Result<()> {
    let times = Timestamps { last_access: timespec(atim), last_modification: timespec(mtim) };
    Ok(rustix::fs::utimensat(file, "", &times, AtFlags::EMPTY_PATH)?)
}

fn timespec(time: NewTime) -> Timespec {
    match time {
        NewTime::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        NewTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        NewTime::At(nanoseconds) => Timespec {
            tv_sec: (nanoseconds / NANOS_PER_SEC).cast_signed(), // at most 1.8e10
            tv_nsec: (nanoseconds % NANOS_PER_SEC).cast_signed(),
        },
    }
}

/// Tells the system how a part of a file will be used; `len` 0 reaches to the end.
pub(crate) fn advise(file: impl AsFd, offset: u64, len: u64, advice: Advice) -> io::Result<()> {
    use rustix::fs::Advice as A;
    let advice = match advice {
        Advice::Normal => A::Normal,
        Advice::Sequential => A::Sequential,
        Advice::Random => A::Random,
        Advice::Willneed => A::WillNeed,
        Advice::Dontneed => A::DontNeed,
        Advice::Noreuse => A::NoReuse,
    };
    Ok(rustix::fs::fadvise(file, offset, NonZeroU64::new(len), advice)?)
}

/// Makes sure that there is room for `offset .. offset + len`.
pub(crate) fn allocate(file: impl AsFd, offset: u64, len: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len)?)
}

/// Changes how an open file behaves: of `flags` only whether writes append and whether calls block.
pub(crate) fn set_status(file: impl AsFd, flags: FdFlags) -> io::Result<()> {
    use rustix::fs::OFlags as O;
    let mut status = rustix::fs::fcntl_getfl(&file)?;
    status.set(O::APPEND, flags.contains(FdFlags::APPEND));
    status.set(O::NONBLOCK, flags.contains(FdFlags::NONBLOCK));
    Ok(rustix::fs::fcntl_setfl(&file, status)?)
}

/// Flushes an open directory, with its attributes.
pub(crate) fn sync(file: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(file)?)
}

/// Reads at the file's offset.
pub(crate) fn read(file: impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    again_if_interrupted(|| rustix::io::readv(&file, buffers))
}

/// Writes at the file's offset.
pub(crate) fn write(file: impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    again_if_interrupted(|| rustix::io::writev(&file, buffers))
}

/// Reads at `offset`.
pub(crate) fn read_at(file: impl AsFd, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
    again_if_interrupted(|| rustix::io::preadv(&file, buffers, offset))
}

/// Writes at `offset`; at the end if the file appends.
pub(crate) fn write_at(file: impl AsFd, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    again_if_interrupted(|| rustix::io::pwritev(&file, buffers, offset))
}

fn again_if_interrupted(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Os::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// How many bytes can be read without waiting; 0 if the system does not say.
pub(crate) fn bytes_available(file: impl AsFd) -> u64 {
    rustix::io::ioctl_fionread(file).unwrap_or(0)
}

/// One entry of a directory.
pub(crate) struct DirEntry<'a> {
    pub(crate) name: &'a CStr,
    pub(crate) ino: u64,
    pub(crate) filetype: Filetype,
    /// Where the next entry begins.
    pub(crate) next: u64,
}

/// Gives the entries of a directory to `visit`, from `cookie` on, until it breaks.
///
/// `cookie` is 0 or the `next` of an earlier entry; the system keeps it good while entries come
/// and go, and takes any other number without harm.
pub(crate) fn read_dir(
    dir: impl AsFd,
    cookie: u64,
    mut visit: impl FnMut(DirEntry<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    rustix::fs::seek(&dir, SeekFrom::Start(cookie))?;
    let mut buffer = [const { MaybeUninit::uninit() }; 8192];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let entry = DirEntry {
            name: entry.file_name(),
            ino: entry.ino(),
            filetype: filetype(entry.file_type()),
            next: entry.next_entry_cookie(),
        };
        if visit(entry).is_break() {
            break;
        }
    }
    Ok(())
}

/// Something to wait for, and what came of it.
pub(crate) struct Wait<'a> {
    pub(crate) handle: Handle<'a>,
    /// Wait until it can be written, not until it can be read.
    pub(crate) write: bool,
    /// A read or write would not block now, or would fail.
    pub(crate) ready: bool,
    /// The other side is gone.
    pub(crate) hangup: bool,
}

/// Waits until one of `waits` is ready or `timeout` has passed; without a timeout, for ever.
pub(crate) fn wait(waits: &mut [Wait<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let start = Instant::now();
    let mut fds: Vec<PollFd<'_>> = waits
        .iter()
        .map(|wait| {
            PollFd::from_borrowed_fd(wait.handle, if wait.write { PollFlags::OUT } else { PollFlags::IN })
        })
        .collect();
    loop {
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        // More seconds than the system can count are as good as for ever.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match rustix::event::poll(&mut fds, left.as_ref()) {
            Err(Os::INTR) => {}
            result => {
                result?;
                break;
            }
        }
    }
    for (wait, fd) in waits.iter_mut().zip(&fds) {
        let events = fd.revents();
        wait.ready = !events.is_empty();
        wait.hangup = events.contains(PollFlags::HUP);
    }
    Ok(())
}

/// Whether a read (or, if `write`, a write) would not block.
pub(crate) fn is_ready(handle: Handle<'_>, write: bool) -> io::Result<bool> {
    let mut waits = [Wait { handle, write, ready: false, hangup: false }];
    wait(&mut waits, Some(Duration::ZERO))?;
    Ok(waits.iter().any(|wait| wait.ready))
}

/// Fills `bytes` from the system's generator.
pub(crate) fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Os::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The processor time this process has used.
pub(crate) fn process_cpu_time() -> Duration {
    cpu_time(ClockId::ProcessCPUTime)
}

/// The processor time this thread has used.
pub(crate) fn thread_cpu_time() -> Duration {
    cpu_time(ClockId::ThreadCPUTime)
}

fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

/// The error for a symbolic link that cannot be followed.
pub(crate) fn too_many_links() -> io::Error {
    Os::LOOP.into()
}

/// What preview 1 calls the system's error `code`.
pub(crate) fn errno(code: i32) -> Errno {
    match Os::from_raw_os_error(code) {
        Os::TOOBIG => Errno::TooBig,
        Os::ACCESS => Errno::Acces,
        Os::ADDRINUSE => Errno::Addrinuse,
        Os::ADDRNOTAVAIL => Errno::Addrnotavail,
        Os::AFNOSUPPORT => Errno::Afnosupport,
        Os::AGAIN => Errno::Again,
        Os::ALREADY => Errno::Already,
        Os::BADF => Errno::Badf,
        Os::BADMSG => Errno::Badmsg,
        Os::BUSY => Errno::Busy,
        Os::CANCELED => Errno::Canceled,
        Os::CHILD => Errno::Child,
        Os::CONNABORTED => Errno::Connaborted,
        Os::CONNREFUSED => Errno::Connrefused,
        Os::CONNRESET => Errno::Connreset,
        Os::DEADLK => Errno::Deadlk,
        Os::DESTADDRREQ => Errno::Destaddrreq,
        Os::DOM => Errno::Dom,
        Os::DQUOT => Errno::Dquot,
        Os::EXIST => Errno::Exist,
        Os::FAULT => Errno::Fault,
        Os::FBIG => Errno::Fbig,
        Os::HOSTUNREACH => Errno::Hostunreach,
        Os::IDRM => Errno::Idrm,
        Os::ILSEQ => Errno::Ilseq,
        Os::INPROGRESS => Errno::Inprogress,
        Os::INTR => Errno::Intr,
        Os::INVAL => Errno::Inval,
        Os::ISCONN => Errno::Isconn,
        Os::ISDIR => Errno::Isdir,
        Os::LOOP => Errno::Loop,
        Os::MFILE => Errno::Mfile,
        Os::MLINK => Errno::Mlink,
        Os::MSGSIZE => Errno::Msgsize,
        Os::MULTIHOP => Errno::Multihop,
        Os::NAMETOOLONG => Errno::Nametoolong,
        Os::NETDOWN => Errno::Netdown,
        Os::NETRESET => Errno::Netreset,
        Os::NETUNREACH => Errno::Netunreach,
        Os::NFILE => Errno::Nfile,
        Os::NOBUFS => Errno::Nobufs,
        Os::NODEV => Errno::Nodev,
        Os::NOENT => Errno::Noent,
        Os::NOEXEC => Errno::Noexec,
        Os::NOLCK => Errno::Nolck,
        Os::NOLINK => Errno::Nolink,
        Os::NOMEM => Errno::Nomem,
        Os::NOMSG => Errno::Nomsg,
        Os::NOPROTOOPT => Errno::Noprotoopt,
        Os::NOSPC => Errno::Nospc,
        Os::NOSYS => Errno::Nosys,
        Os::NOTCONN => Errno::Notconn,
        Os::NOTDIR => Errno::Notdir,
        Os::NOTEMPTY => Errno::Notempty,
        Os::NOTRECOVERABLE => Errno::Notrecoverable,
        Os::NOTSOCK => Errno::Notsock,
        Os::NOTSUP => Errno::Notsup,
        Os::NOTTY => Errno::Notty,
        Os::NXIO => Errno::Nxio,
        Os::OVERFLOW => Errno::Overflow,
        Os::OWNERDEAD => Errno::Ownerdead,
        Os::PERM => Errno::Perm,
        Os::PIPE => Errno::Pipe,
        Os::PROTO => Errno::Proto,
        Os::PROTONOSUPPORT => Errno::Protonosupport,
        Os::PROTOTYPE => Errno::Prototype,
        Os::RANGE => Errno::Range,
        Os::ROFS => Errno::Rofs,
        Os::SPIPE => Errno::Spipe,
        Os::SRCH => Errno::Srch,
        Os::STALE => Errno::Stale,
        Os::TIMEDOUT => Errno::Timedout,
        Os::TXTBSY => Errno::Txtbsy,
        Os::XDEV => Errno::Xdev,
        _ => Errno::Io,
    }
}
