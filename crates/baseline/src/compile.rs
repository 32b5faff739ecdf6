//! The driver: a body is checked and looked over in one pass and compiled in another, or, if it is not one that is
//! checked quickly, one decode feeds validator and compiler; then what lies around the body is added.

use crate::checks::{Checked, Checks};
use crate::func::{Buffers, FuncCompiler, Machine, NO_OFFSET};
use crate::isa_x64::FEWEST_TEMPS;
use crate::isa_x64::cpu::Cpu;
use crate::stop::Stop;
use std::sync::{Mutex, PoisonError};
use tenure_abi::frame::FrameShape;
use tenure_code::{
    CompileError, CompileUnit, CompiledFunc, Compiler, FuncMeta, Reloc, Tier, TrapSite, WasmOffset,
};
use tenure_module::{Body, BodyAllocations, FuelPlan, QuickCheck, ValidateError};
use wasmparser::{BinaryReader, FunctionBody, OperatorsReaderAllocations};

/// The single-pass compiler, for the machine it runs on. One serves any number of threads and settings.
pub struct BaselineCompiler {
    machine: Machine,
    /// Buffers of compilations that ended; at most as many as ran at once.
    #[expect(clippy::vec_box, reason = "they come and go with each function")]
    idle: Mutex<Vec<Box<Worker>>>,
}

/// What one compilation works in, kept for the next.
#[derive(Default)]
struct Worker {
    quick: QuickCheck,
    validator: BodyAllocations,
    operators: OperatorsReaderAllocations,
    /// `None` while they are in use, and before they first are.
    buffers: Option<Box<Buffers>>,
}

impl BaselineCompiler {
    /// A compiler for this machine, with every instruction set extension it has.
    pub fn new() -> Self {
        Self { machine: Machine::new(Cpu::detect()), idle: Mutex::default() }
    }

    /// As [`BaselineCompiler::new`], by whoever knows what this machine has: the names that the standard library gives
    /// its features.
    pub fn with_features(features: &[&str]) -> Self {
        Self { machine: Machine::new(Cpu::with(|name| features.contains(&name))), idle: Mutex::default() }
    }

    /// A compiler for any machine of this architecture.
    pub fn without_extensions() -> Self {
        Self { machine: Machine::new(Cpu::PLAIN), idle: Mutex::default() }
    }

    /// A compiler that uses as few registers as it can, for tests: everything goes home soon.
    pub fn with_few_registers() -> Self {
        let machine = Machine { temps: FEWEST_TEMPS, pins: false, ..Machine::new(Cpu::detect()) };
        Self { machine, idle: Mutex::default() }
    }

    /// A compiler that leaves garbage wherever the convention lets it, for tests: in registers that calls do not keep, in
    /// the upper halves of numbers of 32 bits.
    pub fn with_garbage() -> Self {
        Self { machine: Machine { poisoned: true, ..Machine::new(Cpu::detect()) }, idle: Mutex::default() }
    }

    #[expect(clippy::vec_box, reason = "see `idle`")]
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<Worker>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for BaselineCompiler {
    fn default() -> Self {
        Self::new()
    }
}

impl Compiler for BaselineCompiler {
    fn tier(&self) -> Tier {
        Tier::Baseline
    }

    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        let mut worker = self.idle().pop().unwrap_or_default();
        // After an error the buffers are in no known state: they go.
        let func = worker.compile(unit, self.machine, body)?;
        self.idle().push(worker);
        Ok(func)
    }

    fn fingerprint(&self) -> String {
        format!("baseline {}: {:?}", env!("CARGO_PKG_VERSION"), self.machine)
    }
}

impl Worker {
    fn compile(
        &mut self,
        unit: CompileUnit<'_>,
        machine: Machine,
        body: Body<'_>,
    ) -> Result<CompiledFunc, CompileError> {
        let again = body.again();
        match self.try_compile(unit, machine, false, body)? {
            Some(func) => Ok(func),
            None => {
                let func = self.try_compile(unit, machine, true, again)?;
                func.ok_or_else(|| CompileError::Bug("homes for vectors are too small for one".into()))
            }
        }
    }

    /// Compiles `body`; `None` if it has vectors and there was no room for them.
    fn try_compile(
        &mut self,
        unit: CompileUnit<'_>,
        machine: Machine,
        wide_homes: bool,
        body: Body<'_>,
    ) -> Result<Option<CompiledFunc>, CompileError> {
        let func = body.func;
        let mut buffers = self.buffers.take().unwrap_or_default();
        let is_right = match body.summary() {
            Some(bytes) => {
                buffers.summary.read(bytes);
                true
            }
            None => self.quick.accepts(unit.module, &body, &mut buffers.summary) || body.is_checked(),
        };
        let mut compiler = FuncCompiler::new(unit, machine, func, wide_homes, buffers);
        compiler.fuel = unit.tunables.fuel.as_ref().map(|costs| FuelPlan::read(costs, &body));
        if is_right {
            let mut checks = Checked(body.features());
            drive(&mut compiler, &mut checks, &mut self.operators, &body.code)?;
        } else {
            let (mut validator, code) = body.into_validator(std::mem::take(&mut self.validator));
            drive(&mut compiler, &mut validator, &mut self.operators, &code)?;
            self.validator = validator.into_allocations();
        }
        let homes = compiler.hands_over().then_some(compiler.frame.homes);
        let finished = if compiler.starts_over { None } else { Some(compiler.finish()?) };
        self.buffers = Some(compiler.b);
        let func = |(Finished { code, align, relocs }, meta)| CompiledFunc {
            func,
            tier: Tier::Baseline,
            code,
            align,
            relocs,
            meta,
            homes,
        };
        Ok(finished.map(func))
    }
}

/// Has `compiler` do the whole of `code`.
fn drive<'a>(
    compiler: &mut FuncCompiler<'a>,
    checks: &mut impl Checks,
    allocations: &mut OperatorsReaderAllocations,
    code: &FunctionBody<'a>,
) -> Result<(), CompileError> {
    let mut reader = code.get_binary_reader();
    declare_locals(compiler, checks, &mut reader)?;
    let start = reader.original_position();
    compiler.begin(&code.as_bytes()[(start - code.range().start) as usize..]);
    compiler.operators(checks, allocations, start).map_err(Stop::into_error)
}

fn declare_locals(
    compiler: &mut FuncCompiler<'_>,
    checks: &mut impl Checks,
    reader: &mut BinaryReader<'_>,
) -> Result<(), CompileError> {
    let invalid = ValidateError::from;
    for _ in 0..reader.read_var_u32().map_err(invalid)? {
        let offset = reader.original_position();
        let count = reader.read_var_u32().map_err(invalid)?;
        let ty = reader.read().map_err(invalid)?;
        checks.locals(offset, count, ty).map_err(invalid)?;
        compiler.declare_locals(count, ty)?;
    }
    Ok(())
}

/// A function's code, cut out of the buffer.
struct Finished {
    code: Vec<u8>,
    align: u32,
    relocs: Vec<Reloc>,
}

impl FuncCompiler<'_> {
    /// Adds what lies around the body.
    fn finish(&mut self) -> Result<(Finished, FuncMeta), CompileError> {
        self.write_late();
        let too_large = CompileError::TooLarge { what: "bytes in one frame", limit: 1 << 30 };
        let size = self.frame.size().ok_or(too_large)?;
        self.offset = NO_OFFSET;
        let failure = self.checks_stack(size).then(|| self.write_stack_failure(size));
        let start = self.prologue(size, failure)?;
        let align = self.write_constants(start);
        let bug = |error: tenure_asm::AsmError| CompileError::Bug(error.to_string());
        let code = self.b.asm.buffer.finish_in_place().map_err(bug)?;
        let code = code[start..].to_vec();
        let shift = |at: u32| at - start as u32;
        let relocs = self.b.relocs.iter().map(|reloc| Reloc { at: shift(reloc.at), ..*reloc });
        let traps = self.b.traps.iter().map(|site| TrapSite { code: shift(site.code), ..*site });
        let offsets = self.b.offsets.iter().map(|row| WasmOffset { code: shift(row.code), ..*row });
        let meta = FuncMeta {
            frame: FrameShape { vmctx: self.keeps_context().then_some(crate::frame::CONTEXT) },
            traps: traps.collect(),
            offsets: offsets.collect(),
            call_sites: Vec::new(),
            handovers: self.b.handovers.iter().map(|&code| shift(code)).collect(),
            inlined: Vec::new(),
            inlined_code: Vec::new(),
        };
        Ok((Finished { relocs: relocs.collect(), code, align }, meta))
    }

    /// Writes constants and tables behind the code, which will begin at `start` of the buffer; what the code
    /// has to be aligned to.
    fn write_constants(&mut self, start: usize) -> u32 {
        let b = &mut self.b;
        let asm = &mut b.asm;
        let align = |asm: &mut tenure_asm::x64::Assembler, to: usize| {
            while !(asm.offset() - start).is_multiple_of(to) {
                asm.int3();
            }
        };
        if b.constants.vectors.iter().any(|(_, label)| label.is_some()) {
            align(asm, 16);
            for &(bits, label) in &b.constants.vectors {
                if let Some(label) = label {
                    asm.bind(label);
                    asm.buffer.put_bytes(&bits.to_le_bytes());
                }
            }
        }
        if !b.constants.words.is_empty() {
            align(asm, 8);
            for &(bits, label) in &b.constants.words {
                asm.bind(label);
                asm.buffer.put(bits, 8);
            }
        }
        if !b.constants.tables.is_empty() {
            align(asm, 4);
            for &(label, from, to) in &b.constants.tables {
                asm.bind(label);
                for (at, &target) in b.constants.targets[from as usize..to as usize].iter().enumerate() {
                    // The distance counts from the end of the entry; the entry's place makes it one from the
                    // start of the table.
                    asm.buffer.put(4 * at as u64 + 4, 4);
                    asm.buffer.use_rel32(target, 0);
                }
            }
        }
        16
    }
}
