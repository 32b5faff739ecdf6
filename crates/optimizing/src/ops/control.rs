//! Blocks, branches and returns.

use crate::records::Region;
use crate::translate::{Frame, FrameKind, Translator};
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, Value, condcodes::IntCC};
use std::collections::HashMap;
use tenure_abi::ValRaw;
use tenure_code::CompileError;
use wasmparser::{BlockType, BrTable};

/// Most targets of a `br_table` besides the default: more is refused by other engines too, and costs much to
/// compile.
const MAX_BR_TABLE_TARGETS: u32 = 65_520;

impl Translator<'_> {
    pub(super) fn block(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (params, results) = self.block_type(ty)?;
        let count = results.len();
        let after = self.block_with(results);
        self.frames.push(Frame {
            kind: FrameKind::Block,
            target: after,
            after,
            height: self.stack.len() - params.len(),
            arity: count,
            results: count,
            branched: false,
        });
        Ok(())
    }

    pub(super) fn loop_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (params, results) = self.block_type(ty)?;
        let count = params.len();
        let header = self.block_with(params);
        self.jump(header, count);
        let height = self.stack.len() - count;
        self.stack.truncate(height);
        // The header is sealed at the loop's end, when every branch back is known.
        self.builder.switch_to_block(header);
        self.stack.extend_from_slice(self.builder.block_params(header));
        self.frames.push(Frame {
            kind: FrameKind::Loop,
            target: header,
            after: header,
            height,
            arity: count,
            results: results.len(),
            branched: false,
        });
        Ok(())
    }

    pub(super) fn if_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let condition = self.pop();
        let (params, results) = self.block_type(ty)?;
        let count = results.len();
        let after = self.block_with(results);
        let then = self.builder.create_block();
        let other = self.builder.create_block();
        self.builder.ins().brif(condition, then, &[], other, &[]);
        self.builder.seal_block(then);
        self.builder.seal_block(other);
        self.builder.switch_to_block(then);
        let height = self.stack.len() - params.len();
        self.frames.push(Frame {
            kind: FrameKind::If { other, params: self.stack[height..].to_vec() },
            target: after,
            after,
            height,
            arity: count,
            results: count,
            branched: false,
        });
        Ok(())
    }

    pub(super) fn else_(&mut self) {
        let reachable = self.reachable;
        let frame = self.frames.last_mut().expect("the validator has seen the `if`");
        let (after, results, height) = (frame.after, frame.results, frame.height);
        frame.branched |= reachable;
        let FrameKind::If { other, params } = std::mem::replace(&mut frame.kind, FrameKind::Else) else {
            unreachable!("the validator has seen the `if`");
        };
        if reachable {
            self.jump(after, results);
        }
        self.enter(other, height);
        self.stack.extend(params);
    }

    pub(super) fn end(&mut self) {
        let frame = self.frames.pop().expect("the validator has seen the construct");
        match frame.kind {
            FrameKind::Func => {
                if frame.branched {
                    if self.reachable {
                        self.jump(frame.after, frame.results);
                    }
                    self.builder.seal_block(frame.after);
                    self.enter(frame.after, frame.height);
                    self.stack.extend_from_slice(self.builder.block_params(frame.after));
                }
                if self.reachable {
                    self.return_();
                }
            }
            FrameKind::Loop => self.builder.seal_block(frame.target),
            FrameKind::If { other, params } => {
                if self.reachable {
                    self.jump(frame.after, frame.results);
                }
                self.enter(other, frame.height);
                self.stack.extend(params);
                self.jump(frame.after, frame.results);
                self.join(frame.after, frame.height);
            }
            FrameKind::Block | FrameKind::Else if frame.branched => {
                if self.reachable {
                    self.jump(frame.after, frame.results);
                }
                self.join(frame.after, frame.height);
            }
            // Nothing branched here: code just goes on, or cannot.
            FrameKind::Block | FrameKind::Else => {}
        }
    }

    /// Goes on in `block`, with the operand stack at `height`.
    fn enter(&mut self, block: Block, height: usize) {
        self.builder.switch_to_block(block);
        self.stack.truncate(height);
        self.reachable = true;
    }

    /// Goes on in `block`, to which every branch is known, with its parameters as operands.
    fn join(&mut self, block: Block, height: usize) {
        self.builder.seal_block(block);
        self.enter(block, height);
        self.stack.extend_from_slice(self.builder.block_params(block));
    }

    /// Notes a branch to `depth`; where it goes and how many values it takes.
    fn label(&mut self, depth: u32) -> (Block, usize) {
        let frame = self.frame(depth);
        frame.branched = true;
        (frame.target, frame.arity)
    }

    pub(super) fn br(&mut self, depth: u32) {
        if depth as usize == self.frames.len() - 1 {
            return self.return_();
        }
        let (block, arity) = self.label(depth);
        self.jump(block, arity);
        self.reachable = false;
    }

    pub(super) fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        let (block, arity) = self.label(depth);
        let next = self.builder.create_block();
        self.branch_if(condition, block, arity, next);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), CompileError> {
        if table.len() > MAX_BR_TABLE_TARGETS {
            let limit = MAX_BR_TABLE_TARGETS.into();
            return Err(CompileError::TooLarge { what: "targets of one br_table", limit });
        }
        let index = self.pop();
        // One block a distinct label: Cranelift splits edges by entry, and values would move in each.
        let mut blocks: HashMap<u32, Block> = HashMap::new();
        let mut order = Vec::new();
        let mut entries = Vec::with_capacity(table.len() as usize);
        for depth in table.targets().chain([Ok(table.default())]) {
            let depth = depth.map_err(tenure_module::ValidateError::from)?;
            let block = *blocks.entry(depth).or_insert_with(|| {
                order.push(depth);
                self.builder.create_block()
            });
            entries.push(block);
        }
        let default = entries.pop().expect("the default is the last entry");
        self.dispatch(index, &entries, default, order.len());
        for depth in order {
            let block = blocks[&depth];
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            let (target, arity) = self.label(depth);
            self.jump(target, arity);
        }
        self.reachable = false;
        Ok(())
    }

    /// Ends the block with a jump to `entries[index]`, or to `default`.
    fn dispatch(&mut self, index: Value, entries: &[Block], default: Block, _distinct: usize) {
        if let [only] = *entries {
            let other = self.builder.ins().icmp_imm_s(IntCC::NotEqual, index, 0);
            self.builder.ins().brif(other, default, &[], only, &[]);
            return;
        }
        let pool = &mut self.builder.func.dfg.value_lists;
        let calls: Vec<_> = entries.iter().map(|&block| BlockCall::new(block, [], pool)).collect();
        let default = BlockCall::new(default, [], pool);
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
    }

    pub(super) fn return_(&mut self) {
        let count = self.ty.results().len();
        self.canonical_top(count);
        let results = self.stack.split_off(self.stack.len() - count);
        match self.results_pointer {
            None => drop(self.builder.ins().return_(&results)),
            Some(pointer) => {
                let flags = self.trusted(Region::Results);
                for (at, &value) in results.iter().enumerate() {
                    self.builder.ins().store(flags, value, pointer, (at * ValRaw::SIZE) as i32);
                }
                self.builder.ins().return_(&[]);
            }
        }
        self.reachable = false;
    }

    pub(super) fn select(&mut self) {
        let (first, second, condition) = self.pop3();
        let (first, second) = (self.canonical(first), self.canonical(second));
        let value = self.builder.ins().select(condition, first, second);
        self.push(value);
    }
}
