//! Two modules, of which the second imports what the first exports: memories, tables, globals and functions that both
//! use, and functions of one in the other's tables.

use super::{Effort, FIRST, Generated, Nans, smith};
use crate::rng::Rng;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{EntityType, ImportSection, Module, TypeSection};
use wasmparser::{ExternalKind, Parser, Payload, Validator};

/// The modules of `seed`.
pub fn generate(seed: u64) -> Option<Generated> {
    let first = smith::generate(seed, Nans::Hidden, smith::shared)?;
    let available = imports(first.modules.first()?)?;
    let second = smith::generate_with(Rng::new(seed, "second").next(), Nans::Hidden, &mut |config, rng| {
        smith::shared(config, rng);
        config.available_imports = Some(available.clone());
        config.max_imports = 30;
        config.min_memories = 0;
    })?;
    let nans = if first.nans == Nans::Seen || second.nans == Nans::Seen { Nans::Seen } else { Nans::Hidden };
    let modules = [first.modules, second.modules].concat();
    Some(Generated { modules, nans, effort: Effort::Calls { exports: 10, calls: 20 } })
}

/// A module that imports everything that `wasm` exports.
fn imports(wasm: &[u8]) -> Option<Vec<u8>> {
    let types = Validator::new_with_features(crate::engine::features()).validate_all(wasm).ok()?;
    let types = types.as_ref();
    let mut encode = RoundtripReencoder;
    let (mut funcs, mut imports) = (TypeSection::new(), ImportSection::new());
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(Payload::ExportSection(exports)) = payload else { continue };
        for export in exports.into_iter().flatten() {
            let ty = match export.kind {
                ExternalKind::Func => {
                    let ty = types.get(types.core_function_at(export.index))?.unwrap_func();
                    funcs.ty().func_type(&encode.func_type(ty.clone()).ok()?);
                    EntityType::Function(funcs.len() - 1)
                }
                ExternalKind::Memory => {
                    EntityType::Memory(encode.memory_type(types.memory_at(export.index)).ok()?)
                }
                ExternalKind::Table => {
                    EntityType::Table(encode.table_type(types.table_at(export.index)).ok()?)
                }
                ExternalKind::Global => {
                    EntityType::Global(encode.global_type(types.global_at(export.index)).ok()?)
                }
                _ => continue,
            };
            imports.import(FIRST, export.name, ty);
        }
    }
    let mut module = Module::new();
    module.section(&funcs).section(&imports);
    Some(module.finish())
}
