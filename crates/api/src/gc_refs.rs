//! What references can refer to.
//!
//! Of the guests' own data and of exceptions there are only nulls yet: their types stand here so that
//! programs can name every kind of value, and nothing makes one.

use crate::rooted::GcRefImpl;
use crate::{Ref, Val};
use std::convert::Infallible;
use tenure_runtime::Root;

macro_rules! gc_refs {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(Root);

        impl GcRefImpl for $name {
            const NAME: &'static str = stringify!($name);

            fn from_root(root: Root) -> Self {
                Self(root)
            }

            #[inline]
            fn root(&self) -> Root {
                self.0
            }
        }
    )*};
}

gc_refs! {
    /// A value of the host that guests can carry, store and hand back, but not look into.
    ///
    /// Always held by a [`Rooted`](crate::Rooted) or an [`OwnedRooted`](crate::OwnedRooted). The value goes at a
    /// reclamation when no such reference is left and no table or global holds it, or with its store.
    ///
    /// ```
    /// use tenure::{Engine, ExternRef, Instance, Module, Rooted, Store};
    ///
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"
    ///     (module (func (export "same") (param externref) (result externref) local.get 0))
    /// "#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// type MayBeNull = Option<Rooted<ExternRef>>;
    /// let same = instance.get_typed_func::<MayBeNull, MayBeNull>(&mut store, "same")?;
    ///
    /// let value = ExternRef::new(&mut store, vec![1, 2])?;
    /// let back = same.call(&mut store, Some(value))?.unwrap();
    /// let list = back.data_mut(&mut store)?.unwrap().downcast_mut::<Vec<i32>>().unwrap();
    /// list.push(3);
    /// assert_eq!(value.data(&store)?.unwrap().downcast_ref::<Vec<i32>>(), Some(&vec![1, 2, 3]));
    /// # Ok::<(), tenure::Error>(())
    /// ```
    ExternRef;
    /// Data of a guest's own. It needs the gc proposal, which is not supported yet, so that only null is
    /// there.
    AnyRef;
    /// An exception. It needs the exception-handling proposal, which is not supported yet, so that only null
    /// is there.
    ExnRef;
}

/// A continuation. It needs the stack-switching proposal, which is not supported yet, so that only null is
/// there.
#[derive(Clone, Copy, Debug)]
pub struct ContRef(Infallible);

macro_rules! bottoms {
    ($($(#[$doc:meta])* $name:ident $ref_kind:ident $val_kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name(pub(crate) Infallible);

        impl $name {
            /// Null, as the one value of `Option<Self>`.
            #[inline]
            pub fn null() -> Option<Self> {
                None
            }

            /// Null, as a reference.
            #[inline]
            pub fn null_ref() -> Ref {
                Ref::$ref_kind(None)
            }

            /// Null, as a value.
            #[inline]
            pub fn null_val() -> Val {
                Val::$val_kind(None)
            }
        }
    )*};
}

bottoms! {
    /// The type without values below all functions: `Option<NoFunc>` is the Rust side of `nullfuncref`.
    ///
    /// ```
    /// use tenure::{Func, NoFunc, Store, Val};
    ///
    /// let mut store = Store::<()>::default();
    /// let is_null = Func::wrap(&mut store, |func: Option<Func>| i32::from(func.is_none()));
    /// let is_null = is_null.typed::<Option<NoFunc>, i32>(&store)?;
    /// assert_eq!(is_null.call(&mut store, NoFunc::null())?, 1);
    /// # Ok::<(), tenure::Error>(())
    /// ```
    NoFunc Func FuncRef;
    /// The type without values below all host references: `Option<NoExtern>` is the Rust side of
    /// `nullexternref`.
    NoExtern Extern ExternRef;
}
