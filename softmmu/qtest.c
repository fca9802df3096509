/*
 * qtest.c: -qtest: a line protocol in which a test plays the processor: it accesses ports and memory, hears of interrupts and, with
 * -accel qtest, moves guest time.
 *
 * A command is a line of words with one blank between them, numbers as in C; it is answered by a line that begins with OK, FAIL or ERR. "IRQ
 * raise N" and "IRQ lower N" come at any time once a device's lines are intercepted. -qtest-log gets all of it with times (default: stderr).
 * Wrong or missing arguments are FAIL, where the reference ends itself. Left out: rtas, modules (there are none).
 *
 * Threads: BQL.
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "accel/qtest.h"
#include "hw/device.h"
#include "softmmu/chardev.h"
#include "softmmu/machine.h"
#include "softmmu/system.h"
#include "util/alloc.h"
#include "util/bits.h"

enum { MAX_WORDS = 8, MAX_LINE_BYTES = 32 * 1024 * 1024, MAX_BYTES = 8 * 1024 * 1024 };

typedef struct Tap {        /* a line on its way */
    IrqHandler *handler;    /* an input: what it was */
    void *opaque;
    int n, index;
    Irq *out;               /* an output: where it goes */
    bool is_out, level;
} Tap;

static struct {
    CharFrontend fe;
    FILE *log;
    int64_t start_ns;
    VEC(char) line;
    bool overlong;          /* the rest of the line is dropped */
    const Object *tapped;   /* whose lines are intercepted; NULL */
} qtest;

static void log_line(char kind, const char *text)
{
    struct timespec now;

    if (qtest.log) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t ns = now.tv_sec * NS_PER_SECOND + now.tv_nsec;
        bool first = !qtest.start_ns;
        qtest.start_ns = first ? ns : qtest.start_ns;
        fprintf(qtest.log, "[%c %s%.6f] %s\n", kind, first ? "" : "+", (double)(ns - qtest.start_ns) / NS_PER_SECOND, text);
        fflush(qtest.log);
    }
}

static void answer(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void answer(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    log_line('S', text);
    char_write_all(&qtest.fe, text, strlen(text));
    char_write_all(&qtest.fe, "\n", 1);
    free(text);
}

static bool number(const char *word, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = word ? strtoull(word, &end, 0) : 0;
    return word && *word && *end == 0 && !errno;
}

static void wrong(const char *const *words)
{
    answer("FAIL %s: wrong or missing arguments", words[0]);
}

/* -- ports and memory -------------------------------------------------------------------------------------------------- */

static unsigned size_of(char suffix)
{
    return suffix == 'b' ? 1 : suffix == 'w' ? 2 : suffix == 'l' ? 4 : suffix == 'q' ? 8 : 0;
}

static void port_access(const char *const *words, bool is_out)
{
    unsigned size = size_of(words[0][strlen(words[0]) - 1]);
    uint64_t port, value = 0;

    if (!number(words[1], &port) || port > 0xffff || (is_out && !number(words[2], &value))) {
        wrong(words);
    } else if (is_out) {
        memory_store(&machine_current()->io, port, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        answer("OK");
    } else {
        /* Nobody there: the bus floats. */
        if (memory_load(&machine_current()->io, port, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE) & MEM_DECODE_ERROR) {
            value = UINT64_MAX >> (64 - 8 * size);
        }
        answer("OK 0x%04" PRIx64, value);
    }
}

static void word_access(const char *const *words, bool is_write)
{
    unsigned size = size_of(words[0][strlen(words[0]) - 1]);
    uint64_t addr, value = 0;

    if (!number(words[1], &addr) || (is_write && !number(words[2], &value))) {
        wrong(words);
    } else if (is_write) {
        memory_store(&machine_current()->memory, addr, size, MEM_LITTLE_ENDIAN, value, MEM_ATTRS_NONE);
        answer("OK");
    } else {
        memory_load(&machine_current()->memory, addr, size, MEM_LITTLE_ENDIAN, &value, MEM_ATTRS_NONE);
        answer("OK 0x%016" PRIx64, value);
    }
}

/* Of `n` arguments. */
static bool range(const char *const *words, unsigned n, uint64_t least, uint64_t *ret_addr, uint64_t *ret_bytes)
{
    if (!words[n] || !number(words[1], ret_addr) || !number(words[2], ret_bytes) || *ret_bytes < least || *ret_bytes > MAX_BYTES) {
        wrong(words);
        return false;
    }
    return true;
}

static void read_bytes(const char *const *words, bool base64)
{
    uint64_t addr, bytes;

    if (!range(words, 2, 1, &addr, &bytes)) {
        return;
    }
    uint8_t *data = xcalloc(1, bytes);
    memory_read(&machine_current()->memory, addr, data, bytes, MEM_ATTRS_NONE);
    if (base64) {
        char *text = g_base64_encode(data, bytes);
        answer("OK %s", text);
        g_free(text);
    } else {
        static const char digits[] = "0123456789abcdef";
        char *text = xmalloc(bytes * 2 + 1);
        for (uint64_t i = 0; i < bytes; i++) {
            text[2 * i] = digits[data[i] >> 4];
            text[2 * i + 1] = digits[data[i] & 15];
        }
        text[2 * bytes] = 0;
        answer("OK 0x%s", text);
        free(text);
    }
    free(data);
}

/* What is no digit has all bits set, as in the reference. */
static uint8_t nibble(char c)
{
    return (uint8_t)(g_ascii_isxdigit(c) ? g_ascii_xdigit_value(c) : -1);
}

/* Bytes that the text is too short for are zeros, what it has more is not looked at. */
static void write_hex(const char *const *words)
{
    uint64_t addr, bytes;

    if (!range(words, 3, 1, &addr, &bytes)) {
        return;
    }
    size_t digits = strlen(words[3]);
    if (digits < 3) {
        answer("ERR invalid argument size");
        return;
    }
    uint8_t *data = xcalloc(1, bytes);
    for (uint64_t i = 0; i < bytes && 2 * i + 4 <= digits; i++) {
        data[i] = (uint8_t)(nibble(words[3][2 * i + 2]) << 4 | nibble(words[3][2 * i + 3]));
    }
    memory_write(&machine_current()->memory, addr, data, bytes, MEM_ATTRS_NONE);
    free(data);
    answer("OK");
}

static void write_base64(const char *const *words)
{
    uint64_t addr, bytes;
    gsize n;

    if (!range(words, 3, 1, &addr, &bytes)) {
        return;
    }
    uint8_t *data = g_base64_decode(words[3], &n);
    if (n != bytes) {
        char *text = xasprintf("b64write: data length mismatch (told %" PRIu64 ", found %zu)", bytes, (size_t)n);
        log_line('I', text);
        free(text);
    }
    memory_write(&machine_current()->memory, addr, data, MIN(n, bytes), MEM_ATTRS_NONE);
    g_free(data);
    answer("OK");
}

static void fill(const char *const *words)
{
    uint64_t addr, bytes, value;

    if (!range(words, 3, 0, &addr, &bytes)) {
        return;
    }
    if (!number(words[3], &value)) {
        wrong(words);
        return;
    }
    memory_fill(&machine_current()->memory, addr, (uint8_t)value, bytes, MEM_ATTRS_NONE);
    answer("OK");
}

/* -- interrupts ---------------------------------------------------------------------------------------------------------- */

static void tapped(void *opaque, int n, int level)
{
    Tap *tap = opaque;

    if (tap->is_out) {
        irq_set(tap->out, level);
    } else {
        tap->handler(tap->opaque, tap->n, level);
    }
    if (tap->level != !!level) {
        tap->level = level;
        answer("IRQ %s %d", level ? "raise" : "lower", tap->index);
    }
}

static void tap_input(Irq *irq, int index)
{
    Tap *tap = xnew(Tap);

    *tap = (Tap){ .handler = irq->handler, .opaque = irq->opaque, .n = irq->n, .index = index };
    irq->handler = tapped;
    irq->opaque = tap;
}

static void tap_output(Irq **out, int index)
{
    Tap *tap = xnew(Tap);

    *tap = (Tap){ .is_out = true, .out = *out, .index = index };
    *out = irq_new(tapped, tap, index);
}

static Device *device_at(const char *path)
{
    Object *obj = path ? object_resolve(path, NULL) : NULL;

    return obj && object_is_a(obj, "device") ? (Device *)obj : NULL;
}

static bool same_name(const IrqGroup *group, const char *name)
{
    return name ? group->name && !strcmp(group->name, name) : !group->name;
}

/* Outputs may be of a named group. */
static void intercept(const char *const *words, bool outputs)
{
    Device *dev = device_at(words[1]);
    bool any = false;

    if (!words[1]) {
        wrong(words);
        return;
    }
    if (!dev) {
        answer("FAIL Unknown device");
        return;
    }
    if (qtest.tapped) {
        answer(qtest.tapped == &dev->obj ? "OK" : "FAIL IRQ intercept already enabled");
        return;
    }
    for (IrqGroup *group = dev->irqs; group; group = group->next) {
        if (!same_name(group, outputs ? words[2] : NULL)) {
            continue;
        }
        for (unsigned i = 0; i < (outputs ? group->n_out : group->n_in); i++) {
            any = true;
            if (outputs) {
                tap_output(&group->out[i], (int)i);
            } else {
                tap_input(&group->in[i], (int)i);
            }
        }
    }
    qtest.tapped = any ? &dev->obj : NULL;
    answer(any ? "OK" : "FAIL No intercepts installed");
}

static void set_input(const char *const *words)
{
    Device *dev = device_at(words[1]);
    uint64_t n, level;

    if (!words[1] || !words[2] || !number(words[3], &n) || !number(words[4], &level)) {
        wrong(words);
        return;
    }
    if (!dev) {
        answer("FAIL Unknown device");
        return;
    }
    for (IrqGroup *group = dev->irqs; group; group = group->next) {
        if (same_name(group, strcmp(words[2], "unnamed-gpio-in") ? words[2] : NULL) && n < group->n_in) {
            irq_set(&group->in[n], level != 0);
            answer("OK");
            return;
        }
    }
    answer("FAIL Unknown line");
}

/* -- guest time ------------------------------------------------------------------------------------------------------------ */

static void clock_step(const char *const *words)
{
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL), next = clock_virtual_deadline_ns();
    uint64_t step = (uint64_t)MAX(next - now, 1);

    if (words[1] ? !number(words[1], &step) : next == INT64_MAX) {
        answer(words[1] ? "FAIL clock_step: wrong or missing arguments" :
               "FAIL cannot advance clock to the next deadline because there is no pending deadline");
    } else if (!step || step > (uint64_t)(INT64_MAX - now)) {
        answer("FAIL could not advance time");
    } else {
        qtest_clock_go(now + (int64_t)step);
        answer("OK %" PRId64, clock_get_ns(VM_CLOCK_VIRTUAL));
    }
}

static void clock_set(const char *const *words)
{
    uint64_t to;

    if (!number(words[1], &to) || to > INT64_MAX) {
        wrong(words);
        return;
    }
    qtest_clock_go((int64_t)to);
    int64_t now = clock_get_ns(VM_CLOCK_VIRTUAL);
    answer("%s %" PRId64, now == (int64_t)to ? "OK" : "FAIL", now);
}

/* -- lines ------------------------------------------------------------------------------------------------------------------ */

static bool one_of(const char *word, const char *start, const char *suffixes)
{
    size_t n = strlen(start);

    return !strncmp(word, start, n) && word[n] && !word[n + 1] && strchr(suffixes, word[n]);
}

static void command(const char *const *words)
{
    const char *w = words[0];
    bool own_clock = machine_current()->accel == &accel_qtest;

    if (one_of(w, "out", "bwl") || one_of(w, "in", "bwl")) {
        port_access(words, *w == 'o');
    } else if (one_of(w, "write", "bwlq") || one_of(w, "read", "bwlq")) {
        word_access(words, *w == 'w');
    } else if (!strcmp(w, "read") || !strcmp(w, "b64read")) {
        read_bytes(words, *w == 'b');
    } else if (!strcmp(w, "write")) {
        write_hex(words);
    } else if (!strcmp(w, "b64write")) {
        write_base64(words);
    } else if (!strcmp(w, "memset")) {
        fill(words);
    } else if (!strcmp(w, "endianness")) {
        answer("OK little");
    } else if (!strcmp(w, "irq_intercept_in") || !strcmp(w, "irq_intercept_out")) {
        intercept(words, w[14] == 'o');
    } else if (!strcmp(w, "set_irq_in")) {
        set_input(words);
    } else if (!strcmp(w, "clock_step") && own_clock) {
        clock_step(words);
    } else if (!strcmp(w, "clock_set") && own_clock) {
        clock_set(words);
    } else {
        answer("FAIL Unknown command '%s'", w);
    }
}

static void take_line(char *text)
{
    const char *words[MAX_WORDS + 1] = { text };

    log_line('R', text);
    if (!*text) {
        return;
    }
    for (unsigned n = 1; n < MAX_WORDS && (text = strchr(text, ' ')); n++) {
        *text++ = 0;
        words[n] = text;
    }
    text = text ? strchr(text, ' ') : NULL;
    if (text) {
        *text = 0;
    }
    command(words);
}

static size_t can_read(void *opaque)
{
    return 65536;
}

static void read_input(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != '\n') {
            qtest.overlong |= qtest.line.n >= MAX_LINE_BYTES;
            if (!qtest.overlong) {
                *vec_push(&qtest.line) = (char)buf[i];
            }
            continue;
        }
        *vec_push(&qtest.line) = 0;
        if (qtest.overlong) {
            answer("FAIL the line is too long");
        } else {
            take_line(qtest.line.at);
        }
        qtest.line.n = 0;
        qtest.overlong = false;
    }
}

static void event(void *opaque, CharEvent e)
{
    if (e == CHAR_EVENT_OPENED || e == CHAR_EVENT_CLOSED) {
        log_line('I', e == CHAR_EVENT_OPENED ? "OPENED" : "CLOSED");
        qtest.line.n = 0;
        qtest.overlong = false;
    }
}

bool system_start_qtest(const char *chardev, const char *log, Error **errp)
{
    static const CharHandlers handlers = { can_read, read_input, event, NULL };
    Chardev *chr;

    if (!chardev_new_legacy("qtest", chardev, NULL, &chr, errp) || !char_attach(&qtest.fe, chr, errp)) {
        return false;
    }
    if (!log) {
        qtest.log = stderr;
    } else if (strcmp(log, "none") && !(qtest.log = fopen(log, "we"))) {
        error_set_errno(errp, errno, "cannot open '%s'", log);
        return false;
    }
    char_set_handlers(&qtest.fe, &handlers, NULL);
    return true;
}
