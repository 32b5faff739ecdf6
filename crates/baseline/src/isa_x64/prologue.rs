//! The prologue: written last, when all is known, right in front of the body.

use super::asm::{at, frame, general};
use super::{KEPT_PINS, RAX, RBP, RDI, RSP, SCRATCH, VECTOR_SCRATCH};
use crate::frame::CONTEXT;
use crate::func::FuncCompiler;
use tenure_abi::vm::{VmCtxHeader, VmStore};
use tenure_asm::x64::{Assembler, Cond, Mem, Size, Sse, Width};
use tenure_code::CompileError;
use tenure_types::Trap;

/// Bytes in front of the body that are kept for the prologue.
pub(crate) const ROOM: usize = 256;

/// Frames of leaf functions up to this size are not checked: they lie in the reserve that the runtime keeps below
/// the limit.
const UNCHECKED: u32 = 1024;
/// Up to this size the check comes after the frame is made: a trap then finds its stack in the reserve.
const CHECKED_LATE: u32 = 16 << 10;
/// Frames of leaf functions up to this size lie below the stack pointer, where no signal reaches and nothing is
/// called.
const RED_ZONE: u32 = 128;
/// Up to how many homes are made zero one by one.
const ZEROED_APART: usize = 16;

/// Where code goes when the check of the stack fails: places in the buffer.
#[derive(Clone, Copy)]
pub(crate) struct StackFailure {
    /// Where that is a trap.
    overflow: usize,
    /// Where the runtime is asked, if epochs are watched, which makes the check fail too.
    stopped: Option<Stopped>,
}

#[derive(Clone, Copy)]
struct Stopped {
    at: usize,
    /// The distance back to behind the check, to be written.
    back: usize,
}

impl FuncCompiler<'_> {
    /// Whether the stack has to be checked. A leaf calls at most a builtin, whose stub finds room in the reserve, and
    /// code that takes over, which checks the stack itself.
    pub(crate) fn checks_stack(&self, size: u32) -> bool {
        !self.leaf || size > UNCHECKED
    }

    /// Writes what happens to a frame of `size` bytes when the check fails.
    pub(crate) fn write_stack_failure(&mut self, size: u32) -> StackFailure {
        let mut failure = StackFailure { overflow: self.b.asm.offset(), stopped: None };
        if self.unit.tunables.epochs {
            self.leaf = false;
            let at = self.b.asm.offset();
            self.call_stopped_at_entry();
            failure.stopped = Some(Stopped { at, back: self.b.asm.jmp_rel() });
            failure.overflow = self.b.asm.offset();
        }
        if failure.stopped.is_none() || size > CHECKED_LATE {
            self.trap(Trap::StackOverflow);
        }
        failure
    }

    /// The prologue for a frame of `size` bytes, with a check of the stack if something happens when it fails. Returns
    /// where it begins in the buffer in which the body begins at [`ROOM`].
    pub(crate) fn prologue(
        &mut self,
        size: u32,
        failure: Option<StackFailure>,
    ) -> Result<usize, CompileError> {
        let mut asm = std::mem::take(&mut self.b.prologue);
        asm.buffer.clear();
        let (sp, fp, scratch) = (general(RSP), general(RBP), general(SCRATCH));
        asm.push_r(fp);
        asm.mov_rr(Size::S64, fp, sp);
        let mut jumps = [None; 2];
        let stopped = failure.and_then(|failure| failure.stopped);
        // A trap needs the context after it was raised, and its stub uses the stack.
        let size = if self.leaf && size <= RED_ZONE && !self.keeps_context() { 0 } else { size };
        let late = size <= CHECKED_LATE;
        if late && size > 0 {
            asm.sub_ri(Size::S64, sp, size as i32);
        }
        // Before the check: without signals its failure is a call, which takes the context from there.
        if self.keeps_context() {
            asm.mov_mr(Width::W64, frame(CONTEXT), general(RDI));
        }
        let limit = Mem::new(scratch, VmStore::STACK_LIMIT);
        if failure.is_some() {
            asm.mov_rm(Size::S64, scratch, at(RDI, VmCtxHeader::STORE));
        }
        if !late {
            if let Some(StackFailure { overflow, .. }) = failure {
                let lowest = if stopped.is_some() { Mem::new(scratch, VmStore::LOWEST) } else { limit };
                asm.lea(Size::S64, general(RAX), Mem::new(sp, -(size as i32)));
                asm.cmp_rm(Size::S64, general(RAX), lowest);
                let somewhere = asm.buffer.here();
                asm.jcc(Cond::Below, somewhere);
                jumps[0] = Some((asm.offset(), overflow));
            }
            asm.sub_ri(Size::S64, sp, size as i32);
        }
        if let Some(StackFailure { overflow, .. }) = failure
            && (late || stopped.is_some())
        {
            asm.cmp_rm(Size::S64, sp, limit);
            let somewhere = asm.buffer.here();
            asm.jcc(Cond::Below, somewhere);
            jumps[1] = Some((asm.offset(), stopped.map_or(overflow, |stopped| stopped.at)));
        }
        let checked = asm.offset();
        let saved = self.b.regions.used;
        for (number, reg) in KEPT_PINS.into_iter().filter(|&reg| saved.has(reg)).enumerate() {
            asm.mov_mr(Width::W64, frame(self.frame.saved_reg(number)), general(reg));
        }
        self.zero_homes(&mut asm);
        asm.buffer.finish_in_place().map_err(|error| CompileError::Bug(error.to_string()))?;
        let len = asm.offset();
        let Some(start) = ROOM.checked_sub(len) else {
            return Err(CompileError::Bug(format!("a prologue of {len} bytes")));
        };
        self.b.asm.buffer.overwrite(start, asm.buffer.bytes());
        let jumps = jumps.into_iter().flatten().map(|(end, to)| (start + end, to));
        for (end, to) in jumps.chain(stopped.map(|stopped| (stopped.back + 4, start + checked))) {
            let distance = (to as i64 - end as i64) as i32;
            self.b.asm.buffer.overwrite(end - 4, &distance.to_le_bytes());
        }
        self.b.prologue = asm;
        Ok(start)
    }

    /// Whether the frame holds `vmctx`.
    pub(crate) fn keeps_context(&self) -> bool {
        self.reads_context || self.unit.tunables.keep_vmctx || !self.leaf
    }

    /// Makes the homes of locals zero that are no arguments and that code may read before it writes them.
    fn zero_homes(&self, asm: &mut Assembler) {
        let first_own = self.conv.args.len();
        let read = |local: usize| self.b.read_homes[local / 64] & 1 << (local % 64) != 0;
        let Some(first) = (first_own..self.b.locals.len()).find(|&local| read(local)) else { return };
        let last = (first..self.b.locals.len()).rfind(|&local| read(local)).unwrap_or(first);
        let zero = super::asm::vector(VECTOR_SCRATCH);
        asm.sse_xx(Sse::XORPS, zero, zero);
        // Homes grow down: the last local lies lowest.
        let slot = self.frame.slot_bytes();
        let low = self.frame.own_local(last as u32);
        let high = self.frame.own_local(first as u32) + slot;
        if last - first < ZEROED_APART {
            let mut to = low;
            while to + 16 <= high {
                asm.movups_mx(frame(to), zero);
                to += 16;
            }
            if to < high {
                asm.movsd_mx(frame(to), zero);
            }
            return;
        }
        // Sixteen bytes a turn, upwards; the first turn may overlap the second.
        let at = general(RAX);
        let bytes = i64::from(high - low);
        asm.movups_mx(frame(low), zero);
        asm.mov_ri(at, -(bytes / 16 * 16));
        let again = asm.buffer.here();
        asm.movups_mx(Mem::indexed(general(RBP), at, tenure_asm::x64::Scale::X1, high), zero);
        asm.add_ri(Size::S64, at, 16);
        asm.jcc(Cond::NotEqual, again);
    }
}
