//! The guest's descriptors: from a number to an object and what may be done with it.
//!
//! ```text
//! fd   object          rights of the descriptor      rights of what is opened through it
//! 0    Input           FD_READ …                     —
//! 1,2  Output          FD_WRITE …                    —
//! 3…   Dir, preopened  PATH_OPEN, FD_READDIR …       those and FD_READ, FD_WRITE …
//! n    File            FD_READ, FD_SEEK …            —
//! ```
//!
//! Rights are given when a descriptor is made and only ever taken away. A new descriptor gets
//! the lowest free number.

use crate::cli::{StdinStream, StdoutStream};
use crate::dir::OpenDir;
use crate::file::OpenFile;
use crate::types::{Errno, FdFlags, Filetype, Rights};

/// How many descriptors a guest can have: each costs one of the host's.
const MAX_DESCRIPTORS: usize = 4096;

/// How many directories can be preopened, after the three streams; half of the table is left.
pub(crate) const MAX_PREOPENS: usize = MAX_DESCRIPTORS / 2 - 3;

/// What a descriptor stands for.
pub(crate) enum Object {
    /// Standard input.
    Input(Box<dyn StdinStream>),
    /// Standard output or error.
    Output(Box<dyn StdoutStream>),
    File(OpenFile),
    Dir(OpenDir),
}

/// One descriptor.
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    pub(crate) flags: FdFlags,
    /// What may be done with it.
    pub(crate) rights: Rights,
    /// What may at most be done with what is opened through it.
    pub(crate) inheriting: Rights,
    /// The guest's name for a preopened directory.
    pub(crate) preopen: Option<String>,
}

impl Descriptor {
    /// Standard input.
    pub(crate) fn input(stream: Box<dyn StdinStream>) -> Self {
        Self::stream(Object::Input(stream), Rights::FD_READ)
    }

    /// Standard output or error.
    pub(crate) fn output(stream: Box<dyn StdoutStream>) -> Self {
        Self::stream(Object::Output(stream), Rights::FD_WRITE)
    }

    /// A stream has no offset: without the rights to seek and tell a guest takes a character
    /// device for a terminal.
    fn stream(object: Object, right: Rights) -> Self {
        let rights =
            right | Rights::FD_FDSTAT_SET_FLAGS | Rights::FD_FILESTAT_GET | Rights::POLL_FD_READWRITE;
        Self { object, flags: FdFlags::empty(), rights, inheriting: Rights::empty(), preopen: None }
    }

    /// A preopened directory.
    pub(crate) fn preopened(dir: OpenDir, name: String) -> Self {
        let rights = dir.perms.dir_rights();
        let inheriting = rights | dir.perms.file_rights();
        Self { object: Object::Dir(dir), flags: FdFlags::empty(), rights, inheriting, preopen: Some(name) }
    }

    /// Checks that all of `rights` are there.
    ///
    /// # Errors
    /// [`Errno::Badf`] where the right to read or write lacks, as POSIX has it; else [`Errno::Perm`].
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        let missing = rights - self.rights;
        if missing.intersects(Rights::FD_READ | Rights::FD_WRITE) {
            Err(Errno::Badf)
        } else if missing.is_empty() {
            Ok(())
        } else {
            Err(Errno::Perm)
        }
    }

    /// The file, if it is one and all of `rights` are there.
    ///
    /// # Errors
    /// [`Errno::Spipe`] for a stream where an offset is asked for, else [`Errno::Badf`], and those of
    /// [`require`](Self::require).
    pub(crate) fn file(&self, rights: Rights) -> Result<&OpenFile, Errno> {
        match &self.object {
            Object::File(file) => self.require(rights).map(|()| file),
            Object::Input(_) | Object::Output(_) if rights.intersects(Rights::FD_SEEK | Rights::FD_TELL) => {
                Err(Errno::Spipe)
            }
            Object::Input(_) | Object::Output(_) | Object::Dir(_) => Err(Errno::Badf),
        }
    }

    /// The directory, if it is one and all of `rights` are there.
    ///
    /// # Errors
    /// [`Errno::Notdir`] if it is none, and those of [`require`](Self::require).
    pub(crate) fn dir(&self, rights: Rights) -> Result<&OpenDir, Errno> {
        match &self.object {
            Object::Dir(dir) => self.require(rights).map(|()| dir),
            Object::Input(_) | Object::Output(_) | Object::File(_) => Err(Errno::Notdir),
        }
    }

    /// What the guest is told this is.
    pub(crate) fn filetype(&self) -> Filetype {
        let terminal = match &self.object {
            Object::Input(stream) => stream.is_terminal(),
            Object::Output(stream) => stream.is_terminal(),
            Object::File(file) => return file.filetype,
            Object::Dir(_) => return Filetype::Directory,
        };
        if terminal { Filetype::CharacterDevice } else { Filetype::Unknown }
    }
}

/// The descriptors of a guest.
#[derive(Default)]
pub(crate) struct FdTable {
    slots: Vec<Option<Descriptor>>,
    /// No slot below this one is free.
    lowest_free: usize,
}

impl FdTable {
    /// The descriptor `fd`.
    ///
    /// # Errors
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        let slot = index(fd).and_then(|index| self.slots.get(index));
        slot.and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    /// The descriptor `fd`, to be changed.
    ///
    /// # Errors
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        let slot = index(fd).and_then(|index| self.slots.get_mut(index));
        slot.and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The lowest free number, for [`set`](Self::set): asked for before something is opened
    /// that would then have no place.
    ///
    /// # Errors
    /// [`Errno::Mfile`] if there is none.
    pub(crate) fn vacant(&mut self) -> Result<usize, Errno> {
        let rest = self.slots.iter().skip(self.lowest_free);
        self.lowest_free += rest.take_while(|slot| slot.is_some()).count();
        if self.lowest_free < MAX_DESCRIPTORS { Ok(self.lowest_free) } else { Err(Errno::Mfile) }
    }

    /// Puts `descriptor` at `index`, which [`vacant`](Self::vacant) gave, and returns its number.
    pub(crate) fn set(&mut self, index: usize, descriptor: Descriptor) -> Result<u32, Errno> {
        let fd = u32::try_from(index).map_err(|_| Errno::Mfile)?;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        *self.slots.get_mut(index).ok_or(Errno::Mfile)? = Some(descriptor);
        Ok(fd)
    }

    /// Puts `descriptor` at the lowest free number and returns that.
    ///
    /// # Errors
    /// [`Errno::Mfile`] if there is none.
    pub(crate) fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let index = self.vacant()?;
        self.set(index, descriptor)
    }

    /// Takes descriptor `fd` out.
    ///
    /// # Errors
    /// [`Errno::Badf`] if there is none.
    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let index = index(fd).ok_or(Errno::Badf)?;
        let descriptor = self.slots.get_mut(index).and_then(Option::take).ok_or(Errno::Badf)?;
        self.lowest_free = self.lowest_free.min(index);
        Ok(descriptor)
    }

    /// Moves descriptor `from` to `to`, in place of the one there.
    ///
    /// # Errors
    /// [`Errno::Badf`] if one of them is not there; nothing changes then.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let descriptor = self.remove(from)?;
            *self.get_mut(to)? = descriptor;
        }
        Ok(())
    }
}

fn index(fd: u32) -> Option<usize> {
    usize::try_from(fd).ok()
}
