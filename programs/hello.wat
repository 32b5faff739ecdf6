;; Greets, and counts the primes below a thousand, so that there is something to compute.
;; A WASI command: `_start` is called once, output goes through `fd_write`.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $vectors i32) (param $count i32) (param $written i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param $status i32)))

  (memory (export "memory") 1)
  (global $stdout i32 (i32.const 1))
  (global $limit i32 (i32.const 1000))

  ;; 0: an output vector {address, length}; 8: how much was written.
  ;; 16: scratch for digits, written backwards from 31. 64: texts. 1024: one byte a number, 1 if composite.
  (data $hello (i32.const 64) "Hello from WebAssembly!\n")
  (data $below (i32.const 96) " primes below ")
  (data $end (i32.const 112) ".\n")

  ;; Writes `length` bytes at `address` to standard output; ends the program if that fails.
  (func $print (param $address i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $address))
    (i32.store (i32.const 4) (local.get $length))
    (if (call $fd_write (global.get $stdout) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (call $proc_exit (i32.const 1)))))

  ;; Writes `number` in decimal.
  (func $print_number (param $number i32)
    (local $at i32)
    (local.set $at (i32.const 32))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (local.get $number)))
    (call $print (local.get $at) (i32.sub (i32.const 32) (local.get $at))))

  ;; The sieve of Eratosthenes: how many primes are below `limit`.
  (func $count_primes (export "count_primes") (param $limit i32) (result i32)
    (local $number i32) (local $multiple i32) (local $count i32)
    (memory.fill (i32.const 1024) (i32.const 0) (local.get $limit))
    (local.set $number (i32.const 2))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $number) (local.get $limit)))
        (if (i32.eqz (i32.load8_u offset=1024 (local.get $number)))
          (then
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $multiple (i32.mul (local.get $number) (local.get $number)))
            (block $crossed_out
              (loop $cross_out
                (br_if $crossed_out (i32.ge_u (local.get $multiple) (local.get $limit)))
                (i32.store8 offset=1024 (local.get $multiple) (i32.const 1))
                (local.set $multiple (i32.add (local.get $multiple) (local.get $number)))
                (br $cross_out)))))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br $next)))
    (local.get $count))

  (func (export "_start")
    (call $print (i32.const 64) (i32.const 24))
    (call $print_number (call $count_primes (global.get $limit)))
    (call $print (i32.const 96) (i32.const 14))
    (call $print_number (global.get $limit))
    (call $print (i32.const 112) (i32.const 2))))
