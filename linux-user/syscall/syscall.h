/*
 * syscall.h: the table of system calls, and what its handlers share.
 *
 * A handler gets its arguments decoded by kind: integers sign- or zero-extended, 64-bit offsets put together from
 * register pairs on 32-bit ABIs, pointers as guest addresses. It returns a value >= 0, -errno, or -USER_E*.
 */
#ifndef LINUX_USER_SYSCALL_H
#define LINUX_USER_SYSCALL_H

#include <sys/syscall.h>
#include <sys/uio.h>
#include "linux-user/user.h"

/*
 * What the guest may not use becomes an address that the host's kernel refuses: which of a call's mistakes it reports, and what it has done by
 * then, is its affair.
 */
#define BAD_HOST_POINTER ((void *)-(intptr_t)4096)

/* ArgKind: low byte; high byte: size of A_INN, A_OUTN, number of A_TIMESPECS. */
enum {
    A_NONE,
    A_INT,        /* 32-bit signed */
    A_UINT,       /* 32-bit unsigned */
    A_LONG,       /* a word, signed */
    A_ULONG,      /* a word, unsigned */
    A_SIZE,       /* the same, printed in decimal */
    A_OFF,        /* 64 bits: two registers on 32-bit ABIs */
    A_HEX, A_MODE, A_FD, A_DIRFD, A_OPENFLAGS, A_PROT, A_MAPFLAGS, A_SIG, A_SIGHOW, A_CLOCK, A_FUTEX, A_FCNTL,
    A_RLIMIT,     /* integers with names */
    A_ID16,       /* a 16-bit user or group id; 0xffff is -1 */
    A_PTR,        /* an address */
    A_PATH,       /* a file name: -L applies */
    A_STR,        /* any other string */
    A_INBUF,      /* read by the kernel; the next argument is its size */
    A_OUTBUF,     /* written by the kernel; the same */
    A_INN_, A_OUTN_, /* flat structures of n bytes, which the kernel reads; reads and writes (layout_of()) */
    A_OFFPTR,     /* a 64-bit offset, read and written */
    A_TIMESPEC_,  /* struct timespec of two 64-bit words, read */
    A_SIGSET, A_ARGV, A_SOCKADDR, /* an address, printed with what it points to */
};
#define A_INN(n) (A_INN_ | (n) << 8)
#define A_OUTN(n) (A_OUTN_ | (n) << 8)
#define A_TIMESPECS(n) (A_TIMESPEC_ | (n) << 8) /* n of them */
#define A_TIMESPEC A_TIMESPECS(1)

typedef int64_t SyscallFn(Thread *t, const uint64_t *a);

typedef enum SyscallHow { HOW_PASS, HOW_WAIT, HOW_CALL, HOW_FAIL } SyscallHow;

typedef struct Syscall {
    const char *name;
    uint8_t how;         /* SyscallHow */
    uint8_t n_args;
    int16_t number;      /* host's, or errno */
    uint16_t arg[6];
    SyscallFn *fn;
} Syscall;

/* NULL if the ABI has no such number. */
const Syscall *syscall_find(const Abi *abi, uint64_t nr);
/* Registers to arguments by kind. */
void syscall_decode(const Abi *abi, const Syscall *row, const uint64_t regs[6], uint64_t args[6]);

/* Flags of open(2) in the ABI's numbers and in the host's. */
uint32_t open_flags_to_host(const Abi *abi, uint32_t flags);
uint32_t open_flags_to_guest(const Abi *abi, uint32_t flags);

/*
 * order.c. Memory that the kernel reads, or writes, too, of a layout ("q2l": 64 bits, two times 32, and so on; w 16, b 8): the guest's own, or a copy of it in
 * the host's byte order. NULL for address 0; *ok false: not there. order_out() ends it in any case and, if `changed`, writes it back;
 * false: not there any more.
 */
typedef struct Ordered {
    vaddr addr;
    size_t size_bytes;
    const char *layout;
    void *copy; /* NULL: none was needed */
    uint8_t small[208];
} Ordered;
void *order_in(Thread *t, Ordered *o, vaddr addr, size_t size_bytes, const char *layout, bool *ok);
void *order_inout(Thread *t, Ordered *o, vaddr addr, size_t size_bytes, const char *layout, bool *ok);
bool order_out(Ordered *o, bool changed);
/* A copy of ours between the host's and the ABI's order, either way. */
void order_fields(const Abi *abi, void *data, size_t size_bytes, const char *layout);

/*
 * contents.c. `result` of a call that has read into `iov`, or an error: what came is in the guest's order now. What a call is about to send: 0 and, if
 * it has to be another than the guest's, a copy (free its iov_base), or an error.
 */
int64_t contents_received(Thread *t, int fd, const struct iovec *iov, size_t n, int64_t result);
int64_t contents_to_send(Thread *t, int fd, const struct iovec *iov, size_t n, struct iovec *ret);
/* netlink.c. False: there are messages it does not know. */
bool netlink_order(const Abi *abi, uint8_t *p, size_t n, int protocol, bool to_host);
bool netlink_supported(int protocol);
enum { MAX_CONTENTS_BYTES = 1 << 24 };

/* Every handler in the table. */
#define SYS(name, nr64, nr32, how, ...) how
#define PASS(nr)
#define WAIT(nr)
#define FAIL(err)
#define CALL(fn) SyscallFn fn;
#include "linux-user/syscall/table.def"
#undef SYS
#undef PASS
#undef WAIT
#undef FAIL
#undef CALL

/* One call does another's work: arguments as that row's handler wants them. */
int64_t syscall_call_row(Thread *t, unsigned row, const uint64_t args[6]);
/* The same with registers, which are decoded first. */
int64_t syscall_call_row_raw(Thread *t, unsigned row, const uint64_t regs[6]);

/* The rows by name. */
enum {
#define SYS(name, nr64, nr32, how, ...) SYSCALL_##name,
#include "linux-user/syscall/table.def"
#undef SYS
    SYSCALL_N
};

/* errno of a libc-style call. */
static inline int64_t syscall_result(int64_t r)
{
    return r < 0 ? -errno : r;
}

/* -- structures (struct.c) ----------------------------------------------------------------------------- */

typedef enum FieldKind {
    F_U8, F_U16, F_S32, F_U32, F_S64, F_U64, F_LONG, F_ULONG, F_PTR,
    F_U64_WORDS,          /* 64 bits as two words, aligned like one */
    F_PAD32, F_PAD_WORD,  /* zero on the way out, nothing on the host's side */
} FieldKind;

typedef struct StructField {
    uint16_t host_offset;
    uint8_t host_bytes, kind;
} StructField;

/* Fields in the guest's order; their guest offsets follow from kinds and the ABI's alignment. */
typedef struct StructDesc {
    const StructField *field;
    uint8_t n_fields;
    uint16_t host_bytes;
    bool packed;        /* no alignment inside */
} StructDesc;

#define STRUCT_FIELD(type, member, kind) { offsetof(type, member), sizeof(((type *)0)->member), kind }
#define STRUCT_PAD(kind) { 0, 0, kind }

/* Abi.structs: an ABI's own layout in place of the generic one. */
typedef struct StructVariant {
    const StructDesc *generic, *own;
} StructVariant;

size_t struct_guest_bytes(const Abi *abi, const StructDesc *desc);
bool struct_to_guest(const Abi *abi, const StructDesc *desc, vaddr addr, const void *host);
/* Clears *host first. */
bool struct_from_guest(const Abi *abi, const StructDesc *desc, void *host, vaddr addr);

/* n struct timespec of two 64-bit words; on 32-bit ABIs the upper half of the nanoseconds is padding. */
bool timespecs_from_guest(const Abi *abi, struct timespec *ret, vaddr addr, unsigned n);

extern const StructDesc struct_stat, struct_stat64_legacy, struct_statfs, struct_epoll_event, struct_itimerval, struct_timeval,
    struct_rusage, struct_tms, struct_sysinfo, struct_sigevent, struct_mq_attr, struct_rlimit, struct_msqid,
    struct_semid, struct_shmid, struct_stack;

/* -- shared by handlers -------------------------------------------------------------------------------------- */

enum { IOV_ON_STACK = 16 };
/* Guest iovecs to host ones. Returns `fast` or an allocated array (free it when != fast), or NULL with *err. */
struct iovec *iov_from_guest(const Abi *abi, vaddr addr, uint64_t n, bool out, struct iovec *fast, int64_t *err);
/* Reads the signal mask argument { pointer, size } or a plain pointer. 0, or negative errno. */
int64_t sigset_from_guest(vaddr addr, uint64_t size_bytes, uint64_t *ret);
/* select and pselect6, in poll.c. */
int64_t select_common(Thread *t, const uint64_t *a, vaddr times, vaddr sig_pair, bool timeval);
int64_t sigevent_from_guest(const Abi *abi, vaddr addr, void *host_sigevent);

#endif
