//! Where a guest was: a walk over frames by their frame pointers, from the last exit to the first entry.

use crate::call::Activation;
use crate::loaded::{CodeAt, LoadedModule};
use crate::store::Store;
use std::sync::Arc;
use tenure_abi::frame;
use tenure_types::FuncIdx;

/// Guest frames, innermost first. Holds the modules, so that names and lines can be found later.
#[derive(Clone, Default)]
pub struct Backtrace {
    modules: Vec<Arc<LoadedModule>>,
    frames: Vec<RawFrame>,
}

#[derive(Clone, Copy)]
struct RawFrame {
    module: u32,
    /// The instruction, or for a return address the last byte of the call.
    pc: usize,
    /// How many frames of the guest further in share this one of the machine: those of inlined calls.
    further_in: u32,
}

/// One guest frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Whose code it runs.
    pub module: &'a Arc<LoadedModule>,
    /// Which function.
    pub func: FuncIdx,
    /// The operator, in bytes from the start of the module, where that is known.
    pub wasm_offset: Option<u32>,
}

impl Backtrace {
    /// The frames of the active calls of `store`: from `at`, the instruction and frame pointer of a fault,
    /// or else from where the guest last left for the host.
    pub(crate) fn capture(store: &Store, at: Option<(usize, usize)>) -> Self {
        let mut trace = Self::default();
        let vm = store.vm();
        // SAFETY: the store's own context.
        let (exit_fp, exit_sp, entry_fp) =
            unsafe { ((*vm).last_exit_fp, (*vm).last_exit_sp, (*vm).entry_fp) };
        if entry_fp == 0 {
            return trace;
        }
        match at {
            Some((pc, fp)) => trace.walk(store, pc, fp, entry_fp, true),
            // SAFETY: the host that asks was called by this guest, and returns to it by that address.
            None => trace.walk(store, unsafe { on_stack(exit_sp) }, exit_fp, entry_fp, false),
        }
        let mut outer = store.outer;
        // SAFETY: the chain is of activations further out on this thread's stack, which are alive as long
        // as the calls that made them.
        while let Some(activation) = unsafe { outer.as_ref() } {
            let Activation { exit_fp, exit_sp, entry_fp, .. } = *activation;
            if entry_fp != 0 {
                // SAFETY: as above; that host waits for a call further in.
                trace.walk(store, unsafe { on_stack(exit_sp) }, exit_fp, entry_fp, false);
            }
            outer = activation.outer;
        }
        trace
    }

    /// Notes the frames from (`pc`, `fp`) out to the entry stub's frame. `exact` says that `pc` is the
    /// instruction itself and not the one after a call.
    fn walk(&mut self, store: &Store, pc: usize, fp: usize, entry_fp: usize, exact: bool) {
        let (mut pc, mut fp, mut exact) = (pc, fp, exact);
        while fp != entry_fp {
            self.push(store, pc, exact);
            exact = false;
            // SAFETY: every guest frame and every stub keeps the chain of frame pointers, which ends at the
            // entry stub's; these frames are still on the stack.
            (pc, fp) = unsafe { (on_stack(fp + frame::RETURN_ADDRESS), on_stack(fp + frame::CALLER_FP)) };
        }
    }

    fn push(&mut self, store: &Store, pc: usize, exact: bool) {
        let pc = if exact { pc } else { pc.wrapping_sub(1) };
        // A frame that waits for other code of its function is not one of the guest's; that of a function with inlined
        // calls is several.
        let count = |code: CodeAt<'_>| match !exact && code.meta.is_handover(code.at + 1) {
            true => 0,
            false => code.meta.frames_at(code.func, code.at).count() as u32,
        };
        let known = self.modules.last().and_then(|module| module.look_at(pc, count));
        let count = match known {
            Some(count) => count,
            None => {
                let Some(module) = store.space().find(pc) else { return };
                let Some(count) = module.look_at(pc, count) else { return };
                self.modules.push(module);
                count
            }
        };
        let module = self.modules.len() as u32 - 1;
        self.frames.extend((0..count).map(|further_in| RawFrame { module, pc, further_in }));
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.frames.iter().map(|frame| {
            let module = &self.modules[frame.module as usize];
            let place =
                |code: CodeAt<'_>| code.meta.frames_at(code.func, code.at).nth(frame.further_in as usize);
            let (func, wasm_offset) = module.look_at(frame.pc, place).flatten().unwrap_or((FuncIdx(0), None));
            Frame { module, func, wasm_offset }
        })
    }

    /// Whether there is no guest frame.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

/// The word at `address`.
///
/// # Safety
/// It lies in a frame that is still on this thread's stack.
unsafe fn on_stack(address: usize) -> usize {
    // SAFETY: the caller's promise; words of frames are aligned.
    unsafe { std::ptr::with_exposed_provenance::<usize>(address).read() }
}

impl std::fmt::Debug for Backtrace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}
