/*
 * hostio.c: the debugger reads files of the debugged side (vFile packets), for programs and libraries it does not have itself.
 *
 * Reading only: what would write is answered with EROFS. Names are the guest's, through GdbOps.open_file; the
 * debugger's descriptors are indices of its own (GdbFiles), so that it cannot get at others.
 * Specification: "Debugging with GDB", "Host I/O Packets" and "struct stat" of the File-I/O extension.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gdbstub/internal.h"

enum { FILEIO_O_ACCMODE = 3, FILEIO_EUNKNOWN = 9999 };

/* Error numbers of the protocol are those of old Unix, and few. */
static int fileio_errno(int err)
{
    return err > 0 && (err <= ENOSPC || err == ESPIPE || err == EROFS) ? err : err == ENAMETOOLONG ? 91 : FILEIO_EUNKNOWN;
}

static void result_errno(GdbText *text, int err)
{
    gdb_text_add(text, "F-1,%x", (unsigned)fileio_errno(err));
}

static void add_binary(GdbText *text, const uint8_t *data, size_t n)
{
    gdb_text_add(text, "F%zx;", n);
    gdb_text_binary(text, data, n);
}

/* The file behind the debugger's descriptor; NULL: none. */
static int *file_of(GdbFiles *files, const char *text)
{
    unsigned long n = strtoul(text, NULL, 16);
    return n < ARRAY_SIZE(files->fd) && files->fd[n] ? &files->fd[n] : NULL;
}

static void hostio_open(GdbFiles *files, const GdbOps *ops, void *opaque, char *args, GdbText *text)
{
    char path[4096], *comma = strchr(args, ',');
    size_t n = gdb_unhex(args, path, sizeof(path) - 1);
    path[n] = 0;
    if (!comma || (strtoul(comma + 1, NULL, 16) & FILEIO_O_ACCMODE) != 0) {
        result_errno(text, EROFS);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(files->fd); i++) {
        if (!files->fd[i]) {
            int fd = ops->open_file(opaque, path);
            if (fd < 0) {
                result_errno(text, errno);
            } else {
                files->fd[i] = fd;
                gdb_text_add(text, "F%x", i);
            }
            return;
        }
    }
    result_errno(text, EMFILE);
}

static void hostio_pread(GdbFiles *files, char *args, GdbText *text)
{
    uint8_t data[GDB_PACKET_BYTES / 4];
    char *end = strchr(args, ',');
    int *fd = file_of(files, args);
    size_t count = end ? strtoul(end + 1, &end, 16) : 0;
    off_t offset = end && *end == ',' ? (off_t)strtoull(end + 1, NULL, 16) : 0;
    ssize_t n = fd ? pread(*fd, data, MIN(count, sizeof(data)), offset) : (errno = EBADF, -1);
    if (n < 0) {
        result_errno(text, errno);
    } else {
        add_binary(text, data, (size_t)n);
    }
}

static void put_be(uint8_t **p, uint64_t value, unsigned n_bytes)
{
    while (n_bytes--) {
        *(*p)++ = (uint8_t)(value >> 8 * n_bytes);
    }
}

static void hostio_fstat(GdbFiles *files, char *args, GdbText *text)
{
    struct stat st;
    int *fd = file_of(files, args);
    if (!fd || fstat(*fd, &st) < 0) {
        result_errno(text, fd ? errno : EBADF);
        return;
    }
    uint8_t packed[64], *p = packed;
    put_be(&p, st.st_dev, 4);
    put_be(&p, st.st_ino, 4);
    put_be(&p, st.st_mode, 4);
    put_be(&p, st.st_nlink, 4);
    put_be(&p, st.st_uid, 4);
    put_be(&p, st.st_gid, 4);
    put_be(&p, st.st_rdev, 4);
    put_be(&p, (uint64_t)st.st_size, 8);
    put_be(&p, (uint64_t)st.st_blksize, 8);
    put_be(&p, (uint64_t)st.st_blocks, 8);
    put_be(&p, (uint64_t)st.st_atime, 4);
    put_be(&p, (uint64_t)st.st_mtime, 4);
    put_be(&p, (uint64_t)st.st_ctime, 4);
    add_binary(text, packed, (size_t)(p - packed));
}

static void hostio_readlink(const GdbOps *ops, void *opaque, char *args, GdbText *text)
{
    char path[4096], target[4096];
    path[gdb_unhex(args, path, sizeof(path) - 1)] = 0;
    ssize_t n = ops->read_link(opaque, path, target, sizeof(target));
    if (n < 0) {
        result_errno(text, errno);
    } else {
        add_binary(text, (const uint8_t *)target, (size_t)n);
    }
}

/* The packet after "vFile:". False: not an operation we know. */
bool gdb_hostio(GdbFiles *files, const GdbOps *ops, void *opaque, char *args, GdbText *text)
{
    char *rest = strchr(args, ':');
    if (!ops->open_file || !rest) {
        return false;
    }
    *rest++ = 0;
    if (!strcmp(args, "setfs")) {
        gdb_text_add(text, "F0");
    } else if (!strcmp(args, "open")) {
        hostio_open(files, ops, opaque, rest, text);
    } else if (!strcmp(args, "pread")) {
        hostio_pread(files, rest, text);
    } else if (!strcmp(args, "fstat")) {
        hostio_fstat(files, rest, text);
    } else if (ops->read_link && !strcmp(args, "readlink")) {
        hostio_readlink(ops, opaque, rest, text);
    } else if (!strcmp(args, "close")) {
        int *fd = file_of(files, rest);
        if (fd) {
            close(*fd);
            *fd = 0;
            gdb_text_add(text, "F0");
        } else {
            result_errno(text, EBADF);
        }
    } else if (!strcmp(args, "pwrite") || !strcmp(args, "unlink")) {
        result_errno(text, EROFS);
    } else {
        return false;
    }
    return true;
}

void gdb_hostio_finish(GdbFiles *files)
{
    for (unsigned i = 0; i < ARRAY_SIZE(files->fd); i++) {
        if (files->fd[i]) {
            close(files->fd[i]);
            files->fd[i] = 0;
        }
    }
}
