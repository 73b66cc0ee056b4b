/* Loaded before the C library: lets the program's writes and syncs fail, or take their time, as a
 * disk makes them.
 *
 * The file that FAULTS_FILE names, as long as it is there, says which. Each of its lines is
 *
 *     write <errno> <text>         writing fails to a file whose path contains the text
 *     sync <errno> <text>          syncing such a file or directory fails
 *     slow <microseconds> <text>   writing to such a file begins only then
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *faults_file;

__attribute__((constructor)) static void find_faults_file(void) {
    faults_file = getenv("FAULTS_FILE");
    if (!faults_file)
        abort();
}

/* Whether this call on this file fails; errno says how. It is left as it was if it does not. */
static int fails(const char *call, int fd) {
    int before = errno;
    char faults[4096], link[64], path[4096];
    int file = open(faults_file, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        errno = before;
        return 0;
    }
    ssize_t size = syscall(SYS_read, file, faults, sizeof faults - 1);
    close(file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (size < 0 || length < 0)
        abort();
    faults[size] = path[length] = 0;
    for (char *rest = faults, *line; (line = strsep(&rest, "\n"));) {
        char of[16], text[4096];
        int number;
        if (sscanf(line, "%15s %d %4095s", of, &number, text) != 3 || !strstr(path, text))
            continue;
        if (!strcmp(of, call)) {
            errno = number;
            return 1;
        }
        if (!strcmp(of, "slow") && !strcmp(call, "write"))
            usleep(number);
    }
    errno = before;
    return 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fails("sync", fd) ? -1 : NEXT(fsync)(fd); }

int fdatasync(int fd) { return fails("sync", fd) ? -1 : NEXT(fdatasync)(fd); }

ssize_t write(int fd, const void *bytes, size_t size) {
    return fails("write", fd) ? -1 : NEXT(write)(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return fails("write", fd) ? -1 : NEXT(writev)(fd, pieces, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
    return fails("write", fd) ? -1 : NEXT(pwrite)(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
    return fails("write", fd) ? -1 : NEXT(pwrite64)(fd, bytes, size, offset);
}
