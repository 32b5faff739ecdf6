//! `path_*`: what is done with a path, which always starts from an open directory.

use super::WasiP1Ctx;
use super::fd::{fd_flags, new_times, write_stat};
use crate::dir::{How, OpenDir, Opened};
use crate::errno::Outcome;
use crate::fd_table::{Descriptor, Object};
use crate::guest_mem::GuestMem;
use crate::os;
use crate::perms::FilePerms;
use crate::types::{Errno, FdFlags, Filetype, LookupFlags, OFlags, Rights, filestat};
use cap_fs_ext::FollowSymlinks;

pub(super) fn create_directory(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_CREATE_DIRECTORY)?;
    Ok(dir.dir.create_dir(path)?)
}

pub(super) fn filestat_get(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    flags: u32,
    path: u32,
    path_len: u32,
    stat: u32,
) -> Outcome {
    mem.check(stat, filestat::BYTES)?;
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_FILESTAT_GET)?;
    let attributes = dir.stat(path, follow(flags)?)?;
    Ok(write_stat(mem, stat, &attributes)?)
}

/// The time stamps of a file are the file's, so the directory must allow to write files; those of
/// a directory or a symbolic link need no more than the right.
#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn filestat_set_times(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Outcome {
    let (atim, mtim) = new_times(atim, mtim, flags)?;
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_FILESTAT_SET_TIMES)?;
    let located = dir.locate(path, follow(lookup)?)?;
    let is_file = !matches!(os::stat(&located)?.filetype, Filetype::Directory | Filetype::SymbolicLink);
    if is_file && !dir.perms.file.contains(FilePerms::WRITE) {
        return Err(Errno::Perm.into());
    }
    Ok(os::set_times(&located, atim, mtim)?)
}

/// A link to what a symbolic link leads to cannot be asked for: the link itself is what is linked.
#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn link(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    old_fd: u32,
    flags: u32,
    old_path: u32,
    old_len: u32,
    new_fd: u32,
    new_path: u32,
    new_len: u32,
) -> Outcome {
    if follow(flags)? == FollowSymlinks::Yes {
        return Err(Errno::Inval.into());
    }
    let old_path = mem.path(old_path, old_len)?;
    let new_path = mem.path(new_path, new_len)?;
    let source = ctx.fds.get(old_fd)?.dir(Rights::PATH_LINK_SOURCE)?;
    let target = ctx.fds.get(new_fd)?.dir(Rights::PATH_LINK_TARGET)?;
    gains_nothing(source, target)?;
    Ok(source.dir.hard_link(old_path, &target.dir, new_path)?)
}

#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn open(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    path_len: u32,
    oflags: u32,
    base: u64,
    inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Outcome {
    mem.check(opened, size_of::<u32>())?;
    let request = Request {
        follow: follow(lookup)?,
        oflags: u16::try_from(oflags).ok().and_then(OFlags::from_bits).ok_or(Errno::Inval)?,
        fdflags: fd_flags(fdflags)?,
        rights: RequestedRights::new(base, inheriting),
    };
    let path = mem.path(path, path_len)?;
    let vacant = ctx.fds.vacant()?;
    let descriptor = request.open(ctx.fds.get(fd)?, path)?;
    let fd = ctx.fds.set(vacant, descriptor)?;
    Ok(mem.set_u32(opened, 0, fd)?)
}

/// What a guest wants of `path_open`.
struct Request {
    follow: FollowSymlinks,
    oflags: OFlags,
    fdflags: FdFlags,
    rights: RequestedRights,
}

/// The rights that a guest wants.
#[derive(Clone, Copy)]
struct RequestedRights {
    base: Rights,
    inheriting: Rights,
}

impl RequestedRights {
    /// A guest that names no right but to read and to write means the mode of access, as most
    /// hosts take it: it wants whatever else goes with that.
    fn new(base: u64, inheriting: u64) -> Self {
        let base = Rights::from_bits_truncate(base);
        let inheriting = Rights::from_bits_truncate(inheriting);
        let mode = Rights::FD_READ | Rights::FD_WRITE;
        if !mode.contains(base) {
            return Self { base, inheriting };
        }
        let implied = if base.contains(Rights::FD_WRITE) { Rights::all() } else { Rights::all() - WRITES };
        let inheriting = if inheriting.is_empty() { Rights::all() } else { inheriting };
        Self { base: base | (implied - mode), inheriting }
    }
}

/// The rights for which a host's file is opened to write.
const WRITES: Rights = Rights::FD_WRITE.union(Rights::FD_ALLOCATE).union(Rights::FD_FILESTAT_SET_SIZE);

impl Request {
    /// Opens `path` from the directory `start`.
    ///
    /// Guests ask for rights by the dozen without knowing what the path leads to, so of those
    /// that are not to be had most are just not given. Reading and writing a file are what it
    /// was opened for: without them it is not opened at all.
    fn open(&self, start: &Descriptor, path: &str) -> Outcome<Descriptor> {
        let dir = start.dir(self.needed_here())?;
        let RequestedRights { base, inheriting } = self.rights;
        let granted = base & start.inheriting & dir.perms.file_rights();
        let refused = base - granted;
        if !start.inheriting.contains(self.needed_below())
            || refused.contains(Rights::FD_WRITE)
            || (refused.contains(Rights::FD_READ) && self.oflags.intersects(OFlags::CREAT | OFlags::TRUNC))
        {
            return Err(Errno::Perm.into());
        }
        let write = granted.intersects(WRITES);
        let how = How {
            follow: self.follow,
            read: granted.contains(Rights::FD_READ) || !write,
            write: write || self.oflags.contains(OFlags::TRUNC),
            oflags: self.oflags,
            fdflags: self.fdflags,
        };
        match dir.open(path, how)? {
            Opened::File(_) if refused.contains(Rights::FD_READ) => Err(Errno::Perm.into()),
            Opened::File(file) => Ok(Descriptor {
                object: Object::File(file),
                flags: self.fdflags,
                rights: granted,
                inheriting: Rights::empty(),
                preopen: None,
            }),
            Opened::Dir(opened) => Ok(Descriptor {
                rights: base & start.inheriting & opened.perms.dir_rights(),
                object: Object::Dir(opened),
                flags: self.fdflags,
                inheriting: inheriting & start.inheriting,
                preopen: None,
            }),
        }
    }

    /// The rights that the starting directory must have.
    fn needed_here(&self) -> Rights {
        let mut rights = Rights::PATH_OPEN;
        if self.oflags.contains(OFlags::CREAT) {
            rights |= Rights::PATH_CREATE_FILE;
        }
        if self.oflags.contains(OFlags::TRUNC) {
            rights |= Rights::PATH_FILESTAT_SET_SIZE;
        }
        rights
    }

    /// The rights that the starting directory must be able to pass on.
    fn needed_below(&self) -> Rights {
        let mut rights = Rights::empty();
        if self.fdflags.contains(FdFlags::DSYNC) {
            rights |= Rights::FD_DATASYNC;
        }
        if self.fdflags.intersects(FdFlags::SYNC | FdFlags::RSYNC) {
            rights |= Rights::FD_SYNC;
        }
        rights
    }
}

/// The content is cut off where the buffer ends.
#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn readlink(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
    buf: u32,
    buf_len: u32,
    used: u32,
) -> Outcome {
    mem.check(used, size_of::<u32>())?;
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_READLINK)?;
    let content = dir.dir.read_link_contents(path)?;
    let content = content.to_str().ok_or(Errno::Ilseq)?.as_bytes();
    let buffer = mem.bytes_mut(buf, buf_len)?;
    let len = content.len().min(buffer.len());
    buffer.split_at_mut(len).0.copy_from_slice(content.split_at(len).0);
    Ok(mem.set_size(used, len)?)
}

/// A slash behind the name says what is so anyway: it must be a directory.
pub(super) fn remove_directory(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_REMOVE_DIRECTORY)?;
    let name = path.trim_end_matches('/');
    Ok(dir.dir.remove_dir(if name.is_empty() { path } else { name })?)
}

#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn rename(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    old_fd: u32,
    old_path: u32,
    old_len: u32,
    new_fd: u32,
    new_path: u32,
    new_len: u32,
) -> Outcome {
    let old_path = mem.path(old_path, old_len)?;
    let new_path = mem.path(new_path, new_len)?;
    let source = ctx.fds.get(old_fd)?.dir(Rights::PATH_RENAME_SOURCE)?;
    let target = ctx.fds.get(new_fd)?.dir(Rights::PATH_RENAME_TARGET)?;
    gains_nothing(source, target)?;
    if new_path.ends_with('/') && source.stat(old_path, FollowSymlinks::No)?.filetype != Filetype::Directory {
        return Err(Errno::Notdir.into());
    }
    Ok(source.dir.rename(old_path, &target.dir, new_path)?)
}

/// What the link holds is not resolved here, but an absolute path is refused: no guest can follow
/// it, and others should not be led astray.
pub(super) fn symlink(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    content: u32,
    content_len: u32,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let content = mem.path(content, content_len)?;
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_SYMLINK)?;
    Ok(dir.dir.symlink(content, path)?)
}

pub(super) fn unlink_file(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let path = mem.path(path, path_len)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_UNLINK_FILE)?;
    Ok(dir.dir.remove_file(path)?)
}

/// Whether a symbolic link at a path's end is followed.
fn follow(flags: u32) -> Result<FollowSymlinks, Errno> {
    let flags = LookupFlags::from_bits(flags).ok_or(Errno::Inval)?;
    Ok(if flags.contains(LookupFlags::SYMLINK_FOLLOW) { FollowSymlinks::Yes } else { FollowSymlinks::No })
}

/// Checks that a file that moves from below `source` to below `target`, or is linked there, can
/// be used for no more than before. Else a guest could write what it may only read.
fn gains_nothing(source: &OpenDir, target: &OpenDir) -> Result<(), Errno> {
    let (source, target) = (source.perms, target.perms);
    if source.dir.contains(target.dir) && source.file.contains(target.file) {
        Ok(())
    } else {
        Err(Errno::Perm)
    }
}
