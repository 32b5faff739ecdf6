//! The loop over the operators: one decode feeds validator and compiler.
//!
//! Operators that are frequent and simple to read are read here; the others by wasmparser, which also says what is
//! wrong with bytes that are no operator. Code that control cannot come to is checked and not compiled. A body that
//! was checked before goes the same way with [`Checked`](crate::checks::Checked) in the validator's place.

use crate::checks::Checks;
use crate::func::{FuncCompiler, NO_OFFSET};
use crate::stop::{Done, Stop};
use tenure_types::{FuncIdx, GlobalIdx};
use wasmparser::{
    BinaryReader, BlockType, MemArg, MemArgTarget, Operator, OperatorsReader, OperatorsReaderAllocations,
    ValType, VisitOperator,
};

/// Patterns of neighbouring opcodes, written out: ranges would become comparisons, one after the other, and not one jump.
#[rustfmt::skip]
macro_rules! opcodes {
    (constructs) => {
        0x02 | 0x03 | 0x04 | 0x05 | 0x0b
    };
    (accesses) => {
        0x28 | 0x29 | 0x2a | 0x2b | 0x2c | 0x2d | 0x2e | 0x2f | 0x30 | 0x31 | 0x32 | 0x33 | 0x34 | 0x35 | 0x36 | 0x37
        | 0x38 | 0x39 | 0x3a | 0x3b | 0x3c | 0x3d | 0x3e
    };
}

impl<'a> FuncCompiler<'a> {
    /// Checks and compiles all operators, which begin at `start` of the module.
    #[expect(clippy::manual_range_patterns, reason = "one jump to each operator: see `opcodes`")]
    pub(crate) fn operators(
        &mut self,
        validator: &mut impl Checks,
        allocations: &mut OperatorsReaderAllocations,
        start: u64,
    ) -> Result<(), Stop> {
        let code = self.code;
        let mut at = 0;
        // The end of the body takes the last construct off.
        while let Some(&opcode) = code.get(at)
            && validator.is_open()
        {
            let offset = start + at as u64;
            self.offset = u32::try_from(offset).unwrap_or(NO_OFFSET);
            self.next = at + 1;
            let known = match opcode {
                // An arm each: one jump, not two.
                0x20 => self.one_index::<0x20>(validator.visitor(offset))?,
                0x21 => self.one_index::<0x21>(validator.visitor(offset))?,
                0x22 => self.one_index::<0x22>(validator.visitor(offset))?,
                0x23 => self.one_index::<0x23>(validator.visitor(offset))?,
                0x24 => self.one_index::<0x24>(validator.visitor(offset))?,
                0x0c => self.one_index::<0x0c>(validator.visitor(offset))?,
                0x0d => self.one_index::<0x0d>(validator.visitor(offset))?,
                0x10 => self.one_index::<0x10>(validator.visitor(offset))?,
                opcodes!(accesses) => match self.read_memarg() {
                    Some(memarg) => self.access(opcode, memarg, validator.visitor(offset))?,
                    None => false,
                },
                0x41 => self.i32_const(validator.visitor(offset))?,
                0x42 => self.i64_const(validator.visitor(offset))?,
                opcodes!(constructs) => self.structure(opcode, validator, offset)?,
                _ => self.plain(opcode, validator.visitor(offset))?,
            };
            if !known {
                self.any(validator, allocations, at, offset)?;
            }
            at = self.next;
        }
        validator.end(BinaryReader::new(&code[at..], start + at as u64))?;
        Ok(())
    }

    /// Reads by wasmparser, then checks and compiles.
    #[cold]
    fn any(
        &mut self,
        validator: &mut impl Checks,
        allocations: &mut OperatorsReaderAllocations,
        at: usize,
        offset: u64,
    ) -> Result<(), Stop> {
        let mut reader = BinaryReader::new(&self.code[at..], offset);
        reader.set_features(validator.features());
        let mut reader = OperatorsReader::new_with_allocs(reader, std::mem::take(allocations));
        let op = reader.read()?;
        validator.operator(offset, &op)?;
        self.next = at + (reader.original_position() - offset) as usize;
        *allocations = reader.into_allocations();
        if self.begin_operator() {
            self.operator(self.code[at], &op)?;
        } else {
            self.skip(&op);
        }
        self.pay_behind_operator();
        self.end_operator();
        Ok(())
    }

    /// Begins an operator; whether control comes to it.
    #[inline]
    pub(crate) fn begin_operator(&mut self) -> bool {
        self.b.regs.in_use = std::mem::take(&mut self.hold);
        self.reachable
    }

    /// Ends an operator.
    #[inline]
    pub(crate) fn end_operator(&self) {
        #[cfg(debug_assertions)]
        self.check();
    }

    /// The operator `OPCODE`, one of those with one index.
    #[inline(always)]
    fn one_index<'v, const OPCODE: u8>(
        &mut self,
        mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
    ) -> Result<bool, Stop> {
        let Some((index, next)) = read_u32(self.code, self.next) else { return Ok(false) };
        self.next = next;
        match OPCODE {
            0x20 => validator.visit_local_get(index)?,
            0x21 => validator.visit_local_set(index)?,
            0x22 => validator.visit_local_tee(index)?,
            0x23 => validator.visit_global_get(index)?,
            0x24 => validator.visit_global_set(index)?,
            0x0c => validator.visit_br(index)?,
            0x0d => validator.visit_br_if(index)?,
            _ => validator.visit_call(index)?,
        }
        if !self.begin_operator() {
            return Ok(true);
        }
        match OPCODE {
            0x20 => self.push_local(index),
            0x21 => self.local_set(index),
            0x22 => self.local_tee(index),
            0x23 => self.global_get(GlobalIdx(index)),
            0x24 => self.store_global(GlobalIdx(index)),
            0x0c => self.br(index),
            0x0d => self.br_if(index),
            _ => self.call(FuncIdx(index)),
        }
        if matches!(OPCODE, 0x0d | 0x10) {
            self.pay_behind_operator();
        }
        self.end_operator();
        Ok(true)
    }

    #[inline(always)]
    fn i32_const<'v>(
        &mut self,
        mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
    ) -> Result<bool, Stop> {
        let Some((value, next)) = read_i32(self.code, self.next) else { return Ok(false) };
        self.next = next;
        validator.visit_i32_const(value)?;
        if self.begin_operator() {
            self.integer_const(true, i64::from(value));
        }
        self.end_operator();
        Ok(true)
    }

    #[inline]
    fn i64_const<'v>(
        &mut self,
        mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
    ) -> Result<bool, Stop> {
        let Some((value, next)) = read_i64(self.code, self.next) else { return Ok(false) };
        self.next = next;
        validator.visit_i64_const(value)?;
        if self.begin_operator() {
            self.integer_const(false, value);
        }
        self.end_operator();
        Ok(true)
    }

    /// Constructs.
    fn structure(&mut self, opcode: u8, validator: &mut impl Checks, offset: u64) -> Result<bool, Stop> {
        let op = match opcode {
            0x05 if validator.is_in_if() => Operator::Else,
            0x0b => Operator::End,
            0x02..=0x04 => {
                let blockty = match self.code.get(self.next) {
                    Some(0x40) => BlockType::Empty,
                    Some(0x7f) => BlockType::Type(ValType::I32),
                    Some(0x7e) => BlockType::Type(ValType::I64),
                    Some(0x7d) => BlockType::Type(ValType::F32),
                    Some(0x7c) => BlockType::Type(ValType::F64),
                    _ => return Ok(false),
                };
                self.next += 1;
                match opcode {
                    0x02 => Operator::Block { blockty },
                    0x03 => Operator::Loop { blockty },
                    _ => Operator::If { blockty },
                }
            }
            _ => return Ok(false),
        };
        {
            let mut validator = validator.visitor(offset);
            match op {
                Operator::Block { blockty } => validator.visit_block(blockty)?,
                Operator::Loop { blockty } => validator.visit_loop(blockty)?,
                Operator::If { blockty } => validator.visit_if(blockty)?,
                Operator::Else => validator.visit_else()?,
                _ => validator.visit_end()?,
            }
        }
        if !self.begin_operator() {
            self.skip(&op);
            self.pay_behind_operator();
            return Ok(true);
        }
        match op {
            Operator::Block { blockty } => self.block(blockty).done()?,
            Operator::Loop { blockty } => self.loop_(blockty).done()?,
            Operator::If { blockty } => self.if_(blockty).done()?,
            Operator::Else => self.else_(),
            _ => self.end(),
        }
        self.pay_behind_operator();
        self.end_operator();
        Ok(true)
    }

    /// Reads alignment and offset of an access to memory 0. The natural alignment is filled in later.
    #[inline]
    fn read_memarg(&mut self) -> Option<MemArg> {
        let align = *self.code.get(self.next)?;
        if align >= 0x40 {
            return None;
        }
        let (offset, next) = read_u32(self.code, self.next + 1)?;
        self.next = next;
        let target = MemArgTarget::Memory(0);
        Some(MemArg { align, max_align: 0, offset: u64::from(offset), target, ordering: None })
    }
}

/// Reads a number, and where the next one begins. Whatever is wrong with it is left to wasmparser.
#[inline(always)]
fn read_u32(code: &[u8], at: usize) -> Option<(u32, usize)> {
    match *code.get(at)? {
        first @ ..0x80 => Some((u32::from(first), at + 1)),
        _ => read_long_u32(code, at),
    }
}

#[inline(never)]
fn read_long_u32(code: &[u8], at: usize) -> Option<(u32, usize)> {
    if let Some((value, len)) = read_word(code, at) {
        // The fifth byte has four bits left.
        return Some((u32::try_from(value).ok().filter(|_| len <= 5)?, at + len));
    }
    let mut value = 0;
    for (nth, &byte) in code.get(at..)?.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7f) << (7 * nth);
        if byte < 0x80 {
            return (nth < 4 || byte < 0x10).then_some((value, at + nth + 1));
        }
    }
    None
}

/// Reads a number of at most eight bytes at once, without its sign, and how many bytes it has. `None` too where fewer than eight
/// are left.
#[inline(always)]
fn read_word(code: &[u8], at: usize) -> Option<(u64, usize)> {
    let word = u64::from_le_bytes(*code.get(at..)?.first_chunk()?);
    // The highest bit of a byte says that the number goes on.
    let end = (!word & 0x8080_8080_8080_8080).trailing_zeros();
    if end == 64 {
        return None;
    }
    let word = word & (u64::MAX >> (63 - end));
    // Seven bits a byte: pairs of bytes move together, then pairs of those, then the halves.
    let pairs = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let value = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((value, end as usize / 8 + 1))
}

/// The same for a signed number.
#[inline(always)]
fn read_i32(code: &[u8], at: usize) -> Option<(i32, usize)> {
    match *code.get(at)? {
        first @ ..0x80 => Some(((i32::from(first) << 25) >> 25, at + 1)),
        _ => {
            let (value, next) = read_i64(code, at)?;
            // Of the fifth byte, what does not fit repeats the sign.
            (next - at <= 5).then_some((i32::try_from(value).ok()?, next))
        }
    }
}

#[inline(never)]
fn read_i64(code: &[u8], at: usize) -> Option<(i64, usize)> {
    if let Some((value, len)) = read_word(code, at) {
        let unused = 64 - 7 * len as u32;
        return Some(((value.cast_signed() << unused) >> unused, at + len));
    }
    let mut value = 0;
    // Ten bytes are rare.
    for (nth, &byte) in code.get(at..)?.iter().enumerate().take(9) {
        value |= i64::from(byte & 0x7f) << (7 * nth);
        if byte < 0x80 {
            let unused = 64 - 7 * (nth as u32 + 1);
            return Some(((value << unused) >> unused, at + nth + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::BinaryReader;

    /// Numbers are what wasmparser reads, or left to it, whatever comes behind them.
    #[test]
    fn numbers() {
        let last = [0x00, 0x01, 0x07, 0x08, 0x0f, 0x10, 0x3f, 0x40, 0x70, 0x78, 0x7f];
        let before = [&[][..], &[0x80], &[0xff], &[0x95, 0xaa]];
        for (before, count) in before.iter().flat_map(|&before| (0..10).map(move |count| (before, count))) {
            for (last, behind) in last.into_iter().flat_map(|last| [(last, 0), (last, 1), (last, 9)]) {
                let mut code: Vec<_> =
                    before.iter().copied().cycle().take(count * before.len().min(1)).collect();
                code.push(last);
                let len = code.len();
                code.extend(vec![0x81; behind]);
                let reader = || BinaryReader::new(&code, 0);
                if let Some(found) = read_u32(&code, 0) {
                    assert_eq!((reader().read_var_u32().unwrap(), len), found, "{code:x?}");
                }
                if let Some(found) = read_i32(&code, 0) {
                    assert_eq!((reader().read_var_i32().unwrap(), len), found, "{code:x?}");
                }
                if let Some(found) = read_i64(&code, 0) {
                    assert_eq!((reader().read_var_i64().unwrap(), len), found, "{code:x?}");
                }
                // All but the longest are read here.
                assert_eq!(read_u32(&code, 0).is_some(), reader().read_var_u32().is_ok());
                assert_eq!(read_i32(&code, 0).is_some(), reader().read_var_i32().is_ok());
                if len < 10 {
                    assert_eq!(read_i64(&code, 0).is_some(), reader().read_var_i64().is_ok());
                }
            }
        }
    }
}
