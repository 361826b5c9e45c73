/* The neutral peers: `peer echo PATH` answers, `peer client PATH COUNT` asks and measures. Plain blocking recvmsg and sendmsg, one of each a message. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct header { uint16_t id, command; uint32_t size, flags, error; };
struct access { struct header header; uint64_t offset; uint32_t region, count; uint32_t data; };
enum { VERSION = 1, REGION_READ = 9, READ_REQUEST = 32, READ_REPLY = 36 };

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

static int client(const char *path, int count)
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

    uint32_t *times = malloc(sizeof *times * count);
    struct timespec before, after;
    struct access read = { { 0, REGION_READ, READ_REQUEST, 0, 0 }, 0, 0, 4, 0 };
    for (int i = 0; i < count; i++) {
        read.header.id = (uint16_t)i;
        clock_gettime(CLOCK_MONOTONIC, &before);
        send_all(fd, &read, READ_REQUEST);
        if (receive(fd, reply, sizeof reply) != READ_REPLY)
            die("REGION_READ");
        clock_gettime(CLOCK_MONOTONIC, &after);
        times[i] = (uint32_t)((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
    }

    qsort(times, count, sizeof *times, ascending);
    printf("%u %u\n", times[count / 2], times[(int)(count * 0.99)]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "echo"))
        echo(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "client"))
        return client(argv[2], atoi(argv[3]));
    fprintf(stderr, "usage: peer echo PATH | peer client PATH COUNT\n");
    return 2;
}
