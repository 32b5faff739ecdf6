//! Regions: stretches of a body, each the whole or a loop, in which the same items are pinned to the same
//! registers.
//!
//! ```text
//! region 0   the body          rbx = local 0, r14 = local 3
//! region 1   ├ loop            rbx = local 0, r14 = local 5, r10 = base of memory 0
//! region 0   └ another loop    as around it, for nothing else is worth a register there
//! ```
//! Which item is worth a register where, [`Scan`] says before the first instruction is written. Code that goes
//! from one region to another moves what differs: a pin that the new region lacks goes to its home, and what it
//! has and the old one lacks comes from there. That happens where loops begin and end, and in branches out of
//! them, and at no other place; so the registers of pins never differ where paths join within a region.
//!
//! A local that is not pinned is in its home at every label. A pinned one may be newer than its home: it is
//! *stale* there. Stale or not is a fact of a region, not of a point in it: a local is taken for stale in all of
//! a region as soon as any operator in it may write it.

use crate::isa_x64::{KEPT_PINS, LOST_PINS, VECTOR_PINS};
use crate::regs::{Item, Reg, RegSet};
use crate::scan::{Loop, Scan, Use};
use crate::tuning::{KEPT_PIN, LOOP_PIN, LOOP_TAKES, LOST_CALL, LOST_PIN};
use std::cmp::Reverse;
use tenure_abi::ValClass;

/// The pins of one region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    items: [u32; Reg::COUNT],
    /// Registers that are pins.
    pub pins: RegSet,
    /// Pins whose items may be newer than their homes.
    pub stale: RegSet,
}

const NOTHING: u32 = u32::MAX;

impl Region {
    /// No pins.
    pub(crate) const EMPTY: Self =
        Self { items: [NOTHING; Reg::COUNT], pins: RegSet::EMPTY, stale: RegSet::EMPTY };

    /// What is pinned to `reg`.
    pub(crate) fn item(&self, reg: Reg) -> Option<Item> {
        match self.items[reg.0 as usize & 31] {
            NOTHING => None,
            item => Some(Item(item)),
        }
    }

    /// Whether `item` is pinned, anywhere.
    fn has(&self, item: Item) -> bool {
        self.items.contains(&item.0)
    }

    fn pin(&mut self, reg: Reg, item: Item, stale: bool) {
        self.items[reg.0 as usize & 31] = item.0;
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
    sorted: Vec<Use>,
}

/// What decides about pins beside the scan.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// By local: its class.
    pub locals: &'a [ValClass],
    /// Whether a call may move memory 0.
    pub memory_may_move: bool,
}

impl Regions {
    /// Decides what is pinned where.
    pub(crate) fn plan(&mut self, scan: &Scan, facts: Facts<'_>) {
        self.rows.clear();
        self.of_loop.clear();
        for number in 0..scan.loops.len() {
            let this = scan.loops[number];
            self.sorted.clear();
            let worth = scan.uses(number as u32).iter().filter(|used| used.weight >= LOST_PIN.min(LOOP_PIN));
            self.sorted.extend(worth);
            self.sorted.sort_unstable_by_key(|used| (Reverse(used.weight), used.item.0));
            let around = this.parent.map(|parent| self.of_loop[parent as usize]);
            let region = match around {
                None => self.body(this, facts),
                Some(around) => self.inner(self.rows[around as usize], this, facts),
            };
            match around {
                Some(around) if self.rows[around as usize] == region => self.of_loop.push(around),
                _ => {
                    self.of_loop.push(self.rows.len() as u32);
                    self.rows.push(region);
                }
            }
        }
        if self.rows.is_empty() {
            self.rows.push(Region::EMPTY);
        }
        self.used = self.rows.iter().fold(RegSet::EMPTY, |used, row| used.or(row.pins));
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
    fn body(&self, this: Loop, facts: Facts<'_>) -> Region {
        let mut region = Region::EMPTY;
        let lost_cost = LOST_PIN.saturating_add(LOST_CALL.saturating_mul(this.calls));
        for used in &self.sorted {
            let kept: &[Reg] = if used.weight >= KEPT_PIN { &KEPT_PINS } else { &[] };
            let Some(reg) = registers(*used, this, facts, lost_cost, kept).find(|&reg| !region.pins.has(reg))
            else {
                continue;
            };
            // The home of an argument or of a local that starts as zero is never written before it is read
            // from there, which a pin never is.
            region.pin(reg, used.item, true);
        }
        region
    }

    /// The pins of a loop in `around`.
    fn inner(&self, around: Region, this: Loop, facts: Facts<'_>) -> Region {
        let mut region = around;
        // What each pin is worth in this loop.
        let mut weights = [0; Reg::COUNT];
        for used in &self.sorted {
            if let Some(at) = region.items.iter().position(|&item| item == used.item.0) {
                weights[at] = used.weight;
            }
        }
        let lost_cost = LOOP_PIN.saturating_add(LOST_CALL.saturating_mul(this.calls));
        for used in self.sorted.iter().filter(|used| used.weight >= LOOP_PIN) {
            if region.has(used.item) {
                continue;
            }
            let least = used.weight - LOOP_TAKES.min(used.weight);
            let mut best: Option<Reg> = None;
            for reg in registers(*used, this, facts, lost_cost, &KEPT_PINS) {
                if !region.pins.has(reg) {
                    best = Some(reg);
                    break;
                }
                let weight = weights[reg.0 as usize];
                if weight <= least && best.is_none_or(|best| weight < weights[best.0 as usize]) {
                    best = Some(reg);
                }
            }
            if let Some(reg) = best {
                weights[reg.0 as usize] = used.weight;
                region.pin(reg, used.item, used.written || this.lossy);
            }
        }
        region
    }
}

/// The registers to which `used` may be pinned, best first.
fn registers(
    used: Use,
    this: Loop,
    facts: Facts<'_>,
    lost_cost: u32,
    kept: &'static [Reg],
) -> impl Iterator<Item = Reg> {
    let class = match used.item.as_local() {
        Some(local) => facts.locals.get(local as usize).copied(),
        None if used.item == Item::MEMORY && facts.memory_may_move && this.calls > 0 => None,
        None => Some(ValClass::I64),
    };
    let nothing: &[Reg] = &[];
    let (first, then): (&[Reg], &[Reg]) = match class {
        None => (nothing, nothing),
        Some(class) => {
            let worth_losing = used.weight >= lost_cost;
            match (class.is_int(), worth_losing) {
                (false, true) => (&VECTOR_PINS, nothing),
                (false, false) => (nothing, nothing),
                (true, true) if this.calls == 0 => (&LOST_PINS, kept),
                (true, true) => (kept, &LOST_PINS),
                (true, false) => (kept, nothing),
            }
        }
    };
    first.iter().chain(then).copied()
}
