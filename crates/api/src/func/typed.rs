//! Functions whose type was checked once.

use super::{WasmParams, WasmResults, WasmTyList, enter};
use crate::{AsContext, AsContextMut, Engine, Func, Result, ValType, bail};
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use tenure_abi::ValRaw;
use tenure_types::{FuncType, ValType as CoreType};

/// A function whose type is known to be `Params -> Results`: the fast way to call.
///
/// ```
/// use tenure::{Engine, Instance, Module, Store};
///
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let swap = instance.get_typed_func::<(i32, i64), (i64, i32)>(&mut store, "swap")?;
/// assert_eq!(swap.call(&mut store, (1, 2))?, (2, 1));
/// # Ok::<(), tenure::Error>(())
/// ```
pub struct TypedFunc<Params, Results> {
    func: Func,
    of: PhantomData<fn(Params) -> Results>,
}

/// As many values as a list of [`WasmTy`](super::WasmTy) has at most.
const MOST_VALUES: usize = 17;

impl<Params: WasmParams, Results: WasmResults> TypedFunc<Params, Results> {
    /// `func` as one of this type, unchecked.
    ///
    /// # Safety
    /// Its type is `Params -> Results`, as [`Func::typed`] would find.
    pub unsafe fn new_unchecked(_store: impl AsContext, func: Func) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { Self::from_checked(func) }
    }

    /// # Safety
    /// The type of `func` is `Params -> Results`.
    pub(super) unsafe fn from_checked(func: Func) -> Self {
        Self { func, of: PhantomData }
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls it.
    ///
    /// # Errors
    /// When the handle is not of this store, the guest traps (a [`Trap`](crate::Trap)), or a host function
    /// fails (its error). Errors from inside the guest carry a [`WasmBacktrace`](crate::WasmBacktrace).
    ///
    /// # Panics
    /// When a host function panics: with its payload, when the guest's frames are gone.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: Params) -> Result<Results> {
        let mut store = store.as_context_mut();
        let mut values = [const { MaybeUninit::<ValRaw>::uninit() }; MOST_VALUES];
        params.into_list().lower(&mut store.0.runtime, &mut values)?;
        // SAFETY: the function's type was found to be `Params -> Results`; each list has at most
        // `MOST_VALUES` values, and `lower` wrote the arguments, of this store.
        unsafe { enter(&mut store, self.func.0, values.as_mut_ptr().cast())? };
        // SAFETY: the function has returned, so the results stand there.
        let list = unsafe { Results::List::lift(&mut store.0.runtime, &values)? };
        Ok(Results::from_list(list))
    }
}

/// Whether a function of type `found` can be called as `Params -> Results`.
pub(super) fn check<Params: WasmParams, Results: WasmResults>(
    engine: &Engine,
    found: &FuncType,
) -> Result<()> {
    let params =
        list(engine, "parameter", Params::List::TYPES, found.params(), |ours, its| ours.matches(its));
    let results =
        list(engine, "result", Results::List::TYPES, found.results(), |ours, its| its.matches(ours));
    params.and(results).map_err(|error| error.context(format!("type mismatch with function of type {found}")))
}

fn list(
    engine: &Engine,
    what: &str,
    ours: &[CoreType],
    its: &[CoreType],
    fits: impl Fn(CoreType, CoreType) -> bool,
) -> Result<()> {
    if ours.len() != its.len() {
        bail!("expected {} {what}s, found {}", ours.len(), its.len());
    }
    for (at, (&ours, &its)) in ours.iter().zip(its).enumerate() {
        if !fits(ours, its) {
            let (ours, its) = (ValType::from_core(engine, ours), ValType::from_core(engine, its));
            bail!("{what} {at}: expected {ours}, found {its}");
        }
    }
    Ok(())
}

impl<Params, Results> Clone for TypedFunc<Params, Results> {
    fn clone(&self) -> Self {
        Self { func: self.func, of: PhantomData }
    }
}

impl<Params, Results> fmt::Debug for TypedFunc<Params, Results> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}
