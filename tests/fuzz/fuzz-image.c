/*
 * fuzz-image.c: damaged images of each format but qcow2 (fuzz-qcow2.c): opened, read, asked where their data is, checked, repaired, written.
 *
 * An input is a kind of image and edits of its bytes, most of them where headers and tables are. Checksums of headers are made right again
 * afterwards, or nothing behind them would be reached.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/node-internal.h"
#include "block/vhdx/vhdx.h"
#include "tests/block/mem.h"
#include "tests/fuzz/fuzz.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { EDIT_BYTES = 8, MAX_EDITS = 64, VPC_SUM = 64, VPC_HEADER_SUM = 36 };
#define DISK_BYTES (4 * MiB)
#define READ_BYTES (256 * KiB)
#define MAX_NEW_IMAGE (16 * MiB)

static const struct { const char *format, *options; uint32_t tables[4]; } kinds[] = {
    { "parallels", "{'cluster_size': 32768, 'size': 4194304}", { 0, 0, 64, 64 } },
    { "qcow", "{'size': 4194304}", { 0, 0, 48, 4096 } },
    { "qed", "{'cluster_size': 4096, 'table_size': 1, 'size': 4194304}", { 0, 0, 4096, 8192 } },
    { "vdi", "{'size': 4194304}", { 0x140, 0x140, 512, 512 } },
    { "vhdx", "{'block_size': 1048576, 'size': 4194304}", { 64 << 10, 192 << 10, 2 << 20, 3 << 20 } },
    { "vmdk", "{'size': 4194304}", { 0, 512, 21 * 512, 26 * 512 } },
    { "vmdk", "{'subformat': 'streamOptimized', 'size': 4194304}", { 0, 512, 21 * 512, 64 << 10 } },
    { "vmdk", "{'zeroed_grain': true, 'size': 4194304}", { 0, 0, 21 * 512, 22 * 512 } },
    { "vpc", "{'force_size': true, 'size': 4194304}", { 0, 512, 1536, 2048 } },
};

const char *const fuzz_seeds[] = { "0abcdefghijklmnop", "1qrstuvwxyzabcdef", "2ABCDEFGHIJKLMNOP", "3--------++++++++", "4ponmlkjihgfedcba", "5zyxwvutsrqponmlk",
                                   "61234567812345678", "7!!!!!!!!????????", "8................", NULL };
const char *const fuzz_words[] = { "\x01\x01\x01\x01", "\xff\xff\xff\xff", "\x80", "\x40", "RW 1 FLAT", "loge", NULL };

typedef struct Image {
    uint8_t *data;
    size_t bytes;
} Image;

static BlockNode *open_image(unsigned kind, MemFile *file, BlockNode **protocol, unsigned flags)
{
    Json *options = json_object();

    *protocol = mem_open(file, "fuzzed");
    json_put_string(options, "driver", kinds[kind].format);
    json_put_string(options, "file", "fuzzed");
    return node_open(NULL, options, flags | BLOCK_NO_BACKING, NULL);
}

/* With data of each kind: plain, zeros, compressed. */
static void fill(unsigned kind, MemFile *file)
{
    BlockNode *protocol, *node = open_image(kind, file, &protocol, BLOCK_RDWR);
    BlockEdge *edge = node_attach(node, "fuzz", PERM_READ | PERM_WRITE, PERM_ALL, error_fatal);
    uint8_t buf[65536];

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i / 64);
    }
    node_pwrite(node, 0, buf, sizeof(buf), 0);
    if (node->driver->co_write_compressed) {
        node_pwrite(node, 1 * MiB, buf, sizeof(buf), REQ_COMPRESSED);
    }
    node_zero(node, 2 * MiB, sizeof(buf), 0);
    edge_detach(edge);
    node_unref(node);
    node_unref(protocol);
}

static const Image *image_of(unsigned kind)
{
    static Image images[ARRAY_SIZE(kinds)];
    Image *image = &images[kind];

    if (!image->data) {
        char path[] = "/tmp/fuzz-image-XXXXXX";
        int fd = mkstemp(path);
        Json *options = json_parse_string(kinds[kind].options, error_fatal);
        MemFile file = { 0 };
        image_create(path, kinds[kind].format, options, true, error_fatal);
        json_free(options);
        file.data = xcalloc(1, MAX_NEW_IMAGE);
        file.cap = MAX_NEW_IMAGE;
        file.bytes = (uint64_t)MAX(pread(fd, file.data, MAX_NEW_IMAGE, 0), 0);
        close(fd);
        unlink(path);
        fill(kind, &file);
        image->data = xmemdup(file.data, file.bytes);
        image->bytes = file.bytes;
        mem_free(&file);
    }
    return image;
}

static void edit(unsigned kind, uint8_t *data, size_t bytes, const uint8_t *e)
{
    /* Near one of the tables, or anywhere in the first MiB. */
    size_t at = e[3] & 64 ? ldle16(e) | (size_t)(e[2] & 15) << 16 : kinds[kind].tables[e[2] & 3] + (ldle16(e) & 511), n = 1u << (e[3] & 3);

    at %= bytes;
    at &= e[3] & 32 ? ~(size_t)7 : ~(size_t)0;
    for (size_t i = 0; i < n && at + i < bytes; i++) {
        data[at + i] = e[3] & 128 ? data[at + i] ^ e[4 + i % 4] : e[4 + i % 4];
    }
}

static void sum_vpc(uint8_t *data, size_t bytes, size_t at)
{
    uint32_t sum = 0;

    stbe32(data + at, 0);
    for (size_t i = 0; i < bytes; i++) {
        sum += data[i];
    }
    stbe32(data + at, ~sum);
}

static void right_checksums(unsigned kind, uint8_t *data, size_t bytes)
{
    if (!strcmp(kinds[kind].format, "vpc") && bytes >= 2048) {
        sum_vpc(data, 512, VPC_SUM);
        sum_vpc(data + 512, 1024, VPC_HEADER_SUM);
    } else if (!strcmp(kinds[kind].format, "vhdx") && bytes >= 4 * MiB) {
        for (unsigned i = 0; i < 2; i++) {
            uint8_t *header = data + (i ? VHDX_HEADER_2 : VHDX_HEADER_1), *regions = data + (i ? VHDX_REGIONS_2 : VHDX_REGIONS_1);
            stle32(header + HEADER_CHECKSUM, vhdx_checksum(header, VHDX_HEADER_BYTES, HEADER_CHECKSUM));
            stle32(regions + REGIONS_CHECKSUM, vhdx_checksum(regions, VHDX_REGIONS_BYTES, REGIONS_CHECKSUM));
        }
    }
}

static void look(unsigned kind, MemFile *file)
{
    BlockNode *protocol, *node = open_image(kind, file, &protocol, 0);

    if (node) {
        uint8_t *buf = xmalloc(READ_BYTES);
        BlockStatus st = { 0 };
        BlockInfo info = { 0 };
        for (uint64_t at = 0; at < MIN(node->size_bytes, DISK_BYTES); at += READ_BYTES) {
            node_pread(node, at, buf, READ_BYTES);
        }
        if (node->size_bytes > READ_BYTES) {
            node_pread(node, node->size_bytes - READ_BYTES, buf, READ_BYTES);
        }
        for (uint64_t at = 0, n = 0; at < node->size_bytes && n < 1000 && !node_status_above(node, NULL, at, node->size_bytes - at, &st); at += st.bytes, n++) {
        }
        if (node->driver->info) {
            node->driver->info(node, &info);
            json_free(info.specific);
        }
        free(buf);
    }
    node_unref(node);
    node_unref(protocol);
}

static void check(unsigned kind, MemFile *file, unsigned fix)
{
    BlockNode *protocol, *node = open_image(kind, file, &protocol, BLOCK_CHECK | (fix ? BLOCK_RDWR : 0));
    BlockCheck c = { 0 };

    if (node && node->driver->check) {
        node->driver->check(node, &c, fix, NULL);
        block_check_free(&c);
    }
    node_unref(node);
    node_unref(protocol);
}

static void change(unsigned kind, MemFile *file)
{
    BlockNode *protocol, *node = open_image(kind, file, &protocol, BLOCK_RDWR | BLOCK_DISCARD);

    if (node && node->size_bytes >= DISK_BYTES) {
        uint8_t *buf = xcalloc(1, READ_BYTES);
        memset(buf, 0x5a, READ_BYTES);
        node_pwrite(node, 3 * MiB + 100, buf, 70000, 0);
        node_pwrite(node, 0, buf, 5000, 0);
        node_pwrite(node, node->size_bytes - 5000, buf, 5000, 0);
        node_zero(node, 1 * MiB, 100000, REQ_UNMAP);
        node_discard(node, 64 * KiB, 256 * KiB);
        node_flush(node);
        node_pwrite(node, 2 * MiB, buf, 100000, 0);
        node_truncate(node, node->size_bytes + MiB, false, PREALLOC_OFF, NULL);
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
        quiet = freopen("/dev/null", "w", stderr) != NULL;
    }
    if (size < 1) {
        return 0;
    }
    unsigned kind = data[0] % ARRAY_SIZE(kinds);
    const Image *image = image_of(kind);
    MemFile file = { .data = xmemdup(image->data, image->bytes), .bytes = image->bytes, .cap = image->bytes };
    for (size_t at = 1; at + EDIT_BYTES <= size && at < MAX_EDITS * EDIT_BYTES; at += EDIT_BYTES) {
        edit(kind, file.data, file.bytes, data + at);
    }
    right_checksums(kind, file.data, file.bytes);
    look(kind, &file);
    check(kind, &file, 0);
    switch (data[0] / ARRAY_SIZE(kinds) % 3) {
    case 0: change(kind, &file); break;
    case 1: check(kind, &file, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS); change(kind, &file); break;
    default: change(kind, &file); check(kind, &file, CHECK_FIX_LEAKS | CHECK_FIX_ERRORS);
    }
    mem_free(&file);
    return 0;
}
