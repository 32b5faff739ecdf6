//! Regions: pieces of a body, each the whole or a loop, in which the same items are pinned to the same
//! registers.
//!
//! ```text
//! region 0   the body          rbx = local 0, r14 = local 3
//! region 1   ├ loop            rbx = local 0, r14 = local 5, r10 = base of memory 0
//! region 0   └ another loop    as around it, for nothing else is worth a register there
//! ```
//! Which item is worth a register where, the [`Summary`] of the body says before the first instruction is written. Code that goes
//! from one region to another moves what differs: a pin that the new region lacks goes to its home, and what it
//! has and the old one lacks comes from there. That happens where loops begin and end, and in branches out of
//! them, and at no other place; so the registers of pins never differ where paths join within a region.
//!
//! A local that is not pinned is in its home at every label. A pinned one may be newer than its home: it is
//! *stale* there. Stale or not is a fact of a region, not of a point in it: a local is taken for stale in all of
//! a region as soon as any operator in it may write it.

use crate::isa_x64::{KEPT_PINS, LOST_PINS, VECTOR_PINS};
use crate::regs::{Reg, RegSet};
use crate::tuning::{KEPT_PIN, LOOP_PIN, LOOP_TAKES, LOST_CALL, LOST_PIN};
use tenure_abi::ValClass;
use tenure_module::{BodyPart, Item, Summary, Use};

/// The pins of one region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    items: [u16; Reg::COUNT],
    /// Registers that are pins.
    pub pins: RegSet,
    /// Pins whose items may be newer than their homes.
    pub stale: RegSet,
}

/// There are fewer items than this: a function has at most 50,000 locals.
const NOTHING: u16 = u16::MAX;

impl Region {
    /// No pins.
    pub(crate) const EMPTY: Self =
        Self { items: [NOTHING; Reg::COUNT], pins: RegSet::EMPTY, stale: RegSet::EMPTY };

    /// What is pinned to `reg`.
    pub(crate) fn item(&self, reg: Reg) -> Option<Item> {
        match self.items[reg.0 as usize & 31] {
            NOTHING => None,
            item => Some(Item(item.into())),
        }
    }

    /// The register that `item` is pinned to.
    fn find(&self, item: Item) -> Option<Reg> {
        self.pins.iter().find(|reg| u32::from(self.items[reg.0 as usize & 31]) == item.0)
    }

    fn pin(&mut self, reg: Reg, item: Item, stale: bool) {
        let Ok(number) = u16::try_from(item.0) else { return };
        self.items[reg.0 as usize & 31] = number;
        self.pins.insert(reg);
        if stale && item.as_local().is_some() {
            self.stale.insert(reg);
        } else {
            self.stale.remove(reg);
        }
    }
}

/// The regions of a body.
#[derive(Default)]
pub(crate) struct Regions {
    rows: Vec<Region>,
    /// By loop: its region.
    of_loop: Vec<u32>,
    /// Every register that is a pin somewhere.
    pub used: RegSet,
    /// The uses of one part, heaviest first: [`key`]s.
    sorted: Vec<u64>,
}

/// A use as a number, such that the heavier comes first, and of equals the one of the first item.
fn key(used: &Use) -> u64 {
    u64::from(!used.weight) << 32 | u64::from(used.item.0) << 1 | u64::from(used.written)
}

/// The use behind [`key`].
fn of_key(key: u64) -> Use {
    Use { item: Item(key as u32 >> 1), weight: !((key >> 32) as u32), written: key & 1 != 0 }
}

/// What decides about pins beside the uses.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// By local: its class.
    pub locals: &'a [ValClass],
    /// Whether a call may move memory 0.
    pub memory_may_move: bool,
}

impl Regions {
    /// Decides what is pinned where in `parts`, which are those of `summary` if anything is to be pinned.
    pub(crate) fn plan(&mut self, summary: &Summary, parts: &[BodyPart], facts: Facts<'_>) {
        self.rows.clear();
        self.of_loop.clear();
        self.used = RegSet::EMPTY;
        for this in parts {
            self.sorted.clear();
            self.sorted.extend(summary.uses(this).iter().map(key));
            self.sorted.sort_unstable();
            let around = this.parent.map(|parent| self.of_loop[parent as usize]);
            let region = match around {
                None => self.body(this, facts),
                Some(around) => self.inner(self.rows[around as usize], this, facts),
            };
            match around {
                Some(around) if self.rows[around as usize] == region => self.of_loop.push(around),
                _ => {
                    self.of_loop.push(self.rows.len() as u32);
                    self.used = self.used.or(region.pins);
                    self.rows.push(region);
                }
            }
        }
        if self.rows.is_empty() {
            self.rows.push(Region::EMPTY);
        }
    }

    /// Region number `number`.
    pub(crate) fn region(&self, number: u32) -> &Region {
        &self.rows[number as usize]
    }

    /// The region of the loop that is number `at` of the body's, if it is known.
    pub(crate) fn of_loop(&self, at: u32) -> Option<u32> {
        self.of_loop.get(at as usize + 1).copied()
    }

    /// The pins of the whole body.
    fn body(&self, this: &BodyPart, facts: Facts<'_>) -> Region {
        let mut region = Region::EMPTY;
        let lost_cost = LOST_PIN.saturating_add(LOST_CALL.saturating_mul(this.calls));
        // A lighter one is worth no register.
        let least = KEPT_PIN.min(lost_cost);
        for used in self.sorted.iter().copied().map(of_key).take_while(|used| used.weight >= least) {
            let kept: &[Reg] = if used.weight >= KEPT_PIN { &KEPT_PINS } else { &[] };
            let (first, then) = registers(used, this, facts, lost_cost, kept);
            let free = |regs: &[Reg]| regs.iter().copied().find(|&reg| !region.pins.has(reg));
            let Some(reg) = free(first).or_else(|| free(then)) else { continue };
            // The home of an argument or of a local that starts as zero is never written before it is read
            // from there, which a pin never is.
            region.pin(reg, used.item, true);
        }
        region
    }

    /// The pins of a loop in `around`.
    fn inner(&self, around: Region, this: &BodyPart, facts: Facts<'_>) -> Region {
        let mut region = around;
        if self.sorted.first().is_none_or(|&heaviest| of_key(heaviest).weight < LOOP_PIN) {
            return region;
        }
        // What each pin is worth in this loop.
        let mut weights = [0; Reg::COUNT];
        for used in self.sorted.iter().copied().map(of_key) {
            if let Some(reg) = region.find(used.item) {
                weights[reg.0 as usize & 31] = used.weight;
            }
        }
        let lost_cost = LOOP_PIN.saturating_add(LOST_CALL.saturating_mul(this.calls));
        let worth = self.sorted.iter().copied().map(of_key).take_while(|used| used.weight >= LOOP_PIN);
        for used in worth {
            if region.find(used.item).is_some() {
                continue;
            }
            let least = used.weight - LOOP_TAKES.min(used.weight);
            let mut best: Option<Reg> = None;
            let (first, then) = registers(used, this, facts, lost_cost, &KEPT_PINS);
            for &reg in first.iter().chain(then) {
                if !region.pins.has(reg) {
                    best = Some(reg);
                    break;
                }
                let weight = weights[reg.0 as usize & 31];
                if weight <= least && best.is_none_or(|best| weight < weights[best.0 as usize & 31]) {
                    best = Some(reg);
                }
            }
            if let Some(reg) = best {
                weights[reg.0 as usize & 31] = used.weight;
                region.pin(reg, used.item, used.written || this.lossy);
            }
        }
        region
    }
}

/// The registers to which `used` may be pinned, best first, in two parts.
#[inline]
fn registers(
    used: Use,
    this: &BodyPart,
    facts: Facts<'_>,
    lost_cost: u32,
    kept: &'static [Reg],
) -> (&'static [Reg], &'static [Reg]) {
    let class = match used.item.as_local() {
        Some(local) => facts.locals.get(local as usize).copied(),
        None if used.item == Item::MEMORY && facts.memory_may_move && this.calls > 0 => None,
        None => Some(ValClass::I64),
    };
    let worth_losing = used.weight >= lost_cost;
    match class {
        Some(class) if class.is_int() => match (worth_losing, this.calls) {
            (true, 0) => (&LOST_PINS, kept),
            (true, _) => (kept, &LOST_PINS),
            (false, _) => (kept, &[]),
        },
        Some(_) if worth_losing => (&VECTOR_PINS, &[]),
        _ => (&[], &[]),
    }
}
