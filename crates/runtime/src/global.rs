//! Globals (specification, "Global Instances").

use crate::reclaim::{Holder, Work};
use crate::record::Record;
use std::ptr::NonNull;
use std::sync::Arc;
use tenure_abi::ValRaw;
use tenure_abi::vm::VmGlobal;
use tenure_types::{FuncType, GlobalType, RefType, TypeRegistry, ValType};

/// A global.
#[derive(Debug)]
pub struct GlobalInst {
    ty: GlobalType,
    record: Record<VmGlobal>,
    /// Keeps the type of its content in use where no instance's module does.
    pub(crate) type_in_use: Option<Arc<FuncType>>,
}

impl GlobalInst {
    /// A global that holds `value`. Its record goes to `at`, or to an allocation of its own.
    ///
    /// # Safety
    /// `at`, when given, is aligned, writable, and outlives the result.
    pub(crate) unsafe fn new(ty: GlobalType, value: ValRaw, at: Option<NonNull<VmGlobal>>) -> Self {
        let vm = VmGlobal { value };
        let record = match at {
            // SAFETY: the caller vouches for `at`.
            Some(at) => unsafe { Record::in_context(at, vm) },
            None => Record::boxed(vm),
        };
        Self { ty, record, type_in_use: None }
    }

    /// Its type.
    pub fn ty(&self) -> &GlobalType {
        &self.ty
    }

    /// What it holds, raw.
    pub(crate) fn get(&self) -> ValRaw {
        self.record.get().value
    }

    /// Replaces what it holds. Whether it is mutable, and whether the value has its type, is for the caller.
    pub(crate) fn set(&mut self, value: ValRaw) {
        self.record.set(VmGlobal { value });
    }

    /// Moves the record out of its instance's context, which is about to go; its type stays in use.
    pub(crate) fn leave_home(&mut self, types: &TypeRegistry) {
        self.type_in_use = types.named_by(self.ty.content);
        self.record.move_out();
    }

    pub(crate) fn record(&self) -> *mut VmGlobal {
        self.record.as_ptr()
    }
}

impl Holder for GlobalInst {
    fn trace(&self, work: &mut Work) {
        let Self { ty, record, type_in_use: _ } = self;
        work.homeless += usize::from(record.is_boxed());
        if let ValType::Ref(RefType { heap, nullable: _ }) = ty.content {
            let value = record.get().value;
            let raw = if heap.is_func() { value.get_u64() } else { value.get_externref().into() };
            work.reference(heap, raw);
        }
    }
}
