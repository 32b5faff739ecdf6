//! Numbers that trade speed of code, size of code and time to compile. They cannot change results.

use tenure_code::Inlining;

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

/// How much may be translated in place of calls, in bytes of bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Largest body that is though nobody called it yet: its code is hardly more than the call's.
    pub tiny: usize,
    /// Largest body that is where nothing is known, or when it was called.
    pub small: usize,
    /// Largest body that is when it is called often.
    pub hot: usize,
    /// Most bytes for one call of a function in itself, with the calls of that function again that are in it.
    pub recursion: usize,
    /// Most levels of those.
    pub levels: usize,
    /// Bytes for one function, beside those in proportion to it.
    pub least: usize,
    /// Per cent of the function's own bytes.
    pub per_cent: usize,
}

impl Growth {
    /// Where nothing is known of calls, and all functions are compiled. The recursive Fibonacci function takes two thirds
    /// of its time with one level in place, half with two or three, and not less with more. What a compiler of the
    /// guest's has left as calls pays next to nothing: sqlite is as fast with bodies of 24 bytes as with none, and larger
    /// ones only take time to compile.
    const AHEAD: Self =
        Self { tiny: 12, small: 24, hot: 24, recursion: 256, levels: 3, least: 300, per_cent: 15 };

    /// Where only what is hot is compiled, while the guest runs, and calls were counted.
    const HOT: Self = Self { small: 12, ..Self::AHEAD };

    /// As much as can be, for tests.
    const ALWAYS: Self = Self {
        tiny: 1_500,
        small: 1_500,
        hot: 1_500,
        recursion: 1_000,
        levels: 2,
        least: 2_000,
        per_cent: 100,
    };

    /// That of `inlining`, if there is to be any, for code that runs already or not.
    pub(crate) fn new(inlining: Inlining, is_running: bool) -> Option<Self> {
        match inlining {
            Inlining::Never => None,
            Inlining::WhereItPays => Some(if is_running { Self::HOT } else { Self::AHEAD }),
            Inlining::Always => Some(Self::ALWAYS),
        }
    }

    /// Bytes that may be translated in place in a body of `bytes` bytes.
    pub(crate) fn budget(self, bytes: usize) -> usize {
        self.least + bytes / 100 * self.per_cent
    }

    /// Largest body that is translated in place when it ran through `times` times.
    pub(crate) fn at_heat(self, times: u64) -> usize {
        match times {
            0 => self.tiny,
            1..OFTEN => self.small,
            OFTEN.. => self.hot,
        }
    }
}

/// How often a function ran through by the time its caller is hot, if it is called often.
const OFTEN: u64 = 200;

/// Most calls in place that one may be inside of.
pub(crate) const MOST_INLINED_LEVELS: usize = 5;

/// Most locals beside parameters of what is translated in place.
pub(crate) const MOST_INLINED_LOCALS: u32 = 64;

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

/// Where functions begin: at multiples of so many bytes. A call of a short function takes a tenth longer where that one
/// begins in the middle of 32 bytes, more than the way by which it is called matters; 64 bytes are no better for programs.
pub(crate) const ALIGNMENT: u32 = 32;
