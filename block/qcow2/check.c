/*
 * check.c: counts what the tables use and compares it with the refcounts in the image; repairs.
 *
 * What uses a cluster: the header, the refcount table and its blocks, the L1 tables of the active image and of the snapshots with all under
 * them, the snapshot table, and what persistent bitmaps have. Where refcounts are wrong they are set to what was counted; where the refcount
 * blocks themselves are not usable all of them are written anew behind everything else.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

/* Bits of an L2 entry that mean nothing. */
#define ENTRY_RESERVED 0x3f000000000001feull

typedef struct Walk {
    Qcow2 *s;
    BlockCheck *check;
    unsigned fix;
    uint32_t *counts;               /* saturating */
    uint64_t n_clusters;            /* of the file */
    bool rebuild, too_low;          /* the refcount structures are unusable; clusters are in use that are not counted so */
    uint64_t next_contiguous;       /* where the guest's next cluster would be, were nothing fragmented */
    uint64_t highest;               /* the last cluster that is used */
    int err;
} Walk;

static void use(Walk *w, uint64_t offset, uint64_t bytes)
{
    Qcow2 *s = w->s;
    uint64_t first = offset >> s->cluster_bits, last = bytes ? (offset + bytes - 1) >> s->cluster_bits : first;

    if (!bytes) {
        return;
    }
    if (last >= w->n_clusters || offset + bytes < offset) {
        block_check_say(w->check, "ERROR: counting reference for region exceeding the end of the file by one cluster or more: offset 0x%" PRIx64
                        " size 0x%" PRIx64, offset, bytes);
        w->check->corruptions++;
        return;
    }
    for (uint64_t c = first; c <= last; c++) {
        w->counts[c] += w->counts[c] < UINT32_MAX;
    }
    w->highest = MAX(w->highest, last);
}

static uint64_t count_on_disk(Walk *w, uint64_t cluster, bool *ok)
{
    uint64_t count = 0;
    int err = refcount_get(w->s, cluster, &count);

    if (err) {
        *ok = false;
        w->check->check_errors++;
    }
    return count;
}

/* -- L2 tables ------------------------------------------------------------------------------------------------------- */

typedef struct Table {
    uint64_t offset;
    uint8_t *data;
    bool changed;
} Table;

static void fix_flag(Walk *w, Table *t, unsigned i, uint64_t entry, uint64_t offset)
{
    Qcow2 *s = w->s;
    bool ok = true;

    if (w->rebuild || s->data_file != s->file) {
        return;
    }
    /* The flag says that the count is one; what counts is what is on the disk, or will be after a repair. */
    uint64_t count = w->fix & CHECK_FIX_ERRORS ? w->counts[offset >> s->cluster_bits] : count_on_disk(w, offset >> s->cluster_bits, &ok);
    if (ok && (count == 1) != ((entry & ENTRY_COPIED) != 0)) {
        bool fix = w->fix & CHECK_FIX_ERRORS;
        block_check_say(w->check, "%s OFLAG_COPIED data cluster: l2_entry=%" PRIx64 " refcount=%" PRIu64, fix ? "Repairing" : "ERROR", entry, count);
        if (fix) {
            stbe64(t->data + i * 8 * s->entry_words, count == 1 ? entry | ENTRY_COPIED : entry & ~ENTRY_COPIED);
            t->changed = true;
            w->check->corruptions_fixed++;
        } else {
            w->check->corruptions++;
        }
    }
}

static void walk_entry(Walk *w, Table *t, unsigned i, bool active, bool flags)
{
    Qcow2 *s = w->s;
    uint64_t entry = ldbe64(t->data + i * 8 * s->entry_words), bitmap = s->entry_words == 2 ? ldbe64(t->data + i * 16 + 8) : 0;
    uint64_t offset = entry & ENTRY_OFFSET;

    if (!flags && !(entry & ENTRY_COMPRESSED) && entry & ENTRY_RESERVED) {
        block_check_say(w->check, "ERROR found l2 entry with reserved bits set: %" PRIx64, entry);
        w->check->corruptions++;
    }
    if (entry & ENTRY_COMPRESSED) {
        if (flags) {
            return;
        }
        if (entry & ENTRY_COPIED) {
            block_check_say(w->check, "ERROR: coffset=0x%" PRIx64 ": copied flag must never be set for compressed clusters",
                            compressed_offset(s, entry) >> 9 << 9);
            w->check->corruptions++;
        }
        if (s->data_file != s->file) {
            block_check_say(w->check, "ERROR compressed cluster %" PRIu64 " with data file, entry=0x%" PRIx64, compressed_offset(s, entry) >> 9, entry);
            w->check->corruptions++;
            return;
        }
        if (bitmap) {
            block_check_say(w->check, "ERROR compressed cluster %" PRIu64 " with non-zero subcluster allocation bitmap, entry=0x%" PRIx64,
                            compressed_offset(s, entry) >> 9, entry);
            w->check->corruptions++;
        }
        use(w, compressed_offset(s, entry) & ~511ull, compressed_bytes(s, entry) + (compressed_offset(s, entry) & 511));
        if (active) {
            w->check->compressed_clusters++;
            w->check->allocated_clusters++;
            w->check->fragmented_clusters++;
        }
        return;
    }
    if (s->entry_words == 2 && bitmap >> 32 & bitmap & 0xffffffff && !flags) {
        block_check_say(w->check, "ERROR offset=%" PRIx64 ": Allocated cluster with corrupted subcluster allocation bitmap", offset);
        w->check->corruptions++;
    }
    if (!offset && !(s->data_file != s->file && entry & ENTRY_COPIED)) {
        if (s->entry_words == 2 && bitmap & 0xffffffff && !flags) {
            block_check_say(w->check, "ERROR: Unallocated cluster has non-zero subcluster allocation map");
            w->check->corruptions++;
        }
        return;
    }
    if (offset & (s->cluster_size - 1)) {
        if (flags) {
            return;
        }
        block_check_say(w->check, "ERROR offset=%" PRIx64 ": Cluster is not properly aligned; L2 entry corrupted.", offset);
        w->check->corruptions++;
        return;
    }
    if (flags) {
        if (offset >> s->cluster_bits < w->n_clusters) {
            fix_flag(w, t, i, entry, offset);
        }
        return;
    }
    if (active) {
        w->check->allocated_clusters++;
        if (w->next_contiguous && offset != w->next_contiguous) {
            w->check->fragmented_clusters++;
        }
        w->next_contiguous = offset + s->cluster_size;
    }
    if (s->data_file == s->file) {
        use(w, offset, s->cluster_size);
    }
}

static void walk_l2(Walk *w, uint64_t offset, uint8_t *buf, bool active, bool flags)
{
    Qcow2 *s = w->s;
    Table t = { offset, buf, false };
    int err = node_co_pread(s->file, offset, buf, s->cluster_size);

    if (err) {
        block_check_say(w->check, "ERROR: I/O error in check_refcounts_l2: %s", strerror(-err));
        w->check->check_errors++;
        return;
    }
    for (unsigned i = 0; i < 1u << s->l2_bits; i++) {
        /* Most of the tables of large images are empty. */
        if (!(i & 7) && buffer_is_zero(buf + i * 8 * s->entry_words, 64 * s->entry_words)) {
            i += 7;
            continue;
        }
        walk_entry(w, &t, i, active, flags);
    }
    if (t.changed) {
        err = node_co_pwrite(s->file, offset, buf, s->cluster_size, 0);
        if (err) {
            block_check_say(w->check, "ERROR: Failed to write L2 table: %s", strerror(-err));
            w->check->check_errors++;
        }
    }
}

/* -- L1 tables ------------------------------------------------------------------------------------------------------- */

static void walk_l1(Walk *w, uint64_t l1_offset, uint32_t l1_size, bool active)
{
    Qcow2 *s = w->s;
    uint64_t *l1 = xcalloc(MAX(l1_size, 1u), 8);
    uint8_t *buf = node_alloc(s->file, s->cluster_size);
    int err = l1_size ? node_co_pread(s->file, l1_offset, l1, l1_size * 8ull) : 0;

    if (err) {
        block_check_say(w->check, "ERROR: I/O error while reading an L1 table: %s", strerror(-err));
        w->check->check_errors++;
        l1_size = 0;
    }
    use(w, l1_offset, l1_size * 8ull);
    for (uint32_t i = 0; i < l1_size; i++) {
        uint64_t l2 = ldbe64(&l1[i]) & ENTRY_OFFSET;
        if (!l2) {
            continue;
        }
        use(w, l2, s->cluster_size);
        if (l2 & (s->cluster_size - 1)) {
            block_check_say(w->check, "ERROR l2_offset=%" PRIx64 ": Table is not cluster aligned; L1 entry corrupted", l2);
            w->check->corruptions++;
        } else if (l2 >> s->cluster_bits < w->n_clusters) {
            walk_l2(w, l2, buf, active, false);
        }
    }
    free(buf);
    free(l1);
}

/* The COPIED flags of the active tables; those of snapshots mean nothing. */
static void walk_flags(Walk *w)
{
    Qcow2 *s = w->s;
    uint8_t *buf = node_alloc(s->file, s->cluster_size);
    bool changed = false;

    for (uint32_t i = 0; i < s->l1_size; i++) {
        uint64_t l2 = s->l1[i] & ENTRY_OFFSET;
        if (!l2 || l2 & (s->cluster_size - 1) || l2 >> s->cluster_bits >= w->n_clusters) {
            continue;
        }
        bool ok = true, fix = w->fix & CHECK_FIX_ERRORS;
        uint64_t count = fix ? w->counts[l2 >> s->cluster_bits] : count_on_disk(w, l2 >> s->cluster_bits, &ok);
        if (ok && !w->rebuild && (count == 1) != ((s->l1[i] & ENTRY_COPIED) != 0)) {
            block_check_say(w->check, "%s OFLAG_COPIED L2 cluster: l1_index=%u l1_entry=%" PRIx64 " refcount=%" PRIu64, fix ? "Repairing" : "ERROR", i,
                            s->l1[i], count);
            if (fix) {
                s->l1[i] = count == 1 ? l2 | ENTRY_COPIED : l2;
                dirty_parts_add(&s->l1_dirty, i);
                changed = true;
                w->check->corruptions_fixed++;
            } else {
                w->check->corruptions++;
            }
        }
        walk_l2(w, l2, buf, true, true);
    }
    free(buf);
    if (changed) {
        int err = dirty_parts_write(s, &s->l1_dirty, s->l1, s->l1_size, s->l1_offset);
        w->check->check_errors += err != 0;
    }
}

/* -- bitmaps --------------------------------------------------------------------------------------------------------- */

static void walk_bitmaps(Walk *w)
{
    Qcow2 *s = w->s;

    use(w, s->bitmaps_offset, s->bitmaps_bytes);
    for (size_t i = 0; i < s->bitmaps.n; i++) {
        const Qcow2Bitmap *b = &s->bitmaps.at[i];
        uint64_t bytes = b->table_entries * 8ull;
        use(w, b->table_offset, bytes);
        if (b->table_offset + bytes > s->file->size_bytes + s->cluster_size) {
            continue; /* use() has said so */
        }
        uint8_t *table = xcalloc(1, bytes);
        if (node_co_pread(s->file, b->table_offset, table, bytes)) {
            block_check_say(w->check, "ERROR: I/O error while reading the table of bitmap '%s'", b->name);
            w->check->check_errors++;
            bytes = 0;
        }
        for (uint64_t k = 0; k < bytes / 8; k++) {
            uint64_t entry = ldbe64(table + k * 8), data = entry & ENTRY_OFFSET;
            if (entry & ~(ENTRY_OFFSET | 1) || (data && entry & 1) || data & (s->cluster_size - 1)) {
                block_check_say(w->check, "ERROR bitmap '%s' has a table entry that is not valid: %" PRIx64, b->name, entry);
                w->check->corruptions++;
            } else if (data) {
                use(w, data, s->cluster_size);
            }
        }
        free(table);
    }
}

/* -- refcounts ------------------------------------------------------------------------------------------------------- */

static void walk_refcount_blocks(Walk *w)
{
    Qcow2 *s = w->s;

    use(w, s->reftable_offset, (uint64_t)s->reftable_clusters << s->cluster_bits);
    for (uint32_t i = 0; i < s->reftable_entries; i++) {
        uint64_t at = s->reftable[i];
        if (!at) {
            continue;
        }
        if (at & (s->cluster_size - 1)) {
            block_check_say(w->check, "ERROR refcount block %u is not cluster aligned; refcount table entry corrupted", i);
            w->check->corruptions++;
            w->rebuild = true;
        } else if (at >> s->cluster_bits >= w->n_clusters) {
            block_check_say(w->check, "ERROR refcount block %u is outside image", i);
            w->check->corruptions++;
            w->rebuild = true;
        } else {
            use(w, at, s->cluster_size);
            if (w->counts[at >> s->cluster_bits] != 1) {
                block_check_say(w->check, "ERROR refcount block %u refcount=%u", i, w->counts[at >> s->cluster_bits]);
                w->check->corruptions++;
                w->rebuild = true;
            }
        }
    }
}

/* Sets one count in the image to what was counted. */
static int set_count(Qcow2 *s, uint64_t cluster, uint64_t now, uint64_t want)
{
    int err = 0;

    for (; now < want && !err; now++) {
        err = refcount_change(s, cluster << s->cluster_bits, 1, 1);
    }
    for (; now > want && !err; now--) {
        err = refcount_change(s, cluster << s->cluster_bits, 1, -1);
    }
    return err;
}

/* First without `fix`: all is said. Then leaks are repaired. */
static void compare(Walk *w, bool fix)
{
    Qcow2 *s = w->s;
    uint64_t end = MAX(w->n_clusters, 1u);

    for (uint64_t c = 0; c < end;) {
        uint64_t per_block = 1ull << refblock_bits(s), i = c >> refblock_bits(s);
        uint8_t *block = NULL;
        if (i >= s->reftable_entries || !s->reftable[i] || w->rebuild) {
            uint64_t stop = MIN((c | (per_block - 1)) + 1, end);
            while (c < stop && !w->counts[c]) {
                c++;
            }
            if (c == stop) {
                continue;
            }
        }
        uint64_t now = 0, want = w->counts[c];
        int err = 0;
        if (!w->rebuild && i < s->reftable_entries && s->reftable[i]) {
            err = cache_get(s, &s->refcount_cache, s->reftable[i], false, &block);
            if (!err) {
                /* A whole block at a time as long as it is right. */
                uint64_t stop = MIN((c | (per_block - 1)) + 1, end);
                while (c < stop && (now = refcount_read_entry(s, block, c & (per_block - 1))) == (want = w->counts[c])) {
                    c++;
                }
                cache_put(&s->refcount_cache, block);
                if (c == stop) {
                    continue;
                }
            }
        }
        if (err) {
            block_check_say(w->check, "Can't get refcount for cluster %" PRIu64 ": %s", c, strerror(-err));
            w->check->check_errors++;
            c = (c | (per_block - 1)) + 1;
            continue;
        }
        if (now == want) {
            c++;
            continue;
        }
        bool leak = now > want;
        if (!fix) {
            block_check_say(w->check, "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%" PRIu64, leak ? "Leaked" : "ERROR", c, now, want);
            *(leak ? &w->check->leaks : &w->check->corruptions) += 1;
            w->too_low |= !leak; /* where one count is wrong none can be relied on */
        } else if (leak) {
            block_check_say(w->check, "Repairing cluster %" PRIu64 " refcount=%" PRIu64 " reference=%" PRIu64, c, now, want);
            err = set_count(s, c, now, want);
            if (err) {
                block_check_say(w->check, "ERROR repairing cluster %" PRIu64 ": %s", c, strerror(-err));
                w->check->check_errors++;
            } else {
                w->check->leaks_fixed++;
                w->check->leaks--;
            }
        }
        c++;
    }
}

#define STOPPED (1u << 31)

static void stop_use(Walk *w, uint64_t cluster)
{
    if (cluster < w->n_clusters && w->counts[cluster] & ~STOPPED) {
        w->counts[cluster] = (w->counts[cluster] - 1) | STOPPED;
    }
}

/* All refcounts anew, behind the end of the file. */
static int rebuild(Walk *w)
{
    Qcow2 *s = w->s;
    uint64_t per_block = 1ull << refblock_bits(s), base = DIV_ROUND_UP(s->file->size_bytes, s->cluster_size), blocks = 0, table = 0, all;

    block_check_say(w->check, "Rebuilding refcount structure");
    /* What counted before is not used any more. */
    for (uint32_t i = 0; i < s->reftable_entries; i++) {
        if (s->reftable[i] && !(s->reftable[i] & (s->cluster_size - 1))) {
            stop_use(w, s->reftable[i] >> s->cluster_bits);
        }
    }
    for (uint64_t c = s->reftable_offset >> s->cluster_bits, i = 0; i < s->reftable_clusters; i++) {
        stop_use(w, c + i);
    }
    for (uint64_t c = 0; c < w->n_clusters; c++) {
        if (w->counts[c] & STOPPED) {
            w->counts[c] &= ~STOPPED;
            if (!w->counts[c]) {
                block_check_say(w->check, "Repairing cluster %" PRIu64 " refcount=1 reference=0", c);
            }
        }
    }
    do {
        all = base + blocks + table;
        blocks = DIV_ROUND_UP(MAX(all, base + blocks + table), per_block);
        table = DIV_ROUND_UP(blocks * 8, s->cluster_size);
    } while (base + blocks + table > all);
    if (table * s->cluster_size > QCOW2_MAX_REFTABLE_BYTES) {
        return -EFBIG;
    }
    uint8_t *buf = xcalloc(blocks + table, s->cluster_size);
    for (uint64_t c = 0; c < base + blocks + table; c++) {
        uint64_t count = c >= base ? 1 : c < w->n_clusters ? w->counts[c] : 0;
        if (count > refcount_max(s)) {
            free(buf);
            return -EOVERFLOW;
        }
        refcount_write_entry(s, buf + c / per_block * s->cluster_size, c & (per_block - 1), count);
    }
    for (uint64_t b = 0; b < blocks; b++) {
        stbe64(buf + blocks * s->cluster_size + b * 8, (base + b) << s->cluster_bits);
    }
    int err = node_co_pwrite(s->file, base << s->cluster_bits, buf, (blocks + table) * s->cluster_size, 0);
    err = err ? err : file_flush(s);
    if (!err) {
        uint8_t head[12];
        stbe64(head, (base + blocks) << s->cluster_bits);
        stbe32(head + 8, (uint32_t)table);
        err = node_co_pwrite(s->file, 48, head, sizeof(head), 0);
        err = err ? err : file_flush(s);
    }
    if (!err) {
        cache_forget_all(&s->refcount_cache);
        free(s->reftable);
        s->reftable_offset = (base + blocks) << s->cluster_bits;
        s->reftable_clusters = (uint32_t)table;
        s->reftable_entries = (uint32_t)(table * s->cluster_size / 8);
        s->reftable = xcalloc(s->reftable_entries, 8);
        for (uint64_t i = 0; i < s->reftable_entries; i++) {
            s->reftable[i] = ldbe64(buf + blocks * s->cluster_size + i * 8);
        }
        dirty_parts_init(&s->reftable_dirty, s->reftable_entries * 8ull);
        metadata_forget(s);
        s->free_hint = 0;
    }
    free(buf);
    return err;
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

static bool begin(Walk *w)
{
    Qcow2 *s = w->s;

    w->n_clusters = DIV_ROUND_UP(s->file->size_bytes, s->cluster_size);
    if (w->n_clusters > 1ull << 36) {
        return false;
    }
    w->counts = calloc(MAX(w->n_clusters, 1u), sizeof(uint32_t));
    return w->counts != NULL;
}

static void walk_all(Walk *w)
{
    Qcow2 *s = w->s;

    use(w, 0, s->cluster_size);
    walk_l1(w, s->l1_offset, s->l1_size, true);
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        walk_l1(w, s->snapshots[i].l1_offset, s->snapshots[i].l1_size, false);
    }
    use(w, s->snapshots_offset, s->snapshots_bytes);
    uint64_t crypt, crypt_bytes;
    crypt_range(s, &crypt, &crypt_bytes);
    use(w, crypt, crypt_bytes);
    walk_bitmaps(w);
    walk_refcount_blocks(w);
}

static void check_entry(void *opaque)
{
    Walk *w = opaque;
    Qcow2 *s = w->s;

    co_mutex_lock(&s->lock);
    w->err = s->node->readonly ? 0 : tables_write(s, true);
    if (!w->err && !begin(w)) {
        w->err = -ENOMEM;
    }
    if (!w->err) {
        walk_all(w);
        uint64_t structural = w->check->corruptions;
        compare(w, false);
        bool rebuilt = false;
        if ((w->rebuild || w->too_low) && w->fix & CHECK_FIX_ERRORS) {
            w->err = rebuild(w);
            if (!w->err) {
                rebuilt = true;
                w->check->corruptions_fixed += w->check->corruptions - (w->rebuild ? 0 : structural);
                w->check->leaks_fixed += w->check->leaks;
                w->check->corruptions = w->rebuild ? 0 : structural;
                w->check->leaks = 0;
                w->rebuild = false;
            }
        } else if ((w->rebuild || w->too_low) && w->fix) {
            block_check_say(w->check, "ERROR need to rebuild refcount structures");
            w->err = -EIO;
        } else if (w->fix & CHECK_FIX_LEAKS && !structural) {
            compare(w, true); /* not where something is broken: what seems to be unused may be all there is */
        }
        if (!w->err) {
            walk_flags(w);
        }
        w->check->image_end_offset = (w->highest + 1) << s->cluster_bits;
        if (rebuilt) {
            w->check->image_end_offset = round_up_cluster(s, s->file->size_bytes);
        }
        w->check->total_clusters = DIV_ROUND_UP(s->node->size_bytes, s->cluster_size);
        w->check->has_clusters = true;
    }
    if (!w->err && w->fix && !s->node->readonly) {
        cache_forget_all(&s->l2_cache);
        w->err = refcounts_write(s);
        w->err = w->err ? w->err : file_flush(s);
        if (!w->err && !w->check->corruptions && !w->check->check_errors && s->incompatible & (INCOMPAT_DIRTY | INCOMPAT_CORRUPT)) {
            s->incompatible &= ~(uint64_t)(INCOMPAT_DIRTY | INCOMPAT_CORRUPT);
            w->err = header_write_features(s);
            s->is_corrupt = false;
        }
    }
    co_mutex_unlock(&s->lock);
    free(w->counts);
}

bool qcow2_check(BlockNode *node, BlockCheck *check, unsigned fix, Error **errp)
{
    Walk w = { .s = node->state, .check = check, .fix = node->readonly ? 0 : fix };

    ioctx_run(node->context, check_entry, &w);
    if (w.err) {
        error_set_errno(errp, -w.err, "Check failed");
    }
    return !w.err;
}
