//! Randomness for `random_get`.

use crate::os;
use std::io;

/// A source of random bytes.
pub trait Rng: Send {
    /// Fills all of `bytes`.
    fn fill_bytes(&mut self, bytes: &mut [u8]);
}

/// Not random at all: repeats the bytes it was given, so that a run can be repeated.
#[derive(Clone, Debug)]
pub struct Deterministic {
    bytes: Vec<u8>,
    next: usize,
}

impl Deterministic {
    /// A source that yields `bytes` again and again; zeros if `bytes` is empty.
    pub fn new(bytes: Vec<u8>) -> Self {
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        Self { bytes, next: 0 }
    }
}

impl Rng for Deterministic {
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let source = self.bytes.iter().cycle().skip(self.next);
        for (byte, value) in bytes.iter_mut().zip(source) {
            *byte = *value;
        }
        self.next = (self.next + bytes.len()) % self.bytes.len();
    }
}

/// Where a guest's randomness comes from.
pub(crate) enum Random {
    /// The system's generator, which is fit for keys.
    System,
    /// The embedder's.
    Custom(Box<dyn Rng>),
}

impl Random {
    /// Fills all of `bytes`.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::System => os::fill_random(bytes),
            Self::Custom(rng) => {
                rng.fill_bytes(bytes);
                Ok(())
            }
        }
    }
}
