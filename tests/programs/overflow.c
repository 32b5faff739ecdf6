// Recurses until the stack of calls is exhausted. The frames need nothing of linear memory, so it is
// the host's stack that ends, not the guest's.
#include <unistd.h>

static unsigned left(unsigned depth);
static unsigned right(unsigned depth);
static unsigned (*volatile steps[2])(unsigned) = {left, right};

static unsigned left(unsigned depth) { return steps[depth & 1](depth + 1) + depth; }
static unsigned right(unsigned depth) { return steps[depth & 1](depth + 1) ^ depth; }

int main(void) {
    write(1, "going down\n", 11);
    return left(0) & 127;
}
