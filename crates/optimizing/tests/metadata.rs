//! What is known of compiled instructions: slots, traps, offsets, frames.

mod support;

use support::{compile_wat, disassemble};
use tenure_code::{CompiledFunc, Compiler, Inlining, Tunables};
use tenure_optimizing::OptimizingCompiler;
use tenure_types::{FuncIdx, Trap};

/// Without inlining, which has tests of its own.
fn compile(text: &str) -> Vec<CompiledFunc> {
    compile_wat(text, &Tunables { inlining: Inlining::Never, ..Tunables::default() })
}

#[test]
fn own_functions_are_called_through_slots_and_imports_through_records() {
    let funcs = compile(
        r#"(module
            (import "" "f" (func $import))
            (func $a call $b call $b)
            (func $b call $import)
            (func $c return_call $a))"#,
    );
    let slots = |at: usize| funcs[at].relocs.iter().map(|reloc| reloc.func).collect::<Vec<_>>();
    assert_eq!(slots(0), [FuncIdx(2), FuncIdx(2)]);
    assert_eq!(slots(1), []);
    assert_eq!(slots(2), [FuncIdx(1)]);
    for reloc in funcs.iter().flat_map(|func| &func.relocs) {
        // Relative to the end of the four bytes, which is where the processor counts from.
        assert_eq!(reloc.addend, -4);
    }
}

#[test]
fn a_function_calls_itself_by_distance() {
    let text = "(module (func $f (param i32) (result i32) local.get 0 call $f local.get 0 i32.add)
                        (func $g (param i32) local.get 0 return_call $g))";
    for (func, jump) in compile(text).iter().zip(["call 0\n", "jmp 0\n"]) {
        assert_eq!(func.relocs, []);
        assert!(disassemble(func).contains(jump), "{}", disassemble(func));
    }
}

#[test]
fn a_load_that_may_fault_knows_its_trap_and_its_operator() {
    let text = "(module (memory 1) (func (param i32) (result i32) nop nop local.get 0 i32.load offset=16))";
    let bytes = wat::parse_str(text).unwrap();
    let func = &compile(text)[0];
    let site = func.meta.traps.iter().find(|site| site.trap == Trap::MemoryOutOfBounds).unwrap();
    let load = bytes.windows(3).position(|bytes| bytes == [0x28, 0x02, 0x10]).unwrap();
    assert_eq!(func.meta.wasm_offset_at(site.code), Some(load as u32), "{}", disassemble(func));
    assert_eq!(func.meta.trap_at(site.code), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn tables_are_sorted_and_inside_the_code() {
    let funcs = compile(
        r#"(module (memory 1) (table 2 funcref) (type $t (func (param i32) (result i32)))
            (func (param i32 i32) (result i32)
                (i32.div_s (i32.load (local.get 0)) (call_indirect (type $t) (local.get 1) (local.get 0)))
                (i32.rem_u (local.get 1) (i32.trunc_f32_s (f32.load offset=4 (local.get 1)))) i32.add)
            (func unreachable))"#,
    );
    for func in &funcs {
        let len = func.code.len() as u32;
        assert!(func.meta.traps.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(func.meta.offsets.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(func.meta.traps.iter().all(|site| site.code < len));
        assert!(func.meta.offsets.iter().all(|row| row.code <= len));
    }
    let traps: Vec<_> = funcs[0].meta.traps.iter().map(|site| site.trap).collect();
    for trap in [
        Trap::StackOverflow,
        Trap::MemoryOutOfBounds,
        Trap::TableOutOfBounds,
        Trap::IndirectCallToNull,
        Trap::BadSignature,
        Trap::IntegerDivisionByZero,
        Trap::IntegerOverflow,
        Trap::BadConversionToInteger,
    ] {
        assert!(traps.contains(&trap), "{trap:?} is not among {traps:?}");
    }
    // Which calls the runtime, and needs no row.
    assert!(funcs[1].meta.traps.iter().all(|site| site.trap != Trap::UnreachableCodeReached));
}

#[test]
fn a_table_of_one_type_needs_no_check_of_types() {
    let funcs = compile(
        r#"(module (type $t (func)) (table 2 (ref null $t))
            (func (param i32) (call_indirect (type $t) (local.get 0))))"#,
    );
    assert!(!funcs[0].meta.traps.iter().any(|site| site.trap == Trap::BadSignature));
    assert!(funcs[0].meta.traps.iter().any(|site| site.trap == Trap::IndirectCallToNull));
}

#[test]
fn the_frame_keeps_its_context_where_it_says() {
    let tunables = Tunables { keep_vmctx: true, ..Tunables::default() };
    let text = "(module (func (param i32) (result i32) local.get 0 call 0 local.get 0 call 0 i32.add))";
    let func = &compile_wat(text, &tunables)[0];
    let at = func.meta.frame.vmctx.unwrap();
    let code = disassemble(func);
    // rsp is rbp less the frame's size once that is subtracted.
    let line = code.lines().find(|line| line.contains("sub rsp,")).unwrap();
    let size = i32::from_str_radix(line.rsplit(',').next().unwrap().trim_end_matches('h'), 16).unwrap();
    let slot = match size + at {
        0 => "mov [rsp],rdi".to_string(),
        at => format!("mov [rsp+{at:X}h],rdi"),
    };
    assert!(code.contains(&slot), "{slot} is not in\n{code}");
}

#[test]
fn constant_globals_are_constants() {
    let text = "(module (global $c i64 (i64.const 0x123456)) (func (result i64) global.get $c))";
    assert!(disassemble(&compile(text)[0]).contains("mov eax,123456h"));
}

#[test]
fn the_same_input_makes_the_same_code() {
    let text = "(module (memory 1) (func (param i32) (result i64) (i64.load (local.get 0))))";
    assert_eq!(compile(text), compile(text));
    let compiler = OptimizingCompiler::new().unwrap();
    assert_eq!(compiler.fingerprint(), OptimizingCompiler::new().unwrap().fingerprint());
    assert!(compiler.fingerprint().contains("cranelift 0."));
}

/// Whether `func` reads or writes memory without knowing that it is inside.
fn relies_on_faults(func: &CompiledFunc) -> bool {
    let code = disassemble(func);
    let is_hlt = |at: u32| code.lines().any(|line| line.trim_start() == format!("{at:x}: hlt"));
    func.meta.traps.iter().any(|site| site.trap == Trap::MemoryOutOfBounds && !is_hlt(site.code))
}

#[test]
fn accesses_rely_on_faults_only_where_all_that_is_outside_faults() {
    let load = |mem: &str, index: &str, offset: u64| {
        format!(
            "(module (memory {mem}) (func (param {index}) (result i32) (i32.load offset={offset} (local.get 0))))"
        )
    };
    let default = Tunables::default();
    let small = Tunables { memory_reservation: 1 << 30, ..Tunables::default() };
    for (text, tunables, relies) in [
        (load("1", "i32", 0), &default, true),
        (load("1", "i32", (32 << 20) - 4), &default, true),
        (load("1", "i32", (32 << 20) - 2), &default, false),
        (load("1", "i32", 0xffff_fffc), &default, false),
        (load("1 (pagesize 1)", "i32", 0), &default, false),
        (load("i64 1", "i64", 0), &default, false),
        (load("1", "i32", 0), &small, false),
    ] {
        assert_eq!(relies_on_faults(&compile_wat(&text, tunables)[0]), relies, "{text}");
    }
}

#[test]
fn copies_of_a_small_known_length_call_nothing() {
    let copy = |len: u32| {
        let copy = format!("(memory.copy (local.get 0) (local.get 1) (i32.const {len}))");
        let text = format!("(module (memory 1) (func (param i32 i32) {copy}))");
        disassemble(&compile(&text)[0]).contains("call")
    };
    assert_eq!([0, 1, 128, 129].map(copy), [true, false, false, true]);
}

#[test]
fn values_are_used_up_where_they_are_made() {
    // All products come before all sums here, and more of them than there are registers.
    let product = |at: u32| {
        let load = |at: u32| format!("(f64.load offset={} (local.get 0))", at * 8);
        format!("(f64.mul {} {})", load(at), load(at + 100))
    };
    let products: String = (0..40).map(product).collect();
    let sums = "f64.add ".repeat(39);
    let text = format!("(module (memory 1) (func (param i32) (result f64) {products} {sums}))");
    let code = disassemble(&compile(&text)[0]);
    let folded = code.lines().filter(|line| line.contains("mulsd") && line.contains('[')).count();
    assert_eq!(folded, 40, "{code}");
}
