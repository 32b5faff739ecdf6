//! What can be imported and exported.

use crate::{AsContext, ExternType, Func, Global, Memory, SharedMemory, Table, Tag};
use tenure_runtime as runtime;

/// Something that can be imported and exported: a handle of any kind.
///
/// ```
/// use tenure::{Extern, Memory, MemoryType, Store};
///
/// let mut store = Store::<()>::default();
/// let memory = Extern::from(Memory::new(&mut store, MemoryType::new(1, None))?);
/// assert_eq!(memory.ty(&store).unwrap_memory().minimum(), 1);
/// assert!(memory.clone().into_func().is_none());
/// assert!(memory.into_memory().is_some());
/// # Ok::<(), tenure::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A linear memory.
    Memory(Memory),
    /// A linear memory that threads share; none exists yet.
    SharedMemory(SharedMemory),
    /// A tag; none exists yet.
    Tag(Tag),
}

macro_rules! kinds {
    ($($kind:ident $into:ident $what:literal;)*) => {
        impl Extern {
            $(
                #[doc = concat!("The ", $what, ", if it is one.")]
                pub fn $into(self) -> Option<$kind> {
                    match self {
                        Self::$kind(item) => Some(item),
                        _ => None,
                    }
                }
            )*

            /// The handle in the runtime's form.
            pub(crate) fn to_core(&self) -> runtime::Extern {
                match self {
                    $(Self::$kind(item) => runtime::Extern::$kind(item.0),)*
                    Self::SharedMemory(none) => match none.0 {},
                    Self::Tag(none) => match none.0 {},
                }
            }

            /// The handle in the embedder's form.
            pub(crate) fn from_core(item: runtime::Extern) -> Self {
                match item { $(runtime::Extern::$kind(item) => Self::$kind($kind(item)),)* }
            }
        }

        impl Export<'_> {
            $(
                #[doc = concat!("The ", $what, ", if it is one.")]
                pub fn $into(self) -> Option<$kind> {
                    self.item.$into()
                }
            )*
        }

        $(impl From<$kind> for Extern {
            fn from(item: $kind) -> Self {
                Self::$kind(item)
            }
        })*
    };
}

kinds! {
    Func into_func "function";
    Global into_global "global";
    Table into_table "table";
    Memory into_memory "memory";
}

impl Extern {
    /// Its type.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        let store = store.as_context();
        match self {
            Self::Func(func) => func.ty(store).into(),
            Self::Global(global) => global.ty(store).into(),
            Self::Table(table) => table.ty(store).into(),
            Self::Memory(memory) => memory.ty(store).into(),
            Self::SharedMemory(none) => match none.0 {},
            Self::Tag(none) => match none.0 {},
        }
    }

    /// The shared memory, if it is one; none exists yet.
    pub fn into_shared_memory(self) -> Option<SharedMemory> {
        match self {
            Self::SharedMemory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The tag, if it is one; none exists yet.
    pub fn into_tag(self) -> Option<Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            _ => None,
        }
    }
}

/// What an instance exports: a name and an item. See [`Instance::exports`](crate::Instance::exports).
#[derive(Clone, Debug)]
pub struct Export<'instance> {
    name: &'instance str,
    item: Extern,
}

impl<'instance> Export<'instance> {
    pub(crate) fn new(name: &'instance str, item: Extern) -> Self {
        Self { name, item }
    }

    /// Its name.
    pub fn name(&self) -> &'instance str {
        self.name
    }

    /// The item's type.
    ///
    /// # Panics
    /// When it is of another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.item.ty(store)
    }

    /// The shared memory, if it is one; none exists yet.
    pub fn into_shared_memory(self) -> Option<SharedMemory> {
        self.item.into_shared_memory()
    }

    /// The tag, if it is one; none exists yet.
    pub fn into_tag(self) -> Option<Tag> {
        self.item.into_tag()
    }

    /// The item.
    pub fn into_extern(self) -> Extern {
        self.item
    }
}
