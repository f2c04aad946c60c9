// SPDX-License-Identifier: MIT
// Preloaded into a program and all that it starts, numbers the calls that leave something behind under FAULT_ROOTS (folders,
// separated by colons), and at one of them kills, stops or fails. What it does stands in the file FAULTS, which all share
// (struct Faults; faults.py writes it). With FAULT_NO_TMPFILE in the environment no disk has files without a name. Memory that is mapped, such as SQLite's -shm, changes without a step.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_STEPS = 20000, NAME = 240 };
enum { COUNT, KILL, KILL_BEHIND, STOP, FAIL };
enum Kind { KEEPS, CHANGES, GROWS, WRITES };  // what a call wants of a disk: nothing; to be writable; space; any part of that

struct Faults {
    _Atomic int64_t steps, mode, at, error, least, hits, stopped;
    char wanted[NAME];  // where to stop, if not at a number
    char names[MOST_STEPS][NAME];
};
static struct Faults *faults;
static const char *roots;
static __thread int halve;

// Before the program becomes another user.
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS");
    const int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    const char *folders = getenv("FAULT_ROOTS");
    if (mapped == MAP_FAILED || !folders) abort();
    close(file);
    faults = mapped;
    roots = folders;
}

static int under(const char *path) {
    for (const char *root = roots; path && root && *root;) {
        const size_t length = strcspn(root, ":");
        if (!strncmp(path, root, length) && (path[length] == '/' || !path[length])) return 1;
        root += length + (root[length] == ':');
    }
    return 0;
}

static const char *path_of(int fd, char *into) {
    char link[40];
    const int before = errno;
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, into, PATH_MAX - 1);
    into[length < 0 ? 0 : length] = 0;
    errno = before;
    return into;
}

static const char *path_at(int folder, const char *path, char *into) {
    if (!path || path[0] == '/') return path;
    path_of(folder, into);
    const size_t length = strlen(into);
    snprintf(into + length, PATH_MAX - length, "/%s", path);
    return into;
}

static _Noreturn void die(void) {
    kill(0, SIGKILL);  // postmap, and who started it
    for (;;) pause();
}

// The step's number, 0 for what is not counted, -1 (and errno) if it fails.
static int64_t before(enum Kind kind, const char *call, const char *path, const char *to) {
    halve = 0;
    if (!faults || !(under(path) || under(to))) return 0;
    const int64_t step = atomic_fetch_add(&faults->steps, 1) + 1;
    if (step <= MOST_STEPS) snprintf(faults->names[step - 1], NAME, "%s %s%s%s", call, path, to ? " -> " : "", to ? to : "");
    const int64_t mode = faults->mode;
    if (mode == COUNT || step < faults->at) return step;
    if (mode == KILL) die();
    const char *wanted = faults->wanted;
    if (mode == STOP && step <= MOST_STEPS && (*wanted ? strstr(faults->names[step - 1], wanted) != NULL : step == faults->at)) {
        faults->stopped = getpid();
        kill(getpid(), SIGSTOP);
    }
    if (mode != FAIL || kind < faults->least) return step;
    // A disk that fills up takes a part of the first write.
    if (atomic_fetch_add(&faults->hits, 1) == 0 && kind == WRITES && faults->error == ENOSPC) {
        halve = 1;
        return step;
    }
    errno = (int)faults->error;
    return -1;
}

static void behind(int64_t step) {
    if (step > 0 && faults->mode == KILL_BEHIND && step >= faults->at) die();
}

#define BUFFER ((char[PATH_MAX]){0})
#define CALL(type, name, parameters, arguments, kind, path, to)                  \
    type name parameters {                                                       \
        static type(*real) parameters;                                           \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);           \
        const int64_t step = before(kind, #name, path, to);                      \
        if (step < 0) return (type)-1;                                           \
        const type result = real arguments;                                      \
        behind(step);                                                            \
        return result;                                                           \
    }
#define HALF(count) (halve && (count) > 1 ? (count) / 2 : (count))

CALL(ssize_t, write, (int fd, const void *data, size_t count), (fd, data, HALF(count)), WRITES, path_of(fd, BUFFER), NULL)
CALL(ssize_t, pwrite, (int fd, const void *data, size_t count, off_t at), (fd, data, HALF(count), at), WRITES, path_of(fd, BUFFER), NULL)
CALL(ssize_t, pwrite64, (int fd, const void *data, size_t count, off64_t at), (fd, data, HALF(count), at), WRITES, path_of(fd, BUFFER), NULL)
CALL(ssize_t, writev, (int fd, const struct iovec *some, int count), (fd, some, count), GROWS, path_of(fd, BUFFER), NULL)
CALL(ssize_t, pwritev, (int fd, const struct iovec *some, int count, off_t at), (fd, some, count, at), GROWS, path_of(fd, BUFFER), NULL)
CALL(int, ftruncate, (int fd, off_t size), (fd, size), CHANGES, path_of(fd, BUFFER), NULL)
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), CHANGES, path_of(fd, BUFFER), NULL)
CALL(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), GROWS, path_of(fd, BUFFER), NULL)
CALL(int, fsync, (int fd), (fd), KEEPS, path_of(fd, BUFFER), NULL)
CALL(int, fdatasync, (int fd), (fd), KEEPS, path_of(fd, BUFFER), NULL)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), CHANGES, path_of(fd, BUFFER), NULL)
CALL(int, futimens, (int fd, const struct timespec times[2]), (fd, times), CHANGES, path_of(fd, BUFFER), NULL)
CALL(int, chmod, (const char *path, mode_t mode), (path, mode), CHANGES, path, NULL)
CALL(int, rename, (const char *from, const char *to), (from, to), CHANGES, path_at(AT_FDCWD, from, BUFFER), to)
CALL(int, renameat, (int in, const char *from, int there, const char *to), (in, from, there, to), CHANGES,
     path_at(in, from, BUFFER), path_at(there, to, BUFFER))
CALL(int, renameat2, (int in, const char *from, int there, const char *to, unsigned flags), (in, from, there, to, flags), CHANGES,
     path_at(in, from, BUFFER), path_at(there, to, BUFFER))
CALL(int, link, (const char *from, const char *to), (from, to), GROWS, from, to)
CALL(int, linkat, (int in, const char *from, int there, const char *to, int flags), (in, from, there, to, flags), GROWS,
     path_at(there, to, BUFFER), NULL)
CALL(int, symlink, (const char *from, const char *to), (from, to), GROWS, to, NULL)
CALL(int, remove, (const char *path), (path), CHANGES, path_at(AT_FDCWD, path, BUFFER), NULL)
CALL(int, unlink, (const char *path), (path), CHANGES, path_at(AT_FDCWD, path, BUFFER), NULL)
CALL(int, unlinkat, (int in, const char *path, int flags), (in, path, flags), CHANGES, path_at(in, path, BUFFER), NULL)
CALL(int, rmdir, (const char *path), (path), CHANGES, path_at(AT_FDCWD, path, BUFFER), NULL)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), GROWS, path_at(AT_FDCWD, path, BUFFER), NULL)
CALL(int, utimensat, (int in, const char *path, const struct timespec times[2], int flags), (in, path, times, flags), CHANGES,
     path_at(in, path, BUFFER), NULL)

char *mkdtemp(char *name) {
    static char *(*real)(char *);
    if (!real) real = (char *(*)(char *))dlsym(RTLD_NEXT, "mkdtemp");
    const int64_t step = before(GROWS, "mkdtemp", name, NULL);
    if (step < 0) return NULL;
    char *made = real(name);
    behind(step);
    return made;
}

// Only what makes a file, empties one, or (on a disk that cannot be written) wants to write.
static enum Kind kind_of_open(const char *path) {
    struct stat facts;
    const int before_it = errno;
    const int there = !stat(path, &facts);
    errno = before_it;
    return there ? CHANGES : GROWS;
}

#define OPEN(name, parameters, arguments, folder)                                                              \
    int name parameters {                                                                                      \
        static int(*real) parameters;                                                                          \
        if (!real) real = (int(*) parameters)dlsym(RTLD_NEXT, #name);                                          \
        mode_t mode = 0;                                                                                       \
        if ((flags & O_TMPFILE) == O_TMPFILE && getenv("FAULT_NO_TMPFILE")) {                                  \
            errno = EOPNOTSUPP;                                                                                \
            return -1;                                                                                         \
        }                                                                                                      \
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                                            \
            va_list rest;                                                                                      \
            va_start(rest, flags);                                                                             \
            mode = va_arg(rest, mode_t);                                                                       \
            va_end(rest);                                                                                      \
        }                                                                                                      \
        int64_t step = 0;                                                                                      \
        if ((flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY) {                                \
            const char *whole = path_at(folder, path, BUFFER);                                                 \
            step = before(under(whole) ? kind_of_open(whole) : KEEPS, #name, whole, NULL);              \
        }                                                                                                      \
        if (step < 0) return -1;                                                                               \
        const int result = real arguments;                                                                     \
        behind(step);                                                                                          \
        return result;                                                                                         \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), AT_FDCWD)
OPEN(openat, (int in, const char *path, int flags, ...), (in, path, flags, mode), in)
OPEN(openat64, (int in, const char *path, int flags, ...), (in, path, flags, mode), in)
