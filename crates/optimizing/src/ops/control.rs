//! Blocks, branches and returns.

use crate::records::Region;
use crate::translate::{Frame, FrameKind, Translator};
use cranelift_codegen::ir::{Block, InstBuilder};
use tenure_abi::ValRaw;
use tenure_code::CompileError;
use wasmparser::BlockType;

impl Translator<'_> {
    pub(super) fn block(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (params, results) = self.block_type(ty)?;
        let count = results.len();
        let height = self.stack.len() - params.len();
        self.keep_operands(height)?;
        let after = self.block_with(results);
        self.frames.push(Frame {
            kind: FrameKind::Block,
            target: after,
            after,
            height,
            arity: count,
            results: count,
            branched: false,
            scope: self.extents.scope(),
        });
        Ok(())
    }

    pub(super) fn loop_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let (params, results) = self.block_type(ty)?;
        let count = params.len();
        let height = self.stack.len() - count;
        let kept = self.keep_operands(height)?;
        let header = self.block_with(params.iter().copied());
        self.before_loop();
        if self.calm.is_none() {
            self.extents.sizes_change();
        }
        self.jump(header, count);
        self.stack.truncate(height);
        self.enter_at_loop(self.loops, header, &params);
        self.loops += 1;
        // The header is sealed at the loop's end, when every branch back is known.
        self.builder.switch_to_block(header);
        self.fuel_paths_meet();
        self.stack.extend_from_slice(self.builder.block_params(header));
        if kept {
            self.read_operands(height);
        }
        self.frames.push(Frame {
            kind: FrameKind::Loop,
            target: header,
            after: header,
            height,
            arity: count,
            results: results.len(),
            branched: false,
            scope: self.extents.scope(),
        });
        self.check_epoch();
        Ok(())
    }

    pub(super) fn if_(&mut self, ty: BlockType) -> Result<(), CompileError> {
        let condition = self.pop();
        let (params, results) = self.block_type(ty)?;
        let count = results.len();
        let height = self.stack.len() - params.len();
        self.keep_operands(height)?;
        let after = self.block_with(results);
        let then = self.builder.create_block();
        let other = self.builder.create_block();
        self.builder.ins().brif(condition, then, &[], other, &[]);
        self.builder.seal_block(then);
        self.builder.seal_block(other);
        self.builder.switch_to_block(then);
        self.frames.push(Frame {
            kind: FrameKind::If { other, params: self.stack[height..].to_vec() },
            target: after,
            after,
            height,
            arity: count,
            results: count,
            branched: false,
            scope: self.extents.scope_of_arms(),
        });
        Ok(())
    }

    pub(super) fn else_(&mut self) {
        let reachable = self.reachable;
        let frame = self.frames.last_mut().expect("the validator has seen the `if`");
        let (after, results, height, scope) = (frame.after, frame.results, frame.height, frame.scope);
        frame.branched |= reachable;
        let FrameKind::If { other, params } = std::mem::replace(&mut frame.kind, FrameKind::Else) else {
            unreachable!("the validator has seen the `if`");
        };
        if reachable {
            self.jump(after, results);
        }
        self.extents.second_arm(scope);
        self.enter(other, height);
        self.stack.extend(params);
        if self.are_variables_below(self.frames.len() - 1) {
            self.read_operands(height);
        }
    }

    pub(super) fn end(&mut self) {
        let frame = self.frames.pop().expect("the validator has seen the construct");
        let variables = self.are_variables_below(self.frames.len());
        self.leave_construct(self.frames.len());
        self.leave_calm(self.frames.len());
        self.extents.close(frame.scope);
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
                self.join(frame.after, frame.height, variables);
            }
            FrameKind::Block | FrameKind::Else if frame.branched => {
                if self.reachable {
                    self.jump(frame.after, frame.results);
                }
                self.join(frame.after, frame.height, variables);
            }
            // Nothing branched here: code just goes on, or cannot.
            FrameKind::Block | FrameKind::Else => {}
        }
    }

    /// Goes on in `block`, with the operand stack at `height`.
    fn enter(&mut self, block: Block, height: usize) {
        self.builder.switch_to_block(block);
        self.fuel_paths_meet();
        self.stack.truncate(height);
        self.reachable = true;
    }

    /// Goes on in `block`, to which every branch is known, with its parameters as operands. The `variables` below are
    /// read again.
    fn join(&mut self, block: Block, height: usize, variables: bool) {
        self.builder.seal_block(block);
        self.enter(block, height);
        self.stack.extend_from_slice(self.builder.block_params(block));
        if variables {
            self.read_operands(height);
        }
    }

    /// Notes a branch to `depth`; where it goes and how many values it takes.
    pub(super) fn label(&mut self, depth: u32) -> (Block, usize) {
        let at = self.frames.len() - 1 - depth as usize;
        // What was noted in a construct inside goes when that ends, and something else may take its place.
        let here = self.frames.get(at + 1).map_or(self.extents.len(), |inner| inner.scope.start());
        let frame = &mut self.frames[at];
        frame.branched = true;
        // Code behind a loop is come to from its last operator alone.
        if !matches!(frame.kind, FrameKind::Loop) {
            frame.scope.branch(here);
        }
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

    pub(super) fn return_(&mut self) {
        if let Some(outermost) = self.frames.first()
            && !matches!(outermost.kind, FrameKind::Func)
        {
            // An inlined callee returns to its caller, which is right here.
            let (block, arity) = self.label(self.frames.len() as u32 - 1);
            self.jump(block, arity);
            self.reachable = false;
            return;
        }
        let count = self.ty.results().len();
        self.canonical_top(count);
        self.write_fuel();
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
