//! `memory.copy`, `memory.fill`, `memory.init`: by the runtime, or in place where a length is known and small.
//!
//! In place, bytes go in pieces of a register. What the specification asks, that nothing is written unless all
//! of it is inside, holds without a check of the whole: everything is read before anything is written, and the
//! last piece is written first. It is inside only if all are, and a store that faults writes nothing.

use super::memory::Access;
use crate::translate::Translator;
use crate::tuning;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use tenure_abi::{Builtin, Leaf};
use tenure_types::{DataIdx, MemIdx, Trap};

/// A part of a range: where it begins, and the type of a register that holds it.
#[derive(Clone, Copy)]
struct Piece {
    at: i32,
    ty: Type,
}

/// Pieces that cover `len` bytes, in order; neighbours may overlap. None are as wide as a vector unless
/// `vectors` may be used.
fn pieces(len: u32, vectors: bool) -> Vec<Piece> {
    let widths = [types::I8X16, types::I64, types::I32, types::I16, types::I8];
    let widths = if vectors { &widths[..] } else { &widths[1..] };
    let Some(&ty) = widths.iter().find(|ty| ty.bytes() <= len) else { return Vec::new() };
    let width = ty.bytes();
    let mut pieces: Vec<_> = (0..len / width).map(|at| Piece { at: (at * width) as i32, ty }).collect();
    if !len.is_multiple_of(width) {
        // The narrowest that covers the rest, ending where the range ends.
        let ty = widths.iter().rev().copied().find(|ty| ty.bytes() >= len % width).unwrap_or(ty);
        pieces.push(Piece { at: (len - ty.bytes()) as i32, ty });
    }
    pieces
}

impl Translator<'_> {
    pub(super) fn memory_copy(&mut self, to: MemIdx, from: MemIdx) {
        let (dst, src, len) = self.pop3();
        if let Some(cost) = self.variable_costs().map(|costs| costs.memory_copy_per_byte) {
            if self.unit.module.mem_type(to).is_64 && self.unit.module.mem_type(from).is_64 {
                let [to, from] = [to, from].map(|mem| self.i32_const(mem.0.cast_signed()));
                return self.paid_builtin(Builtin::MemoryCopy, &[to, from, dst, src, len]);
            }
            self.pay_by_length(len, cost);
        }
        if let Some(len) = self.small_length(len) {
            let src = self.access_at(from, 0, src, len);
            let pieces = pieces(len, self.cpu.sse41);
            let load = |piece: &Piece| (*piece, self.load_piece(src, *piece));
            let values: Vec<_> = pieces.iter().map(load).collect();
            let dst = self.access_at(to, 0, dst, len);
            for (piece, value) in values.into_iter().rev() {
                self.store_piece(dst, piece, value);
            }
            return;
        }
        let [dst, src, len] = [dst, src, len].map(|value| self.zero_extended(value));
        let src = self.checked_range(from, src, len);
        let dst = self.checked_range(to, dst, len);
        self.leaf(Leaf::MoveBytes, &[dst, src, len]);
    }

    pub(super) fn memory_fill(&mut self, mem: MemIdx) {
        let (dst, byte, len) = self.pop3();
        if let Some(cost) = self.variable_costs().map(|costs| costs.memory_fill_per_byte) {
            if self.unit.module.mem_type(mem).is_64 {
                let mem = self.i32_const(mem.0.cast_signed());
                return self.paid_builtin(Builtin::MemoryFill, &[mem, dst, byte, len]);
            }
            self.pay_by_length(len, cost);
        }
        if let Some(len) = self.small_length(len) {
            let dst = self.access_at(mem, 0, dst, len);
            let byte = self.builder.ins().ireduce(types::I8, byte);
            for piece in pieces(len, self.cpu.sse41).into_iter().rev() {
                let value = self.repeat(byte, piece.ty);
                self.store_piece(dst, piece, value);
            }
            return;
        }
        let (dst, len) = (self.zero_extended(dst), self.zero_extended(len));
        let dst = self.checked_range(mem, dst, len);
        self.leaf(Leaf::FillBytes, &[dst, byte, len]);
    }

    /// The address of `len` bytes at `index` of `mem`, after a check that all of them are inside.
    fn checked_range(&mut self, mem: MemIdx, index: Value, len: Value) -> Value {
        let bytes = self.mem_bytes(mem);
        let outside = if self.unit.module.mem_type(mem).is_64 {
            let longer = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, len, bytes);
            // Wraps when the range is longer than the memory, which was found out just now.
            let last = self.builder.ins().isub(bytes, len);
            let beyond = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, index, last);
            self.builder.ins().bor(longer, beyond)
        } else {
            // The sum of two 32-bit numbers.
            let end = self.builder.ins().iadd(index, len);
            self.builder.ins().icmp(IntCC::UnsignedGreaterThan, end, bytes)
        };
        self.trap_if(outside, Trap::MemoryOutOfBounds);
        let base = self.mem_base(mem);
        self.builder.ins().iadd(base, index)
    }

    pub(super) fn memory_init(&mut self, mem: MemIdx, data: DataIdx) {
        let [dst, src, len] = self.pop_range();
        let mem = self.i32_const(mem.0.cast_signed());
        let data = self.i32_const(data.0.cast_signed());
        self.builtin(Builtin::MemoryInit, &[mem, data, dst, src, len]);
    }

    pub(super) fn data_drop(&mut self, data: DataIdx) {
        let data = self.i32_const(data.0.cast_signed());
        self.builtin(Builtin::DataDrop, &[data]);
    }

    /// The length that `value` is, when it is a constant for which the runtime need not be called. A length
    /// of 0 reads and writes nothing but may trap.
    fn small_length(&self, value: Value) -> Option<u32> {
        let len = u32::try_from(self.constant(value)?).ok()?;
        (1..=tuning::MOST_BYTES_IN_PLACE).contains(&len).then_some(len)
    }

    fn load_piece(&mut self, range: Access, piece: Piece) -> Value {
        self.builder.ins().load(piece.ty, range.flags, range.address, range.offset + piece.at)
    }

    fn store_piece(&mut self, range: Access, piece: Piece, value: Value) {
        self.builder.ins().store(range.flags, value, range.address, range.offset + piece.at);
    }

    /// A register full of `byte`.
    fn repeat(&mut self, byte: Value, ty: Type) -> Value {
        if ty == types::I8 {
            return byte;
        }
        if ty.is_vector() {
            return self.builder.ins().splat(ty, byte);
        }
        let ones = 0x0101_0101_0101_0101u64 >> (64 - ty.bits());
        let wide = self.builder.ins().uextend(ty, byte);
        self.builder.ins().imul_imm_u(wide, ones.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_byte_and_nothing_else() {
        for len in 1..=tuning::MOST_BYTES_IN_PLACE {
            for vectors in [false, true] {
                let pieces = pieces(len, vectors);
                let mut covered = vec![false; len as usize];
                for piece in &pieces {
                    let at = piece.at as usize;
                    covered[at..at + piece.ty.bytes() as usize].fill(true);
                }
                assert!(covered.iter().all(|&covered| covered), "{len}");
                // The one that is written first reaches the end.
                let last = pieces.last().unwrap();
                assert_eq!(last.at as u32 + last.ty.bytes(), len);
            }
        }
    }
}
