//! Pools: what waits to be used again, and what instances of all stores may have together.

use std::fmt;
use tenure_runtime::{MemoryPoolConfig, PoolingLimits};

/// How the memory of instances is kept for the next, and whether all stores together have limits.
///
/// The mechanism is one: address space of memories that went waits, clean, for the next instance, and a module's
/// instances find theirs ready. A pool says how much waits, and limits what the engine's instances have together.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum InstanceAllocationStrategy {
    /// No limits beside those of each store; up to 1,000 memories wait, of which 100 keep up to 512 KiB each.
    #[default]
    OnDemand,
    /// As the configuration says.
    Pooling(PoolingAllocationConfig),
}

impl InstanceAllocationStrategy {
    /// A pool with every setting at its default.
    pub fn pooling() -> Self {
        Self::Pooling(PoolingAllocationConfig::default())
    }

    pub(crate) fn pool(&self) -> Option<&PoolingAllocationConfig> {
        match self {
            Self::OnDemand => None,
            Self::Pooling(pool) => Some(pool),
        }
    }
}

impl From<PoolingAllocationConfig> for InstanceAllocationStrategy {
    fn from(pool: PoolingAllocationConfig) -> Self {
        Self::Pooling(pool)
    }
}

/// Whether something that not every system has is to be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Enabled {
    /// If the system has it.
    Auto,
    /// Yes; an engine cannot be made where the system does not have it.
    Yes,
    /// No.
    No,
}

/// A setting's value, out of a number.
trait Setting: Sized {
    fn of(number: u64) -> Option<Self>;
}

impl Setting for u32 {
    fn of(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Setting for usize {
    fn of(number: u64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl Setting for Enabled {
    fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::No),
            1 => Some(Self::Yes),
            _ => None,
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident, $get:ident: $ty:ty = $default:expr;)*) => {
        /// A pool of what instances are made of: see [`InstanceAllocationStrategy::Pooling`].
        ///
        /// Nothing is made in advance, so generous limits cost nothing. What is over a limit is an error that names the
        /// limit; what the store released is reclaimed before.
        ///
        /// ```
        /// use tenure_engine::{Config, Engine, PoolingAllocationConfig};
        ///
        /// let mut pool = PoolingAllocationConfig::new();
        /// pool.total_core_instances(500).max_memory_size(64 << 20);
        /// let mut config = Config::new();
        /// config.allocation_strategy(pool);
        /// assert!(Engine::new(&config).is_ok());
        /// ```
        #[derive(Clone, Debug)]
        pub struct PoolingAllocationConfig { $($name: $ty,)* }

        impl Default for PoolingAllocationConfig {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl PoolingAllocationConfig {
            $($(#[$doc])*
            pub fn $name(&mut self, value: $ty) -> &mut Self {
                self.$name = value;
                self
            }

            #[doc = concat!("What [`", stringify!($name), "`](Self::", stringify!($name), ") was set to.")]
            pub fn $get(&self) -> $ty {
                self.$name
            }
            )*

            /// Sets the setting `name`; `None` when there is none of this name, or it cannot be that.
            pub(crate) fn set(&mut self, name: &str, number: u64) -> Option<()> {
                match name {
                    $(stringify!($name) => self.$name = Setting::of(number)?,)*
                    _ => return None,
                }
                Some(())
            }
        }
    };
}

// setter, getter: type = default
settings! {
    /// Memories that keep pages while they wait; others give all of theirs back to the system. The default is 100.
    max_unused_warm_slots, get_max_unused_warm_slots: u32 = 100;
    /// Most bytes that such a memory keeps. Where more was written, all pages are given back. With 0 none are kept. The
    /// default is 512 KiB.
    linear_memory_keep_resident, get_memory_keep_resident: usize = 512 << 10;
    /// Instances of all stores. The default is 10,000.
    total_core_instances, get_total_core_instances: u32 = 10_000;
    /// Memories of instances of all stores. As many may wait; waiting costs address space, which is taken as memories
    /// are made. The default is 20,000.
    total_memories, get_total_memories: u32 = 20_000;
    /// Tables of instances of all stores. The default is 20,000.
    total_tables, get_total_tables: u32 = 20_000;
    /// Bytes of the records of one instance: more the more functions, globals and imports its module has. The default is
    /// 1 MiB.
    max_core_instance_size, get_max_core_instance_size: usize = 1 << 20;
    /// Memories that a module may define. Unlimited unless set: no room is kept for them.
    max_memories_per_module, get_max_memories_per_module: u32 = u32::MAX;
    /// Tables that a module may define. Unlimited unless set, as memories.
    max_tables_per_module, get_max_tables_per_module: u32 = u32::MAX;
    /// Bytes that one memory may grow to, beside [`Limits::memory_bytes`](tenure_runtime::Limits::memory_bytes). The default
    /// is 16 GiB.
    max_memory_size, get_max_memory_size: usize = 16 << 30;
    /// Elements that one table may grow to, beside [`Limits::table_elements`](tenure_runtime::Limits::table_elements). The
    /// default is 10,000,000.
    table_elements, get_table_elements: usize = 10_000_000;
    /// Whether the system is asked which pages of a memory were written, so that only those are put back (Linux has it
    /// since 6.7). Without it the pages of memories above 128 KiB are given back. The default is [`Enabled::Auto`].
    pagemap_scan, get_pagemap_scan: Enabled = Enabled::Auto;
    /// Without effect: pages are given back when a memory goes, one system call each, and only where
    /// [`max_unused_warm_slots`](Self::max_unused_warm_slots) do not keep them.
    decommit_batch_size, get_decommit_batch_size: usize = 1;
    /// Without effect: tables are small and come from the allocator of the program.
    table_keep_resident, get_table_keep_resident: usize = 0;
    /// Without effect: memories are told apart by guard pages or checks. [`Enabled::Yes`] is refused. The default is
    /// [`Enabled::No`].
    memory_protection_keys, get_memory_protection_keys: Enabled = Enabled::No;
    /// Without effect, as [`memory_protection_keys`](Self::memory_protection_keys).
    max_memory_protection_keys, get_max_memory_protection_keys: usize = 16;
    /// Without effect yet: there are no asynchronous calls, so no stacks for them.
    total_stacks, get_total_stacks: u32 = 10_000;
    /// Without effect yet, as [`total_stacks`](Self::total_stacks).
    async_stack_keep_resident, get_async_stack_keep_resident: usize = 0;
    /// Without effect yet: guests have no collected heaps.
    total_gc_heaps, get_total_gc_heaps: u32 = 10_000;
    /// Without effect: there are no components.
    total_component_instances, get_total_component_instances: u32 = 10_000;
    /// Without effect: there are no components.
    max_component_instance_size, get_max_component_instance_size: usize = 1 << 20;
    /// Without effect: there are no components.
    max_core_instances_per_component, get_max_core_instances_per_component: u32 = u32::MAX;
    /// Without effect: there are no components.
    max_memories_per_component, get_max_memories_per_component: u32 = u32::MAX;
    /// Without effect: there are no components.
    max_tables_per_component, get_max_tables_per_component: u32 = u32::MAX;
}

impl PoolingAllocationConfig {
    /// Every setting at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this system tells which pages were written: see [`pagemap_scan`](Self::pagemap_scan).
    pub fn is_pagemap_scan_available() -> bool {
        tenure_sys::PageScan::new().is_ok()
    }

    /// Whether memory protection keys are used here: never.
    pub fn are_memory_protection_keys_available() -> bool {
        false
    }

    pub(crate) fn to_limits(&self) -> PoolingLimits {
        PoolingLimits {
            total_core_instances: self.total_core_instances.into(),
            total_memories: self.total_memories.into(),
            total_tables: self.total_tables.into(),
            max_memories_per_module: self.max_memories_per_module.into(),
            max_tables_per_module: self.max_tables_per_module.into(),
            max_core_instance_size: self.max_core_instance_size as u64,
            max_memory_size: self.max_memory_size as u64,
            table_elements: self.table_elements as u64,
        }
    }

    pub(crate) fn to_memory_pool(&self) -> MemoryPoolConfig {
        MemoryPoolConfig {
            most_waiting: self.total_memories as usize,
            most_warm: self.max_unused_warm_slots as usize,
            keep_resident: self.linear_memory_keep_resident,
            scan_pages: self.pagemap_scan != Enabled::No,
            ..MemoryPoolConfig::default()
        }
    }
}

/// Numbers of a pool, as of now: see [`InstanceAllocationStrategy::Pooling`].
#[derive(Clone)]
pub struct PoolingAllocatorMetrics(std::sync::Arc<tenure_runtime::CodeSpace>);

impl PoolingAllocatorMetrics {
    pub(crate) fn new(space: &std::sync::Arc<tenure_runtime::CodeSpace>) -> Option<Self> {
        space.pooling().is_some().then(|| Self(space.clone()))
    }

    fn live(&self) -> [u64; 3] {
        self.0.pooling().map(|pooling| pooling.live()).unwrap_or_default()
    }

    /// Instances that live.
    pub fn core_instances(&self) -> u64 {
        self.live()[0]
    }

    /// Components that live: there are none.
    pub fn component_instances(&self) -> u64 {
        0
    }

    /// Memories of instances that live.
    pub fn memories(&self) -> usize {
        usize::try_from(self.live()[1]).unwrap_or(usize::MAX)
    }

    /// Tables of instances that live.
    pub fn tables(&self) -> usize {
        usize::try_from(self.live()[2]).unwrap_or(usize::MAX)
    }

    /// Stacks of asynchronous calls: there are none.
    pub fn stacks(&self) -> usize {
        0
    }

    /// Collected heaps: there are none.
    pub fn gc_heaps(&self) -> usize {
        0
    }

    /// Memories that wait and keep pages.
    pub fn unused_warm_memories(&self) -> u32 {
        u32::try_from(self.0.memories_in_use().warm).unwrap_or(u32::MAX)
    }

    /// Bytes that those are known to keep.
    pub fn unused_memory_bytes_resident(&self) -> usize {
        self.0.memories_in_use().resident
    }

    /// Tables that wait: none do.
    pub fn unused_warm_tables(&self) -> u32 {
        0
    }

    /// Bytes that tables keep while they wait: none do.
    pub fn unused_table_bytes_resident(&self) -> usize {
        0
    }

    /// Stacks that wait: there are none.
    pub fn unused_warm_stacks(&self) -> u32 {
        0
    }

    /// Bytes that stacks keep while they wait: there are none.
    pub fn unused_stack_bytes_resident(&self) -> Option<usize> {
        None
    }
}

impl fmt::Debug for PoolingAllocatorMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolingAllocatorMetrics").field("live", &self.live()).finish_non_exhaustive()
    }
}
