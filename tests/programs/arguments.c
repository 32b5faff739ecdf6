// Prints what the host passed in: arguments, then environment variables, one a line.
#include <stdio.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int at = 0; at < argc; at++) printf("argument %d: [%s]\n", at, argv[at]);
    for (char **variable = environ; *variable; variable++) printf("variable: [%s]\n", *variable);
    return 0;
}
