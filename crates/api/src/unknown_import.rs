//! An import that nobody defined.

use crate::{ExternType, ImportType};
use std::fmt;

/// A module asks for something that the linker does not have.
#[derive(Clone, Debug)]
pub struct UnknownImportError {
    module: Box<str>,
    name: Box<str>,
    ty: ExternType,
}

impl UnknownImportError {
    pub(crate) fn new(import: &ImportType<'_>) -> Self {
        Self { module: import.module().into(), name: import.name().into(), ty: import.ty() }
    }

    /// The module that it is imported from.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// Its name in that module.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is asked for.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}

impl fmt::Display for UnknownImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown import: `{}::{}` has not been defined", self.module, self.name)
    }
}

impl std::error::Error for UnknownImportError {}
