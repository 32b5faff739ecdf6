//! Reading numbers of the binary format, where what is wrong with one need not be said.

/// The bytes that are left. Small enough to travel in registers: who reads in a loop keeps it in a variable there, and gives
/// it to others by value.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    #[inline(always)]
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// Specification, "Integers": an unsigned number of 32 bits.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Option<u32> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u32::from(first));
        }
        let (value, rest) = self.long_number(first)?;
        *self = rest;
        Some(value)
    }

    #[inline(never)]
    fn long_number(mut self, first: u8) -> Option<(u32, Self)> {
        if let Some((word, len)) = self.word() {
            // Of four bytes more at most, seven bits each; the last of those has four bits left.
            let value = word & 0x7f | word >> 1 & 0x3f80 | word >> 2 & 0x1f_c000 | word >> 3 & 0xfe0_0000;
            let value = u32::from(first & 0x7f) | (value as u32) << 7;
            self.skip(len as usize)?;
            return (len <= 3 || word < 0x1000_0000).then_some((value, self));
        }
        let mut value = u32::from(first & 0x7f);
        for shift in [7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((value, self));
            }
        }
        let last = self.byte()?;
        (last < 0x10).then_some((value | u32::from(last) << 28, self))
    }

    /// The bytes of a number of at most eight as a word, and how many they are. `None` too where fewer than eight bytes are
    /// left.
    #[inline(always)]
    fn word(&self) -> Option<(u64, u32)> {
        let word = u64::from_le_bytes(*self.0.first_chunk()?);
        // The highest bit of a byte says that the number goes on.
        let end = (!word & 0x8080_8080_8080_8080).trailing_zeros();
        (end < 64).then(|| (word & (u64::MAX >> (63 - end)), end / 8 + 1))
    }

    /// A signed number of 32 bits.
    #[inline(always)]
    pub(crate) fn skip_i32(&mut self) -> Option<()> {
        if self.peek()? < 0x80 {
            return self.skip(1);
        }
        *self = self.skip_long_i32()?;
        Some(())
    }

    #[inline(never)]
    fn skip_long_i32(mut self) -> Option<Self> {
        // The fifth byte has four bits left; the others repeat the sign.
        let may_be_fifth = |byte: u8| matches!(byte, 0x00..=0x07 | 0x78..=0x7f);
        if let Some((word, len)) = self.word() {
            self.skip(len as usize)?;
            return (len <= 4 || len == 5 && may_be_fifth((word >> 32) as u8)).then_some(self);
        }
        for _ in 0..4 {
            if self.byte()? < 0x80 {
                return Some(self);
            }
        }
        may_be_fifth(self.byte()?).then_some(self)
    }

    /// A signed number of 64 bits.
    #[inline(always)]
    pub(crate) fn skip_i64(&mut self) -> Option<()> {
        if self.peek()? < 0x80 {
            return self.skip(1);
        }
        *self = self.skip_long_i64()?;
        Some(())
    }

    #[inline(never)]
    fn skip_long_i64(mut self) -> Option<Self> {
        for _ in 0..9 {
            if self.byte()? < 0x80 {
                return Some(self);
            }
        }
        // The tenth byte has one bit left; the others repeat it.
        matches!(self.byte()?, 0x00 | 0x7f).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::BinaryReader;

    /// Numbers are what wasmparser reads, whatever comes behind them.
    #[test]
    fn numbers() {
        let last = [0x00, 0x01, 0x07, 0x08, 0x0f, 0x10, 0x3f, 0x40, 0x70, 0x77, 0x78, 0x7f];
        for (before, count) in [0x80, 0xff, 0x95].into_iter().flat_map(|byte| (0..11).map(move |n| (byte, n)))
        {
            for (last, behind) in last.into_iter().flat_map(|last| [0, 1, 3, 9].map(|behind| (last, behind)))
            {
                let mut code = vec![before; count];
                code.push(last);
                code.extend(vec![0x81; behind]);
                let reader = || BinaryReader::new(&code, 0);
                let is_as = |found: Option<usize>, is_right: bool| {
                    assert_eq!(found, is_right.then_some(behind), "{code:x?}");
                };

                let mut bytes = Bytes(&code);
                let value = bytes.number();
                assert_eq!(value, reader().read_var_u32().ok(), "{code:x?}");
                is_as(value.map(|_| bytes.0.len()), value.is_some());
                let mut bytes = Bytes(&code);
                is_as(bytes.skip_i32().map(|()| bytes.0.len()), reader().read_var_i32().is_ok());
                let mut bytes = Bytes(&code);
                is_as(bytes.skip_i64().map(|()| bytes.0.len()), reader().read_var_i64().is_ok());
            }
        }
    }
}
