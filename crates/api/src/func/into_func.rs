//! Rust closures as host functions.

use super::host;
use super::{Caller, WasmRet, WasmTy};
use crate::{Engine, Result};
use tenure_runtime::HostFunc;

/// A closure that can be a host function: `Fn(A1, …) -> R` or `Fn(Caller<'_, T>, A1, …) -> R`, with up to 17
/// parameters that are [`WasmTy`] and an `R` that is [`WasmRet`].
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    /// The host function.
    #[doc(hidden)]
    fn into_host_func(self, engine: &Engine) -> Result<HostFunc>;
}

macro_rules! closures {
    ($(($($name:ident),*);)*) => {$(
        #[allow(non_snake_case, reason = "parameters are named for their types")]
        impl<T: 'static, F, $($name: WasmTy,)* R: WasmRet> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
        {
            fn into_host_func(self, engine: &Engine) -> Result<HostFunc> {
                host::wrap::<T, ($($name,)*), R, _>(engine, move |_, ($($name,)*): ($($name,)*)| self($($name),*))
            }
        }

        #[allow(non_snake_case, reason = "parameters are named for their types")]
        impl<T: 'static, F, $($name: WasmTy,)* R: WasmRet> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
        {
            fn into_host_func(self, engine: &Engine) -> Result<HostFunc> {
                host::wrap::<T, ($($name,)*), R, _>(
                    engine,
                    move |caller, ($($name,)*): ($($name,)*)| self(caller, $($name),*),
                )
            }
        }
    )*};
}

super::for_each_list!(closures);
