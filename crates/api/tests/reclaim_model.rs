//! Reclamation against a plain model, through the whole of the embedding API: random graphs of instances, tables,
//! globals, functions, host closures and host values, with scopes inside each other, failed instantiations, and
//! guests that call host functions which do more of the same.
//!
//! The model is a graph with the same edges. After each quiet reclamation exactly what it reaches is alive; during
//! calls nothing goes; with automatic reclamation nothing goes early. `TENURE_GRAPHS=N` sets how many graphs are tried.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::{
    AsContextMut, Caller, Config, Engine, Extern, ExternRef, Func, Global, GlobalType, Instance, Memory,
    MemoryType, Module, Mutability, OwnedRooted, Ref, RefType, Release, Rooted, Store, StoreContextMut,
    Table, TableType, Val, ValType,
};

/// Elements of every table.
const ELEMENTS: u64 = 4;

/// Imports one of each kind, exports one of each of its own, and calls what it imports.
const MODULE: &str = r#"(module
    (import "" "f" (func $f))
    (import "" "t" (table 4 funcref))
    (import "" "m" (memory 0))
    (import "" "g" (global (mut funcref)))
    (import "" "e" (table 4 externref))
    (table (export "t") 4 funcref)
    (memory (export "m") 0 1)
    (global (export "g") (mut funcref) (ref.null func))
    (table (export "e") 4 externref)
    (func (export "f"))
    (func (export "run") (call $f)))"#;

/// As [`MODULE`], but writes its function into the imported table, and then a segment does not fit.
const SEGMENT_FAILS: &str = r#"(module
    (import "" "f" (func))
    (import "" "t" (table 4 funcref))
    (import "" "m" (memory 0))
    (import "" "g" (global (mut funcref)))
    (import "" "e" (table 4 externref))
    (func $f)
    (elem (table 0) (i32.const 1) func $f)
    (elem (table 0) (i32.const 4) func $f))"#;

/// As [`MODULE`], but its start function writes it into the imported global, calls what it imports, and traps.
const START_FAILS: &str = r#"(module
    (import "" "f" (func $import))
    (import "" "t" (table 4 funcref))
    (import "" "m" (memory 0))
    (import "" "g" (global $g (mut funcref)))
    (import "" "e" (table 4 externref))
    (elem declare func $f)
    (func $f)
    (func $start (global.set $g (ref.func $f)) (call $import) unreachable)
    (start $start))"#;

/// A node of the model: a place in one of its lists. A function is the node that defines it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Node {
    Inst(usize),
    Host(usize),
    Table(usize),
    Mem(usize),
    Global(usize),
    Externs(usize),
    Value(usize),
}

/// Something that can be released.
#[derive(Clone, Copy)]
enum Item {
    Instance(Instance),
    Func(Func),
    Table(Table),
    Memory(Memory),
    Global(Global),
}

impl Item {
    fn release(self, store: &mut StoreContextMut<'_, Model>) -> tenure::Result<()> {
        match self {
            Self::Instance(item) => store.release(item),
            Self::Func(item) => store.release(item),
            Self::Table(item) => store.release(item),
            Self::Memory(item) => store.release(item),
            Self::Global(item) => store.release(item),
        }
    }

    fn is_good(self, store: &mut StoreContextMut<'_, Model>) -> bool {
        fn check(store: &mut StoreContextMut<'_, Model>, item: impl Release) -> bool {
            // In a scope of its own there is nothing to keep, so that this only looks at the handle.
            store.scope(|scope| scope.keep(item)).is_ok()
        }
        match self {
            Self::Instance(item) => check(store, item),
            Self::Func(item) => check(store, item),
            Self::Table(item) => check(store, item),
            Self::Memory(item) => check(store, item),
            Self::Global(item) => check(store, item),
        }
    }
}

/// A host value, and the references to it that the host has.
struct Value {
    drops: Arc<AtomicUsize>,
    scoped: Rooted<ExternRef>,
    /// How deep the scope was that `scoped` is of, and which one.
    scope: usize,
    owned: Option<OwnedRooted<ExternRef>>,
}

struct Model {
    random: Random,
    modules: Arc<Modules>,
    automatic: bool,
    depth: usize,
    /// Instances that could be initialized, with a function of theirs.
    insts: Vec<Option<(Instance, Func)>>,
    edges: Vec<Vec<Node>>,
    hosts: Vec<(Func, Arc<AtomicUsize>)>,
    tables: Vec<(Table, [Option<Node>; ELEMENTS as usize])>,
    mems: Vec<Memory>,
    globals: Vec<(Global, Option<Node>)>,
    externs: Vec<(Table, [Option<Node>; ELEMENTS as usize])>,
    values: Vec<Value>,
    claimed: BTreeSet<Node>,
    alive: BTreeSet<Node>,
    /// Open scopes: what was claimed in each, and its number.
    scopes: Vec<Scope>,
    scope_count: usize,
}

#[derive(Default)]
struct Scope {
    number: usize,
    claimed: Vec<Node>,
    /// Claims end with it; otherwise only references do.
    releases: bool,
}

struct Modules {
    good: Module,
    failing: [Module; 2],
}

/// splitmix64: a graph is a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// Counts how often it was dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Model {
    fn reached(&self) -> BTreeSet<Node> {
        let open = |scope: usize| self.scopes.iter().any(|open| open.number == scope);
        let rooted =
            self.values.iter().enumerate().filter(|(_, value)| value.owned.is_some() || open(value.scope));
        let mut work: Vec<Node> = rooted.map(|(at, _)| Node::Value(at)).collect();
        work.extend(&self.claimed);
        let mut reached = BTreeSet::new();
        while let Some(node) = work.pop() {
            if reached.insert(node) {
                match node {
                    Node::Inst(at) => work.extend(&self.edges[at]),
                    Node::Table(at) => work.extend(self.tables[at].1.iter().flatten()),
                    Node::Externs(at) => work.extend(self.externs[at].1.iter().flatten()),
                    Node::Global(at) => work.extend(self.globals[at].1),
                    Node::Host(_) | Node::Mem(_) | Node::Value(_) => {}
                }
            }
        }
        reached
    }

    /// Something that can be used now. With automatic reclamation only what is reached is sure to be there.
    fn pick(&mut self, wanted: impl Fn(&Self, Node) -> bool) -> Option<Node> {
        let usable = if self.automatic { self.reached() } else { self.alive.clone() };
        let nodes: Vec<Node> = usable.into_iter().filter(|&node| wanted(self, node)).collect();
        (!nodes.is_empty()).then(|| nodes[self.random.below(nodes.len())])
    }

    fn is_func(&self, node: Node) -> bool {
        match node {
            Node::Inst(at) => self.insts[at].is_some(),
            Node::Host(_) => true,
            _ => false,
        }
    }

    fn func(&self, node: Node) -> Func {
        match node {
            Node::Inst(at) => self.insts[at].expect("only whole instances are picked").1,
            Node::Host(at) => self.hosts[at].0,
            _ => unreachable!("no function"),
        }
    }

    fn pick_func(&mut self) -> Option<(Node, Func)> {
        let node = self.pick(Self::is_func)?;
        Some((node, self.func(node)))
    }

    /// The handle of a node that has one.
    fn item(&self, node: Node) -> Option<Item> {
        Some(match node {
            Node::Inst(at) => Item::Instance(self.insts[at]?.0),
            Node::Host(at) => Item::Func(self.hosts[at].0),
            Node::Table(at) => Item::Table(self.tables[at].0),
            Node::Externs(at) => Item::Table(self.externs[at].0),
            Node::Mem(at) => Item::Memory(self.mems[at]),
            Node::Global(at) => Item::Global(self.globals[at].0),
            Node::Value(_) => return None,
        })
    }

    fn claim(&mut self, node: Node) {
        self.alive.insert(node);
        self.claimed.insert(node);
        if let Some(scope) = self.scopes.iter_mut().rev().find(|scope| scope.releases) {
            scope.claimed.push(node);
        }
    }

    fn open(&mut self, releases: bool) {
        self.scope_count += 1;
        self.scopes.push(Scope { number: self.scope_count, claimed: Vec::new(), releases });
    }

    fn close(&mut self) {
        let scope = self.scopes.pop().expect("a scope is open");
        for node in scope.claimed {
            self.claimed.remove(&node);
        }
    }

    fn table(&mut self, table: Table) -> Node {
        self.tables.push((table, [None; ELEMENTS as usize]));
        Node::Table(self.tables.len() - 1)
    }

    fn externs(&mut self, table: Table) -> Node {
        self.externs.push((table, [None; ELEMENTS as usize]));
        Node::Externs(self.externs.len() - 1)
    }

    fn mem(&mut self, mem: Memory) -> Node {
        self.mems.push(mem);
        Node::Mem(self.mems.len() - 1)
    }

    fn global(&mut self, global: Global) -> Node {
        self.globals.push((global, None));
        Node::Global(self.globals.len() - 1)
    }
}

type Context<'a, 'b> = &'a mut StoreContextMut<'b, Model>;

fn steps(store: Context<'_, '_>, count: usize) {
    for _ in 0..count {
        match store.data_mut().random.below(18) {
            0..=2 => instantiate(store),
            3 => fail_to_instantiate(store),
            4 => make_host_item(store),
            5 => make_value(store),
            6..=7 => write_table(store),
            8 => write_global(store),
            9 => write_externs(store),
            10 => drop_owned(store),
            11..=12 => release(store),
            13..=14 => call(store),
            15 => scope(store),
            _ => reclaim(store),
        }
    }
}

/// Things to import, as nodes and as handles.
fn imports(store: Context<'_, '_>) -> Option<(Vec<Node>, Vec<Extern>)> {
    let model = store.data_mut();
    let (func, handle) = model.pick_func()?;
    let table = model.pick(|_, node| matches!(node, Node::Table(_)))?;
    let mem = model.pick(|_, node| matches!(node, Node::Mem(_)))?;
    let global = model.pick(|_, node| matches!(node, Node::Global(_)))?;
    let externs = model.pick(|_, node| matches!(node, Node::Externs(_)))?;
    let nodes = vec![func, table, mem, global, externs];
    let mut handles = vec![Extern::Func(handle)];
    handles.extend(nodes[1..].iter().filter_map(|&node| {
        Some(match model.item(node)? {
            Item::Table(table) => table.into(),
            Item::Memory(memory) => memory.into(),
            Item::Global(global) => global.into(),
            Item::Instance(_) | Item::Func(_) => unreachable!("picked otherwise"),
        })
    }));
    Some((nodes, handles))
}

fn instantiate(store: Context<'_, '_>) {
    let Some((nodes, handles)) = imports(store) else { return };
    let module = store.data().modules.good.clone();
    let instance = Instance::new(&mut *store, &module, &handles).unwrap();
    let func = instance.get_func(&mut *store, "f").unwrap();
    let table = instance.get_table(&mut *store, "t").unwrap();
    let mem = instance.get_memory(&mut *store, "m").unwrap();
    let global = instance.get_global(&mut *store, "g").unwrap();
    let externs = instance.get_table(&mut *store, "e").unwrap();
    let model = store.data_mut();
    let own = [model.table(table), model.mem(mem), model.global(global), model.externs(externs)];
    let node = Node::Inst(model.insts.len());
    model.insts.push(Some((instance, func)));
    model.edges.push(nodes.into_iter().chain(own).collect());
    model.alive.extend(own);
    model.claim(node);
}

/// The failed instance has no handle, but a function of it was published.
fn fail_to_instantiate(store: Context<'_, '_>) {
    let Some((nodes, handles)) = imports(store) else { return };
    let which = store.data_mut().random.below(2);
    // What its start function calls does things before it fails, and may use what was published.
    if which == 1 && store.data().depth > 2 {
        return;
    }
    let model = store.data_mut();
    let node = Node::Inst(model.insts.len());
    model.insts.push(None);
    model.edges.push(nodes.clone());
    let module = model.modules.failing[which].clone();
    if which == 1 {
        let Node::Global(global) = nodes[3] else { unreachable!("picked as one") };
        model.globals[global].1 = Some(node);
        model.alive.insert(node);
        store.data_mut().depth += 1;
        Instance::new(&mut *store, &module, &handles).unwrap_err();
        store.data_mut().depth -= 1;
        return;
    }
    let Node::Table(table) = nodes[1] else { unreachable!("picked as one") };
    model.tables[table].1[1] = Some(node);
    model.alive.insert(node);
    Instance::new(&mut *store, &module, &handles).unwrap_err();
}

fn make_host_item(store: Context<'_, '_>) {
    let node = match store.data_mut().random.below(5) {
        0 => {
            let drops = Arc::new(AtomicUsize::new(0));
            let token = Token(drops.clone());
            let func = Func::wrap(&mut *store, move |mut caller: Caller<'_, Model>| {
                let _ = &token;
                called(&mut caller.as_context_mut());
            });
            let model = store.data_mut();
            model.hosts.push((func, drops));
            Node::Host(model.hosts.len() - 1)
        }
        1 => {
            let ty = TableType::new(RefType::FUNCREF, ELEMENTS as u32, None);
            let table = Table::new(&mut *store, ty, Ref::Func(None)).unwrap();
            store.data_mut().table(table)
        }
        2 => {
            let mem = Memory::new(&mut *store, MemoryType::new(0, Some(1))).unwrap();
            store.data_mut().mem(mem)
        }
        3 => {
            let ty = GlobalType::new(ValType::FUNCREF, Mutability::Var);
            let global = Global::new(&mut *store, ty, Val::FuncRef(None)).unwrap();
            store.data_mut().global(global)
        }
        _ => {
            let ty = TableType::new(RefType::EXTERNREF, ELEMENTS as u32, None);
            let table = Table::new(&mut *store, ty, Ref::Extern(None)).unwrap();
            store.data_mut().externs(table)
        }
    };
    store.data_mut().claim(node);
}

/// What a host function does that a guest has called.
fn called(store: Context<'_, '_>) {
    store.data_mut().open(false);
    if store.data().depth < 4 {
        store.data_mut().depth += 1;
        let count = store.data_mut().random.below(6);
        steps(store, count);
        store.data_mut().depth -= 1;
    }
    store.data_mut().close();
}

fn make_value(store: Context<'_, '_>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let scoped = ExternRef::new(&mut *store, Token(drops.clone())).unwrap();
    let owned = (store.data_mut().random.below(3) == 0).then(|| scoped.to_owned_rooted(&mut *store).unwrap());
    let model = store.data_mut();
    let scope = model.scopes.last().map_or(0, |scope| scope.number);
    model.alive.insert(Node::Value(model.values.len()));
    model.values.push(Value { drops, scoped, scope, owned });
}

fn drop_owned(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(count) = model.values.len().checked_sub(1) else { return };
    let at = model.random.below(count + 1);
    model.values[at].owned = None;
}

fn write_table(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(Node::Table(table)) = model.pick(|_, node| matches!(node, Node::Table(_))) else { return };
    let picked = if model.random.below(4) == 0 { None } else { model.pick_func() };
    let at = model.random.below(ELEMENTS as usize);
    model.tables[table].1[at] = picked.map(|(node, _)| node);
    let handle = model.tables[table].0;
    handle.set(store, at as u64, Ref::Func(picked.map(|(_, func)| func))).unwrap();
}

fn write_global(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(Node::Global(global)) = model.pick(|_, node| matches!(node, Node::Global(_))) else { return };
    let picked = if model.random.below(4) == 0 { None } else { model.pick_func() };
    model.globals[global].1 = picked.map(|(node, _)| node);
    let handle = model.globals[global].0;
    handle.set(store, Val::FuncRef(picked.map(|(_, func)| func))).unwrap();
}

fn write_externs(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(Node::Externs(table)) = model.pick(|_, node| matches!(node, Node::Externs(_))) else { return };
    let held = |model: &Model, node: Node| {
        let Node::Value(at) = node else { return false };
        let value = &model.values[at];
        value.owned.is_some() || model.scopes.iter().any(|scope| scope.number == value.scope)
    };
    let picked = if model.random.below(4) == 0 { None } else { model.pick(held) };
    let at = model.random.below(ELEMENTS as usize);
    model.externs[table].1[at] = picked;
    let handle = model.externs[table].0;
    let value = picked.map(|node| {
        let Node::Value(at) = node else { unreachable!("picked as one") };
        match store.data().values[at].owned.clone() {
            // A reference of its own would be one more root, so it gets a scope of its own.
            Some(owned) => Ok(owned),
            None => Err(store.data().values[at].scoped),
        }
    });
    match value {
        Some(Ok(owned)) => {
            let mut scope = tenure::RootScope::new(&mut *store);
            let rooted = owned.to_rooted(&mut scope);
            handle.set(&mut scope, at as u64, rooted.into()).unwrap();
        }
        Some(Err(scoped)) => handle.set(store, at as u64, scoped.into()).unwrap(),
        None => handle.set(store, at as u64, Ref::Extern(None)).unwrap(),
    }
}

fn release(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(node) = model.pick(|model, node| model.item(node).is_some()) else { return };
    let was_claimed = model.claimed.remove(&node);
    let released = model.item(node).expect("picked so").release(store);
    assert_eq!(released.is_ok(), was_claimed, "{node:?}: {released:?}");
}

fn call(store: Context<'_, '_>) {
    let model = store.data_mut();
    let Some(Node::Inst(at)) =
        model.pick(|model, node| matches!(node, Node::Inst(at) if model.insts[at].is_some()))
    else {
        return;
    };
    let instance = model.insts[at].expect("picked so").0;
    let run = instance.get_typed_func::<(), ()>(&mut *store, "run").unwrap();
    run.call(&mut *store, ()).unwrap();
}

fn scope(store: Context<'_, '_>) {
    if store.data().depth > 4 {
        return;
    }
    store.scope(|scope| {
        scope.data_mut().open(true);
        scope.data_mut().depth += 1;
        let count = scope.data_mut().random.below(8);
        steps(&mut scope.as_context_mut(), count);
        scope.data_mut().depth -= 1;
        // Some of what was made in it is kept.
        let model = scope.data_mut();
        let innermost = model.scopes.len() - 1;
        let made = model.scopes[innermost].claimed.clone();
        for node in made {
            if !scope.data().claimed.contains(&node) || scope.data_mut().random.below(3) != 0 {
                continue;
            }
            match scope.data().item(node).expect("claimed, so the host has a handle") {
                Item::Instance(item) => scope.keep(item),
                Item::Func(item) => scope.keep(item),
                Item::Table(item) => scope.keep(item),
                Item::Memory(item) => scope.keep(item),
                Item::Global(item) => scope.keep(item),
            }
            .unwrap();
            let model = scope.data_mut();
            model.scopes[innermost].claimed.retain(|&other| other != node);
            if let Some(outer) = model.scopes[..innermost].iter_mut().rev().find(|scope| scope.releases) {
                outer.claimed.push(node);
            }
        }
        scope.data_mut().close();
    });
}

/// Whether a guest is active is known by whether a scope without claims is open: those are calls.
fn is_quiet(model: &Model) -> bool {
    model.scopes.iter().skip(1).all(|scope| scope.releases)
}

fn reclaim(store: Context<'_, '_>) {
    let freed = store.reclaim();
    if !is_quiet(store.data()) {
        assert_eq!(freed, Default::default(), "nothing goes during a call");
        return check(store);
    }
    let model = store.data_mut();
    let reached = model.reached();
    let gone =
        |wanted: fn(&Node) -> bool| model.alive.difference(&reached).filter(|node| wanted(node)).count();
    if !model.automatic {
        assert_eq!(freed.instances, gone(|node| matches!(node, Node::Inst(_))), "instances");
        assert_eq!(freed.functions, gone(|node| matches!(node, Node::Host(_))), "host functions");
        assert_eq!(freed.memories, gone(|node| matches!(node, Node::Mem(_))), "memories");
        assert_eq!(freed.globals, gone(|node| matches!(node, Node::Global(_))), "globals");
        assert_eq!(freed.host_references, gone(|node| matches!(node, Node::Value(_))), "host values");
        let tables = gone(|node| matches!(node, Node::Table(_) | Node::Externs(_)));
        assert_eq!(freed.tables, tables, "tables");
    }
    model.alive = reached;
    check_all(store, true);
}

/// Nothing has gone that is held.
fn check(store: Context<'_, '_>) {
    check_all(store, false);
}

/// Every handle that was ever given out is good when what it names is held, and when `exactly` only then.
fn check_all(store: Context<'_, '_>, exactly: bool) {
    let model = store.data();
    let alive = if exactly { model.alive.clone() } else { model.reached() };
    let mut all: Vec<Node> = (0..model.insts.len()).map(Node::Inst).collect();
    all.extend((0..model.hosts.len()).map(Node::Host));
    all.extend((0..model.tables.len()).map(Node::Table));
    all.extend((0..model.mems.len()).map(Node::Mem));
    all.extend((0..model.globals.len()).map(Node::Global));
    all.extend((0..model.externs.len()).map(Node::Externs));
    for node in all {
        let Some(item) = store.data().item(node) else { continue };
        let is_good = item.is_good(store);
        assert!(is_good || !alive.contains(&node), "{node:?} went early");
        assert!(!(exactly && is_good) || alive.contains(&node), "{node:?} is still there");
    }
    for (what, at, drops) in closures(store.data()) {
        let node = if what == "host function" { Node::Host(at) } else { Node::Value(at) };
        assert!(drops == 0 || !alive.contains(&node), "{node:?} was dropped early");
        assert!(!exactly || alive.contains(&node) || drops == 1, "{node:?} was dropped {drops} times");
    }
    if exactly {
        let usage = store.memory_usage();
        let counted = |wanted: fn(&Node) -> bool| alive.iter().filter(|node| wanted(node)).count();
        assert_eq!(usage.instances, counted(|node| matches!(node, Node::Inst(_))));
        assert_eq!(usage.host_functions, counted(|node| matches!(node, Node::Host(_))));
        assert_eq!(usage.memories, counted(|node| matches!(node, Node::Mem(_))));
        assert_eq!(usage.tables, counted(|node| matches!(node, Node::Table(_) | Node::Externs(_))));
        assert_eq!(usage.globals, counted(|node| matches!(node, Node::Global(_))));
        assert_eq!(usage.host_references, counted(|node| matches!(node, Node::Value(_))));
    }
}

/// How often each host closure and host value was dropped.
fn closures(model: &Model) -> Vec<(&'static str, usize, usize)> {
    let hosts = model.hosts.iter().enumerate();
    let hosts = hosts.map(|(at, (_, drops))| ("host function", at, drops.load(Ordering::Relaxed)));
    let values = model.values.iter().enumerate();
    let values = values.map(|(at, value)| ("host value", at, value.drops.load(Ordering::Relaxed)));
    hosts.chain(values).collect()
}

fn run_graph(engine: &Engine, modules: &Arc<Modules>, seed: u64) {
    let model = Model {
        random: Random(seed),
        modules: modules.clone(),
        automatic: seed % 3 == 2,
        depth: 0,
        insts: Vec::new(),
        edges: Vec::new(),
        hosts: Vec::new(),
        tables: Vec::new(),
        mems: Vec::new(),
        globals: Vec::new(),
        externs: Vec::new(),
        values: Vec::new(),
        claimed: BTreeSet::new(),
        alive: BTreeSet::new(),
        // The store itself is the outermost scope of references.
        scopes: vec![Scope::default()],
        scope_count: 0,
    };
    let mut store = Store::new(engine, model);
    let automatic = store.data().automatic;
    store.set_automatic_reclaim(automatic);
    let mut context = store.as_context_mut();
    for _ in 0..8 {
        make_host_item(&mut context);
    }
    steps(&mut context, 50);
    if automatic {
        // Enough to be worth a reclamation.
        for _ in 0..200 {
            context.scope(|scope| {
                Func::wrap(&mut *scope, || {});
            });
        }
        check(&mut context);
    }
    reclaim(&mut context);
    let again = context.reclaim();
    assert_eq!(again, Default::default(), "one quiet reclamation is enough");
    // What the host lets go goes, all of it.
    let claimed: Vec<Node> = context.data().claimed.iter().copied().collect();
    for node in claimed {
        context.data_mut().claimed.remove(&node);
        let item = context.data().item(node).expect("claimed, so the host has a handle");
        item.release(&mut context).unwrap();
    }
    context.data_mut().values.iter_mut().for_each(|value| value.owned = None);
    reclaim(&mut context);
    assert_eq!(context.memory_usage().instances, 0);
    let drops: HashMap<_, _> = {
        let model = context.data();
        let hosts = model.hosts.iter().map(|(_, drops)| drops);
        let all = hosts.chain(model.values.iter().map(|value| &value.drops));
        all.cloned().enumerate().collect()
    };
    drop(store);
    assert!(drops.values().all(|drops| drops.load(Ordering::Relaxed) == 1), "each is dropped once");
}

#[test]
fn what_is_reclaimed_is_what_nothing_reaches() {
    let graphs = std::env::var("TENURE_GRAPHS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    // Address space for many memories at once: small ones, with no guard to speak of.
    let mut config = Config::new();
    config.memory_reservation(1 << 16).memory_guard_size(1 << 16).wasm_backtrace(false);
    let engine = Engine::new(&config).unwrap();
    let module = |wat| Module::new(&engine, wat).unwrap();
    let modules =
        Arc::new(Modules { good: module(MODULE), failing: [module(SEGMENT_FAILS), module(START_FAILS)] });
    for seed in 0..graphs {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run_graph(&engine, &modules, seed);
        }));
        assert!(outcome.is_ok(), "graph {seed}");
    }
}
