//! The types of preview 1 as `typenames.witx` lays them out: numbers, bits and records.
//!
//! A record is a module of offsets in bytes from its start; integers are little-endian.

/// What a function returns: 0 for success, else why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(dead_code, reason = "the interface's whole list, so that the numbers follow from the order")]
pub(crate) enum Errno {
    // ORDER: errno, as in `typenames.witx`
    Success,
    TooBig,
    Acces,
    Addrinuse,
    Addrnotavail,
    Afnosupport,
    Again,
    Already,
    Badf,
    Badmsg,
    Busy,
    Canceled,
    Child,
    Connaborted,
    Connrefused,
    Connreset,
    Deadlk,
    Destaddrreq,
    Dom,
    Dquot,
    Exist,
    Fault,
    Fbig,
    Hostunreach,
    Idrm,
    Ilseq,
    Inprogress,
    Intr,
    Inval,
    Io,
    Isconn,
    Isdir,
    Loop,
    Mfile,
    Mlink,
    Msgsize,
    Multihop,
    Nametoolong,
    Netdown,
    Netreset,
    Netunreach,
    Nfile,
    Nobufs,
    Nodev,
    Noent,
    Noexec,
    Nolck,
    Nolink,
    Nomem,
    Nomsg,
    Noprotoopt,
    Nospc,
    Nosys,
    Notconn,
    Notdir,
    Notempty,
    Notrecoverable,
    Notsock,
    Notsup,
    Notty,
    Nxio,
    Overflow,
    Ownerdead,
    Perm,
    Pipe,
    Proto,
    Protonosupport,
    Prototype,
    Range,
    Rofs,
    Spipe,
    Srch,
    Stale,
    Timedout,
    Txtbsy,
    Xdev,
    Notcapable,
}

const _: () = assert!(Errno::Notcapable as u16 == 76, "`errno` has 77 values");

flags! {
    /// What may be done with a descriptor.
    pub(crate) struct Rights: u64 {
        FD_DATASYNC = 0;
        FD_READ = 1;
        FD_SEEK = 2;
        FD_FDSTAT_SET_FLAGS = 3;
        FD_SYNC = 4;
        FD_TELL = 5;
        FD_WRITE = 6;
        FD_ADVISE = 7;
        FD_ALLOCATE = 8;
        PATH_CREATE_DIRECTORY = 9;
        PATH_CREATE_FILE = 10;
        PATH_LINK_SOURCE = 11;
        PATH_LINK_TARGET = 12;
        PATH_OPEN = 13;
        FD_READDIR = 14;
        PATH_READLINK = 15;
        PATH_RENAME_SOURCE = 16;
        PATH_RENAME_TARGET = 17;
        PATH_FILESTAT_GET = 18;
        PATH_FILESTAT_SET_SIZE = 19;
        PATH_FILESTAT_SET_TIMES = 20;
        FD_FILESTAT_GET = 21;
        FD_FILESTAT_SET_SIZE = 22;
        FD_FILESTAT_SET_TIMES = 23;
        PATH_SYMLINK = 24;
        PATH_REMOVE_DIRECTORY = 25;
        PATH_UNLINK_FILE = 26;
        POLL_FD_READWRITE = 27;
        SOCK_SHUTDOWN = 28;
        SOCK_ACCEPT = 29;
    }
}

flags! {
    /// How an open file behaves.
    pub(crate) struct FdFlags: u16 {
        APPEND = 0;
        DSYNC = 1;
        NONBLOCK = 2;
        RSYNC = 3;
        SYNC = 4;
    }
}

flags! {
    /// How `path_open` opens.
    pub(crate) struct OFlags: u16 {
        CREAT = 0;
        DIRECTORY = 1;
        EXCL = 2;
        TRUNC = 3;
    }
}

flags! {
    /// How a path is resolved.
    pub(crate) struct LookupFlags: u32 {
        SYMLINK_FOLLOW = 0;
    }
}

flags! {
    /// Which time stamps are set, and to what.
    pub(crate) struct FstFlags: u16 {
        ATIM = 0;
        ATIM_NOW = 1;
        MTIM = 2;
        MTIM_NOW = 3;
    }
}

flags! {
    /// How the time of a clock subscription is meant.
    pub(crate) struct SubclockFlags: u16 {
        ABSTIME = 0;
    }
}

flags! {
    /// The state of a polled descriptor.
    pub(crate) struct EventRwFlags: u16 {
        HANGUP = 0;
    }
}

/// What kind of thing a descriptor or a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(dead_code, reason = "the interface's whole list, so that the numbers follow from the order")]
pub(crate) enum Filetype {
    // ORDER: filetype, as in `typenames.witx`
    Unknown,
    BlockDevice,
    CharacterDevice,
    Directory,
    RegularFile,
    SocketDgram,
    SocketStream,
    SymbolicLink,
}

/// Declares an enum whose numbers come from guests.
macro_rules! guest_enum {
    ($(#[$doc:meta])* $name:ident { $($row:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($row),*
        }

        impl $name {
            const ROWS: &[Self] = &[$(Self::$row),*];

            /// The value that `number` stands for.
            ///
            /// # Errors
            /// [`Errno::Inval`] if it is none.
            pub(crate) fn from_guest(number: u32) -> Result<Self, Errno> {
                let index = usize::try_from(number).map_err(|_| Errno::Inval)?;
                Self::ROWS.get(index).copied().ok_or(Errno::Inval)
            }
        }
    };
}

guest_enum! {
    /// From where an offset counts.
    Whence { Set, Cur, End }
}

guest_enum! {
    /// How a guest means to use a part of a file.
    Advice { Normal, Sequential, Random, Willneed, Dontneed, Noreuse }
}

guest_enum! {
    /// The clocks.
    ClockId { Realtime, Monotonic, ProcessCputime, ThreadCputime }
}

guest_enum! {
    /// What a subscription waits for.
    EventType { Clock, FdRead, FdWrite }
}

/// The attributes of a file, as `filestat` gives them; times in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileStat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) filetype: Filetype,
    pub(crate) nlink: u64,
    pub(crate) size: u64,
    pub(crate) atim: u64,
    pub(crate) mtim: u64,
    pub(crate) ctim: u64,
}

/// A time stamp to set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NewTime {
    /// Leave it as it is.
    Keep,
    /// The host's time.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// How many signals there are, `none` included.
pub(crate) const SIGNALS: u32 = 31;

/// `iovec` and `ciovec`.
pub(crate) mod iovec {
    pub(crate) const BYTES: u32 = 8;
    pub(crate) const BUF: usize = 0;
    pub(crate) const BUF_LEN: usize = 4;
}

/// `fdstat`.
pub(crate) mod fdstat {
    pub(crate) const BYTES: usize = 24;
    pub(crate) const FILETYPE: usize = 0;
    pub(crate) const FLAGS: usize = 2;
    pub(crate) const RIGHTS_BASE: usize = 8;
    pub(crate) const RIGHTS_INHERITING: usize = 16;
}

/// `filestat`.
pub(crate) mod filestat {
    pub(crate) const BYTES: usize = 64;
    pub(crate) const DEV: usize = 0;
    pub(crate) const INO: usize = 8;
    pub(crate) const FILETYPE: usize = 16;
    pub(crate) const NLINK: usize = 24;
    pub(crate) const SIZE: usize = 32;
    pub(crate) const ATIM: usize = 40;
    pub(crate) const MTIM: usize = 48;
    pub(crate) const CTIM: usize = 56;
}

/// `dirent`, which the entry's name follows.
pub(crate) mod dirent {
    pub(crate) const BYTES: usize = 24;
    pub(crate) const NEXT: usize = 0;
    pub(crate) const INO: usize = 8;
    pub(crate) const NAMLEN: usize = 16;
    pub(crate) const TYPE: usize = 20;
}

/// `prestat`; its only tag is 0, a directory.
pub(crate) mod prestat {
    pub(crate) const BYTES: usize = 8;
    pub(crate) const TAG: usize = 0;
    pub(crate) const DIR_NAME_LEN: usize = 4;
    pub(crate) const TAG_DIR: u8 = 0;
}

/// `subscription`.
pub(crate) mod subscription {
    pub(crate) const BYTES: u32 = 48;
    pub(crate) const USERDATA: usize = 0;
    pub(crate) const TAG: usize = 8;
    pub(crate) const CLOCK_ID: usize = 16;
    pub(crate) const CLOCK_TIMEOUT: usize = 24;
    pub(crate) const CLOCK_FLAGS: usize = 40;
    pub(crate) const FD: usize = 16;
}

/// `event`.
pub(crate) mod event {
    pub(crate) const BYTES: usize = 32;
    pub(crate) const USERDATA: usize = 0;
    pub(crate) const ERROR: usize = 8;
    pub(crate) const TYPE: usize = 10;
    pub(crate) const NBYTES: usize = 16;
    pub(crate) const FLAGS: usize = 24;
}
