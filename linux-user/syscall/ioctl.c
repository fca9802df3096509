/*
 * ioctl.c: ioctls, by the table ioctl.def. For a 64-bit little-endian guest at guest base 0 an unknown request is passed
 * on as it is: numbers and structures are the host's. For others it is ENOTTY, logged with -d unimp.
 */
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/loop.h>
#include <linux/nsfs.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/termios.h>
#include "linux-user/syscall/syscall.h"

typedef enum IoctlKind { KIND_NONE, KIND_INT, KIND_IN, KIND_OUT, KIND_INOUT } IoctlKind;

typedef struct IoctlRow {
    uint32_t number;
    uint8_t kind;
    uint16_t size;
    const char *name;
} IoctlRow;

#define NONE KIND_NONE, 0
#define INT KIND_INT, 0
#define IN(n) KIND_IN, n
#define OUT(n) KIND_OUT, n
#define INOUT(n) KIND_INOUT, n
#define IOCTL(name, kind) { name, kind, #name },
static const IoctlRow ioctls[] = {
#include "linux-user/syscall/ioctl.def"
};

/* SIOCGIFCONF: a length and a pointer to an array of struct ifreq. */
static int64_t get_ifconf(Thread *t, int fd, vaddr addr)
{
    unsigned w = t->abi->word_bytes, guest_size = w == 8 ? 40 : 32;
    uint32_t len;
    uint64_t buf;
    if (!load_guest_u32(addr, &len) || !load_guest_word(t->abi, addr + w, &buf)) {
        return -EFAULT;
    }
    uint32_t n = MIN(len / guest_size, 1024u);
    struct ifreq *host = buf ? xcalloc(MAX(n, 1u), sizeof(*host)) : NULL;
    struct ifconf conf = { .ifc_len = buf ? (int)(n * sizeof(*host)) : 0, .ifc_req = host };
    int64_t r = RAW_SYSCALL(SYS_ioctl, fd, SIOCGIFCONF, &conf);
    if (r >= 0) {
        uint32_t got = (uint32_t)conf.ifc_len / (uint32_t)sizeof(*host);
        for (uint32_t i = 0; buf && i < MIN(got, n); i++) {
            if (!copy_to_guest(buf + i * guest_size, &host[i], guest_size)) {
                r = -EFAULT;
            }
        }
        if (!store_guest_u32(addr, got * guest_size)) {
            r = -EFAULT;
        }
    }
    free(host);
    return r;
}

/* For big-endian ABIs; NULL: not known. */
static const char *layout_of(const IoctlRow *row)
{
    switch (row->number) {
    case TIOCGWINSZ: case TIOCSWINSZ:
        return "w";
    case SIOCGIFINDEX: case SIOCGIFNAME: case SIOCGIFMTU: case SIOCSIFMTU: case SIOCGIFTXQLEN: case SIOCGIFMETRIC:
        return "16bl20b"; /* struct ifreq with a number */
    case FS_IOC_FSGETXATTR: case FS_IOC_FSSETXATTR:
        return "l";
    case FICLONERANGE: case FITRIM: case BLKDISCARD: case FIOQSIZE: case BLKGETSIZE64:
        return "q";
    }
    switch (row->size) {
    case 1: return "b";
    case 4: return "l";
    case 18: return "4w10b";      /* struct termio */
    case 36: return "4l20b";      /* struct termios */
    case 44: return "4l20b2l";    /* struct termios2 */
    case 40: return (row->number & 0xff00) == 0x8900 ? "16bw22b" : NULL; /* struct ifreq with flags or an address */
    default: return NULL;
    }
}

int64_t sys_ioctl(Thread *t, const uint64_t *a)
{
    uint32_t number = (uint32_t)a[1];
    bool ok = true;
    if (number == SIOCGIFCONF) {
        return get_ifconf(t, (int)a[0], a[2]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
        const IoctlRow *row = &ioctls[i];
        if (row->number != number) {
            continue;
        }
        if (!row->size) {
            return SAFE_SYSCALL(t, SYS_ioctl, a[0], number, a[2]);
        }
        Ordered o;
        const char *layout = t->abi->big_endian ? layout_of(row) : NULL;
        if (t->abi->big_endian && !layout) {
            break;
        }
        void *p = (row->kind == KIND_IN ? order_in : order_inout)(t, &o, a[2], row->size, layout, &ok);
        int64_t r = SAFE_SYSCALL(t, SYS_ioctl, a[0], number, ok ? p : BAD_HOST_POINTER);
        return order_out(&o, r >= 0 && row->kind >= KIND_OUT) ? r : -EFAULT;
    }
    if (t->abi->word_bytes == 8 && !t->abi->big_endian && mm.guest_base == 0) {
        return SAFE_SYSCALL(t, SYS_ioctl, a[0], number, a[2]);
    }
    log_unimp("unknown ioctl %#x\n", number);
    return fcntl((int)a[0], F_GETFD) < 0 ? -EBADF : -ENOTTY;
}
