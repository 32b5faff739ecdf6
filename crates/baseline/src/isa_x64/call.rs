//! The instructions of calls, of what a function receives, and of its end.

use super::asm::{at, frame, general, outgoing};
use super::{KEPT_PINS, R8, R9, R10, RAX, RBP, RCX, RDI, RDX, RSI, RSP, SCRATCH};
use crate::calls::{Argument, Callee, register};
use crate::func::FuncCompiler;
use crate::regs::{Reg, RegSet};
use crate::stack::{Place, Value};
use std::sync::Arc;
use tenure_abi::Builtin;
use tenure_abi::call_conv::{CallConv, Loc, VMCTX, ValClass};
use tenure_abi::frame::loop_entry_type;
use tenure_abi::vm::{VmCtxHeader, VmFuncRef, VmImport, VmStore};
use tenure_asm::x64::{Alu, Mem, Size, Width};
use tenure_code::{Cell, Reloc};
use tenure_module::Item;
use tenure_types::{FuncIdx, Trap};

/// Where a call finds the record of what it calls.
pub(crate) const RECORD: Reg = RAX;

const _: () = assert!(VMCTX == RDI.number(), "calls pass the context in rdi");

/// Integer arguments of the host's C convention behind the context.
const HOST_ARGS: [Reg; 5] = [RSI, RDX, RCX, R8, R9];

impl FuncCompiler<'_> {
    /// `dst` = the address `mem`.
    pub(crate) fn load_address(&mut self, dst: Reg, mem: Mem) {
        self.b.asm.lea(Size::S64, general(dst), mem);
    }

    /// Calls, once the arguments are where they belong.
    pub(crate) fn call_callee(&mut self, callee: Callee) {
        match callee {
            Callee::Own(func) => {
                self.note_offset(self.offset);
                let at = self.b.asm.call_rip();
                self.slot_reloc(func, at);
            }
            Callee::Import(_) | Callee::Record { .. } => {
                let target = self.prepare_callee(callee);
                self.note_offset(self.offset);
                self.b.asm.call_m(target);
            }
        }
    }

    /// Jumps to what is called in place of this function, once the arguments are where they belong but the
    /// `stack_bytes` of them that lie at the bottom of the frame.
    pub(crate) fn jump_callee(&mut self, callee: Callee, stack_bytes: u32) {
        let target = match callee {
            Callee::Own(_) => None,
            Callee::Import(_) | Callee::Record { .. } => Some(self.prepare_callee(callee)),
        };
        let freed = (self.conv.stack_bytes - stack_bytes) as i32;
        let scratch = general(SCRATCH);
        for offset in (0..stack_bytes).step_by(8) {
            self.b.asm.mov_rm(Size::S64, scratch, outgoing(offset));
            self.b.asm.mov_mr(Width::W64, frame(16 + freed + offset as i32), scratch);
        }
        if freed > 0 {
            self.b.asm.mov_rm(Size::S64, scratch, frame(8));
            self.b.asm.mov_mr(Width::W64, frame(8 + freed), scratch);
        }
        self.restore_saved();
        self.b.asm.lea(Size::S64, general(RSP), frame(8 + freed));
        self.b.asm.mov_rm(Size::S64, general(RBP), frame(0));
        self.note_offset(self.offset);
        match (callee, target) {
            (_, Some(target)) => self.b.asm.jmp_m(target),
            (Callee::Own(func), None) => {
                let at = self.b.asm.jmp_rip();
                self.slot_reloc(func, at);
            }
            (_, None) => unreachable!("only own functions are called without a record"),
        }
    }

    fn slot_reloc(&mut self, slot: FuncIdx, at: usize) {
        self.b.relocs.push(Reloc { at: at as u32, cell: Cell::Slot, func: slot, addend: -4 });
    }

    /// Notes who calls, and loads the callee's context; where its code is found.
    fn prepare_callee(&mut self, callee: Callee) -> Mem {
        // No argument travels in these.
        let context = match self.b.regs.of(Item::CONTEXT) {
            // The pin is still there; a copy may have been overwritten by an argument.
            Some(pin) if RegSet::of(&KEPT_PINS).has(pin) => pin,
            _ => {
                self.reads_context = true;
                self.b.asm.mov_rm(Size::S64, general(R10), frame(crate::frame::CONTEXT));
                R10
            }
        };
        let (context, scratch, record) = (general(context), general(SCRATCH), general(RECORD));
        let asm = &mut self.b.asm;
        asm.mov_rm(Size::S64, scratch, Mem::new(context, VmCtxHeader::STORE));
        asm.mov_mr(Width::W64, Mem::new(scratch, VmStore::CALLER), context);
        match callee {
            Callee::Import(func) => {
                let import = self.unit.layout.import(func);
                asm.mov_rm(Size::S64, record, Mem::new(context, import + VmImport::SLOT));
                asm.mov_rm(Size::S64, general(RDI), Mem::new(context, import + VmImport::VMCTX));
            }
            Callee::Own(_) | Callee::Record { null: None } => {
                asm.mov_rm(Size::S64, general(RDI), Mem::new(record, VmFuncRef::VMCTX));
                asm.mov_rm(Size::S64, record, Mem::new(record, VmFuncRef::SLOT));
            }
            Callee::Record { null: Some(trap) } => {
                // The first page of the address space is never mapped.
                self.note_trap(trap, self.offset);
                let asm = &mut self.b.asm;
                asm.mov_rm(Size::S64, general(RDI), Mem::new(record, VmFuncRef::VMCTX));
                asm.mov_rm(Size::S64, record, Mem::new(record, VmFuncRef::SLOT));
            }
        }
        Mem::new(record, 0)
    }

    /// After a call whose callee took `bytes` of arguments off the stack: takes the room back.
    pub(crate) fn take_stack_back(&mut self, bytes: u32) {
        self.b.asm.sub_ri(Size::S64, general(RSP), bytes as i32);
    }

    /// Loads the arguments of a builtin, and the context.
    pub(crate) fn load_builtin_arguments(&mut self, arguments: &[Argument]) {
        let operand = |this: &Self, depth: u32| this.b.values[this.height() - 1 - depth as usize];
        for (&argument, dst) in arguments.iter().zip(HOST_ARGS) {
            if let Argument::Operand(depth) = argument {
                let value = operand(self, depth);
                if let Some(src) = self.in_register(value) {
                    // A move to the register itself makes the upper half known.
                    if src == dst && value.class() == ValClass::I32 {
                        self.move_reg(ValClass::I32, dst, dst);
                    }
                    self.b.moves.add(value.class(), dst, src);
                }
            }
        }
        self.make_moves();
        for (&argument, dst) in arguments.iter().zip(HOST_ARGS) {
            match argument {
                Argument::Number(number) => self.b.asm.mov_ri(general(dst), i64::from(number)),
                Argument::Operand(depth) => {
                    let value = operand(self, depth);
                    if self.in_register(value).is_none() {
                        self.load_value(dst, value);
                    }
                }
            }
        }
    }

    /// Calls a builtin's stub, once the arguments are loaded.
    pub(crate) fn call_builtin(&mut self, builtin: Builtin) {
        let (context, stub) = (general(RDI), general(RAX));
        self.load_item_from_frame(RDI);
        self.b.asm.mov_rm(Size::S64, stub, Mem::new(context, VmCtxHeader::BUILTINS));
        self.note_offset(self.offset);
        self.b.asm.call_m(Mem::new(stub, builtin.offset()));
        self.poison_all_but(RegSet::of(&[RAX]));
    }

    fn load_item_from_frame(&mut self, dst: Reg) {
        self.load_item(Item::CONTEXT, dst);
    }

    /// Calls the runtime to raise `trap` for the operator at `offset`. Clobbers everything; never returns.
    pub(crate) fn raise(&mut self, trap: Trap, offset: u32) {
        let (context, stub) = (general(RDI), general(RAX));
        self.load_item_from_frame(RDI);
        let asm = &mut self.b.asm;
        asm.mov_rm(Size::S64, stub, Mem::new(context, VmCtxHeader::BUILTINS));
        asm.mov_ri(general(RSI), i64::from(trap as u8));
        self.note_offset(offset);
        self.b.asm.call_m(Mem::new(stub, Builtin::RaiseTrap.offset()));
        self.b.asm.int3();
    }

    fn restore_saved(&mut self) {
        let saved = self.b.regions.used;
        for (number, reg) in KEPT_PINS.into_iter().filter(|&reg| saved.has(reg)).enumerate() {
            let home = frame(self.frame.saved_reg(number));
            self.b.asm.mov_rm(Size::S64, general(reg), home);
        }
    }

    /// Returns to the caller.
    pub(crate) fn leave_function(&mut self) {
        self.restore_saved();
        self.b.asm.mov_rr(Size::S64, general(RSP), general(RBP));
        self.b.asm.pop_r(general(RBP));
        match u16::try_from(self.conv.stack_bytes) {
            Ok(0) => self.b.asm.ret(),
            Ok(bytes) => self.b.asm.ret_i(bytes),
            // A type has at most 1,000 parameters of at most 16 bytes.
            Err(_) => unreachable!("{} bytes of stack arguments", self.conv.stack_bytes),
        }
    }

    /// At the start of the body: arguments and other items go to the pins of the body's region.
    pub(crate) fn receive(&mut self) {
        self.poison_entry();
        let region = *self.b.regions.region(0);
        let conv = self.conv.clone();
        for reg in region.pins.iter() {
            self.b.regs.pin(reg, region.item(reg).expect("a pin holds something"));
        }
        // Arguments that came where no temp is, and are no pins, go home first.
        for (local, &(class, loc)) in conv.args.iter().enumerate() {
            let (local, Some(reg)) = (local as u32, register(loc)) else { continue };
            if self.b.regs.of(Item::local(local)).is_none() && self.b.regs.is_pin(reg) {
                self.store_frame(class, self.local_home(local), reg);
            }
        }
        if let Some(pointer) = conv.results_pointer.and_then(register) {
            self.store_frame(ValClass::I64, self.frame.results_pointer(), pointer);
        }
        for (local, &(class, loc)) in conv.args.iter().enumerate() {
            if let (Some(reg), Some(pin)) = (register(loc), self.b.regs.of(Item::local(local as u32))) {
                // Pins have a known upper half, also the one that the argument came in.
                if reg == pin && class == ValClass::I32 {
                    self.move_reg(class, pin, pin);
                }
                self.b.moves.add(class, pin, reg);
            }
        }
        if let Some(pin) = self.b.regs.of(Item::CONTEXT) {
            self.b.moves.add(ValClass::I64, pin, RDI);
        }
        self.make_moves();
        if self.b.regs.of(Item::CONTEXT).is_none() && !self.b.regs.is_pin(RDI) {
            self.b.regs.hold_copy(RDI, Item::CONTEXT);
        }
        for (local, &(class, loc)) in conv.args.iter().enumerate() {
            let item = Item::local(local as u32);
            match (register(loc), self.b.regs.of(item), loc) {
                (None, Some(pin), Loc::Stack(_)) => {
                    let home = self.local_home(local as u32);
                    self.load_frame(class, pin, home);
                }
                (Some(reg), None, _) if !self.b.regs.is_pin(reg) => {
                    self.b.regs.hold_copy(reg, item);
                    self.b.regs.unsaved.insert(reg);
                    if class == ValClass::I32 {
                        self.b.regs.dirty_upper.insert(reg);
                    }
                }
                _ => {}
            }
        }
        for reg in region.pins.iter() {
            match region.item(reg).map(Item::as_local) {
                Some(Some(local)) if local as usize >= conv.args.len() => {
                    let class = self.b.locals[local as usize];
                    self.load_const(class, reg, 0);
                }
                Some(None) if region.item(reg) == Some(Item::MEMORY) => self.load_item(Item::MEMORY, reg),
                _ => {}
            }
        }
    }

    /// Jumps to `label` if somebody has made the stack limit impossible. Needs no register but the scratch register.
    pub(crate) fn jump_if_stopped(&mut self, label: tenure_asm::Label) {
        self.load_store();
        let limit = Mem::new(general(SCRATCH), VmStore::STACK_LIMIT);
        // Sign-extended: the impossible limit.
        self.b.asm.cmp_mi(Size::S64, limit, -1);
        self.b.asm.jcc(tenure_asm::x64::Cond::Equal, label);
    }

    /// Calls the runtime in front of the body, where the stack limit is above the stack pointer: every register but
    /// those of the call keeps its value.
    pub(crate) fn call_stopped_at_entry(&mut self) {
        self.b.asm.mov_rm(Size::S64, general(RAX), Mem::new(general(RDI), VmCtxHeader::BUILTINS));
        self.note_offset(self.offset);
        self.b.asm.call_m(Mem::new(general(RAX), Builtin::StoppedAtEntry.offset()));
    }

    /// Takes from the function's budget a number that is written later, and jumps to `spent` if it is negative then.
    /// Needs no register. Returns where the number stands.
    pub(crate) fn subtract_from_budget(&mut self, spent: tenure_asm::Label) -> usize {
        let at = self.b.asm.sub_rip_i();
        // The distance counts from the end of the instruction, which is four bytes of number further on.
        self.b.relocs.push(Reloc { at: at as u32, cell: Cell::Budget, func: self.func, addend: -8 });
        self.b.asm.jcc(tenure_asm::x64::Cond::Sign, spent);
        at + 4
    }

    /// Tells the runtime that the budget is spent at `place`. The value is in rax.
    pub(crate) fn ask_for_better_code(&mut self, place: u32) {
        self.load_builtin_arguments(&[Argument::Number(self.func.0), Argument::Number(place)]);
        self.call_builtin(Builtin::BudgetSpent);
    }

    /// Jumps to `label` if the runtime had no code to hand over to.
    pub(crate) fn jump_if_no_code(&mut self, label: tenure_asm::Label) {
        self.b.asm.test_rr(Size::S64, general(RAX), general(RAX));
        self.b.asm.jcc(tenure_asm::x64::Cond::Equal, label);
    }

    /// Calls the code that rax points at, which takes over from this frame, and returns what it returns.
    pub(crate) fn hand_over(&mut self) {
        let conv = self.takeover.take().unwrap_or_else(|| Arc::new(CallConv::new(&loop_entry_type(self.ty))));
        self.load_item(Item::CONTEXT, RDI);
        if let Some(pointer) = conv.results_pointer.and_then(register) {
            self.load_frame(ValClass::I64, pointer, self.frame.results_pointer());
        }
        let frame_pointer = conv.args.first().and_then(|&(_, loc)| register(loc));
        let frame_pointer = frame_pointer.expect("the second or third argument travels in a register");
        self.b.asm.mov_rr(Size::S64, general(frame_pointer), general(RBP));
        self.note_offset(self.offset);
        self.b.asm.call_r(general(RAX));
        let after = self.here();
        self.b.handovers.push(after);
        self.leave_function();
        self.takeover = Some(conv);
    }

    /// The store's counter of fuel, by the scratch register.
    fn fuel_counter(&mut self) -> Mem {
        self.load_store();
        Mem::new(general(SCRATCH), VmStore::FUEL)
    }

    /// Loads the scratch register with the store's context.
    fn load_store(&mut self) {
        let context = match self.b.regs.of(Item::CONTEXT) {
            Some(context) => context,
            None => {
                self.load_item(Item::CONTEXT, SCRATCH);
                SCRATCH
            }
        };
        self.b.asm.mov_rm(Size::S64, general(SCRATCH), Mem::new(general(context), VmCtxHeader::STORE));
    }

    /// Counts `cost` down. Needs no register but the scratch register; the flags are those of what is left.
    pub(crate) fn count_down(&mut self, cost: u32) {
        let counter = self.fuel_counter();
        self.b.asm.alu_mi(Alu::Sub, Size::S64, counter, cost.cast_signed());
    }

    /// Loads the record register from the operand `value`, which was popped.
    pub(crate) fn load_record(&mut self, value: Value) {
        if value.place() != Place::Reg(RECORD) {
            self.claim(RECORD);
            self.load_value(RECORD, value);
        }
    }

    /// `[record + offset]`
    pub(crate) fn in_record(&self, offset: i32) -> Mem {
        at(RECORD, offset)
    }
}
