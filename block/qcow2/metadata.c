/*
 * metadata.c: which clusters have tables, so that data is never written over them, and what happens to an image found to be damaged.
 */
#include <errno.h>
#include <stdarg.h>

#include "block/qcow2/qcow2.h"

/* -- a set of cluster numbers ---------------------------------------------------------------------------------------- */

static size_t slot_of(const Qcow2 *s, uint64_t cluster)
{
    size_t i = (size_t)(cluster * 0x9e3779b97f4a7c15ull >> 20) & s->metadata.mask;

    while (s->metadata.at[i] && s->metadata.at[i] != cluster + 1) {
        i = (i + 1) & s->metadata.mask;
    }
    return i;
}

static void insert(Qcow2 *s, uint64_t cluster)
{
    if (!s->metadata.at || s->metadata.n * 2 >= s->metadata.mask) {
        uint64_t *old = s->metadata.at;
        size_t old_slots = old ? s->metadata.mask + 1 : 0;
        s->metadata.mask = (old_slots ? old_slots * 2 : 256) - 1;
        s->metadata.at = xnew_array(uint64_t, s->metadata.mask + 1);
        for (size_t i = 0; i < old_slots; i++) {
            if (old[i]) {
                s->metadata.at[slot_of(s, old[i] - 1)] = old[i];
            }
        }
        free(old);
    }
    size_t i = slot_of(s, cluster);
    s->metadata.n += !s->metadata.at[i];
    s->metadata.at[i] = cluster + 1;
}

void metadata_add(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    for (uint64_t at = round_down_cluster(s, offset); s->metadata_known && at < offset + bytes; at += s->cluster_size) {
        insert(s, at >> s->cluster_bits);
    }
}

void metadata_forget(Qcow2 *s)
{
    free(s->metadata.at);
    s->metadata.at = NULL;
    s->metadata.n = s->metadata.mask = 0;
    s->metadata_known = false;
}

/* What is in memory anyway says where the tables are. */
static void learn(Qcow2 *s)
{
    s->metadata_known = true;
    metadata_add(s, 0, s->cluster_size);
    metadata_add(s, s->l1_offset, (uint64_t)s->l1_size * 8);
    metadata_add(s, s->reftable_offset, (uint64_t)s->reftable_clusters << s->cluster_bits);
    if (s->snapshots_bytes) {
        metadata_add(s, s->snapshots_offset, s->snapshots_bytes);
    }
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        metadata_add(s, s->snapshots[i].l1_offset, (uint64_t)s->snapshots[i].l1_size * 8);
    }
    uint64_t crypt, crypt_bytes;
    crypt_range(s, &crypt, &crypt_bytes);
    metadata_add(s, crypt, crypt_bytes);
    metadata_add(s, s->bitmaps_offset, s->bitmaps_bytes);
    for (size_t i = 0; i < s->bitmaps.n; i++) {
        metadata_add(s, s->bitmaps.at[i].table_offset, s->bitmaps.at[i].table_entries * 8ull);
    }
    for (uint32_t i = 0; i < s->l1_size; i++) {
        if (s->l1[i] & ENTRY_OFFSET) {
            metadata_add(s, s->l1[i] & ENTRY_OFFSET, s->cluster_size);
        }
    }
    for (uint32_t i = 0; i < s->reftable_entries; i++) {
        if (s->reftable[i]) {
            metadata_add(s, s->reftable[i], s->cluster_size);
        }
    }
}

int metadata_check(Qcow2 *s, uint64_t offset, uint64_t bytes)
{
    if (s->is_corrupt) {
        return -EIO;
    }
    if (!bytes) {
        return 0;
    }
    if (!s->metadata_known) {
        learn(s);
    }
    for (uint64_t at = round_down_cluster(s, offset); at < offset + bytes; at += s->cluster_size) {
        if (s->metadata.at[slot_of(s, at >> s->cluster_bits)]) {
            return mark_corrupt(s, "Preventing invalid write on metadata (cluster %#" PRIx64 ")", at);
        }
    }
    return 0;
}

int mark_corrupt(Qcow2 *s, const char *fmt, ...)
{
    if (!s->is_corrupt && !(s->node->flags & BLOCK_CHECK)) {
        va_list ap;
        va_start(ap, fmt);
        char *why = xvasprintf(fmt, ap);
        va_end(ap);
        if (s->node->readonly || s->version < 3) {
            error_report("qcow2: Image is corrupt: %s; further non-fatal corruption events will be suppressed", why);
        } else {
            error_report("qcow2: Marking image as corrupt: %s; further corruption events will be suppressed", why);
        }
        free(why);
        s->is_corrupt = true;
        if (!s->node->readonly && s->version >= 3) {
            s->incompatible |= INCOMPAT_CORRUPT;
            header_write_features(s);
        }
    }
    return -EIO;
}
