/*
 * main.c: start of the user-mode runner: which target, which program, memory, first thread.
 *
 * The target is chosen by our own name: qemu-riscv64, qemu-riscv64-static, riscv64-binfmt-P… (also through the links the
 * build installs). Started by binfmt_misc with flag P, argv is { interpreter, path, argv[0], … } and AT_FLAGS has
 * bit 0 set; with flag O an open descriptor of the program comes in AT_EXECFD.
 */
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "accel/tcg-persist.h"
#include "gdbstub/gdbstub.h"
#include "linux-user/options.h"

#ifndef AT_EXECFD
#define AT_EXECFD 2
#endif
#ifndef AT_FLAGS_PRESERVE_ARGV0
#define AT_FLAGS_PRESERVE_ARGV0 1
#endif

User user = { .exe_fd = -1 };

/* "…/qemu-riscv64-static" -> the riscv64 ABI. */
static const Abi *abi_of_program(const char *argv0)
{
    const char *base = strrchr(argv0, '/');
    base = base ? base + 1 : argv0;
    if (!strncmp(base, "qemu-", 5)) {
        base += 5;
    }
    size_t len = strcspn(base, "-.");
    char name[32];
    if (len >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, base, len);
    name[len] = 0;
    return abi_find(name);
}

static int open_program(const char *path)
{
    int fd = user.exe_fd >= 0 ? user.exe_fd : (int)getauxval(AT_EXECFD);
    errno = 0;
    if (fd > 0 && fcntl(fd, F_GETFD) >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        return fd;
    }
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Absolute, without links: what /proc/self/exe shows. Works without /proc for absolute paths. */
static char *resolve_exe(int fd, const char *path)
{
    char link[64], target[USER_PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n > 0 && target[0] == '/') {
        target[n] = 0;
        return xstrdup(target);
    }
    char *real = realpath(path, NULL);
    return real ? real : xstrdup(path);
}

/* Executed as /proc/self/exe by ourselves, the link says more than the name, and only now: /proc may go away. */
static const char *find_own_path(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);
    if (path && !strncmp(path, "/proc/", 6)) {
        char target[USER_PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = 0;
            return xstrdup(target);
        }
    }
    return path;
}

static int open_for_debugger(Vcpu *vcpu, const char *path)
{
    char under_prefix[USER_PATH_MAX];
    const char *p = proc_is_self_exe(path) ? user.exe_path : path_resolve(path, under_prefix);
    int64_t r = proc_open(vcpu->opaque, AT_FDCWD, p, O_RDONLY | O_CLOEXEC);
    if (r == -ENOSYS) {
        return open(p, O_RDONLY | O_CLOEXEC);
    }
    errno = r < 0 ? (int)-r : 0;
    return r < 0 ? -1 : (int)r;
}

static ssize_t read_link_for_debugger(const char *path, char *out, size_t size)
{
    char text[USER_PATH_MAX];
    int64_t n = proc_readlink(AT_FDCWD, path, text);
    if (n == -ENOSYS) {
        return readlink(path, out, size);
    }
    n = MIN(n, (int64_t)size);
    memcpy(out, text, (size_t)n);
    return n;
}

int main(int argc, char **argv)
{
    const char *base = argc ? strrchr(argv[0], '/') : NULL;
    user.program = base ? base + 1 : argc ? argv[0] : "qemu-user";
    error_set_program(user.program);
    user.abi = argc ? abi_of_program(argv[0]) : NULL;
    if (!user.abi && argc > 2 && !strcmp(argv[1], "-target")) {
        user.abi = abi_find(argv[2]);
        if (!user.abi) {
            error_exit("-target: no user-mode target '%s'", argv[2]);
        }
        argv[2] = argv[0];
        argv += 2;
        argc -= 2;
    }
    if (!user.abi) {
        error_exit("the name '%s' says no target: start it as qemu-ARCH, as in qemu-riscv64", user.program);
    }
    user.target = target_find(user.abi->target);
    if (!user.target) {
        error_exit("target '%s' is not built in", user.abi->target);
    }
    user.own_path = find_own_path();
    user.kernel_sets_ids = getauxval(AT_EXECFD) > 0;
    UserCommand cmd;
    if ((getauxval(AT_FLAGS) & AT_FLAGS_PRESERVE_ARGV0) && argc > 2) {
        /* binfmt_misc's P: the program's own argv[0] follows its path. */
        user.options.argv0 = argv[2];
        char *path = argv[1];
        argv[2] = path;
        argv[1] = "--";
        options_parse(argc, argv, &cmd);
    } else {
        options_parse(argc, argv, &cmd);
    }

    static char default_prefix[64];
    if (!user.options.prefix) {
        snprintf(default_prefix, sizeof(default_prefix), "/usr/gnemul/qemu-%s", user.abi->target);
        if (access(default_prefix, F_OK) == 0) {
            user.options.prefix = default_prefix;
        }
    }
    int fd = open_program(cmd.program);
    if (fd < 0) {
        error_exit("cannot open '%s': %s", cmd.program, strerror(errno));
    }
    /* As the kernel's execve: also root needs one of the three bits. */
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
        error_exit("cannot run '%s': %s", cmd.program, strerror(EACCES));
    }
    user.exe_path = resolve_exe(fd, cmd.program);

    Error *err = NULL;
    if (!tcg_init(&user.options.tcg, &err)) {
        /* A host without a code generator runs the interpreter. */
        error_free(err);
        err = NULL;
        user.options.tcg.interpreter = true;
        if (!tcg_init(&user.options.tcg, &err)) {
            error_report_free(err);
            return 1;
        }
    }
    Thread *t = thread_new(user.abi);
    const char *model = user.options.cpu ? user.options.cpu : user.abi->default_cpu;
    if (!user.target->cpu_init(t->vcpu, model, &err)) {
        error_report_free(err);
        return 1;
    }
    if (user.target->cpu_reset) {
        user.target->cpu_reset(t->vcpu);
    }
    mm.prot_bits = user.abi->prot_bits ? user.abi->prot_bits(t) : 0;
    /* The registers hold nothing of a reset vector: the loader sets what the ABI defines. */
    thread_register_main(t);
    signal_init(t);
    tcg_set_user_ops(mm_tcg_ops());
    char *config = xasprintf("%s|%s|%" PRIx64 "|%" PRIx64, user.abi->target, model ? model : "",
                             user.options.guest_base, user.options.reserved_va);
    if (!tcg_persist_open(user.options.tb_cache, fd, config, &err)) {
        error_exit("-tb-cache: %s", error_message(err));
    }
    free(config);
    ElfImage image;
    if (!elf_load(t, fd, cmd.program, &image, &err)) {
        error_report_free(err);
        return 1;
    }
    t->vcpu->jit.guest_base = mm.guest_base;
    vaddr sp = elf_build_stack(t, &image, cmd.n_args, cmd.args, cmd.env, &err);
    if (!sp) {
        error_report_free(err);
        return 1;
    }
    close(fd);
    const char *name = strrchr(user.exe_path, '/');
    prctl(PR_SET_NAME, name ? name + 1 : user.exe_path);
    if (log_enabled(LOG_PAGE)) {
        log_printf("guest base %#" PRIxPTR ", task size %#" PRIx64 "\nprogram   " VADDR_FMT "-" VADDR_FMT
                   "\nentry     " VADDR_FMT "\ninterp    " VADDR_FMT "\nbrk       " VADDR_FMT "\nstack     " VADDR_FMT
                   "\n", mm.guest_base, mm.task_size, image.start, image.end, image.entry, image.interp_base,
                   mm.brk, sp);
    }
    user.abi->init_regs(t, image.interp_entry ? image.interp_entry : image.entry, sp);
    if (user.options.gdb) {
        gdb_user_set_exec_path(user.exe_path);
        gdb_user_set_process(user.auxv, user.auxv_end,
                             &(GdbUserFiles){ .open = open_for_debugger, .read_link = read_link_for_debugger });
        if (!gdb_user_start(user.options.gdb, &err)) {
            error_report_free(err);
            return 1;
        }
        signal_debugged(t);
        gdb_user_thread_add(t->vcpu, (uint32_t)t->tid);
        gdb_user_check(t->vcpu);
    }
    user.abi->cpu_loop(t);
    return 0;
}
