//! What an embedder allows below a preopened directory, and the rights that follow from it.

use crate::types::Rights;

flags! {
    /// What a guest may do with the directories below a preopened one.
    pub struct DirPerms: usize {
        /// Read directories: list entries, look at attributes, open what is there.
        READ = 0;
        /// Change directories: create, rename, link and delete entries.
        MUTATE = 1;
    }
}

flags! {
    /// What a guest may do with the files below a preopened directory.
    pub struct FilePerms: usize {
        /// Read contents.
        READ = 0;
        /// Change contents, sizes and time stamps.
        WRITE = 1;
    }
}

/// The two usual choices for a whole tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsPerms {
    /// Everything can be read, nothing changed.
    ReadOnly,
    /// Everything is allowed.
    ReadWrite,
}

impl FsPerms {
    /// Whether this is [`FsPerms::ReadOnly`].
    pub fn write_not_permitted(&self) -> bool {
        matches!(self, Self::ReadOnly)
    }
}

/// What a guest may do below a preopened directory.
///
/// Made from an [`FsPerms`], or, when directories and files differ, from a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perms {
    /// For directories.
    pub dir: DirPerms,
    /// For all that is not a directory.
    pub file: FilePerms,
}

impl From<FsPerms> for Perms {
    fn from(perms: FsPerms) -> Self {
        match perms {
            FsPerms::ReadOnly => (DirPerms::READ, FilePerms::READ).into(),
            FsPerms::ReadWrite => (DirPerms::all(), FilePerms::all()).into(),
        }
    }
}

impl From<(DirPerms, FilePerms)> for Perms {
    fn from((dir, file): (DirPerms, FilePerms)) -> Self {
        Self { dir, file }
    }
}

impl Perms {
    /// The rights that a directory itself gets.
    pub(crate) fn dir_rights(self) -> Rights {
        let mut rights = DIR_ALWAYS;
        if self.dir.contains(DirPerms::READ) {
            rights |= DIR_READ;
        }
        if self.dir.contains(DirPerms::MUTATE) {
            rights |= DIR_MUTATE;
        }
        if self.file.contains(FilePerms::WRITE) {
            rights |= Rights::PATH_FILESTAT_SET_SIZE; // truncates a file, changes no directory
        }
        rights
    }

    /// The rights that a file can get.
    pub(crate) fn file_rights(self) -> Rights {
        let mut rights = FILE_ALWAYS;
        if self.file.contains(FilePerms::READ) {
            rights |= Rights::FD_READ;
        }
        if self.file.contains(FilePerms::WRITE) {
            rights |= FILE_WRITE;
        }
        rights
    }
}

const DIR_ALWAYS: Rights = Rights::FD_FDSTAT_SET_FLAGS
    .union(Rights::FD_DATASYNC)
    .union(Rights::FD_SYNC)
    .union(Rights::FD_FILESTAT_GET);

const DIR_READ: Rights =
    Rights::PATH_OPEN.union(Rights::FD_READDIR).union(Rights::PATH_READLINK).union(Rights::PATH_FILESTAT_GET);

const DIR_MUTATE: Rights = Rights::PATH_CREATE_DIRECTORY
    .union(Rights::PATH_CREATE_FILE)
    .union(Rights::PATH_LINK_SOURCE)
    .union(Rights::PATH_LINK_TARGET)
    .union(Rights::PATH_RENAME_SOURCE)
    .union(Rights::PATH_RENAME_TARGET)
    .union(Rights::PATH_FILESTAT_SET_TIMES)
    .union(Rights::FD_FILESTAT_SET_TIMES)
    .union(Rights::PATH_SYMLINK)
    .union(Rights::PATH_REMOVE_DIRECTORY)
    .union(Rights::PATH_UNLINK_FILE);

const FILE_ALWAYS: Rights = Rights::FD_SEEK
    .union(Rights::FD_FDSTAT_SET_FLAGS)
    .union(Rights::FD_DATASYNC)
    .union(Rights::FD_SYNC)
    .union(Rights::FD_TELL)
    .union(Rights::FD_ADVISE)
    .union(Rights::FD_FILESTAT_GET)
    .union(Rights::POLL_FD_READWRITE);

const FILE_WRITE: Rights = Rights::FD_WRITE
    .union(Rights::FD_ALLOCATE)
    .union(Rights::FD_FILESTAT_SET_SIZE)
    .union(Rights::FD_FILESTAT_SET_TIMES);
