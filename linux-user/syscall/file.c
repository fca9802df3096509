/*
 * file.c: system calls on files that need more than converted arguments.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "linux-user/syscall/syscall.h"

enum { MAX_IOV = 1024 };

/* -- open, names ---------------------------------------------------------------------------------- */

int64_t sys_openat(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    int64_t r = path_from_guest(path, a[1]);
    if (r < 0) {
        return r;
    }
    r = proc_open(t, (int)a[0], path, (int)a[2]);
    if (r != -ENOSYS) {
        return r;
    }
    return SAFE_SYSCALL(t, SYS_openat, a[0], path, a[2], a[3]);
}

int64_t sys_openat2(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    struct open_how how = { 0 };
    uint8_t raw[24];
    if (a[3] < sizeof(raw)) {
        return -EINVAL;
    }
    if (a[3] > sizeof(raw)) { /* a newer structure: all that we do not know must be 0 */
        for (uint64_t i = sizeof(raw); i < a[3]; i++) {
            uint8_t b;
            if (i > 4096 || !copy_from_guest(&b, a[2] + i, 1)) {
                return i > 4096 ? -E2BIG : -EFAULT;
            }
            if (b) {
                return -E2BIG;
            }
        }
    }
    if (!copy_from_guest(raw, a[2], sizeof(raw))) {
        return -EFAULT;
    }
    how.flags = abi_get64(t->abi, raw);
    how.flags = (how.flags & ~(uint64_t)UINT32_MAX) | open_flags_to_host(t->abi, (uint32_t)how.flags);
    how.mode = abi_get64(t->abi, raw + 8);
    how.resolve = abi_get64(t->abi, raw + 16);
    int64_t r = path_from_guest(path, a[1]);
    if (r == -EFAULT) {
        return RAW_SYSCALL(SYS_openat2, a[0], BAD_HOST_POINTER, &how, sizeof(how));
    } else if (r < 0) {
        return r;
    }
    if (!how.resolve) {
        r = proc_open(t, (int)a[0], path, (int)how.flags);
        if (r != -ENOSYS) {
            return r;
        }
    }
    return SAFE_SYSCALL(t, SYS_openat2, a[0], path, &how, sizeof(how));
}

int64_t sys_readlinkat(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX], link[USER_PATH_MAX];
    (void)t;
    if ((int64_t)(int32_t)a[3] <= 0) {
        return -EINVAL;
    }
    int64_t r = path_from_guest(path, a[1]);
    if (r < 0) {
        return r;
    }
    r = proc_readlink((int)a[0], path, link);
    if (r == -ENOSYS) {
        r = RAW_SYSCALL(SYS_readlinkat, a[0], path, link, sizeof(link));
    }
    if (r < 0) {
        return r;
    }
    r = MIN(r, (int64_t)(int32_t)a[3]);
    return copy_to_guest(a[2], link, (size_t)r) ? r : -EFAULT;
}

int64_t sys_close_range(Thread *t, const uint64_t *a)
{
    (void)t;
    return RAW_SYSCALL(SYS_close_range, a[0], a[1], a[2]);
}

/* -- stat ---------------------------------------------------------------------------------------------- */

static int64_t put_stat(Thread *t, vaddr addr, const struct stat *st)
{
    return struct_to_guest(t->abi, &struct_stat, addr, st) ? 0 : -EFAULT;
}

/* The file that a call about metadata means. NULL may stand for "" (since Linux 6.11); what may not be read is the host's to refuse. */
static int64_t stat_path(char *path, vaddr addr, uint64_t flags, const char **ret)
{
    int64_t r = addr ? path_from_guest(path, addr) : 0;

    *ret = !addr ? NULL : r == -EFAULT ? BAD_HOST_POINTER : proc_is_self_exe(path) && !(flags & AT_SYMLINK_NOFOLLOW) ? user.exe_path : path;
    return r == -EFAULT ? 0 : r;
}

int64_t sys_newfstatat(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    struct stat st;
    const char *p;
    int64_t r = stat_path(path, a[1], a[3], &p);
    if (r < 0) {
        return r;
    }
    r = RAW_SYSCALL(SYS_newfstatat, a[0], p, &st, a[3]);
    return r < 0 ? r : put_stat(t, a[2], &st);
}

int64_t sys_fstat(Thread *t, const uint64_t *a)
{
    struct stat st;
    int64_t r = RAW_SYSCALL(SYS_fstat, a[0], &st);
    return r < 0 ? r : put_stat(t, a[1], &st);
}

int64_t sys_statx(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    struct statx stx;
    const char *p;
    int64_t r = stat_path(path, a[1], a[2], &p);
    if (r < 0) {
        return r;
    }
    r = RAW_SYSCALL(SYS_statx, a[0], p, a[2], a[3], &stx);
    if (r < 0) {
        return r;
    }
    /* The layout is the same everywhere; a big-endian ABI would need a table. */
    if (t->abi->big_endian) {
        return -ENOSYS;
    }
    return copy_to_guest(a[4], &stx, sizeof(stx)) ? 0 : -EFAULT;
}

int64_t sys_statfs(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    struct statfs st;
    bool sized = t->abi->word_bytes == 4; /* statfs64(path, size, buf) */
    int64_t r = path_from_guest(path, a[0]);
    if (r < 0) {
        return r;
    }
    if (statfs(path, &st) < 0) {
        return -errno;
    }
    return struct_to_guest(t->abi, &struct_statfs, sized ? a[2] : a[1], &st) ? 0 : -EFAULT;
}

int64_t sys_fstatfs(Thread *t, const uint64_t *a)
{
    struct statfs st;
    if (fstatfs((int)a[0], &st) < 0) {
        return -errno;
    }
    return struct_to_guest(t->abi, &struct_statfs, t->abi->word_bytes == 4 ? a[2] : a[1], &st) ? 0 : -EFAULT;
}

int64_t sys_name_to_handle_at(Thread *t, const uint64_t *a)
{
    char path[USER_PATH_MAX];
    uint32_t bytes;
    (void)t;
    int64_t r = path_from_guest(path, a[1]);
    if (r < 0) {
        return r;
    }
    if (!load_guest_u32(a[2], &bytes)) {
        return -EFAULT;
    }
    if (bytes > MAX_HANDLE_SZ) {
        return -EINVAL;
    }
    uint8_t buf[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    struct file_handle *fh = (struct file_handle *)buf;
    fh->handle_bytes = bytes;
    int mount_id = 0;
    int rc = name_to_handle_at((int)a[0], path, fh, &mount_id, (int)a[4]);
    int err = errno;
    if (!store_guest_u32(a[2], fh->handle_bytes)) {
        return -EFAULT;
    }
    if (rc < 0) {
        return -err;
    }
    return store_guest_u32(a[2] + 4, (uint32_t)fh->handle_type)
           && copy_to_guest(a[2] + 8, fh->f_handle, fh->handle_bytes)
           && store_guest_u32(a[3], (uint32_t)mount_id) ? 0 : -EFAULT;
}

int64_t sys_open_by_handle_at(Thread *t, const uint64_t *a)
{
    uint32_t bytes, type;
    (void)t;
    if (!load_guest_u32(a[1], &bytes) || !load_guest_u32(a[1] + 4, &type)) {
        return -EFAULT;
    }
    if (bytes > MAX_HANDLE_SZ) {
        return -EINVAL;
    }
    uint8_t buf[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    struct file_handle *fh = (struct file_handle *)buf;
    fh->handle_bytes = bytes;
    fh->handle_type = (int)type;
    if (!copy_from_guest(fh->f_handle, a[1] + 8, bytes)) {
        return -EFAULT;
    }
    return syscall_result(open_by_handle_at((int)a[0], fh, (int)a[2]));
}

/* -- vectors -------------------------------------------------------------------------------------------- */

struct iovec *iov_from_guest(const Abi *abi, vaddr addr, uint64_t n, bool out, struct iovec *fast, int64_t *err)
{
    if (n > MAX_IOV) {
        *err = -EINVAL;
        return NULL;
    }
    struct iovec *iov = n > IOV_ON_STACK ? xcalloc(n, sizeof(*iov)) : fast;
    unsigned w = abi->word_bytes;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t base, len;
        bool ok = true, readable = load_guest_word(abi, addr + 2 * w * i, &base) && load_guest_word(abi, addr + (2 * i + 1) * w, &len);
        if (!readable) {
            len = 0;
        }
        if ((w == 8 && (int64_t)len < 0) || (w == 4 && (int32_t)len < 0)) {
            *err = -EINVAL;
            goto fail;
        } else if (len) {
            iov[i].iov_base = out ? guest_out(base, len, &ok) : guest_in(base, len, &ok);
        } else {
            iov[i].iov_base = NULL;
        }
        if (!readable) {
            *err = -EFAULT;
            goto fail;
        }
        iov[i].iov_base = ok ? iov[i].iov_base : BAD_HOST_POINTER; /* what stands before it is transferred */
        iov[i].iov_len = len;
    }
    return iov;
fail:
    if (iov != fast) {
        free(iov);
    }
    return NULL;
}

static int64_t vector_io(Thread *t, long nr, bool out, const uint64_t *a, int64_t pos, uint64_t flags)
{
    struct iovec fast[IOV_ON_STACK];
    int64_t r = -EFAULT;
    struct iovec *iov = iov_from_guest(t->abi, a[1], (uint32_t)a[2], out, fast, &r);
    if (!iov) { /* an error, this or that of the descriptor */
        int64_t of_fd = RAW_SYSCALL(nr, a[0], BAD_HOST_POINTER, 1, pos, 0, flags);
        return of_fd == -EFAULT ? r : of_fd;
    }
    struct iovec copy = { 0 };
    r = out ? 0 : contents_to_send(t, (int)a[0], iov, (uint32_t)a[2], &copy);
    if (!r) {
        /* The kernel takes the position in two words; on a 64-bit host the low one has it all. */
        r = SAFE_SYSCALL(t, nr, a[0], copy.iov_base ? &copy : iov, copy.iov_base ? 1 : a[2], pos, 0, flags);
    }
    free(copy.iov_base);
    r = out ? contents_received(t, (int)a[0], iov, (uint32_t)a[2], r) : r;
    if (iov != fast) {
        free(iov);
    }
    return r;
}

/* The position is always passed as (low, high). */
static int64_t vector_pos(Thread *t, const uint64_t *a)
{
    return t->abi->word_bytes == 4 ? (int64_t)((uint32_t)a[3] | a[4] << 32) : (int64_t)a[3];
}

int64_t sys_readv(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_readv, true, a, 0, 0);
}

int64_t sys_writev(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_writev, false, a, 0, 0);
}

int64_t sys_preadv(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_preadv, true, a, vector_pos(t, a), 0);
}

int64_t sys_pwritev(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_pwritev, false, a, vector_pos(t, a), 0);
}

int64_t sys_preadv2(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_preadv2, true, a, vector_pos(t, a), a[5]);
}

int64_t sys_pwritev2(Thread *t, const uint64_t *a)
{
    return vector_io(t, SYS_pwritev2, false, a, vector_pos(t, a), a[5]);
}

int64_t sys_vmsplice(Thread *t, const uint64_t *a)
{
    struct iovec fast[IOV_ON_STACK];
    int64_t r = -EFAULT;
    struct iovec *iov = iov_from_guest(t->abi, a[1], a[2], true, fast, &r);
    if (!iov) {
        return r;
    }
    r = SAFE_SYSCALL(t, SYS_vmsplice, a[0], iov, a[2], a[3]);
    if (iov != fast) {
        free(iov);
    }
    return r;
}

static int64_t process_vm(Thread *t, long nr, bool local_out, const uint64_t *a)
{
    struct iovec fast[2][IOV_ON_STACK], *local, *remote = NULL;
    int64_t r = -EFAULT;
    local = iov_from_guest(t->abi, a[1], a[2], local_out, fast[0], &r);
    if (local) {
        /* Addresses in another process are meaningful when its guest base is ours. In this one, they may be of pages with
         * translated code. */
        remote = iov_from_guest(t->abi, a[3], a[4], !local_out, fast[1], &r);
    }
    if (remote) {
        r = RAW_SYSCALL(nr, a[0], local, a[2], remote, a[4], a[5]);
    }
    if (local && local != fast[0]) {
        free(local);
    }
    if (remote && remote != fast[1]) {
        free(remote);
    }
    return r;
}

int64_t sys_process_vm_readv(Thread *t, const uint64_t *a)
{
    return process_vm(t, SYS_process_vm_readv, true, a);
}

int64_t sys_process_vm_writev(Thread *t, const uint64_t *a)
{
    return process_vm(t, SYS_process_vm_writev, false, a);
}

/* -- fcntl, lseek ------------------------------------------------------------------------------------------ */

/*
 * struct flock: type, whence, start, length, pid. With 64-bit offsets it is the same on 64-bit ABIs and as struct flock64 on
 * 32-bit ones, but for alignment; `narrow`: the old one with offsets of 32 bits.
 */
static int64_t lock_call(Thread *t, int fd, int cmd, vaddr addr, bool wait, bool narrow)
{
    const Abi *abi = t->abi;
    bool be = abi->big_endian;
    unsigned n = narrow ? 4 : 8, start = narrow ? 4 : ROUND_UP(4u, (unsigned)abi->align64), pid = start + 2 * n;
    struct flock fl;
    uint8_t raw[32];
    if (!copy_from_guest(raw, addr, pid + 4)) {
        return RAW_SYSCALL(SYS_fcntl, fd, cmd, BAD_HOST_POINTER);
    }
    fl.l_type = (short)(be ? ldbe16(raw) : ldle16(raw));
    fl.l_whence = (short)(be ? ldbe16(raw + 2) : ldle16(raw + 2));
    if (narrow) {
        fl.l_start = (int32_t)abi_get32(abi, raw + start);
        fl.l_len = (int32_t)abi_get32(abi, raw + start + n);
    } else {
        fl.l_start = (off_t)abi_get64(abi, raw + start);
        fl.l_len = (off_t)abi_get64(abi, raw + start + n);
    }
    fl.l_pid = (pid_t)abi_get32(abi, raw + pid);
    int64_t r = wait ? SAFE_SYSCALL(t, SYS_fcntl, fd, cmd, &fl) : RAW_SYSCALL(SYS_fcntl, fd, cmd, &fl);
    if (r < 0 || (cmd != F_GETLK && cmd != F_OFD_GETLK)) {
        return r;
    }
    be ? stbe16(raw, (uint16_t)fl.l_type) : stle16(raw, (uint16_t)fl.l_type);
    be ? stbe16(raw + 2, (uint16_t)fl.l_whence) : stle16(raw + 2, (uint16_t)fl.l_whence);
    if (narrow) {
        if (fl.l_start > INT32_MAX || fl.l_len > INT32_MAX) {
            return -EOVERFLOW;
        }
        abi_put32(abi, raw + start, (uint64_t)fl.l_start);
        abi_put32(abi, raw + start + n, (uint64_t)fl.l_len);
    } else {
        abi_put64(abi, raw + start, (uint64_t)fl.l_start);
        abi_put64(abi, raw + start + n, (uint64_t)fl.l_len);
    }
    abi_put32(abi, raw + pid, (uint64_t)fl.l_pid);
    return copy_to_guest(addr, raw, pid + 4) ? 0 : -EFAULT;
}

/* Eight bytes, read or written. */
static int64_t fcntl_pointer(Thread *t, int fd, int cmd, vaddr addr, const char *layout)
{
    Ordered o;
    bool ok = true;
    void *p = order_inout(t, &o, addr, 8, layout, &ok);
    int64_t r = ok ? RAW_SYSCALL(SYS_fcntl, fd, cmd, p) : -EFAULT;
    return order_out(&o, r >= 0) ? r : -EFAULT;
}

int64_t sys_fcntl(Thread *t, const uint64_t *a)
{
    enum { GETLK64 = 12, SETLK64, SETLKW64 };
    int fd = (int)a[0], cmd = (int)a[1];
    bool narrow = t->abi->flock32 && cmd >= F_GETLK && cmd <= F_SETLKW;
    if (t->abi->word_bytes == 4 && cmd >= GETLK64 && cmd <= SETLKW64) {
        cmd = cmd - GETLK64 + F_GETLK;
    }
    switch (cmd) {
    case F_GETLK:
    case F_SETLK:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
        return lock_call(t, fd, cmd, a[2], false, narrow);
    case F_SETLKW:
    case F_OFD_SETLKW:
        return lock_call(t, fd, cmd, a[2], true, narrow);
    case F_GETOWN_EX:
    case F_SETOWN_EX:
        return fcntl_pointer(t, fd, cmd, a[2], "l");
    case 1035: case 1036: case 1037: case 1038: case 1039: case 1040: /* F_{GET,SET}_RW_HINT, FILE_RW_HINT */
        return fcntl_pointer(t, fd, cmd, a[2], "q");
    case F_GETFL: {
        int64_t r = RAW_SYSCALL(SYS_fcntl, fd, cmd);
        return r < 0 ? r : open_flags_to_guest(t->abi, (uint32_t)r);
    }
    case F_SETFL:
        return RAW_SYSCALL(SYS_fcntl, fd, cmd, open_flags_to_host(t->abi, (uint32_t)a[2]));
    default:
        return RAW_SYSCALL(SYS_fcntl, fd, cmd, a[2]);
    }
}

/*
 * Positions in a directory are the file system's cookies, 64 bits on a 64-bit host; C libraries of 32-bit ABIs refuse those that are no
 * 32-bit numbers. Such a position is shown as FIRST_COOKIE + its place in a table of all there have been.
 */
enum { FIRST_COOKIE = 0x40000000, MAX_COOKIES = 1 << 20 };
static struct {
    _Atomic int lock;
    VEC(int64_t) position;
    int32_t next[4096];     /* chains by hash: index + 1 of the newest, then older ones by `older` */
    VEC(int32_t) older;
} cookies;

static void cookies_lock(void)
{
    int expected = 0;
    while (!atomic_compare_exchange_weak(&cookies.lock, &expected, 1)) {
        expected = 0;
    }
}

static int64_t cookie_of(int64_t position)
{
    if (position >= 0 && position < FIRST_COOKIE) {
        return position;
    }
    cookies_lock();
    int32_t *head = &cookies.next[((uint64_t)position * 0x9e3779b97f4a7c15u) >> 52], i = *head;
    while (i && cookies.position.at[i - 1] != position) {
        i = cookies.older.at[i - 1];
    }
    if (!i && cookies.position.n < MAX_COOKIES) {
        *vec_push(&cookies.position) = position;
        *vec_push(&cookies.older) = *head;
        i = *head = (int32_t)cookies.position.n;
    }
    atomic_store(&cookies.lock, 0);
    return i ? FIRST_COOKIE + i - 1 : position;
}

static int64_t position_of(int fd, int64_t cookie)
{
    struct stat st;
    int64_t ret = cookie;
    if (cookie >= FIRST_COOKIE && cookie < FIRST_COOKIE + MAX_COOKIES && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        cookies_lock();
        if ((size_t)(cookie - FIRST_COOKIE) < cookies.position.n) {
            ret = cookies.position.at[cookie - FIRST_COOKIE];
        }
        atomic_store(&cookies.lock, 0);
    }
    return ret;
}

/* Records that the kernel has written, in a big-endian ABI's order. */
static int64_t order_dirents(Thread *t, vaddr buf, int64_t n)
{
    uint8_t head[18];

    for (int64_t at = 0; at < n;) {
        if (!copy_from_guest(head, buf + (uint64_t)at, sizeof(head))) {
            return -EFAULT;
        }
        unsigned length = ldle16(head + 16);
        if (t->abi->word_bytes == 4) {
            stle64(head + 8, (uint64_t)cookie_of((int64_t)ldle64(head + 8)));
        }
        order_fields(t->abi, head, sizeof(head), "2qw");
        if (!length || !copy_to_guest(buf + (uint64_t)at, head, sizeof(head))) {
            return -EFAULT;
        }
        at += length;
    }
    return n;
}

int64_t sys_getdents64(Thread *t, const uint64_t *a)
{
    bool ok = true;
    uint8_t *buf = guest_out(a[1], a[2], &ok);
    if (!ok) {
        return -EFAULT;
    }
    int64_t n = RAW_SYSCALL(SYS_getdents64, a[0], buf, a[2]);
    if (t->abi->big_endian) {
        return order_dirents(t, a[1], n);
    }
    /* struct linux_dirent64: inode, position, length of the record */
    for (int64_t at = 0; t->abi->word_bytes == 4 && at < n;) {
        uint64_t position;
        uint8_t length[2];
        if (!load_guest_u64(a[1] + (uint64_t)at + 8, &position) || !copy_from_guest(length, a[1] + (uint64_t)at + 16, 2) || !ldle16(length)
            || !store_guest_u64(a[1] + (uint64_t)at + 8, (uint64_t)cookie_of((int64_t)position))) {
            return -EFAULT;
        }
        at += ldle16(length);
    }
    return n;
}

/* lseek of 32-bit ABIs. */
int64_t sys_lseek32(Thread *t, const uint64_t *a)
{
    (void)t;
    int64_t pos = (int)a[2] == SEEK_SET ? position_of((int)a[0], (int64_t)a[1]) : (int64_t)a[1];
    int64_t r = RAW_SYSCALL(SYS_lseek, a[0], pos, a[2]);
    return r > INT32_MAX ? -EOVERFLOW : r;
}

int64_t sys_llseek(Thread *t, const uint64_t *a)
{
    (void)t;
    int64_t pos = (int64_t)(a[1] << 32 | (uint32_t)a[2]);
    int64_t r = RAW_SYSCALL(SYS_lseek, a[0], (int)a[4] == SEEK_SET ? position_of((int)a[0], pos) : pos, a[4]);
    if (r < 0) {
        return r;
    }
    return store_guest_u64(a[3], (uint64_t)r) ? 0 : -EFAULT;
}
