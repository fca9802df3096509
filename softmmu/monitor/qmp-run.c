/*
 * qmp-run.c: run state, identity, machines, vCPUs, memory sizes.
 */
#include <errno.h>
#include <stdio.h>
#include "accel/accel.h"
#include "hw/device.h"
#include "hw/hostmem.h"
#include "hw/virtio-types.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "target/target.h"

/* ---- run state ---- */

Json *qmp_query_status(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    Json *ret = json_object();
    json_put_string(ret, "status", run_state_name(m->state));
    json_put_bool(ret, "running", m->running);
    return ret;
}

Json *qmp_quit(Monitor *mon, const Json *args, Error **errp)
{
    system_request_quit(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    return json_object();
}

Json *qmp_stop(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    if (m->running) {
        vm_stop(m, RUN_STATE_PAUSED);
    } else {
        m->no_autostart = true;
    }
    return json_object();
}

Json *qmp_cont(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    switch (m->state) {
    case RUN_STATE_SHUTDOWN:
    case RUN_STATE_INTERNAL_ERROR:
        error_set(errp, "Resetting the Virtual Machine is required");
        return NULL;
    case RUN_STATE_SUSPENDED:
        return json_object();
    case RUN_STATE_INMIGRATE:
        m->no_autostart = false;
        return json_object();
    default:
        break;
    }
    if (!m->running) {
        vm_start(m);
    }
    return json_object();
}

Json *qmp_system_reset(Monitor *mon, const Json *args, Error **errp)
{
    machine_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    return json_object();
}

Json *qmp_system_powerdown(Monitor *mon, const Json *args, Error **errp)
{
    machine_request_powerdown();
    return json_object();
}

Json *qmp_system_wakeup(Monitor *mon, const Json *args, Error **errp)
{
    if (!machine_can_suspend()) {
        error_set(errp, "wake-up from suspend is not supported by this guest");
        return NULL;
    }
    return machine_request_wakeup(WAKEUP_OTHER, errp) ? json_object() : NULL;
}

Json *qmp_inject_nmi(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    if (!m->type->inject_nmi) {
        error_set(errp, "machine does not provide NMIs");
        return NULL;
    }
    m->type->inject_nmi(m);
    return json_object();
}

Json *qmp_set_action(Monitor *mon, const Json *args, Error **errp)
{
    for (size_t i = 0; i < json_count(args); i++) {
        if (!system_set_action(json_key_at(args, i), json_as_string(json_at(args, i)), errp)) {
            return NULL;
        }
    }
    return json_object();
}

Json *qmp_watchdog_set_action(Monitor *mon, const Json *args, Error **errp)
{
    return system_set_action("watchdog", json_get_string(args, "action"), errp) ? json_object()
                                                                                : NULL;
}

/* ---- identity ---- */

Json *qmp_query_name(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    if (system_config.name) {
        json_put_string(ret, "name", system_config.name);
    }
    return ret;
}

Json *qmp_query_uuid(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_string(ret, "UUID", system_config.uuid);
    return ret;
}

Json *qmp_query_kvm(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    const AccelOps *kvm = accel_find("kvm");
    json_put_bool(ret, "enabled", system_config.accel == kvm);
    json_put_bool(ret, "present", accel_is_for(kvm, system_config.arch));
    return ret;
}

Json *qmp_query_accelerators(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object(), *present = json_array();
    for (size_t i = 0; accel_list[i]; i++) {
        if (accel_is_for(accel_list[i], system_config.arch)) {
            json_push(present, json_string(accel_list[i]->name));
        }
    }
    json_put_string(ret, "enabled", system_config.accel->name);
    json_put(ret, "present", present);
    return ret;
}

Json *qmp_query_target(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_string(ret, "arch", machine_current()->arch);
    return ret;
}

/* ---- machines ---- */

static void machine_visit(const MachineType *type, void *opaque)
{
    Json *item = json_object();
    const Target *target = target_find(system_config.arch);
    bool narrow = target && target->word_bits == 32;
    const char *cpu = narrow ? type->default_cpu32 : type->default_cpu64;
    json_put_bool(item, "hotpluggable-cpus", false);
    json_put_string(item, "name", type->name);
    if (type->is_default) {
        json_put_bool(item, "is-default", true);
    }
    json_put_bool(item, "numa-mem-supported", false);
    if (cpu) {
        json_put(item, "default-cpu-type", json_stringf("%s-%s-cpu", cpu, system_cpu_family()));
    }
    json_put_bool(item, "acpi", false);
    json_put_int(item, "cpu-max", type->max_cpus ? type->max_cpus : 1);
    json_put_bool(item, "deprecated", false);
    if (type->ram_id) {
        json_put_string(item, "default-ram-id", type->ram_id);
    }
    if (type->alias) {
        json_put_string(item, "alias", type->alias);
    }
    json_push(opaque, item);
}

Json *qmp_query_machines(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    machine_type_foreach(system_config.arch, machine_visit, list);
    return list;
}

Json *qmp_query_current_machine(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_bool(ret, "wakeup-suspend-support", machine_can_suspend());
    return ret;
}

static Json *cpu_props(const Machine *m, unsigned index)
{
    const SmpConfig *s = &m->smp;
    unsigned per_socket = MAX(s->threads, 1) * MAX(s->cores, 1);
    Json *props = json_object();
    json_put_int(props, "core-id", index / MAX(s->threads, 1) % MAX(s->cores, 1));
    json_put_int(props, "thread-id", index % MAX(s->threads, 1));
    json_put_int(props, "socket-id", index / per_socket);
    return props;
}

Json *qmp_query_cpus_fast(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    Json *list = json_array();
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        Json *item = json_object();
        char *type = system_cpu_type_name(), *path = system_vcpu_path(i);
        json_put_int(item, "thread-id", system_vcpu_thread_id(i));
        json_put(item, "props", cpu_props(m, i));
        json_put_string(item, "qom-path", path);
        json_put_int(item, "cpu-index", i);
        json_put_string(item, "qom-type", type);
        json_put_string(item, "target", m->arch);
        json_push(list, item);
        free(type);
        free(path);
    }
    return list;
}

Json *qmp_query_hotpluggable_cpus(Monitor *mon, const Json *args, Error **errp)
{
    error_set(errp, "machine does not support hot-plugging CPUs");
    return NULL;
}

/* ---- memory ---- */

Json *qmp_query_memory_size_summary(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_uint(ret, "base-memory", machine_current()->ram_bytes);
    return ret;
}

Json *qmp_query_memory_devices(Monitor *mon, const Json *args, Error **errp)
{
    return json_array();
}

static Json *memdev(const char *id, uint64_t size_bytes, bool merge, bool dump, bool prealloc, bool share)
{
    Json *item = json_object();
    json_put_string(item, "id", id);
    json_put_uint(item, "size", size_bytes);
    json_put_bool(item, "merge", merge);
    json_put_bool(item, "dump", dump);
    json_put_bool(item, "prealloc", prealloc);
    json_put_bool(item, "share", share);
    json_put_bool(item, "reserve", true);
    json_put(item, "host-nodes", json_array());
    json_put_string(item, "policy", "default");
    return item;
}

static bool backend_flag(Object *obj, const char *name)
{
    PropValue value;
    return object_property_get(obj, name, &value, NULL) && value.b;
}

Json *qmp_query_memdev(Monitor *mon, const Json *args, Error **errp)
{
    Json *list = json_array();
    Machine *m = machine_current();
    Object *objects = object_resolve("/objects", NULL);
    for (Object *obj = objects ? objects->first_child : NULL; obj; obj = obj->next) {
        MemoryRegion *region = memory_backend_region(obj);
        if (region) {
            json_push(list, memdev(obj->name, memory_region_size(region), backend_flag(obj, "merge"), backend_flag(obj, "dump"),
                                   backend_flag(obj, "prealloc"), backend_flag(obj, "share")));
        }
    }
    if (m->ram_bytes && m->type->ram_id && !m->memory_backend) {
        json_push(list, memdev(m->type->ram_id, m->ram_bytes, m->mem_merge, m->dump_guest_core, false, false));
    }
    return list;
}

#define SAVE_CHUNK_BYTES 65536u

/* Copies [addr, addr + size) with `fetch` to a file. */
static bool save_memory(uint64_t addr, uint64_t size, const char *path,
                        bool (*fetch)(void *opaque, uint64_t addr, void *buf, size_t len),
                        void *opaque, Error **errp)
{
    FILE *f = fopen(path, "wbe");
    if (!f) {
        error_set_errno(errp, errno, "Could not open '%s'", path);
        return false;
    }
    bool ok = true;
    static uint8_t buf[SAVE_CHUNK_BYTES];
    while (size && ok) {
        size_t n = MIN(size, sizeof(buf));
        if (!fetch(opaque, addr, buf, n)) {
            error_set(errp, "Invalid addr 0x%016" PRIx64 "/size %zu specified", addr, n);
            ok = false;
        } else if (fwrite(buf, 1, n, f) != n) {
            error_set_errno(errp, errno, "writing memory to '%s' failed", path);
            ok = false;
        }
        addr += n;
        size -= n;
    }
    if (fclose(f) && ok) {
        error_set_errno(errp, errno, "writing memory to '%s' failed", path);
        ok = false;
    }
    return ok;
}

static uint64_t arg_uint(const Json *args, const char *key)
{
    return json_as_uint(json_get(args, key));
}

static bool fetch_physical(void *opaque, uint64_t addr, void *buf, size_t len)
{
    return memory_read(&machine_current()->memory, addr, buf, len,
                       (MemAttrs){ .debug = true }) == MEM_OK;
}

Json *qmp_pmemsave(Monitor *mon, const Json *args, Error **errp)
{
    return save_memory(arg_uint(args, "val"), arg_uint(args, "size"),
                       json_get_string(args, "filename"), fetch_physical, NULL, errp)
               ? json_object() : NULL;
}

static bool fetch_virtual(void *opaque, uint64_t addr, void *buf, size_t len)
{
    return system_debug_read(opaque, addr, buf, len);
}

Json *qmp_memsave(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    int64_t index = json_get_int(args, "cpu-index", 0);
    if (index < 0 || index >= (int64_t)m->n_vcpus) {
        error_set(errp, "Invalid parameter 'cpu-index', expected a CPU number");
        return NULL;
    }
    return save_memory(arg_uint(args, "val"), arg_uint(args, "size"),
                       json_get_string(args, "filename"), fetch_virtual, m->vcpus[index], errp)
               ? json_object() : NULL;
}

Json *qmp_dump_guest_memory(Monitor *mon, const Json *args, Error **errp)
{
    error_set(errp, "dump-guest-memory is not supported yet; pmemsave writes raw memory");
    return NULL;
}

Json *qmp_query_dump(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put_string(ret, "status", "none");
    json_put_int(ret, "completed", 0);
    json_put_int(ret, "total", 0);
    return ret;
}

Json *qmp_query_dump_capability(Monitor *mon, const Json *args, Error **errp)
{
    Json *ret = json_object();
    json_put(ret, "formats", json_array());
    return ret;
}

Json *qmp_dumpdtb(Monitor *mon, const Json *args, Error **errp)
{
    Machine *m = machine_current();
    const char *path = json_get_string(args, "filename");
    if (!m->fdt) {
        error_set(errp, "This machine doesn't have an FDT");
        return NULL;
    }
    FILE *f = fopen(path, "wbe");
    bool ok = f && fwrite(m->fdt, 1, m->fdt_bytes, f) == m->fdt_bytes;
    int err = errno;
    ok = (f ? fclose(f) == 0 : false) && ok;
    if (!ok) {
        error_set_errno(errp, err, "Error saving FDT to file %s", path);
        return NULL;
    }
    return json_object();
}

Json *qmp_query_balloon(Monitor *mon, const Json *args, Error **errp)
{
    uint64_t actual;
    Error *err = NULL;
    if (!virtio_balloon_query(&actual, &err)) {
        error_set_class(errp, ERROR_CLASS_DEVICE_NOT_ACTIVE, "%s", error_message(err));
        error_free(err);
        return NULL;
    }
    Json *ret = json_object();
    json_put_uint(ret, "actual", actual);
    return ret;
}

Json *qmp_balloon(Monitor *mon, const Json *args, Error **errp)
{
    int64_t value = json_get_int(args, "value", 0);
    if (value <= 0) {
        error_set(errp, "Parameter 'target' expects a size");
        return NULL;
    }
    return virtio_balloon_set_target((uint64_t)value, errp) ? json_object() : NULL;
}
