//! Functions linked into one block of code.

use crate::{CompiledFunc, FuncMeta, Reloc, Tier};
use tenure_module::Module;
use tenure_types::FuncIdx;

/// A module's code: one block of bytes, position-independent but for its relocations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CodeImage {
    /// The code of every function, each aligned to [`CodeImage::ALIGN`]. Zero where a relocation fills something in.
    pub text: Vec<u8>,
    /// Where each function lies, in order of `start`.
    pub funcs: Vec<FuncRange>,
    /// Where the text needs the distance to a code slot; [`Reloc::at`] counts from the text's start.
    pub relocs: Vec<Reloc>,
}

/// One function in a [`CodeImage`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FuncRange {
    /// Which function.
    pub func: FuncIdx,
    /// Which tier made it.
    pub tier: Tier,
    /// First byte in the text.
    pub start: u32,
    /// Bytes.
    pub len: u32,
    /// What is known of its instructions; offsets count from `start`.
    pub meta: FuncMeta,
}

/// A module's code is larger than 32-bit offsets reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ImageTooLarge;

impl std::fmt::Display for ImageTooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the module's code is larger than 1 GiB")
    }
}

impl std::error::Error for ImageTooLarge {}

impl CodeImage {
    /// Alignment of the text and of each function, in bytes.
    pub const ALIGN: usize = 64;
    /// Most bytes of text.
    pub const MAX_LEN: usize = 1 << 30;

    /// Puts `funcs` one after the other.
    ///
    /// # Errors
    /// [`ImageTooLarge`] when the text would be longer than [`CodeImage::MAX_LEN`].
    pub fn link(funcs: impl IntoIterator<Item = CompiledFunc>) -> Result<Self, ImageTooLarge> {
        let mut image = Self::default();
        for func in funcs {
            image.push(func)?;
        }
        Ok(image)
    }

    /// Puts `func` behind what there is.
    ///
    /// # Errors
    /// As [`CodeImage::link`].
    pub fn push(&mut self, func: CompiledFunc) -> Result<(), ImageTooLarge> {
        let align = (func.align as usize).clamp(16, Self::ALIGN);
        let start = self.text.len().next_multiple_of(align);
        if start + func.code.len() > Self::MAX_LEN {
            return Err(ImageTooLarge);
        }
        self.text.resize(start, INT3);
        self.text.extend_from_slice(&func.code);
        let start = start as u32;
        let first = self.relocs.len();
        self.relocs.extend(func.relocs.iter().map(|reloc| Reloc { at: start + reloc.at, ..*reloc }));
        self.funcs.push(FuncRange {
            func: func.func,
            tier: func.tier,
            start,
            len: func.code.len() as u32,
            meta: func.meta,
        });
        clear(&mut self.text, &self.relocs[first..]);
        Ok(())
    }

    /// Makes the fields that relocations fill in what they are in an image: zero.
    pub fn clear_relocs(&mut self) {
        clear(&mut self.text, &self.relocs);
    }

    /// The function whose code holds offset `at` of the text.
    pub fn find(&self, at: u32) -> Option<&FuncRange> {
        let after = self.funcs.partition_point(|func| func.start <= at);
        self.funcs[..after].last().filter(|func| at - func.start < func.len)
    }

    /// The code of function `func`.
    pub fn func(&self, module: &Module, func: FuncIdx) -> Option<&FuncRange> {
        // Images of whole modules list every defined function in order.
        self.funcs.get(module.body_index(func)?).filter(|range| range.func == func)
    }
}

fn clear(text: &mut [u8], relocs: &[Reloc]) {
    for reloc in relocs {
        if let Some(field) = text.get_mut(reloc.at as usize..).and_then(<[u8]>::first_chunk_mut) {
            *field = [0; 4];
        }
    }
}

/// Fills gaps: running into one stops at once.
const INT3: u8 = 0xcc;
