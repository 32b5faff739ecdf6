//! Functions (specification, "Function Instances").

use crate::addr::InstAddr;
use crate::code_space::SigStubs;
use crate::reclaim::{Holder, Work};
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::hash::Hasher;
use std::ptr::NonNull;
use std::sync::Arc;
use tenure_abi::vm::{HostShim, VmCtxHeader, VmFuncRef, VmHostCtx, VmStore};
use tenure_sys::quarantine;
use tenure_types::{FuncIdx, FuncType, TypeId};

/// A function of a store.
pub struct FuncInst {
    pub(crate) funcref: NonNull<VmFuncRef>,
    pub(crate) ty: Arc<FuncType>,
    pub(crate) type_id: TypeId,
    pub(crate) stubs: SigStubs,
    pub(crate) owner: FuncOwner,
}

/// Whose function it is.
pub(crate) enum FuncOwner {
    /// An instance's: its record lies in the instance's context.
    Instance(InstAddr, FuncIdx),
    /// The host's: its record lies in here, and goes with it.
    Host { _record: HostRecord },
}

/// What makes a host function: independent of any store, so that a linker can hold it.
#[derive(Clone)]
pub struct HostFunc {
    /// Its type.
    pub ty: Arc<FuncType>,
    /// Its type's canonical id, in the engine that it is for.
    pub type_id: TypeId,
    /// The stubs of its signature, in that engine.
    pub stubs: SigStubs,
    /// What the exit stub calls.
    pub shim: HostShim,
    /// What the shim finds behind [`VmHostCtx::env`]: the address of the value in the `Arc`.
    pub closure: Arc<dyn Any + Send + Sync>,
}

/// What tells the host functions of a store apart: where the closure lies and who calls it. No other closure lies
/// there as long as the function lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct HostFuncKey {
    closure: usize,
    shim: usize,
}

/// A hasher of host addresses, which no guest chooses.
#[derive(Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_usize(byte.into()));
    }

    fn write_usize(&mut self, word: usize) {
        let mixed = (self.0 ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl HostFunc {
    pub(crate) fn key(&self) -> HostFuncKey {
        HostFuncKey { closure: Arc::as_ptr(&self.closure).addr(), shim: self.shim as usize }
    }
}

/// The records of one host function in one store, and its closure.
pub(crate) struct HostRecord {
    parts: NonNull<Parts>,
    /// Keeps the closure alive that `parts.ctx.env` points at.
    _closure: Arc<dyn Any + Send + Sync>,
}

struct Parts {
    ctx: VmHostCtx,
    funcref: VmFuncRef,
}

impl HostRecord {
    /// Bytes of a host function beside its place in the store's list and its closure.
    pub const SIZE: usize = size_of::<Parts>();

    pub fn new(store: *mut VmStore, func: &HostFunc) -> Self {
        let env = Arc::as_ptr(&func.closure).cast::<c_void>().cast_mut();
        let parts = quarantine::boxed(Parts {
            ctx: VmHostCtx { store, shim: func.shim, env },
            funcref: VmFuncRef {
                slot: func.stubs.exit,
                vmctx: std::ptr::null_mut(),
                type_id: func.type_id.0,
                handle: VmFuncRef::NO_HANDLE,
            },
        });
        // SAFETY: made just before, and nobody else's yet.
        unsafe { (*parts.as_ptr()).funcref.vmctx = (&raw mut (*parts.as_ptr()).ctx).cast::<VmCtxHeader>() };
        Self { parts, _closure: func.closure.clone() }
    }

    pub fn funcref(&self) -> NonNull<VmFuncRef> {
        // SAFETY: `parts` is allocated as long as `self`; only a place is computed.
        NonNull::from(unsafe { &mut (*self.parts.as_ptr()).funcref })
    }
}

impl Drop for HostRecord {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed only here. The closure goes after, with its field.
        unsafe { quarantine::unboxed(self.parts) };
    }
}

impl FuncInst {
    /// Its type.
    pub fn ty(&self) -> &Arc<FuncType> {
        &self.ty
    }

    /// Its type's canonical id.
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// The stubs of its signature.
    pub fn stubs(&self) -> SigStubs {
        self.stubs
    }

    /// Its record, which guests hold pointers to.
    pub fn funcref(&self) -> NonNull<VmFuncRef> {
        self.funcref
    }

    /// The instance that defines it, and its index there; `None` for a host function.
    pub fn defined_in(&self) -> Option<(InstAddr, FuncIdx)> {
        match self.owner {
            FuncOwner::Instance(instance, func) => Some((instance, func)),
            FuncOwner::Host { .. } => None,
        }
    }
}

impl Drop for FuncInst {
    /// Forgets its handle in an instance's record, which may be another instance's next.
    fn drop(&mut self) {
        if let FuncOwner::Instance(..) = self.owner {
            // SAFETY: an instance's functions go before its context, in which the record lies.
            unsafe { (*self.funcref.as_ptr()).handle = VmFuncRef::NO_HANDLE };
        }
    }
}

impl Holder for FuncInst {
    fn trace(&self, work: &mut Work) {
        let Self { funcref: _, ty: _, type_id: _, stubs: _, owner } = self;
        match owner {
            FuncOwner::Instance(instance, _) => work.instances.push(*instance),
            // Handles in a closure hold nothing: they are indices.
            FuncOwner::Host { _record: _ } => work.host_funcs += 1,
        }
    }
}

impl fmt::Debug for FuncInst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuncInst").field("ty", &self.ty).finish_non_exhaustive()
    }
}
