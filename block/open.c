/*
 * open.c: opening images: files, block devices, windows of them, null-co; format probing, locks against other processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/internal.h"
#include "block/node.h"
#include "softmmu/datadir.h"
#include "softmmu/options.h"

/* Opening another format as raw by accident would hand the guest the container. */
static const char *probe_format(int fd, const char *filename)
{
    uint8_t head[BLOCK_PROBE_BYTES] = { 0 };
    ssize_t bytes = pread(fd, head, sizeof(head), 0);

    return driver_of_contents(head, bytes > 0 ? (size_t)bytes : 0, filename)->name;
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

Medium *medium_ref(Medium *m)
{
    if (m) {
        m->refs++;
    }
    return m;
}

void medium_unref(Medium *m)
{
    if (!m || --m->refs) {
        return;
    }
    node_medium_close(m);
    if (m->fd >= 0) {
        if (!m->readonly && !m->no_flush && !m->overlay) {
            fdatasync(m->fd);
        }
        close(m->fd);
    }
    if (m->cached_fd >= 0) {
        close(m->cached_fd);
    }
    overlay_free(m->overlay);
    free(m->filename);
    free(m->node_name);
    free(m);
}

static bool check_format(const char *format, Error **errp)
{
    if (format && strcmp(format, "raw") && strcmp(format, "host_device") && strcmp(format, "file")) {
        error_set(errp, "image format '%s' is not supported yet", format);
        return false;
    }
    return true;
}

static bool open_file(Medium *m, const OpenMode *mode, Error **errp)
{
    bool file_readonly = mode->readonly || mode->snapshot;
    int flags = (file_readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    struct stat st;

    m->fd = open(m->filename, flags | (mode->direct ? O_DIRECT : 0));
    if (m->fd < 0) {
        const char *package = errno == ENOENT ? datadir_package(m->filename) : NULL;
        if (package) { /* flash */
            error_set(errp, "Could not open '%s': install the package '%s'", m->filename, package);
        } else {
            error_set_errno(errp, errno, "Could not open '%s'", m->filename);
        }
        return false;
    }
    if (mode->direct) {
        m->cached_fd = open(m->filename, flags);
    }
    if (fstat(m->fd, &st)) {
        error_set_errno(errp, errno, "Could not examine '%s'", m->filename);
        return false;
    }
    if (S_ISBLK(st.st_mode)) {
        m->is_device = true;
        if (ioctl(m->fd, BLKGETSIZE64, &m->size_bytes)) {
            error_set_errno(errp, errno, "Could not get the size of '%s'", m->filename);
            return false;
        }
    } else if (S_ISREG(st.st_mode)) {
        /* Guests see whole sectors; what the file lacks of the last one reads as zeros. */
        m->size_bytes = ROUND_UP((uint64_t)st.st_size, 512u);
    } else {
        error_set(errp, "'%s' is neither a regular file nor a block device", m->filename);
        return false;
    }
    const char *found = probe_format(m->cached_fd >= 0 ? m->cached_fd : m->fd, m->filename);
    if (!mode->format && format_is_node(found)) { /* the caller opens it as such */
        m->found = found;
        return true;
    }
    if (!mode->format && strcmp(found, "raw")) {
        error_set(errp, "'%s' is a %s image: this format is not supported yet", m->filename, found);
        return false;
    }
    if (!lock_image(m->fd, !file_readonly, errp, m->filename)) {
        return false;
    }
    if (mode->snapshot && !mode->readonly) {
        m->overlay = overlay_new(m->size_bytes, errp);
        return m->overlay != NULL;
    }
    return true;
}

static Medium *medium_new(const OpenMode *mode)
{
    Medium *m = xnew(Medium);

    m->refs = 1;
    m->fd = m->cached_fd = -1;
    m->readonly = mode->readonly;
    m->direct = mode->direct;
    m->no_flush = mode->no_flush;
    m->discard = mode->discard;
    return m;
}

static bool open_node(Medium *m, const char *filename, const char *format, const OpenMode *mode, Error **errp)
{
    Json *options = mode->options ? json_copy(mode->options) : json_object();

    if (m->fd >= 0) {
        close(m->fd);
        m->fd = -1;
    }
    if (m->cached_fd >= 0) {
        close(m->cached_fd);
        m->cached_fd = -1;
    }
    if (format) {
        json_put_string(options, "driver", format);
    }
    return node_medium_open(m, filename, options, mode, errp);
}

Medium *medium_open(const char *filename, const OpenMode *mode, Error **errp)
{
    bool as_node = format_is_node(mode->format) || filename_is_node(filename) || !filename;

    if (!as_node && !check_format(mode->format, errp)) {
        return NULL;
    }
    Medium *m = medium_new(mode);
    m->filename = filename ? xstrdup(filename) : NULL;
    bool ok = as_node ? open_node(m, filename, mode->format, mode, errp) : open_file(m, mode, errp);
    if (ok && m->found) {
        ok = open_node(m, filename, m->found, mode, errp);
    }
    if (!ok) {
        medium_unref(m);
        return NULL;
    }
    return m;
}

/* A node and, for raw, the file node under it: {"driver": "raw", "file": {"driver": "file", "filename": …}}. */
static bool open_json(Medium *m, const Json *options, OpenMode *mode, Error **errp)
{
    const char *driver = NULL, *filename = NULL;
    uint64_t offset = 0, size = UINT64_MAX;
    Json *file = json_get(options, "file");

    if (!opts_string(options, "driver", NULL, &driver, errp) || !driver) {
        if (!driver) {
            error_set(errp, "a block node needs 'driver'");
        }
        return false;
    }
    if (!opts_bool(options, "read-only", mode->readonly, &mode->readonly, errp)) {
        return false;
    }
    m->readonly = mode->readonly;
    if (!strcmp(driver, "null-co") || !strcmp(driver, "null-aio")) {
        return opts_size(options, "size", 1 * GiB, &m->size_bytes, errp);
    }
    if (!strcmp(driver, "file") || !strcmp(driver, "host_device")) {
        if (!opts_string(options, "filename", NULL, &filename, errp) || !filename) {
            error_set(filename ? NULL : errp, "driver '%s' needs 'filename'", driver);
            return false;
        }
        free(m->filename);
        m->filename = xstrdup(filename);
        mode->format = "raw";
        return open_file(m, mode, errp);
    }
    if (format_is_node(driver)) {
        return node_medium_open(m, NULL, json_copy(options), mode, errp);
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
    const char *below_driver = json_get_string(file, "driver");
    if (below_driver && format_is_node(below_driver)) {
        return node_medium_open(m, NULL, json_copy(options), mode, errp);
    }
    if (json_is(file, JSON_STRING)) {
        BlockBackend *node = block_find(json_as_string(file));
        const Medium *below = node ? node->medium : NULL;
        if (!below) {
            error_set(errp, "no block node '%s'", json_as_string(file));
            return false;
        }
        if (below->node) {
            return node_medium_open(m, NULL, json_copy(options), mode, errp);
        }
        m->fd = below->fd >= 0 ? fcntl(below->fd, F_DUPFD_CLOEXEC, 3) : -1;
        m->cached_fd = below->cached_fd >= 0 ? fcntl(below->cached_fd, F_DUPFD_CLOEXEC, 3) : -1;
        m->size_bytes = below->size_bytes;
        m->readonly |= below->readonly;
        m->window = below->window;
        free(m->filename);
        m->filename = below->filename ? xstrdup(below->filename) : NULL;
    } else if (!open_json(m, file, mode, errp)) {
        return false;
    }
    if (offset > m->size_bytes || (size != UINT64_MAX && size > m->size_bytes - offset)) {
        error_set(errp, "the window of 'raw' is larger than '%s'", m->filename ? m->filename : "null-co://");
        return false;
    }
    m->window += offset;
    m->size_bytes = size != UINT64_MAX ? size : m->size_bytes - offset;
    return true;
}

Medium *medium_open_json(const Json *options, const OpenMode *mode, Error **errp)
{
    OpenMode own = *mode;
    Medium *m = medium_new(mode);

    if (!open_json(m, options, &own, errp)) {
        medium_unref(m);
        return NULL;
    }
    return m;
}
