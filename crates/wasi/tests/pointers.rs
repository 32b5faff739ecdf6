//! Pointers, lengths and counts that lie: every call is refused, none traps, nothing is left behind.

mod support;

use std::path::Path;
use support::{Guest, MEMORY, ROOT, errno};
use tenure_wasi::p1::FUNCTIONS;
use tenure_wasi::{FsPerms, WasiCtxBuilder};

/// A call that succeeds, and which of its arguments point into the memory.
struct Call {
    name: &'static str,
    args: &'static [i64],
    pointers: &'static [usize],
}

const PATH: i64 = 0x1000; // "file"
const NEW_PATH: i64 = 0x1100; // "new"
const LINK_PATH: i64 = 0x1200; // "link"
const DIR_PATH: i64 = 0x1300; // "dir"
const IOVECS: i64 = 0x2000; // one of 4 bytes at 0x3000
const SUBSCRIPTION: i64 = 0x2100; // a time that has passed
const OUT: i64 = 0x4000;
const FILE: i64 = 4;
const DIR: i64 = ROOT as i64;

#[rustfmt::skip]
const CALLS: &[Call] = &[
    Call { name: "args_get", args: &[OUT, OUT + 64], pointers: &[0, 1] },
    Call { name: "args_sizes_get", args: &[OUT, OUT + 8], pointers: &[0, 1] },
    Call { name: "environ_get", args: &[OUT, OUT + 64], pointers: &[0, 1] },
    Call { name: "environ_sizes_get", args: &[OUT, OUT + 8], pointers: &[0, 1] },
    Call { name: "clock_res_get", args: &[0, OUT], pointers: &[1] },
    Call { name: "clock_time_get", args: &[0, 0, OUT], pointers: &[2] },
    Call { name: "fd_fdstat_get", args: &[FILE, OUT], pointers: &[1] },
    Call { name: "fd_filestat_get", args: &[FILE, OUT], pointers: &[1] },
    Call { name: "fd_pread", args: &[FILE, IOVECS, 1, 0, OUT], pointers: &[1, 4] },
    Call { name: "fd_prestat_get", args: &[DIR, OUT], pointers: &[1] },
    Call { name: "fd_prestat_dir_name", args: &[DIR, OUT, 1], pointers: &[1] },
    Call { name: "fd_pwrite", args: &[FILE, IOVECS, 1, 0, OUT], pointers: &[1, 4] },
    Call { name: "fd_read", args: &[FILE, IOVECS, 1, OUT], pointers: &[1, 3] },
    Call { name: "fd_readdir", args: &[DIR, OUT + 64, 100, 0, OUT], pointers: &[1, 4] },
    Call { name: "fd_seek", args: &[FILE, 0, 0, OUT], pointers: &[3] },
    Call { name: "fd_tell", args: &[FILE, OUT], pointers: &[1] },
    Call { name: "fd_write", args: &[FILE, IOVECS, 1, OUT], pointers: &[1, 3] },
    Call { name: "path_create_directory", args: &[DIR, NEW_PATH, 3], pointers: &[1] },
    Call { name: "path_filestat_get", args: &[DIR, 0, PATH, 4, OUT], pointers: &[2, 4] },
    Call { name: "path_filestat_set_times", args: &[DIR, 0, PATH, 4, 0, 0, 4], pointers: &[2] },
    Call { name: "path_link", args: &[DIR, 0, PATH, 4, DIR, NEW_PATH, 3], pointers: &[2, 5] },
    Call { name: "path_open", args: &[DIR, 0, NEW_PATH, 3, 1, 0, 0, 0, OUT], pointers: &[2, 8] },
    Call { name: "path_readlink", args: &[DIR, LINK_PATH, 4, OUT + 64, 64, OUT], pointers: &[1, 3, 5] },
    Call { name: "path_remove_directory", args: &[DIR, DIR_PATH, 3], pointers: &[1] },
    Call { name: "path_rename", args: &[DIR, PATH, 4, DIR, NEW_PATH, 3], pointers: &[1, 4] },
    Call { name: "path_symlink", args: &[PATH, 4, DIR, NEW_PATH, 3], pointers: &[0, 3] },
    Call { name: "path_unlink_file", args: &[DIR, PATH, 4], pointers: &[1] },
    Call { name: "poll_oneoff", args: &[SUBSCRIPTION, OUT + 64, 1, OUT], pointers: &[0, 1, 3] },
    Call { name: "random_get", args: &[OUT, 100], pointers: &[0] },
];

/// The functions that take no pointer they look at: no descriptor is a socket.
const WITHOUT: &[&str] = &[
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_renumber",
    "fd_sync",
    "proc_exit",
    "proc_raise",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

fn prepare(root: &Path) -> Guest {
    std::fs::write(root.join("file"), "0123456789").unwrap();
    std::fs::create_dir(root.join("dir")).unwrap();
    std::os::unix::fs::symlink("file", root.join("link")).unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.arg("program").env("A", "1").preopened_dir(root, "/", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build_p1());
    let opened = guest.open(ROOT, "file", support::Open::read_write()).unwrap();
    assert_eq!(i64::from(opened), FILE);
    for (at, bytes) in [(PATH, "file"), (NEW_PATH, "new"), (LINK_PATH, "link"), (DIR_PATH, "dir")] {
        guest.put(at as u32, bytes.as_bytes());
    }
    guest.put(IOVECS as u32, &[0, 0x30, 0, 0, 4, 0, 0, 0]);
    guest
}

/// What is in the directory, and how long the file is.
fn shape(root: &Path) -> Vec<(std::ffi::OsString, u64)> {
    let entries = std::fs::read_dir(root).unwrap().map(Result::unwrap);
    let mut shape: Vec<_> =
        entries.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect();
    shape.sort();
    shape
}

#[test]
fn every_function_is_tried() {
    assert_eq!(FUNCTIONS.len(), 46);
    for row in FUNCTIONS {
        let called = CALLS.iter().any(|call| call.name == row.name);
        assert!(called != WITHOUT.contains(&row.name), "{} must be in exactly one list", row.name);
    }
}

#[test]
fn each_call_succeeds_as_it_stands() {
    for call in CALLS {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(prepare(root.path()).call(call.name, call.args), 0, "{}", call.name);
    }
}

#[test]
fn a_pointer_out_of_bounds_is_a_fault_and_changes_nothing() {
    let past_the_end = [MEMORY, MEMORY + 1, 0x7fff_fffc, 0x8000_0000, u32::MAX - 3, u32::MAX];
    for call in CALLS {
        for pointer in call.pointers {
            let root = tempfile::tempdir().unwrap();
            let mut guest = prepare(root.path());
            let before = shape(root.path());
            for wrong in past_the_end {
                let mut args = call.args.to_vec();
                args[*pointer] = wrong.into();
                assert_eq!(guest.call(call.name, &args), errno::FAULT, "{}{args:?}", call.name);
            }
            assert_eq!(shape(root.path()), before, "{}", call.name);
            assert_eq!(guest.fdstat(5), Err(errno::BADF), "{} opened something", call.name);
        }
    }
}

#[test]
fn a_pointer_to_the_last_byte_is_a_fault_where_more_is_needed() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    for call in CALLS {
        for pointer in call.pointers {
            if call.name == "fd_prestat_dir_name" {
                continue; // the name has one byte
            }
            let mut args = call.args.to_vec();
            args[*pointer] = (MEMORY - 1).into();
            assert_eq!(guest.call(call.name, &args), errno::FAULT, "{}{args:?}", call.name);
        }
    }
}

#[test]
fn huge_counts_of_buffers_are_faults() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    for count in [0x4001, 0x1fff_ffff, 0x2000_0000, 0x2000_0001, 0x8000_0000, u32::MAX] {
        let count = i64::from(count);
        assert_eq!(guest.call("fd_write", &[FILE, IOVECS, count, OUT]), errno::FAULT);
        assert_eq!(guest.call("fd_read", &[FILE, IOVECS, count, OUT]), errno::FAULT);
        assert_eq!(guest.call("fd_pwrite", &[FILE, IOVECS, count, 0, OUT]), errno::FAULT);
        assert_eq!(guest.call("fd_pread", &[FILE, IOVECS, count, 0, OUT]), errno::FAULT);
    }
    for count in [0, 4097, 0x0555_5556, 0x8000_0000_u32, u32::MAX] {
        assert_eq!(guest.call("poll_oneoff", &[SUBSCRIPTION, OUT, count.into(), OUT]), errno::INVAL);
    }
}

#[test]
fn more_buffers_than_one_call_looks_at_are_a_short_write() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    for index in 0..2000 {
        guest.put(0x8000 + 8 * index, &[0, 0x10, 0, 0, 4, 0, 0, 0]); // "file"
    }
    assert_eq!(guest.call("fd_write", &[FILE, 0x8000, 2000, OUT]), 0);
    assert_eq!(guest.get_u32(OUT as u32), 4096);
    assert_eq!(std::fs::read(root.path().join("file")).unwrap(), b"file".repeat(1024));
}

#[test]
fn buffers_that_are_one_another_are_read_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    guest.put(0x2000, &[0, 0x30, 0, 0, 4, 0, 0, 0, 0, 0x30, 0, 0, 4, 0, 0, 0]);
    assert_eq!(guest.call("fd_read", &[FILE, IOVECS, 2, OUT]), 0);
    assert_eq!(guest.get_u32(OUT as u32), 4);
    assert_eq!(guest.get(0x3000, 4), b"0123");
}

#[test]
fn the_iovecs_may_lie_in_the_buffer_they_describe() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    guest.put(0x2000, &[0, 0x20, 0, 0, 10, 0, 0, 0]);
    assert_eq!(guest.call("fd_read", &[FILE, IOVECS, 1, IOVECS]), 0);
    assert_eq!(guest.get(0x2000, 10), b"\x0a\0\0\x00456789");
}

#[test]
fn numbers_that_name_nothing_are_invalid() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = prepare(root.path());
    for (name, args) in [
        ("fd_advise", vec![FILE, 0, 0, 6]),
        ("fd_seek", vec![FILE, 0, 3, OUT]),
        ("fd_seek", vec![FILE, -1, 0, OUT]),
        ("fd_fdstat_set_flags", vec![FILE, 32]),
        ("fd_fdstat_set_flags", vec![FILE, 0x1_0000]),
        ("fd_filestat_set_times", vec![FILE, 0, 0, 16]),
        ("fd_filestat_set_times", vec![FILE, 0, 0, 3]),
        ("fd_filestat_set_times", vec![FILE, 0, 0, 12]),
        ("fd_filestat_set_size", vec![FILE, -1]),
        ("fd_allocate", vec![FILE, 0, 0]),
        ("fd_allocate", vec![FILE, -1, 1]),
        ("path_filestat_get", vec![DIR, 2, PATH, 4, OUT]),
        ("path_filestat_set_times", vec![DIR, 2, PATH, 4, 0, 0, 0]),
        ("path_link", vec![DIR, 2, PATH, 4, DIR, NEW_PATH, 3]),
        ("path_open", vec![DIR, 2, PATH, 4, 0, 0, 0, 0, OUT]),
        ("path_open", vec![DIR, 0, PATH, 4, 16, 0, 0, 0, OUT]),
        ("path_open", vec![DIR, 0, PATH, 4, 0, 0, 0, 32, OUT]),
        ("path_open", vec![DIR, 0, PATH, 4, 0x1_0000, 0, 0, 0, OUT]),
    ] {
        assert_eq!(guest.call(name, &args), errno::INVAL, "{name}{args:?}");
    }
    for fd in [5, 4095, 4096, 0x7fff_ffff, u32::MAX] {
        assert_eq!(guest.close(fd), Err(errno::BADF));
        assert_eq!(guest.call("fd_renumber", &[FILE, fd.into()]), errno::BADF);
        assert_eq!(guest.call("fd_renumber", &[fd.into(), FILE]), errno::BADF);
    }
}
