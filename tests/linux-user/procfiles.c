/* procfiles.c: /proc/self as the program expects it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static char text[1 << 20];

static ssize_t slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = 0, r;
    while (fd >= 0 && (r = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0) {
        n += r;
    }
    text[n] = 0;
    close(fd);
    return n;
}

int main(int argc, char **argv)
{
    char link[4096], path[64];
    ssize_t n = readlink("/proc/self/exe", link, sizeof(link) - 1);
    link[n] = 0;
    printf("exe %d\n", access(link, X_OK) == 0 && strstr(link, "procfiles") != NULL);
    snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
    ssize_t n2 = readlink(path, text, sizeof(text));
    printf("by pid %d\n", n2 == n && !memcmp(text, link, (size_t)n));
    struct stat a, b;
    int both = stat("/proc/self/exe", &a) == 0 && stat(link, &b) == 0;
    printf("stat %d %d\n", both, a.st_ino == b.st_ino);
    int fd = open("/proc/self/exe", O_RDONLY);
    both = fstat(fd, &b) == 0;
    printf("open %d same %d\n", fd >= 0, both && a.st_ino == b.st_ino);
    /* The link of a mapping has the program's addresses, written as the kernel writes them; of a page alone, not beside another of the same file. */
    char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = { "/proc/self/map_files/%lx-%lx", "/proc/self/map_files/0%lx-%lx", "/proc/self/map_files/%lx- %lx" };
        snprintf(path, sizeof(path), names[i], (unsigned long)page, (unsigned long)page + 4096);
        n2 = readlink(path, text, sizeof(text));
        printf("map_files %d\n", n2 == (ssize_t)strlen(link) && !memcmp(text, link, (size_t)n2));
    }
    munmap(page, 4096);
    n = slurp("/proc/self/cmdline");
    printf("cmdline %d args %d\n", !strcmp(text, argv[0]), argc);
    for (ssize_t i = (ssize_t)strlen(text) + 1; i < n; i += (ssize_t)strlen(text + i) + 1) {
        printf("  arg %s\n", text + i);
    }
    slurp("/proc/self/maps");
    char *line = text;
    int here = 0, stack = 0, mapped = 0, exec = 0, heap = 0, outside = 0;
    char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(m + 4096, 4096, PROT_READ);
    void *keep = malloc(10);
    slurp("/proc/self/maps");
    unsigned long last = 0;
    for (char *next; *line; line = next) {
        unsigned long start, end;
        char perms[5];
        next = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line);
        if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3) {
            continue;
        }
        outside += start < last;
        last = end;
        unsigned long pc = (unsigned long)main, sp = (unsigned long)&line;
        if (pc >= start && pc < end) {
            here = perms[2] == 'x' && !strncmp(strchr(line, '/') ? strchr(line, '/') : "", link, strlen(link));
        }
        if (sp >= start && sp < end) {
            stack = perms[1] == 'w' && memmem(line, (size_t)(next - line), "[stack]", 7) != NULL;
        }
        if ((unsigned long)m >= start && (unsigned long)m < end) {
            mapped = perms[1] == 'w';
        }
        exec += perms[2] == 'x';
        heap += memmem(line, (size_t)(next - line), "[heap]", 6) != NULL;
    }
    printf("maps: code %d stack %d mapping %d some code %d heap %d unordered %d\n", here, stack, mapped, exec > 0,
           heap > 0, outside);
    free(keep);
    /* smaps: a locked page is told, with its flag; the amounts are those of the part, not of the whole. */
    int locked = mlock(m, 4096) == 0;
    m[0] = 1;
    slurp("/proc/self/smaps");
    unsigned long at = 0, kb;
    char flags[256];
    for (char *next = line = text; *line; line = next) {
        unsigned long start, end;
        char perms[5];
        next = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line);
        if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) == 3) {
            at = (unsigned long)m >= start && (unsigned long)m < end ? start : 0;
        } else if (at && (sscanf(line, "Size: %lu kB", &kb) == 1 || sscanf(line, "Locked: %lu kB", &kb) == 1)) {
            printf("smaps: %.4s %lu\n", line, kb);
        } else if (at && sscanf(line, "VmFlags: %255[^\n]", flags) == 1) {
            printf("smaps: rd %d wr %d ex %d lo %d\n", strstr(flags, "rd") != NULL, strstr(flags, "wr") != NULL,
                   strstr(flags, "ex") != NULL, strstr(flags, "lo") != NULL);
        }
    }
    printf("smaps: mlock %d\n", locked);
    munlock(m, 4096);
    n = slurp("/proc/self/auxv");
    unsigned long *aux = (unsigned long *)text;
    int ok = 0;
    for (; aux[0]; aux += 2) {
        ok += aux[0] == AT_ENTRY && aux[1] == getauxval(AT_ENTRY);
        ok += aux[0] == AT_RANDOM && aux[1] == getauxval(AT_RANDOM);
    }
    printf("auxv %d\n", ok);
    slurp("/proc/self/stat");
    printf("stat %d %d\n", atoi(text) == getpid(), strstr(text, "(procfiles") != NULL);
    printf("environ %d\n", slurp("/proc/self/environ") > 0);
    printf("comm %d\n", slurp("/proc/self/comm") > 0 && !strncmp(text, "procfiles", 9));
    printf("task %d\n", access("/proc/self/task", R_OK));
    printf("fd %d\n", access("/proc/self/fd/0", F_OK));
    printf("cpuinfo %d\n", slurp("/proc/cpuinfo") > 0 && strstr(text, "processor") != NULL);
    struct utsname u;
    uname(&u);
    printf("uname %s\n", u.sysname);
    return 0;
}
