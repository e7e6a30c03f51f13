/* Stands before the C library in a process under test (LD_PRELOAD): its disk fails as the test says, and a journal of
 * what was written and synced can be kept.
 *
 * FAULT_DISK names a file. While it exists, "<operation> <errno> <part of a path>" in it says what fails: operation is
 * "sync" or "write", errno a number. What was written before a failed sync stays in the file.
 *
 * FAULT_JOURNAL names a file to which every write, cut and sync of a file whose name contains "queue.db" is appended,
 * and every write to standard output, in the order in which they happened. Each entry: operation (1 write, 2 cut,
 * 3 sync), place (0 the file, 1 its log, 2 standard output), offset (8 bytes), length (8 bytes), both in the machine's
 * order, and what was written. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE = 1, CUT = 2, SYNC = 3 };
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int journal = -2;

#define REAL(name, result, ...) \
    static result (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int fails(int fd, const char *operation) {
    const char *control = getenv("FAULT_DISK");
    char text[512], path[4096], what[16], part[256];
    int code, saved = errno;
    if (!control) return 0;
    int file = open(control, O_RDONLY | O_CLOEXEC);
    if (file < 0) { errno = saved; return 0; }
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    errno = saved;
    if (length <= 0) return 0;
    text[length] = 0;
    if (sscanf(text, "%15s %d %255s", what, &code, part) != 3) return 0;
    if (strcmp(what, operation) || !path_of(fd, path, sizeof path) || !strstr(path, part)) return 0;
    errno = code;
    return 1;
}

static int place_of(int fd) {
    char path[4096];
    if (!getenv("FAULT_JOURNAL")) return -1;
    if (fd == 1) return 2;
    if (!path_of(fd, path, sizeof path)) return -1;
    char *name = strstr(path, "queue.db");
    if (!name) return -1;
    if (!strcmp(name, "queue.db")) return 0;
    return strcmp(name, "queue.db-wal") ? -1 : 1;
}

static void note(uint8_t operation, int place, uint64_t offset, const void *bytes, uint64_t length) {
    REAL(write, ssize_t, int, const void *, size_t);
    if (journal == -2) journal = open(getenv("FAULT_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uint8_t where = place;
    real_write(journal, &operation, 1);
    real_write(journal, &where, 1);
    real_write(journal, &offset, 8);
    real_write(journal, &length, 8);
    if (bytes && length) real_write(journal, bytes, length);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write, ssize_t, int, const void *, size_t);
    if (fails(fd, "write")) return -1;
    int place = place_of(fd);
    if (place < 0) return real_write(fd, bytes, length);
    pthread_mutex_lock(&turn);
    off_t offset = place == 2 ? 0 : lseek(fd, 0, SEEK_CUR);
    ssize_t written = real_write(fd, bytes, length);
    if (written > 0) note(WRITE, place, offset, bytes, written);
    pthread_mutex_unlock(&turn);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    REAL(pwrite, ssize_t, int, const void *, size_t, off_t);
    if (fails(fd, "write")) return -1;
    int place = place_of(fd);
    if (place < 0) return real_pwrite(fd, bytes, length, offset);
    pthread_mutex_lock(&turn);
    ssize_t written = real_pwrite(fd, bytes, length, offset);
    if (written > 0) note(WRITE, place, offset, bytes, written);
    pthread_mutex_unlock(&turn);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    return pwrite(fd, bytes, length, offset);
}

int ftruncate(int fd, off_t length) {
    REAL(ftruncate, int, int, off_t);
    int place = place_of(fd);
    if (place < 0) return real_ftruncate(fd, length);
    pthread_mutex_lock(&turn);
    int result = real_ftruncate(fd, length);
    if (!result) note(CUT, place, length, 0, 0);
    pthread_mutex_unlock(&turn);
    return result;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int sync_with(int (*real)(int), int fd) {
    if (fails(fd, "sync")) return -1;
    int place = place_of(fd);
    if (place < 0) return real(fd);
    pthread_mutex_lock(&turn);
    int result = real(fd);
    if (!result) note(SYNC, place, 0, 0, 0);
    pthread_mutex_unlock(&turn);
    return result;
}

int fsync(int fd) {
    REAL(fsync, int, int);
    return sync_with(real_fsync, fd);
}

int fdatasync(int fd) {
    REAL(fdatasync, int, int);
    return sync_with(real_fdatasync, fd);
}
