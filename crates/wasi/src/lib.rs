//! WASI preview 1 for Tenure.
//!
//! A guest built for `wasm32-wasip1` imports 46 functions from the module
//! `wasi_snapshot_preview1`. This crate defines them all in a [`Linker`](tenure::Linker), over
//! what the embedder put into a [`WasiCtxBuilder`]: arguments, environment, standard streams,
//! directories, clocks and randomness. A guest reaches nothing else.
//!
//! ```text
//! guest ──▶ p1 (the table of functions) ──▶ guest_mem   checks every pointer and length
//!                                      └──▶ fd_table    a number → object, rights
//!                                             └──▶ dir, file, cli ──▶ cap-std, os
//! ```
//!
//! Invariants:
//! - every number, pointer, length and path that a guest gives is checked before it is used; a
//!   wrong one is an `errno`, never a panic, and nothing is allocated in proportion to it;
//! - no path leads out of the directory it starts from ([`cap_std`] resolves it beneath an open
//!   directory), whatever symbolic links, `..` or renames by others say;
//! - an operation is allowed by the rights of the descriptor, and those only ever shrink.
//!
//! Start at [`p1`]; the way from a guest's number to a host's file is `fd_table`.
//!
//! ```
//! use tenure::{Engine, Linker, Module, Store};
//! use tenure_wasi::p1::{self, WasiP1Ctx};
//! use tenure_wasi::pipe::MemoryOutputPipe;
//! use tenure_wasi::WasiCtxBuilder;
//!
//! # fn main() -> tenure::Result<()> {
//! let engine = Engine::default();
//! let module = Module::new(
//!     &engine,
//!     r#"(module
//!         (import "wasi_snapshot_preview1" "fd_write"
//!             (func $fd_write (param i32 i32 i32 i32) (result i32)))
//!         (memory (export "memory") 1)
//!         (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
//!         (func (export "_start")
//!             (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#,
//! )?;
//!
//! let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
//! p1::add_to_linker_sync(&mut linker, |ctx| ctx)?;
//!
//! let stdout = MemoryOutputPipe::new(4096);
//! let ctx = WasiCtxBuilder::new().stdout(stdout.clone()).build_p1();
//! let mut store = Store::new(&engine, ctx);
//! let instance = linker.instantiate(&mut store, &module)?;
//! instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())?;
//! assert_eq!(stdout.contents(), b"hello\n");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

// In reading order: a module uses those above it.
#[macro_use]
mod flags;
mod types;

#[cfg(target_os = "linux")]
#[path = "os/linux.rs"]
mod os;

mod errno;
mod exit;
mod guest_mem;
mod perms;

pub mod cli;
pub mod clocks;
pub mod pipe;
pub mod random;

mod file;

mod dir;
mod fd_table;

mod ctx;

pub mod p1;

mod builder;

pub use builder::WasiCtxBuilder;
pub use clocks::{HostMonotonicClock, HostWallClock};
pub use ctx::WasiCtx;
pub use exit::I32Exit;
pub use perms::{DirPerms, FilePerms, FsPerms, Perms};
pub use random::{Deterministic, Rng};
