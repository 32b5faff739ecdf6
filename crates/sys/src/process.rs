//! What a program does before anything else, if the standard library's start does not do it.

use std::io;

use crate::os;

/// Opens the standard streams that are closed, so that no file that is opened later is taken for one; and has writing to a
/// pipe that nobody reads fail, where it would end the process.
///
/// # Errors
/// When the system refuses.
pub fn begin() -> io::Result<()> {
    os::process::open_standard_streams()?;
    os::process::ignore_broken_pipes()
}
