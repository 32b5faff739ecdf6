//! The profiles: what a seed means.

use crate::generate::{
    Generated, Nans, control, hostile, invalid, linked, references, signatures, single, smith,
};

/// A way to turn seeds into modules.
pub struct Profile {
    /// What it is called.
    pub name: &'static str,
    /// What it looks for.
    pub about: &'static str,
    /// The module of a seed; `None` when the seed has none.
    pub generate: fn(u64) -> Option<Generated>,
}

macro_rules! profiles {
    ($($name:literal $about:literal $generate:expr;)*) => {
        /// Every profile.
        pub const PROFILES: &[Profile] = &[$(Profile {
            name: $name,
            about: $about,
            generate: $generate,
        },)*];
    };
}

profiles! {
    "core" "1.0 and 2.0 without vectors" |seed| smith::generate(seed, Nans::Hidden, smith::core);
    "small" "as core, at times with vectors and tail calls, in few operators"
        smith::small;
    "simd" "vectors" |seed| smith::generate(seed, Nans::Hidden, smith::simd);
    "nan" "the bits of NaNs" |seed| smith::generate(seed, Nans::Seen, smith::nan);
    "relaxed" "relaxed vectors, deterministic" |seed| smith::generate(seed, Nans::Hidden, smith::relaxed);
    "memories" "many, with 64-bit addresses, odd pages; wide arithmetic"
        |seed| smith::generate(seed, Nans::Hidden, smith::memories);
    "tail" "tail calls" |seed| smith::generate(seed, Nans::Hidden, smith::tail);
    "bulk" "tables, segments, bulk operators" |seed| smith::generate(seed, Nans::Hidden, smith::bulk);
    "imports" "calls to and from the host" |seed| smith::generate(seed, Nans::Hidden, smith::imports);
    "big" "functions of thousands of operators" |seed| smith::generate(seed, Nans::Hidden, smith::big);
    "linked" "two modules that share what they have" linked::generate;
    "references" "typed function references" references::generate;
    "signatures" "calls with many parameters and results" signatures::generate;
    "control" "values across blocks, loops, branches, calls" control::generate;
    "loops" "loops that go round, in functions that call each other and may trap" control::loops;
    "single" "each operator at each boundary" single::generate;
    "invalid" "bytes that are nearly a module" invalid::generate;
    "hostile" "huge counts, depths and widths; truncations" hostile::generate;
}

/// The profile called `name`.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
