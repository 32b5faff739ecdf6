//! Calls: arguments to their places, what must survive to its home, results onto the stack.
//!
//! Every way comes down to code and context. A call that may leave the instance notes first who calls. After a
//! call no temp holds anything but results, and the pins that calls do not keep are loaded again.

use crate::func::FuncCompiler;
use crate::isa_x64::asm::{at, frame, outgoing};
use crate::isa_x64::{KEPT_PINS, RDI, SCRATCH};
use crate::regs::{Reg, RegSet};
use crate::stack::Place;
use crate::traps::Late;
use std::sync::Arc;
use tenure_abi::call_conv::{CallConv, Loc, ValClass};
use tenure_abi::{Builtin, ValRaw};
use tenure_code::CompileError;
use tenure_module::Item;
use tenure_types::{FuncIdx, FuncType, Trap};

/// What is called.
#[derive(Clone, Copy)]
pub(crate) enum Callee {
    /// A function that the module defines, in this instance.
    Own(FuncIdx),
    /// An imported function.
    Import(FuncIdx),
    /// The function of the record that the record register points at. A null faults, with this trap, if there may
    /// be one.
    Record { null: Option<Trap> },
}

/// An argument of a builtin.
#[derive(Clone, Copy)]
pub(crate) enum Argument {
    /// A number that is known now.
    Number(u32),
    /// The operand this far below the top; an `i32` zero-extended.
    Operand(u32),
}

/// The register of a place in the convention.
pub(crate) fn register(loc: Loc) -> Option<Reg> {
    match loc {
        Loc::Gpr(number) => Some(Reg::general(number)),
        Loc::Xmm(number) => Some(Reg::vector(number)),
        Loc::Stack(_) | Loc::ResultArea(_) => None,
    }
}

impl FuncCompiler<'_> {
    /// Pins that a call loses, in the present region.
    fn lost_pins(&self) -> RegSet {
        self.b.regions.region(self.region).pins.without(RegSet::of(&KEPT_PINS))
    }

    /// Where a loop begins and no temp holds anything: asks the runtime whether to go on, if epochs are watched and the
    /// deadline has come.
    pub(crate) fn check_epoch(&mut self) {
        if !self.unit.tunables.epochs {
            return;
        }
        let (label, back) = (self.b.asm.new_label(), self.b.asm.new_label());
        self.jump_if_stopped(label);
        self.b.asm.bind(back);
        self.b.late.push(Late::Epoch { label, back, region: self.region, offset: self.offset });
    }

    /// Calls a builtin without arguments where no temp holds anything, in `region`. The host may do anything meanwhile that
    /// it may do in a call: memory 0 may be somewhere else afterwards.
    pub(crate) fn call_between_operators(&mut self, region: u32, builtin: Builtin) {
        let region = *self.b.regions.region(region);
        let lost = region.pins.without(RegSet::of(&KEPT_PINS));
        for reg in lost.and(region.stale).iter() {
            if let Some(local) = region.item(reg).and_then(Item::as_local) {
                self.store_frame(self.b.locals[local as usize], self.local_home(local), reg);
            }
        }
        self.call_builtin(builtin);
        for reg in region.pins.iter() {
            let item = region.item(reg).expect("a pin holds something");
            if lost.has(reg) || item == Item::MEMORY {
                self.load_pin(item, reg);
            }
        }
    }

    /// Before a call: what lives in registers that the callee may use goes home, but the operands from
    /// `height` on, which are arguments.
    fn before_call(&mut self, height: usize) {
        self.leaf = false;
        self.settle_regs_below(height);
        self.save_arguments();
        let stale = self.b.regions.region(self.region).stale;
        for reg in self.lost_pins().and(stale).iter() {
            if let Some(local) = self.b.regs.item_in(reg).as_local() {
                self.store_frame(self.b.locals[local as usize], self.local_home(local), reg);
            }
        }
    }

    /// After a call: the operands from `height` on were taken, and no temp holds anything.
    fn after_call(&mut self, height: usize) {
        self.forget_above(height);
        self.b.regs.dirty_upper = RegSet::EMPTY;
    }

    /// Loads the pins that a call has lost.
    fn reload_pins(&mut self) {
        for reg in self.lost_pins().iter() {
            self.load_pin(self.b.regs.item_in(reg), reg);
        }
    }

    /// Calls a function of type `ty` with the operands on top.
    pub(crate) fn make_call(&mut self, ty: &Arc<FuncType>, callee: Callee) {
        let conv = self.b.conventions.get(ty);
        let height = self.height() - ty.params().len();
        self.before_call(height);
        self.frame.reserve_outgoing(conv.stack_bytes);
        if conv.stack_bytes > 0 {
            self.store_arguments(&conv, height);
        }
        let area = self.results_area(&conv, height);
        self.load_arguments(&conv, height, callee, area.map(frame));
        self.call_callee(callee);
        if self.poisoned {
            let mut results = RegSet::EMPTY;
            conv.results.iter().filter_map(|&(_, loc)| register(loc)).for_each(|reg| results.insert(reg));
            self.poison_all_but(results);
        }
        if conv.stack_bytes > 0 {
            self.take_stack_back(conv.stack_bytes);
        }
        self.after_call(height);
        match area {
            None => self.push_results(&conv),
            Some(area) => self.push_results_from(&conv, area),
        }
    }

    /// Stores the arguments that travel on the stack.
    fn store_arguments(&mut self, conv: &CallConv, height: usize) {
        for (number, &(_, loc)) in conv.args.iter().enumerate() {
            if let Loc::Stack(offset) = loc {
                let value = self.b.values[height + number];
                self.store_value(outgoing(offset), value);
            }
        }
    }

    /// Where results that travel through memory go: in the homes above those of the results, for they move
    /// there one by one.
    fn results_area(&mut self, conv: &CallConv, height: usize) -> Option<i32> {
        conv.results_pointer?;
        let count = conv.results.len();
        let slots = count * ValRaw::SIZE / self.frame.slot_bytes() as usize;
        Some(self.frame.operand((height + count + slots - 1) as u32))
    }

    /// Loads the registers of the arguments, of the results pointer, and for own functions of the context.
    pub(crate) fn load_arguments(
        &mut self,
        conv: &CallConv,
        height: usize,
        callee: Callee,
        results: Option<tenure_asm::x64::Mem>,
    ) {
        let mut elsewhere = 0;
        for (number, &(class, loc)) in conv.args.iter().enumerate() {
            let Some(dst) = register(loc) else { continue };
            match self.in_register(self.b.values[height + number]) {
                Some(src) => self.b.moves.add(class, dst, src),
                None => elsewhere = number + 1,
            }
        }
        let context = self.b.regs.of(Item::CONTEXT);
        let is_own = matches!(callee, Callee::Own(_));
        if is_own && let Some(context) = context {
            self.b.moves.add(ValClass::I64, RDI, context);
        }
        self.make_moves();
        for (number, &(_, loc)) in conv.args[..elsewhere].iter().enumerate() {
            let value = self.b.values[height + number];
            // What was in a register was moved; its place still says where from.
            if let Some(dst) = register(loc)
                && self.in_register(value).is_none()
            {
                self.load_value(dst, value);
            }
        }
        if let (Some(pointer), Some(results)) = (conv.results_pointer.and_then(register), results) {
            self.load_address(pointer, results);
        }
        if is_own && context.is_none() {
            self.load_item(Item::CONTEXT, RDI);
        }
    }

    /// Pushes results that came in registers.
    fn push_results(&mut self, conv: &Arc<CallConv>) {
        for &(class, loc) in &conv.results {
            let reg = register(loc).expect("results travel in registers unless all go through memory");
            if self.b.regs.is_pin(reg) {
                let height = self.height() as u32;
                let home = self.frame.operand(height);
                self.store_frame(class, home, reg);
                self.push(class, Place::Home(height));
            } else if class == ValClass::I32 {
                self.push_dirty(reg);
            } else {
                self.push_reg(class, reg);
            }
        }
        self.reload_pins();
    }

    /// Pushes results that came through memory at `area`.
    fn push_results_from(&mut self, conv: &Arc<CallConv>, area: i32) {
        for (number, &(class, _)) in conv.results.iter().enumerate() {
            let height = self.height() as u32;
            let home = self.frame.operand(height);
            self.copy_frame(class, home, area + (number * ValRaw::SIZE) as i32);
            self.push(class, Place::Home(height));
        }
        self.reload_pins();
    }

    /// Returns with the operands on top.
    pub(crate) fn return_(&mut self) {
        let conv = self.conv.clone();
        let height = self.height() - conv.results.len();
        if conv.results_pointer.is_some() {
            self.load_frame(ValClass::I64, SCRATCH, self.frame.results_pointer());
            for number in 0..conv.results.len() {
                let value = self.b.values[height + number];
                // The scratch register points at the results.
                let reg = self.reg_of(value);
                self.store_mem(value.class(), at(SCRATCH, (number * ValRaw::SIZE) as i32), reg);
                self.b.regs.in_use = RegSet::EMPTY;
            }
        } else {
            for (number, &(class, loc)) in conv.results.iter().enumerate() {
                let value = self.b.values[height + number];
                if let (Some(dst), Some(src)) = (register(loc), self.in_register(value)) {
                    self.b.moves.add(class, dst, src);
                }
            }
            self.make_moves();
            for (number, &(_, loc)) in conv.results.iter().enumerate() {
                let value = self.b.values[height + number];
                if let Some(dst) = register(loc)
                    && self.in_register(value).is_none()
                {
                    self.load_value(dst, value);
                }
            }
        }
        self.leave_function();
        self.reachable = false;
    }

    /// Ends the call of this function with one of another, of type `ty`, whose arguments are on top.
    ///
    /// # Errors
    /// When the arguments need more room on the stack than ours had.
    pub(crate) fn make_return_call(
        &mut self,
        ty: &Arc<FuncType>,
        callee: Callee,
    ) -> Result<(), CompileError> {
        let conv = self.b.conventions.get(ty);
        if conv.stack_bytes > self.conv.stack_bytes {
            return Err(
                self.unsupported("a tail call with more arguments on the stack than the function has")
            );
        }
        let height = self.height() - ty.params().len();
        // Put together below first, for our own arguments lie where the callee's will.
        self.frame.reserve_outgoing(conv.stack_bytes);
        self.store_arguments(&conv, height);
        self.load_arguments(&conv, height, callee, None);
        if let Some(pointer) = conv.results_pointer.and_then(register) {
            // The callee's results are ours, and go where ours go.
            self.load_frame(ValClass::I64, pointer, self.frame.results_pointer());
        }
        self.jump_callee(callee, conv.stack_bytes);
        self.reachable = false;
        Ok(())
    }

    fn make_builtin_call(&mut self, builtin: Builtin, arguments: &[Argument], operands: usize) {
        let height = self.height() - operands;
        self.before_call(height);
        self.load_builtin_arguments(arguments);
        self.call_builtin(builtin);
        self.after_call(height);
    }

    /// Calls a builtin, takes `operands` operands off and pushes the value as `class`.
    pub(crate) fn builtin_with_value(
        &mut self,
        builtin: Builtin,
        arguments: &[Argument],
        operands: usize,
        class: ValClass,
    ) {
        self.make_builtin_call(builtin, arguments, operands);
        match class {
            ValClass::I32 => self.push_dirty(crate::isa_x64::RAX),
            class => self.push_reg(class, crate::isa_x64::RAX),
        }
        self.reload_pins();
    }

    /// Calls a builtin and takes `operands` operands off.
    pub(crate) fn builtin(&mut self, builtin: Builtin, arguments: &[Argument], operands: usize) {
        self.make_builtin_call(builtin, arguments, operands);
        self.reload_pins();
    }
}
