//! `poll_oneoff`.

mod support;

use std::io::Write;
use std::time::{Duration, Instant};
use support::{Guest, Open, ROOT, errno};
use tenure_wasi::cli::{InputFile, OutputFile};
use tenure_wasi::pipe::MemoryInputPipe;
use tenure_wasi::{FsPerms, WasiCtxBuilder};

const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const MILLISECOND: u64 = 1_000_000;

/// A `subscription`.
struct Subscription([u8; 48]);

impl Subscription {
    fn clock(userdata: u64, clock: u32, timeout: u64, absolute: bool) -> Self {
        let mut bytes = Self::new(userdata, CLOCK, clock);
        bytes.0[24..32].copy_from_slice(&timeout.to_le_bytes());
        bytes.0[40] = absolute.into();
        bytes
    }

    fn fd(userdata: u64, ty: u8, fd: u32) -> Self {
        Self::new(userdata, ty, fd)
    }

    fn new(userdata: u64, ty: u8, first: u32) -> Self {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&userdata.to_le_bytes());
        bytes[8] = ty;
        bytes[16..20].copy_from_slice(&first.to_le_bytes());
        Self(bytes)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Event {
    userdata: u64,
    ty: u8,
    bytes: u64,
    hangup: bool,
}

fn poll(guest: &mut Guest, subscriptions: &[Subscription]) -> Result<Vec<Event>, u32> {
    let bytes: Vec<u8> = subscriptions.iter().flat_map(|subscription| subscription.0).collect();
    guest.put(0x1000, &bytes);
    guest.put(0x8000, &[0xff; 0x1000]);
    match guest.call("poll_oneoff", &[0x1000, 0x8000, subscriptions.len() as i64, 0]) {
        0 => {}
        errno => return Err(errno),
    }
    let count = guest.get_u32(0);
    let events = (0..count).map(|index| {
        let bytes = guest.get(0x8000 + 32 * index, 32);
        assert_eq!(bytes[8..10], [0, 0]);
        Event {
            userdata: u64::from_le_bytes(bytes[..8].try_into().unwrap()),
            ty: bytes[10],
            bytes: u64::from_le_bytes(bytes[16..24].try_into().unwrap()),
            hangup: bytes[24] == 1,
        }
    });
    Ok(events.collect())
}

fn event(userdata: u64, ty: u8, bytes: u64, hangup: bool) -> Event {
    Event { userdata, ty, bytes, hangup }
}

#[test]
fn a_relative_time_passes() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    for clock in [REALTIME, MONOTONIC] {
        let start = Instant::now();
        let events = poll(&mut guest, &[Subscription::clock(7, clock, 20 * MILLISECOND, false)]);
        assert_eq!(events, Ok(vec![event(7, CLOCK, 0, false)]));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}

#[test]
fn an_absolute_time_comes() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    for clock in [REALTIME, MONOTONIC] {
        assert_eq!(guest.call("clock_time_get", &[clock.into(), 0, 16]), 0);
        let until = guest.get_u64(16) + 20 * MILLISECOND;
        let events = poll(&mut guest, &[Subscription::clock(7, clock, until, true)]);
        assert_eq!(events, Ok(vec![event(7, CLOCK, 0, false)]));
        assert_eq!(guest.call("clock_time_get", &[clock.into(), 0, 16]), 0);
        assert!(guest.get_u64(16) >= until);
        // One that is over takes no time.
        assert_eq!(poll(&mut guest, &[Subscription::clock(8, clock, 1, true)]).unwrap().len(), 1);
    }
}

#[test]
fn the_shortest_time_wins() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    let events = poll(
        &mut guest,
        &[
            Subscription::clock(1, MONOTONIC, u64::MAX, false),
            Subscription::clock(2, MONOTONIC, MILLISECOND, false),
            Subscription::clock(3, REALTIME, u64::MAX, true),
        ],
    );
    assert_eq!(events, Ok(vec![event(2, CLOCK, 0, false)]));
}

#[test]
fn a_pipe_wakes_the_guest() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let (reader, mut writer): (std::fs::File, std::fs::File) = (reader.into(), writer.into());
    let mut guest = Guest::new(WasiCtxBuilder::new().stdin(InputFile::new(reader)).build_p1());
    let subscriptions =
        || [Subscription::fd(1, READ, 0), Subscription::clock(2, MONOTONIC, 10 * MILLISECOND, false)];
    assert_eq!(poll(&mut guest, &subscriptions()), Ok(vec![event(2, CLOCK, 0, false)]));
    writer.write_all(b"four").unwrap();
    assert_eq!(poll(&mut guest, &subscriptions()), Ok(vec![event(1, READ, 4, false)]));
    assert_eq!(guest.read(0, 100), Ok(b"four".to_vec()));
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        writer.write_all(b"x").unwrap();
        writer
    });
    assert_eq!(poll(&mut guest, &[Subscription::fd(1, READ, 0)]), Ok(vec![event(1, READ, 1, false)]));
    assert_eq!(guest.read(0, 100), Ok(b"x".to_vec()));
    drop(other.join().unwrap());
    assert_eq!(poll(&mut guest, &subscriptions()), Ok(vec![event(1, READ, 0, true)]));
}

#[test]
fn a_full_pipe_is_not_ready_to_be_written() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let fd = writer.try_clone().unwrap();
    rustix::io::ioctl_fionbio(&fd, true).unwrap();
    while rustix::io::write(&fd, &[0; 4096]).is_ok() {}
    let mut guest = Guest::new(WasiCtxBuilder::new().stdout(OutputFile::new(writer.into())).build_p1());
    let subscriptions =
        || [Subscription::fd(1, WRITE, 1), Subscription::clock(2, MONOTONIC, 10 * MILLISECOND, false)];
    assert_eq!(poll(&mut guest, &subscriptions()), Ok(vec![event(2, CLOCK, 0, false)]));
    let mut buffer = vec![0; 1 << 20];
    rustix::io::read(&reader, &mut buffer).unwrap();
    assert_eq!(poll(&mut guest, &subscriptions()).unwrap()[0].userdata, 1);
}

#[test]
fn what_is_in_memory_or_a_file_is_always_ready() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), "0123456789").unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(MemoryInputPipe::new("abc")).preopened_dir(root.path(), "/", FsPerms::ReadWrite).unwrap();
    let mut guest = Guest::new(builder.build_p1());
    let fd = guest.open(ROOT, "file", Open::read_write()).unwrap();
    guest.seek(fd, 4, 0).unwrap();
    let events = poll(
        &mut guest,
        &[
            Subscription::clock(0, MONOTONIC, u64::MAX, false),
            Subscription::fd(1, READ, 0),
            Subscription::fd(2, WRITE, 1),
            Subscription::fd(3, READ, fd),
            Subscription::fd(4, WRITE, fd),
            Subscription::clock(5, MONOTONIC, 0, false),
        ],
    );
    let expected = vec![
        event(1, READ, 3, false),
        event(2, WRITE, 1, false),
        event(3, READ, 6, false),
        event(4, WRITE, 1, false),
        event(5, CLOCK, 0, false),
    ];
    assert_eq!(events, Ok(expected));
    assert_eq!(guest.read(0, 100), Ok(b"abc".to_vec()));
    assert_eq!(poll(&mut guest, &[Subscription::fd(1, READ, 0)]), Ok(vec![event(1, READ, 0, true)]));
}

#[test]
fn what_makes_no_sense_fails_before_anything_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let mut guest = Guest::with_dir(root.path(), FsPerms::ReadWrite);
    for (wrong, expected) in [
        (Subscription::fd(1, READ, 99), errno::BADF),
        (Subscription::fd(1, READ, 1), errno::BADF),
        (Subscription::fd(1, WRITE, 0), errno::BADF),
        (Subscription::fd(1, READ, ROOT), errno::BADF),
        (Subscription::fd(1, 3, 0), errno::INVAL),
        (Subscription::clock(1, 2, 0, false), errno::INVAL),
        (Subscription::clock(1, 4, 0, false), errno::INVAL),
    ] {
        let never = Subscription::clock(0, MONOTONIC, u64::MAX, false);
        assert_eq!(poll(&mut guest, &[never, wrong]), Err(expected));
    }
    let mut flags = Subscription::clock(1, MONOTONIC, 0, false);
    flags.0[40] = 2;
    assert_eq!(poll(&mut guest, &[flags]), Err(errno::INVAL));
}

#[test]
fn many_subscriptions() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    let subscriptions: Vec<_> = (0..100).map(|index| Subscription::fd(index, WRITE, 1)).collect();
    assert_eq!(poll(&mut guest, &subscriptions).unwrap().len(), 100);
}
