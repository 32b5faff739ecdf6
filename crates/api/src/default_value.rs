//! What a type has without contents: zeros, nulls, empty memories.

use crate::error::Context;
use crate::{
    AsContextMut, Extern, ExternType, Func, FuncType, Global, GlobalType, Memory, MemoryType, Ref, Result,
    Table, TableType, Val, ValType, bail, ensure,
};

impl ValType {
    /// Zero or null; `None` for references that cannot be null.
    pub fn default_value(&self) -> Option<Val> {
        Val::default_for_ty(self)
    }
}

impl FuncType {
    /// A function that returns zeros and nulls.
    ///
    /// # Errors
    /// When a result cannot be null, or the type is of another engine.
    pub fn default_value(&self, store: impl AsContextMut) -> Result<Func> {
        let defaults = self.default_results()?;
        Func::try_new(store, self.clone(), move |_, _, results| {
            results.copy_from_slice(&defaults);
            Ok(())
        })
    }

    /// A zero or null for each result.
    pub(crate) fn default_results(&self) -> Result<Vec<Val>> {
        let defaults = self.results().map(|ty| {
            let value = ty.default_value();
            value.with_context(|| format!("a result of type {ty} has no default value"))
        });
        defaults.collect()
    }
}

impl GlobalType {
    /// A global that holds zero or null.
    ///
    /// # Errors
    /// When it cannot be null, or the type is of another engine.
    pub fn default_value(&self, store: impl AsContextMut) -> Result<Global> {
        let content = self.content();
        let value = content.default_value();
        let value = value.with_context(|| format!("a global of type {content} has no default value"))?;
        Global::new(store, self.clone(), value)
    }
}

impl TableType {
    /// A table of nulls.
    ///
    /// # Errors
    /// When elements cannot be null, or as [`Table::new`].
    pub fn default_value(&self, store: impl AsContextMut) -> Result<Table> {
        let element = self.element();
        ensure!(element.is_nullable(), "a table of {element} has no default value");
        Table::new(store, self.clone(), Ref::null(element.heap_type()))
    }
}

impl MemoryType {
    /// A memory of zeros.
    ///
    /// # Errors
    /// As [`Memory::new`].
    pub fn default_value(&self, store: impl AsContextMut) -> Result<Extern> {
        Memory::new(store, self.clone()).map(Extern::from)
    }
}

impl ExternType {
    /// Something of this type without contents.
    ///
    /// # Errors
    /// As for the kind of thing that it is; there are no tags yet.
    pub fn default_value(&self, store: impl AsContextMut) -> Result<Extern> {
        Ok(match self {
            Self::Func(ty) => ty.default_value(store)?.into(),
            Self::Global(ty) => ty.default_value(store)?.into(),
            Self::Table(ty) => ty.default_value(store)?.into(),
            Self::Memory(ty) => ty.default_value(store)?,
            Self::Tag(_) => bail!("tags need the exception-handling proposal, which is not supported yet"),
        })
    }
}
