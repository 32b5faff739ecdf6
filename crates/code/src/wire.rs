//! Numbers and bytes in a row, for images that go to a disk: little, fast, and checked when read back.
//!
//! A number is LEB128: seven bits a byte, lowest first. A list is its length and its items. Reading trusts
//! nothing: every length is checked against what is left before anything is reserved for it.

use std::fmt;

/// Appends to bytes.
#[derive(Default, Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number.
    pub fn num(&mut self, value: impl Into<u64>) {
        let mut rest = value.into();
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    /// A number that may be negative; short when it is near 0.
    pub fn signed(&mut self, value: i64) {
        self.num(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Bytes, after their number.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.num(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A list's length, before its items.
    pub fn len(&mut self, len: usize) {
        self.num(len as u64);
    }
}

/// Bytes are not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// What was being read.
    pub what: &'static str,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} is damaged", self.what)
    }
}

impl std::error::Error for Damaged {}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which are called `what` in errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The error that says these bytes are damaged.
    pub fn damaged(&self) -> Damaged {
        Damaged { what: self.what }
    }

    /// An error unless `is_true`.
    ///
    /// # Errors
    /// [`Damaged`] when it is not.
    pub fn check(&self, is_true: bool) -> Result<(), Damaged> {
        if is_true { Ok(()) } else { Err(self.damaged()) }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Damaged`] at the end.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let (&byte, rest) = self.rest.split_first().ok_or(self.damaged())?;
        self.rest = rest;
        Ok(byte)
    }

    /// A number.
    ///
    /// # Errors
    /// [`Damaged`] at the end, or when it does not fit `N`.
    pub fn num<N: TryFrom<u64>>(&mut self) -> Result<N, Damaged> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            self.check(bits << shift >> shift == bits)?;
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return N::try_from(value).map_err(|_| self.damaged());
            }
        }
        Err(self.damaged())
    }

    /// A number that may be negative.
    ///
    /// # Errors
    /// [`Damaged`] at the end, or when it does not fit `N`.
    pub fn signed<N: TryFrom<i64>>(&mut self) -> Result<N, Damaged> {
        let bits = self.num::<u64>()?;
        N::try_from((bits >> 1) as i64 ^ -((bits & 1) as i64)).map_err(|_| self.damaged())
    }

    /// Bytes, after their number.
    ///
    /// # Errors
    /// [`Damaged`] when there are not so many.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.num::<usize>()?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(self.damaged())?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A list: its length, and what `item` reads so many times.
    ///
    /// # Errors
    /// [`Damaged`] when there cannot be so many items of a byte each, or an item is damaged.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, Damaged> {
        let len = self.num::<usize>()?;
        self.check(len <= self.rest.len())?;
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`Damaged`] when something is left.
    pub fn end(self) -> Result<(), Damaged> {
        self.check(self.rest.is_empty())
    }
}

/// How a file of one kind begins: eight bytes that no other kind has, the number of the format, and a checksum of all
/// that follows.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The first bytes of the file.
    pub magic: [u8; 8],
    /// The version of what follows the header.
    pub format: u32,
}

/// Why bytes do not begin with a [`Header`], or are not what was written behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// They are of another kind.
    Magic,
    /// Another version wrote them.
    Format {
        /// The format that was found.
        found: u32,
    },
    /// They are not what was written.
    Damaged(Damaged),
}

impl Header {
    /// `body` behind the header.
    pub fn write(&self, body: &[u8]) -> Vec<u8> {
        let [format, checksum] = [&self.format.to_le_bytes()[..], &checksum(body).to_le_bytes()];
        [&self.magic, format, checksum, body].concat()
    }

    /// What follows the header in `bytes`.
    ///
    /// # Errors
    /// [`HeaderError`] when `bytes` are not what [`Header::write`] made.
    pub fn read<'a>(&self, bytes: &'a [u8]) -> Result<Reader<'a>, HeaderError> {
        let rest = bytes.strip_prefix(&self.magic).ok_or(HeaderError::Magic)?;
        let cut = HeaderError::Damaged(Damaged { what: "header" });
        let (&format, rest) = rest.split_first_chunk().ok_or(cut)?;
        let found = u32::from_le_bytes(format);
        if found != self.format {
            return Err(HeaderError::Format { found });
        }
        let (&written, body) = rest.split_first_chunk().ok_or(cut)?;
        let reader = Reader::new(body, "body");
        reader.check(u64::from_le_bytes(written) == checksum(body)).map_err(HeaderError::Damaged)?;
        Ok(reader)
    }
}

/// A checksum in which each word of the input changes the result: every step can be undone, so that two
/// inputs that differ in one word never agree.
pub fn checksum(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: [u8; 8]| (sum ^ u64::from_le_bytes(word)).wrapping_mul(ODD).rotate_left(29);
    // Four sums side by side, for the multiplications to overlap.
    let mut lanes = [1_u64, 2, 3, 4];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = step(*lane, *word);
        }
    }
    let mut sum = bytes.len() as u64;
    for lane in lanes {
        sum = step(sum, lane.to_le_bytes());
    }
    for chunk in rest.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = step(sum, word);
    }
    sum ^ sum >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let nums = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX];
        let signed = [0, 1, -1, 63, -64, i64::MAX, i64::MIN];
        let mut writer = Writer::default();
        nums.iter().for_each(|&num| writer.num(num));
        signed.iter().for_each(|&num| writer.signed(num));
        writer.bytes(b"abc");
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes, "test");
        nums.iter().for_each(|&num| assert_eq!(reader.num(), Ok(num)));
        signed.iter().for_each(|&num| assert_eq!(reader.signed(), Ok(num)));
        assert_eq!(reader.bytes(), Ok(&b"abc"[..]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_damaged() {
        let damaged = Damaged { what: "test" };
        let reader = |bytes| Reader::new(bytes, "test");
        assert_eq!(reader(&[0x80]).num::<u64>(), Err(damaged));
        assert_eq!(reader(&[0xff; 10]).num::<u64>(), Err(damaged));
        assert_eq!(reader(&[0x80, 0x02]).num::<u8>(), Err(damaged));
        assert_eq!(reader(&[5, 1, 2]).bytes(), Err(damaged));
        // A list that claims more items than there are bytes reserves nothing.
        assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f]).list(Reader::byte), Err(damaged));
    }
}
