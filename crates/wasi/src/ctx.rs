//! What a guest gets: everything an embedder has configured, not yet in use.

use crate::cli::{Empty, StdinStream, StdoutStream};
use crate::clocks::Clocks;
use crate::dir::OpenDir;
use crate::random::Random;

/// What a guest gets. Made by a [`WasiCtxBuilder`](crate::WasiCtxBuilder).
pub struct WasiCtx {
    pub(crate) args: Vec<String>,
    /// As `name=value`.
    pub(crate) env: Vec<String>,
    pub(crate) stdin: Box<dyn StdinStream>,
    pub(crate) stdout: Box<dyn StdoutStream>,
    pub(crate) stderr: Box<dyn StdoutStream>,
    /// Open directories and the guest's names for them.
    pub(crate) preopens: Vec<(OpenDir, String)>,
    pub(crate) clocks: Clocks,
    pub(crate) random: Random,
}

impl WasiCtx {
    pub(crate) fn new() -> Self {
        Self {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Box::new(Empty),
            stdout: Box::new(Empty),
            stderr: Box::new(Empty),
            preopens: Vec::new(),
            clocks: Clocks::new(),
            random: Random::System,
        }
    }
}
