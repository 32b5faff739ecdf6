//! What functions without errors do with handles that they cannot use.

use tenure_runtime::HandleError;

/// What `found` has.
///
/// # Panics
/// With the error's message: the caller gave a handle of another store, or of something that was reclaimed.
#[inline]
#[track_caller]
pub(crate) fn expect<T>(found: Result<T, HandleError>) -> T {
    match found {
        Ok(found) => found,
        Err(error) => unusable(error),
    }
}

#[cold]
#[track_caller]
fn unusable(error: HandleError) -> ! {
    panic!("{error}")
}
