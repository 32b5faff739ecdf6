//! What Tenure asks of the operating system and the CPU.
//!
//! ```text
//! cpu           cores, features, the stack pointer, the instruction cache
//! mapping       address space: reserved, committed, given back; copy-on-write images
//! page_scan     which pages were written
//! quarantine    freed memory that is protected instead of used again, for tests
//! code_pages    pages that are written in one place and executed in another
//! process       what a program does before anything else
//! stack         where the calling thread's stack begins and ends
//! signals       faults: whose they are, and where execution goes on
//! ```
//!
//! The modules here are portable: they check arguments and own what must be released. What differs between
//! systems lies in one folder for each, with equal item names; what differs between processors, in files
//! named for them.
//!
//! Addresses are handed out as raw pointers. Changing what is mapped is safe here, since it harms only those
//! who hold references into a mapping, and making such a reference is `unsafe` and their promise to keep.
//!
//! Fork: memory is private to a process, except code. See [`CodePages`].

pub mod code_pages;
pub mod cpu;
pub mod mapping;
pub mod page_scan;
pub mod process;
pub mod quarantine;
pub mod signals;
pub mod stack;

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod os;

pub use code_pages::CodePages;
pub use mapping::{Image, Reservation, address_space_left, page_size};
pub use page_scan::PageScan;
pub use stack::{StackBounds, current_sp, thread_stack};
