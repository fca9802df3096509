/*
 * user.h: what the files of linux-user/ share: the process, its threads, the ABI as data, guest memory access.
 *
 * One process runs one guest program. Guest pids, tids, file descriptors and signal numbers are the host's.
 * A guest address is a vaddr; its host address is guest_base + address, valid only where mm_inside() says so.
 * Syscall handlers return a value >= 0 or a negative errno; USER_E* below are internal and never reach the guest.
 *
 * Threads: a Thread belongs to its host thread (user_self). Other threads may only read `tid` and `vcpu`
 * under the thread list's lock.
 */
#ifndef LINUX_USER_USER_H
#define LINUX_USER_USER_H

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include "accel/tcg.h"
#include "accel/vcpu.h"
#include "target/target.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/log.h"

typedef struct Abi Abi;
typedef struct Thread Thread;
typedef struct SigHand SigHand;

enum {
    USER_ERESTARTSYS = 512,    /* as in Linux: restart or EINTR, as the handler's SA_RESTART says */
    USER_ERESTARTNOINTR = 513, /* not begun: run the handler, then the system call again */
    USER_ESIGRETURN = 514,     /* registers were replaced: do not touch them */
    USER_N_SIGNALS = 64,
    USER_PATH_MAX = 4096,
    USER_MAX_VDSO = 16,
};

typedef struct GuestSigaction {
    vaddr handler;   /* 0 SIG_DFL, 1 SIG_IGN */
    uint64_t flags;
    uint64_t mask;
    vaddr restorer;
} GuestSigaction;

/* -- ABI as data --------------------------------------------------------------------------------- */

typedef struct VdsoFunction {
    const char *name;
    uint32_t code[6];
    uint8_t n_code;
    bool is_sigreturn;           /* where signal handlers return to */
} VdsoFunction;

/* What a core file has of a thread beside the general registers: a note of at most 1024 bytes. */
typedef struct CoreNote {
    const char *name;            /* NULL ends a table */
    uint32_t type;
    uint16_t bytes;
    void (*fill)(Thread *t, void *out);
} CoreNote;

/* A flag of open(2) where the ABI's numbers are not the generic ones. */
typedef struct OpenFlag { uint32_t guest, host; } OpenFlag;

/* [start, end) has tags now (those it had stay), or not, or they become 0, or they go to `to`. */
typedef enum TagsChange { TAGS_ADD, TAGS_REMOVE, TAGS_CLEAR, TAGS_MOVE } TagsChange;

/* Initial registers, signal frames and the like: everything of an ABI that is no plain number. */
struct Abi {
    const char *target;          /* Target.name */
    const char *uname_machine;
    const char *default_cpu;     /* without -cpu; NULL: the target's */
    const char *proc_isa;        /* for messages: "RISC-V 64-bit" */
    uint8_t word_bytes;          /* of long and pointers */
    uint8_t align64;             /* alignment of 64-bit integers in structures */
    bool aligned_pairs;          /* 64-bit arguments in two registers begin with an even one */
    bool big_endian;
    bool code_is_little_endian;  /* of a big-endian ABI */
    bool has_restorer;           /* struct sigaction names the code that signal handlers return to */
    bool clone_tls_last;         /* clone(flags, stack, parent tid, child tid, tls), not (…, tls, child tid) */
    bool has_map_32bit;          /* flag 40h of mmap(2) */
    uint64_t vsyscall_page;      /* calls at fixed addresses, which are nobody's memory; 0: none */
    uint64_t addr_mask;          /* bits of data addresses that count; 0: all */
    bool fault_address_lost;     /* a fault at no canonical address says SI_KERNEL and 0, as on hosts of this kind */
    const uint16_t *syscall_numbers;   /* by row of syscall/table.def: number + 1; 0: the ABI does not have it */
    const OpenFlag *open_flags;        /* ends with zeros; NULL: all as the generic ABI has them */
    const struct StructVariant *structs; /* structures that differ from the generic ABI's; ends with NULLs */
    uint16_t elf_machine;
    vaddr stack_top, mmap_top, pie_base; /* default layout, before -R */
    vaddr task_size;             /* most it can be */

    void (*init_regs)(Thread *t, vaddr entry, vaddr sp);
    /* Runs the guest until the thread's `exiting` is set; the process's end comes from within. */
    void (*cpu_loop)(Thread *t);
    /* A new thread's or child's registers: copied from `parent`, result 0. sp 0: keep; tls NULL: keep. */
    void (*clone_regs)(Thread *child, Thread *parent, vaddr sp, const vaddr *tls);
    /* Pushes a frame and points the registers at the handler. False: the stack is not writable. */
    bool (*signal_frame)(Thread *t, int sig, const siginfo_t *info, const GuestSigaction *act);
    /* rt_sigreturn: registers from the frame at sp. -USER_ESIGRETURN, -USER_ERESTARTNOINTR, -EFAULT: bad frame. */
    int64_t (*signal_return)(Thread *t);
    int64_t (*old_signal_return)(Thread *t); /* sigreturn, of frames without siginfo; where the ABI has that call */
    unsigned (*min_sigstack)(Thread *t); /* bytes a frame needs: AT_MINSIGSTKSZ */
    void (*set_result)(Thread *t, int64_t result);
    vaddr (*get_sp)(Thread *t);
    /* The data address the instruction at pc accesses, when the host could not say. */
    vaddr (*fault_addr)(Thread *t);
    /* The host took an address for not canonical: true if the access can be tried again, for code is translated otherwise from here on. */
    bool (*other_addresses)(Thread *t);
    /* Protections beyond PROT_READ, PROT_WRITE and PROT_EXEC: bits of mmap's and mprotect's there are; what PAGE_* they stand for. NULL: none. */
    unsigned (*prot_bits)(Thread *t);
    unsigned (*page_of_prot)(unsigned prot);
    /* Allocation tags of PAGE_TAGGED memory: see TagsChange. Under the address space's lock. */
    void (*tags_change)(TagsChange how, vaddr start, vaddr end, vaddr to);
    /* System calls: whether memory has the tag of the address. */
    bool (*tags_ok)(Thread *t, vaddr addr, uint64_t size_bytes);
    /* There are pages with PAGE_GUARDED from now on; for each thread. */
    void (*pages_guarded)(Thread *t);
    /* Of a program without interpreter, or of an interpreter: more protection of its code, by a property (type, data) of its notes. */
    unsigned (*elf_property_prot)(Thread *t, uint32_t type, const uint8_t *data, uint32_t size_bytes);
    uint64_t (*hwcap)(Thread *t);
    int64_t (*prctl)(Thread *t, const uint64_t *a); /* operations of the architecture's own; NULL: none */
    uint64_t (*hwcap2)(Thread *t);     /* AT_HWCAP2; NULL: 0 */
    /* The vDSO (vdso.c): its functions, the version of all of them, the ELF header's e_flags. */
    const VdsoFunction *vdso;
    unsigned n_vdso;
    const char *vdso_version;
    uint32_t vdso_elf_flags;
    bool vdso_has_syscall;       /* AT_SYSINFO: the first function enters the kernel */
    const char *platform;        /* AT_PLATFORM; NULL: none */
    const char *(*model_machine)(Thread *t), *(*model_platform)(Thread *t); /* where they depend on the CPU model, instead of those */
    bool flock32;                /* fcntl's first lock commands have 32-bit offsets */
    void (*proc_cpuinfo)(Thread *t, FILE *out);
    unsigned core_regs_bytes;    /* elf_gregset in a core file */
    void (*core_regs)(Thread *t, void *out);
    const CoreNote *core_notes;  /* more of a thread; NULL: none */
};

/* Numbers in the guest's byte order. */
static inline void abi_put32(const Abi *abi, void *p, uint64_t v) { abi->big_endian ? stbe32(p, (uint32_t)v) : stle32(p, (uint32_t)v); }
static inline void abi_put64(const Abi *abi, void *p, uint64_t v) { abi->big_endian ? stbe64(p, v) : stle64(p, v); }
static inline uint32_t abi_get32(const Abi *abi, const void *p) { return abi->big_endian ? ldbe32(p) : ldle32(p); }
static inline uint64_t abi_get64(const Abi *abi, const void *p) { return abi->big_endian ? ldbe64(p) : ldle64(p); }

/* All ABIs, ending with NULL. */
extern const Abi *const abi_list[];
extern const Abi abi_riscv64, abi_riscv32, abi_x86_64, abi_i386, abi_aarch64, abi_aarch64_be, abi_arm, abi_armeb;
const Abi *abi_find(const char *target);
extern const uint16_t syscall_numbers_generic64[], syscall_numbers_generic32[];

/* -- process-wide ----------------------------------------------------------------------------------- */

typedef struct UserOptions {
    const char *prefix;        /* -L */
    const char *cpu;
    const char *argv0;         /* -0 */
    const char *uname_release; /* -r */
    const char *log_items, *log_file, *log_filter;
    vaddr guest_base;          /* -B */
    bool have_guest_base;
    uint64_t reserved_va;      /* -R */
    uint64_t stack_bytes;      /* -s */
    uint64_t page_bytes;       /* -p */
    bool strace;
    bool have_seed;
    uint64_t seed;
    uint64_t ignored_signals;    /* -execignored: fault signals, which cannot be ignored on the host across exec */
    const char *gdb;           /* -g */
    TcgOptions tcg;
    const char *tb_cache;        /* -tb-cache */
} UserOptions;

typedef struct User {
    const Abi *abi;
    const Target *target;
    UserOptions options;
    char **exec_args;          /* our own options again, for exec'ing ourselves; NULL-terminated */
    const char *program;       /* argv[0] of ours: "qemu-riscv64" */
    char *exe_path;            /* the guest program, resolved */
    const char *own_path;      /* our own file as it was started; under binfmt_misc the guest program's */
    int exe_fd;                /* AT_EXECFD handed to us, or -1 */
    bool kernel_sets_ids;      /* binfmt_misc knows us with flag C: it starts set-user-id programs */
    vaddr arg_start, arg_end, env_start, env_end, auxv, auxv_end, stack_start;
    uint32_t elf_flags;          /* e_flags of the program */
    vaddr entry, sigreturn, vdso;
    vaddr semihosting_heap, semihosting_limit; /* given to SYS_HEAPINFO; 0: not asked yet */
    vaddr vdso_function[USER_MAX_VDSO]; /* by index of Abi.vdso */
    bool libc_has_threads;     /* the host's library has created its first one */
    _Atomic int n_threads;
} User;
extern User user;

/* -- threads ---------------------------------------------------------------------------------------- */

typedef struct CapturedSignal {
    siginfo_t info;
    int sig;
} CapturedSignal;

struct Thread {
    Vcpu *vcpu;
    const Abi *abi;
    SigHand *sighand;
    pid_t tid;
    /* Signals. `pending` is looked at by safe_syscall: a captured or synchronous signal waits. */
    _Atomic uint32_t pending;
    uint64_t sigmask;            /* the guest's blocked signals, bit sig-1 */
    uint64_t saved_sigmask;      /* what the frame shall restore, when restore_sigmask */
    bool restore_sigmask;
    _Atomic uint32_t n_captured;
    CapturedSignal captured[6];  /* at most one plus the never-blocked fault signals */
    bool sync_valid;
    bool sync_write;             /* the fault was a store */
    uint32_t sync_fault;         /* the exception, as the architecture numbers it; 0: what the signal says */
    siginfo_t sync_info;
    vaddr altstack_sp;
    uint64_t altstack_bytes;
    uint32_t altstack_flags;
    /* Threads. */
    vaddr clear_child_tid, robust_list;
    uint64_t robust_list_bytes;
    bool exiting;                /* the cpu loop returns */
    bool vfork_child;
    int32_t exit_code;
    Thread *next, *prev;         /* thread list */
    vaddr time_scratch;          /* a page of the guest's, for converted times (time32.c); 0: none yet */
    bool checked_tags;           /* they check allocation tags */
    uint8_t tag_modes;           /* of checks it asked for, as in prctl */
    bool tagged_addr;            /* system calls take addresses of which only Abi.addr_mask counts */
    /* The syscall under way, for strace. */
    int64_t syscall_nr;
};

extern _Thread_local Thread *user_self;

/* semihosting.c: gives a new vCPU its calls. */
void semihosting_attach(Vcpu *vcpu);

/* thread.c */
void thread_register_main(Thread *t);
Thread *thread_new(const Abi *abi);
void thread_list_lock(void);
void thread_list_unlock(void);
Thread *thread_list_first(void);     /* with the lock held */
void thread_exit(Thread *t, int status);                   /* exit(2): returns only with `exiting` set */
noreturn void process_exit(Thread *t, int status);         /* exit_group(2) */
/* What clone, clone3, vfork and fork have in common; flags are the host's CLONE_* without the exit signal. */
typedef struct CloneArgs {
    uint64_t flags;
    int exit_signal;
    vaddr stack, tls, parent_tid, child_tid, pidfd;
    bool from_clone3;
    uint64_t cgroup;           /* a descriptor, with CLONE_INTO_CGROUP */
    uint32_t n_set_tid;
    int32_t set_tid[32];       /* as many as there may be nested pid namespaces */
} CloneArgs;
int64_t thread_clone(Thread *t, const CloneArgs *args);
/* Memory that others can write is mapped: atomic operations have to be. */
void thread_not_alone(void);
/* All threads are told that there are guarded pages: Abi.pages_guarded. */
void thread_pages_guarded(void);

/* -- guest memory access (uaccess.c): faults are EFAULT, never a crash --------------------------------- */

static inline void *g2h(vaddr addr);
/* An address a system call was given, as the kernel takes it from this thread; uaccess_ok and the copies do it themselves. */
static inline vaddr user_untagged(vaddr addr)
{
    return user_self && user_self->tagged_addr ? addr & user_self->abi->addr_mask : addr;
}
bool uaccess_ok(vaddr addr, uint64_t size_bytes);
bool copy_from_guest(void *dst, vaddr src, size_t size_bytes);
bool copy_to_guest(vaddr dst, const void *src, size_t size_bytes);
bool clear_guest(vaddr dst, size_t size_bytes);
/* Copies a string of at most room-1 bytes; its length, or -EFAULT or -ENAMETOOLONG. */
int64_t string_from_guest(char *dst, vaddr src, size_t room_bytes);
bool load_guest_word(const Abi *abi, vaddr addr, uint64_t *ret);   /* a long, zero-extended */
bool store_guest_word(const Abi *abi, vaddr addr, uint64_t value);
bool load_guest_u32(vaddr addr, uint32_t *ret);
bool store_guest_u32(vaddr addr, uint32_t value);
bool load_guest_u64(vaddr addr, uint64_t *ret);
bool store_guest_u64(vaddr addr, uint64_t value);
bool load_guest_sigset(vaddr addr, uint64_t *ret);
bool store_guest_sigset(vaddr addr, uint64_t set);
void sigset_pack(uint8_t raw[8], uint64_t set);                    /* as the guest has it in memory */
/*
 * Host pointers for the kernel's use: NULL is a valid answer for address 0 (*ok says). `out`: the kernel will
 * write there, so pages the translator has write-protected are opened first.
 */
void *guest_in(vaddr addr, uint64_t size_bytes, bool *ok);
void *guest_out(vaddr addr, uint64_t size_bytes, bool *ok);

/* -- mm.c ------------------------------------------------------------------------------------------------ */

enum { VMA_SHARED = 1, VMA_FILE = 2, VMA_SHM = 4, VMA_STACK = 8, VMA_HEAP = 16, VMA_VDSO = 32, VMA_GROWS = 64, VMA_RAM_FILE = 128 };

typedef struct Vma {
    vaddr start, end;
    uint8_t prot;   /* PAGE_* as the guest asked */
    uint8_t flags;  /* VMA_* */
} Vma;

typedef struct Mm {
    uintptr_t guest_base;
    vaddr task_size;      /* first address beyond the guest's, but for: */
    vaddr above_start, above_end; /* the place of a program that is linked above everything of ours; 0, 0: it is not */
    vaddr mmap_top;       /* where top-down placement begins */
    vaddr stack_top;
    uint64_t page_bytes;  /* the guest's */
    unsigned prot_bits;   /* Abi.prot_bits */
    vaddr brk_start, brk;
    bool reserved;        /* the window is one host mapping: unmapped pages stay PROT_NONE */
    bool parallel;
    bool tagged;          /* there has been PAGE_TAGGED memory */
    _Atomic bool growing; /* there has been a mapping with MAP_GROWSDOWN */
    _Atomic uint32_t n_invalidating; /* threads whose translations of what they unmapped are still to go: mm.c */
    _Atomic uint32_t n_protected; /* pages write-protected for the translator: 0 means none ever */
} Mm;
extern Mm mm;

static inline void *g2h(vaddr addr)
{
    return (void *)(mm.guest_base + addr);
}

/* [addr, addr + len) is the guest's own, mapped or not. */
static inline bool mm_inside(vaddr addr, uint64_t len)
{
    vaddr end = likely(addr < mm.task_size) ? mm.task_size : addr >= mm.above_start ? mm.above_end : 0;
    return addr < end && len <= end - addr;
}

/* `lowest`: lowest fixed address the program wants, ~0 if none. */
bool mm_init(const Abi *abi, vaddr lowest, vaddr highest, Error **errp);
/* All: guest address or 0, or negative errno; lengths in bytes; prot in host PROT_*, flags in host MAP_*. */
int64_t mm_mmap(vaddr addr, uint64_t len, int prot, int flags, int fd, uint64_t offset, unsigned vma_flags);
int64_t mm_munmap(vaddr addr, uint64_t len);
int64_t mm_mprotect(vaddr addr, uint64_t len, int prot);
int64_t mm_mremap(vaddr addr, uint64_t old_len, uint64_t new_len, int flags, vaddr new_addr);
int64_t mm_madvise(vaddr addr, uint64_t len, int advice);
int64_t mm_mincore(vaddr addr, uint64_t len, vaddr vec);
int64_t mm_msync(vaddr addr, uint64_t len, int flags);
int64_t mm_brk(vaddr addr);
int64_t mm_shmat(int id, vaddr addr, int flags);
int64_t mm_shmdt(vaddr addr);
/* PAGE_* of the page, -1 when unmapped. */
int mm_page_prot(vaddr addr);
/* An access to a page that is not mapped: extends the growing mapping (MAP_GROWSDOWN) above it, if there is one. */
bool mm_grow(vaddr addr);
/* A copy of the map, sorted; caller frees. */
Vma *mm_snapshot(size_t *ret_n);
/* Makes [addr, addr+size) writable for the kernel where only the translator's protection is in the way. */
void mm_open_for_kernel(vaddr addr, uint64_t size_bytes);
void mm_fork_lock(void);
void mm_fork_unlock(void);
void mm_fork_child(void);
const TcgUserOps *mm_tcg_ops(void);

/* -- elf.c ------------------------------------------------------------------------------------------------ */

typedef struct ElfImage {
    const char *path;
    vaddr load_bias, entry, phdr, start, end, brk;
    uint16_t n_phdr;
    vaddr interp_base, interp_entry;
    bool exec_stack;
} ElfImage;

/* Reads the header only: what architecture a file is for. Returns NULL when no guest of ours. */
const Abi *elf_identify(const uint8_t *header, size_t n);
bool elf_load(Thread *t, int fd, const char *path, ElfImage *ret, Error **errp);
/* Builds argv, envp, auxv; returns the stack pointer or 0. */
vaddr elf_build_stack(Thread *t, const ElfImage *image, int argc, char **argv, char **envp, Error **errp);

/* -- vdso.c ----------------------------------------------------------------------------------------------- */

/* Writes the ABI's vDSO; its size, 0 if the room is too small. ret_functions: offsets of its functions. */
size_t vdso_build(const Abi *abi, uint8_t *out, size_t room_bytes, uint64_t ret_functions[USER_MAX_VDSO]);

/* -- paths (path.c) and /proc (proc-files.c) ----------------------------------------------------------------- */

/* Reads a guest path and applies -L. Negative errno on failure; host path in buf. */
int64_t path_from_guest(char *buf, vaddr addr);
/* -L: the file under the prefix if it exists there, else `path` (buf of USER_PATH_MAX may be used). */
const char *path_resolve(const char *path, char *buf);
/* open of a file of ours under /proc: a descriptor or negative errno; -ENOSYS: nothing special. */
int64_t proc_open(Thread *t, int dirfd, const char *path, int flags);
/* readlink of /proc/self/exe: length, or -ENOSYS. `dst` holds USER_PATH_MAX bytes. */
int64_t proc_readlink(int dirfd, const char *path, char *dst);
bool proc_is_self_exe(const char *path);

/* -- signal.c ---------------------------------------------------------------------------------------------- */

struct SigHand {
    _Atomic int refs;
    _Atomic int lock;
    GuestSigaction action[USER_N_SIGNALS + 1];
};

enum { GUEST_SIG_DFL = 0, GUEST_SIG_IGN = 1 };
#define SIGNAL_AUTODISARM 0x80000000u /* SS_AUTODISARM of sigaltstack */

void signal_init(Thread *t);
/* A debugger came: signals that would end the program at once are its to see. */
void signal_debugged(Thread *t);
SigHand *sighand_copy(SigHand *from);
void sighand_put(SigHand *h);
/* Delivers what waits; called by cpu loops with consistent registers, before each syscall and after it. */
void signal_deliver(Thread *t);
/* A synchronous signal of the guest's own making; delivered by the next signal_deliver. */
void signal_raise_sync(Thread *t, int sig, int code, vaddr addr);
/* After a syscall returned USER_ERESTARTSYS: the action decides. */
bool signal_wants_restart(Thread *t);
/* False: a captured signal that the new mask blocks must be delivered first (return -USER_ERESTARTNOINTR). */
bool signal_set_mask(Thread *t, uint64_t mask);
/* A host system call ran under `mask` in place of the thread's: the handler of what came shall, too. */
void signal_ran_with_mask(Thread *t, uint64_t mask);
/* The mask for the host: fault signals are never blocked there, as any access to the guest's memory may raise them. */
uint64_t signal_host_mask(uint64_t guest_mask);
/* Nothing arrives from here on, but guest memory can be accessed: fault signals stay open. */
void signal_block_host(void);
void signal_unblock_host(Thread *t); /* to the thread's mask; closed still while something waits for its delivery */
/* Whether the host must have our handler for sig although the guest has none; then the action's flags. */
void signal_action_changed(Thread *t, int sig, const GuestSigaction *act);
void sighand_lock(SigHand *h);
void sighand_unlock(SigHand *h);
/*
 * Fault signals are not blocked on the host, because translated code raises them. Around a system call for which it
 * matters they are, those that the guest blocks; what had been captured of them goes back to the kernel.
 */
void signal_hold_faults(Thread *t);
void signal_release_faults(Thread *t);
/* The same for execve, which keeps what is blocked, pending and ignored (in a process of one thread). */
void signal_before_exec(Thread *t);
void signal_exec_failed(Thread *t);
uint64_t signal_ignored_faults(Thread *t);
noreturn void signal_die(Thread *t, int sig);
bool signal_on_altstack(Thread *t, vaddr sp);
/* Where a frame of size_bytes goes for this action; aligned to 16. */
vaddr signal_frame_sp(Thread *t, const GuestSigaction *act, size_t size_bytes);
/* siginfo to the guest's layout. */
enum { SIGINFO_BYTES = 128 };
void siginfo_pack(const Abi *abi, uint8_t raw[SIGINFO_BYTES], const siginfo_t *info);
bool siginfo_to_guest(const Abi *abi, vaddr addr, const siginfo_t *info);
bool siginfo_from_guest(const Abi *abi, siginfo_t *info, vaddr addr);
/* A signal a program queues to itself may look like a fault: marked on its way (signal.c). False: a code no kernel has. */
bool signal_looks_like_fault(int sig, const siginfo_t *info);
bool signal_info_to_send(int sig, siginfo_t *info);
void signal_info_received(siginfo_t *info);

/* -- host specifics (host/) -------------------------------------------------------------------------------------- */

/* A system call that does not begin once *pending is set: -USER_ERESTARTNOINTR then; -USER_ERESTARTSYS when the
 * host would restart it after the handler. */
int64_t safe_syscall(_Atomic uint32_t *pending, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                     uint64_t a4, uint64_t a5);
#define SAFE_SYSCALL(t, nr, ...) SAFE_SYSCALL_(t, nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SAFE_SYSCALL_(t, nr, a, b, c, d, e, f, ...)                                            \
    safe_syscall(&(t)->pending, nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), \
                 (uint64_t)(e), (uint64_t)(f))
/* Not interruptible, errno untouched. */
int64_t raw_syscall(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
#define RAW_SYSCALL(nr, ...) RAW_SYSCALL_(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_SYSCALL_(nr, a, b, c, d, e, f, ...)                                                 \
    raw_syscall(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))
size_t uaccess_copy(void *dst, const void *src, size_t n);      /* bytes not copied */
int64_t uaccess_strnlen(const char *src, size_t max);          /* -1: fault */
/* clone(CLONE_VM | CLONE_VFORK) onto `stack_top`, running fn(arg) there; the child's pid or negative errno. */
int64_t host_vfork(uint64_t flags, void *stack_top, void (*fn)(void *), void *arg);

/* Programs of this ABI are the host's own. */
bool host_runs(const Abi *abi);
uintptr_t host_context_pc(void *ucontext);
bool host_context_is_write(void *ucontext, int sig);
void host_context_frame(void *ucontext, HostFrame *ret);
/* Redirects when interrupted in safe_syscall or uaccess_*; `fault`: a memory fault. True when done. */
bool host_context_fixup(void *ucontext, bool fault);
int64_t host_sigaction(int sig, void (*handler)(int, siginfo_t *, void *), uint64_t flags);
void host_sigmask(uint64_t mask);
void host_context_set_sigmask(void *ucontext, uint64_t mask);

/* -- syscalls (syscall/) ------------------------------------------------------------------------------------------ */

int64_t syscall_dispatch(Thread *t, uint64_t nr, const uint64_t args[6]);
void strace_enter(Thread *t, uint64_t nr, const uint64_t args[6]);
void strace_exit(Thread *t, uint64_t nr, const uint64_t args[6], int64_t result);
void strace_signal(Thread *t, int sig, const siginfo_t *info);

/* exec.c */
int64_t user_execve(Thread *t, const char *path, char **argv, char **envp, int execfd);
/* coredump.c */
void core_dump(Thread *t, int sig);

#endif
