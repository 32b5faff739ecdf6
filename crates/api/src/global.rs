//! Globals.

use crate::val::expect_loaded;
use crate::{AsContext, AsContextMut, GlobalType, Result, Val, ensure, handle};
use tenure_runtime::{GlobalInst, Handle};

/// A global of a store: one value of one type. A handle: cheap to copy, checked at each use.
///
/// ```
/// use tenure::{Global, GlobalType, Mutability, Store, Val, ValType};
///
/// let mut store = Store::<()>::default();
/// let ty = GlobalType::new(ValType::I64, Mutability::Var);
/// let global = Global::new(&mut store, ty, Val::I64(1))?;
/// global.set(&mut store, Val::I64(2))?;
/// assert_eq!(global.get(&mut store).i64(), Some(2));
///
/// let error = global.set(&mut store, Val::I32(3)).unwrap_err();
/// assert_eq!(error.to_string(), "type mismatch: expected i64, found i32");
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Global(pub(crate) Handle<GlobalInst>);

impl Global {
    /// A global of type `ty` that holds `val`.
    ///
    /// # Errors
    /// When `val` is not of the type's content or of another store, or `ty` is of another engine.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, val: Val) -> Result<Self> {
        let store = store.as_context_mut().0;
        let core = ty.to_core(&store.engine)?;
        let raw = val.lower(&store.runtime, core.content)?;
        Ok(Self(store.runtime.new_global(core, raw)))
    }

    /// Its type.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let store = store.as_context().0;
        GlobalType::from_core(&store.engine, *handle::expect(store.runtime.global(self.0)).ty())
    }

    /// What it holds.
    ///
    /// # Panics
    /// When it is of another store, or the engine has no room for what calls of the function need.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let store = &mut store.as_context_mut().0.runtime;
        let content = handle::expect(store.global(self.0)).ty().content;
        let raw = store.global_raw(self.0.addr).expect("the global was found just before");
        // SAFETY: what a global of this store holds is of the type's content.
        expect_loaded(unsafe { Val::lift(store, content, raw) })
    }

    /// Replaces what it holds by `val`.
    ///
    /// # Errors
    /// When it is immutable, `val` is not of the type's content, or something is of another store.
    pub fn set(&self, mut store: impl AsContextMut, val: Val) -> Result<()> {
        let store = &mut store.as_context_mut().0.runtime;
        let ty = *store.global(self.0)?.ty();
        ensure!(ty.mutable, "an immutable global cannot be set");
        let raw = val.lower(store, ty.content)?;
        store.set_global_raw(self.0.addr, raw);
        Ok(())
    }
}
