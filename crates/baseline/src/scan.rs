//! A look ahead over a body: which loops there are, and what each uses how often.
//!
//! A body that is not checked yet is watched while it is ([`Watch`]). If it was checked before, or is not one that is
//! checked quickly, one pass over the bytes decodes no more than it must. That may run before the body is checked, so
//! nothing here may be relied on for more than speed, but for one thing: a body that turns out valid is read right, so
//! that its loops have the numbers that the compiler counts, and [`Use::written`] misses no write.
//!
//! Uses in a loop count eight times as much in the code around it. Cost and memory are linear in the body,
//! whatever its nesting: a loop hands at most [`MOST_USES`] items on to the one around it.

use crate::regs::Item;
use tenure_module::Watch;

/// How much an item is used in a loop, or in the whole body, for each time that it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Use {
    pub item: Item,
    /// Reads and twice the writes; those in inner loops eightfold.
    pub weight: u32,
    /// Whether it may be written.
    pub written: bool,
    /// The row of the same item around this loop, while the loop is open.
    outer: u32,
}

/// A loop, or the whole body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    /// The loop around it; none for the body.
    pub parent: Option<u32>,
    /// Calls, those in inner loops eightfold.
    pub calls: u32,
    /// Whether items were left out of the uses, so that any item may be written.
    pub lossy: bool,
    first: u32,
    count: u32,
}

/// What a body does. Row 0 is the body, then come its loops in the order in which they begin.
#[derive(Default)]
pub(crate) struct Scan {
    pub loops: Vec<Loop>,
    uses: Vec<Use>,
    /// Whether it was read to its end. If not, nothing is known.
    pub complete: bool,
    /// How many loops there are, those included that are not told apart.
    pub loop_count: u32,
    /// Whether there are vector operators.
    pub vectors: bool,
    /// Whether there are tail calls.
    pub tail_calls: bool,
    /// Open loops around the innermost one.
    open: Vec<Open>,
    innermost: Open,
    working: Vec<Use>,
    /// By item: its row in `working` for the innermost open loop that uses it.
    rows: Vec<u32>,
    nesting: Vec<bool>,
    /// How many open loops are not told apart. They are the innermost ones.
    unknown: u32,
}

/// A loop that has not ended.
#[derive(Clone, Copy, Default)]
struct Open {
    number: u32,
    /// Its rows in `working` begin here.
    from: u32,
    calls: u32,
    lossy: bool,
}

/// How many items of a loop are known around it.
const MOST_USES: usize = 32;
/// Loops beyond these are not told apart from what is around them.
const MOST_LOOPS: usize = 4096;
const INNER: u32 = 8;
const NO_ROW: u32 = u32::MAX;

impl Scan {
    /// Reads the operators `code` of a function with `items` items.
    pub(crate) fn run(&mut self, code: &[u8], items: usize) {
        self.start(items);
        self.complete = self.read(&mut Bytes { code, at: 0 }).is_some();
        if !self.complete {
            self.loops.clear();
        }
    }

    /// Nothing is known yet of a function with `items` items.
    fn start(&mut self, items: usize) {
        self.loops.clear();
        self.uses.clear();
        self.open.clear();
        self.working.clear();
        self.nesting.clear();
        self.rows.clear();
        self.rows.resize(items, NO_ROW);
        self.loop_count = 0;
        self.vectors = false;
        self.tail_calls = false;
        self.loops.push(Loop { parent: None, calls: 0, lossy: false, first: 0, count: 0 });
        self.innermost = Open::default();
        self.unknown = 0;
        self.complete = false;
    }

    /// Whether the whole of a valid body was watched.
    pub(crate) fn has_watched(&mut self, all: bool) -> bool {
        if all {
            self.leave();
        }
        self.complete = all;
        all
    }

    /// What loop `number` uses, in no order.
    pub(crate) fn uses(&self, number: u32) -> &[Use] {
        let row = &self.loops[number as usize];
        &self.uses[row.first as usize..][..row.count as usize]
    }

    fn enter(&mut self) {
        let number = self.loops.len() as u32;
        let parent = Some(self.innermost.number);
        self.loops.push(Loop { parent, calls: 0, lossy: false, first: 0, count: 0 });
        self.open.push(self.innermost);
        self.innermost = Open { number, from: self.working.len() as u32, calls: 0, lossy: false };
    }

    /// Ends the innermost open loop. The end of the body ends the last.
    fn leave(&mut self) {
        let Open { number, from, calls, lossy } = self.innermost;
        let from = from as usize;
        for used in &self.working[from..] {
            self.rows[used.item.0 as usize] = used.outer;
        }
        let count = (self.working.len() - from).min(MOST_USES);
        if count < self.working.len() - from {
            self.working[from..]
                .select_nth_unstable_by_key(MOST_USES, |used| (std::cmp::Reverse(used.weight), used.item.0));
        }
        let lossy = lossy || count < self.working.len() - from;
        let first = self.uses.len();
        self.uses.extend_from_slice(&self.working[from..from + count]);
        self.working.truncate(from);
        let row = &mut self.loops[number as usize];
        *row = Loop { calls, lossy, first: first as u32, count: count as u32, ..*row };
        let Some(around) = self.open.pop() else { return };
        let calls = around.calls.saturating_add(calls.saturating_mul(INNER));
        self.innermost = Open { calls, lossy: around.lossy || lossy, ..around };
        for at in first..first + count {
            let Use { item, weight, written, .. } = self.uses[at];
            self.count(item, weight.saturating_mul(INNER), written);
        }
    }

    #[inline]
    fn count(&mut self, item: Item, weight: u32, written: bool) {
        // An index that is too large belongs to a body that is not valid.
        let Some(row) = self.rows.get_mut(item.0 as usize) else { return };
        if *row >= self.innermost.from
            && let Some(used) = self.working.get_mut(*row as usize)
        {
            used.weight = used.weight.saturating_add(weight);
            used.written |= written;
            return;
        }
        let outer = std::mem::replace(row, self.working.len() as u32);
        self.working.push(Use { item, weight, written, outer });
    }

    #[inline]
    fn call(&mut self) {
        self.innermost.calls = self.innermost.calls.saturating_add(1);
    }

    /// Reads all operators. `None` when there is one that is not known here, or the bytes end too soon.
    fn read(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        while let Some(opcode) = code.byte() {
            match opcode {
                0x20 => {
                    let local = code.number()?;
                    self.count(Item(local.checked_add(Item::FIRST_LOCAL)?), 1, false);
                }
                0x21 | 0x22 => {
                    let local = code.number()?;
                    let weight = if opcode == 0x21 { 2 } else { 3 };
                    self.count(Item(local.checked_add(Item::FIRST_LOCAL)?), weight, true);
                }
                // Loads and stores.
                0x28..=0x3e => self.access(code)?,
                // Constants, branches.
                0x41 | 0x42 | 0x0c | 0x0d | 0xd0 | 0xd2 | 0xd5 | 0xd6 => code.skip_number()?,
                // Operators without immediates.
                0x00 | 0x01 | 0x05 | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 | 0xd1 | 0xd4 => {}
                0x02 | 0x04 => {
                    self.block_type(code)?;
                    self.nesting.push(false);
                }
                0x03 => {
                    self.block_type(code)?;
                    self.nesting.push(true);
                    self.loop_begins();
                }
                0x0b => match self.nesting.pop() {
                    Some(true) => self.loop_ends(),
                    Some(false) => {}
                    None => {
                        self.leave();
                        return code.is_empty().then_some(());
                    }
                },
                0x0e => {
                    for _ in 0..code.number()? {
                        code.skip_number()?;
                    }
                    code.skip_number()?;
                }
                // Calls.
                0x10 | 0x12 | 0x14 | 0x15 => {
                    self.tail_calls |= matches!(opcode, 0x12 | 0x15);
                    code.skip_number()?;
                    self.call();
                    self.count(Item::CONTEXT, 1, false);
                }
                0x11 | 0x13 => {
                    self.tail_calls |= opcode == 0x13;
                    code.skip_number()?;
                    code.skip_number()?;
                    self.call();
                    self.count(Item::CONTEXT, 2, false);
                }
                // select, with a type
                0x1c => {
                    for _ in 0..code.number()? {
                        self.val_type(code)?;
                    }
                }
                // Globals, tables.
                0x23..=0x26 => {
                    code.skip_number()?;
                    self.count(Item::CONTEXT, 1, false);
                }
                0x3f => {
                    code.skip_number()?;
                    self.count(Item::CONTEXT, 1, false);
                }
                0x40 => {
                    code.skip_number()?;
                    self.call();
                }
                0x43 => code.skip(4)?,
                0x44 => code.skip(8)?,
                0xfc => self.misc(code)?,
                0xfd => self.vector(code)?,
                _ => return None,
            }
        }
        None
    }

    #[inline(always)]
    fn access(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        let align = code.number()?;
        if align & 0x40 == 0 || code.number()? == 0 {
            self.count(Item::MEMORY, 1, false);
        }
        code.skip_number()
    }

    fn block_type(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        self.val_type(code)
    }

    /// A value type, or the index of a type.
    fn val_type(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        match code.peek()? {
            // References with a heap type.
            0x63 | 0x64 => code.skip(1)?,
            _ => {}
        }
        code.skip_number()
    }

    /// Operators behind the prefix 0xfc.
    fn misc(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        let numbers = match code.number()? {
            0..=7 | 19..=22 => return Some(()),
            16 => 1,
            9 | 11 | 13 | 15 | 17 => 1,
            8 | 10 | 12 | 14 => 2,
            _ => return None,
        };
        for _ in 0..numbers {
            code.skip_number()?;
        }
        self.call();
        Some(())
    }

    /// Operators behind the prefix 0xfd.
    fn vector(&mut self, code: &mut Bytes<'_>) -> Option<()> {
        self.vectors = true;
        match code.number()? {
            0..=11 | 92 | 93 => self.access(code),
            12 | 13 => code.skip(16),
            21..=34 => code.skip(1),
            84..=91 => {
                self.access(code)?;
                code.skip(1)
            }
            14..=20 | 35..=83 | 94..=0x113 => Some(()),
            _ => None,
        }
    }
}

impl Watch for Scan {
    fn begins(&mut self, count: usize) {
        self.start(count + Item::FIRST_LOCAL as usize);
    }

    #[inline]
    fn gets_local(&mut self, local: u32) {
        self.count(Item::local(local), 1, false);
    }

    #[inline]
    fn sets_local(&mut self, local: u32) {
        self.count(Item::local(local), 2, true);
    }

    #[inline]
    fn tees_local(&mut self, local: u32) {
        self.count(Item::local(local), 3, true);
    }

    #[inline]
    fn accesses_memory(&mut self) {
        self.count(Item::MEMORY, 1, false);
    }

    #[inline]
    fn reads_record(&mut self) {
        self.count(Item::CONTEXT, 1, false);
    }

    #[inline]
    fn calls(&mut self) {
        self.call();
        self.count(Item::CONTEXT, 1, false);
    }

    #[inline]
    fn calls_indirectly(&mut self) {
        self.call();
        self.count(Item::CONTEXT, 2, false);
    }

    #[inline]
    fn calls_builtin(&mut self) {
        self.call();
    }

    #[inline]
    fn has_vectors(&mut self) {
        self.vectors = true;
    }

    fn loop_begins(&mut self) {
        self.loop_count += 1;
        if self.loops.len() < MOST_LOOPS {
            self.enter();
        } else {
            self.unknown += 1;
        }
    }

    fn loop_ends(&mut self) {
        match self.unknown.checked_sub(1) {
            Some(left) => self.unknown = left,
            None => self.leave(),
        }
    }
}

/// The bytes that are left.
struct Bytes<'a> {
    code: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.code.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.code.get(self.at).copied()
    }

    fn is_empty(&self) -> bool {
        self.at == self.code.len()
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.code.len()).then_some(())
    }

    /// A number in LEB128, which fits 32 bits when the body is valid.
    #[inline]
    fn number(&mut self) -> Option<u32> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u32::from(first));
        }
        let mut value = u32::from(first & 0x7f);
        for shift in (7..35).step_by(7) {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number of any width.
    #[inline]
    fn skip_number(&mut self) -> Option<()> {
        for _ in 0..10 {
            if self.byte()? < 0x80 {
                return Some(());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operators of the only function of a module in text.
    fn scan(text: &str) -> Scan {
        let bytes = wat::parse_str(text).unwrap();
        let body = wasmparser::Parser::new(0).parse_all(&bytes).find_map(|payload| match payload.unwrap() {
            wasmparser::Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let reader = body.unwrap().get_operators_reader().unwrap().get_binary_reader();
        let code = reader.remaining_range();
        let mut scan = Scan::default();
        scan.run(&bytes[code.start as usize..code.end as usize], 16);
        scan
    }

    fn uses(scan: &Scan, number: u32) -> Vec<(u32, u32, bool)> {
        let mut uses: Vec<_> =
            scan.uses(number).iter().map(|used| (used.item.0, used.weight, used.written)).collect();
        uses.sort();
        uses
    }

    #[test]
    fn uses_in_a_loop_count_eightfold_around_it() {
        let scan = scan(
            "(module (memory 1) (func (param i32) (local i32)
               local.get 0 drop
               loop
                 local.get 1 drop
                 loop  local.get 0 i32.load local.set 1  end
                 call 0
               end
               loop end
             ) )",
        );
        // The call lacks its argument: nothing is checked here.
        assert!(scan.complete);
        assert_eq!(scan.loops.len(), 4);
        assert_eq!(uses(&scan, 2), [(1, 1, false), (2, 1, false), (3, 2, true)]);
        assert_eq!(uses(&scan, 1), [(0, 1, false), (1, 8, false), (2, 8, false), (3, 17, true)]);
        assert_eq!(uses(&scan, 0), [(0, 8, false), (1, 64, false), (2, 65, false), (3, 136, true)]);
        assert_eq!(uses(&scan, 3), []);
        let calls: Vec<_> = scan.loops.iter().map(|row| (row.parent, row.calls)).collect();
        assert_eq!(calls, [(None, 8), (Some(0), 1), (Some(1), 0), (Some(0), 0)]);
    }

    #[test]
    fn bytes_that_end_too_soon_tell_nothing() {
        let mut scan = Scan::default();
        for code in [&[0x20][..], &[0x03, 0x40, 0x0b], &[0xff], &[0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f], &[]] {
            scan.run(code, 4);
            assert!(!scan.complete && scan.loops.is_empty(), "{code:x?}");
        }
    }
}
