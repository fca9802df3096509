/*
 * fuzz-qmp.c: QMP requests and HMP lines against an empty machine, inside the process: every request has
 * exactly one answer, a return value or an error of one line; nothing crashes.
 *
 * Left out: commands that would leave the process or write where a name leads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "accel/accel.h"
#include "hw/chardev-prop.h"
#include "softmmu/bql.h"
#include "softmmu/machine.h"
#include "softmmu/monitor/priv.h"
#include "softmmu/system-priv.h"
#include "softmmu/system.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {
    "{\"execute\": \"query-status\", \"id\": 1}",
    "{\"execute\": \"qom-list\", \"arguments\": {\"path\": \"/machine\"}}",
    "{\"execute\": \"qom-get\", \"arguments\": {\"path\": \"/machine\", \"property\": \"type\"}}",
    "{\"execute\": \"qom-set\", \"arguments\": {\"path\": \"/machine\", \"property\": \"usb\", \"value\": true}}",
    "{\"execute\": \"qom-list-get\", \"arguments\": {\"paths\": [\"/machine\", \"/\"]}}",
    "{\"execute\": \"qom-list-types\", \"arguments\": {\"implements\": \"device\", \"abstract\": true}}",
    "{\"execute\": \"device-list-properties\", \"arguments\": {\"typename\": \"serial-mm\"}}",
    "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"serial-mm\", \"id\": \"a\", \"chardev\": \"r\"}}",
    "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"a\"}}",
    "{\"execute\": \"object-add\", \"arguments\": {\"qom-type\": \"memory-backend-ram\", \"id\": \"m\", \"size\": 4096}}",
    "{\"execute\": \"object-del\", \"arguments\": {\"id\": \"m\"}}",
    "{\"execute\": \"chardev-add\", \"arguments\": {\"id\": \"r\", \"backend\": {\"type\": \"ringbuf\", \"data\": "
    "{\"size\": 64}}}}",
    "{\"execute\": \"chardev-change\", \"arguments\": {\"id\": \"r\", \"backend\": {\"type\": \"null\", \"data\": {}}}}",
    "{\"execute\": \"chardev-remove\", \"arguments\": {\"id\": \"r\"}}",
    "{\"execute\": \"ringbuf-write\", \"arguments\": {\"device\": \"r\", \"data\": \"aGVsbG8=\", \"format\": \"base64\"}}",
    "{\"execute\": \"ringbuf-read\", \"arguments\": {\"device\": \"r\", \"size\": 10}}",
    "{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"null-co\", \"node-name\": \"n\", \"size\": 4096}}",
    "{\"execute\": \"blockdev-del\", \"arguments\": {\"node-name\": \"n\"}}",
    "{\"execute\": \"query-block\"}", "{\"execute\": \"query-command-line-options\", \"arguments\": {\"option\": \"name\"}}",
    "{\"execute\": \"set-action\", \"arguments\": {\"reboot\": \"reset\", \"panic\": \"none\"}}",
    "{\"execute\": \"stop\"}", "{\"execute\": \"cont\"}",
    "!info status", "!print /x 1+2*(3|4)<<5 & $pc", "!xp /16xb 0x1000", "!x /3i 0", "!help info", "!info qom-tree /",
    "!qom-set -j /machine usb true", "!device_add serial-mm,id=b", "!chardev-add ringbuf,id=q,size=64",
    "!log unimp,guest_errors", "!i /w 0x10", "!sum 0 1000", "!gva2gpa 0x1000", NULL
};
const char *const fuzz_words[] = {
    "\"arguments\": {", "\"id\": ", "\"path\": ", "{}", "[]", "null", "-1", "18446744073709551615", "1e3", "\"\"", "..", "/",
    "[0]", "\"type\": ", "!info ", "/4xw ", "$pc", "((((", "\\u0041", "help", NULL
};

static void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz-qmp: %s\n", what);
        abort();
    }
}

static void start(void)
{
    error_set_program("fuzz-qmp");
    system_config.arch = "riscv64";
    system_config.accel = &accel_tcg;
    bql_lock();
    loop_set_lock(loop_main(), bql_lock, bql_unlock);
    chardev_prop_install();
    system_init_backends();
    Machine *m = machine_new(machine_type_find("none", "riscv64"), "riscv64");
    m->no_autostart = true;
    if (!machine_build(m, NULL) || !machine_ready(m, NULL)) {
        exit(1);
    }
    /* Whatever is opened by name is opened where nothing is. */
    if (chdir("/proc/self/fdinfo") < 0) {
        exit(1);
    }
}

/* Files, sockets, terminals, the end of the program. */
static bool forbidden(const char *text)
{
    static const char *const words[] = {
        "\"quit\"", "memsave", "dump", "file", "path\": \"/dev", "socket", "pty", "stdio", "serial\"", "parallel", "pipe",
        "udp", "unix", "tap", "netdev", "gdbserver", "logfile", "testdev", "tty", "parport", "fd", "inet", "host", "mem-path",
        "!q", "\\u",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strstr(text, words[i])) {
            return true;
        }
    }
    return false;
}

static void answer(void *opaque, Json *json, Error *err)
{
    error_free(err);
    if (!json) {
        return;
    }
    Json *reply = qmp_dispatch(NULL, json);
    const Json *error = json_get(reply, "error");
    require(!json_get(reply, "return") != !error, "a return value or an error");
    if (error) {
        const char *desc = json_get_string(error, "desc");
        /* Names of the client may be repeated in it, line feeds and all. */
        require(desc && *desc && (*(const bool *)opaque || !strchr(desc, '\n')), "an error is one line");
    }
    char *text = json_print(reply);
    Json *again = json_parse_string(text, NULL);
    require(again && json_equal(again, reply), "an answer is valid JSON");
    json_free(again);
    free(text);
    json_free(reply);
    json_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        started = true;
        start();
    }
    char *text = xstrndup((const char *)data, size);
    if (!forbidden(text)) {
        if (*text == '!') {
            free(hmp_run(text + 1, 0));
        } else {
            JsonStream stream;
            bool escapes = strchr(text, '\\') != NULL;
            json_stream_init(&stream, answer, &escapes);
            json_stream_feed(&stream, text, strlen(text));
            json_stream_finish(&stream);
        }
        while (loop_run_once(loop_main(), false)) {
        }
    }
    free(text);
    return 0;
}
