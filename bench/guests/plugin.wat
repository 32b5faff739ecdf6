;; A plugin that puts a function of its own into its friend's table, and works with the one that stands there.
(module
    (import "host" "friend" (table $friend 2 funcref))
    (type $step (func (param i64) (result i64)))
    (memory 1)
    (table (export "own") 2 funcref)
    (elem (table 1) (i32.const 0) func $step)
    (func $step (type $step) (param i64) (result i64)
        (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (local.get 0)))
        (i64.load (i32.const 0)))
    (func (export "run") (param i64) (result i64) (local $left i32) (local $sum i64)
        (table.set $friend (i32.const 1) (ref.func $step))
        (local.set $left (i32.const 800))
        (loop $next
            (local.set $sum (call_indirect $friend (type $step) (local.get 0) (i32.const 0)))
            (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (local.get $sum)))
