//! Standard streams, arguments, environment, clocks, randomness and the end.

mod support;

use std::io::{self, IoSliceMut, Read, Seek};
use std::time::Duration;
use support::{Guest, NONBLOCK, errno, rights};
use tenure_wasi::cli::{InputFile, IsTerminal, OutputFile, Readiness, StdinStream};
use tenure_wasi::pipe::{MemoryInputPipe, MemoryOutputPipe};
use tenure_wasi::{Deterministic, HostMonotonicClock, HostWallClock, I32Exit, WasiCtxBuilder};

#[test]
fn a_new_context_gives_nothing() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    assert_eq!(guest.read(0, 8), Ok(vec![]));
    assert_eq!(guest.write(1, b"gone"), Ok(4));
    assert_eq!(guest.write(2, b"gone"), Ok(4));
    assert_eq!(guest.fdstat(3), Err(errno::BADF));
    assert_eq!(guest.call("args_sizes_get", &[0, 4]), 0);
    assert_eq!((guest.get_u32(0), guest.get_u32(4)), (0, 0));
}

#[test]
fn pipes_in_memory() {
    let (stdout, stderr) = (MemoryOutputPipe::new(100), MemoryOutputPipe::new(100));
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(MemoryInputPipe::new("hello")).stdout(stdout.clone()).stderr(stderr.clone());
    let mut guest = Guest::new(builder.build_p1());
    assert_eq!(guest.read(0, 3), Ok(b"hel".to_vec()));
    assert_eq!(guest.read(0, 10), Ok(b"lo".to_vec()));
    assert_eq!(guest.read(0, 10), Ok(vec![]));
    assert_eq!(guest.write(1, b"out"), Ok(3));
    assert_eq!(guest.write(2, b"err"), Ok(3));
    assert_eq!(guest.write(0, b"x"), Err(errno::BADF));
    assert_eq!(guest.read(1, 1), Err(errno::BADF));
    assert_eq!((stdout.contents(), stderr.contents()), (b"out".to_vec(), b"err".to_vec()));
}

#[test]
fn a_full_pipe_is_no_space() {
    let stdout = MemoryOutputPipe::new(5);
    let mut guest = Guest::new(WasiCtxBuilder::new().stdout(stdout.clone()).build_p1());
    assert_eq!(guest.write(1, b"abcdefgh"), Ok(5));
    assert_eq!(guest.write(1, b"x"), Err(errno::NOSPC));
    assert_eq!(stdout.contents(), b"abcde");
}

#[test]
fn several_buffers_are_one_transfer() {
    let stdout = MemoryOutputPipe::new(100);
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(MemoryInputPipe::new("abcdef")).stdout(stdout.clone());
    let mut guest = Guest::new(builder.build_p1());
    // Two bytes at 0x120, none, three at 0x110, in this order.
    for (index, (at, len)) in [(0x120_u32, 2_u32), (0, 0), (0x110, 3)].into_iter().enumerate() {
        guest.put(0x100 + 8 * index as u32 + 0x1000, &[at.to_le_bytes(), len.to_le_bytes()].concat());
    }
    assert_eq!(guest.call("fd_read", &[0, 0x1100, 3, 0]), 0);
    assert_eq!(guest.get_u32(0), 5);
    assert_eq!((guest.get(0x120, 2), guest.get(0x110, 3)), (b"ab".to_vec(), b"cde".to_vec()));
    assert_eq!(guest.call("fd_write", &[1, 0x1100, 3, 0]), 0);
    assert_eq!(stdout.contents(), b"abcde");
}

#[test]
fn files_as_streams() {
    let mut input = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut input, b"0123456789").unwrap();
    input.seek(io::SeekFrom::Start(4)).unwrap();
    let output = tempfile::tempfile().unwrap();
    let mut builder = WasiCtxBuilder::new();
    builder.stdin(InputFile::new(input)).stdout(OutputFile::new(output.try_clone().unwrap()));
    let mut guest = Guest::new(builder.build_p1());
    assert_eq!(guest.read(0, 100), Ok(b"456789".to_vec()));
    assert_eq!(guest.write(1, b"abc"), Ok(3));
    assert_eq!(guest.write(1, b"def"), Ok(3));
    let mut written = String::new();
    let mut output = output;
    output.rewind().unwrap();
    output.read_to_string(&mut written).unwrap();
    assert_eq!(written, "abcdef");
}

/// Standard input is a pipe of the system's with nothing in it yet.
fn with_empty_pipe() -> (Guest, std::fs::File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let stdin = InputFile::new(reader.into());
    (Guest::new(WasiCtxBuilder::new().stdin(stdin).build_p1()), writer.into())
}

#[test]
fn a_stream_that_does_not_block() {
    let (mut guest, mut writer) = with_empty_pipe();
    guest.set_flags(0, NONBLOCK).unwrap();
    assert_eq!(u32::from(guest.fdstat(0).unwrap().flags), NONBLOCK);
    assert_eq!(guest.read(0, 4), Err(errno::AGAIN));
    io::Write::write_all(&mut writer, b"now").unwrap();
    assert_eq!(guest.read(0, 4), Ok(b"now".to_vec()));
    drop(writer);
    assert_eq!(guest.read(0, 4), Ok(vec![]));
}

#[test]
fn a_stream_has_no_offset() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    for fd in 0..3 {
        assert_eq!(guest.seek(fd, 0, 0), Err(errno::SPIPE));
        assert_eq!(guest.tell(fd), Err(errno::SPIPE));
        let stat = guest.fdstat(fd).unwrap();
        assert_eq!(stat.base & (rights::FD_SEEK | rights::FD_TELL), 0);
        assert_eq!(guest.fd_stat(fd).unwrap().size, 0);
        assert_eq!(guest.set_size(fd, 0), Err(errno::BADF));
        assert_eq!(guest.call("fd_prestat_get", &[fd.into(), 0]), errno::BADF);
        assert_eq!(guest.open(fd, "x", support::Open::read()), Err(errno::NOTDIR));
    }
}

struct Terminal;

impl IsTerminal for Terminal {
    fn is_terminal(&self) -> bool {
        true
    }
}

impl StdinStream for Terminal {
    fn read(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn readiness(&self) -> Readiness<'_> {
        Readiness::Now { bytes: 7, hangup: false }
    }
}

#[test]
fn a_terminal_is_a_character_device() {
    let mut guest = Guest::new(WasiCtxBuilder::new().stdin(Terminal).build_p1());
    assert_eq!(guest.fdstat(0).unwrap().filetype, 2);
    assert_eq!(guest.fd_stat(0).unwrap().filetype, 2);
    assert_eq!(guest.fdstat(1).unwrap().filetype, 0);
    let io_error = 29;
    assert_eq!(guest.read(0, 1), Err(io_error));
}

#[test]
fn arguments_and_environment() {
    let mut builder = WasiCtxBuilder::new();
    builder.args(&["program", "", "ä"]).env("A", "1").envs(&[("B", "x=y"), ("A", "2")]);
    let mut guest = Guest::new(builder.build_p1());
    assert_eq!(guest.call("args_sizes_get", &[0, 4]), 0);
    assert_eq!((guest.get_u32(0), guest.get_u32(4)), (3, 12));
    assert_eq!(guest.call("args_get", &[0x100, 0x200]), 0);
    assert_eq!(guest.get(0x200, 12), b"program\0\0\xc3\xa4\0");
    assert_eq!([guest.get_u32(0x100), guest.get_u32(0x104), guest.get_u32(0x108)], [0x200, 0x208, 0x209]);
    assert_eq!(guest.call("environ_sizes_get", &[0, 4]), 0);
    assert_eq!((guest.get_u32(0), guest.get_u32(4)), (3, 14));
    assert_eq!(guest.call("environ_get", &[0x100, 0x200]), 0);
    assert_eq!(guest.get(0x200, 14), b"A=1\0B=x=y\0A=2\0");
}

#[test]
fn exit_codes_come_out_as_errors() {
    for (status, expected) in [(0, 0), (1, 1), (255, 255), (300, 300), (-1, -1)] {
        let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
        let error = guest.try_call("proc_exit", &[status]).unwrap_err();
        assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(expected)), "{error:?}");
    }
    assert_eq!(I32Exit(3).to_string(), "exited with status 3");
}

#[test]
fn there_is_no_signal_to_raise() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    assert_eq!(guest.call("proc_raise", &[6]), errno::NOTSUP);
    assert_eq!(guest.call("proc_raise", &[31]), errno::INVAL);
    assert_eq!(guest.call("sched_yield", &[]), 0);
}

#[test]
fn no_descriptor_is_a_socket() {
    let mut guest = Guest::new(WasiCtxBuilder::new().inherit_network().allow_tcp(true).build_p1());
    for (fd, expected) in [(0, errno::NOTSOCK), (9, errno::BADF)] {
        assert_eq!(guest.call("sock_accept", &[fd, 0, 0]), expected);
        assert_eq!(guest.call("sock_recv", &[fd, 0, 0, 0, 0, 8]), expected);
        assert_eq!(guest.call("sock_send", &[fd, 0, 0, 0, 0]), expected);
        assert_eq!(guest.call("sock_shutdown", &[fd, 1]), expected);
    }
}

#[test]
fn the_hosts_clocks_run() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    for id in 0..4 {
        assert_eq!(guest.call("clock_res_get", &[id, 0]), 0);
        assert_ne!(guest.get_u64(0), 0);
        assert_eq!(guest.call("clock_time_get", &[id, 0, 8]), 0);
        assert_eq!(guest.call("clock_time_get", &[id, 0, 16]), 0);
        assert!(guest.get_u64(8) <= guest.get_u64(16), "clock {id}");
    }
    assert_eq!(guest.call("clock_res_get", &[4, 0]), errno::INVAL);
    assert_eq!(guest.call("clock_time_get", &[4, 0, 0]), errno::INVAL);
}

struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::new(1_000_000_000, 7)
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        10
    }

    fn now(&self) -> u64 {
        42
    }
}

#[test]
fn an_embedders_clocks_are_the_only_ones() {
    let mut guest = Guest::new(WasiCtxBuilder::new().wall_clock(Stopped).monotonic_clock(Stopped).build_p1());
    for (id, resolution, now) in [(0, 1_000_000_000, 1_000_000_000_000_000_007), (1, 10, 42)] {
        assert_eq!(guest.call("clock_res_get", &[id, 0]), 0);
        assert_eq!(guest.call("clock_time_get", &[id, 0, 8]), 0);
        assert_eq!((guest.get_u64(0), guest.get_u64(8)), (resolution, now));
    }
    for id in [2, 3] {
        assert_eq!(guest.call("clock_res_get", &[id, 0]), errno::INVAL);
        assert_eq!(guest.call("clock_time_get", &[id, 0, 0]), errno::INVAL);
    }
}

#[test]
fn randomness() {
    let mut guest = Guest::new(WasiCtxBuilder::new().build_p1());
    assert_eq!(guest.call("random_get", &[0, 0x10000]), 0);
    assert!(guest.get(0, 0x10000).chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));

    let mut guest =
        Guest::new(WasiCtxBuilder::new().secure_random(Deterministic::new(vec![1, 2, 3])).build_p1());
    assert_eq!(guest.call("random_get", &[0, 4]), 0);
    assert_eq!(guest.call("random_get", &[4, 4]), 0);
    assert_eq!(guest.get(0, 9), [1, 2, 3, 1, 2, 3, 1, 2, 0]);
}

#[test]
fn a_module_without_memory_is_told_so() {
    use tenure::{Engine, Linker, Module, Store};
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (func (export "run") (drop (call $yield))))"#,
    )
    .unwrap();
    let mut linker = Linker::new(&engine);
    tenure_wasi::p1::add_to_linker_sync(&mut linker, |ctx| ctx).unwrap();
    let mut store = Store::new(&engine, WasiCtxBuilder::new().build_p1());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert!(format!("{error:?}").contains("must export its memory as `memory`"), "{error:?}");
}

#[test]
#[should_panic(expected = "builds once")]
fn a_builder_builds_once() {
    let mut builder = WasiCtxBuilder::new();
    drop(builder.build());
    drop(builder.build());
}

#[test]
fn a_context_can_go_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    is_send(WasiCtxBuilder::new().inherit_stdio().build_p1());
}
