//! Why a guest stopped: one row a trap.

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a guest stopped. The numbers are part of the metadata of compiled code and of the C API.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Trap { $($(#[$doc])* $name = $code,)* }

        impl Trap {
            /// Every trap, in the order of their codes.
            pub const ALL: &[Trap] = &[$(Trap::$name,)*];

            /// The trap of `code`, if there is one.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// What happened, in the specification's words.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

// ORDER: trap codes. Names are those embedders know; a code never changes its meaning.
traps! {
    /// The guest used up its stack.
    StackOverflow = 1, "call stack exhausted";
    /// An access outside a memory.
    MemoryOutOfBounds = 2, "out of bounds memory access";
    /// An atomic access to an address that is not aligned.
    HeapMisaligned = 3, "unaligned atomic";
    /// An access outside a table.
    TableOutOfBounds = 4, "undefined element: out of bounds table access";
    /// `call_indirect` of a null element.
    IndirectCallToNull = 5, "uninitialized element";
    /// `call_indirect` of a function of another type.
    BadSignature = 6, "indirect call type mismatch";
    /// `i32.div_s`, `i64.div_s` of the smallest number by -1.
    IntegerOverflow = 7, "integer overflow";
    /// A division by zero.
    IntegerDivisionByZero = 8, "integer divide by zero";
    /// A float that is no integer, or too large for one.
    BadConversionToInteger = 9, "invalid conversion to integer";
    /// `unreachable`.
    UnreachableCodeReached = 10, "wasm `unreachable` instruction executed";
    /// The epoch's deadline passed.
    Interrupt = 11, "interrupt";
    /// The fuel ran out.
    OutOfFuel = 12, "all fuel consumed by WebAssembly";
    /// A use of a null reference.
    NullReference = 13, "null reference";
    /// A failed `ref.cast`.
    CastFailure = 14, "cast failure";
    /// An access outside an array.
    ArrayOutOfBounds = 15, "out of bounds array access";
    /// An allocation larger than the heap can be.
    AllocationTooLarge = 16, "allocation size too large";
    /// A wait on a memory that is not shared.
    AtomicWaitNonSharedMemory = 17, "atomic wait on non-shared memory";
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wasm trap: {}", self.message())
    }
}

impl std::error::Error for Trap {}

#[cfg(test)]
mod tests {
    use super::Trap;

    #[test]
    fn codes_are_dense_from_one_and_go_there_and_back() {
        for (at, &trap) in Trap::ALL.iter().enumerate() {
            assert_eq!(trap as usize, at + 1, "{trap:?}");
            assert_eq!(Trap::from_code(trap as u8), Some(trap));
        }
        assert_eq!(Trap::from_code(0), None);
    }
}
