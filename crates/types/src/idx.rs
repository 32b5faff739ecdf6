//! Indices into a module's index spaces (specification, "Indices"): imports first, then definitions.

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a position in a list.
            #[inline]
            pub fn at(self) -> usize {
                self.0 as usize
            }

            /// The index of position `at`; `None` when it does not fit 32 bits.
            #[inline]
            pub fn new(at: usize) -> Option<Self> {
                u32::try_from(at).ok().map(Self)
            }
        }
    )*};
}

indices! {
    /// A type, by its place in the type section.
    TypeIdx;
    /// A function.
    FuncIdx;
    /// A table.
    TableIdx;
    /// A memory.
    MemIdx;
    /// A global.
    GlobalIdx;
    /// A tag.
    TagIdx;
    /// An element segment.
    ElemIdx;
    /// A data segment.
    DataIdx;
}

/// What an export names, or what an import becomes in its index space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExternIdx {
    /// A function.
    Func(FuncIdx),
    /// A table.
    Table(TableIdx),
    /// A memory.
    Mem(MemIdx),
    /// A global.
    Global(GlobalIdx),
}
