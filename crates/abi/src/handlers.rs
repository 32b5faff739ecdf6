//! Where an exception goes on, at a return address.

use tenure_types::TagIdx;

/// One clause of a `try_table` around a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handler {
    /// The tag it catches; `None` catches all.
    pub tag: Option<TagIdx>,
    /// Where code goes on, in bytes from the function's start.
    pub target: u32,
}
