/*
 * hmp-info.c: "info …".
 */
#include <stdio.h>
#include "accel/accel.h"
#include "hw/device.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system.h"
#include "softmmu/version.h"
#include "target/target.h"
#include "util/log.h"

/* ---- parts of other rooms ---- */

static struct InfoPrinter {
    const char *what;
    void (*fn)(PrintFn *print, void *opaque);
} printers[16];

void monitor_register_info(const char *what, void (*fn)(PrintFn *print, void *opaque))
{
    size_t i = 0;
    while (i < ARRAY_SIZE(printers) - 1 && printers[i].what && strcmp(printers[i].what, what)) {
        i++;
    }
    printers[i] = (struct InfoPrinter){ what, fn };
}

/* Nothing registered: there is no such device, which prints as nothing. */
static void print_registered(Monitor *mon, const char *what)
{
    for (size_t i = 0; i < ARRAY_SIZE(printers); i++) {
        if (printers[i].what && !strcmp(printers[i].what, what)) {
            printers[i].fn(monitor_print, mon);
        }
    }
}

static Json *ask(Monitor *mon, const char *name)
{
    Error *err = NULL;
    Json *result = qmp_call(name, NULL, &err);
    hmp_report(mon, err);
    return result;
}

void hmp_info_version(Monitor *mon, const Json *args)
{
    monitor_printf(mon, "%d.%d.%d (%s)\n", EMULATOR_COMPAT_MAJOR, EMULATOR_COMPAT_MINOR,
                   EMULATOR_COMPAT_MICRO, EMULATOR_PACKAGE);
}

void hmp_info_status(Monitor *mon, const Json *args)
{
    Machine *m = machine_current();
    const char *state = run_state_name(m->state);
    bool plain = m->state == RUN_STATE_PAUSED || m->state == RUN_STATE_RUNNING;
    monitor_printf(mon, "VM status: %s", m->running ? "running" : "paused");
    if (!plain) {
        monitor_printf(mon, " (%s)", state);
    }
    monitor_puts(mon, "\n");
}

void hmp_info_name(Monitor *mon, const Json *args)
{
    if (system_config.name) {
        monitor_printf(mon, "%s\n", system_config.name);
    }
}

void hmp_info_uuid(Monitor *mon, const Json *args)
{
    monitor_printf(mon, "%s\n", system_config.uuid);
}

void hmp_info_kvm(Monitor *mon, const Json *args)
{
    const AccelOps *kvm = accel_find("kvm");
    monitor_printf(mon, "kvm support: %s\n", !accel_is_for(kvm, system_config.arch) ? "not compiled"
                   : system_config.accel == kvm                                      ? "enabled"
                                                                                     : "disabled");
}

void hmp_info_accel(Monitor *mon, const Json *args)
{
    monitor_printf(mon, "Accelerator: %s\n", system_config.accel->name);
}

void hmp_info_accelerators(Monitor *mon, const Json *args)
{
    monitor_printf(mon, "[%s]\n", system_config.accel->name);
}

void hmp_info_cpus(Monitor *mon, const Json *args)
{
    Machine *m = machine_current();
    char *type = system_cpu_type_name();
    char *suffix = strstr(type, "-"); /* MODEL-FAMILY-cpu */
    for (char *p = suffix; p && (p = strstr(p + 1, "-")) && strcmp(p, "-cpu");) {
        suffix = p;
    }
    for (unsigned i = 0; i < m->n_vcpus; i++) {
        monitor_printf(mon, "%c CPU #%u: thread_id=%d model=%.*s%s\n",
                       (int)i == mon->cpu_index ? '*' : ' ', i, system_vcpu_thread_id(i),
                       (int)(suffix ? suffix - type : (ptrdiff_t)strlen(type)), type,
                       m->vcpus[i]->halted ? " (halted)" : "");
    }
    free(type);
}

static void dump_vcpu(Vcpu *vcpu, void *opaque)
{
    vcpu->target->dump(vcpu, opaque, LOG_FPU | LOG_VPU);
}

static void print_registers(Monitor *mon, Vcpu *vcpu, unsigned index)
{
    char *buf = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&buf, &len);
    system_on_vcpu(vcpu, dump_vcpu, f);
    fclose(f);
    monitor_printf(mon, "\nCPU#%u\n", index);
    monitor_puts(mon, buf);
    free(buf);
}

void hmp_info_registers(Monitor *mon, const Json *args)
{
    Machine *m = machine_current();
    int64_t index = json_get_int(args, "vcpu", mon->cpu_index);
    if (json_get_bool(args, "-a", false)) {
        for (unsigned i = 0; i < m->n_vcpus; i++) {
            print_registers(mon, m->vcpus[i], i);
        }
    } else if (!m->n_vcpus) {
        monitor_puts(mon, "No CPU available\n");
    } else if (index < 0 || index >= (int64_t)m->n_vcpus) {
        monitor_printf(mon, "CPU#%d not available\n", (int)index);
    } else {
        print_registers(mon, m->vcpus[index], (unsigned)index);
    }
}

void hmp_info_mtree(Monitor *mon, const Json *args)
{
    memory_print_tree(json_get_bool(args, "-f", false), json_get_bool(args, "-D", false), monitor_print, mon);
}

void hmp_info_qtree(Monitor *mon, const Json *args)
{
    device_print_tree(monitor_print, mon);
}

void hmp_info_qdm(Monitor *mon, const Json *args)
{
    device_print_types(monitor_print, mon);
}

static void print_object(Monitor *mon, Object *obj, const char *name, int depth)
{
    monitor_printf(mon, "%*s/%s (%s)\n", depth * 2, "", name, obj->type->name);
    for (Object *child = obj->first_child; child; child = child->next) {
        print_object(mon, child, child->name, depth + 1);
    }
}

void hmp_info_qom_tree(Monitor *mon, const Json *args)
{
    const char *path = json_get_string(args, "path");
    bool ambiguous = false;
    Object *obj = object_resolve(path ? path : "/machine", &ambiguous);
    if (!obj) {
        monitor_printf(mon, ambiguous ? "Path '%s' is ambiguous.\n"
                                      : "Path '%s' could not be resolved.\n",
                       path ? path : "/machine");
        return;
    }
    print_object(mon, obj, obj->name ? obj->name : "", 0);
}

void hmp_info_chardev(Monitor *mon, const Json *args)
{
    Json *list = chardev_query();
    for (size_t i = 0; i < json_count(list); i++) {
        monitor_printf(mon, "%s: filename=%s\n", json_get_string(json_at(list, i), "label"),
                       json_get_string(json_at(list, i), "filename"));
    }
    json_free(list);
}

static void print_human(Monitor *mon, const char *command)
{
    Json *result = ask(mon, command);
    const char *text = json_get_string(result, "human-readable-text");
    if (text) {
        monitor_puts(mon, text);
    }
    json_free(result);
}

void hmp_info_jit(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-jit");
}

void hmp_info_roms(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-roms");
}

void hmp_info_ramblock(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-ramblock");
}

void hmp_info_irq(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-irq");
}

void hmp_info_numa(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-numa");
}

void hmp_info_usb(Monitor *mon, const Json *args)
{
    print_human(mon, "x-query-usb");
}

void hmp_info_pic(Monitor *mon, const Json *args)
{
    Machine *m = machine_current();

    if (m->type->print_pic) {
        m->type->print_pic(m, monitor_print, mon);
    }
}

void hmp_info_lapic(Monitor *mon, const Json *args)
{
    Machine *m = machine_current();
    int64_t id = json_get_int(args, "apic-id", (int64_t)mon->cpu_index);

    if (m->type->print_lapic && id >= 0 && (uint64_t)id < m->n_vcpus) {
        m->type->print_lapic(m, (unsigned)id, monitor_print, mon);
    } else {
        monitor_printf(mon, "No local APIC found\n");
    }
}

void hmp_info_network(Monitor *mon, const Json *args)
{
    print_registered(mon, "network");
}

void hmp_info_usernet(Monitor *mon, const Json *args)
{
    print_registered(mon, "usernet");
}

void hmp_info_block(Monitor *mon, const Json *args)
{
    print_registered(mon, "block");
}

void hmp_info_block_jobs(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "No active jobs\n");
}

void hmp_info_memory_size(Monitor *mon, const Json *args)
{
    Json *info = ask(mon, "query-memory-size-summary");
    monitor_printf(mon, "base memory: %" PRId64 "\n", json_get_int(info, "base-memory", 0));
    json_free(info);
}

void hmp_info_memory_devices(Monitor *mon, const Json *args)
{
}

void hmp_info_memdev(Monitor *mon, const Json *args)
{
    Json *list = ask(mon, "query-memdev");
    for (size_t i = 0; i < json_count(list); i++) {
        Json *item = json_at(list, i);
        monitor_printf(mon, "memory backend: %s\n  size:  %" PRId64 "\n  merge: %s\n",
                       json_get_string(item, "id"), json_get_int(item, "size", 0),
                       json_get_bool(item, "merge", false) ? "true" : "false");
    }
    json_free(list);
}

void hmp_info_hotpluggable(Monitor *mon, const Json *args)
{
    json_free(ask(mon, "query-hotpluggable-cpus"));
}

void hmp_info_iothreads(Monitor *mon, const Json *args)
{
    Json *list = ask(mon, "query-iothreads");
    for (size_t i = 0; i < json_count(list); i++) {
        monitor_printf(mon, "%s:\n  thread_id=%d\n", json_get_string(json_at(list, i), "id"),
                       (int)json_get_int(json_at(list, i), "thread-id", 0));
    }
    json_free(list);
}

void hmp_info_trace_events(Monitor *mon, const Json *args)
{
    const char *name = json_get_string(args, "name");
    Error *err = NULL;
    Json *query = json_object();
    json_put_string(query, "name", name ? name : "*");
    Json *list = qmp_call("trace-event-get-state", query, &err);
    for (size_t i = 0; i < json_count(list); i++) {
        const Json *item = json_at(list, i);
        monitor_printf(mon, "%s : state %d\n", json_get_string(item, "name"),
                       !strcmp(json_get_string(item, "state"), "enabled"));
    }
    json_free(list);
    hmp_report(mon, err);
}

void hmp_info_tpm(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "TPM device not supported\n");
}

void hmp_info_balloon(Monitor *mon, const Json *args)
{
    Json *info = ask(mon, "query-balloon");
    if (info) {
        monitor_printf(mon, "balloon: actual=%" PRId64 "\n",
                       json_get_int(info, "actual", 0) >> 20);
    }
    json_free(info);
}

void hmp_info_migrate(Monitor *mon, const Json *args)
{
}

void hmp_info_snapshots(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "No available block device supports snapshots\n");
}

void hmp_info_replay(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Record/replay is not active\n");
}

void hmp_info_dump(Monitor *mon, const Json *args)
{
    monitor_puts(mon, "Status: none\n");
}

void hmp_info_history(Monitor *mon, const Json *args)
{
    if (mon->line) {
        hmp_line_print_history(mon->line);
    }
}
