//! What a signal handler sees on x86-64 Linux.

use libc::{REG_EFL, REG_RBP, REG_RDI, REG_RIP, REG_RSP, c_int, ucontext_t};

use crate::signals::Resume;

/// The registers of the interrupted code: program counter, stack pointer, frame pointer.
pub fn registers(context: &ucontext_t) -> (usize, usize, usize) {
    let register = |number: c_int| context.uc_mcontext.gregs[number as usize] as usize;
    (register(REG_RIP), register(REG_RSP), register(REG_RBP))
}

/// Makes the interrupted thread go on as `resume` says when the handler returns.
pub fn resume(context: &mut ucontext_t, resume: &Resume) {
    /// String instructions count down. The calling convention wants it off.
    const DIRECTION: i64 = 1 << 10;
    let registers = &mut context.uc_mcontext.gregs;
    registers[REG_RIP as usize] = resume.pc as i64;
    registers[REG_RSP as usize] = resume.sp as i64;
    registers[REG_RBP as usize] = resume.fp as i64;
    registers[REG_RDI as usize] = resume.arg0 as i64;
    registers[REG_EFL as usize] &= !DIRECTION;
}

/// How much the system puts on the signal stack before the handler runs.
pub fn signal_frame_bytes() -> usize {
    // SAFETY: reads a table that the system made for the process.
    let bytes = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    bytes.max(libc::MINSIGSTKSZ)
}
