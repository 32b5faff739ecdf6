//! Debug information from people who mean harm: an error is shown with its frames, in bounded time, memory and stack.

use std::thread;
use tenure::{Config, Engine, Instance, Module, Store, Strategy, WasmBacktraceDetails};

/// Whatever shows errors has this much stack.
const STACK: usize = 1 << 20;

/// Sections of debug information.
#[derive(Clone, Default)]
struct Dwarf {
    abbrev: Vec<u8>,
    info: Vec<u8>,
    line: Vec<u8>,
    str: Vec<u8>,
    ranges: Vec<u8>,
}

/// `value` in as few groups of seven bits as it takes.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let last = value < 0x80;
        bytes.push((value & 0x7f) as u8 | if last { 0 } else { 0x80 });
        value >>= 7;
        if last {
            return bytes;
        }
    }
}

fn word(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap().to_le_bytes()
}

/// A module whose function `f` traps, with `dwarf` for its debug information.
fn module(dwarf: &Dwarf) -> Vec<u8> {
    let mut wasm = wat::parse_str("(module (func $f (export \"f\") unreachable))").unwrap();
    let sections = [
        (".debug_abbrev", &dwarf.abbrev),
        (".debug_info", &dwarf.info),
        (".debug_line", &dwarf.line),
        (".debug_str", &dwarf.str),
        (".debug_ranges", &dwarf.ranges),
    ];
    for (name, bytes) in sections {
        let name = [leb(name.len()), name.as_bytes().to_vec()].concat();
        wasm.extend([vec![0], leb(name.len() + bytes.len()), name, bytes.clone()].concat());
    }
    wasm
}

/// The text of the error that `f` of `wasm` ends with.
fn shown(wasm: Vec<u8>) -> String {
    let show = move || {
        let mut config = Config::new();
        config.strategy(Strategy::Baseline).wasm_backtrace_details(WasmBacktraceDetails::Enable);
        let engine = Engine::new(&config).unwrap();
        let module = Module::from_binary(&engine, &wasm).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let error =
            instance.get_typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ()).unwrap_err();
        format!("{error:#}")
    };
    thread::Builder::new().stack_size(STACK).spawn(show).unwrap().join().unwrap()
}

/// Of `dwarf` nothing is shown, but the frame is.
fn is_absent(what: &str, dwarf: &Dwarf) {
    let text = shown(module(dwarf));
    assert!(text.contains("<unknown>!f"), "{what}: {text}");
}

// Forms and attributes.
const STRING: u8 = 0x08;
const STRP: u8 = 0x0e;
const ADDR: u8 = 0x01;
const DATA4: u8 = 0x06;
const REF4: u8 = 0x13;
const SEC_OFFSET: u8 = 0x17;
const FLAG_PRESENT: u8 = 0x19;
const NAME: u8 = 0x03;
const STMT_LIST: u8 = 0x10;
const LOW_PC: u8 = 0x11;
const HIGH_PC: u8 = 0x12;
const ORIGIN: u8 = 0x31;
const RANGES: u8 = 0x55;

/// Abbreviation `code`.
fn abbreviation(code: u8, tag: u8, has_children: bool, attributes: &[[u8; 2]]) -> Vec<u8> {
    [&[code, tag, has_children.into()], attributes.as_flattened(), &[0, 0]].concat()
}

/// Abbreviations: 1 a unit, 2 a function with a name written out, 3 a call inlined into it with `attributes`, 4 a unit
/// with a line program.
fn abbreviations(attributes: &[[u8; 2]]) -> Vec<u8> {
    let covers = [[LOW_PC, ADDR], [HIGH_PC, DATA4]];
    let mut bytes = abbreviation(1, 0x11, true, &covers);
    bytes.extend(abbreviation(2, 0x2e, true, &[[NAME, STRING], covers[0], covers[1]]));
    bytes.extend(abbreviation(3, 0x1d, true, attributes));
    bytes.extend(abbreviation(4, 0x11, true, &[covers[0], covers[1], [STMT_LIST, SEC_OFFSET]]));
    bytes.push(0);
    bytes
}

/// A unit of version 4 with `entries`.
fn unit(abbreviations: usize, entries: &[u8]) -> Vec<u8> {
    let header = [&[4, 0], &word(abbreviations)[..], &[4]].concat();
    [&word(header.len() + entries.len())[..], &header, entries].concat()
}

/// What a unit or function covers: all addresses that there are here.
fn everything() -> Vec<u8> {
    [word(0), word(1000)].concat()
}

/// A unit with one function, `source`, that has `inner` in it.
fn function(inner: &[u8]) -> Vec<u8> {
    unit(0, &[&[1], &everything()[..], &[2], b"source\0", &everything(), inner, &[0, 0]].concat())
}

#[test]
fn little_of_it_is_read() {
    let dwarf = Dwarf { abbrev: abbreviations(&[]), info: function(&[]), ..Dwarf::default() };
    let text = shown(module(&dwarf));
    assert!(text.contains("- source") && !text.contains("<unknown>!f"), "{text}");
}

#[test]
fn deep_nesting_counts_as_absent() {
    for depth in [300, 20_000, 1_000_000] {
        let inner = [vec![3; depth], vec![0; depth]].concat();
        let dwarf = Dwarf { abbrev: abbreviations(&[]), info: function(&inner), ..Dwarf::default() };
        is_absent(&format!("{depth} levels"), &dwarf);
        // Never closed.
        let dwarf = Dwarf { info: function(&vec![3; depth]), ..dwarf };
        is_absent(&format!("{depth} levels that are not closed"), &dwarf);
    }
}

#[test]
fn origins_that_lead_around_end() {
    for target in [0, 11, 20, 35, 36, 1 << 30] {
        let inner = [&[3], &word(target)[..], &[3], &word(36), &[0, 0]].concat();
        let dwarf =
            Dwarf { abbrev: abbreviations(&[[ORIGIN, REF4]]), info: function(&inner), ..Dwarf::default() };
        let text = shown(module(&dwarf));
        assert!(text.contains("source") || text.contains("<unknown>!f"), "{target}: {text}");
    }
}

#[test]
fn what_is_said_many_times_over_counts_as_absent() {
    // A function with many inlined calls: each has a chain of origins.
    let many = [3, 0].repeat(100_000);
    let dwarf = Dwarf { abbrev: abbreviations(&[]), info: function(&many), ..Dwarf::default() };
    is_absent("inlined calls", &dwarf);

    // Each of them with one long list of ranges.
    let inner = [&[3], &word(0)[..], &[0]].concat().repeat(10_000);
    let ranges = [word(1), word(2)].concat().repeat(100_000);
    let dwarf =
        Dwarf { abbrev: abbreviations(&[[RANGES, SEC_OFFSET]]), info: function(&inner), ranges, ..dwarf };
    is_absent("ranges", &dwarf);

    // Each of them with one long name.
    let inner = [&[3], &word(0)[..], &[0]].concat().repeat(10_000);
    let str = [vec![b'n'; 1 << 20], vec![0]].concat();
    let dwarf =
        Dwarf { abbrev: abbreviations(&[[NAME, STRP]]), info: function(&inner), str, ..Dwarf::default() };
    is_absent("a name", &dwarf);

    // Entries of one byte with very many attributes, of different names or of one.
    for name in [NAME, 0] {
        let flags: Vec<_> =
            (0..100_u8).map(|at| [if name == 0 { at + 1 } else { name }, FLAG_PRESENT]).collect();
        let dwarf =
            Dwarf { abbrev: abbreviations(&flags), info: function(&[3, 0].repeat(1000)), ..Dwarf::default() };
        is_absent("attributes", &dwarf);
    }
}

#[test]
fn tables_that_many_units_share_count_as_absent() {
    let covers = [&[4], &everything()[..]].concat();
    // Tables of abbreviations that begin one after the other and end together.
    let abbrev = abbreviation(1, 0x11, false, &[]).repeat(200_000);
    let step = abbreviation(1, 0x11, false, &[]).len();
    let info = (0..50_000).flat_map(|at| unit(at * step, &[1])).collect();
    is_absent("tables", &Dwarf { abbrev, info, ..Dwarf::default() });

    // One long line program in each unit.
    let one = unit(0, &[&covers[..], &word(0), &[0]].concat());
    let line = line_program(&[0x20; 100_000], 1);
    let dwarf = Dwarf { abbrev: abbreviations(&[]), info: one.repeat(10_000), line, ..Dwarf::default() };
    is_absent("line programs", &dwarf);
    // One long list of files.
    let line = line_program(&[], 100_000);
    is_absent("files", &Dwarf { info: one.repeat(10_000), line, ..dwarf.clone() });
    is_absent("units", &Dwarf { info: one.repeat(100_000), line: line_program(&[], 1), ..dwarf });
}

/// A line program of version 4.
fn line_program(opcodes: &[u8], files: usize) -> Vec<u8> {
    let lengths = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
    let mut header = [&[1, 1, 1, 0xfb, 14, 13], &lengths[..], b"dir\0\0"].concat();
    header.extend(b"f\0\x01\0\0".repeat(files));
    header.push(0);
    let program = [&[4, 0], &word(header.len())[..], &header, opcodes].concat();
    [&word(program.len())[..], &program].concat()
}

#[test]
fn cut_and_changed_bytes_leave_the_frames() {
    let opcodes = [&[0, 5, 2], &word(0)[..], &[0x20, 0x21, 3, 7, 2, 100, 1], &[0, 1, 1]].concat();
    let inner = [&[3], &word(24)[..], &[3], &word(24), &[0, 0]].concat();
    let entries =
        [&[4], &everything()[..], &word(0), &[2], b"source\0", &everything(), &inner, &[0, 0]].concat();
    let dwarf = Dwarf {
        abbrev: abbreviations(&[[ORIGIN, REF4]]),
        info: unit(0, &entries),
        line: line_program(&opcodes, 3),
        ..Dwarf::default()
    };
    let whole = shown(module(&dwarf));
    assert!(whole.contains("at dir/f:"), "{whole}");
    let section = |dwarf: &mut Dwarf, at: usize, change: &dyn Fn(&mut Vec<u8>)| match at {
        0 => change(&mut dwarf.abbrev),
        1 => change(&mut dwarf.info),
        _ => change(&mut dwarf.line),
    };
    for (at, len) in [dwarf.abbrev.len(), dwarf.info.len(), dwarf.line.len()].into_iter().enumerate() {
        for place in 0..len {
            let mut cut = dwarf.clone();
            section(&mut cut, at, &|bytes| bytes.truncate(place));
            let mut changed = vec![cut];
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = dwarf.clone();
                section(&mut other, at, &|bytes| bytes[place] = value);
                changed.push(other);
            }
            for dwarf in changed {
                let text = shown(module(&dwarf));
                assert!(text.contains("wasm backtrace") && text.contains("unreachable"), "{text}");
            }
        }
    }
}
