/* files.c: files, directories, links, locks, vectors, poll, epoll, eventfd, timerfd, inotify, sockets. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SAY(expr) (errno = 0, r = (long)(expr), printf("%s: %ld %s\n", #expr, r, r == -1 ? strerrorname_np(errno) : ""))

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
    long r;
    char dir[] = "/tmp/files-XXXXXX", buf[256] = "";
    if (!mkdtemp(dir) || chdir(dir)) {
        return 1;
    }
    int fd = open("a", O_CREAT | O_RDWR | O_EXCL, 0640);
    SAY(open("a", O_CREAT | O_RDWR | O_EXCL, 0640));
    struct iovec iov[2] = { { "hello ", 6 }, { "world", 5 } };
    SAY(writev(fd, iov, 2));
    SAY(pwritev(fd, iov, 2, 100));
    SAY(lseek(fd, 0, SEEK_END));
    char x[7] = "", y[6] = "";
    struct iovec in[2] = { { x, 6 }, { y, 5 } };
    SAY(preadv(fd, in, 2, 100));
    printf("%s|%s\n", x, y);
    struct stat st;
    SAY(fstat(fd, &st));
    printf("size %ld mode %o links %d\n", (long)st.st_size, st.st_mode, (int)st.st_nlink);
    SAY(fchmod(fd, 0600));
    SAY(stat("a", &st));
    printf("mode %o reg %d\n", st.st_mode, S_ISREG(st.st_mode));
    struct statx stx;
    SAY(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &stx));
    printf("statx %lu %o\n", (unsigned long)stx.stx_size, stx.stx_mode);
    SAY(symlink("a", "b"));
    SAY(lstat("b", &st));
    printf("link %d\n", S_ISLNK(st.st_mode));
    SAY(readlink("b", buf, sizeof(buf)));
    SAY(link("a", "c"));
    SAY(mkdir("d", 0700));
    SAY(mkdir("d", 0700));
    SAY(rename("c", "d/e"));
    SAY(rmdir("d"));
    SAY(access("d/e", R_OK));
    SAY(truncate("d/e", 5));
    SAY(unlink("nothing"));
    char *names[16];
    int n = 0;
    DIR *d = opendir(".");
    struct dirent *e;
    while ((e = readdir(d)) && n < 16) {
        names[n++] = strdup(e->d_name);
    }
    closedir(d);
    qsort(names, (size_t)n, sizeof(names[0]), compare);
    for (int i = 0; i < n; i++) {
        printf("entry %s\n", names[i]);
    }
    SAY(getcwd(buf, sizeof(buf)) != NULL);
    SAY(getcwd(buf, 3) != NULL);
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
    SAY(fcntl(fd, F_SETLK, &fl));
    SAY(fcntl(fd, F_GETLK, &fl));
    printf("lock type %d\n", fl.l_type == F_UNLCK);
    SAY(flock(fd, LOCK_EX | LOCK_NB));
    struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
    SAY(futimens(fd, times));
    SAY(fstat(fd, &st));
    printf("times %ld %ld %ld\n", (long)st.st_atim.tv_sec, (long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    struct statfs sf;
    SAY(statfs("/", &sf));
    printf("block size %d\n", sf.f_bsize > 0 && sf.f_namelen > 0);
    SAY(posix_fallocate(fd, 0, 8192));
    off_t off = 0;
    int out = open("copy", O_CREAT | O_RDWR, 0600);
    SAY(sendfile(out, fd, &off, 5));
    printf("offset %ld\n", (long)off);
    SAY(copy_file_range(fd, NULL, out, NULL, 0, 0));

    int p[2];
    SAY(pipe2(p, O_CLOEXEC));
    struct pollfd pfd[2] = { { p[0], POLLIN, 0 }, { p[1], POLLOUT, 0 } };
    SAY(poll(pfd, 2, 0));
    printf("revents %d %d\n", pfd[0].revents, pfd[1].revents);
    SAY(write(p[1], "abc", 3));
    int avail = 0;
    SAY(ioctl(p[0], FIONREAD, &avail));
    printf("avail %d\n", avail);
    fd_set rs;
    FD_ZERO(&rs);
    FD_SET(p[0], &rs);
    struct timeval tv = { 0, 1000 };
    SAY(select(p[0] + 1, &rs, NULL, NULL, &tv));
    printf("set %d\n", FD_ISSET(p[0], &rs));
    int ep = epoll_create1(0);
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x123456789abcdefull }, evs[4];
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    SAY(epoll_wait(ep, evs, 4, 100));
    printf("event %x %llx\n", evs[0].events, (unsigned long long)evs[0].data.u64);
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
    SAY(epoll_wait(ep, evs, 4, 5));
    SAY(epoll_wait(ep, evs, 0, 5));
    int ef = eventfd(3, EFD_NONBLOCK);
    unsigned long long v = 4;
    SAY(write(ef, &v, 8));
    SAY(read(ef, &v, 8));
    printf("eventfd %llu\n", v);
    SAY(read(ef, &v, 8));
    int tf = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec its = { .it_value = { 0, 5000000 } };
    SAY(timerfd_settime(tf, 0, &its, NULL));
    SAY(read(tf, &v, 8));
    printf("expired %llu\n", v);
    int in_fd = inotify_init1(IN_NONBLOCK);
    SAY(inotify_add_watch(in_fd, ".", IN_CREATE) > 0);
    close(open("watched", O_CREAT | O_WRONLY, 0600));
    struct inotify_event *ie = (struct inotify_event *)buf;
    SAY(read(in_fd, buf, sizeof(buf)) > 0);
    printf("inotify %s\n", ie->name);

    int sv[2];
    SAY(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    char control[CMSG_SPACE(sizeof(int))] = "", data[4] = "fd!";
    struct iovec io = { data, 4 };
    struct msghdr mh = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &p[0], sizeof(int));
    SAY(sendmsg(sv[0], &mh, 0));
    memset(control, 0, sizeof(control));
    memset(data, 0, 4);
    SAY(recvmsg(sv[1], &mh, 0));
    int got = -1;
    c = CMSG_FIRSTHDR(&mh);
    if (c) {
        memcpy(&got, CMSG_DATA(c), sizeof(int));
    }
    printf("%s passed %d type %d\n", data, got >= 0, c ? c->cmsg_type : -1);
    SAY(read(got, buf, 3));
    int ls = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sa);
    SAY(bind(ls, (struct sockaddr *)&sa, sizeof(sa)));
    SAY(listen(ls, 4));
    SAY(getsockname(ls, (struct sockaddr *)&sa, &len));
    int cs = socket(AF_INET, SOCK_STREAM, 0);
    SAY(connect(cs, (struct sockaddr *)&sa, sizeof(sa)));
    struct sockaddr_in peer;
    len = sizeof(peer);
    int as = accept4(ls, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
    printf("accepted %d family %d len %d\n", as >= 0, peer.sin_family, len);
    SAY(send(cs, "over tcp", 8, 0));
    memset(buf, 0, sizeof(buf));
    SAY(recv(as, buf, sizeof(buf), 0));
    printf("%s\n", buf);
    int one = 0;
    len = sizeof(one);
    SAY(getsockopt(cs, SOL_SOCKET, SO_TYPE, &one, &len));
    printf("type %d\n", one);
    struct timeval to = { 0, 20000 };
    SAY(setsockopt(cs, SOL_SOCKET, SO_RCVTIMEO, &to, sizeof(to)));
    SAY(recv(cs, buf, 1, 0));
    struct ifreq ifr = { .ifr_name = "lo" };
    SAY(ioctl(cs, SIOCGIFFLAGS, &ifr));
    printf("lo up %d\n", ifr.ifr_flags & IFF_LOOPBACK ? 1 : 0);
    struct termios tio;
    SAY(tcgetattr(p[0], &tio));
    int pt = posix_openpt(O_RDWR | O_NOCTTY);
    if (pt >= 0) {
        SAY(grantpt(pt));
        SAY(unlockpt(pt));
        SAY(tcgetattr(pt, &tio));
        struct winsize ws = { 24, 80, 0, 0 };
        SAY(ioctl(pt, TIOCSWINSZ, &ws));
        memset(&ws, 0, sizeof(ws));
        SAY(ioctl(pt, TIOCGWINSZ, &ws));
        printf("window %d %d\n", ws.ws_row, ws.ws_col);
    }
    int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    struct { long type; char text[16]; } msg = { 3, "message" };
    SAY(msgsnd(q, &msg, 8, 0));
    msg.type = 0;
    SAY(msgrcv(q, &msg, 16, 3, 0));
    printf("%ld %s\n", msg.type, msg.text);
    struct msqid_ds mq;
    SAY(msgctl(q, IPC_STAT, &mq));
    printf("messages %ld\n", (long)mq.msg_qnum);
    SAY(msgctl(q, IPC_RMID, NULL));
    int s = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
    struct sembuf op = { 1, 2, 0 };
    SAY(semop(s, &op, 1));
    SAY(semtimedop(s, &(struct sembuf){ 1, -1, 0 }, 1, &(struct timespec){ 0, 1 }));
    SAY(semctl(s, 1, GETVAL));
    struct semid_ds sd;
    SAY(semctl(s, 0, IPC_STAT, &sd));
    printf("sems %ld\n", (long)sd.sem_nsems);
    unsigned short all[2] = { 9, 9 };
    SAY(semctl(s, 0, GETALL, all));
    printf("%d %d\n", all[0], all[1]);
    SAY(semctl(s, 0, IPC_RMID));
    snprintf(buf, sizeof(buf), "rm -rf %s", dir);
    return chdir("/") || system(buf);
}
