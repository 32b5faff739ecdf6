//! Checks bodies quickly, when they use common operators only.
//!
//! ```text
//! Body ──QuickCheck──▶ accepted: valid
//!          └─ not accepted: says nothing ──▶ wasmparser accepts, or says what is wrong and where
//! ```
//! Nearly all of the time until a module's first instruction is spent on checking bodies, so nearly all bodies are
//! checked here, three times as fast. What this relies on is one implication: *a body that is accepted is valid*.
//! The other direction costs time only. So anything rare is not accepted: references, more memories than one, tail
//! calls, everything behind the prefixes that is not listed; a module whose engine has one of the usual proposals
//! off is not looked at. And no error is made here: wasmparser reads such a body from its start.
//!
//! It is the algorithm of the specification's appendix, "Validation Algorithm", with a type in a byte. Two things make
//! it short: no operand on the stack is ever of unknown type, since `select` of two operands that are not there is
//! not accepted; and the labels of a `br_table` have to be of equal types.
//!
//! Start at [`QuickCheck::accepts`]. What else has to be known of a body comes out of the same pass, for a [`Watch`].

mod bytes;
mod facts;
mod operators;
#[cfg(test)]
mod tests;

pub(crate) use facts::Facts;

use crate::body::{Body, MAX_BR_TABLE_TARGETS};
use crate::module::Module;
use bytes::Bytes;
use facts::{Sig, V128, is_type};
use operators::{MEMORY, PLAIN, Plain, VECTOR, Vector};

/// Told of what stands in a body as it is checked. A body that turns out not to be accepted may have been told of in
/// part.
pub trait Watch {
    /// The body begins; it has `count` locals, parameters included.
    fn begins(&mut self, count: usize) {
        let _ = count;
    }

    /// `local.get`.
    fn gets_local(&mut self, local: u32) {
        let _ = local;
    }

    /// `local.set`.
    fn sets_local(&mut self, local: u32) {
        let _ = local;
    }

    /// `local.tee`.
    fn tees_local(&mut self, local: u32) {
        let _ = local;
    }

    /// A load or a store.
    fn accesses_memory(&mut self) {}

    /// What reads a record of the instance: `global.get`, `global.set`, `memory.size`.
    fn reads_record(&mut self) {}

    /// `call`.
    fn calls(&mut self) {}

    /// `call_indirect`.
    fn calls_indirectly(&mut self) {}

    /// An operator that the runtime does.
    fn calls_builtin(&mut self) {}

    /// An operator on vectors.
    fn has_vectors(&mut self) {}

    /// `loop`.
    fn loop_begins(&mut self) {}

    /// The end of the innermost open loop.
    fn loop_ends(&mut self) {}
}

/// Nobody watches.
impl Watch for () {}

/// What checking works in, to be used again for the next body.
#[derive(Default)]
pub struct QuickCheck {
    locals: Vec<u8>,
    operands: Vec<u8>,
    around: Vec<Frame>,
}

/// A construct that is open.
#[derive(Clone, Copy)]
struct Frame {
    kind: Kind,
    /// Whether control cannot come to the next operator.
    unreachable: bool,
    /// Operands below belong to the constructs around it.
    height: usize,
    sig: Sig,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `block`, `else`, the function.
    Block,
    Loop,
    If,
}

/// Most locals of a function, which is wasmparser's limit.
const MAX_LOCALS: usize = 50_000;
/// Operators whose immediate is the index of a memory, where there is one.
const MEMORY_0: u8 = 0;

impl QuickCheck {
    /// Whether `body`, one of those of `module`, was found valid. If not, it may still be.
    pub fn accepts(&mut self, module: &Module, body: &Body<'_>, watch: &mut impl Watch) -> bool {
        self.check(module, body, watch).is_some()
    }

    /// `None` for what is not accepted.
    fn check(&mut self, module: &Module, body: &Body<'_>, watch: &mut impl Watch) -> Option<()> {
        let facts = module.facts.as_ref()?;
        let sig = facts.sig(module.funcs.get(body.func.at())?.ty)?;
        let mut code = Bytes { code: body.code.as_bytes(), at: 0 };
        self.locals.clear();
        self.locals.extend_from_slice(facts.params(sig));
        for _ in 0..code.number()? {
            let (count, ty) = (code.number()? as usize, code.byte()?);
            let total = self.locals.len().checked_add(count)?;
            // Not many more than the body has bytes, so that bodies cannot cost more than they are long.
            if total > MAX_LOCALS || total > 256 + code.code.len() || !is_type(ty) {
                return None;
            }
            self.locals.resize(total, ty);
        }
        watch.begins(self.locals.len());
        self.operands.clear();
        self.around.clear();
        let frame = Frame { kind: Kind::Block, unreachable: false, height: 0, sig: sig.without_params() };
        let Self { locals, operands, around } = self;
        Operators { facts, module, code, watch, locals, operands, around, frame }.check()
    }
}

/// A body whose operators are being checked.
struct Operators<'b, W> {
    facts: &'b Facts,
    module: &'b Module,
    code: Bytes<'b>,
    watch: &'b mut W,
    /// By local: its type.
    locals: &'b [u8],
    /// The types of the operands.
    operands: &'b mut Vec<u8>,
    /// The constructs around the innermost one.
    around: &'b mut Vec<Frame>,
    /// The innermost open construct.
    frame: Frame,
}

impl<'b, W: Watch> Operators<'b, W> {
    fn check(mut self) -> Option<()> {
        loop {
            let opcode = self.code.byte()?;
            match opcode {
                // unreachable
                0x00 => self.cut(),
                // nop
                0x01 => {}
                // block, loop, if
                0x02..=0x04 => self.begin(opcode)?,
                // else
                0x05 => {
                    if self.frame.kind != Kind::If {
                        return None;
                    }
                    self.take_results()?;
                    self.frame = Frame { kind: Kind::Block, unreachable: false, ..self.frame };
                    self.operands.extend_from_slice(self.facts.params(self.frame.sig));
                }
                // end
                0x0b => {
                    self.take_results()?;
                    let Frame { kind, sig, .. } = self.frame;
                    match kind {
                        // Without `else`, what comes in goes out.
                        Kind::If if self.facts.params(sig) != self.facts.results(sig) => return None,
                        Kind::Loop => self.watch.loop_ends(),
                        Kind::If | Kind::Block => {}
                    }
                    match self.around.pop() {
                        Some(around) => self.frame = around,
                        // The end of the body, behind which there is nothing.
                        None => return self.code.is_empty().then_some(()),
                    }
                    self.operands.extend_from_slice(self.facts.results(sig));
                }
                // br
                0x0c => {
                    let types = self.label()?;
                    self.pop_all(types)?;
                    self.cut();
                }
                // br_if
                0x0d => {
                    let types = self.label()?;
                    self.pop(facts::I32)?;
                    self.pop_all(types)?;
                    self.operands.extend_from_slice(types);
                }
                // br_table
                0x0e => {
                    let count = self.code.number()?;
                    if count > MAX_BR_TABLE_TARGETS {
                        return None;
                    }
                    let types = self.label()?;
                    for _ in 0..count {
                        if self.label()? != types {
                            return None;
                        }
                    }
                    self.pop(facts::I32)?;
                    self.pop_all(types)?;
                    self.cut();
                }
                // return
                0x0f => {
                    let function = self.around.first().unwrap_or(&self.frame);
                    self.pop_all(self.facts.results(function.sig))?;
                    self.cut();
                }
                // call
                0x10 => {
                    let func = self.code.number()?;
                    let ty = self.module.funcs.get(func as usize)?.ty;
                    self.call(self.facts.sig(ty)?)?;
                    self.watch.calls();
                }
                // call_indirect
                0x11 => {
                    let ty = self.code.number()?;
                    let table = self.code.number()?;
                    if !self.facts.is_of_funcs(table) {
                        return None;
                    }
                    self.pop(facts::I32)?;
                    self.call(self.facts.sig(tenure_types::TypeIdx(ty))?)?;
                    self.watch.calls_indirectly();
                }
                // drop
                0x1a => {
                    self.pop_any()?;
                }
                // select
                0x1b => {
                    self.pop(facts::I32)?;
                    let ty = match (self.pop_any()?, self.pop_any()?) {
                        (Some(one), Some(other)) if one == other => one,
                        (Some(known), None) | (None, Some(known)) => known,
                        _ => return None,
                    };
                    self.operands.push(ty);
                }
                // select with a type
                0x1c => {
                    let (count, ty) = (self.code.byte()?, self.code.byte()?);
                    if count != 1 || !is_type(ty) {
                        return None;
                    }
                    self.pop_all(&[ty, ty, facts::I32])?;
                    self.operands.push(ty);
                }
                // local.get
                0x20 => {
                    let local = self.code.number()?;
                    self.operands.push(*self.locals.get(local as usize)?);
                    self.watch.gets_local(local);
                }
                // local.set
                0x21 => {
                    let local = self.code.number()?;
                    self.pop(*self.locals.get(local as usize)?)?;
                    self.watch.sets_local(local);
                }
                // local.tee
                0x22 => {
                    let local = self.code.number()?;
                    let ty = *self.locals.get(local as usize)?;
                    self.pop(ty)?;
                    self.operands.push(ty);
                    self.watch.tees_local(local);
                }
                // global.get
                0x23 => {
                    let global = self.code.number()?;
                    self.operands.push(self.facts.global(global)?.0);
                    self.watch.reads_record();
                }
                // global.set
                0x24 => {
                    let global = self.code.number()?;
                    let (ty, true) = self.facts.global(global)? else { return None };
                    self.pop(ty)?;
                    self.watch.reads_record();
                }
                // Loads.
                0x28..=0x35 => {
                    let (align, ty) = MEMORY[usize::from(opcode - 0x28)];
                    self.access(align)?;
                    self.pop(self.facts.memory?)?;
                    self.operands.push(ty);
                }
                // Stores.
                0x36..=0x3e => {
                    let (align, ty) = MEMORY[usize::from(opcode - 0x28)];
                    self.access(align)?;
                    self.pop_all(&[self.facts.memory?, ty])?;
                }
                // memory.size
                0x3f => {
                    self.memory_0()?;
                    self.operands.push(self.facts.memory?);
                    self.watch.reads_record();
                }
                // memory.grow
                0x40 => {
                    self.memory_0()?;
                    let ty = self.facts.memory?;
                    self.pop(ty)?;
                    self.operands.push(ty);
                    self.watch.calls_builtin();
                }
                // i32.const
                0x41 => {
                    self.code.skip_i32()?;
                    self.operands.push(facts::I32);
                }
                // i64.const
                0x42 => {
                    self.code.skip_i64()?;
                    self.operands.push(facts::I64);
                }
                // f32.const
                0x43 => {
                    self.code.skip(4)?;
                    self.operands.push(facts::F32);
                }
                // f64.const
                0x44 => {
                    self.code.skip(8)?;
                    self.operands.push(facts::F64);
                }
                0x45..=0xc4 => self.plain(PLAIN[usize::from(opcode - 0x45)])?,
                0xfc => self.misc()?,
                0xfd => self.vector()?,
                _ => return None,
            }
        }
    }

    /// Pops an operand of type `ty`.
    #[inline(always)]
    fn pop(&mut self, ty: u8) -> Option<()> {
        if self.operands.len() > self.frame.height {
            return (self.operands.pop()? == ty).then_some(());
        }
        // Where control cannot come, operands that are not there are of any type.
        self.frame.unreachable.then_some(())
    }

    /// Pops an operand. Of one that is not there, because control cannot come here, the type is not known.
    #[inline]
    fn pop_any(&mut self) -> Option<Option<u8>> {
        if self.operands.len() > self.frame.height {
            return Some(self.operands.pop());
        }
        self.frame.unreachable.then_some(None)
    }

    /// Pops operands of types `types`, the last first.
    #[inline]
    fn pop_all(&mut self, types: &[u8]) -> Option<()> {
        for &ty in types.iter().rev() {
            self.pop(ty)?;
        }
        Some(())
    }

    /// What one without immediates does.
    #[inline(always)]
    fn plain(&mut self, plain: Plain) -> Option<()> {
        let (from, to) = (plain.takes, plain.gives);
        if plain.is_binary {
            self.pop(from)?;
        }
        self.pop(from)?;
        self.operands.push(to);
        Some(())
    }

    /// Control does not come to what follows in this construct.
    fn cut(&mut self) {
        self.operands.truncate(self.frame.height);
        self.frame.unreachable = true;
    }

    /// Ends the operands of the innermost construct: there are its results and no more.
    #[inline]
    fn take_results(&mut self) -> Option<()> {
        self.pop_all(self.facts.results(self.frame.sig))?;
        (self.operands.len() == self.frame.height).then_some(())
    }

    /// Begins a construct.
    fn begin(&mut self, opcode: u8) -> Option<()> {
        let first = self.code.byte()?;
        let sig = if first == 0x40 {
            Sig::EMPTY
        } else if is_type(first) {
            Sig::one(first)
        } else {
            // A type's index is a signed number, of which one or two bytes are read here.
            let index = match (first, self.code.peek()) {
                (..0x40, _) => u32::from(first),
                (0x80.., Some(second @ ..0x40)) => {
                    self.code.skip(1)?;
                    u32::from(first & 0x7f) | u32::from(second) << 7
                }
                _ => return None,
            };
            self.facts.sig(tenure_types::TypeIdx(index))?
        };
        let kind = match opcode {
            0x02 => Kind::Block,
            0x03 => Kind::Loop,
            _ => {
                self.pop(facts::I32)?;
                Kind::If
            }
        };
        let params = self.facts.params(sig);
        self.pop_all(params)?;
        self.around.push(self.frame);
        self.frame = Frame { kind, unreachable: false, height: self.operands.len(), sig };
        self.operands.extend_from_slice(params);
        if kind == Kind::Loop {
            self.watch.loop_begins();
        }
        Some(())
    }

    /// Reads the index of a label: the types of the operands that a branch there takes.
    #[inline]
    fn label(&mut self) -> Option<&'b [u8]> {
        let depth = self.code.number()? as usize;
        let Frame { kind, sig, .. } = match depth {
            0 => self.frame,
            _ => *self.around.get(self.around.len().checked_sub(depth)?)?,
        };
        let facts = self.facts;
        Some(if kind == Kind::Loop { facts.params(sig) } else { facts.results(sig) })
    }

    #[inline]
    fn call(&mut self, sig: Sig) -> Option<()> {
        self.pop_all(self.facts.params(sig))?;
        self.operands.extend_from_slice(self.facts.results(sig));
        Some(())
    }

    /// Reads where in memory 0 a load or store goes, which is aligned to at most `2^align` bytes.
    #[inline(always)]
    fn access(&mut self, align: u8) -> Option<()> {
        if self.code.byte()? > align {
            return None;
        }
        // Of memories with 64-bit addresses too, larger offsets than 32 bits are not accepted.
        self.code.number()?;
        self.watch.accesses_memory();
        Some(())
    }

    /// Reads the index of the first memory.
    fn memory_0(&mut self) -> Option<()> {
        (self.code.byte()? == MEMORY_0).then_some(())
    }

    /// Operators behind the prefix 0xfc.
    fn misc(&mut self) -> Option<()> {
        let operator = self.code.byte()?;
        if let Some(&plain) = operators::TRUNCATIONS.get(usize::from(operator)) {
            return self.plain(plain);
        }
        // All that is known of `memory` here is the type of addresses, and that of lengths may be another.
        let ty = self.facts.memory.filter(|&ty| ty == facts::I32)?;
        match operator {
            // memory.init
            8 => {
                let data = self.code.number()?;
                self.memory_0()?;
                if data >= self.facts.datas {
                    return None;
                }
            }
            // memory.copy
            10 => {
                self.memory_0()?;
                self.memory_0()?;
            }
            // memory.fill
            11 => self.memory_0()?,
            _ => return None,
        }
        self.pop_all(&[ty, ty, ty])?;
        self.watch.calls_builtin();
        Some(())
    }

    /// Operators behind the prefix 0xfd.
    fn vector(&mut self) -> Option<()> {
        let operator = self.code.number()?;
        self.watch.has_vectors();
        match *VECTOR.get(operator as usize)? {
            Vector::None => return None,
            Vector::Plain(plain) => return self.plain(plain),
            Vector::Load(align) => {
                self.access(align)?;
                self.pop(self.facts.memory?)?;
                self.operands.push(V128);
            }
            Vector::Store(align) => {
                self.access(align)?;
                self.pop_all(&[self.facts.memory?, V128])?;
            }
            Vector::LoadLane(align) => {
                self.access(align)?;
                self.lane(16 >> align)?;
                self.pop_all(&[self.facts.memory?, V128])?;
                self.operands.push(V128);
            }
            Vector::StoreLane(align) => {
                self.access(align)?;
                self.lane(16 >> align)?;
                self.pop_all(&[self.facts.memory?, V128])?;
            }
            Vector::Const => {
                self.code.skip(16)?;
                self.operands.push(V128);
            }
            Vector::Shuffle => {
                for _ in 0..16 {
                    self.lane(32)?;
                }
                self.pop_all(&[V128, V128])?;
                self.operands.push(V128);
            }
            Vector::Extract(lanes, ty) => {
                self.lane(lanes)?;
                self.pop(V128)?;
                self.operands.push(ty);
            }
            Vector::Replace(lanes, ty) => {
                self.lane(lanes)?;
                self.pop_all(&[V128, ty])?;
                self.operands.push(V128);
            }
            Vector::Shift => {
                self.pop_all(&[V128, facts::I32])?;
                self.operands.push(V128);
            }
            Vector::Select => {
                self.pop_all(&[V128, V128, V128])?;
                self.operands.push(V128);
            }
        }
        Some(())
    }

    /// Reads the number of one of `lanes` lanes.
    fn lane(&mut self, lanes: u8) -> Option<()> {
        (self.code.byte()? < lanes).then_some(())
    }
}
