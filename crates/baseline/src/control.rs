//! Labels: what a branch finds at its target.
//!
//! At a label
//! - the pins are those of the label's region;
//! - every local that is no pin is in its home, and no temp holds a copy of anything;
//! - operands below the construct are constants or at home, as they were when it began;
//! - the values that the branch brings are in their homes, but a single one that goes forward is in the
//!   [result register](crate::isa_x64::RESULT) of its kind.
//!
//! So a branch needs no more than the label itself to know what to do, and labels cost nothing to keep.

use crate::func::FuncCompiler;
use crate::isa_x64::asm::frame;
use crate::isa_x64::control::Test;
use crate::isa_x64::{RESULT, VECTOR_RESULT};
use crate::regs::Reg;
use crate::stack::{Place, Value};
use crate::traps::Late;
use tenure_abi::ValClass;
use tenure_code::CompileError;
use tenure_module::{Item, MAX_BR_TABLE_TARGETS};
use tenure_types::TypeIdx;
use wasmparser::BlockType;

/// A construct that has not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub kind: Kind,
    /// Where branches go.
    pub target: tenure_asm::Label,
    /// Height of the stack below the construct's parameters.
    pub height: u32,
    pub params: u32,
    pub results: u32,
    /// The region that the code is in around the label.
    pub region: u32,
    /// Whether anything branches here.
    pub branched: bool,
    pub ty: BlockType,
    /// The last `br_table` that made a way here, and that way.
    way: Option<(u32, tenure_asm::Label)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The whole function: a branch to it returns.
    Func,
    Block,
    Loop {
        /// The region around the loop.
        around: u32,
    },
    If {
        /// Where the second arm begins.
        other: tenure_asm::Label,
    },
    Else,
}

/// What a branch moves that does not leave its values where the label wants them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arguments {
    InPlace,
    /// From the result register to a home.
    FromResult {
        class: ValClass,
        height: u32,
    },
    /// From homes to lower ones.
    Homes {
        count: u32,
        from: u32,
        to: u32,
    },
}

fn result_register(class: ValClass) -> Reg {
    if class.is_int() { RESULT } else { VECTOR_RESULT }
}

impl Label {
    /// How many values a branch brings.
    fn arity(&self) -> u32 {
        if self.is_loop() { self.params } else { self.results }
    }

    fn is_loop(&self) -> bool {
        matches!(self.kind, Kind::Loop { .. })
    }

    /// Whether a branch brings its values in the result register.
    fn in_register(&self) -> bool {
        !self.is_loop() && self.results == 1
    }
}

impl FuncCompiler<'_> {
    pub(crate) fn push_function_label(&mut self) {
        let target = self.b.asm.new_label();
        self.b.labels.push(Label {
            kind: Kind::Func,
            target,
            height: 0,
            params: 0,
            results: self.ty.results().len() as u32,
            region: 0,
            branched: false,
            ty: BlockType::Empty,
            way: None,
        });
    }

    fn push_label(
        &mut self,
        kind: Kind,
        ty: BlockType,
        target: tenure_asm::Label,
    ) -> Result<(), CompileError> {
        let (params, results) = match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(ty) => {
                self.class(ty)?;
                (0, 1)
            }
            BlockType::FuncType(idx) => {
                let ty = &self.unit.module.func_types[TypeIdx(idx).at()];
                (ty.params().len() as u32, ty.results().len() as u32)
            }
        };
        let height = self.height() as u32 - params;
        let region = self.region;
        self.b.labels.push(Label {
            kind,
            target,
            height,
            params,
            results,
            region,
            branched: false,
            ty,
            way: None,
        });
        Ok(())
    }

    /// The class of result `at` of the construct.
    fn result_class(&self, label: &Label, at: usize) -> ValClass {
        match (label.kind, label.ty) {
            (Kind::Func, _) => ValClass::of(self.ty.results()[at]),
            (_, BlockType::Type(ty)) => self.class(ty).expect("looked at when the construct began"),
            (_, BlockType::FuncType(idx)) => {
                ValClass::of(self.unit.module.func_types[TypeIdx(idx).at()].results()[at])
            }
            (_, BlockType::Empty) => unreachable!("it has no results"),
        }
    }

    fn label_at(&self, depth: u32) -> usize {
        self.b.labels.len() - 1 - depth as usize
    }

    /// Before a construct begins: brings home what has to be there at its labels and at those of constructs in it.
    fn settle_for_construct(&mut self) {
        // What is below a construct has to be in the same place all along.
        if self.hands_over() && self.loops < self.b.summary.loop_count() {
            self.all_home();
        } else {
            self.settle_all();
        }
    }

    pub(crate) fn block(&mut self, ty: BlockType) -> Result<(), CompileError> {
        self.settle_for_construct();
        let target = self.b.asm.new_label();
        self.push_label(Kind::Block, ty, target)
    }

    pub(crate) fn loop_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        self.settle_for_construct();
        let around = self.region;
        let number = self.loops;
        let inner = self.b.regions.of_loop(number).unwrap_or(around);
        self.loops += 1;
        self.save_arguments();
        self.b.regs.drop_copies();
        self.transition(around, inner);
        self.enter_region(inner);
        let header = self.b.asm.new_label();
        self.push_label(Kind::Loop { around }, ty, header)?;
        self.parameters_home();
        self.b.asm.bind(header);
        self.tested = None;
        self.count_loop(number);
        self.check_epoch();
        Ok(())
    }

    pub(crate) fn if_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let condition = self.pop();
        self.settle_for_construct();
        self.save_arguments();
        let target = self.b.asm.new_label();
        let other = self.b.asm.new_label();
        self.push_label(Kind::If { other }, ty, target)?;
        self.parameters_home();
        let test = self.test_value(condition);
        self.jump_unless(test, other);
        Ok(())
    }

    /// Brings the parameters of the construct that just began to their homes, constants too.
    fn parameters_home(&mut self) {
        let label = self.b.labels[self.b.labels.len() - 1];
        for height in label.height..label.height + label.params {
            let value = self.b.values[height as usize];
            let home = self.frame.operand(height);
            self.store_value(frame(home), value);
            self.b.values[height as usize].set_place(Place::Home(height));
        }
    }

    pub(crate) fn else_(&mut self) {
        let at = self.b.labels.len() - 1;
        let label = self.b.labels[at];
        let Kind::If { other } = label.kind else { unreachable!("the validator has seen the `if`") };
        if self.reachable {
            self.b.labels[at].branched = true;
            self.bring(&label);
            self.b.asm.jmp(label.target);
        }
        self.b.labels[at].kind = Kind::Else;
        self.second_arm(&label, other);
    }

    /// Goes on at the second arm of an `if`, with its parameters on the stack.
    fn second_arm(&mut self, label: &Label, other: tenure_asm::Label) {
        self.arrive(label, other);
        let params = label.height..label.height + label.params;
        for height in params {
            let class = match label.ty {
                BlockType::FuncType(idx) => {
                    let ty = &self.unit.module.func_types[TypeIdx(idx).at()];
                    ValClass::of(ty.params()[(height - label.height) as usize])
                }
                _ => unreachable!("only a function type has parameters"),
            };
            self.push(class, Place::Home(height));
        }
        self.settled = self.height();
    }

    /// Code goes on at `target`, to which paths lead that kept to the rules for labels.
    fn arrive(&mut self, label: &Label, target: tenure_asm::Label) {
        self.forget_above(label.height as usize);
        self.b.asm.bind(target);
        self.tested = None;
        self.reachable = true;
    }

    pub(crate) fn end(&mut self) {
        let label = self.b.labels.pop().expect("the validator has seen the construct");
        if matches!(label.kind, Kind::Func | Kind::Loop { .. }) {
            self.end_count();
        }
        match label.kind {
            Kind::Func => {
                if label.branched {
                    if self.reachable {
                        self.bring(&label);
                    }
                    self.join(&label);
                }
                if self.reachable {
                    self.return_();
                }
            }
            Kind::Loop { around } => self.leave_loop(around),
            Kind::If { other } => {
                if self.reachable {
                    self.bring(&label);
                    if label.in_register() {
                        self.b.asm.jmp(label.target);
                    }
                }
                // Without a second arm, the parameters are the results.
                self.second_arm(&label, other);
                self.bring(&label);
                self.join(&label);
            }
            Kind::Block | Kind::Else if label.branched => {
                if self.reachable {
                    self.bring(&label);
                }
                self.join(&label);
            }
            // Nothing branched here: code just goes on, or cannot.
            Kind::Block | Kind::Else => {}
        }
    }

    /// The end of a loop: code goes on in the region around it.
    fn leave_loop(&mut self, around: u32) {
        if self.region == around {
            return;
        }
        if self.reachable {
            self.settle_all();
            self.b.regs.drop_copies();
            self.transition(self.region, around);
        } else {
            let height = self.height();
            self.truncate(height);
            self.b.regs.drop_copies();
        }
        self.enter_region(around);
    }

    /// Goes on at the label's end, with its results on the stack.
    fn join(&mut self, label: &Label) {
        self.arrive(label, label.target);
        for at in 0..label.results as usize {
            let class = self.result_class(label, at);
            if label.in_register() {
                self.push_reg(class, result_register(class));
            } else {
                let height = self.height() as u32;
                self.push(class, Place::Home(height));
            }
        }
    }

    /// Before a jump, or falling through, to a label at which code goes on in the same region: brings the
    /// values on top where the label wants them. What else is on the stack is lost.
    fn bring(&mut self, label: &Label) {
        self.save_arguments();
        let arity = label.arity();
        let from = self.height() as u32 - arity;
        if label.in_register() {
            let value = self.b.values[from as usize];
            self.bring_result(value);
            return;
        }
        for at in 0..arity {
            let value = self.b.values[(from + at) as usize];
            let home = frame(self.frame.operand(label.height + at));
            self.store_value(home, value);
        }
    }

    /// Loads the result register of its kind with `value`, unless it is there.
    fn bring_result(&mut self, value: Value) {
        let result = result_register(value.class());
        match value.place() {
            Place::Reg(reg) if reg == result && !self.b.regs.dirty_upper.has(reg) => {}
            _ => self.load_value(result, value),
        }
    }

    pub(crate) fn br(&mut self, depth: u32) {
        let at = self.label_at(depth);
        if at == 0 {
            return self.return_();
        }
        self.b.labels[at].branched = true;
        let label = self.b.labels[at];
        self.bring(&label);
        self.transition(self.region, label.region);
        self.b.asm.jmp(label.target);
        self.reachable = false;
    }

    /// The region that a branch to the label has to establish; none if its pins are not needed any more.
    fn region_at(&self, label: &Label) -> Option<u32> {
        (label.kind != Kind::Func && label.region != self.region).then_some(label.region)
    }

    pub(crate) fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        let test = self.test_value(condition);
        self.branch_if(test, depth);
    }

    /// Branches to `depth` with the operands on top if `test` holds; else they stay.
    pub(crate) fn branch_if(&mut self, test: Test, depth: u32) {
        let at = self.label_at(depth);
        self.b.labels[at].branched = true;
        let label = self.b.labels[at];
        self.save_arguments();
        let arity = label.arity();
        let from = self.height() as u32 - arity;
        if arity > 0 && !label.in_register() {
            let over = self.b.asm.new_label();
            self.jump_unless(test, over);
            self.bring(&label);
            if let Some(to) = self.region_at(&label) {
                self.transition(self.region, to);
            }
            self.b.asm.jmp(label.target);
            self.b.asm.bind(over);
            return;
        }
        if arity == 1 {
            let value = self.b.values[from as usize];
            let result = result_register(value.class());
            if value.place() != Place::Reg(result) {
                self.claim(result);
            }
            // Claiming may have moved the value.
            let value = self.b.values[from as usize];
            self.bring_result(value);
        }
        match self.region_at(&label) {
            None => self.jump_if(test, label.target),
            Some(to) => {
                let way = self.way(Some(to), Arguments::InPlace, label.target);
                self.jump_if(test, way);
            }
        }
    }

    /// A way to `target` that first does what is needed, at the end of the function.
    fn way(&mut self, to: Option<u32>, arguments: Arguments, target: tenure_asm::Label) -> tenure_asm::Label {
        let label = self.b.asm.new_label();
        let from = self.region;
        self.b.late.push(Late::Branch { label, from, to, arguments, target });
        label
    }

    pub(crate) fn br_table(&mut self, table: &wasmparser::BrTable<'_>) -> Result<(), CompileError> {
        if table.len() > MAX_BR_TABLE_TARGETS {
            let limit = MAX_BR_TABLE_TARGETS.into();
            return Err(CompileError::TooLarge { what: "targets of one br_table", limit });
        }
        let index = self.pop();
        let arity = self.b.labels[self.label_at(table.default())].arity();
        let from = self.height() as u32 - arity;
        let mut index = self.temp_of(index);
        if arity == 1 {
            let class = self.b.values[from as usize].class();
            if index == RESULT {
                let mut others = crate::stack::bank(ValClass::I32);
                others.remove(RESULT);
                let other = self.alloc_in(others);
                self.move_reg(ValClass::I32, other, index);
                index = other;
            }
            let result = result_register(class);
            if self.b.values[from as usize].place() != Place::Reg(result) {
                self.claim(result);
            }
            let value = self.b.values[from as usize];
            self.bring_result(value);
        } else {
            for at in from..from + arity {
                let value = self.b.values[at as usize];
                let home = frame(self.frame.operand(at));
                self.store_value(home, value);
            }
        }
        self.save_arguments();
        // Every way of one table is made once: labels carry the number of the table that made theirs.
        let number = self.next as u32;
        let mut targets = Vec::with_capacity(table.len() as usize + 1);
        for depth in table.targets().chain([Ok(table.default())]) {
            let depth = depth.map_err(tenure_module::ValidateError::from)?;
            targets.push(self.way_of_table(number, depth, arity, from));
        }
        let default = targets.pop().expect("the default is the last");
        self.dispatch(index, &targets, default);
        self.reachable = false;
        Ok(())
    }

    fn way_of_table(&mut self, number: u32, depth: u32, arity: u32, from: u32) -> tenure_asm::Label {
        let at = self.label_at(depth);
        let label = self.b.labels[at];
        if let Some((by, way)) = label.way
            && by == number
        {
            return way;
        }
        let arguments = match arity {
            0 => Arguments::InPlace,
            1 if label.in_register() => Arguments::InPlace,
            1 => Arguments::FromResult { class: self.b.values[from as usize].class(), height: label.height },
            _ if from == label.height => Arguments::InPlace,
            _ => Arguments::Homes { count: arity, from, to: label.height },
        };
        let to = self.region_at(&label);
        let way = match (to, arguments) {
            (None, Arguments::InPlace) => label.target,
            _ => self.way(to, arguments, label.target),
        };
        self.b.labels[at].branched = true;
        self.b.labels[at].way = Some((number, way));
        way
    }

    /// Makes the moves that a way to a label needs.
    pub(crate) fn move_arguments(&mut self, arguments: Arguments) {
        match arguments {
            Arguments::InPlace => {}
            Arguments::FromResult { class, height } => {
                let home = self.frame.operand(height);
                self.store_frame(class, home, result_register(class));
            }
            Arguments::Homes { count, from, to } => {
                // Homes only move down: none is overwritten before it was read.
                for at in 0..count {
                    let (to, from) = (self.frame.operand(to + at), self.frame.operand(from + at));
                    self.copy_home(to, from);
                }
            }
        }
    }

    /// Establishes the pins of region `to` where those of `from` are. Writes code and changes nothing else; all
    /// operands but those in result registers are at home.
    pub(crate) fn transition(&mut self, from: u32, to: u32) {
        if from == to {
            return;
        }
        let (from, to) = (*self.b.regions.region(from), *self.b.regions.region(to));
        for reg in from.stale.iter() {
            let item = from.item(reg).expect("a pin holds something");
            if to.item(reg) != Some(item)
                && let Some(local) = item.as_local()
            {
                self.store_frame(self.b.locals[local as usize], self.local_home(local), reg);
            }
        }
        for reg in to.pins.iter() {
            let item = to.item(reg).expect("a pin holds something");
            if from.item(reg) != Some(item) {
                self.load_pin(item, reg);
            }
        }
    }

    /// Loads a pin from the home of `item`.
    pub(crate) fn load_pin(&mut self, item: Item, reg: Reg) {
        match item.as_local() {
            Some(local) => {
                let home = self.read_local_home(local);
                self.load_frame(self.b.locals[local as usize], reg, home);
            }
            None if item == Item::CONTEXT => self.load_item(Item::CONTEXT, reg),
            // Whether the context has a register at both ends is not worth asking.
            None => self.load_memory_base_from_frame(reg),
        }
    }

    /// The code is in region `to` from now on. No temp may hold anything that becomes a pin.
    pub(crate) fn enter_region(&mut self, to: u32) {
        if self.region == to {
            return;
        }
        let (old, new) = (*self.b.regions.region(self.region), *self.b.regions.region(to));
        for reg in old.pins.iter() {
            self.b.regs.unpin(reg, self.temps);
        }
        for reg in new.pins.iter() {
            self.b.regs.pin(reg, new.item(reg).expect("a pin holds something"));
        }
        self.region = to;
    }
}
