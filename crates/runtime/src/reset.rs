//! Putting an instance back to its first state, in place: handles to it and to what it defines stay good.

use crate::addr::{Handle, HandleError, InstAddr};
use crate::const_eval::evaluate;
use crate::instance::ModuleInst;
use crate::instantiate::{InstantiateError, init_table};
use crate::limits::GrowError;
use crate::memory::{MemInst, NewMemory};
use crate::store::Store;
use std::fmt;
use tenure_module::ImportType;

/// Why an instance was not reset.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResetError {
    /// Its handle cannot be used.
    Handle(HandleError),
    /// A call is active in its store.
    Active,
    /// Another instance imports a memory or table of it, and relies on a size beyond the first.
    Imported {
        /// What is imported.
        what: &'static str,
        /// Its index in the module.
        index: u32,
        /// The size that the other relies on.
        needed: u64,
    },
    /// A memory could not be made.
    Memory(GrowError),
    /// A table could not be made.
    Table(GrowError),
    /// A segment does not fit into what it is for, which is imported and has another size by now.
    Segment(InstantiateError),
}

impl fmt::Display for ResetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::Active => f.write_str("a call is active in the store of the instance"),
            Self::Imported { what, index, needed } => {
                write!(f, "another instance imports {what} {index} and relies on its size of {needed}")
            }
            Self::Memory(error) => write!(f, "memory not made: {error}"),
            Self::Table(error) => write!(f, "table not made: {error}"),
            Self::Segment(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResetError {}

impl From<HandleError> for ResetError {
    fn from(error: HandleError) -> Self {
        Self::Handle(error)
    }
}

impl Store {
    /// Puts what `instance` defines back to how it was made: memories, tables, globals, segments, and applies its
    /// active segments again. What it imports is not touched but by those; its start function is not run.
    ///
    /// # Errors
    /// [`ResetError`]. Nothing has changed then, but for [`ResetError::Segment`].
    pub fn reset_instance(&mut self, instance: Handle<ModuleInst>) -> Result<(), ResetError> {
        let inst = self.instance(instance)?;
        if self.is_active() {
            return Err(ResetError::Active);
        }
        let module = inst.module().clone();
        let parsed = module.module();
        let (first_mem, first_table) = (parsed.imported_mems as usize, parsed.imported_tables as usize);
        let own_mems = inst.mems[first_mem..].to_vec();
        let own_tables = inst.tables[first_table..].to_vec();
        let own_globals = inst.globals[parsed.imported_globals as usize..].to_vec();
        self.check_importers(instance.addr)?;

        // All that can fail comes before all that changes something.
        let mut mems = Vec::with_capacity(own_mems.len());
        for (place, ty) in parsed.mems[first_mem..].iter().enumerate() {
            let new = NewMemory {
                ty: *ty,
                plan: module.tunables().memory_plan(ty),
                pool: self.space().memories(),
                image: module.images().unwrap_or_default().get(place).and_then(Option::as_ref),
                entries: self.entries,
                later: false,
            };
            mems.push(MemInst::of_its_own(new).map_err(ResetError::Memory)?);
        }
        let ctx = &self.instances.get(instance.addr).expect(OWN).ctx;
        let tables = (0..own_tables.len()).map(|at| module.template().fresh_table(at, &module, ctx));
        let tables: Vec<_> = tables.collect::<Result<_, _>>().map_err(ResetError::Table)?;

        for (addr, fresh) in own_mems.into_iter().zip(mems) {
            let mem = self.mems.get_mut(addr).expect(OWN);
            self.held -= mem.weight();
            mem.settle(self.entries);
            mem.start_anew(fresh);
            self.held += mem.weight();
        }
        for (&addr, fresh) in own_tables.iter().zip(tables) {
            let table = self.tables.get_mut(addr).expect(OWN);
            self.held -= table.weight();
            table.start_anew(fresh);
            table.fill(0, 0, table.size());
            self.held += table.weight();
        }
        for (&addr, decl) in own_globals.iter().zip(&parsed.globals[parsed.imported_globals as usize..]) {
            let init = decl.init.as_ref().expect("a defined global has a value");
            let ctx = &self.instances.get(instance.addr).expect(OWN).ctx;
            let value = evaluate(&module, ctx, init);
            self.globals.get_mut(addr).expect(OWN).set(value);
        }
        for (at, &addr) in own_tables.iter().enumerate() {
            let ctx = &self.instances.get(instance.addr).expect(OWN).ctx;
            init_table(self.tables.get_mut(addr).expect(OWN), at, &module, ctx);
        }
        let inst = self.instances.get_mut(instance.addr).expect(OWN);
        inst.dropped_elems = module.template().dropped_elems();
        inst.dropped_datas = module.template().dropped_datas();
        self.apply_segments(instance.addr).map_err(ResetError::Segment)
    }

    /// Whether the memories and tables of `instance` may get their first size: compiled code of who imports one
    /// relies on the size that its import asks for.
    fn check_importers(&self, instance: InstAddr) -> Result<(), ResetError> {
        let inst = self.instances.get(instance).expect(OWN);
        let parsed = inst.module().module();
        let mems = (parsed.imported_mems..).zip(&inst.mems[parsed.imported_mems as usize..]);
        let grown_mems: Vec<_> = mems
            .filter(|&(index, &addr)| {
                self.mems.get(addr).expect(OWN).size() > parsed.mems[index as usize].min
            })
            .collect();
        let tables = (parsed.imported_tables..).zip(&inst.tables[parsed.imported_tables as usize..]);
        let grown_tables: Vec<_> = tables
            .filter(|&(index, &addr)| {
                self.tables.get(addr).expect(OWN).size() > parsed.tables[index as usize].ty.min
            })
            .collect();
        if grown_mems.is_empty() && grown_tables.is_empty() {
            return Ok(());
        }
        for other in self.instances.iter() {
            let (mut mem_at, mut table_at) = (0, 0);
            for import in &other.module().module().imports {
                match &import.ty {
                    ImportType::Mem(ty) => {
                        let used = other.mems[mem_at];
                        mem_at += 1;
                        for &(index, &addr) in &grown_mems {
                            if addr == used && ty.min > parsed.mems[index as usize].min {
                                return Err(ResetError::Imported { what: "memory", index, needed: ty.min });
                            }
                        }
                    }
                    ImportType::Table(ty) => {
                        let used = other.tables[table_at];
                        table_at += 1;
                        for &(index, &addr) in &grown_tables {
                            if addr == used && ty.min > parsed.tables[index as usize].ty.min {
                                return Err(ResetError::Imported { what: "table", index, needed: ty.min });
                            }
                        }
                    }
                    ImportType::Func(_) | ImportType::Global(_) => {}
                }
            }
        }
        Ok(())
    }
}

const OWN: &str = "what an instance defines lives as long as it";
