//! Scopes: what the host makes in one is released at its end, unless it was kept.

use crate::addr::{Addr, FuncAddr, GlobalAddr, Handle, HandleError, InstAddr, MemAddr, TableAddr};
use crate::reclaim::Owned;
use crate::store::Store;

/// Something that the host claimed.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claimed {
    Instance(InstAddr),
    Func(FuncAddr),
    Memory(MemAddr),
    Table(TableAddr),
    Global(GlobalAddr),
}

/// A scope that is open.
#[derive(Debug)]
pub(crate) struct OpenScope {
    /// What the host claimed in it.
    claimed: Vec<Claimed>,
    /// The height of the stack of roots when it was opened.
    roots: usize,
}

impl Store {
    /// Opens a scope inside those that are open.
    pub fn open_scope(&mut self) {
        let roots = self.roots.height();
        self.scopes.push(OpenScope { claimed: Vec::new(), roots });
    }

    /// Ends the innermost scope: releases what was claimed in it and not kept, and the roots that were made in it.
    ///
    /// # Panics
    /// When no scope is open.
    pub fn close_scope(&mut self) {
        let scope = self.scopes.pop().expect("a scope is open");
        self.roots.cut(scope.roots);
        for claimed in scope.claimed {
            // What was released by hand in the meantime, or even reclaimed, is no concern of the scope's.
            let _ = match claimed {
                Claimed::Instance(addr) => self.release(self.handle(addr)),
                Claimed::Func(addr) => self.release(self.handle(addr)),
                Claimed::Memory(addr) => self.release(self.handle(addr)),
                Claimed::Table(addr) => self.release(self.handle(addr)),
                Claimed::Global(addr) => self.release(self.handle(addr)),
            };
        }
    }

    /// Lets `handle` outlive the innermost scope; the one around it, if any, takes it over.
    ///
    /// # Errors
    /// [`HandleError`] when the handle is another store's or stale.
    pub fn keep<T: Owned>(&mut self, handle: Handle<T>) -> Result<(), HandleError> {
        self.check(handle)?;
        let claimed = T::claimed(handle.addr);
        let innermost = self.scopes.len().checked_sub(1);
        if let Some(scope) = innermost.map(|at| &mut self.scopes[at])
            && let Some(at) = scope.claimed.iter().rposition(|&other| other == claimed)
        {
            scope.claimed.swap_remove(at);
            if let Some(outer) = innermost.and_then(|at| at.checked_sub(1)) {
                self.scopes[outer].claimed.push(claimed);
            }
        }
        Ok(())
    }

    /// Notes a claim in the innermost scope.
    pub(crate) fn note_in_scope<T: Owned>(&mut self, addr: Addr<T>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.claimed.push(T::claimed(addr));
        }
    }
}
