/* forks.c: fork, vfork and posix_spawn from many threads at once. */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int status_of(pid_t pid)
{
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void *worker(void *arg)
{
    long bad = 0;
    (void)arg;
    for (int i = 0; i < 15; i++) {
        pid_t pid;
        char *args[] = { "true", NULL };
        switch (i % 3) {
        case 0:
            pid = fork();
            if (!pid) {
                free(malloc(1000));
                _exit(5);
            }
            bad += status_of(pid) != 5;
            break;
        case 1:
            bad += posix_spawn(&pid, "/bin/true", NULL, NULL, args, environ) != 0 || status_of(pid) != 0;
            break;
        default:
            pid = vfork();
            if (!pid) {
                _exit(9);
            }
            bad += status_of(pid) != 9;
        }
        for (volatile int k = 0; k < 20000; k++) {
        }
    }
    return (void *)bad;
}

int main(void)
{
    pthread_t t[8];
    long bad = 0;
    for (long i = 0; i < 8; i++) {
        pthread_create(&t[i], NULL, worker, (void *)i);
    }
    for (int i = 0; i < 8; i++) {
        void *r;
        pthread_join(t[i], &r);
        bad += (long)r;
    }
    printf("bad %ld\n", bad);
    return 0;
}
