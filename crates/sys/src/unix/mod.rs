//! Linux and its kind.

pub mod address_space;
pub mod alt_stack;
pub mod dual_view;
pub mod mapping;
mod memory_file;
pub mod page_scan;
pub mod process;
pub mod signals;
pub mod single_view;
pub mod stack;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "machine_linux_x64.rs"]
mod machine;
