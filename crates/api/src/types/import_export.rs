//! What a module asks for and what it offers.

use super::ExternType;
use crate::Engine;
use std::fmt;
use tenure_module::{Export, Import, Module as CoreModule};

/// An import of a module: two names and a type.
#[derive(Clone)]
pub struct ImportType<'module> {
    engine: &'module Engine,
    import: &'module Import,
}

impl<'module> ImportType<'module> {
    pub(crate) fn new(engine: &'module Engine, import: &'module Import) -> Self {
        Self { engine, import }
    }

    /// The module that it is imported from.
    pub fn module(&self) -> &'module str {
        &self.import.module
    }

    /// Its name in that module.
    pub fn name(&self) -> &'module str {
        &self.import.name
    }

    /// What is asked for.
    pub fn ty(&self) -> ExternType {
        ExternType::of_import(self.engine, self.import.ty)
    }
}

impl fmt::Debug for ImportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportType")
            .field("module", &self.module())
            .field("name", &self.name())
            .field("ty", &self.ty())
            .finish()
    }
}

/// An export of a module: a name and a type.
#[derive(Clone)]
pub struct ExportType<'module> {
    engine: &'module Engine,
    module: &'module CoreModule,
    export: &'module Export,
}

impl<'module> ExportType<'module> {
    pub(crate) fn new(engine: &'module Engine, module: &'module CoreModule, export: &'module Export) -> Self {
        Self { engine, module, export }
    }

    /// Its name.
    pub fn name(&self) -> &'module str {
        &self.export.name
    }

    /// The type of what it names.
    pub fn ty(&self) -> ExternType {
        ExternType::of_item(self.engine, self.module, self.export.item)
    }
}

impl fmt::Debug for ExportType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportType").field("name", &self.name()).field("ty", &self.ty()).finish()
    }
}
