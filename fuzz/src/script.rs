//! What is done with a module: which functions are called, with which arguments.
//!
//! It is found in the module itself, so that a module that was made smaller still has one; the arguments of a function
//! depend on its name and the seed alone.

use crate::generate::Effort;
use crate::lattice;
use crate::rng::Rng;
use crate::value::{Type, Value};
use wasmparser::{ExternalKind, Parser, Payload, Validator};

/// Something that the host does.
#[derive(Debug)]
pub enum Action {
    /// It calls an exported function.
    Call {
        /// Whose.
        of: usize,
        /// Its name.
        name: String,
        /// What it is given.
        arguments: Vec<Value>,
    },
    /// It grows an exported memory or table, or writes to one or to a global.
    Change {
        /// Whose.
        of: usize,
        /// The export.
        name: String,
        /// What to do to it.
        number: u64,
    },
}

/// The actions of `effort` on `modules`, which take turns; none on those that are not valid.
pub fn actions(modules: &[Vec<u8>], seed: u64, effort: Effort) -> Vec<Action> {
    let Effort::Calls { exports, calls } = effort else { return Vec::new() };
    let mut turns: Vec<_> = (modules.iter().enumerate())
        .map(|(of, wasm)| actions_of(of, wasm, seed, exports, calls).into_iter())
        .collect();
    let mut actions = Vec::new();
    loop {
        let before = actions.len();
        actions.extend(turns.iter_mut().filter_map(Iterator::next));
        if actions.len() == before {
            return actions;
        }
    }
}

/// The actions on module `of`, which is `wasm`.
fn actions_of(of: usize, wasm: &[u8], seed: u64, exports: usize, calls: usize) -> Vec<Action> {
    let Exports { functions, others } = Exports::of(wasm).unwrap_or_default();
    let functions = &functions[..functions.len().min(exports)];
    let each = calls / functions.len().max(1);
    let mut actions = Vec::new();
    for (name, params) in functions {
        let mut rng = Rng::new(seed, name);
        // Without parameters the second call shows what the first one left.
        let count = if params.is_empty() { 2.min(each) } else { each };
        for _ in 0..count.max(1) {
            let arguments = params.iter().map(|&ty| lattice::any(&mut rng, ty)).collect();
            actions.push(Action::Call { of, name: name.clone(), arguments });
            if !others.is_empty() && rng.chance(15) {
                let (name, number) = (rng.pick(&others).clone(), rng.next());
                actions.push(Action::Change { of, name, number });
            }
        }
    }
    actions
}

/// What a module exports.
#[derive(Default)]
struct Exports {
    /// Functions whose parameters the rig can make.
    functions: Vec<(String, Vec<Type>)>,
    /// Memories, tables and globals.
    others: Vec<String>,
}

impl Exports {
    fn of(wasm: &[u8]) -> Option<Self> {
        let types = Validator::new_with_features(crate::engine::features()).validate_all(wasm).ok()?;
        let types = types.as_ref();
        let mut all = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(Payload::ExportSection(exports)) = payload else { continue };
            for export in exports.into_iter().flatten() {
                if export.kind != ExternalKind::Func {
                    all.others.push(export.name.to_string());
                    continue;
                }
                let ty = types.get(types.core_function_at(export.index))?.unwrap_func();
                let params: Option<Vec<_>> = ty.params().iter().map(|&ty| Type::from_parser(ty)).collect();
                all.functions.extend(params.map(|params| (export.name.to_string(), params)));
            }
        }
        Some(all)
    }
}
