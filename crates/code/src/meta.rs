//! What is known of compiled instructions: one format for every tier.
//!
//! All tables are sorted by `code`, an offset in bytes from the function's start.

use tenure_abi::frame::FrameShape;
use tenure_abi::handlers::Handler;
use tenure_abi::stack_map::StackMap;
use tenure_types::{FuncIdx, Trap};

/// The tables of one function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FuncMeta {
    /// Its frame.
    pub frame: FrameShape,
    /// Instructions that may trap.
    pub traps: Vec<TrapSite>,
    /// Which operator each stretch of code comes from.
    pub offsets: Vec<WasmOffset>,
    /// Return addresses at which something is known: a reference lives, an exception is caught.
    pub call_sites: Vec<CallSite>,
    /// Return addresses at which the frame waits for other code of the same function to end in its stead: in
    /// a backtrace it is no frame of its own.
    pub handovers: Vec<u32>,
    /// Calls that were translated in place; a call stands behind the one that it is in.
    pub inlined: Vec<InlinedCall>,
    /// Which inlined call each stretch of code belongs to; up to the first row, none.
    pub inlined_code: Vec<InlinedCode>,
}

/// An instruction that traps, or may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrapSite {
    /// The instruction's start.
    pub code: u32,
    /// What it means.
    pub trap: Trap,
}

/// The code from `code` on, up to the next row, comes from the operator at `wasm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WasmOffset {
    /// Start of the stretch.
    pub code: u32,
    /// The operator, in bytes from the start of the module; `u32::MAX` when it comes from none.
    pub wasm: u32,
}

/// A call whose callee was translated in place: in a backtrace a frame of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InlinedCall {
    /// Which function was called.
    pub func: FuncIdx,
    /// The call, in bytes from the start of the module; `u32::MAX` when offsets are not kept.
    pub wasm: u32,
    /// The inlined call that it stands in, by its place in [`FuncMeta::inlined`]; [`InlinedCode::NONE`] when it stands in
    /// the function itself.
    pub inside: u32,
}

/// The code from `code` on, up to the next row, comes from an inlined call's callee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InlinedCode {
    /// Start of the stretch.
    pub code: u32,
    /// The call, by its place in [`FuncMeta::inlined`]; [`InlinedCode::NONE`] for the function's own operators.
    pub call: u32,
}

impl InlinedCode {
    /// Stands for no inlined call.
    pub const NONE: u32 = u32::MAX;
}

/// A return address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSite {
    /// The instruction after the call.
    pub code: u32,
    /// References that live across the call.
    pub stack_map: StackMap,
    /// Where exceptions that leave the call are caught, innermost first.
    pub handlers: Box<[Handler]>,
}

impl FuncMeta {
    /// The trap of the instruction at `code`.
    pub fn trap_at(&self, code: u32) -> Option<Trap> {
        let at = self.traps.binary_search_by_key(&code, |site| site.code).ok()?;
        Some(self.traps[at].trap)
    }

    /// The operator that the instruction at `code` comes from, in bytes from the start of the module.
    pub fn wasm_offset_at(&self, code: u32) -> Option<u32> {
        let after = self.offsets.partition_point(|row| row.code <= code);
        let row = self.offsets[..after].last()?;
        (row.wasm != u32::MAX).then_some(row.wasm)
    }

    /// The guest's frames that an instruction of `func`'s code at `code` is in, innermost first: the callees of inlined calls,
    /// then `func` itself. Each with its operator, in bytes from the start of the module, where that is known.
    pub fn frames_at(&self, func: FuncIdx, code: u32) -> impl Iterator<Item = (FuncIdx, Option<u32>)> {
        let mut next = Some((self.inlined_call_at(code), self.wasm_offset_at(code)));
        std::iter::from_fn(move || {
            let (call, offset) = next?;
            let Some(call) = call else {
                next = None;
                return Some((func, offset));
            };
            next = Some((self.inlined_call(call.inside), (call.wasm != u32::MAX).then_some(call.wasm)));
            Some((call.func, offset))
        })
    }

    /// The innermost inlined call whose callee the instruction at `code` comes from.
    fn inlined_call_at(&self, code: u32) -> Option<&InlinedCall> {
        let after = self.inlined_code.partition_point(|row| row.code <= code);
        self.inlined_call(self.inlined_code[..after].last()?.call)
    }

    fn inlined_call(&self, at: u32) -> Option<&InlinedCall> {
        self.inlined.get(usize::try_from(at).ok()?)
    }

    /// Forgets which operators instructions come from, but not which functions.
    pub fn forget_offsets(&mut self) {
        self.offsets = Vec::new();
        self.inlined.iter_mut().for_each(|call| call.wasm = u32::MAX);
    }

    /// Whether a frame that returns to `code` has handed over to the code that it called.
    pub fn is_handover(&self, code: u32) -> bool {
        self.handovers.binary_search(&code).is_ok()
    }

    /// What is known of the return address `code`.
    pub fn call_site_at(&self, code: u32) -> Option<&CallSite> {
        let at = self.call_sites.binary_search_by_key(&code, |site| site.code).ok()?;
        Some(&self.call_sites[at])
    }
}
