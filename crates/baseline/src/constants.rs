//! Constants and tables that lie behind a function's code.

use tenure_asm::Label;

/// What a function's code refers to behind itself.
#[derive(Default)]
pub(crate) struct Constants {
    /// Vectors, aligned to 16; the label once code refers to one.
    pub vectors: Vec<(u128, Option<Label>)>,
    /// Words of 4 or 8 bytes, aligned to 8.
    pub words: Vec<(u64, Label)>,
    /// Jump tables: where each begins, and its range of `targets`.
    pub tables: Vec<(Label, u32, u32)>,
    pub targets: Vec<Label>,
}

/// How many of the latest constants are looked through for an equal one.
const LOOK_BACK: usize = 16;

impl Constants {
    pub(crate) fn clear(&mut self) {
        self.vectors.clear();
        self.words.clear();
        self.tables.clear();
        self.targets.clear();
    }

    /// The number of the vector constant `bits`.
    pub(crate) fn vector(&mut self, bits: u128) -> u32 {
        let known = self.vectors.iter().rev().take(LOOK_BACK).position(|&(other, _)| other == bits);
        let at = match known {
            Some(back) => self.vectors.len() - 1 - back,
            None => {
                self.vectors.push((bits, None));
                self.vectors.len() - 1
            }
        };
        at as u32
    }

    /// The label of the word `bits`, if there is one.
    pub(crate) fn word(&self, bits: u64) -> Option<Label> {
        self.words.iter().rev().take(LOOK_BACK).find(|&&(other, _)| other == bits).map(|&(_, label)| label)
    }
}
