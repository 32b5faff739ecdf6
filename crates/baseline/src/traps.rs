//! How code raises a trap, and the code that is written behind the rest because it rarely runs.
//!
//! With signals a trap is a faulting instruction, which costs nothing until it happens: `hlt`, where no other
//! faults anyway. Without, code calls the
//! runtime.

use crate::control::Arguments;
use crate::func::FuncCompiler;
use crate::isa_x64::control::Test;
use crate::isa_x64::float::Conversion;
use crate::tiering::Spent;
use tenure_abi::Builtin;
use tenure_asm::Label;
use tenure_asm::x64::Cond;
use tenure_code::{TrapSite, WasmOffset};
use tenure_types::Trap;

/// A piece of code for the end of the function.
pub(crate) enum Late {
    /// Raises `trap`, which belongs to the operator at `offset`.
    Trap { label: Label, trap: Trap, offset: u32 },
    /// Goes on at `target` with the pins of region `to`.
    Branch { label: Label, from: u32, to: Option<u32>, arguments: Arguments, target: Label },
    /// Decides about a conversion that the machine did not make.
    Conversion(Conversion),
    /// Asks the runtime whether to go on, and does at `back`.
    Epoch { label: Label, back: Label, region: u32, offset: u32 },
    /// Asks for better code.
    Spent(Spent),
}

impl FuncCompiler<'_> {
    /// Where the next instruction goes.
    #[inline]
    pub(crate) fn here(&self) -> u32 {
        self.b.asm.offset() as u32
    }

    /// Notes that the next instruction belongs to the operator at `offset`.
    #[inline]
    pub(crate) fn note_offset(&mut self, offset: u32) {
        if self.b.offsets.last().is_none_or(|last| last.wasm != offset) {
            let code = self.here();
            self.b.offsets.push(WasmOffset { code, wasm: offset });
        }
    }

    /// Notes that the next instruction may fault, and what that means.
    #[inline]
    pub(crate) fn note_trap(&mut self, trap: Trap, offset: u32) {
        let code = self.here();
        self.b.traps.push(TrapSite { code, trap });
        self.note_offset(offset);
    }

    /// Raises `trap` if `cond` holds.
    pub(crate) fn trap_if(&mut self, cond: Cond, trap: Trap) {
        let label = self.b.asm.new_label();
        self.b.asm.jcc(cond, label);
        self.b.late.push(Late::Trap { label, trap, offset: self.offset });
        if !self.unit.tunables.signals {
            self.leaf = false;
        }
    }

    /// Raises `trap` if `test`, which is not of floats, holds.
    pub(crate) fn trap_if_test(&mut self, test: Test, trap: Trap) {
        match test {
            Test::Cond(cond) => self.trap_if(cond, trap),
            Test::Equal | Test::NotEqual => unreachable!("no trap depends on a comparison of floats"),
        }
    }

    /// Raises `trap`.
    pub(crate) fn trap(&mut self, trap: Trap) {
        if self.unit.tunables.signals {
            self.note_trap(trap, self.offset);
            self.b.asm.hlt();
        } else {
            self.leaf = false;
            self.raise(trap, self.offset);
        }
    }

    /// Raises `trap`, and goes nowhere from here.
    pub(crate) fn unreachable_trap(&mut self, trap: Trap) {
        self.trap(trap);
        self.reachable = false;
    }

    /// Writes what was left for the end.
    pub(crate) fn write_late(&mut self) {
        let mut late = std::mem::take(&mut self.b.late);
        for piece in late.drain(..) {
            match piece {
                Late::Trap { label, trap, offset } => {
                    self.b.asm.bind(label);
                    self.offset = offset;
                    self.trap(trap);
                }
                Late::Branch { label, from, to, arguments, target } => {
                    self.b.asm.bind(label);
                    self.move_arguments(arguments);
                    if let Some(to) = to {
                        self.transition(from, to);
                    }
                    self.b.asm.jmp(target);
                }
                Late::Spent(spent) => self.write_spent(spent),
                Late::Conversion(conversion) => self.write_conversion(conversion),
                Late::Epoch { label, back, region, offset } => {
                    self.b.asm.bind(label);
                    self.offset = offset;
                    self.call_between_operators(region, Builtin::EpochReached);
                    self.b.asm.jmp(back);
                }
            }
        }
        self.b.late = late;
    }
}
