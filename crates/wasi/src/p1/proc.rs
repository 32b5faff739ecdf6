//! `proc_*` and `sched_yield`.

use super::WasiP1Ctx;
use crate::I32Exit;
use crate::errno::{Failure, Outcome};
use crate::guest_mem::GuestMem;
use crate::types::{Errno, SIGNALS};

/// Ends the guest: the host's call into it returns [`I32Exit`] as an error.
pub(super) fn exit(_: &mut WasiP1Ctx, _: &mut GuestMem<'_>, status: u32) -> Outcome {
    Err(Failure::Trap(I32Exit(status.cast_signed()).into()))
}

/// A guest is no process of the system's and has no handlers: there is nothing to raise.
pub(super) fn raise(_: &mut WasiP1Ctx, _: &mut GuestMem<'_>, signal: u32) -> Outcome {
    Err(if signal < SIGNALS { Errno::Notsup } else { Errno::Inval }.into())
}

pub(super) fn sched_yield(_: &mut WasiP1Ctx, _: &mut GuestMem<'_>) -> Outcome {
    std::thread::yield_now();
    Ok(())
}
