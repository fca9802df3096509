/*
 * system.c: what the command line asked for, made: machine, devices, back
 * ends, monitors (see system.h). The order of options within a kind counts;
 * the order of kinds does not.
 */
#include "softmmu/system.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "accel/accel.h"
#include "hw/acpi.h"
#include "hw/boot.h"
#include "hw/device.h"
#include "hw/fw_cfg.h"
#include "hw/smbios.h"
#include "softmmu/bql.h"
#include "softmmu/clock.h"
#include "softmmu/monitor.h"
#include "softmmu/numa.h"
#include "softmmu/process.h"
#include "softmmu/system-priv.h"
#include "target/target.h"
#include "util/log.h"
#include "util/parse.h"
#include <glib.h> /* after ours: it redefines MIN and MAX alike */

SystemConfig system_config = { .uuid = "00000000-0000-0000-0000-000000000000" };

static unsigned n_serials, n_parallels;
static const char *firmware_option; /* one that only firmware of a PC understands */
static struct {
    bool serial, parallel, monitor; /* options of the kind were given */
    unsigned n_monitors;
} given;
/* -action; the values of the schema. Reboot and shutdown live in the machine. */
static char panic_action[16] = "shutdown", watchdog_action[16] = "reset";

/* ---- small options ---- */

bool system_set_name(GivenOption *opt, Error **errp)
{
    const char *guest = json_get_string(opt->opts, "guest");
    const char *process = json_get_string(opt->opts, "process");
    if (guest) {
        free(system_config.name);
        system_config.name = xstrdup(guest);
    }
    if (process) {
        prctl(PR_SET_NAME, process);
    }
    return true;
}

bool system_set_uuid(GivenOption *opt, Error **errp)
{
    const char *text = opt->text;
    bool ok = strlen(text) == 36;
    for (size_t i = 0; ok && i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        ok = dash ? text[i] == '-' : strchr("0123456789abcdefABCDEF", text[i]) != NULL;
    }
    if (!ok) {
        error_set(errp, "failed to parse UUID string: wrong format");
        return false;
    }
    for (size_t i = 0; i < 36; i++) {
        system_config.uuid[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
    }
    system_config.uuid_set = true;
    return true;
}

bool system_set_rtc(GivenOption *opt, Error **errp)
{
    RtcConfig rtc = {0};
    const char *base = json_get_string(opt->opts, "base");
    const char *clock = json_get_string(opt->opts, "clock");
    const char *fix = json_get_string(opt->opts, "driftfix");
    if (base && !strcmp(base, "localtime")) {
        rtc.localtime = true;
    } else if (base && strcmp(base, "utc")) {
        struct tm tm = {0};
        const char *end = strptime(base, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!end || *end) {
            memset(&tm, 0, sizeof(tm));
            end = strptime(base, "%Y-%m-%d", &tm);
        }
        if (!end || *end) {
            error_set(errp, "invalid datetime format, valid are utc, localtime, "
                            "'2006-06-17T16:01:21' and '2006-06-17'");
            return false;
        }
        rtc.has_base = true;
        rtc.base_s = timegm(&tm);
        if (rtc.base_s < RTC_MIN_S || rtc.base_s > RTC_MAX_S) {
            error_set(errp, "the date %s is out of range: 1900 to 2254", base);
            return false;
        }
    }
    if (clock) {
        static const char *const names[] = { "host", "rt", "vm" };
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && strcmp(names[i], clock)) {
            i++;
        }
        if (i == ARRAY_SIZE(names)) {
            error_set(errp, "invalid option value '%s'", clock);
            return false;
        }
        rtc.clock = (RtcClock)i;
    }
    if (fix && strcmp(fix, "slew") && strcmp(fix, "none")) {
        error_set(errp, "invalid option value '%s'", fix);
        return false;
    }
    rtc.driftfix_slew = fix && !strcmp(fix, "slew");
    rtc_configure(&rtc);
    return true;
}

/* Without shift nothing is counted, as the field has it. */
bool system_set_icount(GivenOption *opt, Error **errp)
{
    IcountConfig config = {0};
    const char *shift = json_get_string(opt->opts, "shift"), *rr = json_get_string(opt->opts, "rr");
    uint64_t n = 0;
    if (rr || opts_is_set(opt->opts, "rrfile") || opts_is_set(opt->opts, "rrsnapshot")) {
        error_set(errp, "record and replay are not supported");
        return false;
    }
    if (!opts_bool(opt->opts, "align", false, &config.align, errp) ||
        !opts_bool(opt->opts, "sleep", true, &config.sleep, errp)) {
        return false;
    }
    if (!opts_is_set(opt->opts, "shift")) {
        if (config.align) {
            error_set(errp, "Please specify shift option when using align");
        }
        return !config.align;
    }
    config.automatic = shift && !strcmp(shift, "auto");
    if (!config.automatic && (!opts_uint(opt->opts, "shift", 0, &n, NULL) || n > UINT32_MAX)) {
        error_set(errp, "icount: Invalid shift value");
        return false;
    }
    config.shift = (unsigned)n;
    const AccelOps *accel = system_config.accel;
    if (!accel->set_icount) {
        error_set(errp, "accelerator '%s' does not count instructions", accel->name);
        return false;
    }
    return accel->set_icount(&config, errp);
}

static bool one_of(const char *what, const char *value, const char *choices, Error **errp)
{
    size_t len = strlen(value);
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, " ");
        if (n == len && !strncmp(p, value, n)) {
            return true;
        }
        p += n + (p[n] == ' ');
    }
    error_set(errp, "Parameter '%s' does not accept value '%s'", what, value);
    return false;
}

bool system_set_action(const char *event, const char *action, Error **errp)
{
    Machine *m = machine_current();
    if (!strcmp(event, "reboot")) {
        if (!one_of(event, action, "reset shutdown", errp)) {
            return false;
        }
        m->no_reboot_action_shutdown = !strcmp(action, "shutdown");
    } else if (!strcmp(event, "shutdown")) {
        if (!one_of(event, action, "poweroff pause", errp)) {
            return false;
        }
        m->no_shutdown = !strcmp(action, "pause");
    } else if (!strcmp(event, "panic")) {
        if (!one_of(event, action, "pause shutdown exit-failure none", errp)) {
            return false;
        }
        snprintf(panic_action, sizeof(panic_action), "%s", action);
    } else {
        if (!one_of(event, action, "reset shutdown poweroff inject-nmi pause debug none", errp)) {
            return false;
        }
        snprintf(watchdog_action, sizeof(watchdog_action), "%s", action);
    }
    return true;
}

const char *system_panic_action(void)
{
    return panic_action;
}

const char *system_watchdog_action(void)
{
    return watchdog_action;
}

bool system_set_actions(GivenOption *opt, Error **errp)
{
    for (size_t i = 0; i < json_count(opt->opts); i++) {
        const char *value = json_get_string(opt->opts, json_key_at(opt->opts, i));
        if (!value || !system_set_action(json_key_at(opt->opts, i), value, errp)) {
            return false;
        }
    }
    return true;
}

bool system_set_watchdog_action(GivenOption *opt, Error **errp)
{
    return system_set_action("watchdog", opt->text, errp);
}

bool system_add_fd(GivenOption *opt, Error **errp)
{
    int64_t fd, set;
    if (!opts_int(opt->opts, "fd", -1, &fd, errp) || !opts_int(opt->opts, "set", -1, &set, errp)) {
        return false;
    }
    if (fd < 0 || fd > INT32_MAX) {
        error_set(errp, "fd option is required and must be non-negative");
        return false;
    }
    if (fd <= STDERR_FILENO) {
        error_set(errp, "fd cannot be a standard I/O stream");
        return false;
    }
    if (set < 0) {
        error_set(errp, "set option is required and must be non-negative");
        return false;
    }
    int copy = dup((int)fd);
    if (copy < 0) {
        error_set_errno(errp, errno, "fd %d", (int)fd);
        return false;
    }
    close((int)fd);
    return monitor_fdset_add(&set, copy, json_get_string(opt->opts, "opaque"), errp);
}

bool system_set_overcommit(GivenOption *opt, Error **errp)
{
    const char *lock = json_get_string(opt->opts, "mem-lock");
    bool on = false, pm;
    if (!opts_bool(opt->opts, "cpu-pm", false, &pm, errp)) {
        return false;
    }
    if (pm) {
        error_set(errp, "cpu-pm=on is not supported");
        return false;
    }
    bool on_fault = lock && !strcmp(lock, "on-fault");
    if (lock && !on_fault && !text_to_bool(lock, &on)) {
        error_set(errp, "parameter 'mem-lock' expects one of: on, off, on-fault");
        return false;
    }
    if ((on || on_fault) &&
        mlockall(MCL_CURRENT | MCL_FUTURE | (on_fault ? MCL_ONFAULT : 0)) < 0) {
        error_set_errno(errp, errno, "locking memory failed");
        return false;
    }
    return true;
}

/* ---- machine ---- */

/* Accelerators of the field that are not built in: their names are no mistakes. */
static bool accel_is_absent(const char *name)
{
    static const char *const others[] = { "xen", "hvf", "whpx", "nvmm", "mshv" };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!strcmp(others[i], name)) {
            return true;
        }
    }
    return false;
}

/* Why those that were asked for before do not work. */
static VEC(char *) accel_reasons;

static void fall_back(const char *to)
{
    for (size_t i = 0; i < accel_reasons.n; i++) {
        error_report("-accel %s", accel_reasons.at[i]);
    }
    if (accel_reasons.n) {
        error_report("falling back to %s", to);
    }
}

noreturn void system_no_accel(void)
{
    for (size_t i = 0; i + 1 < accel_reasons.n; i++) {
        error_report("-accel %s", accel_reasons.at[i]);
    }
    error_exit("-accel %s", accel_reasons.at[accel_reasons.n - 1]);
}

bool system_choose_accel(const char *list, Error **errp)
{
    char *copy = xstrdup(list), *save = NULL;
    bool ok = true;
    for (char *name = strtok_r(copy, ":", &save); name && !system_config.accel && ok;
         name = strtok_r(NULL, ":", &save)) {
        const AccelOps *accel = accel_find(name);
        Error *err = NULL;
        if (accel && accel->available(system_config.arch, &err)) {
            fall_back(name);
            system_config.accel = accel;
        } else if (accel) {
            *vec_push(&accel_reasons) = xasprintf("%s: %s", name, error_message(err));
            error_free(err);
        } else if (accel_is_absent(name)) {
            *vec_push(&accel_reasons) = xasprintf("%s: not available for this guest", name);
        } else {
            error_set(errp, "invalid accelerator %s", name);
            ok = false;
        }
    }
    free(copy);
    return ok;
}

bool system_is_accel_key(const char *key)
{
    return !strcmp(key, "kernel-irqchip") || !strcmp(key, "kernel_irqchip");
}

bool system_set_machine_options(GivenOption *opt, Error **errp)
{
    Machine *m = machine_current();
    for (size_t i = 0; i < json_count(opt->opts); i++) {
        const char *key = json_key_at(opt->opts, i);
        const Json *value = json_at(opt->opts, i);
        if (!strcmp(key, "type") || !strcmp(key, "accel") || system_is_accel_key(key)) {
            continue;
        }
        char *text = json_is(value, JSON_STRING) ? xstrdup(json_as_string(value))
                     : json_is(value, JSON_BOOL) ? xstrdup(json_as_bool(value) ? "on" : "off")
                                                 : json_print(value);
        bool ok = object_property_parse(&m->obj, key, text, errp);
        free(text);
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool system_set_smp(GivenOption *opt, Error **errp)
{
    static const char *const keys[] = { "cpus", "maxcpus", "drawers", "books", "sockets", "dies",
                                        "clusters", "modules", "cores", "threads" };
    SmpConfig smp = {0};
    unsigned *const fields[] = { &smp.cpus, &smp.max_cpus, &smp.drawers, &smp.books, &smp.sockets,
                                 &smp.dies, &smp.clusters, &smp.modules, &smp.cores,
                                 &smp.threads };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        uint64_t value;
        if (!opts_uint(opt->opts, keys[i], 0, &value, errp)) {
            return false;
        }
        if (opts_is_set(opt->opts, keys[i]) && value == 0) {
            error_set(errp,
                      "Invalid CPU topology: CPU topology parameters must be greater than zero");
            return false;
        }
        if (value > UINT32_MAX / 2) {
            error_set(errp, "Parameter '%s' is too large", keys[i]);
            return false;
        }
        *fields[i] = (unsigned)value;
    }
    return machine_set_smp(machine_current(), &smp, errp);
}

bool system_add_numa(GivenOption *opt, Error **errp)
{
    return numa_add_option(machine_current(), opt->opts, opt->text, errp);
}

static bool memory_size(const Json *opts, const char *key, uint64_t suffix, uint64_t *ret,
                        Error **errp)
{
    const Json *value = json_get(opts, key);
    if (!value) {
        return true;
    }
    if (json_is(value, JSON_STRING) ? text_to_size(json_as_string(value), suffix, ret)
                                    : opts_size(opts, key, 0, ret, NULL)) {
        return true;
    }
    error_set(errp, "Parameter '%s' expects a size below 2^64 bytes, such as 512M or 4G", key);
    return false;
}

bool system_set_memory(GivenOption *opt, Error **errp)
{
    Machine *m = machine_current();
    uint64_t size = m->ram_bytes, max = 0, slots;
    if (!memory_size(opt->opts, "size", MiB, &size, errp) ||
        !memory_size(opt->opts, "maxmem", 1, &max, errp) ||
        !opts_uint(opt->opts, "slots", 0, &slots, errp)) {
        return false;
    }
    if (max && max < size) {
        error_set(errp, "invalid value of maxmem: maximum memory size (0x%" PRIx64
                  ") must be at least the initial memory size (0x%" PRIx64 ")", max, size);
        return false;
    }
    if (slots && !max) {
        error_set(errp, "slots specified but no max-size");
        return false;
    }
    if (slots || max > size) {
        error_set(errp, "memory hot-plug is not supported by machine '%s'", m->type->name);
        return false;
    }
    /* Zero means the default, as it always has. Whole pages only. */
    if (size) {
        m->ram_bytes = ROUND_UP(size, 8192);
    }
    if (m->ram_bytes < size) {
        error_set(errp, "ram size too large");
        return false;
    }
    return true;
}

bool system_set_memory_path(const char *path, bool prealloc, Error **errp)
{
    Machine *m = machine_current();
    if (m->memory_backend) {
        error_set(errp, "'-mem-path' can't be used together with '-machine memory-backend'");
        return false;
    }
    Json *opts = json_object();
    json_put_string(opts, "qom-type", "memory-backend-file");
    json_put_string(opts, "id", m->type->ram_id);
    json_put_string(opts, "mem-path", path);
    json_put(opts, "size", json_uint(m->ram_bytes));
    json_put_bool(opts, "prealloc", prealloc);
    Json *result = qmp_call("object-add", opts, errp);
    json_free(result);
    if (result) {
        m->memory_backend = xstrdup(m->type->ram_id);
    }
    return result != NULL;
}

bool system_add_fw_cfg(GivenOption *opt, Error **errp)
{
    const char *name = json_get_string(opt->opts, "name"), *path = json_get_string(opt->opts, "file");
    const char *text = json_get_string(opt->opts, "string");
    if (!name || !path == !text) {
        error_set(errp, "name, and one of file and string are needed");
        return false;
    }
    if (strncmp(name, "opt/", 4)) {
        error_warn("-fw_cfg %s: externally provided fw_cfg item names should be prefixed with \"opt/\"", opt->text);
    }
    if (text) {
        return fw_cfg_add_option(name, text, (uint32_t)strlen(text), errp);
    }
    gchar *data;
    gsize len;
    GError *err = NULL;
    if (!g_file_get_contents(path, &data, &len, &err)) {
        error_set(errp, "can't load %s: %s", path, err->message);
        g_error_free(err);
        return false;
    }
    bool ok = len <= UINT32_MAX;
    if (!ok) {
        error_set(errp, "%s is too large", path);
    }
    ok = ok && fw_cfg_add_option(name, data, (uint32_t)len, errp);
    g_free(data);
    return ok;
}

static bool check_boot_order(const char *order, Error **errp)
{
    unsigned seen = 0;

    for (const char *p = order; p && *p; p++) {
        if (*p < 'a' || *p > 'p') {
            error_set(errp, "Invalid boot device '%c'", *p);
            return false;
        }
        if (seen >> (*p - 'a') & 1) {
            error_set(errp, "Boot device '%c' was given twice", *p);
            return false;
        }
        seen |= 1u << (*p - 'a');
    }
    return true;
}

static void replace_string(char **at, const char *text)
{
    if (text) {
        free(*at);
        *at = xstrdup(text);
    }
}

bool system_set_boot(GivenOption *opt, Error **errp)
{
    Machine *m = machine_current();
    BootOptions *boot = &m->boot;
    const char *order = json_get_string(opt->opts, "order"), *once = json_get_string(opt->opts, "once");
    int64_t splash_time = boot->splash_time_ms, timeout = boot->reboot_timeout_ms;

    if (!opts_bool(opt->opts, "menu", boot->menu, &boot->menu, errp) ||
        !opts_bool(opt->opts, "strict", boot->strict, &boot->strict, errp) ||
        !opts_int(opt->opts, "splash-time", splash_time, &splash_time, errp) ||
        !opts_int(opt->opts, "reboot-timeout", timeout, &timeout, errp) ||
        !check_boot_order(order, errp) || !check_boot_order(once, errp)) {
        return false;
    }
    if (opts_is_set(opt->opts, "splash-time") && (splash_time < 0 || splash_time > 0xffff)) {
        error_set(errp, "splash-time is invalid, it should be a value between 0 and 65535");
        return false;
    }
    if (timeout < -1 || timeout > 0xffff) {
        error_set(errp, "reboot timeout is invalid, it should be a value between -1 and 65535");
        return false;
    }
    boot->splash_time_ms = splash_time;
    boot->reboot_timeout_ms = timeout;
    replace_string(&m->boot_order, order);
    replace_string(&boot->once, once);
    replace_string(&boot->splash, json_get_string(opt->opts, "splash"));
    return true;
}

/* Boards whose firmware knows nothing of these. */
bool system_check_boot(Error **errp)
{
    Machine *m = machine_current();
    const BootOptions *boot = &m->boot;
    const char *what = boot->splash ? "splash" : boot->splash_time_ms >= 0 ? "splash-time"
                       : boot->reboot_timeout_ms >= 0 ? "reboot-timeout" : NULL;

    if (firmware_option && !boot->honoured) {
        error_set(errp, "%s is not supported by machine '%s'", firmware_option, m->type->name);
        return false;
    }
    if (what && !boot->honoured) {
        error_set(errp, "-boot %s: '%s' is not supported by machine '%s'", what, what, m->type->name);
        return false;
    }
    return true;
}

bool system_add_option_rom(GivenOption *opt, Error **errp)
{
    const char *file = json_get_string(opt->opts, "romfile");
    int64_t index = -1;

    if (!file) {
        error_set(errp, "Option ROM file is not specified");
        return false;
    }
    firmware_option = opt->spelling;
    return opts_int(opt->opts, "bootindex", -1, &index, errp) && boot_add_option_rom(file, (int32_t)index, errp);
}

bool system_add_smbios(GivenOption *opt, Error **errp)
{
    firmware_option = opt->spelling;
    return smbios_add_option(opt->opts, opt->text, errp);
}

bool system_add_acpi_table(GivenOption *opt, Error **errp)
{
    firmware_option = opt->spelling;
    return acpi_add_user_table(opt->opts, errp);
}

/* ---- character devices ---- */

bool system_add_chardev(GivenOption *opt, Error **errp)
{
    const char *id = json_get_string(opt->opts, "id");
    if (!id) {
        error_set(errp, "chardev: no id specified");
        return false;
    }
    if (!options_id_ok(id)) {
        error_set(errp, "Parameter 'id' expects an identifier (a letter, then letters, digits, "
                        "'-', '.', '_')");
        return false;
    }
    return chardev_new(id, opt->opts, errp) != NULL;
}

static VEC(struct { Chardev *chr; MonitorMode mode; bool pretty; }) queued_monitors;

static bool queue_monitor(Chardev *chr, MonitorMode mode, bool pretty)
{
    *vec_push(&queued_monitors) = (__typeof__(*queued_monitors.at)){ chr, mode, pretty };
    return true;
}

bool system_attach_monitors(Error **errp)
{
    for (size_t i = 0; i < queued_monitors.n; i++) {
        if (!monitor_add(queued_monitors.at[i].chr, queued_monitors.at[i].mode,
                         queued_monitors.at[i].pretty, errp)) {
            return false;
        }
    }
    return true;
}

static bool add_compat_monitor(const char *text, MonitorMode mode, bool pretty, Error **errp)
{
    char id[32];
    Chardev *chr;
    snprintf(id, sizeof(id), "compat_monitor%u", given.n_monitors);
    if (!chardev_new_legacy(id, text, NULL, &chr, errp)) {
        return false;
    }
    if (!chr) {
        return true;
    }
    given.n_monitors++;
    return queue_monitor(chr, mode, pretty);
}

bool system_add_serial(GivenOption *opt, Error **errp)
{
    char id[32];
    bool mon = false;
    Chardev *chr;
    given.serial = true;
    if (n_serials == MACHINE_MAX_SERIALS) {
        error_set(errp, "too many serial ports");
        return false;
    }
    snprintf(id, sizeof(id), "serial%u", n_serials);
    if (!chardev_new_legacy(id, opt->text, &mon, &chr, errp)) {
        return false;
    }
    machine_current()->serials[n_serials++] = chr;
    if (mon) {
        given.monitor = true;
        return queue_monitor(chr, MONITOR_READLINE, false);
    }
    return true;
}

bool system_add_parallel(GivenOption *opt, Error **errp)
{
    const Machine *m = machine_current();
    char id[32];
    bool none = !strcmp(opt->text, "none");

    given.parallel = true;
    if (m->type->no_parallel && !none && strcmp(opt->text, "null")) {
        error_set(errp, "this machine has no parallel port");
        return false;
    }
    if (none || m->type->no_parallel) {
        return true;
    }
    if (n_parallels == MACHINE_MAX_PARALLELS) {
        error_set(errp, "too many parallel ports");
        return false;
    }
    snprintf(id, sizeof(id), "parallel%u", n_parallels);
    return chardev_new_legacy(id, opt->text, NULL, &machine_current()->parallels[n_parallels++], errp);
}

/* What firmware and small kernels write to port E9h, or -global isa-debugcon.iobase= (SeaBIOS and OVMF: 402h). */
bool system_add_debugcon(GivenOption *opt, Error **errp)
{
    bool named = !strncmp(opt->text, "chardev:", 8);
    const char *const props[] = { "chardev", named ? opt->text + 8 : "debugcon", NULL };
    Chardev *chr = NULL;

    return chardev_new_legacy("debugcon", opt->text, NULL, &chr, errp) && (!chr || device_add("isa-debugcon", props, errp));
}

bool system_add_hmp(GivenOption *opt, Error **errp)
{
    given.monitor = true;
    return add_compat_monitor(opt->text, MONITOR_READLINE, false, errp);
}

bool system_add_qmp(GivenOption *opt, Error **errp)
{
    given.monitor = true;
    return add_compat_monitor(opt->text, MONITOR_CONTROL, false, errp);
}

bool system_add_qmp_pretty(GivenOption *opt, Error **errp)
{
    given.monitor = true;
    return add_compat_monitor(opt->text, MONITOR_CONTROL, true, errp);
}

/* What nobody mentioned. */
bool system_add_default_chardevs(bool have_mon_option, bool own_serial, bool own_parallel, Error **errp)
{
    const Machine *m = machine_current();
    GivenOption stdio = { .text = "stdio" }, mon_stdio = { .text = "mon:stdio" }, null = { .text = "null" };
    bool want_serial = !given.serial && !system_config.no_defaults && !m->type->no_serial && !own_serial;
    bool want_parallel = !given.parallel && !system_config.no_defaults && !m->type->no_parallel && !own_parallel;
    bool want_monitor = !given.monitor && !have_mon_option && !system_config.no_defaults;
    if (want_parallel && !system_add_parallel(&null, errp)) {
        return false;
    }
    if (!system_config.nographic) {
        /* The reference has them on virtual consoles of its display; a PC has the port all the same, the monitor is nowhere. */
        return !want_serial || !m->type->has_vga || system_add_serial(&null, errp);
    }
    if (want_serial && want_monitor) {
        return system_add_serial(&mon_stdio, errp);
    }
    if (want_serial) {
        return system_add_serial(&stdio, errp);
    }
    return !want_monitor || system_add_hmp(&stdio, errp);
}

/* ---- for the monitors ---- */

void system_request_quit(ShutdownCause cause)
{
    machine_request_shutdown(cause);
}

const char *system_cpu_family(void)
{
    const char *arch = system_config.arch;

    return !strncmp(arch, "riscv", 5) ? "riscv" : !strcmp(arch, "aarch64") ? "arm" : arch;
}

char *system_cpu_type_name(void)
{
    const Machine *m = machine_current();
    const Target *target = target_find(system_config.arch);
    const char *model = m->cpu_type ? m->cpu_type
                        : target && target->word_bits == 32 ? m->type->default_cpu32
                                                            : m->type->default_cpu64;
    model = model ? model : target && target->default_cpu ? target->default_cpu : "none";
    return xasprintf("%.*s-%s-cpu", (int)strcspn(model, ","), model, system_cpu_family());
}

char *system_vcpu_path(unsigned index)
{
    Machine *m = machine_current();
    return m->type->vcpu_path ? m->type->vcpu_path(m, index) : xasprintf("/machine/soc0/harts[%u]", index);
}

int system_vcpu_thread_id(unsigned index)
{
    const AccelOps *accel = system_config.accel;
    int tid = accel->vcpu_thread_id ? accel->vcpu_thread_id(machine_current()->vcpus[index]) : 0;
    return tid ? tid : (int)getpid();
}

void system_on_vcpu(struct Vcpu *vcpu, void (*fn)(struct Vcpu *vcpu, void *opaque), void *opaque)
{
    /* Stopped vCPUs stand still; a running one does it itself, between two instructions. */
    if (machine_current()->running && system_config.accel->run_on) {
        system_config.accel->run_on(vcpu, fn, opaque);
    } else {
        fn(vcpu, opaque);
    }
}

/* Walks page by page; reads into `out` or writes from `in`. */
static bool debug_access(struct Vcpu *vcpu, uint64_t addr, uint8_t *out, const uint8_t *in, size_t len)
{
    const Target *target = vcpu->target;
    AddressSpace *as = vcpu->as ? vcpu->as : &machine_current()->memory;
    while (len) {
        TlbFill fill;
        if (!target->tlb_fill_debug || !target->tlb_fill_debug(vcpu, addr, &fill)) {
            return false;
        }
        uint64_t page = (uint64_t)1 << fill.page_bits;
        uint64_t offset = addr & (page - 1);
        size_t n = MIN(len, page - offset);
        /* Breakpoints go into ROM too. */
        MemResult result = out ? memory_read(as, fill.phys + offset, out, n,
                                             (MemAttrs){ .debug = true })
                               : memory_write_rom(as, fill.phys + offset, in, n);
        if (result != MEM_OK) {
            return false;
        }
        out = out ? out + n : NULL;
        in = in ? in + n : NULL;
        addr += n;
        len -= n;
    }
    return true;
}

typedef struct DebugAccess {
    uint64_t addr;
    uint8_t *out;
    const uint8_t *in;
    size_t len;
    bool ok;
} DebugAccess;

static void run_debug_access(struct Vcpu *vcpu, void *opaque)
{
    DebugAccess *a = opaque;
    a->ok = debug_access(vcpu, a->addr, a->out, a->in, a->len);
}

bool system_debug_read(struct Vcpu *vcpu, uint64_t addr, void *buf, size_t len)
{
    DebugAccess a = { addr, buf, NULL, len, false };
    system_on_vcpu(vcpu, run_debug_access, &a);
    return a.ok;
}

bool system_debug_write(struct Vcpu *vcpu, uint64_t addr, const void *buf, size_t len)
{
    DebugAccess a = { addr, NULL, buf, len, false };
    system_on_vcpu(vcpu, run_debug_access, &a);
    return a.ok;
}
