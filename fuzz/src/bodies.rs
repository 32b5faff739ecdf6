//! Function bodies, changed in every way, before Tenure's quick check and before wasmparser's: what the one accepts the
//! other has to find valid.

use crate::profile::Profile;
use crate::rng::Rng;
use indicatif::ProgressBar;
use std::sync::Arc;
use tenure_module::{BodyAllocations, Parsed, QuickCheck, Summary, parse};
use tenure_types::{FEATURES, Features, TypeRegistry};

/// What was counted.
#[derive(Default)]
struct Counts {
    bodies: u64,
    accepted: u64,
    valid: u64,
    finds: u64,
}

/// Checks the bodies of the modules of `profiles`, `seeds` of each from `start` on, as they are and changed `changes`
/// times; the number of finds.
pub fn run(profiles: &[Profile], start: u64, seeds: u64, changes: u64) -> u64 {
    let mut features = Features::NONE;
    FEATURES.iter().for_each(|&feature| features.set(feature, true));
    let mut finds = 0;
    for profile in profiles {
        let mut counts = Counts::default();
        for seed in ProgressBar::new(seeds).wrap_iter(start..start + seeds) {
            let modules = (profile.generate)(seed).map(|generated| generated.modules).unwrap_or_default();
            for wasm in modules {
                let mut rng = Rng::new(seed, "bodies");
                let Some(bodies) = check(&wasm, features, &mut counts, profile.name, seed) else { continue };
                for _ in 0..changes {
                    let mut changed = wasm.clone();
                    for body in bodies.iter().filter(|body| body.len() > 1) {
                        for _ in 0..rng.between(1, 3) {
                            change(&mut rng, &mut changed[body.clone()]);
                        }
                    }
                    check(&changed, features, &mut counts, profile.name, seed);
                }
            }
        }
        let Counts { bodies, accepted, valid, finds: found } = counts;
        println!("{:11} {bodies} bodies, {valid} valid, {accepted} accepted, {found} finds", profile.name);
        finds += found;
    }
    finds
}

/// Checks every body of `wasm` both ways. Where they lie, if it is a module.
fn check(
    wasm: &[u8],
    features: Features,
    counts: &mut Counts,
    profile: &str,
    seed: u64,
) -> Option<Vec<std::ops::Range<usize>>> {
    let bytes: Arc<[u8]> = wasm.into();
    let Parsed { module, bodies } = parse(&bytes, features, &TypeRegistry::default()).ok()?;
    let mut quick = QuickCheck::default();
    let mut allocations = BodyAllocations::default();
    for body in bodies {
        let func = body.func;
        let is_accepted = quick.accepts(&module, &body, &mut Summary::default());
        let valid = body.validate(std::mem::take(&mut allocations));
        counts.bodies += 1;
        counts.accepted += u64::from(is_accepted);
        counts.valid += u64::from(valid.is_ok());
        match valid {
            Ok(buffers) => allocations = buffers,
            Err(error) if is_accepted => {
                counts.finds += 1;
                println!("find: {profile} {seed}: function {} is accepted: {error}\n{wasm:x?}", func.0);
            }
            Err(_) => {}
        }
    }
    Some(module.bodies)
}

/// Changes `body` in one place, and leaves its length.
fn change(rng: &mut Rng, body: &mut [u8]) {
    let at = rng.below(body.len());
    match rng.below(6) {
        0 => body[at] ^= 1 << rng.below(8),
        1 => body[at] = rng.next() as u8,
        // Mostly another operator of the same kind, or another index.
        2 => body[at] = body[at].wrapping_add(1 + rng.below(3) as u8),
        3 => body[at] = body[at].wrapping_sub(1 + rng.below(3) as u8),
        4 => {
            body[at] =
                *rng.pick(&[0, 1, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0f, 0x1a, 0x1b, 0x40, 0x7f, 0x80]);
        }
        _ => {
            let len = rng.between(1, 8).min(body.len() - at);
            let from = rng.below(body.len() - len + 1);
            body.copy_within(from..from + len, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    #[test]
    fn what_is_accepted_is_valid() {
        let profiles =
            ["small", "simd", "control"].map(|name| profile::find(name).expect("there is such a profile"));
        assert_eq!(run(&profiles, 0, 60, 20), 0);
    }
}
