/*
 * snapshot.c: internal snapshots: copies of the L1 table whose L2 tables and clusters are counted once more.
 *
 * Each step leaves an image a crash may follow: what is referred to is counted and stable first, what is not referred to any more loses its
 * counts last.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"

enum { ENTRY_BYTES = 40, EXTRA_KNOWN = 24, MAX_EXTRA = 1024 };

static void snapshot_clear(Qcow2Snapshot *sn)
{
    free(sn->is.id);
    free(sn->is.name);
    free(sn->extra);
    *sn = (Qcow2Snapshot){ 0 };
}

void snapshots_free(Qcow2 *s)
{
    for (unsigned i = 0; i < s->n_snapshots && s->snapshots; i++) {
        snapshot_clear(&s->snapshots[i]);
    }
    free(s->snapshots);
    s->snapshots = NULL;
    s->n_snapshots = 0;
}

/* -- the table ------------------------------------------------------------------------------------------------------- */

static bool read_entry(Qcow2 *s, Qcow2Snapshot *sn, uint64_t *at, Error **errp)
{
    uint8_t h[ENTRY_BYTES], extra[EXTRA_KNOWN] = { 0 };
    int err = node_pread(s->file, *at, h, sizeof(h));

    if (err) {
        error_set_errno(errp, -err, "Failed to read snapshot table");
        return false;
    }
    sn->l1_offset = ldbe64(h);
    sn->l1_size = ldbe32(h + 8);
    uint32_t id_bytes = ldbe16(h + 12), name_bytes = ldbe16(h + 14);
    sn->is.date_s = ldbe32(h + 16);
    sn->is.date_ns = ldbe32(h + 20);
    sn->is.vm_clock_ns = ldbe64(h + 24);
    sn->is.vm_state_bytes = ldbe32(h + 32);
    sn->extra_bytes = ldbe32(h + 36);
    if (sn->extra_bytes > MAX_EXTRA) {
        error_set(errp, "Too much extra metadata in snapshot table entry");
        return false;
    }
    if (sn->l1_size > QCOW2_MAX_L1_BYTES / 8 || sn->l1_offset & (s->cluster_size - 1)) {
        error_set(errp, "Snapshot L1 table %s", sn->l1_size > QCOW2_MAX_L1_BYTES / 8 ? "too large" : "offset invalid");
        return false;
    }
    *at += sizeof(h);
    err = node_pread(s->file, *at, extra, MIN(sn->extra_bytes, (uint32_t)EXTRA_KNOWN));
    if (sn->extra_bytes > EXTRA_KNOWN) {
        sn->unknown_extra_bytes = sn->extra_bytes - EXTRA_KNOWN;
        sn->extra = xmalloc(sn->unknown_extra_bytes);
        err = err ? err : node_pread(s->file, *at + EXTRA_KNOWN, sn->extra, sn->unknown_extra_bytes);
    }
    *at += sn->extra_bytes;
    sn->is.vm_state_bytes = sn->extra_bytes >= 8 ? ldbe64(extra) : sn->is.vm_state_bytes;
    sn->is.disk_bytes = sn->extra_bytes >= 16 ? ldbe64(extra + 8) : s->node->size_bytes;
    sn->is.icount = sn->extra_bytes >= 24 ? ldbe64(extra + 16) : UINT64_MAX;
    sn->is.id = xcalloc(1, id_bytes + 1);
    sn->is.name = xcalloc(1, name_bytes + 1);
    err = err || !id_bytes ? err : node_pread(s->file, *at, sn->is.id, id_bytes);
    err = err || !name_bytes ? err : node_pread(s->file, *at + id_bytes, sn->is.name, name_bytes);
    *at = ROUND_UP(*at + id_bytes + name_bytes, (uint64_t)8);
    if (err) {
        error_set_errno(errp, -err, "Failed to read snapshot table");
    }
    return !err;
}

bool snapshots_load(Qcow2 *s, Error **errp)
{
    unsigned n = s->n_snapshots;
    uint64_t at = s->snapshots_offset;

    s->n_snapshots = 0;
    s->snapshots_bytes = 0;
    if (n > QCOW2_MAX_SNAPSHOTS) {
        error_set(errp, "Too many snapshots");
        return false;
    }
    s->snapshots = xnew_array(Qcow2Snapshot, MAX(n, 1u));
    for (unsigned i = 0; i < n; i++) {
        s->n_snapshots = i + 1;
        if (at >= s->file->size_bytes) {
            error_set(errp, "Snapshot table is behind the end of the file");
            return false;
        }
        if (!read_entry(s, &s->snapshots[i], &at, errp)) {
            return false;
        }
        if (at - s->snapshots_offset > QCOW2_MAX_SNAPSHOT_TABLE) {
            error_set(errp, "Snapshot table is too large");
            return false;
        }
    }
    s->snapshots_bytes = at - s->snapshots_offset;
    return true;
}

static uint8_t *build_table(const Qcow2 *s, const Qcow2Snapshot *list, unsigned n, size_t *ret_bytes)
{
    size_t bytes = 0, at = 0;

    for (unsigned i = 0; i < n; i++) {
        bytes += ROUND_UP(ENTRY_BYTES + MAX(list[i].extra_bytes, (uint32_t)EXTRA_KNOWN) + strlen(list[i].is.id) + strlen(list[i].is.name), (size_t)8);
    }
    uint8_t *table = xcalloc(1, MAX(bytes, 1u));
    for (unsigned i = 0; i < n; i++) {
        const Qcow2Snapshot *sn = &list[i];
        uint8_t *h = table + at;
        size_t id_bytes = strlen(sn->is.id), name_bytes = strlen(sn->is.name), extra = EXTRA_KNOWN + sn->unknown_extra_bytes;
        stbe64(h, sn->l1_offset);
        stbe32(h + 8, sn->l1_size);
        stbe16(h + 12, (uint16_t)id_bytes);
        stbe16(h + 14, (uint16_t)name_bytes);
        stbe32(h + 16, sn->is.date_s);
        stbe32(h + 20, sn->is.date_ns);
        stbe64(h + 24, sn->is.vm_clock_ns);
        stbe32(h + 32, sn->is.vm_state_bytes <= UINT32_MAX ? (uint32_t)sn->is.vm_state_bytes : 0);
        stbe32(h + 36, (uint32_t)extra);
        stbe64(h + 40, sn->is.vm_state_bytes);
        stbe64(h + 48, sn->is.disk_bytes);
        stbe64(h + 56, sn->is.icount);
        if (sn->unknown_extra_bytes) {
            memcpy(h + 64, sn->extra, sn->unknown_extra_bytes);
        }
        memcpy(h + ENTRY_BYTES + extra, sn->is.id, id_bytes);
        memcpy(h + ENTRY_BYTES + extra + id_bytes, sn->is.name, name_bytes);
        at += ROUND_UP(ENTRY_BYTES + extra + id_bytes + name_bytes, (size_t)8);
    }
    *ret_bytes = at;
    return table;
}

/* A new table at a new place; then the header names it. The old one's clusters are freed. */
static int write_table(Qcow2 *s, const Qcow2Snapshot *list, unsigned n)
{
    size_t bytes;
    uint8_t *table = build_table(s, list, n, &bytes), head[12];
    uint64_t old_offset = s->snapshots_offset, old_bytes = s->snapshots_bytes;
    int64_t at = bytes > QCOW2_MAX_SNAPSHOT_TABLE ? -EFBIG : n ? cluster_alloc(s, bytes) : 0;
    int err = at < 0 ? (int)at : 0;

    if (!err && n) {
        err = node_co_pwrite(s->file, (uint64_t)at, table, bytes, 0);
    }
    err = err ? err : tables_flush(s);
    if (!err) {
        stbe32(head, n);
        stbe64(head + 4, (uint64_t)at);
        err = node_co_pwrite(s->file, 60, head, sizeof(head), 0);
        err = err ? err : file_flush(s);
    } else if (at > 0) {
        refcount_change(s, (uint64_t)at, bytes, -1);
    }
    free(table);
    if (!err) {
        s->snapshots_offset = (uint64_t)at;
        s->snapshots_bytes = bytes;
        metadata_forget(s);
        err = old_bytes ? refcount_change(s, old_offset, old_bytes, -1) : 0;
    }
    return err;
}

/* -- finding --------------------------------------------------------------------------------------------------------- */

static int find_snapshot(const Qcow2 *s, const char *id_or_name)
{
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        if (!strcmp(s->snapshots[i].is.id, id_or_name)) {
            return (int)i;
        }
    }
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        if (!strcmp(s->snapshots[i].is.name, id_or_name)) {
            return (int)i;
        }
    }
    return -1;
}

size_t qcow2_snapshot_list(BlockNode *node, BlockSnapshot **ret)
{
    const Qcow2 *s = node->state;

    *ret = xnew_array(BlockSnapshot, MAX(s->n_snapshots, 1u));
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        (*ret)[i] = s->snapshots[i].is;
        (*ret)[i].id = xstrdup(s->snapshots[i].is.id);
        (*ret)[i].name = xstrdup(s->snapshots[i].is.name);
    }
    return s->n_snapshots;
}

/* -- operations ------------------------------------------------------------------------------------------------------ */

typedef struct SnapshotJob {
    Qcow2 *s;
    int (*run)(Qcow2 *s, void *arg);
    void *arg;
    int result;
} SnapshotJob;

static void job_entry(void *opaque)
{
    SnapshotJob *j = opaque;
    co_mutex_lock(&j->s->lock);
    j->result = j->s->is_corrupt ? -EIO : j->run(j->s, j->arg);
    co_mutex_unlock(&j->s->lock);
}

static int run_locked(Qcow2 *s, int (*run)(Qcow2 *s, void *arg), void *arg)
{
    SnapshotJob j = { s, run, arg, 0 };

    node_drain(s->node);
    ioctx_run(s->node->context, job_entry, &j);
    return j.result;
}

/* A copy of the active L1 table in new clusters. */
static int64_t copy_l1(Qcow2 *s, const uint64_t *l1, uint32_t entries)
{
    uint64_t bytes = MAX(entries, 1u) * 8ull;
    int64_t at = cluster_alloc(s, bytes);

    if (at < 0) {
        return at;
    }
    uint64_t *be = xcalloc(1, bytes);
    for (uint32_t i = 0; i < entries; i++) {
        stbe64(&be[i], l1[i]);
    }
    int err = node_co_pwrite(s->file, (uint64_t)at, be, bytes, 0);
    free(be);
    if (err) {
        refcount_change(s, (uint64_t)at, bytes, -1);
    }
    return err ? err : at;
}

static int create(Qcow2 *s, void *arg)
{
    BlockSnapshot *in = arg;
    Qcow2Snapshot sn = { .is = *in };
    int err = tables_flush(s);

    /* The copy comes last, when the flags of the entries are those of shared tables. */
    err = err ? err : refcount_change_l1(s, s->l1_offset, s->l1_size, 1);
    if (err) {
        return err;
    }
    int64_t at = copy_l1(s, s->l1, s->l1_size);
    err = at < 0 ? (int)at : 0;
    if (!err) {
        sn.l1_offset = (uint64_t)at;
        sn.l1_size = s->l1_size;
        sn.is.id = xstrdup(in->id);
        sn.is.name = xstrdup(in->name);
        s->snapshots = xrealloc(s->snapshots, (s->n_snapshots + 1) * sizeof(sn));
        s->snapshots[s->n_snapshots] = sn;
        err = write_table(s, s->snapshots, s->n_snapshots + 1);
        if (err) {
            snapshot_clear(&s->snapshots[s->n_snapshots]);
            refcount_change(s, (uint64_t)at, s->l1_size * 8ull, -1);
        } else {
            s->n_snapshots++;
        }
    }
    if (err) {
        refcount_change_l1(s, s->l1_offset, s->l1_size, -1);
        refcount_change_l1(s, s->l1_offset, s->l1_size, 0);
    }
    return err ? err : tables_flush(s);
}

bool qcow2_snapshot_create(BlockNode *node, BlockSnapshot *snapshot, Error **errp)
{
    Qcow2 *s = node->state;
    unsigned long id = 0;

    if (s->data_file != s->file) {
        error_set(errp, "Could not create snapshot '%s': an image with an external data file has no internal snapshots", snapshot->name);
        return false;
    }
    if (s->n_snapshots >= QCOW2_MAX_SNAPSHOTS) {
        error_set(errp, "Could not create snapshot '%s': there are %u already", snapshot->name, s->n_snapshots);
        return false;
    }
    for (unsigned i = 0; i < s->n_snapshots; i++) {
        id = MAX(id, strtoul(s->snapshots[i].is.id, NULL, 10));
    }
    free(snapshot->id);
    snapshot->id = xasprintf("%lu", id + 1);
    snapshot->disk_bytes = node->size_bytes;
    int err = run_locked(s, create, snapshot);
    if (err) {
        error_set_errno(errp, -err, "Could not create snapshot '%s'", snapshot->name);
    }
    return !err;
}

static int go_to(Qcow2 *s, void *arg)
{
    const Qcow2Snapshot *sn = arg;
    uint32_t entries = MAX(sn->l1_size, 1u);
    uint64_t *l1 = xcalloc(round_up_cluster(s, entries * 8ull), 1);
    uint64_t old_offset = s->l1_offset, old_bytes = s->l1_size * 8ull, *old_l1 = s->l1;
    uint32_t old_size = s->l1_size;
    int err = tables_flush(s);

    err = err ? err : refcount_change_l1(s, sn->l1_offset, sn->l1_size, 1);
    err = err ? err : node_co_pread(s->file, sn->l1_offset, l1, sn->l1_size * 8ull);
    if (err) {
        free(l1);
        return err;
    }
    for (uint32_t i = 0; i < sn->l1_size; i++) {
        l1[i] = ldbe64(&l1[i]);
    }
    int64_t at = copy_l1(s, l1, entries);
    err = at < 0 ? (int)at : tables_flush(s);
    if (!err) {
        uint8_t head[24];
        stbe64(head, sn->is.disk_bytes);
        stbe32(head + 8, s->crypt_method);
        stbe32(head + 12, entries);
        stbe64(head + 16, (uint64_t)at);
        err = node_co_pwrite(s->file, 24, head, sizeof(head), 0);
        err = err ? err : file_flush(s);
    }
    if (err) {
        free(l1);
        return err;
    }
    s->l1 = l1;
    s->l1_size = entries;
    s->l1_offset = (uint64_t)at;
    s->node->size_bytes = sn->is.disk_bytes;
    dirty_parts_init(&s->l1_dirty, entries * 8ull);
    metadata_forget(s);
    free(old_l1);
    err = refcount_change_l1(s, old_offset, old_size, -1);
    err = err || !old_bytes ? err : refcount_change(s, old_offset, old_bytes, -1);
    err = err ? err : refcount_change_l1(s, s->l1_offset, s->l1_size, 0);
    return err ? err : tables_flush(s);
}

bool qcow2_snapshot_goto(BlockNode *node, const char *id_or_name, Error **errp)
{
    Qcow2 *s = node->state;
    if (node->bitmaps) {
        error_set(errp, "Could not apply snapshot '%s': Device has active dirty bitmaps", id_or_name);
        return false;
    }
    int i = find_snapshot(s, id_or_name), err = i < 0 ? -ENOENT : run_locked(s, go_to, &s->snapshots[i]);

    if (err) {
        error_set_errno(errp, -err, "Could not apply snapshot '%s'%s", id_or_name, i < 0 ? ": Failed to load snapshot" : "");
    }
    return !err;
}

static int delete(Qcow2 *s, void *arg)
{
    unsigned i = *(unsigned *)arg;
    Qcow2Snapshot sn = s->snapshots[i];

    memmove(&s->snapshots[i], &s->snapshots[i + 1], (s->n_snapshots - i - 1) * sizeof(sn));
    int err = write_table(s, s->snapshots, s->n_snapshots - 1);
    if (err) {
        memmove(&s->snapshots[i + 1], &s->snapshots[i], (s->n_snapshots - i - 1) * sizeof(sn));
        s->snapshots[i] = sn;
        return err;
    }
    s->n_snapshots--;
    err = refcount_change_l1(s, sn.l1_offset, sn.l1_size, -1);
    err = err || !sn.l1_size ? err : refcount_change(s, sn.l1_offset, sn.l1_size * 8ull, -1);
    err = err ? err : refcount_change_l1(s, s->l1_offset, s->l1_size, 0);
    snapshot_clear(&sn);
    return err ? err : tables_flush(s);
}

/* By name only: who deletes must not hit another one whose number that is. */
bool qcow2_snapshot_delete(BlockNode *node, const char *name, Error **errp)
{
    Qcow2 *s = node->state;
    unsigned i = 0;
    int err;

    while (i < s->n_snapshots && strcmp(s->snapshots[i].is.name, name)) {
        i++;
    }
    if (i == s->n_snapshots) {
        error_set(errp, "Could not delete snapshot '%s': snapshot not found", name);
        return false;
    }
    err = run_locked(s, delete, &i);
    if (err) {
        error_set_errno(errp, -err, "Could not delete snapshot '%s'", name);
    }
    return !err;
}

bool qcow2_snapshot_load(BlockNode *node, const char *id_or_name, Error **errp)
{
    Qcow2 *s = node->state;
    int i = find_snapshot(s, id_or_name);

    if (!node->readonly) {
        error_set(errp, "Device is not readonly");
        return false;
    }
    if (i < 0) {
        error_set(errp, "Can't find snapshot");
        return false;
    }
    const Qcow2Snapshot *sn = &s->snapshots[i];
    uint64_t *l1 = xcalloc(MAX(sn->l1_size, 1u), 8);
    int err = sn->l1_size ? node_pread(s->file, sn->l1_offset, l1, sn->l1_size * 8ull) : 0;
    if (err) {
        error_set_errno(errp, -err, "Failed to read l1 table for snapshot");
        free(l1);
        return false;
    }
    for (uint32_t k = 0; k < sn->l1_size; k++) {
        l1[k] = ldbe64(&l1[k]);
    }
    free(s->l1);
    s->l1 = l1;
    s->l1_size = sn->l1_size;
    s->l1_offset = sn->l1_offset;
    node->size_bytes = sn->is.disk_bytes;
    cache_forget_all(&s->l2_cache);
    return true;
}
