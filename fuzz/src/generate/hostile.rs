//! Modules made to hurt: huge counts, depths and widths. The seed is the number of one; behind them come the
//! truncations of a module that has every section.

use super::{Effort, Generated, Nans};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, DataSegment, DataSegmentMode, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    ImportSection, Instruction as Op, MemorySection, MemoryType, Module, RawSection, RefType, TableSection,
    TableType, TypeSection, ValType,
};

type Make = fn() -> Vec<u8>;

/// Every hostile module by name.
pub const CORPUS: &[(&str, Make)] = &[
    ("50,000 locals", || locals(&[(50_000, ValType::I64)])),
    ("50,001 locals", || locals(&[(50_001, ValType::I64)])),
    ("four billion locals", || locals(&[(u32::MAX, ValType::I32)])),
    ("locals that overflow a count", || locals(&[(u32::MAX, ValType::I32), (1, ValType::I32)])),
    ("50,000 vectors as locals", || locals(&[(50_000, ValType::V128)])),
    ("50,000 locals, each used", used_locals),
    ("20,000 blocks", || nested(20_000, Op::Block(BlockType::Empty))),
    ("20,000 loops", || nested(20_000, Op::Loop(BlockType::Empty))),
    ("200,000 blocks", || nested(200_000, Op::Block(BlockType::Empty))),
    ("20,000 ifs", nested_ifs),
    ("a br_table of 65,520 targets", || br_table(65_520)),
    ("a br_table of 65,521 targets", || br_table(65_521)),
    ("a br_table of 1,000,000 targets", || br_table(1_000_000)),
    ("a br_table of 60,000 different targets", wide_br_table),
    ("100,000 live values", live_values),
    ("1,000,000 bytes of arithmetic", straight),
    ("a chain of 100,000 additions", chain),
    ("20,000 calls", calls),
    ("100,000 functions", functions),
    ("1,000 parameters and results", wide_type),
    ("1,001 parameters", || typed(1_001, 0)),
    ("1,001 results", || typed(0, 1_001)),
    ("20,000 types", types),
    ("100,000 globals", globals),
    ("100,000 exports", exports),
    ("100,000 imports", imports),
    ("100,000 element segments", || element_segments(100_000)),
    ("40,000 data segments", data_segments),
    ("a constant expression of 100,000 operators", constant_expression),
    ("a memory of 4 GiB and data at its end", data_at_end),
    ("a memory of 2^48 pages", || memory(true, 1 << 48)),
    ("a memory of 65,537 pages", || memory(false, 65_537)),
    ("65,536 pages", || memory(false, 65_536)),
    ("100 memories", || memories(100)),
    ("101 memories", || memories(101)),
    ("a table of 10,000,001", || table(10_000_001)),
    ("a table of 4 billion", || table(u64::from(u32::MAX))),
    ("100 tables", || tables(100)),
    ("101 tables", || tables(101)),
    ("a name of 200,000 bytes", long_name),
    ("dead code of 500,000 operators", dead_code),
    ("unreachable code with a polymorphic stack", polymorphic),
    ("200,000 calls of nothing in dead blocks", dead_blocks),
    ("a type section that counts 2^32 - 1", || counted(1)),
    ("an import section that counts 2^32 - 1", || counted(2)),
    ("a function section that counts 2^32 - 1", || counted(3)),
    ("a table section that counts 2^32 - 1", || counted(4)),
    ("a memory section that counts 2^32 - 1", || counted(5)),
    ("a global section that counts 2^32 - 1", || counted(6)),
    ("an export section that counts 2^32 - 1", || counted(7)),
    ("an element section that counts 2^32 - 1", || counted(9)),
    ("a code section that counts 2^32 - 1", || counted(10)),
    ("a data section that counts 2^32 - 1", || counted(11)),
    ("a data count of 2^32 - 1", || counted(12)),
];

/// The module of `seed`; `None` behind the last.
pub fn generate(seed: u64) -> Option<Generated> {
    let seed = usize::try_from(seed).ok()?;
    let wasm = match CORPUS.get(seed) {
        Some((_, make)) => make(),
        None => {
            let mut whole = everything();
            let len = seed - CORPUS.len();
            if len > whole.len() {
                return None;
            }
            whole.truncate(len);
            whole
        }
    };
    Some(Generated { modules: vec![wasm], nans: Nans::Seen, effort: Effort::Instance })
}

/// A module of one function without parameters or results.
fn body(locals: &[(u32, ValType)], operators: impl IntoIterator<Item = Op<'static>>) -> Vec<u8> {
    let mut function = Function::new(locals.iter().copied());
    for operator in operators {
        function.instruction(&operator);
    }
    function.instruction(&Op::End);
    with_function(Module::new(), &function)
}

fn with_function(mut module: Module, function: &Function) -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    code.function(function);
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

fn repeated(count: usize, operators: &[Op<'static>]) -> Vec<Op<'static>> {
    operators.iter().cloned().cycle().take(count * operators.len()).collect()
}

fn locals(groups: &[(u32, ValType)]) -> Vec<u8> {
    body(groups, [])
}

fn used_locals() -> Vec<u8> {
    let each = |at| [Op::LocalGet(at), Op::I64Const(1), Op::I64Add, Op::LocalSet((at + 1) % 50_000)];
    body(&[(50_000, ValType::I64)], (0..50_000).flat_map(each))
}

fn nested(depth: usize, open: Op<'static>) -> Vec<u8> {
    body(&[], repeated(depth, &[open]).into_iter().chain(repeated(depth, &[Op::End])))
}

fn nested_ifs() -> Vec<u8> {
    let open = repeated(20_000, &[Op::LocalGet(0), Op::If(BlockType::Empty)]);
    let close = repeated(20_000, &[Op::Else, Op::Nop, Op::End]);
    body(&[(1, ValType::I32)], open.into_iter().chain(close))
}

fn br_table(targets: usize) -> Vec<u8> {
    let table = Op::BrTable(vec![0; targets].into(), 0);
    body(&[(1, ValType::I32)], [Op::Block(BlockType::Empty), Op::LocalGet(0), table, Op::End])
}

fn wide_br_table() -> Vec<u8> {
    const DEPTH: u32 = 60_000;
    let table = Op::BrTable((0..DEPTH).collect::<Vec<_>>().into(), 0);
    let mut operators = repeated(DEPTH as usize, &[Op::Block(BlockType::Empty)]);
    operators.extend([Op::LocalGet(0), table]);
    operators.extend(repeated(DEPTH as usize, &[Op::End, Op::Nop]));
    body(&[(1, ValType::I32)], operators)
}

fn live_values() -> Vec<u8> {
    let values = repeated(100_000, &[Op::LocalGet(0), Op::I64Const(3), Op::I64Mul, Op::LocalTee(0)]);
    let sum = repeated(99_999, &[Op::I64Add]);
    body(&[(1, ValType::I64)], values.into_iter().chain(sum).chain([Op::LocalSet(0)]))
}

fn straight() -> Vec<u8> {
    body(
        &[(2, ValType::I32)],
        repeated(110_000, &[Op::LocalGet(0), Op::LocalGet(1), Op::I32Mul, Op::LocalSet(0)]),
    )
}

fn chain() -> Vec<u8> {
    let more = repeated(100_000, &[Op::LocalGet(0), Op::I32Add]);
    body(&[(1, ValType::I32)], [Op::LocalGet(0)].into_iter().chain(more).chain([Op::Drop]))
}

fn calls() -> Vec<u8> {
    body(&[], repeated(20_000, &[Op::Call(0)]))
}

fn functions() -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..100_000 {
        functions.function(0);
        code.function(Function::new([]).instruction(&Op::End));
    }
    Module::new().section(&types).section(&functions).section(&code).clone().finish()
}

fn typed(params: usize, results: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function(vec![ValType::I32; params], vec![ValType::I32; results]);
    Module::new().section(&types).clone().finish()
}

fn wide_type() -> Vec<u8> {
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    let mixed: Vec<_> =
        [ValType::I32, ValType::F64, ValType::I64, ValType::V128].into_iter().cycle().take(1_000).collect();
    types.ty().function(mixed.clone(), mixed);
    functions.function(0);
    let mut function = Function::new([]);
    for at in 0..1_000 {
        function.instruction(&Op::LocalGet(at));
    }
    code.function(function.instruction(&Op::Call(0)).instruction(&Op::End));
    Module::new().section(&types).section(&functions).section(&code).clone().finish()
}

fn types() -> Vec<u8> {
    let mut types = TypeSection::new();
    for at in 0..20_000_u32 {
        let params = (0..15).map(|bit| if at >> bit & 1 == 0 { ValType::I32 } else { ValType::F64 });
        types.ty().function(params, []);
    }
    Module::new().section(&types).clone().finish()
}

fn globals() -> Vec<u8> {
    let mut globals = GlobalSection::new();
    for _ in 0..100_000 {
        let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i64_const(7));
    }
    Module::new().section(&globals).clone().finish()
}

fn exports() -> Vec<u8> {
    let (mut memories, mut exports) = (MemorySection::new(), ExportSection::new());
    memories.memory(memory_type(false, 0));
    for at in 0..100_000 {
        exports.export(&at.to_string(), ExportKind::Memory, 0);
    }
    Module::new().section(&memories).section(&exports).clone().finish()
}

fn imports() -> Vec<u8> {
    let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
    types.ty().function([], []);
    for _ in 0..100_000 {
        imports.import("a", "b", EntityType::Function(0));
    }
    Module::new().section(&types).section(&imports).clone().finish()
}

fn element_segments(count: usize) -> Vec<u8> {
    let mut elements = ElementSection::new();
    for _ in 0..count {
        elements.passive(Elements::Functions(std::borrow::Cow::Borrowed(&[])));
    }
    Module::new().section(&elements).clone().finish()
}

fn data_segments() -> Vec<u8> {
    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(memory_type(false, 1));
    for at in 0..40_000 {
        data.active(0, &ConstExpr::i32_const(at), [1]);
    }
    Module::new().section(&memories).section(&data).clone().finish()
}

fn constant_expression() -> Vec<u8> {
    let mut expression = ConstExpr::i32_const(0);
    for at in 0..50_000 {
        expression = expression.with_i32_const(at).with_i32_add();
    }
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: ValType::I32, mutable: false, shared: false }, &expression);
    Module::new().section(&globals).clone().finish()
}

fn memory_type(memory64: bool, minimum: u64) -> MemoryType {
    MemoryType { minimum, maximum: None, memory64, shared: false, page_size_log2: None }
}

fn memory(memory64: bool, minimum: u64) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(memory_type(memory64, minimum));
    Module::new().section(&memories).clone().finish()
}

fn memories(count: usize) -> Vec<u8> {
    let mut memories = MemorySection::new();
    for _ in 0..count {
        memories.memory(memory_type(false, 1));
    }
    Module::new().section(&memories).clone().finish()
}

fn data_at_end() -> Vec<u8> {
    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(memory_type(false, 65_536));
    let offset = ConstExpr::i32_const(-16);
    data.segment(DataSegment {
        mode: DataSegmentMode::Active { memory_index: 0, offset: &offset },
        data: [1_u8; 16],
    });
    Module::new().section(&memories).section(&data).clone().finish()
}

fn table_type(minimum: u64) -> TableType {
    TableType { element_type: RefType::FUNCREF, minimum, maximum: None, table64: false, shared: false }
}

fn table(minimum: u64) -> Vec<u8> {
    Module::new().section(TableSection::new().table(table_type(minimum))).clone().finish()
}

fn tables(count: usize) -> Vec<u8> {
    let mut tables = TableSection::new();
    for _ in 0..count {
        tables.table(table_type(1));
    }
    Module::new().section(&tables).clone().finish()
}

fn long_name() -> Vec<u8> {
    let (mut memories, mut exports) = (MemorySection::new(), ExportSection::new());
    memories.memory(memory_type(false, 0));
    exports.export(&"x".repeat(200_000), ExportKind::Memory, 0);
    Module::new().section(&memories).section(&exports).clone().finish()
}

fn dead_code() -> Vec<u8> {
    let dead = repeated(125_000, &[Op::LocalGet(0), Op::I32Const(1), Op::I32Add, Op::LocalSet(0)]);
    body(&[(1, ValType::I32)], [Op::Unreachable].into_iter().chain(dead))
}

fn polymorphic() -> Vec<u8> {
    let dead = repeated(100_000, &[Op::I32Add, Op::Select]);
    body(&[], [Op::Unreachable].into_iter().chain(dead).chain([Op::Drop]))
}

fn dead_blocks() -> Vec<u8> {
    let block = [Op::Block(BlockType::Empty), Op::Return, Op::Call(0), Op::End];
    body(&[], [Op::Unreachable].into_iter().chain(repeated(200_000, &block)))
}

/// A section that claims more items than four gigabytes could hold.
fn counted(id: u8) -> Vec<u8> {
    let data = &[0xff, 0xff, 0xff, 0xff, 0x0f];
    Module::new().section(&RawSection { id, data }).clone().finish()
}

/// A module with every section.
fn everything() -> Vec<u8> {
    wat::parse_str(
        r#"(module $m
            (type $t (func (param i32 i64 f32 f64 v128) (result i32)))
            (import "a" "f" (func $f (type $t))) (import "a" "g" (global $g i32))
            (import "a" "m" (memory 1 2)) (import "a" "t" (table 1 funcref))
            (table $table 3 3 funcref) (table 2 externref) (memory (export "memory") 1 2)
            (memory i64 1 (pagesize 1)) (global (mut i64) (i64.const 7))
            (global funcref (ref.func $h)) (start $s)
            (elem (table $table) (global.get $g) func $f $h) (elem func $h) (elem declare func $f)
            (data (i32.const 8) "data") (data $passive "passive")
            (func $s)
            (func $h (export "h") (type $t) (local i32 i32 f64) (local v128)
                (block (loop (br_table 0 1 0 (local.get 0)) (br_if 0 (i32.eqz (local.get 0)))))
                (call_indirect $table (type $t) (i32.load offset=4 (local.get 0)) (i64.const -1) (local.get 2)
                    (f64.sqrt (local.get 3)) (i8x16.add (local.get 4) (v128.const i64x2 1 2)) (local.get 5))
                (table.set $table (i32.const 0) (ref.null func)) (memory.init $passive (i32.const 0) (i32.const 0)
                    (i32.const 1))
                (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))
                (if (local.get 0) (then (return_call $h (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                    (local.get 4))) (else unreachable))))"#,
    )
    .expect("the text is a module")
}
