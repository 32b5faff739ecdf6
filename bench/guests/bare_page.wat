;; A page without data.
(module (memory (export "memory") 1))
