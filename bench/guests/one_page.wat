;; A small module: a page, some data, and a call that writes to it.
(module
  (memory (export "memory") 1)
  (data (i32.const 1024) "initial data")
  (func (export "touch") (i32.store (i32.const 2048) (i32.load (i32.const 1024)))))
