//! What a stack walk relies on: frame pointers are always kept.
//!
//! ```text
//! [fp + 8]   return address
//! [fp + 0]   the caller's frame pointer
//! [fp - 8]   vmctx, in frames of the baseline tier; elsewhere metadata says
//! ```
//! A walk starts at the last exit (or the fault) and ends at the entry stub's frame, both of which the
//! store's context records.

use crate::call_conv::{CallConv, Loc};
use tenure_types::{FuncType, ValType};

/// Offset from the frame pointer at which the return address lies.
pub const RETURN_ADDRESS: usize = 8;
/// Offset from the frame pointer at which the caller's frame pointer lies.
pub const CALLER_FP: usize = 0;

/// What is known of every frame of one compiled function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameShape {
    /// Where the frame keeps `vmctx`, in bytes from the frame pointer (negative), when it does for as
    /// long as the frame lives.
    pub vmctx: Option<i32>,
}

/// The type of code that takes over from a frame of a function of type `ty`: it takes the frame's pointer, and
/// returns the function's results in its stead.
pub fn loop_entry_type(ty: &FuncType) -> FuncType {
    FuncType::new([ValType::I64], ty.results())
}

/// Where a frame of the baseline tier keeps each local and operand: what code of another tier needs that takes
/// over in the middle of a loop.
///
/// An `i32` or `f32` fills the low 4 bytes of its home, an `i64`, `f64` or function reference 8, a host
/// reference 4, a vector 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Homes {
    /// Bytes of a home: 8 or 16.
    pub slot: i32,
    /// Bytes from the frame pointer down to the first home.
    pub fixed: i32,
    /// How many locals there are, parameters included.
    pub locals: u32,
}

impl Homes {
    /// The home of `local`, from the frame pointer; `conv` is the function's.
    #[inline]
    pub fn local(&self, local: u32, conv: &CallConv) -> i32 {
        if let Some(&(_, Loc::Stack(at))) = conv.args.get(local as usize) {
            return 16 + at as i32;
        }
        self.own_local(local)
    }

    /// The home that a local would have if it were no argument on the stack.
    #[inline]
    pub fn own_local(&self, local: u32) -> i32 {
        -self.fixed - self.slot * (local as i32 + 1)
    }

    /// The home of the operand at `height`, from the frame pointer.
    #[inline]
    pub fn operand(&self, height: u32) -> i32 {
        -self.fixed - self.slot * (self.locals as i32 + height as i32 + 1)
    }
}
