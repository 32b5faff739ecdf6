//! Reading the bytes of a body.

/// The bytes that are left.
pub(super) struct Bytes<'a> {
    pub(super) code: &'a [u8],
    pub(super) at: usize,
}

impl Bytes<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.code.len()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.code.get(self.at).copied()
    }

    #[inline(always)]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.code.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count)?;
        (self.at <= self.code.len()).then_some(())
    }

    /// Specification, "Integers": an unsigned number of 32 bits.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Option<u32> {
        let first = self.byte()?;
        if first < 0x80 { Some(u32::from(first)) } else { self.long_number(first) }
    }

    #[inline(never)]
    fn long_number(&mut self, first: u8) -> Option<u32> {
        let mut value = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        // The fifth byte has four bits left.
        let last = self.byte()?;
        (last < 0x10).then(|| value | u32::from(last) << 28)
    }

    /// A signed number of 32 bits.
    #[inline(always)]
    pub(super) fn skip_i32(&mut self) -> Option<()> {
        for _ in 0..4 {
            if self.byte()? < 0x80 {
                return Some(());
            }
        }
        // The fifth byte has four bits left; the others repeat the sign.
        matches!(self.byte()?, 0x00..=0x07 | 0x78..=0x7f).then_some(())
    }

    /// A signed number of 64 bits.
    #[inline]
    pub(super) fn skip_i64(&mut self) -> Option<()> {
        for _ in 0..9 {
            if self.byte()? < 0x80 {
                return Some(());
            }
        }
        // The tenth byte has one bit left; the others repeat it.
        matches!(self.byte()?, 0x00 | 0x7f).then_some(())
    }
}
