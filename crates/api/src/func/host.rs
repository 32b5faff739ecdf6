//! Host functions: the shims that guests call, and what makes them.

use super::{Caller, IntoFunc, WasmRet, WasmTyList};
use crate::backtrace::WasmBacktrace;
use crate::store::StoreInner;
use crate::{Engine, Error, FuncType, Result, StoreContextMut, Val, ValRaw};
use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tenure_abi::vm::{HostShim, VmCtxHeader, VmHostCtx};
use tenure_runtime::{Abandon, Addr, HostFunc};
use tenure_types::FuncType as CoreFuncType;

type Cell = MaybeUninit<tenure_abi::ValRaw>;

/// A host function of a closure's own type.
pub(crate) fn host_wrap<T: 'static, Params, Results>(
    engine: &Engine,
    func: impl IntoFunc<T, Params, Results>,
) -> Result<HostFunc> {
    func.into_host_func(engine)
}

/// A host function of type `params -> results`, for [`IntoFunc`].
pub(super) fn wrap<T, Params, R, F>(engine: &Engine, func: F) -> Result<HostFunc>
where
    T: 'static,
    Params: WasmTyList,
    R: WasmRet,
    F: Fn(Caller<'_, T>, Params) -> R + Send + Sync + 'static,
{
    let ty = FuncType::register(engine, &CoreFuncType::new(Params::TYPES, R::List::TYPES))?;
    build(engine, &ty, typed_shim::<T, Params, R, F>, Arc::new(func))
}

/// A host function of type `ty` that takes and returns [`Val`]s.
pub(crate) fn host_new<T: 'static>(
    engine: &Engine,
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> Result<HostFunc> {
    let core = ty.as_core().clone();
    let unchecked = move |caller: Caller<'_, T>, cells: &mut [Cell]| untyped(caller, &core, &func, cells);
    build(engine, &ty, shim_of::<T, _>(&unchecked), Arc::new(Counted::new(&ty, unchecked)))
}

/// A host function of type `ty` that reads and writes raw values.
///
/// # Safety
/// `func` reads the arguments and writes the results that `ty` says, with references of its store.
pub(crate) unsafe fn host_new_unchecked<T: 'static>(
    engine: &Engine,
    ty: FuncType,
    func: impl Fn(Caller<'_, T>, &mut [MaybeUninit<ValRaw>]) -> Result<()> + Send + Sync + 'static,
) -> Result<HostFunc> {
    let unchecked = move |caller: Caller<'_, T>, cells: &mut [Cell]| {
        // SAFETY: `ValRaw` is the runtime's in other words (`repr(transparent)`).
        let cells = unsafe { &mut *(std::ptr::from_mut(cells) as *mut [MaybeUninit<ValRaw>]) };
        func(caller, cells)
    };
    build(engine, &ty, shim_of::<T, _>(&unchecked), Arc::new(Counted::new(&ty, unchecked)))
}

fn build(
    engine: &Engine,
    ty: &FuncType,
    shim: HostShim,
    closure: Arc<dyn Any + Send + Sync>,
) -> Result<HostFunc> {
    let (type_id, stubs) = engine.host_func_parts(ty)?;
    Ok(HostFunc { ty: ty.as_core().clone(), type_id, stubs, shim, closure })
}

/// A closure that takes cells, and how many it gets.
struct Counted<F> {
    cells: usize,
    func: F,
}

impl<F> Counted<F> {
    fn new(ty: &FuncType, func: F) -> Self {
        let core = ty.as_core();
        Self { cells: core.params().len().max(core.results().len()), func }
    }
}

/// Runs `func` on the arguments in `cells`, and writes its results there.
fn untyped<T: 'static>(
    caller: Caller<'_, T>,
    ty: &CoreFuncType,
    func: &(impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + 'static),
    cells: &mut [Cell],
) -> Result<()> {
    let store = &mut *caller.store.0;
    let mut values = std::mem::take(&mut store.values);
    values.clear();
    for (&ty, cell) in ty.params().iter().zip(&*cells) {
        // SAFETY: the exit stub wrote an argument of the parameter's type for each.
        values.push(unsafe { Val::lift(&mut store.runtime, ty, cell.assume_init())? });
    }
    values.extend(ty.results().iter().map(|&ty| Val::zero(ty)));
    let (params, results) = values.split_at_mut(ty.params().len());
    let caller_again = Caller { store: StoreContextMut(&mut *store), instance: caller.instance };
    func(caller_again, params, results)?;
    for (at, ((&ty, result), cell)) in ty.results().iter().zip(results).zip(cells).enumerate() {
        let raw = result.lower(&store.runtime, ty);
        cell.write(raw.map_err(|error| {
            let what = format!("result {at} of a host function: {error:#}");
            error.context(what)
        })?);
    }
    store.values = values;
    Ok(())
}

/// The shim of closures that take typed parameters. `env` is an `F`.
unsafe extern "C" fn typed_shim<T, Params, R, F>(
    ctx: *mut VmHostCtx,
    caller: *mut VmCtxHeader,
    values: *mut tenure_abi::ValRaw,
) where
    T: 'static,
    Params: WasmTyList,
    R: WasmRet,
    F: Fn(Caller<'_, T>, Params) -> R + Send + Sync + 'static,
{
    // SAFETY: the exit stub passes the function's own context, whose `env` is the closure this shim was made
    // for; its store is a `Store<T>`, since a function can only be put into one of its closure's `T`.
    unsafe {
        run::<T>(ctx, caller, |caller| {
            let cells = cells(values, Params::TYPES.len().max(R::List::TYPES.len()));
            let params = Params::lift(&mut caller.store.0.runtime, cells)?;
            let func = &*(*ctx).env.cast::<F>();
            let again = Caller { store: StoreContextMut(&mut *caller.store.0), instance: caller.instance };
            let results = func(again, params).into_list()?;
            results.lower(&mut caller.store.0.runtime, cells)
        })
    }
}

/// The shim of closures that take cells: `F` is named by an example of it.
fn shim_of<T: 'static, F>(_: &F) -> HostShim
where
    F: Fn(Caller<'_, T>, &mut [Cell]) -> Result<()> + Send + Sync + 'static,
{
    cells_shim::<T, F>
}

/// The shim of closures that take cells. `env` is a `Counted<F>`.
unsafe extern "C" fn cells_shim<T, F>(
    ctx: *mut VmHostCtx,
    caller: *mut VmCtxHeader,
    values: *mut tenure_abi::ValRaw,
) where
    T: 'static,
    F: Fn(Caller<'_, T>, &mut [Cell]) -> Result<()> + Send + Sync + 'static,
{
    // SAFETY: as in `typed_shim`.
    unsafe {
        run::<T>(ctx, caller, |caller| {
            let counted = &*(*ctx).env.cast::<Counted<F>>();
            let again = Caller { store: StoreContextMut(&mut *caller.store.0), instance: caller.instance };
            (counted.func)(again, cells(values, counted.cells))
        })
    }
}

/// The array of an exit stub.
///
/// # Safety
/// `values` points at `count` cells that nothing else uses for `'a`.
unsafe fn cells<'a>(values: *mut tenure_abi::ValRaw, count: usize) -> &'a mut [Cell] {
    // SAFETY: passed on from the caller; a cell may be uninitialized.
    unsafe { std::slice::from_raw_parts_mut(values.cast(), count) }
}

/// Runs a shim's body with its caller. Errors and panics end the guest: they are noted, and this does not return.
///
/// # Safety
/// `ctx` is a live host function's context in a `Store<T>` whose call waits for this to return; `caller` is
/// null or a live context of the same store. The shim has nothing left to drop.
#[inline]
unsafe fn run<T: 'static>(
    ctx: *mut VmHostCtx,
    caller: *mut VmCtxHeader,
    body: impl FnOnce(&mut Caller<'_, T>) -> Result<()>,
) {
    // SAFETY: the call that is active noted the whole store in its context; its type is the caller's promise,
    // and it is lent to host functions until they return.
    let store = unsafe { &mut *(*(*ctx).store).host.cast::<StoreInner<T>>() };
    // SAFETY: a context that is not null is an instance's.
    let instance = (!caller.is_null()).then(|| Addr::of_context(unsafe { (*caller).instance }));
    let roots = store.runtime.open_roots();
    let mut caller = Caller { store: StoreContextMut(store), instance };
    let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut caller)));
    caller.store.0.runtime.close_roots(roots);
    match outcome {
        Ok(Ok(())) => return,
        Ok(Err(error)) => fail(caller.store.0, error),
        Err(payload) => caller.store.0.runtime.abandon(Abandon::Panic(payload)),
    }
    // SAFETY: the guest of this store waits for the shim. The closure and its outcome were used up above, and what
    // else lives here and in the shim are references.
    unsafe { tenure_runtime::unwind(caller.store.0.runtime.vm()) }
}

/// Notes a host function's error, with the guest's backtrace unless it has one from further in.
#[cold]
fn fail<T>(store: &mut StoreInner<T>, error: Error) {
    let trace = store.runtime.config().backtraces.then(|| store.runtime.backtrace());
    let error = WasmBacktrace::attach(&store.engine, error, trace);
    store.runtime.abandon(Abandon::Host(Box::new(error)));
}
