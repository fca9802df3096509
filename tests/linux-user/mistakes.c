/* mistakes.c: calls with more than one mistake, and with one after part of the work: which is reported, and what has been done, is the kernel's affair. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define SAY(expr) (errno = 0, r = (long)(expr), printf("%s: %ld %s\n", #expr, r, r == -1 ? strerrorname_np(errno) : ""))

int main(void)
{
    long r;
    char buf[64] = "0123456789", dir[] = "/tmp/mistakes-XXXXXX", *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (none == MAP_FAILED || !mkdtemp(dir) || chdir(dir)) {
        return 1;
    }
    int file = open("file", O_RDWR | O_CREAT, 0600), sides[2], pipes[2], x = 0;
    socklen_t bad = (socklen_t)-1;
    struct epoll_event ev;
    struct stat st;
    struct flock *lock = (struct flock *)none;
    struct iovec v[2] = { { buf, 4 }, { none, 4 } };
    struct sockaddr_un name = { AF_UNIX, "socket" };

    if (file < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sides) || pipe(pipes)) {
        return 1;
    }
    SAY(getsockopt(file, SOL_SOCKET, SO_TYPE, &x, &bad));
    SAY(getsockopt(99, SOL_SOCKET, SO_TYPE, &x, (socklen_t *)none));
    SAY(getsockopt(sides[0], SOL_SOCKET, SO_TYPE, &x, &bad));
    SAY(getsockname(file, (struct sockaddr *)none, &bad));
    SAY(getsockname(sides[0], NULL, &bad));
    SAY(epoll_wait(99, &ev, -1, 0));
    SAY(epoll_wait(file, &ev, 1, 0));
    SAY(writev(99, v, -1));
    SAY(writev(file, v, -1));
    SAY(readv(99, (struct iovec *)none, 1));
    SAY(readv(file, (struct iovec *)none, 1));
    SAY(fcntl(99, F_SETLK, lock));
    SAY(fcntl(file, F_SETLK, lock));
    SAY(read(99, none, 5));
    SAY(read(pipes[1], none, 5));
    SAY(write(pipes[0], none, 5));
    SAY(rename("nope/a", none));
    SAY(rename(none, "nope/a"));
    SAY(fstatat(AT_FDCWD, none, &st, 0x8000000));
    SAY(inotify_add_watch(99, none, IN_OPEN));
    SAY(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
    SAY(syscall(SYS_sched_getaffinity, -1, 0, buf));
    SAY(readlink(none, buf, 0));

    /* What stands before a bad part is transferred. */
    SAY(writev(file, v, 2));
    SAY(lseek(file, 0, SEEK_CUR));
    SAY(write(pipes[1], "abcdefgh", 8));
    SAY(readv(pipes[0], v, 2));
    printf("%.4s\n", buf);

    /* A connection whose address cannot be told is lost. */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un from;
    SAY(accept(listener, (struct sockaddr *)&from, &bad));
    SAY(bind(listener, (struct sockaddr *)&name, sizeof(name)));
    SAY(listen(listener, 1));
    SAY(accept(listener, (struct sockaddr *)&from, &bad));
    SAY(connect(client, (struct sockaddr *)&name, sizeof(name)));
    SAY(accept(listener, (struct sockaddr *)&from, &bad));
    SAY(accept(listener, NULL, NULL));
    SAY(read(client, buf, 1));

    /* Flags of a received message. */
    struct iovec one = { buf, 8 };
    struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1 };
    SAY(write(sides[0], "hello", 5));
    SAY(recvmsg(sides[1], &m, MSG_CMSG_CLOEXEC));
    printf("%#x\n", (unsigned)m.msg_flags);
    unlink("file");
    unlink("socket");
    chdir("/");
    rmdir(dir);
    return 0;
}
