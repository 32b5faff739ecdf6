//! What a script's directive reports when it does not do what it says.

use std::fmt;

/// A directive that failed, or a script that could not be read.
///
/// Displays as `file:line:column: directive: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The script's name, as its caller gave it.
    pub file: String,
    /// The directive's line, from 1.
    pub line: usize,
    /// The column on that line, in bytes, from 1.
    pub column: usize,
    /// The directive's keyword, such as `assert_return`; `script` when the text itself is at fault.
    pub directive: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { file, line, column, directive, message } = self;
        write!(f, "{file}:{line}:{column}: {directive}: {message}")
    }
}

impl std::error::Error for Failure {}
