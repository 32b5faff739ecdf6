//! Bytes, labels, and the distances that are filled in once both ends are known.
//!
//! A label is a number. It is *bound* to an offset at most once; it may be used before and after. Each use
//! leaves a fix-up, and [`CodeBuffer::finish`] walks all of them once: the cost is linear in the code,
//! whatever the order of binds and uses.
//!
//! Instruction encoders write whole words with [`CodeBuffer::put`]: eight bytes are stored, and the length
//! grows by as many as count. The buffer therefore always keeps two words of slack behind its end.

use std::fmt;
use std::num::NonZeroU32;

/// A place in a [`CodeBuffer`], known now or later. Numbers begin at 1, so that no label takes no room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label(NonZeroU32);

impl Label {
    /// Its place in [`CodeBuffer::labels`].
    #[inline]
    fn at(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Why a buffer could not be finished. All of these are bugs of the code that emitted it, except
/// [`AsmError::TooLong`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AsmError {
    /// A label was used and never bound.
    Unbound {
        /// Offset of the field that uses it.
        at: usize,
    },
    /// A one-byte distance does not reach its label.
    ShortJump {
        /// Offset of the field.
        at: usize,
        /// The distance that does not fit.
        distance: i64,
    },
    /// The code is too long for 32-bit distances.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmError::Unbound { at } => write!(f, "the label used at offset {at:#x} was never bound"),
            AsmError::ShortJump { at, distance } => {
                write!(f, "the short jump at offset {at:#x} does not reach {distance} bytes")
            }
            AsmError::TooLong { bytes } => write!(f, "code of {bytes} bytes is over 2 GiB"),
        }
    }
}

impl std::error::Error for AsmError {}

/// Machine code as it grows.
#[derive(Clone, Default)]
pub struct CodeBuffer {
    /// The code, then at least [`SLACK`] bytes of no meaning once anything was written.
    bytes: Vec<u8>,
    /// How many of `bytes` are code.
    len: usize,
    /// Offset of each label, or [`UNBOUND`].
    labels: Vec<usize>,
    fixups: Vec<Fixup>,
}

/// What [`CodeBuffer::put2`] stores at once.
const SLACK: usize = 16;
/// What [`CodeBuffer::put`] stores at once.
const WORD: usize = 8;
const UNBOUND: usize = usize::MAX;

/// A field that holds the distance from the end of its instruction to a label.
#[derive(Clone, Copy)]
struct Fixup {
    at: usize,
    label: Label,
    field: Field,
}

#[derive(Clone, Copy)]
enum Field {
    /// One byte, the last of its instruction.
    Rel8,
    /// Four bytes, followed by `after` more of the same instruction. The field's present value is added.
    Rel32 { after: u8 },
}

impl CodeBuffer {
    /// An empty buffer.
    pub fn new() -> CodeBuffer {
        CodeBuffer::default()
    }

    /// An empty buffer with room for `bytes` of code.
    pub fn with_capacity(bytes: usize) -> CodeBuffer {
        CodeBuffer { bytes: vec![0; bytes.saturating_add(SLACK)], ..CodeBuffer::default() }
    }

    /// Bytes written so far; the offset of what comes next.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written so far. Distances to labels are not filled in before [`CodeBuffer::finish`].
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Forgets all code and labels, and keeps the memory for the next function.
    pub fn clear(&mut self) {
        self.len = 0;
        self.labels.clear();
        self.fixups.clear();
    }

    /// Appends the lowest `count` bytes of `word`, at most eight.
    #[inline]
    pub fn put(&mut self, word: u64, count: usize) {
        debug_assert!(count <= WORD, "{count} bytes do not come from one word");
        let Some(room) = self.room() else { return self.put_in_more_room(word, count, 0, 0) };
        room[..WORD].copy_from_slice(&word.to_le_bytes());
        self.len += count;
    }

    /// Appends the lowest bytes of two words: of the first at most seven, of the second at most eight.
    #[inline]
    pub fn put2(&mut self, first: u64, first_count: usize, second: u64, second_count: usize) {
        debug_assert!(first_count < WORD && second_count <= WORD, "{first_count} and {second_count} bytes");
        let Some(room) = self.room() else {
            return self.put_in_more_room(first, first_count, second, second_count);
        };
        room[..WORD].copy_from_slice(&first.to_le_bytes());
        // Below eight, as the mask tells the compiler.
        room[first_count & (WORD - 1)..][..WORD].copy_from_slice(&second.to_le_bytes());
        self.len += first_count + second_count;
    }

    /// The room behind the code, if there is enough of it for any instruction.
    #[inline(always)]
    fn room(&mut self) -> Option<&mut [u8; SLACK]> {
        self.bytes.get_mut(self.len..)?.first_chunk_mut()
    }

    #[cold]
    #[inline(never)]
    fn put_in_more_room(&mut self, first: u64, first_count: usize, second: u64, second_count: usize) {
        self.grow();
        if second_count == 0 {
            self.put(first, first_count);
        } else {
            self.put2(first, first_count, second, second_count);
        }
    }

    /// Writes over what stands at `at`.
    ///
    /// # Panics
    /// When that is not all code that was put.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[..self.len][at..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Makes room for more than one word.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let bytes = (self.bytes.len() * 2).max(256);
        self.bytes.resize(bytes, 0);
    }

    /// Appends bytes: data between code, or an instruction that has no method.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(WORD) {
            let mut word = [0; WORD];
            word[..chunk.len()].copy_from_slice(chunk);
            self.put(u64::from_le_bytes(word), chunk.len());
        }
    }

    /// Appends `count` zeros: room for what is put there by other means.
    pub fn put_zeros(&mut self, count: usize) {
        let end = self.len + count;
        while end + SLACK > self.bytes.len() {
            self.grow();
        }
        self.bytes[self.len..end].fill(0);
        self.len = end;
    }

    /// A new label, not yet bound.
    pub fn new_label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        let number = u32::try_from(self.labels.len()).ok().and_then(NonZeroU32::new);
        Label(number.expect("fewer labels than bytes of code"))
    }

    /// Binds `label` to the present end of the code.
    ///
    /// # Panics
    /// When `label` was bound before, or is another buffer's.
    #[inline]
    pub fn bind(&mut self, label: Label) {
        let offset = &mut self.labels[label.at()];
        assert!(*offset == UNBOUND, "label {} is bound twice", label.0);
        *offset = self.len;
    }

    /// A new label, bound here.
    pub fn here(&mut self) -> Label {
        let label = self.new_label();
        self.bind(label);
        label
    }

    /// Where `label` was bound, as an offset.
    pub fn offset_of(&self, label: Label) -> Option<usize> {
        self.labels.get(label.at()).copied().filter(|&offset| offset != UNBOUND)
    }

    /// Makes the last byte written the distance from the end of the code to `label`.
    #[inline]
    pub fn use_rel8(&mut self, label: Label) {
        self.fixups.push(Fixup { at: self.len - 1, label, field: Field::Rel8 });
    }

    /// Adds to the four bytes that stand `after` bytes before the end of the code the distance from that end
    /// to `label`. `after` are the bytes of the instruction behind the field (an immediate).
    #[inline]
    pub fn use_rel32(&mut self, label: Label, after: u8) {
        let at = self.len - 4 - usize::from(after);
        self.fixups.push(Fixup { at, label, field: Field::Rel32 { after } });
    }

    /// Fills in all distances and returns the code.
    ///
    /// # Errors
    /// See [`AsmError`].
    pub fn finish(mut self) -> Result<Vec<u8>, AsmError> {
        self.resolve()?;
        self.bytes.truncate(self.len);
        Ok(self.bytes)
    }

    /// Fills in all distances and lends the code, so that the buffer can be [cleared](CodeBuffer::clear) and
    /// used again.
    ///
    /// # Errors
    /// See [`AsmError`].
    pub fn finish_in_place(&mut self) -> Result<&[u8], AsmError> {
        self.resolve()?;
        Ok(self.bytes())
    }

    fn resolve(&mut self) -> Result<(), AsmError> {
        if i32::try_from(self.len).is_err() {
            return Err(AsmError::TooLong { bytes: self.len });
        }
        for &Fixup { at, label, field } in &self.fixups {
            let target = self.offset_of(label).ok_or(AsmError::Unbound { at })? as i64;
            match field {
                Field::Rel8 => {
                    let distance = target - (at as i64 + 1);
                    let value = i8::try_from(distance).map_err(|_| AsmError::ShortJump { at, distance })?;
                    self.bytes[at] = value as u8;
                }
                Field::Rel32 { after } => {
                    let field: &mut [u8; 4] =
                        self.bytes[at..].first_chunk_mut().expect("the field was written before its fix-up");
                    // Two offsets below 2 GiB are within reach of each other; what is added to a label is small
                    // and checked where the operand is made.
                    let distance = (target - (at as i64 + 4 + i64::from(after))) as i32;
                    *field = i32::from_le_bytes(*field).wrapping_add(distance).to_le_bytes();
                }
            }
        }
        self.fixups.clear();
        Ok(())
    }
}

impl fmt::Debug for CodeBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeBuffer({} bytes, {} labels)", self.len, self.labels.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_filled_in_both_directions() {
        let mut buffer = CodeBuffer::new();
        let (back, forth) = (buffer.here(), buffer.new_label());
        buffer.put(0, 4);
        buffer.use_rel32(forth, 0);
        buffer.put(0x00_aabb_0000_0001, 7); // an addend of 1 in the field, 3 bytes of immediate behind it
        buffer.use_rel32(back, 3);
        buffer.put(0, 1);
        buffer.use_rel8(back);
        buffer.bind(forth);
        let code = buffer.finish().unwrap();
        assert_eq!(code[..4], 8i32.to_le_bytes());
        assert_eq!(code[4..8], (-11i32 + 1).to_le_bytes());
        assert_eq!(code[8..11], [0xbb, 0xaa, 0]);
        assert_eq!(code[11], -12i8 as u8);
    }

    #[test]
    fn words_in_pairs_and_bytes_over_others() {
        let mut buffer = CodeBuffer::new();
        for _ in 0..100 {
            buffer.put2(0xff07_0605_0403_0201, 7, 0x100f_0e0d_0c0b_0a09, 8);
            buffer.put2(0xaa, 0, 0xbb, 1);
        }
        buffer.overwrite(1599, &[0xcc]);
        let code = buffer.finish().unwrap();
        let once = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 0xbb];
        assert_eq!(code[..1599], once.repeat(100)[..1599]);
        assert_eq!(code[1599..], [0xcc]);
    }

    #[test]
    fn zeros_take_the_place_of_what_was_there() {
        let mut buffer = CodeBuffer::new();
        buffer.put(u64::MAX, 2);
        buffer.put_zeros(300);
        buffer.put(1, 1);
        let code = buffer.finish().unwrap();
        assert_eq!(code, [&[0xff; 2][..], &[0; 300], &[1]].concat());
    }

    #[test]
    fn a_label_that_was_never_bound_is_an_error() {
        let mut buffer = CodeBuffer::new();
        let label = buffer.new_label();
        buffer.put(0, 5);
        buffer.use_rel32(label, 0);
        assert_eq!(buffer.offset_of(label), None);
        let error = buffer.finish().unwrap_err();
        assert_eq!(error, AsmError::Unbound { at: 1 });
        assert_eq!(error.to_string(), "the label used at offset 0x1 was never bound");
    }

    #[test]
    fn a_short_jump_reaches_127_bytes_and_no_more() {
        for (gap, fits) in [(127, true), (128, false)] {
            let mut buffer = CodeBuffer::new();
            let label = buffer.new_label();
            buffer.put(0xeb, 2);
            buffer.use_rel8(label);
            buffer.put_bytes(&vec![0x90; gap]);
            buffer.bind(label);
            assert_eq!(buffer.finish().is_ok(), fits, "{gap}");
        }
    }

    #[test]
    #[should_panic(expected = "bound twice")]
    fn a_label_is_bound_once() {
        let mut buffer = CodeBuffer::new();
        let label = buffer.here();
        buffer.bind(label);
    }

    #[test]
    fn a_cleared_buffer_starts_over() {
        let mut buffer = CodeBuffer::with_capacity(3);
        let label = buffer.new_label();
        buffer.put_bytes(&[1; 1000]);
        buffer.use_rel32(label, 0);
        assert_eq!(buffer.len(), 1000);
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.put_bytes(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(buffer.finish_in_place().unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
