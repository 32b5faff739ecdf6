//! Where each argument and result of a guest function travels.
//!
//! Every guest function, in every tier, has the type `(vmctx, args…) -> results…` in the calling
//! convention that Cranelift calls `Tail`, on x86-64:
//!
//! - integers and references travel in rdi (always `vmctx`), rsi, rdx, rcx, r8, r9, floats and
//!   vectors in xmm0–xmm7; the rest on the stack, 8 bytes a slot, 16 and 16-aligned for a vector,
//!   first argument lowest; the area is a multiple of 16 bytes and the *callee* takes it off;
//! - results travel in rax, rcx, rdx, rsi, rdi, r8, r9, r10 and xmm0–xmm7;
//! - callee-saved: rbx, rbp, r12, r13, r14, r15. No vector register is.
//!
//! A function with more than eight integer or more than eight float results writes *all* of them
//! to memory instead, a [`ValRaw`](crate::ValRaw) each: the caller passes the address as the first
//! argument after `vmctx`.

use tenure_types::{FuncType, HeapType, ValType};

/// How a value is held in a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ValClass {
    /// 32 bits of a general register; the upper half is unspecified.
    I32,
    /// A whole general register.
    I64,
    /// The low 32 bits of a vector register.
    F32,
    /// The low 64 bits of a vector register.
    F64,
    /// A whole vector register.
    V128,
}

impl ValClass {
    /// The class of values of type `ty`: a funcref is a 64-bit pointer, a host reference a 32-bit number.
    pub fn of(ty: ValType) -> Self {
        match ty {
            ValType::I32 => Self::I32,
            ValType::I64 => Self::I64,
            ValType::F32 => Self::F32,
            ValType::F64 => Self::F64,
            ValType::V128 => Self::V128,
            ValType::Ref(ty) => match ty.heap {
                HeapType::Func | HeapType::NoFunc | HeapType::Concrete(_) => Self::I64,
                HeapType::Extern | HeapType::NoExtern => Self::I32,
            },
        }
    }

    /// Whether it travels in a general register.
    pub fn is_int(self) -> bool {
        matches!(self, Self::I32 | Self::I64)
    }

    /// Bytes of a value of the class.
    pub fn bytes(self) -> u32 {
        match self {
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
            Self::V128 => 16,
        }
    }
}

/// Where a value travels. Register numbers are the machine's encodings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loc {
    /// General register.
    Gpr(u8),
    /// Vector register.
    Xmm(u8),
    /// Stack, bytes above the stack pointer at the call instruction (the return address goes below).
    Stack(u32),
    /// Memory behind the results pointer, in bytes.
    ResultArea(u32),
}

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RSI: u8 = 6;
const RDI: u8 = 7;

/// General registers of arguments after `vmctx`, in order.
const INT_ARGS: [u8; 5] = [RSI, RDX, RCX, 8, 9];
/// General registers of results, in order.
const INT_RESULTS: [u8; 8] = [RAX, RCX, RDX, RSI, RDI, 8, 9, 10];
/// Vector registers of arguments and of results: the first so many.
const XMMS: u8 = 8;

/// Where `vmctx` travels: the first argument register.
pub const VMCTX: u8 = RDI;

/// The places of one signature's values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallConv {
    /// Where the results pointer travels, when results go through memory.
    pub results_pointer: Option<Loc>,
    /// Each argument, in order, without `vmctx`.
    pub args: Box<[(ValClass, Loc)]>,
    /// Each result, in order.
    pub results: Box<[(ValClass, Loc)]>,
    /// Bytes of stack arguments, a multiple of 16; the callee takes them off.
    pub stack_bytes: u32,
}

/// Whether results of `ty` go through memory instead of registers.
pub fn results_in_memory(ty: &FuncType) -> bool {
    let ints = ty.results().iter().filter(|&&ty| ValClass::of(ty).is_int()).count();
    ints > INT_RESULTS.len() || ty.results().len() - ints > usize::from(XMMS)
}

impl CallConv {
    /// The places of the values of `ty`.
    pub fn new(ty: &FuncType) -> Self {
        let mut next = Next { ints: INT_ARGS.iter(), xmm: 0, stack: 0 };
        let in_memory = results_in_memory(ty);
        let results_pointer = in_memory.then(|| next.take(ValClass::I64));
        let args = ty.params().iter().map(|&ty| {
            let class = ValClass::of(ty);
            (class, next.take(class))
        });
        let args = args.collect();
        let (mut ints, mut xmm) = (INT_RESULTS.iter(), 0);
        let results = ty.results().iter().enumerate().map(|(at, &ty)| {
            let class = ValClass::of(ty);
            let loc = if in_memory {
                Loc::ResultArea(at as u32 * crate::ValRaw::SIZE as u32)
            } else if class.is_int() {
                Loc::Gpr(*ints.next().expect("counted by `results_in_memory`"))
            } else {
                xmm += 1;
                Loc::Xmm(xmm - 1)
            };
            (class, loc)
        });
        let results = results.collect();
        Self { results_pointer, args, results, stack_bytes: next.stack.next_multiple_of(16) }
    }
}

struct Next {
    ints: std::slice::Iter<'static, u8>,
    xmm: u8,
    stack: u32,
}

impl Next {
    fn take(&mut self, class: ValClass) -> Loc {
        if class.is_int() {
            if let Some(&reg) = self.ints.next() {
                return Loc::Gpr(reg);
            }
        } else if self.xmm < XMMS {
            self.xmm += 1;
            return Loc::Xmm(self.xmm - 1);
        }
        let size = if class == ValClass::V128 { 16 } else { 8 };
        let at = self.stack.next_multiple_of(size);
        self.stack = at + size;
        Loc::Stack(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ValType::{F64, I32, I64, V128};

    #[test]
    fn the_sixth_integer_and_a_ninth_vector_go_to_the_stack() {
        let mut params = vec![I64; 6];
        params.extend([V128; 9]);
        let conv = CallConv::new(&FuncType::new(params, []));
        assert_eq!(conv.args[4].1, Loc::Gpr(9));
        assert_eq!(conv.args[5].1, Loc::Stack(0));
        assert_eq!(conv.args[13].1, Loc::Xmm(7));
        assert_eq!(conv.args[14].1, Loc::Stack(16));
        assert_eq!(conv.stack_bytes, 32);
    }

    #[test]
    fn a_ninth_integer_result_moves_all_results_to_memory() {
        let eight = CallConv::new(&FuncType::new([], [I32; 8]));
        assert_eq!((eight.results_pointer, eight.results[7].1), (None, Loc::Gpr(10)));
        let mut results = vec![I32; 9];
        results.push(F64);
        let ten = CallConv::new(&FuncType::new([I32], results));
        assert_eq!(ten.results_pointer, Some(Loc::Gpr(RSI)));
        assert_eq!(ten.args[0].1, Loc::Gpr(RDX));
        assert_eq!(ten.results[9].1, Loc::ResultArea(144));
    }
}
