//! Release and reclaim: the store gives back what nothing can reach.
//!
//! ```text
//! roots  what the host holds: it made it, and has not released it; host values that it has rooted
//! edges  instance → its imports, memories, tables, globals
//!        table, global → the functions they hold → the instances that define those
//!        table, global → the host values they hold
//! ```
//! What a trace from the roots does not reach goes: cycles are no special case. A memory, table or global
//! may outlive the instance that defines it; its record then moves out of that instance's context.
//!
//! Nothing is freed while a call is active, so no frame needs to be looked at. Who holds something says so in
//! its [`Holder`].

use crate::addr::{Addr, FuncAddr, GlobalAddr, Handle, HandleError, InstAddr, MemAddr, TableAddr};
use crate::arena::Arena;
use crate::externs::{Externs, HostValue};
use crate::func::FuncInst;
use crate::global::GlobalInst;
use crate::instance::ModuleInst;
use crate::memory::MemInst;
use crate::roots::Roots;
use crate::scope::Claimed;
use crate::store::Store;
use crate::table::TableInst;
use crate::usage::Weight;
use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use tenure_abi::vm::VmFuncRef;
use tenure_types::{GlobalIdx, HeapType, MemIdx, TableIdx};

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
    /// Values of the host's behind references.
    pub host_references: usize,
    /// Bytes of memories, tables, instances, host functions and host references.
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

/// A kind of thing that a store owns: it stands in a list, and may hold others as a `Holder`.
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
    /// The host holds the item at `addr` from now on: a new one of its own. Whatever was released by then may go.
    pub(crate) fn claim<T: Owned>(&mut self, addr: Addr<T>) {
        T::list(self).0.claim(addr);
        self.note_in_scope(addr);
        self.reclaim_if_due();
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
        let Some(dead) = self.take_dead() else { return Reclaimed::default() };
        let count = dead.count;
        dead.bury();
        count
    }

    /// Takes out everything that nothing reaches, for the caller to bury; nothing during a call.
    pub(crate) fn take_dead(&mut self) -> Option<Dead> {
        if self.is_active() {
            return None;
        }
        self.released = 0;
        let held = self.held.bytes();
        let Reached { host_funcs, outliving } = self.trace();
        if outliving > 0 || cfg!(debug_assertions) {
            let moved = self.move_records_out();
            debug_assert_eq!(moved, outliving, "everything that outlives its instance is counted");
        }
        self.forget_unready();
        let mut dead = self.take_unreached(host_funcs);
        // What outlives its instance may have moved to a place of its own.
        dead.count.bytes += held.saturating_sub(self.held.bytes());
        self.forget_reclaimed_links();
        self.lived = self.instances.len() + self.funcs.len() + self.externs.len();
        Some(dead)
    }

    /// Reclaims when what was released since the last time outweighs what lived then, so that the cost of
    /// tracing is a constant share of the work between two traces. A new host value counts as released: most
    /// are by the next time, without a word.
    pub(crate) fn reclaim_if_due(&mut self) {
        let released = self.released + self.externs.fresh();
        if released > self.lived.max(LEAST_RELEASED) && self.reclaims_itself {
            self.reclaim();
        }
    }

    /// Whether the store reclaims by itself, when something is made in it.
    pub fn set_automatic_reclaim(&mut self, on: bool) {
        self.reclaims_itself = on;
    }
}

/// Fewer releases than this are not worth a trace.
const LEAST_RELEASED: usize = 64;

/// What can hold other things of its store: they live as long as it is reached.
///
/// Each kind of holder takes itself apart without `..`, so that a new field compiles only when somebody has said
/// whether it holds something; and a reference goes through [`Work::reference`], which knows every kind.
pub(crate) trait Holder {
    /// Adds what it holds to `work`.
    fn trace(&self, work: &mut Work);
}

/// What was reached and not looked at yet.
#[derive(Default)]
pub(crate) struct Work {
    pub instances: Vec<InstAddr>,
    pub funcs: Vec<FuncAddr>,
    pub mems: Vec<MemAddr>,
    pub tables: Vec<TableAddr>,
    pub globals: Vec<GlobalAddr>,
    /// Funcrefs, as addresses of their records.
    funcrefs: Vec<usize>,
    /// Numbers of host values.
    externs: Vec<u32>,
    /// How many host functions were reached.
    pub host_funcs: usize,
    /// How many memories, tables and globals the instances define that were reached.
    pub defined: usize,
    /// How many were reached that are no instance's, or not any more.
    pub homeless: usize,
    /// The context of the instance that was looked at last: what its tables and globals hold lies there mostly.
    pub own: Range<usize>,
}

impl Work {
    /// Adds what a reference to a `heap` refers to, given as guests hold it.
    #[inline]
    pub fn reference(&mut self, heap: HeapType, raw: u64) {
        if raw == 0 {
            return;
        }
        match heap {
            // An instance that was looked at is marked, and its functions go with it.
            HeapType::Func | HeapType::Concrete(_) if self.own.contains(&(raw as usize)) => {}
            HeapType::Func | HeapType::Concrete(_) => self.funcrefs.push(raw as usize),
            HeapType::Extern => self.externs.push(raw as u32),
            HeapType::NoFunc | HeapType::NoExtern => {}
        }
    }
}

impl Holder for MemInst {
    /// Nothing: bytes are no references.
    fn trace(&self, work: &mut Work) {
        work.homeless += usize::from(self.is_homeless());
    }
}

impl Holder for Roots {
    fn trace(&self, work: &mut Work) {
        work.externs.extend(self.numbers());
    }
}

/// What a trace has found, beside its marks.
struct Reached {
    /// How many host functions were reached.
    host_funcs: usize,
    /// How many memories, tables and globals of instances that were not.
    outliving: usize,
}

/// Tracing.
impl Store {
    /// Marks what is reached.
    fn trace(&mut self) -> Reached {
        self.instances.unmark_all();
        self.funcs.unmark_all();
        self.mems.unmark_all();
        self.tables.unmark_all();
        self.globals.unmark_all();
        self.externs.unmark_all();
        self.roots.trim();
        let mut work = Work::default();
        self.trace_claimed::<ModuleInst>(&mut work);
        self.trace_claimed::<FuncInst>(&mut work);
        self.trace_claimed::<MemInst>(&mut work);
        self.trace_claimed::<TableInst>(&mut work);
        self.trace_claimed::<GlobalInst>(&mut work);
        self.roots.trace(&mut work);
        work.externs.into_iter().for_each(|number| self.externs.mark(number));
        let items = self.mems.marked_count() + self.tables.marked_count() + self.globals.marked_count();
        Reached { host_funcs: work.host_funcs, outliving: items - work.defined - work.homeless }
    }

    /// Marks what the host holds of a kind, and all that it reaches: of one thing after the other, so that what lies
    /// together is looked at together.
    fn trace_claimed<T: Owned + Holder>(&mut self, work: &mut Work) {
        let mut from = 0;
        while let Some(addr) = T::list(self).0.next_claimed(from) {
            visit(T::list(self).0, addr, work);
            self.trace_work(work);
            from = addr.slot + 1;
        }
    }

    /// Looks at all that is to be looked at.
    fn trace_work(&mut self, work: &mut Work) {
        loop {
            if let Some(addr) = work.instances.pop() {
                visit(&mut self.instances, addr, work);
            } else if let Some(addr) = work.funcs.pop() {
                visit(&mut self.funcs, addr, work);
            } else if let Some(addr) = work.tables.pop() {
                visit(&mut self.tables, addr, work);
            } else if let Some(addr) = work.globals.pop() {
                visit(&mut self.globals, addr, work);
            } else if let Some(addr) = work.mems.pop() {
                visit(&mut self.mems, addr, work);
            } else if let Some(raw) = work.funcrefs.pop() {
                self.follow(raw, work);
            } else {
                break;
            }
        }
    }

    /// Adds the function of a funcref.
    fn follow(&self, raw: usize, work: &mut Work) {
        let funcref = ptr::with_exposed_provenance::<VmFuncRef>(raw);
        // SAFETY: a funcref in something that was reached is the record of a function that was not reclaimed:
        // whatever holds it kept its function reached at every earlier trace.
        let (handle, vmctx) = unsafe { ((*funcref).handle, (*funcref).vmctx) };
        if handle == VmFuncRef::NO_HANDLE {
            // SAFETY: only instances' functions come without a handle; their context is as alive as they.
            let instance = InstAddr::from_bits(unsafe { (*vmctx).instance });
            if !self.instances.is_marked(instance) {
                work.instances.push(instance);
            }
        } else if !self.funcs.is_slot_marked(handle) {
            work.funcs.extend(self.funcs.addr_of_slot(handle));
        }
    }
}

/// Marks what is at `addr`, and adds what it holds when it was not marked before.
fn visit<T: Holder>(list: &mut Arena<T>, addr: Addr<T>, work: &mut Work) {
    if list.mark(addr)
        && let Some(item) = list.get(addr)
    {
        item.trace(work);
    }
}

const LISTED: &str = "marked just now, so in the list";

/// Sweeping.
impl Store {
    /// Moves the records of memories, tables and globals that outlive their instance out of its context, and
    /// tells the instances that import them; how many.
    fn move_records_out(&mut self) -> usize {
        let types = self.types().clone();
        let (mut mems, mut tables, mut globals) = (HashSet::new(), HashSet::new(), HashSet::new());
        for inst in self.instances.unmarked() {
            let parsed = inst.module.module();
            let own = inst.mems.iter().skip(parsed.imported_mems as usize);
            mems.extend(own.filter(|&&mem| self.mems.is_marked(mem)));
            let own = inst.tables.iter().skip(parsed.imported_tables as usize);
            tables.extend(own.filter(|&&table| self.tables.is_marked(table)));
            let own = inst.globals.iter().skip(parsed.imported_globals as usize);
            globals.extend(own.filter(|&&global| self.globals.is_marked(global)));
        }
        let count = mems.len() + tables.len() + globals.len();
        if count == 0 {
            return 0;
        }
        for &mem in &mems {
            self.mems.get_mut(mem).expect(LISTED).leave_home();
        }
        for &table in &tables {
            let table = self.tables.get_mut(table).expect(LISTED);
            self.held -= table.weight();
            table.leave_home(&types);
            self.held += table.weight();
        }
        for &global in &globals {
            self.globals.get_mut(global).expect(LISTED).leave_home(&types);
        }
        for addr in self.instances.marked().collect::<Vec<_>>() {
            let inst = self.instances.get_mut(addr).expect(LISTED);
            let module = inst.module.clone();
            let (layout, parsed) = (module.layout(), module.module());
            for (at, mem) in (0..parsed.imported_mems).zip(&inst.mems).filter(|(_, mem)| mems.contains(mem)) {
                let record = self.mems.get(*mem).expect(LISTED).record();
                inst.ctx.set_imported(layout.mem(MemIdx(at)), record);
            }
            for (at, table) in
                (0..parsed.imported_tables).zip(&inst.tables).filter(|(_, t)| tables.contains(t))
            {
                let record = self.tables.get(*table).expect(LISTED).record();
                inst.ctx.set_imported(layout.table(TableIdx(at)), record);
            }
            for (at, global) in
                (0..parsed.imported_globals).zip(&inst.globals).filter(|(_, g)| globals.contains(g))
            {
                let record = self.globals.get(*global).expect(LISTED).record();
                inst.ctx.set_imported(layout.global(GlobalIdx(at)), record);
            }
        }
        count
    }

    /// Takes out of the lists what the trace did not reach, which found `host_funcs` host functions; frees all of it
    /// but what the host gave.
    fn take_unreached(&mut self, host_funcs: usize) -> Dead {
        let (mut count, mut weight) = (Reclaimed::default(), Weight::default());
        // An instance's functions go with it, and no sooner: their handles are good as long as it is.
        let instances = &self.instances;
        let none_gone = instances.all_marked() && host_funcs == self.held.host_functions;
        let is_kept = |func: &FuncInst| func.defined_in().is_some_and(|(home, _)| instances.is_marked(home));
        let mut funcs = Vec::new();
        if !none_gone {
            self.funcs.take_unmarked(is_kept, |func| {
                weight += func.weight();
                if func.defined_in().is_none() {
                    funcs.push(func);
                }
            });
        }
        self.tables.sweep(|table| {
            count.tables += 1;
            weight += table.weight();
        });
        self.mems.sweep(|mem| {
            count.memories += 1;
            weight += mem.weight();
            mem.settle(self.entries);
        });
        self.globals.sweep(|_| count.globals += 1);
        // Instances last: records of the others lie in their contexts.
        self.instances.sweep(|inst| {
            count.instances += 1;
            weight += inst.weight();
        });
        self.held -= weight;
        let externs = self.externs.sweep();
        count.functions = funcs.len();
        count.host_references = externs.len();
        count.bytes = externs.iter().map(Externs::weight).sum();
        Dead { count, funcs, externs }
    }
}

/// What was taken out, and of that what the host gave, whole until it is buried.
pub(crate) struct Dead {
    count: Reclaimed,
    funcs: Vec<FuncInst>,
    externs: Vec<HostValue>,
}

impl Dead {
    /// Drops everything, when the store is whole again: host closures and values may do anything then, or panic.
    ///
    /// # Panics
    /// When one of those does: with its payload, after all the others were dropped.
    pub fn bury(self) {
        let Self { count: _, funcs, externs } = self;
        let mut panics = Panics::default();
        panics.bury(funcs);
        panics.bury(externs);
        panics.resume();
    }
}

/// Panics of what the host gave, while it is dropped: the first goes on when everything is done.
#[derive(Default)]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    /// Drops each of `dead`.
    pub fn bury<T>(&mut self, dead: impl IntoIterator<Item = T>) {
        for item in dead {
            let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(item))) else { continue };
            match self.0 {
                None => self.0 = Some(payload),
                // A payload may panic in its own `Drop`; nobody would catch that.
                Some(_) => std::mem::forget(payload),
            }
        }
    }

    /// Goes on with the first panic, if there was one and nothing is unwinding already.
    pub fn resume(self) {
        match self.0 {
            Some(payload) if std::thread::panicking() => std::mem::forget(payload),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_types::TypeId;

    /// One heap type after the other; `None` after the last. A new one makes this incomplete.
    fn after(heap: HeapType) -> Option<HeapType> {
        match heap {
            HeapType::Func => Some(HeapType::Concrete(TypeId(0))),
            HeapType::Concrete(_) => Some(HeapType::NoFunc),
            HeapType::NoFunc => Some(HeapType::Extern),
            HeapType::Extern => Some(HeapType::NoExtern),
            HeapType::NoExtern => None,
        }
    }

    #[test]
    fn every_kind_of_reference_is_followed_and_null_is_not() {
        let mut heap = Some(HeapType::Func);
        while let Some(kind) = heap {
            let (mut work, mut nothing) = (Work::default(), Work::default());
            work.reference(kind, 8);
            nothing.reference(kind, 0);
            let only_null = HeapType::NoFunc.matches(kind) && kind.matches(HeapType::NoFunc)
                || HeapType::NoExtern.matches(kind) && kind.matches(HeapType::NoExtern);
            let followed = |work: &Work| work.funcrefs.len() + work.externs.len();
            assert_eq!((followed(&work), followed(&nothing)), (usize::from(!only_null), 0), "{kind:?}");
            heap = after(kind);
        }
    }
}
