/*
 * fuzz-qcow2.c: damaged qcow2 images: opened, read, asked where their data is, checked, repaired, written.
 *
 * An input is a shape of image and edits of its bytes, most of them where the tables are: each a place, a kind and a value.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/bitmap.h"
#include "block/node-internal.h"
#include "block/secret.h"
#include "tests/block/mem.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { SHAPES = 5, EDIT_BYTES = 8 };
#define DISK_BYTES (4 * MiB)
#define READ_BYTES (256 * KiB)

static const char *const shapes[SHAPES] = {
    "{'cluster_size': 4096, 'size': 4194304}",
    "{'cluster_size': 512, 'refcount_bits': 1, 'size': 4194304}",
    "{'cluster_size': 16384, 'extended_l2': true, 'size': 4194304}",
    "{'cluster_size': 65536, 'compat': '0.10', 'size': 4194304}",
    "{'cluster_size': 4096, 'encrypt.format': 'aes', 'encrypt.key-secret': 's', 'size': 4194304}",
};

const char *const fuzz_seeds[] = { "0abcdefghijklmnop", "1qrstuvwxyzabcdef01234567", "2ABCDEFGHIJKLMNOPQRSTUVW", "3--------++++++++", "4abcdefgh12345678", NULL };
const char *const fuzz_words[] = { "\x01\x01\x01\x01", "\xff\xff\xff\xff", "\x80", "\x40", "QFI\xfb", NULL };

typedef struct Image {
    uint8_t *data;
    size_t bytes;
} Image;

/* crypt_method is in the header. */
static BlockNode *open_image(MemFile *file, BlockNode **protocol, unsigned flags)
{
    bool encrypted = file->bytes > 36 && ldbe32(file->data + 32);
    Json *options = json_object();

    *protocol = mem_open(file, "fuzzed");
    json_put_string(options, "driver", "qcow2");
    json_put_string(options, "file", "fuzzed");
    if (encrypted) {
        json_put(options, "encrypt", json_parse_string("{'key-secret': 's'}", error_fatal));
    }
    return node_open(NULL, options, flags | BLOCK_NO_BACKING, NULL);
}

/* With data of each kind: plain, zeros, compressed, a snapshot. */
static void fill(MemFile *file)
{
    BlockNode *protocol, *node = open_image(file, &protocol, BLOCK_RDWR);
    BlockEdge *edge = node_attach(node, "fuzz", PERM_READ | PERM_WRITE, PERM_ALL, error_fatal);
    uint8_t buf[65536];

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i / 64);
    }
    bitmap_add(node, "b", 512, true, true, NULL); /* not in version 2 */
    bitmap_add(node, "all", 65536, true, true, NULL);
    node_pwrite(node, 0, buf, sizeof(buf), 0);
    node_pwrite(node, 1 * MiB, buf, sizeof(buf), REQ_COMPRESSED); /* not of an encrypted one */
    node_zero(node, 2 * MiB, sizeof(buf), 0);
    BlockSnapshot sn = { .name = xstrdup("s") };
    node->driver->snapshot_create(node, &sn, NULL);
    node_pwrite(node, 512, buf, 9000, 0);
    free(sn.id);
    free(sn.name);
    edge_detach(edge);
    node_unref(node);
    node_unref(protocol);
}

static const Image *image_of(unsigned shape)
{
    static Image images[SHAPES];
    Image *image = &images[shape];

    if (!image->data) {
        char path[] = "/tmp/fuzz-qcow2-XXXXXX";
        int fd = mkstemp(path);
        Json *options = json_parse_string(shapes[shape], error_fatal);
        MemFile file = { 0 };
        image_create(path, "qcow2", options, true, error_fatal);
        json_free(options);
        file.data = xcalloc(1, 1 * MiB);
        file.cap = 1 * MiB;
        file.bytes = (uint64_t)MAX(pread(fd, file.data, 1 * MiB, 0), 0);
        close(fd);
        unlink(path);
        fill(&file);
        image->data = xmemdup(file.data, file.bytes);
        image->bytes = file.bytes;
        mem_free(&file);
    }
    return image;
}

static void edit(uint8_t *data, size_t bytes, const uint8_t *e)
{
    /* The first clusters have the header and most tables. */
    size_t at = ldle16(e) | (size_t)(e[2] & 15) << 16, n = 1u << (e[3] & 3);

    at %= e[3] & 64 ? bytes : MIN(bytes, 4096u);
    at &= e[3] & 32 ? ~(size_t)7 : ~(size_t)0;
    for (size_t i = 0; i < n && at + i < bytes; i++) {
        data[at + i] = e[3] & 128 ? data[at + i] ^ e[4 + i % 4] : e[4 + i % 4];
    }
}

static void look(MemFile *file)
{
    BlockNode *protocol, *node = open_image(file, &protocol, 0);

    if (node) {
        uint8_t *buf = xmalloc(READ_BYTES);
        for (uint64_t at = 0; at < MIN(node->size_bytes, DISK_BYTES); at += READ_BYTES) {
            node_pread(node, at, buf, READ_BYTES);
        }
        BlockStatus st = { 0 };
        for (uint64_t at = 0, n = 0; at < node->size_bytes && n < 1000 && !node_status_above(node, NULL, at, node->size_bytes - at, &st); at += st.bytes, n++) {
        }
        BlockSnapshot *list = NULL;
        size_t n = node->driver->snapshot_list(node, &list);
        for (size_t i = 0; i < n; i++) {
            free(list[i].id);
            free(list[i].name);
        }
        free(list);
        node->driver->snapshot_load(node, "s", NULL);
        node_pread(node, 0, buf, MIN(node->size_bytes, READ_BYTES));
        free(buf);
    }
    node_unref(node);
    node_unref(protocol);
}

static void check(MemFile *file, unsigned fix)
{
    BlockNode *protocol, *node = open_image(file, &protocol, BLOCK_CHECK | (fix ? BLOCK_RDWR : 0));
    BlockCheck c = { 0 };

    if (node) {
        node->driver->check(node, &c, fix, NULL);
        block_check_free(&c);
    }
    node_unref(node);
    node_unref(protocol);
}

static void change(MemFile *file, bool keep_bitmaps)
{
    BlockNode *protocol, *node = open_image(file, &protocol, BLOCK_RDWR | BLOCK_DISCARD);

    if (node && node->size_bytes >= DISK_BYTES) {
        uint8_t *buf = xcalloc(1, READ_BYTES);
        memset(buf, 0x5a, READ_BYTES);
        node_pwrite(node, 3 * MiB + 100, buf, 70000, 0);
        node_pwrite(node, 0, buf, 5000, 0);
        node_zero(node, 1 * MiB, 100000, REQ_UNMAP);
        node_discard(node, 64 * KiB, 256 * KiB);
        node_flush(node);
        DirtyBitmap *added = bitmap_add(node, "new", 0, true, true, NULL);
        node_pwrite(node, 2 * MiB, buf, 100000, 0);
        if (!keep_bitmaps) {
            bitmaps_free(node);
        } else if (added) {
            bitmap_remove(added);
        }
        node->driver->snapshot_goto(node, "s", NULL);
        node_pwrite(node, 2 * MiB, buf, 100000, 0);
        node->driver->snapshot_delete(node, "s", NULL);
        node_truncate(node, 5 * MiB, false, PREALLOC_OFF, NULL);
        node_pread(node, 0, buf, READ_BYTES);
        free(buf);
    }
    node_unref(node);
    node_unref(protocol);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;

    if (!quiet) { /* what is wrong with each image is not what is looked at here */
        ioctx_allow_blocking(ioctx_main());
        secret_add("s", &(SecretSource){ .data = "password" }, NULL);
        quiet = freopen("/dev/null", "w", stderr) != NULL;
    }
    if (size < 1) {
        return 0;
    }
    const Image *image = image_of(data[0] % SHAPES);
    MemFile file = { .data = xmemdup(image->data, image->bytes), .bytes = image->bytes, .cap = image->bytes };
    for (size_t at = 1; at + EDIT_BYTES <= size && at < 64 * EDIT_BYTES; at += EDIT_BYTES) {
        edit(file.data, file.bytes, data + at);
    }
    look(&file);
    check(&file, 0);
    switch (data[0] / SHAPES % 3) {
    case 0: change(&file, true); break;
    case 1: check(&file, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS); change(&file, false); break;
    default: check(&file, CHECK_FIX_LEAKS); change(&file, data[0] & 64); check(&file, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS);
    }
    mem_free(&file);
    return 0;
}
