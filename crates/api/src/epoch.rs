//! Deadlines in epochs.

use crate::store::StoreInner;
use crate::{Error, Result, Store, StoreContextMut, Trap, format_err};
use tenure_runtime as runtime;
use tenure_runtime::Abandon;

/// What happens to a guest whose deadline has come.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateDeadline {
    /// It traps with [`Trap::Interrupt`].
    Interrupt,
    /// It goes on; the next deadline is so many epochs from now.
    Continue(u64),
    /// It yields to the executor first. That needs asynchronous calls, which are not there yet: an error.
    Yield(u64),
}

impl<T: 'static> Store<T> {
    /// The deadline is `ticks_beyond_current` epochs from now; saturates.
    ///
    /// Only engines with [`Config::epoch_interruption`](crate::Config::epoch_interruption) look at it, and
    /// there the first deadline is epoch 0: a store that sets none is interrupted at once.
    ///
    /// ```
    /// use tenure::{Config, Engine, Instance, Module, Store, Trap};
    ///
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// store.set_epoch_deadline(1);
    /// let spin = Instance::new(&mut store, &module, &[])?.get_typed_func::<(), ()>(&mut store, "spin")?;
    ///
    /// let clock = engine.clone();
    /// std::thread::spawn(move || clock.increment_epoch());
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) {
        crate::AsContextMut::as_context_mut(self).set_epoch_deadline(ticks_beyond_current);
    }

    /// From now on a guest whose deadline has come traps; this is so at the start.
    pub fn epoch_deadline_trap(&mut self) {
        crate::AsContextMut::as_context_mut(self).epoch_deadline_trap();
    }

    /// From now on `callback` decides about a guest whose deadline has come. Its error is the guest's.
    pub fn epoch_deadline_callback(
        &mut self,
        mut callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
    ) {
        let handler = move |store: *mut runtime::Store| {
            // SAFETY: a handler gets the store as calls are given it: the first field of this store, with the
            // right to use the whole, which is lent until the handler returns.
            let store = unsafe { &mut *store.cast::<StoreInner<T>>() };
            let roots = store.runtime.open_roots();
            let decision = callback(StoreContextMut(store));
            store.runtime.close_roots(roots);
            match decision {
                Ok(UpdateDeadline::Continue(ticks)) => Ok(ticks),
                Ok(UpdateDeadline::Interrupt) => Err(host_error(Error::from(Trap::Interrupt))),
                Ok(UpdateDeadline::Yield(_)) => Err(host_error(format_err!(
                    "an epoch deadline yields, but asynchronous calls are not there yet"
                ))),
                Err(error) => Err(host_error(error)),
            }
        };
        crate::AsContextMut::as_context_mut(self).0.runtime.set_epoch_handler(Some(Box::new(handler)));
    }
}

fn host_error(error: Error) -> Abandon {
    Abandon::Host(Box::new(error))
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// The deadline is `ticks_beyond_current` epochs from now; see [`Store::set_epoch_deadline`].
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) {
        self.0.runtime.set_epoch_deadline(ticks_beyond_current);
    }

    /// From now on a guest whose deadline has come traps.
    pub fn epoch_deadline_trap(&mut self) {
        self.0.runtime.set_epoch_handler(None);
    }
}
