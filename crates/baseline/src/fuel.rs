//! Counting fuel down, when the engine wants that: in the store's counter itself, which so is always exact.
//!
//! What a segment is, and what it costs, is [`FuelPlan`](tenure_module::FuelPlan)'s to say.

use crate::func::FuncCompiler;
use tenure_asm::x64::Cond;
use tenure_module::FuelSegment;
use tenure_types::Trap;

impl FuncCompiler<'_> {
    /// Where the body begins: pays for what begins there.
    pub(crate) fn pay_at_entry(&mut self) {
        if let Some(plan) = &mut self.fuel {
            let segment = plan.entry();
            self.pay(segment);
        }
    }

    /// Behind an operator: pays for what begins there, if control comes there.
    #[inline(always)]
    pub(crate) fn pay_behind_operator(&mut self) {
        if self.fuel.is_some() {
            self.pay_for_next();
        }
    }

    #[cold]
    fn pay_for_next(&mut self) {
        if self.reachable
            && let Some(plan) = &mut self.fuel
            && let Some(segment) = plan.after(u64::from(self.offset))
        {
            self.pay(segment);
        }
    }

    fn pay(&mut self, segment: FuelSegment) {
        self.count_down(segment.cost);
        if segment.is_checked {
            self.trap_if(Cond::Less, Trap::OutOfFuel);
        }
    }
}
