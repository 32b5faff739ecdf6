//! Images as bytes, for a disk.
//!
//! Tables are written as differences from row to row, since they are sorted. What is read back keeps every
//! promise that [`CodeImage`] makes: functions in order and inside the text, tables sorted, relocations
//! inside the text. Whether the *code* is right cannot be seen; who loads an image must trust where it comes
//! from.

use crate::wire::{Damaged, Reader, Writer};
use crate::{
    CallSite, Cell, CodeImage, FuncMeta, FuncRange, InlinedCall, InlinedCode, Reloc, Tier, TrapSite,
    WasmOffset,
};
use tenure_abi::frame::FrameShape;
use tenure_abi::handlers::Handler;
use tenure_abi::stack_map::StackMap;
use tenure_types::{FuncIdx, TagIdx, Trap};

impl CodeImage {
    /// Writes the image.
    pub fn serialize(&self, to: &mut Writer) {
        to.bytes(&self.text);
        to.len(self.relocs.len());
        let mut last = 0;
        for reloc in &self.relocs {
            to.signed(i64::from(reloc.at) - last);
            to.num(reloc.cell as u8);
            to.num(reloc.func.0);
            to.signed(reloc.addend.into());
            last = reloc.at.into();
        }
        to.len(self.funcs.len());
        let mut end = 0;
        for func in &self.funcs {
            to.num(func.func.0);
            to.num(func.tier as u8);
            to.num(func.start - end);
            to.num(func.len);
            write_meta(&func.meta, to);
            end = func.start + func.len;
        }
    }

    /// Reads an image.
    ///
    /// # Errors
    /// [`Damaged`] when the bytes are not what [`CodeImage::serialize`] wrote.
    pub fn deserialize(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let text = from.bytes()?.to_vec();
        from.check(text.len() <= Self::MAX_LEN)?;
        let mut last = 0_i64;
        let relocs = from.list(|from| {
            last += i64::from(from.signed::<i32>()?);
            let at = u32::try_from(last).map_err(|_| from.damaged())?;
            from.check(at as usize + 4 <= text.len())?;
            let cell = match from.num::<u8>()? {
                0 => Cell::Slot,
                1 => Cell::Budget,
                _ => return Err(from.damaged()),
            };
            Ok(Reloc { at, cell, func: FuncIdx(from.num()?), addend: from.signed()? })
        })?;
        let mut end = 0_u32;
        let funcs = from.list(|from| {
            let func = FuncIdx(from.num()?);
            let tier = match from.num::<u8>()? {
                0 => Tier::Baseline,
                1 => Tier::Optimizing,
                _ => return Err(from.damaged()),
            };
            let start = end.checked_add(from.num()?).ok_or(from.damaged())?;
            let len = from.num()?;
            end = start.checked_add(len).ok_or(from.damaged())?;
            from.check(end as usize <= text.len() && start % 16 == 0)?;
            Ok(FuncRange { func, tier, start, len, meta: read_meta(from, len)? })
        })?;
        Ok(Self { text, funcs, relocs })
    }
}

// ORDER: the fields of a function's tables, in `write_meta` and `read_meta`.

fn write_meta(meta: &FuncMeta, to: &mut Writer) {
    let FuncMeta { frame, traps, offsets, call_sites, handovers, inlined, inlined_code } = meta;
    let FrameShape { vmctx } = frame;
    to.len(vmctx.iter().len());
    vmctx.iter().for_each(|&at| to.signed(at.into()));

    to.len(traps.len());
    let mut rows = Rows::default();
    for site in traps {
        rows.write(site.code, to);
        to.num(site.trap as u8);
    }
    to.len(offsets.len());
    let (mut rows, mut last) = (Rows::default(), 0_u32);
    for row in offsets {
        rows.write(row.code, to);
        to.signed((row.wasm.wrapping_sub(last) as i32).into());
        last = row.wasm;
    }
    to.len(call_sites.len());
    let mut rows = Rows::default();
    for site in call_sites {
        rows.write(site.code, to);
        to.len(site.stack_map.0.len());
        site.stack_map.0.iter().for_each(|&at| to.num(at));
        to.len(site.handlers.len());
        for handler in &site.handlers {
            to.num(handler.tag.map_or(0, |tag| u64::from(tag.0) + 1));
            to.num(handler.target);
        }
    }
    to.len(handovers.len());
    let mut rows = Rows::default();
    handovers.iter().for_each(|&code| rows.write(code, to));

    // `u32::MAX`, which stands for none, becomes 0.
    to.len(inlined.len());
    for call in inlined {
        to.num(call.func.0);
        to.num(call.wasm.wrapping_add(1));
        to.num(call.inside.wrapping_add(1));
    }
    to.len(inlined_code.len());
    let mut rows = Rows::default();
    for row in inlined_code {
        rows.write(row.code, to);
        to.num(row.call.wrapping_add(1));
    }
}

fn read_meta(from: &mut Reader<'_>, len: u32) -> Result<FuncMeta, Damaged> {
    let vmctx = from.list(Reader::signed)?;
    from.check(vmctx.len() <= 1)?;
    let frame = FrameShape { vmctx: vmctx.first().copied() };

    let mut rows = Rows::default();
    let traps = from.list(|from| {
        let code = rows.read(from, len)?;
        Ok(TrapSite { code, trap: Trap::from_code(from.num()?).ok_or(from.damaged())? })
    })?;
    let (mut rows, mut last) = (Rows::default(), 0_u32);
    let offsets = from.list(|from| {
        let code = rows.read(from, len)?;
        last = last.wrapping_add(from.signed::<i32>()? as u32);
        Ok(WasmOffset { code, wasm: last })
    })?;
    let mut rows = Rows::default();
    let call_sites = from.list(|from| {
        let code = rows.read(from, len)?;
        let stack_map = StackMap(from.list(Reader::num)?.into());
        let handlers = from.list(|from| {
            let tag = from.num::<u64>()?.checked_sub(1).map(u32::try_from).transpose();
            let tag = tag.map_err(|_| from.damaged())?.map(TagIdx);
            let target = from.num()?;
            from.check(target <= len)?;
            Ok(Handler { tag, target })
        })?;
        Ok(CallSite { code, stack_map, handlers: handlers.into() })
    })?;
    let mut rows = Rows::default();
    let handovers = from.list(|from| rows.read(from, len))?;

    let mut calls = 0;
    let inlined = from.list(|from| {
        let func = FuncIdx(from.num()?);
        let wasm = from.num::<u32>()?.wrapping_sub(1);
        let inside = from.num::<u32>()?;
        // Only in one before it, so that every way out ends.
        from.check(inside <= calls)?;
        calls += 1;
        Ok(InlinedCall { func, wasm, inside: inside.wrapping_sub(1) })
    })?;
    let mut rows = Rows::default();
    let inlined_code = from.list(|from| {
        let code = rows.read(from, len)?;
        let call = from.num::<u32>()?;
        from.check(call <= calls)?;
        Ok(InlinedCode { code, call: call.wrapping_sub(1) })
    })?;
    Ok(FuncMeta { frame, traps, offsets, call_sites, handovers, inlined, inlined_code })
}

/// The first column of a table: offsets in the code, which never fall.
#[derive(Default)]
struct Rows {
    last: u32,
}

impl Rows {
    fn write(&mut self, code: u32, to: &mut Writer) {
        to.num(code - self.last);
        self.last = code;
    }

    fn read(&mut self, from: &mut Reader<'_>, len: u32) -> Result<u32, Damaged> {
        let code = self.last.checked_add(from.num()?).ok_or(from.damaged())?;
        from.check(code <= len)?;
        self.last = code;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> CodeImage {
        let meta = FuncMeta {
            frame: FrameShape { vmctx: Some(-8) },
            traps: vec![TrapSite { code: 3, trap: Trap::IntegerOverflow }],
            offsets: vec![
                WasmOffset { code: 0, wasm: 40 },
                WasmOffset { code: 2, wasm: u32::MAX },
                WasmOffset { code: 5, wasm: 38 },
            ],
            call_sites: vec![CallSite {
                code: 5,
                stack_map: StackMap([8, 16].into()),
                handlers: [Handler { tag: None, target: 4 }, Handler { tag: Some(TagIdx(7)), target: 0 }]
                    .into(),
            }],
            handovers: vec![4, 5],
            inlined: vec![
                InlinedCall { func: FuncIdx(9), wasm: 50, inside: InlinedCode::NONE },
                InlinedCall { func: FuncIdx(2), wasm: u32::MAX, inside: 0 },
            ],
            inlined_code: vec![
                InlinedCode { code: 2, call: 1 },
                InlinedCode { code: 4, call: InlinedCode::NONE },
            ],
        };
        let funcs = vec![
            FuncRange { func: FuncIdx(1), tier: Tier::Optimizing, start: 0, len: 6, meta },
            FuncRange {
                func: FuncIdx(2),
                tier: Tier::Baseline,
                start: 16,
                len: 4,
                meta: FuncMeta::default(),
            },
        ];
        let relocs = vec![
            Reloc { at: 16, cell: Cell::Slot, func: FuncIdx(1), addend: -4 },
            Reloc { at: 1, cell: Cell::Budget, func: FuncIdx(2), addend: i32::MIN },
        ];
        CodeImage { text: (0..20).collect(), funcs, relocs }
    }

    fn bytes(image: &CodeImage) -> Vec<u8> {
        let mut writer = Writer::default();
        image.serialize(&mut writer);
        writer.into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<CodeImage, Damaged> {
        let mut reader = Reader::new(bytes, "image");
        let image = CodeImage::deserialize(&mut reader)?;
        reader.end()?;
        Ok(image)
    }

    #[test]
    fn an_image_comes_back() {
        for image in [image(), CodeImage::default()] {
            assert_eq!(read(&bytes(&image)), Ok(image));
        }
    }

    #[test]
    fn no_damage_panics_and_cut_images_are_refused() {
        let whole = bytes(&image());
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            for value in 0..=255 {
                let mut damaged = whole.clone();
                damaged[at] = value;
                if let Ok(image) = read(&damaged) {
                    let in_text = |func: &FuncRange| (func.start + func.len) as usize <= image.text.len();
                    assert!(image.funcs.iter().all(in_text));
                }
            }
        }
    }
}
