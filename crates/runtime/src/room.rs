//! Room: everything that makes a store hold more memory asks here first.

use crate::addr::{Handle, MemAddr, TableAddr};
use crate::imports::Extern;
use crate::limits::{
    GrowError, LimitError, Limiter, LimiterError, Limits, NoLimiter, permitted, within, within_limiter,
    within_pool,
};
use crate::memory::{MemInst, NewMemory};
use crate::reclaim::Owned;
use crate::snapshot::State;
use crate::store::Store;
use crate::table::TableInst;
use tenure_module::Module;
use tenure_types::{MemType, TableType, ValType};

/// Splits the store behind an embedding API's, which is given as calls are given it, into the runtime's part and
/// the limiter that the API keeps, lends both to the body, and returns what that does. The error is made the
/// one that [`Abandon::Host`](crate::Abandon::Host) carries.
///
/// # Safety
/// The store is the address of the whole, and lent until this returns.
pub type LimiterSource = unsafe fn(
    *mut Store,
    &mut dyn FnMut(&mut Store, &mut dyn Limiter) -> Result<u64, LimiterError>,
) -> Result<u64, LimiterError>;

/// Runs `body` with the store and its limiter.
///
/// # Safety
/// The store is given as calls are given it, and lent until this returns.
pub(crate) unsafe fn with_limiter(
    store: *mut Store,
    body: &mut dyn FnMut(&mut Store, &mut dyn Limiter) -> Result<u64, LimiterError>,
) -> Result<u64, LimiterError> {
    // SAFETY: the caller lends the store, which is used here and then by the one or the other.
    unsafe {
        match (*store).limiter_source {
            Some(source) => source(store, body),
            None => body(&mut *store, &mut NoLimiter),
        }
    }
}

/// What is about to be made.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Wanted {
    instances: u64,
    memories: u64,
    memory_bytes: u64,
    tables: u64,
    table_elements: u64,
}

impl Wanted {
    /// An instance with all that it defines, as new or in `state`.
    pub fn of_module(module: &Module, state: Option<&State>) -> Self {
        let mut wanted = Self { instances: 1, ..Self::default() };
        for (place, ty) in module.mems[module.imported_mems as usize..].iter().enumerate() {
            wanted.add_memory(&state.map_or(*ty, |state| state.mem_type(module, place)));
        }
        for (place, table) in module.tables[module.imported_tables as usize..].iter().enumerate() {
            wanted.add_table(&state.map_or(table.ty, |state| state.table_type(module, place)));
        }
        wanted
    }

    fn add_memory(&mut self, ty: &MemType) {
        self.memories += 1;
        self.memory_bytes = self.memory_bytes.saturating_add(ty.min.saturating_mul(ty.page_size()));
    }

    fn add_table(&mut self, ty: &TableType) {
        self.tables += 1;
        self.table_elements = self.table_elements.saturating_add(ty.min);
    }
}

/// Limits.
impl Store {
    /// What it may hold.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sets what it may hold. What it holds already stays, also when that is more.
    #[inline]
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.stack_bytes = self.limits.stack_within(self.config().max_wasm_stack);
    }

    /// Sets where guests' growth finds the limiter; without one all is allowed that [`Limits`] allow.
    pub fn set_limiter_source(&mut self, source: Option<LimiterSource>) {
        self.limiter_source = source;
    }

    /// Whether there is room for `wanted`. What is not wanted may be over its limit.
    fn check_room(&self, wanted: &Wanted, limiter: &dyn Limiter) -> Result<(), LimitError> {
        let limits = &self.limits;
        let counts = [
            ("instances", limits.instances, limiter.instances(), self.instances.len(), wanted.instances),
            ("memories", limits.memories, limiter.memories(), self.mems.len(), wanted.memories),
            ("tables", limits.tables, limiter.tables(), self.tables.len(), wanted.tables),
        ];
        for (name, bound, limiters, live, wanted) in counts {
            if wanted > 0 {
                within(name, bound, live as u64 + wanted)?;
                within_limiter(name, limiters, live as u64 + wanted)?;
            }
        }
        if wanted.instances > 0
            && let Some(pooling) = self.space().pooling()
        {
            pooling.check_room(wanted.memories, wanted.tables)?;
        }
        let (bytes, elements) = (self.held.memory_bytes, self.held.table_elements);
        let sums = [
            ("total_memory_bytes", limits.total_memory_bytes, bytes, wanted.memory_bytes),
            ("total_table_elements", limits.total_table_elements, elements, wanted.table_elements),
        ];
        for (name, bound, held, wanted) in sums {
            if wanted > 0 {
                within(name, bound, wanted.saturating_add(held as u64))?;
            }
        }
        Ok(())
    }

    /// As [`Store::check_room`], after reclaiming what was released when there is none. `kept` stays.
    pub(crate) fn make_room(
        &mut self,
        wanted: Wanted,
        kept: &[Extern],
        limiter: &dyn Limiter,
    ) -> Result<(), LimitError> {
        let room = self.check_room(&wanted, limiter);
        if room.is_ok() || self.released == 0 || !self.reclaims_itself {
            return room;
        }
        // Nothing else may hold what is given for imports: a linker's functions, say.
        let held: Vec<bool> = kept.iter().map(|&item| self.set_held(item, true)).collect();
        let dead = self.take_dead();
        for (&item, was_held) in kept.iter().zip(held).rev() {
            self.set_held(item, was_held);
        }
        if let Some(dead) = dead {
            dead.bury();
        }
        self.check_room(&wanted, limiter)
    }

    /// Sets whether the host holds `item`; whether it did before.
    fn set_held(&mut self, item: Extern, hold: bool) -> bool {
        fn set<T: Owned>(store: &mut Store, handle: Handle<T>, hold: bool) -> bool {
            T::list(store).set_claimed(handle.addr, hold)
        }
        match item {
            Extern::Func(func) => set(self, func, hold),
            Extern::Table(table) => set(self, table, hold),
            Extern::Memory(memory) => set(self, memory, hold),
            Extern::Global(global) => set(self, global, hold),
        }
    }

    /// Reclaims what was released when there is no room for a table: before its first elements are looked up,
    /// which nothing else may hold.
    pub fn make_room_for_table(&mut self, ty: &TableType, limiter: &mut dyn Limiter) {
        let mut wanted = Wanted::default();
        wanted.add_table(ty);
        // Whether there is room then is asked when it is made.
        let _ = self.make_room(wanted, &[], limiter);
    }
}

/// Making memories and tables.
impl Store {
    /// A memory of `ty.min` pages.
    ///
    /// # Errors
    /// [`GrowError`] when there is no room for it.
    pub fn new_memory(&mut self, ty: MemType) -> Result<Handle<MemInst>, GrowError> {
        self.new_memory_under(ty, &mut NoLimiter)
    }

    /// As [`Store::new_memory`], when `limiter` allows it.
    ///
    /// # Errors
    /// [`GrowError`] when there is no room for it.
    pub fn new_memory_under(
        &mut self,
        ty: MemType,
        limiter: &mut dyn Limiter,
    ) -> Result<Handle<MemInst>, GrowError> {
        let mut wanted = Wanted::default();
        wanted.add_memory(&ty);
        self.make_room(wanted, &[], limiter)?;
        let plan = self.config().tunables.memory_plan(&ty);
        let small = self.config().tunables.clone().with_small_memories().memory_plan(&ty);
        let pool = self.space().memories();
        let entries = self.entries_at_birth();
        let new = |plan| NewMemory { ty, plan, pool, image: None, entries, later: false };
        let mem = self.permit_memory(&ty, limiter, || {
            MemInst::of_its_own(new(plan)).or_else(|_| MemInst::of_its_own(new(small)))
        })?;
        self.held += mem.weight();
        let addr = self.mems.insert(mem);
        self.claim(addr);
        Ok(self.handle(addr))
    }

    /// A table of `ty.min` elements that are all `init`, raw.
    ///
    /// # Errors
    /// [`GrowError`] when there is no room for it.
    pub fn new_table(&mut self, ty: TableType, init: u64) -> Result<Handle<TableInst>, GrowError> {
        self.new_table_under(ty, init, &mut NoLimiter)
    }

    /// As [`Store::new_table`], when `limiter` allows it.
    ///
    /// # Errors
    /// [`GrowError`] when there is no room for it.
    pub fn new_table_under(
        &mut self,
        ty: TableType,
        init: u64,
        limiter: &mut dyn Limiter,
    ) -> Result<Handle<TableInst>, GrowError> {
        let mut wanted = Wanted::default();
        wanted.add_table(&ty);
        self.check_room(&wanted, limiter)?;
        // SAFETY: no place is given.
        let mut table = self.permit_table(&ty, limiter, || unsafe { TableInst::new(ty, (None, None)) })?;
        table.fill(0, init, ty.min);
        table.type_in_use = self.types().named_by(ValType::Ref(ty.element));
        self.held += table.weight();
        let addr = self.tables.insert(table);
        self.claim(addr);
        Ok(self.handle(addr))
    }

    /// Makes a memory of type `ty`, when it may be that large.
    pub(crate) fn permit_memory(
        &self,
        ty: &MemType,
        limiter: &mut dyn Limiter,
        make: impl FnOnce() -> Result<MemInst, GrowError>,
    ) -> Result<MemInst, GrowError> {
        let bytes = ty.min.checked_mul(ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or(GrowError::Limit)?;
        permitted(limiter.memory_growing(0, bytes, MemInst::maximum(ty)))?;
        let room = self.check_memory(bytes);
        told_memory(limiter, room.map_err(GrowError::from).and_then(|()| make()))
    }

    /// Makes a table of type `ty`, when it may be that large.
    pub(crate) fn permit_table(
        &self,
        ty: &TableType,
        limiter: &mut dyn Limiter,
        make: impl FnOnce() -> Result<TableInst, GrowError>,
    ) -> Result<TableInst, GrowError> {
        let len = usize::try_from(ty.min).map_err(|_| GrowError::Limit)?;
        permitted(limiter.table_growing(0, len, table_maximum(ty)))?;
        let room = self.check_table(len);
        told_table(limiter, room.map_err(GrowError::from).and_then(|()| make()))
    }

    /// Whether one memory may have so many bytes.
    fn check_memory(&self, bytes: usize) -> Result<(), LimitError> {
        if let Some(pooling) = self.space().pooling() {
            within_pool("max_memory_size", pooling.limits().max_memory_size, bytes as u64)?;
        }
        within("memory_bytes", self.limits.memory_bytes, bytes as u64)
    }

    /// Whether one table may have so many elements.
    fn check_table(&self, elements: usize) -> Result<(), LimitError> {
        if let Some(pooling) = self.space().pooling() {
            within_pool("table_elements", pooling.limits().table_elements, elements as u64)?;
        }
        within("table_elements", self.limits.table_elements, elements as u64)
    }
}

/// Growing.
impl Store {
    /// Grows a memory by `delta` pages; its old size in pages.
    ///
    /// # Errors
    /// [`GrowError`]; the memory is as before.
    ///
    /// # Panics
    /// When there is no such memory.
    pub fn grow_memory(
        &mut self,
        mem: MemAddr,
        delta: u64,
        limiter: &mut dyn Limiter,
    ) -> Result<u64, GrowError> {
        let inst = self.mems.get(mem).expect(LOOKED_UP);
        let (size, current) = (inst.size(), inst.bytes());
        if delta == 0 {
            return Ok(size);
        }
        let Some(desired) = inst.bytes_after(delta) else {
            return told_memory(limiter, Err(GrowError::Limit));
        };
        permitted(limiter.memory_growing(current, desired, MemInst::maximum(inst.ty())))?;
        let before = inst.weight();
        let total = (self.held.memory_bytes - current).saturating_add(desired);
        let room = self
            .check_memory(desired)
            .and_then(|()| within("total_memory_bytes", self.limits.total_memory_bytes, total as u64));
        let inst = self.mems.get_mut(mem).expect(LOOKED_UP);
        let grown = room.map_err(GrowError::from).and_then(|()| inst.grow(delta));
        let after = inst.weight();
        self.held -= before;
        self.held += after;
        told_memory(limiter, grown)
    }

    /// Grows a table by `delta` elements that are all `init`, raw; its old size.
    ///
    /// # Errors
    /// [`GrowError`]; the table is as before.
    ///
    /// # Panics
    /// When there is no such table.
    pub fn grow_table(
        &mut self,
        table: TableAddr,
        delta: u64,
        init: u64,
        limiter: &mut dyn Limiter,
    ) -> Result<u64, GrowError> {
        let inst = self.tables.get(table).expect(LOOKED_UP);
        let size = inst.size();
        if delta == 0 {
            return Ok(size);
        }
        let desired = size.checked_add(delta).and_then(|len| usize::try_from(len).ok());
        let Some(desired) = desired else {
            return told_table(limiter, Err(GrowError::Limit));
        };
        permitted(limiter.table_growing(size as usize, desired, table_maximum(inst.ty())))?;
        let before = inst.weight();
        let total = (self.held.table_elements as u64 - size).saturating_add(desired as u64);
        let room = self
            .check_table(desired)
            .and_then(|()| within("total_table_elements", self.limits.total_table_elements, total));
        let inst = self.tables.get_mut(table).expect(LOOKED_UP);
        let grown = room.map_err(GrowError::from).and_then(|()| inst.grow(delta, init));
        let after = inst.weight();
        self.held -= before;
        self.held += after;
        told_table(limiter, grown)
    }
}

const LOOKED_UP: &str = "the caller has looked it up";

fn table_maximum(ty: &TableType) -> Option<usize> {
    ty.max.map(|max| usize::try_from(max).unwrap_or(usize::MAX))
}

/// `outcome`, after telling the limiter of a failure.
fn told_memory<T>(limiter: &mut dyn Limiter, outcome: Result<T, GrowError>) -> Result<T, GrowError> {
    if let Err(why) = &outcome {
        limiter.memory_grow_failed(why).map_err(GrowError::Limiter)?;
    }
    outcome
}

/// `outcome`, after telling the limiter of a failure.
fn told_table<T>(limiter: &mut dyn Limiter, outcome: Result<T, GrowError>) -> Result<T, GrowError> {
    if let Err(why) = &outcome {
        limiter.table_grow_failed(why).map_err(GrowError::Limiter)?;
    }
    outcome
}
