/*
 * virt-run.c: a `virt` machine with nothing but its serial port on stdout, for tests that
 * boot firmware. Arguments: ARCH SMP MEMORY SECONDS [-d ITEMS] [PROPERTY=VALUE]… ("interp=1" runs
 * the interpreter, "cpu=TEXT" is -cpu, "until=TEXT" ends with 0 when the guest has printed TEXT).
 * Status: the guest's, 124 when time is up, 77 when there is no firmware.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "accel/accel.h"
#include "softmmu/bql.h"
#include "softmmu/chardev.h"
#include "softmmu/machine.h"
#include "target/target.h"
#include "tests/hw/chardev-double.h"
#include "util/log.h"
#include "util/parse.h"
#include <glib.h>

static GMainLoop *loop;
static int exit_status;
static size_t shown;
static const char *until;

static void quit(int status)
{
    exit_status = status;
    g_main_loop_quit(loop);
}

static gboolean show(gpointer data)
{
    bool took = bql_enter();

    while (shown < double_out_len) {
        putchar(double_out[shown++ % sizeof(double_out)]);
    }
    fflush(stdout);
    if (until && memmem(double_out, MIN(double_out_len, sizeof(double_out)), until,
                        strlen(until))) {
        _exit(0);
    }
    bql_leave(took);
    return G_SOURCE_CONTINUE;
}

static gboolean time_up(gpointer data)
{
    show(NULL);
    if (log_enabled(LOG_CPU)) {
        Machine *m = machine_current();
        for (unsigned i = 0; i < m->n_vcpus; i++) {
            m->vcpus[i]->target->dump(m->vcpus[i], stdout, 0);
        }
    }
    fflush(stdout);
    _exit(124);
}

int main(int argc, char **argv)
{
    Error *err = NULL;
    uint64_t n, seconds;

    if (argc < 5) {
        return 2;
    }
    bql_lock();
    Machine *m = machine_new(machine_type_find("virt", argv[1]), argv[1]);
    bool ok = parse_uint("smp", argv[2], UINT32_MAX, &n, &err) &&
              machine_set_smp(m, &(SmpConfig){ .cpus = (unsigned)n }, &err) &&
              parse_size(argv[3], &m->ram_bytes, &err) &&
              parse_uint("seconds", argv[4], 3600, &seconds, &err);
    for (int i = 5; ok && i < argc; i++) {
        if (!strcmp(argv[i], "-d") && i + 1 < argc) {
            ok = log_set_items(argv[++i], &err);
            continue;
        }
        char *value = strchr(argv[i], '=');
        if (!value) {
            return 2;
        }
        *value++ = '\0';
        if (!strcmp(argv[i], "interp")) {
            ok = accel_tcg.set_option("interpreter", "on", &err);
        } else if (!strcmp(argv[i], "until")) {
            until = value;
        } else if (!strcmp(argv[i], "cpu")) {
            m->cpu_type = value;
        } else {
            ok = object_property_parse(&m->obj, argv[i], value, &err);
        }
    }
    m->serials[0] = chardev_find("stdout");
    ok = ok && accel_tcg.init(m, &err) && machine_build(m, &err) && machine_ready(m, &err);
    if (!ok) {
        bool absent = strstr(error_message(err), "Unable to find");
        error_report_free(err);
        return absent ? 77 : 1;
    }
    machine_set_quit_hook(quit);
    machine_reset(m, RESET_COLD);
    vm_start(m);
    bql_unlock();
    loop = g_main_loop_new(NULL, FALSE);
    g_timeout_add(20, show, NULL);
    g_timeout_add_seconds((unsigned)seconds, time_up, NULL);
    g_main_loop_run(loop);
    show(NULL);
    _exit(exit_status);
}
