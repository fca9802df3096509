/*
 * sync-log.c: preloaded, says "sync" on standard error for each fdatasync that a program makes.
 */
#include <dlfcn.h>
#include <unistd.h>

int fdatasync(int fd)
{
    static const char text[] = "sync\n";
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        return -1;
    }
    return real(fd);
}
