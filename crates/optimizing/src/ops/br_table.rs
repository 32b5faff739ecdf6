//! `br_table`, in the shape that costs least.
//!
//! ```text
//! index        0 1 2 3 4 5 6 7 …       few stretches of one label: compare with their ends, halving
//! label        A A A B B A A D D D     two labels, up to 64 entries: a bit an entry
//!              └─A─┘ └B┘ └A┘ └─D       else a jump through a table
//! ```

use crate::translate::Translator;
use crate::tuning;
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Value, condcodes::IntCC, types};
use std::collections::HashMap;
use tenure_code::CompileError;
use tenure_module::{MAX_BR_TABLE_TARGETS, ValidateError};
use wasmparser::BrTable;

/// Indices from `start` on, up to the next stretch, go to `block`.
#[derive(Clone, Copy)]
struct Stretch {
    start: u32,
    block: Block,
}

impl Translator<'_> {
    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), CompileError> {
        if table.len() > MAX_BR_TABLE_TARGETS {
            return Err(CompileError::TooLarge {
                what: "targets of one br_table",
                limit: MAX_BR_TABLE_TARGETS.into(),
            });
        }
        let index = self.pop();
        // Here, because every label's block reads what is on the stack.
        let arity = self.frame(table.default()).arity;
        self.canonical_top(arity);
        // One block a distinct label: Cranelift splits edges by entry, and values would move in each.
        let mut blocks: HashMap<u32, Block> = HashMap::new();
        let mut labels = Vec::new();
        let mut entries = Vec::with_capacity(table.len() as usize + 1);
        for depth in table.targets().chain([Ok(table.default())]) {
            let depth = depth.map_err(ValidateError::from)?;
            let block = *blocks.entry(depth).or_insert_with(|| {
                let block = self.builder.create_block();
                labels.push((depth, block));
                block
            });
            entries.push(block);
        }
        self.dispatch(index, &entries, labels.len());
        for (depth, block) in labels {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let (target, arity) = self.label(depth);
            self.jump(target, arity);
        }
        self.reachable = false;
        Ok(())
    }

    /// Goes to `entries[index]`, or to the last for every index beyond; of the entries, `distinct` differ.
    fn dispatch(&mut self, index: Value, entries: &[Block], distinct: usize) {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (start, &block) in (0..).zip(entries) {
            if stretches.last().is_none_or(|last| last.block != block) {
                stretches.push(Stretch { start, block });
            }
        }
        if stretches.len() <= tuning::MOST_STRETCHES {
            self.halve(index, &stretches);
        } else if distinct == 2 && entries.len() <= 64 {
            self.test_bit(index, entries);
        } else {
            self.jump_through_table(index, entries);
        }
    }

    /// Finds the stretch by comparing, with half of them left each time.
    fn halve(&mut self, index: Value, stretches: &[Stretch]) {
        if let [only] = stretches {
            self.builder.ins().jump(only.block, &[]);
            return;
        }
        let (low, high) = stretches.split_at(stretches.len() / 2);
        let is_low = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, i64::from(high[0].start));
        let mut block = |half: &[Stretch]| match half {
            [only] => only.block,
            _ => self.builder.create_block(),
        };
        let (below, above) = (block(low), block(high));
        self.builder.ins().brif(is_low, below, &[], above, &[]);
        for (half, block) in [(low, below), (high, above)] {
            if half.len() > 1 {
                self.builder.seal_block(block);
                self.builder.switch_to_block(block);
                self.halve(index, half);
            }
        }
    }

    /// Tells the last entry's label from the other by a bit an entry, all in one number.
    fn test_bit(&mut self, index: Value, entries: &[Block]) {
        let default = entries[entries.len() - 1];
        let mut bits = 0u64;
        let mut other = default;
        for (at, &block) in entries.iter().enumerate().filter(|(_, block)| **block != default) {
            bits |= 1 << at;
            other = block;
        }
        let inside = self.builder.create_block();
        let count = entries.len() as i64;
        let is_inside = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, count);
        self.builder.ins().brif(is_inside, inside, &[], default, &[]);
        self.builder.seal_block(inside);
        self.builder.switch_to_block(inside);
        let bits = self.builder.ins().iconst(types::I64, bits.cast_signed());
        let shifted = self.builder.ins().ushr(bits, index);
        let bit = self.builder.ins().band_imm_u(shifted, 1);
        self.builder.ins().brif(bit, other, &[], default, &[]);
    }

    fn jump_through_table(&mut self, index: Value, entries: &[Block]) {
        let pool = &mut self.builder.func.dfg.value_lists;
        let mut calls: Vec<_> = entries.iter().map(|&block| BlockCall::new(block, [], pool)).collect();
        let default = calls.pop().expect("the default is the last entry");
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
    }
}
