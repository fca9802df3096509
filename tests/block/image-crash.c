/*
 * image-crash.c: random requests, many at a time, on images in memory; then the power fails.
 *
 * After a crash the image opens, `check` finds at most leaks, or what it repairs, and each sector reads as it was last flushed or as something
 * that was written later. Without a crash every sector reads as last written. A persistent bitmap (of qcow2) knows every sector that was
 * written once the image is closed; after a crash it is inconsistent, or whole. Usage: image-crash [CRASHES [SEED [FORMAT]]].
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/bitmap.h"
#include "block/node-internal.h"
#include "block/secret.h"
#include "tests/block/mem.h"
#include "tests/test.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { SECTOR = 512, DISK_SECTORS = 8192, MAX_REQUEST_SECTORS = 300, WORKERS = 6, HISTORY = 24 };
#define MAX_NEW_IMAGE (16 * MiB)

typedef struct Value {
    uint32_t tag;       /* 0: zeros; else what fills the sector */
    uint32_t begun, done; /* sequence numbers; done 0: not yet */
    bool discarded;       /* or zeros before: a discard may leave it alone */
} Value;

typedef struct Sector {
    Value values[HISTORY];
    unsigned n;
    bool busy;
} Sector;

typedef struct Run {
    MemFile file, backing;
    BlockNode *node, *protocol, *backing_node;
    Sector *sectors;
    uint64_t seed;
    uint32_t sequence, next_tag;
    unsigned running, left;
    bool errors;         /* failures are injected */
    uint64_t crash_seed;
    unsigned crash_after; /* requests */
    bool crashed;
    MemFile disk;        /* as of the crash */
    bool has_bitmap;
    BitSet bits;         /* of the persistent bitmap, before the image is closed */
    Sector *at_crash;
} Run;

static uint64_t rnd(Run *r, uint64_t n)
{
    return mem_random(&r->seed) % n;
}

/* -- what a sector may read as --------------------------------------------------------------------------------------- */

static void value_begin(Run *r, Sector *s, uint32_t tag)
{
    s->values[s->n++] = (Value){ .tag = tag, .begun = ++r->sequence };
}

static void value_done(Run *r, Sector *s)
{
    s->values[s->n - 1].done = ++r->sequence;
}

/* A flush that began at `begun` has ended: values older than the last one done by then are gone. */
static void flushed(Run *r, uint32_t begun)
{
    for (unsigned i = 0; i < DISK_SECTORS; i++) {
        Sector *s = &r->sectors[i];
        for (unsigned k = s->n; k-- > 1;) {
            if (s->values[k].done && s->values[k].done <= begun) {
                memmove(s->values, &s->values[k], (s->n - k) * sizeof(Value));
                s->n -= k;
                break;
            }
        }
    }
}

static void fill(uint8_t *sector, uint32_t tag)
{
    for (unsigned i = 0; i < SECTOR / 4; i++) {
        ((uint32_t *)(void *)sector)[i] = tag ? tag + (i << 24) : 0;
    }
}

static bool reads_as(const uint8_t *sector, uint32_t tag)
{
    uint8_t want[SECTOR];
    fill(want, tag);
    return !memcmp(sector, want, SECTOR);
}

static bool allowed(const Sector *s, const uint8_t *data, bool any)
{
    for (unsigned i = any ? 0 : s->n - 1; i < s->n; i++) {
        if (reads_as(data, s->values[i].tag)) {
            return true;
        }
    }
    return false;
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

static bool take_range(Run *r, unsigned *ret_first, unsigned *ret_n)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned first = (unsigned)rnd(r, DISK_SECTORS), n = 1 + (unsigned)rnd(r, rnd(r, 4) ? 24 : MAX_REQUEST_SECTORS);
        n = MIN(n, DISK_SECTORS - first);
        if (rnd(r, 3) == 0) { /* whole clusters, too */
            first &= ~127u;
            n = MIN(128u * (1 + (unsigned)rnd(r, 2)), DISK_SECTORS - first);
        }
        bool free = true;
        for (unsigned i = 0; i < n; i++) {
            free &= !r->sectors[first + i].busy && r->sectors[first + i].n + 2 <= HISTORY;
        }
        if (free) {
            for (unsigned i = 0; i < n; i++) {
                r->sectors[first + i].busy = true;
            }
            *ret_first = first;
            *ret_n = n;
            return true;
        }
    }
    return false;
}

static void crash_here(Run *r)
{
    if (r->crash_after && !--r->crash_after) {
        mem_crash(&r->file, r->crash_seed, &r->disk);
        r->at_crash = xmemdup(r->sectors, DISK_SECTORS * sizeof(Sector));
        r->crashed = true;
        r->left = 0;
    }
}

static void request(Run *r)
{
    unsigned first, n, kind = (unsigned)rnd(r, 20);

    if (kind == 0) {
        uint32_t begun = r->sequence;
        if (!node_co_flush(r->node)) {
            flushed(r, begun);
        }
        return;
    }
    if (!take_range(r, &first, &n)) {
        return;
    }
    uint8_t *buf = xmalloc((size_t)n * SECTOR);
    int err;
    if (kind < 5) {
        err = node_co_pread(r->node, (uint64_t)first * SECTOR, buf, (size_t)n * SECTOR);
        for (unsigned i = 0; i < n && !err; i++) {
            if (!allowed(&r->sectors[first + i], buf + i * SECTOR, r->errors)) {
                fprintf(stderr, "sector %u reads as %08x, last written %08x\n", first + i, ldbe32(buf + i * SECTOR),
                        r->sectors[first + i].values[r->sectors[first + i].n - 1].tag);
            }
            CHECK(allowed(&r->sectors[first + i], buf + i * SECTOR, r->errors));
        }
    } else {
        bool zeros = kind < 9, discard = kind == 8;
        uint32_t tag = zeros ? 0 : ++r->next_tag & 0xffffff;
        if (discard) { /* of whole clusters, and what they read as must be the same everywhere */
            for (unsigned i = 0; i < n; i++) {
                value_begin(r, &r->sectors[first + i], 0);
                r->sectors[first + i].values[r->sectors[first + i].n - 1].discarded = true;
            }
            err = node_co_discard(r->node, (uint64_t)first * SECTOR, (uint64_t)n * SECTOR);
            int e = node_co_pread(r->node, (uint64_t)first * SECTOR, buf, (size_t)n * SECTOR);
            for (unsigned i = 0; i < n; i++) {
                Sector *s = &r->sectors[first + i];
                CHECK(e || allowed(s, buf + i * SECTOR, true));
                if (!e && !reads_as(buf + i * SECTOR, 0)) { /* it was kept */
                    s->n--;
                }
            }
            for (unsigned i = 0; i < n && !e; i++) {
                if (reads_as(buf + i * SECTOR, 0)) {
                    value_done(r, &r->sectors[first + i]);
                }
            }
            err = err ? err : e;
            goto done;
        } else {
            for (unsigned i = 0; i < n; i++) {
                value_begin(r, &r->sectors[first + i], tag);
                fill(buf + i * SECTOR, tag);
            }
            err = zeros ? node_co_zero(r->node, (uint64_t)first * SECTOR, (uint64_t)n * SECTOR, rnd(r, 2) ? REQ_UNMAP : 0)
                        : node_co_pwrite(r->node, (uint64_t)first * SECTOR, buf, (size_t)n * SECTOR, 0);
        }
        for (unsigned i = 0; i < n && !err; i++) {
            value_done(r, &r->sectors[first + i]);
        }
    }
done:
    CHECK(!err || r->errors);
    for (unsigned i = 0; i < n; i++) {
        r->sectors[first + i].busy = false;
    }
    free(buf);
    crash_here(r);
}

static void worker(void *opaque)
{
    Run *r = opaque;

    while (r->left) {
        r->left--;
        request(r);
    }
    r->running--;
}

/* -- images ---------------------------------------------------------------------------------------------------------- */

typedef struct Shape {
    const char *format, *options;
    bool backing;
    const char *open;
} Shape;

static const Shape shapes[] = {
    { "qcow2", "{'cluster_size': 65536}", false, "{}" },
    { "qcow2", "{'cluster_size': 4096}", false, "{}" },
    { "qcow2", "{'cluster_size': 512, 'refcount_bits': 1}", false, "{}" },
    { "qcow2", "{'cluster_size': 65536, 'compat': '0.10'}", false, "{}" },
    { "qcow2", "{'cluster_size': 16384, 'extended_l2': true}", false, "{}" },
    { "qcow2", "{'cluster_size': 65536, 'extended_l2': true, 'refcount_bits': 64}", true, "{}" },
    { "qcow2", "{'cluster_size': 65536}", true, "{}" },
    { "qcow2", "{'cluster_size': 4096, 'refcount_bits': 8}", true, "{'l2-cache-size': 16384, 'refcount-cache-size': 16384}" },
    { "qcow2", "{'cluster_size': 8192, 'lazy_refcounts': true}", false, "{}" },
    { "qcow2", "{'cluster_size': 1024, 'refcount_bits': 2}", true, "{'l2-cache-size': 8192}" },
    { "qcow2", "{'cluster_size': 4096, 'encrypt.format': 'aes', 'encrypt.key-secret': 's'}", true, "{}" },
    { "qcow2", "{'cluster_size': 16384, 'extended_l2': true, 'encrypt.format': 'luks', 'encrypt.key-secret': 's', 'encrypt.iter-time': 1, "
      "'encrypt.cipher-alg': 'aes-128', 'encrypt.cipher-mode': 'cbc'}", true, "{}" },
    { "vdi", "{}", false, "{}" },
    { "vmdk", "{}", false, "{}" },
    { "vmdk", "{'zeroed_grain': true}", true, "{}" },
    { "vmdk", "{'subformat': 'streamOptimized'}", false, "{}" },
    { "vhdx", "{'block_size': 1048576}", false, "{}" },
    { "vhdx", "{'subformat': 'fixed'}", false, "{}" },
    { "vpc", "{'force_size': true}", false, "{}" },
    { "parallels", "{}", false, "{}" },
    { "parallels", "{'cluster_size': 32256}", false, "{}" },
    { "qed", "{'cluster_size': 4096, 'table_size': 1}", false, "{}" },
    { "qed", "{}", true, "{}" },
    { "qed", "{'cluster_size': 16384, 'table_size': 2}", true, "{}" },
    { "qcow", "{}", false, "{}" },
    { "qcow", "{'backing_file': 'x'}", true, "{}" },
};

static BlockNode *open_image(const Shape *shape, const char *extra, const char *file, const char *backing, unsigned flags)
{
    Error *err = NULL;
    Json *options = json_parse_string(extra, error_fatal);

    json_put_string(options, "driver", shape->format);
    json_put_string(options, "file", file);
    if (backing) {
        json_put_string(options, "backing", backing);
    }
    if (strstr(shape->options, "encrypt")) {
        json_put(options, "encrypt", json_parse_string("{'key-secret': 's'}", error_fatal));
    }
    BlockNode *node = node_open(NULL, options, flags, &err);
    if (!node) {
        fprintf(stderr, "%s\n", error_message(err));
        error_free(err);
    }
    return node;
}

static void load_image(MemFile *f, const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t *buf = xmalloc(MAX_NEW_IMAGE);
    size_t n = in ? fread(buf, 1, MAX_NEW_IMAGE, in) : 0;

    CHECK(n > 0 && n < MAX_NEW_IMAGE);
    fclose(in);
    f->data = buf;
    f->bytes = f->cap = n;
    f->stable = xmemdup(buf, n);
    f->stable_bytes = f->stable_cap = n;
}

/* -- a persistent bitmap that records from the start ----------------------------------------------------------------- */

static void add_bitmap(Run *r, const Shape *shape)
{
    if (!strcmp(shape->format, "qcow2") && !strstr(shape->options, "0.10")) {
        r->protocol = mem_open(&r->file, "disk");
        r->node = open_image(shape, "{}", "disk", shape->backing ? "under" : NULL, BLOCK_RDWR);
        CHECK(r->node && bitmap_add(r->node, "b", 512u << rnd(r, 8), true, true, error_fatal));
        node_unref(r->node);
        node_unref(r->protocol);
    }
}

static void begin(Run *r, const Shape *shape, const char *scratch)
{
    Json *options = json_parse_string(shape->options, error_fatal);
    Error *err = NULL;

    json_put_uint(options, "size", (uint64_t)DISK_SECTORS * SECTOR);
    if (!image_create(scratch, shape->format, options, true, &err)) {
        fprintf(stderr, "%s\n", error_message(err));
        exit(1);
    }
    json_free(options);
    load_image(&r->file, scratch);
    r->sectors = xnew_array(Sector, DISK_SECTORS);
    for (unsigned i = 0; i < DISK_SECTORS; i++) {
        r->sectors[i] = (Sector){ .n = 1, .values = { { .done = 1 } } };
    }
    if (shape->backing) {
        /* Shorter than the image on it, and with data in some places only. */
        r->backing.cap = r->backing.bytes = (DISK_SECTORS - 1000) * SECTOR;
        r->backing.data = xcalloc(1, r->backing.cap);
        for (unsigned i = 0; i < DISK_SECTORS - 1000; i++) {
            if (i / 40 & 1) {
                fill(r->backing.data + i * SECTOR, 0x800000 + i);
                r->sectors[i].values[0].tag = 0x800000 + i;
            }
        }
        r->backing_node = mem_open(&r->backing, "under");
    }
    add_bitmap(r, shape);
    r->protocol = mem_open(&r->file, "disk");
    r->node = open_image(shape, shape->open, "disk", shape->backing ? "under" : NULL, BLOCK_RDWR | BLOCK_DISCARD);
    CHECK(r->node);
    r->has_bitmap = bitmap_find(r->node, "b") != NULL;
}

/* Each sector that was written has its bit. */
static void check_recorded(const Run *r, const char *what)
{
    const DirtyBitmap *b = bitmap_find(r->node, "b");

    for (unsigned i = 0; i < DISK_SECTORS && b; i++) {
        const Sector *s = &r->sectors[i];
        bool written = false;
        for (unsigned k = 0; k < s->n; k++) {
            written |= s->values[k].done > 1 && !s->values[k].discarded;
        }
        if (written && !bitset_has(&b->bits, (uint64_t)i * SECTOR >> b->shift)) {
            fprintf(stderr, "%s: sector %u was written, the bitmap does not know\n", what, i);
            CHECK(false);
        }
    }
}

static void check_stored(const Run *r, BlockNode *node, bool may_be_lost, const char *what)
{
    const DirtyBitmap *b = r->has_bitmap ? bitmap_find(node, "b") : NULL;
    bool same = b && !b->inconsistent && b->bits.n_bits == r->bits.n_bits;

    for (uint64_t i = 0; same && i < r->bits.n_bits; i++) {
        same = bitset_has(&b->bits, i) == bitset_has(&r->bits, i);
    }
    if (r->has_bitmap && !same && !(may_be_lost && b && b->inconsistent)) {
        fprintf(stderr, "%s: the bitmap is %s\n", what, !b ? "gone" : b->inconsistent ? "inconsistent" : "not what it was");
        CHECK(false);
    }
}

static unsigned check_image(BlockNode *node, bool may_leak, const char *what)
{
    BlockCheck c = { 0 };
    Error *err = NULL;

    if (!node->driver->check) {
        return 0;
    }
    if (!node->driver->check(node, &c, 0, &err)) {
        fprintf(stderr, "%s: %s\n", what, error_message(err));
        CHECK(false);
    }
    bool bad = c.corruptions || c.check_errors || (c.leaks && !may_leak);
    for (size_t i = 0; i < c.n_messages && bad && i < 10; i++) {
        fprintf(stderr, "%s: %s\n", what, c.messages[i]);
    }
    unsigned problems = (unsigned)(c.corruptions + c.check_errors + c.leaks);
    CHECK(!bad);
    block_check_free(&c);
    return problems;
}

static void compare_all(BlockNode *node, const Sector *sectors, bool any, const char *what)
{
    uint8_t *buf = xmalloc(DISK_SECTORS * SECTOR);

    CHECK(!node_pread(node, 0, buf, DISK_SECTORS * SECTOR));
    for (unsigned i = 0; i < DISK_SECTORS; i++) {
        if (!allowed(&sectors[i], buf + i * SECTOR, any)) {
            fprintf(stderr, "%s: sector %u reads as %02x%02x%02x%02x; allowed:", what, i, buf[i * SECTOR + 3], buf[i * SECTOR + 2], buf[i * SECTOR + 1], buf[i * SECTOR]);
            for (unsigned k = 0; k < sectors[i].n; k++) {
                fprintf(stderr, " %08x", sectors[i].values[k].tag);
            }
            fprintf(stderr, "\n");
            CHECK(false);
        }
    }
    free(buf);
}

/* Of one format (NULL: of all), round and round. */
static const Shape *nth_shape(const char *format, unsigned n)
{
    for (unsigned i = 0, last = UINT32_MAX;; i = (i + 1) % ARRAY_SIZE(shapes)) {
        if (format && strcmp(shapes[i].format, format)) {
            if (last == UINT32_MAX && i + 1 == ARRAY_SIZE(shapes)) {
                fprintf(stderr, "there are no images of '%s' here\n", format);
                exit(1);
            }
            continue;
        }
        last = i;
        if (!n--) {
            return &shapes[i];
        }
    }
}

static void one_run(const char *format, unsigned number, uint64_t seed, const char *scratch, bool crash, bool errors)
{
    Run r = { .seed = seed * 0x9e3779b97f4a7c15ull | 1, .errors = errors };
    const Shape *shape = nth_shape(format, number);
    char what[160];
    /* These say that they were not closed, until they are opened for writing. */
    bool unclosed = strstr(shape->options, "lazy") || !strcmp(shape->format, "parallels");

    snprintf(what, sizeof(what), "run %u seed %" PRIu64 " %s %s", number, seed, shape->format, shape->options);
    begin(&r, shape, scratch);
    r.file.seed = r.seed | 1;
    r.backing.seed = r.seed | 1;
    r.left = 60 + (unsigned)rnd(&r, 300);
    r.crash_after = crash ? 1 + (unsigned)rnd(&r, r.left - 1) : 0;
    r.crash_seed = mem_random(&r.seed);
    r.file.fail_one_in = errors ? 40 : 0;
    BlockEdge *edge = node_attach(r.node, "test", PERM_READ | PERM_WRITE, PERM_ALL, error_fatal);
    for (unsigned i = 0; i < WORKERS; i++) {
        r.running++;
        ioctx_start(ioctx_main(), worker, &r);
    }
    ioctx_wait_zero(ioctx_main(), &r.running);
    r.file.fail_one_in = r.backing.fail_one_in = 0;
    if (!crash) {
        compare_all(r.node, r.sectors, errors, what);
        check_image(r.node, true, what);
        check_recorded(&r, what);
        if (r.has_bitmap) {
            r.bits = bitset_copy(&bitmap_find(r.node, "b")->bits);
        }
    }
    MemFile closing = { 0 };
    if (!crash) { /* the power fails while it is closed */
        r.file.crash_in = 1 + (unsigned)rnd(&r, 12);
        r.file.crash_to = &closing;
    }
    edge_detach(edge);
    node_unref(r.node);
    r.file.crash_in = 0;
    node_unref(r.protocol);
    if (!crash) {
        r.protocol = mem_open(&r.file, "disk");
        BlockNode *node = open_image(shape, "{}", "disk", shape->backing ? "under" : NULL, 0);
        CHECK(node);
        check_image(node, errors, what);
        compare_all(node, r.sectors, errors, what);
        check_stored(&r, node, false, what);
        node_unref(node);
        node_unref(r.protocol);
    }
    if (closing.data) {
        BlockNode *disk = mem_open(&closing, "closing");
        BlockNode *node = open_image(shape, "{}", "closing", shape->backing ? "under" : NULL, unclosed ? BLOCK_RDWR : 0);
        CHECK(node);
        if (node) {
            check_image(node, true, what);
            compare_all(node, r.sectors, true, what);
            check_stored(&r, node, true, what);
            node_unref(node);
        }
        node_unref(disk);
        mem_free(&closing);
    }
    if (r.crashed) {
        BlockNode *disk = mem_open(&r.disk, "crashed");
        BlockNode *node = open_image(shape, "{}", "crashed", shape->backing ? "under" : NULL, unclosed ? BLOCK_RDWR : 0);
        CHECK(node);
        if (node) {
            check_image(node, true, what);
            compare_all(node, r.at_crash, true, what);
            const DirtyBitmap *b = bitmap_find(node, "b");
            CHECK(!r.has_bitmap || (b && b->inconsistent)); /* never one that would be believed */
            node_unref(node);
        }
        node_unref(disk);
        mem_free(&r.disk);
        free(r.at_crash);
    }
    node_unref(r.backing_node);
    mem_free(&r.backing);
    mem_free(&r.file);
    bitset_finish(&r.bits);
    free(r.sectors);
}

int main(int argc, char **argv)
{
    unsigned crashes = argc > 1 ? (unsigned)atoi(argv[1]) : 300;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    const char *format = argc > 3 ? argv[3] : NULL;
    char scratch[] = "/tmp/image-crash-XXXXXX";
    int fd = mkstemp(scratch);

    CHECK(fd >= 0);
    ioctx_allow_blocking(ioctx_main());
    secret_add("s", &(SecretSource){ .data = "a password of more than 16 bytes" }, error_fatal);
    for (unsigned i = 0; i < crashes / 5; i++) {
        one_run(format, i, seed + i, scratch, false, false);
    }
    for (unsigned i = 0; i < crashes; i++) {
        one_run(format, i, seed + 100000 + i, scratch, true, false);
    }
    for (unsigned i = 0; i < crashes / 5; i++) {
        one_run(format, i, seed + 200000 + i, scratch, false, true);
    }
    unlink(scratch);
    return test_result();
}
