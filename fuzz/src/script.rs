//! What is done with a module: which functions are called, with which arguments.
//!
//! It is found in the module itself, so that a module that was made smaller still has one; the arguments of a function
//! depend on its name and the seed alone.

use crate::generate::Effort;
use crate::lattice;
use crate::rng::Rng;
use crate::value::{Type, Value};
use wasmparser::{ExternalKind, Parser, Payload, Validator};

/// A call from the host.
pub struct Call {
    /// The exported function.
    pub name: String,
    /// What it is given.
    pub arguments: Vec<Value>,
}

/// The calls of `effort` on `wasm`, none if it is not valid.
pub fn calls(wasm: &[u8], seed: u64, effort: Effort) -> Vec<Call> {
    let Effort::Calls { exports, calls } = effort else { return Vec::new() };
    let functions = functions(wasm).unwrap_or_default();
    let functions = &functions[..functions.len().min(exports)];
    let each = calls / functions.len().max(1);
    let mut script = Vec::new();
    for (name, params) in functions {
        let mut rng = Rng::new(seed, name);
        // Without parameters the second call shows what the first one left.
        let count = if params.is_empty() { 2.min(each) } else { each };
        for _ in 0..count.max(1) {
            let arguments = params.iter().map(|&ty| lattice::any(&mut rng, ty)).collect();
            script.push(Call { name: name.clone(), arguments });
        }
    }
    script
}

/// The exported functions whose parameters the rig can make.
fn functions(wasm: &[u8]) -> Option<Vec<(String, Vec<Type>)>> {
    let types = Validator::new_with_features(crate::engine::features()).validate_all(wasm).ok()?;
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(Payload::ExportSection(exports)) = payload else { continue };
        for export in exports.into_iter().flatten().filter(|export| export.kind == ExternalKind::Func) {
            let types = types.as_ref();
            let ty = types.get(types.core_function_at(export.index))?.unwrap_func();
            let params: Option<Vec<_>> = ty.params().iter().map(|&ty| Type::from_parser(ty)).collect();
            functions.extend(params.map(|params| (export.name.to_string(), params)));
        }
    }
    Some(functions)
}
