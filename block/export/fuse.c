/*
 * fuse.c: a node as a file: a file system of one file, mounted on a file (libfuse 3's low-level interface).
 *
 * The mounted root is a regular file with the node's data. Requests become coroutines; of those there are at most MAX_REQUESTS, the kernel
 * keeps the others.
 */
#include "block/export.h"

const BlockExportType export_fuse;

#ifdef CONFIG_FUSE
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/falloc.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "softmmu/options.h"
#include "util/alloc.h"

enum { MAX_REQUESTS = 64, MAX_TRANSFER = 1 << 20 };

typedef struct FuseExport {
    BlockExport *export;
    BlockEdge *edge;
    struct fuse_session *session;
    char *mountpoint;
    int epoll, stop;               /* epoll has the session's descriptor and stop: one wait for both */
    bool growable, allow_other, ending;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    unsigned in_flight;
    CoQueue room;
} FuseExport;

static const BlockOption fuse_options[] = {
    { "mountpoint", OPTION_STRING, "the file that shows the node", NULL },
    { "growable", OPTION_BOOL, "writing behind the end makes it longer", "off" },
    { "allow-other", OPTION_STRING, "other users may have it: on, off, or auto (if the host allows it)", "auto" },
    { NULL },
};

/* -- requests -------------------------------------------------------------------------------------------------------- */

typedef enum OpKind { OP_READ, OP_WRITE, OP_FLUSH, OP_ALLOCATE, OP_SEEK, OP_SIZE } OpKind;

typedef struct Op {
    FuseExport *f;
    fuse_req_t req;
    OpKind kind;
    uint64_t offset, bytes;
    int mode;                      /* of fallocate; whence */
    uint8_t *data;
} Op;

static BlockNode *node_of(const FuseExport *f) { return f->edge->node; }

static void fill_attr(const FuseExport *f, struct stat *st)
{
    uint64_t allocated = node_allocated_bytes(node_of(f)), size = node_of(f)->size_bytes;

    *st = (struct stat){
        .st_ino = 1, .st_mode = f->mode, .st_nlink = 1, .st_uid = f->uid, .st_gid = f->gid, .st_size = (off_t)size,
        .st_blksize = (blksize_t)MAX(node_of(f)->request_align, 4096u), .st_blocks = (blkcnt_t)((allocated == UINT64_MAX ? size : allocated) / 512),
    };
}

static int co_resize(BlockNode *node, uint64_t bytes, Prealloc prealloc)
{
    Error *err = NULL;
    int ret = node_co_truncate(node, bytes, true, prealloc, &err);

    error_free(err);
    return ret;
}

static int co_read(Op *op, BlockNode *node)
{
    uint64_t size = node->size_bytes;

    op->bytes = op->offset < size ? MIN(MIN(op->bytes, size - op->offset), (uint64_t)MAX_TRANSFER) : 0;
    op->data = node_alloc(node, op->bytes);
    return node_co_pread(node, op->offset, op->data, op->bytes);
}

static int co_write(Op *op, BlockNode *node)
{
    uint64_t size = node->size_bytes, end = op->offset + op->bytes;

    if (end > size && op->f->growable) {
        int err = co_resize(node, end, PREALLOC_OFF);
        if (err) {
            return err;
        }
    } else if (end > size) {
        op->bytes = op->offset < size ? size - op->offset : 0;
        if (!op->bytes) {
            return -ENOSPC;
        }
    }
    return node_co_pwrite(node, op->offset, op->data, op->bytes, op->f->export->writethrough ? REQ_FUA : 0);
}

static int co_allocate(const Op *op, BlockNode *node)
{
    uint64_t end = op->offset + op->bytes, inside = op->offset < node->size_bytes ? MIN(end, node->size_bytes) - op->offset : 0;
    bool keep = op->mode & FALLOC_FL_KEEP_SIZE, zero = op->mode & FALLOC_FL_ZERO_RANGE, punch = op->mode & FALLOC_FL_PUNCH_HOLE;
    int err = 0;

    if (op->mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) || (punch && !keep) || (!op->mode && end <= node->size_bytes)) {
        return -EOPNOTSUPP;
    }
    if (end > node->size_bytes && !keep) {
        if (!op->f->growable) {
            return -EOPNOTSUPP;
        }
        err = co_resize(node, end, op->mode ? PREALLOC_OFF : PREALLOC_FALLOC);
    }
    if (!err && (zero || punch) && inside) {
        err = node_co_zero(node, op->offset, inside, punch ? REQ_UNMAP : 0);
    }
    return err;
}

/* SEEK_DATA, SEEK_HOLE. */
static int co_seek(Op *op, BlockNode *node)
{
    uint64_t size = node->size_bytes;

    if (op->mode != SEEK_DATA && op->mode != SEEK_HOLE) {
        return -EINVAL;
    }
    while (op->offset < size) {
        BlockStatus st;
        int err = node_co_status_above(node, NULL, op->offset, size - op->offset, &st);
        if (err) {
            return err;
        }
        if (!(st.flags & STATUS_ZERO) == (op->mode == SEEK_DATA)) {
            return 0;
        }
        op->offset += st.bytes;
    }
    op->offset = size;
    return op->mode == SEEK_HOLE ? 0 : -ENXIO;
}

static void op_entry(void *opaque)
{
    Op *op = opaque;
    FuseExport *f = op->f;
    BlockNode *node = edge_co_node(f->edge);
    struct stat st;
    int err = 0;

    switch (op->kind) {
    case OP_READ: err = co_read(op, node); break;
    case OP_WRITE: err = co_write(op, node); break;
    case OP_FLUSH: err = node_co_flush(node); break;
    case OP_ALLOCATE: err = co_allocate(op, node); break;
    case OP_SEEK: err = co_seek(op, node); break;
    case OP_SIZE: err = co_resize(node, op->bytes, PREALLOC_OFF); break;
    }
    if (err) {
        fuse_reply_err(op->req, -err);
    } else if (op->kind == OP_READ) {
        fuse_reply_buf(op->req, (char *)op->data, op->bytes);
    } else if (op->kind == OP_WRITE) {
        fuse_reply_write(op->req, op->bytes);
    } else if (op->kind == OP_SEEK) {
        fuse_reply_lseek(op->req, (off_t)op->offset);
    } else if (op->kind == OP_SIZE) {
        fill_attr(f, &st);
        fuse_reply_attr(op->req, &st, 0);
    } else {
        fuse_reply_err(op->req, 0);
    }
    node_unref(node);
    free(op->data);
    free(op);
    f->in_flight--;
    co_queue_wake_all(&f->room);
}

static void start(fuse_req_t req, Op op)
{
    op.f = fuse_req_userdata(req);
    op.req = req;
    op.f->in_flight++;
    ioctx_start(ioctx_current(), op_entry, xmemdup(&op, sizeof(op)));
}

/* -- libfuse's calls ------------------------------------------------------------------------------------------------- */

static void fs_init(void *opaque, struct fuse_conn_info *conn)
{
    conn->max_write = MIN(conn->max_write, (unsigned)MAX_TRANSFER);
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) { fuse_reply_err(req, ENOENT); }

static void fs_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    struct stat st;

    fill_attr(fuse_req_userdata(req), &st);
    fuse_reply_attr(req, &st, 0); /* others may resize it: nothing is to be kept */
}

static void fs_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *attr, int what, struct fuse_file_info *fi)
{
    FuseExport *f = fuse_req_userdata(req);
    int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME;

    if (what & ~(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | times)) {
        fuse_reply_err(req, ENOTSUP);
        return;
    }
    if (what & FUSE_SET_ATTR_MODE) {
        if (attr->st_mode & (S_IWUSR | S_IWGRP | S_IWOTH) && !f->export->writable) {
            fuse_reply_err(req, EROFS);
            return;
        }
        f->mode = (attr->st_mode & 07777) | S_IFREG;
    }
    f->uid = what & FUSE_SET_ATTR_UID ? attr->st_uid : f->uid;
    f->gid = what & FUSE_SET_ATTR_GID ? attr->st_gid : f->gid;
    if (what & FUSE_SET_ATTR_SIZE) {
        if (!f->export->writable) {
            fuse_reply_err(req, EACCES);
        } else if (attr->st_size < 0) {
            fuse_reply_err(req, EINVAL);
        } else {
            start(req, (Op){ .kind = OP_SIZE, .bytes = (uint64_t)attr->st_size });
        }
        return;
    }
    fs_getattr(req, inode, fi);
}

static void fs_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
    const FuseExport *f = fuse_req_userdata(req);

    if ((fi->flags & O_ACCMODE) != O_RDONLY && !f->export->writable) {
        fuse_reply_err(req, EACCES);
        return;
    }
    fi->direct_io = true; /* the node has caches of its own, and others write to it */
    fuse_reply_open(req, fi);
}

static void fs_read(fuse_req_t req, fuse_ino_t inode, size_t bytes, off_t offset, struct fuse_file_info *fi)
{
    start(req, (Op){ .kind = OP_READ, .offset = (uint64_t)offset, .bytes = bytes });
}

static void fs_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t bytes, off_t offset, struct fuse_file_info *fi)
{
    const FuseExport *f = fuse_req_userdata(req);

    if (!f->export->writable) {
        fuse_reply_err(req, EACCES);
        return;
    }
    uint8_t *copy = node_alloc(node_of(f), bytes); /* libfuse uses its buffer again */
    memcpy(copy, data, bytes);
    start(req, (Op){ .kind = OP_WRITE, .offset = (uint64_t)offset, .bytes = bytes, .data = copy });
}

static void fs_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t bytes, struct fuse_file_info *fi)
{
    const FuseExport *f = fuse_req_userdata(req);

    if (!f->export->writable || offset < 0 || bytes < 0 || bytes > INT64_MAX - offset) {
        fuse_reply_err(req, f->export->writable ? EINVAL : EACCES);
        return;
    }
    start(req, (Op){ .kind = OP_ALLOCATE, .mode = mode, .offset = (uint64_t)offset, .bytes = (uint64_t)bytes });
}

static void fs_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence, struct fuse_file_info *fi)
{
    start(req, (Op){ .kind = OP_SEEK, .mode = whence, .offset = (uint64_t)offset });
}

static void fs_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi) { start(req, (Op){ .kind = OP_FLUSH }); }
static void fs_fsync(fuse_req_t req, fuse_ino_t inode, int data_only, struct fuse_file_info *fi) { start(req, (Op){ .kind = OP_FLUSH }); }

static const struct fuse_lowlevel_ops fs_ops = {
    .init = fs_init, .lookup = fs_lookup, .getattr = fs_getattr, .setattr = fs_setattr, .open = fs_open, .read = fs_read, .write = fs_write,
    .fallocate = fs_fallocate, .flush = fs_flush, .fsync = fs_fsync, .lseek = fs_lseek,
};

/* -- the export ------------------------------------------------------------------------------------------------------ */

static void fuse_free(FuseExport *f)
{
    if (f->session) {
        fuse_session_destroy(f->session);
    }
    if (f->epoll >= 0) {
        close(f->epoll);
    }
    if (f->stop >= 0) {
        close(f->stop);
    }
    if (f->edge) {
        edge_detach(f->edge);
    }
    free(f->mountpoint);
}

static void session_entry(void *opaque)
{
    FuseExport *f = opaque;
    struct fuse_buf buf = { 0 };

    while (!f->ending && !fuse_session_exited(f->session)) {
        while (f->in_flight >= MAX_REQUESTS) {
            co_queue_wait(&f->room);
        }
        co_wait_fd(f->epoll, POLLIN);
        if (f->ending) {
            break;
        }
        int n = fuse_session_receive_buf(f->session, &buf);
        if (n == -EINTR || n == -EAGAIN) {
            continue;
        }
        if (n <= 0) {
            break; /* somebody has unmounted it */
        }
        fuse_session_process_buf(f->session, &buf);
    }
    while (f->in_flight) {
        co_queue_wait(&f->room);
    }
    free(buf.mem);
    fuse_session_unmount(f->session);
    f->export->shutting_down = true;
    BlockExport *e = f->export;
    fuse_free(f);
    export_gone(e);
}

static bool mount_session(FuseExport *f, Error **errp)
{
    static const char *const with_other = "fsname=qemu,default_permissions,allow_other", *const without = "fsname=qemu,default_permissions";
    char *argv[] = { (char *)"", (char *)"-o", (char *)(f->allow_other ? with_other : without), NULL };
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);

    f->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), f);
    fuse_opt_free_args(&args);
    if (!f->session) {
        error_set(errp, "Failed to set up FUSE session");
        return false;
    }
    if (fuse_session_mount(f->session, f->mountpoint)) {
        error_set(errp, "Failed to mount FUSE session to export");
        fuse_session_destroy(f->session);
        f->session = NULL;
        return false;
    }
    return true;
}

static bool watch(int epoll, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN };
    return !epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* The file is there, it is one, and nobody has put another file system on it. */
static bool check_mountpoint(const char *path, Error **errp)
{
    struct stat st;

    if (stat(path, &st)) {
        error_set_errno(errp, errno, "Failed to stat '%s'", path);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        error_set(errp, "'%s' is not a regular file", path);
        return false;
    }
    return true;
}

static bool fuse_open_export(BlockExport *e, const Json *options, Error **errp)
{
    FuseExport *f = e->state;
    const char *path = NULL, *other = NULL;

    *f = (FuseExport){ .export = e, .epoll = -1, .stop = -1, .uid = getuid(), .gid = getgid(), .mode = S_IFREG | S_IRUSR | (e->writable ? S_IWUSR : 0) };
    co_queue_init(&f->room);
    if (!opts_string(options, "mountpoint", NULL, &path, errp) || !opts_bool(options, "growable", false, &f->growable, errp) ||
        !opts_string(options, "allow-other", "auto", &other, errp)) {
        return false;
    }
    if (!path) {
        error_set(errp, "Parameter 'mountpoint' is missing");
        return false;
    }
    bool automatic = !strcmp(other, "auto");
    if (!automatic && strcmp(other, "on") && strcmp(other, "off")) {
        error_set(errp, "Parameter 'allow-other' does not accept value '%s'", other);
        return false;
    }
    if (!check_mountpoint(path, errp)) {
        return false;
    }
    f->mountpoint = xstrdup(path);
    f->edge = node_attach(e->node, e->id, PERM_READ | (e->writable ? PERM_WRITE | PERM_RESIZE : 0), PERM_ALL, errp);
    f->allow_other = strcmp(other, "off") != 0;
    bool ok = f->edge && mount_session(f, automatic ? NULL : errp);
    if (f->edge && !ok && automatic) {
        f->allow_other = false;
        ok = mount_session(f, errp);
    }
    if (ok) {
        f->epoll = epoll_create1(EPOLL_CLOEXEC);
        f->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        int fd = fuse_session_fd(f->session);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        ok = f->epoll >= 0 && f->stop >= 0 && watch(f->epoll, fd) && watch(f->epoll, f->stop);
        if (!ok) {
            error_set_errno(errp, errno, "cannot watch a FUSE session");
            fuse_session_unmount(f->session);
        }
    }
    if (!ok) {
        fuse_free(f);
        return false;
    }
    ioctx_start(ioctx_main(), session_entry, f);
    return true;
}

static bool fuse_in_use(const BlockExport *e) { return false; }

static void fuse_shutdown(BlockExport *e)
{
    FuseExport *f = e->state;
    uint64_t one = 1;

    f->ending = true;
    if (write(f->stop, &one, sizeof(one)) != sizeof(one)) {
        return; /* never: nobody else writes to it */
    }
}

#define FUSE_CALLS .open = fuse_open_export, .in_use = fuse_in_use, .shutdown = fuse_shutdown, .state_bytes = sizeof(FuseExport)

#else

static const BlockOption fuse_options[] = { { "mountpoint" }, { "growable" }, { "allow-other" }, { NULL } };

static bool fuse_open_export(BlockExport *e, const Json *options, Error **errp)
{
    error_set(errp, "FUSE exports need libfuse, which this build does not have");
    return false;
}

#define FUSE_CALLS .open = fuse_open_export
#endif

const BlockExportType export_fuse = { .name = "fuse", .summary = "as a file (FUSE)", .options = fuse_options, FUSE_CALLS };
