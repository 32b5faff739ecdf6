//! Random modules that end, and that do the same on every tier.

use super::Random;
use super::operators::{Numeric, lattice, numeric};
use tenure_types::ValType::{self, F32, F64, I32, I64, V128};
use wasm_encoder as we;
use we::Encode;

/// What may occur.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub vectors: bool,
    pub memory_64: bool,
    pub tail_calls: bool,
}

/// A module, and the types of its functions, which are exported as `f0`, `f1`, ….
pub struct Generated {
    pub bytes: Vec<u8>,
    pub types: Vec<(Vec<ValType>, Vec<ValType>)>,
}

pub fn encode_type(ty: ValType) -> we::ValType {
    match ty {
        I32 => we::ValType::I32,
        I64 => we::ValType::I64,
        F32 => we::ValType::F32,
        F64 => we::ValType::F64,
        V128 => we::ValType::V128,
        ValType::Ref(ty) if ty.heap.is_func() => we::ValType::FUNCREF,
        ValType::Ref(_) => we::ValType::EXTERNREF,
    }
}

/// The operator that pushes these bits.
pub fn push_const(code: &mut Vec<u8>, ty: ValType, bits: u128) {
    match ty {
        I32 => we::Instruction::I32Const(bits as i32).encode(code),
        I64 => we::Instruction::I64Const(bits as i64).encode(code),
        F32 => we::Instruction::F32Const(we::Ieee32::new(bits as u32)).encode(code),
        F64 => we::Instruction::F64Const(we::Ieee64::new(bits as u64)).encode(code),
        V128 => we::Instruction::V128Const(bits as i128).encode(code),
        ValType::Ref(ty) if ty.heap.is_func() => {
            we::Instruction::RefNull(we::HeapType::FUNC).encode(code);
        }
        ValType::Ref(_) => we::Instruction::RefNull(we::HeapType::EXTERN).encode(code),
    }
}

const FUNCS: usize = 5;
/// Global 0 is what is left of the time; then come two of each type.
const FUEL: u32 = 0;
const TYPES: [ValType; 4] = [I32, I64, F32, F64];

struct Label {
    /// What a branch to it brings.
    args: Vec<ValType>,
}

struct Gen<'a> {
    random: &'a mut Random,
    options: Options,
    numeric: &'a [Numeric],
    types: &'a [(Vec<ValType>, Vec<ValType>)],
    results: Vec<ValType>,
    code: Vec<u8>,
    locals: Vec<ValType>,
    labels: Vec<Label>,
    /// Operators that may still be written.
    budget: i32,
}

fn random_type(random: &mut Random, options: Options) -> ValType {
    match random.below(if options.vectors { 12 } else { 10 }) {
        0..=4 => I32,
        5 | 6 => I64,
        7 => F32,
        8 | 9 => F64,
        _ => V128,
    }
}

pub fn generate(random: &mut Random, options: Options) -> Generated {
    let numeric = numeric();
    let types: Vec<_> = (0..FUNCS)
        .map(|_| {
            let mut list = |most: usize| -> Vec<ValType> {
                let count = random.below(most + 1);
                (0..count).map(|_| random_type(random, options)).collect()
            };
            let params = list(9);
            let most = if list(12).len() == 12 { 11 } else { 2 };
            (params, list(most))
        })
        .collect();
    let mut module = we::Module::new();
    let mut section = we::TypeSection::new();
    for (params, results) in &types {
        section
            .ty()
            .function(params.iter().map(|&ty| encode_type(ty)), results.iter().map(|&ty| encode_type(ty)));
    }
    // Block types beyond these are made of one result or none.
    section.ty().function([we::ValType::I32], [we::ValType::I32, we::ValType::I64]);
    section.ty().function([we::ValType::I64, we::ValType::I32], [we::ValType::I64, we::ValType::I32]);
    module.section(&section);
    let mut imports = we::ImportSection::new();
    imports.import("", "host", we::EntityType::Function(0));
    module.section(&imports);
    let mut funcs = we::FunctionSection::new();
    for at in 0..FUNCS {
        funcs.function(at as u32);
    }
    module.section(&funcs);
    let mut tables = we::TableSection::new();
    tables.table(we::TableType {
        element_type: we::RefType::FUNCREF,
        table64: false,
        minimum: 8,
        maximum: Some(20),
        shared: false,
    });
    module.section(&tables);
    let mut mems = we::MemorySection::new();
    mems.memory(we::MemoryType {
        minimum: 1,
        maximum: Some(3),
        memory64: options.memory_64,
        shared: false,
        page_size_log2: None,
    });
    module.section(&mems);
    let mut globals = we::GlobalSection::new();
    let mut global = |ty: ValType, bits: u128| {
        let mut init = Vec::new();
        push_const(&mut init, ty, bits);
        let ty = we::GlobalType { val_type: encode_type(ty), mutable: true, shared: false };
        globals.global(ty, &we::ConstExpr::raw(init));
    };
    global(I32, 400);
    for ty in TYPES {
        global(ty, random.wide());
        global(ty, *random.pick(&lattice(ty)));
    }
    module.section(&globals);
    let mut exports = we::ExportSection::new();
    for at in 0..FUNCS {
        exports.export(&format!("f{at}"), we::ExportKind::Func, at as u32 + 1);
    }
    module.section(&exports);
    let mut elems = we::ElementSection::new();
    let all: Vec<u32> = (0..=FUNCS as u32).collect();
    elems.active(Some(0), &we::ConstExpr::i32_const(0), we::Elements::Functions((&all).into()));
    module.section(&elems);
    let mut bodies = we::CodeSection::new();
    for (params, results) in &types {
        let mut locals = params.clone();
        let own: Vec<ValType> = (0..random.below(8)).map(|_| random_type(random, options)).collect();
        locals.extend(&own);
        let budget = 20 + random.below(150) as i32;
        let mut gen_ = Gen {
            random: &mut *random,
            options,
            numeric: &numeric,
            types: &types,
            results: results.clone(),
            code: Vec::new(),
            locals,
            labels: vec![Label { args: results.clone() }],
            budget,
        };
        gen_.burn();
        gen_.statements(4);
        for &ty in results {
            gen_.expr(ty, 3);
        }
        let mut body = we::Function::new_with_locals_types(own.iter().map(|&ty| encode_type(ty)));
        body.raw(gen_.code);
        body.instruction(&we::Instruction::End);
        bodies.function(&body);
    }
    module.section(&bodies);
    let mut data = we::DataSection::new();
    let noise: Vec<u8> = (0..1024).map(|_| random.next() as u8).collect();
    let at = if options.memory_64 { we::ConstExpr::i64_const(0) } else { we::ConstExpr::i32_const(0) };
    data.active(0, &at, noise);
    module.section(&data);
    Generated { bytes: module.finish(), types }
}

impl Gen<'_> {
    fn emit(&mut self, instruction: we::Instruction<'_>) {
        instruction.encode(&mut self.code);
        self.budget -= 1;
    }

    fn local(&mut self, ty: ValType) -> Option<u32> {
        let of: Vec<u32> =
            (0..self.locals.len() as u32).filter(|&at| self.locals[at as usize] == ty).collect();
        (!of.is_empty()).then(|| *self.random.pick(&of))
    }

    fn global(&mut self, ty: ValType) -> Option<u32> {
        let at = TYPES.iter().position(|&other| other == ty)?;
        Some(1 + 2 * at as u32 + self.random.below(2) as u32)
    }

    /// Takes one off the time that is left, or traps.
    fn burn(&mut self) {
        use we::Instruction as I;
        self.emit(I::GlobalGet(FUEL));
        self.emit(I::I32Eqz);
        self.emit(I::If(we::BlockType::Empty));
        self.emit(I::Unreachable);
        self.emit(I::End);
        self.emit(I::GlobalGet(FUEL));
        self.emit(I::I32Const(1));
        self.emit(I::I32Sub);
        self.emit(I::GlobalSet(FUEL));
    }

    fn constant(&mut self, ty: ValType) {
        let bits = match self.random.below(3) {
            0 => self.random.wide() & 0xff,
            1 => self.random.wide(),
            _ => *self.random.pick(&lattice(ty)),
        };
        push_const(&mut self.code, ty, bits);
        self.budget -= 1;
    }

    /// A number below `limit`.
    fn number(&mut self, limit: usize) {
        let number = self.random.below(limit) as i32;
        self.emit(we::Instruction::I32Const(number));
    }

    /// An index of memory, mostly inside.
    fn address(&mut self, depth: u32) -> we::MemArg {
        let ty = if self.options.memory_64 { I64 } else { I32 };
        let wild = self.random.below(40) == 0;
        if self.random.below(3) == 0 {
            push_const(&mut self.code, ty, u128::from(self.random.next() as u16));
        } else {
            self.expr(ty, depth);
            if !wild {
                push_const(&mut self.code, ty, 0xfff);
                self.emit(if ty == I64 { we::Instruction::I64And } else { we::Instruction::I32And });
            }
        }
        let offset = match self.random.below(30) {
            0 => 0xffff_fff0,
            1 => 0x8000_0000,
            2 => 0x1_0000,
            _ => u64::from(self.random.next() as u8),
        };
        we::MemArg { offset, align: 0, target: we::MemArgTarget::Memory(0), ordering: None }
    }

    /// Leaves a value of type `ty`.
    fn expr(&mut self, ty: ValType, depth: u32) {
        use we::Instruction as I;
        if depth == 0 || self.budget <= 0 {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.random.below(20) {
            0..=2 => self.leaf(ty),
            3..=9 if ty != V128 => {
                let fits: Vec<&Numeric> = self.numeric.iter().filter(|op| op.results == [ty]).collect();
                let op = (*self.random.pick(&fits)).clone();
                for &param in op.params {
                    self.expr(param, depth);
                }
                self.code.extend(&op.code);
                self.budget -= 1;
            }
            10 | 11 => {
                let memarg = self.address(depth);
                let part = self.random.below(4);
                self.emit(match (ty, part) {
                    (I32, 0) => I::I32Load8S(memarg),
                    (I32, 1) => I::I32Load16U(memarg),
                    (I32, _) => I::I32Load(memarg),
                    (I64, 0) => I::I64Load8U(memarg),
                    (I64, 1) => I::I64Load32S(memarg),
                    (I64, 2) => I::I64Load16S(memarg),
                    (I64, _) => I::I64Load(memarg),
                    (F32, _) => I::F32Load(memarg),
                    (F64, _) => I::F64Load(memarg),
                    (_, _) => I::V128Load(memarg),
                });
            }
            12 => {
                self.expr(ty, depth);
                self.expr(ty, depth);
                self.condition(depth);
                self.emit(I::Select);
            }
            13 => {
                self.condition(depth);
                self.emit(I::If(we::BlockType::Result(encode_type(ty))));
                self.labels.push(Label { args: vec![ty] });
                self.statements(depth);
                self.expr(ty, depth);
                self.emit(I::Else);
                self.expr(ty, depth);
                self.labels.pop();
                self.emit(I::End);
            }
            14 => {
                self.emit(I::Block(we::BlockType::Result(encode_type(ty))));
                self.labels.push(Label { args: vec![ty] });
                self.expr(ty, depth);
                self.condition(depth);
                self.emit(I::BrIf(0));
                self.emit(I::Drop);
                self.statements(depth);
                self.expr(ty, depth);
                self.labels.pop();
                self.emit(I::End);
            }
            15 => match self.local(ty) {
                Some(local) => {
                    self.expr(ty, depth);
                    self.emit(I::LocalTee(local));
                }
                None => self.leaf(ty),
            },
            16 => {
                let of: Vec<u32> =
                    (0..FUNCS as u32).filter(|&at| self.types[at as usize].1 == [ty]).collect();
                if of.is_empty() {
                    return self.leaf(ty);
                }
                let func = *self.random.pick(&of);
                self.call(func, depth);
            }
            17 if ty == I32 => {
                // A block with a parameter and two results.
                self.expr(I32, depth);
                self.emit(I::Block(we::BlockType::FunctionType(FUNCS as u32)));
                self.labels.push(Label { args: vec![I32, I64] });
                self.expr(I64, depth);
                self.condition(depth);
                self.emit(I::BrIf(0));
                self.statements(depth);
                self.labels.pop();
                self.emit(I::End);
                self.emit(I::Drop);
            }
            18 if ty == I64 => {
                // A loop with parameters that come back changed.
                self.expr(I64, depth);
                self.number(5);
                self.emit(I::Loop(we::BlockType::FunctionType(FUNCS as u32 + 1)));
                let Some(counter) = self.local(I32) else {
                    self.emit(I::End);
                    self.emit(I::Drop);
                    return;
                };
                self.emit(I::I32Const(1));
                self.emit(I::I32Sub);
                self.emit(I::LocalSet(counter));
                self.burn();
                self.labels.push(Label { args: vec![I64, I32] });
                self.expr(I64, depth);
                self.emit(I::I64Add);
                self.emit(I::LocalGet(counter));
                self.emit(I::LocalGet(counter));
                self.emit(I::I32Const(0));
                self.emit(I::I32GtS);
                self.emit(I::BrIf(0));
                self.labels.pop();
                self.emit(I::End);
                self.emit(I::Drop);
            }
            19 if ty == I32 => {
                let memory = if self.options.memory_64 { I64 } else { I32 };
                if self.random.below(2) == 0 {
                    self.emit(I::MemorySize(0));
                } else {
                    push_const(&mut self.code, memory, self.random.wide() & 1);
                    self.emit(I::MemoryGrow(0));
                }
                if memory == I64 {
                    self.emit(I::I32WrapI64);
                }
            }
            _ => {
                for _ in 0..2 {
                    self.expr(ty, depth);
                }
                self.emit(match ty {
                    I32 => I::I32Add,
                    I64 => I::I64Xor,
                    F32 => I::F32Add,
                    F64 => I::F64Mul,
                    _ => I::V128Xor,
                });
            }
        }
    }

    fn leaf(&mut self, ty: ValType) {
        use we::Instruction as I;
        match self.random.below(5) {
            0 => self.constant(ty),
            1 => match self.global(ty) {
                Some(global) => self.emit(I::GlobalGet(global)),
                None => self.constant(ty),
            },
            _ => match self.local(ty) {
                Some(local) => self.emit(I::LocalGet(local)),
                None => self.constant(ty),
            },
        }
    }

    fn condition(&mut self, depth: u32) {
        self.expr(I32, depth.min(2));
    }

    fn call(&mut self, func: u32, depth: u32) {
        use we::Instruction as I;
        for ty in self.types[func as usize].0.clone() {
            self.expr(ty, depth.min(1));
        }
        match self.random.below(3) {
            0 => {
                self.number(FUNCS + 2);
                self.emit(I::CallIndirect { type_index: func, table_index: 0 });
            }
            _ => self.emit(I::Call(func + 1)),
        }
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..1 + self.random.below(4) {
            if self.budget <= 0 {
                return;
            }
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        use we::Instruction as I;
        if depth == 0 {
            return self.emit(I::Nop);
        }
        let depth = depth - 1;
        match self.random.below(18) {
            0..=4 => {
                if self.locals.is_empty() {
                    return;
                }
                let local = self.random.below(self.locals.len());
                self.expr(self.locals[local], depth);
                self.emit(I::LocalSet(local as u32));
            }
            5 => {
                let ty = *self.random.pick(&TYPES);
                self.expr(ty, depth);
                let global = self.global(ty).expect("there are two");
                self.emit(I::GlobalSet(global));
            }
            6 | 7 => {
                let memarg = self.address(depth);
                let ty = random_type(self.random, self.options);
                self.expr(ty, depth);
                let part = self.random.below(3);
                self.emit(match (ty, part) {
                    (I32, 0) => I::I32Store8(memarg),
                    (I32, 1) => I::I32Store16(memarg),
                    (I32, _) => I::I32Store(memarg),
                    (I64, 0) => I::I64Store32(memarg),
                    (I64, _) => I::I64Store(memarg),
                    (F32, _) => I::F32Store(memarg),
                    (F64, _) => I::F64Store(memarg),
                    _ => I::V128Store(memarg),
                });
            }
            8 => {
                self.condition(depth);
                self.emit(I::If(we::BlockType::Empty));
                self.labels.push(Label { args: vec![] });
                self.statements(depth);
                if self.random.below(2) == 0 {
                    self.emit(I::Else);
                    self.statements(depth);
                }
                self.labels.pop();
                self.emit(I::End);
            }
            9 => {
                self.emit(I::Block(we::BlockType::Empty));
                self.labels.push(Label { args: vec![] });
                self.statements(depth);
                self.labels.pop();
                self.emit(I::End);
            }
            10 | 11 => {
                self.emit(I::Loop(we::BlockType::Empty));
                self.labels.push(Label { args: vec![] });
                self.burn();
                self.statements(depth);
                self.condition(depth);
                self.emit(I::BrIf(0));
                self.labels.pop();
                self.emit(I::End);
            }
            12 | 13 => {
                let label = self.random.below(self.labels.len());
                let args = self.labels[self.labels.len() - 1 - label].args.clone();
                for &ty in &args {
                    self.expr(ty, depth);
                }
                self.condition(depth);
                self.emit(I::BrIf(label as u32));
                for _ in &args {
                    self.emit(I::Drop);
                }
            }
            14 => {
                // In an `if`, so that what comes next can be reached.
                self.condition(depth);
                self.emit(I::If(we::BlockType::Empty));
                self.labels.push(Label { args: vec![] });
                self.jump(depth);
                self.labels.pop();
                self.emit(I::End);
            }
            15 => {
                let func = self.random.below(FUNCS) as u32;
                self.call(func, depth);
                for _ in 0..self.types[func as usize].1.len() {
                    self.emit(I::Drop);
                }
            }
            16 => {
                let ty = if self.options.memory_64 { I64 } else { I32 };
                let small = |this: &mut Self| {
                    push_const(&mut this.code, ty, this.random.wide() & 0x3ff);
                };
                small(self);
                let fill = self.random.below(2) == 0;
                if fill {
                    self.expr(I32, depth);
                } else {
                    small(self);
                }
                small(self);
                self.emit(if fill { I::MemoryFill(0) } else { I::MemoryCopy { src_mem: 0, dst_mem: 0 } });
            }
            _ => {
                self.number(9);
                let func = self.random.below(FUNCS) as u32;
                self.emit(I::RefFunc(func));
                self.emit(I::TableSet(0));
            }
        }
    }

    /// Leaves for good.
    fn jump(&mut self, depth: u32) {
        use we::Instruction as I;
        let results = self.results.clone();
        match self.random.below(8) {
            0 => self.emit(I::Unreachable),
            1 | 2 => {
                for ty in results {
                    self.expr(ty, depth);
                }
                self.emit(I::Return);
            }
            3 if self.options.tail_calls => {
                let of: Vec<u32> =
                    (0..FUNCS as u32).filter(|&at| self.types[at as usize].1 == results).collect();
                let func = *self.random.pick(&of);
                for ty in self.types[func as usize].0.clone() {
                    self.expr(ty, depth.min(1));
                }
                if self.random.below(3) == 0 {
                    self.number(FUNCS + 2);
                    self.emit(I::ReturnCallIndirect { type_index: func, table_index: 0 });
                } else {
                    self.emit(I::ReturnCall(func + 1));
                }
            }
            4 | 5 => {
                let first = self.random.below(self.labels.len());
                let args = self.labels[self.labels.len() - 1 - first].args.clone();
                let same: Vec<u32> = (0..self.labels.len())
                    .filter(|&at| self.labels[self.labels.len() - 1 - at].args == args)
                    .map(|at| at as u32)
                    .collect();
                for ty in args {
                    self.expr(ty, depth);
                }
                self.expr(I32, depth.min(1));
                if self.random.below(4) > 0 {
                    self.emit(I::I32Const(7));
                    self.emit(I::I32And);
                }
                let targets: Vec<u32> = (0..self.random.below(7)).map(|_| *self.random.pick(&same)).collect();
                self.emit(I::BrTable((&targets).into(), first as u32));
            }
            _ => {
                let label = self.random.below(self.labels.len());
                for ty in self.labels[self.labels.len() - 1 - label].args.clone() {
                    self.expr(ty, depth);
                }
                self.emit(I::Br(label as u32));
            }
        }
    }
}
