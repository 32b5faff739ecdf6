//! The value stack: where each operand lives now.
//!
//! ```text
//! height 0   height 1   height 2     An operand is a constant, in a register, in its home in the frame,
//! [const]    [reg 3 ]   [local 5]    or what a local holds: then no code was written for it yet.
//! ```
//! Invariants, checked after every operator in debug builds ([`FuncCompiler::check`]):
//! - an operand in a register is the only one there, and the register is not a pin;
//! - `reads` counts for each local the operands that stand for it;
//! - only the operand on top is in the flags or in memory, and only when the next operator takes it from
//!   there;
//! - below `settled` there are only constants and operands at home, below `homed` only the latter.
//!
//! Start at [`FuncCompiler::pop`].

use crate::func::{Buffers, FuncCompiler};
use crate::isa_x64::control::Test;
use crate::isa_x64::{GENERAL, VECTOR};
use crate::regs::{Reg, RegSet};
use tenure_abi::ValClass;
use tenure_module::Item;

/// An operand: a class and a [`Place`]. Held as two numbers, so that it travels in registers and is written and read as
/// the same words.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    /// Which place, and above that which class.
    head: u32,
    /// What the place says besides.
    bits: u64,
}

/// Where an operand is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Place {
    /// These bits; 32-bit ones zero-extended.
    Const(u64),
    /// The vector constant of this number.
    Vector(u32),
    Reg(Reg),
    /// What the local holds now.
    Local(u32),
    /// The home of this height.
    Home(u32),
    /// 1 if the test holds, else 0.
    Flags(Test),
    /// Where the load in `folded` reads.
    Memory,
}

const CLASSES: [ValClass; 8] = {
    use ValClass::{F32, F64, I32, I64, V128};
    [I32, I64, F32, F64, V128, V128, V128, V128]
};

impl Value {
    #[inline(always)]
    pub(crate) fn new(class: ValClass, place: Place) -> Self {
        let (kind, bits) = match place {
            Place::Const(bits) => (0, bits),
            Place::Vector(number) => (1, u64::from(number)),
            Place::Reg(reg) => (2, u64::from(reg.0)),
            Place::Local(local) => (3, u64::from(local)),
            Place::Home(height) => (4, u64::from(height)),
            Place::Flags(test) => (5, u64::from(test.number())),
            Place::Memory => (6, 0),
        };
        Self { head: (class as u32) << 8 | kind, bits }
    }

    #[inline(always)]
    pub(crate) fn class(self) -> ValClass {
        CLASSES[(self.head >> 8) as usize & 7]
    }

    #[inline(always)]
    pub(crate) fn place(self) -> Place {
        match self.head as u8 {
            0 => Place::Const(self.bits),
            1 => Place::Vector(self.bits as u32),
            2 => Place::Reg(Reg(self.bits as u8)),
            3 => Place::Local(self.bits as u32),
            4 => Place::Home(self.bits as u32),
            5 => Place::Flags(Test::of_number(self.bits as u8)),
            _ => Place::Memory,
        }
    }

    #[inline]
    pub(crate) fn set_place(&mut self, place: Place) {
        *self = Self::new(self.class(), place);
    }
}

/// The registers that values of `class` live in.
pub(crate) const fn bank(class: ValClass) -> RegSet {
    match class {
        ValClass::I32 | ValClass::I64 => GENERAL,
        ValClass::F32 | ValClass::F64 | ValClass::V128 => VECTOR,
    }
}

impl FuncCompiler<'_> {
    /// How many operands there are.
    pub(crate) fn height(&self) -> usize {
        self.b.values.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, class: ValClass, place: Place) {
        if class == ValClass::V128 {
            self.starts_over |= !self.wide_homes;
        }
        self.b.values.push(Value::new(class, place));
    }

    pub(crate) fn push_const(&mut self, class: ValClass, bits: u64) {
        self.push(class, Place::Const(bits));
    }

    /// Pushes what is in `reg`: a temp that is free, or the pin that the next operator writes.
    #[inline]
    pub(crate) fn push_reg(&mut self, class: ValClass, reg: Reg) {
        self.b.regs.dirty_upper.remove(reg);
        if !self.b.regs.is_pin(reg) {
            self.b.regs.hold_operand(reg, self.b.values.len());
        }
        self.push(class, Place::Reg(reg));
    }

    /// The same for an `i32` in a temp whose upper half is not known to be zero.
    pub(crate) fn push_dirty(&mut self, reg: Reg) {
        self.push_reg(ValClass::I32, reg);
        self.b.regs.dirty_upper.insert(reg);
        self.poison_upper(reg);
    }

    /// Pushes what local `local` holds.
    #[inline]
    pub(crate) fn push_local(&mut self, local: u32) {
        self.b.reads[local as usize] += 1;
        self.push(self.b.locals[local as usize], Place::Local(local));
    }

    /// Takes the operand on top off. Its register stays as it is until the operator ends.
    #[inline]
    pub(crate) fn pop(&mut self) -> Value {
        let value = self.b.values.pop().expect("the validator has seen the operand");
        let height = self.b.values.len();
        if height < self.settled {
            self.settled = height;
            self.homed = self.homed.min(height);
        }
        match value.place() {
            Place::Reg(reg) if !self.b.regs.is_pin(reg) => self.b.regs.release_operand(reg),
            Place::Local(local) => self.b.reads[local as usize] -= 1,
            _ => {}
        }
        value
    }

    /// Takes the operands above `height` off, and forgets them.
    pub(crate) fn truncate(&mut self, height: usize) {
        while self.b.values.len() > height {
            self.pop();
        }
    }

    /// The same for all temps too: none holds anything any more, and the operands below `height` are in none.
    pub(crate) fn forget_above(&mut self, height: usize) {
        let Buffers { values, reads, regs, .. } = &mut *self.b;
        for value in values.drain(height..) {
            if let Place::Local(local) = value.place() {
                reads[local as usize] -= 1;
            }
        }
        if height < self.settled {
            self.settled = height;
            self.homed = self.homed.min(height);
        }
        regs.drop_all();
    }

    /// A free register for a value of `class`, for as long as the operator lasts or it is pushed.
    #[inline]
    pub(crate) fn alloc(&mut self, class: ValClass) -> Reg {
        self.alloc_in(bank(class))
    }

    /// A free register of `set`.
    #[inline]
    pub(crate) fn alloc_in(&mut self, set: RegSet) -> Reg {
        match self.b.regs.take_free(set) {
            Some(reg) => reg,
            None => self.make_free(set),
        }
    }

    #[cold]
    fn make_free(&mut self, set: RegSet) -> Reg {
        if let Some(reg) = self.b.regs.next_copy(set) {
            self.evict(reg);
        } else {
            let regs = &self.b.regs;
            let held = regs.on_stack.and(set).without(regs.in_use).iter();
            // The deepest operand is needed last.
            let reg = held.min_by_key(|&reg| regs.operand_in(reg));
            self.settle(regs.operand_in(reg.expect("no operator uses as many registers as there are")));
        }
        self.b.regs.take_free(set).expect("one was just freed")
    }

    /// Empties the temp `reg` and marks it as used: what it holds goes elsewhere. An operand that was popped
    /// and a copy that is in use stay in it all the same; who calls this knows where those are.
    pub(crate) fn claim(&mut self, reg: Reg) {
        debug_assert!(!self.b.regs.is_pin(reg), "{reg:?} is a pin");
        if self.b.regs.copies.has(reg) {
            self.evict(reg);
        } else if self.b.regs.on_stack.has(reg) {
            let at = self.b.regs.operand_in(reg);
            let class = self.b.values[at].class();
            let mut others = bank(class);
            others.remove(reg);
            match self.b.regs.take_free(others) {
                Some(other) => {
                    // A move of 32 bits clears the upper half.
                    self.move_reg(class, other, reg);
                    self.b.regs.release_operand(reg);
                    self.b.regs.hold_operand(other, at);
                    self.b.regs.in_use.remove(other);
                    self.b.values[at].set_place(Place::Reg(other));
                }
                None => self.settle(at),
            }
        }
        self.b.regs.in_use.insert(reg);
        self.b.regs.dirty_upper.remove(reg);
    }

    /// Gives up the copy in `reg`.
    pub(crate) fn evict(&mut self, reg: Reg) {
        if self.b.regs.unsaved.has(reg) {
            self.save(reg);
        }
        self.b.regs.drop_copy_in(reg);
    }

    /// Brings the argument in `reg` home.
    fn save(&mut self, reg: Reg) {
        let Some(local) = self.b.regs.item_in(reg).as_local() else { return };
        self.store_frame(self.b.locals[local as usize], self.local_home(local), reg);
        self.b.regs.unsaved.remove(reg);
    }

    /// Brings every argument home. After that copies may be forgotten.
    #[inline]
    pub(crate) fn save_arguments(&mut self) {
        for reg in self.b.regs.unsaved.iter() {
            self.save(reg);
        }
    }

    /// The home of `local`, from the frame pointer.
    #[inline]
    pub(crate) fn local_home(&self, local: u32) -> i32 {
        self.frame.local(local, &self.conv)
    }

    /// The same, about to be read: it has to hold something.
    #[inline]
    pub(crate) fn read_local_home(&mut self, local: u32) -> i32 {
        self.b.read_homes[local as usize / 64] |= 1 << (local % 64);
        self.local_home(local)
    }

    /// Brings the operand at `at` to its home, unless it is a constant.
    pub(crate) fn settle(&mut self, at: usize) {
        let value = self.b.values[at];
        if matches!(value.place(), Place::Const(_) | Place::Vector(_) | Place::Home(_)) {
            return;
        }
        let home = self.frame.operand(at as u32);
        match value.place() {
            Place::Reg(reg) => {
                self.store_frame(value.class(), home, reg);
                self.b.regs.release_operand(reg);
                self.b.regs.in_use.remove(reg);
            }
            Place::Local(local) => {
                self.b.reads[local as usize] -= 1;
                match self.b.regs.of(Item::local(local)) {
                    Some(reg) => self.store_frame(value.class(), home, reg),
                    None => {
                        let from = self.read_local_home(local);
                        self.copy_frame(value.class(), home, from);
                    }
                }
            }
            _ => unreachable!("the next operator takes such an operand"),
        }
        self.b.values[at].set_place(Place::Home(at as u32));
    }

    /// Brings every operand to its home that is no constant.
    pub(crate) fn settle_all(&mut self) {
        for at in self.settled..self.b.values.len() {
            self.settle(at);
        }
        self.settled = self.b.values.len();
    }

    /// Brings every operand below `height` to its home that is in a register.
    pub(crate) fn settle_regs_below(&mut self, height: usize) {
        for reg in self.b.regs.on_stack.iter() {
            let at = self.b.regs.operand_in(reg);
            if at < height {
                self.settle(at);
            }
        }
    }

    /// Before `local` is written: operands that stand for it get what it holds now.
    pub(crate) fn materialize_reads(&mut self, local: u32) {
        let mut left = self.b.reads[local as usize];
        for at in (0..self.b.values.len()).rev() {
            if left == 0 {
                break;
            }
            let (class, place) = (self.b.values[at].class(), self.b.values[at].place());
            if place != Place::Local(local) {
                continue;
            }
            left -= 1;
            let reg = self.alloc(class);
            self.load_local(class, reg, local);
            self.b.reads[local as usize] -= 1;
            self.b.regs.hold_operand(reg, at);
            self.b.regs.in_use.remove(reg);
            self.b.values[at].set_place(Place::Reg(reg));
        }
    }

    /// Loads `dst` with what `local` holds.
    pub(crate) fn load_local(&mut self, class: ValClass, dst: Reg, local: u32) {
        match self.b.regs.of(Item::local(local)) {
            Some(reg) => self.move_reg(class, dst, reg),
            None => {
                let home = self.read_local_home(local);
                self.load_frame(class, dst, home);
            }
        }
    }

    /// The register that `value` is in, if it is in one.
    #[inline]
    pub(crate) fn in_register(&self, value: Value) -> Option<Reg> {
        match value.place() {
            Place::Reg(reg) => Some(reg),
            Place::Local(local) => self.b.regs.of(Item::local(local)),
            _ => None,
        }
    }

    /// A register with `value`, which was popped, to read from.
    #[inline]
    pub(crate) fn reg_of(&mut self, value: Value) -> Reg {
        match self.in_register(value) {
            Some(reg) => {
                self.b.regs.in_use.insert(reg);
                reg
            }
            None => self.load_operand(value),
        }
    }

    /// A register that `value`, which is in none, is loaded to.
    #[inline(never)]
    fn load_operand(&mut self, value: Value) -> Reg {
        match value.place() {
            Place::Local(local) => {
                let reg = self.alloc(value.class());
                let home = self.read_local_home(local);
                self.load_frame(value.class(), reg, home);
                self.b.regs.hold_copy(reg, Item::local(local));
                reg
            }
            _ => {
                let reg = self.alloc(value.class());
                self.load_value(reg, value);
                reg
            }
        }
    }

    /// A temp with `value`, which was popped, to read from and write to.
    pub(crate) fn temp_of(&mut self, value: Value) -> Reg {
        if let Place::Reg(reg) = value.place()
            && !self.b.regs.is_pin(reg)
        {
            return reg;
        }
        let reg = self.alloc(value.class());
        self.load_value(reg, value);
        reg
    }

    /// Loads `dst` with `value`, which was popped. Leaves the flags alone unless the value is in them.
    pub(crate) fn load_value(&mut self, dst: Reg, value: Value) {
        let class = value.class();
        match value.place() {
            Place::Const(bits) => self.load_const(class, dst, bits),
            Place::Vector(number) => self.load_vector_const(dst, number),
            Place::Reg(reg) => self.move_reg(class, dst, reg),
            Place::Local(local) => self.load_local(class, dst, local),
            Place::Home(height) => {
                let home = self.frame.operand(height);
                self.load_frame(class, dst, home);
            }
            Place::Flags(test) => self.set_from_flags(dst, test),
            Place::Memory => self.load_folded(class, dst),
        }
    }

    /// The pin that the next operator writes, if that is all it does with a result of `class` and nobody
    /// waits for what the pin holds now. Operands of the present operator have to be popped before.
    #[inline]
    pub(crate) fn destination(&mut self, class: ValClass) -> Option<Reg> {
        let local = self.next_local_written()?;
        // The validator has not seen the next operator yet.
        if *self.b.locals.get(local as usize)? != class || self.b.reads[local as usize] != 0 {
            return None;
        }
        self.b.regs.of(Item::local(local)).filter(|&reg| self.b.regs.is_pin(reg))
    }

    /// Where to compute a result of `class`: the pin that the next operator writes, or a temp.
    #[inline]
    pub(crate) fn result_reg(&mut self, class: ValClass) -> Reg {
        match self.destination(class) {
            Some(reg) => reg,
            None => self.alloc(class),
        }
    }

    /// The register of `item`, which is no local: loaded unless it is in one.
    #[inline]
    pub(crate) fn item_reg(&mut self, item: Item) -> Reg {
        match self.b.regs.of(item) {
            Some(reg) => {
                self.b.regs.in_use.insert(reg);
                reg
            }
            None => self.copy_item(item),
        }
    }

    #[inline(never)]
    fn copy_item(&mut self, item: Item) -> Reg {
        let reg = self.alloc(ValClass::I64);
        self.load_item(item, reg);
        self.b.regs.hold_copy(reg, item);
        reg
    }

    /// Holds the invariants, or panics.
    #[cfg(debug_assertions)]
    pub(crate) fn check(&self) {
        self.b.regs.check();
        // Of huge functions only what does not grow with them.
        if self.b.values.len() > 256 || self.b.locals.len() > 256 {
            return;
        }
        let mut on_stack = RegSet::EMPTY;
        let mut local_reads = 0u64;
        for (at, value) in self.b.values.iter().enumerate() {
            let is_top = at + 1 == self.b.values.len();
            match value.place() {
                Place::Reg(reg) if self.b.regs.is_pin(reg) => assert!(is_top, "a pin below the top"),
                Place::Reg(reg) => {
                    assert!(!on_stack.has(reg), "two operands in {reg:?}");
                    assert_eq!(self.b.regs.operand_in(reg), at);
                    assert_eq!(reg.is_vector(), !value.class().is_int());
                    on_stack.insert(reg);
                }
                Place::Flags(_) | Place::Memory => assert!(is_top, "a fleeting operand below the top"),
                Place::Local(local) => {
                    assert_eq!(self.b.locals[local as usize], value.class());
                    local_reads += 1;
                }
                Place::Home(height) => assert_eq!(height as usize, at),
                Place::Const(_) | Place::Vector(_) => {}
            }
            let settled = matches!(value.place(), Place::Const(_) | Place::Vector(_) | Place::Home(_));
            assert!(at >= self.settled || settled, "operand {at} is not settled");
            assert!(
                at >= self.homed || matches!(value.place(), Place::Home(_)),
                "operand {at} is not at home"
            );
        }
        assert_eq!(on_stack, self.b.regs.on_stack);
        assert_eq!(local_reads, self.b.reads.iter().map(|&reads| u64::from(reads)).sum::<u64>());
    }
}
