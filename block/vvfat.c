/*
 * vvfat.c: "vvfat", a folder of the host as a disk with a FAT file system (read only): fat:[floppy:][12:|16:|32:]FOLDER.
 *
 * What is in the folder when the disk is opened is on it (vvfat-volume.c); contents of files are read when the guest reads them, as far as they
 * are no longer than they were. Not: writing (fat:rw:), which is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "block/node-internal.h"
#include "block/vvfat.h"
#include "softmmu/options.h"
#include "util/alloc.h"

static const BlockOption vvfat_options[] = {
    { "dir", OPTION_STRING, "Host directory to map to the vvfat device", NULL },
    { "fat-type", OPTION_NUMBER, "FAT type (12, 16 or 32)", "0" },
    { "floppy", OPTION_BOOL, "Create a floppy rather than a hard disk image", "off" },
    { "label", OPTION_STRING, "Use a volume label other than QEMU VVFAT", NULL },
    { "rw", OPTION_BOOL, "Make the image writable", "off" },
    { NULL },
};

static bool vvfat_parse_filename(const char *filename, Json *options, Error **errp)
{
    const char *at = filename;

    if (strncmp(at, "fat:", 4)) {
        error_set(errp, "File name string must start with 'fat:'");
        return false;
    }
    for (at += 4;;) {
        if (!strncmp(at, "floppy:", 7)) {
            json_put_bool(options, "floppy", true);
            at += 7;
        } else if (!strncmp(at, "rw:", 3)) {
            json_put_bool(options, "rw", true);
            at += 3;
        } else if (!strncmp(at, "12:", 3) || !strncmp(at, "16:", 3) || !strncmp(at, "32:", 3)) {
            json_put_uint(options, "fat-type", (uint64_t)((at[0] - '0') * 10 + at[1] - '0'));
            at += 3;
        } else {
            break;
        }
    }
    if (!json_get(options, "dir")) {
        json_put_string(options, "dir", at);
    }
    return true;
}

static bool vvfat_open(BlockNode *node, Json *options, Error **errp)
{
    FatVolume *v = node->state;
    const char *folder, *label;
    uint64_t bits;
    bool rw;

    if (!opts_string(options, "dir", NULL, &folder, errp) || !opts_uint(options, "fat-type", 0, &bits, errp) ||
        !opts_bool(options, "floppy", false, &v->floppy, errp) || !opts_string(options, "label", "QEMU VVFAT", &label, errp) ||
        !opts_bool(options, "rw", false, &rw, errp)) {
        return false;
    }
    if (!folder) {
        error_set(errp, "vvfat block driver requires a 'dir' option");
        return false;
    }
    if (bits && bits != 12 && bits != 16 && bits != 32) {
        error_set(errp, "Valid FAT types are only 12, 16 and 32");
        return false;
    }
    if (strlen(label) > FAT_LABEL_BYTES) {
        error_set(errp, "vvfat label cannot be longer than %d bytes", FAT_LABEL_BYTES);
        return false;
    }
    if (rw) {
        error_set(errp, "vvfat images cannot be written ('rw') yet");
        return false;
    }
    if (!node->readonly && !(node->flags & BLOCK_AUTO_RDONLY)) {
        error_set(errp, "Image is read-only");
        return false;
    }
    node->readonly = true;
    memset(v->label, ' ', FAT_LABEL_BYTES);
    memcpy(v->label, label, strlen(label));
    v->bits = (unsigned)bits;
    bool ok = fat_make(v, folder, errp);
    for (size_t i = 0; ok && vvfat_options[i].name; i++) {
        json_drop(options, vvfat_options[i].name);
    }
    if (!ok) {
        fat_free(v);
        return false;
    }
    node->size_bytes = v->disk_bytes;
    return true;
}

static void vvfat_close(BlockNode *node)
{
    fat_free(node->state);
}

typedef struct FileRead {
    const char *path;
    uint64_t offset;
    uint8_t *buf;
    size_t bytes;
} FileRead;

static int read_file(void *opaque)
{
    FileRead *r = opaque;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = fd < 0 ? -errno : 0;
    size_t got = 0;

    while (got < r->bytes && !err) {
        ssize_t n = pread(fd, r->buf + got, r->bytes - got, (off_t)(r->offset + got));
        if (n == 0) {
            break; /* it has become shorter */
        }
        err = n < 0 && errno != EINTR ? -EIO : 0;
        got += n > 0 ? (size_t)n : 0;
    }
    memset(r->buf + got, 0, r->bytes - got);
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static int read_extent(const FatVolume *v, const FatExtent *e, uint64_t in, uint64_t bytes, Sg sg)
{
    uint64_t have = in < e->bytes ? MIN(bytes, e->bytes - in) : 0;
    int err = 0;

    if (e->data) {
        sg_store(sg, e->data + in, bytes);
        return 0;
    }
    if (have) {
        FileRead r = { e->path, in, xmalloc(have), have };
        err = co_work(read_file, &r);
        sg_store(sg, r.buf, have);
        free(r.buf);
    }
    sg_zero(sg_after(sg, have), bytes - have);
    return err;
}

static int vvfat_read(BlockNode *node, uint64_t offset, uint64_t bytes, Sg sg, unsigned flags)
{
    const FatVolume *v = node->state;
    const uint64_t cluster_bytes = v->cluster_sectors * FAT_SECTOR, chunk = 1 * MiB;
    int err = 0;

    while (bytes && !err) {
        uint64_t n;
        if (offset < v->head_bytes) {
            n = MIN(bytes, v->head_bytes - offset);
            sg_store(sg, v->head + offset, n);
        } else {
            uint32_t cluster = (uint32_t)((offset - v->head_bytes) / cluster_bytes) + 2;
            const FatExtent *e = fat_extent_at(v, cluster);
            if (e) {
                uint64_t in = offset - v->head_bytes - (e->first - 2) * cluster_bytes;
                n = MIN(MIN(bytes, chunk), e->n * cluster_bytes - in);
                err = read_extent(v, e, in, n, sg);
            } else {
                n = cluster >= v->next_cluster ? bytes : MIN(bytes, cluster_bytes);
                sg_zero(sg, n);
            }
        }
        offset += n;
        bytes -= n;
        sg = sg_after(sg, n);
    }
    return err;
}

const BlockDriver block_vvfat = {
    .name = "vvfat", .protocol = "fat", .summary = "a folder as a FAT disk (read only)", .kind = DRIVER_PROTOCOL, .state_bytes = sizeof(FatVolume),
    .options = vvfat_options, .parse_filename = vvfat_parse_filename, .open = vvfat_open, .close = vvfat_close, .co_read = vvfat_read,
};
