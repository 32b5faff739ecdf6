//! The name section (specification, appendix "Name Section").

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tenure_types::FuncIdx;
use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Names for people, read when first asked for. A damaged section is no error: what could be read counts.
pub struct Names {
    bytes: Arc<[u8]>,
    section: Option<Range<usize>>,
    read: OnceLock<Read>,
}

#[derive(Default)]
struct Read {
    module: Option<Box<str>>,
    funcs: HashMap<u32, Box<str>>,
}

impl Names {
    pub(crate) fn new(bytes: Arc<[u8]>, section: Option<Range<usize>>) -> Self {
        Self { bytes, section, read: OnceLock::new() }
    }

    /// The module's name.
    pub fn module(&self) -> Option<&str> {
        self.read().module.as_deref()
    }

    /// The name of function `func`.
    pub fn func(&self, func: FuncIdx) -> Option<&str> {
        self.read().funcs.get(&func.0).map(|name| &**name)
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| match &self.section {
            Some(section) => Read::new(&self.bytes[section.clone()]),
            None => Read::default(),
        })
    }
}

impl Read {
    fn new(section: &[u8]) -> Self {
        let mut read = Self::default();
        for subsection in NameSectionReader::new(BinaryReader::new(section, 0)) {
            match subsection {
                Ok(Name::Module { name, .. }) => read.module = Some(name.into()),
                Ok(Name::Function(map)) => {
                    read.funcs
                        .extend(map.into_iter().map_while(Result::ok).map(|n| (n.index, n.name.into())));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        read
    }
}
