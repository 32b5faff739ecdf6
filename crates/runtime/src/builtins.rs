//! The bodies of the builtins that compiled code calls.
//!
//! Each row of the table in `abi::builtins` has a function of its name in `bodies`, which sees the store
//! and the instance and says what to return, or why to abandon the guest.

use crate::addr::InstAddr;
use crate::call::{Abandon, TrapInfo};
use crate::limits::{GrowError, LimiterError};
use crate::room::with_limiter;
use crate::store::Store;
use crate::tiers::NoCode;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tenure_abi::builtins::BuiltinResult;
use tenure_abi::vm::VmCtxHeader;
use tenure_abi::{Builtin, Leaf, for_each_builtin};
use tenure_types::Trap;

/// The argument types of the host's convention.
macro_rules! host_type {
    (I32) => {
        u32
    };
    (I64) => {
        u64
    };
}

macro_rules! entries {
    ($($variant:ident $name:ident ($($arg:ident: $ty:ident),*);)*) => {
        /// The address of a builtin's code.
        pub(crate) fn address(builtin: Builtin) -> usize {
            match builtin { $(Builtin::$variant => entries::$name as *const () as usize,)* }
        }

        mod entries {
            use super::*;
            $(
                pub(super) unsafe extern "C" fn $name(
                    vmctx: *mut VmCtxHeader,
                    $($arg: host_type!($ty)),*
                ) -> BuiltinResult {
                    // SAFETY: stubs of builtins are only called by compiled code, with its own context.
                    unsafe {
                        run(vmctx, |store, instance| {
                            bodies::$name(Access::of(store), instance, $($arg),*).map_err(Why::from)
                        })
                    }
                }
            )*
        }
    };
}

for_each_builtin!(entries);

/// The address of a leaf's code.
pub(crate) fn leaf_address(leaf: Leaf) -> usize {
    match leaf {
        Leaf::MoveBytes => leaves::move_bytes as *const () as usize,
        Leaf::FillBytes => leaves::fill_bytes as *const () as usize,
    }
}

mod leaves {
    pub(super) unsafe extern "C" fn move_bytes(dst: *mut u8, src: *const u8, len: usize) {
        // SAFETY: compiled code has checked both ranges against their memories' sizes.
        unsafe { std::ptr::copy(src, dst, len) }
    }

    pub(super) unsafe extern "C" fn fill_bytes(dst: *mut u8, byte: u32, len: usize) {
        // SAFETY: compiled code has checked the range against its memory's size.
        unsafe { std::ptr::write_bytes(dst, byte as u8, len) }
    }
}

/// Runs a body for the instance of `vmctx`.
///
/// # Safety
/// `vmctx` is the context of an instance that is calling, on the thread that runs it.
unsafe fn run(
    vmctx: *mut VmCtxHeader,
    body: impl FnOnce(*mut Store, InstAddr) -> Result<u64, Why>,
) -> BuiltinResult {
    // SAFETY: a live context; its store's context is alive, and `host` is the store.
    let (store, instance) = unsafe {
        let store = (*(*vmctx).store).host.cast::<Store>();
        (store, InstAddr::from_bits((*vmctx).instance))
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| body(store, instance)));
    // SAFETY: the store's active call waits for this to return and lends it; the body is done with it.
    let store = unsafe { &mut *store };
    let why = match outcome {
        Ok(Ok(value)) => return BuiltinResult { value, status: 0 },
        Ok(Err(Why::Trap(trap))) => Abandon::Trap(TrapInfo::capture(store, trap, None)),
        Ok(Err(Why::Abandon(why))) => why,
        Err(payload) => Abandon::Panic(payload),
    };
    store.abandoned = Some(why);
    BuiltinResult { value: 0, status: 1 }
}

/// Why a builtin abandons the guest.
enum Why {
    Trap(Trap),
    Abandon(Abandon),
}

impl From<Trap> for Why {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

impl From<Abandon> for Why {
    fn from(why: Abandon) -> Self {
        Self::Abandon(why)
    }
}

/// How a body gets at the store.
trait Access {
    /// # Safety
    /// `store` is lent to the body that asks, and nothing else uses it as long as the result lives.
    unsafe fn of(store: *mut Store) -> Self;
}

impl Access for &mut Store {
    unsafe fn of(store: *mut Store) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { &mut *store }
    }
}

/// For bodies that lend the store on, with all that the embedding API keeps behind it.
impl Access for *mut Store {
    unsafe fn of(store: *mut Store) -> Self {
        store
    }
}

/// What a growth is to the guest: the old size, or -1. Only the limiter's own error ends it.
fn to_guest(grown: Result<u64, GrowError>) -> Result<u64, LimiterError> {
    match grown {
        Ok(size) => Ok(size),
        Err(GrowError::Limiter(error)) => Err(error),
        Err(_) => Ok(u64::MAX),
    }
}

mod bodies {
    use super::*;
    use crate::addr::{MemAddr, TableAddr};
    use crate::instance::ModuleInst;
    use tenure_types::{ElemIdx, FuncIdx, TableIdx};

    fn inst(store: &Store, instance: InstAddr) -> &ModuleInst {
        store.instances.get(instance).expect("a running instance is alive")
    }

    fn mem(store: &Store, instance: InstAddr, mem: u32) -> MemAddr {
        inst(store, instance).mems[mem as usize]
    }

    fn table(store: &Store, instance: InstAddr, table: u32) -> TableAddr {
        inst(store, instance).tables[table as usize]
    }

    /// The bytes `at..at + len` of something `size` bytes long.
    fn range(at: u64, len: u64, size: usize) -> Result<std::ops::Range<usize>, Trap> {
        let end = at.checked_add(len).filter(|&end| end <= size as u64).ok_or(Trap::MemoryOutOfBounds)?;
        Ok(at as usize..end as usize)
    }

    pub fn memory_grow(store: *mut Store, instance: InstAddr, mem_idx: u32, delta: u64) -> Result<u64, Why> {
        // SAFETY: the store is lent to this body.
        let lent = unsafe { &mut *store };
        lent.pay_for_pages(mem(lent, instance, mem_idx), delta)?;
        // SAFETY: the store is lent to this body, and by it to whoever has the limiter.
        let grown = unsafe {
            with_limiter(store, &mut |store, limiter| {
                let mem = mem(store, instance, mem_idx);
                to_guest(store.grow_memory(mem, delta, limiter))
            })
        };
        grown.map_err(|error| Why::Abandon(Abandon::Host(error)))
    }

    pub fn memory_copy(
        store: &mut Store,
        instance: InstAddr,
        dst_mem: u32,
        src_mem: u32,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.memory_copy_per_byte)?;
        let (dst_mem, src_mem) = (mem(store, instance, dst_mem), mem(store, instance, src_mem));
        let from = range(src, len, store.mem_at(src_mem).bytes())?;
        let to = range(dst, len, store.mem_at(dst_mem).bytes())?;
        if dst_mem == src_mem {
            store.mem_at(dst_mem).data_mut().copy_within(from, to.start);
        } else {
            let bytes = store.mem_at(src_mem).data()[from].as_ptr();
            let target = &mut store.mem_at(dst_mem).data_mut()[to];
            // SAFETY: `len` bytes of one memory and as many of another; nothing moved either since.
            unsafe { std::ptr::copy_nonoverlapping(bytes, target.as_mut_ptr(), target.len()) };
        }
        Ok(0)
    }

    pub fn memory_fill(
        store: &mut Store,
        instance: InstAddr,
        mem_idx: u32,
        dst: u64,
        byte: u32,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.memory_fill_per_byte)?;
        let mem = mem(store, instance, mem_idx);
        let to = range(dst, len, store.mem_at(mem).bytes())?;
        store.mem_at(mem).data_mut()[to].fill(byte as u8);
        Ok(0)
    }

    pub fn memory_init(
        store: &mut Store,
        instance: InstAddr,
        mem_idx: u32,
        data: u32,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.memory_init_per_byte)?;
        let inst = inst(store, instance);
        let (mem, module) = (inst.mems[mem_idx as usize], inst.module.clone());
        let bytes = match inst.dropped_datas[data as usize] {
            true => &[],
            false => module.module().data(&module.module().datas[data as usize]),
        };
        let from = range(src, len, bytes.len())?;
        let to = range(dst, len, store.mem_at(mem).bytes())?;
        store.mem_at(mem).data_mut()[to].copy_from_slice(&bytes[from]);
        Ok(0)
    }

    pub fn data_drop(store: &mut Store, instance: InstAddr, data: u32) -> Result<u64, Trap> {
        let inst = store.instances.get_mut(instance).expect("a running instance is alive");
        inst.dropped_datas[data as usize] = true;
        Ok(0)
    }

    pub fn table_grow(
        store: *mut Store,
        instance: InstAddr,
        table_idx: u32,
        delta: u64,
        init: u64,
    ) -> Result<u64, Why> {
        // SAFETY: the store is lent to this body.
        let lent = unsafe { &mut *store };
        lent.pay_for_elements(table(lent, instance, table_idx), delta)?;
        // SAFETY: as in `memory_grow`.
        let grown = unsafe {
            with_limiter(store, &mut |store, limiter| {
                let table = table(store, instance, table_idx);
                to_guest(store.grow_table(table, delta, init, limiter))
            })
        };
        grown.map_err(|error| Why::Abandon(Abandon::Host(error)))
    }

    pub fn table_fill(
        store: &mut Store,
        instance: InstAddr,
        table_idx: u32,
        dst: u64,
        init: u64,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.table_fill_per_element)?;
        let table = table(store, instance, table_idx);
        if store.fill_table_raw(table, dst, init, len) { Ok(0) } else { Err(Trap::TableOutOfBounds) }
    }

    pub fn table_copy(
        store: &mut Store,
        instance: InstAddr,
        dst_table: u32,
        src_table: u32,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.table_copy_per_element)?;
        let (dst_table, src_table) = (table(store, instance, dst_table), table(store, instance, src_table));
        if store.copy_table_raw(dst_table, dst, src_table, src, len) {
            Ok(0)
        } else {
            Err(Trap::TableOutOfBounds)
        }
    }

    pub fn table_init(
        store: &mut Store,
        instance: InstAddr,
        table_idx: u32,
        elem: u32,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<u64, Trap> {
        store.pay(len, |costs| costs.table_init_per_element)?;
        store.table_init(instance, TableIdx(table_idx), ElemIdx(elem), dst, src, len)?;
        Ok(0)
    }

    pub fn elem_drop(store: &mut Store, instance: InstAddr, elem: u32) -> Result<u64, Trap> {
        store.elem_drop(instance, ElemIdx(elem));
        Ok(0)
    }

    pub fn budget_spent(store: &mut Store, instance: InstAddr, func: u32, place: u32) -> Result<u64, Trap> {
        let module = inst(store, instance).module.clone();
        let code = module.tiers().and_then(|tiers| tiers.budget_spent(&module, FuncIdx(func), place));
        Ok(code.unwrap_or(0) as u64)
    }

    pub fn first_call(store: &mut Store, instance: InstAddr, place: u32) -> Result<u64, Why> {
        let module = inst(store, instance).module.clone();
        let func = module.module().defined_func(place as usize);
        let code = match module.tiers() {
            Some(tiers) => tiers.first_call(&module, func),
            None => Err(NoCode::new(&module, func, "the module has no compiler")),
        };
        Ok(code.map_err(|error| Why::Abandon(Abandon::NoCode(error)))? as u64)
    }

    pub fn stopped_at_entry(store: *mut Store, instance: InstAddr) -> Result<u64, Why> {
        // SAFETY: the store is lent to this body; its guest has left for it, with a return address on top.
        let (sp, lowest) = unsafe {
            let vm = (*store).vm();
            ((*vm).last_exit_sp + size_of::<usize>(), (*vm).lowest)
        };
        if sp < lowest {
            return Err(Trap::StackOverflow.into());
        }
        epoch_reached(store, instance)
    }

    pub fn epoch_reached(store: *mut Store, _: InstAddr) -> Result<u64, Why> {
        // SAFETY: the store is lent to this body, and by it to the handler, one after the other.
        unsafe {
            if !(*store).deadline_has_come() {
                // Somebody stopped the guest for a deadline of before.
                (*store).renew_stack_limit();
                return Ok(0);
            }
            let Some(mut handler) = (*store).epoch_handler.take() else {
                return Err(Trap::Interrupt.into());
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| handler(store)));
            // It may have set another, which stays then.
            (*store).epoch_handler.get_or_insert(handler);
            let ticks = outcome.map_err(|payload| Why::Abandon(Abandon::Panic(payload)))?;
            (*store).set_epoch_deadline(ticks?);
        }
        Ok(0)
    }

    pub fn raise_trap(_: &mut Store, _: InstAddr, code: u32) -> Result<u64, Trap> {
        let trap = u8::try_from(code).ok().and_then(Trap::from_code);
        Err(trap.expect("compilers raise traps of the table"))
    }
}
