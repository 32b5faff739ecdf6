//! Small programs that do what they say, on this tier.

mod support;

use support::{Outcome, instantiate};
use tenure_code::{Tier, Tunables};
use tenure_types::Trap;

/// An export, arguments, and what comes back.
type Call<'a> = (&'a str, &'a [u128], Result<&'a [u128], Trap>);

fn check(text: &str, calls: &[Call<'_>]) {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    for signals in [true, false] {
        let tunables = Tunables { signals, ..Tunables::default() };
        let mut instance = instantiate(&bytes, &|_| Tier::Baseline, &tunables).unwrap();
        assert_eq!(instance.refused, Vec::<String>::new());
        for &(name, args, expected) in calls {
            let outcome = instance.call(name, args);
            match (&outcome, expected) {
                (Outcome::Values(values), Ok(expected)) => {
                    assert_eq!(values, expected, "{name}({args:?}), signals {signals}");
                }
                (Outcome::Trap(trap, ..), Err(expected)) => {
                    assert_eq!(*trap, expected, "{name}({args:?}), signals {signals}");
                }
                _ => panic!("{name}({args:?}) is {outcome:?}, not {expected:?}, signals {signals}"),
            }
        }
    }
}

#[test]
fn arithmetic_and_traps() {
    check(
        r#"(module
          (memory 1)
          (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
          (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
          (func (export "rem") (param i32 i32) (result i32) (i32.rem_s (local.get 0) (local.get 1)))
          (func (export "load") (param i32) (result i32) (i32.load offset=4 (local.get 0)))
          (func (export "unreachable") unreachable)
        )"#,
        &[
            ("add", &[2, 3], Ok(&[5])),
            ("div", &[7, 2], Ok(&[3])),
            ("div", &[7, 0], Err(Trap::IntegerDivisionByZero)),
            ("div", &[0x8000_0000, 0xffff_ffff], Err(Trap::IntegerOverflow)),
            ("rem", &[0x8000_0000, 0xffff_ffff], Ok(&[0])),
            ("load", &[0], Ok(&[0])),
            ("load", &[65536], Err(Trap::MemoryOutOfBounds)),
            ("load", &[0xffff_ffff], Err(Trap::MemoryOutOfBounds)),
            ("unreachable", &[], Err(Trap::UnreachableCodeReached)),
        ],
    );
}

#[test]
fn loops_calls_and_tables() {
    check(
        r#"(module
          (import "" "host" (func $host (param i32) (result i32)))
          (type $t (func (param i32) (result i32)))
          (table 4 funcref)
          (elem (i32.const 0) $double $fac $host)
          (func $double (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
          (func $fac (export "fac") (param i32) (result i32)
            (if (result i32) (i32.le_u (local.get 0) (i32.const 1))
              (then (i32.const 1))
              (else (i32.mul (local.get 0) (call $fac (i32.sub (local.get 0) (i32.const 1)))))))
          (func (export "fib") (param $n i32) (result i32)
            (local $a i32) (local $b i32) (local $t i32)
            (local.set $b (i32.const 1))
            (block $done
              (loop $again
                (br_if $done (i32.eqz (local.get $n)))
                (local.set $t (i32.add (local.get $a) (local.get $b)))
                (local.set $a (local.get $b))
                (local.set $b (local.get $t))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br $again)))
            (local.get $a))
          (func (export "sum") (param $n i32) (result i64)
            (local $s i64)
            (loop $again
              (local.set $s (i64.add (local.get $s) (i64.extend_i32_u (call $double (local.get $n)))))
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $s))
          (func (export "indirect") (param i32 i32) (result i32)
            (call_indirect (type $t) (local.get 1) (local.get 0)))
          (func (export "wrong") (param i32) (call_indirect (local.get 0)))
          (func (export "switch") (param i32) (result i32)
            (block $c (block $b (block $a
              (br_table $a $b $c $a $b $c (local.get 0)))
              (return (i32.const 10)))
              (return (i32.const 20)))
            (i32.const 30))
          (func $deep (export "deep") (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (local.get 0))))
        )"#,
        &[
            ("fac", &[5], Ok(&[120])),
            ("fib", &[10], Ok(&[55])),
            ("sum", &[100], Ok(&[10100])),
            ("indirect", &[0, 21], Ok(&[42])),
            ("indirect", &[1, 6], Ok(&[720])),
            ("indirect", &[3, 6], Err(Trap::IndirectCallToNull)),
            ("indirect", &[4, 6], Err(Trap::TableOutOfBounds)),
            ("wrong", &[0], Err(Trap::BadSignature)),
            ("switch", &[0], Ok(&[10])),
            ("switch", &[1], Ok(&[20])),
            ("switch", &[2], Ok(&[30])),
            ("switch", &[4], Ok(&[20])),
            ("switch", &[400], Ok(&[30])),
            ("deep", &[0], Err(Trap::StackOverflow)),
        ],
    );
}
