//! The stubs on x86-64.

use tenure_abi::ValRaw;
use tenure_abi::call_conv::{CallConv, Loc, ValClass};
use tenure_abi::frame::{CALLER_FP, RETURN_ADDRESS};
use tenure_abi::vm::{VmCtxHeader, VmHostCtx, VmStore};
use tenure_asm::x64::{Assembler, Cond, Gpr, Mem, Size, Width, Xmm};
use tenure_types::FuncType;

/// Registers that the C convention keeps across calls and the entry stub therefore saves, beside rbp.
const SAVED: [Gpr; 5] = [Gpr::RBX, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];

/// Free in every convention here: neither argument nor result.
const SCRATCH: Gpr = Gpr::R11;

/// An instruction that faults wherever it is executed, and that no compiler or stub of ours uses: for code that went.
pub const TRAP: [u8; 2] = [0x0f, 0x0b];

/// The entry stub for functions of type `ty`:
/// `extern "C" fn(store: *mut VmStore, vmctx, code: *const u8, values: *mut ValRaw) -> u32`.
///
/// Reads the arguments from `values`, calls `code`, writes the results over them and returns 0. When the
/// guest is abandoned it returns 1 instead and `values` holds nothing of worth. `values` has room for
/// the longer of both lists. Notes its frame in the store as where stack walks end and unwinding arrives.
pub fn entry(ty: &FuncType) -> Vec<u8> {
    let conv = CallConv::new(ty);
    let (store, vmctx, code, values) = (Gpr::RDI, Gpr::RSI, Gpr::RDX, Gpr::RCX);
    let mut asm = Assembler::new();
    asm.push_r(Gpr::RBP);
    asm.mov_rr(Size::S64, Gpr::RBP, Gpr::RSP);
    for reg in SAVED {
        asm.push_r(reg);
    }
    // Six pushes after the return address: this one makes seven and keeps the stack 16-aligned.
    asm.push_r(values);
    asm.mov_mr(Width::W64, Mem::new(store, VmStore::ENTRY_FP), Gpr::RBP);
    asm.mov_mr(Width::W64, Mem::new(store, VmStore::ENTRY_SP), Gpr::RSP);

    // Argument registers are about to be filled: move what is still needed out of their way.
    let (target, from) = (Gpr::RAX, Gpr::R10);
    asm.mov_rr(Size::S64, target, code);
    asm.mov_rr(Size::S64, from, values);
    asm.mov_rr(Size::S64, Gpr::RDI, vmctx);
    if conv.stack_bytes > 0 {
        asm.sub_ri(Size::S64, Gpr::RSP, conv.stack_bytes as i32);
    }
    if let Some(area) = conv.results_pointer {
        // The arguments are read before the callee runs, so the results may take their place.
        let Loc::Gpr(area) = area else { unreachable!("the results pointer is the first argument") };
        asm.mov_rr(Size::S64, gpr(area), from);
    }
    for (at, &(class, loc)) in conv.args.iter().enumerate() {
        let value = Mem::new(from, at as i32 * ValRaw::SIZE as i32);
        match loc {
            Loc::Gpr(reg) => asm.mov_rm(size_of_class(class), gpr(reg), value),
            Loc::Xmm(reg) => load_vector(&mut asm, class, xmm(reg), value),
            Loc::Stack(offset) => copy(&mut asm, class, Mem::new(Gpr::RSP, offset as i32), value),
            Loc::ResultArea(_) => unreachable!("an argument is no result"),
        }
    }
    asm.call_r(target);
    // The callee took its stack arguments off, so `values` is on top again.
    asm.mov_rm(Size::S64, SCRATCH, Mem::new(Gpr::RSP, 0));
    for (at, &(class, loc)) in conv.results.iter().enumerate() {
        let value = Mem::new(SCRATCH, at as i32 * ValRaw::SIZE as i32);
        match loc {
            Loc::Gpr(reg) => asm.mov_mr(width_of_class(class), value, gpr(reg)),
            Loc::Xmm(reg) => store_vector(&mut asm, class, value, xmm(reg)),
            // The callee wrote it where it belongs.
            Loc::ResultArea(_) => {}
            Loc::Stack(_) => unreachable!("no result travels on the stack"),
        }
    }
    asm.xor_rr(Size::S32, Gpr::RAX, Gpr::RAX);
    leave_entry(&mut asm);
    finish(asm)
}

/// The stub that abandons the guest frames of the active call: `store` in rdi, any stack, any registers.
///
/// Continues at the end of the entry stub, which returns 1 to its caller.
pub fn unwind() -> Vec<u8> {
    let mut asm = Assembler::new();
    asm.mov_rm(Size::S64, Gpr::RSP, Mem::new(Gpr::RDI, VmStore::ENTRY_SP));
    asm.mov_ri(Gpr::RAX, 1);
    leave_entry(&mut asm);
    finish(asm)
}

/// The stub at which a thread goes on after a fault in guest code: `store` in rdi, a 16-aligned stack below
/// the guest's frames.
///
/// Calls `target`, an `extern "C" fn(store: *mut VmStore)` that notes what happened while the guest's
/// frames are still there, then unwinds.
pub fn fault(target: usize) -> Vec<u8> {
    let mut asm = Assembler::new();
    asm.push_r(Gpr::RDI);
    asm.push_r(Gpr::RDI);
    asm.mov_ri(Gpr::RAX, target as i64);
    asm.call_r(Gpr::RAX);
    asm.pop_r(Gpr::RDI);
    asm.jmp_m(Mem::new(Gpr::RDI, VmStore::UNWIND));
    finish(asm)
}

/// Undoes the entry stub's prologue. The stack pointer is where it was when the store noted it.
fn leave_entry(asm: &mut Assembler) {
    asm.pop_r(SCRATCH);
    for reg in SAVED.into_iter().rev() {
        asm.pop_r(reg);
    }
    asm.pop_r(Gpr::RBP);
    asm.ret();
}

/// The exit stub for host functions of type `ty`: guest code calls it as it calls a guest function, with a
/// [`VmHostCtx`] for `vmctx`.
///
/// Notes the exit, puts the arguments in an array on its own frame, calls the shim with (context, caller,
/// array), and returns the results that the shim wrote there. Without arguments and results there is nothing to
/// do after the shim: it gets the guest's return address, and this stub has no frame.
pub fn exit(ty: &FuncType) -> Vec<u8> {
    let conv = CallConv::new(ty);
    let count = conv.args.len().max(conv.results.len()) as i32;
    let shim = Mem::new(Gpr::RDI, VmHostCtx::SHIM);
    if count == 0 {
        let mut asm = Assembler::new();
        note_exit(&mut asm, VmHostCtx::STORE);
        asm.mov_rm(Size::S64, Gpr::RSI, Mem::new(SCRATCH, VmStore::CALLER));
        // An empty array, aligned as the others are.
        asm.lea(Size::S64, Gpr::RDX, Mem::new(Gpr::RSP, 8));
        asm.jmp_m(shim);
        return finish(asm);
    }
    // [rbp-16] the results pointer, if there is one, and the array below, all 16-aligned.
    let area_at = Mem::new(Gpr::RBP, -16);
    let area = if conv.results_pointer.is_some() { 16 } else { 0 };
    let mut asm = Assembler::new();
    enter_host(&mut asm, VmHostCtx::STORE, area + count * ValRaw::SIZE as i32);
    if let Some(area) = conv.results_pointer {
        let Loc::Gpr(area) = area else { unreachable!("the results pointer is the first argument") };
        asm.mov_mr(Width::W64, area_at, gpr(area));
    }
    // Register arguments first: copying stack arguments goes through xmm15, which holds none.
    for (at, &(class, loc)) in conv.args.iter().enumerate() {
        let value = Mem::new(Gpr::RSP, at as i32 * ValRaw::SIZE as i32);
        match loc {
            Loc::Gpr(reg) => asm.mov_mr(width_of_class(class), value, gpr(reg)),
            Loc::Xmm(reg) => store_vector(&mut asm, class, value, xmm(reg)),
            Loc::Stack(offset) => copy(&mut asm, class, value, Mem::new(Gpr::RBP, 16 + offset as i32)),
            Loc::ResultArea(_) => unreachable!("an argument is no result"),
        }
    }
    asm.mov_rm(Size::S64, Gpr::RSI, Mem::new(SCRATCH, VmStore::CALLER));
    asm.mov_rr(Size::S64, Gpr::RDX, Gpr::RSP);
    asm.call_m(shim);
    if conv.results_pointer.is_some() {
        asm.mov_rm(Size::S64, SCRATCH, area_at);
    }
    for (at, &(class, loc)) in conv.results.iter().enumerate() {
        let value = Mem::new(Gpr::RSP, at as i32 * ValRaw::SIZE as i32);
        match loc {
            Loc::Gpr(reg) => asm.mov_rm(size_of_class(class), gpr(reg), value),
            Loc::Xmm(reg) => load_vector(&mut asm, class, xmm(reg), value),
            Loc::ResultArea(offset) => copy(&mut asm, class, Mem::new(SCRATCH, offset as i32), value),
            Loc::Stack(_) => unreachable!("no result travels on the stack"),
        }
    }
    asm.mov_rr(Size::S64, Gpr::RSP, Gpr::RBP);
    asm.pop_r(Gpr::RBP);
    match u16::try_from(conv.stack_bytes) {
        Ok(0) => asm.ret(),
        Ok(bytes) => asm.ret_i(bytes),
        // A type has at most 1,000 parameters of at most 16 bytes.
        Err(_) => unreachable!("{} bytes of stack arguments", conv.stack_bytes),
    }
    finish(asm)
}

/// The stub of a builtin whose code is at `target`: called by the C convention with `vmctx` first.
///
/// Notes the exit, calls the target with the same arguments, and returns its value; unwinds when the
/// status beside the value is not 0.
pub fn builtin(target: usize) -> Vec<u8> {
    let store_at = Mem::new(Gpr::RBP, -8);
    let mut asm = Assembler::new();
    enter_host(&mut asm, VmCtxHeader::STORE, 16);
    asm.mov_mr(Width::W64, store_at, SCRATCH);
    asm.mov_ri(Gpr::RAX, target as i64);
    asm.call_r(Gpr::RAX);
    let abandon = asm.new_label();
    asm.test_rr(Size::S64, Gpr::RDX, Gpr::RDX);
    asm.jcc(Cond::NotEqual, abandon);
    asm.mov_rr(Size::S64, Gpr::RSP, Gpr::RBP);
    asm.pop_r(Gpr::RBP);
    asm.ret();
    asm.bind(abandon);
    asm.mov_rm(Size::S64, Gpr::RDI, store_at);
    asm.jmp_m(Mem::new(Gpr::RDI, VmStore::UNWIND));
    finish(asm)
}

/// As [`builtin`], for one that has no value: gives every register back as it was.
pub fn builtin_keeping_registers(target: usize) -> Vec<u8> {
    const INTS: [Gpr; 9] =
        [Gpr::RAX, Gpr::RCX, Gpr::RDX, Gpr::RSI, Gpr::RDI, Gpr::R8, Gpr::R9, Gpr::R10, Gpr::R11];
    let store_at = Mem::new(Gpr::RBP, -8);
    let ints = || INTS.into_iter().zip(1..).map(|(reg, at)| (reg, Mem::new(Gpr::RBP, -8 - 8 * at)));
    let vectors_at = -8 - 8 * (INTS.len() as i32 + 1);
    let vectors = || (0..16).map(|at| (xmm(at), Mem::new(Gpr::RBP, vectors_at - 16 * (i32::from(at) + 1))));
    let mut asm = Assembler::new();
    asm.push_r(Gpr::RBP);
    asm.mov_rr(Size::S64, Gpr::RBP, Gpr::RSP);
    let bytes = 16 * 16 - vectors_at;
    asm.sub_ri(Size::S64, Gpr::RSP, bytes + (16 - bytes % 16));
    ints().for_each(|(reg, at)| asm.mov_mr(Width::W64, at, reg));
    vectors().for_each(|(reg, at)| asm.movups_mx(at, reg));
    // The exit is noted as if there were no frame here.
    asm.mov_rm(Size::S64, SCRATCH, Mem::new(Gpr::RDI, VmCtxHeader::STORE));
    asm.mov_mr(Width::W64, store_at, SCRATCH);
    asm.mov_rm(Size::S64, Gpr::RAX, Mem::new(Gpr::RBP, CALLER_FP as i32));
    asm.mov_mr(Width::W64, Mem::new(SCRATCH, VmStore::LAST_EXIT_FP), Gpr::RAX);
    asm.lea(Size::S64, Gpr::RAX, Mem::new(Gpr::RBP, RETURN_ADDRESS as i32));
    asm.mov_mr(Width::W64, Mem::new(SCRATCH, VmStore::LAST_EXIT_SP), Gpr::RAX);
    asm.mov_ri(Gpr::RAX, target as i64);
    asm.call_r(Gpr::RAX);
    let abandon = asm.new_label();
    asm.test_rr(Size::S64, Gpr::RDX, Gpr::RDX);
    asm.jcc(Cond::NotEqual, abandon);
    vectors().for_each(|(reg, at)| asm.movups_xm(reg, at));
    ints().for_each(|(reg, at)| asm.mov_rm(Size::S64, reg, at));
    asm.mov_rr(Size::S64, Gpr::RSP, Gpr::RBP);
    asm.pop_r(Gpr::RBP);
    asm.ret();
    asm.bind(abandon);
    asm.mov_rm(Size::S64, Gpr::RDI, store_at);
    asm.jmp_m(Mem::new(Gpr::RDI, VmStore::UNWIND));
    finish(asm)
}

/// Bytes of one stub of [`first_calls`].
pub const FIRST_CALL_LEN: usize = 16;

/// Stubs for functions that have no code yet: the `count` functions of any module whose places among those that
/// it defines begin at `first`, [`FIRST_CALL_LEN`] bytes each.
///
/// A stub is called like its function. It keeps every argument, has `target` (the builtin
/// [`FirstCall`](tenure_abi::Builtin::FirstCall)) make the code, and goes on there as if the caller had called
/// it; unwinds when there is none.
pub fn first_calls(first: u32, count: u32, target: usize) -> Vec<u8> {
    const INTS: [Gpr; 6] = [Gpr::RDI, Gpr::RSI, Gpr::RDX, Gpr::RCX, Gpr::R8, Gpr::R9];
    let (store_at, ints_at, vectors_at) = (-8, -8 - 8 * INTS.len() as i32, -64 - 16 * 8);
    let xmms = (0..8).map(xmm);
    let place = Gpr::R10;
    let mut asm = Assembler::new();
    let common = asm.new_label();
    for at in 0..count {
        asm.mov_ri(place, i64::from(first + at));
        asm.jmp(common);
        while !asm.offset().is_multiple_of(FIRST_CALL_LEN) {
            asm.int3();
        }
    }
    asm.bind(common);
    enter_host(&mut asm, VmCtxHeader::STORE, -vectors_at);
    asm.mov_mr(Width::W64, Mem::new(Gpr::RBP, store_at), SCRATCH);
    for (at, reg) in INTS.into_iter().enumerate() {
        asm.mov_mr(Width::W64, Mem::new(Gpr::RBP, ints_at + 8 * at as i32), reg);
    }
    for (at, reg) in xmms.clone().enumerate() {
        asm.movups_mx(Mem::new(Gpr::RBP, vectors_at + 16 * at as i32), reg);
    }
    asm.mov_rr(Size::S32, Gpr::RSI, place);
    asm.mov_ri(Gpr::RAX, target as i64);
    asm.call_r(Gpr::RAX);
    let abandon = asm.new_label();
    asm.test_rr(Size::S64, Gpr::RDX, Gpr::RDX);
    asm.jcc(Cond::NotEqual, abandon);
    for (at, reg) in xmms.enumerate() {
        asm.movups_xm(reg, Mem::new(Gpr::RBP, vectors_at + 16 * at as i32));
    }
    for (at, reg) in INTS.into_iter().enumerate() {
        asm.mov_rm(Size::S64, reg, Mem::new(Gpr::RBP, ints_at + 8 * at as i32));
    }
    asm.mov_rr(Size::S64, Gpr::RSP, Gpr::RBP);
    asm.pop_r(Gpr::RBP);
    asm.jmp_r(Gpr::RAX);
    asm.bind(abandon);
    asm.mov_rm(Size::S64, Gpr::RDI, Mem::new(Gpr::RBP, store_at));
    asm.jmp_m(Mem::new(Gpr::RDI, VmStore::UNWIND));
    finish(asm)
}

/// Notes where the guest left, and makes a frame of `bytes`. Leaves the store's context in the scratch
/// register; every argument register keeps its value.
fn enter_host(asm: &mut Assembler, store_offset: i32, bytes: i32) {
    note_exit(asm, store_offset);
    asm.push_r(Gpr::RBP);
    asm.mov_rr(Size::S64, Gpr::RBP, Gpr::RSP);
    asm.sub_ri(Size::S64, Gpr::RSP, bytes);
}

/// Notes where the guest left: its frame pointer, and where the return address is, which is on top. Leaves the
/// store's context in the scratch register.
fn note_exit(asm: &mut Assembler, store_offset: i32) {
    asm.mov_rm(Size::S64, SCRATCH, Mem::new(Gpr::RDI, store_offset));
    asm.mov_mr(Width::W64, Mem::new(SCRATCH, VmStore::LAST_EXIT_FP), Gpr::RBP);
    asm.mov_mr(Width::W64, Mem::new(SCRATCH, VmStore::LAST_EXIT_SP), Gpr::RSP);
}

fn gpr(number: u8) -> Gpr {
    Gpr::from_number(number).expect("the calling convention names registers that exist")
}

fn xmm(number: u8) -> Xmm {
    Xmm::from_number(number).expect("the calling convention names registers that exist")
}

fn size_of_class(class: ValClass) -> Size {
    if class == ValClass::I32 { Size::S32 } else { Size::S64 }
}

fn width_of_class(class: ValClass) -> Width {
    if class == ValClass::I32 { Width::W32 } else { Width::W64 }
}

fn load_vector(asm: &mut Assembler, class: ValClass, dst: Xmm, src: Mem) {
    match class {
        ValClass::F32 => asm.movss_xm(dst, src),
        ValClass::F64 => asm.movsd_xm(dst, src),
        _ => asm.movups_xm(dst, src),
    }
}

fn store_vector(asm: &mut Assembler, class: ValClass, dst: Mem, src: Xmm) {
    match class {
        ValClass::F32 => asm.movss_mx(dst, src),
        ValClass::F64 => asm.movsd_mx(dst, src),
        _ => asm.movups_mx(dst, src),
    }
}

/// Copies a value through xmm15, which no convention uses. Reads no more than the value's own bytes.
fn copy(asm: &mut Assembler, class: ValClass, dst: Mem, src: Mem) {
    let class = match class {
        ValClass::I32 => ValClass::F32,
        ValClass::I64 => ValClass::F64,
        vector => vector,
    };
    load_vector(asm, class, Xmm::XMM15, src);
    store_vector(asm, class, dst, Xmm::XMM15);
}

fn finish(asm: Assembler) -> Vec<u8> {
    asm.finish().expect("every label of a stub is bound and near")
}
