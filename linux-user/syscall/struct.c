/*
 * struct.c: structures that differ between ABIs, as tables of fields.
 *
 * A table lists the guest's fields in order with their kinds; sizes and alignment come from the ABI, so one table
 * serves 32- and 64-bit, little- and big-endian guests. The layouts are those of linux uapi asm-generic; an
 * architecture with one of its own gets another table.
 */
#include <mqueue.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include "linux-user/syscall/syscall.h"

static unsigned kind_bytes(const Abi *abi, unsigned kind)
{
    switch (kind) {
    case F_U8: return 1;
    case F_U16: return 2;
    case F_S32: case F_U32: case F_PAD32: return 4;
    case F_S64: case F_U64: case F_U64_WORDS: return 8;
    default: return abi->word_bytes;
    }
}

static unsigned kind_align(const Abi *abi, const StructDesc *desc, unsigned kind)
{
    unsigned n = kind_bytes(abi, kind);
    return desc->packed ? 1 : kind == F_U64_WORDS ? abi->word_bytes : n == 8 ? abi->align64 : n;
}

static const StructDesc *variant(const Abi *abi, const StructDesc *desc)
{
    for (const StructVariant *v = abi->structs; v && v->generic; v++) {
        if (v->generic == desc) {
            return v->own;
        }
    }
    return desc;
}

static size_t desc_bytes(const Abi *abi, const StructDesc *desc)
{
    size_t at = 0, align = 1;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        size_t a = kind_align(abi, desc, desc->field[i].kind);
        at = ROUND_UP(at, a) + kind_bytes(abi, desc->field[i].kind);
        align = MAX(align, a);
    }
    return ROUND_UP(at, align);
}

size_t struct_guest_bytes(const Abi *abi, const StructDesc *generic)
{
    return desc_bytes(abi, variant(abi, generic));
}

static void store(const Abi *abi, uint8_t *p, unsigned n, uint64_t v)
{
    switch (n) {
    case 1: *p = (uint8_t)v; break;
    case 2: abi->big_endian ? stbe16(p, (uint16_t)v) : stle16(p, (uint16_t)v); break;
    case 4: abi->big_endian ? stbe32(p, (uint32_t)v) : stle32(p, (uint32_t)v); break;
    default: abi->big_endian ? stbe64(p, v) : stle64(p, v);
    }
}

static uint64_t load(const Abi *abi, const uint8_t *p, unsigned n)
{
    switch (n) {
    case 1: return *p;
    case 2: return abi->big_endian ? ldbe16(p) : ldle16(p);
    case 4: return abi->big_endian ? ldbe32(p) : ldle32(p);
    default: return abi->big_endian ? ldbe64(p) : ldle64(p);
    }
}

static bool is_signed(unsigned kind)
{
    return kind == F_S32 || kind == F_S64 || kind == F_LONG;
}

static uint64_t host_get(const void *host, const StructField *f)
{
    const uint8_t *p = (const uint8_t *)host + f->host_offset;
    uint64_t v = 0;
    memcpy(&v, p, f->host_bytes);
    return is_signed(f->kind) && f->host_bytes < 8 ? (uint64_t)bits_sext(v, f->host_bytes * 8u) : v;
}

/* Two words have the low one first in either byte order (asm-generic/msgbuf.h). */
static uint64_t in_words(const Abi *abi, const StructField *f, uint64_t v)
{
    return f->kind == F_U64_WORDS && abi->word_bytes == 4 && abi->big_endian ? v << 32 | v >> 32 : v;
}

enum { MAX_STRUCT_BYTES = 512 };

bool struct_to_guest(const Abi *abi, const StructDesc *generic, vaddr addr, const void *host)
{
    const StructDesc *desc = variant(abi, generic);
    uint8_t raw[MAX_STRUCT_BYTES] = { 0 };
    size_t at = 0;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const StructField *f = &desc->field[i];
        unsigned n = kind_bytes(abi, f->kind);
        at = ROUND_UP(at, kind_align(abi, desc, f->kind));
        if (f->host_bytes) {
            store(abi, raw + at, n, in_words(abi, f, host_get(host, f)));
        }
        at += n;
    }
    return copy_to_guest(addr, raw, desc_bytes(abi, desc));
}

bool struct_from_guest(const Abi *abi, const StructDesc *generic, void *host, vaddr addr)
{
    const StructDesc *desc = variant(abi, generic);
    uint8_t raw[MAX_STRUCT_BYTES];
    if (!copy_from_guest(raw, addr, desc_bytes(abi, desc))) {
        return false;
    }
    memset(host, 0, desc->host_bytes);
    size_t at = 0;
    for (unsigned i = 0; i < desc->n_fields; i++) {
        const StructField *f = &desc->field[i];
        unsigned n = kind_bytes(abi, f->kind);
        at = ROUND_UP(at, kind_align(abi, desc, f->kind));
        if (f->host_bytes) {
            uint64_t v = in_words(abi, f, load(abi, raw + at, n));
            if (is_signed(f->kind) && n < 8) {
                v = (uint64_t)bits_sext(v, n * 8);
            }
            memcpy((uint8_t *)host + f->host_offset, &v, f->host_bytes);
        }
        at += n;
    }
    return true;
}

#define FIELD STRUCT_FIELD
#define PAD STRUCT_PAD
#define DESC(name, type)                                                                      \
    const StructDesc struct_##name = { name##_fields, ARRAY_SIZE(name##_fields), sizeof(type) }

/* struct stat of asm-generic/stat.h. */
static const StructField stat_fields[] = {
    FIELD(struct stat, st_dev, F_ULONG), FIELD(struct stat, st_ino, F_ULONG), FIELD(struct stat, st_mode, F_U32),
    FIELD(struct stat, st_nlink, F_U32), FIELD(struct stat, st_uid, F_U32), FIELD(struct stat, st_gid, F_U32),
    FIELD(struct stat, st_rdev, F_ULONG), PAD(F_PAD_WORD), FIELD(struct stat, st_size, F_LONG),
    FIELD(struct stat, st_blksize, F_S32), PAD(F_PAD32), FIELD(struct stat, st_blocks, F_LONG),
    FIELD(struct stat, st_atim.tv_sec, F_LONG), FIELD(struct stat, st_atim.tv_nsec, F_ULONG),
    FIELD(struct stat, st_mtim.tv_sec, F_LONG), FIELD(struct stat, st_mtim.tv_nsec, F_ULONG),
    FIELD(struct stat, st_ctim.tv_sec, F_LONG), FIELD(struct stat, st_ctim.tv_nsec, F_ULONG), PAD(F_PAD32),
    PAD(F_PAD32),
};
DESC(stat, struct stat);

/* struct statfs (64-bit) and statfs64 (32-bit) differ only in the words. */
static const StructField statfs_fields[] = {
    FIELD(struct statfs, f_type, F_LONG), FIELD(struct statfs, f_bsize, F_LONG), FIELD(struct statfs, f_blocks, F_U64),
    FIELD(struct statfs, f_bfree, F_U64), FIELD(struct statfs, f_bavail, F_U64), FIELD(struct statfs, f_files, F_U64),
    FIELD(struct statfs, f_ffree, F_U64), FIELD(struct statfs, f_fsid.__val[0], F_S32),
    FIELD(struct statfs, f_fsid.__val[1], F_S32), FIELD(struct statfs, f_namelen, F_LONG),
    FIELD(struct statfs, f_frsize, F_LONG), FIELD(struct statfs, f_flags, F_LONG), PAD(F_PAD_WORD), PAD(F_PAD_WORD),
    PAD(F_PAD_WORD), PAD(F_PAD_WORD),
};
DESC(statfs, struct statfs);

static const StructField epoll_event_fields[] = {
    FIELD(struct epoll_event, events, F_U32), FIELD(struct epoll_event, data, F_U64),
};
DESC(epoll_event, struct epoll_event);

static const StructField timeval_fields[] = {
    FIELD(struct timeval, tv_sec, F_LONG), FIELD(struct timeval, tv_usec, F_LONG),
};
DESC(timeval, struct timeval);

static const StructField itimerval_fields[] = {
    FIELD(struct itimerval, it_interval.tv_sec, F_LONG), FIELD(struct itimerval, it_interval.tv_usec, F_LONG),
    FIELD(struct itimerval, it_value.tv_sec, F_LONG), FIELD(struct itimerval, it_value.tv_usec, F_LONG),
};
DESC(itimerval, struct itimerval);

static const StructField rusage_fields[] = {
    FIELD(struct rusage, ru_utime.tv_sec, F_LONG), FIELD(struct rusage, ru_utime.tv_usec, F_LONG),
    FIELD(struct rusage, ru_stime.tv_sec, F_LONG), FIELD(struct rusage, ru_stime.tv_usec, F_LONG),
    FIELD(struct rusage, ru_maxrss, F_LONG), FIELD(struct rusage, ru_ixrss, F_LONG),
    FIELD(struct rusage, ru_idrss, F_LONG), FIELD(struct rusage, ru_isrss, F_LONG),
    FIELD(struct rusage, ru_minflt, F_LONG), FIELD(struct rusage, ru_majflt, F_LONG),
    FIELD(struct rusage, ru_nswap, F_LONG), FIELD(struct rusage, ru_inblock, F_LONG),
    FIELD(struct rusage, ru_oublock, F_LONG), FIELD(struct rusage, ru_msgsnd, F_LONG),
    FIELD(struct rusage, ru_msgrcv, F_LONG), FIELD(struct rusage, ru_nsignals, F_LONG),
    FIELD(struct rusage, ru_nvcsw, F_LONG), FIELD(struct rusage, ru_nivcsw, F_LONG),
};
DESC(rusage, struct rusage);

static const StructField tms_fields[] = {
    FIELD(struct tms, tms_utime, F_LONG), FIELD(struct tms, tms_stime, F_LONG),
    FIELD(struct tms, tms_cutime, F_LONG), FIELD(struct tms, tms_cstime, F_LONG),
};
DESC(tms, struct tms);

static const StructField sysinfo_fields[] = {
    FIELD(struct sysinfo, uptime, F_LONG), FIELD(struct sysinfo, loads[0], F_ULONG),
    FIELD(struct sysinfo, loads[1], F_ULONG), FIELD(struct sysinfo, loads[2], F_ULONG),
    FIELD(struct sysinfo, totalram, F_ULONG), FIELD(struct sysinfo, freeram, F_ULONG),
    FIELD(struct sysinfo, sharedram, F_ULONG), FIELD(struct sysinfo, bufferram, F_ULONG),
    FIELD(struct sysinfo, totalswap, F_ULONG), FIELD(struct sysinfo, freeswap, F_ULONG),
    FIELD(struct sysinfo, procs, F_U16), PAD(F_U16), FIELD(struct sysinfo, totalhigh, F_ULONG),
    FIELD(struct sysinfo, freehigh, F_ULONG), FIELD(struct sysinfo, mem_unit, F_U32),
};
DESC(sysinfo, struct sysinfo);

static const StructField sigevent_fields[] = {
    FIELD(struct sigevent, sigev_value.sival_ptr, F_PTR), FIELD(struct sigevent, sigev_signo, F_S32),
    FIELD(struct sigevent, sigev_notify, F_S32), FIELD(struct sigevent, _sigev_un._tid, F_S32),
};
DESC(sigevent, struct sigevent);

static const StructField mq_attr_fields[] = {
    FIELD(struct mq_attr, mq_flags, F_LONG), FIELD(struct mq_attr, mq_maxmsg, F_LONG),
    FIELD(struct mq_attr, mq_msgsize, F_LONG), FIELD(struct mq_attr, mq_curmsgs, F_LONG), PAD(F_PAD_WORD),
    PAD(F_PAD_WORD), PAD(F_PAD_WORD), PAD(F_PAD_WORD),
};
DESC(mq_attr, struct mq_attr);

static const StructField rlimit_fields[] = {
    FIELD(struct rlimit, rlim_cur, F_ULONG), FIELD(struct rlimit, rlim_max, F_ULONG),
};
DESC(rlimit, struct rlimit);

/* struct ipc64_perm of asm-generic/ipcbuf.h, the head of the three below. */
#define PERM(type, m)                                                                                     \
    FIELD(type, m.__key, F_S32), FIELD(type, m.uid, F_U32), FIELD(type, m.gid, F_U32),                    \
    FIELD(type, m.cuid, F_U32), FIELD(type, m.cgid, F_U32), FIELD(type, m.mode, F_U32), PAD(F_U16),       \
    FIELD(type, m.__seq, F_U16), PAD(F_PAD_WORD), PAD(F_PAD_WORD)

static const StructField msqid_fields[] = {
    PERM(struct msqid_ds, msg_perm), FIELD(struct msqid_ds, msg_stime, F_U64_WORDS), FIELD(struct msqid_ds, msg_rtime, F_U64_WORDS),
    FIELD(struct msqid_ds, msg_ctime, F_U64_WORDS), FIELD(struct msqid_ds, __msg_cbytes, F_ULONG),
    FIELD(struct msqid_ds, msg_qnum, F_ULONG), FIELD(struct msqid_ds, msg_qbytes, F_ULONG),
    FIELD(struct msqid_ds, msg_lspid, F_S32), FIELD(struct msqid_ds, msg_lrpid, F_S32), PAD(F_PAD_WORD),
    PAD(F_PAD_WORD),
};
DESC(msqid, struct msqid_ds);

static const StructField semid_fields[] = {
    PERM(struct semid_ds, sem_perm), FIELD(struct semid_ds, sem_otime, F_U64_WORDS), FIELD(struct semid_ds, sem_ctime, F_U64_WORDS),
    FIELD(struct semid_ds, sem_nsems, F_ULONG), PAD(F_PAD_WORD), PAD(F_PAD_WORD),
};
DESC(semid, struct semid_ds);

static const StructField shmid_fields[] = {
    PERM(struct shmid_ds, shm_perm), FIELD(struct shmid_ds, shm_segsz, F_ULONG),
    FIELD(struct shmid_ds, shm_atime, F_U64_WORDS), FIELD(struct shmid_ds, shm_dtime, F_U64_WORDS),
    FIELD(struct shmid_ds, shm_ctime, F_U64_WORDS), FIELD(struct shmid_ds, shm_cpid, F_S32),
    FIELD(struct shmid_ds, shm_lpid, F_S32), FIELD(struct shmid_ds, shm_nattch, F_ULONG), PAD(F_PAD_WORD),
    PAD(F_PAD_WORD),
};
DESC(shmid, struct shmid_ds);

static const StructField stack_fields[] = {
    FIELD(stack_t, ss_sp, F_PTR), FIELD(stack_t, ss_flags, F_S32), FIELD(stack_t, ss_size, F_ULONG),
};
DESC(stack, stack_t);

/* struct stat64 of the oldest 32-bit ABIs: the inode at its end, its low half also in the old place. */
static const StructField stat64_legacy_fields[] = {
    STRUCT_FIELD(struct stat, st_dev, F_U64), STRUCT_PAD(F_PAD32), STRUCT_FIELD(struct stat, st_ino, F_U32),
    STRUCT_FIELD(struct stat, st_mode, F_U32), STRUCT_FIELD(struct stat, st_nlink, F_U32), STRUCT_FIELD(struct stat, st_uid, F_U32),
    STRUCT_FIELD(struct stat, st_gid, F_U32), STRUCT_FIELD(struct stat, st_rdev, F_U64), STRUCT_PAD(F_PAD32),
    STRUCT_FIELD(struct stat, st_size, F_S64), STRUCT_FIELD(struct stat, st_blksize, F_U32), STRUCT_FIELD(struct stat, st_blocks, F_U64),
    STRUCT_FIELD(struct stat, st_atim.tv_sec, F_S32), STRUCT_FIELD(struct stat, st_atim.tv_nsec, F_U32),
    STRUCT_FIELD(struct stat, st_mtim.tv_sec, F_S32), STRUCT_FIELD(struct stat, st_mtim.tv_nsec, F_U32),
    STRUCT_FIELD(struct stat, st_ctim.tv_sec, F_S32), STRUCT_FIELD(struct stat, st_ctim.tv_nsec, F_U32),
    STRUCT_FIELD(struct stat, st_ino, F_U64),
};
const StructDesc struct_stat64_legacy = { stat64_legacy_fields, ARRAY_SIZE(stat64_legacy_fields), sizeof(struct stat), false };

bool timespecs_from_guest(const Abi *abi, struct timespec *ret, vaddr addr, unsigned n)
{
    if (!copy_from_guest(ret, addr, n * sizeof(*ret))) {
        return false;
    }
    order_fields(abi, ret, n * sizeof(*ret), "q");
    for (unsigned i = 0; abi->word_bytes == 4 && i < n; i++) {
        ret[i].tv_nsec = (uint32_t)ret[i].tv_nsec;
    }
    return true;
}
