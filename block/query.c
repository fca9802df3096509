/*
 * query.c: what monitors show of disks.
 */
#include <errno.h>

#include "block/internal.h"

static Json *describe_medium(const BlockBackend *blk, const Medium *m)
{
    Json *inserted = json_object(), *image = json_object(), *cache = json_object();
    const char *filename = m->filename ? m->filename : "null-co://";

    json_put_string(inserted, "file", filename);
    json_put_string(inserted, "drv", m->node ? node_medium_format(m) : "raw");
    json_put_bool(inserted, "ro", m->readonly);
    json_put_bool(inserted, "encrypted", false);
    if (m->node_name) {
        json_put_string(inserted, "node-name", m->node_name);
    }
    json_put_string(image, "filename", filename);
    json_put_string(image, "format", m->node ? node_medium_format(m) : "raw");
    json_put_uint(image, "virtual-size", m->size_bytes);
    if (m->node) {
        node_medium_describe(m, image);
    }
    json_put(inserted, "image", image);
    json_put_bool(cache, "no-flush", m->no_flush);
    json_put_bool(cache, "direct", m->direct);
    json_put_bool(cache, "writeback", blk->writeback);
    json_put(inserted, "cache", cache);
    return inserted;
}

Json *block_query(bool nodes)
{
    Json *list = json_array();

    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (nodes ? blk->is_front || !blk->medium : blk->is_node) {
            continue;
        }
        bool removable = blk->ops || (!blk->owner && blk->is_cdrom);
        Json *entry = json_object();
        json_put_string(entry, "device", blk->is_node || !blk->id ? "" : blk->id);
        json_put_string(entry, "type", "unknown");
        json_put_bool(entry, "locked", blk->ops && blk->ops->is_locked && blk->ops->is_locked(blk->ops_opaque));
        json_put_bool(entry, "removable", removable);
        if (blk->ops && blk->ops->is_tray_open) {
            json_put_bool(entry, "tray_open", blk->ops->is_tray_open(blk->ops_opaque));
        }
        if (blk->owner) {
            json_put_string(entry, "qdev", blk->owner);
            json_put_string(entry, "io-status", !blk->io_error ? "ok" : blk->io_error == -ENOSPC ? "nospace" : "failed");
        }
        if (blk->medium) {
            Json *inserted = describe_medium(blk, blk->medium);
            limits_describe(blk, inserted);
            json_put(entry, "inserted", inserted);
        }
        json_push(list, entry);
    }
    return list;
}

static void put_counts(Json *stats, const char *const *names, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++) {
        json_put_uint(stats, names[i], value);
    }
}

/* What has been asked of each disk; times and merges are not measured. */
Json *block_query_stats(bool nodes)
{
    static const char *const none[] = {
        "unmap_operations", "unmap_merged", "unmap_bytes", "unmap_total_time_ns", "flush_total_time_ns", "wr_total_time_ns",
        "rd_total_time_ns", "wr_merged", "rd_merged", "wr_highest_offset", "failed_wr_operations", "failed_rd_operations",
        "failed_unmap_operations", "failed_flush_operations", "invalid_wr_operations", "invalid_rd_operations",
        "invalid_unmap_operations", "invalid_flush_operations",
    };
    Json *list = json_array();

    for (BlockBackend *blk = block_backends; blk; blk = blk->next) {
        if (nodes ? blk->is_front : blk->is_node) {
            continue;
        }
        Json *entry = json_object(), *stats = json_object();
        if (!nodes) {
            json_put_string(entry, "device", blk->id ? blk->id : "");
        }
        if (!nodes && blk->owner) {
            json_put_string(entry, "qdev", blk->owner);
        }
        if (blk->medium && blk->medium->node_name) {
            json_put_string(entry, "node-name", blk->medium->node_name);
        }
        json_put_uint(stats, "rd_bytes", blk->read_bytes);
        json_put_uint(stats, "rd_operations", blk->reads);
        json_put_uint(stats, "wr_bytes", blk->write_bytes);
        json_put_uint(stats, "wr_operations", blk->writes);
        json_put_uint(stats, "flush_operations", blk->flushes);
        put_counts(stats, none, ARRAY_SIZE(none), 0);
        json_put_bool(stats, "account_invalid", false);
        json_put_bool(stats, "account_failed", false);
        json_put(stats, "timed_stats", json_array());
        json_put(entry, "stats", stats);
        json_push(list, entry);
    }
    return list;
}
