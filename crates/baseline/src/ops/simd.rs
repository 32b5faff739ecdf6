//! Vectors.

use crate::func::FuncCompiler;
use tenure_code::CompileError;
use wasmparser::Operator;

impl FuncCompiler<'_> {
    /// Compiles `op` if it is of this family.
    pub(super) fn simd(&mut self, _op: &Operator<'_>) -> Result<bool, CompileError> {
        Ok(false)
    }
}
