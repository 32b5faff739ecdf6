// Copies standard input to standard output, lines reversed, and counts to standard error.
#include <stdio.h>
#include <string.h>

int main(void) {
    char line[256];
    unsigned long lines = 0, bytes = 0;
    while (fgets(line, sizeof line, stdin)) {
        size_t count = strcspn(line, "\n");
        for (size_t at = 0; at < count / 2; at++) {
            char other = line[count - 1 - at];
            line[count - 1 - at] = line[at];
            line[at] = other;
        }
        bytes += strlen(line);
        lines++;
        fputs(line, stdout);
    }
    fprintf(stderr, "%lu lines, %lu bytes\n", lines, bytes);
    return ferror(stdin) ? 1 : 0;
}
