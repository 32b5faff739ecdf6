//! What a function's code looks like, for people: bytes beside the operators they come from.

use crate::{CodeImage, FuncRange, Tier};
use tenure_types::{FuncIdx, Trap};

/// The code of one function.
#[derive(Clone, Copy, Debug)]
pub struct FuncCode<'a> {
    range: &'a FuncRange,
    /// Its code.
    pub bytes: &'a [u8],
}

/// A stretch of code that comes from one operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch<'a> {
    /// Where it starts, in bytes from the function's start.
    pub at: u32,
    /// The code.
    pub bytes: &'a [u8],
    /// The operator, in bytes from the start of the module; `None` when it comes from none.
    pub wasm: Option<u32>,
}

impl CodeImage {
    /// Every function, in order of its place in the text.
    pub fn describe(&self) -> impl ExactSizeIterator<Item = FuncCode<'_>> {
        self.funcs.iter().map(|range| {
            let start = range.start as usize;
            FuncCode { range, bytes: self.text.get(start..start + range.len as usize).unwrap_or_default() }
        })
    }
}

impl<'a> FuncCode<'a> {
    /// Which function it is.
    pub fn func(self) -> FuncIdx {
        self.range.func
    }

    /// Who made it.
    pub fn tier(self) -> Tier {
        self.range.tier
    }

    /// Where it lies in the text, in bytes.
    pub fn start(self) -> u32 {
        self.range.start
    }

    /// The code cut where the operator changes, first to last. Without rows it is one stretch.
    pub fn stretches(self) -> impl Iterator<Item = Stretch<'a>> {
        let (bytes, rows) = (self.bytes, self.range.meta.offsets.as_slice());
        let first = rows.first().map_or(bytes.len() as u32, |row| row.code);
        let before = Stretch { at: 0, bytes: bytes.get(..first as usize).unwrap_or_default(), wasm: None };
        let rest = rows.iter().enumerate().map(move |(row_at, row)| {
            let end = rows.get(row_at + 1).map_or(bytes.len(), |next| next.code as usize);
            let stretch = bytes.get(row.code as usize..end).unwrap_or_default();
            Stretch { at: row.code, bytes: stretch, wasm: (row.wasm != u32::MAX).then_some(row.wasm) }
        });
        std::iter::once(before).chain(rest).filter(|stretch| !stretch.bytes.is_empty())
    }

    /// Instructions that may trap: offsets from the function's start, rising.
    pub fn traps(self) -> impl ExactSizeIterator<Item = (u32, Trap)> {
        self.range.meta.traps.iter().map(|site| (site.code, site.trap))
    }
}

#[cfg(test)]
mod tests {
    use crate::{CodeImage, FuncMeta, FuncRange, Tier, WasmOffset};
    use tenure_types::FuncIdx;

    #[test]
    fn stretches_cover_the_code_once() {
        let offsets = vec![
            WasmOffset { code: 2, wasm: 40 },
            WasmOffset { code: 2, wasm: 41 },
            WasmOffset { code: 5, wasm: u32::MAX },
        ];
        let meta = FuncMeta { offsets, ..FuncMeta::default() };
        let range = FuncRange { func: FuncIdx(0), tier: Tier::Optimizing, start: 16, len: 8, meta };
        let image = CodeImage { text: (0..24).collect(), funcs: vec![range], relocs: Vec::new() };
        let func = image.describe().next().unwrap();
        let stretches: Vec<_> = func.stretches().map(|s| (s.at, s.bytes.to_vec(), s.wasm)).collect();
        let expected =
            [(0, vec![16, 17], None), (2, vec![18, 19, 20], Some(41)), (5, vec![21, 22, 23], None)];
        assert_eq!(stretches, expected);
    }
}
