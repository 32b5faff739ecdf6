//! Records that compiled code reads: at a fixed address, written through raw pointers only.

use std::ptr::NonNull;
use tenure_sys::quarantine;

/// A record of a memory, table or global: in the context of the instance that defines it, or, for what the
/// host made, in an allocation of its own.
#[derive(Debug)]
pub(crate) struct Record<T: Copy> {
    at: NonNull<T>,
    boxed: bool,
}

impl<T: Copy> Record<T> {
    /// A record of its own.
    pub fn boxed(value: T) -> Self {
        Self { at: quarantine::boxed(value), boxed: true }
    }

    /// The record at `at`, which is written now.
    ///
    /// # Safety
    /// `at` is aligned and writable, and stays allocated as long as the result is used.
    pub unsafe fn in_context(at: NonNull<T>, value: T) -> Self {
        // SAFETY: the caller vouches for `at`.
        unsafe { at.write(value) };
        Self { at, boxed: false }
    }

    /// Moves it to an allocation of its own. Whoever holds its address must be told.
    pub fn move_out(&mut self) {
        *self = Self::boxed(self.get());
    }

    /// Whether it is an allocation of its own.
    pub fn is_boxed(&self) -> bool {
        self.boxed
    }

    /// Where it is.
    pub fn as_ptr(&self) -> *mut T {
        self.at.as_ptr()
    }

    /// What it holds now.
    #[inline]
    pub fn get(&self) -> T {
        // SAFETY: allocated as long as `self` (own box, or by `in_context`'s contract) and initialized at
        // construction; nothing keeps a Rust reference to it, so guests may have written it since.
        unsafe { self.at.read() }
    }

    /// Replaces what it holds.
    #[inline]
    pub fn set(&mut self, value: T) {
        // SAFETY: as in `get`; the store is used by one thread at a time.
        unsafe { self.at.write(value) };
    }
}

impl<T: Copy> Drop for Record<T> {
    fn drop(&mut self) {
        if self.boxed {
            // SAFETY: `boxed` made it, and only this value frees it.
            unsafe { quarantine::unboxed(self.at) };
        }
    }
}
