//! What is known of compiled instructions: one format for every tier.
//!
//! All tables are sorted by `code`, an offset in bytes from the function's start.

use tenure_abi::frame::FrameShape;
use tenure_abi::handlers::Handler;
use tenure_abi::stack_map::StackMap;
use tenure_types::Trap;

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
