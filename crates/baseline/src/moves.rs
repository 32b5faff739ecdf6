//! Several moves at once: every source is read before any destination is written.

use crate::func::FuncCompiler;
use crate::isa_x64::{SCRATCH, VECTOR_SCRATCH};
use crate::regs::{Reg, RegSet};
use tenure_abi::ValClass;

/// Moves between registers, made together. Empty between uses.
pub(crate) struct Moves {
    /// By destination: where it comes from, and what it is.
    sources: [(Reg, ValClass); Reg::COUNT],
    /// Destinations that are not written yet.
    waiting: RegSet,
    /// By register: how many moves that wait read it.
    readers: [u8; Reg::COUNT],
}

impl Default for Moves {
    fn default() -> Self {
        Self {
            sources: [(Reg(0), ValClass::I64); Reg::COUNT],
            waiting: RegSet::EMPTY,
            readers: [0; Reg::COUNT],
        }
    }
}

impl Moves {
    /// Adds the move of `src` to `dst`, which no other move has for its destination.
    pub(crate) fn add(&mut self, class: ValClass, dst: Reg, src: Reg) {
        if dst == src {
            return;
        }
        self.sources[dst.0 as usize] = (src, class);
        self.waiting.insert(dst);
        self.readers[src.0 as usize] += 1;
    }
}

impl FuncCompiler<'_> {
    /// Makes the moves that were added.
    pub(crate) fn make_moves(&mut self) {
        while !self.b.moves.waiting.is_empty() {
            let waiting = self.b.moves.waiting;
            // Destinations that nobody waits to read.
            let ready = waiting.iter().find(|reg| self.b.moves.readers[reg.0 as usize] == 0);
            let dst = match ready {
                Some(dst) => dst,
                None => self.break_cycle(waiting),
            };
            let (src, class) = self.b.moves.sources[dst.0 as usize];
            self.move_reg(class, dst, src);
            self.b.moves.readers[src.0 as usize] -= 1;
            self.b.moves.waiting.remove(dst);
        }
    }

    /// Every destination that waits is a source: puts one of them aside.
    fn break_cycle(&mut self, waiting: RegSet) -> Reg {
        let dst = waiting.first().expect("some move waits");
        let aside = if dst.is_vector() { VECTOR_SCRATCH } else { SCRATCH };
        let class = if dst.is_vector() { ValClass::V128 } else { ValClass::I64 };
        self.move_reg(class, aside, dst);
        let moves = &mut self.b.moves;
        for reader in waiting.iter() {
            let source = &mut moves.sources[reader.0 as usize];
            if source.0 == dst {
                source.0 = aside;
                moves.readers[dst.0 as usize] -= 1;
                moves.readers[aside.0 as usize] += 1;
            }
        }
        dst
    }
}
