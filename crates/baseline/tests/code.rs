//! What code looks like, for the shapes that matter. `UPDATE_EXPECT=1` writes what it looks like now.

mod support;

use expect_test::{Expect, expect};
use support::{compile_bytes, disassemble};
use tenure_baseline::BaselineCompiler;
use tenure_code::{Cell, CompiledFunc, Tunables};

/// Compares the code of the module's last function, for a machine without extensions.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&disassemble(&compile(text, &Tunables::default())));
}

fn compile(text: &str, tunables: &Tunables) -> CompiledFunc {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let (_, funcs) = compile_bytes(&BaselineCompiler::without_extensions(), &bytes, tunables);
    funcs.into_iter().last().expect("there is a function").expect("it compiles")
}

/// The same for code that counts towards the other tier.
fn check_tiering(text: &str, expected: Expect) -> CompiledFunc {
    let func = compile(text, &Tunables { tiering: true, ..Tunables::default() });
    expected.assert_eq(&disassemble(&func));
    func
}

#[test]
fn a_call_costs_the_bytes_outside_of_loops_and_leaves_arguments_where_they_came() {
    let func = check_tiering(
        "(module (func (param i32 f64) (result i32) (i32.add (local.get 0) (i32.const 7))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            sub rsp, 20h
            mov [rbp-8], rdi
            sub dword ptr [rip], 6
            js 0000000000000024h
            lea eax, [rsi+7]
            mov rsp, rbp
            pop rbp
            ret
            mov [rbp-10h], esi
            movsd [rbp-18h], xmm0
            mov esi, 0
            mov edx, 0FFFFFFFFh
            mov rdi, [rbp-8]
            mov rax, [rdi+8]
            call qword ptr [rax+60h]
            mov esi, [rbp-10h]
            mov rdi, [rbp-8]
            movsd xmm0, [rbp-18h]
            jmp 000000000000001Ch
        "#]],
    );
    assert_eq!(
        func.relocs.iter().map(|reloc| (reloc.cell, reloc.func.0)).collect::<Vec<_>>(),
        [(Cell::Budget, 0)]
    );
    assert_eq!(func.meta.handovers, []);
}

#[test]
fn a_loop_hands_over_with_everything_at_home() {
    let func = check_tiering(
        "(module (func (param i32) (result i64) (local $sum i64)
            (i64.const 5)
            (loop $again
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get 0))))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (i64.add (local.get $sum))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            sub rsp, 20h
            mov [rbp-8], rdi
            mov r10d, esi
            mov r9d, 0
            sub dword ptr [rip], 8
            js 0000000000000059h
            mov qword ptr [rbp-20h], 5
            sub dword ptr [rip], 12h
            js 0000000000000087h
            mov eax, r10d
            add r9, rax
            sub r10d, 1
            jne 000000000000002Dh
            mov rax, [rbp-20h]
            add rax, r9
            mov rsp, rbp
            pop rbp
            ret
            mov [rbp-18h], r9
            mov [rbp-10h], r10d
            mov esi, 0
            mov edx, 0FFFFFFFFh
            mov rdi, [rbp-8]
            mov rax, [rdi+8]
            call qword ptr [rax+60h]
            mov r9, [rbp-18h]
            mov r10d, [rbp-10h]
            mov rdi, [rbp-8]
            jmp 0000000000000025h
            mov [rbp-18h], r9
            mov [rbp-10h], r10d
            mov esi, 0
            mov edx, 0
            mov rdi, [rbp-8]
            mov rax, [rdi+8]
            call qword ptr [rax+60h]
            test rax, rax
            je 00000000000000BBh
            mov rdi, [rbp-8]
            mov rsi, rbp
            call rax
            mov rsp, rbp
            pop rbp
            ret
            mov r9, [rbp-18h]
            mov r10d, [rbp-10h]
            jmp 000000000000003Dh
        "#]],
    );
    let homes = func.homes.expect("other code may take over");
    assert_eq!((homes.locals, homes.slot), (2, 8));
    assert_eq!(func.meta.handovers.len(), 1);
}

#[test]
fn a_function_with_tail_calls_counts_and_does_not_hand_over() {
    let text =
        "(module (func $f (param i32) (loop $l (br_if $l (local.get 0))) (return_call $f (i32.const 1))))";
    let func = compile(text, &Tunables { tiering: true, ..Tunables::default() });
    assert_eq!((func.homes, func.meta.handovers.len()), (None, 0));
    assert_eq!(func.relocs.iter().filter(|reloc| reloc.cell == Cell::Budget).count(), 2);
}

#[test]
fn a_constant_is_folded_into_the_instruction_and_takes_no_register() {
    check(
        "(module (func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7))))",
        expect![[r#"
        push rbp
        mov rbp, rsp
        lea eax, [rsi+7]
        mov rsp, rbp
        pop rbp
        ret
    "#]],
    );
}

#[test]
fn a_comparison_goes_straight_into_its_branch() {
    check(
        "(module (func (param i32 i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (local.get 1))
                (then (i32.const 1)) (else (local.get 1)))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            mov r10d, edx
            cmp esi, r10d
            mov [rbp-10h], esi
            jge 000000000000001Dh
            mov eax, 1
            jmp 0000000000000020h
            mov eax, r10d
            mov rsp, rbp
            pop rbp
            ret
        "#]],
    );
}

#[test]
fn a_load_goes_straight_into_arithmetic() {
    check(
        "(module (memory 1) (func (param i32 i32) (result i32)
            (i32.add (local.get 0) (i32.load offset=8 (local.get 1)))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            mov edx, edx
            mov rax, [rdi+20h]
            mov ecx, esi
            add ecx, [rax+rdx+8]
            mov eax, ecx
            mov rsp, rbp
            pop rbp
            ret
        "#]],
    );
}

#[test]
fn what_a_loop_uses_is_in_registers_all_along() {
    check(
        "(module (memory 1) (func (param $at i32) (param $count i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const 4)))
                (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
            (local.get $sum)))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            mov [rbp-10h], rbx
            mov r9d, edx
            mov r10d, esi
            mov rbx, [rdi+20h]
            mov r8d, 0
            add r8d, [rbx+r10]
            add r10d, 4
            sub r9d, 1
            jne 0000000000000018h
            mov eax, r8d
            mov rbx, [rbp-10h]
            mov rsp, rbp
            pop rbp
            ret
        "#]],
    );
}

#[test]
fn what_lives_across_calls_is_in_registers_that_calls_keep() {
    check(
        "(module (func $f (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1)))
                               (call $f (i32.sub (local.get 0) (i32.const 2))))))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            sub rsp, 20h
            mov [rbp-8], rdi
            mov r11, [rdi]
            cmp rsp, [r11]
            jb 000000000000005Bh
            mov [rbp-10h], rbx
            mov ebx, esi
            cmp ebx, 2
            jae 000000000000002Eh
            mov eax, ebx
            jmp 0000000000000052h
            lea eax, [rbx-1]
            mov esi, eax
            mov rdi, [rbp-8]
            call qword ptr [rip]
            lea ecx, [rbx-2]
            mov [rbp-20h], eax
            mov esi, ecx
            mov rdi, [rbp-8]
            call qword ptr [rip]
            add eax, [rbp-20h]
            mov rbx, [rbp-10h]
            mov rsp, rbp
            pop rbp
            ret
            hlt
        "#]],
    );
}

#[test]
fn an_import_is_called_through_its_record() {
    check(
        "(module (import \"\" \"f\" (func (param i32 f64) (result f64)))
            (func (param f64) (result f64) (call 0 (i32.const 5) (local.get 0))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            sub rsp, 10h
            mov [rbp-8], rdi
            mov r11, [rdi]
            cmp rsp, [r11]
            jb 000000000000003Ch
            movsd [rbp-10h], xmm0
            mov esi, 5
            mov r10, [rbp-8]
            mov r11, [r10]
            mov [r11+30h], r10
            mov rax, [r10+20h]
            mov rdi, [r10+28h]
            call qword ptr [rax]
            mov rsp, rbp
            pop rbp
            ret
            hlt
        "#]],
    );
}

#[test]
fn an_indirect_call_checks_bounds_null_and_type() {
    check(
        "(module (table 10 funcref) (type $t (func))
            (func (param i32) (call_indirect (type $t) (local.get 0))))",
        expect![[r#"
            push rbp
            mov rbp, rsp
            sub rsp, 10h
            mov [rbp-8], rdi
            mov r11, [rdi]
            cmp rsp, [r11]
            jb 000000000000005Bh
            mov esi, esi
            cmp rsi, [rdi+28h]
            jae 0000000000000059h
            mov r11, [rdi+20h]
            mov rax, [r11+rsi*8]
            mov r11, [rdi+10h]
            mov r11d, [r11]
            cmp r11d, [rax+10h]
            jne 000000000000005Ah
            mov [rbp-10h], esi
            mov r10, [rbp-8]
            mov r11, [r10]
            mov [r11+30h], r10
            mov rdi, [rax+8]
            mov rax, [rax]
            call qword ptr [rax]
            mov rsp, rbp
            pop rbp
            ret
            hlt
            hlt
            hlt
        "#]],
    );
}

#[test]
fn garbage_stands_wherever_it_may() {
    let text = r#"(module
        (import "host" "number" (func $number (result i32)))
        (func (param i32) (result i32) (i32.add (call $number) (local.get 0))))"#;
    let compiler = BaselineCompiler::with_garbage();
    let (_, funcs) = compile_bytes(&compiler, &wat::parse_str(text).unwrap(), &Tunables::default());
    let code = disassemble(funcs.last().and_then(|func| func.as_ref().ok()).expect("it compiles"));
    let count = |garbage: &str| code.matches(garbage).count();
    // At the entry all registers but two hold nothing, after the call all but one.
    assert_eq!(count(", 0BAD0DEADBAD1BEEFh"), 7 + 8, "{code}");
    // The argument, and the result.
    assert_eq!(count(", 0BAD2FACE00000000h"), 2, "{code}");
    assert!(count("], 0BAD3CAFEh") >= 1, "{code}");
}
