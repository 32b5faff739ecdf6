// Makes, writes, reads, lists, renames and removes files in the directory preopened as ".".
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    check(fd >= 0, path);
    check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
    check(close(fd) == 0, "close");
}

static int by_name(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// The order of a directory is the host's, so the names are sorted first.
static void list(const char *path) {
    char *names[16];
    int count = 0;
    DIR *dir = opendir(path);
    check(dir != NULL, path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 16;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) names[count++] = strdup(entry->d_name);
    }
    check(closedir(dir) == 0, "closedir");
    qsort(names, count, sizeof names[0], by_name);
    printf("%s:", path);
    for (int at = 0; at < count; at++) printf(" %s", names[at]);
    printf("\n");
}

int main(void) {
    check(mkdir("work", 0777) == 0, "mkdir");
    write_file("work/first", "one two three");
    write_file("work/second", "");
    list("work");

    int fd = open("work/first", O_RDWR);
    check(fd >= 0, "open");
    char text[32] = {0};
    check(lseek(fd, 4, SEEK_SET) == 4, "lseek");
    check(read(fd, text, 3) == 3, "read");
    printf("read at 4: %s\n", text);
    check(pwrite(fd, "TWO", 3, 4) == 3, "pwrite");
    memset(text, 0, sizeof text);
    printf("whole: %zd bytes", pread(fd, text, sizeof text - 1, 0));
    printf(", %s\n", text);
    check(ftruncate(fd, 7) == 0, "ftruncate");
    struct stat about;
    check(fstat(fd, &about) == 0, "fstat");
    printf("truncated: %lld bytes, %s\n", (long long)about.st_size, S_ISREG(about.st_mode) ? "a file" : "no file");
    check(close(fd) == 0, "close");

    check(rename("work/second", "work/third") == 0, "rename");
    check(unlink("work/first") == 0, "unlink");
    list("work");
    printf("open what is gone: %s\n", open("work/first", O_RDONLY) < 0 && errno == ENOENT ? "no such file" : "wrong");
    printf("leave the directory: %s\n", open("work/../../outside", O_RDONLY) < 0 ? "refused" : "wrong");
    printf("remove what is not empty: %s\n", rmdir("work") < 0 && errno == ENOTEMPTY ? "refused" : "wrong");
    check(unlink("work/third") == 0, "unlink");
    check(rmdir("work") == 0, "rmdir");
    return 0;
}
