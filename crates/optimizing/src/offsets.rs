//! Keeps the operators of traps apart where instructions merge.
//!
//! Cranelift's code generator folds a load into the instruction that uses its value, if nothing with effects stands
//! between. What may fault is one instruction then, and its operator would be the user's:
//!
//! ```text
//! i32.load     v1 = load v0
//! i32.add      v2 = iadd v3, v1       add eax, [v0]      named i32.add
//! ```
//! So, right before code generation, every instruction that may swallow a load takes over the load's operator: it cannot
//! trap itself, and nothing else asks. Where it can, or could swallow two, a *sequence point* keeps the load out: an
//! effect that makes no code.

use crate::schedule::is_pure;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap, packed_option::PackedOption};
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, InstructionData, Opcode, Value};

/// Tables about one function, kept for the next.
#[derive(Default)]
pub(crate) struct Offsets {
    uses: SecondaryMap<Value, Uses>,
    /// Instructions that may swallow a load already.
    swallowing: EntitySet<Inst>,
}

/// Who uses a value.
#[derive(Clone, Copy, Default)]
struct Uses {
    count: u32,
    last: PackedOption<Inst>,
}

impl Offsets {
    /// Makes every instruction of optimized code that may fault one of the right operator's.
    pub(crate) fn keep(&mut self, func: &mut Function) {
        self.uses.clear();
        self.swallowing.clear();
        let mut next = func.layout.entry_block();
        while let Some(block) = next {
            for inst in func.layout.block_insts(block) {
                for value in func.dfg.inst_values(inst) {
                    let uses = &mut self.uses[value];
                    *uses = Uses { count: uses.count + 1, last: inst.into() };
                }
            }
            next = func.layout.next_block(block);
        }
        each_faulting_load(func, |func, block, load| self.follow(func, block, load));
    }

    /// Takes care of those who may swallow `load`: its only user, the only user of that one's value, and so on.
    fn follow(&mut self, func: &mut Function, block: Block, load: Inst) {
        let operator = func.srcloc(load);
        let mut value = func.dfg.first_result(load);
        loop {
            let Uses { count: 1, last } = self.uses[value] else { return };
            let here = |user: &Inst| func.layout.inst_block(*user) == Some(block);
            let Some(user) = last.expand().filter(here) else { return };
            let op = func.dfg.insts[user].opcode();
            let swallows = is_pure(op) || op == Opcode::Brif || is_update(func, load, user);
            if !swallows {
                if op.can_trap() && !op.can_load() && !op.can_store() && func.srcloc(user) != operator {
                    FuncCursor::new(func).at_inst(user).ins().sequence_point();
                }
                return;
            }
            if !self.swallowing.insert(user) && !takes_one(func, user) {
                FuncCursor::new(func).at_inst(load).ins().sequence_point();
            }
            func.set_srcloc(user, operator);
            match *func.dfg.inst_results(user) {
                [result] => value = result,
                _ => return,
            }
        }
    }
}

/// Does the same for code that was not optimized, and may hold what nobody uses: keeps every load apart.
pub(crate) fn keep_simply(func: &mut Function) {
    each_faulting_load(func, |func, _, load| {
        FuncCursor::new(func).after_inst(load).ins().sequence_point();
    });
}

/// Calls `action` for every load that raises a trap when it faults, in the order in which they stand.
fn each_faulting_load(func: &mut Function, mut action: impl FnMut(&mut Function, Block, Inst)) {
    let mut next_block = func.layout.entry_block();
    while let Some(block) = next_block {
        let mut next = func.layout.first_inst(block);
        while let Some(inst) = next {
            next = func.layout.next_inst(inst);
            let data = &func.dfg.insts[inst];
            let loads = data.opcode().can_load() && data.memflags_trap_code(&func.dfg).is_some();
            if loads && func.dfg.inst_results(inst).len() == 1 {
                action(func, block, inst);
            }
        }
        next_block = func.layout.next_block(block);
    }
}

/// Whether `user` stores where `load` loads from. It may become one instruction with the load, and faults only if the
/// load did.
fn is_update(func: &Function, load: Inst, user: Inst) -> bool {
    match (&func.dfg.insts[load], &func.dfg.insts[user]) {
        (
            InstructionData::Load { opcode: Opcode::Load, arg, offset, .. },
            InstructionData::Store { opcode: Opcode::Store, args, offset: to, .. },
        ) => {
            let same_type = func.dfg.value_type(func.dfg.first_result(load)) == func.dfg.value_type(args[0]);
            same_type && *arg == args[1] && offset == to
        }
        _ => false,
    }
}

/// Whether an instruction becomes machine code that reads memory once at most, whatever becomes one with it.
fn takes_one(func: &Function, inst: Inst) -> bool {
    use Opcode::*;
    let mut op = func.dfg.insts[inst].opcode();
    if op == Brif {
        // A branch does the comparison too; several comparisons become several instructions.
        let condition = func.dfg.value_def(func.dfg.inst_args(inst)[0]).inst();
        let condition = condition.map(|inst| func.dfg.insts[inst].opcode());
        match condition {
            Some(comparison @ (Icmp | Fcmp)) => op = comparison,
            _ => return false,
        }
    }
    matches!(
        op,
        Iadd | Isub
            | Imul
            | Band
            | Bor
            | Bxor
            | Icmp
            | Ishl
            | Ushr
            | Sshr
            | Uextend
            | Sextend
            | Ireduce
            | Bitcast
            | Fadd
            | Fsub
            | Fmul
            | Fdiv
            | Fcmp
    )
}
