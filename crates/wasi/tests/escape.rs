//! No path leaves its directory.
//!
//! The guest gets `inside`; `outside` lies beside it. Whatever it tries, `outside` stays as it
//! was, and every attribute it sees belongs to something in `inside`.

mod support;
#[path = "support/host.rs"]
mod host;

use host::{Snapshot, snapshot};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{CREAT, FOLLOW, Guest, Open, ROOT, TRUNC, errno, rights};
use tempfile::TempDir;
use tenure_wasi::FsPerms;

/// `outside/secret`, and `inside` with all kinds of ways that seem to lead there.
fn fixture() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let outside = root.path().join("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(outside.join("sub/secret"), "secret too").unwrap();
    let inside = root.path().join("inside");
    fs::create_dir_all(inside.join("dir/deep")).unwrap();
    fs::create_dir(inside.join("empty")).unwrap();
    fs::write(inside.join("file"), "file").unwrap();
    fs::write(inside.join("dir/file"), "inner").unwrap();
    for (content, name) in [
        ("../outside/secret", "up-file"),
        ("../outside", "up-dir"),
        ("../outside/new", "up-dangling"),
        ("up-dir", "up-chain"),
        ("dir/../..", "parent"),
        ("..", "dotdot"),
        ("../inside", "around"),
        ("dir", "dirlink"),
        ("deep/../../file", "dir/back"),
        ("../../outside", "dir/up-dir"),
        ("/", "slash"),
        ("/proc/self/root", "magic"),
        ("/proc/self/cwd", "cwd"),
        ("missing", "dangling"),
        ("loop", "loop"),
    ] {
        symlink(content, inside.join(name)).unwrap();
    }
    symlink(&outside, inside.join("absolute")).unwrap();
    symlink(outside.join("secret"), inside.join("absolute-file")).unwrap();
    root
}

fn guest_of(root: &Path) -> Guest {
    Guest::with_dir(&root.join("inside"), FsPerms::ReadWrite)
}

/// Ways to write a path, joined from parts.
fn corpus(root: &Path) -> Vec<Vec<u8>> {
    let first = [
        "",
        ".",
        "..",
        "/",
        "//",
        "./",
        "file",
        "dir",
        "dir/deep",
        "up-file",
        "up-dir",
        "up-dangling",
        "up-chain",
        "parent",
        "dotdot",
        "around",
        "dirlink",
        "dir/back",
        "dir/up-dir",
        "slash",
        "magic",
        "cwd",
        "dangling",
        "loop",
        "absolute",
        "absolute-file",
        "dir/..",
        "dir/../..",
        "dir/deep/../../..",
        "./..",
        "missing/..",
    ];
    let second = [
        "",
        "/",
        "//",
        "/.",
        "/..",
        "/./",
        "/../",
        "/secret",
        "/../outside/secret",
        "/../../outside/secret",
        "/outside/secret",
        "/new",
        "/../new",
        "/sub/secret",
        "/etc/passwd",
        "/file",
        "/deep",
    ];
    let mut paths: Vec<Vec<u8>> = Vec::new();
    for first in first {
        paths.extend(second.iter().map(|second| format!("{first}{second}").into_bytes()));
    }
    let outside = root.join("outside/secret");
    paths.push(outside.to_str().unwrap().into());
    paths.push(format!("/{}", outside.display()).into());
    paths.extend([
        b"file\0".to_vec(),
        b"\0".to_vec(),
        b"dir\0/../..".to_vec(),
        b"../outside/secret\0".to_vec(),
    ]);
    paths.extend([
        b"\xff".to_vec(),
        b"dir/\xc3".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"..\xc0\xaf..".to_vec(),
    ]);
    for len in [255, 256, 4095, 4096, 4097] {
        paths.push(vec![b'a'; len]);
        paths.push(b"../".repeat(len / 3));
        paths.push(b"./".repeat(len / 2));
        paths.push(b"dir/../".repeat(len / 7));
    }
    paths
}

/// The files and directories of `inside`; links are told apart by their own numbers.
fn inodes(root: &Path) -> BTreeSet<(u64, u64)> {
    snapshot(&root.join("inside")).values().map(|row| (row.0, row.1)).collect()
}

/// Everything outside, `inside` itself only by what it is not.
fn outside(root: &Path) -> Snapshot {
    snapshot(&root.join("outside"))
}

fn beside(root: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn whatever_is_seen_is_inside() {
    let root = fixture();
    let root = root.path();
    let inodes = inodes(root);
    let mut guest = guest_of(root);
    let mut seen = 0;
    for path in corpus(root) {
        let name = String::from_utf8_lossy(&path).into_owned();
        for lookup in [0, FOLLOW] {
            if let Ok(stat) = guest.stat(ROOT, lookup, &path) {
                assert!(inodes.contains(&(stat.dev, stat.ino)), "stat {lookup} {name}");
                seen += 1;
            }
            for open in [Open::read(), Open::directory(), Open::read_write()] {
                if let Ok(fd) = guest.open(ROOT, &path, Open { lookup, ..open }) {
                    let stat = guest.fd_stat(fd).unwrap();
                    assert!(inodes.contains(&(stat.dev, stat.ino)), "open {lookup} {name}");
                    guest.close(fd).unwrap();
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "{seen}: the corpus reaches what it may");
}

#[test]
fn whatever_is_done_is_done_inside() {
    let keep = fixture();
    let before = (outside(keep.path()), beside(keep.path()));
    for path in corpus(keep.path()) {
        // Each path in a directory of its own: what one call changes must not help the next.
        let root = fixture();
        let unchanged = (outside(root.path()), beside(root.path()));
        let mut guest = guest_of(root.path());
        let name = String::from_utf8_lossy(&path).into_owned();
        for lookup in [0, FOLLOW] {
            _ = guest.set_times(ROOT, lookup, &path, 1);
            _ = guest.open(ROOT, &path, Open { lookup, oflags: TRUNC, ..Open::default() });
            _ = guest.open(ROOT, &path, Open { lookup, oflags: CREAT, ..Open::read_write() });
            _ = guest.link(ROOT, lookup, &path, ROOT, format!("linked{lookup}"));
        }
        _ = guest.link(ROOT, 0, "file", ROOT, &path);
        _ = guest.symlink("file", ROOT, &path);
        _ = guest.create_dir(ROOT, &path);
        _ = guest.unlink(ROOT, &path);
        _ = guest.remove_dir(ROOT, &path);
        _ = guest.rename(ROOT, "dir", ROOT, &path);
        _ = guest.rename(ROOT, &path, ROOT, "moved");
        _ = guest.readlink(ROOT, &path, 4096);
        assert_eq!((outside(root.path()), beside(root.path())), unchanged, "{name}");
    }
    assert_eq!((outside(keep.path()), beside(keep.path())), before);
}

#[test]
fn every_pair_of_ways_out_is_closed_to_renames_and_links() {
    let ways =
        ["up-dir/x", "absolute/x", "dotdot/x", "../x", "dir/../../x", "around/x", "/x", "slash/x", "magic/x"];
    for from in ["file", "dir", "up-file", "up-dir/secret", "absolute/secret", "../outside/secret"] {
        let root = fixture();
        let unchanged = (outside(root.path()), beside(root.path()));
        let mut guest = guest_of(root.path());
        for to in ways {
            assert_eq!(guest.rename(ROOT, from, ROOT, to), Err(errno::PERM), "rename {from} {to}");
            assert_eq!(guest.link(ROOT, 0, from, ROOT, to), Err(errno::PERM), "link {from} {to}");
        }
        assert_eq!((outside(root.path()), beside(root.path())), unchanged);
    }
}

#[test]
fn ways_out_are_not_permitted() {
    let root = fixture();
    let mut guest = guest_of(root.path());
    for path in [
        "/",
        "/etc/passwd",
        "..",
        "../outside/secret",
        "dir/../..",
        "dir/../../outside",
        "up-file",
        "up-dir/secret",
        "up-chain/secret",
        "parent/outside",
        "dotdot",
        "around/file",
        "absolute/secret",
        "absolute-file",
        "magic/etc/passwd",
        "dir/up-dir/secret",
        "slash",
    ] {
        assert_eq!(guest.open(ROOT, path, Open::read()), Err(errno::PERM), "{path}");
        assert_eq!(guest.stat(ROOT, FOLLOW, path), Err(errno::PERM), "{path}");
        assert_eq!(guest.set_times(ROOT, FOLLOW, path, 1), Err(errno::PERM), "{path}");
    }
    for path in ["up-dangling", "up-dir/new", "../new", "absolute/new"] {
        assert_eq!(guest.open(ROOT, path, Open::create()), Err(errno::PERM), "{path}");
    }
    assert_eq!(guest.open(ROOT, "file\0", Open::read()), Err(errno::INVAL));
    assert_eq!(guest.open(ROOT, b"\xff", Open::read()), Err(errno::ILSEQ));
    assert_eq!(guest.open(ROOT, "", Open::read()), Err(errno::NOENT));
    assert_eq!(guest.open(ROOT, "a".repeat(256), Open::read()), Err(errno::NAMETOOLONG));
    assert_eq!(guest.open(ROOT, "a/".repeat(2049), Open::read()), Err(errno::NAMETOOLONG));
    // The way in stays open.
    guest.open(ROOT, "dir/back", Open::read()).unwrap();
    guest.open(ROOT, "dir/deep/../../dirlink/file", Open::read()).unwrap();
}

#[test]
fn a_directory_below_is_its_own_root() {
    let root = fixture();
    let mut guest = guest_of(root.path());
    let dir = guest.open(ROOT, "dir", Open::directory()).unwrap();
    assert_eq!(guest.open(dir, "..", Open::read()), Err(errno::PERM));
    assert_eq!(guest.open(dir, "back", Open::read()), Err(errno::PERM));
    assert_eq!(guest.rename(dir, "file", dir, "../stolen"), Err(errno::PERM));
    assert_eq!(guest.rename(dir, "file", ROOT, "moved"), Ok(()));
    // Moved elsewhere while it is open, it is still its own root.
    guest.create_dir(ROOT, "empty/place").unwrap();
    guest.rename(ROOT, "dir", ROOT, "empty/place/dir").unwrap();
    assert_eq!(guest.open(dir, "../..", Open::read()), Err(errno::PERM));
    guest.create_dir(dir, "fresh").unwrap();
    assert!(root.path().join("inside/empty/place/dir/fresh").is_dir());
}

/// Somebody swaps a directory for a link to the outside, over and over, while the guest goes through it.
#[test]
fn races_do_not_lead_out() {
    let root = fixture();
    let inside = root.path().join("inside");
    fs::create_dir(inside.join("swap")).unwrap();
    fs::write(inside.join("swap/secret"), "harmless").unwrap();
    symlink("../outside", inside.join("trap")).unwrap();
    let secret = fs::metadata(root.path().join("outside/secret")).unwrap().ino();
    let unchanged = outside(root.path());

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let dir = fs::File::open(&inside).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&dir, "swap", &dir, "trap", exchange).unwrap();
            }
        });
        let mut guest = guest_of(root.path());
        let mut reached = 0;
        for _ in 0..3000 {
            if let Ok(fd) = guest.open(ROOT, "swap/secret", Open { base: rights::FD_READ, ..Open::default() })
            {
                assert_ne!(guest.fd_stat(fd).unwrap().ino, secret);
                assert_eq!(guest.read(fd, 20), Ok(b"harmless".to_vec()));
                guest.close(fd).unwrap();
                reached += 1;
            }
            if let Ok(stat) = guest.stat(ROOT, FOLLOW, "swap/secret") {
                assert_ne!(stat.ino, secret);
            }
            _ = guest.set_times(ROOT, FOLLOW, "swap/secret", 1);
            _ = guest.open(ROOT, "swap/new", Open::create()).map(|fd| guest.close(fd));
            _ = guest.unlink(ROOT, "swap/new");
            _ = guest.rename(ROOT, "swap/secret", ROOT, "swap/secret");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reached > 0, "the directory was never there");
    });
    assert_eq!(outside(root.path()), unchanged);
}
