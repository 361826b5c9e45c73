/*
 * The neutral peers: `peer echo PATH` answers, `peer client PATH COUNT` asks and measures, `peer maps PATH KIND LIVE COUNT` maps and unmaps pages of a
 * file; `peer send PATH CHUNK TOTAL` sends a stream and `peer take PATH CHUNK` receives it and measures. Plain blocking recvmsg and sendmsg, one of each a message.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct header { uint16_t id, command; uint32_t size, flags, error; };
struct access { struct header header; uint64_t offset; uint32_t region, count; uint32_t data; };
struct map { struct header header; uint32_t argsz, flags; uint64_t offset, address, length; };
struct unmap { struct header header; uint32_t argsz, flags; uint64_t address, length; };
enum { VERSION = 1, DMA_MAP = 2, DMA_UNMAP = 3, REGION_READ = 9, READ_REQUEST = 32, READ_REPLY = 36 };

static void die(const char *what) { perror(what); exit(1); }

static ssize_t receive(int fd, void *buffer, size_t size)
{
    struct iovec vector = { buffer, size };
    char control[CMSG_SPACE(253 * sizeof(int))];
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    return recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
}

static void send_all(int fd, void *buffer, size_t size)
{
    struct iovec vector = { buffer, size };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)size)
        die("sendmsg");
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    return name;
}

static _Noreturn void echo(const char *path)
{
    struct sockaddr_un name = address(path);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&name, sizeof name) || listen(listening, 4))
        die(path);
    puts("listening");
    fflush(stdout);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        struct access message;
        memset(&message, 0, sizeof message);
        ssize_t size;
        while ((size = receive(fd, &message, sizeof message + 4)) > 0) {
            message.header.size = message.header.command == REGION_READ ? READ_REPLY : 20;
            message.header.flags = 1;
            send_all(fd, &message, message.header.size);
        }
        close(fd);
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static int negotiate(const char *path)
{
    struct sockaddr_un name = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&name, sizeof name))
        die(path);
    char reply[4096];
    struct { struct header header; uint16_t major, minor; } version = { { 0, VERSION, 20, 0, 0 }, 0, 0 };
    send_all(fd, &version, sizeof version);
    if (receive(fd, reply, sizeof reply) < 20)
        die("VERSION");
    return fd;
}

/* With an errno of the server the benchmark is over: the number of maps that there were is told. */
static void expect_success(int fd, const char *what, int live)
{
    struct { struct header header; char rest[64]; } reply;
    if (receive(fd, &reply, sizeof reply) < (ssize_t)sizeof reply.header)
        die(what);
    if (reply.header.error) {
        fprintf(stderr, "%s with %d maps: %s\n", what, live, strerror(reply.header.error));
        exit(1);
    }
}

static void map(int fd, int file, uint64_t slot, uint64_t page, int live)
{
    struct map body = { { 0, DMA_MAP, sizeof body, 0, 0 }, 32, 3, page * 4096, slot * 8192, 4096 };
    struct iovec vector = { &body, sizeof body };
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != sizeof body)
        die("sendmsg");
    expect_success(fd, "DMA_MAP", live);
}

static void unmap(int fd, uint64_t slot, int live)
{
    struct unmap body = { { 0, DMA_UNMAP, sizeof body, 0, 0 }, 24, 0, slot * 8192, 4096 };
    send_all(fd, &body, sizeof body);
    expect_success(fd, "DMA_UNMAP", live);
}

/* A guest behind a virtual IOMMU: pages from all over its memory, each with the descriptor of all of it. */
static int maps(const char *path, int sealed, int live, int count)
{
    enum { SPREAD = 40503, PAGES = 1 << 20 };
    int fd = negotiate(path), file = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate(file, PAGES * 4096ll) || (sealed && fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)))
        die("memfd");
    uint64_t start = now();
    for (uint64_t i = 0; i < (uint64_t)live; i++)
        map(fd, file, i, i * SPREAD % PAGES, i);
    uint64_t filled = now();
    for (uint64_t i = 0; i < (uint64_t)count; i++) {
        uint64_t slot = live + i * SPREAD % 1024;
        map(fd, file, slot, i * SPREAD % PAGES, live);
        unmap(fd, slot, live);
    }
    uint64_t end = now();
    printf("%.0f %.0f\n", (double)(filled - start) / (live ? live : 1), (double)(end - filled) / count);
    return 0;
}

static int client(const char *path, int count)
{
    int fd = negotiate(path);
    char reply[4096];
    uint32_t *times = malloc(sizeof *times * count);
    struct access read = { { 0, REGION_READ, READ_REQUEST, 0, 0 }, 0, 0, 4, 0 };
    for (int i = 0; i < count; i++) {
        read.header.id = (uint16_t)i;
        uint64_t before = now();
        send_all(fd, &read, READ_REQUEST);
        if (receive(fd, reply, sizeof reply) != READ_REPLY)
            die("REGION_READ");
        times[i] = (uint32_t)(now() - before);
    }

    qsort(times, count, sizeof *times, ascending);
    printf("%u %u\n", times[count / 2], times[(int)(count * 0.99)]);
    return 0;
}

static int listen_once(const char *path)
{
    struct sockaddr_un name = address(path);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&name, sizeof name) || listen(listening, 4))
        die(path);
    puts("listening");
    fflush(stdout);
    return listening;
}

static _Noreturn void send_stream(const char *path, size_t chunk, size_t total)
{
    int listening = listen_once(path);
    char *buffer = malloc(chunk);
    memset(buffer, 1, chunk);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        for (size_t sent = 0; sent < total;) {
            ssize_t count = send(fd, buffer, chunk < total - sent ? chunk : total - sent, MSG_NOSIGNAL);
            if (count <= 0)
                die("send");
            sent += count;
        }
        close(fd);
    }
}

static int take_stream(const char *path, size_t chunk)
{
    struct sockaddr_un name = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char *buffer = malloc(chunk);
    memset(buffer, 1, chunk);
    if (connect(fd, (struct sockaddr *)&name, sizeof name))
        die(path);
    uint64_t start = now(), bytes = 0;
    ssize_t count;
    while ((count = recv(fd, buffer, chunk, MSG_WAITALL)) > 0)
        bytes += count;
    printf("%llu %llu\n", (unsigned long long)bytes, (unsigned long long)(now() - start));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "send"))
        send_stream(argv[2], atoll(argv[3]), atoll(argv[4]));
    if (argc == 4 && !strcmp(argv[1], "take"))
        return take_stream(argv[2], atoll(argv[3]));
    if (argc == 3 && !strcmp(argv[1], "echo"))
        echo(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "client"))
        return client(argv[2], atoi(argv[3]));
    if (argc == 6 && !strcmp(argv[1], "maps"))
        return maps(argv[2], !strcmp(argv[3], "sealed"), atoi(argv[4]), atoi(argv[5]));
    fprintf(stderr, "usage: peer echo PATH | peer client PATH COUNT | peer maps PATH sealed|unsealed LIVE COUNT\n");
    return 2;
}
