//! How much memory this process holds.

/// Resident bytes, page tables among them; 0 where the system does not tell.
pub fn bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    1024.0 * ["VmRSS", "VmPTE"].into_iter().filter_map(kibibytes).sum::<f64>()
}

/// How many mappings it has; 0 where the system does not tell.
pub fn mappings() -> f64 {
    std::fs::read_to_string("/proc/self/maps").map_or(0.0, |maps| maps.lines().count() as f64)
}

/// After so many cycles it is noted what the process holds, under these names.
pub const POINTS: &[(u32, &str)] = &[
    (1, "after 1 cycle"),
    (10, "after 10 cycles"),
    (100, "after 100 cycles"),
    (300, "after 300 cycles"),
    (1_000, "after 1,000 cycles"),
    (3_000, "after 3,000 cycles"),
    (10_000, "after 10,000 cycles"),
    (30_000, "after 30,000 cycles"),
    (100_000, "after 100,000 cycles"),
    (300_000, "after 300,000 cycles"),
    (1_000_000, "after 1,000,000 cycles"),
];

/// The number of cycles that a row is about.
pub fn cycles_of(row: &str) -> Option<u32> {
    POINTS.iter().find(|point| point.1 == row).map(|point| point.0)
}

/// An engine that holds more than this many bytes goes no further: the machine has others to serve.
pub const MOST_RESIDENT: f64 = 2e9;
