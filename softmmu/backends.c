/*
 * backends.c: disks and networks of the command line and the monitors: glue
 * between options, QMP and the rooms block/ and net/.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "block/block.h"
#include "hw/device.h"
#include "hw/prop-hooks.h"
#include "net/net.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/handlers.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"

static bool snapshot_all;

/* ---- "drive" properties of devices ---- */

static bool drive_prop_set(Object *obj, const Property *prop, void *field, const char *text,
                           Error **errp)
{
    BlockBackend *blk = *text ? block_find(text) : NULL;
    if (*text && !blk) {
        error_set(errp, "Property '%s.%s' can't find value '%s'", obj->type->name, prop->name,
                  text);
        return false;
    }
    *(BlockBackend **)field = blk;
    return true;
}

static char *drive_prop_get(const void *field)
{
    const BlockBackend *blk = *(BlockBackend *const *)field;
    return blk ? xstrdup(block_id(blk)) : NULL;
}

static void print_network(PrintFn *print, void *opaque)
{
    char *text = net_info();
    print(opaque, text);
    free(text);
}

static const char *cache_mode(const Json *cache)
{
    bool direct = json_get_bool(cache, "direct", false), unsafe = json_get_bool(cache, "no-flush", false);

    if (!json_get_bool(cache, "writeback", true)) {
        return direct ? "writethrough, direct" : "writethrough";
    }
    return unsafe ? "writeback, ignore flushes" : direct ? "writeback, direct" : "writeback";
}

static void print_block(PrintFn *print, void *opaque)
{
    Json *list = block_query(false);
    for (size_t i = 0; i < json_count(list); i++) {
        const Json *item = json_at(list, i), *inserted = json_get(item, "inserted"), *tray = json_get(item, "tray_open");
        const char *device = json_get_string(item, "device"), *node = inserted ? json_get_string(inserted, "node-name") : NULL;
        const char *owner = json_get_string(item, "qdev");
        bool removable = json_get_bool(item, "removable", false);
        char *where = owner ? xasprintf("    Attached to:      %s\n", owner) : xstrdup("");
        char *media = removable ? xasprintf("    Removable device: %slocked, tray %s\n",
                                            json_get_bool(item, "locked", false) ? "" : "not ",
                                            tray && json_get_bool(item, "tray_open", false) ? "open" : "closed") : xstrdup("");
        char *text;
        if (inserted) {
            text = xasprintf("%s%s%s%s: %s (%s%s)\n%s%s    Cache mode:       %s\n", i ? "\n" : "", device ? device : "",
                             device && *device && node ? " " : "", node ? node : "", json_get_string(inserted, "file"),
                             json_get_string(inserted, "drv"), json_get_bool(inserted, "ro", false) ? ", read-only" : "",
                             where, media, cache_mode(json_get(inserted, "cache")));
        } else {
            text = xasprintf("%s%s: [not inserted]\n%s%s", i ? "\n" : "", device && *device ? device : owner ? owner : "", where, media);
        }
        print(opaque, text);
        free(text);
        free(where);
        free(media);
    }
    json_free(list);
}

static void tray_moved(const char *device, const char *id, bool open)
{
    Json *data = json_object();
    json_put_string(data, "device", device);
    json_put_string(data, "id", id);
    json_put_bool(data, "tray-open", open);
    monitor_event("DEVICE_TRAY_MOVED", data);
}

static void io_error(const char *device, const char *owner, bool is_read, const char *action, int error)
{
    Json *data = json_object();
    json_put_string(data, "device", device);
    json_put_string(data, "qom-path", owner);
    json_put_string(data, "operation", is_read ? "read" : "write");
    json_put_string(data, "action", action);
    json_put_bool(data, "nospace", error == -ENOSPC);
    json_put_string(data, "reason", strerror(-error));
    monitor_event("BLOCK_IO_ERROR", data);
    if (!strcmp(action, "stop")) {
        machine_request_stop(RUN_STATE_IO_ERROR);
    }
}

static void retry_requests(void *opaque, bool running, RunState state)
{
    if (running) {
        block_retry();
    }
}

void system_init_backends(void)
{
    static const PropHooks drive_hooks = { drive_prop_set, drive_prop_get };
    property_set_hooks(PROP_DRIVE, &drive_hooks);
    net_init();
    block_set_tray_hook(tray_moved);
    block_set_error_hook(io_error);
    vm_add_change_handler(retry_requests, NULL);
    monitor_register_info("network", print_network);
    monitor_register_info("usernet", net_print_user_connections);
    monitor_register_info("block", print_block);
}

void system_finish_backends(void)
{
    block_close_exports();
    block_drain_all();
    net_cleanup();
    block_cleanup();
}

/* ---- options ---- */

bool system_set_snapshot(GivenOption *opt, Error **errp)
{
    snapshot_all = true;
    return true;
}

static bool add_drive_text(const char *text, Error **errp)
{
    const char *interface = machine_current()->type->default_block_if;
    char *full = xasprintf("%s%s", text, snapshot_all && !strstr(text, "snapshot=")
                                             ? ",snapshot=on" : "");
    bool ok = drive_add(full, interface, machine_current()->type->units_per_bus, errp);
    free(full);
    return ok;
}

bool system_add_drive(GivenOption *opt, Error **errp)
{
    char *text = opts_print(opt->opts);
    bool ok = add_drive_text(text, errp);
    free(text);
    return ok;
}

bool system_add_image(GivenOption *opt, Error **errp)
{
    static const struct {
        OptionId id;
        const char *options;
    } kinds[] = {
        { OPTION_HDA, "index=0,media=disk" }, { OPTION_HDB, "index=1,media=disk" },
        { OPTION_HDC, "index=2,media=disk" }, { OPTION_HDD, "index=3,media=disk" },
        { OPTION_CDROM, "index=2,media=cdrom" }, { OPTION_PFLASH, "if=pflash" },
        { OPTION_FDA, "if=floppy,index=0" }, { OPTION_FDB, "if=floppy,index=1" },
        { OPTION_SD, "if=sd" },
    };
    Json *opts = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].id == opt->id) {
            opts = opts_parse(kinds[i].options, NULL, errp);
        }
    }
    json_put_string(opts, "file", opt->text);
    char *text = opts_print(opts);
    json_free(opts);
    bool ok = add_drive_text(text, errp);
    free(text);
    return ok;
}

/* The drives a PC has without being asked: an empty CD-ROM at index 2, an empty floppy. */
bool system_add_default_drives(bool want_cdrom, bool want_floppy, Error **errp)
{
    const MachineType *type = machine_current()->type;
    const char *interface = type->default_block_if;

    if (!interface || strcmp(interface, "ide")) {
        return true;
    }
    return (!want_cdrom || type->no_cdrom || drive_get(interface, 2) || add_drive_text("index=2,media=cdrom", errp)) &&
           (!want_floppy || type->no_floppy || drive_get("floppy", 0) || add_drive_text("if=floppy,index=0", errp));
}

bool system_add_blockdev(GivenOption *opt, Error **errp)
{
    return opts_nest(opt->opts, errp) && blockdev_add(opt->opts, errp);
}

bool system_add_netdev(GivenOption *opt, Error **errp)
{
    char *text = opts_print(opt->opts);
    bool ok = netdev_option(*opt->text == '{' ? opt->text : text, errp);
    free(text);
    return ok;
}

bool system_add_nic(GivenOption *opt, Error **errp)
{
    return nic_option(opt->text, errp);
}

bool system_add_net(GivenOption *opt, Error **errp)
{
    return net_legacy_option(opt->text, errp);
}

/* ---- devices nobody named ---- */

typedef struct ImplicitDrives {
    Error *err;
    const char *interface;
} ImplicitDrives;

static void add_virtio_disk(BlockBackend *blk, void *opaque)
{
    ImplicitDrives *d = opaque;
    const char *const props[] = { "drive", block_id(blk), NULL };
    if (!d->err && !device_add("virtio-blk-pci", props, &d->err)) {
        error_prepend(&d->err, "drive '%s': ", block_id(blk));
    }
}

static void refuse_drive(BlockBackend *blk, void *opaque)
{
    ImplicitDrives *d = opaque;
    if (!d->err) {
        error_set(&d->err, "drive '%s': machine type does not support if=%s,bus=%u,unit=%u", block_id(blk), d->interface, drive_bus(blk),
                  drive_unit(blk));
    }
}

static bool add_nic_device(const char *type, const char *const *props, Error **errp)
{
    return device_add(type, props, errp) != NULL;
}

bool system_add_implicit_devices(Error **errp)
{
    static const char *const others[] = { "ide", "scsi", "floppy", "sd", "pflash", "mtd", "xen" };
    ImplicitDrives d = { .interface = "virtio" };
    drive_foreach("virtio", add_virtio_disk, &d);
    for (size_t i = 0; i < ARRAY_SIZE(others) && !d.err; i++) {
        d.interface = others[i];
        drive_foreach(others[i], refuse_drive, &d);
    }
    if (d.err) {
        error_propagate(errp, d.err);
        return false;
    }
    /* A network nobody asked for would cost every start; boards of this kind have none. */
    const MachineType *type = machine_current()->type;
    bool defaults = type->creates_nic && !system_config.no_defaults && device_type_find(type->default_nic);
    if (!net_create_nics(type->default_nic, defaults, add_nic_device, errp)) {
        return false;
    }
    net_warn_unconnected();
    return true;
}

/* ---- QMP ---- */

Json *qmp_netdev_add(Monitor *mon, const Json *args, Error **errp)
{
    return netdev_add(args, errp) ? json_object() : NULL;
}

Json *qmp_netdev_del(Monitor *mon, const Json *args, Error **errp)
{
    return netdev_del(json_get_string(args, "id"), errp) ? json_object() : NULL;
}

Json *qmp_set_link(Monitor *mon, const Json *args, Error **errp)
{
    return net_set_link(json_get_string(args, "name"), json_get_bool(args, "up", true), errp)
               ? json_object() : NULL;
}

Json *qmp_blockdev_add(Monitor *mon, const Json *args, Error **errp)
{
    return blockdev_add(args, errp) ? json_object() : NULL;
}

Json *qmp_blockdev_del(Monitor *mon, const Json *args, Error **errp)
{
    return blockdev_del(json_get_string(args, "node-name"), errp) ? json_object() : NULL;
}

/* -- media: id names the device, device the -drive -- */

static BlockBackend *named_drive(const Json *args, Error **errp)
{
    return block_find_owned(json_get_string(args, "id"), json_get_string(args, "device"), errp);
}

Json *qmp_eject(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_eject(blk, json_get_bool(args, "force", false), errp) ? json_object() : NULL;
}

Json *qmp_blockdev_open_tray(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_open_tray(blk, json_get_bool(args, "force", false), errp) ? json_object() : NULL;
}

Json *qmp_blockdev_close_tray(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_close_tray(blk, errp) ? json_object() : NULL;
}

Json *qmp_blockdev_remove_medium(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_remove_medium(blk, errp) ? json_object() : NULL;
}

Json *qmp_blockdev_insert_medium(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_insert_medium(blk, json_get_string(args, "node-name"), errp) ? json_object() : NULL;
}

Json *qmp_blockdev_change_medium(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_change_medium(blk, json_get_string(args, "filename"), json_get_string(args, "format"),
                                      json_get_string(args, "read-only-mode"), json_get_bool(args, "force", false), errp)
               ? json_object() : NULL;
}

Json *qmp_block_set_io_throttle(Monitor *mon, const Json *args, Error **errp)
{
    BlockBackend *blk = named_drive(args, errp);
    return blk && block_set_io_throttle(blk, args, errp) ? json_object() : NULL;
}

static void complete_image(Json *image)
{
    struct stat st;
    const char *file = json_get_string(image, "filename");
    if (file && stat(file, &st) == 0) {
        json_put_int(image, "actual-size", (int64_t)st.st_blocks * 512); /* stat(2): units of 512 */
    }
    json_put_bool(image, "dirty-flag", false);
}

/* Members that clients expect of every image, where the block room does not tell them. */
static void complete_inserted(Json *inserted, const char *id)
{
    static const char *const zeros[] = { "bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr",
                                         "backing_file_depth", "write_threshold" };
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++) {
        if (!json_get(inserted, zeros[i])) {
            json_put_int(inserted, zeros[i], 0);
        }
    }
    if (!json_get(inserted, "detect_zeroes")) {
        json_put_string(inserted, "detect_zeroes", "off");
    }
    if (!json_get(inserted, "active")) {
        json_put_bool(inserted, "active", true);
    }
    if (!json_get(inserted, "children")) {
        json_put(inserted, "children", json_array());
    }
    if (!json_get(inserted, "node-name")) {
        json_put_string(inserted, "node-name", id);
    }
}

static Json *query_block(bool nodes)
{
    Json *list = block_query(nodes), *out = json_array();
    for (size_t i = 0; i < json_count(list); i++) {
        Json *item = json_copy(json_at(list, i));
        Json *inserted = json_get(item, "inserted");
        const char *device = json_get_string(item, "device");
        if (inserted) {
            char *id = device && *device ? xasprintf("#block-%s", device) : xstrdup("");
            complete_inserted(inserted, id);
            if (json_get(inserted, "image")) {
                complete_image(json_get(inserted, "image"));
            }
            free(id);
        }
        if (nodes) {
            json_push(out, json_copy(inserted));
            json_free(item);
        } else {
            json_push(out, item);
        }
    }
    json_free(list);
    return out;
}

Json *qmp_query_blockstats(Monitor *mon, const Json *args, Error **errp)
{
    return block_query_stats(json_get_bool(args, "query-nodes", false));
}

Json *qmp_query_block(Monitor *mon, const Json *args, Error **errp)
{
    return query_block(false);
}

Json *qmp_query_named_block_nodes(Monitor *mon, const Json *args, Error **errp)
{
    return query_block(true);
}
