//! The specification's words for each trap.

use tenure::Trap;

/// What the specification's tests call each trap. A trap that they know under several names has several rows.
const WORDS: &[(Trap, &str)] = &[
    (Trap::StackOverflow, "call stack exhausted"),
    (Trap::MemoryOutOfBounds, "out of bounds memory access"),
    (Trap::HeapMisaligned, "unaligned atomic"),
    (Trap::TableOutOfBounds, "out of bounds table access"),
    (Trap::TableOutOfBounds, "undefined element"),
    (Trap::IndirectCallToNull, "uninitialized element"),
    (Trap::BadSignature, "indirect call type mismatch"),
    (Trap::IntegerOverflow, "integer overflow"),
    (Trap::IntegerDivisionByZero, "integer divide by zero"),
    (Trap::BadConversionToInteger, "invalid conversion to integer"),
    (Trap::UnreachableCodeReached, "unreachable"),
    (Trap::AtomicWaitNonSharedMemory, "expected shared memory"),
    (Trap::NullReference, "null reference"),
    (Trap::NullReference, "null function reference"),
    (Trap::NullReference, "null structure reference"),
    (Trap::NullReference, "null array reference"),
    (Trap::NullReference, "null i31 reference"),
    (Trap::NullReference, "null exception reference"),
    (Trap::NullReference, "null descriptor reference"),
    (Trap::ArrayOutOfBounds, "out of bounds array access"),
    (Trap::AllocationTooLarge, "allocation size too large"),
    (Trap::CastFailure, "cast failure"),
    (Trap::CastFailure, "descriptor cast failure"),
];

/// Whether a script that expects the text `expected` means `trap`.
///
/// Scripts shorten the words (`out of bounds`) and add detail to them (`uninitialized element 7`), so that either
/// may be the start of the other.
///
/// ```
/// use tenure::Trap;
/// use tenure_wast::traps::is_meant;
///
/// assert!(is_meant(Trap::MemoryOutOfBounds, "out of bounds"));
/// assert!(is_meant(Trap::IndirectCallToNull, "uninitialized element 7"));
/// assert!(!is_meant(Trap::IntegerOverflow, "integer divide by zero"));
/// ```
pub fn is_meant(trap: Trap, expected: &str) -> bool {
    WORDS
        .iter()
        .any(|&(of, words)| of == trap && (words.starts_with(expected) || expected.starts_with(words)))
}
