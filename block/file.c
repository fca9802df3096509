/*
 * file.c: regular files ("file") and block devices ("host_device").
 *
 * System calls that may block run in workers; a read whose data is in the page cache is done at once (RWF_NOWAIT), and so are buffered writes
 * in programs that have nothing else to do meanwhile (ioctx_allow_blocking()).
 *
 * Locks against other processes: byte 100 + p of the file has a shared lock while permission p is used, byte 200 + p while others may not use
 * it (p: 0 read, 1 write, 2 write unchanged, 3 resize). Other emulators and tools do the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/node-internal.h"
#include "softmmu/options.h"
#include "util/alloc.h"

enum { PIECES = 256, COPY_CHUNK = 16 << 20 };

typedef struct FileState {
    int fd;
    bool is_device, direct, locking, no_nowait, no_zero_range, no_punch, no_fallocate, no_seek_data, no_copy;
    unsigned locked_perm, locked_unshared;   /* bytes that are locked */
    unsigned shown_perm, shown_shared;       /* the last that was granted */
    uint64_t data_start, data_end;    /* the last extent of data SEEK_DATA found; empty: none */
} FileState;

/* -- locks ----------------------------------------------------------------------------------------------------------- */

static int lock_byte(int fd, off_t at, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
    return fcntl(fd, F_OFD_SETLK, &lock) ? errno : 0;
}

static bool taken_by_other(int fd, off_t at)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static bool lock_conflict(BlockNode *node, bool shared_side, unsigned p, Error **errp)
{
    static const char *const names[] = { "consistent read", "write", "write unchanged", "resize" };
    error_set(errp, "Failed to get %s\"%s\" lock", shared_side ? "shared " : "", names[p]);
    return false;
}

static bool file_set_perm(BlockNode *node, unsigned perm, unsigned shared, Error **errp)
{
    FileState *s = node->state;
    unsigned unshared = ~shared & PERM_ALL, want, have;
    bool ok = true;

    if (!s->locking) {
        return true;
    }
    for (unsigned side = 0; side < 2; side++) {
        want = side ? unshared : perm;
        have = side ? s->locked_unshared : s->locked_perm;
        for (unsigned p = 0; p < 4 && ok; p++) {
            if (want & ~have & 1u << p) {
                int err = lock_byte(s->fd, (side ? 200 : 100) + (off_t)p, F_RDLCK);
                if (err == EAGAIN || err == EACCES) {
                    ok = lock_conflict(node, side, p, errp);
                } else if (!err) {
                    *(side ? &s->locked_unshared : &s->locked_perm) |= 1u << p;
                }
            }
        }
    }
    for (unsigned p = 0; p < 4 && ok; p++) {
        if ((perm >> p & 1 && taken_by_other(s->fd, 200 + (off_t)p)) || (unshared >> p & 1 && taken_by_other(s->fd, 100 + (off_t)p))) {
            ok = lock_conflict(node, perm >> p & 1 && taken_by_other(s->fd, 200 + (off_t)p) ? false : true, p, errp);
        }
    }
    if (!ok) {
        perm = s->shown_perm;
        unshared = ~s->shown_shared & PERM_ALL;
    }
    for (unsigned side = 0; side < 2; side++) {
        want = side ? unshared : perm;
        have = side ? s->locked_unshared : s->locked_perm;
        for (unsigned p = 0; p < 4; p++) {
            if (have & ~want & 1u << p) {
                lock_byte(s->fd, (side ? 200 : 100) + (off_t)p, F_UNLCK);
                *(side ? &s->locked_unshared : &s->locked_perm) &= ~(1u << p);
            }
        }
    }
    if (ok) {
        s->shown_perm = perm;
        s->shown_shared = shared;
    } else if (errp && *errp && node->filename) {
        error_prepend(errp, "'%s' is in use by another process: ", node->filename);
    }
    return ok;
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

static const BlockOption file_options[] = {
    { "filename", OPTION_STRING, "File name of the image", NULL },
    { "aio", OPTION_STRING, "host AIO implementation (threads, native, io_uring)", "threads" },
    { "locking", OPTION_STRING, "file locking mode (on/off/auto)", "auto" },
    { "drop-cache", OPTION_BOOL, "invalidate page cache during live migration", "on" },
    { NULL },
};

static bool file_parse_filename(const char *filename, Json *options, Error **errp)
{
    const char *path = !strncmp(filename, "file:", 5) ? filename + 5 : !strncmp(filename, "host_device:", 12) ? filename + 12 : filename;
    json_put_string(options, "filename", path);
    return true;
}

static bool query_size(BlockNode *node, Error **errp)
{
    FileState *s = node->state;
    struct stat st;

    if (fstat(s->fd, &st)) {
        error_set_errno(errp, errno, "Could not examine '%s'", node->filename);
        return false;
    }
    if (S_ISBLK(st.st_mode)) {
        s->is_device = true;
        if (ioctl(s->fd, BLKGETSIZE64, &node->size_bytes)) {
            error_set_errno(errp, errno, "Could not get the size of '%s'", node->filename);
            return false;
        }
    } else if (S_ISCHR(st.st_mode)) {
        off_t end = lseek(s->fd, 0, SEEK_END);
        s->is_device = true;
        node->size_bytes = end > 0 ? (uint64_t)end : 0;
    } else {
        node->size_bytes = (uint64_t)st.st_size;
    }
    return true;
}

/* What O_DIRECT wants of addresses, offsets and lengths. */
static void find_alignment(BlockNode *node)
{
    FileState *s = node->state;
    int sector = 0;

    node->memory_align = s->direct ? 4096 : 512;
    node->request_align = 1;
    if (!s->direct) {
        return;
    }
    node->request_align = 4096;
    if (s->is_device && !ioctl(s->fd, BLKSSZGET, &sector) && sector >= 512 && sector <= 65536) {
        node->request_align = (uint32_t)sector;
        return;
    }
    void *buf = xmemalign(4096, 4096);
    for (unsigned align = 512; align < 4096; align *= 2) {
        if (pread(s->fd, buf, align, align) >= 0 || errno != EINVAL) {
            node->request_align = align;
            break;
        }
    }
    free(buf);
}

static bool file_open(BlockNode *node, Json *options, Error **errp)
{
    FileState *s = node->state;
    const char *path = NULL, *locking = "auto", *aio = "threads";
    bool drop;

    s->fd = -1;
    if (!opts_string(options, "filename", NULL, &path, errp) || !opts_string(options, "locking", "auto", &locking, errp) ||
        !opts_string(options, "aio", "threads", &aio, errp) || !opts_bool(options, "drop-cache", true, &drop, errp)) {
        return false;
    }
    if (!path) {
        error_set(errp, "The '%s' block driver requires a file name", node->driver->name);
        return false;
    }
    if (strcmp(aio, "threads") && strcmp(aio, "native") && strcmp(aio, "io_uring")) {
        error_set(errp, "Invalid parameter '%s' for 'aio'", aio);
        return false;
    }
    if (!node->filename) {
        node->filename = xstrdup(path);
    }
    struct stat st;
    bool device = !strcmp(node->driver->name, "host_device");
    if (!stat(path, &st) && (device ? !S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode) : !S_ISREG(st.st_mode))) {
        error_set(errp, "'%s' driver requires '%s' to be %s", node->driver->name, path, device ? "either a character or block device" : "a regular file");
        return false;
    }
    int flags = O_CLOEXEC | (node->flags & BLOCK_DIRECT ? O_DIRECT : 0);
    s->fd = open(path, flags | (node->readonly ? O_RDONLY : O_RDWR));
    if (s->fd < 0 && node->flags & BLOCK_AUTO_RDONLY && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        node->readonly = true;
        s->fd = open(path, flags | O_RDONLY);
    }
    if (s->fd < 0) {
        error_set_errno(errp, errno, "Could not open '%s'", path);
        return false;
    }
    s->direct = node->flags & BLOCK_DIRECT;
    s->locking = strcmp(locking, "off") != 0;
    s->shown_perm = 0;
    s->shown_shared = PERM_ALL;
    if (!query_size(node, errp)) {
        close(s->fd);
        return false;
    }
    s->locking &= !s->is_device;
    find_alignment(node);
    for (size_t i = 0; file_options[i].name; i++) {
        json_drop(options, file_options[i].name);
    }
    return true;
}

/* The same descriptor for a file that was opened for reading; its locks are those of the new opening. */
static bool file_set_writable(BlockNode *node, bool writable, Error **errp)
{
    FileState *s = node->state;

    if (!writable || (fcntl(s->fd, F_GETFL) & O_ACCMODE) == O_RDWR) {
        return true;
    }
    char *path = xasprintf("/proc/self/fd/%d", s->fd);
    int fd = open(path, O_RDWR | O_CLOEXEC | (s->direct ? O_DIRECT : 0));
    free(path);
    if (fd < 0) {
        error_set_errno(errp, errno, "Could not open '%s' for writing", node->filename);
        return false;
    }
    for (unsigned side = 0; side < 2; side++) {
        unsigned have = side ? s->locked_unshared : s->locked_perm;
        for (unsigned p = 0; p < 4; p++) {
            if (have >> p & 1) {
                lock_byte(fd, (side ? 200 : 100) + (off_t)p, F_RDLCK);
            }
        }
    }
    dup3(fd, s->fd, O_CLOEXEC);
    close(fd);
    return true;
}

static void file_close(BlockNode *node)
{
    FileState *s = node->state;
    close(s->fd);
}

/* -- reading and writing --------------------------------------------------------------------------------------------- */

typedef struct Transfer {
    int fd;
    bool writes;
    uint64_t offset, bytes;
    Sg sg;
} Transfer;

static int transfer(void *opaque)
{
    Transfer *t = opaque;
    struct iovec v[PIECES];

    while (t->bytes) {
        size_t covered;
        unsigned n = sg_map(t->sg, t->bytes, v, PIECES, &covered);
        ssize_t done = t->writes ? pwritev(t->fd, v, (int)n, (off_t)t->offset) : preadv(t->fd, v, (int)n, (off_t)t->offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -errno;
        }
        if (done == 0) {
            if (t->writes) {
                return -ENOSPC;
            }
            sg_zero(t->sg, t->bytes); /* behind the end */
            return 0;
        }
        t->offset += (uint64_t)done;
        t->bytes -= (uint64_t)done;
        t->sg = sg_after(t->sg, (size_t)done);
    }
    return 0;
}

/* What the page cache has, at once. True: all is done. */
static bool read_cached(FileState *s, Transfer *t)
{
    struct iovec v[64];

    while (t->bytes) {
        size_t covered;
        unsigned n = sg_map(t->sg, t->bytes, v, ARRAY_SIZE(v), &covered);
        ssize_t done = preadv2(t->fd, v, (int)n, (off_t)t->offset, RWF_NOWAIT);
        if (done <= 0) {
            s->no_nowait |= done < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL);
            return false;
        }
        t->offset += (uint64_t)done;
        t->bytes -= (uint64_t)done;
        t->sg = sg_after(t->sg, (size_t)done);
    }
    return true;
}

static int file_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    FileState *s = node->state;
    Transfer t = { s->fd, false, offset, bytes, sg };

    if (s->direct && !sg_is_aligned(sg, bytes, node->memory_align)) {
        void *buf = node_alloc(node, bytes);
        struct iovec v = { buf, bytes };
        t.sg = sg_of(&v);
        int err = co_work(transfer, &t);
        if (!err) {
            sg_store(sg, buf, bytes);
        }
        free(buf);
        return err;
    }
    if (!s->direct && !s->no_nowait && read_cached(s, &t)) {
        return 0;
    }
    return co_work(transfer, &t);
}

static void forget_extent(FileState *s)
{
    s->data_start = s->data_end = 0;
}

static int file_write(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    FileState *s = node->state;
    Transfer t = { s->fd, true, offset, bytes, sg };

    if (s->direct && !sg_is_aligned(sg, bytes, node->memory_align)) {
        void *buf = node_alloc(node, bytes);
        struct iovec v = { buf, bytes };
        sg_load(sg, buf, bytes);
        t.sg = sg_of(&v);
        int err = co_work(transfer, &t);
        free(buf);
        return err;
    }
    return !s->direct && ioctx_may_block(node->context) ? transfer(&t) : co_work(transfer, &t);
}

typedef struct Falloc {
    FileState *s;
    uint64_t offset, bytes, file_size;
    unsigned flags;
} Falloc;

static int fallocate_errno(int fd, int mode, uint64_t offset, uint64_t bytes)
{
    int ret;

    do {
        ret = fallocate(fd, mode, (off_t)offset, (off_t)bytes);
    } while (ret && errno == EINTR);
    int err = ret ? errno : 0;
    return err == EOPNOTSUPP || err == ENOSYS || err == ENODEV || err == EINVAL || err == ENOTTY ? -ENOTSUP : -err;
}

static int zero_range(void *opaque)
{
    Falloc *f = opaque;
    FileState *s = f->s;
    int err = -ENOTSUP;

    if (s->is_device) {
        uint64_t range[2] = { f->offset, f->bytes };
        if (f->flags & REQ_UNMAP && !fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->offset, (off_t)f->bytes)) {
            return 0;
        }
        return !ioctl(s->fd, BLKZEROOUT, range) ? 0 : errno == ENOTTY || errno == EINVAL ? -ENOTSUP : -errno;
    }
    /* Behind the end a longer file reads as zeros. */
    struct stat st;
    if (f->offset >= f->file_size && !fstat(s->fd, &st) && f->offset >= (uint64_t)st.st_size) {
        return ftruncate(s->fd, (off_t)(f->offset + f->bytes)) ? -errno : 0;
    }
    if (f->flags & REQ_UNMAP && !s->no_punch && f->offset + f->bytes <= f->file_size) {
        err = fallocate_errno(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, f->offset, f->bytes);
        s->no_punch = err == -ENOTSUP;
    }
    if (err == -ENOTSUP && !s->no_zero_range) {
        err = fallocate_errno(s->fd, FALLOC_FL_ZERO_RANGE, f->offset, f->bytes);
        s->no_zero_range = err == -ENOTSUP;
    }
    if (err == -ENOTSUP && !s->no_punch && !s->no_fallocate && f->offset + f->bytes <= f->file_size) {
        err = fallocate_errno(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, f->offset, f->bytes);
        s->no_punch = err == -ENOTSUP;
        if (!err) {
            err = fallocate_errno(s->fd, 0, f->offset, f->bytes);
            if (err == -ENOTSUP) {
                s->no_fallocate = true;
                err = 0; /* a hole reads as zeros */
            }
        }
    }
    return err;
}

static int file_zero(BlockNode *node, uint64_t offset, uint64_t bytes, unsigned flags)
{
    FileState *s = node->state;
    Falloc f = { s, offset, bytes, node->size_bytes, flags };

    forget_extent(s);
    return co_work(zero_range, &f);
}

static int punch(void *opaque)
{
    Falloc *f = opaque;
    return fallocate_errno(f->s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, f->offset, f->bytes);
}

static int file_discard(BlockNode *node, uint64_t offset, uint64_t bytes)
{
    FileState *s = node->state;
    Falloc f = { s, offset, bytes, node->size_bytes, 0 };

    if (s->no_punch) {
        return -ENOTSUP;
    }
    forget_extent(s);
    int err = co_work(punch, &f);
    s->no_punch = err == -ENOTSUP;
    return err;
}

static int sync_file(void *opaque)
{
    const FileState *s = opaque;
    return fdatasync(s->fd) ? -errno : 0;
}

static int file_flush(BlockNode *node)
{
    return node->flags & BLOCK_NO_FLUSH ? 0 : co_work(sync_file, node->state);
}

/* -- size ------------------------------------------------------------------------------------------------------------ */

typedef struct Resize {
    FileState *s;
    uint64_t old, bytes;
    Prealloc prealloc;
    const char *what;
} Resize;

static int write_zeroes_from(int fd, uint64_t offset, uint64_t end)
{
    enum { CHUNK = 1 << 20 };
    char *buf = xcalloc(1, CHUNK);
    int err = 0;

    while (offset < end && !err) {
        ssize_t done = pwrite(fd, buf, MIN(end - offset, (uint64_t)CHUNK), (off_t)offset);
        err = done < 0 && errno != EINTR ? -errno : 0;
        offset += done > 0 ? (uint64_t)done : 0;
    }
    free(buf);
    return err;
}

static int resize(void *opaque)
{
    Resize *r = opaque;
    int fd = r->s->fd, err = 0;

    if (r->prealloc == PREALLOC_FALLOC && r->bytes > r->old) {
        r->what = "Could not preallocate data for the new file";
        err = posix_fallocate(fd, (off_t)r->old, (off_t)(r->bytes - r->old));
        err = -err;
    } else {
        r->what = "Could not resize file";
        err = ftruncate(fd, (off_t)r->bytes) ? -errno : 0;
        if (!err && r->prealloc == PREALLOC_FULL && r->bytes > r->old) {
            r->what = "Could not write zeros for preallocation";
            err = write_zeroes_from(fd, r->old, r->bytes);
        }
    }
    if (err && r->bytes > r->old && ftruncate(fd, (off_t)r->old)) {
        /* It stays as long as it got. */
    }
    return err;
}

static int file_truncate(BlockNode *node, uint64_t bytes, bool exact, Prealloc prealloc, Error **errp)
{
    FileState *s = node->state;
    Resize r = { s, node->size_bytes, bytes, prealloc, NULL };

    forget_extent(s);
    if (s->is_device) {
        if (bytes > node->size_bytes || (exact && bytes != node->size_bytes)) {
            error_set(errp, bytes > node->size_bytes ? "Cannot grow device files" : "Cannot resize device files");
            return bytes > node->size_bytes ? -EINVAL : -ENOTSUP;
        }
        return 0;
    }
    if (prealloc == PREALLOC_METADATA) {
        error_set(errp, "Preallocation mode 'metadata' unsupported for file '%s'", node->filename);
        return -ENOTSUP;
    }
    if (bytes < node->size_bytes && prealloc != PREALLOC_OFF) {
        error_set(errp, "Preallocation can't be used for shrinking files");
        return -ENOTSUP;
    }
    int err = co_work(resize, &r);
    if (err) {
        error_set_errno(errp, -err, "%s", r.what);
    }
    return err;
}

/* -- extents --------------------------------------------------------------------------------------------------------- */

static int file_status(BlockNode *node, uint64_t offset, uint64_t bytes, BlockStatus *ret)
{
    FileState *s = node->state;
    uint64_t size = node->size_bytes;

    *ret = (BlockStatus){ .flags = STATUS_DATA | STATUS_MAPPED, .bytes = bytes, .map_offset = offset, .map_node = node };
    if (s->is_device || s->no_seek_data) {
        return 0;
    }
    if (offset < s->data_start || offset >= s->data_end) {
        off_t data = lseek(s->fd, (off_t)offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            struct stat st;
            if (fstat(s->fd, &st) || offset >= (uint64_t)st.st_size) {
                return 0;
            }
            data = (off_t)MAX((uint64_t)st.st_size, size); /* a hole up to the end */
        } else if (data < 0) {
            s->no_seek_data = true;
            return 0;
        }
        if ((uint64_t)data > offset) {
            ret->flags = STATUS_ZERO | STATUS_MAPPED;
            ret->bytes = MIN(bytes, (uint64_t)data - offset);
            return 0;
        }
        off_t hole = lseek(s->fd, (off_t)offset, SEEK_HOLE);
        if (hole < 0) {
            return 0;
        }
        s->data_start = offset;
        s->data_end = (uint64_t)hole;
    }
    ret->bytes = s->data_end > offset ? MIN(bytes, s->data_end - offset) : bytes;
    if (ret->bytes & (node->request_align - 1)) {
        ret->bytes = ROUND_UP(ret->bytes, (uint64_t)node->request_align);
    }
    return 0;
}

typedef struct Copy {
    int from, to;
    uint64_t from_offset, to_offset, bytes;
} Copy;

static int copy_range(void *opaque)
{
    Copy *c = opaque;

    while (c->bytes) {
        off_t from = (off_t)c->from_offset, to = (off_t)c->to_offset;
        ssize_t done = copy_file_range(c->from, &from, c->to, &to, MIN(c->bytes, (uint64_t)COPY_CHUNK), 0);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done == 0 || errno == EXDEV || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP || errno == EBADF ||
                   errno == EPERM || errno == ETXTBSY ? -ENOTSUP : -errno;
        }
        c->from_offset += (uint64_t)done;
        c->to_offset += (uint64_t)done;
        c->bytes -= (uint64_t)done;
    }
    return 0;
}

static int file_copy(BlockNode *from, uint64_t from_offset, BlockNode *to, uint64_t to_offset, uint64_t bytes, unsigned flags)
{
    FileState *s = to->state;

    if (from->driver->co_copy != file_copy || s->no_copy || s->is_device) {
        return -ENOTSUP;
    }
    Copy c = { ((FileState *)from->state)->fd, s->fd, from_offset, to_offset, bytes };
    forget_extent(s);
    int err = ioctx_may_block(to->context) ? copy_range(&c) : co_work(copy_range, &c);
    s->no_copy = err == -ENOTSUP;
    if (!err && to_offset + bytes > to->size_bytes) {
        to->size_bytes = to_offset + bytes;
    }
    return err;
}

static uint64_t file_allocated_bytes(BlockNode *node)
{
    const FileState *s = node->state;
    struct stat st;
    return fstat(s->fd, &st) ? UINT64_MAX : (uint64_t)st.st_blocks * 512;
}

/* -- creating -------------------------------------------------------------------------------------------------------- */

static const BlockOption file_create_options[] = {
    { "size", OPTION_SIZE, "Virtual disk size", NULL },
    { "nocow", OPTION_BOOL, "Turn off copy-on-write (valid only on btrfs)", NULL },
    { "preallocation", OPTION_STRING, "Preallocation mode (allowed values: off, falloc, full)", "off" },
    { "extent_size_hint", OPTION_SIZE, "Extent size hint for the image file, 0 to disable", "1M" },
    { NULL },
};

static bool file_create(const char *filename, const Json *options, Error **errp)
{
    const char *path = !strncmp(filename, "file:", 5) ? filename + 5 : filename, *mode = "off";
    uint64_t size = 0;
    bool nocow = false;
    Prealloc prealloc = PREALLOC_OFF;

    if (!opts_size(options, "size", 0, &size, errp) || !opts_string(options, "preallocation", "off", &mode, errp) ||
        !opts_bool(options, "nocow", false, &nocow, errp)) {
        return false;
    }
    while (prealloc_names[prealloc] && strcmp(prealloc_names[prealloc], mode)) {
        prealloc++;
    }
    if (!prealloc_names[prealloc] || prealloc == PREALLOC_METADATA) {
        error_set(errp, "Invalid parameter '%s'", mode);
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        error_set_errno(errp, errno, "Could not create '%s'", path);
        return false;
    }
    /* Somebody who has the file open must not find it gone. */
    for (unsigned p = 0; p < 4; p++) {
        if ((p == 1 || p == 3) && (taken_by_other(fd, 100 + (off_t)p) || taken_by_other(fd, 200 + (off_t)p))) {
            error_set(errp, "'%s': Failed to get \"%s\" lock", path, p == 1 ? "write" : "resize");
            close(fd);
            return false;
        }
    }
    int attr = 0;
    if (nocow && !ioctl(fd, FS_IOC_GETFLAGS, &attr)) {
        attr |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &attr);
    }
    FileState s = { .fd = fd };
    Resize r = { &s, 0, size, prealloc, NULL };
    int err = ftruncate(fd, 0) ? -errno : 0;
    r.what = "Could not resize file";
    err = err ? err : resize(&r);
    if (err) {
        error_set_errno(errp, -err, "%s", r.what);
    }
    close(fd);
    return !err;
}

const BlockDriver block_file = {
    .name = "file", .protocol = "file", .summary = "regular files", .kind = DRIVER_PROTOCOL, .state_bytes = sizeof(FileState),
    .options = file_options, .create_options = file_create_options, .zero_init = true,
    .parse_filename = file_parse_filename, .open = file_open, .set_writable = file_set_writable, .close = file_close, .create = file_create, .set_perm = file_set_perm,
    .co_read = file_read, .co_write = file_write, .co_zero = file_zero, .co_discard = file_discard, .co_flush = file_flush,
    .co_truncate = file_truncate, .co_status = file_status, .co_copy = file_copy, .allocated_bytes = file_allocated_bytes,
};

const BlockDriver block_host_device = {
    .name = "host_device", .protocol = "host_device", .summary = "block devices of the host", .kind = DRIVER_PROTOCOL, .state_bytes = sizeof(FileState),
    .options = file_options, .parse_filename = file_parse_filename, .open = file_open, .set_writable = file_set_writable, .close = file_close, .set_perm = file_set_perm,
    .co_read = file_read, .co_write = file_write, .co_zero = file_zero, .co_discard = file_discard, .co_flush = file_flush,
    .co_truncate = file_truncate, .co_status = file_status, .co_copy = file_copy,
};
