//! Bytes that are nearly a module.

use super::{Effort, Generated, Nans, smith};
use crate::rng::Rng;

/// A module of wasm-smith's, cut, changed, or with bodies that make no sense.
pub fn generate(seed: u64) -> Option<Generated> {
    let mut rng = Rng::new(seed, "invalid");
    let Generated { mut modules, .. } = smith::generate(seed, Nans::Seen, smith::invalid)?;
    let mut wasm = modules.pop()?;
    match rng.below(10) {
        0 => {}
        1 => wasm.truncate(rng.below(wasm.len() + 1)),
        2 => {
            let bytes = rng.bytes(1 + seed as usize % 20);
            wasm.extend(bytes);
        }
        _ => {
            for _ in 0..rng.between(1, 4) {
                change(&mut rng, &mut wasm);
            }
        }
    }
    Some(Generated { modules: vec![wasm], nans: Nans::Seen, effort: Effort::Verdict })
}

/// Changes `wasm` in one place, mostly behind the header.
fn change(rng: &mut Rng, wasm: &mut Vec<u8>) {
    if wasm.len() <= 8 {
        return;
    }
    let at = if rng.chance(98) { rng.between(8, wasm.len() - 1) } else { rng.below(wasm.len()) };
    match rng.below(7) {
        0 => wasm[at] ^= 1 << rng.below(8),
        1 => wasm[at] = rng.next() as u8,
        // Values that mean something: ends, types, extremes of LEB128.
        2 => {
            wasm[at] =
                *rng.pick(&[0, 1, 0x0b, 0x40, 0x7f, 0x80, 0xff, 0x70, 0x6f, 0x7b, 0xfc, 0xfd, 0xfb, 0xfe])
        }
        3 => {
            wasm.remove(at);
        }
        4 => wasm.insert(at, rng.next() as u8),
        5 => {
            // The largest number of 32 bits in place of one byte.
            wasm.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        }
        _ => {
            let from = rng.between(8, wasm.len() - 1);
            let len = rng.between(1, 12).min(wasm.len() - from);
            let copy = wasm[from..from + len].to_vec();
            wasm.splice(at..at, copy);
        }
    }
}
