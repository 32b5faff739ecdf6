// Leaves with status 7 from deep inside, after what atexit registered has run.
#include <stdio.h>
#include <stdlib.h>

static void last(void) { puts("handlers run"); }

static void leave(int depth) {
    if (depth == 0) exit(7);
    leave(depth - 1);
    puts("not reached");
}

int main(void) {
    atexit(last);
    puts("leaving");
    leave(5);
}
