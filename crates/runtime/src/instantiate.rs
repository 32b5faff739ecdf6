//! Instantiation (specification, "Instantiation"): allocate, store, then initialize.
//!
//! [`Store::create_instance`] runs no guest code and cannot be observed; once it returns, the store owns the
//! instance. [`Store::apply_segments`] then writes into tables and memories, which may be other instances',
//! so from there on a failure leaves the instance where it is.

use crate::addr::InstAddr;
use crate::const_eval::{evaluate, funcref};
use crate::few::Few;
use crate::global::GlobalInst;
use crate::imports::{Extern, ImportError, check_import};
use crate::instance::ModuleInst;
use crate::limits::{GrowError, LimitError, Limiter, NoLimiter};
use crate::loaded::LoadedModule;
use crate::memory::{MemInst, NewMemory};
use crate::pooling::Places;
use crate::room::Wanted;
use crate::snapshot::{FuncOrNull, GlobalState, Snapshot, State};
use crate::store::Store;
use crate::table::TableInst;
use crate::vm_ctx::VmCtx;
use std::fmt;
use std::sync::Arc;
use tenure_abi::ValRaw;
use tenure_abi::vm::{VmCtxHeader, VmImport};
use tenure_module::{ConstExpr, DataMode, ElemItems, ElemMode, ImportType, Module};
use tenure_types::{ElemIdx, FuncIdx, GlobalIdx, MemIdx, TableIdx, Trap};

/// Why a module was not instantiated.
#[derive(Debug)]
pub enum InstantiateError {
    /// The module is of another engine.
    WrongEngine,
    /// Not as many imports as the module asks for.
    ImportCount {
        /// As many as it asks for.
        expected: usize,
        /// As many as were given.
        found: usize,
    },
    /// An import does not fit.
    Import {
        /// Which: a place in the module's imports.
        index: usize,
        /// Why.
        error: ImportError,
    },
    /// Import number `index` is a memory that reserves less address space than the module's code relies on.
    SmallMemory {
        /// Which: a place in the module's imports.
        index: usize,
    },
    /// A memory could not be made.
    Memory(GrowError),
    /// A table could not be made.
    Table(GrowError),
    /// The store may not hold another instance, or so many memories and tables.
    Limit(LimitError),
    /// A segment does not fit: the instance stays, since others may already hold its functions.
    Segment(Trap),
}

impl fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEngine => f.write_str("the module and the store are of different engines"),
            Self::ImportCount { expected, found } => write!(f, "expected {expected} imports, found {found}"),
            Self::Import { index, error } => {
                write!(f, "incompatible import type for import {index}: {error}")
            }
            Self::SmallMemory { index } => {
                write!(f, "import {index} is a memory that reserves too little address space")
            }
            Self::Memory(error) => write!(f, "memory not made: {error}"),
            Self::Table(error) => write!(f, "table not made: {error}"),
            Self::Limit(error) => write!(f, "no room in the store: {error}"),
            Self::Segment(trap) => trap.fmt(f),
        }
    }
}

impl InstantiateError {
    /// Whether the same module for memories that reserve little address space might do: the system has no more
    /// address space, or an import reserves little itself.
    pub fn wants_small_memories(&self) -> bool {
        matches!(self, Self::SmallMemory { .. } | Self::Memory(GrowError::Os(_)))
    }
}

impl std::error::Error for InstantiateError {}

impl Store {
    /// Checks `imports`, one for each of the module's imports in order.
    ///
    /// # Errors
    /// The first that does not fit.
    pub fn check_imports(&self, module: &LoadedModule, imports: &[Extern]) -> Result<(), InstantiateError> {
        let wanted = &module.module().imports;
        if wanted.len() != imports.len() {
            return Err(InstantiateError::ImportCount { expected: wanted.len(), found: imports.len() });
        }
        for (index, (wanted, given)) in wanted.iter().zip(imports).enumerate() {
            check_import(self, &wanted.ty, given)
                .map_err(|error| InstantiateError::Import { index, error })?;
            if let (ImportType::Mem(ty), Extern::Memory(memory)) = (&wanted.ty, given) {
                let memory = self.memory(*memory).expect(CHECKED);
                if !memory.fits(&module.tunables().memory_plan(ty)) {
                    return Err(InstantiateError::SmallMemory { index });
                }
            }
        }
        Ok(())
    }

    /// Makes an instance: context, memories, tables, globals. Segments are not applied, nothing was run. The host
    /// does not hold it yet: [`Store::instantiated`] or [`Store::not_instantiated`] is to follow, with no
    /// reclamation in between.
    ///
    /// # Errors
    /// [`InstantiateError`]; the store is as before.
    pub fn create_instance(
        &mut self,
        module: &Arc<LoadedModule>,
        imports: &[Extern],
    ) -> Result<InstAddr, InstantiateError> {
        self.create_instance_under(module, imports, &mut NoLimiter)
    }

    /// As [`Store::create_instance`], when `limiter` allows it.
    ///
    /// # Errors
    /// As [`Store::create_instance`].
    pub fn create_instance_under(
        &mut self,
        module: &Arc<LoadedModule>,
        imports: &[Extern],
        limiter: &mut dyn Limiter,
    ) -> Result<InstAddr, InstantiateError> {
        self.create(module, None, imports, limiter)
    }

    /// Makes an instance in the state that `snapshot` has, when `limiter` allows it: nothing is to be initialized. `module` is
    /// that of the snapshot, or the same for other memories.
    ///
    /// # Errors
    /// As [`Store::create_instance`].
    ///
    /// # Panics
    /// When it is another module.
    pub fn create_from_snapshot(
        &mut self,
        snapshot: &Snapshot,
        module: &Arc<LoadedModule>,
        imports: &[Extern],
        limiter: &mut dyn Limiter,
    ) -> Result<InstAddr, InstantiateError> {
        assert_eq!(module.id(), snapshot.module().id(), "a snapshot of another module");
        self.create(module, Some(snapshot.state()), imports, limiter)
    }

    /// Makes an instance as new, or in `state`.
    fn create(
        &mut self,
        module: &Arc<LoadedModule>,
        state: Option<&State>,
        imports: &[Extern],
        limiter: &mut dyn Limiter,
    ) -> Result<InstAddr, InstantiateError> {
        if !Arc::ptr_eq(module.space(), self.space()) {
            return Err(InstantiateError::WrongEngine);
        }
        self.check_imports(module, imports)?;
        if let Some(pooling) = self.space().pooling() {
            pooling.check_module(module.module(), module.layout()).map_err(InstantiateError::Limit)?;
        }
        self.make_room(Wanted::of_module(module.module(), state), imports, limiter)
            .map_err(InstantiateError::Limit)?;
        let pooling = self.space().pooling();
        let places = pooling.map(|pooling| pooling.enter(module.module())).transpose();
        let places = places.map_err(InstantiateError::Limit)?.unwrap_or_default();
        let header = VmCtxHeader {
            store: self.vm(),
            builtins: self.space().builtins(),
            type_ids: module.type_ids(),
            instance: 0,
        };
        let mut ctx = module.template().new_ctx(module, header);
        let mut own = Own::with_room_for(module.module());
        own.places = places;
        self.link_imports(module, &mut ctx, imports, &mut own);
        self.make_memories_and_tables(module, state, &ctx, &mut own, limiter)?;
        match state {
            None => {
                make_globals(module, &ctx, &mut own);
                init_tables(module, &ctx, &mut own);
            }
            Some(state) => {
                restore_globals(module, state, &ctx, &mut own);
                restore_tables(module, state, &ctx, &mut own);
            }
        }
        let addr = self.adopt(module, ctx, own);
        if let Some(state) = state {
            let inst = self.instances.get_mut(addr).expect("taken in just now");
            inst.dropped_elems.copy_from_slice(&state.dropped_elems);
            inst.dropped_datas.copy_from_slice(&state.dropped_datas);
        }
        Ok(addr)
    }

    fn link_imports(&self, module: &LoadedModule, ctx: &mut VmCtx, imports: &[Extern], own: &mut Own) {
        let layout = module.layout();
        for import in imports {
            match import {
                Extern::Func(func) => {
                    let funcref = self.func(*func).expect(CHECKED).funcref();
                    // SAFETY: the record lives as long as its function, which the store owns.
                    let (slot, vmctx) = unsafe { ((*funcref.as_ptr()).slot, (*funcref.as_ptr()).vmctx) };
                    let import = VmImport { slot, vmctx, funcref: funcref.as_ptr() };
                    ctx.set_import(layout, FuncIdx(own.func_addrs.len() as u32), import);
                    own.func_addrs.push(func.addr);
                }
                Extern::Table(table) => {
                    let place = layout.table(TableIdx(own.table_addrs.len() as u32));
                    ctx.set_imported(place, self.table(*table).expect(CHECKED).record());
                    own.table_addrs.push(table.addr);
                }
                Extern::Memory(mem) => {
                    let place = layout.mem(MemIdx(own.mem_addrs.len() as u32));
                    ctx.set_imported(place, self.memory(*mem).expect(CHECKED).record());
                    own.mem_addrs.push(mem.addr);
                }
                Extern::Global(global) => {
                    let place = layout.global(GlobalIdx(own.global_addrs.len() as u32));
                    ctx.set_imported(place, self.global(*global).expect(CHECKED).record());
                    own.global_addrs.push(global.addr);
                }
            }
        }
    }

    fn make_memories_and_tables(
        &self,
        module: &LoadedModule,
        state: Option<&State>,
        ctx: &VmCtx,
        own: &mut Own,
        limiter: &mut dyn Limiter,
    ) -> Result<(), InstantiateError> {
        let (layout, parsed) = (module.layout(), module.module());
        for at in parsed.imported_mems..parsed.mems.len() as u32 {
            let place = (at - parsed.imported_mems) as usize;
            let ty = state.map_or(*parsed.mem_type(MemIdx(at)), |state| state.mem_type(parsed, place));
            let plan = module.tunables().memory_plan(&ty);
            let image = match state {
                Some(state) => Some(&state.mems[place].image),
                None => module.images().unwrap_or_default().get(place).and_then(Option::as_ref),
            };
            let new = NewMemory {
                ty,
                plan,
                pool: self.space().memories(),
                image,
                entries: self.entries_at_birth(),
                // A guest that runs already may come to use it.
                later: !self.is_active(),
            };
            let mem = self.permit_memory(&ty, limiter, || {
                // SAFETY: an own record of the context, which the instance keeps as long as the memory lives.
                unsafe { MemInst::new(new, Some(ctx.mem(layout, MemIdx(at)))) }
            });
            let mut mem = mem.map_err(InstantiateError::Memory)?;
            mem.place = own.places.memories.take_one();
            own.mems.push(mem);
        }
        for at in parsed.imported_tables..parsed.tables.len() as u32 {
            let place = (at - parsed.imported_tables) as usize;
            let ty = state.map_or(*parsed.table_type(TableIdx(at)), |state| state.table_type(parsed, place));
            let room = module.template().room(place, &ty, module, ctx);
            let table = self.permit_table(&ty, limiter, || {
                // SAFETY: as above; the room has a word for each element.
                unsafe { TableInst::new(ty, (Some(ctx.table(layout, TableIdx(at))), room)) }
            });
            let mut table = table.map_err(InstantiateError::Table)?;
            table.place = own.places.tables.take_one();
            own.tables.push(table);
        }
        Ok(())
    }

    /// Takes the instance in. Cannot fail.
    fn adopt(&mut self, module: &Arc<LoadedModule>, ctx: VmCtx, own: Own) -> InstAddr {
        let header = ctx.as_ptr();
        let spare = &self.config.spare;
        self.mems.make_room(&spare.mems);
        self.tables.make_room(&spare.tables);
        self.globals.make_room(&spare.globals);
        self.instances.make_room(&spare.instances);
        let own_mems = own.mems.into_iter().map(|mem| {
            self.held += mem.weight();
            let is_ready = mem.is_ready();
            let addr = self.mems.insert(mem);
            if !is_ready {
                self.note_unready(addr);
            }
            addr
        });
        let mems = Few::joined(own.mem_addrs, own_mems);
        let own_tables = own.tables.into_iter().map(|table| {
            self.held += table.weight();
            self.tables.insert(table)
        });
        let tables = Few::joined(own.table_addrs, own_tables);
        let own_globals = own.globals.into_iter().map(|global| self.globals.insert(global));
        let globals = Few::joined(own.global_addrs, own_globals);
        let addr = self.instances.insert(ModuleInst {
            module: module.clone(),
            ctx,
            imported_funcs: own.func_addrs.into(),
            mems,
            tables,
            globals,
            dropped_elems: module.template().dropped_elems(),
            dropped_datas: module.template().dropped_datas(),
            _place: own.places.instance,
            note: None,
        });
        // SAFETY: the context is the new instance's, and nothing runs in it yet.
        unsafe { (*header).instance = addr.to_bits() };
        let inst = self.instances.get(addr).expect("taken in just now");
        self.held += inst.weight();
        addr
    }

    /// Applies active segments in order, and drops them, as instantiation does.
    ///
    /// # Errors
    /// [`InstantiateError::Segment`] for the first that does not fit; what was written before stays.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn apply_segments(&mut self, addr: InstAddr) -> Result<(), InstantiateError> {
        let module = &self.instances.get(addr).expect("made just before").module;
        if module.template().is_applied() {
            return Ok(());
        }
        let module = module.clone();
        let parsed = module.module();
        for (at, elem) in parsed.elems.iter().enumerate() {
            let elem_idx = ElemIdx(at as u32);
            match &elem.mode {
                ElemMode::Active { table, offset } => {
                    let offset = self.address(addr, &module, offset, parsed.table_type(*table).is_64);
                    self.table_init(addr, *table, elem_idx, offset, 0, elem.items.len() as u64)
                        .map_err(InstantiateError::Segment)?;
                    self.elem_drop(addr, elem_idx);
                }
                ElemMode::Declared => self.elem_drop(addr, elem_idx),
                ElemMode::Passive => {}
            }
        }
        for (at, data) in parsed.datas.iter().enumerate() {
            if let DataMode::Active { mem, offset } = &data.mode {
                if module.images().is_some() {
                    // It stands in the memory since that was made.
                    self.instances.get_mut(addr).expect("made just before").dropped_datas[at] = true;
                    continue;
                }
                let offset = self.address(addr, &module, offset, parsed.mem_type(*mem).is_64);
                let bytes = parsed.data(data);
                let mem = self.instances.get(addr).expect("made just before").mems[mem.at()];
                self.make_ready(mem).map_err(|error| InstantiateError::Memory(GrowError::Os(error)))?;
                let inside = usize::try_from(offset).ok().and_then(|start| {
                    let end = start.checked_add(bytes.len())?;
                    self.mem_at(mem).data_mut().get_mut(start..end)
                });
                inside.ok_or(InstantiateError::Segment(Trap::MemoryOutOfBounds))?.copy_from_slice(bytes);
                self.instances.get_mut(addr).expect("made just before").dropped_datas[at] = true;
            }
        }
        Ok(())
    }

    /// The instance was initialized: the host holds it from now on.
    pub fn instantiated(&mut self, addr: InstAddr) {
        self.claim(addr);
        self.reclaim_if_due();
    }

    /// There will be no instance: what was taken in for it can go. One that could be made but not initialized lives
    /// as long as something that it was written into reaches its functions, and no longer.
    pub fn not_instantiated(&mut self) {
        self.released += 1;
        self.reclaim_if_due();
    }

    fn address(&self, addr: InstAddr, module: &LoadedModule, offset: &ConstExpr, is_64: bool) -> u64 {
        let ctx = &self.instances.get(addr).expect("made just before").ctx;
        let value = evaluate(module, ctx, offset);
        if is_64 { value.get_u64() } else { value.get_u32().into() }
    }

    /// `table.init`.
    pub(crate) fn table_init(
        &mut self,
        addr: InstAddr,
        table: TableIdx,
        elem: ElemIdx,
        dst: u64,
        src: u64,
        len: u64,
    ) -> Result<(), Trap> {
        let inst = self.instances.get(addr).expect("a running instance is alive");
        let module = inst.module.clone();
        let segment = &module.module().elems[elem.at()];
        let available = if inst.dropped_elems[elem.at()] { 0 } else { segment.items.len() as u64 };
        let table = self.tables.get_mut(inst.tables[table.at()]).expect("an instance's tables are alive");
        let fits = |at: u64, limit: u64| at.checked_add(len).is_some_and(|end| end <= limit);
        if !fits(src, available) || !fits(dst, table.size()) {
            return Err(Trap::TableOutOfBounds);
        }
        for at in 0..len {
            let item = (src + at) as usize;
            let raw = match &segment.items {
                ElemItems::Funcs(funcs) => funcref(&module, &inst.ctx, funcs[item]) as u64,
                ElemItems::Exprs(exprs) => evaluate(&module, &inst.ctx, &exprs[item]).get_u64(),
            };
            table.set(dst + at, raw);
        }
        Ok(())
    }

    /// `elem.drop`.
    pub(crate) fn elem_drop(&mut self, addr: InstAddr, elem: ElemIdx) {
        self.instances.get_mut(addr).expect("a running instance is alive").dropped_elems[elem.at()] = true;
    }
}

const CHECKED: &str = "imports were checked just before";

/// What an instance is made of before the store takes it: dropped whole if a part cannot be made.
struct Own {
    /// What is imported.
    func_addrs: Vec<crate::addr::FuncAddr>,
    mem_addrs: Vec<crate::addr::MemAddr>,
    table_addrs: Vec<crate::addr::TableAddr>,
    global_addrs: Vec<crate::addr::GlobalAddr>,
    /// What it defines.
    mems: Vec<MemInst>,
    tables: Vec<TableInst>,
    globals: Vec<GlobalInst>,
    places: Places,
}

impl Own {
    fn with_room_for(module: &Module) -> Self {
        Self {
            func_addrs: Vec::with_capacity(module.imported_funcs as usize),
            mem_addrs: Vec::with_capacity(module.imported_mems as usize),
            table_addrs: Vec::with_capacity(module.imported_tables as usize),
            global_addrs: Vec::with_capacity(module.imported_globals as usize),
            mems: Vec::with_capacity(module.mems.len() - module.imported_mems as usize),
            tables: Vec::with_capacity(module.tables.len() - module.imported_tables as usize),
            globals: Vec::with_capacity(module.globals.len() - module.imported_globals as usize),
            places: Places::default(),
        }
    }
}

fn make_globals(module: &LoadedModule, ctx: &VmCtx, own: &mut Own) {
    let parsed = module.module();
    for at in parsed.imported_globals..parsed.globals.len() as u32 {
        let decl = &parsed.globals[at as usize];
        let init = decl.init.as_ref().expect("a defined global has a value");
        let value = evaluate(module, ctx, init);
        let record = ctx.global(module.layout(), GlobalIdx(at));
        // SAFETY: an own record of the context, which the instance keeps as long as the global lives.
        own.globals.push(unsafe { GlobalInst::new(decl.ty, value, Some(record)) });
    }
}

fn init_tables(module: &LoadedModule, ctx: &VmCtx, own: &mut Own) {
    for (at, table) in own.tables.iter_mut().enumerate() {
        init_table(table, at, module, ctx);
    }
}

/// Writes the first elements of a new table: of own table number `at` of `module`, in the instance with context `ctx`.
pub(crate) fn init_table(table: &mut TableInst, at: usize, module: &LoadedModule, ctx: &VmCtx) {
    let parsed = module.module();
    let decl = &parsed.tables[parsed.imported_tables as usize + at];
    match &decl.init {
        Some(init) => {
            table.fill(0, evaluate(module, ctx, init).get_u64(), decl.ty.min);
        }
        None => module.template().init_table(table, at, module, ctx),
    }
}

fn restore_globals(module: &LoadedModule, state: &State, ctx: &VmCtx, own: &mut Own) {
    let parsed = module.module();
    for (at, global) in (parsed.imported_globals..).zip(&state.globals) {
        let value = match *global {
            GlobalState::Value(value) => value,
            GlobalState::Ref(func) => ValRaw::funcref(raw(module, ctx, func)),
        };
        let record = ctx.global(module.layout(), GlobalIdx(at));
        // SAFETY: an own record of the context, which the instance keeps as long as the global lives.
        own.globals.push(unsafe { GlobalInst::new(*parsed.global_type(GlobalIdx(at)), value, Some(record)) });
    }
}

fn restore_tables(module: &LoadedModule, state: &State, ctx: &VmCtx, own: &mut Own) {
    for (table, elements) in own.tables.iter_mut().zip(&state.tables) {
        for (at, &element) in (0..).zip(elements) {
            table.set(at, raw(module, ctx, element) as u64);
        }
    }
}

fn raw(module: &LoadedModule, ctx: &VmCtx, func: FuncOrNull) -> usize {
    func.0.map_or(0, |func| funcref(module, ctx, func))
}
