//! How code raises a trap.
//!
//! With signals a trap is a faulting instruction, which costs nothing until it happens. Without, a cold
//! block calls the runtime; the trapping instruction behind the call is never reached.

use crate::translate::Translator;
use cranelift_codegen::ir::{InstBuilder, TrapCode, Value, condcodes::IntCC, types};
use tenure_abi::Builtin;
use tenure_types::Trap;

/// Marks instructions that are never reached: no trap of the guest has this code.
const NEVER: TrapCode = TrapCode::unwrap_user(200);

/// Cranelift's code for `trap`.
pub(crate) fn trap_code(trap: Trap) -> TrapCode {
    TrapCode::user(trap as u8).unwrap_or(NEVER)
}

/// The trap behind Cranelift's code, if it is one of the guest's.
pub(crate) fn trap_of(code: TrapCode) -> Option<Trap> {
    match code {
        TrapCode::STACK_OVERFLOW => Some(Trap::StackOverflow),
        TrapCode::HEAP_OUT_OF_BOUNDS => Some(Trap::MemoryOutOfBounds),
        TrapCode::INTEGER_OVERFLOW => Some(Trap::IntegerOverflow),
        TrapCode::INTEGER_DIVISION_BY_ZERO => Some(Trap::IntegerDivisionByZero),
        TrapCode::BAD_CONVERSION_TO_INTEGER => Some(Trap::BadConversionToInteger),
        user => Trap::from_code(user.as_raw().get()),
    }
}

impl Translator<'_> {
    /// Raises `trap`, and ends the block.
    pub(crate) fn trap(&mut self, trap: Trap) {
        // `unreachable` is how guests end when they find something wrong. A signal costs microseconds, a call
        // a hundredth of that, and there is no condition here that it would burden.
        if self.unit.tunables.signals && trap != Trap::UnreachableCodeReached {
            self.builder.ins().trap(trap_code(trap));
        } else {
            let code = self.builder.ins().iconst(types::I32, i64::from(trap as u8));
            self.builtin(Builtin::RaiseTrap, &[code]);
            self.builder.ins().trap(NEVER);
        }
    }

    /// Raises `trap` when `condition` is not 0.
    pub(crate) fn trap_if(&mut self, condition: Value, trap: Trap) {
        if self.unit.tunables.signals {
            self.builder.ins().trapnz(condition, trap_code(trap));
            return;
        }
        let raise = self.builder.create_block();
        let next = self.builder.create_block();
        self.builder.set_cold_block(raise);
        self.builder.ins().brif(condition, raise, &[], next, &[]);
        self.builder.seal_block(raise);
        self.builder.seal_block(next);
        self.builder.switch_to_block(raise);
        self.trap(trap);
        self.builder.switch_to_block(next);
    }

    /// Raises `trap` when `value` is 0.
    pub(crate) fn trap_if_zero(&mut self, value: Value, trap: Trap) {
        if self.unit.tunables.signals {
            self.builder.ins().trapz(value, trap_code(trap));
        } else {
            let zero = self.builder.ins().icmp_imm_s(IntCC::Equal, value, 0);
            self.trap_if(zero, trap);
        }
    }
}
