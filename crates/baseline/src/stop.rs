//! Why a compilation stops before its end, in one word.

use tenure_code::CompileError;
use tenure_module::ValidateError;

/// The error that ends a compilation, out of the way of those that do not stop.
#[derive(Debug)]
pub(crate) struct Stop(Box<CompileError>);

impl Stop {
    pub(crate) fn into_error(self) -> CompileError {
        *self.0
    }
}

impl From<CompileError> for Stop {
    #[cold]
    fn from(error: CompileError) -> Self {
        Self(Box::new(error))
    }
}

impl From<wasmparser::BinaryReaderError> for Stop {
    #[cold]
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(Box::new(CompileError::Invalid(ValidateError::from(error))))
    }
}

/// What operators return: nothing, or whether they can be compiled.
pub(crate) trait Done {
    fn done(self) -> Result<(), Stop>;
}

impl Done for () {
    #[inline]
    fn done(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl Done for Result<(), CompileError> {
    #[inline]
    fn done(self) -> Result<(), Stop> {
        self.map_err(Stop::from)
    }
}
