//! A machine that keeps no promise that nobody made, for tests.
//!
//! Where the convention says that a register, or the upper half of an `i32`, may hold anything, it holds garbage: at
//! the function's start, after calls, in homes. Code that relies on what is usually there breaks at once.

use super::asm::{frame, general, vector};
use super::{GENERAL, RDI, SCRATCH};
use crate::calls::register;
use crate::func::FuncCompiler;
use crate::regs::{Reg, RegSet};
use tenure_abi::ValClass;
use tenure_asm::x64::{Mem, Scale, Size, Sse, Width};

/// What no value of a test is.
const GARBAGE: i64 = 0xbad0_dead_bad1_beef_u64.cast_signed();
/// The upper half of an `i32`.
const UPPER: i64 = 0xbad2_face_0000_0000_u64.cast_signed();
/// Behind an `i32` in its home.
const BEHIND: i32 = 0xbad3_cafe_u32.cast_signed();

/// Registers that a call may change, and that hold nothing at a function's start but arguments.
const LOST: RegSet = GENERAL.or(RegSet::of(&[SCRATCH])).or(RegSet(0xffff << 16));

impl FuncCompiler<'_> {
    /// After a call that leaves results in `results`, or before the first operator, with arguments there.
    pub(crate) fn poison_all_but(&mut self, results: RegSet) {
        if !self.poisoned {
            return;
        }
        for reg in LOST.without(results).iter() {
            if reg.is_vector() {
                self.b.asm.sse_xx(Sse::PCMPEQD, vector(reg), vector(reg));
            } else {
                self.b.asm.mov_ri(general(reg), GARBAGE);
            }
        }
    }

    /// At the function's start.
    pub(crate) fn poison_entry(&mut self) {
        if !self.poisoned {
            return;
        }
        let conv = self.conv.clone();
        let mut arguments = RegSet::of(&[RDI]);
        if let Some(reg) = conv.results_pointer.and_then(register) {
            arguments.insert(reg);
        }
        for &(class, loc) in &conv.args {
            if let Some(reg) = register(loc) {
                arguments.insert(reg);
                if class == ValClass::I32 {
                    self.poison_upper(reg);
                }
            }
        }
        self.poison_all_but(arguments);
    }

    /// The upper half of the `i32` in `reg`. Changes the scratch register, but not the flags.
    pub(crate) fn poison_upper(&mut self, reg: Reg) {
        if self.poisoned {
            self.b.asm.mov_ri(general(SCRATCH), UPPER);
            let sum = Mem::indexed(general(reg), general(SCRATCH), Scale::X1, 0);
            self.b.asm.lea(Size::S64, general(reg), sum);
        }
    }

    /// What lies behind a value of `class` in the home at `offset` of the frame.
    pub(crate) fn poison_home(&mut self, class: ValClass, offset: i32) {
        if self.poisoned && matches!(class, ValClass::I32 | ValClass::F32) {
            self.b.asm.mov_mi(Width::W32, frame(offset + 4), BEHIND);
        }
    }
}
