//! The records that compiled code reads and writes.
//!
//! They hold raw pointers and numbers only; who may follow them, and when, is said where they are
//! followed (`runtime`). Offsets are bytes from the record's start.

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize};

/// Where a function's code starts: one a function, shared by every instance of its module.
///
/// A call is one indirect call through the slot, so that publishing better code is one release store.
pub type CodeSlot = AtomicPtr<u8>;

const _: () = assert!(size_of::<CodeSlot>() == 8);

/// What a function may still execute in the baseline tier before it asks for better code, in bytes of
/// WebAssembly: one a function, shared by every instance of its module. Code subtracts without a lock, so
/// that threads may lose each other's counts.
pub type Budget = AtomicI32;

/// What one store shares with every piece of code that runs in it.
#[repr(C)]
#[derive(Debug)]
pub struct VmStore {
    /// What functions hold the stack pointer against where they begin: [`VmStore::lowest`], or [`VmStore::STOP`]
    /// when the guest is to ask the runtime whether it may go on. Any thread may write the latter.
    pub stack_limit: AtomicUsize,
    /// Lowest stack address a guest frame may reach.
    pub lowest: usize,
    /// Frame pointer of the innermost guest frame when it last left for the host.
    pub last_exit_fp: usize,
    /// Where on the stack the address lies to which the host returns: in that frame's function.
    pub last_exit_sp: usize,
    /// Frame pointer of the entry stub of the active call: where a stack walk ends. 0 when no call is active.
    pub entry_fp: usize,
    /// Stack pointer of that entry stub after it saved its registers: where a trap unwinds to.
    pub entry_sp: usize,
    /// Context that last called something that may be of another instance; a host function's caller.
    pub caller: *mut VmCtxHeader,
    /// The embedding API's part of the store; the runtime never follows it.
    pub host: *mut c_void,
    /// Address of the stub that abandons guest frames and returns a status to the entry's caller.
    pub unwind: usize,
    /// Address of the stub where a thread goes on after a fault in guest code.
    pub after_fault: usize,
    /// Fuel that is left, of the part that is counted down; below 0 when more was used. Only code that was compiled
    /// to counts.
    pub fuel: i64,
    /// Executable range of the engine, for the fault handler: first address.
    pub code_start: usize,
    /// Executable range of the engine, for the fault handler: one past the last address.
    pub code_end: usize,
    /// What the fault handler saw, for who resumes after it.
    pub fault: VmFault,
}

/// A fault in guest code, noted by the signal handler.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct VmFault {
    /// Address of the instruction; 0 when nothing is noted.
    pub pc: usize,
    /// Frame pointer there.
    pub fp: usize,
    /// Address that was accessed, or 0.
    pub addr: usize,
}

impl VmStore {
    /// The stack limit that is above every stack: loops look for it, and every check at a function's start fails.
    pub const STOP: usize = usize::MAX;

    /// The context of no store.
    pub const fn new() -> Self {
        Self {
            stack_limit: AtomicUsize::new(0),
            lowest: 0,
            last_exit_fp: 0,
            last_exit_sp: 0,
            entry_fp: 0,
            entry_sp: 0,
            caller: std::ptr::null_mut(),
            host: std::ptr::null_mut(),
            unwind: 0,
            after_fault: 0,
            fuel: 0,
            code_start: 0,
            code_end: 0,
            fault: VmFault { pc: 0, fp: 0, addr: 0 },
        }
    }

    /// Offset of [`VmStore::stack_limit`].
    pub const STACK_LIMIT: i32 = offset_of!(VmStore, stack_limit) as i32;
    /// Offset of [`VmStore::lowest`].
    pub const LOWEST: i32 = offset_of!(VmStore, lowest) as i32;
    /// Offset of [`VmStore::last_exit_fp`].
    pub const LAST_EXIT_FP: i32 = offset_of!(VmStore, last_exit_fp) as i32;
    /// Offset of [`VmStore::last_exit_sp`].
    pub const LAST_EXIT_SP: i32 = offset_of!(VmStore, last_exit_sp) as i32;
    /// Offset of [`VmStore::entry_fp`].
    pub const ENTRY_FP: i32 = offset_of!(VmStore, entry_fp) as i32;
    /// Offset of [`VmStore::entry_sp`].
    pub const ENTRY_SP: i32 = offset_of!(VmStore, entry_sp) as i32;
    /// Offset of [`VmStore::caller`].
    pub const CALLER: i32 = offset_of!(VmStore, caller) as i32;
    /// Offset of [`VmStore::fuel`].
    pub const FUEL: i32 = offset_of!(VmStore, fuel) as i32;
    /// Offset of [`VmStore::unwind`].
    pub const UNWIND: i32 = offset_of!(VmStore, unwind) as i32;
}

impl Default for VmStore {
    fn default() -> Self {
        Self::new()
    }
}

/// The start of every context: what `vmctx`, the first argument of every function, points at.
///
/// Behind it follow the instance's records, laid out by [`CtxLayout`](crate::CtxLayout).
#[repr(C)]
#[derive(Debug)]
pub struct VmCtxHeader {
    /// The store's context. First, because host functions' contexts start with it too.
    pub store: *mut VmStore,
    /// Stubs of the runtime's functions, indexed by [`Builtin`](crate::Builtin).
    pub builtins: *const usize,
    /// Canonical ids of the module's types, by type index.
    pub type_ids: *const u32,
    /// The instance's address in its store, opaque to compiled code.
    pub instance: u64,
}

impl VmCtxHeader {
    /// Offset of [`VmCtxHeader::store`].
    pub const STORE: i32 = offset_of!(VmCtxHeader, store) as i32;
    /// Offset of [`VmCtxHeader::builtins`].
    pub const BUILTINS: i32 = offset_of!(VmCtxHeader, builtins) as i32;
    /// Offset of [`VmCtxHeader::type_ids`].
    pub const TYPE_IDS: i32 = offset_of!(VmCtxHeader, type_ids) as i32;
}

/// The context of a host function, passed as its `vmctx`.
#[repr(C)]
#[derive(Debug)]
pub struct VmHostCtx {
    /// The store's context, at the place where an instance's context has it.
    pub store: *mut VmStore,
    /// What the exit stub calls, or jumps to.
    pub shim: HostShim,
    /// The closure, for the shim alone.
    pub env: *mut c_void,
}

/// The host's side of a host function: reads arguments from the array, writes results over them.
///
/// Gets the function's own context and the caller's. Returns when the guest is to go on; when it is to be
/// abandoned (trap, error, panic: noted in the store) it goes to the stub at [`VmStore::unwind`] instead.
/// No panic ever leaves it.
pub type HostShim =
    unsafe extern "C" fn(ctx: *mut VmHostCtx, caller: *mut VmCtxHeader, values: *mut crate::ValRaw);

impl VmHostCtx {
    /// Offset of [`VmHostCtx::store`].
    pub const STORE: i32 = offset_of!(VmHostCtx, store) as i32;
    /// Offset of [`VmHostCtx::shim`].
    pub const SHIM: i32 = offset_of!(VmHostCtx, shim) as i32;
}

const _: () = assert!(VmHostCtx::STORE == VmCtxHeader::STORE, "stubs find the store the same way in both");

/// One linear memory, as compiled code sees it.
///
/// Lives in the context of the instance that defines it; importers hold a pointer to it, so moving
/// the bytes takes one store to `base`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmMem {
    /// First byte. Never null, even when `bytes` is 0.
    pub base: *mut u8,
    /// Current size in bytes, not pages. Never shrinks.
    pub bytes: usize,
}

impl VmMem {
    /// Offset of [`VmMem::base`].
    pub const BASE: i32 = offset_of!(VmMem, base) as i32;
    /// Offset of [`VmMem::bytes`].
    pub const BYTES: i32 = offset_of!(VmMem, bytes) as i32;
}

/// One table, as compiled code sees it.
///
/// An element of a function table is a pointer to a [`VmFuncRef`] (8 bytes, null is 0); of a host
/// reference table its number (4 bytes, null is 0).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmTable {
    /// First element. Never null, even when the table is empty.
    pub base: *mut u8,
    /// Elements, not bytes.
    pub len: usize,
}

impl VmTable {
    /// Offset of [`VmTable::base`].
    pub const BASE: i32 = offset_of!(VmTable, base) as i32;
    /// Offset of [`VmTable::len`].
    pub const LEN: i32 = offset_of!(VmTable, len) as i32;
}

/// One global: its value, laid out as a [`ValRaw`](crate::ValRaw).
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default)]
pub struct VmGlobal {
    /// The value.
    pub value: crate::ValRaw,
}

/// A function as a value.
///
/// One a function and instance, at a fixed address while the function lives: equal functions, equal pointers.
#[repr(C)]
#[derive(Debug)]
pub struct VmFuncRef {
    /// Where the code starts.
    pub slot: *const CodeSlot,
    /// What the code takes as its first argument: a [`VmCtxHeader`] or a [`VmHostCtx`].
    pub vmctx: *mut VmCtxHeader,
    /// Canonical id of the function's type.
    pub type_id: u32,
    /// Slot of the function's entry in its store; [`VmFuncRef::NO_HANDLE`] until a handle was made.
    pub handle: u32,
}

impl VmFuncRef {
    /// Offset of [`VmFuncRef::slot`].
    pub const SLOT: i32 = offset_of!(VmFuncRef, slot) as i32;
    /// Offset of [`VmFuncRef::vmctx`].
    pub const VMCTX: i32 = offset_of!(VmFuncRef, vmctx) as i32;
    /// Offset of [`VmFuncRef::type_id`].
    pub const TYPE_ID: i32 = offset_of!(VmFuncRef, type_id) as i32;
    /// No handle has been made for this function yet.
    pub const NO_HANDLE: u32 = u32::MAX;
}

/// An imported function, in the context of the instance that imports it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VmImport {
    /// The function's code slot, copied out of its record.
    pub slot: *const CodeSlot,
    /// The function's context, copied out of its record.
    pub vmctx: *mut VmCtxHeader,
    /// The record itself, for `ref.func`.
    pub funcref: *mut VmFuncRef,
}

impl VmImport {
    /// Offset of [`VmImport::slot`].
    pub const SLOT: i32 = offset_of!(VmImport, slot) as i32;
    /// Offset of [`VmImport::vmctx`].
    pub const VMCTX: i32 = offset_of!(VmImport, vmctx) as i32;
    /// Offset of [`VmImport::funcref`].
    pub const FUNCREF: i32 = offset_of!(VmImport, funcref) as i32;
}

const _: () = {
    assert!(size_of::<VmMem>() == 16);
    assert!(size_of::<VmTable>() == 16);
    assert!(size_of::<VmGlobal>() == 16);
    assert!(size_of::<VmFuncRef>() == 24);
    assert!(size_of::<VmImport>() == 24);
};
