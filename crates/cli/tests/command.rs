//! The command, run as a user runs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory of the test's own, with the command's working directory in it.
struct Place(TempDir);

/// What came of a run.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).expect("writing to a temporary directory");
        self
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command.current_dir(self.0.path()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, "")
    }

    fn run_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
        ran(self.command(args), input.as_ref())
    }
}

fn ran(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A command that does not read its input may be gone by now.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Ran {
    /// It did what was asked and had nothing to say but this.
    #[track_caller]
    fn prints(&self, stdout: &str) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (Some(0), stdout, ""));
    }

    /// It ended with `code`, and said `part` on standard error.
    #[track_caller]
    fn stderr_has(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
    }

    /// It ended with `code`, printed no result, and said each of `parts` on standard error.
    #[track_caller]
    fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        }
    }
}

/// Functions to invoke.
const LIBRARY: &str = r#"
(module $library
  (memory (export "memory") 1 2)
  (global (export "seven") i32 (i32.const 7))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
  (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0)))
  (func (export "null") (result funcref) (ref.null func))
  (func (export "vector") (param v128) (result v128) (local.get 0))
  (func $divide (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $outer (export "divide") (param i32) (result i32) (call $divide (local.get 0)))
  (func $forever (export "forever") (call $forever)))
"#;

/// A WASI program; `body` can call `$write`, which prints bytes of its memory.
fn program(imports: &str, body: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          {imports}
          (memory (export "memory") 1)
          (data (i32.const 100) "hello\n")
          (func $write (param $at i32) (param $size i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $size))
            (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
          (func (export "_start") {body}))"#
    )
}

fn hello() -> String {
    program("", "(call $write (i32.const 100) (i32.const 6))")
}

/// Prints a list, such as its arguments: two functions give the size and the bytes.
fn lister(sizes: &str, get: &str) -> String {
    program(
        &format!(
            r#"(import "wasi_snapshot_preview1" "{sizes}" (func $sizes (param i32 i32) (result i32)))
               (import "wasi_snapshot_preview1" "{get}" (func $get (param i32 i32) (result i32)))"#
        ),
        r#"(drop (call $sizes (i32.const 16) (i32.const 20)))
           (drop (call $get (i32.const 1000) (i32.const 5000)))
           (call $write (i32.const 5000) (i32.load (i32.const 20)))"#,
    )
}

#[test]
fn run_runs_text_binary_and_standard_input() {
    let place = Place::new();
    let binary = wat::parse_str(hello()).unwrap();
    place.write("hello.wat", hello()).write("hello.wasm", &binary).write("no extension", &binary);
    for file in ["hello.wat", "hello.wasm", "no extension"] {
        place.run(&["run", file]).prints("hello\n");
        place.run(&[file]).prints("hello\n");
    }
    place.run_with_input(&["run", "-"], &binary).prints("hello\n");
    place.run_with_input(&["-"], hello()).prints("hello\n");
}

#[test]
fn run_uses_the_compiler_that_is_asked_for() {
    let place = Place::new();
    place.write(
        "add.wat",
        r#"(module (func (export "add") (param i32) (result i32) local.get 0 i32.const 1 i32.add))"#,
    );
    for strategy in ["baseline", "optimizing", "tiered", "auto"] {
        place.run(&["run", "--strategy", strategy, "--invoke", "add", "add.wat", "41"]).prints("42\n");
    }
    place.run(&["run", "--strategy", "best", "add.wat"]).fails(1, &["strategy", "best"]);
}

/// A loop that runs until better code of it is there: it counts how often it comes by.
const HOT: &str = r#"(module
    (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
    (func $_ZN3sum4loop17h0123456789abcdefE (export "sum") (param i32) (result i32) (local i32)
        (loop
            (local.set 1 (i32.add (local.get 1) (call $square (local.get 0))))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;

/// A function that the baseline compiler does not do.
fn tail_call() -> String {
    let eleven = "(local.get 0) ".repeat(11);
    format!(
        r#"(module
            (func $wide (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64) (local.get 10))
            (func $tail (export "tail") (param i64) (result i64) (return_call $wide {eleven})))"#
    )
}

#[test]
fn the_tier_log_tells_what_is_compiled_when() {
    let place = Place::new();
    place.write("hot.wat", HOT);
    let log = |more: &[&str]| {
        let args = [&["run", "--tier-log"], more, &["--invoke", "sum", "hot.wat", "10"]].concat();
        let ran = place.run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "385\n"), "{}", ran.stderr);
        let mut lines = ran.stderr.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(lines.next().as_deref(), Some("time ms tier took ms wasm code thread function why"));
        // Times and sizes of code are what they are.
        lines
            .map(|line| {
                let words: Vec<_> = line.split(' ').collect();
                let [_, tier, _, wasm, _, thread, ..] = words[..] else { panic!("{line}") };
                format!("{tier} {wasm} {thread} {}", words[6..].join(" "))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        log(&["-O", "tier_up_threads=0"]),
        ["baseline 27 guest 1 sum::loop first call", "baseline 7 guest 0 square first call"]
    );
    let at_once = ["-O", "tier_up=at-once", "-O", "tier_up_budget=0", "-O", "tier_up_budget_per_byte=0"];
    let moved = log(&[&at_once[..], &["-O", "compiler_inlining=no"]].concat());
    assert!(moved.iter().any(|line| line == "optimizing 7 guest 0 square hot, asked 1 times"), "{moved:#?}");
    assert!(moved.iter().any(|line| line == "optimizing 27 guest 1 sum::loop loop 0"), "{moved:#?}");
    let moved = log(&at_once);
    let inlined = "optimizing 27 guest 1 sum::loop loop 0, 1 call inlined";
    assert!(moved.iter().any(|line| line == inlined), "{moved:#?}");
    let handed_over = Place::new();
    handed_over.write("tail.wat", tail_call());
    let ran = handed_over.run(&["run", "--tier-log", "--invoke", "tail", "tail.wat", "7"]);
    let lines: Vec<_> = ran.stderr.lines().skip(1).collect();
    assert_eq!((ran.stdout.as_str(), lines.len()), ("7\n", 2), "{lines:#?}");
    assert!(lines[0].contains("optimizing") && lines[0].contains("guest"), "{lines:#?}");
    assert!(lines[0].contains("1 tail  ") && lines[0].contains("handed over: a tail call"), "{lines:#?}");
    assert_eq!(
        log(&["--strategy", "baseline"]),
        ["baseline 7 guest 0 square ahead", "baseline 27 guest 1 sum::loop ahead"]
    );
    assert_eq!(
        log(&["--strategy", "optimizing"]),
        ["optimizing 7 guest 0 square ahead", "optimizing 27 guest 1 sum::loop ahead, 1 call inlined"]
    );
}

#[test]
fn the_timeline_is_a_picture_of_the_run() {
    let place = Place::new();
    place.write("hot.wat", HOT).write("trap.wat", r#"(module (func (export "_start") unreachable))"#);
    let picture = |args: &[&str]| {
        let ran = place.run(&[&["run", "--timeline", "out.svg"], args].concat());
        (ran, std::fs::read_to_string(place.path("out.svg")).unwrap())
    };
    for strategy in ["tiered", "baseline", "optimizing"] {
        let (ran, svg) = picture(&["--strategy", strategy, "--invoke", "sum", "hot.wat", "10"]);
        ran.prints("385\n");
        for part in
            ["<svg ", "Tiers of hot.wat", ">guest</text>", "0 square</text>", "1 sum::loop</text>", "</svg>"]
        {
            assert!(svg.contains(part), "{part:?} is not in: {svg}");
        }
    }
    // A run that ends badly is one to look at, too.
    let (ran, svg) = picture(&["trap.wat"]);
    ran.fails(134, &["unreachable"]);
    assert!(svg.contains("Tiers of trap.wat"), "{svg}");
    let both = place.run(&["run", "--tier-log", "--timeline", "out.svg", "trap.wat"]);
    both.fails(134, &["first call", "unreachable"]);
    place
        .run(&["run", "--timeline", "no/such/dir.svg", "--invoke", "sum", "hot.wat", "10"])
        .stderr_has(1, "cannot write no/such/dir.svg");
}

#[test]
fn options_are_set_by_name() {
    let place = Place::new();
    place.write("library.wat", LIBRARY);
    place
        .run(&["run", "-O", "max_wasm_stack=0x8000", "--invoke", "add", "library.wat", "1", "2"])
        .prints("3\n");
    for (option, parts) in [
        ("max_wasm_stack=many", ["max_wasm_stack", "many"]),
        ("chairs=3", ["there is no option", "chairs"]),
        ("on_stack_replacement=5", ["on_stack_replacement", "LOOP@ARRIVAL"]),
    ] {
        place.run(&["run", "-O", option, "library.wat"]).fails(1, &parts);
    }
    place.run(&["run", "-O", "chairs", "library.wat"]).fails(2, &["NAME=VALUE"]);
    place.run(&["validate", "-O", "wasm_multi_value=n", "library.wat"]).fails(1, &["multi-value"]);
    // What tests set, for those who look into them.
    for option in [
        "tier_up=background",
        "tier_up=at-once",
        "tier_up_delay=1",
        "tier_up_budget=0",
        "tier_up_budget_per_byte=0",
        "tier_up_threads=0",
        "on_stack_replacement=never",
        "on_stack_replacement=first",
        "on_stack_replacement=sometimes",
        "on_stack_replacement=0@3",
        "baseline_machine=plain",
        "baseline_machine=few-registers",
        "baseline_machine=garbage",
    ] {
        place.run(&["run", "-O", option, "--invoke", "add", "library.wat", "1", "2"]).prints("3\n");
    }
}

#[test]
fn run_gives_fuel() {
    let place = Place::new();
    // 1 for the call, 5 for each time round.
    place.write(
        "count.wat",
        r#"(module (func (export "count") (param i32)
            (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    );
    for strategy in ["baseline", "optimizing"] {
        let run = |flags: &[&str], times| {
            place
                .run(&[&["--strategy", strategy], flags, &["--invoke", "count", "count.wat", times]].concat())
        };
        run(&["--fuel", "51"], "10").prints("");
        for flags in [&["--fuel", "50"][..], &["-W", "fuel=50"], &["--wasm", "fuel=50"]] {
            let parts =
                ["has used up its 50 units of fuel", "all fuel consumed by WebAssembly", "<unnamed>!count"];
            run(flags, "11").fails(134, &parts);
        }
    }
    place.run(&["-W", "fire=50", "count.wat"]).fails(2, &["fuel=N"]);
}

#[test]
fn run_passes_arguments_on() {
    let place = Place::new();
    place.write("args.wat", lister("args_sizes_get", "args_get"));
    place.run(&["run", "args.wat"]).prints("args.wat\0");
    place.run(&["args.wat", "a", "--dir", "-x", ""]).prints("args.wat\0a\0--dir\0-x\0\0");
    place.run(&["--argv0", "me", "args.wat", "run", "wast"]).prints("me\0run\0wast\0");
}

#[test]
fn run_sets_the_environment() {
    let place = Place::new();
    place.write("env.wat", lister("environ_sizes_get", "environ_get"));
    place.run(&["env.wat"]).prints("");
    place.run(&["--env", "A=1", "--env", "B=x=y", "--env=C=", "env.wat"]).prints("A=1\0B=x=y\0C=\0");

    let mut command = place.command(&["--env", "TENURE_TEST_SET", "--env", "TENURE_TEST_UNSET", "env.wat"]);
    command.env("TENURE_TEST_SET", "here").env_remove("TENURE_TEST_UNSET");
    ran(command, b"").prints("TENURE_TEST_SET=here\0");

    place.run(&["--env", "=1", "env.wat"]).fails(2, &["a variable needs a name"]);
}

#[test]
fn run_gives_directories() {
    // Opens "in/file" of the first directory and prints what it holds, or exits with the error.
    let place = Place::new();
    let cat = program(
        r#"(import "wasi_snapshot_preview1" "path_open"
             (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
             (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
           (data (i32.const 200) "file")"#,
        r#"(local $error i32)
           (local.set $error (call $path_open (i32.const 3) (i32.const 0) (i32.const 200) (i32.const 4)
             (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
           (if (local.get $error) (then (call $proc_exit (local.get $error))))
           (i32.store (i32.const 0) (i32.const 5000))
           (i32.store (i32.const 4) (i32.const 1000))
           (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))
           (call $write (i32.const 5000) (i32.load (i32.const 20)))
           (drop (call $fd_prestat_dir_name (i32.const 3) (i32.const 5000) (i32.const 2)))
           (call $write (i32.const 5000) (i32.const 2))"#,
    );
    std::fs::create_dir(place.path("in")).unwrap();
    place.write("cat.wat", cat).write("in/file", "content ");
    place.run(&["--dir", "in", "cat.wat"]).prints("content in");
    place.run(&["--dir", "in::/g", "cat.wat"]).prints("content /g");
    // Without a directory there is no descriptor 3: `badf`.
    place.run(&["cat.wat"]).fails(8, &[]);
    place.run(&["--dir", "not there", "cat.wat"]).fails(1, &["error: ", "not there", "No such file"]);
}

#[test]
fn run_exits_as_the_guest_says() {
    let place = Place::new();
    let exit = |code: i32| {
        program(
            r#"(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))"#,
            &format!("(call $proc_exit (i32.const {code}))"),
        )
    };
    // A process has eight bits for its code; what they cut off must not become a success.
    for (code, expected) in [(0, 0), (1, 1), (7, 7), (126, 126), (255, 255), (256, 1), (257, 1), (-1, 255)] {
        place.write("exit.wat", exit(code));
        place.run(&["exit.wat"]).fails(expected, &[]);
    }
}

#[test]
fn a_trap_prints_where_and_exits_with_134() {
    let place = Place::new();
    place.write("library.wat", LIBRARY);
    let trap = place.run(&["--invoke", "divide", "library.wat", "0"]);
    trap.fails(
        134,
        &["error: ", "integer divide by zero", "wasm backtrace:", "library!divide", "library!outer"],
    );
    assert!(trap.stderr.find("!divide") < trap.stderr.find("!outer"), "{}", trap.stderr);

    let overflow = place.run(&["--invoke", "forever", "library.wat"]);
    overflow.fails(134, &["call stack exhausted", "library!forever"]);

    // In the start function, before there is anything to call.
    place.write("start.wat", "(module (func $boom unreachable) (start $boom))");
    place.run(&["start.wat"]).fails(134, &["unreachable", "!boom"]);
    // And without names.
    let unnamed = wat::parse_str("(module (func unreachable) (start 0))").unwrap();
    place.write("unnamed.wasm", unnamed);
    place.run(&["unnamed.wasm"]).fails(134, &["<function 0>"]);
}

#[test]
fn invoke_reads_arguments_and_prints_results() {
    let place = Place::new();
    place.write("library.wat", LIBRARY);
    let invoke = |args: &[&str]| {
        let (function, args) = args.split_first().expect("a function");
        place.run(&[&["run", "--invoke", function, "library.wat"], args].concat())
    };
    invoke(&["add", "1", "2"]).prints("3\n");
    invoke(&["add", "-1", "0x10"]).prints("15\n");
    invoke(&["swap", "-5", "0.25"]).prints("0.25\n-5\n");
    invoke(&["swap", "18446744073709551615", "inf"]).prints("inf\n-1\n");
    invoke(&["is_null", "null"]).prints("1\n");
    invoke(&["null"]).prints("null\n");
    invoke(&["vector", "0x1"]).prints("0x00000000000000000000000000000001\n");

    invoke(&["add", "1"]).fails(1, &["add(i32, i32) -> i32 needs 2 arguments, 1 given"]);
    invoke(&["add", "1", "two"]).fails(1, &["argument 2 of add", "\"two\" is no i32"]);
    invoke(&["add", "1", "4294967296"]).fails(1, &["\"4294967296\" is no i32"]);
    invoke(&["is_null", "7"]).fails(1, &["cannot be written on the command line"]);
    invoke(&["memory"]).fails(1, &["\"memory\" is no function but a memory 1..=2 pages"]);
    invoke(&["subtract"])
        .fails(1, &["there is no exported function \"subtract\"", "--invoke can name add, swap"]);
}

#[test]
fn a_library_is_set_up_before_it_is_called() {
    let place = Place::new();
    place.write(
        "reactor.wat",
        r#"(module
          (global $ready (mut i32) (i32.const 0))
          (func (export "_initialize") (global.set $ready (i32.const 1)))
          (func (export "ready") (result i32) (global.get $ready)))"#,
    );
    place.run(&["--invoke", "ready", "reactor.wat"]).prints("1\n");
}

#[test]
fn a_module_that_is_no_program_says_so() {
    let place = Place::new();
    place.write("library.wat", LIBRARY).write("empty.wat", "(module)");
    place.run(&["library.wat"]).fails(0, &["has no function `_start`", "--invoke can name add"]);
    place.run(&["empty.wat"]).prints("");
}

#[test]
fn unknown_imports_follow_the_policy() {
    let place = Place::new();
    place.write(
        "imports.wat",
        program(
            r#"(import "env" "number" (func $number (param i64) (result i32)))
               (import "env" "setting" (global $setting i32))"#,
            r#"(if (call $number (i64.const 1)) (then unreachable))
               (call $write (i32.const 100) (i32.const 6))"#,
        ),
    );
    place.write(
        "call.wat",
        r#"(module (import "env" "call" (func $call)) (func $main (export "_start") (call $call)))"#,
    );

    let both = [
        "unknown imports",
        "env::number: func (i64) -> i32",
        "env::setting: global i32",
        "--unknown-imports",
    ];
    place.run(&["imports.wat"]).fails(1, &both);
    place.run(&["--unknown-imports", "error", "imports.wat"]).fails(1, &both);
    for flags in [&["--unknown-imports", "default"][..], &["--unknown-imports-default"]] {
        place.run(&[flags, &["imports.wat"]].concat()).prints("hello\n");
        place.run(&[flags, &["call.wat"]].concat()).prints("");
    }
    for flags in [&["--unknown-imports", "trap"][..], &["--unknown-imports-trap"]] {
        let trap = place.run(&[flags, &["call.wat"]].concat());
        trap.fails(trap.code.unwrap_or(0), &["error: ", "unknown import", "env::call"]);
        assert_ne!(trap.code, Some(0));
    }
    place
        .run(&["--unknown-imports", "trap", "--unknown-imports-default", "call.wat"])
        .fails(2, &["cannot be used with"]);
    place.run(&["--unknown-imports", "maybe", "call.wat"]).fails(2, &["error, trap, default"]);
}

#[test]
fn an_import_of_another_type_is_named() {
    let place = Place::new();
    place.write(
        "wrong.wat",
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))) (func (export "_start")))"#,
    );
    place.run(&["wrong.wat"]).fails(1, &["incompatible import type", "proc_exit"]);
}

#[test]
fn compile_writes_what_run_can_load() {
    let place = Place::new();
    place.write("hello.wat", hello());
    place.run(&["compile", "hello.wat", "-o", "out"]).prints("");
    place.run(&["run", "--allow-precompiled", "out"]).prints("hello\n");
    place.run(&["run", "out"]).fails(1, &["out is compiled already", "--allow-precompiled"]);
    place.run(&["compile", "hello.wat"]).prints("");
    assert!(place.path("hello.cwasm").exists());

    // The flag is no promise that everything is compiled.
    place.run(&["run", "--allow-precompiled", "hello.wat"]).prints("hello\n");
    place.run(&["compile", "hello.wat", "-o", "no/such/dir"]).fails(1, &["cannot write no/such/dir"]);

    let whole = std::fs::read(place.path("out")).unwrap();
    place.write("half", &whole[..whole.len() / 2]);
    place.run(&["run", "half"]).fails(1, &["error: "]);
}

#[test]
fn inspect_shows_imports_exports_and_sections() {
    let place = Place::new();
    place.write("hello.wat", hello()).write("library.wat", LIBRARY);
    let hello = place.run(&["inspect", "hello.wat"]);
    for part in [
        "imports: 1\n",
        "wasi_snapshot_preview1::fd_write  func (i32, i32, i32, i32) -> i32\n",
        "exports: 2\n",
        "  memory  memory 1.. pages\n",
        "  _start  func ()\n",
        "code ",
        "2 entries",
    ] {
        assert!(hello.stdout.contains(part), "{part:?} is not in: {}", hello.stdout);
    }
    let library = place.run(&["inspect", "library.wat"]);
    assert!(library.stdout.contains("module \"library\""), "{}", library.stdout);
    assert!(library.stdout.contains("  seven    global i32\n"), "{}", library.stdout);
    assert!(library.stdout.contains("  swap     func (i64, f64) -> (f64, i64)\n"), "{}", library.stdout);
}

#[test]
fn inspect_shows_what_the_baseline_compiler_leaves_to_the_other() {
    let place = Place::new();
    place.write("tail.wat", tail_call());
    let both = place.run(&["inspect", "tail.wat"]).stdout;
    for part in [
        "machine code, by strategy: 2\n  baseline ",
        "left to the optimizing compiler by the baseline compiler: 1\n  1  tail  a tail call with more arguments",
    ] {
        assert!(both.contains(part), "{part:?} is not in: {both}");
    }
    let one = place.run(&["inspect", "--strategy", "optimizing", "tail.wat"]).stdout;
    assert!(one.contains("machine code, by strategy: 1\n  optimizing "), "{one}");
}

#[test]
fn inspect_shows_machine_code_beside_wasm_offsets() {
    let place = Place::new();
    place.write("library.wat", LIBRARY).write("hello.wat", hello());
    // By export, by name, by index: `divide` is the name of one function and the export of another.
    for (function, title) in
        [("add", "function 0"), ("outer", "function 6 outer"), ("5", "function 5 divide")]
    {
        let shown = place.run(&["inspect", "--asm", function, "library.wat"]);
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
        assert!(shown.stdout.starts_with(title), "{}", shown.stdout);
        assert!(shown.stdout.lines().any(|line| line.trim_start().starts_with("0x")), "{}", shown.stdout);
    }
    let exported = place.run(&["inspect", "--asm", "divide", "library.wat"]);
    assert!(exported.stdout.starts_with("function 6 outer"), "{}", exported.stdout);

    // The baseline tier's code is another.
    let by = |strategy| place.run(&["inspect", "--strategy", strategy, "--asm", "add", "library.wat"]).stdout;
    assert!(by("baseline").starts_with("function 0"));
    assert_ne!(by("baseline"), by("optimizing"));
    place.run(&["inspect", "--strategy", "tiered", "library.wat"]).fails(2, &["tiered", "baseline"]);

    place.run(&["inspect", "--asm", "no", "library.wat"]).fails(1, &["there is no function \"no\""]);
    place.run(&["inspect", "--asm", "99", "library.wat"]).fails(1, &["there is no function \"99\""]);
    place.run(&["inspect", "--asm", "0", "hello.wat"]).fails(1, &["function 0 is imported"]);
}

#[test]
fn validate_answers_by_exit_code() {
    let place = Place::new();
    place.write("good.wat", LIBRARY).write("bad.wat", "(module (func (result i32) i64.const 0))");
    place.run(&["validate", "good.wat"]).prints("");
    place.run(&["validate", "bad.wat"]).fails(1, &["error: bad.wat is not valid", "type mismatch", "offset"]);
    place.run_with_input(&["validate", "-"], LIBRARY).prints("");
    place.run_with_input(&["validate", "-"], "(module (func nop nop").fails(1, &["<stdin>"]);
}

#[test]
fn wast_reports_each_failed_directive() {
    let place = Place::new();
    place
        .write("good.wast", "(module (func (export \"f\") (result i32) (i32.const 1)))\n(assert_return (invoke \"f\") (i32.const 1))")
        .write("bad.wast", "(module (func (export \"f\") (result i32) (i32.const 1)))\n(assert_return (invoke \"f\") (i32.const 2))\n(invoke \"g\")")
        .write("print.wast", "(module (import \"spectest\" \"print_i32\" (func $p (param i32))) (func $s (call $p (i32.const 7))) (start $s))");
    place.run(&["wast", "good.wast"]).prints("good.wast: 2 of 2 directives passed\n");
    place.run(&["wast", "print.wast"]).prints("7 : i32\nprint.wast: 1 of 1 directives passed\n");
    let both = place.run(&["wast", "bad.wast", "good.wast"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(1), "good.wast: 2 of 2 directives passed\n"));
    let expected = "bad.wast:2:2: assert_return: expected (i32.const 2), found (i32.const 1)\n\
                    bad.wast:3:2: invoke: there is no exported function \"g\"\n\
                    bad.wast: 2 of 3 directives failed\n";
    assert_eq!(both.stderr, expected);
    place.run(&["wast", "no.wast"]).fails(1, &["cannot read no.wast"]);
    place.run(&["wast"]).fails(2, &["FILES"]);
}

#[test]
fn bad_input_is_an_error_that_names_it() {
    let place = Place::new();
    std::fs::create_dir(place.path("directory")).unwrap();
    let cases: &[(&str, &[u8], &str)] = &[
        ("garbage", b"\x00\xff\x12garbage\x80", "garbage is no WebAssembly module"),
        ("text", b"(modul)", "text:1:2"),
        ("empty", b"", "empty is empty"),
        ("component", b"\0asm\x0d\0\x01\0", "component is a component"),
        ("version", b"\0asm\x07\0\0\0", "version"),
        ("truncated", b"\0asm\x01\0\0\0\x01\x05\x01", "truncated"),
    ];
    for (name, content, _) in cases {
        place.write(name, content);
    }
    for command in [&["run"][..], &["validate"], &["inspect"], &["compile", "-o", "out"], &[]] {
        for (name, _, expected) in cases {
            place.run(&[command, &[name]].concat()).fails(1, &["error: ", expected]);
        }
        place.run(&[command, &["missing"]].concat()).fails(1, &["cannot read missing", "No such file"]);
        place.run(&[command, &["directory"]].concat()).fails(1, &["cannot read directory", "directory"]);
    }
}

#[test]
fn a_module_cut_off_anywhere_is_invalid() {
    let place = Place::new();
    let whole = wat::parse_str("(module (memory 1) (func (export \"f\") (drop (i32.const 1))))").unwrap();
    // Where a section ends, the beginning is a module of its own; but code is promised early on.
    for length in 11..whole.len() {
        let ran = place.run_with_input(&["validate", "-"], &whole[..length]);
        let is_module = place.run_with_input(&["run", "-"], &whole[..length]);
        assert_eq!(ran.code, is_module.code, "{length}: {} {}", ran.stderr, is_module.stderr);
        assert!(matches!(ran.code, Some(0 | 1)), "{length}: {ran:?}");
        assert_eq!(ran.code == Some(1), ran.stderr.starts_with("error: "), "{length}: {ran:?}");
    }
}

#[test]
fn help_and_wrong_usage() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["run", "wast", "compile", "inspect", "validate"] {
        assert!(help.stdout.contains(&format!("  {command} ")), "{}", help.stdout);
        assert_eq!(place.run(&[command, "--help"]).code, Some(0));
    }
    assert!(place.run(&["--version"]).stdout.starts_with("tenure "));
    assert_eq!(place.run(&[]).code, Some(2));
    place.run(&["run"]).fails(2, &["FILE"]);
    place.run(&["--no-such-flag", "x.wat"]).fails(2, &["--no-such-flag"]);
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let place = Place::new();
    place.write("library.wat", LIBRARY);
    let mut child = place
        .command(&["inspect", "library.wat"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A file that is not there has no name in another directory either.
#[test]
fn paths_are_shown_as_they_were_given() {
    let place = Place::new();
    let path = Path::new("..").join("nowhere").join("x.wat");
    let path = path.to_str().expect("text");
    place.run(&[path]).fails(1, &[&format!("cannot read {path}")]);
}

/// A process that starts often starts slowly with more of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn the_command_needs_no_shared_library_but_the_c_library() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_tenure")).expect("the command can be read");
    let names = |name: &[u8]| program.windows(name.len()).any(|bytes| bytes == name);
    assert!(names(b"\0libc.so.6\0"), "a name that is there is not found");
    assert!(!names(b"\0libgcc_s.so.1\0"));
    assert!(!names(b"\0libm.so.6\0"));
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_process() {
    // Writes until it fails, and exits with the error's number, which is 64 of a pipe that nobody reads.
    let source = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\01\00\00\00x")
        (func (export "_start") (local $error i32)
            (loop $again
                (local.set $error (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                (br_if $again (i32.eqz (local.get $error))))
            (call $exit (local.get $error))))"#;
    let place = Place::new();
    place.write("writes.wat", source);
    let mut command = place.command(&["run", "writes.wat"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("the command ends").code(), Some(64));
}

#[cfg(unix)]
#[test]
fn closed_streams_are_not_taken_for_files() {
    // The file that is opened first would be what the guest writes to.
    let source = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\01\00\00\00x")
        (func (export "_start")
            (call $exit (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;
    let place = Place::new();
    place.write("writes.wat", source);
    let mut shell = Command::new("sh");
    let closing = format!("{} run --dir . writes.wat <&- >&- 2>&-", env!("CARGO_BIN_EXE_tenure"));
    let status = shell.current_dir(place.0.path()).args(["-c", &closing]).status().expect("a shell");
    assert_eq!(status.code(), Some(0));
}
