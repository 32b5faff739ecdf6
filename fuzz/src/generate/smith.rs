//! Modules of `wasm-smith`: each seed draws its own limits and operators around those of its profile.

use super::{Effort, Generated, Nans};
use crate::rng::Rng;
use crate::scan;
use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};
use wasmparser::Operator;

/// What a profile changes in the common shape.
pub type Change = fn(&mut Config, &mut Rng);

/// A module of the common shape as `change` leaves it; `None` for a seed whose bytes make none.
pub fn generate(seed: u64, nans: Nans, change: Change) -> Option<Generated> {
    generate_with(seed, nans, &mut |config, rng| change(config, rng))
}

/// As [`generate`].
pub fn generate_with(
    seed: u64,
    nans: Nans,
    change: &mut dyn FnMut(&mut Config, &mut Rng),
) -> Option<Generated> {
    let mut rng = Rng::new(seed, "smith");
    let mut config = common(&mut rng);
    config.canonicalize_nans = nans == Nans::Hidden;
    change(&mut config, &mut rng);
    let is_valid = !config.allow_invalid_funcs;
    // Room for a few thousand choices; without any left, wasm-smith takes the first of each kind.
    let bytes = rng.bytes(4096 + config.max_instructions * 40);
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    let mut effort = Effort::Verdict;
    if is_valid {
        let fuel = *rng.pick(&[50, 400, 5_000, 70_000]);
        module.ensure_termination(fuel).ok()?;
        effort = Effort::Calls { exports: 14, calls: 28 };
    }
    let wasm = module.to_bytes();
    let nans = if scan::has(&wasm, shows_nans) { Nans::Seen } else { nans };
    Some(Generated { modules: vec![wasm], nans, effort })
}

/// Whether `operator` makes NaNs that wasm-smith does not make canonical.
fn shows_nans(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::F32DemoteF64
            | Operator::F64PromoteF32
            | Operator::F32x4DemoteF64x2Zero
            | Operator::F64x2PromoteLowF32x4
            | Operator::F32x4RelaxedMin
            | Operator::F32x4RelaxedMax
            | Operator::F64x2RelaxedMin
            | Operator::F64x2RelaxedMax
    ) || scan::may_fuse(operator)
}

/// One small memory with a maximum, small tables, everything exported, nothing imported; no proposal whose
/// operators have a profile of their own.
fn common(rng: &mut Rng) -> Config {
    let mut config = Config {
        allowed_instructions: some_kinds(rng),
        disallow_traps: rng.chance(80),
        export_everything: true,
        max_instructions: rng.between(10, 300),
        max_nesting_depth: rng.between(2, 12),
        min_types: 1,
        max_types: rng.between(2, 20),
        min_funcs: 1,
        max_funcs: rng.between(3, 20),
        max_imports: 0,
        max_globals: rng.between(1, 10),
        max_data_segments: 6,
        max_element_segments: 6,
        max_elements: 12,
        min_memories: rng.chance(80).into(),
        max_memory32_bytes: 10 << 16,
        max_memory64_bytes: 10 << 16,
        memory_max_size_required: true,
        min_tables: rng.chance(60).into(),
        max_tables: 3,
        max_table_elements: 300,
        table_max_size_required: true,
        min_uleb_size: if rng.chance(90) { 1 } else { 5 },
        compact_imports_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    // Offsets that reach over the end of a memory show more than ones within.
    config.memory_offset_choices = wasm_smith::MemoryOffsetChoices(75, 24, 1);
    config
}

/// Every kind of operator, or for three seeds in ten only some.
fn some_kinds(rng: &mut Rng) -> InstructionKinds {
    if rng.chance(70) {
        return InstructionKinds::all();
    }
    use InstructionKind as Kind;
    let optional = [
        Kind::NumericInt,
        Kind::Numeric,
        Kind::VectorInt,
        Kind::Vector,
        Kind::Reference,
        Kind::Parametric,
        Kind::Variable,
        Kind::Table,
        Kind::MemoryInt,
        Kind::Memory,
        Kind::Aggregate,
    ];
    let mut kinds: Vec<Kind> = optional.into_iter().filter(|_| rng.chance(50)).collect();
    kinds.push(Kind::Control);
    InstructionKinds::new(&kinds)
}

/// 1.0 and 2.0 without vectors.
pub fn core(_: &mut Config, _: &mut Rng) {}

/// Vectors.
pub fn simd(config: &mut Config, _: &mut Rng) {
    config.simd_enabled = true;
}

/// Vectors, and floats whose NaNs are seen.
pub fn nan(config: &mut Config, rng: &mut Rng) {
    config.simd_enabled = rng.chance(50);
}

/// Relaxed vectors, which every engine is told to make deterministic.
pub fn relaxed(config: &mut Config, _: &mut Rng) {
    config.simd_enabled = true;
    config.relaxed_simd_enabled = true;
}

/// Several memories, 64-bit addresses, pages of one byte, 128-bit arithmetic.
pub fn memories(config: &mut Config, rng: &mut Rng) {
    config.memory64_enabled = rng.chance(70);
    config.max_memories = rng.between(1, 4);
    config.min_memories = 1;
    config.custom_page_sizes_enabled = rng.chance(40);
    config.wide_arithmetic_enabled = true;
    config.simd_enabled = rng.chance(30);
}

/// Tail calls.
pub fn tail(config: &mut Config, rng: &mut Rng) {
    config.tail_call_enabled = true;
    config.simd_enabled = rng.chance(20);
    config.min_funcs = 3;
    config.max_type_size = 40;
}

/// Tables, segments and bulk operators, and little else.
pub fn bulk(config: &mut Config, rng: &mut Rng) {
    use InstructionKind as Kind;
    config.allowed_instructions = InstructionKinds::new(&[
        Kind::Table,
        Kind::Memory,
        Kind::Reference,
        Kind::Control,
        Kind::Parametric,
        Kind::Variable,
        Kind::NumericInt,
    ]);
    config.min_tables = 1;
    config.max_tables = 6;
    config.min_memories = 1;
    config.min_data_segments = 1;
    config.min_element_segments = 1;
    config.max_elements = 60;
    config.memory64_enabled = rng.chance(30);
}

/// Imports of every kind; the host functions log their calls.
pub fn imports(config: &mut Config, rng: &mut Rng) {
    config.min_imports = 1;
    config.max_imports = rng.between(1, 12);
    config.simd_enabled = rng.chance(50);
    config.tail_call_enabled = rng.chance(30);
}

/// What several modules have in common.
pub fn shared(config: &mut Config, rng: &mut Rng) {
    config.min_memories = 1;
    config.min_tables = 1;
    config.max_tables = 4;
    config.min_funcs = 2;
    config.simd_enabled = rng.chance(20);
    config.tail_call_enabled = rng.chance(30);
    config.memory64_enabled = rng.chance(20);
    config.max_memories = rng.between(1, 3);
}

/// Functions of thousands of operators, for registers and branch distances.
pub fn big(config: &mut Config, rng: &mut Rng) {
    config.max_instructions = rng.between(2_000, 8_000);
    config.max_nesting_depth = rng.between(5, 60);
    config.max_funcs = 4;
    config.simd_enabled = rng.chance(50);
}

/// A module of few operators that takes little time, so that there can be many.
pub fn small(seed: u64) -> Option<Generated> {
    let generated = generate(seed, Nans::Hidden, few)?;
    Some(Generated { effort: Effort::Calls { exports: 3, calls: 9 }, ..generated })
}

fn few(config: &mut Config, rng: &mut Rng) {
    config.max_memory32_bytes = 1 << 16;
    config.max_table_elements = 20;
    config.max_instructions = rng.between(5, 40);
    config.max_nesting_depth = rng.between(2, 6);
    config.max_types = 4;
    config.max_funcs = 3;
    config.max_globals = 3;
    config.max_data_segments = 2;
    config.max_element_segments = 2;
    config.max_tables = 2;
    config.simd_enabled = rng.chance(40);
    config.tail_call_enabled = rng.chance(20);
}

/// Bodies that may be no bodies.
pub fn invalid(config: &mut Config, rng: &mut Rng) {
    config.allow_invalid_funcs = rng.chance(50);
    config.simd_enabled = true;
    config.relaxed_simd_enabled = true;
    config.tail_call_enabled = true;
    config.memory64_enabled = true;
    config.max_memories = 3;
    config.max_imports = 5;
    config.max_instructions = 60;
    config.max_funcs = 8;
    config.generate_custom_sections = rng.chance(30);
}
