//! Whether debug information is such that reading it takes little time, memory and stack.
//!
//! It comes from the guest, and what reads it later follows what it says: a few bytes can stand for deep nesting, or
//! for one long table many times over. So it is looked through before, once and without following anything, and
//! counts as absent when it is beyond what compilers write:
//!
//! - entries nest to [`MOST_DEPTH`], and no more calls than [`MOST_INLINED`] were inlined into one function;
//! - abbreviations name each attribute once, tables of them do not overlap, and neither do line programs;
//! - strings are short, so that following a reference to one is cheap wherever it leads;
//! - lists of ranges and of files are as long in all as one module needs.

use addr2line::gimli::{
    self, AttributeValue, Dwarf, EndianSlice, LittleEndian, RangeListsOffset, Reader, SectionId, Unit,
    UnitHeader, constants,
};
use std::collections::BTreeSet;

/// Levels of entries. Reading recurses over calls inlined into each other.
const MOST_DEPTH: isize = 256;
/// Calls inlined into one function, those inlined into them counted.
const MOST_INLINED: usize = 1 << 15;
/// Units of a module. Each keeps about a kibibyte as long as it is read.
const MOST_UNITS: usize = 1 << 16;
/// Attributes of one entry.
const MOST_ATTRIBUTES: usize = 64;
/// Abbreviations of a module.
const MOST_ABBREVIATIONS: usize = 1 << 20;
/// Bytes of a string: a name, or a path.
const MOST_STRING: usize = 16 << 10;
/// Bytes of entries without a zero among them: strings may stand there, and references lead anywhere.
const MOST_WITHOUT_ZERO: usize = 64 << 10;
/// Ranges of functions and inlined calls.
const MOST_RANGES: usize = 1 << 22;
/// Bytes of line programs; a byte becomes a row of 32 bytes at most.
const MOST_LINE_BYTES: usize = 32 << 20;
/// Bytes that list files and directories; a byte becomes about a hundred.
const MOST_FILE_BYTES: usize = 8 << 20;
/// Bytes of the paths of all files, written out.
const MOST_PATH_BYTES: usize = 64 << 20;

type Slice<'m> = EndianSlice<'m, LittleEndian>;

/// Whether reading `dwarf` is cheap. Has it keep the abbreviations that it read.
pub(crate) fn are_kept<'m>(dwarf: &mut Dwarf<Slice<'m>>, section: impl Fn(SectionId) -> Slice<'m>) -> bool {
    let strings = [
        (SectionId::DebugInfo, MOST_WITHOUT_ZERO),
        (SectionId::DebugStr, MOST_STRING),
        (SectionId::DebugLineStr, MOST_STRING),
    ];
    let are_short = strings.iter().all(|&(id, most)| are_short(section(id).slice(), most));
    let Some(headers) = headers(dwarf).filter(|_| are_short) else { return false };
    if abbreviations(&headers, section(SectionId::DebugAbbrev)).is_none() {
        return false;
    }
    keep_abbreviations(dwarf);
    line_programs(dwarf, &headers, section(SectionId::DebugLine)).is_some() && units(dwarf, headers).is_some()
}

/// Has `dwarf` keep its abbreviations, of which many units may share some: each is read once then.
pub(crate) fn keep_abbreviations(dwarf: &mut Dwarf<Slice<'_>>) {
    dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::All);
}

/// Whether no string in `bytes` is longer than `most`, wherever one is said to begin.
fn are_short(mut bytes: &[u8], most: usize) -> bool {
    while let Some(start) = bytes.get(..=most) {
        let Some(zero) = start.iter().rposition(|&byte| byte == 0) else { return false };
        bytes = &bytes[zero + 1..];
    }
    true
}

/// The headers of all units, as far as they can be read.
fn headers<'m>(dwarf: &Dwarf<Slice<'m>>) -> Option<Vec<UnitHeader<Slice<'m>>>> {
    let mut headers = Vec::new();
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        headers.push(header);
        if headers.len() > MOST_UNITS {
            return None;
        }
    }
    Some(headers)
}

/// Checks the tables of abbreviations, as far as they can be read.
fn abbreviations(headers: &[UnitHeader<Slice<'_>>], section: Slice<'_>) -> Option<()> {
    let tables: BTreeSet<usize> = headers.iter().map(|header| header.debug_abbrev_offset().0).collect();
    let (mut count, mut end) = (0, 0);
    for at in tables {
        if at < end {
            return None;
        }
        let mut table = section;
        if table.skip(at).is_err() {
            continue;
        }
        let mut names = Vec::new();
        // An error ends the table for whoever reads it later too.
        while let Ok(true) = abbreviation(&mut table, &mut names) {
            count += 1;
            names.sort_unstable();
            let is_repeated = names.windows(2).any(|pair| pair[0] == pair[1]);
            if is_repeated || names.len() > MOST_ATTRIBUTES || count > MOST_ABBREVIATIONS {
                return None;
            }
        }
        end = section.len() - table.len();
    }
    Some(())
}

/// Reads one abbreviation and the `names` of its attributes; `false` at the end of a table.
fn abbreviation(table: &mut Slice<'_>, names: &mut Vec<u64>) -> gimli::Result<bool> {
    names.clear();
    if table.read_uleb128()? == 0 {
        return Ok(false);
    }
    let (_tag, _has_children) = (table.read_uleb128()?, table.read_u8()?);
    loop {
        let (name, form) = (table.read_uleb128()?, table.read_uleb128()?);
        if (name, form) == (0, 0) {
            return Ok(true);
        }
        if form == u64::from(constants::DW_FORM_implicit_const.0) {
            table.read_sleb128()?;
        }
        // The reading ends where the verdict is clear.
        if names.len() <= MOST_ATTRIBUTES {
            names.push(name);
        }
    }
}

/// Checks how long the line programs of all units are.
fn line_programs(
    dwarf: &Dwarf<Slice<'_>>,
    headers: &[UnitHeader<Slice<'_>>],
    section: Slice<'_>,
) -> Option<()> {
    let (mut bytes, mut file_bytes) = (0_usize, 0_usize);
    for header in headers {
        let Some((program, files)) = line_program_of(dwarf, header, section) else { continue };
        bytes = bytes.saturating_add(program);
        file_bytes = file_bytes.saturating_add(files);
        if bytes > MOST_LINE_BYTES || file_bytes > MOST_FILE_BYTES {
            return None;
        }
    }
    Some(())
}

/// The bytes of a unit's line program, and of those the bytes of its header.
fn line_program_of(
    dwarf: &Dwarf<Slice<'_>>,
    header: &UnitHeader<Slice<'_>>,
    section: Slice<'_>,
) -> Option<(usize, usize)> {
    let abbreviations = dwarf.abbreviations(header).ok()?;
    let mut entries = header.entries_raw(&abbreviations, None).ok()?;
    let root = entries.read_abbreviation().ok()??;
    let mut place = None;
    for &attribute in root.attributes() {
        let attribute = entries.read_attribute(attribute).ok()?;
        if let (constants::DW_AT_stmt_list, AttributeValue::DebugLineRef(at)) =
            (attribute.name(), attribute.value())
        {
            place = Some(at.0);
        }
    }
    let mut rest = section;
    rest.skip(place?).ok()?;
    let (len, format) = rest.read_initial_length().ok()?;
    let mut program = rest.split(len).ok()?;
    if program.read_u16().ok()? >= 5 {
        program.skip(2).ok()?;
    }
    Some((len, program.read_length(format).ok()?))
}

/// Checks the entries and files of all units, as far as they can be read.
fn units<'m>(dwarf: &Dwarf<Slice<'m>>, headers: Vec<UnitHeader<Slice<'m>>>) -> Option<()> {
    let (mut ranges, mut path_bytes) = (MOST_RANGES, MOST_PATH_BYTES);
    for header in headers {
        let Ok(unit) = dwarf.unit(header) else { continue };
        paths(dwarf, &unit, &mut path_bytes)?;
        let mut walk = Walk { dwarf, unit: &unit, ranges: &mut ranges, function: None, inlined: 0 };
        // What cannot be read ends the reading later too.
        if let Err(Ended::Beyond) = walk.entries() {
            return None;
        }
    }
    Some(())
}

/// Takes what the paths of a unit's files have from `left`.
fn paths<'m>(dwarf: &Dwarf<Slice<'m>>, unit: &Unit<Slice<'m>>, left: &mut usize) -> Option<()> {
    let Some(program) = &unit.line_program else { return Some(()) };
    let start = unit.comp_dir.map_or(0, |dir| dir.len());
    let len = |value| dwarf.attr_string(unit, value).map_or(0, |text| text.len());
    for file in program.header().file_names() {
        let dir = file.directory(program.header()).map_or(0, len);
        let path = start + dir + len(file.path_name()) + 2;
        *left = left.checked_sub(path).filter(|_| path <= 3 * MOST_STRING)?;
    }
    Some(())
}

/// Goes through the entries of one unit.
struct Walk<'a, 'm> {
    dwarf: &'a Dwarf<Slice<'m>>,
    unit: &'a Unit<Slice<'m>>,
    /// Ranges that there may still be.
    ranges: &'a mut usize,
    /// The level of the function that the next entries may be in.
    function: Option<isize>,
    /// Calls inlined into it so far.
    inlined: usize,
}

/// Why a walk ended early.
enum Ended {
    /// There is more than may be.
    Beyond,
    /// There is something that nobody can read.
    Unreadable,
}

impl From<gimli::Error> for Ended {
    fn from(_: gimli::Error) -> Self {
        Self::Unreadable
    }
}

impl Walk<'_, '_> {
    fn entries(&mut self) -> Result<(), Ended> {
        let mut entries = self.unit.header.entries_raw(&self.unit.abbreviations, None)?;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            if depth > MOST_DEPTH {
                return Err(Ended::Beyond);
            }
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            match abbreviation.tag() {
                constants::DW_TAG_subprogram if self.function.is_none_or(|outer| depth <= outer) => {
                    (self.function, self.inlined) = (Some(depth), 0);
                }
                constants::DW_TAG_inlined_subroutine => {
                    self.inlined += 1;
                    if self.inlined > MOST_INLINED {
                        return Err(Ended::Beyond);
                    }
                }
                _ => {}
            }
            let has_ranges = |name| name == constants::DW_AT_ranges;
            if !abbreviation.attributes().iter().any(|attribute| has_ranges(attribute.name())) {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            for &attribute in abbreviation.attributes() {
                let attribute = entries.read_attribute(attribute)?;
                if has_ranges(attribute.name())
                    && let Ok(Some(list)) = self.dwarf.attr_ranges_offset(self.unit, attribute.value())
                {
                    self.ranges(list)?;
                }
            }
        }
        Ok(())
    }

    /// Counts the ranges of `list`.
    fn ranges(&mut self, list: RangeListsOffset) -> Result<(), Ended> {
        let Ok(mut list) = self.dwarf.raw_ranges(self.unit, list) else { return Ok(()) };
        while let Ok(Some(_)) = list.next() {
            *self.ranges = self.ranges.checked_sub(1).ok_or(Ended::Beyond)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tenure_module::parse;
    use tenure_types::{Features, TypeRegistry};

    /// Whether the debug information of a module is kept.
    fn is_kept(wasm: &Path) -> bool {
        let bytes: std::sync::Arc<[u8]> = std::fs::read(wasm).unwrap().into();
        let module = parse(&bytes, Features::default(), &TypeRegistry::default()).unwrap().module;
        let section = |id: SectionId| {
            let place = module.debug_sections.iter().find(|(name, _)| name == id.name());
            EndianSlice::new(place.map_or(&[], |(_, range)| &bytes[range.clone()]), LittleEndian)
        };
        assert!(!section(SectionId::DebugInfo).is_empty(), "{}", wasm.display());
        are_kept(&mut Dwarf::load(|id| Ok::<_, gimli::Error>(section(id))).unwrap(), section)
    }

    #[test]
    fn what_compilers_write_is_kept() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for module in ["tests/dwarf/inlined.wasm", "../../tests/programs/fault.wasm"] {
            assert!(is_kept(&root.join(module)), "{module}");
        }
    }
}
