//! Calls of own functions that are translated in place.
//!
//! ```text
//! call $f     arguments become $f's locals, `return` and the end of $f branch to behind the call
//! ```
//! Nothing but time may tell. Each call in place has a range of *locations* of its own behind the offsets of the module,
//! so that the number which Cranelift carries along with an instruction says in which call of which function it is:
//!
//! ```text
//! 0 … end of the module │ body of $f, called at 0x40 │ body of $g, called at 0x81 by that $f │ …
//! ```
//! [`Locations`] takes them apart again, and a backtrace shows the frames that there would have been. The callee needs
//! no stack check, which the caller's frame had, and no look at the epoch, which its loops and all real calls have; fuel
//! is paid by its own plan.
//!
//! What is inlined: small bodies; larger ones that are known to be called often; the function itself,
//! a few levels deep. All of it within a budget that is in proportion to the function, which so bounds the time that
//! hostile input can take.

use crate::abi::clif_type;
use crate::translate::{Frame, FrameKind, Translator};
use crate::tuning::{self, Growth};
use cranelift_codegen::ir::SourceLoc;
use std::collections::HashMap;
use tenure_abi::ValClass;
use tenure_code::{CompileError, InlinedCall, InlinedCode};
use tenure_module::{Bodies, Body, BodyAllocations, FuelPlan, ValidateError};
use tenure_types::FuncIdx;
use wasmparser::Operator;

/// What is inlined in one function, and how much more may be.
pub(crate) struct Inlining {
    bodies: Bodies,
    growth: Growth,
    /// Bytes of bodies that may still be translated in place.
    budget: usize,
    /// The functions that are being translated, each called by the one before it.
    chain: Vec<FuncIdx>,
    /// The call that is being translated in place; [`InlinedCode::NONE`] outside of all.
    current: u32,
    locations: Locations,
    /// What was found out about functions that are called.
    callees: HashMap<FuncIdx, Option<Callee>>,
    validator: BodyAllocations,
}

/// Inlined calls, and which numbers stand for their operators.
#[derive(Default)]
pub(crate) struct Locations {
    pub(crate) calls: Vec<InlinedCall>,
    /// By call: the location and the offset of its callee's first byte. The location stands for no operator of it, since
    /// bodies begin with their locals.
    starts: Vec<Start>,
    /// The first location that is free.
    end: u32,
}

/// Where a body begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start {
    location: u32,
    offset: u32,
}

impl Start {
    /// The location of the operator at `offset`; `u32::MAX` stands for none, here as in our tables.
    pub(crate) fn location_of(self, offset: u64) -> u32 {
        u32::try_from(offset).map_or(u32::MAX, |offset| offset - self.offset + self.location)
    }
}

impl Locations {
    /// The inlined call that `location` belongs to, [`InlinedCode::NONE`] for none, and its operator's offset in the
    /// module, `u32::MAX` for none.
    pub(crate) fn place_of(&self, location: u32) -> (u32, u32) {
        let after = self.starts.partition_point(|start| start.location <= location);
        match self.starts[..after].last() {
            Some(start) if location < self.end => {
                let inside = location - start.location;
                (after as u32 - 1, if inside == 0 { u32::MAX } else { start.offset + inside })
            }
            _ => (InlinedCode::NONE, location),
        }
    }
}

/// A body that can be translated in place.
#[derive(Clone, Copy)]
struct Callee {
    bytes: usize,
    /// How often it calls itself.
    self_calls: usize,
}

impl Callee {
    /// What there is to know of `body`, if it can be translated in place.
    fn of(body: &Body<'_>) -> Result<Option<Self>, ValidateError> {
        let mut locals = 0_u32;
        for row in body.code.get_locals_reader()? {
            locals = locals.saturating_add(row?.0);
        }
        if locals > tuning::MOST_INLINED_LOCALS {
            return Ok(None);
        }
        let mut self_calls = 0;
        let mut operators = body.code.get_operators_reader()?;
        while !operators.eof() {
            match operators.read()? {
                Operator::Call { function_index } if function_index == body.func.0 => self_calls += 1,
                // They end the frame that is the caller's here.
                Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. } => return Ok(None),
                _ => {}
            }
        }
        Ok(Some(Self { bytes: body.len(), self_calls }))
    }

    /// How many levels of a function's calls of itself are worth their bytes.
    fn levels(&self, growth: Growth) -> usize {
        let (mut levels, mut bytes, mut calls) = (0, 0, 1);
        while levels < growth.levels {
            calls *= self.self_calls.max(1);
            bytes += calls * self.bytes;
            if bytes > growth.recursion {
                break;
            }
            levels += 1;
        }
        levels
    }
}

impl Inlining {
    /// For the translation of `body`, in a module of `module_bytes` bytes. `None` when nothing may be inlined in it.
    pub(crate) fn new(body: &Body<'_>, module_bytes: usize, growth: Growth) -> Option<Self> {
        let bodies = body.bodies();
        Some(Self {
            bodies: if body.is_checked() { bodies } else { bodies.unchecked() },
            growth,
            budget: growth.budget(body.len()),
            chain: vec![body.func],
            current: InlinedCode::NONE,
            locations: Locations { end: u32::try_from(module_bytes).ok()?, ..Locations::default() },
            callees: HashMap::new(),
            validator: BodyAllocations::default(),
        })
    }

    /// How many calls were translated in place.
    pub(crate) fn count(&self) -> usize {
        self.locations.calls.len()
    }

    pub(crate) fn into_locations(self) -> Locations {
        self.locations
    }

    /// What is known of `body`, which is small.
    fn callee(&mut self, body: &Body<'_>) -> Option<Callee> {
        if let Some(known) = self.callees.get(&body.func) {
            return *known;
        }
        let mut is_valid = true;
        if !body.is_checked() {
            match body.again().validate(std::mem::take(&mut self.validator)) {
                Ok(allocations) => self.validator = allocations,
                // That is for whoever calls it to find out.
                Err(_) => is_valid = false,
            }
        }
        let callee = if is_valid { Callee::of(body).ok().flatten() } else { None };
        self.callees.insert(body.func, callee);
        callee
    }

    /// Takes what a call of `body` at `offset`, in the present function, needs; its number and where its body begins.
    fn begin(&mut self, body: &Body<'_>, offset: u64) -> Option<(u32, Start)> {
        let range = body.code.range();
        let (first, len) = (u32::try_from(range.start).ok()?, u32::try_from(body.len()).ok()?);
        let end = self.locations.end.checked_add(len)?;
        let start = Start { location: self.locations.end, offset: first };
        self.budget = self.budget.checked_sub(body.len())?;
        let number = self.count() as u32;
        let wasm = u32::try_from(offset).ok()?;
        self.locations.calls.push(InlinedCall { func: body.func, wasm, inside: self.current });
        self.locations.starts.push(start);
        self.locations.end = end;
        Some((number, start))
    }
}

impl<'a> Translator<'a> {
    /// How many calls were translated in place so far.
    pub(crate) fn inlined_calls(&self) -> usize {
        self.inlining.as_ref().map_or(0, Inlining::count)
    }

    /// Translates a call of `func` in place, if that is worth it; whether it was.
    pub(crate) fn inline(&mut self, func: FuncIdx) -> Result<bool, CompileError> {
        let Some(body) = self.worth_inlining(func) else { return Ok(false) };
        let Some(inlining) = self.inlining.as_mut() else { return Ok(false) };
        let Some((number, start)) = inlining.begin(&body, self.offset) else { return Ok(false) };
        inlining.chain.push(func);
        let outer_call = std::mem::replace(&mut inlining.current, number);

        let ty = self.unit.module.func_type(func);
        let count = ty.params().len();
        self.canonical_top(count);
        let height = self.stack.len() - count;
        let results = ty.results().len();
        let after = self.block_with(ty.results().iter().map(|&ty| clif_type(ValClass::of(ty))));
        let frame = Frame {
            kind: FrameKind::Block,
            target: after,
            after,
            height,
            arity: results,
            results,
            branched: false,
            scope: self.extents.scope(),
        };
        let outer_ty = std::mem::replace(&mut self.ty, ty);
        let outer_frames = std::mem::replace(&mut self.frames, vec![frame]);
        let outer_locals = std::mem::take(&mut self.locals);
        let outer_start = std::mem::replace(&mut self.start, start);
        let (offset, loops) = (self.offset, self.loops);
        // No way in leads here, and operands below are what they are.
        let outer_entry = self.entry.take();
        self.locals_around += outer_locals.len();

        for at in height..self.stack.len() {
            let local = self.builder.declare_var(self.type_of(self.stack[at]));
            self.builder.def_var(local, self.stack[at]);
            self.locals.push(local);
        }
        self.stack.truncate(height);
        self.builder.set_srcloc(SourceLoc::new(start.location));
        let plan = self.unit.tunables.fuel.as_ref().map(|costs| FuelPlan::read(costs, &body));
        let outer_plan = plan.and_then(|plan| self.begin_fuel_plan(plan));
        self.operators_in_place(&body)?;

        if let Some(plan) = outer_plan {
            self.end_fuel_plan(plan);
        }
        self.locals_around -= outer_locals.len();
        self.entry = outer_entry;
        (self.offset, self.loops) = (offset, loops);
        self.start = outer_start;
        self.locals = outer_locals;
        self.frames = outer_frames;
        self.ty = outer_ty;
        self.builder.set_srcloc(SourceLoc::new(self.start.location_of(offset)));
        if let Some(inlining) = &mut self.inlining {
            inlining.chain.pop();
            inlining.current = outer_call;
        }
        Ok(true)
    }

    fn operators_in_place(&mut self, body: &Body<'a>) -> Result<(), CompileError> {
        let invalid = ValidateError::from;
        for row in body.code.get_locals_reader().map_err(invalid)? {
            let (count, ty) = row.map_err(invalid)?;
            self.declare_locals(count, ty)?;
        }
        let mut operators = body.code.get_operators_reader().map_err(invalid)?;
        while !operators.eof() {
            let (op, offset) = operators.read_with_offset().map_err(invalid)?;
            self.counted_operator(&op, offset)?;
        }
        Ok(())
    }

    /// The body of `func`, if a call of it, here, is worth translating in place.
    fn worth_inlining(&mut self, func: FuncIdx) -> Option<Body<'a>> {
        let unit = self.unit;
        let inlining = self.inlining.as_mut()?;
        let growth = inlining.growth;
        let range = unit.module.bodies.get(unit.module.body_index(func)?)?;
        let bytes = range.len();
        let is_root = inlining.chain[0] == func;
        let most = match unit.profile {
            _ if is_root => growth.recursion,
            None => growth.small,
            Some(profile) => growth.at_heat(profile.executed(func) / bytes.max(1) as u64),
        };
        if bytes > most || bytes > inlining.budget || inlining.chain.len() > tuning::MOST_INLINED_LEVELS {
            return None;
        }
        let body = inlining.bodies.body(unit.module, func)?;
        let callee = inlining.callee(&body)?;
        let inside = inlining.chain.iter().filter(|&&outer| outer == func).count();
        // Who calls itself has levels of its own, once it is called.
        let levels = if is_root { callee.levels(growth) } else { usize::from(callee.self_calls == 0) };
        let room = inside < levels + usize::from(is_root);
        room.then_some(body)
    }
}
