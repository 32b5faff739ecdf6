//! `clock_*`.

use super::WasiP1Ctx;
use crate::errno::Outcome;
use crate::guest_mem::GuestMem;
use crate::types::ClockId;

pub(super) fn res_get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, id: u32, resolution: u32) -> Outcome {
    let value = ctx.clocks.resolution(ClockId::from_guest(id)?)?;
    Ok(mem.set_u64(resolution, 0, value)?)
}

/// The clocks are read at once and exactly, whatever lag the guest would put up with.
pub(super) fn time_get(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    id: u32,
    _precision: u64,
    time: u32,
) -> Outcome {
    let value = ctx.clocks.now(ClockId::from_guest(id)?)?;
    Ok(mem.set_u64(time, 0, value)?)
}
