//! The functions of the runtime that compiled code calls: one row a builtin.
//!
//! A builtin takes `vmctx` and up to five integers and returns [`BuiltinResult`], all by the C
//! convention of the host. Compiled code calls its *stub* (through `VmCtxHeader::builtins`), which
//! records the exit frame, calls the runtime, and abandons the guest when `status` is not 0; so code
//! after the call may take the value as good.

/// How a builtin's argument or value is held in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BuiltinTy {
    /// 32 bits; the upper half is unspecified in arguments, and in the value.
    I32,
    /// 64 bits.
    I64,
}

/// What a builtin returns to its stub: two registers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BuiltinResult {
    /// The value, when `status` is 0.
    pub value: u64,
    /// 0, or 1 when the guest is to be abandoned (the reason is noted in the store).
    pub status: u64,
}

macro_rules! builtins {
    ($($(#[$doc:meta])* $variant:ident $name:ident ( $($arg:ident: $ty:ident),* ) $(-> $ret:ident)?;)*) => {
        /// A function of the runtime that compiled code calls. The number is its place in the array of stubs.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Builtin { $($(#[$doc])* $variant,)* }

        impl Builtin {
            /// Every builtin, in the order of their numbers.
            pub const ALL: &[Builtin] = &[$(Builtin::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($name),)* }
            }

            /// Its arguments after `vmctx`.
            pub fn params(self) -> &'static [BuiltinTy] {
                match self { $(Self::$variant => &[$(BuiltinTy::$ty),*],)* }
            }

            /// Its value, if it has one.
            pub fn result(self) -> Option<BuiltinTy> {
                match self { $(Self::$variant => builtins!(@ret $($ret)?),)* }
            }

            /// Whether its stub gives every register back as it was, so that code that may call it in a loop, but
            /// hardly ever does, need not keep anything in memory for it.
            pub fn keeps_registers(self) -> bool {
                matches!(self, Self::EpochReached | Self::StoppedAtEntry)
            }

            /// Offset of its stub in the array of stubs, in bytes.
            pub fn offset(self) -> i32 {
                self as i32 * size_of::<usize>() as i32
            }
        }

        /// Hands the table to `$then`: one `variant name(arg: ty, …)` a row.
        #[macro_export]
        macro_rules! for_each_builtin {
            ($then:ident) => { $then! { $($variant $name ($($arg: $ty),*);)* } };
        }
    };
    (@ret $ret:ident) => { Some(BuiltinTy::$ret) };
    (@ret) => { None };
}

// Sizes, addresses and indices are zero-extended to 64 bits. A function table's `init` is the funcref,
// a host reference table's the number.
builtins! {
    /// Grows a memory by pages; the old size in pages, or -1.
    MemoryGrow memory_grow(mem: I32, delta: I64) -> I64;
    /// `memory.copy`.
    MemoryCopy memory_copy(dst_mem: I32, src_mem: I32, dst: I64, src: I64, len: I64);
    /// `memory.fill`.
    MemoryFill memory_fill(mem: I32, dst: I64, byte: I32, len: I64);
    /// `memory.init`.
    MemoryInit memory_init(mem: I32, data: I32, dst: I64, src: I64, len: I64);
    /// `data.drop`.
    DataDrop data_drop(data: I32);
    /// Grows a table by elements; the old size, or -1.
    TableGrow table_grow(table: I32, delta: I64, init: I64) -> I64;
    /// `table.fill`.
    TableFill table_fill(table: I32, dst: I64, init: I64, len: I64);
    /// `table.copy`.
    TableCopy table_copy(dst_table: I32, src_table: I32, dst: I64, src: I64, len: I64);
    /// `table.init`.
    TableInit table_init(table: I32, elem: I32, dst: I64, src: I64, len: I64);
    /// `elem.drop`.
    ElemDrop elem_drop(elem: I32);
    /// The epoch's deadline may have come: goes on to a new one if it has, or traps.
    EpochReached epoch_reached();
    /// The stack limit is above the stack pointer where a function begins: the stack is used up, which is a trap, or
    /// the epoch's deadline may have come.
    StoppedAtEntry stopped_at_entry();
    /// The budget of function `func` is used up, at its entry (`place` is [`ENTRY`]) or at the start of the loop
    /// of that number: the address of code that takes over (see `Compiler::compile_loop_entry`), or 0.
    BudgetSpent budget_spent(func: I32, place: I32) -> I64;
    /// Makes the code of the function whose place among those that the module defines is `place`, which is called
    /// for the first time: its address. Only stubs of functions without code call it.
    FirstCall first_call(place: I32) -> I64;
    /// Raises the trap of a code: for code that does not rely on signals. Never returns.
    RaiseTrap raise_trap(code: I32);
}

/// The place of [`Builtin::BudgetSpent`] that is no loop but the function's entry.
pub const ENTRY: u32 = u32::MAX;

/// A function of the host that compiled code calls without a stub, by the C convention and without `vmctx`:
/// it cannot trap and looks at no frame. Its address stands behind the builtins' stubs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum Leaf {
    /// `(dst, src, len)`: moves bytes between addresses of the host that were checked; they may overlap.
    MoveBytes,
    /// `(dst, byte, len)`: fills bytes at an address of the host that was checked.
    FillBytes,
}

impl Leaf {
    /// Every leaf, in the order of their numbers.
    pub const ALL: &[Leaf] = &[Leaf::MoveBytes, Leaf::FillBytes];

    /// Its arguments.
    pub fn params(self) -> &'static [BuiltinTy] {
        match self {
            Self::MoveBytes => &[BuiltinTy::I64, BuiltinTy::I64, BuiltinTy::I64],
            Self::FillBytes => &[BuiltinTy::I64, BuiltinTy::I32, BuiltinTy::I64],
        }
    }

    /// Offset of its address in the array of stubs, in bytes.
    pub fn offset(self) -> i32 {
        (Builtin::ALL.len() as i32 + self as i32) * size_of::<usize>() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_fits_the_six_integer_registers_of_the_host() {
        for builtin in Builtin::ALL {
            assert!(builtin.params().len() <= 5, "{}", builtin.name());
        }
    }
}
