//! Machine code as text, for `tenure inspect --asm`.
//!
//! One file an instruction set; what has none of its own (or a build without the feature `disassembler`) shows
//! bytes.

#[cfg(all(feature = "disassembler", target_arch = "x86_64"))]
#[path = "x64.rs"]
mod isa;
#[cfg(not(all(feature = "disassembler", target_arch = "x86_64")))]
#[path = "bytes.rs"]
mod isa;

pub use isa::disassemble;

/// One instruction.
pub struct Instruction {
    /// Offset in the code that was disassembled.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// Mnemonic and operands.
    pub text: String,
}
