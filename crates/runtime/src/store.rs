//! The store: the only owner of everything in it.

use crate::addr::{Addr, FuncAddr, GlobalAddr, Handle, HandleError, InstAddr, MemAddr, StoreId, TableAddr};
use crate::arena::Arena;
use crate::call::{Abandon, Activation};
use crate::code_space::{CodeSpace, LoadError};
use crate::epochs::{Epochs, Place};
use crate::externs::{Externs, HostValue};
use crate::func::{AddressHasher, FuncInst, FuncOwner, HostFunc, HostFuncKey, HostRecord};
use crate::global::GlobalInst;
use crate::imports::Extern;
use crate::instance::ModuleInst;
use crate::limits::{LimitError, Limits, within};
use crate::memory::MemInst;
use crate::reclaim::Panics;
use crate::room::LimiterSource;
use crate::roots::{Root, Roots};
use crate::scope::OpenScope;
use crate::spare::SpareLists;
use crate::table::TableInst;
use crate::usage::Weight;
use std::any::Any;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tenure_abi::ValRaw;
use tenure_abi::vm::{VmFault, VmFuncRef, VmStore};
use tenure_code::Tunables;
use tenure_sys::quarantine;
use tenure_types::{ExternIdx, FuncIdx, GlobalType, TypeId, TypeRegistry};

/// What the stores of an engine have in common.
pub struct StoreConfig {
    /// The engine's code memory.
    pub space: Arc<CodeSpace>,
    /// The engine's types.
    pub types: Arc<TypeRegistry>,
    /// Bytes of stack that guest frames may use, from the outermost call on.
    pub max_wasm_stack: usize,
    /// Whether traps and errors carry the guest's backtrace.
    pub backtraces: bool,
    /// The engine's epoch, and who watches it.
    pub epochs: Arc<Epochs>,
    /// How memories that the host makes are reserved, and whether faults stand for traps.
    pub tunables: Tunables,
    /// Room for long lists.
    pub spare: SpareLists,
}

/// Owns instances, functions, tables, memories, globals and host references. Nothing in it is counted:
/// a handle names a place, and each use is checked.
pub struct Store {
    id: StoreId,
    vm: NonNull<VmStore>,
    pub(crate) config: Arc<StoreConfig>,
    /// Bytes of stack that guests may use in one call from the host, by the configuration and the limits: at hand, since
    /// each call asks.
    pub(crate) stack_bytes: usize,
    pub(crate) instances: Arena<ModuleInst>,
    pub(crate) funcs: Arena<FuncInst>,
    pub(crate) tables: Arena<TableInst>,
    pub(crate) mems: Arena<MemInst>,
    /// The first of the memories that are to be made ready before a guest is entered; each names the next.
    pub(crate) unready: Option<MemAddr>,
    pub(crate) globals: Arena<GlobalInst>,
    pub(crate) externs: Externs,
    /// Which of these the host holds.
    pub(crate) roots: Roots,
    /// What it may hold, and who else is asked.
    pub(crate) limits: Limits,
    pub(crate) limiter_source: Option<LimiterSource>,
    /// What it holds.
    pub(crate) held: Weight,
    /// Host functions that were taken in by [`Store::link_host_func`], by what tells them apart.
    linked: HashMap<HostFuncKey, FuncAddr, BuildHasherDefault<AddressHasher>>,
    /// The calls that the active call was made from, innermost first; null when it is the outermost.
    pub(crate) outer: *const Activation,
    /// Where the store is among those that watch the epoch, if its guests are compiled to.
    place: Option<Place>,
    /// What is asked when the deadline has come; without it that is a trap.
    pub(crate) epoch_handler: Option<EpochHandler>,
    /// Fuel beyond what compiled code counts down.
    pub(crate) fuel_reserve: u64,
    /// How often a guest was entered.
    pub(crate) entries: u64,
    /// Claims that were given up since the last reclamation.
    pub(crate) released: usize,
    /// How much was alive after it.
    pub(crate) lived: usize,
    /// What the host claimed in each open scope, innermost last.
    pub(crate) scopes: Vec<OpenScope>,
    /// Whether it happens by itself.
    pub(crate) reclaims_itself: bool,
    /// Why the guest is being abandoned, between the reason and the entry's caller.
    pub(crate) abandoned: Option<Abandon>,
}

// SAFETY: the raw pointers lead to allocations that the store owns (its context, its instances' contexts and
// host functions' records) or that outlive it (code memory and the place of a context, held by `config`); none
// is bound to a thread.
// `outer` is null whenever the store can be moved, since a call borrows it. Closures and host references
// are `Send + Sync`; a noted reason is `Send`.
unsafe impl Send for Store {}
// SAFETY: with a shared borrow the store is only read, and guests run only with an exclusive one.
unsafe impl Sync for Store {}

impl Store {
    /// An empty store.
    #[inline]
    pub fn new(config: Arc<StoreConfig>) -> Self {
        let space = &config.space;
        let (code_start, code_end) = space.code_range();
        let (place, vm) = match config.tunables.epochs {
            true => {
                let (place, vm) = config.epochs.take();
                (Some(place), vm)
            }
            false => (None, quarantine::boxed(VmStore::new())),
        };
        // SAFETY: nobody else has the place by now. Another thread may be stopping the store that had it before:
        // that writes the limit, which is left as it is.
        unsafe {
            let vm = vm.as_ptr();
            (*vm).entry_fp = 0;
            (*vm).host = std::ptr::null_mut();
            (*vm).unwind = space.unwind();
            (*vm).after_fault = space.fault();
            (*vm).fuel = 0;
            (*vm).code_start = code_start;
            (*vm).code_end = code_end;
            (*vm).fault = VmFault::default();
        }
        let limits = Limits::default();
        Self {
            id: StoreId::next(),
            vm,
            place,
            stack_bytes: limits.stack_within(config.max_wasm_stack),
            config,
            instances: Arena::default(),
            funcs: Arena::default(),
            tables: Arena::default(),
            mems: Arena::default(),
            unready: None,
            globals: Arena::default(),
            externs: Externs::default(),
            roots: Roots::default(),
            limits,
            limiter_source: None,
            held: Weight::default(),
            linked: HashMap::default(),
            outer: std::ptr::null(),
            scopes: Vec::new(),
            epoch_handler: None,
            fuel_reserve: 0,
            entries: 0,
            released: 0,
            lived: 0,
            reclaims_itself: true,
            abandoned: None,
        }
    }

    /// Its id.
    #[inline]
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// What it has in common with the engine's other stores.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The engine's code memory.
    pub fn space(&self) -> &Arc<CodeSpace> {
        &self.config.space
    }

    /// The engine's types.
    pub fn types(&self) -> &Arc<TypeRegistry> {
        &self.config.types
    }

    /// What the store shares with compiled code.
    #[inline]
    pub fn vm(&self) -> *mut VmStore {
        self.vm.as_ptr()
    }

    /// The handle of `addr`.
    #[inline]
    pub fn handle<T>(&self, addr: Addr<T>) -> Handle<T> {
        Handle { store: self.id, addr }
    }
}

/// Looking handles up. Each checks store, slot and generation.
macro_rules! lookups {
    ($($what:literal, $list:ident: $get:ident $get_mut:ident $ty:ty;)*) => {
        impl Store {$(
            #[doc = concat!("The ", $what, " behind a handle.\n\n# Errors\n[`HandleError`] for another store's, or one that was reclaimed.")]
            #[inline]
            pub fn $get(&self, handle: Handle<$ty>) -> Result<&$ty, HandleError> {
                if handle.store != self.id {
                    return Err(HandleError::WrongStore { what: $what });
                }
                self.$list.get(handle.addr).ok_or(HandleError::Reclaimed { what: $what })
            }

            #[doc = concat!("The ", $what, " behind a handle, to change.\n\n# Errors\n[`HandleError`] for another store's, or one that was reclaimed.")]
            #[inline]
            pub fn $get_mut(&mut self, handle: Handle<$ty>) -> Result<&mut $ty, HandleError> {
                if handle.store != self.id {
                    return Err(HandleError::WrongStore { what: $what });
                }
                self.$list.get_mut(handle.addr).ok_or(HandleError::Reclaimed { what: $what })
            }
        )*}
    };
}

lookups! {
    "instance", instances: instance instance_mut ModuleInst;
    "function", funcs: func func_mut FuncInst;
    "table", tables: table table_mut TableInst;
    "memory", mems: memory memory_mut MemInst;
    "global", globals: global global_mut GlobalInst;
}

/// Decides what happens when the epoch's deadline has come: how many epochs on the next one is, or why the
/// guest is to be abandoned. Gets the store as [`call`](crate::call::call) was given it.
pub type EpochHandler = Box<dyn FnMut(*mut Store) -> Result<u64, Abandon> + Send + Sync>;

/// Epochs.
impl Store {
    /// The deadline is `ticks` epochs from now; saturates.
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        let Some(place) = self.place else { return };
        let epochs = &self.config.epochs;
        epochs.deadline(place).store(epochs.now().saturating_add(ticks), Ordering::SeqCst);
        self.renew_stack_limit();
    }

    /// Whether it has come, if guests are compiled to look.
    pub(crate) fn deadline_has_come(&self) -> bool {
        let epochs = &self.config.epochs;
        self.place.is_some_and(|place| epochs.now() >= epochs.deadline(place).load(Ordering::SeqCst))
    }

    /// Makes the stack limit what it is by the stack and the deadline, which may just have changed.
    pub(crate) fn renew_stack_limit(&self) {
        // SAFETY: the store's own context.
        unsafe { self.limit_stack(self.vm(), (*self.vm()).lowest) };
    }

    /// As [`Store::renew_stack_limit`], with what the caller knows.
    ///
    /// # Safety
    /// `vm` is the store's context.
    #[inline]
    pub(crate) unsafe fn limit_stack(&self, vm: *mut VmStore, lowest: usize) {
        // SAFETY: the caller vouches for `vm`, of which others use only the limit.
        let limit = unsafe { &(*vm).stack_limit };
        if self.place.is_none() {
            return limit.store(lowest, Ordering::Relaxed);
        }
        // Whoever advances the epoch after this looked stops the guest; before, this does.
        limit.store(lowest, Ordering::SeqCst);
        if self.deadline_has_come() {
            limit.store(VmStore::STOP, Ordering::SeqCst);
        }
    }

    /// Sets who decides when the deadline has come; without a handler that is a trap.
    pub fn set_epoch_handler(&mut self, handler: Option<EpochHandler>) {
        self.epoch_handler = handler;
    }
}

/// Fuel: what compiled code counts down.
impl Store {
    pub(crate) fn fuel_counter(&self) -> i64 {
        // SAFETY: the store's own context; no guest of it runs meanwhile.
        unsafe { (*self.vm()).fuel }
    }

    pub(crate) fn set_fuel_counter(&mut self, fuel: i64) {
        // SAFETY: as above.
        unsafe { (*self.vm()).fuel = fuel };
    }
}

/// Making things that no instance defines.
impl Store {
    /// A host function, which the host holds.
    pub fn new_host_func(&mut self, func: &HostFunc) -> Handle<FuncInst> {
        let addr = self.take_host_func(func);
        self.claim(addr);
        self.handle(addr)
    }

    /// A host function that the host does not hold: it lives as long as instances that import it. Taken in once
    /// only while it lives: for linkers, which give theirs to each instance.
    pub fn link_host_func(&mut self, func: &HostFunc) -> Handle<FuncInst> {
        let key = func.key();
        // A function that was reclaimed since may have had the same key; its address tells.
        if let Some(&addr) = self.linked.get(&key)
            && self.funcs.get(addr).is_some()
        {
            return self.handle(addr);
        }
        let addr = self.take_host_func(func);
        self.linked.insert(key, addr);
        self.handle(addr)
    }

    /// As [`Store::link_host_func`], for when the handle is given to the host, which holds the function then.
    pub fn hold_host_func(&mut self, func: &HostFunc) -> Handle<FuncInst> {
        let handle = self.link_host_func(func);
        if !self.funcs.is_claimed(handle.addr) {
            self.claim(handle.addr);
        }
        handle
    }

    /// Makes room for so many functions that are about to be linked.
    pub fn reserve_links(&mut self, additional: usize) {
        self.linked.reserve(additional);
        self.funcs.reserve(additional);
    }

    /// Forgets which linked functions were reclaimed.
    pub(crate) fn forget_reclaimed_links(&mut self) {
        let funcs = &self.funcs;
        self.linked.retain(|_, addr| funcs.get(*addr).is_some());
    }

    /// A global that holds `value`, which has the type's content.
    pub fn new_global(&mut self, ty: GlobalType, value: ValRaw) -> Handle<GlobalInst> {
        // SAFETY: no place is given.
        let mut global = unsafe { GlobalInst::new(ty, value, None) };
        global.type_in_use = self.types().named_by(ty.content);
        let addr = self.globals.insert(global);
        self.claim(addr);
        self.handle(addr)
    }

    /// Takes a host value in, held until the innermost scope ends.
    ///
    /// # Errors
    /// [`LimitError`] when the store may not hold more of them; a limit beyond 2^32 - 1 is one of that.
    pub fn new_extern(&mut self, value: HostValue) -> Result<Root, LimitError> {
        let bound = self.limits.host_references.min(u32::MAX.into());
        if self.externs.len() as u64 >= bound && self.reclaims_itself {
            self.reclaim();
        }
        within("host_references", bound, self.externs.len() as u64 + 1)?;
        let number = self.externs.insert(value).expect("fewer than 2^32 - 1 were given out");
        let root = self.roots.hold(self.id, number);
        self.reclaim_if_due();
        Ok(root)
    }

    /// The host value of `number`, held until the innermost scope ends; `None` for 0, which is null, and for
    /// numbers of nothing.
    #[inline]
    pub fn root(&mut self, number: u32) -> Option<Root> {
        self.externs.get(number)?;
        Some(self.roots.hold(self.id, number))
    }

    /// What `root` holds, held as long as the token, or a copy of it, is there.
    ///
    /// # Errors
    /// As [`Store::number_of`].
    pub fn own_root(&mut self, root: Root) -> Result<(Root, Arc<()>), HandleError> {
        let number = self.number_of(root)?;
        Ok(self.roots.own(self.id, number))
    }

    /// The number, never 0, of the host value that `root` holds.
    ///
    /// # Errors
    /// [`HandleError`] when the root is another store's, or its scope has ended.
    #[inline]
    pub fn number_of(&self, root: Root) -> Result<u32, HandleError> {
        self.roots.find(self.id, root)
    }

    /// Begins a scope of roots: what [`Store::close_roots`] is to be given.
    #[inline]
    pub fn open_roots(&self) -> usize {
        self.roots.height()
    }

    /// Ends the roots that were made since [`Store::open_roots`] returned `height`.
    #[inline]
    pub fn close_roots(&mut self, height: usize) {
        self.roots.cut(height);
    }

    /// How many host values there are, and their bytes.
    pub(crate) fn externs_held(&self) -> (usize, usize) {
        (self.externs.len(), self.externs.footprint())
    }

    /// Makes room for `additional` more host values.
    pub fn reserve_externs(&mut self, additional: usize) {
        self.externs.reserve(additional);
    }

    /// The host value of `number`.
    pub fn extern_value(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.externs.get(number)
    }

    /// The host value of `number`, to change.
    pub fn extern_value_mut(&mut self, number: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.externs.get_mut(number)
    }

    fn take_host_func(&mut self, func: &HostFunc) -> FuncAddr {
        let record = HostRecord::new(self.vm(), func);
        self.add_func(FuncInst {
            funcref: record.funcref(),
            ty: func.ty.clone(),
            type_id: func.type_id,
            stubs: func.stubs,
            owner: FuncOwner::Host { _record: record },
        })
    }

    /// Takes a function in and notes its address in its record.
    fn add_func(&mut self, func: FuncInst) -> FuncAddr {
        let funcref = func.funcref;
        self.held += func.weight();
        self.funcs.make_room(&self.config.spare.funcs);
        let addr = self.funcs.insert(func);
        // SAFETY: the record lives as long as the function: in its own allocation, or in the context of an
        // instance of this store.
        unsafe { (*funcref.as_ptr()).handle = addr.slot };
        addr
    }
}

/// Functions as values.
impl Store {
    /// The function of a funcref that a guest of this store gave; `None` for null.
    ///
    /// # Errors
    /// [`LoadError`] when its stubs cannot be made.
    ///
    /// # Safety
    /// `raw` is 0 or the address of a live record of this store.
    pub unsafe fn func_of_raw(&mut self, raw: usize) -> Result<Option<Handle<FuncInst>>, LoadError> {
        let Some(funcref) = NonNull::new(std::ptr::with_exposed_provenance_mut::<VmFuncRef>(raw)) else {
            return Ok(None);
        };
        // SAFETY: the caller vouches for the record.
        let (handle, vmctx) = unsafe { ((*funcref.as_ptr()).handle, (*funcref.as_ptr()).vmctx) };
        if handle != VmFuncRef::NO_HANDLE
            && let Some(addr) = self.funcs.addr_of_slot(handle)
        {
            return Ok(Some(self.handle(addr)));
        }
        // Only an instance's functions come without a handle: a host function gets its own when it is made.
        // SAFETY: the record's context is live and an instance's.
        let instance = InstAddr::from_bits(unsafe { (*vmctx).instance });
        let func = self
            .index_of(instance, funcref)
            .expect("a funcref without a handle lies in its instance's context");
        self.func_of(instance, func).map(|addr| Some(self.handle(addr)))
    }

    /// Which function of `instance` has its record at `funcref`.
    fn index_of(&self, instance: InstAddr, funcref: NonNull<VmFuncRef>) -> Option<FuncIdx> {
        let instance = self.instances.get(instance)?;
        let module = instance.module.module();
        if module.escaping.is_empty() {
            return None;
        }
        let first = instance.ctx.own_funcref(instance.module.layout(), 0);
        let escape =
            (funcref.as_ptr() as usize).checked_sub(first.as_ptr() as usize)? / size_of::<VmFuncRef>();
        module.escaping.get(escape).copied()
    }

    /// The function `func` of `instance`.
    ///
    /// # Errors
    /// [`LoadError`] when its stubs cannot be made.
    ///
    /// # Panics
    /// When there is no such instance, or the function never escapes its module.
    pub(crate) fn func_of(&mut self, instance: InstAddr, func: FuncIdx) -> Result<FuncAddr, LoadError> {
        let inst = self.instances.get(instance).expect("the caller has looked the instance up");
        let funcref = inst.funcref(func).expect("only escaping functions are asked for");
        // SAFETY: a record in a live context, or of a live host function.
        let known = unsafe { (*funcref.as_ptr()).handle };
        if known != VmFuncRef::NO_HANDLE
            && let Some(addr) = self.funcs.addr_of_slot(known)
        {
            return Ok(addr);
        }
        let module = inst.module.module();
        if module.is_imported_func(func) {
            // Another instance's function that nobody has asked for yet.
            // SAFETY: a record of this store, as above.
            let handle = unsafe { self.func_of_raw(funcref.as_ptr().expose_provenance())? };
            return Ok(handle.expect("the record is not null").addr);
        }
        let ty = module.func_type(func).clone();
        let type_id: TypeId = module.funcs[func.at()].id;
        let stubs = self.space().sig_stubs(&ty)?;
        Ok(self.add_func(FuncInst {
            funcref,
            ty,
            type_id,
            stubs,
            owner: FuncOwner::Instance(instance, func),
        }))
    }
}

/// Exports.
impl Store {
    /// What `instance` exports as `item`.
    ///
    /// # Errors
    /// [`LoadError`] when a function's stubs cannot be made, or a memory cannot be made accessible.
    ///
    /// # Panics
    /// When there is no such instance, or `item` is not of its module.
    pub fn export(&mut self, instance: InstAddr, item: ExternIdx) -> Result<Extern, LoadError> {
        if let ExternIdx::Func(func) = item {
            let addr = self.func_of(instance, func)?;
            return Ok(Extern::Func(self.handle(addr)));
        }
        let inst = self.instances.get(instance).expect("the caller has looked the instance up");
        Ok(match item {
            ExternIdx::Table(table) => Extern::Table(self.handle::<TableInst>(inst.tables[table.at()])),
            ExternIdx::Mem(mem) => {
                let mem = inst.mems[mem.at()];
                self.make_ready(mem).map_err(LoadError::Memory)?;
                Extern::Memory(self.handle::<MemInst>(mem))
            }
            ExternIdx::Global(global) => Extern::Global(self.handle::<GlobalInst>(inst.globals[global.at()])),
            ExternIdx::Func(_) => unreachable!("handled above"),
        })
    }
}

/// Values, raw. Whether a value fits the type is for the caller, who knows types and handles.
impl Store {
    /// What a global holds.
    pub fn global_raw(&self, global: GlobalAddr) -> Option<ValRaw> {
        self.globals.get(global).map(GlobalInst::get)
    }

    /// Replaces what a global holds.
    pub fn set_global_raw(&mut self, global: GlobalAddr, value: ValRaw) {
        if let Some(global) = self.globals.get_mut(global) {
            global.set(value);
        }
    }

    /// Element `at` of a table; `None` outside.
    pub fn table_raw(&self, table: TableAddr, at: u64) -> Option<u64> {
        self.tables.get(table)?.get(at)
    }

    /// Writes element `at` of a table; false outside.
    pub fn set_table_raw(&mut self, table: TableAddr, at: u64, raw: u64) -> bool {
        self.tables.get_mut(table).is_some_and(|table| table.set(at, raw))
    }

    /// Writes `len` elements of a table; false, and nothing written, when they are not all there.
    pub fn fill_table_raw(&mut self, table: TableAddr, at: u64, raw: u64, len: u64) -> bool {
        self.tables.get_mut(table).is_some_and(|table| table.fill(at, raw, len))
    }

    /// Copies elements from one table to another, or within one; false, and nothing copied, when they are
    /// not all there.
    pub fn copy_table_raw(
        &mut self,
        dst: TableAddr,
        dst_at: u64,
        src: TableAddr,
        src_at: u64,
        len: u64,
    ) -> bool {
        if dst == src {
            return self.tables.get_mut(dst).is_some_and(|table| table.copy_within(dst_at, src_at, len));
        }
        let inside = |table: TableAddr, at: u64| {
            let size = self.tables.get(table).map(TableInst::size);
            size.is_some_and(|size| at.checked_add(len).is_some_and(|end| end <= size))
        };
        if !inside(dst, dst_at) || !inside(src, src_at) {
            return false;
        }
        for at in 0..len {
            let raw = self.table_raw(src, src_at + at).expect("checked to be inside");
            self.set_table_raw(dst, dst_at + at, raw);
        }
        true
    }

    /// Makes the bytes of a memory accessible.
    pub(crate) fn make_ready(&mut self, mem: MemAddr) -> io::Result<()> {
        self.mem_at(mem).make_ready()
    }

    /// Makes all memories ready that are not: a guest is about to run. Notes why it cannot, and is false then.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_all_ready(&mut self) -> bool {
        while let Some(first) = self.unready {
            let mem = self.mem_at(first);
            if let Err(error) = mem.make_ready() {
                self.abandon(Abandon::Memory(error));
                return false;
            }
            self.unready = mem.next_unready.take();
        }
        true
    }

    /// The memory is to be made ready before a guest is entered.
    pub(crate) fn note_unready(&mut self, mem: MemAddr) {
        let next = self.unready.replace(mem);
        self.mem_at(mem).next_unready = next;
    }

    /// Takes memories off the list that the last trace has not reached.
    pub(crate) fn forget_unready(&mut self) {
        let mut rest = self.unready.take();
        while let Some(first) = rest {
            rest = self.mem_at(first).next_unready.take();
            if self.mems.is_marked(first) {
                self.note_unready(first);
            }
        }
    }

    /// Memory at an address of this store.
    pub(crate) fn mem_at(&mut self, mem: MemAddr) -> &mut MemInst {
        self.mems.get_mut(mem).expect("an instance's memories live as long as the instance")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        debug_assert!(!self.is_active(), "a call borrows the store");
        // Host closures and values go first, while what they may look at is still whole; then what instances own.
        let mut panics = Panics::default();
        let spare = &self.config.spare;
        if self.funcs.len() > 0 {
            panics.bury(self.funcs.take_all());
            self.funcs.clear(&spare.funcs);
        }
        if self.externs.len() > 0 {
            panics.bury(self.externs.take_all());
        }
        self.tables.clear(&spare.tables);
        let entries = self.entries;
        self.mems.iter_mut().for_each(|mem| mem.settle(entries));
        self.mems.clear(&spare.mems);
        self.globals.clear(&spare.globals);
        self.instances.clear(&spare.instances);
        match self.place {
            Some(place) => self.config.epochs.give_back(place),
            None => {
                // SAFETY: made in `new`; no call is active, so nothing runs that could use it.
                let _ = unsafe { quarantine::unboxed(self.vm) };
            }
        }
        panics.resume();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("id", &self.id).finish_non_exhaustive()
    }
}
