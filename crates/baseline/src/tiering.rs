//! Counting towards better code, and handing over to it in the middle of a loop.
//!
//! ```text
//! header:  sub dword [budget], bytes     spent:  what the header finds in registers goes home
//!          js spent                              call BudgetSpent(func, loop)
//! back:    …                                     is it 0? load what the call lost, jmp back
//!                                                call it with (vmctx, results pointer, fp), and return
//! ```
//! A function counts where it begins and at every loop header, in bytes of WebAssembly. Each byte counts in the
//! innermost loop around it, and outside of all loops at the entry; so a call costs what it runs through at most.
//!
//! The count is the first thing at a header: who takes over there does all that follows, such as looking at the epoch.
//!
//! A function with tail calls never hands over, because the frame that waits below would make them calls that are no
//! tail calls any more. Its next call finds the better code.

use crate::func::FuncCompiler;
use crate::isa_x64::KEPT_PINS;
use crate::regs::{Reg, RegSet};
use crate::stack::Place;
use tenure_abi::builtins::ENTRY;
use tenure_asm::Label;
use tenure_module::Item;

/// A loop, or the whole body, whose bytes are being counted.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    /// Where their number is to stand in the code.
    at: usize,
    /// Where they begin.
    start: usize,
    /// How many of them belong to loops in it.
    inner: usize,
}

/// A place where the budget turned out to be spent.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    label: Label,
    back: Label,
    /// What [`Builtin::BudgetSpent`](tenure_abi::Builtin::BudgetSpent) is told.
    place: u32,
    region: u32,
    offset: u32,
}

impl FuncCompiler<'_> {
    /// Whether other code may take over at the loops of this function.
    pub(crate) fn hands_over(&self) -> bool {
        self.unit.tunables.tiering && !self.b.summary.may_have_tail_calls()
    }

    /// Where the function begins, with arguments in the registers in which they came.
    pub(crate) fn count_entry(&mut self) {
        if !self.unit.tunables.tiering {
            return;
        }
        let regs = &self.b.regs;
        self.b.arrived.extend(regs.copies.iter().map(|reg| (reg, regs.item_in(reg))));
        self.count_at(ENTRY);
    }

    /// At the header of loop `number`: no temp holds anything, and all operands are at home if the function
    /// hands over.
    pub(crate) fn count_loop(&mut self, number: u32) {
        if self.unit.tunables.tiering {
            self.count_at(if self.hands_over() { number } else { ENTRY });
        }
    }

    fn count_at(&mut self, place: u32) {
        let (label, back) = (self.b.asm.new_label(), self.b.asm.new_label());
        let at = self.subtract_from_budget(label);
        self.b.asm.bind(back);
        self.b.counts.push(Count { at, start: self.next, inner: 0 });
        self.b.late.push(crate::traps::Late::Spent(Spent {
            label,
            back,
            place,
            region: self.region,
            offset: self.offset,
        }));
    }

    /// Where the innermost loop ends, or the body: now it is known how many bytes it has.
    pub(crate) fn end_count(&mut self) {
        let Some(Count { at, start, inner }) = self.b.counts.pop() else { return };
        let bytes = self.next - start;
        if let Some(around) = self.b.counts.last_mut() {
            around.inner += bytes;
        }
        let own = i32::try_from(bytes - inner).unwrap_or(i32::MAX).max(1);
        self.b.asm.buffer.overwrite(at, &own.to_le_bytes());
    }

    /// Brings every operand home, constants too: code that takes over will look for them there.
    pub(crate) fn all_home(&mut self) {
        self.settle_all();
        for at in self.homed..self.height() {
            let value = self.b.values[at];
            let home = crate::isa_x64::asm::frame(self.frame.operand(at as u32));
            self.store_value(home, value);
            self.b.values[at].set_place(Place::Home(at as u32));
        }
        self.homed = self.height();
    }

    /// Writes what happens when a budget is spent.
    pub(crate) fn write_spent(&mut self, spent: Spent) {
        let Spent { label, back, place, region, offset } = spent;
        let region = *self.b.regions.region(region);
        let hands_over = place != ENTRY;
        // Arguments are where they came, at the entry of the function and nowhere else; it is written first.
        let mut arrived = std::mem::take(&mut self.b.arrived);
        let lost = region.pins.without(RegSet::of(&KEPT_PINS));
        let stale = if hands_over { region.stale } else { region.stale.and(lost) };
        let pin = |reg| (reg, region.item(reg).expect("a pin holds something"));

        self.b.asm.bind(label);
        self.offset = offset;
        for (reg, item) in stale.iter().map(pin).chain(arrived.iter().copied()) {
            if let Some(local) = item.as_local() {
                self.store_frame(self.b.locals[local as usize], self.local_home(local), reg);
            }
        }
        self.ask_for_better_code(place);
        if hands_over {
            let over = self.b.asm.new_label();
            self.jump_if_no_code(over);
            self.hand_over();
            self.b.asm.bind(over);
        }
        for (reg, item) in lost.without(stale).iter().map(pin) {
            self.load_pin(item, reg);
        }
        for (reg, item) in lost.and(stale).iter().map(pin).chain(arrived.iter().copied()) {
            self.reload(item, reg);
        }
        self.b.asm.jmp(back);
        arrived.clear();
        self.b.arrived = arrived;
    }

    /// Loads `reg` with what was brought home from there, or with an item that is no local.
    fn reload(&mut self, item: Item, reg: Reg) {
        match item.as_local() {
            // That home holds something: nobody has to make it zero.
            Some(local) => self.load_frame(self.b.locals[local as usize], reg, self.local_home(local)),
            None => self.load_pin(item, reg),
        }
    }
}
