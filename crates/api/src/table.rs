//! Tables.

use crate::error::Context;
use crate::limits::grow_error;
use crate::val::expect_loaded;
use crate::{AsContext, AsContextMut, Error, Ref, Result, TableType, Trap, ensure, handle};
use tenure_runtime::{Handle, TableInst};

/// A table of a store: a list of references of one type. A handle: cheap to copy, checked at each use.
///
/// ```
/// use tenure::{Func, Ref, RefType, Store, Table, TableType};
///
/// let mut store = Store::<()>::default();
/// let ty = TableType::new(RefType::FUNCREF, 2, None);
/// let table = Table::new(&mut store, ty, Ref::Func(None))?;
/// let func = Func::wrap(&mut store, || 42);
/// table.set(&mut store, 1, func.into())?;
/// assert!(table.get(&mut store, 0).unwrap().is_null());
/// assert!(table.get(&mut store, 1).unwrap().is_non_null());
/// assert!(table.get(&mut store, 2).is_none());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Table(pub(crate) Handle<TableInst>);

impl Table {
    /// A table of `ty.minimum()` elements that all are `init`.
    ///
    /// # Errors
    /// When `init` is not of the element type or of another store, `ty` is of another engine, its minimum is
    /// above its maximum, or a limit of the store or its limiter refuses.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Self> {
        let store = store.as_context_mut().0;
        let core = ty.to_core(&store.engine)?;
        if let Some(max) = core.max {
            ensure!(core.min <= max, "the minimum of {} elements is above the maximum of {max}", core.min);
        }
        store.limited(|store, limiter| store.make_room_for_table(&core, limiter));
        let init = init.lower(&store.runtime, core.element)?;
        let table = store.limited(|store, limiter| store.new_table_under(core, init, limiter));
        Ok(Self(
            table
                .map_err(grow_error)
                .with_context(|| format!("a table of {} elements could not be made", core.min))?,
        ))
    }

    /// Its type, with the size that it was made with.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let store = store.as_context().0;
        TableType::from_core(&store.engine, *handle::expect(store.runtime.table(self.0)).ty())
    }

    /// Element `index`; `None` outside the table.
    ///
    /// # Panics
    /// When the table is of another store, or the engine has no room for what calls of the function need.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        let store = &mut store.as_context_mut().0.runtime;
        let element = handle::expect(store.table(self.0)).ty().element;
        let raw = store.table_raw(self.0.addr, index)?;
        // SAFETY: an element of a table of this store, which has elements of that type.
        Some(expect_loaded(unsafe { Ref::lift(store, element, raw) }))
    }

    /// Replaces element `index` by `val`.
    ///
    /// # Errors
    /// When `index` is outside the table ([`Trap::TableOutOfBounds`]), `val` is not of the element type, or
    /// something is of another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, val: Ref) -> Result<()> {
        let store = &mut store.as_context_mut().0.runtime;
        let raw = val.lower(store, store.table(self.0)?.ty().element)?;
        if store.set_table_raw(self.0.addr, index, raw) {
            return Ok(());
        }
        let size = store.table(self.0)?.size();
        Err(outside(format!("a table of {size} elements has no element {index}")))
    }

    /// The size in elements.
    ///
    /// # Panics
    /// When the table is of another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        handle::expect(store.as_context().0.runtime.table(self.0)).size()
    }

    /// Adds `delta` elements that all are `init`; the size before.
    ///
    /// # Errors
    /// When the type's maximum, a limit of the store or its limiter refuses, `init` is not of the element type, or something is of another store.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        let store = store.as_context_mut().0;
        let table = store.runtime.table(self.0)?;
        let (element, size) = (table.ty().element, table.size());
        let init = init.lower(&store.runtime, element)?;
        let grown = store.limited(|store, limiter| store.grow_table(self.0.addr, delta, init, limiter));
        grown
            .map_err(grow_error)
            .with_context(|| format!("a table of {size} elements could not grow by {delta}"))
    }

    /// Copies `len` elements of `src_table`, from `src_index` on, to the elements of `dst_table` from
    /// `dst_index` on.
    ///
    /// # Errors
    /// When they are not all there ([`Trap::TableOutOfBounds`]), the types of elements differ, or a table is
    /// of another store. Nothing is copied then.
    pub fn copy(
        mut store: impl AsContextMut,
        dst_table: &Self,
        dst_index: u64,
        src_table: &Self,
        src_index: u64,
        len: u64,
    ) -> Result<()> {
        let store = &mut store.as_context_mut().0.runtime;
        let (dst, src) = (store.table(dst_table.0)?.ty().element, store.table(src_table.0)?.ty().element);
        ensure!(src.matches(dst), "elements of type {src} cannot be copied to a table of {dst}");
        if store.copy_table_raw(dst_table.0.addr, dst_index, src_table.0.addr, src_index, len) {
            return Ok(());
        }
        Err(outside(format!("{len} elements at {src_index} or {dst_index} are not all inside the tables")))
    }

    /// Replaces `len` elements, from `dst` on, by `val`.
    ///
    /// # Errors
    /// When they are not all there ([`Trap::TableOutOfBounds`]), `val` is not of the element type, or
    /// something is of another store. Nothing is replaced then.
    pub fn fill(&self, mut store: impl AsContextMut, dst: u64, val: Ref, len: u64) -> Result<()> {
        let store = &mut store.as_context_mut().0.runtime;
        let raw = val.lower(store, store.table(self.0)?.ty().element)?;
        if store.fill_table_raw(self.0.addr, dst, raw, len) {
            return Ok(());
        }
        let size = store.table(self.0)?.size();
        Err(outside(format!("{len} elements at {dst} are not all inside a table of {size}")))
    }
}

#[cold]
fn outside(what: String) -> Error {
    Error::from(Trap::TableOutOfBounds).context(what)
}
