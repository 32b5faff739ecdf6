//! A pool's limits: how much of everything the instances of one engine have together, over all its stores.

use crate::limits::{LimitError, within_pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tenure_abi::CtxLayout;
use tenure_module::Module;

/// What an engine's pool may hold, and what one module may ask of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolingLimits {
    /// Instances that live.
    pub total_core_instances: u64,
    /// Memories of instances that live.
    pub total_memories: u64,
    /// Tables of instances that live.
    pub total_tables: u64,
    /// Memories that one module may define.
    pub max_memories_per_module: u64,
    /// Tables that one module may define.
    pub max_tables_per_module: u64,
    /// Bytes of one instance's context.
    pub max_core_instance_size: u64,
    /// Bytes of one memory.
    pub max_memory_size: u64,
    /// Elements of one table.
    pub table_elements: u64,
}

/// The limits of an engine's pool, and what lives.
#[derive(Debug)]
pub struct Pooling {
    limits: PoolingLimits,
    live: [AtomicU64; 3],
}

/// What is counted.
#[derive(Clone, Copy)]
enum Kind {
    Instance,
    Memory,
    Table,
}

impl Pooling {
    pub(crate) fn new(limits: PoolingLimits) -> Arc<Self> {
        Arc::new(Self { limits, live: Default::default() })
    }

    /// The limits.
    pub fn limits(&self) -> &PoolingLimits {
        &self.limits
    }

    /// Instances, memories of instances, and tables of instances that live.
    pub fn live(&self) -> [u64; 3] {
        self.live.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Checks what does not depend on what lives.
    pub(crate) fn check_module(&self, module: &Module, layout: &CtxLayout) -> Result<(), LimitError> {
        let limits = &self.limits;
        let (memories, tables) = own(module);
        within_pool("max_core_instance_size", limits.max_core_instance_size, layout.size() as u64)?;
        within_pool("max_memories_per_module", limits.max_memories_per_module, memories)?;
        within_pool("max_tables_per_module", limits.max_tables_per_module, tables)
    }

    /// Takes the places of an instance of `module`, or none.
    pub(crate) fn enter(self: &Arc<Self>, module: &Module) -> Result<Places, LimitError> {
        let (memories, tables) = own(module);
        Ok(Places {
            instance: self.take(Kind::Instance, 1)?,
            memories: self.take(Kind::Memory, memories)?,
            tables: self.take(Kind::Table, tables)?,
        })
    }

    /// Whether an instance with so many memories and tables could enter now.
    pub(crate) fn check_room(&self, memories: u64, tables: u64) -> Result<(), LimitError> {
        let [live_instances, live_memories, live_tables] = self.live();
        self.check(Kind::Instance, live_instances + 1)?;
        self.check(Kind::Memory, live_memories + memories)?;
        self.check(Kind::Table, live_tables + tables)
    }

    fn check(&self, kind: Kind, wanted: u64) -> Result<(), LimitError> {
        match kind {
            Kind::Instance => within_pool("total_core_instances", self.limits.total_core_instances, wanted),
            Kind::Memory => within_pool("total_memories", self.limits.total_memories, wanted),
            Kind::Table => within_pool("total_tables", self.limits.total_tables, wanted),
        }
    }

    fn take(self: &Arc<Self>, kind: Kind, count: u64) -> Result<Place, LimitError> {
        if count == 0 {
            return Ok(Place::default());
        }
        let live = self.live[kind as usize].fetch_add(count, Ordering::Relaxed);
        // Given back at once when it is too many.
        let place = Place { pooling: Some(self.clone()), kind, count };
        self.check(kind, live + count)?;
        Ok(place)
    }
}

/// Memories and tables that instances of `module` define.
fn own(module: &Module) -> (u64, u64) {
    let memories = module.mems.len() as u64 - u64::from(module.imported_mems);
    (memories, module.tables.len() as u64 - u64::from(module.imported_tables))
}

/// The places of one instance, without which there is no pool.
#[derive(Default)]
pub(crate) struct Places {
    pub instance: Place,
    pub memories: Place,
    pub tables: Place,
}

/// Places in a pool, given back when this goes; or none.
pub(crate) struct Place {
    pooling: Option<Arc<Pooling>>,
    kind: Kind,
    count: u64,
}

impl Place {
    /// One of its places, on its own.
    pub fn take_one(&mut self) -> Place {
        match self.count {
            0 => Place::default(),
            1 => std::mem::take(self),
            _ => {
                self.count -= 1;
                Place { pooling: self.pooling.clone(), kind: self.kind, count: 1 }
            }
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { pooling: None, kind: Kind::Instance, count: 0 }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pooling) = &self.pooling {
            pooling.live[self.kind as usize].fetch_sub(self.count, Ordering::Relaxed);
        }
    }
}
