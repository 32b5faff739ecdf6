//! placeholder
use crate::translate::Translator;
use tenure_code::CompileError;
use wasmparser::Operator;
impl Translator<'_> {
    pub(super) fn simd(&mut self, _op: &Operator<'_>) -> Result<bool, CompileError> {
        Ok(false)
    }
}
