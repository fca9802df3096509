/*
 * backend.c: raw disks behind BlockBackend: options, worker threads, requests.
 *
 * Leaves out: image formats, node graphs, jobs (the block layer proper). What is asked of those ends with an error that
 * says so.
 *
 * Threads: requests are made and completed under the device lock; workers do the system calls and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "softmmu/loop.h"
#include "softmmu/options.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { BLOCK_WORKERS = 16 };

typedef enum RequestKind { REQ_READ, REQ_WRITE, REQ_FLUSH, REQ_DISCARD, REQ_ZERO } RequestKind;

typedef struct Request {
    struct Request *next;
    BlockBackend *blk;
    RequestKind kind;
    unsigned flags;
    uint64_t offset, bytes;
    struct iovec *iov;
    unsigned n_iov;
    int result;
    BlockDone *done;
    void *opaque;
} Request;

struct BlockBackend {
    BlockBackend *next;
    char *id, *filename, *interface, *owner;
    unsigned index;
    bool is_blockdev;          /* by -blockdev: the id is a node name */
    int fd;                    /* -1: null-co */
    bool readonly, direct, no_flush, writeback, discard, is_device, throwaway;
    uint64_t size_bytes, window;  /* window: first byte in the file */
    unsigned in_flight;
    uint64_t reads, writes, read_bytes, write_bytes, flushes;
};

static BlockBackend *backends;

/* -- workers ------------------------------------------------------------------------------------------------- */

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work = PTHREAD_COND_INITIALIZER;
static Request *pool_first, **pool_last = &pool_first;
static Request *finished_first, **finished_last = &finished_first;
static unsigned pool_threads, pool_idle;
static BottomHalf *finished_bh;

/* Reads past the end give zeros; a short write is continued. 0 or negative errno. */
static int transfer(int fd, RequestKind kind, const struct iovec *iov, unsigned n, uint64_t offset)
{
    struct iovec part[64];
    size_t skip = 0;

    while (n) {
        unsigned count = MIN(n, ARRAY_SIZE(part));
        memcpy(part, iov, count * sizeof(*part));
        part[0].iov_base = (char *)part[0].iov_base + skip;
        part[0].iov_len -= skip;
        ssize_t done = kind == REQ_READ ? preadv(fd, part, (int)count, (off_t)offset)
                                        : pwritev(fd, part, (int)count, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -errno;
        }
        if (done == 0 && kind == REQ_READ) {
            for (unsigned i = 0; i < count; i++) {
                memset(part[i].iov_base, 0, part[i].iov_len);
                done += (ssize_t)part[i].iov_len;
            }
        } else if (done == 0 && part[0].iov_len) {
            return -ENOSPC;
        }
        offset += (uint64_t)done;
        skip += (size_t)done;
        while (n && skip >= iov->iov_len) {
            skip -= iov->iov_len;
            iov++;
            n--;
        }
    }
    return 0;
}

static int write_zeroes(const Request *req)
{
    static const uint8_t zeroes[65536];
    int fd = req->blk->fd;
    uint64_t at = req->offset, left = req->bytes;
    int mode = req->flags & BLOCK_UNMAP ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
                                        : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

    if (!fallocate(fd, mode, (off_t)at, (off_t)left)) {
        return 0;
    }
    while (left) {
        struct iovec v = { (void *)zeroes, MIN(left, sizeof(zeroes)) };
        int err = transfer(fd, REQ_WRITE, &v, 1, at);
        if (err) {
            return err;
        }
        at += v.iov_len;
        left -= v.iov_len;
    }
    return 0;
}

static int carry_out(const Request *req)
{
    BlockBackend *blk = req->blk;
    int err = 0;

    if (blk->fd < 0) { /* null-co */
        for (unsigned i = 0; req->kind == REQ_READ && i < req->n_iov; i++) {
            memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
        }
        return 0;
    }
    switch (req->kind) {
    case REQ_READ:
        return transfer(blk->fd, REQ_READ, req->iov, req->n_iov, req->offset);
    case REQ_WRITE:
        err = transfer(blk->fd, REQ_WRITE, req->iov, req->n_iov, req->offset);
        break;
    case REQ_FLUSH:
        return blk->no_flush || !fdatasync(blk->fd) ? 0 : -errno;
    case REQ_DISCARD:
        if (blk->discard && fallocate(blk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)req->offset,
                                      (off_t)req->bytes) && errno != EOPNOTSUPP && errno != ENOSYS) {
            return -errno;
        }
        return 0;
    case REQ_ZERO:
        err = write_zeroes(req);
        break;
    }
    if (!err && (!blk->writeback || (req->flags & BLOCK_FUA)) && !blk->no_flush && fdatasync(blk->fd)) {
        err = -errno;
    }
    return err;
}

static void *worker(void *arg)
{
    pthread_mutex_lock(&pool_lock);
    for (;;) {
        while (!pool_first) {
            pool_idle++;
            pthread_cond_wait(&pool_work, &pool_lock);
            pool_idle--;
        }
        Request *req = pool_first;
        pool_first = req->next;
        if (!pool_first) {
            pool_last = &pool_first;
        }
        pthread_mutex_unlock(&pool_lock);
        req->result = carry_out(req);
        pthread_mutex_lock(&pool_lock);
        req->next = NULL;
        *finished_last = req;
        finished_last = &req->next;
        bh_schedule(finished_bh);
    }
    return NULL;
}

/* In the main loop: completes what workers have finished. */
static void complete_finished(void *opaque)
{
    pthread_mutex_lock(&pool_lock);
    Request *req = finished_first;
    finished_first = NULL;
    finished_last = &finished_first;
    pthread_mutex_unlock(&pool_lock);
    while (req) {
        Request *next = req->next;
        req->blk->in_flight--;
        req->done(req->opaque, req->result);
        free(req->iov);
        free(req);
        req = next;
    }
}

static void submit(BlockBackend *blk, RequestKind kind, uint64_t offset, uint64_t bytes, const struct iovec *iov,
                   unsigned n, unsigned flags, BlockDone *done, void *opaque)
{
    Request *req = xnew(Request);
    pthread_t id;
    pthread_attr_t attr;

    *req = (Request){ .blk = blk, .kind = kind, .flags = flags, .offset = offset + blk->window, .bytes = bytes,
                      .n_iov = n, .done = done, .opaque = opaque };
    req->iov = xmemdup(iov, n * sizeof(*iov));
    blk->in_flight++;
    if (!finished_bh) {
        finished_bh = bh_new(loop_main(), complete_finished, NULL);
    }
    pthread_mutex_lock(&pool_lock);
    *pool_last = req;
    pool_last = &req->next;
    if (!pool_idle && pool_threads < BLOCK_WORKERS) {
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        if (!pthread_create(&id, &attr, worker, NULL)) {
            pool_threads++;
        }
        pthread_attr_destroy(&attr);
    }
    pthread_cond_signal(&pool_work);
    pthread_mutex_unlock(&pool_lock);
}

/* -- requests -------------------------------------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, unsigned n)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

static bool in_range(const BlockBackend *blk, uint64_t offset, uint64_t bytes)
{
    return offset <= blk->size_bytes && bytes <= blk->size_bytes - offset;
}

void block_readv(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, BlockDone *done, void *opaque)
{
    size_t bytes = iov_bytes(iov, n);

    if (!in_range(blk, offset, bytes)) {
        done(opaque, -EIO);
        return;
    }
    blk->reads++;
    blk->read_bytes += bytes;
    submit(blk, REQ_READ, offset, bytes, iov, n, 0, done, opaque);
}

void block_writev(BlockBackend *blk, uint64_t offset, const struct iovec *iov, unsigned n, unsigned flags,
                  BlockDone *done, void *opaque)
{
    size_t bytes = iov_bytes(iov, n);

    if (blk->readonly || !in_range(blk, offset, bytes)) {
        done(opaque, blk->readonly ? -EPERM : -EIO);
        return;
    }
    blk->writes++;
    blk->write_bytes += bytes;
    submit(blk, REQ_WRITE, offset, bytes, iov, n, flags, done, opaque);
}

void block_flush(BlockBackend *blk, BlockDone *done, void *opaque)
{
    blk->flushes++;
    submit(blk, REQ_FLUSH, 0, 0, NULL, 0, 0, done, opaque);
}

void block_discard(BlockBackend *blk, uint64_t offset, uint64_t bytes, BlockDone *done, void *opaque)
{
    if (blk->readonly || !in_range(blk, offset, bytes)) {
        done(opaque, blk->readonly ? -EPERM : -EIO);
        return;
    }
    submit(blk, REQ_DISCARD, offset, bytes, NULL, 0, 0, done, opaque);
}

void block_write_zeroes(BlockBackend *blk, uint64_t offset, uint64_t bytes, unsigned flags, BlockDone *done, void *opaque)
{
    if (blk->readonly || !in_range(blk, offset, bytes)) {
        done(opaque, blk->readonly ? -EPERM : -EIO);
        return;
    }
    submit(blk, REQ_ZERO, offset, bytes, NULL, 0, flags, done, opaque);
}

void block_drain(BlockBackend *blk)
{
    while (blk->in_flight) {
        complete_finished(NULL);
        if (blk->in_flight) {
            usleep(100);
        }
    }
}

void block_drain_all(void)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        block_drain(blk);
    }
}

int block_pread(BlockBackend *blk, uint64_t offset, void *buf, size_t bytes)
{
    struct iovec v = { buf, bytes };

    if (!in_range(blk, offset, bytes)) {
        return -EIO;
    }
    if (blk->fd < 0) {
        memset(buf, 0, bytes);
        return 0;
    }
    return transfer(blk->fd, REQ_READ, &v, 1, offset + blk->window);
}

int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, size_t bytes)
{
    struct iovec v = { (void *)buf, bytes };

    if (blk->readonly || !in_range(blk, offset, bytes)) {
        return blk->readonly ? -EPERM : -EIO;
    }
    return blk->fd < 0 ? 0 : transfer(blk->fd, REQ_WRITE, &v, 1, offset + blk->window);
}

const char *block_id(const BlockBackend *blk) { return blk->id; }
uint64_t block_size_bytes(const BlockBackend *blk) { return blk->size_bytes; }
bool block_is_readonly(const BlockBackend *blk) { return blk->readonly; }
bool block_has_write_cache(const BlockBackend *blk) { return blk->writeback; }

/* -- opening ------------------------------------------------------------------------------------------------------ */

/* Formats told by their first bytes: opening one as raw by accident would hand the guest the container. */
static const char *probe_format(int fd)
{
    uint8_t head[512] = { 0 };

    if (pread(fd, head, sizeof(head), 0) < 4) {
        return "raw";
    }
    static const struct { const char *format, *magic; unsigned len; } magics[] = {
        { "qcow2", "QFI\xfb", 4 }, { "qed", "QED\0", 4 }, { "vmdk", "KDMV", 4 }, { "vmdk", "# Disk DescriptorFile", 21 },
        { "vpc", "conectix", 8 }, { "vhdx", "vhdxfile", 8 }, { "luks", "LUKS\xba\xbe", 6 },
        { "parallels", "WithoutFreeSpace", 16 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (!memcmp(head, magics[i].magic, magics[i].len)) {
            return magics[i].format;
        }
    }
    return ldle32(head + 64) == 0xbeda107f ? "vdi" : "raw";
}

/*
 * Byte-range locks that other emulators and tools understand too: a shared lock on byte 100 + p says "I use permission
 * p", on 200 + p "others may not". Permissions: 0 consistent read, 1 write, 3 resize.
 */
static bool lock_image(int fd, bool writes, Error **errp, const char *filename)
{
    unsigned used = writes ? 1u << 0 | 1u << 1 | 1u << 3 : 1u << 0, unshared = writes ? 1u << 1 | 1u << 3 : 1u << 1;

    for (unsigned p = 0; p < 4; p++) {
        for (unsigned side = 0; side < 2; side++) {
            if ((side ? unshared : used) >> p & 1) {
                struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (side ? 200 : 100) + (off_t)p, .l_len = 1 };
                if (fcntl(fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES)) {
                    goto busy;
                }
            }
        }
    }
    for (unsigned p = 0; p < 4; p++) {
        for (unsigned side = 0; side < 2; side++) {
            if ((side ? unshared : used) >> p & 1) {
                struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (side ? 100 : 200) + (off_t)p, .l_len = 1 };
                if (!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK) {
                    goto busy;
                }
            }
        }
    }
    return true;
busy:
    error_set(errp, "'%s' is in use by another process%s", filename, writes ? " (its \"write\" lock is taken)" : "");
    return false;
}

static bool open_file(BlockBackend *blk, const char *filename, const char *format, Error **errp)
{
    int flags = (blk->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | (blk->direct ? O_DIRECT : 0);
    struct stat st;

    blk->fd = open(filename, flags);
    if (blk->fd < 0) {
        error_set_errno(errp, errno, "Could not open '%s'", filename);
        return false;
    }
    if (fstat(blk->fd, &st)) {
        error_set_errno(errp, errno, "Could not examine '%s'", filename);
        return false;
    }
    if (S_ISBLK(st.st_mode)) {
        blk->is_device = true;
        if (ioctl(blk->fd, BLKGETSIZE64, &blk->size_bytes)) {
            error_set_errno(errp, errno, "Could not get the size of '%s'", filename);
            return false;
        }
    } else if (S_ISREG(st.st_mode)) {
        blk->size_bytes = (uint64_t)st.st_size;
    } else {
        error_set(errp, "'%s' is neither a regular file nor a block device", filename);
        return false;
    }
    const char *found = probe_format(blk->fd);
    if (!format && strcmp(found, "raw")) {
        error_set(errp, "'%s' is a %s image: this format is not supported yet", filename, found);
        return false;
    }
    return lock_image(blk->fd, !blk->readonly, errp, filename);
}

static void backend_free(BlockBackend *blk)
{
    if (blk->fd >= 0) {
        close(blk->fd);
    }
    free(blk->id);
    free(blk->filename);
    free(blk->interface);
    free(blk->owner);
    free(blk);
}

static void backend_link(BlockBackend *blk)
{
    BlockBackend **at = &backends;
    while (*at) {
        at = &(*at)->next;
    }
    *at = blk;
}

static bool set_cache(BlockBackend *blk, const char *cache, Error **errp)
{
    static const struct { const char *name; bool writeback, direct, no_flush; } modes[] = {
        { "writeback", true, false, false }, { "none", true, true, false }, { "unsafe", true, false, true },
        { "writethrough", false, false, false }, { "directsync", false, true, false },
        { "off", true, true, false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(cache, modes[i].name)) {
            blk->writeback = modes[i].writeback;
            blk->direct = modes[i].direct;
            blk->no_flush = modes[i].no_flush;
            return true;
        }
    }
    error_set(errp, "invalid cache mode '%s'", cache);
    return false;
}

static bool check_format(const char *format, Error **errp)
{
    if (format && strcmp(format, "raw") && strcmp(format, "host_device") && strcmp(format, "file")) {
        error_set(errp, "image format '%s' is not supported yet", format);
        return false;
    }
    return true;
}

bool drive_add(const char *text, const char *default_if, Error **errp)
{
    static const char *const known[] = {
        "id", "file", "if", "index", "bus", "unit", "media", "format", "cache", "aio", "readonly", "read-only", "snapshot",
        "discard", "detect-zeroes", "werror", "rerror", "serial", "copy-on-read", "driver", NULL,
    };
    static const char *const interfaces[] = { "none", "virtio", "pflash", "ide", "scsi", "sd", "mtd", "floppy", "xen" };
    Json *opts = opts_parse(text, NULL, errp);
    const char *file = NULL, *id = NULL, *interface = NULL, *format = NULL, *cache = NULL, *media = NULL, *discard = NULL;
    bool readonly = false, snapshot = false, ok = false;
    uint64_t index = UINT64_MAX;
    BlockBackend *blk = NULL;
    size_t i = 0;

    if (!opts || !opts_check(opts, "-drive", known, errp)) {
        goto out;
    }
    if (!opts_string(opts, "file", NULL, &file, errp) || !opts_string(opts, "id", NULL, &id, errp) ||
        !opts_string(opts, "if", default_if ? default_if : "none", &interface, errp) ||
        !opts_string(opts, "format", NULL, &format, errp) || !opts_string(opts, "cache", "writeback", &cache, errp) ||
        !opts_string(opts, "media", "disk", &media, errp) || !opts_string(opts, "discard", "ignore", &discard, errp) ||
        !opts_bool(opts, "snapshot", false, &snapshot, errp) || !opts_uint(opts, "index", UINT64_MAX, &index, errp)) {
        goto out;
    }
    if (!opts_bool(opts, opts_is_set(opts, "readonly") ? "readonly" : "read-only", !strcmp(media, "cdrom"), &readonly, errp)) {
        goto out;
    }
    while (i < ARRAY_SIZE(interfaces) && strcmp(interfaces[i], interface)) {
        i++;
    }
    if (i == ARRAY_SIZE(interfaces)) {
        error_set(errp, "unsupported bus type '%s'", interface);
        goto out;
    }
    if (!file) {
        error_set(errp, "-drive needs file=");
        goto out;
    }
    if (snapshot) {
        error_set(errp, "snapshot=on is not supported yet");
        goto out;
    }
    if (!check_format(format, errp)) {
        goto out;
    }
    if (index == UINT64_MAX) {
        index = 0;
        for (BlockBackend *b = backends; b; b = b->next) {
            if (b->interface && !strcmp(b->interface, interface)) {
                index = MAX(index, b->index + 1u);
            }
        }
    }
    char *made = id ? NULL : xasprintf("%s%s%u", interface, !strcmp(media, "cdrom") ? "-cd" : strcmp(interface, "none") ? "" : "-hd",
                                       (unsigned)index);
    blk = xnew(BlockBackend);
    blk->fd = -1;
    blk->id = made ? made : xstrdup(id);
    blk->filename = xstrdup(file);
    blk->interface = xstrdup(interface);
    blk->index = (unsigned)index;
    blk->readonly = readonly;
    blk->discard = !strcmp(discard, "unmap") || !strcmp(discard, "on");
    if (block_find(blk->id)) {
        error_set(errp, "duplicate drive id '%s'", blk->id);
        goto out;
    }
    ok = set_cache(blk, cache, errp) && open_file(blk, file, format, errp);
out:
    if (ok) {
        backend_link(blk);
    } else if (blk) {
        backend_free(blk);
    }
    json_free(opts);
    return ok;
}

/* A node and, for raw, the file node under it: {"driver": "raw", "file": {"driver": "file", "filename": …}}. */
static bool blockdev_file(BlockBackend *blk, const Json *options, Error **errp)
{
    const char *driver = NULL, *filename = NULL;
    uint64_t offset = 0, size = UINT64_MAX;
    Json *file = json_get(options, "file");
    bool readonly;

    if (!opts_string(options, "driver", NULL, &driver, errp) || !driver) {
        if (!driver) {
            error_set(errp, "a block node needs 'driver'");
        }
        return false;
    }
    if (!opts_bool(options, "read-only", blk->readonly, &readonly, errp)) {
        return false;
    }
    blk->readonly = readonly;
    if (!strcmp(driver, "null-co") || !strcmp(driver, "null-aio")) {
        return opts_size(options, "size", 1 * GiB, &blk->size_bytes, errp);
    }
    if (!strcmp(driver, "file") || !strcmp(driver, "host_device")) {
        if (!opts_string(options, "filename", NULL, &filename, errp) || !filename) {
            error_set(filename ? NULL : errp, "driver '%s' needs 'filename'", driver);
            return false;
        }
        free(blk->filename);
        blk->filename = xstrdup(filename);
        return open_file(blk, filename, "raw", errp);
    }
    if (strcmp(driver, "raw")) {
        error_set(errp, "block driver '%s' is not supported yet", driver);
        return false;
    }
    if (!file || !opts_size(options, "offset", 0, &offset, errp) || !opts_size(options, "size", UINT64_MAX, &size, errp)) {
        if (!file) {
            error_set(errp, "driver 'raw' needs 'file'");
        }
        return false;
    }
    if (json_is(file, JSON_STRING)) {
        BlockBackend *below = block_find(json_as_string(file));
        if (!below) {
            error_set(errp, "no block node '%s'", json_as_string(file));
            return false;
        }
        blk->fd = below->fd >= 0 ? fcntl(below->fd, F_DUPFD_CLOEXEC, 3) : -1;
        blk->size_bytes = below->size_bytes;
        blk->readonly |= below->readonly;
        blk->window = below->window;
        free(blk->filename);
        blk->filename = xstrdup(below->filename ? below->filename : "");
    } else if (!blockdev_file(blk, file, errp)) {
        return false;
    }
    if (offset > blk->size_bytes || (size != UINT64_MAX && size > blk->size_bytes - offset)) {
        error_set(errp, "the window of 'raw' is larger than '%s'", blk->filename);
        return false;
    }
    blk->window += offset;
    blk->size_bytes = size != UINT64_MAX ? size : blk->size_bytes - offset;
    return true;
}

bool blockdev_add(const Json *options, Error **errp)
{
    BlockBackend *blk = xnew(BlockBackend);
    const char *name = NULL, *discard = NULL;
    Json *cache = json_get(options, "cache");

    blk->fd = -1;
    blk->is_blockdev = true;
    blk->writeback = true;
    if (!opts_string(options, "node-name", NULL, &name, errp) || !opts_string(options, "discard", "ignore", &discard, errp)) {
        goto fail;
    }
    if (!name || !options_id_ok(name)) {
        error_set(errp, "a block node needs a valid 'node-name'");
        goto fail;
    }
    if (block_find(name)) {
        error_set(errp, "duplicate block node name '%s'", name);
        goto fail;
    }
    blk->id = xstrdup(name);
    blk->discard = !strcmp(discard, "unmap") || !strcmp(discard, "on");
    if (cache && (!opts_bool(cache, "direct", false, &blk->direct, errp) || !opts_bool(cache, "no-flush", false, &blk->no_flush, errp))) {
        goto fail;
    }
    if (!blockdev_file(blk, options, errp)) {
        goto fail;
    }
    backend_link(blk);
    return true;
fail:
    backend_free(blk);
    return false;
}

bool blockdev_del(const char *node_name, Error **errp)
{
    for (BlockBackend **at = &backends; *at; at = &(*at)->next) {
        BlockBackend *blk = *at;
        if (blk->is_blockdev && !strcmp(blk->id, node_name)) {
            if (blk->owner) {
                error_set(errp, "block node '%s' is in use by '%s'", node_name, blk->owner);
                return false;
            }
            block_drain(blk);
            *at = blk->next;
            backend_free(blk);
            return true;
        }
    }
    error_set(errp, "no block node '%s'", node_name);
    return false;
}

BlockBackend *block_find(const char *id_or_node)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (!strcmp(blk->id, id_or_node)) {
            return blk;
        }
    }
    return NULL;
}

BlockBackend *drive_get(const char *interface, unsigned index)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (blk->interface && !strcmp(blk->interface, interface) && blk->index == index && !blk->owner) {
            return blk;
        }
    }
    return NULL;
}

void drive_foreach(const char *interface, void (*fn)(BlockBackend *blk, void *opaque), void *opaque)
{
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (blk->interface && !strcmp(blk->interface, interface) && !blk->owner) {
            fn(blk, opaque);
        }
    }
}

bool block_attach(BlockBackend *blk, const char *owner, bool writes, Error **errp)
{
    if (blk->owner) {
        error_set(errp, "drive '%s' is already in use by '%s'", blk->id, blk->owner);
        return false;
    }
    if (writes && blk->readonly) {
        error_set(errp, "drive '%s' is read-only", blk->id);
        return false;
    }
    blk->owner = xstrdup(owner);
    return true;
}

void block_detach(BlockBackend *blk)
{
    block_drain(blk);
    free(blk->owner);
    blk->owner = NULL;
}

Json *block_query(void)
{
    Json *list = json_array();

    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        Json *entry = json_object();
        json_put_string(entry, "device", blk->is_blockdev ? "" : blk->id);
        json_put_string(entry, "type", "unknown");
        json_put_bool(entry, "locked", false);
        json_put_bool(entry, "removable", false);
        if (blk->owner) {
            json_put_string(entry, "qdev", blk->owner);
        }
        Json *inserted = json_object(), *image = json_object();
        json_put_string(inserted, "file", blk->filename ? blk->filename : "null-co://");
        json_put_string(inserted, "drv", "raw");
        json_put_bool(inserted, "ro", blk->readonly);
        json_put_bool(inserted, "encrypted", false);
        if (blk->is_blockdev) {
            json_put_string(inserted, "node-name", blk->id);
        }
        json_put_string(image, "filename", blk->filename ? blk->filename : "null-co://");
        json_put_string(image, "format", "raw");
        json_put_uint(image, "virtual-size", blk->size_bytes);
        json_put(inserted, "image", image);
        json_put(entry, "inserted", inserted);
        json_push(list, entry);
    }
    return list;
}

static void put_counts(Json *stats, const char *const *names, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++) {
        json_put_uint(stats, names[i], value);
    }
}

/* What has been asked of each disk; times and merges are not measured. */
Json *block_query_stats(bool nodes)
{
    static const char *const none[] = {
        "unmap_operations", "unmap_merged", "unmap_bytes", "unmap_total_time_ns", "flush_total_time_ns", "wr_total_time_ns",
        "rd_total_time_ns", "wr_merged", "rd_merged", "wr_highest_offset", "failed_wr_operations", "failed_rd_operations",
        "failed_unmap_operations", "failed_flush_operations", "invalid_wr_operations", "invalid_rd_operations",
        "invalid_unmap_operations", "invalid_flush_operations",
    };
    Json *list = json_array();

    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (!nodes && blk->is_blockdev && !blk->owner) {
            continue;
        }
        Json *entry = json_object(), *stats = json_object();
        if (!nodes) {
            json_put_string(entry, "device", blk->is_blockdev ? "" : blk->id);
        }
        if (!nodes && blk->owner) {
            json_put_string(entry, "qdev", blk->owner);
        }
        if (blk->is_blockdev) {
            json_put_string(entry, "node-name", blk->id);
        }
        json_put_uint(stats, "rd_bytes", blk->read_bytes);
        json_put_uint(stats, "rd_operations", blk->reads);
        json_put_uint(stats, "wr_bytes", blk->write_bytes);
        json_put_uint(stats, "wr_operations", blk->writes);
        json_put_uint(stats, "flush_operations", blk->flushes);
        put_counts(stats, none, ARRAY_SIZE(none), 0);
        json_put_bool(stats, "account_invalid", false);
        json_put_bool(stats, "account_failed", false);
        json_put(stats, "timed_stats", json_array());
        json_put(entry, "stats", stats);
        json_push(list, entry);
    }
    return list;
}

void block_cleanup(void)
{
    block_drain_all();
    for (BlockBackend *blk = backends; blk; blk = blk->next) {
        if (blk->fd >= 0 && !blk->readonly && !blk->no_flush) {
            fdatasync(blk->fd);
        }
    }
    while (backends) {
        BlockBackend *blk = backends;
        backends = blk->next;
        backend_free(blk);
    }
}
