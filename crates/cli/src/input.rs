//! A module that the user named: a file or standard input, text or binary.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tenure::{Error, Result, bail};

/// What every binary begins with; the next two bytes are the version, the two after that the layer.
const MAGIC: &[u8] = b"\0asm";
/// Version and layer of a component.
const COMPONENT: &[u8] = b"\x0d\0\x01\0";

/// What was read, and what to call it.
pub struct Input {
    /// The path as the user gave it, or `<stdin>`.
    pub name: String,
    bytes: Vec<u8>,
}

impl Input {
    /// Reads the file at `path`, or standard input if it is `-`.
    ///
    /// # Errors
    /// When it cannot be read, with the reason.
    pub fn read(path: &Path) -> Result<Self> {
        let (name, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes);
            ("<stdin>".to_owned(), read)
        } else {
            (path.display().to_string(), std::fs::read(path))
        };
        match bytes {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(error) => Err(Error::new(error).context(format!("cannot read {name}"))),
        }
    }

    /// What was read, whatever it is.
    pub fn raw(&self) -> &[u8] {
        &self.bytes
    }

    /// The module in binary form; text is translated. Not validated.
    ///
    /// # Errors
    /// When it is neither text nor the start of a binary module.
    pub fn into_wasm(self) -> Result<Vec<u8>> {
        let Self { name, bytes } = self;
        if let Some(rest) = bytes.strip_prefix(MAGIC) {
            if rest.starts_with(COMPONENT) {
                bail!("{name} is a component; only core modules are supported");
            }
            return Ok(bytes);
        }
        if bytes.is_empty() {
            bail!("{name} is empty");
        }
        if bytes.contains(&0) || std::str::from_utf8(&bytes).is_err() {
            bail!(
                "{name} is no WebAssembly module: neither text nor a binary, which would begin with \"\\0asm\""
            );
        }
        wat::Parser::new()
            .parse_bytes(Some(&PathBuf::from(&name)), &bytes)
            .map(|wasm| wasm.into_owned())
            .map_err(|error| Error::new(error).context(format!("{name} is no WebAssembly text")))
    }
}
