//! What was made when and why, for whoever listens: events of [`tracing`] with the target [`TARGET`].
//!
//! | field | of | what |
//! |---|---|---|
//! | `module` | all but `ahead` | the module's number in this process |
//! | `func`, `name` | all | the function's index and name |
//! | `reason` | all | `ahead`, `first call`, `handed over`, `hot`, `loop` |
//! | `tier` | made | `baseline` or `optimizing` |
//! | `wasm_bytes`, `code_bytes` | made | sizes of body and code |
//! | `inlined` | made | how many calls were translated in place |
//! | `micros` | made | time it took, on the thread that did it |
//! | `detail` | all | what the baseline compiler does not do, how often the budget was spent, which loop |
//! | `error` | refused | why there is no code |

use std::fmt;
use std::time::Instant;
use tenure_code::Tier;
use tenure_module::Module;
use tenure_types::FuncIdx;

/// The target of all events.
pub(crate) const TARGET: &str = "tenure::tiers";

/// Why code is made.
#[derive(Clone, Copy)]
pub(crate) enum Reason<'a> {
    /// All functions are, before anything runs.
    Ahead,
    /// The function is called for the first time.
    FirstCall,
    /// It is, or would be, and the baseline compiler does not do it, for this reason.
    HandedOver(&'a str),
    /// Its budget was spent.
    Hot {
        /// How often by then.
        heat: u32,
    },
    /// An activation stays in a loop.
    Loop {
        /// The loop's number.
        number: u32,
    },
}

impl Reason<'_> {
    fn title(&self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::FirstCall => "first call",
            Self::HandedOver(_) => "handed over",
            Self::Hot { .. } => "hot",
            Self::Loop { .. } => "loop",
        }
    }
}

/// The detail.
impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead | Self::FirstCall => Ok(()),
            Self::HandedOver(why) => f.write_str(why),
            Self::Hot { heat } => write!(f, "asked {heat} times"),
            Self::Loop { number } => write!(f, "loop {number}"),
        }
    }
}

/// Code that was made.
pub(crate) struct Event<'a> {
    pub(crate) func: FuncIdx,
    pub(crate) reason: Reason<'a>,
    pub(crate) tier: Tier,
    pub(crate) wasm_bytes: usize,
    pub(crate) code_bytes: usize,
    pub(crate) inlined: usize,
    pub(crate) started: Instant,
}

/// Tells of code that was made of `module`, which has number `id` if it is loaded by now.
pub(crate) fn made(module: &Module, id: Option<u64>, event: &Event<'_>) {
    let &Event { func, reason, tier, wasm_bytes, code_bytes, inlined, started } = event;
    tracing::debug!(
        target: TARGET,
        module = id,
        func = func.0,
        name = module.names.func(func).unwrap_or(""),
        reason = reason.title(),
        detail = %reason,
        tier = match tier { Tier::Baseline => "baseline", Tier::Optimizing => "optimizing" },
        wasm_bytes,
        code_bytes,
        inlined,
        micros = started.elapsed().as_micros() as u64,
        "made"
    );
}

/// Tells of code that could not be made.
pub(crate) fn refused(
    module: &Module,
    id: Option<u64>,
    func: FuncIdx,
    reason: Reason<'_>,
    error: &dyn fmt::Display,
) {
    tracing::debug!(
        target: TARGET,
        module = id,
        func = func.0,
        name = module.names.func(func).unwrap_or(""),
        reason = reason.title(),
        detail = %reason,
        error = %error,
        "refused"
    );
}
