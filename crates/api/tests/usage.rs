//! What a store says that it holds, against what the allocator has given out and the system has mapped.
//!
//! One test, in a process of its own: the counts are the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::{
    Engine, ExternRef, Func, Global, GlobalType, Instance, Memory, MemoryType, MemoryUsage, Module,
    Mutability, OwnedRooted, Ref, RefType, Release, RootScope, Store, Table, TableType, Val, ValType,
};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on from the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the store says it has of the allocator: all but linear memory.
fn of_allocator(usage: &MemoryUsage) -> usize {
    usage.total_bytes() - usage.memory_bytes + usage.list_bytes
}

/// Bytes of address space, and bytes that are resident.
fn of_system() -> (usize, usize) {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mut pages = text.split(' ').map(|pages| pages.parse::<usize>().unwrap() * 4096);
    (pages.next().unwrap(), pages.next().unwrap())
}

/// As many as are made of each kind.
const MANY: usize = 1000;

/// Makes many of a kind and compares; then lets them go and compares again.
fn check<T: Release + Copy>(what: &str, mut make: impl FnMut(&mut Store<()>) -> T) {
    let mut store = Store::new(&Engine::default(), ());
    store.set_automatic_reclaim(false);
    // The first of a kind makes what all of them share.
    let first = make(&mut store);
    let (says, has) = (of_allocator(&store.memory_usage()), LIVE.load(Ordering::Relaxed));
    let mut made = Vec::with_capacity(MANY);
    let list = MANY * size_of::<T>();
    for _ in 0..MANY {
        made.push(make(&mut store));
    }
    let (said, had) = (of_allocator(&store.memory_usage()), LIVE.load(Ordering::Relaxed));
    let total = store.memory_usage().total_bytes();
    let (grown, real) = (said - says, had - has - list);
    assert!(grown.abs_diff(real) <= real / 10 + 48 * MANY, "{what}: {grown} bytes are {real}");

    for item in made {
        store.release(item).unwrap();
    }
    let freed = store.reclaim();
    let usage = store.memory_usage();
    let (says_then, has_then) = (of_allocator(&usage), LIVE.load(Ordering::Relaxed));
    let lists_grew = usage.list_bytes;
    assert_eq!(total - usage.total_bytes(), freed.bytes, "{what}");
    assert!(has_then <= has + lists_grew + 64 * 1024, "{what}: {has} bytes before, {has_then} after");
    assert!(says_then <= says + lists_grew, "{what}: {says} before, {says_then} after");
    store.release(first).unwrap();
}

#[test]
fn what_a_store_says_is_what_it_holds() {
    if std::env::var_os("TENURE_QUARANTINE").is_some() {
        // Blocks come from the system then, and the allocator that counts does not see them.
        return;
    }
    let ty = TableType::new(RefType::FUNCREF, 20, None);
    check("tables", |store| Table::new(store, ty.clone(), Ref::Func(None)).unwrap());
    check("functions", |store| Func::wrap(store, || {}));
    let ty = GlobalType::new(ValType::I64, Mutability::Var);
    check("globals", |store| Global::new(store, ty.clone(), Val::I64(0)).unwrap());
    let mut module = None;
    check("instances", |store| {
        let module = module.get_or_insert_with(|| {
            let wat = r#"(module (table 100 funcref) (elem (i32.const 0) func $f $g)
                (global (mut i64) (i64.const 1)) (global (export "g") (mut i64) (i64.const 1))
                (func $f (export "f")) (func $g))"#;
            Module::new(store.engine(), wat).unwrap()
        });
        let instance = Instance::new(&mut *store, module, &[]).unwrap();
        instance.get_func(store, "f").unwrap();
        instance
    });

    // Host values.
    let mut store = Store::new(&Engine::default(), ());
    let (says, has) = (of_allocator(&store.memory_usage()), LIVE.load(Ordering::Relaxed));
    let owned: Vec<OwnedRooted<ExternRef>> = (0..MANY)
        .map(|_| {
            let mut scope = RootScope::new(&mut store);
            ExternRef::new(&mut scope, [0_u8; 500]).unwrap().to_owned_rooted(&mut scope).unwrap()
        })
        .collect();
    let grown = of_allocator(&store.memory_usage()) - says;
    let real = LIVE.load(Ordering::Relaxed) - has;
    assert!(grown.abs_diff(real) <= real / 10 + 48 * MANY, "host values: {grown} bytes are {real}");
    drop(owned);
    store.reclaim();
    assert_eq!(store.memory_usage().host_reference_bytes, 0);

    // Linear memory is the system's.
    let mut store = Store::new(&Engine::default(), ());
    let (reserved, resident) = of_system();
    let memories: Vec<Memory> =
        (0..20).map(|_| Memory::new(&mut store, MemoryType::new(64, None)).unwrap()).collect();
    let usage = store.memory_usage();
    assert_eq!(usage.memory_bytes, 20 * (64 << 16));
    let (reserved_now, resident_now) = of_system();
    let real = reserved_now - reserved;
    // Address space is reserved for several at once when there are many.
    assert!(
        usage.reserved_bytes <= real && real <= 2 * usage.reserved_bytes,
        "{} are {real}",
        usage.reserved_bytes
    );
    assert!(resident_now - resident < 4 << 20, "what was never touched takes no memory");
    for memory in memories {
        memory.data_mut(&mut store).fill(1);
    }
    let real = of_system().1 - resident;
    assert!(real.abs_diff(usage.memory_bytes) < 4 << 20, "{} bytes are {real}", usage.memory_bytes);
}
