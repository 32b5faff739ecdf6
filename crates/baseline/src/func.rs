//! The state of one compilation.

use crate::constants::Constants;
use crate::control::Label;
use crate::conventions::Conventions;
use crate::frame::FrameLayout;
use crate::isa_x64::asm::Access;
use crate::isa_x64::cpu::Cpu;
use crate::isa_x64::prologue;
use crate::isa_x64::{KEPT_PINS, TEMPS};
use crate::moves::Moves;
use crate::regions::{Facts, Regions};
use crate::regs::{Reg, RegSet, Regs};
use crate::stack::Value;
use crate::tiering::Count;
use crate::traps::Late;
use std::sync::Arc;
use tenure_abi::ValClass;
use tenure_abi::call_conv::CallConv;
use tenure_asm::x64::{Assembler, Size};
use tenure_code::{CompileError, CompileUnit, Reloc, TrapSite, WasmOffset, class_of, class_of_refs};
use tenure_module::{FuelPlan, Item, Summary};
use tenure_types::{FuncIdx, FuncType, MemIdx};

/// What a compilation works in, kept for the next.
#[derive(Default)]
pub(crate) struct Buffers {
    pub asm: Assembler,
    pub prologue: Assembler,
    pub locals: Vec<ValClass>,
    pub reads: Vec<u32>,
    pub values: Vec<Value>,
    pub labels: Vec<Label>,
    pub regs: Regs,
    pub summary: Summary,
    pub regions: Regions,
    pub moves: Moves,
    pub traps: Vec<TrapSite>,
    pub offsets: Vec<WasmOffset>,
    pub relocs: Vec<Reloc>,
    pub late: Vec<Late>,
    pub constants: Constants,
    pub conventions: Conventions,
    pub read_homes: Vec<u64>,
    /// Open loops, and the body, whose bytes are being counted.
    pub counts: Vec<Count>,
    /// What is in temps where the function begins.
    pub arrived: Vec<(Reg, Item)>,
    /// Return addresses of calls of code that takes over.
    pub handovers: Vec<u32>,
}

/// What code is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub cpu: Cpu,
    pub temps: RegSet,
    /// Whether anything is pinned to a register.
    pub pins: bool,
    /// Whether there is garbage wherever there may be.
    pub poisoned: bool,
}

impl Machine {
    /// A machine with all its registers.
    pub(crate) fn new(cpu: Cpu) -> Self {
        Self { cpu, temps: TEMPS, pins: true, poisoned: false }
    }
}

/// The compilation of one function.
pub(crate) struct FuncCompiler<'a> {
    pub unit: CompileUnit<'a>,
    pub cpu: Cpu,
    /// Registers that are temps where no pin is in them.
    pub temps: RegSet,
    pub pins: bool,
    pub poisoned: bool,
    /// Which function it is.
    pub func: FuncIdx,
    /// The function's type.
    pub ty: &'a FuncType,
    pub conv: Arc<CallConv>,
    /// The convention of code that takes over.
    pub takeover: Option<Arc<CallConv>>,
    /// The body's bytes from its operators on.
    pub code: &'a [u8],
    /// Where in `code` the operator after the present one begins.
    pub next: usize,
    /// Where the present operator lies, in bytes from the start of the module.
    pub offset: u32,
    pub frame: FrameLayout,
    /// The load that the operand on top stands for, when it is one.
    pub folded: Option<Access>,
    /// The register whose value the flags are of, its size, and where the code was then: if it is still there,
    /// the flags are.
    pub tested: Option<(Reg, Size, u32)>,
    /// Registers that the next operator needs as the present one leaves them.
    pub hold: RegSet,
    /// Operands below are constants or at home.
    pub settled: usize,
    /// Operands below are at home.
    pub homed: usize,
    /// Whether control can come to the next operator.
    pub reachable: bool,
    /// How many constructs were opened since control could last come.
    pub skipped: u32,
    /// How many loops have begun.
    pub loops: u32,
    /// The region that the code is in.
    pub region: u32,
    /// Whether nothing was called.
    pub leaf: bool,
    /// Whether the frame's copy of `vmctx` is read.
    pub reads_context: bool,
    /// Up to which end an access to memory 0 needs no check; see [`FuncCompiler::faulting_end`].
    pub faulting: u64,
    /// What costs how much fuel, if fuel is counted.
    pub fuel: Option<FuelPlan>,
    /// Whether homes have room for a vector.
    pub wide_homes: bool,
    /// Whether there was a vector without room for it in its home.
    pub starts_over: bool,
    pub b: Box<Buffers>,
}

/// One function's own operators and offsets are below this, as module offsets are.
pub(crate) const NO_OFFSET: u32 = u32::MAX;

impl<'a> FuncCompiler<'a> {
    /// Starts function `idx`, whose locals are declared next. `wide_homes` says that it has vectors.
    pub(crate) fn new(
        unit: CompileUnit<'a>,
        machine: Machine,
        idx: FuncIdx,
        wide_homes: bool,
        mut buffers: Box<Buffers>,
    ) -> Self {
        let b = &mut *buffers;
        b.asm.buffer.clear();
        b.locals.clear();
        b.reads.clear();
        b.values.clear();
        b.labels.clear();
        b.traps.clear();
        b.offsets.clear();
        b.relocs.clear();
        b.late.clear();
        b.constants.clear();
        b.read_homes.clear();
        b.counts.clear();
        b.arrived.clear();
        b.handovers.clear();
        let ty = unit.module.func_type(idx);
        let conv = b.conventions.get(ty);
        b.locals.extend(ty.params().iter().map(|&ty| ValClass::of(ty)));
        Self {
            unit,
            cpu: machine.cpu,
            temps: machine.temps,
            pins: machine.pins,
            poisoned: machine.poisoned,
            func: idx,
            ty,
            conv,
            takeover: None,
            code: &[],
            next: 0,
            offset: NO_OFFSET,
            frame: FrameLayout::new(0, 0, false, false),
            folded: None,
            tested: None,
            hold: RegSet::EMPTY,
            settled: 0,
            homed: 0,
            reachable: true,
            skipped: 0,
            loops: 0,
            region: 0,
            leaf: true,
            reads_context: false,
            faulting: 0,
            fuel: None,
            wide_homes,
            starts_over: false,
            b: buffers,
        }
    }

    /// Declares `count` more locals, zero at the start.
    pub(crate) fn declare_locals(&mut self, count: u32, ty: wasmparser::ValType) -> Result<(), CompileError> {
        let class = self.class(ty)?;
        let count = self.b.locals.len() + count as usize;
        self.b.locals.resize(count, class);
        Ok(())
    }

    /// Begins the body, whose operators are `code`.
    pub(crate) fn begin(&mut self, code: &'a [u8]) {
        self.code = code;
        let items = self.b.locals.len() + Item::FIRST_LOCAL as usize;
        self.b.reads.resize(self.b.locals.len(), 0);
        self.b.read_homes.resize(self.b.locals.len().div_ceil(64), 0);
        let has_memory = !self.unit.module.mems.is_empty();
        let memory_may_move = has_memory && self.plan(MemIdx(0)).may_move;
        self.faulting = if has_memory { self.faulting_end(MemIdx(0)) } else { 0 };
        let facts = Facts { locals: &self.b.locals, memory_may_move };
        let parts = if self.pins { self.b.summary.parts() } else { &[] };
        self.b.regions.plan(&self.b.summary, parts, facts);
        let saved = self.b.regions.used.and(RegSet::of(&KEPT_PINS)).iter().count();
        let has_results_pointer = self.conv.results_pointer.is_some();
        // Without vector operators and locals, only a call or a global can bring a vector in: then it starts over.
        self.wide_homes |= self.b.summary.may_have_vectors() || self.b.locals.contains(&ValClass::V128);
        self.frame = FrameLayout::new(self.b.locals.len(), saved, has_results_pointer, self.wide_homes);
        self.b.regs.start(items, self.temps);
        // The prologue is written last, when all is known, right in front of the body.
        self.b.asm.buffer.put_zeros(prologue::ROOM);
        self.receive();
        // What the host can call is always stopped where it begins, which may take a call.
        self.leaf = !self.unit.stops_at_entry(self.func);
        self.count_entry();
        self.pay_at_entry();
        self.push_function_label();
    }

    /// The class of values of a type that stands in a body.
    pub(crate) fn class(&self, ty: wasmparser::ValType) -> Result<ValClass, CompileError> {
        class_of(ty).map_err(|proposal| self.unsupported(&format!("the {proposal} proposal")))
    }

    /// The class of references to `ty`.
    pub(crate) fn heap_class(&self, ty: wasmparser::HeapType) -> Result<ValClass, CompileError> {
        class_of_refs(ty).map_err(|proposal| self.unsupported(&format!("the {proposal} proposal")))
    }

    /// The error for what this tier does not do.
    pub(crate) fn unsupported(&self, what: &str) -> CompileError {
        CompileError::Unsupported { what: what.to_string(), offset: u64::from(self.offset) }
    }

    /// The first byte of the operator after the present one. Code that writes two operators as one looks
    /// here; there always is one, because a body ends with `end`.
    #[inline]
    pub(crate) fn next_opcode(&self) -> u8 {
        self.code.get(self.next).copied().unwrap_or(0)
    }

    /// The local that the next operator writes, if it is `local.set` or `local.tee`.
    #[inline]
    pub(crate) fn next_local_written(&self) -> Option<u32> {
        if !matches!(self.next_opcode(), 0x21 | 0x22) {
            return None;
        }
        // Behind the number there is the `end` of the body at least.
        let [_, low, high, ..] = *self.code.get(self.next..)? else { return None };
        match (low < 0x80, high < 0x80) {
            (true, _) => Some(u32::from(low)),
            (false, true) => Some(u32::from(low & 0x7f) | u32::from(high) << 7),
            (false, false) => None,
        }
    }
}
