//! An open directory: where every path starts.
//!
//! `cap-std` resolves a path beneath the directory, by one `openat2` where the system has it,
//! else component by component. What a path leads to is opened once, and all that is asked
//! about it afterwards is asked of what was opened, so that no rename can slip in between.

use crate::file::OpenFile;
use crate::os;
use crate::perms::Perms;
use crate::types::{FdFlags, FileStat, Filetype, OFlags};
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use std::io;
use std::path::Path;

/// An open directory.
pub(crate) struct OpenDir {
    pub(crate) dir: Dir,
    /// What the embedder allows below it; whatever is opened through it is bound by them too.
    pub(crate) perms: Perms,
}

/// What a path led to.
pub(crate) enum Opened {
    File(OpenFile),
    Dir(OpenDir),
}

/// How to open a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) follow: FollowSymlinks,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) oflags: OFlags,
    pub(crate) fdflags: FdFlags,
}

impl OpenDir {
    /// Opens a directory of the host, with the host's own authority.
    pub(crate) fn open_host(path: &Path, perms: Perms) -> io::Result<Self> {
        let file = std::fs::File::open(path)?;
        if !file.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { dir: Dir::from_std_file(file), perms })
    }

    /// Opens what `path` leads to.
    pub(crate) fn open(&self, path: &str, how: How) -> io::Result<Opened> {
        let mut options = OpenOptions::new();
        options
            .read(how.read)
            .write(how.write)
            .custom_flags(os::open_flags(how.oflags, how.fdflags))
            .follow(how.follow);
        let file = self.dir.open_with(path, &options).map_err(|error| self.unfollowed(error, path, how))?;
        let file = file.into_std();
        let filetype = os::stat(&file)?.filetype;
        Ok(match filetype {
            Filetype::Directory => Opened::Dir(Self { dir: Dir::from_std_file(file), perms: self.perms }),
            _ => Opened::File(OpenFile { file, filetype }),
        })
    }

    /// A link that was not to be followed is no directory either, but what is wrong is the link.
    fn unfollowed(&self, error: io::Error, path: &str, how: How) -> io::Error {
        let is_link =
            || self.stat(path, how.follow).is_ok_and(|stat| stat.filetype == Filetype::SymbolicLink);
        if error.kind() == io::ErrorKind::NotADirectory && how.follow == FollowSymlinks::No && is_link() {
            os::too_many_links()
        } else {
            error
        }
    }

    /// A handle on what `path` leads to, fit for its attributes only. It opens nothing: a pipe
    /// or a device does not notice, and what cannot be read can be located.
    pub(crate) fn locate(&self, path: &str, follow: FollowSymlinks) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(os::locate_flags()).follow(follow);
        self.dir.open_with(path, &options)
    }

    /// The attributes of what `path` leads to.
    pub(crate) fn stat(&self, path: &str, follow: FollowSymlinks) -> io::Result<FileStat> {
        os::stat(self.locate(path, follow)?)
    }
}
