//! Making host references and looking behind them.

use crate::error::Context;
use crate::rooted::GcRefImpl;
use crate::{AsContextMut, ExternRef, Result, Rooted, StoreContext, StoreContextMut, format_err};
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
        let number =
            store.new_extern(Box::new(value)).context("the store has no room for more host values")?;
        Ok(Rooted::of_number(store, number).expect("numbers of host values are not 0"))
    }

    /// The value.
    ///
    /// `None` would be a reference that a guest made of its own data, which the gc proposal brings.
    ///
    /// # Errors
    /// When the reference is of another store, or [`ExternRef::from_raw`] was given a number of nothing.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let store = &store.into().0.runtime;
        let number = self.root().number_in(store)?;
        let value = store.extern_value(number).ok_or_else(|| no_value(number))?;
        Ok(Some(value))
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
        let number = self.root().number_in(store)?;
        let value = store.extern_value_mut(number).ok_or_else(|| no_value(number))?;
        Ok(Some(value))
    }

    /// The reference of a number that [`ExternRef::to_raw`] or a guest gave; `None` for 0, which is null.
    pub fn from_raw(mut store: impl AsContextMut, raw: u32) -> Option<Rooted<Self>> {
        Rooted::of_number(&store.as_context_mut().0.runtime, raw)
    }

    /// The number by which guests know the value, for [`ValRaw::externref`](crate::ValRaw::externref).
    ///
    /// # Errors
    /// When the reference is of another store.
    pub fn to_raw(&self, store: impl AsContextMut) -> Result<u32> {
        Ok(self.root().number_in(&store.as_context().0.runtime)?)
    }
}

#[cold]
fn no_value(number: u32) -> crate::Error {
    format_err!("the store has no host value of number {number}")
}
