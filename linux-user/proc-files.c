/*
 * proc-files.c: files under /proc that would show the emulator instead of the guest program.
 *
 * /proc/{self,thread-self,PID}[/task/TID]/{exe,maps,smaps,stat,auxv,cmdline,environ} and /proc/cpuinfo are made up into a
 * memfd when they are opened for reading; links in map_files are found by the guest's addresses. What is not listed is the host's own, which is right
 * for fd, status, comm, …
 * Leaves out: other processes that run under an emulator, openat relative to a descriptor of /proc, what readdir says about map_files.
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

/* "map_files/START-END" of this process, as the kernel writes numbers, with the host's addresses; false: nothing of the kind. */
static bool map_file_path(const char *path, char out[64])
{
    const char *name = own_file(path);
    vaddr start, end;
    if (!name || strncmp(name, "map_files/", 10) || sscanf(name + 10, "%" SCNx64 "-%" SCNx64, &start, &end) != 2) {
        return false;
    }
    snprintf(out, 64, "%" PRIx64 "-%" PRIx64, start, end);
    if (strcmp(out, name + 10)) {
        return false;
    }
    snprintf(out, 64, "/proc/self/map_files/%" PRIx64 "-%" PRIx64, start + mm.guest_base, end + mm.guest_base);
    return true;
}

int64_t proc_readlink(int dirfd, const char *path, char *dst)
{
    char mapped[64];
    (void)dirfd;
    if (map_file_path(path, mapped)) {
        return syscall_result(readlink(mapped, dst, USER_PATH_MAX));
    }
    if (!proc_is_self_exe(path)) {
        return -ENOSYS;
    }
    size_t n = MIN(strlen(user.exe_path), (size_t)USER_PATH_MAX);
    memcpy(dst, user.exe_path, n);
    return (int64_t)n;
}

/* One line of the host's smaps for a part of its mapping: amounts cannot exceed the part, protections are the guest's. */
static void write_detail(FILE *out, const char *line, uint64_t part_kb, int prot)
{
    char name[32], rest[512];
    if (sscanf(line, "%31[^:]:%511[^\n]", name, rest) != 2) {
        return;
    }
    if (!strcmp(name, "Size") || !strcmp(name, "KernelPageSize") || !strcmp(name, "MMUPageSize")) {
        fprintf(out, "%-15s %8" PRIu64 " kB\n", line[0] == 'S' ? "Size:" : line[0] == 'K' ? "KernelPageSize:" : "MMUPageSize:",
                line[0] == 'S' ? part_kb : mm.page_bytes >> 10);
        return;
    }
    if (!strcmp(name, "VmFlags")) {
        fprintf(out, "VmFlags:%s%s%s", prot & PAGE_READ ? " rd" : "", prot & PAGE_WRITE ? " wr" : "",
                prot & PAGE_EXEC ? " ex" : "");
        char *save = NULL;
        for (char *flag = strtok_r(rest, " ", &save); flag; flag = strtok_r(NULL, " ", &save)) {
            if (strcmp(flag, "rd") && strcmp(flag, "wr") && strcmp(flag, "ex")) {
                fprintf(out, " %s", flag);
            }
        }
        fprintf(out, " \n");
        return;
    }
    uint64_t kb;
    if (sscanf(rest, "%" SCNu64 " kB", &kb) == 1 && strstr(rest, "kB")) {
        fprintf(out, "%s:%*s%" PRIu64 " kB\n", name, 1, "", MIN(kb, part_kb));
    } else {
        fprintf(out, "%s:%s\n", name, rest);
    }
}

/* A line "start-end perms offset dev inode name" of the host's map. */
typedef struct HostMapping {
    uintptr_t start, end;
    unsigned long long offset, inode;
    char dev[16], *name;
} HostMapping;

/* False: not such a line (smaps has others), or not of the guest's window. `m->name` points into the line. */
static bool parse_mapping(char *line, HostMapping *m, bool *ret_is_header)
{
    char perms[8];
    int name_at = 0;
    *ret_is_header = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %llx %15s %llu %n", &m->start, &m->end, perms, &m->offset,
                            m->dev, &m->inode, &name_at) == 6;
    if (!*ret_is_header || m->start < mm.guest_base || !mm_inside(m->start - mm.guest_base, 1)) {
        return false;
    }
    m->name = name_at ? line + name_at : (char *)"\n";
    m->name[strcspn(m->name, "\n")] = 0;
    return true;
}

/* `n_details` lines of smaps belong to the mapping; maps has none. */
static void write_mapping(FILE *out, const HostMapping *m, const Vma *v, size_t n, char **details, size_t n_details)
{
    vaddr g = m->start - mm.guest_base, g_end = m->end - mm.guest_base;
    for (size_t i = 0; i < n; i++) {
        vaddr a = MAX(g, v[i].start), b = MIN(g_end, v[i].end);
        if (a >= b) {
            continue;
        }
        const char *label = m->inode || *m->name == '/' ? m->name : v[i].flags & VMA_HEAP ? "[heap]"
                            : v[i].flags & VMA_STACK && v[i].prot ? "[stack]" : v[i].flags & VMA_VDSO ? "[vdso]" : "";
        int chars = fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08llx %s %llu", a, b,
                            v[i].prot & PAGE_READ ? 'r' : '-', v[i].prot & PAGE_WRITE ? 'w' : '-',
                            v[i].prot & PAGE_EXEC ? 'x' : '-', v[i].flags & VMA_SHARED ? 's' : 'p',
                            *m->name || m->inode ? m->offset + (a - g) : 0, m->dev, m->inode);
        if (*label) {
            fprintf(out, "%*s%s", MAX(73 - chars, 1), "", label);
        }
        fputc('\n', out);
        for (size_t k = 0; k < n_details; k++) {
            write_detail(out, details[k], (b - a) >> 10, v[i].prot);
        }
    }
}

/* The host's map, for file names, offsets and amounts, cut to the guest's window and with the guest's protections. */
static void write_maps(FILE *out, bool smaps)
{
    size_t n, room = 0;
    Vma *v = mm_snapshot(&n);
    FILE *in = fopen(smaps ? "/proc/self/smaps" : "/proc/self/maps", "re");
    VEC(char *) details = { 0 };
    char *line = NULL, *header = NULL;
    HostMapping current, next;
    for (;;) {
        bool more = in && getline(&line, &room, in) > 0, is_header = !more;
        bool ours = more && parse_mapping(line, &next, &is_header);
        if (!is_header) {
            *vec_push(&details) = xstrdup(line);
            continue;
        }
        if (header) {
            write_mapping(out, &current, v, n, details.at, details.n);
        }
        for (size_t k = 0; k < details.n; k++) {
            free(details.at[k]);
        }
        details.n = 0;
        free(header);
        header = NULL;
        if (ours) { /* the line is kept: the name is in it */
            header = line;
            current = next;
            line = NULL;
            room = 0;
        }
        if (!more) {
            break;
        }
    }
    if (user.abi->vsyscall_page && !smaps) {
        fprintf(out, "%" PRIx64 "-%" PRIx64 " --xp 00000000 00:00 0                  [vsyscall]\n", user.abi->vsyscall_page,
                user.abi->vsyscall_page + 4096);
    }
    vec_free(&details);
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
    char mapped[64];
    if (map_file_path(path, mapped)) {
        return SAFE_SYSCALL(t, SYS_openat, AT_FDCWD, mapped, flags, 0);
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
