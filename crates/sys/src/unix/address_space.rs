//! Limits on address space.

use std::fs;

use rustix::process::{Resource, getrlimit};

/// Bytes that may be mapped, and bytes that are; `None` without a limit.
pub fn limit_and_use() -> Option<(u64, u64)> {
    let limit = getrlimit(Resource::As).current?;
    // The first number is the pages that are mapped.
    let mapped = fs::read_to_string("/proc/self/statm").ok();
    let pages: u64 = mapped.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
    Some((limit, pages.saturating_mul(super::mapping::page_size() as u64)))
}
