/*
 * proc-files.c: files under /proc that would show the emulator instead of the guest program.
 *
 * /proc/{self,thread-self,PID}[/task/TID]/{exe,maps,smaps,stat,auxv,cmdline,environ} and /proc/cpuinfo are made up into a
 * memfd when they are opened for reading. What is not listed is the host's own, which is right for fd, status, comm, …
 * Leaves out: other processes that run under an emulator, openat relative to a descriptor of /proc.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

/* "/proc/self/x", "/proc/123/task/125/x" of this process -> "x"; NULL: something else. */
static const char *own_file(const char *path)
{
    if (strncmp(path, "/proc/", 6)) {
        return NULL;
    }
    const char *p = path + 6;
    if (!strncmp(p, "self/", 5)) {
        p += 5;
    } else if (!strncmp(p, "thread-self/", 12)) {
        p += 12;
    } else {
        char *end;
        if (*p < '1' || *p > '9' || strtol(p, &end, 10) != getpid() || *end != '/') {
            return NULL;
        }
        p = end + 1;
    }
    if (!strncmp(p, "task/", 5)) {
        p += 5;
        p += strspn(p, "0123456789");
        if (*p++ != '/') {
            return NULL;
        }
    }
    return p;
}

bool proc_is_self_exe(const char *path)
{
    const char *name = own_file(path);
    return name && !strcmp(name, "exe");
}

int64_t proc_readlink(int dirfd, const char *path, char *dst)
{
    (void)dirfd;
    if (!proc_is_self_exe(path)) {
        return -ENOSYS;
    }
    size_t n = MIN(strlen(user.exe_path), (size_t)USER_PATH_MAX);
    memcpy(dst, user.exe_path, n);
    return (int64_t)n;
}

/* The host's map, for file names and offsets, cut to the guest's window and with the guest's protections. */
static void write_maps(FILE *out, bool details)
{
    size_t n;
    Vma *v = mm_snapshot(&n);
    FILE *in = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    while (in && getline(&line, &room, in) > 0) {
        uintptr_t start, end;
        char perms[8], dev[16];
        unsigned long long offset, inode;
        int name_at = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %llx %15s %llu %n", &start, &end, perms, &offset, dev, &inode,
                   &name_at) < 6 || start < mm.guest_base || start - mm.guest_base >= mm.task_size) {
            continue;
        }
        char *name = name_at ? line + name_at : (char *)"\n";
        name[strcspn(name, "\n")] = 0;
        vaddr g = start - mm.guest_base, g_end = end - mm.guest_base;
        for (size_t i = 0; i < n; i++) {
            vaddr a = MAX(g, v[i].start), b = MIN(g_end, v[i].end);
            if (a >= b) {
                continue;
            }
            const char *label = inode || *name == '/' ? name : v[i].flags & VMA_HEAP ? "[heap]"
                                : v[i].flags & VMA_STACK && v[i].prot ? "[stack]" : v[i].flags & VMA_VDSO ? "[vdso]" : "";
            int chars = fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08llx %s %llu", a, b,
                                v[i].prot & PAGE_READ ? 'r' : '-', v[i].prot & PAGE_WRITE ? 'w' : '-',
                                v[i].prot & PAGE_EXEC ? 'x' : '-', v[i].flags & VMA_SHARED ? 's' : 'p',
                                *name || inode ? offset + (a - g) : 0, dev, inode);
            if (*label) {
                fprintf(out, "%*s%s", MAX(73 - chars, 1), "", label);
            }
            fputc('\n', out);
            if (details) {
                fprintf(out, "Size:           %8" PRIu64 " kB\nKernelPageSize: %8" PRIu64 " kB\n"
                        "MMUPageSize:    %8" PRIu64 " kB\nRss:            %8" PRIu64 " kB\n", (b - a) >> 10,
                        mm.page_bytes >> 10, mm.page_bytes >> 10, (uint64_t)0);
            }
        }
    }
    free(line);
    if (in) {
        fclose(in);
    }
    free(v);
}

/* The host's line with the addresses of the guest: fields 26-28 (proc(5)). */
static void write_stat(FILE *out, const char *path)
{
    char text[2048];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return;
    }
    text[n] = 0;
    char *p = strrchr(text, ')');
    if (!p) {
        return;
    }
    *p++ = 0;
    fprintf(out, "%s)", text);
    unsigned field = 3;
    char *save = NULL;
    for (char *word = strtok_r(p, " \n", &save); word; word = strtok_r(NULL, " \n", &save), field++) {
        switch (field) {
        case 26: fprintf(out, " %" PRIu64, user.entry); break;
        case 27: fprintf(out, " %" PRIu64, mm.brk_start); break;
        case 28: fprintf(out, " %" PRIu64, user.stack_start); break;
        case 45: fprintf(out, " %" PRIu64, user.entry); break;
        case 46: fprintf(out, " %" PRIu64, mm.brk_start); break;
        case 47: fprintf(out, " %" PRIu64, mm.brk_start); break;
        case 48: fprintf(out, " %" PRIu64, user.arg_start); break;
        case 49: fprintf(out, " %" PRIu64, user.arg_end); break;
        case 50: fprintf(out, " %" PRIu64, user.env_start); break;
        case 51: fprintf(out, " %" PRIu64, user.env_end); break;
        default: fprintf(out, " %s", word);
        }
    }
    fputc('\n', out);
}

static void write_guest(FILE *out, vaddr start, vaddr end)
{
    uint8_t buf[4096];
    while (start < end) {
        size_t n = MIN(end - start, sizeof(buf));
        if (!copy_from_guest(buf, start, n)) {
            return;
        }
        fwrite(buf, 1, n, out);
        start += n;
    }
}

int64_t proc_open(Thread *t, int dirfd, const char *path, int flags)
{
    (void)dirfd;
    if (strncmp(path, "/proc/", 6)) {
        return -ENOSYS;
    }
    const char *name = own_file(path);
    bool cpuinfo = !strcmp(path, "/proc/cpuinfo");
    if (name && !strcmp(name, "exe")) {
        return SAFE_SYSCALL(t, SYS_openat, AT_FDCWD, user.exe_path, flags, 0);
    }
    static const char *const made_up[] = { "maps", "smaps", "stat", "auxv", "cmdline", "environ" };
    bool ours = cpuinfo;
    for (size_t i = 0; name && i < ARRAY_SIZE(made_up); i++) {
        ours |= !strcmp(name, made_up[i]);
    }
    if (!ours || (flags & O_ACCMODE) != O_RDONLY || flags & O_PATH) {
        return -ENOSYS;
    }
    /* Where the host has no such file (hidden, or /proc not mounted) there is none here. */
    int host = open(path, flags & ~(O_TRUNC | O_CREAT) & ~O_NOCTTY, 0);
    if (host < 0) {
        return -errno;
    }
    close(host);
    int fd = (int)syscall(SYS_memfd_create, path + 6, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0) {
        return -errno;
    }
    int copy = dup(fd);
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (!out) {
        close(fd);
        return -ENOMEM;
    }
    if (cpuinfo) {
        t->abi->proc_cpuinfo(t, out);
    } else if (!strcmp(name, "maps") || !strcmp(name, "smaps")) {
        write_maps(out, name[0] == 's');
    } else if (!strcmp(name, "stat")) {
        write_stat(out, path);
    } else if (!strcmp(name, "auxv")) {
        write_guest(out, user.auxv, user.auxv_end);
    } else if (!strcmp(name, "cmdline")) {
        write_guest(out, user.arg_start, user.arg_end);
    } else {
        write_guest(out, user.env_start, user.env_end);
    }
    fclose(out);
    lseek(fd, 0, SEEK_SET);
    return fd;
}
