//! Entering at a loop: code that takes over from a frame of the baseline tier.
//!
//! ```text
//! entry ──▶ take over: locals and operands, from that frame's homes
//!                 │          start (nothing jumps here)
//!                 │            │
//!                 ▼            ▼
//!           header of the loop ◀── back edges        the rest is the function as it always is
//! ```
//! The function's own start is translated, since code before the loop may be reached again by the back edge of a
//! loop around it; what is not, Cranelift drops.
//!
//! An operand that waits below the loop has two definitions now: that of the code which pushed it, and the one from
//! its home. So, until the loop is met, operands below a construct are variables: defined where it begins, and
//! read again at each of its labels. Once the loop is met, that goes for the labels of the constructs around it alone:
//! to those that begin later there is no way but past their beginning.

use crate::abi::clif_type;
use crate::translate::Translator;
use crate::tuning;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::Variable;
use tenure_abi::ValClass;
use tenure_abi::call_conv::CallConv;
use tenure_code::{CompileError, LoopEntry};

/// The way in, and how far the translation has come with it.
pub(crate) struct Entering {
    at: LoopEntry,
    /// The block that loads what the loop needs.
    pub take_over: Block,
    /// The frame pointer of the frame that waits.
    frame: Value,
    /// By local: its type.
    pub locals: Vec<Type>,
    /// By height: the variable of the operand there.
    operands: Vec<(Type, Variable)>,
    /// How many of the open constructs are around the loop, once it was met.
    around: Option<usize>,
    /// How many operands were written to variables or read from them.
    work: usize,
}

impl Entering {
    pub(crate) fn new(at: LoopEntry, take_over: Block, frame: Value) -> Self {
        Self { at, take_over, frame, locals: Vec::new(), operands: Vec::new(), around: None, work: 0 }
    }
}

impl Translator<'_> {
    /// Where a construct begins: the operands below `height` stay as they are until its end. Whether they are
    /// variables from now on.
    pub(crate) fn keep_operands(&mut self, height: usize) -> Result<bool, CompileError> {
        let Some(entry) = self.entry.as_mut().filter(|entry| entry.around.is_none()) else {
            return Ok(false);
        };
        entry.work += height;
        if entry.work > tuning::MOST_KEPT_OPERANDS {
            let limit = tuning::MOST_KEPT_OPERANDS as u64;
            return Err(CompileError::TooLarge { what: "operands around a loop to enter at", limit });
        }
        for at in 0..height {
            let value = self.canonical(self.stack[at]);
            let ty = self.type_of(value);
            let variable = self.operand_variable(at, ty);
            self.builder.def_var(variable, value);
        }
        Ok(true)
    }

    /// The variable of the operand of type `ty` at `height`.
    fn operand_variable(&mut self, height: usize, ty: Type) -> Variable {
        let entry = self.entry.as_mut().expect("only an entry has such variables");
        match entry.operands.get_mut(height) {
            Some((known, variable)) if *known == ty => *variable,
            // An operand of another type was at this height; it is gone.
            Some(row) => {
                *row = (ty, self.builder.declare_var(ty));
                row.1
            }
            None => {
                let variable = self.builder.declare_var(ty);
                entry.operands.push((ty, variable));
                variable
            }
        }
    }

    /// Whether operands below the construct at `depth` of those open, from the outermost, have to be read again at its
    /// labels.
    pub(crate) fn are_variables_below(&self, depth: usize) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.around.is_none_or(|around| depth < around))
    }

    /// Takes note that only `left` constructs are open.
    pub(crate) fn leave_construct(&mut self, left: usize) {
        if let Some(Entering { around: Some(around), .. }) = &mut self.entry {
            *around = left.min(*around);
        }
    }

    /// At a label of a construct: reads the operands below `height` again, which are those below it. The block has its
    /// parameters by now; it gets more for these.
    pub(crate) fn read_operands(&mut self, height: usize) {
        let Some(entry) = &self.entry else { return };
        for (operand, (_, variable)) in self.stack[..height].iter_mut().zip(&entry.operands) {
            *operand = self.builder.use_var(*variable);
        }
    }

    /// After a jump to the header of loop `number`, whose parameters have these types: if it is the one to enter at,
    /// makes the other way in. The stack holds the operands below it.
    pub(crate) fn enter_at_loop(&mut self, number: u32, header: Block, params: &[Type]) {
        let conv = CallConv::new(self.ty);
        let Some(entry) = self.entry.as_mut().filter(|entry| entry.at.number == number) else { return };
        let (homes, frame) = (entry.at.homes, entry.frame);
        self.builder.switch_to_block(entry.take_over);
        let mut load = |ty: Type, at: i32| {
            // Homes are aligned to the values in them.
            self.builder.ins().load(ty, MemFlagsData::trusted(), frame, at)
        };
        let locals: Vec<Value> =
            (0..).zip(&entry.locals).map(|(local, &ty)| load(ty, homes.local(local, &conv))).collect();
        let below = self.stack.len();
        let operands = entry.operands[..below].iter().map(|&(ty, _)| ty).chain(params.iter().copied());
        let operands: Vec<Value> =
            (0..).zip(operands).map(|(height, ty)| load(ty, homes.operand(height))).collect();
        for (&local, &value) in self.locals.iter().zip(&locals) {
            self.builder.def_var(local, value);
        }
        for ((_, variable), &value) in entry.operands.iter().zip(&operands[..below]) {
            self.builder.def_var(*variable, value);
        }
        let args: Vec<BlockArg> = operands[below..].iter().map(|&value| BlockArg::Value(value)).collect();
        entry.around = Some(self.frames.len());
        self.extents.forget();
        self.frames.iter_mut().for_each(|frame| frame.scope.forget());
        if let Some(calm) = self.calm {
            self.read_memory(calm);
        }
        self.read_fuel();
        self.builder.ins().jump(header, &args);
    }

    /// Whether the loop to enter at was met, if there is to be one.
    pub(crate) fn was_entered(&self) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.around.is_some())
    }

    /// Goes on at the function's own start, which nothing jumps to when it is entered at a loop.
    pub(crate) fn start_that_nothing_enters(&mut self) {
        let start = self.builder.create_block();
        self.builder.seal_block(start);
        self.builder.switch_to_block(start);
        for &param in self.ty.params() {
            self.declare_zero(ValClass::of(param), 1);
        }
    }

    /// Variables for `count` locals of `class`, which hold zero at the start.
    pub(crate) fn declare_zero(&mut self, class: ValClass, count: usize) {
        let ty = clif_type(class);
        let zero = match class {
            ValClass::I32 | ValClass::I64 => self.builder.ins().iconst(ty, 0),
            ValClass::F32 => self.f32_const(0),
            ValClass::F64 => self.f64_const(0),
            ValClass::V128 => self.v128_const(0),
        };
        for _ in 0..count {
            let local = self.builder.declare_var(ty);
            self.builder.def_var(local, zero);
            self.locals.push(local);
        }
        if let Some(entry) = &mut self.entry {
            entry.locals.resize(entry.locals.len() + count, ty);
        }
    }
}
