//! Why bytes are not a module.

use std::fmt;
use tenure_types::TooManyTypes;

/// The bytes are malformed, or the module is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidateError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes from the start of the module.
    pub offset: u64,
}

impl fmt::Display for ValidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {:#x})", self.message, self.offset)
    }
}

impl std::error::Error for ValidateError {}

impl From<wasmparser::BinaryReaderError> for ValidateError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self { message: error.message().to_string(), offset: error.offset() }
    }
}

/// Why bytes did not become a module.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ParseError {
    /// The input's fault.
    Invalid(ValidateError),
    /// Valid WebAssembly that needs a proposal which is not there yet.
    Unsupported {
        /// The proposal.
        proposal: &'static str,
        /// Where it is needed, in bytes from the start of the module.
        offset: u64,
    },
    /// Over an implementation limit.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Unsupported { proposal, offset } => {
                write!(f, "the {proposal} proposal is not supported yet (at offset {offset:#x})")
            }
            Self::TooLarge { what, limit } => write!(f, "too many {what}: at most {limit} are allowed"),
        }
    }
}

impl std::error::Error for ParseError {}

impl From<ValidateError> for ParseError {
    fn from(error: ValidateError) -> Self {
        Self::Invalid(error)
    }
}

impl From<wasmparser::BinaryReaderError> for ParseError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<TooManyTypes> for ParseError {
    fn from(_: TooManyTypes) -> Self {
        Self::TooLarge {
            what: "distinct function types in one engine",
            limit: tenure_types::MAX_TYPES.into(),
        }
    }
}
