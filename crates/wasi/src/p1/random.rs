//! `random_get`.

use super::WasiP1Ctx;
use crate::errno::Outcome;
use crate::guest_mem::GuestMem;

pub(super) fn get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, buf: u32, buf_len: u32) -> Outcome {
    Ok(ctx.random.fill(mem.bytes_mut(buf, buf_len)?)?)
}
