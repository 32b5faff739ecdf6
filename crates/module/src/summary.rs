//! What a body does how often: found as the body is checked, for a compiler that wants to know it before it writes the
//! first instruction.
//!
//! ```text
//! part 0   the body          local 0: 17, memory: 8, calls: 1
//! part 1   ├ loop            local 0: 2,  memory: 1
//! part 2   └ another loop    …
//! ```
//! Uses in a loop count eight times as much in what is around it. Of each part the summary has the items of the
//! greatest weight, and none that is read only once: a register does not pay for that.
//!
//! It may be made of a body that turns out invalid, and nothing in it may be relied on for more than speed, but for this:
//! of a valid body the loops have the numbers that a compiler counts, [`Use::written`] misses no write, and the flags
//! are right. Cost and memory are linear in the body, whatever its nesting.
//!
//! Until a body is compiled its summary is kept in few bytes ([`Summary::write`], [`Summary::read`]); those never
//! leave the process, and are no more than those of the body, or a few.

use crate::bytes::Bytes;
use crate::quick::MAX_LOCALS;
use std::cmp::Reverse;
use wasmparser::{FunctionBody, Operator};

/// What a register can hold for longer than an operand: the context, the base of the first memory, a local.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item(pub u32);

impl Item {
    /// The instance's context.
    pub const CONTEXT: Self = Self(0);
    /// The address of the first byte of memory 0.
    pub const MEMORY: Self = Self(1);
    /// How many items are no local.
    pub const FIRST_LOCAL: u32 = 2;

    /// A local, parameters included.
    pub const fn local(local: u32) -> Self {
        Self(Self::FIRST_LOCAL + local)
    }

    /// The local that it is.
    pub const fn as_local(self) -> Option<u32> {
        self.0.checked_sub(Self::FIRST_LOCAL)
    }

    /// Its place in a table of items.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// How much an item is used in a part for each time that it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    /// What is used.
    pub item: Item,
    /// Reads and twice the writes; those in inner loops eightfold.
    pub weight: u32,
    /// Whether it may be written.
    pub written: bool,
}

/// A loop, or the whole body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyPart {
    /// The loop or body around it; none for the body.
    pub parent: Option<u32>,
    /// Calls, those in inner loops eightfold.
    pub calls: u32,
    /// Whether writes in inner loops were left out of the uses, so that any item may be written.
    pub lossy: bool,
    first: u32,
    count: u32,
}

/// What a body does. BodyPart 0 is the body, then come its loops in the order in which they begin.
#[derive(Default)]
pub struct Summary {
    parts: Vec<BodyPart>,
    uses: Vec<Use>,
    loop_count: u32,
    has_vectors: bool,
    has_tail_calls: bool,
    is_complete: bool,
    /// Open parts around the innermost one.
    open: Vec<Open>,
    innermost: Open,
    working: Vec<Working>,
    /// By local: its row in `working` for the innermost open part that uses it.
    rows: Vec<u32>,
    /// How many open loops are not told apart. They are the innermost ones.
    unknown: u32,
}

/// A part that has not ended.
#[derive(Clone, Copy, Default)]
struct Open {
    number: u32,
    /// Its rows in `working` begin here.
    from: u32,
    calls: u32,
    context: u32,
    memory: u32,
    lossy: bool,
}

/// Uses of a local in an open part.
#[derive(Clone, Copy)]
struct Working {
    local: u32,
    weight: u32,
    written: bool,
    /// The row of the same local around this part.
    outer: u32,
}

/// How many locals of a loop are known around it.
const MOST_USES: usize = 32;
/// How many locals of a part are told of: somewhat more than there are registers to pin them to.
const MOST_TOLD: usize = 16;
/// Loops beyond these are not told apart from what is around them.
const MOST_PARTS: usize = 4096;
/// How often a loop is taken to run.
const INNER: u32 = 8;
/// From which weight on a use is told of.
const LEAST: u32 = 2;
/// Bytes that the summary of the shortest body may have.
const LEAST_KEPT: usize = 32;
const NO_ROW: u32 = u32::MAX;

impl Summary {
    /// The parts of a body that was read to its end; else none.
    pub fn parts(&self) -> &[BodyPart] {
        if self.is_complete { &self.parts } else { &[] }
    }

    /// What `part` uses, in no order.
    pub fn uses(&self, part: &BodyPart) -> &[Use] {
        &self.uses[part.first as usize..][..part.count as usize]
    }

    /// How many loops there are, those included that are not told apart.
    pub fn loop_count(&self) -> u32 {
        self.loop_count
    }

    /// Whether there may be vector operators.
    pub fn may_have_vectors(&self) -> bool {
        self.has_vectors || !self.is_complete
    }

    /// Whether there may be tail calls.
    pub fn may_have_tail_calls(&self) -> bool {
        self.has_tail_calls || !self.is_complete
    }

    /// Reads a body that is not checked quickly, whether it is valid or not.
    pub(crate) fn look_over(&mut self, code: &FunctionBody<'_>) {
        // An error is for whoever checks the body to tell.
        let _ = self.try_look_over(code);
    }

    fn try_look_over(&mut self, code: &FunctionBody<'_>) -> wasmparser::Result<()> {
        // Locals get their rows as they are met.
        self.begins(0);
        let mut loops = Vec::new();
        let mut operators = code.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            match operator {
                Operator::LocalGet { local_index: local } => self.uses_local(local, 1, false),
                Operator::LocalSet { local_index: local } => self.uses_local(local, 2, true),
                Operator::LocalTee { local_index: local } => self.uses_local(local, 3, true),
                Operator::Block { .. } | Operator::If { .. } => loops.push(false),
                Operator::Loop { .. } => {
                    loops.push(true);
                    self.loop_begins();
                }
                Operator::End => match loops.pop() {
                    Some(true) => self.loop_ends(),
                    Some(false) => {}
                    None if operators.eof() => self.ends(),
                    None => break,
                },
                _ => self.other(code.as_bytes().get((offset - code.range().start) as usize..)),
            }
        }
        Ok(())
    }

    /// Takes note of an operator without a rule of its own, by the bytes that it begins with.
    fn other(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some([0x10 | 0x14, ..]) => self.calls(1),
            Some([0x11, ..]) => self.calls(2),
            Some([0x12 | 0x13 | 0x15, ..]) => self.has_tail_calls = true,
            // global.get, global.set, table.get, table.set, memory.size
            Some([0x23..=0x26 | 0x3f, ..]) => self.reads_record(),
            Some([0x28..=0x3e, ..]) => self.accesses_memory(),
            // memory.grow, and all behind the prefix but arithmetic
            Some([0x40, ..] | [0xfc, 8..=17, ..]) => self.calls_builtin(),
            Some([0xfd, operator, ..]) => {
                self.has_vectors();
                if matches!(operator, 0..=11 | 84..=93) {
                    self.accesses_memory();
                }
            }
            _ => {}
        }
    }

    /// The body begins. Of `locals` locals it is known now that there are so many.
    pub(crate) fn begins(&mut self, locals: usize) {
        self.parts.clear();
        self.uses.clear();
        self.open.clear();
        self.working.clear();
        self.rows.clear();
        self.rows.resize(locals, NO_ROW);
        self.loop_count = 0;
        self.has_vectors = false;
        self.has_tail_calls = false;
        self.is_complete = false;
        self.unknown = 0;
        self.innermost = Open::default();
        self.parts.push(BodyPart { parent: None, calls: 0, lossy: false, first: 0, count: 0 });
    }

    /// The body ends.
    pub(crate) fn ends(&mut self) {
        self.leave();
        self.is_complete = true;
    }

    /// `weight` is 1 for a read, 2 for a write, 3 for both.
    #[inline(always)]
    pub(crate) fn uses_local(&mut self, local: u32, weight: u32, written: bool) {
        if let Some(&row) = self.rows.get(local as usize)
            && row >= self.innermost.from
            && let Some(used) = self.working.get_mut(row as usize)
        {
            used.weight = used.weight.saturating_add(weight);
            used.written |= written;
        } else {
            self.uses_first(local, weight, written);
        }
    }

    /// The first use of `local` in the innermost part.
    fn uses_first(&mut self, local: u32, weight: u32, written: bool) {
        let at = local as usize;
        if at >= self.rows.len() {
            // An index that is too large belongs to a body that is not valid.
            if at >= MAX_LOCALS {
                return;
            }
            self.rows.resize(at + 1, NO_ROW);
        }
        let outer = std::mem::replace(&mut self.rows[at], self.working.len() as u32);
        self.working.push(Working { local, weight, written, outer });
    }

    /// A load or a store.
    #[inline]
    pub(crate) fn accesses_memory(&mut self) {
        self.innermost.memory = self.innermost.memory.saturating_add(1);
    }

    /// What reads a record of the instance, which the context leads to.
    #[inline]
    pub(crate) fn reads_record(&mut self) {
        self.innermost.context = self.innermost.context.saturating_add(1);
    }

    /// A call that reads the context `times` times.
    #[inline]
    pub(crate) fn calls(&mut self, times: u32) {
        self.innermost.calls = self.innermost.calls.saturating_add(1);
        self.innermost.context = self.innermost.context.saturating_add(times);
    }

    /// An operator that the runtime does.
    #[inline]
    pub(crate) fn calls_builtin(&mut self) {
        self.innermost.calls = self.innermost.calls.saturating_add(1);
    }

    /// An operator on vectors.
    #[inline]
    pub(crate) fn has_vectors(&mut self) {
        self.has_vectors = true;
    }

    pub(crate) fn loop_begins(&mut self) {
        self.loop_count += 1;
        if self.parts.len() >= MOST_PARTS {
            self.unknown += 1;
            return;
        }
        let number = self.parts.len() as u32;
        let parent = Some(self.innermost.number);
        self.parts.push(BodyPart { parent, calls: 0, lossy: false, first: 0, count: 0 });
        self.open.push(self.innermost);
        self.innermost = Open { number, from: self.working.len() as u32, ..Open::default() };
    }

    /// The innermost open loop ends.
    pub(crate) fn loop_ends(&mut self) {
        match self.unknown.checked_sub(1) {
            Some(left) => self.unknown = left,
            None => self.leave(),
        }
    }

    /// Ends the innermost open part. The end of the body ends the last.
    fn leave(&mut self) {
        let Open { number, from, calls, context, memory, lossy } = self.innermost;
        let from = from as usize;
        let working = &mut self.working[from..];
        let count = working.len().min(MOST_USES);
        let told = working.len().min(MOST_TOLD);
        for most in [count, told] {
            if most < working.len() {
                working.select_nth_unstable_by_key(most, |used| (Reverse(used.weight), used.local));
            }
        }
        let lossy = lossy || count < working.len();
        let first = self.uses.len();
        for (item, weight) in [(Item::CONTEXT, context), (Item::MEMORY, memory)] {
            self.tell(Use { item, weight, written: false });
        }
        for at in from..from + told {
            let Working { local, weight, written, .. } = self.working[at];
            self.tell(Use { item: Item::local(local), weight, written });
        }
        let kept = (self.uses.len() - first) as u32;
        let row = &mut self.parts[number as usize];
        *row = BodyPart { calls, lossy, first: first as u32, count: kept, ..*row };
        if let Some(around) = self.open.pop() {
            let outer = |outer: u32, inner: u32| outer.saturating_add(inner.saturating_mul(INNER));
            self.innermost = Open {
                calls: outer(around.calls, calls),
                context: outer(around.context, context),
                memory: outer(around.memory, memory),
                lossy: around.lossy || lossy,
                ..around
            };
            self.hand_out(from, count);
        }
    }

    #[inline]
    fn tell(&mut self, used: Use) {
        if used.weight >= LEAST {
            self.uses.push(used);
        }
    }

    /// Makes the first `count` rows from `from` on, those of a part that ended, count in the one around it.
    fn hand_out(&mut self, from: usize, count: usize) {
        let around = self.innermost.from as usize;
        let mut end = from;
        for at in from..self.working.len() {
            let used = self.working[at];
            let row = &mut self.rows[used.local as usize];
            *row = used.outer;
            if at >= from + count {
                continue;
            }
            let weight = used.weight.saturating_mul(INNER);
            let outer = used.outer as usize;
            if (around..from).contains(&outer) {
                let outer = &mut self.working[outer];
                outer.weight = outer.weight.saturating_add(weight);
                outer.written |= used.written;
            } else {
                *row = end as u32;
                self.working[end] = Working { weight, ..used };
                end += 1;
            }
        }
        self.working.truncate(end);
    }

    /// Writes it, in few bytes, behind what stands in `to`; without its parts, if with them it takes more than `most`.
    fn write(&self, to: &mut Vec<u8>, most: usize) {
        if !self.is_complete {
            return;
        }
        let start = to.len();
        to.push(u8::from(self.has_vectors) | u8::from(self.has_tail_calls) << 1);
        write_number(self.loop_count, to);
        let parts_at = to.len();
        for part in &self.parts {
            if to.len() - start > most {
                break;
            }
            if let Some(parent) = part.parent {
                write_number(parent, to);
            }
            write_number(part.calls, to);
            let uses = self.uses(part);
            write_number((uses.len() as u32) << 1 | u32::from(part.lossy), to);
            for used in uses {
                write_number(used.item.0 << 1 | u32::from(used.written), to);
                write_number(used.weight, to);
            }
        }
        if to.len() - start > most {
            to.truncate(parts_at);
        }
    }

    /// Reads the bytes of a summary that was kept. Of anything else nothing is known, or what makes slow code.
    pub fn read(&mut self, bytes: &[u8]) {
        self.begins(0);
        self.is_complete = self.try_read(Bytes(bytes)).is_some();
    }

    fn try_read(&mut self, mut bytes: Bytes<'_>) -> Option<()> {
        let flags = bytes.byte()?;
        self.has_vectors = flags & 1 != 0;
        self.has_tail_calls = flags & 2 != 0;
        self.loop_count = bytes.number()?;
        self.parts.clear();
        while !bytes.is_empty() {
            let number = self.parts.len() as u32;
            let parent = if number == 0 { None } else { Some(bytes.number()?.min(number - 1)) };
            let calls = bytes.number()?;
            let count = bytes.number()?;
            let (lossy, count) = (count & 1 != 0, count >> 1);
            let first = self.uses.len() as u32;
            for _ in 0..count {
                let (item, weight) = (bytes.number()?, bytes.number()?);
                self.uses.push(Use { item: Item(item >> 1), weight, written: item & 1 != 0 });
            }
            self.parts.push(BodyPart { parent, calls, lossy, first, count });
        }
        Some(())
    }
}

/// Specification, "Integers": an unsigned number of 32 bits.
fn write_number(mut number: u32, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// The summaries of a module's bodies, kept until each is compiled.
#[derive(Default)]
pub struct Summaries {
    bytes: Vec<u8>,
    /// By body: where its bytes end, which begin where those of the one before it do.
    ends: Vec<u32>,
}

impl Summaries {
    /// Adds that of the next body, which has `len` bytes. One that is longer than the body is kept without its parts: loops in
    /// loops tell of the same locals each, and what a module makes us keep is not to be many times what it is.
    pub(crate) fn push(&mut self, summary: &Summary, len: usize) {
        summary.write(&mut self.bytes, len.max(LEAST_KEPT));
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// Those of bodies that follow on one another, as one.
    pub fn join(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            let start = u32::try_from(all.bytes.len()).unwrap_or(u32::MAX);
            all.ends.extend(part.ends.iter().map(|end| start.saturating_add(*end)));
            all.bytes.extend_from_slice(&part.bytes);
        }
        all.bytes.shrink_to_fit();
        all.ends.shrink_to_fit();
        all
    }

    /// The bytes of body number `at`, for [`Summary::read`].
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start as usize..*self.ends.get(at)? as usize)
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BodyChecker;
    use crate::parse::{Parsed, parse};
    use crate::quick::QuickCheck;
    use std::sync::Arc;
    use tenure_types::{Features, TypeRegistry};

    fn parsed(bytes: &Arc<[u8]>) -> Parsed<'_> {
        parse(bytes, Features::default(), &TypeRegistry::default()).unwrap()
    }

    /// The summary of the first body of a module in text: as the quick check leaves it, as looking over the body does, and
    /// as it was kept.
    fn summaries(text: &str) -> [Summary; 3] {
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let Parsed { module, bodies } = parsed(&bytes);
        let [mut checked, mut looked, mut kept] = [(); 3].map(|()| Summary::default());
        assert!(QuickCheck::default().accepts(&module, &bodies[0], &mut checked), "not accepted");
        looked.look_over(&bodies[0].code);
        let mut part = Summaries::default();
        part.push(&checked, usize::MAX);
        let all = Summaries::join([part]);
        kept.read(all.get(0).unwrap());
        assert_eq!(all.get(1), None);
        [checked, looked, kept]
    }

    fn uses(summary: &Summary, at: usize) -> Vec<(u32, u32, bool)> {
        let uses = summary.uses(&summary.parts()[at]).iter();
        let mut uses: Vec<_> = uses.map(|used| (used.item.0, used.weight, used.written)).collect();
        uses.sort();
        uses
    }

    #[test]
    fn uses_in_a_loop_count_eightfold_around_it() {
        let text = "(module (memory 1) (func (param i32) (local i32)
               local.get 0 drop
               loop
                 local.get 1 drop
                 loop  local.get 0 i32.load local.get 0 i32.load local.set 1 local.set 1  end
                 i32.const 0 call 0
               end
               loop end
             ) )";
        for summary in summaries(text) {
            assert_eq!((summary.parts().len(), summary.loop_count()), (4, 3));
            assert!(!summary.may_have_vectors() && !summary.may_have_tail_calls());
            assert_eq!(uses(&summary, 2), [(1, 2, false), (2, 2, false), (3, 4, true)]);
            // What is read once is not told of.
            assert_eq!(uses(&summary, 1), [(1, 16, false), (2, 16, false), (3, 33, true)]);
            assert_eq!(uses(&summary, 0), [(0, 8, false), (1, 128, false), (2, 129, false), (3, 264, true)]);
            assert_eq!(uses(&summary, 3), []);
            let calls: Vec<_> = summary.parts().iter().map(|row| (row.parent, row.calls)).collect();
            assert_eq!(calls, [(None, 8), (Some(0), 1), (Some(1), 0), (Some(0), 0)]);
        }
    }

    #[test]
    fn of_many_locals_the_most_used_are_told_of_and_no_write_is_missed() {
        let writes: String = (0..40).map(|local| format!("i32.const 0 local.set {local} ")).collect();
        let reads = "local.get 7 drop ".repeat(3);
        let text = format!("(module (func (local {}) loop {writes} {reads} end))", "i32 ".repeat(40));
        for summary in summaries(&text) {
            assert_eq!(uses(&summary, 1).len(), MOST_TOLD);
            assert!(uses(&summary, 1).contains(&(Item::local(7).0, 5, true)));
            assert!(uses(&summary, 0).contains(&(Item::local(7).0, 40, true)));
            assert!(summary.parts().iter().all(|row| row.lossy));
        }
    }

    #[test]
    fn loops_in_loops_without_end_cost_no_more_than_others() {
        let depth = 3 * MOST_PARTS;
        let text = format!(
            "(module (func (param i32) {} local.get 0 drop local.get 0 drop {}))",
            "loop ".repeat(depth),
            "end ".repeat(depth)
        );
        for summary in summaries(&text) {
            assert_eq!((summary.parts().len(), summary.loop_count() as usize), (MOST_PARTS, depth));
            assert_eq!(uses(&summary, MOST_PARTS - 1), [(Item::local(0).0, 2, false)]);
            assert_eq!(uses(&summary, 0), [(Item::local(0).0, u32::MAX, false)]);
        }
    }

    #[test]
    fn flags_are_right_and_of_half_a_body_nothing_is_known() {
        let text = "(module (memory 1) (table 1 funcref)
               (func (result i32)
                 ref.null func drop  i32.const 0 v128.load drop
                 loop  return_call 0  end
                 i32.const 0 i32.const 0 call_indirect (result i32) ) )";
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let body = &parsed(&bytes).bodies[0];
        let mut summary = Summary::default();
        summary.look_over(&body.code);
        assert_eq!((summary.parts().len(), summary.loop_count()), (2, 1));
        assert!(summary.may_have_vectors() && summary.may_have_tail_calls());
        assert_eq!(uses(&summary, 0), [(Item::CONTEXT.0, 2, false)]);

        let (code, start) = (body.code.as_bytes(), body.code.range().start);
        for end in 1..code.len() {
            let reader = wasmparser::BinaryReader::new(&code[..end], start);
            summary.look_over(&FunctionBody::new(reader));
            assert!(summary.parts().is_empty(), "{end} bytes");
            assert!(summary.may_have_vectors() && summary.may_have_tail_calls());
        }
    }

    #[test]
    fn what_is_kept_is_no_longer_than_the_body() {
        let (depth, uses) =
            (1000, (0..16).map(|local| format!("local.get {local} local.set {local} ")).collect::<String>());
        let text = format!(
            "(module (func (local {}) {} {uses} {}))",
            "i32 ".repeat(16),
            "loop ".repeat(depth),
            "end ".repeat(depth)
        );
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let Parsed { module, bodies } = parsed(&bytes);
        let mut checker = BodyChecker::default();
        let len = bodies[0].code.as_bytes().len();
        bodies.into_iter().for_each(|body| checker.check(&module, body).unwrap());
        let all = checker.into_summaries();
        let kept = all.get(0).unwrap();
        assert!(kept.len() <= len, "{} bytes of a body of {len}", kept.len());
        let mut summary = Summary::default();
        summary.read(kept);
        assert_eq!((summary.parts().len(), summary.loop_count() as usize), (0, depth));
        assert!(!summary.may_have_vectors() && !summary.may_have_tail_calls());
    }

    #[test]
    fn bytes_of_nobody_are_read_without_harm() {
        let mut summary = Summary::default();
        for code in [&[][..], &[3], &[0, 0x80], &[0, 1, 0, 3, 5], &[0, 9, 1, 0, 77, 1, 0]] {
            summary.read(code);
            for (at, row) in summary.parts().iter().enumerate() {
                assert!(row.parent.is_none_or(|parent| (parent as usize) < at));
                summary.uses(row);
            }
        }
    }
}
