//! Thread stacks, as the thread library and the limits tell.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

use rustix::param::linux_execfn;
use rustix::process::{Resource, getpid, getrlimit};
use rustix::thread::gettid;

use super::mapping::page_size;
use crate::{StackBounds, current_sp};

/// The main thread's stack is taken to be at most so long, also without a limit.
const UNLIMITED: usize = 1 << 30;

/// Up to this limit the system keeps the addresses below the main thread's stack free of everything else, also when
/// the limit was lower as the program started.
const KEPT_FREE: usize = 100 << 20;

/// What stands above the main thread's frames and counts against its limit: arguments and environment.
const ABOVE_MAIN: usize = 256 << 10;

/// What a thread of unknown bounds is trusted to have left below its stack pointer.
const UNKNOWN_THREAD: usize = 64 << 10;
const UNKNOWN_MAIN: usize = 4 << 20;

pub fn bounds() -> StackBounds {
    let main = gettid() == getpid();
    let is_here = |bounds: &StackBounds| bounds.contains(current_sp());
    if let Some(bounds) = main.then(main_stack).flatten().filter(is_here) {
        return bounds;
    }
    match (asked().filter(is_here), main) {
        (Some(bounds), false) => bounds,
        (Some(bounds), true) => StackBounds { low: bounds.low.max(bounds.high - main_limit()), ..bounds },
        (None, false) => around_sp(UNKNOWN_THREAD),
        (None, true) => around_sp(UNKNOWN_MAIN.min(main_limit().saturating_sub(ABOVE_MAIN))),
    }
}

/// The main thread's stack, if its place follows from its limit. The thread library reads the list of all mappings,
/// which takes longer than a small guest runs.
fn main_stack() -> Option<StackBounds> {
    let limit = main_limit();
    // The system begins the stack with the program's name.
    let name = linux_execfn();
    let top = name.as_ptr() as usize + name.to_bytes_with_nul().len();
    let high = top.checked_next_multiple_of(page_size())?;
    (limit <= KEPT_FREE).then(|| StackBounds { low: high - limit, high })
}

/// What the thread library says.
fn asked() -> Option<StackBounds> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the thread exists, since it is the calling one, and the attributes are written before they are read.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut low, mut len) = (null_mut(), 0);
    // SAFETY: the call above succeeded, so the attributes are there; both results are locals.
    let status = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut len) };
    // SAFETY: the attributes are there, and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    let low = low as usize;
    (status == 0).then_some(StackBounds { low, high: low.checked_add(len)? })
}

/// How long the main thread's stack may get, in bytes.
fn main_limit() -> usize {
    let limit = getrlimit(Resource::Stack).current.and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// A stack that has `len` bytes left here.
fn around_sp(len: usize) -> StackBounds {
    let high = current_sp().next_multiple_of(page_size());
    StackBounds { low: high.saturating_sub(len), high }
}
