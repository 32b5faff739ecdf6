//! What is accepted is valid: each operator over every choice of operands, random operators, changed programs.

use super::*;
use crate::body::BodyAllocations;
use crate::parse::parse;
use std::sync::Arc;
use tenure_types::{FEATURES, Feature, TypeRegistry};
use wasmparser::{BinaryReader, FunctionBody};

/// Something of everything that operators may name. Types 0 to 5 are those of the functions.
const TEXT: &str = r#"(module
    (type $t0 (func)) (type $t1 (func (param i32 i64) (result f64))) (type $t2 (func (result i32 i32)))
    (type $t3 (func (param i32) (result i32))) (type $t4 (func (param funcref))) (type $t5 (func (param i32)))
    (import "" "f" (func (type $t1)))
    (memory 1) (table 4 funcref) (table 4 externref)
    (global (mut i32) (i32.const 0)) (global i64 (i64.const 0)) (global (mut v128) (v128.const i64x2 0 0))
    (global (mut f32) (f32.const 0)) (global (mut f64) (f64.const 0)) (global (mut funcref) (ref.null func))
    (elem funcref (ref.null func))
    (func (type $t0)) (func (type $t3) (local.get 0)) (func (type $t4)) (func (type $t5))
    (func (type $t2) (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 1) (i32.const 2))
    (func (type $t0) (local i32 i64 f32 f64 v128) nop)
    (data "abc"))"#;

/// The same without memory and data.
const BARE: &str = "(module (func (local i32 i64 f32 f64 v128) nop))";

fn random(state: &mut u64) -> u64 {
    // Marsaglia's.
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Checks bodies both ways.
struct Both<'a> {
    module: Module,
    like: Body<'a>,
    quick: QuickCheck,
    accepted: usize,
    valid: usize,
}

impl<'a> Both<'a> {
    /// For bodies that stand in the place of the last one of a module.
    fn new(bytes: &'a Arc<[u8]>) -> Self {
        let mut features = tenure_types::Features::NONE;
        FEATURES
            .iter()
            .filter(|feature| feature.is_default())
            .for_each(|&feature| features.set(feature, true));
        let mut parsed = parse(bytes, features, &TypeRegistry::default()).unwrap();
        let like = parsed.bodies.pop().unwrap();
        Self { module: parsed.module, like, quick: QuickCheck::default(), accepted: 0, valid: 0 }
    }

    /// Whether the body `code`, locals and operators, is accepted, and whether it is valid.
    fn check(&mut self, code: &[u8]) -> (bool, bool) {
        let mut reader = BinaryReader::new(code, 0);
        reader.set_features(self.like.features());
        let body = Body { code: FunctionBody::new(reader), ..again(&self.like) };
        let is_accepted = self.quick.accepts(&self.module, &body, &mut Summary::default());
        let is_valid = body.validate(BodyAllocations::default()).is_ok();
        assert!(is_valid || !is_accepted, "accepted, but not valid: {code:x?}");
        self.accepted += usize::from(is_accepted);
        self.valid += usize::from(is_valid);
        (is_accepted, is_valid)
    }
}

/// `body` without its code's lifetime.
fn again<'b>(body: &Body<'_>) -> Body<'b> {
    let Body { func, to_validate, is_checked, .. } = body.again();
    Body { func, code: FunctionBody::new(BinaryReader::new(&[], 0)), to_validate, is_checked, summary: None }
}

/// Declares a local of each type, in this order.
const LOCALS: [u8; 11] = [5, 1, 0x7f, 1, 0x7e, 1, 0x7d, 1, 0x7c, 1, 0x7b];

/// No operand, each one, each two, and three of which the last two are alike; 5 stands for a reference.
fn operands() -> impl Iterator<Item = Vec<u8>> {
    let two = || (0..36).map(|choice| (choice / 6, choice % 6));
    let up_to_one = std::iter::once(Vec::new()).chain((0..6).map(|one| vec![one]));
    up_to_one.chain(two().map(|(a, b)| vec![a, b])).chain(two().map(|(a, b)| vec![a, b, b]))
}

/// Every operator with many choices of operands, of immediates that name what there is and what there is not, and of
/// up to two results.
#[test]
fn single_operators() {
    let immediates: [&[u8]; 14] = [
        &[],
        &[0],
        &[1],
        &[3],
        &[9],
        &[0, 0],
        &[1, 0x7f],
        &[1, 0x70],
        &[4, 0],
        &[2, 0],
        &[0, 0, 15],
        &[0, 0, 1],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
        &[0; 16],
    ];
    let opcodes = (0..=0xfa_u8)
        .filter(|&opcode| !(0x02..=0x05).contains(&opcode))
        .map(|opcode| vec![opcode])
        .chain((0..=40).map(|operator| vec![0xfc, operator]))
        .chain((0..=0x7f).map(|operator| vec![0xfd, operator]))
        .chain((0x80..=0x120_u16).map(|operator| vec![0xfd, operator as u8 | 0x80, (operator >> 7) as u8]));
    let opcodes: Vec<_> = opcodes.collect();
    for text in [TEXT, BARE] {
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let mut both = Both::new(&bytes);
        for opcode in &opcodes {
            for operands in operands() {
                let mut start = LOCALS.to_vec();
                for local in operands {
                    match local {
                        // A reference.
                        5 => start.extend([0xd0, 0x70]),
                        local => start.extend([0x20, local]),
                    }
                }
                start.extend(opcode);
                for immediate in immediates {
                    let mut found = (false, false);
                    for drops in 0..3 {
                        let mut code = start.clone();
                        code.extend(immediate);
                        code.extend([0x1a].repeat(drops));
                        code.push(0x0b);
                        let (is_accepted, is_valid) = both.check(&code);
                        found = (found.0 | is_accepted, found.1 | is_valid);
                    }
                    // The other way round: nothing common is left to wasmparser.
                    let is_common = match opcode[..] {
                        [0x12..=0x15 | 0x25 | 0x26 | 0xd0..=0xfb] => false,
                        [0xfc, operator] => operator < 8 || matches!(operator, 8 | 10 | 11),
                        [0xfd, _, 2] => false,
                        _ => true,
                    };
                    let has_reference = start.windows(2).any(|two| two == [0xd0, 0x70]);
                    assert!(
                        !is_common || has_reference || found.0 == found.1,
                        "left: {start:x?} {immediate:x?}"
                    );
                }
            }
        }
        assert!(both.accepted > 2000, "{} of {}", both.accepted, both.valid);
    }
}

/// Short bodies of operators at random, many about control, many after control has left.
#[test]
fn random_operators() {
    let pieces: [&[u8]; 44] = [
        &[0x00],
        &[0x01],
        &[0x02, 0x40],
        &[0x02, 0x7f],
        &[0x02, 3],
        &[0x02, 1],
        &[0x02, 2],
        &[0x03, 0x40],
        &[0x03, 0x7e],
        &[0x03, 3],
        &[0x03, 0x83, 0],
        &[0x04, 0x40],
        &[0x04, 0x7f],
        &[0x04, 3],
        &[0x04, 5],
        &[0x02, 4],
        &[0x02, 0xff, 0x7f],
        &[0x05],
        &[0x0b],
        &[0x0b],
        &[0x0b],
        &[0x0c, 0],
        &[0x0c, 1],
        &[0x0d, 0],
        &[0x0d, 1],
        &[0x0e, 1, 0, 1],
        &[0x0e, 2, 0, 1, 2],
        &[0x0f],
        &[0x10, 1],
        &[0x10, 2],
        &[0x10, 5],
        &[0x11, 0, 0],
        &[0x1a],
        &[0x1a],
        &[0x1b],
        &[0x1c, 1, 0x7f],
        &[0x20, 0],
        &[0x20, 0],
        &[0x20, 1],
        &[0x21, 0],
        &[0x22, 1],
        &[0x41, 0],
        &[0x6a],
        &[0x45],
    ];
    let bytes: Arc<[u8]> = wat::parse_str(TEXT).unwrap().into();
    let mut both = Both::new(&bytes);
    let mut state = 1;
    for _ in 0..400_000 {
        let mut code = LOCALS.to_vec();
        let mut open = 0;
        for _ in 0..1 + random(&mut state) % 12 {
            let piece = pieces[random(&mut state) as usize % pieces.len()];
            open += usize::from(matches!(piece[0], 0x02..=0x04));
            open = open.saturating_sub(usize::from(piece[0] == 0x0b));
            code.extend(piece);
        }
        // Not all end as they should.
        open += usize::from(!random(&mut state).is_multiple_of(16));
        code.extend([0x0b].repeat(open));
        both.check(&code);
    }
    assert!(
        both.accepted > 5000 && both.accepted * 10 > both.valid * 9,
        "{} of {}",
        both.accepted,
        both.valid
    );
}

/// The bodies of programs, as they are and with bytes changed.
#[test]
fn changed_programs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/programs");
    let (mut bodies, mut accepted, mut state) = (0, 0, 2);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let bytes: Arc<[u8]> = std::fs::read(&path).unwrap().into();
        let mut both = Both::new(&bytes);
        let ranges = both.module.bodies.clone();
        for (at, range) in ranges.into_iter().enumerate() {
            both.like.func = both.module.defined_func(at);
            both.like.to_validate.ty = both.module.funcs[both.like.func.at()].ty.0;
            both.like.to_validate.index = both.like.func.0;
            let code = &bytes[range];
            let (is_accepted, is_valid) = both.check(code);
            assert!(is_valid);
            (bodies, accepted) = (bodies + 1, accepted + usize::from(is_accepted));
            for _ in 0..20 {
                let mut code = code.to_vec();
                for _ in 0..1 + random(&mut state) % 2 {
                    let at = random(&mut state) as usize % code.len();
                    match random(&mut state) % 3 {
                        0 => code[at] = random(&mut state) as u8,
                        1 => code[at] ^= 1 << (random(&mut state) % 8),
                        _ => code.truncate(at.max(1)),
                    }
                }
                both.check(&code);
            }
        }
    }
    assert!(accepted * 100 > bodies * 99, "{accepted} of {bodies} bodies are accepted");
}

#[test]
fn nothing_is_accepted_with_a_usual_proposal_off() {
    let bytes: Arc<[u8]> = wat::parse_str(BARE).unwrap().into();
    let mut features = tenure_types::Features::NONE;
    FEATURES.iter().for_each(|&feature| features.set(feature, true));
    for (feature, expected) in
        [(None, true), (Some(Feature::SignExtension), false), (Some(Feature::Simd), false)]
    {
        let mut features = features;
        feature.into_iter().for_each(|feature| features.set(feature, false));
        let parsed = parse(&bytes, features, &TypeRegistry::default());
        // The module itself has a vector among its locals.
        let Ok(parsed) = parsed else { continue };
        let is_accepted =
            QuickCheck::default().accepts(&parsed.module, &parsed.bodies[0], &mut Summary::default());
        assert_eq!(is_accepted, expected, "{feature:?}");
    }
}
