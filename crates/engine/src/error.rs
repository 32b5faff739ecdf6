//! Why bytes did not become a module.

use crate::artifact::ArtifactError;
use crate::config::ConfigError;
use crate::pipeline::Progress;
use std::fmt;
use std::io;
use std::time::Duration;
use tenure_abi::ctx::ContextTooLarge;
use tenure_code::{CompileError, ImageTooLarge};
use tenure_module::{ParseError, ValidateError};
use tenure_optimizing::UnsupportedMachine;
use tenure_runtime::LoadError;
use tenure_types::FuncIdx;

/// Why an engine could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration asks for what cannot be had.
    Config(ConfigError),
    /// No compiler knows this machine.
    Machine(UnsupportedMachine),
    /// There is no memory for code.
    Code(LoadError),
    /// The system does not let faults in guest code be caught.
    Signals(io::Error),
}

/// Why bytes did not become a module.
#[derive(Debug)]
#[non_exhaustive]
pub enum ModuleError {
    /// The bytes are no module, or one that needs what is not there.
    Parse(ParseError),
    /// A function was not compiled.
    Compile {
        /// Which function.
        func: FuncIdx,
        /// Its name, if it has one.
        name: Option<String>,
        /// Why.
        error: CompileError,
    },
    /// The module's code is too large.
    Image(ImageTooLarge),
    /// The module's instances would be too large.
    Context(ContextTooLarge),
    /// The code could not be put in memory.
    Load(LoadError),
    /// The bytes are no artifact of this engine.
    Artifact(ArtifactError),
    /// The engine was told not to compile.
    CompilerOff,
    /// No compiler knows this machine.
    Machine(UnsupportedMachine),
    /// The progress callback stopped the compilation.
    Cancelled,
    /// The compilation took longer than the engine allows.
    TimeLimit {
        /// The engine's limit.
        limit: Duration,
        /// How far it came by then.
        progress: Progress,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Machine(error) => error.fmt(f),
            Self::Code(error) => error.fmt(f),
            Self::Signals(error) => {
                write!(f, "faults in guest code cannot be caught (`signals_based_traps` can be off): {error}")
            }
        }
    }
}

impl std::error::Error for EngineError {}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            // An invalid body names its offset; which function that is adds nothing.
            Self::Compile { error: CompileError::Invalid(error), .. } => error.fmt(f),
            Self::Compile { func, name: Some(name), error } => {
                write!(f, "function {} `{name}`: {error}", func.0)
            }
            Self::Compile { func, name: None, error } => write!(f, "function {}: {error}", func.0),
            Self::Image(error) => error.fmt(f),
            Self::Context(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Artifact(error) => error.fmt(f),
            Self::CompilerOff => {
                f.write_str("this engine does not compile: its `enable_compiler` option is off")
            }
            Self::Machine(error) => error.fmt(f),
            Self::TimeLimit { limit, progress: Progress { done, total } } => {
                write!(
                    f,
                    "compiling took longer than {limit:?}, the engine's `compile_time_limit`, with {done} of \
                     {total} functions done"
                )
            }
            Self::Cancelled => f.write_str("the compilation was stopped"),
        }
    }
}

impl std::error::Error for ModuleError {}

macro_rules! from {
    ($($error:ident::$variant:ident($cause:ty);)*) => {$(
        impl From<$cause> for $error {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause)
            }
        }
    )*};
}

from! {
    EngineError::Config(ConfigError);
    EngineError::Machine(UnsupportedMachine);
    EngineError::Code(LoadError);
    ModuleError::Machine(UnsupportedMachine);
    ModuleError::Parse(ParseError);
    ModuleError::Image(ImageTooLarge);
    ModuleError::Context(ContextTooLarge);
    ModuleError::Load(LoadError);
    ModuleError::Artifact(ArtifactError);
}

impl From<ValidateError> for ModuleError {
    fn from(error: ValidateError) -> Self {
        Self::Parse(error.into())
    }
}
