//! Functions: handles, calls from the host, host functions.
//!
//! ```text
//! Func::call ──────┐                       ┌── Func::new     Fn(Caller, &[Val], &mut [Val])
//! TypedFunc::call ─┴─▶ values ─▶ guest ─▶ shim ─┴── Func::wrap    Fn(Caller, A1, A2, …) -> R
//! ```
//! Both ways values travel in an array of 16-byte cells on the caller's stack.

/// Gives `$macro` the lists of names for none to 17 parameters or results.
macro_rules! for_each_list {
    ($macro:ident) => {
        $macro! {
            ();
            (A1);
            (A1, A2);
            (A1, A2, A3);
            (A1, A2, A3, A4);
            (A1, A2, A3, A4, A5);
            (A1, A2, A3, A4, A5, A6);
            (A1, A2, A3, A4, A5, A6, A7);
            (A1, A2, A3, A4, A5, A6, A7, A8);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16);
            (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17);
        }
    };
}
use for_each_list;

mod caller;
mod host;
mod into_func;
mod typed;
mod wasm_ty;

pub use caller::Caller;
pub use into_func::IntoFunc;
pub use typed::TypedFunc;
pub use wasm_ty::{WasmParams, WasmResults, WasmRet, WasmTy, WasmTyList};

pub(crate) use host::{host_new, host_new_unchecked, host_wrap};

use crate::backtrace::WasmBacktrace;
use crate::limits::grow_error;
use crate::store::StoreInner;
use crate::{AsContext, AsContextMut, Engine, Error, FuncType, Result, StoreContextMut, Val, ValRaw, bail};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use tenure_runtime::{self as runtime, Abandon, FuncInst, GrowError, Handle, HostFunc};

/// A function of a store: a guest's or the host's. A handle: cheap to copy, checked at each use.
///
/// ```
/// use tenure::{Engine, Func, Store};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let double = Func::wrap(&mut store, |x: i32| x * 2);
/// let double = double.typed::<i32, i32>(&store)?;
/// assert_eq!(double.call(&mut store, 21)?, 42);
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Func(pub(crate) Handle<FuncInst>);

/// As many values as an untyped call keeps on the stack.
const INLINE_VALUES: usize = 16;

impl Func {
    /// A host function of type `ty`, called with the guest's context, its arguments and room for results.
    ///
    /// The results are nulls and zeros when `func` gets them.
    ///
    /// # Panics
    /// When [`Func::try_new`] gives an error.
    pub fn new<T: 'static>(
        store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::try_new(store, ty, func).unwrap_or_else(|error| panic!("no such function: {error:#}"))
    }

    /// As [`Func::new`].
    ///
    /// # Errors
    /// When `ty` belongs to another engine, or code memory is full.
    pub fn try_new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let store = store.as_context_mut().0;
        let host = host_new(&store.engine, ty, func)?;
        Ok(Self::from_host(&mut store.runtime, &host))
    }

    /// A host function of type `ty` that gets its arguments unchecked and writes its results over them.
    ///
    /// # Safety
    /// `func` reads the arguments, and writes the results, that `ty` says; references among the results are
    /// of this store.
    ///
    /// # Panics
    /// When `ty` belongs to another engine, or code memory is full.
    pub unsafe fn new_unchecked<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &mut [MaybeUninit<ValRaw>]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let store = store.as_context_mut().0;
        // SAFETY: passed on from the caller.
        let host = unsafe { host_new_unchecked(&store.engine, ty, func) };
        let host = host.unwrap_or_else(|error| panic!("no such function: {error:#}"));
        Self::from_host(&mut store.runtime, &host)
    }

    /// A host function whose type is that of a Rust closure: up to 17 parameters that are [`WasmTy`], an
    /// optional [`Caller`] before them, and a [`WasmRet`].
    ///
    /// # Panics
    /// When [`Func::try_wrap`] gives an error.
    pub fn wrap<T: 'static, Params, Results>(
        store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Self {
        Self::try_wrap(store, func).unwrap_or_else(|error| panic!("no such function: {error:#}"))
    }

    /// As [`Func::wrap`].
    ///
    /// # Errors
    /// When code memory is full, or the engine has too many types.
    pub fn try_wrap<T: 'static, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<Self> {
        let store = store.as_context_mut().0;
        let host = host_wrap(&store.engine, func)?;
        Ok(Self::from_host(&mut store.runtime, &host))
    }

    pub(crate) fn from_host(store: &mut runtime::Store, host: &HostFunc) -> Self {
        Self(store.new_host_func(host))
    }

    /// Its type.
    ///
    /// # Panics
    /// When the function is of another store, or was released.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let store = store.as_context().0;
        FuncType::from_core(&store.engine, self.inst(&store.runtime).type_id())
    }

    /// Whether it can stand where a function of type `ty` is wanted.
    ///
    /// # Panics
    /// When the function is of another store, or was released.
    pub fn matches_ty(&self, store: impl AsContext, ty: &FuncType) -> bool {
        self.ty(store).matches(ty)
    }

    fn inst<'a>(&self, store: &'a runtime::Store) -> &'a FuncInst {
        store.func(self.0).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Calls it with `params` and writes what it returns to `results`.
    ///
    /// # Errors
    /// When the handle is not of this store, a value or the number of values does not fit the type, the
    /// guest traps (a [`Trap`](crate::Trap)), or a host function fails (its error). Errors from inside the
    /// guest carry a [`WasmBacktrace`](crate::WasmBacktrace).
    ///
    /// # Panics
    /// When a host function panics: with its payload, when the guest's frames are gone.
    pub fn call(&self, mut store: impl AsContextMut, params: &[Val], results: &mut [Val]) -> Result<()> {
        let mut store = store.as_context_mut();
        let ty = store.0.runtime.func(self.0)?.ty();
        if params.len() != ty.params().len() {
            bail!("expected {} arguments, got {}", ty.params().len(), params.len());
        }
        if results.len() != ty.results().len() {
            bail!("expected {} results, got {}", ty.results().len(), results.len());
        }
        type Cell = MaybeUninit<tenure_abi::ValRaw>;
        let mut inline = [const { Cell::uninit() }; INLINE_VALUES];
        let mut heap = Vec::new();
        let count = params.len().max(results.len());
        let values = match inline.get_mut(..count) {
            Some(values) => values,
            None => {
                heap.resize(count, Cell::uninit());
                &mut heap[..]
            }
        };
        for (at, (param, &ty)) in params.iter().zip(ty.params()).enumerate() {
            let raw = param.lower(&store.0.runtime, ty);
            values[at].write(raw.map_err(|error| {
                let what = format!("argument {at}: {error:#}");
                error.context(what)
            })?);
        }
        // SAFETY: as many cells as the type's values, with arguments of the type's parameters, whose
        // references `lower` has found to be of this store.
        unsafe { enter(&mut store, self.0, values.as_mut_ptr().cast())? };
        for (at, (result, value)) in results.iter_mut().zip(values).enumerate() {
            // Looked up again, since the store was lent meanwhile; the function is still there.
            let ty = store.0.runtime.func(self.0)?.ty().results()[at];
            // SAFETY: the guest has returned a result of this type there.
            *result = unsafe { Val::lift_from(&mut store.0.runtime, ty, value.assume_init_ref())? };
        }
        Ok(())
    }

    /// Calls it with the arguments in `params_and_returns`, and writes what it returns over them.
    ///
    /// # Errors
    /// As [`Func::call`], but for values that do not fit.
    ///
    /// # Safety
    /// The slice has room for the longer of arguments and results, and starts with arguments of the
    /// function's type, whose references are of this store.
    pub unsafe fn call_unchecked(
        &self,
        mut store: impl AsContextMut,
        params_and_returns: *mut [ValRaw],
    ) -> Result<()> {
        // SAFETY: passed on from the caller; `ValRaw` is the runtime's in other words (`repr(transparent)`).
        unsafe { enter(&mut store.as_context_mut(), self.0, params_and_returns.cast()) }
    }

    /// It as a funcref for [`ValRaw`].
    ///
    /// # Panics
    /// When the function is of another store, or was released.
    pub fn to_raw(&self, mut store: impl AsContextMut) -> *mut c_void {
        self.inst(&store.as_context_mut().0.runtime).funcref().as_ptr().cast()
    }

    /// The function of a funcref; `None` for null.
    ///
    /// # Panics
    /// When code memory is full.
    ///
    /// # Safety
    /// `raw` is null, or came from this store and names a function that was not released since.
    pub unsafe fn from_raw(mut store: impl AsContextMut, raw: *mut c_void) -> Option<Self> {
        // SAFETY: passed on from the caller.
        let func = unsafe { store.as_context_mut().0.runtime.func_of_raw(raw.expose_provenance()) };
        func.unwrap_or_else(|error| panic!("{error}")).map(Self)
    }

    /// It with its type checked once, to be called fast.
    ///
    /// # Errors
    /// When its type is not `Params -> Results`, saying what is expected and found.
    ///
    /// # Panics
    /// When the function is of another store, or was released.
    pub fn typed<Params: WasmParams, Results: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<Params, Results>> {
        let store = store.as_context().0;
        let inst = self.inst(&store.runtime);
        typed::check::<Params, Results>(&store.engine, inst.ty())?;
        // SAFETY: just checked.
        Ok(unsafe { TypedFunc::from_checked(*self) })
    }
}

/// Calls a function with values whose types the caller has checked.
///
/// # Errors
/// As [`Func::call`], but for values that do not fit.
///
/// # Safety
/// `values` has room for the longer of arguments and results and holds arguments of the function's type,
/// whose references are of this store.
#[inline]
pub(crate) unsafe fn enter<T>(
    store: &mut StoreContextMut<'_, T>,
    func: Handle<FuncInst>,
    values: *mut tenure_abi::ValRaw,
) -> Result<()> {
    let inst = store.0.runtime.func(func)?;
    let (funcref, entry) = (inst.funcref(), inst.stubs().entry);
    let whole: *mut StoreInner<T> = &mut *store.0;
    // SAFETY: the pointer is to the whole store, whose first field is the runtime's; it stays exclusively
    // borrowed. The function is alive in this store, and its stub is of its type and engine. The values
    // are the caller's promise.
    let done = unsafe { runtime::call::call(whole.cast(), funcref, entry, values) };
    done.map_err(|why| abandoned(&store.0.engine, why))
}

/// What an abandoned guest is to its caller: an error, or a panic that goes on.
#[cold]
pub(crate) fn abandoned(engine: &Engine, why: Abandon) -> Error {
    match why {
        Abandon::Trap(info) => WasmBacktrace::attach(engine, info.trap.into(), info.backtrace),
        Abandon::Memory(error) => {
            grow_error(GrowError::Os(error)).context("a memory could not be made accessible")
        }
        Abandon::NoCode(why) => Error::new(why),
        Abandon::Host(error) => match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => unreachable!("shims note errors as `Error`"),
        },
        Abandon::Panic(payload) => std::panic::resume_unwind(payload),
    }
}

impl Engine {
    /// What a store needs to know of a function type of this engine: its id and stubs.
    fn host_func_parts(&self, ty: &FuncType) -> Result<(tenure_types::TypeId, runtime::SigStubs)> {
        Ok((ty.to_core(self)?, self.inner().code_space().sig_stubs(ty.as_core())?))
    }
}
