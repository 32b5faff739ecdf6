//! `random_get`.

use super::WasiP1Ctx;
use crate::errno::Outcome;
use crate::guest_mem::GuestMem;
use crate::types::Errno;

/// Most bytes of one call, which cannot do less than it is asked, and nothing interrupts: a fraction of a second.
const MOST_BYTES: u32 = 64 << 20;

pub(super) fn get(ctx: &mut WasiP1Ctx, mem: &mut GuestMem<'_>, buf: u32, buf_len: u32) -> Outcome {
    if buf_len > MOST_BYTES {
        mem.bytes(buf, buf_len)?;
        return Err(Errno::Inval.into());
    }
    Ok(ctx.random.fill(mem.bytes_mut(buf, buf_len)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::Failure;
    use crate::{Deterministic, WasiCtxBuilder};

    #[test]
    fn one_call_gives_no_more_than_takes_a_moment() {
        let mut ctx = WasiCtxBuilder::new().secure_random(Deterministic::new(vec![7])).build_p1();
        let mut bytes = vec![0; MOST_BYTES as usize + 1];
        let mut mem = GuestMem::new(&mut bytes);
        for (at, len, expected) in [
            (0, MOST_BYTES + 1, Errno::Inval),
            (1, MOST_BYTES + 1, Errno::Fault),
            (0, u32::MAX, Errno::Fault),
            (2, MOST_BYTES, Errno::Fault),
        ] {
            let Err(Failure::Errno(errno)) = get(&mut ctx, &mut mem, at, len) else { panic!("{at}, {len}") };
            assert_eq!(errno, expected, "{at}, {len}");
        }
        assert!(get(&mut ctx, &mut mem, 1, 2).is_ok());
        assert_eq!(bytes[..4], [0, 7, 7, 0]);
    }
}
