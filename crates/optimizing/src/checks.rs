//! What is known of accesses to memories that code checks itself, so that fewer checks do.
//!
//! - *Extents.* A memory never shrinks. Once an index was checked up to some end, every access by it up to there is
//!   inside, in all code that can only be come to by way of that check. That is kept as structured control flow goes:
//!
//! ```text
//! check a                 a
//! if   check b            a, b
//! else …                  a
//! end                     a
//! block … br_if 0; check c   a, c
//! end                     a          (the branch did not pass the check of c)
//! ```
//! - *Room.* Where an index is checked further than before, as fields of a structure are, all its checks compare the
//!   difference of size and index with a constant. That takes one register for all of them, and can stand in front of a
//!   loop.
//! - *Ranges.* An index that cannot be large, because of a mask, say, is inside of the smallest that the memory is.
//! - *Calm loops.* Where nothing is called and nothing grows, a memory stays where it is and as large as it is: base and
//!   size are read in front of the loop.

use crate::abi::PTR;
use crate::translate::Translator;
use cranelift_codegen::ir::{DataFlowGraph, Inst, InstructionData, Opcode, Value, types};
use cranelift_frontend::Variable;
use std::collections::HashMap;
use tenure_code::CompileUnit;
use tenure_module::Body;
use tenure_types::MemIdx;
use wasmparser::Operator;

/// Up to where indices were checked, on every path that leads here.
#[derive(Default)]
pub(crate) struct Extents {
    known: HashMap<(MemIdx, Value), Extent>,
    /// What `known` said before, oldest first.
    log: Vec<(MemIdx, Value, Option<Extent>)>,
    /// How often sizes may have changed, in the order of the code.
    changes: u32,
}

/// What is known of an index.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Bytes from the index on that are known to be there.
    pub end: u64,
    /// What a further check may use.
    pub room: Option<Room>,
}

/// What several checks of one index share: how many bytes there are behind it.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    /// The comparison of the first check.
    pub first: Inst,
    /// Up to where that asked.
    pub end: u64,
    /// The index, of 64 bits.
    pub index: Value,
    /// The memory's size.
    pub bytes: Value,
    /// The difference, once there is a second check.
    pub left: Option<Value>,
    /// How often sizes had changed: [`Extents::changes`].
    pub changes: u32,
}

/// Which extents a construct leaves behind: a part of [`Extents`] at its end.
#[derive(Clone, Copy)]
pub(crate) struct Scope {
    /// How many there were where the construct begins.
    start: usize,
    /// How many, of those from before and from inside, still hold behind its end.
    kept: usize,
}

impl Scope {
    const ALL: usize = usize::MAX;

    /// From a place in this construct, where so many extents hold, something branches to its end.
    pub(crate) fn branch(&mut self, here: usize) {
        self.kept = self.kept.min(here);
    }

    /// How many held where the construct begins.
    pub(crate) fn start(self) -> usize {
        self.start
    }

    /// Everything from before was forgotten.
    pub(crate) fn forget(&mut self) {
        self.start = 0;
        if self.kept != Self::ALL {
            self.kept = 0;
        }
    }
}

impl Extents {
    /// Whether `end` bytes from `index` on are known to be there.
    pub(crate) fn cover(&self, mem: MemIdx, index: Value, end: u64) -> bool {
        self.known.get(&(mem, index)).is_some_and(|known| end <= known.end)
    }

    /// What a further check of `index` may use, as far as sizes are still the same.
    pub(crate) fn room(&self, mem: MemIdx, index: Value) -> Option<Room> {
        self.known.get(&(mem, index))?.room.filter(|room| room.changes == self.changes)
    }

    /// Notes what is known of `index`.
    pub(crate) fn note(&mut self, mem: MemIdx, index: Value, extent: Extent) {
        let before = self.known.insert((mem, index), extent);
        self.log.push((mem, index, before));
    }

    /// Code follows before which memories may have grown.
    pub(crate) fn sizes_change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// How often sizes may have changed.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// How many hold here.
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    /// A construct begins that nothing has branched out of yet.
    pub(crate) fn scope(&self) -> Scope {
        Scope { start: self.len(), kept: Scope::ALL }
    }

    /// A construct begins that has two ways through.
    pub(crate) fn scope_of_arms(&self) -> Scope {
        Scope { start: self.len(), kept: self.len() }
    }

    /// The second arm begins.
    pub(crate) fn second_arm(&mut self, scope: Scope) {
        self.undo(scope.start);
    }

    /// A construct ends.
    pub(crate) fn close(&mut self, scope: Scope) {
        self.undo(scope.kept);
    }

    /// Something comes here that passed nothing of all before.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.log.clear();
    }

    fn undo(&mut self, to: usize) {
        while self.log.len() > to
            && let Some((mem, index, before)) = self.log.pop()
        {
            match before {
                Some(extent) => self.known.insert((mem, index), extent),
                None => self.known.remove(&(mem, index)),
            };
        }
    }
}

/// The most that `value`, an `i32` or `i64`, can be, as an unsigned number.
pub(crate) fn most(dfg: &DataFlowGraph, value: Value, depth: u32) -> u64 {
    let widest = match dfg.value_type(value) {
        types::I32 => u32::MAX.into(),
        types::I64 => u64::MAX,
        _ => return u64::MAX,
    };
    let known = depth.checked_sub(1).and_then(|depth| {
        let inst = dfg.value_def(value).inst()?;
        let most = |value| most(dfg, value, depth);
        Some(match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits().cast_unsigned() & widest,
            InstructionData::Unary { opcode: Opcode::Uextend, arg } => most(arg),
            InstructionData::Load { opcode: Opcode::Uload8, .. } => u8::MAX.into(),
            InstructionData::Load { opcode: Opcode::Uload16, .. } => u16::MAX.into(),
            InstructionData::Binary { opcode, args: [first, second] } => match opcode {
                Opcode::Band => most(first).min(most(second)),
                Opcode::Iadd => most(first).checked_add(most(second))?,
                Opcode::Ishl => most(first).checked_mul(1 << amount(dfg, second, widest)?)?,
                Opcode::Ushr => most(first) >> amount(dfg, second, widest)?,
                _ => return None,
            },
            _ => return None,
        })
    });
    // What wraps is less than what it would have been.
    known.unwrap_or(widest).min(widest)
}

/// How far a shift by `value` goes, if that is known.
fn amount(dfg: &DataFlowGraph, value: Value, widest: u64) -> Option<u32> {
    let inst = dfg.value_def(value).inst()?;
    let InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } = dfg.insts[inst] else { return None };
    Some(imm.bits() as u32 & widest.count_ones().wrapping_sub(1))
}

/// Loops in which nothing is called and nothing grows, and which access memory: where they begin, in order, as offsets
/// in the module.
#[derive(Default)]
pub(crate) struct CalmLoops(Vec<u64>);

impl CalmLoops {
    /// Finds them, if it matters to the function.
    pub(crate) fn find(unit: CompileUnit<'_>, body: &Body<'_>) -> Self {
        // Where epochs are watched a callback may run in any loop, and do anything.
        let is_checked = |ty| unit.tunables.faulting_end(ty) == 0;
        let matters = !unit.tunables.epochs && unit.module.mems.first().is_some_and(is_checked);
        let Some(mut operators) = body.code.get_operators_reader().ok().filter(|_| matters) else {
            return Self::default();
        };
        let mut found = Vec::new();
        // By open construct: where it begins if it is a loop, whether it is calm, whether it accesses memory.
        let mut open: Vec<(Option<u64>, bool, bool)> = Vec::new();
        while let Ok((op, offset)) = operators.read_with_offset() {
            match op {
                Operator::Loop { .. } => open.push((Some(offset), true, false)),
                Operator::Block { .. } | Operator::If { .. } => open.push((None, true, false)),
                Operator::End => {
                    let Some((start, is_calm, accesses)) = open.pop() else { break };
                    if let Some(around) = open.last_mut() {
                        around.1 &= is_calm;
                        around.2 |= accesses;
                    }
                    found.extend(start.filter(|_| is_calm && accesses));
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. }
                | Operator::MemoryGrow { .. }
                | Operator::TableGrow { .. } => {
                    if let Some(around) = open.last_mut() {
                        around.1 = false;
                    }
                }
                _ => {
                    let first = usize::try_from(offset).ok().and_then(|at| unit.module.bytes.get(at));
                    // Loads and stores, bulk operators, vectors.
                    if let (Some(0x28..=0x3e | 0xfc | 0xfd), Some(around)) = (first, open.last_mut()) {
                        around.2 = true;
                    }
                }
            }
        }
        found.sort_unstable();
        Self(found)
    }

    fn has(&self, offset: u64) -> bool {
        self.0.binary_search(&offset).is_ok()
    }
}

/// Memory 0 in the calm loop that code is in.
#[derive(Clone, Copy)]
pub(crate) struct Calm {
    /// How many constructs are open around the loop.
    around: usize,
    pub base: Variable,
    pub bytes: Variable,
}

impl Translator<'_> {
    /// In front of a loop: reads what stays the same in it.
    pub(crate) fn before_loop(&mut self) {
        if self.calm.is_some() || !self.calm_loops.has(self.offset) {
            return;
        }
        let (base, bytes) = (self.builder.declare_var(PTR), self.builder.declare_var(types::I64));
        let calm = Calm { around: self.frames.len(), base, bytes };
        self.read_memory(calm);
        self.calm = Some(calm);
    }

    /// Reads base and size of memory 0 for a calm loop that begins or is entered.
    pub(crate) fn read_memory(&mut self, calm: Calm) {
        self.calm = None;
        let (base, bytes) = (self.mem_base(MemIdx(0)), self.mem_bytes(MemIdx(0)));
        self.builder.def_var(calm.base, base);
        self.builder.def_var(calm.bytes, bytes);
        self.calm = Some(calm);
    }

    /// Takes note that only `left` constructs are open.
    pub(crate) fn leave_calm(&mut self, left: usize) {
        self.calm = self.calm.filter(|calm| calm.around < left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(end: u64) -> Extent {
        Extent { end, room: None }
    }

    /// Does what `steps` say and tells which indices are covered at the end: a digit notes that index, `(` and `[`
    /// open a construct, `]` begins the second arm, `)` closes, a letter branches to the construct so many further out.
    fn covered(steps: &str) -> String {
        let mut extents = Extents::default();
        let mut scopes: Vec<Scope> = Vec::new();
        for step in steps.bytes() {
            match step {
                b'0'..=b'9' => {
                    extents.note(MemIdx(0), Value::from_u32((step - b'0').into()), extent(8));
                }
                b'(' => scopes.push(extents.scope()),
                b'[' => scopes.push(extents.scope_of_arms()),
                b']' => extents.second_arm(*scopes.last().unwrap()),
                b')' => extents.close(scopes.pop().unwrap()),
                b'!' => {
                    extents.forget();
                    scopes.iter_mut().for_each(Scope::forget);
                }
                depth => {
                    let at = scopes.len() - 1 - usize::from(depth - b'a');
                    let here = scopes.get(at + 1).map_or(extents.len(), |inner| inner.start());
                    scopes[at].branch(here);
                }
            }
        }
        let covered = |index: &u32| extents.cover(MemIdx(0), Value::from_u32(*index), 8);
        (0..10).filter(covered).map(|index| index.to_string()).collect()
    }

    #[test]
    fn what_is_known_holds_where_every_path_passed_it() {
        for (steps, known) in [
            ("12", "12"),
            ("1(2)3", "123"),
            ("1(2a3)4", "124"),
            ("1[2]3)4", "14"),
            ("1[2]", "1"),
            ("1([2b3]4)5)6", "16"),
            ("1(2[3b]4)5)6", "126"),
            ("1(2(3b)45)6", "126"),
            ("1(2[3b]4)5", "125"),
            ("1(2(3!4", "4"),
            ("1(2(3!4a5)6)7", "467"),
            ("1(2(3!4b5)6)7", "7"),
            ("1[1]1)", "1"),
        ] {
            assert_eq!(covered(steps), known, "{steps}");
        }
    }

    #[test]
    fn a_larger_end_holds_for_smaller_ones_until_its_construct_ends() {
        let (mem, index) = (MemIdx(0), Value::from_u32(1));
        let mut extents = Extents::default();
        extents.note(mem, index, extent(4));
        let scope = extents.scope_of_arms();
        extents.note(mem, index, extent(8));
        assert!(extents.cover(mem, index, 5) && !extents.cover(mem, index, 9));
        extents.close(scope);
        assert!(extents.cover(mem, index, 4) && !extents.cover(mem, index, 5));
        assert!(!extents.cover(MemIdx(1), index, 1));
    }
}
