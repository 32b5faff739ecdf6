//! Numbers that trade speed of code, size of code and time to compile. They cannot change results.

/// How much a function may be made of. What decides is Cranelift's work, which grows with the square of some of these.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Blocks.
    pub blocks: usize,
    /// Locals, and operands on the stack at once: the measure of values that live at once.
    pub waiting: usize,
    /// Instructions.
    pub instructions: usize,
    /// Values that no instruction makes: those that come along different paths, one for each local that is read behind
    /// a place where paths meet.
    pub merged: usize,
    /// Bytes that compiling it takes, by [`Size::memory_of`].
    pub memory: usize,
}

impl Size {
    /// About how many bytes Cranelift takes at most for so many instructions and merged values: 2,600 and 1,500 for
    /// each were the most that could be had, and half as much is usual.
    pub(crate) fn memory_of(instructions: usize, merged: usize) -> usize {
        instructions.saturating_mul(3_000).saturating_add(merged.saturating_mul(2_000))
    }

    /// What is worth good code. 16,384 blocks take half a second, twice as many two; 4,096 values that all live at once
    /// half a second, twice as many two; 400,000 instructions a second and up to 1 GB; 36,000 merged values two seconds,
    /// and they can be made by 3,000 bytes.
    pub(crate) const GOOD: Self =
        Self { blocks: 16_384, waiting: 4_096, instructions: 400_000, merged: 1 << 16, memory: usize::MAX };

    /// What is compiled at all, if not well: some seconds and up to 5 GB. Cranelift itself has no more registers than these
    /// have values.
    pub(crate) const ANY: Self = Self {
        blocks: 1 << 18,
        waiting: usize::MAX,
        instructions: 1 << 21,
        merged: 1 << 20,
        memory: usize::MAX,
    };

    /// The same for a body of `bytes` bytes, so that time stays in proportion to it. In large functions of real programs
    /// there are at most two values a byte, merged ones and others.
    pub(crate) fn for_body(self, bytes: usize) -> Self {
        Self { merged: self.merged.min(8_192 + 4 * bytes), ..self }
    }

    /// What there is too much of when `self` is not to be more than `most`, and how much is allowed.
    pub(crate) fn excess(&self, most: &Self) -> Option<(&'static str, u64)> {
        let rows = [
            (self.blocks, most.blocks, "blocks in one function"),
            (self.waiting, most.waiting, "locals and operands in one function"),
            (self.instructions, most.instructions, "instructions in one function"),
            (self.merged, most.merged, "values where paths meet in one function"),
            (self.memory, most.memory, "bytes that compiling one function takes"),
        ];
        let row = rows.into_iter().find(|(size, most, _)| size > most);
        row.map(|(_, most, what)| (what, most as u64))
    }
}

/// Most operands that wait below constructs on the way to a loop that is entered from a running frame, counted once for
/// each construct. Compilers leave next to none there.
pub(crate) const MOST_KEPT_OPERANDS: usize = 1 << 16;

/// Most stretches of a `br_table` that are told apart by comparing: at most two comparisons, where a jump
/// through a table takes one, and a prediction that is harder.
pub(crate) const MOST_STRETCHES: usize = 4;

/// Most bytes that `memory.copy` and `memory.fill` of a known length handle in place: as many as half the
/// vector registers hold.
pub(crate) const MOST_BYTES_IN_PLACE: u32 = 128;

/// How many instructions back the range of an index is looked for: a table's element is a load, a mask, a shift and a sum.
pub(crate) const DEPTH_OF_RANGES: u32 = 5;
