//! Compiled modules as bytes, for a disk.
//!
//! ```text
//! 0    magic "\0tenure\n"
//! 8    format number, u32 little-endian
//! 12   checksum of everything behind it, u64 little-endian
//! 20   conditions: a list of names and values that the code relies on
//!      the module's bytes
//!      the image
//! ```
//! The checksum finds damage of any one word for certain, and nearly all other; it is no signature. Who loads
//! an artifact runs its code, so it must come from a place that can be trusted.

use std::fmt;
use tenure_code::wire::{Damaged, Header, HeaderError, Writer};
use tenure_code::{CodeImage, Tunables};
use tenure_module::OperatorCost;
use tenure_types::{FEATURES, Features};

/// The format changes whenever what follows it does.
const HEADER: Header = Header { magic: *b"\0tenure\n", format: 2 };

/// Why bytes are no artifact that an engine can load.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ArtifactError {
    /// They do not begin like one.
    NotAnArtifact,
    /// Another version of Tenure wrote them.
    Format {
        /// The format that was found.
        found: u32,
    },
    /// They are not what was written.
    Damaged(Damaged),
    /// The code relies on something that is not so here.
    Condition {
        /// What it relies on.
        name: String,
        /// What it was when the artifact was made.
        made_with: String,
        /// What it is in this engine.
        found: String,
    },
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArtifact => {
                f.write_str("not a compiled module: the bytes do not start with tenure's magic")
            }
            Self::Format { found } => {
                write!(
                    f,
                    "a compiled module of format {found}; this version of tenure reads format {}",
                    HEADER.format
                )
            }
            Self::Damaged(damaged) => write!(f, "a compiled module that cannot be read: {damaged}"),
            Self::Condition { name, made_with, found } => {
                write!(
                    f,
                    "a compiled module for another engine: {name} was `{made_with}` there and is `{found}` here"
                )
            }
        }
    }
}

impl std::error::Error for ArtifactError {}

impl From<HeaderError> for ArtifactError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Magic => Self::NotAnArtifact,
            HeaderError::Format { found } => Self::Format { found },
            HeaderError::Damaged(damaged) => Self::Damaged(damaged),
        }
    }
}

impl From<Damaged> for ArtifactError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// Whether `bytes` begin like an artifact.
pub(crate) fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(&HEADER.magic)
}

/// What code relies on: names and values. Equal conditions, interchangeable artifacts.
pub(crate) type Conditions = Vec<(String, String)>;

pub(crate) fn conditions(fingerprint: &str, tunables: &Tunables, features: Features) -> Conditions {
    // Named one by one, so that a new field is not forgotten.
    let Tunables {
        signals,
        memory_reservation,
        memory64_reservation,
        memory_guard,
        canonical_nans,
        deterministic_relaxed_simd,
        epochs,
        fuel,
        // Code that is made ahead of time counts nothing.
        tiering: _,
        keep_vmctx,
        // How fast code is; what it does is the same.
        inlining: _,
    } = tunables;
    let rows: [(&str, &dyn fmt::Display); 11] = [
        ("the version of tenure", &env!("CARGO_PKG_VERSION")),
        ("the compiler", &fingerprint),
        ("signals_based_traps", signals),
        ("memory_reservation", memory_reservation),
        ("memory_reservation (64-bit)", memory64_reservation),
        ("memory_guard_size", memory_guard),
        ("cranelift_nan_canonicalization", canonical_nans),
        ("relaxed_simd_deterministic", deterministic_relaxed_simd),
        ("epoch_interruption", epochs),
        ("consume_fuel", &fuel_costs(fuel.as_deref())),
        ("keep_vmctx", keep_vmctx),
    ];
    let mut all: Conditions =
        rows.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    for &feature in FEATURES {
        all.push((format!("the {} proposal", feature.title()), on_or_off(features.has(feature)).to_string()));
    }
    all
}

/// Whether fuel is counted, and what costs other than usual.
fn fuel_costs(costs: Option<&OperatorCost>) -> String {
    let Some(costs) = costs else { return on_or_off(false).to_string() };
    let usual = OperatorCost::new();
    let unusual = costs.rows().zip(usual.rows()).filter(|(row, usual)| row != usual);
    unusual.fold(on_or_off(true).to_string(), |text, ((name, cost), _)| format!("{text}, {name}: {cost}"))
}

fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The artifact of the module `wasm` with the code `image`.
pub(crate) fn write(conditions: &Conditions, wasm: &[u8], image: &CodeImage) -> Vec<u8> {
    let mut body = Writer::default();
    body.len(conditions.len());
    for (name, value) in conditions {
        body.bytes(name.as_bytes());
        body.bytes(value.as_bytes());
    }
    body.bytes(wasm);
    image.serialize(&mut body);
    HEADER.write(&body.into_bytes())
}

/// Takes an artifact apart: the module's bytes and its code.
///
/// # Errors
/// [`ArtifactError`] when the bytes are no artifact, are damaged, or rely on other than `conditions`.
pub(crate) fn read<'a>(
    conditions: &Conditions,
    bytes: &'a [u8],
) -> Result<(&'a [u8], CodeImage), ArtifactError> {
    let mut body = HEADER.read(bytes)?;
    let made_with = body.list(|body| Ok((body.bytes()?, body.bytes()?)))?;
    for (at, (name, here)) in conditions.iter().enumerate() {
        let there = made_with.get(at).filter(|there| there.0 == name.as_bytes()).map(|there| there.1);
        if there != Some(here.as_bytes()) {
            let made_with = there.map_or("unknown".into(), String::from_utf8_lossy).into_owned();
            return Err(ArtifactError::Condition { name: name.clone(), made_with, found: here.clone() });
        }
    }
    body.check(made_with.len() == conditions.len())?;
    let wasm = body.bytes()?;
    let image = CodeImage::deserialize(&mut body)?;
    body.end()?;
    Ok((wasm, image))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Conditions {
        conditions("test compiler", &Tunables::default(), Features::default())
    }

    fn artifact() -> Vec<u8> {
        let image = CodeImage { text: (0..100).collect(), ..CodeImage::default() };
        write(&here(), b"\0asm\x01\0\0\0", &image)
    }

    #[test]
    fn an_artifact_comes_back() {
        let artifact = artifact();
        let (wasm, image) = read(&here(), &artifact).unwrap();
        assert_eq!(wasm, b"\0asm\x01\0\0\0");
        assert_eq!(image.text.len(), 100);
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_noticed() {
        let whole = artifact();
        for at in 0..whole.len() {
            assert!(read(&here(), &whole[..at]).is_err(), "cut at {at}");
            for flip in [1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                assert!(read(&here(), &damaged).is_err(), "byte {at}");
            }
        }
        let mut longer = whole;
        longer.push(0);
        assert!(read(&here(), &longer).is_err());
    }

    #[test]
    fn another_engine_is_told_what_differs() {
        let error = |compiler, tunables: &Tunables, features| {
            read(&conditions(compiler, tunables, features), &artifact()).unwrap_err().to_string()
        };
        let same = Tunables::default();
        assert_eq!(
            error("a newer one", &same, Features::default()),
            "a compiled module for another engine: the compiler was `test compiler` there and is `a newer one` here"
        );
        let tunables = Tunables { signals: false, ..same.clone() };
        assert!(
            error("test compiler", &tunables, Features::default()).contains("signals_based_traps was `true`")
        );
        assert!(
            error("test compiler", &same, Features::NONE)
                .contains("proposal was `on` there and is `off` here")
        );
        assert!(
            read(&here(), b"\0asm\x01\0\0\0").unwrap_err().to_string().starts_with("not a compiled module")
        );
    }
}
