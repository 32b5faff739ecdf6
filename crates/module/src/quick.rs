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
//! Start at [`QuickCheck::accepts`]. What else has to be known of a body comes out of the same pass, as a [`Summary`].

mod facts;
mod operators;
#[cfg(test)]
mod tests;

pub(crate) use facts::Facts;

use crate::body::{Body, MAX_BR_TABLE_TARGETS};
use crate::bytes::Bytes;
use crate::module::Module;
use crate::summary::Summary;
use facts::{Sig, V128, is_type};
use operators::{MEMORY, PLAIN, Plain, VECTOR, Vector};

/// Patterns of neighbouring opcodes, written out: ranges would become comparisons, one after the other, and not one jump.
#[rustfmt::skip]
macro_rules! opcodes {
    (loads) => {
        0x28 | 0x29 | 0x2a | 0x2b | 0x2c | 0x2d | 0x2e | 0x2f | 0x30 | 0x31 | 0x32 | 0x33 | 0x34 | 0x35
    };
    (stores) => {
        0x36 | 0x37 | 0x38 | 0x39 | 0x3a | 0x3b | 0x3c | 0x3d | 0x3e
    };
    (plain) => {
        0x45 | 0x46 | 0x47 | 0x48 | 0x49 | 0x4a | 0x4b | 0x4c | 0x4d | 0x4e | 0x4f | 0x50 | 0x51 | 0x52 | 0x53 | 0x54
        | 0x55 | 0x56 | 0x57 | 0x58 | 0x59 | 0x5a | 0x5b | 0x5c | 0x5d | 0x5e | 0x5f | 0x60 | 0x61 | 0x62 | 0x63 | 0x64
        | 0x65 | 0x66 | 0x67 | 0x68 | 0x69 | 0x6a | 0x6b | 0x6c | 0x6d | 0x6e | 0x6f | 0x70 | 0x71 | 0x72 | 0x73 | 0x74
        | 0x75 | 0x76 | 0x77 | 0x78 | 0x79 | 0x7a | 0x7b | 0x7c | 0x7d | 0x7e | 0x7f | 0x80 | 0x81 | 0x82 | 0x83 | 0x84
        | 0x85 | 0x86 | 0x87 | 0x88 | 0x89 | 0x8a | 0x8b | 0x8c | 0x8d | 0x8e | 0x8f | 0x90 | 0x91 | 0x92 | 0x93 | 0x94
        | 0x95 | 0x96 | 0x97 | 0x98 | 0x99 | 0x9a | 0x9b | 0x9c | 0x9d | 0x9e | 0x9f | 0xa0 | 0xa1 | 0xa2 | 0xa3 | 0xa4
        | 0xa5 | 0xa6 | 0xa7 | 0xa8 | 0xa9 | 0xaa | 0xab | 0xac | 0xad | 0xae | 0xaf | 0xb0 | 0xb1 | 0xb2 | 0xb3 | 0xb4
        | 0xb5 | 0xb6 | 0xb7 | 0xb8 | 0xb9 | 0xba | 0xbb | 0xbc | 0xbd | 0xbe | 0xbf | 0xc0 | 0xc1 | 0xc2 | 0xc3 | 0xc4
    };
}

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
pub(crate) const MAX_LOCALS: usize = 50_000;
/// Operators whose immediate is the index of a memory, where there is one.
const MEMORY_0: u8 = 0;

impl QuickCheck {
    /// Whether `body`, one of those of `module`, was found valid. If not, it may still be. `summary` becomes its summary
    /// in any case: of a body that is not accepted, by looking over it.
    pub fn accepts(&mut self, module: &Module, body: &Body<'_>, summary: &mut Summary) -> bool {
        let is_accepted = self.check(module, body, summary).is_some();
        if !is_accepted {
            summary.look_over(&body.code);
        }
        is_accepted
    }

    /// `None` for what is not accepted.
    fn check(&mut self, module: &Module, body: &Body<'_>, summary: &mut Summary) -> Option<()> {
        let facts = module.facts.as_ref()?;
        let sig = facts.sig(module.funcs.get(body.func.at())?.ty)?;
        let mut code = Bytes(body.code.as_bytes());
        self.locals.clear();
        self.locals.extend_from_slice(facts.params(sig));
        for _ in 0..code.number()? {
            let (count, ty) = (code.number()? as usize, code.byte()?);
            let total = self.locals.len().checked_add(count)?;
            // Not many more than the body has bytes, so that bodies cannot cost more than they are long.
            if total > MAX_LOCALS || total > 256 + body.len() || !is_type(ty) {
                return None;
            }
            self.locals.resize(total, ty);
        }
        summary.begins(self.locals.len());
        self.operands.clear();
        self.around.clear();
        let frame = Frame { kind: Kind::Block, unreachable: false, height: 0, sig: sig.without_params() };
        let Self { locals, operands, around } = self;
        Operators { facts, module, summary, locals, operands, around, frame }.check(code)
    }
}

/// A body whose operators are being checked.
struct Operators<'b> {
    facts: &'b Facts,
    module: &'b Module,
    summary: &'b mut Summary,
    /// By local: its type.
    locals: &'b [u8],
    /// The types of the operands.
    operands: &'b mut Vec<u8>,
    /// The constructs around the innermost one.
    around: &'b mut Vec<Frame>,
    /// The innermost open construct.
    frame: Frame,
}

impl<'b> Operators<'b> {
    #[expect(clippy::manual_range_patterns, reason = "one jump to each operator: see `opcodes`")]
    fn check(mut self, mut code: Bytes<'b>) -> Option<()> {
        loop {
            let opcode = code.byte()?;
            match opcode {
                // unreachable
                0x00 => self.cut(),
                // nop
                0x01 => {}
                // block, loop, if
                0x02 | 0x03 | 0x04 => code = self.begin(opcode, code)?,
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
                        Kind::Loop => self.summary.loop_ends(),
                        Kind::If | Kind::Block => {}
                    }
                    match self.around.pop() {
                        Some(around) => self.frame = around,
                        // The end of the body, behind which there is nothing.
                        None => {
                            self.summary.ends();
                            return code.is_empty().then_some(());
                        }
                    }
                    self.operands.extend_from_slice(self.facts.results(sig));
                }
                // br
                0x0c => {
                    let types = self.label(code.number()?)?;
                    self.pop_all(types)?;
                    self.cut();
                }
                // br_if
                0x0d => {
                    let types = self.label(code.number()?)?;
                    self.pop(facts::I32)?;
                    self.pop_all(types)?;
                    self.operands.extend_from_slice(types);
                }
                // br_table
                0x0e => {
                    let count = code.number()?;
                    if count > MAX_BR_TABLE_TARGETS {
                        return None;
                    }
                    let types = self.label(code.number()?)?;
                    for _ in 0..count {
                        if self.label(code.number()?)? != types {
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
                    let func = code.number()?;
                    let ty = self.module.funcs.get(func as usize)?.ty;
                    self.call(self.facts.sig(ty)?)?;
                    self.summary.calls(1);
                }
                // call_indirect
                0x11 => {
                    let ty = code.number()?;
                    let table = code.number()?;
                    if !self.facts.is_of_funcs(table) {
                        return None;
                    }
                    self.pop(facts::I32)?;
                    self.call(self.facts.sig(tenure_types::TypeIdx(ty))?)?;
                    self.summary.calls(2);
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
                    let (count, ty) = (code.byte()?, code.byte()?);
                    if count != 1 || !is_type(ty) {
                        return None;
                    }
                    self.pop_all(&[ty, ty, facts::I32])?;
                    self.operands.push(ty);
                }
                // local.get
                0x20 => {
                    let local = code.number()?;
                    self.operands.push(*self.locals.get(local as usize)?);
                    self.summary.uses_local(local, 1, false);
                }
                // local.set
                0x21 => {
                    let local = code.number()?;
                    self.pop(*self.locals.get(local as usize)?)?;
                    self.summary.uses_local(local, 2, true);
                }
                // local.tee
                0x22 => {
                    let local = code.number()?;
                    let ty = *self.locals.get(local as usize)?;
                    self.turn(ty, ty)?;
                    self.summary.uses_local(local, 3, true);
                }
                // global.get
                0x23 => {
                    let global = code.number()?;
                    self.operands.push(self.facts.global(global)?.0);
                    self.summary.reads_record();
                }
                // global.set
                0x24 => {
                    let global = code.number()?;
                    let (ty, true) = self.facts.global(global)? else { return None };
                    self.pop(ty)?;
                    self.summary.reads_record();
                }
                // Loads.
                opcodes!(loads) => {
                    let (align, ty) = MEMORY[usize::from(opcode - 0x28)];
                    self.access(align, &mut code)?;
                    self.turn(self.facts.memory?, ty)?;
                }
                // Stores.
                opcodes!(stores) => {
                    let (align, ty) = MEMORY[usize::from(opcode - 0x28)];
                    self.access(align, &mut code)?;
                    self.pop(ty)?;
                    self.pop(self.facts.memory?)?;
                }
                // memory.size
                0x3f => {
                    memory_0(&mut code)?;
                    self.operands.push(self.facts.memory?);
                    self.summary.reads_record();
                }
                // memory.grow
                0x40 => {
                    memory_0(&mut code)?;
                    let ty = self.facts.memory?;
                    self.pop(ty)?;
                    self.operands.push(ty);
                    self.summary.calls_builtin();
                }
                // i32.const
                0x41 => {
                    code.skip_i32()?;
                    self.operands.push(facts::I32);
                }
                // i64.const
                0x42 => {
                    code.skip_i64()?;
                    self.operands.push(facts::I64);
                }
                // f32.const
                0x43 => {
                    code.skip(4)?;
                    self.operands.push(facts::F32);
                }
                // f64.const
                0x44 => {
                    code.skip(8)?;
                    self.operands.push(facts::F64);
                }
                opcodes!(plain) => self.plain(PLAIN[usize::from(opcode - 0x45)])?,
                0xfc => code = self.misc(code)?,
                0xfd => code = self.vector(code)?,
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
        self.turn(from, to)
    }

    /// Turns an operand of type `from` into one of type `to`.
    #[inline(always)]
    fn turn(&mut self, from: u8, to: u8) -> Option<()> {
        if self.operands.len() > self.frame.height
            && let Some(top) = self.operands.last_mut()
        {
            let was = std::mem::replace(top, to);
            return (was == from).then_some(());
        }
        self.operands.push(to);
        self.frame.unreachable.then_some(())
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

    /// Begins a construct; what is left behind its type.
    fn begin(&mut self, opcode: u8, mut code: Bytes<'b>) -> Option<Bytes<'b>> {
        let first = code.byte()?;
        let sig = if first == 0x40 {
            Sig::EMPTY
        } else if is_type(first) {
            Sig::one(first)
        } else {
            // A type's index is a signed number, of which one or two bytes are read here.
            let index = match (first, code.peek()) {
                (..0x40, _) => u32::from(first),
                (0x80.., Some(second @ ..0x40)) => {
                    code.skip(1)?;
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
            self.summary.loop_begins();
        }
        Some(code)
    }

    /// The types of the operands that a branch to the label at `depth` takes.
    #[inline]
    fn label(&self, depth: u32) -> Option<&'b [u8]> {
        let Frame { kind, sig, .. } = match depth as usize {
            0 => self.frame,
            depth => *self.around.get(self.around.len().checked_sub(depth)?)?,
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
    fn access(&mut self, align: u8, code: &mut Bytes<'_>) -> Option<()> {
        if code.byte()? > align {
            return None;
        }
        // Of memories with 64-bit addresses too, larger offsets than 32 bits are not accepted.
        code.number()?;
        self.summary.accesses_memory();
        Some(())
    }

    /// Operators behind the prefix 0xfc.
    fn misc(&mut self, mut code: Bytes<'b>) -> Option<Bytes<'b>> {
        let operator = code.byte()?;
        if let Some(&plain) = operators::TRUNCATIONS.get(usize::from(operator)) {
            self.plain(plain)?;
            return Some(code);
        }
        // All that is known of `memory` here is the type of addresses, and that of lengths may be another.
        let ty = self.facts.memory.filter(|&ty| ty == facts::I32)?;
        match operator {
            // memory.init
            8 => {
                let data = code.number()?;
                memory_0(&mut code)?;
                if data >= self.facts.datas {
                    return None;
                }
            }
            // memory.copy
            10 => {
                memory_0(&mut code)?;
                memory_0(&mut code)?;
            }
            // memory.fill
            11 => memory_0(&mut code)?,
            _ => return None,
        }
        self.pop_all(&[ty, ty, ty])?;
        self.summary.calls_builtin();
        Some(code)
    }

    /// Operators behind the prefix 0xfd.
    fn vector(&mut self, mut code: Bytes<'b>) -> Option<Bytes<'b>> {
        let operator = code.number()?;
        self.summary.has_vectors();
        match *VECTOR.get(operator as usize)? {
            Vector::None => return None,
            Vector::Plain(plain) => self.plain(plain)?,
            Vector::Load(align) => {
                self.access(align, &mut code)?;
                self.pop(self.facts.memory?)?;
                self.operands.push(V128);
            }
            Vector::Store(align) => {
                self.access(align, &mut code)?;
                self.pop_all(&[self.facts.memory?, V128])?;
            }
            Vector::LoadLane(align) => {
                self.access(align, &mut code)?;
                lane(&mut code, 16 >> align)?;
                self.pop_all(&[self.facts.memory?, V128])?;
                self.operands.push(V128);
            }
            Vector::StoreLane(align) => {
                self.access(align, &mut code)?;
                lane(&mut code, 16 >> align)?;
                self.pop_all(&[self.facts.memory?, V128])?;
            }
            Vector::Const => {
                code.skip(16)?;
                self.operands.push(V128);
            }
            Vector::Shuffle => {
                for _ in 0..16 {
                    lane(&mut code, 32)?;
                }
                self.pop_all(&[V128, V128])?;
                self.operands.push(V128);
            }
            Vector::Extract(lanes, ty) => {
                lane(&mut code, lanes)?;
                self.pop(V128)?;
                self.operands.push(ty);
            }
            Vector::Replace(lanes, ty) => {
                lane(&mut code, lanes)?;
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
        Some(code)
    }
}

/// Reads the index of the first memory.
#[inline(always)]
fn memory_0(code: &mut Bytes<'_>) -> Option<()> {
    (code.byte()? == MEMORY_0).then_some(())
}

/// Reads the number of one of `lanes` lanes.
#[inline(always)]
fn lane(code: &mut Bytes<'_>, lanes: u8) -> Option<()> {
    (code.byte()? < lanes).then_some(())
}
