//! Code that is made while guests run: at a function's first call, and again, better, once it is hot.
//!
//! ```text
//! no code ──first call──▶ baseline ──budget spent──▶ waiting ──worker──▶ optimized
//!    └─ the baseline compiler does not do it ─────────────────────────────▶ ┘
//! loop of an activation that goes on in baseline code: budget spent ──▶ waiting ──worker──▶ loop entry
//! ```
//! What is published stays: worse code is left to the activations that are in it. A guest never waits for the
//! optimizing compiler, but where no other does a function, nor for a lock that a compilation holds.

mod plan;
mod pool;

pub(crate) use plan::Plan;
pub(crate) use pool::Pool;

use crate::compilers::Compilers;
use crate::events::{self, Event, Reason};
use pool::{Job, Task};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::time::Instant;
use tenure_abi::builtins::ENTRY;
use tenure_abi::frame::Homes;
use tenure_code::{CompileError, CompileUnit, CompiledFunc, Compiler, LoopEntry, Profile};
use tenure_module::{Bodies, Body};
use tenure_runtime::{LoadError, LoadedModule, NoCode, TierSummary, Tiers};
use tenure_types::FuncIdx;

/// The tiers of one module.
pub(crate) struct ModuleTiers {
    this: Weak<Self>,
    compilers: Arc<Compilers>,
    plan: Plan,
    pool: Option<Arc<Pool>>,
    /// Whether code keeps the rows from code to operators.
    address_map: bool,
    /// `None` when the module defines no function.
    bodies: Option<Bodies>,
    funcs: Box<[FuncTier]>,
    /// Loops whose activations asked for better code.
    loops: Mutex<HashMap<(FuncIdx, u32), Loop>>,
    /// How many threads wait for another's first call, and what they wait at.
    first_calls: (Mutex<usize>, Condvar),
    /// How often a loop was reached, under a plan that counts.
    arrivals: AtomicU32,
    /// How often code was made.
    compilations: AtomicUsize,
    /// What the baseline compiler does not do.
    handed_over: Mutex<Vec<(FuncIdx, String)>>,
}

/// How far a function has come.
#[derive(Default)]
struct FuncTier {
    stage: AtomicU8,
    /// How often its budget was spent.
    heat: AtomicU32,
    /// Where baseline code keeps what a loop entry needs.
    homes: OnceLock<Homes>,
    /// Loop entries that were asked for.
    entries: AtomicU32,
}

/// Most loop entries of one function. Each compiles all of it, so that a guest with an activation in every loop
/// would have it compiled as often as it has loops.
const MOST_LOOP_ENTRIES: u32 = 8;

/// The stages of a function. Only the first two ever go back, when making code failed.
mod stage {
    pub const NONE: u8 = 0;
    pub const MAKING: u8 = 1;
    pub const BASELINE: u8 = 2;
    pub const WAITING: u8 = 3;
    pub const OPTIMIZED: u8 = 4;
    pub const REFUSED: u8 = 5;
}

#[derive(Clone, Copy)]
enum Loop {
    Waiting,
    Entry(usize),
    Refused,
}

impl Loop {
    fn code(self) -> Option<usize> {
        match self {
            Self::Entry(code) => Some(code),
            Self::Waiting | Self::Refused => None,
        }
    }
}

impl ModuleTiers {
    pub(crate) fn new(
        compilers: Arc<Compilers>,
        plan: Plan,
        pool: Option<Arc<Pool>>,
        address_map: bool,
        bodies: Option<Bodies>,
        defined: usize,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            compilers,
            plan,
            pool,
            address_map,
            bodies,
            funcs: (0..defined).map(|_| FuncTier::default()).collect(),
            loops: Mutex::default(),
            first_calls: Default::default(),
            arrivals: AtomicU32::new(0),
            compilations: AtomicUsize::new(0),
            handed_over: Mutex::default(),
        })
    }

    fn tier_of(&self, module: &LoadedModule, func: FuncIdx) -> Option<&FuncTier> {
        self.funcs.get(module.module().body_index(func)?)
    }

    fn body<'m>(&self, module: &'m LoadedModule, func: FuncIdx) -> Result<Body<'m>, CompileError> {
        let body = self.bodies.as_ref().and_then(|bodies| bodies.body(module.module(), func));
        body.ok_or_else(|| CompileError::Bug(format!("function {} has no body", func.0)))
    }

    /// Has `compile` make code of `func`, and puts it in memory.
    fn make(
        &self,
        module: &Arc<LoadedModule>,
        func: FuncIdx,
        reason: Reason<'_>,
        compile: impl FnOnce(CompileUnit<'_>, Body<'_>) -> Result<CompiledFunc, CompileError>,
    ) -> Result<Made, Failed> {
        let started = Instant::now();
        let executed = Executed { tiers: self, module };
        let unit = CompileUnit {
            module: module.module(),
            layout: module.layout(),
            tunables: module.tunables(),
            profile: Some(&executed),
        };
        let body = self.body(module, func)?;
        let wasm_bytes = body.len();
        let mut code = match compile(unit, body) {
            Ok(code) => code,
            Err(error) => {
                if !(matches!(reason, Reason::FirstCall) && is_for_the_other(&error)) {
                    events::refused(module.module(), Some(module.id()), func, reason, &error);
                }
                return Err(error.into());
            }
        };
        if !self.address_map {
            code.meta.forget_offsets();
        }
        let (tier, code_bytes, homes) = (code.tier, code.code.len(), code.homes);
        let inlined = code.meta.inlined.len();
        let at = module.add(code).inspect_err(|error| {
            events::refused(module.module(), Some(module.id()), func, reason, error);
        })?;
        self.compilations.fetch_add(1, Ordering::Relaxed);
        let event = Event { func, reason, tier, wasm_bytes, code_bytes, inlined, started };
        events::made(module.module(), Some(module.id()), &event);
        Ok(Made { at, homes })
    }

    /// Makes the first code of `func`.
    fn make_first(&self, module: &Arc<LoadedModule>, func: FuncIdx, tier: &FuncTier) -> Result<u8, NoCode> {
        let budget = self.plan.budget_of(module, func);
        let baseline = &self.compilers.baseline;
        let why = match self.make(module, func, Reason::FirstCall, |unit, body| baseline.compile(unit, body))
        {
            Ok(made) => {
                if let Some(homes) = made.homes {
                    let _ = tier.homes.set(homes);
                }
                module.set_budget(func, budget);
                module.publish(func, made.at);
                return Ok(stage::BASELINE);
            }
            Err(Failed::Compile(error)) if is_for_the_other(&error) => error.to_string(),
            Err(error) => return Err(NoCode::new(module, func, error)),
        };
        let optimizing = self.compilers.optimizing().map_err(|error| NoCode::new(module, func, error))?;
        let made = with_stack(COMPILER_STACK, || {
            self.make(module, func, Reason::HandedOver(&why), |unit, body| optimizing.compile(unit, body))
        });
        let made =
            made.unwrap_or_else(|error| Err(Failed::Machine(format!("no thread for a compiler: {error}"))));
        let made = made.map_err(|error| NoCode::new(module, func, error))?;
        module.publish(func, made.at);
        lock(&self.handed_over).push((func, why));
        Ok(stage::OPTIMIZED)
    }

    /// Makes the best code of `func` and publishes it.
    fn make_best(&self, module: &Arc<LoadedModule>, func: FuncIdx) {
        let Some(tier) = self.tier_of(module, func) else { return };
        let heat = tier.heat.load(Ordering::Relaxed);
        let made = self.compilers.optimizing().map_err(|error| Failed::Machine(error.to_string()));
        let made = made.and_then(|optimizing| {
            self.make(module, func, Reason::Hot { heat }, |unit, body| optimizing.compile_well(unit, body))
        });
        std::thread::sleep(self.plan.delay);
        match made {
            Ok(made) => {
                module.publish(func, made.at);
                tier.stage.store(stage::OPTIMIZED, Ordering::Release);
                // Whoever is still in the worse code asks again soon.
                module.set_budget(func, self.plan.budget_of(module, func));
            }
            Err(_) => {
                tier.stage.store(stage::REFUSED, Ordering::Release);
                module.set_budget(func, i32::MAX);
            }
        }
    }

    /// Makes the code that takes over at loop `number` of `func`.
    fn make_loop_entry(&self, module: &Arc<LoadedModule>, func: FuncIdx, number: u32) -> Option<usize> {
        let homes = self.tier_of(module, func)?.homes.get();
        let made = homes.and_then(|&homes| {
            let optimizing = self.compilers.optimizing().ok()?;
            let entry = LoopEntry { number, homes };
            let made = self.make(module, func, Reason::Loop { number }, |unit, body| {
                optimizing.compile_loop_entry(unit, body, entry)
            });
            Some(made.ok()?.at)
        });
        std::thread::sleep(self.plan.delay);
        let state = made.map_or(Loop::Refused, Loop::Entry);
        lock(&self.loops).insert((func, number), state);
        // The activation that asked is to see it at its next arrival.
        module.set_budget(func, if made.is_some() { 0 } else { i32::MAX });
        made
    }

    /// Does what a worker was asked to.
    pub(crate) fn work(&self, module: &Arc<LoadedModule>, func: FuncIdx, task: Task) {
        match task {
            Task::Best => self.make_best(module, func),
            Task::LoopEntry(number) => {
                self.make_loop_entry(module, func, number);
            }
        }
    }

    /// How urgent work on `func` is.
    pub(crate) fn heat(&self, module: &LoadedModule, func: FuncIdx) -> u32 {
        self.tier_of(module, func).map_or(0, |tier| tier.heat.load(Ordering::Relaxed))
    }

    /// Has a worker do `task`, or does it at once where the plan says so; whether anybody does.
    fn ask(&self, module: &Arc<LoadedModule>, func: FuncIdx, task: Task) -> bool {
        if self.plan.at_once {
            return with_stack(COMPILER_STACK, || self.work(module, func, task)).is_ok();
        }
        let Some(pool) = &self.pool else { return false };
        pool.send(Job { module: Arc::downgrade(module), tiers: self.this.clone(), func, task });
        true
    }

    /// The budget of a loop was spent by an activation in baseline code.
    fn in_loop(
        &self,
        module: &Arc<LoadedModule>,
        func: FuncIdx,
        number: u32,
        tier: &FuncTier,
    ) -> Option<usize> {
        // A compilation that ends right now holds the lock: the loop comes by again.
        let mut loops = match self.loops.try_lock() {
            Ok(loops) => loops,
            Err(TryLockError::Poisoned(loops)) => loops.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        match loops.entry((func, number)) {
            Entry::Occupied(known) => return known.get().code(),
            Entry::Vacant(_) if tier.homes.get().is_none() => return None,
            Entry::Vacant(_)
                if self.plan.replace.is_none()
                    && tier.entries.load(Ordering::Relaxed) >= MOST_LOOP_ENTRIES =>
            {
                return None;
            }
            Entry::Vacant(place) => place.insert(Loop::Waiting),
        };
        tier.entries.fetch_add(1, Ordering::Relaxed);
        drop(loops);
        self.ask(module, func, Task::LoopEntry(number));
        // If it was made at once, it is there.
        lock(&self.loops).get(&(func, number))?.code()
    }
}

impl Tiers for ModuleTiers {
    fn first_call(&self, module: &Arc<LoadedModule>, func: FuncIdx) -> Result<usize, NoCode> {
        let Some(tier) = self.tier_of(module, func) else {
            return Err(NoCode::new(module, func, "the module does not define it"));
        };
        loop {
            let begun =
                tier.stage.compare_exchange(stage::NONE, stage::MAKING, Ordering::Acquire, Ordering::Acquire);
            match begun {
                Ok(_) => {
                    let mut making = Making { tiers: self, tier, reached: stage::NONE };
                    making.reached = self.make_first(module, func, tier)?;
                    drop(making);
                }
                Err(stage::MAKING) => {
                    let (waiting, made) = &self.first_calls;
                    let mut waiting = lock(waiting);
                    *waiting += 1;
                    let is_making = |_: &mut usize| tier.stage.load(Ordering::Acquire) == stage::MAKING;
                    let waited = made.wait_while(waiting, is_making);
                    *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
                }
                Err(_) => return Ok(module.code_of(func)),
            }
        }
    }

    fn budget_spent(&self, module: &Arc<LoadedModule>, func: FuncIdx, place: u32) -> Option<usize> {
        let tier = self.tier_of(module, func)?;
        tier.heat.fetch_add(1, Ordering::Relaxed);
        module.set_budget(func, self.plan.budget_of(module, func));
        if let Some(replace) = self.plan.replace
            && place != ENTRY
        {
            let arrival = self.arrivals.fetch_add(1, Ordering::Relaxed);
            return replace.is_now(func, place, arrival).then(|| self.in_loop(module, func, place, tier))?;
        }
        match tier.stage.load(Ordering::Acquire) {
            stage::BASELINE => {
                let next = tier.stage.compare_exchange(
                    stage::BASELINE,
                    stage::WAITING,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if next.is_ok() && !self.ask(module, func, Task::Best) {
                    tier.stage.store(stage::REFUSED, Ordering::Release);
                }
                None
            }
            // New calls run the best code: this activation is from before, and stays in its loop for long.
            stage::OPTIMIZED if place != ENTRY => self.in_loop(module, func, place, tier),
            stage::REFUSED => {
                module.set_budget(func, i32::MAX);
                None
            }
            _ => None,
        }
    }

    fn summary(&self) -> TierSummary {
        let mut summary = TierSummary::default();
        for func in &self.funcs {
            let place = match func.stage.load(Ordering::Acquire) {
                stage::NONE | stage::MAKING => &mut summary.not_called,
                stage::BASELINE => &mut summary.baseline,
                stage::WAITING => &mut summary.waiting,
                stage::OPTIMIZED => &mut summary.optimized,
                _ => &mut summary.refused,
            };
            *place += 1;
        }
        summary.loop_entries = lock(&self.loops).values().filter(|entry| entry.code().is_some()).count();
        summary.compilations = self.compilations.load(Ordering::Relaxed);
        summary.handed_over = lock(&self.handed_over).clone();
        summary.handed_over.sort_by_key(|&(func, _)| func.0);
        summary
    }
}

/// What the functions of a module executed so far.
struct Executed<'t> {
    tiers: &'t ModuleTiers,
    module: &'t LoadedModule,
}

impl Profile for Executed<'_> {
    fn executed(&self, func: FuncIdx) -> u64 {
        let Some(tier) = self.tiers.tier_of(self.module, func) else { return 0 };
        let budget = i64::from(self.tiers.plan.budget_of(self.module, func));
        let spent = u64::from(tier.heat.load(Ordering::Relaxed)).saturating_mul(budget as u64);
        let since = match tier.stage.load(Ordering::Acquire) {
            stage::NONE | stage::MAKING => return 0,
            stage::BASELINE | stage::WAITING => {
                let left = self.module.budget(func).map_or(budget, i64::from);
                u64::try_from(budget - left).unwrap_or(0)
            }
            _ => 0,
        };
        // Once at least: it was called.
        let bytes =
            self.module.module().body_index(func).map_or(0, |at| self.module.module().bodies[at].len());
        spent.saturating_add(since).max(bytes as u64)
    }
}

/// Takes a function out of [`stage::MAKING`], whatever happens.
struct Making<'t> {
    tiers: &'t ModuleTiers,
    tier: &'t FuncTier,
    reached: u8,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let (waiting, made) = &self.tiers.first_calls;
        let waiting = lock(waiting);
        self.tier.stage.store(self.reached, Ordering::Release);
        if *waiting > 0 {
            made.notify_all();
        }
    }
}

/// Whether the optimizing compiler may do what the baseline compiler refused for this reason.
fn is_for_the_other(error: &CompileError) -> bool {
    matches!(error, CompileError::Unsupported { .. } | CompileError::TooLarge { .. })
}

/// Code that was put in memory.
struct Made {
    at: usize,
    homes: Option<Homes>,
}

/// Why there is no code.
#[derive(Debug)]
enum Failed {
    Compile(CompileError),
    Load(LoadError),
    Machine(String),
}

impl From<CompileError> for Failed {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Compile(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Machine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

/// Stack for the optimizing compiler.
const COMPILER_STACK: usize = 4 << 20;

/// Does `work`, for which the stack that a guest leaves is too small, on one of `bytes`.
///
/// # Errors
/// When the system starts no thread. The work is not done then.
fn with_stack<R: Send>(bytes: usize, work: impl FnOnce() -> R + Send) -> io::Result<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("tenure-first-call".to_string()).stack_size(bytes);
        let done = thread.spawn_scoped(scope, work)?.join();
        done.or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Locks whatever a panic elsewhere left: every change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Engine, TierUp};
    use std::ops::ControlFlow;

    #[test]
    fn without_a_thread_nothing_is_compiled_on_the_stack_that_a_guest_left() {
        assert_eq!(with_stack(COMPILER_STACK, || 7).unwrap(), 7);
        let mut is_done = false;
        // No system has a stack of that size.
        with_stack(1 << 60, || is_done = true).unwrap_err();
        assert!(!is_done);
    }

    #[test]
    fn a_function_with_an_activation_in_every_loop_is_not_compiled_for_each() {
        // (module (func (loop (br_if 0 (i32.const 0))) … ))
        let loops = 3 * MOST_LOOP_ENTRIES;
        let code = b"\x03\x40\x41\0\x0d\0\x0b".repeat(loops as usize);
        let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec();
        let body = code.len() as u8 + 2;
        assert!(code.len() > 125 && code.len() < 250, "two bytes of length");
        wasm.extend([0x0a, 0x80 | ((body + 3) & 0x7f), 1, 1, 0x80 | (body & 0x7f), 1, 0]);
        wasm.extend(code);
        wasm.push(0x0b);
        let engine = Engine::new(Config::new().tier_up(TierUp::AtOnce)).unwrap();
        let module = engine.compile(&wasm.into(), &|_| ControlFlow::Continue(())).unwrap();
        let (tiers, func) = (module.tiers().unwrap(), FuncIdx(0));
        tiers.first_call(&module, func).unwrap();
        assert_eq!(tiers.budget_spent(&module, func, ENTRY), None);
        let made = (0..loops).filter(|&at| tiers.budget_spent(&module, func, at).is_some()).count();
        assert_eq!(made, MOST_LOOP_ENTRIES as usize);
        assert!(tiers.budget_spent(&module, func, 0).is_some(), "those that are there serve on");
        let summary = tiers.summary();
        assert_eq!((summary.loop_entries, summary.optimized), (MOST_LOOP_ENTRIES as usize, 1));
    }
}
