// A reactor: exports for the host to call, no main. `_initialize` must run first; `initialized` tells
// whether it did.
#include <stdint.h>
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name)))

static int ready;

__attribute__((constructor)) static void initialize(void) { ready = 1; }

EXPORT("initialized") int32_t initialized(void) { return ready; }

EXPORT("allocate") void *allocate(uint32_t bytes) { return malloc(bytes); }

EXPORT("release") void release(void *pointer) { free(pointer); }

EXPORT("sum") int64_t sum(const int32_t *values, uint32_t count) {
    int64_t total = 0;
    for (uint32_t at = 0; at < count; at++) total += values[at];
    return total;
}

EXPORT("fib") uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

EXPORT("mean") double mean(const double *values, uint32_t count) {
    double total = 0;
    for (uint32_t at = 0; at < count; at++) total += values[at];
    return count == 0 ? 0 : total / count;
}
