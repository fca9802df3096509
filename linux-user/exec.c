/*
 * exec.c: execve for the guest.
 *
 * Programs of a guest architecture run in ourselves: /proc/self/exe is executed again with the options that were
 * given to us, so "bash -c 'a | b'" works whether or not binfmt_misc knows us. Scripts are followed to their
 * interpreter in the same way. Everything else (host programs, foreign architectures) is the kernel's business.
 * Without /proc (a bare chroot) our own file's name is tried, then the plain execve, which needs a binfmt_misc
 * registration with flag F.
 *
 * Set-user-id and set-group-id programs are the kernel's as well when binfmt_misc started us with flag C (or O, where
 * it makes no difference): only it can give their privileges. Without such a registration they get none.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "accel/tcg-persist.h"
#include "linux-user/syscall/syscall.h"

enum { MAX_SCRIPT_DEPTH = 5, HEADER_BYTES = 256 };

/* Splits "#!interpreter argument" as Linux does (one argument). False: ENOEXEC. */
static bool parse_script(char *line, char **ret_interp, char **ret_arg)
{
    char *end = memchr(line, '\n', HEADER_BYTES - 1);
    if (end) {
        *end = 0;
    } else {
        line[HEADER_BYTES - 1] = 0;
    }
    char *p = line + 2 + strspn(line + 2, " \t");
    size_t n = strlen(p);
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) {
        p[--n] = 0;
    }
    if (!n) {
        return false;
    }
    *ret_interp = p;
    p += strcspn(p, " \t");
    *ret_arg = NULL;
    if (*p) {
        *p++ = 0;
        *ret_arg = p + strspn(p, " \t");
    }
    return true;
}

static int64_t host_execve(Thread *t, const char *path, char **argv, char **envp)
{
    if (!t->vfork_child) {
        tcg_persist_save(t->vcpu);
    }
    signal_before_exec(t);
    int64_t r = SAFE_SYSCALL(t, SYS_execve, path, argv, envp);
    signal_exec_failed(t);
    return r;
}

/* Our own file by the name it was started with. Under binfmt_misc that is the guest program's. */
static bool is_host_file(const char *path)
{
    uint8_t header[64];
    if (!path || path[0] != '/') {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, header, sizeof(header));
    if (fd >= 0) {
        close(fd);
    }
    const Abi *abi = n == sizeof(header) ? elf_identify(header, sizeof(header)) : NULL;
    return n == sizeof(header) && !memcmp(header, ELFMAG, SELFMAG) && (!abi || host_runs(abi));
}

/* The kernel looks at nosuid and no_new_privs itself. */
static bool has_ids_of_its_own(const struct stat *st)
{
    return (st->st_mode & S_ISUID) || (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

static int64_t exec_ourselves(Thread *t, const Abi *abi, const char *path, int fd, char **argv, char **envp)
{
    VEC(char *) args = { 0 };
    char name[32], fd_text[16], ignored_text[24];
    snprintf(name, sizeof(name), "qemu-%s", abi->target);
    *vec_push(&args) = name;
    for (char **o = user.exec_args; *o; o++) {
        *vec_push(&args) = *o;
    }
    uint64_t ignored = signal_ignored_faults(t);
    if (user.kernel_sets_ids) {
        *vec_push(&args) = (char *)"-execids";
    }
    if (ignored) {
        snprintf(ignored_text, sizeof(ignored_text), "%#" PRIx64, ignored);
        *vec_push(&args) = (char *)"-execignored";
        *vec_push(&args) = ignored_text;
    }
    int kept = -1;
    if (fd >= 0) {
        /* The descriptor may be close-on-exec; the new program must get at the file all the same. */
        kept = dup(fd);
        snprintf(fd_text, sizeof(fd_text), "%d", kept);
        *vec_push(&args) = (char *)"-execfd";
        *vec_push(&args) = fd_text;
    }
    *vec_push(&args) = (char *)"-0";
    *vec_push(&args) = argv[0] ? argv[0] : (char *)"";
    *vec_push(&args) = (char *)"--";
    *vec_push(&args) = (char *)path;
    for (char **p = argv[0] ? argv + 1 : argv; *p; p++) {
        *vec_push(&args) = *p;
    }
    *vec_push(&args) = NULL;
    int64_t r = host_execve(t, "/proc/self/exe", args.at, envp);
    if (r == -ENOENT || r == -EACCES || r == -ELOOP || r == -ENOTDIR) {
        const char *own = user.own_path;
        r = is_host_file(own) ? host_execve(t, own, args.at, envp) : host_execve(t, path, argv, envp);
    }
    vec_free(&args);
    if (kept >= 0) {
        close(kept);
    }
    return r;
}

int64_t user_execve(Thread *t, const char *path, char **argv, char **envp, int execfd)
{
    char header[HEADER_BYTES + 1], under_prefix[USER_PATH_MAX];
    const char *file = proc_is_self_exe(path) ? user.exe_path : path;
    const char *original = file;
    /* Our own strings for what scripts put in front of the arguments. */
    VEC(char *) front = { 0 };
    char *owned[3 * MAX_SCRIPT_DEPTH];
    unsigned n_owned = 0;
    bool first = true;
    int64_t r = -ELOOP;

    for (unsigned depth = 0; depth <= MAX_SCRIPT_DEPTH; depth++) {
        struct stat st;
        if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
            r = -EACCES; /* before a FIFO is opened, which would wait */
            break;
        }
        int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) {
            /* Not readable may still be executable, and the kernel knows the right error. */
            r = errno == EACCES && first ? host_execve(t, file, argv, envp) : -errno;
            break;
        }
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) < 0) {
            close(fd);
            r = -EACCES;
            break;
        }
        memset(header, 0, sizeof(header));
        ssize_t n = pread(fd, header, HEADER_BYTES, 0);
        close(fd);
        const Abi *abi = n > 0 ? elf_identify((const uint8_t *)header, (size_t)n) : NULL;
        /* What the host can run it does, unless we are here to run just that. */
        if (abi && (!host_runs(abi) || host_runs(user.abi))) {
            if (first && user.kernel_sets_ids && has_ids_of_its_own(&st)) {
                r = host_execve(t, file, argv, envp);
                if (r != -ENOEXEC) { /* the registration is not there where this program has gone */
                    break;
                }
            }
            if (first) {
                r = exec_ourselves(t, abi, file, execfd, argv, envp);
            } else {
                VEC(char *) all = { 0 };
                for (size_t i = front.n; i-- > 0;) {
                    *vec_push(&all) = front.at[i];
                }
                for (char **p = argv[0] ? argv + 1 : argv; *p; p++) {
                    *vec_push(&all) = *p;
                }
                *vec_push(&all) = NULL;
                r = exec_ourselves(t, abi, file, -1, all.at, envp);
                vec_free(&all);
            }
            break;
        }
        if (n < 2 || header[0] != '#' || header[1] != '!') {
            /* A host program, perhaps as the interpreter of a script: the kernel does all of it. */
            r = host_execve(t, original, argv, envp);
            break;
        }
        char *interp, *arg;
        if (!parse_script(header, &interp, &arg)) {
            r = -ENOEXEC;
            break;
        }
        if (depth == MAX_SCRIPT_DEPTH) {
            break;
        }
        /* front is kept in reverse: script name, argument, interpreter; the next level's script is the interpreter,
         * whose place is taken by the resolved file name's argv[0]. */
        if (first) {
            *vec_push(&front) = owned[n_owned++] = xstrdup(path);
        }
        if (arg) {
            *vec_push(&front) = owned[n_owned++] = xstrdup(arg);
        }
        *vec_push(&front) = owned[n_owned++] = xstrdup(interp);
        interp = owned[n_owned - 1];
        const char *resolved = path_resolve(interp, under_prefix);
        file = resolved;
        first = false;
    }
    for (unsigned i = 0; i < n_owned; i++) {
        free(owned[i]);
    }
    vec_free(&front);
    return r;
}
