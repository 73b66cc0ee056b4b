/* Loaded before the C library: writes down, in order, what the program has synced and when it
 * begins to send on a TCP connection.
 *
 *     sync <path>     a sync of this file or directory has succeeded
 *     send <inode>    bytes are about to leave on this connection
 *
 * Each line is one write to the file that TRACE_FILE names, opened for appending. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int trace_file = -1;

__attribute__((constructor)) static void open_trace_file(void) {
    const char *path = getenv("TRACE_FILE");
    if (path)
        trace_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (trace_file < 0)
        abort();
}

/* Leaves errno as it was. The system call is made directly, since write() is ours. */
static void note(const char *event, int fd) {
    int before = errno;
    char link[64], path[4096], line[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    if (length < 0)
        abort();
    int size = snprintf(line, sizeof line, "%s %.*s\n", event, (int)length, path);
    if (syscall(SYS_write, trace_file, line, size) != size)
        abort();
    errno = before;
}

static void note_sending(int fd) {
    int before = errno;
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        (address.ss_family == AF_INET || address.ss_family == AF_INET6))
        note("send", fd);
    errno = before;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
    int result = NEXT(fsync)(fd);
    if (result == 0)
        note("sync", fd);
    return result;
}

int fdatasync(int fd) {
    int result = NEXT(fdatasync)(fd);
    if (result == 0)
        note("sync", fd);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    note_sending(fd);
    return NEXT(write)(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    note_sending(fd);
    return NEXT(writev)(fd, pieces, count);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
    note_sending(fd);
    return NEXT(send)(fd, bytes, size, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to,
               socklen_t to_size) {
    note_sending(fd);
    return NEXT(sendto)(fd, bytes, size, flags, to, to_size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    note_sending(fd);
    return NEXT(sendmsg)(fd, message, flags);
}
