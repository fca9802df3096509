/*
 * gdbstub.h: the GDB remote serial protocol, for both modes.
 *
 * GdbServer is the protocol alone: bytes come in through gdb_input(), go out through GdbOps.send, and everything
 * about the machine or process is asked of GdbOps. It does not block and has no thread of its own. softmmu/ runs it
 * on a chardev in the main loop, linux-user/ on a socket in a thread of its own (gdbstub/user.c).
 *
 * All-stop: gdb_stopped() is called when every vCPU stands still, and they stay so until GdbOps.resume.
 * Specification: "Debugging with GDB", appendix "GDB Remote Serial Protocol".
 */
#ifndef GDBSTUB_GDBSTUB_H
#define GDBSTUB_GDBSTUB_H

#include "target/target.h"

typedef struct GdbServer GdbServer;

typedef enum GdbAction { GDB_STAY, GDB_CONTINUE, GDB_STEP } GdbAction;

typedef enum GdbPoint { /* the protocol's numbers in Z/z packets */
    GDB_POINT_SOFTWARE, GDB_POINT_HARDWARE, GDB_POINT_WRITE, GDB_POINT_READ, GDB_POINT_ACCESS
} GdbPoint;

typedef enum GdbPointResult { GDB_POINT_DONE, GDB_POINT_FAILED, GDB_POINT_UNSUPPORTED } GdbPointResult;

enum { GDB_STEP_ENABLE = 1, GDB_STEP_NO_IRQS = 2, GDB_STEP_NO_TIMERS = 4 };

typedef struct GdbOps {
    void (*send)(void *opaque, const void *data, size_t size_bytes);
    size_t (*n_vcpus)(void *opaque);
    Vcpu *(*vcpu)(void *opaque, size_t index);
    uint32_t (*thread_id)(void *opaque, Vcpu *vcpu);      /* ≥ 1, stable */
    uint32_t pid;
    void (*thread_name)(void *opaque, Vcpu *vcpu, char *out, size_t size);
    bool (*mem_read)(void *opaque, Vcpu *vcpu, vaddr addr, void *out, size_t size_bytes);
    bool (*mem_write)(void *opaque, Vcpu *vcpu, vaddr addr, const void *in, size_t size_bytes);
    GdbPointResult (*point)(void *opaque, GdbPoint kind, vaddr addr, uint64_t size_bytes, bool insert);
    /* actions[i] for vcpu(i); signal (the guest's number, 0 none) is for `signal_vcpu`. */
    void (*resume)(void *opaque, const GdbAction *actions, size_t n, int signal, Vcpu *signal_vcpu);
    void (*interrupt)(void *opaque);   /* stop soon: gdb_stopped follows */
    void (*kill)(void *opaque);
    void (*detached)(void *opaque);    /* points have been removed; let everything run */
    /* GDB_STEP_* of steps to come, and whether memory packets are of physical addresses; change < 0: only asked. NULL: neither. */
    unsigned (*step_flags)(void *opaque, int change);
    bool (*physical)(void *opaque, int change);
    char *(*monitor)(void *opaque, const char *command); /* answer, malloc'd; NULL pointer: no monitor */
    /* "auxv", "exec-file", "siginfo" of a thread: malloc'd data or NULL; may be NULL. */
    void *(*object)(void *opaque, Vcpu *vcpu, const char *name, const char *annex, size_t *ret_size);
    /* Opens a file of the debugged side for reading; -1 and errno. May be NULL: no files. */
    int (*open_file)(void *opaque, const char *path);
    /* A symbolic link's text, as readlink(2). NULL: none either. */
    ssize_t (*read_link)(void *opaque, const char *path, char *out, size_t size);
    /* Stop at system calls: NULL none, else `n` numbers; all of them when n is 0. May be NULL: not offered. */
    void (*catch_syscalls)(void *opaque, const uint64_t *numbers, size_t n, bool on);
    /* After a stop with GdbStop.fork_pid, one of the two goes on without the debugger: the child, or this process, whose
     * place the child takes. NULL: fork events are not offered. */
    void (*release_fork)(void *opaque, bool child);
    bool linux_signals;                /* signal numbers of stops are Linux's and must be translated */
} GdbOps;

GdbServer *gdb_server_new(const GdbOps *ops, void *opaque);
void gdb_server_free(GdbServer *gdb);
/* A debugger connected (stopped state) or went away. */
void gdb_connected(GdbServer *gdb);
void gdb_disconnected(GdbServer *gdb);
void gdb_input(GdbServer *gdb, const void *data, size_t size_bytes);

typedef struct GdbStop {
    Vcpu *vcpu;
    int signal;          /* the guest's number (linux_signals) or gdb's; 5 (trap) for points and steps */
    GdbPoint watch;      /* ≥ GDB_POINT_WRITE: which kind of watchpoint hit at watch_addr */
    vaddr watch_addr;
    bool breakpoint;     /* a software or hardware breakpoint was hit */
    uint32_t fork_pid;   /* the process has become two: this is the child, the same at this moment but for its number; 0 none */
    bool syscall_entry, syscall_return; /* a caught system call, `syscall` its number */
    uint64_t syscall;
} GdbStop;
void gdb_stopped(GdbServer *gdb, const GdbStop *stop);
void gdb_exited(GdbServer *gdb, int status, int signal);
bool gdb_is_running(const GdbServer *gdb);
/* The debugger takes fork events (after gdb_connected, and it said so). */
bool gdb_wants_forks(const GdbServer *gdb);
/* In the child that takes its parent's place: `vcpu` stands still, everything else of the session goes on. */
void gdb_is_child(GdbServer *gdb, Vcpu *vcpu);

/* -- user mode (gdbstub/user.c): one process, threads come and go -------------------------------------- */

/* Listens on "PORT" (loopback and all interfaces as the reference), or on a socket "PATH", and waits for gdb. */
bool gdb_user_start(const char *where, Error **errp);
/* The guest program's file, for gdb to load symbols from; kept, not copied. */
void gdb_user_set_exec_path(const char *path);
/* Files as the program sees them: -1 and errno, as open(2) for reading and readlink(2). By the stub's own thread. */
typedef struct GdbUserFiles {
    int (*open)(Vcpu *vcpu, const char *path);
    ssize_t (*read_link)(const char *path, char *out, size_t size);
} GdbUserFiles;
/* Where the program's auxiliary vector lies, and its files. */
void gdb_user_set_process(vaddr auxv, vaddr auxv_end, const GdbUserFiles *files);
bool gdb_user_active(void);
void gdb_user_thread_add(Vcpu *vcpu, uint32_t tid);
void gdb_user_thread_remove(Vcpu *vcpu);
/* Called by the vCPU's thread before it (re-)enters guest code; blocks while everything is stopped. */
void gdb_user_check(Vcpu *vcpu);
/* The thread is about to get a signal, `info` is its siginfo in the guest's layout; blocks; returns the signal to deliver, 0 none. */
int gdb_user_signal(Vcpu *vcpu, int signal, const void *info, size_t size_bytes);
/* The thread came to a breakpoint or made its step (VCPU_EXIT_DEBUG); blocks. */
void gdb_user_debug(Vcpu *vcpu);
/* A system call is about to begin; has come back, registers still as they were; has its result. Each blocks while the process is
 * stopped, the first and the last also where the debugger wants to see the call. */
void gdb_user_syscall_begins(Vcpu *vcpu, uint64_t number);
void gdb_user_syscall_done(Vcpu *vcpu);
void gdb_user_syscall_ended(Vcpu *vcpu, uint64_t number);
void gdb_user_exit(int status, int signal);
/*
 * Around a fork, all signals blocked, in both processes after it (the child with its registers set). The debugger chooses which one
 * it stays with if `follow` and it wants to know; otherwise, or if the child is not the C library's, the parent.
 */
void gdb_user_fork_begin(bool follow);
void gdb_user_fork_end(Vcpu *vcpu, int64_t pid);

#endif
