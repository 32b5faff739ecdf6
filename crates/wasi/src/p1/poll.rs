//! `poll_oneoff`: wait until a time, or until a descriptor can be read or written.
//!
//! ```text
//! subscriptions ─┬─▶ events that are there already ────┐
//!                ├─▶ handles to ask the system about ──┼─▶ one wait ─▶ all that has happened
//!                └─▶ times left ───────────────────────┘
//! ```
//!
//! A subscription that makes no sense fails the whole call, before anything is waited for; no
//! event carries an error.

use super::WasiP1Ctx;
use crate::cli::Readiness;
use crate::clocks::Clocks;
use crate::errno::Outcome;
use crate::fd_table::{FdTable, Object};
use crate::file::OpenFile;
use crate::guest_mem::GuestMem;
use crate::os::{self, Wait};
use crate::types::{
    ClockId, Errno, EventRwFlags, EventType, Filetype, Rights, SubclockFlags, event, subscription,
};
use std::io::Seek;
use std::time::{Duration, Instant};

/// More subscriptions than there can be descriptors are refused.
const MAX_SUBSCRIPTIONS: u32 = 4096;

/// What has happened.
struct Event {
    userdata: u64,
    ty: EventType,
    bytes: u64,
    hangup: bool,
}

pub(super) fn oneoff(
    ctx: &mut WasiP1Ctx,
    mem: &mut GuestMem<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    happened: u32,
) -> Outcome {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval.into());
    }
    mem.check_array(subscriptions, count, subscription::BYTES)?;
    mem.check_array(events, count, EVENT_BYTES)?;
    mem.check(happened, size_of::<u32>())?;

    let start = Instant::now();
    let mut done = Vec::new();
    let mut timers: Vec<(u64, Duration)> = Vec::new();
    let mut waiting: Vec<(u64, EventType)> = Vec::new();
    let mut waits: Vec<Wait<'_>> = Vec::new(); // one for each of `waiting`
    for index in 0..count {
        let at = GuestMem::element(subscriptions, index, subscription::BYTES)?;
        let userdata = mem.u64(at, subscription::USERDATA)?;
        let ty = EventType::from_guest(mem.u8(at, subscription::TAG)?.into())?;
        if ty == EventType::Clock {
            timers.push((userdata, time_left(mem, at, &ctx.clocks)?));
            continue;
        }
        match readiness(&ctx.fds, mem.u32(at, subscription::FD)?, ty)? {
            Readiness::Now { bytes, hangup } => done.push(Event { userdata, ty, bytes, hangup }),
            Readiness::Ask(handle) => {
                waiting.push((userdata, ty));
                waits.push(Wait { handle, write: ty == EventType::FdWrite, ready: false, hangup: false });
            }
        }
    }

    let shortest = timers.iter().map(|(_, left)| *left).min();
    let timeout = if done.is_empty() { shortest } else { Some(Duration::ZERO) };
    os::wait(&mut waits, timeout)?;
    let timed_out = done.is_empty() && !waits.iter().any(|wait| wait.ready);

    for (wait, (userdata, ty)) in waits.iter().zip(waiting).filter(|(wait, _)| wait.ready) {
        let bytes = if wait.write { SOME } else { os::bytes_available(wait.handle) };
        done.push(Event { userdata, ty, bytes, hangup: wait.hangup });
    }
    let passed = start.elapsed();
    for (userdata, left) in timers {
        // The system may count a little less than this clock has counted: the shortest time is
        // over when the wait is.
        if left <= passed || (timed_out && Some(left) == shortest) {
            done.push(Event { userdata, ty: EventType::Clock, bytes: 0, hangup: false });
        }
    }

    let mut written = 0;
    for event in &done {
        write_event(mem, GuestMem::element(events, written, EVENT_BYTES)?, event)?;
        written += 1;
    }
    Ok(mem.set_u32(happened, 0, written)?)
}

const EVENT_BYTES: u32 = 32;
const _: () = assert!(EVENT_BYTES as usize == event::BYTES);

/// How many bytes can be written where nobody knows: at least one.
const SOME: u64 = 1;

/// How long to wait for the clock subscription at `at`.
///
/// # Errors
/// [`Errno::Inval`] for a clock of processor time too: none passes while waiting.
fn time_left(mem: &GuestMem<'_>, at: u32, clocks: &Clocks) -> Result<Duration, Errno> {
    let id = ClockId::from_guest(mem.u32(at, subscription::CLOCK_ID)?)?;
    let timeout = mem.u64(at, subscription::CLOCK_TIMEOUT)?;
    let flags = mem.u16(at, subscription::CLOCK_FLAGS)?;
    let flags = SubclockFlags::from_bits(flags).ok_or(Errno::Inval)?;
    if !matches!(id, ClockId::Realtime | ClockId::Monotonic) {
        return Err(Errno::Inval);
    }
    let nanoseconds = if flags.contains(SubclockFlags::ABSTIME) {
        timeout.saturating_sub(clocks.now(id)?)
    } else {
        timeout
    };
    Ok(Duration::from_nanos(nanoseconds))
}

/// Whether `fd` can be read or written without waiting.
fn readiness(fds: &FdTable, fd: u32, ty: EventType) -> Result<Readiness<'_>, Errno> {
    let descriptor = fds.get(fd)?;
    let right = if ty == EventType::FdWrite { Rights::FD_WRITE } else { Rights::FD_READ };
    descriptor.require(right | Rights::POLL_FD_READWRITE)?;
    match &descriptor.object {
        Object::Input(stream) => Ok(stream.readiness()),
        Object::Output(stream) => Ok(stream.readiness()),
        Object::File(file) if file.filetype == Filetype::RegularFile => {
            let bytes = if ty == EventType::FdRead { bytes_to_end(file) } else { SOME };
            Ok(Readiness::Now { bytes, hangup: false })
        }
        Object::File(file) => Ok(Readiness::Ask(os::handle(&file.file))),
        Object::Dir(_) => Err(Errno::Badf),
    }
}

/// How many bytes stand before the end of a file.
fn bytes_to_end(file: &OpenFile) -> u64 {
    let size = os::stat(&file.file).map_or(0, |stat| stat.size);
    size.saturating_sub((&file.file).stream_position().unwrap_or(size))
}

fn write_event(mem: &mut GuestMem<'_>, at: u32, event: &Event) -> Result<(), Errno> {
    let flags = if event.hangup { EventRwFlags::HANGUP } else { EventRwFlags::empty() };
    mem.clear(at, event::BYTES)?;
    mem.set_u64(at, event::USERDATA, event.userdata)?;
    mem.set_u16(at, event::ERROR, Errno::Success as u16)?;
    mem.set_u8(at, event::TYPE, event.ty as u8)?;
    mem.set_u64(at, event::NBYTES, event.bytes)?;
    mem.set_u16(at, event::FLAGS, flags.bits())
}
