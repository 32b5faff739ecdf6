//! Puts pure instructions where their operands end, between Cranelift's optimizer and its code generator.
//!
//! The optimizer keeps what has effects, loads among it, in order, and puts every pure instruction right
//! before its first use by one of those. In a block that adds up products, all loads come first then, and
//! there are not registers enough:
//!
//! ```text
//! load a; load b; load c; load d; … a*b; c*d; …        load a; load b; a*b; load c; load d; c*d; …
//! ```
//! Here a pure instruction moves up to where its last operand is made, if it is the last use of one: then
//! no more values live than before. What has effects stays in order, so that nothing changes for the
//! guest. And the code generator folds more loads into arithmetic, since it does so only where nothing with
//! effects stands between.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, Opcode, Value, ValueDef};

/// Tables about one function, kept for the next.
#[derive(Default)]
pub(crate) struct Scheduler {
    /// How often a value is used, anywhere.
    uses: SecondaryMap<Value, u32>,
    values: SecondaryMap<Value, InBlock>,
    insts: SecondaryMap<Inst, Progress>,
    /// Pure instructions that use a value, each with the place of the next; place 0 is none.
    users: Vec<(Inst, u32)>,
    /// The block's instructions, as they were.
    block: Vec<Inst>,
    ready: Vec<Inst>,
}

/// What is known of a value in the block that makes it.
#[derive(Clone, Copy, Default)]
struct InBlock {
    /// How often instructions of the block use it.
    uses: u32,
    /// How many of these uses are not placed yet.
    left: u32,
    /// The first of its users, as a place in [`Scheduler::users`].
    first_user: u32,
}

/// How far an instruction is.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Operands that are made in the block and not placed yet.
    waits: u32,
    placed: bool,
}

/// Whether an instruction may stand anywhere behind its operands.
pub(crate) fn is_pure(op: Opcode) -> bool {
    let has_effects = op.can_load() || op.can_store() || op.can_trap() || op.other_side_effects();
    !(has_effects || op.is_call() || op.is_branch() || op.is_terminator())
}

/// Whether an instruction takes no register until it is used.
fn is_constant(op: Opcode) -> bool {
    matches!(op, Opcode::Iconst | Opcode::F32const | Opcode::F64const | Opcode::Vconst)
}

/// The instruction of `block` that makes `value`, if one does that is more than a constant.
fn maker(func: &Function, block: Block, value: Value) -> Option<Inst> {
    let inst = func.dfg.value_def(value).inst()?;
    let is_here = func.layout.inst_block(inst) == Some(block);
    (is_here && !is_constant(func.dfg.insts[inst].opcode())).then_some(inst)
}

impl Scheduler {
    /// Reorders the instructions of every block.
    pub(crate) fn run(&mut self, func: &mut Function) {
        func.dfg.resolve_all_aliases();
        self.uses.clear();
        self.values.clear();
        self.insts.clear();
        let mut next = func.layout.entry_block();
        while let Some(block) = next {
            for inst in func.layout.block_insts(block) {
                for value in func.dfg.inst_values(inst) {
                    self.uses[value] += 1;
                }
            }
            next = func.layout.next_block(block);
        }
        let mut next = func.layout.entry_block();
        while let Some(block) = next {
            self.schedule(func, block);
            next = func.layout.next_block(block);
        }
    }

    fn schedule(&mut self, func: &mut Function, block: Block) {
        let mut insts = std::mem::take(&mut self.block);
        insts.clear();
        insts.extend(func.layout.block_insts(block));
        // A load, its use, another load and the end: shorter blocks have nothing to move.
        if insts.len() >= 4 {
            self.prepare(func, block, &insts);
            for &inst in &insts {
                if !self.insts[inst].placed {
                    self.place(func, block, inst);
                    self.follow(func, block, inst);
                }
            }
        }
        self.block = insts;
    }

    /// Notes who uses what in the block.
    fn prepare(&mut self, func: &Function, block: Block, insts: &[Inst]) {
        self.users.clear();
        self.users.push((insts[0], 0));
        let made = insts.iter().flat_map(|&inst| func.dfg.inst_results(inst));
        for &value in func.dfg.block_params(block).iter().chain(made) {
            self.values[value] = InBlock::default();
        }
        for &inst in insts {
            let results = func.dfg.inst_results(inst).len();
            let moves = is_pure(func.dfg.insts[inst].opcode()) && results == 1;
            for value in func.dfg.inst_values(inst) {
                let in_block = &mut self.values[value];
                in_block.uses += 1;
                in_block.left += 1;
                if moves && maker(func, block, value).is_some() {
                    self.users.push((inst, in_block.first_user));
                    in_block.first_user = (self.users.len() - 1) as u32;
                    self.insts[inst].waits += 1;
                }
            }
        }
    }

    /// Notes that `inst` stands where it will: its operands have a use less, its users wait for one less.
    fn place(&mut self, func: &Function, block: Block, inst: Inst) {
        self.insts[inst].placed = true;
        for value in func.dfg.inst_values(inst) {
            self.values[value].left -= 1;
        }
        for &value in func.dfg.inst_results(inst) {
            if maker(func, block, value).is_none() {
                continue;
            }
            let mut at = self.values[value].first_user;
            while at != 0 {
                let (user, next) = self.users[at as usize];
                let progress = &mut self.insts[user];
                progress.waits -= 1;
                if progress.waits == 0 && !progress.placed {
                    self.ready.push(user);
                }
                at = next;
            }
        }
    }

    /// Moves to behind `last` what is ready now and worth it, and what is ready then.
    fn follow(&mut self, func: &mut Function, block: Block, mut last: Inst) {
        while let Some(inst) = self.ready.pop() {
            if self.insts[inst].placed || !self.ends_a_value(func, block, inst) {
                continue;
            }
            for at in 0..func.dfg.inst_args(inst).len() {
                let constant = func.dfg.value_def(func.dfg.inst_args(inst)[at]).inst();
                let here = |constant: &Inst| func.layout.inst_block(*constant) == Some(block);
                if let Some(constant) = constant.filter(here)
                    && !self.insts[constant].placed
                {
                    self.place(func, block, constant);
                    last = move_behind(func, last, constant);
                }
            }
            self.place(func, block, inst);
            last = move_behind(func, last, inst);
        }
    }

    /// Whether `inst` is the last use of a value that the block makes.
    fn ends_a_value(&self, func: &Function, block: Block, inst: Inst) -> bool {
        let args = func.dfg.inst_args(inst);
        args.iter().any(|&value| {
            let is_made_here = match func.dfg.value_def(value) {
                ValueDef::Param(of, _) => of == block,
                _ => maker(func, block, value).is_some(),
            };
            let in_block = self.values[value];
            let by_inst = args.iter().filter(|&&arg| arg == value).count() as u32;
            is_made_here && in_block.uses == self.uses[value] && in_block.left == by_inst
        })
    }
}

/// Puts `inst` right behind `last`, which does not end the block.
fn move_behind(func: &mut Function, last: Inst, inst: Inst) -> Inst {
    if func.layout.next_inst(last) != Some(inst) {
        func.layout.remove_inst(inst);
        match func.layout.next_inst(last) {
            Some(next) => func.layout.insert_inst(inst, next),
            None => unreachable!("the end of the block has no users"),
        }
    }
    inst
}
