//! An open file: anything a path can lead to but a directory.

use crate::types::Filetype;
use std::fs::File;

/// An open file.
pub(crate) struct OpenFile {
    pub(crate) file: File,
    /// What it was when it was opened; an open file does not change its kind.
    pub(crate) filetype: Filetype,
}
