//! Registers: which are free, and what the others hold.
//!
//! ```text
//! pins     hold one item for as long as a region lasts (see `regions`); never given out
//! temps    all others: free, the place of one operand, or a copy of an item
//! ```
//! Invariants, checked after every operator in debug builds ([`Regs::check`]):
//! - each temp is in exactly one of `free`, `on_stack` and `copies`;
//! - an item is in at most one register, and the tables of both directions agree.
//!
//! A copy may go at any time: the item's home holds the same. The exception are arguments in the registers
//! in which they came (`unsaved`): they go home first.

use tenure_module::Item;

/// A register of the machine: general ones are numbers 0 to 15, vector ones 16 to 31.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reg(pub u8);

impl Reg {
    /// How many there are.
    pub(crate) const COUNT: usize = 32;

    pub(crate) const fn general(number: u8) -> Self {
        Self(number & 15)
    }

    pub(crate) const fn vector(number: u8) -> Self {
        Self(16 | (number & 15))
    }

    /// Its number among its kind.
    pub(crate) const fn number(self) -> u8 {
        self.0 & 15
    }

    pub(crate) const fn is_vector(self) -> bool {
        self.0 >= 16
    }

    const fn at(self) -> usize {
        self.0 as usize & 31
    }
}

/// A set of registers.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RegSet(pub u32);

impl RegSet {
    pub(crate) const EMPTY: Self = Self(0);

    pub(crate) const fn of(regs: &[Reg]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < regs.len() {
            bits |= 1 << regs[at].0;
            at += 1;
        }
        Self(bits)
    }

    pub(crate) const fn has(self, reg: Reg) -> bool {
        self.0 & 1 << reg.0 != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn insert(&mut self, reg: Reg) {
        self.0 |= 1 << reg.0;
    }

    pub(crate) fn remove(&mut self, reg: Reg) {
        self.0 &= !(1 << reg.0);
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The one of the lowest number.
    pub(crate) fn first(self) -> Option<Reg> {
        (self.0 != 0).then(|| Reg(self.0.trailing_zeros() as u8))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Reg> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let reg = rest.first()?;
            rest.remove(reg);
            Some(reg)
        })
    }
}

impl std::fmt::Debug for RegSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(|reg| reg.0)).finish()
    }
}

const NOWHERE: u8 = u8::MAX;
const NOTHING: u32 = u32::MAX;

/// The state of all registers at one point of the code.
#[derive(Default)]
pub(crate) struct Regs {
    /// Registers that are not pins here.
    pub temps: RegSet,
    /// Temps that hold nothing.
    pub free: RegSet,
    /// Temps that are the place of an operand.
    pub on_stack: RegSet,
    /// Temps that hold a copy of an item.
    pub copies: RegSet,
    /// Copies of arguments that are not in their homes yet.
    pub unsaved: RegSet,
    /// What the present operator works with: not to be given out or emptied before it ends.
    pub in_use: RegSet,
    /// Registers with an `i32` whose upper half is not known to be zero.
    pub dirty_upper: RegSet,
    /// By register: the operand's place on the stack, or the item. Pins included.
    holds: [u32; Reg::COUNT],
    /// By item: its register.
    places: Vec<u8>,
    /// Where the search for a copy to give up goes on.
    clock: u32,
}

impl Regs {
    /// Starts a function with `items` items; every register of `temps` is free.
    pub(crate) fn start(&mut self, items: usize, temps: RegSet) {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.resize(items, NOWHERE);
        *self = Self { temps, free: temps, places, holds: [NOTHING; Reg::COUNT], ..Self::default() };
    }

    /// The register that holds `item`, as a pin or a copy.
    #[inline]
    pub(crate) fn of(&self, item: Item) -> Option<Reg> {
        match self.places[item.at()] {
            NOWHERE => None,
            number => Some(Reg(number)),
        }
    }

    /// Whether `reg` is a pin here.
    #[inline]
    pub(crate) fn is_pin(&self, reg: Reg) -> bool {
        !self.temps.has(reg)
    }

    /// The item in `reg`, which is a pin or a copy.
    pub(crate) fn item_in(&self, reg: Reg) -> Item {
        Item(self.holds[reg.at()])
    }

    /// The operand in `reg`, by its place on the stack.
    pub(crate) fn operand_in(&self, reg: Reg) -> usize {
        self.holds[reg.at()] as usize
    }

    /// A free register of `set` that nobody uses, and marks it as used.
    #[inline]
    pub(crate) fn take_free(&mut self, set: RegSet) -> Option<Reg> {
        let reg = self.free.and(set).without(self.in_use).first()?;
        self.in_use.insert(reg);
        self.dirty_upper.remove(reg);
        Some(reg)
    }

    /// A copy in `set` that may go.
    pub(crate) fn next_copy(&mut self, set: RegSet) -> Option<Reg> {
        let set = self.copies.and(set).without(self.in_use);
        let after = RegSet(set.0 & (u32::MAX << (self.clock & 31)));
        let reg = after.first().or(set.first())?;
        self.clock = u32::from(reg.0) + 1;
        Some(reg)
    }

    /// `reg`, a free temp, becomes the place of operand `at`.
    #[inline]
    pub(crate) fn hold_operand(&mut self, reg: Reg, at: usize) {
        debug_assert!(self.free.has(reg), "{reg:?} is not free");
        self.free.remove(reg);
        self.on_stack.insert(reg);
        self.holds[reg.at()] = at as u32;
    }

    /// The operand in `reg` goes. The register stays in use until the operator ends.
    #[inline]
    pub(crate) fn release_operand(&mut self, reg: Reg) {
        debug_assert!(self.on_stack.has(reg), "{reg:?} holds no operand");
        self.on_stack.remove(reg);
        self.free.insert(reg);
        self.in_use.insert(reg);
    }

    /// `reg`, a free temp, holds a copy of `item` from now on.
    #[inline]
    pub(crate) fn hold_copy(&mut self, reg: Reg, item: Item) {
        debug_assert!(self.free.has(reg), "{reg:?} is not free");
        self.drop_copy(item);
        self.free.remove(reg);
        self.copies.insert(reg);
        self.holds[reg.at()] = item.0;
        self.places[item.at()] = reg.0;
    }

    /// Forgets the copy of `item`, if there is one. A pin stays.
    #[inline]
    pub(crate) fn drop_copy(&mut self, item: Item) {
        if let Some(reg) = self.of(item)
            && self.copies.has(reg)
        {
            self.drop_copy_in(reg);
        }
    }

    /// Forgets the copy in `reg`.
    pub(crate) fn drop_copy_in(&mut self, reg: Reg) {
        let item = self.item_in(reg);
        self.places[item.at()] = NOWHERE;
        self.copies.remove(reg);
        self.unsaved.remove(reg);
        self.free.insert(reg);
    }

    /// Forgets every copy.
    #[inline]
    pub(crate) fn drop_copies(&mut self) {
        debug_assert!(self.unsaved.is_empty(), "an argument would be lost");
        for reg in self.copies.iter() {
            self.places[self.holds[reg.at()] as usize] = NOWHERE;
        }
        self.free = self.free.or(self.copies);
        self.copies = RegSet::EMPTY;
    }

    /// Frees every temp.
    #[inline]
    pub(crate) fn drop_all(&mut self) {
        self.unsaved = RegSet::EMPTY;
        self.drop_copies();
        self.on_stack = RegSet::EMPTY;
        self.free = self.temps;
        self.in_use = RegSet::EMPTY;
    }

    /// `reg`, which nothing is in, becomes a pin.
    pub(crate) fn pin(&mut self, reg: Reg, item: Item) {
        debug_assert!(self.of(item).is_none(), "{item:?} is in a register");
        self.temps.remove(reg);
        self.free.remove(reg);
        self.dirty_upper.remove(reg);
        self.holds[reg.at()] = item.0;
        self.places[item.at()] = reg.0;
    }

    /// `reg` is no pin any more; it becomes a free temp if it is one of `temps`.
    pub(crate) fn unpin(&mut self, reg: Reg, temps: RegSet) {
        let item = self.item_in(reg);
        self.places[item.at()] = NOWHERE;
        self.dirty_upper.remove(reg);
        if temps.has(reg) {
            self.temps.insert(reg);
            self.free.insert(reg);
        }
    }

    /// Holds the invariants, or panics.
    #[cfg(debug_assertions)]
    pub(crate) fn check(&self) {
        let (free, on_stack, copies) = (self.free, self.on_stack, self.copies);
        assert!(free.and(on_stack).or(free.and(copies)).or(on_stack.and(copies)).is_empty(), "held twice");
        assert_eq!(free.or(on_stack).or(copies), self.temps);
        assert!(self.unsaved.without(copies).is_empty());
        for reg in copies.iter() {
            assert_eq!(self.of(self.item_in(reg)), Some(reg));
        }
    }
}
