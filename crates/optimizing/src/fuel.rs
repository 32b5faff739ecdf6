//! Counting fuel down, when the engine wants that.
//!
//! What is left is a variable, so that it lives in a register where that pays. The store's counter gets it before
//! anything that could look: before what may trap, before calls and returns. So a trap needs to restore nothing,
//! and a path that cannot trap writes nothing.
//!
//! ```text
//! function, loop    left -= cost; trap if left < 0
//! segment           left -= cost
//! load, call, …     write, unless that was done since `left` changed
//! behind a call     read
//! ```
//! What a segment is, and what it costs, is [`FuelPlan`]'s to say.

use crate::abi::PTR;
use crate::records::{FIXED, Region};
use crate::translate::Translator;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, Value, types};
use cranelift_frontend::Variable;
use tenure_abi::Builtin;
use tenure_abi::vm::{VmCtxHeader, VmStore};
use tenure_code::CompileError;
use tenure_module::{FuelPlan, FuelSegment, VariableOperatorCost};
use tenure_types::Trap;
use wasmparser::Operator;

/// What is known of the fuel at the present place.
pub(crate) struct Fuel {
    plan: FuelPlan,
    /// What is left.
    left: Variable,
    /// Its value here, if it was asked for since paths last met.
    here: Option<Value>,
    /// Whether the store's counter has it.
    is_written: bool,
}

/// The place before an operator.
struct Place {
    block: Block,
    last: Option<Inst>,
    /// How many instructions there were.
    count: usize,
}

impl Translator<'_> {
    /// Begins to count: pays for the function's first segment.
    pub(crate) fn start_fuel(&mut self, mut plan: FuelPlan) {
        let entry = plan.entry();
        let left = self.builder.declare_var(types::I64);
        self.fuel = Some(Fuel { plan, left, here: None, is_written: true });
        self.read_fuel();
        self.pay(entry);
    }

    /// Goes over to the plan of an inlined callee: pays for its first segment. The plan that waits, if fuel is counted.
    pub(crate) fn begin_fuel_plan(&mut self, mut plan: FuelPlan) -> Option<FuelPlan> {
        let entry = plan.entry();
        let outer = std::mem::replace(&mut self.fuel.as_mut()?.plan, plan);
        self.pay(entry);
        Some(outer)
    }

    /// Goes back to the plan that waited.
    pub(crate) fn end_fuel_plan(&mut self, outer: FuelPlan) {
        if let Some(fuel) = &mut self.fuel {
            fuel.plan = outer;
        }
    }

    /// Translates one operator and counts, if fuel is counted.
    pub(crate) fn counted_operator(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), CompileError> {
        if self.fuel.is_none() {
            return self.operator(op, offset);
        }
        let place = self.reachable.then(|| self.place());
        let inlined = self.inlined_calls();
        self.operator(op, offset)?;
        // An inlined callee has counted by itself, in the same variable.
        let is_inlined = self.inlined_calls() > inlined;
        if let Some(place) = place
            && !is_inlined
            && !matches!(op, Operator::Loop { .. })
        {
            self.write_fuel_at(&place);
        }
        if !self.reachable {
            return Ok(());
        }
        match op {
            Operator::Call { .. } if is_inlined => {}
            Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::CallRef { .. }
            | Operator::MemoryGrow { .. }
            | Operator::MemoryInit { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => self.read_fuel(),
            _ => {}
        }
        if let Some(segment) = self.fuel.as_mut().and_then(|fuel| fuel.plan.after(offset)) {
            self.pay(segment);
        }
        Ok(())
    }

    /// What operators cost by how much they do, if fuel is counted.
    pub(crate) fn variable_costs(&self) -> Option<&VariableOperatorCost> {
        self.unit.tunables.fuel.as_ref().map(|costs| &costs.variable)
    }

    /// Calls a builtin that is paid for by what it does, as the runtime does the paying.
    pub(crate) fn paid_builtin(&mut self, builtin: Builtin, args: &[Value]) {
        self.write_fuel();
        self.builtin(builtin, args);
        self.read_fuel();
    }

    /// Pays `cost` for each of `length`, which is an `i32`, and checks.
    pub(crate) fn pay_by_length(&mut self, length: Value, cost: u8) {
        let Some(left) = self.fuel_left() else { return };
        if cost == 0 {
            return;
        }
        let length = self.zero_extended(length);
        // Below 2^40.
        let price = self.builder.ins().imul_imm_u(length, i64::from(cost));
        let left = self.builder.ins().isub(left, price);
        self.set_fuel_left(left);
        self.write_fuel();
        self.check_fuel();
    }

    fn pay(&mut self, segment: FuelSegment) {
        let Some(left) = self.fuel_left() else { return };
        if segment.cost > 0 {
            let left = self.builder.ins().iadd_imm_s(left, -i64::from(segment.cost));
            self.set_fuel_left(left);
        }
        if segment.is_checked {
            self.check_fuel();
        }
    }

    /// Traps if less than nothing is left. The store need not know how much less.
    fn check_fuel(&mut self) {
        let Some(left) = self.fuel_left() else { return };
        let used_up = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        self.trap_if(used_up, Trap::OutOfFuel);
    }

    /// Calls a builtin in a block of its own, from which code goes on where it would have.
    pub(crate) fn builtin_between_operators(&mut self, builtin: Builtin) {
        let was_written = self.fuel.as_ref().is_some_and(|fuel| fuel.is_written);
        self.write_fuel();
        self.builtin(builtin, &[]);
        self.read_fuel();
        if let Some(fuel) = &mut self.fuel {
            fuel.is_written = was_written;
            fuel.here = None;
        }
    }

    /// Paths may meet here.
    pub(crate) fn fuel_paths_meet(&mut self) {
        if let Some(fuel) = &mut self.fuel {
            fuel.here = None;
            fuel.is_written = false;
        }
    }

    /// Writes what is left to the store's counter, unless it has it.
    pub(crate) fn write_fuel(&mut self) {
        if self.fuel.as_ref().is_none_or(|fuel| fuel.is_written) {
            return;
        }
        let Some(left) = self.fuel_left() else { return };
        let store = self.store_ctx();
        let flags = self.trusted(Region::Fuel);
        self.builder.ins().store(flags, left, store, VmStore::FUEL);
        self.set_written();
    }

    /// Reads what is left from the store's counter.
    pub(crate) fn read_fuel(&mut self) {
        if self.fuel.is_none() {
            return;
        }
        let store = self.store_ctx();
        let flags = self.trusted(Region::Fuel);
        let left = self.builder.ins().load(types::I64, flags, store, VmStore::FUEL);
        self.set_fuel_left(left);
        self.set_written();
    }

    fn fuel_left(&mut self) -> Option<Value> {
        let fuel = self.fuel.as_mut()?;
        let builder = &mut self.builder;
        Some(*fuel.here.get_or_insert_with(|| builder.use_var(fuel.left)))
    }

    fn set_fuel_left(&mut self, left: Value) {
        if let Some(fuel) = &mut self.fuel {
            self.builder.def_var(fuel.left, left);
            fuel.here = Some(left);
            fuel.is_written = false;
        }
    }

    fn set_written(&mut self) {
        if let Some(fuel) = &mut self.fuel {
            fuel.is_written = true;
        }
    }

    fn place(&mut self) -> Place {
        // What is written at this place is the value here.
        self.fuel_left();
        let block = self.builder.current_block().expect("code that is reached is in a block");
        let func = &self.builder.func;
        Place { block, last: func.layout.last_inst(block), count: func.dfg.num_insts() }
    }

    /// Writes what was left at `place` there, if what was made since may show it and it is not written yet.
    fn write_fuel_at(&mut self, place: &Place) {
        let Some(Fuel { here: Some(left), is_written: false, .. }) = self.fuel else { return };
        let func = &*self.builder.func;
        let mut new = (place.count..func.dfg.num_insts()).map(Inst::new);
        if !new.any(|inst| shows_fuel(func, inst)) {
            return;
        }
        let flags = self.trusted(Region::Fuel);
        let location = self.builder.srcloc();
        let mut cursor = FuncCursor::new(self.builder.func).with_srcloc(location);
        match place.last {
            Some(last) => cursor.goto_after_inst(last),
            None => cursor.goto_first_insertion_point(place.block),
        }
        let store = cursor.ins().load(PTR, FIXED, self.vmctx, VmCtxHeader::STORE);
        cursor.ins().store(flags, left, store, VmStore::FUEL);
        self.set_written();
    }
}

/// Whether someone could look at the store's counter while `inst` runs.
fn shows_fuel(func: &Function, inst: Inst) -> bool {
    let data = &func.dfg.insts[inst];
    data.opcode().is_call() || data.opcode().can_trap() || data.memflags_trap_code(&func.dfg).is_some()
}
