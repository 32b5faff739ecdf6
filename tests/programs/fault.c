// Built with debug information: divides by zero three calls below main, so that the trap's backtrace can be
// compared with this file's line numbers.
#include <unistd.h>

static volatile int zero;

__attribute__((noinline)) static int divide(int by) {
    return 100 / by; // line 8
}

__attribute__((noinline)) static int middle(int by) {
    int quotient = divide(by); // line 12
    return quotient + 1;
}

__attribute__((noinline)) static int outer(void) {
    int result = middle(zero); // line 17
    return result * 2;
}

int main(void) {
    write(1, "dividing\n", 9);
    return outer(); // line 23
}
