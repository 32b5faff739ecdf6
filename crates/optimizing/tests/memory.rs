//! What compiling takes of memory, against the limit: one test, in a process of its own, because the allocator counts
//! for the process.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::compile_bytes_well_with;
use tenure_code::CompileError;
use tenure_optimizing::Settings;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result of compiling a function with `body` within `limit` bytes, and how many it took.
fn compile(limit: usize, body: &str) -> (Result<usize, CompileError>, usize) {
    let text = format!("(module (memory 1) (func $f (param i32) (result i32) {body}))");
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let settings = Settings { memory: Some(limit), ..Settings::default() };
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let code = compile_bytes_well_with(settings, &bytes).map(|func| func.code.len());
    (code, MOST.load(Ordering::Relaxed) - before)
}

/// Reads and writes `count` locals in a loop, by `change` of each.
fn locals(count: usize, change: impl Fn(usize) -> String) -> String {
    let changes: String = (1..=count).map(|local| format!("(local.set {local} {})", change(local))).collect();
    format!("(local {}) (loop {changes} (br_if 0 (local.get 0))) (local.get 1)", "i32 ".repeat(count))
}

#[test]
fn no_shape_of_function_takes_more_memory_than_the_limit() {
    const LIMIT: usize = 24 << 20;
    let add = |local| format!("(i32.add (local.get {local}) (i32.const 1))");
    let shapes: [(&str, &dyn Fn(usize) -> String); 7] = [
        ("arithmetic", &|count| {
            format!("(local.get 0) {}", "(i32.const 123) i32.xor (local.get 0) i32.mul ".repeat(count))
        }),
        ("calls", &|count| format!("{} (local.get 0)", "(drop (call $f (local.get 0)))".repeat(count))),
        ("memory", &|count| {
            let copy = "(i32.store (local.get 0) (i32.load offset=4 (local.get 0)))";
            format!("{} (local.get 0)", copy.repeat(count))
        }),
        ("ifs", &|count| {
            let set = format!("(if (local.get 0) (then (local.set 0 {})))", add(0));
            format!("{} (local.get 0)", set.repeat(count))
        }),
        ("operands", &|count| {
            format!("{} {}", "(local.get 0) (call $f) ".repeat(count + 1), "i32.add ".repeat(count))
        }),
        ("locals", &|count| locals(count, add)),
        ("nested loops", &|count| {
            let sets: String =
                (1..=count).map(|local| format!("(local.set {local} {})", add(local))).collect();
            let closed = "(br_if 0 (local.get 0)) end ".repeat(count);
            format!(
                "(local {}) {} {sets} {closed} (local.get 0)",
                "i32 ".repeat(count),
                "loop ".repeat(count)
            )
        }),
    ];
    for (shape, body) in shapes {
        let (mut compiled, mut count) = (0, 16);
        let refused = loop {
            let (code, took) = compile(LIMIT, &body(count));
            assert!(took <= LIMIT, "{shape}, {count} times: {took} bytes");
            match code {
                Ok(_) => compiled += 1,
                Err(error) => break error,
            }
            count *= 2;
        };
        assert!(compiled >= 2, "{shape}: nothing is compiled within {LIMIT} bytes");
        assert!(matches!(refused, CompileError::TooLarge { .. }), "{shape}: {refused}");
    }
    let (code, _) = compile(1, "(local.get 0)");
    assert!(matches!(code, Err(CompileError::TooLarge { limit: 1, .. })), "{code:?}");
}
