;; One function with one loop, called once: integers, a division now and then, and memory.
(module
  (memory 1)
  (func (export "run") (param $n i32) (result i64)
    (local $state i64) (local $sum i64) (local $at i32)
    (local.set $state (i64.const 0x9e3779b97f4a7c15))
    (loop $again
      ;; xorshift
      (local.set $state (i64.xor (local.get $state) (i64.shl (local.get $state) (i64.const 13))))
      (local.set $state (i64.xor (local.get $state) (i64.shr_u (local.get $state) (i64.const 7))))
      (local.set $state (i64.xor (local.get $state) (i64.shl (local.get $state) (i64.const 17))))
      ;; a word of memory by its bits
      (local.set $at (i32.and (i32.wrap_i64 (local.get $state)) (i32.const 0xfff8)))
      (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (local.get $state)))
      (local.set $sum (i64.add (local.get $sum) (i64.load (i32.and (local.get $n) (i32.const 0xfff8)))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
