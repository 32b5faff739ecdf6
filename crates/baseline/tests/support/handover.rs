//! Instances whose loops hand over to the optimizing tier when the test says so.
//!
//! The runtime has no part in it: budgets are taken for spent at each arrival, by code that is made to jump, and
//! the code that takes over lies in the same image, as functions behind those of the module.

use super::{Instance, Outcome, baseline_refused, features, instantiate_loaded, load};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use tenure_abi::builtins::ENTRY;
use tenure_abi::{Builtin, Leaf};
use tenure_baseline::BaselineCompiler;
use tenure_code::{Cell, CodeImage, CompileUnit, CompiledFunc, Compiler, LoopEntry, Tunables};
use tenure_module::{FuncDecl, Module};
use tenure_optimizing::OptimizingCompiler;
use tenure_runtime::{Extern, LoadedModule};
use tenure_types::{ExternIdx, FuncIdx, Trap, TypeRegistry};

/// A loop: the function, and the loop's place in it.
pub type Loop = (u32, u32);

/// When to hand over: told the loop and how often it was arrived at before.
pub type When = Box<dyn FnMut(Loop, u64) -> bool>;

struct Plan {
    when: When,
    arrivals: HashMap<Loop, u64>,
    takers: Arc<HashMap<Loop, usize>>,
    handovers: u64,
}

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// What stands in for the builtin.
extern "sysv64" fn spent(_vmctx: usize, func: u32, place: u32) -> usize {
    PLAN.with_borrow_mut(|plan| {
        let Some(plan) = plan.as_mut().filter(|_| place != ENTRY) else { return 0 };
        let arrivals = plan.arrivals.entry((func, place)).or_default();
        let before = *arrivals;
        *arrivals += 1;
        let taker =
            plan.takers.get(&(func, place)).copied().unwrap_or_else(|| panic!("loop {place} of {func}"));
        if !(plan.when)((func, place), before) {
            return 0;
        }
        plan.handovers += 1;
        taker
    })
}

/// A module that can hand over at every loop.
pub struct Code {
    loaded: Arc<LoadedModule>,
    types: Arc<TypeRegistry>,
    takers: Arc<HashMap<Loop, usize>>,
    /// By function behind the module's own: the function for which it takes over.
    owners: Arc<HashMap<u32, u32>>,
    refused: Vec<String>,
}

/// An instance of one.
pub struct Tiered {
    pub instance: Instance,
    takers: Arc<HashMap<Loop, usize>>,
    owners: Arc<HashMap<u32, u32>>,
    builtins: Box<[usize]>,
}

/// Every number of a loop in `body`.
fn loops(body: &tenure_module::Body<'_>) -> u32 {
    let operators = body.code.get_operators_reader().expect("the body is right");
    let is_loop = |op: &wasmparser::Result<wasmparser::Operator<'_>>| {
        matches!(op, Ok(wasmparser::Operator::Loop { .. }))
    };
    operators.into_iter().filter(is_loop).count() as u32
}

/// Makes every count jump to where the budget is spent, and forgets the budget.
fn always_spent(func: &mut CompiledFunc) {
    func.relocs.retain(|reloc| {
        if reloc.cell == Cell::Slot {
            return true;
        }
        let at = reloc.at as usize;
        assert_eq!(reloc.addend, -8);
        assert_eq!(func.code[at - 2..at], [0x81, 0x2d], "sub dword [rip + distance], number");
        assert_eq!(func.code[at + 8..at + 10], [0x0f, 0x88], "js");
        let number = i32::from_le_bytes(func.code[at + 4..at + 8].try_into().unwrap());
        assert!(number > 0 && (number as usize) < 1 << 24, "{number}");
        func.code[at - 2..at + 8].fill(0x90);
        func.code[at + 8..at + 10].copy_from_slice(&[0x90, 0xe9]);
        false
    });
}

impl Code {
    pub fn new(compiler: &BaselineCompiler, bytes: &[u8], tunables: &Tunables) -> Self {
        let tunables = Tunables { tiering: true, ..tunables.clone() };
        let bytes: Arc<[u8]> = bytes.into();
        let types = Arc::new(TypeRegistry::default());
        let parse = || tenure_module::parse(&bytes, features(), &types).expect("the module is right");
        let mut parsed = parse();
        let layout = tenure_code::layout(&parsed.module).expect("the context is small");
        let optimizing = OptimizingCompiler::new().expect("this machine is known");
        let (mut funcs, mut takers, mut owners) = (Vec::new(), Vec::new(), HashMap::new());
        let mut refused = Vec::new();
        let imported = parsed.module.imported_funcs;
        let first_taker = parsed.module.funcs.len() as u32;
        let bodies = std::mem::take(&mut parsed.bodies);
        {
            let unit =
                CompileUnit { module: &parsed.module, layout: &layout, tunables: &tunables, profile: None };
            for (number, body) in bodies.into_iter().enumerate() {
                let count = loops(&body);
                let func = imported + number as u32;
                let again = || parse().bodies.into_iter().nth(number).expect("it is there again");
                let compiled = match compiler.compile(unit, body) {
                    Err(error) if baseline_refused(&error) => {
                        refused.push(format!("body {number}: {error}"));
                        optimizing.compile(unit, again())
                    }
                    compiled => compiled,
                };
                let mut compiled = compiled.unwrap_or_else(|error| panic!("body {number}: {error}"));
                always_spent(&mut compiled);
                let homes = compiled.homes;
                funcs.push(compiled);
                let Some(homes) = homes else { continue };
                for place in 0..count {
                    let entry = LoopEntry { number: place, homes };
                    match optimizing.compile_loop_entry(unit, again(), entry) {
                        Ok(mut taker) => {
                            taker.func = FuncIdx(first_taker + takers.len() as u32);
                            owners.insert(taker.func.0, func);
                            takers.push(((func, place), taker));
                        }
                        // Control never comes to some loops.
                        Err(error) => assert!(error.to_string().contains("cannot come"), "{error}"),
                    }
                }
            }
        }
        let mut module: Module = parsed.module;
        let mut of_loops = Vec::new();
        for (of_loop, taker) in takers {
            let FuncDecl { ty, id, .. } = module.funcs[owners[&taker.func.0] as usize];
            module.funcs.push(FuncDecl { ty, id, escape: None });
            funcs.push(taker);
            of_loops.push(of_loop);
        }
        let image = CodeImage::link(funcs).expect("the code is small");
        let defined = (first_taker - imported) as usize;
        let starts: Vec<usize> = image.funcs[defined..].iter().map(|range| range.start as usize).collect();
        let loaded = load(module, layout, image, &tunables);
        let base = loaded.text_start();
        let takers =
            of_loops.into_iter().zip(starts).map(|(of_loop, start)| (of_loop, base + start)).collect();
        Self { loaded, types, takers: Arc::new(takers), owners: Arc::new(owners), refused }
    }

    /// How many loops can hand over.
    pub fn loops(&self) -> Vec<Loop> {
        let mut loops: Vec<Loop> = self.takers.keys().copied().collect();
        loops.sort();
        loops
    }

    /// An instance in a store of its own.
    pub fn instantiate(&self) -> Result<Tiered, Trap> {
        let instance = instantiate_loaded(&self.loaded, &self.types, self.refused.clone())?;
        let (takers, owners) = (self.takers.clone(), self.owners.clone());
        let mut this = Tiered { instance, takers, owners, builtins: Box::default() };
        this.watch();
        Ok(this)
    }
}

impl Tiered {
    /// Has the instance's code call [`spent`] in place of the builtin.
    fn watch(&mut self) {
        let module = self.instance.loaded.module();
        let Some(export) = module
            .exports
            .iter()
            .find(|export| matches!(export.item, ExternIdx::Func(func) if !module.is_imported_func(func)))
        else {
            return;
        };
        let item = export.item;
        let export = self.instance.store.export(self.instance.inst, item).expect("the export exists");
        let Extern::Func(func) = export else { unreachable!() };
        let funcref = self.instance.store.func(func).expect("the function lives").funcref();
        // SAFETY: the function is the instance's own, so its context is the instance's, which lives with the store;
        // the runtime reads the array of stubs there through the context alone, and `builtins` lives as long.
        unsafe {
            let header = (*funcref.as_ptr()).vmctx;
            let count = Builtin::ALL.len() + Leaf::ALL.len();
            self.builtins = std::slice::from_raw_parts((*header).builtins, count).into();
            self.builtins[Builtin::BudgetSpent as usize] = spent as *const () as usize;
            (*header).builtins = self.builtins.as_ptr();
        }
    }

    /// Calls the export `name`, handing over as `when` says. What came of it, and how often that happened.
    pub fn call(&mut self, name: &str, args: &[u128], when: When) -> (Outcome, u64) {
        let plan = Plan { when, arrivals: HashMap::new(), takers: self.takers.clone(), handovers: 0 };
        PLAN.set(Some(plan));
        let outcome = self.instance.call(name, args);
        let handovers = PLAN.take().map_or(0, |plan| plan.handovers);
        let outcome = match outcome {
            Outcome::Trap(trap, at, Some(func)) => {
                Outcome::Trap(trap, at, Some(self.owners.get(&func).copied().unwrap_or(func)))
            }
            outcome => outcome,
        };
        (outcome, handovers)
    }
}
