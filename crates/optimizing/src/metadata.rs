//! Cranelift's tables about a function, in our format.

use crate::inline::Locations;
use crate::traps::trap_of;
use cranelift_codegen::binemit;
use cranelift_codegen::ir::function::FunctionParameters;
use cranelift_codegen::ir::{ExternalName, StackSlot};
use cranelift_codegen::{
    CompiledCode, FinalizedMachExceptionHandler, FinalizedMachReloc, FinalizedRelocTarget,
};
use std::collections::BTreeMap;
use tenure_abi::frame::FrameShape;
use tenure_abi::handlers::Handler;
use tenure_abi::stack_map::StackMap;
use tenure_code::{CallSite, Cell, CompileError, FuncMeta, InlinedCode, Reloc, TrapSite, WasmOffset};
use tenure_types::{FuncIdx, TagIdx};

/// The bytes of function `func`, and where they need the distance to a code slot.
///
/// A function calls itself by the distance to its own start, which is known here.
pub(crate) fn bytes(
    func: FuncIdx,
    code: &CompiledCode,
    names: &FunctionParameters,
) -> Result<(Vec<u8>, Vec<Reloc>), CompileError> {
    let mut bytes = code.buffer.data().to_vec();
    let mut relocs = Vec::new();
    for reloc in code.buffer.relocs() {
        let callee = match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                names.user_named_funcs().get(*name).map(|name| FuncIdx(name.index))
            }
            _ => None,
        };
        let (at, addend) = (reloc.offset, i32::try_from(reloc.addend));
        match (reloc.kind, callee, addend) {
            (binemit::Reloc::X86GOTPCRel4, Some(slot), Ok(addend)) => {
                relocs.push(Reloc { at, cell: Cell::Slot, func: slot, addend })
            }
            (binemit::Reloc::X86CallPCRel4, Some(callee), Ok(addend)) if callee == func => {
                let distance = addend.wrapping_sub_unsigned(at).to_le_bytes();
                let hole = bytes.get_mut(at as usize..).and_then(|bytes| bytes.first_chunk_mut());
                *hole.ok_or_else(|| left(reloc))? = distance;
            }
            _ => return Err(left(reloc)),
        }
    }
    Ok((bytes, relocs))
}

/// The error for a relocation that we do not know.
fn left(reloc: &FinalizedMachReloc) -> CompileError {
    CompileError::Bug(format!("cranelift left the relocation {reloc:?}"))
}

/// What is known of the code's instructions, whose operators are at `locations`. Without `signals` no instruction traps.
pub(crate) fn meta(
    code: &CompiledCode,
    signals: bool,
    vmctx: Option<StackSlot>,
    locations: Locations,
) -> FuncMeta {
    let (offsets, inlined_code) = places(code, &locations);
    FuncMeta {
        handovers: Vec::new(),
        frame: FrameShape { vmctx: vmctx.and_then(|slot| frame_offset(code, slot)) },
        traps: if signals { traps(code) } else { Vec::new() },
        offsets,
        call_sites: call_sites(code),
        inlined: locations.calls,
        inlined_code,
    }
}

/// Where `slot` lies, in bytes from the frame pointer.
fn frame_offset(code: &CompiledCode, slot: StackSlot) -> Option<i32> {
    let frame = code.buffer.frame_layout()?;
    let from_bottom = i64::from(frame.stackslots[slot].offset);
    i32::try_from(from_bottom - i64::from(frame.frame_to_fp_offset)).ok()
}

fn traps(code: &CompiledCode) -> Vec<TrapSite> {
    let site =
        |trap: &cranelift_codegen::MachTrap| Some(TrapSite { code: trap.offset, trap: trap_of(trap.code)? });
    let mut traps: Vec<_> = code.buffer.traps().iter().filter_map(site).collect();
    traps.sort_by_key(|site| site.code);
    traps.dedup_by_key(|site| site.code);
    traps
}

/// Which operator each stretch of code comes from, and which inlined call.
fn places(code: &CompiledCode, locations: &Locations) -> (Vec<WasmOffset>, Vec<InlinedCode>) {
    let none = (InlinedCode::NONE, u32::MAX);
    let mut offsets: Vec<WasmOffset> = Vec::new();
    let mut calls: Vec<InlinedCode> = Vec::new();
    let mut end = 0;
    let mut push = |code, (call, wasm)| {
        if offsets.last().map_or(none.1, |last| last.wasm) != wasm {
            offsets.push(WasmOffset { code, wasm });
        }
        if calls.last().map_or(none.0, |last| last.call) != call {
            calls.push(InlinedCode { code, call });
        }
    };
    for stretch in code.buffer.get_srclocs_sorted() {
        if stretch.start > end {
            push(end, none);
        }
        push(stretch.start, locations.place_of(stretch.loc.bits()));
        end = stretch.end;
    }
    push(end, none);
    (offsets, calls)
}

fn call_sites(code: &CompiledCode) -> Vec<CallSite> {
    let mut sites: BTreeMap<u32, (StackMap, Vec<Handler>)> = BTreeMap::new();
    for (offset, _, map) in code.buffer.user_stack_maps() {
        let references = map.entries().map(|(_, at)| at).collect();
        sites.entry(*offset).or_default().0 = StackMap(references);
    }
    for call in code.buffer.call_sites().filter(|call| !call.exception_handlers.is_empty()) {
        let handlers = call.exception_handlers.iter().filter_map(|handler| match *handler {
            FinalizedMachExceptionHandler::Tag(tag, target) => {
                Some(Handler { tag: Some(TagIdx(tag.as_u32())), target })
            }
            FinalizedMachExceptionHandler::Default(target) => Some(Handler { tag: None, target }),
            // Tags are a module's, and `vmctx` says of which instance.
            FinalizedMachExceptionHandler::Context(_) => None,
        });
        sites.entry(call.ret_addr).or_default().1 = handlers.collect();
    }
    let site = |(code, (stack_map, handlers)): (u32, (StackMap, Vec<Handler>))| CallSite {
        code,
        stack_map,
        handlers: handlers.into(),
    };
    sites.into_iter().map(site).collect()
}
