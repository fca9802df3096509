/*
 * syscall.c: the numbers of x86's system calls, structures that are its own, and calls only x86 has.
 *
 * Facts: linux arch/x86/entry/syscalls, uapi asm/stat.h, asm/sembuf.h, asm/ldt.h, asm/prctl.h.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include "linux-user/syscall/syscall.h"
#include "linux-user/x86/abi.h"

#define NO -1
const uint16_t x86_64_syscall_numbers[SYSCALL_N] = {
#define NR(name, nr64, nr32) [SYSCALL_##name] = nr64 + 1,
#include "linux-user/x86/syscall.def"
#undef NR
};
const uint16_t i386_syscall_numbers[SYSCALL_N] = {
#define NR(name, nr64, nr32) [SYSCALL_##name] = nr32 + 1,
#include "linux-user/x86/syscall.def"
#undef NR
};

/* -- structures --------------------------------------------------------------------------------------- */

static const StructField stat64_fields[] = {
    STRUCT_FIELD(struct stat, st_dev, F_ULONG), STRUCT_FIELD(struct stat, st_ino, F_ULONG),
    STRUCT_FIELD(struct stat, st_nlink, F_ULONG), STRUCT_FIELD(struct stat, st_mode, F_U32),
    STRUCT_FIELD(struct stat, st_uid, F_U32), STRUCT_FIELD(struct stat, st_gid, F_U32), STRUCT_PAD(F_PAD32),
    STRUCT_FIELD(struct stat, st_rdev, F_ULONG), STRUCT_FIELD(struct stat, st_size, F_LONG),
    STRUCT_FIELD(struct stat, st_blksize, F_LONG), STRUCT_FIELD(struct stat, st_blocks, F_LONG),
    STRUCT_FIELD(struct stat, st_atim.tv_sec, F_LONG), STRUCT_FIELD(struct stat, st_atim.tv_nsec, F_ULONG),
    STRUCT_FIELD(struct stat, st_mtim.tv_sec, F_LONG), STRUCT_FIELD(struct stat, st_mtim.tv_nsec, F_ULONG),
    STRUCT_FIELD(struct stat, st_ctim.tv_sec, F_LONG), STRUCT_FIELD(struct stat, st_ctim.tv_nsec, F_ULONG),
    STRUCT_PAD(F_PAD_WORD), STRUCT_PAD(F_PAD_WORD), STRUCT_PAD(F_PAD_WORD),
};
static const StructDesc x86_64_stat = { stat64_fields, ARRAY_SIZE(stat64_fields), sizeof(struct stat), false };

static const StructField epoll_fields[] = {
    STRUCT_FIELD(struct epoll_event, events, F_U32), STRUCT_FIELD(struct epoll_event, data, F_U64),
};
static const StructDesc x86_epoll_event = { epoll_fields, ARRAY_SIZE(epoll_fields), sizeof(struct epoll_event), true };

/* A word of padding behind each time. */
static const StructField semid_fields[] = {
    STRUCT_FIELD(struct semid_ds, sem_perm.__key, F_S32), STRUCT_FIELD(struct semid_ds, sem_perm.uid, F_U32),
    STRUCT_FIELD(struct semid_ds, sem_perm.gid, F_U32), STRUCT_FIELD(struct semid_ds, sem_perm.cuid, F_U32),
    STRUCT_FIELD(struct semid_ds, sem_perm.cgid, F_U32), STRUCT_FIELD(struct semid_ds, sem_perm.mode, F_U32), STRUCT_PAD(F_U16),
    STRUCT_FIELD(struct semid_ds, sem_perm.__seq, F_U16), STRUCT_PAD(F_PAD_WORD), STRUCT_PAD(F_PAD_WORD),
    STRUCT_FIELD(struct semid_ds, sem_otime, F_LONG), STRUCT_PAD(F_PAD_WORD), STRUCT_FIELD(struct semid_ds, sem_ctime, F_LONG),
    STRUCT_PAD(F_PAD_WORD), STRUCT_FIELD(struct semid_ds, sem_nsems, F_ULONG), STRUCT_PAD(F_PAD_WORD), STRUCT_PAD(F_PAD_WORD),
};
static const StructDesc x86_semid = { semid_fields, ARRAY_SIZE(semid_fields), sizeof(struct semid_ds), false };

const StructVariant i386_structs[] = {
    { &struct_stat, &struct_stat64_legacy }, { &struct_epoll_event, &x86_epoll_event }, { NULL, NULL },
};

const StructVariant x86_64_structs[] = {
    { &struct_stat, &x86_64_stat }, { &struct_epoll_event, &x86_epoll_event }, { &struct_semid, &x86_semid }, { NULL, NULL },
};

/* -- segment bases --------------------------------------------------------------------------------------- */

int64_t sys_x86_arch_prctl(Thread *t, const uint64_t *a)
{
    enum { SET_GS = 0x1001, SET_FS, GET_FS, GET_GS, GET_CPUID = 0x1011, SET_CPUID, GET_XCOMP_SUPP = 0x1021, GET_XCOMP_PERM };
    X86State *s = x86_state(t->vcpu);

    switch ((uint32_t)a[0]) {
    case SET_GS:
    case SET_FS: {
        X86SegId seg = (uint32_t)a[0] == SET_FS ? X86_FS : X86_GS;
        if (a[1] >= t->abi->task_size) {
            return -EPERM;
        }
        s->seg_sel[seg] = 0;
        s->seg_base[seg] = a[1];
        return 0;
    }
    case GET_FS:
    case GET_GS:
        return store_guest_u64(a[1], s->seg_base[(uint32_t)a[0] == GET_FS ? X86_FS : X86_GS]) ? 0 : -EFAULT;
    case GET_CPUID:
        return 1;
    case SET_CPUID:
        return a[1] ? 0 : -ENODEV;
    case GET_XCOMP_SUPP:
    case GET_XCOMP_PERM:
        return store_guest_u64(a[1], s->xcr0) ? 0 : -EFAULT;
    default:
        return -EINVAL;
    }
}

/* struct user_desc: entry number, base, limit, bits. */
enum { UD_BYTES = 16, UD_32BIT = 1, UD_CONTENTS = 6, UD_READ_ONLY = 8, UD_PAGES = 16, UD_NOT_PRESENT = 32, UD_USEABLE = 64, UD_LONG = 128 };

static uint64_t make_descriptor(uint32_t base, uint32_t limit, uint32_t bits)
{
    uint32_t low = base << 16 | (limit & 0xffff);
    uint32_t high = (base & 0xff000000) | (base >> 16 & 0xff) | (limit & 0xf0000) | (bits & UD_CONTENTS) << 9 |
                    (bits & UD_READ_ONLY ? 0 : 1u << 9) | (bits & UD_NOT_PRESENT ? 0 : 1u << 15) | (bits & UD_32BIT ? 1u << 22 : 0) |
                    (bits & UD_PAGES ? 1u << 23 : 0) | (bits & UD_USEABLE ? 1u << 20 : 0) | 0x7100;
    return (uint64_t)high << 32 | low;
}

/* Hidden parts of this thread's segment registers follow their descriptors; others' do when they load them again. */
static void reload(Thread *t, uint16_t sel)
{
    const X86State *s = x86_state(t->vcpu);

    for (X86SegId seg = X86_ES; seg < X86_N_SEGS; seg++) {
        if (seg != X86_CS && seg != X86_SS && s->seg_sel[seg] == sel) {
            x86_user_load_data(t, seg, sel);
        }
    }
}

static bool is_empty(uint32_t base, uint32_t limit, uint32_t bits, bool old)
{
    return !base && !limit && (old || (bits & 127) == (UD_READ_ONLY | UD_NOT_PRESENT));
}

/* The LDT lies in guest memory, where segment loads look; the threads of a process share it. */
static vaddr ldt_base;
enum { LDT_ENTRIES = 8192 };

int64_t sys_x86_modify_ldt(Thread *t, const uint64_t *a)
{
    X86State *s = x86_state(t->vcpu);
    uint8_t raw[UD_BYTES];

    switch ((int)a[0]) {
    case 0: {
        uint64_t n = ldt_base ? MIN(a[2], (uint64_t)LDT_ENTRIES * 8) : 0;
        for (uint64_t i = 0; i < n / 8; i++) {
            uint64_t entry;
            if (!load_guest_u64(ldt_base + 8 * i, &entry) || !store_guest_u64(a[1] + 8 * i, entry)) {
                return -EFAULT;
            }
        }
        return (int64_t)n;
    }
    case 2:
        return clear_guest(a[1], MIN(a[2], (uint64_t)128)) ? (int64_t)MIN(a[2], (uint64_t)128) : -EFAULT;
    case 1:
    case 0x11:
        break;
    default:
        return -ENOSYS;
    }
    if (a[2] != UD_BYTES) {
        return -EINVAL;
    }
    if (!copy_from_guest(raw, a[1], UD_BYTES)) {
        return -EFAULT;
    }
    uint32_t number = ldle32(raw), base = ldle32(raw + 4), limit = ldle32(raw + 8), bits = ldle32(raw + 12);
    bool old = (int)a[0] == 1;
    if (number >= LDT_ENTRIES || ((bits & UD_CONTENTS) == UD_CONTENTS && (old || !(bits & UD_NOT_PRESENT)))) {
        return -EINVAL;
    }
    if (!ldt_base) {
        int64_t at = mm_mmap(0, LDT_ENTRIES * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, 0);
        if (at < 0) {
            return at;
        }
        ldt_base = (vaddr)at;
    }
    if (!store_guest_u64(ldt_base + 8 * number, is_empty(base, limit, bits, old) ? 0 : make_descriptor(base, limit, old ? bits & ~UD_USEABLE : bits))) {
        return -EFAULT;
    }
    thread_list_lock();
    for (Thread *i = thread_list_first(); i; i = i->next) {
        X86State *is = x86_state(i->vcpu);
        is->ldt_base = ldt_base;
        is->ldt_limit = LDT_ENTRIES * 8 - 1;
        is->ldt_attr = X86_ATTR_P | 2 << 8;
        is->ldt_sel = 0x80;
    }
    thread_list_unlock();
    s->ldt_base = ldt_base;
    reload(t, (uint16_t)(number << 3 | 7));
    return 0;
}

/* The three TLS descriptors of the GDT; what x86-64 has for 32-bit code. */
int64_t sys_x86_set_thread_area(Thread *t, const uint64_t *a)
{
    X86State *s = x86_state(t->vcpu);
    uint8_t raw[UD_BYTES];

    if (!copy_from_guest(raw, a[0], UD_BYTES)) {
        return -EFAULT;
    }
    uint32_t number = ldle32(raw), base = ldle32(raw + 4), limit = ldle32(raw + 8), bits = ldle32(raw + 12);
    if (number == UINT32_MAX) {
        for (number = X86_GDT_TLS_FIRST; number < X86_GDT_TLS_FIRST + X86_GDT_N_TLS; number++) {
            uint64_t entry = 0;
            if (!load_guest_u64(s->gdt_base + 8 * number, &entry) || !entry) {
                break;
            }
        }
        if (number == X86_GDT_TLS_FIRST + X86_GDT_N_TLS) {
            return -ESRCH;
        }
        if (!store_guest_u32(a[0], number)) {
            return -EFAULT;
        }
    }
    if (number < X86_GDT_TLS_FIRST || number >= X86_GDT_TLS_FIRST + X86_GDT_N_TLS) {
        return -EINVAL;
    }
    bool empty = is_empty(base, limit, bits, false) || (!base && !limit && !bits);
    if (!empty && (!(bits & UD_32BIT) || (bits & UD_CONTENTS) > 2 || (bits & UD_NOT_PRESENT))) {
        return -EINVAL; /* only present 32-bit data segments go into the GDT */
    }
    if (!store_guest_u64(s->gdt_base + 8 * number, empty ? 0 : make_descriptor(base, limit, bits))) {
        return -EFAULT;
    }
    reload(t, (uint16_t)(number << 3 | 3));
    return 0;
}

int64_t sys_x86_get_thread_area(Thread *t, const uint64_t *a)
{
    X86State *s = x86_state(t->vcpu);
    uint32_t number;
    uint64_t entry;
    uint8_t raw[UD_BYTES];

    if (!load_guest_u32(a[0], &number)) {
        return -EFAULT;
    }
    if (number < X86_GDT_TLS_FIRST || number >= X86_GDT_TLS_FIRST + X86_GDT_N_TLS) {
        return -EINVAL;
    }
    if (!load_guest_u64(s->gdt_base + 8 * number, &entry)) {
        return -EFAULT;
    }
    uint32_t low = (uint32_t)entry, high = (uint32_t)(entry >> 32), bits = high >> 9 & UD_CONTENTS;
    bits |= (high >> 22 & 1 ? UD_32BIT : 0) | (high >> 9 & 1 ? 0 : UD_READ_ONLY) | (high >> 15 & 1 ? 0 : UD_NOT_PRESENT) |
            (high >> 23 & 1 ? UD_PAGES : 0) | (high >> 20 & 1 ? UD_USEABLE : 0);
    stle32(raw, number);
    stle32(raw + 4, low >> 16 | (high & 0xff) << 16 | (high & 0xff000000));
    stle32(raw + 8, (low & 0xffff) | (high & 0xf0000));
    stle32(raw + 12, bits);
    return copy_to_guest(a[0], raw, UD_BYTES) ? 0 : -EFAULT;
}
