//! Where the values of each type of function travel, kept for as long as the compiler lives.

use std::sync::{Arc, Weak};
use tenure_abi::CallConv;
use tenure_types::FuncType;

/// Conventions by the address of the type, as many as there is room for. Holds the types' allocations, so that no
/// other comes to lie at their addresses, but no type in use.
#[derive(Default)]
pub(crate) struct Conventions {
    rows: Vec<Option<(Weak<FuncType>, Arc<CallConv>)>>,
}

const ROOM: usize = 256;

impl Conventions {
    /// The convention of `ty`.
    pub(crate) fn get(&mut self, ty: &Arc<FuncType>) -> Arc<CallConv> {
        if self.rows.is_empty() {
            self.rows.resize(ROOM, None);
        }
        let row = &mut self.rows[Arc::as_ptr(ty).addr() / 16 % ROOM];
        if let Some((known, conv)) = row
            && known.as_ptr() == Arc::as_ptr(ty)
        {
            return conv.clone();
        }
        let conv = Arc::new(CallConv::new(ty));
        *row = Some((Arc::downgrade(ty), conv.clone()));
        conv
    }
}
