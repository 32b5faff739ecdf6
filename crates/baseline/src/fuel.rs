//! Counting fuel down, when the engine wants that: in the store's counter itself, which so is always exact.
//!
//! What a segment is, and what it costs, is [`FuelPlan`](tenure_module::FuelPlan)'s to say.

use crate::func::FuncCompiler;
use crate::traps::Late;
use tenure_abi::Builtin;
use tenure_module::FuelSegment;

impl FuncCompiler<'_> {
    /// Where the body begins: pays for what begins there.
    pub(crate) fn pay_at_entry(&mut self) {
        if let Some(plan) = &mut self.fuel {
            let segment = plan.entry();
            self.pay(segment);
        }
    }

    /// Behind an operator: pays for what begins there, if control comes there.
    pub(crate) fn pay_behind_operator(&mut self) {
        if self.reachable
            && let Some(plan) = &mut self.fuel
            && let Some(segment) = plan.after(u64::from(self.offset))
        {
            self.pay(segment);
        }
    }

    fn pay(&mut self, segment: FuelSegment) {
        if !segment.is_checked {
            return self.count_down(segment.cost);
        }
        self.save_arguments();
        self.b.regs.drop_copies();
        self.leaf = false;
        let (label, back) = (self.b.asm.new_label(), self.b.asm.new_label());
        self.jump_if_fuel_is_used_up(segment.cost, label);
        self.b.asm.bind(back);
        let (builtin, region, offset) = (Builtin::FuelExhausted, self.region, self.offset);
        self.b.late.push(Late::Ask { builtin, label, back, region, offset });
    }
}
