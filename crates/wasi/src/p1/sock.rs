//! `sock_*`. No descriptor is a socket: preview 1 cannot make one, and none is preopened.

use super::WasiP1Ctx;
use crate::errno::Outcome;
use crate::guest_mem::GuestMem;
use crate::types::Errno;

pub(super) fn accept(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    _flags: u32,
    _accepted: u32,
) -> Outcome {
    not_a_socket(ctx, fd)
}

#[expect(clippy::too_many_arguments, reason = "the interface's own parameters")]
pub(super) fn recv(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    _iovs: u32,
    _count: u32,
    _flags: u32,
    _nread: u32,
    _result_flags: u32,
) -> Outcome {
    not_a_socket(ctx, fd)
}

pub(super) fn send(
    ctx: &mut WasiP1Ctx,
    _: &mut GuestMem<'_>,
    fd: u32,
    _iovs: u32,
    _count: u32,
    _flags: u32,
    _nwritten: u32,
) -> Outcome {
    not_a_socket(ctx, fd)
}

pub(super) fn shutdown(ctx: &mut WasiP1Ctx, _: &mut GuestMem<'_>, fd: u32, _how: u32) -> Outcome {
    not_a_socket(ctx, fd)
}

fn not_a_socket(ctx: &WasiP1Ctx, fd: u32) -> Outcome {
    ctx.fds.get(fd)?;
    Err(Errno::Notsock.into())
}
