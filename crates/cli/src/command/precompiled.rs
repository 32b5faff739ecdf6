//! Loading what `tenure compile` wrote.

use tenure::{Engine, Module, Result, bail};

use crate::input::Input;

/// The module in `input` if it was compiled ahead of time; `None` if it is anything else.
///
/// # Errors
/// When it is such a file and `allowed` is false, or it was made by another version or for another machine.
#[expect(unsafe_code, reason = "only the user can know where machine code comes from")]
pub fn load(engine: &Engine, input: &Input, allowed: bool) -> Result<Option<Module>> {
    if Engine::detect_precompiled(input.raw()).is_none() {
        return Ok(None);
    }
    let name = &input.name;
    if !allowed {
        bail!(
            "{name} is compiled already: such a file can do anything, so --allow-precompiled has to vouch for it"
        );
    }
    // SAFETY: the bytes are what `tenure compile` wrote: the user vouches for that with a flag that says so, and
    // there is no way to check machine code.
    let module = unsafe { Module::deserialize(engine, input.raw()) };
    module.map(Some).map_err(|error| error.context(format!("cannot load {name}")))
}
