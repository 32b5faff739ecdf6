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

impl<'a> FuncCompiler<'a> {
    /// Checks and compiles all operators, which begin at `start` of the module.
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
                0x20..=0x24 | 0x0c | 0x0d | 0x10 => self.one_index(opcode, validator.visitor(offset))?,
                0x28..=0x3e => match self.read_memarg() {
                    Some(memarg) => self.access(opcode, memarg, validator.visitor(offset))?,
                    None => false,
                },
                0x41 | 0x42 => self.integer(opcode, validator.visitor(offset))?,
                0x02..=0x05 | 0x0b => self.structure(opcode, validator, offset)?,
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

    /// Operators with one index.
    #[inline]
    fn one_index<'v>(
        &mut self,
        opcode: u8,
        mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
    ) -> Result<bool, Stop> {
        let Some((index, next)) = read_u32(self.code, self.next) else { return Ok(false) };
        self.next = next;
        match opcode {
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
        match opcode {
            0x20 => self.push_local(index),
            0x21 => self.local_set(index),
            0x22 => self.local_tee(index),
            0x23 => self.global_get(GlobalIdx(index)),
            0x24 => self.store_global(GlobalIdx(index)),
            0x0c => self.br(index),
            0x0d => self.br_if(index),
            _ => self.call(FuncIdx(index)),
        }
        if matches!(opcode, 0x0d | 0x10) {
            self.pay_behind_operator();
        }
        self.end_operator();
        Ok(true)
    }

    /// Constants.
    #[inline]
    fn integer<'v>(
        &mut self,
        opcode: u8,
        mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
    ) -> Result<bool, Stop> {
        let Some((value, next)) = read_i32(self.code, self.next) else { return Ok(false) };
        self.next = next;
        if opcode == 0x41 {
            validator.visit_i32_const(value)?;
        } else {
            validator.visit_i64_const(i64::from(value))?;
        }
        if self.begin_operator() {
            self.integer_const(opcode == 0x41, i64::from(value));
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

/// Reads a number of up to four bytes, and where the next one begins.
#[inline]
fn read_u32(code: &[u8], at: usize) -> Option<(u32, usize)> {
    let bytes = code.get(at..)?;
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((u32::from(first), at + 1));
    }
    let mut value = u32::from(first & 0x7f);
    for (nth, &byte) in bytes.iter().enumerate().take(4).skip(1) {
        value |= u32::from(byte & 0x7f) << (7 * nth);
        if byte < 0x80 {
            return Some((value, at + nth + 1));
        }
    }
    None
}

/// Reads a signed number of up to four bytes, and where the next one begins.
#[inline]
fn read_i32(code: &[u8], at: usize) -> Option<(i32, usize)> {
    let (value, next) = read_u32(code, at)?;
    let unused = 32 - 7 * (next - at);
    Some(((value.cast_signed() << unused) >> unused, next))
}
