//! Holds the tree to what ARCHITECTURE.md and docs/dependencies.md say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::Table;

/// Most crates that the tree of `tenure` may have.
const MOST_CRATES: usize = 60;

/// Libraries that only these crates may name.
const RESERVED: &[(&str, &[&str])] =
    &[("cranelift-", &["optimizing"]), ("libc", &["sys"]), ("cap-", &["wasi"])];

/// Packages of other runtimes: measured against in `bench`, never used.
const PEERS: &[&str] = &["wasmtime", "wasmer", "wasmi", "winch", "pulley", "wasm3", "wasmedge"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A row of the table of floors.
struct Room {
    floor: u32,
    may_hold_unsafe: String,
    uses: BTreeSet<String>,
}

/// The table of floors, by crate.
fn rooms() -> BTreeMap<String, Room> {
    let mut rooms = BTreeMap::new();
    for line in read("ARCHITECTURE.md").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [floor, name, _, may_hold_unsafe, uses] = cells[..] else { continue };
        let Ok(floor) = floor.parse() else { continue };
        let uses = uses.split_whitespace().filter(|&name| name != "—").map(str::to_owned).collect();
        let room = Room { floor, may_hold_unsafe: may_hold_unsafe.to_owned(), uses };
        rooms.insert(name.trim_matches('`').to_owned(), room);
    }
    assert!(!rooms.is_empty(), "ARCHITECTURE.md has no table of floors");
    rooms
}

fn crates() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("crates")).expect("the workspace has crates");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| root().join("crates").join(name).join("Cargo.toml").is_file()).collect()
}

/// The names in one of a crate's tables of dependencies.
fn dependencies(name: &str, table: &str) -> Vec<String> {
    let manifest: Table = read(&format!("crates/{name}/Cargo.toml")).parse().expect("a manifest is TOML");
    let dependencies = manifest.get(table).and_then(|value| value.as_table());
    dependencies.into_iter().flat_map(|table| table.keys().cloned()).collect()
}

/// The crate's name for one of our packages.
fn room_of(package: &str) -> Option<&str> {
    if package == "tenure" { Some("api") } else { package.strip_prefix("tenure-") }
}

#[test]
fn the_table_lists_every_crate_and_no_other() {
    let listed: BTreeSet<String> = rooms().into_keys().collect();
    assert_eq!(listed, crates());
}

#[test]
fn a_crate_uses_only_what_its_floor_may() {
    let rooms = rooms();
    for (name, room) in &rooms {
        for package in
            dependencies(name, "dependencies").into_iter().chain(dependencies(name, "build-dependencies"))
        {
            if let Some(used) = room_of(&package) {
                assert!(room.uses.contains(used), "{name} uses {used}, which its row does not list");
                assert!(rooms[used].floor < room.floor, "{name} uses {used}, which is no lower floor");
            }
            assert!(
                !PEERS.iter().any(|peer| package.starts_with(peer)),
                "{name} uses another runtime: {package}"
            );
            for (start, users) in RESERVED {
                let allowed = !package.starts_with(start) || users.contains(&name.as_str());
                assert!(allowed, "{name} uses {package}, which is for {users:?} alone");
            }
        }
        for used in &room.uses {
            assert!(rooms.contains_key(used), "the row of {name} lists {used}, which does not exist");
        }
    }
}

#[test]
fn each_root_says_of_unsafe_what_the_table_says() {
    for (name, room) in rooms() {
        let library = root().join(format!("crates/{name}/src/lib.rs"));
        let file =
            if library.is_file() { library } else { root().join(format!("crates/{name}/src/main.rs")) };
        let text = fs::read_to_string(&file).expect("a crate has a root");
        let forbids = text.contains("#![forbid(unsafe_code)]");
        let denies = text.contains("#![deny(unsafe_code)]");
        match &*room.may_hold_unsafe {
            "forbid" => assert!(forbids, "{name} does not forbid unsafe code"),
            // With nothing to list, forbidding says more.
            "listed" => assert!(denies || forbids, "{name} does not deny unsafe code"),
            "free" => assert!(!denies && !forbids, "{name} is not free to use unsafe code"),
            other => panic!("{name}: the table says {other:?} of unsafe"),
        }
    }
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_path_that_a_page_names_exists() {
    let folders = ["crates/", "docs/", "tests/", "examples/", "bench/", "programs/", ".ci/"];
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = read(page);
        for path in quoted(&text).filter(|path| folders.iter().any(|folder| path.starts_with(folder))) {
            assert!(root().join(path).exists(), "{page} names {path}, which does not exist");
        }
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut pages =
        vec![root().join("README.md"), root().join("ARCHITECTURE.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs", "docs/guide", "docs/decisions"] {
        let entries = fs::read_dir(root().join(folder)).expect("the documentation is there");
        let paths = entries.map(|entry| entry.expect("a folder can be read").path());
        pages.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let target = page.parent().expect("a page is in a folder").join(link);
            assert!(target.exists(), "{} links to {link}, which does not exist", page.display());
        }
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let text = read("docs/dependencies.md");
    let rows: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    let mut used = BTreeSet::new();
    for name in crates() {
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            used.extend(dependencies(&name, table).into_iter().filter(|package| room_of(package).is_none()));
        }
    }
    for package in &used {
        assert!(rows.contains(package.as_str()), "docs/dependencies.md has no reason for {package}");
    }
    for row in rows {
        assert!(used.contains(row), "docs/dependencies.md has a row for {row}, which nothing uses");
    }
}

#[test]
fn the_tree_is_as_large_as_its_page_says() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "-p", "tenure", "-e", "normal,build", "--prefix", "none", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
    assert!(crates.len() <= MOST_CRATES, "{} crates:\n{crates:#?}", crates.len());
    let text = read("docs/dependencies.md");
    let said = text.split("**").nth(1).and_then(|number| number.parse().ok());
    assert_eq!(said, Some(crates.len()), "docs/dependencies.md says another number of crates");
}
