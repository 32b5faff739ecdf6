//! A guest that does nothing of its own: the test makes each call for it.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fmt::Write as _;
use std::sync::OnceLock;
use tenure::{Engine, Instance, Linker, Memory, Module, Store, Val};
use tenure_wasi::p1::{self, FUNCTIONS, MODULE, WasiP1Ctx};
use tenure_wasi::{Perms, WasiCtxBuilder};

/// The numbers of the errors that the tests meet.
pub mod errno {
    pub const SUCCESS: u32 = 0;
    pub const ACCES: u32 = 2;
    pub const AGAIN: u32 = 6;
    pub const BADF: u32 = 8;
    pub const EXIST: u32 = 20;
    pub const FAULT: u32 = 21;
    pub const ILSEQ: u32 = 25;
    pub const INVAL: u32 = 28;
    pub const ISDIR: u32 = 31;
    pub const LOOP: u32 = 32;
    pub const MFILE: u32 = 33;
    pub const NAMETOOLONG: u32 = 37;
    pub const NOENT: u32 = 44;
    pub const NOSPC: u32 = 51;
    pub const NOTDIR: u32 = 54;
    pub const NOTEMPTY: u32 = 55;
    pub const NOTSOCK: u32 = 57;
    pub const NOTSUP: u32 = 58;
    pub const PERM: u32 = 63;
    pub const SPIPE: u32 = 70;
    pub const NOTCAPABLE: u32 = 76;
}

/// The bits of the rights that the tests use.
pub mod rights {
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const ALL: u64 = (1 << 30) - 1;
    /// What C programs ask for when they open to read: everything but what writes.
    pub const LIBC_READ: u64 = ALL & !(1 | FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE);
}

pub const CREAT: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCL: u32 = 4;
pub const TRUNC: u32 = 8;
pub const APPEND: u32 = 1;
pub const DSYNC: u32 = 2;
pub const NONBLOCK: u32 = 4;
pub const FOLLOW: u32 = 1;

/// The first preopened directory.
pub const ROOT: u32 = 3;

/// Where the guest keeps what calls write and read.
const OUT: u32 = 64;
const IOVEC: u32 = 128;
const PATH: u32 = 0x1000;
const OTHER_PATH: u32 = 0x4000;
const BUFFER: u32 = 0x8000;

/// Bytes of the guest's memory.
pub const MEMORY: u32 = 0x20000;

/// A guest whose every function of preview 1 the test can call.
pub struct Guest<T: 'static = WasiP1Ctx> {
    pub store: Store<T>,
    pub instance: Instance,
    pub memory: Memory,
}

/// A path call failed with this `errno`, or gave a value.
pub type Result<T = ()> = std::result::Result<T, u32>;

impl Guest {
    /// A guest that was given what `ctx` holds.
    pub fn new(ctx: WasiP1Ctx) -> Self {
        static LINKER: OnceLock<Linker<WasiP1Ctx>> = OnceLock::new();
        let linker = LINKER.get_or_init(|| {
            let mut linker = Linker::new(forwarder().engine());
            p1::add_to_linker_sync(&mut linker, |ctx| ctx).unwrap();
            linker
        });
        Self::of_linker(linker, ctx)
    }

    /// A guest that was given one directory.
    pub fn with_dir(host: &std::path::Path, perms: impl Into<Perms>) -> Self {
        Self::new(WasiCtxBuilder::new().preopened_dir(host, "/", perms).unwrap().build_p1())
    }
}

impl<T: 'static> Guest<T> {
    /// A guest of `linker`, which must be of the [`forwarder`]'s engine.
    pub fn of_linker(linker: &Linker<T>, data: T) -> Self {
        let module = forwarder();
        let mut store = Store::new(module.engine(), data);
        let instance = linker.instantiate(&mut store, module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self { store, instance, memory }
    }

    /// Calls a function with these arguments and returns its `errno`.
    pub fn call(&mut self, name: &str, args: &[i64]) -> u32 {
        self.try_call(name, args).unwrap_or_else(|error| panic!("{name}{args:?} trapped: {error:?}"))
    }

    /// Calls a function that may end the guest.
    pub fn try_call(&mut self, name: &str, args: &[i64]) -> tenure::Result<u32> {
        let row =
            FUNCTIONS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no function {name}"));
        assert_eq!(row.params.len(), args.len(), "{name} takes {:?}", row.params);
        let args: Vec<Val> = row
            .params
            .iter()
            .zip(args)
            .map(|((_, ty), arg)| if *ty == "u32" { Val::I32(*arg as i32) } else { Val::I64(*arg) })
            .collect();
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let mut results = vec![Val::I32(0); usize::from(row.returns_errno)];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results.first().map_or(0, |result| result.unwrap_i32() as u32))
    }

    /// Calls a function and gives its `errno` as an error.
    fn ask(&mut self, name: &str, args: &[i64]) -> Result {
        match self.call(name, args) {
            0 => Ok(()),
            errno => Err(errno),
        }
    }

    pub fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory.write(&mut self.store, at as usize, bytes).unwrap();
    }

    pub fn get(&mut self, at: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read(&self.store, at as usize, &mut bytes).unwrap();
        bytes
    }

    pub fn get_u32(&mut self, at: u32) -> u32 {
        u32::from_le_bytes(self.get(at, 4).try_into().unwrap())
    }

    pub fn get_u64(&mut self, at: u32) -> u64 {
        u64::from_le_bytes(self.get(at, 8).try_into().unwrap())
    }

    /// Puts a path into the memory and returns where it is and how long.
    fn path(&mut self, at: u32, path: &[u8]) -> [i64; 2] {
        self.put(at, path);
        [at.into(), path.len() as i64]
    }

    pub fn open(&mut self, dir: u32, path: impl AsRef<[u8]>, open: Open) -> Result<u32> {
        let [at, len] = self.path(PATH, path.as_ref());
        let Open { lookup, oflags, base, inheriting, fdflags } = open;
        let args = [
            dir.into(),
            lookup.into(),
            at,
            len,
            oflags.into(),
            base as i64,
            inheriting as i64,
            fdflags.into(),
            OUT.into(),
        ];
        self.ask("path_open", &args)?;
        Ok(self.get_u32(OUT))
    }

    pub fn close(&mut self, fd: u32) -> Result {
        self.ask("fd_close", &[fd.into()])
    }

    pub fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32> {
        self.transfer("fd_write", fd, bytes, None)
    }

    pub fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32> {
        self.transfer("fd_pwrite", fd, bytes, Some(offset))
    }

    pub fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>> {
        let count = self.transfer("fd_read", fd, &vec![0; len as usize], None)?;
        Ok(self.get(BUFFER, count as usize))
    }

    pub fn pread(&mut self, fd: u32, len: u32, offset: u64) -> Result<Vec<u8>> {
        let count = self.transfer("fd_pread", fd, &vec![0; len as usize], Some(offset))?;
        Ok(self.get(BUFFER, count as usize))
    }

    fn transfer(&mut self, name: &str, fd: u32, bytes: &[u8], offset: Option<u64>) -> Result<u32> {
        self.put(BUFFER, bytes);
        self.put(IOVEC, &BUFFER.to_le_bytes());
        self.put(IOVEC + 4, &(bytes.len() as u32).to_le_bytes());
        let mut args = vec![fd.into(), IOVEC.into(), 1];
        args.extend(offset.map(|offset| offset as i64));
        args.push(OUT.into());
        self.ask(name, &args)?;
        Ok(self.get_u32(OUT))
    }

    pub fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64> {
        self.ask("fd_seek", &[fd.into(), offset, whence.into(), OUT.into()])?;
        Ok(self.get_u64(OUT))
    }

    pub fn tell(&mut self, fd: u32) -> Result<u64> {
        self.ask("fd_tell", &[fd.into(), OUT.into()])?;
        Ok(self.get_u64(OUT))
    }

    pub fn fdstat(&mut self, fd: u32) -> Result<FdStat> {
        self.ask("fd_fdstat_get", &[fd.into(), OUT.into()])?;
        Ok(FdStat {
            filetype: self.get(OUT, 1)[0],
            flags: u16::from_le_bytes(self.get(OUT + 2, 2).try_into().unwrap()),
            base: self.get_u64(OUT + 8),
            inheriting: self.get_u64(OUT + 16),
        })
    }

    pub fn set_rights(&mut self, fd: u32, base: u64, inheriting: u64) -> Result {
        self.ask("fd_fdstat_set_rights", &[fd.into(), base as i64, inheriting as i64])
    }

    pub fn set_flags(&mut self, fd: u32, flags: u32) -> Result {
        self.ask("fd_fdstat_set_flags", &[fd.into(), flags.into()])
    }

    pub fn fd_stat(&mut self, fd: u32) -> Result<FileStat> {
        self.ask("fd_filestat_get", &[fd.into(), OUT.into()])?;
        Ok(self.filestat())
    }

    pub fn stat(&mut self, dir: u32, lookup: u32, path: impl AsRef<[u8]>) -> Result<FileStat> {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_filestat_get", &[dir.into(), lookup.into(), at, len, OUT.into()])?;
        Ok(self.filestat())
    }

    fn filestat(&mut self) -> FileStat {
        FileStat {
            dev: self.get_u64(OUT),
            ino: self.get_u64(OUT + 8),
            filetype: self.get(OUT + 16, 1)[0],
            nlink: self.get_u64(OUT + 24),
            size: self.get_u64(OUT + 32),
            atim: self.get_u64(OUT + 40),
            mtim: self.get_u64(OUT + 48),
            ctim: self.get_u64(OUT + 56),
        }
    }

    pub fn set_times(&mut self, dir: u32, lookup: u32, path: impl AsRef<[u8]>, mtim: u64) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_filestat_set_times", &[dir.into(), lookup.into(), at, len, 0, mtim as i64, 4])
    }

    pub fn fd_set_times(&mut self, fd: u32, atim: u64, mtim: u64, flags: u32) -> Result {
        self.ask("fd_filestat_set_times", &[fd.into(), atim as i64, mtim as i64, flags.into()])
    }

    pub fn set_size(&mut self, fd: u32, size: u64) -> Result {
        self.ask("fd_filestat_set_size", &[fd.into(), size as i64])
    }

    pub fn create_dir(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_create_directory", &[dir.into(), at, len])
    }

    pub fn remove_dir(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_remove_directory", &[dir.into(), at, len])
    }

    pub fn unlink(&mut self, dir: u32, path: impl AsRef<[u8]>) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_unlink_file", &[dir.into(), at, len])
    }

    pub fn rename(
        &mut self,
        dir: u32,
        path: impl AsRef<[u8]>,
        new_dir: u32,
        new_path: impl AsRef<[u8]>,
    ) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        let [new_at, new_len] = self.path(OTHER_PATH, new_path.as_ref());
        self.ask("path_rename", &[dir.into(), at, len, new_dir.into(), new_at, new_len])
    }

    pub fn link(
        &mut self,
        dir: u32,
        lookup: u32,
        path: impl AsRef<[u8]>,
        new_dir: u32,
        new_path: impl AsRef<[u8]>,
    ) -> Result {
        let [at, len] = self.path(PATH, path.as_ref());
        let [new_at, new_len] = self.path(OTHER_PATH, new_path.as_ref());
        self.ask("path_link", &[dir.into(), lookup.into(), at, len, new_dir.into(), new_at, new_len])
    }

    pub fn symlink(&mut self, content: impl AsRef<[u8]>, dir: u32, path: impl AsRef<[u8]>) -> Result {
        let [content_at, content_len] = self.path(OTHER_PATH, content.as_ref());
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_symlink", &[content_at, content_len, dir.into(), at, len])
    }

    pub fn readlink(&mut self, dir: u32, path: impl AsRef<[u8]>, room: u32) -> Result<Vec<u8>> {
        let [at, len] = self.path(PATH, path.as_ref());
        self.ask("path_readlink", &[dir.into(), at, len, BUFFER.into(), room.into(), OUT.into()])?;
        let used = self.get_u32(OUT);
        Ok(self.get(BUFFER, used as usize))
    }

    /// One `fd_readdir` into a buffer of `room` bytes.
    pub fn readdir_once(&mut self, fd: u32, room: u32, cookie: u64) -> Result<Vec<u8>> {
        self.ask("fd_readdir", &[fd.into(), BUFFER.into(), room.into(), cookie as i64, OUT.into()])?;
        let used = self.get_u32(OUT);
        Ok(self.get(BUFFER, used as usize))
    }

    /// All entries, as a C library reads them: a cut entry is asked for again.
    pub fn readdir(&mut self, fd: u32, room: u32) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        let mut cookie = 0;
        loop {
            let bytes = self.readdir_once(fd, room, cookie)?;
            let mut rest = bytes.as_slice();
            while let Some((head, tail)) = rest.split_at_checked(24) {
                let name_len = u32::from_le_bytes(head[16..20].try_into().unwrap()) as usize;
                let Some((name, tail)) = tail.split_at_checked(name_len) else { break };
                cookie = u64::from_le_bytes(head[..8].try_into().unwrap());
                let name = String::from_utf8(name.to_vec()).unwrap();
                let ino = u64::from_le_bytes(head[8..16].try_into().unwrap());
                entries.push(DirEntry { name, ino, filetype: head[20], next: cookie });
                rest = tail;
            }
            if bytes.len() < room as usize {
                return Ok(entries);
            }
        }
    }
}

/// What `path_open` is asked for. The default follows links and asks for no rights.
#[derive(Clone, Copy)]
pub struct Open {
    pub lookup: u32,
    pub oflags: u32,
    pub base: u64,
    pub inheriting: u64,
    pub fdflags: u32,
}

impl Default for Open {
    fn default() -> Self {
        Self { lookup: FOLLOW, oflags: 0, base: 0, inheriting: rights::ALL, fdflags: 0 }
    }
}

impl Open {
    /// As a C library opens a file to read.
    pub fn read() -> Self {
        Self { base: rights::LIBC_READ, ..Self::default() }
    }

    /// As a C library opens a file to read and write.
    pub fn read_write() -> Self {
        Self { base: rights::ALL, ..Self::default() }
    }

    /// As a C library creates a file to read and write.
    pub fn create() -> Self {
        Self { oflags: CREAT, ..Self::read_write() }
    }

    /// As a C library opens a directory.
    pub fn directory() -> Self {
        Self { oflags: DIRECTORY, ..Self::read() }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct FdStat {
    pub filetype: u8,
    pub flags: u16,
    pub base: u64,
    pub inheriting: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct FileStat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: u8,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct DirEntry {
    pub name: String,
    pub ino: u64,
    pub filetype: u8,
    pub next: u64,
}

/// A module that imports every function and exports each under its name.
pub fn forwarder() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::new(&Engine::default(), forwarder_text()).unwrap())
}

fn forwarder_text() -> String {
    let mut imports = String::new();
    let mut exports = String::new();
    for row in FUNCTIONS {
        let name = row.name;
        let params: String =
            row.params.iter().map(|(_, ty)| if *ty == "u32" { " i32" } else { " i64" }).collect();
        let ty = format!("(param{params}){}", if row.returns_errno { " (result i32)" } else { "" });
        let args: String = (0..row.params.len()).map(|index| format!(" (local.get {index})")).collect();
        writeln!(imports, r#"(import "{MODULE}" "{name}" (func ${name} {ty}))"#).unwrap();
        writeln!(exports, r#"(func (export "{name}") {ty} (call ${name}{args}))"#).unwrap();
    }
    format!("(module {imports} (memory (export \"memory\") 2) {exports})")
}
