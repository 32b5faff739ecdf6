//! A module that the user named: a file or standard input, text or binary.

use std::fs::File;
use std::io::{self, Read as _};
use std::iter::repeat_n;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenure::{Error, Result, bail};

/// What every binary begins with; the next two bytes are the version, the two after that the layer.
const MAGIC: &[u8] = b"\0asm";
/// Version and layer of a component.
const COMPONENT: &[u8] = b"\x0d\0\x01\0";

/// No module is larger: by the specification's limits for hosts, 1 GiB.
const MOST: u64 = 1 << 30;

/// What was read, and what to call it.
pub struct Input {
    /// The path as the user gave it, or `<stdin>`.
    pub name: String,
    bytes: Arc<[u8]>,
}

impl Input {
    /// Reads the file at `path`, or standard input if it is `-`.
    ///
    /// # Errors
    /// When it cannot be read, with the reason.
    pub fn read(path: &Path) -> Result<Self> {
        let (name, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes.into());
            ("<stdin>".to_owned(), read)
        } else {
            (path.display().to_string(), read(path))
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
    pub fn into_wasm(self) -> Result<Arc<[u8]>> {
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
            .map(Into::into)
            .map_err(|error| Error::new(error).context(format!("{name} is no WebAssembly text")))
    }
}

/// What the file at `path` has. Modules keep it as it comes from here: it is read to its last place at once.
fn read(path: &Path) -> io::Result<Arc<[u8]>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    // Nobody knows before of pipes.
    let known = usize::try_from(len).ok().filter(|_| len <= MOST).unwrap_or(0);
    let mut bytes: Arc<[u8]> = repeat_n(0, known).collect();
    let place = Arc::get_mut(&mut bytes).expect("nobody else has it yet");
    file.read_exact(place)?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(if rest.is_empty() { bytes } else { [&*bytes, &rest].concat().into() })
}
