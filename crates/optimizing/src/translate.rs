//! The state of one translation: where the operands, locals and labels of the function are in Cranelift's IR.
//!
//! ```text
//! stack    one IR value an operand; a vector may have any lane type here
//! locals   one variable a local; Cranelift's frontend finds the values
//! frames   one a label: where a branch goes, and how high the stack was
//! ```
//! The validator has accepted every operator before it comes here, so that operands are there and have
//! their types. Code that cannot be reached is validated but not translated: [`Translator::reachable`].

use crate::abi::{PTR, VECTOR, builtin_signature, clif_type, leaf_signature, signature};
use crate::checks::{Calm, CalmLoops, Extents, Scope};
use crate::entry::Entering;
use crate::fuel::Fuel;
use crate::inline::{Inlining, Locations, Start};
use crate::isa::Cpu;
use crate::records::Region;
use crate::tuning::Size;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::{
    self, Block, BlockArg, Endianness, ExtFuncData, ExternalName, FuncRef, Function, Inst, InstBuilder,
    InstructionData, MemFlagsData, Opcode, SigRef, StackSlot, StackSlotData, StackSlotKind, Type,
    UserExternalName, UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use tenure_abi::call_conv::{ValClass, results_in_memory};
use tenure_abi::frame::loop_entry_type;
use tenure_abi::vm::{VmCtxHeader, VmStore};
use tenure_abi::{Builtin, Leaf, ValRaw};
use tenure_code::{CompileError, CompileUnit, LoopEntry, class_of, class_of_refs};
use tenure_types::{FuncIdx, FuncType, Trap, TypeIdx};
use wasmparser::BlockType;

/// Buffers to be used again for the next function.
#[derive(Default)]
pub(crate) struct Buffers {
    stack: Vec<Value>,
    frames: Vec<Frame>,
    locals: Vec<Variable>,
    args: Vec<BlockArg>,
    values: Vec<Value>,
}

/// What is left of a translation.
pub(crate) struct Finished {
    pub buffers: Buffers,
    /// Where the frame keeps `vmctx`, when it does.
    pub vmctx_slot: Option<StackSlot>,
    /// Which operators the locations of instructions stand for.
    pub locations: Locations,
}

/// A label, and the construct that it belongs to.
pub(crate) struct Frame {
    pub kind: FrameKind,
    /// Where a branch to the label goes.
    pub target: Block,
    /// Where code goes on behind the construct. A loop has none: it just falls out.
    pub after: Block,
    /// Height of the operand stack below the construct's parameters.
    pub height: usize,
    /// How many values a branch to the label takes.
    pub arity: usize,
    /// How many values the construct leaves.
    pub results: usize,
    /// Whether anything branches to `after`.
    pub branched: bool,
    /// Which accesses are known to be inside behind it.
    pub scope: Scope,
}

pub(crate) enum FrameKind {
    /// The whole function; a branch to it returns.
    Func,
    Block,
    Loop,
    /// The first arm of an `if`; the second begins in the block, with these parameters.
    If {
        other: Block,
        params: Vec<Value>,
    },
    Else,
}

/// How much stack the function is known to use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackUse {
    /// No more than can be looked at once the frame exists; so little, if it calls nothing, that nobody need look.
    Little,
    /// Perhaps more.
    Much,
}

/// What is made of which function.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub func: FuncIdx,
    /// The loop to enter at; without it, code enters where the function begins.
    pub entry: Option<LoopEntry>,
    pub stack: StackUse,
}

pub(crate) struct Translator<'a> {
    pub unit: CompileUnit<'a>,
    pub cpu: Cpu,
    pub builder: FunctionBuilder<'a>,
    /// Which function it is.
    idx: FuncIdx,
    /// The type of the function whose operators are being translated.
    pub ty: &'a FuncType,
    /// Where the function's own results go, when they go through memory.
    pub results_pointer: Option<Value>,
    pub vmctx: Value,
    /// Where the frame keeps `vmctx`, when it does.
    pub vmctx_slot: Option<StackSlot>,
    /// Whether the code is where calls of the function go.
    is_start: bool,
    /// What is inlined, if anything may be.
    pub inlining: Option<Inlining>,
    /// Where the body begins whose operators are being translated.
    pub start: Start,
    /// How many locals the functions have that wait for an inlined callee.
    pub locals_around: usize,
    /// The loop to enter at, if there is one.
    pub entry: Option<Entering>,
    /// How many loops have begun.
    pub loops: u32,
    /// Whether functions are called.
    pub calls: bool,
    /// Up to where accesses were checked.
    pub extents: Extents,
    /// Loops around which memory 0 stays as it is.
    pub calm_loops: CalmLoops,
    /// That around the code, if there is one.
    pub calm: Option<Calm>,
    /// The look at the stack limit where the function begins, and the branch by it, if one that calls nothing does
    /// without.
    entry_check: Option<(Inst, Inst)>,
    /// How many looks at the stack limit there are.
    looks: i32,
    /// Those of the function whose operators are being translated.
    pub frames: Vec<Frame>,
    /// Whether control can come to the next operator.
    pub reachable: bool,
    /// How many constructs were opened since control could last come.
    pub skipped: u32,
    /// Where the operator lies, in bytes from the start of the module.
    pub offset: u64,
    pub stack: Vec<Value>,
    /// The most operands there were.
    pub highest: usize,
    pub locals: Vec<Variable>,
    /// Fuel, if it is counted.
    pub fuel: Option<Fuel>,
    /// For the arguments of one branch at a time.
    args: Vec<BlockArg>,
    /// For the arguments of one call at a time.
    pub values: Vec<Value>,
    signatures: HashMap<TypeIdx, SigRef>,
    funcs: HashMap<FuncIdx, FuncRef>,
    builtins: [Option<SigRef>; Builtin::ALL.len()],
    leaves: [Option<SigRef>; Leaf::ALL.len()],
    results_slot: Option<StackSlot>,
}

impl<'a> Translator<'a> {
    /// Starts a function: signature, entry block, parameters.
    pub(crate) fn new(
        unit: CompileUnit<'a>,
        cpu: Cpu,
        Form { func: idx, entry: entry_at, stack }: Form,
        func: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        buffers: Buffers,
    ) -> Self {
        let ty: &'a FuncType = unit.module.func_type(idx);
        func.name = UserFuncName::user(0, idx.0);
        func.signature = match entry_at {
            None => signature(ty),
            Some(_) => signature(&loop_entry_type(ty)),
        };
        let mut builder = FunctionBuilder::new(func, context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);

        let mut params = builder.block_params(entry).to_vec().into_iter();
        let mut next = || params.next().expect("the signature has a parameter for each");
        let vmctx = next();
        let results_pointer = results_in_memory(ty).then(&mut next);
        let Buffers { stack: mut operands, mut frames, mut locals, args, values } = buffers;
        operands.clear();
        frames.clear();
        locals.clear();
        let mut entering = None;
        if let Some(at) = entry_at {
            let take_over = builder.create_block();
            entering = Some(Entering::new(at, take_over, next()));
        } else {
            for &param in ty.params() {
                let local = builder.declare_var(clif_type(ValClass::of(param)));
                builder.def_var(local, next());
                locals.push(local);
            }
        }
        let mut this = Self {
            unit,
            cpu,
            builder,
            idx,
            ty,
            results_pointer,
            vmctx,
            vmctx_slot: None,
            is_start: entry_at.is_none(),
            inlining: None,
            start: Start::default(),
            locals_around: 0,
            entry: entering,
            loops: 0,
            calls: false,
            extents: Extents::default(),
            calm_loops: CalmLoops::default(),
            calm: None,
            entry_check: None,
            looks: 0,
            frames,
            reachable: true,
            skipped: 0,
            offset: 0,
            stack: operands,
            highest: 0,
            locals,
            fuel: None,
            args,
            values,
            signatures: HashMap::new(),
            funcs: HashMap::new(),
            builtins: [None; Builtin::ALL.len()],
            leaves: [None; Leaf::ALL.len()],
            results_slot: None,
        };
        this.prologue(stack);
        match &this.entry {
            None => {}
            Some(entry) => {
                let take_over = entry.take_over;
                this.builder.ins().jump(take_over, &[]);
                this.builder.seal_block(take_over);
                this.start_that_nothing_enters();
            }
        }
        let results = this.ty.results().iter().map(|&ty| clif_type(ValClass::of(ty)));
        let exit = this.block_with(results);
        let results = this.ty.results().len();
        this.frames.push(Frame {
            kind: FrameKind::Func,
            target: exit,
            after: exit,
            height: 0,
            arity: results,
            results,
            branched: false,
            scope: this.extents.scope(),
        });
        this
    }

    /// How large the function is so far.
    #[inline]
    pub(crate) fn size(&self) -> Size {
        let dfg = &self.builder.func.dfg;
        let instructions = dfg.num_insts();
        let merged = dfg.num_values().saturating_sub(instructions);
        Size {
            blocks: dfg.num_blocks(),
            waiting: self.locals.len() + self.locals_around + self.highest,
            instructions,
            merged,
            memory: Size::memory_of(instructions, merged),
        }
    }

    /// The buffers, for the next function, and what the driver needs to know.
    pub(crate) fn finish(self, isa: &dyn cranelift_codegen::isa::TargetIsa) -> Finished {
        let Self { builder, stack, frames, locals, args, values, vmctx_slot, inlining, .. } = self;
        if let Some((look, branch)) = self.entry_check.filter(|_| !self.calls) {
            let branch = &mut builder.func.dfg.insts[branch];
            if let InstructionData::Brif { blocks: [_, next], .. } = *branch {
                *branch = InstructionData::Jump { opcode: Opcode::Jump, destination: next };
            }
            // What compares it is not used any more; a load would stay.
            builder.func.dfg.insts[look] =
                InstructionData::UnaryImm { opcode: Opcode::Iconst, imm: Imm64::new(0) };
        }
        builder.finalize(isa.frontend_config());
        let locations = inlining.map(Inlining::into_locations).unwrap_or_default();
        Finished { buffers: Buffers { stack, frames, locals, args, values }, vmctx_slot, locations }
    }

    fn prologue(&mut self, stack: StackUse) {
        if self.unit.tunables.keep_vmctx {
            let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, PTR.bytes(), 3);
            let slot = self.builder.create_sized_stack_slot(slot);
            self.builder.ins().stack_store(PTR, self.vmctx, slot, 0);
            self.vmctx_slot = Some(slot);
        }
        let tunables = self.unit.tunables;
        if tunables.signals && (!tunables.epochs || stack == StackUse::Much) {
            // Cranelift checks the stack itself, before the frame exists, with a faulting instruction.
            let func = &mut *self.builder.func;
            let flags = func.dfg.mem_flags.insert_unchecked(crate::records::FIXED);
            let vmctx = func.create_global_value(ir::GlobalValueData::VMContext);
            let load = |base, offset: i32, flags| ir::GlobalValueData::Load {
                base,
                offset: offset.into(),
                global_type: PTR,
                flags,
            };
            let store = func.create_global_value(load(vmctx, VmCtxHeader::STORE, flags));
            // The other word is impossible at times, and a fault cannot go on.
            let limit = if tunables.epochs { VmStore::LOWEST } else { VmStore::STACK_LIMIT };
            let limit = func.create_global_value(load(store, limit, flags));
            func.stack_limit = Some(limit);
        }
        if tunables.epochs {
            self.check_entry(stack);
        } else if !tunables.signals {
            // The frame exists by now: it lies in the reserve that is kept below the limit.
            let store = self.store_ctx();
            let limit = self.fixed_ptr(store, VmStore::STACK_LIMIT);
            let here = self.builder.ins().get_stack_pointer(PTR);
            let over = self.builder.ins().icmp(IntCC::UnsignedLessThan, here, limit);
            self.trap_if(over, Trap::StackOverflow);
        }
    }

    /// Where the function begins, if epochs are watched: asks the runtime whether to, when the stack is used up or
    /// somebody has raised its limit because the deadline has come. The frame exists by now, as above.
    fn check_entry(&mut self, stack: StackUse) {
        let limit = self.stack_limit();
        let here = self.builder.ins().get_stack_pointer(PTR);
        let stopped = self.builder.ins().icmp(IntCC::UnsignedLessThan, here, limit);
        let look = self.builder.func.dfg.value_def(limit).inst();
        let branch = self.ask_if(stopped, Builtin::StoppedAtEntry);
        let always = self.entry.is_none() && self.unit.stops_at_entry(self.idx);
        if stack == StackUse::Little && !always {
            self.entry_check = look.map(|look| (look, branch));
        }
    }

    /// Where a loop begins, if epochs are watched: asks the runtime whether to go on, when somebody has made the
    /// stack limit impossible because the deadline has come.
    pub(crate) fn check_epoch(&mut self) {
        if !self.unit.tunables.epochs {
            return;
        }
        let limit = self.stack_limit();
        let stopped = self.builder.ins().icmp_imm_s(IntCC::Equal, limit, VmStore::STOP.cast_signed() as i64);
        self.ask_if(stopped, Builtin::EpochReached);
    }

    /// The stack limit as it is now. Other threads write it, so that no look may take the word of another one: each
    /// is at an address that the optimizer takes for a place of its own.
    fn stack_limit(&mut self) -> Value {
        let by = self.looks.saturating_mul(8);
        self.looks = self.looks.saturating_add(1);
        let store = self.store_ctx();
        let apart = self.builder.ins().iadd_imm_s(store, i64::from(by));
        let flags = self.trusted(Region::StackLimit);
        self.builder.ins().load(PTR, flags, apart, VmStore::STACK_LIMIT - by)
    }

    /// Calls a builtin in a cold block when `condition` is not 0. The branch.
    fn ask_if(&mut self, condition: Value, builtin: Builtin) -> Inst {
        let ask = self.builder.create_block();
        let next = self.builder.create_block();
        self.builder.set_cold_block(ask);
        let branch = self.builder.ins().brif(condition, ask, &[], next, &[]);
        self.builder.seal_block(ask);
        self.builder.switch_to_block(ask);
        self.builtin_between_operators(builtin);
        self.builder.ins().jump(next, &[]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        branch
    }

    /// Declares `count` more locals, zero at the start.
    pub(crate) fn declare_locals(&mut self, count: u32, ty: wasmparser::ValType) -> Result<(), CompileError> {
        let class = self.class(ty)?;
        self.declare_zero(class, count as usize);
        Ok(())
    }

    /// The class of values of a type that stands in a body.
    pub(crate) fn class(&self, ty: wasmparser::ValType) -> Result<ValClass, CompileError> {
        class_of(ty).map_err(|proposal| self.unsupported(proposal))
    }

    /// The class of references to `ty`.
    pub(crate) fn heap_class(&self, ty: wasmparser::HeapType) -> Result<ValClass, CompileError> {
        class_of_refs(ty).map_err(|proposal| self.unsupported(proposal))
    }

    /// The error for an operator of a proposal that is not there yet.
    pub(crate) fn unsupported(&self, proposal: &str) -> CompileError {
        CompileError::Unsupported { what: format!("the {proposal} proposal"), offset: self.offset }
    }

    pub(crate) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    pub(crate) fn pop(&mut self) -> Value {
        self.stack.pop().expect("the validator has seen the operand")
    }

    pub(crate) fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    pub(crate) fn pop3(&mut self) -> (Value, Value, Value) {
        let third = self.pop();
        let (first, second) = self.pop2();
        (first, second, third)
    }

    /// Pops a vector, read as lanes of `ty`.
    pub(crate) fn pop_vector(&mut self, ty: Type) -> Value {
        let value = self.pop();
        self.lanes(value, ty)
    }

    /// The vector `value`, read as lanes of `ty`.
    pub(crate) fn lanes(&mut self, value: Value, ty: Type) -> Value {
        if self.type_of(value) == ty {
            return value;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.builder.ins().bitcast(ty, flags, value)
    }

    /// `value` in the type in which values of its class cross calls, labels and locals.
    pub(crate) fn canonical(&mut self, value: Value) -> Value {
        if self.type_of(value).is_vector() { self.lanes(value, VECTOR) } else { value }
    }

    pub(crate) fn type_of(&self, value: Value) -> Type {
        self.builder.func.dfg.value_type(value)
    }

    pub(crate) fn i32_const(&mut self, value: i32) -> Value {
        self.builder.ins().iconst(types::I32, i64::from(value.cast_unsigned()))
    }

    pub(crate) fn f32_const(&mut self, bits: u32) -> Value {
        self.builder.ins().f32const(ir::immediates::Ieee32::with_bits(bits))
    }

    pub(crate) fn f64_const(&mut self, bits: u64) -> Value {
        self.builder.ins().f64const(ir::immediates::Ieee64::with_bits(bits))
    }

    pub(crate) fn v128_const(&mut self, bits: u128) -> Value {
        let data = self.builder.func.dfg.constants.insert(bits.to_le_bytes().as_slice().into());
        self.builder.ins().vconst(VECTOR, data)
    }

    /// `value`, an `i32` or `i64`, zero-extended to an `i64`.
    pub(crate) fn zero_extended(&mut self, value: Value) -> Value {
        if self.type_of(value) == types::I64 { value } else { self.builder.ins().uextend(types::I64, value) }
    }

    /// `value`, an `i64`, in the width of indices of a memory or table.
    pub(crate) fn narrowed(&mut self, value: Value, is_64: bool) -> Value {
        if is_64 { value } else { self.builder.ins().ireduce(types::I32, value) }
    }

    /// A block with parameters of these types.
    pub(crate) fn block_with(&mut self, params: impl IntoIterator<Item = Type>) -> Block {
        let block = self.builder.create_block();
        for ty in params {
            self.builder.append_block_param(block, ty);
        }
        block
    }

    /// The classes of a construct's parameters and results.
    pub(crate) fn block_type(&self, ty: BlockType) -> Result<(Vec<Type>, Vec<Type>), CompileError> {
        Ok(match ty {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(ty) => (Vec::new(), vec![clif_type(self.class(ty)?)]),
            BlockType::FuncType(idx) => {
                let ty = &self.unit.module.func_types[TypeIdx(idx).at()];
                let clif = |&ty| clif_type(ValClass::of(ty));
                (ty.params().iter().map(clif).collect(), ty.results().iter().map(clif).collect())
            }
        })
    }

    /// The frame that a branch to `depth` goes to.
    pub(crate) fn frame(&mut self, depth: u32) -> &mut Frame {
        let at = self.frames.len() - 1 - depth as usize;
        &mut self.frames[at]
    }

    /// Makes the top `count` operands canonical, in place.
    pub(crate) fn canonical_top(&mut self, count: usize) {
        for at in self.stack.len() - count..self.stack.len() {
            self.stack[at] = self.canonical(self.stack[at]);
        }
    }

    /// Jumps to `block` with the top `arity` operands, and leaves them on the stack.
    pub(crate) fn jump(&mut self, block: Block, arity: usize) {
        let args = self.take_args(arity);
        self.builder.ins().jump(block, &args);
        self.args = args;
    }

    /// Branches to `block` with the top `arity` operands when `condition` is not 0, else to `next`.
    pub(crate) fn branch_if(&mut self, condition: Value, block: Block, arity: usize, next: Block) {
        let args = self.take_args(arity);
        self.builder.ins().brif(condition, block, &args, next, &[]);
        self.args = args;
    }

    fn take_args(&mut self, arity: usize) -> Vec<BlockArg> {
        self.canonical_top(arity);
        let mut args = std::mem::take(&mut self.args);
        args.clear();
        args.extend(self.stack[self.stack.len() - arity..].iter().map(|&value| BlockArg::Value(value)));
        args
    }

    /// The signature of functions of type `ty`.
    pub(crate) fn signature(&mut self, ty: TypeIdx) -> SigRef {
        match self.signatures.entry(ty) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let signature = signature(&self.unit.module.func_types[ty.at()]);
                *new.insert(self.builder.import_signature(signature))
            }
        }
    }

    /// Function `func`, which the module defines, as something to call. Cranelift loads the address of a
    /// function that may lie anywhere from a table by the program counter: our code slots. The function
    /// itself lies right here.
    pub(crate) fn func_ref(&mut self, func: FuncIdx) -> FuncRef {
        if let Some(&known) = self.funcs.get(&func) {
            return known;
        }
        let signature = self.signature(self.unit.module.funcs[func.at()].ty);
        let name = UserExternalName::new(0, func.0);
        let name = ExternalName::user(self.builder.func.params.ensure_user_func_name(name));
        // What enters at a loop is not where the function starts.
        let colocated = func == self.idx && self.is_start;
        let data = ExtFuncData { name, signature, colocated, patchable: false };
        let new = self.builder.import_function(data);
        self.funcs.insert(func, new);
        new
    }

    /// The signature of a builtin's stub.
    pub(crate) fn builtin_signature(&mut self, builtin: Builtin) -> SigRef {
        let at = builtin as usize;
        if let Some(known) = self.builtins[at] {
            return known;
        }
        let new = self.builder.import_signature(builtin_signature(builtin));
        self.builtins[at] = Some(new);
        new
    }

    pub(crate) fn leaf_signature(&mut self, leaf: Leaf) -> SigRef {
        let at = leaf as usize;
        if let Some(known) = self.leaves[at] {
            return known;
        }
        let new = self.builder.import_signature(leaf_signature(leaf));
        self.leaves[at] = Some(new);
        new
    }

    /// A place in the frame for `count` results that travel through memory. All calls share it: results
    /// are read right after each.
    pub(crate) fn results_slot(&mut self, count: usize) -> StackSlot {
        let size = u32::try_from(count * ValRaw::SIZE).expect("types have at most 1,000 results");
        let slot = match self.results_slot {
            Some(slot) => slot,
            None => {
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4);
                *self.results_slot.insert(self.builder.create_sized_stack_slot(data))
            }
        };
        let data = &mut self.builder.func.sized_stack_slots[slot];
        data.size = data.size.max(size);
        slot
    }
}
