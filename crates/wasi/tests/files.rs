//! What files and directories do when nothing is refused.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use support::{
    APPEND, CREAT, DIRECTORY, DSYNC, EXCL, FOLLOW, Guest, NONBLOCK, Open, ROOT, TRUNC, errno, rights,
};
use tempfile::TempDir;
use tenure_wasi::{FsPerms, WasiCtxBuilder};

/// An empty directory and a guest that may do all in it.
fn empty() -> (TempDir, Guest) {
    let root = tempfile::tempdir().unwrap();
    let guest = Guest::with_dir(root.path(), FsPerms::ReadWrite);
    (root, guest)
}

#[test]
fn write_seek_read() {
    let (root, mut guest) = empty();
    let fd = guest.open(ROOT, "file", Open::create()).unwrap();
    assert_eq!(fd, 4);
    assert_eq!(guest.write(fd, b"0123456789"), Ok(10));
    assert_eq!(guest.tell(fd), Ok(10));
    assert_eq!(guest.seek(fd, -4, 1), Ok(6));
    assert_eq!(guest.read(fd, 2), Ok(b"67".to_vec()));
    assert_eq!(guest.seek(fd, -1, 2), Ok(9));
    assert_eq!(guest.seek(fd, 5, 2), Ok(15));
    assert_eq!(guest.read(fd, 2), Ok(vec![]));
    assert_eq!(guest.seek(fd, 1, 0), Ok(1));
    assert_eq!(guest.seek(fd, -2, 1), Err(errno::INVAL));
    assert_eq!(guest.tell(fd), Ok(1));
    assert_eq!(guest.pwrite(fd, b"ab", 4), Ok(2));
    assert_eq!(guest.pread(fd, 4, 3), Ok(b"3ab6".to_vec()));
    assert_eq!(guest.tell(fd), Ok(1));
    assert_eq!(guest.set_size(fd, 6), Ok(()));
    assert_eq!(guest.fd_stat(fd).unwrap().size, 6);
    for name in ["fd_sync", "fd_datasync"] {
        assert_eq!(guest.call(name, &[fd.into()]), 0);
    }
    assert_eq!(guest.call("fd_advise", &[fd.into(), 0, 0, 3]), 0);
    assert_eq!(guest.call("fd_allocate", &[fd.into(), 4, 100]), 0);
    assert_eq!(guest.fd_stat(fd).unwrap().size, 104);
    guest.close(fd).unwrap();
    assert_eq!(guest.close(fd), Err(errno::BADF));
    assert_eq!(fs::read(root.path().join("file")).unwrap()[..6], *b"0123ab");
}

#[test]
fn appending() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "abc").unwrap();
    let fd = guest.open(ROOT, "file", Open { fdflags: APPEND, ..Open::read_write() }).unwrap();
    assert_eq!(guest.fdstat(fd).unwrap().flags, 1);
    assert_eq!(guest.write(fd, b"d"), Ok(1));
    assert_eq!(guest.seek(fd, 0, 0), Ok(0));
    assert_eq!(guest.write(fd, b"e"), Ok(1));
    guest.set_flags(fd, 0).unwrap();
    assert_eq!(guest.seek(fd, 0, 0), Ok(0));
    assert_eq!(guest.write(fd, b"X"), Ok(1));
    guest.set_flags(fd, APPEND | NONBLOCK).unwrap();
    assert_eq!(guest.write(fd, b"f"), Ok(1));
    assert_eq!(guest.fdstat(fd).unwrap().flags, 5);
    assert_eq!(fs::read_to_string(root.path().join("file")).unwrap(), "Xbcdef");
}

#[test]
fn truncating_with_append_and_without_the_right_to_write() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "abc").unwrap();
    let open = Open { oflags: TRUNC, fdflags: APPEND, ..Open::read_write() };
    guest.open(ROOT, "file", open).unwrap();
    assert_eq!(fs::read(root.path().join("file")).unwrap(), b"");
    fs::write(root.path().join("file"), "abc").unwrap();
    let fd = guest.open(ROOT, "file", Open { oflags: TRUNC, ..Open::default() }).unwrap();
    assert_eq!(fs::read(root.path().join("file")).unwrap(), b"");
    assert_eq!(guest.write(fd, b"x"), Err(errno::BADF));
}

#[test]
fn whether_writes_are_synchronous_is_fixed() {
    let (_root, mut guest) = empty();
    let fd = guest.open(ROOT, "file", Open { fdflags: DSYNC, ..Open::create() }).unwrap();
    assert_eq!(guest.write(fd, b"x"), Ok(1));
    assert_eq!(u32::from(guest.fdstat(fd).unwrap().flags), DSYNC);
    assert_eq!(guest.set_flags(fd, 0), Err(errno::INVAL));
    assert_eq!(guest.set_flags(fd, DSYNC | APPEND), Ok(()));
}

#[test]
fn creating() {
    let (root, mut guest) = empty();
    assert_eq!(guest.open(ROOT, "file", Open::read()), Err(errno::NOENT));
    guest.open(ROOT, "file", Open { oflags: CREAT, ..Open::read() }).unwrap();
    guest.open(ROOT, "file", Open { oflags: CREAT, ..Open::read() }).unwrap();
    let exclusive = Open { oflags: CREAT | EXCL, ..Open::read_write() };
    assert_eq!(guest.open(ROOT, "file", exclusive), Err(errno::EXIST));
    guest.open(ROOT, "other", exclusive).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path().join("link")).unwrap();
    assert_eq!(guest.open(ROOT, "link", exclusive), Err(errno::EXIST));
    assert_eq!(guest.open(ROOT, "link", Open { lookup: 0, ..Open::create() }), Err(errno::LOOP));
    guest.open(ROOT, "link", Open::create()).unwrap();
    assert!(root.path().join("nowhere").is_file());
}

#[test]
fn opening_directories() {
    let (root, mut guest) = empty();
    fs::create_dir(root.path().join("dir")).unwrap();
    fs::write(root.path().join("dir/file"), "inside").unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    assert_eq!(guest.open(ROOT, "file", Open::directory()), Err(errno::NOTDIR));
    assert_eq!(guest.open(ROOT, "dir", Open::read_write()), Err(errno::ISDIR));
    assert_eq!(
        guest.open(ROOT, "dir", Open { oflags: CREAT | DIRECTORY, ..Open::read() }),
        Err(errno::INVAL)
    );
    let dir = guest.open(ROOT, "dir", Open::directory()).unwrap();
    assert_eq!(guest.fdstat(dir).unwrap().filetype, 3);
    let file = guest.open(dir, "file", Open::read()).unwrap();
    assert_eq!(guest.read(file, 10), Ok(b"inside".to_vec()));
    assert_eq!(guest.open(file, "x", Open::read()), Err(errno::NOTDIR));
    assert_eq!(guest.open(dir, "../file", Open::read()), Err(errno::PERM));
    assert_eq!(guest.read(dir, 1), Err(errno::BADF));
    assert_eq!(guest.write(dir, b"x"), Err(errno::BADF));
    assert_eq!(guest.seek(dir, 0, 1), Err(errno::BADF));
    assert_eq!(guest.call("fd_sync", &[dir.into()]), 0);
    assert_eq!(guest.call("fd_prestat_get", &[dir.into(), 0]), errno::BADF);
}

#[test]
fn preopened_directories_have_names() {
    let root = tempfile::tempdir().unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_dir(root.path(), "/", FsPerms::ReadWrite).unwrap();
    builder.preopened_dir(root.path(), "second/näme", FsPerms::ReadOnly).unwrap();
    let mut guest = Guest::new(builder.build_p1());
    for (fd, name) in [(3, "/"), (4, "second/näme")] {
        assert_eq!(guest.call("fd_prestat_get", &[fd, 0]), 0);
        let len = guest.get_u32(4);
        assert_eq!((guest.get_u32(0), len as usize), (0, name.len()));
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd, 16, i64::from(len) - 1]), errno::NAMETOOLONG);
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd, 16, i64::from(len) + 1]), 0);
        assert_eq!(guest.get(16, name.len()), name.as_bytes());
    }
    assert_eq!(guest.call("fd_prestat_get", &[5, 0]), errno::BADF);
    assert!(WasiCtxBuilder::new().preopened_dir(root.path().join("x"), "/", FsPerms::ReadOnly).is_err());
    fs::write(root.path().join("file"), "").unwrap();
    assert!(WasiCtxBuilder::new().preopened_dir(root.path().join("file"), "/", FsPerms::ReadOnly).is_err());
}

#[test]
fn attributes() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "12345").unwrap();
    fs::hard_link(root.path().join("file"), root.path().join("again")).unwrap();
    std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
    let host = fs::metadata(root.path().join("file")).unwrap();
    let stat = guest.stat(ROOT, 0, "file").unwrap();
    assert_eq!((stat.dev, stat.ino, stat.nlink, stat.size), (host.dev(), host.ino(), 2, 5));
    assert_eq!(stat.filetype, 4);
    assert_eq!(stat.mtim, host.mtime() as u64 * 1_000_000_000 + host.mtime_nsec() as u64);
    assert_eq!(guest.stat(ROOT, FOLLOW, "link").unwrap(), stat);
    let link = guest.stat(ROOT, 0, "link").unwrap();
    assert_eq!((link.filetype, link.size), (7, 4));
    let fd = guest.open(ROOT, "file", Open::read()).unwrap();
    assert_eq!(guest.fd_stat(fd).unwrap(), stat);
    assert_eq!(guest.fd_stat(ROOT).unwrap(), guest.stat(ROOT, 0, ".").unwrap());
}

#[test]
fn time_stamps() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
    let second = 1_000_000_000;
    guest.set_times(ROOT, FOLLOW, "link", 5 * second + 7).unwrap();
    assert_eq!(guest.stat(ROOT, 0, "file").unwrap().mtim, 5 * second + 7);
    assert!(guest.stat(ROOT, 0, "link").unwrap().mtim > 100 * second);
    guest.set_times(ROOT, 0, "link", 6 * second).unwrap();
    assert_eq!(guest.stat(ROOT, 0, "link").unwrap().mtim, 6 * second);
    assert_eq!(guest.stat(ROOT, 0, "file").unwrap().mtim, 5 * second + 7);
    let fd = guest.open(ROOT, "file", Open::read_write()).unwrap();
    guest.fd_set_times(fd, 3 * second, 4 * second, 1 | 4).unwrap();
    let stat = guest.fd_stat(fd).unwrap();
    assert_eq!((stat.atim, stat.mtim), (3 * second, 4 * second));
    guest.fd_set_times(fd, 0, 0, 8).unwrap();
    let stat = guest.fd_stat(fd).unwrap();
    assert_eq!(stat.atim, 3 * second);
    assert!(stat.mtim > 1_000_000_000 * second);
    guest.fd_set_times(fd, 0, 0, 0).unwrap();
    assert_eq!(guest.fd_stat(fd).unwrap(), stat);
    guest.set_times(ROOT, 0, ".", 7 * second).unwrap();
    guest.fd_set_times(ROOT, 0, 8 * second, 4).unwrap();
    assert_eq!(guest.fd_stat(ROOT).unwrap().mtim, 8 * second);
}

#[test]
fn links_and_names() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "content").unwrap();
    guest.create_dir(ROOT, "dir").unwrap();
    assert_eq!(guest.create_dir(ROOT, "dir"), Err(errno::EXIST));
    guest.create_dir(ROOT, "dir/sub/").unwrap();
    guest.link(ROOT, 0, "file", ROOT, "dir/hard").unwrap();
    assert_eq!(guest.link(ROOT, FOLLOW, "file", ROOT, "x"), Err(errno::INVAL));
    assert_eq!(guest.link(ROOT, 0, "file", ROOT, "dir/hard"), Err(errno::EXIST));
    assert_eq!(guest.link(ROOT, 0, "dir", ROOT, "x"), Err(errno::PERM));
    guest.symlink("../file", ROOT, "dir/soft").unwrap();
    assert_eq!(guest.readlink(ROOT, "dir/soft", 100), Ok(b"../file".to_vec()));
    assert_eq!(guest.readlink(ROOT, "dir/soft", 3), Ok(b"../".to_vec()));
    assert_eq!(guest.readlink(ROOT, "file", 3), Err(errno::INVAL));
    assert_eq!(guest.symlink("", ROOT, "empty"), Err(errno::NOENT));
    assert_eq!(guest.symlink("/etc", ROOT, "absolute"), Err(errno::PERM));
    guest.rename(ROOT, "dir/hard", ROOT, "moved").unwrap();
    assert_eq!(guest.rename(ROOT, "missing", ROOT, "x"), Err(errno::NOENT));
    assert_eq!(guest.rename(ROOT, "moved", ROOT, "dir"), Err(errno::ISDIR));
    assert_eq!(guest.rename(ROOT, "dir", ROOT, "moved"), Err(errno::NOTDIR));
    assert_eq!(guest.rename(ROOT, "dir", ROOT, "dir/sub/x"), Err(errno::INVAL));
    assert_eq!(guest.unlink(ROOT, "dir"), Err(errno::ISDIR));
    assert_eq!(guest.remove_dir(ROOT, "file"), Err(errno::NOTDIR));
    assert_eq!(guest.remove_dir(ROOT, "dir"), Err(errno::NOTEMPTY));
    guest.remove_dir(ROOT, "dir/sub").unwrap();
    guest.unlink(ROOT, "dir/soft").unwrap();
    guest.remove_dir(ROOT, "dir/").unwrap();
    let fd = guest.open(ROOT, "moved", Open::read()).unwrap();
    guest.unlink(ROOT, "moved").unwrap();
    guest.unlink(ROOT, "file").unwrap();
    assert_eq!(guest.read(fd, 100), Ok(b"content".to_vec()));
    assert_eq!(guest.fd_stat(fd).unwrap().nlink, 0);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn trailing_slashes_name_directories() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "").unwrap();
    fs::create_dir(root.path().join("dir")).unwrap();
    std::os::unix::fs::symlink("file", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("dir", root.path().join("dirlink")).unwrap();
    for path in ["file/", "file//", "file/.", "link/", "file/x"] {
        assert_eq!(guest.open(ROOT, path, Open::read()), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.stat(ROOT, 0, path), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.unlink(ROOT, path), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.remove_dir(ROOT, path), Err(errno::NOTDIR), "{path}");
        assert_eq!(guest.rename(ROOT, path, ROOT, "x"), Err(errno::NOTDIR), "{path}");
    }
    for path in ["file/", "link/", "new/", "dirlink/"] {
        assert_eq!(guest.rename(ROOT, "file", ROOT, path), Err(errno::NOTDIR), "{path}");
    }
    assert_eq!(guest.symlink("x", ROOT, "new/"), Err(errno::NOENT));
    for path in ["dir/", "dir//", "dir/.", "./dir", "dirlink/", "dirlink/."] {
        assert_eq!(guest.stat(ROOT, 0, path).unwrap().filetype, 3, "{path}");
        let fd = guest.open(ROOT, path, Open { lookup: 0, ..Open::directory() }).unwrap();
        guest.close(fd).unwrap();
    }
    guest.rename(ROOT, "dir/", ROOT, "renamed/").unwrap();
    assert!(root.path().join("renamed").is_dir());
}

#[test]
fn symbolic_links_that_are_not_to_be_followed() {
    let (root, mut guest) = empty();
    fs::create_dir(root.path().join("dir")).unwrap();
    fs::write(root.path().join("dir/file"), "").unwrap();
    std::os::unix::fs::symlink("dir", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("loop", root.path().join("loop")).unwrap();
    for open in [Open::read(), Open::read_write(), Open::directory()] {
        assert_eq!(guest.open(ROOT, "link", Open { lookup: 0, ..open }), Err(errno::LOOP));
        assert_eq!(guest.open(ROOT, "loop", open), Err(errno::LOOP));
    }
    guest.open(ROOT, "link/file", Open { lookup: 0, ..Open::read() }).unwrap();
    assert_eq!(guest.stat(ROOT, FOLLOW, "loop"), Err(errno::LOOP));
    assert_eq!(guest.stat(ROOT, 0, "loop").unwrap().filetype, 7);
    assert_eq!(guest.unlink(ROOT, "link"), Ok(()));
    assert!(root.path().join("dir").is_dir());
}

#[test]
fn an_empty_directory_has_two_entries() {
    let (root, mut guest) = empty();
    let entries = guest.readdir(ROOT, 4096).unwrap();
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from([".", ".."]));
    let ino = fs::metadata(root.path()).unwrap().ino();
    for entry in &entries {
        assert_eq!(entry.filetype, 3);
        assert_eq!(entry.ino, if entry.name == "." { ino } else { 0 });
    }
}

#[test]
fn directories_of_all_sizes_through_buffers_of_all_sizes() {
    let (root, mut guest) = empty();
    let mut expected = BTreeSet::from([".".to_owned(), "..".to_owned()]);
    for index in 0..700 {
        let name = format!("{index}-{}", "x".repeat(index % 200));
        fs::write(root.path().join(&name), "").unwrap();
        expected.insert(name);
    }
    for room in [24 + 255, 300, 1000, 4096, 65536] {
        let entries = guest.readdir(ROOT, room).unwrap();
        assert_eq!(entries.len(), expected.len(), "{room}");
        assert_eq!(entries.into_iter().map(|entry| entry.name).collect::<BTreeSet<_>>(), expected);
    }
    // A buffer too small for one entry is filled to its end, so that the guest knows.
    for room in [0, 1, 23, 24] {
        assert_eq!(guest.readdir_once(ROOT, room, 0).unwrap().len(), room as usize);
    }
}

#[test]
fn a_cookie_goes_on_after_its_entry() {
    let (root, mut guest) = empty();
    for name in ["a", "b", "c", "d"] {
        fs::write(root.path().join(name), "").unwrap();
    }
    let all = guest.readdir(ROOT, 4096).unwrap();
    for (index, entry) in all.iter().enumerate() {
        let rest = guest.readdir_once(ROOT, 4096, entry.next).unwrap();
        let len: usize = all[index + 1..].iter().map(|entry| 24 + entry.name.len()).sum();
        assert_eq!(rest.len(), len);
    }
    assert_eq!(guest.readdir_once(ROOT, 4096, u64::MAX), Err(errno::INVAL));
}

#[test]
fn entries_that_go_while_they_are_listed_hide_no_others() {
    let (root, mut guest) = empty();
    for index in 0..300 {
        fs::write(root.path().join(format!("file{index}")), "").unwrap();
    }
    // As `rm -r` does: list a few, delete them, go on.
    let mut cookie = 0;
    loop {
        let bytes = guest.readdir_once(ROOT, 200, cookie).unwrap();
        let mut rest = bytes.as_slice();
        while let Some((head, tail)) = rest.split_at_checked(24) {
            let len = u32::from_le_bytes(head[16..20].try_into().unwrap()) as usize;
            let Some((name, tail)) = tail.split_at_checked(len) else { break };
            if !name.starts_with(b".") {
                guest.unlink(ROOT, name).unwrap();
            }
            cookie = u64::from_le_bytes(head[..8].try_into().unwrap());
            rest = tail;
        }
        if bytes.len() < 200 {
            break;
        }
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn names_that_are_not_utf8_are_not_listed() {
    use std::os::unix::ffi::OsStrExt;
    let (root, mut guest) = empty();
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"bad\xff")), "").unwrap();
    fs::write(root.path().join("good"), "").unwrap();
    let names: BTreeSet<String> =
        guest.readdir(ROOT, 4096).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, BTreeSet::from([".".into(), "..".into(), "good".into()]));
}

#[test]
fn descriptors_are_renumbered() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("a"), "a").unwrap();
    fs::write(root.path().join("b"), "b").unwrap();
    let a = guest.open(ROOT, "a", Open::read()).unwrap();
    let b = guest.open(ROOT, "b", Open::read()).unwrap();
    assert_eq!(guest.call("fd_renumber", &[a.into(), b.into()]), 0);
    assert_eq!(guest.read(b, 1), Ok(b"a".to_vec()));
    assert_eq!(guest.fdstat(a), Err(errno::BADF));
    assert_eq!(guest.call("fd_renumber", &[b.into(), b.into()]), 0);
    assert_eq!(guest.call("fd_renumber", &[b.into(), a.into()]), errno::BADF);
    // The lowest free number is the next; a preopened directory is a descriptor like others.
    assert_eq!(guest.open(ROOT, "a", Open::read()), Ok(a));
    assert_eq!(guest.call("fd_renumber", &[b.into(), ROOT.into()]), 0);
    assert_eq!(guest.call("fd_prestat_get", &[ROOT.into(), 0]), errno::BADF);
    assert_eq!(guest.call("fd_renumber", &[ROOT.into(), 1]), 0);
    assert_eq!(guest.read(1, 1), Ok(vec![]));
    assert_eq!(guest.close(0), Ok(()));
}

#[test]
fn a_guest_cannot_open_without_end() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "").unwrap();
    let failure = loop {
        match guest.open(ROOT, "file", Open::read()) {
            Ok(fd) => assert!(fd < 4096),
            Err(errno) => break errno,
        }
    };
    assert_eq!(failure, errno::MFILE);
    assert_eq!(guest.open(ROOT, "new", Open::create()), Err(errno::MFILE));
    guest.close(100).unwrap();
    assert_eq!(guest.open(ROOT, "file", Open::read()), Ok(100));
}

#[test]
fn access_alone_brings_what_goes_with_it() {
    let (root, mut guest) = empty();
    fs::write(root.path().join("file"), "abc").unwrap();
    let mode = |base| Open { base, inheriting: 0, ..Open::default() };
    let fd = guest.open(ROOT, "file", mode(rights::FD_READ | rights::FD_WRITE)).unwrap();
    assert_eq!(guest.seek(fd, 1, 0), Ok(1));
    assert_eq!(guest.read(fd, 1), Ok(b"b".to_vec()));
    assert_eq!(guest.set_size(fd, 2), Ok(()));
    let fd = guest.open(ROOT, "file", mode(rights::FD_READ)).unwrap();
    assert_eq!(guest.fd_stat(fd).unwrap().size, 2);
    assert_eq!(guest.set_size(fd, 1), Err(errno::PERM));
    assert_eq!(guest.write(fd, b"x"), Err(errno::BADF));
    let fd = guest.open(ROOT, ".", mode(0)).unwrap();
    assert_eq!(guest.readdir(fd, 4096).unwrap().len(), 3);
    guest.open(fd, "file", Open::read_write()).unwrap();
}
