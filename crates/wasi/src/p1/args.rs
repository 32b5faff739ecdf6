//! `args_*` and `environ_*`: two lists of strings.

use super::WasiP1Ctx;
use crate::errno::Outcome;
use crate::guest_mem::GuestMem;
use crate::types::Errno;

pub(super) fn args_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, argv: u32, argv_buf: u32) -> Outcome {
    get(&ctx.args, mem, argv, argv_buf)
}

pub(super) fn args_sizes_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, argc: u32, size: u32) -> Outcome {
    sizes_get(&ctx.args, mem, argc, size)
}

pub(super) fn environ_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, environ: u32, buf: u32) -> Outcome {
    get(&ctx.env, mem, environ, buf)
}

pub(super) fn environ_sizes_get(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    count: u32,
    size: u32,
) -> Outcome {
    sizes_get(&ctx.env, mem, count, size)
}

/// Writes the strings one after another to `buf`, each with a NUL behind it, and to `pointers`
/// where each begins.
fn get(strings: &[String], mem: &mut GuestMem<'_>, mut pointers: u32, mut buf: u32) -> Outcome {
    for string in strings {
        let len = u32::try_from(string.len()).map_err(|_| Errno::Overflow)?;
        mem.set_u32(pointers, 0, buf)?;
        mem.bytes_mut(buf, len)?.copy_from_slice(string.as_bytes());
        mem.set_u8(buf, string.len(), 0)?;
        pointers = pointers.checked_add(4).ok_or(Errno::Overflow)?;
        buf = buf.checked_add(len).and_then(|buf| buf.checked_add(1)).ok_or(Errno::Overflow)?;
    }
    Ok(())
}

/// Writes how many strings there are, and how many bytes they take with their NULs.
fn sizes_get(strings: &[String], mem: &mut GuestMem<'_>, count: u32, size: u32) -> Outcome {
    mem.set_size(count, strings.len())?;
    mem.set_size(size, strings.iter().map(|string| string.len() + 1).sum())?;
    Ok(())
}
