//! `fd_*`: what is done with an open descriptor.

use super::WasiP1Ctx;
use crate::cli::Readiness;
use crate::errno::Outcome;
use crate::fd_table::{Descriptor, Object};
use crate::guest_mem::GuestMem;
use crate::os::{self, DirEntry};
use crate::types::{
    Advice, Errno, FdFlags, FileStat, FstFlags, NewTime, Rights, Whence, dirent, fdstat, filestat, prestat,
};
use std::io::{Seek, SeekFrom};
use std::ops::ControlFlow;

pub(super) fn advise(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Outcome {
    let advice = Advice::from_guest(advice)?;
    let file = ctx.fds.get(fd)?.file(Rights::FD_ADVISE)?;
    Ok(os::advise(&file.file, offset, len, advice)?)
}

pub(super) fn allocate(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32, offset: u64, len: u64) -> Outcome {
    let file = ctx.fds.get(fd)?.file(Rights::FD_ALLOCATE)?;
    Ok(os::allocate(&file.file, offset, len)?)
}

pub(super) fn close(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32) -> Outcome {
    ctx.fds.remove(fd)?;
    Ok(())
}

pub(super) fn datasync(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::File(file) => {
            descriptor.require(Rights::FD_DATASYNC)?;
            Ok(file.file.sync_data()?)
        }
        Object::Dir(dir) => {
            descriptor.require(Rights::FD_DATASYNC)?;
            Ok(os::sync(&dir.dir)?)
        }
        Object::Input(_) | Object::Output(_) => Err(Errno::Inval.into()),
    }
}

pub(super) fn sync(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::File(file) => {
            descriptor.require(Rights::FD_SYNC)?;
            Ok(file.file.sync_all()?)
        }
        Object::Dir(dir) => {
            descriptor.require(Rights::FD_SYNC)?;
            Ok(os::sync(&dir.dir)?)
        }
        Object::Input(_) | Object::Output(_) => Err(Errno::Inval.into()),
    }
}

pub(super) fn fdstat_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, fd: u32, stat: u32) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    mem.clear(stat, fdstat::BYTES)?;
    mem.set_u8(stat, fdstat::FILETYPE, descriptor.filetype() as u8)?;
    mem.set_u16(stat, fdstat::FLAGS, descriptor.flags.bits())?;
    mem.set_u64(stat, fdstat::RIGHTS_BASE, descriptor.rights.bits())?;
    mem.set_u64(stat, fdstat::RIGHTS_INHERITING, descriptor.inheriting.bits())?;
    Ok(())
}

/// Whether writes are synchronous is fixed when a file is opened. A stream may belong to others
/// too, so its flags are the descriptor's alone: the host's are left as they are.
pub(super) fn fdstat_set_flags(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32, flags: u32) -> Outcome {
    const FIXED: FdFlags = FdFlags::DSYNC.union(FdFlags::RSYNC).union(FdFlags::SYNC);
    let flags = fd_flags(flags)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
    if flags & FIXED != descriptor.flags & FIXED {
        return Err(Errno::Inval.into());
    }
    if let Object::File(file) = &descriptor.object {
        os::set_status(&file.file, flags)?;
    }
    descriptor.flags = flags;
    Ok(())
}

pub(super) fn fdstat_set_rights(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Outcome {
    let descriptor = ctx.fds.get_mut(fd)?;
    let base = Rights::from_bits(base).ok_or(Errno::Notcapable)?;
    let inheriting = Rights::from_bits(inheriting).ok_or(Errno::Notcapable)?;
    if !descriptor.rights.contains(base) || !descriptor.inheriting.contains(inheriting) {
        return Err(Errno::Notcapable.into());
    }
    descriptor.rights = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

pub(super) fn filestat_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, fd: u32, stat: u32) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_FILESTAT_GET)?;
    let attributes = match &descriptor.object {
        Object::File(file) => os::stat(&file.file)?,
        Object::Dir(dir) => os::stat(&dir.dir)?,
        Object::Input(_) | Object::Output(_) => FileStat {
            dev: 0,
            ino: 0,
            filetype: descriptor.filetype(),
            nlink: 0,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        },
    };
    Ok(write_stat(mem, stat, &attributes)?)
}

pub(super) fn filestat_set_size(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32, size: u64) -> Outcome {
    let file = ctx.fds.get(fd)?.file(Rights::FD_FILESTAT_SET_SIZE)?;
    Ok(file.file.set_len(size)?)
}

pub(super) fn filestat_set_times(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Outcome {
    let (atim, mtim) = new_times(atim, mtim, flags)?;
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::File(file) => {
            descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
            Ok(os::set_times(&file.file, atim, mtim)?)
        }
        Object::Dir(dir) => {
            descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
            Ok(os::set_times(&dir.dir, atim, mtim)?)
        }
        Object::Input(_) | Object::Output(_) => Err(Errno::Badf.into()),
    }
}

pub(super) fn pread(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nread: u32,
) -> Outcome {
    mem.check(nread, size_of::<u32>())?;
    let file = ctx.fds.get(fd)?.file(Rights::FD_READ | Rights::FD_SEEK)?;
    let read = os::read_at(&file.file, &mut mem.targets(iovs, count)?, offset)?;
    Ok(mem.set_size(nread, read)?)
}

pub(super) fn prestat_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, fd: u32, prestat: u32) -> Outcome {
    let name_len = preopen_name(ctx, fd)?.len();
    mem.clear(prestat, prestat::BYTES)?;
    mem.set_u8(prestat, prestat::TAG, prestat::TAG_DIR)?;
    mem.set_u32(prestat, prestat::DIR_NAME_LEN, u32::try_from(name_len).map_err(|_| Errno::Overflow)?)?;
    Ok(())
}

pub(super) fn prestat_dir_name(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let name = preopen_name(ctx, fd)?.as_bytes();
    let buf = mem.bytes_mut(path, path_len)?;
    buf.get_mut(..name.len()).ok_or(Errno::Nametoolong)?.copy_from_slice(name);
    Ok(())
}

/// # Errors
/// [`Errno::Badf`] if `fd` is not preopened: a guest looks for the end of its preopened directories so.
fn preopen_name(ctx: &WasiP1Ctx, fd: u32) -> Result<&str, Errno> {
    ctx.fds.get(fd)?.preopen.as_deref().ok_or(Errno::Badf)
}

pub(super) fn pwrite(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    nwritten: u32,
) -> Outcome {
    mem.check(nwritten, size_of::<u32>())?;
    let file = ctx.fds.get(fd)?.file(Rights::FD_WRITE | Rights::FD_SEEK)?;
    let written = os::write_at(&file.file, &mem.sources(iovs, count)?, offset)?;
    Ok(mem.set_size(nwritten, written)?)
}

pub(super) fn read(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    nread: u32,
) -> Outcome {
    mem.check(nread, size_of::<u32>())?;
    let descriptor = ctx.fds.get_mut(fd)?;
    descriptor.require(Rights::FD_READ)?;
    let mut targets = mem.targets(iovs, count)?;
    let read = match &mut descriptor.object {
        Object::Input(stream) => {
            if descriptor.flags.contains(FdFlags::NONBLOCK) {
                would_not_block(stream.readiness(), false)?;
            }
            stream.read(&mut targets)?
        }
        Object::File(file) => os::read(&file.file, &mut targets)?,
        Object::Output(_) | Object::Dir(_) => return Err(Errno::Badf.into()),
    };
    drop(targets);
    Ok(mem.set_size(nread, read)?)
}

pub(super) fn write(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    nwritten: u32,
) -> Outcome {
    mem.check(nwritten, size_of::<u32>())?;
    let descriptor = ctx.fds.get_mut(fd)?;
    descriptor.require(Rights::FD_WRITE)?;
    let sources = mem.sources(iovs, count)?;
    let written = match &mut descriptor.object {
        Object::Output(stream) => {
            if descriptor.flags.contains(FdFlags::NONBLOCK) {
                would_not_block(stream.readiness(), true)?;
            }
            stream.write(&sources)?
        }
        Object::File(file) => os::write(&file.file, &sources)?,
        Object::Input(_) | Object::Dir(_) => return Err(Errno::Badf.into()),
    };
    Ok(mem.set_size(nwritten, written)?)
}

/// # Errors
/// [`Errno::Again`] if a stream is not ready.
fn would_not_block(readiness: Readiness<'_>, write: bool) -> Outcome {
    match readiness {
        Readiness::Ask(handle) if !os::is_ready(handle, write)? => Err(Errno::Again.into()),
        Readiness::Ask(_) | Readiness::Now { .. } => Ok(()),
    }
}

/// Fills the buffer with entries; the last may be cut off, and the guest asks for it again.
///
/// A name that is not UTF-8 cannot be said in preview 1: the guest does not see the entry. What
/// number the directory above has is not told: it may lie outside.
pub(super) fn readdir(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    used: u32,
) -> Outcome {
    mem.check(used, size_of::<u32>())?;
    let dir = ctx.fds.get(fd)?.dir(Rights::FD_READDIR)?;
    let buffer = mem.bytes_mut(buf, buf_len)?;
    let mut filled = 0;
    os::read_dir(&dir.dir, cookie, |entry| {
        if std::str::from_utf8(entry.name.to_bytes()).is_err() {
            return ControlFlow::Continue(());
        }
        for part in [dirent_record(&entry).as_slice(), entry.name.to_bytes()] {
            let Some(rest) = buffer.get_mut(filled..) else { return ControlFlow::Break(()) };
            let len = part.len().min(rest.len());
            let (rest, _) = rest.split_at_mut(len);
            let (part, _) = part.split_at(len);
            rest.copy_from_slice(part);
            filled += len;
        }
        if filled < buffer.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(mem.set_size(used, filled)?)
}

fn dirent_record(entry: &DirEntry<'_>) -> [u8; dirent::BYTES] {
    let name = entry.name.to_bytes();
    let ino = if name == b".." { 0 } else { entry.ino };
    let name_len = u32::try_from(name.len()).unwrap_or(u32::MAX); // 255 at most
    let mut record = [0; dirent::BYTES];
    record[dirent::NEXT..][..8].copy_from_slice(&entry.next.to_le_bytes());
    record[dirent::INO..][..8].copy_from_slice(&ino.to_le_bytes());
    record[dirent::NAMLEN..][..4].copy_from_slice(&name_len.to_le_bytes());
    record[dirent::TYPE] = entry.filetype as u8;
    record
}

pub(super) fn renumber(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32, to: u32) -> Outcome {
    Ok(ctx.fds.renumber(fd, to)?)
}

pub(super) fn seek(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    position: u32,
) -> Outcome {
    mem.check(position, size_of::<u64>())?;
    let to = match Whence::from_guest(whence)? {
        Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        Whence::Cur => SeekFrom::Current(offset),
        Whence::End => SeekFrom::End(offset),
    };
    let descriptor = ctx.fds.get(fd)?;
    if to == SeekFrom::Current(0) {
        return tell_position(descriptor, mem, position);
    }
    let reached = (&descriptor.file(Rights::FD_SEEK)?.file).seek(to)?;
    Ok(mem.set_u64(position, 0, reached)?)
}

pub(super) fn tell(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, fd: u32, position: u32) -> Outcome {
    tell_position(ctx.fds.get(fd)?, mem, position)
}

/// The right to seek contains the right to tell.
fn tell_position(descriptor: &Descriptor, mem: &mut GuestMem<'_>, position: u32) -> Outcome {
    let file = descriptor.file(Rights::FD_SEEK).or_else(|_| descriptor.file(Rights::FD_TELL))?;
    let reached = (&file.file).stream_position()?;
    Ok(mem.set_u64(position, 0, reached)?)
}

/// The descriptor flags that a guest gave.
pub(super) fn fd_flags(flags: u32) -> Result<FdFlags, Errno> {
    u16::try_from(flags).ok().and_then(FdFlags::from_bits).ok_or(Errno::Inval)
}

/// What a guest wants the two time stamps to be.
///
/// # Errors
/// [`Errno::Inval`] if it wants one to be two things at once.
pub(super) fn new_times(atim: u64, mtim: u64, flags: u32) -> Result<(NewTime, NewTime), Errno> {
    let flags = u16::try_from(flags).ok().and_then(FstFlags::from_bits).ok_or(Errno::Inval)?;
    let new = |set, now, at| match (flags.contains(set), flags.contains(now)) {
        (false, false) => Ok(NewTime::Keep),
        (true, false) => Ok(NewTime::At(at)),
        (false, true) => Ok(NewTime::Now),
        (true, true) => Err(Errno::Inval),
    };
    Ok((new(FstFlags::ATIM, FstFlags::ATIM_NOW, atim)?, new(FstFlags::MTIM, FstFlags::MTIM_NOW, mtim)?))
}

/// Writes a `filestat`.
pub(super) fn write_stat(mem: &mut GuestMem<'_>, at: u32, stat: &FileStat) -> Result<(), Errno> {
    let FileStat { dev, ino, filetype, nlink, size, atim, mtim, ctim } = *stat;
    mem.clear(at, filestat::BYTES)?;
    mem.set_u64(at, filestat::DEV, dev)?;
    mem.set_u64(at, filestat::INO, ino)?;
    mem.set_u8(at, filestat::FILETYPE, filetype as u8)?;
    mem.set_u64(at, filestat::NLINK, nlink)?;
    mem.set_u64(at, filestat::SIZE, size)?;
    mem.set_u64(at, filestat::ATIM, atim)?;
    mem.set_u64(at, filestat::MTIM, mtim)?;
    mem.set_u64(at, filestat::CTIM, ctim)
}
