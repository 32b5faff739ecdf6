//! Real programs compile, and need nothing but code slots.

mod support;

use std::path::{Path, PathBuf};
use support::compile_bytes;
use tenure_code::Tunables;

/// Programs that come with the workspace's siblings, where they are there.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/programs");

/// Needs proposals that are not there yet.
const NOT_YET: &[&str] = &["splay"];

fn programs() -> Vec<PathBuf> {
    let dirs = std::fs::read_dir(Path::new(PROGRAMS)).into_iter().flatten().flatten();
    let wanted = dirs.filter(|dir| !NOT_YET.iter().any(|name| dir.file_name() == *name));
    let mut found: Vec<_> =
        wanted.map(|dir| dir.path().join("program.wasm")).filter(|path| path.exists()).collect();
    found.sort();
    found
}

fn check(tunables: &Tunables) {
    for path in programs() {
        let bytes = std::fs::read(&path).unwrap();
        let (module, funcs) = compile_bytes(&bytes, tunables);
        assert_eq!(funcs.len(), module.defined_funcs());
        for func in funcs {
            let func = func.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for reloc in &func.relocs {
                assert!(!module.is_imported_func(reloc.func) && reloc.func.at() < module.funcs.len());
                assert!(reloc.at as usize + 4 <= func.code.len());
            }
            assert!(tunables.signals || func.meta.traps.is_empty());
        }
    }
}

#[test]
fn every_function_compiles_with_signals() {
    check(&Tunables::default());
}

#[test]
fn every_function_compiles_without_signals() {
    check(&Tunables { signals: false, keep_vmctx: true, ..Tunables::default() });
}
