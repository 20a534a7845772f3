/* Makes the disk fail on command: preloaded into a process, it fails calls on files below a directory.
 *
 *   cc -shared -fPIC -O2 -o failing_disk.so failing_disk.c -ldl
 *   FAULTS=/path/to/control FAULTS_UNDER=/path/to/app/data/ LD_PRELOAD=./failing_disk.so mainstay serve
 *
 * The control file holds three little-endian 32-bit numbers, and may be changed at any time:
 *   which calls fail (1: writes, 2: syncs, 4: reads, 8: opens and growing), the errno they fail with, and how many calls of
 *   these kinds still succeed before that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, READS = 4, OPENS = 8 };
static volatile struct { uint32_t which, code; int32_t spare; } *control;
static const char *under;

__attribute__((constructor)) static void start(void) {
    static int (*real)(const char *, int, ...);
    const char *path = getenv("FAULTS");
    under = getenv("FAULTS_UNDER");
    real = dlsym(RTLD_NEXT, "open");
    if (!path || !under) return;
    int file = real(path, O_RDWR);
    if (file < 0) return;
    void *page = mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) control = page;
    close(file);
}

static int due(uint32_t kind) {
    if (!control || !(control->which & kind)) return 0;
    if (control->spare > 0) { __atomic_fetch_sub(&control->spare, 1, __ATOMIC_RELAXED); return 0; }
    return 1;
}

static int below(const char *path) { return strncmp(path, under, strlen(under)) == 0; }

static int fails(int file, uint32_t kind) {
    char link[64], path[4096];
    if (!control || !(control->which & kind)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!below(path) || !due(kind)) return 0;
    errno = (int)control->code;
    return 1;
}

#define NEXT(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int f, const void *b, size_t n, off_t at) { NEXT(pwrite); return fails(f, WRITES) ? -1 : real(f, b, n, at); }
ssize_t pwrite64(int f, const void *b, size_t n, off64_t at) { NEXT(pwrite64); return fails(f, WRITES) ? -1 : real(f, b, n, at); }
ssize_t write(int f, const void *b, size_t n) { NEXT(write); return fails(f, WRITES) ? -1 : real(f, b, n); }
int ftruncate(int f, off_t n) { NEXT(ftruncate); return fails(f, WRITES) ? -1 : real(f, n); }
int ftruncate64(int f, off64_t n) { NEXT(ftruncate64); return fails(f, WRITES) ? -1 : real(f, n); }
int fallocate(int f, int m, off_t a, off_t n) { NEXT(fallocate); return fails(f, OPENS) ? -1 : real(f, m, a, n); }
int fsync(int f) { NEXT(fsync); return fails(f, SYNCS) ? -1 : real(f); }
int fdatasync(int f) { NEXT(fdatasync); return fails(f, SYNCS) ? -1 : real(f); }
ssize_t pread(int f, void *b, size_t n, off_t at) { NEXT(pread); return fails(f, READS) ? -1 : real(f, b, n, at); }
ssize_t pread64(int f, void *b, size_t n, off64_t at) { NEXT(pread64); return fails(f, READS) ? -1 : real(f, b, n, at); }
ssize_t read(int f, void *b, size_t n) { NEXT(read); return fails(f, READS) ? -1 : real(f, b, n); }

static int open_fails(const char *path) {
    char whole[4096];
    if (!control || !(control->which & OPENS)) return 0;
    if (path[0] != '/' && realpath(path, whole)) path = whole;
    if (!below(path) || !due(OPENS)) return 0;
    errno = (int)control->code;
    return 1;
}

int open(const char *path, int flags, ...) {
    NEXT(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_fails(path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    NEXT(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_fails(path) ? -1 : real(path, flags, mode);
}
