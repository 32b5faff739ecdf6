//! Reclamation against a plain model: random graphs of instances, functions, tables, memories and globals.
//!
//! The model is a graph with the same edges and says after each reclamation what must be alive: exactly that
//! is, never less (freed early) and never more (freed late). No guest code runs, so functions are one `ud2`
//! each and no compiler is needed. `TENURE_GRAPHS=N` sets how many graphs are tried.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tenure_abi::ValRaw;
use tenure_abi::vm::{VmCtxHeader, VmHostCtx};
use tenure_code::{CodeImage, CompiledFunc, FuncMeta, Tier, Tunables};
use tenure_runtime::{
    CodeSpace, Extern, FuncInst, GlobalInst, Handle, HostFunc, LoadedModule, MemInst, ModuleInst, Store,
    StoreConfig, TableInst,
};
use tenure_types::{
    ExternIdx, Features, FuncType, GlobalType, MemType, RefType, TableType, TypeRegistry, ValType,
};

/// Elements of every table.
const ELEMENTS: u64 = 4;

/// Imports one of each kind, and exports one of each of its own.
const MODULE: &str = r#"(module
    (import "" "f" (func))
    (import "" "t" (table 4 funcref))
    (import "" "m" (memory 0))
    (import "" "g" (global (mut funcref)))
    (table (export "t") 4 funcref)
    (memory (export "m") 0 1)
    (global (export "g") (mut funcref) (ref.null func))
    (func (export "f")))"#;

/// As [`MODULE`], but writes its function into the imported table, and then fails.
const FAILING: &str = r#"(module
    (import "" "f" (func))
    (import "" "t" (table 4 funcref))
    (import "" "m" (memory 0))
    (import "" "g" (global (mut funcref)))
    (func $f)
    (elem (table 0) (i32.const 1) func $f)
    (elem (table 0) (i32.const 4) func $f))"#;

struct Engine {
    space: Arc<CodeSpace>,
    types: Arc<TypeRegistry>,
    module: Arc<LoadedModule>,
    failing: Arc<LoadedModule>,
}

fn load(space: &Arc<CodeSpace>, types: &TypeRegistry, text: &str) -> Arc<LoadedModule> {
    let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
    let parsed = tenure_module::parse(&bytes, Features::default(), types).unwrap();
    let funcs = parsed.bodies.iter().map(|body| CompiledFunc {
        func: body.func,
        tier: Tier::Optimizing,
        code: vec![0x0f, 0x0b],
        align: 16,
        relocs: Vec::new(),
        homes: None,
        meta: FuncMeta::default(),
    });
    let image = CodeImage::link(funcs).unwrap();
    let layout = tenure_code::layout(&parsed.module).unwrap();
    LoadedModule::load(space, parsed.module, layout, image, tunables()).unwrap()
}

/// Address space for thousands of memories at once: small ones, with no guard to speak of.
fn tunables() -> Tunables {
    Tunables { memory_reservation: 1 << 16, memory_guard: 0, ..Tunables::default() }
}

impl Engine {
    fn new() -> Self {
        if std::env::var_os("TENURE_QUARANTINE").is_some() {
            tenure_sys::quarantine::turn_on();
        }
        let space = CodeSpace::new().unwrap();
        let types = Arc::new(TypeRegistry::default());
        let (module, failing) = (load(&space, &types, MODULE), load(&space, &types, FAILING));
        Self { space, types, module, failing }
    }

    fn store(&self) -> Store {
        let config = StoreConfig {
            space: self.space.clone(),
            types: self.types.clone(),
            max_wasm_stack: 1 << 19,
            backtraces: true,
            epochs: Arc::default(),
            tunables: tunables(),
            spare: Default::default(),
        };
        let mut store = Store::new(Arc::new(config));
        store.set_automatic_reclaim(false);
        store
    }

    fn host_func(&self, drops: &Arc<AtomicUsize>) -> HostFunc {
        let (type_id, ty) = self.types.register(&FuncType::new([], [])).unwrap();
        HostFunc {
            type_id,
            stubs: self.space.sig_stubs(&ty).unwrap(),
            ty,
            shim,
            closure: Arc::new(CountsDrops(drops.clone())),
        }
    }
}

unsafe extern "C" fn shim(_: *mut VmHostCtx, _: *mut VmCtxHeader, _: *mut ValRaw) {}

struct CountsDrops(Arc<AtomicUsize>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A node of the model: a place in one of its lists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Node {
    Inst(usize),
    Host(usize),
    Table(usize),
    Mem(usize),
    Global(usize),
}

/// The model, with the real handle of each node. A function is the node that defines it.
#[derive(Default)]
struct Model {
    insts: Vec<Option<(Handle<ModuleInst>, Handle<FuncInst>)>>,
    hosts: Vec<Handle<FuncInst>>,
    tables: Vec<Handle<TableInst>>,
    mems: Vec<Handle<MemInst>>,
    globals: Vec<Handle<GlobalInst>>,
    /// What each instance reaches: imports and its own.
    insts_edges: Vec<Vec<Node>>,
    table_funcs: Vec<[Option<Node>; ELEMENTS as usize]>,
    global_funcs: Vec<Option<Node>>,
    claimed: HashSet<Node>,
    alive: HashSet<Node>,
}

impl Model {
    fn reached(&self) -> HashSet<Node> {
        let mut work: Vec<Node> = self.claimed.iter().copied().collect();
        let mut reached = HashSet::new();
        while let Some(node) = work.pop() {
            if reached.insert(node) {
                match node {
                    Node::Inst(at) => work.extend(&self.insts_edges[at]),
                    Node::Table(at) => work.extend(self.table_funcs[at].iter().flatten()),
                    Node::Global(at) => work.extend(self.global_funcs[at]),
                    Node::Host(_) | Node::Mem(_) => {}
                }
            }
        }
        reached
    }

    fn pick(&self, random: &mut Random, wanted: impl Fn(Node) -> bool) -> Option<Node> {
        let mut nodes: Vec<Node> = self.alive.iter().copied().filter(|&node| wanted(node)).collect();
        nodes.sort_by_key(|node| format!("{node:?}"));
        (!nodes.is_empty()).then(|| nodes[random.below(nodes.len())])
    }

    fn func(&self, node: Node) -> Handle<FuncInst> {
        match node {
            Node::Inst(at) => self.insts[at].expect("only whole instances are picked").1,
            Node::Host(at) => self.hosts[at],
            _ => unreachable!("no function"),
        }
    }

    fn is_func(&self, node: Node) -> bool {
        match node {
            Node::Inst(at) => self.insts[at].is_some(),
            Node::Host(_) => true,
            _ => false,
        }
    }
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

/// One graph: a store and its model.
struct Graph<'a> {
    engine: &'a Engine,
    store: Store,
    model: Model,
    random: Random,
    host_drops: Arc<AtomicUsize>,
}

impl Graph<'_> {
    fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => self.instantiate(),
            3 => self.fail_to_instantiate(),
            4 => self.make_host_item(),
            5..=7 => self.write_table(),
            8 => self.write_global(),
            9..=10 => self.release(),
            _ => self.reclaim(),
        }
    }

    /// Things to import, as nodes and as the runtime knows them.
    fn imports(&mut self) -> Option<([Node; 4], [Extern; 4])> {
        let (model, random) = (&self.model, &mut self.random);
        let func = model.pick(random, |node| model.is_func(node))?;
        let table = model.pick(random, |node| matches!(node, Node::Table(_)))?;
        let mem = model.pick(random, |node| matches!(node, Node::Mem(_)))?;
        let global = model.pick(random, |node| matches!(node, Node::Global(_)))?;
        let (Node::Table(t), Node::Mem(m), Node::Global(g)) = (table, mem, global) else { unreachable!() };
        let externs = [
            Extern::Func(model.func(func)),
            Extern::Table(model.tables[t]),
            Extern::Memory(model.mems[m]),
            Extern::Global(model.globals[g]),
        ];
        Some(([func, table, mem, global], externs))
    }

    fn instantiate(&mut self) {
        let Some((nodes, externs)) = self.imports() else { return };
        let addr = self.store.create_instance(&self.engine.module, &externs).unwrap();
        self.store.apply_segments(addr).unwrap();
        self.store.instantiated(addr);
        let module = self.engine.module.module();
        let mut export = |name: &str| {
            let item: ExternIdx = module.exports[module.export_names[name]].item;
            self.store.export(addr, item).unwrap()
        };
        let (Extern::Func(func), Extern::Table(table), Extern::Memory(mem), Extern::Global(global)) =
            (export("f"), export("t"), export("m"), export("g"))
        else {
            unreachable!("exports are what their names say")
        };
        let node = Node::Inst(self.model.insts.len());
        self.model.insts.push(Some((self.store.handle(addr), func)));
        let own = [self.table(table), self.mem(mem), self.global(global)];
        self.model.insts_edges.push(nodes.into_iter().chain(own).collect());
        self.model.alive.extend([node].into_iter().chain(own));
        self.model.claimed.insert(node);
    }

    fn table(&mut self, table: Handle<TableInst>) -> Node {
        self.model.tables.push(table);
        self.model.table_funcs.push([None; ELEMENTS as usize]);
        Node::Table(self.model.tables.len() - 1)
    }

    fn mem(&mut self, mem: Handle<MemInst>) -> Node {
        self.model.mems.push(mem);
        Node::Mem(self.model.mems.len() - 1)
    }

    fn global(&mut self, global: Handle<GlobalInst>) -> Node {
        self.model.globals.push(global);
        self.model.global_funcs.push(None);
        Node::Global(self.model.globals.len() - 1)
    }

    /// The failed instance has no handle, but a function of it stands in a table.
    fn fail_to_instantiate(&mut self) {
        let Some((nodes, externs)) = self.imports() else { return };
        let addr = self.store.create_instance(&self.engine.failing, &externs).unwrap();
        self.store.apply_segments(addr).unwrap_err();
        self.store.not_instantiated();
        let node = Node::Inst(self.model.insts.len());
        self.model.insts.push(None);
        self.model.insts_edges.push(nodes.to_vec());
        self.model.alive.insert(node);
        let Node::Table(table) = nodes[1] else { unreachable!() };
        self.model.table_funcs[table][1] = Some(node);
    }

    fn make_host_item(&mut self) {
        let node = match self.random.below(4) {
            0 => {
                let func = self.store.new_host_func(&self.engine.host_func(&self.host_drops));
                self.model.hosts.push(func);
                Node::Host(self.model.hosts.len() - 1)
            }
            1 => {
                let ty = TableType { element: RefType::FUNCREF, min: ELEMENTS, max: None, is_64: false };
                let table = self.store.new_table(ty, 0).unwrap();
                self.table(table)
            }
            2 => {
                let ty = MemType { min: 0, max: Some(1), is_64: false, shared: false, page_size_log2: 16 };
                let mem = self.store.new_memory(ty).unwrap();
                self.mem(mem)
            }
            _ => {
                let ty = GlobalType { content: ValType::FUNCREF, mutable: true };
                let global = self.store.new_global(ty, ValRaw::default());
                self.global(global)
            }
        };
        self.model.alive.insert(node);
        self.model.claimed.insert(node);
    }

    fn any_func(&mut self) -> (Option<Node>, u64) {
        if self.random.below(4) == 0 {
            return (None, 0);
        }
        let (model, random) = (&self.model, &mut self.random);
        match model.pick(random, |node| model.is_func(node)) {
            Some(node) => {
                let func = self.store.func(model.func(node)).expect("what the model holds alive is alive");
                (Some(node), func.funcref().as_ptr().expose_provenance() as u64)
            }
            None => (None, 0),
        }
    }

    fn write_table(&mut self) {
        let picked = self.model.pick(&mut self.random, |node| matches!(node, Node::Table(_)));
        let Some(Node::Table(table)) = picked else { return };
        let (node, raw) = self.any_func();
        let at = self.random.below(ELEMENTS as usize);
        assert!(self.store.set_table_raw(self.model.tables[table].addr, at as u64, raw));
        self.model.table_funcs[table][at] = node;
    }

    fn write_global(&mut self) {
        let picked = self.model.pick(&mut self.random, |node| matches!(node, Node::Global(_)));
        let Some(Node::Global(global)) = picked else { return };
        let (node, raw) = self.any_func();
        self.store.set_global_raw(self.model.globals[global].addr, ValRaw::u64(raw));
        self.model.global_funcs[global] = node;
    }

    fn release(&mut self) {
        let model = &self.model;
        let picked =
            model.pick(&mut self.random, |node| !matches!(node, Node::Inst(at) if model.insts[at].is_none()));
        let Some(node) = picked else { return };
        let released = match node {
            Node::Inst(at) => self.store.release(model.insts[at].expect("filtered").0),
            Node::Host(at) => self.store.release(model.hosts[at]),
            Node::Table(at) => self.store.release(model.tables[at]),
            Node::Mem(at) => self.store.release(model.mems[at]),
            Node::Global(at) => self.store.release(model.globals[at]),
        };
        assert_eq!(released.is_ok(), self.model.claimed.remove(&node), "{node:?}: {released:?}");
    }

    fn reclaim(&mut self) {
        let reached = self.model.reached();
        let freed = self.store.reclaim();
        let gone = |wanted: fn(&Node) -> bool| {
            self.model.alive.difference(&reached).filter(|node| wanted(node)).count()
        };
        assert_eq!(freed.instances, gone(|node| matches!(node, Node::Inst(_))), "instances");
        assert_eq!(freed.functions, gone(|node| matches!(node, Node::Host(_))), "host functions");
        assert_eq!(freed.tables, gone(|node| matches!(node, Node::Table(_))), "tables");
        assert_eq!(freed.memories, gone(|node| matches!(node, Node::Mem(_))), "memories");
        assert_eq!(freed.globals, gone(|node| matches!(node, Node::Global(_))), "globals");
        self.model.alive = reached;
        self.check();
        self.check_usage();
    }

    /// What the store says that it holds is what the model has, and what its memories and tables say.
    fn check_usage(&self) {
        let (model, store, usage) = (&self.model, &self.store, self.store.memory_usage());
        let alive = |wanted: fn(&Node) -> bool| model.alive.iter().filter(|node| wanted(node)).count();
        assert_eq!(usage.instances, alive(|node| matches!(node, Node::Inst(_))), "instances");
        assert_eq!(usage.host_functions, alive(|node| matches!(node, Node::Host(_))), "host functions");
        assert_eq!(usage.memories, alive(|node| matches!(node, Node::Mem(_))), "memories");
        assert_eq!(usage.tables, alive(|node| matches!(node, Node::Table(_))), "tables");
        assert_eq!(usage.globals, alive(|node| matches!(node, Node::Global(_))), "globals");
        let mems = model.mems.iter().filter_map(|mem| store.memory(*mem).ok()).map(|mem| mem.footprint());
        let (reserved, bytes) = mems.fold((0, 0), |sum, mem| (sum.0 + mem.0, sum.1 + mem.1));
        assert_eq!((usage.reserved_bytes, usage.memory_bytes), (reserved, bytes));
        let tables = model.tables.iter().filter_map(|table| store.table(*table).ok());
        assert_eq!(usage.table_bytes, tables.map(TableInst::footprint).sum::<usize>());
        let is_empty = usage.instances + usage.host_functions == 0;
        assert_eq!(usage.instance_bytes + usage.host_function_bytes == 0, is_empty);
    }

    /// Every handle that was ever given out is good exactly when the model says so.
    fn check(&self) {
        let (model, store) = (&self.model, &self.store);
        let alive = |node: Node| model.alive.contains(&node);
        for (at, inst) in model.insts.iter().enumerate() {
            if let Some((inst, func)) = inst {
                assert_eq!(store.instance(*inst).is_ok(), alive(Node::Inst(at)), "instance {at}");
                assert_eq!(store.func(*func).is_ok(), alive(Node::Inst(at)), "function of instance {at}");
            }
        }
        for (at, func) in model.hosts.iter().enumerate() {
            assert_eq!(store.func(*func).is_ok(), alive(Node::Host(at)), "host function {at}");
        }
        for (at, table) in model.tables.iter().enumerate() {
            assert_eq!(store.table(*table).is_ok(), alive(Node::Table(at)), "table {at}");
        }
        for (at, mem) in model.mems.iter().enumerate() {
            assert_eq!(store.memory(*mem).is_ok(), alive(Node::Mem(at)), "memory {at}");
        }
        for (at, global) in model.globals.iter().enumerate() {
            assert_eq!(store.global(*global).is_ok(), alive(Node::Global(at)), "global {at}");
        }
    }
}

fn run_graph(engine: &Engine, seed: u64) {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut graph = Graph {
        engine,
        store: engine.store(),
        model: Model::default(),
        random: Random(seed),
        host_drops: drops.clone(),
    };
    for _ in 0..4 {
        graph.make_host_item();
    }
    for _ in 0..60 {
        graph.step();
    }
    graph.reclaim();
    let hosts = graph.model.hosts.len();
    let alive = graph.model.alive.iter().filter(|node| matches!(node, Node::Host(_))).count();
    assert_eq!(drops.load(Ordering::Relaxed), hosts - alive, "closures are dropped when their function goes");
    drop(graph);
    assert_eq!(drops.load(Ordering::Relaxed), hosts, "and each once");
}

#[test]
fn what_is_reclaimed_is_what_nothing_reaches() {
    let graphs = std::env::var("TENURE_GRAPHS").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    let engine = Engine::new();
    for seed in 0..graphs {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_graph(&engine, seed)));
        assert!(outcome.is_ok(), "graph {seed}");
    }
}

#[test]
fn instances_that_hold_each_others_functions_go_together() {
    let engine = Engine::new();
    let drops = Arc::default();
    let mut graph = Graph {
        engine: &engine,
        store: engine.store(),
        model: Model::default(),
        random: Random(1),
        host_drops: drops,
    };
    while graph.model.mems.is_empty()
        || graph.model.tables.is_empty()
        || graph.model.globals.is_empty()
        || graph.model.hosts.is_empty()
    {
        graph.make_host_item();
    }
    let made = graph.model.insts.len();
    graph.instantiate();
    graph.instantiate();
    let (first, second) = (graph.model.insts[made].unwrap(), graph.model.insts[made + 1].unwrap());
    for (inst, other) in [(first, second), (second, first)] {
        let module = engine.module.module();
        let Extern::Table(own) =
            graph.store.export(inst.0.addr, module.exports[module.export_names["t"]].item).unwrap()
        else {
            unreachable!()
        };
        let raw = graph.store.func(other.1).unwrap().funcref().as_ptr().expose_provenance() as u64;
        assert!(graph.store.set_table_raw(own.addr, 0, raw));
    }
    graph.store.release(first.0).unwrap();
    assert_eq!(graph.store.reclaim().instances, 0, "the second holds the first");
    graph.store.release(second.0).unwrap();
    assert_eq!(graph.store.reclaim().instances, 2);
    let error = graph.store.instance(first.0).unwrap_err().to_string();
    assert_eq!(error, "handle to an instance that was released and reclaimed");
}

/// Who looks an address up may be the last that uses the module before it.
#[test]
fn modules_go_while_others_are_looked_for() {
    let (space, types) = (CodeSpace::new().unwrap(), TypeRegistry::default());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(space.find(usize::MAX).is_none());
            }
        });
        for _ in 0..2000 {
            let module = load(&space, &types, "(module (func))");
            let weak = Arc::downgrade(&module);
            drop(module);
            while weak.strong_count() > 0 {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
}
