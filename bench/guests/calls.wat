;; What the measurements of calls run: nothing but the calls.
(module
  (import "host" "zero" (func $zero))
  (import "host" "three" (func $three (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "initial data")
  (global $count (mut i32) (i32.const 0))

  (func (export "empty"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))

  ;; Loops `n` times, n > 0: what the loops below cost without their calls.
  (func (export "loop_empty") (param $n i32)
    (loop $again
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "loop_zero") (param $n i32)
    (loop $again
      (call $zero)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "loop_three") (param $n i32)
    (loop $again
      (drop (call $three (local.get $n) (i64.const 7) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func $nothing (param i32))
  (func (export "loop_guest") (param $n i32)
    (loop $again
      (call $nothing (local.get $n))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; Traps with `depth` frames of its own on the stack.
  (func $trap (export "trap") (param $depth i32)
    (if (i32.eq (local.get $depth) (i32.const 1)) (then unreachable))
    (call $trap (i32.sub (local.get $depth) (i32.const 1)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))))
