/* filelimit.c: a limit on the size of files is about the guest's files: processes are made and programs started under it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%s: %s %d\n", what, WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        pid_t pid = fork();
        if (!pid) {
            _exit(4);
        }
        say("fork of the second program", pid);
        return 5;
    }
    struct rlimit rl = { 4096, 4096 };
    printf("limit %d\n", setrlimit(RLIMIT_FSIZE, &rl));
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        _exit(3);
    }
    say("fork", pid);
    pid = vfork();
    if (!pid) {
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        _exit(errno);
    }
    say("exec", pid);
    /* The limit is there. */
    pid = fork();
    if (!pid) {
        FILE *f = tmpfile();
        static char text[8192];
        signal(SIGXFSZ, SIG_IGN);
        _exit(f && write(fileno(f), text, sizeof(text)) == 4096 && write(fileno(f), text, 1) < 0 && errno == EFBIG ? 7 : 1);
    }
    say("too long", pid);
    return 0;
}
