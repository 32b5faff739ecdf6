// Built by:
//   clang --target=wasm32 -g -O1 -nostdlib -ffile-prefix-map=$PWD=. -Wl,--no-entry -Wl,--export=outer inlined.c -o inlined.wasm

static inline __attribute__((always_inline)) int inner(int a, int b) {
    return a / b;
}

__attribute__((noinline)) static int middle(int a) {
    return inner(a, a - 1) + 1;
}

int outer(int a) {
    return middle(a) * 2;
}
