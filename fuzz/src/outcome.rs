//! What an engine did, in a form in which two engines can be compared.

use crate::value::Value;
use std::fmt;

/// How a call, or an instantiation, ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It returned.
    Values(Vec<Value>),
    /// The guest trapped.
    Trap(Trap),
    /// A limit was met that each engine has elsewhere: nothing after it can be compared.
    Poison(String),
    /// The host was told something else than a trap.
    Error(String),
}

/// A trap: its kind by the name that embedders know, and where it was.
#[derive(Clone, PartialEq, Eq)]
pub struct Trap {
    /// The kind; `None` when the engine does not tell, which is as good as any.
    pub kind: Option<String>,
    /// Where it was, the innermost first; nothing when the engine does not tell.
    pub frames: Vec<Frame>,
}

/// A function that was active, and the offset in the module of the operator that it was at, if the engine tells.
pub type Frame = (u32, Option<usize>);

/// How many frames are compared.
pub const FRAMES: usize = 12;

impl Outcome {
    /// The outcome of a trap called `kind`. Stacks end where each engine likes.
    pub fn trap(kind: String, frames: Vec<Frame>) -> Self {
        match kind.as_str() {
            "StackOverflow" | "GrowthOperationLimited" | "OutOfSystemMemory" => Self::Poison(kind),
            _ => Self::Trap(Trap { kind: Some(kind), frames }),
        }
    }

    /// Whether the guest ran into `unreachable`, which is also how generated modules end that run for too long.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Trap(Trap { kind: Some(kind), .. }) if kind == "UnreachableCodeReached")
    }

    /// Whether both engines did the same, as far as both tell.
    fn agrees(&self, other: &Self, places: Places) -> bool {
        match (self, other) {
            (Self::Trap(one), Self::Trap(other)) => {
                let same_kind = one.kind.is_none() || other.kind.is_none() || one.kind == other.kind;
                same_kind && same_frames(&one.frames, &other.frames, places)
            }
            // Texts differ.
            (Self::Error(_), Self::Error(_)) => true,
            _ => self == other,
        }
    }
}

/// Whether both traps were at the same place, as far as both engines tell.
fn same_frames(one: &[Frame], other: &[Frame], places: Places) -> bool {
    if one.is_empty() || other.is_empty() {
        return true;
    }
    one.len() == other.len()
        && one.iter().zip(other).enumerate().all(|(at, (one, other))| {
            // Calls are where they are for everybody.
            let is_exact = at > 0 || places == Places::Exact;
            let is_told = one.1.is_some() && other.1.is_some();
            one.0 == other.0 && (!is_exact || !is_told || one.1 == other.1)
        })
}

impl fmt::Debug for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_deref().unwrap_or("of some kind"))?;
        for (at, (func, offset)) in self.frames.iter().enumerate() {
            let word = if at == 0 { "in" } else { ", called by" };
            write!(f, " {word} function {func}")?;
            if let Some(offset) = offset {
                write!(f, " at {offset:#x}")?;
            }
        }
        Ok(())
    }
}

/// One exported thing that a guest can change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A global's value.
    Global(Value),
    /// A memory's length and a hash of its bytes.
    Memory(usize, u64),
    /// A table's length and its first elements.
    Table(u64, Vec<Value>),
}

/// How many of a table's elements are compared.
pub const TABLE_ELEMENTS: u64 = 100;

/// One step of a program, and what could be seen after it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What was done.
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Every exported global, memory and table.
    pub items: Vec<(String, Item)>,
    /// The calls of host functions, with arguments.
    pub trace: Vec<String>,
}

/// How closely an engine knows where a trap was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Places {
    /// The function, and the calls that led to it. An operator that was folded into another one, such as a load into
    /// an addition, may trap where the other one is.
    Near,
    /// The operator.
    Exact,
}

/// The first thing in which two runs differ, or `None`. Nothing counts from where either is poisoned.
pub fn difference(one: &[Step], other: &[Step], places: Places) -> Option<String> {
    for (one, other) in one.iter().zip(other) {
        if [one, other].iter().any(|step| matches!(step.outcome, Outcome::Poison(_))) {
            return None;
        }
        if !one.outcome.agrees(&other.outcome, places) {
            return Some(format!("{}: {:?} and {:?}", one.what, one.outcome, other.outcome));
        }
        if one.trace != other.trace {
            let at = one.trace.iter().zip(&other.trace).position(|(one, other)| one != other);
            let at = at.unwrap_or(one.trace.len().min(other.trace.len()));
            let (one_call, other_call) = (one.trace.get(at), other.trace.get(at));
            return Some(format!("{}: host call {at}: {one_call:?} and {other_call:?}", one.what));
        }
        for ((name, one_item), (_, other_item)) in one.items.iter().zip(&other.items) {
            if one_item != other_item {
                return Some(format!("after {}: {name}: {one_item:?} and {other_item:?}", one.what));
            }
        }
    }
    (one.len() != other.len()).then(|| format!("{} steps and {}", one.len(), other.len()))
}

/// A hash of `bytes` that differs when they do.
pub fn hash(bytes: &[u8]) -> u64 {
    // Four chains, because each multiplication waits for the one before it.
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut chains = [0_u64, 1, 2, 3];
    for block in blocks {
        for (chain, word) in chains.iter_mut().zip(block.as_chunks::<8>().0) {
            *chain = mix(*chain, u64::from_le_bytes(*word));
        }
    }
    let hash = chains.into_iter().fold(0, mix);
    rest.iter().fold(hash, |hash, &byte| mix(hash, byte.into()))
}

fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}
