//! When code of the baseline tier gives way to better.

use crate::options::{OnStackReplacement, Options, TierUp};
use std::time::Duration;
use tenure_runtime::LoadedModule;
use tenure_types::FuncIdx;

/// The plan of an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    budget: u64,
    budget_per_byte: u64,
    /// Whether better code is made while the guest waits.
    pub(super) at_once: bool,
    /// How long it waits before it is used, for tests.
    pub(super) delay: Duration,
    /// Where activations move to better code, if not where they are hot.
    pub(super) replace: Option<Replace>,
}

/// Where activations in baseline code move over, for tests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Replace {
    /// Nowhere.
    Never,
    /// At the first loop that they reach.
    First,
    /// Here and there.
    Sometimes,
    /// At one loop of every function, when loops of any function were reached so often before.
    At { number: u32, arrival: u32 },
}

impl Replace {
    /// Whether an activation of `func` moves over at loop `number`, the module's `arrival`th at a loop.
    pub(super) fn is_now(self, func: FuncIdx, number: u32, arrival: u32) -> bool {
        match self {
            Self::Never => false,
            Self::First => true,
            Self::Sometimes => {
                // Knuth's multiplicative hash: spread well enough for a test.
                let mixed = (func.0 ^ number << 8 ^ arrival << 16).wrapping_mul(2_654_435_761);
                mixed >> 29 == 0
            }
            Self::At { number: at, arrival: from } => number == at && arrival >= from,
        }
    }
}

impl Plan {
    pub(crate) fn new(options: &Options) -> Self {
        let replace = match options.on_stack_replacement {
            OnStackReplacement::WhenHot => None,
            OnStackReplacement::Never => Some(Replace::Never),
            OnStackReplacement::First => Some(Replace::First),
            OnStackReplacement::Sometimes => Some(Replace::Sometimes),
            OnStackReplacement::At { number, arrival } => Some(Replace::At { number, arrival }),
        };
        Self {
            budget: options.tier_up_budget,
            budget_per_byte: options.tier_up_budget_per_byte,
            at_once: options.tier_up == TierUp::AtOnce,
            delay: Duration::from_millis(options.tier_up_delay),
            replace,
        }
    }

    /// What `func` may execute before it asks, and asks again.
    pub(super) fn budget_of(&self, module: &LoadedModule, func: FuncIdx) -> i32 {
        let module = module.module();
        let bytes = module.body_index(func).map_or(0, |at| module.bodies[at].len() as u64);
        let budget = self.budget.saturating_add(self.budget_per_byte.saturating_mul(bytes));
        i32::try_from(budget).unwrap_or(i32::MAX)
    }
}
