//! What a store holds, in numbers that are kept wherever something comes, grows or goes.

use crate::func::{FuncInst, FuncOwner, HostRecord};
use crate::instance::ModuleInst;
use crate::loaded::LoadedModule;
use crate::memory::MemInst;
use crate::store::Store;
use crate::table::TableInst;
use std::collections::HashMap;
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

/// What a store holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct MemoryUsage {
    /// Instances.
    pub instances: usize,
    /// Host functions.
    pub host_functions: usize,
    /// Memories, the host's own among them.
    pub memories: usize,
    /// Tables, the host's own among them.
    pub tables: usize,
    /// Globals, the host's own among them.
    pub globals: usize,
    /// Values of the host's that guests may hold references to.
    pub host_references: usize,
    /// Modules whose code the store's instances keep.
    pub modules: usize,
    /// Bytes of linear memories, as guests see them.
    pub memory_bytes: usize,
    /// Bytes of address space that memories reserve, with their guards. This is no memory.
    pub reserved_bytes: usize,
    /// Bytes of tables, with the room that they keep to grow.
    pub table_bytes: usize,
    /// Bytes of instances: their contexts, and the lists of what they import and define.
    pub instance_bytes: usize,
    /// Bytes of host functions, without what their closures hold.
    pub host_function_bytes: usize,
    /// Bytes of the values behind host references, without what these hold in turn.
    pub host_reference_bytes: usize,
    /// Bytes of machine code of those modules. Other stores may use it too.
    pub code_bytes: usize,
    /// Bytes of the store's own lists. Places of what was reclaimed stay in them, to be used again.
    pub list_bytes: usize,
}

impl MemoryUsage {
    /// Bytes that come and go with what the store's instances and the host make: of memories, tables, instances,
    /// host functions and host references. Address space, code and lists are not among them.
    pub fn total_bytes(&self) -> usize {
        self.memory_bytes
            + self.table_bytes
            + self.instance_bytes
            + self.host_function_bytes
            + self.host_reference_bytes
    }
}

macro_rules! weights {
    ($($name:ident,)*) => {
        /// Running sums over all that lives in a store, or the share of one thing.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub(crate) struct Weight { $(pub $name: usize,)* }

        impl AddAssign for Weight {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl SubAssign for Weight {
            fn sub_assign(&mut self, other: Self) {
                $(self.$name -= other.$name;)*
            }
        }
    };
}

weights! {
    memory_bytes,
    reserved_bytes,
    table_bytes,
    table_elements,
    instance_bytes,
    host_functions,
    host_function_bytes,
}

impl Weight {
    /// Bytes, without address space.
    pub fn bytes(&self) -> usize {
        self.memory_bytes + self.table_bytes + self.instance_bytes + self.host_function_bytes
    }
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::default(), |mut sum, weight| {
            sum += weight;
            sum
        })
    }
}

impl MemInst {
    pub(crate) fn weight(&self) -> Weight {
        let (reserved_bytes, memory_bytes) = self.footprint();
        Weight { memory_bytes, reserved_bytes, ..Weight::default() }
    }
}

impl TableInst {
    pub(crate) fn weight(&self) -> Weight {
        let table_elements = self.size() as usize;
        Weight { table_bytes: self.footprint(), table_elements, ..Weight::default() }
    }
}

impl ModuleInst {
    pub(crate) fn weight(&self) -> Weight {
        let lists = self.imported_funcs.footprint()
            + self.mems.footprint()
            + self.tables.footprint()
            + self.globals.footprint()
            + self.dropped_elems.footprint()
            + self.dropped_datas.footprint();
        Weight { instance_bytes: self.ctx.size() + lists, ..Weight::default() }
    }
}

impl FuncInst {
    /// An instance's function weighs nothing: its record is in the context.
    pub(crate) fn weight(&self) -> Weight {
        match self.owner {
            FuncOwner::Instance(..) => Weight::default(),
            FuncOwner::Host { .. } => {
                Weight { host_functions: 1, host_function_bytes: HostRecord::SIZE, ..Weight::default() }
            }
        }
    }
}

impl Store {
    /// What it holds now. Looks at each instance once, for its module.
    pub fn memory_usage(&self) -> MemoryUsage {
        debug_assert_eq!(self.held, self.weighed(), "sums are kept wherever something comes, grows or goes");
        let code: HashMap<*const LoadedModule, usize> =
            self.instances.iter().map(|inst| (Arc::as_ptr(&inst.module), inst.module.code_bytes())).collect();
        let (host_references, host_reference_bytes) = self.externs_held();
        MemoryUsage {
            instances: self.instances.len(),
            host_functions: self.held.host_functions,
            memories: self.mems.len(),
            tables: self.tables.len(),
            globals: self.globals.len(),
            host_references,
            modules: code.len(),
            memory_bytes: self.held.memory_bytes,
            reserved_bytes: self.held.reserved_bytes,
            table_bytes: self.held.table_bytes,
            instance_bytes: self.held.instance_bytes,
            host_function_bytes: self.held.host_function_bytes,
            host_reference_bytes,
            code_bytes: code.values().sum(),
            list_bytes: self.instances.footprint()
                + self.funcs.footprint()
                + self.mems.footprint()
                + self.tables.footprint()
                + self.globals.footprint()
                + self.externs.spare()
                + self.roots.footprint(),
        }
    }

    /// The running sums, summed anew.
    fn weighed(&self) -> Weight {
        let mems = self.mems.iter().map(MemInst::weight);
        let tables = self.tables.iter().map(TableInst::weight);
        let instances = self.instances.iter().map(ModuleInst::weight);
        mems.chain(tables).chain(instances).chain(self.funcs.iter().map(FuncInst::weight)).sum()
    }
}
