//! Making host references and looking behind them.

use crate::error::Context;
use crate::rooted::GcRefImpl;
use crate::{AsContextMut, ExternRef, Result, Rooted, StoreContext, StoreContextMut};
use std::any::Any;

impl ExternRef {
    /// Gives `value` to `store`; a reference to it.
    ///
    /// # Errors
    /// When the store has as many host values as its limits allow, or 2^32 - 1.
    pub fn new<T>(mut store: impl AsContextMut, value: T) -> Result<Rooted<Self>>
    where
        T: Any + Send + Sync + 'static,
    {
        let store = &mut store.as_context_mut().0.runtime;
        let root = store.new_extern(Box::new(value)).context("the store has no room for more host values")?;
        Ok(Rooted::of_root(root))
    }

    /// The value.
    ///
    /// `None` would be a reference that a guest made of its own data, which the gc proposal brings.
    ///
    /// # Errors
    /// When the reference is of another store, or its scope has ended.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let store = &store.into().0.runtime;
        let number = store.number_of(self.root())?;
        Ok(Some(store.extern_value(number).expect(HELD)))
    }

    /// The value, to change.
    ///
    /// # Errors
    /// As [`ExternRef::data`].
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>> {
        let store = &mut store.into().0.runtime;
        let number = store.number_of(self.root())?;
        Ok(Some(store.extern_value_mut(number).expect(HELD)))
    }

    /// The reference of a number that [`ExternRef::to_raw`] or a guest gave; `None` for 0, which is null, and
    /// for numbers of nothing.
    ///
    /// A number holds nothing: when the value went its number may be given to another.
    pub fn from_raw(mut store: impl AsContextMut, raw: u32) -> Option<Rooted<Self>> {
        Rooted::of_number(&mut store.as_context_mut().0.runtime, raw)
    }

    /// The number by which guests know the value, for [`ValRaw::externref`](crate::ValRaw::externref).
    ///
    /// # Errors
    /// When the reference is of another store, or its scope has ended.
    pub fn to_raw(&self, store: impl AsContextMut) -> Result<u32> {
        Ok(store.as_context().0.runtime.number_of(self.root())?)
    }
}

const HELD: &str = "what a root holds is there";
