//! The seam between the pipeline and a tier.

use crate::CompiledFunc;
use std::fmt;
use std::sync::Arc;
use tenure_abi::CtxLayout;
use tenure_abi::frame::Homes;
use tenure_module::{Body, Module, OperatorCost, ValidateError};
use tenure_types::{FuncIdx, MemType};

/// Which compiler made a piece of code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Tier {
    /// The single-pass compiler.
    Baseline = 0,
    /// The compiler on Cranelift.
    Optimizing = 1,
}

/// How one memory of a module is reserved, and so what compiled code may leave out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryPlan {
    /// Bytes of address space from the base on that belong to the memory, without the guard.
    pub reserved: u64,
    /// Bytes after those that fault on access.
    pub guard: u64,
    /// Whether the base may change when the memory grows.
    pub may_move: bool,
}

/// Which calls of the module's own functions are translated in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Inlining {
    /// None.
    Never,
    /// Those where that makes code faster for its size.
    WhereItPays,
    /// As many as can be, for tests.
    Always,
}

/// What compiled code relies on beyond the module: equal tunables, interchangeable code.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tunables {
    /// Whether faults may stand for traps. Else every check is explicit and every trap a builtin call.
    pub signals: bool,
    /// Address space reserved for a memory with 32-bit addresses, in bytes.
    pub memory_reservation: u64,
    /// Address space reserved for a memory with 64-bit addresses, in bytes.
    pub memory64_reservation: u64,
    /// Bytes after a memory's reservation that fault on access.
    pub memory_guard: u64,
    /// Whether NaN results are made canonical.
    pub canonical_nans: bool,
    /// Whether relaxed SIMD operators give the same results on every machine.
    pub deterministic_relaxed_simd: bool,
    /// Whether functions and loops look at the engine's epoch.
    pub epochs: bool,
    /// What operators cost, if fuel is counted.
    pub fuel: Option<Arc<OperatorCost>>,
    /// Whether code of the baseline tier counts what it executes against its function's budget, and asks the
    /// runtime for better code when that is used up.
    pub tiering: bool,
    /// Whether each frame keeps its `vmctx` where [`FrameShape`](tenure_abi::frame::FrameShape) says.
    pub keep_vmctx: bool,
    /// Which calls are translated in place.
    pub inlining: Inlining,
}

/// Bytes that a small memory reserves: a few pages, so that ten thousand take 2.5 GiB.
const SMALL_RESERVATION: u64 = 256 << 10;

impl Default for Tunables {
    fn default() -> Self {
        Self {
            signals: true,
            memory_reservation: 4 << 30,
            memory64_reservation: 4 << 30,
            memory_guard: 32 << 20,
            canonical_nans: false,
            deterministic_relaxed_simd: false,
            epochs: false,
            fuel: None,
            tiering: false,
            keep_vmctx: false,
            inlining: Inlining::WhereItPays,
        }
    }
}

impl Tunables {
    /// As they are, but for memories that reserve little address space: code then checks every access itself.
    #[must_use]
    pub fn with_small_memories(mut self) -> Self {
        self.memory_reservation = self.memory_reservation.min(SMALL_RESERVATION);
        self.memory64_reservation = self.memory64_reservation.min(SMALL_RESERVATION);
        self.memory_guard = 0;
        self
    }

    /// How memories of type `ty` are reserved. Both compilers and the runtime derive it from here.
    pub fn memory_plan(&self, ty: &MemType) -> MemoryPlan {
        let reserved = if ty.is_64 { self.memory64_reservation } else { self.memory_reservation };
        let guard = if self.signals { self.memory_guard } else { 0 };
        MemoryPlan { reserved, guard, may_move: ty.max_bytes() > reserved }
    }

    /// Up to which end of an access, counted from the index, nothing has to be checked in memories of type `ty`: up to
    /// there the highest byte that a 32-bit index reaches faults. 0 when everything has to be checked.
    pub fn faulting_end(&self, ty: &MemType) -> u64 {
        let plan = self.memory_plan(ty);
        let indices = u64::from(u32::MAX);
        // The machine's pages divide the memory's only where those are 64 KiB.
        let has_guard = self.signals && ty.page_size_log2 == 16;
        if !has_guard || ty.is_64 || plan.reserved <= indices {
            return 0;
        }
        plan.reserved.saturating_add(plan.guard) - indices
    }
}

/// What a compiler needs to know of the module around a function.
#[derive(Clone, Copy)]
pub struct CompileUnit<'a> {
    /// The module.
    pub module: &'a Module,
    /// Its instances' contexts.
    pub layout: &'a CtxLayout,
    /// What code may rely on.
    pub tunables: &'a Tunables,
    /// What the functions did so far, where they run already.
    pub profile: Option<&'a dyn Profile>,
}

/// What is known of a module's functions from running them in the baseline tier. It may only decide how fast code is.
pub trait Profile: Sync {
    /// How much `func` executed, in bytes of WebAssembly, as far as that was counted: who has better code, or is inlined
    /// in whoever has, counts no longer.
    fn executed(&self, func: FuncIdx) -> u64;
}

impl CompileUnit<'_> {
    /// Whether `func` asks the runtime where it begins, even if it calls nothing and has no loop: where epochs are
    /// watched, whatever can be called from outside of the module does.
    pub fn stops_at_entry(&self, func: FuncIdx) -> bool {
        let escapes = self.module.funcs.get(func.at()).is_some_and(|func| func.escape.is_some());
        self.tunables.epochs && escapes
    }
}

/// A tier. Shared by threads; each call compiles one function.
pub trait Compiler: Send + Sync {
    /// Which one it is.
    fn tier(&self) -> Tier;

    /// Checks and compiles `body` in one decode.
    ///
    /// # Errors
    /// [`CompileError::Invalid`] when the body is not valid; the others say what is not possible.
    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError>;

    /// As [`Compiler::compile`], for a function that has code already: refuses what would take out of proportion
    /// to its size to make good code of.
    ///
    /// # Errors
    /// [`CompileError::TooLarge`] for what is refused; else as [`Compiler::compile`].
    fn compile_well(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        self.compile(unit, body)
    }

    /// Compiles the code that takes over from a frame of the baseline tier at the start of a loop: a function
    /// of type `(frame pointer: i64) -> the function's results`, which loads what it needs from the frame's
    /// homes and goes on to the end of the function.
    ///
    /// # Errors
    /// [`CompileError::Unsupported`] where a tier or a function does not do that; else as
    /// [`Compiler::compile`].
    fn compile_loop_entry(
        &self,
        unit: CompileUnit<'_>,
        body: Body<'_>,
        entry: LoopEntry,
    ) -> Result<CompiledFunc, CompileError> {
        let (_, _) = (unit, entry);
        let offset = body.code.range().start;
        Err(CompileError::Unsupported { what: "entering at a loop".to_string(), offset })
    }

    /// What beyond the inputs decides the code: version and CPU features, for keys and headers.
    fn fingerprint(&self) -> String;
}

/// Where code of the optimizing tier takes over from a frame of the baseline tier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopEntry {
    /// Which loop: its place among all `loop` operators of the body, from 0.
    pub number: u32,
    /// Where that frame keeps locals and operands.
    pub homes: Homes,
}

/// Why a function was not compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// The body is not valid.
    Invalid(ValidateError),
    /// Valid WebAssembly that this tier does not do.
    Unsupported {
        /// What it is.
        what: String,
        /// Where, in bytes from the start of the module.
        offset: u64,
    },
    /// Over an implementation limit.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// We are wrong.
    Bug(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Unsupported { what, offset } => {
                write!(f, "{what} is not supported yet (at offset {offset:#x})")
            }
            Self::TooLarge { what, limit } => write!(f, "too many {what}: at most {limit} are allowed"),
            Self::Bug(what) => write!(f, "a bug in tenure: {what}"),
        }
    }
}

impl std::error::Error for CompileError {}

impl From<ValidateError> for CompileError {
    fn from(error: ValidateError) -> Self {
        Self::Invalid(error)
    }
}
