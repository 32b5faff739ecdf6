//! Kinds of things that need proposals which are not there yet.
//!
//! Their names are here, so that programs compile that look at every kind of thing. No value of them exists.

use crate::{AsContext, AsContextMut, Result, TagType, bail};
use std::convert::Infallible;

macro_rules! absent {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name(pub(crate) Infallible);
    )*};
}

absent! {
    /// A tag of exceptions. It needs the exception-handling proposal, so that none exists yet.
    Tag;
    /// A memory that threads share. It needs the threads proposal, so that none exists yet.
    SharedMemory;
    /// The type of an array. It needs the gc proposal, so that none exists yet.
    ArrayType;
    /// The type of a struct. It needs the gc proposal, so that none exists yet.
    StructType;
    /// The type of an exception. It needs the exception-handling proposal, so that none exists yet.
    ExnType;
    /// The type of a continuation. It needs the stack-switching proposal, so that none exists yet.
    ContType;
}

impl Tag {
    /// A tag of type `ty`.
    ///
    /// # Errors
    /// Always: the exception-handling proposal is not there yet.
    pub fn new(_store: impl AsContextMut, _ty: &TagType) -> Result<Self> {
        bail!("a tag needs the exception-handling proposal, which is not supported yet")
    }

    /// Its type.
    pub fn ty(&self, _store: impl AsContext) -> TagType {
        match self.0 {}
    }

    /// Whether `a` and `b` are one tag.
    pub fn eq(a: &Self, _b: &Self, _store: impl AsContext) -> bool {
        match a.0 {}
    }
}
