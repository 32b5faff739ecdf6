#!/usr/bin/env bash
# Builds every .wasm of this folder from its source. The results are committed; run this after a change.
# On Debian: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32
set -euo pipefail
cd "$(dirname "$0")"

build() { # source, extra flags…
    local name=${1%.c}
    shift
    clang --target=wasm32-wasi --sysroot=/usr -std=c11 -Wall -Wextra -Werror \
        -Wno-error=unused-command-line-argument "$@" "$name.c" -o "$name.wasm"
    chmod 644 "$name.wasm"
    echo "$name.wasm: $(stat -c %s "$name.wasm") bytes"
}

for name in hello arguments files exit_code filter; do build "$name.c" -Os -s; done
build overflow.c -Os -Wl,--strip-debug # keeps the names
build kernels.c -O2 -s
build simd.c -O2 -s -msimd128
build library.c -Os -s -mexec-model=reactor
# With line numbers; the path in them is this folder's, whoever builds.
build fault.c -O1 -g -ffile-prefix-map="$PWD=tests/programs"
