//! What is compiled when, by which tier: what `tenure run --tier-log` prints and `--timeline` draws.
//!
//! ```text
//! engine ──events of `tracing`, any thread──▶ Recorder ─┬─ a line each ──▶ standard error   (log)
//!                                                       └─ Compilation ──▶ a picture        (timeline)
//! ```

mod log;
mod timeline;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Dispatch, Event, LevelFilter, Metadata, Subscriber, dispatcher};

use crate::report;

/// The target of the engine's events.
const TARGET: &str = "tenure::tiers";
/// The thread that compiles while the guest waits for it.
const FOR_THE_GUEST: &str = "tenure-first-call";

/// Which compiler made code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tier {
    Baseline,
    Optimizing,
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Optimizing => "optimizing",
        }
    }
}

/// One time that a compiler was asked for code.
#[derive(Clone, Debug)]
struct Compilation {
    /// When it was done, since the recorder's start.
    done: Duration,
    took: Duration,
    /// 0 is the guest's; the others are numbered as they appear.
    thread: usize,
    func: u32,
    /// As its author wrote it; empty if it has none.
    name: String,
    /// Such as `first call`, `hot`, `loop`.
    reason: String,
    /// More of the reason; may be empty.
    detail: String,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    Made { tier: Tier, wasm_bytes: u64, code_bytes: u64, inlined: u64 },
    Refused { error: String },
}

impl Compilation {
    fn started(&self) -> Duration {
        self.done.saturating_sub(self.took)
    }

    fn tier(&self) -> Option<Tier> {
        match self.outcome {
            Outcome::Made { tier, .. } => Some(tier),
            Outcome::Refused { .. } => None,
        }
    }

    /// Whether it is for the activations that are in one loop, not for calls.
    fn is_for_loop(&self) -> bool {
        self.reason == "loop"
    }

    /// Index and name.
    fn title(&self) -> String {
        if self.name.is_empty() {
            format!("function {}", self.func)
        } else {
            format!("{} {}", self.func, self.name)
        }
    }
}

fn thread_title(thread: usize) -> String {
    if thread == 0 { "guest".to_owned() } else { format!("worker {thread}") }
}

/// Remembers what is compiled in this process.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    start: Instant,
    /// Whether to print each event.
    prints: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    threads: HashMap<ThreadId, usize>,
    compilations: Vec<Compilation>,
}

impl Recorder {
    /// Records from now on; `prints` a line for each event too. The calling thread is the guest's.
    pub fn new(prints: bool) -> Self {
        let mut state = State::default();
        state.threads.insert(std::thread::current().id(), 0);
        Self(Arc::new(Shared { start: Instant::now(), prints, state: Mutex::new(state) }))
    }

    /// Hears the events of all threads. Whoever was there first stays.
    pub fn listen(&self) {
        // Only if somebody listens already, who then hears what there is to hear.
        let _ = dispatcher::set_global_default(Dispatch::new(self.clone()));
    }

    /// A picture of what happened so far: an SVG document. `title` names the module.
    pub fn timeline(&self, title: &str) -> String {
        let end = self.0.start.elapsed();
        timeline::draw(title, &self.state().compilations, end)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let done = self.0.start.elapsed();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let thread = std::thread::current();

        let mut state = self.state();
        let unknown = state.threads.values().max().map_or(0, |last| last + 1);
        let thread = if thread.name() == Some(FOR_THE_GUEST) {
            0
        } else {
            *state.threads.entry(thread.id()).or_insert(unknown)
        };
        let compilation = fields.into_compilation(done, thread);
        if self.0.prints {
            if state.compilations.is_empty() {
                report::note(&log::heading());
            }
            report::note(&log::line(&compilation));
        }
        state.compilations.push(compilation);
    }

    // There are no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    func: u64,
    wasm_bytes: u64,
    code_bytes: u64,
    inlined: u64,
    micros: u64,
    name: String,
    reason: String,
    detail: String,
    tier: String,
    error: Option<String>,
}

impl Fields {
    fn into_compilation(self, done: Duration, thread: usize) -> Compilation {
        let outcome = match self.error {
            Some(error) => Outcome::Refused { error },
            None => Outcome::Made {
                tier: if self.tier == "baseline" { Tier::Baseline } else { Tier::Optimizing },
                wasm_bytes: self.wasm_bytes,
                code_bytes: self.code_bytes,
                inlined: self.inlined,
            },
        };
        Compilation {
            done,
            took: Duration::from_micros(self.micros),
            thread,
            func: u32::try_from(self.func).unwrap_or(u32::MAX),
            name: report::demangled(&printable(&self.name)),
            reason: self.reason,
            detail: printable(&self.detail),
            outcome,
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "func" => self.func = value,
            "wasm_bytes" => self.wasm_bytes = value,
            "code_bytes" => self.code_bytes = value,
            "inlined" => self.inlined = value,
            "micros" => self.micros = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "name" => &mut self.name,
            "reason" => &mut self.reason,
            "detail" => &mut self.detail,
            "tier" => &mut self.tier,
            "error" => self.error.get_or_insert_default(),
            _ => return,
        };
        *place = value.to_owned();
    }

    /// Values that are written through `Display` arrive here.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// `text` without what would steer a terminal or is not allowed in XML: names come from the guest.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
fn sample(millis: f64, func: u32, reason: &str, tier: Tier) -> Compilation {
    Compilation {
        done: Duration::from_secs_f64(millis / 1000.0),
        took: Duration::from_micros(500),
        thread: usize::from(reason != "first call"),
        func,
        name: String::new(),
        reason: reason.to_owned(),
        detail: String::new(),
        outcome: Outcome::Made { tier, wasm_bytes: 100, code_bytes: 300, inlined: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::{Config, Engine, Instance, Module, Store, Strategy};

    #[test]
    fn what_the_engine_tells_is_recorded() {
        let recorder = Recorder::new(false);
        let dispatch = Dispatch::new(recorder.clone());
        dispatcher::with_default(&dispatch, || {
            let engine = Engine::new(Config::new().strategy(Strategy::Tiered)).unwrap();
            let module = Module::new(&engine, r#"(module (func) (func $two (export "f") nop))"#).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.get_typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ()).unwrap();
        });
        let state = recorder.state();
        let [only] = state.compilations.as_slice() else { panic!("{:?}", state.compilations) };
        assert_eq!(
            (only.func, only.name.as_str(), only.reason.as_str(), only.thread),
            (1, "two", "first call", 0)
        );
        assert!(only.done >= only.took);
        let Outcome::Made { tier: Tier::Baseline, wasm_bytes, code_bytes, inlined: 0 } = only.outcome else {
            panic!("{only:?}");
        };
        assert_eq!(wasm_bytes, 3, "no locals, two operators");
        assert!(code_bytes > 0);
    }

    #[test]
    fn names_do_not_steer_terminals() {
        let fields = Fields { name: "\u{1b}[2Ja".to_owned(), ..Fields::default() };
        assert_eq!(fields.into_compilation(Duration::ZERO, 0).name, "\u{fffd}[2Ja");
    }
}
