//! Which operators a module has.

use wasmparser::{Operator, Parser, Payload};

/// Calls `each` with every operator of every body of `wasm`, up to where it makes no sense.
pub fn operators<'a>(wasm: &'a [u8], mut each: impl FnMut(Operator<'a>)) {
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        let Payload::CodeSectionEntry(body) = payload else { continue };
        let Ok(operators) = body.get_operators_reader() else { continue };
        operators.into_iter().map_while(Result::ok).for_each(&mut each);
    }
}

/// Whether an operator of `wasm` is one that `is_meant`.
pub fn has(wasm: &[u8], is_meant: impl Fn(&Operator<'_>) -> bool) -> bool {
    let mut found = false;
    operators(wasm, |operator| found |= is_meant(&operator));
    found
}

/// Whether `operator` multiplies and adds with one rounding or two, as the engine likes.
pub fn may_fuse(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::F32x4RelaxedMadd
            | Operator::F32x4RelaxedNmadd
            | Operator::F64x2RelaxedMadd
            | Operator::F64x2RelaxedNmadd
    )
}
