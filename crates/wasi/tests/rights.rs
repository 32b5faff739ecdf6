//! Who may do what: permissions of a preopened directory, rights of a descriptor.

mod support;
#[path = "support/host.rs"]
mod host;

use host::snapshot;
use std::fs;
use std::path::Path;
use support::{CREAT, FOLLOW, Guest, Open, ROOT, Result, TRUNC, errno, rights};
use tenure_wasi::{DirPerms, FilePerms, FsPerms, Perms, WasiCtxBuilder};

const DIRS: [DirPerms; 4] = [DirPerms::empty(), DirPerms::READ, DirPerms::MUTATE, DirPerms::all()];
const FILES: [FilePerms; 4] = [FilePerms::empty(), FilePerms::READ, FilePerms::WRITE, FilePerms::all()];

/// What paths lead to, and whether that is a file if links are followed.
const TARGETS: &[(&str, bool)] = &[
    ("file", true),
    ("dir", false),
    ("link", true),
    ("dirlink", false),
    ("dangling", false),
    ("missing", false),
    ("fifo", true),
];

fn fixture(root: &Path) {
    fs::write(root.join("file"), "content").unwrap();
    fs::create_dir(root.join("dir")).unwrap();
    std::os::unix::fs::symlink("file", root.join("link")).unwrap();
    std::os::unix::fs::symlink("dir", root.join("dirlink")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
    let fifo = root.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

/// An operation on a path, and what it needs of the directory's permissions and the file's.
struct Op {
    name: &'static str,
    run: fn(&mut Guest, &str) -> Result,
    dir: DirPerms,
    /// If what the path leads to is a file.
    file: FilePerms,
    /// Whatever it leads to.
    any: FilePerms,
}

const fn op(name: &'static str, dir: DirPerms, run: fn(&mut Guest, &str) -> Result) -> Op {
    Op { name, run, dir, file: FilePerms::empty(), any: FilePerms::empty() }
}

fn open(guest: &mut Guest, path: &str, open: Open) -> Result {
    // A pipe would wait for its other end.
    guest.open(ROOT, path, Open { fdflags: support::NONBLOCK, ..open }).map(|_| ())
}

fn ops() -> Vec<Op> {
    let read = DirPerms::READ;
    let mutate = DirPerms::MUTATE;
    vec![
        op("stat", read, |guest, path| guest.stat(ROOT, FOLLOW, path).map(|_| ())),
        op("stat the link", read, |guest, path| guest.stat(ROOT, 0, path).map(|_| ())),
        op("readlink", read, |guest, path| guest.readlink(ROOT, path, 100).map(|_| ())),
        Op {
            file: FilePerms::READ,
            ..op("open to read", read, |guest, path| {
                open(guest, path, Open { base: rights::FD_READ, ..Open::default() })
            })
        },
        Op {
            any: FilePerms::WRITE,
            ..op("open to write", read, |guest, path| {
                open(guest, path, Open { base: rights::FD_WRITE, ..Open::default() })
            })
        },
        op("open for nothing", read, |guest, path| open(guest, path, Open::default())),
        op("create", read | mutate, |guest, path| {
            open(guest, path, Open { oflags: CREAT, ..Open::default() })
        }),
        Op {
            any: FilePerms::WRITE,
            ..op("truncate", read, |guest, path| open(guest, path, Open { oflags: TRUNC, ..Open::default() }))
        },
        op("create_dir", mutate, |guest, path| guest.create_dir(ROOT, path)),
        op("remove_dir", mutate, |guest, path| guest.remove_dir(ROOT, path)),
        op("unlink", mutate, |guest, path| guest.unlink(ROOT, path)),
        op("rename from", mutate, |guest, path| guest.rename(ROOT, path, ROOT, "new")),
        op("rename to", mutate, |guest, path| guest.rename(ROOT, "file", ROOT, path)),
        op("link from", mutate, |guest, path| guest.link(ROOT, 0, path, ROOT, "new")),
        op("link to", mutate, |guest, path| guest.link(ROOT, 0, "file", ROOT, path)),
        op("symlink", mutate, |guest, path| guest.symlink("content", ROOT, path)),
        Op {
            file: FilePerms::WRITE,
            ..op("set times", mutate, |guest, path| guest.set_times(ROOT, FOLLOW, path, 1))
        },
    ]
}

/// What is allowed ends as if everything were; what is not ends with `perm` and leaves no trace.
#[test]
fn every_operation_under_all_permissions() {
    let guarded = tempfile::tempdir().unwrap();
    fixture(guarded.path());
    let untouched = snapshot(guarded.path());
    for op in ops() {
        for (path, is_file) in TARGETS {
            let free = in_a_fresh_directory(&op, path, FsPerms::ReadWrite.into());
            for (dir, file) in DIRS.into_iter().flat_map(|dir| FILES.map(|file| (dir, file))) {
                let needs = if *is_file { op.any | op.file } else { op.any };
                let case = format!("{} {path} with {dir:?} {file:?}", op.name);
                if dir.contains(op.dir) && file.contains(needs) {
                    assert_eq!(in_a_fresh_directory(&op, path, (dir, file).into()), free, "{case}");
                } else {
                    let mut guest = Guest::with_dir(guarded.path(), (dir, file));
                    assert_eq!((op.run)(&mut guest, path), Err(errno::PERM), "{case}");
                }
            }
        }
        assert_eq!(snapshot(guarded.path()), untouched, "{}", op.name);
    }
}

fn in_a_fresh_directory(op: &Op, path: &str, perms: Perms) -> Result {
    let root = tempfile::tempdir().unwrap();
    fixture(root.path());
    (op.run)(&mut Guest::with_dir(root.path(), perms), path)
}

#[test]
fn descriptors_of_a_read_only_tree_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    fixture(root.path());
    let before = snapshot(root.path());
    let mut guest = Guest::with_dir(root.path(), FsPerms::ReadOnly);
    let file = guest.open(ROOT, "file", Open::read()).unwrap();
    let dir = guest.open(ROOT, "dir", Open::directory()).unwrap();
    assert_eq!(guest.write(file, b"x"), Err(errno::BADF));
    assert_eq!(guest.pwrite(file, b"x", 0), Err(errno::BADF));
    assert_eq!(guest.set_size(file, 0), Err(errno::PERM));
    assert_eq!(guest.call("fd_allocate", &[file.into(), 0, 100]), errno::PERM);
    for fd in [file, dir, ROOT] {
        assert_eq!(guest.fd_set_times(fd, 0, 0, 5), Err(errno::PERM));
    }
    assert_eq!(guest.create_dir(dir, "x"), Err(errno::PERM));
    assert_eq!(guest.open(dir, "x", Open { oflags: CREAT, ..Open::read() }), Err(errno::PERM));
    assert_eq!(guest.readdir(dir, 100).unwrap().len(), 2);
    assert_eq!(snapshot(root.path()), before);
}

/// The right to set a directory's times is none to set a file's.
#[test]
fn directories_that_change_with_files_that_do_not() {
    let root = tempfile::tempdir().unwrap();
    fixture(root.path());
    let mut guest = Guest::with_dir(root.path(), (DirPerms::all(), FilePerms::READ));
    let file = guest.open(ROOT, "file", Open { base: rights::LIBC_READ, ..Open::default() }).unwrap();
    assert_eq!(guest.fd_set_times(file, 0, 0, 5), Err(errno::PERM));
    assert_eq!(guest.set_times(ROOT, 0, "file", 1), Err(errno::PERM));
    assert_eq!(guest.set_times(ROOT, 0, "dir", 1), Ok(()));
    assert_eq!(guest.set_times(ROOT, 0, "link", 1), Ok(()));
    assert_eq!(guest.unlink(ROOT, "file"), Ok(()));
    // A new file is there to be found, not to be written.
    assert_eq!(guest.open(ROOT, "new", Open::create()), Err(errno::PERM));
    let new = guest.open(ROOT, "new", Open { oflags: CREAT, ..Open::read() }).unwrap();
    assert_eq!(guest.write(new, b"x"), Err(errno::BADF));
}

#[test]
fn nothing_gains_permissions_by_another_name() {
    let root = tempfile::tempdir().unwrap();
    for name in ["free", "guarded", "other"] {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("file"), name).unwrap();
    }
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_dir(root.path().join("free"), "/free", FsPerms::ReadWrite).unwrap();
    let guarded = (DirPerms::all(), FilePerms::READ);
    builder.preopened_dir(root.path().join("guarded"), "/guarded", guarded).unwrap();
    builder.preopened_dir(root.path().join("other"), "/other", guarded).unwrap();
    let mut guest = Guest::new(builder.build_p1());
    let (free, guarded, other) = (3, 4, 5);
    assert_eq!(guest.link(guarded, 0, "file", free, "mine"), Err(errno::PERM));
    assert_eq!(guest.rename(guarded, "file", free, "mine"), Err(errno::PERM));
    assert_eq!(guest.link(guarded, 0, "file", other, "link"), Ok(()));
    assert_eq!(guest.rename(guarded, "file", other, "moved"), Ok(()));
    assert_eq!(guest.rename(free, "file", guarded, "given"), Ok(()));
    assert_eq!(fs::read_to_string(root.path().join("guarded/given")).unwrap(), "free");
}

#[test]
fn rights_only_shrink() {
    let root = tempfile::tempdir().unwrap();
    fixture(root.path());
    let mut guest = Guest::with_dir(root.path(), FsPerms::ReadWrite);
    let fd = guest.open(ROOT, "file", Open::read_write()).unwrap();
    let base = guest.fdstat(fd).unwrap().base;
    assert_eq!(base & rights::FD_READDIR, 0, "a file has no entries to list");
    let less = base & !rights::FD_SEEK & !rights::FD_WRITE;
    guest.set_rights(fd, less, 0).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().base, less);
    assert_eq!(guest.set_rights(fd, base, 0), Err(errno::NOTCAPABLE));
    assert_eq!(guest.set_rights(fd, less, rights::FD_READ), Err(errno::NOTCAPABLE));
    assert_eq!(guest.set_rights(fd, less | 1 << 40, 0), Err(errno::NOTCAPABLE));
    assert_eq!(guest.fdstat(fd).unwrap().base, less);
    assert_eq!(guest.seek(fd, 1, 0), Err(errno::PERM));
    assert_eq!(guest.tell(fd), Ok(0));
    assert_eq!(guest.seek(fd, 0, 1), Ok(0), "is telling");
    assert_eq!(guest.pread(fd, 1, 0), Err(errno::PERM));
    assert_eq!(guest.write(fd, b"x"), Err(errno::BADF));
    assert_eq!(guest.read(fd, 3), Ok(b"con".to_vec()));
    guest.set_rights(fd, 0, 0).unwrap();
    for (name, args) in [
        ("fd_advise", vec![fd.into(), 0, 0, 0]),
        ("fd_allocate", vec![fd.into(), 0, 1]),
        ("fd_datasync", vec![fd.into()]),
        ("fd_sync", vec![fd.into()]),
        ("fd_fdstat_set_flags", vec![fd.into(), 0]),
        ("fd_filestat_get", vec![fd.into(), 0]),
        ("fd_filestat_set_size", vec![fd.into(), 0]),
        ("fd_filestat_set_times", vec![fd.into(), 0, 0, 5]),
        ("fd_seek", vec![fd.into(), 0, 1, 0]),
        ("fd_tell", vec![fd.into(), 0]),
    ] {
        assert_eq!(guest.call(name, &args), errno::PERM, "{name}");
    }
    assert_eq!(guest.fdstat(fd).unwrap().base, 0);
    guest.close(fd).unwrap();
}

#[test]
fn a_directory_passes_on_no_more_than_it_may() {
    let root = tempfile::tempdir().unwrap();
    fixture(root.path());
    fs::write(root.path().join("dir/file"), "inner").unwrap();
    let mut guest = Guest::with_dir(root.path(), FsPerms::ReadWrite);
    let open =
        Open { base: rights::PATH_OPEN, inheriting: rights::FD_READ | rights::FD_SEEK, ..Open::default() };
    let dir = guest.open(ROOT, "dir", open).unwrap();
    let stat = guest.fdstat(dir).unwrap();
    assert_eq!((stat.base, stat.inheriting), (rights::PATH_OPEN, rights::FD_READ | rights::FD_SEEK));
    assert_eq!(guest.readdir(dir, 100), Err(errno::PERM));
    assert_eq!(guest.stat(dir, 0, "file"), Err(errno::PERM));
    assert_eq!(guest.open(dir, "file", Open::read_write()), Err(errno::PERM));
    assert_eq!(guest.open(dir, "new", Open { oflags: CREAT, ..Open::read() }), Err(errno::PERM));
    assert_eq!(guest.open(dir, "file", Open { oflags: TRUNC, ..Open::default() }), Err(errno::PERM));
    let file = guest.open(dir, "file", Open::read()).unwrap();
    assert_eq!(guest.fdstat(file).unwrap().base, rights::FD_READ | rights::FD_SEEK);
    assert_eq!(guest.read(file, 9), Ok(b"inner".to_vec()));
    assert_eq!(guest.fd_stat(file), Err(errno::PERM));
    // Once a preopened directory has lost a right, so has all that is opened through it.
    let stat = guest.fdstat(ROOT).unwrap();
    guest.set_rights(ROOT, stat.base & !rights::PATH_FILESTAT_SET_SIZE, stat.inheriting).unwrap();
    assert_eq!(guest.open(ROOT, "file", Open { oflags: TRUNC, ..Open::default() }), Err(errno::PERM));
    guest.set_rights(ROOT, stat.base & !rights::PATH_FILESTAT_SET_SIZE, rights::PATH_OPEN).unwrap();
    assert_eq!(guest.open(ROOT, "file", Open::read()), Err(errno::PERM));
    let dir = guest.open(ROOT, "dir", Open::directory()).unwrap();
    assert_eq!(guest.fdstat(dir).unwrap().base, rights::PATH_OPEN);
}
