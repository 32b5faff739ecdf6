//! Release and reclaim: the store gives back what nothing can reach.
//!
//! ```text
//! roots  what the host holds: it made it, and has not released it
//! edges  instance → its imports, memories, tables, globals
//!        table, global → the functions they hold → the instances that define those
//! ```
//! What a trace from the roots does not reach goes: cycles are no special case. A memory, table or global
//! may outlive the instance that defines it; its record then moves out of that instance's context.
//!
//! Nothing is freed while a call is active, so no frame needs to be looked at.

use crate::addr::{Addr, FuncAddr, GlobalAddr, Handle, HandleError, InstAddr, MemAddr, TableAddr};
use crate::arena::Arena;
use crate::func::{FuncInst, FuncOwner};
use crate::global::GlobalInst;
use crate::instance::ModuleInst;
use crate::memory::MemInst;
use crate::scope::Claimed;
use crate::store::Store;
use crate::table::TableInst;
use crate::usage::Weight;
use std::collections::HashSet;
use std::fmt;
use std::ptr;
use tenure_abi::vm::VmFuncRef;
use tenure_types::{GlobalIdx, MemIdx, TableIdx, ValType};

/// What a reclamation gave back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Reclaimed {
    /// Instances.
    pub instances: usize,
    /// Host functions.
    pub functions: usize,
    /// Memories.
    pub memories: usize,
    /// Tables.
    pub tables: usize,
    /// Globals.
    pub globals: usize,
    /// Bytes of memories, tables, instances and host functions.
    pub bytes: usize,
}

/// A handle was not released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReleaseError {
    /// It cannot be used with this store.
    Handle(HandleError),
    /// The host does not hold it.
    NotHeld {
        /// What it names.
        what: &'static str,
    },
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::NotHeld { what } => {
                write!(f, "the host does not hold this {what}: an instance does, or it was released before")
            }
        }
    }
}

impl std::error::Error for ReleaseError {}

impl From<HandleError> for ReleaseError {
    fn from(error: HandleError) -> Self {
        Self::Handle(error)
    }
}

/// A kind of thing that a store owns: it stands in a list, and may refer to others.
///
/// Whoever adds a kind of reference adds it to `trace`.
pub trait Owned: Sized {
    /// What it is called in messages.
    #[doc(hidden)]
    const WHAT: &'static str;

    /// The store's list of its kind.
    #[doc(hidden)]
    fn list(store: &mut Store) -> Claims<'_, Self>;

    /// Its address among those of other kinds.
    #[doc(hidden)]
    fn claimed(addr: Addr<Self>) -> Claimed;
}

/// A list, opened for claims.
#[doc(hidden)]
pub struct Claims<'a, T>(&'a mut Arena<T>);

impl<T> Claims<'_, T> {
    /// Sets whether the host holds the value; whether it did before.
    pub(crate) fn set_claimed(self, addr: Addr<T>, hold: bool) -> bool {
        let was_held = self.0.unclaim(addr);
        if hold {
            self.0.claim(addr);
        }
        was_held
    }
}

macro_rules! owned {
    ($($ty:ty: $what:literal, $list:ident, $kind:ident;)*) => {$(
        impl Owned for $ty {
            const WHAT: &'static str = $what;

            fn list(store: &mut Store) -> Claims<'_, Self> {
                Claims(&mut store.$list)
            }

            fn claimed(addr: Addr<Self>) -> Claimed {
                Claimed::$kind(addr)
            }
        }
    )*};
}

owned! {
    ModuleInst: "instance", instances, Instance;
    FuncInst: "function", funcs, Func;
    MemInst: "memory", mems, Memory;
    TableInst: "table", tables, Table;
    GlobalInst: "global", globals, Global;
}

impl Store {
    /// The host holds `handle` from now on: a new item of its own.
    pub(crate) fn claim<T: Owned>(&mut self, addr: Addr<T>) {
        T::list(self).0.claim(addr);
        self.note_in_scope(addr);
    }

    /// Whether `handle` names something of this store that is still there.
    pub(crate) fn check<T: Owned>(&mut self, handle: Handle<T>) -> Result<(), HandleError> {
        if handle.store != self.id() {
            return Err(HandleError::WrongStore { what: T::WHAT });
        }
        match T::list(self).0.get(handle.addr) {
            Some(_) => Ok(()),
            None => Err(HandleError::Reclaimed { what: T::WHAT }),
        }
    }

    /// Gives up the host's claim. The item goes when nothing reaches it any more: at a later reclamation,
    /// never during a call.
    ///
    /// # Errors
    /// [`ReleaseError`] when the handle is another store's or stale, or the host holds no claim.
    pub fn release<T: Owned>(&mut self, handle: Handle<T>) -> Result<(), ReleaseError> {
        self.check(handle)?;
        if !T::list(self).0.unclaim(handle.addr) {
            return Err(ReleaseError::NotHeld { what: T::WHAT });
        }
        self.released += 1;
        Ok(())
    }

    /// Frees everything that nothing reaches, and says what that was. During a call nothing is freed.
    pub fn reclaim(&mut self) -> Reclaimed {
        match self.take_dead() {
            // Host closures are dropped here, when the store is whole again: they may do anything, or panic.
            Some(dead) => dead.count(),
            None => Reclaimed::default(),
        }
    }

    /// Takes out everything that nothing reaches, for the caller to drop; nothing during a call.
    pub(crate) fn take_dead(&mut self) -> Option<Dead> {
        if self.is_active() {
            return None;
        }
        self.released = 0;
        self.trace();
        self.move_records_out();
        let mut dead = self.take_unreached();
        self.held -= dead.weight();
        dead.mems.iter_mut().for_each(|mem| mem.settle(self.entries));
        self.forget_reclaimed_links();
        self.lived = self.instances.len() + self.funcs.len();
        Some(dead)
    }

    /// Reclaims when what was released since the last time outweighs what lived then, so that the cost of
    /// tracing is a constant share of the work between two traces.
    pub(crate) fn reclaim_if_due(&mut self) {
        if self.released > self.lived.max(LEAST_RELEASED) && self.reclaims_itself {
            self.reclaim();
        }
    }

    /// Whether the store reclaims by itself, at instantiation.
    pub fn set_automatic_reclaim(&mut self, on: bool) {
        self.reclaims_itself = on;
    }
}

/// Fewer releases than this are not worth a trace.
const LEAST_RELEASED: usize = 64;

/// Tracing.
impl Store {
    fn trace(&mut self) {
        self.instances.unmark_all();
        self.funcs.unmark_all();
        self.mems.unmark_all();
        self.tables.unmark_all();
        self.globals.unmark_all();
        let mut work = Work {
            instances: self.instances.claimed().collect(),
            funcs: self.funcs.claimed().collect(),
            mems: self.mems.claimed().collect(),
            tables: self.tables.claimed().collect(),
            globals: self.globals.claimed().collect(),
        };
        loop {
            if let Some(addr) = work.instances.pop() {
                if self.instances.mark(addr) {
                    self.instances.get(addr).expect(LISTED).trace(&mut work);
                }
            } else if let Some(addr) = work.funcs.pop() {
                if self.funcs.mark(addr) {
                    self.funcs.get(addr).expect(LISTED).trace(&mut work);
                }
            } else if let Some(addr) = work.tables.pop() {
                if self.tables.mark(addr) {
                    self.trace_funcrefs(self.tables.get(addr).expect(LISTED).funcrefs(), &mut work);
                }
            } else if let Some(addr) = work.globals.pop() {
                if self.globals.mark(addr) {
                    self.trace_funcrefs(self.globals.get(addr).expect(LISTED).funcref(), &mut work);
                }
            } else if let Some(addr) = work.mems.pop() {
                self.mems.mark(addr);
            } else {
                break;
            }
        }
    }

    fn trace_funcrefs(&self, funcrefs: impl Iterator<Item = usize>, work: &mut Work) {
        for raw in funcrefs {
            let funcref = ptr::with_exposed_provenance::<VmFuncRef>(raw);
            // SAFETY: a funcref in a table or global that was reached is the record of a function that was
            // not reclaimed: whatever holds it kept its function reached at every earlier trace.
            let (handle, vmctx) = unsafe { ((*funcref).handle, (*funcref).vmctx) };
            if handle == VmFuncRef::NO_HANDLE {
                // SAFETY: only instances' functions come without a handle; their context is as alive as they.
                work.instances.push(InstAddr::from_bits(unsafe { (*vmctx).instance }));
            } else {
                work.funcs.extend(self.funcs.addr_of_slot(handle));
            }
        }
    }
}

const LISTED: &str = "marked just now, so in the list";

/// What was reached and not looked at yet.
struct Work {
    instances: Vec<InstAddr>,
    funcs: Vec<FuncAddr>,
    mems: Vec<MemAddr>,
    tables: Vec<TableAddr>,
    globals: Vec<GlobalAddr>,
}

impl ModuleInst {
    fn trace(&self, work: &mut Work) {
        work.mems.extend(&self.mems);
        work.tables.extend(&self.tables);
        work.globals.extend(&self.globals);
        work.funcs.extend(&self.imported_funcs);
    }
}

impl FuncInst {
    fn trace(&self, work: &mut Work) {
        match &self.owner {
            FuncOwner::Instance(instance, _) => work.instances.push(*instance),
            FuncOwner::Host { .. } => {}
        }
    }
}

impl TableInst {
    /// The funcrefs it holds, without nulls.
    fn funcrefs(&self) -> impl Iterator<Item = usize> + '_ {
        let len = if self.ty().element.heap.is_func() { self.size() } else { 0 };
        (0..len).filter_map(|at| self.get(at)).map(|raw| raw as usize).filter(|&raw| raw != 0)
    }
}

impl GlobalInst {
    /// The funcref it holds, if it holds one.
    fn funcref(&self) -> impl Iterator<Item = usize> {
        let is_func = matches!(self.ty().content, ValType::Ref(ty) if ty.heap.is_func());
        is_func.then(|| self.get().get_funcref()).filter(|&raw| raw != 0).into_iter()
    }
}

/// Sweeping.
impl Store {
    /// Moves the records of memories, tables and globals that outlive their instance out of its context, and
    /// tells the instances that import them.
    fn move_records_out(&mut self) {
        let dying = |instances: &Arena<ModuleInst>, home: Option<InstAddr>| {
            home.is_some_and(|home| !instances.is_marked(home))
        };
        let mut moved = (HashSet::new(), HashSet::new(), HashSet::new());
        for addr in self.mems.addrs().filter(|&addr| self.mems.is_marked(addr)).collect::<Vec<_>>() {
            let mem = self.mems.get_mut(addr).expect(LISTED);
            if dying(&self.instances, mem.home) {
                mem.leave_home();
                moved.0.insert(addr);
            }
        }
        for addr in self.tables.addrs().filter(|&addr| self.tables.is_marked(addr)).collect::<Vec<_>>() {
            let table = self.tables.get_mut(addr).expect(LISTED);
            if dying(&self.instances, table.home) {
                table.leave_home();
                moved.1.insert(addr);
            }
        }
        for addr in self.globals.addrs().filter(|&addr| self.globals.is_marked(addr)).collect::<Vec<_>>() {
            let global = self.globals.get_mut(addr).expect(LISTED);
            if dying(&self.instances, global.home) {
                global.leave_home();
                moved.2.insert(addr);
            }
        }
        if moved.0.is_empty() && moved.1.is_empty() && moved.2.is_empty() {
            return;
        }
        let marked: Vec<_> = self.instances.addrs().filter(|&addr| self.instances.is_marked(addr)).collect();
        for addr in marked {
            let inst = self.instances.get_mut(addr).expect(LISTED);
            let module = inst.module.clone();
            let (layout, parsed) = (module.layout(), module.module());
            for (at, mem) in
                (0..parsed.imported_mems).zip(&inst.mems).filter(|(_, mem)| moved.0.contains(mem))
            {
                let record = self.mems.get(*mem).expect(LISTED).record();
                inst.ctx.set_imported(layout.mem(MemIdx(at)), record);
            }
            for (at, table) in
                (0..parsed.imported_tables).zip(&inst.tables).filter(|(_, t)| moved.1.contains(t))
            {
                let record = self.tables.get(*table).expect(LISTED).record();
                inst.ctx.set_imported(layout.table(TableIdx(at)), record);
            }
            for (at, global) in
                (0..parsed.imported_globals).zip(&inst.globals).filter(|(_, g)| moved.2.contains(g))
            {
                let record = self.globals.get(*global).expect(LISTED).record();
                inst.ctx.set_imported(layout.global(GlobalIdx(at)), record);
            }
        }
    }

    /// Takes out of the lists what the trace did not reach.
    fn take_unreached(&mut self) -> Dead {
        // An instance's functions go with it, and no sooner: their handles are good as long as it is.
        let instances = &self.instances;
        let gone: Vec<FuncAddr> = self
            .funcs
            .addrs()
            .filter(|&addr| match &self.funcs.get(addr).expect(LISTED).owner {
                FuncOwner::Instance(instance, _) => !instances.is_marked(*instance),
                FuncOwner::Host { .. } => !self.funcs.is_marked(addr),
            })
            .collect();
        Dead {
            funcs: gone.into_iter().filter_map(|addr| self.funcs.remove(addr)).collect(),
            tables: take(&mut self.tables),
            mems: take(&mut self.mems),
            globals: take(&mut self.globals),
            instances: take(&mut self.instances),
        }
    }
}

fn take<T>(list: &mut Arena<T>) -> Vec<T> {
    list.unmarked().into_iter().filter_map(|addr| list.remove(addr)).collect()
}

/// What was taken out, whole until it is dropped. Instances last: records of the others lie in their contexts.
pub(crate) struct Dead {
    funcs: Vec<FuncInst>,
    tables: Vec<TableInst>,
    mems: Vec<MemInst>,
    globals: Vec<GlobalInst>,
    instances: Vec<ModuleInst>,
}

impl Dead {
    fn weight(&self) -> Weight {
        let mems = self.mems.iter().map(MemInst::weight);
        let tables = self.tables.iter().map(TableInst::weight);
        let instances = self.instances.iter().map(ModuleInst::weight);
        mems.chain(tables).chain(instances).chain(self.funcs.iter().map(FuncInst::weight)).sum()
    }

    fn count(&self) -> Reclaimed {
        Reclaimed {
            instances: self.instances.len(),
            functions: self.funcs.iter().filter(|func| func.defined_in().is_none()).count(),
            memories: self.mems.len(),
            tables: self.tables.len(),
            globals: self.globals.len(),
            bytes: self.weight().bytes(),
        }
    }
}
