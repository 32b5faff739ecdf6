//! What a binary module is made of: its sections, and where exports point.
//!
//! For showing only. The module has been validated by the time these are asked, yet nothing here relies on it:
//! what does not fit ends the list.

/// A section's place in the binary.
pub struct Section<'a> {
    /// Its kind, as the specification numbers them.
    pub id: u8,
    /// The name of a custom section.
    pub name: Option<&'a str>,
    /// Offset of the content in the binary.
    pub offset: usize,
    /// The content, without kind and size.
    pub content: &'a [u8],
}

/// The specification's names, by kind.
const NAMES: &[&str] = &[
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];
const CUSTOM: u8 = 0;
const EXPORT: u8 = 7;
const START: u8 = 8;
const DATA_COUNT: u8 = 12;

impl Section<'_> {
    /// `code`, or `custom "name"`.
    pub fn title(&self) -> String {
        let kind = NAMES.get(usize::from(self.id)).copied().unwrap_or("unknown");
        match self.name {
            Some(name) => format!("{kind} {name:?}"),
            None => kind.to_owned(),
        }
    }

    /// How many entries it has, if it is a list.
    pub fn entries(&self) -> Option<u32> {
        let is_list = ![CUSTOM, START, DATA_COUNT].contains(&self.id);
        if is_list { Reader(self.content).number() } else { None }
    }
}

/// The sections of `wasm`, in order.
pub fn sections(wasm: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let mut rest = Reader(wasm.get(8..).unwrap_or_default());
    std::iter::from_fn(move || {
        let id = rest.byte()?;
        let size = rest.number()?;
        let offset = wasm.len() - rest.0.len();
        let content = rest.bytes(size as usize)?;
        let name = if id == CUSTOM { Reader(content).name() } else { None };
        Some(Section { id, name, offset, content })
    })
}

/// The index of the function that `wasm` exports as `name`.
pub fn exported_function(wasm: &[u8], name: &str) -> Option<u32> {
    const FUNCTION: u8 = 0;
    let section = sections(wasm).find(|section| section.id == EXPORT)?;
    let mut reader = Reader(section.content);
    for _ in 0..reader.number()? {
        let (export, kind, index) = (reader.name()?, reader.byte()?, reader.number()?);
        if export == name && kind == FUNCTION {
            return Some(index);
        }
    }
    None
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    /// An unsigned LEB128 number of 32 bits.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).ok();
            }
        }
        None
    }

    fn name(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length as usize)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_exports_are_found() {
        let wasm = wat::parse_str(
            r#"(module (memory (export "memory") 1)
                (func $a) (func $b (export "b"))
                (@custom "note" "hello"))"#,
        )
        .unwrap();
        let titles: Vec<_> = sections(&wasm).map(|section| (section.title(), section.entries())).collect();
        let expected = [
            ("type", Some(1)),
            ("function", Some(2)),
            ("memory", Some(1)),
            ("export", Some(2)),
            ("code", Some(2)),
            ("custom \"note\"", None),
            ("custom \"name\"", None),
        ];
        assert_eq!(titles, expected.map(|(title, entries)| (title.to_owned(), entries)));
        assert_eq!(exported_function(&wasm, "b"), Some(1));
        assert_eq!(exported_function(&wasm, "memory"), None);
    }

    #[test]
    fn a_binary_that_ends_early_ends_the_list() {
        let wasm = wat::parse_str("(module (func (export \"f\")))").unwrap();
        let all = sections(&wasm).count();
        for length in 0..wasm.len() {
            assert!(sections(&wasm[..length]).count() < all);
            let _ = exported_function(&wasm[..length], "f");
        }
    }
}
