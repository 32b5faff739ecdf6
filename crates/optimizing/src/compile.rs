//! The driver: one decode feeds validator and translator, then Cranelift makes code of what came out.

use crate::checks::CalmLoops;
use crate::inline::Inlining;
use crate::isa::{self, Cpu, Settings, Targets, UnsupportedMachine};
use crate::metadata;
use crate::offsets::{self, Offsets};
use crate::schedule::Scheduler;
use crate::translate::{Buffers, Finished, Form, StackUse, Translator};
use crate::tuning::{self, Growth, Size};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use std::sync::{Mutex, PoisonError};
use tenure_code::{CompileError, CompileUnit, CompiledFunc, Compiler, LoopEntry, Tier};
use tenure_module::{Body, BodyAllocations, FuelPlan, ValidateError, check_operator};
use wasmparser::{
    BinaryReader, FuncValidator, OperatorsReader, OperatorsReaderAllocations, ValidatorResources,
};

/// The compiler on Cranelift, for the machine it runs on. One serves any number of threads and settings.
pub struct OptimizingCompiler {
    settings: Settings,
    cpu: Cpu,
    plain: Targets,
    canonical_nans: Targets,
    /// Buffers of compilations that ended; at most as many as ran at once.
    idle: Mutex<Vec<Box<Worker>>>,
}

/// What one compilation works in, kept for the next.
struct Worker {
    context: Context,
    builder: FunctionBuilderContext,
    validator: BodyAllocations,
    operators: OperatorsReaderAllocations,
    scheduler: Scheduler,
    offsets: Offsets,
    buffers: Buffers,
    /// Whether the present function has calls in place.
    has_inlined: bool,
}

/// Where a function is entered, how large it may be, and how much of that may be callees in place.
#[derive(Clone, Copy)]
struct Extent {
    entry: Option<LoopEntry>,
    most: Size,
    growth: Option<Growth>,
}

impl Worker {
    fn new() -> Self {
        Self {
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            validator: BodyAllocations::default(),
            operators: OperatorsReaderAllocations::default(),
            scheduler: Scheduler::default(),
            offsets: Offsets::default(),
            buffers: Buffers::default(),
            has_inlined: false,
        }
    }
}

impl OptimizingCompiler {
    /// A compiler for this machine that makes fast code.
    ///
    /// # Errors
    /// [`UnsupportedMachine`] when Cranelift does not know it.
    pub fn new() -> Result<Self, UnsupportedMachine> {
        Self::with(Settings::default())
    }

    /// A compiler for this machine.
    ///
    /// # Errors
    /// As [`OptimizingCompiler::new`].
    pub fn with(settings: Settings) -> Result<Self, UnsupportedMachine> {
        Ok(Self {
            cpu: Cpu::detect(),
            plain: Targets::new(settings, false)?,
            canonical_nans: Targets::new(settings, true)?,
            settings,
            idle: Mutex::default(),
        })
    }

    /// What is worth good code here.
    fn good(&self) -> Size {
        Size { memory: self.settings.memory.unwrap_or(usize::MAX), ..Size::GOOD }
    }

    /// Compiles `body`, to be entered at its start or at a loop, if it is no larger than `most`.
    fn compile_from(
        &self,
        unit: CompileUnit<'_>,
        body: Body<'_>,
        entry: Option<LoopEntry>,
        most: Size,
    ) -> Result<CompiledFunc, CompileError> {
        let targets = if unit.tunables.canonical_nans { &self.canonical_nans } else { &self.plain };
        let growth = Growth::new(unit.tunables.inlining, unit.profile.is_some());
        let extent = Extent { entry, most, growth };
        let idle = self.idle().pop();
        let mut worker = idle.unwrap_or_else(|| Box::new(Worker::new()));
        let func = match worker.compile(unit, self.cpu, targets, body.again(), extent) {
            // The callees may be what there is too much of, or be what this tier does not do.
            Err(CompileError::TooLarge { .. } | CompileError::Unsupported { .. }) if worker.has_inlined => {
                // After an error the buffers are in no known state: they go.
                worker = Box::new(Worker::new());
                worker.compile(unit, self.cpu, targets, body, Extent { growth: None, ..extent })?
            }
            done => done?,
        };
        self.idle().push(worker);
        Ok(func)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<Worker>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Compiler for OptimizingCompiler {
    fn tier(&self) -> Tier {
        Tier::Optimizing
    }

    fn compile(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        self.compile_from(unit, body, None, Size::ANY)
    }

    fn compile_well(&self, unit: CompileUnit<'_>, body: Body<'_>) -> Result<CompiledFunc, CompileError> {
        self.compile_from(unit, body, None, self.good())
    }

    fn compile_loop_entry(
        &self,
        unit: CompileUnit<'_>,
        body: Body<'_>,
        entry: LoopEntry,
    ) -> Result<CompiledFunc, CompileError> {
        self.compile_from(unit, body, Some(entry), self.good())
    }

    fn fingerprint(&self) -> String {
        let flags: Vec<_> = self.plain.good.isa_flags().iter().map(ToString::to_string).collect();
        let tier = env!("CARGO_PKG_VERSION");
        let cranelift = cranelift_codegen::VERSION;
        let (triple, level) = (self.plain.good.triple(), self.settings.effort.level());
        format!("optimizing {tier}, cranelift {cranelift}, {triple}, {level}: {}", flags.join(" "))
    }
}

impl Worker {
    fn compile(
        &mut self,
        unit: CompileUnit<'_>,
        cpu: Cpu,
        targets: &Targets,
        body: Body<'_>,
        extent: Extent,
    ) -> Result<CompiledFunc, CompileError> {
        let again = body.again();
        match self.try_compile(unit, cpu, targets, body, extent, StackUse::Little)? {
            Some(func) => Ok(func),
            None => {
                let func = self.try_compile(unit, cpu, targets, again, extent, StackUse::Much)?;
                func.ok_or_else(|| CompileError::Bug("a function that checks its stack uses too much".into()))
            }
        }
    }

    /// Compiles `body`; `None` if it uses more stack than was said.
    fn try_compile(
        &mut self,
        unit: CompileUnit<'_>,
        cpu: Cpu,
        targets: &Targets,
        body: Body<'_>,
        Extent { entry, most, growth }: Extent,
        stack: StackUse,
    ) -> Result<Option<CompiledFunc>, CompileError> {
        let func = body.func;
        let calm_loops = CalmLoops::find(unit, &body);
        self.has_inlined = false;
        let inlining = growth.and_then(|growth| Inlining::new(&body, unit.module.bytes.len(), growth));
        let fuel = unit.tunables.fuel.as_ref().map(|costs| FuelPlan::read(costs, &body));
        let (mut validator, code) = body.into_validator(std::mem::take(&mut self.validator));
        let bytes = code.as_bytes().len();
        let most = most.for_body(bytes);
        self.context.clear();
        let mut translator = Translator::new(
            unit,
            cpu,
            Form { func, entry, stack },
            &mut self.context.func,
            &mut self.builder,
            std::mem::take(&mut self.buffers),
        );
        translator.calm_loops = calm_loops;
        translator.inlining = inlining;
        let operators = std::mem::take(&mut self.operators);
        let translated =
            translate(&mut translator, &mut validator, code.get_binary_reader(), operators, fuel, most);
        self.has_inlined = translator.inlined_calls() > 0;
        self.operators = translated?;
        self.validator = validator.into_allocations();
        if !translator.was_entered() {
            return Err(CompileError::Bug(format!("control cannot come to the loop of {entry:?}")));
        }
        let calls = translator.calls;
        let is_hard = translator.size().excess(&Size::GOOD.for_body(bytes)).is_some();
        let Finished { buffers, vmctx_slot, locations } = translator.finish(&*targets.good);
        self.buffers = buffers;
        let optimized = targets.optimized.as_ref().filter(|_| !is_hard);
        if optimized.is_some() {
            let done = self.context.optimize(&*targets.good, &mut ControlPlane::default());
            done.map_err(|error| refused(&error))?;
            self.scheduler.run(&mut self.context.func);
        }
        match (unit.tunables.signals, optimized) {
            (false, _) => {}
            (true, Some(_)) => self.offsets.keep(&mut self.context.func),
            (true, None) => offsets::keep_simply(&mut self.context.func),
        }
        let isa = match optimized {
            Some(optimized) => optimized,
            None if is_hard => &targets.bounded,
            None => &targets.good,
        };
        self.context.compile(&**isa, &mut ControlPlane::default()).map_err(|error| refused(&error.inner))?;
        let compiled = self.context.compiled_code();
        let compiled = compiled.ok_or_else(|| CompileError::Bug("cranelift lost the code it made".into()))?;
        let frame = compiled.buffer.frame_layout().map_or(0, |frame| frame.frame_to_fp_offset);
        let little = match (calls, unit.tunables.signals) {
            (false, _) => LITTLE_OF_LEAF,
            (true, true) => LITTLE,
            // Checked below.
            (true, false) => u32::MAX,
        };
        if unit.tunables.epochs && stack == StackUse::Little && frame > little {
            return Ok(None);
        }
        if !unit.tunables.signals {
            check_frame(frame)?;
        }
        let meta = metadata::meta(compiled, unit.tunables.signals, vmctx_slot, locations);
        let (mut code, relocs) = metadata::bytes(func, compiled, &self.context.func.params)?;
        isa::cheapen_traps(&mut code, meta.traps.iter().map(|site| site.code as usize));
        Ok(Some(CompiledFunc {
            homes: None,
            func,
            tier: Tier::Optimizing,
            code,
            align: compiled.buffer.alignment.max(tuning::ALIGNMENT),
            relocs,
            meta,
        }))
    }
}

/// Drives validator and translator over the body that `reader` stands before, for as long as the function is no larger
/// than `most`.
fn translate(
    translator: &mut Translator<'_>,
    validator: &mut FuncValidator<ValidatorResources>,
    mut reader: BinaryReader<'_>,
    operators: OperatorsReaderAllocations,
    fuel: Option<FuelPlan>,
    most: Size,
) -> Result<OperatorsReaderAllocations, CompileError> {
    let invalid = ValidateError::from;
    for _ in 0..reader.read_var_u32().map_err(invalid)? {
        let offset = reader.original_position();
        let count = reader.read_var_u32().map_err(invalid)?;
        let ty = reader.read().map_err(invalid)?;
        validator.define_locals(offset, count, ty).map_err(invalid)?;
        translator.declare_locals(count, ty)?;
    }
    if let Some(plan) = fuel {
        translator.start_fuel(plan);
    }
    reader.set_features(*validator.features());
    let mut reader = OperatorsReader::new_with_allocs(reader, operators);
    while !reader.eof() {
        let (op, offset) = reader.read_with_offset().map_err(invalid)?;
        check_operator(validator, offset, &op)?;
        translator.counted_operator(&op, offset)?;
        // After each: what paths meet with can make one operator a hundred thousand values.
        if let Some((what, limit)) = translator.size().excess(&most) {
            return Err(CompileError::TooLarge { what, limit });
        }
    }
    reader.finish().map_err(invalid)?;
    Ok(reader.into_allocations())
}

/// Largest frame that may exist before the stack is looked at, where epochs are watched: it lies in the reserve that
/// the runtime keeps below the limit.
const LITTLE: u32 = 16 << 10;

/// As [`LITTLE`], for functions that call none and do not look at all.
const LITTLE_OF_LEAF: u32 = 1024;

/// Largest frame of code without signals: it checks the stack once the frame exists, which then lies in
/// the reserve that the runtime keeps below the limit.
const MAX_UNCHECKED_FRAME: u32 = 64 << 10;

fn check_frame(frame: u32) -> Result<(), CompileError> {
    if frame <= MAX_UNCHECKED_FRAME {
        return Ok(());
    }
    Err(CompileError::TooLarge {
        what: "bytes in one frame without signals",
        limit: MAX_UNCHECKED_FRAME.into(),
    })
}

/// What it means that Cranelift made no code.
fn refused(error: &CodegenError) -> CompileError {
    match error {
        // Cranelift's limits are several: virtual registers, instructions, bytes of frame and of code.
        CodegenError::CodeTooLarge | CodegenError::ImplLimitExceeded => {
            CompileError::TooLarge { what: "values in one function", limit: 1 << 21 }
        }
        error => CompileError::Bug(format!("cranelift: {error}: {error:?}")),
    }
}
